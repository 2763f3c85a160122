"""The connector on a venue: `pytest tests/venue` starts sandboxes of its own, `--venue testnet` uses Paradex's testnet.

By default the cases that depend on private payloads run with both encodings of them, the others with JSON alone;
`--private-encoding sbe` (or `json`, or `both`) runs every case so.

The testnet's credentials come from PARADEX_TESTNET_API_SECRET and PARADEX_TESTNET_ACCOUNT_ADDRESS. The account must be
flat, for the tests cancel all its orders and close all its positions.
"""

import asyncio
import importlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_constants as CONSTANTS
from hummingbot.core.web_assistant.connections.connections_factory import ConnectionsFactory

from tests.venue.assumptions import Assumptions
from tests.venue.bot import Bot, errors_of
from tests.venue.exchange import Credentials, Exchange, Market
from tests.venue.venue import (
    SANDBOX,
    TESTNET,
    VENUES,
    SandboxProcess,
    Venue,
    funded_account,
    sandbox,
    testnet,
    testnet_sub_account,
)

SYMBOL = "BTC-USD-PERP"
BOTH_ENCODINGS = "private_payloads"
ENCODINGS = ("json", "sbe")

_assumptions = pytest.StashKey[Assumptions]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--venue", choices=VENUES, default=SANDBOX, help="where tests/venue trades (default: %(default)s)")
    parser.addoption(
        "--private-encoding",
        choices=(*ENCODINGS, "both"),
        help="how the sandbox of tests/venue encodes private payloads, for every case (default: both where it matters)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"{BOTH_ENCODINGS}: runs with private payloads as JSON and as binary frames, where there is a choice"
    )
    if config.getoption("venue", SANDBOX) == TESTNET:
        try:
            testnet(os.environ)
        except ValueError as error:
            raise pytest.UsageError(str(error)) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "encoding" not in metafunc.fixturenames:
        return
    encodings: list[str | None] = [None]  # what the testnet sends is its own affair
    if metafunc.config.getoption("venue") == SANDBOX:
        asked = metafunc.config.getoption("private_encoding")
        if asked is None:
            has_mark = metafunc.definition.get_closest_marker(BOTH_ENCODINGS) is not None
            asked = "both" if has_mark else "json"
        encodings = [*ENCODINGS] if asked == "both" else [asked]
    metafunc.parametrize("encoding", encodings, ids=str, indirect=True, scope="session")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    assumptions = config.stash.get(_assumptions, None)
    if assumptions is not None and assumptions.findings:
        terminalreporter.section(f"What was assumed about Paradex, measured on the {assumptions.venue}")
        for line in assumptions.lines():
            terminalreporter.write_line(line)


# === The venue ===


@pytest.fixture(scope="session")
def encoding(request: pytest.FixtureRequest) -> str | None:
    """How the sandbox encodes private payloads."""
    return request.param


@pytest.fixture(scope="session")
def sandbox_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("venue") / "data"


@pytest.fixture(scope="session")
def accounts(request: pytest.FixtureRequest, sandbox_data: Path) -> list[Credentials]:
    """Accounts and their subkeys. A sandbox without control surface makes none, so they are made before it starts."""
    if request.config.getoption("venue") == TESTNET:
        return [testnet(os.environ).credentials, *testnet_sub_account(os.environ)]
    process = SandboxProcess(sandbox_data)
    try:
        return [funded_account(process.url) for _ in range(2)]
    finally:
        process.stop()


@pytest.fixture(scope="session")
def credentials(accounts: list[Credentials]) -> Credentials:
    """Of the account that the tests trade with."""
    return accounts[0]


@pytest.fixture
def other_credentials(accounts: list[Credentials]) -> Credentials:
    """Of a second account, on the testnet a sub-account."""
    if len(accounts) == 1:
        pytest.skip("no sub-account: its credentials are in PARADEX_TESTNET_SUB_… like those of the main account")
    return accounts[1]


@pytest.fixture(scope="session")
def venue(
    request: pytest.FixtureRequest, encoding: str | None, sandbox_data: Path, credentials: Credentials
) -> Iterator[Venue]:
    """The venue of this run: the testnet, or a sandbox that offers nothing but what Paradex does."""
    if request.config.getoption("venue") == TESTNET:
        venue = testnet(os.environ)
        asyncio.run(_require_flat(venue))
        yield venue
        return
    process = SandboxProcess(sandbox_data, "--no-control", "--private-encoding", str(encoding))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(CONSTANTS.SANDBOX_URL_VARIABLE, process.url)
            yield sandbox(process.url, credentials)
    finally:
        process.stop()
    assert "Traceback" not in process.log(), process.log()


async def _require_flat(venue: Venue) -> None:
    async with Exchange(venue.url, venue.credentials) as exchange:
        if not await exchange.is_flat():
            pytest.exit("The testnet account has open orders or positions: close them, or use an account for tests.", 2)


@pytest.fixture
def assumptions(request: pytest.FixtureRequest, venue: Venue) -> Assumptions:
    """Takes what is found out about the venue; the summary at the end of the run tells it."""
    stash = request.config.stash
    if _assumptions not in stash:
        stash[_assumptions] = Assumptions(venue.name, must_hold=venue.is_sandbox)
    return stash[_assumptions]


# === The witness and the connector ===


@pytest.fixture(scope="session", autouse=True)
def application() -> None:
    """Imports Hummingbot's application before anything is timed: its loggers do with the first warning for the user,
    and on a busy machine the loop stands still for many seconds."""
    importlib.import_module("hummingbot.client.hummingbot_application")


@pytest.fixture(scope="session", autouse=True)
def client_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A place for the settings of Hummingbot's client, which is made as soon as a connector has something to show to
    the user, and logs an error if it cannot write them; a virtual environment has none."""
    path = tmp_path_factory.mktemp("client") / "conf_client.yml"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hummingbot.client.settings.CLIENT_CONFIG_PATH", path)
        patch.setattr("hummingbot.client.config.config_helpers.CLIENT_CONFIG_PATH", path)
        yield


@pytest.fixture
async def exchange(venue: Venue) -> AsyncIterator[Exchange]:
    """The account without the connector; it has no orders and positions before and after the test."""
    async with Exchange(venue.url, venue.credentials) as exchange:
        await exchange.flatten()
        try:
            yield exchange
        finally:
            await exchange.flatten()


@pytest.fixture
async def market(exchange: Exchange) -> Market:
    """The market that most tests trade."""
    return await exchange.market(SYMBOL)


MakeBot = Callable[..., Awaitable[Bot]]


@pytest.fixture
def expected_errors() -> list[str]:
    """Parts of errors that the test means to be logged; it puts them in."""
    return []


@pytest.fixture(autouse=True)
def own_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hummingbot shares one client in a process; what outlives a test by a moment must open none for the next one."""
    monkeypatch.setattr(ConnectionsFactory, "_instance", None)


@pytest.fixture
async def make_bot(
    venue: Venue,
    exchange: Exchange,
    market: Market,
    caplog: pytest.LogCaptureFixture,
    expected_errors: list[str],
) -> AsyncIterator[MakeBot]:
    """Makes connectors that are ready to trade; no other errors may have been logged when the test ends.

    Takes the options of `Bot`; by default it is a trading connector for `market`.
    """
    bots: list[Bot] = []

    async def make(**options: object) -> Bot:
        arguments = {"credentials": venue.credentials, "trading_pairs": [market.pair], **options}
        bot = Bot(venue.domain, **arguments)  # type: ignore[arg-type]
        bots.append(bot)
        await bot.start()
        return bot

    try:
        yield make
    finally:
        for bot in bots:
            await bot.stop()
        await ConnectionsFactory().close()
    errors = errors_of([*caplog.get_records("call"), *caplog.get_records("teardown")])
    assert not [error for error in errors if not any(part in error for part in expected_errors)]


@pytest.fixture
async def bot(make_bot: MakeBot) -> Bot:
    """A connector that is ready to trade `market`."""
    return await make_bot()
