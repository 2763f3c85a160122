"""An order book: price levels, each a queue in order of arrival, Retail orders before Pro orders.

RPI orders lie in sides of their own, which only Retail takers reach: the API book is without them, the interactive book
with them (docs: trading/rpi, trading/trader-profiles).
"""

from bisect import bisect_left, insort
from decimal import Decimal
from typing import TYPE_CHECKING

from paradex_sandbox.exchange.model import ZERO, Bbo, Order, OrderClass, Side

if TYPE_CHECKING:
    from paradex_sandbox.exchange.accounts import AccountState

#: A level that changed: side, price and new total size, 0 where it is gone.
type Change = tuple[Side, Decimal, Decimal]


class RestingOrder:
    """What lies in the book. `owner` and `order` are None for the other traders', who have no account."""

    __slots__ = ("is_retail", "is_rpi", "order", "owner", "price", "remaining", "side")

    def __init__(
        self,
        side: Side,
        price: Decimal,
        remaining: Decimal,
        owner: "AccountState | None",
        order: Order | None,
        is_rpi: bool = False,
    ) -> None:
        self.side = side
        self.price = price
        self.remaining = remaining
        self.owner = owner
        self.order = order
        self.is_rpi = is_rpi
        self.is_retail = order is not None and order.order_class is OrderClass.INTERACTIVE


class Level:
    """All orders at one price: those of `retail`, then those of `pro`, each first come first served."""

    __slots__ = ("price", "pro", "retail", "size")

    def __init__(self, price: Decimal) -> None:
        self.price = price
        self.size = ZERO
        # A dict keeps the order of insertion and forgets any member in O(1), which a deque cannot.
        self.retail: dict[RestingOrder, None] = {}
        self.pro: dict[RestingOrder, None] = {}

    def queue(self, resting: RestingOrder) -> dict[RestingOrder, None]:
        return self.retail if resting.is_retail else self.pro

    def first(self) -> RestingOrder:
        return next(iter(self.retail or self.pro))


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
        level.queue(resting)[resting] = None
        level.size += resting.remaining
        self._dirty.add(price)

    def remove(self, resting: RestingOrder) -> None:
        level = self._levels[resting.price]
        del level.queue(resting)[resting]
        self._shrink(level, resting.remaining)

    def reduce(self, resting: RestingOrder, size: Decimal) -> None:
        """Takes `size` off a resting order, and the order out of the book when nothing remains."""
        level = self._levels[resting.price]
        resting.remaining -= size
        if not resting.remaining:
            del level.queue(resting)[resting]
        self._shrink(level, size)

    def grow(self, resting: RestingOrder, size: Decimal) -> None:
        """Adds `size` to a resting order, which keeps its place."""
        resting.remaining += size
        level = self._levels[resting.price]
        level.size += size
        self._dirty.add(level.price)

    def _shrink(self, level: Level, size: Decimal) -> None:
        level.size -= size
        self._dirty.add(level.price)
        if not level.retail and not level.pro:
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
        return [resting for level in self._best_first() for resting in (*level.retail, *level.pro)]

    def moved(self) -> set[Decimal]:
        """Prices that may have changed since the last `take_changes`."""
        return self._dirty

    def published_size(self, price: Decimal) -> Decimal:
        """What the last `take_changes` left at `price`."""
        return self._published.get(price, ZERO)

    def take_changes(self) -> list[Change]:
        """Levels whose total size differs from what the last call left, best first; 0 where the level is gone."""
        changes: list[Change] = []
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
    """Both sides of a market, with and without RPI orders, and the sequence numbers of both published states."""

    __slots__ = ("asks", "bids", "interactive_seq", "last_updated_at", "rpi_asks", "rpi_bids", "seq")

    def __init__(self, seq: int = 0) -> None:
        self.bids = BookSide(Side.BUY)
        self.asks = BookSide(Side.SELL)
        self.rpi_bids = BookSide(Side.BUY)
        self.rpi_asks = BookSide(Side.SELL)
        self.seq = seq
        self.interactive_seq = seq
        self.last_updated_at = 0

    def side(self, side: Side) -> BookSide:
        return self.bids if side is Side.BUY else self.asks

    def rpi_side(self, side: Side) -> BookSide:
        return self.rpi_bids if side is Side.BUY else self.rpi_asks

    def home(self, resting: RestingOrder) -> BookSide:
        """Where a resting order lies or would lie."""
        return self.rpi_side(resting.side) if resting.is_rpi else self.side(resting.side)

    def best_for(self, taker: Side, *, with_rpi: bool) -> Level | None:
        """The level that a taker meets first; RPI orders come last at their price."""
        level = self.side(taker.opposite).best()
        if with_rpi:
            hidden = self.rpi_side(taker.opposite).best()
            if hidden is not None and (level is None or (hidden.price - level.price) * taker.sign < 0):
                return hidden
        return level

    def crosses(self, side: Side, price: Decimal) -> bool:
        """Whether an order at `price` would meet the other side of the API book."""
        if side is Side.BUY:
            best = self.asks.best()
            return best is not None and price >= best.price
        best = self.bids.best()
        return best is not None and price <= best.price

    def resting(self) -> list[RestingOrder]:
        """Everything that lies in the book."""
        return [resting for side in (self.bids, self.asks, self.rpi_bids, self.rpi_asks) for resting in side.resting()]

    def levels(self, side: Side, depth: int | None, *, interactive: bool) -> tuple[tuple[Decimal, Decimal], ...]:
        """(price, size) of a side, best first, RPI orders among them if `interactive`."""
        levels = self.side(side).levels(depth)
        hidden = self.rpi_side(side).levels(depth) if interactive else ()
        if not hidden:
            return levels
        merged: dict[Decimal, Decimal] = dict(levels)
        for price, size in hidden:
            merged[price] = merged.get(price, ZERO) + size
        return tuple(sorted(merged.items(), reverse=side is Side.BUY)[:depth])

    def bbo(self, market: str, *, interactive: bool = False) -> Bbo:
        """Best bid and offer of one of the two views."""
        bid = next(iter(self.levels(Side.BUY, 1, interactive=interactive)), (None, None))
        ask = next(iter(self.levels(Side.SELL, 1, interactive=interactive)), (None, None))
        seq = self.interactive_seq if interactive else self.seq
        return Bbo(market, seq, bid[0], bid[1], ask[0], ask[1], self.last_updated_at)

    def take_changes(self, now: int) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
        """What moved since the last call in the API book and in the interactive one.

        Moves each view's sequence number by one if anything in it did.
        """
        before = self._sums_of_moved_hidden_levels()
        api = (*self.bids.take_changes(), *self.asks.take_changes())
        hidden = (*self.rpi_bids.take_changes(), *self.rpi_asks.take_changes())
        interactive = self._interactive_changes(api, hidden, before) if hidden or self._has_hidden() else api
        if api:
            self.seq += 1
        if interactive:
            self.interactive_seq += 1
            self.last_updated_at = now
        return api, interactive

    def _has_hidden(self) -> bool:
        return self.rpi_bids.best() is not None or self.rpi_asks.best() is not None

    def _published_sum(self, side: Side, price: Decimal) -> Decimal:
        return self.side(side).published_size(price) + self.rpi_side(side).published_size(price)

    def _sums_of_moved_hidden_levels(self) -> dict[tuple[Side, Decimal], Decimal]:
        return {
            (side, price): self._published_sum(side, price) for side in Side for price in self.rpi_side(side).moved()
        }

    def _interactive_changes(
        self,
        api: tuple[Change, ...],
        hidden: tuple[Change, ...],
        before: dict[tuple[Side, Decimal], Decimal],
    ) -> tuple[Change, ...]:
        changes: list[Change] = []
        for side in Side:
            prices = {price for where, price, _ in (*api, *hidden) if where is side}
            for price in sorted(prices, reverse=side is Side.BUY):
                size = self._published_sum(side, price)
                # One view's loss may be the other's gain.
                if before.get((side, price)) != size:
                    changes.append((side, price, size))
        return tuple(changes)
