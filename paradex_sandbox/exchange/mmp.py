"""Market-maker protection: a window over the fills of MMP-flagged orders, and a freeze when it overflows.

Paradex's OpenAPI file lacks the `/account/mmp` routes; shapes, bounds and semantics are those of paradex-py 0.8.2
(`api_client.set_mmp_config`, `reset_mmp`, `models.MmpConfig`, `MmpCancelReason`).
"""

from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.model import ZERO
from paradex_sandbox.exchange.numbers import is_multiple

MIN_INTERVAL_MS, MAX_INTERVAL_MS = 100, 3_600_000
MAX_FROZEN_TIME_MS = 3_600_000
LIMIT_INCREMENT = Decimal("0.0001")
_MAX_LIMIT = Decimal(10) ** 10
#: A reset earlier than this after the trip is refused, so that the cancel sweep can catch up.
MIN_FREEZE_US = 1_000_000
_MS = 1000


class MmpEventKind(StrEnum):
    TRIGGERED = "TRIGGERED"
    UNFROZEN = "UNFROZEN"
    RESET = "RESET"
    CONFIG_UPDATED = "CONFIG_UPDATED"


class MmpTripReason(StrEnum):
    SIZE = "SIZE"
    DELTA = "DELTA"
    VEGA = "VEGA"


@dataclass(frozen=True, slots=True)
class MmpConfig:
    """Of one base asset. Limits are in base currency, 0 switches one off; `frozen_time_ms` 0 freezes until a reset.

    `vega_limit` is kept and shown but never trips: the sandbox trades no options. `updated_at` is microseconds.
    """

    base_asset: str
    interval_ms: int
    frozen_time_ms: int
    size_limit: Decimal
    delta_limit: Decimal
    vega_limit: Decimal
    protect_block_trades: bool
    updated_at: int

    def check(self) -> None:
        """Raises VALIDATION_ERROR for what the exchange refuses."""
        if not MIN_INTERVAL_MS <= self.interval_ms <= MAX_INTERVAL_MS:
            raise _invalid(f"interval_ms must be between {MIN_INTERVAL_MS} and {MAX_INTERVAL_MS}")
        if not 0 <= self.frozen_time_ms <= MAX_FROZEN_TIME_MS:
            raise _invalid(f"frozen_time_ms must be between 0 and {MAX_FROZEN_TIME_MS}")
        for name in ("size_limit", "delta_limit", "vega_limit"):
            limit = getattr(self, name)
            if not limit.is_finite() or not 0 <= limit < _MAX_LIMIT or not is_multiple(limit, LIMIT_INCREMENT):
                raise _invalid(f"{name} must be zero or more and a multiple of {LIMIT_INCREMENT}")
        if not self.size_limit and not self.delta_limit:
            raise _invalid(f"size_limit or delta_limit must be above zero: {self.base_asset} has no dated options here")


@dataclass(frozen=True, slots=True)
class MmpState:
    """A config with its live state. `frozen_until` is 0 when nothing is frozen, and while frozen until a reset."""

    config: MmpConfig
    is_frozen: bool
    frozen_until: int
    window_size: Decimal
    window_delta: Decimal
    window_vega: Decimal


@dataclass(frozen=True, slots=True)
class MmpFill:
    """A fill in the window; `size` is signed, positive where the account bought."""

    at: int
    size: Decimal


class MmpGuard:
    """The protection of one account in one base asset."""

    def __init__(self, config: MmpConfig) -> None:
        self.config = config
        self.is_frozen = False
        self.frozen_at = 0
        self.frozen_until = 0
        self.fills: deque[MmpFill] = deque()
        self._size = ZERO
        self._delta = ZERO

    def add(self, now: int, signed_size: Decimal) -> MmpTripReason | None:
        """Counts a fill and returns the limit that it overran; None while frozen already."""
        self.forget(now)
        self._push(MmpFill(now, signed_size))
        if self.is_frozen:
            return None
        if self.config.size_limit and self._size > self.config.size_limit:
            return MmpTripReason.SIZE
        if self.config.delta_limit and abs(self._delta) > self.config.delta_limit:
            return MmpTripReason.DELTA
        return None

    def freeze(self, now: int) -> None:
        self.is_frozen, self.frozen_at = True, now
        self.frozen_until = now + self.config.frozen_time_ms * _MS if self.config.frozen_time_ms else 0

    def is_over(self, now: int) -> bool:
        """Whether the freeze has run out by itself."""
        return self.is_frozen and 0 < self.frozen_until <= now

    def clear(self) -> None:
        """Lifts the freeze and empties the window."""
        self.is_frozen = False
        self.frozen_at = self.frozen_until = 0
        self.fills.clear()
        self._size = self._delta = ZERO

    def forget(self, now: int) -> None:
        """Drops what has left the window."""
        horizon = now - self.config.interval_ms * _MS
        while self.fills and self.fills[0].at <= horizon:
            fill = self.fills.popleft()
            self._size -= abs(fill.size)
            self._delta -= fill.size

    def state(self, now: int) -> MmpState:
        self.forget(now)
        return MmpState(self.config, self.is_frozen, self.frozen_until, self._size, self._delta, ZERO)

    def _push(self, fill: MmpFill) -> None:
        self.fills.append(fill)
        self._size += abs(fill.size)
        self._delta += fill.size

    def record(self) -> "MmpRecord":
        return MmpRecord(self.config, self.is_frozen, self.frozen_at, self.frozen_until, tuple(self.fills))

    @classmethod
    def restored(cls, record: "MmpRecord") -> "MmpGuard":
        guard = cls(record.config)
        guard.is_frozen, guard.frozen_at, guard.frozen_until = record.is_frozen, record.frozen_at, record.frozen_until
        for fill in record.fills:
            guard._push(fill)
        return guard


@dataclass(frozen=True, slots=True)
class MmpRecord:
    """What a storage keeps of a guard."""

    config: MmpConfig
    is_frozen: bool
    frozen_at: int
    frozen_until: int
    fills: tuple[MmpFill, ...]


def _invalid(message: str) -> ExchangeError:
    return ExchangeError("VALIDATION_ERROR", message)
