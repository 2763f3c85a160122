"""The official SDK, unmodified, through its public interface: it is the client that nobody here wrote."""

import asyncio
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
from paradex_py.account.subkey_account import SubkeyAccount
from paradex_py.api.api_client import ParadexApiClient
from paradex_py.api.ws_client import ParadexWebsocketChannel, ParadexWebsocketClient, WsRpcError
from paradex_py.common.order import Order, OrderSide, OrderType
from paradex_py.environment import TESTNET

from tests.sandbox.client import MARKET
from tests.sandbox.conftest import Sandbox, Starter

TIMEOUT = 10


class SdkClient:
    """The SDK's REST client, which blocks, used from a thread."""

    def __init__(self, url: str, keys: dict[str, str], **options: Any):
        self.api = ParadexApiClient(env=TESTNET, api_base_url=url, **options)
        config = self.api.fetch_system_config()
        self.account = SubkeyAccount(config, keys["api_secret"], keys["account_address"])
        self.api.init_account(self.account)


async def connect(sandbox: Sandbox, **options: Any) -> SdkClient:
    keys = await sandbox.rest.control("POST", "/accounts")
    return await asyncio.to_thread(SdkClient, sandbox.server.url, keys, **options)


@pytest.fixture
async def busy(start: Starter) -> Sandbox:
    """A sandbox with its clock running, as the SDK signs with the real time."""
    sandbox = await start(traders=True, frozen=False)
    await sandbox.advance(5000)
    return sandbox


def limit(side: OrderSide, price: str | Decimal, **options: Any) -> Order:
    return Order(
        market=MARKET,
        order_type=OrderType.Limit,
        order_side=side,
        size=Decimal("0.01"),
        limit_price=Decimal(price),
        **options,
    )


async def until(ready: Callable[[], Any]) -> Any:
    """What `ready` returns as soon as it is true."""
    async with asyncio.timeout(TIMEOUT):
        while not (result := await asyncio.to_thread(ready)):  # noqa: ASYNC110 - the SDK has nothing to wait on
            await asyncio.sleep(0.01)
        return result


async def test_rest_from_login_to_fill(busy: Sandbox) -> None:
    client = await connect(busy)
    api = client.api
    book = await asyncio.to_thread(api.fetch_orderbook, MARKET)
    best_bid = Decimal(book["bids"][0][0])

    resting = limit(OrderSide.Buy, best_bid - 1000, client_id="sdk", instruction="POST_ONLY")
    accepted = await asyncio.to_thread(api.submit_order, resting)
    assert accepted["status"] == "NEW"
    found = await until(lambda: api.fetch_orders({"market": MARKET})["results"])
    assert [order["client_id"] for order in found] == ["sdk"]
    assert (await asyncio.to_thread(api.fetch_order_by_client_id, "sdk"))["id"] == accepted["id"]
    assert await asyncio.to_thread(api.cancel_order_by_client_id, "sdk") is None
    history = await until(lambda: api.fetch_orders_history({"client_id": "sdk", "status": "CLOSED"})["results"])
    assert history[0]["cancel_reason"] == "USER_CANCELED"

    market_order = Order(MARKET, OrderType.Market, OrderSide.Buy, Decimal("0.01"), instruction="IOC")
    await asyncio.to_thread(api.submit_order, market_order)
    fills = await until(lambda: api.fetch_fills({"market": MARKET})["results"])
    assert sum(Decimal(fill["size"]) for fill in fills) == Decimal("0.01")
    positions = await asyncio.to_thread(api.fetch_positions)
    assert positions["results"][0]["size"] == "0.01"
    summary = await asyncio.to_thread(api.fetch_account_summary)
    assert Decimal(summary.total_collateral) < 100_000
    assert (await asyncio.to_thread(api.fetch_balances))["results"][0]["token"] == "USDC"


async def test_batches_and_cancel_all(busy: Sandbox) -> None:
    api = (await connect(busy)).api
    price = Decimal((await busy.rest.get(f"/bbo/{MARKET}")).json["bid"]) - 1000
    orders = [limit(OrderSide.Buy, price - number, client_id=f"b{number}") for number in range(4)]
    answer = await asyncio.to_thread(api.submit_orders_batch, orders)
    assert (len(answer["orders"]), answer["errors"]) == (4, [])
    ids = [order["id"] for order in answer["orders"][:2]]
    cancelled = await asyncio.to_thread(api.cancel_orders_batch, order_ids=ids, client_order_ids=["b2"])
    assert {result["status"] for result in cancelled["results"]} == {"QUEUED_FOR_CANCELLATION"}
    await until(lambda: len(api.fetch_orders()["results"]) == 1)
    await asyncio.to_thread(api.cancel_all_orders, {"market": MARKET})
    await until(lambda: not api.fetch_orders()["results"])


async def test_every_reading_call_works(busy: Sandbox) -> None:
    api = (await connect(busy)).api
    await asyncio.to_thread(api.submit_order, Order(MARKET, OrderType.Market, OrderSide.Buy, Decimal("0.01")))
    await until(lambda: api.fetch_fills()["results"])
    for call in (
        api.fetch_system_state,
        api.fetch_system_time,
        api.fetch_markets,
        lambda: api.fetch_markets_summary({"market": "ALL"}),
        lambda: api.fetch_orderbook(MARKET, {"depth": 5}),
        lambda: api.fetch_bbo(MARKET),
        lambda: api.fetch_trades({"market": MARKET}),
        lambda: api.fetch_funding_data({"market": MARKET}),
        lambda: api.fetch_funding_payments({"market": MARKET}),
        api.fetch_transactions,
        api.fetch_transfers,
        api.fetch_tradebusts,
        api.fetch_account_info,
        api.fetch_subaccounts,
        api.fetch_subkeys,
    ):
        assert isinstance(await asyncio.to_thread(call), dict), call


async def test_an_interactive_token(busy: Sandbox) -> None:
    api = (await connect(busy, auth_params={"token_usage": "interactive"})).api
    order = Order(MARKET, OrderType.Market, OrderSide.Buy, Decimal("0.01"))
    assert (await asyncio.to_thread(api.submit_order, order))["flags"] == ["TARGET_STRATEGY_VWAP", "INTERACTIVE"]
    fills = await until(lambda: api.fetch_fills()["results"])
    assert {fill["fee"] for fill in fills} == {"0"}


async def test_errors_are_understood(busy: Sandbox) -> None:
    api = (await connect(busy)).api
    with pytest.raises(ValueError, match="CLIENT_ORDER_ID_NOT_FOUND"):
        await asyncio.to_thread(api.fetch_order_by_client_id, "never")
    # str(Decimal), which the SDK sends, prints the second one as 1E-8.
    for size, error in (("0.000001", "INVALID_ORDER_SIZE"), ("0.00000001", "VALIDATION_ERROR")):
        order = Order(MARKET, OrderType.Market, OrderSide.Buy, Decimal(size))
        with pytest.raises(ValueError, match=error):
            await asyncio.to_thread(api.submit_order, order)


@pytest.fixture
async def stream(busy: Sandbox) -> AsyncIterator[tuple[SdkClient, ParadexWebsocketClient]]:
    client = await connect(busy)
    ws_url = busy.server.url.replace("http://", "ws://")
    socket = ParadexWebsocketClient(env=TESTNET, ws_url_override=ws_url, sbe_enabled=True, disable_reconnect=True)
    socket.init_account(client.account)
    assert await socket.connect()
    yield client, socket
    await socket.close()


@pytest.mark.parametrize("private_encoding", ["json", "sbe"])
async def test_the_sdks_socket_follows_markets_and_account(
    busy: Sandbox, stream: tuple[SdkClient, ParadexWebsocketClient], private_encoding: str
) -> None:
    client, socket = stream
    await busy.rest.control("POST", "/settings", {"private_encoding": private_encoding})
    received: dict[str, asyncio.Future[Any]] = {}

    async def listen(channel: ParadexWebsocketChannel, **params: str) -> None:
        future = received[channel.name] = asyncio.get_running_loop().create_future()

        async def callback(_: object, message: dict[str, Any]) -> None:
            if not future.done():
                future.set_result(message["params"]["data"])

        await socket.subscribe(channel, callback, params)

    channel = ParadexWebsocketChannel
    for public in (channel.BBO, channel.TRADES, channel.FUNDING_DATA, channel.ORDER_BOOK):
        await listen(public, market=MARKET)
    await listen(channel.MARKETS_SUMMARY)
    for private in (channel.ORDERS, channel.FILLS):
        await listen(private, market=MARKET)
    for private in (channel.POSITIONS, channel.ACCOUNT):
        await listen(private)
    for quiet in (channel.TRADEBUSTS, channel.TRANSFERS, channel.TRANSACTIONS, channel.BALANCE_EVENTS):
        await socket.subscribe(quiet, lambda *_: None)
    await asyncio.to_thread(client.api.submit_order, Order(MARKET, OrderType.Market, OrderSide.Buy, Decimal("0.01")))
    data = dict(zip(received, await asyncio.wait_for(asyncio.gather(*received.values()), TIMEOUT), strict=True))
    assert {data[name]["market"] for name in ("BBO", "TRADES", "ORDER_BOOK", "ORDERS", "FILLS", "POSITIONS")} == {
        MARKET
    }
    assert Decimal(data["POSITIONS"]["size"]) > 0
    assert data["ORDER_BOOK"]["bids"]
    await until(lambda: len(socket.get_subscriptions()) == 13)


async def test_the_sdks_orders_over_the_socket(stream: tuple[SdkClient, ParadexWebsocketClient], busy: Sandbox) -> None:
    _, socket = stream
    price = Decimal((await busy.rest.get(f"/bbo/{MARKET}")).json["bid"]) - 1000
    created = await socket.submit_order(limit(OrderSide.Buy, price, client_id="rpc"))
    assert created["order"]["status"] == "NEW"
    cancelled = await socket.cancel_order(created["order"]["id"])
    assert cancelled == {"order_id": created["order"]["id"], "status": "QUEUED_FOR_CANCELLATION"}
    await socket.submit_order(limit(OrderSide.Buy, price, client_id="again"))
    assert (await socket.cancel_order_by_client_id("again", MARKET))["status"] == "QUEUED_FOR_CANCELLATION"
    with pytest.raises(WsRpcError) as failure:
        await socket.cancel_order("404")
    assert failure.value.code == 100
