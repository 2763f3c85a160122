"""Orders that rest, are cancelled or are refused."""

import asyncio
from decimal import Decimal

import pytest
from hummingbot.core.data_type.common import OrderType, TradeType
from hummingbot.core.event.events import MarketOrderFailureEvent, OrderCancelledEvent, OrderFilledEvent

from tests.venue.bot import CREATED, ENDED, Bot
from tests.venue.exchange import Exchange, Market
from tests.venue.waiting import TIMEOUT, until

pytestmark = pytest.mark.private_payloads

MANY = 20


async def test_quotes_on_both_sides_rest_on_the_exchange_and_are_cancelled(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    low, high = await _far_prices(exchange, market)
    size = market.smallest_size(low)

    bid = await bot.placed(TradeType.BUY, market.pair, size, low, OrderType.LIMIT_MAKER)
    ask = await bot.placed(TradeType.SELL, market.pair, size, high, OrderType.LIMIT_MAKER)

    async def both_rest() -> dict[str, dict[str, str]] | None:
        orders = await exchange.open_orders(market)
        return orders if {order["status"] for order in orders.values()} == {"OPEN"} else None

    orders = await until(both_rest, "both orders are OPEN")
    assert set(orders) == {bid, ask}
    for order_id, side, price in ((bid, "BUY", low), (ask, "SELL", high)):
        order = orders[order_id]
        assert (order["side"], order["type"], order["instruction"]) == (side, "LIMIT", "POST_ONLY")
        assert (Decimal(order["price"]), Decimal(order["size"])) == (price, size)
        assert bot.connector.in_flight_orders[order_id].exchange_order_id == order["id"]

    await bot.cancelled(bid, ask, pair=market.pair)

    assert not bot.connector.in_flight_orders
    for order_id in (bid, ask):
        order = await exchange.closed_order(order_id)
        assert (order["status"], Decimal(order["remaining_size"])) == ("CLOSED", size)
        assert [type(event) for event in bot.events.of(ENDED, order_id)] == [OrderCancelledEvent]
    assert not bot.events.of(OrderFilledEvent)


async def test_a_post_only_order_that_would_cross_fails_with_the_exchanges_reason(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    price = market.round_price((await exchange.touch(market)).ask * Decimal("1.01"))

    order_id = bot.order(TradeType.BUY, market.pair, market.smallest_size(price), price, OrderType.LIMIT_MAKER)

    failure = await bot.events.one(ENDED, order_id)
    assert isinstance(failure, MarketOrderFailureEvent)
    reason = (await exchange.closed_order(order_id))["cancel_reason"]
    assert reason
    assert reason in failure.error_message
    assert not bot.connector.in_flight_orders


async def test_an_order_that_the_margin_does_not_cover_fails_with_the_exchanges_reason(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    low, _ = await _far_prices(exchange, market)
    free = Decimal((await exchange.get("/account"))["free_collateral"])
    size = market.round_size(free * market.max_leverage * Decimal("1.5") / low)
    assert size <= market.max_size, "the account is too rich for this test"

    order_id = bot.order(TradeType.BUY, market.pair, size, low, OrderType.LIMIT_MAKER)

    failure = await bot.events.one(ENDED, order_id)
    assert isinstance(failure, MarketOrderFailureEvent)
    assert "NOT_ENOUGH_MARGIN" in failure.error_message


@pytest.mark.parametrize("below", ["size", "notional"])
async def test_an_order_that_is_too_small_is_refused_before_it_is_sent(
    bot: Bot, exchange: Exchange, market: Market, below: str
) -> None:
    low, _ = await _far_prices(exchange, market)
    size = market.step / 2 if below == "size" else market.step

    order_id = bot.order(TradeType.BUY, market.pair, size, low, OrderType.LIMIT_MAKER)

    failure = await bot.events.one(MarketOrderFailureEvent, order_id)
    assert f"minimum {'order' if below == 'size' else 'notional'} size" in failure.error_message
    assert await exchange.order(order_id) is None


async def test_prices_and_sizes_between_the_steps_are_rounded_to_what_the_market_takes(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    low, _ = await _far_prices(exchange, market)
    size = market.smallest_size(low)

    order_id = await bot.placed(
        TradeType.BUY, market.pair, size + market.step / 3, low + market.tick / 3, OrderType.LIMIT_MAKER
    )

    order = await exchange.matched_order(order_id)
    assert (Decimal(order["price"]), Decimal(order["size"])) == (low, size)


async def test_cancelling_an_order_that_nobody_knows_does_nothing(bot: Bot, exchange: Exchange, market: Market) -> None:
    low, _ = await _far_prices(exchange, market)

    assert bot.connector.cancel(market.pair, "HBOT-nobody-knows-this-one") == "HBOT-nobody-knows-this-one"

    # The connector goes on as if nothing had been asked.
    order_id = await bot.placed(TradeType.BUY, market.pair, market.smallest_size(low), low, OrderType.LIMIT_MAKER)
    await bot.cancelled(order_id, pair=market.pair)
    assert {event.order_id for event in bot.events.log if hasattr(event, "order_id")} == {order_id}


async def test_an_order_cancelled_by_hand_is_known_to_be_cancelled(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    low, _ = await _far_prices(exchange, market)
    order_id = await bot.placed(TradeType.BUY, market.pair, market.smallest_size(low), low, OrderType.LIMIT_MAKER)

    await exchange.cancel(order_id, market)

    await bot.events.one(OrderCancelledEvent, order_id)
    assert not bot.connector.in_flight_orders


async def test_a_cancel_that_comes_too_late_ends_in_one_cancelled_event(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    low, _ = await _far_prices(exchange, market)
    order_id = await bot.placed(TradeType.BUY, market.pair, market.smallest_size(low), low, OrderType.LIMIT_MAKER)

    by_hand = asyncio.create_task(exchange.cancel(order_id, market))
    for _ in range(3):
        bot.connector.cancel(market.pair, order_id)
    await bot.events.one(OrderCancelledEvent, order_id)
    await asyncio.gather(by_hand, return_exceptions=True)

    # What is still on its way for this order is behind the events of the next one.
    other_id = await bot.placed(TradeType.BUY, market.pair, market.smallest_size(low), low, OrderType.LIMIT_MAKER)
    await bot.cancelled(other_id, pair=market.pair)
    assert [type(event) for event in bot.events.of(ENDED, order_id)] == [OrderCancelledEvent]


async def test_an_order_cancelled_before_it_was_acknowledged_does_not_stay(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    low, _ = await _far_prices(exchange, market)

    order_id = bot.order(TradeType.BUY, market.pair, market.smallest_size(low), low, OrderType.LIMIT_MAKER)
    await until(lambda: order_id in bot.connector.in_flight_orders, "the order is tracked", pause=0)
    bot.connector.cancel(market.pair, order_id)

    await bot.events.one(OrderCancelledEvent, order_id)
    order = await exchange.order(order_id)
    assert order is None or order["status"] == "CLOSED"  # it was withdrawn before it left, or cancelled


async def test_twenty_orders_at_once_are_all_tracked_and_all_cancelled(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    low, high = await _far_prices(exchange, market)
    size = market.smallest_size(low)

    order_ids = []
    for level in range(MANY // 2):
        offset = level * market.tick
        order_ids.append(bot.order(TradeType.BUY, market.pair, size, low - offset, OrderType.LIMIT_MAKER))
        order_ids.append(bot.order(TradeType.SELL, market.pair, size, high + offset, OrderType.LIMIT_MAKER))
    for order_id in order_ids:
        await bot.events.one(CREATED, order_id)
    assert set(bot.connector.in_flight_orders) == set(order_ids)

    async def all_rest() -> bool:
        return set(await exchange.open_orders(market)) == set(order_ids)

    await until(all_rest, "all orders are on the exchange")

    results = await bot.connector.cancel_all(TIMEOUT)

    assert {result.order_id for result in results if result.success} == set(order_ids)
    for order_id in order_ids:
        await bot.events.one(OrderCancelledEvent, order_id)
    assert not await exchange.open_orders(market)
    assert not bot.connector.in_flight_orders


async def test_cancel_all_with_no_orders_cancels_none(bot: Bot) -> None:
    assert await bot.connector.cancel_all(TIMEOUT) == []


async def _far_prices(exchange: Exchange, market: Market) -> tuple[Decimal, Decimal]:
    """A bid and an ask that nobody will take and that the price band allows."""
    distance = min(market.band / 2, Decimal("0.03"))
    touch = await exchange.touch(market)
    return market.round_price(touch.bid * (1 - distance)), market.round_price(touch.ask * (1 + distance), up=True)
