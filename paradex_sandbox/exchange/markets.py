"""Reading markets, the default ones or those of a file."""

import json
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import Any

from paradex_sandbox.exchange.default_markets import DEFAULT_MARKETS
from paradex_sandbox.exchange.errors import MarketsFileError
from paradex_sandbox.exchange.model import (
    ZERO,
    AssetKind,
    Delta1MarginParams,
    FeeConfig,
    FeeRate,
    MakerTakerFee,
    Market,
    MarketKind,
    OptionMarginFractions,
    OptionMarginParams,
    SimulationParams,
    TradingMode,
)

_MS = 1000
#: What the wire carries: 64 bits with 8 decimals. Far smaller numbers than its unit would take ages to write out.
_MAX_NUMBER = Decimal(10) ** 10
_WIRE_UNIT = Decimal("1e-8")
_MIN_EXPONENT = -18
_MAX_INTEGER = 2**53
_MAX_FUNDING_HOURS = 24 * 365
#: What can be simulated: beyond it prices leave what floats can say, or the takers' orders take all of the time.
_MAX_VOLATILITY = Decimal("0.01")
_MAX_TAKERS_PER_SECOND = Decimal(1000)
_MAX_BASE_PRICE = Decimal(10) ** 9


def load_markets(path: Path | str | None = None) -> list[Market]:
    """The markets of a JSON file, or the default ones without a `path`.

    The form is that of `GET /markets`, a list or `{"results": [...]}`, so that an answer of the real exchange can be
    used, plus per market an object `simulation` with at least `base_price` (see SimulationParams). Fields that the
    sandbox does not know are left out. Raises MarketsFileError with one sentence that names the place.
    """
    if path is None:
        return parse_markets(DEFAULT_MARKETS, "the default markets")
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise MarketsFileError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise MarketsFileError(f"{path} is no JSON: {error}") from error
    return parse_markets(data, str(path))


def parse_markets(data: Any, source: str) -> list[Market]:
    """`data` as decoded from JSON; `source` is named in errors."""
    entries = data.get("results") if isinstance(data, Mapping) else data
    if not isinstance(entries, list) or not entries:
        raise MarketsFileError(f"{source}: expected a list of markets that is not empty")
    markets: dict[str, Market] = {}
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, Mapping):
            raise MarketsFileError(f"{source}: market {number} is no object")
        name = entry.get("symbol")
        market = _market(_Reader(entry, f"{source}: market {name if isinstance(name, str) and name else number}"))
        if market.symbol in markets:
            raise MarketsFileError(f"{source}: market {market.symbol} is listed twice")
        markets[market.symbol] = market
    return list(markets.values())


class _Reader:
    """Typed access to an object; every complaint names the place."""

    def __init__(self, data: Mapping[str, Any], place: str) -> None:
        self._data = data
        self._place = place

    def has(self, name: str) -> bool:
        return self._data.get(name) not in (None, "", {})

    def keys(self) -> set[str]:
        return set(self._data)

    def fail(self, name: str, expected: str) -> MarketsFileError:
        found = repr(self._data[name]) if name in self._data else "nothing"
        return MarketsFileError(f"{self._place}: {name} must be {expected}, found {found}")

    def text(self, name: str, default: str | None = None) -> str:
        value = self._data.get(name, default)
        if not isinstance(value, str) or (default is None and not value):
            raise self.fail(name, "a text")
        return value

    def number(self, name: str, default: Decimal | None = None, largest: Decimal = _MAX_NUMBER) -> Decimal:
        """A finite number between -`largest` and `largest`, written as text or number."""
        if default is not None and not self.has(name):
            return default
        value = self._data.get(name)
        try:
            number = Decimal(str(value)) if isinstance(value, str | int | Decimal) else None
        except InvalidOperation:
            number = None
        if number is None or isinstance(value, bool) or not number.is_finite():
            raise self.fail(name, "a number")
        if abs(number) > largest or (number and number.adjusted() < _MIN_EXPONENT):
            raise self.fail(name, f"between {-largest:f} and {largest:f}, with at most {-_MIN_EXPONENT} decimals")
        # Fixed notation, so that no exponent travels on from here: 10, not 1E+1.
        return Decimal(f"{number:f}")

    def positive(self, name: str, default: Decimal | None = None) -> Decimal:
        value = self.number(name, default)
        if value <= 0:
            raise self.fail(name, "above zero")
        return value

    def step(self, name: str) -> Decimal:
        """What prices or sizes are multiples of: at least one unit of the wire."""
        value = self.positive(name)
        if value % _WIRE_UNIT:
            raise self.fail(name, f"a multiple of {_WIRE_UNIT:f}")
        return value

    def rate(self, name: str, default: str) -> Decimal:
        """A rate of a price, of either sign."""
        return self.number(name, Decimal(default), Decimal(1))

    def fraction(self, name: str, default: Decimal | None = None) -> Decimal:
        """Above 0 and at most 1."""
        value = self.positive(name, default)
        if value > 1:
            raise self.fail(name, "a fraction of 1")
        return value

    def integer(self, name: str, default: int) -> int:
        value = self.number(name, Decimal(default), Decimal(_MAX_INTEGER))
        if value != value.to_integral_value() or value < 0:
            raise self.fail(name, "a whole number, zero or more")
        return int(value)

    def choice[E: StrEnum](self, name: str, kinds: type[E], default: E | None = None) -> E:
        if default is not None and not self.has(name):
            return default
        try:
            return kinds(str(self._data.get(name)))
        except ValueError:
            raise self.fail(name, f"one of {', '.join(kinds)}") from None

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._data.get(name) or []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.fail(name, "a list of texts")
        return tuple(value)

    def object(self, name: str) -> "_Reader":
        value = self._data.get(name)
        if not isinstance(value, Mapping):
            raise self.fail(name, "an object")
        return _Reader(value, f"{self._place}: {name}")


def _market(reader: _Reader) -> Market:
    kind = reader.choice("asset_kind", AssetKind)
    is_perpetual = kind is AssetKind.PERP
    has_margin = is_perpetual or reader.has("delta1_cross_margin_params")
    return Market(
        symbol=reader.text("symbol"),
        base_currency=reader.text("base_currency"),
        quote_currency=reader.text("quote_currency"),
        settlement_currency=reader.text("settlement_currency"),
        asset_kind=kind,
        price_tick_size=reader.step("price_tick_size"),
        order_size_increment=reader.step("order_size_increment"),
        min_notional=reader.number("min_notional"),
        max_order_size=reader.positive("max_order_size"),
        position_limit=reader.positive("position_limit"),
        price_bands_width=reader.fraction("price_bands_width"),
        max_slippage=reader.fraction("max_slippage", Decimal("0.002")),
        simulation=_simulation(reader.object("simulation"), reader.step("price_tick_size")),
        max_open_orders=reader.integer("max_open_orders", 100),
        market_kind=reader.choice("market_kind", MarketKind, MarketKind.CROSS),
        trading_mode=reader.choice("trading_mode", TradingMode, TradingMode.STANDARD),
        delta1_cross_margin_params=_delta1(reader.object("delta1_cross_margin_params")) if has_margin else None,
        option_cross_margin_params=_option(reader) if reader.has("option_cross_margin_params") else None,
        fee_config=_fees(reader.object("fee_config")) if reader.has("fee_config") else None,
        funding_period_hours=_funding_period(reader, is_perpetual),
        funding_multiplier=reader.number("funding_multiplier", Decimal(1), Decimal(1000)),
        max_funding_rate=reader.rate("max_funding_rate", "0.02"),
        max_funding_rate_change=reader.rate("max_funding_rate_change", "0.0005"),
        interest_rate=reader.rate("interest_rate", "0.0001"),
        clamp_rate=reader.rate("clamp_rate", "0.0005"),
        max_tob_spread=reader.number("max_tob_spread", Decimal("0.01")),
        oracle_ewma_factor=reader.number("oracle_ewma_factor", Decimal("0.2")),
        price_feed_id=reader.text("price_feed_id", ""),
        iv_bands_width=reader.number("iv_bands_width") if reader.has("iv_bands_width") else None,
        option_type=reader.text("option_type", ""),
        strike_price=reader.number("strike_price", ZERO),
        open_at=reader.integer("open_at", 0) * _MS,
        expiry_at=reader.integer("expiry_at", 0) * _MS,
        tags=reader.texts("tags"),
    )


def _funding_period(reader: _Reader, is_perpetual: bool) -> int:
    hours = reader.integer("funding_period_hours", 8 if is_perpetual else 0)
    if is_perpetual and hours < 1:
        raise reader.fail("funding_period_hours", "at least 1")
    if hours > _MAX_FUNDING_HOURS:
        raise reader.fail("funding_period_hours", f"at most {_MAX_FUNDING_HOURS}")
    return hours


def _simulation(reader: _Reader, tick: Decimal) -> SimulationParams:
    names = {field.name for field in fields(SimulationParams)}
    unknown = sorted(reader.keys() - names)
    if unknown:
        raise reader.fail(unknown[0], f"one of {', '.join(sorted(names))}")
    base = SimulationParams(reader.positive("base_price"))

    def positive(name: str, default: float) -> float:
        return float(reader.positive(name, Decimal(str(default))))

    reversion = positive("reversion", base.reversion)
    if reversion >= 1:
        raise reader.fail("reversion", "below 1")
    if not tick <= base.base_price < _MAX_BASE_PRICE:
        raise reader.fail("base_price", f"at least the market's tick and below {_MAX_BASE_PRICE:f}")
    volatility = reader.number("volatility", Decimal(str(base.volatility)))
    if not 0 <= volatility <= _MAX_VOLATILITY:
        raise reader.fail("volatility", f"0 to {_MAX_VOLATILITY}")
    if reader.positive("takers_per_second", Decimal(str(base.takers_per_second))) > _MAX_TAKERS_PER_SECOND:
        raise reader.fail("takers_per_second", f"at most {_MAX_TAKERS_PER_SECOND}")
    return SimulationParams(
        base_price=base.base_price,
        volatility=float(volatility),
        reversion=reversion,
        half_spread=positive("half_spread", base.half_spread),
        level_notional=positive("level_notional", base.level_notional),
        taker_notional=positive("taker_notional", base.taker_notional),
        takers_per_second=positive("takers_per_second", base.takers_per_second),
        open_interest=reader.number("open_interest", base.open_interest),
    )


def _delta1(reader: _Reader) -> Delta1MarginParams:
    return Delta1MarginParams(
        imf_base=reader.fraction("imf_base"),
        imf_shift=reader.number("imf_shift", ZERO),
        imf_factor=reader.number("imf_factor", ZERO),
        mmf_factor=reader.fraction("mmf_factor"),
    )


def _option(reader: _Reader) -> OptionMarginParams:
    params = reader.object("option_cross_margin_params")

    def fractions(name: str) -> OptionMarginFractions:
        inner = params.object(name)
        return OptionMarginFractions(
            **{field.name: inner.number(field.name) for field in fields(OptionMarginFractions)}
        )

    return OptionMarginParams(imf=fractions("imf"), mmf=fractions("mmf"))


def _fees(reader: _Reader) -> FeeConfig:
    def rate(pair: _Reader, name: str) -> FeeRate:
        inner = pair.object(name)
        fee = inner.number("fee")
        return FeeRate(fee, inner.number("fee_cap", fee), inner.number("fee_floor", fee))

    def pair(name: str) -> MakerTakerFee:
        inner = reader.object(name)
        return MakerTakerFee(rate(inner, "maker_fee"), rate(inner, "taker_fee"))

    return FeeConfig(pair("api_fee"), pair("interactive_fee"), pair("rpi_fee"))
