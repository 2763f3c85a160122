"""Orders that trade: as taker, as maker, in part."""

from decimal import Decimal

import pytest
from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType
from hummingbot.core.event.events import (
    BuyOrderCompletedEvent,
    OrderCancelledEvent,
    OrderFilledEvent,
    SellOrderCompletedEvent,
)

from tests.venue.bot import COMPLETED, ENDED, Bot
from tests.venue.conftest import MakeBot
from tests.venue.exchange import Exchange, Market
from tests.venue.waiting import until

pytestmark = pytest.mark.private_payloads

ATTEMPTS = 12  # at what depends on what others do in the same moment
PATIENCE = 5.0  # seconds for others to take our quote, before it is moved


@pytest.mark.parametrize(
    ("side", "completed"), [(TradeType.BUY, BuyOrderCompletedEvent), (TradeType.SELL, SellOrderCompletedEvent)]
)
async def test_a_market_order_is_filled_and_each_fill_is_the_exchanges(
    bot: Bot, exchange: Exchange, market: Market, side: TradeType, completed: type
) -> None:
    size = market.smallest_size((await exchange.touch(market)).bid)

    order_id = await bot.traded(side, market.pair, size)

    (end,) = bot.events.of(ENDED, order_id)
    assert isinstance(end, completed)
    assert end.base_asset_amount == size
    await _require_same_fills(bot, exchange, order_id)
    assert bot.executed(order_id) == size
    assert not bot.connector.in_flight_orders


async def test_a_limit_order_that_crosses_takes_what_is_there(bot: Bot, exchange: Exchange, market: Market) -> None:
    touch = await exchange.touch(market)
    size = market.smallest_size(touch.bid)
    price = market.round_price(touch.ask * Decimal("1.005"))

    order_id = bot.order(TradeType.BUY, market.pair, size, price)

    await bot.events.one(COMPLETED, order_id)
    fills = await _require_same_fills(bot, exchange, order_id)
    assert {fill["liquidity"] for fill in fills.values()} == {"TAKER"}
    assert all(Decimal(fill["price"]) <= price for fill in fills.values())


async def test_a_quote_inside_the_spread_is_taken_by_others_and_pays_the_makers_fee(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    order_id = await _filled_quote(bot, exchange, market)

    fills = await _require_same_fills(bot, exchange, order_id)
    assert {fill["liquidity"] for fill in fills.values()} == {"MAKER"}
    rate = bot.connector.get_fee(
        "BTC", "USDC", OrderType.LIMIT_MAKER, TradeType.BUY, PositionAction.OPEN, Decimal(1), Decimal(1), is_maker=True
    ).percent
    for event in bot.events.of(OrderFilledEvent, order_id):
        (fee,) = event.trade_fee.flat_fees
        assert abs(fee.amount - event.price * event.amount * rate) < Decimal("0.00000002")


async def test_an_order_filled_in_part_can_be_cancelled_and_keeps_its_fills(
    make_bot: MakeBot, exchange: Exchange
) -> None:
    market = await _market_with_the_smallest_touch(exchange)
    bot = await make_bot(trading_pairs=[market.pair])

    for _ in range(ATTEMPTS):
        order_id, size = await _partly_filled(bot, exchange, market)
        bot.connector.cancel(market.pair, order_id)
        if isinstance(await bot.events.one(ENDED, order_id), OrderCancelledEvent):
            break
        await exchange.flatten()  # others have taken the remainder meanwhile

    assert [type(event) for event in bot.events.of(ENDED, order_id)] == [OrderCancelledEvent]
    order = await exchange.closed_order(order_id)
    remaining = Decimal(order["remaining_size"])
    assert 0 < remaining < size
    await until(lambda: bot.executed(order_id) == size - remaining, "what was filled is known")
    await _require_same_fills(bot, exchange, order_id)
    await bot.has_position(market.pair, await exchange.position_size(market))


async def _require_same_fills(bot: Bot, exchange: Exchange, order_id: str) -> dict[str, dict[str, str]]:
    """Compares the fill events of an order with `GET /fills`: which, price, size, fee.

    :return: the exchange's
    """
    events = bot.events.of(OrderFilledEvent, order_id)
    fills = await exchange.fills(order_id, since=bot.created_at)
    assert len(events) == len(fills) > 0
    for event in events:
        fill = fills[event.exchange_trade_id]
        (fee,) = event.trade_fee.flat_fees
        assert (event.price, event.amount) == (Decimal(fill["price"]), Decimal(fill["size"]))
        assert (fee.amount, fee.token) == (Decimal(fill["fee"]), fill["fee_currency"])
        assert event.exchange_order_id == fill["order_id"]
    return fills


async def _filled_quote(bot: Bot, exchange: Exchange, market: Market) -> str:
    """A LIMIT_MAKER bid that others have filled; it follows the market until they do."""
    for _ in range(ATTEMPTS):
        touch = await exchange.touch(market)
        price = max(touch.bid, market.round_price(touch.mid))
        size = market.smallest_size(touch.bid)
        order_id = bot.order(
            TradeType.BUY, market.pair, size, min(price, touch.ask - market.tick), OrderType.LIMIT_MAKER
        )
        try:
            end = await bot.events.one(ENDED, order_id, timeout=PATIENCE)
        except AssertionError:
            bot.connector.cancel(market.pair, order_id)
            end = await bot.events.one(ENDED, order_id)
        if isinstance(end, COMPLETED):
            return order_id
    raise AssertionError(f"nobody took a quote at the top of {market.symbol}")


async def _market_with_the_smallest_touch(exchange: Exchange) -> Market:
    """The market in which it costs the least to take a whole level."""
    costs = {}
    for symbol in ("BTC-USD-PERP", "ETH-USD-PERP", "SOL-USD-PERP", "XRP-USD-PERP", "DOGE-USD-PERP"):
        market = await exchange.market(symbol)
        touch = await exchange.touch(market)
        costs[touch.ask * touch.ask_size] = market
    return costs[min(costs)]


async def _partly_filled(bot: Bot, exchange: Exchange, market: Market) -> tuple[str, Decimal]:
    """An order that has taken the best ask and rests with the remainder, and its size."""
    for _ in range(ATTEMPTS):
        touch = await exchange.touch(market)
        # As much again as the smallest order: the remainder is an order that may stay.
        size = market.round_size(touch.ask_size + market.smallest_size(touch.ask))
        order_id = await bot.placed(TradeType.BUY, market.pair, size, touch.ask)
        order = await exchange.matched_order(order_id)
        if order["status"] == "OPEN" and 0 < Decimal(order["remaining_size"]) < size:
            await bot.events.one(OrderFilledEvent, order_id)
            return order_id, size
        # The level was not what it had been a moment before.
        await exchange.flatten()
        await bot.events.one(ENDED, order_id)
    raise AssertionError(f"no order could be filled in part in {market.symbol}")
