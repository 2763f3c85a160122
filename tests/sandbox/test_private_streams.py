"""An account's streams, as JSON and as SBE: both say what REST says."""

from decimal import ROUND_DOWN, Decimal
from typing import Any

import pytest

from tests.sandbox.client import MARKET, Socket, Trader
from tests.sandbox.conftest import Sandbox, Starter

VERSIONS = pytest.mark.parametrize("version", [0, 1, 2])


@pytest.fixture
async def binary_sandbox(start: Starter) -> Sandbox:
    """Like `sandbox`, with private payloads as SBE."""
    sandbox = await start(private_binary=True)
    await sandbox.mark("60000")
    return sandbox


def same(binary: str | None, text: str) -> bool:
    """Whether a binary value equals the JSON one, cut to its 8 places; null is an empty string or a zero."""
    return text in ("", "0") if binary is None else Decimal(binary) == round_down(Decimal(text))


def round_down(value: Decimal) -> Decimal:
    return value.quantize(Decimal("1E-8"), rounding=ROUND_DOWN)


async def short_position(sandbox: Sandbox, **options: Any) -> tuple[Trader, Trader, str]:
    """One account sells 0.1 to another's two bids; the seller's order id."""
    buyer, seller = await sandbox.trader(), await sandbox.trader()
    await buyer.place("BUY", "0.04", "59990")
    await buyer.place("BUY", "0.1", "59980")
    order = await seller.place("SELL", "0.1", "59900", **options)
    return buyer, seller, order["id"]


@VERSIONS
async def test_binary_orders_fills_positions_and_account_equal_rest(binary_sandbox: Sandbox, version: int) -> None:
    sandbox = binary_sandbox
    buyer, seller = await sandbox.trader(), await sandbox.trader(interactive=True)
    socket = await sandbox.socket(version, seller)
    await socket.subscribe("orders.ALL", f"fills.{MARKET}", "positions", "account")
    await buyer.place("BUY", "0.04", "59990")
    await buyer.place("BUY", "0.03", "59980")
    sent = await seller.place("SELL", "0.1", "59900", client_id="binary")
    await sandbox.advance(300)  # the speed bump of Retail orders
    received = await socket.drain()

    orders = [frame for channel, frame in received if channel == f"orders.{MARKET}"]
    assert [frame.status for frame in orders] == ["NEW", "OPEN"]
    rest = (await seller.get(f"/orders/{sent['id']}")).json
    last = orders[-1]
    assert (last.order_id, last.client_order_id, last.market) == (rest["id"], "binary", MARKET)
    assert (last.side, last.order_type, last.time_in_force, last.stp) == (
        rest["side"],
        rest["type"],
        rest["instruction"],
        rest["stp"],
    )
    assert (last.flags, last.account, last.cancel_reason) == (rest["flags"], rest["account"], rest["cancel_reason"])
    assert last.flags == ["INTERACTIVE"]
    assert (last.created_at, last.updated_at, last.received_at) == (
        rest["created_at"],
        rest["last_updated_at"],
        rest["received_at"],
    )
    for binary, field in [
        (last.size, "size"),
        (last.size_open, "remaining_size"),
        (last.price, "price"),
        (last.avg_fill_price, "avg_fill_price"),
        (last.trigger_price, "trigger_price"),
    ]:
        assert same(binary, rest[field]), field

    fills = [frame for channel, frame in received if channel == f"fills.{MARKET}"]
    rest_fills = (await seller.get("/fills")).json["results"]
    assert len(fills) == len(rest_fills) == 2
    for frame, rest in zip(fills, reversed(rest_fills), strict=True):
        assert (frame.fill_id, frame.order_id, frame.client_order_id) == (rest["id"], rest["order_id"], "binary")
        assert (frame.side, frame.liquidity, frame.fill_type) == (rest["side"], "TAKER", rest["fill_type"])
        for field in ("price", "size", "fee", "realized_pnl", "realized_funding", "underlying_price"):
            assert same(getattr(frame, field), rest[field]), field
        assert (frame.created_at, frame.account) == (rest["created_at"], seller.address)
        if version == 2:
            assert (frame.fee_currency, frame.orderbook_seq_no, frame.flags) == (
                rest["fee_currency"],
                rest["orderbook_seq_no"],
                ["INTERACTIVE"],
            )

    position = [frame for channel, frame in received if channel == "positions"][-1]
    rest = (await seller.get("/positions")).json["results"][0]
    assert (position.side, position.market, position.status) == ("SHORT", MARKET, "OPEN")
    assert Decimal(position.size) == Decimal("-0.07")
    for binary, field in [
        (position.size, "size"),
        (position.avg_entry_price, "average_entry_price"),
        (position.unrealized_pnl, "unrealized_pnl"),
        (position.realized_pnl, "realized_positional_pnl"),
        (position.liquidation_price, "liquidation_price"),
        (position.leverage, "leverage"),
        (position.cost, "cost"),
        (position.cached_funding_index, "cached_funding_index"),
    ]:
        assert same(binary, rest[field]), field
    assert position.last_fill_id == rest["last_fill_id"]

    account = [frame for channel, frame in received if channel == "account"][-1]
    rest = (await seller.get("/account")).json
    for binary, field in [
        (account.account_value, "account_value"),
        (account.total_collateral, "total_collateral"),
        (account.free_collateral, "free_collateral"),
        (account.initial_margin_req, "initial_margin_requirement"),
        (account.maintenance_margin_req, "maintenance_margin_requirement"),
        (account.margin_cushion, "margin_cushion"),
    ]:
        assert same(binary, rest[field]), field
    assert (account.account, account.status, account.settlement_asset) == (seller.address, "ACTIVE", "USDC")


async def test_a_market_order_has_no_price_on_the_wire(binary_sandbox: Sandbox) -> None:
    trader = await binary_sandbox.trader()
    socket = await binary_sandbox.socket(trader=trader)
    await socket.subscribe("orders.ALL")
    await trader.place("BUY", "0.1", None, instruction="IOC")
    frames = [frame for _, frame in await socket.drain()]
    assert [(frame.status, frame.price, frame.avg_fill_price) for frame in frames] == [
        ("NEW", None, None),
        ("CLOSED", None, None),
    ]
    assert frames[-1].cancel_reason


async def test_json_streams_say_what_rest_says(sandbox: Sandbox) -> None:
    watcher_socket: list[Socket] = []
    buyer = await sandbox.trader()
    watcher_socket.append(await sandbox.socket(trader=buyer))
    await watcher_socket[0].subscribe(
        "orders.ALL", f"orders.{MARKET}", "fills.ALL", "positions", "account", "balance_events", "transaction"
    )
    seller = await sandbox.trader()
    await seller.place("SELL", "0.1", "60000")
    await buyer.place("BUY", "0.06", "60000")
    received = await watcher_socket[0].drain()
    by_channel: dict[str, list[Any]] = {}
    for channel, data in received:
        by_channel.setdefault(channel, []).append(data)
    assert by_channel["orders.ALL"] == by_channel[f"orders.{MARKET}"]
    assert [order["status"] for order in by_channel["orders.ALL"]] == ["NEW", "CLOSED"]
    assert by_channel["fills.ALL"] == (await buyer.get("/fills")).json["results"]
    assert by_channel["transaction"] == (await buyer.get("/transactions")).json["results"]
    assert by_channel["positions"][-1] == (await buyer.get("/positions")).json["results"][0]
    assert by_channel["account"][-1] == (await buyer.get("/account")).json
    event = by_channel["balance_events"][-1]
    fee = Decimal(by_channel["fills.ALL"][0]["fee"])
    assert Decimal(event["settlement_asset_balance_after"]) == 100_000 - fee
    assert (event["type"], event["fill_id"]) == ("TRANSACTION_FILL", by_channel["fills.ALL"][0]["id"])
    balance = (await buyer.get("/balance")).json["results"][0]
    assert (balance["token"], balance["size"]) == ("USDC", event["settlement_asset_balance_after"])


async def test_nobody_sees_anothers_account(sandbox: Sandbox) -> None:
    onlooker = await sandbox.trader()
    socket = await sandbox.socket(trader=onlooker)
    await socket.subscribe("orders.ALL", "fills.ALL", "positions", "account", "transfers", "balance_events")
    await short_position(sandbox)
    assert await socket.drain() == []


async def test_deposits_and_withdrawals_are_transfers(sandbox: Sandbox) -> None:
    trader = await sandbox.trader("500")
    socket = await sandbox.socket(trader=trader)
    await socket.subscribe("transfers", "account")
    for amount in ("250.5", "-100"):
        await sandbox.rest.control("POST", f"/accounts/{trader.address}/deposit", {"amount": amount})
    received = await socket.drain()
    rest = (await trader.get("/transfers")).json["results"]
    assert [data for channel, data in received if channel == "transfers"] == rest[1::-1]
    assert [(item["kind"], item["direction"], item["amount"]) for item in rest] == [
        ("WITHDRAWAL", "OUT", "100"),
        ("DEPOSIT", "IN", "250.5"),
        ("DEPOSIT", "IN", "500"),
    ]
    assert dict(received)["account"]["total_collateral"] == "650.5"
    assert (await trader.get("/transfers", status="PENDING")).json["results"] == []


async def test_funding_is_paid_when_the_position_changes(sandbox: Sandbox) -> None:
    buyer, seller, _ = await short_position(sandbox)
    socket = await sandbox.socket(trader=buyer)
    await socket.subscribe(f"funding_payments.{MARKET}")
    await sandbox.advance(3_600_000)
    for trader in (buyer, seller):
        await trader.login()
    await seller.place("SELL", "0.01", "59980")
    payments = [data for channel, data in await socket.drain() if channel == f"funding_payments.{MARKET}"]
    assert payments == (await buyer.get("/funding/payments", market=MARKET)).json["results"]
    assert len(payments) == 1
    assert Decimal(payments[0]["payment"]) != 0
    received = (await seller.get("/funding/payments", market=MARKET)).json["results"]
    # The seller's payment is realized by the same fill, with the other sign.
    assert Decimal(received[0]["payment"]) * Decimal(payments[0]["payment"]) < 0
    assert (await buyer.get("/funding/payments")).status == 400


async def test_the_encoding_can_be_switched_while_connected(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    socket = await sandbox.socket(trader=trader)
    await socket.subscribe("orders.ALL")
    await trader.place("BUY", "0.01", "59000")
    assert {channel for channel, _ in await socket.drain()} == {"orders.ALL"}
    await sandbox.rest.control("POST", "/settings", {"private_encoding": "sbe"})
    await trader.place("BUY", "0.01", "59000")
    assert {channel for channel, _ in await socket.drain()} == {f"orders.{MARKET}"}


async def test_nothing_was_ever_busted(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    assert (await trader.get("/tradebusts")).json == {"results": [], "next": None, "prev": None}
