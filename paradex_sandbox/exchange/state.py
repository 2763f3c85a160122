"""Everything that the exchange's parts share: time, markets, accounts, numbering and the events of the batch."""

from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from random import Random

from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.book import OrderBook
from paradex_sandbox.exchange.candles import MarketCandles
from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.events import Event
from paradex_sandbox.exchange.funding import FundingState
from paradex_sandbox.exchange.marks import MarkProcess
from paradex_sandbox.exchange.model import (
    ZERO,
    AssetKind,
    Bbo,
    Market,
    MarketChange,
    Order,
    ReleaseStep,
    SystemStatus,
    Trade,
)
from paradex_sandbox.exchange.positions import PositionState
from paradex_sandbox.exchange.stats import RollingStats
from paradex_sandbox.exchange.triggers import TriggerBook

TRADE_HISTORY = 10_000
_MARKET_CHANGES = 1000


class MarketState:
    """A market in motion. `crowd` is the one position of all traders without an account, `crowd_balance` their purse.

    Trades among them cancel out and are not booked; `crowd_balance` starts at zero and may be negative: what the
    accounts win or lose against them.
    """

    def __init__(self, market: Market, seed: str) -> None:
        self.market = market
        self.symbol = market.symbol
        self.book = OrderBook()
        self.mark = MarkProcess(market.simulation, Random(seed))
        self.funding = FundingState(market, self.mark.spot_price) if market.asset_kind is AssetKind.PERP else None
        self.stats = RollingStats()
        self.candles = MarketCandles()
        self.triggers = TriggerBook()
        self.trades: deque[Trade] = deque(maxlen=TRADE_HISTORY)
        self.crowd = PositionState()
        self.crowd_balance = ZERO
        self.summary_seq = 0
        self.is_expired = False
        self.last_bbo = self.bbo()

    @property
    def funding_index(self) -> Decimal:
        return self.funding.index if self.funding is not None else ZERO

    def bbo(self) -> Bbo:
        """Of the API book."""
        return self.book.bbo(self.symbol)


class ExchangeState:
    """`house` collects fees and the dust of rounding, `insurance` liquidation penalties; no account owns them.

    `departed` is what the crowds of deleted markets took with them. `release` is what remains of a scripted release
    window: (time, status) in order.
    """

    def __init__(self, markets: Sequence[Market], seed: int, now: int) -> None:
        self.now = now
        self.seed = seed
        self.status = SystemStatus.OK
        self.markets = {m.symbol: MarketState(m, self.market_seed(m.symbol)) for m in markets}
        #: Static data by symbol, in the order they were given.
        self.listed = {m.symbol: m for m in markets}
        #: How those of them were listed that were so after the start.
        self.created: dict[str, Market] = {}
        self.market_changes: deque[MarketChange] = deque(maxlen=_MARKET_CHANGES)
        self.accounts: dict[int, AccountState] = {}
        self.release: tuple[ReleaseStep, ...] = ()
        self.house = ZERO
        self.insurance = ZERO
        self.insurance_updated_at = now
        self.departed = ZERO
        self.events: list[Event] = []
        self.id_counter = 0
        self.last_seq = 0
        self.last_priority = 0
        # What the batch has touched; `publishing.flush` turns it into events. Dicts keep a reproducible order.
        self.dirty_positions: dict[tuple[AccountState, str], None] = {}
        self.dirty_accounts: dict[AccountState, None] = {}
        self.dirty_summaries: dict[MarketState, None] = {}
        self.dirty_mmp: dict[tuple[AccountState, str], None] = {}
        self.dirty_funding: dict[MarketState, None] = {}

    def market_seed(self, symbol: str) -> str:
        """The seed of a market's own randomness: adding a market moves no other's path."""
        return f"{self.seed}/{symbol}"

    def market(self, symbol: str) -> MarketState:
        state = self.markets.get(symbol)
        if state is None:
            raise ExchangeError("MARKET_NOT_FOUND", f"market {symbol!r} does not exist", {"market": symbol})
        return state

    def add_market(self, market: Market) -> None:
        """Lists a market; one of the same name is replaced."""
        self.markets[market.symbol] = MarketState(market, self.market_seed(market.symbol))
        self.listed[market.symbol] = self.created[market.symbol] = market

    def remove_market(self, symbol: str) -> None:
        """Forgets a market, whose orders and positions are closed."""
        del self.markets[symbol], self.listed[symbol]
        self.created.pop(symbol, None)
        for account in self.accounts.values():
            account.forget_market(symbol)

    def replace_market(self, market: Market) -> None:
        """Lets a listed market go on with other static data."""
        state = self.markets[market.symbol]
        state.market = self.listed[market.symbol] = market
        if state.funding is not None:
            state.funding.market = market

    def account(self, address: str) -> AccountState:
        state = self.accounts.get(address_key(address))
        if state is None:
            raise ExchangeError("ACCOUNT_NOT_FOUND", f"account {address} does not exist")
        return state

    def next_id(self) -> str:
        """28 digits that grow with time and number, as Paradex's do: unique over orders, fills and payments."""
        self.id_counter += 1
        return f"{self.now:016d}{self.id_counter:012d}"

    def next_seq(self) -> int:
        """Nanoseconds where time has moved, the next number where it has not."""
        self.last_seq = max(self.last_seq + 1, self.now * 1000)
        return self.last_seq

    def next_priority(self) -> int:
        self.last_priority += 1
        return self.last_priority

    def touch(self, order: Order) -> None:
        """Stamps a change of an order."""
        order.last_updated_at = order.published_at = self.now
        order.seq_no = self.next_seq()


def address_key(address: str) -> int:
    """An address or key as the field element it stands for; -1 for what is no hexadecimal number."""
    try:
        return int(address, 16)
    except ValueError:
        return -1
