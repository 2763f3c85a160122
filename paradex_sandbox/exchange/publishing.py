"""The end of a batch: what it touched becomes one event per book, position, account and market."""

from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.events import (
    AccountChanged,
    BboChanged,
    BookChanged,
    FundingDataChanged,
    InteractiveBookChanged,
    MarketSummaryChanged,
    MmpKept,
    PositionChanged,
)
from paradex_sandbox.exchange.margin import AccountMargin, account_margin
from paradex_sandbox.exchange.model import Bbo
from paradex_sandbox.exchange.state import ExchangeState, MarketState
from paradex_sandbox.exchange.views import account_summary, market_summary, position_view


def flush(state: ExchangeState) -> None:
    """Moves every changed book to its next sequence number and publishes the batch, public events first."""
    now, events = state.now, state.events
    for market in state.markets.values():
        _flush_book(state, market)
    for market in state.dirty_funding:
        if market.funding is not None:
            events.append(FundingDataChanged(now, market.symbol, market.funding.data(now)))
    state.dirty_funding.clear()
    for market in state.dirty_summaries:
        market.stats.forget(now)
        market.summary_seq += 1
        events.append(MarketSummaryChanged(now, market.symbol, market_summary(state, market)))
    state.dirty_summaries.clear()
    for owner, base in state.dirty_mmp:
        guard = owner.mmp.get(base)
        events.append(MmpKept(now, owner.address, base, guard.record() if guard is not None else None))
    state.dirty_mmp.clear()
    margins: dict[AccountState, AccountMargin] = {}
    for account in state.dirty_accounts:
        margins[account] = account_margin(state, account)
    for account, symbol in state.dirty_positions:
        view = position_view(state.markets[symbol], account, margins[account])
        events.append(PositionChanged(now, account.address, view))
    state.dirty_positions.clear()
    for account, margin in margins.items():
        account.summary_seq, account.summary_at = state.next_seq(), now
        events.append(AccountChanged(now, account.address, account_summary(state, account, margin)))
    state.dirty_accounts.clear()


def _flush_book(state: ExchangeState, market: MarketState) -> None:
    now = state.now
    changes, interactive = market.book.take_changes(now)
    if interactive:
        seq = market.book.interactive_seq
        state.events.append(InteractiveBookChanged(now, market.symbol, seq, interactive))
    if not changes:
        return
    state.events.append(BookChanged(now, market.symbol, market.book.seq, changes))
    bbo = market.bbo()
    if _quote(bbo) != _quote(market.last_bbo):
        state.events.append(BboChanged(now, market.symbol, bbo))
        state.dirty_summaries[market] = None
    market.last_bbo = bbo


def _quote(bbo: Bbo) -> tuple[object, ...]:
    return bbo.bid, bbo.bid_size, bbo.ask, bbo.ask_size
