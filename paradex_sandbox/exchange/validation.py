"""What Paradex refuses at once, before an order is queued."""

from decimal import Decimal

from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.model import (
    Market,
    OrderFlag,
    OrderInstruction,
    OrderRequest,
    OrderType,
    Side,
    SystemStatus,
)
from paradex_sandbox.exchange.numbers import is_multiple
from paradex_sandbox.exchange.state import ExchangeState, MarketState

DEFAULT_RECV_WINDOW = 300_000
MIN_RECV_WINDOW = 10
MAX_CLIENT_ID_LENGTH = 64
#: Numbers beyond any market's are refused before arithmetic meets them.
_MAX_DIGITS_BEFORE_POINT = 18


def check(state: ExchangeState, market: MarketState, account: AccountState, request: OrderRequest) -> None:
    """Raises ExchangeError if `request` may not be queued."""
    _check_system(state.status, request)
    _check_market(market.market, market.is_expired, state.now)
    _check_kind(request)
    _check_size(market, account, request)
    _check_price(market.market, request)
    _check_client_id(account, request)
    _check_receive_window(state.now, request)
    if len(account.live.get(market.symbol, ())) >= market.market.max_open_orders:
        raise ExchangeError(
            "VALIDATION_ERROR", f"at most {market.market.max_open_orders} open orders in {market.symbol}"
        )


def _check_system(status: SystemStatus, request: OrderRequest) -> None:
    if status is SystemStatus.MAINTENANCE:
        raise ExchangeError("SERVICE_UNAVAILABLE", "the exchange is in maintenance")
    if status is SystemStatus.CANCEL_ONLY:
        raise ExchangeError("SYSTEM_STATUS_CANCEL_ONLY", "the exchange takes only cancellations now")
    passive = (OrderInstruction.POST_ONLY, OrderInstruction.RPI)
    if status is SystemStatus.POST_ONLY and request.instruction not in passive:
        raise ExchangeError("SYSTEM_STATUS_POST_ONLY", "the exchange takes only post-only orders now")


def _check_market(market: Market, is_expired: bool, now: int) -> None:
    if not market.is_tradable:
        raise ExchangeError("NO_ACCESS_TO_MARKET", f"{market.symbol} is listed here but only perpetuals can be traded")
    if is_expired or now < market.open_at:
        raise ExchangeError("MARKET_NOT_OPEN", f"{market.symbol} is not open")


def _check_kind(request: OrderRequest) -> None:
    if request.type not in (OrderType.LIMIT, OrderType.MARKET):
        raise ExchangeError("VALIDATION_ERROR", f"order type {request.type} is not supported here")
    if request.instruction is OrderInstruction.RPI:
        raise ExchangeError("RPI_ACCOUNT_NOT_WHITELISTED", "this account may not place RPI orders")
    if request.type is OrderType.MARKET and request.instruction is OrderInstruction.POST_ONLY:
        raise ExchangeError("VALIDATION_ERROR", "a MARKET order cannot be POST_ONLY")
    if request.trigger_price:
        raise ExchangeError("VALIDATION_ERROR", f"a {request.type} order has no trigger_price")
    refused = [flag.value for flag in request.flags if flag is not OrderFlag.REDUCE_ONLY]
    if refused:
        raise ExchangeError("VALIDATION_ERROR", f"flags {refused} are not allowed, only REDUCE_ONLY is")


def _check_size(market: MarketState, account: AccountState, request: OrderRequest) -> None:
    size, rules = request.size, market.market
    if not _is_sane(size) or size <= 0:
        raise ExchangeError("INVALID_ORDER_SIZE", "size must be a positive number")
    if size > rules.max_order_size:
        raise ExchangeError("INVALID_ORDER_SIZE", f"size {size} is above the maximum of {rules.max_order_size}")
    if not is_multiple(size, rules.order_size_increment):
        raise ExchangeError("INVALID_ORDER_SIZE", f"size {size} is not a multiple of {rules.order_size_increment}")
    notional = size * market.mark.mark_price
    if notional < rules.min_notional and not _closes_exactly(market, account, request):
        raise ExchangeError(
            "INVALID_ORDER_SIZE",
            f"size * mark price is {notional:f} {rules.quote_currency}, below the minimum of {rules.min_notional}",
        )


def _closes_exactly(market: MarketState, account: AccountState, request: OrderRequest) -> bool:
    if OrderFlag.REDUCE_ONLY not in request.flags:
        return False
    position = account.position_size(market.symbol)
    return position == (request.size if request.side is Side.SELL else -request.size)


def _check_price(market: Market, request: OrderRequest) -> None:
    price = request.price
    if request.type is OrderType.MARKET:
        if price:
            raise ExchangeError("VALIDATION_ERROR", "a MARKET order has no price")
        return
    if price is None or not _is_sane(price) or price <= 0:
        raise ExchangeError("VALIDATION_ERROR", "price must be a positive number")
    if not is_multiple(price, market.price_tick_size):
        raise ExchangeError("VALIDATION_ERROR", f"price {price} is not a multiple of {market.price_tick_size}")


def _check_client_id(account: AccountState, request: OrderRequest) -> None:
    if len(request.client_id) > MAX_CLIENT_ID_LENGTH:
        raise ExchangeError("VALIDATION_ERROR", f"client_id is longer than {MAX_CLIENT_ID_LENGTH} characters")
    if request.client_id and request.client_id in account.live_client_ids:
        raise ExchangeError("DUPLICATED_CLIENT_ID", f"an open order already has client_id {request.client_id}")


def _check_receive_window(now: int, request: OrderRequest) -> None:
    window = DEFAULT_RECV_WINDOW if request.recv_window is None else request.recv_window
    if window < MIN_RECV_WINDOW:
        raise ExchangeError("VALIDATION_ERROR", f"recv_window must be at least {MIN_RECV_WINDOW} ms")
    received = (request.received_at or now) // 1000
    # A request without a timestamp comes from a caller that does not sign.
    if request.signature_timestamp and received > request.signature_timestamp + window:
        raise ExchangeError("INVALID_TIMESTAMP", f"the order was signed more than {window} ms ago")


def _is_sane(value: Decimal) -> bool:
    return value.is_finite() and value.adjusted() < _MAX_DIGITS_BEFORE_POINT
