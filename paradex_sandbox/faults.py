"""What can go wrong, on request: a registry that the API layer asks at the places where a fault can strike.

A fault is armed through `POST /sandbox/faults` and strikes a number of times (`count`), for a time (`duration_ms` on
the sandbox's clock), or until it is deleted. Nothing here does I/O: whoever asks carries the fault out.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class FaultKind(StrEnum):
    """The faults that exist, with the parameters that they take."""

    #: Close every WebSocket at once, without a closing handshake. Strikes when armed; takes nothing, is not kept.
    DROP_SOCKETS = "drop_sockets"
    #: Answer order requests (POST, batch, `order.create`) with `status` (default 503) and accept nothing.
    ORDER_ERROR = "order_error"
    #: Accept the order, then close the connection without an answer.
    ORDER_ANSWER_LOST = "order_answer_lost"
    #: Deliver no data of channels whose name begins with `channel` ("" is every channel). What was due is lost.
    FREEZE_STREAM = "freeze_stream"


#: Parameter names and types of each kind.
_PARAMETERS: dict[FaultKind, dict[str, type]] = {
    FaultKind.DROP_SOCKETS: {},
    FaultKind.ORDER_ERROR: {"status": int},
    FaultKind.ORDER_ANSWER_LOST: {},
    FaultKind.FREEZE_STREAM: {"channel": str},
}


@dataclass(slots=True)
class Fault:
    """An armed fault. `remaining` counts strikes and `until` is sandbox time in µs; None means without end."""

    id: str
    kind: FaultKind
    parameters: dict[str, Any]
    remaining: int | None
    until: int | None

    def to_json(self) -> dict[str, Any]:
        """The fault as `/sandbox/faults` shows it; `until` in milliseconds."""
        return {
            "id": self.id,
            "kind": self.kind.value,
            **self.parameters,
            "remaining": self.remaining,
            "until": None if self.until is None else self.until // 1000,
        }


class FaultRegistry:
    """The armed faults. `now` gives the sandbox's time in µs."""

    def __init__(self, now: Callable[[], int]):
        self._now = now
        self._ids = itertools.count(1)
        self._faults: dict[str, Fault] = {}

    def arm(self, description: Mapping[str, Any]) -> Fault:
        """Arms the fault that `description` names: `kind`, its parameters, `count`, `duration_ms`.

        Raises ValueError with a sentence that says what is wrong.
        """
        parameters = dict(description)
        try:
            kind = FaultKind(parameters.pop("kind", None))
        except ValueError:
            raise ValueError(f"kind must be one of {', '.join(FaultKind)}") from None
        remaining = _positive_int(parameters.pop("count", None), "count")
        duration = _positive_int(parameters.pop("duration_ms", None), "duration_ms")
        for name, value in parameters.items():
            expected = _PARAMETERS[kind].get(name)
            if expected is None:
                raise ValueError(f"{kind} takes no parameter {name!r}")
            if type(value) is not expected:
                raise ValueError(f"{name} must be of type {expected.__name__}")
        until = None if duration is None else self._now() + duration * 1000
        fault = Fault(str(next(self._ids)), kind, parameters, remaining, until)
        if kind is not FaultKind.DROP_SOCKETS:
            self._faults[fault.id] = fault
        return fault

    def strike(self, kind: FaultKind, applies: Callable[[Fault], bool] | None = None) -> Fault | None:
        """The armed fault of this kind that strikes here, or None. Uses up one of its strikes."""
        if not self._faults:
            return None
        for fault in self.list():
            if fault.kind is kind and (applies is None or applies(fault)):
                if fault.remaining is not None:
                    fault.remaining -= 1
                    if fault.remaining == 0:
                        del self._faults[fault.id]
                return fault
        return None

    def list(self) -> "list[Fault]":
        """All armed faults, the oldest first."""
        now = self._now()
        for fault in [fault for fault in self._faults.values() if fault.until is not None and fault.until <= now]:
            del self._faults[fault.id]
        return list(self._faults.values())

    def disarm(self, fault_id: str | None = None) -> bool:
        """Takes one fault away, or all. False if there is no such fault."""
        if fault_id is None:
            self._faults.clear()
            return True
        return self._faults.pop(fault_id, None) is not None


def _positive_int(value: object, name: str) -> int | None:
    if value is None:
        return None
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} must be a positive integer")
    return value
