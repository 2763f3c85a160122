"""Changing an order in place: acknowledged at once, decided in the matching queue, told in `Order.request_info`."""

from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.matching import MatchingEngine
from paradex_sandbox.exchange.model import ModifyRequest, Order, OrderStatus, RequestInfo, RequestStatus
from paradex_sandbox.exchange.orders import in_steps, in_ticks
from paradex_sandbox.exchange.risk import rejection
from paradex_sandbox.exchange.state import ExchangeState

REQUEST_TYPE = "MODIFY_ORDER"


def acknowledge(state: ExchangeState, order: Order) -> str:
    """Notes on the order that a change of it is pending; returns the request's id."""
    order.request_info = RequestInfo(state.next_id(), REQUEST_TYPE, RequestStatus.PENDING, "")
    return order.request_info.id


def apply(
    state: ExchangeState,
    engine: MatchingEngine,
    account: AccountState,
    order: Order,
    request: ModifyRequest,
    request_id: str,
) -> None:
    """Changes a live order, or leaves it as it is and says why in its `request_info`.

    Fills that came before count: `size` is the total. Priority is kept if only the size shrinks (or nothing changes).
    """
    market = state.market(order.market)
    # A later request may be pending already: what is said now is about this one.
    order.request_info = RequestInfo(request_id, REQUEST_TYPE, RequestStatus.PENDING, "")
    size = in_steps(market.market, request.size)
    price = in_ticks(market.market, request.price) if order.type.has_price and request.price else order.price
    if size <= order.filled_size:
        _refuse(engine, account, order, f"{order.filled_size} were filled already")
    elif order.status is OrderStatus.UNTRIGGERED:
        _accept(order, request)
        engine.resize_linked(account, order, size)
        order.size = order.remaining_size = size
        if order.parent_id:
            order.linked_size = size
        order.price = price
        if request.trigger_price:
            order.trigger_price = in_ticks(market.market, request.trigger_price)
        engine.wait_again(account, order)
    elif price == order.price and size <= order.size:
        _accept(order, request)
        engine.resize_linked(account, order, size)
        if size < order.size:
            engine.shrink(account, order, order.size - size)
        else:
            engine.publish(account, order)
    else:
        wanted = order.snapshot()
        wanted.size, wanted.remaining_size, wanted.price = size, size - order.filled_size, price
        # The risk check sees the order as it would be, and not also as it is.
        order.status = OrderStatus.NEW
        account.open(order.market).note(order)
        reason = rejection(state, market, account, wanted) or engine.passive_rejection(market, wanted)
        order.status = OrderStatus.OPEN
        account.open(order.market).note(order)
        if reason is not None:
            _refuse(engine, account, order, reason.value)
            return
        _accept(order, request)
        engine.resize_linked(account, order, size)
        engine.reenter(account, order, wanted)


def _accept(order: Order, request: ModifyRequest) -> None:
    _decide(order, RequestStatus.SUCCESS, "")
    order.signature, order.timestamp = request.signature, request.signature_timestamp


def _refuse(engine: MatchingEngine, account: AccountState, order: Order, message: str) -> None:
    _decide(order, RequestStatus.REJECTED, message)
    engine.publish(account, order)


def _decide(order: Order, status: RequestStatus, message: str) -> None:
    request_id = order.request_info.id if order.request_info is not None else ""
    order.request_info = RequestInfo(request_id, REQUEST_TYPE, status, message)
