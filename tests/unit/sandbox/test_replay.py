"""Recordings: written, read, and played instead of the synthetic traders."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from paradex_sandbox.exchange.events import TradePrinted
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
from paradex_sandbox.replay import Replay
from tests.unit.sandbox.venue import ALICE, MARKET, SECOND, START, Venue, plain_market

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
