"""The past of the account and the markets: complete lists of typed records."""

import time
from decimal import Decimal

import pytest
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_utils as utils,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative

from tests.unit.connector import payloads
from tests.unit.connector.payloads import ETH_MARKET, ETH_PAIR, MARKET, NOW, NOW_MS, PAIR
from tests.unit.connector.trader import Trader, settle
from tests.unit.connector.venue import Venue, refusal


@pytest.fixture
def history(exchange: ParadexPerpetualDerivative) -> web_utils.History:
    return exchange.history


async def test_fills_are_read_page_by_page_and_told_oldest_first(history: web_utils.History, venue: Venue) -> None:
    venue.on(
        "GET",
        "/fills",
        payloads.page(payloads.fill("b", created_at=NOW_MS), payloads.fill("x", market="ETH-USD"), cursor="more"),
        payloads.page(payloads.fill("a", created_at=NOW_MS - 1, fill_type="", liquidity="TAKER", market=ETH_MARKET)),
    )
    newer, older = list(reversed(await history.fills(start=NOW - 60, end=NOW)))
    assert older == utils.FillRecord(
        fill_id="8615262148007718462",
        fill_type="FILL",
        order_id="1800000000000201709233470000",
        client_order_id="a",
        trading_pair=ETH_PAIR,
        side="SELL",
        is_maker=False,
        price=Decimal(60000),
        size=Decimal("0.2"),
        fee=Decimal("0.36"),
        fee_token="USDC",
        realized_pnl=Decimal(0),
        timestamp=pytest.approx(NOW - 0.001),
    )
    assert (newer.client_order_id, newer.is_maker, newer.trading_pair) == ("b", True, PAIR)
    first, second = venue.asked("GET", "/fills")
    window = {"start_at": str(NOW_MS - 60_000), "end_at": str(NOW_MS), "page_size": "1000"}
    assert first.query == window
    assert second.query == {**window, "cursor": "more"}
    assert "Authorization" in first.headers


async def test_orders_of_one_pair(history: web_utils.History, venue: Venue) -> None:
    market_order = payloads.order("b", "CLOSED", type="MARKET", price="0", remaining_size="0", avg_fill_price="59990.5")
    stop = payloads.order("c", "UNTRIGGERED", type="STOP_LIMIT", trigger_price="61000", created_at=NOW_MS + 1)
    venue.on("GET", "/orders-history", payloads.page(stop, market_order))
    done, waiting = await history.orders(PAIR)
    assert (done.client_order_id, done.price, done.average_fill_price) == ("b", None, Decimal("59990.5"))
    assert (done.trigger_price, done.remaining_size, done.status) == (None, Decimal(0), "CLOSED")
    assert (waiting.trigger_price, waiting.order_type, waiting.average_fill_price) == (
        Decimal(61000),
        "STOP_LIMIT",
        None,
    )
    assert venue.asked("GET", "/orders-history")[0].query == {"market": MARKET, "page_size": "1000"}


async def test_funding_payments(history: web_utils.History, venue: Venue) -> None:
    venue.on("GET", "/funding/payments", payloads.page(payloads.funding_payment("-1.25")))
    (payment,) = await history.funding_payments(PAIR)
    assert (payment.payment, payment.funding_index) == (Decimal("-1.25"), Decimal("-2819.53434361"))
    assert (payment.trading_pair, payment.timestamp) == (PAIR, pytest.approx(NOW))


async def test_funding_rates_and_trades_need_no_account(history: web_utils.History, venue: Venue) -> None:
    rate = {
        "market": MARKET,
        "funding_rate": "0.0001",
        "funding_rate_8h": "",
        "funding_index": "12.5",
        "funding_period_hours": 8,
        "created_at": NOW_MS,
    }
    trade = {"id": "1", "market": MARKET, "side": "BUY", "price": "1", "size": "2", "trade_type": "RPI"}
    venue.on("GET", "/funding/data", payloads.page(rate))
    venue.on("GET", "/trades", payloads.page({**trade, "created_at": NOW_MS}))
    (told,) = await history.funding_rates(PAIR)
    assert (told.funding_rate, told.funding_rate_8h, told.period_hours) == (Decimal("0.0001"), None, Decimal(8))
    (told_trade,) = await history.trades(PAIR)
    assert told_trade == utils.TradeRecord("1", PAIR, "BUY", Decimal(1), Decimal(2), "RPI", pytest.approx(NOW))
    assert "Authorization" not in venue.asked("GET", "/trades")[0].headers
    assert venue.asked("POST", "/auth/*") == []


async def test_the_accounts_history_between_two_times(history: web_utils.History, venue: Venue) -> None:
    data = {"data": [3, 1.25, 2.5], "timestamps": [NOW_MS + 2000, NOW_MS, NOW_MS + 1000]}
    venue.on("GET", "/account/history", data)
    assert [point.value for point in await history.account()] == [Decimal("1.25"), Decimal("2.5"), Decimal(3)]
    between = await history.account("pnl", start=NOW + 0.5, end=NOW + 1.5)
    assert [(point.timestamp, point.value) for point in between] == [(pytest.approx(NOW + 1), Decimal("2.5"))]
    assert [request.query["type"] for request in venue.asked("GET", "/account/history")] == ["value", "pnl"]
    with pytest.raises(ValueError, match="one of value, pnl, volume, fee_savings, not 'equity'"):
        await history.account("equity")
    venue.on("GET", "/account/history", {"data": None, "timestamps": None})
    assert await history.account() == []


async def test_what_goes_wrong_is_said(history: web_utils.History, venue: Venue) -> None:
    with pytest.raises(ValueError, match="use BTC-USDC instead of BTC-USD"):
        await history.fills("BTC-USD")
    venue.on("GET", "/fills", refusal("VALIDATION_ERROR"))
    with pytest.raises(web_utils.ApiError, match="VALIDATION_ERROR"):
        await history.fills(PAIR)
    venue.on("GET", "/trades", payloads.page({"market": MARKET, "created_at": 1}, cursor="for ever"))
    with pytest.raises(web_utils.NoAnswerError, match="more than 100 pages"):
        await history.trades(PAIR)


class TestClockThatIsAhead:
    """A bot whose clock is ten minutes ahead of the exchange's must not ask for what is yet to come."""

    AHEAD = 600.0

    @pytest.fixture(autouse=True)
    def ahead(self, exchange: ParadexPerpetualDerivative) -> None:
        exchange._set_current_timestamp(NOW + self.AHEAD)

    async def test_fills_are_asked_for_since_the_order_by_the_exchanges_clock(
        self, trader: Trader, venue: Venue
    ) -> None:
        venue.on("GET", "/orders", payloads.page())
        venue.on("GET", "/orders-history", payloads.page(payloads.order("mine", "CLOSED", remaining_size="0")))
        venue.on("GET", "/fills", payloads.page(payloads.fill("mine", size="0.5")))
        order = trader.track()
        assert order.creation_timestamp == NOW + self.AHEAD
        await trader.exchange._update_order_status()
        await settle()
        assert order.executed_amount_base == Decimal("0.5")
        assert int(venue.asked("GET", "/fills")[0].query["start_at"]) <= NOW_MS


async def test_a_tick_of_long_ago_does_not_move_the_beginning(exchange: ParadexPerpetualDerivative) -> None:
    """As after a computer's sleep: the clock ticks a second later, and the questions may come first."""
    exchange._set_current_timestamp(NOW - 3600)
    assert exchange._asked_since(NOW - 3600) <= (NOW - 3600) * 1000


async def test_a_clock_that_has_not_ticked_yet_is_no_reason_to_fail(
    exchange: ParadexPerpetualDerivative,
) -> None:
    exchange._set_current_timestamp(float("nan"))
    assert exchange._asked_since(time.time()) > 0
