"""A token in place of a key: everything can be read, nothing can be changed."""

from collections.abc import Callable

import pytest
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_utils as utils,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_auth import (
    ParadexAuthenticationError,
    ParadexPerpetualAuth,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.core.web_assistant.connections.data_types import RESTMethod

from tests.unit.connector import payloads
from tests.unit.connector.clock import Clock
from tests.unit.connector.payloads import MARKET, PAIR, jwt
from tests.unit.connector.trader import Trader, eventually
from tests.unit.connector.venue import Venue, refusal

TOKEN = jwt(lifetime=3600)
Make = Callable[..., ParadexPerpetualDerivative]


@pytest.fixture
def watcher(make_exchange: Make) -> ParadexPerpetualDerivative:
    return make_exchange(paradex_perpetual_api_secret=TOKEN, trading_required=False)


def test_a_token_is_taken_where_a_key_is_asked_for_and_nothing_else_is() -> None:
    assert utils.normalized_api_secret(f" {TOKEN}\n") == TOKEN
    for wrong in ("a.b", "a.b.c.d", "a.b.!", "a..c"):
        with pytest.raises(ValueError, match="0x followed by up to 64"):
            utils.normalized_api_secret(wrong)
    with pytest.raises(ValueError, match="main account's address"):
        utils.normalized_account_address(TOKEN)


async def test_it_is_sent_as_it_is_until_it_expires(
    make_auth: Callable[..., ParadexPerpetualAuth], venue: Venue, clock: Clock
) -> None:
    auth = make_auth(api_secret=TOKEN)
    assert auth.is_read_only
    assert auth.has_credentials
    assert await auth.token() == TOKEN
    clock.now += 3600
    with pytest.raises(ParadexAuthenticationError, match="has expired: make a new one") as error:
        await auth.token()
    assert TOKEN not in str(error.value)
    assert TOKEN not in repr(auth)
    assert venue.asked("POST", "/auth/*") == []


async def test_nothing_can_be_signed_with_it(make_auth: Callable[..., ParadexPerpetualAuth]) -> None:
    with pytest.raises(ParadexAuthenticationError, match="read-only token"):
        await make_auth(api_secret=TOKEN).sign_order({})


async def test_the_account_is_read_and_followed_although_nothing_is_traded(
    watcher: ParadexPerpetualDerivative, venue: Venue
) -> None:
    venue.on("GET", "/balance", payloads.page(payloads.balance()))
    venue.on("GET", "/account", payloads.account())
    venue.on("GET", "/account/margin", payloads.margin())
    venue.on("GET", "/positions", payloads.page(payloads.position()))
    await watcher.start_network()
    watcher._poll_notifier.set()
    await eventually(lambda: watcher.account_health and PAIR in watcher.account_positions)
    assert venue.asked("GET", "/account")[0].headers["Authorization"] == f"Bearer {TOKEN}"
    await venue.until(lambda: any("positions" in socket.channels for socket in venue.sockets))
    private = next(socket for socket in venue.sockets if "positions" in socket.channels)
    assert private.calls[0] == ("auth", {"bearer": TOKEN})
    await private.send(payloads.stream("positions", payloads.position(size="2", last_updated_at=payloads.NOW_MS + 1)))
    await eventually(lambda: watcher.account_positions[PAIR].amount == 2)


async def test_a_connector_with_a_key_that_does_not_trade_leaves_the_account_alone(
    make_exchange: Make, venue: Venue
) -> None:
    exchange = make_exchange(trading_required=False)
    await exchange.start_network()
    await venue.socket(1, subscriptions=3)
    assert venue.asked("GET", "/account*") == []
    assert exchange._status_polling_task is None


@pytest.mark.parametrize("method", [RESTMethod.POST, RESTMethod.DELETE, RESTMethod.PUT])
async def test_what_would_change_something_is_not_sent(
    watcher: ParadexPerpetualDerivative, venue: Venue, method: RESTMethod
) -> None:
    with pytest.raises(web_utils.NotSentError, match="read-only token"):
        await watcher._api_request("/orders", method=method, is_auth_required=True)
    assert venue.requests == []


async def test_an_order_fails_with_a_sentence(make_exchange: Make, venue: Venue) -> None:
    trader = Trader(make_exchange(paradex_perpetual_api_secret=TOKEN), venue)
    trader.submit()
    await eventually(trader.failed)
    assert "read-only token" in trader.failed()[0].error_message
    assert venue.asked("POST", "/orders") == []


@pytest.mark.parametrize("way", ["rest", "websocket"])
async def test_no_order_method_asks_the_exchange(make_exchange: Make, venue: Venue, way: str) -> None:
    exchange = make_exchange(paradex_perpetual_api_secret=TOKEN, paradex_perpetual_order_entry=way)
    entry = exchange._order_entry
    attempts = (
        entry.submit({"client_id": "mine", "instruction": "GTC"}),
        entry.modify({"id": "1"}, reduces=True),
        entry.cancel("mine", MARKET),
        entry.cancel_all(),
    )
    for attempt in attempts:
        with pytest.raises(web_utils.NotSentError, match="read-only token"):
            await attempt
    assert venue.requests == []


async def test_a_token_that_the_exchange_refuses_is_said_without_it(
    watcher: ParadexPerpetualDerivative, venue: Venue, log: pytest.LogCaptureFixture
) -> None:
    venue.on("GET", "/fills", refusal("INVALID_TOKEN", 401))
    with pytest.raises(web_utils.ApiError, match="INVALID_TOKEN") as error:
        await watcher.history.fills(PAIR)
    assert TOKEN not in str(error.value)
    assert TOKEN not in log.text
    assert venue.asked("GET", "/fills")[0].query["market"] == MARKET
