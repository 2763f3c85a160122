"""The matching queue: orders meet the book in price-time priority."""

from collections.abc import Iterable
from decimal import Decimal

from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.book import RestingOrder
from paradex_sandbox.exchange.events import OrderUpdated
from paradex_sandbox.exchange.model import (
    CancelReason,
    Order,
    OrderInstruction,
    OrderStatus,
    OrderType,
    SelfTradePrevention,
    Side,
)
from paradex_sandbox.exchange.risk import excess_reduce_only, market_order_limit, rejection
from paradex_sandbox.exchange.settlement import settle
from paradex_sandbox.exchange.state import ExchangeState, MarketState


class MatchingEngine:
    """Executes orders and cancellations on the shared state, one after the other."""

    def __init__(self, state: ExchangeState) -> None:
        self._state = state
        # Accounts whose position or resting orders this operation changed, by market.
        self._touched: dict[tuple[AccountState, MarketState], None] = {}

    # -- accounts' orders ---------------------------------------------------------------------------------------------

    def execute(self, account: AccountState, order: Order) -> None:
        """Takes a NEW order through the risk checks into the book; ends with it OPEN or CLOSED."""
        market = self._state.market(order.market)
        reason = CancelReason.MARKET_EXPIRED if market.is_expired else rejection(self._state, market, account, order)
        if reason is not None:
            self._close(account, order, reason)
            return
        limit, limit_reason = order.price, CancelReason.IOC_REMAINDER
        if order.type is OrderType.MARKET:
            bound = market_order_limit(market, order.side)
            if bound is None:
                self._close(account, order, CancelReason.NO_LIQUIDITY)
                return
            limit, limit_reason = bound
        elif order.instruction is OrderInstruction.POST_ONLY and market.book.crosses(order.side, order.price):
            self._close(account, order, CancelReason.POST_ONLY_WOULD_CROSS)
            return
        self._take(account, order, market, limit, limit_reason)
        self._settle_reduce_only()

    def cancel(self, account: AccountState, order: Order, reason: CancelReason) -> None:
        """Closes a live order; one that was closed meanwhile is left alone."""
        if order.is_live:
            self._close(account, order, reason)

    def expire(self, market: MarketState) -> None:
        """Closes every order of a market that has reached its expiry."""
        market.is_expired = True
        for account in self._state.accounts.values():
            for order in account.live_orders(market.symbol):
                self._close(account, order, CancelReason.MARKET_EXPIRED)
        for side in Side:
            for resting in market.book.side(side).resting():
                self.withdraw(market, resting)

    def rest_again(self, account: AccountState, order: Order) -> None:
        """Puts a restored OPEN order back; call in order of `priority`."""
        self._rest(account, order, self._state.market(order.market))

    # -- traders without an account -----------------------------------------------------------------------------------

    def quote(self, market: MarketState, side: Side, price: Decimal, size: Decimal) -> RestingOrder | None:
        """A limit order of the crowd: trades what it crosses, rests the remainder; None if nothing remains."""
        remaining = self.take(market, side, price, size)
        if not remaining:
            return None
        resting = RestingOrder(side, price, remaining, None, None)
        market.book.side(side).add(resting)
        return resting

    def withdraw(self, market: MarketState, resting: RestingOrder) -> None:
        """Cancels what remains of a `quote`."""
        if resting.remaining:
            market.book.side(resting.side).remove(resting)
            # Marks it as gone, so that withdrawing twice is harmless.
            resting.remaining -= resting.remaining

    def take(self, market: MarketState, side: Side, limit: Decimal, size: Decimal) -> Decimal:
        """An immediate order of the crowd, no worse than `limit`; returns what found no counterpart."""
        opposite = market.book.side(side.opposite)
        remaining = size
        while remaining:
            level = opposite.best()
            if level is None or _is_worse(side, level.price, limit):
                break
            maker = level.first()
            matched = min(remaining, maker.remaining)
            settle(self._state, market, side, matched, maker, None, None)
            remaining -= matched
            self._reduce_maker(market, maker, matched)
        if self._touched:
            self._settle_reduce_only()
        return remaining

    # -- internals ----------------------------------------------------------------------------------------------------

    def _take(
        self, account: AccountState, order: Order, market: MarketState, limit: Decimal, limit_reason: CancelReason
    ) -> None:
        side, opposite = order.side, market.book.side(order.side.opposite)
        while order.remaining_size:
            level = opposite.best()
            if level is None or _is_worse(side, level.price, limit):
                break
            maker = level.first()
            if maker.owner is account and maker.order is not None:
                if not self._prevent_self_trade(account, order, maker.order):
                    return
                continue
            matched = min(order.remaining_size, maker.remaining)
            settle(self._state, market, side, matched, maker, account, order)
            self._touched[account, market] = None
            self._reduce_maker(market, maker, matched)
        if not order.remaining_size:
            self._close(account, order, None)
        elif order.type is OrderType.LIMIT and order.instruction is not OrderInstruction.IOC:
            order.priority = self._state.next_priority()
            self._rest(account, order, market)
            order.status = OrderStatus.OPEN
            self._touched[account, market] = None
            self._publish(account, order)
        elif opposite.best() is None or (order.type is OrderType.LIMIT and not order.filled_size):
            self._close(account, order, CancelReason.NO_LIQUIDITY)
        else:
            self._close(account, order, limit_reason)

    def _prevent_self_trade(self, account: AccountState, taker: Order, maker: Order) -> bool:
        """Expires what the taker's mode says; returns whether the taker may go on."""
        mode = taker.stp or SelfTradePrevention.EXPIRE_TAKER
        if mode is not SelfTradePrevention.EXPIRE_TAKER:
            self._close(account, maker, CancelReason.SELF_TRADE)
        if mode is SelfTradePrevention.EXPIRE_MAKER:
            return True
        self._close(account, taker, CancelReason.SELF_TRADE)
        return False

    def _reduce_maker(self, market: MarketState, maker: RestingOrder, matched: Decimal) -> None:
        market.book.side(maker.side).reduce(maker, matched)
        if maker.owner is None or maker.order is None:
            return
        self._touched[maker.owner, market] = None
        if maker.remaining:
            self._publish(maker.owner, maker.order)
        else:
            del maker.owner.resting[maker.order.id]
            self._close(maker.owner, maker.order, None)

    def _rest(self, account: AccountState, order: Order, market: MarketState) -> None:
        resting = RestingOrder(order.side, order.price, order.remaining_size, account, order)
        account.resting[order.id] = resting
        market.book.side(order.side).add(resting)

    def _close(self, account: AccountState, order: Order, reason: CancelReason | None) -> None:
        resting = account.resting.pop(order.id, None)
        if resting is not None:
            self._state.market(order.market).book.side(order.side).remove(resting)
        order.status = OrderStatus.CLOSED
        order.cancel_reason = reason.value if reason is not None else ""
        account.order_closed(order)
        self._publish(account, order)

    def _publish(self, account: AccountState, order: Order) -> None:
        state = self._state
        state.touch(order)
        state.events.append(OrderUpdated(state.now, account.address, order.snapshot()))
        state.dirty_accounts[account] = None

    def _settle_reduce_only(self) -> None:
        """Cancels reduce-only orders that no longer fit, in every account that the operation touched."""
        touched: Iterable[tuple[AccountState, MarketState]] = tuple(self._touched)
        self._touched.clear()
        for account, market in touched:
            for order in excess_reduce_only(market, account):
                self._close(account, order, CancelReason.REDUCE_ONLY_WOULD_INCREASE)


def _is_worse(side: Side, price: Decimal, limit: Decimal) -> bool:
    """Whether `price` is beyond what a taker on `side` accepts."""
    return price > limit if side is Side.BUY else price < limit
