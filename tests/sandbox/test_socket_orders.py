"""Order entry over the WebSocket, scoped subscriptions, and the channels that only sockets have."""

from typing import Any

import jsonschema
import pytest

from paradex_sandbox.api.ws import METHODS
from tests.sandbox import spec
from tests.sandbox.client import MARKET, Socket, Trader
from tests.sandbox.conftest import Sandbox, Starter

SECOND_MARKET, THIRD_MARKET = "ETH-USD-PERP", "SOL-USD-PERP"


async def result(socket: Socket, method: str, **params: Any) -> Any:
    """The result of a call that must succeed, checked against the OpenRPC file."""
    answer = await socket.call(method, **params)
    assert "result" in answer, answer
    spec.check_rpc_result(method, answer["result"])
    return answer["result"]


async def order(trader: Trader, price: str = "59000", **extra: Any) -> dict[str, Any]:
    return await trader.order_body("BUY", "0.01", price, **extra)


@pytest.fixture
async def trader(sandbox: Sandbox) -> Trader:
    return await sandbox.trader()


@pytest.fixture
async def socket(sandbox: Sandbox, trader: Trader) -> Socket:
    return await sandbox.socket(trader=trader)


async def test_an_order_is_created_and_cancelled(socket: Socket, trader: Trader) -> None:
    created = await result(socket, "order.create", **await order(trader, client_id="one"))
    assert (created["order"]["status"], created["order"]["client_id"]) == ("NEW", "one")
    cancelled = await result(socket, "order.cancel", id=created["order"]["id"])
    assert cancelled == {"order_id": created["order"]["id"], "status": "QUEUED_FOR_CANCELLATION"}
    await result(socket, "order.create", **await order(trader, client_id="two"))
    await result(socket, "order.cancel", client_id="two", market=MARKET)
    await result(socket, "order.create", **await order(trader))
    assert await result(socket, "order.cancel_all", market=MARKET) == {"status": "ok"}
    assert (await trader.get("/orders")).json["results"] == []


async def test_a_batch_tells_the_outcome_of_each_order_in_order(socket: Socket, trader: Trader) -> None:
    orders = [await order(trader, client_id="a"), await order(trader, "59000.05"), await order(trader, client_id="b")]
    results = (await result(socket, "order.create_batch", orders=orders))["results"]
    created = {"order", "created_at", "received_at"}
    assert [set(entry) for entry in results] == [created, {"error"}, created]
    assert "multiple of 0.1" in results[1]["error"]
    assert [entry["order"]["client_id"] for entry in (results[0], results[2])] == ["a", "b"]


async def test_the_official_sdks_form_of_a_batch_is_understood(socket: Socket, trader: Trader) -> None:
    request = {"jsonrpc": "2.0", "id": "list", "method": "order.create_batch", "params": [await order(trader)]}
    await socket.connection.send_json(request)
    answer = await socket._errors.get()
    assert len(answer["result"]["results"]) == 1


@pytest.mark.parametrize("orders", [None, [], {}, "x", [1], [{}]])
async def test_a_batch_that_is_none_is_refused(socket: Socket, orders: Any) -> None:
    answer = await socket.call("order.create_batch", orders=orders)
    assert answer["error"]["code"] == 100


async def test_one_wrong_signature_refuses_the_whole_batch(socket: Socket, trader: Trader) -> None:
    good, bad = await order(trader), await order(trader)
    bad["signature"] = good["signature"]
    answer = await socket.call("order.create_batch", orders=[good, bad | {"price": "58000"}])
    assert answer["error"]["data"] == {"error": "INVALID_ORDER_SIGNATURE"}
    assert (await trader.get("/orders")).json["results"] == []


async def test_cancelling_a_batch_tells_the_outcome_of_each(socket: Socket, trader: Trader) -> None:
    live, closed = [await trader.place("BUY", "0.01", "59000") for _ in range(2)]
    await trader.delete(f"/orders/{closed['id']}")
    await trader.get("/orders")
    ids = [live["id"], closed["id"], "404"]
    results = (await result(socket, "order.cancel_batch", order_ids=ids))["results"]
    assert results == [
        {"id": live["id"], "market": MARKET, "status": "QUEUED_FOR_CANCELLATION"},
        {"id": closed["id"], "market": MARKET, "status": "ALREADY_CLOSED"},
        {"id": "404", "status": "NOT_FOUND"},
    ]


async def test_orders_are_cancelled_when_their_connection_ends(sandbox: Sandbox, trader: Trader) -> None:
    socket, other = await sandbox.socket(trader=trader), await sandbox.socket(trader=trader)
    await other.subscribe("orders.ALL")
    assert await result(socket, "order.cancel_on_disconnect", enabled=True) == {"enabled": True}
    ours = await result(socket, "order.create", **await order(trader, client_id="socket"))
    ours_too = await result(socket, "order.create_batch", orders=[await order(trader)])
    await result(other, "order.create", **await order(trader, client_id="other socket"))
    await trader.place("BUY", "0.01", "59000", client_id="rest")
    assert socket.connection._writer is not None
    socket.connection._writer.transport.abort()
    wanted = {ours["order"]["id"], ours_too["results"][0]["order"]["id"]}
    while wanted:
        update = await other.next("orders.ALL")
        if update["status"] == "CLOSED":
            assert update["cancel_reason"] == "USER_CANCELED"
            wanted.remove(update["id"])
    left = (await trader.get("/orders")).json["results"]
    assert {entry["client_id"] for entry in left} == {"other socket", "rest"}


async def test_cancel_on_disconnect_is_off_until_it_is_asked_for_and_can_be_taken_back(
    sandbox: Sandbox, trader: Trader
) -> None:
    for take_back in (False, True):
        socket = await sandbox.socket(trader=trader)
        if take_back:
            await result(socket, "order.cancel_on_disconnect", enabled=True)
            await result(socket, "order.cancel_on_disconnect", enabled=False)
        await result(socket, "order.create", **await order(trader))
        await socket.connection.close()
        await socket.closed()
    assert len((await trader.get("/orders")).json["results"]) == 2


@pytest.mark.parametrize("enabled", [None, "true", 1])
async def test_cancel_on_disconnect_takes_a_boolean(socket: Socket, enabled: Any) -> None:
    assert (await socket.call("order.cancel_on_disconnect", enabled=enabled))["error"]["code"] == -32602


async def test_a_scoped_summary_carries_its_markets_only_and_can_be_changed(start: Starter) -> None:
    sandbox = await start(traders=True)
    socket = await sandbox.socket()
    answer = await result(socket, "subscribe", channel="markets_summary", markets=[MARKET])
    assert answer == {"channel": "markets_summary"}

    async def markets() -> set[str]:
        await sandbox.advance(1000)
        return {data.market for _, data in await socket.drain()}

    assert await markets() == {MARKET}
    changed = await result(
        socket, "modify_subscription", channel="markets_summary", add=[SECOND_MARKET, MARKET], remove=[THIRD_MARKET]
    )
    assert changed == {"channel": "markets_summary", "add": [SECOND_MARKET], "remove": []}
    assert await markets() == {MARKET, SECOND_MARKET}
    await result(socket, "modify_subscription", channel="markets_summary", remove=[MARKET])
    assert await markets() == {SECOND_MARKET}
    await result(socket, "unsubscribe", channel="markets_summary")
    assert await markets() == set()


async def test_a_scope_may_be_empty(sandbox: Sandbox) -> None:
    socket = await sandbox.socket()
    await result(socket, "subscribe", channel="markets_summary", markets=[])
    assert await socket.drain() == []
    await result(socket, "modify_subscription", channel="markets_summary", add=[MARKET])
    assert [data.market for _, data in await socket.drain()] == [MARKET]


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("subscribe", {"channel": f"bbo.{MARKET}", "markets": [MARKET]}, -32602),
        ("subscribe", {"channel": "markets_summary", "markets": "BTC"}, -32602),
        ("subscribe", {"channel": "markets_summary", "markets": ["NO"]}, -32602),
        ("modify_subscription", {"channel": "markets_summary", "add": [MARKET]}, 100),
        ("modify_subscription", {"channel": 3}, -32602),
        ("modify_subscription", {}, -32602),
        ("subscribe", {"channel": "funding_rate_comparison.ALL"}, -32602),
        ("subscribe", {"channel": "funding_rate_comparison.BTC-USD-PERP@500ms"}, -32602),
        ("subscribe", {"channel": "rfq"}, -32602),
        ("subscribe", {"channel": "block_trades"}, -32602),
        ("subscribe", {"channel": "mmp"}, 40300),
    ],
)
async def test_what_cannot_be_subscribed_is_refused(
    sandbox: Sandbox, method: str, params: dict[str, Any], code: int
) -> None:
    socket = await sandbox.socket()
    assert (await socket.call(method, **params))["error"]["code"] == code


async def test_the_funding_of_other_venues(start: Starter) -> None:
    sandbox = await start(feeds=True)
    socket, old = await sandbox.socket(), await sandbox.socket(version=0)
    await socket.subscribe("funding_rate_comparison.ALL@500ms")
    await old.subscribe("funding_rate_comparison.ALL@500ms")
    frames = [data for _, data in await socket.drain()]
    assert {"BTC-USD-PERP", "ETH-USD-PERP"} <= {frame.market for frame in frames}
    assert {"SOURCE_PARADEX", "SOURCE_BINANCE"} <= {str(frame.source) for frame in frames}
    await socket.next(lambda _, data: True)  # and again, every half a second
    assert await old.drain() == []


async def test_a_revoked_key_makes_no_orders(sandbox: Sandbox, socket: Socket, trader: Trader) -> None:
    body = await order(trader)
    path = f"/accounts/{trader.address}/subkeys/{trader.keys['api_public_key']}"
    await sandbox.rest.control("DELETE", path)
    assert (await socket.call("order.create", **body))["error"]["code"] == 40111


def test_every_method_of_the_openrpc_file_is_served() -> None:
    assert set(spec.rpc_methods()) <= METHODS


def test_the_judge_of_results_is_strict() -> None:
    if spec.rpc_methods():
        with pytest.raises(jsonschema.ValidationError):
            spec.check_rpc_result("order.cancel_all", {"status": "ok", "more": 1})
