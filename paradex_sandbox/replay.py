"""A recorded day instead of the synthetic traders."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal

from paradex_sandbox.exchange.crowd import CrowdQuote
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.model import ZERO, Market, Side
from paradex_sandbox.recording import BookRecord, MarkRecord, Record, TradeRecord

_MARK_STEP = Decimal("1e-8")


@dataclass(slots=True)
class _Stage:
    """What the recording has in one market. `is_marked`: it brings mark prices of its own."""

    market: Market
    quotes: dict[tuple[Side, Decimal], CrowdQuote] = field(default_factory=dict)
    is_marked: bool = False


class Replay:
    """Plays recorded books and trades through the crowd, at the pace of the exchange's clock.

    The recording's first moment is that of the first `step`. Accounts' orders meet what was recorded like any
    other: they trade with recorded quotes that they cross, and with recorded takers, whom they may take from the
    recorded quotes; the next book record puts those back to what was recorded. A recorded level keeps its place in the
    queue when its size changes, for nobody recorded who stood where: an account's order waits at least as long.

    Prices and sizes that are no multiples of a market's steps are rounded (sizes down), markets that the exchange does
    not trade are left out. After the last record the book stands still. A restart begins anew: how far a replay came
    is not stored.
    """

    def __init__(self, exchange: Exchange, records: Iterable[Record]) -> None:
        """`records` in the order of time, as `recording.read` gives them; they are read as they are needed."""
        self._exchange = exchange
        self._records: Iterator[Record] = iter(records)
        self._next = next(self._records, None)
        self._offset: int | None = None
        self._stages = {market.symbol: _Stage(market) for market in exchange.crowd.markets()}
        self._moved: dict[str, None] = {}

    @property
    def is_finished(self) -> bool:
        """Whether everything has been played."""
        return self._next is None

    def step(self, now_us: int) -> None:
        """Plays what was recorded up to `now_us`; call it after `Exchange.advance(now_us)`.

        Runs the exchange's queue first, so that what was submitted before comes before.
        """
        self._exchange.process()
        if self._offset is None and self._next is not None:
            self._offset = now_us - self._next.ts
        while self._next is not None and self._offset is not None and self._next.ts + self._offset <= now_us:
            stage = self._stages.get(self._next.market)
            if stage is not None:
                self._play(stage, self._next)
            self._next = next(self._records, None)
        for symbol in self._moved:
            self._follow_the_middle(self._stages[symbol])
        self._moved.clear()
        self._exchange.crowd.publish()

    def _play(self, stage: _Stage, record: Record) -> None:
        match record:
            case BookRecord():
                self._set_book(stage, record)
            case TradeRecord():
                self._trade(stage, record)
            case MarkRecord():
                stage.is_marked = True
                if record.mark_price:
                    self._exchange.set_mark_price(record.market, record.mark_price)

    def _set_book(self, stage: _Stage, record: BookRecord) -> None:
        wanted = {
            (side, _rounded(price, stage.market.price_tick_size)): _floored(size, stage.market.order_size_increment)
            for side, levels in ((Side.BUY, record.bids), (Side.SELL, record.asks))
            for price, size in levels
        }
        if record.is_snapshot:
            wanted = {**dict.fromkeys(stage.quotes, ZERO), **wanted}
        # What leaves goes first, so that the recorded book never meets itself on its way.
        for key, size in wanted.items():
            quote = stage.quotes.get(key)
            if quote is not None and size and quote.resting.remaining:
                self._exchange.crowd.resize(quote, size)
            elif quote is not None:
                self._exchange.crowd.withdraw(stage.quotes.pop(key))
        for (side, price), size in wanted.items():
            if size and price and (side, price) not in stage.quotes:
                placed = self._exchange.crowd.quote(record.market, side, price, size)
                if placed is not None:
                    stage.quotes[side, price] = placed
        self._moved[record.market] = None

    def _trade(self, stage: _Stage, record: TradeRecord) -> None:
        price = _rounded(record.price, stage.market.price_tick_size)
        size = _floored(record.size, stage.market.order_size_increment)
        if price and size:
            self._exchange.crowd.take(record.market, record.side, price, size)

    def _follow_the_middle(self, stage: _Stage) -> None:
        symbol = stage.market.symbol
        bid, ask = (self._exchange.crowd.best(symbol, side) for side in Side)
        if not stage.is_marked and bid is not None and ask is not None:
            self._exchange.set_mark_price(symbol, ((bid + ask) / 2).quantize(_MARK_STEP))


def _rounded(price: Decimal, tick: Decimal) -> Decimal:
    return (price / tick).to_integral_value() * tick


def _floored(size: Decimal, step: Decimal) -> Decimal:
    return (size / step).to_integral_value(ROUND_FLOOR) * step
