"""JSON-RPC sessions over a real socket."""

import asyncio
import json
import time
from collections import Counter
from typing import Any

import pytest
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_auth import (
    ParadexAuthenticationError,
    ParadexPerpetualAuth,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_web_utils import (
    ApiError,
    NoAnswerError,
    NotSentError,
    RateLimitedError,
    RpcError,
    RpcSession,
)
from hummingbot.core.web_assistant.web_assistants_factory import WebAssistantsFactory

from tests.unit.connector import frames, payloads
from tests.unit.connector.trader import eventually
from tests.unit.connector.venue import Answer, Socket, Venue, refusal

CHANNEL = "order_book.BTC-USD-PERP.deltas@15@50ms"


class Sessions:
    """Opens sessions and keeps what they hand over."""

    def __init__(self, api_factory: WebAssistantsFactory):
        self.api_factory = api_factory
        self.messages: asyncio.Queue[Any] = asyncio.Queue()

    def open(self, authenticate: bool = False) -> RpcSession:
        return RpcSession(self.api_factory, CONSTANTS.SANDBOX_DOMAIN, self.messages.put_nowait, authenticate)


@pytest.fixture
def sessions(api_factory: WebAssistantsFactory) -> Sessions:
    return Sessions(api_factory)


class TestConnecting:
    async def test_the_handshake_asks_for_version_2(self, venue: Venue, sessions: Sessions) -> None:
        async with sessions.open():
            await venue.socket()
        assert venue.handshakes == [{"sbeSchemaId": "1", "sbeSchemaVersion": "2"}]

    async def test_a_server_that_does_not_know_it_is_asked_for_version_1(
        self, venue: Venue, sessions: Sessions
    ) -> None:
        venue.schema_versions = ["1"]
        async with sessions.open() as session:
            await session.subscribe(CHANNEL)
        assert [query["sbeSchemaVersion"] for query in venue.handshakes] == ["2", "1"]

    async def test_a_server_that_knows_neither_is_a_connection_error(self, venue: Venue, sessions: Sessions) -> None:
        venue.schema_versions = []
        with pytest.raises(ConnectionError, match="refused with HTTP 400"):
            await sessions.open().__aenter__()
        assert len(venue.handshakes) == 2

    @pytest.mark.parametrize("status", [403, 429, 503])
    async def test_another_refusal_has_nothing_to_do_with_versions(
        self, venue: Venue, sessions: Sessions, status: int
    ) -> None:
        venue.socket_status = status
        with pytest.raises(ConnectionError, match=f"refused with HTTP {status}"):
            await sessions.open().__aenter__()
        assert len(venue.handshakes) == 1

    async def test_nobody_there_is_a_connection_error(
        self, venue: Venue, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(CONSTANTS.SANDBOX_URL_VARIABLE, "http://127.0.0.1:9/v1")
        with pytest.raises(ConnectionError, match="Cannot connect"):
            await sessions.open().__aenter__()

    async def test_leaving_closes_the_socket(self, venue: Venue, sessions: Sessions) -> None:
        async with sessions.open():
            socket = await venue.socket()
        await venue.until(lambda: socket.websocket.closed)


class TestCalls:
    async def test_a_call_gets_its_result(self, venue: Venue, sessions: Sessions) -> None:
        venue.rpc["subscribe"] = lambda _, call: {"result": {"channel": call["params"]["channel"]}}
        async with sessions.open() as session:
            assert await session.call("subscribe", {"channel": CHANNEL}) == {"channel": CHANNEL}
            socket = await venue.socket()
        assert socket.calls == [("subscribe", {"channel": CHANNEL})]

    async def test_a_refused_call_says_what_the_exchange_said(self, venue: Venue, sessions: Sessions) -> None:
        venue.rpc["subscribe"] = lambda *_: {
            "error": {"code": -32602, "message": "invalid params", "data": "unknown market"}
        }
        async with sessions.open() as session:
            with pytest.raises(RpcError, match=r"refused subscribe: -32602 invalid params \(unknown market\)") as error:
                await session.subscribe(CHANNEL)
            assert error.value.code == -32602
            await session.call("unsubscribe_from_nothing", {})  # the session lives on

    @pytest.mark.parametrize("error", ["not today", ["not today"], {"message": "not today"}])
    async def test_an_error_in_a_form_that_nobody_documents_is_an_error_all_the_same(
        self, venue: Venue, sessions: Sessions, error: Any
    ) -> None:
        venue.rpc["order.create"] = lambda *_: {"error": error}
        async with sessions.open() as session:
            with pytest.raises(RpcError, match="not today"):
                await session.call("order.create", {})
            with pytest.raises(NoAnswerError, match="not today"):
                await session.request("order.create", {})

    async def test_a_call_that_is_not_answered_ends_after_the_timeout(
        self, venue: Venue, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        venue.rpc["subscribe"] = lambda *_: None
        async with sessions.open() as session:
            with monkeypatch.context() as impatient:
                impatient.setattr(CONSTANTS, "WS_CALL_TIMEOUT", 0.05)
                with pytest.raises(NoAnswerError, match=r"subscribe was not answered within 0\.05 s"):
                    await session.subscribe(CHANNEL)
            assert session._pending == {}
            assert await session.call("unsubscribe_from_nothing", {}) == {}

    async def test_an_answer_that_comes_after_the_timeout_is_nobodys(
        self, venue: Venue, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        venue.rpc["late"] = lambda *_: None
        async with sessions.open() as session:
            with monkeypatch.context() as impatient:
                impatient.setattr(CONSTANTS, "WS_CALL_TIMEOUT", 0.05)
                with pytest.raises(NoAnswerError):
                    await session.call("late", {})
            socket = await venue.socket()
            await socket.send({"jsonrpc": "2.0", "id": 1, "result": {"for": "late"}})
            assert await session.call("next", {}) == {}
        assert sessions.messages.empty()

    async def test_answers_find_their_calls_in_any_order(self, venue: Venue, sessions: Sessions) -> None:
        calls: list[dict[str, Any]] = []

        def keep(socket: Socket, call: dict[str, Any]) -> None:
            calls.append(call)

        venue.rpc["keep"] = keep
        async with sessions.open() as session:
            waiting = [asyncio.create_task(session.call("keep", {"number": number})) for number in range(5)]
            await venue.until(lambda: len(calls) == 5)
            socket = await venue.socket()
            for call in reversed(calls):
                await socket.send({"jsonrpc": "2.0", "id": call["id"], "result": call["params"]["number"]})
            assert await asyncio.gather(*waiting) == [0, 1, 2, 3, 4]

    async def test_a_socket_that_closes_ends_the_calls_that_wait(self, venue: Venue, sessions: Sessions) -> None:
        venue.rpc["subscribe"] = lambda *_: None
        async with sessions.open() as session:
            waiting = asyncio.create_task(session.subscribe(CHANNEL))
            socket = await venue.socket()
            await venue.until(lambda: socket.calls)
            await socket.close()
            with pytest.raises(ConnectionError):
                await waiting

    async def test_a_call_on_a_socket_that_is_gone_has_not_been_sent(self, venue: Venue, sessions: Sessions) -> None:
        async with sessions.open() as session:
            await (await venue.socket()).close()
            with pytest.raises(ConnectionError):
                await session.closed()
            assert not session.is_open
            with pytest.raises(NotSentError, match="subscribe was not sent: the socket is closed"):
                await session.subscribe(CHANNEL)


def refused_with(code: int, data: Any = None, message: str = "said so") -> dict[str, Any]:
    return {"error": {"code": code, "message": message, **({"data": data} if data is not None else {})}}


class TestRequests:
    """Calls that do what a REST request does fail as that would."""

    @pytest.mark.parametrize(
        ("answer", "status", "code"),
        [
            (refused_with(100, {"error": "INVALID_ORDER_SIZE"}), 400, "INVALID_ORDER_SIZE"),
            (refused_with(100, "ORDER_IS_CLOSED: it is"), 400, "ORDER_IS_CLOSED"),
            (refused_with(100, message="CLIENT_ORDER_ID_NOT_FOUND"), 400, "CLIENT_ORDER_ID_NOT_FOUND"),
            (refused_with(100, "no code in here"), 400, "RPC_100"),
            (refused_with(-32602, "INVALID_REQUEST_PARAMETER: size"), 400, "INVALID_REQUEST_PARAMETER"),
            (refused_with(-32602, "INVALID_ORDER_SIZE: too small"), 400, "INVALID_ORDER_SIZE"),
            (refused_with(40112, message="Geo IP blocked"), 400, "RPC_40112"),
        ],
    )
    async def test_a_refusal_has_the_exchanges_own_code(
        self, venue: Venue, sessions: Sessions, answer: dict[str, Any], status: int, code: str
    ) -> None:
        venue.rpc["order.create"] = lambda *_: answer
        async with sessions.open() as session:
            with pytest.raises(ApiError) as refused:
                await session.request("order.create", {})
        assert (refused.value.status, refused.value.code) == (status, code)

    @pytest.mark.parametrize(("data", "seconds"), [({"retry_after": 2}, 2.0), (None, 1.0), ("later", 1.0)])
    async def test_a_rate_limit_says_when_to_come_again(
        self, venue: Venue, sessions: Sessions, data: Any, seconds: float
    ) -> None:
        venue.rpc["order.create"] = lambda *_: refused_with(42901, data)
        async with sessions.open() as session:
            with pytest.raises(RateLimitedError) as refused:
                await session.request("order.create", {})
        assert refused.value.retry_after == seconds

    @pytest.mark.parametrize("code", [-32603, -32000, 503, None, "busy"])
    async def test_an_internal_error_and_one_that_nobody_knows_leave_the_outcome_open(
        self, venue: Venue, sessions: Sessions, code: Any
    ) -> None:
        venue.rpc["order.create"] = lambda *_: refused_with(code)
        async with sessions.open() as session:
            with pytest.raises(NoAnswerError, match=str(code)):
                await session.request("order.create", {})

    async def test_an_answer_that_is_no_json_leaves_the_outcome_open_and_the_socket_too(
        self, venue: Venue, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(CONSTANTS, "WS_CALL_TIMEOUT", 0.5)
        venue.rpc["order.create"] = lambda *_: None
        async with sessions.open() as session:
            asking = asyncio.create_task(session.request("order.create", {}))
            socket = await venue.socket()
            await venue.until(lambda: socket.calls)
            await socket.websocket.send_str('{"jsonrpc":"2.0","result":{"order"')
            with pytest.raises(NoAnswerError, match=r"order\.create was not answered"):
                await asking
            assert await session.call("unsubscribe_from_nothing", {}) == {}
            assert sessions.messages.get_nowait().startswith('{"jsonrpc"')

    async def test_an_answer_that_is_told_twice_does_not_end_the_session(
        self, venue: Venue, sessions: Sessions
    ) -> None:
        async with sessions.open() as session:
            answered = asyncio.get_running_loop().create_future()
            answered.set_result({})
            session._pending[4711] = answered  # who waits for it has not run since
            socket = await venue.socket()
            await socket.send({"jsonrpc": "2.0", "id": 4711, "result": {}})
            assert await session.call("unsubscribe_from_nothing", {}) == {}

    async def test_a_socket_that_closes_leaves_the_outcome_open(self, venue: Venue, sessions: Sessions) -> None:
        venue.rpc["order.create"] = lambda *_: None
        async with sessions.open() as session:
            session._pending[0] = asyncio.get_running_loop().create_future()
            session._pending[0].set_result({})  # another call, whose answer came just before the end
            waiting = asyncio.create_task(session.request("order.create", {}))
            socket = await venue.socket()
            await venue.until(lambda: socket.calls)
            await socket.close()
            with pytest.raises(NoAnswerError, match=r"order\.create was not answered: .*closed"):
                await waiting

    @pytest.mark.parametrize("code", [40110, 40111, 40300])
    async def test_a_session_whose_token_is_refused_gets_a_new_one_and_asks_again(
        self, venue: Venue, sessions: Sessions, code: int
    ) -> None:
        venue.on("POST", "/auth/*", {"jwt_token": payloads.jwt(name="old")}, {"jwt_token": payloads.jwt(name="new")})
        bearers: list[str] = []

        def auth(_: Socket, call: dict[str, Any]) -> dict[str, Any]:
            bearers.append(call["params"]["bearer"])
            return {"result": {}}

        venue.rpc["auth"] = auth
        venue.rpc["order.create"] = lambda *_: {"result": "done"} if len(bearers) > 1 else refused_with(code)
        async with sessions.open(authenticate=True) as session:
            calls = [session.request("order.create", {"number": number}) for number in range(3)]
            assert await asyncio.gather(*calls) == ["done"] * 3
        assert bearers == [payloads.jwt(name="old"), payloads.jwt(name="new")]

    async def test_a_session_that_stays_refused_says_so(self, venue: Venue, sessions: Sessions) -> None:
        venue.rpc["order.create"] = lambda *_: refused_with(40111, "the key of this session was revoked")
        async with sessions.open(authenticate=True) as session:
            with pytest.raises(ApiError, match="RPC_40111") as refused:
                await session.request("order.create", {})
        assert refused.value.status == 401

    async def test_without_a_new_token_it_has_not_been_sent(self, venue: Venue, sessions: Sessions) -> None:
        venue.rpc["order.create"] = lambda *_: refused_with(40111)
        async with sessions.open(authenticate=True) as session:
            venue.on("POST", "/auth/*", Answer(503, {}))
            with pytest.raises(NotSentError):
                await session.request("order.create", {})


class TestData:
    async def test_data_is_handed_over_binary_as_bytes_and_json_as_a_dict(
        self, venue: Venue, sessions: Sessions
    ) -> None:
        event = payloads.stream("account", payloads.account())
        async with sessions.open():
            await (await venue.socket()).send(frames.book(1), event, frames.trade())
            received = [await sessions.messages.get() for _ in range(3)]
        assert received == [frames.book(1), event, frames.trade()]

    async def test_data_may_come_before_the_acknowledgement(self, venue: Venue, sessions: Sessions) -> None:
        sent: list[asyncio.Task[None]] = []

        def data_first(socket: Socket, call: dict[str, Any]) -> None:
            answer = {"jsonrpc": "2.0", "id": call["id"], "result": {"channel": CHANNEL}}
            sent.append(asyncio.create_task(socket.send(frames.book(1, snapshot=True), frames.book(2), answer)))

        venue.rpc["subscribe"] = data_first
        async with sessions.open() as session:
            await session.subscribe(CHANNEL)
            assert [sessions.messages.get_nowait() for _ in range(2)] == [
                frames.book(1, snapshot=True),
                frames.book(2),
            ]

    async def test_noise_does_not_end_the_session(self, venue: Venue, sessions: Sessions) -> None:
        async with sessions.open() as session:
            socket = await venue.socket()
            for text in ("not json", "null", "[]", json.dumps({"id": 999, "result": {}}), json.dumps({"id": "x"})):
                await socket.websocket.send_str(text)
            assert await session.call("anything", {}) == {}

    async def test_a_message_that_is_too_big_ends_the_connection_and_nothing_else(
        self, venue: Venue, sessions: Sessions
    ) -> None:
        async with sessions.open() as session:
            await (await venue.socket()).send(bytes(5 * 2**20))
            with pytest.raises(ConnectionError, match="too big"):
                await session.closed()

    async def test_who_waits_for_the_end_is_told_of_it(self, venue: Venue, sessions: Sessions) -> None:
        async with sessions.open() as session:
            ended = asyncio.create_task(session.closed())
            await (await venue.socket()).close()
            with pytest.raises(ConnectionError):
                await ended


class TestAuthentication:
    async def test_a_session_that_authenticates_does_so_before_anything_else(
        self, venue: Venue, sessions: Sessions
    ) -> None:
        async with sessions.open(authenticate=True) as session:
            await session.subscribe("account")
            socket = await venue.socket()
        assert socket.calls == [("auth", {"bearer": payloads.jwt()}), ("subscribe", {"channel": "account"})]

    async def test_a_public_session_asks_for_no_token(self, venue: Venue, sessions: Sessions) -> None:
        async with sessions.open() as session:
            await session.subscribe(CHANNEL)
        assert venue.asked("POST", "/auth/*") == []

    async def test_a_refused_token_is_dropped_and_the_socket_closed(
        self, venue: Venue, sessions: Sessions, auth: ParadexPerpetualAuth
    ) -> None:
        venue.on("POST", "/auth/*", {"jwt_token": payloads.jwt(name="old")}, {"jwt_token": payloads.jwt(name="new")})
        venue.rpc["auth"] = lambda *_: {"error": {"code": 40111, "message": "invalid bearer"}}
        with pytest.raises(RpcError, match="refused auth: 40111") as refused:
            await sessions.open(authenticate=True).__aenter__()
        assert payloads.jwt(name="old") not in str(refused.value)
        socket = await venue.socket()
        await venue.until(lambda: socket.websocket.closed)
        del venue.rpc["auth"]
        async with sessions.open(authenticate=True):
            assert (await venue.socket(2)).calls == [("auth", {"bearer": payloads.jwt(name="new")})]

    @pytest.mark.parametrize("code", [42901, -32603, 40112])
    async def test_what_is_not_refused_for_the_token_leaves_it_to_the_other_requests(
        self, venue: Venue, sessions: Sessions, auth: ParadexPerpetualAuth, code: int
    ) -> None:
        venue.rpc["auth"] = lambda *_: {"error": {"code": code, "message": "not now"}}
        for _ in range(CONSTANTS.USELESS_TOKENS + 2):
            with pytest.raises(RpcError, match=f"refused auth: {code}"):
                await sessions.open(authenticate=True).__aenter__()
        assert await auth.token() == payloads.jwt()
        assert auth.refusal is None
        assert len(venue.asked("POST", "/auth/*")) == 1

    async def test_without_a_token_there_is_no_session(self, venue: Venue, sessions: Sessions) -> None:
        venue.on("POST", "/auth/*", refusal("INVALID_SUBKEY"))
        with pytest.raises(ParadexAuthenticationError):
            await sessions.open(authenticate=True).__aenter__()
        socket = await venue.socket()
        await venue.until(lambda: socket.websocket.closed)


async def test_messages_that_have_piled_up_leave_the_rest_of_the_bot_its_turns(
    venue: Venue, api_factory: WebAssistantsFactory
) -> None:
    turns = 0
    seen_at: list[int] = []  # which turn of the others it was, by message

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def on_message(_: object) -> None:
        time.sleep(CONSTANTS.WS_TURN / 5)  # busy with it
        seen_at.append(turns)

    async with RpcSession(api_factory, CONSTANTS.SANDBOX_DOMAIN, on_message):
        socket = await venue.socket()
        await socket.send(*[frames.trade()] * 50)
        competing = asyncio.create_task(others())
        await eventually(lambda: len(seen_at) == 50)
        competing.cancel()
    # Each of their turns costs at most the five messages of one of ours, and one for the clock.
    assert max(Counter(seen_at).values()) <= 6
