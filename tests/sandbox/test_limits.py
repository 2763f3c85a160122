"""The rate limits: token buckets on the sandbox's clock."""

import asyncio
import itertools

import aiohttp
import pytest

from paradex_sandbox.api import limits, ws
from paradex_sandbox.api.limits import Limiter, Rule
from tests.sandbox.client import MARKET, Answer
from tests.sandbox.conftest import Sandbox, Starter

HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Window")


def shown(answer: Answer) -> list[int]:
    return [int(answer.headers[name]) for name in HEADERS]


@pytest.fixture
async def limited(start: Starter) -> Sandbox:
    """A sandbox with limits, whose clock stands still: buckets refill only when it is stepped."""
    sandbox = await start(limits=True)
    await sandbox.mark("60000")
    return sandbox


def test_a_bucket_refills_continuously_and_never_over_its_limit() -> None:
    now = 1_000_000_000
    limiter = Limiter(lambda: now)
    rules = (Rule("x", 10, 60),)

    def take() -> bool:
        verdict = limiter.take([(rules, "me")])
        assert verdict is not None
        return verdict.allowed

    assert [take() for _ in range(11)] == [True] * 10 + [False]
    refused = limiter.take([(rules, "me")])
    assert refused is not None
    assert (refused.limit, refused.remaining, refused.window, refused.retry_after) == (10, 0, 60, 6)
    assert refused.reset == 1060
    now += 5_999_999
    assert not take()
    now += 1
    assert take()
    assert not take()
    now += 3_600_000_000
    assert [take() for _ in range(11)] == [True] * 10 + [False]


def test_a_request_that_one_bucket_refuses_takes_nothing_from_the_others() -> None:
    limiter = Limiter(lambda: 0)
    wide, narrow = (Rule("wide", 5, 60),), (Rule("narrow", 1, 60),)
    for _ in range(4):
        limiter.take([(wide, "me"), (narrow, "me")])
    verdict = limiter.take([(wide, "me")])
    assert verdict is not None
    assert (verdict.allowed, verdict.remaining) == (True, 3)


def test_idle_buckets_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_MAX_BUCKETS", 10)
    now = itertools.count(0, 10_000_000)
    limiter = Limiter(lambda: next(now))
    for number in range(1000):
        limiter.take([(limits.PUBLIC, str(number))])
    assert len(limiter._buckets) <= 10


async def test_public_requests_are_counted_by_address(limited: Sandbox) -> None:
    first = await limited.rest.get("/system/time")
    limit, remaining, reset, window = shown(first)
    assert (limit, window) == (1500, 60)
    assert reset >= await limited.rest.now() // 1000
    assert "Retry-After" not in first.headers
    answers = [await limited.rest.get("/system/state") for _ in range(remaining - 1)]
    assert {answer.status for answer in answers} == {200}
    refused = await limited.rest.get("/system/state")
    assert (refused.status, refused.headers["Retry-After"], shown(refused)[1]) == (429, "1", 0)
    await limited.advance(1000)  # 25 of the 1500
    statuses = [(await limited.rest.get("/system/state")).status for _ in range(26)]
    assert statuses == [200] * 25 + [429]


async def test_private_reading_is_counted_by_account(limited: Sandbox) -> None:
    busy, calm = await limited.trader(), await limited.trader()
    statuses = [(await busy.get("/account")).status for _ in range(121)]
    assert statuses == [200] * 120 + [429]
    assert (await calm.get("/account")).status == 200
    assert (await busy.order("BUY", "0.01", "59000")).status == 201
    await limited.advance(500)
    answer = await busy.get("/account")
    assert (answer.status, shown(answer)[:2], shown(answer)[3]) == (200, [120, 59], 1)


async def test_orders_are_counted_by_account_and_a_batch_is_one_request(limited: Sandbox) -> None:
    trader = await limited.trader()
    body = [await trader.order_body("BUY", "0.01", "59000") for _ in range(3)]
    answer = await trader.post("/orders/batch", body)
    assert (len(answer.json["orders"]), shown(answer)[:2]) == (3, [800, 799])
    assert shown(await trader.delete("/orders"))[:2] == [800, 798]
    socket = await limited.socket(trader=trader)
    assert "result" in await socket.call("order.cancel_all")
    assert shown(await trader.delete("/orders"))[:2] == [800, 796]


async def test_orders_over_the_limit_are_refused_on_the_socket_too(
    limited: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ws, "ORDERS", (Rule("orders", 2, 1),))
    trader = await limited.trader()
    socket = await limited.socket(trader=trader)
    answers = [await socket.call("order.cancel_all") for _ in range(3)]
    assert ["result" in answer for answer in answers] == [True, True, False]
    assert answers[2]["error"] == {"code": 42901, "message": "Rate limit exceeded", "data": {"retry_after": 1}}


async def test_logins_are_counted_apart(limited: Sandbox) -> None:
    answer = await limited.rest.post("/auth")
    assert (answer.status, shown(answer)[0]) == (401, 600) or shown(answer)[:2] == [600, 599]


async def test_connections_are_counted_by_address(limited: Sandbox) -> None:
    sockets = await asyncio.gather(*(limited.socket() for _ in range(20)))
    assert len(sockets) == 20
    with pytest.raises(aiohttp.WSServerHandshakeError) as failure:
        await limited.socket()
    assert failure.value.status == 429
    assert failure.value.headers is not None
    assert failure.value.headers["Retry-After"] == "1"
    await limited.advance(1000)
    await (await limited.socket()).subscribe(f"bbo.{MARKET}")


async def test_limits_can_be_switched_off(limited: Sandbox) -> None:
    settings = await limited.rest.control("POST", "/settings", {"rate_limits": False})
    assert settings["rate_limits"] is False
    answer = await limited.rest.get("/system/time")
    assert not [name for name in answer.headers if name.startswith("X-RateLimit")]
    assert (await limited.rest.control("POST", "/settings", {"rate_limits": True}))["rate_limits"] is True
    assert shown(await limited.rest.get("/system/time"))[0] == 1500
