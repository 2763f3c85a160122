"""Recordings: written, read, and played instead of the synthetic traders."""

import json
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from decimal import Context, Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.events import Filled, TradePrinted
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.model import Side
from paradex_sandbox.recording import (
    BookRecord,
    Levels,
    MarkRecord,
    Record,
    RecordingError,
    TradeRecord,
    Writer,
    read,
)
from paradex_sandbox.replay import POSITION_KEY, Replay
from paradex_sandbox.storage import Storage
from tests.unit.sandbox.test_exchange_properties import wealth
from tests.unit.sandbox.venue import ALICE, BOB, MARKET, SECOND, START, Venue, plain_market

D = Decimal
RECORDS: list[Record] = [
    BookRecord(5, MARKET, 7, True, ((D(99), D(2)), (D(98), D("1.5"))), ((D(101), D(3)),)),
    TradeRecord(5 + SECOND, MARKET, "t1", Side.BUY, D(101), D(1)),
    BookRecord(5 + SECOND, MARKET, 8, False, (), ((D(101), D(2)),)),
    MarkRecord(5 + 2 * SECOND, MARKET, D("100.25"), D("100.1")),
    BookRecord(5 + 2 * SECOND, MARKET, 9, False, ((D(99), D(0)), (D("98.5"), D(4))), ()),
]


def levels(venue: Venue) -> tuple[Levels, Levels]:
    book = venue.exchange.levels(MARKET)
    return book.bids, book.asks


def at(venue: Venue, replay: Replay, us: int) -> None:
    venue.exchange.advance(venue.exchange.now + us)
    replay.step(venue.exchange.now)
    venue.events = venue.exchange.drain_events()


@pytest.mark.parametrize("name", ["day.jsonl", "day.jsonl.gz"])
def test_what_was_written_is_read_again(tmp_path: Path, name: str) -> None:
    with Writer(tmp_path / name) as writer:
        for record in RECORDS:
            writer.write(record)
    assert list(read(tmp_path / name)) == RECORDS


def test_a_recording_is_one_json_object_per_line(tmp_path: Path) -> None:
    with Writer(tmp_path / "day.jsonl") as writer:
        for record in RECORDS:
            writer.write(record)
    lines = [json.loads(line) for line in (tmp_path / "day.jsonl").read_text().splitlines()]
    assert [line["type"] for line in lines] == ["paradex-recording", "book", "trade", "book", "mark", "book"]
    assert lines[1]["bids"] == [["99", "2"], ["98", "1.5"]]


@pytest.mark.parametrize("name", ["day.jsonl", "day.jsonl.gz"])
def test_a_killed_recorder_leaves_what_it_had(tmp_path: Path, name: str) -> None:
    with Writer(tmp_path / name) as writer:
        for record in RECORDS * 200:
            writer.write(record)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[:-20])
    found = list(read(tmp_path / name))
    assert found == (RECORDS * 200)[: len(found)]
    assert len(found) > 100


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no recording"),
        ("hello\n", "no recording"),
        ('{"type": "paradex-recording", "version": 9}\n', "version 9"),
        ('{"type": "paradex-recording", "version": 1}\n{"type": "book"}\n', "line 2"),
        ('{"type": "paradex-recording", "version": 1}\nnonsense\n', "line 2"),
        (
            '{"type": "paradex-recording", "version": 1}\n{"type": "mark", "ts": 1, "market": "M", "mark_price": "-1",'
            ' "spot_price": "1"}\n',
            "no size or price",
        ),
    ],
)
def test_what_is_no_recording_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "day.jsonl").write_text(text)
    with pytest.raises(RecordingError, match=message):
        list(read(tmp_path / "day.jsonl"))


def test_a_file_that_only_claims_to_be_compressed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "day.gz").write_text("hello hello hello")
    with pytest.raises(RecordingError, match="no recording"):
        list(read(tmp_path / "day.gz"))


def test_books_and_trades_come_at_their_time(venue: Venue) -> None:
    replay = Replay(venue.exchange, RECORDS)
    at(venue, replay, SECOND)
    assert levels(venue) == (((99, 2), (98, D("1.5"))), ((101, 3),))
    assert venue.of_type(TradePrinted) == []
    at(venue, replay, SECOND - 1)
    assert levels(venue)[1] == ((101, 3),)
    at(venue, replay, 1)
    assert [(e.trade.price, e.trade.size) for e in venue.of_type(TradePrinted)] == [(101, 1)]
    assert levels(venue)[1] == ((101, 2),)
    assert not replay.is_finished
    at(venue, replay, SECOND)
    assert levels(venue)[0] == ((D("98.5"), 4), (98, D("1.5")))
    assert venue.exchange.market_summary(MARKET).mark_price == D("100.25")
    assert replay.is_finished
    at(venue, replay, 3600 * SECOND)
    assert levels(venue)[0] == ((D("98.5"), 4), (98, D("1.5")))


def test_without_marks_the_mark_follows_the_middle(venue: Venue) -> None:
    records: list[Record] = [BookRecord(0, MARKET, 1, True, ((D(99), D(1)),), ((D("99.5"), D(1)),))]
    at(venue, Replay(venue.exchange, records), SECOND)
    assert venue.exchange.market_summary(MARKET).mark_price == D("99.25")


def test_recorded_takers_fill_an_accounts_order_and_the_book_returns_to_what_was_recorded(venue: Venue) -> None:
    replay = Replay(venue.exchange, RECORDS)
    at(venue, replay, SECOND)
    order = venue.sell(ALICE, "1", "100")
    at(venue, replay, SECOND)
    assert venue.find(ALICE, order.id).remaining_size == 0
    assert venue.fills(ALICE)[0].price == 100
    assert levels(venue)[1] == ((101, 2),)


def test_an_accounts_taker_trades_with_recorded_quotes(venue: Venue) -> None:
    replay = Replay(venue.exchange, RECORDS)
    at(venue, replay, SECOND)
    assert venue.buy(ALICE, "3", "101").remaining_size == 0
    assert levels(venue)[1] == ()
    at(venue, replay, SECOND)
    assert levels(venue)[1] == ((101, 2),)


def test_a_snapshot_replaces_the_book_and_foreign_or_odd_numbers_do_no_harm(venue: Venue) -> None:
    records: list[Record] = [
        RECORDS[0],
        BookRecord(6, "NO-USD-PERP", 1, True, ((D(1), D(1)),), ()),
        BookRecord(7, MARKET, 9, True, ((D("97.3"), D("1.009")), (D("0.1"), D(1))), ((D(102), D("0.001")),)),
        TradeRecord(8, MARKET, "x", Side.BUY, D(0), D(1)),
    ]
    replay = Replay(venue.exchange, records)
    at(venue, replay, 1)
    at(venue, replay, SECOND)
    assert replay.is_finished
    assert levels(venue) == (((D("97.5"), 1),), ())


def test_a_recorded_level_keeps_its_place_when_it_is_resized(venue: Venue) -> None:
    records: list[Record] = [
        BookRecord(0, MARKET, 1, True, (), ((D(101), D(1)),)),
        BookRecord(SECOND, MARKET, 2, False, (), ((D(101), D(3)),)),
        TradeRecord(2 * SECOND, MARKET, "a", Side.BUY, D(101), D(3)),
    ]
    replay = Replay(venue.exchange, records)
    at(venue, replay, 1)
    venue.sell(ALICE, "1", "101")
    for _ in range(2):
        at(venue, replay, SECOND)
    assert venue.fills(ALICE) == ()
    assert levels(venue)[1] == ((101, 1),)


def test_the_same_recording_gives_the_same_events() -> None:
    def run() -> list[object]:
        venue = Venue(Exchange([plain_market()], seed=1, now_us=START))
        replay, events = Replay(venue.exchange, RECORDS), []
        for _ in range(5):
            at(venue, replay, SECOND)
            events += venue.events
        return events

    assert run() == run()


# -- changes of the markets, and restarts -----------------------------------------------------------------------------


def book(ts: int, *, seq: int = 1, snapshot: bool = True, bids: str = "", asks: str = "") -> BookRecord:
    """Levels are written as in "99:2 98:1.5"."""

    def sides(text: str) -> tuple[tuple[Decimal, Decimal], ...]:
        return tuple((D(price), D(size)) for price, size in (level.split(":") for level in text.split()))

    return BookRecord(ts, MARKET, seq, snapshot, sides(bids), sides(asks))


def test_new_steps_hold_for_what_is_quoted_already(venue: Venue) -> None:
    records: list[Record] = [
        book(0, bids="99.5:1.25 99:2", asks="100.5:1"),
        book(2 * SECOND, snapshot=False, bids="98.5:0.75"),
    ]
    replay = Replay(venue.exchange, records)
    at(venue, replay, 1)
    venue.exchange.update_market(MARKET, price_tick_size=D(2), order_size_increment=D("0.5"))
    at(venue, replay, SECOND)
    assert levels(venue) == (((100, 2),), ())  # both bids are at 100 now, and so was the ask
    at(venue, replay, SECOND)
    assert all(price % 2 == 0 and size % D("0.5") == 0 for side in levels(venue) for price, size in side)


def test_levels_that_become_one_are_added_up(make_venue: Callable[..., Venue]) -> None:
    venue = make_venue(price_tick_size=D(5))
    records: list[Record] = [
        book(0, bids="96:1 94:2", asks="104:1"),
        book(SECOND, snapshot=False, bids="94:0"),
    ]
    replay = Replay(venue.exchange, records)
    at(venue, replay, 1)
    assert levels(venue)[0] == ((95, 3),)
    at(venue, replay, SECOND)
    assert levels(venue)[0] == ((95, 1),)


def test_a_market_that_expires_or_is_deleted_is_quoted_no_more_until_it_is_listed_again(venue: Venue) -> None:
    records: list[Record] = [book(second * SECOND, seq=second + 1, bids=f"9{second}:1") for second in range(8)]
    replay = Replay(venue.exchange, records)
    at(venue, replay, 1)
    venue.exchange.update_market(MARKET, expiry_at=venue.exchange.now)
    at(venue, replay, SECOND)
    assert levels(venue) == ((), ())
    venue.exchange.delete_market(MARKET)
    at(venue, replay, SECOND)
    venue.exchange.create_market(plain_market())
    at(venue, replay, 1)
    assert levels(venue)[0] == ((92, 1),)
    at(venue, replay, SECOND)
    assert levels(venue)[0] == ((93, 1),)


def test_a_restarted_replay_goes_on_where_it_was() -> None:
    storage = Storage(":memory:")
    venue = Venue(Exchange([plain_market()], seed=1, now_us=START))
    replay = Replay(venue.exchange, RECORDS)
    at(venue, replay, SECOND)
    storage.write(venue.exchange, venue.events, replay.position())
    expected = levels(venue)

    again = Exchange([plain_market()], seed=1, now_us=START)
    assert storage.restore(again)
    again.resume(START + 3600 * SECOND)
    resumed = Replay(again, RECORDS, storage.get_meta(POSITION_KEY))
    restarted = Venue.__new__(Venue)
    restarted.exchange, restarted.market = again, MARKET
    resumed.step(again.now)
    restarted.process()
    assert levels(restarted) == expected
    assert restarted.of_type(TradePrinted) == []
    for both in ((venue, replay), (restarted, resumed)):
        at(*both, SECOND)
    assert [(e.trade.price, e.trade.size) for e in restarted.of_type(TradePrinted)] == [(101, 1)]
    for both in ((venue, replay), (restarted, resumed)):
        at(*both, 5 * SECOND)
    assert levels(restarted) == levels(venue)
    assert resumed.is_finished
    storage.close()


def test_the_position_in_another_recording_is_ignored(venue: Venue) -> None:
    replay = Replay(venue.exchange, RECORDS)
    at(venue, replay, 5 * SECOND)
    position = replay.position()[POSITION_KEY]
    other: list[Record] = [book(0, bids="97:1")]
    started = Replay(venue.exchange, other, position)
    assert not started.is_finished
    assert started.position() == {}
    assert Replay(venue.exchange, RECORDS, position).position() == {POSITION_KEY: position}


# -- whatever was recorded, whatever is done --------------------------------------------------------------------------

prices = st.integers(380, 420).map(lambda quarters: D(quarters) / 4)
amounts = st.integers(0, 400).map(lambda hundredths: D(hundredths) / 100)
level_lists = st.lists(st.tuples(prices, amounts), max_size=5).map(tuple)
recorded = st.one_of(
    st.builds(lambda snapshot, bids, asks: ("book", snapshot, bids, asks), st.booleans(), level_lists, level_lists),
    st.builds(lambda side, price, size: ("trade", side, price, size), st.sampled_from(Side), prices, amounts),
    st.builds(lambda price: ("mark", price), prices),
)
actions = st.one_of(
    st.tuples(st.just("order"), st.sampled_from((ALICE, BOB)), st.sampled_from(Side), prices, amounts),
    st.tuples(st.just("market"), st.sampled_from((ALICE, BOB)), st.sampled_from(Side), prices, amounts),
    st.tuples(st.just("tick"), st.sampled_from(["0.25", "0.5", "1"])),
    st.tuples(st.just("step"), st.sampled_from(["0.01", "0.25", "1"])),
    st.tuples(st.just("expire")),
    st.tuples(st.just("delete")),
    st.tuples(st.just("list")),
    st.tuples(st.just("restart")),
    st.tuples(st.just("wait")),
)


def records_of(drawn: list[tuple[Any, ...]]) -> list[Record]:
    records: list[Record] = []
    for number, item in enumerate(drawn):
        ts = number * SECOND // 2
        match item:
            case ("book", snapshot, bids, asks):
                records.append(BookRecord(ts, MARKET, number, snapshot, bids, asks))
            case ("trade", side, price, size):
                records.append(TradeRecord(ts, MARKET, str(number), side, price, size))
            case ("mark", price):
                records.append(MarkRecord(ts, MARKET, price, price))
    return records


@given(st.lists(recorded, min_size=1, max_size=25), st.lists(actions, max_size=25))
@settings(max_examples=150, deadline=None)
def test_a_recorded_day_keeps_every_promise(drawn: list[tuple[Any, ...]], done: list[tuple[Any, ...]]) -> None:
    """Money to the last decimal, an uncrossed book in the market's steps, positions of fills, restarts anywhere."""
    records, storage = records_of(drawn), Storage(":memory:")
    venue = Venue(Exchange([plain_market()], seed=1, now_us=START))
    storage.write(venue.exchange, venue.events)
    replay = Replay(venue.exchange, records)
    total = wealth(venue.exchange)
    held: defaultdict[str, Decimal] = defaultdict(Decimal)
    for action in (*done, *[("wait",)] * 3):
        exchange = venue.exchange
        with suppress(ExchangeError):
            match action:
                case ("order", account, side, price, size):
                    venue.submit(account, side, str(size), str(price))
                case ("market", account, side, _, size):
                    venue.submit(account, side, str(size))
                case ("tick", tick):
                    exchange.update_market(MARKET, price_tick_size=D(tick))
                case ("step", step):
                    exchange.update_market(MARKET, order_size_increment=D(step))
                case ("expire",):
                    exchange.update_market(MARKET, expiry_at=exchange.now)
                case ("delete",):
                    exchange.delete_market(MARKET)
                case ("list",):
                    exchange.create_market(plain_market())
                case ("restart",):
                    before = exchange.records.whole()
                    venue.exchange = exchange = Exchange([plain_market()], seed=1, now_us=START)
                    assert storage.restore(exchange)
                    after = exchange.records.whole()
                    assert (after.accounts, after.markets) == (before.accounts, before.markets)
                    replay = Replay(exchange, records, storage.get_meta(POSITION_KEY))
        exchange.advance(exchange.now + SECOND)
        replay.step(exchange.now)
        venue.process()
        storage.write(exchange, venue.events, replay.position())
        for fill in (event.fill for event in venue.of_type(Filled)):
            held[fill.account] += fill.order_side.sign * fill.size
        with localcontext(Context(prec=100)):
            assert wealth(exchange) == total
        for account in (ALICE, BOB):
            assert venue.position(account) == held[account]
        if MARKET in exchange.markets:
            check_book(exchange)
    storage.close()


def check_book(exchange: Exchange) -> None:
    rules, view = exchange.market(MARKET), exchange.levels(MARKET)
    if view.bids and view.asks:
        assert view.bids[0][0] < view.asks[0][0]
    assert all(size > 0 for _, size in (*view.bids, *view.asks))
    quotes = [quote for quote in exchange._state.market(MARKET).book.resting() if quote.order is None]
    assert all(not quote.price % rules.price_tick_size for quote in quotes)
    if exchange._state.market(MARKET).is_expired:
        assert quotes == []
