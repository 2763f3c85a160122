"""From a validated request to an order."""

from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.model import (
    ZERO,
    Market,
    Order,
    OrderClass,
    OrderFlag,
    OrderRequest,
    OrderStatus,
    OrderType,
)
from paradex_sandbox.exchange.numbers import EXACT
from paradex_sandbox.exchange.state import ExchangeState


def new_order(state: ExchangeState, owner: AccountState, market: Market, request: OrderRequest) -> Order:
    """The NEW order of a request that `validation.check` has passed."""
    flags = request.flags
    if request.order_class is OrderClass.INTERACTIVE:
        flags = (*flags, OrderFlag.INTERACTIVE)
    # Validated as multiples, so quantizing only fixes how they are written: 10, not 1E+1.
    size = request.size.quantize(market.order_size_increment, context=EXACT)
    price = ZERO
    if request.type is OrderType.LIMIT and request.price is not None:
        price = request.price.quantize(market.price_tick_size, context=EXACT)
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
        trigger_price=None,
        avg_fill_price=None,
        cancel_reason="",
        created_at=state.now,
        last_updated_at=state.now,
        published_at=state.now,
        received_at=request.received_at or state.now,
        timestamp=request.signature_timestamp,
        seq_no=state.next_seq(),
        signature=request.signature,
        order_class=request.order_class,
    )
