"""What single orders can say, and positions that are too small for an order."""

from decimal import Decimal

import pytest
from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType
from hummingbot.core.event.events import MarketOrderFailureEvent, OrderFilledEvent

from tests.venue.bot import CREATED, ENDED, Bot
from tests.venue.conftest import MakeBot
from tests.venue.exchange import Exchange, Market


async def far_bid(exchange: Exchange, market: Market) -> tuple[Decimal, Decimal]:
    """Price and size of a bid that nobody takes."""
    price = market.round_price((await exchange.touch(market)).bid * Decimal("0.98"))
    return price, market.smallest_size(price)


async def test_what_an_ioc_order_does_not_get_at_once_is_cancelled(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    price, size = await far_bid(exchange, market)

    order_id = bot.order(TradeType.BUY, market.pair, size, price, ioc=True)

    await bot.events.one(ENDED, order_id)
    order = await exchange.closed_order(order_id)
    assert (order["instruction"], Decimal(order["remaining_size"])) == ("IOC", size)


async def test_self_trade_mode_and_reduce_only_reach_the_exchange(bot: Bot, exchange: Exchange, market: Market) -> None:
    _, size = await far_bid(exchange, market)
    await bot.traded(TradeType.BUY, market.pair, size)
    price = market.round_price((await exchange.touch(market)).ask * Decimal("1.02"), up=True)

    order_id = await bot.placed(
        TradeType.SELL, market.pair, size, price, reduce_only=True, self_trade_mode="EXPIRE_BOTH"
    )

    order = await exchange.matched_order(order_id)
    assert (order["stp"], order["flags"]) == ("EXPIRE_BOTH", ["REDUCE_ONLY"])


async def test_settings_are_the_defaults_of_all_orders(make_bot: MakeBot, exchange: Exchange, market: Market) -> None:
    bot = await make_bot(settings={"self_trade_mode": "EXPIRE_MAKER", "recv_window": 5000})
    price, size = await far_bid(exchange, market)

    order_id = await bot.placed(TradeType.BUY, market.pair, size, price, OrderType.LIMIT_MAKER)

    assert (await exchange.matched_order(order_id))["stp"] == "EXPIRE_MAKER"


async def test_an_rpi_order_rests_or_the_account_may_not_place_it(
    make_bot: MakeBot, exchange: Exchange, market: Market
) -> None:
    bot = await make_bot(settings={"rpi": True})
    price, size = await far_bid(exchange, market)

    order_id = bot.order(TradeType.BUY, market.pair, size, price, OrderType.LIMIT_MAKER)

    event = await bot.events.one((*CREATED, MarketOrderFailureEvent), order_id)
    if isinstance(event, MarketOrderFailureEvent):
        assert "RPI_ACCOUNT_NOT_WHITELISTED" in event.error_message
    else:
        order = await exchange.matched_order(order_id)
        assert (order["instruction"], order["status"]) == ("RPI", "OPEN")


async def test_an_rpi_order_as_taker_is_not_sent(bot: Bot, exchange: Exchange, market: Market) -> None:
    price, size = await far_bid(exchange, market)

    order_id = bot.order(TradeType.BUY, market.pair, size, price, OrderType.LIMIT, rpi=True)

    failure = await bot.events.one(MarketOrderFailureEvent, order_id)
    assert "An RPI order only makes" in failure.error_message
    assert await exchange.order(order_id) is None


async def test_a_market_order_with_a_bound_trades_within_it(bot: Bot, exchange: Exchange, market: Market) -> None:
    _, size = await far_bid(exchange, market)
    slippage = Decimal("0.005")
    worst = (await exchange.touch(market)).ask * (1 + 2 * slippage)  # the book moves meanwhile

    order_id = bot.order(TradeType.BUY, market.pair, size, order_type=OrderType.MARKET, max_slippage=slippage)

    await bot.events.one(ENDED, order_id)
    order = await exchange.closed_order(order_id)
    assert (order["type"], order["instruction"]) == ("LIMIT", "IOC")
    assert bot.executed(order_id) == size
    assert all(event.price <= worst for event in bot.events.of(OrderFilledEvent, order_id))
    assert Decimal(order["price"]) <= worst


@pytest.mark.private_payloads
async def test_a_position_below_the_minimum_notional_can_be_closed(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    price, size = await far_bid(exchange, market)
    assert market.step * price < market.min_notional, "a step of this market is no small position"
    await bot.traded(TradeType.BUY, market.pair, 2 * size + market.step)
    await bot.traded(TradeType.SELL, market.pair, 2 * size, PositionAction.CLOSE)
    await bot.has_position(market.pair, market.step)

    await bot.traded(TradeType.SELL, market.pair, market.step, PositionAction.CLOSE)

    await bot.has_position(market.pair, Decimal(0))
    assert await exchange.is_flat()
