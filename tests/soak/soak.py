"""Keeps many orders open on many pairs and replaces them all the time, as a market maker does."""

import asyncio
import os
import random
import time
import tracemalloc
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_constants as CONSTANTS
from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType
from hummingbot.core.event.event_logger import EventLogger
from hummingbot.core.event.events import MarketEvent
from hummingbot.core.web_assistant.connections.connections_factory import ConnectionsFactory

from tests.soak.probes import measure
from tests.venue.bot import ENDED, Bot
from tests.venue.exchange import Exchange, Market
from tests.venue.venue import SandboxProcess, funded_account
from tests.venue.waiting import until

FAR = Decimal("0.02")
WARM_UP = 0.2  # of the time; caches fill, the interpreter specializes
LEAST_WARM_UP = 40.0  # seconds; the framework keeps closed orders for 30
MODIFIED = 0.1  # of the replacements are changes in place
TRADED = 0.02  # and market orders there and back
SIDES = (TradeType.BUY, TradeType.SELL)


@dataclass(frozen=True)
class Plan:
    """:ivar seconds: for which it measures, warming up included
    :ivar rate: replacements a second
    :ivar interval: seconds between two samples
    :ivar least: how often a quote is replaced, filled and modified at least, however long that takes
    """

    seconds: float
    orders: int = 50
    pairs: int = 10
    rate: float = 10.0
    interval: float = 5.0
    warm_up: float | None = None
    least: tuple[int, int, int] = (0, 0, 0)


def _numbers() -> defaultdict[str, array[float]]:
    return defaultdict(lambda: array("d"))


@dataclass
class Report:
    """:ivar times: of each number, the seconds of its samples after the warm-up
    :ivar values: of each number, its samples; in arrays, for in two hours of objects the report itself would grow by
        ten MiB
    :ivar differences: what the bot and the exchange did not agree about in the end
    """

    times: dict[str, array[float]] = field(default_factory=_numbers)
    values: dict[str, array[float]] = field(default_factory=_numbers)
    samples: int = 0
    replaced: int = 0
    modified: int = 0
    filled: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def series(self) -> dict[str, list[tuple[float, float]]]:
        """Of each number, the seconds and values."""
        return {name: list(zip(times, self.values[name], strict=True)) for name, times in self.times.items()}


async def soak(plan: Plan, folder: Path, say: Callable[[str], None] = lambda text: None) -> Report:
    """Runs a connector on a sandbox of its own.

    :param folder: where the sandbox keeps its data and its log
    """
    process = SandboxProcess(folder / "data")
    url_before = os.environ.get(CONSTANTS.SANDBOX_URL_VARIABLE)
    os.environ[CONSTANTS.SANDBOX_URL_VARIABLE] = process.url
    tracemalloc.start(1)
    try:
        credentials = funded_account(process.url)
        async with Exchange(process.url, credentials) as exchange:
            perpetuals = [entry for entry in await exchange.markets() if entry["asset_kind"] == "PERP"]
            markets = [Market.from_payload(entry) for entry in perpetuals][: plan.pairs]
            bot = Bot(CONSTANTS.SANDBOX_DOMAIN, credentials, [market.pair for market in markets])
            await bot.start()
            try:
                return await _Maker(plan, bot, exchange, markets, say).run()
            finally:
                await bot.stop()
                await ConnectionsFactory().close()
    finally:
        tracemalloc.stop()
        process.stop()
        if url_before is None:
            del os.environ[CONSTANTS.SANDBOX_URL_VARIABLE]
        else:
            os.environ[CONSTANTS.SANDBOX_URL_VARIABLE] = url_before


class _Maker:
    """Places, replaces, changes and trades, and measures meanwhile."""

    def __init__(
        self, plan: Plan, bot: Bot, exchange: Exchange, markets: list[Market], say: Callable[[str], None]
    ) -> None:
        self._plan = plan
        self._bot = bot
        self._exchange = exchange
        self._markets = {market.pair: market for market in markets}
        self._say = say
        self._random = random.Random(1)
        self._report = Report()
        self._wanted: Counter[tuple[str, TradeType]] = Counter()  # how many quotes there are to be of a pair and side

    async def run(self) -> Report:
        pairs = list(self._markets)
        for number in range(self._plan.orders):
            self._wanted[pairs[number % len(pairs)], SIDES[number // len(pairs) % 2]] += 1
        started = time.monotonic()
        warm_up = self._plan.warm_up
        if warm_up is None:
            warm_up = max(LEAST_WARM_UP, WARM_UP * self._plan.seconds)
        next_sample = started + warm_up
        while (now := time.monotonic()) < started + self._plan.seconds or not self._has_enough():
            await self._step()
            if now >= next_sample:
                next_sample = now + self._plan.interval
                self._sample(now - started)
            await asyncio.sleep(max(0.0, 1 / self._plan.rate - (time.monotonic() - now)))
        await self._settle()
        return self._report

    def _has_enough(self) -> bool:
        done = (self._report.replaced, self._report.filled, self._report.modified)
        return all(number >= least for number, least in zip(done, self._plan.least, strict=True))

    def _sample(self, seconds: float) -> None:
        # The tests' own listener keeps all events, and that of Hummingbot all fills, for strategies to read.
        self._bot.events.log.clear()
        for listener in self._bot.connector.get_listeners(MarketEvent.OrderFilled):
            if isinstance(listener, EventLogger):
                listener.clear()
        self._report.samples += 1
        numbers = measure(self._bot.connector)
        for name, value in numbers.items():
            self._report.times[name].append(seconds)
            self._report.values[name].append(value)
        self._say(
            f"{seconds:7.0f} s: {numbers['resident memory'] / 2**20:.1f} MiB, {numbers['tasks']:.0f} tasks, "
            f"{numbers['sockets']:.0f} sockets, {numbers['tracked orders']:.0f} orders, "
            f"{self._report.replaced} replaced"
        )

    async def _step(self) -> None:
        """Replaces a quote: one is cancelled, and those that are missing are placed."""
        connector = self._bot.connector
        self._place_missing()
        live = [
            order
            for order in connector.in_flight_orders.values()
            if order.is_open and not order.is_pending_cancel_confirmation and order.exchange_order_id
        ]
        if not live:
            return
        order = self._random.choice(live)
        dice = self._random.random()
        if dice < TRADED:
            await self._trade(order.trading_pair)
        elif dice < TRADED + MODIFIED:
            await self._modify(order.client_order_id)
        else:
            connector.cancel(order.trading_pair, order.client_order_id)
            self._report.replaced += 1

    def _place_missing(self) -> None:
        """Brings the quotes to their number; those whose cancel is on its way do not count."""
        live = Counter(
            (order.trading_pair, order.trade_type)
            for order in self._bot.connector.in_flight_orders.values()
            if order.order_type is OrderType.LIMIT_MAKER and not order.is_pending_cancel_confirmation
        )
        for quote in (self._wanted - live).elements():
            self._place(*quote)

    def _price(self, market: Market, side: TradeType) -> Decimal:
        mark = self._bot.connector.get_funding_info(market.pair).mark_price
        distance = FAR * Decimal(str(self._random.uniform(0.8, 1.2)))
        factor = 1 - distance if side is TradeType.BUY else 1 + distance
        return market.round_price(mark * factor)

    def _place(self, pair: str, side: TradeType) -> None:
        market = self._markets[pair]
        price = self._price(market, side)
        self._bot.order(side, pair, market.smallest_size(price * (1 - FAR)), price, OrderType.LIMIT_MAKER)

    async def _modify(self, order_id: str) -> None:
        order = self._bot.connector.in_flight_orders[order_id]
        market = self._markets[order.trading_pair]
        try:
            await self._bot.connector.modify_order(order_id, price=self._price(market, order.trade_type))
        except (ValueError, OSError) as error:  # it may have just been closed
            self._say(f"not modified: {error}")
        else:
            self._report.modified += 1

    async def _trade(self, pair: str) -> None:
        market = self._markets[pair]
        size = market.smallest_size(self._bot.connector.get_funding_info(pair).mark_price)
        for side, action in ((TradeType.BUY, PositionAction.OPEN), (TradeType.SELL, PositionAction.CLOSE)):
            order_id = self._bot.order(side, pair, size, order_type=OrderType.MARKET, action=action)
            await self._bot.events.one(ENDED, order_id)
            self._report.filled += 1

    async def _settle(self) -> None:
        """Compares the bot with the exchange, as they are, and once more with no orders left."""
        connector = self._bot.connector
        self._place_missing()

        async def equal() -> bool:
            live = {key for key, order in connector.in_flight_orders.items() if not order.is_done}
            return live == set(await self._exchange.open_orders())

        await self._expect(equal, "the bot's open orders are the exchange's")
        await connector.cancel_all(30.0)
        await self._expect(self._exchange.is_flat, "nothing is left on the exchange")
        await self._expect(lambda: not connector.in_flight_orders, "the bot tracks nothing any more")
        await self._expect(lambda: not connector.account_positions, "the bot has no position")

    async def _expect(self, condition: Callable[[], object], what: str) -> None:
        try:
            await until(condition, what)
        except AssertionError as error:
            self._report.differences.append(str(error))
