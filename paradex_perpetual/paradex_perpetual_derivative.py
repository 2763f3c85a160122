"""Paradex perpetuals as a Hummingbot connector."""

import asyncio
import gc
import itertools
import math
import secrets
import sys
import time
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from typing import Any

from bidict import bidict
from hummingbot.connector.client_order_tracker import ClientOrderTracker
from hummingbot.connector.constants import s_decimal_NaN
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_utils as utils,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_api_order_book_data_source import (
    ParadexPerpetualAPIOrderBookDataSource,
    ParadexPerpetualOrderBookTracker,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_auth import (
    READ_ONLY,
    ParadexAuthenticationError,
    ParadexPerpetualAuth,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_user_stream_data_source import (
    OrderEntry,
    ParadexPerpetualUserStreamDataSource,
    WithdrawnError,
)
from hummingbot.connector.perpetual_derivative_py_base import PerpetualDerivativePyBase
from hummingbot.connector.trading_rule import TradingRule
from hummingbot.connector.utils import TradeFillOrderDetails, get_new_client_order_id
from hummingbot.core.api_throttler.data_types import RateLimit
from hummingbot.core.data_type.common import OrderType, PositionAction, PositionMode, TradeType
from hummingbot.core.data_type.in_flight_order import InFlightOrder, OrderState, OrderUpdate, TradeUpdate
from hummingbot.core.data_type.limit_order import LimitOrder
from hummingbot.core.data_type.market_order import MarketOrder
from hummingbot.core.data_type.order_book_tracker import OrderBookTracker
from hummingbot.core.data_type.trade_fee import TradeFeeBase
from hummingbot.core.event.events import FundingPaymentCompletedEvent, MarketEvent
from hummingbot.core.network_iterator import NetworkStatus
from hummingbot.core.utils.async_utils import safe_ensure_future, safe_gather, safe_wrapper
from hummingbot.core.utils.estimate_fee import build_perpetual_trade_fee
from hummingbot.core.web_assistant.connections.data_types import RESTMethod
from hummingbot.core.web_assistant.web_assistants_factory import WebAssistantsFactory

_FINAL_STATES = frozenset({OrderState.CANCELED, OrderState.FILLED, OrderState.FAILED})
_FORWARD = {OrderState.PENDING_CREATE: 0, OrderState.OPEN: 1, OrderState.PARTIALLY_FILLED: 2}


# Of a trading rule, all that a market decides.
_CHANGING_RULES = (
    *("min_order_size", "max_order_size", "min_base_amount_increment"),
    *("min_price_increment", "min_notional_size", "min_order_value"),
)


class _OrderNotFoundError(web_utils.ParadexError):
    """Neither the open orders nor the history know an order."""


class NotModifiedError(web_utils.ParadexError):
    """An order was not modified: the change was refused, or the order was closed before it; the text says which."""


@dataclass
class _OrderRecord:
    """What is known of an order on the exchange beyond what Hummingbot tracks.

    :ivar terms: None until the exchange has told them
    :ivar heard: set whenever it has told something about the order
    :ivar modifying: held by the one modification that is on its way
    :ivar missed_at: when it was not found last, by a clock that is never set
    """

    terms: utils.OrderTerms | None = None
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    modifying: asyncio.Lock = field(default_factory=asyncio.Lock)
    missed_at: float = -CONSTANTS.NOT_FOUND_SPACING


@dataclass(eq=False)
class _Cancel:
    """An order that is to be cancelled, until it is closed or the exchange refuses.

    :ivar due_at: when it is looked at again if nothing is heard of it, by a clock that is never set
    :ivar decided: set when its order is closed, or the exchange has taken or refused the cancel
    :ivar refusal: why it was refused
    """

    order: InFlightOrder
    due_at: float
    backoff: web_utils.Backoff = field(
        default_factory=lambda: web_utils.Backoff(CONSTANTS.CANCEL_SILENCE, CONSTANTS.CANCEL_SILENCE_MAXIMUM)
    )
    decided: asyncio.Event = field(default_factory=asyncio.Event)
    refusal: web_utils.ParadexError | None = None

    def send_waiting_away(self) -> None:
        """Ends the waiting for an outcome that nobody will see; the cancel itself goes on."""
        if not self.decided.is_set():
            self.decided.set()
            self.decided = asyncio.Event()


class ParadexOrderTracker(ClientOrderTracker):
    """A tracker in which an order goes forward only, whatever arrives late or out of order: a closed one stays closed.

    :ivar is_cancelling: whether a cancel of an order is being followed, so that it is not merely open again
    :ivar sent_by: when each tracked order had left at the latest, by a clock that is never set
    """

    is_cancelling: Callable[[str], bool] = staticmethod(lambda client_order_id: False)

    def __init__(self, connector: "ParadexPerpetualDerivative", lost_order_count_limit: int):
        super().__init__(connector, lost_order_count_limit)
        self.sent_by: dict[str, float] = {}

    def stop_tracking_order(self, client_order_id: str) -> None:
        super().stop_tracking_order(client_order_id)
        self.sent_by.pop(client_order_id, None)

    def found(self, client_order_id: str) -> None:
        """The exchange knows an order: what was counted of its absence is void."""
        self._order_not_found_records.pop(client_order_id, None)

    def one_absence_is_enough(self, client_order_id: str) -> None:
        """The next time that an order is not found, it is lost."""
        self._order_not_found_records[client_order_id] = self.lost_order_count_limit

    def remember(self, order: InFlightOrder) -> None:
        """Has fills of an order that is closed taken for another while."""
        if self.fillable_order(order.client_order_id) is None:
            self._cached_orders[order.client_order_id] = order

    def fetch_order(
        self, client_order_id: str | None = None, exchange_order_id: str | None = None
    ) -> InFlightOrder | None:
        """As in the base class, which copies all orders, closed ones too, each time that one is looked up."""
        order = None
        if client_order_id is not None:
            order = self._in_flight_orders.get(client_order_id) or self._cached_orders.get(client_order_id)
        return order or super().fetch_order(client_order_id, exchange_order_id)

    def updatable_order(self, client_order_id: str) -> InFlightOrder | None:
        """One of `all_updatable_orders`, without a copy of them all."""
        return self._in_flight_orders.get(client_order_id) or self._lost_orders.get(client_order_id)

    def fillable_order(self, client_order_id: str) -> InFlightOrder | None:
        """One of `all_fillable_orders`, without a copy of them all: of a busy bot's, a thousand are closed ones."""
        return self.updatable_order(client_order_id) or self._cached_orders.get(client_order_id)

    def process_order_update(self, order_update: OrderUpdate) -> "asyncio.Task[None]":
        """As in the base class, but it begins at once, and so ends at once but for an order whose fills are missing:
        its event comes a pass of the loop earlier, and before whatever the exchange has told since."""
        update = safe_wrapper(self._process_order_update(order_update))
        return asyncio.Task(update, loop=asyncio.get_event_loop(), eager_start=True)

    def process_trade_update(self, trade_update: TradeUpdate) -> None:
        """As in the base class, which copies all orders for it; and an order of which a fill is the first that is heard
        is created before it."""
        order = self.fillable_order(trade_update.client_order_id)
        if order is None:
            return
        if order.is_pending_create:
            opened = OrderUpdate(
                order.trading_pair,
                trade_update.fill_timestamp,
                OrderState.OPEN,
                order.client_order_id,
                trade_update.exchange_order_id,
            )
            order.update_with_order_update(opened)
            self._trigger_order_creation(order, OrderState.PENDING_CREATE, OrderState.OPEN)
        executed = order.executed_amount_base
        if order.update_with_trade_update(trade_update):
            self._trigger_order_fills(
                order,
                executed,
                trade_update.fill_base_amount,
                trade_update.fill_price,
                trade_update.fee,
                trade_update.trade_id,
                trade_update.exchange_order_id,
            )

    async def _process_order_update(self, order_update: OrderUpdate) -> None:
        order = self.fetch_order(order_update.client_order_id, order_update.exchange_order_id)
        if order is not None and order.current_state in _FINAL_STATES:
            return
        if order is not None and self._steps_back(order, order_update.new_state):
            if order.exchange_order_id is None and order_update.exchange_order_id is not None:
                order.update_exchange_order_id(order_update.exchange_order_id)
            return
        await super()._process_order_update(order_update)

    def _steps_back(self, order: InFlightOrder, state: OrderState) -> bool:
        if state not in _FORWARD:
            return False
        if order.is_pending_cancel_confirmation:
            return self.is_cancelling(order.client_order_id)
        return _FORWARD[state] < _FORWARD.get(order.current_state, 0)


class ParadexPerpetualDerivative(PerpetualDerivativePyBase):
    """The connector; see Hummingbot's `PerpetualDerivativePyBase` for what is inherited.

    :param paradex_perpetual_api_secret: the subkey's private key; or a token of the account, for reading only
    :param paradex_perpetual_account_address: the main account's address
    :param connector_configuration: the domain's config map, with the settings that nobody is prompted for
    :param receive_connector_configuration: no setting of ours; Hummingbot hands it to connectors that do not trade
    :param settings: `paradex_perpetual_…`, each a setting of :class:`utils.Settings`; they win over the configuration
    :raises ValueError: if a credential or a setting is malformed, or a trading pair is not quoted in USDC
    """

    # Seconds between two comparisons with REST while the private stream is on: six requests, a twentieth of the limit.
    # What the stream loses without a sign is known after that time, and not after the framework's two minutes.
    LONG_POLL_INTERVAL = 10.0

    web_utils = web_utils  # type: ignore[assignment]
    _auth: ParadexPerpetualAuth
    _orderbook_ds: ParadexPerpetualAPIOrderBookDataSource
    _order_tracker: ParadexOrderTracker

    def __init__(
        self,
        paradex_perpetual_api_secret: str = "",
        paradex_perpetual_account_address: str = "",
        trading_pairs: list[str] | None = None,
        trading_required: bool = True,
        domain: str = CONSTANTS.DEFAULT_DOMAIN,
        balance_asset_limit: dict[str, dict[str, Decimal]] | None = None,
        rate_limits_share_pct: Decimal = Decimal("100"),
        connector_configuration: Any = None,
        receive_connector_configuration: bool = True,
        **settings: Any,
    ):
        for trading_pair in trading_pairs or []:
            if not trading_pair.endswith(f"-{CONSTANTS.COLLATERAL_TOKEN}"):
                raise ValueError(utils.trading_pair_advice(trading_pair, known=[]))
        self._api_secret = paradex_perpetual_api_secret
        self._account_address = paradex_perpetual_account_address
        self._settings = utils.settings_from(connector_configuration, domain, utils.settings_by_name(settings))
        self._order_class = self._settings.order_class
        self._trading_required = trading_required
        self._trading_pairs = trading_pairs or []
        self._domain = domain
        self._markets: dict[str, Mapping[str, Any]] = {}  # by trading pair
        self._trading_pairs_by_market: Mapping[str, str] = {}  # the base class keeps its own out of Python's sight
        self._account_fees: tuple[Decimal | None, Decimal | None] = (None, None)
        self._retail_lost = False
        self._client_id_prefix = utils.client_id_prefix(utils.hummingbot_instance_id() or secrets.token_hex(16))
        self._unknown_orders = utils.UnknownOrders(self._client_id_prefix)
        self._foreign_orders_said = False
        self._looked_for_lost_fills = False
        self._told_fills: deque[str] = deque(
            maxlen=CONSTANTS.FILLS_MEMORY
        )  # ids; those of tracked orders, and of others
        self._told_fills_set: set[str] = set()
        self._cancels: dict[str, _Cancel] = {}  # by client id
        self._cancel_watch: asyncio.Task[None] | None = None
        self._monotonic = time.monotonic
        self._submitting: set[str] = set()  # client ids of orders whose submission has not been answered yet
        self._fills_owed: dict[str, tuple[InFlightOrder, Decimal]] = {}  # closed orders whose fills are not all known
        self._held_ends: dict[str, OrderUpdate] = {}  # of orders that are told to be cancelled after their fills are
        self._fills_tasks: dict[str, asyncio.Task[None]] = {}
        self._seen_open: set[str] = set()  # client ids of tracked orders that the exchange has reported as OPEN
        self._records: defaultdict[str, _OrderRecord] = defaultdict(_OrderRecord)  # of tracked orders, by client id
        self._longest_recv_window = self._settings.recv_window  # ms, of all orders so far
        self._position_orders_locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._fitting: dict[str, asyncio.Task[None]] = {}  # by trading pair: takes position orders to its new size
        self._positions_updated_at: dict[str, int] = {}
        self._told: Counter[str] = Counter()  # how often the stream has told a position, a token's balance, the account
        self._balances_updated_at: dict[str, int] = {}  # by token, ms
        self._account_updated_at = 0  # ms
        self._untradable: dict[str, str] = {}  # why, by trading pair
        self._markets_are_old = False
        self._market_update: asyncio.Task[None] | None = None
        self._leverage_known: set[str] = set()
        self._leverage_lock = asyncio.Lock()
        self._mmp_freezes = utils.MmpFreezes(self.logger())
        self._mmp_used = True  # until the exchange says that the account does not
        self._account_health: utils.AccountHealth | None = None
        self._liquidation_prices: dict[str, Decimal] = {}  # by trading pair
        self._unrealized_funding: dict[str, Decimal] = {}  # by trading pair, in USDC
        self._funding_watermarks: dict[str, int] = {}  # by trading pair, ms: every payment before it has been seen
        self._has_had_stream = False
        self._announced_payments: dict[str, dict[str, int]] = {}  # by trading pair, times of those after it by id, ms
        self._fills_watermark: int | None = None  # ms: every fill before it has been seen
        self._reconciliation: asyncio.Task[None] | None = None
        self._reconcile_again = False
        self._is_stopped = False
        self._unreachable = ""  # why the last check of the network failed
        self._warn_of_polls = web_utils.Sparingly(lambda text: self.logger().network(text, app_warning_msg=text))
        super().__init__(balance_asset_limit, rate_limits_share_pct)
        #: Equity, fills, orders, funding and trades of the past, for strategies and analysis.
        self.history = web_utils.History(
            self._web_assistants_factory, domain, self.exchange_symbol_associated_to_pair, self._pairs_by_market
        )
        self._order_entry = self._create_order_entry()

    # === Properties ===

    @property
    def name(self) -> str:
        return self._domain

    @property
    def authenticator(self) -> ParadexPerpetualAuth:
        return ParadexPerpetualAuth(
            api_secret=self._api_secret,
            account_address=self._account_address,
            domain=self._domain,
            order_class=self._order_class,
            time=lambda: self._time_synchronizer.time(),  # of the one that will be there, see below
            resynchronize=self._resynchronize_time,
        )

    @property
    def rate_limits_rules(self) -> list[RateLimit]:
        return CONSTANTS.RATE_LIMITS_BY_ORDER_CLASS[self._order_class]

    @property
    def domain(self) -> str:
        return self._domain

    @property
    def client_order_id_max_length(self) -> int:
        return CONSTANTS.MAX_CLIENT_ID_LENGTH

    @property
    def client_order_id_prefix(self) -> str:
        return self._client_id_prefix

    @property
    def trading_rules_request_path(self) -> str:
        return CONSTANTS.MARKETS_PATH

    @property
    def trading_pairs_request_path(self) -> str:
        return CONSTANTS.MARKETS_PATH

    @property
    def check_network_request_path(self) -> str:
        return CONSTANTS.SYSTEM_STATE_PATH

    @property
    def trading_pairs(self) -> list[str]:
        return self._trading_pairs

    @property
    def is_cancel_request_in_exchange_synchronous(self) -> bool:
        return False

    @property
    def is_trading_required(self) -> bool:
        return self._trading_required

    @property
    def funding_fee_poll_interval(self) -> int:
        # The clock's first tick is none of its multiples: the loop of the funding payments begins with asking.
        return CONSTANTS.FUNDING_POLL_INTERVAL if self._last_timestamp else sys.maxsize

    @property
    def order_class(self) -> str:
        """`pro` or `retail`: the class that orders are asked to have."""
        return self._order_class

    @property
    def status_dict(self) -> dict[str, bool]:
        """What has to be there before the connector is ready. `order_books_initialized` is false again while a book
        is not what the exchange told last: during an interruption of the stream, or until a gap is closed."""
        status: dict[str, bool] = super().status_dict
        status["order_books_initialized"] &= self._orderbook_ds.live_trading_pairs().issuperset(self._trading_pairs)
        return status

    @property
    def system_state(self) -> str:
        """The exchange's own state as it was last heard of: `ok`, `post_only`, `cancel_only` or `maintenance`."""
        return self._order_entry.system_state

    @property
    def circuit_breaker(self) -> web_utils.CircuitBreaker:
        """Its `state` is `closed`, `open` or `half_open`; while it is open, `refusal` says why and until when."""
        return self._order_entry.breaker

    @property
    def book_resyncs(self) -> Mapping[str, int]:
        """How often a pair's book had to be taken anew, because the stream had a gap, made no sense or was silent."""
        return self._orderbook_ds.resyncs

    @property
    def order_restriction(self) -> str | None:
        """What keeps new orders back now, in a sentence; None if nothing does."""
        if self._auth.refusal is not None:
            return str(self._auth.refusal)
        state = self.system_state
        if state != CONSTANTS.SYSTEM_OK:
            return f"Paradex is in the state {state}: {utils.system_state_consequence(state)}"
        return self.circuit_breaker.refusal

    @property
    def current_timestamp(self) -> float:
        """The clock's time; ours while none drives the connector, as at its end: the recorder loses events without."""
        now: float = super().current_timestamp
        return time.time() if math.isnan(now) else now

    def supported_order_types(self) -> list[OrderType]:
        return list(CONSTANTS.ORDER_TYPES)

    def supported_position_modes(self) -> list[PositionMode]:
        return [PositionMode.ONEWAY]

    def get_buy_collateral_token(self, trading_pair: str) -> str:
        return CONSTANTS.COLLATERAL_TOKEN

    def get_sell_collateral_token(self, trading_pair: str) -> str:
        return CONSTANTS.COLLATERAL_TOKEN

    def next_funding_timestamp(self, trading_pair: str) -> int:
        """:return: the end of the pair's running funding period, in seconds since the epoch"""
        period = utils.funding_period_seconds(self._markets.get(trading_pair, {}))
        return utils.next_funding_timestamp(self._time_synchronizer.time(), period)

    # === What the base class asks for ===

    def _create_web_assistants_factory(self) -> WebAssistantsFactory:
        # In the place of the base class's, before anybody has got hold of those.
        self._time_synchronizer = web_utils.ParadexTimeSynchronizer()
        share = 100 * self._throttler.limits_pct
        self._throttler = web_utils.create_throttler(self._order_class, share)  # type: ignore[assignment]
        return web_utils.build_api_factory(
            throttler=self._throttler,
            time_synchronizer=self._time_synchronizer,
            domain=self._domain,
            auth=self._auth,
        )

    def _create_order_book_data_source(self) -> ParadexPerpetualAPIOrderBookDataSource:
        return ParadexPerpetualAPIOrderBookDataSource(
            trading_pairs=self._trading_pairs,
            connector=self,
            api_factory=self._web_assistants_factory,
            domain=self._domain,
            settings=self._settings,
        )

    def _set_order_book_tracker(self, order_book_tracker: OrderBookTracker) -> None:
        """Takes ours in the place of the one that the base class has made."""
        super()._set_order_book_tracker(
            ParadexPerpetualOrderBookTracker(self._orderbook_ds, self._trading_pairs, self._domain)
        )

    def _create_user_stream_data_source(self) -> ParadexPerpetualUserStreamDataSource:
        return ParadexPerpetualUserStreamDataSource(
            trading_pairs=self._trading_pairs,
            connector=self,
            api_factory=self._web_assistants_factory,
            domain=self._domain,
            cancel_on_disconnect=self._settings.cancel_on_disconnect,
        )

    def _create_order_entry(self) -> OrderEntry:
        return OrderEntry(
            api_factory=self._web_assistants_factory,
            domain=self._domain,
            session=lambda: self._user_stream_tracker.data_source.session,
            settings=self._settings,
            throttler=self._throttler,
            auth=self._auth,
            time=self._time_synchronizer.time,
            sleep=lambda delay: self._sleep(delay),
            resynchronize=self._resynchronize_time,
            probe=self._make_network_check_request,
            log=self.logger().warning,
        )

    def _create_order_tracker(self) -> ClientOrderTracker:
        # That an order is not known is read from three answers each time: twice is enough.
        tracker = ParadexOrderTracker(connector=self, lost_order_count_limit=1)
        tracker.is_cancelling = lambda client_order_id: client_order_id in self._cancels
        return tracker

    def _is_request_exception_related_to_time_synchronizer(self, request_exception: Exception) -> bool:
        return (
            isinstance(request_exception, web_utils.ApiError) and request_exception.code in CONSTANTS.TIMESTAMP_ERRORS
        )

    def _is_order_not_found_during_status_update_error(self, status_update_exception: Exception) -> bool:
        return isinstance(status_update_exception, _OrderNotFoundError)

    def _is_order_not_found_during_cancelation_error(self, cancelation_exception: Exception) -> bool:
        return (
            isinstance(cancelation_exception, web_utils.ApiError)
            and cancelation_exception.code in CONSTANTS.ORDER_NOT_FOUND_ERRORS
        )

    async def _api_request(
        self,
        path_url: str,
        overwrite_url: str | None = None,
        method: RESTMethod = RESTMethod.GET,
        params: Mapping[str, Any] | None = None,
        data: Any = None,
        is_auth_required: bool = False,
        return_err: bool = False,
        limit_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> Any:
        """One REST request; see :func:`web_utils.api_request` for what it raises."""
        if is_auth_required and method is not RESTMethod.GET and self._auth.is_read_only:
            raise web_utils.NotSentError(READ_ONLY)
        return await web_utils.api_request(
            self._web_assistants_factory,
            path_url,
            domain=self._domain,
            method=method,
            params=params,
            data=data,
            headers=headers,
            is_auth_required=is_auth_required,
            limit_id=limit_id,
        )

    async def _private_get(self, path: str, **params: Any) -> Any:
        return await self._api_get(path_url=path, params=params, is_auth_required=True)

    async def _results(self, path: str, **params: Any) -> list[Any]:
        """The entries of a private list that has one page."""
        return web_utils.results_of(await self._private_get(path, **params), path)

    def _each[T](self, entries: Iterable[Any], take: Callable[[Any], T], what: str) -> list[T]:
        """Applies a function to each entry of a list; one that cannot be read is said and keeps no other from it."""
        results = []
        for entry in entries:
            try:
                results.append(take(entry))
            except utils.PAYLOAD_ERRORS as error:
                self.logger().error(f"Skipped {what} that cannot be read, {error}: {_excerpt(entry)}")
        return results

    async def _all_results(self, path: str, max_pages: int = 100, **params: Any) -> list[dict[str, Any]]:
        """Every page of a private list; see :func:`web_utils.all_pages`."""
        return await web_utils.all_pages(lambda query: self._private_get(path, **query), params, max_pages)

    # === Network ===

    async def start_network(self) -> None:
        await super().start_network()  # which stops what runs first
        self._is_stopped = False
        if self._trading_required:
            _freeze_memory()
        self._order_entry.start()
        self._watch_cancels_soon()
        for client_order_id in list(self._fills_owed):
            self._complete_fills_soon(client_order_id)
        if self._auth.is_read_only and not self._trading_required:
            # Nobody gives such a token to a connector that is to look at nothing but markets.
            self._status_polling_task = safe_ensure_future(self._status_polling_loop())
            self._user_stream_tracker_task = self._create_user_stream_tracker_task()
            self._user_stream_event_listener_task = safe_ensure_future(self._user_stream_event_listener())
        elif self._auth.has_credentials:
            safe_ensure_future(self._prepare_auth())

    async def stop_network(self) -> None:
        self._is_stopped = True
        # The base class leaves this task running and starts another one on the next start.
        if self._funding_fee_polling_task is not None:
            self._funding_fee_polling_task.cancel()
            self._funding_fee_polling_task = None
        if self._reconciliation is not None:
            self._reconciliation.cancel()
            self._reconciliation = None
        self._orderbook_ds.stop_watching()
        for task in self._fills_tasks.values():
            task.cancel()  # who is owed fills is remembered for the next start
        self._fills_tasks.clear()
        self._order_entry.stop()
        if self._cancel_watch is not None:
            self._cancel_watch.cancel()  # what is to be cancelled is remembered for the next start
            self._cancel_watch = None
        for cancel in self._cancels.values():
            cancel.send_waiting_away()
        for task in self._fitting.values():
            task.cancel()
        self._fitting.clear()
        if self._market_update is not None:
            self._market_update.cancel()
            self._market_update = None
        await super().stop_network()

    async def _prepare_auth(self) -> None:
        try:
            await self._auth.prepare()
        except web_utils.ParadexError as error:
            self.logger().debug(f"Orders cannot be signed yet: {error}")  # whoever needs it next tries again

    async def _make_network_check_request(self) -> None:
        if self._auth.refusal is not None:
            await self._auth.token()  # asks the exchange again, after pauses; raises while it refuses
        answer = await self._api_get(path_url=self.check_network_request_path)
        self._order_entry.observe_system_state(str(answer.get("status") or CONSTANTS.SYSTEM_OK))
        if self.system_state == CONSTANTS.SYSTEM_MAINTENANCE:
            raise web_utils.ParadexError("Paradex is in maintenance")

    async def check_network(self) -> NetworkStatus:
        """As in the base class, which does not say why there is no connection."""
        try:
            await self._make_network_check_request()
        except web_utils.ParadexError as error:
            # Refused keys and maintenance are said where they are noticed, and stand in `order_restriction`.
            is_said = isinstance(error, ParadexAuthenticationError) or self.system_state == CONSTANTS.SYSTEM_MAINTENANCE
            if not is_said and not self._unreachable:
                self.logger().warning(f"{self.name} is not connected, trying again until it is: {error}")
            self._unreachable = "" if is_said else str(error)
            return NetworkStatus.NOT_CONNECTED
        except Exception:
            self.logger().exception(f"Unexpected error while looking whether {self.name} is connected.")
            return NetworkStatus.NOT_CONNECTED
        self._unreachable = ""
        return NetworkStatus.CONNECTED

    async def _trading_rules_polling_loop(self) -> None:
        await self._keep_up_to_date("markets", self._update_trading_rules, self.TRADING_RULES_INTERVAL)

    async def _trading_fees_polling_loop(self) -> None:
        await self._keep_up_to_date("fees", self._update_trading_fees, self.TRADING_FEES_INTERVAL)

    async def _keep_up_to_date(self, what: str, update: Callable[[], Awaitable[None]], interval: float) -> None:
        """As in the base class, which asks twice a second, and logs a traceback each time, while nobody answers.

        :param interval: seconds from one update to the next
        """
        backoff = web_utils.Backoff(maximum=self.SHORT_POLL_INTERVAL)
        failing = False
        while True:
            try:
                await update()
            except web_utils.ParadexError as error:
                if not failing and not isinstance(error, ParadexAuthenticationError):  # which the private stream says
                    self.logger().warning(f"The {what} of {self.name} could not be read, trying again: {error}")
                failing = True
            except Exception:
                self.logger().exception(f"Unexpected error while reading the {what} of {self.name}.")
                failing = True
            else:
                failing = False
                backoff.reset()
            await self._sleep(backoff.next() if failing else interval)

    # === Markets ===

    async def _initialize_trading_pair_symbol_map(self) -> None:
        """As in the base class, which logs a traceback while the exchange cannot be asked."""
        try:
            self._initialize_trading_pair_symbols_from_exchange_info(await self._make_trading_pairs_request())
        except web_utils.ParadexError as error:
            self.logger().error(f"The markets of {self.name} could not be read: {error}")
        except Exception:
            self.logger().exception(f"Unexpected error while reading the markets of {self.name}.")

    async def exchange_symbol_associated_to_pair(self, trading_pair: str) -> str:
        """The exchange's name of a pair.

        :raises ValueError: if there is no such pair, with the one that is probably meant
        :raises web_utils.NoAnswerError: if the exchange has not told its markets yet
        """
        symbol_map = await self.trading_pair_symbol_map()
        if not symbol_map:
            raise web_utils.NoAnswerError(f"the markets of {self._domain} could not be read yet")
        try:
            return symbol_map.inverse[trading_pair]
        except KeyError:
            raise ValueError(utils.trading_pair_advice(trading_pair, known=list(symbol_map.values()))) from None

    def _initialize_trading_pair_symbols_from_exchange_info(self, exchange_info: Mapping[str, Any]) -> None:
        symbols: bidict[str, str] = bidict()

        def take(market: Mapping[str, Any]) -> None:
            if utils.is_exchange_information_valid(market):
                trading_pair = utils.trading_pair_of_market(market)
                if trading_pair in symbols.inverse:
                    raise ValueError(f"{trading_pair} is {symbols.inverse[trading_pair]} already")
                utils.check_market(market)
                symbols[utils.text_from(market, "symbol")] = trading_pair
                self._markets[trading_pair] = market

        results = web_utils.results_of(exchange_info, "markets")
        read = self._each(results, take, "a market")
        if len(read) < len(results):  # what could not be read stays as it was
            for trading_pair, market in self._markets.items():
                if trading_pair not in symbols.inverse and market["symbol"] not in symbols:
                    symbols[market["symbol"]] = trading_pair
        listed = {str(market.get("symbol")): market for market in results if isinstance(market, dict)}
        self._note_untradable(listed, symbols)
        self._set_trading_pair_symbol_map(symbols)

    def _note_untradable(self, listed: Mapping[str, Mapping[str, Any]], symbols: bidict[str, str]) -> None:
        """Finds what is not traded any more. A pair that somebody still follows keeps its market's name and rules.

        :param symbols: trading pairs by market, of those that are traded; completed here
        """
        before, self._untradable = self._untradable, {}
        for trading_pair in [pair for pair in self._markets if pair not in symbols.inverse]:
            symbol = str(self._markets[trading_pair]["symbol"])
            if symbol in symbols or trading_pair not in self._followed_pairs():
                del self._markets[trading_pair]
                continue
            symbols[symbol] = trading_pair
            now = self._time_synchronizer.time()
            text = utils.not_traded_text(trading_pair, listed.get(symbol), now)
            self._untradable[trading_pair] = text or f"{trading_pair} is not traded on Paradex any more."
        for trading_pair, text in self._untradable.items():
            if trading_pair not in before:
                self.logger().warning(f"{text} Orders in it fail from now on.")
        for trading_pair in before.keys() - self._untradable.keys():
            if trading_pair in symbols.inverse:
                self.logger().info(f"{trading_pair} is traded on Paradex again.")

    def _followed_pairs(self) -> set[str]:
        """Those that are traded here, or in which there are positions or orders."""
        orders = self._order_tracker.active_orders.values()
        return {*self._trading_pairs, *self.account_positions, *(order.trading_pair for order in orders)}

    async def _update_trading_rules(self) -> None:
        """Reads the markets anew. Rules change in place: executors keep the objects that they were given."""
        exchange_info = await self._make_trading_rules_request()
        rules = {rule.trading_pair: rule for rule in await self._format_trading_rules(exchange_info)}
        for trading_pair in self._trading_rules.keys() - rules.keys() - self._followed_pairs():
            del self._trading_rules[trading_pair]
        for trading_pair, rule in rules.items():
            held = self._trading_rules.setdefault(trading_pair, rule)
            for name in _CHANGING_RULES:
                setattr(held, name, getattr(rule, name))
        self._initialize_trading_pair_symbols_from_exchange_info(exchange_info)

    def market_changed(self, symbol: str, kind: str, changed: Mapping[str, Any]) -> None:
        """Takes an event of the `markets` channel: the rules are read anew, at once.

        :param kind: CREATED, UPDATED, SETTLED, DELETED
        :param changed: the fields that changed, for the log
        """
        details = ", ".join(f"{name} {value}" for name, value in changed.items()) if kind == "UPDATED" else ""
        self.logger().info(f"Paradex has changed {symbol}: {kind} {details}".rstrip())
        self.markets_may_have_changed()
        if kind in CONSTANTS.MARKET_ENDS:
            self._reconcile_soon()  # orders were cancelled, a position was closed

    def markets_may_have_changed(self) -> None:
        """Has the markets and their rules read anew; reasons that come together share a request."""
        self._markets_are_old = True
        if self._market_update is None or self._market_update.done():
            self._market_update = _in_background(self._update_markets())

    async def _update_markets(self) -> None:
        backoff = web_utils.Backoff()
        while self._markets_are_old:
            self._markets_are_old = False
            try:
                await self._update_trading_rules()
            except (LookupError, TypeError, ValueError, web_utils.ParadexError) as error:
                self.logger().debug(f"The markets could not be read yet: {error!r}")
                self._markets_are_old = True
                await self._sleep(backoff.next())

    def _require_tradable(self, trading_pair: str) -> None:
        """:raises ValueError: if no orders are taken in a pair's market now, with the reason"""
        text = self._untradable.get(trading_pair)
        if text is None and trading_pair in self._markets:
            text = utils.not_traded_text(trading_pair, self._markets[trading_pair], self._time_synchronizer.time())
        if text is not None:
            raise ValueError(text)

    def _set_trading_pair_symbol_map(self, trading_pair_and_symbol_map: bidict[str, str] | None) -> None:
        super()._set_trading_pair_symbol_map(trading_pair_and_symbol_map)
        self._trading_pairs_by_market = trading_pair_and_symbol_map or {}

    async def _pairs_by_market(self) -> Mapping[str, str]:
        await self.trading_pair_symbol_map()
        return self._trading_pairs_by_market

    async def _format_trading_rules(self, exchange_info_dict: Mapping[str, Any]) -> list[TradingRule]:
        rules = []
        markets = web_utils.results_of(exchange_info_dict, "markets")
        for market in (market for market in markets if isinstance(market, dict)):
            try:
                if utils.is_exchange_information_valid(market):
                    rules.append(utils.trading_rule_from_market(market))
            except utils.PAYLOAD_ERRORS as error:
                self.logger().error(f"Error parsing the trading rule of {market.get('symbol')}, skipping it: {error}")
        return rules

    async def _get_last_traded_price(self, trading_pair: str) -> float:
        return (await self.get_last_traded_prices([trading_pair]))[trading_pair]

    async def get_last_traded_prices(self, trading_pairs: list[str]) -> dict[str, float]:
        """:return: the last price by trading pair, in quote; one request however many there are"""
        symbols = {await self.exchange_symbol_associated_to_pair(pair): pair for pair in trading_pairs}
        market = next(iter(symbols)) if len(symbols) == 1 else "ALL"
        answer = await self._api_get(path_url=CONSTANTS.MARKETS_SUMMARY_PATH, params={"market": market})
        summaries = web_utils.results_of(answer, "summaries")
        ours = [entry for entry in summaries if isinstance(entry, dict) and entry.get("symbol") in symbols]
        return dict(
            self._each(ours, lambda entry: (symbols[entry["symbol"]], float(utils.last_price(entry))), "a last price")
        )

    async def add_trading_pair(self, trading_pair: str) -> bool:
        if trading_pair in self.order_book_tracker.order_books:
            return True  # the base class would undo the pair that is there already
        added = await super().add_trading_pair(trading_pair)
        if added and self._trading_required:
            try:
                await self._user_stream_tracker.data_source.subscribe_to_trading_pair(trading_pair)
            except (ConnectionError, web_utils.ParadexError) as error:
                self.logger().warning(f"No stream of funding payments for {trading_pair}, they are polled: {error}")
            await self._update_funding_payment(trading_pair, fire_event_on_new=False)  # what comes from now on is new
        return added

    async def remove_trading_pair(self, trading_pair: str) -> bool:
        if self._trading_required and trading_pair in self._trading_pairs:
            try:
                await self._user_stream_tracker.data_source.unsubscribe_from_trading_pair(trading_pair)
            except (ConnectionError, ValueError, web_utils.ParadexError) as error:
                self.logger().debug(f"The stream of funding payments for {trading_pair} goes on: {error}")
        self._leverage_known.discard(trading_pair)
        self._funding_watermarks.pop(trading_pair, None)
        self._announced_payments.pop(trading_pair, None)
        return await super().remove_trading_pair(trading_pair)

    # === Books and best prices ===

    def is_book_live(self, trading_pair: str) -> bool:
        """Whether a pair's order book is what the exchange told last.

        Hummingbot's strategies look at `ready` until it is true for the first time and then trade on the book as it
        is: one that must not quote on an old book asks here on each tick.
        """
        return trading_pair in self._orderbook_ds.live_trading_pairs()

    def best_bid_ask(self, trading_pair: str) -> utils.BestBidAsk | None:
        """The best prices and sizes, exact and at each change (channel `bbo`), for pairs of this connector or others.

        The first question subscribes, on a socket beside the one of the books.

        :return: None until the first message, and during an interruption
        :raises ValueError: if there is no such pair
        """
        return self._orderbook_ds.best_bid_ask(self._market_of(trading_pair))

    def interactive_order_book(self, trading_pair: str) -> utils.InteractiveBook | None:
        """The book with Retail Price Improvement orders in it, as the exchange's page shows it, and the best sizes
        with and without them (channel `order_book.….interactive`). For display: it may look crossed.

        Asked and answered like :meth:`best_bid_ask`.
        """
        return self._orderbook_ds.interactive_order_book(self._market_of(trading_pair))

    async def fetch_best_sizes(self, trading_pair: str) -> utils.BestSizes:
        """The best levels with and without Retail Price Improvement orders, now (`GET /orderbook/{market}`).

        :raises ValueError: if there is no such pair
        :raises web_utils.ParadexError: if the exchange does not answer
        """
        return await self._orderbook_ds.fetch_best_sizes(trading_pair)

    def stop_watching(self, trading_pair: str | None = None) -> None:
        """Ends what :meth:`best_bid_ask` and :meth:`interactive_order_book` have begun, for one pair or for all."""
        self._orderbook_ds.stop_watching(None if trading_pair is None else self._market_of(trading_pair))

    def _market_of(self, trading_pair: str) -> str:
        market = self._markets.get(trading_pair)
        if market is None:
            raise ValueError(utils.trading_pair_advice(trading_pair, known=list(self._markets)))
        return str(market["symbol"])

    # === Fees ===

    async def _update_trading_fees(self) -> None:
        answer = await self._private_get(CONSTANTS.ACCOUNT_INFO_PATH)
        address = int(self._account_address, 16)
        own: Mapping[str, Any] = next(
            (info for info in answer["results"] if int(info["account"], 16) == address), {}
        )  # there may be sub-accounts
        self._account_fees = utils.account_fee_rates(own)

    def _get_fee(  # type: ignore[override]
        self,
        base_currency: str,
        quote_currency: str,
        order_type: OrderType,
        order_side: TradeType,
        position_action: PositionAction,
        amount: Decimal,
        price: Decimal = s_decimal_NaN,
        is_maker: bool | None = None,
    ) -> TradeFeeBase:
        """An estimate: the market's rate for the order class, else the account's own, else the lowest tier's."""
        maker = is_maker if is_maker is not None else order_type is OrderType.LIMIT_MAKER
        fee = build_perpetual_trade_fee(
            self.name, maker, position_action, base_currency, quote_currency, order_type, order_side, amount, price
        )
        rate = self._fee_rate(f"{base_currency}-{quote_currency}", maker)
        if rate is not None:
            fee.percent = rate
        return fee

    def _fee_rate(self, trading_pair: str, maker: bool) -> Decimal | None:
        retail = self._order_class == CONSTANTS.ORDER_CLASS_RETAIL and not self._retail_lost
        order_class = CONSTANTS.ORDER_CLASS_RETAIL if retail else CONSTANTS.ORDER_CLASS_PRO
        side = 0 if maker else 1
        rate = utils.market_fee_rates(self._markets.get(trading_pair, {}), order_class)[side]
        if rate is None:
            rate = Decimal(0) if retail else self._account_fees[side]
        return rate

    # === Placing and cancelling orders ===

    def place_trigger_order(
        self,
        trading_pair: str,
        trade_type: TradeType,
        amount: Decimal,
        trigger_price: Decimal,
        trigger_type: str = CONSTANTS.TRIGGER_STOP,
        price: Decimal | None = None,
        position_action: PositionAction = PositionAction.CLOSE,
        **options: Any,
    ) -> str:
        """Places an order that waits until the mark price has come to its trigger price.

        The same as `buy` or `sell` with these keywords. It is tracked as open while it waits, and its events are those
        of any order; without a price it is a MARKET order, whose price in Hummingbot is the trigger price.

        :param amount: base
        :param trigger_price: quote
        :param trigger_type: `stop`, `take_profit` or `stop_loss`; the latter two only reduce a position
        :param price: quote; makes it a LIMIT order
        :param options: others of :class:`utils.OrderOptions`
        :return: the client id; an order that is not valid fails with an event that says why, and is not sent
        """
        place = self.buy if trade_type is TradeType.BUY else self.sell
        return place(
            trading_pair,
            amount,
            OrderType.MARKET if price is None else OrderType.LIMIT,
            s_decimal_NaN if price is None else price,
            position_action=position_action,
            trigger_price=trigger_price,
            trigger_type=trigger_type,
            **options,
        )

    async def _create_order(
        self,
        trade_type: TradeType,
        order_id: str,
        trading_pair: str,
        amount: Decimal,
        order_type: OrderType,
        price: Decimal | None = None,
        position_action: PositionAction = PositionAction.NIL,
        **kwargs: Any,
    ) -> Exception | None:
        """Tracks an order, checks it and places it.

        In place of the base class's, which refuses to close a position that is smaller than the market's minimum.

        :param kwargs: see :class:`utils.OrderOptions`
        :return: why it failed, as the order's event says too; None if it was placed
        """
        if position_action not in self.VALID_POSITION_ACTIONS:
            raise ValueError(f"Invalid position action {position_action}. Must be one of {self.VALID_POSITION_ACTIONS}")
        rule = self._trading_rules.get(trading_pair)
        if rule is None:
            self.start_tracking_order(
                order_id, None, trading_pair, trade_type, price or s_decimal_NaN, amount, order_type, position_action
            )
            error = ValueError(
                utils.trading_pair_advice(trading_pair, list(self._trading_rules))
                if self._trading_rules
                else f"The trading rules of {trading_pair} are not known yet."
            )
            self._on_order_failure(order_id, trading_pair, amount, trade_type, order_type, price, error, **kwargs)
            return error
        if order_type is not OrderType.MARKET:
            price = self.quantize_order_price(trading_pair, price or s_decimal_NaN)
        elif isinstance(kwargs.get("trigger_price"), Decimal):
            price = kwargs["trigger_price"]
        price = s_decimal_NaN if price is None else price
        quantized = self.quantize_order_amount(trading_pair, amount)
        self.start_tracking_order(
            order_id, None, trading_pair, trade_type, price, quantized, order_type, position_action
        )
        order = self._order_tracker.active_orders[order_id]
        try:
            if quantized < rule.min_order_size:
                raise ValueError(utils.too_small_text(amount, rule))
            await self._place_order_and_process_update(order=order, position_action=position_action, **kwargs)
        except Exception as error:  # as in the base class: whatever it is, the order has failed
            self._on_order_failure(order_id, trading_pair, quantized, trade_type, order_type, price, error, **kwargs)
            return error
        return None

    def _market_view(self, trading_pair: str, with_book: bool = True) -> utils.MarketView:
        """What is known about a market at this moment.

        :param with_book: whether the best prices are wanted
        :raises ValueError: if its rules are not known yet
        """
        if trading_pair not in self._trading_rules:
            raise ValueError(f"The trading rules of {trading_pair} are not known yet.")
        book = self.order_book_tracker.order_books.get(trading_pair) if with_book else None
        return utils.MarketView(
            rule=self._trading_rules[trading_pair],
            mark_price=self._mark_price(trading_pair),
            best_bid=_best_price(book.bid_entries()) if book is not None else None,
            best_ask=_best_price(book.ask_entries()) if book is not None else None,
            position=self._position_size(trading_pair),
            price_band=utils.decimal_or_none(self._markets.get(trading_pair, {}), "price_bands_width"),
            order_class=self._order_class,
        )

    def _mark_price(self, trading_pair: str) -> Decimal | None:
        """:return: in quote; None until it is known"""
        try:  # the property `funding_info` copies that of all pairs
            mark_price: Decimal = self._perpetual_trading.get_funding_info(trading_pair).mark_price
        except KeyError:
            return None
        return mark_price

    def _position_size(self, trading_pair: str) -> Decimal:
        """:return: signed, in base; 0 without a position"""
        position = self.account_positions.get(trading_pair)
        return position.amount if position is not None else Decimal(0)

    async def _place_order(
        self,
        order_id: str,
        trading_pair: str,
        amount: Decimal,
        trade_type: TradeType,
        order_type: OrderType,
        price: Decimal,
        position_action: PositionAction = PositionAction.NIL,
        **kwargs: Any,
    ) -> tuple[str, float]:
        """Sends an order; those that are placed at the same time go as one batch (see :class:`OrderEntry`).

        :param amount: base
        :param price: quote; not used for MARKET
        :param kwargs: see :class:`utils.OrderOptions`
        :return: the exchange's id and the time of creation in seconds
        :raises ValueError: if the order is not valid; it has not been sent
        :raises web_utils.ParadexError: only if it is certain that the order does not exist
        """
        self._require_tradable(trading_pair)
        options = utils.order_options(kwargs, order_type, self._settings)
        new = utils.NewOrder(order_id, trade_type, order_type, amount, price, position_action, options)
        view = self._market_view(trading_pair, with_book=order_type is OrderType.MARKET or options.rpi)
        utils.check_order(new, view)
        self._longest_recv_window = max(self._longest_recv_window, options.recv_window)
        self._submitting.add(order_id)
        try:
            request = utils.order_request(new, await self.exchange_symbol_associated_to_pair(trading_pair), view)
            try:
                order = await self._order_entry.submit(request)
            except web_utils.NoAnswerError as error:
                order = await self._find_submitted_order(order_id, error, request["recv_window"])
        finally:
            self._submitting.discard(order_id)
            if self._order_tracker.updatable_order(order_id) is not None:  # else it has ended already
                self._order_tracker.sent_by[order_id] = self._monotonic()
        try:
            created_at = utils.milliseconds_or_none(order, "created_at")
        except ValueError as error:  # the order is there all the same
            self.logger().debug(f"{order_id}: {error}")
            created_at = None
        return str(order["id"]), utils.seconds(created_at) if created_at else self._time_synchronizer.time()

    def _on_order_failure(
        self,
        order_id: str,
        trading_pair: str,
        amount: Decimal,
        trade_type: TradeType,
        order_type: OrderType,
        price: Decimal | None,
        exception: Exception,
        **kwargs: Any,
    ) -> None:
        if isinstance(exception, WithdrawnError):
            update = OrderUpdate(trading_pair, self.current_timestamp, OrderState.CANCELED, client_order_id=order_id)
            self._order_tracker.process_order_update(update)
            return
        if isinstance(exception, ValueError | web_utils.NotSentError | ParadexAuthenticationError):
            # In one line, without the base class's advice to check the keys: a strategy may try each second.
            self.logger().warning(f"{order_id} was not sent: {str(exception).removeprefix('not sent: ')}")
            self._update_order_after_failure(order_id, trading_pair, exception)
            return
        super()._on_order_failure(order_id, trading_pair, amount, trade_type, order_type, price, exception, **kwargs)

    async def _resynchronize_time(self) -> None:
        """Forgets what was measured of the exchange's clock and measures it again: it has been set."""
        self._time_synchronizer.clear_time_offset_ms_samples()
        await self._update_time_synchronizer(pass_on_non_cancelled_error=True)

    async def _find_submitted_order(
        self, client_order_id: str, cause: Exception, recv_window_ms: int
    ) -> Mapping[str, Any]:
        """Finds out what became of an order whose submission was not answered.

        The exchange takes an order only within the `recv_window` after its signature. So when that time is over, and
        the exchange can be asked, and does not know it, the order does not exist and never will.

        :raises web_utils.ParadexError: if the order does not exist
        """
        self.logger().warning(f"It is not known yet whether {client_order_id} was placed ({cause}); asking Paradex.")
        # Not by the exchange's clock: that one may be found to be wrong, and be set, while this waits.
        certain_at = self._monotonic() + recv_window_ms * 1e-3 + CONSTANTS.OUTCOME_MARGIN
        backoff = web_utils.Backoff(initial=0.25, maximum=5.0)
        while True:
            asked_at = self._monotonic()
            try:
                order = await self._find_order(client_order_id)
                if order is None and asked_at > certain_at:
                    order = await self._open_order(client_order_id)
            except web_utils.ParadexError as error:
                self.logger().debug(f"Paradex cannot be asked about {client_order_id} yet: {error}")
            else:
                if order is not None:
                    self.logger().info(f"{client_order_id} was placed; it is order {order['id']}.")
                    return order
                if asked_at > certain_at:
                    raise web_utils.ParadexError(f"{client_order_id} was not placed: {cause}")
            await self._sleep(backoff.next())

    async def _find_order(self, client_order_id: str, exchange_order_id: str | None = None) -> Mapping[str, Any] | None:
        """An order by its client id, open or closed; by the exchange's id also one that is neither yet.

        :return: None only if the exchange says that it knows no such order
        """
        try:
            order = await self._api_get(
                path_url=CONSTANTS.ORDER_BY_CLIENT_ID_PATH.format(client_id=web_utils.quoted(client_order_id)),
                is_auth_required=True,
                limit_id=CONSTANTS.ORDER_BY_CLIENT_ID_PATH,
            )
            return _readable_order(order)
        except web_utils.ApiError as error:
            if error.code not in CONSTANTS.ORDER_NOT_FOUND_ERRORS:
                raise
        order = await self._closed_order(client_order_id)
        if order is None and exchange_order_id is not None:
            try:
                order = await self._api_get(
                    path_url=CONSTANTS.ORDER_PATH.format(order_id=web_utils.quoted(exchange_order_id)),
                    is_auth_required=True,
                    limit_id=CONSTANTS.ORDER_BY_CLIENT_ID_PATH,
                )
                return _readable_order(order)
            except web_utils.ApiError as error:
                if error.code not in CONSTANTS.ORDER_NOT_FOUND_ERRORS:
                    raise
        return order

    async def _closed_order(self, client_order_id: str) -> Mapping[str, Any] | None:
        history = map(_readable_order, await self._results(CONSTANTS.ORDERS_HISTORY_PATH, client_id=client_order_id))
        return next((order for order in history if order.get("client_id") == client_order_id), None)

    async def _open_order(self, client_order_id: str) -> Mapping[str, Any] | None:
        """An order in the list of open ones: asked for by its id, one that waits for its trigger may not be told."""
        orders = await self._open_orders()
        return next((_readable_order(order) for order in orders if order.get("client_id") == client_order_id), None)

    async def _place_cancel(self, order_id: str, tracked_order: InFlightOrder) -> bool:
        """Asks for a cancel; the stream tells when it has happened. Those asked for at the same time go as one batch.

        :return: whether the request was taken; False if the order turns out not to exist or to be closed already
        :raises web_utils.ApiError: if there is no such order that is open
        :raises web_utils.NoAnswerError: if it is not decided for long; it is followed on
        """
        if self._order_entry.withdraw(order_id):
            return True
        if order_id in self._submitting:
            # Its submission is still in the air: a cancel that overtakes it would find nothing.
            cancel = self._follow_cancel(tracked_order)
            try:
                async with asyncio.timeout(CONSTANTS.WS_CALL_TIMEOUT):
                    await tracked_order.wait_until_processed_by_exchange()
            except TimeoutError:  # which the base class would take for an order that was not found
                return await self._until_decided(cancel, f"the submission of {order_id} has not been answered yet")
            if tracked_order.is_done:
                return False
        try:
            await self._send_cancel(tracked_order)
        except (web_utils.NoAnswerError, web_utils.RateLimitedError) as error:
            self.logger().warning(
                f"{order_id} is perhaps not cancelled yet ({error}): asking Paradex, and for it again."
            )
            return await self._until_decided(self._follow_cancel(tracked_order), str(error))
        except web_utils.NotSentError as error:
            if self._auth.is_read_only:
                raise
            self.logger().warning(f"{order_id} is not cancelled yet ({error}): trying again until Paradex has heard.")
            return await self._until_decided(self._follow_cancel(tracked_order), str(error))
        except web_utils.ApiError as error:
            if error.code not in CONSTANTS.ORDER_NOT_OPEN_ERRORS:
                raise
            return await self._cancel_what_is_not_open(tracked_order, error)
        self._follow_cancel(tracked_order)
        return True

    async def _send_cancel(self, order: InFlightOrder) -> None:
        market = await self.exchange_symbol_associated_to_pair(order.trading_pair)
        await self._order_entry.cancel(order.client_order_id, market, order.exchange_order_id)

    async def _cancel_what_is_not_open(self, order: InFlightOrder, error: web_utils.ApiError) -> bool:
        """An order that is not open may be closed, or not open yet, or none: that the exchange finds no open one is no
        proof that there is none.

        :return: whether its cancel goes on
        :raises web_utils.ApiError: if the exchange does not know the order at all; the base class counts these
        """
        try:
            payload = await self._find_order(order.client_order_id, order.exchange_order_id)
        except web_utils.ParadexError:
            self._reconcile_soon()
            return await self._until_decided(self._follow_cancel(order), str(error))
        if payload is not None:
            self._process_order(payload)
            self._reconcile_soon()  # it has probably just been filled
            if payload["status"] == CONSTANTS.STATUS_CLOSED:
                return False
        elif not self._is_on_its_way(order):
            self._reconcile_soon()
            if error.code in CONSTANTS.ORDER_NOT_FOUND_ERRORS:
                raise error
            return False
        return await self._until_decided(self._follow_cancel(order), str(error))

    def _follow_cancel(self, order: InFlightOrder) -> _Cancel:
        """Sees to it that an order ends which is to be cancelled: its cancel, or the news of it, may have been lost."""
        cancel = self._cancels.get(order.client_order_id)
        if cancel is None:
            cancel = _Cancel(order, self._monotonic())
            cancel.due_at += cancel.backoff.next()
            if order.client_order_id not in self._order_tracker.active_orders:  # nobody waits for a lost order
                cancel.decided.set()
                return cancel
            self._cancels[order.client_order_id] = cancel
            self._watch_cancels_soon()
        return cancel

    async def _until_decided(self, cancel: _Cancel, cause: str) -> bool:
        """:return: True when the cancel was taken, or the order is closed

        :raises web_utils.ParadexError: if it was refused, or is not decided for long; it is followed on
        """
        decided = cancel.decided
        try:
            if self._is_stopped and not decided.is_set():
                raise TimeoutError  # nobody looks after it before the next start
            async with asyncio.timeout(CONSTANTS.CANCEL_PATIENCE):
                await decided.wait()
            if decided is not cancel.decided:
                raise TimeoutError
        except TimeoutError:
            raise web_utils.NoAnswerError(
                f"it is not known yet whether {cancel.order.client_order_id} is cancelled: {cause}"
            ) from None
        if cancel.refusal is not None:
            raise cancel.refusal
        return True

    def _watch_cancels_soon(self) -> None:
        if self._cancels and (self._cancel_watch is None or self._cancel_watch.done()):
            self._cancel_watch = _in_background(self._watch_cancels())

    async def _watch_cancels(self) -> None:
        """Looks at the list of open orders for cancels of which nothing is heard, and repeats those that got lost."""
        while self._cancels:
            now = self._monotonic()
            await self._sleep(max(0.01, min(cancel.due_at for cancel in self._cancels.values()) - now))
            now = self._monotonic()
            self._drop_ended_cancels()
            due = [cancel for cancel in self._cancels.values() if cancel.due_at <= now]
            if not due:
                continue
            for cancel in due:
                cancel.due_at = now + cancel.backoff.next()
            due = [cancel for cancel in due if cancel.order.client_order_id not in self._submitting]
            try:
                if due:
                    await self._compare_open_orders()
            except (KeyError, TypeError, ValueError, web_utils.ParadexError) as error:
                self.logger().debug(f"Paradex cannot be asked about cancelled orders yet: {error!r}")
                continue
            await safe_gather(*(self._repeat_cancel(cancel) for cancel in due))

    def _drop_ended_cancels(self) -> None:
        for client_order_id, cancel in list(self._cancels.items()):
            ended = cancel.order.current_state in _FINAL_STATES  # all filled is no end: it may have been made larger
            if client_order_id not in self._order_tracker.active_orders or ended:
                del self._cancels[client_order_id]
                cancel.decided.set()

    async def _repeat_cancel(self, cancel: _Cancel) -> None:
        order = cancel.order
        if self._cancels.get(order.client_order_id) is not cancel:
            return
        try:
            await self._send_cancel(order)
        except web_utils.ApiError as error:
            if error.code in CONSTANTS.ORDER_NOT_OPEN_ERRORS or isinstance(error, web_utils.RateLimitedError):
                return  # the next look tells
            self.logger().warning(f"{order.client_order_id} is not cancelled: {error}")
            cancel.refusal = error
            self._cancels.pop(order.client_order_id, None)
        except (ValueError, web_utils.ParadexError) as error:
            self.logger().debug(f"{order.client_order_id} is not cancelled yet: {error}")
            return
        cancel.decided.set()

    async def _execute_order_cancel(self, order: InFlightOrder) -> str | None:
        """As in the base class, without its traceback for what is no mistake in the program."""
        try:
            cancelled = await self._execute_order_cancel_and_process_update(order=order)
        except web_utils.ParadexError as error:
            client_order_id = order.client_order_id
            if self._is_order_not_found_during_cancelation_error(error):
                self.logger().warning(f"Failed to cancel order {client_order_id} (order not found)")
                if self._absence_counts(client_order_id):
                    await self._order_tracker.process_order_not_found(client_order_id)
            else:
                # The first text is the framework's: its acceptance tests look for it.
                self.logger().error(f"Failed to cancel order {client_order_id}")
                self.logger().error(f"{client_order_id} is not cancelled: {error}")
            return None
        return order.client_order_id if cancelled else None

    def batch_order_create(
        self,
        orders_to_create: list[LimitOrder | MarketOrder],
        options: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[LimitOrder | MarketOrder]:
        """Places orders; they go as one batch, as all do that are placed at the same time. Each has its own events.

        :param orders_to_create: their `position` is OPEN or CLOSE; one that says neither opens
        :param options: for each order keywords of `buy` and `sell`: of :class:`utils.OrderOptions`, and `order_type`,
            since a LimitOrder cannot say that it is LIMIT_MAKER
        :return: the orders with their client ids
        :raises ValueError: if there are not as many options as orders; nothing was placed
        """
        if options is not None and len(options) != len(orders_to_create):
            raise ValueError(f"There are {len(options)} options for {len(orders_to_create)} orders.")
        created = []
        for order, keywords in zip(orders_to_create, options or [{}] * len(orders_to_create), strict=True):
            place = self.buy if order.is_buy else self.sell
            arguments = {
                "trading_pair": order.trading_pair,
                "amount": Decimal(str(order.quantity)),
                "order_type": order.order_type(),
                "price": s_decimal_NaN if order.price is None else order.price,
                "position_action": order.position,
            }
            if order.position is not PositionAction.CLOSE:
                arguments["position_action"] = PositionAction.OPEN
            created.append(order.copy_with_id(place(**{**arguments, **keywords})))
        return created

    async def cancel_all_orders(self, trading_pair: str | None = None) -> list[str]:
        """Cancels every order of the account with one request, also those that this bot does not know.

        :param trading_pair: only those of this pair
        :return: the client ids of the tracked orders that are cancelled; the stream tells when it has happened
        :raises web_utils.ParadexError: if the exchange refuses or does not answer
        """
        market = await self.exchange_symbol_associated_to_pair(trading_pair) if trading_pair else None
        await asyncio.sleep(0)  # what `buy` and `sell` have begun just before is tracked then
        orders = [
            order
            for order in self._order_tracker.active_orders.values()
            if trading_pair in (None, order.trading_pair) and not order.is_done
        ]
        self._order_entry.withdraw_all(market)
        on_their_way = {order.client_order_id for order in orders} & self._submitting
        try:
            await self._order_entry.cancel_all(market)
        except web_utils.NoAnswerError:
            self._reconcile_soon()  # it may have happened
            raise
        # Perhaps behind the cancel, unless it was withdrawn.
        late = [order for order in orders if order.client_order_id in on_their_way and not order.is_done]
        for order in orders:
            if order.client_order_id not in on_their_way:
                update = OrderUpdate(
                    order.trading_pair,
                    self._time_synchronizer.time(),
                    OrderState.PENDING_CANCEL,
                    client_order_id=order.client_order_id,
                )
                self._order_tracker.process_order_update(update)
                self._follow_cancel(order)
        await safe_gather(*map(self._execute_order_cancel, late))
        return [order.client_order_id for order in orders]

    def restore_tracking_states(self, saved_states: dict[str, Any]) -> None:
        super().restore_tracking_states(saved_states)
        # Orders that were created before the restart have rested, as far as anybody knows: what closed them meanwhile
        # was no rejection.
        self._seen_open.update(self._order_tracker.active_orders)
        self._order_tracker.sent_by = dict.fromkeys(self._order_tracker.active_orders, self._monotonic())

    # === Modifying orders ===

    async def modify_order(
        self,
        client_order_id: str,
        price: Decimal | None = None,
        amount: Decimal | None = None,
        trigger_price: Decimal | None = None,
    ) -> InFlightOrder:
        """Changes an open LIMIT or trigger order in place: `PUT /orders/{id}`, and whatever the exchange makes of it.

        It keeps its ids and fills; its priority it keeps only if nothing but the amount becomes smaller. Changes of one
        order wait for each other. A trigger price can be changed until the order is triggered.

        :param price: quote; None leaves it
        :param amount: base, the whole order with what has been filled already; None leaves it
        :param trigger_price: quote; None leaves it
        :return: the tracked order with its new price and amount; it may have been filled by that
        :raises ValueError: if this is not possible; nothing was sent
        :raises NotModifiedError: if the exchange refused, or the order was filled or cancelled before it was modified
        :raises web_utils.ParadexError: if nothing was sent, or the exchange has not decided in half a minute; whatever
            it decides, the tracked order will follow
        """
        return await self._modify_order(client_order_id, price, amount, trigger_price, CONSTANTS.OUTCOME_MARGIN)

    async def _modify_order(
        self,
        client_order_id: str,
        price: Decimal | None,
        amount: Decimal | None,
        trigger_price: Decimal | None,
        patience: float,
    ) -> InFlightOrder:
        """:meth:`modify_order`, which waits for the outcome so many seconds."""
        order = self._order_tracker.fetch_tracked_order(client_order_id)
        if order is None:
            raise ValueError(f"There is no open order {client_order_id}.")
        if order.exchange_order_id is None:
            raise ValueError(f"{client_order_id} is not on the exchange yet.")
        record = self._records[client_order_id]
        async with record.modifying:
            terms = await self._terms_when(order, record, lambda terms: terms.status != CONSTANTS.STATUS_NEW)
            if terms is None:
                raise web_utils.NoAnswerError(f"Paradex does not say what {client_order_id} is")
            if terms.is_closed:
                raise _closed(client_order_id, terms)
            view = self._market_view(order.trading_pair)
            wanted = utils.modified_terms(order, terms, view, price, amount, trigger_price)
            if not wanted.asks_the_same(terms):
                await self._modify(order, record, terms, wanted, patience)
        return order

    async def _modify(
        self,
        order: InFlightOrder,
        record: _OrderRecord,
        before: utils.OrderTerms,
        wanted: utils.OrderTerms,
        patience: float,
    ) -> None:
        """Asks for a modification and follows it until it has happened.

        :raises web_utils.ParadexError: see :meth:`modify_order`
        """
        client_order_id = order.client_order_id
        market = await self.exchange_symbol_associated_to_pair(order.trading_pair)
        request_id, cause = None, "nothing has been heard of it"
        try:
            request = utils.modify_request(order, wanted, market)
            answer = await self._order_entry.modify(request, reduces=wanted.reduces_only or wanted.shrinks(before))
            request_id = utils.modification_id(answer)
        except web_utils.NoAnswerError as error:
            cause = str(error)
            self.logger().warning(f"It is not known yet whether {client_order_id} was modified ({error}); asking.")
        except web_utils.ApiError as error:
            if error.code in CONSTANTS.ORDER_NOT_OPEN_ERRORS:
                self._reconcile_soon()  # it has probably just been filled
            raise NotModifiedError(f"{client_order_id} was not modified: {error}") from error
        terms = await self._terms_when(
            order, record, lambda terms: utils.is_modification_decided(terms, before, wanted, request_id), patience
        )
        if terms is None and request_id is None and patience >= CONSTANTS.OUTCOME_MARGIN:
            # It would have been received and worked on by now.
            raise NotModifiedError(f"{client_order_id} was not modified: {cause}")
        if terms is None:
            raise web_utils.NoAnswerError(f"Paradex has not decided yet whether {client_order_id} is modified")
        is_answer = utils.is_modification_answer(terms, before, request_id)
        if (is_answer and terms.request_status == CONSTANTS.MODIFY_SUCCEEDED) or terms.asks_the_same(wanted):
            return
        if terms.is_closed:
            raise _closed(client_order_id, terms)
        raise NotModifiedError(f"{client_order_id} was not modified: Paradex refused, {terms.request_message}")

    async def _terms_when(
        self,
        order: InFlightOrder,
        record: _OrderRecord,
        condition: Callable[[utils.OrderTerms], bool],
        patience: float = CONSTANTS.OUTCOME_MARGIN,
    ) -> utils.OrderTerms | None:
        """What an order is for as soon as that fulfils a condition: told by the stream, or by REST if it is silent.

        :param patience: seconds; by default, whatever was sent must have been worked on then
        :return: None if that has not come about in this time
        """
        certain_at = self._monotonic() + patience
        pause = CONSTANTS.MODIFY_SILENCE if record.terms is not None else 0.0
        while True:
            if record.terms is not None and condition(record.terms):
                return record.terms
            record.heard.clear()
            hearing = asyncio.create_task(record.heard.wait())
            asking = asyncio.create_task(self._ask_for_terms(order, record, pause))
            try:
                await asyncio.wait([hearing, asking], return_when=asyncio.FIRST_COMPLETED)
                if asking.done() and asking.result() > certain_at and not (record.terms and condition(record.terms)):
                    return None
            finally:
                hearing.cancel()
                asking.cancel()
            pause = CONSTANTS.MODIFY_SILENCE

    async def _ask_for_terms(self, order: InFlightOrder, record: _OrderRecord, pause: float) -> float:
        """Asks REST about an order after a pause, and takes over what it says.

        :return: when it was asked, in seconds of the monotonic clock; 0 if that did not succeed
        """
        await self._sleep(pause)
        asked_at = self._monotonic()
        try:
            payload = await self._find_order(order.client_order_id)
        except web_utils.ParadexError as error:
            self.logger().debug(f"Paradex cannot be asked about {order.client_order_id} yet: {error}")
            return 0.0
        if payload is not None:
            self._note_terms(payload, order, record)
            self._process_order(payload)
        return asked_at

    def _note_terms(self, payload: Mapping[str, Any], order: InFlightOrder, record: _OrderRecord) -> None:
        """Takes over what an order is for on the exchange, unless something newer is known."""
        terms = utils.order_terms(payload)
        if record.terms is None or record.terms.is_outdated_by(terms):
            record.terms = terms
            utils.adopt_terms(order, terms)
        record.heard.set()

    # === A position's take-profit and stop-loss ===

    async def set_take_profit_stop_loss(
        self,
        trading_pair: str,
        take_profit_price: Decimal | None = None,
        stop_loss_price: Decimal | None = None,
        take_profit_limit: Decimal | None = None,
        stop_loss_limit: Decimal | None = None,
    ) -> dict[str, str]:
        """Gives the position in a market a take-profit and a stop-loss, in place of those that it has from here.

        They are reduce-only orders that wait for the mark price, of the position's size. Paradex cancels the
        other one when the position is closed, and makes both smaller with it; the connector makes them larger, and
        does the rest itself where Paradex does not. They are tracked, cancelled and restored like any order.

        :param take_profit_price: quote, on the side of the mark price where the position wins; None removes it
        :param stop_loss_price: quote, on the other side; None removes it
        :param take_profit_limit, stop_loss_limit: quote; makes it a LIMIT order at this price, which may not be filled
            once it is triggered; None leaves it a MARKET order. One that changes its kind is cancelled and made anew
        :return: their client ids by trigger type (`take_profit`, `stop_loss`)
        :raises ValueError: if there is no position or a price is not possible; nothing was changed
        :raises web_utils.ParadexError: if the exchange refused one; the text says which one, the other may have changed
        """
        prices = {
            CONSTANTS.TRIGGER_STOP_LOSS: (stop_loss_price, stop_loss_limit),  # first: it is the one that is missed more
            CONSTANTS.TRIGGER_TAKE_PROFIT: (take_profit_price, take_profit_limit),
        }
        async with self._position_orders_locks[trading_pair]:
            view = self._market_view(trading_pair)
            utils.check_position_orders(prices, view)
            client_ids = {}
            for kind, (trigger_price, limit_price) in prices.items():
                try:
                    client_id = await self._set_position_order(
                        trading_pair, kind, trigger_price, limit_price, view.position
                    )
                except (ValueError, web_utils.ParadexError) as error:
                    raise web_utils.ParadexError(f"The {kind} of {trading_pair} was not set: {error}") from error
                if client_id is not None:
                    client_ids[kind] = client_id
            return client_ids

    def position_order(self, trading_pair: str, trigger_type: str) -> InFlightOrder | None:
        """The order that :meth:`set_take_profit_stop_loss` has made and that still waits or executes.

        :param trigger_type: `take_profit` or `stop_loss`
        """
        mark = CONSTANTS.POSITION_CLIENT_ID_MARKS[trigger_type]
        orders = (
            order
            for order in self._order_tracker.active_orders.values()
            if order.trading_pair == trading_pair
            and order.client_order_id.startswith(mark, len(self._client_id_prefix))
            and not order.is_done
        )
        return next(orders, None)

    async def _set_position_order(
        self,
        trading_pair: str,
        trigger_type: str,
        trigger_price: Decimal | None,
        limit_price: Decimal | None,
        position: Decimal,
    ) -> str | None:
        """Makes, modifies or cancels one of a position's orders.

        :param position: signed, in base
        :raises ValueError, web_utils.ParadexError: if that did not succeed
        """
        order = self.position_order(trading_pair, trigger_type)
        closing_side = TradeType.SELL if position > 0 else TradeType.BUY
        kind = (closing_side, OrderType.MARKET if limit_price is None else OrderType.LIMIT)
        if order is not None and trigger_price is not None and (order.trade_type, order.order_type) == kind:
            try:
                await self.modify_order(order.client_order_id, limit_price, abs(position), trigger_price)
                return order.client_order_id
            except NotModifiedError:
                if order.client_order_id in self._records or self._position_size(trading_pair) != position:
                    raise
        elif order is not None:
            await self._remove_position_order(order)
        if trigger_price is None:
            return None
        client_id = get_new_client_order_id(
            is_buy=closing_side is TradeType.BUY,
            trading_pair=trading_pair,
            hbot_order_id_prefix=self._client_id_prefix + CONSTANTS.POSITION_CLIENT_ID_MARKS[trigger_type],
            max_id_len=self.client_order_id_max_length,
        )
        error = await self._create_order(
            closing_side,
            client_id,
            trading_pair,
            abs(position),
            kind[1],
            limit_price,
            position_action=PositionAction.CLOSE,
            trigger_price=trigger_price,
            trigger_type=trigger_type,
        )
        if error is not None:
            raise web_utils.ParadexError(str(error)) from error
        return client_id

    async def _remove_position_order(self, order: InFlightOrder) -> None:
        """Cancels one of a position's orders, until that has happened.

        :raises web_utils.ParadexError: if it has not
        """
        record = self._records[order.client_order_id]
        await self._execute_cancel(order.trading_pair, order.client_order_id)
        if await self._terms_when(order, record, lambda terms: terms.is_closed) is None:
            raise web_utils.NoAnswerError(f"{order.client_order_id} is not cancelled yet")

    def _fit_position_orders_soon(self, trading_pair: str) -> None:
        """Has a position's take-profit and stop-loss taken to its size; changes that come together share a pass."""
        task = self._fitting.get(trading_pair)
        if (task is None or task.done()) and self._unfit_position_orders(trading_pair):
            self._fitting[trading_pair] = _in_background(self._fit_position_orders(trading_pair))

    def _unfit_position_orders(self, trading_pair: str) -> list[InFlightOrder]:
        """Those that wait for another size, or against another side, than the position has."""
        position = self._position_size(trading_pair)
        kinds = (CONSTANTS.TRIGGER_STOP_LOSS, CONSTANTS.TRIGGER_TAKE_PROFIT)  # the one that is missed more comes first
        orders = (self.position_order(trading_pair, kind) for kind in kinds)
        return [
            order
            for order in orders
            if order is not None
            and order.executed_amount_base == 0  # else it is closing the position right now
            and position != (order.amount if order.trade_type is TradeType.SELL else -order.amount)
        ]

    async def _fit_position_orders(self, trading_pair: str) -> None:
        """Modifies or cancels them until they fit; what cannot be done is said, and tried again after a pause."""
        tried: set[tuple[str, Decimal]] = set()
        backoff = web_utils.Backoff()
        while unfit := self._unfit_position_orders(trading_pair):
            position = self._position_size(trading_pair)
            order = next((order for order in unfit if (order.client_order_id, position) not in tried), None)
            if order is None:
                await self._sleep(backoff.next())
                tried.clear()
                continue
            tried.add((order.client_order_id, position))
            if abs(position) <= order.amount:
                # The exchange makes it smaller, or cancels it, by itself, and it only reduces: no hurry.
                await self._sleep(CONSTANTS.POSITION_ORDERS_PATIENCE)
            async with self._position_orders_locks[trading_pair]:
                if any(order is other for other in self._unfit_position_orders(trading_pair)):
                    await self._fit_position_order(order, self._position_size(trading_pair))

    async def _fit_position_order(self, order: InFlightOrder, position: Decimal) -> None:
        try:
            if position == 0 or (position > 0) == (order.trade_type is TradeType.BUY):
                await self._remove_position_order(order)
            else:
                repeat = CONSTANTS.POSITION_ORDERS_REPEAT
                await self._modify_order(order.client_order_id, None, abs(position), None, repeat)
        except (ValueError, web_utils.ParadexError) as error:
            if order.client_order_id in self._records:  # else it is closed
                self.logger().warning(
                    f"{order.client_order_id} is for {order.amount} while the position in {order.trading_pair} is "
                    f"{position}: {error}"
                )

    # === Order status and fills by lists ===

    async def _request_order_status(self, tracked_order: InFlightOrder) -> OrderUpdate:
        order = await self._find_order(tracked_order.client_order_id)
        if order is None:
            raise _OrderNotFoundError(f"Paradex does not know {tracked_order.client_order_id}")
        return self._order_update(order, tracked_order)

    async def _update_orders_with_error_handler(
        self, orders: list[InFlightOrder], error_handler: Callable[..., Awaitable[None]]
    ) -> None:
        """The status of all given orders, from one list of the open ones and one of the closed ones."""
        if orders:
            asked_at = self._monotonic()
            await self._update_from_open_orders(orders, await self._open_orders(), asked_at, error_handler)

    async def _update_orders(self) -> None:
        if self.in_flight_orders:
            await self._compare_open_orders()

    async def _compare_open_orders(self) -> None:
        """Compares the tracked orders, and those that should be tracked, with the exchange's list of open ones."""
        asked_at = self._monotonic()
        orders = list(self.in_flight_orders.values())
        open_orders = await self._open_orders()
        await self._update_from_open_orders(orders, open_orders, asked_at, self._handle_update_error_for_active_order)
        await self._look_for_unknown_orders(open_orders, asked_at)

    async def _open_orders(self) -> list[Mapping[str, Any]]:
        """:raises web_utils.UnreadableAnswerError: if it cannot be told whose an order is; it may be any"""
        entries = await self._results(CONSTANTS.ORDERS_PATH)
        orders = self._each(entries, _with_client_id, "an open order")
        if len(orders) < len(entries):
            self._each(orders, self._process_order, "an open order")
            raise web_utils.UnreadableAnswerError("it cannot be told whose one of the open orders is")
        return orders

    async def _update_from_open_orders(
        self,
        orders: list[InFlightOrder],
        open_orders: list[Mapping[str, Any]],
        asked_at: float,
        error_handler: Callable[..., Awaitable[None]],
    ) -> None:
        """:param open_orders: all of the account, asked for at `asked_at` (monotonic), after `orders` were tracked"""
        found = {order.get("client_id"): order for order in open_orders}
        self._each(found.values(), self._process_order, "an order")
        missing = [order for order in orders if order.client_order_id not in found]
        closed = await self._closed_orders(missing)
        for order in missing:
            if order.client_order_id in closed:
                self._each([closed[order.client_order_id]], self._process_order, "an order")
            elif not self._is_on_its_way(order) and self._absence_counts(order.client_order_id):
                if self._would_have_come(order, asked_at):
                    self._order_tracker.one_absence_is_enough(order.client_order_id)
                await error_handler(order, _OrderNotFoundError(f"Paradex does not know {order.client_order_id}"))

    def _absence_counts(self, client_order_id: str) -> bool:
        """Whether an order that is found nowhere now counts as not found: what has just been closed need not be in the
        history yet, so two times have some seconds between them."""
        record, now = self._records[client_order_id], self._monotonic()
        if now - record.missed_at < CONSTANTS.NOT_FOUND_SPACING:
            return False
        record.missed_at = now
        return True

    async def _closed_orders(self, orders: list[InFlightOrder]) -> dict[str, Mapping[str, Any]]:
        """Those of the given orders that are in the history, by client id.

        A few are asked for by theirs, and so are many if the list of all since the oldest of them has more pages than
        they are: one old order must not have everything since read, each time.
        """
        if len(orders) > CONSTANTS.FEW_ORDERS:
            since = min(order.creation_timestamp for order in orders)
            path, start_at = CONSTANTS.ORDERS_HISTORY_PATH, self._asked_since(since)
            try:
                history = await self._all_results(path, max_pages=len(orders), start_at=start_at)
            except web_utils.ListTooLongError as error:
                self.logger().debug(f"{len(orders)} orders are asked for one by one: {error}")
            else:
                closed = self._each(history, _with_client_id, "a closed order")
                return {str(order.get("client_id")): order for order in closed}
        client_ids = [order.client_order_id for order in orders]
        found = await safe_gather(*map(self._closed_order, client_ids), return_exceptions=True)
        if errors := [result for result in found if isinstance(result, BaseException)]:
            self._each([order for order in found if isinstance(order, Mapping)], self._process_order, "an order")
            raise errors[0]
        return {client_id: order for client_id, order in zip(client_ids, found, strict=True) if order is not None}

    def _is_on_its_way(self, order: InFlightOrder) -> bool:
        """Whether an order may still be between its submission and the book, so that not finding it means nothing.

        The rate limiter can hold it back there, and an exchange that does not answer keep it there, for any time. One
        that has been answered is NEW until its risk checks are over: by its client id, the exchange does not tell it
        then, and no page says that the list of open orders does.
        """
        client_order_id = order.client_order_id
        if client_order_id in self._submitting:
            return True
        has_rested = order.exchange_order_id is not None and client_order_id in self._seen_open
        return not has_rested and self._monotonic() - self._sent_at_the_latest(order) < self._time_to_come

    def _would_have_come(self, order: InFlightOrder, asked_at: float) -> bool:
        """Whether an order that is not found now never left: whatever was sent of it, by an earlier process at the
        latest when that was ended, would have been received and worked on before `asked_at`."""
        return order.exchange_order_id is None and asked_at - self._sent_at_the_latest(order) > self._time_to_come

    def _sent_at_the_latest(self, order: InFlightOrder) -> float:
        """:return: by `_monotonic`; of an order that somebody else has tracked, that it was long ago"""
        return self._order_tracker.sent_by.get(order.client_order_id, -math.inf)

    @property
    def _time_to_come(self) -> float:
        """Seconds from its signature within which an order is visible on the exchange, or never will be."""
        return self._longest_recv_window * 1e-3 + CONSTANTS.OUTCOME_MARGIN

    # === Orders that this bot does not track ===

    async def _look_for_unknown_orders(self, open_orders: list[Mapping[str, Any]], asked_at: float) -> None:
        """Cancels or adopts the open orders that an earlier run of this bot sent and never recorded; others are shown.

        :param open_orders: all of the account
        """
        if not self._trading_required:
            return
        proven = self._unknown_orders.take_list(open_orders, self._is_known_order, asked_at)
        if self._unknown_orders.others and not self._foreign_orders_said:
            self._foreign_orders_said = True
            self.logger().info(f"There are {self._unknown_orders.others_text()}.")
        if self._unknown_orders.wants_another_look:
            self._reconcile_soon()
        outcomes = await safe_gather(*map(self._settle_unknown_order, proven), return_exceptions=True)
        for payload, outcome in zip(proven, outcomes, strict=True):
            if isinstance(
                outcome, Exception
            ):  # one that makes no sense must not keep the others; the next look repeats it
                self.logger().warning(f"{payload['client_id']} could not be settled yet: {outcome!r}")

    def _is_known_order(self, client_order_id: str) -> bool:
        return (
            self._order_tracker.fillable_order(client_order_id) is not None
            or client_order_id in self._submitting
            or client_order_id in self._fills_owed
        )

    async def _settle_unknown_order(self, payload: Mapping[str, Any]) -> None:
        client_order_id, market = str(payload["client_id"]), str(payload["market"])
        trading_pair = self._trading_pairs_by_market.get(market)
        try:
            executed = utils.executed_size(payload)
        except ValueError:  # it can be cancelled all the same
            executed, trading_pair = Decimal(0), None
        wanted = self._settings.unknown_orders == CONSTANTS.UNKNOWN_ORDERS_ADOPT
        # Without its stop-loss a position has no bound; with one that nobody wanted, it can only become smaller.
        adopt = (wanted or utils.is_protective(payload)) and trading_pair is not None
        text = (
            f"{client_order_id} is an open order of this bot ({payload.get('side')} {payload.get('size')} {market} at "
            f"{payload.get('price')}) that it never recorded: it was ended before"
        )
        if executed:
            text += f", and {executed} of it were filled"
        self.logger().warning(f"{text}. It is {'adopted' if adopt else 'cancelled'}.")
        if adopt and trading_pair is not None:
            order = utils.order_from_payload(payload, trading_pair, self.get_leverage(trading_pair))
            self._order_tracker.start_tracking_order(order)
            self._process_order(payload)
            for update in await self._all_trade_updates_for_order(order) if executed else ():
                self._take_trade_update(update)
            return
        await self._order_entry.cancel(client_order_id, market, str(payload["id"]))

    async def _look_for_lost_fills(self) -> None:
        """Once after the start: the last fills of this bot's orders that are in none of its records.

        They are of orders that were sent and not recorded before the bot was ended. No strategy knows those orders any
        more; the position and the balance contain the fills. They are not told as events: what is in no record of this
        strategy may be in that of another which this bot ran since, and would count there and here.
        """
        answer = await self._private_get(CONSTANTS.FILLS_PATH, page_size=CONSTANTS.PAGE_SIZE)
        self._looked_for_lost_fills = True
        fills = web_utils.results_of(answer, "fills")
        lost = [fill for fill, is_lost in self._each(fills, lambda f: (f, self._is_lost_fill(f)), "a fill") if is_lost]
        for fill in lost:
            self._remember_fill(utils.fill_key(fill))
        if lost:
            orders = _by_client_id(lost)  # the newest first, as the exchange lists fills
            named = itertools.islice(orders.items(), CONSTANTS.LOST_ORDERS_NAMED)
            texts = [utils.fills_text(client_id, fills) for client_id, fills in named]
            if len(orders) > len(texts):
                texts.append(f"and {len(orders) - len(texts)} orders before them")
            self.logger().warning(
                f"{len(lost)} fills of {len(orders)} orders that this bot made before are not in the history of this "
                f"strategy; the position contains them: {'; '.join(texts)}."
            )

    def _is_lost_fill(self, payload: Mapping[str, Any]) -> bool:
        """Whether a fill is of an order of this bot that is not tracked, and not recorded or told before."""
        client_order_id = str(payload.get("client_id"))
        if not self._unknown_orders.is_own(client_order_id) or self._is_known_order(client_order_id):
            return False
        key = utils.fill_key(payload)
        trading_pair = self._trading_pairs_by_market.get(str(payload["market"]))
        recorded = TradeFillOrderDetails(self.display_name, key, trading_pair)
        return key not in self._told_fills_set and recorded not in self._current_trade_fills

    def _remember_fill(self, key: str) -> None:
        if key not in self._told_fills_set:
            if len(self._told_fills) == self._told_fills.maxlen:
                self._told_fills_set.discard(self._told_fills[0])
            self._told_fills.append(key)
            self._told_fills_set.add(key)

    def _take_trade_update(self, update: TradeUpdate) -> None:
        self._remember_fill(update.trade_id)
        self._order_tracker.process_trade_update(update)
        owed = self._fills_owed.get(update.client_order_id)
        if owed is not None and owed[0].executed_amount_base >= owed[1]:
            self._release_end(update.client_order_id)

    # === What the stream and the lists tell of orders ===

    async def _update_orders_fills(self, orders: list[InFlightOrder]) -> None:
        """Every fill since the last one seen, from one list for all orders."""
        if not orders:
            return
        oldest = self._asked_since(min(order.creation_timestamp for order in orders))
        start = oldest if self._fills_watermark is None else max(oldest, self._fills_watermark)
        try:
            fills = await self._all_results(CONSTANTS.FILLS_PATH, start_at=start)
        except web_utils.ListTooLongError as error:
            # An old order, and a hundred thousand fills since: read in each poll, they would take the whole rate limit.
            self._fills_watermark = self._asked_since(math.inf)
            self.logger().error(
                f"Not all fills since the oldest order was made could be read, {error}: those of the last minutes are "
                "compared, and those before, of an order that is still open, when it is closed."
            )
            return
        except web_utils.ParadexError as error:
            self.logger().warning(f"Failed to fetch the fills, the next poll repeats it: {error}")
            return
        timed = self._each(fills, lambda fill: (_created_at(fill), fill), "a fill")
        in_order = [fill for _, fill in sorted(timed, key=lambda entry: entry[0])]
        taken = self._each(in_order, self._process_fill, "a fill")
        if timed and len(taken) == len(fills):  # else what could not be read is asked for again
            newest = max(created_at for created_at, _ in timed)
            self._fills_watermark = newest - _milliseconds(CONSTANTS.FILLS_OVERLAP)

    def _asked_since(self, timestamp: float) -> int:
        """Where a list begins that has to hold what happened since a time by the bot's clock, in milliseconds by the
        exchange's: a clock that is ahead must not let it begin in the exchange's future."""
        now = self._time_synchronizer.time()
        ahead = self.current_timestamp - now
        # Not after now either: the bot's clock may have been ahead then, and have been set back since.
        return _milliseconds(min(timestamp - max(ahead, 0), now) - CONSTANTS.CLOCK_MARGIN)

    async def _all_trade_updates_for_order(self, order: InFlightOrder) -> list[TradeUpdate]:
        fills = await self._all_results(
            CONSTANTS.FILLS_PATH,
            market=await self.exchange_symbol_associated_to_pair(order.trading_pair),
            start_at=self._asked_since(order.creation_timestamp),
        )
        ids = (order.client_order_id, order.exchange_order_id)
        of_order = [fill for fill in fills if isinstance(fill, dict) and _is_of(fill, *ids)]
        return self._each(of_order, lambda fill: utils.trade_update_from_fill(fill, order), "a fill")

    def _order_update(self, payload: Mapping[str, Any], order: InFlightOrder) -> OrderUpdate:
        client_order_id = order.client_order_id
        self._note_terms(payload, order, self._records[client_order_id])
        update = utils.order_update_from_payload(payload, order, was_open=client_order_id in self._seen_open)
        if payload["status"] in (CONSTANTS.STATUS_OPEN, CONSTANTS.STATUS_UNTRIGGERED):
            self._seen_open.add(client_order_id)
        elif update.new_state in _FINAL_STATES:
            self._seen_open.discard(client_order_id)
            self._records.pop(client_order_id, None)
        return update

    def _process_order(self, payload: Mapping[str, Any]) -> None:
        """Takes an order as REST or the stream reports it."""
        client_order_id = str(payload.get("client_id"))
        order = self._order_tracker.updatable_order(client_order_id)
        if order is None:
            return
        self._order_tracker.found(client_order_id)
        update = self._order_update(payload, order)
        self._watch_order_class(payload)
        if update.new_state in _FINAL_STATES and (cancel := self._cancels.pop(client_order_id, None)) is not None:
            cancel.decided.set()
        if update.new_state in _FINAL_STATES and utils.executed_size(payload) > order.executed_amount_base:
            self._fills_owed[client_order_id] = (order, utils.executed_size(payload))
            self._complete_fills_soon(client_order_id)
        if payload.get("cancel_reason") in CONSTANTS.MMP_FREEZE_REASONS and order.trading_pair not in self.mmp_frozen:
            self._mmp_used = True
            self._reconcile_soon()
        if update.new_state is OrderState.FAILED:
            self._order_entry.observe_rejection(str(payload["cancel_reason"]))
            self.logger().info(f"Paradex refused {client_order_id} after taking it: {payload['cancel_reason']}.")
        if update.new_state is OrderState.CANCELED and client_order_id in self._fills_owed:
            self._held_ends[client_order_id] = update  # for those who count its fills when it ends
        elif client_order_id not in self._held_ends:
            self._order_tracker.process_order_update(update)

    def _release_end(self, client_order_id: str) -> None:
        """Tells of an order's end that it was held back until its fills are told, or are too late."""
        if (update := self._held_ends.pop(client_order_id, None)) is not None:
            self._order_tracker.process_order_update(update)

    def _complete_fills_soon(self, client_order_id: str) -> None:
        if client_order_id not in self._fills_tasks:
            task = _in_background(self._complete_fills(client_order_id))
            self._fills_tasks[client_order_id] = task

    async def _complete_fills(self, client_order_id: str) -> None:
        """Asks REST for fills that the stream should have told by now: the closing message can come before them."""
        order, executed = self._fills_owed[client_order_id]
        for attempt, pause in enumerate(CONSTANTS.FILLS_PATIENCE):
            if attempt == CONSTANTS.FILLS_ATTEMPTS_BEFORE_THE_END:
                self._release_end(client_order_id)
            await self._sleep(pause)
            if order.executed_amount_base >= executed:
                break
            try:
                updates = await self._all_trade_updates_for_order(order)
            except web_utils.ListTooLongError:
                break
            except Exception as error:  # whatever it is: the order's end waits for this task
                text = str(error) if isinstance(error, web_utils.ParadexError) else repr(error)
                self.logger().warning(f"Failed to fetch the fills of {order.client_order_id}, trying again: {text}")
                continue
            # The framework forgets a closed order after 30 s, and with it whose fills these are.
            self._order_tracker.remember(order)
            for update in updates:
                self._take_trade_update(update)
            if order.executed_amount_base >= executed:
                break
        if order.executed_amount_base < executed:
            self.logger().error(
                f"Paradex says that {executed} of {order.client_order_id} were filled, but does not tell the fills: "
                f"only {order.executed_amount_base} are in the bot's history."
            )
        del self._fills_owed[client_order_id], self._fills_tasks[client_order_id]
        self._release_end(client_order_id)

    def _process_fill(self, payload: Mapping[str, Any]) -> None:
        """Takes a fill as REST or the stream reports it; the tracker drops one whose id it has."""
        client_order_id, order_id = utils.text_or_empty(payload, "client_id"), payload.get("order_id")
        order = self._order_tracker.fillable_order(client_order_id)
        if not client_order_id and order_id:  # a settlement's may have neither, and what is on its way has no id yet
            orders = self._order_tracker.all_fillable_orders.values()
            order = next((order for order in orders if order.exchange_order_id == order_id), None)
        if order is not None:
            self._take_trade_update(utils.trade_update_from_fill(payload, order))
        elif self._is_lost_fill(payload):
            self._remember_fill(utils.fill_key(payload))
            self.logger().warning(
                f"A fill of {payload['size']} {payload['market']} at {payload['price']} is of {payload['client_id']}, "
                "an order of this bot that it does not track: it is in the position, but not in the bot's history."
            )

    def _watch_order_class(self, payload: Mapping[str, Any]) -> None:
        """Says it when orders that should be Retail are taken as Pro, and when they are Retail again."""
        if self._order_class != CONSTANTS.ORDER_CLASS_RETAIL or payload["status"] == CONSTANTS.STATUS_CLOSED:
            return
        lost = not utils.is_retail(payload)
        if lost and not self._retail_lost:
            self.logger().warning(
                "Paradex takes this account's orders as Pro although the order class is retail: a Retail limit "
                "(3 orders a second, 30 a minute, 300 an hour, 1000 a day) has been exceeded. Pro fees apply until "
                "the account is Retail again."
            )
        elif self._retail_lost and not lost:
            self.logger().info("Paradex takes this account's orders as Retail again.")
        self._retail_lost = lost

    # === Polling and reconciliation ===

    async def _status_polling_loop_fetch_updates(self) -> None:
        """Everything that REST can tell; what fails is reported and does not keep the rest from being updated."""
        parts = {
            "leverage": self._update_leverage(),
            "positions": self._update_positions(),
            "balances": self._update_balances(),
            "orders": self._update_all_orders(),
        }
        if self._trading_required and not self._looked_for_lost_fills:
            parts["fills of earlier runs"] = self._look_for_lost_fills()
        if self._mmp_freezes:
            parts["market-maker protection"] = self._update_mmp()
        results = await asyncio.gather(*parts.values(), return_exceptions=True)
        self._forget_ended_orders()
        failures = {part: result for part, result in zip(parts, results, strict=True) if result is not None}
        unexpected = {
            part: error
            for part, error in failures.items()
            if not isinstance(error, web_utils.ParadexError) or isinstance(error, web_utils.UnreadableAnswerError)
        }
        for part, error in unexpected.items():
            trace = None if isinstance(error, web_utils.ParadexError) else error  # the answer is in the text
            self.logger().error(f"Could not update the {part}: {error!r}", exc_info=trace)
        if len(failures) > len(unexpected):
            expected = [part for part in failures if part not in unexpected]
            self._warn_of_polls(
                f"Could not update the {' and '.join(expected)} of {self.name}: {failures[expected[0]]}"
            )

    async def _update_all_orders(self) -> None:
        await self._update_orders_fills(list(self._order_tracker.all_fillable_orders.values()))
        await self._compare_open_orders()

    async def _lost_orders_update_polling_loop(self) -> None:
        """As in the base class, which logs two tracebacks a second while the exchange cannot be asked."""
        failing = False
        while True:
            try:
                await self._cancel_lost_orders()
                await self._update_lost_orders_status()
                failing = False
            except web_utils.ParadexError as error:
                if not failing:
                    self.logger().warning(f"Paradex cannot be asked about lost orders, trying again: {error}")
                failing = True
            except Exception:
                self.logger().exception("Unexpected error while updating lost orders.")
            await self._sleep(self.SHORT_POLL_INTERVAL)

    def _forget_ended_orders(self) -> None:
        """What is kept of an order goes with its end; a message that was on its way then may have begun it anew."""
        tracked = self._order_tracker.all_updatable_orders.keys()
        for client_order_id in self._records.keys() - tracked:
            del self._records[client_order_id]
        self._seen_open &= tracked

    def _reconcile_soon(self) -> None:
        """Has orders, fills, positions and balances compared with REST; reasons that come together share a pass."""
        if self._is_stopped:
            return  # the next start compares everything
        self._reconcile_again = True
        if self._reconciliation is None or self._reconciliation.done():
            self._reconciliation = _in_background(self._reconcile())

    async def _reconcile(self) -> None:
        while self._reconcile_again:
            self._reconcile_again = False
            await self._look_for_mmp_freezes()
            await self._status_polling_loop_fetch_updates()
            await self._sleep(CONSTANTS.RECONCILIATION_PAUSE)

    # === Balances and positions ===

    async def _update_balances(self) -> None:
        told = self._told.copy()
        balances, account = await safe_gather(
            self._private_get(CONSTANTS.BALANCE_PATH), self._private_get(CONSTANTS.ACCOUNT_PATH)
        )
        entries = web_utils.results_of(balances, "balances")
        readable = self._each(entries, utils.readable_balance, "a balance")
        total, available = utils.balances_from_payloads(readable, account)
        # What the stream has told since the question is newer than the answer, or as new.
        unread = self._account_balances.keys() - total.keys() if len(readable) < len(entries) else set()
        for token in (total.keys() | self._account_balances.keys()) - unread:
            channel = f"{CONSTANTS.BALANCE_EVENTS_CHANNEL}.{token}"
            if self._told[channel] == told[channel]:
                _set_or_remove(self._account_balances, token, total.get(token))
        account_is_old = self._told[CONSTANTS.ACCOUNT_CHANNEL] != told[CONSTANTS.ACCOUNT_CHANNEL]
        for token in (available.keys() | self._account_available_balances.keys()) - unread:
            if token != CONSTANTS.COLLATERAL_TOKEN or not account_is_old:
                _set_or_remove(self._account_available_balances, token, available.get(token))
        for entry in readable:
            self._balances_updated_at[str(entry["token"])] = utils.milliseconds_or_none(entry, "last_updated_at") or 0
        if not account_is_old:
            self._account_updated_at = utils.milliseconds_or_none(account, "updated_at") or 0
            self._process_account_health(account)

    async def _update_positions(self) -> None:
        await self.trading_pair_symbol_map()
        told = self._told.copy()
        entries = await self._results(CONSTANTS.POSITIONS_PATH)
        reported = self._each(entries, self._process_position, "a position")
        if len(reported) < len(entries):
            return  # what could not be read may be any of those that are missing
        for trading_pair in set(self.account_positions) - set(reported):
            channel = f"{CONSTANTS.POSITIONS_CHANNEL}.{trading_pair}"
            if self._told[channel] == told[channel]:  # else the stream has opened it meanwhile
                self._perpetual_trading.remove_position(trading_pair)
                self._liquidation_prices.pop(trading_pair, None)

    def _process_position(self, payload: Mapping[str, Any]) -> str | None:
        """Takes a position as REST or the stream reports it, unless a newer one is known.

        :return: the trading pair, None if the market is none of ours
        """
        trading_pair = self._trading_pairs_by_market.get(utils.text_from(payload, "market"))
        if trading_pair is None:
            return None
        updated_at = utils.milliseconds_or_none(payload, "last_updated_at") or 0
        if updated_at < self._positions_updated_at.get(trading_pair, 0):
            return trading_pair
        # All of it is read before any of it counts.
        position = utils.position_from_payload(payload, trading_pair, self.get_leverage(trading_pair))
        funding = utils.decimal_or_none(payload, "unrealized_funding_pnl")
        liquidation_price = utils.decimal_or_none(payload, "liquidation_price")
        self._positions_updated_at[trading_pair] = updated_at
        if position is None:
            self._perpetual_trading.remove_position(trading_pair)
        else:
            self._perpetual_trading.set_position(trading_pair, position)
            self._unrealized_funding[trading_pair] = funding or Decimal(0)
        if position is not None and liquidation_price:
            self._liquidation_prices[trading_pair] = liquidation_price
        else:
            self._liquidation_prices.pop(trading_pair, None)
        self._fit_position_orders_soon(trading_pair)
        return trading_pair

    def mark_price_changed(self, trading_pair: str, mark_price: Decimal) -> None:
        """Takes a pair's mark price from the public stream: the position's unrealized profit follows it."""
        position = self.account_positions.get(trading_pair)
        if position is not None:
            funding = self._unrealized_funding.get(trading_pair, Decimal(0))
            position.update_position(unrealized_pnl=utils.unrealized_pnl(position, mark_price) + funding)

    # === Account health ===

    @property
    def account_health(self) -> utils.AccountHealth | None:
        """Value, collateral and margins of the account, as the stream or REST told them last; None until then."""
        if self._account_health is None:
            return None
        return replace(self._account_health, notional=sum(map(self._notional, self.account_positions), Decimal(0)))

    def liquidation_price(self, trading_pair: str) -> Decimal | None:
        """:return: the price at which a position would be liquidated, if all else stays; None without a position, or
        where the exchange does not say"""
        return self._liquidation_prices.get(trading_pair)

    def format_status_lines(self) -> list[str]:
        """What a strategy may show in its status beside its own lines: the account's health, positions, what keeps
        orders back, books."""
        lines = [] if self.account_health is None else self.account_health.lines()
        for trading_pair, price in self._liquidation_prices.items():
            shown = self.quantize_order_price(trading_pair, price) if trading_pair in self._trading_rules else price
            lines.append(f"Liquidation price of {trading_pair}: {shown.normalize():f}")
        if self.order_restriction:
            lines.append(self.order_restriction)
        if self._unreachable:
            lines.append(f"Not connected: {self._unreachable}")
        if self._unknown_orders.others:
            lines.append(f"There are {self._unknown_orders.others_text()}")
        if self.mmp_frozen:
            lines.append(f"Frozen by market-maker protection: {', '.join(self.mmp_frozen)}")
        known = sorted(self._trading_pairs_by_market.values())
        absent = [pair for pair in self._trading_pairs if known and pair not in known]
        lines.extend(utils.trading_pair_advice(pair, known) for pair in absent)
        lines.extend(self._untradable.values())
        stale = [pair for pair in self._trading_pairs if pair not in absent and not self.is_book_live(pair)]
        if stale:
            lines.append(f"Order book not live: {', '.join(stale)}")
        return lines

    def _notional(self, trading_pair: str) -> Decimal:
        position = self.account_positions[trading_pair]
        mark_price = self._mark_price(trading_pair)
        return abs(position.amount) * (position.entry_price if mark_price is None else mark_price)

    def _process_account_health(self, payload: Mapping[str, Any]) -> None:
        """Takes the account as REST or the stream reports it, unless a newer one is known."""
        try:
            health = utils.account_health_from_payload(payload)
        except ValueError as error:  # balances, which trading depends on, need less than this
            self.logger().debug(f"The account's health could not be read: {error}")
            return
        if self._account_health is None or health.updated_at >= self._account_health.updated_at:
            self._account_health = health

    async def _trading_pair_position_mode_set(self, mode: PositionMode, trading_pair: str) -> tuple[bool, str]:
        if mode is PositionMode.ONEWAY:
            return True, ""
        return False, "Paradex positions are one-way: there is no hedge mode."

    # === Leverage ===

    async def _update_leverage(self) -> None:
        """Reads the leverage that is set on the exchange, once for each pair."""
        if self._leverage_lock.locked():
            return  # another poll is at it
        async with self._leverage_lock:
            for trading_pair in [pair for pair in self._trading_pairs if pair not in self._leverage_known]:
                try:
                    symbol = await self.exchange_symbol_associated_to_pair(trading_pair)
                except ValueError:  # there is none: said where its book is subscribed to, and in the status
                    continue
                answer = await self._private_get(CONSTANTS.ACCOUNT_MARGIN_PATH, market=symbol)
                config = next((entry for entry in answer.get("configs") or [] if entry.get("market") == symbol), None)
                if config is not None and trading_pair not in self._leverage_known:
                    self._perpetual_trading.set_leverage(trading_pair, int(config["leverage"]))
                    if config.get("margin_type") not in (None, "", CONSTANTS.MARGIN_TYPE_CROSS):
                        self.logger().error(
                            f"{symbol} is set to {config['margin_type']} margin on Paradex. This connector trades with "
                            "CROSS margin only: change it on the exchange before you trade this pair."
                        )
                self._leverage_known.add(trading_pair)

    async def _set_trading_pair_leverage(self, trading_pair: str, leverage: int) -> tuple[bool, str]:
        limit = utils.max_leverage(self._markets.get(trading_pair, {}))
        if leverage < 1 or leverage > (limit or leverage) or leverage != int(leverage):
            bounds = f"between 1 and {limit}" if limit else "1 at least"
            return False, f"the leverage of {trading_pair} on Paradex is a whole number, {bounds}, not {leverage}"
        try:
            symbol = await self.exchange_symbol_associated_to_pair(trading_pair)
            await self._api_post(
                path_url=CONSTANTS.SET_MARGIN_PATH.format(market=web_utils.quoted(symbol)),
                data={"leverage": int(leverage), "margin_type": CONSTANTS.MARGIN_TYPE_CROSS},
                is_auth_required=True,
                limit_id=CONSTANTS.SET_MARGIN_LIMIT,
            )
        except (ValueError, web_utils.ParadexError) as error:
            return False, str(error)
        self._leverage_known.add(trading_pair)
        return True, ""

    # === Market-maker protection ===

    @property
    def mmp_frozen(self) -> dict[str, float]:
        """The trading pairs that market-maker protection has frozen: the exchange has cancelled their protected orders
        and refuses new ones.

        :return: until when, in seconds since the epoch; 0 is until :meth:`reset_mmp`
        """
        return self._mmp_freezes.at(self._time_synchronizer.time())

    async def mmp_configuration(self, trading_pair: str) -> utils.MmpConfiguration | None:
        """The market-maker protection of a pair's base asset with its state (`GET /account/mmp`); None if it has none.

        :raises ValueError: if there is no such pair
        :raises web_utils.ParadexError: if the exchange refuses or does not answer
        """
        base_asset = await self._base_asset(trading_pair)
        configurations = await self._mmp_configurations(base_asset=base_asset)
        return next((entry for entry in configurations if entry.base_asset == base_asset), None)

    async def configure_mmp(
        self,
        trading_pair: str,
        *,
        interval_ms: int,
        frozen_time_ms: int,
        size_limit: Decimal = Decimal(0),
        delta_limit: Decimal = Decimal(0),
        vega_limit: Decimal = Decimal(0),
        protect_block_trades: bool | None = None,
    ) -> utils.MmpConfiguration:
        """Replaces the market-maker protection of a pair's base asset (`POST /account/mmp/{base_asset}`).

        It counts the fills, as maker, of orders with the flag MMP within a sliding window. When they exceed a limit,
        the exchange cancels those orders and refuses new ones for a time. Only for accounts that the exchange lets.

        :param interval_ms: length of the window, 100 to 3 600 000
        :param frozen_time_ms: how long a freeze lasts, to 3 600 000; 0 is until :meth:`reset_mmp`
        :param size_limit: base, of all fills together; 0 switches a limit off, one has to be on
        :param delta_limit: base, of buys minus sells
        :param vega_limit: USD, only counts dated options
        :param protect_block_trades: None leaves it as it is
        :raises ValueError: if there is no such pair, or a number is not allowed
        :raises web_utils.ParadexError: if the exchange refuses or does not answer
        """
        limits = {"size_limit": size_limit, "delta_limit": delta_limit, "vega_limit": vega_limit}
        answer = await self._api_post(
            path_url=CONSTANTS.MMP_PATH.format(base_asset=web_utils.quoted(await self._base_asset(trading_pair))),
            data=utils.mmp_request(interval_ms, frozen_time_ms, limits, protect_block_trades),
            is_auth_required=True,
            limit_id=CONSTANTS.SET_MMP_LIMIT,
        )
        self._mmp_used = True
        return utils.mmp_configuration_from_payload(answer)

    async def remove_mmp(self, trading_pair: str) -> None:
        """Turns the market-maker protection of a pair's base asset off (`DELETE /account/mmp/{base_asset}`): the
        exchange cancels the orders that are under it.

        :raises ValueError: if there is no such pair
        :raises web_utils.ParadexError: if the exchange refuses or does not answer
        """
        await self._api_delete(
            path_url=CONSTANTS.MMP_PATH.format(base_asset=web_utils.quoted(await self._base_asset(trading_pair))),
            is_auth_required=True,
            limit_id=CONSTANTS.SET_MMP_LIMIT,
        )
        self._mmp_freezes.lift(trading_pair)

    async def reset_mmp(self, trading_pair: str | None = None) -> None:
        """Lifts the freeze of a pair's base asset, or of all, and empties the window (`POST /account/mmp/reset`).

        :raises ValueError: if there is no such pair
        :raises web_utils.ApiError: MMP_MIN_FREEZE_NOT_ELAPSED within a second of the freeze
        :raises web_utils.ParadexError: if the exchange refuses otherwise or does not answer
        """
        answer = await self._api_post(
            path_url=CONSTANTS.MMP_RESET_PATH,
            data={} if trading_pair is None else {"base_asset": await self._base_asset(trading_pair)},
            is_auth_required=True,
            limit_id=CONSTANTS.SET_MMP_LIMIT,
        )
        for entry in answer.get("results") or []:
            self._mmp_freezes.lift(utils.trading_pair_of_base(entry["base_asset"]))

    async def _base_asset(self, trading_pair: str) -> str:
        await self.exchange_symbol_associated_to_pair(trading_pair)
        return str(self._markets[trading_pair]["base_currency"])

    async def _mmp_configurations(self, **params: str) -> list[utils.MmpConfiguration]:
        answer = await self._private_get(CONSTANTS.ACCOUNT_MMP_PATH, **params)
        return [utils.mmp_configuration_from_payload(entry) for entry in answer.get("results") or []]

    async def _update_mmp(self) -> None:
        asked_at = self._time_synchronizer.time()
        configurations = await self._mmp_configurations()
        self._mmp_used = bool(configurations)
        self._mmp_freezes.take_configurations(configurations, asked_at, self._time_synchronizer.time())

    async def _look_for_mmp_freezes(self) -> None:
        """Finds freezes of the time before the start, or without a stream, unless the account has no protection."""
        try:
            if self._mmp_used:
                await self._update_mmp()
        except (KeyError, TypeError, ValueError, web_utils.ParadexError) as error:
            if isinstance(error, web_utils.ApiError) and error.status in (400, 403, 404):
                self._mmp_used = False  # there is none for this account
            self.logger().debug(f"Could not ask for market-maker protection: {error!r}")

    # === Funding ===

    async def _init_funding_info(self) -> None:
        """Asks until it is told: the base class gives up for good after one failure, and never gets ready."""
        backoff = web_utils.Backoff()
        said = ""
        while pairs := list(self._trading_pairs):
            try:
                for funding_info in await self._orderbook_ds.get_funding_infos(pairs):
                    self._perpetual_trading.initialize_funding_info(funding_info)
                return
            except (LookupError, ValueError, web_utils.ParadexError) as error:
                if str(error) != said:
                    said = str(error)
                    self.logger().warning(f"No funding info for {', '.join(pairs)} yet: {error}")
                await self._sleep(backoff.next())

    async def _fetch_last_fee_payment(self, trading_pair: str) -> tuple[float, Decimal, Decimal]:
        latest = await self._latest_funding_payments(trading_pair)
        return self._funding_payment(latest[-1], trading_pair) if latest else (0, Decimal("-1"), Decimal("-1"))

    async def _latest_funding_payments(self, trading_pair: str) -> list[dict[str, Any]]:
        """The newest few, the oldest first."""
        symbol = await self.exchange_symbol_associated_to_pair(trading_pair)
        payments = await self._results(CONSTANTS.FUNDING_PAYMENTS_PATH, market=symbol, page_size=10)
        return self._oldest_first(payments)

    def _oldest_first(self, payments: list[Any]) -> list[dict[str, Any]]:
        """Funding payments by their time; those that cannot be read are left out."""

        def read(payment: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            utils.text_from(payment, "id"), utils.decimal_from(payment, "payment")
            return _created_at(payment), payment

        timed = self._each(payments, read, "a funding payment")
        return [payment for _, payment in sorted(timed, key=lambda entry: entry[0])]

    async def _update_funding_payment(self, trading_pair: str, fire_event_on_new: bool) -> bool:
        """Announces every payment that has not been announced, the oldest first; the base class knows only the newest.

        What there is when a pair is asked for the first time is of before the start and is not announced.

        :return: whether the exchange has answered
        """
        announced = self._announced_payments.setdefault(trading_pair, {})
        watermark = self._funding_watermarks.get(trading_pair)
        try:
            if watermark is None:
                payments = await self._latest_funding_payments(trading_pair)
                announced.update((str(payment["id"]), _created_at(payment)) for payment in payments)
                newest = max(map(_created_at, payments), default=0)
                self._funding_watermarks[trading_pair] = newest
                self._last_funding_fee_payment_ts.setdefault(trading_pair, utils.seconds(newest))
                return True
            symbol = await self.exchange_symbol_associated_to_pair(trading_pair)
            path = CONSTANTS.FUNDING_PAYMENTS_PATH
            payments = self._oldest_first(await self._all_results(path, market=symbol, start_at=max(1, watermark)))
            for payment in payments:
                self._announce_funding_payment(payment, trading_pair)
        except (KeyError, ValueError, web_utils.ParadexError) as error:
            self.logger().warning(
                f"Failed to fetch {trading_pair}'s funding payments, the next poll repeats it: {error}"
            )
            return False
        seen = max(map(_created_at, payments), default=0) - _milliseconds(CONSTANTS.FILLS_OVERLAP)
        watermark = self._funding_watermarks[trading_pair] = max(watermark, seen)
        for payment_id in [key for key, created_at in announced.items() if created_at < watermark]:
            del announced[payment_id]
        return True

    def _announce_funding_payment(self, payload: Mapping[str, Any], trading_pair: str) -> None:
        """Takes a payment as REST or the stream reports it, once."""
        announced = self._announced_payments.setdefault(trading_pair, {})
        payment_id = utils.text_from(payload, "id")
        _, rate, amount = self._funding_payment(payload, trading_pair)
        if payment_id in announced:
            return
        # Of payments of one time, Hummingbot's recorder keeps only the first, in whatever pair they are.
        taken = {at for payments in self._announced_payments.values() for at in payments.values()}
        created_at = next(at for at in itertools.count(_created_at(payload)) if at not in taken)
        announced[payment_id] = created_at
        timestamp = self._last_funding_fee_payment_ts[trading_pair] = utils.seconds(created_at)
        verb = "paid" if amount < 0 else "received"
        self.logger().info(f"Funding payment of {abs(amount)} {verb} on {trading_pair} market.")
        self.trigger_event(
            MarketEvent.FundingPaymentCompleted,
            FundingPaymentCompletedEvent(timestamp, self.name, trading_pair, amount, rate),
        )

    def _funding_payment(self, payment: Mapping[str, Any], trading_pair: str) -> tuple[float, Decimal, Decimal]:
        """:return: time in seconds, rate, payment in USDC (positive if received).

        Payments are for the time since the position last changed and carry no rate; the rate is the present one.
        """
        try:  # the property `funding_info` copies that of all pairs
            rate = self._perpetual_trading.get_funding_info(trading_pair).rate
        except KeyError:
            rate = Decimal(0)
        return utils.seconds(_created_at(payment)), rate, utils.decimal_from(payment, "payment")

    # === The private stream ===

    async def _user_stream_event_listener(self) -> None:
        async for event in self._iter_user_event_queue():
            try:
                self._process_user_event(event["channel"], event["data"])
            except utils.PAYLOAD_ERRORS as error:
                # The first text is the framework's: its acceptance tests look for it.
                self.logger().error("Unexpected error in user stream listener loop.")
                self.logger().error(
                    f"A message of the private stream makes no sense ({type(error).__name__}: {error}); asking REST: "
                    f"{_excerpt(event)}"
                )
                self._reconcile_soon()

    def _process_user_event(self, channel: str, data: Mapping[str, Any]) -> None:
        topic = channel.split(".")[0]
        if topic == "orders":
            self._process_order(data)
        elif topic == "fills":
            self._process_fill(data)
        elif topic == "positions":
            self._told[f"{CONSTANTS.POSITIONS_CHANNEL}.{self._process_position(data)}"] += 1
        elif topic == "account":
            self._process_account(data)
        elif topic == "balance_events":
            self._process_balance_event(data)
        elif topic == "funding_payments":
            self._process_funding_payment(data)
        elif topic == "tradebusts":
            self.logger().error(
                f"Paradex has busted the trade of fill {utils.shown(data.get('busted_fill_id'))}: it is undone, though "
                "it was reported. The position and the balance are read again; check the bot's history by hand."
            )
            self._positions_updated_at.clear()
            self._reconcile_soon()
        elif topic == CONSTANTS.MMP_CHANNEL:
            self._mmp_used = True
            self._mmp_freezes.take_event(data, self._time_synchronizer.time())
        elif topic == CONSTANTS.STREAM_RESUMED:
            self._reconcile_soon()
            if self._has_had_stream:  # what the first one has missed is found by the next poll
                self._funding_fee_poll_notifier.set()
            self._has_had_stream = True

    def _process_account(self, data: Mapping[str, Any]) -> None:
        """Takes the account as the stream reports it, unless something newer is known."""
        updated_at = utils.milliseconds_or_none(data, "updated_at") or 0
        if updated_at < self._account_updated_at:
            return
        free_collateral = utils.decimal_from(data, "free_collateral")
        self._account_updated_at = updated_at
        self._told[CONSTANTS.ACCOUNT_CHANNEL] += 1
        if CONSTANTS.COLLATERAL_TOKEN in self._account_balances:
            self._account_available_balances[CONSTANTS.COLLATERAL_TOKEN] = free_collateral
        self._process_account_health(data)

    def _process_balance_event(self, data: Mapping[str, Any]) -> None:
        """Takes a token's balance, unless something newer is known."""
        token = utils.text_or_empty(data, "settlement_asset_name") or CONSTANTS.COLLATERAL_TOKEN
        created_at = utils.milliseconds_or_none(data, "created_at") or 0
        balance = utils.decimal_or_none(data, "settlement_asset_balance_after")
        if balance is not None and created_at >= self._balances_updated_at.get(token, 0):
            self._balances_updated_at[token] = created_at
            self._told[f"{CONSTANTS.BALANCE_EVENTS_CHANNEL}.{token}"] += 1
            self._account_balances[token] = balance

    def _process_funding_payment(self, data: Mapping[str, Any]) -> None:
        trading_pair = self._trading_pairs_by_market.get(utils.text_from(data, "market"))
        if trading_pair is not None:
            self._announce_funding_payment(data, trading_pair)


def _in_background(work: Coroutine[Any, Any, None]) -> asyncio.Task[Any]:
    """Hummingbot's `safe_ensure_future`, for what may be cancelled before it has begun: no coroutine is left behind."""
    task: asyncio.Task[Any] = safe_ensure_future(work)
    task.add_done_callback(lambda _: work.close())
    return task


def _created_at(payload: Mapping[str, Any]) -> int:
    return utils.milliseconds_from(payload, "created_at")


@cache
def _freeze_memory() -> None:
    """Has the garbage collector leave alone what is there when the first bot starts: a quarter of a million objects,
    nearly all of them of Hummingbot's modules, which stay.

    A full collection went through them whenever enough orders had come and gone, and stopped the loop for 0.2 s. Once
    in a process, so that what is frozen and becomes garbage later, in a cycle, is bounded.
    """
    gc.freeze()


def _excerpt(payload: Any) -> str:
    """A payload for the log, cut off where it gets long."""
    return ascii(payload)[:500]


def _is_of(fill: Mapping[str, Any], client_order_id: str, exchange_order_id: str | None) -> bool:
    """Whether a fill is of an order."""
    of_exchange_order = exchange_order_id is not None and fill.get("order_id") == exchange_order_id
    return fill.get("client_id") == client_order_id or of_exchange_order


def _by_client_id(fills: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    groups: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for fill in fills:
        groups[str(fill.get("client_id"))].append(fill)
    return groups


def _with_client_id(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """An order of a list, as it is.

    :raises ValueError: if its client id, which may be missing, is no text
    """
    utils.text_or_empty(payload, "client_id")
    return payload


def _readable_order(payload: Any) -> Mapping[str, Any]:
    """An order in an answer to a question about one.

    :raises web_utils.UnreadableAnswerError: if it is none, for then the question has not been answered
    """
    try:
        utils.text_from(payload, "id")
        utils.order_state(payload, was_open=True)
    except utils.PAYLOAD_ERRORS as error:
        raise web_utils.UnreadableAnswerError(f"an order cannot be read, {error}: {_excerpt(payload)}") from None
    return payload


def _closed(client_order_id: str, terms: utils.OrderTerms) -> NotModifiedError:
    """The error of a modification that came too late."""
    end = "filled" if terms.remaining == 0 else "cancelled"
    return NotModifiedError(f"{client_order_id} was not modified: it was {end} before")


def _best_price(entries: Iterable[Any]) -> Decimal | None:
    """The first price of a side of a book, without the noise of the float."""
    best = next(iter(entries), None)
    return Decimal(str(best.price)) if best is not None else None


def _set_or_remove(balances: dict[str, Decimal], token: str, balance: Decimal | None) -> None:
    if balance is None:
        balances.pop(token, None)
    else:
        balances[token] = balance


def _milliseconds(seconds: float) -> int:
    return max(0, int(seconds * 1e3))
