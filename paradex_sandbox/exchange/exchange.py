"""The exchange as its callers see it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from paradex_sandbox.exchange import busts, listing, modify, protection, validation
from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.algo import AlgoOrder, AlgoRequest
from paradex_sandbox.exchange.algos import AlgoRunner
from paradex_sandbox.exchange.crowd import Crowd
from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.events import Event, OrderUpdated, RequestKind
from paradex_sandbox.exchange.funding import SECOND
from paradex_sandbox.exchange.liquidation import HEALTH_CHECK_US, RiskMonitor, settle_expired
from paradex_sandbox.exchange.marks import MARK_INTERVAL
from paradex_sandbox.exchange.matching import MatchingEngine
from paradex_sandbox.exchange.mmp import MmpConfig, MmpState
from paradex_sandbox.exchange.model import (
    DEFAULT_DEPOSITS,
    ZERO,
    Account,
    Balance,
    CancelReason,
    CancelResult,
    CancelStatus,
    MarginConfig,
    MarginType,
    Market,
    ModifyRequest,
    Order,
    OrderClass,
    OrderRequest,
    Subkey,
    SystemStatus,
    TradeBust,
)
from paradex_sandbox.exchange.orders import new_order
from paradex_sandbox.exchange.publishing import flush
from paradex_sandbox.exchange.queries import Queries
from paradex_sandbox.exchange.records import Records
from paradex_sandbox.exchange.registry import AccountRegistry
from paradex_sandbox.exchange.requests import RequestQueue
from paradex_sandbox.exchange.state import ExchangeState, MarketState
from paradex_sandbox.exchange.system import CANCEL_ONLY_US, POST_ONLY_US, SystemControl

MAX_MARK_PRICE = Decimal(10) ** 9


class Exchange(Queries):
    """A whole exchange in memory: give it time and requests, take its events.

    A caller's loop is `advance(now)`, the other traders' `step(now)`, `process()`, then `drain_events()`: persist them,
    then publish them. Between two rounds `submit` and `cancel` may be called at any time; they are answered at once
    and act in the next `process()`. Same markets, seed, times and requests give the same events.

    Not thread-safe. Every method that takes an account address raises ExchangeError ACCOUNT_NOT_FOUND, every one that
    takes a market MARKET_NOT_FOUND, where it does not exist.
    """

    def __init__(self, markets: Sequence[Market], seed: int, now_us: int = 0) -> None:
        """`now_us` is the exchange's first time, in microseconds since the epoch."""
        state = ExchangeState(markets, seed, now_us)
        super().__init__(state)
        self._engine = MatchingEngine(state)
        self._queue = RequestQueue(state, self._engine)
        self._registry = AccountRegistry(state)
        self._system = SystemControl(state, self._engine)
        self._algos = AlgoRunner(state, self._engine)
        self._risk = RiskMonitor(state, self._engine, self._algos)
        #: Where traders without an account come in.
        self.crowd = Crowd(state, self._engine)
        #: What a storage keeps.
        self.records = Records(state, self._engine, self._queue)

    # -- time ---------------------------------------------------------------------------------------------------------

    def advance(self, now_us: int) -> None:
        """Lets time pass up to `now_us`: mark prices move and trigger orders, funding accrues, algo orders slice.

        Every 5 seconds accounts are checked and liquidated where they must be; markets expire and are settled.

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
                mark = market.mark
                mark.tick()
                market.candles.marks(tick, mark.mark_price, mark.spot_price)
                self._system.mark_moved(market)
            if tick % SECOND == 0:
                seconds_passed = True
                self._second_passed()
            tick += MARK_INTERVAL
        state.now = now_us
        self._time_moved()
        if ticked:
            self._mark_time_passed(seconds_passed)
        flush(state)

    def resume(self, now_us: int) -> None:
        """Jumps to `now_us` after an outage (a restart, a sleeping machine): marks stand still, no funding accrues."""
        self._state.now = max(self._state.now, now_us)
        self._state.dirty_summaries.update(dict.fromkeys(self._state.markets.values()))
        self._time_moved()
        flush(self._state)

    # -- accounts -----------------------------------------------------------------------------------------------------

    def create_account(
        self, address: str, public_key: str, deposits: Mapping[str, Decimal] | None = None, parent: str = ""
    ) -> Account:
        """Opens an account with `deposits` by token (100 000 USDC unless given); NOT_UNIQUE if the address exists."""
        return self._registry.create(address, public_key, DEFAULT_DEPOSITS if deposits is None else deposits, parent)

    def register_subkey(self, account: str, public_key: str, name: str = "") -> Subkey:
        """Registers a trading key; NOT_UNIQUE if any account has it active or as its main key."""
        return self._registry.register_subkey(self._state.account(account), public_key, name)

    def revoke_subkey(self, account: str, public_key: str) -> Subkey:
        """Revokes it; INVALID_SUBKEY if the account has no such active key."""
        return self._registry.revoke_subkey(self._state.account(account), public_key)

    def deposit(self, account: str, amount: Decimal, token: str = "USDC") -> Balance:
        """Adds `amount` (negative withdraws); VALIDATION_ERROR if it is no amount or more than there is."""
        return self._registry.deposit(self._state.account(account), amount, token)

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

    def set_max_slippage(self, account: str, market: str, max_slippage: Decimal | None) -> None:
        """Bounds the account's MARKET orders, as a fraction of the best price; None goes back to the market's bound.

        VALIDATION_ERROR unless it is above 0 and at most the width of the price band.
        """
        self._registry.set_max_slippage(self._state.account(account), self._state.market(market), max_slippage)

    def allow_rpi(self, account: str, allowed: bool = True) -> None:
        """Whether the account may place RPI orders; without this they are RPI_ACCOUNT_NOT_WHITELISTED."""
        self._registry.allow_rpi(self._state.account(account), allowed)

    # -- the system ---------------------------------------------------------------------------------------------------

    @property
    def system_status(self) -> SystemStatus:
        """Set it to cancel_only, post_only or maintenance, and new orders are refused accordingly."""
        return self._state.status

    @system_status.setter
    def system_status(self, status: SystemStatus) -> None:
        self._system.set(status)
        flush(self._state)

    def create_market(self, market: Market) -> Market:
        """Lists another market; it can be traded at once, or from its `open_at` on.

        NOT_UNIQUE where there is one of that name, VALIDATION_ERROR for a name or an expiry that cannot be.
        """
        listing.create(self._state, market)
        self._state.dirty_summaries[self._state.market(market.symbol)] = None
        flush(self._state)
        return market

    def delete_market(self, market: str) -> None:
        """Ends the trading of a market and takes it off the list.

        Its orders are closed (MARKET_DELISTED), its positions settled at the mark price, free of charge, unless it
        has expired before. Orders and fills stay in the accounts' histories.
        """
        state, leaving = self._state, self._state.market(market)
        for account in state.accounts.values():
            self._algos.cancel_all(account, CancelReason.MARKET_DELISTED, market)
        if not leaving.is_expired:
            state.replace_market(replace(leaving.market, expiry_at=state.now))
            self._settle(leaving, CancelReason.MARKET_DELISTED)
        flush(state)
        listing.delete(state, leaving)

    def update_market(self, market: str, **fields: listing.Value) -> Market:
        """Changes tick, size increment, limits, widths, margin, `open_at` or `expiry_at` (microseconds) of a market.

        VALIDATION_ERROR for other fields and for values that make no sense. Orders that rest stay as they are.
        """
        updated = listing.update(self._state, self._state.market(market), fields)
        self._time_moved()
        flush(self._state)
        return updated

    def schedule_release(
        self, at_us: int, cancel_only_us: int = CANCEL_ONLY_US, post_only_us: int = POST_ONLY_US
    ) -> None:
        """A release from `at_us` on: cancel_only, post_only and ok follow by the exchange's time."""
        self._system.schedule(at_us, cancel_only_us, post_only_us)
        flush(self._state)

    # -- orders -------------------------------------------------------------------------------------------------------

    def submit(self, account: str, request: OrderRequest) -> Order:
        """Validates a new order and queues it; returns a copy of it, NEW.

        Raises ExchangeError for what Paradex refuses at once: MARKET_NOT_FOUND, MARKET_NOT_OPEN, NO_ACCESS_TO_MARKET
        (not a perpetual), INVALID_ORDER_SIZE (step, maximum, minimum notional), VALIDATION_ERROR (tick, price, trigger,
        flags, too many open orders), DUPLICATED_CLIENT_ID, INVALID_TIMESTAMP (`recv_window`),
        RPI_ACCOUNT_NOT_WHITELISTED, SYSTEM_STATUS_CANCEL_ONLY, SYSTEM_STATUS_POST_ONLY.
        """
        state = self._state
        owner, market = state.account(account), state.market(request.market)
        validation.check(state, market, owner, request)
        order = new_order(state, owner, market.market, request)
        owner.add_order(order)
        state.events.append(OrderUpdated(state.now, owner.address, order.snapshot()))
        self._queue.push(RequestKind.CREATE, owner, order)
        return order.snapshot()

    def submit_batch(self, account: str, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        """`submit` for each, one's refusal keeping no other back; the order or the refusal of each."""
        results: list[Order | ExchangeError] = []
        for request in requests:
            try:
                results.append(self.submit(account, request))
            except ExchangeError as error:
                results.append(error)
        return results

    def modify(self, account: str, request: ModifyRequest) -> Order:
        """Queues a change of a live order and returns a copy of it, its `request_info` PENDING.

        The outcome comes with a later update, SUCCESS or REJECTED with a message (margin, post-only, filled too far);
        the id stays. Raises ORDER_ID_NOT_FOUND, ORDER_IS_CLOSED, ORDER_IS_NOT_OPEN (still NEW), INVALID_ORDER_SIZE,
        VALIDATION_ERROR, and what the system's and the market's status refuse.
        """
        state, owner = self._state, self._state.account(account)
        order = self._live(owner, request.order_id)
        validation.check_modify(state, state.market(order.market), owner, order, request)
        request_id = modify.acknowledge(state, order)
        self._engine.publish(owner, order)
        self._queue.push(RequestKind.MODIFY, owner, order, request, request_id)
        return order.snapshot()

    def cancel(
        self, account: str, *, order_id: str | None = None, client_id: str | None = None, market: str | None = None
    ) -> Order:
        """Queues the cancellation of one live order (NEW counts) and returns a copy of it as it is now.

        Give `order_id`, or `client_id` and perhaps its `market`. Raises ORDER_ID_NOT_FOUND or
        CLIENT_ORDER_ID_NOT_FOUND, ORDER_IS_CLOSED where the order is known and closed, and SERVICE_UNAVAILABLE in
        maintenance.
        """
        owner = self._state.account(account)
        self._refuse_in_maintenance()
        order = self._live(owner, order_id, client_id, market)
        self._queue.push(RequestKind.CANCEL, owner, order)
        return order.snapshot()

    def cancel_batch(
        self, account: str, order_ids: Sequence[str] = (), client_ids: Sequence[str] = ()
    ) -> list[CancelResult]:
        """Queues the cancellation of each order, ids first; what became of each, in order."""
        keys = [{"order_id": order_id} for order_id in order_ids]
        keys += [{"client_id": client_id} for client_id in client_ids]
        return [self._cancel_one(account, **key) for key in keys]

    def _cancel_one(self, account: str, order_id: str = "", client_id: str = "") -> CancelResult:
        owner = self._state.account(account)
        try:
            order = self._find(owner, order_id or None, client_id, None)
        except ExchangeError:
            return CancelResult(order_id, client_id, "", CancelStatus.NOT_FOUND)
        status = CancelStatus.ALREADY_CLOSED
        if order.is_live:
            self.cancel(account, order_id=order.id)
            status = CancelStatus.QUEUED_FOR_CANCELLATION
        return CancelResult(order.id, order.client_id, order.market, status)

    def cancel_all(self, account: str, market: str | None = None) -> list[Order]:
        """Queues the cancellation of everything live (in `market`); returns copies of what is live now."""
        owner = self._state.account(account)
        if market is not None:
            self._state.market(market)
        self._refuse_in_maintenance()
        live = owner.live_orders(market)
        retail = [order for order in live if order.order_class is OrderClass.INTERACTIVE]
        if len(retail) < len(live):
            self._queue.push_cancel_all(owner, live[-1], market)
        for order in retail:
            self._queue.push(RequestKind.CANCEL, owner, order)
        return [order.snapshot() for order in live]

    def create_algo(self, account: str, request: AlgoRequest) -> AlgoOrder:
        """Starts a TWAP; its first slice acts in the next `process()`. Refusals as with `submit`."""
        owner, market = self._state.account(account), self._state.market(request.market)
        return self._algos.create(owner, market, request)

    def cancel_algo(self, account: str, algo_id: str) -> AlgoOrder:
        """Ends a TWAP at once; ALGO_ID_NOT_FOUND if none such is open."""
        return self._algos.cancel(self._state.account(account), algo_id)

    def bust(self, account: str, fill_id: str) -> TradeBust:
        """Undoes the trade behind a fill, on both sides.

        NOT_FOUND if the account has no such fill of the book, MARKET_NOT_OPEN or MARKET_NOT_FOUND if its market was
        settled or deleted since.
        """
        busted = busts.bust(self._state, self._engine, self._state.account(account), fill_id)
        flush(self._state)
        return busted

    # -- market-maker protection --------------------------------------------------------------------------------------

    def set_mmp(
        self,
        account: str,
        base_asset: str,
        *,
        interval_ms: int,
        frozen_time_ms: int,
        size_limit: Decimal,
        delta_limit: Decimal,
        vega_limit: Decimal = ZERO,
        protect_block_trades: bool | None = None,
    ) -> MmpState:
        """Replaces the protection of a base asset; None keeps what `protect_block_trades` was. VALIDATION_ERROR."""
        owner = self._state.account(account)
        before = owner.mmp.get(base_asset)
        if protect_block_trades is None:
            protect_block_trades = before is not None and before.config.protect_block_trades
        config = MmpConfig(
            base_asset=base_asset,
            interval_ms=interval_ms,
            frozen_time_ms=frozen_time_ms,
            size_limit=size_limit,
            delta_limit=delta_limit,
            vega_limit=vega_limit,
            protect_block_trades=protect_block_trades,
            updated_at=self._state.now,
        )
        configured = protection.configure(self._state, owner, config)
        flush(self._state)
        return configured

    def delete_mmp(self, account: str, base_asset: str) -> None:
        """Turns protection off; what it protected is cancelled (MMP_DISABLED). Harmless where there is none."""
        owner = self._state.account(account)
        if protection.remove(self._state, owner, base_asset):
            self._engine.cancel_protected(owner, base_asset, CancelReason.MMP_DISABLED)
        flush(self._state)

    def reset_mmp(self, account: str, base_asset: str | None = None) -> list[tuple[str, int]]:
        """Lifts freezes and empties windows, of one base asset or all; (base asset, microseconds) of each.

        Raises NOT_FOUND, and MMP_MIN_FREEZE_NOT_ELAPSED within a second of a trip: `data` then says which were
        `refused` and which `reset` nevertheless.
        """
        try:
            return protection.reset(self._state, self._state.account(account), base_asset)
        finally:
            flush(self._state)

    # -- the round ----------------------------------------------------------------------------------------------------

    def process(self) -> None:
        """Runs the matching queue, first in first out: risk checks, matching, cancellations."""
        self._queue.run()
        self._algos.run()
        flush(self._state)

    def drain_events(self) -> list[Event]:
        """Everything that happened since the last call, in order."""
        events = self._state.events
        self._state.events = []
        return events

    # -- prices -------------------------------------------------------------------------------------------------------

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

    # -- internals ----------------------------------------------------------------------------------------------------

    def _live(
        self, owner: AccountState, order_id: str | None, client_id: str | None = None, market: str | None = None
    ) -> Order:
        order = self._find(owner, order_id, client_id, market)
        if not order.is_live:
            raise ExchangeError("ORDER_IS_CLOSED", f"order {order.id} is closed already")
        return order

    def _refuse_in_maintenance(self) -> None:
        if self._state.status is SystemStatus.MAINTENANCE:
            raise ExchangeError("SERVICE_UNAVAILABLE", "the exchange is in maintenance")

    def _second_passed(self) -> None:
        state = self._state
        self._tick_funding()
        self._system.tick()
        protection.thaw(state)
        self._algos.run()
        if state.now % HEALTH_CHECK_US == 0:
            self._risk.check()

    def _time_moved(self) -> None:
        self._system.tick()
        protection.thaw(self._state)
        self._expire_markets()

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
                self._settle(market, CancelReason.MARKET_EXPIRED)

    def _settle(self, market: MarketState, reason: CancelReason) -> None:
        self._engine.expire(market, reason)
        settle_expired(self._state, market)
        listing.settled(self._state, market)

    def _mark_moved(self, market: MarketState) -> None:
        state, mark = self._state, market.mark
        market.candles.marks(state.now, mark.mark_price, mark.spot_price)
        self._system.mark_moved(market)
        state.dirty_summaries[market] = None
        for account in state.accounts.values():
            if account.position_size(market.symbol):
                state.dirty_accounts[account] = None
        flush(state)
