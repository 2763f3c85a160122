"""Checks signatures as the exchange does: typed data of the SDK, and the curve."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from starknet_crypto_py import get_public_key, verify

from tests.unit.connector.payloads import ADDRESS, CHAIN_ID, SUBKEY

PUBLIC_KEY = get_public_key(int(SUBKEY, 16))
_CHAIN = int.from_bytes(CHAIN_ID.encode(), "big")


def is_order_signed(request: Mapping[str, Any]) -> bool:
    """Whether a body of `POST /orders` carries the subkey's signature of just this order."""
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
    build = build_modify_order_message if "id" in request else build_order_message
    return _is_signed(build(_CHAIN, order), request["signature"])


def is_auth_signed(headers: Mapping[str, str]) -> bool:
    """Whether a request for a token carries the subkey's signature for these times and the main account."""
    from paradex_py.message.auth import build_auth_message

    times = int(headers["PARADEX-TIMESTAMP"]), int(headers["PARADEX-SIGNATURE-EXPIRATION"])
    return _is_signed(build_auth_message(_CHAIN, *times), headers["PARADEX-STARKNET-SIGNATURE"])


def _is_signed(message: Any, signature: str) -> bool:
    from starknet_py.utils.typed_data import TypedData

    r, s = (int(number) for number in json.loads(signature))
    return bool(verify(PUBLIC_KEY, TypedData.from_dict(message).message_hash(int(ADDRESS, 16)), r, s))
