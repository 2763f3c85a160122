"""What goes wrong in a run, and when: all of it follows from the seed and from the kinds of faults that there are."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

#: The seeds 0 to 8 together have every kind of fault alone, 0 to 58 every pair of two.
SINGLES_PER_RUN = 3
PAIRS_PER_RUN = 6
CHECKPOINTS = 2

KILL_BOT = "kill_bot"
RESTART_SANDBOX = "restart_sandbox"

_PATHS = ("", "", "/orders", "/orders", "/fills", "/positions", "/account", "/balance", "/auth", "/system", "/markets")
_CHANNELS = ("", "", "orders", "fills", "positions", "account", "balance_events", "order_book", "markets_summary")
#: Fields whose list of values may grow while a client runs. What a fill is, and on which side, is no such thing.
_FIELDS = ("status", "cancel_reason", "instruction", "type")
_STATUSES = (429, 500, 502, 503, 504)
_LONGEST_DELAY_MS = 800
_KILLS_SHARE = 0.4
_RESTARTS_SHARE = 0.25
_LATE_ORDERS: tuple[Mapping[str, Any], ...] = (
    {"kind": "order_delay", "delay_ms": 500},
    {"kind": "order_answer_lost"},
    {"kind": "http_delay", "delay_ms": 500, "path": "/orders", "method": "POST"},
)
_SHIFTS_MS = (-600_000, -30_000, -3_000, 3_000, 30_000, 600_000)


@dataclass(frozen=True)
class Step:
    """Some seconds with faults, or an accident.

    :ivar faults: bodies of `POST /sandbox/faults`; `account` is filled in by who sends them
    :ivar accident: KILL_BOT or RESTART_SANDBOX, at the end of the step
    """

    faults: tuple[Mapping[str, Any], ...]
    seconds: float
    accident: str | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(sorted(fault["kind"] for fault in self.faults))


@dataclass(frozen=True)
class Plan:
    """One run.

    :ivar settings: of the connector
    :ivar private_encoding: of the sandbox, json or sbe
    :ivar phases: the steps before each checkpoint
    """

    seed: int
    settings: Mapping[str, Any]
    private_encoding: str
    phases: tuple[tuple[Step, ...], ...] = field(repr=False)

    def describe(self) -> str:
        words = [self.settings["order_entry"], self.private_encoding]
        words += ["cancel on disconnect"] if self.settings["cancel_on_disconnect"] else []
        words += [step.accident for phase in self.phases for step in phase if step.accident]
        return ", ".join(words)


def plan_of(seed: int, kinds: Sequence[Mapping[str, Any]]) -> Plan:
    """The plan of a seed.

    :param kinds: the answer of `GET /sandbox/faults/kinds`; what is listed there is used, so that none is forgotten
    """
    rng = Random(f"chaos/{seed}")
    by_name = {kind["kind"]: kind for kind in kinds}
    singles = [(name,) for name in by_name]
    pairs = list(itertools.combinations(by_name, 2))
    Random("the same for every seed").shuffle(pairs)
    chosen = [*_slice(singles, seed, SINGLES_PER_RUN), *_slice(pairs, seed, PAIRS_PER_RUN)]
    rng.shuffle(chosen)
    steps = [
        Step(tuple(_fault(by_name[name], rng) for name in names), seconds=round(rng.uniform(0.4, 1.4), 2))
        for names in chosen
    ]
    if rng.random() < _RESTARTS_SHARE:
        place = rng.randrange(len(steps))
        steps[place] = Step(steps[place].faults, steps[place].seconds, RESTART_SANDBOX)
    if rng.random() < _KILLS_SHARE:
        # While orders are on their way: what was sent and never recorded is the hard part.
        late = rng.choice(_LATE_ORDERS)
        steps.insert(rng.randrange(1, len(steps)), Step((late,), seconds=0.6, accident=KILL_BOT))
    size = -(-len(steps) // CHECKPOINTS)
    return Plan(
        seed=seed,
        settings={
            "order_entry": ("rest", "websocket")[seed % 2],
            "cancel_on_disconnect": seed % 8 in (4, 5),
            "book_feed": "snapshot" if seed % 16 in (6, 7) else "deltas",
        },
        private_encoding=("json", "sbe")[seed // 2 % 2],
        phases=tuple(tuple(steps[start : start + size]) for start in range(0, len(steps), size)),
    )


def _slice[T](items: Sequence[T], seed: int, size: int) -> list[T]:
    return [items[(seed * size + index) % len(items)] for index in range(size)]


def _fault(kind: Mapping[str, Any], rng: Random) -> dict[str, Any]:
    """A fault of this kind with parameters that a good connector must live with."""
    fault: dict[str, Any] = {"kind": kind["kind"]}
    for name, default in kind["defaults"].items():
        value = _parameter(kind["kind"], name, default, rng)
        if value != default:
            fault[name] = value
    if not kind["immediate"] and kind["kind"] != "clock_shift" and rng.random() < 0.6:
        fault["count"] = rng.randint(1, 4)
    return fault


def _parameter(kind: str, name: str, default: Any, rng: Random) -> Any:
    """A value for a parameter; the default for those that are not known here, as of kinds that are new."""
    choices: dict[str, Sequence[Any]] = {
        "path": _PATHS,
        "channel": _CHANNELS,
        "method": ("", "", "GET", "POST", "DELETE"),
        "call": ("", "order.", "order.create", "order.cancel", "order.modify", "auth", "subscribe"),
        "code": (-32603, -32000, 100, 42901, 50300),
        "status": (*_STATUSES, 200) if kind == "http_html" else _STATUSES,
        "retry_after": (0, 0, 1),
        "rest": (False, True),
        "before": (False, True),
        "field": _FIELDS,
        "ms": _SHIFTS_MS,
        "after_messages": (0, 0, 5, 20),
        "bytes": (0, 5, 20, 60),
        "delay_ms": (50, 200, _LONGEST_DELAY_MS),
    }
    return rng.choice(choices[name]) if name in choices else default
