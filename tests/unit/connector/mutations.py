"""Payloads as they should not be: fields missing, null, of other types, with numbers that are none or too large."""

import copy
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.unit.connector.payloads import Payload

MISSING = object()
NUMBERS = [
    "NaN",
    "Infinity",
    "-1",
    "0",
    "1e400",
    "1e999999",
    "1e-999999",
    "-1e400",
    "0x10",
    "1,5",
    "1__0",
    "٣",
    "",
    " ",
]
VALUES: list[Any] = [
    None,
    True,
    False,
    [],
    ["x"],
    {},
    {"x": 1},
    0,
    -1,
    10**30,
    10**400,
    1.5,
    float("nan"),
    float("inf"),
    "MELTED",
    "\x00\ud800",
    "x" * 5000,
    *NUMBERS,
]


@dataclass(frozen=True)
class Mutation:
    """A payload with one field changed; `value` is MISSING where it was taken out."""

    payload: Payload
    field: str
    value: Any

    def __repr__(self) -> str:
        return f"{self.field}={'missing' if self.value is MISSING else ascii(self.value)[:40]}"


def mutations(payload: Payload) -> Iterator[Mutation]:
    """Every field with every wrong value, one at a time."""
    for name in payload:
        for value in (MISSING, *VALUES):
            changed = copy.deepcopy(payload)
            if value is MISSING:
                del changed[name]
            else:
                changed[name] = value
            yield Mutation(changed, name, value)


def mangled(rng: random.Random, payload: Payload) -> Any:
    """A payload with several fields changed at once, or something that is no payload at all."""
    if rng.random() < 0.05:
        return rng.choice(VALUES)
    changed = copy.deepcopy(payload)
    for _ in range(rng.randint(1, 4)):
        name = rng.choice([*payload, "an extra field"])
        if rng.random() < 0.2:
            changed.pop(name, None)
        else:
            changed[name] = rng.choice(VALUES)
    return changed


def damaged(rng: random.Random, frame: bytes) -> bytes:
    """A binary frame cut off, with bits flipped, or with bytes too many."""
    kind = rng.random()
    if kind < 0.3:
        return frame[: rng.randrange(len(frame))]
    data = bytearray(frame)
    for _ in range(rng.randint(1, 6)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data) + (rng.randbytes(rng.randint(1, 30)) if kind > 0.8 else b"")
