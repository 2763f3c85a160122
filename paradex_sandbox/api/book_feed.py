"""The order book channels: what the top of a book was, is, and how one becomes the other.

A delta feed sends one message per change of the book, so that its sequence numbers have no gap, but holds the messages
back until its refresh time: changes that fall between two refreshes leave together, in order. A snapshot feed sends the
newest state at its refresh time and skips numbers.
"""

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from paradex_sandbox.api import sbe
from paradex_sandbox.api.channels import Channel
from paradex_sandbox.exchange.model import ZERO, BookView, Side

Changes = Iterable[tuple[Side, Decimal, Decimal]]
Levels = dict[Decimal, Decimal]


class MirrorBook:
    """All levels of a market's book, kept up to date from its changes."""

    def __init__(self, view: BookView):
        """Starts as `view`, which must hold every level."""
        self.market = view.market
        self.seq = view.seq
        self._sides: dict[Side, Levels] = {Side.BUY: dict(view.bids), Side.SELL: dict(view.asks)}

    def apply(self, seq: int, changes: Changes) -> None:
        """Moves the book to `seq`; a level of size 0 is gone."""
        self.seq = seq
        for side, price, size in changes:
            if size:
                self._sides[side][price] = size
            else:
                self._sides[side].pop(price, None)

    def top(self, side: Side, depth: int, price_tick: Decimal | None = None) -> Levels:
        """The best `depth` levels of a side, best first, after grouping by `price_tick`.

        Grouped bids go down to a multiple of the tick, asks up, so that the grouped book does not look better.
        """
        levels = self._sides[side]
        if price_tick is not None:
            levels = group_levels(levels.items(), side, price_tick)
        best = sorted(levels, reverse=side is Side.BUY)[:depth]
        return {price: levels[price] for price in best}

    def best(self, side: Side) -> sbe.Level | None:
        """Price and size of the best level, ungrouped."""
        levels = self._sides[side]
        if not levels:
            return None
        price = max(levels) if side is Side.BUY else min(levels)
        return price, levels[price]


def group_levels(levels: Iterable[tuple[Decimal, Decimal]], side: Side, price_tick: Decimal) -> Levels:
    """Sizes added up by price step: bids rounded down, asks up. The order of `levels` is kept."""
    rounding = ROUND_FLOOR if side is Side.BUY else ROUND_CEILING
    grouped: Levels = {}
    for price, size in levels:
        step = (price / price_tick).to_integral_value(rounding=rounding) * price_tick
        grouped[step] = grouped.get(step, ZERO) + size
    return grouped


class BookFeed:
    """One order book channel and all who listen to it."""

    def __init__(self, channel: Channel, book: MirrorBook, api_book: MirrorBook | None = None):
        """`book` is what the channel shows, `api_book` the one without RPI orders where that is another."""
        self.channel = channel
        self._is_delta = channel.feed == "deltas"
        self._book = book
        self._api_book = api_book or book
        self._current = self._state()
        self._published = self._current
        self._pending: list[_State] = []

    def on_change(self) -> None:
        """To be called after each change of the book."""
        if self._is_delta:
            state, before = self._state(), self._current
            changed = state._replace(
                bids=_difference(before.bids, state.bids), asks=_difference(before.asks, state.asks)
            )
            self._pending.append(changed)
            self._current = state

    def flush(self, versions: Iterable[int], ts: int) -> list[dict[int, bytes]]:
        """What is due now, in order, each message encoded for each of `versions`; `ts` is the time of publication."""
        due: list[_State] = []
        if self._is_delta:
            due, self._pending = self._pending, []
        elif self._book.seq != self._published.seq:
            self._current = self._state()
            due = [self._current]
        self._published = self._current
        versions = list(versions)
        return [{version: self._encode(version, ts, state, self._is_delta) for version in versions} for state in due]

    def snapshot(self, version: int, ts: int) -> bytes:
        """The first message for a new listener: the state on which the next flush builds."""
        return self._encode(version, ts, self._published, False)

    def _state(self) -> "_State":
        depth, tick = self.channel.depth, self.channel.price_tick
        return _State(
            self._book.seq,
            self._book.top(Side.BUY, depth, tick),
            self._book.top(Side.SELL, depth, tick),
            (self._book.best(Side.BUY), self._book.best(Side.SELL)),
            (self._api_book.best(Side.BUY), self._api_book.best(Side.SELL)),
        )

    def _encode(self, version: int, ts: int, state: "_State", is_delta: bool) -> bytes:
        return sbe.book(
            version,
            ts=ts,
            seq=state.seq,
            is_delta=is_delta,
            bids=state.bids.items(),
            asks=state.asks.items(),
            market=self._book.market,
            best_interactive=state.best if self.channel.is_interactive else None,
            best_api=state.best_api,
        )


class _State(NamedTuple):
    """The top of the book at `seq`, or what changed in it; `best` are the ungrouped best bid and ask."""

    seq: int
    bids: Levels
    asks: Levels
    best: tuple[sbe.Level | None, sbe.Level | None]
    best_api: tuple[sbe.Level | None, sbe.Level | None]


def _difference(before: Levels, after: Levels) -> Levels:
    return {price: after.get(price, ZERO) for price in {**before, **after} if before.get(price) != after.get(price)}
