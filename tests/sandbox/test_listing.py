"""Markets that are listed, changed and deleted while clients are connected."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from paradex_sandbox.exchange.model import Side
from tests.sandbox.client import MARKET, TIMEOUT, Trader
from tests.sandbox.conftest import Sandbox, Starter

OTHER = "WIF-USD-PERP"
OPTION = "BTC-USD-95000-C"


@pytest.fixture
async def trader(sandbox: Sandbox) -> Trader:
    return await sandbox.trader()


async def description(sandbox: Sandbox, symbol: str = OTHER, like: str = MARKET, **changes: Any) -> dict[str, Any]:
    """A market as `--markets FILE` would list it: an answer of `GET /markets`, and where its price starts."""
    listed = (await sandbox.rest.get("/markets", market=like)).json["results"][0]
    return listed | {"symbol": symbol, "simulation": {"base_price": "60000"}} | changes


async def test_a_listed_market_is_told_of_and_traded(sandbox: Sandbox, trader: Trader) -> None:
    socket = await sandbox.socket()
    await socket.subscribe("markets", "markets_summary")
    await socket.drain()
    body = await description(sandbox, base_currency="WIF")
    (market,) = (await sandbox.rest.control("POST", "/markets", body))["results"]
    assert (await sandbox.rest.get("/markets", market=OTHER)).json["results"] == [market]
    event = await socket.next("markets")
    assert (event["symbol"], event["event_type"]) == (OTHER, "CREATED")
    told = event["changed_fields"]
    assert {name: told[name] for name in ("base_currency", "price_tick_size", "delta1_cross_margin_params")} == {
        name: market[name] for name in ("base_currency", "price_tick_size", "delta1_cross_margin_params")
    }
    assert (await socket.next(lambda _, data: getattr(data, "market", "") == OTHER)).market == OTHER
    await sandbox.mark("60000", OTHER)
    await socket.subscribe(f"order_book.{OTHER}.deltas@15@50ms", f"bbo.{OTHER}", f"trades.{OTHER}")
    order = await trader.place("BUY", "0.1", "60000", market=OTHER)
    assert (await trader.get(f"/orders/{order['id']}")).json["market"] == OTHER
    history = (await sandbox.rest.get("/markets/history", market=OTHER)).json["results"]
    assert history == [event]


async def test_several_markets_are_listed_at_once_or_none(sandbox: Sandbox) -> None:
    url = sandbox.server.url.removesuffix("/v1") + "/sandbox/markets"
    first, second = await description(sandbox, "A-USD-PERP"), await description(sandbox, "B-USD-PERP")
    wrong = second | {"price_tick_size": "0"}
    for body, error in (
        ({"results": [first, wrong]}, "VALIDATION_ERROR"),
        ({"results": [first, first]}, "VALIDATION_ERROR"),
        ({"results": []}, "VALIDATION_ERROR"),
        ({"results": [first, await description(sandbox, MARKET)]}, "NOT_UNIQUE"),
        ({}, "VALIDATION_ERROR"),
        (second | {"expiry_at": 1}, "VALIDATION_ERROR"),
        (second | {"symbol": "A.B"}, "VALIDATION_ERROR"),
        ([], "BINDING_ERROR"),
    ):
        async with sandbox.session.post(url, json=body) as response:
            assert (response.status, (await response.json())["error"]) == (400, error), body
    assert "A-USD-PERP" not in {item["symbol"] for item in (await sandbox.rest.get("/markets")).json["results"]}
    answer = await sandbox.rest.control("POST", "/markets", {"results": [first, second]})
    assert [market["symbol"] for market in answer["results"]] == ["A-USD-PERP", "B-USD-PERP"]
    async with sandbox.session.delete(f"{url}/NO-USD-PERP") as response:
        assert (await response.json())["error"] == "MARKET_NOT_FOUND"


async def test_a_deleted_market_leaves_its_bots_connected(sandbox: Sandbox, trader: Trader) -> None:
    maker = await sandbox.trader()
    socket = await sandbox.socket(trader=trader)
    book = f"order_book.{MARKET}.deltas@15@50ms"
    channels = (f"bbo.{MARKET}", f"trades.{MARKET}", f"markets.{MARKET}", f"funding_data.{MARKET}", book)
    await socket.subscribe(*channels, "markets", f"orders.{MARKET}", "fills.ALL", "positions", "account")
    await socket.call("subscribe", channel="markets_summary", markets=[MARKET, "ETH-USD-PERP"])
    await maker.place("SELL", "0.1", "60000")
    await trader.place("BUY", "0.1", "60000")
    resting = await trader.place("BUY", "0.1", "59000")
    await trader.get("/orders")

    await sandbox.rest.control("DELETE", f"/markets/{MARKET}")
    seen: list[tuple[str, Any]] = []
    async with asyncio.timeout(TIMEOUT):
        while ("markets", "DELETED") not in [(name, data["event_type"]) for name, data in seen if name == "markets"]:
            seen += await socket.drain()
    assert [data["event_type"] for name, data in seen if name == f"markets.{MARKET}"] == ["SETTLED", "DELETED"]
    closed = [data for name, data in seen if name.startswith("orders") and data["id"] == resting["id"]][-1]
    assert (closed["status"], closed["cancel_reason"]) == ("CLOSED", "MARKET_DELISTED")
    fill = [data for name, data in seen if name == "fills.ALL"][-1]
    assert (fill["fill_type"], fill["price"]) == ("SETTLE_MARKET", "60000")
    assert [data["status"] for name, data in seen if name == "positions"][-1] == "CLOSED"

    assert (await trader.get("/positions")).json["results"] == []
    assert (await trader.order("BUY", "0.1", "59000")).error == "MARKET_NOT_FOUND"
    assert (await sandbox.rest.get(f"/orderbook/{MARKET}")).error == "MARKET_NOT_FOUND"
    settled = (await sandbox.rest.get("/markets/settlement-price", market=MARKET)).json
    assert settled["settlement_price"] == "60000"
    history = (await sandbox.rest.get("/markets/history", market=MARKET)).json["results"]
    assert [entry["event_type"] for entry in history] == ["DELETED", "SETTLED"]
    assert resting["id"] in {order["id"] for order in (await trader.get("/orders-history")).json["results"]}
    # The connection is there, and what it is subscribed to can be given up.
    await sandbox.advance(1000)
    await socket.drain()
    assert (await socket.call("subscribe", channel=f"bbo.{MARKET}"))["error"]["code"] == 100
    for channel in channels:
        assert (await socket.call("unsubscribe", channel=channel))["result"] == {"channel": channel}
    assert (await socket.call("subscribe", channel=f"bbo.{MARKET}"))["error"]["code"] == -32602
    changed = await socket.call("modify_subscription", channel="markets_summary", remove=[MARKET])
    assert changed["result"]["remove"] == [MARKET]


async def test_a_market_that_is_listed_again_starts_with_a_snapshot(sandbox: Sandbox, trader: Trader) -> None:
    body = await description(sandbox, MARKET)
    socket = await sandbox.socket()
    await socket.subscribe(f"order_book.{MARKET}.deltas@15@50ms")
    for size in ("0.1", "0.2", "0.3"):
        await trader.place("BUY", size, "59000")
    await sandbox.advance(1000)
    await sandbox.rest.control("DELETE", f"/markets/{MARKET}")
    await sandbox.advance(1000)
    await socket.drain()
    await sandbox.rest.control("POST", "/markets", body)
    await sandbox.mark("60000")
    await trader.place("BUY", "0.1", "58000")
    await sandbox.advance(1000)
    books = [data for name, data in await socket.drain() if name.startswith("order_book")]
    assert [(book.pkg_type, book.seq_no) for book in books] == [("SNAPSHOT", 0), ("DELTA", 1)]
    assert [len(book.bids) for book in books] == [0, 1]


async def test_what_was_listed_and_deleted_is_so_after_a_restart(start: Starter, tmp_path: Path) -> None:
    sandbox = await start(data=tmp_path)
    await sandbox.rest.control("POST", "/markets", await description(sandbox))
    await sandbox.rest.control("DELETE", "/markets/ETH-USD-PERP")
    listed = (await sandbox.rest.get("/markets")).json
    history = (await sandbox.rest.get("/markets/history")).json
    await sandbox.close()
    sandbox = await start(data=tmp_path)
    assert (await sandbox.rest.get("/markets")).json == listed
    assert (await sandbox.rest.get("/markets/history")).json == history


async def test_margin_parameters_are_changed(sandbox: Sandbox, trader: Trader) -> None:
    socket = await sandbox.socket()
    await socket.subscribe("markets")
    params = {"imf_base": "0.5", "mmf_factor": "0.6"}
    market = await sandbox.rest.control("POST", f"/markets/{MARKET}", {"delta1_cross_margin_params": params})
    assert market["delta1_cross_margin_params"] | params == market["delta1_cross_margin_params"]
    event = await socket.next("markets")
    assert event["changed_fields"] == {"delta1_cross_margin_params": market["delta1_cross_margin_params"]}
    await trader.place("BUY", "0.1", "60000")
    assert float((await trader.get("/account")).json["initial_margin_requirement"]) > 3000
    url = sandbox.server.url.removesuffix("/v1") + f"/sandbox/markets/{MARKET}"
    for wrong in ({}, {"imf_base": "0"}, {"imf": "0.1"}, {"imf_base": 0.1}, "0.1"):
        async with sandbox.session.post(url, json={"delta1_cross_margin_params": wrong}) as response:
            assert response.status == 400, wrong


# -- all options of a base asset --------------------------------------------------------------------------------------


async def option(sandbox: Sandbox) -> dict[str, Any]:
    markets = (await sandbox.rest.get("/markets")).json["results"]
    return next(market for market in markets if market["asset_kind"] == "PERP_OPTION")


def quote(sandbox: Sandbox, market: str, price: str, size: str = "1") -> None:
    """Somebody offers an option."""
    crowd = sandbox.runtime.exchange.crowd
    crowd.quote(market, Side.SELL, Decimal(price), Decimal(size))
    crowd.publish()
    sandbox.runtime.commit()


async def test_a_base_asset_stands_for_all_its_active_options(sandbox: Sandbox) -> None:
    listed = await option(sandbox)
    base = listed["base_currency"]
    socket = await sandbox.socket()
    for channel in ("bbo", "trades"):
        answer = await socket.call("subscribe", channel=channel, base_asset=base)
        assert answer["result"] == {"channel": channel}
    assert [(name.partition(".")[0], data.market) for name, data in await socket.drain()] == [
        ("bbo", listed["symbol"])
    ], "the state of each option, and nothing of the perpetual"
    quote(sandbox, listed["symbol"], "500")
    # One that is listed later belongs to them too.
    other = {**listed, "symbol": OPTION, "simulation": {"base_price": "400"}, "expiry_at": 0}
    await sandbox.rest.control("POST", "/markets", other)
    quote(sandbox, OPTION, "400")
    quote(sandbox, MARKET, "61000")
    frames = [(data.market, data.ask_price) for _, data in await socket.drain()]
    assert [market for market, _ in frames] == [listed["symbol"], OPTION]
    taken = sandbox.runtime.exchange.crowd
    taken.take(OPTION, Side.BUY, Decimal(400), Decimal(1))
    taken.publish()
    sandbox.runtime.commit()
    assert {name.partition(".")[0] for name, _ in await socket.drain()} == {"bbo", "trades"}
    for channel in ("bbo", "trades"):
        answer = await socket.call("unsubscribe", channel=channel, base_asset=base)
        assert answer["result"] == {"channel": channel}
    quote(sandbox, OPTION, "410")
    assert await socket.drain() == []
    assert (await socket.call("unsubscribe", channel="bbo", base_asset=base))["error"]["code"] == 100


@pytest.mark.parametrize(
    "params",
    [
        {"channel": "markets_summary", "base_asset": "BTC"},
        {"channel": "order_book", "base_asset": "BTC"},
        {"channel": f"bbo.{MARKET}", "base_asset": "BTC"},
        {"channel": "bbo.ALL", "base_asset": "BTC"},
        {"channel": "bbo", "base_asset": "NO"},
        {"channel": "bbo", "base_asset": ""},
        {"channel": "bbo", "base_asset": 1},
        {"channel": "bbo", "base_asset": "BTC", "markets": [MARKET]},
        {"channel": "bbo"},
    ],
)
async def test_what_is_no_base_asset_channel_is_refused(sandbox: Sandbox, params: dict[str, Any]) -> None:
    socket = await sandbox.socket()
    assert (await socket.call("subscribe", **params))["error"]["code"] == -32602
