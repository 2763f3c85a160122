"""Trade busts: the chain refused a trade that the exchange had matched (docs: risk-system/trade-busts)."""

from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.events import TradeBusted
from paradex_sandbox.exchange.matching import MatchingEngine
from paradex_sandbox.exchange.model import Fill, FillType, TradeBust
from paradex_sandbox.exchange.settlement import reverse
from paradex_sandbox.exchange.state import ExchangeState

_BUSTABLE = (FillType.FILL, FillType.RPI)


def bust(state: ExchangeState, engine: MatchingEngine, account: AccountState, fill_id: str) -> TradeBust:
    """Undoes both sides of the trade behind a fill: positions, balances, fees and what the orders had filled.

    The funding that the position earned or cost meanwhile stays. A closed order stays closed.
    """
    fill = _find(account, fill_id)
    if fill is None:
        raise ExchangeError("NOT_FOUND", f"the account has no fill {fill_id} on the book")
    market = state.market(fill.market)
    if market.is_expired:
        raise ExchangeError("MARKET_NOT_OPEN", f"{fill.market} was settled: a trade that is undone would stay so")
    busted: TradeBust | None = None
    sides = [(owner, found) for owner in state.accounts.values() if (found := _find(owner, fill_id)) is not None]
    for owner, own in sides:
        reverse(state, market, owner, own, own.order_side)
        owner.fills.remove(own)
        record = TradeBust(owner.address, own.id, state.now)
        owner.tradebusts.append(record)
        state.events.append(TradeBusted(state.now, owner.address, record))
        if owner is account:
            busted = record
        order = owner.orders.get(own.order_id)
        if order is not None:
            engine.unfill(owner, order, own.size, own.price * own.size)
    if len(sides) == 1:
        reverse(state, market, None, fill, fill.order_side.opposite)
    # What others hold has changed, and what the crowd holds.
    state.dirty_summaries[market] = None
    engine.settle_touched()
    assert busted is not None
    return busted


def _find(account: AccountState, fill_id: str) -> Fill | None:
    return next((fill for fill in account.fills if fill.id == fill_id and fill.fill_type in _BUSTABLE), None)
