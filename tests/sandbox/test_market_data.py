"""Public data over REST and SBE: the same truth on both."""

from decimal import Decimal

import pytest

from paradex_sandbox.api.clock import SandboxClock
from tests.sandbox.client import MARKET
from tests.sandbox.conftest import Sandbox, Starter

VERSIONS = pytest.mark.parametrize("version", [0, 1, 2])


def same(binary: str | None, text: str) -> bool:
    """Whether a binary value equals the JSON one; an absent one is an empty string."""
    return text == "" if binary is None else Decimal(binary) == Decimal(text)


async def test_system(sandbox: Sandbox) -> None:
    config = (await sandbox.rest.get("/system/config")).json
    assert config["starknet_chain_id"] == "PRIVATE_SN_POTC_SEPOLIA"
    assert (await sandbox.rest.get("/system/state")).json == {"status": "ok"}
    before = await sandbox.rest.now()
    await sandbox.advance(1234)
    assert await sandbox.rest.now() == before + 1234


async def test_perpetuals_a_spot_and_an_option_market_are_listed(sandbox: Sandbox) -> None:
    markets = (await sandbox.rest.get("/markets")).json["results"]
    kinds = {market["symbol"]: market["asset_kind"] for market in markets}
    assert {kinds[f"{base}-USD-PERP"] for base in ("BTC", "ETH", "SOL")} == {"PERP"}
    assert kinds["ETH-USD"] == "SPOT"
    assert {"PERP_OPTION", "OPTION"} & set(kinds.values())
    one = (await sandbox.rest.get("/markets", market=MARKET)).json["results"]
    assert [market["symbol"] for market in one] == [MARKET]
    assert one[0]["settlement_currency"] == "USDC"
    assert (await sandbox.rest.get("/markets", market="NO")).error == "MARKET_NOT_FOUND"
    assert len((await sandbox.rest.get("/markets/summary", market="ALL")).json["results"]) == len(markets)
    assert (await sandbox.rest.get("/markets/summary")).status == 400


async def test_every_public_path_answers_for_every_market(busy_sandbox: Sandbox) -> None:
    rest = busy_sandbox.rest
    for market in (await rest.get("/markets")).json["results"]:
        symbol = market["symbol"]
        for path in (f"/orderbook/{symbol}", f"/bbo/{symbol}"):
            assert (await rest.get(path)).status == 200
            assert (await rest.get(path + "/interactive")).status == 200
        assert (await rest.get("/trades", market=symbol)).status == 200
        expected = 200 if market["asset_kind"] == "PERP" else 400
        assert (await rest.get("/funding/data", market=symbol)).status == expected
    for path in ("/orderbook/NO", "/bbo/NO", "/trades?market=NO", "/funding/data?market=NO"):
        assert (await rest.get(path)).error == "MARKET_NOT_FOUND"
    for path in ("/trades", "/funding/data"):
        assert (await rest.get(path)).error == "INVALID_REQUEST_PARAMETER"


async def test_the_book_can_be_cut_and_grouped(busy_sandbox: Sandbox) -> None:
    rest = busy_sandbox.rest
    whole = (await rest.get(f"/orderbook/{MARKET}", depth=1000)).json
    top = (await rest.get(f"/orderbook/{MARKET}", depth=3)).json
    assert top["bids"] == whole["bids"][:3]
    assert top["asks"] == whole["asks"][:3]
    assert top["best_bid_api"] == whole["bids"][0]
    grouped = (await rest.get(f"/orderbook/{MARKET}", depth=1000, price_tick="10")).json
    for side, levels in (("bids", grouped["bids"]), ("asks", grouped["asks"])):
        assert all(Decimal(price) % 10 == 0 for price, _ in levels)
        assert sum(Decimal(size) for _, size in levels) == sum(Decimal(size) for _, size in whole[side])
    assert Decimal(grouped["bids"][0][0]) <= Decimal(whole["bids"][0][0])
    assert Decimal(grouped["asks"][0][0]) >= Decimal(whole["asks"][0][0])
    for query in (
        {"depth": 0},
        {"depth": "x"},
        {"price_tick": "0"},
        {"price_tick": "1E-999999"},
        {"price_tick": "NaN"},
    ):
        assert (await rest.get(f"/orderbook/{MARKET}", **query)).error == "INVALID_REQUEST_PARAMETER"


@VERSIONS
async def test_bbo_summary_and_funding_frames_equal_rest(busy_sandbox: Sandbox, version: int) -> None:
    sandbox = busy_sandbox
    socket = await sandbox.socket(version)
    await socket.subscribe(f"bbo.{MARKET}", f"markets_summary.{MARKET}", f"funding_data.{MARKET}")
    for _ in range(2):  # what comes with the subscription, then what comes with time
        newest = dict(await socket.drain())
        top = newest[f"bbo.{MARKET}"]
        summary, funding = newest[f"markets_summary.{MARKET}"], newest[f"funding_data.{MARKET}"]
        rest = (await sandbox.rest.get(f"/bbo/{MARKET}")).json
        assert (top.seq_no, top.market) == (rest["seq_no"], MARKET)
        assert same(top.bid_price, rest["bid"])
        assert same(top.ask_size, rest["ask_size"])
        rest = await sandbox.summary()
        for binary, field in [
            (summary.mark_price, "mark_price"),
            (summary.index_price, "underlying_price"),
            (summary.last_price, "last_traded_price"),
            (summary.volume_usd24h, "volume_24h"),
            (summary.open_interest, "open_interest"),
            (summary.bid, "bid"),
            (summary.ask_size, "ask_size"),
            (summary.total_volume, "total_volume"),
            (summary.price_change_rate24h, "price_change_rate_24h"),
        ]:
            assert same(binary, rest[field]), field
        if version > 0:
            assert same(summary.funding_rate_precise, rest["funding_rate"])
        rest = (await sandbox.rest.get("/funding/data", market=MARKET)).json["results"][0]
        assert 0 <= rest["created_at"] - funding.created_at < 1000, "published once a second"
        assert funding.funding_period_hours == rest["funding_period_hours"]
        assert Decimal(funding.funding_rate) == Decimal(rest["funding_rate"]).quantize(Decimal("1E-8"), "ROUND_DOWN")
        await sandbox.advance(3000)


@VERSIONS
async def test_trade_frames_equal_rest(busy_sandbox: Sandbox, version: int) -> None:
    sandbox = busy_sandbox
    socket = await sandbox.socket(version)
    await socket.subscribe("trades.ALL", f"trades.{MARKET}")
    since = await sandbox.rest.now()
    await sandbox.advance(10_000)
    rest = (await sandbox.rest.get("/trades", market=MARKET, start_at=since + 1, page_size=1000)).json["results"]
    assert rest, "nobody traded for ten seconds"
    for trade in reversed(rest):
        for _ in range(2):  # once for each subscription
            frame = await socket.next(f"trades.{MARKET}")
            assert (frame.side, frame.trade_type, frame.created_at) == (
                trade["side"],
                trade["trade_type"],
                trade["created_at"],
            )
            assert same(frame.price, trade["price"])
            assert same(frame.size, trade["size"])
            assert frame.trade_id_str == (trade["id"] if version == 2 else None)


async def test_an_empty_book_has_empty_sides(sandbox: Sandbox) -> None:
    top = (await sandbox.rest.get(f"/bbo/{MARKET}")).json
    assert (top["bid"], top["bid_size"], top["ask"], top["ask_size"]) == ("", "", "", "")
    book = (await sandbox.rest.get(f"/orderbook/{MARKET}")).json
    assert (book["bids"], book["asks"], book["best_bid_api"]) == ([], [], [])
    socket = await sandbox.socket()
    await socket.subscribe(f"bbo.{MARKET}")
    frame = await socket.next(f"bbo.{MARKET}")
    assert (frame.bid_price, frame.bid_size, frame.ask_price, frame.ask_size) == (None, None, None, None)


async def test_klines_add_up_the_trades(busy_sandbox: Sandbox) -> None:
    sandbox = busy_sandbox
    await sandbox.advance(150_000)
    now = await sandbox.rest.now()
    query = {"symbol": MARKET, "resolution": 1, "start_at": now - 120_000, "end_at": now}
    bars = (await sandbox.rest.get("/markets/klines", **query)).json["results"]
    start = (now - 120_000) // 60_000 * 60_000
    trades = (await sandbox.rest.get("/trades", market=MARKET, start_at=start, page_size=1000)).json["results"]
    for at, first, high, low, last, volume in bars:
        inside = [trade for trade in reversed(trades) if at <= trade["created_at"] < at + 60_000]
        prices = [float(trade["price"]) for trade in inside]
        assert (first, high, low, last) == (prices[0], max(prices), min(prices), prices[-1])
        assert volume == pytest.approx(sum(float(trade["size"]) for trade in inside))
    assert len(bars) >= 2
    assert [bar[0] for bar in bars] == sorted({bar[0] for bar in bars})
    for kind in ("mark", "underlying"):
        marks = (await sandbox.rest.get("/markets/klines", **query, price_kind=kind)).json["results"]
        assert [bar[0] for bar in marks] == [bar[0] for bar in bars]
        assert all(low <= min(first, last) <= max(first, last) <= high for _, first, high, low, last, _ in marks)
    for change in ({"resolution": 7}, {"symbol": "NO"}, {"price_kind": "best"}, {"start_at": "x"}):
        assert (await sandbox.rest.get("/markets/klines", **{**query, **change})).status == 400


async def test_same_seed_and_same_clock_give_the_same_market(start: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paradex_sandbox.api.clock.time.time_ns", lambda: 1_795_000_000_000_000_000)
    pictures = []
    for _ in range(2):
        sandbox = await start(traders=True)
        assert isinstance(sandbox.runtime.clock, SandboxClock)
        await sandbox.advance(20_000)
        pictures.append(
            (
                await sandbox.rest.control("GET", "/state"),
                (await sandbox.rest.get("/trades", market=MARKET, page_size=1000)).json,
                (await sandbox.rest.get(f"/orderbook/{MARKET}")).json,
            )
        )
        pictures[-1][1].pop("next")
    assert pictures[0] == pictures[1]
