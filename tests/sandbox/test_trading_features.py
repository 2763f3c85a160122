"""Modify, triggers, algo orders, protection, both books, busts and system states, as clients see them."""

from decimal import Decimal
from typing import Any

import pytest
from paradex_py.common.order import Order, OrderSide, OrderType

from tests.sandbox.client import MARKET, Answer, Trader
from tests.sandbox.conftest import Sandbox
from tests.sandbox.test_socket_orders import result

D = Decimal


async def signed(
    trader: Trader, order_type: OrderType, side: OrderSide, size: str, price: str, **extra: Any
) -> dict[str, Any]:
    """An order of any type as the SDK sends it."""
    order = Order(
        market=MARKET,
        order_type=order_type,
        order_side=side,
        size=D(size),
        limit_price=D(price),
        signature_timestamp=await trader.now(),
        **extra,
    )
    order.signature = trader.signer.sign_order(order)
    return order.dump_to_dict()


async def change(trader: Trader, order: dict[str, Any], size: str, price: str, **extra: Any) -> dict[str, Any]:
    """The signed body of a modification."""
    kind, side = OrderType(order["type"]), OrderSide(order["side"])
    return await signed(trader, kind, side, size, price, order_id=order["id"], **extra)


async def modify(trader: Trader, order: dict[str, Any], size: str, price: str, **extra: Any) -> Answer:
    body = await change(trader, order, size, price, **extra)
    return await trader.call("PUT", f"/orders/{order['id']}", json=body)


@pytest.fixture
async def trader(sandbox: Sandbox) -> Trader:
    return await sandbox.trader()


async def test_an_order_is_modified_over_rest_and_over_the_socket(sandbox: Sandbox, trader: Trader) -> None:
    socket = await sandbox.socket(trader=trader)
    await socket.subscribe("orders.ALL")
    order = await trader.place("BUY", "0.1", "59000")
    await trader.get("/orders")
    answer = await modify(trader, order, "0.2", "59100")
    assert (answer.status, answer.json["id"]) == (200, order["id"])
    assert answer.json["request_info"]["status"] == "PENDING"
    update = await socket.next(lambda _, data: data.get("request_info", {}).get("status") == "SUCCESS")
    assert (update["size"], update["price"], update["status"]) == ("0.2", "59100", "OPEN")
    body = await change(trader, order, "0.15", "59050")
    changed = await result(socket, "order.modify", **body)
    assert changed["order"]["id"] == order["id"]
    await socket.next(lambda _, data: data["price"] == "59050" and data["request_info"]["status"] == "SUCCESS")
    assert [(entry["size"], entry["price"]) for entry in (await trader.get("/orders")).json["results"]] == [
        ("0.15", "59050")
    ]


async def test_a_modification_that_cannot_be_is_refused(trader: Trader) -> None:
    order = await trader.place("BUY", "0.1", "59000")
    await trader.get("/orders")
    assert (await modify(trader, order, "0.1", "59000.05")).error == "VALIDATION_ERROR"
    assert (await modify(trader, order | {"side": "SELL"}, "0.1", "59000")).error == "VALIDATION_ERROR"
    assert (await modify(trader, order | {"id": "404"}, "0.1", "59000")).error == "ORDER_ID_NOT_FOUND"
    body = await change(trader, order, "0.1", "59000")
    answer = await trader.call("PUT", f"/orders/{order['id']}", json=body | {"price": "58000"})
    assert answer.error == "INVALID_ORDER_SIGNATURE"
    assert (await trader.call("PUT", "/orders/1", json=body)).error == "VALIDATION_ERROR"
    await trader.delete("/orders")
    await trader.get("/orders")
    assert (await modify(trader, order, "0.1", "59000")).error == "ORDER_IS_CLOSED"


async def test_what_a_modification_may_not_be_is_refused_in_the_same_words_everywhere(
    sandbox: Sandbox, trader: Trader
) -> None:
    other = await sandbox.trader()
    socket = await sandbox.socket(trader=trader)
    await socket.subscribe("orders.ALL")
    filled = await trader.place("BUY", "0.3", "59900")
    await other.place("SELL", "0.1", "59900")
    foreign = await other.place("BUY", "0.1", "59000")
    closed = await trader.place("BUY", "0.1", "59000", client_id="closed")
    await trader.get("/orders")
    await trader.delete(f"/orders/{closed['id']}")
    await trader.get("/orders")
    for order, size, price, error in (
        (filled, "0.1", "59900", "INVALID_ORDER_SIZE"),  # as much was filled already
        (filled, "0.05", "59900", "INVALID_ORDER_SIZE"),
        (filled, "0", "59900", "INVALID_ORDER_SIZE"),
        (filled, "0.3", "59900.05", "VALIDATION_ERROR"),
        (foreign, "0.2", "59000", "ORDER_ID_NOT_FOUND"),
        (filled | {"id": "404"}, "0.2", "59000", "ORDER_ID_NOT_FOUND"),
        (closed, "0.2", "59000", "ORDER_IS_CLOSED"),
    ):
        answer = await modify(trader, order, size, price)
        assert (answer.status, answer.error) == (400, error), (order, size)
        over_socket = await socket.call("order.modify", **await change(trader, order, size, price))
        assert over_socket["error"]["data"] == {"error": error}, (order, size)
    assert (await trader.get(f"/orders/{filled['id']}")).json["size"] == "0.3"
    assert "request_info" not in (await trader.get(f"/orders/{filled['id']}")).json


async def test_a_modification_that_is_refused_later_says_so_and_changes_nothing(
    sandbox: Sandbox, trader: Trader
) -> None:
    socket = await sandbox.socket(trader=trader)
    await socket.subscribe("orders.ALL")
    order = await trader.place("BUY", "0.1", "59000", instruction="POST_ONLY")
    await (await sandbox.trader()).place("SELL", "0.1", "60000")
    await trader.get("/orders")
    for price, message in (("60000", "POST_ONLY_WOULD_CROSS"), ("64000", "PRICE_BAND_EXCEEDED")):
        pending = (await modify(trader, order, "0.1", price)).json["request_info"]
        assert (pending["request_type"], pending["status"]) == ("MODIFY_ORDER", "PENDING")

        def is_about_it(_: str, update: Any, request_id: str = pending["id"]) -> bool:
            return "request_info" in update and update["request_info"]["id"] == request_id

        seen = [await socket.next(is_about_it), await socket.next(is_about_it)]
        assert [update["request_info"]["status"] for update in seen] == ["PENDING", "REJECTED"]
        assert seen[-1]["request_info"]["message"] == message
        assert (seen[-1]["status"], seen[-1]["price"], seen[-1]["size"]) == ("OPEN", "59000", "0.1")


async def test_a_linked_stop_loss_is_modified_and_resizes_with_its_parent(sandbox: Sandbox, trader: Trader) -> None:
    socket = await sandbox.socket(trader=trader)
    await socket.subscribe("orders.ALL")
    parent = await trader.place("BUY", "0.2", "59000")
    body = await signed(trader, OrderType.StopLossMarket, OrderSide.Sell, "0.2", "0", trigger_price=Decimal(58000))
    loss = (await trader.post("/orders", body)).json
    await trader.get("/orders")
    moved = await modify(trader, loss, "0.2", "0", trigger_price=Decimal(58500))
    assert moved.json["request_info"]["status"] == "PENDING"
    update = await socket.next(lambda _, data: data["id"] == loss["id"] and data["trigger_price"] == "58500")
    assert (update["status"], update["request_info"]["status"]) == ("UNTRIGGERED", "SUCCESS")
    await result(socket, "order.modify", **await change(trader, parent, "0.3", "59000"))
    update = await socket.next(lambda _, data: data["id"] == loss["id"] and data["size"] == "0.3")
    assert update["remaining_size"] == "0.3"
    maker = await sandbox.trader()
    await maker.place("SELL", "0.1", "59000")
    await socket.next(lambda _, data: data["id"] == loss["id"] and data["size"] == "0.1")
    await maker.place("SELL", "0.2", "59000")
    await socket.next(lambda _, data: data["id"] == loss["id"] and data["size"] == "0.3")
    # Once it has been triggered there is no trigger price to move.
    body = await signed(trader, OrderType.TakeProfitLimit, OrderSide.Sell, "0.3", "60500", trigger_price=Decimal(60000))
    profit = (await trader.post("/orders", body)).json
    assert (await trader.get(f"/orders/{profit['id']}")).json["status"] == "OPEN"
    refused = await modify(trader, profit, "0.3", "60400", trigger_price=Decimal(60100))
    assert refused.error == "VALIDATION_ERROR"
    assert (await modify(trader, profit, "0.3", "60400")).status == 200


async def test_a_market_order_is_bounded_by_its_vwap_price(sandbox: Sandbox, trader: Trader) -> None:
    maker = await sandbox.trader()
    for size, price in (("0.1", "60000"), ("0.1", "60100"), ("0.1", "60500")):
        await maker.place("SELL", size, price)
    body = await trader.order_body("BUY", "0.3", None)
    for extra, error in (
        ({"vwap_price": "x"}, "VALIDATION_ERROR"),
        ({"vwap_price": "-1"}, "VALIDATION_ERROR"),
        ({"vwap_price": 60100}, "BINDING_ERROR"),
    ):
        assert (await trader.post("/orders", body | extra)).error == error
    limit = await trader.order_body("BUY", "0.1", "60000")
    for extra in ({"vwap_price": "60000"}, {"flags": ["TARGET_STRATEGY_VWAP"]}):
        assert (await trader.post("/orders", limit | extra)).error == "VALIDATION_ERROR"
    answer = await trader.post("/orders", body | {"vwap_price": "60100", "flags": ["TARGET_STRATEGY_VWAP"]})
    assert answer.json["flags"] == ["TARGET_STRATEGY_VWAP"]
    await trader.get("/orders")
    order = await trader.history(answer.json["id"])
    # 0.1 below the limit by 100 pays for 0.025 beyond it by 400.
    assert (order["remaining_size"], order["avg_fill_price"]) == ("0.075", "60100")
    assert order["cancel_reason"] == "MAX_SLIPPAGE_EXCEEDED"


@pytest.mark.parametrize(
    ("kind", "price", "trigger", "fires_at"),
    [
        (OrderType.StopLimit, "61000", "60500", "60600"),
        (OrderType.StopMarket, "0", "60500", "60600"),
    ],
)
async def test_stop_orders_wait_for_the_mark(
    sandbox: Sandbox, trader: Trader, kind: OrderType, price: str, trigger: str, fires_at: str
) -> None:
    maker = await sandbox.trader()
    await maker.place("SELL", "1", "60600")
    body = await signed(trader, kind, OrderSide.Buy, "0.1", price, trigger_price=D(trigger))
    answer = await trader.post("/orders", body)
    assert answer.status == 201, answer.text
    waiting = (await trader.get("/orders")).json["results"]
    assert [(entry["status"], entry["trigger_price"]) for entry in waiting] == [("UNTRIGGERED", trigger)]
    await sandbox.mark(fires_at)
    await sandbox.advance(200)
    assert [fill["price"] for fill in (await trader.get("/fills")).json["results"]] == ["60600"]


async def test_a_twap_trades_in_slices(sandbox: Sandbox, trader: Trader) -> None:
    maker = await sandbox.trader()
    await maker.place("SELL", "1", "60010")
    body = await signed(trader, OrderType.Market, OrderSide.Buy, "0.4", "0")
    body |= {"algo_type": "TWAP", "duration_seconds": 120}
    answer = await trader.post("/algo/orders", body)
    assert answer.status == 201, answer.text
    algo = answer.json
    assert algo["algo_params"] == {"duration_seconds": "120", "frequency": "30"}
    sizes = []
    for step in (1000, 30_000, 30_000):
        await sandbox.advance(step)
        sizes.append((await trader.get(f"/algo/orders/{algo['id']}")).json["remaining_size"])
    assert sizes == ["0.3", "0.2", "0.1"]
    assert [entry["id"] for entry in (await trader.get("/algo/orders")).json["results"]] == [algo["id"]]
    assert (await trader.delete(f"/algo/orders/{algo['id']}")).status == 204
    history = (await trader.get("/algo/orders-history", status="CLOSED")).json["results"]
    assert [(entry["id"], entry["avg_fill_price"]) for entry in history] == [(algo["id"], "60010")]
    assert (await trader.delete(f"/algo/orders/{algo['id']}")).error == "ALGO_ID_NOT_FOUND"


async def test_market_maker_protection_freezes_and_is_reset(sandbox: Sandbox, trader: Trader) -> None:
    taker = await sandbox.trader()
    socket = await sandbox.socket(trader=trader)
    await socket.subscribe("mmp")
    config = {"interval_ms": 1000, "frozen_time_ms": 0, "size_limit": "0.1", "delta_limit": "0", "vega_limit": "0"}
    stored = (await trader.post("/account/mmp/BTC", config)).json
    assert (stored["size_limit"], stored["is_frozen"]) == ("0.1", False)
    assert (await socket.next("mmp"))["kind"] == "CONFIG_UPDATED"
    body = await signed(trader, OrderType.Limit, OrderSide.Sell, "1", "60000", mmp=True)
    assert (await trader.post("/orders", body)).status == 201
    await taker.place("BUY", "0.2", "60000")
    tripped = await socket.next("mmp")
    assert (tripped["kind"], tripped["trip_reason"], tripped["trigger_market"]) == ("TRIGGERED", "SIZE", MARKET)
    assert (await trader.get("/orders")).json["results"] == []
    shown = (await trader.get("/account/mmp")).json
    assert (shown["enabled"], [entry["is_frozen"] for entry in shown["results"]]) == (True, [True])
    answer = await trader.post("/account/mmp/reset", {"base_asset": "BTC"})
    assert answer.error == "MMP_MIN_FREEZE_NOT_ELAPSED"
    await sandbox.advance(1000)
    answer = await trader.post("/account/mmp/reset")
    assert [entry["base_asset"] for entry in answer.json["results"]] == ["BTC"]
    assert (await trader.delete("/account/mmp/BTC")).status == 204
    assert (await trader.get("/account/mmp")).json["results"] == []
    assert (await trader.post("/account/mmp/BTC", config | {"interval_ms": "1"})).error == "BINDING_ERROR"
    assert (await trader.post("/account/mmp/BTC", config | {"size_limit": 1})).error == "VALIDATION_ERROR"


async def test_rpi_orders_show_in_the_interactive_book_only(sandbox: Sandbox, trader: Trader) -> None:
    assert (await trader.order("SELL", "0.1", "60010", instruction="RPI")).error == "RPI_ACCOUNT_NOT_WHITELISTED"
    await sandbox.rest.control("POST", f"/accounts/{trader.address}/rpi")
    sockets = {}
    for feed in ("deltas", "interactive"):
        sockets[feed] = await sandbox.socket()
        await sockets[feed].subscribe(f"order_book.{MARKET}.{feed}@15@50ms")
        await sockets[feed].drain()
    await trader.place("SELL", "0.1", "60010", instruction="RPI")
    await trader.place("SELL", "0.2", "60020")
    api = (await sandbox.rest.get(f"/orderbook/{MARKET}")).json
    interactive = (await sandbox.rest.get(f"/orderbook/{MARKET}/interactive")).json
    assert (api["asks"], interactive["asks"]) == ([["60020", "0.2"]], [["60010", "0.1"], ["60020", "0.2"]])
    assert (api["best_ask_api"], api["best_ask_interactive"]) == (["60020", "0.2"], ["60010", "0.1"])
    assert (await sandbox.rest.get(f"/bbo/{MARKET}")).json["ask"] == "60020"
    assert (await sandbox.rest.get(f"/bbo/{MARKET}/interactive")).json["ask"] == "60010"
    sandbox.runtime.hub.flush_books()
    frame = (await sockets["interactive"].drain())[-1][1]
    assert [D(level[0]) for level in frame.asks] == [60010, 60020]
    assert (D(frame.best_ask_price), D(frame.best_ask_api_price)) == (60010, 60020)
    assert [D(level[0]) for level in (await sockets["deltas"].drain())[-1][1].asks] == [60020]
    retail = await sandbox.trader(interactive=True)
    await retail.place("BUY", "0.1", "60020")
    await sandbox.advance(300)
    assert [fill["price"] for fill in (await retail.get("/fills")).json["results"]] == ["60010"]


async def test_a_busted_trade_is_undone_and_told(sandbox: Sandbox, trader: Trader) -> None:
    maker = await sandbox.trader()
    socket = await sandbox.socket(trader=trader)
    await socket.subscribe("tradebusts")
    await maker.place("SELL", "0.1", "60000")
    await trader.place("BUY", "0.1", "60000")
    fill = (await trader.get("/fills")).json["results"][0]
    await sandbox.rest.control("POST", "/faults", {"kind": "bust_trade", "account": trader.address})
    assert (await socket.next("tradebusts"))["busted_fill_id"] == fill["id"]
    assert [bust["busted_fill_id"] for bust in (await trader.get("/tradebusts")).json["results"]] == [fill["id"]]
    assert len((await maker.get("/tradebusts")).json["results"]) == 1
    assert [entry["size"] for entry in (await trader.get("/positions")).json["results"]] == ["0"]
    assert (await trader.get("/account")).json["account_value"] == "100000"


async def test_a_release_window(sandbox: Sandbox, trader: Trader) -> None:
    await sandbox.rest.control("POST", "/release", {"in_ms": 1000, "cancel_only_ms": 5000, "post_only_ms": 5000})
    seen = []
    for step in (0, 1000, 4000, 1000, 4000, 1000):
        await sandbox.advance(step)
        seen.append((await sandbox.rest.get("/system/state")).json["status"])
    assert seen == ["ok", "cancel_only", "cancel_only", "post_only", "post_only", "ok"]


async def test_maintenance_refuses_orders_and_cancels(sandbox: Sandbox, trader: Trader) -> None:
    order = await trader.place("BUY", "0.1", "59000")
    await trader.get("/orders")
    await sandbox.rest.control("POST", "/settings", {"system_status": "maintenance"})
    assert (await trader.order("BUY", "0.1", "59000")).status >= 400
    answer = await trader.delete(f"/orders/{order['id']}")
    assert (answer.status, answer.error) == (503, "SERVICE_UNAVAILABLE")
    assert (await trader.get("/orders")).status == 200


async def test_a_liquidated_account_learns_of_it(sandbox: Sandbox) -> None:
    maker, gambler = await sandbox.trader("10000000"), await sandbox.trader("2000")
    await maker.place("SELL", "1", "60000")
    await maker.place("BUY", "1", "55000")
    await gambler.place("BUY", "0.5", "60000")
    await sandbox.mark("56400")
    await sandbox.advance(5000)
    liquidations = (await gambler.get("/liquidations")).json["results"]
    assert liquidations
    until = liquidations[-1]["created_at"] - 1
    assert (await gambler.get("/liquidations", to=until)).json["results"] == []
    assert "LIQUIDATION" in {fill["fill_type"] for fill in (await gambler.get("/fills")).json["results"]}


async def test_a_market_changes_its_rules_while_it_trades(sandbox: Sandbox, trader: Trader) -> None:
    sockets = [await sandbox.socket(), await sandbox.socket()]
    await sockets[0].subscribe("markets")
    await sockets[1].subscribe(f"markets.{MARKET}")
    changes = {"price_tick_size": "10", "max_slippage": "0.01", "max_open_orders": 1}
    market = await sandbox.rest.control("POST", f"/markets/{MARKET}", changes)
    assert (market["price_tick_size"], market["max_open_orders"]) == ("10", 1)
    for socket, channel in zip(sockets, ("markets", f"markets.{MARKET}"), strict=True):
        event = await socket.next(channel)
        assert (event["symbol"], event["event_type"]) == (MARKET, "UPDATED")
        assert event["changed_fields"] == {"price_tick_size": "10", "max_slippage": 0.01, "max_open_orders": 1}
    assert (await sandbox.rest.get("/markets", market=MARKET)).json["results"] == [market]
    assert (await trader.order("BUY", "0.1", "59001")).error == "VALIDATION_ERROR"
    await trader.place("BUY", "0.1", "59010")
    assert (await trader.order("BUY", "0.1", "59010")).error == "VALIDATION_ERROR"
    history = (await sandbox.rest.get("/markets/history", market=MARKET)).json["results"]
    assert [entry["event_type"] for entry in history] == ["UPDATED"]


async def test_a_market_is_delisted(sandbox: Sandbox, trader: Trader) -> None:
    maker = await sandbox.trader()
    await maker.place("SELL", "0.1", "60000")
    await trader.place("BUY", "0.1", "60000")
    socket = await sandbox.socket()
    await socket.subscribe("markets")
    query = {"market": MARKET}
    answer = await sandbox.rest.get("/markets/settlement-price", **query)
    assert (answer.status, answer.error) == (404, "MARKET_NOT_SETTLED")
    now = await sandbox.rest.now()
    await sandbox.rest.control("POST", f"/markets/{MARKET}", {"expiry_at": now + 60_000})
    assert (await socket.next("markets"))["changed_fields"] == {"expiry_at": now + 60_000}
    await sandbox.advance(61_000)
    assert (await socket.next("markets"))["event_type"] == "SETTLED"
    settled = (await sandbox.rest.get("/markets/settlement-price", **query)).json
    assert (settled["symbol"], settled["settlement_price"]) == (MARKET, "60000")
    assert (await trader.order("BUY", "0.1", "60000")).error == "MARKET_NOT_OPEN"
    assert [entry["size"] for entry in (await trader.get("/positions")).json["results"]] == ["0"]


async def test_rules_that_make_no_sense_are_refused(sandbox: Sandbox) -> None:
    url = sandbox.server.url.removesuffix("/v1") + f"/sandbox/markets/{MARKET}"
    for body in (
        {"price_tick_size": "0"},
        {"symbol": "X"},
        {"market": "1"},
        {"max_slippage": 2.5},
        {"max_order_size": "lots"},
        {},
        [],
    ):
        async with sandbox.session.post(url, json=body) as response:
            assert response.status == 400, body
