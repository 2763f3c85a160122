"""What the matching queue checks before an order may trade."""

from collections.abc import Iterable
from decimal import Decimal

from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.exposure import Exposure
from paradex_sandbox.exchange.margin import account_margin, open_size
from paradex_sandbox.exchange.model import (
    ZERO,
    CancelReason,
    Order,
    OrderFlag,
    OrderInstruction,
    OrderStatus,
    Side,
    SystemStatus,
)
from paradex_sandbox.exchange.numbers import EXACT
from paradex_sandbox.exchange.state import ExchangeState, MarketState

#: Before a market expires only reduce-only orders pass. Paradex names no length; dated markets settle on the average
#: of their last 30 minutes.
REDUCE_ONLY_PERIOD_US = 1800 * 1_000_000
#: How far from the external fair price orders may be in cancel_only and post_only (docs: trading/maintenance-mode).
FAIR_PRICE_WIDTH = Decimal("0.0005")
#: How far an RPI order may reach into the other side of the API book.
RPI_CROSS_WIDTH = Decimal("0.0005")


def rejection(state: ExchangeState, market: MarketState, account: AccountState, order: Order) -> CancelReason | None:
    """Why `order` must not reach the book, None if it may."""
    reason = _system_rejection(state, market, order) or _protection_rejection(market, account, order)
    if reason is not None:
        return reason
    if order.reduce_only and not reduces(market, account, order):
        return CancelReason.REDUCE_ONLY_WOULD_INCREASE
    if not order.reduce_only and is_near_expiry(state, market):
        return CancelReason.REDUCE_ONLY_PERIOD
    if order.type.has_price and _is_beyond_band(market, order):
        return CancelReason.PRICE_BAND_EXCEEDED
    if not order.reduce_only:
        if _exceeds_position_limit(market, account, order):
            return CancelReason.POSITION_LIMIT_EXCEEDED
        if not _has_margin(state, market, account, order):
            return CancelReason.NOT_ENOUGH_MARGIN
    return None


def waiting_rejection(market: MarketState, account: AccountState, order: Order) -> CancelReason | None:
    """Why a trigger order must not even wait: a take-profit or stop-loss needs a position, or an order that opens one.

    Everything else is checked when it is triggered.
    """
    if order.type.closes_position and not bound_size(market, account, order) and parent_of(account, order) is None:
        return CancelReason.REDUCE_ONLY_WOULD_INCREASE
    return _protection_rejection(market, account, order)


def is_near_expiry(state: ExchangeState, market: MarketState) -> bool:
    expiry = market.market.expiry_at
    return bool(expiry) and state.now >= expiry - REDUCE_ONLY_PERIOD_US


def is_beyond_fair_price(market: MarketState, order: Order) -> bool:
    """Whether an order is more aggressive than 5 bps beyond the external fair price.

    That is spot times the median basis of five venues; the one venue of the sandbox has its mark.
    """
    if not order.type.has_price:
        return True
    fair = market.mark.mark_price
    return (order.price - fair * (1 + order.side.sign * FAIR_PRICE_WIDTH)) * order.side.sign > 0


def crosses_too_far(market: MarketState, order: Order) -> bool:
    """Whether an RPI order reaches more than 5 bps into the API book's other side."""
    best = market.book.side(order.side.opposite).best()
    if best is None:
        return False
    return (order.price - best.price * (1 + order.side.sign * RPI_CROSS_WIDTH)) * order.side.sign > 0


def _system_rejection(state: ExchangeState, market: MarketState, order: Order) -> CancelReason | None:
    """For what was acknowledged before the system's status changed."""
    status = state.status
    if status is SystemStatus.OK:
        return None
    if status is not SystemStatus.POST_ONLY:
        return CancelReason.SYSTEM_STATUS_CANCEL_ONLY
    if order.instruction not in (OrderInstruction.POST_ONLY, OrderInstruction.RPI):
        return CancelReason.SYSTEM_STATUS_POST_ONLY
    return CancelReason.FAIR_PRICE_BAND_EXCEEDED if is_beyond_fair_price(market, order) else None


def _protection_rejection(market: MarketState, account: AccountState, order: Order) -> CancelReason | None:
    if OrderFlag.MMP not in order.flags:
        return None
    guard = account.mmp.get(market.market.base_currency)
    if guard is None:
        return CancelReason.MMP_NOT_CONFIGURED
    return CancelReason.MMP_FROZEN if guard.is_frozen else None


def bound_size(market: MarketState, account: AccountState, order: Order) -> Decimal:
    """How much of the position an order could close; 0 where it is not against it."""
    position = account.position_size(market.symbol)
    return abs(position) if (position > 0) == (order.side is Side.SELL) else ZERO


def parent_of(account: AccountState, order: Order) -> Order | None:
    """The order that is to open the position of a take-profit or stop-loss: the newest that could."""
    live = account.live.get(order.market, {}).values()
    opening = (o for o in live if o.side is not order.side and not o.reduce_only)
    return max(opening, key=lambda other: other.id, default=None)


def has_lost_parent(account: AccountState, order: Order) -> bool:
    """Whether the order that was to open the position of a take-profit or stop-loss is closed."""
    parent = account.orders.get(order.parent_id)
    return bool(order.parent_id) and (parent is None or not parent.is_live)


def bound_orders(market: MarketState, account: AccountState) -> list[tuple[Order, Decimal]]:
    """Waiting take-profits and stop-losses that no longer fit their position, with the size that does; 0 if it is gone.

    They shrink with it. While the order that opens it is at work they also grow with it, up to what they were for.
    """
    if not market.triggers:
        return []
    unfit = []
    for order in account.live_orders(market.symbol):
        if not order.type.closes_position or order.status is not OrderStatus.UNTRIGGERED:
            continue
        left = bound_size(market, account, order)
        if left:
            fit = min(order.linked_size if order.parent_id else order.remaining_size, left)
            if not order.is_attached or order.remaining_size != fit or has_lost_parent(account, order):
                unfit.append((order, fit))
        elif order.is_attached or parent_of(account, order) is None:
            unfit.append((order, ZERO))
    return unfit


def price_band(market: MarketState) -> tuple[Decimal, Decimal]:
    """Limit down and limit up price."""
    mark, width = market.mark.mark_price, market.market.price_bands_width
    return mark * (1 - width), mark * (1 + width)


def market_order_limit(
    market: MarketState, account: AccountState, order: Order, *, with_rpi: bool
) -> tuple[Decimal, Decimal | None] | None:
    """The worst price of any fill of a MARKET order, and of their average; None on an empty book.

    No fill is beyond the price band. The average stays within the order's own `vwap_price`, or the maximum slippage
    (the account's own, or the market's) from the best opposite price (docs: trading/orders/vwap-price-protection).
    Slippage does not bound take-profits and stop-losses (docs: trading/slippage): their second price is None.
    """
    best = market.book.best_for(order.side, with_rpi=with_rpi)
    if best is None:
        return None
    low, high = price_band(market)
    terminal = high if order.side is Side.BUY else low
    if order.type.closes_position:
        return terminal, None
    slippage = account.info.max_slippage.get(market.symbol, market.market.max_slippage)
    return terminal, order.vwap_price or best.price * (1 + order.side.sign * slippage)


def vwap_room(order: Order, price: Decimal, vwap_price: Decimal, step: Decimal) -> Decimal | None:
    """How much more at `price`, in whole steps, keeps the average of the order's fills within `vwap_price`.

    None where any amount does.
    """
    sign = Decimal(order.side.sign)
    beyond = EXACT.multiply(EXACT.subtract(price, vwap_price), sign)
    if beyond <= 0:
        return None
    allowed = EXACT.multiply(vwap_price, order.filled_size)
    saved = EXACT.multiply(EXACT.subtract(allowed, order.filled_notional), sign)
    return EXACT.multiply(max(ZERO, EXACT.divide_int(saved, EXACT.multiply(beyond, step))), step)


def reduces(market: MarketState, account: AccountState, order: Order) -> bool:
    """Whether a reduce-only order would only reduce.

    It must be against the position, and fit into what is left when every more aggressive open order of its side has
    filled (docs: trading/placing-orders/order-instructions, scenarios 1 to 3).
    """
    position = account.position_size(market.symbol)
    if not position or (position > 0) == (order.side is Side.BUY):
        return False
    ahead = sum(
        (other.remaining_size for other in _same_side(account, order) if _is_ahead(other, order)),
        ZERO,
    )
    return ahead + order.remaining_size <= abs(position)


def excess_reduce_only(market: MarketState, account: AccountState) -> list[Order]:
    """Open reduce-only orders that the position has shrunk below, the least aggressive first to go."""
    if not account.open(market.symbol).has_reduce_only:
        return []
    open_orders = list(account.open_orders(market.symbol))
    position = account.position_size(market.symbol)
    excess = []
    for side in Side:
        left = abs(position) if position and (position > 0) == (side is Side.SELL) else ZERO
        queue = sorted((o for o in open_orders if o.side is side), key=_aggressiveness)
        for order in queue:
            if order.reduce_only and order.remaining_size > left:
                excess.append(order)
            else:
                left -= order.remaining_size
    return excess


def _same_side(account: AccountState, order: Order) -> Iterable[Order]:
    return (o for o in account.open_orders(order.market) if o.side is order.side and o is not order)


def _aggressiveness(order: Order) -> tuple[Decimal, int]:
    return (-order.price if order.side is Side.BUY else order.price, order.priority)


def _is_ahead(other: Order, order: Order) -> bool:
    """Whether `other`, which rests, fills before `order`, which arrives."""
    if not order.type.has_price:
        return False
    return other.price >= order.price if order.side is Side.BUY else other.price <= order.price


def _is_beyond_band(market: MarketState, order: Order) -> bool:
    low, high = price_band(market)
    return order.price > high if order.side is Side.BUY else order.price < low


def _exceeds_position_limit(market: MarketState, account: AccountState, order: Order) -> bool:
    position = account.position_size(market.symbol) * order.side.sign
    same_side = account.open(market.symbol).size(order.side)
    return order.remaining_size + same_side + position > market.market.position_limit


def _has_margin(state: ExchangeState, market: MarketState, account: AccountState, order: Order) -> bool:
    """The account must meet its initial margin with the order, unless the order adds nothing to its open size.

    A MARKET order is measured at the best price it would take.
    """
    price: Decimal | None = order.price
    if not order.type.has_price:
        best = market.book.side(order.side.opposite).best()
        price = best.price if best is not None else None
    exposure = (Exposure(order.side, order.remaining_size, price),)
    if open_size(market, account, exposure) <= open_size(market, account):
        return True
    after = account_margin(state, account, order.market, exposure)
    return after.value >= after.initial
