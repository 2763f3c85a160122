"""A recorded day instead of the synthetic traders."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal

from paradex_sandbox.exchange.crowd import CrowdQuote
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.model import ZERO, Market, Side
from paradex_sandbox.recording import BookRecord, MarkRecord, Record, TradeRecord, encode

POSITION_KEY = "replay"

_MARK_STEP = Decimal("1e-8")

type _Key = tuple[Side, Decimal]


@dataclass(slots=True)
class _Stage:
    """What the recording has in one market: its book as it was recorded, and what of that is quoted here.

    `market` is whose steps the quotes are rounded to, None before the first. `is_marked`: the recording brings mark
    prices of its own.
    """

    market: Market | None = None
    recorded: dict[_Key, Decimal] = field(default_factory=dict)
    quotes: dict[_Key, CrowdQuote] = field(default_factory=dict)
    is_marked: bool = False

    def record(self, book: BookRecord) -> dict[_Key, None]:
        """Takes in a record of the book; what it touched."""
        named = {
            (side, price): size
            for side, levels in ((Side.BUY, book.bids), (Side.SELL, book.asks))
            for price, size in levels
        }
        touched = dict.fromkeys((*self.recorded, *named) if book.is_snapshot else named)
        if book.is_snapshot:
            self.recorded.clear()
        for key, size in named.items():
            if size:
                self.recorded[key] = size
            else:
                self.recorded.pop(key, None)
        return touched


class Replay:
    """Plays recorded books and trades through the crowd, at the pace of the exchange's clock.

    The recording's first moment is that of the first `step`. Accounts' orders meet what was recorded like any
    other: they trade with recorded quotes that they cross, and with recorded takers, whom they may take from the
    recorded quotes; the next book record puts those back to what was recorded. A recorded level keeps its place in the
    queue when its size changes, for nobody recorded who stood where: an account's order waits at least as long.

    Prices and sizes that are no multiples of a market's steps are rounded (sizes down; levels that become one are added
    up); markets that the exchange does not trade, or not now, are left out. After the last record the book stands
    still.
    """

    def __init__(self, exchange: Exchange, records: Iterable[Record], position: str | None = None) -> None:
        """`records` in the order of time, as `recording.read` gives them; they are read as they are needed.

        `position`, the value that `position()` gave in an earlier run, goes on from there, with the first `step`: the
        books are as they were recorded then. One of another recording is ignored.
        """
        self._exchange = exchange
        self._records: Iterator[Record] = iter(records)
        self._next = next(self._records, None)
        self._first = json.dumps(encode(self._next)) if self._next is not None else ""
        self._offset: int | None = None
        self._reached: int | None = None
        self._stages: defaultdict[str, _Stage] = defaultdict(_Stage)
        self._moved: dict[str, None] = {}
        if position is not None:
            self._go_to(json.loads(position))

    def _go_to(self, position: Mapping[str, str | int]) -> None:
        if position["first"] != self._first:
            return
        self._reached = int(position["reached"])
        while self._next is not None and self._next.ts <= self._reached:
            stage = self._stages[self._next.market]
            if isinstance(self._next, BookRecord):
                stage.record(self._next)
            stage.is_marked |= isinstance(self._next, MarkRecord)
            self._next = next(self._records, None)

    @property
    def is_finished(self) -> bool:
        """Whether everything has been played."""
        return self._next is None

    def position(self) -> dict[str, str]:
        """How far it came, for a storage to keep with the events of the same time; {} before the first `step`."""
        if self._reached is None:
            return {}
        return {POSITION_KEY: json.dumps({"first": self._first, "reached": self._reached})}

    def step(self, now_us: int) -> None:
        """Plays what was recorded up to `now_us`; call it after `Exchange.advance(now_us)`.

        Runs the exchange's queue first, so that what was submitted before comes before.
        """
        self._exchange.process()
        traded = {market.symbol: market for market in self._exchange.crowd.markets()}
        if self._offset is None:
            start = self._reached if self._reached is not None else self._next.ts if self._next is not None else 0
            self._offset = now_us - start
        self._reached = now_us - self._offset
        for symbol, stage in self._stages.items():
            self._follow_the_rules(stage, traded.get(symbol))
        while self._next is not None and self._next.ts <= self._reached:
            stage, market = self._stages[self._next.market], traded.get(self._next.market)
            self._follow_the_rules(stage, market)
            self._play(stage, market, self._next)
            self._next = next(self._records, None)
        for symbol in self._moved:
            self._follow_the_middle(symbol)
        self._moved.clear()
        self._exchange.crowd.publish()

    def _follow_the_rules(self, stage: _Stage, market: Market | None) -> None:
        """Quotes the whole book anew where the market's steps have changed, or it is traded only now, or again."""
        if market is stage.market:
            return
        for quote in stage.quotes.values():
            self._exchange.crowd.withdraw(quote)
        stage.quotes.clear()
        stage.market = market
        if market is not None and stage.recorded:
            self._quote(stage, market, stage.recorded)

    def _play(self, stage: _Stage, market: Market | None, record: Record) -> None:
        match record:
            case BookRecord():
                touched = stage.record(record)
                if market is not None:
                    self._quote(stage, market, touched)
            case TradeRecord():
                if market is not None:
                    self._trade(market, record)
            case MarkRecord():
                stage.is_marked = True
                if market is not None and record.mark_price:
                    self._exchange.set_mark_price(record.market, record.mark_price)

    def _quote(self, stage: _Stage, market: Market, touched: Iterable[_Key]) -> None:
        """Brings the levels that `touched` ones fall on to what is recorded of them."""
        tick, step = market.price_tick_size, market.order_size_increment
        sizes = {(side, _rounded(price, tick)): ZERO for side, price in touched}
        for (side, price), size in stage.recorded.items():
            level = side, _rounded(price, tick)
            if level in sizes:
                sizes[level] += size
        wanted = {level: _floored(size, step) for level, size in sizes.items()}
        # What leaves goes first, so that the recorded book never meets itself on its way.
        for level, size in wanted.items():
            quote = stage.quotes.get(level)
            if quote is not None and size and quote.resting.remaining:
                self._exchange.crowd.resize(quote, size)
            elif quote is not None:
                self._exchange.crowd.withdraw(stage.quotes.pop(level))
        for (side, price), size in wanted.items():
            if size and price and (side, price) not in stage.quotes:
                placed = self._exchange.crowd.quote(market.symbol, side, price, size)
                if placed is not None:
                    stage.quotes[side, price] = placed
        self._moved[market.symbol] = None

    def _trade(self, market: Market, record: TradeRecord) -> None:
        price = _rounded(record.price, market.price_tick_size)
        size = _floored(record.size, market.order_size_increment)
        if price and size:
            self._exchange.crowd.take(market.symbol, record.side, price, size)

    def _follow_the_middle(self, symbol: str) -> None:
        bid, ask = (self._exchange.crowd.best(symbol, side) for side in Side)
        if not self._stages[symbol].is_marked and bid is not None and ask is not None:
            self._exchange.set_mark_price(symbol, ((bid + ask) / 2).quantize(_MARK_STEP))


def _rounded(price: Decimal, tick: Decimal) -> Decimal:
    return (price / tick).to_integral_value() * tick


def _floored(size: Decimal, step: Decimal) -> Decimal:
    return (size / step).to_integral_value(ROUND_FLOOR) * step
