"""`record` writes down what a server streams, and `serve --replay` plays it."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from paradex_sandbox import cli
from paradex_sandbox.api import sbe
from paradex_sandbox.api.clock import SandboxClock
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.markets import load_markets
from paradex_sandbox.frames_reader import FrameError, read_frame
from paradex_sandbox.recorder import Recorder, RecordError, socket_url
from paradex_sandbox.recording import BookRecord, MarkRecord, Record, TradeRecord, Writer, read
from paradex_sandbox.replay import Replay
from tests.sandbox.client import MARKET, TIMEOUT
from tests.sandbox.conftest import Sandbox, Starter

D = Decimal


class Keeper:
    """A writer that keeps records in memory and tells when there are some."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._changed = asyncio.Event()

    def write(self, record: Record) -> None:
        self.records.append(record)
        self._changed.set()

    async def until(self, kind: type[Record], count: int) -> None:
        async with asyncio.timeout(TIMEOUT):
            while sum(isinstance(record, kind) for record in self.records) < count:
                self._changed.clear()
                await self._changed.wait()

    def books(self) -> list[BookRecord]:
        return [record for record in self.records if isinstance(record, BookRecord)]


@pytest.mark.parametrize("version", sbe.VERSIONS)
def test_frames_are_read_in_every_version(version: int) -> None:
    trade = sbe.trade(
        version,
        ts=5,
        seq=1,
        trade_id="1790000000000000000000000123",
        side="SELL",
        price=D("95000.1"),
        size=D("0.25"),
        created_at=4,
        trade_type="FILL",
        market=MARKET,
    )
    read_trade = read_frame(trade)
    assert isinstance(read_trade, TradeRecord)
    assert (read_trade.market, read_trade.side, read_trade.price, read_trade.size) == (
        MARKET,
        "SELL",
        D("95000.1"),
        D("0.25"),
    )
    assert (read_trade.id == "1790000000000000000000000123") is (version == 2)
    levels = [(D("94999"), D("1")), (D("94998"), D("0"))]
    book = sbe.book(version, ts=5, seq=9, is_delta=True, bids=levels, asks=[], market=MARKET)
    assert read_frame(book) == BookRecord(5, MARKET, 9, False, tuple(levels), ())
    assert read_frame(sbe.heartbeat(version, ts=1, seq=1)) is None


def test_a_frame_that_is_cut_off_is_noticed() -> None:
    book = sbe.book(2, ts=5, seq=9, is_delta=True, bids=[(D(1), D(1))], asks=[(D(2), D(1))], market=MARKET)
    for length in range(len(book)):
        with pytest.raises(FrameError):
            read_frame(book[:length])


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8790/v1", "ws://127.0.0.1:8790/v1"),
        ("http://127.0.0.1:8790", "ws://127.0.0.1:8790/v1"),
        ("127.0.0.1:8790", "ws://127.0.0.1:8790/v1"),
        ("https://api.prod.paradex.trade/v1", "wss://ws.api.prod.paradex.trade/v1"),
        ("wss://ws.api.testnet.paradex.trade/v1/", "wss://ws.api.testnet.paradex.trade/v1"),
    ],
)
def test_the_address_of_the_socket(url: str, expected: str) -> None:
    assert socket_url(url) == expected


async def test_what_is_recorded_is_what_happened_and_can_be_replayed(start: Starter, tmp_path: Path) -> None:
    sandbox = await start(traders=True)
    keeper, path = Keeper(), tmp_path / "day.jsonl.gz"
    recorder = Recorder(sandbox.server.url, [MARKET], keeper)  # type: ignore[arg-type]
    recording = asyncio.create_task(recorder.run(None))
    await keeper.until(BookRecord, 1)
    await sandbox.advance(30_000)
    await keeper.until(TradeRecord, 10)
    await keeper.until(MarkRecord, 10)
    expected = (await sandbox.rest.get(f"/orderbook/{MARKET}", depth=15)).json
    async with asyncio.timeout(TIMEOUT):
        while keeper.books()[-1].seq < expected["seq_no"]:
            await keeper.until(BookRecord, len(keeper.books()) + 1)
    recording.cancel()
    numbers = [book.seq for book in keeper.books()]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert [book.is_snapshot for book in keeper.books()[:2]] == [True, False]
    assert recorder.counts["book"] == len(numbers)
    with Writer(path) as writer:
        for record in keeper.records:
            writer.write(record)

    clock = SandboxClock(1_800_000_000_000_000, frozen=True)
    exchange = Exchange(load_markets(), 1, clock.now_us())
    replay = Replay(exchange, read(path))
    for _ in range(400):
        clock.advance(100_000)
        exchange.advance(clock.now_us())
        replay.step(clock.now_us())
        exchange.process()
    assert replay.is_finished
    view = exchange.levels(MARKET, 15)
    assert [[price, size] for price, size in view.bids] == [[D(price), D(size)] for price, size in expected["bids"]]


async def test_a_gap_fetches_a_snapshot(start: Starter) -> None:
    sandbox = await start(traders=True)
    keeper = Keeper()
    recording = asyncio.create_task(Recorder(sandbox.server.url, [MARKET], keeper).run(None))  # type: ignore[arg-type]
    await keeper.until(BookRecord, 1)
    await sandbox.rest.control("POST", "/faults", {"kind": "book_gap", "count": 1})
    while sum(book.is_snapshot for book in keeper.books()) < 2:
        await sandbox.advance(500)
    recording.cancel()
    for before, after in zip(keeper.books(), keeper.books()[1:], strict=False):
        assert after.is_snapshot or after.seq == before.seq + 1


async def test_a_lost_connection_is_opened_again(start: Starter) -> None:
    sandbox = await start(traders=True)
    keeper = Keeper()
    recording = asyncio.create_task(Recorder(sandbox.server.url, [MARKET], keeper).run(None))  # type: ignore[arg-type]
    await keeper.until(BookRecord, 1)
    await sandbox.rest.control("POST", "/faults", {"kind": "drop_sockets"})
    before = len(keeper.books())
    await keeper.until(BookRecord, before + 1)
    assert keeper.books()[before].is_snapshot
    recording.cancel()


async def test_what_cannot_be_recorded_is_said(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="unknown market"):
        await Recorder(sandbox.server.url, ["NO-USD-PERP"], Keeper()).run(5)  # type: ignore[arg-type]
    with pytest.raises(RecordError, match="no Paradex answers"):
        await Recorder("http://127.0.0.1:1", [MARKET], Keeper()).run(5)  # type: ignore[arg-type]


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["record", "ftp://x", str(tmp_path / "f")]) == 2
    assert "is not an address" in capsys.readouterr().err
    assert cli.main(["serve", "--port", "0", "--replay", str(tmp_path / "missing")]) == 2
    assert "cannot replay" in capsys.readouterr().err
    for arguments in (["--start-at", "yesterday"], ["--start-at", "1970-01-01"]):
        with pytest.raises(SystemExit):
            cli.main(["serve", *arguments])


async def test_record_and_replay_as_a_user_runs_them(sandbox: Sandbox, start: Starter, tmp_path: Path) -> None:
    from tests.sandbox.test_cli import COMMAND, ROOT

    busy = await start(traders=True, frozen=False)
    path = tmp_path / "short.jsonl"
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "record", busy.server.url, str(path), "--markets", MARKET, "--seconds", "3"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 2 * TIMEOUT)
    assert process.returncode == 0
    assert b'"book":' in output
    first = next(record for record in read(path) if isinstance(record, BookRecord))
    assert first.is_snapshot
    served = await asyncio.create_subprocess_exec(
        *(*COMMAND, "serve", "--port", "0", "--replay", str(path), "--frozen", "--start-at", "2026-01-05T00:00:00Z"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert served.stdout is not None
    url = (await asyncio.wait_for(served.stdout.readline(), 2 * TIMEOUT)).decode().split()[1]
    async with sandbox.session.get(f"{url}/orderbook/{MARKET}?depth=1") as response:
        book = await response.json()
    async with sandbox.session.get(f"{url}/system/time") as response:
        assert (await response.json())["server_time"].startswith("1767571200")
    served.terminate()
    await asyncio.wait_for(served.wait(), TIMEOUT)
    assert [D(value) for value in book["bids"][0]] == list(first.bids[0])
