"""Objects of the exchange as binary frames, for the SBE channels. Pure functions; `version` is the client's."""

from decimal import Decimal

from paradex_sandbox.api import sbe
from paradex_sandbox.exchange.model import (
    AccountSummary,
    Bbo,
    Fill,
    FundingData,
    MarketSummary,
    Order,
    OrderType,
    Position,
    Trade,
)

#: The venues of the funding comparison, and how far from our rate theirs is, as a fraction of it.
FUNDING_SOURCES = {
    "PARADEX": Decimal(0),
    "BINANCE": Decimal("0.1"),
    "BYBIT": Decimal("0.05"),
    "OKX": Decimal("-0.05"),
    "HYPERLIQUID": Decimal("0.2"),
}

_MARKET_TYPES = frozenset(
    {OrderType.MARKET, OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET, OrderType.STOP_LOSS_MARKET}
)


def trade(version: int, item: Trade, ts: int) -> bytes:
    """Template 1. `ts` is when it is published, in µs."""
    return sbe.trade(
        version,
        ts=ts,
        seq=item.seq,
        trade_id=item.id,
        side=item.side,
        price=item.price,
        size=item.size,
        created_at=item.created_at,
        trade_type=item.trade_type,
        market=item.market,
    )


def bbo(version: int, item: Bbo, ts: int) -> bytes:
    """Template 2."""
    return sbe.bbo(
        version,
        ts=ts,
        seq=item.seq,
        bid=_level(item.bid, item.bid_size),
        ask=_level(item.ask, item.ask_size),
        market=item.market,
    )


def market_summary(version: int, item: MarketSummary, ts: int) -> bytes:
    """Template 4."""
    return sbe.market_summary(
        version,
        ts=ts,
        seq=item.seq,
        market=item.symbol,
        mark_price=item.mark_price,
        underlying_price=item.underlying_price,
        last_traded_price=item.last_traded_price,
        volume_24h=item.volume_24h,
        open_interest=item.open_interest,
        funding_rate=item.funding_rate,
        bid=_level(item.bid, item.bid_size),
        ask=_level(item.ask, item.ask_size),
        total_volume=item.total_volume,
        price_change_rate_24h=item.price_change_rate_24h,
        external_fair_price=item.underlying_price,
    )


def funding_data(version: int, item: FundingData, ts: int, seq: int) -> bytes:
    """Template 5. `seq` counts the market's funding messages."""
    return sbe.funding_data(
        version,
        ts=ts,
        seq=seq,
        market=item.market,
        funding_rate=item.funding_rate,
        funding_index=item.funding_index,
        created_at=item.created_at,
        funding_premium=item.funding_premium,
        funding_rate_8h=item.funding_rate_8h,
        funding_period_hours=item.funding_period_hours,
    )


def funding_rate_comparison(version: int, item: FundingData, ts: int, source: str) -> bytes:
    """Template 6. There are no other venues here: their rates are ours, a fixed step per venue away."""
    hourly = item.funding_rate / item.funding_period_hours * (1 + FUNDING_SOURCES[source])
    return sbe.funding_rate_comparison(
        version,
        ts=ts,
        last_updated_at=item.created_at,
        hourly_funding_rate=hourly,
        asset_kind="PERP",
        source=source,
        market=item.market,
    )


def order(version: int, item: Order, ts: int) -> bytes:
    """Template 20."""
    info = item.request_info
    return sbe.order(
        version,
        ts=ts,
        seq=item.seq_no,
        status=item.status,
        side=item.side,
        order_type=item.type,
        instruction=item.instruction,
        price=None if item.type in _MARKET_TYPES else item.price,
        trigger_price=item.trigger_price,
        size=item.size,
        remaining_size=item.remaining_size,
        avg_fill_price=item.avg_fill_price,
        created_at=item.created_at,
        last_updated_at=item.last_updated_at,
        account=int(item.account, 16),
        received_at=item.received_at,
        published_at=item.published_at,
        stp=item.stp,
        flags=item.flags,
        order_id=item.id,
        client_id=item.client_id,
        market=item.market,
        cancel_reason=item.cancel_reason,
        request_info=None
        if info is None
        else {"id": info.id, "message": info.message, "request_type": info.request_type, "status": info.status},
    )


def fill(version: int, item: Fill, ts: int) -> bytes:
    """Template 21."""
    return sbe.fill(
        version,
        ts=ts,
        seq=item.orderbook_seq_no,
        fill_type=item.fill_type,
        side=item.side,
        liquidity=item.liquidity,
        price=item.price,
        size=item.size,
        fee=item.fee,
        realized_pnl=item.realized_pnl,
        created_at=item.created_at,
        account=int(item.account, 16),
        underlying_price=item.underlying_price,
        realized_funding=item.realized_funding,
        flags=item.flags,
        orderbook_seq_no=item.orderbook_seq_no,
        fill_id=item.id,
        order_id=item.order_id,
        client_id=item.client_id,
        trade_id=item.id,
        market=item.market,
        fee_currency=item.fee_currency,
    )


def position(version: int, item: Position, ts: int) -> bytes:
    """Template 22."""
    return sbe.position(
        version,
        ts=ts,
        seq=item.seq_no,
        side=item.side,
        size=item.size,
        average_entry_price=item.average_entry_price,
        unrealized_pnl=item.unrealized_pnl,
        realized_pnl=item.realized_positional_pnl,
        liquidation_price=item.liquidation_price,
        leverage=Decimal(item.leverage),
        last_updated_at=item.last_updated_at,
        account=int(item.account, 16),
        average_entry_price_usd=item.average_entry_price,
        cost=item.cost,
        cost_usd=item.cost,
        cached_funding_index=item.cached_funding_index,
        unrealized_funding_pnl=item.unrealized_funding_pnl,
        status=item.status,
        market=item.market,
        last_fill_id=item.last_fill_id,
    )


def account_summary(version: int, item: AccountSummary, ts: int) -> bytes:
    """Template 23."""
    return sbe.account_summary(
        version,
        ts=ts,
        seq=item.seq_no,
        total_collateral=item.total_collateral,
        free_collateral=item.free_collateral,
        initial_margin_requirement=item.initial_margin_requirement,
        maintenance_margin_requirement=item.maintenance_margin_requirement,
        account_value=item.account_value,
        updated_at=item.updated_at,
        account=int(item.account, 16),
        margin_cushion=item.margin_cushion,
        status=item.status,
        settlement_asset=item.settlement_asset,
    )


def _level(price: Decimal | None, size: Decimal | None) -> sbe.Level | None:
    return None if price is None or size is None else (price, size)
