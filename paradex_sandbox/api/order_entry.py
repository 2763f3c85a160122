"""Orders from the outside: fields checked, signature verified, handed to the exchange. REST and WebSocket share it."""

import asyncio
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from enum import StrEnum
from typing import Any
from weakref import WeakValueDictionary

from paradex_sandbox.api import stark
from paradex_sandbox.api.auth import CHAIN_ID, Credentials, parse_signature
from paradex_sandbox.api.errors import ApiError
from paradex_sandbox.api.runtime import Runtime
from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.model import (
    ZERO,
    Order,
    OrderClass,
    OrderFlag,
    OrderInstruction,
    OrderRequest,
    OrderType,
    SelfTradePrevention,
    Side,
)
from paradex_sandbox.faults import FaultKind

#: "1 to 10 orders" says the OpenAPI file; a best-practice page says 50. A client that stays at 10 is right everywhere.
MAX_BATCH_SIZE = 10
MAX_CLIENT_ID_LENGTH = 64
MIN_RECV_WINDOW_MS = 10
#: How far a client's clock may be ahead of ours.
_CLOCK_SKEW_MS = 60_000
_MAX_SIGNATURE_TIMESTAMP = 2**53

#: Plain decimals only: what `str(Decimal)` prints for large or small numbers ("1E+3") is refused.
_DECIMAL = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")


class AnswerLostError(Exception):
    """Raised after an order was accepted when a fault wants the answer lost; the connection is to be closed."""


class OrderEntry:
    """Creates and cancels orders for authenticated sessions.

    Requests of one account take effect in the order in which they came, although signatures are verified in threads.
    """

    def __init__(self, runtime: Runtime):
        self._runtime = runtime
        self._verifiers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="stark-verify")
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def close(self) -> None:
        """Ends the verifying threads."""
        self._verifiers.shutdown(wait=False, cancel_futures=True)

    async def create(self, credentials: Credentials, body: object) -> Order:
        """Accepts one order (requests.OrderRequest as parsed JSON) and returns it, NEW.

        Raises ApiError or ExchangeError for what is refused at once.
        """
        results = await self._create(credentials, [body])
        if isinstance(results[0], ExchangeError):
            raise results[0]
        return results[0]

    async def create_batch(self, credentials: Credentials, bodies: object) -> list[Order | ExchangeError]:
        """Accepts up to MAX_BATCH_SIZE orders; what the exchange refuses stands in its order's place.

        A malformed field or a wrong signature in one order refuses them all (ApiError).
        """
        if not isinstance(bodies, list):
            raise ApiError("BINDING_ERROR", "a batch is an array of orders")
        _check_batch_size(len(bodies))
        return await self._create(credentials, bodies)

    async def cancel(
        self,
        credentials: Credentials,
        *,
        order_id: str | None = None,
        client_id: str | None = None,
        market: str | None = None,
    ) -> Order:
        """Queues the cancellation of one order, by id or by client id (faster with its market)."""
        async with self._lock(credentials.account):
            runtime = self._runtime
            runtime.sync()
            order = runtime.exchange.cancel(
                credentials.account, order_id=order_id, client_id=client_id, market=market or None
            )
            runtime.commit()
            runtime.wake()
            return order

    async def cancel_all(self, credentials: Credentials, market: str | None) -> list[Order]:
        """Queues the cancellation of all live orders, in one market or everywhere; returns them."""
        async with self._lock(credentials.account):
            runtime = self._runtime
            runtime.sync()
            orders = runtime.exchange.cancel_all(credentials.account, market or None)
            runtime.commit()
            runtime.wake()
            return orders

    async def cancel_quietly(self, credentials: Credentials, order_ids: list[str]) -> None:
        """Cancels those of the orders that are still live, because their connection has gone."""
        async with self._lock(credentials.account):
            runtime = self._runtime
            runtime.sync()
            for order_id in order_ids:
                with suppress(ExchangeError):
                    runtime.exchange.cancel(credentials.account, order_id=order_id)
            runtime.commit()
            runtime.wake()

    async def cancel_batch(self, credentials: Credentials, body: object) -> list[dict[str, str]]:
        """Cancels by `order_ids` and `client_order_ids`; one responses.CancelOrderResult for each."""
        if not isinstance(body, dict):
            raise ApiError("BINDING_ERROR", "the body must be an object")
        keys = [("order_id", key) for key in _string_list(body, "order_ids")]
        keys += [("client_id", key) for key in _string_list(body, "client_order_ids")]
        _check_batch_size(len(keys))
        results: list[dict[str, str]] = []
        for kind, key in keys:
            result = {"account": credentials.account, "id" if kind == "order_id" else "client_id": key}
            try:
                order = await self.cancel(credentials, **{kind: key})
            except ExchangeError as error:
                result["status"] = "ALREADY_CLOSED" if error.code == "ORDER_IS_CLOSED" else "NOT_FOUND"
            else:
                result |= {"id": order.id, "client_id": order.client_id, "market": order.market}
                result["status"] = "QUEUED_FOR_CANCELLATION"
            results.append(result)
        return results

    async def _create(self, credentials: Credentials, bodies: list[object]) -> list[Order | ExchangeError]:
        runtime = self._runtime
        fault = runtime.faults.strike(FaultKind.ORDER_ERROR)
        if fault is not None:
            status = fault["status"]
            code = "SERVICE_UNAVAILABLE" if status == 503 else "INTERNAL_ERROR"
            raise ApiError(code, "request was refused by a fault of the sandbox", status=status)
        delay = runtime.faults.strike(FaultKind.ORDER_DELAY)
        if delay is not None:
            await asyncio.sleep(delay["delay_ms"] / 1000)
        received_at = runtime.wall_us()
        requests = [parse_order(body, credentials, received_at) for body in bodies]
        async with self._lock(credentials.account):
            if not await asyncio.get_running_loop().run_in_executor(
                self._verifiers, _signatures_are_valid, credentials, requests
            ):
                raise ApiError("INVALID_ORDER_SIGNATURE", "the order is not signed by the key of this session")
            runtime.sync()
            results: list[Order | ExchangeError] = []
            for request in requests:
                try:
                    results.append(runtime.exchange.submit(credentials.account, request))
                except ExchangeError as error:
                    results.append(error)
            runtime.commit()
            runtime.wake()
        if runtime.faults.strike(FaultKind.ORDER_ANSWER_LOST):
            raise AnswerLostError
        return results

    def _lock(self, account: str) -> asyncio.Lock:
        # asyncio.Lock is fair: who waits first goes first. An idle account's lock is forgotten.
        lock = self._locks.get(account)
        if lock is None:
            lock = self._locks[account] = asyncio.Lock()
        return lock


def parse_order(body: object, credentials: Credentials, received_at: int) -> OrderRequest:
    """The order in a request body; raises ApiError for what is missing, of the wrong type or out of range."""
    if not isinstance(body, dict):
        raise ApiError("BINDING_ERROR", "an order is an object")
    on_behalf_of = _string(body, "on_behalf_of_account")
    if on_behalf_of and on_behalf_of != credentials.account:
        raise ApiError("ISOLATED_MARKET_ACCOUNT_MISMATCH", "this account has no isolated margin accounts")
    order_type = _enum(body, "type", OrderType)
    timestamp = _integer(body, "signature_timestamp")
    if timestamp is None:
        raise ApiError("VALIDATION_ERROR", "signature_timestamp is required")
    if not 0 < timestamp < _MAX_SIGNATURE_TIMESTAMP or timestamp * 1000 > received_at + _CLOCK_SKEW_MS * 1000:
        raise ApiError("INVALID_TIMESTAMP", "signature_timestamp must be Unix milliseconds and not in the future")
    recv_window = _integer(body, "recv_window")
    if recv_window is not None and recv_window < MIN_RECV_WINDOW_MS:
        raise ApiError("VALIDATION_ERROR", f"recv_window is at least {MIN_RECV_WINDOW_MS} ms")
    client_id = _string(body, "client_id")
    if len(client_id) > MAX_CLIENT_ID_LENGTH:
        raise ApiError("VALIDATION_ERROR", f"client_id has at most {MAX_CLIENT_ID_LENGTH} characters")
    return OrderRequest(
        market=_required_string(body, "market"),
        side=_enum(body, "side", Side),
        type=order_type,
        size=_required_decimal(body, "size"),
        price=ZERO if order_type is OrderType.MARKET else _required_decimal(body, "price"),
        instruction=_enum(body, "instruction", OrderInstruction, OrderInstruction.GTC),
        client_id=client_id,
        flags=_flags(body, credentials),
        stp=_enum(body, "stp", SelfTradePrevention, SelfTradePrevention.EXPIRE_TAKER),
        trigger_price=_decimal(body, "trigger_price") or None,
        recv_window=recv_window,
        signature=_required_string(body, "signature"),
        signature_timestamp=timestamp,
        order_class=credentials.order_class,
        received_at=received_at,
    )


def _signatures_are_valid(credentials: Credentials, requests: list[OrderRequest]) -> bool:
    return all(_signature_is_valid(credentials, request) for request in requests)


def _signature_is_valid(credentials: Credentials, request: OrderRequest) -> bool:
    signature = parse_signature(request.signature, "INVALID_ORDER_SIGNATURE")
    try:
        message = stark.order_message_hash(
            chain_id=CHAIN_ID,
            account=int(credentials.account, 16),
            timestamp=request.signature_timestamp,
            market=request.market,
            side=request.side,
            order_type=request.type,
            size=request.size,
            price=request.price or ZERO,
        )
    except ValueError as error:
        raise ApiError("VALIDATION_ERROR", f"the order cannot be signed: {error}") from None
    return stark.verify(credentials.public_key, message, signature)


def _check_batch_size(size: int) -> None:
    if not 1 <= size <= MAX_BATCH_SIZE:
        raise ApiError("BATCH_SIZE_OUT_OF_RANGE", f"a batch has 1 to {MAX_BATCH_SIZE} entries, not {size}")


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
    for value in _string_list(body, "flags"):
        if value not in OrderFlag:
            raise ApiError("VALIDATION_ERROR", f"unknown flag {value!r}")
        if value == OrderFlag.INTERACTIVE and credentials.order_class is not OrderClass.INTERACTIVE:
            raise ApiError("VALIDATION_ERROR", "INTERACTIVE orders need a token with token_usage=interactive")
        flags.append(OrderFlag(value))
    return tuple(flags)


def _string_list(body: Mapping[str, Any], name: str) -> list[str]:
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise ApiError("BINDING_ERROR", f"{name} must be an array of strings")
    return value
