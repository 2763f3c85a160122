"""Balances, fees, leverage and funding payments beside what the exchange says."""

import logging
from decimal import Decimal
from typing import Any
from unittest.mock import AsyncMock

import pytest
from hummingbot.core.data_type.common import OrderType, PositionAction, PositionMode, TradeType
from hummingbot.core.event.events import FundingPaymentCompletedEvent, PositionModeChangeEvent

from tests.venue.bot import Bot
from tests.venue.exchange import Exchange, Market
from tests.venue.waiting import until

pytestmark = pytest.mark.private_payloads


async def test_balances_are_the_exchanges(bot: Bot, exchange: Exchange) -> None:
    balances = {entry["token"]: Decimal(entry["size"]) for entry in (await exchange.get("/balance"))["results"]}

    assert bot.connector.get_all_balances() == balances
    account = await exchange.get("/account")
    assert bot.connector.get_available_balance("USDC") == Decimal(account["free_collateral"])


async def test_an_open_order_takes_its_margin_from_what_is_available(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    before = bot.connector.get_available_balance("USDC")
    price = market.round_price((await exchange.touch(market)).bid * Decimal("0.98"))

    order_id = await bot.placed(TradeType.BUY, market.pair, market.smallest_size(price), price, OrderType.LIMIT_MAKER)

    await until(lambda: bot.connector.get_available_balance("USDC") < before, "less is available")

    async def equal() -> bool:  # the mark price moves, and with it what the order takes
        account = await exchange.get("/account")
        return bot.connector.get_available_balance("USDC") == Decimal(account["free_collateral"])

    await until(equal, "both say the same free collateral")
    await bot.cancelled(order_id, pair=market.pair)
    await until(lambda: bot.connector.get_available_balance("USDC") == before, "all is available again")


async def test_the_balance_follows_a_trade_without_a_poll(
    bot: Bot, exchange: Exchange, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot.connector, "_status_polling_loop_fetch_updates", AsyncMock())
    size = market.smallest_size((await exchange.touch(market)).bid)

    await bot.traded(TradeType.BUY, market.pair, size)
    await bot.traded(TradeType.SELL, market.pair, size, PositionAction.CLOSE)

    async def equal() -> bool:
        balances = {entry["token"]: Decimal(entry["size"]) for entry in (await exchange.get("/balance"))["results"]}
        return bot.connector.get_all_balances() == balances

    await until(equal, "both say the same balance")


async def test_fee_estimates_are_the_markets_rates_or_else_the_accounts(bot: Bot, exchange: Exchange) -> None:
    (account,) = (await exchange.get("/account/info"))["results"]
    perpetuals = [market for market in await exchange.markets() if market["asset_kind"] == "PERP"]

    def wrong() -> list[str]:
        """The markets whose estimates are not what the exchange says."""
        return [market["symbol"] for market in perpetuals if _estimates(bot, market) != _rates(market, account)]

    await until(lambda: not wrong(), f"all estimates are right, not wrong for {wrong()}")


async def test_leverage_is_read_and_set_and_refused_above_the_maximum(
    bot: Bot, exchange: Exchange, market: Market, caplog: pytest.LogCaptureFixture
) -> None:
    connector = bot.connector
    original = await _leverage(exchange, market)
    await until(lambda: connector.get_leverage(market.pair) == original, "the exchange's leverage is known")
    wanted = 2 if original != 2 else 3

    try:
        connector.set_leverage(market.pair, wanted)
        await until(lambda: connector.get_leverage(market.pair) == wanted, f"the leverage is {wanted}")
        assert await _leverage(exchange, market) == wanted

        with caplog.at_level(logging.DEBUG):
            connector.set_leverage(market.pair, market.max_leverage + 1)
            await until(lambda: "Error setting leverage" in caplog.text, "the refusal is logged")
        assert f"between 1 and {market.max_leverage}" in caplog.text
        assert connector.get_leverage(market.pair) == await _leverage(exchange, market) == wanted
    finally:
        await exchange.post(f"/account/margin/{market.symbol}", {"leverage": original, "margin_type": "CROSS"})


async def test_one_way_mode_is_there_and_hedge_mode_is_not(bot: Bot) -> None:
    assert bot.connector.supported_position_modes() == [PositionMode.ONEWAY]
    assert bot.connector.position_mode is PositionMode.ONEWAY

    bot.connector.set_position_mode(PositionMode.ONEWAY)
    event = await bot.events.one(PositionModeChangeEvent)

    assert event.position_mode is PositionMode.ONEWAY


async def test_the_funding_that_a_position_has_accrued_is_paid_when_it_changes(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    size = market.smallest_size((await exchange.touch(market)).bid)
    await bot.traded(TradeType.BUY, market.pair, size)

    async def accrued() -> bool:
        position = await exchange.position(market)
        return position is not None and Decimal(position["unrealized_funding_pnl"]) != 0

    await until(accrued, "some funding has accrued", pause=0.2)
    await bot.traded(TradeType.SELL, market.pair, size, PositionAction.CLOSE)

    event = await bot.events.one(FundingPaymentCompletedEvent)
    payment = (await exchange.get("/funding/payments", market=market.symbol, page_size=1))["results"][0]
    assert event.trading_pair == market.pair
    assert event.amount == Decimal(payment["payment"]) != 0
    assert event.timestamp == pytest.approx(payment["created_at"] / 1e3)
    assert abs(event.funding_rate - Decimal((await exchange.summary(market))["funding_rate"])) < Decimal("0.00001")
    assert len(bot.events.of(FundingPaymentCompletedEvent)) == 1


async def test_a_payment_of_before_the_start_is_not_announced_again(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    latest = await exchange.get("/funding/payments", market=market.symbol, page_size=1)
    known = latest["results"][0]["created_at"] / 1e3 if latest["results"] else 0

    await until(
        lambda: bot.connector._last_funding_fee_payment_ts.get(market.pair) is not None, "the last payment is known"
    )

    assert bot.connector._last_funding_fee_payment_ts[market.pair] == pytest.approx(known)
    assert not bot.events.of(FundingPaymentCompletedEvent)


async def _leverage(exchange: Exchange, market: Market) -> int:
    answer = await exchange.get("/account/margin", market=market.symbol)
    return next(entry["leverage"] for entry in answer["configs"] if entry["market"] == market.symbol)


def _rates(market: dict[str, Any], account: dict[str, Any]) -> list[Decimal]:
    """Maker and taker rate: the market's own where it has some, else the account's."""
    fees = (market.get("fee_config") or {}).get("api_fee") or {}
    return [
        Decimal((fees.get(f"{liquidity}_fee") or {}).get("fee") or account["fees"][f"{liquidity}_rate"])
        for liquidity in ("maker", "taker")
    ]


def _estimates(bot: Bot, market: dict[str, Any]) -> list[Decimal]:
    """Maker and taker rate as the connector estimates them."""
    order = (OrderType.LIMIT, TradeType.BUY, PositionAction.OPEN, Decimal(1), Decimal(100))
    return [
        bot.connector.get_fee(market["base_currency"], "USDC", *order, is_maker=is_maker).percent
        for is_maker in (True, False)
    ]
