"""Paradex perpetuals as a Hummingbot connector."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
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
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_auth import ParadexPerpetualAuth
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_user_stream_data_source import (
    OrderEntry,
    ParadexPerpetualUserStreamDataSource,
    WithdrawnError,
)
from hummingbot.connector.perpetual_derivative_py_base import PerpetualDerivativePyBase
from hummingbot.connector.trading_rule import TradingRule
from hummingbot.core.api_throttler.data_types import RateLimit
from hummingbot.core.data_type.common import OrderType, PositionAction, PositionMode, TradeType
from hummingbot.core.data_type.in_flight_order import InFlightOrder, OrderState, OrderUpdate, TradeUpdate
from hummingbot.core.data_type.limit_order import LimitOrder
from hummingbot.core.data_type.market_order import MarketOrder
from hummingbot.core.data_type.trade_fee import TradeFeeBase
from hummingbot.core.utils.async_utils import safe_ensure_future, safe_gather
from hummingbot.core.utils.estimate_fee import build_perpetual_trade_fee
from hummingbot.core.web_assistant.connections.data_types import RESTMethod
from hummingbot.core.web_assistant.web_assistants_factory import WebAssistantsFactory

_FINAL_STATES = frozenset({OrderState.CANCELED, OrderState.FILLED, OrderState.FAILED})


class _OrderNotFoundError(web_utils.ParadexError):
    """Neither the open orders nor the history know an order."""


class ParadexOrderTracker(ClientOrderTracker):
    """A tracker in which a closed order stays closed, whatever arrives late or out of order."""

    def remember(self, order: InFlightOrder) -> None:
        """Has fills of an order that is closed taken for another while."""
        if order.client_order_id not in self.all_fillable_orders:
            self._cached_orders[order.client_order_id] = order

    def fetch_order(
        self, client_order_id: str | None = None, exchange_order_id: str | None = None
    ) -> InFlightOrder | None:
        """As in the base class, which copies all orders, closed ones too, each time that one is looked up."""
        order = None
        if client_order_id is not None:
            order = self._in_flight_orders.get(client_order_id) or self._cached_orders.get(client_order_id)
        return order or super().fetch_order(client_order_id, exchange_order_id)

    async def _process_order_update(self, order_update: OrderUpdate) -> None:
        order = self.fetch_order(order_update.client_order_id, order_update.exchange_order_id)
        if order is not None and order.current_state in _FINAL_STATES:
            return
        await super()._process_order_update(order_update)


class ParadexPerpetualDerivative(PerpetualDerivativePyBase):
    """The connector; see Hummingbot's `PerpetualDerivativePyBase` for what is inherited.

    :param paradex_perpetual_api_secret: the subkey's private key
    :param paradex_perpetual_account_address: the main account's address
    :param connector_configuration: the domain's config map, with the settings that nobody is prompted for
    :param receive_connector_configuration: no setting of ours; Hummingbot hands it to connectors that do not trade
    :param settings: `paradex_perpetual_…`, each a setting of :class:`utils.Settings`; they win over the configuration
    :raises ValueError: if a credential or a setting is malformed, or a trading pair is not quoted in USDC
    """

    web_utils = web_utils  # type: ignore[assignment]
    _auth: ParadexPerpetualAuth
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
        self._submitting: set[str] = set()  # client ids of orders whose submission has not been answered yet
        self._fills_owed: dict[str, tuple[InFlightOrder, Decimal]] = {}  # closed orders whose fills are not all known
        self._fills_tasks: dict[str, asyncio.Task[None]] = {}
        self._seen_open: set[str] = set()  # client ids of tracked orders that the exchange has reported as OPEN
        self._positions_updated_at: dict[str, int] = {}
        self._leverage_known: set[str] = set()
        self._fills_watermark: int | None = None  # ms: every fill before it has been seen
        self._reconciliation: asyncio.Task[None] | None = None
        self._reconcile_again = False
        super().__init__(balance_asset_limit, rate_limits_share_pct)
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
            time=self._time_synchronizer.time,
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
        return CONSTANTS.CLIENT_ID_PREFIX

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
        return CONSTANTS.FUNDING_POLL_INTERVAL

    @property
    def order_class(self) -> str:
        """`pro` or `retail`: the class that orders are asked to have."""
        return self._order_class

    @property
    def system_state(self) -> str:
        """The exchange's own state as it was last heard of: `ok`, `post_only`, `cancel_only` or `maintenance`."""
        return self._order_entry.system_state

    @property
    def circuit_breaker(self) -> web_utils.CircuitBreaker:
        """Its `state` is `closed`, `open` or `half_open`; while it is open, `refusal` says why and until when."""
        return self._order_entry.breaker

    @property
    def order_restriction(self) -> str | None:
        """What keeps new orders back now, in a sentence; None if nothing does."""
        state = self.system_state
        if state != CONSTANTS.SYSTEM_OK:
            return f"Paradex is in the state {state}: {utils.system_state_consequence(state)}"
        return self.circuit_breaker.refusal

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
        # In the place of the base class's, before anybody has got hold of that one.
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
        return ParadexOrderTracker(connector=self)

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

    async def _all_results(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """Every page of a private list."""
        return await web_utils.all_pages(lambda query: self._private_get(path, **query), params)

    # === Network ===

    async def start_network(self) -> None:
        await super().start_network()
        self._order_entry.start()
        for client_order_id in list(self._fills_owed):
            self._complete_fills_soon(client_order_id)
        if self._auth.has_credentials:
            safe_ensure_future(self._prepare_auth())

    async def stop_network(self) -> None:
        # The base class leaves this task running and starts another one on the next start.
        if self._funding_fee_polling_task is not None:
            self._funding_fee_polling_task.cancel()
            self._funding_fee_polling_task = None
        if self._reconciliation is not None:
            self._reconciliation.cancel()
            self._reconciliation = None
        for task in self._fills_tasks.values():
            task.cancel()  # who is owed fills is remembered for the next start
        self._fills_tasks.clear()
        self._order_entry.stop()
        await super().stop_network()

    async def _prepare_auth(self) -> None:
        try:
            await self._auth.prepare()
        except web_utils.ParadexError as error:
            self.logger().debug(f"Orders cannot be signed yet: {error}")  # whoever needs it next tries again

    async def _make_network_check_request(self) -> None:
        answer = await self._api_get(path_url=self.check_network_request_path)
        self._order_entry.observe_system_state(str(answer.get("status") or CONSTANTS.SYSTEM_OK))
        if self.system_state == CONSTANTS.SYSTEM_MAINTENANCE:
            raise web_utils.ParadexError("Paradex is in maintenance")

    # === Markets ===

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
        for market in exchange_info["results"]:
            if utils.is_exchange_information_valid(market):
                trading_pair = utils.trading_pair_of_market(market)
                symbols[market["symbol"]] = trading_pair
                self._markets[trading_pair] = market
        self._set_trading_pair_symbol_map(symbols)

    def _set_trading_pair_symbol_map(self, trading_pair_and_symbol_map: bidict[str, str] | None) -> None:
        super()._set_trading_pair_symbol_map(trading_pair_and_symbol_map)
        self._trading_pairs_by_market = trading_pair_and_symbol_map or {}

    async def _format_trading_rules(self, exchange_info_dict: Mapping[str, Any]) -> list[TradingRule]:
        rules = []
        for market in filter(utils.is_exchange_information_valid, exchange_info_dict["results"]):
            try:
                rules.append(utils.trading_rule_from_market(market))
            except (KeyError, ValueError) as error:
                self.logger().error(f"Error parsing the trading rule of {market.get('symbol')}, skipping it: {error}")
        return rules

    async def _get_last_traded_price(self, trading_pair: str) -> float:
        return (await self.get_last_traded_prices([trading_pair]))[trading_pair]

    async def get_last_traded_prices(self, trading_pairs: list[str]) -> dict[str, float]:
        """:return: the last price by trading pair, in quote; one request however many there are"""
        symbols = {await self.exchange_symbol_associated_to_pair(pair): pair for pair in trading_pairs}
        market = next(iter(symbols)) if len(symbols) == 1 else "ALL"
        answer = await self._api_get(path_url=CONSTANTS.MARKETS_SUMMARY_PATH, params={"market": market})
        return {
            symbols[summary["symbol"]]: float(utils.last_price(summary))
            for summary in answer["results"]
            if summary["symbol"] in symbols
        }

    async def add_trading_pair(self, trading_pair: str) -> bool:
        if trading_pair in self.order_book_tracker.order_books:
            return True  # the base class would undo the pair that is there already
        added = await super().add_trading_pair(trading_pair)
        if added and self._trading_required:
            try:
                await self._user_stream_tracker.data_source.subscribe_to_trading_pair(trading_pair)
            except (ConnectionError, web_utils.ParadexError) as error:
                self.logger().warning(f"No stream of funding payments for {trading_pair}, they are polled: {error}")
        return added

    async def remove_trading_pair(self, trading_pair: str) -> bool:
        if self._trading_required and trading_pair in self._trading_pairs:
            try:
                await self._user_stream_tracker.data_source.unsubscribe_from_trading_pair(trading_pair)
            except (ConnectionError, ValueError, web_utils.ParadexError) as error:
                self.logger().debug(f"The stream of funding payments for {trading_pair} goes on: {error}")
        self._leverage_known.discard(trading_pair)
        return await super().remove_trading_pair(trading_pair)

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
        :return: the exchange's id and the time of creation in seconds
        :raises web_utils.ParadexError: only if it is certain that the order does not exist
        """
        request = utils.order_request(
            market=await self.exchange_symbol_associated_to_pair(trading_pair),
            side=CONSTANTS.SIDES[trade_type],
            order_type=CONSTANTS.ORDER_TYPES[order_type],
            size=amount,
            price=None if order_type is OrderType.MARKET else price,
            instruction=CONSTANTS.INSTRUCTIONS[order_type],
            client_id=order_id,
            position_action=position_action,
            recv_window_ms=self._settings.recv_window,
        )
        self._submitting.add(order_id)
        try:
            order = await self._order_entry.submit(request)
        except web_utils.NoAnswerError as error:
            order = await self._find_submitted_order(order_id, error, request["recv_window"])
        finally:
            self._submitting.discard(order_id)
        created_at = order.get("created_at")
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
        if isinstance(exception, web_utils.NotSentError):
            # In one line: while new orders pause, a strategy may try each second.
            self.logger().warning(f"{order_id} was not placed: {exception}")
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
        certain_at = self._time_synchronizer.time() + recv_window_ms * 1e-3 + CONSTANTS.OUTCOME_MARGIN
        backoff = web_utils.Backoff(initial=0.25, maximum=5.0)
        while True:
            asked_at = self._time_synchronizer.time()
            try:
                order = await self._find_order(client_order_id)
            except web_utils.ParadexError as error:
                self.logger().debug(f"Paradex cannot be asked about {client_order_id} yet: {error}")
            else:
                if order is not None:
                    self.logger().info(f"{client_order_id} was placed; it is order {order['id']}.")
                    return order
                if asked_at > certain_at:
                    raise web_utils.ParadexError(f"{client_order_id} was not placed: {cause}")
            await self._sleep(backoff.next())

    async def _find_order(self, client_order_id: str) -> Mapping[str, Any] | None:
        """An order by its client id, open or closed.

        :return: None only if the exchange says that it knows no such order
        """
        try:
            return await self._api_get(
                path_url=CONSTANTS.ORDER_BY_CLIENT_ID_PATH.format(client_id=web_utils.quoted(client_order_id)),
                is_auth_required=True,
                limit_id=CONSTANTS.ORDER_BY_CLIENT_ID_PATH,
            )
        except web_utils.ApiError as error:
            if error.code not in CONSTANTS.ORDER_NOT_FOUND_ERRORS:
                raise
        history = await self._private_get(CONSTANTS.ORDERS_HISTORY_PATH, client_id=client_order_id)
        return next((order for order in history["results"] if order.get("client_id") == client_order_id), None)

    async def _place_cancel(self, order_id: str, tracked_order: InFlightOrder) -> bool:
        """Asks for a cancel; the stream tells when it has happened. Those asked for at the same time go as one batch.

        :return: whether the request was taken; False if the order turns out not to exist or to be closed already
        :raises web_utils.ApiError: if there is no such order that is open
        """
        if self._order_entry.withdraw(order_id):
            return True
        if order_id in self._submitting:
            # Its submission is still in the air: a cancel that overtakes it would find nothing.
            try:
                async with asyncio.timeout(CONSTANTS.WS_CALL_TIMEOUT):
                    await tracked_order.wait_until_processed_by_exchange()
            except TimeoutError:  # which the base class would take for an order that was not found
                raise web_utils.NoAnswerError(f"the submission of {order_id} has not been answered yet") from None
            if tracked_order.is_done:
                return False
        try:
            market = await self.exchange_symbol_associated_to_pair(tracked_order.trading_pair)
            await self._order_entry.cancel(order_id, market, tracked_order.exchange_order_id)
        except web_utils.NoAnswerError:
            self._reconcile_soon()  # it may have happened
            raise
        except web_utils.ApiError as error:
            if error.code not in CONSTANTS.ORDER_NOT_OPEN_ERRORS:
                raise
            self._reconcile_soon()  # it has probably just been filled
            if error.code in CONSTANTS.ORDER_NOT_FOUND_ERRORS:
                raise  # the base class counts these
            return False
        return True

    def batch_order_create(self, orders_to_create: list[LimitOrder | MarketOrder]) -> list[LimitOrder | MarketOrder]:
        """Places orders; they go as one batch, as all do that are placed at the same time. Each has its own events.

        :param orders_to_create: their `position` is OPEN or CLOSE; one that says neither opens
        :return: the orders with their client ids
        """
        created = []
        for order in orders_to_create:
            place = self.buy if order.is_buy else self.sell
            client_order_id = place(
                trading_pair=order.trading_pair,
                amount=Decimal(str(order.quantity)),
                order_type=order.order_type(),
                price=s_decimal_NaN if order.price is None else order.price,
                position_action=PositionAction.CLOSE if order.position is PositionAction.CLOSE else PositionAction.OPEN,
            )
            created.append(order.copy_with_id(client_order_id))
        return created

    async def cancel_all_orders(self, trading_pair: str | None = None) -> list[str]:
        """Cancels every order of the account with one request, also those that this bot does not know.

        :param trading_pair: only those of this pair
        :return: the client ids of the tracked orders that are cancelled; the stream tells when it has happened
        :raises web_utils.ParadexError: if the exchange refuses or does not answer
        """
        market = await self.exchange_symbol_associated_to_pair(trading_pair) if trading_pair else None
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
        late = [order for order in orders if order.client_order_id in on_their_way]  # perhaps behind the cancel
        for order in orders:
            if order.client_order_id not in on_their_way:
                update = OrderUpdate(
                    order.trading_pair,
                    self._time_synchronizer.time(),
                    OrderState.PENDING_CANCEL,
                    client_order_id=order.client_order_id,
                )
                self._order_tracker.process_order_update(update)
        await safe_gather(*map(self._execute_order_cancel, late))
        return [order.client_order_id for order in orders]

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
        if not orders:
            return
        answer = await self._private_get(CONSTANTS.ORDERS_PATH)
        found = {order.get("client_id"): order for order in answer["results"]}
        for payload in found.values():
            self._process_order(payload)
        missing = [order for order in orders if order.client_order_id not in found]
        if missing:
            since = min(order.creation_timestamp for order in missing)
            history = await self._all_results(
                CONSTANTS.ORDERS_HISTORY_PATH, start_at=_milliseconds(since - CONSTANTS.CLOCK_MARGIN)
            )
            closed = {order.get("client_id"): order for order in history}
        for order in missing:
            if (payload := closed.get(order.client_order_id)) is not None:
                self._process_order(payload)
            elif not self._is_on_its_way(order):
                await error_handler(order, _OrderNotFoundError(f"Paradex does not know {order.client_order_id}"))

    def _is_on_its_way(self, order: InFlightOrder) -> bool:
        """Whether an order may still be between submission and answer, so that not finding it means nothing.

        The rate limiter can hold it back there, and an exchange that does not answer keep it there, for any time.
        """
        if order.client_order_id in self._submitting:
            return True
        age = self._time_synchronizer.time() - order.creation_timestamp
        return order.exchange_order_id is None and age < self._settings.recv_window * 1e-3 + CONSTANTS.OUTCOME_MARGIN

    async def _update_orders_fills(self, orders: list[InFlightOrder]) -> None:
        """Every fill since the last one seen, from one list for all orders."""
        if not orders:
            return
        oldest = _milliseconds(min(order.creation_timestamp for order in orders) - CONSTANTS.CLOCK_MARGIN)
        start = oldest if self._fills_watermark is None else max(oldest, self._fills_watermark)
        try:
            fills = await self._all_results(CONSTANTS.FILLS_PATH, start_at=start)
        except web_utils.ParadexError as error:
            self.logger().warning(f"Failed to fetch the fills, the next poll repeats it: {error}")
            return
        for fill in sorted(fills, key=lambda fill: int(fill["created_at"])):
            self._process_fill(fill)
        if fills:
            newest = max(int(fill["created_at"]) for fill in fills)
            self._fills_watermark = newest - _milliseconds(CONSTANTS.FILLS_OVERLAP)

    async def _all_trade_updates_for_order(self, order: InFlightOrder) -> list[TradeUpdate]:
        fills = await self._all_results(
            CONSTANTS.FILLS_PATH,
            market=await self.exchange_symbol_associated_to_pair(order.trading_pair),
            start_at=_milliseconds(order.creation_timestamp - CONSTANTS.CLOCK_MARGIN),
        )
        return [
            utils.trade_update_from_fill(fill, order)
            for fill in fills
            if fill.get("client_id") == order.client_order_id or fill.get("order_id") == order.exchange_order_id
        ]

    def _order_update(self, payload: Mapping[str, Any], order: InFlightOrder) -> OrderUpdate:
        client_order_id = order.client_order_id
        update = utils.order_update_from_payload(payload, order, was_open=client_order_id in self._seen_open)
        if payload["status"] in (CONSTANTS.STATUS_OPEN, CONSTANTS.STATUS_UNTRIGGERED):
            self._seen_open.add(client_order_id)
        elif update.new_state in _FINAL_STATES:
            self._seen_open.discard(client_order_id)
        return update

    def _process_order(self, payload: Mapping[str, Any]) -> None:
        """Takes an order as REST or the stream reports it."""
        client_order_id = str(payload.get("client_id"))
        order = self._order_tracker.all_updatable_orders.get(client_order_id)
        if order is None:
            return
        update = self._order_update(payload, order)
        self._watch_order_class(payload)
        if update.new_state in _FINAL_STATES and utils.executed_size(payload) > order.executed_amount_base:
            self._fills_owed[client_order_id] = (order, utils.executed_size(payload))
            self._complete_fills_soon(client_order_id)
        if update.new_state is OrderState.FAILED:
            self._order_entry.observe_rejection(str(payload["cancel_reason"]))
            self.logger().info(f"Paradex refused {client_order_id} after taking it: {payload['cancel_reason']}.")
        self._order_tracker.process_order_update(update)

    def _complete_fills_soon(self, client_order_id: str) -> None:
        if client_order_id not in self._fills_tasks:
            task = safe_ensure_future(self._complete_fills(client_order_id))
            self._fills_tasks[client_order_id] = task

    async def _complete_fills(self, client_order_id: str) -> None:
        """Asks REST for fills that the stream should have told by now: the closing message can come before them."""
        order, executed = self._fills_owed[client_order_id]
        for pause in CONSTANTS.FILLS_PATIENCE:
            await self._sleep(pause)
            if order.executed_amount_base >= executed:
                break
            try:
                updates = await self._all_trade_updates_for_order(order)
            except web_utils.ParadexError as error:
                self.logger().warning(f"Failed to fetch the fills of {order.client_order_id}, trying again: {error}")
                continue
            # The framework forgets a closed order after 30 s, and with it whose fills these are.
            self._order_tracker.remember(order)
            for update in updates:
                self._order_tracker.process_trade_update(update)
            if order.executed_amount_base >= executed:
                break
        if order.executed_amount_base < executed:
            self.logger().error(
                f"Paradex says that {executed} of {order.client_order_id} were filled, but does not tell the fills: "
                f"only {order.executed_amount_base} are in the bot's history."
            )
        del self._fills_owed[client_order_id], self._fills_tasks[client_order_id]

    def _process_fill(self, payload: Mapping[str, Any]) -> None:
        """Takes a fill as REST or the stream reports it; the tracker drops one whose id it has."""
        orders = self._order_tracker.all_fillable_orders
        order = orders.get(str(payload.get("client_id"))) or next(
            (order for order in orders.values() if order.exchange_order_id == payload.get("order_id")), None
        )
        if order is not None:
            self._order_tracker.process_trade_update(utils.trade_update_from_fill(payload, order))

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
            "orders": self._update_order_status(),
        }
        results = await asyncio.gather(*parts.values(), return_exceptions=True)
        failures = {part: result for part, result in zip(parts, results, strict=True) if result is not None}
        unexpected = {part: error for part, error in failures.items() if not isinstance(error, web_utils.ParadexError)}
        for part, error in unexpected.items():
            self.logger().error(f"Could not update the {part}: {error!r}", exc_info=error)
        if len(failures) > len(unexpected):
            expected = [part for part in failures if part not in unexpected]
            text = f"Could not update the {' and '.join(expected)} of {self.name}: {failures[expected[0]]}"
            self.logger().network(text, app_warning_msg=text)

    def _reconcile_soon(self) -> None:
        """Has orders, fills, positions and balances compared with REST; reasons that come together share a pass."""
        self._reconcile_again = True
        if self._reconciliation is None or self._reconciliation.done():
            self._reconciliation = safe_ensure_future(self._reconcile())

    async def _reconcile(self) -> None:
        while self._reconcile_again:
            self._reconcile_again = False
            await self._status_polling_loop_fetch_updates()
            await self._sleep(CONSTANTS.RECONCILIATION_PAUSE)

    # === Balances and positions ===

    async def _update_balances(self) -> None:
        balances, account = await safe_gather(
            self._private_get(CONSTANTS.BALANCE_PATH), self._private_get(CONSTANTS.ACCOUNT_PATH)
        )
        total, available = utils.balances_from_payloads(balances["results"], account)
        self._account_balances.clear()
        self._account_balances.update(total)
        self._account_available_balances.clear()
        self._account_available_balances.update(available)

    async def _update_positions(self) -> None:
        await self.trading_pair_symbol_map()
        asked_at = _milliseconds(self._time_synchronizer.time())
        answer = await self._private_get(CONSTANTS.POSITIONS_PATH)
        reported = {pair for payload in answer["results"] if (pair := self._process_position(payload)) is not None}
        for trading_pair in set(self.account_positions) - reported:
            if self._positions_updated_at.get(trading_pair, 0) < asked_at:  # else the stream has opened it meanwhile
                self._perpetual_trading.remove_position(trading_pair)

    def _process_position(self, payload: Mapping[str, Any]) -> str | None:
        """Takes a position as REST or the stream reports it, unless a newer one is known.

        :return: the trading pair, None if the market is none of ours
        """
        trading_pair = self._trading_pairs_by_market.get(payload["market"])
        if trading_pair is None:
            return None
        updated_at = int(payload.get("last_updated_at") or 0)
        if updated_at < self._positions_updated_at.get(trading_pair, 0):
            return trading_pair
        self._positions_updated_at[trading_pair] = updated_at
        position = utils.position_from_payload(payload, trading_pair, self.get_leverage(trading_pair))
        if position is None:
            self._perpetual_trading.remove_position(trading_pair)
        else:
            self._perpetual_trading.set_position(trading_pair, position)
        return trading_pair

    async def _trading_pair_position_mode_set(self, mode: PositionMode, trading_pair: str) -> tuple[bool, str]:
        if mode is PositionMode.ONEWAY:
            return True, ""
        return False, "Paradex positions are one-way: there is no hedge mode."

    # === Leverage ===

    async def _update_leverage(self) -> None:
        """Reads the leverage that is set on the exchange, once for each pair."""
        for trading_pair in [pair for pair in self._trading_pairs if pair not in self._leverage_known]:
            symbol = await self.exchange_symbol_associated_to_pair(trading_pair)
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
        if limit is not None and not 1 <= leverage <= limit:
            return False, f"the leverage of {trading_pair} on Paradex is between 1 and {limit}"
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

    # === Funding ===

    async def _init_funding_info(self) -> None:
        """Asks until it is told: the base class gives up for good after one failure, and never gets ready."""
        for trading_pair in list(self._trading_pairs):
            backoff = web_utils.Backoff()
            while True:
                try:
                    funding_info = await self._orderbook_ds.get_funding_info(trading_pair)
                    self._perpetual_trading.initialize_funding_info(funding_info)
                    break
                except (LookupError, ValueError, web_utils.ParadexError) as error:
                    self.logger().warning(f"No funding info for {trading_pair} yet: {error}")
                    await self._sleep(backoff.next())

    async def _fetch_last_fee_payment(self, trading_pair: str) -> tuple[float, Decimal, Decimal]:
        symbol = await self.exchange_symbol_associated_to_pair(trading_pair)
        answer = await self._private_get(CONSTANTS.FUNDING_PAYMENTS_PATH, market=symbol, page_size=10)
        payment = max(answer["results"], key=lambda payment: int(payment["created_at"]), default=None)
        if payment is None:
            return 0, Decimal("-1"), Decimal("-1")
        return self._funding_payment(payment, trading_pair)

    def _funding_payment(self, payment: Mapping[str, Any], trading_pair: str) -> tuple[float, Decimal, Decimal]:
        """:return: time in seconds, rate, payment in USDC (positive if received).

        Payments are for the time since the position last changed and carry no rate; the rate is the present one.
        """
        info = self._perpetual_trading.funding_info.get(trading_pair)
        rate = info.rate if info is not None else Decimal(0)
        return utils.seconds(payment["created_at"]), rate, utils.decimal_from(payment, "payment")

    # === The private stream ===

    async def _user_stream_event_listener(self) -> None:
        async for event in self._iter_user_event_queue():
            try:
                self._process_user_event(event["channel"], event["data"])
            except asyncio.CancelledError:
                raise
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                # The first text is the framework's: its acceptance tests look for it.
                self.logger().error("Unexpected error in user stream listener loop.")
                self.logger().error(
                    f"A message of the private stream makes no sense ({type(error).__name__}: {error}); asking REST: "
                    f"{event}"
                )
                self._reconcile_soon()

    def _process_user_event(self, channel: str, data: Mapping[str, Any]) -> None:
        topic = channel.split(".")[0]
        if topic == "orders":
            self._process_order(data)
        elif topic == "fills":
            self._process_fill(data)
        elif topic == "positions":
            self._process_position(data)
        elif topic == "account":
            self._process_account(data)
        elif topic == "balance_events":
            self._process_balance_event(data)
        elif topic == "funding_payments":
            self._process_funding_payment(data)
        elif topic == "tradebusts":
            self.logger().error(
                f"Paradex has busted the trade of fill {data.get('busted_fill_id')}: it is undone although it was "
                "reported. The position and the balance are read again; check the bot's history by hand."
            )
            self._positions_updated_at.clear()
            self._reconcile_soon()
        elif topic == CONSTANTS.STREAM_RESUMED:
            self._reconcile_soon()

    def _process_account(self, data: Mapping[str, Any]) -> None:
        if CONSTANTS.COLLATERAL_TOKEN in self._account_balances:
            free_collateral = utils.decimal_from(data, "free_collateral")
            self._account_available_balances[CONSTANTS.COLLATERAL_TOKEN] = free_collateral

    def _process_balance_event(self, data: Mapping[str, Any]) -> None:
        token = data.get("settlement_asset_name") or CONSTANTS.COLLATERAL_TOKEN
        balance = utils.decimal_or_none(data, "settlement_asset_balance_after")
        if balance is not None:
            self._account_balances[token] = balance

    def _process_funding_payment(self, data: Mapping[str, Any]) -> None:
        trading_pair = self._trading_pairs_by_market.get(data["market"])
        if trading_pair is not None:
            timestamp, rate, payment = self._funding_payment(data, trading_pair)
            self._emit_funding_payment_event(trading_pair, timestamp, rate, payment, True)  # type: ignore[arg-type]


def _milliseconds(seconds: float) -> int:
    return max(0, int(seconds * 1e3))
