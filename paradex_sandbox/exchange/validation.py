"""What Paradex refuses at once, before an order is queued."""

from decimal import Decimal

from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.algo import MAX_DURATION, MIN_DURATION, AlgoRequest
from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.model import (
    ZERO,
    Market,
    ModifyRequest,
    Order,
    OrderClass,
    OrderFlag,
    OrderInstruction,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    SystemStatus,
)
from paradex_sandbox.exchange.numbers import is_multiple
from paradex_sandbox.exchange.state import ExchangeState, MarketState

DEFAULT_RECV_WINDOW = 300_000
MIN_RECV_WINDOW = 10
MAX_CLIENT_ID_LENGTH = 64
_STOP_CONDITIONS = frozenset((OrderFlag.STOP_CONDITION_ABOVE_TRIGGER, OrderFlag.STOP_CONDITION_BELOW_TRIGGER))
_PLAIN_FLAGS = frozenset((OrderFlag.REDUCE_ONLY, OrderFlag.MMP, OrderFlag.INTERACTIVE))
_MARKET_FLAGS = _PLAIN_FLAGS | {OrderFlag.TARGET_STRATEGY_VWAP}
_TRIGGER_FLAGS = _PLAIN_FLAGS | _STOP_CONDITIONS
#: Numbers beyond any market's are refused before arithmetic meets them.
_MAX_DIGITS_BEFORE_POINT = 18


def check(state: ExchangeState, market: MarketState, account: AccountState, request: OrderRequest) -> None:
    """Raises ExchangeError if `request` may not be queued."""
    _check_system(state.status, request.instruction)
    _check_market(market.market, market.is_expired, state.now)
    _check_kind(account, request)
    is_reduce_only = OrderFlag.REDUCE_ONLY in request.flags or request.type.closes_position
    _check_size(market, account, request, is_reduce_only=is_reduce_only)
    _check_price(market.market, request)
    _check_trigger(market.market, request)
    _check_client_id(account, request)
    _check_receive_window(state.now, request)
    if len(account.live.get(market.symbol, ())) >= market.market.max_open_orders:
        raise ExchangeError(
            "VALIDATION_ERROR", f"at most {market.market.max_open_orders} open orders in {market.symbol}"
        )


def check_modify(
    state: ExchangeState, market: MarketState, account: AccountState, order: Order, request: ModifyRequest
) -> None:
    """Raises ExchangeError if a live `order` may not be changed to what `request` says."""
    _check_system(state.status, order.instruction)
    _check_market(market.market, market.is_expired, state.now)
    if order.status is OrderStatus.NEW:
        raise ExchangeError("ORDER_IS_NOT_OPEN", f"order {order.id} is not open yet")
    for name in ("market", "side", "type"):
        if getattr(request, name) != getattr(order, name):
            raise _invalid(f"{name} of order {order.id} is {getattr(order, name)} and stays")
    _check_size(market, account, request, is_reduce_only=order.reduce_only, filled=order.filled_size)
    _check_price(market.market, request)
    trigger_price = request.trigger_price
    if trigger_price and order.status is not OrderStatus.UNTRIGGERED and trigger_price != order.trigger_price:
        raise _invalid(f"order {order.id} is not waiting for a trigger")
    if trigger_price:
        _check_tick(market.market, "trigger_price", trigger_price)


def check_algo(state: ExchangeState, market: MarketState, account: AccountState, request: AlgoRequest) -> None:
    """Raises ExchangeError if a TWAP may not start."""
    _check_system(state.status, OrderInstruction.GTC)
    _check_market(market.market, market.is_expired, state.now)
    if not MIN_DURATION <= request.duration_seconds <= MAX_DURATION or request.duration_seconds % MIN_DURATION:
        raise _invalid(f"duration_seconds must be {MIN_DURATION} to {MAX_DURATION}, a multiple of {MIN_DURATION}")
    if request.frequency < 1 or request.duration_seconds % request.frequency:
        raise _invalid("frequency must divide duration_seconds")
    _check_size(market, account, request, is_reduce_only=False)
    _check_receive_window(state.now, request)


def _invalid(message: str) -> ExchangeError:
    return ExchangeError("VALIDATION_ERROR", message)


def _check_system(status: SystemStatus, instruction: OrderInstruction) -> None:
    if status is SystemStatus.MAINTENANCE:
        raise ExchangeError("SERVICE_UNAVAILABLE", "the exchange is in maintenance")
    if status is SystemStatus.CANCEL_ONLY:
        raise ExchangeError("SYSTEM_STATUS_CANCEL_ONLY", "the exchange takes only cancellations now")
    passive = (OrderInstruction.POST_ONLY, OrderInstruction.RPI)
    if status is SystemStatus.POST_ONLY and instruction not in passive:
        raise ExchangeError("SYSTEM_STATUS_POST_ONLY", "the exchange takes only post-only orders now")


def _check_market(market: Market, is_expired: bool, now: int) -> None:
    if not market.is_tradable:
        raise ExchangeError("NO_ACCESS_TO_MARKET", f"{market.symbol} is listed here but only perpetuals can be traded")
    if is_expired or now < market.open_at:
        raise ExchangeError("MARKET_NOT_OPEN", f"{market.symbol} is not open")


def _check_kind(account: AccountState, request: OrderRequest) -> None:
    if request.instruction is OrderInstruction.RPI:
        if not account.info.rpi_allowed:
            raise ExchangeError("RPI_ACCOUNT_NOT_WHITELISTED", "this account may not place RPI orders")
        if request.type is not OrderType.LIMIT or request.order_class is OrderClass.INTERACTIVE:
            raise _invalid("an RPI order is a LIMIT order of a session without token_usage=interactive")
    if not request.type.has_price and request.instruction is OrderInstruction.POST_ONLY:
        raise _invalid(f"a {request.type} order cannot be POST_ONLY")
    allowed = _TRIGGER_FLAGS if request.type.is_trigger else _PLAIN_FLAGS
    if request.type is OrderType.MARKET:
        allowed = _MARKET_FLAGS
    if request.order_class is not OrderClass.INTERACTIVE:
        allowed = allowed - {OrderFlag.INTERACTIVE}
    refused = [flag.value for flag in request.flags if flag not in allowed]
    if refused:
        raise _invalid(f"flags {refused} are not allowed for a {request.type} order")
    if set(request.flags) >= _STOP_CONDITIONS:
        raise _invalid("a stop condition is either below or above the trigger price")


def _check_trigger(market: Market, request: OrderRequest) -> None:
    if request.type.is_trigger:
        _check_tick(market, "trigger_price", request.trigger_price)
    elif request.trigger_price:
        raise _invalid(f"a {request.type} order has no trigger_price")


def _check_size(
    market: MarketState,
    account: AccountState,
    request: OrderRequest | ModifyRequest | AlgoRequest,
    *,
    is_reduce_only: bool,
    filled: Decimal = ZERO,
) -> None:
    """`filled` is what a changed order has traded already: its size stays above that."""
    size, rules = request.size, market.market
    if not _is_sane(size) or size <= 0:
        raise ExchangeError("INVALID_ORDER_SIZE", "size must be a positive number")
    if size > rules.max_order_size:
        raise ExchangeError("INVALID_ORDER_SIZE", f"size {size} is above the maximum of {rules.max_order_size}")
    if not is_multiple(size, rules.order_size_increment):
        raise ExchangeError("INVALID_ORDER_SIZE", f"size {size} is not a multiple of {rules.order_size_increment}")
    if size <= filled:
        raise ExchangeError("INVALID_ORDER_SIZE", f"size {size} is not above the {filled} that were filled already")
    notional = size * market.mark.mark_price
    closes = is_reduce_only and _closes_exactly(market, account, request.side, size - filled)
    if notional < rules.min_notional and not closes:
        raise ExchangeError(
            "INVALID_ORDER_SIZE",
            f"size * mark price is {notional:f} {rules.quote_currency}, below the minimum of {rules.min_notional}",
        )


def _closes_exactly(market: MarketState, account: AccountState, side: Side, size: Decimal) -> bool:
    return account.position_size(market.symbol) == -side.sign * size


def _check_price(market: Market, request: OrderRequest | ModifyRequest) -> None:
    if request.type.has_price:
        _check_tick(market, "price", request.price)
    elif request.price:
        raise _invalid(f"a {request.type} order has no price")
    vwap_price = request.vwap_price if isinstance(request, OrderRequest) else None
    if vwap_price is not None and request.type is not OrderType.MARKET:
        raise _invalid(f"a {request.type} order has no vwap_price")
    if vwap_price is not None and (not _is_sane(vwap_price) or vwap_price <= 0):
        raise _invalid("vwap_price must be a positive number")


def _check_tick(market: Market, name: str, price: Decimal | None) -> None:
    if price is None or not _is_sane(price) or price <= 0:
        raise _invalid(f"{name} must be a positive number")
    if not is_multiple(price, market.price_tick_size):
        raise _invalid(f"{name} {price} is not a multiple of {market.price_tick_size}")


def _check_client_id(account: AccountState, request: OrderRequest) -> None:
    if len(request.client_id) > MAX_CLIENT_ID_LENGTH:
        raise ExchangeError("VALIDATION_ERROR", f"client_id is longer than {MAX_CLIENT_ID_LENGTH} characters")
    if request.client_id and request.client_id in account.live_client_ids:
        raise ExchangeError("DUPLICATED_CLIENT_ID", f"an open order already has client_id {request.client_id}")


def _check_receive_window(now: int, request: OrderRequest | AlgoRequest) -> None:
    window = DEFAULT_RECV_WINDOW if request.recv_window is None else request.recv_window
    if window < MIN_RECV_WINDOW:
        raise ExchangeError("VALIDATION_ERROR", f"recv_window must be at least {MIN_RECV_WINDOW} ms")
    received = (request.received_at or now) // 1000
    # A request without a timestamp comes from a caller that does not sign.
    if request.signature_timestamp and received > request.signature_timestamp + window:
        raise ExchangeError("INVALID_TIMESTAMP", f"the order was signed more than {window} ms ago")


def _is_sane(value: Decimal) -> bool:
    return value.is_finite() and value.adjusted() < _MAX_DIGITS_BEFORE_POINT
