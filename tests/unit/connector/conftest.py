"""The connector's objects, on a venue of their own."""

import importlib
import logging
from collections.abc import AsyncIterator, Callable

import pytest
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_auth as auth_module,
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_utils as utils,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_auth import ParadexPerpetualAuth
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.connector.time_synchronizer import TimeSynchronizer
from hummingbot.core.web_assistant.connections.connections_factory import ConnectionsFactory
from hummingbot.core.web_assistant.web_assistants_factory import WebAssistantsFactory

from tests.unit.connector import payloads
from tests.unit.connector.clock import Clock
from tests.unit.connector.trader import Trader
from tests.unit.connector.venue import Venue


@pytest.fixture(scope="session", autouse=True)
def application() -> None:
    """Imports Hummingbot's application before anything is timed: its loggers do with the first warning for the user,
    and on a busy machine the loop stands still for many seconds."""
    importlib.import_module("hummingbot.client.hummingbot_application")


@pytest.fixture(scope="session", autouse=True)
def sdk() -> None:
    """Imports Paradex's SDK before anything is timed: that takes seconds."""
    auth_module.SdkSigner(payloads.SYSTEM_CONFIG, payloads.SUBKEY, payloads.ADDRESS)


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Everything that is logged, from the lowest level on."""
    caplog.set_level(logging.DEBUG, logger="hummingbot")
    return caplog


@pytest.fixture
def clock() -> Clock:
    return Clock(payloads.NOW)


@pytest.fixture
async def venue(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Venue]:
    """A venue at which the sandbox's domain is."""
    # Hummingbot has one for the process; what outlives a test by a moment must open no sockets for the next one.
    monkeypatch.setattr(ConnectionsFactory, "_instance", None)
    async with Venue() as venue:
        monkeypatch.setenv(CONSTANTS.SANDBOX_URL_VARIABLE, venue.url)
        yield venue
        await ConnectionsFactory().close()


@pytest.fixture
def synchronizer(clock: Clock) -> TimeSynchronizer:
    """The exchange's time, which is the test's clock."""
    return clock.drive(TimeSynchronizer())


@pytest.fixture
def make_auth(venue: Venue, synchronizer: TimeSynchronizer, clock: Clock) -> Callable[..., ParadexPerpetualAuth]:
    """Makes authenticators that reach the venue."""

    def make(**changes: object) -> ParadexPerpetualAuth:
        arguments = {
            "api_secret": payloads.SUBKEY,
            "account_address": payloads.ADDRESS,
            "domain": CONSTANTS.SANDBOX_DOMAIN,
            "time": synchronizer.time,
            "monotonic": clock.time,
            **changes,
        }
        auth = ParadexPerpetualAuth(**arguments)  # type: ignore[arg-type]
        web_utils.build_api_factory(domain=CONSTANTS.SANDBOX_DOMAIN, auth=auth, time_synchronizer=synchronizer)
        return auth

    return make


@pytest.fixture
def auth(make_auth: Callable[..., ParadexPerpetualAuth]) -> ParadexPerpetualAuth:
    return make_auth()


@pytest.fixture
def api_factory(auth: ParadexPerpetualAuth, synchronizer: TimeSynchronizer) -> WebAssistantsFactory:
    return web_utils.build_api_factory(domain=CONSTANTS.SANDBOX_DOMAIN, auth=auth, time_synchronizer=synchronizer)


@pytest.fixture
async def make_exchange(venue: Venue, clock: Clock) -> AsyncIterator[Callable[..., ParadexPerpetualDerivative]]:
    """Makes connectors for the venue that know its markets and whose pauses only move the clock."""
    exchanges = []

    def make(**changes: object) -> ParadexPerpetualDerivative:
        arguments = {
            "paradex_perpetual_api_secret": payloads.SUBKEY,
            "paradex_perpetual_account_address": payloads.ADDRESS,
            "trading_pairs": [payloads.PAIR],
            "domain": CONSTANTS.SANDBOX_DOMAIN,
            **changes,
        }
        exchange = ParadexPerpetualDerivative(**arguments)  # type: ignore[arg-type]
        clock.drive(exchange._time_synchronizer)
        exchange._auth._monotonic = clock.time
        exchange._monotonic = clock.time
        exchange._order_entry._monotonic = clock.time
        exchange._sleep = clock.sleep  # type: ignore[method-assign]
        exchange._set_current_timestamp(clock.now)
        markets = [payloads.market(), payloads.market(payloads.ETH_MARKET)]
        exchange._initialize_trading_pair_symbols_from_exchange_info(payloads.page(*markets))
        for rule in map(utils.trading_rule_from_market, markets):
            exchange._trading_rules[rule.trading_pair] = rule
        exchanges.append(exchange)
        return exchange

    yield make
    for exchange in exchanges:
        await exchange.stop_network()


@pytest.fixture
async def exchange(make_exchange: Callable[..., ParadexPerpetualDerivative]) -> ParadexPerpetualDerivative:
    return make_exchange()


@pytest.fixture
def trader(exchange: ParadexPerpetualDerivative, venue: Venue) -> Trader:
    return Trader(exchange, venue)
