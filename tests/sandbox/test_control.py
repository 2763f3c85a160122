"""The control surface, and the faults that it arms."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from paradex_sandbox.api.clock import SandboxClock
from paradex_sandbox.faults import FaultKind, FaultRegistry
from tests.sandbox.client import MARKET
from tests.sandbox.conftest import Sandbox, Starter


async def refused(sandbox: Sandbox, method: str, path: str, body: Any = None) -> tuple[int, str]:
    """Status and error code of a request that must fail."""
    url = sandbox.server.url.removesuffix("/v1") + "/sandbox" + path
    async with sandbox.session.request(method, url, json=body) as response:
        answer = await response.json()
        assert set(answer) == {"error", "message", "data"}
        return response.status, answer["error"]


async def test_a_new_account_is_funded_and_can_trade(sandbox: Sandbox) -> None:
    trader = await sandbox.trader("2500.5")
    assert set(trader.keys) == {"account_address", "private_key", "public_key", "api_secret", "api_public_key"}
    assert (await trader.get("/account")).json["free_collateral"] == "2500.5"
    info = (await trader.get("/account/info")).json["results"][0]
    assert (info["account"], info["public_key"], info["kind"]) == (trader.address, trader.keys["public_key"], "main")
    subkeys = (await trader.get("/account/keys/subkeys")).json["results"]
    assert [(key["public_key"], key["state"]) for key in subkeys] == [(trader.keys["api_public_key"], "active")]
    assert (await trader.get(f"/account/keys/subkeys/{trader.keys['api_public_key']}")).json == subkeys[0]
    assert (await trader.get("/account/keys/subkeys/0x1")).status == 404
    assert (await trader.get("/account/subaccounts")).json["results"] == []
    assert (await trader.get("/account/summary")).json["results"] == [(await trader.get("/account")).json]
    other = await sandbox.trader()
    assert other.address != trader.address
    assert (await other.get("/account")).json["free_collateral"] == "100000"


async def test_subkeys_can_be_added_and_revoked(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    path = f"/accounts/{trader.address}/subkeys"
    made = await sandbox.rest.control("POST", path, {"name": "second"})
    assert set(made) == {"api_secret", "api_public_key"}
    given = await sandbox.rest.control("POST", path, {"public_key": hex(_point())})
    assert given == {"api_public_key": hex(_point())}
    await sandbox.rest.control("DELETE", f"{path}/{made['api_public_key']}")
    names = [key["name"] for key in (await trader.get("/account/keys/subkeys")).json["results"]]
    assert names == ["sandbox", ""]
    query = {"with_revoked": "true"}
    states = [key["state"] for key in (await trader.get("/account/keys/subkeys", **query)).json["results"]]
    assert states == ["active", "revoked", "active"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/accounts", {"usdc": "lots"}, 400),
        ("POST", "/accounts", {"usdc": "-1"}, 400),
        ("POST", "/accounts", {"usdc": "1E+300"}, 400),
        ("POST", "/accounts", [], 400),
        ("POST", "/accounts/0x1/deposit", {"amount": "1"}, 400),
        ("POST", "/accounts/zzz/deposit", {"amount": "1"}, 400),
        ("POST", "/accounts/0x1/deposit", {}, 400),
        ("POST", "/accounts/0x1/subkeys", {"public_key": "0x5"}, 400),
        ("DELETE", "/accounts/0x1/subkeys/0x1", None, 400),
        ("POST", "/clock", {"advance_ms": -1}, 400),
        ("POST", "/clock", {"advance_ms": "1"}, 400),
        ("POST", "/clock", {"freeze": 1.5}, 400),
        ("POST", "/mark_price", {"market": MARKET}, 400),
        ("POST", "/mark_price", {"market": "NO", "price": "1"}, 400),
        ("POST", "/mark_price", {"market": MARKET, "price": "0"}, 400),
        ("POST", "/faults", {"kind": "meteor"}, 400),
        ("POST", "/faults", {"kind": "order_error", "status": "503"}, 400),
        ("POST", "/faults", {"kind": "order_error", "count": 0}, 400),
        ("POST", "/faults", {"kind": "order_error", "speed": 1}, 400),
        ("POST", "/faults", {"kind": ["order_error"]}, 400),
        ("DELETE", "/faults/7", None, 404),
        ("POST", "/settings", {"private_encoding": "xml"}, 400),
        ("POST", "/settings", {"system_status": "tired"}, 400),
        ("GET", "/nothing", None, 404),
        ("PUT", "/state", None, 405),
    ],
)
async def test_wrong_requests_are_refused_in_the_form_of_the_api(
    sandbox: Sandbox, method: str, path: str, body: Any, status: int
) -> None:
    assert (await refused(sandbox, method, path, body))[0] == status


async def test_without_control_there_is_no_control(start: Starter) -> None:
    sandbox = await start(control=False)
    assert await refused(sandbox, "GET", "/state") == (404, "NOT_FOUND")
    assert await refused(sandbox, "POST", "/accounts") == (404, "NOT_FOUND")
    assert (await sandbox.rest.get("/system/time")).status == 200


async def test_control_is_refused_to_other_machines(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def peer(self: asyncio.Transport, name: str, default: object = None) -> object:
        return ("192.0.2.7", 5000) if name == "peername" else default

    monkeypatch.setattr("asyncio.selector_events._SelectorSocketTransport.get_extra_info", peer)
    assert await refused(sandbox, "GET", "/state") == (403, "REQUEST_NOT_ALLOWED")
    assert (await sandbox.rest.get("/system/time")).status == 200


async def test_the_clock_runs_stands_and_steps(start: Starter) -> None:
    sandbox = await start(frozen=False)
    first = (await sandbox.rest.control("GET", "/clock"))["now"]
    frozen = await sandbox.rest.control("POST", "/clock", {"freeze": True})
    assert frozen["frozen"]
    assert frozen["now"] >= first
    stepped = await sandbox.rest.control("POST", "/clock", {"advance_ms": 3_600_000})
    assert stepped == {"now": frozen["now"] + 3_600_000, "frozen": True}
    released = await sandbox.rest.control("POST", "/clock", {"freeze": False, "advance_ms": 1000})
    assert not released["frozen"]
    assert released["now"] >= stepped["now"] + 1000


def test_a_clock_that_runs_follows_real_time_from_where_it_was_put(monkeypatch: pytest.MonkeyPatch) -> None:
    real = 50_000_000
    monkeypatch.setattr("paradex_sandbox.api.clock.time.monotonic_ns", lambda: real * 1000)
    clock = SandboxClock(1_000_000)
    real += 5
    assert clock.now_us() == 1_000_005
    clock.freeze()
    real += 100
    clock.freeze()
    assert clock.now_us() == 1_000_005
    clock.advance(10)
    clock.unfreeze()
    clock.unfreeze()
    real += 1
    assert clock.now_us() == 1_000_016
    clock.advance(1000)
    assert (clock.now_us(), clock.frozen) == (1_001_016, False)


async def test_a_running_clock_ticks_the_market(start: Starter) -> None:
    sandbox = await start(traders=True, frozen=False)
    socket = await sandbox.socket()
    await socket.subscribe(f"bbo.{MARKET}")
    first = await socket.next(f"bbo.{MARKET}")
    await socket.next(lambda _, frame: frame.seq_no > first.seq_no)


async def test_the_mark_price_is_held_and_let_go(busy_sandbox: Sandbox) -> None:
    sandbox = busy_sandbox
    held = await sandbox.rest.control("POST", "/mark_price", {"market": MARKET, "price": "70000"})
    assert held["mark_price"] == "70000"
    await sandbox.advance(5000)
    assert (await sandbox.summary())["mark_price"] == "70000"
    await sandbox.rest.control("POST", "/mark_price", {"market": MARKET, "price": None})
    await sandbox.advance(5000)
    moved = Decimal((await sandbox.summary())["mark_price"])
    assert moved != 70000
    assert abs(moved - 70000) < 20000


async def test_the_state_is_the_whole_picture(sandbox: Sandbox) -> None:
    maker, taker = await sandbox.trader(), await sandbox.trader()
    order = await maker.place("SELL", "0.1", "60000")
    await taker.place("BUY", "0.04", "60000")
    state = await sandbox.rest.control("GET", "/state")
    assert [account["account"]["account"] for account in state["accounts"]] == [maker.address, taker.address]
    first, second = state["accounts"]
    assert [item["id"] for item in first["open_orders"]] == [order["id"]]
    assert second["positions"] == (await taker.get("/positions")).json["results"]
    assert second["balances"] == (await taker.get("/balance")).json["results"]
    assert state["now"] == await sandbox.rest.now()
    assert {market["symbol"] for market in state["markets"]} >= {MARKET, "ETH-USD-PERP"}


async def test_system_states(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    for status, error in [
        ("post_only", "SYSTEM_STATUS_POST_ONLY"),
        ("cancel_only", "SYSTEM_STATUS_CANCEL_ONLY"),
        ("ok", None),
    ]:
        await sandbox.rest.control("POST", "/settings", {"system_status": status})
        assert (await sandbox.rest.get("/system/state")).json == {"status": status}
        answer = await trader.order("BUY", "0.01", "59000")
        assert (answer.json.get("error"), answer.status) == (error, 400 if error else 201)


async def test_refused_orders_are_not_there(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    await sandbox.rest.control("POST", "/faults", {"kind": "order_error", "count": 2})
    await sandbox.rest.control("POST", "/faults", {"kind": "order_error", "count": 1, "status": 500})
    answers = [await trader.order("BUY", "0.01", "59000") for _ in range(4)]
    assert [answer.status for answer in answers] == [503, 503, 500, 201]
    assert len((await trader.get("/orders")).json["results"]) == 1
    assert await sandbox.rest.control("GET", "/faults") == {"results": []}


async def test_an_accepted_order_whose_answer_is_lost_is_there(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    await sandbox.rest.control("POST", "/faults", {"kind": "order_answer_lost", "count": 2})
    with pytest.raises(aiohttp.ClientError):
        await trader.order("BUY", "0.01", "59000", client_id="lost")
    assert (await trader.get("/orders/by_client_id/lost")).json["status"] == "OPEN"

    socket = await sandbox.socket(trader=trader)
    body = await trader.order_body("BUY", "0.01", "59000", client_id="lost too")
    await socket.connection.send_json({"jsonrpc": "2.0", "id": "x", "method": "order.create", "params": body})
    assert await socket.closed() == 1006
    assert (await trader.get("/orders/by_client_id/lost too")).json["status"] == "OPEN"


async def test_a_frozen_stream_is_silent_and_comes_back(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    socket = await sandbox.socket(trader=trader)
    await socket.subscribe("orders.ALL", "account", f"order_book.{MARKET}.deltas@15@50ms")
    await socket.drain()
    fault = await sandbox.rest.control("POST", "/faults", {"kind": "freeze_stream", "channel": "orders"})
    await trader.place("BUY", "0.01", "59000")
    assert {channel for channel, _ in await socket.drain()} <= {"account", f"order_book.{MARKET}"}
    await sandbox.rest.control("DELETE", f"/faults/{fault['id']}")
    await trader.place("BUY", "0.01", "59000", client_id="seen")
    assert (await socket.next("orders.ALL"))["client_id"] == "seen"

    await sandbox.rest.control("POST", "/faults", {"kind": "freeze_stream", "channel": "", "duration_ms": 1000})
    await trader.place("BUY", "0.01", "59000", client_id="unseen")
    await sandbox.advance(1000)
    await trader.place("BUY", "0.01", "59000", client_id="seen again")
    assert (await socket.next("orders.ALL"))["client_id"] != "unseen"


async def test_all_sockets_can_be_dropped(sandbox: Sandbox) -> None:
    sockets = [await sandbox.socket() for _ in range(3)]
    await sandbox.rest.control("POST", "/faults", {"kind": "drop_sockets"})
    assert [await socket.closed() for socket in sockets] == [1006, 1006, 1006]
    assert await sandbox.rest.control("GET", "/faults") == {"results": []}
    await (await sandbox.socket()).subscribe("markets_summary")


def test_faults_strike_as_often_and_as_long_as_they_were_told() -> None:
    now = 0
    registry = FaultRegistry(lambda: now)
    registry.arm({"kind": "order_error", "count": 2})
    registry.arm({"kind": "freeze_stream", "duration_ms": 5})
    lasting = registry.arm({"kind": "order_answer_lost"})
    assert [registry.strike(FaultKind.ORDER_ERROR) is not None for _ in range(3)] == [True, True, False]
    assert registry.strike(FaultKind.FREEZE_STREAM)
    assert registry.strike(FaultKind.FREEZE_STREAM, lambda fault: False) is None
    now = 5000
    assert registry.strike(FaultKind.FREEZE_STREAM) is None
    assert all(registry.strike(FaultKind.ORDER_ANSWER_LOST) for _ in range(10))
    assert registry.disarm(lasting.id)
    assert not registry.disarm(lasting.id)
    assert registry.list() == []


def _point() -> int:
    from paradex_sandbox.api import stark

    return stark.public_key(12345)


async def test_a_transfer_is_stored_with_the_balance_that_it_changed(start: Starter, tmp_path: Path) -> None:
    sandbox = await start(data=tmp_path)
    trader = await sandbox.trader()
    storage = sandbox.runtime.storage
    assert storage is not None
    statements: list[str] = []
    storage._db.set_trace_callback(statements.append)
    await sandbox.rest.control("POST", f"/accounts/{trader.address}/deposit", {"amount": "7"})
    storage._db.set_trace_callback(None)
    # A kill between two transactions would lose the one or the other.
    assert [statement for statement in statements if statement in ("BEGIN IMMEDIATE", "COMMIT")] == [
        "BEGIN IMMEDIATE",
        "COMMIT",
    ]
    written = statements[1:-1]
    assert (statements[0], statements[-1]) == ("BEGIN IMMEDIATE", "COMMIT")
    assert any(statement.startswith("INSERT INTO balances") for statement in written)
    assert any("transfer/" in statement for statement in written)
    before = (await trader.get("/transfers")).json
    await sandbox.close()
    again = await start(data=tmp_path)
    await trader.session.close()
    trader.session, trader.url = again.session, again.rest.url
    assert (await trader.get("/transfers")).json["results"] == before["results"]
    assert [item["amount"] for item in before["results"]] == ["7", "100000"]


async def test_transfers_of_an_earlier_version_are_still_listed(start: Starter, tmp_path: Path) -> None:
    sandbox = await start(data=tmp_path)
    trader = await sandbox.trader()
    (shown,) = (await trader.get("/transfers")).json["results"]
    storage = sandbox.runtime.storage
    assert storage is not None
    (kept,) = storage.get_metas("transfer/")
    storage.set_meta("transfers", f"[{kept}]")
    storage._db.execute("DELETE FROM meta WHERE key LIKE 'transfer/%'")
    await sandbox.close()
    again = await start(data=tmp_path)
    trader.session, trader.url = again.session, again.rest.url
    await again.rest.control("POST", f"/accounts/{trader.address}/deposit", {"amount": "7"})
    listed = (await trader.get("/transfers")).json["results"]
    assert [item["amount"] for item in listed] == ["7", "100000"]
    assert listed[1] == shown
