"""From a validated request to an order."""

from decimal import Decimal

from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.algo import AlgoOrder
from paradex_sandbox.exchange.model import (
    ZERO,
    Market,
    Order,
    OrderClass,
    OrderFlag,
    OrderInstruction,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
)
from paradex_sandbox.exchange.numbers import EXACT
from paradex_sandbox.exchange.state import ExchangeState


def new_order(state: ExchangeState, owner: AccountState, market: Market, request: OrderRequest) -> Order:
    """The NEW order of a request that `validation.check` has passed.

    A Retail order beyond the account's limits becomes a Pro order.
    """
    # What is set by what the order is comes after what was sent.
    implied = (OrderFlag.INTERACTIVE, OrderFlag.TARGET_STRATEGY_VWAP)
    flags: tuple[OrderFlag, ...] = tuple(flag for flag in request.flags if flag not in implied)
    if request.type is OrderType.MARKET:
        flags = (*flags, OrderFlag.TARGET_STRATEGY_VWAP)
    order_class = request.order_class
    if order_class is OrderClass.INTERACTIVE:
        if owner.retail.admit(state.now):
            flags = (*flags, OrderFlag.INTERACTIVE)
        else:
            order_class = OrderClass.PRO
    # Validated as multiples, so quantizing only fixes how they are written: 10, not 1E+1.
    size = in_steps(market, request.size)
    price = ZERO
    if request.type.has_price and request.price is not None:
        price = in_ticks(market, request.price)
    trigger_price = in_ticks(market, request.trigger_price) if request.trigger_price else None
    return Order(
        id=state.next_id(),
        account=owner.address,
        market=market.symbol,
        side=request.side,
        type=request.type,
        size=size,
        remaining_size=size,
        price=price,
        status=OrderStatus.NEW,
        instruction=request.instruction,
        flags=flags,
        client_id=request.client_id,
        stp=request.stp,
        trigger_price=trigger_price,
        avg_fill_price=None,
        cancel_reason="",
        created_at=state.now,
        last_updated_at=state.now,
        published_at=state.now,
        received_at=request.received_at or state.now,
        timestamp=request.signature_timestamp,
        seq_no=state.next_seq(),
        signature=request.signature,
        order_class=order_class,
        vwap_price=request.vwap_price,
    )


def slice_order(
    state: ExchangeState,
    owner: AccountState,
    market: Market,
    side: Side,
    size: Decimal,
    algo: AlgoOrder,
) -> Order:
    """A MARKET order of an algo order, NEW."""
    is_retail = algo.order_class is OrderClass.INTERACTIVE
    return Order(
        id=state.next_id(),
        account=owner.address,
        market=market.symbol,
        side=side,
        type=OrderType.MARKET,
        size=size,
        remaining_size=size,
        price=ZERO,
        status=OrderStatus.NEW,
        instruction=OrderInstruction.GTC,
        flags=(OrderFlag.TARGET_STRATEGY_VWAP, *((OrderFlag.INTERACTIVE,) if is_retail else ())),
        client_id="",
        stp=None,
        trigger_price=None,
        avg_fill_price=None,
        cancel_reason="",
        created_at=state.now,
        last_updated_at=state.now,
        published_at=state.now,
        received_at=state.now,
        timestamp=algo.timestamp,
        seq_no=state.next_seq(),
        signature=algo.signature,
        order_class=algo.order_class,
        algo_id=algo.id,
    )


def in_ticks(market: Market, price: Decimal) -> Decimal:
    """A price that is a multiple of the tick, written with the tick's decimals."""
    return price.quantize(market.price_tick_size, context=EXACT)


def in_steps(market: Market, size: Decimal) -> Decimal:
    """A size that is a multiple of the increment, written with its decimals."""
    return size.quantize(market.order_size_increment, context=EXACT)
