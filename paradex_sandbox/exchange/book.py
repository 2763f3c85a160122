"""An order book: price levels, each a queue in order of arrival."""

from bisect import bisect_left, insort
from decimal import Decimal
from typing import TYPE_CHECKING

from paradex_sandbox.exchange.model import ZERO, Order, Side

if TYPE_CHECKING:
    from paradex_sandbox.exchange.accounts import AccountState


class RestingOrder:
    """What lies in the book. `owner` and `order` are None for the other traders', who have no account."""

    __slots__ = ("order", "owner", "price", "remaining", "side")

    def __init__(
        self, side: Side, price: Decimal, remaining: Decimal, owner: "AccountState | None", order: Order | None
    ) -> None:
        self.side = side
        self.price = price
        self.remaining = remaining
        self.owner = owner
        self.order = order


class Level:
    """All orders at one price; `orders` is the queue, first come first served."""

    __slots__ = ("orders", "price", "size")

    def __init__(self, price: Decimal) -> None:
        self.price = price
        self.size = ZERO
        # A dict keeps the order of insertion and forgets any member in O(1), which a deque cannot.
        self.orders: dict[RestingOrder, None] = {}

    def first(self) -> RestingOrder:
        return next(iter(self.orders))


class BookSide:
    """The levels of one side, and which of them moved since the last `take_changes`."""

    __slots__ = ("_best_index", "_dirty", "_levels", "_prices", "_published", "side")

    def __init__(self, side: Side) -> None:
        self.side = side
        self._levels: dict[Decimal, Level] = {}
        # Ascending. A list beats any tree at the few hundred levels that a book has.
        self._prices: list[Decimal] = []
        self._best_index = -1 if side is Side.BUY else 0
        self._dirty: set[Decimal] = set()
        self._published: dict[Decimal, Decimal] = {}

    def best(self) -> Level | None:
        return self._levels[self._prices[self._best_index]] if self._prices else None

    def add(self, resting: RestingOrder) -> None:
        price = resting.price
        level = self._levels.get(price)
        if level is None:
            level = self._levels[price] = Level(price)
            insort(self._prices, price)
        level.orders[resting] = None
        level.size += resting.remaining
        self._dirty.add(price)

    def remove(self, resting: RestingOrder) -> None:
        level = self._levels[resting.price]
        del level.orders[resting]
        self._shrink(level, resting.remaining)

    def reduce(self, resting: RestingOrder, size: Decimal) -> None:
        """Takes `size` off a resting order, and the order out of the book when nothing remains."""
        level = self._levels[resting.price]
        resting.remaining -= size
        if not resting.remaining:
            del level.orders[resting]
        self._shrink(level, size)

    def _shrink(self, level: Level, size: Decimal) -> None:
        level.size -= size
        self._dirty.add(level.price)
        if not level.orders:
            del self._levels[level.price]
            del self._prices[bisect_left(self._prices, level.price)]

    def _best_first(self, depth: int | None = None) -> list[Level]:
        count = len(self._prices) if depth is None else min(depth, len(self._prices))
        prices = self._prices[len(self._prices) - count :][::-1] if self.side is Side.BUY else self._prices[:count]
        return [self._levels[price] for price in prices]

    def levels(self, depth: int | None) -> tuple[tuple[Decimal, Decimal], ...]:
        """(price, size), best first."""
        return tuple((level.price, level.size) for level in self._best_first(depth))

    def resting(self) -> list[RestingOrder]:
        """All orders, best price first, in the order they would be filled."""
        return [resting for level in self._best_first() for resting in level.orders]

    def take_changes(self) -> list[tuple[Side, Decimal, Decimal]]:
        """Levels whose total size differs from what the last call left, best first; 0 where the level is gone."""
        changes = []
        for price in sorted(self._dirty, reverse=self.side is Side.BUY):
            level = self._levels.get(price)
            size = level.size if level is not None else ZERO
            if self._published.get(price, ZERO) != size:
                changes.append((self.side, price, size))
                if size:
                    self._published[price] = size
                else:
                    del self._published[price]
        self._dirty.clear()
        return changes


class OrderBook:
    """Both sides of a market and the sequence number of their published state."""

    __slots__ = ("asks", "bids", "last_updated_at", "seq")

    def __init__(self, seq: int = 0) -> None:
        self.bids = BookSide(Side.BUY)
        self.asks = BookSide(Side.SELL)
        self.seq = seq
        self.last_updated_at = 0

    def side(self, side: Side) -> BookSide:
        return self.bids if side is Side.BUY else self.asks

    def crosses(self, side: Side, price: Decimal) -> bool:
        """Whether an order at `price` would meet the other side."""
        if side is Side.BUY:
            best = self.asks.best()
            return best is not None and price >= best.price
        best = self.bids.best()
        return best is not None and price <= best.price

    def take_changes(self, now: int) -> tuple[tuple[Side, Decimal, Decimal], ...]:
        """What moved since the last call; moves `seq` by one if anything did."""
        changes = (*self.bids.take_changes(), *self.asks.take_changes())
        if changes:
            self.seq += 1
            self.last_updated_at = now
        return changes
