"""Market-maker protection at work: configs, trips, freezes (`mmp.py` has the window itself)."""

from decimal import Decimal

from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.events import MmpChanged
from paradex_sandbox.exchange.mmp import MIN_FREEZE_US, MmpConfig, MmpEventKind, MmpGuard, MmpState
from paradex_sandbox.exchange.state import ExchangeState, MarketState


def trip(state: ExchangeState, account: AccountState, market: MarketState, signed_size: Decimal) -> bool:
    """Counts a fill of a protected order; returns whether that froze the base asset."""
    base = market.market.base_currency
    guard = account.mmp.get(base)
    if guard is None:
        return False
    reason = guard.add(state.now, signed_size)
    state.dirty_mmp[account, base] = None
    if reason is None:
        return False
    guard.freeze(state.now)
    window = guard.state(state.now)
    state.events.append(
        MmpChanged(
            state.now,
            account.address,
            kind=MmpEventKind.TRIGGERED,
            base_asset=base,
            trip_reason=reason,
            window_size=window.window_size,
            window_delta=window.window_delta,
            window_vega=window.window_vega,
            trigger_market=market.symbol,
            frozen_until=guard.frozen_until,
        )
    )
    return True


def thaw(state: ExchangeState) -> None:
    """Lifts the freezes that have run out."""
    for account in state.accounts.values():
        for base, guard in account.mmp.items():
            if guard.is_over(state.now):
                guard.clear()
                _publish(state, account, base, MmpEventKind.UNFROZEN)


def configure(state: ExchangeState, account: AccountState, config: MmpConfig) -> MmpState:
    """Replaces the config of a base asset; a freeze outlives it, the window starts anew."""
    if not any(m.market.is_tradable and m.market.base_currency == config.base_asset for m in state.markets.values()):
        raise ExchangeError("VALIDATION_ERROR", f"{config.base_asset} has no perpetual market")
    config.check()
    guard = MmpGuard(config)
    before = account.mmp.get(config.base_asset)
    if before is not None and before.is_frozen:
        guard.is_frozen, guard.frozen_at, guard.frozen_until = True, before.frozen_at, before.frozen_until
    account.mmp[config.base_asset] = guard
    state.dirty_mmp[account, config.base_asset] = None
    state.events.append(
        MmpChanged(
            state.now,
            account.address,
            kind=MmpEventKind.CONFIG_UPDATED,
            base_asset=config.base_asset,
            config=config,
        )
    )
    return guard.state(state.now)


def remove(state: ExchangeState, account: AccountState, base_asset: str) -> bool:
    """Turns protection off; returns whether it was on."""
    if account.mmp.pop(base_asset, None) is None:
        return False
    state.dirty_mmp[account, base_asset] = None
    state.events.append(
        MmpChanged(
            state.now,
            account.address,
            kind=MmpEventKind.CONFIG_UPDATED,
            base_asset=base_asset,
            removed=True,
        )
    )
    return True


def reset(state: ExchangeState, account: AccountState, base_asset: str | None) -> list[tuple[str, int]]:
    """Lifts freezes and empties windows, of one base asset or of all; (base asset, time) of each."""
    if base_asset is not None and base_asset not in account.mmp:
        raise ExchangeError("NOT_FOUND", f"{base_asset} has no market-maker protection")
    wanted = sorted(account.mmp) if base_asset is None else [base_asset]
    too_early = [
        base
        for base in wanted
        if account.mmp[base].is_frozen and state.now - account.mmp[base].frozen_at < MIN_FREEZE_US
    ]
    done = [base for base in wanted if base not in too_early]
    for base in done:
        account.mmp[base].clear()
        _publish(state, account, base, MmpEventKind.RESET)
    if too_early:
        raise ExchangeError(
            "MMP_MIN_FREEZE_NOT_ELAPSED",
            f"{', '.join(too_early)} was frozen less than a second ago; reset: {', '.join(done) or 'none'}",
            {"refused": too_early, "reset": done},
        )
    return [(base, state.now) for base in done]


def _publish(state: ExchangeState, account: AccountState, base: str, kind: MmpEventKind) -> None:
    state.dirty_mmp[account, base] = None
    state.events.append(MmpChanged(state.now, account.address, kind=kind, base_asset=base))
