"""Orders over REST: accepted, refused, cancelled, found."""

import asyncio
from typing import Any

import pytest

from tests.sandbox.client import MARKET
from tests.sandbox.conftest import Sandbox


async def test_an_order_is_answered_new_and_opens_afterwards(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    order = await trader.place("BUY", "0.01", "59000", client_id="one")
    assert (order["status"], order["account"], order["cancel_reason"]) == ("NEW", trader.address, "")
    assert (order["stp"], order["avg_fill_price"], order["flags"]) == ("EXPIRE_TAKER", "0", [])
    found = (await trader.get("/orders/by_client_id/one")).json
    assert (found["id"], found["status"]) == (order["id"], "OPEN")
    assert (await trader.get("/orders")).json["results"] == [found]
    assert (await trader.get("/orders", market=MARKET)).json["results"] == [found]
    assert (await trader.get("/orders", market="ETH-USD-PERP")).json["results"] == []


async def test_cancels_answer_empty_and_the_order_closes_afterwards(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    for number, path in enumerate(
        ["/orders/{id}", "/orders/by_client_id/{client_id}", f"/orders/by_client_id/{{client_id}}?market={MARKET}"]
    ):
        order = await trader.place("BUY", "0.01", "59000", client_id=f"order {number}")
        answer = await trader.call("DELETE", path.format(**order))
        assert (answer.status, answer.text) == (204, "")
        closed = await trader.history(order["id"])
        assert (closed["status"], closed["cancel_reason"], closed["remaining_size"]) == (
            "CLOSED",
            "USER_CANCELED",
            "0.01",
        )


async def test_cancel_all_in_one_market_and_everywhere(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    await sandbox.mark("3000", "ETH-USD-PERP")
    for market, price in [(MARKET, "59000"), (MARKET, "58999"), ("ETH-USD-PERP", "2990")]:
        await trader.place("BUY", "0.1", price, market=market)
    answer = await trader.delete("/orders", market=MARKET)
    assert (answer.status, answer.text) == (200, "")
    assert [order["market"] for order in (await trader.get("/orders")).json["results"]] == ["ETH-USD-PERP"]
    assert (await trader.delete("/orders")).status == 200
    assert (await trader.get("/orders")).json["results"] == []


async def test_what_is_not_there_is_http_400_with_its_code(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    order = await trader.place("BUY", "0.01", "59000", client_id="gone")
    await trader.delete(f"/orders/{order['id']}")
    by_id, by_client = f"/orders/{order['id']}", "/orders/by_client_id/gone"
    # A closed order is in the history only.
    for path, code in [(by_id, "ORDER_ID_NOT_FOUND"), (by_client, "CLIENT_ORDER_ID_NOT_FOUND")]:
        answer = await trader.get(path)
        assert (answer.status, answer.error) == (400, code)
    history = (await trader.get("/orders-history", client_id="gone")).json["results"]
    assert [item["id"] for item in history] == [order["id"]]
    for path, code in [
        ("/orders/1", "ORDER_ID_NOT_FOUND"),
        ("/orders/by_client_id/never", "CLIENT_ORDER_ID_NOT_FOUND"),
        (by_id, "ORDER_IS_CLOSED"),
    ]:
        answer = await trader.delete(path)
        assert (answer.status, answer.error) == (400, code)


async def test_orders_of_others_are_invisible(sandbox: Sandbox) -> None:
    alice, bob = await sandbox.trader(), await sandbox.trader()
    order = await alice.place("BUY", "0.01", "59000", client_id="mine")
    assert (await bob.get(f"/orders/{order['id']}")).error == "ORDER_ID_NOT_FOUND"
    assert (await bob.delete(f"/orders/{order['id']}")).error == "ORDER_ID_NOT_FOUND"
    assert (await bob.delete("/orders/by_client_id/mine")).error == "CLIENT_ORDER_ID_NOT_FOUND"
    assert (await bob.get("/orders")).json["results"] == []
    assert (await bob.get("/orders-history")).json["results"] == []


async def test_a_rejection_after_the_acceptance_closes_the_order(sandbox: Sandbox) -> None:
    maker, poor = await sandbox.trader(), await sandbox.trader("100")
    await maker.place("SELL", "1", "60000")
    for reason, side, size, price, instruction in [
        ("NOT_ENOUGH_MARGIN", "BUY", "1", "59000", "GTC"),
        ("POST_ONLY_WOULD_CROSS", "BUY", "0.001", "60000", "POST_ONLY"),
        ("NO_LIQUIDITY", "SELL", "0.001", "60000", "IOC"),
    ]:
        order = await poor.place(side, size, price, instruction=instruction)
        closed = await poor.history(order["id"])
        assert (closed["status"], closed["cancel_reason"]) == ("CLOSED", reason)


@pytest.mark.parametrize(
    "change",
    [
        {"size": "0.02"},
        {"price": "59000.1"},
        {"side": "SELL"},
        {"market": "ETH-USD-PERP"},
        {"type": "MARKET"},
        {"signature_timestamp": -1},
        {"signature": '["1","2"]'},
        {"signature": '["0","0"]'},
        {"signature": '["3618502788666131213697322783095070105623107215331596699973092056135872020482","1"]'},
    ],
)
async def test_an_order_that_was_changed_after_signing_is_refused(sandbox: Sandbox, change: dict[str, Any]) -> None:
    trader = await sandbox.trader()
    body = await trader.order_body("BUY", "0.01", "59000")
    if "signature_timestamp" in change:
        change = {"signature_timestamp": body["signature_timestamp"] + change["signature_timestamp"]}
    answer = await trader.post("/orders", {**body, **change})
    assert (answer.status, answer.error) == (400, "INVALID_ORDER_SIGNATURE")
    assert (await trader.get("/orders-history")).json["results"] == []


async def test_an_order_signed_by_another_key_of_the_account_is_refused(sandbox: Sandbox) -> None:
    """Orders are verified with the key for which the token was made."""
    alice, bob = await sandbox.trader(), await sandbox.trader()
    body = await alice.order_body("BUY", "0.01", "59000", signer=bob.signer)
    assert (await alice.post("/orders", body)).error == "INVALID_ORDER_SIGNATURE"


async def test_recv_window_and_signature_time_are_enforced(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    now = await trader.now()
    late = await trader.order_body("BUY", "0.01", "59000", timestamp=now, recv_window=1000)
    by_default = await trader.order_body("BUY", "0.01", "59000", timestamp=now)
    early = await trader.order_body("BUY", "0.01", "59000", timestamp=now + 3_600_000)
    assert (await trader.post("/orders", early)).error == "INVALID_TIMESTAMP"
    await sandbox.advance(1001)
    assert (await trader.post("/orders", late)).error == "INVALID_TIMESTAMP"
    await sandbox.advance(299_000)
    await trader.login()
    assert (await trader.post("/orders", by_default)).error == "INVALID_TIMESTAMP"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"market": None}, "VALIDATION_ERROR"),
        ({"market": 5}, "BINDING_ERROR"),
        ({"market": "X" * 40}, "VALIDATION_ERROR"),
        ({"side": "UP"}, "VALIDATION_ERROR"),
        ({"side": None}, "VALIDATION_ERROR"),
        ({"type": "limit"}, "VALIDATION_ERROR"),
        ({"size": None}, "VALIDATION_ERROR"),
        ({"size": 1}, "BINDING_ERROR"),
        ({"size": "many"}, "VALIDATION_ERROR"),
        ({"size": "NaN"}, "VALIDATION_ERROR"),
        ({"size": "1E+3"}, "VALIDATION_ERROR"),
        ({"size": "-1"}, "VALIDATION_ERROR"),
        ({"price": None}, "VALIDATION_ERROR"),
        ({"price": "1e999999999"}, "VALIDATION_ERROR"),
        ({"price": "9" * 400}, "VALIDATION_ERROR"),
        ({"price": "-5"}, "VALIDATION_ERROR"),
        ({"instruction": "FOK"}, "VALIDATION_ERROR"),
        ({"stp": "YES"}, "VALIDATION_ERROR"),
        ({"flags": "REDUCE_ONLY"}, "BINDING_ERROR"),
        ({"flags": ["NEW_FLAG"]}, "VALIDATION_ERROR"),
        ({"flags": ["INTERACTIVE"]}, "VALIDATION_ERROR"),
        ({"flags": [1]}, "BINDING_ERROR"),
        ({"client_id": "x" * 65}, "VALIDATION_ERROR"),
        ({"client_id": 5}, "BINDING_ERROR"),
        ({"recv_window": 9}, "VALIDATION_ERROR"),
        ({"recv_window": "9"}, "BINDING_ERROR"),
        ({"recv_window": True}, "BINDING_ERROR"),
        ({"signature": None}, "VALIDATION_ERROR"),
        ({"signature": "x"}, "INVALID_ORDER_SIGNATURE"),
        ({"signature_timestamp": None}, "VALIDATION_ERROR"),
        ({"signature_timestamp": "1"}, "BINDING_ERROR"),
        ({"signature_timestamp": 10**30}, "INVALID_TIMESTAMP"),
        ({"signature_timestamp": 0}, "INVALID_TIMESTAMP"),
        ({"on_behalf_of_account": "0x5"}, "ISOLATED_MARKET_ACCOUNT_MISMATCH"),
    ],
)
async def test_a_malformed_field_is_refused_with_its_code(sandbox: Sandbox, change: dict[str, Any], error: str) -> None:
    trader = await sandbox.trader()
    body = {**await trader.order_body("BUY", "0.01", "59000"), **change}
    answer = await trader.post("/orders", body)
    assert (answer.status, answer.error) == (400, error), answer.text


@pytest.mark.parametrize(
    ("size", "price", "market", "error"),
    [
        ("0.01", "59000", "NO-USD-PERP", "MARKET_NOT_FOUND"),
        ("0.01", "59000.05", MARKET, "VALIDATION_ERROR"),
        ("0.000001", "59000", MARKET, "INVALID_ORDER_SIZE"),
        ("0.0001", "59000", MARKET, "INVALID_ORDER_SIZE"),
        ("0", "59000", MARKET, "INVALID_ORDER_SIZE"),
        ("100000", "59000", MARKET, "INVALID_ORDER_SIZE"),
    ],
)
async def test_what_the_exchange_refuses_at_once_comes_with_its_code(
    sandbox: Sandbox, size: str, price: str, market: str, error: str
) -> None:
    trader = await sandbox.trader()
    answer = await trader.order("BUY", size, price, market=market)
    assert (answer.status, answer.error) == (400, error), answer.text


async def test_a_client_id_is_used_once(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    await trader.place("BUY", "0.01", "59000", client_id="twice")
    assert (await trader.order("BUY", "0.01", "59000", client_id="twice")).error == "DUPLICATED_CLIENT_ID"


async def test_a_batch_reports_each_order_and_one_bad_signature_refuses_it_all(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    good = [await trader.order_body("BUY", "0.01", str(59000 - number)) for number in range(3)]
    too_small = await trader.order_body("BUY", "0.0001", "59000")
    answer = await trader.post("/orders/batch", [*good, too_small])
    assert answer.status == 201
    assert [order["client_id"] for order in answer.json["orders"]] == [order["client_id"] for order in good]
    assert [error["error"] for error in answer.json["errors"]] == ["INVALID_ORDER_SIZE"]
    assert len((await trader.get("/orders")).json["results"]) == 3

    forged = {**await trader.order_body("BUY", "0.01", "58000"), "size": "0.02"}
    other = await trader.order_body("BUY", "0.01", "58000")
    assert (await trader.post("/orders/batch", [other, forged])).error == "INVALID_ORDER_SIGNATURE"
    assert (await trader.post("/orders/batch", [other, {**other, "side": 1}])).error == "BINDING_ERROR"
    assert len((await trader.get("/orders")).json["results"]) == 3

    ids = [order["id"] for order in answer.json["orders"]]
    cancelled = await trader.delete(
        "/orders/batch", {"order_ids": [*ids[:2], "404"], "client_order_ids": [good[2]["client_id"], "never"]}
    )
    statuses = [result["status"] for result in cancelled.json["results"]]
    queued = "QUEUED_FOR_CANCELLATION"
    assert statuses == [queued, queued, "NOT_FOUND", queued, "NOT_FOUND"]
    again = await trader.delete("/orders/batch", {"order_ids": ids[:1]})
    assert again.json["results"][0]["status"] == "ALREADY_CLOSED"


@pytest.mark.parametrize("count", [0, 11])
async def test_a_batch_of_the_wrong_size_is_refused(sandbox: Sandbox, count: int) -> None:
    trader = await sandbox.trader()
    body = await trader.order_body("BUY", "0.01", "59000")
    for answer in (
        await trader.post("/orders/batch", [body] * count),
        await trader.delete("/orders/batch", {"order_ids": ["1"] * count}),
    ):
        assert (answer.status, answer.error) == (400, "BATCH_SIZE_OUT_OF_RANGE")


async def test_requests_of_an_account_take_effect_in_the_order_they_came(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    bodies = [await trader.order_body("BUY", "0.01", "59000", client_id=f"n{number:02}") for number in range(12)]
    socket = await sandbox.socket(trader=trader)
    answers = await asyncio.gather(*(socket.call("order.create", **body) for body in bodies))
    assert all("result" in answer for answer in answers)
    orders = (await trader.get("/orders")).json["results"]
    assert [order["client_id"] for order in orders] == [body["client_id"] for body in bodies]


async def test_leverage_is_set_and_isolated_margin_is_refused(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    before = (await trader.get("/account/margin", market=MARKET)).json
    assert before["configs"] == [{"market": MARKET, "leverage": 50, "margin_type": "CROSS"}]
    answer = await trader.post(f"/account/margin/{MARKET}", {"leverage": 5, "margin_type": "CROSS"})
    assert (answer.status, answer.json["leverage"]) == (200, 5)
    assert (await trader.get("/account/margin", market=MARKET)).json["configs"][0]["leverage"] == 5
    for body, error in [
        ({"leverage": 0, "margin_type": "CROSS"}, "VALIDATION_ERROR"),
        ({"leverage": 51, "margin_type": "CROSS"}, "VALIDATION_ERROR"),
        ({"leverage": 5, "margin_type": "BOTH"}, "VALIDATION_ERROR"),
        ({"leverage": "5", "margin_type": "CROSS"}, "BINDING_ERROR"),
        ({"leverage": 5, "margin_type": "ISOLATED"}, "MARKET_MARGIN_RESTRICTED"),
    ]:
        answer = await trader.post(f"/account/margin/{MARKET}", body)
        assert (answer.status, answer.error) == (400, error)
    assert (await trader.get("/account/margin")).status == 400
    assert (await trader.get("/account/margin", market="NO-USD-PERP")).error == "MARKET_NOT_FOUND"
