"""Listing, changing and deleting markets while others trade, and what is remembered of it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from enum import Enum
from typing import Any

from paradex_sandbox.exchange.candles import MINUTE, PriceKind
from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.events import MarketChanged
from paradex_sandbox.exchange.model import Delta1MarginParams, Market, MarketChange, MarketChangeKind, Settlement
from paradex_sandbox.exchange.numbers import EXACT
from paradex_sandbox.exchange.state import ExchangeState, MarketState

#: What a field of a market can be changed to.
type Value = Decimal | int | Delta1MarginParams

_POSITIVE = frozenset(("price_tick_size", "order_size_increment", "max_order_size", "position_limit"))
_FRACTIONS = frozenset(("price_bands_width", "max_slippage"))
_AMOUNTS = frozenset(("min_notional",))
_INTEGERS = frozenset(("max_open_orders", "open_at", "expiry_at"))
_MARGIN = "delta1_cross_margin_params"
#: Fields of Market that the description of a change lacks (AsyncAPI: ResponsesMarketEvent).
_UNTOLD = frozenset(("symbol", "simulation", "trading_mode", "price_feed_id", "iv_bands_width", "tags"))
#: A short string of a signature holds 31 characters; channels are taken apart at dots.
_SYMBOL = re.compile(r"[A-Za-z0-9_-]{1,31}")
_MAX_INTEGER = 2**53
_SETTLEMENT_TWAP_MINUTES = 30


def create(state: ExchangeState, market: Market) -> None:
    """Lists a market that was not listed."""
    if not _SYMBOL.fullmatch(market.symbol) or market.symbol == "ALL":
        raise ExchangeError("VALIDATION_ERROR", "a market's name is made of up to 31 letters, digits, - and _")
    if market.symbol in state.markets:
        raise ExchangeError("NOT_UNIQUE", f"{market.symbol} is listed already")
    if market.expiry_at and market.expiry_at <= state.now:
        raise ExchangeError("VALIDATION_ERROR", f"{market.symbol} would have expired already")
    state.add_market(market)
    told = {field.name: getattr(market, field.name) for field in fields(market) if field.name not in _UNTOLD}
    changed = tuple((name, _text(value)) for name, value in told.items() if value not in (None, ""))
    _remember(state, market.symbol, MarketChangeKind.CREATED, changed, market)


def delete(state: ExchangeState, market: MarketState) -> None:
    """Takes a market off the list that has been settled."""
    state.departed = EXACT.add(state.departed, market.crowd_balance)
    state.remove_market(market.symbol)
    _remember(state, market.symbol, MarketChangeKind.DELETED, ())


def update(state: ExchangeState, market: MarketState, values: Mapping[str, Value]) -> Market:
    """Gives a market other static data; VALIDATION_ERROR for what cannot be changed or makes no sense."""
    checked = {name: _checked(market.market, name, value) for name, value in values.items()}
    if not checked:
        raise ExchangeError("VALIDATION_ERROR", "no field to change")
    state.replace_market(replace(market.market, **checked))  # type: ignore[arg-type]
    changed = tuple((name, _text(value)) for name, value in checked.items())
    _remember(state, market.symbol, MarketChangeKind.UPDATED, changed)
    return market.market


def settled(state: ExchangeState, market: MarketState) -> None:
    """Notes the prices of a market that has just expired."""
    bars = market.candles.kinds[PriceKind.UNDERLYING].bars(1, state.now - _SETTLEMENT_TWAP_MINUTES * MINUTE, state.now)
    average = sum((bar.close for bar in bars), Decimal(0)) / len(bars) if bars else market.mark.spot_price
    prices = (("settlement_price", f"{market.mark.mark_price:f}"), ("underlying_twap_price", f"{average:.8f}"))
    _remember(state, market.symbol, MarketChangeKind.SETTLED, prices)


def settlement(state: ExchangeState, symbol: str) -> Settlement:
    """How a market was settled that is or was listed; MARKET_NOT_SETTLED."""
    listed = state.listed.get(symbol)
    for change in reversed(state.market_changes):
        if change.market == symbol and change.kind is MarketChangeKind.SETTLED:
            prices = {name: Decimal(value) for name, value in change.changed}
            return Settlement(symbol, listed.expiry_at if listed is not None else change.created_at, **prices)
        if change.market == symbol and change.kind is MarketChangeKind.CREATED:
            break  # what came before was another market of that name
    state.market(symbol)
    raise ExchangeError("MARKET_NOT_SETTLED", f"{symbol} has not settled")


def restore(state: ExchangeState, changes: Sequence[MarketChange], created: Mapping[str, Market]) -> None:
    """Applies the changes of earlier runs, oldest first; those of markets that are not listed now are only kept.

    `created` says how the markets were listed that are so no longer by the file of markets alone.
    """
    for change in changes:
        symbol, market = change.market, state.markets.get(change.market)
        if change.kind is MarketChangeKind.CREATED and symbol in created:
            state.add_market(created[symbol])
        elif change.kind is MarketChangeKind.DELETED and market is not None:
            state.remove_market(symbol)
        elif change.kind is MarketChangeKind.UPDATED and market is not None:
            values = {name: _value(name, text) for name, text in change.changed}
            state.replace_market(replace(market.market, **values))  # type: ignore[arg-type]
    state.market_changes.extend(changes)


def _remember(
    state: ExchangeState,
    symbol: str,
    kind: MarketChangeKind,
    changed: tuple[tuple[str, str], ...],
    definition: Market | None = None,
) -> None:
    # No two at the same time: their order decides what a market is after a restart.
    last = state.market_changes[-1].created_at if state.market_changes else 0
    change = MarketChange(symbol, kind, changed, max(state.now, last + 1))
    state.market_changes.append(change)
    state.events.append(MarketChanged(state.now, symbol, change, definition))


def _text(value: Any) -> str:
    plain = _plain(value)
    return plain if isinstance(plain, str) else json.dumps(plain)


def _plain(value: Any) -> str | dict[str, Any]:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return str(value.value)
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _value(name: str, text: str) -> Value:
    if name == _MARGIN:
        return Delta1MarginParams(**{key: Decimal(value) for key, value in json.loads(text).items()})
    return int(text) if name in _INTEGERS else Decimal(text)


def _checked(market: Market, name: str, value: Value) -> Value:
    if name == _MARGIN:
        if isinstance(value, Delta1MarginParams) and market.delta1_cross_margin_params is not None:
            return _checked_margin(value)
    elif isinstance(value, Delta1MarginParams):
        pass
    elif name in _INTEGERS:
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


def _checked_margin(params: Delta1MarginParams) -> Delta1MarginParams:
    values = {field.name: getattr(params, field.name) for field in fields(params)}
    fractions = (params.imf_base, params.mmf_factor)
    if all(value.is_finite() and value >= 0 for value in values.values()) and all(0 < x <= 1 for x in fractions):
        return Delta1MarginParams(**{name: Decimal(f"{value:f}") for name, value in values.items()})
    raise ExchangeError("VALIDATION_ERROR", "imf_base and mmf_factor are above 0 and at most 1, the others 0 or more")
