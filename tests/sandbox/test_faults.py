"""Every fault, struck at a client over real sockets."""

import asyncio
import json
import re
import struct
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import aiohttp
import pytest
from paradex_py.api.sbe import SbeDecodeError, codec as sbe_codec
from paradex_py.api.sbe.codec import decode_frame

from paradex_sandbox import faults
from paradex_sandbox.api.sbe import ENUM_OFFSETS
from paradex_sandbox.faults import KINDS, FaultKind
from tests.sandbox.client import MARKET, TIMEOUT, Trader
from tests.sandbox.conftest import Sandbox, Starter

COMPARISON = "funding_rate_comparison.ALL@500ms"
DELTAS = f"order_book.{MARKET}.deltas@15@50ms"


async def arm(sandbox: Sandbox, kind: str, **parameters: Any) -> dict[str, Any]:
    return await sandbox.rest.control("POST", "/faults", {"kind": kind, **parameters})


async def armed(sandbox: Sandbox) -> list[str]:
    return [fault["kind"] for fault in (await sandbox.rest.control("GET", "/faults"))["results"]]


class RawSocket:
    """A connection that hands over what came, unread and unchecked."""

    def __init__(self, connection: aiohttp.ClientWebSocketResponse):
        self.connection = connection

    @classmethod
    async def open(cls, sandbox: Sandbox, *channels: str, trader: Trader | None = None) -> "RawSocket":
        url = f"{sandbox.server.url}?sbeSchemaId=1&sbeSchemaVersion=2"
        socket = cls(await sandbox.session.ws_connect(url))
        if trader is not None:
            await socket.request("auth", bearer=trader.token)
        for channel in channels:
            await socket.request("subscribe", channel=channel)
        await socket.messages()
        return socket

    async def request(self, method: str, **params: Any) -> None:
        await self.connection.send_json({"jsonrpc": "2.0", "id": method, "method": method, "params": params})

    async def next(self) -> bytes | str:
        return (await self.connection.receive(TIMEOUT)).data

    async def messages(self) -> list[bytes | str]:
        """All that was sent so far."""
        await self.request("nothing")
        found: list[bytes | str] = []
        while True:
            message = await self.next()
            if isinstance(message, str) and '"id":"nothing"' in message:
                return found
            found.append(message)


def seq(frame: bytes | str) -> int:
    assert isinstance(frame, bytes)
    return struct.unpack_from("<q", frame, 16)[0]


async def move_the_book(sandbox: Sandbox, trader: Trader, times: int) -> None:
    """One change of the book, and one message of its deltas, for each time."""
    for number in range(times):
        await trader.place("BUY", "0.01", str(59000 - number))
        await trader.get("/orders")
    sandbox.runtime.hub.flush_books()


# -- the registry -----------------------------------------------------------------------------------------------------


async def test_the_kinds_describe_themselves(sandbox: Sandbox) -> None:
    kinds = (await sandbox.rest.control("GET", "/faults/kinds"))["results"]
    assert [kind["kind"] for kind in kinds] == list(FaultKind)
    assert all(kind["description"].endswith(".") for kind in kinds)
    assert {kind for entry in kinds for kind in entry["parameters"].values()} == {"int", "str", "bool"}
    for kind in kinds:
        assert set(kind["parameters"]) == set(kind["defaults"])


def test_the_table_of_the_module_is_complete() -> None:
    table = [line for line in (faults.__doc__ or "").splitlines() if line.startswith("| ")][2:]
    rows = {}
    for line in table:
        name, parameters = (cell.strip() for cell in line.split("|")[1:3])
        rows[name] = {part.strip() for part in parameters.split(",") if part.strip()}
    expected = {f"{kind} *now*" if info.immediate else str(kind): set(info.parameters) for kind, info in KINDS.items()}
    assert rows == expected


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if not KINDS[kind].immediate])
async def test_a_fault_ends_by_count_by_time_and_by_hand(sandbox: Sandbox, kind: str) -> None:
    counted = await arm(sandbox, kind, count=3)
    timed = await arm(sandbox, kind, duration_ms=1000)
    lasting = await arm(sandbox, kind)
    assert (counted["remaining"], counted["until"]) == (3, None)
    assert timed["remaining"] is None
    assert lasting["until"] is None
    await sandbox.advance(1000)
    assert len(await armed(sandbox)) == 2
    await sandbox.rest.control("DELETE", f"/faults/{lasting['id']}")
    await sandbox.rest.control("DELETE", "/faults")
    assert await armed(sandbox) == []


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "http_error", "status": 200},
        {"kind": "http_error", "status": True},
        {"kind": "http_error", "path": 3},
        {"kind": "stream_delay", "delay_ms": 0},
        {"kind": "frame_cut", "bytes": -1},
        {"kind": "clock_shift", "ms": 10**12},
        {"kind": "http_drop", "before": 1},
    ],
)
async def test_parameters_are_checked(sandbox: Sandbox, body: dict[str, Any]) -> None:
    url = sandbox.server.url.removesuffix("/v1") + "/sandbox/faults"
    async with sandbox.session.post(url, json=body) as response:
        assert (response.status, (await response.json())["error"]) == (400, "VALIDATION_ERROR")
    assert await armed(sandbox) == []


# -- REST -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_http_error(sandbox: Sandbox, status: int) -> None:
    trader = await sandbox.trader()
    await arm(sandbox, "http_error", status=status, path="/orders", method="POST", count=1, retry_after=7)
    assert (await trader.get("/orders")).status == 200
    answer = await trader.order("BUY", "0.01", "59000")
    assert (answer.status, answer.headers["Retry-After"]) == (status, "7")
    assert (await trader.get("/orders")).json["results"] == []
    assert (await trader.order("BUY", "0.01", "59000")).status == 201


async def test_http_html(sandbox: Sandbox) -> None:
    await arm(sandbox, "http_html", count=1)
    async with sandbox.session.get(sandbox.server.url + "/system/time") as response:
        assert (response.status, response.content_type) == (502, "text/html")
        assert "<html>" in await response.text()
    assert (await sandbox.rest.get("/system/time")).status == 200


async def test_http_cut_json(sandbox: Sandbox) -> None:
    await arm(sandbox, "http_cut_json", count=1, path="/markets")
    async with sandbox.session.get(sandbox.server.url + "/markets") as response:
        assert response.status == 200
        with pytest.raises(json.JSONDecodeError):
            json.loads(await response.text())
    assert (await sandbox.rest.get("/markets")).status == 200


@pytest.mark.parametrize("before", [False, True])
async def test_http_drop(sandbox: Sandbox, before: bool) -> None:
    trader = await sandbox.trader()
    await arm(sandbox, "http_drop", path="/orders", method="POST", before=before, count=1)
    with pytest.raises(aiohttp.ClientError):
        await trader.order("BUY", "0.01", "59000")
    assert len((await trader.get("/orders")).json["results"]) == (0 if before else 1)


async def test_http_delay(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    await arm(sandbox, "http_delay", delay_ms=2000, path="/orders", method="POST", count=1)
    late = asyncio.create_task(trader.order("BUY", "0.01", "59000"))
    while not (await trader.get("/orders")).json["results"]:
        assert not late.done()
    assert not late.done()
    assert (await late).status == 201


async def test_a_server_that_ends_answers_what_it_has_begun(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    await arm(sandbox, "order_delay", delay_ms=200, count=1)
    late = asyncio.create_task(trader.order("BUY", "0.01", "59000"))
    while await armed(sandbox):
        assert not late.done()
    await sandbox.server.stop()
    assert (await late).status == 201


async def test_order_delay(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    await arm(sandbox, "order_delay", delay_ms=2000, count=1)
    late = asyncio.create_task(trader.order("BUY", "0.01", "59000", client_id="late"))
    while await armed(sandbox):
        assert not late.done()
    assert (await trader.get("/orders")).json["results"] == []
    assert not late.done()
    assert (await late).status == 201


async def test_unknown_enum_in_an_answer(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    await trader.place("BUY", "0.01", "59000")
    await arm(sandbox, "unknown_enum", path="/orders", field="instruction", value="FOK", count=1)
    async with sandbox.session.get(
        sandbox.server.url + "/orders", headers={"Authorization": f"Bearer {trader.token}"}
    ) as response:
        assert [order["instruction"] for order in (await response.json())["results"]] == ["FOK"]


# -- connections ------------------------------------------------------------------------------------------------------


async def test_drop_sockets_after_some_messages(sandbox: Sandbox) -> None:
    socket = await RawSocket.open(sandbox, "markets_summary")
    await arm(sandbox, "drop_sockets", after_messages=3)
    for _ in range(5):
        await socket.request("nothing")
    received = []
    while (message := await socket.connection.receive(TIMEOUT)).type is aiohttp.WSMsgType.TEXT:
        received.append(message)
    assert len(received) <= 3
    assert socket.connection.closed
    await RawSocket.open(sandbox)


async def test_refuse_connections(sandbox: Sandbox) -> None:
    fault = await arm(sandbox, "refuse_connections")
    with pytest.raises(aiohttp.ClientError):
        await sandbox.socket()
    await sandbox.rest.control("DELETE", f"/faults/{fault['id']}")
    await sandbox.socket()
    await arm(sandbox, "refuse_connections", rest=True, duration_ms=1000)
    with pytest.raises(aiohttp.ClientError):
        await sandbox.rest.get("/markets")
    await sandbox.advance(1000)
    assert (await sandbox.rest.get("/markets")).status == 200


@pytest.mark.parametrize(
    ("fault", "answer", "placed"),
    [
        ({"kind": "rpc_error", "code": -32000}, {"code": -32000}, False),
        ({"kind": "rpc_error", "code": 42901, "retry_after": 3}, {"code": 42901, "data": {"retry_after": 3}}, False),
        ({"kind": "rpc_cut_json"}, None, True),
        ({"kind": "rpc_silence"}, None, True),
        ({"kind": "rpc_silence", "before": True}, None, False),
    ],
)
async def test_calls_over_the_socket_are_refused_cut_off_or_not_answered(
    sandbox: Sandbox, fault: dict[str, Any], answer: dict[str, Any] | None, placed: bool
) -> None:
    trader = await sandbox.trader()
    socket = await RawSocket.open(sandbox, trader=trader)
    await arm(sandbox, **fault, call="order.create", count=1)
    await socket.request("order.create", **await trader.order_body("BUY", "0.01", "59000", client_id="mine"))
    came = await socket.messages()
    if answer is not None:
        (text,) = came
        error = json.loads(text)["error"]
        assert {name: error[name] for name in answer} == answer
    elif fault["kind"] == "rpc_cut_json":
        (text,) = came
        with pytest.raises(json.JSONDecodeError):
            json.loads(text)
    else:
        assert came == []
    orders = (await trader.get("/orders")).json["results"]
    assert [order["client_id"] for order in orders] == (["mine"] if placed else [])
    await socket.request("order.cancel_all")
    (text,) = await socket.messages()
    assert json.loads(text)["result"] == {"status": "ok"}


# -- streams ----------------------------------------------------------------------------------------------------------


async def test_stream_lose_and_duplicate_and_reorder(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    socket = await RawSocket.open(sandbox, DELTAS)
    await move_the_book(sandbox, trader, 2)
    first = seq((await socket.messages())[-1])
    await arm(sandbox, "stream_lose", channel="order_book", count=1)
    await move_the_book(sandbox, trader, 3)
    assert [seq(frame) - first for frame in await socket.messages()] == [2, 3]
    await arm(sandbox, "stream_duplicate", channel="order_book", count=1)
    await move_the_book(sandbox, trader, 2)
    assert [seq(frame) - first for frame in await socket.messages()] == [4, 4, 5]
    await arm(sandbox, "stream_reorder", channel="order_book", count=1)
    await move_the_book(sandbox, trader, 3)
    assert [seq(frame) - first for frame in await socket.messages()] == [7, 6, 8]
    assert await armed(sandbox) == []


async def test_book_gap_strikes_updates_only(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    await arm(sandbox, "book_gap", market="ETH", count=1)
    await arm(sandbox, "book_gap", market=MARKET, count=1)
    socket = await sandbox.socket()
    await socket.subscribe(DELTAS)
    first = (await socket.next(f"order_book.{MARKET}")).seq_no
    await move_the_book(sandbox, trader, 2)
    assert (await socket.next(f"order_book.{MARKET}")).seq_no == first + 2
    assert [fault["market"] for fault in (await sandbox.rest.control("GET", "/faults"))["results"]] == ["ETH"]


async def test_stream_delay_keeps_the_order(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    socket = await RawSocket.open(sandbox, DELTAS)
    await arm(sandbox, "stream_delay", channel="order_book", delay_ms=1500, count=1)
    await move_the_book(sandbox, trader, 3)
    assert await socket.messages() == []
    numbers = [seq(await socket.next()) for _ in range(3)]
    assert numbers == sorted(numbers)
    await move_the_book(sandbox, trader, 1)
    assert seq(await socket.next()) == numbers[-1] + 1


async def test_frames_that_are_cut_off_or_unknown(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    socket = await RawSocket.open(sandbox, DELTAS, "orders.ALL", trader=trader)
    await arm(sandbox, "frame_cut", channel="order_book", bytes=30, count=1)
    await move_the_book(sandbox, trader, 1)
    frame = next(message for message in await socket.messages() if isinstance(message, bytes))
    assert len(frame) == 30
    with pytest.raises(SbeDecodeError):
        decode_frame(frame)
    await arm(sandbox, "frame_cut", channel="orders", count=1)
    await trader.place("BUY", "0.01", "59000")
    assert '{"jsonrpc":"2.0","me' in [message for message in await socket.messages() if isinstance(message, str)]
    sandbox.runtime.hub.flush_books()
    await socket.messages()
    await arm(sandbox, "frame_unknown", channel="order_book", count=1)
    await move_the_book(sandbox, trader, 1)
    frames = [message for message in await socket.messages() if isinstance(message, bytes)]
    assert [struct.unpack_from("<H", frame, 2)[0] for frame in frames] == [9999, 3]


async def test_unknown_enum_in_messages(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    socket = await RawSocket.open(sandbox, DELTAS, "orders.ALL", trader=trader)
    await arm(sandbox, "unknown_enum", channel="orders", field="status", count=1)
    await arm(sandbox, "unknown_enum", channel="order_book", count=1)
    await move_the_book(sandbox, trader, 1)
    messages = await socket.messages()
    orders = [json.loads(message)["params"]["data"]["status"] for message in messages if isinstance(message, str)]
    assert orders == ["SANDBOX_UNKNOWN", "OPEN"]
    assert [frame[24] for frame in messages if isinstance(frame, bytes)] == [200]


#: Names of the JSON API by those of the SBE schema, where they differ by more than the way to write them.
NAMES = {"order_type": "type", "time_in_force": "instruction", "pkg_type": "update_type"}


def enumerations() -> dict[int, dict[str, int]]:
    """Where the SDK's copy of the SBE schema has enumerations in the fixed blocks of the templates that are served."""
    root = ElementTree.parse(Path(sbe_codec.__file__).with_name("paradex_1_0.xml")).getroot()
    sizes = {
        "int8": 1,
        "uint8": 1,
        "char": 1,
        "int16": 2,
        "uint16": 2,
        "int32": 4,
        "uint32": 4,
        "int64": 8,
        "uint64": 8,
    }
    enums = set()
    for element in root.iter():
        name = element.get("name", "")
        if element.tag == "type" and element.get("presence") != "constant":
            sizes[name] = sizes[element.get("primitiveType", "")] * int(element.get("length", "1"))
        elif element.tag == "composite":
            fixed = [part for part in element if part.get("presence") != "constant" and part.tag == "type"]
            sizes[name] = sum(sizes[part.get("primitiveType", "")] for part in fixed)
        elif element.tag in ("enum", "set"):
            sizes[name] = sizes[element.get("encodingType", "")]
            enums |= {name} if element.tag == "enum" else set()
    found: dict[int, dict[str, int]] = {}
    for message in root.iter("{http://fixprotocol.io/2016/sbe}message"):
        offset = 0
        for field in message.findall("field"):
            kind = field.get("type", "")
            if kind in enums:
                name = re.sub("[A-Z]", lambda match: "_" + match[0].lower(), field.get("name", ""))
                found.setdefault(int(message.get("id", "")), {})[NAMES.get(name, name)] = offset
            offset += sizes[kind]
    return found


def test_every_enumeration_of_the_schema_can_be_unknown() -> None:
    assert enumerations() == ENUM_OFFSETS


async def test_unknown_enum_in_every_template(start: Starter) -> None:
    sandbox = await start(private_binary=True)
    await sandbox.mark("60000")
    maker, taker = await sandbox.trader(), await sandbox.trader()
    channels = [f"trades.{MARKET}", DELTAS, COMPARISON, "orders.ALL", "fills.ALL", "positions", "account"]
    socket = await RawSocket.open(sandbox, *channels, trader=taker)
    fields = {1: "trade_type", 3: "", 6: "source", 20: "instruction", 21: "liquidity", 22: "status", 23: "status"}
    for channel, field in zip(channels, fields.values(), strict=True):
        await arm(sandbox, "unknown_enum", channel=channel, field=field)
    await socket.messages()  # what came before all faults were armed; some channels send by the wall clock
    await maker.place("SELL", "0.1", "60000")
    await taker.place("BUY", "0.1", "60000")
    await sandbox.advance(1000)
    sandbox.runtime.hub.flush_books()
    sandbox.runtime.hub.publish_comparison()
    frames = [message for message in await socket.messages() if isinstance(message, bytes)]
    for template, field in fields.items():
        offset = 8 + (ENUM_OFFSETS[template][field] if field else 16)
        spoiled = {frame[offset] for frame in frames if struct.unpack_from("<H", frame, 2) == (template,)}
        assert spoiled == {200}, (template, field)


# -- tokens, clock, trades --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "word"), [("expire_tokens", "expired"), ("revoke_tokens", "revoked")])
async def test_tokens_end(sandbox: Sandbox, kind: str, word: str) -> None:
    one, other = await sandbox.trader(), await sandbox.trader()
    await arm(sandbox, kind, account=one.address)
    answer = await one.get("/account")
    assert (answer.status, answer.error) == (401, "INVALID_TOKEN")
    assert word in answer.json["message"]
    assert (await other.get("/account")).status == 200
    await one.login()
    assert (await one.get("/account")).status == 200
    await arm(sandbox, kind)
    assert [(await trader.get("/account")).status for trader in (one, other)] == [401, 401]
    assert await armed(sandbox) == []


async def test_the_subkey_is_revoked(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    await arm(sandbox, "revoke_subkey", account=trader.address)
    assert (await trader.get("/account")).error == "INVALID_TOKEN"
    headers = await trader.auth_headers()
    answer = await trader.call("POST", f"/auth/{trader.keys['api_public_key']}", headers=headers)
    assert answer.error == "INVALID_SUBKEY"


async def test_the_clock_is_shifted(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    now = await sandbox.rest.now()
    await arm(sandbox, "clock_shift", ms=-3_600_000)
    assert await sandbox.rest.now() == now - 3_600_000
    answer = await trader.order("BUY", "0.01", "59000", timestamp=now)
    assert answer.error == "INVALID_TIMESTAMP"
    await sandbox.rest.control("DELETE", "/faults")
    await arm(sandbox, "clock_shift", ms=600_000)
    assert (await trader.get("/account")).error == "INVALID_TOKEN"
    await sandbox.rest.control("DELETE", "/faults")
    await arm(sandbox, "clock_shift", ms=1000, count=1)
    assert [await sandbox.rest.now() for _ in range(2)] == [now + 1000, now]


async def test_web_pages_from_elsewhere_cannot_use_the_control_surface(sandbox: Sandbox) -> None:
    url = sandbox.server.url.removesuffix("/v1")
    for headers, status in (
        ({"Origin": "https://evil.example"}, 403),
        ({"Host": f"evil.example:{sandbox.server.port}"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": url}, 200),
        ({"Host": f"localhost:{sandbox.server.port}"}, 200),
        ({}, 200),
    ):
        async with sandbox.session.get(url + "/sandbox/state", headers=headers) as response:
            assert response.status == status, headers


async def test_bytes_that_are_no_http_are_answered_in_the_form_of_the_api(sandbox: Sandbox) -> None:
    for noise in (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"GET\r\n\r\n", b"GET /v1/markets HTTP/9.9\r\nA\r\n\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.server.port)
        writer.write(noise)
        answer = await asyncio.wait_for(reader.read(), TIMEOUT)
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b" 400 Bad Request" in head.splitlines()[0]
        assert json.loads(body)["error"] == "BINDING_ERROR"
    assert (await sandbox.rest.get("/system/time")).status == 200
