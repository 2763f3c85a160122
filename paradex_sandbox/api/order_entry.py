"""Orders from the outside: handed to the exchange, in the order in which they came. REST and WebSocket share it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any
from weakref import WeakValueDictionary

from paradex_sandbox.api.auth import Credentials
from paradex_sandbox.api.errors import FAULT_MESSAGE, ApiError
from paradex_sandbox.api.order_requests import (
    Signed,
    parse_algo,
    parse_modify,
    parse_order,
    signatures_are_valid,
    string_list,
)
from paradex_sandbox.api.runtime import Runtime
from paradex_sandbox.exchange.algo import AlgoOrder
from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.model import CancelResult, Order
from paradex_sandbox.faults import FaultKind

#: "1 to 10 orders" says the OpenAPI file; a best-practice page says 50. A client that stays at 10 is right everywhere.
MAX_BATCH_SIZE = 10


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

    async def cancel_batch(self, credentials: Credentials, body: object) -> list[CancelResult]:
        """Cancels by `order_ids` and `client_order_ids`; what became of each."""
        if not isinstance(body, dict):
            raise ApiError("BINDING_ERROR", "the body must be an object")
        order_ids, client_ids = string_list(body, "order_ids"), string_list(body, "client_order_ids")
        _check_batch_size(len(order_ids) + len(client_ids))
        async with self._lock(credentials.account):
            runtime = self._runtime
            runtime.sync()
            results = runtime.exchange.cancel_batch(credentials.account, order_ids, client_ids)
            runtime.commit()
            runtime.wake()
            return results

    async def modify(self, credentials: Credentials, body: object, order_id: str | None = None) -> Order:
        """Queues a change of a live order (requests.ModifyOrderRequest) and returns it, its `request_info` PENDING."""
        signed = parse_modify(body, credentials, self._runtime.wall_us(), order_id)
        async with self._verified(credentials, [signed]):
            return self._runtime.exchange.modify(credentials.account, signed.request)

    async def create_algo(self, credentials: Credentials, body: object) -> AlgoOrder:
        """Starts a TWAP (requests.AlgoOrderRequest)."""
        signed = parse_algo(body, credentials, self._runtime.wall_us())
        async with self._verified(credentials, [signed]):
            return self._runtime.exchange.create_algo(credentials.account, signed.request)

    async def cancel_algo(self, credentials: Credentials, algo_id: str) -> AlgoOrder:
        """Ends a TWAP."""
        async with self._verified(credentials, []):
            return self._runtime.exchange.cancel_algo(credentials.account, algo_id)

    async def _create(self, credentials: Credentials, bodies: list[object]) -> list[Order | ExchangeError]:
        runtime = self._runtime
        fault = runtime.faults.strike(FaultKind.ORDER_ERROR)
        if fault is not None:
            status = fault["status"]
            code = "SERVICE_UNAVAILABLE" if status == 503 else "INTERNAL_ERROR"
            raise ApiError(code, FAULT_MESSAGE, status=status)
        delay = runtime.faults.strike(FaultKind.ORDER_DELAY)
        if delay is not None:
            await asyncio.sleep(delay["delay_ms"] / 1000)
        received_at = runtime.wall_us()
        signed = [parse_order(body, credentials, received_at) for body in bodies]
        async with self._verified(credentials, signed):
            results = runtime.exchange.submit_batch(credentials.account, [entry.request for entry in signed])
        if runtime.faults.strike(FaultKind.ORDER_ANSWER_LOST):
            raise AnswerLostError
        return results

    @asynccontextmanager
    async def _verified(self, credentials: Credentials, signed: Sequence[Signed[Any]]) -> AsyncIterator[None]:
        """The account's turn to change the exchange, once its signatures have been verified.

        Verification starts at once, in a thread; the turns follow the order in which the requests came.
        """
        verifying = None
        if signed:
            loop = asyncio.get_running_loop()
            verifying = loop.run_in_executor(self._verifiers, signatures_are_valid, credentials, signed)
        async with self._lock(credentials.account):
            if verifying is not None and not await verifying:
                raise ApiError("INVALID_ORDER_SIGNATURE", "the order is not signed by the key of this session")
            self._runtime.sync()
            try:
                yield
            finally:
                self._runtime.commit()
                self._runtime.wake()

    def _lock(self, account: str) -> asyncio.Lock:
        # asyncio.Lock is fair: who waits first goes first. An idle account's lock is forgotten.
        lock = self._locks.get(account)
        if lock is None:
            lock = self._locks[account] = asyncio.Lock()
        return lock


def _check_batch_size(size: int) -> None:
    if not 1 <= size <= MAX_BATCH_SIZE:
        raise ApiError("BATCH_SIZE_OUT_OF_RANGE", f"a batch has 1 to {MAX_BATCH_SIZE} entries, not {size}")
