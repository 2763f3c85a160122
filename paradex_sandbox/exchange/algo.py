"""Algo orders: a TWAP breaks a size into MARKET orders, one every 30 seconds (`/algo/orders`)."""

from dataclasses import dataclass, replace
from decimal import Decimal

from paradex_sandbox.exchange.model import ZERO, OrderClass, OrderStatus, Side
from paradex_sandbox.exchange.numbers import EXACT, q8

#: Seconds between two slices unless the request says otherwise, and what durations are multiples of.
DEFAULT_FREQUENCY = 30
MIN_DURATION, MAX_DURATION = 30, 86_400
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class AlgoRequest:
    """A new TWAP, its signature already verified. `duration_seconds` is 30 to 86 400, a multiple of 30."""

    market: str
    side: Side
    size: Decimal
    duration_seconds: int
    frequency: int = DEFAULT_FREQUENCY
    recv_window: int | None = None
    signature: str = ""
    signature_timestamp: int = 0
    order_class: OrderClass = OrderClass.PRO
    received_at: int | None = None


@dataclass(slots=True)
class AlgoOrder:
    """A TWAP and its life so far; times are microseconds. Its slices are orders with its id as `Order.algo_id`."""

    id: str
    account: str
    market: str
    side: Side
    size: Decimal
    remaining_size: Decimal
    status: OrderStatus
    duration_seconds: int
    frequency: int
    avg_fill_price: Decimal | None
    cancel_reason: str
    created_at: int
    end_at: int
    last_updated_at: int
    signature: str
    timestamp: int
    order_class: OrderClass
    #: How many slices were due so far.
    slices_done: int = 0
    filled_notional: Decimal = ZERO
    algo_type: str = "TWAP"

    @property
    def is_live(self) -> bool:
        return self.status is not OrderStatus.CLOSED

    @property
    def slices(self) -> int:
        return max(1, self.duration_seconds // self.frequency)

    @property
    def next_slice_at(self) -> int:
        return self.created_at + self.slices_done * self.frequency * _SECOND

    def next_size(self, increment: Decimal) -> Decimal:
        """The size of the slice that is due: what is missing to an even pace, in whole steps; the last takes all.

        What an earlier slice could not fill is made up for by the next.
        """
        if self.slices_done + 1 >= self.slices:
            return self.remaining_size
        target = EXACT.divide(EXACT.multiply(self.size, Decimal(self.slices_done + 1)), Decimal(self.slices))
        due = target - (self.size - self.remaining_size)
        return max(ZERO, due // increment * increment)

    def book(self, size: Decimal, notional: Decimal) -> None:
        """Counts what a slice has filled."""
        self.remaining_size -= size
        self.filled_notional += notional
        filled = self.size - self.remaining_size
        self.avg_fill_price = q8(self.filled_notional / filled) if filled else None

    def snapshot(self) -> "AlgoOrder":
        """A copy that later changes do not touch."""
        return replace(self)
