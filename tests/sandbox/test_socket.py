"""The WebSocket: handshake, JSON-RPC, subscriptions, life and death of a connection."""

import asyncio
import struct

import aiohttp
import pytest

from paradex_sandbox.api import ws
from paradex_sandbox.api.ws import SocketTimes
from tests.sandbox.client import MARKET, TIMEOUT, Socket
from tests.sandbox.conftest import Sandbox, Starter


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?sbeSchemaId=1",
        "?sbeSchemaVersion=1",
        "?sbeSchemaId=1&sbeSchemaVersion=3",
        "?sbeSchemaId=2&sbeSchemaVersion=1",
        "?sbeSchemaId=1&sbeSchemaVersion=-1",
        "?sbeSchemaId=1&sbeSchemaVersion=latest",
    ],
)
async def test_a_handshake_without_a_served_schema_is_answered_with_400(sandbox: Sandbox, query: str) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as failure:
        await sandbox.session.ws_connect(sandbox.server.url + query)
    assert failure.value.status == 400
    answer = await sandbox.rest.get(query)
    assert (answer.status, answer.error) == (400, "INVALID_REQUEST_PARAMETER")


@pytest.mark.parametrize("version", [0, 1, 2])
async def test_frames_come_in_the_version_that_was_asked_for(sandbox: Sandbox, version: int) -> None:
    socket = await sandbox.socket(version)
    await socket.subscribe(f"bbo.{MARKET}")
    await socket.next(f"bbo.{MARKET}")
    assert struct.unpack_from("<HHHH", socket.frames[0]) == (48, 2, 1, version)


async def test_a_plain_get_of_the_socket_address_is_told_so(sandbox: Sandbox) -> None:
    answer = await sandbox.rest.get("?sbeSchemaId=1&sbeSchemaVersion=2")
    assert (answer.status, answer.error) == (400, "INVALID_REQUEST_PARAMETER")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("", ws.PARSE_ERROR),
        ("nonsense", ws.PARSE_ERROR),
        ('{"jsonrpc":"2.0"', ws.PARSE_ERROR),
        ("[" * 100_000, ws.PARSE_ERROR),
        ("[]", ws.INVALID_REQUEST),
        ("null", ws.INVALID_REQUEST),
        ("1", ws.INVALID_REQUEST),
        ('{"jsonrpc":"2.0","method":"auth"}', ws.INVALID_REQUEST),
        ('{"jsonrpc":"2.0","method":"auth","id":{}}', ws.INVALID_REQUEST),
        ('{"jsonrpc":"1.0","method":"auth","id":1}', ws.INVALID_REQUEST),
        ('{"jsonrpc":"2.0","method":7,"id":1}', ws.INVALID_REQUEST),
        ('{"jsonrpc":"2.0","id":1}', ws.INVALID_REQUEST),
        ('{"jsonrpc":"2.0","method":"order.explode","id":1}', ws.METHOD_NOT_FOUND),
        ('{"jsonrpc":"2.0","method":"subscribe","id":"x"}', ws.INVALID_PARAMS),
        ('{"jsonrpc":"2.0","method":"subscribe","params":[],"id":1}', ws.INVALID_PARAMS),
        ('{"jsonrpc":"2.0","method":"subscribe","params":{"channel":{}},"id":1}', ws.INVALID_PARAMS),
        ('{"jsonrpc":"2.0","method":"order.cancel","params":{"id":"1"},"id":1}', ws.NOT_AUTHENTICATED),
        (b"\x00\x01\x02", ws.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0"}', ws.INVALID_REQUEST),
    ],
)
async def test_a_request_that_is_none_is_answered_with_its_code_and_the_connection_lives(
    sandbox: Sandbox, data: str | bytes, code: int
) -> None:
    socket = await sandbox.socket()
    assert (await socket.raw(data))["error"]["code"] == code
    await socket.subscribe("markets_summary")


async def test_an_answer_repeats_the_id_that_was_sent(sandbox: Sandbox) -> None:
    socket = await sandbox.socket()
    for request_id in ("text", 2**60, -1):
        request = {"jsonrpc": "2.0", "id": request_id, "method": "subscribe", "params": {"channel": f"x{request_id}"}}
        await socket.connection.send_json(request)
        answer = await asyncio.wait_for(socket._errors.get(), TIMEOUT)
        assert answer["id"] == request_id


@pytest.mark.parametrize(
    "channel",
    [
        "nothing",
        "",
        "bbo",
        "trades.",
        "bbo.NO-USD-PERP",
        "funding_data.ALL",
        "funding_payments.ALL",
        "account.ALL",
        f"order_book.{MARKET}",
        f"order_book.{MARKET}.snapshot@20@100ms",
        f"order_book.{MARKET}.snapshot@15@75ms",
        f"order_book.{MARKET}.full@15@100ms",
        f"order_book.{MARKET}.deltas@15@50ms@0_0",
        f"order_book.{MARKET}.deltas@15@50ms@-1",
        "order_book.NO-USD-PERP.deltas@15@50ms",
    ],
)
async def test_an_unknown_channel_is_refused(sandbox: Sandbox, channel: str) -> None:
    trader = await sandbox.trader()
    socket = await sandbox.socket(trader=trader)
    for method in ("subscribe", "unsubscribe"):
        assert (await socket.call(method, channel=channel))["error"]["code"] == ws.INVALID_PARAMS


PUBLIC = [
    f"bbo.{MARKET}",
    "bbo.ALL",
    f"trades.{MARKET}",
    "trades.ALL",
    "markets_summary",
    "markets_summary.ALL",
    f"markets_summary.{MARKET}",
    "markets",
    f"markets.{MARKET}",
    f"funding_data.{MARKET}",
    f"order_book.{MARKET}.snapshot@15@50ms",
    f"order_book.{MARKET}.snapshot@15@100ms@0_1",
    f"order_book.{MARKET}.deltas@15@50ms@10",
    f"order_book.{MARKET}.interactive@15@100ms",
]
PRIVATE = [
    f"orders.{MARKET}",
    "orders.ALL",
    f"fills.{MARKET}",
    "fills.ALL",
    "positions",
    "account",
    "balance_events",
    f"funding_payments.{MARKET}",
    "tradebusts",
    "transfers",
    "transaction",
]


async def test_every_channel_is_subscribed_once_and_unsubscribed_once(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    socket = await sandbox.socket(trader=trader)
    for channel in PUBLIC + PRIVATE:
        assert (await socket.call("unsubscribe", channel=channel))["error"]["code"] == ws.METHOD_ERROR
        await socket.subscribe(channel)
        assert (await socket.call("subscribe", channel=channel))["error"]["code"] == ws.METHOD_ERROR
        assert (await socket.call("unsubscribe", channel=channel))["result"] == {"channel": channel}
        assert (await socket.call("unsubscribe", channel=channel))["error"]["code"] == ws.METHOD_ERROR


async def test_private_channels_and_orders_need_authentication(sandbox: Sandbox) -> None:
    socket = await sandbox.socket()
    for channel in PRIVATE:
        assert (await socket.call("subscribe", channel=channel))["error"]["code"] == ws.NOT_AUTHENTICATED
    for method in ("order.create", "order.cancel", "order.cancel_all"):
        assert (await socket.call(method, id="1"))["error"]["code"] == ws.NOT_AUTHENTICATED


async def test_an_unsubscribed_channel_says_no_more(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    socket = await sandbox.socket(trader=trader)
    await socket.subscribe("orders.ALL", "account")
    await trader.place("BUY", "0.01", "59000")
    await socket.next("orders.ALL")
    await socket.call("unsubscribe", channel="orders.ALL")
    await socket.drain()
    await trader.place("BUY", "0.01", "58000")
    channels = {channel for channel, _ in await socket.drain()}
    assert channels == {"account"}


async def test_orders_over_the_socket(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    socket = await sandbox.socket(trader=trader)
    body = await trader.order_body("BUY", "0.01", "59000", client_id="rpc")
    created = (await socket.call("order.create", **body))["result"]
    assert (created["order"]["status"], created["order"]["client_id"]) == ("NEW", "rpc")
    assert created["received_at"] // 10**6 == created["created_at"]
    order_id = created["order"]["id"]
    assert (await socket.call("order.cancel", client_id="rpc"))["error"]["code"] == ws.INVALID_PARAMS
    cancelled = await socket.call("order.cancel", client_id="rpc", market=MARKET)
    assert cancelled["result"] == {"order_id": order_id, "status": "QUEUED_FOR_CANCELLATION"}
    error = (await socket.call("order.cancel", id=order_id))["error"]
    assert (error["code"], error["data"]) == (ws.METHOD_ERROR, {"error": "ORDER_IS_CLOSED"})

    nested = await trader.order_body("BUY", "0.01", "59000")
    assert "result" in await socket.call("order.create", order=nested)
    assert (await socket.call("order.cancel_all", market=MARKET))["result"] == {"status": "ok"}
    assert (await trader.get("/orders")).json["results"] == []
    forged = {**nested, "size": "0.02"}
    error = (await socket.call("order.create", **forged))["error"]
    assert (error["code"], error["data"]) == (ws.METHOD_ERROR, {"error": "INVALID_ORDER_SIGNATURE"})


async def test_an_idle_connection_gets_heartbeats(start: Starter) -> None:
    sandbox = await start(times=SocketTimes(heartbeat=0.05))
    socket = await sandbox.socket()
    await socket.next("heartbeat")
    await socket.next("heartbeat")
    assert [struct.unpack_from("<HHHHqq", frame)[5] for frame in socket.frames[:2]] == [1, 2]


async def test_a_client_that_answers_pings_stays_and_one_that_does_not_is_cut(start: Starter) -> None:
    sandbox = await start(times=SocketTimes(ping=0.05, pong=2.0))
    url = f"{sandbox.server.url}?sbeSchemaId=1&sbeSchemaVersion=2"
    deaf = await sandbox.session.ws_connect(url, autoping=False)
    attentive = await sandbox.socket()
    message = await deaf.receive(timeout=TIMEOUT)
    assert message.type is aiohttp.WSMsgType.PING
    while message.type is aiohttp.WSMsgType.PING:
        message = await deaf.receive(timeout=TIMEOUT)
    assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
    await attentive.subscribe("markets_summary")


async def test_a_clients_own_ping_is_answered(sandbox: Sandbox) -> None:
    url = f"{sandbox.server.url}?sbeSchemaId=1&sbeSchemaVersion=2"
    connection = await sandbox.session.ws_connect(url, autoping=False)
    await connection.ping(b"are you there")
    message = await connection.receive(timeout=TIMEOUT)
    assert (message.type, bytes(message.data)) == (aiohttp.WSMsgType.PONG, b"are you there")
    await connection.close()


async def test_a_client_that_does_not_read_is_cut_and_holds_up_nobody(
    busy_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ws, "MAX_UNREAD", 50)
    sandbox = busy_sandbox
    reader, writer = await asyncio.open_connection(sandbox.server.host, sandbox.server.port, limit=1024)
    writer.write(
        b"GET /v1?sbeSchemaId=1&sbeSchemaVersion=2 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    for number, channel in enumerate(("markets_summary", "bbo.ALL", "trades.ALL")):
        request = b'{"jsonrpc":"2.0","id":%d,"method":"subscribe","params":{"channel":"%s"}}' % (
            number,
            channel.encode(),
        )
        writer.write(bytes([0x81, 0x80 | len(request)]) + bytes(4) + request)
    await writer.drain()
    lively = await sandbox.socket()
    await lively.subscribe("markets_summary.ALL")
    assert len(_slow_sessions(sandbox)) == 1
    for _ in range(200):
        if not _slow_sessions(sandbox):
            break
        await sandbox.advance(5_000)
        await lively.drain()
    assert not _slow_sessions(sandbox), "still connected after thousands of unread messages"
    await sandbox.advance(1_000)
    await lively.next(f"markets_summary.{MARKET}")
    writer.close()


async def test_a_client_that_reads_survives_a_long_step_of_the_clock(busy_sandbox: Sandbox) -> None:
    socket = await busy_sandbox.socket()
    await socket.subscribe("markets_summary", "bbo.ALL", "trades.ALL", f"order_book.{MARKET}.deltas@15@50ms")
    await busy_sandbox.advance(300_000)
    assert len(await socket.drain()) > ws.MAX_UNREAD


def _slow_sessions(sandbox: Sandbox) -> list[object]:
    subscribers = sandbox.server.runtime.hub._subscribers
    return list(subscribers.get(("trades.ALL", None), ()))


async def test_stopping_the_server_closes_connections_properly(start: Starter) -> None:
    sandbox = await start()
    socket: Socket = await sandbox.socket()
    await sandbox.server.stop()
    assert await socket.closed() == 1001
