"""The matching queue: requests wait here between their acknowledgement and their effect."""

from collections.abc import Iterable
from heapq import heappop, heappush

from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.events import QueuedRequest, RequestDone, RequestKind, RequestQueued
from paradex_sandbox.exchange.matching import MatchingEngine
from paradex_sandbox.exchange.model import CancelReason, OrderStatus
from paradex_sandbox.exchange.state import ExchangeState


class RequestQueue:
    """First in, first out among the requests whose time has come (`ready_at`, then arrival)."""

    def __init__(self, state: ExchangeState, engine: MatchingEngine) -> None:
        self._state = state
        self._engine = engine
        self._heap: list[tuple[int, int, QueuedRequest]] = []
        self.last_number = 0

    def push(self, kind: RequestKind, account: AccountState, order_id: str = "", market: str | None = None) -> None:
        state = self._state
        self.last_number += 1
        request = QueuedRequest(self.last_number, kind, account.address, order_id, market, state.now)
        self._add(request)
        state.events.append(RequestQueued(state.now, account.address, request))

    def _add(self, request: QueuedRequest) -> None:
        heappush(self._heap, (request.ready_at, request.seq, request))

    def restore(self, requests: Iterable[QueuedRequest], last_number: int) -> None:
        for request in requests:
            self._add(request)
        self.last_number = last_number

    def waiting(self) -> tuple[QueuedRequest, ...]:
        return tuple(request for _, _, request in sorted(self._heap))

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
                if live.id <= request.order_id:
                    self._engine.cancel(account, live, CancelReason.USER_CANCELED)
            return
        order = account.orders.get(request.order_id)
        if order is not None and request.kind is RequestKind.CANCEL:
            self._engine.cancel(account, order, CancelReason.USER_CANCELED)
        elif order is not None and order.status is OrderStatus.NEW:
            self._engine.execute(account, order)
