"""The periodic health check: deleveraging and liquidation (docs: risk-system/liquidations, deleveraging)."""

from decimal import ROUND_CEILING, Decimal

from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.algos import AlgoRunner
from paradex_sandbox.exchange.events import BalanceChanged, BalanceChangeKind, Liquidated
from paradex_sandbox.exchange.margin import AccountMargin, account_margin, maintenance_requirement
from paradex_sandbox.exchange.matching import MatchingEngine
from paradex_sandbox.exchange.model import (
    SETTLEMENT_TOKEN,
    ZERO,
    CancelReason,
    FillType,
    Liquidation,
    Order,
    OrderStatus,
    Side,
    SystemStatus,
)
from paradex_sandbox.exchange.numbers import EXACT, q8
from paradex_sandbox.exchange.settlement import transfer
from paradex_sandbox.exchange.state import ExchangeState, MarketState

HEALTH_CHECK_US = 5_000_000
#: The penalty of a full liquidation, as a share of the maintenance margin; a partial one pays its part.
LIQUIDATION_FEE = Decimal("0.7")
#: What share of all positions is taken over is a multiple of this.
SHARE_INCREMENT = Decimal("0.2")
#: Afterwards the maintenance margin is at most 1 - this of the account value.
BUFFER = Decimal("0.1")


class RiskMonitor:
    """Watches all accounts; nothing is liquidated while the system is not ok."""

    def __init__(self, state: ExchangeState, engine: MatchingEngine, algos: AlgoRunner) -> None:
        self._state = state
        self._engine = engine
        self._algos = algos

    def check(self) -> None:
        state = self._state
        if state.status is not SystemStatus.OK:
            return
        for account in list(state.accounts.values()):
            has_orders = any(account.live.values())
            has_position = any(position.size for position in account.positions.values())
            if not has_orders and not has_position:
                continue
            margin = account_margin(state, account)
            if margin.maintenance > 0 and margin.value < margin.maintenance:
                self._liquidate(account, margin)
            elif has_orders and margin.value < margin.initial:
                self._deleverage(account)

    def _deleverage(self, account: AccountState) -> None:
        """Cancels the orders that could add to a position, the most passive first where they only do so together."""
        for symbol in list(account.live):
            for order in _risky_orders(self._state.market(symbol), account):
                self._engine.cancel(account, order, CancelReason.NOT_ENOUGH_MARGIN)

    def _liquidate(self, account: AccountState, margin: AccountMargin) -> None:
        """Hands a share of every position to the insurance fund, at the mark price, and a penalty with it.

        The fund closes what it took in the market at once: the position goes to the crowd. What a full liquidation
        leaves below zero the fund covers.
        """
        state = self._state
        self._algos.cancel_all(account, CancelReason.LIQUIDATION)
        for order in account.live_orders():
            self._engine.cancel(account, order, CancelReason.LIQUIDATION)
        liquidation = Liquidation(state.next_id(), account.address, state.now)
        account.liquidations.append(liquidation)
        state.events.append(Liquidated(state.now, account.address, liquidation))
        share = liquidation_share(margin)
        penalty = min(q8(share * LIQUIDATION_FEE * margin.maintenance), max(ZERO, margin.value))
        held = [market for market in state.markets.values() if account.position_size(market.symbol)]
        requirements = [maintenance_requirement(market, account) for market in held]
        left = penalty
        for number, (market, requirement) in enumerate(zip(held, requirements, strict=True), start=1):
            part = left if number == len(held) else min(left, q8(penalty * requirement / sum(requirements)))
            left -= part
            size = _closing(market, account, share)
            transfer(state, market, account, size, market.mark.mark_price, part, FillType.LIQUIDATION)
        state.insurance += penalty
        state.insurance_updated_at = state.now
        self._cover(account)

    def _cover(self, account: AccountState) -> None:
        state = self._state
        if account.collateral >= 0 or any(position.size for position in account.positions.values()):
            return
        deficit = -account.collateral
        state.insurance -= deficit
        before, after = account.change_balance(SETTLEMENT_TOKEN, deficit, state.now)
        state.events.append(
            BalanceChanged(
                state.now,
                account.address,
                kind=BalanceChangeKind.INSURANCE,
                token=SETTLEMENT_TOKEN,
                before=before,
                after=after,
            )
        )


def settle_expired(state: ExchangeState, market: MarketState) -> None:
    """Closes every position of an expired market at its last mark price, free of charge."""
    for account in state.accounts.values():
        size = account.position_size(market.symbol)
        if size:
            transfer(state, market, account, -size, market.mark.mark_price, ZERO, FillType.SETTLE_MARKET)


def liquidation_share(margin: AccountMargin, fee: Decimal = LIQUIDATION_FEE) -> Decimal:
    """The smallest share that brings the account back to health after the penalty, 1 if none does."""
    share = SHARE_INCREMENT
    while share < 1:
        value = margin.value - share * fee * margin.maintenance
        if (1 - share) * margin.maintenance < (1 - BUFFER) * value:
            return share
        share += SHARE_INCREMENT
    return Decimal(1)


def _closing(market: MarketState, account: AccountState, share: Decimal) -> Decimal:
    """The signed size that takes `share` of a position away, in whole steps."""
    position, step = account.position_size(market.symbol), market.market.order_size_increment
    steps = EXACT.divide(abs(position) * share, step).to_integral_value(ROUND_CEILING)
    size = min(abs(position), steps * step)
    return -size if position > 0 else size


def _risky_orders(market: MarketState, account: AccountState) -> list[Order]:
    """Open orders that do not offset the position, the most passive ones where there are too many that do."""
    position = account.position_size(market.symbol)
    offsetting = Side.SELL if position > 0 else Side.BUY
    risky, room = [], abs(position)
    aggressive_first = sorted(
        (order for order in account.live_orders(market.symbol) if order.status is OrderStatus.OPEN),
        key=lambda order: (-order.side.sign * order.price, order.priority),
    )
    for order in aggressive_first:
        if not position or order.side is not offsetting or order.remaining_size > room:
            risky.append(order)
        else:
            room -= order.remaining_size
    return risky
