"""The exchange as its callers see it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import chain
from types import MappingProxyType

from paradex_sandbox.exchange import validation, views
from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.crowd import Crowd
from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.events import (
    Event,
    OrderUpdated,
    RequestKind,
)
from paradex_sandbox.exchange.funding import SECOND, FundingState
from paradex_sandbox.exchange.margin import account_margin
from paradex_sandbox.exchange.marks import MARK_INTERVAL
from paradex_sandbox.exchange.matching import MatchingEngine
from paradex_sandbox.exchange.model import (
    DEFAULT_DEPOSITS,
    Account,
    AccountSummary,
    Balance,
    Bbo,
    BookView,
    Fill,
    FundingData,
    FundingPayment,
    MarginConfig,
    MarginType,
    Market,
    MarketSummary,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    Page,
    Position,
    Side,
    Subkey,
    SystemStatus,
    Trade,
)
from paradex_sandbox.exchange.orders import new_order
from paradex_sandbox.exchange.paging import page
from paradex_sandbox.exchange.publishing import flush
from paradex_sandbox.exchange.records import Records
from paradex_sandbox.exchange.registry import AccountRegistry
from paradex_sandbox.exchange.requests import RequestQueue
from paradex_sandbox.exchange.state import ExchangeState, MarketState

MAX_MARK_PRICE = Decimal(10) ** 9


class Exchange:
    """A whole exchange in memory: give it time and requests, take its events.

    A caller's loop is `advance(now)`, the other traders' `step(now)`, `process()`, then `drain_events()`: persist them,
    then publish them. Between two rounds `submit` and `cancel` may be called at any time; they are answered at once
    and act in the next `process()`. Same markets, seed, times and requests give the same events.

    Not thread-safe. Every method that takes an account address raises ExchangeError ACCOUNT_NOT_FOUND, every one that
    takes a market MARKET_NOT_FOUND, where it does not exist.
    """

    def __init__(self, markets: Sequence[Market], seed: int, now_us: int = 0) -> None:
        """`now_us` is the exchange's first time, in microseconds since the epoch."""
        self._state = state = ExchangeState(markets, seed, now_us)
        self._engine = MatchingEngine(state)
        self._queue = RequestQueue(state, self._engine)
        self._registry = AccountRegistry(state)
        self._markets = MappingProxyType({symbol: market.market for symbol, market in state.markets.items()})
        #: Where traders without an account come in.
        self.crowd = Crowd(state, self._engine)
        #: What a storage keeps.
        self.records = Records(state, self._engine, self._queue)

    # -- time ---------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """The exchange's time in microseconds; it never goes back."""
        return self._state.now

    def advance(self, now_us: int) -> None:
        """Lets time pass up to `now_us`: mark prices move, funding accrues second by second, markets expire.

        However far `now_us` is, all of it is lived through (an hour of ten markets takes about a second). An earlier
        time than `now` is ignored. For a gap in which the exchange was not running use `resume`.
        """
        state = self._state
        if now_us <= state.now:
            return
        tick = state.now - state.now % MARK_INTERVAL + MARK_INTERVAL
        ticked = seconds_passed = False
        while tick <= now_us:
            state.now, ticked = tick, True
            for market in state.markets.values():
                market.mark.tick()
            if tick % SECOND == 0:
                seconds_passed = True
                self._tick_funding()
            tick += MARK_INTERVAL
        state.now = now_us
        self._expire_markets()
        if ticked:
            self._mark_time_passed(seconds_passed)
        flush(state)

    def resume(self, now_us: int) -> None:
        """Jumps to `now_us` after an outage (a restart, a sleeping machine): marks stand still, no funding accrues."""
        self._state.now = max(self._state.now, now_us)
        self._state.dirty_summaries.update(dict.fromkeys(self._state.markets.values()))
        self._expire_markets()
        flush(self._state)

    # -- accounts -----------------------------------------------------------------------------------------------------

    def create_account(
        self, address: str, public_key: str, deposits: Mapping[str, Decimal] | None = None, parent: str = ""
    ) -> Account:
        """Opens an account with `deposits` by token (100 000 USDC unless given); NOT_UNIQUE if the address exists."""
        return self._registry.create(address, public_key, DEFAULT_DEPOSITS if deposits is None else deposits, parent)

    def accounts(self) -> list[Account]:
        """All accounts (not the other traders', who have none), oldest first. Live objects: do not change them."""
        return [account.info for account in self._state.accounts.values()]

    def account(self, address: str) -> Account:
        """The account; raises ACCOUNT_NOT_FOUND. Addresses are compared as field elements (case, leading zeros)."""
        return self._state.account(address).info

    def register_subkey(self, account: str, public_key: str, name: str = "") -> Subkey:
        """Registers a trading key; NOT_UNIQUE if any account has it active or as its main key."""
        return self._registry.register_subkey(self._state.account(account), public_key, name)

    def revoke_subkey(self, account: str, public_key: str) -> Subkey:
        """Revokes it; INVALID_SUBKEY if the account has no such active key."""
        return self._registry.revoke_subkey(self._state.account(account), public_key)

    def deposit(self, account: str, amount: Decimal, token: str = "USDC") -> Balance:
        """Adds `amount` (negative withdraws); VALIDATION_ERROR if it is no amount or more than there is."""
        return self._registry.deposit(self._state.account(account), amount, token)

    # -- orders -------------------------------------------------------------------------------------------------------

    @property
    def system_status(self) -> SystemStatus:
        """Set it to cancel_only, post_only or maintenance, and new orders are refused accordingly."""
        return self._state.status

    @system_status.setter
    def system_status(self, status: SystemStatus) -> None:
        self._state.status = status

    def submit(self, account: str, request: OrderRequest) -> Order:
        """Validates a new order and queues it; returns a copy of it, NEW.

        Raises ExchangeError for what Paradex refuses at once: MARKET_NOT_FOUND, MARKET_NOT_OPEN, NO_ACCESS_TO_MARKET
        (not a perpetual), INVALID_ORDER_SIZE (step, maximum, minimum notional), VALIDATION_ERROR (tick, price, type,
        flags, too many open orders), DUPLICATED_CLIENT_ID, INVALID_TIMESTAMP (`recv_window`),
        RPI_ACCOUNT_NOT_WHITELISTED, SYSTEM_STATUS_CANCEL_ONLY, SYSTEM_STATUS_POST_ONLY.
        """
        state = self._state
        owner, market = state.account(account), state.market(request.market)
        validation.check(state, market, owner, request)
        order = new_order(state, owner, market.market, request)
        owner.add_order(order)
        state.events.append(OrderUpdated(state.now, owner.address, order.snapshot()))
        self._queue.push(RequestKind.CREATE, owner, order.id, order.market)
        return order.snapshot()

    def cancel(
        self, account: str, *, order_id: str | None = None, client_id: str | None = None, market: str | None = None
    ) -> Order:
        """Queues the cancellation of one live order (NEW counts) and returns a copy of it as it is now.

        Give `order_id`, or `client_id` and perhaps its `market`. Raises ORDER_ID_NOT_FOUND or
        CLIENT_ORDER_ID_NOT_FOUND, and ORDER_IS_CLOSED where the order is known and closed.
        """
        owner = self._state.account(account)
        order = self._find(owner, order_id, client_id, market)
        if not order.is_live:
            raise ExchangeError("ORDER_IS_CLOSED", f"order {order.id} is closed already")
        self._queue.push(RequestKind.CANCEL, owner, order.id, order.market)
        return order.snapshot()

    def cancel_all(self, account: str, market: str | None = None) -> list[Order]:
        """Queues the cancellation of everything live (in `market`); returns copies of what is live now."""
        owner = self._state.account(account)
        if market is not None:
            self._state.market(market)
        live = owner.live_orders(market)
        if live:
            self._queue.push(RequestKind.CANCEL_ALL, owner, live[-1].id, market)
        return [order.snapshot() for order in live]

    def process(self) -> None:
        """Runs the matching queue, first in first out: risk checks, matching, cancellations."""
        self._queue.run()
        flush(self._state)

    def drain_events(self) -> list[Event]:
        """Everything that happened since the last call, in order."""
        events = self._state.events
        self._state.events = []
        return events

    # -- market data --------------------------------------------------------------------------------------------------

    @property
    def markets(self) -> Mapping[str, Market]:
        """All markets by symbol, in the order they were given."""
        return self._markets

    def market(self, symbol: str) -> Market:
        return self._state.market(symbol).market

    def levels(self, market: str, depth: int | None = None) -> BookView:
        """The book, best first, at most `depth` levels a side (all if None)."""
        book = self._state.market(market).book
        return BookView(market, book.seq, book.bids.levels(depth), book.asks.levels(depth), book.last_updated_at)

    def bbo(self, market: str) -> Bbo:
        return self._state.market(market).bbo()

    def market_summary(self, market: str) -> MarketSummary:
        return views.market_summary(self._state, self._state.market(market))

    def trades(
        self,
        market: str,
        *,
        start_at: int | None = None,
        end_at: int | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> Page[Trade]:
        """Public trades, newest first, created within `start_at` and `end_at` (both included), before id `before`."""
        return page(
            reversed(self._state.market(market).trades),
            key=lambda trade: trade.id,
            created_at=lambda trade: trade.created_at,
            start_at=start_at,
            end_at=end_at,
            before=before,
            limit=limit,
        )

    def funding_data(self, market: str) -> FundingData:
        """Current funding of a perpetual; MARKET_NOT_FOUND for other kinds."""
        return self._funding(market).data(self._state.now)

    def funding_history(
        self,
        market: str,
        *,
        start_at: int | None = None,
        end_at: int | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> Page[FundingData]:
        """Funding data minute by minute, newest first, the current one on top; the cursor is its `created_at`."""
        funding = self._funding(market)
        current = funding.data(self._state.now)
        history = reversed(funding.history)
        return page(
            chain((current,), (data for data in history if data.created_at < current.created_at)),
            key=lambda data: f"{data.created_at:016d}",
            created_at=lambda data: data.created_at,
            start_at=start_at,
            end_at=end_at,
            before=before,
            limit=limit,
        )

    def set_mark_price(self, market: str, price: Decimal) -> None:
        """Holds the mark price at `price` (the spot price follows by the basis) until it is released."""
        state = self._state.market(market)
        if not price.is_finite() or not 0 < price < MAX_MARK_PRICE:
            raise ExchangeError("VALIDATION_ERROR", f"a mark price is above 0 and below {MAX_MARK_PRICE}")
        state.mark.hold(price)
        self._mark_moved(state)

    def release_mark_price(self, market: str) -> None:
        """Lets the mark price move by itself again, from where it is."""
        state = self._state.market(market)
        state.mark.release()
        self._mark_moved(state)

    # -- an account's data --------------------------------------------------------------------------------------------

    def open_orders(self, account: str, market: str | None = None) -> list[Order]:
        """Live orders (NEW, UNTRIGGERED, OPEN), oldest first; copies."""
        if market is not None:
            self._state.market(market)
        return [order.snapshot() for order in self._state.account(account).live_orders(market)]

    def order(self, account: str, order_id: str) -> Order:
        """A live order; raises ORDER_ID_NOT_FOUND. Closed ones are in `orders_history`."""
        order = self._find(self._state.account(account), order_id, None, None)
        if not order.is_live:
            raise ExchangeError("ORDER_ID_NOT_FOUND", f"no open order has id {order_id}")
        return order.snapshot()

    def order_by_client_id(self, account: str, client_id: str, market: str | None = None) -> Order:
        """A live order; raises CLIENT_ORDER_ID_NOT_FOUND."""
        order = self._find(self._state.account(account), None, client_id, market)
        if not order.is_live:
            raise ExchangeError("CLIENT_ORDER_ID_NOT_FOUND", f"no open order has client_id {client_id}")
        return order.snapshot()

    def orders_history(
        self,
        account: str,
        *,
        market: str | None = None,
        client_id: str | None = None,
        side: Side | None = None,
        type: OrderType | None = None,
        status: OrderStatus | None = None,
        start_at: int | None = None,
        end_at: int | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> Page[Order]:
        """Orders of any status, newest first, created within `start_at` and `end_at`, before id `before`; copies."""
        wanted = {"market": market, "client_id": client_id, "side": side, "type": type, "status": status}
        filters = [(name, value) for name, value in wanted.items() if value is not None]
        found = page(
            reversed(self._state.account(account).orders.values()),
            key=lambda order: order.id,
            created_at=lambda order: order.created_at,
            start_at=start_at,
            end_at=end_at,
            before=before,
            limit=limit,
            matches=lambda order: all(getattr(order, name) == value for name, value in filters),
        )
        return Page(tuple(order.snapshot() for order in found.items), found.next)

    def fills(
        self,
        account: str,
        *,
        market: str | None = None,
        start_at: int | None = None,
        end_at: int | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> Page[Fill]:
        return page(
            reversed(self._state.account(account).fills),
            key=lambda fill: fill.id,
            created_at=lambda fill: fill.created_at,
            start_at=start_at,
            end_at=end_at,
            before=before,
            limit=limit,
            matches=lambda fill: market is None or fill.market == market,
        )

    def positions(self, account: str, market: str | None = None) -> list[Position]:
        """Positions that are or were open, by market; a closed one has size 0 and status CLOSED."""
        owner = self._state.account(account)
        margin = account_margin(self._state, owner)
        return [
            views.position_view(self._state.market(symbol), owner, margin)
            for symbol in sorted(owner.positions)
            if market is None or symbol == market
        ]

    def balances(self, account: str) -> list[Balance]:
        return self._state.account(account).balances()

    def account_summary(self, account: str) -> AccountSummary:
        return views.account_summary(self._state, self._state.account(account))

    def funding_payments(
        self,
        account: str,
        *,
        market: str | None = None,
        start_at: int | None = None,
        end_at: int | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> Page[FundingPayment]:
        return page(
            reversed(self._state.account(account).funding_payments),
            key=lambda payment: payment.id,
            created_at=lambda payment: payment.created_at,
            start_at=start_at,
            end_at=end_at,
            before=before,
            limit=limit,
            matches=lambda payment: market is None or payment.market == market,
        )

    def margin_config(self, account: str, market: str) -> MarginConfig:
        return self._state.account(account).margin_config(self._state.market(market).market)

    def set_leverage(
        self, account: str, market: str, leverage: int, margin_type: MarginType = MarginType.CROSS
    ) -> MarginConfig:
        """Sets the leverage, 1 to the market's maximum.

        Raises VALIDATION_ERROR if it is out of range or the account would not meet its initial margin with it, and
        MARKET_MARGIN_RESTRICTED for ISOLATED, which Paradex keeps in accounts of their own.
        """
        return self._registry.set_leverage(
            self._state.account(account), self._state.market(market), leverage, margin_type
        )

    # -- internals ----------------------------------------------------------------------------------------------------

    def _tick_funding(self) -> None:
        for market in self._state.markets.values():
            if market.funding is not None:
                market.funding.tick(self._state.now, market.mark.mark_price, market.mark.spot_price)
                self._state.dirty_funding[market] = None

    def _mark_time_passed(self, seconds_passed: bool) -> None:
        """Has published what time has changed; accounts with a position at most once a second."""
        state = self._state
        state.dirty_summaries.update(dict.fromkeys(state.markets.values()))
        if seconds_passed:
            for account in state.accounts.values():
                if any(position.size for position in account.positions.values()):
                    state.dirty_accounts[account] = None

    def _expire_markets(self) -> None:
        for market in self._state.markets.values():
            if market.market.expiry_at and not market.is_expired and self._state.now >= market.market.expiry_at:
                self._engine.expire(market)

    def _mark_moved(self, market: MarketState) -> None:
        state = self._state
        state.dirty_summaries[market] = None
        for account in state.accounts.values():
            if account.position_size(market.symbol):
                state.dirty_accounts[account] = None
        flush(state)

    def _funding(self, market: str) -> FundingState:
        funding = self._state.market(market).funding
        if funding is None:
            raise ExchangeError("MARKET_NOT_FOUND", f"{market} is no perpetual and has no funding")
        return funding

    def _find(self, owner: AccountState, order_id: str | None, client_id: str | None, market: str | None) -> Order:
        """An order that is remembered, live or not: by id, or the newest by client id."""
        if order_id is not None:
            order = owner.orders.get(order_id)
            if order is None:
                raise ExchangeError("ORDER_ID_NOT_FOUND", f"no order has id {order_id}")
            return order
        live_id = owner.live_client_ids.get(client_id or "")
        candidates = (owner.orders[live_id],) if live_id else reversed(owner.orders.values())
        for order in candidates:
            if order.client_id == client_id and (market is None or order.market == market):
                return order
        raise ExchangeError("CLIENT_ORDER_ID_NOT_FOUND", f"no order has client_id {client_id}")
