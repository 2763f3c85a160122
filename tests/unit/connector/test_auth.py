"""The subkey: tokens, and what is signed; every signature is a real one and checked on the curve."""

import asyncio
import contextlib
import logging
import traceback
from collections.abc import Callable

import pytest
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_auth as auth_module,
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_auth import (
    ParadexAuthenticationError,
    ParadexPerpetualAuth,
)
from hummingbot.core.web_assistant.connections.data_types import RESTMethod, RESTRequest, WSJSONRequest

from tests.unit.connector import payloads, signatures
from tests.unit.connector.clock import Clock
from tests.unit.connector.payloads import ADDRESS, NOW, SUBKEY, jwt
from tests.unit.connector.venue import Answer, Request, Venue, refusal

MakeAuth = Callable[..., ParadexPerpetualAuth]
ORDER = {
    "market": payloads.MARKET,
    "side": "SELL",
    "type": "LIMIT",
    "size": "0.5",
    "price": "60000.1",
    "instruction": "GTC",
    "client_id": "mine",
    "signature_timestamp": payloads.NOW_MS,
}


def tokens_asked(venue: Venue) -> list[Request]:
    return venue.asked("POST", "/auth/*")


@pytest.fixture
def counted_tokens(venue: Venue, clock: Clock) -> None:
    """The venue gives tokens with the names 1, 2, 3..., good for five minutes of the clock."""
    venue.on("POST", "/auth/*", lambda _: {"jwt_token": jwt(issued_at=clock.now, name=str(len(tokens_asked(venue))))})


def name_of(token: str) -> str:
    import base64
    import json

    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["name"]


class TestLogin:
    async def test_the_request_for_a_token_is_signed_by_the_subkey_for_the_main_account(
        self, venue: Venue, auth: ParadexPerpetualAuth
    ) -> None:
        assert await auth.token() == jwt()
        (request,) = tokens_asked(venue)
        assert request.path == f"/auth/{hex(signatures.PUBLIC_KEY)}"
        assert request.query == {}
        assert request.headers["PARADEX-STARKNET-ACCOUNT"] == ADDRESS
        assert signatures.is_auth_signed(request.headers)
        assert int(request.headers["PARADEX-TIMESTAMP"]) == int(NOW)
        assert int(request.headers["PARADEX-SIGNATURE-EXPIRATION"]) == int(NOW) + 30 * 60

    async def test_retail_asks_for_an_interactive_token(self, venue: Venue, make_auth: MakeAuth) -> None:
        await make_auth(order_class="retail").token()
        assert tokens_asked(venue)[0].query == {"token_usage": "interactive"}

    async def test_keys_may_be_pasted_without_0x(self, venue: Venue, make_auth: MakeAuth) -> None:
        await make_auth(api_secret=f" {SUBKEY[2:].upper()}", account_address=ADDRESS[2:]).token()
        assert signatures.is_auth_signed(tokens_asked(venue)[0].headers)
        assert tokens_asked(venue)[0].headers["PARADEX-STARKNET-ACCOUNT"] == ADDRESS

    async def test_the_chains_id_is_asked_for_once(self, venue: Venue, auth: ParadexPerpetualAuth) -> None:
        await asyncio.gather(auth.prepare(), auth.token(), auth.sign_order(ORDER))
        assert len(venue.asked("GET", "/system/config")) == 1

    async def test_a_config_that_could_not_be_had_is_asked_for_again(
        self, venue: Venue, auth: ParadexPerpetualAuth
    ) -> None:
        venue.on("GET", "/system/config", refusal("SERVICE_UNAVAILABLE", 503), payloads.SYSTEM_CONFIG)
        with pytest.raises(web_utils.NoAnswerError):
            await auth.prepare()
        await auth.prepare()

    async def test_a_chain_that_cannot_be_signed_is_said(self, venue: Venue, auth: ParadexPerpetualAuth) -> None:
        chain = "SN_OF_TOMORROW_AND_OF_THE_DAY_AFTER"
        venue.on("GET", "/system/config", {**payloads.SYSTEM_CONFIG, "starknet_chain_id": chain})
        with pytest.raises(ParadexAuthenticationError, match=rf"{chain}.*update paradex-py"):
            await auth.prepare()

    async def test_without_keys_it_says_what_to_do(self, venue: Venue, make_auth: MakeAuth) -> None:
        auth = make_auth(api_secret="", account_address="")
        assert not auth.has_credentials
        with pytest.raises(ParadexAuthenticationError, match="run `connect paradex_perpetual_sandbox` first"):
            await auth.token()
        assert venue.requests == []

    async def test_malformed_keys_are_refused_at_once(self, make_auth: MakeAuth) -> None:
        with pytest.raises(ValueError, match="subkey's private key"):
            make_auth(api_secret="no key")
        with pytest.raises(ValueError, match="main account's address"):
            make_auth(account_address="no address")

    @pytest.mark.parametrize(
        "answer",
        [
            refusal("INVALID_STARKNET_SIGNATURE"),
            refusal("STARKNET_SIGNATURE_VERIFICATION_FAILED"),
            refusal("ACCOUNT_NOT_FOUND", 404),
            refusal("INVALID_SUBKEY"),
            refusal("NOT_ONBOARDED"),
            Answer(401),
            Answer(403, text="{}"),
        ],
    )
    async def test_a_refused_login_says_what_may_be_wrong(
        self, venue: Venue, auth: ParadexPerpetualAuth, answer: Answer
    ) -> None:
        venue.on("POST", "/auth/*", answer)
        with pytest.raises(ParadexAuthenticationError) as refused:
            await auth.token()
        environment = "another environment than paradex_perpetual_sandbox"
        for hint in ("swapped", "main account", "revoked", environment, "started again without --data"):
            assert hint in str(refused.value)

    async def test_a_refusal_for_another_reason_is_passed_on(self, venue: Venue, auth: ParadexPerpetualAuth) -> None:
        venue.on("POST", "/auth/*", refusal("GEO_IP_BLOCK"))
        with pytest.raises(web_utils.ApiError, match="GEO_IP_BLOCK"):
            await auth.token()

    @pytest.mark.parametrize("body", [{}, [], {"jwt_token": None}])
    async def test_an_answer_without_a_token_is_said(
        self, venue: Venue, auth: ParadexPerpetualAuth, body: object
    ) -> None:
        venue.on("POST", "/auth/*", Answer(200, body))
        with pytest.raises(ParadexAuthenticationError, match="without one"):
            await auth.token()

    async def test_when_the_clock_was_wrong_it_is_set_and_the_login_repeated(
        self, venue: Venue, make_auth: MakeAuth, clock: Clock
    ) -> None:
        async def resynchronize() -> None:
            clock.now += 3600

        venue.on("POST", "/auth/*", refusal("INVALID_TIMESTAMP"), {"jwt_token": jwt(issued_at=NOW + 3600)})
        assert await make_auth(resynchronize=resynchronize).token()
        first, second = tokens_asked(venue)
        assert int(second.headers["PARADEX-TIMESTAMP"]) - int(first.headers["PARADEX-TIMESTAMP"]) == 3600
        assert signatures.is_auth_signed(second.headers)


@pytest.mark.usefixtures("counted_tokens")
class TestRenewal:
    async def test_a_token_is_used_until_three_of_its_five_minutes_have_passed(
        self, venue: Venue, auth: ParadexPerpetualAuth, clock: Clock
    ) -> None:
        assert name_of(await auth.token()) == "1"
        clock.now += 179
        assert name_of(await auth.token()) == "1"
        assert len(tokens_asked(venue)) == 1

    async def test_then_it_is_renewed_while_the_old_one_goes_on_being_used(
        self, venue: Venue, auth: ParadexPerpetualAuth, clock: Clock
    ) -> None:
        await auth.token()
        clock.now += 181
        assert name_of(await auth.token()) == "1"  # nobody waits
        await venue.until(lambda: len(tokens_asked(venue)) == 2)
        assert auth._renewal is not None
        await auth._renewal
        assert name_of(await auth.token()) == "2"
        assert len(tokens_asked(venue)) == 2

    async def test_an_expired_token_is_never_used(self, venue: Venue, auth: ParadexPerpetualAuth, clock: Clock) -> None:
        await auth.token()
        clock.now += 300
        assert name_of(await auth.token()) == "2"

    async def test_a_token_from_a_clock_that_is_ahead_lives_as_long_as_any(
        self, venue: Venue, auth: ParadexPerpetualAuth, clock: Clock
    ) -> None:
        venue.on("POST", "/auth/*", {"jwt_token": jwt(issued_at=NOW + 20)})
        await auth.token()
        renewal = auth._renewal
        clock.now += 20 + 179
        await auth.token()
        assert auth._renewal is renewal

    async def test_a_token_that_does_not_say_when_it_was_issued_was_issued_now(
        self, venue: Venue, auth: ParadexPerpetualAuth, clock: Clock
    ) -> None:
        venue.on("POST", "/auth/*", {"jwt_token": jwt(issued_at=0, lifetime=NOW + 300)})
        await auth.token()
        renewal = auth._renewal
        clock.now += 179
        await auth.token()
        assert auth._renewal is renewal

    @pytest.mark.parametrize(("ahead", "token"), [(600.0, jwt()), (200.0, jwt()), (600.0, jwt(NOW + 300, issued_at=0))])
    async def test_a_bot_whose_clock_is_ahead_does_not_ask_for_a_token_with_each_request(
        self, venue: Venue, make_auth: MakeAuth, clock: Clock, ahead: float, token: str
    ) -> None:
        venue.on("POST", "/auth/*", {"jwt_token": token})
        auth = make_auth(time=lambda: clock.now + ahead)
        for _ in range(5):
            assert await auth.token() == token
            clock.now += 1
        assert len(tokens_asked(venue)) == 1
        clock.now += 300  # it does not live for ever, either
        await auth.token()
        assert len(tokens_asked(venue)) == 2

    async def test_however_many_wait_there_is_one_renewal(self, venue: Venue, auth: ParadexPerpetualAuth) -> None:
        tokens = await asyncio.gather(*(auth.token() for _ in range(50)))
        assert {name_of(token) for token in tokens} == {"1"}
        assert len(tokens_asked(venue)) == 1

    async def test_one_who_stops_waiting_does_not_stop_the_renewal_for_the_others(
        self, venue: Venue, auth: ParadexPerpetualAuth
    ) -> None:
        impatient = asyncio.create_task(auth.token())
        patient = asyncio.create_task(auth.token())
        await asyncio.sleep(0)
        impatient.cancel()
        assert name_of(await patient) == "1"
        assert impatient.cancelled() or (await asyncio.wait([impatient]))

    async def test_a_refused_token_is_dropped_but_not_a_newer_one(
        self, venue: Venue, auth: ParadexPerpetualAuth
    ) -> None:
        await auth.token()
        old = auth.token_generation
        auth.token_refused(old)
        assert name_of(await auth.token()) == "2"
        auth.token_refused(old)  # another request of the same time
        assert name_of(await auth.token()) == "2"

    async def test_tokens_that_are_refused_as_soon_as_they_are_given_are_not_asked_for_again_and_again(
        self, venue: Venue, auth: ParadexPerpetualAuth, clock: Clock
    ) -> None:
        for _ in range(600):  # a minute, ten requests a second: each with a token, each refused
            with contextlib.suppress(ParadexAuthenticationError):
                await auth.token()
                auth.token_refused(auth.token_generation)
            clock.now += 0.1
        assert CONSTANTS.USELESS_TOKENS < len(tokens_asked(venue)) <= CONSTANTS.USELESS_TOKENS + 8
        assert "refuses the tokens that it gives" in str(auth.refusal)
        clock.now += 2 * CONSTANTS.TOKEN_RETRY_MAXIMUM
        venue.on("POST", "/auth/*", {"jwt_token": jwt(issued_at=clock.now)})
        await auth.token()
        assert auth.refusal is None

    async def test_tokens_that_are_refused_now_and_then_are_no_reason_to_stop(
        self, venue: Venue, auth: ParadexPerpetualAuth, clock: Clock
    ) -> None:
        for _ in range(3 * CONSTANTS.USELESS_TOKENS):
            await auth.token()
            clock.now += CONSTANTS.TOKEN_RETRY_MAXIMUM + 1
            auth.token_refused(auth.token_generation)
        await auth.token()
        assert auth.refusal is None

    async def test_a_revoked_subkey_is_known_until_it_is_accepted_again(
        self, venue: Venue, auth: ParadexPerpetualAuth, clock: Clock
    ) -> None:
        await auth.token()
        assert auth.refusal is None
        auth.token_refused(auth.token_generation)
        venue.on("POST", "/auth/*", refusal("INVALID_SUBKEY", 401))
        for _ in range(600):
            with pytest.raises(ParadexAuthenticationError, match="has been revoked"):
                await auth.token()
            clock.now += 0.1
        assert "has been revoked" in str(auth.refusal)
        assert len(tokens_asked(venue)) <= 9
        clock.now += 2 * CONSTANTS.TOKEN_RETRY_MAXIMUM
        venue.on("POST", "/auth/*", {"jwt_token": jwt(issued_at=clock.now)})
        await auth.token()
        assert auth.refusal is None

    async def test_a_failing_exchange_is_asked_after_pauses_that_grow(
        self, venue: Venue, auth: ParadexPerpetualAuth, clock: Clock
    ) -> None:
        venue.on("POST", "/auth/*", refusal("SERVICE_UNAVAILABLE", 503))
        for _ in range(600):  # a minute, in which somebody wants a token ten times a second
            with pytest.raises(web_utils.NoAnswerError):
                await auth.token()
            clock.now += 0.1
        asked = len(tokens_asked(venue))
        assert 4 <= asked <= 8
        clock.now += 2 * CONSTANTS.TOKEN_RETRY_MAXIMUM
        venue.on("POST", "/auth/*", {"jwt_token": jwt(issued_at=clock.now)})
        await auth.token()
        assert len(tokens_asked(venue)) == asked + 1

    async def test_a_renewal_that_fails_does_not_disturb_while_the_token_is_valid(
        self, venue: Venue, auth: ParadexPerpetualAuth, clock: Clock
    ) -> None:
        await auth.token()
        venue.on("POST", "/auth/*", refusal("SERVICE_UNAVAILABLE", 503))
        clock.now += 200
        assert name_of(await auth.token()) == "1"
        assert auth._renewal is not None
        await asyncio.wait([auth._renewal])
        assert name_of(await auth.token()) == "1"
        assert len(tokens_asked(venue)) == 2
        clock.now += 100  # expired
        with pytest.raises(web_utils.NoAnswerError):
            await auth.token()

    async def test_a_clock_that_is_set_back_does_not_make_the_pause_longer(
        self, make_auth: MakeAuth, venue: Venue, clock: Clock
    ) -> None:
        exchange_time = [NOW + 600]
        auth = make_auth(time=lambda: exchange_time[0])
        venue.on("POST", "/auth/*", refusal("SERVICE_UNAVAILABLE", 503), {"jwt_token": jwt()})
        with pytest.raises(web_utils.NoAnswerError):
            await auth.token()
        exchange_time[0] = NOW  # the exchange's time is known now
        clock.now += 2 * CONSTANTS.TOKEN_RETRY_INITIAL
        assert await auth.token() == jwt()

    async def test_the_pause_is_forgotten_after_a_success(
        self, venue: Venue, auth: ParadexPerpetualAuth, clock: Clock
    ) -> None:
        venue.on("POST", "/auth/*", *[refusal("SERVICE_UNAVAILABLE", 503)] * 3, {"jwt_token": jwt()})
        for _ in range(3):
            with pytest.raises(web_utils.NoAnswerError):
                await auth.token()
            clock.now += 10
        await auth.token()
        venue.on("POST", "/auth/*", refusal("SERVICE_UNAVAILABLE", 503))
        auth.token_refused(auth.token_generation)
        with pytest.raises(web_utils.NoAnswerError):
            await auth.token()
        assert auth._retry_at - clock.now <= 1.25


class TestTokenLifetime:
    def test_it_is_read_from_the_token_itself(self) -> None:
        assert auth_module.token_lifetime(jwt(lifetime=77, issued_at=1000)) == (1000, 1077)

    @pytest.mark.parametrize(
        "token", ["", "a", "a.b.c", "a.bm90IGpzb24.c", "a.W10.c", "a.e30.c", "a.\udcff.c", "a.é.c"]
    )
    def test_a_token_that_cannot_be_read_is_refused_without_being_shown(self, token: str) -> None:
        with pytest.raises(ParadexAuthenticationError, match="does not say when it expires") as refused:
            auth_module.token_lifetime(token)
        text = "".join(traceback.format_exception(refused.value))
        assert "not json" not in text


class TestHooks:
    async def test_a_request_gets_the_bearer_and_keeps_its_headers(self, auth: ParadexPerpetualAuth) -> None:
        request = RESTRequest(method=RESTMethod.GET, url="http://127.0.0.1", headers={"X": "1"}, is_auth_required=True)
        assert (await auth.rest_authenticate(request)).headers == {"X": "1", "Authorization": f"Bearer {jwt()}"}

    async def test_the_sockets_auth_call_gets_the_bearer(self, auth: ParadexPerpetualAuth) -> None:
        request = WSJSONRequest({"method": "auth", "params": {}, "id": 1}, is_auth_required=True)
        await auth.ws_authenticate(request)
        assert request.payload == {"method": "auth", "params": {"bearer": jwt()}, "id": 1}


class TestSecrecy:
    SECRETS = (SUBKEY, SUBKEY[2:], str(int(SUBKEY, 16)), jwt(), jwt().split(".")[1])

    def assert_no_secret(self, text: str) -> None:
        assert [secret for secret in self.SECRETS if secret in text] == []

    async def test_nothing_secret_is_in_its_representation(self, venue: Venue, auth: ParadexPerpetualAuth) -> None:
        await auth.token()
        self.assert_no_secret(repr(auth) + str(auth))
        assert repr(auth) == "ParadexPerpetualAuth(domain='paradex_perpetual_sandbox', order_class='pro')"

    @pytest.mark.parametrize(
        ("code", "status"), [("ACCOUNT_NOT_FOUND", 404), ("VALIDATION_ERROR", 400), ("SERVICE_UNAVAILABLE", 503)]
    )
    async def test_swapped_values_are_not_shown_even_if_the_exchange_repeats_what_it_took_for_the_address(
        self, venue: Venue, make_auth: MakeAuth, log: pytest.LogCaptureFixture, code: str, status: int
    ) -> None:
        def repeat(request: Request) -> Answer:
            return Answer(status, payloads.error(code, f"no account {request.headers['PARADEX-STARKNET-ACCOUNT']}"))

        venue.on("POST", "/auth/*", repeat)
        with pytest.raises(web_utils.ParadexError, match=code) as refused:
            await make_auth(api_secret=ADDRESS, account_address=SUBKEY).token()
        self.assert_no_secret("".join(traceback.format_exception(refused.value)))
        self.assert_no_secret(log.text)

    async def test_nothing_secret_is_logged_or_raised_whatever_goes_wrong(
        self, venue: Venue, make_auth: MakeAuth, log: pytest.LogCaptureFixture
    ) -> None:
        log.set_level(logging.DEBUG)
        answers = [
            refusal("INVALID_STARKNET_SIGNATURE"),
            refusal("SERVICE_UNAVAILABLE", 503),
            Answer(200, {"jwt_token": jwt() + ".x"}),
            Answer(200, {"jwt_token": jwt().split(".")[1]}),
            Answer(200, {"other": jwt()}),
            Answer(200, text=jwt()),
        ]
        text = ""
        for answer in answers:
            venue.on("POST", "/auth/*", answer)
            auth = make_auth()
            try:
                await auth.token()
                await auth.sign_order({**ORDER, "side": "NEITHER"})
            except (OSError, ValueError) as error:
                text += "".join(traceback.format_exception(error))
        assert text
        self.assert_no_secret(text)
        self.assert_no_secret(log.text)
