"""Bars of a market, minute by minute (`GET /markets/klines`)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from itertools import chain

from paradex_sandbox.exchange.model import ZERO
from paradex_sandbox.exchange.packed import PackedHistory

MINUTE = 60_000_000
#: A week of minutes with trades, a day of the prices that move all the time.
CANDLE_HISTORY = 10_080
PRICE_HISTORY = 1440
#: Minutes that one bar may span.
RESOLUTIONS = (1, 3, 5, 15, 30, 60)


class PriceKind(StrEnum):
    LAST = "last"
    MARK = "mark"
    UNDERLYING = "underlying"


@dataclass(slots=True)
class Bar:
    """`start` in microseconds, `volume` in base currency (0 where prices are not trades)."""

    start: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


def _pack(bar: Bar) -> str:
    return f"{bar.start} {bar.open} {bar.high} {bar.low} {bar.close} {bar.volume}"


def _unpack(text: str) -> Bar:
    start, *values = text.split()
    return Bar(int(start), *map(Decimal, values))


class Candles:
    """The minutes of one price; a minute in which nothing happened has no bar."""

    def __init__(self, length: int = CANDLE_HISTORY) -> None:
        # The current minute changes, the others never do.
        self._past = PackedHistory(length - 1, _pack, _unpack)
        self._current: Bar | None = None

    def add(self, now: int, price: Decimal, size: Decimal = ZERO) -> None:
        start = now - now % MINUTE
        bar = self._current
        if bar is None or bar.start != start:
            if bar is not None:
                self._past.append(bar)
            self._current = Bar(start, price, price, price, price, size)
            return
        if price > bar.high:
            bar.high = price
        elif price < bar.low:
            bar.low = price
        bar.close = price
        bar.volume += size

    def __len__(self) -> int:
        """How many minutes there are."""
        return len(self._past) + (self._current is not None)

    def bars(self, resolution_minutes: int, start_at: int, end_at: int) -> list[Bar]:
        """Bars that start within `start_at` and `end_at` (both included), oldest first."""
        width = resolution_minutes * MINUTE
        bars: list[Bar] = []
        for minute in self.since(start_at):
            start = minute.start - minute.start % width
            if not start_at <= start <= end_at:
                continue
            if bars and bars[-1].start == start:
                bar = bars[-1]
                bar.high, bar.low = max(bar.high, minute.high), min(bar.low, minute.low)
                bar.close = minute.close
                bar.volume += minute.volume
            else:
                bars.append(replace(minute, start=start))
        return bars

    def since(self, start: int) -> list[Bar]:
        """Copies of the minutes from the one that starts at `start`, oldest first."""
        picked = []
        for bar in self._newest_first():
            if bar.start < start:
                break
            picked.append(bar)
        return picked[::-1]

    def _newest_first(self) -> Iterator[Bar]:
        current = () if self._current is None else (replace(self._current),)
        return chain(current, reversed(self._past))

    def restore(self, minutes: Iterable[Bar]) -> None:
        """Goes on after these, oldest first."""
        past = [replace(bar) for bar in minutes]
        self._current = past.pop() if past else None
        self._past.extend(past)


class MarketCandles:
    """The bars of a market by price kind."""

    def __init__(self) -> None:
        self._last, self._mark, self._underlying = Candles(), Candles(PRICE_HISTORY), Candles(PRICE_HISTORY)
        self.kinds: dict[PriceKind, Candles] = {
            PriceKind.LAST: self._last,
            PriceKind.MARK: self._mark,
            PriceKind.UNDERLYING: self._underlying,
        }

    def trade(self, now: int, price: Decimal, size: Decimal) -> None:
        self._last.add(now, price, size)

    def marks(self, now: int, mark_price: Decimal, spot_price: Decimal) -> None:
        self._mark.add(now, mark_price)
        self._underlying.add(now, spot_price)
