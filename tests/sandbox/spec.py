"""Judges of what the sandbox says: Paradex's own API descriptions, or the SDK's models where those are not at hand.

Undeclared fields are forbidden everywhere. What the descriptions are known to lack is listed here by name.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from paradex_py.api.generated import responses as sdk_models
from pydantic import BaseModel

from paradex_sandbox.api.errors import FAULT_MESSAGE
from paradex_sandbox.api.rest_unsupported import FAMILIES

SPECS = Path(__file__).parents[3] / "shared" / "specs"

#: Schema of each successful answer by method and path: a name, [name] for results, or (name,) for paginated results.
ANSWERS: dict[str, str | list[str] | tuple[str]] = {
    "GET /system/config": "SystemConfigResponse",
    "GET /system/time": "SystemTimeResponse",
    "GET /system/state": "SystemStateResponse",
    "GET /jwks.json": "JwksResponse",
    "POST /auth": "AuthResp",
    "POST /auth/{public_key}": "AuthResp",
    "POST /v2/auth": "AuthResp",
    "GET /markets": ["MarketResp"],
    "GET /markets/summary": ["MarketSummaryResp"],
    "GET /orderbook/{market}": "AskBidArray",
    "GET /orderbook/{market}/interactive": "AskBidArray",
    "GET /bbo/{market}": "BBOResp",
    "GET /bbo/{market}/interactive": "BBOResp",
    "GET /trades": ("TradeResult",),
    "GET /funding/data": ("FundingDataResult",),
    "GET /account": "AccountSummaryResponse",
    "GET /account/summary": ["AccountSummaryResponse"],
    "GET /account/info": ["AccountInfoResponse"],
    "GET /account/subaccounts": ["AccountInfoResponse"],
    "GET /account/margin": "GetAccountMarginConfigsResp",
    "POST /account/margin/{market}": "UpdateAccountMarginConfigResp",
    "GET /account/keys/subkeys": ["Subkey"],
    "GET /account/keys/subkeys/{public_key}": "Subkey",
    "GET /balance": ["BalanceResp"],
    "GET /positions": ["PositionResp"],
    "GET /fills": ("FillResult",),
    "GET /funding/payments": ("FundingPayment",),
    "GET /tradebusts": ("TradebustResult",),
    "GET /transactions": ("TransactionResponse",),
    "GET /transfers": ("TransferResult",),
    "GET /orders": ["OrderResp"],
    "POST /orders": "OrderResp",
    "GET /orders/{order_id}": "OrderResp",
    "GET /orders/by_client_id/{client_id}": "OrderResp",
    "POST /orders/batch": "BatchResponse",
    "DELETE /orders/batch": "CancelOrderBatchResponse",
    "GET /orders-history": ("OrderResp",),
    "PUT /orders/{order_id}": "OrderResp",
    "GET /liquidations": ["LiquidationResp"],
    "GET /insurance": "InsuranceAccountResp",
    "GET /onboarding": "GetOnboardingResp",
    "GET /orderbook/{market}/impact-price": "ImpactPriceResp",
    "GET /system/announcements": ("Announcement",),
    "GET /system/volume-tiers": ["VolumeTierResp"],
    "GET /system/portfolio-margin-config": ["PortfolioMarginParamsResp"],
    "GET /markets/history": "MarketHistoryResponse",
    "GET /markets/settlement-price": "MarketSettlementResp",
    "GET /account/profile": "AccountProfileResp",
    "PUT /account/profile": "AccountProfileResp",
    "POST /account/profile/market_max_slippage/{market}": "AccountProfileResp",
    "POST /account/profile/notifications": "AccountProfileResp",
    "POST /account/profile/notifications/last_seen": "AccountProfileResp",
    "POST /account/profile/refresh_inventory": "RefreshInventoryResp",
    "POST /account/profile/size_currency_display": "AccountProfileResp",
    "POST /account/profile/username": "AccountProfileResp",
    "GET /account/settings": "AccountSettingsResp",
    "POST /account/settings/trading_value_display": "AccountProfileResp",
    "GET /account/compliance": ["ComplianceActionResp"],
    "GET /account/history": "AccountHistoricalDataResp",
    "PUT /account/keys/subkeys/{public_key}": "Subkey",
    "DELETE /account/keys/subkeys/{public_key}": "RevokeSubkeyResponse",
    "PUT /account/keys/subkeys/{public_key}/allowed-cidrs": "Subkey",
    "POST /account/keys/subkeys/activate": "ActivateSubkeyResponse",
    "GET /account/tokens": ["ApiToken"],
    "POST /account/tokens": "CreateTokenResponse",
    "DELETE /account/tokens/{lookup_id}": "RevokeTokenResponse",
    "PUT /account/tokens/{lookup_id}/allowed-cidrs": "ApiToken",
    "POST /account/terminal-token": "AuthResp",
    "GET /algo/orders": ["AlgoOrderResp"],
    "POST /algo/orders": "AlgoOrderResp",
    "GET /algo/orders/{algo_id}": "AlgoOrderResp",
    "GET /algo/orders-history": ("AlgoOrderResp",),
}
#: Answers without a body, and those whose schema Paradex does not publish.
UNCHECKED = {
    "DELETE /orders",
    "DELETE /orders/{order_id}",
    "DELETE /orders/by_client_id/{client_id}",
    "GET /markets/klines",
    "POST /account/compliance",
    "POST /account/keys/subkeys",
    "POST /onboarding",
    "POST /v2/onboarding",
    "DELETE /algo/orders/{algo_id}",
    "GET /account/mmp",
    "POST /account/mmp/reset",
    "POST /account/mmp/{base_asset}",
    "DELETE /account/mmp/{base_asset}",
}
#: Error codes of the routes that the OpenAPI file lacks, as the official SDK documents them.
UNDOCUMENTED_ERRORS = {"MMP_MIN_FREEZE_NOT_ELAPSED"}
#: Real, but not in the OpenAPI file (see SOURCE.md beside it): which operation of the file each is like, …
UNDOCUMENTED = {"POST /auth/{public_key}": "POST /auth"}
#: … and the statuses of those that are like none, as the official SDK documents them.
UNDOCUMENTED_STATUSES = {
    "GET /account/mmp": {200, 401},
    "POST /account/mmp/reset": {200, 400, 401},
    "POST /account/mmp/{base_asset}": {200, 400, 401},
    "DELETE /account/mmp/{base_asset}": {204, 401},
}
#: In the OpenAPI file, but not yet in the SDK's models, which are of an older release.
NEWER_THAN_SDK = {"SystemConfigResponse": {"assets_limit_per_account"}, "MarketResp": {"trading_mode"}}
#: Schemas of the JSON channels by the first part of their name.
CHANNELS = {
    "orders": "OrderResp",
    "fills": "FillResult",
    "positions": "PositionResp",
    "account": "AccountSummaryResponse",
    "funding_payments": "FundingPayment",
    "tradebusts": "TradebustResult",
    "transfers": "TransferResult",
    "transaction": "TransactionResponse",
    "balance_events": "BalanceEventResponse",
    "markets": "MarketEvent",
}
#: Channels that the AsyncAPI file lacks, with the fields that their messages may have (from the official SDK).
UNDOCUMENTED_CHANNELS = {
    "mmp": {
        *("account", "base_asset", "kind", "frozen_until", "created_at", "trip_reason", "trigger_market"),
        *("window_size", "window_delta", "window_vega", "config", "removed"),
    }
}
#: Values that the OpenAPI file lacks: the SBE schema 1:2 and the official SDK have them.
MISSING_VALUES = {"responses.OrderFlag": ["MMP"]}

Operation = dict[str, Any]


@dataclass(frozen=True)
class Unlisted:
    """A status that the OpenAPI file does not list for operations that all the same answer with it, and why."""

    status: int
    error: str
    reason: str
    #: Of which operations: gets their name, as in ANSWERS, and their description in the file.
    applies: Callable[[str, Operation], bool]


def _any(_: str, __: Operation) -> bool:
    return True


def _wants_token(_: str, operation: Operation) -> bool:
    return "security" in operation


UNLISTED = [
    Unlisted(
        401,
        "INVALID_TOKEN",
        "Whatever wants a token can be sent none, or one that has expired; the file says so of some operations only.",
        _wants_token,
    ),
    Unlisted(
        403,
        "IP_NOT_ALLOWED",
        "Keys and tokens have allow lists (…/allowed-cidrs), which hold wherever they are used.",
        lambda name, operation: _wants_token(name, operation) or name.startswith("POST /auth"),
    ),
    Unlisted(429, "REQUEST_NOT_ALLOWED", "The rate limits of the documentation; the file leaves them out.", _any),
    Unlisted(
        503,
        "SERVICE_UNAVAILABLE",
        "Maintenance: PROTOCOL knows the status, the file does not.",
        lambda name, _: re.match("(POST|PUT|DELETE) /(orders|algo/orders)", name) is not None,
    ),
    Unlisted(
        413,
        "VALIDATION_ERROR",
        "A body of more than a megabyte; the file names no bound.",
        lambda _, operation: "requestBody" in operation,
    ),
    Unlisted(
        400,
        "MARKET_NOT_FOUND",
        "The file lists nothing but 200, and a market that does not exist has no history.",
        lambda name, _: name == "GET /markets/history",
    ),
    Unlisted(
        400,
        "REQUEST_NOT_ALLOWED",
        "What the sandbox does not have it refuses with this, before it asks for a token.",
        lambda name, _: name.split()[1].startswith(tuple(FAMILIES)),
    ),
    Unlisted(
        200,
        "",
        "The file lists the error alone.",
        lambda name, _: name == "GET /markets/klines",
    ),
]
#: The descriptions call these strings, and say that they are null at the ends of a list.
_NULLABLE = {"next", "prev"}


def check_answer(method: str, path: str, status: int, text: str) -> None:
    """Raises AssertionError if Paradex would not have answered so. `path` is relative to /v1, as sent, no query."""
    name = template_of(method, path)
    body = json.loads(text) if text else None
    _check_status(name, status, body)
    if status >= 400:
        assert set(body) <= {"error", "message", "data"}, body
        if body["error"] not in UNDOCUMENTED_ERRORS:
            _check("ApiError", body)
    elif name is not None and name not in UNCHECKED:
        answer = ANSWERS[name]
        if isinstance(answer, str):
            _check(answer, body)
            return
        assert set(body) == ({"results"} if isinstance(answer, list) else {"results", "next", "prev"}), body
        assert all(body[name] is None or isinstance(body[name], str) for name in _NULLABLE & set(body))
        for item in body["results"]:
            _check(answer[0], item)


def _check_status(name: str | None, status: int, body: Any) -> None:
    """The status must be one that the OpenAPI file lists for the operation, and have a body where the file has one."""
    if openapi() is None:
        return
    if name is None:
        # Only here are a path, or the method on it, unknown.
        assert status in (400, 404, 405), f"{status} for what the OpenAPI file does not have: {body}"
        return
    operation = operations().get(UNDOCUMENTED.get(name, name))
    if operation is None:
        assert status in UNDOCUMENTED_STATUSES[name], f"{name}: {status} {body}"
        return
    listed = operation["responses"].get(str(status))
    if listed is not None:
        assert ("content" in listed) == (body is not None), f"{name}: {status} {body}"
        return
    if status >= 400 and body["message"] == FAULT_MESSAGE:
        return  # the test has asked for it
    error = body["error"] if status >= 400 else ""
    assert any(
        (known.status, known.error) == (status, error) and known.applies(name, operation) for known in UNLISTED
    ), f"{name}: the OpenAPI file lists {sorted(operation['responses'])}, not {status}: {body}"


def check_message(channel: str, data: Any) -> None:
    """Raises AssertionError if Paradex would not have sent this on its JSON channel."""
    topic = channel.partition(".")[0]
    if topic in UNDOCUMENTED_CHANNELS:
        assert set(data) <= UNDOCUMENTED_CHANNELS[topic], data
        return
    _check(CHANNELS[topic], data)


def template_of(method: str, path: str) -> str | None:
    """The documented operation that a request calls, None if there is none."""
    known = {*ANSWERS, *UNCHECKED, *operations()}
    exact = f"{method} {path}"
    if exact in known:
        return exact
    matching = [op for op in known if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", op), exact)]
    return max(matching, key=len) if matching else None


@cache
def openapi() -> dict[str, Any] | None:
    """The OpenAPI file, None where it is not at hand."""
    file = SPECS / "openapi-prod.json"
    return json.loads(file.read_text()) if file.exists() else None


@cache
def operations() -> dict[str, Operation]:
    """The operations of the OpenAPI file by method and path."""
    paths = (openapi() or {"paths": {}})["paths"]
    return {f"{method.upper()} {path}": operation for path in paths for method, operation in paths[path].items()}


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    document = openapi()
    if document is None:
        return {}
    asyncapi = yaml.safe_load((SPECS / "asyncapi-prod.yaml").read_text())
    schemas = dict(document["components"]["schemas"])
    for name, schema in asyncapi["components"]["schemas"].items():
        schemas.setdefault("responses." + name.removeprefix("Responses"), schema)
    return schemas


@cache
def _validator(name: str) -> jsonschema.Draft7Validator:
    schema = _schemas().get("responses." + name) or _schemas()["requests." + name]
    return jsonschema.Draft7Validator(_strict(schema))


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with references resolved and undeclared fields forbidden."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        strict = _strict(_schemas()[name])
        return strict | {"enum": [*strict["enum"], *MISSING_VALUES[name]]} if name in MISSING_VALUES else strict
    if "allOf" in schema:
        merged: dict[str, Any] = {}
        for part in schema["allOf"]:
            merged |= _strict(part)
        return merged
    strict = {key: schema[key] for key in ("type", "enum", "required") if key in schema}
    if "items" in schema:
        strict["items"] = _strict(schema["items"])
    if "properties" in schema:
        strict["properties"] = {name: _strict(part) for name, part in schema["properties"].items()}
        strict["additionalProperties"] = False
    elif isinstance(schema.get("additionalProperties"), dict):
        strict["additionalProperties"] = _strict(schema["additionalProperties"])
    return strict


def _check(name: str, data: Any) -> None:
    if _schemas():
        errors = [f"{'/'.join(map(str, e.path))}: {e.message}" for e in _validator(name).iter_errors(data)]
        assert not errors, f"{name}: {errors} in {data}"
    elif hasattr(sdk_models, name):
        _forbid_extra(getattr(sdk_models, name).model_validate(data))


def _forbid_extra(model: Any) -> None:
    if isinstance(model, BaseModel):
        name = type(model).__name__
        undeclared = set(model.model_extra or {}) - NEWER_THAN_SDK.get(name, set())
        assert not undeclared, f"{name} has no {sorted(undeclared)}"
        for value in model.__dict__.values():
            _forbid_extra(value)
    elif isinstance(model, list):
        for value in model:
            _forbid_extra(value)


@cache
def rpc_methods() -> dict[str, dict[str, Any]]:
    """The methods of the OpenRPC file by name; none where it is not at hand."""
    file = SPECS / "openrpc-prod.json"
    return {method["name"]: method for method in json.loads(file.read_text())["methods"]} if file.exists() else {}


#: Fields of orders that the OpenRPC file leaves out, though REST and the SDK have them (an order is one everywhere).
_RPC_ORDER_EXTRA = {"stp": {"type": "string"}, "request_info": {"type": "object"}}


def check_rpc_result(method: str, result: Any) -> None:
    """Raises jsonschema.ValidationError if Paradex would not have answered so over the socket."""
    methods = rpc_methods()
    if methods:
        jsonschema.validate(result, _strict_rpc(methods[method]["result"]["schema"]))


def _strict_rpc(schema: dict[str, Any]) -> dict[str, Any]:
    strict = _strict(schema)
    for holder in (strict, strict.get("properties", {}).get("results", {}).get("items", {})):
        order = holder.get("properties", {}).get("order")
        if order is not None:
            order["properties"] |= _RPC_ORDER_EXTRA
            # The file lists what it knew when it was written: the OpenAPI file has more types and states.
            for name in ("type", "status"):
                order["properties"][name] = {"type": "string"}
    return strict
