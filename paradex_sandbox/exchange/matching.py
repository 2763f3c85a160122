"""The matching queue: orders meet the book in price-time priority."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.book import RestingOrder
from paradex_sandbox.exchange.events import OrderUpdated
from paradex_sandbox.exchange.model import (
    ZERO,
    CancelReason,
    Order,
    OrderClass,
    OrderFlag,
    OrderInstruction,
    OrderStatus,
    RequestStatus,
    SelfTradePrevention,
    Side,
    SystemStatus,
)
from paradex_sandbox.exchange.numbers import q8
from paradex_sandbox.exchange.protection import trip
from paradex_sandbox.exchange.risk import (
    bound_orders,
    bound_size,
    crosses_too_far,
    excess_reduce_only,
    has_lost_parent,
    is_beyond_fair_price,
    market_order_limit,
    parent_of,
    rejection,
    vwap_room,
    waiting_rejection,
)
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
        """Takes a NEW order through the risk checks; ends with it OPEN, CLOSED, or waiting for its trigger."""
        market = self._state.market(order.market)
        if order.type.is_trigger:
            self._wait(account, order, market)
            self.trigger(market)
        else:
            self._enter(account, order, market)
        self.settle_touched()

    def cancel(self, account: AccountState, order: Order, reason: CancelReason) -> None:
        """Closes a live order; one that was closed meanwhile is left alone."""
        if order.is_live:
            self._close(account, order, reason)
            self.settle_touched()

    def cancel_where(self, market: MarketState, reason: CancelReason, applies: Callable[[Order], bool]) -> None:
        """Closes the accounts' live orders in `market` that `applies` picks."""
        for account in self._state.accounts.values():
            for order in account.live_orders(market.symbol):
                if order.is_live and applies(order):
                    self._close(account, order, reason)
        self.settle_touched()

    def trigger(self, market: MarketState) -> None:
        """Executes the orders that the mark price has reached; none while the system is not ok."""
        if not market.triggers or self._state.status is not SystemStatus.OK:
            return
        while (due := market.triggers.next_due(market.mark.mark_price)) is not None:
            self._enter(due.account, due.order, market)
            self.settle_touched()

    def cancel_protected(self, account: AccountState, base_asset: str, reason: CancelReason) -> None:
        """Closes an account's orders under market-maker protection in all markets of a base asset."""
        self._close_protected(account, base_asset, reason)
        self.settle_touched()

    def protect_fair_price(self, market: MarketState) -> None:
        """Between two system states: cancels what is too far from the external fair price."""
        self.cancel_where(
            market,
            CancelReason.FAIR_PRICE_BAND_EXCEEDED,
            lambda order: order.status is OrderStatus.OPEN and is_beyond_fair_price(market, order),
        )

    def expire(self, market: MarketState, reason: CancelReason = CancelReason.MARKET_EXPIRED) -> None:
        """Ends the trading of a market that has reached its expiry, or is taken away: closes every order."""
        market.is_expired = True
        self.cancel_where(market, reason, lambda _: True)
        for resting in market.book.resting():
            self.withdraw(market, resting)

    def restore(self, account: AccountState, order: Order) -> None:
        """Puts a restored OPEN or UNTRIGGERED order back; call in order of `priority`."""
        market = self._state.market(order.market)
        if order.status is OrderStatus.OPEN:
            self._rest(account, order, market)
            account.open(order.market).note(order)
        else:
            market.triggers.add(account, order)

    # -- changes in place ---------------------------------------------------------------------------------------------

    def shrink(self, account: AccountState, order: Order, size: Decimal) -> None:
        """Takes `size` off a resting order, which keeps its place."""
        market = self._state.market(order.market)
        order.size -= size
        order.remaining_size -= size
        resting = account.resting[order.id]
        market.book.home(resting).reduce(resting, size)
        self._touched[account, market] = None
        self.publish(account, order)
        self.settle_touched()

    def reenter(self, account: AccountState, order: Order, wanted: Order) -> None:
        """Gives an OPEN order the size and price of `wanted`, at the end of the queue, trading what it crosses now."""
        market = self._state.market(order.market)
        self._lift(account, order, market)
        order.status = OrderStatus.NEW
        order.size, order.remaining_size, order.price = wanted.size, wanted.remaining_size, wanted.price
        self._take(account, order, market, order.price, CancelReason.IOC_REMAINDER)
        self.settle_touched()

    def wait_again(self, account: AccountState, order: Order) -> None:
        """Lets a changed UNTRIGGERED order wait for its new trigger."""
        market = self._state.market(order.market)
        market.triggers.remove(order)
        market.triggers.add(account, order)
        self._touched[account, market] = None
        self.publish(account, order)
        self.settle_touched()
        self.trigger(market)

    def resize_linked(self, account: AccountState, parent: Order, size: Decimal) -> None:
        """What was to close all that `parent` opens is for all of its new `size`, which it is about to get.

        What was for a part of it stays as it is, unless that is more than the new size.
        """
        before, market = parent.size, self._state.market(parent.market)
        for order in account.live_orders(parent.market) if size != before else ():
            if order.parent_id != parent.id or order.status is not OrderStatus.UNTRIGGERED:
                continue
            order.linked_size = size if order.linked_size == before else min(order.linked_size, size)
            if not order.is_attached and order.size != order.linked_size:
                order.size = order.remaining_size = order.linked_size
                self.publish(account, order)
            self._touched[account, market] = None
        self.settle_touched()

    def unfill(self, account: AccountState, order: Order, size: Decimal, notional: Decimal) -> None:
        """Takes a busted fill back from an order: a resting one grows again, a closed one stays closed."""
        market = self._state.market(order.market)
        order.remaining_size += size
        order.filled_notional -= notional
        order.avg_fill_price = q8(order.filled_notional / order.filled_size) if order.filled_size else None
        if order.status is OrderStatus.OPEN:
            resting = account.resting[order.id]
            market.book.home(resting).grow(resting, size)
        elif not order.cancel_reason:
            order.cancel_reason = CancelReason.TRADE_BUST.value
        self._touched[account, market] = None
        self.publish(account, order)

    # -- traders without an account -----------------------------------------------------------------------------------

    def quote(
        self, market: MarketState, side: Side, price: Decimal, size: Decimal, *, is_rpi: bool = False
    ) -> RestingOrder | None:
        """A limit order of the crowd: trades what it crosses, rests the remainder; None if nothing remains.

        An RPI quote takes nothing.
        """
        remaining = size if is_rpi else self.take(market, side, price, size)
        if not remaining:
            return None
        resting = RestingOrder(side, price, remaining, None, None, is_rpi)
        market.book.home(resting).add(resting)
        return resting

    def withdraw(self, market: MarketState, resting: RestingOrder) -> None:
        """Cancels what remains of a `quote`."""
        if resting.remaining:
            market.book.home(resting).remove(resting)
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
            self.settle_touched()
        return remaining

    # -- internals ----------------------------------------------------------------------------------------------------

    def _wait(self, account: AccountState, order: Order, market: MarketState) -> None:
        reason = CancelReason.MARKET_EXPIRED if market.is_expired else waiting_rejection(market, account, order)
        if reason is not None:
            self._close(account, order, reason)
            return
        order.status = OrderStatus.UNTRIGGERED
        if order.type.closes_position:
            held = bound_size(market, account, order)
            order.is_attached = bool(held)
            parent = parent_of(account, order) if held < order.size else None
            if parent is not None:
                order.parent_id, order.linked_size = parent.id, order.size
        market.triggers.add(account, order)
        self._touched[account, market] = None
        self.publish(account, order)
        self.settle_touched()

    def _enter(self, account: AccountState, order: Order, market: MarketState) -> None:
        """Risk checks, then the book."""
        reason = CancelReason.MARKET_EXPIRED if market.is_expired else rejection(self._state, market, account, order)
        if reason is not None:
            self._close(account, order, reason)
            return
        limit, limit_reason = order.price, CancelReason.IOC_REMAINDER
        vwap_price: Decimal | None = None
        if not order.type.has_price:
            bound = market_order_limit(market, account, order, with_rpi=_reaches_rpi(order))
            if bound is None:
                self._close(account, order, CancelReason.NO_LIQUIDITY)
                return
            (limit, vwap_price), limit_reason = bound, CancelReason.PRICE_BAND_EXCEEDED
        reason = self.passive_rejection(market, order)
        if reason is not None:
            self._close(account, order, reason)
            return
        self._take(account, order, market, limit, limit_reason, vwap_price)

    def passive_rejection(self, market: MarketState, order: Order) -> CancelReason | None:
        """Why an order that must not take would."""
        if order.instruction is OrderInstruction.POST_ONLY and market.book.crosses(order.side, order.price):
            return CancelReason.POST_ONLY_WOULD_CROSS
        if order.instruction is OrderInstruction.RPI and crosses_too_far(market, order):
            return CancelReason.RPI_CROSS_LIMIT_EXCEEDED
        return None

    def _take(
        self,
        account: AccountState,
        order: Order,
        market: MarketState,
        limit: Decimal,
        limit_reason: CancelReason,
        vwap_price: Decimal | None = None,
    ) -> None:
        side, book, with_rpi = order.side, market.book, _reaches_rpi(order)
        is_taker = order.instruction not in (OrderInstruction.RPI, OrderInstruction.POST_ONLY)
        while is_taker and order.remaining_size:
            level = book.best_for(side, with_rpi=with_rpi)
            if level is None or _is_worse(side, level.price, limit):
                break
            maker = level.first()
            if maker.owner is account and maker.order is not None:
                if not self._prevent_self_trade(account, order, maker.order):
                    return
                continue
            matched = min(order.remaining_size, maker.remaining)
            if vwap_price is not None:
                room = vwap_room(order, level.price, vwap_price, market.market.order_size_increment)
                matched = matched if room is None else min(matched, room)
                if not matched:
                    limit_reason = CancelReason.MAX_SLIPPAGE_EXCEEDED
                    break
            settle(self._state, market, side, matched, maker, account, order)
            self._touched[account, market] = None
            self._reduce_maker(market, maker, matched)
            self._protect(account, order, market, side.sign * matched)
            if not order.is_live:
                return
        if not order.remaining_size:
            self._close(account, order, None)
        elif order.type.has_price and order.instruction is not OrderInstruction.IOC:
            order.priority = self._state.next_priority()
            self._rest(account, order, market)
            order.status = OrderStatus.OPEN
            self._touched[account, market] = None
            self.publish(account, order)
        elif book.best_for(side, with_rpi=with_rpi) is None or (order.type.has_price and not order.filled_size):
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
        market.book.home(maker).reduce(maker, matched)
        if maker.owner is None or maker.order is None:
            return
        self._touched[maker.owner, market] = None
        if maker.remaining:
            self.publish(maker.owner, maker.order)
        else:
            del maker.owner.resting[maker.order.id]
            self._close(maker.owner, maker.order, None)
        self._protect(maker.owner, maker.order, market, maker.side.sign * matched)

    def _protect(self, account: AccountState, order: Order, market: MarketState, signed_size: Decimal) -> None:
        """Market-maker protection counts the fill; if it trips, the protected orders of the base asset go."""
        if OrderFlag.MMP not in order.flags or not trip(self._state, account, market, signed_size):
            return
        self._close_protected(account, market.market.base_currency, CancelReason.MMP_TRIGGERED)

    def _close_protected(self, account: AccountState, base_asset: str, reason: CancelReason) -> None:
        for live in account.live_orders():
            if OrderFlag.MMP in live.flags and self._state.markets[live.market].market.base_currency == base_asset:
                self._close(account, live, reason)

    def _rest(self, account: AccountState, order: Order, market: MarketState) -> None:
        is_rpi = order.instruction is OrderInstruction.RPI
        resting = RestingOrder(order.side, order.price, order.remaining_size, account, order, is_rpi)
        account.resting[order.id] = resting
        market.book.home(resting).add(resting)

    def _lift(self, account: AccountState, order: Order, market: MarketState) -> None:
        """Takes an order out of wherever it waits."""
        resting = account.resting.pop(order.id, None)
        if resting is not None:
            market.book.home(resting).remove(resting)
        elif order.status is OrderStatus.UNTRIGGERED:
            market.triggers.remove(order)

    def _close(self, account: AccountState, order: Order, reason: CancelReason | None) -> None:
        market = self._state.market(order.market)
        self._lift(account, order, market)
        order.status = OrderStatus.CLOSED
        if order.request_info is not None and order.request_info.status == RequestStatus.PENDING:
            order.request_info = replace(order.request_info, status=RequestStatus.REJECTED, message="order is closed")
        order.cancel_reason = reason.value if reason is not None else ""
        account.order_closed(order, self._state.now)
        if market.triggers:
            # It may have been what a take-profit or stop-loss waited for.
            self._touched[account, market] = None
        self.publish(account, order)

    def publish(self, account: AccountState, order: Order) -> None:
        """Stamps and publishes a change of an order."""
        state = self._state
        account.open(order.market).note(order)
        state.touch(order)
        state.events.append(OrderUpdated(state.now, account.address, order.snapshot()))
        state.dirty_accounts[account] = None

    def settle_touched(self) -> None:
        """Cancels and resizes orders that no longer fit the position, in every account that the operation touched."""
        while self._touched:
            touched = tuple(self._touched)
            self._touched.clear()
            for account, market in touched:
                for order in excess_reduce_only(market, account):
                    self._close(account, order, CancelReason.REDUCE_ONLY_WOULD_INCREASE)
                for order, left in bound_orders(market, account):
                    self._fit(account, order, left)

    def _fit(self, account: AccountState, order: Order, left: Decimal) -> None:
        if left:
            # Nothing of a waiting order has been filled.
            order.size = order.remaining_size = left
            order.is_attached = True
            if has_lost_parent(account, order):
                # The position is what it will be: from here on the order is one of the position's, and only shrinks.
                order.parent_id, order.linked_size = "", ZERO
            self.publish(account, order)
        else:
            self._close(account, order, CancelReason.POSITION_CLOSED)


def _reaches_rpi(order: Order) -> bool:
    """RPI orders meet Retail takers only."""
    return order.order_class is OrderClass.INTERACTIVE


def _is_worse(side: Side, price: Decimal, limit: Decimal) -> bool:
    """Whether `price` is beyond what a taker on `side` accepts."""
    return price > limit if side is Side.BUY else price < limit
