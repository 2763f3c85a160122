"""SBE frames, as Paradex's schema 1 lays them out in its versions 0, 1 and 2.

One function per template; each takes values of the exchange (Decimals, microseconds, the names of the JSON API) and the
version that the client negotiated, and returns a whole frame: header, fixed block, groups, strings. A field that is
younger than the version is left out, so the block has exactly the length for which the client was built.

Prices, sizes, rates and values travel as int64 in units of 10⁻⁸ (some rates 10⁻¹²), cut, not rounded; None is the int64
minimum. Enumerations have a byte for "not representable", used for names that the schema lacks.
"""

import struct
from collections.abc import Iterable
from decimal import Decimal

SCHEMA_ID = 1
#: What the handshake may ask for. Anything above is refused with HTTP 400.
VERSIONS = (0, 1, 2)

TRADE = 1
BBO = 2
BOOK = 3
MARKET_SUMMARY = 4
FUNDING_DATA = 5
FUNDING_RATE_COMPARISON = 6
ORDER = 20
FILL = 21
POSITION = 22
ACCOUNT = 23
HEARTBEAT = 40

_INT64_MAX = 2**63 - 1
_NULL = -(2**63)
_NOT_REPRESENTABLE = 254

_SIDE = {"BUY": 1, "SELL": 2, "LONG": 1, "SHORT": 2}
_ORDER_TYPE = {
    "LIMIT": 1,
    "MARKET": 2,
    "STOP_LIMIT": 3,
    "STOP_MARKET": 4,
    "TAKE_PROFIT_LIMIT": 5,
    "TAKE_PROFIT_MARKET": 6,
    "STOP_LOSS_LIMIT": 7,
    "STOP_LOSS_MARKET": 8,
}
_ORDER_STATUS = {"NEW": 1, "UNTRIGGERED": 2, "OPEN": 3, "CLOSED": 4}
_INSTRUCTION = {"GTC": 1, "IOC": 2, "POST_ONLY": 3, "RPI": 4}
_FILL_TYPE = {"FILL": 1, "LIQUIDATION": 2, "UNWIND_TRANSFER": 3, "SETTLE_MARKET": 4, "RPI": 5, "BLOCK_TRADE": 6}
_LIQUIDITY = {"MAKER": 1, "TAKER": 2}
_STP = {None: 0, "": 0, "EXPIRE_MAKER": 1, "EXPIRE_TAKER": 2, "EXPIRE_BOTH": 3}
_POSITION_STATUS = {"OPEN": 1, "CLOSED": 2}
_ACCOUNT_STATUS = {"ACTIVE": 1, "LIQUIDATION": 2}
_REQUEST_STATUS = {"PENDING": 1, "PROCESSED": 2, "REJECTED": 3, "SUCCESS": 4}
_REQUEST_TYPE = {"MODIFY_ORDER": 1}
_ASSET_KIND = {"PERP": 1, "OPTION": 2, "PERP_OPTION": 2, "SPOT": 3}
_FUNDING_SOURCE = {"PARADEX": 1, "BINANCE": 2, "BYBIT": 3, "OKX": 4, "DERIBIT": 5, "DERIVE": 6, "HYPERLIQUID": 7}
_ORDER_FLAG = {
    "REDUCE_ONLY": 1,
    "STOP_CONDITION_BELOW_TRIGGER": 2,
    "STOP_CONDITION_ABOVE_TRIGGER": 4,
    "INTERACTIVE": 8,
    "TARGET_STRATEGY_VWAP": 16,
    "MMP": 32,
}
#: MMP came with version 2: the bit is kept off frames for older clients.
_ORDER_FLAG_BITS = {0: 0b11111, 1: 0b11111, 2: 0b111111}
_FILL_FLAG = {"interactive": 1, "rpi": 2, "fastfill": 4}
_FILL_FLAG_UNKNOWN = 128

_HEADER = struct.Struct("<HHHH")
_GROUP = struct.Struct("<HH")
_LEVEL = struct.Struct("<qq")

_TRADE = struct.Struct("<qqqBqqqB")
_BBO = struct.Struct("<qqqqqq")
_BOOK = struct.Struct("<qqB9q")
_SUMMARY_V0 = struct.Struct("<27q")
_SUMMARY = struct.Struct("<30q")
_FUNDING_V0 = struct.Struct("<7qh")
_FUNDING = struct.Struct("<7qhq")
_COMPARISON = struct.Struct("<qqqBB")
_ORDER_V0 = struct.Struct("<qqBBBB7q32sqqBB")
_ORDER = struct.Struct("<qqBBBB7q32sqqBBBB")
_FILL_V0 = struct.Struct("<qqBBB5q32sqq")
_FILL = struct.Struct("<qqBBB5q32sqqBQ")
_POSITION = struct.Struct("<qqB8q32s5qB")
_ACCOUNT_V0 = struct.Struct("<9q32sqB")
_ACCOUNT = struct.Struct("<9q32sqBq")
_HEARTBEAT = struct.Struct("<qq")

#: Where enumerations are in the fixed blocks, by template and the name of the field in the JSON API.
ENUM_OFFSETS = {
    TRADE: {"side": 24, "trade_type": 49},
    BOOK: {"update_type": 16},
    FUNDING_RATE_COMPARISON: {"asset_kind": 24, "source": 25},
    ORDER: {
        "status": 16,
        "side": 17,
        "type": 18,
        "instruction": 19,
        "stp": 124,
        "request_status": 126,
        "request_type": 127,
    },
    FILL: {"fill_type": 16, "side": 17, "liquidity": 18},
    POSITION: {"side": 16, "status": 153},
    ACCOUNT: {"status": 112},
}

Level = tuple[Decimal, Decimal]


def trade(
    version: int,
    *,
    ts: int,
    seq: int,
    trade_id: str,
    side: str,
    price: Decimal,
    size: Decimal,
    created_at: int,
    trade_type: str,
    market: str,
) -> bytes:
    """Template 1, channel `trades`. `side` is the taker's; times in microseconds."""
    block = _TRADE.pack(
        ts,
        seq,
        _low_64_bits(int(trade_id)),
        _SIDE.get(side, _NOT_REPRESENTABLE),
        _fixed8(price),
        _fixed8(size),
        created_at,
        _FILL_TYPE.get(trade_type, _NOT_REPRESENTABLE),
    )
    strings = [market, trade_id] if version >= 2 else [market]
    return _frame(TRADE, version, block, strings)


def bbo(
    version: int,
    *,
    ts: int,
    seq: int,
    bid: Level | None,
    ask: Level | None,
    market: str,
) -> bytes:
    """Template 2, channel `bbo`: best (price, size) of each side, None where the side is empty."""
    bid_price, bid_size = bid or (None, None)
    ask_price, ask_size = ask or (None, None)
    block = _BBO.pack(ts, seq, _fixed8(bid_price), _fixed8(bid_size), _fixed8(ask_price), _fixed8(ask_size))
    return _frame(BBO, version, block, [market])


def book(
    version: int,
    *,
    ts: int,
    seq: int,
    is_delta: bool,
    bids: Iterable[Level],
    asks: Iterable[Level],
    market: str,
    best_interactive: tuple[Level | None, Level | None] | None = None,
    best_api: tuple[Level | None, Level | None] | None = None,
) -> bytes:
    """Template 3, channel `order_book`. In a delta, size 0 removes the level.

    `best_interactive` and `best_api` are the (bid, ask) tops with and without RPI orders; only the interactive feed
    carries the former, and with it the relative spread.
    """
    interactive_bid, interactive_ask = best_interactive or (None, None)
    api_bid, api_ask = best_api or (None, None)
    spread = None
    if interactive_bid and interactive_ask:
        spread = (interactive_ask[0] - interactive_bid[0]) * 2 / (interactive_ask[0] + interactive_bid[0])
    block = _BOOK.pack(
        ts,
        seq,
        int(is_delta),
        *_level8(interactive_bid),
        *_level8(interactive_ask),
        _fixed8(spread),
        *_level8(api_bid),
        *_level8(api_ask),
    )
    return _frame(BOOK, version, block + _levels(bids) + _levels(asks), [market], block_length=len(block))


def market_summary(
    version: int,
    *,
    ts: int,
    seq: int,
    market: str,
    mark_price: Decimal,
    underlying_price: Decimal,
    last_traded_price: Decimal,
    volume_24h: Decimal,
    open_interest: Decimal,
    funding_rate: Decimal,
    bid: Level | None,
    ask: Level | None,
    total_volume: Decimal,
    price_change_rate_24h: Decimal,
    delta: Decimal | None = None,
    external_fair_price: Decimal | None = None,
) -> bytes:
    """Template 4, channel `markets_summary`. Volumes in USD, open interest in base currency.

    Implied volatilities, the other greeks and the rates of dated options are null: no option is traded here.
    """
    bid_price, bid_size = bid or (None, None)
    ask_price, ask_size = ask or (None, None)
    fields = [
        ts,
        seq,
        _fixed8(mark_price),
        _fixed8(underlying_price),
        _fixed8(last_traded_price),
        _fixed8(volume_24h),
        _fixed8(open_interest),
        _fixed8(funding_rate),
        _fixed8(bid_price),
        _fixed8(ask_price),
        _fixed8(total_volume),
        _fixed8(price_change_rate_24h),
        *([_NULL] * 4),  # mark, bid, ask and last implied volatility
        _fixed8(delta),
        *([_NULL] * 6),  # gamma, vega, theta, rho, volga, vanna
        _NULL,  # future funding rate
        _fixed8(external_fair_price),
        _fixed8(bid_size),
        _fixed8(ask_size),
    ]
    if version == 0:
        return _frame(MARKET_SUMMARY, version, _SUMMARY_V0.pack(*fields), [market])
    fields += [_NULL, _NULL, _fixed12(funding_rate)]  # forward rate, risk-free rate, precise funding rate
    return _frame(MARKET_SUMMARY, version, _SUMMARY.pack(*fields), [market])


def funding_data(
    version: int,
    *,
    ts: int,
    seq: int,
    market: str,
    funding_rate: Decimal,
    funding_index: Decimal,
    created_at: int,
    funding_premium: Decimal,
    funding_rate_8h: Decimal,
    funding_period_hours: int,
    impact_premium_rate: Decimal | None = None,
) -> bytes:
    """Template 5, channel `funding_data`. `funding_rate` is for the period, `funding_rate_8h` normalized."""
    fields = [
        ts,
        seq,
        _fixed8(funding_rate),
        _fixed8(funding_index),
        created_at,
        _fixed8(funding_premium),
        _fixed8(funding_rate_8h),
        funding_period_hours,
    ]
    if version == 0:
        return _frame(FUNDING_DATA, version, _FUNDING_V0.pack(*fields), [market])
    return _frame(FUNDING_DATA, version, _FUNDING.pack(*fields, _fixed8(impact_premium_rate)), [market])


def funding_rate_comparison(
    version: int,
    *,
    ts: int,
    last_updated_at: int,
    hourly_funding_rate: Decimal,
    asset_kind: str,
    source: str,
    market: str,
) -> bytes:
    """Template 6 (version 1 and later), channel `funding_rate_comparison.ALL`."""
    block = _COMPARISON.pack(
        ts,
        last_updated_at,
        _fixed12(hourly_funding_rate),
        _ASSET_KIND.get(asset_kind, 0),
        _FUNDING_SOURCE.get(source, 0),
    )
    return _frame(FUNDING_RATE_COMPARISON, version, block, [market])


def order(
    version: int,
    *,
    ts: int,
    seq: int,
    status: str,
    side: str,
    order_type: str,
    instruction: str,
    price: Decimal | None,
    trigger_price: Decimal | None,
    size: Decimal,
    remaining_size: Decimal,
    avg_fill_price: Decimal | None,
    created_at: int,
    last_updated_at: int,
    account: int,
    received_at: int,
    published_at: int,
    stp: str | None,
    flags: Iterable[str],
    order_id: str,
    client_id: str,
    market: str,
    cancel_reason: str,
    request_info: dict[str, str] | None = None,
) -> bytes:
    """Template 20, channel `orders`. `price` is None for MARKET; `request_info` as in the JSON order, or None."""
    bits = sum(_ORDER_FLAG.get(flag, 0) for flag in flags) & _ORDER_FLAG_BITS[version]
    fields = [
        ts,
        seq,
        _ORDER_STATUS.get(status, _NOT_REPRESENTABLE),
        _SIDE.get(side, _NOT_REPRESENTABLE),
        _ORDER_TYPE.get(order_type, _NOT_REPRESENTABLE),
        _INSTRUCTION.get(instruction, _NOT_REPRESENTABLE),
        _fixed8(price),
        _fixed8(trigger_price),
        _fixed8(size),
        _fixed8(remaining_size),
        _fixed8(avg_fill_price),
        created_at,
        last_updated_at,
        _address(account),
        received_at,
        published_at,
        _STP.get(stp, _NOT_REPRESENTABLE),
        bits,
    ]
    strings = [order_id, client_id, market, cancel_reason]
    if version < 2:
        return _frame(ORDER, version, _ORDER_V0.pack(*fields), strings)
    info = request_info or {}
    block = _ORDER.pack(
        *fields,
        _REQUEST_STATUS.get(info.get("status", ""), 0),
        _REQUEST_TYPE.get(info.get("request_type", ""), 0),
    )
    return _frame(ORDER, version, block, [*strings, info.get("id", ""), info.get("message", "")])


def fill(
    version: int,
    *,
    ts: int,
    seq: int | None,
    fill_type: str,
    side: str,
    liquidity: str,
    price: Decimal,
    size: Decimal,
    fee: Decimal,
    realized_pnl: Decimal | None,
    created_at: int,
    account: int,
    underlying_price: Decimal,
    realized_funding: Decimal,
    flags: Iterable[str],
    orderbook_seq_no: int,
    fill_id: str,
    order_id: str,
    client_id: str,
    trade_id: str,
    market: str,
    fee_currency: str,
) -> bytes:
    """Template 21, channel `fills`. A positive fee was paid, a negative one is a rebate."""
    fields = [
        ts,
        _NULL if seq is None else seq,
        _FILL_TYPE.get(fill_type, _NOT_REPRESENTABLE),
        _SIDE.get(side, _NOT_REPRESENTABLE),
        _LIQUIDITY.get(liquidity, _NOT_REPRESENTABLE),
        _fixed8(price),
        _fixed8(size),
        _fixed8(fee),
        _fixed8(realized_pnl),
        created_at,
        _address(account),
        _fixed8(underlying_price),
        _fixed8(realized_funding),
    ]
    strings = [fill_id, order_id, client_id, trade_id, market]
    if version < 2:
        return _frame(FILL, version, _FILL_V0.pack(*fields), strings)
    bits = 0
    for flag in flags:
        bits |= _FILL_FLAG.get(flag, _FILL_FLAG_UNKNOWN)
    return _frame(FILL, version, _FILL.pack(*fields, bits, orderbook_seq_no), [*strings, fee_currency])


def position(
    version: int,
    *,
    ts: int,
    seq: int,
    side: str,
    size: Decimal,
    average_entry_price: Decimal,
    unrealized_pnl: Decimal,
    realized_pnl: Decimal,
    liquidation_price: Decimal | None,
    leverage: Decimal,
    last_updated_at: int,
    account: int,
    average_entry_price_usd: Decimal,
    cost: Decimal,
    cost_usd: Decimal,
    cached_funding_index: Decimal,
    unrealized_funding_pnl: Decimal,
    status: str,
    market: str,
    last_fill_id: str,
) -> bytes:
    """Template 22, channel `positions`. `size` may be signed: it goes out absolute, its sign is in `side`.

    The mark price is always null, as the schema says of the real feed.
    """
    block = _POSITION.pack(
        ts,
        seq,
        _SIDE.get(side, _NOT_REPRESENTABLE),
        _fixed8(abs(size)),
        _fixed8(average_entry_price),
        _fixed8(unrealized_pnl),
        _fixed8(realized_pnl),
        _NULL,
        _fixed8(liquidation_price),
        _fixed8(leverage),
        last_updated_at,
        _address(account),
        _fixed8(average_entry_price_usd),
        _fixed8(cost),
        _fixed8(cost_usd),
        _fixed8(cached_funding_index),
        _fixed8(unrealized_funding_pnl),
        _POSITION_STATUS.get(status, _NOT_REPRESENTABLE),
    )
    return _frame(POSITION, version, block, [market, last_fill_id])


def account_summary(
    version: int,
    *,
    ts: int,
    seq: int,
    total_collateral: Decimal,
    free_collateral: Decimal,
    initial_margin_requirement: Decimal,
    maintenance_margin_requirement: Decimal,
    account_value: Decimal,
    updated_at: int,
    account: int,
    margin_cushion: Decimal,
    status: str,
    settlement_asset: str,
    last_seen_notification: int = 0,
) -> bytes:
    """Template 23, channel `account`. The unrealized PnL is always null, as the schema says of the real feed."""
    fields = [
        ts,
        seq,
        _fixed8(total_collateral),
        _fixed8(free_collateral),
        _fixed8(initial_margin_requirement),
        _fixed8(maintenance_margin_requirement),
        _fixed8(account_value),
        _NULL,
        updated_at,
        _address(account),
        _fixed8(margin_cushion),
        _ACCOUNT_STATUS.get(status, _NOT_REPRESENTABLE),
    ]
    if version < 2:
        return _frame(ACCOUNT, version, _ACCOUNT_V0.pack(*fields), [settlement_asset])
    return _frame(ACCOUNT, version, _ACCOUNT.pack(*fields, last_seen_notification), [settlement_asset])


def heartbeat(version: int, *, ts: int, seq: int) -> bytes:
    """Template 40, sent on an idle connection. `seq` counts the connection's heartbeats."""
    return _frame(HEARTBEAT, version, _HEARTBEAT.pack(ts, seq), [])


def _frame(template: int, version: int, body: bytes, strings: list[str], block_length: int | None = None) -> bytes:
    header = _HEADER.pack(len(body) if block_length is None else block_length, template, SCHEMA_ID, version)
    return b"".join([header, body, *map(_string, strings)])


def _string(text: str) -> bytes:
    data = text.encode()[:255]
    return bytes([len(data)]) + data


def _levels(levels: Iterable[Level]) -> bytes:
    entries = [_LEVEL.pack(_fixed8(price), _fixed8(size)) for price, size in levels]
    return _GROUP.pack(_LEVEL.size, len(entries)) + b"".join(entries)


def _level8(level: Level | None) -> tuple[int, int]:
    return (_NULL, _NULL) if level is None else (_fixed8(level[0]), _fixed8(level[1]))


def _fixed8(value: Decimal | None) -> int:
    return _fixed(value, 8)


def _fixed12(value: Decimal | None) -> int:
    return _fixed(value, 12)


def _fixed(value: Decimal | None, exponent: int) -> int:
    if value is None:
        return _NULL
    # The schema lets total_volume saturate; for the rest an overflow must not tear down the feed either.
    return max(-_INT64_MAX, min(int(value.scaleb(exponent)), _INT64_MAX))


def _low_64_bits(value: int) -> int:
    # The exchange's own flaw, kept: a trade id has 28 digits and does not fit.
    low = value & 0xFFFFFFFFFFFFFFFF
    return low - 2**64 if low >= 2**63 else low


def _address(account: int) -> bytes:
    return account.to_bytes(32, "big")
