"""Every template in every version, decoded by the SDK's codec, which nobody here wrote."""

import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from paradex_py.api.sbe.codec import SbeDecodeError, decode_frame

from paradex_sandbox.api import sbe

D = Decimal
TS = 1_795_000_000_123_456
MS = TS // 1000
MARKET = "kPEPE-USD-PERP"
ADDRESS = 0x495D2EB5236A12B8B4AD7D3849CE6A203CE21C43F473C248DFD5CE70D9454FA
TRADE_ID = "1795185179899917000000000004"

#: Length of the fixed block by template, for versions 0, 1 and 2: written down from the schema's field lists.
BLOCKS = {
    sbe.TRADE: (50, 50, 50),
    sbe.BBO: (48, 48, 48),
    sbe.BOOK: (89, 89, 89),
    sbe.MARKET_SUMMARY: (216, 240, 240),
    sbe.FUNDING_DATA: (58, 66, 66),
    sbe.FUNDING_RATE_COMPARISON: (26, 26, 26),
    sbe.ORDER: (126, 126, 128),
    sbe.FILL: (107, 107, 116),
    sbe.POSITION: (154, 154, 154),
    sbe.ACCOUNT: (113, 113, 121),
    sbe.HEARTBEAT: (16, 16, 16),
}

VERSIONS = pytest.mark.parametrize("version", sbe.VERSIONS)


def decode(encode: Callable[..., bytes], version: int, **fields: Any) -> tuple[str, Any]:
    """Checks the header and that no byte is left over, and decodes with the SDK."""
    frame = encode(version, **fields)
    block_length, template, schema, frame_version = struct.unpack_from("<HHHH", frame)
    assert (schema, frame_version) == (1, version)
    assert block_length == BLOCKS[template][version]
    if frame[-1]:  # not an empty last string, which may be absent
        with pytest.raises(SbeDecodeError):
            decode_frame(frame[:-1])
    return decode_frame(frame)  # type: ignore[return-value]


@VERSIONS
def test_trade(version: int) -> None:
    channel, model = decode(
        sbe.trade,
        version,
        ts=TS,
        seq=7,
        trade_id=TRADE_ID,
        side="SELL",
        price=D("0.0000123"),
        size=D("1500"),
        created_at=TS - 5000,
        trade_type="LIQUIDATION",
        market=MARKET,
    )
    assert channel == f"trades.{MARKET}"
    with pytest.warns(DeprecationWarning, match="trade_id|tradeIdStr|DEPRECATED"):
        cut_off = model.trade_id
    assert cut_off == struct.unpack("<q", (int(TRADE_ID) & (2**64 - 1)).to_bytes(8, "little"))[0]
    fields = (model.seq_no, model.side, model.price, model.size, model.trade_type)
    assert fields == (7, "SELL", "0.00001230", "1500.00000000", "LIQUIDATION")
    assert (model.timestamp, model.created_at) == (MS, MS - 5)
    assert model.trade_id_str == (TRADE_ID if version == 2 else None)


@VERSIONS
@pytest.mark.parametrize("empty", [False, True])
def test_bbo_with_and_without_an_empty_side(version: int, empty: bool) -> None:
    ask = None if empty else (D("60000.2"), D("0.4"))
    _, model = decode(sbe.bbo, version, ts=TS, seq=9, bid=(D("60000.1"), D("0.3")), ask=ask, market=MARKET)
    assert (model.bid_price, model.bid_size) == ("60000.10000000", "0.30000000")
    assert (model.ask_price, model.ask_size) == ((None, None) if empty else ("60000.20000000", "0.40000000"))


@VERSIONS
@pytest.mark.parametrize("is_delta", [False, True])
def test_book(version: int, is_delta: bool) -> None:
    channel, model = decode(
        sbe.book,
        version,
        ts=TS,
        seq=11,
        is_delta=is_delta,
        bids=[(D("99"), D("1")), (D("98"), D("0"))],
        asks=[],
        market=MARKET,
        best_api=((D("99"), D("1")), None),
    )
    assert channel == f"order_book.{MARKET}"
    assert model.pkg_type == ("DELTA" if is_delta else "SNAPSHOT")
    assert model.bids == [["99.00000000", "1.00000000"], ["98.00000000", "0.00000000"]]
    assert model.asks == []
    assert (model.best_bid_price, model.relative_spread) == (None, None)
    assert (model.best_bid_api_price, model.best_ask_api_price) == ("99.00000000", None)


@VERSIONS
def test_interactive_book_has_best_prices_and_spread(version: int) -> None:
    top = ((D("99"), D("1")), (D("101"), D("2")))
    _, model = decode(
        sbe.book,
        version,
        ts=TS,
        seq=1,
        is_delta=False,
        bids=[],
        asks=[],
        market=MARKET,
        best_interactive=top,
        best_api=top,
    )
    assert (model.best_bid_price, model.best_ask_size, model.relative_spread) == (
        "99.00000000",
        "2.00000000",
        "0.02000000",
    )


@VERSIONS
def test_market_summary(version: int) -> None:
    channel, model = decode(
        sbe.market_summary,
        version,
        ts=TS,
        seq=5,
        market=MARKET,
        mark_price=D("60000.12345678"),
        underlying_price=D("59999"),
        last_traded_price=D("60001"),
        volume_24h=D("1234.5"),
        open_interest=D("850"),
        funding_rate=D("-0.000100000012"),
        bid=(D("60000"), D("1")),
        ask=None,
        total_volume=D("1E+15"),
        price_change_rate_24h=D("-0.05"),
        external_fair_price=D("59998"),
    )
    assert channel == f"markets_summary.{MARKET}"
    assert (model.mark_price, model.index_price, model.last_price) == (
        "60000.12345678",
        "59999.00000000",
        "60001.00000000",
    )
    assert (model.bid, model.bid_size, model.ask, model.ask_size) == ("60000.00000000", "1.00000000", None, None)
    assert model.funding_rate == "-0.00010000"
    assert model.funding_rate_precise == (None if version == 0 else "-0.000100000012")
    assert model.total_volume == "92233720368.54775807", "saturates"
    assert (model.price_change_rate24h, model.external_fair_price) == ("-0.05000000", "59998.00000000")
    assert (model.mark_iv, model.gamma, model.future_funding_rate, model.forward_rate) == (None, None, None, None)


@VERSIONS
def test_funding_data(version: int) -> None:
    _, model = decode(
        sbe.funding_data,
        version,
        ts=TS,
        seq=5,
        market=MARKET,
        funding_rate=D("0.0001"),
        funding_index=D("-12.5"),
        created_at=TS,
        funding_premium=D("6"),
        funding_rate_8h=D("0.0008"),
        funding_period_hours=1,
        impact_premium_rate=D("0.002"),
    )
    assert (model.funding_rate, model.funding_index, model.funding_rate8h, model.funding_period_hours) == (
        "0.00010000",
        "-12.50000000",
        "0.00080000",
        1,
    )
    assert model.impact_premium_rate == (None if version == 0 else "0.00200000")


def test_funding_rate_comparison() -> None:
    channel, model = decode(
        sbe.funding_rate_comparison,
        1,
        ts=TS,
        last_updated_at=TS,
        hourly_funding_rate=D("0.000000000001"),
        asset_kind="PERP",
        source="BINANCE",
        market=MARKET,
    )
    assert (channel, model.source, model.hourly_funding_rate) == (
        "funding_rate_comparison",
        "SOURCE_BINANCE",
        "0.000000000001",
    )


@VERSIONS
def test_order(version: int) -> None:
    channel, model = decode(
        sbe.order,
        version,
        ts=TS,
        seq=2**62,
        status="CLOSED",
        side="BUY",
        order_type="STOP_LOSS_LIMIT",
        instruction="POST_ONLY",
        price=D("60000"),
        trigger_price=D("59000"),
        size=D("1"),
        remaining_size=D("0.25"),
        avg_fill_price=D("59999.5"),
        created_at=TS,
        last_updated_at=TS + 1000,
        account=ADDRESS,
        received_at=TS + 2000,
        published_at=TS + 3000,
        stp="EXPIRE_BOTH",
        flags=["REDUCE_ONLY", "INTERACTIVE", "MMP"],
        order_id="123",
        client_id="ä" * 64,
        market=MARKET,
        cancel_reason="USER_CANCELED",
        request_info={"id": "9", "message": "no", "status": "REJECTED", "request_type": "MODIFY_ORDER"},
    )
    assert channel == f"orders.{MARKET}"
    assert (model.status, model.side, model.order_type, model.time_in_force, model.stp) == (
        "CLOSED",
        "BUY",
        "STOP_LOSS_LIMIT",
        "POST_ONLY",
        "EXPIRE_BOTH",
    )
    assert (model.size, model.size_open, model.avg_fill_price) == ("1.00000000", "0.25000000", "59999.50000000")
    assert (model.created_at, model.updated_at, model.received_at, model.published_at) == (MS, MS + 1, MS + 2, MS + 3)
    assert (model.account, model.client_order_id, model.cancel_reason) == (hex(ADDRESS), "ä" * 64, "USER_CANCELED")
    assert model.flags == (["REDUCE_ONLY", "INTERACTIVE", "MMP"] if version == 2 else ["REDUCE_ONLY", "INTERACTIVE"])
    info = {"id": "9", "message": "no", "request_type": "MODIFY_ORDER", "status": "REJECTED"}
    assert model.request_info == (info if version == 2 else None)


@VERSIONS
def test_a_market_order_has_nulls_and_what_the_schema_lacks_is_not_representable(version: int) -> None:
    _, model = decode(
        sbe.order,
        version,
        ts=TS,
        seq=1,
        status="SLEEPING",
        side="BUY",
        order_type="MARKET",
        instruction="IOC",
        price=None,
        trigger_price=None,
        size=D("1"),
        remaining_size=D("1"),
        avg_fill_price=None,
        created_at=TS,
        last_updated_at=TS,
        account=ADDRESS,
        received_at=TS,
        published_at=TS,
        stp=None,
        flags=[],
        order_id="123",
        client_id="",
        market=MARKET,
        cancel_reason="",
    )
    assert (model.price, model.trigger_price, model.avg_fill_price, model.request_info) == (None, None, None, None)
    assert (model.status, model.stp, model.flags, model.client_order_id) == (None, "NONE", [], "")


@VERSIONS
def test_fill(version: int) -> None:
    _, model = decode(
        sbe.fill,
        version,
        ts=TS,
        seq=None,
        fill_type="RPI",
        side="SELL",
        liquidity="MAKER",
        price=D("60000"),
        size=D("0.1"),
        fee=D("-0.3"),
        realized_pnl=None,
        created_at=TS,
        account=ADDRESS,
        underlying_price=D("59999"),
        realized_funding=D("-1.5"),
        flags=["rpi", "brand_new"],
        orderbook_seq_no=2**63 + 1,
        fill_id="1",
        order_id="2",
        client_id="",
        trade_id=TRADE_ID,
        market=MARKET,
        fee_currency="DIME",
    )
    assert (model.seq_no, model.fill_type, model.side, model.liquidity) == (None, "RPI", "SELL", "MAKER")
    assert (model.fee, model.realized_pnl, model.realized_funding) == ("-0.30000000", None, "-1.50000000")
    assert (model.fill_id, model.order_id, model.trade_id, model.market) == ("1", "2", TRADE_ID, MARKET)
    appended = (model.flags, model.orderbook_seq_no, model.fee_currency)
    assert appended == ((["RPI", "UNKNOWN"], 2**63 + 1, "DIME") if version == 2 else (None, None, None))


@VERSIONS
def test_position_is_absolute_on_the_wire_and_signed_by_its_side(version: int) -> None:
    fields = {
        "ts": TS,
        "seq": 3,
        "side": "SHORT",
        "size": D("-0.5"),
        "average_entry_price": D("60000"),
        "unrealized_pnl": D("-12.5"),
        "realized_pnl": D("1"),
        "liquidation_price": None,
        "leverage": D("10"),
        "last_updated_at": TS,
        "account": ADDRESS,
        "average_entry_price_usd": D("60000"),
        "cost": D("-30000"),
        "cost_usd": D("-30000"),
        "cached_funding_index": D("3"),
        "unrealized_funding_pnl": D("0.5"),
        "status": "OPEN",
        "market": MARKET,
        "last_fill_id": "77",
    }
    frame = sbe.position(version, **fields)  # type: ignore[arg-type]
    assert struct.unpack_from("<q", frame, 8 + 17)[0] == 50_000_000
    _, model = decode(sbe.position, version, **fields)
    assert (model.side, model.size, model.leverage, model.status) == ("SHORT", "-0.50000000", "10.00000000", "OPEN")
    assert (model.mark_price, model.liquidation_price, model.last_fill_id) == (None, None, "77")


@VERSIONS
def test_account(version: int) -> None:
    _, model = decode(
        sbe.account_summary,
        version,
        ts=TS,
        seq=4,
        total_collateral=D("100000.123456789"),
        free_collateral=D("99000"),
        initial_margin_requirement=D("1000"),
        maintenance_margin_requirement=D("500"),
        account_value=D("100001"),
        updated_at=TS,
        account=ADDRESS,
        margin_cushion=D("99501"),
        status="LIQUIDATION",
        settlement_asset="USDC",
        last_seen_notification=TS,
    )
    assert (model.total_collateral, model.free_collateral, model.status, model.settlement_asset) == (
        "100000.12345678",
        "99000.00000000",
        "LIQUIDATION",
        "USDC",
    )
    assert model.unrealized_pnl is None
    assert model.last_seen_notification == (MS if version == 2 else None)


@VERSIONS
def test_heartbeat(version: int) -> None:
    frame = sbe.heartbeat(version, ts=TS, seq=6)
    assert struct.unpack("<HHHHqq", frame) == (16, 40, 1, version, TS, 6)
    assert decode_frame(frame) == (None, None)
