"""Encodes binary frames by the layout of Paradex's SBE schema 1, versions 0 to 2: a reading of its own.

Blocks are little-endian and without gaps; prices and sizes are multiples of 10⁻⁸, times are microseconds.
"""

import struct
from collections.abc import Sequence
from decimal import Decimal

from tests.unit.connector.payloads import ADDRESS, MARKET, NOW_MS

NULL = -(2**63)
NOT_REPRESENTABLE = 254  # an enumeration of the exchange has a value that the schema does not
NOW_US = NOW_MS * 1000

Number = str | int
Level = tuple[Number, Number]


def fixed(value: Number | None, decimals: int = 8) -> int:
    return NULL if value is None else int(Decimal(value).scaleb(decimals))


def frame(
    template: int, block: bytes, *texts: str, version: int = 2, groups: bytes = b"", schema: int = 1, extra: int = 0
) -> bytes:
    """:param extra: so many bytes, of fields that nobody knows yet, at the end of the block"""
    header = struct.pack("<HHHH", len(block) + extra, template, schema, version)
    tail = b"".join(struct.pack("<B", len(text.encode())) + text.encode() for text in texts)
    return header + block + b"\xaa" * extra + groups + tail


def _group(levels: Sequence[Level], extra: int) -> bytes:
    rows = b"".join(struct.pack("<qq", fixed(price), fixed(size)) + b"\xbb" * extra for price, size in levels)
    return struct.pack("<HH", 16 + extra, len(levels)) + rows


def book(
    seq: int,
    bids: Sequence[Level] = (),
    asks: Sequence[Level] = (),
    *,
    snapshot: bool = False,
    market: str = MARKET,
    version: int = 2,
    extra: int = 0,
    row_extra: int = 0,
    tops: Sequence[Level | None] = (None,) * 4,
) -> bytes:
    """:param tops: the best bid and ask with, and then without Retail Price Improvement orders"""
    best = [number for top in tops for number in map(fixed, top or (None, None))]
    block = struct.pack("<qqB9q", NOW_US, seq, 0 if snapshot else 1, *best[:4], NULL, *best[4:])
    groups = _group(bids, row_extra) + _group(asks, row_extra)
    return frame(3, block, market, version=version, groups=groups, extra=extra)


def bbo(bid: Level | None = ("60000", "0.5"), ask: Level | None = ("60000.1", "1"), *, market: str = MARKET) -> bytes:
    numbers = [number for level in (bid, ask) for number in map(fixed, level or (None, None))]
    return frame(2, struct.pack("<qq4q", NOW_US, 3, *numbers), market)


def trade(
    trade_id: str = "1700000000000000000001",
    side: str = "BUY",
    price: Number = "60000.5",
    size: Number = "0.25",
    *,
    market: str = MARKET,
    version: int = 2,
    with_id: bool = True,
    extra: int = 0,
) -> bytes:
    """:param with_id: whether the whole id follows the market, as it does since version 2; the block's is cut off"""
    block = struct.pack(
        "<qqQBqqqB",
        NOW_US,
        77,
        int(trade_id) % 2**64,
        {"BUY": 1, "SELL": 2}[side],
        fixed(price),
        fixed(size),
        NOW_US + 1,
        1,
    )
    texts = (market, trade_id) if version >= 2 and with_id else (market,)
    return frame(1, block, *texts, version=version, extra=extra)


def market_summary(
    mark: Number | None = "60010.5",
    index: Number | None = "60005.25",
    last: Number | None = "60001.1",
    rate: Number | None = "0.00012345",
    precise_rate: Number | None = "0.000123456789",
    *,
    market: str = MARKET,
    version: int = 2,
    extra: int = 0,
) -> bytes:
    prices = [fixed(mark), fixed(index), fixed(last), fixed(1), fixed(2), fixed(rate)]
    block = struct.pack("<qq6q19q", NOW_US, 5, *prices, *[NULL] * 2, 0, 0, *[NULL] * 15)
    if version >= 1:
        block += struct.pack("<qqq", NULL, NULL, fixed(precise_rate, 12))
    return frame(4, block, market, version=version, extra=extra)


def heartbeat() -> bytes:
    return frame(40, struct.pack("<qq", NOW_US, 1))


def _address() -> bytes:
    return int(ADDRESS, 16).to_bytes(32, "big")


def order(
    client_id: str,
    status: str = "OPEN",
    *,
    size: Number = "0.5",
    remaining_size: Number = "0.5",
    price: Number | None = "60000",
    cancel_reason: str = "",
    flags: int = 0,
    order_id: str = "1800000000000201709233470000",
    version: int = 2,
    extra: int = 0,
) -> bytes:
    status_code = {"NEW": 1, "UNTRIGGERED": 2, "OPEN": 3, "CLOSED": 4}[status]
    block = struct.pack(
        "<qqBBBB5qqq32sqqBB",
        *(NOW_US, 1, status_code, 1, 1, 1),
        *(fixed(price), NULL, fixed(size), fixed(remaining_size), NULL),
        *(NOW_US, NOW_US + 5000, _address(), NOW_US, NOW_US + 6000, 2, flags),
    )
    texts = [order_id, client_id, MARKET, cancel_reason]
    if version >= 2:
        block += struct.pack("<BB", 0, 0)
        texts += ["", ""]
    return frame(20, block, *texts, version=version, extra=extra)


def fill(
    client_id: str,
    fill_id: str = "8615262148007718462",
    *,
    price: Number = "60000",
    size: Number = "0.2",
    fee: Number = "0.36",
    order_id: str = "1800000000000201709233470000",
    fill_type: int = 1,
    version: int = 2,
    extra: int = 0,
) -> bytes:
    block = struct.pack(
        "<qqBBBqqqqq32sqq",
        *(NOW_US, 1, fill_type, 2, 1, fixed(price), fixed(size), fixed(fee), NULL, NOW_US + 10_000),
        *(_address(), fixed("60005"), 0),
    )
    texts = [fill_id, order_id, client_id, "4711", MARKET]
    if version >= 2:
        block += struct.pack("<BQ", 0, 99)
        texts.append("USDC")
    return frame(21, block, *texts, version=version, extra=extra)


def position(size: Number = "0.5", side: str = "LONG", *, status: int = 1, version: int = 2, extra: int = 0) -> bytes:
    """:param size: without a sign, as the frame has it"""
    side_code = {"LONG": 1, "SHORT": 2, "": NOT_REPRESENTABLE}[side]
    block = struct.pack(
        "<qqB8q32s5qB",
        *(NOW_US, 1, side_code, fixed(size), fixed("59000"), fixed("12.5"), 0),
        *(NULL, NULL, fixed("7.5"), NOW_US, _address()),
        *(fixed("59000"), fixed("29500"), fixed("29500"), fixed(1), 0, status),
    )
    return frame(22, block, MARKET, "1", version=version, extra=extra)


def account(free_collateral: Number = "10", *, version: int = 2, extra: int = 0) -> bytes:
    block = struct.pack(
        "<qq5qqq32sqB",
        *(NOW_US, 1, fixed("15"), fixed(free_collateral), fixed("5"), fixed("2.5"), fixed("15"), NULL, NOW_US),
        *(_address(), fixed("12.5"), 1),
    )
    if version >= 2:
        block += struct.pack("<q", NOW_US)
    return frame(23, block, "USDC", version=version, extra=extra)
