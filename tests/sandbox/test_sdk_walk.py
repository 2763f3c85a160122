"""The official SDK's whole public surface, unmodified: each of its calls and channels, or the reason why not."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import fast_stark_crypto
import pytest
from paradex_py.api.api_client import ParadexApiClient
from paradex_py.api.block_trades_api import BlockTradesMixin
from paradex_py.api.http_client import HttpClient
from paradex_py.api.ws_client import ParadexWebsocketChannel, ParadexWebsocketClient, WsRpcError
from paradex_py.common.order import Order, OrderSide, OrderType
from paradex_py.environment import TESTNET

from paradex_sandbox.api import stark
from tests.sandbox.client import MARKET
from tests.sandbox.conftest import Sandbox
from tests.sandbox.test_sdk import TIMEOUT, SdkClient, busy, limit, until

__all__ = ["busy"]  # a fixture

#: Calls that answer with the error of what the sandbox has not.
REFUSED = {
    "auth_evm",
    "onboarding_evm",
    "init_account_evm",
    *(name for name, _ in inspect.getmembers(BlockTradesMixin, inspect.isfunction) if not name.startswith("_")),
}
#: Plumbing, and a path that is in no description of Paradex's (`/points_data`).
NOT_CALLS = {
    *(name for name, _ in inspect.getmembers(HttpClient, inspect.isfunction)),
    *("init_account", "set_token", "fetch_points_data"),
}
CHANNELS_REFUSED = {ParadexWebsocketChannel.BLOCK_TRADES}


class Recorder:
    """Calls the client's methods in threads, and remembers which."""

    def __init__(self, api: ParadexApiClient):
        self.api = api
        self.called: set[str] = set()

    async def __call__(self, name: str, *arguments: Any, **options: Any) -> Any:
        self.called.add(name)
        return await asyncio.to_thread(getattr(self.api, name), *arguments, **options)


@pytest.fixture
async def client(busy: Sandbox) -> SdkClient:
    """The SDK's client with an account's main key, which may do everything."""
    keys = await busy.rest.control("POST", "/accounts")
    return await asyncio.to_thread(SdkClient, busy.server.url, keys | {"api_secret": keys["private_key"]})


async def price_of(busy: Sandbox, away: str) -> Decimal:
    """A price this far (a fraction) from the mark, on the tick."""
    mark = Decimal((await busy.summary())["mark_price"])
    return (mark * (1 + Decimal(away))).quantize(Decimal("1"))


def order_of(kind: OrderType, side: OrderSide, price: Decimal, trigger: Decimal | None = None) -> Order:
    return Order(
        market=MARKET,
        order_type=kind,
        order_side=side,
        size=Decimal("0.01"),
        limit_price=price if "LIMIT" in kind.value else Decimal(0),
        trigger_price=trigger,
    )


async def test_every_call_of_the_rest_client(busy: Sandbox, client: SdkClient) -> None:
    call = Recorder(client.api)
    assert (await call("fetch_onboarding", {"account_signer_type": "starknet", "public_key": "0x1"}))["exists"] is False
    for name in ("auth", "fetch_system_config", "fetch_system_state", "fetch_system_time", "fetch_markets"):
        await call(name)
    for name in (
        "fetch_portfolio_margin_config",
        "fetch_insurance_fund",
        "fetch_account_profile",
        "fetch_liquidations",
    ):
        await call(name)
    await call("fetch_markets_summary", {"market": MARKET})
    await call("fetch_orderbook", MARKET, {"depth": 3})
    await call("fetch_bbo", MARKET)
    await call("fetch_trades", {"market": MARKET})
    await call("fetch_funding_data", {"market": MARKET})
    now = int((await call("fetch_system_time"))["server_time"])
    assert (await call("fetch_klines", MARKET, "1", now - 600_000, now, "mark"))["results"]

    # Orders of every type: the first opens the position that take-profit and stop-loss orders belong to.
    low, high = await price_of(busy, "-0.02"), await price_of(busy, "0.02")
    await call("submit_order", order_of(OrderType.Market, OrderSide.Buy, low))
    assert await until(lambda: client.api.fetch_fills()["results"])
    resting = await call("submit_order", order_of(OrderType.Limit, OrderSide.Buy, low))
    waiting = [
        await call("submit_order", order_of(kind, side, price, trigger))
        for kind, side, price, trigger in (
            (OrderType.StopLimit, OrderSide.Buy, high, high),
            (OrderType.StopMarket, OrderSide.Buy, high, high),
            (OrderType.TakeProfitLimit, OrderSide.Sell, high, high),
            (OrderType.TakeProfitMarket, OrderSide.Sell, high, high),
            (OrderType.StopLossLimit, OrderSide.Sell, low, low),
            (OrderType.StopLossMarket, OrderSide.Sell, low, low),
        )
    ]
    await until(lambda: len(client.api.fetch_orders({"market": MARKET})["results"]) == 7)
    orders = {order["id"]: order["status"] for order in (await call("fetch_orders"))["results"]}
    assert orders == {resting["id"]: "OPEN"} | {order["id"]: "UNTRIGGERED" for order in waiting}

    changed = order_of(OrderType.Limit, OrderSide.Buy, low - 10)
    changed.id = resting["id"]
    assert (await call("modify_order", resting["id"], changed))["id"] == resting["id"]
    await until(lambda: Decimal(client.api.fetch_order(resting["id"])["price"]) == low - 10)
    await call("fetch_order", resting["id"])
    await call("cancel_order", resting["id"])
    await call("submit_order", limit(OrderSide.Buy, low, client_id="by client id"))
    await until(lambda: client.api.fetch_order_by_client_id("by client id"))
    await call("fetch_order_by_client_id", "by client id")
    await call("cancel_order_by_client_id", "by client id")
    batch = await call("submit_orders_batch", [limit(OrderSide.Buy, low) for _ in range(3)])
    await call("cancel_orders_batch", order_ids=[order["id"] for order in batch["orders"]])
    await call("cancel_all_orders")
    await until(lambda: not client.api.fetch_orders()["results"])
    history = (await call("fetch_orders_history", {"market": MARKET}))["results"]
    assert {order["type"] for order in history} == {kind.value for kind in OrderType}
    for name in ("fetch_fills", "fetch_tradebusts", "fetch_transactions", "fetch_transfers", "fetch_balances"):
        await call(name)
    for name in ("fetch_account_summary", "fetch_account_info", "fetch_subaccounts", "fetch_positions"):
        await call(name)
    await call("fetch_funding_payments", {"market": MARKET})

    twap = await call(
        "submit_algo_order", order_of(OrderType.Market, OrderSide.Buy, low), algo_type="TWAP", duration_seconds=60
    )
    assert [algo["id"] for algo in (await call("fetch_algo_orders"))["results"]] == [twap["id"]]
    await call("cancel_algo_order", twap["id"])

    stored = await call("set_mmp_config", "BTC", 1000, 5000, size_limit="1", delta_limit=2)
    assert (stored.size_limit, stored.delta_limit) == ("1", "2")
    assert [config.base_asset for config in (await call("fetch_mmp_configs")).results] == ["BTC"]
    await call("reset_mmp")
    await call("delete_mmp_config", "BTC")

    key, ephemeral = hex(stark.public_key(31)), hex(stark.public_key(32))
    pending = {"name": "k", "public_key": key, "state": "pending", "encrypted_key": "0x1", "eph_public_key": ephemeral}
    await call("create_subkey", pending)
    timestamp = int(time.time())
    message = fast_stark_crypto.pedersen_hash(timestamp, int(ephemeral, 16))
    signature = [hex(part) for part in fast_stark_crypto.sign(client.account.l2_private_key, message)]
    activation = {"account_id": hex(client.account.l2_address), "public_key": key, "timestamp": timestamp}
    assert (await call("activate_subkey", activation | {"signature": signature}))["encrypted_key"] == "0x1"
    assert (await call("fetch_subkey", key))["name"] == "k"
    assert (await call("update_subkey", key, {"name": "l"}))["name"] == "l"
    await call("update_subkey_allowed_cidrs", key, ["10.0.0.0/8"])
    await call("revoke_subkey", key)
    assert len((await call("fetch_subkeys"))["results"]) == 1
    await call("create_token", {"name": "t", "token_type": "jwt", "expiry_duration": 3600})
    tokens = (await call("fetch_tokens"))["results"]
    await call("revoke_token", tokens[0]["lookup_id"])

    await call_onboarding(busy, call)
    public = {name for name, _ in inspect.getmembers(ParadexApiClient, inspect.isfunction) if not name.startswith("_")}
    assert public - NOT_CALLS - REFUSED == call.called - NOT_CALLS


async def call_onboarding(busy: Sandbox, call: Recorder) -> None:
    """A client that opens its own account, as the SDK does for a main key."""
    from paradex_py.account.account import ParadexAccount

    def open_account() -> str:
        api = ParadexApiClient(env=TESTNET, api_base_url=busy.server.url)
        account = ParadexAccount(api.fetch_system_config(), l1_address="0x" + "2" * 40, l2_private_key="0x7788")
        api.init_account(account)
        api.onboarding()
        return api.fetch_account_summary().account_value

    assert await asyncio.to_thread(open_account) == "100000"
    call.called.add("onboarding")


async def test_what_the_sandbox_has_not_is_refused_by_name(client: SdkClient) -> None:
    for path in ("block-trades", "vaults", "xp/transfers", "rfqs"):
        with pytest.raises(ValueError, match="the sandbox has no"):
            await asyncio.to_thread(client.api._get_authorized, path)


async def test_a_token_is_renewed(busy: Sandbox, client: SdkClient) -> None:
    await busy.rest.control("POST", "/faults", {"kind": "expire_tokens"})
    with pytest.raises(ValueError, match="INVALID_TOKEN"):
        await asyncio.to_thread(client.api.fetch_account_summary)
    await asyncio.to_thread(client.api.auth)
    assert (await asyncio.to_thread(client.api.fetch_account_summary)).account == hex(client.account.l2_address)
    limits = client.api.last_rate_limit
    assert limits is not None


@pytest.fixture
async def socket(busy: Sandbox, client: SdkClient) -> AsyncIterator[ParadexWebsocketClient]:
    url = busy.server.url.replace("http://", "ws://")
    socket = ParadexWebsocketClient(env=TESTNET, ws_url_override=url, sbe_enabled=True, disable_reconnect=True)
    socket.init_account(client.account)
    assert await socket.connect()
    yield socket
    await socket.close()


async def test_every_channel(busy: Sandbox, client: SdkClient, socket: ParadexWebsocketClient) -> None:
    received: dict[ParadexWebsocketChannel, asyncio.Event] = {}

    def listener(event: asyncio.Event) -> Callable[..., Any]:
        async def callback(*_: Any) -> None:
            event.set()

        return callback

    for channel in ParadexWebsocketChannel:
        received[channel] = asyncio.Event()
        params = {"market": MARKET} if "{market}" in channel.value else {}
        await socket.subscribe(channel, listener(received[channel]), params)
    address = hex(client.account.l2_address)
    api = client.api
    await asyncio.to_thread(api.submit_order, Order(MARKET, OrderType.Market, OrderSide.Buy, Decimal("0.01")))
    await until(lambda: api.fetch_fills()["results"])
    await busy.advance(60_000)
    await asyncio.to_thread(api.submit_order, Order(MARKET, OrderType.Market, OrderSide.Sell, Decimal("0.01")))
    await until(lambda: len(api.fetch_fills()["results"]) > 1)
    await asyncio.to_thread(api.set_mmp_config, "BTC", 1000, 1000, 1)
    await busy.rest.control("POST", f"/accounts/{address}/deposit", {"amount": "5"})
    await busy.rest.control("POST", "/faults", {"kind": "bust_trade", "account": address})
    wanted = [event.wait() for channel, event in received.items() if channel not in CHANNELS_REFUSED]
    await asyncio.wait_for(asyncio.gather(*wanted), TIMEOUT)
    await until(lambda: len(socket.get_subscriptions()) >= len(ParadexWebsocketChannel) - len(CHANNELS_REFUSED))


async def test_every_order_call_of_the_socket(busy: Sandbox, client: SdkClient, socket: ParadexWebsocketClient) -> None:
    low = await price_of(busy, "-0.02")
    created = await socket.submit_order(limit(OrderSide.Buy, low))
    order_id = created["order"]["id"]
    await until(lambda: client.api.fetch_orders()["results"][0]["status"] == "OPEN")
    changed = limit(OrderSide.Buy, low - 10)
    changed.id = order_id
    assert (await socket.modify_order(order_id, changed))["order"]["id"] == order_id
    assert (await socket.cancel_order(order_id))["status"] == "QUEUED_FOR_CANCELLATION"
    batch = await socket.submit_orders_batch([limit(OrderSide.Buy, low, client_id=f"s{n}") for n in range(3)])
    ids = [entry["order"]["id"] for entry in batch["results"]]
    await socket.cancel_order_by_client_id("s0", MARKET)
    cancelled = await socket.cancel_orders_batch(ids[1:])
    assert {entry["status"] for entry in cancelled["results"]} == {"QUEUED_FOR_CANCELLATION"}
    await socket.submit_order(limit(OrderSide.Buy, low))
    assert await socket.cancel_all_orders(MARKET) == {"status": "ok"}
    assert await socket.cancel_on_disconnect(True) == {"enabled": True}
    with pytest.raises(WsRpcError):
        await socket.cancel_order("404")
    await socket.submit_order(limit(OrderSide.Buy, low, client_id="last"))
    await until(lambda: client.api.fetch_orders()["results"])
    await socket.close()
    await until(lambda: not client.api.fetch_orders()["results"])
