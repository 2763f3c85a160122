"""Lists in pages: every item once, in order, however the list is asked for."""

from typing import Any

import pytest

from tests.sandbox.client import MARKET, Trader
from tests.sandbox.conftest import Sandbox


async def pages(trader: Any, path: str, **query: Any) -> list[list[dict[str, Any]]]:
    """All pages of a list; follows the cursor alone."""
    answer = (await trader.get(path, **query)).json
    found = [answer["results"]]
    while answer["next"]:
        answer = (await trader.get(path, cursor=answer["next"])).json
        found.append(answer["results"])
    return found


@pytest.fixture
async def trader(sandbox: Sandbox) -> Trader:
    """An account with 13 orders, 12 of them filled, one second apart."""
    trader, other = await sandbox.trader(), await sandbox.trader()
    await other.place("SELL", "0.5", "60000")
    for number in range(12):
        await trader.place("BUY", "0.001", "60000", client_id=f"order {number}")
        await sandbox.advance(1000)
    await trader.place("BUY", "0.001", "59000", client_id="open")
    return trader


@pytest.mark.parametrize("size", [1, 5, 12, 13, 100])
@pytest.mark.parametrize("path", ["/orders-history", "/fills", "/transactions"])
async def test_every_item_comes_once_and_newest_first(trader: Trader, path: str, size: int) -> None:
    found = await pages(trader, path, page_size=size)
    items = [item for page in found for item in page]
    assert len(items) == (13 if path == "/orders-history" else 12)
    assert len({item["id"] for item in items}) == len(items)
    assert [item["created_at"] for item in items] == sorted((item["created_at"] for item in items), reverse=True)
    assert all(len(page) == size for page in found[:-1])
    assert 0 < len(found[-1]) <= size


async def test_a_cursor_keeps_the_filters_and_leads_back(trader: Trader) -> None:
    first = (await trader.get("/orders-history", page_size=4, status="CLOSED")).json
    second = (await trader.get("/orders-history", cursor=first["next"])).json
    assert all(order["status"] == "CLOSED" for order in second["results"])
    assert len(second["results"]) == 4
    assert first["prev"] is None
    back = (await trader.get("/orders-history", cursor=second["prev"])).json
    assert back["results"] == first["results"]
    third = (await trader.get("/orders-history", cursor=second["next"])).json
    assert (await trader.get("/orders-history", cursor=third["prev"])).json["results"] == second["results"]
    assert third["next"] is None


async def test_the_filters(trader: Trader) -> None:
    everything = (await trader.get("/orders-history")).json["results"]

    async def found(path: str = "/orders-history", **query: Any) -> list[dict[str, Any]]:
        return (await trader.get(path, **query)).json["results"]

    assert await found(client_id="order 3") == [order for order in everything if order["client_id"] == "order 3"]
    assert await found(market=MARKET) == everything
    assert await found(market="ETH-USD-PERP") == []
    assert await found(side="SELL") == []
    assert await found(type="LIMIT", side="BUY") == everything
    assert [order["client_id"] for order in await found(status="OPEN")] == ["open"]
    start, end = everything[8]["created_at"], everything[4]["created_at"]
    assert await found(start_at=start, end_at=end) == everything[4:9]
    assert len(await found("/fills", start_at=start, end_at=end)) == 5
    assert await found("/fills", market="ETH-USD-PERP") == []
    assert await found("/fills", asset_kind="SPOT") == []
    assert len(await found("/fills", asset_kind="PERP")) == 12


@pytest.mark.parametrize(
    "query",
    [
        {"page_size": 0},
        {"page_size": 5001},
        {"page_size": "many"},
        {"page_size": "²"},
        {"start_at": -1},
        {"end_at": "now"},
        {"end_at": "9" * 30},
        {"cursor": "garbage"},
        {"cursor": "ä"},
        {"side": "UP"},
        {"status": "FILLED"},
        {"type": "X"},
    ],
)
async def test_a_wrong_parameter_is_refused(trader: Trader, query: dict[str, Any]) -> None:
    answer = await trader.get("/orders-history", **query)
    assert (answer.status, answer.error) == (400, "INVALID_REQUEST_PARAMETER")


async def test_a_cursor_is_signed_and_belongs_to_its_list(trader: Trader) -> None:
    cursor = (await trader.get("/fills", page_size=2)).json["next"]
    assert (await trader.get("/orders-history", cursor=cursor)).error == "INVALID_REQUEST_PARAMETER"
    tampered = cursor[:40] + ("A" if cursor[40] != "A" else "B") + cursor[41:]
    assert (await trader.get("/fills", cursor=tampered)).error == "INVALID_REQUEST_PARAMETER"
    assert (await trader.get("/fills", cursor=cursor[:-4])).error == "INVALID_REQUEST_PARAMETER"


async def test_public_lists_are_paged_too(busy_sandbox: Sandbox) -> None:
    await busy_sandbox.advance(120_000)
    rest = busy_sandbox.rest
    trades = [trade for page in await pages(rest, "/trades", market=MARKET, page_size=7) for trade in page]
    whole = (await rest.get("/trades", market=MARKET, page_size=1000)).json["results"]
    assert trades == whole
    assert (await rest.get("/trades", market=MARKET, page_size=1001)).status == 400
    funding = [item for page in await pages(rest, "/funding/data", market=MARKET, page_size=1) for item in page]
    assert len(funding) == len({item["created_at"] for item in funding}) >= 2
