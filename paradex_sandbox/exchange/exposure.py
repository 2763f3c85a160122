"""What an account's open orders in one market add up to, kept as they change: margin asks with every order."""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from paradex_sandbox.exchange.model import ZERO, Order, OrderStatus, Side


class Exposure(NamedTuple):
    """An order as margin sees it. `price` is None where the order cannot be worse than the mark."""

    side: Side
    size: Decimal
    price: Decimal | None


class _SideOrders:
    """One side: sizes and prices by order id, their total, and the best price where it is known."""

    __slots__ = ("best", "exposures", "side", "total")

    def __init__(self, side: Side) -> None:
        self.side = side
        self.total = ZERO
        self.exposures: dict[str, tuple[Decimal, Decimal]] = {}
        self.best: Decimal | None = None

    def remove(self, order_id: str) -> None:
        size, price = self.exposures.pop(order_id, (ZERO, None))
        self.total -= size
        if price == self.best:
            # To be looked for when it is asked for.
            self.best = None

    def add(self, order: Order) -> None:
        size, price = order.remaining_size, order.price
        if not self.exposures or (self.best is not None and (price - self.best) * self.side.sign > 0):
            self.best = price
        self.exposures[order.id] = (size, price)
        self.total += size

    def beyond(self, mark: Decimal) -> Iterator[Exposure]:
        if not self.exposures:
            return
        sign = self.side.sign
        if self.best is None:
            prices = (price for _, price in self.exposures.values())
            self.best = max(prices) if self.side is Side.BUY else min(prices)
        if (self.best - mark) * sign > 0:
            for size, price in self.exposures.values():
                if (price - mark) * sign > 0:
                    yield Exposure(self.side, size, price)


class OpenOrders:
    """The open orders of an account in a market that can add to a position; reduce-only ones are only counted."""

    __slots__ = ("_reduce_only", "_sides")

    def __init__(self) -> None:
        self._sides = {side: _SideOrders(side) for side in Side}
        self._reduce_only: set[str] = set()

    @property
    def has_reduce_only(self) -> bool:
        return bool(self._reduce_only)

    def size(self, side: Side) -> Decimal:
        """The sum of what remains of a side's orders."""
        return self._sides[side].total

    def note(self, order: Order) -> None:
        """Takes an order as it is now, whatever it was before."""
        side, is_open = self._sides[order.side], order.status is OrderStatus.OPEN
        side.remove(order.id)
        if not order.reduce_only:
            if is_open:
                side.add(order)
        elif is_open:
            self._reduce_only.add(order.id)
        else:
            self._reduce_only.discard(order.id)

    def beyond(self, mark: Decimal) -> Iterator[Exposure]:
        """The exposures whose price is worse than `mark`: buys above, sells below."""
        for side in self._sides.values():
            yield from side.beyond(mark)
