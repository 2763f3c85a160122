"""The way of orders to the exchange: batches, the socket, REST in its place, and what stops new orders."""

import asyncio
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_user_stream_data_source import (
    batch_outcomes,
    cancel_outcomes,
)
from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType
from hummingbot.core.data_type.limit_order import LimitOrder
from hummingbot.core.data_type.market_order import MarketOrder
from hummingbot.core.network_iterator import NetworkStatus

from tests.unit.connector import payloads, signatures
from tests.unit.connector.clock import Clock
from tests.unit.connector.payloads import ETH_PAIR, MARKET, PAIR, Payload
from tests.unit.connector.trader import Trader, eventually, settle
from tests.unit.connector.venue import NO_ANSWER, Answer, Request, Socket, Venue, refusal

BY_CLIENT_ID = "/orders/by_client_id/*"
MakeTrader = Callable[..., Trader]


def taken(body: Payload) -> Payload:
    return payloads.order(body["client_id"], "NEW", id=f"id-{body['client_id']}", side=body["side"], size=body["size"])


def batch_taken(request: Request) -> Payload:
    return {"orders": [taken(body) for body in request.body], "errors": []}


def batch_cancelled(request: Request) -> Payload:
    results = [{"id": order_id, "status": "QUEUED_FOR_CANCELLATION"} for order_id in request.body.get("order_ids", [])]
    for client_id in request.body.get("client_order_ids", []):
        results.append({"client_id": client_id, "status": "QUEUED_FOR_CANCELLATION"})
    return {"results": results}


@pytest.fixture(autouse=True)
def open_for_orders(venue: Venue) -> None:
    venue.on("POST", "/orders", lambda request: taken(request.body))
    venue.on("POST", "/orders/batch", batch_taken)
    venue.on("DELETE", "/orders/batch", batch_cancelled)
    venue.on("DELETE", "/orders", Answer(200))
    venue.on("DELETE", BY_CLIENT_ID, Answer(204))
    venue.rpc["order.create"] = lambda _, call: {"result": {"order": taken(call["params"])}}
    venue.rpc["order.create_batch"] = lambda _, call: {
        "result": {"results": [{"order": taken(body)} for body in call["params"]["orders"]]}
    }
    for path in ("/orders", "/orders-history", "/fills", "/positions", "/balance"):
        venue.on("GET", path, payloads.page())
    venue.on("GET", "/account", payloads.account())
    venue.on("GET", "/account/margin", payloads.margin())


@pytest.fixture
def make_trader(venue: Venue, make_exchange: Callable[..., ParadexPerpetualDerivative]) -> MakeTrader:
    """Makes traders whose connector has these settings."""

    def make(**settings: Any) -> Trader:
        names = {f"paradex_perpetual_{name}": value for name, value in settings.items()}
        return Trader(make_exchange(**names), venue)

    return make


@pytest.fixture
async def on_socket(make_trader: MakeTrader, clock: Clock) -> AsyncIterator[Callable[..., Any]]:
    """Makes traders whose orders go over the socket, which stands."""
    streams: list[asyncio.Task[None]] = []

    async def make(**settings: Any) -> Trader:
        trader = make_trader(**{"order_entry": "websocket", **settings})
        source = trader.exchange._user_stream_tracker.data_source
        source._sleep = clock.sleep
        streams.append(asyncio.create_task(source.listen_for_user_stream(asyncio.Queue())))
        await eventually(lambda: source.session)
        return trader

    yield make
    for stream in streams:
        stream.cancel()
    await asyncio.gather(*streams, return_exceptions=True)


def submit_many(trader: Trader, count: int) -> list[str]:
    return [trader.submit(price=str(50000 + number)) for number in range(count)]


def batches(venue: Venue) -> list[list[str]]:
    """The client ids of each batch that was sent over REST."""
    return [[body["client_id"] for body in request.body] for request in venue.asked("POST", "/orders/batch")]


def calls(socket: Socket, method: str) -> list[Payload]:
    return [params for name, params in socket.calls if name == method]


class TestBatches:
    async def test_orders_of_one_moment_leave_as_batches_of_the_size_that_is_set(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader(batch_size=10)
        ids = submit_many(trader, 25)
        await eventually(lambda: len(trader.created()) == 25)
        assert sorted(map(len, batches(venue))) == [5, 10, 10]
        assert sorted(client_id for batch in batches(venue) for client_id in batch) == sorted(ids)
        assert venue.asked("POST", "/orders") == []
        for request in venue.asked("POST", "/orders/batch"):
            assert all(map(signatures.is_order_signed, request.body))
        for client_id in ids:
            assert trader.exchange.in_flight_orders[client_id].exchange_order_id == f"id-{client_id}"

    async def test_an_order_by_itself_is_no_batch(self, make_trader: MakeTrader, venue: Venue) -> None:
        trader = make_trader()
        trader.submit()
        await eventually(lambda: trader.created())
        assert len(venue.asked("POST", "/orders")) == 1
        assert batches(venue) == []

    async def test_a_batch_counts_once_for_the_rate_limiter(
        self, make_trader: MakeTrader, venue: Venue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trader = make_trader()
        admitted: list[str] = []
        execute_task = trader.exchange._throttler.execute_task

        def counted(limit_id: str) -> Any:
            admitted.append(limit_id)
            return execute_task(limit_id)

        monkeypatch.setattr(trader.exchange._throttler, "execute_task", counted)
        submit_many(trader, 10)
        await eventually(lambda: len(trader.created()) == 10)
        assert admitted.count(CONSTANTS.SUBMIT_LIMIT) == 1

    async def test_retail_orders_go_one_by_one_for_their_limits_count_orders(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader(order_class="retail")
        submit_many(trader, 3)
        await eventually(lambda: len(trader.created()) == 3)
        assert len(venue.asked("POST", "/orders")) == 3
        assert batches(venue) == []

    async def test_one_that_the_exchange_refuses_fails_and_the_others_are_placed(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader()
        venue.on(
            "POST",
            "/orders/batch",
            lambda request: {
                "orders": [taken(body) for body in request.body if body["price"] != "50001"],
                "errors": [payloads.error("INVALID_ORDER_SIZE")],
            },
        )
        ids = submit_many(trader, 4)
        await eventually(lambda: len(trader.created()) == 3 and trader.failed())
        assert [failure.order_id for failure in trader.failed()] == [ids[1]]
        assert "INVALID_ORDER_SIZE, said by the exchange" in trader.failed()[0].error_message

    async def test_a_bad_order_that_has_the_whole_batch_refused_takes_nobody_down(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader()
        venue.on("POST", "/orders/batch", refusal("INVALID_ORDER_SIGNATURE"))
        venue.on(
            "POST",
            "/orders",
            lambda request: (
                refusal("INVALID_ORDER_SIGNATURE") if request.body["price"] == "50002" else taken(request.body)
            ),
        )
        ids = submit_many(trader, 4)
        await eventually(lambda: len(trader.created()) == 3 and trader.failed())
        assert [failure.order_id for failure in trader.failed()] == [ids[2]]
        assert len(venue.asked("POST", "/orders")) == 4

    async def test_a_size_that_the_exchange_does_not_take_is_made_smaller_once_for_all(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader(batch_size=50)
        venue.on(
            "POST",
            "/orders/batch",
            lambda request: refusal("BATCH_SIZE_OUT_OF_RANGE") if len(request.body) > 10 else batch_taken(request),
        )
        submit_many(trader, 25)
        await eventually(lambda: len(trader.created()) == 25)
        assert [len(batch) for batch in batches(venue)] == [25, 10, 10, 5]
        submit_many(trader, 20)
        await eventually(lambda: len(trader.created()) == 45)
        assert [len(batch) for batch in batches(venue)][4:] == [10, 10]

    async def test_the_orders_of_a_batch_without_an_answer_are_each_looked_for(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader()
        arrived: list[str] = []

        def lose_the_answer(request: Request) -> Answer:
            arrived.extend(body["client_id"] for body in request.body if body["price"] != "50001")
            return NO_ANSWER

        def look_up(request: Request) -> Answer | Payload:
            client_id = request.path.rsplit("/", 1)[-1]
            return payloads.order(client_id) if client_id in arrived else refusal("CLIENT_ORDER_ID_NOT_FOUND")

        venue.on("POST", "/orders/batch", lose_the_answer)
        venue.on("GET", BY_CLIENT_ID, look_up)
        ids = submit_many(trader, 3)
        await eventually(lambda: len(trader.created()) == 2 and trader.failed())
        assert {event.order_id for event in trader.created()} == {ids[0], ids[2]}
        assert [failure.order_id for failure in trader.failed()] == [ids[1]]
        assert len(venue.asked("POST", "/orders/batch")) == 1  # nothing was sent a second time
        assert venue.asked("POST", "/orders") == []

    async def test_a_client_id_that_is_taken_says_that_the_order_is_there(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader()
        venue.on("POST", "/orders", refusal("DUPLICATED_CLIENT_ID"))
        venue.on("GET", BY_CLIENT_ID, lambda request: payloads.order(request.path.rsplit("/", 1)[-1]))
        trader.submit()
        await eventually(lambda: trader.created())
        assert trader.failed() == []
        assert len(venue.asked("POST", "/orders")) == 1

    async def test_the_clock_is_set_once_for_a_batch_with_a_wrong_time(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader()
        venue.on("GET", "/system/time", {"server_time": str(payloads.NOW_MS + 9000)})
        venue.on("POST", "/orders/batch", refusal("INVALID_TIMESTAMP"), batch_taken)
        submit_many(trader, 3)
        await eventually(lambda: len(trader.created()) == 3)
        first, second = (request.body for request in venue.asked("POST", "/orders/batch"))
        for before, after in zip(first, second, strict=True):
            assert before["client_id"] == after["client_id"]
            assert after["signature_timestamp"] - before["signature_timestamp"] == pytest.approx(9000, abs=100)
            assert signatures.is_order_signed(after)

    async def test_and_for_those_of_a_batch_that_alone_had_a_wrong_time(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        def first_taken(request: Request) -> Payload:
            late = [payloads.error("INVALID_TIMESTAMP") for _ in request.body[1:]]
            return {"orders": [taken(request.body[0])], "errors": late}

        trader = make_trader()
        venue.on("GET", "/system/time", {"server_time": str(payloads.NOW_MS + 9000)})
        venue.on("POST", "/orders/batch", first_taken, batch_taken)
        ids = submit_many(trader, 3)
        await eventually(lambda: len(trader.created()) == 3)
        assert batches(venue) == [ids, ids[1:]]
        assert trader.failed() == []

    async def test_of_a_refused_batch_what_is_over_a_limit_then_fails_and_what_was_taken_is_not_sent_again(
        self, make_trader: MakeTrader, venue: Venue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def first_taken(request: Request) -> Any:
            alone.append(request.body["client_id"])
            return taken(request.body) if len(alone) == 1 else Answer(429, payloads.error("REQUEST_NOT_ALLOWED"))

        monkeypatch.setattr(web_utils.TokenBucketThrottler, "observe", lambda *_: None)  # it waits by the real clock
        alone: list[str] = []
        trader = make_trader()
        venue.on("POST", "/orders/batch", refusal("INVALID_ORDER_SIGNATURE"))
        venue.on("POST", "/orders", first_taken)
        ids = submit_many(trader, 3)
        await eventually(lambda: len(trader.created()) + len(trader.failed()) == 3)
        assert alone == ids
        assert [event.order_id for event in trader.created()] == ids[:1]

    async def test_of_a_refused_batch_only_the_order_without_an_answer_is_looked_for(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader()
        silent = refusal("SERVICE_UNAVAILABLE", 503)
        venue.on("POST", "/orders/batch", refusal("INVALID_ORDER_SIGNATURE"))
        venue.on("POST", "/orders", lambda request: silent if request.body["price"] == "50001" else taken(request.body))
        venue.on("GET", BY_CLIENT_ID, lambda request: payloads.order(request.path.rsplit("/", 1)[-1]))
        ids = submit_many(trader, 3)
        await eventually(lambda: len(trader.created()) == 3)
        assert [request.path.rsplit("/", 1)[-1] for request in venue.asked("GET", BY_CLIENT_ID)] == [ids[1]]

    async def test_a_batch_of_which_the_token_is_refused_is_not_sent_order_by_order(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader()
        venue.on("POST", "/orders/batch", refusal("UNAUTHORIZED_ERROR", 403))
        submit_many(trader, 3)
        await eventually(lambda: len(trader.failed()) == 3)
        assert venue.asked("POST", "/orders") == []

    async def test_a_time_that_stays_wrong_fails_the_orders_after_the_second_attempt(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        def late(request: Request) -> Payload:
            return {"orders": [], "errors": [payloads.error("INVALID_TIMESTAMP") for _ in request.body]}

        trader = make_trader()
        venue.on("POST", "/orders/batch", late)
        ids = submit_many(trader, 3)
        await eventually(lambda: len(trader.failed()) == 3)
        assert batches(venue) == [ids, ids]

    async def test_an_error_that_nobody_foresaw_leaves_the_outcome_open(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        async def fail(*_: Any) -> Any:
            raise RuntimeError("what is that?")

        trader = make_trader()
        trader.exchange._order_entry._submits._send = fail
        venue.on("GET", BY_CLIENT_ID, lambda request: payloads.order(request.path.rsplit("/", 1)[-1]))
        ids = submit_many(trader, 2)
        await eventually(lambda: len(trader.created()) == 2)
        assert sorted(event.order_id for event in trader.created()) == sorted(ids)

    async def test_what_is_over_a_limit_the_second_time_is_not_sent_a_third_with_what_was_taken(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        def first_taken(request: Request) -> Payload:
            return {"orders": [taken(request.body[0])], "errors": [payloads.error("INVALID_TIMESTAMP")] * 2}

        trader = make_trader()
        venue.on("GET", "/system/time", {"server_time": str(payloads.NOW_MS + 9000)})
        venue.on("POST", "/orders/batch", first_taken, Answer(429, payloads.error("REQUEST_NOT_ALLOWED")))
        ids = submit_many(trader, 3)
        await eventually(lambda: len(trader.created()) + len(trader.failed()) == 3)
        assert [event.order_id for event in trader.created()] == ids[:1]
        assert batches(venue) == [ids, ids[1:]]

    async def test_one_that_is_cancelled_while_it_is_signed_is_not_sent(
        self, make_trader: MakeTrader, venue: Venue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trader = make_trader()
        signing, signed = asyncio.Event(), asyncio.Event()
        sign_orders = trader.exchange._auth.sign_orders

        async def slowly(requests: Any) -> Any:
            signing.set()
            await signed.wait()
            return await sign_orders(requests)

        monkeypatch.setattr(trader.exchange._auth, "sign_orders", slowly)
        ids = submit_many(trader, 3)
        await signing.wait()
        assert await trader.exchange._execute_cancel(PAIR, ids[1]) == ids[1]
        signed.set()
        await eventually(lambda: len(trader.created()) == 2 and trader.cancelled())
        assert batches(venue) == [[ids[0], ids[2]]]
        assert [event.order_id for event in trader.cancelled()] == [ids[1]]

    async def test_one_that_nobody_waits_for_any_more_keeps_no_other_from_its_outcome(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        entry = make_trader().exchange._order_entry
        release = asyncio.Event()

        async def slowly(request: Request) -> Payload:
            await release.wait()
            return batch_taken(request)

        venue.on("POST", "/orders/batch", slowly)
        order = {"market": MARKET, "side": "BUY", "type": "LIMIT", "size": "0.5", "price": "50000"}
        first, second = (
            asyncio.create_task(entry.submit({**order, "instruction": "GTC", "client_id": name})) for name in "ab"
        )
        await venue.until(lambda: venue.asked("POST", "/orders/batch"))
        first.cancel()
        release.set()
        assert (await second)["id"] == "id-b"

    async def test_orders_that_cannot_be_signed_fail_and_the_next_ones_pass(
        self, make_trader: MakeTrader, venue: Venue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trader = make_trader()

        async def fail(_: Any) -> Any:
            raise ValueError("no such chain")

        with monkeypatch.context() as patch:
            patch.setattr(trader.exchange._auth, "sign_orders", fail)
            submit_many(trader, 2)
            await eventually(lambda: len(trader.failed()) == 2)
        assert "no such chain" in trader.failed()[0].error_message
        trader.submit()
        await eventually(lambda: trader.created())
        assert batches(venue) == []

    async def test_orders_that_come_while_others_wait_for_the_limiter_are_one_request_with_them(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader()
        waiting, admitted = [], asyncio.Event()

        async def admit() -> None:
            waiting.append(1)
            await admitted.wait()

        trader.exchange._order_entry._submits._admit = admit
        ids = []
        for number in range(3):
            ids.append(trader.submit(price=str(50000 + number)))
            await eventually(lambda: ids[-1] in trader.exchange._submitting)
            await settle()
        assert waiting == [1]
        admitted.set()
        await eventually(lambda: len(trader.created()) == 3)
        assert batches(venue) == [ids]

    async def test_batch_order_create_is_the_same_path_and_tells_the_client_ids(
        self, make_trader: MakeTrader, venue: Venue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trader = make_trader()
        monkeypatch.setattr(trader.exchange, "get_price", lambda *_: Decimal(60000))
        limit = LimitOrder("", PAIR, True, "BTC", "USDC", Decimal(50000), Decimal("0.5"), position=PositionAction.OPEN)
        market = MarketOrder("", PAIR, False, "BTC", "USDC", 0.25, 0.0, PositionAction.CLOSE)
        created = trader.exchange.batch_order_create([limit, market])
        await eventually(lambda: len(trader.created()) == 2)
        assert {order.client_order_id for order in created} == {event.order_id for event in trader.created()}
        (request,) = venue.asked("POST", "/orders/batch")
        first, second = request.body
        assert (first["side"], first["type"], first["price"], first["size"]) == ("BUY", "LIMIT", "50000", "0.5")
        assert (second["side"], second["type"], second["size"]) == ("SELL", "MARKET", "0.25")
        assert second["flags"] == ["REDUCE_ONLY"]
        assert "flags" not in first

    async def test_one_that_says_neither_opens(
        self, make_trader: MakeTrader, venue: Venue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trader = make_trader()
        order = LimitOrder("", PAIR, True, "BTC", "USDC", Decimal(50000), Decimal("0.5"), position=PositionAction.NIL)
        trader.exchange.batch_order_create([order])
        await eventually(lambda: trader.created())
        assert trader.created()[0].position == PositionAction.OPEN.value

    async def test_each_order_of_batch_order_create_can_have_options_of_its_own(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader()
        order = LimitOrder("", PAIR, True, "BTC", "USDC", Decimal(50000), Decimal("0.5"), position=PositionAction.OPEN)
        trader.exchange.batch_order_create(
            [order, order, order],
            [{}, {"self_trade_mode": "EXPIRE_BOTH", "recv_window": 4000}, {"order_type": OrderType.LIMIT_MAKER}],
        )
        await eventually(lambda: len(trader.created()) == 3)
        (request,) = venue.asked("POST", "/orders/batch")
        assert [(body.get("stp"), body["recv_window"], body["instruction"]) for body in request.body] == [
            (None, 10_000, "GTC"),
            ("EXPIRE_BOTH", 4000, "GTC"),
            (None, 10_000, "POST_ONLY"),
        ]
        with pytest.raises(ValueError, match="2 options for 1 orders"):
            trader.exchange.batch_order_create([order], [{}, {}])
        assert len(venue.asked("POST", "/orders/batch")) == 1


class TestRateLimits:
    """Paradex blocks what is over a limit: it has not been done, and may be sent again."""

    @pytest.fixture(autouse=True)
    def limiter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The rate limiter, which learns from refusals too, waits by the real clock: here it learns nothing."""
        monkeypatch.setattr(web_utils.TokenBucketThrottler, "observe", lambda *_: None)

    async def test_an_order_over_the_limit_is_sent_again_when_the_exchange_allows_it(
        self, make_trader: MakeTrader, venue: Venue, clock: Clock
    ) -> None:
        trader = make_trader()
        limited = Answer(429, payloads.error("REQUEST_NOT_ALLOWED"), headers={"Retry-After": "2"})
        venue.on("POST", "/orders", limited, lambda request: taken(request.body))
        trader.submit()
        await eventually(lambda: trader.created())
        assert sum(clock.pauses) == pytest.approx(2)
        first, second = (request.body for request in venue.asked("POST", "/orders"))
        assert second["client_id"] == first["client_id"]
        assert second["signature_timestamp"] == first["signature_timestamp"] + 2000
        assert venue.asked("GET", BY_CLIENT_ID) == []  # there is nothing to look for

    async def test_one_that_stays_over_the_limit_fails_and_says_so(
        self, make_trader: MakeTrader, venue: Venue, clock: Clock
    ) -> None:
        trader = make_trader()
        venue.on("POST", "/orders", Answer(429, payloads.error("REQUEST_NOT_ALLOWED"), headers={"Retry-After": "3"}))
        trader.submit()
        await eventually(lambda: trader.failed())
        assert "HTTP 429" in trader.failed()[0].error_message
        assert len(venue.asked("POST", "/orders")) == 4
        assert clock.now - payloads.NOW <= CONSTANTS.RECV_WINDOW_MS * 1e-3

    async def test_while_it_waits_an_order_can_be_withdrawn(
        self, make_trader: MakeTrader, venue: Venue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trader = make_trader()
        venue.on("POST", "/orders", Answer(429, {}, headers={"Retry-After": "3"}))
        waiting = asyncio.Event()

        async def wait(_: float) -> None:
            waiting.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(trader.exchange, "_sleep", wait)
        client_id = trader.submit()
        await waiting.wait()
        trader.exchange.cancel(PAIR, client_id)
        await eventually(lambda: trader.cancelled())
        assert len(venue.asked("POST", "/orders")) == 1
        assert venue.asked("DELETE", BY_CLIENT_ID) == []

    async def test_over_the_socket_too_and_the_rate_limiter_is_told(
        self, on_socket: Callable[..., Any], venue: Venue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[tuple[str, float]] = []
        monkeypatch.setattr(web_utils.TokenBucketThrottler, "refused", lambda _, *told_of: told.append(told_of))
        trader = await on_socket()
        answers = iter(({"error": {"code": 42901, "message": "slowly", "data": {"retry_after": 2}}}, None))
        venue.rpc["order.create"] = lambda _, call: next(answers) or {"result": {"order": taken(call["params"])}}
        trader.submit()
        await eventually(lambda: trader.created())
        assert told == [(CONSTANTS.ADMITTED_LIMIT, 2.0)]
        assert len(calls(await venue.socket(), "order.create")) == 2

    async def test_one_that_fails_for_a_limit_takes_none_that_waits_behind_it_along(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader(batch_size=1)
        refuse, waiting = asyncio.Event(), asyncio.Event()

        async def over_the_limit(_: Request) -> Answer:
            await refuse.wait()
            return Answer(429, payloads.error("REQUEST_NOT_ALLOWED"), headers={"Retry-After": "3600"})

        async def admit() -> None:
            waiting.set()
            await refuse.wait()
            await eventually(trader.failed)

        venue.on("POST", "/orders", over_the_limit, lambda request: taken(request.body))
        first = trader.submit()
        await venue.until(lambda: venue.asked("POST", "/orders"))
        trader.exchange._order_entry._submits._admit = admit
        second = trader.submit(price="59000")
        await waiting.wait()
        refuse.set()
        await eventually(lambda: trader.created())
        assert [event.order_id for event in trader.failed()] == [first]
        assert [event.order_id for event in trader.created()] == [second]

    async def test_a_cancel_waits_as_long_as_the_exchange_says_but_not_for_ever(
        self, make_trader: MakeTrader, venue: Venue, clock: Clock
    ) -> None:
        entry = make_trader().exchange._order_entry
        limited = Answer(429, payloads.error("REQUEST_NOT_ALLOWED"), headers={"Retry-After": "3"})
        venue.on("DELETE", BY_CLIENT_ID, limited, Answer(204))
        await entry.cancel("mine", MARKET)
        assert clock.pauses == [3.0]
        venue.on("DELETE", BY_CLIENT_ID, limited)
        with pytest.raises(web_utils.RateLimitedError):
            await entry.cancel("mine", MARKET)
        assert clock.now - payloads.NOW <= 3 + CONSTANTS.RECV_WINDOW_MS * 1e-3

    async def test_a_cancel_over_the_limit_is_sent_again(self, make_trader: MakeTrader, venue: Venue) -> None:
        trader = make_trader()
        order = trader.track()
        venue.on("DELETE", BY_CLIENT_ID, Answer(429, {}), Answer(204))
        trader.exchange.cancel(PAIR, "mine")
        await eventually(lambda: order.is_pending_cancel_confirmation)
        assert len(venue.asked("DELETE", BY_CLIENT_ID)) == 2


class TestCancels:
    async def test_cancels_of_one_moment_leave_as_batches(self, make_trader: MakeTrader, venue: Venue) -> None:
        trader = make_trader()
        orders = [trader.track(f"order-{number}", f"id-{number}") for number in range(12)]
        for order in orders:
            trader.exchange.cancel(PAIR, order.client_order_id)
        await eventually(lambda: all(order.is_pending_cancel_confirmation for order in orders))
        bodies = [request.body for request in venue.asked("DELETE", "/orders/batch")]
        assert [set(body) for body in bodies] == [{"order_ids"}] * 2
        assert sorted(order_id for body in bodies for order_id in body["order_ids"]) == sorted(
            f"id-{n}" for n in range(12)
        )
        assert venue.asked("DELETE", BY_CLIENT_ID) == []

    async def test_cancel_all_tells_the_truth_about_each_order(self, make_trader: MakeTrader, venue: Venue) -> None:
        trader = make_trader()
        for name in ("live", "closed", "unknown", "silent"):
            trader.track(name, f"id-{name}")
        statuses = {"live": "QUEUED_FOR_CANCELLATION", "closed": "ALREADY_CLOSED", "unknown": "NOT_FOUND"}
        results = [{"id": f"id-{name}", "status": status} for name, status in statuses.items()]
        venue.on("DELETE", "/orders/batch", {"results": results})
        venue.on("GET", BY_CLIENT_ID, refusal("CLIENT_ORDER_ID_NOT_FOUND"))
        venue.on("GET", "/orders/*", refusal("ORDER_ID_NOT_FOUND"))
        told = await trader.exchange.cancel_all(5)
        assert {result.order_id: result.success for result in told} == {
            "live": True,
            "closed": False,
            "unknown": False,
            "silent": True,  # its cancel was repeated, and taken then
        }
        assert "/orders/by_client_id/silent" in [request.path for request in venue.asked("DELETE", BY_CLIENT_ID)]

    async def test_batch_order_cancel_is_the_same_path(self, make_trader: MakeTrader, venue: Venue) -> None:
        trader = make_trader()
        orders = [trader.track(f"order-{number}", f"id-{number}") for number in range(3)]
        trader.exchange.batch_order_cancel([order.to_limit_order() for order in orders])
        await eventually(lambda: all(order.is_pending_cancel_confirmation for order in orders))
        assert len(venue.asked("DELETE", "/orders/batch")) == 1

    async def test_an_order_cancelled_twice_at_once_is_cancelled_once(
        self, make_trader: MakeTrader, venue: Venue, clock: Clock
    ) -> None:
        trader = make_trader()
        trader.exchange._sleep = clock.live  # nothing is repeated yet
        order = trader.track()
        trader.exchange.cancel(PAIR, "mine")
        trader.exchange.cancel(PAIR, "mine")
        await eventually(lambda: order.is_pending_cancel_confirmation)
        await settle()
        assert len(venue.asked("DELETE", BY_CLIENT_ID)) == 1

    async def test_a_batch_of_cancels_that_is_refused_as_a_whole_is_sent_one_by_one(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader()
        orders = [trader.track(f"order-{number}", f"id-{number}") for number in range(3)]
        venue.on("DELETE", "/orders/batch", refusal("BATCH_SIZE_OUT_OF_RANGE"))
        results = await trader.exchange.cancel_all(5)
        assert all(result.success for result in results)
        assert len(venue.asked("DELETE", BY_CLIENT_ID)) == 3
        assert all(order.is_pending_cancel_confirmation for order in orders)

    async def test_a_size_of_batches_of_cancels_that_is_not_taken_is_made_smaller_and_each_counts_for_the_limiter(
        self, make_trader: MakeTrader, venue: Venue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        entry = make_trader(batch_size=50).exchange._order_entry
        admitted: list[str] = []
        execute_task = entry._throttler.execute_task

        def counted(limit_id: str) -> Any:
            admitted.append(limit_id)
            return execute_task(limit_id)

        monkeypatch.setattr(entry._throttler, "execute_task", counted)
        venue.on(
            "DELETE",
            "/orders/batch",
            lambda request: (
                refusal("BATCH_SIZE_OUT_OF_RANGE") if len(request.body["order_ids"]) > 10 else batch_cancelled(request)
            ),
        )
        for number in (12, 20):
            await asyncio.gather(*(entry.cancel(f"{n}", MARKET, f"id-{n}") for n in range(number)))
        asked = venue.asked("DELETE", "/orders/batch")
        assert [len(request.body["order_ids"]) for request in asked] == [12, 10, 10]
        assert len(venue.asked("DELETE", BY_CLIENT_ID)) == 12
        assert admitted.count(CONSTANTS.CANCEL_LIMIT) == 1 + 12 + 2

    async def test_a_batch_of_cancels_of_which_the_token_is_refused_is_not_sent_one_by_one(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader()
        trader.exchange._sleep = asyncio.sleep  # nothing is repeated yet
        for number in range(3):
            trader.track(f"order-{number}", f"id-{number}")
        venue.on("DELETE", "/orders/batch", refusal("UNAUTHORIZED_ERROR", 403))
        results = await trader.exchange.cancel_all(5)
        assert not any(result.success for result in results)
        assert venue.asked("DELETE", BY_CLIENT_ID) == []

    async def test_a_cancel_that_is_given_up_before_it_left_takes_no_other_with_it(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader()
        orders = [trader.track(f"order-{number}", f"id-{number}") for number in range(3)]
        given_up, *others = [
            asyncio.create_task(trader.exchange._execute_cancel(PAIR, order.client_order_id)) for order in orders
        ]
        await asyncio.sleep(0)
        given_up.cancel()
        assert await asyncio.gather(*others) == ["order-1", "order-2"]
        (request,) = venue.asked("DELETE", "/orders/batch")
        assert request.body == {"order_ids": ["id-1", "id-2"]}

    async def test_after_a_cancel_without_an_answer_the_exchange_is_asked(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader()
        trader.track()
        venue.on("DELETE", BY_CLIENT_ID, NO_ANSWER)
        closed = payloads.order("mine", "CLOSED", cancel_reason="USER_CANCELED")
        venue.on("GET", "/orders-history", payloads.page(closed))
        (result,) = await trader.exchange.cancel_all(5)
        assert result.success
        await eventually(lambda: trader.cancelled())

    async def test_a_cancel_at_which_the_exchange_failed_is_followed(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader()
        trader.track()
        venue.on("DELETE", BY_CLIENT_ID, refusal("INTERNAL_ERROR"), Answer(204))
        venue.on("GET", "/orders", payloads.page(payloads.order("mine")))
        assert await trader.exchange._execute_cancel(PAIR, "mine") == "mine"
        assert len(venue.asked("DELETE", BY_CLIENT_ID)) == 2

    @pytest.mark.parametrize("results", [[None], ["text"], 3, [{"id": {}}], [{"client_id": ["order-0"]}]], ids=str)
    async def test_a_batch_of_cancels_whose_answer_makes_no_sense_is_followed_whole(
        self, make_trader: MakeTrader, venue: Venue, results: Any
    ) -> None:
        trader = make_trader()
        orders = [trader.track(f"order-{number}", f"id-{number}") for number in range(2)]
        venue.on("DELETE", "/orders/batch", {"results": results})
        cancels = asyncio.gather(*(trader.exchange._execute_cancel(PAIR, order.client_order_id) for order in orders))
        await eventually(lambda: set(trader.exchange._cancels) == {"order-0", "order-1"})
        for order in orders:
            ended = payloads.order(order.client_order_id, "CLOSED", cancel_reason="USER_CANCELED")
            await trader.hear("orders.ALL", ended)
        assert await cancels == ["order-0", "order-1"]

    @pytest.mark.parametrize("trading_pair", [None, PAIR])
    async def test_all_orders_of_the_account_or_of_a_pair_are_cancelled_with_one_request(
        self, make_trader: MakeTrader, venue: Venue, trading_pair: str | None
    ) -> None:
        trader = make_trader()
        order = trader.track()
        assert await trader.exchange.cancel_all_orders(trading_pair) == ["mine"]
        (request,) = venue.asked("DELETE", "/orders")
        assert request.query == ({} if trading_pair is None else {"market": MARKET})
        await eventually(lambda: order.is_pending_cancel_confirmation)
        await trader.hear("orders.ALL", payloads.order("mine", "CLOSED", cancel_reason="USER_CANCELED"))
        assert [event.order_id for event in trader.cancelled()] == ["mine"]

    async def test_that_request_waits_for_the_rate_limiter(self, make_trader: MakeTrader, venue: Venue) -> None:
        trader = make_trader()
        admitted = asyncio.Event()
        waiting: list[str] = []

        async def admit(limit_id: str) -> None:
            waiting.append(limit_id)
            await admitted.wait()

        trader.exchange._order_entry._admit = admit
        cancelling = asyncio.create_task(trader.exchange.cancel_all_orders())
        await eventually(lambda: waiting == [CONSTANTS.CANCEL_LIMIT])
        assert venue.asked("DELETE", "/orders") == []
        admitted.set()
        await cancelling
        assert len(venue.asked("DELETE", "/orders")) == 1

    async def test_orders_of_another_pair_are_left_alone(self, make_trader: MakeTrader, venue: Venue) -> None:
        trader = make_trader()
        order = trader.track()
        assert await trader.exchange.cancel_all_orders(ETH_PAIR) == []
        assert not order.is_pending_cancel_confirmation

    async def test_an_order_that_was_placed_just_before_does_not_escape(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader()
        ids = submit_many(trader, 3)
        assert sorted(await trader.exchange.cancel_all_orders()) == sorted(ids)
        await eventually(lambda: len(trader.cancelled()) == 3)
        assert venue.asked("POST", "/orders/batch") == venue.asked("POST", "/orders") == []
        assert venue.asked("DELETE", BY_CLIENT_ID) == []
        assert len(venue.asked("DELETE", "/orders")) == 1

    async def test_orders_of_another_pair_that_have_not_left_are_not_withdrawn(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader()
        ids = submit_many(trader, 2)
        assert await trader.exchange.cancel_all_orders(ETH_PAIR) == []
        await eventually(lambda: len(trader.created()) == 2)
        assert batches(venue) == [ids]

    async def test_an_order_that_is_on_its_way_does_not_escape(self, make_trader: MakeTrader, venue: Venue) -> None:
        trader = make_trader()
        release = asyncio.Event()

        async def slowly(request: Request) -> Payload:
            await release.wait()
            return taken(request.body)

        venue.on("POST", "/orders", slowly)
        client_id = trader.submit()
        await venue.until(lambda: venue.asked("POST", "/orders"))
        cancelling = asyncio.create_task(trader.exchange.cancel_all_orders())
        await venue.until(lambda: venue.asked("DELETE", "/orders"))
        release.set()
        assert await cancelling == [client_id]
        assert venue.asked("DELETE", f"/orders/by_client_id/{client_id}")


class TestSocket:
    async def test_orders_go_over_the_socket_signed_and_with_a_price(
        self, on_socket: Callable[..., Any], venue: Venue
    ) -> None:
        trader = await on_socket()
        client_id = trader.submit()
        await eventually(lambda: trader.created())
        (params,) = calls(await venue.socket(), "order.create")
        assert params["client_id"] == client_id
        assert signatures.is_order_signed(params)
        assert trader.exchange.in_flight_orders[client_id].exchange_order_id == f"id-{client_id}"
        assert venue.asked("POST", "/orders") == []

    async def test_nothing_comes_between_the_order_and_the_socket_but_the_orders_of_the_same_moment(
        self, on_socket: Callable[..., Any], venue: Venue
    ) -> None:
        trader = await on_socket()
        trader.submit()
        await eventually(lambda: trader.created())  # the signer is ready
        session = trader.exchange._user_stream_tracker.data_source.session
        sent: list[str] = []
        send = session.assistant.send

        async def note(request: Any) -> None:
            sent.append(request.payload["method"])
            await send(request)

        session.assistant.send = note
        submit_many(trader, 4)
        await asyncio.sleep(0)  # in which they are checked
        assert sent == []
        await asyncio.sleep(0)  # in which they are signed and sent
        assert sent == ["order.create_batch"]
        await eventually(lambda: len(trader.created()) == 5)

    async def test_a_market_order_has_the_price_0_that_is_signed(
        self, on_socket: Callable[..., Any], venue: Venue
    ) -> None:
        trader = await on_socket()
        trader.submit(order_type=OrderType.MARKET)
        await eventually(lambda: trader.created())
        (params,) = calls(await venue.socket(), "order.create")
        assert params["price"] == "0"

    @pytest.mark.parametrize("settings", [{}, {"cancel_on_disconnect": True}])
    async def test_take_profits_and_stop_losses_which_the_socket_does_not_know_go_over_rest(
        self, on_socket: Callable[..., Any], venue: Venue, settings: dict[str, Any]
    ) -> None:
        trader = await on_socket(**settings)
        ids = submit_many(trader, 2)
        protection = trader.exchange.place_trigger_order(
            PAIR, TradeType.SELL, Decimal("0.5"), Decimal(59000), trigger_type="stop_loss"
        )
        stop = trader.exchange.place_trigger_order(
            PAIR, TradeType.SELL, Decimal("0.5"), Decimal(59000), position_action=PositionAction.OPEN
        )
        await eventually(lambda: len(trader.created()) == 4)
        (request,) = venue.asked("POST", "/orders")
        assert (request.body["client_id"], request.body["type"]) == (protection, "STOP_LOSS_MARKET")
        (params,) = calls(await venue.socket(), "order.create_batch")
        assert [body["client_id"] for body in params["orders"]] == [*ids, stop]

    @pytest.mark.parametrize(("kind", "is_known"), [("STOP_MARKET", True), ("STOP_LOSS_MARKET", False)])
    async def test_so_do_their_modifications_and_others_have_a_price(
        self, on_socket: Callable[..., Any], venue: Venue, kind: str, is_known: bool
    ) -> None:
        trader = await on_socket()
        change = {"id": "17", "market": MARKET, "side": "SELL", "type": kind, "size": "0.4", "trigger_price": "59000"}
        venue.rpc["order.modify"] = lambda *_: {"result": {"order": payloads.order("mine", id="17")}}
        venue.on("PUT", "/orders/17", payloads.order("mine", id="17"))
        await trader.exchange._order_entry.modify(change)
        assert len(venue.asked("PUT", "/orders/17")) == (0 if is_known else 1)
        assert [params["price"] for params in calls(await venue.socket(), "order.modify")] == (
            ["0"] if is_known else []
        )

    @pytest.mark.parametrize("result", [None, {}, [], "text"])
    async def test_an_answer_to_a_modification_that_makes_no_sense_is_none(
        self, on_socket: Callable[..., Any], venue: Venue, result: Any
    ) -> None:
        trader = await on_socket()
        change = {"id": "17", "market": MARKET, "side": "BUY", "type": "LIMIT", "size": "0.4", "price": "59000"}
        venue.rpc["order.modify"] = lambda *_: {"result": result}
        with pytest.raises(web_utils.NoAnswerError, match=r"order\.modify was answered without order"):
            await trader.exchange._order_entry.modify(change)
        assert venue.asked("PUT", "/orders/17") == []

    async def test_batches_go_over_the_socket_each_order_with_its_outcome(
        self, on_socket: Callable[..., Any], venue: Venue
    ) -> None:
        trader = await on_socket()
        venue.rpc["order.create_batch"] = lambda _, call: {
            "result": {
                "results": [
                    {"error": "INVALID_ORDER_SIZE: no"} if body["price"] == "50001" else {"order": taken(body)}
                    for body in call["params"]["orders"]
                ]
            }
        }
        ids = submit_many(trader, 3)
        await eventually(lambda: len(trader.created()) == 2 and trader.failed())
        assert [failure.order_id for failure in trader.failed()] == [ids[1]]
        assert "INVALID_ORDER_SIZE" in trader.failed()[0].error_message

    async def test_an_order_has_its_own_id_whatever_the_order_of_the_answers(
        self, on_socket: Callable[..., Any], venue: Venue
    ) -> None:
        trader = await on_socket()
        venue.rpc["order.create_batch"] = lambda _, call: {
            "result": {"results": [{"order": taken(body)} for body in reversed(call["params"]["orders"])]}
        }
        ids = submit_many(trader, 3)
        await eventually(lambda: len(trader.created()) == 3)
        orders = trader.exchange.in_flight_orders
        assert [orders[client_id].exchange_order_id for client_id in ids] == [f"id-{client_id}" for client_id in ids]

    async def test_many_calls_are_in_the_air_at_once(self, on_socket: Callable[..., Any], venue: Venue) -> None:
        trader = await on_socket(batch_size=1)
        kept: list[tuple[int, Payload]] = []

        def keep(_: Socket, call: Payload) -> None:
            kept.append((call["id"], call["params"]))

        venue.rpc["order.create"] = keep
        ids = submit_many(trader, 20)
        await venue.until(lambda: len(kept) == 20)
        socket = await venue.socket()
        for call_id, params in reversed(kept):
            await socket.send({"jsonrpc": "2.0", "id": call_id, "result": {"order": taken(params)}})
        await eventually(lambda: len(trader.created()) == 20)
        for client_id in ids:
            assert trader.exchange.in_flight_orders[client_id].exchange_order_id == f"id-{client_id}"

    async def test_while_the_socket_is_gone_rest_takes_over(self, on_socket: Callable[..., Any], venue: Venue) -> None:
        trader = await on_socket()
        venue.socket_status = 503
        await (await venue.socket()).close()
        await eventually(lambda: trader.exchange._user_stream_tracker.data_source.session is None)
        trader.submit()
        await eventually(lambda: trader.created())
        assert len(venue.asked("POST", "/orders")) == 1

    @pytest.mark.parametrize("code", [-32700, -32600, -32601, -32602])
    async def test_a_socket_that_does_not_understand_a_call_leaves_orders_and_cancels_to_rest(
        self, on_socket: Callable[..., Any], venue: Venue, log: pytest.LogCaptureFixture, code: int
    ) -> None:
        trader = await on_socket()
        for method in ("order.create", "order.cancel"):
            venue.rpc[method] = lambda *_: {"error": {"code": code, "message": "Invalid", "data": "what is that?"}}
        client_id = trader.submit()
        await eventually(lambda: trader.created())
        assert len(venue.asked("POST", "/orders")) == 1
        trader.exchange.cancel(PAIR, client_id)
        await eventually(lambda: venue.asked("DELETE", f"/orders/by_client_id/{client_id}"))
        assert trader.exchange.circuit_breaker.state == "closed"
        assert [text for text in log.messages if "REST is used instead" in text] == [
            f"order.create is not understood on this socket: {code} Invalid. REST is used instead."
        ]

    @pytest.mark.parametrize(
        "data", ["SERVICE_UNAVAILABLE", {"error": "INTERNAL_ERROR", "message": "deadline exceeded"}]
    )
    async def test_an_order_at_which_the_exchange_failed_is_looked_for(
        self, on_socket: Callable[..., Any], venue: Venue, data: Any
    ) -> None:
        trader = await on_socket()
        venue.rpc["order.create"] = lambda *_: {"error": {"code": 100, "message": "method error", "data": data}}
        venue.on("GET", BY_CLIENT_ID, lambda request: payloads.order(request.path.rsplit("/", 1)[-1]))
        client_id = trader.submit()
        await eventually(lambda: trader.created() or trader.failed())
        assert [event.order_id for event in trader.created()] == [client_id]
        assert venue.asked("POST", "/orders") == []

    async def test_an_order_that_the_socket_refuses_for_a_reason_is_refused(
        self, on_socket: Callable[..., Any], venue: Venue
    ) -> None:
        trader = await on_socket()
        error = {"code": -32602, "message": "Invalid method parameters", "data": "INVALID_ORDER_SIZE: too small"}
        venue.rpc["order.create"] = lambda *_: {"error": error}
        trader.submit()
        await eventually(lambda: trader.failed())
        assert venue.asked("POST", "/orders") == []

    async def test_an_order_that_the_socket_took_along_is_looked_for_and_not_sent_again(
        self, on_socket: Callable[..., Any], venue: Venue
    ) -> None:
        trader = await on_socket()
        closing: list[asyncio.Task[None]] = []

        def die(socket: Socket, _: Payload) -> None:
            closing.append(asyncio.create_task(socket.close()))

        venue.rpc["order.create"] = die
        venue.on("GET", BY_CLIENT_ID, lambda request: payloads.order(request.path.rsplit("/", 1)[-1]))
        trader.submit()
        await eventually(lambda: trader.created())
        assert venue.asked("POST", "/orders") == []
        assert len(venue.asked("GET", BY_CLIENT_ID)) == 1

    async def test_cancels_go_over_the_socket_one_or_many(self, on_socket: Callable[..., Any], venue: Venue) -> None:
        trader = await on_socket()
        venue.rpc["order.cancel_batch"] = lambda _, call: {
            "result": {
                "results": [
                    {"id": order_id, "status": "QUEUED_FOR_CANCELLATION"} for order_id in call["params"]["order_ids"]
                ]
            }
        }
        orders = [trader.track(f"order-{number}", f"id-{number}") for number in range(3)]
        trader.exchange.cancel(PAIR, "order-0")
        await eventually(lambda: orders[0].is_pending_cancel_confirmation)
        for number in (1, 2):
            trader.exchange.cancel(PAIR, f"order-{number}")
        await eventually(lambda: all(order.is_pending_cancel_confirmation for order in orders))
        socket = await venue.socket()
        # Nothing comes of them here, so they may have been repeated already.
        assert calls(socket, "order.cancel")[0] == {"client_id": "order-0", "market": MARKET}
        assert {"id-1", "id-2"} <= set(calls(socket, "order.cancel_batch")[0]["order_ids"])
        assert await trader.exchange.cancel_all_orders(PAIR)
        assert calls(socket, "order.cancel_all") == [{"market": MARKET}]

    async def test_cancels_of_orders_whose_id_nobody_has_told_go_over_rest_which_takes_client_ids(
        self, on_socket: Callable[..., Any], venue: Venue
    ) -> None:
        entry = (await on_socket()).exchange._order_entry
        await asyncio.gather(entry.cancel("a", MARKET, "id-a"), entry.cancel("b", MARKET))
        (request,) = venue.asked("DELETE", "/orders/batch")
        assert request.body == {"order_ids": ["id-a"], "client_order_ids": ["b"]}
        assert calls(await venue.socket(), "order.cancel_batch") == []

    async def test_a_cancel_that_the_socket_took_along_is_sent_again_for_it_does_no_harm(
        self, on_socket: Callable[..., Any], venue: Venue
    ) -> None:
        trader = await on_socket()
        order = trader.track()
        closing: list[asyncio.Task[None]] = []

        def die(socket: Socket, _: Payload) -> None:
            closing.append(asyncio.create_task(socket.close()))

        venue.rpc["order.cancel"] = die
        trader.exchange.cancel(PAIR, "mine")
        await eventually(lambda: order.is_pending_cancel_confirmation)
        assert len(venue.asked("DELETE", BY_CLIENT_ID)) == 1

    async def test_a_modification_goes_over_the_socket_or_over_rest_and_is_signed(
        self, on_socket: Callable[..., Any], make_trader: MakeTrader, venue: Venue
    ) -> None:
        change = {"id": "17", "market": MARKET, "side": "BUY", "type": "LIMIT", "size": "0.4", "price": "59000"}
        venue.rpc["order.modify"] = lambda *_: {"result": {"order": payloads.order("mine", id="17")}}
        venue.on("PUT", "/orders/17", payloads.order("mine", id="17"))
        by_socket, by_rest = await on_socket(), make_trader()
        for trader in (by_socket, by_rest):
            assert (await trader.exchange._order_entry.modify(change))["id"] == "17"
        (params,) = calls(await venue.socket(), "order.modify")
        (request,) = venue.asked("PUT", "/orders/17")
        for body in (params, request.body):
            assert {name: body[name] for name in change} == change
            assert body["signature"]
            assert body["signature_timestamp"] == payloads.NOW_MS


class TestCancelOnDisconnect:
    async def test_it_is_armed_before_the_stream_counts_as_resumed_and_again_after_each_reconnect(
        self, on_socket: Callable[..., Any], venue: Venue
    ) -> None:
        trader = await on_socket(cancel_on_disconnect=True, order_entry="rest")
        source = trader.exchange._user_stream_tracker.data_source
        for number in (1, 2, 3):
            await eventually(lambda: source.session)
            socket = await venue.socket(number)
            assert calls(socket, "order.cancel_on_disconnect") == [{"enabled": True}]
            await socket.close()
            await venue.until(lambda number=number: len(venue.sockets) > number)

    async def test_orders_go_over_the_socket_that_is_watched_whatever_the_order_entry_is(
        self, on_socket: Callable[..., Any], venue: Venue
    ) -> None:
        trader = await on_socket(cancel_on_disconnect=True, order_entry="rest")
        trader.submit()
        await eventually(lambda: trader.created())
        assert len(calls(await venue.socket(), "order.create")) == 1

    async def test_without_a_socket_to_watch_no_order_is_placed_and_cancels_go_on(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader(cancel_on_disconnect=True)
        order = trader.track()
        trader.submit()
        await eventually(lambda: trader.failed())
        assert "cancel on disconnect is set, and there is no socket" in trader.failed()[0].error_message
        assert venue.asked("POST", "/orders") == []
        trader.exchange.cancel(PAIR, "mine")
        await eventually(lambda: order.is_pending_cancel_confirmation)

    async def test_a_modification_makes_no_order_and_needs_no_cover(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader(cancel_on_disconnect=True)
        change = {"id": "17", "market": MARKET, "side": "BUY", "type": "LIMIT", "size": "0.4", "price": "59000"}
        venue.on("PUT", "/orders/17", payloads.order("mine", id="17"))
        await trader.exchange._order_entry.modify(change)
        assert len(venue.asked("PUT", "/orders/17")) == 1

    async def test_what_only_reduces_needs_no_cover(self, make_trader: MakeTrader, venue: Venue) -> None:
        trader = make_trader(cancel_on_disconnect=True)
        opening, closing = trader.submit(), trader.submit(action=PositionAction.CLOSE)
        await eventually(lambda: trader.created() and trader.failed())
        assert [event.order_id for event in trader.failed()] == [opening]
        assert [request.body["client_id"] for request in venue.asked("POST", "/orders")] == [closing]

    async def test_a_stop_that_only_reduces_is_not_taken_away_from_a_position_that_stays(
        self, on_socket: Callable[..., Any], venue: Venue
    ) -> None:
        trader = await on_socket(cancel_on_disconnect=True)
        place, sold = trader.exchange.place_trigger_order, (PAIR, TradeType.SELL, Decimal("0.5"), Decimal(59000))
        closing, opening = place(*sold), place(*sold, position_action=PositionAction.OPEN)
        await eventually(lambda: len(trader.created()) == 2)
        assert [request.body["client_id"] for request in venue.asked("POST", "/orders")] == [closing]
        assert [params["client_id"] for params in calls(await venue.socket(), "order.create")] == [opening]

    async def test_of_a_batch_whose_cover_goes_as_it_leaves_what_only_reduces_is_placed_all_the_same(
        self, on_socket: Callable[..., Any], venue: Venue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trader = await on_socket(cancel_on_disconnect=True)
        request = web_utils.RpcSession.request

        async def gone(session: web_utils.RpcSession, method: str, params: Payload) -> Any:
            session.cancels_on_disconnect = False
            monkeypatch.setattr(web_utils.RpcSession, "request", request)
            raise web_utils.NotSentError(f"{method} was not sent: the socket is closed")

        monkeypatch.setattr(web_utils.RpcSession, "request", gone)
        opening, closing = trader.submit(), trader.submit(action=PositionAction.CLOSE)
        await eventually(lambda: trader.created() and trader.failed())
        assert [event.order_id for event in trader.failed()] == [opening]
        assert [event.order_id for event in trader.created()] == [closing]
        sent = [*calls(await venue.socket(), "order.create"), *(r.body for r in venue.asked("POST", "/orders"))]
        assert [body["client_id"] for body in sent] == [closing]

    @pytest.mark.parametrize("code", [42901, -32603])
    async def test_what_is_not_granted_for_now_is_asked_for_again(
        self, on_socket: Callable[..., Any], venue: Venue, log: pytest.LogCaptureFixture, code: int
    ) -> None:
        venue.rpc["order.cancel_on_disconnect"] = lambda *_: {"error": {"code": code, "message": "not now"}}
        trader = await on_socket(cancel_on_disconnect=True)
        trader.submit()
        await eventually(lambda: trader.failed())
        assert "no orders are placed" in log.text
        del venue.rpc["order.cancel_on_disconnect"]
        await eventually(lambda: trader.exchange._order_entry._covering_session())
        assert len(venue.sockets) == 1

    async def test_a_refusal_is_said_once_and_no_order_is_placed(
        self, on_socket: Callable[..., Any], venue: Venue, log: pytest.LogCaptureFixture
    ) -> None:
        venue.rpc["order.cancel_on_disconnect"] = lambda *_: {"error": {"code": 100, "message": "not for you"}}
        trader = await on_socket(cancel_on_disconnect=True)
        await (await venue.socket()).close()
        await venue.socket(2, subscriptions=7)
        await eventually(lambda: trader.exchange._user_stream_tracker.data_source.session)
        said = [record.getMessage() for record in log.records if "does not grant it" in record.getMessage()]
        assert len(said) == 1
        assert "not for you" in said[0]
        assert "Switch cancel_on_disconnect off" in said[0]
        trader.submit()
        await eventually(lambda: trader.failed())

    async def test_it_is_not_asked_for_unless_it_is_set(self, on_socket: Callable[..., Any], venue: Venue) -> None:
        await on_socket()
        assert calls(await venue.socket(), "order.cancel_on_disconnect") == []


class TestSystemState:
    @pytest.mark.parametrize(
        ("state", "network", "passing"),
        [
            ("ok", NetworkStatus.CONNECTED, {OrderType.LIMIT, OrderType.LIMIT_MAKER, OrderType.MARKET}),
            ("post_only", NetworkStatus.CONNECTED, {OrderType.LIMIT_MAKER}),
            ("cancel_only", NetworkStatus.CONNECTED, set()),
            ("maintenance", NetworkStatus.NOT_CONNECTED, set()),
            ("a_new_one", NetworkStatus.CONNECTED, {OrderType.LIMIT, OrderType.LIMIT_MAKER, OrderType.MARKET}),
        ],
    )
    async def test_only_what_would_be_refused_is_stopped(
        self,
        make_trader: MakeTrader,
        venue: Venue,
        log: pytest.LogCaptureFixture,
        state: str,
        network: NetworkStatus,
        passing: set[OrderType],
    ) -> None:
        trader = make_trader(batch_size=1)
        venue.on("GET", "/system/state", {"status": state})
        for _ in range(3):
            assert await trader.exchange.check_network() is network
        assert trader.exchange.system_state == state
        said = [record for record in log.records if f"Paradex is in the state {state}" in record.getMessage()]
        assert len(said) == (0 if state == "ok" else 1)
        types = (OrderType.LIMIT, OrderType.LIMIT_MAKER, OrderType.MARKET)
        ids = {trader.submit(order_type=order_type): order_type for order_type in types}
        await eventually(lambda: len(trader.created()) + len(trader.failed()) == 3)
        assert {ids[event.order_id] for event in trader.created()} == passing
        assert all(f"in the state {state}" in failure.error_message for failure in trader.failed())
        assert len(venue.asked("POST", "/orders")) == len(passing)
        order = trader.track()
        trader.exchange.cancel(PAIR, "mine")
        await eventually(lambda: order.is_pending_cancel_confirmation)

    @pytest.mark.parametrize(
        ("code", "state"),
        [("SYSTEM_STATUS_CANCEL_ONLY", "cancel_only"), ("SYSTEM_STATUS_POST_ONLY", "post_only")],
    )
    async def test_a_refused_order_tells_the_state_too_until_the_next_poll(
        self, make_trader: MakeTrader, venue: Venue, code: str, state: str
    ) -> None:
        trader = make_trader()
        venue.on("POST", "/orders", refusal(code))
        trader.submit()
        await eventually(lambda: trader.failed())
        assert trader.exchange.system_state == state
        assert trader.exchange.order_restriction is not None
        trader.submit()
        await eventually(lambda: len(trader.failed()) == 2)
        assert len(venue.asked("POST", "/orders")) == 1
        venue.on("GET", "/system/state", {"status": "ok"})
        await trader.exchange.check_network()
        assert (trader.exchange.system_state, trader.exchange.order_restriction) == ("ok", None)

    async def test_an_answer_that_names_no_state_is_no_reason_to_stop(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader()
        venue.on("GET", "/system/state", {"status": "cancel_only"}, {}, {"status": None})
        for state in ("cancel_only", "ok", "ok"):
            await trader.exchange.check_network()
            assert trader.exchange.system_state == state

    async def test_an_order_taken_and_rejected_for_the_state_tells_it_too(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader()
        trader.track()
        await trader.hear("orders.ALL", payloads.order("mine", "CLOSED", cancel_reason="SYSTEM_STATUS_CANCEL_ONLY"))
        assert trader.exchange.system_state == "cancel_only"


class TestCircuitBreaker:
    @pytest.fixture
    def failing(self, make_trader: MakeTrader, venue: Venue, monkeypatch: pytest.MonkeyPatch) -> Trader:
        """A trader whose exchange fails and is not probed yet, and who can still cancel."""
        trader = make_trader(breaker_failures=3, batch_size=1)
        venue.on("POST", "/orders", refusal("SERVICE_UNAVAILABLE", 503))
        venue.on("GET", BY_CLIENT_ID, lambda request: payloads.order(request.path.rsplit("/", 1)[-1]))
        monkeypatch.setattr(trader.exchange._order_entry, "_sleep", lambda _: asyncio.Event().wait())
        return trader

    async def test_after_repeated_failures_new_orders_fail_at_once_and_cancels_go_on(
        self, failing: Trader, venue: Venue, log: pytest.LogCaptureFixture
    ) -> None:
        for number in range(3):
            failing.submit(price=str(50000 + number))
            await eventually(lambda number=number: len(failing.created()) == number + 1)  # found: they had arrived
        assert failing.exchange.circuit_breaker.state == "open"
        assert failing.exchange.order_restriction == failing.exchange.circuit_breaker.refusal
        failing.submit()
        await eventually(lambda: failing.failed())
        text = failing.failed()[0].error_message
        assert "new orders pause until Paradex answers again (3 failures within 30 s" in text
        assert "SERVICE_UNAVAILABLE" in text
        assert len(venue.asked("POST", "/orders")) == 3
        (record,) = [record for record in log.records if "was not sent" in record.getMessage()]
        assert record.exc_info is None  # a line, not a traceback for each order
        order = failing.track()
        failing.exchange.cancel(PAIR, "mine")
        await eventually(lambda: order.is_pending_cancel_confirmation)

    async def test_a_change_that_reduces_passes_and_one_that_does_not_is_stopped(
        self, failing: Trader, venue: Venue
    ) -> None:
        for _ in range(3):
            failing.exchange.circuit_breaker.record_failure("HTTP 503")
        change = {"id": "17", "market": MARKET, "side": "BUY", "type": "LIMIT", "size": "0.1", "price": "59000"}
        venue.on("PUT", "/orders/17", payloads.order("mine", id="17"))
        with pytest.raises(web_utils.NotSentError):
            await failing.exchange._order_entry.modify(change)
        await failing.exchange._order_entry.modify(change, reduces=True)

    async def test_an_order_that_only_reduces_passes(self, failing: Trader, venue: Venue) -> None:
        for _ in range(3):
            failing.exchange.circuit_breaker.record_failure("HTTP 503")
        venue.on("POST", "/orders", lambda request: taken(request.body))
        failing.submit(action=PositionAction.CLOSE)
        await eventually(lambda: failing.created())
        failing.submit()
        await eventually(lambda: failing.failed())
        (request,) = venue.asked("POST", "/orders")
        assert request.body["flags"] == ["REDUCE_ONLY"]

    async def test_a_clock_that_is_set_back_keeps_no_order_waiting(
        self, make_trader: MakeTrader, venue: Venue, clock: Clock
    ) -> None:
        trader = make_trader(breaker_failures=1)
        trader.exchange._order_entry._sleep = lambda _: asyncio.Event().wait()
        trader.exchange.circuit_breaker.record_failure("HTTP 503")
        trader.exchange._time_synchronizer.clear_time_offset_ms_samples()
        trader.exchange._time_synchronizer.add_time_offset_ms_sample(-86_400_000)
        assert trader.exchange.circuit_breaker.time_to_probe <= CONSTANTS.BREAKER_MAXIMUM_PAUSE

    async def test_orders_that_wait_when_it_opens_are_not_sent(self, failing: Trader, venue: Venue) -> None:
        release = asyncio.Event()

        async def fail_late(_: Request) -> Answer:
            await release.wait()
            return refusal("SERVICE_UNAVAILABLE", 503)

        venue.on("POST", "/orders", fail_late)
        submit_many(failing, 3)
        await venue.until(lambda: len(venue.asked("POST", "/orders")) == 3)
        entry = failing.exchange._order_entry
        admitted = asyncio.Event()
        entry._submits._admit = admitted.wait  # the rate limiter holds the next ones back
        submit_many(failing, 2)
        release.set()
        await eventually(lambda: failing.exchange.circuit_breaker.state == "open")
        admitted.set()
        await eventually(lambda: len(failing.failed()) == 2)
        assert len(venue.asked("POST", "/orders")) == 3

    async def test_but_of_a_batch_what_only_reduces_is(self, failing: Trader, venue: Venue) -> None:
        entry = failing.exchange._order_entry
        entry._batch_size = 10
        venue.on("POST", "/orders", lambda request: taken(request.body))
        admitted = asyncio.Event()
        entry._submits._admit = admitted.wait
        opening, closing = failing.submit(), failing.submit(action=PositionAction.CLOSE)
        await eventually(lambda: {opening, closing} <= failing.exchange._submitting)
        for _ in range(3):
            failing.exchange.circuit_breaker.record_failure("HTTP 503")
        admitted.set()
        await eventually(lambda: failing.created() and failing.failed())
        assert [event.order_id for event in failing.created()] == [closing]
        assert [event.order_id for event in failing.failed()] == [opening]

    async def test_it_closes_by_itself_after_probes_and_an_order_that_succeeds(
        self, make_trader: MakeTrader, venue: Venue, clock: Clock, log: pytest.LogCaptureFixture
    ) -> None:
        trader = make_trader(breaker_failures=2, breaker_pause="5", batch_size=1)
        venue.on("GET", "/system/state", *[refusal("SERVICE_UNAVAILABLE", 503)] * 3, {"status": "ok"})
        breaker = trader.exchange.circuit_breaker
        venue.on("POST", "/orders", NO_ANSWER, NO_ANSWER, lambda request: taken(request.body))
        venue.on("GET", BY_CLIENT_ID, lambda request: payloads.order(request.path.rsplit("/", 1)[-1]))
        submit_many(trader, 2)
        await eventually(lambda: breaker.state == "half_open")
        assert len(venue.asked("GET", "/system/state")) == 3 + CONSTANTS.BREAKER_PROBES
        assert clock.now - payloads.NOW > 5 / 2 * (1 + 2 + 4)
        trader.submit()
        await eventually(lambda: len(trader.created()) == 3)
        assert breaker.state == "closed"
        said = [record.getMessage() for record in log.records if "circuit breaker" in record.getMessage()]
        assert [text.split(":")[0] for text in said] == [
            f"The circuit breaker is {state}" for state in ("open", "half open", "closed")
        ]

    async def test_a_cancel_that_succeeds_does_not_end_the_probation(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader()
        breaker = trader.exchange.circuit_breaker
        breaker.state = breaker.HALF_OPEN
        order = trader.track()
        trader.exchange.cancel(PAIR, "mine")
        await eventually(lambda: order.is_pending_cancel_confirmation)
        assert breaker.state == "half_open"
        trader.submit()
        await eventually(lambda: trader.created())
        assert breaker.state == "closed"

    async def test_a_probe_with_a_senseless_answer_is_one_that_failed(
        self, make_trader: MakeTrader, venue: Venue, clock: Clock
    ) -> None:
        trader = make_trader(breaker_failures=1)
        venue.on("GET", "/system/state", Answer(200, ["what?"]), Answer(200, {"status": "ok"}))
        trader.exchange._order_entry._record_failure("HTTP 503")
        await eventually(lambda: trader.exchange.circuit_breaker.state == "half_open")

    async def test_it_is_probed_each_time_that_it_opens(
        self, make_trader: MakeTrader, venue: Venue, clock: Clock
    ) -> None:
        trader = make_trader(breaker_failures=1)
        venue.on("GET", "/system/state", {"status": "ok"})
        for _ in range(3):
            trader.exchange._order_entry._record_failure("HTTP 503")
            assert trader.exchange.circuit_breaker.state == "open"
            await eventually(lambda: trader.exchange.circuit_breaker.state == "half_open")
            await settle()

    async def test_refusals_for_reasons_of_the_order_do_not_open_it(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        trader = make_trader(breaker_failures=2)
        venue.on("POST", "/orders", refusal("INVALID_ORDER_SIZE"))
        for number in range(5):
            trader.submit(price=str(50000 + number))
            await eventually(lambda number=number: len(trader.failed()) == number + 1)
        for number, reason in enumerate(["NOT_ENOUGH_MARGIN", "POST_ONLY_WOULD_CROSS", "PRICE_BAND_EXCEEDED"] * 3):
            trader.track(f"order-{number}", f"id-{number}")
            closed = payloads.order(f"order-{number}", "CLOSED", id=f"id-{number}", cancel_reason=reason)
            await trader.hear("orders.ALL", closed)
        assert trader.exchange.circuit_breaker.state == "closed"

    async def test_rejections_for_which_the_exchange_is_to_blame_do(
        self, make_trader: MakeTrader, venue: Venue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trader = make_trader(breaker_failures=3)
        monkeypatch.setattr(trader.exchange._order_entry, "_sleep", lambda _: asyncio.Event().wait())
        for number in range(3):
            trader.track(f"order-{number}", f"id-{number}")
            closed = payloads.order(f"order-{number}", "CLOSED", id=f"id-{number}", cancel_reason="INTERNAL_ERROR")
            await trader.hear("orders.ALL", closed)
        assert trader.exchange.circuit_breaker.state == "open"
        assert "rejected: INTERNAL_ERROR" in (trader.exchange.circuit_breaker.refusal or "")

    async def test_all_that_a_closing_socket_takes_along_is_one_failure(
        self, on_socket: Callable[..., Any], venue: Venue
    ) -> None:
        trader = await on_socket(breaker_failures=3, batch_size=1)
        kept: list[Payload] = []

        def keep(_: Socket, call: Payload) -> None:
            kept.append(call)

        venue.rpc["order.create"] = keep
        venue.on("GET", BY_CLIENT_ID, lambda request: payloads.order(request.path.rsplit("/", 1)[-1]))
        submit_many(trader, 8)
        await venue.until(lambda: len(kept) == 8)
        await (await venue.socket()).close()
        await eventually(lambda: len(trader.created()) == 8)
        assert trader.exchange.circuit_breaker.state == "closed"


class TestStopping:
    async def test_it_leaves_no_task_and_what_has_not_left_has_failed(
        self, make_trader: MakeTrader, venue: Venue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = asyncio.all_tasks()
        trader = make_trader(breaker_failures=1)
        exchange = trader.exchange
        monkeypatch.setattr(exchange, "_sleep", lambda _: asyncio.Event().wait())
        order = trader.track()
        closed = payloads.order("mine", "CLOSED", remaining_size="0")
        await trader.hear("orders.ALL", closed)  # its fill is missing and is waited for
        exchange._order_entry._submits._admit = asyncio.Event().wait  # the rate limiter holds everything back
        client_id = trader.submit()
        await eventually(lambda: client_id in exchange._submitting)
        exchange._order_entry._record_failure("HTTP 503")
        await settle()
        ours = {task.get_coro().__qualname__ for task in asyncio.all_tasks() - before}  # type: ignore[union-attr]
        assert {"_Lane._dispatch", "OrderEntry._probe_until_closed"} <= ours
        await exchange.stop_network()
        await eventually(lambda: trader.failed())
        assert "stopped before it was sent" in trader.failed()[0].error_message
        await settle()
        left = {task.get_coro().__qualname__ for task in asyncio.all_tasks() - before}  # type: ignore[union-attr]
        assert {name for name in left if name.startswith(("_Lane", "OrderEntry", "ParadexPerpetual"))} == set()
        assert order.executed_amount_base == 0

    async def test_what_a_rate_limit_refuses_after_it_is_not_sent_again(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        answered = asyncio.Event()

        async def refuse(_: Request) -> Answer:
            await answered.wait()
            return Answer(429, payloads.error("TOO_MANY_REQUESTS"), headers={"Retry-After": "0"})

        trader = make_trader()
        venue.on("POST", "/orders", refuse, lambda request: taken(request.body))
        trader.submit()
        await venue.until(lambda: venue.asked("POST", "/orders"))
        await trader.exchange.stop_network()
        answered.set()
        await eventually(lambda: trader.failed() or trader.created())
        assert "TOO_MANY_REQUESTS" in trader.failed()[0].error_message
        assert len(venue.asked("POST", "/orders")) == 1

    async def test_nor_are_the_orders_of_a_batch_that_is_refused_after_it(
        self, make_trader: MakeTrader, venue: Venue
    ) -> None:
        answered = asyncio.Event()

        async def refuse(_: Request) -> Answer:
            answered.set()
            return refusal("INVALID_ORDER_SIGNATURE")

        trader = make_trader()
        held = asyncio.Event()
        venue.on("POST", "/orders/batch", refuse)
        submit_many(trader, 2)
        await answered.wait()
        trader.exchange._order_entry._admit = lambda _: held.wait()
        await settle()
        await trader.exchange.stop_network()
        held.set()
        await eventually(lambda: len(trader.failed()) == 2)
        assert "stopped before it was sent" in trader.failed()[0].error_message
        assert venue.asked("POST", "/orders") == []

    async def test_what_is_asked_for_right_after_it_is_done(self, make_trader: MakeTrader, venue: Venue) -> None:
        entry = make_trader(breaker_failures=1).exchange._order_entry
        entry._sleep = lambda _: asyncio.Event().wait()
        admit, entry._submits._admit = entry._submits._admit, asyncio.Event().wait
        order = {"market": MARKET, "side": "BUY", "type": "LIMIT", "size": "0.5", "price": "50000"}
        before, after = ({**order, "instruction": "GTC", "client_id": name} for name in ("before", "after"))
        waiting, given_up = (asyncio.create_task(entry.submit({**before, "client_id": name})) for name in "ab")
        await settle()
        given_up.cancel()
        entry.stop()
        entry._submits._admit = admit
        assert (await entry.submit(after))["id"] == "id-after"
        with pytest.raises(web_utils.NotSentError, match="stopped before it was sent"):
            await waiting
        entry._record_failure("HTTP 503")
        probing = entry._probing
        entry.stop()
        entry.start()
        assert entry._probing is not probing
        entry.stop()

    async def test_fills_that_are_owed_are_asked_for_again_after_the_next_start(
        self, make_trader: MakeTrader, venue: Venue, monkeypatch: pytest.MonkeyPatch, clock: Clock
    ) -> None:
        trader = make_trader()
        exchange = trader.exchange
        with monkeypatch.context() as patch:
            patch.setattr(exchange, "_sleep", lambda _: asyncio.Event().wait())
            order = trader.track()
            await trader.hear("orders.ALL", payloads.order("mine", "CLOSED", remaining_size="0"))
            await exchange.stop_network()
        venue.on("GET", "/fills", payloads.page(payloads.fill("mine", size="0.5")))
        clock.now += 3600
        exchange._complete_fills_soon("mine")
        await eventually(lambda: order.executed_amount_base == Decimal("0.5"))
        assert exchange._fills_owed == {}


class TestOutcomes:
    """What is made of the answer to a batch, order by order."""

    IDS = ("a", "b", "c")

    def outcomes(self, answer: Any) -> list[str]:
        told = batch_outcomes(self.IDS, answer)
        assert all(isinstance(outcome, dict | web_utils.ApiError | web_utils.NoAnswerError) for outcome in told)
        return [str(outcome["id"]) if isinstance(outcome, dict) else getattr(outcome, "code", "?") for outcome in told]

    @pytest.mark.parametrize(
        ("answer", "outcomes"),
        [
            ({"orders": [{"id": "3", "client_id": "c"}, {"id": "1", "client_id": "a"}], "errors": []}, "1 ? 3"),
            (
                {
                    "orders": [{"id": "3", "client_id": "c"}, {"id": "1", "client_id": "a"}],
                    "errors": [{"error": "NO_GOOD"}],
                },
                "1 NO_GOOD 3",
            ),
            (
                {"orders": [{"id": "2", "client_id": "b"}], "errors": [{"error": "FIRST"}, {"error": "LAST"}]},
                "FIRST 2 LAST",
            ),
            ({"orders": None, "errors": [{"error": "A"}, {"error": "B"}, {"error": "C"}]}, "A B C"),
            ({"orders": [], "errors": [{"error": "A"}]}, "? ? ?"),
            (
                {
                    "orders": [{"id": "2", "client_id": "b"}],
                    "errors": [{"error": "DUPLICATED_CLIENT_ID"}, {"error": "X"}],
                },
                "? 2 ?",
            ),
            ({"orders": [], "errors": [{"error": "A"}, {"error": "INTERNAL_ERROR"}, {"error": "C"}]}, "? ? ?"),
            ({"orders": [{"client_id": "a"}], "errors": ["text", None]}, "? ? ?"),
            (
                {
                    "results": [
                        {"error": "INTERNAL_ERROR"},
                        {"error": "NO_GOOD"},
                        {"error": "SERVICE_UNAVAILABLE: late"},
                    ]
                },
                "? NO_GOOD ?",
            ),
            ({"results": [{"order": {"id": "1"}}, {"error": "NO_GOOD: really"}, {"neither": 1}]}, "1 NO_GOOD ?"),
            (
                {"results": [{"order": {"id": "1"}}, {"error": "DUPLICATED_CLIENT_ID"}, {"error": "just text"}]},
                "1 ? REFUSED",
            ),
            ({"results": [{"order": {"id": "1"}}, None, "text"]}, "1 ? ?"),
            ({"results": [{"order": {"id": "1"}}]}, "? ? ?"),
            ({"results": [{"order": {"id": name, "client_id": name}} for name in "bca"]}, "a b c"),
            (  # whose the error is cannot be told then
                {"results": [{"order": {"id": "3", "client_id": "c"}}, {"error": "NO_GOOD"}, {"order": {"id": "1"}}]},
                "? ? 3",
            ),
            ({"results": [{"order": {"id": {}}}, {"order": {"id": []}}, {"order": {"id": 3}}]}, "? ? 3"),
            ([], "? ? ?"),
            (None, "? ? ?"),
        ],
    )
    def test_only_what_is_certain_is_an_outcome(self, answer: Any, outcomes: str) -> None:
        assert self.outcomes(answer) == outcomes.split()

    def test_cancels_are_found_by_either_id(self) -> None:
        cancels = [{"id": id_, "client_id": name} for id_, name in (("1", "a"), (None, "b"), ("3", "c"), ("4", "d"))]
        results = [
            {"id": "1", "status": "QUEUED_FOR_CANCELLATION"},
            {"id": "2", "client_id": "b", "status": "ALREADY_CLOSED"},
            {"client_id": "c", "status": "NOT_FOUND"},
        ]
        outcomes = cancel_outcomes(cancels, {"results": results})
        assert outcomes[0] is None
        assert [outcome.code for outcome in outcomes[1:3]] == ["ORDER_IS_CLOSED", "CLIENT_ORDER_ID_NOT_FOUND"]
        assert isinstance(outcomes[3], web_utils.NoAnswerError)
        assert all(isinstance(outcome, web_utils.NoAnswerError) for outcome in cancel_outcomes(cancels, None))
