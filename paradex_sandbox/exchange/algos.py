"""Algo orders at work: slices at their time (`algo.py` has the order itself)."""

from paradex_sandbox.exchange import validation
from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.algo import AlgoOrder, AlgoRequest
from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.events import AlgoUpdated, OrderUpdated
from paradex_sandbox.exchange.matching import MatchingEngine
from paradex_sandbox.exchange.model import CancelReason, OrderClass, OrderStatus, SystemStatus
from paradex_sandbox.exchange.orders import in_steps, slice_order
from paradex_sandbox.exchange.state import ExchangeState, MarketState

_SECOND = 1_000_000
#: A slice that ends like this was unlucky; one that ends in any other way ends the algo order.
_UNLUCKY = frozenset(
    ("", CancelReason.NO_LIQUIDITY, CancelReason.MAX_SLIPPAGE_EXCEEDED, CancelReason.PRICE_BAND_EXCEEDED)
)


class AlgoRunner:
    """Starts, slices and ends algo orders; they wait while the system is not ok."""

    def __init__(self, state: ExchangeState, engine: MatchingEngine) -> None:
        self._state = state
        self._engine = engine

    def create(self, account: AccountState, market: MarketState, request: AlgoRequest) -> AlgoOrder:
        state = self._state
        validation.check_algo(state, market, account, request)
        is_retail = request.order_class is OrderClass.INTERACTIVE and account.retail.admit(state.now)
        size = in_steps(market.market, request.size)
        algo = AlgoOrder(
            id=state.next_id(),
            account=account.address,
            market=market.symbol,
            side=request.side,
            size=size,
            remaining_size=size,
            status=OrderStatus.OPEN,
            duration_seconds=request.duration_seconds,
            frequency=request.frequency,
            avg_fill_price=None,
            cancel_reason="",
            created_at=state.now,
            end_at=state.now + request.duration_seconds * _SECOND,
            last_updated_at=state.now,
            signature=request.signature,
            timestamp=request.signature_timestamp,
            order_class=OrderClass.INTERACTIVE if is_retail else OrderClass.PRO,
        )
        account.add_algo(algo)
        self._publish(account, algo)
        return algo.snapshot()

    def cancel(self, account: AccountState, algo_id: str) -> AlgoOrder:
        algo = account.live_algos.get(algo_id)
        if algo is None:
            raise ExchangeError("ALGO_ID_NOT_FOUND", f"no open algo order has id {algo_id}")
        self._close(account, algo, CancelReason.USER_CANCELED)
        return algo.snapshot()

    def cancel_all(self, account: AccountState, reason: CancelReason, market: str | None = None) -> None:
        for algo in list(account.live_algos.values()):
            if market is None or algo.market == market:
                self._close(account, algo, reason)

    def run(self) -> None:
        """Executes the slices that are due."""
        state = self._state
        if state.status is not SystemStatus.OK:
            return
        for account in state.accounts.values():
            for algo in list(account.live_algos.values()):
                while algo.is_live and algo.next_slice_at <= state.now:
                    self._slice(account, algo)

    def _slice(self, account: AccountState, algo: AlgoOrder) -> None:
        state, market = self._state, self._state.market(algo.market)
        size = algo.next_size(market.market.order_size_increment)
        algo.slices_done += 1
        reason = ""
        if size:
            order = slice_order(state, account, market.market, algo.side, size, algo)
            account.add_order(order)
            state.events.append(OrderUpdated(state.now, account.address, order.snapshot()))
            self._engine.execute(account, order)
            algo.book(order.filled_size, order.filled_notional)
            reason = order.cancel_reason
        if not algo.is_live:
            return
        if not algo.remaining_size or algo.slices_done >= algo.slices or reason not in _UNLUCKY:
            self._close(account, algo, reason if algo.remaining_size else "")
        else:
            self._publish(account, algo)

    def _close(self, account: AccountState, algo: AlgoOrder, reason: str) -> None:
        algo.status = OrderStatus.CLOSED
        algo.cancel_reason = str(reason)
        account.live_algos.pop(algo.id, None)
        self._publish(account, algo)

    def _publish(self, account: AccountState, algo: AlgoOrder) -> None:
        algo.last_updated_at = self._state.now
        self._state.events.append(AlgoUpdated(self._state.now, account.address, algo.snapshot()))
