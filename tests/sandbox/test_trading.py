"""Two clients trade with each other over the wire."""

from tests.sandbox.client import MARKET
from tests.sandbox.conftest import Sandbox


async def test_two_clients_trade_with_each_other(sandbox: Sandbox) -> None:
    maker, taker = await sandbox.trader(), await sandbox.trader()
    stream = await sandbox.socket(trader=maker)
    await stream.subscribe(f"orders.{MARKET}", "fills.ALL", "positions", "account")

    resting = await maker.place("BUY", "0.1", "59990", instruction="POST_ONLY", client_id="mine")
    assert (resting["status"], resting["remaining_size"], resting["client_id"]) == ("NEW", "0.1", "mine")
    assert (await stream.next(f"orders.{MARKET}"))["status"] == "NEW"
    assert (await stream.next(f"orders.{MARKET}"))["status"] == "OPEN"

    sold = await taker.place("SELL", "0.04", None, instruction="IOC")
    fill = await stream.next("fills.ALL")
    assert (fill["order_id"], fill["size"], fill["price"], fill["liquidity"]) == (
        resting["id"],
        "0.04",
        "59990",
        "MAKER",
    )
    assert fill["side"] == "SELL", "the side of a fill is the taker's"
    position = await stream.next("positions")
    assert (position["size"], position["side"], position["average_entry_price"]) == ("0.04", "LONG", "59990")

    closed = await taker.history(sold["id"])
    assert (closed["status"], closed["remaining_size"], closed["avg_fill_price"]) == ("CLOSED", "0", "59990")
    assert (await maker.get("/fills")).json["results"] == [fill]
    assert (await maker.get("/positions")).json["results"][0]["size"] == "0.04"
    open_order = (await maker.get(f"/orders/{resting['id']}")).json
    assert (open_order["status"], open_order["remaining_size"]) == ("OPEN", "0.06")
    assert (await maker.get("/transactions")).json["results"][0]["id"] == fill["id"]
