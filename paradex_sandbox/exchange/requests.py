"""The matching queue: requests wait here between their acknowledgement and their effect."""

from collections.abc import Iterable
from heapq import heappop, heappush

from paradex_sandbox.exchange import modify
from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.events import QueuedRequest, RequestDone, RequestKind, RequestQueued
from paradex_sandbox.exchange.matching import MatchingEngine
from paradex_sandbox.exchange.model import CancelReason, ModifyRequest, Order, OrderClass, OrderStatus
from paradex_sandbox.exchange.retail import SPEED_BUMP_US
from paradex_sandbox.exchange.state import ExchangeState


class RequestQueue:
    """First in, first out among the requests whose time has come (`ready_at`, then arrival)."""

    def __init__(self, state: ExchangeState, engine: MatchingEngine) -> None:
        self._state = state
        self._engine = engine
        self._heap: list[tuple[int, int, QueuedRequest]] = []
        self.last_number = 0

    def push(
        self,
        kind: RequestKind,
        account: AccountState,
        order: Order,
        modify_request: ModifyRequest | None = None,
        request_id: str = "",
    ) -> None:
        """Queues a request about one order; those about Retail orders wait for the speed bump."""
        bump = SPEED_BUMP_US if order.order_class is OrderClass.INTERACTIVE else 0
        self._push(kind, account, order.id, order.market, bump, modify_request, request_id)

    def push_cancel_all(self, account: AccountState, newest: Order, market: str | None) -> None:
        """Queues the cancellation of the Pro orders up to `newest`."""
        self._push(RequestKind.CANCEL_ALL, account, newest.id, market, 0, None)

    def _push(
        self,
        kind: RequestKind,
        account: AccountState,
        order_id: str,
        market: str | None,
        bump: int,
        modify_request: ModifyRequest | None,
        request_id: str = "",
    ) -> None:
        state = self._state
        self.last_number += 1
        request = QueuedRequest(
            self.last_number, kind, account.address, order_id, market, state.now + bump, modify_request, request_id
        )
        self._add(request)
        state.events.append(RequestQueued(state.now, account.address, request))

    def _add(self, request: QueuedRequest) -> None:
        heappush(self._heap, (request.ready_at, request.seq, request))

    def restore(self, requests: Iterable[QueuedRequest], last_number: int) -> None:
        for request in requests:
            self._add(request)
        self.last_number = last_number

    def waiting(self) -> tuple[QueuedRequest, ...]:
        """In the order of their numbers."""
        return tuple(sorted((request for _, _, request in self._heap), key=lambda request: request.seq))

    def run(self) -> None:
        """Executes everything that is ready by now."""
        state = self._state
        while self._heap and self._heap[0][0] <= state.now:
            request = heappop(self._heap)[2]
            account = state.account(request.account)
            self._execute(request, account)
            state.events.append(RequestDone(state.now, account.address, request.seq))

    def _execute(self, request: QueuedRequest, account: AccountState) -> None:
        if request.kind is RequestKind.CANCEL_ALL:
            for live in account.live_orders(request.market):
                if live.id <= request.order_id and live.order_class is not OrderClass.INTERACTIVE:
                    self._engine.cancel(account, live, CancelReason.USER_CANCELED)
            return
        order = account.orders.get(request.order_id)
        if order is None:
            return
        if request.kind is RequestKind.CANCEL:
            self._engine.cancel(account, order, CancelReason.USER_CANCELED)
        elif request.kind is RequestKind.MODIFY and request.modify is not None:
            if order.is_live:
                modify.apply(self._state, self._engine, account, order, request.modify, request.request_id)
        elif order.status is OrderStatus.NEW:
            self._engine.execute(account, order)
