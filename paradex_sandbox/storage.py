"""What survives a restart: one SQLite file."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from paradex_sandbox.exchange.accounts import CLOSED_ORDER_LIFE, HISTORY_LENGTH, MAX_CLOSED_ORDERS
from paradex_sandbox.exchange.algo import AlgoOrder
from paradex_sandbox.exchange.candles import CANDLE_HISTORY, PRICE_HISTORY, Bar, PriceKind
from paradex_sandbox.exchange.events import (
    AccountChanged,
    AccountCreated,
    AlgoUpdated,
    BalanceChanged,
    Event,
    Filled,
    FundingPaid,
    LeverageChanged,
    Liquidated,
    MarketChanged,
    MarketEvent,
    MaxSlippageChanged,
    MmpKept,
    OrderUpdated,
    PositionChanged,
    QueuedRequest,
    RequestDone,
    RequestQueued,
    RpiPermissionChanged,
    SubkeyChanged,
    TradeBusted,
    TradePrinted,
)
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.funding import FUNDING_HISTORY
from paradex_sandbox.exchange.mmp import MmpRecord
from paradex_sandbox.exchange.model import (
    Account,
    AccountFees,
    Balance,
    Fill,
    FundingData,
    FundingPayment,
    Liquidation,
    Market,
    MarketChange,
    MarketChangeKind,
    Order,
    Position,
    Subkey,
    Trade,
    TradeBust,
)
from paradex_sandbox.exchange.positions import PositionState
from paradex_sandbox.exchange.records import AccountRecord, CoreRecord, ExchangeRecord, MarketHistory, MarketRecord
from paradex_sandbox.exchange.state import TRADE_HISTORY
from paradex_sandbox.exchange.stats import WINDOW_MINUTES, MinuteBucket
from paradex_sandbox.rows import SqlValue, Table

#: Grows when the tables change. Files of a readable version are brought up to date, all others are refused.
_SCHEMA_VERSION = 3
_READABLE_VERSIONS = (2, _SCHEMA_VERSION)
_BUSY_TIMEOUT_SECONDS = 5.0
#: Rows beyond a bound are deleted once in so many new ones of the same owner, a few milliseconds' work at a time.
_PRUNE_EVERY = 500


class StorageError(Exception):
    """The data file cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class _AccountRow:
    address: str
    public_key: str
    created_at: int
    fees: AccountFees
    parent: str


@dataclass(frozen=True, slots=True)
class _SummaryRow:
    seq: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class _LeverageRow:
    market: str
    leverage: int


@dataclass(frozen=True, slots=True)
class _SlippageRow:
    market: str
    max_slippage: Decimal | None


@dataclass(frozen=True, slots=True)
class _PermissionRow:
    rpi_allowed: bool


@dataclass(frozen=True, slots=True)
class _MmpRow:
    base_asset: str
    record: MmpRecord | None


_CORE = Table("core", CoreRecord, ["id"], owner=["id"])
_MARKETS = Table("markets", MarketRecord, ["symbol"])
_MINUTES = Table("minutes", MinuteBucket, ["market", "start"], owner=["market"])
_TRADES = Table("trades", Trade, ["market", "id"])
_FUNDING = Table("funding_history", FundingData, ["market", "created_at"])
_ACCOUNTS = Table("accounts", _AccountRow, ["address"])
_SUMMARIES = Table("account_summaries", _SummaryRow, ["account"], owner=["account"])
_SUBKEYS = Table("subkeys", Subkey, ["account", "public_key"], owner=["account"])
_BALANCES = Table("balances", Balance, ["account", "token"], owner=["account"])
_LEVERAGE = Table("leverage", _LeverageRow, ["account", "market"], owner=["account"])
_POSITIONS = Table("positions", PositionState, ["account", "market"], owner=["account", "market"])
_ORDERS = Table("orders", Order, ["id"])
_FILLS = Table("fills", Fill, ["account", "id"])
_PAYMENTS = Table("funding_payments", FundingPayment, ["account", "id"])
_REQUESTS = Table("requests", QueuedRequest, ["seq"])
_MARKET_CHANGES = Table("market_changes", MarketChange, ["market", "created_at", "kind", "changed"])
_LISTINGS = Table("listings", Market, ["symbol"])
_CANDLES = Table("candles", Bar, ["market", "kind", "start"], owner=["market", "kind"])
_ALGOS = Table("algos", AlgoOrder, ["id"])
_BUSTS = Table("tradebusts", TradeBust, ["account", "busted_fill_id"])
_LIQUIDATIONS = Table("liquidations", Liquidation, ["id"])
_SLIPPAGE = Table("max_slippage", _SlippageRow, ["account", "market"], owner=["account"])
_PERMISSIONS = Table("permissions", _PermissionRow, ["account"], owner=["account"])
_MMP = Table("mmp", _MmpRow, ["account", "base_asset"], owner=["account"])

_TABLES: tuple[Table[Any], ...] = (
    _CORE,
    _MARKETS,
    _MINUTES,
    _TRADES,
    _FUNDING,
    _ACCOUNTS,
    _SUMMARIES,
    _SUBKEYS,
    _BALANCES,
    _LEVERAGE,
    _POSITIONS,
    _ORDERS,
    _FILLS,
    _PAYMENTS,
    _REQUESTS,
    _MARKET_CHANGES,
    _LISTINGS,
    _CANDLES,
    _ALGOS,
    _BUSTS,
    _LIQUIDATIONS,
    _SLIPPAGE,
    _PERMISSIONS,
    _MMP,
)
#: Tables that hold nothing of a market once it is deleted, with the column that names it.
_OF_A_MARKET: dict[Table[Any], str] = {
    _MARKETS: "symbol",
    _LISTINGS: "symbol",
    **dict.fromkeys((_MINUTES, _TRADES, _FUNDING, _CANDLES, _POSITIONS, _LEVERAGE, _SLIPPAGE), "market"),
}


@dataclass(frozen=True, slots=True)
class _Bound:
    """How many rows of a table each owner keeps: what the exchange keeps in memory, for nobody asks for more.

    `order` is the column that grows with time. Only rows that fulfil `condition` (SQL) count and go.
    """

    table: Table[Any]
    owner: tuple[str, ...]
    order: str
    keep: int
    condition: str = "TRUE"

    @property
    def prune_sql(self) -> str:
        """Deletes what is too much of one owner; takes the owner's values twice."""
        which = f"{' AND '.join(f'{column} = ?' for column in self.owner)} AND {self.condition}"
        return (
            f"DELETE FROM {self.table.name} WHERE {which} AND {self.order} <="
            f" (SELECT {self.order} FROM {self.table.name} WHERE {which}"
            f" ORDER BY {self.order} DESC LIMIT 1 OFFSET {self.keep})"
        )

    @property
    def owners_sql(self) -> str:
        """All owners, each once."""
        return f"SELECT DISTINCT {', '.join(self.owner)} FROM {self.table.name} WHERE {self.condition}"


_BOUNDS = (
    _Bound(_TRADES, ("market",), "id", TRADE_HISTORY),
    _Bound(_MINUTES, ("market",), "start", WINDOW_MINUTES + 1),
    _Bound(_FUNDING, ("market",), "created_at", FUNDING_HISTORY),
    *(
        _Bound(_CANDLES, ("market", "kind"), "start", keep, f"kind = '{kind.value}'")
        for kind, keep in (
            (PriceKind.LAST, CANDLE_HISTORY),
            (PriceKind.MARK, PRICE_HISTORY),
            (PriceKind.UNDERLYING, PRICE_HISTORY),
        )
    ),
    _Bound(_ORDERS, ("account",), "id", MAX_CLOSED_ORDERS, "status = 'CLOSED'"),
    _Bound(_FILLS, ("account",), "id", HISTORY_LENGTH),
    _Bound(_PAYMENTS, ("account",), "id", HISTORY_LENGTH),
)


class Storage:
    """`write` what `Exchange.drain_events` returned before it is answered or published, and nothing of it is lost.

    A killed process loses nothing that was written; a transaction is either there or not. A power cut may spoil the
    file: nothing waits for the disk. One process at a time may have it open.
    """

    def __init__(self, path: Path | str) -> None:
        """Opens or creates the database file; ":memory:" keeps it in memory. Raises StorageError."""
        try:
            # Autocommit, so that a transaction is exactly what `write` says it is.
            self._db = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_SECONDS, isolation_level=None)
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            # Waiting for the disk would stop the exchange for 50 to 200 ms at each checkpoint.
            self._db.execute("PRAGMA synchronous = OFF")
            self._create_tables(path)
        except sqlite3.Error as error:
            raise StorageError(f"cannot use {path}: {error}") from error
        self._has_written_markets = False
        self._minutes_since: dict[str, int] = {}
        self._funding_after: dict[str, int] = {}
        self._candles_since: dict[tuple[str, PriceKind], int] = {}
        #: New rows since the last pruning, by bound and owner.
        self._added: Counter[tuple[_Bound, tuple[SqlValue, ...]]] = Counter()

    def _create_tables(self, path: Path | str) -> None:
        with _Transaction(self._db):
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version not in (0, *_READABLE_VERSIONS):
                raise StorageError(f"{path} was written by another version of the sandbox; move it away to start anew")
            for table in _TABLES:
                self._db.execute(table.create_sql)
                existing = [row[1] for row in self._db.execute(f"PRAGMA table_info({table.name})")]
                for statement in table.added_columns_sql(existing):
                    self._db.execute(statement)
            self._db.execute("CREATE TABLE IF NOT EXISTS meta (key PRIMARY KEY, value)")
            self._db.execute("CREATE INDEX IF NOT EXISTS orders_by_account ON orders (account, status, id)")
            self._db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")

    def close(self) -> None:
        self._db.close()

    # -- writing ------------------------------------------------------------------------------------------------------

    def write(self, exchange: Exchange, events: Sequence[Event], values: Mapping[str, str] | None = None) -> None:
        """Commits what the events say in one transaction, and with it the caller's own `values` (see `set_meta`).

        Call it right after draining them: state that no event carries is read from the exchange. A sqlite3.Error (a
        full disk) leaves the file as it was before; whoever gets one should stop. Without events nothing is written.
        """
        if not events:
            return
        batch = _Batch()
        for event in events:
            batch.add(event)
        for symbol in batch.deleted:
            self._forget_market(symbol)
        symbols = batch.markets if self._has_written_markets else dict.fromkeys(exchange.markets)
        for symbol in symbols:
            if symbol in exchange.markets:
                self._add_market(batch, exchange, symbol)
        batch.put(_CORE, 0, exchange.records.core(), 0)
        with _Transaction(self._db):
            for table, column in _OF_A_MARKET.items():
                self._db.executemany(f"DELETE FROM {table.name} WHERE {column} = ?", [(s,) for s in batch.deleted])
            for table, rows in batch.rows.items():
                self._db.executemany(table.upsert_sql, rows.values())
            self._db.executemany("DELETE FROM requests WHERE seq = ?", batch.requests_done)
            self._db.executemany("DELETE FROM fills WHERE account = ? AND id = ?", batch.busted)
            for key, value in (values or {}).items():
                self.set_meta(key, value)
            self._prune(batch)
        self._has_written_markets = True

    def _forget_market(self, symbol: str) -> None:
        """One of that name that comes later has a history of its own."""
        self._minutes_since.pop(symbol, None)
        self._funding_after.pop(symbol, None)
        for kind in PriceKind:
            self._candles_since.pop((symbol, kind), None)

    def _add_market(self, batch: "_Batch", exchange: Exchange, symbol: str) -> None:
        records = exchange.records
        batch.put(_MARKETS, symbol, records.market(symbol))
        for bucket in records.minutes(symbol, self._minutes_since.get(symbol, 0)):
            batch.put(_MINUTES, (symbol, bucket.start), bucket, symbol)
            self._minutes_since[symbol] = bucket.start
        for data in records.funding_history(symbol, self._funding_after.get(symbol, -1)):
            batch.put(_FUNDING, (symbol, data.created_at), data)
            self._funding_after[symbol] = data.created_at

        for kind in PriceKind:
            for bar in records.candles(symbol, kind, self._candles_since.get((symbol, kind), 0)):
                batch.put(_CANDLES, (symbol, kind, bar.start), bar, symbol, kind.value)
                self._candles_since[symbol, kind] = bar.start

    def _prune(self, batch: "_Batch") -> None:
        """Keeps the file from growing: room that old rows leave is used again."""
        for bound in _BOUNDS:
            rows = batch.rows.get(bound.table)
            if not rows:
                continue
            places = [bound.table.columns.index(column) for column in bound.owner]
            owners = Counter(tuple(row[place] for place in places) for row in rows.values())
            for owner, count in owners.items():
                self._added[bound, owner] += count
                if self._added[bound, owner] >= _PRUNE_EVERY:
                    del self._added[bound, owner]
                    self._db.execute(bound.prune_sql, (*owner, *owner))

    def _prune_all(self) -> None:
        with _Transaction(self._db):
            for bound in _BOUNDS:
                for owner in self._db.execute(bound.owners_sql).fetchall():
                    self._db.execute(bound.prune_sql, (*owner, *owner))

    # -- the caller's own values --------------------------------------------------------------------------------------

    def get_meta(self, key: str) -> str | None:
        """What `set_meta` stored under `key`."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row is not None else None

    def get_metas(self, prefix: str) -> list[str]:
        """All that was stored under keys that begin with `prefix`, in the order of the keys."""
        found = "SELECT value FROM meta WHERE substr(key, 1, ?) = ? ORDER BY key"
        return [row[0] for row in self._db.execute(found, (len(prefix), prefix))]

    def set_meta(self, key: str, value: str) -> None:
        """Stores a value of the caller's under `key`, committed at once."""
        self._db.execute(
            "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (key, value),
        )

    # -- reading ------------------------------------------------------------------------------------------------------

    def restore(self, exchange: Exchange) -> bool:
        """Fills a new exchange with what is stored; False if nothing is.

        Call `exchange.resume(now)` afterwards. Raises MarketsFileError where the exchange lacks a market in use.
        """
        core = _CORE.decode_all(self._db.execute("SELECT * FROM core"))
        if not core:
            return False
        # Runs too short to prune would add up.
        self._prune_all()
        markets = {market.symbol: market for market in _MARKETS.decode_all(self._db.execute("SELECT * FROM markets"))}
        exchange.records.restore(
            ExchangeRecord(
                core=core[0],
                markets=markets,
                histories={symbol: self._history(symbol) for symbol in markets},
                accounts=self._accounts(core[0].now),
                market_changes=tuple(
                    _MARKET_CHANGES.decode_all(self._db.execute("SELECT * FROM market_changes ORDER BY rowid"))
                ),
                requests=tuple(_REQUESTS.decode_all(self._db.execute("SELECT * FROM requests ORDER BY seq"))),
                created=tuple(_LISTINGS.decode_all(self._db.execute("SELECT * FROM listings ORDER BY rowid"))),
            )
        )
        return True

    def _history(self, symbol: str) -> MarketHistory:
        minutes = self._db.execute(
            "SELECT * FROM minutes WHERE market = ? ORDER BY start DESC LIMIT ?", (symbol, WINDOW_MINUTES + 1)
        )
        trades = self._db.execute(
            "SELECT * FROM trades WHERE market = ? ORDER BY id DESC LIMIT ?", (symbol, TRADE_HISTORY)
        )
        funding = self._db.execute(
            "SELECT * FROM funding_history WHERE market = ? ORDER BY created_at DESC LIMIT ?",
            (symbol, FUNDING_HISTORY),
        )
        candles = {
            kind: self._db.execute(
                "SELECT * FROM candles WHERE market = ? AND kind = ? ORDER BY start DESC LIMIT ?",
                (symbol, kind.value, CANDLE_HISTORY),
            )
            for kind in PriceKind
        }
        return MarketHistory(
            candles={kind: _CANDLES.decode_all(rows)[::-1] for kind, rows in candles.items()},
            minutes=_MINUTES.decode_all(minutes)[::-1],
            trades=_TRADES.decode_all(trades)[::-1],
            funding=_FUNDING.decode_all(funding)[::-1],
        )

    def _accounts(self, now: int) -> list[AccountRecord]:
        return [
            self._account(row, now)
            for row in _ACCOUNTS.decode_all(self._db.execute("SELECT * FROM accounts ORDER BY rowid"))
        ]

    def _account(self, row: _AccountRow, now: int) -> AccountRecord:
        address = row.address
        info = Account(address, row.public_key, row.created_at, row.fees, row.parent)
        for subkey in self._of_account(_SUBKEYS, address):
            info.subkeys[subkey.public_key] = subkey
        for leverage in self._of_account(_LEVERAGE, address):
            info.leverage[leverage.market] = leverage.leverage
        for slippage in self._of_account(_SLIPPAGE, address):
            if slippage.max_slippage is not None:
                info.max_slippage[slippage.market] = slippage.max_slippage
        info.rpi_allowed = any(row.rpi_allowed for row in self._of_account(_PERMISSIONS, address))
        summary = next(iter(self._of_account(_SUMMARIES, address)), _SummaryRow(0, row.created_at))
        record = AccountRecord(info, summary.seq, summary.updated_at)
        for balance in self._of_account(_BALANCES, address):
            info.balances[balance.token] = balance.size
            record.balance_updated_at[balance.token] = balance.last_updated_at
        for values in self._db.execute("SELECT * FROM positions WHERE account = ? ORDER BY rowid", (address,)):
            record.positions[values[1]] = _POSITIONS.decode(values)
        record.orders = self._orders(address, now)
        record.fills = self._newest(_FILLS, address)
        record.funding_payments = self._newest(_PAYMENTS, address)
        record.tradebusts = self._of_account(_BUSTS, address)[-HISTORY_LENGTH:]
        record.liquidations = self._newest(_LIQUIDATIONS, address)
        record.algos = self._algos(address)
        guards = (row.record for row in self._of_account(_MMP, address))
        record.mmp = sorted((guard for guard in guards if guard is not None), key=lambda g: g.config.base_asset)
        return record

    def _orders(self, address: str, now: int) -> list[Order]:
        """All that are open, and those closed ones that an account keeps in memory; oldest first."""
        live = self._db.execute("SELECT * FROM orders WHERE account = ? AND status != 'CLOSED'", (address,))
        closed = self._db.execute(
            "SELECT * FROM orders WHERE account = ? AND status = 'CLOSED' ORDER BY id DESC LIMIT ?",
            (address, HISTORY_LENGTH),
        ).fetchall()
        if len(closed) == HISTORY_LENGTH:
            older_but_young = "account = ? AND status = 'CLOSED' AND id < ? AND last_updated_at > ?"
            closed += self._db.execute(
                f"SELECT * FROM orders WHERE {older_but_young} ORDER BY id DESC LIMIT ?",
                (address, closed[-1][0], now - CLOSED_ORDER_LIFE, MAX_CLOSED_ORDERS - HISTORY_LENGTH),
            ).fetchall()
        return sorted(_ORDERS.decode_all((*live, *closed)), key=lambda order: order.id)

    def _algos(self, address: str) -> list[AlgoOrder]:
        """As many as an account keeps in memory, and all that are open; oldest first."""
        algos = sorted(self._of_account(_ALGOS, address), key=lambda algo: algo.id)
        return [algo for place, algo in enumerate(reversed(algos)) if place < HISTORY_LENGTH or algo.is_live][::-1]

    def _of_account[T](self, table: Table[T], address: str) -> list[T]:
        return table.decode_all(
            self._db.execute(f"SELECT * FROM {table.name} WHERE account = ? ORDER BY rowid", (address,))
        )

    def _newest[T](self, table: Table[T], address: str) -> list[T]:
        """As many as an account keeps in memory, oldest first."""
        rows = self._db.execute(
            f"SELECT * FROM {table.name} WHERE account = ? ORDER BY id DESC LIMIT ?", (address, HISTORY_LENGTH)
        )
        return table.decode_all(rows)[::-1]


class _Transaction:
    """All or nothing, taken for writing from the start."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")


class _Batch:
    """The rows that a run of events leads to; of several for one key the last one counts."""

    def __init__(self) -> None:
        self.rows: defaultdict[Table[Any], dict[object, tuple[SqlValue, ...]]] = defaultdict(dict)
        self.markets: dict[str, None] = {}
        #: Markets of which nothing that was written before is to be left.
        self.deleted: dict[str, None] = {}
        self.requests_done: list[tuple[int]] = []
        self.busted: list[tuple[str, str]] = []

    def put[T](self, table: Table[T], key: object, row: T, *owner: SqlValue) -> None:
        self.rows[table][key] = table.encode(row, *owner)

    def add(self, event: Event) -> None:
        match event:
            case TradePrinted():
                self.put(_TRADES, event.trade.id, event.trade)
                self.markets[event.market] = None
            case MarketChanged():
                change = event.change
                self.put(_MARKET_CHANGES, (change.market, change.created_at, change.kind, change.changed), change)
                self.markets[event.market] = None
                if event.definition is not None:
                    self.put(_LISTINGS, event.market, event.definition)
                if change.kind is MarketChangeKind.DELETED:
                    self._delete_market(event.market)
            case MarketEvent():
                self.markets[event.market] = None
            case OrderUpdated():
                self.put(_ORDERS, event.order.id, event.order)
            case Filled():
                self.put(_FILLS, (event.account, event.fill.id), event.fill)
            case PositionChanged():
                position = event.position
                kept = _position_state(position)
                self.put(_POSITIONS, (event.account, position.market), kept, event.account, position.market)
            case BalanceChanged():
                balance = Balance(event.token, event.after, event.ts)
                self.put(_BALANCES, (event.account, event.token), balance, event.account)
            case AccountChanged():
                summary = _SummaryRow(event.summary.seq_no, event.summary.updated_at)
                self.put(_SUMMARIES, event.account, summary, event.account)
            case FundingPaid():
                self.put(_PAYMENTS, (event.account, event.payment.id), event.payment)
            case RequestQueued():
                self.put(_REQUESTS, event.request.seq, event.request)
            case RequestDone():
                if self.rows[_REQUESTS].pop(event.seq, None) is None:
                    self.requests_done.append((event.seq,))
            case SubkeyChanged():
                self.put(_SUBKEYS, (event.account, event.subkey.public_key), event.subkey, event.account)
            case LeverageChanged():
                row = _LeverageRow(event.market, event.leverage)
                self.put(_LEVERAGE, (event.account, event.market), row, event.account)
            case MaxSlippageChanged():
                slippage = _SlippageRow(event.market, event.max_slippage)
                self.put(_SLIPPAGE, (event.account, event.market), slippage, event.account)
            case RpiPermissionChanged():
                self.put(_PERMISSIONS, event.account, _PermissionRow(event.allowed), event.account)
            case MmpKept():
                mmp = _MmpRow(event.base_asset, event.record)
                self.put(_MMP, (event.account, event.base_asset), mmp, event.account)
            case AlgoUpdated():
                self.put(_ALGOS, event.algo.id, event.algo)
            case Liquidated():
                self.put(_LIQUIDATIONS, event.liquidation.id, event.liquidation)
            case TradeBusted():
                self.put(_BUSTS, (event.account, event.bust.busted_fill_id), event.bust)
                self.rows[_FILLS].pop((event.account, event.bust.busted_fill_id), None)
                self.busted.append((event.account, event.bust.busted_fill_id))
            case AccountCreated():
                self._add_account(event)

    def _delete_market(self, symbol: str) -> None:
        """Nor anything that this batch said of it so far."""
        self.deleted[symbol] = None
        for table, column in _OF_A_MARKET.items():
            place = table.columns.index(column)
            self.rows[table] = {key: row for key, row in self.rows[table].items() if row[place] != symbol}

    def _add_account(self, event: AccountCreated) -> None:
        created = event.created
        values = {field.name: getattr(created, field.name) for field in fields(_AccountRow)}
        self.put(_ACCOUNTS, created.address, _AccountRow(**values))
        for token, size in created.balances.items():
            self.put(_BALANCES, (event.account, token), Balance(token, size, event.ts), event.account)


def _position_state(position: Position) -> PositionState:
    return PositionState(
        id=position.id,
        size=position.size,
        cost=position.cost,
        cached_funding_index=position.cached_funding_index,
        realized_pnl=position.realized_positional_pnl,
        realized_funding=position.realized_positional_funding_pnl,
        exit_size=position.exit_size,
        exit_value=position.exit_value,
        last_fill_id=position.last_fill_id,
        seq_no=position.seq_no,
        created_at=position.created_at,
        last_updated_at=position.last_updated_at,
        closed_at=position.closed_at,
    )
