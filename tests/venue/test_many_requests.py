"""Many requests at once, of all kinds: none fails, and none is over a limit."""

import asyncio
import itertools
from collections.abc import Awaitable
from decimal import Decimal
from typing import Any

import pytest
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.core.data_type.common import OrderType, TradeType
from hummingbot.core.event.events import MarketOrderFailureEvent, OrderCancelledEvent

from tests.venue.bot import CREATED, Bot
from tests.venue.conftest import MakeBot
from tests.venue.exchange import Exchange, Market

# One request each: what leaves together would make fewer of them.
SINGLY = {"batch_size": 1}
PATIENCE = 300.0


@pytest.fixture
def over_limits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every answer of a rate limit that the connector gets, although it may make nothing of it."""
    answers: list[str] = []
    original = web_utils.RateLimitedError.__init__

    def note(error: web_utils.RateLimitedError, *arguments: Any) -> None:
        original(error, *arguments)
        answers.append(str(error))

    monkeypatch.setattr(web_utils.RateLimitedError, "__init__", note)
    return answers


class Work:
    """Requests of a bot; `done` counts those that were answered as they should be."""

    def __init__(self, bot: Bot, market: Market, price: Decimal):
        self._bot, self._market, self._price = bot, market, price
        self._size = market.smallest_size(price)
        self.done = 0

    async def orders(self, count: int) -> None:
        """Two requests each: an order and its cancel."""
        bot, market = self._bot, self._market
        before = len(bot.events.of(CREATED))
        order_ids = [
            bot.order(TradeType.BUY, market.pair, self._size, self._price - level * market.tick, OrderType.LIMIT_MAKER)
            for level in range(count)
        ]
        await bot.events.wait(CREATED, count=before + count, timeout=PATIENCE)
        for order_id in order_ids:
            bot.connector.cancel(market.pair, order_id)
        await bot.events.wait(OrderCancelledEvent, count=before + count, timeout=PATIENCE)
        self.done += 2 * count

    async def read(self, path: str, private: bool) -> None:
        answer = await self._bot.connector._api_get(path_url=path, is_auth_required=private)
        assert answer
        self.done += 1

    def reads(self, count: int) -> list[Awaitable[None]]:
        """Private and public reads in turn."""
        private = itertools.cycle((CONSTANTS.POSITIONS_PATH, CONSTANTS.ACCOUNT_PATH, CONSTANTS.FILLS_PATH))
        public = itertools.cycle((CONSTANTS.SYSTEM_TIME_PATH, CONSTANTS.SYSTEM_STATE_PATH, CONSTANTS.MARKETS_PATH))
        return [self.read(next(private if number % 2 else public), private=bool(number % 2)) for number in range(count)]


async def work_for(bot: Bot, exchange: Exchange, market: Market) -> Work:
    touch = await exchange.touch(market)
    return Work(bot, market, market.round_price(touch.bid * Decimal("0.98")))


@pytest.mark.parametrize("way", ["rest", "websocket"])
async def test_ninety_requests_at_once_all_succeed(
    make_bot: MakeBot, exchange: Exchange, market: Market, over_limits: list[str], way: str
) -> None:
    bot = await make_bot(settings={"order_entry": way, **SINGLY})
    work = await work_for(bot, exchange, market)

    await asyncio.gather(work.orders(30), *work.reads(30))

    assert work.done == 90
    assert over_limits == []
    assert not bot.events.of(MarketOrderFailureEvent)
    assert not await exchange.open_orders(market)


@pytest.mark.parametrize("way", ["rest", "websocket"])
async def test_a_thousand_requests_are_paced_and_all_succeed(
    make_bot: MakeBot, exchange: Exchange, market: Market, over_limits: list[str], way: str
) -> None:
    bot = await make_bot(settings={"order_entry": way, **SINGLY})
    work = await work_for(bot, exchange, market)

    async def orders() -> None:
        for _ in range(5):
            await work.orders(94)  # the exchange takes 100 open orders in a market

    await asyncio.gather(orders(), *work.reads(60))

    assert work.done == 1000
    assert over_limits == []
    assert not bot.events.of(MarketOrderFailureEvent)
    assert not await exchange.open_orders(market)
