"""A bot that stops with open orders, and another that goes on with them."""

import time
from decimal import Decimal

from hummingbot.core.data_type.common import OrderType, TradeType
from hummingbot.core.event.events import BuyOrderCompletedEvent, OrderCancelledEvent, OrderFilledEvent

from tests.venue.bot import ENDED, Bot
from tests.venue.conftest import MakeBot
from tests.venue.exchange import Exchange, Market
from tests.venue.waiting import until

ATTEMPTS = 12
PATIENCE = 5.0


async def test_after_a_restart_open_orders_go_on_and_those_cancelled_meanwhile_are_known_to_be(
    make_bot: MakeBot, exchange: Exchange, market: Market
) -> None:
    first = await make_bot()
    price = market.round_price((await exchange.touch(market)).bid * Decimal("0.98"))
    size = market.smallest_size(price)
    kept = await first.placed(TradeType.BUY, market.pair, size, price, OrderType.LIMIT_MAKER)
    lost = await first.placed(TradeType.BUY, market.pair, size, price - market.tick, OrderType.LIMIT_MAKER)
    await first.stop()
    await exchange.cancel(lost, market)
    await exchange.closed_order(lost)

    second = await make_bot(saved_orders=first.saved_orders())

    await second.events.one(OrderCancelledEvent, lost)
    assert set(second.connector.in_flight_orders) == {kept}
    assert set(await exchange.open_orders(market)) == {kept}
    await second.cancelled(kept, pair=market.pair)
    assert not await exchange.open_orders(market)
    assert not first.events.of(ENDED)


async def test_after_a_restart_an_order_filled_meanwhile_is_known_to_be_with_its_fills(
    make_bot: MakeBot, exchange: Exchange, market: Market
) -> None:
    first, order_id = await _stopped_before_its_quote_was_filled(make_bot, exchange, market)

    second = await make_bot(saved_orders=first.saved_orders())

    await second.events.one(BuyOrderCompletedEvent, order_id)
    order = await exchange.closed_order(order_id)
    fills = await exchange.fills(order_id, since=first.created_at)
    events = second.events.of(OrderFilledEvent, order_id)
    assert {event.exchange_trade_id for event in events} == set(fills)
    assert second.executed(order_id) == Decimal(order["size"])
    assert not second.connector.in_flight_orders
    await second.has_position(market.pair, Decimal(order["size"]))


async def _stopped_before_its_quote_was_filled(
    make_bot: MakeBot, exchange: Exchange, market: Market
) -> tuple[Bot, str]:
    """A stopped bot and its order, which others have filled since; it follows the market until they do."""
    for _ in range(ATTEMPTS):
        bot = await make_bot()
        touch = await exchange.touch(market)
        price = min(max(touch.bid, market.round_price(touch.mid)), touch.ask - market.tick)
        order_id = bot.order(TradeType.BUY, market.pair, market.smallest_size(price), price, OrderType.LIMIT_MAKER)
        await until(
            lambda order_id=order_id, bot=bot: bot.events.of(object, order_id), "the order was answered", pause=0
        )
        await bot.stop()
        if bot.events.of((OrderFilledEvent, *ENDED), order_id):
            await exchange.flatten()
            continue
        if await _is_filled_soon(exchange, order_id):
            return bot, order_id
        await exchange.flatten()
    raise AssertionError(f"nobody took a quote at the top of {market.symbol}")


async def _is_filled_soon(exchange: Exchange, order_id: str) -> bool:
    async def filled() -> bool:
        order = await exchange.order(order_id)
        return order is not None and order["status"] == "CLOSED" and Decimal(order["remaining_size"]) == 0

    started = time.monotonic()
    try:
        return await until(filled, "others have filled the order", timeout=PATIENCE, pause=0.1)
    except AssertionError:
        assert time.monotonic() - started >= PATIENCE
        return False
