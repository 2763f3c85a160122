"""Money: balances, positions, leverage, fees, funding, the order class, and trades that are undone."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.connector.markets_recorder import MarketsRecorder
from hummingbot.core.data_type.common import OrderType, PositionAction, PositionSide, TradeType
from hummingbot.model.funding_payment import FundingPayment
from hummingbot.model.sql_connection_manager import SQLConnectionManager, SQLConnectionType

from tests.unit.connector import frames, payloads
from tests.unit.connector.payloads import ETH_MARKET, ETH_PAIR, MARKET, NOW, NOW_MS, PAIR, Payload
from tests.unit.connector.trader import Trader, eventually, settle
from tests.unit.connector.venue import Request, Venue, refusal

Make = Callable[..., ParadexPerpetualDerivative]


class TestBalances:
    @pytest.fixture(autouse=True)
    def balances(self, venue: Venue) -> None:
        venue.on("GET", "/balance", payloads.page(payloads.balance("USDC", "15"), payloads.balance("DIME", "3")))
        venue.on("GET", "/account", payloads.account("10"))

    async def test_of_usdc_the_free_collateral_is_available(self, exchange: ParadexPerpetualDerivative) -> None:
        await exchange._update_balances()
        assert exchange.get_all_balances() == {"USDC": Decimal(15), "DIME": Decimal(3)}
        assert exchange.available_balances == {"USDC": Decimal(10), "DIME": Decimal(3)}

    async def test_a_token_that_is_gone_is_gone(self, venue: Venue, exchange: ParadexPerpetualDerivative) -> None:
        await exchange._update_balances()
        venue.on("GET", "/balance", payloads.page(payloads.balance("USDC", "15")))
        await exchange._update_balances()
        assert exchange.get_all_balances() == {"USDC": Decimal(15)}

    async def test_the_stream_keeps_them_up(self, trader: Trader) -> None:
        await trader.exchange._update_balances()
        await trader.hear("account", payloads.account("8.5"))
        await trader.hear("balance_events", payloads.balance_event("14.25"), payloads.balance_event("2", "DIME"))
        assert trader.exchange.available_balances["USDC"] == Decimal("8.5")
        assert trader.exchange.get_all_balances() == {"USDC": Decimal("14.25"), "DIME": Decimal(2)}

    async def test_binary_account_messages_do_too(self, trader: Trader) -> None:
        await trader.exchange._update_balances()
        event = web_utils.decode_frame(frames.account("7.5"))
        assert isinstance(event, dict)
        await trader.hear(event["channel"], event["data"])
        assert trader.exchange.available_balances["USDC"] == Decimal("7.5")

    async def test_an_account_message_makes_no_balance_where_there_is_none(self, trader: Trader) -> None:
        await trader.hear("account", payloads.account("0"))
        assert trader.exchange.get_all_balances() == trader.exchange.available_balances == {}

    async def test_an_answer_that_was_asked_for_before_the_stream_told_something_does_not_undo_it(
        self, venue: Venue, exchange: ParadexPerpetualDerivative
    ) -> None:
        await exchange._update_balances()

        def told_meanwhile(_: Request) -> Payload:
            exchange._process_user_event("balance_events", payloads.balance_event("14", created_at=NOW_MS + 5))
            exchange._process_user_event("balance_events", payloads.balance_event("7", "NEW", created_at=NOW_MS + 5))
            exchange._process_user_event("account", payloads.account("8", updated_at=NOW_MS + 5))
            return payloads.page(payloads.balance("USDC", "15"), payloads.balance("DIME", "4"))

        venue.on("GET", "/balance", told_meanwhile)
        await exchange._update_balances()
        assert exchange.get_all_balances() == {"USDC": Decimal(14), "DIME": Decimal(4), "NEW": Decimal(7)}
        assert exchange.available_balances["USDC"] == Decimal(8)
        assert exchange.account_health is not None
        assert exchange.account_health.free_collateral == Decimal(8)
        exchange._process_user_event("account", payloads.account("9", updated_at=NOW_MS + 3))  # late, not newer
        assert exchange.available_balances["USDC"] == Decimal(8)
        venue.on("GET", "/balance", payloads.page(payloads.balance("USDC", "13")))
        await exchange._update_balances()
        assert exchange.get_all_balances() == {"USDC": Decimal(13)}
        assert exchange.available_balances["USDC"] == Decimal(10)

    async def test_a_message_that_comes_late_does_not_undo_a_newer_one_or_a_newer_answer(
        self, venue: Venue, trader: Trader
    ) -> None:
        await trader.exchange._update_balances()
        await trader.hear("balance_events", payloads.balance_event("14", created_at=NOW_MS + 2))
        await trader.hear("balance_events", payloads.balance_event("99", created_at=NOW_MS + 1))
        await trader.hear("account", payloads.account("8", updated_at=NOW_MS + 2))
        await trader.hear("account", payloads.account("99", updated_at=NOW_MS + 1))
        assert trader.exchange.get_all_balances()["USDC"] == Decimal(14)
        assert trader.exchange.available_balances["USDC"] == Decimal(8)
        later = payloads.balance("USDC", "13", last_updated_at=NOW_MS + 9)
        venue.on("GET", "/balance", payloads.page(later))
        venue.on("GET", "/account", payloads.account("7", updated_at=NOW_MS + 9))
        await trader.exchange._update_balances()
        await trader.hear("balance_events", payloads.balance_event("99", created_at=NOW_MS + 8))
        await trader.hear("account", payloads.account("99", updated_at=NOW_MS + 8))
        assert trader.exchange.get_all_balances()["USDC"] == Decimal(13)
        assert trader.exchange.available_balances["USDC"] == Decimal(7)

    @pytest.mark.parametrize("path", ["/balance", "/account"])
    async def test_a_failure_leaves_them_as_they_were(
        self, venue: Venue, exchange: ParadexPerpetualDerivative, path: str
    ) -> None:
        await exchange._update_balances()
        venue.on("GET", path, refusal("SERVICE_UNAVAILABLE", 503))
        with pytest.raises(web_utils.NoAnswerError):
            await exchange._update_balances()
        assert exchange.get_all_balances() == {"USDC": Decimal(15), "DIME": Decimal(3)}
        assert exchange.available_balances["USDC"] == Decimal(10)


class TestPositions:
    async def test_they_are_read_with_their_sign(self, venue: Venue, exchange: ParadexPerpetualDerivative) -> None:
        exchange._perpetual_trading.set_leverage(PAIR, 5)
        short = payloads.position(ETH_MARKET, "-2")
        venue.on("GET", "/positions", payloads.page(payloads.position(), short, payloads.position("ETH-USD", "9")))
        await exchange._update_positions()
        assert set(exchange.account_positions) == {PAIR, ETH_PAIR}
        long, short = exchange.account_positions[PAIR], exchange.account_positions[ETH_PAIR]
        assert (long.position_side, long.amount, long.leverage) == (PositionSide.LONG, Decimal("0.5"), 5)
        assert (short.position_side, short.amount) == (PositionSide.SHORT, Decimal("-2"))

    async def test_what_the_exchange_does_not_report_any_more_is_gone(
        self, venue: Venue, exchange: ParadexPerpetualDerivative
    ) -> None:
        venue.on("GET", "/positions", payloads.page(payloads.position()), payloads.page())
        await exchange._update_positions()
        exchange._time_synchronizer.add_time_offset_ms_sample(10_000)  # some time later
        await exchange._update_positions()
        assert exchange.account_positions == {}

    @pytest.mark.parametrize("age", [-5, 60_000])
    async def test_one_that_the_stream_opened_during_the_request_stays_whatever_the_clocks_say(
        self, venue: Venue, exchange: ParadexPerpetualDerivative, age: int
    ) -> None:
        def opened_meanwhile(_: Request) -> Payload:
            exchange._process_user_event("positions", payloads.position(last_updated_at=NOW_MS - age))
            return payloads.page()

        venue.on("GET", "/positions", opened_meanwhile)
        await exchange._update_positions()
        assert set(exchange.account_positions) == {PAIR}

    async def test_an_older_message_loses_against_a_newer_one(self, venue: Venue, trader: Trader) -> None:
        await trader.hear("positions", payloads.position(size="0.7", last_updated_at=NOW_MS + 2))
        await trader.hear("positions", payloads.position(size="0.5", last_updated_at=NOW_MS + 1))
        venue.on("GET", "/positions", payloads.page(payloads.position(size="0.4", last_updated_at=NOW_MS)))
        await trader.exchange._update_positions()
        assert trader.exchange.account_positions[PAIR].amount == Decimal("0.7")
        await trader.hear("positions", payloads.position(size="0.6", last_updated_at=NOW_MS + 3))
        assert trader.exchange.account_positions[PAIR].amount == Decimal("0.6")

    @pytest.mark.parametrize("end", [{"size": "0"}, {"size": "0", "status": "CLOSED"}])
    async def test_a_closed_one_is_removed_and_an_older_message_does_not_bring_it_back(
        self, trader: Trader, end: dict[str, str]
    ) -> None:
        await trader.hear("positions", payloads.position(last_updated_at=NOW_MS + 1))
        await trader.hear("positions", payloads.position(last_updated_at=NOW_MS + 2, **end))
        assert trader.exchange.account_positions == {}
        await trader.hear("positions", payloads.position(last_updated_at=NOW_MS + 1))
        assert trader.exchange.account_positions == {}

    async def test_a_position_that_changes_sides_does(self, trader: Trader) -> None:
        await trader.hear("positions", payloads.position(size="0.5", last_updated_at=NOW_MS + 1))
        await trader.hear("positions", payloads.position(size="-0.2", last_updated_at=NOW_MS + 2))
        assert trader.exchange.account_positions[PAIR].position_side is PositionSide.SHORT
        assert len(trader.exchange.account_positions) == 1

    async def test_its_profit_follows_the_mark_price_with_the_funding_that_has_accrued(self, trader: Trader) -> None:
        for funding, profit in (("0.1", "500.1"), (None, "500"), ("", "500")):
            await trader.hear("positions", payloads.position(size="0.5", unrealized_funding_pnl=funding))
            trader.exchange.mark_price_changed(PAIR, Decimal(60000))
            assert trader.exchange.account_positions[PAIR].unrealized_pnl == Decimal(profit)

    async def test_binary_messages_are_understood(self, trader: Trader) -> None:
        event = web_utils.decode_frame(frames.position("0.25", "SHORT"))
        assert isinstance(event, dict)
        await trader.hear(event["channel"], event["data"])
        assert trader.exchange.account_positions[PAIR].amount == Decimal("-0.25")

    async def test_positions_are_one_way(self, exchange: ParadexPerpetualDerivative) -> None:
        from hummingbot.core.data_type.common import PositionMode

        assert await exchange._trading_pair_position_mode_set(PositionMode.ONEWAY, PAIR) == (True, "")
        accepted, message = await exchange._trading_pair_position_mode_set(PositionMode.HEDGE, PAIR)
        assert not accepted
        assert "no hedge mode" in message


class TestLeverage:
    async def test_it_is_read_from_the_exchange_once(self, venue: Venue, exchange: ParadexPerpetualDerivative) -> None:
        venue.on("GET", "/account/margin", payloads.margin(leverage=7))
        await asyncio.gather(exchange._update_leverage(), exchange._update_leverage())  # as two polls at the start do
        await exchange._update_leverage()
        assert exchange.get_leverage(PAIR) == 7
        assert [request.query for request in venue.asked("GET", "/account/margin")] == [{"market": MARKET}]

    async def test_a_pair_that_does_not_exist_keeps_no_other_from_it_and_stands_in_the_status(
        self, venue: Venue, make_exchange: Make
    ) -> None:
        exchange = make_exchange(trading_pairs=["FOO-USDC", PAIR])
        venue.on("GET", "/account/margin", payloads.margin(leverage=7))
        await exchange._update_leverage()
        assert exchange.get_leverage(PAIR) == 7
        assert "There is no perpetual FOO-USDC on Paradex." in "\n".join(exchange.format_status_lines())
        assert f"Order book not live: {PAIR}" in exchange.format_status_lines()

    async def test_a_market_without_a_setting_keeps_what_it_has(
        self, venue: Venue, exchange: ParadexPerpetualDerivative
    ) -> None:
        venue.on("GET", "/account/margin", {"account": payloads.ADDRESS, "configs": None})
        await exchange._update_leverage()
        assert exchange.get_leverage(PAIR) == 1

    async def test_isolated_margin_is_said(
        self, venue: Venue, exchange: ParadexPerpetualDerivative, log: pytest.LogCaptureFixture
    ) -> None:
        venue.on("GET", "/account/margin", payloads.margin(margin_type="ISOLATED"))
        await exchange._update_leverage()
        assert "BTC-USD-PERP is set to ISOLATED margin on Paradex" in log.text
        assert "change it on the exchange" in log.text

    async def test_it_is_set_with_cross_margin(self, venue: Venue, exchange: ParadexPerpetualDerivative) -> None:
        venue.on("POST", f"/account/margin/{MARKET}", {"leverage": 9})
        await exchange._execute_set_leverage(PAIR, 9)
        assert exchange.get_leverage(PAIR) == 9
        (request,) = venue.asked("POST", f"/account/margin/{MARKET}")
        assert request.body == {"leverage": 9, "margin_type": "CROSS"}

    async def test_what_has_been_set_is_not_overwritten_by_an_older_reading(
        self, venue: Venue, exchange: ParadexPerpetualDerivative
    ) -> None:
        venue.on("POST", f"/account/margin/{MARKET}", {"leverage": 9})

        async def set_meanwhile(_: Request) -> Payload:
            await exchange._execute_set_leverage(PAIR, 9)
            return payloads.margin(leverage=5)

        venue.on("GET", "/account/margin", set_meanwhile)
        await exchange._update_leverage()
        assert exchange.get_leverage(PAIR) == 9

    @pytest.mark.parametrize("leverage", [0, -1, 51, 1000, Decimal("2.5")])
    async def test_more_than_the_market_allows_is_refused_here(
        self, venue: Venue, exchange: ParadexPerpetualDerivative, log: pytest.LogCaptureFixture, leverage: int
    ) -> None:
        await exchange._execute_set_leverage(PAIR, leverage)
        assert exchange.get_leverage(PAIR) == 1
        assert venue.requests == []
        assert f"BTC-USDC on Paradex is a whole number, between 1 and 50, not {leverage}" in log.text

    @pytest.mark.parametrize("answer", [refusal("MARKET_MARGIN_RESTRICTED"), refusal("SERVICE_UNAVAILABLE", 503)])
    async def test_a_refusal_of_the_exchange_is_said(
        self, venue: Venue, exchange: ParadexPerpetualDerivative, log: pytest.LogCaptureFixture, answer: Any
    ) -> None:
        venue.on("POST", f"/account/margin/{MARKET}", answer)
        await exchange._execute_set_leverage(PAIR, 9)
        assert exchange.get_leverage(PAIR) == 1
        assert f"Error setting leverage 9 for {PAIR}" in log.text


def fee(exchange: ParadexPerpetualDerivative, order_type: OrderType, is_maker: bool | None = None) -> Decimal:
    """The rate that is expected for an order."""
    estimate = exchange.get_fee(
        "BTC", "USDC", order_type, TradeType.BUY, PositionAction.OPEN, Decimal(1), Decimal(60000), is_maker
    )
    assert estimate.flat_fees == []
    return estimate.percent


class TestFees:
    async def test_a_markets_own_rates_come_first(self, exchange: ParadexPerpetualDerivative) -> None:
        exchange._account_fees = (Decimal("0.1"), Decimal("0.2"))
        assert fee(exchange, OrderType.LIMIT_MAKER) == Decimal("0.00003")
        assert fee(exchange, OrderType.LIMIT) == Decimal("0.00045")
        assert fee(exchange, OrderType.MARKET) == Decimal("0.00045")
        assert fee(exchange, OrderType.LIMIT, is_maker=True) == Decimal("0.00003")

    async def test_then_the_accounts_own(self, venue: Venue, exchange: ParadexPerpetualDerivative) -> None:
        exchange._markets[PAIR] = payloads.market(fee_config=None)
        sub_account = payloads.account_info("0.3", "0.4", address="0x99")
        venue.on("GET", "/account/info", payloads.page(sub_account, payloads.account_info("0.00001", "0.0002")))
        await exchange._update_trading_fees()
        assert fee(exchange, OrderType.LIMIT_MAKER) == Decimal("0.00001")
        assert fee(exchange, OrderType.MARKET) == Decimal("0.0002")

    async def test_then_those_of_the_lowest_tier(self, exchange: ParadexPerpetualDerivative) -> None:
        exchange._markets.clear()
        assert fee(exchange, OrderType.LIMIT_MAKER) == Decimal("0.00003")
        assert fee(exchange, OrderType.MARKET) == Decimal("0.00045")

    async def test_retail_orders_cost_what_the_market_says_for_them_or_nothing(self, make_exchange: Make) -> None:
        exchange = make_exchange(paradex_perpetual_order_class="retail")
        assert fee(exchange, OrderType.MARKET) == 0
        exchange._markets[PAIR]["fee_config"]["interactive_fee"]["taker_fee"] = {"fee": "0.0001"}
        assert fee(exchange, OrderType.MARKET) == Decimal("0.0001")
        exchange._markets[PAIR] = payloads.market(fee_config=None)
        exchange._account_fees = (Decimal("0.1"), Decimal("0.2"))
        assert fee(exchange, OrderType.MARKET) == 0


class TestOrderClass:
    async def test_retail_has_its_limits_and_its_token(self, venue: Venue, make_exchange: Make) -> None:
        exchange = make_exchange(paradex_perpetual_order_class="retail")
        assert exchange.order_class == "retail"
        assert "retail_day" in {limit.limit_id for limit in exchange.rate_limits_rules}
        await exchange._auth.token()
        assert venue.asked("POST", "/auth/*")[0].query == {"token_usage": "interactive"}

    async def test_it_comes_from_the_configuration_too(self, make_exchange: Make) -> None:
        class Configuration:
            paradex_perpetual_sandbox_order_class = "retail"

        assert make_exchange(connector_configuration=Configuration()).order_class == "retail"
        assert make_exchange().order_class == "pro"
        with pytest.raises(ValueError, match="order class is pro or retail"):
            make_exchange(paradex_perpetual_order_class="vip")

    async def test_its_loss_is_said_once_and_so_is_its_return(
        self, venue: Venue, make_exchange: Make, log: pytest.LogCaptureFixture
    ) -> None:
        trader = Trader(make_exchange(paradex_perpetual_order_class="retail"), venue)
        trader.track("mine")
        retail, pro = (payloads.order("mine", flags=flags) for flags in (["INTERACTIVE"], []))
        lost, back = "orders as Pro although the order class is retail", "orders as Retail again"
        await trader.hear("orders.ALL", retail, retail)
        assert lost not in log.text
        await trader.hear("orders.ALL", pro, pro, pro)
        assert log.text.count(lost) == 1
        assert fee(trader.exchange, OrderType.MARKET) == Decimal("0.00045")
        await trader.hear("orders.ALL", retail, retail)
        assert log.text.count(back) == 1
        assert fee(trader.exchange, OrderType.MARKET) == 0
        await trader.hear("orders.ALL", pro)
        assert log.text.count(lost) == 2

    async def test_a_pro_bot_has_nothing_to_lose(self, trader: Trader, log: pytest.LogCaptureFixture) -> None:
        trader.track()
        await trader.hear("orders.ALL", payloads.order("mine"))
        assert "Retail" not in log.text


class TestFunding:
    async def test_the_recorder_keeps_each_of_the_payments_of_one_millisecond(
        self, funded: Trader, tmp_path: Path
    ) -> None:
        """It looks them up by their time alone, in whatever pair they are."""
        config: Any = SimpleNamespace(db_mode=SimpleNamespace(get_url=lambda path: f"sqlite:///{path}"))
        database = SQLConnectionManager(config, SQLConnectionType.TRADE_FILLS, str(tmp_path / "bot.sqlite"))
        collection: Any = SimpleNamespace(market_data_collection_enabled=False)
        recorder = MarketsRecorder(database, [funded.exchange], "bot.yml", "bot", collection)
        recorder.start()
        for number, market in enumerate((MARKET, ETH_MARKET)):
            payment = payloads.funding_payment(str(1 + number), market, id=str(number))
            await funded.hear(f"funding_payments.{market}", payment, payment)
        recorder.stop()
        with database.get_new_session() as session:
            recorded = FundingPayment.get_funding_payments(session)
        assert recorded is not None
        assert sorted((payment.symbol, payment.amount) for payment in recorded) == [(PAIR, 1.0), (ETH_PAIR, 2.0)]
        assert [event.timestamp for event in funded.funded()] == pytest.approx([NOW, NOW], abs=0.002)

    @pytest.fixture
    def funded(self, trader: Trader) -> Trader:
        """A trader that has been told the present funding rate."""
        info = trader.exchange._perpetual_trading
        from hummingbot.core.data_type.funding_info import FundingInfo

        info.initialize_funding_info(FundingInfo(PAIR, Decimal(1), Decimal(1), 0, Decimal("0.0001")))
        return trader

    async def test_the_last_payment_is_the_newest(self, venue: Venue, funded: Trader) -> None:
        venue.on(
            "GET",
            "/funding/payments",
            payloads.page(
                payloads.funding_payment("1", created_at=NOW_MS - 5000),
                payloads.funding_payment("-2.5", created_at=NOW_MS),
                payloads.funding_payment("3", created_at=NOW_MS - 9000),
            ),
        )
        timestamp, rate, payment = await funded.exchange._fetch_last_fee_payment(PAIR)
        assert timestamp == pytest.approx(NOW)
        assert (rate, payment) == (Decimal("0.0001"), Decimal("-2.5"))
        assert venue.asked("GET", "/funding/payments")[0].query["market"] == MARKET

    async def test_without_a_payment_there_is_none(self, venue: Venue, funded: Trader) -> None:
        venue.on("GET", "/funding/payments", payloads.page())
        assert await funded.exchange._fetch_last_fee_payment(PAIR) == (0, Decimal(-1), Decimal(-1))

    async def test_a_payment_is_told_once_whoever_tells_it(self, venue: Venue, funded: Trader) -> None:
        venue.on("GET", "/funding/payments", payloads.page())
        await funded.exchange._update_funding_payment(PAIR, fire_event_on_new=False)
        payment = payloads.funding_payment("-2.5", created_at=NOW_MS)
        venue.on("GET", "/funding/payments", payloads.page(payment))
        await funded.hear(f"funding_payments.{MARKET}", payment, payment)
        await funded.exchange._update_funding_payment(PAIR, fire_event_on_new=True)
        (event,) = funded.funded()
        assert (event.trading_pair, event.amount, event.funding_rate) == (PAIR, Decimal("-2.5"), Decimal("0.0001"))
        assert event.timestamp == pytest.approx(NOW)
        await funded.hear(f"funding_payments.{MARKET}", payloads.funding_payment("4", id="2", created_at=NOW_MS + 1000))
        assert [event.amount for event in funded.funded()] == [Decimal("-2.5"), Decimal(4)]

    async def test_payments_of_before_the_start_are_not_told(self, venue: Venue, funded: Trader) -> None:
        venue.on("GET", "/funding/payments", payloads.page(payloads.funding_payment(created_at=NOW_MS)))
        await funded.exchange._update_funding_payment(PAIR, fire_event_on_new=False)
        await funded.exchange._update_funding_payment(PAIR, fire_event_on_new=True)
        assert funded.funded() == []

    async def test_payments_of_an_outage_are_all_told_once_and_in_order(self, venue: Venue, funded: Trader) -> None:
        before, first, second, third = (
            payloads.funding_payment(str(number), id=str(number), created_at=NOW_MS + 1000 * number)
            for number in range(4)
        )
        venue.on("GET", "/funding/payments", payloads.page(before))
        await funded.exchange._update_funding_payment(PAIR, fire_event_on_new=False)
        venue.on("GET", "/funding/payments", payloads.page(second, first, before))
        await funded.exchange._update_funding_payment(PAIR, fire_event_on_new=True)
        assert [event.amount for event in funded.funded()] == [1, 2]
        assert int(venue.asked("GET", "/funding/payments")[-1].query["start_at"]) == NOW_MS
        venue.on("GET", "/funding/payments", payloads.page(third, second, first, before))
        await funded.hear(f"funding_payments.{MARKET}", third)
        await funded.exchange._update_funding_payment(PAIR, fire_event_on_new=True)
        assert [event.amount for event in funded.funded()] == [1, 2, 3]

    async def test_a_payment_that_the_stream_missed_is_told_although_a_later_one_has_been(
        self, venue: Venue, funded: Trader
    ) -> None:
        venue.on("GET", "/funding/payments", payloads.page())
        await funded.exchange._update_funding_payment(PAIR, fire_event_on_new=False)
        missed = payloads.funding_payment("1", id="1", created_at=NOW_MS)
        later = payloads.funding_payment("2", id="2", created_at=NOW_MS + 1000)
        await funded.hear(f"funding_payments.{MARKET}", later)
        venue.on("GET", "/funding/payments", payloads.page(later, missed))
        await funded.exchange._update_funding_payment(PAIR, fire_event_on_new=True)
        assert [event.amount for event in funded.funded()] == [2, 1]

    async def test_a_payment_that_rest_does_not_know_yet_is_not_told_again_when_it_does(
        self, venue: Venue, funded: Trader
    ) -> None:
        first, told = (
            payloads.funding_payment(str(number), id=str(number), created_at=NOW_MS + 1000 * number)
            for number in (1, 2)
        )
        venue.on("GET", "/funding/payments", payloads.page(), payloads.page(first), payloads.page(told, first))
        await funded.exchange._update_funding_payment(PAIR, fire_event_on_new=False)
        await funded.hear(f"funding_payments.{MARKET}", told)
        for _ in range(2):
            await funded.exchange._update_funding_payment(PAIR, fire_event_on_new=True)
        assert [event.amount for event in funded.funded()] == [2, 1]

    async def test_payments_while_the_network_was_down_are_told(self, venue: Venue, funded: Trader) -> None:
        venue.on("GET", "/funding/payments", payloads.page())
        await funded.exchange._update_funding_payment(PAIR, fire_event_on_new=False)
        await funded.exchange.stop_network()
        venue.on("GET", "/funding/payments", payloads.page(payloads.funding_payment("1")))
        await funded.exchange._update_funding_payment(PAIR, fire_event_on_new=False)  # as the framework restarts it
        assert [event.amount for event in funded.funded()] == [1]

    async def test_a_stream_that_is_back_has_the_payments_looked_up(self, funded: Trader) -> None:
        funded.exchange._funding_fee_poll_notifier.clear()
        await funded.hear("stream_resumed", {})
        assert not funded.exchange._funding_fee_poll_notifier.is_set()  # a start asks by itself
        await funded.hear("stream_resumed", {})
        assert funded.exchange._funding_fee_poll_notifier.is_set()

    async def test_a_start_asks_for_them_once(self, venue: Venue, funded: Trader) -> None:
        venue.on("GET", "/funding/payments", payloads.page())
        polling = asyncio.create_task(funded.exchange._funding_payment_polling_loop())
        funded.exchange._last_timestamp = 0  # as before the first tick
        funded.exchange.tick(NOW)
        await funded.hear("stream_resumed", {})
        pairs = funded.exchange.trading_pairs
        await eventually(lambda: set(pairs) <= funded.exchange._funding_watermarks.keys())
        await settle()
        assert len(venue.asked("GET", "/funding/payments")) == len(pairs)
        funded.exchange.tick(NOW + CONSTANTS.FUNDING_POLL_INTERVAL)
        await venue.until(lambda: len(venue.asked("GET", "/funding/payments")) == 2 * len(pairs))
        polling.cancel()

    async def test_a_list_that_does_not_come_is_asked_for_again(self, venue: Venue, funded: Trader) -> None:
        venue.on("GET", "/funding/payments", payloads.page(), refusal("SERVICE_UNAVAILABLE", 503), payloads.page())
        update = funded.exchange._update_funding_payment
        assert [await update(PAIR, fire_event_on_new=True) for _ in range(3)] == [True, False, True]

    async def test_payments_in_markets_that_are_not_ours_are_passed_over(self, funded: Trader) -> None:
        await funded.hear("funding_payments.ETH-USD", payloads.funding_payment(symbol="ETH-USD"))
        assert funded.funded() == []

    async def test_the_next_funding_is_the_end_of_the_markets_period(
        self, exchange: ParadexPerpetualDerivative
    ) -> None:
        exchange._markets[PAIR] = payloads.market(funding_period_hours=1)
        assert exchange.next_funding_timestamp(PAIR) == (int(NOW) // 3600 + 1) * 3600
        assert exchange.next_funding_timestamp("NOPE-USDC") == (int(NOW) // 28800 + 1) * 28800

    @pytest.mark.parametrize("failure", [refusal("SERVICE_UNAVAILABLE", 503), payloads.page(), {"results": [{}]}])
    async def test_funding_info_is_asked_for_until_it_is_told(
        self, venue: Venue, exchange: ParadexPerpetualDerivative, failure: Any
    ) -> None:
        summaries = payloads.page(payloads.summary())
        venue.on("GET", "/markets/summary", failure, failure, summaries)
        await exchange._init_funding_info()
        assert exchange.get_funding_info(PAIR).rate == Decimal("0.00012345")
        assert exchange._perpetual_trading.is_funding_info_initialized()


async def test_a_busted_trade_is_said_and_everything_is_read_again(
    trader: Trader, venue: Venue, log: pytest.LogCaptureFixture
) -> None:
    venue.on("GET", "/account/margin", payloads.margin())
    venue.on("GET", "/balance", payloads.page(payloads.balance("USDC", "11")))
    venue.on("GET", "/account", payloads.account("9"))
    # The position is what it was before, and so is its time.
    venue.on("GET", "/positions", payloads.page(payloads.position(size="0.1", last_updated_at=NOW_MS - 1000)))
    await trader.hear("positions", payloads.position(size="0.5", last_updated_at=NOW_MS))
    await trader.hear("tradebusts", {"account": payloads.ADDRESS, "busted_fill_id": "4711", "created_at": NOW_MS})
    await eventually(lambda: trader.exchange.account_positions[PAIR].amount == Decimal("0.1"))
    await eventually(lambda: trader.exchange.get_all_balances() == {"USDC": Decimal(11)})
    await settle()
    assert "has busted the trade of fill '4711'" in log.text
