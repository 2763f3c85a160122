"""An exchange that releases, fails or loses answers: a sandbox of their own, which does so on request."""

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_constants as CONSTANTS
from hummingbot.core.data_type.common import OrderType, TradeType
from hummingbot.core.event.events import MarketOrderFailureEvent, OrderCancelledEvent
from hummingbot.core.network_iterator import NetworkStatus
from hummingbot.core.web_assistant.connections.connections_factory import ConnectionsFactory

from tests.venue.bot import CREATED, Bot
from tests.venue.conftest import SYMBOL
from tests.venue.exchange import Credentials, Exchange, Market
from tests.venue.venue import SANDBOX, SandboxProcess, funded_account
from tests.venue.waiting import until


class Trouble:
    """A sandbox with its control surface, and a connector on it."""

    def __init__(self, url: str, credentials: Credentials, session: aiohttp.ClientSession):
        self._control = url.removesuffix("/v1") + "/sandbox"
        self._url, self._credentials, self._session = url, credentials, session
        self._bots: list[Bot] = []

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        async with self._session.request(method, self._control + path, json=body) as response:
            assert response.status < 300, await response.text()
            return await response.json() if response.content_type == "application/json" else None

    async def state(self, status: str) -> None:
        await self.control("POST", "/settings", {"system_status": status})

    async def fault(self, kind: str, **parameters: Any) -> None:
        await self.control("POST", "/faults", {"kind": kind, **parameters})

    async def repair(self) -> None:
        await self.control("DELETE", "/faults")

    async def bot(self, **settings: Any) -> Bot:
        bot = Bot(CONSTANTS.SANDBOX_DOMAIN, self._credentials, ["BTC-USDC"], settings=settings)
        self._bots.append(bot)
        await bot.start()
        return bot

    async def stop(self) -> None:
        for bot in self._bots:
            await bot.stop()
        async with Exchange(self._url, self._credentials) as exchange:
            await exchange.flatten()

    async def far_price(self) -> tuple[Market, Decimal, Decimal]:
        """The market, a bid in it that nobody takes, and the smallest size at that price."""
        async with Exchange(self._url, self._credentials) as exchange:
            market = await exchange.market(SYMBOL)
            price = market.round_price((await exchange.touch(market)).bid * Decimal("0.98"))
            return market, price, market.smallest_size(price)


@pytest.fixture(scope="module")
def sandbox_with_control(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Credentials]]:
    if request.config.getoption("venue") != SANDBOX:
        pytest.skip("only a sandbox fails on request")
    process = SandboxProcess(Path(tmp_path_factory.mktemp("trouble")) / "data")
    try:
        yield process.url, funded_account(process.url)
    finally:
        process.stop()
    assert "Traceback" not in process.log(), process.log()


@pytest.fixture
async def trouble(
    sandbox_with_control: tuple[str, Credentials], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Trouble]:
    url, credentials = sandbox_with_control
    monkeypatch.setenv(CONSTANTS.SANDBOX_URL_VARIABLE, url)
    async with aiohttp.ClientSession() as session:
        trouble = Trouble(url, credentials, session)
        try:
            yield trouble
        finally:
            await trouble.repair()
            await trouble.state("ok")
            await trouble.stop()
            await ConnectionsFactory().close()


@pytest.mark.parametrize("way", ["rest", "websocket"])
async def test_a_release_stops_only_what_would_be_refused(trouble: Trouble, way: str) -> None:
    bot = await trouble.bot(order_entry=way)
    connector = bot.connector
    market, price, size = await trouble.far_price()
    resting = await bot.placed(TradeType.BUY, market.pair, size, price, OrderType.LIMIT_MAKER)

    # Nobody has polled the state: the refused order tells it. The next is not sent any more.
    await trouble.state("cancel_only")
    for _ in range(2):
        order_id = bot.order(TradeType.BUY, market.pair, size, price, OrderType.LIMIT_MAKER)
        failure = await bot.events.one(MarketOrderFailureEvent, order_id)
        assert "cancel_only" in failure.error_message.lower()
    assert connector.system_state == "cancel_only"
    assert "only cancels pass" in (connector.order_restriction or "")
    assert await connector.check_network() is NetworkStatus.CONNECTED
    if resting in connector.in_flight_orders:  # the exchange itself cancels what is far from the fair price
        connector.cancel(market.pair, resting)
    await bot.events.one(OrderCancelledEvent, resting)

    await trouble.state("post_only")
    assert await connector.check_network() is NetworkStatus.CONNECTED
    taker = bot.order(TradeType.BUY, market.pair, size, order_type=OrderType.MARKET)
    failure = await bot.events.one(MarketOrderFailureEvent, taker)
    assert "only cancels and LIMIT_MAKER orders pass" in failure.error_message
    maker = bot.order(TradeType.BUY, market.pair, size, price, OrderType.LIMIT_MAKER)
    await bot.events.one((*CREATED, OrderCancelledEvent), maker)

    await trouble.state("maintenance")
    assert await connector.check_network() is NetworkStatus.NOT_CONNECTED
    await trouble.state("ok")
    assert await connector.check_network() is NetworkStatus.CONNECTED
    assert connector.order_restriction is None
    assert await bot.placed(TradeType.BUY, market.pair, size, price, OrderType.LIMIT_MAKER)


async def test_repeated_failures_pause_new_orders_until_the_exchange_answers_again(trouble: Trouble) -> None:
    bot = await trouble.bot(order_entry="rest", breaker_failures=3, breaker_pause="0.2", batch_size=1)
    breaker = bot.connector.circuit_breaker
    market, price, size = await trouble.far_price()
    resting = await bot.placed(TradeType.BUY, market.pair, size, price, OrderType.LIMIT_MAKER)

    await trouble.fault("http_error", status=503, path="/orders", method="POST")
    await trouble.fault("http_error", status=503, path="/system/state", method="GET")
    for _ in range(3):
        bot.order(TradeType.BUY, market.pair, size, price, OrderType.LIMIT_MAKER)
    await until(lambda: breaker.state == "open", "the breaker is open", pause=0.01)
    order_id = bot.order(TradeType.BUY, market.pair, size, price, OrderType.LIMIT_MAKER)
    failure = await bot.events.one(MarketOrderFailureEvent, order_id)
    assert "new orders pause until Paradex answers again" in failure.error_message
    await bot.cancelled(resting, pair=market.pair)

    assert breaker.state == "open"
    await trouble.repair()
    await until(lambda: breaker.state == "half_open", "probes have succeeded", pause=0.01)
    await bot.placed(TradeType.BUY, market.pair, size, price, OrderType.LIMIT_MAKER)
    assert breaker.state == "closed"


@pytest.mark.parametrize("way", ["rest", "websocket"])
async def test_the_orders_of_a_batch_whose_answer_is_lost_are_found_and_not_sent_twice(
    trouble: Trouble, way: str
) -> None:
    bot = await trouble.bot(order_entry=way)
    market, price, size = await trouble.far_price()

    await trouble.fault("order_answer_lost", count=1)
    order_ids = [
        bot.order(TradeType.BUY, market.pair, size, price - level * market.tick, OrderType.LIMIT_MAKER)
        for level in range(5)
    ]
    for order_id in order_ids:
        await bot.events.one(CREATED, order_id)

    accounts = (await trouble.control("GET", "/state"))["accounts"]
    orders = [order for account in accounts for order in account["open_orders"]]
    assert sorted(order["client_id"] for order in orders) == sorted(order_ids)
