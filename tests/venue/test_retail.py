"""The order class `retail`: an interactive token, no fees."""

from decimal import Decimal

from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType
from hummingbot.core.event.events import OrderFilledEvent

from tests.venue.conftest import MakeBot
from tests.venue.exchange import Exchange, Market


async def test_retail_orders_are_marked_as_such_and_cost_no_fees(
    make_bot: MakeBot, exchange: Exchange, market: Market
) -> None:
    bot = await make_bot(settings={"order_class": "retail"})
    touch = await exchange.touch(market)
    price = market.round_price(touch.bid * Decimal("0.98"))
    size = market.smallest_size(price)

    order_id = await bot.placed(TradeType.BUY, market.pair, size, price, OrderType.LIMIT_MAKER)
    order = await exchange.matched_order(order_id)
    assert "INTERACTIVE" in order["flags"]
    await bot.cancelled(order_id, pair=market.pair)

    for side, action in ((TradeType.BUY, PositionAction.OPEN), (TradeType.SELL, PositionAction.CLOSE)):
        await bot.traded(side, market.pair, size, action)
    for event in bot.events.of(OrderFilledEvent):
        (fee,) = event.trade_fee.flat_fees
        assert fee.amount == 0
    fee = bot.connector.get_fee(
        "BTC", "USDC", OrderType.MARKET, TradeType.BUY, PositionAction.OPEN, Decimal(1), Decimal(1), is_maker=False
    )
    assert fee.percent == 0


async def test_pro_orders_are_not_marked_as_retail(make_bot: MakeBot, exchange: Exchange, market: Market) -> None:
    bot = await make_bot()
    price = market.round_price((await exchange.touch(market)).bid * Decimal("0.98"))

    order_id = await bot.placed(TradeType.BUY, market.pair, market.smallest_size(price), price, OrderType.LIMIT_MAKER)

    order = await exchange.matched_order(order_id)
    assert "INTERACTIVE" not in (order["flags"] or [])
