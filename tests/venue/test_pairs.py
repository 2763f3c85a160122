"""Pairs that come and go while the connector runs."""

from decimal import Decimal

from hummingbot.core.data_type.common import OrderType, TradeType

from tests.venue.bot import Bot
from tests.venue.exchange import Exchange, Market
from tests.venue.waiting import until

OTHER = "ETH-USD-PERP"


async def test_a_pair_added_while_running_can_be_traded_and_a_pair_removed_is_gone(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    connector = bot.connector
    other = await exchange.market(OTHER)

    assert await connector.add_trading_pair(other.pair)

    await _moves(bot, other)
    assert connector.ready
    assert connector.get_funding_info(other.pair).mark_price > 0
    price = market.round_price((await exchange.touch(other)).bid * Decimal("0.98"))
    order_id = await bot.placed(TradeType.BUY, other.pair, other.smallest_size(price), price, OrderType.LIMIT_MAKER)
    await bot.cancelled(order_id, pair=other.pair)

    assert await connector.remove_trading_pair(other.pair)

    assert other.pair not in connector.order_books
    assert connector.trading_pairs == [market.pair]
    await _moves(bot, market)
    assert connector.ready


async def test_a_pair_removed_can_be_added_again(bot: Bot, exchange: Exchange) -> None:
    other = await exchange.market(OTHER)

    for _ in range(2):
        assert await bot.connector.add_trading_pair(other.pair)
        await _moves(bot, other)
        assert await bot.connector.remove_trading_pair(other.pair)


async def test_a_pair_that_does_not_exist_is_not_added_and_the_others_go_on(
    bot: Bot, market: Market, expected_errors: list[str]
) -> None:
    expected_errors.append("Error adding trading pair NOSUCHCOIN-USDC")

    assert not await bot.connector.add_trading_pair("NOSUCHCOIN-USDC")

    assert bot.connector.trading_pairs == [market.pair]
    await _moves(bot, market)
    assert bot.connector.ready


async def _moves(bot: Bot, market: Market) -> None:
    seq = bot.book(market.pair).seq
    await until(lambda: bot.book(market.pair).seq > seq + 1, f"the book of {market.pair} moves")
