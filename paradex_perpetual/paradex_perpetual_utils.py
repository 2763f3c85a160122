"""What Hummingbot reads before the connector exists (config maps, fees, domains) and the pure half of the connector:
which markets are ours, and payload in, object out. Imported at every start of Hummingbot: keep it light.
"""

import hashlib
import json
import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from difflib import get_close_matches
from functools import lru_cache
from typing import Annotated, Any

from hummingbot.client.config.config_data_types import BaseConnectorConfigMap
from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_constants as CONSTANTS
from hummingbot.connector.derivative.position import Position
from hummingbot.connector.trading_rule import TradingRule
from hummingbot.core.data_type.common import OrderType, PositionAction, PositionSide, TradeType
from hummingbot.core.data_type.funding_info import FundingInfo, FundingInfoUpdate
from hummingbot.core.data_type.in_flight_order import (
    InFlightOrder,
    OrderState,
    OrderUpdate,
    PerpetualDerivativeInFlightOrder,
    TradeUpdate,
)
from hummingbot.core.data_type.trade_fee import TokenAmount, TradeFeeBase, TradeFeeSchema
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    create_model,
)
from pydantic.fields import FieldInfo

CENTRALIZED = True
EXAMPLE_PAIR = "BTC-USDC"
# Pro, lowest tier. The account's own rates replace them as soon as they are known.
DEFAULT_FEES = TradeFeeSchema(
    maker_percent_fee_decimal=Decimal("0.00003"),
    taker_percent_fee_decimal=Decimal("0.00045"),
)

# Order of the Stark curve: a private key is below it. Prime of the Stark field: an address is below it.
STARK_CURVE_ORDER = 0x800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
STARK_FIELD_PRIME = 2**251 + 17 * 2**192 + 1


# === Credentials ===


def normalized_felt(value: str, name: str, limit: int) -> str:
    """One field element as it was pasted, checked.

    :param value: hexadecimal, with or without 0x, blanks around it allowed
    :param name: what it is, for the error
    :param limit: what it must be below
    :return: 0x and lower-case hexadecimal digits
    :raises ValueError: one sentence that names the field and says what it should look like, never the value
    """
    shape = f"The {name} should be 0x followed by up to 64 hexadecimal digits"
    text = value.strip().removeprefix("0x").removeprefix("0X")
    if not text:
        raise ValueError(f"{shape}; nothing was entered.")
    if any(character not in "0123456789abcdefABCDEF" for character in text):
        raise ValueError(f"{shape}; other characters were entered.")
    number = int(text, 16)
    if number == 0:
        raise ValueError(f"{shape}; zero is not a valid one.")
    if number >= limit:
        raise ValueError(f"{shape}; this number is too large to be one, so part of something else may be in it.")
    return hex(number)


_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


def is_token(value: str) -> bool:
    """Whether this is a JWT by its shape: what an account's owner gives to somebody who may look and not trade."""
    return _TOKEN.fullmatch(value.strip()) is not None


def normalized_api_secret(value: str) -> str:
    """A subkey's private key, or a token in its place: a connector that has one can look and not trade.

    :raises ValueError: see :func:`normalized_felt`
    """
    if is_token(value):
        return value.strip()
    return normalized_felt(value, "Paradex subkey's private key", STARK_CURVE_ORDER)


def normalized_account_address(value: str) -> str:
    return normalized_felt(value, "Paradex main account's address", STARK_FIELD_PRIME)


def _is_encrypted(value: str) -> bool:
    """Whether this is a secret as Hummingbot stores it: its config map is first filled with the encrypted text."""
    try:
        stored = json.loads(bytes.fromhex(value))
    except ValueError:
        return False
    return isinstance(stored, dict) and "crypto" in stored


def _secret_validator(normalize: Callable[[str], str]) -> AfterValidator:
    def validate(secret: SecretStr) -> SecretStr:
        value = secret.get_secret_value()
        return secret if _is_encrypted(value) else SecretStr(normalize(value))

    return AfterValidator(validate)


def _refuse_plain_text(value: Any) -> Any:
    """YAML takes 0x1234 for a number; what Hummingbot has encrypted, and what is typed, is text."""
    if isinstance(value, int):
        raise ValueError("It stands unencrypted in the connector's file: remove that file and run `hbot connect`.")
    return value


_ApiSecret = Annotated[SecretStr, BeforeValidator(_refuse_plain_text), _secret_validator(normalized_api_secret)]
_AccountAddress = Annotated[
    SecretStr, BeforeValidator(_refuse_plain_text), _secret_validator(normalized_account_address)
]


# === Settings: what nobody is prompted for ===

_ON = ("true", "yes", "on", "1")
_OFF = ("false", "no", "off", "0")


def _choice(name: str, choices: tuple[str, ...], case: Callable[[str], str] = str.lower) -> BeforeValidator:
    """One of a few words, blanks and case aside; nothing entered means the first."""

    def validate(value: Any) -> str:
        text = case(str(value if value is not None else "").strip()) or choices[0]
        if text not in choices:
            raise ValueError(f"The {name} is {', '.join(choices[:-1])} or {choices[-1]}, not {text!r}.")
        return text

    return BeforeValidator(validate)


def _number(name: str, minimum: str, maximum: str, unit: str, whole: bool = False) -> BeforeValidator:
    """A number within bounds, as text or not, so that a value outside is refused in one sentence."""
    kind = "whole number" if whole else "number"

    def validate(value: Any) -> Any:
        try:
            number = Decimal(str(value).strip())
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite():
            raise ValueError(f"The {name} is a {kind} of {unit}, not {value!r}.")
        if not Decimal(minimum) <= number <= Decimal(maximum):
            raise ValueError(f"The {name} is between {minimum} and {maximum} {unit}, not {value!r}.")
        if whole and number != int(number):
            raise ValueError(f"The {name} is a {kind} of {unit}, not {value!r}.")
        return int(number) if whole else number

    return BeforeValidator(validate)


def _flag(name: str) -> BeforeValidator:
    """A switch, as YAML or a person writes one."""

    def validate(value: Any) -> bool:
        text = str(value).strip().lower()
        if text not in (*_ON, *_OFF):
            raise ValueError(f"The {name} is true or false, not {value!r}.")
        return text in _ON

    return BeforeValidator(validate)


def _optional_price(value: Any) -> Any:
    text = str(value if value is not None else "").strip()
    if not text:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if number not in CONSTANTS.BOOK_PRICE_TICKS:
        choices = ", ".join(format(tick, "f") for tick in CONSTANTS.BOOK_PRICE_TICKS)
        raise ValueError(f"The book price tick is one of {choices} (in quote) or left empty, not {value!r}.")
    return number


class Settings(BaseModel):
    """The settings of the connector beside its credentials; each is a line of the connector's yml file.

    Descriptions are what `docs/configuration.md` says of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    order_class: Annotated[str, _choice("order class", CONSTANTS.ORDER_CLASSES)] = Field(
        default=CONSTANTS.ORDER_CLASS_PRO,
        description="pro or retail. Retail orders cost no fees, wait 300 ms and are limited to 3 a second.",
    )
    order_entry: Annotated[str, _choice("order entry", CONSTANTS.ORDER_ENTRIES)] = Field(
        default=CONSTANTS.ORDER_ENTRIES[0],
        description="websocket or rest: the way by which orders reach the exchange. REST takes over while the socket "
        "is gone.",
    )
    cancel_on_disconnect: Annotated[bool, _flag("cancel on disconnect")] = Field(
        default=False,
        description="Whether the exchange is to cancel open orders as soon as the bot's private socket drops. Orders "
        "then go over that socket, for it covers no others, and none are placed while it is gone; take-profits, "
        "stop-losses and stops that only reduce stay.",
    )
    rpi: Annotated[bool, _flag("RPI default")] = Field(
        default=False,
        description="Whether LIMIT_MAKER orders are Retail Price Improvement orders: only Retail takers meet them.",
    )
    self_trade_mode: Annotated[str, _choice("self-trade mode", CONSTANTS.SELF_TRADE_MODES, str.upper)] = Field(
        default=CONSTANTS.SELF_TRADE_MODES[0],
        description="EXPIRE_TAKER, EXPIRE_MAKER or EXPIRE_BOTH: which order goes when two of the account would meet.",
    )
    recv_window: Annotated[int, _number("recv_window", "10", "300000", "milliseconds", whole=True)] = Field(
        default=CONSTANTS.RECV_WINDOW_MS,
        description="Milliseconds within which an order must reach the exchange after it was signed; 10 to 300000.",
    )
    max_slippage: Annotated[Decimal, _number("maximum slippage", "0", "1", "of the price, as a fraction")] = Field(
        default=Decimal(0),
        description="How far a MARKET order may trade from the best price, as a fraction (0.01 is 1 %); 0 leaves it to "
        "the exchange's own bound.",
    )
    mmp: Annotated[bool, _flag("MMP default")] = Field(
        default=False,
        description="Whether LIMIT and LIMIT_MAKER orders are under market-maker protection (MMP), which has to be "
        "configured for the account.",
    )
    batch_size: Annotated[int, _number("batch size", "1", "50", "orders", whole=True)] = Field(
        default=CONSTANTS.BATCH_SIZE,
        description="How many orders go into one batch at most; 1 to 50. The exchange's pages say 10 and 50.",
    )
    book_feed: Annotated[str, _choice("book feed", CONSTANTS.BOOK_FEEDS)] = Field(
        default=CONSTANTS.BOOK_FEEDS[0],
        description="deltas (changes, in order) or snapshot (the whole book each time).",
    )
    book_interval: Annotated[str, _choice("book interval", CONSTANTS.BOOK_INTERVALS)] = Field(
        default=CONSTANTS.BOOK_INTERVALS[0],
        description="50ms or 100ms: how often the book feed tells.",
    )
    book_price_tick: Annotated[Decimal | None, BeforeValidator(_optional_price)] = Field(
        default=None,
        description="Price step, in quote, to which the book's levels are aggregated: a power of ten from 0.0000001 to "
        "100, or 0.0000005. Empty for the market's own. The best prices are grouped too.",
    )
    breaker_failures: Annotated[int, _number("breaker's threshold", "0", "1000", "failures", whole=True)] = Field(
        default=CONSTANTS.BREAKER_FAILURES,
        description="Failures of order requests within the breaker's window after which new orders pause; 0 to 1000, "
        "where 0 is never.",
    )
    breaker_window: Annotated[Decimal, _number("breaker's window", "1", "3600", "seconds")] = Field(
        default=Decimal(30),
        description="Seconds within which failures count together; 1 to 3600.",
    )
    breaker_pause: Annotated[Decimal, _number("breaker's pause", "0.1", "3600", "seconds")] = Field(
        default=Decimal(5),
        description="Seconds between two probes while new orders pause; 0.1 to 3600.",
    )
    unknown_orders: Annotated[str, _choice("treatment of unknown orders", CONSTANTS.UNKNOWN_ORDERS)] = Field(
        default=CONSTANTS.UNKNOWN_ORDERS[0],
        description="cancel or adopt: what happens to open orders of this bot that it never recorded, because it was "
        "killed in between.",
    )

    @property
    def orders_use_socket(self) -> bool:
        """Whether orders go over the socket while it stands: the only ones that cancel on disconnect covers."""
        return self.order_entry == CONSTANTS.ORDER_ENTRY_WEBSOCKET or self.cancel_on_disconnect


def settings_by_name(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """:return: settings by their own names, of arguments that begin with the connector's, as Hummingbot hands them
    :raises TypeError: if there is one that is no setting
    """
    settings = {name.removeprefix(f"{CONSTANTS.EXCHANGE_NAME}_"): value for name, value in arguments.items()}
    if unknown := set(settings) - set(Settings.model_fields):
        raise TypeError(f"the Paradex connector has no setting {', '.join(sorted(unknown))}")
    return settings


def settings_from(connector_configuration: Any, domain: str, overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings in a domain's config map; its fields begin with the domain's name.

    :param connector_configuration: may be None, or lack fields: those have their defaults, and so have empty ones
    :param overrides: settings by name that win, unless they are None or empty
    :raises ValueError: if a value is none that is allowed, or a line of the file none that is known; one sentence each
        says where it stands and what would be right
    """
    unknown = getattr(connector_configuration, "model_extra", None) or {}
    faults = [_unknown_line(line, domain) for line in unknown]
    configured = {name: getattr(connector_configuration, f"{domain}_{name}", None) for name in Settings.model_fields}
    chosen = {name: value for name, value in (overrides or {}).items() if value not in (None, "")}
    values = {name: value for name, value in {**configured, **chosen}.items() if value not in (None, "")}
    settings = Settings()
    try:
        settings = Settings(**values)
    except ValidationError as error:
        for detail in error.errors(include_input=False):
            name, text = str(detail["loc"][0]), str(detail["msg"]).removeprefix("Value error, ")
            line = f"{domain}_{name}"
            faults.append(f"{line}: {text}" if name in chosen else f"{line} in {_config_file(domain)}: {text}")
    if faults:
        raise ValueError(" ".join(faults))
    return settings


def _config_file(domain: str) -> str:
    return f"conf/connectors/{domain}.yml"


def _unknown_line(line: str, domain: str) -> str:
    alike = get_close_matches(line, [f"{domain}_{name}" for name in Settings.model_fields], n=1)
    advice = f"is {alike[0]} meant?" if alike else "correct or remove the line."
    return f"{line} in {_config_file(domain)} is no setting of the Paradex connector: {advice}"


# === Config maps ===


class _ParadexConfigMap(BaseConnectorConfigMap):
    """What stands in a connector's yml file.

    Hummingbot reads the files of all connectors when the password is entered, and one that it cannot read ends every
    command with a traceback, whatever exchange it is about. So settings are kept as they stand, right or wrong, and so
    are lines that are none; the connector refuses them when it is made, which Hummingbot reports in a line.
    """

    # A pydantic error prints the value that was refused unless told not to: here it may be a key.
    model_config = ConfigDict(hide_input_in_errors=True, extra="allow")
    # Makes Hummingbot hand the whole map to the connector: settings that nobody is prompted for arrive that way.
    receive_connector_configuration: bool = Field(default=True, json_schema_extra={})


def _as_it_stands(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError:
        return value


def _setting_field(field: FieldInfo) -> tuple[Any, Any]:
    annotation: Any = Annotated[(field.annotation, *field.metadata, WrapValidator(_as_it_stands))]
    return annotation, Field(default=field.default, description=field.description, json_schema_extra={})


def _config_map(domain: str, place: str) -> type[BaseConnectorConfigMap]:
    """The config map of one domain; the fields begin with the domain's name, as Hummingbot expects of sub-domains."""
    title = "".join(part.capitalize() for part in domain.split("_"))
    secret = {"is_secure": True, "is_connect_key": True, "prompt_on_new": True}
    fields: dict[str, Any] = {
        "connector": (str, domain),
        f"{domain}_api_secret": (
            _ApiSecret,
            Field(
                default=...,
                json_schema_extra={
                    "prompt": f"Enter the private key of your {place} subkey (0x...), or a read-only token",
                    **secret,
                },
            ),
        ),
        f"{domain}_account_address": (
            _AccountAddress,
            Field(
                default=...,
                json_schema_extra={
                    "prompt": f"Enter the address of your {place} main account, not of the subkey (0x...)",
                    **secret,
                },
            ),
        ),
        **{f"{domain}_{name}": _setting_field(field) for name, field in Settings.model_fields.items()},
    }
    base = type(f"{title}Base", (_ParadexConfigMap,), {"model_config": ConfigDict(title=domain)})
    return create_model(f"{title}ConfigMap", __base__=base, **fields)


KEYS = _config_map(CONSTANTS.DEFAULT_DOMAIN, "Paradex").model_construct()

OTHER_DOMAINS = [CONSTANTS.TESTNET_DOMAIN, CONSTANTS.SANDBOX_DOMAIN]
OTHER_DOMAINS_PARAMETER = {domain: domain for domain in OTHER_DOMAINS}
OTHER_DOMAINS_EXAMPLE_PAIR = dict.fromkeys(OTHER_DOMAINS, EXAMPLE_PAIR)
OTHER_DOMAINS_DEFAULT_FEES = dict.fromkeys(OTHER_DOMAINS, DEFAULT_FEES)
OTHER_DOMAINS_KEYS = {
    CONSTANTS.TESTNET_DOMAIN: _config_map(CONSTANTS.TESTNET_DOMAIN, "Paradex testnet").model_construct(),
    CONSTANTS.SANDBOX_DOMAIN: _config_map(CONSTANTS.SANDBOX_DOMAIN, "Paradex sandbox").model_construct(),
}


# === Numbers ===


_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII)
_MAGNITUDE = 30  # decimal places on either side: nothing that an exchange counts is beyond
_LONGEST_NUMBER = 400  # characters; a longer text is none, and is not kept
_LONGEST_TEXT = 200  # characters of a name or an id
_LATEST_MS = 4_102_444_800_000  # the year 2100
# What reading a payload can raise: a field that is missing or of another type is told by the functions here, and what
# they do not see (a payload that is none at all) by Python.
PAYLOAD_ERRORS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)


def shown(value: Any) -> str:
    """A value of the exchange's for a log or an error: short, and without characters that a file could not take."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _missing(key: str) -> ValueError:
    return ValueError(f"{key} is missing in the exchange's answer")


def _wrong(key: str, kind: str, value: Any) -> ValueError:
    return ValueError(f"{key} should be {kind}, the exchange sent {shown(value)}")


def decimal_from(payload: Mapping[str, Any], key: str) -> Decimal:
    """A number that the exchange must send.

    :raises ValueError: if it is missing or no finite number, with the key and the value
    """
    value = decimal_or_none(payload, key)
    if value is None:
        raise _missing(key)
    return value


def decimal_or_none(payload: Mapping[str, Any], key: str) -> Decimal | None:
    """A number that the exchange may leave out, send as null or as an empty string.

    :raises ValueError: if there is something that is no finite number, or one that cannot be meant (1e400)
    """
    raw = payload.get(key)
    if raw is None or raw == "":
        return None
    if isinstance(raw, Decimal):
        text = str(raw)
    else:
        text = str(raw) if isinstance(raw, str | float) or (type(raw) is int and abs(raw) < 10**_MAGNITUDE) else ""
    value = _finite_number(text) if len(text) <= _LONGEST_NUMBER else None
    if value is None:
        raise _wrong(key, "a number", raw)
    return value


@lru_cache(maxsize=4096)  # one order's sizes and prices come again in each of its messages
def _finite_number(text: str) -> Decimal | None:
    """:return: None if it is no finite number, or one that cannot be meant"""
    value = Decimal(text) if _NUMBER.fullmatch(text) else Decimal("NaN")
    return None if not value.is_finite() or (value and abs(value.adjusted()) > _MAGNITUDE) else value


def size_from(payload: Mapping[str, Any], key: str) -> Decimal:
    """A number, 0 or above, that the exchange must send.

    :raises ValueError: as :func:`decimal_from`
    """
    value = decimal_from(payload, key)
    if value < 0:
        raise _wrong(key, "0 or a positive number", payload[key])
    return value


def size_or_none(payload: Mapping[str, Any], key: str) -> Decimal | None:
    """A number, 0 or above, that the exchange may leave out.

    :raises ValueError: as :func:`decimal_or_none`
    """
    return None if decimal_or_none(payload, key) is None else size_from(payload, key)


def positive_from(payload: Mapping[str, Any], key: str) -> Decimal:
    """A number above 0 that the exchange must send.

    :raises ValueError: as :func:`decimal_from`
    """
    value = decimal_from(payload, key)
    if value <= 0:
        raise _wrong(key, "a positive number", payload[key])
    return value


def milliseconds_or_none(payload: Mapping[str, Any], key: str) -> int | None:
    """A time in milliseconds since the epoch, as a number or as text, that the exchange may leave out.

    :raises ValueError: if there is something else, or a time that cannot be meant
    """
    raw = payload.get(key)
    if raw is None or raw == "":
        return None
    if isinstance(raw, float) and raw.is_integer():
        value = int(raw)
    elif type(raw) is int:
        value = raw
    else:
        value = int(raw) if isinstance(raw, str) and raw.isascii() and raw.isdigit() and len(raw) < 20 else -1
    if not 0 <= value <= _LATEST_MS:
        raise _wrong(key, "a time in milliseconds", raw)
    return value


def milliseconds_from(payload: Mapping[str, Any], key: str) -> int:
    """A time in milliseconds since the epoch that the exchange must send.

    :raises ValueError: if it is missing or none
    """
    value = milliseconds_or_none(payload, key)
    if value is None:
        raise _missing(key)
    return value


def text_from(payload: Mapping[str, Any], key: str) -> str:
    """A name or an id that the exchange must send, as text or as a whole number.

    :raises ValueError: if it is missing, empty, not printable or something else
    """
    raw = payload.get(key)
    if raw is None or raw == "":
        raise _missing(key)
    is_text = isinstance(raw, str) and raw.isprintable() and len(raw) <= _LONGEST_TEXT
    if not is_text and (type(raw) is not int or abs(raw) >= 10**_MAGNITUDE):
        raise _wrong(key, "a text", raw)
    return str(raw)


def text_or_empty(payload: Mapping[str, Any], key: str) -> str:
    """A text that the exchange may leave out.

    :raises ValueError: as :func:`text_from`
    """
    return "" if payload.get(key) in (None, "") else text_from(payload, key)


def mapping_from(payload: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A part of a payload that the exchange may leave out.

    :raises ValueError: if it is there and no object
    """
    part = payload.get(key)
    if part is None or part == "":
        return {}
    if not isinstance(part, Mapping):
        raise _wrong(key, "an object", part)
    return part


def list_from(payload: Mapping[str, Any], key: str) -> list[Any]:
    """A list in a payload that the exchange may leave out.

    :raises ValueError: if it is there and no list
    """
    part = payload.get(key)
    if part is None or part == "":
        return []
    if not isinstance(part, list):
        raise _wrong(key, "a list", part)
    return part


def plain(value: Decimal) -> str:
    """A price or size as the exchange and its signatures want it: no exponent, at most 8 decimals.

    :raises ValueError: if there are more decimals than that; they would be cut off in the signature
    """
    if value != value.quantize(CONSTANTS.QUANTUM):
        raise ValueError(f"{value} has more than {CONSTANTS.DECIMALS} decimals")
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def seconds(milliseconds: Any) -> float:
    """:return: seconds, of a time that the exchange sends in milliseconds, as a number or as text"""
    return int(milliseconds) * 1e-3


# === Markets ===


def is_exchange_information_valid(market: Mapping[str, Any]) -> bool:
    """Whether a market of `GET /markets` is one that this connector trades: a perpetual settled in USDC that takes
    orders on the book (testnet does not send `trading_mode`)."""
    return (
        market.get("asset_kind") == CONSTANTS.ASSET_KIND_PERPETUAL
        and market.get("trading_mode", CONSTANTS.TRADING_MODE_STANDARD) in (CONSTANTS.TRADING_MODE_STANDARD, "", None)
        and market.get("settlement_currency", CONSTANTS.COLLATERAL_TOKEN) == CONSTANTS.COLLATERAL_TOKEN
    )


def trading_pair_of_market(market: Mapping[str, Any]) -> str:
    """`BTC-USDC` for BTC-USD-PERP: the quote is what is really paid, and its letters stay as they are (kPEPE)."""
    base = text_from(market, "base_currency")
    if "-" in base:
        raise _wrong("base_currency", "a name without '-'", base)
    return trading_pair_of_base(base)


def trading_pair_of_base(base_asset: str) -> str:
    return f"{base_asset}-{CONSTANTS.COLLATERAL_TOKEN}"


def trading_pair_advice(trading_pair: str, known: list[str]) -> str:
    """One sentence for a trading pair that this connector does not have.

    :param known: the pairs that it has; may be empty while the exchange has not been asked
    """
    base = trading_pair.split("-")[0]
    right = f"{base}-{CONSTANTS.COLLATERAL_TOKEN}"
    if trading_pair != right and (not known or right in known):
        return f"Paradex perpetuals are quoted in {CONSTANTS.COLLATERAL_TOKEN}: use {right} instead of {trading_pair}."
    alike = [pair for pair in known if base and pair.split("-")[0].lower() == base.lower()]
    if alike:
        return f"There is no {trading_pair} on Paradex: did you mean {alike[0]}? Letters count."
    examples = ", ".join(sorted(known)[:5])
    return f"There is no perpetual {trading_pair} on Paradex." + (f" There are {examples} and others." if known else "")


def trading_rule_from_market(market: Mapping[str, Any]) -> TradingRule:
    """A market of `GET /markets` as a trading rule; sizes in base, notional in USDC.

    :raises ValueError: if a number is missing or none
    """
    step = decimal_from(market, "order_size_increment")
    tick = decimal_from(market, "price_tick_size")
    if step <= 0 or tick <= 0:
        raise ValueError(f"order_size_increment {step} and price_tick_size {tick} must be positive")
    optional = {}
    maximum = size_or_none(market, "max_order_size")
    if maximum:
        optional["max_order_size"] = maximum
    return TradingRule(
        trading_pair=trading_pair_of_market(market),
        min_order_size=step,
        min_price_increment=tick,
        min_base_amount_increment=step,
        min_notional_size=size_or_none(market, "min_notional") or Decimal(0),
        buy_order_collateral_token=CONSTANTS.COLLATERAL_TOKEN,
        sell_order_collateral_token=CONSTANTS.COLLATERAL_TOKEN,
        **optional,
    )


def market_event(message: Any) -> tuple[str, str, Mapping[str, Any]] | None:
    """A message of the `markets` channel.

    :return: the exchange's name of the market, what has happened to it (CREATED, UPDATED, SETTLED, DELETED, or what may
        come), and the changed fields; None if it is another message
    """
    params = message.get("params") if isinstance(message, dict) else None
    if not isinstance(params, dict) or str(params.get("channel")).split(".")[0] != "markets":
        return None
    data = params.get("data")
    if not isinstance(data, dict) or not data.get("symbol"):
        return None
    changed = data.get("changed_fields")
    return str(data["symbol"]), str(data.get("event_type")), changed if isinstance(changed, dict) else {}


def not_traded_text(trading_pair: str, market: Mapping[str, Any] | None, now: float) -> str | None:
    """Why no orders are taken in a market, in a sentence; None if they are.

    :param market: as `GET /markets` lists it; None if it does not
    :param now: seconds, by the exchange's clock
    """
    if market is None:
        return f"{trading_pair} is not listed on Paradex any more."
    if not is_exchange_information_valid(market):
        mode = market.get("trading_mode") or market.get("asset_kind")
        return f"{trading_pair} is not traded on Paradex's order book any more: its market is {mode}."
    opens, expires = (decimal_or_none(market, key) or 0 for key in ("open_at", "expiry_at"))
    if opens > now * 1000:
        return f"{trading_pair} is not open for trading on Paradex yet."
    if 0 < expires <= now * 1000:
        return f"{trading_pair} has expired on Paradex."
    return None


def check_market(market: Mapping[str, Any]) -> None:
    """Reads all of a market of `GET /markets` that is looked at later, so that it is taken as a whole or not at all.

    :raises ValueError: if something of it cannot be read
    """
    for order_class in CONSTANTS.ORDER_CLASSES:
        market_fee_rates(market, order_class)
    max_leverage(market)
    funding_period_seconds(market)
    not_traded_text("", market, 0.0)
    size_or_none(market, "price_bands_width")


def funding_period_seconds(market: Mapping[str, Any]) -> int:
    """:return: for how long the market's funding rate is meant"""
    hours = size_or_none(market, "funding_period_hours") or Decimal(CONSTANTS.DEFAULT_FUNDING_PERIOD_HOURS)
    return max(1, int(hours * 3600))


def max_leverage(market: Mapping[str, Any]) -> int | None:
    """:return: 1 / `imf_base`, or None where the market does not say"""
    margin = size_or_none(mapping_from(market, "delta1_cross_margin_params"), "imf_base")
    return int(1 / margin) if margin else None


def next_funding_timestamp(now: float, period: int) -> int:
    """The end of the running funding period. Paradex funds continuously; Hummingbot wants a time.

    :param now: seconds since the epoch
    :param period: seconds
    """
    return (int(now) // period + 1) * period


def last_price(summary: Mapping[str, Any]) -> Decimal:
    """The last traded price in a result of `GET /markets/summary`; the mark where nothing has been traded yet."""
    return size_or_none(summary, "last_traded_price") or positive_from(summary, "mark_price")


def funding_info_from_summary(summary: Mapping[str, Any], trading_pair: str, next_funding: int) -> FundingInfo:
    """A result of `GET /markets/summary` as funding info; the rate is for the market's own funding period."""
    return FundingInfo(
        trading_pair=trading_pair,
        index_price=positive_from(summary, "underlying_price"),
        mark_price=positive_from(summary, "mark_price"),
        next_funding_utc_timestamp=next_funding,
        rate=decimal_or_none(summary, "funding_rate") or Decimal(0),
    )


def funding_info_update(summary: Any, trading_pair: str, next_funding: int) -> FundingInfoUpdate:
    """A decoded `markets_summary` frame as an update of the funding info."""
    return FundingInfoUpdate(
        trading_pair=trading_pair,
        index_price=summary.underlying_price,
        mark_price=summary.mark_price,
        next_funding_utc_timestamp=next_funding,
        rate=summary.funding_rate,
    )


# === Books ===


def book_channel(market: str, feed: str, interval: str, price_tick: Decimal | None = None) -> str:
    """The name of a book channel, such as `order_book.BTC-USD-PERP.deltas@15@50ms@0_1` for levels grouped by 0.1."""
    channel = CONSTANTS.ORDER_BOOK_CHANNEL.format(market=market, feed=feed, interval=interval)
    return channel if price_tick is None else f"{channel}@{plain(price_tick).replace('.', '_')}"


Level = tuple[Decimal, Decimal]
"""Price in quote and size in base."""


@dataclass(frozen=True)
class BestBidAsk:
    """The best prices of a market (channel `bbo`); None where a side of the book is empty."""

    bid: Level | None
    ask: Level | None
    timestamp: float  # seconds, by the exchange's clock


@dataclass(frozen=True)
class BestSizes:
    """The best levels of the book that API orders meet, and of the one with Retail Price Improvement orders in it,
    which only Retail takers meet; None where a side is empty or the exchange does not say."""

    bid_api: Level | None
    ask_api: Level | None
    bid_interactive: Level | None
    ask_interactive: Level | None
    timestamp: float  # seconds, by the exchange's clock


@dataclass(frozen=True)
class InteractiveBook:
    """What the exchange's own page shows, Retail Price Improvement orders included: for display, not for trading. It
    may look crossed, for such orders do not meet each other. Best levels first."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    best: BestSizes
    timestamp: float  # seconds, by the exchange's clock


def best_sizes_from_book(payload: Mapping[str, Any]) -> BestSizes:
    """The best levels in the answer of `GET /orderbook/{market}`.

    :raises ValueError: if one of them is no price and size
    """
    return BestSizes(
        bid_api=_level(payload, "best_bid_api"),
        ask_api=_level(payload, "best_ask_api"),
        bid_interactive=_level(payload, "best_bid_interactive"),
        ask_interactive=_level(payload, "best_ask_interactive"),
        timestamp=seconds(milliseconds_from(payload, "last_updated_at")),
    )


def book_levels(payload: Mapping[str, Any], side: str) -> list[Level]:
    """A side of the book that `GET /orderbook/{market}` answers with, as it stands there.

    :param side: `bids` or `asks`
    :raises ValueError: if it is no list of prices and sizes, all above 0, or has a price twice
    """
    if not isinstance(payload.get(side), list):
        raise _wrong(side, "a list", payload.get(side))
    levels = []
    for row in payload[side]:
        level = _level({side: row}, side)
        if level is None or level[0] <= 0 or level[1] <= 0:
            raise _wrong(side, "prices and sizes above 0", row)
        levels.append(level)
    if len({price for price, _ in levels}) < len(levels):
        raise _wrong(side, "a list with each price once", payload[side])
    return levels


def sequence_number(payload: Mapping[str, Any]) -> int:
    """The `seq_no` of a book of REST.

    :raises ValueError: if it is missing or no whole number, 0 or above
    """
    number = size_from(payload, "seq_no")
    if number % 1:
        raise _wrong("seq_no", "a whole number", payload["seq_no"])
    return int(number)


def _level(payload: Mapping[str, Any], key: str) -> Level | None:
    level = list_from(payload, key)
    if not level:
        return None
    if len(level) != 2:
        raise _wrong(key, "a price and a size", level)
    price, size = (decimal_or_none({key: value}, key) for value in level)
    return None if price is None or size is None else (price, size)


# === Fees ===


def market_fee_rates(market: Mapping[str, Any], order_class: str) -> tuple[Decimal | None, Decimal | None]:
    """What a market's `fee_config` says of an order class.

    :return: maker and taker rate as fractions of the notional, None where the market leaves it to the account's rates
    """
    kind = "interactive_fee" if order_class == CONSTANTS.ORDER_CLASS_RETAIL else "api_fee"
    fees = mapping_from(mapping_from(market, "fee_config"), kind)
    maker, taker = (decimal_or_none(mapping_from(fees, side), "fee") for side in ("maker_fee", "taker_fee"))
    return maker, taker


def account_fee_rates(info: Mapping[str, Any]) -> tuple[Decimal | None, Decimal | None]:
    """The maker and taker rate for perpetuals in an entry of `GET /account/info`; they are those of Pro orders."""
    fees = mapping_from(info, "fees")
    return decimal_or_none(fees, "maker_rate"), decimal_or_none(fees, "taker_rate")


# === Orders and fills ===


def is_retail(payload: Mapping[str, Any]) -> bool:
    """Whether the exchange treats an order as Retail."""
    return CONSTANTS.FLAG_INTERACTIVE in list_from(payload, "flags")


def order_state(payload: Mapping[str, Any], was_open: bool) -> OrderState:
    """What an order's status, sizes and cancel reason say together; `status` alone only tells alive from closed.

    :param payload: an order of REST or of the `orders` channel
    :param was_open: whether the exchange has reported this order as OPEN or UNTRIGGERED before
    :raises ValueError: if the status is none that is known, or a size is missing
    """
    status = payload.get("status")
    size, remaining = size_from(payload, "size"), size_from(payload, "remaining_size")
    if status in (CONSTANTS.STATUS_NEW, CONSTANTS.STATUS_UNTRIGGERED, CONSTANTS.STATUS_OPEN):
        return OrderState.PARTIALLY_FILLED if remaining < size else OrderState.OPEN
    if status != CONSTANTS.STATUS_CLOSED:
        raise ValueError(f"order {shown(payload.get('id'))} has the unknown status {shown(status)}")
    if remaining > size:
        raise ValueError(f"remaining_size {remaining} of order {shown(payload.get('id'))} is above its size {size}")
    if remaining == 0 and size > 0:  # of one whose size was taken to 0, as one that reduces may be, nothing is filled
        return OrderState.FILLED
    reason = text_or_empty(payload, "cancel_reason")
    if was_open or remaining < size or not reason or reason.startswith(CONSTANTS.CANCEL_REASON_PREFIXES):
        return OrderState.CANCELED
    return OrderState.FAILED


def order_update_from_payload(payload: Mapping[str, Any], order: InFlightOrder, was_open: bool) -> OrderUpdate:
    """An order of REST or of the `orders` channel as an update of the tracked order."""
    state = order_state(payload, was_open)
    misc = None
    if state is OrderState.FAILED:
        misc = {"error_type": "OrderRejected", "error_message": f"Paradex refused it: {payload['cancel_reason']}"}
    updated_at = milliseconds_or_none(payload, "last_updated_at") or milliseconds_or_none(payload, "created_at")
    return OrderUpdate(
        trading_pair=order.trading_pair,
        update_timestamp=seconds(updated_at) if updated_at else time.time(),
        new_state=state,
        client_order_id=order.client_order_id,
        exchange_order_id=text_from(payload, "id"),
        misc_updates=misc,
    )


def executed_size(payload: Mapping[str, Any]) -> Decimal:
    """:return: how much of an order has been filled, in base"""
    return decimal_from(payload, "size") - decimal_from(payload, "remaining_size")


def fill_key(payload: Mapping[str, Any]) -> str:
    """What makes a fill unique: its id is so only within its type. The same for REST and stream.

    :raises ValueError: if the id is missing, or the type is one that binary messages have no name for: REST tells that
        fill with its type, and under another key it would count twice
    """
    fill_type = payload.get("fill_type", "")
    if fill_type is None:
        raise _wrong("fill_type", "a type with a name", fill_type)
    return f"{fill_type or 'FILL'}-{text_from(payload, 'id')}"


def trade_update_from_fill(payload: Mapping[str, Any], order: InFlightOrder) -> TradeUpdate:
    """A fill of `GET /fills` or of the `fills` channel as a trade update.

    The side is the tracked order's: the fill's own is documented as the taker's.

    :raises ValueError: if a number is missing or none
    """
    price, size = positive_from(payload, "price"), positive_from(payload, "size")
    token = payload.get("fee_currency") or CONSTANTS.COLLATERAL_TOKEN
    fee = TradeFeeBase.new_perpetual_fee(
        fee_schema=DEFAULT_FEES,
        position_action=order.position,
        percent_token=token,
        flat_fees=[TokenAmount(token=token, amount=decimal_or_none(payload, "fee") or Decimal(0))],
    )
    return TradeUpdate(
        trade_id=fill_key(payload),
        client_order_id=order.client_order_id,
        exchange_order_id=text_from(payload, "order_id"),
        trading_pair=order.trading_pair,
        fill_timestamp=seconds(milliseconds_from(payload, "created_at")),
        fill_price=price,
        fill_base_amount=size,
        fill_quote_amount=size * price,
        fee=fee,
        is_taker=payload.get("liquidity") == "TAKER",
    )


# === Whose an order is ===


def hummingbot_instance_id() -> str | None:
    """Hummingbot's `instance_id`: it names a bot and stays the same however often its home is started.

    :return: None where Hummingbot has no configuration file
    """
    from hummingbot.client.settings import CLIENT_CONFIG_PATH  # which imports this module

    try:
        text = CLIENT_CONFIG_PATH.read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(r"^instance_id:[ \t]*[\'\"]?([^\s\'\"#]+)", text, re.MULTILINE)
    return found[1] if found else None


def client_id_prefix(instance_id: str) -> str:
    """What the client ids of a bot's orders begin with: it can tell them from those of other bots after a restart."""
    return CONSTANTS.CLIENT_ID_PREFIX + hashlib.md5(instance_id.encode(), usedforsecurity=False).hexdigest()[:8]


def order_from_payload(payload: Mapping[str, Any], trading_pair: str, leverage: int) -> InFlightOrder:
    """An order of `GET /orders` as one to be tracked, of which nothing has been announced yet.

    :raises KeyError, ValueError: if it is none that Hummingbot could have made
    """
    is_market = payload["type"].endswith(CONSTANTS.TYPE_MARKET)
    is_maker = payload.get("instruction") in CONSTANTS.MAKER_INSTRUCTIONS
    terms = order_terms(payload)
    return PerpetualDerivativeInFlightOrder(
        client_order_id=str(payload["client_id"]),
        exchange_order_id=str(payload["id"]),
        trading_pair=trading_pair,
        order_type=OrderType.MARKET if is_market else OrderType.LIMIT_MAKER if is_maker else OrderType.LIMIT,
        trade_type={name: side for side, name in CONSTANTS.SIDES.items()}[payload["side"]],
        amount=terms.size,
        price=terms.trigger_price if is_market else terms.price,
        creation_timestamp=seconds(payload["created_at"]),
        leverage=leverage,
        position=PositionAction.CLOSE if terms.reduces_only else PositionAction.OPEN,
    )


def fills_text(client_id: str, fills: list[Mapping[str, Any]]) -> str:
    """What the fills of an order come to, for the log: `HBOT…: 0.2 BTC-USD-PERP at 60000, fee 3.6`.

    Their side is not said: that of a fill is the taker's.

    :return: the price is their average; if they cannot be read, only the client id
    """
    try:
        terms = [(size_from(fill, "size"), decimal_from(fill, "price"), text_from(fill, "market")) for fill in fills]
        fee = sum((decimal_or_none(fill, "fee") or Decimal(0) for fill in fills), Decimal(0))
        total = sum((size for size, _, _ in terms), Decimal(0))
        price = (sum((size * price for size, price, _ in terms), Decimal(0)) / total).quantize(CONSTANTS.QUANTUM)
    except PAYLOAD_ERRORS:
        return client_id
    return f"{client_id}: {plain(total)} {terms[0][2]} at {plain(price)}, fee {fee:f}"


def is_protective(payload: Mapping[str, Any]) -> bool:
    """Whether an order of `GET /orders` is a stop or a take-profit that only reduces a position."""
    waits = str(payload.get("type")).startswith(tuple(CONSTANTS.TRIGGER_TYPES.values()))
    return waits and CONSTANTS.FLAG_REDUCE_ONLY in (payload.get("flags") or ())


class UnknownOrders:
    """The open orders of the account that this bot does not track.

    Its own ones, by their client id, are those that an earlier run sent and was killed before it recorded them. An
    answer may be older than what the stream has told since, so one look is no proof: they count when a second one,
    later, finds them still.

    :param prefix: of the client ids of this bot
    :ivar others: how many are not of this bot, by market
    """

    def __init__(self, prefix: str):
        self._prefix = prefix
        self._seen_at: dict[str, float] = {}
        self._looks = 0
        self.others: dict[str, int] = {}

    def is_own(self, client_id: str) -> bool:
        return client_id.startswith(self._prefix)

    def take_list(
        self, orders: Iterable[Mapping[str, Any]], is_known: Callable[[str], bool], asked_at: float
    ) -> list[Mapping[str, Any]]:
        """Takes the list of all open orders.

        :param asked_at: when it was asked for, by a clock that is never set
        :return: this bot's own that are proven to be unknown
        """
        # Those of others may have no client id: no two are one.
        unknown = [(client_id, order) for order in orders if not is_known(client_id := str(order.get("client_id")))]
        own = {client_id: order for client_id, order in unknown if self.is_own(client_id)}
        self.others = Counter(str(order.get("market")) for client_id, order in unknown if client_id not in own)
        self._seen_at = {client_id: self._seen_at.get(client_id, asked_at) for client_id in own}
        self._looks = self._looks + 1 if own else 0
        proven = CONSTANTS.UNKNOWN_ORDERS_PATIENCE
        return [order for client_id, order in own.items() if asked_at - self._seen_at[client_id] >= proven]

    @property
    def wants_another_look(self) -> bool:
        """Whether there are own ones that a look before the next poll could prove, or find gone."""
        return 0 < self._looks <= CONSTANTS.UNKNOWN_ORDERS_LOOKS

    def others_text(self) -> str:
        count = sum(self.others.values())
        orders = "1 open order" if count == 1 else f"{count} open orders"
        return f"{orders} of this account ({', '.join(sorted(self.others))}), not made by this bot and left alone"


# === What an order may say, and what is checked before it is sent ===

# V1 strategies add this one to every order, NaN mostly; Paradex's orders do not expire.
_IGNORED_KEYWORDS = frozenset({"expiration_ts", "expiration_seconds"})


@dataclass(frozen=True)
class OrderOptions:
    """What an order may say beyond Hummingbot's own arguments: keywords of `buy` and `sell`.

    :ivar trigger_price: quote; the order waits until the mark price has come to it
    :ivar trigger_type: `stop`, `take_profit` or `stop_loss`; the latter two only reduce a position
    :ivar reduce_only: whether it may only reduce a position; orders with PositionAction.CLOSE always are
    :ivar ioc: whether what a LIMIT order does not get at once is cancelled
    :ivar rpi: whether a LIMIT_MAKER order is Retail Price Improvement: only Retail takers meet it
    :ivar mmp: whether a LIMIT or LIMIT_MAKER order is under market-maker protection
    :ivar self_trade_mode: EXPIRE_TAKER, EXPIRE_MAKER or EXPIRE_BOTH
    :ivar recv_window: milliseconds from its signature within which it must reach the exchange
    :ivar max_slippage: how far a MARKET order may trade from the best price, as a fraction; 0 leaves it to the exchange
    """

    trigger_price: Decimal | None = None
    trigger_type: str = CONSTANTS.TRIGGER_STOP
    reduce_only: bool = False
    ioc: bool = False
    rpi: bool = False
    mmp: bool = False
    self_trade_mode: str = CONSTANTS.SELF_TRADE_MODES[0]
    recv_window: int = CONSTANTS.RECV_WINDOW_MS
    max_slippage: Decimal = Decimal(0)


_OPTIONS = dict.fromkeys(field.name for field in fields(OrderOptions))


def order_options(keywords: Mapping[str, Any], order_type: OrderType, settings: Settings) -> OrderOptions:
    """The options of one order: its keywords, and the settings for those that are not given and fit its type.

    :raises ValueError: if there is a keyword or a value that does not exist, with those that do
    """
    given = {name: value for name, value in keywords.items() if name not in _IGNORED_KEYWORDS and value is not None}
    if unknown := sorted(given.keys() - _OPTIONS):
        raise ValueError(f"A Paradex order has no option {', '.join(unknown)}; there are {', '.join(_OPTIONS)}.")
    if "trigger_type" in given and "trigger_price" not in given:
        raise ValueError(f"A {given['trigger_type']} order needs a trigger_price.")
    plain_order = "trigger_price" not in given
    defaults = {
        "rpi": settings.rpi and plain_order and order_type is OrderType.LIMIT_MAKER,
        "mmp": settings.mmp and plain_order and order_type is not OrderType.MARKET,
        "self_trade_mode": settings.self_trade_mode,
        "recv_window": settings.recv_window,
        "max_slippage": settings.max_slippage if plain_order and order_type is OrderType.MARKET else Decimal(0),
    }
    if not given:
        return OrderOptions(**defaults)  # type: ignore[arg-type]  # the settings have been checked
    options = {**defaults, **given}
    for name in ("reduce_only", "ioc", "rpi", "mmp"):
        if not isinstance(options.get(name, False), bool):
            raise ValueError(f"The order option {name} is True or False, not {options[name]!r}.")
    for name in ("trigger_price", "max_slippage"):
        if name in options:
            options[name] = _number_option(name, options[name])
    if options.get("trigger_type", CONSTANTS.TRIGGER_STOP) not in CONSTANTS.TRIGGER_TYPES:
        names = ", ".join(CONSTANTS.TRIGGER_TYPES)
        raise ValueError(f"The order option trigger_type is one of {names}, not {options['trigger_type']!r}.")
    # The same values are allowed as in the settings, and refused with the same sentences.
    checkable = ("self_trade_mode", "recv_window", "max_slippage")
    as_settings: dict[str, Any] = {name: options[name] for name in checkable if name in given}
    if as_settings:
        checked = settings_from(None, CONSTANTS.DEFAULT_DOMAIN, as_settings)
        options |= {name: getattr(checked, name) for name in as_settings}
    return OrderOptions(**options)


def _number_option(name: str, value: Any) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ValueError(f"The order option {name} is a number, not {value!r}.")
    return number


@dataclass(frozen=True)
class MarketView:
    """What is known about a market and the position in it when an order is checked.

    :ivar position: signed, in base
    :ivar price_band: how far from the mark price an order may be, as a fraction
    """

    rule: TradingRule
    mark_price: Decimal | None = None
    best_bid: Decimal | None = None
    best_ask: Decimal | None = None
    position: Decimal = Decimal(0)
    price_band: Decimal | None = None
    order_class: str = CONSTANTS.ORDER_CLASS_PRO

    def closes_position(self, trade_type: TradeType, amount: Decimal) -> bool:
        """Whether an order of this size closes the position exactly."""
        return self.position == (-amount if trade_type is TradeType.BUY else amount)


@dataclass(frozen=True)
class NewOrder:
    """An order that is to be placed; amount in base, price in quote."""

    client_id: str
    trade_type: TradeType
    order_type: OrderType
    amount: Decimal
    price: Decimal | None
    position_action: PositionAction
    options: OrderOptions

    @property
    def type(self) -> str:
        """The exchange's name of its type."""
        name = CONSTANTS.ORDER_TYPES[self.order_type]
        if self.options.trigger_price is not None:
            return f"{CONSTANTS.TRIGGER_TYPES[self.options.trigger_type]}_{name}"
        return CONSTANTS.TYPE_LIMIT if self.is_bounded_market else name

    @property
    def is_bounded_market(self) -> bool:
        """Whether it is a MARKET order with a bound of its own: a LIMIT order at that price, IOC."""
        return self.order_type is OrderType.MARKET and self.options.max_slippage > 0

    @property
    def reduces_only(self) -> bool:
        return self.position_action is PositionAction.CLOSE or self.options.reduce_only

    @property
    def instruction(self) -> str:
        if self.options.ioc or self.is_bounded_market:
            return CONSTANTS.INSTRUCTION_IOC
        return CONSTANTS.INSTRUCTION_RPI if self.options.rpi else CONSTANTS.INSTRUCTIONS[self.order_type]


def check_order(order: NewOrder, view: MarketView) -> None:
    """Refuses what the exchange would refuse, or would take for something else than what is meant.

    :raises ValueError: one sentence with the value that is wrong
    """
    options, rule = order.options, view.rule
    _check_kind(order, view.order_class)
    reference = order.price if order.order_type is not OrderType.MARKET else options.trigger_price
    _check_size(order.trade_type, order.amount, order.reduces_only, reference, view)
    if order.order_type is not OrderType.MARKET:
        _check_price("price", order.price, rule)
    if options.trigger_price is not None:
        _check_price("trigger price", options.trigger_price, rule)
        _check_trigger_side(order.trade_type, options.trigger_type, options.trigger_price, view.mark_price)
    if options.rpi and order.price is not None:
        _check_rpi_price(order.trade_type, order.price, view)


def _check_kind(order: NewOrder, order_class: str) -> None:
    """Combinations that do not exist."""
    options, order_type = order.options, order.order_type
    is_trigger = options.trigger_price is not None
    if order_type not in CONSTANTS.ORDER_TYPES:
        raise ValueError(f"{order_type} is not in the list of supported order types")
    if options.ioc and (is_trigger or order_type is not OrderType.LIMIT):
        raise ValueError(f"Only LIMIT orders without a trigger can be IOC, not {_kind(order)}.")
    if options.rpi and (is_trigger or order_type is not OrderType.LIMIT_MAKER):
        raise ValueError(f"An RPI order only makes: it is a LIMIT_MAKER order without a trigger, not {_kind(order)}.")
    if options.rpi and order_class == CONSTANTS.ORDER_CLASS_RETAIL:
        raise ValueError("RPI orders are for order class pro: Retail orders are those that meet them.")
    if options.mmp and (is_trigger or order_type is OrderType.MARKET):
        raise ValueError(f"Only LIMIT and LIMIT_MAKER orders can be under MMP, not {_kind(order)}.")
    if options.max_slippage and (is_trigger or order_type is not OrderType.MARKET):
        raise ValueError(f"max_slippage is for MARKET orders without a trigger, not for {_kind(order)}.")
    if is_trigger and options.trigger_type != CONSTANTS.TRIGGER_STOP:
        if order_type is OrderType.LIMIT_MAKER:
            raise ValueError(f"A {options.trigger_type} is a MARKET or LIMIT order, not LIMIT_MAKER.")
        if not order.reduces_only:
            raise ValueError(f"A {options.trigger_type} only closes: give it position_action=PositionAction.CLOSE.")


def _kind(order: NewOrder) -> str:
    trigger = f"{order.options.trigger_type} " if order.options.trigger_price is not None else ""
    return f"{trigger}{order.order_type.name}"


def too_small_text(amount: Decimal, rule: TradingRule) -> str:
    """The sentence for an amount below the smallest, as Hummingbot's users know it."""
    return (
        f"Order amount {amount} is lower than minimum order size {rule.min_order_size} for the pair "
        f"{rule.trading_pair}. The order will not be created."
    )


def _check_size(
    trade_type: TradeType, amount: Decimal, reduces_only: bool, reference: Decimal | None, view: MarketView
) -> None:
    rule = view.rule
    if amount < rule.min_order_size:
        raise ValueError(too_small_text(amount, rule))
    if amount > rule.max_order_size:
        raise ValueError(f"Order amount {amount} is above the maximum order size {rule.max_order_size}.")
    if amount % rule.min_base_amount_increment:
        raise ValueError(f"Order amount {amount} is no multiple of the step {rule.min_base_amount_increment}.")
    if reduces_only and view.closes_position(trade_type, amount):
        return  # the exchange lets a position be closed, however small it is
    # The exchange's minimum is by the mark; the better of the two decides here, for the mark moves.
    prices = [price for price in (reference, view.mark_price) if price is not None and price.is_finite()]
    prices = prices or [price for price in (view.best_bid, view.best_ask) if price is not None]
    if prices and amount * max(prices) < rule.min_notional_size:
        raise ValueError(
            f"Order notional {amount * max(prices)} is lower than minimum notional size {rule.min_notional_size} for "
            f"the pair {rule.trading_pair}. The order will not be created. Only one that closes a position exactly may "
            f"be smaller; the position is {view.position}."
        )


def _check_price(name: str, price: Decimal | None, rule: TradingRule) -> None:
    if price is None or not price.is_finite() or price <= 0:
        raise ValueError(f"The {name} should be a positive number, not {price}.")
    if price % rule.min_price_increment:
        raise ValueError(f"The {name} {price} is no multiple of the tick {rule.min_price_increment}.")


def _waits_above(trade_type: TradeType, trigger_type: str) -> bool:
    """Whether a trigger order waits for the mark price to rise: a stop follows the market, a take-profit leaves it."""
    return (trade_type is TradeType.BUY) != (trigger_type == CONSTANTS.TRIGGER_TAKE_PROFIT)


def _check_trigger_side(trade_type: TradeType, trigger_type: str, trigger: Decimal, mark: Decimal | None) -> None:
    """On the wrong side of the mark price, an order would be triggered at once."""
    if mark is None or not mark.is_finite():
        return
    above = _waits_above(trade_type, trigger_type)
    if (trigger <= mark) if above else (trigger >= mark):
        raise ValueError(
            f"The trigger price {trigger} is on the wrong side: a {trigger_type} that {trade_type.name}S waits for the "
            f"mark price to {'rise' if above else 'fall'}, and it is {mark} now."
        )


def _check_rpi_price(trade_type: TradeType, price: Decimal, view: MarketView) -> None:
    opposite = view.best_ask if trade_type is TradeType.BUY else view.best_bid
    if opposite is None:
        return
    sign = 1 if trade_type is TradeType.BUY else -1
    if sign * (price - opposite * (1 + sign * CONSTANTS.RPI_CROSS_LIMIT)) > 0:
        raise ValueError(
            f"An RPI order only makes: the price {price} is more than {CONSTANTS.RPI_CROSS_LIMIT * 10000:f} bps beyond "
            f"the other side's best price {opposite}."
        )


def slippage_bound(trade_type: TradeType, max_slippage: Decimal, view: MarketView) -> Decimal:
    """The worst price, in quote and on the tick, of a MARKET order with a bound of its own.

    :raises ValueError: if the book has no price that it could be measured from
    """
    best = view.best_ask if trade_type is TradeType.BUY else view.best_bid
    if best is None:
        raise ValueError("The slippage cannot be bounded: the order book has no price on the other side.")
    sign = 1 if trade_type is TradeType.BUY else -1
    bound = best * (1 + sign * max_slippage)
    if view.price_band and view.mark_price is not None and view.mark_price.is_finite():
        # Beyond the band the exchange refuses the order; a little less, for the mark moves until it arrives.
        limit = view.mark_price * (1 + sign * view.price_band * CONSTANTS.PRICE_BAND_SHARE)
        bound = min(bound, limit) if trade_type is TradeType.BUY else max(bound, limit)
    tick = view.rule.min_price_increment
    rounding = ROUND_FLOOR if trade_type is TradeType.BUY else ROUND_CEILING
    return max((bound / tick).to_integral_value(rounding) * tick, tick)


def order_request(order: NewOrder, market: str, view: MarketView) -> dict[str, Any]:
    """The body of `POST /orders`, without its signature.

    :param market: the exchange's name of the market
    :raises ValueError: if a number has more decimals than the exchange signs, or a bound cannot be found
    """
    options = order.options
    request: dict[str, Any] = {
        "market": market,
        "side": CONSTANTS.SIDES[order.trade_type],
        "type": order.type,
        "size": plain(order.amount),
        "instruction": order.instruction,
        "client_id": order.client_id,
        "recv_window": options.recv_window,
    }
    if order.is_bounded_market:
        request["price"] = plain(slippage_bound(order.trade_type, options.max_slippage, view))
    elif order.order_type is not OrderType.MARKET:
        assert order.price is not None
        request["price"] = plain(order.price)
    if options.trigger_price is not None:
        request["trigger_price"] = plain(options.trigger_price)
    if options.self_trade_mode != CONSTANTS.SELF_TRADE_MODES[0]:  # which is the exchange's default
        request["stp"] = options.self_trade_mode
    flags = {CONSTANTS.FLAG_REDUCE_ONLY: order.reduces_only, CONSTANTS.FLAG_MMP: options.mmp}
    if any(flags.values()):
        request["flags"] = [flag for flag, is_set in flags.items() if is_set]
    return request


# === Market-maker protection ===


@dataclass(frozen=True)
class MmpConfiguration:
    """Market-maker protection of an account in a base asset, from `GET /account/mmp`.

    A limit of 0 is off. The state is None where the exchange leaves it out, as it does right after a change.
    """

    base_asset: str
    interval_ms: int  # the window in which fills of protected orders are counted
    frozen_time_ms: int  # how long a freeze lasts; 0 is until it is reset
    size_limit: Decimal  # base, of all fills together
    delta_limit: Decimal  # base, of buys minus sells
    vega_limit: Decimal  # USD; only dated options have a vega
    protect_block_trades: bool
    is_frozen: bool | None
    frozen_until: float | None  # seconds since the epoch; 0 while frozen until it is reset, and while not frozen
    window_size: Decimal | None  # base, what the window holds now
    window_delta: Decimal | None  # base


def mmp_configuration_from_payload(payload: Mapping[str, Any]) -> MmpConfiguration:
    """One of the results of `GET /account/mmp`."""
    is_frozen, frozen_until = payload.get("is_frozen"), milliseconds_or_none(payload, "frozen_until")
    return MmpConfiguration(
        base_asset=text_from(payload, "base_asset"),
        interval_ms=milliseconds_from(payload, "interval_ms"),
        frozen_time_ms=milliseconds_from(payload, "frozen_time_ms"),
        size_limit=decimal_or_none(payload, "size_limit") or Decimal(0),
        delta_limit=decimal_or_none(payload, "delta_limit") or Decimal(0),
        vega_limit=decimal_or_none(payload, "vega_limit") or Decimal(0),
        protect_block_trades=bool(payload.get("protect_block_trades")),
        is_frozen=None if is_frozen is None else bool(is_frozen),
        frozen_until=None if frozen_until is None else seconds(frozen_until),
        window_size=decimal_or_none(payload, "window_size"),
        window_delta=decimal_or_none(payload, "window_delta"),
    )


def mmp_request(
    interval_ms: int, frozen_time_ms: int, limits: Mapping[str, Decimal], protect_block_trades: bool | None
) -> dict[str, Any]:
    """The body of `POST /account/mmp/{base_asset}`.

    :param limits: by name, such as `size_limit`
    :param protect_block_trades: None leaves it as it is
    :raises ValueError: in one sentence, if the exchange would refuse it
    """
    for name, value, minimum, maximum in (
        ("interval_ms", interval_ms, CONSTANTS.MMP_MIN_INTERVAL_MS, CONSTANTS.MMP_MAX_INTERVAL_MS),
        ("frozen_time_ms", frozen_time_ms, 0, CONSTANTS.MMP_MAX_FROZEN_TIME_MS),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            raise ValueError(f"{name} is a whole number from {minimum} to {maximum} milliseconds, not {value!r}.")
    for name, limit in limits.items():
        if not limit.is_finite() or limit < 0 or limit % CONSTANTS.MMP_LIMIT_INCREMENT:
            raise ValueError(f"{name} is 0 or a positive multiple of {CONSTANTS.MMP_LIMIT_INCREMENT}, not {limit}.")
    if not any(limits.values()):
        raise ValueError("One limit at least has to be above 0: remove_mmp() turns the protection off.")
    request: dict[str, Any] = {"interval_ms": interval_ms, "frozen_time_ms": frozen_time_ms}
    request |= {name: plain(limit) for name, limit in limits.items()}
    return request if protect_block_trades is None else {**request, "protect_block_trades": protect_block_trades}


class MmpFreezes:
    """What market-maker protection has frozen, from all that tells of it; each freeze and its end are logged once.

    Times are in seconds since the epoch, by the exchange's clock.
    """

    def __init__(self, logger: logging.Logger):
        self._logger = logger
        self._until: dict[str, float] = {}  # by trading pair
        self._heard_at: dict[str, float] = {}

    def __bool__(self) -> bool:
        """Whether there is a freeze whose end has not been told, even if its time is over."""
        return bool(self._until)

    def at(self, now: float) -> dict[str, float]:
        """:return: until when, by trading pair; 0 is until a reset"""
        return {pair: until for pair, until in self._until.items() if until == 0 or until > now}

    def take_configurations(self, configurations: list[MmpConfiguration], asked_at: float, now: float) -> None:
        """Takes all of `GET /account/mmp`; what has been heard since the question is newer."""
        told = {trading_pair_of_base(entry.base_asset): entry for entry in configurations}
        for trading_pair in list(self._until):
            is_over = trading_pair not in told or told[trading_pair].is_frozen is False
            if is_over and self._heard_at[trading_pair] < asked_at:
                self.lift(trading_pair)
        for trading_pair, entry in told.items():
            if entry.is_frozen:
                self._freeze(trading_pair, entry.frozen_until or 0, now)

    def take_event(self, event: Mapping[str, Any], now: float) -> None:
        """Takes a message of the `mmp` channel; its `frozen_until` means something only when a limit was exceeded."""
        trading_pair, kind = trading_pair_of_base(text_from(event, "base_asset")), event.get("kind")
        if kind == "TRIGGERED":
            self._freeze(
                trading_pair, seconds(milliseconds_or_none(event, "frozen_until") or 0), now, event.get("trip_reason")
            )
        elif kind in ("UNFROZEN", "RESET") or event.get("removed"):
            self.lift(trading_pair)

    def lift(self, trading_pair: str) -> None:
        if self._until.pop(trading_pair, None) is not None:
            self._logger.info(f"Market-maker protection lets orders of {trading_pair} pass again.")

    def _freeze(self, trading_pair: str, until: float, now: float, limit: str | None = None) -> None:
        if trading_pair not in self.at(now):
            end = f"for {until - now:.1f} s" if until else "until reset_mmp() is called"
            self._logger.warning(
                f"Market-maker protection has been triggered{f' by the {limit} limit' if limit else ''}: Paradex has "
                f"cancelled the protected orders of {trading_pair} and refuses new ones {end}."
            )
        self._until[trading_pair] = until
        self._heard_at[trading_pair] = now


# === The exchange's own state ===


def system_state_refusal(state: str, instruction: str) -> str | None:
    """Why an order would be refused in a state of `GET /system/state`.

    :param instruction: of the order
    :return: a sentence, None if the order would pass; states that are not known let everything pass
    """
    if state in (CONSTANTS.SYSTEM_CANCEL_ONLY, CONSTANTS.SYSTEM_MAINTENANCE) or (
        state == CONSTANTS.SYSTEM_POST_ONLY and instruction not in CONSTANTS.MAKER_INSTRUCTIONS
    ):
        return f"Paradex is in the state {state}, {system_state_consequence(state)}"
    return None


def system_state_consequence(state: str) -> str:
    """:return: what a state of `GET /system/state` means for orders"""
    return {
        CONSTANTS.SYSTEM_OK: "orders pass",
        CONSTANTS.SYSTEM_MAINTENANCE: "nothing passes",
        CONSTANTS.SYSTEM_CANCEL_ONLY: "only cancels pass",
        CONSTANTS.SYSTEM_POST_ONLY: "only cancels and LIMIT_MAKER orders pass",
    }.get(state, "which this connector does not know, so orders are sent as ever")


def check_position_orders(prices: Mapping[str, tuple[Decimal | None, Decimal | None]], view: MarketView) -> None:
    """Checks what a position's take-profit and stop-loss are to have.

    :param prices: by trigger type, trigger price and limit price; None for none
    :raises ValueError: if there is no position, or a price is off the tick or on the wrong side of the mark price
    """
    closing_side = TradeType.SELL if view.position > 0 else TradeType.BUY
    for trigger_type, (trigger_price, limit_price) in prices.items():
        if trigger_price is None and limit_price is not None:
            raise ValueError(f"A {trigger_type} needs a trigger price beside its limit price {limit_price}.")
        if trigger_price is None:
            continue
        if not view.position:
            raise ValueError("There is no position that a take-profit or stop-loss could close.")
        _check_price("trigger price", trigger_price, view.rule)
        if limit_price is not None:
            _check_price("limit price", limit_price, view.rule)
        _check_trigger_side(closing_side, trigger_type, trigger_price, view.mark_price)
        _check_size(closing_side, abs(view.position), True, None, view)


# === What an order is for, and changing that ===


@dataclass(frozen=True)
class OrderTerms:
    """What an order is for at the moment, as the exchange reports it; sizes in base, prices in quote, 0 for none.

    :ivar updated_at: milliseconds since the epoch, by the exchange's clock
    :ivar request_id, request_status, request_message: of the last request to modify it, empty if there was none
    """

    type: str
    status: str
    size: Decimal
    remaining: Decimal
    price: Decimal
    trigger_price: Decimal
    reduces_only: bool
    updated_at: int
    request_id: str
    request_status: str
    request_message: str

    @property
    def is_closed(self) -> bool:
        return self.status == CONSTANTS.STATUS_CLOSED

    @property
    def is_waiting(self) -> bool:
        """Whether it still waits for its trigger."""
        return self.status == CONSTANTS.STATUS_UNTRIGGERED

    @property
    def has_price(self) -> bool:
        return self.type.endswith(CONSTANTS.TYPE_LIMIT)

    @property
    def trigger_type(self) -> str | None:
        """None if it is no trigger order."""
        kind = self.type.rpartition("_")[0]
        return next((name for name, prefix in CONSTANTS.TRIGGER_TYPES.items() if prefix == kind), None)

    def asks_the_same(self, other: "OrderTerms") -> bool:
        """Whether size and prices are those of other terms."""
        return (self.size, self.price, self.trigger_price) == (other.size, other.price, other.trigger_price)

    def shrinks(self, other: "OrderTerms") -> bool:
        """Whether these terms are other ones with nothing but a smaller size."""
        return self.size < other.size and (self.price, self.trigger_price) == (other.price, other.trigger_price)

    def is_outdated_by(self, other: "OrderTerms") -> bool:
        """Whether other terms of the same order are newer; what is final is not outdated by what came before it."""
        if self.is_closed or other.updated_at < self.updated_at:
            return False
        same_request = self.request_id == other.request_id
        is_decided = self.request_status not in ("", CONSTANTS.MODIFY_PENDING)
        return not (same_request and is_decided and other.request_status == CONSTANTS.MODIFY_PENDING)


def order_terms(payload: Mapping[str, Any]) -> OrderTerms:
    """The terms in an order of REST or of the `orders` channel.

    :raises ValueError: if a number is missing or none
    """
    request = mapping_from(payload, "request_info")
    return OrderTerms(
        type=str(payload.get("type") or ""),
        status=str(payload.get("status")),
        size=size_from(payload, "size"),
        remaining=size_from(payload, "remaining_size"),
        price=decimal_or_none(payload, "price") or Decimal(0),
        trigger_price=decimal_or_none(payload, "trigger_price") or Decimal(0),
        reduces_only=CONSTANTS.FLAG_REDUCE_ONLY in list_from(payload, "flags"),
        updated_at=milliseconds_or_none(payload, "last_updated_at") or milliseconds_or_none(payload, "created_at") or 0,
        request_id=str(request.get("id") or ""),
        request_status=str(request.get("status") or ""),
        request_message=str(request.get("message") or ""),
    )


def adopt_terms(order: InFlightOrder, terms: OrderTerms) -> None:
    """Gives a tracked order the size and price that it has on the exchange: it may have been modified.

    A MARKET order that waits for a trigger has that as its price: it is the one at which it will trade, more or less.
    """
    if terms.size > 0 and terms.size != order.amount:
        order.amount = terms.size
        if order.executed_amount_base < terms.size:
            order.completely_filled_event.clear()
        order.check_filled_condition()
    if order.order_type is OrderType.MARKET:
        if terms.trigger_price:
            order.price = terms.trigger_price
    elif terms.price:
        order.price = terms.price


def modified_terms(
    order: InFlightOrder,
    terms: OrderTerms,
    view: MarketView,
    price: Decimal | None,
    amount: Decimal | None,
    trigger_price: Decimal | None,
) -> OrderTerms:
    """What an order is to be for after a modification.

    :param amount: the whole order, with what has been filled already, in base
    :return: `terms` with what is given in place of what they have
    :raises ValueError: if that is not possible; one sentence says why
    """
    if not terms.has_price and terms.trigger_type is None:
        raise ValueError(f"A {terms.type} order cannot be modified.")
    if price is not None:
        if not terms.has_price:
            raise ValueError(f"A {terms.type} order has no price that could be {price}.")
        _check_price("price", price, view.rule)
    if trigger_price is not None and trigger_price != terms.trigger_price:
        if terms.trigger_type is None:
            raise ValueError(f"A {terms.type} order has no trigger price that could be {trigger_price}.")
        if not terms.is_waiting:
            raise ValueError(f"The order has been triggered: its trigger price cannot be {trigger_price} any more.")
        _check_price("trigger price", trigger_price, view.rule)
        _check_trigger_side(order.trade_type, terms.trigger_type, trigger_price, view.mark_price)
    wanted = replace(
        terms,
        price=terms.price if price is None else price,
        size=terms.size if amount is None else amount,
        trigger_price=terms.trigger_price if trigger_price is None else trigger_price,
    )
    if amount is not None and amount != terms.size:
        filled = max(order.executed_amount_base, terms.size - terms.remaining)
        if amount <= filled:
            raise ValueError(f"The amount {amount} is not above the {filled} that have been filled already.")
        reference = wanted.price or wanted.trigger_price
        reduces_only = terms.reduces_only or order.position is PositionAction.CLOSE
        if not (reduces_only and view.closes_position(order.trade_type, amount - filled)):
            _check_size(order.trade_type, amount, reduces_only, reference, view)
        elif amount > view.rule.max_order_size:
            raise ValueError(f"Order amount {amount} is above the maximum order size {view.rule.max_order_size}.")
    return wanted


def modify_request(order: InFlightOrder, terms: OrderTerms, market: str) -> dict[str, Any]:
    """The body of `PUT /orders/{id}`, without its signature: everything is sent again, changed or not.

    :raises ValueError: if a number has more decimals than the exchange signs
    """
    request = {
        "id": order.exchange_order_id,
        "market": market,
        "side": CONSTANTS.SIDES[order.trade_type],
        "type": terms.type,
        "size": plain(terms.size),
    }
    if terms.has_price:
        request["price"] = plain(terms.price)
    if terms.is_waiting:  # later it cannot be modified any more
        request["trigger_price"] = plain(terms.trigger_price)
    return request


def modification_id(answer: Any) -> str | None:
    """The id of the request to modify in its answer; None if it is not told."""
    request = answer.get("request_info") if isinstance(answer, dict) else None
    return (str(request.get("id") or "") or None) if isinstance(request, dict) else None


def is_modification_decided(terms: OrderTerms, before: OrderTerms, wanted: OrderTerms, request_id: str | None) -> bool:
    """Whether the outcome of a modification can be read from an order.

    :param before: the terms before it was asked for
    :param request_id: the request's, None if it was not answered
    """
    if terms.is_closed:
        return True
    if is_modification_answer(terms, before, request_id):
        if terms.request_status in (CONSTANTS.MODIFY_SUCCEEDED, CONSTANTS.MODIFY_REJECTED):
            return True
        if terms.request_status == CONSTANTS.MODIFY_PENDING:
            return False
    return terms.asks_the_same(wanted)


def is_modification_answer(terms: OrderTerms, before: OrderTerms, request_id: str | None) -> bool:
    """Whether the `request_info` is that of the last modification and not of one before it."""
    return terms.request_id == request_id if request_id else terms.request_id != before.request_id


# === Positions and balances ===


def position_from_payload(payload: Mapping[str, Any], trading_pair: str, leverage: int) -> Position | None:
    """A position of REST or of the `positions` channel; its size is signed there, as Hummingbot's amount is.

    :param leverage: the leverage that is set for the market; the payload's own is what the position really uses
    :return: None if the position is closed
    :raises ValueError: if a number is missing or none, or a binary message has no name for the side, which is the sign
    """
    if payload.get("status") == "CLOSED":
        return None
    if payload.get("side", "") is None:
        raise _wrong("side", "LONG or SHORT", None)
    size = decimal_from(payload, "size")
    if size == 0:
        return None
    return Position(
        trading_pair=trading_pair,
        position_side=PositionSide.LONG if size > 0 else PositionSide.SHORT,
        unrealized_pnl=decimal_or_none(payload, "unrealized_pnl") or Decimal(0),
        entry_price=positive_from(payload, "average_entry_price"),
        amount=size,
        leverage=Decimal(leverage),
    )


def readable_balance(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """An entry of `GET /balance`, as it is.

    :raises ValueError: if its token or its size is missing or none
    """
    text_from(payload, "token"), decimal_from(payload, "size")
    return payload


def balances_from_payloads(
    balances: list[Mapping[str, Any]], account: Mapping[str, Any]
) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """`GET /balance` and `GET /account` together.

    :return: total and available by token. Of USDC, the free collateral is available; other tokens are as they are
    """
    total = {text_from(balance, "token"): decimal_from(balance, "size") for balance in balances}
    available = dict(total)
    if CONSTANTS.COLLATERAL_TOKEN in total:
        available[CONSTANTS.COLLATERAL_TOKEN] = decimal_from(account, "free_collateral")
    return total, available


def unrealized_pnl(position: Position, mark_price: Decimal) -> Decimal:
    """What a position has won or lost at a mark price, in USDC, without the funding that it has accrued."""
    return position.amount * (mark_price - position.entry_price)


# === Account ===


@dataclass(frozen=True)
class AccountHealth:
    """How an account stands, in USDC (`GET /account`, channel `account`).

    :ivar account_value: collateral and unrealized profit
    :ivar free_collateral: value above the initial margin: what new orders and positions can use
    :ivar total_collateral: what has been posted
    :ivar initial_margin_requirement: of all positions and orders
    :ivar maintenance_margin_requirement: at an account value below it positions are liquidated
    :ivar margin_cushion: value above the maintenance margin
    :ivar status: ACTIVE, LIQUIDATION and others
    :ivar updated_at: seconds since the epoch, by the exchange's clock
    :ivar notional: of all positions together, at mark prices
    """

    account_value: Decimal
    free_collateral: Decimal
    total_collateral: Decimal
    initial_margin_requirement: Decimal
    maintenance_margin_requirement: Decimal
    margin_cushion: Decimal
    status: str
    updated_at: float
    notional: Decimal = Decimal(0)

    @property
    def leverage(self) -> Decimal | None:
        """Notional over account value; None if there is no value left."""
        return self.notional / self.account_value if self.account_value > 0 else None

    @property
    def margin_ratio(self) -> Decimal | None:
        """Maintenance margin over account value: 0 without positions, 1 at liquidation; None without value."""
        return self.maintenance_margin_requirement / self.account_value if self.account_value > 0 else None

    @property
    def distance_to_liquidation(self) -> Decimal | None:
        """The share of its value that the account can lose before it is liquidated, from 1 to 0; None without value."""
        return self.margin_cushion / self.account_value if self.account_value > 0 else None

    def lines(self) -> list[str]:
        """It in words, for the status of a strategy."""
        lines = [
            f"Account {self.status}: value {self.account_value:.2f}, free collateral {self.free_collateral:.2f} USDC",
            f"Margin: initial {self.initial_margin_requirement:.2f}, maintenance "
            f"{self.maintenance_margin_requirement:.2f} USDC",
        ]
        if self.leverage is not None and self.distance_to_liquidation is not None:
            lines.append(
                f"Leverage {self.leverage:.2f}, distance to liquidation {self.distance_to_liquidation:.1%} of the value"
            )
        return lines


def account_health_from_payload(payload: Mapping[str, Any]) -> AccountHealth:
    """`GET /account` or the data of the `account` channel.

    :raises ValueError: if a number is missing or none
    """
    value = decimal_from(payload, "account_value")
    maintenance = decimal_from(payload, "maintenance_margin_requirement")
    cushion = decimal_or_none(payload, "margin_cushion")
    return AccountHealth(
        account_value=value,
        free_collateral=decimal_from(payload, "free_collateral"),
        total_collateral=decimal_from(payload, "total_collateral"),
        initial_margin_requirement=decimal_from(payload, "initial_margin_requirement"),
        maintenance_margin_requirement=maintenance,
        margin_cushion=value - maintenance if cushion is None else cushion,
        status=str(payload.get("status") or ""),
        updated_at=seconds(milliseconds_or_none(payload, "updated_at") or 0),
    )


# === Records: what the history queries return ===


@dataclass(frozen=True)
class HistoryPoint:
    """One value of the account's history, in USDC, at a time in seconds."""

    timestamp: float
    value: Decimal


@dataclass(frozen=True)
class FillRecord:
    """A fill of the account. Price and fee in quote, size in base, `realized_pnl` in USDC, time in seconds.

    :ivar side: of the account's order as the exchange reports it; it is documented as the taker's
    :ivar fill_type: FILL, LIQUIDATION, RPI, …; an id is unique only within its type
    """

    fill_id: str
    fill_type: str
    order_id: str
    client_order_id: str
    trading_pair: str
    side: str
    is_maker: bool
    price: Decimal
    size: Decimal
    fee: Decimal
    fee_token: str
    realized_pnl: Decimal
    timestamp: float


@dataclass(frozen=True)
class OrderRecord:
    """An order of the account, as it is or as it ended. Prices in quote, sizes in base, times in seconds.

    :ivar price: None for orders at market
    :ivar average_fill_price: None without a fill
    """

    order_id: str
    client_order_id: str
    trading_pair: str
    side: str
    order_type: str
    instruction: str
    status: str
    cancel_reason: str
    price: Decimal | None
    trigger_price: Decimal | None
    size: Decimal
    remaining_size: Decimal
    average_fill_price: Decimal | None
    created_at: float
    updated_at: float


@dataclass(frozen=True)
class FundingPaymentRecord:
    """Funding that the account received (positive) or paid, in USDC; time in seconds."""

    payment_id: str
    trading_pair: str
    payment: Decimal
    funding_index: Decimal
    timestamp: float


@dataclass(frozen=True)
class FundingRateRecord:
    """A market's funding at a time in seconds; the rate is for the market's own period of so many hours."""

    trading_pair: str
    funding_rate: Decimal
    funding_rate_8h: Decimal | None
    funding_index: Decimal
    period_hours: Decimal | None
    timestamp: float


@dataclass(frozen=True)
class TradeRecord:
    """A trade of the market; the side is the taker's. Price in quote, size in base, time in seconds."""

    trade_id: str
    trading_pair: str
    side: str
    price: Decimal
    size: Decimal
    trade_type: str
    timestamp: float


def history_points(payload: Mapping[str, Any], start: float | None, end: float | None) -> list[HistoryPoint]:
    """The answer of `GET /account/history` between two times in seconds, which the exchange does not select itself."""
    points = [
        HistoryPoint(seconds(time), decimal_from({"data": value}, "data"))
        for time, value in zip(payload["timestamps"] or (), payload["data"] or (), strict=True)
    ]
    return sorted(
        (p for p in points if (start is None or p.timestamp >= start) and (end is None or p.timestamp <= end)),
        key=lambda point: point.timestamp,
    )


def fill_record(payload: Mapping[str, Any], trading_pair: str) -> FillRecord:
    return FillRecord(
        fill_id=text_from(payload, "id"),
        fill_type=str(payload.get("fill_type") or "FILL"),
        order_id=str(payload.get("order_id") or ""),
        client_order_id=str(payload.get("client_id") or ""),
        trading_pair=trading_pair,
        side=text_from(payload, "side"),
        is_maker=payload.get("liquidity") == "MAKER",
        price=decimal_from(payload, "price"),
        size=decimal_from(payload, "size"),
        fee=decimal_or_none(payload, "fee") or Decimal(0),
        fee_token=str(payload.get("fee_currency") or CONSTANTS.COLLATERAL_TOKEN),
        realized_pnl=decimal_or_none(payload, "realized_pnl") or Decimal(0),
        timestamp=seconds(milliseconds_from(payload, "created_at")),
    )


def order_record(payload: Mapping[str, Any], trading_pair: str) -> OrderRecord:
    return OrderRecord(
        order_id=text_from(payload, "id"),
        client_order_id=str(payload.get("client_id") or ""),
        trading_pair=trading_pair,
        side=text_from(payload, "side"),
        order_type=text_from(payload, "type"),
        instruction=str(payload.get("instruction") or ""),
        status=text_from(payload, "status"),
        cancel_reason=str(payload.get("cancel_reason") or ""),
        price=decimal_or_none(payload, "price") or None,
        trigger_price=decimal_or_none(payload, "trigger_price") or None,
        size=decimal_from(payload, "size"),
        remaining_size=decimal_from(payload, "remaining_size"),
        average_fill_price=decimal_or_none(payload, "avg_fill_price") or None,
        created_at=seconds(milliseconds_from(payload, "created_at")),
        updated_at=seconds(
            milliseconds_or_none(payload, "last_updated_at") or milliseconds_from(payload, "created_at")
        ),
    )


def funding_payment_record(payload: Mapping[str, Any], trading_pair: str) -> FundingPaymentRecord:
    return FundingPaymentRecord(
        payment_id=text_from(payload, "id"),
        trading_pair=trading_pair,
        payment=decimal_from(payload, "payment"),
        funding_index=decimal_from(payload, "index"),
        timestamp=seconds(milliseconds_from(payload, "created_at")),
    )


def funding_rate_record(payload: Mapping[str, Any], trading_pair: str) -> FundingRateRecord:
    return FundingRateRecord(
        trading_pair=trading_pair,
        funding_rate=decimal_from(payload, "funding_rate"),
        funding_rate_8h=decimal_or_none(payload, "funding_rate_8h"),
        funding_index=decimal_from(payload, "funding_index"),
        period_hours=decimal_or_none(payload, "funding_period_hours"),
        timestamp=seconds(milliseconds_from(payload, "created_at")),
    )


def trade_record(payload: Mapping[str, Any], trading_pair: str) -> TradeRecord:
    return TradeRecord(
        trade_id=text_from(payload, "id"),
        trading_pair=trading_pair,
        side=text_from(payload, "side"),
        price=decimal_from(payload, "price"),
        size=decimal_from(payload, "size"),
        trade_type=str(payload.get("trade_type") or "FILL"),
        timestamp=seconds(milliseconds_from(payload, "created_at")),
    )
