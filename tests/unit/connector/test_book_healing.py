"""Books that the stream tells wrongly, or not at all: noticed, said once, and right again by themselves."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_api_order_book_data_source as module,
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.unit.connector import frames, payloads
from tests.unit.connector.clock import Clock
from tests.unit.connector.payloads import MARKET, PAIR
from tests.unit.connector.test_order_book_data_source import DELTAS, SNAPSHOTS, Feed, levels
from tests.unit.connector.trader import eventually
from tests.unit.connector.venue import PATIENCE, Socket, Venue, refusal

BIDS, ASKS = [("100", "1"), ("99", "2")], [("101", "3"), ("102", "1")]
RIGHT = ([(100, 1), (99, 2)], [(101, 3), (102, 1)])


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds takes milliseconds; silence is not noticed unless a test wants it."""
    monkeypatch.setattr(CONSTANTS, "BOOK_CARE_INTERVAL", 0.002)
    monkeypatch.setattr(CONSTANTS, "BOOK_SUSPICION", 0.01)


@pytest.fixture
def impatient_for_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CONSTANTS, "BOOK_SNAPSHOT_TIMEOUT", 0.02)


@pytest.fixture
async def feed(venue: Venue, exchange: ParadexPerpetualDerivative, clock: Clock) -> AsyncIterator[Feed]:
    feed = Feed(venue, exchange, clock)
    yield feed
    for task in feed.tasks:
        task.cancel()
    await asyncio.gather(*feed.tasks, return_exceptions=True)


@pytest.fixture
async def live(venue: Venue, feed: Feed) -> Feed:
    """A feed that has had its snapshot, number 10."""
    feed.start()
    await venue.socket(1, subscriptions=4)
    await feed.send(frames.book(10, BIDS, ASKS, snapshot=True))
    return feed


def is_live(feed: Feed) -> bool:
    return feed.exchange.is_book_live(PAIR)


async def subscribed_again(feed: Feed, times: int = 1) -> Socket:
    socket = await feed.venue.socket()
    calls = ("subscribe", {"channel": DELTAS.format(MARKET)}), ("subscribe", {"channel": SNAPSHOTS.format(MARKET)})
    await feed.venue.until(lambda: sum(call in calls for call in socket.calls) >= 1 + times)
    return socket


def rest_knows(venue: Venue, seq: int, bids: Any = BIDS, asks: Any = ASKS) -> None:
    book = payloads.order_book() | {"seq_no": seq, "bids": bids, "asks": asks}
    venue.on("GET", "/orderbook/*", book)


class TestWrongBooks:
    @pytest.mark.parametrize(
        "delta",
        [
            frames.book(11, [("101", "1")]),
            frames.book(11, [("103", "1")], [("101", "0")]),
            frames.book(11, [], [("100", "1")]),
            frames.book(11, [("100", "0")], [("99", "1")]),
            frames.book(11, [("100.5", "1")], [("100.5", "1")]),
        ],
    )
    async def test_changes_that_would_cross_the_book_are_not_applied_but_a_new_one_is_taken(
        self, live: Feed, delta: bytes, log: pytest.LogCaptureFixture
    ) -> None:
        await live.send(delta)
        assert not is_live(live)
        assert levels(live.book()) == RIGHT
        assert "the best bid would not be below the best ask" in log.text
        await subscribed_again(live)
        await live.send(frames.book(20, [("101", "1")], [("103", "1")], snapshot=True))
        assert is_live(live)
        assert levels(live.book()) == ([(101, 1)], [(103, 1)])
        assert live.exchange.book_resyncs == {PAIR: 1}

    async def test_a_price_that_goes_through_the_other_side_is_no_crossing(self, live: Feed) -> None:
        await live.send(
            frames.book(11, [("101.5", "1")], [("101", "0")]),
            frames.book(12, [("101.5", "0")], [("100", "1"), ("102", "0")]),
        )
        assert not is_live(live)  # the bid at 100 is still there
        await live.send(frames.book(20, BIDS, ASKS, snapshot=True))
        await live.send(frames.book(21, [("100", "0"), ("99", "0"), ("98", "1")], [("99", "1")]))
        assert levels(live.book()) == ([(98, 1)], [(99, 1), (101, 3), (102, 1)])

    async def test_a_whole_book_that_is_crossed_is_never_seen(self, live: Feed) -> None:
        await live.send(frames.book(20, [("103", "1")], [("101", "1")], snapshot=True))
        assert levels(live.book()) == RIGHT
        assert not is_live(live)

    @pytest.mark.parametrize("whole_books", [False, True])
    async def test_books_that_stay_crossed_are_not_asked_for_without_end(
        self, venue: Venue, make_exchange: Any, clock: Clock, whole_books: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(CONSTANTS, "BOOK_SNAPSHOT_TIMEOUT", 3600.0)
        feed = Feed(venue, make_exchange(paradex_perpetual_book_feed="snapshot" if whole_books else "deltas"), clock)
        seq = 10
        tasks = []

        def with_a_crossed_book(socket: Socket, call: dict[str, Any]) -> dict[str, Any]:
            nonlocal seq
            if call["params"]["channel"].startswith("order_book."):
                seq += 1
                crossed = frames.book(seq, [("103", "1")], ASKS, snapshot=True)
                tasks.append(asyncio.create_task(socket.send(crossed)))
            return {"result": {}}

        feed.start()
        socket = await venue.socket(1, subscriptions=4)
        await feed.send(frames.book(10, BIDS, ASKS, snapshot=True))
        venue.rpc["subscribe"] = with_a_crossed_book
        await feed.send(frames.book(11, [("103", "1")], ASKS, snapshot=whole_books))
        for _ in range(20):
            await feed.taken(socket)
        assert not is_live(feed)
        assert len(tasks) == (0 if whole_books else 1)
        await feed.send(frames.book(50, BIDS, ASKS, snapshot=True))
        assert is_live(feed)
        feed.tasks[0].cancel()
        await asyncio.gather(*tasks, *feed.tasks, return_exceptions=True)

    async def test_grouped_levels_may_meet(self, venue: Venue, make_exchange: Any, clock: Clock) -> None:
        feed = Feed(venue, make_exchange(paradex_perpetual_book_price_tick="10"), clock)
        feed.start()
        await venue.socket(1, subscriptions=4)
        await feed.send(frames.book(10, [("100", "1")], [("100", "1")], snapshot=True))
        assert is_live(feed)
        feed.tasks[0].cancel()

    async def test_a_book_of_an_unknown_kind_is_skipped_and_missed(self, live: Feed) -> None:
        frame = bytearray(frames.book(11, [("1", "1")]))
        frame[8 + 16] = 200
        await live.send(bytes(frame), frames.book(12))
        assert not is_live(live)
        assert levels(live.book()) == RIGHT

    async def test_gaps_are_said_once_and_counted(self, live: Feed, log: pytest.LogCaptureFixture) -> None:
        seq = 10
        for number in range(1, 20):
            await live.send(frames.book(seq + 2))
            await subscribed_again(live, number)
            seq += 10
            await live.send(frames.book(seq, BIDS, ASKS, snapshot=True))
            # Whole books have no gaps; one that is crossed is as bad.
            await live.send(frames.book(seq + 1, [("103", "1")], [("101", "1")], snapshot=True))
            await eventually(lambda: not is_live(live))
            await subscribed_again(live, number)
            await live.send(frames.book(seq, BIDS, ASKS, snapshot=True))
        assert live.exchange.book_resyncs[PAIR] >= 19
        assert log.text.count("taking a new snapshot") <= 2


class TestWhatDoesNotCome:
    @pytest.mark.usefixtures("impatient_for_snapshots")
    async def test_a_first_snapshot_that_is_lost_is_asked_for_again(self, venue: Venue, feed: Feed) -> None:
        feed.start()
        await venue.socket(1, subscriptions=4)
        await feed.send(frames.book(11, [("100", "1")]))
        await subscribed_again(feed)
        await feed.send(frames.book(20, BIDS, ASKS, snapshot=True))
        assert is_live(feed)
        assert levels(feed.book()) == RIGHT
        assert len(venue.sockets) == 1

    @pytest.mark.usefixtures("impatient_for_snapshots")
    async def test_a_feed_of_changes_that_never_tells_a_whole_book_is_left_for_the_one_that_does(
        self, venue: Venue, feed: Feed, log: pytest.LogCaptureFixture
    ) -> None:
        feed.start()
        socket = await venue.socket(1, subscriptions=4)
        deltas, whole = DELTAS.format(MARKET), SNAPSHOTS.format(MARKET)
        seq = 10
        while whole not in socket.channels:
            seq += 1
            await feed.send(frames.book(seq, [("100", "1")]))
        assert socket.calls.count(("subscribe", {"channel": deltas})) >= CONSTANTS.MAX_MISSED_SNAPSHOTS
        assert deltas not in socket.channels
        assert "changes without a book" in log.text
        await feed.send(frames.book(seq + 5, BIDS, ASKS, snapshot=True))
        assert is_live(feed)
        assert levels(feed.book()) == RIGHT

    @pytest.mark.usefixtures("impatient_for_snapshots")
    async def test_a_market_that_is_refused_is_asked_for_after_pauses_and_the_socket_stays(self, live: Feed) -> None:
        live.venue.rpc["subscribe"] = lambda *_: {"error": {"code": -32602, "message": "no such market"}}
        await live.send(frames.book(12))
        socket = await subscribed_again(live, 3)
        assert len(live.venue.sockets) == 1
        del live.venue.rpc["subscribe"]
        await live.venue.until(lambda: DELTAS.format(MARKET) in socket.channels)
        await live.send(frames.book(3, BIDS, ASKS, snapshot=True))
        assert is_live(live)

    async def test_a_subscription_that_the_exchange_has_ended_by_itself_is_made_again_on_the_same_socket(
        self, live: Feed
    ) -> None:
        socket = await live.venue.socket()
        socket.channels.remove(DELTAS.format(MARKET))  # to unsubscribe is refused from now on
        await live.send(frames.book(12))
        await live.venue.until(lambda: DELTAS.format(MARKET) in socket.channels)
        await live.send(frames.book(20, BIDS, ASKS, snapshot=True))
        assert is_live(live)
        assert len(live.venue.sockets) == 1

    @pytest.mark.usefixtures("impatient_for_snapshots")
    async def test_a_rate_limit_is_waited_for_and_the_socket_stays(self, live: Feed) -> None:
        live.venue.rpc["unsubscribe"] = lambda *_: {"error": {"code": 42901, "message": "rate limited"}}
        await live.send(frames.book(12))
        socket = await live.venue.socket()
        await live.venue.until(lambda: [method for method, _ in socket.calls].count("unsubscribe") >= 2)
        del live.venue.rpc["unsubscribe"]
        await subscribed_again(live)
        await live.send(frames.book(20, BIDS, ASKS, snapshot=True))
        assert is_live(live)
        assert len(live.venue.sockets) == 1

    async def test_a_frozen_channel_is_noticed_by_asking_rest(
        self, live: Feed, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
    ) -> None:
        rest_knows(live.venue, 15, [("98", "1")])
        monkeypatch.setattr(CONSTANTS, "BOOK_SILENCE", 0.01)
        await subscribed_again(live)
        assert "the stream is silent since number 10, but the book has changed" in log.text
        assert not is_live(live)
        monkeypatch.setattr(CONSTANTS, "BOOK_SILENCE", 60)
        await live.send(frames.book(16, [("98", "1")], ASKS, snapshot=True))
        assert is_live(live)

    async def test_a_snapshot_that_takes_its_time_is_not_asked_for_twice(self, live: Feed) -> None:
        live.source._feeds[MARKET].ask_at = 0.0  # the first subscription is long ago
        live.source._feeds[MARKET]._backoff = web_utils.Backoff(3600.0, 3600.0)
        await live.send(frames.book(12))
        socket = await subscribed_again(live)
        count = len(socket.calls)
        await asyncio.sleep(10 * CONSTANTS.BOOK_CARE_INTERVAL)
        assert len(socket.calls) == count

    async def test_a_book_of_which_something_was_heard_is_not_asked_for(
        self, live: Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(CONSTANTS, "BOOK_SILENCE", 3600.0)
        await asyncio.sleep(10 * CONSTANTS.BOOK_CARE_INTERVAL)
        assert live.venue.asked("GET", "/orderbook/*") == []

    async def test_an_ask_that_the_stream_does_not_tell_is_noticed_too(
        self, live: Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rest_knows(live.venue, 15, BIDS, [("103", "1")])
        monkeypatch.setattr(CONSTANTS, "BOOK_SILENCE", 0.01)
        await subscribed_again(live)

    async def test_what_comes_a_moment_after_rest_has_told_it_counts(
        self, live: Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rest_knows(live.venue, 11, [("100.5", "1"), *BIDS])
        is_same, compared = live.source._is_same, asyncio.Event()

        def told_then(*arguments: Any) -> bool:
            monkeypatch.setattr(CONSTANTS, "BOOK_SILENCE", 3600.0)
            asyncio.get_running_loop().call_soon(live.source._on_message, frames.book(11, [("100.5", "1")]))
            compared.set()
            return is_same(*arguments)

        monkeypatch.setattr(live.source, "_is_same", told_then)
        monkeypatch.setattr(CONSTANTS, "BOOK_SILENCE", 0.01)
        await asyncio.wait_for(compared.wait(), PATIENCE)
        asking = live.source._feeds[MARKET].asking
        assert asking is not None
        await asking
        assert is_live(live)
        assert live.exchange.book_resyncs == {}

    @pytest.mark.parametrize(("seq", "bids"), [(9, BIDS), (10, BIDS), (10, [("98", "1")]), (1000, BIDS)])
    async def test_a_quiet_market_is_left_in_peace(
        self, live: Feed, monkeypatch: pytest.MonkeyPatch, seq: int, bids: Any
    ) -> None:
        rest_knows(live.venue, seq, bids)
        monkeypatch.setattr(CONSTANTS, "BOOK_SILENCE", 0.01)
        await live.venue.until(lambda: len(live.venue.asked("GET", "/orderbook/*")) >= 3)
        assert is_live(live)
        assert live.exchange.book_resyncs == {}

    async def test_rest_may_be_behind_the_stream_for_a_moment(
        self, live: Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(CONSTANTS, "BOOK_SILENCE", 3600.0)
        rest_knows(live.venue, 9, [("98", "1")])
        await live.send(frames.book(11, [("100", "0"), ("99", "0")]))
        await live.venue.until(lambda: live.venue.asked("GET", "/orderbook/*"))
        await eventually(lambda: not live.source._feeds[MARKET].is_suspect)
        assert is_live(live)
        assert live.exchange.book_resyncs == {}

    async def test_numbers_that_have_begun_anew_without_a_word_are_noticed_by_asking_rest(
        self, live: Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rest_knows(live.venue, 3, [("50", "1")], [("51", "1")])
        monkeypatch.setattr(CONSTANTS, "BOOK_SILENCE", 0.01)
        await subscribed_again(live)
        assert not is_live(live)
        monkeypatch.setattr(CONSTANTS, "BOOK_SILENCE", 60)
        await live.send(frames.book(4, [("50", "1")], [("51", "1")], snapshot=True))
        assert levels(live.book()) == ([(50, 1)], [(51, 1)])

    @pytest.mark.parametrize("snapshot", [True, False])
    async def test_numbers_that_begin_anew_in_the_stream_are_noticed_soon(self, live: Feed, snapshot: bool) -> None:
        rest_knows(live.venue, 3, [("50", "1")], [("51", "1")])
        await live.send(frames.book(2, [("50", "1")], [("51", "1")], snapshot=snapshot), frames.book(3))
        await subscribed_again(live)
        assert not is_live(live)

    async def test_what_is_told_twice_at_the_end_leaves_the_book_live(self, live: Feed) -> None:
        rest_knows(live.venue, 11)
        await live.send(frames.book(11), frames.book(10, BIDS, ASKS, snapshot=True))
        await live.venue.until(lambda: live.venue.asked("GET", "/orderbook/*"))
        await eventually(lambda: not live.source._feeds[MARKET].is_suspect)
        assert is_live(live)
        assert live.exchange.book_resyncs == {}

    async def test_an_exchange_that_does_not_answer_is_no_reason_to_doubt_the_book(
        self, live: Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        live.venue.on("GET", "/orderbook/*", refusal("SERVICE_UNAVAILABLE", 503), {}, {"seq_no": "x"})
        monkeypatch.setattr(CONSTANTS, "BOOK_SILENCE", 0.01)
        await live.venue.until(lambda: len(live.venue.asked("GET", "/orderbook/*")) >= 4)
        monkeypatch.setattr(CONSTANTS, "BOOK_SILENCE", 3600.0)
        asking = live.source._feeds[MARKET].asking
        assert asking is not None
        await asking  # raises nothing
        assert is_live(live)

    async def test_a_side_that_is_empty_is_confirmed_soon(self, live: Feed) -> None:
        rest_knows(live.venue, 12)
        await live.send(frames.book(11, [("100", "0"), ("99", "0")]))
        await subscribed_again(live)
        assert not is_live(live)

    async def test_a_market_without_any_orders_stays_live(self, live: Feed) -> None:
        rest_knows(live.venue, 11, [], [])
        await live.send(frames.book(11, [("100", "0"), ("99", "0")], [("101", "0"), ("102", "0")]))
        await live.venue.until(lambda: live.venue.asked("GET", "/orderbook/*"))
        await eventually(lambda: not live.source._feeds[MARKET].is_suspect)
        assert is_live(live)

    async def test_a_frame_that_cannot_be_read_has_the_book_confirmed(self, live: Feed) -> None:
        rest_knows(live.venue, 11, [("100.5", "1")])
        await live.send(frames.book(11, [("100.5", "1")])[:20])
        await subscribed_again(live)
        assert live.exchange.book_resyncs == {PAIR: 1}


class TestBooksThatNobodyKeepsUp:
    async def test_an_interruption_empties_the_book_after_a_while_and_not_at_once(
        self, live: Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(CONSTANTS, "BOOK_GRACE", 3600.0)
        live.venue.socket_status = 503
        await (await live.venue.socket()).close()
        await eventually(lambda: not is_live(live))
        await asyncio.sleep(5 * CONSTANTS.BOOK_CARE_INTERVAL)
        assert levels(live.book()) == RIGHT
        monkeypatch.setattr(CONSTANTS, "BOOK_GRACE", 0.0)
        await eventually(lambda: levels(live.book()) == ([], []))
        assert live.book().snapshot_uid == 10
        live.venue.socket_status = None
        await live.venue.socket(2, subscriptions=4)
        await live.send(frames.book(3, BIDS, ASKS, snapshot=True), socket=2)
        assert levels(live.book()) == RIGHT

    async def test_stopping_empties_it_and_leaves_no_task(self, live: Feed) -> None:
        await live.send(frames.book(12))
        live.tasks[0].cancel()
        await asyncio.wait(live.tasks)
        assert levels(live.book()) == ([], [])
        await eventually(lambda: live.source._feeds[MARKET].subscribing.done())  # type: ignore[union-attr]

    async def test_a_listener_that_ends_slowly_leaves_the_next_one_its_books(self, live: Feed) -> None:
        assert live.source._session is not None
        assert live.source._session.assistant is not None
        close, may_close = live.source._session.assistant.disconnect, asyncio.Event()

        async def close_slowly() -> None:
            await may_close.wait()
            await close()

        live.source._session.assistant.disconnect = close_slowly  # type: ignore[method-assign]
        live.tasks[0].cancel()
        live.start()
        await live.venue.socket(2, subscriptions=4)
        await live.send(frames.book(20, BIDS, ASKS, snapshot=True), socket=2)
        may_close.set()
        await asyncio.wait(live.tasks[:1])
        assert is_live(live)
        assert levels(live.book()) == RIGHT

    async def test_a_new_book_does_not_wait_for_the_stream(self, venue: Venue, feed: Feed) -> None:
        rest_knows(venue, 5)
        assert levels(await feed.source.get_new_order_book(PAIR)) == RIGHT


async def test_interruptions_are_said_once_in_a_while(venue: Venue, feed: Feed, log: pytest.LogCaptureFixture) -> None:
    venue.socket_status = 503
    feed.start()
    await venue.until(lambda: len(venue.handshakes) >= 12)
    assert log.text.count("was interrupted") == 1
    feed.source._warn_of_interruptions._pause = 0.0
    await eventually(lambda: log.text.count("was interrupted") >= 2)
    assert "more like this in the last" in log.text


# === Whatever happens on the way ===

PRICES = st.integers(90, 99), st.integers(101, 110)


class Market:
    """A book and the numbered messages that tell it, of which some do not arrive as they should."""

    def __init__(self) -> None:
        self.seq = 1
        self.bids: dict[int, int] = {99: 1}
        self.asks: dict[int, int] = {101: 1}

    def change(self, bid: int, bid_size: int, ask: int, ask_size: int) -> bytes:
        self.seq += 1
        for side, price, size in ((self.bids, bid, bid_size), (self.asks, ask, ask_size)):
            side[price] = size
            if not size:
                del side[price]
        return frames.book(self.seq, [(bid, bid_size)], [(ask, ask_size)])

    def snapshot(self) -> bytes:
        return frames.book(self.seq, list(self.bids.items()), list(self.asks.items()), snapshot=True)

    def levels(self) -> Any:
        return (
            [(float(price), float(size)) for price, size in sorted(self.bids.items(), reverse=True)],
            [(float(price), float(size)) for price, size in sorted(self.asks.items())],
        )


changes = st.tuples(PRICES[0], st.integers(0, 3), PRICES[1], st.integers(0, 3))
fates = st.sampled_from(
    ["right", "right", "right", "lost", "twice", "late", "cut", "old snapshot", "snapshot", "crossed"]
)


@given(st.lists(st.tuples(changes, fates), max_size=40))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_is_lost_doubled_or_swapped_a_live_book_is_never_wrong_and_the_end_is_right(
    exchange: ParadexPerpetualDerivative, story: list[tuple[tuple[int, int, int, int], str]]
) -> None:
    source = exchange._orderbook_ds
    source._books.clear()
    truth = Market()
    history = {truth.seq: truth.levels()}
    old = truth.snapshot()
    asked: list[Any] = []
    source._resubscribe_soon = asked.append  # the exchange's answer is given below
    market_feed = source._feeds[MARKET] = module._BookFeed(PAIR, MARKET, source._settings, print)

    newest = [0]

    def check() -> None:
        if exchange.is_book_live(PAIR):
            assert levels(source._book(PAIR)) == history[market_feed.seq]
            assert market_feed.seq >= newest[-1]
            newest.append(market_feed.seq)

    source._on_message(truth.snapshot())
    late: list[bytes] = []
    for change, fate in story:
        bid, bid_size, ask, ask_size = change
        bid_size = bid_size if bid in truth.bids or bid_size else 1
        ask_size = ask_size if ask in truth.asks or ask_size else 1
        message = truth.change(bid, bid_size, ask, ask_size)
        history[truth.seq] = truth.levels()
        arriving = {
            "right": [message],
            "lost": [],
            "twice": [message, message],
            "late": [],
            "cut": [message[:30]],
            "old snapshot": [old, message],
            "snapshot": [truth.snapshot()],
            "crossed": [frames.book(truth.seq, [(105, 1)], [(95, 1)], snapshot=True), message],
        }[fate]
        if fate == "late":
            late.append(message)
        else:
            arriving, late = [*arriving, *late], []
        for frame in arriving:
            source._on_message(frame)
            check()
        if asked:
            asked.clear()
            source._on_message(truth.snapshot())
            check()
    source._on_message(truth.change(99, 1, 101, 1))
    history[truth.seq] = truth.levels()
    if not exchange.is_book_live(PAIR):
        source._on_message(truth.snapshot())
    check()
    assert exchange.is_book_live(PAIR)
    assert levels(source._book(PAIR)) == truth.levels()
