"""The sandbox's own command, in a process that tells how much memory it uses.

    python -m benchmarks._measured_sandbox [--trace] [--week-old] serve …

On SIGUSR1 it collects garbage, gives free memory back to the system (so that neither garbage nor what the allocator
keeps in reserve counts) and prints one JSON object: `rss`, the resident bytes; `blocks`, how many blocks of memory
Python's objects occupy; `filled`, how full the least full history of each kind is, of its bound; and with --trace
`traced`, the bytes that Python's objects occupy (tracemalloc: everything is about three times slower, and `rss`
includes its books).

With --week-old the exchange starts with what a week of minutes leaves behind: candles, funding data and volumes, made
up but of the form and the number of real ones. Trades, orders, fills and payments are left to whoever trades.
"""

import ctypes
import gc
import json
import random
import signal
import sys
import tracemalloc
from collections.abc import Iterable, Sequence
from contextlib import suppress
from decimal import Decimal

import psutil

from paradex_sandbox.cli import main
from paradex_sandbox.exchange import exchange as exchange_module
from paradex_sandbox.exchange.accounts import HISTORY_LENGTH
from paradex_sandbox.exchange.candles import CANDLE_HISTORY, MINUTE, PRICE_HISTORY, Bar, PriceKind
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.funding import FUNDING_HISTORY
from paradex_sandbox.exchange.model import FundingData, Market
from paradex_sandbox.exchange.records import MarketHistory
from paradex_sandbox.exchange.state import TRADE_HISTORY
from paradex_sandbox.exchange.stats import WINDOW_MINUTES, MinuteBucket


class MeasuredExchange(Exchange):
    """An exchange that knows how full its histories are."""

    #: The one of this process; `serve` makes it.
    instance: "MeasuredExchange"
    starts_old = False

    def __init__(self, markets: Sequence[Market], seed: int, now_us: int = 0) -> None:
        super().__init__(markets, seed, now_us)
        MeasuredExchange.instance = self
        if self.starts_old:
            record = self.records.whole()
            for market in markets:
                record.histories[market.symbol] = week(market, record.markets[market.symbol].mark_price, now_us)
            self.records.restore(record)

    def filled(self) -> dict[str, float]:
        """The least full history of each kind, as a fraction of its bound; of accounts that have traded."""
        markets = self._state.markets.values()
        traded = [market for market in markets if market.market.is_tradable]
        candles = [market.candles.kinds for market in traded]
        funding = [market.funding.history for market in traded if market.funding is not None]
        accounts = [account for account in self._state.accounts.values() if account.orders]
        return {
            "trades": least((len(market.trades) for market in traded), TRADE_HISTORY),
            "candles": least((len(kinds[PriceKind.LAST]) for kinds in candles), CANDLE_HISTORY),
            "mark candles": least((len(kinds[PriceKind.MARK]) for kinds in candles), PRICE_HISTORY),
            "spot candles": least((len(kinds[PriceKind.UNDERLYING]) for kinds in candles), PRICE_HISTORY),
            "volumes": least((len(market.stats.buckets) for market in traded), WINDOW_MINUTES),
            "funding data": least(map(len, funding), FUNDING_HISTORY),
            "orders": least((len(account.orders) for account in accounts), HISTORY_LENGTH),
            "fills": least((len(account.fills) for account in accounts), HISTORY_LENGTH),
            "funding payments": least((len(account.funding_payments) for account in accounts), HISTORY_LENGTH),
        }


def least(lengths: Iterable[int], bound: int) -> float:
    """The smallest length as a fraction of the bound; 0 if there is none."""
    return min(lengths, default=0) / bound


def week(market: Market, mark: Decimal, now: int) -> MarketHistory:
    """What a market has after a week in which its price stayed within a percent of `mark`."""
    draw = random.Random(market.symbol)
    this_minute = now - now % MINUTE

    def starts(count: int) -> Iterable[int]:
        return range(this_minute - count * MINUTE, this_minute, MINUTE)

    def near(price: Decimal, step: Decimal) -> Decimal:
        steps = int(price / step)
        return draw.randint(steps - steps // 100, steps + steps // 100) * step

    def bar(start: int, step: Decimal, volume: Decimal) -> Bar:
        return Bar(start, near(mark, step), near(mark, step), near(mark, step), near(mark, step), volume)

    unrounded = Decimal("1e-8")
    history = MarketHistory(
        candles={
            kind: [bar(start, unrounded, Decimal(0)) for start in starts(PRICE_HISTORY)]
            for kind in (PriceKind.MARK, PriceKind.UNDERLYING)
        }
    )
    if market.is_tradable:
        tick, size = market.price_tick_size, market.order_size_increment
        notional = Decimal(100_000)
        history.candles[PriceKind.LAST] = [
            bar(start, tick, near(notional / mark, size)) for start in starts(CANDLE_HISTORY)
        ]
        history.minutes = [
            MinuteBucket(start, near(notional, tick * size), near(mark, tick)) for start in starts(WINDOW_MINUTES)
        ]
        rate = Decimal("1e-12")
        history.funding = [
            FundingData(
                market=market.symbol,
                funding_rate=near(market.interest_rate, rate),
                funding_rate_8h=near(market.interest_rate, rate),
                funding_index=near(market.interest_rate * mark, Decimal("1e-18")),
                funding_premium=near(market.interest_rate * mark, rate),
                funding_period_hours=market.funding_period_hours,
                created_at=start,
            )
            for start in starts(FUNDING_HISTORY)
        ]
    return history


def report(*_: object) -> None:
    """Prints the line."""
    gc.collect()
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)  # glibc only
    figures: dict[str, object] = {"rss": psutil.Process().memory_info().rss, "blocks": sys.getallocatedblocks()}
    if tracemalloc.is_tracing():
        figures["traced"] = tracemalloc.get_traced_memory()[0]
    figures["filled"] = MeasuredExchange.instance.filled()
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    options = set(arguments[: arguments.index("serve")])
    if "--trace" in options:
        tracemalloc.start()
    MeasuredExchange.starts_old = "--week-old" in options
    # `serve` takes the class from there when it runs.
    exchange_module.Exchange = MeasuredExchange  # type: ignore[misc]
    signal.signal(signal.SIGUSR1, report)
    sys.exit(main(arguments[len(options) :]))
