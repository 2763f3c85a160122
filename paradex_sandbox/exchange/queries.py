"""What can be asked of the exchange: market data and an account's own."""

from collections.abc import Mapping
from itertools import chain
from types import MappingProxyType
from typing import Unpack

from paradex_sandbox.exchange import listing, views
from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.algo import AlgoOrder
from paradex_sandbox.exchange.candles import RESOLUTIONS, Bar, PriceKind
from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.funding import FundingState
from paradex_sandbox.exchange.margin import account_margin
from paradex_sandbox.exchange.mmp import MmpState
from paradex_sandbox.exchange.model import (
    Account,
    AccountSummary,
    Balance,
    Bbo,
    BestSizes,
    BookView,
    Fill,
    FundingData,
    FundingPayment,
    InsuranceFund,
    Liquidation,
    MarginConfig,
    Market,
    MarketChange,
    MarketSummary,
    Order,
    OrderStatus,
    OrderType,
    Page,
    Position,
    RetailUsage,
    Settlement,
    Side,
    Trade,
    TradeBust,
)
from paradex_sandbox.exchange.paging import Window, page
from paradex_sandbox.exchange.state import ExchangeState


class Queries:
    """The reading half of `Exchange`; nothing here changes anything. What is returned are copies unless said."""

    def __init__(self, state: ExchangeState) -> None:
        self._state = state
        self._markets = MappingProxyType(state.listed)

    @property
    def now(self) -> int:
        """The exchange's time in microseconds; it never goes back."""
        return self._state.now

    # -- market data --------------------------------------------------------------------------------------------------

    @property
    def markets(self) -> Mapping[str, Market]:
        """All markets by symbol, in the order they were given."""
        return self._markets

    def market(self, symbol: str) -> Market:
        return self._state.market(symbol).market

    def levels(self, market: str, depth: int | None = None, interactive: bool = False) -> BookView:
        """The book, best first, at most `depth` levels a side (all if None).

        The API book, or the `interactive` one with the RPI orders, which may look crossed and counts its own `seq`.
        """
        book = self._state.market(market).book
        bids, asks = (book.levels(side, depth, interactive=interactive) for side in Side)
        seq = book.interactive_seq if interactive else book.seq
        return BookView(market, seq, bids, asks, book.last_updated_at)

    def bbo(self, market: str, interactive: bool = False) -> Bbo:
        return self._state.market(market).book.bbo(market, interactive=interactive)

    def best_sizes(self, market: str) -> BestSizes:
        """The best level of each side, without and with RPI orders."""
        book = self._state.market(market).book
        bid, rpi_bid, ask, rpi_ask = (
            next(iter(book.levels(side, 1, interactive=interactive)), None)
            for side in Side
            for interactive in (False, True)
        )
        return BestSizes(bid, rpi_bid, ask, rpi_ask)

    def klines(
        self,
        market: str,
        resolution_minutes: int,
        start_at: int,
        end_at: int,
        price_kind: PriceKind = PriceKind.LAST,
    ) -> list[Bar]:
        """Bars that start within `start_at` and `end_at` (microseconds, both included), oldest first.

        Of the trades that happened (a week back), or of mark or spot prices (a day); a time without any has no bar.
        VALIDATION_ERROR for a resolution that is none of 1, 3, 5, 15, 30, 60.
        """
        if resolution_minutes not in RESOLUTIONS:
            raise ExchangeError("VALIDATION_ERROR", f"resolution must be one of {', '.join(map(str, RESOLUTIONS))}")
        return self._state.market(market).candles.kinds[price_kind].bars(resolution_minutes, start_at, end_at)

    def market_history(self, market: str | None = None) -> list[MarketChange]:
        """What changed about one market or all, newest first; deleted ones included."""
        found = [change for change in reversed(self._state.market_changes) if market in (None, change.market)]
        if market is not None and not found:
            self._state.market(market)
        return found

    def settlement(self, market: str) -> Settlement:
        """How an expired market was settled, even if it was deleted since; raises MARKET_NOT_SETTLED."""
        return listing.settlement(self._state, market)

    def insurance_fund(self) -> InsuranceFund:
        """What liquidation penalties have brought, less what bankrupt accounts have cost."""
        return InsuranceFund(self._state.insurance, self._state.insurance_updated_at)

    def market_summary(self, market: str) -> MarketSummary:
        return views.market_summary(self._state, self._state.market(market))

    def trades(self, market: str, **window: Unpack[Window]) -> Page[Trade]:
        """Public trades, newest first; the cursor is an id."""
        return page(
            reversed(self._state.market(market).trades),
            key=lambda trade: trade.id,
            created_at=lambda trade: trade.created_at,
            **window,
        )

    def funding_data(self, market: str) -> FundingData:
        """Current funding of a perpetual; MARKET_NOT_FOUND for other kinds."""
        return self._funding(market).data(self._state.now)

    def funding_history(self, market: str, **window: Unpack[Window]) -> Page[FundingData]:
        """Funding data minute by minute, newest first, the current one on top; the cursor is its `created_at`."""
        funding = self._funding(market)
        current = funding.data(self._state.now)
        history = reversed(funding.history)
        return page(
            chain((current,), (data for data in history if data.created_at < current.created_at)),
            key=lambda data: f"{data.created_at:016d}",
            created_at=lambda data: data.created_at,
            **window,
        )

    # -- an account's data --------------------------------------------------------------------------------------------

    def open_orders(self, account: str, market: str | None = None) -> list[Order]:
        """Live orders (NEW, UNTRIGGERED, OPEN), oldest first; copies."""
        if market is not None:
            self._state.market(market)
        return [order.snapshot() for order in self._state.account(account).live_orders(market)]

    def order(self, account: str, order_id: str) -> Order:
        """A NEW or OPEN order; raises ORDER_ID_NOT_FOUND. Closed ones are in `orders_history`."""
        order = self._find(self._state.account(account), order_id, None, None)
        if order.status not in (OrderStatus.NEW, OrderStatus.OPEN):
            raise ExchangeError("ORDER_ID_NOT_FOUND", f"no open order has id {order_id}")
        return order.snapshot()

    def order_by_client_id(self, account: str, client_id: str, market: str | None = None) -> Order:
        """An OPEN order; raises CLIENT_ORDER_ID_NOT_FOUND."""
        order = self._find(self._state.account(account), None, client_id, market)
        if order.status is not OrderStatus.OPEN:
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
        **window: Unpack[Window],
    ) -> Page[Order]:
        """Orders of any status, newest first; copies. The cursor is an id."""
        wanted = {"market": market, "client_id": client_id, "side": side, "type": type, "status": status}
        filters = [(name, value) for name, value in wanted.items() if value is not None]
        found = page(
            reversed(self._state.account(account).orders.values()),
            key=lambda order: order.id,
            created_at=lambda order: order.created_at,
            **window,
            matches=lambda order: all(getattr(order, name) == value for name, value in filters),
        )
        return Page(tuple(order.snapshot() for order in found.items), found.next)

    def fills(self, account: str, *, market: str | None = None, **window: Unpack[Window]) -> Page[Fill]:
        return page(
            reversed(self._state.account(account).fills),
            key=lambda fill: fill.id,
            created_at=lambda fill: fill.created_at,
            **window,
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
        self, account: str, *, market: str | None = None, **window: Unpack[Window]
    ) -> Page[FundingPayment]:
        return page(
            reversed(self._state.account(account).funding_payments),
            key=lambda payment: payment.id,
            created_at=lambda payment: payment.created_at,
            **window,
            matches=lambda payment: market is None or payment.market == market,
        )

    def margin_config(self, account: str, market: str) -> MarginConfig:
        return self._state.account(account).margin_config(self._state.market(market).market)

    def liquidations(self, account: str, start_at: int | None = None, end_at: int | None = None) -> list[Liquidation]:
        """Within `start_at` and `end_at` (both included), newest first."""
        return [
            liquidation
            for liquidation in reversed(self._state.account(account).liquidations)
            if (start_at is None or liquidation.created_at >= start_at)
            and (end_at is None or liquidation.created_at <= end_at)
        ]

    def tradebusts(self, account: str, **window: Unpack[Window]) -> Page[TradeBust]:
        """Busted fills, newest first; the cursor is made of `created_at` and the fill's id."""
        return page(
            reversed(self._state.account(account).tradebusts),
            key=lambda bust: f"{bust.created_at:016d}{bust.busted_fill_id}",
            created_at=lambda bust: bust.created_at,
            **window,
        )

    def open_algos(self, account: str, market: str | None = None) -> list[AlgoOrder]:
        """Open algo orders, oldest first; copies."""
        live = self._state.account(account).live_algos.values()
        return [algo.snapshot() for algo in live if market is None or algo.market == market]

    def algo(self, account: str, algo_id: str) -> AlgoOrder:
        """An open algo order; raises ALGO_ID_NOT_FOUND."""
        algo = self._state.account(account).live_algos.get(algo_id)
        if algo is None:
            raise ExchangeError("ALGO_ID_NOT_FOUND", f"no open algo order has id {algo_id}")
        return algo.snapshot()

    def algos_history(
        self,
        account: str,
        *,
        market: str | None = None,
        side: Side | None = None,
        status: OrderStatus | None = None,
        **window: Unpack[Window],
    ) -> Page[AlgoOrder]:
        """Algo orders of any status, newest first; copies."""
        wanted = {"market": market, "side": side, "status": status}
        filters = [(name, value) for name, value in wanted.items() if value is not None]
        found = page(
            reversed(self._state.account(account).algos.values()),
            key=lambda algo: algo.id,
            created_at=lambda algo: algo.created_at,
            **window,
            matches=lambda algo: all(getattr(algo, name) == value for name, value in filters),
        )
        return Page(tuple(algo.snapshot() for algo in found.items), found.next)

    def mmp_configs(self, account: str) -> list[MmpState]:
        """Market-maker protection by base asset, with its live state."""
        guards = self._state.account(account).mmp
        return [guards[base].state(self._state.now) for base in sorted(guards)]

    def retail_usage(self, account: str) -> RetailUsage:
        """Retail orders so far in each window that is limited."""
        return self._state.account(account).retail.usage(self._state.now)

    # -- accounts -----------------------------------------------------------------------------------------------------

    def accounts(self) -> list[Account]:
        """All accounts (not the other traders', who have none), oldest first. Live objects: do not change them."""
        return [account.info for account in self._state.accounts.values()]

    def account(self, address: str) -> Account:
        """The account; raises ACCOUNT_NOT_FOUND. Addresses are compared as field elements (case, leading zeros)."""
        return self._state.account(address).info

    # -- internals ----------------------------------------------------------------------------------------------------

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
