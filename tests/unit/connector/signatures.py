"""Checks signatures as the exchange does: typed data of the SDK, and the curve."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from starknet_crypto_py import get_public_key

from tests.unit.connector.payloads import ADDRESS, CHAIN_ID, SUBKEY

PUBLIC_KEY = get_public_key(int(SUBKEY, 16))
_CHAIN = int.from_bytes(CHAIN_ID.encode(), "big")


def order_hash(request: Mapping[str, Any], chain: int = _CHAIN, address: int = int(ADDRESS, 16)) -> int:
    """What the SDK signs for a body of `POST /orders` or, with an id, of `PUT /orders`."""
    from paradex_py.common.order import Order, OrderSide, OrderType
    from paradex_py.message.order import build_modify_order_message, build_order_message

    order = Order(
        market=request["market"],
        order_type=OrderType(request["type"]),
        order_side=OrderSide(request["side"]),
        size=Decimal(request["size"]),
        limit_price=Decimal(request.get("price", "0")),
        signature_timestamp=request["signature_timestamp"],
        order_id=request.get("id"),
    )
    build = build_modify_order_message if order.id else build_order_message
    return _hash(build(chain, order), address)


def auth_hash(timestamp: int, expiration: int) -> int:
    """What the SDK signs for a token."""
    from paradex_py.message.auth import build_auth_message

    return _hash(build_auth_message(_CHAIN, timestamp, expiration), int(ADDRESS, 16))


def is_order_signed(request: Mapping[str, Any]) -> bool:
    """Whether a body of `POST /orders` carries the subkey's signature of just this order."""
    return is_signature(order_hash(request), request["signature"])


def is_auth_signed(headers: Mapping[str, str]) -> bool:
    """Whether a request for a token carries the subkey's signature for these times and the main account."""
    times = int(headers["PARADEX-TIMESTAMP"]), int(headers["PARADEX-SIGNATURE-EXPIRATION"])
    return is_signature(auth_hash(*times), headers["PARADEX-STARKNET-SIGNATURE"])


def is_signature(message_hash: int, signature: str, public_key: int = PUBLIC_KEY) -> bool:
    """Whether the SDK takes a signature for one of this hash."""
    from paradex_py.account.utils import verify_message_signature

    return bool(verify_message_signature(message_hash, [int(part) for part in json.loads(signature)], public_key))


def is_signature_by_another_library(message_hash: int, signature: str) -> bool:
    """Whether crypto-cpp, on which starknet-py stands, takes it for one of the subkey."""
    from crypto_cpp_py.cpp_bindings import cpp_verify
    from starknet_py.constants import EC_ORDER

    r, s = (int(part) for part in json.loads(signature))
    return bool(cpp_verify(msg_hash=message_hash, r=r, w=pow(s, -1, EC_ORDER), stark_key=PUBLIC_KEY))


def _hash(message: Any, address: int) -> int:
    from starknet_py.utils.typed_data import TypedData

    return TypedData.from_dict(message).message_hash(address)
