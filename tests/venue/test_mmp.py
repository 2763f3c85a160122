"""Market-maker protection: set, tripped by others who trade with a protected quote, lifted."""

import contextlib
import time
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_web_utils as web_utils
from hummingbot.core.data_type.common import OrderType, TradeType
from hummingbot.core.event.events import MarketOrderFailureEvent, OrderCancelledEvent

from tests.venue.bot import Bot
from tests.venue.conftest import MakeBot
from tests.venue.exchange import Exchange, Market
from tests.venue.waiting import until

pytestmark = pytest.mark.private_payloads

ATTEMPTS = 12  # at having a quote taken, which depends on others
PATIENCE = 2.0  # seconds for others to take it, before it is moved


@pytest.fixture
async def protected(bot: Bot, market: Market) -> AsyncIterator[Bot]:
    """A bot whose account freezes at the first fill of a protected quote, until a reset."""
    try:
        await bot.connector.configure_mmp(
            market.pair, interval_ms=60_000, frozen_time_ms=0, size_limit=Decimal("0.0001")
        )
    except web_utils.ApiError as error:
        pytest.skip(f"market-maker protection is not enabled for this account: {error}")
    yield bot
    await bot.connector.remove_mmp(market.pair)


async def test_a_configuration_can_be_set_read_and_removed(protected: Bot, market: Market) -> None:
    shown = await protected.connector.mmp_configuration(market.pair)
    assert shown is not None
    assert (shown.base_asset, shown.interval_ms, shown.frozen_time_ms) == ("BTC", 60_000, 0)
    assert (shown.size_limit, shown.delta_limit) == (Decimal("0.0001"), Decimal(0))

    await protected.connector.remove_mmp(market.pair)

    assert await protected.connector.mmp_configuration(market.pair) is None


async def test_a_freeze_is_known_at_once_refuses_protected_orders_and_is_lifted_by_a_reset(
    protected: Bot, exchange: Exchange, market: Market
) -> None:
    await _trip(protected, exchange, market)
    assert protected.connector.mmp_frozen == {market.pair: 0}

    refused = await _protected_bid(exchange, market, "refused")
    assert (await exchange.closed_order(refused))["cancel_reason"] == "MMP_FROZEN"

    await until(lambda: _has_reset(protected, market), "a reset is let through, a second after the freeze")
    assert protected.connector.mmp_frozen == {}
    taken = await _protected_bid(exchange, market, "taken")
    assert (await exchange.matched_order(taken))["status"] == "OPEN"


async def test_a_protected_quote_of_the_bot_is_cancelled_with_the_reason_when_it_trips(
    protected: Bot, exchange: Exchange, market: Market
) -> None:
    price = market.round_price((await exchange.touch(market)).bid * Decimal("0.98"))
    size = market.smallest_size(price)
    order_id = await protected.placed(TradeType.BUY, market.pair, size, price, OrderType.LIMIT_MAKER, mmp=True)
    unprotected = await protected.placed(TradeType.BUY, market.pair, size, price, OrderType.LIMIT_MAKER)

    await _trip(protected, exchange, market)

    await protected.events.one(OrderCancelledEvent, order_id)
    assert (await exchange.closed_order(order_id))["cancel_reason"] == "MMP_TRIGGERED"
    assert unprotected in await exchange.open_orders(market)

    refused = protected.order(TradeType.BUY, market.pair, size, price, OrderType.LIMIT_MAKER, mmp=True)
    assert "MMP_FROZEN" in (await protected.events.one(MarketOrderFailureEvent, refused)).error_message


async def test_a_bot_that_starts_during_a_freeze_knows_of_it(
    protected: Bot, make_bot: MakeBot, exchange: Exchange, market: Market
) -> None:
    await _trip(protected, exchange, market)

    second = await make_bot()

    await until(lambda: second.connector.mmp_frozen == {market.pair: 0}, "the freeze is known")
    await until(lambda: _has_reset(protected, market), "a reset is let through, a second after the freeze")
    await until(lambda: second.connector.mmp_frozen == {}, "the other bot's reset is known")


async def _has_reset(bot: Bot, market: Market) -> bool:
    try:
        await bot.connector.reset_mmp(market.pair)
    except web_utils.ApiError as error:
        if error.code != "MMP_MIN_FREEZE_NOT_ELAPSED":
            raise
        return False
    return True


async def _protected_bid(exchange: Exchange, market: Market, name: str) -> str:
    """A quote that nobody takes.

    :return: its client id
    """
    client_id = f"{name}-{time.time_ns()}"
    price = market.round_price((await exchange.touch(market)).bid * Decimal("0.98"))
    await exchange.place(market, "BUY", market.smallest_size(price), price, client_id=client_id, mmp=True)
    return client_id


async def _trip(bot: Bot, exchange: Exchange, market: Market) -> None:
    """Has a protected quote taken by others; it follows the market until it is."""
    for _ in range(ATTEMPTS):
        touch = await exchange.touch(market)
        price = max(touch.bid, market.round_price(touch.mid))
        client_id = f"quote-{time.time_ns()}"
        await exchange.place(
            market, "BUY", market.smallest_size(price), price, instruction="POST_ONLY", client_id=client_id, mmp=True
        )
        with contextlib.suppress(AssertionError):
            await until(lambda: bool(bot.connector.mmp_frozen), "the protection is triggered", timeout=PATIENCE)
            return
        if client_id in await exchange.open_orders(market):
            await exchange.cancel(client_id, market)
    raise AssertionError(f"nobody took a quote in {ATTEMPTS} attempts")
