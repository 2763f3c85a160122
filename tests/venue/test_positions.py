"""Positions after trades, beside what the exchange says."""

from decimal import Decimal

import pytest
from hummingbot.core.data_type.common import OrderType, PositionAction, PositionSide, TradeType
from hummingbot.core.event.events import MarketOrderFailureEvent, OrderCancelledEvent, OrderFilledEvent

from tests.venue.bot import ENDED, Bot
from tests.venue.conftest import MakeBot
from tests.venue.exchange import Exchange, Market
from tests.venue.venue import Venue
from tests.venue.waiting import until

pytestmark = pytest.mark.private_payloads


async def test_a_position_grows_shrinks_and_closes_as_on_the_exchange(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    size = market.smallest_size((await exchange.touch(market)).bid)

    for side, action, amount in (
        (TradeType.BUY, PositionAction.OPEN, size),
        (TradeType.BUY, PositionAction.OPEN, 2 * size),
        (TradeType.SELL, PositionAction.CLOSE, size),
        (TradeType.SELL, PositionAction.CLOSE, 0 * size),
    ):
        await bot.traded(side, market.pair, abs(amount - bot.position_amount(market.pair)), action)
        await bot.has_position(market.pair, amount)
        await _require_same_position(bot, exchange, market)


async def test_a_short_position_has_a_negative_amount(bot: Bot, exchange: Exchange, market: Market) -> None:
    size = market.smallest_size((await exchange.touch(market)).bid)

    await bot.traded(TradeType.SELL, market.pair, size)

    await bot.has_position(market.pair, -size)
    position = bot.position(market.pair)
    assert position is not None
    assert position.position_side is PositionSide.SHORT
    await _require_same_position(bot, exchange, market)


async def test_a_position_flips_by_closing_it_and_opening_the_other_side(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    size = market.smallest_size((await exchange.touch(market)).bid)

    await bot.traded(TradeType.BUY, market.pair, size)
    await bot.has_position(market.pair, size)
    await bot.traded(TradeType.SELL, market.pair, size, PositionAction.CLOSE)
    await bot.traded(TradeType.SELL, market.pair, size, PositionAction.OPEN)

    await bot.has_position(market.pair, -size)
    await _require_same_position(bot, exchange, market)


async def test_one_order_to_open_can_turn_a_position_around(bot: Bot, exchange: Exchange, market: Market) -> None:
    size = market.smallest_size((await exchange.touch(market)).bid)
    await bot.traded(TradeType.BUY, market.pair, size)

    await bot.traded(TradeType.SELL, market.pair, 2 * size, PositionAction.OPEN)

    await bot.has_position(market.pair, -size)
    await _require_same_position(bot, exchange, market)


async def test_an_order_to_close_cannot_turn_a_position_around(bot: Bot, exchange: Exchange, market: Market) -> None:
    size = market.smallest_size((await exchange.touch(market)).bid)
    await bot.traded(TradeType.BUY, market.pair, size)
    await bot.has_position(market.pair, size)

    order_id = bot.order(
        TradeType.SELL, market.pair, 2 * size, order_type=OrderType.MARKET, action=PositionAction.CLOSE
    )

    # Refused as a whole, or cut down to the position: either is fine, an opposite position is not.
    end = await bot.events.one(ENDED, order_id)
    assert isinstance(end, MarketOrderFailureEvent | OrderCancelledEvent)
    assert await exchange.position_size(market) == size - bot.executed(order_id) >= 0
    await bot.has_position(market.pair, size - bot.executed(order_id))


async def test_a_limit_order_to_close_rests_as_reduce_only(bot: Bot, exchange: Exchange, market: Market) -> None:
    touch = await exchange.touch(market)
    size = market.smallest_size(touch.bid)
    await bot.traded(TradeType.BUY, market.pair, size)
    price = market.round_price(touch.ask * Decimal("1.02"), up=True)

    order_id = await bot.placed(
        TradeType.SELL, market.pair, size, price, OrderType.LIMIT_MAKER, action=PositionAction.CLOSE
    )

    order = await exchange.matched_order(order_id)
    assert (order["status"], order["flags"]) == ("OPEN", ["REDUCE_ONLY"])
    await bot.cancelled(order_id, pair=market.pair)
    assert await exchange.position_size(market) == size == bot.position_amount(market.pair)


async def test_an_order_to_close_what_is_not_there_fails(bot: Bot, exchange: Exchange, market: Market) -> None:
    size = market.smallest_size((await exchange.touch(market)).bid)

    order_id = bot.order(TradeType.SELL, market.pair, size, order_type=OrderType.MARKET, action=PositionAction.CLOSE)

    failure = await bot.events.one(ENDED, order_id)
    assert isinstance(failure, MarketOrderFailureEvent)
    assert not bot.events.of(OrderFilledEvent)
    assert await exchange.position_size(market) == 0


async def test_a_position_opened_by_hand_is_known(bot: Bot, exchange: Exchange, market: Market) -> None:
    size = market.smallest_size((await exchange.touch(market)).bid)

    await exchange.place(market, "SELL", size)

    await bot.has_position(market.pair, -size)
    await exchange.flatten()
    await bot.has_position(market.pair, Decimal(0))


async def test_a_position_of_before_the_start_is_known(
    make_bot: MakeBot, exchange: Exchange, market: Market, venue: Venue
) -> None:
    size = market.smallest_size((await exchange.touch(market)).bid)
    await exchange.place(market, "BUY", size)
    await until(lambda: exchange.position(market), "the exchange has the position")

    bot = await make_bot()

    await bot.has_position(market.pair, size)
    await _require_same_position(bot, exchange, market)


async def _require_same_position(bot: Bot, exchange: Exchange, market: Market) -> None:
    """Compares amount, entry price and leverage."""
    theirs, ours = await exchange.position(market), bot.position(market.pair)
    if theirs is None:
        assert ours is None
        return
    assert ours is not None
    assert ours.trading_pair == market.pair
    assert ours.amount == Decimal(theirs["size"])
    assert ours.entry_price == Decimal(theirs["average_entry_price"])
    assert ours.leverage == bot.connector.get_leverage(market.pair)
    # The profit moves with the mark price; sent at another moment, it is a little different.
    value = abs(ours.amount) * ours.entry_price
    assert abs(ours.unrealized_pnl - Decimal(theirs["unrealized_pnl"])) < value / 100
