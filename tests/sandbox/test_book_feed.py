"""The order book channels: deltas add up to the book, without a gap."""

import random
from decimal import Decimal

import pytest

from paradex_sandbox.api.book_feed import MirrorBook, group_levels
from paradex_sandbox.exchange.model import BookView, Side
from tests.sandbox.client import MARKET, Socket
from tests.sandbox.conftest import Sandbox, Starter

D = Decimal


class Book:
    """What a client makes of the frames: snapshot, then deltas."""

    def __init__(self) -> None:
        self.seq: int | None = None
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}

    def apply(self, frame: object) -> None:
        if frame.pkg_type == "SNAPSHOT":  # type: ignore[attr-defined]
            self.bids, self.asks = {}, {}
        else:
            assert self.seq is not None
            assert frame.seq_no == self.seq + 1, "a gap"  # type: ignore[attr-defined]
        self.seq = frame.seq_no  # type: ignore[attr-defined]
        for levels, changes in ((self.bids, frame.bids), (self.asks, frame.asks)):  # type: ignore[attr-defined]
            for price, size in changes:
                levels.pop(D(price), None)
                if D(size):
                    levels[D(price)] = D(size)

    def top(self) -> tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]:
        assert len(self.bids) <= 15
        assert len(self.asks) <= 15
        return sorted(self.bids.items(), reverse=True), sorted(self.asks.items())


async def rest_top(
    sandbox: Sandbox, which: str = "", **query: str
) -> tuple[int, tuple[list[tuple[Decimal, Decimal]], ...]]:
    book = (await sandbox.rest.get(f"/orderbook/{MARKET}{which}", depth=15, **query)).json
    return book["seq_no"], tuple([(D(price), D(size)) for price, size in book[side]] for side in ("bids", "asks"))


async def follow(socket: Socket, book: Book, seq: int) -> None:
    while book.seq is None or book.seq < seq:
        book.apply(await socket.next(f"order_book.{MARKET}"))


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize("tick", ["", "@10", "@0_5"])
async def test_deltas_add_up_to_the_book_of_rest_at_the_same_seq(
    busy_sandbox: Sandbox, version: int, tick: str
) -> None:
    sandbox = busy_sandbox
    query = {"price_tick": tick[1:].replace("_", ".")} if tick else {}
    socket = await sandbox.socket(version)
    await socket.subscribe(f"order_book.{MARKET}.deltas@15@50ms{tick}")
    book = Book()
    for step in (0, 100, 100, 1000, 5000, 30_000):
        await sandbox.advance(step)
        seq, expected = await rest_top(sandbox, **query)
        await follow(socket, book, seq)
        assert book.seq == seq
        assert book.top() == expected


async def test_a_late_listener_joins_where_the_feed_is(busy_sandbox: Sandbox) -> None:
    sandbox = busy_sandbox
    sockets, books = [], []
    for _ in range(3):
        socket = await sandbox.socket()
        await socket.subscribe(f"order_book.{MARKET}.deltas@15@100ms")
        sockets.append(socket)
        books.append(Book())
        await sandbox.advance(2000)
    seq, expected = await rest_top(sandbox)
    for socket, book in zip(sockets, books, strict=True):
        await follow(socket, book, seq)
        assert book.top() == expected


@pytest.mark.parametrize("feed", ["snapshot", "interactive"])
async def test_snapshot_feeds_send_the_newest_state(busy_sandbox: Sandbox, feed: str) -> None:
    sandbox = busy_sandbox
    socket = await sandbox.socket()
    await socket.subscribe(f"order_book.{MARKET}.{feed}@15@100ms")
    for _ in range(3):
        await sandbox.advance(1000)
        seq, expected = await rest_top(sandbox, "/interactive" if feed == "interactive" else "")
        _, api = await rest_top(sandbox)
        frame = await socket.next(lambda _, frame, seq=seq: frame.seq_no == seq)  # type: ignore[misc]
        assert frame.pkg_type == "SNAPSHOT"
        book = Book()
        book.apply(frame)
        assert book.top() == expected
        bid, ask = expected[0][0], expected[1][0]
        assert (D(frame.best_bid_api_price), D(frame.best_ask_api_size)) == (api[0][0][0], api[1][0][1])
        if feed == "interactive":
            assert (D(frame.best_bid_price), D(frame.best_ask_price)) == (bid[0], ask[0])
            assert (D(frame.relative_spread) > 0) is (ask[0] > bid[0])  # RPI orders may cross
        else:
            assert (frame.best_bid_price, frame.relative_spread) == (None, None)


async def test_own_orders_appear_in_the_feed_with_the_sequence_of_the_bbo(start: Starter) -> None:
    sandbox = await start(feeds=True)
    await sandbox.mark("60000")
    trader = await sandbox.trader()
    socket = await sandbox.socket()
    await socket.subscribe(f"order_book.{MARKET}.deltas@15@50ms", f"bbo.{MARKET}")
    first = await socket.next(f"order_book.{MARKET}")
    assert (first.pkg_type, first.bids, first.asks) == ("SNAPSHOT", [], [])
    await socket.next(f"bbo.{MARKET}")
    order = await trader.place("BUY", "0.1", "59990")
    top = await socket.next(f"bbo.{MARKET}")
    delta = await socket.next(f"order_book.{MARKET}")
    assert (delta.pkg_type, delta.seq_no, delta.bids) == (
        "DELTA",
        first.seq_no + 1,
        [["59990.00000000", "0.10000000"]],
    )
    assert (top.seq_no, top.bid_price) == (delta.seq_no, "59990.00000000")
    await trader.delete(f"/orders/{order['id']}")
    gone = await socket.next(f"order_book.{MARKET}")
    assert (gone.seq_no, gone.bids) == (delta.seq_no + 1, [["59990.00000000", "0.00000000"]])


def test_a_mirror_follows_random_changes() -> None:
    random_source = random.Random(5)
    mirror = MirrorBook(BookView(MARKET, 0, (), (), 0))
    truth: dict[Side, dict[Decimal, Decimal]] = {Side.BUY: {}, Side.SELL: {}}
    for seq in range(1, 2000):
        side = random_source.choice(list(Side))
        price, size = D(random_source.randrange(1, 60)), D(random_source.randrange(4))
        truth[side][price] = size
        mirror.apply(seq, [(side, price, size)])
        for each in Side:
            levels = sorted(((price, size) for price, size in truth[each].items() if size), reverse=each is Side.BUY)
            assert list(mirror.top(each, 15).items()) == levels[:15]
            assert mirror.best(each) == (levels[0] if levels else None)


def test_grouping_makes_no_side_look_better() -> None:
    levels = [(D("10.4"), D(1)), (D("10.1"), D(2)), (D("9.9"), D(4))]
    assert group_levels(levels, Side.BUY, D("0.5")) == {D("10.0"): D(3), D("9.5"): D(4)}
    assert group_levels(levels[::-1], Side.SELL, D("0.5")) == {D("10.0"): D(4), D("10.5"): D(3)}
