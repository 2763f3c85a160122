"""A restart: everything is as it was."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from paradex_sandbox.exchange.errors import MarketsFileError
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.markets import load_markets
from paradex_sandbox.exchange.model import Order, OrderStatus, RequestInfo, SelfTradePrevention, Side
from paradex_sandbox.exchange.positions import PositionState
from paradex_sandbox.liquidity import SyntheticTraders
from paradex_sandbox.rows import Table
from paradex_sandbox.storage import _BOUNDS, Storage, StorageError
from tests.unit.sandbox.venue import ALICE, BOB, CAROL, MARKET, SECOND, START, Venue, plain_market

#: Columns by table; what they hold by default is what they held then.
ADDED_SINCE_VERSION_2 = {
    "core": ["departed"],
    "orders": ["vwap_price", "parent_id", "linked_size"],
    "requests": ["request_id"],
}


def fresh() -> Exchange:
    return Exchange([plain_market(), *load_markets()[:2]], seed=1, now_us=START)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sandbox.db"


@pytest.fixture
def storage(path: Path) -> Iterator[Storage]:
    opened = Storage(path)
    yield opened
    opened.close()


def live_through(storage: Storage) -> Venue:
    """Some of everything: accounts, keys, leverage, resting and closed orders, fills, funding, waiting requests."""
    exchange = fresh()
    venue = Venue(exchange)
    storage.write(exchange, venue.events)
    exchange.create_account("0xd0e", "0xd0e1", {"USDC": Decimal("1.5"), "DIME": Decimal(7)}, parent=ALICE)
    exchange.register_subkey(ALICE, "0xbee", "bot")
    exchange.register_subkey(ALICE, "0xbef")
    exchange.revoke_subkey(ALICE, "0xbef")
    exchange.set_leverage(BOB, MARKET, 3)
    traders = SyntheticTraders(exchange, seed=1)
    for second in range(1, 200):
        exchange.advance(START + second * SECOND)
        traders.step(exchange.now)
        if second % 20 == 0:
            for number, account in enumerate((ALICE, BOB, CAROL)):
                stp = SelfTradePrevention.EXPIRE_BOTH if number else None
                venue.submit(account, Side.BUY, "0.3", str(99 - number), client_id=f"b{second}{number}", stp=stp)
                venue.submit(account, Side.SELL, "0.3", str(101 + number), client_id=f"s{second}{number}")
                venue.submit(account, Side.BUY if number else Side.SELL, "0.7", None)
        storage.write(exchange, venue.process())
    # Acknowledged, not processed yet.
    venue.submit(ALICE, Side.BUY, "0.2", "98.5", client_id="waiting", signature="[1,2]")
    exchange.cancel_all(BOB, MARKET)
    storage.write(exchange, exchange.drain_events())
    return venue


def restored(storage: Storage) -> Exchange:
    exchange = fresh()
    assert storage.restore(exchange)
    return exchange


def test_an_empty_storage_restores_nothing(storage: Storage) -> None:
    exchange = fresh()
    before = exchange.records.whole()
    assert not storage.restore(exchange)
    assert exchange.records.whole() == before


def test_everything_is_the_same_after_a_restart(path: Path) -> None:
    storage = Storage(path)
    venue = live_through(storage)
    storage.close()
    before = venue.exchange.records.whole()
    assert all(record.fills and record.funding_payments for record in before.accounts[:3])
    assert len(before.requests) == 2
    storage = Storage(path)
    after = restored(storage).records.whole()
    storage.close()
    for market in after.markets:
        assert after.markets[market] == before.markets[market]
        assert after.histories[market] == before.histories[market]
    for was, now in zip(before.accounts, after.accounts, strict=True):
        assert now == was
    assert after == before


def test_books_hold_the_accounts_orders_again_and_nothing_else(storage: Storage) -> None:
    venue = live_through(storage)
    exchange = restored(storage)
    for address in (ALICE, BOB, CAROL):
        assert exchange.open_orders(address) == venue.exchange.open_orders(address)
        assert exchange.account_summary(address) == venue.exchange.account_summary(address)
        assert exchange.positions(address) == venue.exchange.positions(address)
    resting = [order for address in (ALICE, BOB, CAROL) for order in exchange.open_orders(address, MARKET)]
    total = sum(order.remaining_size for order in resting if order.status is OrderStatus.OPEN)
    book = exchange.levels(MARKET)
    assert sum(size for _, size in (*book.bids, *book.asks)) == total
    assert exchange.levels("BTC-USD-PERP").bids == ()


def test_restored_orders_keep_their_priority(storage: Storage) -> None:
    exchange = fresh()
    venue = Venue(exchange)
    storage.write(exchange, venue.events)
    for account in (BOB, ALICE, BOB):
        venue.sell(account, "1", "101")
        storage.write(exchange, venue.events)
    again = restored(storage)
    for filled in ((1, 0), (1, 1), (2, 1)):
        for one in (exchange, again):
            one.submit(CAROL, venue.request(Side.BUY, "1", "101"))
            one.process()
            assert (len(one.fills(BOB).items), len(one.fills(ALICE).items)) == filled


def test_what_was_acknowledged_but_not_processed_acts_after_the_restart(storage: Storage) -> None:
    live_through(storage)
    exchange = restored(storage)
    (waiting,) = (order for order in exchange.open_orders(ALICE) if order.client_id == "waiting")
    assert waiting.status is OrderStatus.NEW
    exchange.process()
    assert exchange.order_by_client_id(ALICE, "waiting").status is OrderStatus.OPEN
    assert exchange.open_orders(BOB) == []


def test_numbers_go_on_after_a_restart(storage: Storage) -> None:
    venue = live_through(storage)
    exchange = restored(storage)
    exchange.resume(venue.exchange.now)
    (newest,) = venue.exchange.orders_history(ALICE, limit=1).items
    order = exchange.submit(ALICE, venue.request(Side.BUY, "1", "90"))
    assert order.id > newest.id
    assert order.seq_no > newest.seq_no
    assert order.seq_no == venue.exchange.submit(ALICE, venue.request(Side.BUY, "1", "90")).seq_no
    seq = exchange.levels(MARKET).seq
    exchange.process()
    assert exchange.levels(MARKET).seq == seq + 1


def test_the_day_is_still_24_hours_after_a_restart(storage: Storage) -> None:
    venue = live_through(storage)
    exchange = restored(storage)
    volume = venue.exchange.market_summary(MARKET).volume_24h
    assert volume > 0
    assert exchange.market_summary(MARKET).volume_24h == volume
    exchange.resume(venue.exchange.now + 25 * 3600 * SECOND)
    assert exchange.market_summary(MARKET).volume_24h == 0
    assert exchange.market_summary(MARKET).total_volume == volume


def test_a_restarted_exchange_goes_on_trading_and_storing(path: Path) -> None:
    storage = Storage(path)
    live_through(storage)
    for _ in range(3):
        exchange = restored(storage)
        exchange.resume(exchange.now + 3600 * SECOND)
        traders = SyntheticTraders(exchange, seed=1)
        for _ in range(40):
            exchange.advance(exchange.now + SECOND)
            traders.step(exchange.now)
            storage.write(exchange, exchange.drain_events())
        expected = exchange.records.whole()
        storage.close()
        storage = Storage(path)
        assert restored(storage).records.whole() == expected
    storage.close()


def test_a_killed_process_has_lost_nothing_that_it_acknowledged(path: Path) -> None:
    """The child prints an order's id after it was written, and is killed without warning."""
    script = (
        "import sys\n"
        "from tests.unit.sandbox.test_storage import *\n"
        "storage, venue = Storage(sys.argv[1]), Venue(fresh())\n"
        "storage.write(venue.exchange, venue.events)\n"
        "while True:\n"
        "    order = venue.buy(ALICE, '0.5', '99')\n"
        "    venue.exchange.cancel(ALICE, order_id=order.id)\n"
        "    storage.write(venue.exchange, [*venue.events, *venue.process()])\n"
        "    print(order.id, flush=True)\n"
    )
    root = Path(__file__).parents[3]
    child = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True, cwd=root)
    assert child.stdout is not None
    acknowledged = [child.stdout.readline().strip() for _ in range(200)]
    child.send_signal(signal.SIGKILL)
    acknowledged += [line.strip() for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    child.wait()
    child.stdout.close()
    storage = Storage(path)
    exchange = restored(storage)
    storage.close()
    known = {order.id for order in exchange.orders_history(ALICE, limit=100_000).items}
    assert known >= set(acknowledged)
    assert len(acknowledged) >= 200


def test_a_transaction_is_all_or_nothing(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = fresh()
    venue = Venue(exchange)
    storage.write(exchange, venue.events)
    before = restored(storage).records.whole()
    venue.submit(ALICE, Side.BUY, "1", "99")
    with monkeypatch.context() as patch:
        # The last statement of a transaction fails.
        patch.setattr(Storage, "_prune", lambda *_: (_ for _ in ()).throw(sqlite3.OperationalError("full")))
        with pytest.raises(sqlite3.OperationalError):
            storage.write(exchange, exchange.drain_events())
    assert restored(storage).records.whole() == before


def test_the_file_keeps_the_newest_of_each_owner_and_every_live_order(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paradex_sandbox.storage._BOUNDS", [replace(bound, keep=5) for bound in _BOUNDS])
    monkeypatch.setattr("paradex_sandbox.storage._PRUNE_EVERY", 3)
    exchange = fresh()
    venue = Venue(exchange)
    storage.write(exchange, venue.events)
    resting = venue.submit(CAROL, Side.BUY, "1", "90")
    for minute in range(1, 15):
        # Funding is paid on every change of a position.
        exchange.advance(START + minute * 60 * SECOND)
        venue.submit(BOB, Side.SELL, "1", "100")
        venue.submit(ALICE, Side.BUY, "1", "100")
        storage.write(exchange, venue.process())

    def count(what: str) -> int:
        (rows,) = storage._db.execute(f"SELECT count(*) FROM {what}").fetchone()
        return rows

    for account in (ALICE, BOB):
        for table in ("fills", "funding_payments", "orders"):
            assert 5 <= count(f"{table} WHERE account = '{account}'") <= 5 + 3, table
    for table in ("trades", "minutes", "funding_history", "candles WHERE kind = 'mark' AND market"):
        where = "=" if "WHERE" in table else "WHERE market ="
        assert 5 <= count(f"{table} {where} '{MARKET}'") <= 5 + 3, table

    again = restored(storage)
    assert [order.id for order in again.open_orders(CAROL)] == [resting]
    assert again.trades(MARKET).items == exchange.trades(MARKET, limit=5).items
    assert again.fills(ALICE).items == exchange.fills(ALICE, limit=5).items
    assert again.funding_payments(BOB).items == exchange.funding_payments(BOB, limit=5).items


def test_a_restart_loses_no_open_order_and_none_that_was_closed_just_now(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("storage", "exchange.accounts"):
        monkeypatch.setattr(f"paradex_sandbox.{module}.HISTORY_LENGTH", 3)
        monkeypatch.setattr(f"paradex_sandbox.{module}.MAX_CLOSED_ORDERS", 8)
    exchange = fresh()
    venue = Venue(exchange)
    storage.write(exchange, venue.events)
    resting = venue.submit(ALICE, Side.BUY, "1", "90")
    for _ in range(10):
        storage.write(exchange, venue.wait(100 * SECOND))
        venue.submit(ALICE, Side.BUY, "1", None)
        storage.write(exchange, venue.process())
    for _ in range(4):
        venue.submit(ALICE, Side.BUY, "1", None)
    storage.write(exchange, venue.process())
    known = exchange.orders_history(ALICE, limit=100).items
    assert [order.id for order in known[:-1] if order.is_live] == []
    assert (len(known), known[-1].id) == (8, resting)

    again = restored(storage)
    assert again.orders_history(ALICE, limit=100).items == known
    assert [order.id for order in again.open_orders(ALICE)] == [resting]


def test_callers_keep_values_of_their_own(path: Path) -> None:
    storage = Storage(path)
    assert storage.get_meta("key") is None
    storage.set_meta("key", "one")
    storage.set_meta("key", "two")
    storage.close()
    storage = Storage(path)
    assert storage.get_meta("key") == "two"
    assert not storage.restore(fresh())
    storage.close()


def test_a_file_of_another_version_or_kind_is_refused(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StorageError, match="another version"):
        Storage(path)
    other = path.with_name("text.db")
    other.write_text("this is no database, and long enough for SQLite to see that\n" * 100)
    with pytest.raises(StorageError, match="cannot use"):
        Storage(other)


def test_a_file_of_an_earlier_version_is_brought_up_to_date(path: Path) -> None:
    storage = Storage(path)
    before = live_through(storage).exchange.records.whole()
    storage.close()
    db = sqlite3.connect(path)
    for table, columns in ADDED_SINCE_VERSION_2.items():
        for column in columns:
            db.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    db.execute("DROP TABLE listings")
    db.execute("PRAGMA user_version = 2")
    db.commit()
    db.close()
    storage = Storage(path)
    assert restored(storage).records.whole() == before
    storage.close()


def test_a_second_process_is_kept_out(storage: Storage, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paradex_sandbox.storage._BUSY_TIMEOUT_SECONDS", 0.05)
    exchange = fresh()
    storage.write(exchange, Venue(exchange).events)
    with pytest.raises(StorageError, match="locked"):
        Storage(path)


def test_stored_positions_need_their_market(storage: Storage) -> None:
    live_through(storage)
    smaller = Exchange(load_markets()[:2], seed=1, now_us=START)
    with pytest.raises(MarketsFileError, match=MARKET):
        storage.restore(smaller)


def test_rows_give_back_every_kind_of_field(venue: Venue) -> None:
    order = venue.buy(ALICE, "1", "99")
    full = replace(
        order,
        avg_fill_price=Decimal("1E-8"),
        request_info=RequestInfo("1", "MODIFY_ORDER", "PENDING", ""),
        stp=SelfTradePrevention.EXPIRE_MAKER,
    )
    table = Table("orders", Order, ["id"])
    for row in (order, full):
        assert table.decode(table.encode(row)) == row
    owned = Table("positions", PositionState, ["account"], owner=["account"])
    assert owned.decode(owned.encode(PositionState(size=Decimal("-1.50")), ALICE)) == PositionState(
        size=Decimal("-1.50")
    )
