"""The pure half: a payload goes in, an object comes out."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_utils as utils,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.core.data_type.common import OrderType, PositionAction, PositionSide, TradeType
from hummingbot.core.data_type.in_flight_order import InFlightOrder, OrderState
from hummingbot.core.data_type.trade_fee import TokenAmount

from tests.unit.connector import payloads
from tests.unit.connector.payloads import MARKET, NOW, PAIR


def tracked(position: PositionAction = PositionAction.OPEN) -> InFlightOrder:
    return InFlightOrder(
        client_order_id="mine",
        trading_pair=PAIR,
        order_type=OrderType.LIMIT,
        trade_type=TradeType.BUY,
        amount=Decimal("0.5"),
        price=Decimal("60000"),
        creation_timestamp=NOW,
        position=position,
    )


class TestCredentials:
    @pytest.mark.parametrize("entered", ["0xAbC", "0XABC", "abc", " abc\n", "0x0000abc"])
    def test_a_key_is_taken_however_it_was_pasted(self, entered: str) -> None:
        assert utils.normalized_api_secret(entered) == "0xabc"
        assert utils.normalized_account_address(entered) == "0xabc"

    @pytest.mark.parametrize(
        ("entered", "reason"),
        [
            ("", "nothing was entered"),
            ("0x", "nothing was entered"),
            ("0x12g4", "other characters"),
            ("one two", "other characters"),
            ("1_000", "other characters"),
            ("٣٤", "other characters"),
            ("0x0", "zero"),
            ("f" * 65, "too large"),
        ],
    )
    @pytest.mark.parametrize(
        ("normalize", "name"),
        [
            (utils.normalized_api_secret, "subkey's private key"),
            (utils.normalized_account_address, "main account's address"),
        ],
    )
    def test_a_refusal_names_the_field_and_the_reason_and_never_the_value(
        self, normalize: Callable[[str], str], name: str, entered: str, reason: str
    ) -> None:
        with pytest.raises(ValueError, match=reason) as refusal:
            normalize(entered)
        assert name in str(refusal.value)
        assert len(entered) < 5 or entered not in str(refusal.value)

    def test_a_key_is_below_the_curves_order_and_an_address_below_the_fields_prime(self) -> None:
        largest_key, largest_address = hex(utils.STARK_CURVE_ORDER - 1), hex(utils.STARK_FIELD_PRIME - 1)
        assert utils.normalized_api_secret(largest_key) == largest_key
        assert utils.normalized_account_address(largest_address) == largest_address
        with pytest.raises(ValueError, match="too large"):
            utils.normalized_api_secret(hex(utils.STARK_CURVE_ORDER))
        with pytest.raises(ValueError, match="too large"):
            utils.normalized_account_address(hex(utils.STARK_FIELD_PRIME))

    @pytest.mark.parametrize(("entered", "meant"), [(None, "pro"), ("", "pro"), ("PRO ", "pro"), ("retail", "retail")])
    def test_an_order_class_that_is_not_chosen_is_pro(self, entered: str | None, meant: str) -> None:
        assert utils.settings_from(None, "any", {"order_class": entered}).order_class == meant


class TestNumbers:
    @pytest.mark.parametrize("raw", ["1.50", 1.5, Decimal("1.5")])
    def test_a_number_may_be_text(self, raw: Any) -> None:
        assert utils.decimal_from({"price": raw}, "price") == Decimal("1.5")

    @pytest.mark.parametrize("payload", [{}, {"price": None}, {"price": ""}])
    def test_a_number_that_must_be_there_is_missed_by_name(self, payload: dict[str, Any]) -> None:
        assert utils.decimal_or_none(payload, "price") is None
        with pytest.raises(ValueError, match="price is missing"):
            utils.decimal_from(payload, "price")

    @pytest.mark.parametrize("raw", ["abc", "NaN", "Infinity", "-inf", "1e400", "1" * 1000, [], {}, True])
    def test_what_is_no_finite_number_is_refused(self, raw: Any) -> None:
        with pytest.raises(ValueError, match="price should be a number"):
            utils.decimal_or_none({"price": raw}, "price")

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("1E+3", "1000"),
            ("0.00000001", "0.00000001"),
            ("1E-8", "0.00000001"),
            ("60000.50", "60000.5"),
            ("100", "100"),
        ],
    )
    def test_numbers_go_out_without_exponent_and_idle_zeros(self, value: str, text: str) -> None:
        assert utils.plain(Decimal(value)) == text

    def test_digits_that_a_signature_would_cut_off_are_refused(self) -> None:
        with pytest.raises(ValueError, match="more than 8 decimals"):
            utils.plain(Decimal("0.123456789"))

    @pytest.mark.parametrize("raw", ["1681493415023", 1681493415023, 1681493415023.0])
    def test_a_time_may_be_text(self, raw: Any) -> None:
        assert utils.milliseconds_from({"created_at": raw}, "created_at") == 1681493415023

    @pytest.mark.parametrize("payload", [{}, {"created_at": None}, {"created_at": ""}])
    def test_a_time_may_be_left_out(self, payload: dict[str, Any]) -> None:
        assert utils.milliseconds_or_none(payload, "created_at") is None
        with pytest.raises(ValueError, match="created_at is missing"):
            utils.milliseconds_from(payload, "created_at")

    @pytest.mark.parametrize("raw", ["soon", "-1", -1, 1.5, "1.5", True, [], 10**18, "1" * 30])
    def test_what_is_no_time_is_refused(self, raw: Any) -> None:
        with pytest.raises(ValueError, match="created_at should be a time in milliseconds"):
            utils.milliseconds_or_none({"created_at": raw}, "created_at")

    def test_milliseconds_may_be_text(self) -> None:
        assert utils.seconds("1681493415023") == utils.seconds(1681493415023) == pytest.approx(1681493415.023)


class TestMarkets:
    @pytest.mark.parametrize(
        "changes",
        [
            {"asset_kind": "SPOT"},
            {"asset_kind": "OPTION"},
            {"asset_kind": "PERP_OPTION"},
            {"asset_kind": None},
            {"trading_mode": "RFQ_ONLY"},
            {"settlement_currency": "DIME"},
        ],
    )
    def test_only_perpetuals_in_usdc_that_take_orders_are_ours(self, changes: dict[str, Any]) -> None:
        assert not utils.is_exchange_information_valid(payloads.market(**changes))

    def test_a_market_without_a_trading_mode_is_ours_as_on_testnet(self) -> None:
        market = payloads.market()
        del market["trading_mode"]
        assert utils.is_exchange_information_valid(market)
        assert utils.is_exchange_information_valid(payloads.market(trading_mode=""))

    def test_the_quote_is_what_is_paid_and_letters_stay_as_they_are(self) -> None:
        assert utils.trading_pair_of_market(payloads.market()) == "BTC-USDC"
        assert utils.trading_pair_of_market(payloads.market("kPEPE-USD-PERP")) == "kPEPE-USDC"

    @pytest.mark.parametrize(
        ("pair", "known", "advice"),
        [
            ("BTC-USD", [], "use BTC-USDC instead of BTC-USD"),
            ("BTC-USDT", ["BTC-USDC"], "use BTC-USDC instead of BTC-USDT"),
            ("KPEPE-USDC", ["BTC-USDC", "kPEPE-USDC"], "did you mean kPEPE-USDC? Letters count."),
            ("KPEPE-USD", ["BTC-USDC", "kPEPE-USDC"], "did you mean kPEPE-USDC"),
            ("DOGE-USDC", ["ETH-USDC", "BTC-USDC"], "There are BTC-USDC, ETH-USDC and others."),
            ("DOGE-USDC", [], "There is no perpetual DOGE-USDC on Paradex."),
        ],
    )
    def test_a_wrong_pair_is_answered_with_the_right_one(self, pair: str, known: list[str], advice: str) -> None:
        assert advice in utils.trading_pair_advice(pair, known)

    def test_a_trading_rule_has_the_markets_steps_and_usdc_as_collateral(self) -> None:
        rule = utils.trading_rule_from_market(payloads.market())
        assert rule.trading_pair == "BTC-USDC"
        assert rule.min_order_size == rule.min_base_amount_increment == Decimal("0.00001")
        assert rule.min_price_increment == Decimal("0.1")
        assert rule.min_notional_size == Decimal("10")
        assert rule.max_order_size == Decimal("100")
        assert rule.buy_order_collateral_token == rule.sell_order_collateral_token == "USDC"

    def test_a_maximum_of_zero_or_none_is_no_maximum(self) -> None:
        default = utils.trading_rule_from_market(payloads.market(max_order_size="")).max_order_size
        assert default > 10**9
        assert utils.trading_rule_from_market(payloads.market(max_order_size="0")).max_order_size == default

    @pytest.mark.parametrize(
        "changes",
        [
            {"order_size_increment": ""},
            {"order_size_increment": "0"},
            {"price_tick_size": "-0.1"},
            {"price_tick_size": "x"},
            {"min_notional": "much"},
        ],
    )
    def test_a_market_without_sound_steps_has_no_rule(self, changes: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"order_size_increment|price_tick_size|min_notional"):
            utils.trading_rule_from_market(payloads.market(**changes))

    def test_the_greatest_leverage_is_the_inverse_of_the_initial_margin(self) -> None:
        assert utils.max_leverage(payloads.market()) == 50
        assert utils.max_leverage({"delta1_cross_margin_params": {"imf_base": "0.03"}}) == 33
        assert utils.max_leverage({}) is None
        assert utils.max_leverage({"delta1_cross_margin_params": None}) is None


class TestFunding:
    def test_the_period_is_the_markets_or_eight_hours(self) -> None:
        assert utils.funding_period_seconds(payloads.market(funding_period_hours=1)) == 3600
        assert utils.funding_period_seconds(payloads.market(funding_period_hours=0.5)) == 1800
        assert utils.funding_period_seconds({}) == 8 * 3600
        assert utils.funding_period_seconds(payloads.market(funding_period_hours=0)) == 8 * 3600

    @pytest.mark.parametrize(("now", "following"), [(0, 3600), (3599.9, 3600), (3600, 7200), (3600.5, 7200)])
    def test_the_next_funding_is_the_end_of_the_running_period(self, now: float, following: int) -> None:
        assert utils.next_funding_timestamp(now, 3600) == following

    def test_funding_info_from_rest(self) -> None:
        info = utils.funding_info_from_summary(payloads.summary(), PAIR, 123)
        assert (info.trading_pair, info.next_funding_utc_timestamp) == (PAIR, 123)
        assert (info.index_price, info.mark_price) == (Decimal("60005.25"), Decimal("60010.5"))
        assert info.rate == Decimal("0.00012345")

    def test_a_market_without_a_funding_rate_has_none_but_it_needs_a_mark_price(self) -> None:
        assert utils.funding_info_from_summary(payloads.summary(funding_rate=""), PAIR, 1).rate == 0
        with pytest.raises(ValueError, match="mark_price is missing"):
            utils.funding_info_from_summary(payloads.summary(mark_price=""), PAIR, 1)

    def test_funding_info_from_the_stream(self) -> None:
        frame = web_utils.SummaryFrame(MARKET, Decimal(2), Decimal(1), Decimal(3), Decimal("0.5"), NOW)
        update = utils.funding_info_update(frame, PAIR, 123)
        assert (update.trading_pair, update.next_funding_utc_timestamp) == (PAIR, 123)
        assert (update.index_price, update.mark_price, update.rate) == (Decimal(1), Decimal(2), Decimal("0.5"))


class TestFees:
    def test_a_market_has_rates_of_its_own_for_each_class(self) -> None:
        assert utils.market_fee_rates(payloads.market(), "pro") == (Decimal("0.00003"), Decimal("0.00045"))
        assert utils.market_fee_rates(payloads.market(), "retail") == (Decimal(0), Decimal(0))

    @pytest.mark.parametrize("config", [None, {}, {"api_fee": None}, {"api_fee": {"maker_fee": {}, "taker_fee": None}}])
    def test_a_market_may_leave_them_to_the_account(self, config: Any) -> None:
        assert utils.market_fee_rates(payloads.market(fee_config=config), "pro") == (None, None)

    def test_the_accounts_rates_are_those_for_perpetuals(self) -> None:
        assert utils.account_fee_rates(payloads.account_info("0.1", "0.2")) == (Decimal("0.1"), Decimal("0.2"))
        assert utils.account_fee_rates({}) == (None, None)
        assert utils.account_fee_rates({"fees": {"maker_rate": "-0.00001"}}) == (Decimal("-0.00001"), None)


class TestOrders:
    @pytest.mark.parametrize(
        ("status", "remaining", "reason", "was_open", "state"),
        [
            ("NEW", "0.5", "", False, OrderState.OPEN),
            ("UNTRIGGERED", "0.5", "", False, OrderState.OPEN),
            ("OPEN", "0.5", "", False, OrderState.OPEN),
            ("OPEN", "0.2", "", True, OrderState.PARTIALLY_FILLED),
            ("CLOSED", "0", "", True, OrderState.FILLED),
            ("CLOSED", "0", "USER_CANCELED", True, OrderState.FILLED),
            ("CLOSED", "0.5", "USER_CANCELED", True, OrderState.CANCELED),
            ("CLOSED", "0.5", "USER_CANCELED", False, OrderState.CANCELED),
            ("CLOSED", "0.2", "NOT_ENOUGH_MARGIN", False, OrderState.CANCELED),
            ("CLOSED", "0.5", "NOT_ENOUGH_MARGIN", False, OrderState.FAILED),
            ("CLOSED", "0.5", "NOT_ENOUGH_MARGIN", True, OrderState.CANCELED),
            ("CLOSED", "0.5", "POST_ONLY_WOULD_CROSS", False, OrderState.FAILED),
            ("CLOSED", "0.5", "MMP_TRIGGERED", False, OrderState.CANCELED),
            ("CLOSED", "0.5", "SOMETHING_NEW", False, OrderState.FAILED),
            ("CLOSED", "0.5", "", False, OrderState.CANCELED),
            ("CLOSED", "0.5", None, False, OrderState.CANCELED),
        ],
    )
    def test_the_state_is_read_from_status_sizes_and_reason_together(
        self, status: str, remaining: str, reason: str | None, was_open: bool, state: OrderState
    ) -> None:
        payload = payloads.order("mine", status, remaining_size=remaining, cancel_reason=reason)
        assert utils.order_state(payload, was_open) is state

    def test_an_order_whose_size_was_taken_to_nothing_is_not_filled(self) -> None:
        payload = payloads.order("mine", "CLOSED", size="0", remaining_size="0", cancel_reason="REDUCE_ONLY")
        assert utils.order_state(payload, was_open=True) is OrderState.CANCELED

    @pytest.mark.parametrize(
        "changes", [{"status": "REJECTED"}, {"status": None}, {"remaining_size": ""}, {"size": "x"}]
    )
    def test_an_order_that_cannot_be_read_is_refused(self, changes: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"status|size"):
            utils.order_state({**payloads.order("mine"), **changes}, False)

    def test_an_update_carries_the_exchanges_id_and_time(self) -> None:
        update = utils.order_update_from_payload(payloads.order("mine"), tracked(), was_open=False)
        assert update.client_order_id == "mine"
        assert update.exchange_order_id == "1800000000000201709233470000"
        assert update.update_timestamp == pytest.approx(NOW + 0.005)
        assert update.new_state is OrderState.OPEN
        assert update.misc_updates is None

    def test_a_refusal_carries_the_exchanges_reason(self) -> None:
        payload = payloads.order("mine", "CLOSED", cancel_reason="NOT_ENOUGH_MARGIN")
        update = utils.order_update_from_payload(payload, tracked(), was_open=False)
        assert update.misc_updates == {
            "error_type": "OrderRejected",
            "error_message": "Paradex refused it: NOT_ENOUGH_MARGIN",
        }

    def test_what_has_been_filled_is_the_difference_of_the_sizes(self) -> None:
        assert utils.executed_size(payloads.order("mine", remaining_size="0.2")) == Decimal("0.3")

    def test_the_interactive_flag_makes_an_order_retail(self) -> None:
        assert utils.is_retail(payloads.order("mine", flags=["REDUCE_ONLY", "INTERACTIVE"]))
        assert not utils.is_retail(payloads.order("mine", flags=["REDUCE_ONLY"]))
        assert not utils.is_retail(payloads.order("mine", flags=None))


class TestFills:
    def test_a_fill_is_unique_within_its_type(self) -> None:
        ordinary, liquidation = payloads.fill("mine"), payloads.fill("mine", fill_type="LIQUIDATION")
        assert utils.fill_key(ordinary) != utils.fill_key(liquidation)
        assert utils.fill_key(ordinary) == utils.fill_key({**ordinary, "fill_type": ""})

    def test_a_fill_becomes_a_trade_with_the_fee_that_was_paid(self) -> None:
        trade = utils.trade_update_from_fill(payloads.fill("other side's"), tracked())
        assert trade.client_order_id == "mine"
        assert trade.exchange_order_id == "1800000000000201709233470000"
        assert (trade.fill_price, trade.fill_base_amount) == (Decimal("60000"), Decimal("0.2"))
        assert trade.fill_quote_amount == Decimal("12000")
        assert trade.fill_timestamp == pytest.approx(NOW + 0.01)
        assert trade.fee.flat_fees == [TokenAmount("USDC", Decimal("0.36"))]
        assert trade.fee.percent == 0
        assert not trade.is_taker

    def test_a_fee_may_be_paid_in_another_token_or_be_a_rebate(self) -> None:
        trade = utils.trade_update_from_fill(payloads.fill("mine", fee="-0.1", fee_currency="DIME"), tracked())
        assert trade.fee.flat_fees == [TokenAmount("DIME", Decimal("-0.1"))]
        free = utils.trade_update_from_fill(payloads.fill("mine", fee="", fee_currency=""), tracked())
        assert free.fee.flat_fees == [TokenAmount("USDC", Decimal(0))]

    def test_the_takers_fill_is_known_as_such(self) -> None:
        assert utils.trade_update_from_fill(payloads.fill("mine", liquidity="TAKER"), tracked()).is_taker

    def test_a_fill_without_a_price_is_refused(self) -> None:
        with pytest.raises(ValueError, match="price is missing"):
            utils.trade_update_from_fill(payloads.fill("mine", price=None), tracked())


class TestPositionsAndBalances:
    @pytest.mark.parametrize(("size", "side"), [("0.5", PositionSide.LONG), ("-0.5", PositionSide.SHORT)])
    def test_the_sign_of_the_size_is_the_side(self, size: str, side: PositionSide) -> None:
        position = utils.position_from_payload(payloads.position(size=size), PAIR, leverage=5)
        assert position is not None
        assert (position.position_side, position.amount) == (side, Decimal(size))
        assert position.entry_price == Decimal("59000")
        assert position.unrealized_pnl == Decimal("12.5")
        assert position.leverage == 5

    @pytest.mark.parametrize("changes", [{"size": "0"}, {"status": "CLOSED"}])
    def test_a_closed_position_is_none(self, changes: dict[str, str]) -> None:
        assert utils.position_from_payload(payloads.position(**changes), PAIR, 1) is None

    def test_a_position_without_an_entry_price_is_refused(self) -> None:
        with pytest.raises(ValueError, match="average_entry_price"):
            utils.position_from_payload(payloads.position(average_entry_price=""), PAIR, 1)

    def test_free_collateral_is_what_is_available_of_usdc_and_other_tokens_are_as_they_are(self) -> None:
        total, available = utils.balances_from_payloads(
            [payloads.balance("USDC", "15"), payloads.balance("DIME", "3")], payloads.account("10")
        )
        assert total == {"USDC": Decimal(15), "DIME": Decimal(3)}
        assert available == {"USDC": Decimal(10), "DIME": Decimal(3)}

    def test_an_account_without_usdc_has_none(self) -> None:
        assert utils.balances_from_payloads([], payloads.account("0")) == ({}, {})


def test_default_fees_are_those_of_the_lowest_pro_tier() -> None:
    assert utils.DEFAULT_FEES.maker_percent_fee_decimal == Decimal("0.3") / 10_000
    assert utils.DEFAULT_FEES.taker_percent_fee_decimal == Decimal("4.5") / 10_000
    assert set(utils.OTHER_DOMAINS_DEFAULT_FEES) == set(utils.OTHER_DOMAINS) == set(utils.OTHER_DOMAINS_KEYS)
    assert CONSTANTS.DEFAULT_DOMAIN not in utils.OTHER_DOMAINS
