"""Whatever is sent, the answer is one that Paradex could give: never a 500, never a form that the spec does not know.

Requests are made up from the OpenAPI file's own parameters and schemas, right ones, wrong ones and noise.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from paradex_py.account.subkey_account import SubkeyAccount

from paradex_sandbox.api.rest_unsupported import FAMILIES
from paradex_sandbox.api.ws import METHODS
from tests.sandbox import spec
from tests.sandbox.client import MARKET, TIMEOUT, Trader
from tests.sandbox.conftest import Starter

#: About half a minute in all.
EXAMPLES = 2500
SOCKET_EXAMPLES = 400

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
#: Texts that mean something somewhere.
words = st.sampled_from(
    [
        *(MARKET, "ALL", "ETH-USD", "BUY", "SELL", "LIMIT", "MARKET", "STOP_MARKET", "TWAP", "OPEN", "GTC", "RPI"),
        *("0", "1", "-1", "0.001", "1e400", "NaN", "99999999999999999999", "0x1", "0x0", '["1","2"]', "", "jwt"),
        *("true", "REDUCE_ONLY", "10.0.0.0/8", "active", "pending", "interactive", "starknet", "pnl", "٣", "\x00"),
    ]
)


#: Right values by the name of a parameter or field.
GOOD = {
    "market": [MARKET],
    "symbol": [MARKET],
    "size": ["0.01", "1"],
    "price": ["60000"],
    "resolution": ["1", "60"],
    "type": ["LIMIT", "MARKET", "STOP_MARKET", "pnl"],
    "signature": ['["1","2"]'],
    "token_type": ["jwt"],
    "leverage": [5],
    "margin_type": ["CROSS"],
    "max_slippage": ["0.001"],
    "expiry_duration": [3600],
    "account_signer_type": ["starknet"],
    "cursor": [""],
}


async def use_main_key(trader: Trader) -> None:
    """Logs in with the main key: it may do more than a subkey."""
    trader.signer = SubkeyAccount(trader.signer.config, trader.keys["private_key"], trader.address)
    await trader.login()


class Service:
    """A sandbox with a session in an event loop of its own: hypothesis calls functions, not coroutines."""

    def __init__(self, data: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self._starter = Starter()
        # With a database: what is accepted must be of a kind that can be kept.
        self.sandbox = self.run(self._starter(traders=True, data=data))
        self.trader: Trader = self.run(self.sandbox.trader())
        self.run(use_main_key(self.trader))

    def run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(coroutine, TIMEOUT))

    def close(self) -> None:
        self.run(self.sandbox.close())
        self.loop.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("fuzz"))
    yield service
    service.close()


def schema_values(schema: dict[str, Any], depth: int = 3) -> st.SearchStrategy[Any]:
    """Values of a schema of the OpenAPI file, now and then others."""
    document = spec.openapi()
    assert document is not None
    if "$ref" in schema:
        kind, name = schema["$ref"].split("/")[-2:]
        target = document["components"][kind][name]
        if kind == "requestBodies":
            target = target["content"]["application/json"]["schema"]
        return schema_values(target, depth)
    if "allOf" in schema:
        return schema_values(schema["allOf"][0], depth)
    kind = schema.get("type")
    if "enum" in schema:
        wanted: st.SearchStrategy[Any] = st.sampled_from(schema["enum"])
    elif kind == "integer":
        wanted = st.integers(-10, 2**64) | st.sampled_from([1, 30, 60, 5000, 1_795_000_000_000])
    elif kind == "number":
        wanted = st.floats(allow_nan=False, allow_infinity=False)
    elif kind == "boolean":
        wanted = st.booleans()
    elif kind == "array":
        wanted = st.lists(schema_values(schema.get("items", {}), depth - 1), max_size=3)
    elif kind == "object" and depth > 0:
        wanted = st.fixed_dictionaries(
            {},
            optional={name: named_values(name, part, depth - 1) for name, part in schema.get("properties", {}).items()},
        )
    else:
        wanted = words | st.text(max_size=20)
    return st.one_of(wanted, wanted, wanted, json_values)


def named_values(name: str, schema: dict[str, Any], depth: int = 3) -> st.SearchStrategy[Any]:
    """Values of a field, often right ones where the name says what is right."""
    values = schema_values(schema, depth)
    return values if name not in GOOD else st.sampled_from(GOOD[name]) | values


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """Method, path, query and body of a request to an operation of the OpenAPI file."""
    document = spec.openapi()
    if document is None:
        return {"method": "GET", "path": "/markets", "query": {"market": draw(words)}, "body": None}
    path = draw(st.sampled_from(sorted(path for path in document["paths"] if not path.startswith(tuple(FAMILIES)))))
    method = draw(st.sampled_from(sorted(document["paths"][path])))
    operation = document["paths"][path][method]
    query = {}
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "query" and draw(st.sampled_from([parameter.get("required", False), True])):
            query[parameter["name"]] = str(draw(named_values(parameter["name"], parameter.get("schema", {}))))
    body: Any = None
    if "requestBody" in operation:
        content = operation["requestBody"]
        schema = content["content"]["application/json"]["schema"] if "content" in content else content
        body = draw(st.one_of(schema_values(schema).map(json.dumps), st.binary(max_size=40)))
    segment = words.filter(bool) | st.text(min_size=1, max_size=10)
    filled = re.sub(
        r"\{(\w+)\}",
        lambda match: draw(st.sampled_from(GOOD.get(match[1], ["1"])) | segment).replace("/", "_").replace(".", "_"),
        path,
    )
    return {"method": method.upper(), "path": filled, "query": query, "body": body}


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(request=requests(), logged_in=st.sampled_from([True, True, True, False]))
def test_any_request_gets_an_answer_of_the_spec(service: Service, request: dict[str, Any], logged_in: bool) -> None:
    trader = service.trader
    body, token = request["body"], trader.token
    data = body.encode() if isinstance(body, str) else body
    trader.token = token if logged_in else None
    try:
        # The client checks the answer against the schema of the operation, or of errors.
        url = aiohttp.client.URL(trader.url + "/").joinpath(request["path"].lstrip("/")) % request["query"]
        path = str(url).removeprefix(trader.url)
        answer = service.run(trader.call(request["method"], path, data=data))
    finally:
        trader.token = token
    assert answer.status < 500, (request, answer.text)
    assert answer.status < 400 or set(answer.json) == {"error", "message", "data"}


#: Those that somebody here reads, and any other.
header_names = st.sampled_from(
    [
        *("Authorization", "PARADEX-STARKNET-ACCOUNT", "PARADEX-STARKNET-SIGNATURE", "PARADEX-TIMESTAMP"),
        *("PARADEX-SIGNATURE-EXPIRATION", "PARADEX-EVM-SIGNATURE", "PARADEX-SIWE-MESSAGE", "Content-Type", "Expect"),
        *("Content-Encoding", "Content-Length", "Transfer-Encoding", "Cookie", "Origin", "Host", "Upgrade", "Range"),
    ]
).map(str.encode) | st.from_regex(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,30}", fullmatch=True)
header_values = st.one_of(
    st.binary(max_size=60).map(lambda value: value.replace(b"\r", b"").replace(b"\n", b"")),
    words.map(lambda word: ("Bearer " + word).encode()),
    words.map(str.encode),
    st.integers(0, 9000).map(lambda length: b"x" * length),
)


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    line=st.sampled_from(["GET /v1/account", "GET /v1/markets", "POST /v1/auth", "POST /v2/auth", "DELETE /v1/orders"]),
    headers=st.lists(st.tuples(header_names, header_values), max_size=4),
    body=st.binary(max_size=20),
)
def test_any_headers_get_an_answer_of_the_spec(
    service: Service, line: str, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    async def send() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.sandbox.server.port)
        head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        writer.write(line.encode() + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + head + b"\r\n" + body)
        writer.write_eof()
        answer = b""
        with contextlib.suppress(ConnectionResetError):  # when it was refused before all had been read
            answer = await reader.read()
        writer.close()
        return answer

    answer = service.run(send()).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    if answer:  # none where the headers promise a body that does not come
        head, _, text = answer.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        assert status < 500, answer
        if status != 400:  # which may be said of the request as a whole, before it is known what it is for
            method, path = line.split()
            length = re.search(rb"content-length: (\d+)", head.lower())
            spec.check_answer(
                method, path.removeprefix("/v1"), status, text[: int(length[1]) if length else 0].decode()
            )
        else:
            assert b"application/json" in head
            assert json.loads(text.splitlines()[0])["error"]


@settings(max_examples=SOCKET_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    method=st.sampled_from(sorted(METHODS)) | st.text(max_size=10),
    params=st.dictionaries(
        st.sampled_from(
            [
                *("channel", "markets", "add", "remove", "bearer", "orders", "order", "order_ids", "enabled", "id"),
                *("client_id", "market", "side", "type", "size", "price", "instruction", "signature", "stp", "flags"),
                *("signature_timestamp", "recv_window", "trigger_price"),
            ]
        ),
        words | json_values | st.sampled_from(["markets_summary", f"bbo.{MARKET}", "orders.ALL"]),
        max_size=12,
    )
    | json_values,
)
def test_any_rpc_gets_an_answer_with_its_id(service: Service, method: str, params: Any) -> None:
    async def call() -> dict[str, Any]:
        url = f"{service.sandbox.server.url}?sbeSchemaId=1&sbeSchemaVersion=2"
        async with service.sandbox.session.ws_connect(url) as socket:
            login = {"jsonrpc": "2.0", "id": 0, "method": "auth", "params": {"bearer": service.trader.token}}
            await socket.send_json(login)
            await socket.send_json({"jsonrpc": "2.0", "id": "fuzz", "method": method, "params": params})
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT and json.loads(message.data).get("id") == "fuzz":
                    return json.loads(message.data)
        raise AssertionError("the connection was closed")

    answer = service.run(call())
    assert ("result" in answer) != ("error" in answer)
    if "error" in answer:
        assert answer["error"]["code"] in (-32600, -32601, -32602, 100, 40110, 40111, 40300), answer
        assert isinstance(answer["error"]["message"], str)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.binary(max_size=200) | st.text(max_size=200) | json_values.map(json.dumps))
def test_any_message_gets_an_error_and_the_connection_lives(service: Service, data: bytes | str) -> None:
    async def call() -> None:
        socket = await service.sandbox.socket()
        try:
            assert (await socket.raw(data))["error"]["code"] in (-32700, -32600, -32601, -32602)
            assert "error" in await socket.call("nothing")
        finally:
            await socket.close()

    service.run(call())


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    head=st.sampled_from(
        [b"", b"GET ", b"POST /v1/orders HTTP/1.1\r\n", b"GET /v1 HTTP/1.1\r\nUpgrade: websocket\r\n"]
    ),
    noise=st.binary(max_size=100),
)
def test_any_bytes_leave_the_exchange_unharmed(service: Service, head: bytes, noise: bytes) -> None:
    async def send() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.sandbox.server.port)
        writer.write(head + noise + b"\r\n\r\n")
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer

    answer = service.run(send())
    if answer:
        head_of_answer, _, body = answer.partition(b"\r\n\r\n")
        assert b" 500 " not in head_of_answer.splitlines()[0]
        assert b"application/json" in head_of_answer, answer
        assert json.loads(body.splitlines()[0])["error"]
    assert service.run(service.sandbox.rest.get("/system/state")).status == 200


CONTROL = [
    *[("POST", path) for path in ("/accounts", "/mark_price", "/faults", "/settings", "/release")],
    *[("POST", f"/accounts/{{account}}/{what}") for what in ("deposit", "subkeys", "rpi")],
    *[("DELETE", path) for path in ("/accounts/{account}/subkeys/0x1", "/faults/1")],
    *[("GET", path) for path in ("/faults", "/faults/kinds", "/settings", "/clock", "/state", "/nothing")],
    *[("POST", f"/markets/{MARKET}"), ("POST", "/markets/NO"), ("DELETE", "/markets/NO")],
    *[("POST", "/markets")] * 3,
]
control_fields = st.sampled_from(
    [
        *("usdc", "amount", "token", "name", "public_key", "market", "price", "kind", "count", "duration_ms", "status"),
        *("private_encoding", "system_status", "rate_limits", "in_ms", "allowed", "price_tick_size", "expiry_at"),
        *("fill_id", "account", "ms", "channel", "results", "symbol", "delta1_cross_margin_params", "simulation"),
    ]
)
control_values = words | json_values | st.sampled_from(["bust_trade", "revoke_subkey", "expire_tokens", "clock_shift"])


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    operation=st.sampled_from(CONTROL), body=st.dictionaries(control_fields, control_values, max_size=6) | json_values
)
def test_any_body_leaves_the_control_surface_unharmed(service: Service, operation: tuple[str, str], body: Any) -> None:
    async def call() -> tuple[int, Any]:
        method, path = operation
        url = service.sandbox.server.url.removesuffix("/v1") + "/sandbox" + path.format(account=service.trader.address)
        async with service.sandbox.session.request(method, url, json=body) as response:
            return response.status, json.loads(await response.text() or "{}")

    try:
        status, answer = service.run(call())
        assert status < 500, (operation, body, answer)
        assert status < 400 or set(answer) == {"error", "message", "data"}
    finally:
        service.run(service.sandbox.rest.control("DELETE", "/faults"))
