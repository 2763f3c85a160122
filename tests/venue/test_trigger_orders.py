"""Orders that wait for the mark price, and a position's own take-profit and stop-loss."""

from decimal import Decimal

import pytest
from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType
from hummingbot.core.event.events import MarketOrderFailureEvent, OrderCancelledEvent

from tests.venue.bot import COMPLETED, CREATED, ENDED, NAN, Bot
from tests.venue.conftest import MakeBot
from tests.venue.exchange import Exchange, Market
from tests.venue.waiting import until

FAR = Decimal("0.02")  # of the mark price; it does not get there during a test
KINDS = [("stop", "STOP"), ("take_profit", "TAKE_PROFIT"), ("stop_loss", "STOP_LOSS")]


async def mark_price(exchange: Exchange, market: Market) -> Decimal:
    return Decimal((await exchange.summary(market))["mark_price"])


async def around(exchange: Exchange, market: Market) -> tuple[Decimal, Decimal]:
    """Prices far below and above the mark."""
    mark = await mark_price(exchange, market)
    return market.round_price(mark * (1 - FAR)), market.round_price(mark * (1 + FAR), up=True)


async def waiting(exchange: Exchange, order_id: str) -> dict[str, str]:
    """An order as the exchange has it, once it waits for its trigger."""
    order = await exchange.matched_order(order_id)
    assert order["status"] == "UNTRIGGERED", order
    return order


@pytest.mark.private_payloads
@pytest.mark.parametrize(("trigger_type", "name"), KINDS)
@pytest.mark.parametrize("order_type", [OrderType.MARKET, OrderType.LIMIT])
async def test_a_trigger_order_waits_is_open_and_is_cancelled(
    bot: Bot, exchange: Exchange, market: Market, trigger_type: str, name: str, order_type: OrderType
) -> None:
    low, high = await around(exchange, market)
    size = market.smallest_size(low)
    await bot.traded(TradeType.BUY, market.pair, size)
    await bot.has_position(market.pair, size)
    trigger = high if trigger_type == "take_profit" else low

    order_id = await bot.placed(
        TradeType.SELL,
        market.pair,
        size,
        NAN if order_type is OrderType.MARKET else trigger - market.tick,
        order_type,
        PositionAction.CLOSE,
        trigger_price=trigger,
        trigger_type=trigger_type,
    )

    order = await waiting(exchange, order_id)
    assert (order["type"], Decimal(order["trigger_price"])) == (f"{name}_{order_type.name}", trigger)
    assert "REDUCE_ONLY" in order["flags"]
    tracked = bot.connector.in_flight_orders[order_id]
    assert tracked.is_open
    assert tracked.price == (trigger if order_type is OrderType.MARKET else trigger - market.tick)
    await bot.cancelled(order_id, pair=market.pair)
    assert [type(event) for event in bot.events.of(ENDED, order_id)] == [OrderCancelledEvent]


@pytest.mark.private_payloads
async def test_a_stop_is_triggered_by_the_mark_price_and_filled(bot: Bot, exchange: Exchange, market: Market) -> None:
    size = market.smallest_size(await mark_price(exchange, market))
    order_ids: list[str] = []

    async def one_is_filled() -> bool:
        # As near as the tick allows, on both sides: whichever way the mark moves, it meets one; and again, if it
        # had moved beyond before they arrived.
        if any(bot.events.of(COMPLETED, order_id) for order_id in order_ids):
            return True
        if all(bot.events.of(ENDED, order_id) for order_id in order_ids):
            mark = bot.connector.get_funding_info(market.pair).mark_price
            for side, price in (
                (TradeType.BUY, market.round_price(mark, up=True) + market.tick),
                (TradeType.SELL, market.round_price(mark) - market.tick),
            ):
                order_ids.append(bot.order(side, market.pair, size, order_type=OrderType.MARKET, trigger_price=price))
        return False

    await until(one_is_filled, "a stop has been triggered and filled")

    filled = next(order_id for order_id in order_ids if bot.events.of(COMPLETED, order_id))
    assert bot.executed(filled) == size
    order = await exchange.closed_order(filled)
    assert (order["type"], Decimal(order["remaining_size"])) == ("STOP_MARKET", 0)
    assert len(bot.events.of(CREATED, filled)) == 1


async def test_a_trigger_on_the_wrong_side_is_not_sent(bot: Bot, exchange: Exchange, market: Market) -> None:
    low, _ = await around(exchange, market)

    order_id = bot.order(
        TradeType.BUY, market.pair, market.smallest_size(low), order_type=OrderType.MARKET, trigger_price=low
    )

    failure = await bot.events.one(MarketOrderFailureEvent, order_id)
    assert f"The trigger price {low} is on the wrong side" in failure.error_message
    assert await exchange.order(order_id) is None


@pytest.mark.private_payloads
async def test_the_trigger_of_a_waiting_order_can_be_changed(bot: Bot, exchange: Exchange, market: Market) -> None:
    low, _ = await around(exchange, market)
    size = market.smallest_size(low)
    order_id = await bot.placed(TradeType.SELL, market.pair, size, NAN, OrderType.MARKET, trigger_price=low)
    await waiting(exchange, order_id)

    order = await bot.connector.modify_order(order_id, trigger_price=low - market.tick, amount=size + market.step)

    seen = await waiting(exchange, order_id)
    assert (Decimal(seen["trigger_price"]), Decimal(seen["size"])) == (low - market.tick, size + market.step)
    assert (order.price, order.amount) == (low - market.tick, size + market.step)


async def test_after_a_restart_a_waiting_order_goes_on_and_one_cancelled_meanwhile_is_known_to_be(
    make_bot: MakeBot, exchange: Exchange, market: Market
) -> None:
    first = await make_bot()
    low, _ = await around(exchange, market)
    size = market.smallest_size(low)
    kept, lost = [
        await first.placed(TradeType.SELL, market.pair, size, NAN, OrderType.MARKET, trigger_price=price)
        for price in (low, low - market.tick)
    ]
    await waiting(exchange, lost)
    await first.stop()
    await exchange.cancel(lost, market)
    await exchange.closed_order(lost)

    second = await make_bot(saved_orders=first.saved_orders())

    await second.events.one(OrderCancelledEvent, lost)
    assert set(second.connector.in_flight_orders) == {kept}
    assert second.connector.in_flight_orders[kept].price == low
    await second.cancelled(kept, pair=market.pair)


@pytest.mark.private_payloads
async def test_with_cancel_on_disconnect_a_position_keeps_its_orders_when_the_bot_drops_and_quotes_go(
    make_bot: MakeBot, exchange: Exchange, market: Market
) -> None:
    bot = await make_bot(settings={"cancel_on_disconnect": True})
    low, high = await around(exchange, market)
    size = market.smallest_size(low)
    quote = await bot.placed(TradeType.BUY, market.pair, size, low, OrderType.LIMIT_MAKER)
    await bot.traded(TradeType.BUY, market.pair, size)
    await bot.has_position(market.pair, size)
    limit = low - market.tick
    ids = await bot.connector.set_take_profit_stop_loss(market.pair, high, low, stop_loss_limit=limit)
    seen = await waiting(exchange, ids["stop_loss"])
    assert (seen["type"], Decimal(seen["price"])) == ("STOP_LOSS_LIMIT", limit)
    assert set(await exchange.open_orders(market)) == {quote, *ids.values()}

    await bot.stop()

    async def only_the_positions_orders_are_left() -> bool:
        return set(await exchange.open_orders(market)) == set(ids.values())

    await until(only_the_positions_orders_are_left, "the quote is cancelled, and the position protected")


@pytest.mark.private_payloads
async def test_a_positions_take_profit_and_stop_loss_follow_its_size_and_go_with_it(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    low, high = await around(exchange, market)
    size = market.smallest_size(low)
    await bot.traded(TradeType.BUY, market.pair, size)
    await bot.has_position(market.pair, size)

    ids = await bot.connector.set_take_profit_stop_loss(market.pair, take_profit_price=high, stop_loss_price=low)

    async def both_are_of(amount: Decimal) -> bool:
        orders = await exchange.open_orders(market)
        return {order_id: Decimal(order["size"]) for order_id, order in orders.items()} == dict.fromkeys(
            ids.values(), amount
        )

    await until(lambda: both_are_of(size), "both cover the position")
    seen = await waiting(exchange, ids["stop_loss"])
    assert (seen["type"], Decimal(seen["trigger_price"]), seen["side"]) == ("STOP_LOSS_MARKET", low, "SELL")

    await bot.traded(TradeType.BUY, market.pair, size)
    await until(lambda: both_are_of(2 * size), "both have grown with the position")
    await bot.traded(TradeType.SELL, market.pair, size, PositionAction.CLOSE)
    await until(lambda: both_are_of(size), "both have become smaller with the position")

    assert await bot.connector.set_take_profit_stop_loss(market.pair, high + market.tick, low) == ids
    assert Decimal((await waiting(exchange, ids["take_profit"]))["trigger_price"]) == high + market.tick
    assert len(await exchange.open_orders(market)) == 2

    await bot.traded(TradeType.SELL, market.pair, size, PositionAction.CLOSE)
    for order_id in ids.values():
        await bot.events.one(OrderCancelledEvent, order_id)
    assert not await exchange.open_orders(market)
    assert not bot.connector.in_flight_orders
