"""Orders that are changed in place."""

import asyncio
from decimal import Decimal

import pytest
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import NotModifiedError
from hummingbot.core.data_type.common import OrderType, TradeType
from hummingbot.core.event.events import BuyOrderCompletedEvent

from tests.venue.bot import COMPLETED, ENDED, Bot
from tests.venue.conftest import MakeBot
from tests.venue.exchange import Exchange, Market
from tests.venue.waiting import until

pytestmark = pytest.mark.private_payloads


async def resting(bot: Bot, exchange: Exchange, market: Market, order_type: OrderType = OrderType.LIMIT) -> str:
    """A bid that nobody will take."""
    price = market.round_price((await exchange.touch(market)).bid * Decimal("0.98"))
    order_id = await bot.placed(TradeType.BUY, market.pair, market.smallest_size(price), price, order_type)
    assert (await exchange.matched_order(order_id))["status"] == "OPEN"
    return order_id


@pytest.mark.parametrize("order_entry", ["rest", "websocket"])
async def test_price_and_size_change_and_the_order_stays_the_same(
    make_bot: MakeBot, exchange: Exchange, market: Market, order_entry: str
) -> None:
    bot = await make_bot(settings={"order_entry": order_entry})
    order_id = await resting(bot, exchange, market)
    order = bot.connector.in_flight_orders[order_id]
    exchange_order_id = order.exchange_order_id
    price, amount = order.price - 7 * market.tick, order.amount + 3 * market.step

    assert await bot.connector.modify_order(order_id, price=price, amount=amount) is order

    seen = await exchange.order(order_id)
    assert seen is not None
    assert (Decimal(seen["price"]), Decimal(seen["size"])) == (price, amount) == (order.price, order.amount)
    assert seen["id"] == exchange_order_id == order.exchange_order_id
    await bot.cancelled(order_id, pair=market.pair)
    assert len(bot.events.of(ENDED, order_id)) == 1


async def test_changes_at_once_both_count(bot: Bot, exchange: Exchange, market: Market) -> None:
    order_id = await resting(bot, exchange, market)
    order = bot.connector.in_flight_orders[order_id]
    price, amount = order.price - market.tick, order.amount + market.step

    await asyncio.gather(
        bot.connector.modify_order(order_id, price=price), bot.connector.modify_order(order_id, amount=amount)
    )

    seen = await exchange.order(order_id)
    assert seen is not None
    assert (Decimal(seen["price"]), Decimal(seen["size"])) == (price, amount)
    assert (order.price, order.amount) == (price, amount)


async def test_an_order_moved_into_the_book_is_filled_for_its_new_size(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    order_id = await resting(bot, exchange, market)
    amount = bot.connector.in_flight_orders[order_id].amount + market.step
    price = market.round_price((await exchange.touch(market)).ask * Decimal("1.002"))

    await bot.connector.modify_order(order_id, price=price, amount=amount)

    completed = await bot.events.one(COMPLETED, order_id)
    assert isinstance(completed, BuyOrderCompletedEvent)
    assert completed.base_asset_amount == amount == bot.executed(order_id)
    await bot.has_position(market.pair, amount)


async def test_what_the_exchange_refuses_leaves_the_order_as_it_was(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    order_id = await resting(bot, exchange, market, OrderType.LIMIT_MAKER)
    price = bot.connector.in_flight_orders[order_id].price
    crossing = market.round_price((await exchange.touch(market)).ask * Decimal("1.01"))

    with pytest.raises(NotModifiedError):
        await bot.connector.modify_order(order_id, price=crossing)

    seen = await exchange.order(order_id)
    assert seen is not None
    assert (seen["status"], Decimal(seen["price"])) == ("OPEN", price)
    assert bot.connector.in_flight_orders[order_id].price == price


async def test_an_order_cancelled_by_hand_cannot_be_changed(bot: Bot, exchange: Exchange, market: Market) -> None:
    order_id = await resting(bot, exchange, market)
    price = bot.connector.in_flight_orders[order_id].price - market.tick
    await exchange.cancel(order_id, market)

    with pytest.raises((NotModifiedError, ValueError)):
        await bot.connector.modify_order(order_id, price=price)

    await bot.events.one(ENDED, order_id)


async def test_an_order_changed_by_hand_is_known_to_be(bot: Bot, exchange: Exchange, market: Market) -> None:
    order_id = await resting(bot, exchange, market)
    order = bot.connector.in_flight_orders[order_id]
    price = order.price - 2 * market.tick
    seen = await exchange.order(order_id)
    assert seen is not None

    await exchange.modify(seen, market, price)

    await until(lambda: order.price == price, f"the tracked order's price is {price}")
