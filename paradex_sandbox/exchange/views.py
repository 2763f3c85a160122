"""Snapshots of state for queries and events."""

from decimal import Decimal

from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.margin import AccountMargin, account_margin, liquidation_price, unrealized
from paradex_sandbox.exchange.model import (
    SETTLEMENT_TOKEN,
    ZERO,
    AccountStatus,
    AccountSummary,
    MarketSummary,
    Position,
    PositionSide,
    PositionStatus,
)
from paradex_sandbox.exchange.numbers import q8
from paradex_sandbox.exchange.state import ExchangeState, MarketState


def position_view(market: MarketState, account: AccountState, margin: AccountMargin) -> Position:
    """The position of `account` in `market`, which must exist; `margin` is the account's."""
    kept = account.positions[market.symbol]
    size = kept.size
    funding = q8(kept.funding_accrued(market.funding_index)) if size else ZERO
    return Position(
        id=kept.id,
        account=account.address,
        market=market.symbol,
        status=PositionStatus.OPEN if size else PositionStatus.CLOSED,
        side=PositionSide.SHORT if size < 0 else PositionSide.LONG,
        size=size,
        cost=kept.cost,
        average_entry_price=q8(kept.cost / size) if size else ZERO,
        average_exit_price=q8(kept.exit_value / kept.exit_size) if kept.exit_size else ZERO,
        unrealized_pnl=unrealized(market, account),
        unrealized_funding_pnl=funding,
        cached_funding_index=kept.cached_funding_index,
        realized_positional_pnl=kept.realized_pnl,
        realized_positional_funding_pnl=kept.realized_funding,
        leverage=account.leverage(market.market),
        liquidation_price=liquidation_price(market, account, margin),
        last_fill_id=kept.last_fill_id,
        seq_no=kept.seq_no,
        created_at=kept.created_at,
        last_updated_at=kept.last_updated_at,
        closed_at=kept.closed_at,
        exit_size=kept.exit_size,
        exit_value=kept.exit_value,
    )


def account_summary(state: ExchangeState, account: AccountState, margin: AccountMargin | None = None) -> AccountSummary:
    """`margin` saves computing it again where the caller has it."""
    margin = margin or account_margin(state, account)
    is_unhealthy = margin.maintenance > 0 and margin.value < margin.maintenance
    return AccountSummary(
        account=account.address,
        account_value=margin.value,
        total_collateral=margin.collateral,
        free_collateral=margin.free_collateral,
        initial_margin_requirement=margin.initial,
        maintenance_margin_requirement=margin.maintenance,
        margin_cushion=margin.value - margin.maintenance,
        settlement_asset=SETTLEMENT_TOKEN,
        status=AccountStatus.LIQUIDATION if is_unhealthy else AccountStatus.ACTIVE,
        seq_no=account.summary_seq,
        updated_at=account.summary_at,
    )


def open_interest(state: ExchangeState, market: MarketState) -> Decimal:
    """All long positions: the accounts', the crowd's against them, and what the crowd holds among itself."""
    sizes = [market.crowd.size, *(account.position_size(market.symbol) for account in state.accounts.values())]
    return market.market.simulation.open_interest + sum((size for size in sizes if size > 0), ZERO)


def market_summary(state: ExchangeState, market: MarketState) -> MarketSummary:
    bid, ask, stats = market.book.bids.best(), market.book.asks.best(), market.stats
    return MarketSummary(
        symbol=market.symbol,
        mark_price=market.mark.mark_price,
        underlying_price=market.mark.spot_price,
        last_traded_price=stats.last_price if stats.last_price is not None else market.mark.mark_price,
        bid=bid.price if bid else None,
        bid_size=bid.size if bid else None,
        ask=ask.price if ask else None,
        ask_size=ask.size if ask else None,
        volume_24h=stats.volume_24h,
        total_volume=stats.total_volume,
        open_interest=open_interest(state, market),
        funding_rate=market.funding.rate if market.funding is not None else ZERO,
        price_change_rate_24h=q8(stats.price_change_rate()),
        seq=market.summary_seq,
        created_at=state.now,
    )
