"""The private stream, over a real socket."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_constants as CONSTANTS
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_user_stream_data_source import (
    ParadexPerpetualUserStreamDataSource,
)

from tests.unit.connector import frames, payloads
from tests.unit.connector.clock import Clock
from tests.unit.connector.payloads import stream
from tests.unit.connector.venue import PATIENCE, Socket, Venue, refusal

RESUMED = {"channel": CONSTANTS.STREAM_RESUMED, "data": {}}
FUNDING = f"funding_payments.{payloads.MARKET}"
CHANNELS = [*CONSTANTS.PRIVATE_CHANNELS, CONSTANTS.MMP_CHANNEL, FUNDING]


class Listener:
    """Runs the data source; its events are taken one by one."""

    def __init__(self, source: ParadexPerpetualUserStreamDataSource):
        self.source = source
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.task = asyncio.create_task(self.source.listen_for_user_stream(self.events))

    async def next(self) -> Any:
        async with asyncio.timeout(PATIENCE):
            return await self.events.get()


@pytest.fixture
async def listener(exchange: ParadexPerpetualDerivative, clock: Clock) -> AsyncIterator[Listener]:
    source = exchange._user_stream_tracker.data_source
    source._sleep = clock.sleep
    listener = Listener(source)
    yield listener
    if listener.task is not None:
        listener.task.cancel()
        await asyncio.wait([listener.task])


@pytest.fixture
async def running(listener: Listener) -> Listener:
    """A listener whose stream is up."""
    listener.start()
    assert await listener.next() == RESUMED
    return listener


class TestSubscribing:
    async def test_it_authenticates_first_and_then_subscribes_to_everything(
        self, venue: Venue, running: Listener
    ) -> None:
        socket = await venue.socket()
        assert socket.calls[0] == ("auth", {"bearer": payloads.jwt()})
        assert socket.calls[1:] == [("subscribe", {"channel": channel}) for channel in CHANNELS]
        assert {"orders.ALL", "fills.ALL", "positions", "account", "balance_events", "tradebusts"} < set(CHANNELS)

    async def test_the_framework_sees_a_stream_only_when_all_is_acknowledged(
        self, venue: Venue, listener: Listener
    ) -> None:
        acknowledge = asyncio.Event()

        def withhold(socket: Socket, call: dict[str, Any]) -> dict[str, Any] | None:
            if call["params"]["channel"] == FUNDING and not acknowledge.is_set():
                withheld.append(call)
                return None
            return {"result": {}}

        withheld: list[dict[str, Any]] = []
        venue.rpc["subscribe"] = withhold
        listener.start()
        await venue.until(lambda: withheld)
        assert listener.source.last_recv_time == 0
        assert listener.events.empty()
        await (await venue.socket()).send({"jsonrpc": "2.0", "id": withheld[0]["id"], "result": {}})
        assert await listener.next() == RESUMED
        assert listener.source.last_recv_time > 0

    @pytest.mark.parametrize("refused", [*CONSTANTS.PRIVATE_CHANNELS, FUNDING])
    async def test_a_channel_that_is_refused_is_no_stream(
        self, venue: Venue, listener: Listener, log: pytest.LogCaptureFixture, refused: str
    ) -> None:
        def refuse_once(socket: Socket, call: dict[str, Any]) -> dict[str, Any]:
            if call["params"]["channel"] == refused and len(venue.sockets) == 1:
                return {"error": {"code": -32600, "message": "no such channel"}}
            return {"result": {}}

        venue.rpc["subscribe"] = refuse_once
        listener.start()
        assert await listener.next() == RESUMED
        assert len(venue.sockets) == 2
        assert "refused subscribe: -32600 no such channel" in log.text

    async def test_channels_that_stay_refused_do_not_keep_the_orders_from_being_followed(
        self, venue: Venue, listener: Listener, log: pytest.LogCaptureFixture
    ) -> None:
        gone = {FUNDING, CONSTANTS.TRADEBUSTS_CHANNEL}

        def refuse(socket: Socket, call: dict[str, Any]) -> dict[str, Any]:
            if call["params"]["channel"] in gone:
                return {"error": {"code": -32602, "message": "no such channel"}}
            return {"result": {}}

        venue.rpc["subscribe"] = refuse
        listener.start()
        assert await listener.next() == RESUMED
        assert sorted(venue.sockets[-1].channels) == sorted(set(CHANNELS) - gone)
        for channel in gone:
            assert f"goes on without {channel}" in log.text
        connections = len(venue.sockets)
        gone.clear()
        await venue.sockets[-1].close()
        assert await listener.next() == RESUMED
        assert len(venue.sockets) == connections + 1
        assert venue.sockets[-1].channels == CHANNELS

    @pytest.mark.parametrize("refused", sorted(CONSTANTS.INDISPENSABLE_CHANNELS))
    async def test_without_orders_fills_positions_and_account_there_is_no_stream(
        self, venue: Venue, listener: Listener, refused: str
    ) -> None:
        def refuse(socket: Socket, call: dict[str, Any]) -> dict[str, Any]:
            if call["params"]["channel"] == refused:
                return {"error": {"code": -32602, "message": "no such channel"}}
            return {"result": {}}

        venue.rpc["subscribe"] = refuse
        listener.start()
        await venue.until(lambda: len(venue.sockets) == 4)
        assert listener.events.empty()

    async def test_an_account_without_market_maker_protection_has_a_stream_all_the_same(
        self, venue: Venue, listener: Listener
    ) -> None:
        def refuse(socket: Socket, call: dict[str, Any]) -> dict[str, Any]:
            if call["params"]["channel"] == CONSTANTS.MMP_CHANNEL:
                return {"error": {"code": -32600, "message": "no such channel"}}
            return {"result": {}}

        venue.rpc["subscribe"] = refuse
        listener.start()
        assert await listener.next() == RESUMED
        assert len(venue.sockets) == 1

    async def test_a_channel_that_is_not_acknowledged_is_no_stream(
        self, venue: Venue, listener: Listener, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
    ) -> None:
        patience = CONSTANTS.WS_CALL_TIMEOUT

        def authenticate(socket: Socket, _: dict[str, Any]) -> dict[str, Any]:
            monkeypatch.setattr(CONSTANTS, "WS_CALL_TIMEOUT", 0.05 if socket is venue.sockets[0] else patience)
            return {"result": {}}

        def answer_the_second_socket(socket: Socket, _: dict[str, Any]) -> dict[str, Any] | None:
            monkeypatch.setattr(CONSTANTS, "WS_CALL_TIMEOUT", patience)
            return None if socket is venue.sockets[0] else {"result": {}}

        venue.rpc["auth"] = authenticate
        venue.rpc["subscribe"] = answer_the_second_socket
        listener.start()
        assert await listener.next() == RESUMED
        assert len(venue.sockets) >= 2  # on a slow machine the next may not answer in time either
        assert "subscribe was not answered" in log.text

    async def test_a_wrong_pair_does_not_keep_the_account_from_being_followed(
        self, venue: Venue, listener: Listener, log: pytest.LogCaptureFixture
    ) -> None:
        listener.source._trading_pairs = ["NOPE-USDC", payloads.ETH_PAIR]
        listener.start()
        assert await listener.next() == RESUMED
        assert (await venue.socket()).channels[-1] == f"funding_payments.{payloads.ETH_MARKET}"
        assert "No funding payments for NOPE-USDC: There is no perpetual NOPE-USDC" in log.text

    async def test_a_pair_added_while_running_gets_its_channel_and_loses_it_again(
        self, venue: Venue, running: Listener
    ) -> None:
        socket = await venue.socket()
        await running.source.subscribe_to_trading_pair(payloads.ETH_PAIR)
        assert socket.channels == [*CHANNELS, f"funding_payments.{payloads.ETH_MARKET}"]
        await running.source.unsubscribe_from_trading_pair(payloads.ETH_PAIR)
        assert socket.channels == CHANNELS

    async def test_without_a_stream_there_is_nothing_to_add_to(self, venue: Venue, listener: Listener) -> None:
        await listener.source.subscribe_to_trading_pair(payloads.ETH_PAIR)
        await listener.source.unsubscribe_from_trading_pair(payloads.ETH_PAIR)
        assert venue.sockets == []


class TestEvents:
    async def test_json_and_binary_payloads_arrive_in_one_form_and_in_order(
        self, venue: Venue, running: Listener
    ) -> None:
        await (await venue.socket()).send(
            stream("orders.BTC-USD-PERP", payloads.order("json")),
            frames.order("binary"),
            stream("fills.BTC-USD-PERP", payloads.fill("json")),
            frames.fill("binary"),
            stream("positions", payloads.position()),
            frames.position(),
            stream("account", payloads.account()),
            frames.account(),
        )
        events = [await running.next() for _ in range(8)]
        assert [event["channel"].split(".")[0] for event in events] == [
            *["orders"] * 2,
            *["fills"] * 2,
            *["positions"] * 2,
            *["account"] * 2,
        ]
        assert [event["data"].get("client_id") for event in events[:4]] == ["json", "binary"] * 2
        assert {"id", "client_id", "status", "size", "remaining_size", "cancel_reason", "flags"} <= set(
            events[1]["data"]
        )

    async def test_what_is_no_event_is_passed_over(self, venue: Venue, running: Listener) -> None:
        socket = await venue.socket()
        for text in ("null", "[]", '{"jsonrpc": "2.0", "method": "x"}', '{"params": []}', '{"params": {}}'):
            await socket.websocket.send_str(text)
        await socket.send(frames.heartbeat(), frames.book(1), frames.frame(99, b"1234"), stream("account", {"a": 1}))
        assert await running.next() == {"channel": "account", "data": {"a": 1}}

    @pytest.mark.parametrize("frame", [frames.order("mine")[:60], b"\x01", frames.fill("mine")[:-30]])
    async def test_a_frame_that_cannot_be_read_has_rest_asked_because_it_may_have_been_a_fill(
        self, venue: Venue, running: Listener, log: pytest.LogCaptureFixture, frame: bytes
    ) -> None:
        await (await venue.socket()).send(frame)
        assert await running.next() == RESUMED
        assert "could not be read" in log.text


class TestReconnecting:
    async def test_a_text_that_cannot_be_read_has_rest_asked_and_does_not_end_the_stream(
        self, venue: Venue, running: Listener, log: pytest.LogCaptureFixture
    ) -> None:
        socket = await venue.socket()
        await socket.websocket.send_str('{"jsonrpc":"2.0","method":"subscription","params":{"chan')
        assert await running.next() == RESUMED
        await socket.send(stream("orders.ALL", {"id": "1"}))
        assert (await running.next())["channel"] == "orders.ALL"
        assert "A text of the private socket is no JSON" in log.text
        assert len(venue.sockets) == 1

    async def test_a_stream_that_breaks_comes_back_whole_and_says_so(
        self, venue: Venue, running: Listener, log: pytest.LogCaptureFixture
    ) -> None:
        await (await venue.socket()).close()
        assert await running.next() == RESUMED
        socket = await venue.socket(2)
        assert socket.calls[0][0] == "auth"
        assert socket.channels == CHANNELS
        assert "was interrupted" in log.text

    async def test_after_a_break_the_framework_sees_no_stream_until_the_next(
        self, venue: Venue, running: Listener
    ) -> None:
        venue.rpc["auth"] = lambda *_: None
        await (await venue.socket()).close()
        await venue.until(lambda: len(venue.sockets) == 2)
        assert running.source.last_recv_time == 0

    async def test_attempts_are_made_after_pauses_that_grow_until_a_connection_holds(
        self, venue: Venue, listener: Listener, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        venue.socket_status = 503
        listener.start()
        await venue.until(lambda: len(venue.handshakes) >= 6)
        venue.socket_status = None
        assert await listener.next() == RESUMED
        for number, pause in enumerate(clock.pauses[:6]):
            whole = CONSTANTS.WS_BACKOFF_INITIAL * 2**number
            assert whole / 2 <= pause <= whole
        pauses = len(clock.pauses)
        for number in range(pauses, pauses + 3):  # a server that drops what it has accepted is met ever more seldom
            await venue.sockets[-1].close()
            assert await listener.next() == RESUMED
            whole = min(CONSTANTS.WS_BACKOFF_MAXIMUM, CONSTANTS.WS_BACKOFF_INITIAL * 2**number)
            assert whole / 2 <= clock.pauses[number] <= whole
        monkeypatch.setattr(CONSTANTS, "WS_HOLDS", 0.0)
        await venue.sockets[-1].close()
        assert await listener.next() == RESUMED
        assert clock.pauses[-1] <= CONSTANTS.WS_BACKOFF_INITIAL

    async def test_refused_credentials_are_said_once_and_tried_again(
        self, venue: Venue, listener: Listener, log: pytest.LogCaptureFixture
    ) -> None:
        venue.on("POST", "/auth/*", refusal("INVALID_SUBKEY"))
        listener.start()
        await venue.until(lambda: len(venue.sockets) >= 5)
        assert log.text.count("is not authenticated. Paradex does not accept these credentials") == 1
        venue.on("POST", "/auth/*", {"jwt_token": payloads.jwt()})
        listener.source._connector._auth._retry_at = 0.0
        assert await listener.next() == RESUMED

    async def test_an_unexpected_error_does_not_end_it(
        self, venue: Venue, listener: Listener, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
    ) -> None:
        original = listener.source._subscribe_all
        broken = iter([True])

        async def break_once(session: Any) -> None:
            if next(broken, False):
                raise RuntimeError("a bug")
            await original(session)

        monkeypatch.setattr(listener.source, "_subscribe_all", break_once)
        listener.start()
        assert await listener.next() == RESUMED
        assert "Unexpected error in the private stream" in log.text

    async def test_a_listener_that_ends_slowly_leaves_the_next_one_its_socket(
        self, venue: Venue, running: Listener
    ) -> None:
        session, slow = running.source.session, running.task
        assert session is not None
        assert session.assistant is not None
        assert slow is not None
        close, may_close = session.assistant.disconnect, asyncio.Event()

        async def close_slowly() -> None:
            await may_close.wait()
            await close()

        session.assistant.disconnect = close_slowly  # type: ignore[method-assign]
        slow.cancel()
        running.start()
        assert await running.next() == RESUMED
        may_close.set()
        await asyncio.wait([slow])
        assert running.source.session is not None
        assert running.source.session is not session
        assert running.source.last_recv_time > 0

    async def test_stopping_it_closes_the_socket(self, venue: Venue, running: Listener) -> None:
        assert running.task is not None
        running.task.cancel()
        await asyncio.wait([running.task])
        assert running.task.cancelled()
        socket = await venue.socket()
        await venue.until(lambda: socket.websocket.closed)
