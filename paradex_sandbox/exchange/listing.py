"""Changing a market while it trades, and what is remembered of it."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from paradex_sandbox.exchange.candles import MINUTE, PriceKind
from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.events import MarketChanged
from paradex_sandbox.exchange.model import Market, MarketChange, MarketChangeKind, Settlement
from paradex_sandbox.exchange.state import ExchangeState, MarketState

_POSITIVE = frozenset(("price_tick_size", "order_size_increment", "max_order_size", "position_limit"))
_FRACTIONS = frozenset(("price_bands_width", "max_slippage"))
_AMOUNTS = frozenset(("min_notional",))
_INTEGERS = frozenset(("max_open_orders", "open_at", "expiry_at"))
_MAX_INTEGER = 2**53
_SETTLEMENT_TWAP_MINUTES = 30


def update(state: ExchangeState, market: MarketState, fields: dict[str, Decimal | int]) -> Market:
    """Gives a market other static data; VALIDATION_ERROR for what cannot be changed or makes no sense."""
    checked = {name: _checked(name, value) for name, value in fields.items()}
    if not checked:
        raise ExchangeError("VALIDATION_ERROR", "no field to change")
    state.replace_market(replace(market.market, **checked))  # type: ignore[arg-type]
    changed = tuple(
        (name, f"{value:f}" if isinstance(value, Decimal) else str(value)) for name, value in checked.items()
    )
    _remember(state, MarketChange(market.symbol, MarketChangeKind.UPDATED, changed, state.now))
    return market.market


def settled(state: ExchangeState, market: MarketState) -> None:
    """Notes the prices of a market that has just expired."""
    bars = market.candles.kinds[PriceKind.UNDERLYING].bars(1, state.now - _SETTLEMENT_TWAP_MINUTES * MINUTE, state.now)
    average = sum((bar.close for bar in bars), Decimal(0)) / len(bars) if bars else market.mark.spot_price
    prices = (("settlement_price", f"{market.mark.mark_price:f}"), ("underlying_twap_price", f"{average:.8f}"))
    _remember(state, MarketChange(market.symbol, MarketChangeKind.SETTLED, prices, state.now))


def settlement(state: ExchangeState, market: MarketState) -> Settlement:
    """How it was settled; MARKET_NOT_SETTLED."""
    for change in reversed(state.market_changes):
        if change.market == market.symbol and change.kind is MarketChangeKind.SETTLED:
            prices = {name: Decimal(value) for name, value in change.changed}
            return Settlement(market.symbol, market.market.expiry_at, **prices)
    raise ExchangeError("MARKET_NOT_SETTLED", f"{market.symbol} has not settled")


def restore(state: ExchangeState, changes: Sequence[MarketChange]) -> None:
    """Applies the changes of earlier runs, oldest first; those of markets that are not listed now are only kept."""
    for change in changes:
        market = state.markets.get(change.market)
        if market is not None and change.kind is MarketChangeKind.UPDATED:
            values = {name: int(value) if name in _INTEGERS else Decimal(value) for name, value in change.changed}
            state.replace_market(replace(market.market, **values))  # type: ignore[arg-type]
    state.market_changes.extend(changes)


def _remember(state: ExchangeState, change: MarketChange) -> None:
    state.market_changes.append(change)
    state.events.append(MarketChanged(state.now, change.market, change))


def _checked(name: str, value: Decimal | int) -> Decimal | int:
    if name in _INTEGERS:
        if isinstance(value, int) and 0 <= value < _MAX_INTEGER:
            return value
    elif name in _POSITIVE | _FRACTIONS | _AMOUNTS:
        number = Decimal(value)
        is_in_range = number.is_finite() and number >= 0 and (number > 0 or name in _AMOUNTS)
        if is_in_range and (number <= 1 or name not in _FRACTIONS):
            # Fixed notation, so that no exponent travels on from here.
            return Decimal(f"{number:f}")
    else:
        raise ExchangeError("VALIDATION_ERROR", f"{name} of a market cannot be changed")
    raise ExchangeError("VALIDATION_ERROR", f"{value} is no {name}")
