"""The exchange's state as plain data, for a storage to keep and to give back."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random

from paradex_sandbox.exchange import listing
from paradex_sandbox.exchange.accounts import AccountState, copy_account
from paradex_sandbox.exchange.algo import AlgoOrder
from paradex_sandbox.exchange.candles import Bar, PriceKind
from paradex_sandbox.exchange.errors import MarketsFileError
from paradex_sandbox.exchange.events import QueuedRequest
from paradex_sandbox.exchange.matching import MatchingEngine
from paradex_sandbox.exchange.mmp import MmpGuard, MmpRecord
from paradex_sandbox.exchange.model import (
    Account,
    Fill,
    FundingData,
    FundingPayment,
    Liquidation,
    Market,
    MarketChange,
    Order,
    OrderClass,
    OrderStatus,
    ReleaseStep,
    SystemStatus,
    Trade,
    TradeBust,
)
from paradex_sandbox.exchange.positions import PositionState
from paradex_sandbox.exchange.requests import RequestQueue
from paradex_sandbox.exchange.state import ExchangeState, address_key
from paradex_sandbox.exchange.stats import MinuteBucket


@dataclass(frozen=True, slots=True)
class CoreRecord:
    """What belongs to no market and no account."""

    now: int
    id_counter: int
    last_seq: int
    last_priority: int
    last_request: int
    house: Decimal
    insurance: Decimal
    insurance_updated_at: int
    status: SystemStatus
    release: tuple[ReleaseStep, ...]
    departed: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class MarketRecord:
    symbol: str
    book_seq: int
    interactive_seq: int
    book_updated_at: int
    summary_seq: int
    is_expired: bool
    mark_price: Decimal
    basis: float
    is_held: bool
    funding_rate_8h: Decimal
    funding_premium: Decimal
    funding_index: Decimal
    total_volume: Decimal
    last_price: Decimal | None
    crowd_balance: Decimal
    crowd: PositionState


@dataclass(slots=True)
class MarketHistory:
    """Public history of a market, oldest first."""

    minutes: list[MinuteBucket] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    funding: list[FundingData] = field(default_factory=list)
    candles: dict[PriceKind, list[Bar]] = field(default_factory=dict)


@dataclass(slots=True)
class AccountRecord:
    """Everything of an account; lists oldest first."""

    info: Account
    summary_seq: int
    summary_at: int
    balance_updated_at: dict[str, int] = field(default_factory=dict)
    positions: dict[str, PositionState] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    funding_payments: list[FundingPayment] = field(default_factory=list)
    tradebusts: list[TradeBust] = field(default_factory=list)
    liquidations: list[Liquidation] = field(default_factory=list)
    algos: list[AlgoOrder] = field(default_factory=list)
    mmp: list[MmpRecord] = field(default_factory=list)


@dataclass(slots=True)
class ExchangeRecord:
    core: CoreRecord
    markets: dict[str, MarketRecord]
    histories: dict[str, MarketHistory]
    accounts: list[AccountRecord]
    requests: tuple[QueuedRequest, ...]
    market_changes: tuple[MarketChange, ...] = ()
    #: How the markets were listed that were so after the start.
    created: tuple[Market, ...] = ()


class Records:
    """Copies state out, whole or in parts, and puts a whole one back into an unused exchange."""

    def __init__(self, state: ExchangeState, engine: MatchingEngine, queue: RequestQueue) -> None:
        self._state = state
        self._engine = engine
        self._queue = queue

    def core(self) -> CoreRecord:
        state = self._state
        return CoreRecord(
            now=state.now,
            id_counter=state.id_counter,
            last_seq=state.last_seq,
            last_priority=state.last_priority,
            last_request=self._queue.last_number,
            house=state.house,
            insurance=state.insurance,
            insurance_updated_at=state.insurance_updated_at,
            status=state.status,
            release=state.release,
            departed=state.departed,
        )

    def market(self, symbol: str) -> MarketRecord:
        market = self._state.markets[symbol]
        funding = market.funding
        return MarketRecord(
            symbol=symbol,
            book_seq=market.book.seq,
            interactive_seq=market.book.interactive_seq,
            book_updated_at=market.book.last_updated_at,
            summary_seq=market.summary_seq,
            is_expired=market.is_expired,
            mark_price=market.mark.mark_price,
            basis=market.mark.basis,
            is_held=market.mark.is_held,
            funding_rate_8h=funding.rate_8h if funding else Decimal(0),
            funding_premium=funding.premium if funding else Decimal(0),
            funding_index=funding.index if funding else Decimal(0),
            total_volume=market.stats.total_volume,
            last_price=market.stats.last_price,
            crowd_balance=market.crowd_balance,
            crowd=replace(market.crowd),
        )

    def minutes(self, symbol: str, since: int = 0) -> list[MinuteBucket]:
        """Volume by minute from the minute that starts at `since`."""
        newest_first = reversed(self._state.markets[symbol].stats.buckets)
        picked = []
        for bucket in newest_first:
            if bucket.start < since:
                break
            picked.append(replace(bucket))
        return picked[::-1]

    def funding_history(self, symbol: str, after: int = -1) -> list[FundingData]:
        """Funding history created after `after`."""
        funding = self._state.markets[symbol].funding
        picked = []
        for data in reversed(funding.history if funding else ()):
            if data.created_at <= after:
                break
            picked.append(data)
        return picked[::-1]

    def candles(self, symbol: str, kind: PriceKind, since: int = 0) -> list[Bar]:
        """Bars by minute from the minute that starts at `since`."""
        return self._state.markets[symbol].candles.kinds[kind].since(since)

    def whole(self) -> ExchangeRecord:
        """A deep copy of everything."""
        state = self._state
        return ExchangeRecord(
            core=self.core(),
            markets={symbol: self.market(symbol) for symbol in state.markets},
            histories={
                symbol: MarketHistory(
                    minutes=self.minutes(symbol),
                    trades=list(market.trades),
                    funding=self.funding_history(symbol),
                    candles={kind: self.candles(symbol, kind) for kind in PriceKind},
                )
                for symbol, market in state.markets.items()
            },
            accounts=[_account_record(account) for account in state.accounts.values()],
            requests=self._queue.waiting(),
            market_changes=tuple(state.market_changes),
            created=tuple(state.created.values()),
        )

    def restore(self, record: ExchangeRecord) -> None:
        """Continues from `record`: books hold the accounts' open orders again, in the order of their priority.

        The crowd's quotes are not kept: other traders come back by themselves. Raises MarketsFileError if an account
        has something in a market that this exchange does not list.
        """
        state = self._state
        listing.restore(state, record.market_changes, {market.symbol: market for market in record.created})
        for account_record in record.accounts:
            _require_markets(account_record, state)
        core = record.core
        state.now, state.id_counter, state.last_seq = core.now, core.id_counter, core.last_seq
        state.last_priority, state.house, state.status = core.last_priority, core.house, core.status
        state.insurance, state.insurance_updated_at = core.insurance, core.insurance_updated_at
        state.release, state.departed = core.release, core.departed
        for symbol, market in record.markets.items():
            if symbol in state.markets:
                self._restore_market(market, record.histories.get(symbol, MarketHistory()))
        waiting: list[tuple[AccountState, Order]] = []
        for account_record in record.accounts:
            account = self._restore_account(account_record)
            wanted = (o for o in account_record.orders if o.status in (OrderStatus.OPEN, OrderStatus.UNTRIGGERED))
            waiting += [(account, order) for order in wanted]
        for account, order in sorted(waiting, key=lambda pair: (pair[1].priority, pair[1].id)):
            self._engine.restore(account, order)
        self._queue.restore(record.requests, core.last_request)
        for market_state in state.markets.values():
            book = market_state.book
            seq, interactive_seq, updated_at = book.seq, book.interactive_seq, book.last_updated_at
            # The restored levels are the starting point of the next change, not a change themselves.
            book.take_changes(state.now)
            book.seq, book.interactive_seq, book.last_updated_at = seq, interactive_seq, updated_at
            market_state.last_bbo = market_state.bbo()

    def _restore_market(self, record: MarketRecord, history: MarketHistory) -> None:
        market = self._state.markets[record.symbol]
        market.book.seq, market.book.last_updated_at = record.book_seq, record.book_updated_at
        market.book.interactive_seq = record.interactive_seq
        market.summary_seq, market.is_expired = record.summary_seq, record.is_expired
        # A walk that starts over with the same draws would repeat the path before the restart.
        market.mark.reseed(Random(f"{self._state.market_seed(record.symbol)}/{self._state.now}"))
        market.mark.restore(record.mark_price, record.basis, record.is_held)
        if market.funding is not None:
            market.funding.rate_8h = record.funding_rate_8h
            market.funding.premium = record.funding_premium
            market.funding.index = record.funding_index
            market.funding.history.extend(history.funding)
        market.stats.restore(history.minutes, record.total_volume, record.last_price)
        market.trades.extend(history.trades)
        for kind, minutes in history.candles.items():
            market.candles.kinds[kind].restore(minutes)
        market.crowd_balance, market.crowd = record.crowd_balance, replace(record.crowd)

    def _restore_account(self, record: AccountRecord) -> AccountState:
        account = AccountState(copy_account(record.info))
        account.balance_updated_at = dict(record.balance_updated_at)
        account.summary_seq, account.summary_at = record.summary_seq, record.summary_at
        account.positions = {symbol: replace(position) for symbol, position in record.positions.items()}
        account.fills.extend(record.fills)
        account.funding_payments.extend(record.funding_payments)
        account.tradebusts.extend(record.tradebusts)
        account.liquidations.extend(record.liquidations)
        for order in record.orders:
            account.add_order(order)
        for algo in record.algos:
            account.add_algo(algo)
        account.mmp = {guard.config.base_asset: MmpGuard.restored(guard) for guard in record.mmp}
        account.retail.restore(_retail_times(record))
        self._state.accounts[address_key(account.address)] = account
        return account


def _retail_times(record: AccountRecord) -> list[int]:
    """When the account placed Retail orders; an algo order counts once, not its slices."""
    times = [
        order.created_at for order in record.orders if order.order_class is OrderClass.INTERACTIVE and not order.algo_id
    ]
    times += [algo.created_at for algo in record.algos if algo.order_class is OrderClass.INTERACTIVE]
    return sorted(times)


def _require_markets(record: AccountRecord, state: ExchangeState) -> None:
    used = {*record.positions, *(order.market for order in record.orders if order.is_live)}
    missing = sorted(used - state.markets.keys())
    if missing:
        raise MarketsFileError(
            f"the stored account {record.info.address} has positions or orders in {', '.join(missing)}, which the"
            " markets of this run do not list"
        )


def _account_record(account: AccountState) -> AccountRecord:
    return AccountRecord(
        info=copy_account(account.info),
        summary_seq=account.summary_seq,
        summary_at=account.summary_at,
        balance_updated_at=dict(account.balance_updated_at),
        positions={symbol: replace(position) for symbol, position in account.positions.items()},
        orders=[order.snapshot() for order in account.orders.values()],
        fills=list(account.fills),
        funding_payments=list(account.funding_payments),
        tradebusts=list(account.tradebusts),
        liquidations=list(account.liquidations),
        algos=[algo.snapshot() for algo in account.algos.values()],
        mmp=[account.mmp[base].record() for base in sorted(account.mmp)],
    )
