"""What the matching queue checks before an order may trade."""

from collections.abc import Iterable
from decimal import Decimal

from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.margin import Exposure, account_margin, open_size
from paradex_sandbox.exchange.model import ZERO, CancelReason, Order, OrderType, Side
from paradex_sandbox.exchange.state import ExchangeState, MarketState


def rejection(state: ExchangeState, market: MarketState, account: AccountState, order: Order) -> CancelReason | None:
    """Why `order` must not reach the book, None if it may."""
    if order.reduce_only and not reduces(market, account, order):
        return CancelReason.REDUCE_ONLY_WOULD_INCREASE
    if order.type is OrderType.LIMIT and _is_beyond_band(market, order):
        return CancelReason.PRICE_BAND_EXCEEDED
    if not order.reduce_only:
        if _exceeds_position_limit(market, account, order):
            return CancelReason.POSITION_LIMIT_EXCEEDED
        if not _has_margin(state, market, account, order):
            return CancelReason.NOT_ENOUGH_MARGIN
    return None


def price_band(market: MarketState) -> tuple[Decimal, Decimal]:
    """Limit down and limit up price."""
    mark, width = market.mark.mark_price, market.market.price_bands_width
    return mark * (1 - width), mark * (1 + width)


def market_order_limit(market: MarketState, side: Side) -> tuple[Decimal, CancelReason] | None:
    """The worst price that a MARKET order takes and why no worse one; None on an empty book.

    The nearer of the price band and `max_slippage` from the best opposite price.
    """
    best = market.book.side(side.opposite).best()
    if best is None:
        return None
    low, high = price_band(market)
    if side is Side.BUY:
        slipped = best.price * (1 + market.market.max_slippage)
        bound, is_banded = min(slipped, high), high < slipped
    else:
        slipped = best.price * (1 - market.market.max_slippage)
        bound, is_banded = max(slipped, low), low > slipped
    return bound, CancelReason.PRICE_BAND_EXCEEDED if is_banded else CancelReason.MAX_SLIPPAGE_EXCEEDED


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
    open_orders = list(account.open_orders(market.symbol))
    if not any(order.reduce_only for order in open_orders):
        return []
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
    if order.type is OrderType.MARKET:
        return False
    return other.price >= order.price if order.side is Side.BUY else other.price <= order.price


def _is_beyond_band(market: MarketState, order: Order) -> bool:
    low, high = price_band(market)
    return order.price > high if order.side is Side.BUY else order.price < low


def _exceeds_position_limit(market: MarketState, account: AccountState, order: Order) -> bool:
    position = account.position_size(market.symbol) * order.side.sign
    same_side = sum((other.remaining_size for other in _same_side(account, order)), ZERO)
    return order.remaining_size + same_side + position > market.market.position_limit


def _has_margin(state: ExchangeState, market: MarketState, account: AccountState, order: Order) -> bool:
    """The account must meet its initial margin with the order, unless the order adds nothing to its open size.

    A MARKET order is measured at the best price it would take.
    """
    price: Decimal | None = order.price
    if order.type is OrderType.MARKET:
        best = market.book.side(order.side.opposite).best()
        price = best.price if best is not None else None
    exposure = (Exposure(order.side, order.remaining_size, price),)
    if open_size(market, account, exposure) <= open_size(market, account):
        return True
    after = account_margin(state, account, order.market, exposure)
    return after.value >= after.initial
