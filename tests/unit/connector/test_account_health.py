"""How the account stands, and the profit of a position between two messages about it."""

from decimal import Decimal

import pytest
from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_utils as utils
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.core.data_type.funding_info import FundingInfo

from tests.unit.connector import frames, payloads
from tests.unit.connector.payloads import MARKET, NOW, NOW_MS, PAIR
from tests.unit.connector.trader import Trader
from tests.unit.connector.venue import Venue


class TestHealth:
    async def test_it_is_unknown_until_the_exchange_has_told_it(self, exchange: ParadexPerpetualDerivative) -> None:
        assert exchange.account_health is None
        assert exchange.format_status_lines() == [f"Order book not live: {PAIR}"]

    async def test_rest_tells_it(self, exchange: ParadexPerpetualDerivative, venue: Venue) -> None:
        venue.on("GET", "/balance", payloads.page(payloads.balance()))
        venue.on("GET", "/account", payloads.account("10"))
        await exchange._update_balances()
        health = exchange.account_health
        assert health is not None
        assert health == utils.AccountHealth(
            account_value=Decimal(15),
            free_collateral=Decimal(10),
            total_collateral=Decimal(15),
            initial_margin_requirement=Decimal(5),
            maintenance_margin_requirement=Decimal("2.5"),
            margin_cushion=Decimal("12.5"),
            status="ACTIVE",
            updated_at=pytest.approx(NOW),
        )
        assert health.margin_ratio == Decimal("2.5") / 15
        assert health.distance_to_liquidation == Decimal("12.5") / 15

    async def test_the_stream_keeps_it_up_and_what_is_older_does_not_count(self, trader: Trader) -> None:
        await trader.hear("account", payloads.account("10", updated_at=NOW_MS))
        await trader.hear("account", payloads.account("9", updated_at=NOW_MS + 1, status="LIQUIDATION"))
        await trader.hear("account", payloads.account("8", updated_at=NOW_MS - 1))
        health = trader.exchange.account_health
        assert health is not None
        assert (health.free_collateral, health.status) == (Decimal(9), "LIQUIDATION")

    async def test_a_binary_account_says_the_same(self, trader: Trader) -> None:
        from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_web_utils as web_utils

        event = web_utils.decode_frame(frames.account())
        assert isinstance(event, dict)
        await trader.hear("account", event["data"])
        health = trader.exchange.account_health
        assert health is not None
        assert health.margin_cushion == health.account_value - health.maintenance_margin_requirement

    async def test_leverage_is_the_positions_at_mark_prices_over_the_value(self, trader: Trader) -> None:
        await trader.hear("account", payloads.account())
        await trader.hear("positions", payloads.position(size="-0.5", average_entry_price="59000"))
        health = trader.exchange.account_health
        assert health is not None
        assert health.leverage == Decimal(29500) / 15  # no mark price yet
        info = FundingInfo(PAIR, Decimal(1), Decimal("60000"), 0, Decimal(0))
        trader.exchange._perpetual_trading.initialize_funding_info(info)
        health = trader.exchange.account_health
        assert health is not None
        assert (health.notional, health.leverage) == (Decimal(30000), Decimal(2000))

    async def test_an_account_without_value_has_no_ratios(self) -> None:
        health = utils.account_health_from_payload(payloads.account(account_value="0", margin_cushion="-2.5"))
        assert (health.leverage, health.margin_ratio, health.distance_to_liquidation) == (None, None, None)
        assert len(health.lines()) == 2

    async def test_an_account_of_which_not_all_is_told_still_has_its_balances(
        self, exchange: ParadexPerpetualDerivative, venue: Venue
    ) -> None:
        venue.on("GET", "/balance", payloads.page(payloads.balance()))
        venue.on("GET", "/account", payloads.account("10", total_collateral=""))
        await exchange._update_balances()
        assert exchange.available_balances == {"USDC": Decimal(10)}
        assert exchange.account_health is None

    async def test_a_cushion_that_is_not_told_is_computed(self) -> None:
        assert utils.account_health_from_payload(payloads.account(margin_cushion="")).margin_cushion == Decimal("12.5")

    async def test_a_strategy_can_show_it(self, trader: Trader) -> None:
        await trader.hear("account", payloads.account())
        await trader.hear("positions", payloads.position(liquidation_price="20000.50191124"))
        assert trader.exchange.format_status_lines() == [
            "Account ACTIVE: value 15.00, free collateral 10.00 USDC",
            "Margin: initial 5.00, maintenance 2.50 USDC",
            "Leverage 1966.67, distance to liquidation 83.3% of the value",
            f"Liquidation price of {PAIR}: 20000.5",
            f"Order book not live: {PAIR}",
        ]


class TestPositions:
    async def test_the_profit_follows_the_mark_price(self, trader: Trader) -> None:
        exchange = trader.exchange
        await trader.hear(
            "positions",
            payloads.position(
                size="-0.5", average_entry_price="59000", unrealized_pnl="12.5", unrealized_funding_pnl="-0.5"
            ),
        )
        assert exchange.account_positions[PAIR].unrealized_pnl == Decimal("12.5")
        feed_of(exchange)
        exchange._orderbook_ds._on_message(frames.market_summary(mark="58900"))
        assert exchange.account_positions[PAIR].unrealized_pnl == Decimal("49.5")  # half of 100, less the funding
        exchange._orderbook_ds._on_message(frames.market_summary(mark="59100"))
        assert exchange.account_positions[PAIR].unrealized_pnl == Decimal("-50.5")

    async def test_without_a_position_a_mark_price_changes_nothing(self, exchange: ParadexPerpetualDerivative) -> None:
        feed_of(exchange)
        exchange._orderbook_ds._on_message(frames.market_summary(mark="58900"))
        exchange._orderbook_ds._on_message(frames.market_summary(market="DOGE-USD-PERP"))
        assert exchange.account_positions == {}

    async def test_the_liquidation_price_is_that_of_the_open_position(self, trader: Trader, venue: Venue) -> None:
        exchange = trader.exchange
        assert exchange.liquidation_price(PAIR) is None
        await trader.hear("positions", payloads.position(liquidation_price="20000.50191124"))
        assert exchange.liquidation_price(PAIR) == Decimal("20000.50191124")
        await trader.hear("positions", payloads.position(liquidation_price="0", last_updated_at=NOW_MS + 1))
        assert exchange.liquidation_price(PAIR) is None
        await trader.hear("positions", payloads.position(liquidation_price="21000", last_updated_at=NOW_MS + 2))
        await trader.hear("positions", payloads.position(size="0", status="CLOSED", last_updated_at=NOW_MS + 3))
        assert exchange.liquidation_price(PAIR) is None

    async def test_a_position_that_rest_no_longer_has_takes_its_liquidation_price_along(
        self, trader: Trader, venue: Venue
    ) -> None:
        await trader.hear("positions", payloads.position(last_updated_at=NOW_MS - 1000))
        venue.on("GET", "/positions", payloads.page())
        await trader.exchange._update_positions()
        assert trader.exchange.account_positions == {}
        assert trader.exchange.liquidation_price(PAIR) is None


def feed_of(exchange: ParadexPerpetualDerivative) -> None:
    """Has the data source know the market, as it does once it is subscribed."""
    from hummingbot.connector.derivative.paradex_perpetual import (
        paradex_perpetual_api_order_book_data_source as module,
    )

    exchange._orderbook_ds._feeds[MARKET] = module._BookFeed(PAIR, MARKET, utils.Settings(), print)
