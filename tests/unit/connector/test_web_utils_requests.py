"""Addresses and REST requests, against a venue on a real port."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_auth import ParadexPerpetualAuth
from hummingbot.connector.time_synchronizer import TimeSynchronizer
from hummingbot.core.web_assistant.connections.data_types import RESTMethod
from hummingbot.core.web_assistant.web_assistants_factory import WebAssistantsFactory

from tests.unit.connector import payloads
from tests.unit.connector.clock import Clock
from tests.unit.connector.venue import NO_ANSWER, SILENCE, Answer, Request, Venue, refusal

Ask = Callable[..., Any]


@pytest.fixture
def ask(api_factory: WebAssistantsFactory) -> Ask:
    """Asks the venue for the positions, or for what it is told."""

    async def ask(path: str = CONSTANTS.POSITIONS_PATH, **changes: Any) -> Any:
        return await web_utils.api_request(api_factory, path, domain=CONSTANTS.SANDBOX_DOMAIN, **changes)

    return ask


class TestAddresses:
    @pytest.mark.parametrize(
        ("domain", "rest", "socket"),
        [
            (CONSTANTS.DEFAULT_DOMAIN, "https://api.prod.paradex.trade/v1", "wss://ws.api.prod.paradex.trade/v1"),
            (CONSTANTS.TESTNET_DOMAIN, "https://api.testnet.paradex.trade/v1", "wss://ws.api.testnet.paradex.trade/v1"),
            (CONSTANTS.SANDBOX_DOMAIN, "http://127.0.0.1:8790/v1", "ws://127.0.0.1:8790/v1"),
        ],
    )
    def test_each_domain_has_its_own(self, domain: str, rest: str, socket: str) -> None:
        assert web_utils.public_rest_url("/markets", domain) == f"{rest}/markets"
        assert web_utils.private_rest_url("/orders", domain) == f"{rest}/orders"
        assert web_utils.wss_url(domain) == f"{socket}?sbeSchemaId=1&sbeSchemaVersion=2"
        assert web_utils.wss_url(domain, 1) == f"{socket}?sbeSchemaId=1&sbeSchemaVersion=1"

    @pytest.mark.parametrize(
        "moved", ["http://127.0.0.1:9000/v1", "http://127.0.0.1:9000", "http://127.0.0.1:9000/v1/"]
    )
    def test_the_sandboxs_moves_with_its_variable(self, monkeypatch: pytest.MonkeyPatch, moved: str) -> None:
        monkeypatch.setenv(CONSTANTS.SANDBOX_URL_VARIABLE, moved)
        assert web_utils.public_rest_url("/markets", CONSTANTS.SANDBOX_DOMAIN) == "http://127.0.0.1:9000/v1/markets"
        assert web_utils.wss_url(CONSTANTS.SANDBOX_DOMAIN).startswith("ws://127.0.0.1:9000/v1?")
        assert web_utils.public_rest_url("/markets").startswith("https://api.prod.paradex.trade/")

    def test_an_encrypted_sandbox_has_an_encrypted_socket(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(CONSTANTS.SANDBOX_URL_VARIABLE, "https://sandbox.test/v1")
        assert web_utils.wss_url(CONSTANTS.SANDBOX_DOMAIN).startswith("wss://sandbox.test/v1?")

    def test_what_is_no_address_is_refused_with_an_example(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(CONSTANTS.SANDBOX_URL_VARIABLE, "127.0.0.1:9000")
        with pytest.raises(ValueError, match="PARADEX_SANDBOX_URL should be like http://127"):
            web_utils.public_rest_url("/markets", CONSTANTS.SANDBOX_DOMAIN)

    def test_an_unknown_domain_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(ValueError, match="paradex_perpetual_testnet"):
            web_utils.public_rest_url("/markets", "paradex_perpetual_moon")

    def test_a_client_id_stays_one_part_of_its_path(self) -> None:
        assert web_utils.quoted("a/b?c#d e") == "a%2Fb%3Fc%23d%20e"


class TestRequests:
    async def test_an_answer_is_its_json(self, venue: Venue, ask: Ask) -> None:
        venue.on("GET", "/positions", payloads.page(payloads.position()))
        assert await ask(params={"market": payloads.MARKET}) == payloads.page(payloads.position())
        (request,) = venue.asked("GET", "/positions")
        assert request.query == {"market": payloads.MARKET}
        assert "Authorization" not in request.headers

    @pytest.mark.parametrize("status", [200, 204])
    async def test_an_answer_without_a_body_is_none(self, venue: Venue, ask: Ask, status: int) -> None:
        venue.on("DELETE", "/orders", Answer(status))
        assert await ask("/orders", method=RESTMethod.DELETE) is None

    async def test_a_body_goes_out_as_json(self, venue: Venue, ask: Ask) -> None:
        venue.on("POST", "/orders", {"id": "1"})
        await ask("/orders", method=RESTMethod.POST, data={"size": "0.5"}, limit_id=CONSTANTS.SUBMIT_LIMIT)
        (request,) = venue.asked("POST", "/orders")
        assert request.body == {"size": "0.5"}
        assert request.headers["Content-Type"] == "application/json"

    async def test_a_refusal_says_what_was_refused_and_why(self, venue: Venue, ask: Ask) -> None:
        venue.on("GET", "/positions", refusal("INVALID_TOKEN"))
        with pytest.raises(web_utils.ApiError) as refused:
            await ask()
        assert (refused.value.status, refused.value.code) == (400, "INVALID_TOKEN")
        assert str(refused.value) == ("Paradex refused GET /positions: INVALID_TOKEN, said by the exchange (HTTP 400)")

    @pytest.mark.parametrize("body", [None, [], "text", {"message": "no code"}])
    async def test_a_refusal_of_another_form_is_one_all_the_same(self, venue: Venue, ask: Ask, body: Any) -> None:
        venue.on("GET", "/positions", Answer(403, text=json.dumps(body) if body is not None else ""))
        with pytest.raises(web_utils.ApiError, match="HTTP_403"):
            await ask()

    @pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
    async def test_a_failing_exchange_leaves_the_outcome_open(self, venue: Venue, ask: Ask, status: int) -> None:
        venue.on("GET", "/positions", refusal("SERVICE_UNAVAILABLE", status))
        with pytest.raises(web_utils.NoAnswerError, match=f"HTTP {status} SERVICE_UNAVAILABLE$"):
            await ask()

    @pytest.mark.parametrize(
        ("method", "outcome"),
        [
            (RESTMethod.PUT, web_utils.NoAnswerError),
            (RESTMethod.DELETE, web_utils.NoAnswerError),
            (RESTMethod.POST, web_utils.NotSentError),
        ],
    )
    async def test_what_may_have_arrived_before_the_connection_was_refused_is_open(
        self, ask: Ask, monkeypatch: pytest.MonkeyPatch, method: RESTMethod, outcome: type[Exception]
    ) -> None:
        """aiohttp repeats a PUT or DELETE when a connection that it has kept is dropped; nobody listens by then."""
        arrived: list[str] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while request := await reader.readuntil(b"\r\n\r\n"):
                arrived.append(request.split(b" ")[0].decode())
                if arrived[-1] != "GET":
                    break
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n" + b'{"results":[]}')
            server.close()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv(CONSTANTS.SANDBOX_URL_VARIABLE, f"http://127.0.0.1:{port}/v1")
        if outcome is web_utils.NotSentError:
            server.close()
            await server.wait_closed()
        else:
            await ask()
        with pytest.raises(outcome, match="not sent"):
            await ask("/orders/1", method=method, limit_id=CONSTANTS.SUBMIT_LIMIT)
        assert arrived == ([] if outcome is web_utils.NotSentError else ["GET", method.value])

    @pytest.mark.parametrize(
        ("retry_after", "seconds"), [("3", 3.0), ("0.5", 0.5), (None, 1.0), ("soon", 1.0), ("-1", 1.0), ("inf", 1.0)]
    )
    @pytest.mark.parametrize(
        "text", ['{"error": "REQUEST_NOT_ALLOWED", "message": "slowly"}', "<html>slowly</html>", ""]
    )
    async def test_a_rate_limit_refuses_and_says_when_to_come_again(
        self, venue: Venue, ask: Ask, retry_after: str | None, seconds: float, text: str
    ) -> None:
        headers = {"Retry-After": retry_after} if retry_after is not None else {}
        venue.on("GET", "/positions", Answer(429, text=text, headers=headers))
        with pytest.raises(web_utils.RateLimitedError, match=r"HTTP 429") as refused:
            await ask()
        assert refused.value.retry_after == seconds

    @pytest.mark.parametrize("status", [200, 400, 502])
    @pytest.mark.parametrize("text", ["<html>Bad gateway</html>", '{"results": [{"id"', "\x00"])
    async def test_what_is_no_json_leaves_the_outcome_open(
        self, venue: Venue, ask: Ask, status: int, text: str
    ) -> None:
        venue.on("GET", "/positions", Answer(status, text=text))
        with pytest.raises(web_utils.NoAnswerError, match=rf"unreadably \(HTTP {status}\)") as failure:
            await ask()
        assert text not in str(failure.value)

    async def test_silence_ends_after_the_timeout(self, venue: Venue, ask: Ask) -> None:
        venue.on("GET", "/positions", SILENCE)
        with pytest.raises(web_utils.NoAnswerError, match="GET /positions was not answered: TimeoutError"):
            await ask(timeout=0.3)

    async def test_a_connection_lost_before_the_answer_leaves_the_outcome_open(self, venue: Venue, ask: Ask) -> None:
        venue.on("POST", "/orders", NO_ANSWER)
        with pytest.raises(web_utils.NoAnswerError, match="POST /orders was not answered"):
            await ask("/orders", method=RESTMethod.POST, data={})
        assert len(venue.asked("POST", "/orders")) == 1

    async def test_what_never_left_has_not_happened(
        self, venue: Venue, ask: Ask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(CONSTANTS.SANDBOX_URL_VARIABLE, "http://127.0.0.1:9/v1")  # nobody is there
        sentence = r"GET /positions was not sent: 127\.0\.0\.1 port 9 cannot be reached \(Connection refused\)"
        with pytest.raises(web_utils.NotSentError, match=sentence):
            await ask()

    async def test_what_found_no_connection_in_time_has_not_happened(
        self, ask: Ask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def nobody(*_: Any, **__: Any) -> None:
            raise TimeoutError

        monkeypatch.setattr(aiohttp.TCPConnector, "connect", nobody)
        with pytest.raises(web_utils.NotSentError, match="GET /positions was not sent"):
            await ask()

    async def test_the_exchanges_time_comes_in_milliseconds_as_text(self, venue: Venue) -> None:
        venue.on("GET", "/system/time", {"server_time": "1681493415023"})
        assert await web_utils.get_current_server_time(domain=CONSTANTS.SANDBOX_DOMAIN) == 1681493415023.0

    async def test_a_time_that_cannot_be_asked_for_is_said_once_without_a_traceback(
        self, venue: Venue, log: pytest.LogCaptureFixture
    ) -> None:
        venue.on("GET", "/system/time", Answer(503, text="<html>"))
        synchronizer = web_utils.ParadexTimeSynchronizer()
        for _ in range(3):
            await synchronizer.update_server_time_offset_with_time_provider(
                web_utils.get_current_server_time(domain=CONSTANTS.SANDBOX_DOMAIN)
            )
        said = [record for record in log.records if "The time of Paradex is not known" in record.getMessage()]
        assert [record.levelname for record in said] == ["WARNING"]
        assert not any(record.exc_info for record in log.records)

    async def test_no_request_leaves_before_the_exchanges_time_is_known(self, venue: Venue) -> None:
        synchronizer = TimeSynchronizer()
        factory = web_utils.build_api_factory(time_synchronizer=synchronizer, domain=CONSTANTS.SANDBOX_DOMAIN)
        venue.on("GET", "/positions", payloads.page())
        await web_utils.api_request(factory, "/positions", domain=CONSTANTS.SANDBOX_DOMAIN)
        assert [request.path for request in venue.requests] == ["/system/time", "/positions"]
        assert synchronizer.time() == pytest.approx(payloads.NOW, abs=5)

    async def test_an_exchange_that_does_not_tell_the_time_is_asked_by_one_request_and_not_by_each(
        self, venue: Venue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(CONSTANTS, "TIME_TIMEOUT", 0.05)
        synchronizer = web_utils.ParadexTimeSynchronizer()
        factory = web_utils.build_api_factory(time_synchronizer=synchronizer, domain=CONSTANTS.SANDBOX_DOMAIN)
        venue.on("GET", "/system/time", SILENCE)
        venue.on("GET", "/positions", payloads.page())

        async def ask() -> None:
            await web_utils.api_request(factory, "/positions", domain=CONSTANTS.SANDBOX_DOMAIN)

        await asyncio.gather(*(ask() for _ in range(5)))
        assert len(venue.asked("GET", "/positions")) == 5
        assert len(venue.asked("GET", "/system/time")) == 1
        venue.on("GET", "/system/time", {"server_time": str(payloads.NOW_MS)})
        monkeypatch.setattr(CONSTANTS, "TIME_TIMEOUT", 10.0)
        synchronizer._ask_again_at = 0.0
        await ask()
        assert synchronizer.time() == pytest.approx(payloads.NOW, abs=5)

    def test_a_clock_that_has_jumped_is_believed_at_once(self) -> None:
        synchronizer = web_utils.ParadexTimeSynchronizer()
        for offset in (100.0, 200.0, 300.0, 3_600_000.0):  # as after an hour's sleep
            synchronizer.add_time_offset_ms_sample(offset)
        assert synchronizer.time_offset_ms == 3_600_000.0
        synchronizer.add_time_offset_ms_sample(3_600_100.0)
        assert 3_600_000.0 < synchronizer.time_offset_ms < 3_600_100.0
        synchronizer.add_time_offset_ms_sample(50.0)  # and set back
        assert synchronizer.time_offset_ms == 50.0


class TestTokens:
    async def test_a_private_request_carries_the_token(self, venue: Venue, ask: Ask) -> None:
        venue.on("GET", "/positions", payloads.page())
        await ask(is_auth_required=True)
        (request,) = venue.asked("GET", "/positions")
        assert request.headers["Authorization"] == f"Bearer {payloads.jwt()}"

    async def test_a_refused_token_is_renewed_and_the_request_repeated_once(self, venue: Venue, ask: Ask) -> None:
        venue.on("POST", "/auth/*", {"jwt_token": payloads.jwt(name="old")}, {"jwt_token": payloads.jwt(name="new")})

        def positions(request: Request) -> Any:
            old = request.headers["Authorization"] == f"Bearer {payloads.jwt(name='old')}"
            return refusal("UNAUTHORIZED_ERROR", 401) if old else payloads.page()

        venue.on("GET", "/positions", positions)
        assert await ask(is_auth_required=True) == payloads.page()
        assert len(venue.asked("GET", "/positions")) == 2
        assert len(venue.asked("POST", "/auth/*")) == 2

    async def test_a_request_that_is_refused_again_is_not_repeated_again(self, venue: Venue, ask: Ask) -> None:
        venue.on("GET", "/positions", refusal("UNAUTHORIZED_ERROR", 401))
        with pytest.raises(web_utils.ApiError, match="UNAUTHORIZED_ERROR"):
            await ask(is_auth_required=True)
        assert len(venue.asked("GET", "/positions")) == 2
        assert len(venue.asked("POST", "/auth/*")) == 2

    async def test_many_refused_at_once_share_one_new_token(self, venue: Venue, ask: Ask, auth: Any) -> None:
        venue.on("POST", "/auth/*", {"jwt_token": payloads.jwt(name="old")}, {"jwt_token": payloads.jwt(name="new")})

        def positions(request: Request) -> Any:
            old = request.headers["Authorization"] == f"Bearer {payloads.jwt(name='old')}"
            return refusal("UNAUTHORIZED_ERROR", 401) if old else payloads.page()

        venue.on("GET", "/positions", positions)
        answers = await asyncio.gather(*(ask(is_auth_required=True) for _ in range(10)))
        assert answers == [payloads.page()] * 10
        assert len(venue.asked("POST", "/auth/*")) == 2

    async def test_a_public_request_is_not_repeated_for_a_401(self, venue: Venue, ask: Ask) -> None:
        venue.on("GET", "/markets", refusal("UNAUTHORIZED_ERROR", 401))
        with pytest.raises(web_utils.ApiError):
            await ask("/markets")
        assert len(venue.asked("GET", "/markets")) == 1

    async def test_a_request_for_which_no_token_could_be_had_has_not_left(
        self, venue: Venue, ask: Ask, clock: Clock, make_auth: Callable[..., ParadexPerpetualAuth]
    ) -> None:
        venue.on("POST", "/auth/*", refusal("SERVICE_UNAVAILABLE", 503))
        venue.on("POST", "/orders", {"id": "1"})
        with pytest.raises(web_utils.NotSentError, match="for want of a token"):
            await ask("/orders", method=RESTMethod.POST, data={}, is_auth_required=True)
        assert venue.asked("POST", "/orders") == []


class TestPages:
    async def test_all_pages_are_fetched_by_their_cursors(self) -> None:
        pages = {
            None: payloads.page({"id": 1}, {"id": 2}, cursor="a"),
            "a": payloads.page({"id": 3}, cursor="b"),
            "b": payloads.page({"id": 4}),
        }
        queries = []

        async def fetch(query: dict[str, Any]) -> Any:
            queries.append(query)
            return pages[query.get("cursor")]

        results = await web_utils.all_pages(fetch, {"market": payloads.MARKET})
        assert [result["id"] for result in results] == [1, 2, 3, 4]
        assert [query.get("cursor") for query in queries] == [None, "a", "b"]
        assert all(query["market"] == payloads.MARKET and query["page_size"] == 1000 for query in queries)

    async def test_an_empty_page_is_the_last_even_if_it_has_a_cursor(self) -> None:
        async def fetch(_: dict[str, Any]) -> Any:
            return payloads.page(cursor="again")

        assert await web_utils.all_pages(fetch, {}) == []

    async def test_a_list_that_never_ends_does_not_pass_for_a_complete_one(self) -> None:
        async def fetch(_: dict[str, Any]) -> Any:
            return payloads.page({"id": 1}, cursor="again")

        with pytest.raises(web_utils.NoAnswerError, match="more than 3 pages"):
            await web_utils.all_pages(fetch, {}, max_pages=3)


def test_pauses_grow_up_to_a_bound_and_start_again_after_a_success() -> None:
    backoff = web_utils.Backoff(initial=1, maximum=8)
    pauses = [backoff.next() for _ in range(100)]
    for pause, whole in zip(pauses, [1, 2, 4, *[8] * 97], strict=True):
        assert whole / 2 <= pause <= whole
    assert len(set(pauses[3:])) > 10  # bots that were cut off together do not come back together
    backoff.reset()
    assert backoff.next() <= 1


def test_a_throttler_knows_the_limits_of_its_order_class() -> None:
    pro, retail = (web_utils.create_throttler(order_class) for order_class in CONSTANTS.ORDER_CLASSES)
    assert CONSTANTS.RETAIL_DAY_POOL not in pro._id_to_limit_map
    assert CONSTANTS.RETAIL_DAY_POOL in retail._id_to_limit_map
