"""What an order may say, what is refused before it is sent, and what an order is for."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_utils as utils,
)
from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType
from hummingbot.core.data_type.in_flight_order import InFlightOrder

from tests.unit.connector import payloads
from tests.unit.connector.payloads import MARKET, PAIR

BUY, SELL = TradeType.BUY, TradeType.SELL
LIMIT, MAKER, TAKER = OrderType.LIMIT, OrderType.LIMIT_MAKER, OrderType.MARKET
OPEN, CLOSE = PositionAction.OPEN, PositionAction.CLOSE
VIEW = utils.MarketView(
    rule=utils.trading_rule_from_market(payloads.market()),
    mark_price=Decimal("60000"),
    best_bid=Decimal("59999"),
    best_ask=Decimal("60001"),
)


def options(order_type: OrderType = LIMIT, settings: dict[str, Any] | None = None, **keywords: Any) -> Any:
    return utils.order_options(keywords, order_type, utils.Settings(**(settings or {})))


def new_order(
    side: TradeType = BUY,
    order_type: OrderType = LIMIT,
    amount: str = "0.5",
    price: str | None = "59000",
    action: PositionAction = OPEN,
    settings: dict[str, Any] | None = None,
    **keywords: Any,
) -> utils.NewOrder:
    return utils.NewOrder(
        "mine",
        side,
        order_type,
        Decimal(amount),
        None if price is None else Decimal(price),
        action,
        options(order_type, settings, **keywords),
    )


def request(view: utils.MarketView = VIEW, **order: Any) -> dict[str, Any]:
    return utils.order_request(new_order(**order), MARKET, view)


class TestOptions:
    def test_without_keywords_they_are_the_settings(self) -> None:
        settings = {"self_trade_mode": "EXPIRE_BOTH", "recv_window": 500}
        assert options(settings=settings) == utils.OrderOptions(self_trade_mode="EXPIRE_BOTH", recv_window=500)

    def test_a_keyword_wins_over_the_setting(self) -> None:
        assert options(settings={"recv_window": 500}, recv_window=700).recv_window == 700
        assert options(MAKER, settings={"rpi": True}, rpi=False).rpi is False

    @pytest.mark.parametrize(("order_type", "is_rpi"), [(LIMIT, False), (MAKER, True), (TAKER, False)])
    def test_the_rpi_setting_is_for_limit_maker_orders(self, order_type: OrderType, is_rpi: bool) -> None:
        assert options(order_type, settings={"rpi": True}).rpi is is_rpi

    @pytest.mark.parametrize(("order_type", "is_protected"), [(LIMIT, True), (MAKER, True), (TAKER, False)])
    def test_the_mmp_setting_is_for_orders_with_a_price(self, order_type: OrderType, is_protected: bool) -> None:
        assert options(order_type, settings={"mmp": True}).mmp is is_protected

    @pytest.mark.parametrize(("order_type", "slippage"), [(LIMIT, "0"), (MAKER, "0"), (TAKER, "0.01")])
    def test_the_slippage_setting_is_for_market_orders(self, order_type: OrderType, slippage: str) -> None:
        settings = {"max_slippage": Decimal("0.01")}
        assert options(order_type, settings=settings).max_slippage == Decimal(slippage)
        assert options(order_type, settings=settings, recv_window=700).max_slippage == Decimal(slippage)

    def test_settings_are_not_for_trigger_orders_that_cannot_have_them(self) -> None:
        settings = {"rpi": True, "mmp": True, "max_slippage": "0.01"}
        for order_type in (LIMIT, MAKER, TAKER):
            chosen = options(order_type, settings=settings, trigger_price=Decimal("61000"))
            assert (chosen.rpi, chosen.mmp, chosen.max_slippage) == (False, False, 0)

    def test_what_v1_strategies_add_to_every_order_is_no_option_and_no_error(self) -> None:
        assert options(expiration_ts=float("nan")) == utils.OrderOptions()

    def test_a_keyword_that_does_not_exist_is_refused_with_those_that_do(self) -> None:
        with pytest.raises(ValueError, match=r"no option post_only; there are trigger_price, .*max_slippage"):
            options(post_only=True)

    @pytest.mark.parametrize(
        ("keywords", "part"),
        [
            ({"trigger_type": "stop_loss"}, "stop_loss order needs a trigger_price"),
            ({"trigger_price": Decimal(1), "trigger_type": "trailing"}, "one of stop, take_profit, stop_loss"),
            ({"trigger_price": "high"}, "trigger_price is a number, not 'high'"),
            ({"ioc": "yes"}, "ioc is True or False, not 'yes'"),
            ({"self_trade_mode": "EXPIRE_NOBODY"}, "EXPIRE_TAKER, EXPIRE_MAKER or EXPIRE_BOTH, not 'EXPIRE_NOBODY'"),
            ({"recv_window": 5}, "between 10 and 300000 milliseconds, not 5"),
            ({"max_slippage": Decimal("1.5")}, "between 0 and 1"),
        ],
    )
    def test_a_value_that_does_not_exist_is_refused(self, keywords: dict[str, Any], part: str) -> None:
        with pytest.raises(ValueError, match=part):
            options(TAKER, **keywords)


class TestRequests:
    def test_a_limit_order_has_plain_numbers_and_only_known_fields(self) -> None:
        assert request(amount="0.50", price="6E+4") == {
            "market": MARKET,
            "side": "BUY",
            "type": "LIMIT",
            "size": "0.5",
            "price": "60000",
            "instruction": "GTC",
            "client_id": "mine",
            "recv_window": CONSTANTS.RECV_WINDOW_MS,
        }

    def test_a_market_order_has_no_price_and_a_closing_one_only_reduces(self) -> None:
        body = request(order_type=TAKER, action=CLOSE)
        assert "price" not in body
        assert body["flags"] == ["REDUCE_ONLY"]

    def test_a_price_with_too_many_decimals_is_not_sent(self) -> None:
        with pytest.raises(ValueError, match="more than 8 decimals"):
            request(price="0.000000001")

    @pytest.mark.parametrize(
        ("order_type", "trigger_type", "name"),
        [
            (TAKER, "stop", "STOP_MARKET"),
            (LIMIT, "stop", "STOP_LIMIT"),
            (MAKER, "stop", "STOP_LIMIT"),
            (TAKER, "take_profit", "TAKE_PROFIT_MARKET"),
            (LIMIT, "take_profit", "TAKE_PROFIT_LIMIT"),
            (TAKER, "stop_loss", "STOP_LOSS_MARKET"),
            (LIMIT, "stop_loss", "STOP_LOSS_LIMIT"),
        ],
    )
    def test_trigger_orders_have_the_exchanges_types(self, order_type: OrderType, trigger_type: str, name: str) -> None:
        body = request(order_type=order_type, trigger_price=Decimal("61000.5"), trigger_type=trigger_type)
        assert (body["type"], body["trigger_price"]) == (name, "61000.5")
        assert ("price" in body) is (order_type is not TAKER)

    def test_options_become_fields(self) -> None:
        assert request(ioc=True)["instruction"] == "IOC"
        assert request(order_type=MAKER)["instruction"] == "POST_ONLY"
        assert request(order_type=MAKER, rpi=True)["instruction"] == "RPI"
        assert request(self_trade_mode="EXPIRE_MAKER")["stp"] == "EXPIRE_MAKER"
        assert request(recv_window=2500)["recv_window"] == 2500
        assert request(reduce_only=True, mmp=True)["flags"] == ["REDUCE_ONLY", "MMP"]

    @pytest.mark.parametrize(("side", "bound"), [(BUY, "60121"), (SELL, "59879.1")])
    def test_a_market_order_with_a_slippage_of_its_own_is_an_ioc_order_at_the_bound(
        self, side: TradeType, bound: str
    ) -> None:
        body = request(side=side, order_type=TAKER, price=None, max_slippage=Decimal("0.002"))
        assert (body["type"], body["instruction"], body["price"]) == ("LIMIT", "IOC", bound)

    def test_a_bound_is_never_rounded_to_a_worse_price(self) -> None:
        view = replace(VIEW, best_bid=Decimal("100.3"), best_ask=Decimal("100.7"))
        assert utils.slippage_bound(BUY, Decimal("0.001"), view) == Decimal("100.8")  # 100.8007
        assert utils.slippage_bound(SELL, Decimal("0.001"), view) == Decimal("100.2")  # 100.1997

    @pytest.mark.parametrize(("side", "bound"), [(BUY, "62700"), (SELL, "57300")])
    def test_a_bound_stays_within_the_price_band(self, side: TradeType, bound: str) -> None:
        view = replace(VIEW, price_band=Decimal("0.05"))
        assert utils.slippage_bound(side, Decimal("0.2"), view) == Decimal(bound)
        assert utils.slippage_bound(side, Decimal("0.2"), replace(view, mark_price=None)) != Decimal(bound)

    def test_without_a_book_there_is_no_bound_and_no_order(self) -> None:
        with pytest.raises(ValueError, match="no price on the other side"):
            request(replace(VIEW, best_ask=None), order_type=TAKER, max_slippage=Decimal("0.01"))


class TestChecks:
    @pytest.mark.parametrize(
        "order",
        [
            {},
            {"ioc": True},
            {"order_type": MAKER, "rpi": True, "mmp": True},
            {"order_type": TAKER, "price": None, "max_slippage": Decimal("0.01")},
            {"side": BUY, "trigger_price": Decimal("60000.1")},
            {"side": SELL, "trigger_price": Decimal("59999.9")},
            {"side": SELL, "trigger_price": Decimal("61000"), "trigger_type": "take_profit", "action": CLOSE},
            {"side": BUY, "trigger_price": Decimal("59000"), "trigger_type": "take_profit", "reduce_only": True},
            {"side": SELL, "trigger_price": Decimal("59000"), "trigger_type": "stop_loss", "action": CLOSE},
            {"order_type": MAKER, "rpi": True, "price": "60031"},  # 5 bps over the best ask
            {"order_type": MAKER, "rpi": True, "side": SELL, "price": "59970"},  # less under the best bid
            {"side": SELL, "amount": "0.0001", "price": "110000"},  # 11 at its price, 6 at the mark
        ],
    )
    def test_what_the_exchange_takes_passes(self, order: dict[str, Any]) -> None:
        utils.check_order(new_order(**order), VIEW)

    @pytest.mark.parametrize(
        ("order", "part"),
        [
            ({"amount": "0.000001"}, "0.000001 is lower than minimum order size 0.00001"),
            ({"amount": "100.1"}, "100.1 is above the maximum order size 100"),
            ({"amount": "0.500001"}, "0.500001 is no multiple of the step 0.00001"),
            ({"amount": "0.0001"}, "lower than minimum notional size 10"),
            ({"amount": "0.0001", "price": "61000", "trigger_price": Decimal("110000")}, "minimum notional size 10"),
            ({"price": "60000.05"}, "price 60000.05 is no multiple of the tick 0.1"),
            ({"price": "NaN"}, "price should be a positive number, not NaN"),
            ({"price": "-1"}, "positive number, not -1"),
            ({"order_type": MAKER, "ioc": True}, "Only LIMIT orders .* IOC, not LIMIT_MAKER"),
            ({"order_type": TAKER, "ioc": True}, "Only LIMIT orders .* IOC, not MARKET"),
            ({"ioc": True, "trigger_price": Decimal("61000")}, "IOC, not stop LIMIT"),
            ({"rpi": True}, "An RPI order only makes: .*, not LIMIT"),
            ({"order_type": TAKER, "rpi": True}, "An RPI order only makes: .*, not MARKET"),
            ({"order_type": MAKER, "rpi": True, "price": "60031.1"}, "60031.1 is more than 5.* bps beyond .* 60001"),
            ({"side": SELL, "order_type": MAKER, "rpi": True, "price": "59969"}, "59969 is more than 5.* bps beyond"),
            ({"order_type": TAKER, "mmp": True}, "under MMP, not MARKET"),
            ({"max_slippage": Decimal("0.1")}, "max_slippage is for MARKET orders .*, not for LIMIT"),
            ({"trigger_price": Decimal("60000")}, "wrong side: a stop that BUYS waits .* rise, and it is 60000 now"),
            ({"side": SELL, "trigger_price": Decimal("61000")}, "wrong side: a stop that SELLS .* fall"),
            (
                {"side": SELL, "trigger_price": Decimal("59000"), "trigger_type": "take_profit", "action": CLOSE},
                "59000 is on the wrong side: a take_profit that SELLS waits for the mark price to rise",
            ),
            (
                {"side": SELL, "trigger_price": Decimal("61000"), "trigger_type": "stop_loss", "action": CLOSE},
                "61000 is on the wrong side: a stop_loss that SELLS waits for the mark price to fall",
            ),
            ({"trigger_price": Decimal("61000.01")}, "trigger price 61000.01 is no multiple of the tick 0.1"),
            ({"trigger_price": Decimal("61000"), "trigger_type": "stop_loss"}, "A stop_loss only closes"),
            (
                {"order_type": MAKER, "trigger_price": Decimal("1"), "trigger_type": "stop_loss", "action": CLOSE},
                "MARKET or LIMIT order, not LIMIT_MAKER",
            ),
        ],
    )
    def test_what_it_would_refuse_is_refused_with_the_value(self, order: dict[str, Any], part: str) -> None:
        with pytest.raises(ValueError, match=part):
            utils.check_order(new_order(**order), VIEW)

    def test_a_retail_session_places_no_rpi_orders(self) -> None:
        with pytest.raises(ValueError, match="order class pro"):
            utils.check_order(new_order(order_type=MAKER, rpi=True), replace(VIEW, order_class="retail"))

    def test_while_no_mark_price_is_known_the_exchange_decides_about_a_trigger(self) -> None:
        order = new_order(side=SELL, trigger_price=Decimal("61000"))
        utils.check_order(order, replace(VIEW, mark_price=None))
        utils.check_order(order, replace(VIEW, mark_price=Decimal("NaN")))

    @pytest.mark.parametrize(
        ("side", "position", "amount", "action", "passes"),
        [
            (SELL, "0.0001", "0.0001", CLOSE, True),
            (BUY, "-0.0001", "0.0001", CLOSE, True),
            (SELL, "0.0001", "0.0001", OPEN, False),  # not reduce-only
            (SELL, "0.00015", "0.0001", CLOSE, False),  # leaves something
            (BUY, "0.0001", "0.0001", CLOSE, False),  # the same side
        ],
    )
    def test_only_what_closes_a_position_exactly_may_be_below_the_minimum(
        self, side: TradeType, position: str, amount: str, action: PositionAction, passes: bool
    ) -> None:
        order, view = new_order(side=side, amount=amount, action=action), replace(VIEW, position=Decimal(position))
        if passes:
            utils.check_order(order, view)
        else:
            with pytest.raises(ValueError, match="minimum notional size 10"):
                utils.check_order(order, view)


class TestPositionOrders:
    LONG, SHORT = replace(VIEW, position=Decimal("0.5")), replace(VIEW, position=Decimal("-0.5"))

    def test_they_lie_around_the_mark_price(self) -> None:
        low, high = Decimal("59000"), Decimal("61000")
        utils.check_position_orders({"take_profit": (high, None), "stop_loss": (low, low)}, self.LONG)
        utils.check_position_orders({"take_profit": (low, None), "stop_loss": (high, high)}, self.SHORT)
        for view, kind, price in [
            (self.LONG, "take_profit", low),
            (self.LONG, "stop_loss", high),
            (self.SHORT, "take_profit", high),
            (self.SHORT, "stop_loss", low),
        ]:
            with pytest.raises(ValueError, match=f"{price} is on the wrong side: a {kind}"):
                utils.check_position_orders({kind: (price, None)}, view)

    def test_without_a_position_there_is_nothing_to_close_but_orders_can_be_removed(self) -> None:
        utils.check_position_orders({"stop_loss": (None, None)}, VIEW)
        with pytest.raises(ValueError, match="no position"):
            utils.check_position_orders({"stop_loss": (Decimal("59000"), None)}, VIEW)


def tracked(order_type: OrderType = LIMIT, price: str = "59000", side: TradeType = BUY) -> InFlightOrder:
    return InFlightOrder("mine", PAIR, order_type, side, Decimal("0.5"), 1.0, Decimal(price), "1800")


def terms(**changes: Any) -> utils.OrderTerms:
    return utils.order_terms(payloads.order("mine", **{"price": "59000", **changes}))


class TestTerms:
    def test_a_tracked_order_gets_the_size_and_price_that_it_has(self) -> None:
        order = tracked()
        utils.adopt_terms(order, terms(size="0.7", price="59500"))
        assert (order.amount, order.price) == (Decimal("0.7"), Decimal("59500"))

    def test_a_size_of_zero_is_none_that_an_order_could_have(self) -> None:
        order = tracked()
        utils.adopt_terms(order, terms(size="0"))
        assert order.amount == Decimal("0.5")

    def test_a_market_order_that_waits_has_its_trigger_as_price_and_another_one_keeps_none(self) -> None:
        waiting, bounded = tracked(TAKER), tracked(TAKER, "NaN")
        utils.adopt_terms(waiting, terms(type="STOP_MARKET", price="0", trigger_price="61500"))
        utils.adopt_terms(bounded, terms(price="60100"))
        assert waiting.price == Decimal("61500")
        assert bounded.price.is_nan()

    def test_an_order_made_smaller_than_what_was_filled_is_filled_and_made_larger_is_not(self) -> None:
        order = tracked()
        order.executed_amount_base = Decimal("0.2")
        utils.adopt_terms(order, terms(size="0.2"))
        assert order.completely_filled_event.is_set()
        utils.adopt_terms(order, terms(size="0.6"))
        assert not order.completely_filled_event.is_set()

    def test_newer_terms_count_and_a_closed_order_stays_as_it_was(self) -> None:
        old, new = terms(last_updated_at=1), terms(last_updated_at=2)
        assert old.is_outdated_by(new)
        assert not new.is_outdated_by(old)
        assert not replace(old, status="CLOSED").is_outdated_by(new)

    def test_an_outcome_is_not_undone_by_the_answer_that_was_slower(self) -> None:
        decided, pending = ({"id": "r1", "status": status} for status in ("SUCCESS", "PENDING"))
        assert not terms(request_info=decided).is_outdated_by(terms(request_info=pending))
        assert terms(request_info=decided).is_outdated_by(terms(request_info={**pending, "id": "r2"}))

    def test_after_a_change_that_has_been_decided_what_is_told_of_the_order_counts(self) -> None:
        decided = {"id": "r1", "status": "SUCCESS"}
        assert terms(request_info=decided).is_outdated_by(terms(request_info=decided, remaining_size="0.1"))

    def test_while_a_change_is_pending_what_is_told_of_the_order_counts(self) -> None:
        pending = {"id": "r1", "status": "PENDING"}
        assert terms(request_info=pending).is_outdated_by(terms(request_info=pending, remaining_size="0.1"))

    def test_only_a_smaller_size_at_the_same_prices_is_less_at_risk(self) -> None:
        assert terms(size="0.4").shrinks(terms())
        assert not terms().shrinks(terms())
        assert not terms(size="0.6").shrinks(terms())
        assert not terms(size="0.4", price="61000").shrinks(terms())
        assert not terms(size="0.4", trigger_price="61000").shrinks(terms())


class TestModifying:
    def modified(self, before: utils.OrderTerms | None = None, order: InFlightOrder | None = None, **to: Any) -> Any:
        changes = {"price": None, "amount": None, "trigger_price": None, **to}
        changes = {name: value if value is None else Decimal(value) for name, value in changes.items()}
        return utils.modified_terms(order or tracked(), before or terms(), VIEW, **changes)

    def test_what_is_not_given_stays(self) -> None:
        assert self.modified(price="59100") == replace(terms(), price=Decimal("59100"))
        assert self.modified(amount="0.6") == replace(terms(), size=Decimal("0.6"))
        assert self.modified().asks_the_same(terms())

    def test_a_request_says_everything_again(self) -> None:
        assert utils.modify_request(tracked(), terms(), MARKET) == {
            "id": "1800",
            "market": MARKET,
            "side": "BUY",
            "type": "LIMIT",
            "size": "0.5",
            "price": "59000",
        }
        waiting = terms(type="STOP_MARKET", status="UNTRIGGERED", price="0", trigger_price="61000")
        body = utils.modify_request(tracked(TAKER), waiting, MARKET)
        assert (body["type"], body["trigger_price"]) == ("STOP_MARKET", "61000")
        assert "price" not in body
        triggered = terms(type="STOP_LIMIT", status="OPEN", trigger_price="61000")
        assert "trigger_price" not in utils.modify_request(tracked(), triggered, MARKET)

    @pytest.mark.parametrize(
        ("before", "to", "part"),
        [
            ({}, {"price": "59000.05"}, "59000.05 is no multiple of the tick"),
            ({}, {"amount": "0.500001"}, "0.500001 is no multiple of the step"),
            ({}, {"amount": "101"}, "101 is above the maximum order size 100"),
            ({}, {"amount": "0.0001"}, "minimum notional size 10"),
            ({"remaining_size": "0.2"}, {"amount": "0.3"}, "0.3 is not above the 0.3 that have been filled"),
            ({}, {"trigger_price": "61000"}, "LIMIT order has no trigger price that could be 61000"),
            ({"type": "MARKET", "price": "0"}, {"amount": "0.6"}, "MARKET order cannot be modified"),
            ({"type": "STOP_MARKET", "status": "UNTRIGGERED"}, {"price": "1"}, "has no price that could be 1"),
            ({"type": "STOP_LIMIT"}, {"trigger_price": "61000"}, "has been triggered"),
            ({"type": "STOP_LIMIT", "status": "UNTRIGGERED"}, {"trigger_price": "59000"}, "wrong side"),
            ({"type": "STOP_LIMIT", "status": "UNTRIGGERED"}, {"trigger_price": "61000.05"}, "tick"),
        ],
    )
    def test_what_is_not_possible_is_refused(self, before: dict[str, Any], to: dict[str, str], part: str) -> None:
        with pytest.raises(ValueError, match=part):
            self.modified(terms(**before), **to)

    @pytest.mark.parametrize("flags", [["REDUCE_ONLY"], []])
    def test_only_what_closes_the_position_exactly_may_become_smaller_than_the_minimum(self, flags: list[str]) -> None:
        before, order, small = terms(flags=flags, side="SELL"), tracked(side=SELL), Decimal("0.0001")
        order.position = OPEN if flags else CLOSE  # what either of them says counts
        change = (before, replace(VIEW, position=small), None, small, None)
        assert utils.modified_terms(order, *change).size == small
        for position in ("0.0002", "-0.0001"):
            with pytest.raises(ValueError, match="minimum notional size 10"):
                utils.modified_terms(order, before, replace(VIEW, position=Decimal(position)), None, small, None)
        with pytest.raises(ValueError, match="minimum notional size 10"):
            utils.modified_terms(tracked(side=SELL), terms(side="SELL"), *change[1:])

    def test_fills_that_only_the_stream_of_fills_has_told_count_too(self) -> None:
        order = tracked()
        order.executed_amount_base = Decimal("0.4")
        with pytest.raises(ValueError, match=r"0.35 is not above the 0.4"):
            self.modified(order=order, amount="0.35")

    @pytest.mark.parametrize(
        ("now", "request_id", "decided"),
        [
            ({}, "r1", False),
            ({"request_info": {"id": "r0", "status": "SUCCESS"}}, "r1", False),  # the one before
            ({"request_info": {"id": "r1", "status": "PENDING"}, "price": "59100"}, "r1", False),
            ({"request_info": {"id": "r1", "status": "PROCESSED"}}, "r1", False),
            ({"request_info": {"id": "r1", "status": "PROCESSED"}, "price": "59100"}, "r1", True),
            ({"request_info": {"id": "r1", "status": "SUCCESS"}}, "r1", True),
            ({"request_info": {"id": "r1", "status": "REJECTED"}}, "r1", True),
            ({"request_info": {"id": "r1", "status": "REJECTED"}}, None, True),
            ({"request_info": {"id": "r0", "status": "SUCCESS"}}, None, False),
            ({"price": "59100"}, None, True),
            ({"status": "CLOSED"}, "r1", True),
        ],
    )
    def test_the_outcome_is_read_from_the_order(self, now: Any, request_id: str | None, decided: bool) -> None:
        before = terms(request_info={"id": "r0", "status": "SUCCESS"})
        wanted = replace(before, price=Decimal("59100"))
        after = terms(**{"request_info": {"id": "r0", "status": "SUCCESS"}, **now})
        assert utils.is_modification_decided(after, before, wanted, request_id) is decided
