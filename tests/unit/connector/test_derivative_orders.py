"""Placing and cancelling: what is sent, and what is made of every kind of answer and of none."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType

from tests.unit.connector import payloads, signatures
from tests.unit.connector.clock import Clock
from tests.unit.connector.payloads import MARKET, NOW, NOW_MS, PAIR, Payload
from tests.unit.connector.trader import EXCHANGE_ORDER_ID, Trader, eventually, settle
from tests.unit.connector.venue import NO_ANSWER, PATIENCE, Answer, Request, Venue, refusal

BY_CLIENT_ID = "/orders/by_client_id/*"
# From a submission on: how long it can still become an order, and a little more.
WINDOW = CONSTANTS.RECV_WINDOW_MS * 1e-3 + CONSTANTS.OUTCOME_MARGIN


def accepted(request: Request) -> Payload:
    body = request.body
    return payloads.order(body["client_id"], "NEW", side=body["side"], size=body["size"], created_at=NOW_MS + 7)


@pytest.fixture(autouse=True)
def open_for_orders(venue: Venue) -> None:
    venue.on("POST", "/orders", accepted)
    venue.on("GET", "/orders", payloads.page())


async def placed(trader: Trader, **order: Any) -> Payload:
    """Places an order; what was sent for it."""
    client_id = trader.submit(**order)
    await eventually(lambda: trader.created())
    (request,) = trader.venue.asked("POST", "/orders")
    assert request.body["client_id"] == client_id
    assert signatures.is_order_signed(request.body)
    return request.body


class TestPlacing:
    async def test_a_limit_order(self, trader: Trader) -> None:
        body = await placed(trader)
        del body["signature"]
        client_id = body.pop("client_id")
        assert body == {
            "market": MARKET,
            "side": "BUY",
            "type": "LIMIT",
            "size": "0.5",
            "price": "60000",
            "instruction": "GTC",
            "recv_window": CONSTANTS.RECV_WINDOW_MS,
            "signature_timestamp": NOW_MS,
        }
        order = trader.exchange.in_flight_orders[client_id]
        assert order.is_open
        assert order.exchange_order_id == EXCHANGE_ORDER_ID
        assert order.last_update_timestamp == pytest.approx(NOW + 0.007)

    async def test_a_maker_only_order(self, trader: Trader) -> None:
        body = await placed(trader, side=TradeType.SELL, order_type=OrderType.LIMIT_MAKER)
        assert (body["side"], body["type"], body["instruction"]) == ("SELL", "LIMIT", "POST_ONLY")

    async def test_a_market_order_carries_no_price(self, trader: Trader) -> None:
        body = await placed(trader, order_type=OrderType.MARKET)
        assert body["type"] == "MARKET"
        assert "price" not in body

    async def test_an_order_that_closes_a_position_only_reduces_it(self, trader: Trader) -> None:
        assert (await placed(trader, action=PositionAction.CLOSE))["flags"] == ["REDUCE_ONLY"]

    async def test_an_order_that_opens_one_does_not(self, trader: Trader) -> None:
        assert "flags" not in await placed(trader, action=PositionAction.OPEN)

    async def test_price_and_size_fit_the_markets_steps(self, trader: Trader) -> None:
        body = await placed(trader, amount="0.123456789", price="60000.123")
        assert (body["size"], body["price"]) == ("0.12345", "60000.1")

    async def test_the_signature_has_the_exchanges_time(self, trader: Trader) -> None:
        trader.exchange._time_synchronizer.clear_time_offset_ms_samples()
        trader.exchange._time_synchronizer.add_time_offset_ms_sample(-2500)
        assert (await placed(trader))["signature_timestamp"] == NOW_MS - 2500

    async def test_only_orders_with_the_token_are_sent(self, trader: Trader) -> None:
        await placed(trader)
        (request,) = trader.venue.asked("POST", "/orders")
        assert request.headers["Authorization"] == f"Bearer {payloads.jwt()}"

    @pytest.mark.parametrize("created_at", ["2027-01-15T08:00:00Z", {}, -1, None], ids=str)
    async def test_an_order_whose_time_cannot_be_read_is_there_all_the_same(
        self, trader: Trader, created_at: Any
    ) -> None:
        trader.venue.on("POST", "/orders", lambda request: {**accepted(request), "created_at": created_at})
        await placed(trader)
        assert trader.failed() == []


class TestRefusals:
    async def test_a_refused_order_has_failed_with_the_exchanges_reason(self, trader: Trader) -> None:
        trader.venue.on("POST", "/orders", refusal("INVALID_ORDER_SIZE"))
        client_id = trader.submit()
        await eventually(lambda: trader.failed())
        (failure,) = trader.failed()
        assert failure.order_id == client_id
        assert "INVALID_ORDER_SIZE, said by the exchange" in failure.error_message
        assert len(trader.venue.asked("POST", "/orders")) == 1
        assert trader.venue.asked("GET", BY_CLIENT_ID) == []

    async def test_after_a_wrong_timestamp_the_clock_is_set_and_the_order_sent_anew(self, trader: Trader) -> None:
        trader.venue.on("GET", "/system/time", {"server_time": str(NOW_MS + 9000)})
        trader.venue.on("POST", "/orders", refusal("INVALID_TIMESTAMP"), accepted)
        trader.submit()
        await eventually(lambda: trader.created())
        first, second = (request.body for request in trader.venue.asked("POST", "/orders"))
        assert second["signature_timestamp"] - first["signature_timestamp"] == pytest.approx(9000, abs=100)
        assert second["client_id"] == first["client_id"]
        assert signatures.is_order_signed(second)

    async def test_an_order_that_could_not_be_sent_has_failed_at_once(
        self, trader: Trader, monkeypatch: pytest.MonkeyPatch, clock: Clock
    ) -> None:
        await trader.exchange._auth.token()
        monkeypatch.setenv(CONSTANTS.SANDBOX_URL_VARIABLE, "http://127.0.0.1:9/v1")
        trader.submit()
        await eventually(lambda: trader.failed())
        assert "was not sent" in trader.failed()[0].error_message
        assert clock.now == NOW

    async def test_an_order_for_which_there_was_no_token_has_failed_at_once(self, trader: Trader) -> None:
        trader.venue.on("POST", "/auth/*", refusal("SERVICE_UNAVAILABLE", 503))
        trader.submit()
        await eventually(lambda: trader.failed())
        assert "for want of a token" in trader.failed()[0].error_message
        assert trader.venue.asked("POST", "/orders") == []

    async def test_an_order_that_says_neither_open_nor_close_is_a_mistake_and_not_tracked(self, trader: Trader) -> None:
        with pytest.raises(ValueError, match="Invalid position action"):
            await trader.exchange._create_order(
                TradeType.BUY, "mine", PAIR, Decimal("0.5"), OrderType.LIMIT, Decimal(60000), PositionAction.NIL
            )
        assert trader.exchange.in_flight_orders == {}

    async def test_an_order_for_a_pair_that_is_gone_has_failed_with_advice(self, trader: Trader) -> None:
        trader.exchange._initialize_trading_pair_symbols_from_exchange_info(
            payloads.page(payloads.market(payloads.ETH_MARKET))
        )
        trader.submit()
        await eventually(lambda: trader.failed())
        assert "BTC-USDC is not listed on Paradex any more" in trader.failed()[0].error_message


UNCERTAIN = [
    NO_ANSWER,
    refusal("SERVICE_UNAVAILABLE", 503),
    refusal("INTERNAL_ERROR"),  # whatever the status: the exchange itself failed
    Answer(504, text="<html>Gateway Timeout</html>"),
    Answer(201, text='{"id": "1800'),
    Answer(201, {}),
    Answer(201, payloads.order("another")),
    Answer(200),
]


class TestUnknownOutcome:
    """A submission without an answer: the exchange is asked what became of it, and nothing is sent again."""

    @pytest.mark.parametrize("answer", UNCERTAIN, ids=str)
    async def test_an_order_that_arrived_all_the_same_is_found_by_its_client_id(
        self, trader: Trader, answer: Answer
    ) -> None:
        trader.venue.on("POST", "/orders", answer)
        trader.venue.on("GET", BY_CLIENT_ID, lambda request: payloads.order(request.path.split("/")[-1]))
        client_id = trader.submit()
        await eventually(lambda: trader.created())
        assert trader.exchange.in_flight_orders[client_id].exchange_order_id == EXCHANGE_ORDER_ID
        assert len(trader.venue.asked("POST", "/orders")) == 1
        assert trader.failed() == []

    async def test_one_that_is_closed_by_now_is_found_in_the_history(self, trader: Trader) -> None:
        trader.venue.on("POST", "/orders", NO_ANSWER)
        trader.venue.on("GET", BY_CLIENT_ID, refusal("CLIENT_ORDER_ID_NOT_FOUND"))
        trader.venue.on(
            "GET",
            "/orders-history",
            lambda request: payloads.page(
                payloads.order("another"),
                payloads.order(request.query["client_id"], "CLOSED", remaining_size="0"),
            ),
        )
        client_id = trader.submit()
        await eventually(lambda: trader.created())
        assert trader.venue.asked("GET", "/orders-history")[0].query == {"client_id": client_id}
        trader.venue.on("GET", "/fills", payloads.page(payloads.fill(client_id, size="0.5")))
        trader.venue.on("GET", "/orders", payloads.page())
        trader.venue.on(
            "GET", "/orders-history", payloads.page(payloads.order(client_id, "CLOSED", remaining_size="0"))
        )
        await trader.exchange._update_order_status()
        await eventually(lambda: trader.completed())
        assert [fill.amount for fill in trader.filled()] == [Decimal("0.5")]
        assert len(trader.venue.asked("POST", "/orders")) == 1

    async def test_one_that_shows_late_is_found_when_it_shows(self, trader: Trader, clock: Clock) -> None:
        trader.venue.on("POST", "/orders", NO_ANSWER)
        trader.venue.on("GET", "/orders-history", payloads.page())
        trader.venue.on(
            "GET",
            BY_CLIENT_ID,
            *[refusal("CLIENT_ORDER_ID_NOT_FOUND")] * 3,
            lambda request: payloads.order(request.path.split("/")[-1]),
        )
        trader.submit()
        await eventually(lambda: trader.created())
        assert len(trader.venue.asked("GET", BY_CLIENT_ID)) == 4
        assert clock.now < NOW + WINDOW

    async def test_one_that_never_arrived_has_failed_but_only_when_it_can_no_longer_arrive(
        self, trader: Trader, clock: Clock
    ) -> None:
        trader.venue.on("POST", "/orders", NO_ANSWER)
        unknown: list[float] = []

        def not_found(_: Request) -> Answer:
            assert trader.failed() == []
            unknown.append(clock.now)
            return refusal("CLIENT_ORDER_ID_NOT_FOUND")

        trader.venue.on("GET", BY_CLIENT_ID, not_found)
        trader.venue.on("GET", "/orders-history", payloads.page())
        client_id = trader.submit()
        await eventually(lambda: trader.failed())
        assert unknown[0] == NOW
        assert unknown[-2] <= NOW + WINDOW < unknown[-1]
        assert f"{client_id} was not placed" in trader.failed()[0].error_message
        assert len(trader.venue.asked("POST", "/orders")) == 1
        assert len(unknown) < 25  # asked with patience

    async def test_one_that_waits_for_its_trigger_is_found_in_the_list_of_open_orders(self, trader: Trader) -> None:
        """By its client id, the pages say, only orders are told that are OPEN; this one is UNTRIGGERED."""

        def waiting(_: Request) -> Payload:
            return payloads.page(payloads.order("another"), payloads.order(client_id, "UNTRIGGERED"))

        trader.venue.on("POST", "/orders", NO_ANSWER)
        trader.venue.on("GET", BY_CLIENT_ID, refusal("CLIENT_ORDER_ID_NOT_FOUND"))
        trader.venue.on("GET", "/orders-history", payloads.page())
        trader.venue.on("GET", "/orders", waiting)
        client_id = trader.submit()
        await eventually(lambda: trader.created() or trader.failed())
        assert [event.order_id for event in trader.created()] == [client_id]
        assert trader.failed() == []

    @pytest.mark.parametrize("shift", [-600, 600])
    async def test_an_exchanges_clock_that_is_set_meanwhile_changes_nothing_about_that(
        self, trader: Trader, clock: Clock, shift: int
    ) -> None:
        trader.venue.on("POST", "/orders", NO_ANSWER)
        synchronizer = trader.exchange._time_synchronizer

        def not_found(_: Request) -> Answer:
            synchronizer.clear_time_offset_ms_samples()
            synchronizer.add_time_offset_ms_sample(shift * 1e3)
            return refusal("CLIENT_ORDER_ID_NOT_FOUND")

        trader.venue.on("GET", BY_CLIENT_ID, not_found)
        trader.venue.on("GET", "/orders-history", payloads.page())
        trader.submit()
        await eventually(lambda: trader.failed())
        assert NOW + WINDOW < clock.now < NOW + WINDOW + 10

    async def test_an_exchange_that_cannot_be_asked_proves_nothing_however_long_it_takes(
        self, trader: Trader, clock: Clock
    ) -> None:
        trader.venue.on("POST", "/orders", NO_ANSWER)
        trader.venue.on(
            "GET",
            BY_CLIENT_ID,
            *[refusal("SERVICE_UNAVAILABLE", 503)] * 40,
            refusal("INTERNAL_ERROR"),
            lambda request: payloads.order(request.path.split("/")[-1]),
        )
        trader.submit()
        await eventually(lambda: trader.created())
        assert clock.now > NOW + 2 * WINDOW
        assert trader.failed() == []

    async def test_refused_credentials_prove_nothing_either(self, trader: Trader, clock: Clock) -> None:
        def lose_the_token(_: Request) -> Answer:
            trader.exchange._auth.token_refused(trader.exchange._auth.token_generation)
            return NO_ANSWER

        await trader.exchange._auth.token()
        trader.venue.on("POST", "/orders", lose_the_token)
        trader.venue.on("POST", "/auth/*", *[refusal("UNAUTHORIZED_ERROR", 401)] * 2, {"jwt_token": payloads.jwt()})
        trader.venue.on("GET", BY_CLIENT_ID, lambda request: payloads.order(request.path.split("/")[-1]))
        trader.submit()
        await eventually(lambda: trader.created())
        assert trader.failed() == []
        assert len(trader.venue.asked("POST", "/auth/*")) == 4

    async def test_the_stream_may_tell_first(self, trader: Trader) -> None:
        asked = asyncio.Event()
        told = asyncio.Event()

        async def after_the_stream(request: Request) -> Payload:
            asked.set()
            await told.wait()
            return payloads.order(request.path.split("/")[-1], "OPEN")

        trader.venue.on("POST", "/orders", NO_ANSWER)
        trader.venue.on("GET", BY_CLIENT_ID, after_the_stream)
        client_id = trader.submit()
        await asked.wait()
        await trader.hear("orders.ALL", payloads.order(client_id, "CLOSED", cancel_reason="USER_CANCELED"))
        assert [event.order_id for event in trader.cancelled()] == [client_id]
        told.set()
        await eventually(lambda: not trader.exchange._submitting)
        await settle()
        assert client_id not in trader.exchange.in_flight_orders  # it has not been opened again
        assert trader.created() == []

    async def test_while_the_outcome_is_open_the_poll_does_not_count_the_order_as_lost(
        self, trader: Trader, clock: Clock
    ) -> None:
        release = asyncio.Event()

        async def silent(_: Request) -> Answer:
            await release.wait()
            return NO_ANSWER

        trader.venue.on("POST", "/orders", silent)
        for path in ("/orders", "/orders-history", "/fills"):
            trader.venue.on("GET", path, payloads.page())
        client_id = trader.submit()
        await trader.venue.until(lambda: trader.venue.asked("POST", "/orders"))
        clock.now += 4 * WINDOW  # the request has a patience of its own
        for _ in range(5):
            await trader.exchange._update_order_status()
            clock.now += CONSTANTS.NOT_FOUND_SPACING
        assert client_id in trader.exchange.in_flight_orders
        assert trader.failed() == []
        release.set()


@pytest.mark.parametrize("window", [CONSTANTS.RECV_WINDOW_MS, 200_000])
async def test_an_order_may_be_on_its_way_for_as_long_as_any_was_allowed_to_be(
    trader: Trader, clock: Clock, window: int
) -> None:
    for path in ("/orders", "/orders-history"):
        trader.venue.on("GET", path, payloads.page())
    order = (PAIR, Decimal("0.5"), TradeType.BUY, OrderType.LIMIT, Decimal(60000), PositionAction.OPEN)
    await trader.exchange._place_order("first", *order, recv_window=window)
    trader.track(exchange_order_id=None)
    await trader.exchange._place_order("mine", *order)
    clock.now += window * 1e-3 + CONSTANTS.OUTCOME_MARGIN - 1
    await trader.exchange._compare_open_orders()
    assert trader.failed() == []
    clock.now += 2
    await trader.exchange._compare_open_orders()
    assert [event.order_id for event in trader.failed()] == ["mine"]


async def test_an_order_that_is_neither_open_nor_closed_yet_is_found_by_the_exchanges_id(trader: Trader) -> None:
    trader.venue.on("GET", BY_CLIENT_ID, refusal("CLIENT_ORDER_ID_NOT_FOUND"))
    trader.venue.on("GET", "/orders-history", payloads.page())
    trader.venue.on("GET", "/orders/17", payloads.order("mine", "NEW", id="17"), refusal("ORDER_ID_NOT_FOUND"))
    order = await trader.exchange._find_order("mine", "17")
    assert order is not None
    assert order["id"] == "17"
    assert await trader.exchange._find_order("mine", "17") is None
    assert await trader.exchange._find_order("mine") is None


@pytest.mark.parametrize("wrong", [{"status": "HALF_OPEN"}, {"id": None}, {"size": "much"}, {"remaining_size": None}])
async def test_an_answer_that_makes_no_sense_does_not_say_what_became_of_an_order(
    trader: Trader, wrong: Payload
) -> None:
    trader.venue.on("POST", "/orders", NO_ANSWER)
    trader.venue.on(
        "GET",
        BY_CLIENT_ID,
        lambda request: payloads.order(request.path.split("/")[-1], **wrong),
        lambda request: payloads.order(request.path.split("/")[-1]),
    )
    trader.submit()
    await eventually(lambda: trader.created())
    assert len(trader.venue.asked("GET", BY_CLIENT_ID)) == 2


def retail_trader(make_exchange: Callable[..., ParadexPerpetualDerivative], venue: Venue) -> Trader:
    """Two of its orders leave, of Retail's three in a second; the next one is held back for the rest of the test."""
    exchange = make_exchange(paradex_perpetual_order_class="retail")
    limiter = exchange.throttler
    assert isinstance(limiter, web_utils.TokenBucketThrottler)
    limiter._buckets[CONSTANTS.RETAIL_SECOND_POOL].rate = 1e-6
    return Trader(exchange, venue)


async def test_an_order_that_the_rate_limiter_holds_back_is_not_counted_as_lost(
    venue: Venue, clock: Clock, make_exchange: Callable[..., ParadexPerpetualDerivative]
) -> None:
    trader = retail_trader(make_exchange, venue)
    for path in ("/orders", "/orders-history", "/fills"):
        venue.on("GET", path, payloads.page())
    ids = [trader.submit(price=str(50000 + number)) for number in range(3)]
    await eventually(lambda: len(trader.created()) == 2)
    (held_back,) = set(ids) - {event.order_id for event in trader.created()}
    venue.on(
        "GET", "/orders", payloads.page(*(payloads.order(client_id) for client_id in ids if client_id != held_back))
    )
    clock.now += 4 * WINDOW
    for _ in range(5):
        await trader.exchange._update_order_status()
        clock.now += CONSTANTS.NOT_FOUND_SPACING
    assert trader.failed() == []
    assert held_back in trader.exchange.in_flight_orders


async def test_an_order_cancelled_while_the_rate_limiter_holds_it_back_is_never_sent(
    venue: Venue, clock: Clock, make_exchange: Callable[..., ParadexPerpetualDerivative]
) -> None:
    trader = retail_trader(make_exchange, venue)
    ids = [trader.submit(price=str(50000 + number)) for number in range(3)]
    await eventually(lambda: len(trader.created()) == 2)
    (held_back,) = set(ids) - {event.order_id for event in trader.created()}
    assert await trader.exchange._execute_cancel(PAIR, held_back) == held_back
    for _ in range(5):
        trader.exchange.cancel(PAIR, held_back)
    await eventually(lambda: trader.cancelled())
    assert [event.order_id for event in trader.cancelled()] == [held_back]
    assert len(venue.asked("POST", "/orders")) == 2
    assert venue.asked("DELETE", BY_CLIENT_ID) == []
    assert trader.failed() == []
    assert trader.exchange._order_tracker.lost_orders == {}


async def test_cancels_of_a_submission_without_an_answer_do_not_make_it_lost(
    trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CONSTANTS, "WS_CALL_TIMEOUT", 0.01)
    monkeypatch.setattr(CONSTANTS, "CANCEL_PATIENCE", 0.01)
    release = asyncio.Event()

    async def answer_late(request: Request) -> Payload:
        await release.wait()
        return payloads.order(request.body["client_id"])

    trader.venue.on("POST", "/orders", answer_late)
    client_id = trader.submit()
    await trader.venue.until(lambda: trader.venue.asked("POST", "/orders"))
    for _ in range(5):
        await trader.exchange._execute_cancel(PAIR, client_id)
    assert trader.failed() == []
    assert client_id in trader.exchange.in_flight_orders
    release.set()
    await eventually(lambda: trader.created())


async def test_a_cancel_that_has_waited_long_for_the_submission_is_sent_after_it_and_taken(
    trader: Trader, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(CONSTANTS, "WS_CALL_TIMEOUT", 0.0)
    release = asyncio.Event()

    async def answer_late(request: Request) -> Payload:
        await release.wait()
        return accepted(request)

    trader.venue.on("POST", "/orders", answer_late)
    trader.venue.on("GET", "/orders", lambda _: payloads.page(*map(payloads.order, trader.exchange.in_flight_orders)))
    trader.venue.on("DELETE", BY_CLIENT_ID, Answer(204))
    client_id = trader.submit()
    await trader.venue.until(lambda: trader.venue.asked("POST", "/orders"))
    cancelling = asyncio.create_task(trader.exchange._execute_cancel(PAIR, client_id))
    began = clock.now
    await eventually(lambda: clock.now > began + 5 * CONSTANTS.CANCEL_SILENCE_MAXIMUM)
    assert trader.venue.asked("DELETE", BY_CLIENT_ID) == []  # it would find nothing, and so would a question
    assert trader.venue.asked("GET", "/orders") == []
    release.set()
    assert await cancelling == client_id
    assert trader.venue.asked("DELETE", f"/orders/by_client_id/{client_id}")


class TestCancelling:
    @pytest.fixture(autouse=True)
    def open_for_cancels(self, venue: Venue, trader: Trader, clock: Clock) -> None:
        venue.on("DELETE", BY_CLIENT_ID, Answer(204))
        trader.exchange._sleep = clock.live  # cancels are not repeated yet

    async def test_a_cancel_names_the_client_id_and_the_market_and_waits_for_the_stream(self, trader: Trader) -> None:
        order = trader.track()
        trader.exchange.cancel(PAIR, "mine")
        await eventually(lambda: order.is_pending_cancel_confirmation)
        (request,) = trader.venue.asked("DELETE", BY_CLIENT_ID)
        assert request.path == "/orders/by_client_id/mine"
        assert request.query == {"market": MARKET}
        assert trader.cancelled() == []
        await trader.hear("orders.ALL", payloads.order("mine", "CLOSED", cancel_reason="USER_CANCELED"))
        assert [event.order_id for event in trader.cancelled()] == ["mine"]

    async def test_a_cancel_that_could_not_leave_is_sent_as_soon_as_it_can(
        self, trader: Trader, clock: Clock, log: pytest.LogCaptureFixture
    ) -> None:
        trader.exchange._sleep = clock.sleep
        order = trader.track()
        no_token, token = refusal("SERVICE_UNAVAILABLE", 503), {"jwt_token": payloads.jwt()}
        trader.venue.on("POST", "/auth/*", no_token, no_token, token)
        trader.venue.on("GET", "/orders", payloads.page(payloads.order("mine")))
        assert await trader.exchange._execute_cancel(PAIR, "mine") == "mine"
        await eventually(lambda: order.is_pending_cancel_confirmation)
        assert trader.venue.asked("DELETE", BY_CLIENT_ID)
        assert "mine is not cancelled yet (not sent, for want of a token" in log.text
        await trader.hear("orders.ALL", payloads.order("mine", "CLOSED", cancel_reason="USER_CANCELED"))
        assert [event.order_id for event in trader.cancelled()] == ["mine"]

    async def test_an_order_that_was_made_larger_is_cancelled_though_all_that_it_was_for_is_filled(
        self, trader: Trader, clock: Clock
    ) -> None:
        trader.exchange._sleep = clock.sleep  # type: ignore[method-assign]
        trader.track()
        trader.venue.on("GET", "/orders", payloads.page(payloads.order("mine", size="1", remaining_size="0.5")))
        trader.venue.on("GET", "/orders-history", payloads.page())
        filled = payloads.fill("mine", size="0.5")
        cancelling = asyncio.ensure_future(trader.exchange._execute_cancel(PAIR, "mine"))
        await trader.venue.until(lambda: trader.venue.asked("DELETE", BY_CLIENT_ID))
        await trader.hear("fills.ALL", filled)
        assert await cancelling == "mine"
        await trader.venue.until(lambda: len(trader.venue.asked("DELETE", BY_CLIENT_ID)) == 2)  # nothing is heard
        await trader.hear("orders.ALL", payloads.order("mine", "CLOSED", size="1", remaining_size="0.5"))
        assert [event.order_id for event in trader.cancelled()] == ["mine"]

    async def test_an_id_with_odd_characters_stays_one_part_of_the_path(self, trader: Trader) -> None:
        trader.track("a/b c?d")
        trader.exchange.cancel(PAIR, "a/b c?d")
        await trader.venue.until(lambda: trader.venue.asked("DELETE", BY_CLIENT_ID))
        assert trader.venue.asked("DELETE", "/orders/by_client_id/a/b c?d")

    async def test_a_cancel_waits_for_the_submission_in_the_air(self, trader: Trader) -> None:
        release = asyncio.Event()

        async def slowly(request: Request) -> Payload:
            await release.wait()
            return accepted(request)

        trader.venue.on("POST", "/orders", slowly)
        client_id = trader.submit()
        await trader.venue.until(lambda: trader.venue.asked("POST", "/orders"))
        trader.exchange.cancel(PAIR, client_id)
        await asyncio.sleep(0.02)
        assert trader.venue.asked("DELETE", BY_CLIENT_ID) == []
        release.set()
        await trader.venue.until(lambda: trader.venue.asked("DELETE", BY_CLIENT_ID))

    async def test_a_submission_that_fails_leaves_nothing_to_cancel(self, trader: Trader) -> None:
        release = asyncio.Event()

        async def refuse(_: Request) -> Answer:
            await release.wait()
            return refusal("INVALID_ORDER_SIZE")

        trader.venue.on("POST", "/orders", refuse)
        client_id = trader.submit()
        await trader.venue.until(lambda: trader.venue.asked("POST", "/orders"))
        cancelling = asyncio.create_task(trader.exchange._execute_cancel(PAIR, client_id))
        release.set()
        assert await cancelling is None
        assert trader.venue.asked("DELETE", BY_CLIENT_ID) == []

    async def test_an_order_that_was_cancelled_and_filled_meanwhile_is_looked_up(
        self, trader: Trader, log: pytest.LogCaptureFixture
    ) -> None:
        trader.track()
        trader.venue.on("DELETE", BY_CLIENT_ID, refusal("ORDER_IS_CLOSED"))
        trader.venue.on("GET", "/fills", payloads.page(payloads.fill("mine", size="0.5")))
        trader.venue.on("GET", "/orders", payloads.page())
        closed = payloads.order("mine", "CLOSED", remaining_size="0")
        trader.venue.on("GET", "/orders-history", payloads.page(closed))
        trader.exchange.cancel(PAIR, "mine")
        await eventually(lambda: trader.completed())
        assert [fill.amount for fill in trader.filled()] == [Decimal("0.5")]
        assert trader.cancelled() == []
        assert [record for record in log.records if record.levelname == "ERROR"] == []

    async def test_an_order_that_turns_out_to_be_closed_is_told_so_and_its_cancel_has_not_happened(
        self, trader: Trader
    ) -> None:
        trader.track()
        trader.venue.on("DELETE", BY_CLIENT_ID, refusal("ORDER_IS_CLOSED"))
        trader.venue.on("GET", BY_CLIENT_ID, refusal("CLIENT_ORDER_ID_NOT_FOUND"))
        closed = payloads.order("mine", "CLOSED", cancel_reason="LIQUIDATION")
        trader.venue.on("GET", "/orders-history", payloads.page(closed))
        assert await trader.exchange._execute_cancel(PAIR, "mine") is None
        assert [event.order_id for event in trader.cancelled()] == ["mine"]
        assert trader.exchange._reconciliation is not None  # something has happened of which nothing was heard
        assert trader.exchange._cancels == {}

    async def test_an_order_that_turns_out_to_be_open_is_cancelled_again(self, trader: Trader, clock: Clock) -> None:
        order = trader.track()
        trader.exchange._sleep = clock.sleep
        trader.venue.on("DELETE", BY_CLIENT_ID, refusal("CLIENT_ORDER_ID_NOT_FOUND"), Answer(204))
        trader.venue.on("GET", BY_CLIENT_ID, payloads.order("mine", "NEW"))
        trader.venue.on("GET", "/orders", payloads.page(payloads.order("mine")))
        assert await trader.exchange._execute_cancel(PAIR, "mine") == "mine"
        assert order.is_pending_cancel_confirmation
        assert CONSTANTS.CANCEL_SILENCE / 2 <= clock.pauses[0] <= CONSTANTS.CANCEL_SILENCE

    @pytest.mark.parametrize(
        "answer",
        [
            refusal("ORDER_IS_CLOSED"),
            refusal("SERVICE_UNAVAILABLE", 503),
            Answer(429, payloads.error("REQUEST_NOT_ALLOWED"), headers={"Retry-After": "3600"}),
        ],
        ids=str,
    )
    async def test_a_repeated_cancel_that_fails_is_repeated_again(
        self, trader: Trader, clock: Clock, answer: Answer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(web_utils.TokenBucketThrottler, "observe", lambda *_: None)  # it waits by the real clock
        trader.track()
        trader.exchange._sleep = clock.sleep
        trader.venue.on("DELETE", BY_CLIENT_ID, refusal("SERVICE_UNAVAILABLE", 503), answer, answer, Answer(204))
        trader.venue.on("GET", "/orders", payloads.page(payloads.order("mine")))
        assert await trader.exchange._execute_cancel(PAIR, "mine") == "mine"

    async def test_all_who_wait_for_a_cancel_hear_of_its_end(self, trader: Trader) -> None:
        trader.track()
        trader.venue.on("DELETE", BY_CLIENT_ID, refusal("SERVICE_UNAVAILABLE", 503))
        first = asyncio.create_task(trader.exchange._execute_cancel(PAIR, "mine"))
        await eventually(lambda: "mine" in trader.exchange._cancels)
        second = asyncio.create_task(trader.exchange._execute_cancel(PAIR, "mine"))
        await trader.venue.until(lambda: len(trader.venue.asked("DELETE", BY_CLIENT_ID)) == 2)
        await settle()
        await trader.hear("orders.ALL", payloads.order("mine", "CLOSED", cancel_reason="USER_CANCELED"))
        assert await asyncio.wait_for(asyncio.gather(first, second), PATIENCE) == ["mine", "mine"]

    async def test_a_cancel_that_nothing_comes_of_is_repeated_after_pauses_that_grow(
        self, trader: Trader, clock: Clock
    ) -> None:
        trader.track()
        trader.exchange._sleep = clock.sleep
        trader.venue.on("GET", "/orders", payloads.page(payloads.order("mine")))
        trader.exchange.cancel(PAIR, "mine")
        await eventually(lambda: clock.now > NOW + 20 * CONSTANTS.CANCEL_SILENCE_MAXIMUM)
        repeats = len(trader.venue.asked("DELETE", BY_CLIENT_ID)) * CONSTANTS.CANCEL_SILENCE_MAXIMUM
        assert (clock.now - NOW) * 0.8 < repeats < (clock.now - NOW) * 2.5

    async def test_a_repeated_cancel_that_is_refused_for_good_is_said(
        self, trader: Trader, clock: Clock, log: pytest.LogCaptureFixture
    ) -> None:
        order = trader.track()
        trader.exchange._sleep = clock.sleep
        trader.venue.on("DELETE", BY_CLIENT_ID, refusal("SERVICE_UNAVAILABLE", 503), refusal("VALIDATION_ERROR"))
        trader.venue.on("GET", "/orders", payloads.page(payloads.order("mine")))
        assert await trader.exchange._execute_cancel(PAIR, "mine") is None
        assert "mine is not cancelled: Paradex refused" in log.text
        assert "VALIDATION_ERROR" in log.text
        assert trader.exchange._cancels == {}
        assert not order.is_done

    async def test_the_cancel_of_an_order_that_is_lost_is_not_followed_for_ever(
        self, trader: Trader, clock: Clock
    ) -> None:
        trader.track()
        trader.exchange._sleep = clock.sleep
        trader.venue.on("GET", "/orders", payloads.page())
        trader.venue.on("GET", "/orders-history", payloads.page())
        trader.exchange.cancel(PAIR, "mine")
        await eventually(lambda: trader.failed())
        await eventually(lambda: not trader.exchange._cancels)
        assert trader.exchange._cancel_watch is not None
        await trader.exchange._cancel_watch

    @pytest.mark.parametrize("code", ["CLIENT_ORDER_ID_NOT_FOUND", "ORDER_ID_NOT_FOUND"])
    async def test_only_a_real_not_found_counts_against_the_order(
        self, trader: Trader, code: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(CONSTANTS, "CANCEL_PATIENCE", 0.01)
        trader.track()
        records = trader.exchange._order_tracker._order_not_found_records
        for answer in (refusal("INTERNAL_ERROR"), refusal("SERVICE_UNAVAILABLE", 503), Answer(404, text="<html>")):
            trader.venue.on("DELETE", BY_CLIENT_ID, answer)
            await trader.exchange._execute_cancel(PAIR, "mine")
        assert records["mine"] == 0
        trader.exchange._cancels.clear()
        trader.venue.on("DELETE", BY_CLIENT_ID, refusal(code))
        trader.venue.on("GET", BY_CLIENT_ID, refusal(code))
        trader.venue.on("GET", "/orders-history", payloads.page())
        trader.venue.on("GET", "/orders/*", refusal(code))
        await trader.exchange._execute_cancel(PAIR, "mine")
        assert records["mine"] == 1

    async def test_cancels_in_a_row_do_not_make_an_order_lost_that_the_history_does_not_tell_yet(
        self, trader: Trader, clock: Clock
    ) -> None:
        """A strategy may try each second; an order that was filled just now is in no list for a moment."""
        trader.track()
        await trader.hear("orders.ALL", payloads.order("mine"))
        for method, path in (("DELETE", BY_CLIENT_ID), ("GET", BY_CLIENT_ID), ("GET", "/orders/*")):
            trader.venue.on(method, path, refusal("CLIENT_ORDER_ID_NOT_FOUND"))
        trader.venue.on("GET", "/orders-history", payloads.page())
        for _ in range(4):
            await trader.exchange._execute_cancel(PAIR, "mine")
            clock.now += 1
        assert trader.failed() == []
        clock.now += CONSTANTS.NOT_FOUND_SPACING
        await trader.exchange._execute_cancel(PAIR, "mine")
        assert [event.order_id for event in trader.failed()] == ["mine"]

    async def test_a_connector_that_stops_leaves_nobody_waiting_for_a_cancel(self, trader: Trader) -> None:
        trader.track()
        trader.venue.on("DELETE", BY_CLIENT_ID, NO_ANSWER)
        trader.venue.on("GET", "/orders", refusal("SERVICE_UNAVAILABLE", 503))
        cancelling = asyncio.create_task(trader.exchange._execute_cancel(PAIR, "mine"))
        await eventually(lambda: trader.exchange._cancels)
        await settle()
        await trader.exchange.stop_network()
        assert await asyncio.wait_for(cancelling, PATIENCE) is None
        assert "mine" in trader.exchange.in_flight_orders

    async def test_a_cancel_that_fails_after_the_connector_has_stopped_is_not_waited_for(self, trader: Trader) -> None:
        trader.track()
        answered = asyncio.Event()

        async def late(_: Request) -> Answer:
            await answered.wait()
            return refusal("SERVICE_UNAVAILABLE", 503)

        trader.venue.on("DELETE", BY_CLIENT_ID, late)
        cancelling = asyncio.create_task(trader.exchange._execute_cancel(PAIR, "mine"))
        await trader.venue.until(lambda: trader.venue.asked("DELETE", BY_CLIENT_ID))
        await trader.exchange.stop_network()
        answered.set()
        assert await asyncio.wait_for(cancelling, PATIENCE) is None
        assert "mine" in trader.exchange.in_flight_orders
        assert "mine" in trader.exchange._cancels  # and is followed after the next start

    async def test_all_orders_can_be_cancelled_at_once(self, trader: Trader) -> None:
        for number in range(5):
            trader.track(f"order-{number}", f"{EXCHANGE_ORDER_ID}{number}")
        results = await trader.exchange.cancel_all(5)
        assert sorted(result.order_id for result in results if result.success) == [f"order-{n}" for n in range(5)]
