"""What is refused at once, and with which code."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.markets import load_markets
from paradex_sandbox.exchange.model import (
    OrderFlag,
    OrderInstruction,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    SystemStatus,
)
from tests.unit.sandbox.venue import ALICE, BOB, MARKET, SECOND, START, Venue


def refusal(venue: Venue, size: str = "1", price: str | None = "99", **more: Any) -> str:
    """The code that a buy order is refused with."""
    with pytest.raises(ExchangeError) as caught:
        venue.submit(ALICE, Side.BUY, size, price, **more)
    assert venue.exchange.open_orders(ALICE) == []
    assert venue.exchange.drain_events() == []
    return caught.value.code


@pytest.mark.parametrize("size", ["0", "-1", "0.005", "1.001", "1000.01", "NaN", "Infinity", "1E+999999", "1E-999999"])
def test_sizes_off_the_rules_are_refused(venue: Venue, size: str) -> None:
    assert refusal(venue, size=size) == "INVALID_ORDER_SIZE"


@pytest.mark.parametrize(
    "price", ["0", "-1", "99.1", "NaN", "-Infinity", "1E+999999", "1E-999999", "99.5" + "0" * 80 + "1"]
)
def test_prices_off_the_tick_are_refused(venue: Venue, price: str) -> None:
    assert refusal(venue, price=price) == "VALIDATION_ERROR"


def test_a_limit_order_needs_a_price_and_a_market_order_has_none(venue: Venue) -> None:
    assert refusal(venue, price=None, type=OrderType.LIMIT) == "VALIDATION_ERROR"
    assert refusal(venue, price="99", type=OrderType.MARKET) == "VALIDATION_ERROR"
    assert venue.order(ALICE, Side.BUY, "1", "0", type=OrderType.MARKET).status is OrderStatus.CLOSED


def test_sizes_and_prices_are_written_without_exponent(venue: Venue) -> None:
    order = venue.buy(ALICE, "1E+1", "9E+1")
    assert (str(order.size), str(order.price)) == ("10.00", "90.0")


def test_notional_is_measured_at_the_mark(venue: Venue) -> None:
    assert refusal(venue, size="0.09", price="99") == "INVALID_ORDER_SIZE"
    venue.mark("112")
    assert venue.buy(ALICE, "0.09", "99").status is OrderStatus.OPEN


def test_a_reduce_only_order_may_be_small_if_it_closes_exactly(venue: Venue) -> None:
    venue.sell(BOB, "0.15", "100")
    venue.buy(ALICE, "0.1", "100")
    venue.mark("50")
    with pytest.raises(ExchangeError, match="below the minimum"):
        venue.submit(ALICE, Side.SELL, "0.05", "52", flags=[OrderFlag.REDUCE_ONLY])
    with pytest.raises(ExchangeError, match="below the minimum"):
        venue.submit(ALICE, Side.SELL, "0.1", "52")
    assert venue.sell(ALICE, "0.1", "52", flags=[OrderFlag.REDUCE_ONLY]).status is OrderStatus.OPEN


def test_a_client_id_is_unique_among_live_orders(venue: Venue) -> None:
    order = venue.buy(ALICE, "1", "99", client_id="a")
    with pytest.raises(ExchangeError) as caught:
        venue.submit(ALICE, Side.BUY, "1", "98", client_id="a")
    assert caught.value.code == "DUPLICATED_CLIENT_ID"
    assert venue.buy(BOB, "1", "99", client_id="a").status is OrderStatus.OPEN
    venue.exchange.cancel(ALICE, order_id=order.id)
    venue.process()
    assert venue.buy(ALICE, "1", "98", client_id="a").status is OrderStatus.OPEN


def test_a_client_id_has_at_most_64_characters(venue: Venue) -> None:
    assert refusal(venue, client_id="x" * 65) == "VALIDATION_ERROR"
    assert venue.buy(ALICE, "1", "99", client_id="x" * 64).client_id == "x" * 64


def test_open_orders_are_limited_per_market_and_account(make_venue: Callable[..., Venue]) -> None:
    venue = make_venue(max_open_orders=2)
    venue.buy(ALICE, "1", "99")
    venue.submit(ALICE, Side.BUY, "1", "98")
    with pytest.raises(ExchangeError, match="at most 2 open orders"):
        venue.submit(ALICE, Side.BUY, "1", "97")
    assert venue.buy(BOB, "1", "97").status is OrderStatus.OPEN


def test_an_order_signed_too_long_ago_is_refused(venue: Venue) -> None:
    signed = START // 1000
    venue.exchange.advance(START + 10 * SECOND)
    venue.exchange.drain_events()
    assert refusal(venue, signature_timestamp=signed, recv_window=9_999) == "INVALID_TIMESTAMP"
    assert refusal(venue, signature_timestamp=signed, recv_window=9) == "VALIDATION_ERROR"
    order = venue.buy(ALICE, "1", "99", signature_timestamp=signed, recv_window=10_000)
    assert (order.status, order.timestamp) == (OrderStatus.OPEN, signed)


def test_the_default_receive_window_is_five_minutes(venue: Venue) -> None:
    now_ms = START // 1000
    assert refusal(venue, signature_timestamp=now_ms - 300_001) == "INVALID_TIMESTAMP"
    assert venue.buy(ALICE, "1", "99", signature_timestamp=now_ms - 300_000).status is OrderStatus.OPEN


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"type": OrderType.STOP_LIMIT}, "VALIDATION_ERROR"),
        ({"instruction": OrderInstruction.RPI}, "RPI_ACCOUNT_NOT_WHITELISTED"),
        ({"price": None, "instruction": OrderInstruction.POST_ONLY}, "VALIDATION_ERROR"),
        ({"flags": [OrderFlag.INTERACTIVE]}, "VALIDATION_ERROR"),
        ({"trigger_price": Decimal(90)}, "VALIDATION_ERROR"),
        ({"market": "NO-USD-PERP"}, "MARKET_NOT_FOUND"),
    ],
)
def test_what_cannot_be_ordered_is_refused(venue: Venue, change: dict[str, Any], code: str) -> None:
    assert refusal(venue, **change) == code


def test_unknown_accounts_are_refused(venue: Venue) -> None:
    with pytest.raises(ExchangeError) as caught:
        venue.submit("0xdead", Side.BUY, "1", "99")
    assert caught.value.code == "ACCOUNT_NOT_FOUND"


@pytest.mark.parametrize("symbol", ["ETH-USD", "BTC-USD-100000-C"])
def test_only_perpetuals_are_traded(symbol: str) -> None:
    exchange = Exchange(load_markets(), seed=1, now_us=START)
    exchange.create_account(ALICE, "0x1")
    with pytest.raises(ExchangeError) as caught:
        exchange.submit(ALICE, OrderRequest(symbol, Side.BUY, OrderType.LIMIT, Decimal(1), Decimal(2000)))
    assert caught.value.code == "NO_ACCESS_TO_MARKET"


def test_a_market_is_closed_before_it_opens_and_after_it_expires(make_venue: Callable[..., Venue]) -> None:
    venue = make_venue(open_at=START + SECOND, expiry_at=START + 3600 * SECOND)
    assert refusal(venue) == "MARKET_NOT_OPEN"
    venue.exchange.advance(START + SECOND)
    order = venue.buy(ALICE, "1", "99")
    venue.exchange.advance(START + 3600 * SECOND)
    assert venue.find(ALICE, order.id).cancel_reason == "MARKET_EXPIRED"
    assert venue.exchange.levels(MARKET).bids == ()
    venue.exchange.drain_events()
    assert refusal(venue) == "MARKET_NOT_OPEN"


def test_system_states_refuse_what_they_should(venue: Venue) -> None:
    venue.exchange.system_status = SystemStatus.POST_ONLY
    venue.exchange.drain_events()
    assert refusal(venue) == "SYSTEM_STATUS_POST_ONLY"
    resting = venue.buy(ALICE, "1", "99", instruction=OrderInstruction.POST_ONLY)
    venue.exchange.system_status = SystemStatus.CANCEL_ONLY
    with pytest.raises(ExchangeError) as caught:
        venue.submit(ALICE, Side.BUY, "1", "99", instruction=OrderInstruction.POST_ONLY)
    assert caught.value.code == "SYSTEM_STATUS_CANCEL_ONLY"
    venue.exchange.cancel(ALICE, order_id=resting.id)
    venue.process()
    venue.exchange.system_status = SystemStatus.MAINTENANCE
    venue.exchange.drain_events()
    assert refusal(venue) == "SERVICE_UNAVAILABLE"


def test_cancelling_what_is_not_there_says_so(venue: Venue) -> None:
    order = venue.buy(ALICE, "1", "99", client_id="a")

    def code(**which: str) -> str:
        with pytest.raises(ExchangeError) as caught:
            venue.exchange.cancel(ALICE, **which)
        return caught.value.code

    assert code(order_id="0") == "ORDER_ID_NOT_FOUND"
    assert code(client_id="b") == "CLIENT_ORDER_ID_NOT_FOUND"
    assert code(client_id="a", market="OTHER-USD-PERP") == "CLIENT_ORDER_ID_NOT_FOUND"
    venue.exchange.cancel(ALICE, client_id="a", market=MARKET)
    venue.process()
    assert code(order_id=order.id) == "ORDER_IS_CLOSED"
    assert code(client_id="a") == "ORDER_IS_CLOSED"
    with pytest.raises(ExchangeError) as caught:
        venue.exchange.cancel(BOB, order_id=order.id)
    assert caught.value.code == "ORDER_ID_NOT_FOUND"
