"""What can go wrong, on request: a registry that the API layer asks at the places where a fault can strike.

`POST /sandbox/faults {"kind": …}` with the kind's parameters arms a fault. It strikes `count` times, or for
`duration_ms` (of the sandbox's clock), or until it is deleted. Kinds marked *now* act when they are armed and are not
kept. `GET /sandbox/faults/kinds` tells the same as this table, for programs.

| kind | parameters | what happens |
| --- | --- | --- |
| drop_sockets *now* | after_messages | cuts every WebSocket, at once or after it was sent so many more messages |
| refuse_connections | rest | cuts new WebSocket connections before the handshake; with rest=true every request |
| http_error | status, path, method, retry_after | answers requests with an error, and does nothing |
| http_html | status, path, method | answers requests with an HTML page, as a load balancer does, and does nothing |
| http_cut_json | path, method | carries requests out, and cuts the answer in the middle |
| http_drop | path, method, before | carries requests out (not with before=true) and closes the connection unanswered |
| http_delay | delay_ms, path, method | carries requests out, and answers late |
| rpc_error | call, code, retry_after | answers calls over the WebSocket with an error, and does nothing |
| rpc_cut_json | call | carries calls out, and cuts the answer in the middle |
| rpc_silence | call, before | carries calls out (not with before=true) and never answers |
| order_error | status | answers new orders with an error and accepts nothing |
| order_answer_lost | | accepts new orders, and closes the connection without an answer |
| order_delay | delay_ms | accepts new orders late |
| freeze_stream | channel | sends nothing on channels; what was due is lost |
| stream_delay | channel, delay_ms | sends messages late |
| stream_lose | channel | loses messages |
| stream_duplicate | channel | sends messages twice |
| stream_reorder | channel | swaps a message with the one that follows it |
| book_gap | market | loses an update of the book's deltas, so that a sequence number is missing |
| frame_cut | channel, bytes | sends only the first bytes of a message |
| frame_unknown | channel | sends a binary frame of an unknown template before the message |
| unknown_enum | channel, path, field, value | puts a value that no list knows into a field of messages and answers |
| expire_tokens *now* | account | all tokens issued so far are expired |
| revoke_tokens *now* | account | all tokens issued so far are void |
| revoke_subkey *now* | account, public_key | revokes a subkey, or all of the account |
| clock_shift | ms | the server's idea of the time is off |
| bust_trade *now* | account, fill_id | undoes a fill (the last one, if none is named) |

In binary frames `unknown_enum` writes 200 into the enumeration that `field` names, or into the first one of frames that
have no such field. `path`, `channel` and `call` (`order.create`) match by their beginning, "" is everything; `method`
is "" or an HTTP method; `account` "" is every account. Times are milliseconds of real time, except `duration_ms`.
Nothing here does I/O: whoever asks carries the fault out.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class FaultKind(StrEnum):
    """The faults that exist."""

    DROP_SOCKETS = "drop_sockets"
    REFUSE_CONNECTIONS = "refuse_connections"
    HTTP_ERROR = "http_error"
    HTTP_HTML = "http_html"
    HTTP_CUT_JSON = "http_cut_json"
    HTTP_DROP = "http_drop"
    HTTP_DELAY = "http_delay"
    RPC_ERROR = "rpc_error"
    RPC_CUT_JSON = "rpc_cut_json"
    RPC_SILENCE = "rpc_silence"
    ORDER_ERROR = "order_error"
    ORDER_ANSWER_LOST = "order_answer_lost"
    ORDER_DELAY = "order_delay"
    FREEZE_STREAM = "freeze_stream"
    STREAM_DELAY = "stream_delay"
    STREAM_LOSE = "stream_lose"
    STREAM_DUPLICATE = "stream_duplicate"
    STREAM_REORDER = "stream_reorder"
    BOOK_GAP = "book_gap"
    FRAME_CUT = "frame_cut"
    FRAME_UNKNOWN = "frame_unknown"
    UNKNOWN_ENUM = "unknown_enum"
    EXPIRE_TOKENS = "expire_tokens"
    REVOKE_TOKENS = "revoke_tokens"
    REVOKE_SUBKEY = "revoke_subkey"
    CLOCK_SHIFT = "clock_shift"
    BUST_TRADE = "bust_trade"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter with its default; numbers lie within `low` and `high`."""

    default: bool | int | str
    low: int = 0
    high: int = 0

    def check(self, name: str, value: object) -> None:
        """Raises ValueError if `value` is none for this parameter."""
        expected = type(self.default)
        if type(value) is not expected:
            raise ValueError(f"{name} must be of type {expected.__name__}")
        if type(value) is int and not self.low <= value <= self.high:
            raise ValueError(f"{name} must be from {self.low} to {self.high}")


@dataclass(frozen=True, slots=True)
class KindInfo:
    """What a kind does, in a trader's words, and what it takes. One that is `immediate` acts when armed."""

    description: str
    parameters: Mapping[str, Parameter]
    immediate: bool = False


_TEXT = Parameter("")
_STATUS = Parameter(503, 400, 599)
_DELAY = Parameter(1000, 1, 600_000)
_WHERE = {"path": _TEXT, "method": _TEXT}
_CHANNEL = {"channel": _TEXT}
_CALL = {"call": _TEXT}

KINDS: dict[FaultKind, KindInfo] = {
    FaultKind.DROP_SOCKETS: KindInfo(
        "Cuts every WebSocket without a goodbye, at once or after it was sent so many more messages.",
        {"after_messages": Parameter(0, 0, 1_000_000)},
        immediate=True,
    ),
    FaultKind.REFUSE_CONNECTIONS: KindInfo(
        "Cuts new WebSocket connections before the handshake; with rest also every REST request.",
        {"rest": Parameter(False)},
    ),
    FaultKind.HTTP_ERROR: KindInfo(
        "Answers requests with an HTTP error and does not carry them out.",
        {"status": _STATUS, **_WHERE, "retry_after": Parameter(0, 0, 86_400)},
    ),
    FaultKind.HTTP_HTML: KindInfo(
        "Answers requests with an HTML page, as a load balancer does, and does not carry them out.",
        {"status": Parameter(502, 200, 599), **_WHERE},
    ),
    FaultKind.HTTP_CUT_JSON: KindInfo("Carries requests out and cuts the JSON of the answer in the middle.", _WHERE),
    FaultKind.HTTP_DROP: KindInfo(
        "Carries requests out (not with before) and closes the connection without an answer.",
        {**_WHERE, "before": Parameter(False)},
    ),
    FaultKind.HTTP_DELAY: KindInfo("Carries requests out and answers late.", {"delay_ms": _DELAY, **_WHERE}),
    FaultKind.RPC_ERROR: KindInfo(
        "Answers calls over the WebSocket with an error and does not carry them out.",
        {**_CALL, "code": Parameter(-32603, -99_999, 99_999), "retry_after": Parameter(0, 0, 86_400)},
    ),
    FaultKind.RPC_CUT_JSON: KindInfo(
        "Carries calls over the WebSocket out and cuts the JSON of the answer in the middle.", _CALL
    ),
    FaultKind.RPC_SILENCE: KindInfo(
        "Carries calls over the WebSocket out (not with before) and never answers.",
        {**_CALL, "before": Parameter(False)},
    ),
    FaultKind.ORDER_ERROR: KindInfo(
        "Answers new orders, over REST and WebSocket, with an error and accepts none.", {"status": _STATUS}
    ),
    FaultKind.ORDER_ANSWER_LOST: KindInfo("Accepts new orders and closes the connection without an answer.", {}),
    FaultKind.ORDER_DELAY: KindInfo("Takes its time before it accepts new orders.", {"delay_ms": _DELAY}),
    FaultKind.FREEZE_STREAM: KindInfo("Sends nothing on these channels; what was due is lost.", _CHANNEL),
    FaultKind.STREAM_DELAY: KindInfo(
        "Sends the messages of these channels late, still in order.", {**_CHANNEL, "delay_ms": _DELAY}
    ),
    FaultKind.STREAM_LOSE: KindInfo("Loses messages of these channels.", _CHANNEL),
    FaultKind.STREAM_DUPLICATE: KindInfo("Sends messages of these channels twice.", _CHANNEL),
    FaultKind.STREAM_REORDER: KindInfo("Swaps a message of these channels with the one that follows it.", _CHANNEL),
    FaultKind.BOOK_GAP: KindInfo(
        "Loses an update of the order book's deltas, so that a sequence number is missing.", {"market": _TEXT}
    ),
    FaultKind.FRAME_CUT: KindInfo(
        "Sends only the first bytes of messages.", {**_CHANNEL, "bytes": Parameter(20, 0, 100_000)}
    ),
    FaultKind.FRAME_UNKNOWN: KindInfo("Sends a binary frame of an unknown template before the message.", _CHANNEL),
    FaultKind.UNKNOWN_ENUM: KindInfo(
        "Puts a value that no list knows into a field of JSON messages and answers, and into the same field of binary "
        "frames, or their first enumeration where they have no such field.",
        {**_CHANNEL, "path": _TEXT, "field": Parameter("status"), "value": Parameter("SANDBOX_UNKNOWN")},
    ),
    FaultKind.EXPIRE_TOKENS: KindInfo(
        "All tokens issued so far are expired, of one account or of all.", {"account": _TEXT}, immediate=True
    ),
    FaultKind.REVOKE_TOKENS: KindInfo(
        "All tokens issued so far are void, of one account or of all.", {"account": _TEXT}, immediate=True
    ),
    FaultKind.REVOKE_SUBKEY: KindInfo(
        "Revokes a subkey, or all subkeys of the account.", {"account": _TEXT, "public_key": _TEXT}, immediate=True
    ),
    FaultKind.CLOCK_SHIFT: KindInfo(
        "The server's idea of the time is off by so many milliseconds, ahead or behind.",
        {"ms": Parameter(60_000, -86_400_000, 86_400_000)},
    ),
    FaultKind.BUST_TRADE: KindInfo(
        "Undoes a fill of an account, the last one if none is named.",
        {"account": _TEXT, "fill_id": _TEXT},
        immediate=True,
    ),
}


@dataclass(slots=True)
class Fault:
    """An armed fault. `remaining` counts strikes and `until` is sandbox time in µs; None means without end."""

    id: str
    kind: FaultKind
    parameters: dict[str, Any]
    remaining: int | None
    until: int | None

    def __getitem__(self, name: str) -> Any:
        """A parameter's value, the default where it was not given."""
        return self.parameters.get(name, KINDS[self.kind].parameters[name].default)

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

    @property
    def armed(self) -> bool:
        """Whether there is any fault: saves asking for each kind, where it must be fast."""
        return bool(self._faults)

    def arm(self, description: Mapping[str, Any]) -> Fault:
        """Arms the fault that `description` names: `kind`, its parameters, `count`, `duration_ms`.

        Raises ValueError with a sentence that says what is wrong.
        """
        parameters = dict(description)
        try:
            kind = FaultKind(parameters.pop("kind", None))
        except ValueError:
            raise ValueError(f"kind must be one of {', '.join(FaultKind)}") from None
        info = KINDS[kind]
        remaining = _positive_int(parameters.pop("count", None), "count")
        duration = _positive_int(parameters.pop("duration_ms", None), "duration_ms")
        for name, value in parameters.items():
            if name not in info.parameters:
                raise ValueError(f"{kind} takes no parameter {name!r}")
            info.parameters[name].check(name, value)
        until = None if duration is None else self._now() + duration * 1000
        fault = Fault(str(next(self._ids)), kind, parameters, remaining, until)
        if not info.immediate:
            self._faults[fault.id] = fault
        return fault

    def strike(self, kind: FaultKind, applies: Callable[[Fault], bool] | None = None) -> Fault | None:
        """The armed fault of this kind that strikes here, or None. Uses up one of its strikes."""
        fault = self.find(kind, applies)
        if fault is not None and fault.remaining is not None:
            fault.remaining -= 1
            if fault.remaining == 0:
                del self._faults[fault.id]
        return fault

    def find(self, kind: FaultKind, applies: Callable[[Fault], bool] | None = None) -> Fault | None:
        """The armed fault of this kind that would strike here, or None. Uses nothing up."""
        if not self._faults:
            return None
        for fault in self.list():
            if fault.kind is kind and (applies is None or applies(fault)):
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


def describe_kinds() -> "list[dict[str, Any]]":
    """Every kind with its description, its parameters' types and defaults, and whether it acts when armed."""
    return [
        {
            "kind": kind.value,
            "description": info.description,
            "parameters": {name: type(item.default).__name__ for name, item in info.parameters.items()},
            "defaults": {name: item.default for name, item in info.parameters.items()},
            "immediate": info.immediate,
        }
        for kind, info in KINDS.items()
    ]


def _positive_int(value: object, name: str) -> int | None:
    if value is None:
        return None
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} must be a positive integer")
    return value
