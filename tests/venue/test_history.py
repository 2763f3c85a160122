"""The account's health, and what the account and the market have done."""

import time
from dataclasses import fields
from decimal import Decimal

import pytest
from hummingbot.core.data_type.common import PositionAction, TradeType

from tests.venue.bot import Bot
from tests.venue.exchange import Exchange, Market
from tests.venue.waiting import until

pytestmark = pytest.mark.private_payloads
NUMBERS = ("account_value", "free_collateral", "total_collateral", "initial_margin_requirement", "margin_cushion")


async def test_the_accounts_health_is_the_exchanges(bot: Bot, exchange: Exchange) -> None:
    account = await exchange.get("/account")

    health = bot.connector.account_health

    assert health is not None
    assert {name: getattr(health, name) for name in NUMBERS} == {name: Decimal(account[name]) for name in NUMBERS}
    assert health.status == account["status"] == "ACTIVE"
    assert all(getattr(health, field.name) is not None for field in fields(health))
    assert (health.leverage, health.margin_ratio, health.distance_to_liquidation) == (0, 0, 1)


async def test_a_position_shows_in_health_profit_and_liquidation_price(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    size = market.smallest_size((await exchange.touch(market)).bid)
    await bot.traded(TradeType.BUY, market.pair, size)
    await bot.has_position(market.pair, size)

    await until(lambda: bot.connector.account_health.leverage, "the health has heard of the position")
    health = bot.connector.account_health
    assert health.maintenance_margin_requirement > 0
    assert 0 < health.distance_to_liquidation < 1
    mark = bot.connector.get_funding_info(market.pair).mark_price
    assert abs(health.notional / (size * mark) - 1) < Decimal("0.01")
    assert any("Leverage" in line for line in bot.connector.format_status_lines())

    # The mark price moves, and nothing else happens: the profit follows without a message about the position.
    before = bot.position(market.pair).unrealized_pnl
    await until(lambda: bot.position(market.pair).unrealized_pnl != before, "the profit follows the mark price")

    await bot.traded(TradeType.SELL, market.pair, size, PositionAction.CLOSE)
    await until(lambda: bot.connector.account_health.leverage == 0, "the health has heard of its end")
    assert bot.connector.liquidation_price(market.pair) is None


async def test_fills_orders_trades_and_funding_of_a_round_trip_are_in_the_history(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    begun = time.time() - 5
    size = market.smallest_size((await exchange.touch(market)).bid)
    opened = await bot.traded(TradeType.BUY, market.pair, size)
    closed = await bot.traded(TradeType.SELL, market.pair, size, PositionAction.CLOSE)
    history = bot.connector.history

    fills = await history.fills(market.pair, start=begun)
    orders = await history.orders(market.pair, start=begun)
    mine = [fill for fill in fills if fill.client_order_id in (opened, closed)]
    assert [fill.client_order_id for fill in mine] == sorted(
        (fill.client_order_id for fill in mine), key=[opened, closed].index
    )
    assert sum(fill.size for fill in mine) == 2 * size
    assert {fill.trading_pair for fill in mine} == {market.pair}
    assert sum((event.amount for event in bot.events.log if hasattr(event, "trade_fee")), Decimal(0)) == 2 * size
    assert {order.client_order_id for order in orders} >= {opened, closed}
    assert all(order.remaining_size == 0 for order in orders if order.client_order_id in (opened, closed))
    assert await history.fills(market.pair, start=begun + 3600) == []

    trades = await history.trades(market.pair, start=begun)
    assert sum(trade.size for trade in trades) >= 2 * size
    assert [trade.timestamp for trade in trades] == sorted(trade.timestamp for trade in trades)
    payments = await history.funding_payments(market.pair)
    told = (await exchange.get("/funding/payments", market=market.symbol, page_size=1000))["results"]
    assert [payment.payment for payment in payments] == [Decimal(entry["payment"]) for entry in reversed(told)]


async def test_lists_are_read_page_by_page(
    bot: Bot, exchange: Exchange, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = market.smallest_size((await exchange.touch(market)).bid)
    for _ in range(2):
        await bot.traded(TradeType.BUY, market.pair, size)
        await bot.traded(TradeType.SELL, market.pair, size, PositionAction.CLOSE)
    whole = await bot.connector.history.orders(market.pair)

    monkeypatch.setattr("hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_constants.PAGE_SIZE", 2)

    assert await bot.connector.history.orders(market.pair, start=whole[-4].created_at) == whole[-4:]


async def test_equity_and_funding_rates_have_a_history(bot: Bot, market: Market) -> None:
    points = await bot.connector.history.account("value")
    assert [point.timestamp for point in points] == sorted(point.timestamp for point in points)
    assert all(point.value > 0 for point in points)
    assert await bot.connector.history.account("value", end=1.0) == []
    with pytest.raises(ValueError, match="fee_savings, not 'equity'"):
        await bot.connector.history.account("equity")

    rates = await bot.connector.history.funding_rates(market.pair, start=time.time() - 600)
    assert {rate.trading_pair for rate in rates} <= {market.pair}
    assert all(abs(rate.funding_rate) < 1 for rate in rates)
