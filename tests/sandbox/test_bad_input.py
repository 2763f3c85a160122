"""Whatever comes in: an answer of the spec's form, and the exchange unharmed."""

import asyncio
import json
import random
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.sandbox.client import MARKET
from tests.sandbox.conftest import Sandbox

BODIES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"1e999",
    b"\xff\xfe\x00",
    b"[" * 200_000,
    b'{"a":' * 50_000,
    b"NaN",
    b'{"market":"' + b"x" * 100_000 + b'"}',
]
POSTS = ["/orders", "/orders/batch", f"/account/margin/{MARKET}"]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
async def test_no_body_breaks_a_handler(sandbox: Sandbox, path: str, body: bytes) -> None:
    trader = await sandbox.trader()
    answer = await trader.call("POST", path, data=body)
    assert (answer.status, answer.error) in (
        (400, "BINDING_ERROR"),
        (400, "VALIDATION_ERROR"),
        (400, "BATCH_SIZE_OUT_OF_RANGE"),
    )


async def test_an_oversized_body_is_refused(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    answer = await trader.call("POST", "/orders", data=b" " * (2 * 1024 * 1024))
    assert (answer.status, answer.error) == (413, "VALIDATION_ERROR")
    assert (await trader.get("/account")).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/nothing", 404, "NOT_FOUND"),
        ("GET", "/", 404, "NOT_FOUND"),
        ("GET", "/orders/", 404, "NOT_FOUND"),
        ("POST", "/markets", 405, "REQUEST_NOT_ALLOWED"),
        ("PATCH", "/orders", 405, "REQUEST_NOT_ALLOWED"),
    ],
)
async def test_unknown_paths_and_methods_are_answered_in_json(
    sandbox: Sandbox, method: str, path: str, status: int, error: str
) -> None:
    answer = await sandbox.rest.call(method, path, headers={"Accept": "text/html"})
    assert (answer.status, answer.error) == (status, error)


async def test_a_handler_that_fails_shows_no_traceback(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(market: str) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(sandbox.runtime.exchange, "bbo", broken)
    answer = await sandbox.rest.get(f"/bbo/{MARKET}")
    assert (answer.status, answer.error) == (500, "INTERNAL_ERROR")
    assert "secret" not in answer.text
    socket = await sandbox.socket()
    error = (await socket.call("subscribe", channel=f"bbo.{MARKET}")).get("error")
    assert error is None or "secret" not in str(error)
    await socket.subscribe("markets_summary")


@pytest.mark.parametrize("seed", range(5))
async def test_random_bytes_on_the_port_harm_nobody(sandbox: Sandbox, seed: int) -> None:
    source = random.Random(seed)
    for _ in range(20):
        reader, writer = await asyncio.open_connection(sandbox.server.host, sandbox.server.port)
        prefix = source.choice([b"", b"GET /v1 HTTP/1.1\r\n", b"POST /v1/orders HTTP/1.1\r\nContent-Length: 5\r\n\r\n"])
        writer.write(prefix + source.randbytes(source.randrange(1, 500)) + b"\r\n\r\n")
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 10)
        assert b"Traceback" not in answer
        assert b"<html" not in answer.lower()
        writer.close()
    assert (await sandbox.rest.get("/system/time")).status == 200


@pytest.mark.parametrize("seed", range(5))
async def test_random_frames_on_a_socket_leave_it_usable(sandbox: Sandbox, seed: int) -> None:
    source = random.Random(seed)
    socket = await sandbox.socket()
    for _ in range(50):
        if source.random() < 0.5:
            answer = await socket.raw(source.randbytes(source.randrange(300)))
        else:
            answer = await socket.raw("".join(chr(source.randrange(1, 0xD7FF)) for _ in range(source.randrange(200))))
        assert answer["error"]["code"] < 0
    await socket.subscribe("markets_summary")


async def test_an_oversized_request_on_a_socket_ends_only_that_socket(sandbox: Sandbox) -> None:
    big, other = await sandbox.socket(), await sandbox.socket()
    await big.connection.send_str("x" * (300 * 1024))
    assert await big.closed() == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
    await other.subscribe("markets_summary")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=6,
)


async def test_any_value_in_any_field_is_refused_or_accepted_but_never_a_server_error(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    socket = await sandbox.socket(trader=trader)
    body = await trader.order_body("BUY", "0.01", "59000", recv_window=5000, trigger_price=None)
    body |= {"flags": [], "trigger_price": "1", "on_behalf_of_account": ""}
    examples: list[tuple[str, Any]] = []

    @given(st.sampled_from(sorted(body)), json_values)
    @settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def collect(field: str, value: Any) -> None:
        examples.append((field, value))

    collect()
    for field, value in examples:
        changed = json.loads(json.dumps({**body, field: value}))
        answer = await trader.call("POST", "/orders", data=json.dumps(changed))
        assert answer.status in (201, 400), (field, value, answer.text)
        result = await socket.call("order.create", **changed)
        assert "result" in result or result["error"]["code"] in (100, -32602), (field, value, result)
    await trader.place("BUY", "0.01", "58000")


async def test_any_value_in_any_parameter_is_no_server_error(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    values = ["", "0", "-1", "x", "ä", "²", "9" * 40, "1e5", "\x00", "BTC-USD-PERP", "%", "null", "0x", " "]
    names = [
        "market",
        "page_size",
        "start_at",
        "end_at",
        "cursor",
        "client_id",
        "status",
        "side",
        "depth",
        "price_tick",
    ]
    paths = ["/orders-history", "/fills", "/trades", "/funding/data", "/funding/payments", "/transfers", "/orders"]
    paths += ["/markets", "/markets/summary", f"/orderbook/{MARKET}", "/account/margin", "/tradebusts", "/transactions"]
    for path in paths:
        for name in names:
            for value in values:
                answer = await trader.get(path, **{name: value})
                assert answer.status in (200, 400), (path, name, value, answer.text)
