"""An account with everything that hangs on it."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from paradex_sandbox.exchange.algo import AlgoOrder
from paradex_sandbox.exchange.book import RestingOrder
from paradex_sandbox.exchange.exposure import OpenOrders
from paradex_sandbox.exchange.mmp import MmpGuard
from paradex_sandbox.exchange.model import (
    SETTLEMENT_TOKEN,
    ZERO,
    Account,
    Balance,
    Fill,
    FundingPayment,
    Liquidation,
    MarginConfig,
    Market,
    Order,
    OrderStatus,
    TradeBust,
)
from paradex_sandbox.exchange.positions import PositionState
from paradex_sandbox.exchange.retail import RetailLimiter

#: How many closed orders, fills and payments of an account are kept in memory.
HISTORY_LENGTH = 10_000
#: Clients look in the history for orders whose answer was lost. So closed orders are kept for five minutes (µs), also
#: where 10 000 come in less; but never more than these.
CLOSED_ORDER_LIFE = 300_000_000
MAX_CLOSED_ORDERS = 50_000


class AccountState:
    """`info` is what others see; orders are kept by id in the order of their creation, which is that of their ids."""

    def __init__(self, info: Account) -> None:
        self.info = info
        self.address = info.address
        self.balance_updated_at: dict[str, int] = dict.fromkeys(info.balances, info.created_at)
        self.orders: dict[str, Order] = {}
        self.live: dict[str, dict[str, Order]] = {}
        self._open: dict[str, OpenOrders] = {}
        self.live_client_ids: dict[str, str] = {}
        #: In the order in which they were closed.
        self._closed: deque[Order] = deque()
        self.resting: dict[str, RestingOrder] = {}
        self.positions: dict[str, PositionState] = {}
        self.fills: deque[Fill] = deque(maxlen=HISTORY_LENGTH)
        self.funding_payments: deque[FundingPayment] = deque(maxlen=HISTORY_LENGTH)
        self.tradebusts: deque[TradeBust] = deque(maxlen=HISTORY_LENGTH)
        self.liquidations: deque[Liquidation] = deque(maxlen=HISTORY_LENGTH)
        self.algos: dict[str, AlgoOrder] = {}
        self.live_algos: dict[str, AlgoOrder] = {}
        self.mmp: dict[str, MmpGuard] = {}
        self.retail = RetailLimiter()
        # Of the last published account summary.
        self.summary_seq = 0
        self.summary_at = info.created_at

    @property
    def collateral(self) -> Decimal:
        """The balance of the settlement token, which is all that counts as collateral."""
        return self.info.balances.get(SETTLEMENT_TOKEN, ZERO)

    def change_balance(self, token: str, amount: Decimal, now: int) -> tuple[Decimal, Decimal]:
        """Adds a signed `amount`; returns the balance before and after."""
        before = self.info.balances.get(token, ZERO)
        after = before + amount
        self.info.balances[token] = after
        self.balance_updated_at[token] = now
        return before, after

    def balances(self) -> list[Balance]:
        return [Balance(token, size, self.balance_updated_at[token]) for token, size in self.info.balances.items()]

    def position_size(self, market: str) -> Decimal:
        position = self.positions.get(market)
        return position.size if position is not None else ZERO

    def leverage(self, market: Market) -> int:
        """What was chosen, as far as the market still allows it."""
        return min(self.info.leverage.get(market.symbol, market.max_leverage), market.max_leverage)

    def margin_config(self, market: Market) -> MarginConfig:
        return MarginConfig(market.symbol, self.leverage(market))

    # -- orders -------------------------------------------------------------------------------------------------------

    def add_order(self, order: Order) -> None:
        self.orders[order.id] = order
        if order.is_live:
            self.live.setdefault(order.market, {})[order.id] = order
            if order.client_id:
                self.live_client_ids[order.client_id] = order.id
        else:
            self._closed.append(order)

    def order_closed(self, order: Order, now: int) -> None:
        """Takes a closed order out of the live ones; it stays in `orders` until it is one of too many."""
        self.live.get(order.market, {}).pop(order.id, None)
        if self.live_client_ids.get(order.client_id) == order.id:
            del self.live_client_ids[order.client_id]
        closed = self._closed
        closed.append(order)
        while len(closed) > HISTORY_LENGTH and (
            len(closed) > MAX_CLOSED_ORDERS or closed[0].last_updated_at <= now - CLOSED_ORDER_LIFE
        ):
            del self.orders[closed.popleft().id]

    def live_orders(self, market: str | None = None) -> list[Order]:
        """Oldest first."""
        if market is not None:
            return list(self.live.get(market, {}).values())
        return sorted((o for orders in self.live.values() for o in orders.values()), key=lambda o: o.id)

    def open(self, market: str) -> OpenOrders:
        """What the open orders in a market add up to."""
        orders = self._open.get(market)
        if orders is None:
            orders = self._open[market] = OpenOrders()
        return orders

    def open_orders(self, market: str) -> Iterator[Order]:
        """Those that have passed the risk check."""
        return (o for o in self.live.get(market, {}).values() if o.status is OrderStatus.OPEN)

    def forget_market(self, market: str) -> None:
        """Drops what hangs on a market in which nothing is open any more; orders and fills of the past stay."""
        for by_market in (self.live, self._open, self.positions, self.info.leverage, self.info.max_slippage):
            by_market.pop(market, None)

    # -- algo orders --------------------------------------------------------------------------------------------------

    def add_algo(self, algo: AlgoOrder) -> None:
        self.algos[algo.id] = algo
        if algo.is_live:
            self.live_algos[algo.id] = algo
        if len(self.algos) > HISTORY_LENGTH:
            oldest = next((known.id for known in self.algos.values() if not known.is_live), None)
            if oldest is not None:
                del self.algos[oldest]


def copy_account(info: Account) -> Account:
    """A copy that later changes do not touch."""
    return replace(
        info,
        subkeys={key: replace(subkey) for key, subkey in info.subkeys.items()},
        balances=dict(info.balances),
        leverage=dict(info.leverage),
        max_slippage=dict(info.max_slippage),
    )
