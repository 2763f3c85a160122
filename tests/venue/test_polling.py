"""What is asked over REST while the streams are healthy: once at the start, and then lists, however much is traded."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_constants as CONSTANTS
from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType
from hummingbot.core.web_assistant.connections.data_types import RESTRequest, RESTResponse
from hummingbot.core.web_assistant.connections.rest_connection import RESTConnection

from tests.venue.bot import Bot
from tests.venue.conftest import MakeBot
from tests.venue.exchange import Exchange, Market
from tests.venue.venue import Venue
from tests.venue.waiting import until

PAIRS = ["BTC-USDC", "ETH-USDC"]
#: Asked at the start and not again, but for the payments, which are asked for every two minutes.
ONCE = {
    "/account/info": 1,
    "/account/margin": len(PAIRS),
    "/funding/payments": len(PAIRS),
    "/markets/summary": 1,
    "/system/config": 1,
}
#: Asked by each poll, every ten seconds; Hummingbot adds the time, and the state by which it knows the network.
POLL = {"/account": 1, "/balance": 1, "/fills": 1, "/orders": 1, "/positions": 1}
CLOCKED = {"/system/state", "/system/time"}
POLLS = 3


@pytest.fixture
def asked(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each path has been asked by anybody, from now on."""
    counts: Counter[str] = Counter()
    original: Callable[..., Any] = RESTConnection.call

    async def call(connection: RESTConnection, request: RESTRequest) -> RESTResponse:
        counts[str(request.url).removeprefix(venue.url).split("?")[0]] += 1
        answer: RESTResponse = await original(connection, request)
        return answer

    monkeypatch.setattr(RESTConnection, "call", call)
    return counts


async def trade(bot: Bot, market: Market, price: Decimal) -> None:
    """An order that rests and is cancelled, and two that are filled."""
    size = market.smallest_size(price)
    order_id = await bot.placed(TradeType.BUY, market.pair, size, price, OrderType.LIMIT_MAKER)
    await bot.traded(TradeType.BUY, market.pair, size)
    await bot.traded(TradeType.SELL, market.pair, size, PositionAction.CLOSE)
    await bot.cancelled(order_id, pair=market.pair)


@pytest.mark.private_payloads
async def test_healthy_streams_leave_lists_to_ask_for_whatever_is_traded(
    make_bot: MakeBot, exchange: Exchange, market: Market, asked: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CONSTANTS, "FUNDING_POLL_INTERVAL", 10**9)  # the first tick is one, and no other
    monkeypatch.setattr(CONSTANTS, "CANCEL_SILENCE", 10**9)  # a slow machine's cancels are no lost ones
    touch = await exchange.touch(market)
    bot = await make_bot(trading_pairs=PAIRS)
    connector = bot.connector
    await until(lambda: all(asked[path] >= count for path, count in ONCE.items()), "all that is asked once was asked")
    await until(lambda: connector._last_poll_timestamp > 0, "the first poll has ended")
    # From here on, the test polls instead of the clock.
    connector._status_polling_task.cancel()
    await until(lambda: connector._reconciliation is not None and connector._reconciliation.done(), "it is compared")
    before = asked.copy()
    for _ in range(POLLS):
        await trade(bot, market, market.round_price(touch.bid * Decimal("0.98")))
        await connector._status_polling_loop_fetch_updates()

    since = {path: count for path, count in (asked - before).items() if path not in CLOCKED}
    assert since == {path: POLLS * count for path, count in POLL.items()}
    assert {path: asked[path] for path in ONCE} == ONCE
