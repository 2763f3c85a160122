"""Orders as clients send them: fields checked, signatures verified. No state, no I/O."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from paradex_sandbox.api import stark
from paradex_sandbox.api.auth import CHAIN_ID, Credentials, parse_signature
from paradex_sandbox.api.errors import ApiError
from paradex_sandbox.exchange.algo import DEFAULT_FREQUENCY, AlgoRequest
from paradex_sandbox.exchange.model import (
    ZERO,
    ModifyRequest,
    OrderClass,
    OrderFlag,
    OrderInstruction,
    OrderRequest,
    OrderType,
    SelfTradePrevention,
    Side,
)

MAX_CLIENT_ID_LENGTH = 64
MIN_RECV_WINDOW_MS = 10
#: How far a client's clock may be ahead of ours.
_CLOCK_SKEW_MS = 60_000
_MAX_SIGNATURE_TIMESTAMP = 2**53

#: Plain decimals only: what `str(Decimal)` prints for large or small numbers ("1E+3") is refused.
_DECIMAL = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")


@dataclass(frozen=True, slots=True)
class Signed[T]:
    """A request and what its signature covers: `price` is the one that was sent, even where the type has none."""

    request: T
    market: str
    side: Side
    type: OrderType
    size: Decimal
    price: Decimal
    timestamp: int
    signature: str
    order_id: str | None = None


def parse_order(body: object, credentials: Credentials, received_at: int) -> Signed[OrderRequest]:
    """The order in a request body; raises ApiError for what is missing, of the wrong type or out of range."""
    order = _signed_object(body, credentials)
    common = _common(order, received_at)
    client_id = _string(order, "client_id")
    if len(client_id) > MAX_CLIENT_ID_LENGTH:
        raise ApiError("VALIDATION_ERROR", f"client_id has at most {MAX_CLIENT_ID_LENGTH} characters")
    request = OrderRequest(
        market=common.market,
        side=common.side,
        type=common.type,
        size=common.size,
        price=common.price if common.type.has_price else ZERO,
        instruction=_enum(order, "instruction", OrderInstruction, OrderInstruction.GTC),
        client_id=client_id,
        flags=_flags(order, credentials),
        stp=_enum(order, "stp", SelfTradePrevention, SelfTradePrevention.EXPIRE_TAKER),
        trigger_price=_decimal(order, "trigger_price") or None,
        recv_window=_recv_window(order),
        signature=common.signature,
        signature_timestamp=common.timestamp,
        order_class=credentials.order_class,
        received_at=received_at,
        vwap_price=_decimal(order, "vwap_price") or None,
    )
    return _with_request(common, request)


def parse_modify(
    body: object, credentials: Credentials, received_at: int, order_id: str | None = None
) -> Signed[ModifyRequest]:
    """The change of an order; `order_id` is the path's, the body's must be the same. Raises ApiError."""
    order = _signed_object(body, credentials)
    named = _string(order, "id") or order_id or ""
    if not named:
        raise ApiError("VALIDATION_ERROR", "id is required")
    if order_id is not None and named != order_id:
        raise ApiError("VALIDATION_ERROR", "id is not the order of the path")
    common = _common(order, received_at)
    request = ModifyRequest(
        order_id=named,
        market=common.market,
        side=common.side,
        type=common.type,
        size=common.size,
        price=common.price if common.type.has_price else ZERO,
        trigger_price=_decimal(order, "trigger_price") or None,
        signature=common.signature,
        signature_timestamp=common.timestamp,
        order_class=credentials.order_class,
        received_at=received_at,
    )
    return _with_request(common, request, named)


def parse_algo(body: object, credentials: Credentials, received_at: int) -> Signed[AlgoRequest]:
    """The TWAP in a request body; raises ApiError."""
    order = _signed_object(body, credentials)
    if _string(order, "algo_type") != "TWAP":
        raise ApiError("VALIDATION_ERROR", "algo_type must be TWAP")
    common = _common(order, received_at)
    if common.type is not OrderType.MARKET:
        raise ApiError("VALIDATION_ERROR", "only MARKET algo orders are supported")
    duration, frequency = _integer(order, "duration_seconds"), _integer(order, "frequency")
    if duration is None:
        raise ApiError("VALIDATION_ERROR", "duration_seconds is required")
    request = AlgoRequest(
        market=common.market,
        side=common.side,
        size=common.size,
        duration_seconds=duration,
        frequency=DEFAULT_FREQUENCY if frequency is None else frequency,
        recv_window=_recv_window(order),
        signature=common.signature,
        signature_timestamp=common.timestamp,
        order_class=credentials.order_class,
        received_at=received_at,
    )
    return _with_request(common, request)


def signatures_are_valid(credentials: Credentials, requests: Sequence[Signed[Any]]) -> bool:
    """Whether the session's key has signed every request; raises ApiError for what cannot be a signature at all."""
    return all(_signature_is_valid(credentials, request) for request in requests)


def _signature_is_valid(credentials: Credentials, signed: Signed[Any]) -> bool:
    signature = parse_signature(signed.signature, "INVALID_ORDER_SIGNATURE")
    try:
        message = stark.order_message_hash(
            chain_id=CHAIN_ID,
            account=int(credentials.account, 16),
            timestamp=signed.timestamp,
            market=signed.market,
            side=signed.side,
            order_type=signed.type,
            size=signed.size,
            price=signed.price,
            order_id=signed.order_id,
        )
    except ValueError as error:
        raise ApiError("VALIDATION_ERROR", f"the order cannot be signed: {error}") from None
    return stark.verify(credentials.public_key, message, signature)


def string_list(body: Mapping[str, Any], name: str) -> list[str]:
    """An array of strings, empty where it is absent; raises ApiError."""
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise ApiError("BINDING_ERROR", f"{name} must be an array of strings")
    return value


def _signed_object(body: object, credentials: Credentials) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise ApiError("BINDING_ERROR", "an order is an object")
    on_behalf_of = _string(body, "on_behalf_of_account")
    if on_behalf_of and on_behalf_of != credentials.account:
        raise ApiError("ISOLATED_MARKET_ACCOUNT_MISMATCH", "this account has no isolated margin accounts")
    return body


def _common(body: Mapping[str, Any], received_at: int) -> Signed[None]:
    """What all signed requests have."""
    order_type = _enum(body, "type", OrderType)
    timestamp = _integer(body, "signature_timestamp")
    if timestamp is None:
        raise ApiError("VALIDATION_ERROR", "signature_timestamp is required")
    if not 0 < timestamp < _MAX_SIGNATURE_TIMESTAMP or timestamp * 1000 > received_at + _CLOCK_SKEW_MS * 1000:
        raise ApiError("INVALID_TIMESTAMP", "signature_timestamp must be Unix milliseconds and not in the future")
    if order_type.has_price:
        price = _required_decimal(body, "price")
    else:
        # A MARKET order is signed with price 0 whatever is sent; triggers of that kind are signed as they are sent.
        price = ZERO if order_type is OrderType.MARKET else _decimal(body, "price") or ZERO
    return Signed(
        None,
        market=_required_string(body, "market"),
        side=_enum(body, "side", Side),
        type=order_type,
        size=_required_decimal(body, "size"),
        price=price,
        timestamp=timestamp,
        signature=_required_string(body, "signature"),
    )


def _with_request[T](common: Signed[None], request: T, order_id: str | None = None) -> Signed[T]:
    return Signed(
        request,
        common.market,
        common.side,
        common.type,
        common.size,
        common.price,
        common.timestamp,
        common.signature,
        order_id,
    )


def _recv_window(body: Mapping[str, Any]) -> int | None:
    recv_window = _integer(body, "recv_window")
    if recv_window is not None and recv_window < MIN_RECV_WINDOW_MS:
        raise ApiError("VALIDATION_ERROR", f"recv_window is at least {MIN_RECV_WINDOW_MS} ms")
    return recv_window


def _string(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ApiError("BINDING_ERROR", f"{name} must be a string")
    return value


def _required_string(body: Mapping[str, Any], name: str) -> str:
    value = _string(body, name)
    if not value:
        raise ApiError("VALIDATION_ERROR", f"{name} is required")
    return value


def _integer(body: Mapping[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is not None and type(value) is not int:
        raise ApiError("BINDING_ERROR", f"{name} must be an integer")
    return value


def _decimal(body: Mapping[str, Any], name: str) -> Decimal | None:
    value = _string(body, name)
    if not value:
        return None
    if not _DECIMAL.fullmatch(value):
        raise ApiError("VALIDATION_ERROR", f"{name} must be a plain decimal number")
    return Decimal(value)


def _required_decimal(body: Mapping[str, Any], name: str) -> Decimal:
    value = _decimal(body, name)
    if value is None:
        raise ApiError("VALIDATION_ERROR", f"{name} is required")
    return value


def _enum[E: StrEnum](body: Mapping[str, Any], name: str, members: type[E], default: E | None = None) -> E:
    value = _string(body, name)
    if not value and default is not None:
        return default
    try:
        return members(value)
    except ValueError:
        raise ApiError("VALIDATION_ERROR", f"{name} must be one of {', '.join(members)}") from None


def _flags(body: Mapping[str, Any], credentials: Credentials) -> tuple[OrderFlag, ...]:
    flags = []
    for value in string_list(body, "flags"):
        if value not in OrderFlag:
            raise ApiError("VALIDATION_ERROR", f"unknown flag {value!r}")
        if value == OrderFlag.INTERACTIVE and credentials.order_class is not OrderClass.INTERACTIVE:
            raise ApiError("VALIDATION_ERROR", "INTERACTIVE orders need a token with token_usage=interactive")
        flags.append(OrderFlag(value))
    return tuple(flags)
