"""Order books, trades and funding, over a real socket."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_api_order_book_data_source as module,
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.core.data_type.common import TradeType
from hummingbot.core.data_type.funding_info import FundingInfoUpdate
from hummingbot.core.data_type.order_book import OrderBook
from hummingbot.core.data_type.order_book_message import OrderBookMessage, OrderBookMessageType

from tests.unit.connector import frames, payloads
from tests.unit.connector.clock import Clock
from tests.unit.connector.payloads import ETH_MARKET, ETH_PAIR, MARKET, PAIR
from tests.unit.connector.trader import eventually
from tests.unit.connector.venue import PATIENCE, Request, Socket, Venue, refusal

DELTAS = "order_book.{}.deltas@15@50ms"
SNAPSHOTS = "order_book.{}.snapshot@15@50ms"


def channels(market: str = MARKET, book: str = DELTAS) -> list[str]:
    return [book.format(market), f"trades.{market}", f"markets_summary.{market}", f"markets.{market}"]


Levels = list[tuple[float, float]]


def levels(book: OrderBook) -> tuple[Levels, Levels]:
    """Bids and asks, from the best on."""
    return (
        [(row.price, row.amount) for row in book.bid_entries()],
        [(row.price, row.amount) for row in book.ask_entries()],
    )


class Feed:
    """Runs the data source and looks at what it makes of what the venue sends."""

    def __init__(self, venue: Venue, exchange: ParadexPerpetualDerivative, clock: Clock):
        self.venue = venue
        self.exchange = exchange
        self.source = exchange._orderbook_ds
        self.source._sleep = clock.sleep  # type: ignore[method-assign]
        self.tasks: list[asyncio.Task[Any]] = []

    def start(self) -> None:
        self.tasks.append(asyncio.create_task(self.source.listen_for_subscriptions()))

    def book(self, trading_pair: str = PAIR) -> OrderBook:
        return self.source._book(trading_pair)

    async def send(self, *messages: bytes, socket: int = 1) -> None:
        """Sends, and waits until it has been taken."""
        connection = await self.venue.socket(socket)
        await connection.send(*messages)
        await self.taken(connection)

    async def taken(self, connection: Socket) -> None:
        """What has been sent is taken in order: a trade at its end that has arrived says that all has."""
        trades = self.source._message_queue["trade"]
        await connection.send(frames.trade(trade_id="424242"))
        async with asyncio.timeout(PATIENCE):
            while (await trades.get()).trade_id != "424242":
                pass


@pytest.fixture
async def feed(venue: Venue, exchange: ParadexPerpetualDerivative, clock: Clock) -> AsyncIterator[Feed]:
    feed = Feed(venue, exchange, clock)
    yield feed
    for task in feed.tasks:
        task.cancel()
    await asyncio.gather(*feed.tasks, return_exceptions=True)


@pytest.fixture
async def live(venue: Venue, feed: Feed) -> Feed:
    """A feed that is subscribed to and has had its snapshot, number 10."""
    feed.start()
    await venue.socket(1, subscriptions=4)
    await feed.send(frames.book(10, [("100", "1"), ("99", "2")], [("101", "3")], snapshot=True))
    return feed


class TestBook:
    async def test_it_subscribes_to_book_trades_and_summary(self, venue: Venue, feed: Feed) -> None:
        feed.start()
        assert (await venue.socket(1, subscriptions=4)).channels == channels()
        assert venue.asked("POST", "/auth/*") == []

    async def test_a_snapshot_and_the_deltas_after_it_make_the_book(self, live: Feed) -> None:
        assert levels(live.book()) == ([(100, 1), (99, 2)], [(101, 3)])
        await live.send(
            frames.book(11, [("100.5", "4")], []),
            frames.book(12, [("99", "0")], [("101", "2.5"), ("102", "1")]),
            frames.book(13),
        )
        assert levels(live.book()) == ([(100.5, 4), (100, 1)], [(101, 2.5), (102, 1)])
        assert live.book().snapshot_uid == 10
        assert live.book().last_diff_uid == 13

    async def test_deltas_before_the_snapshot_do_not_count(self, venue: Venue, feed: Feed) -> None:
        feed.start()
        await venue.socket(1, subscriptions=4)
        await feed.send(frames.book(9, [("50", "1")]), frames.book(10, [("100", "1")], snapshot=True))
        assert levels(feed.book()) == ([(100, 1)], [])

    async def test_what_is_told_twice_counts_once(self, live: Feed) -> None:
        await live.send(
            frames.book(11, [("100", "5")]),
            frames.book(12, [("100", "6")]),
            frames.book(11, [("100", "5")]),
            frames.book(12, [("100", "7")]),
            frames.book(10, [("1", "1")], snapshot=True),
            frames.book(8, [("1", "1")], snapshot=True),
        )
        assert levels(live.book())[0] == [(100, 6), (99, 2)]
        assert len(live.venue.sockets[0].calls) == 4

    async def test_a_newer_snapshot_replaces_the_book(self, live: Feed) -> None:
        await live.send(frames.book(20, [("90", "1")], snapshot=True), frames.book(21, [("91", "1")]))
        assert levels(live.book()) == ([(91, 1), (90, 1)], [])

    async def test_a_market_that_was_not_subscribed_to_is_passed_over(self, live: Feed) -> None:
        await live.send(frames.book(11, [("1", "1")], snapshot=True, market="DOGE-USD-PERP"))
        assert set(live.source._books) == {PAIR}

    async def test_books_of_several_markets_are_kept_apart(
        self, venue: Venue, feed: Feed, log: pytest.LogCaptureFixture
    ) -> None:
        feed.source._trading_pairs = [PAIR, ETH_PAIR]
        feed.start()
        assert sorted((await venue.socket(1, subscriptions=8)).channels) == sorted(channels() + channels(ETH_MARKET))
        await feed.send(
            frames.book(10, [("100", "1")], snapshot=True),
            frames.book(700, [("3000", "2")], snapshot=True, market=ETH_MARKET),
            frames.book(11, [("101", "1")]),
            frames.book(701, [("3001", "2")], market=ETH_MARKET),
        )
        assert levels(feed.book())[0] == [(101, 1), (100, 1)]
        assert levels(feed.book(ETH_PAIR))[0] == [(3001, 2), (3000, 2)]
        assert "jumped" not in log.text

    @pytest.mark.parametrize("noise", [b"\x00", frames.book(11, [("1", "1")])[:40], frames.frame(99, b"1234")])
    async def test_a_frame_that_cannot_be_read_does_not_end_the_stream(self, live: Feed, noise: bytes) -> None:
        await live.send(noise, noise, frames.book(11, [("100", "8")]))
        assert levels(live.book())[0][0] == (100, 8)

    async def test_unreadable_frames_do_not_fill_the_log(self, live: Feed, log: pytest.LogCaptureFixture) -> None:
        await live.send(*[b"\x00"] * 900)
        assert log.text.count("Skipped a message of the public stream") == 1

    async def test_a_text_that_is_no_json_may_have_told_of_a_market(self, live: Feed) -> None:
        await (await live.venue.socket()).websocket.send_str("{cut off")
        await live.venue.until(lambda: live.venue.asked("GET", "/markets"))

    async def test_json_on_the_public_socket_is_passed_over(self, live: Feed) -> None:
        await (await live.venue.socket()).send(payloads.stream(channels()[0], {"inserts": []}))
        await live.send(frames.book(11, [("100", "8")]))
        assert levels(live.book())[0][0] == (100, 8)


class TestGaps:
    async def reseeded(self, feed: Feed, calls: int, socket: int = 1) -> Socket:
        connection = await feed.venue.socket(socket)
        await feed.venue.until(lambda: len(connection.calls) == calls)
        return connection

    async def test_a_gap_is_answered_by_a_new_subscription(self, live: Feed, log: pytest.LogCaptureFixture) -> None:
        await live.send(frames.book(12, [("100", "9")]))
        socket = await self.reseeded(live, 6)
        assert socket.calls[4:] == [
            ("unsubscribe", {"channel": DELTAS.format(MARKET)}),
            ("subscribe", {"channel": DELTAS.format(MARKET)}),
        ]
        assert "jumped from 11 to 12" in log.text

    async def test_until_the_new_snapshot_the_book_keeps_what_was_right(self, live: Feed) -> None:
        before = levels(live.book())
        await live.send(frames.book(12, [("100", "9")]), frames.book(13, [("99", "9")]), frames.book(14))
        await self.reseeded(live, 6)
        assert levels(live.book()) == before
        await live.send(frames.book(15, [("100", "4")], snapshot=True), frames.book(16, [("98", "1")]))
        assert levels(live.book()) == ([(100, 4), (98, 1)], [])
        assert len(live.venue.sockets[0].calls) == 6  # one gap, one new subscription

    async def test_the_next_gap_is_answered_again(self, live: Feed) -> None:
        await live.send(frames.book(12))
        await self.reseeded(live, 6)
        await live.send(frames.book(20, snapshot=True), frames.book(22))
        await self.reseeded(live, 8)

    async def test_the_feed_of_whole_books_takes_over_after_repeated_gaps(
        self, live: Feed, log: pytest.LogCaptureFixture
    ) -> None:
        seq = 10
        for number in range(1, CONSTANTS.MAX_BOOK_GAPS + 1):
            await live.send(frames.book(seq + 2))
            socket = await self.reseeded(live, 4 + 2 * number)
            seq += 10
            await live.send(frames.book(seq, [(str(seq), "1")], snapshot=True))
        assert sorted(socket.channels) == sorted(channels(book=SNAPSHOTS))
        assert "using the feed of whole books" in log.text
        await live.send(  # whose numbers skip
            frames.book(seq + 7, [("70", "1")], snapshot=True), frames.book(seq + 40, [("80", "1")], snapshot=True)
        )
        assert levels(live.book())[0] == [(80, 1)]
        await socket.close()
        assert (await live.venue.socket(2, subscriptions=4)).channels == channels(book=SNAPSHOTS)

    async def test_gaps_far_apart_do_not_count_together(self, live: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 0.0
        monkeypatch.setattr(module, "_now", lambda: now)
        seq = 10
        for number in range(1, CONSTANTS.MAX_BOOK_GAPS + 2):
            await live.send(frames.book(seq + 2))
            socket = await self.reseeded(live, 4 + 2 * number)
            seq += 10
            await live.send(frames.book(seq, snapshot=True))
            now += CONSTANTS.BOOK_GAP_WINDOW / 2
        assert DELTAS.format(MARKET) in socket.channels

    async def test_a_server_that_drops_what_it_has_accepted_is_met_ever_more_seldom(
        self, venue: Venue, live: Feed, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def whole(attempt: int) -> float:
            return CONSTANTS.WS_BACKOFF_INITIAL * 2.0**attempt

        for number in range(4):
            await (await venue.socket(number + 1, subscriptions=4)).close()
            await venue.socket(number + 2, subscriptions=4)
            assert whole(number) / 2 <= clock.pauses[number] <= whole(number)
        monkeypatch.setattr(CONSTANTS, "WS_HOLDS", 0.0)  # and one that has held is missed at once
        await (await venue.socket(5, subscriptions=4)).close()
        await venue.socket(6, subscriptions=4)
        assert clock.pauses[4] <= whole(0)

    async def test_a_new_subscription_that_fails_is_a_reason_to_reconnect(
        self, live: Feed, log: pytest.LogCaptureFixture
    ) -> None:
        live.venue.rpc["unsubscribe"] = lambda *_: {"error": {"code": 100, "message": "not subscribed"}}
        await live.send(frames.book(12))
        assert (await live.venue.socket(2, subscriptions=4)).channels == channels()
        assert "no new snapshot" in log.text
        await live.send(frames.book(3, [("70", "1")], snapshot=True), socket=2)
        assert levels(live.book())[0] == [(70, 1)]


class TestReconnecting:
    async def test_after_a_break_the_book_waits_for_its_snapshot(self, live: Feed) -> None:
        before = levels(live.book())
        await live.venue.sockets[0].close()
        await live.venue.socket(2, subscriptions=4)
        await live.send(frames.book(11, [("100", "9")]), socket=2)
        assert levels(live.book()) == before
        # Numbers may start again, lower than before.
        await live.send(frames.book(2, [("70", "1")], snapshot=True), frames.book(3, [("71", "1")]), socket=2)
        assert levels(live.book())[0] == [(71, 1), (70, 1)]

    async def test_pauses_between_attempts_grow(self, venue: Venue, feed: Feed, clock: Clock) -> None:
        venue.socket_status = 503
        feed.start()
        await venue.until(lambda: len(venue.handshakes) >= 5)
        for number, pause in enumerate(clock.pauses[:4]):
            assert CONSTANTS.WS_BACKOFF_INITIAL * 2**number / 2 <= pause <= CONSTANTS.WS_BACKOFF_INITIAL * 2**number
        venue.socket_status = None
        assert (await venue.socket(1, subscriptions=4)).channels == channels()

    async def test_a_pair_that_does_not_exist_does_not_keep_the_others_from_their_data(
        self, venue: Venue, feed: Feed, log: pytest.LogCaptureFixture
    ) -> None:
        feed.source._trading_pairs = ["NOPE-USDC", PAIR]
        feed.start()
        assert (await venue.socket(1, subscriptions=4)).channels == channels()
        assert "Could not subscribe to NOPE-USDC: There is no perpetual NOPE-USDC" in log.text

    async def test_a_refused_channel_does_not_keep_the_other_pairs_from_their_data(
        self, venue: Venue, feed: Feed, log: pytest.LogCaptureFixture
    ) -> None:
        feed.source._trading_pairs = [PAIR, ETH_PAIR]
        venue.rpc["subscribe"] = lambda _, call: (
            {"error": {"code": 100, "message": "halted"}} if MARKET in call["params"]["channel"] else {"result": {}}
        )
        feed.start()
        assert (await venue.socket(1, subscriptions=4)).channels == channels(ETH_MARKET)
        await eventually(lambda: f"Could not subscribe to {PAIR}" in log.text)

    async def test_a_channel_that_was_refused_is_asked_for_again_until_the_pair_has_its_data(
        self, venue: Venue, feed: Feed
    ) -> None:
        feed.source._trading_pairs = [PAIR, ETH_PAIR]
        refusals = iter(range(5))
        venue.rpc["subscribe"] = lambda _, call: (
            {"error": {"code": 42901, "message": "rate limit"}}
            if call["params"]["channel"] == channels()[1] and next(refusals, None) is not None
            else {"result": {}}
        )
        feed.start()
        socket = await venue.socket(1, subscriptions=8)
        assert sorted(socket.channels) == sorted(channels() + channels(ETH_MARKET))
        assert len(venue.sockets) == 1

    async def test_changes_of_markets_that_are_refused_keep_no_pair_from_its_data(
        self, venue: Venue, feed: Feed, log: pytest.LogCaptureFixture
    ) -> None:
        venue.rpc["subscribe"] = lambda _, call: (
            {"error": {"code": 100, "message": "no such channel"}}
            if call["params"]["channel"].startswith("markets.")
            else {"result": {}}
        )
        feed.start()
        socket = await venue.socket(1, subscriptions=3)
        await eventually(lambda: "Subscribed to the public" in log.text)
        assert socket.channels == channels()[:3]
        assert "Could not subscribe" not in log.text

    async def test_asking_again_ends_with_the_connection_and_with_the_pair(
        self, venue: Venue, feed: Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ask_again, ended = feed.source._subscribe_later, asyncio.Event()

        async def ask_until_it_ends(*arguments: Any) -> None:
            await ask_again(*arguments)
            ended.set()

        monkeypatch.setattr(feed.source, "_subscribe_later", ask_until_it_ends)
        venue.rpc["subscribe"] = lambda *_: {"error": {"code": 100, "message": "halted"}}
        feed.start()
        socket = await venue.socket()
        await venue.until(lambda: len(socket.calls) >= 5)
        assert not ended.is_set()
        feed.source.remove_trading_pair(PAIR)
        async with asyncio.timeout(PATIENCE):
            await ended.wait()

    async def test_an_acknowledgement_that_does_not_come_is_a_reason_to_reconnect(
        self, venue: Venue, feed: Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        patience = CONSTANTS.WS_CALL_TIMEOUT

        def answer_the_second_socket(socket: Socket, _: dict[str, Any]) -> dict[str, Any] | None:
            monkeypatch.setattr(CONSTANTS, "WS_CALL_TIMEOUT", patience)
            return None if socket is venue.sockets[0] else {"result": {}}

        monkeypatch.setattr(CONSTANTS, "WS_CALL_TIMEOUT", 0.2)  # of the first socket's calls
        venue.rpc["subscribe"] = answer_the_second_socket
        feed.start()
        await venue.until(lambda: len(venue.sockets) > 1 and len(venue.sockets[-1].channels) == 4)
        assert venue.sockets[-1].channels == channels()

    async def test_stopping_it_closes_the_socket(self, venue: Venue, live: Feed) -> None:
        live.tasks[0].cancel()
        await asyncio.wait(live.tasks)
        socket = await venue.socket()
        await venue.until(lambda: socket.websocket.closed)


class TestPairs:
    async def test_a_pair_added_while_running_gets_its_channels_and_loses_them_again(self, live: Feed) -> None:
        socket = await live.venue.socket()
        assert await live.source.subscribe_to_trading_pair(ETH_PAIR)
        assert socket.channels == channels() + channels(ETH_MARKET)
        await live.send(frames.book(5, [("3000", "1")], snapshot=True, market=ETH_MARKET))
        assert levels(live.book(ETH_PAIR))[0] == [(3000, 1)]

        assert await live.source.unsubscribe_from_trading_pair(ETH_PAIR)
        assert socket.channels == channels()
        await live.send(frames.book(6, [("3001", "1")], market=ETH_MARKET))
        assert set(live.source._books) == {PAIR}
        assert live.source._trading_pairs == [PAIR]

    async def test_a_pair_added_twice_starts_anew(self, live: Feed) -> None:
        await live.source.subscribe_to_trading_pair(ETH_PAIR)
        await live.send(frames.book(500, [("3000", "1")], snapshot=True, market=ETH_MARKET))
        await live.source.unsubscribe_from_trading_pair(ETH_PAIR)
        await live.source.subscribe_to_trading_pair(ETH_PAIR)
        await live.send(frames.book(3, [("3001", "1")], snapshot=True, market=ETH_MARKET))
        assert levels(live.book(ETH_PAIR))[0] == [(3001, 1)]

    async def test_a_pair_added_is_there_after_a_reconnect(self, live: Feed) -> None:
        await live.source.subscribe_to_trading_pair(ETH_PAIR)
        await live.venue.sockets[0].close()
        assert sorted((await live.venue.socket(2, subscriptions=8)).channels) == sorted(
            channels() + channels(ETH_MARKET)
        )

    async def test_without_a_connection_the_next_one_has_it(self, venue: Venue, feed: Feed) -> None:
        assert await feed.source.subscribe_to_trading_pair(ETH_PAIR)
        feed.start()
        assert sorted((await venue.socket(1, subscriptions=8)).channels) == sorted(channels() + channels(ETH_MARKET))

    async def test_a_pair_that_was_had_only_in_part_can_be_added_again(self, live: Feed) -> None:
        live.venue.rpc["subscribe"] = lambda _, call: (
            {"error": {"code": 100, "message": "halted"}} if "summary" in call["params"]["channel"] else {"result": {}}
        )
        assert not await live.source.subscribe_to_trading_pair(ETH_PAIR)
        socket = await live.venue.socket()
        assert socket.channels == channels()
        await live.send(frames.book(5, [("3000", "1")], snapshot=True, market=ETH_MARKET))
        assert set(live.source._books) == {PAIR}
        del live.venue.rpc["subscribe"]
        assert await live.source.subscribe_to_trading_pair(ETH_PAIR)
        assert socket.channels == channels() + channels(ETH_MARKET)

    async def test_a_pair_that_is_removed_while_its_book_is_asked_for_stays_removed(
        self, live: Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        changed = payloads.order_book() | {"seq_no": 99, "bids": [("98", "1")], "asks": []}
        live.venue.on("GET", "/orderbook/*", changed)
        monkeypatch.setattr(CONSTANTS, "BOOK_SILENCE", 0.0)
        await live.venue.until(lambda: live.venue.asked("GET", "/orderbook/*"))
        asking = live.source._feeds[MARKET].asking
        assert asking is not None
        await live.source.unsubscribe_from_trading_pair(PAIR)
        await asyncio.wait([asking])
        socket = await live.venue.socket()
        await live.taken(socket)
        assert socket.channels == []
        assert live.source._books == {}

    async def test_a_pair_that_cannot_be_had_is_not_added(self, live: Feed, log: pytest.LogCaptureFixture) -> None:
        assert not await live.source.subscribe_to_trading_pair("NOPE-USDC")
        live.venue.rpc["subscribe"] = lambda *_: {"error": {"code": 100, "message": "halted"}}
        assert not await live.source.subscribe_to_trading_pair(ETH_PAIR)
        assert live.source._trading_pairs == [PAIR]
        assert "Could not subscribe to NOPE-USDC" in log.text


class TestRest:
    @pytest.fixture
    def order_books(self, venue: Venue) -> None:
        venue.on("GET", "/orderbook/*", lambda request: payloads.order_book(request.path.split("/")[-1]))

    async def test_a_new_book_is_filled_from_rest_and_kept_up_by_the_stream(
        self, venue: Venue, feed: Feed, order_books: None
    ) -> None:
        book = await feed.source.get_new_order_book(PAIR)
        assert levels(book) == ([(60000, 0.5), (59999.5, 1)], [(60001, 0.7), (60002, 2)])
        assert venue.asked("GET", "/orderbook/*")[0].path == f"/orderbook/{MARKET}"
        feed.start()
        await venue.socket(1, subscriptions=4)
        await feed.send(frames.book(10, [("100", "1")], snapshot=True), frames.book(11, [("101", "1")]))
        assert levels(book)[0] == [(101, 1), (100, 1)]

    async def test_a_book_that_the_stream_has_filled_is_not_overwritten_by_an_older_one(
        self, live: Feed, order_books: None
    ) -> None:
        book = await live.source.get_new_order_book(PAIR)
        assert levels(book)[0] == [(100, 1), (99, 2)]
        assert live.venue.asked("GET", "/orderbook/*") == []

    async def test_a_stream_that_is_faster_than_rest_wins(self, venue: Venue, feed: Feed) -> None:
        feed.start()
        await venue.socket(1, subscriptions=4)

        def stream_first(_: Request) -> dict[str, Any]:
            feed.source._on_message(frames.book(10, [("100", "1")], snapshot=True))
            return payloads.order_book()

        venue.on("GET", "/orderbook/*", stream_first)
        assert levels(await feed.source.get_new_order_book(PAIR))[0] == [(100, 1)]

    async def test_funding_info(self, venue: Venue, feed: Feed) -> None:
        venue.on("GET", "/markets/summary", payloads.page(payloads.summary()))
        info = await feed.source.get_funding_info(PAIR)
        assert (info.trading_pair, info.rate) == (PAIR, Decimal("0.00012345"))
        assert info.next_funding_utc_timestamp == (int(payloads.NOW) // 28800 + 1) * 28800
        assert venue.asked("GET", "/markets/summary")[0].query == {"market": MARKET}

    async def test_last_traded_prices(self, venue: Venue, feed: Feed) -> None:
        both = payloads.page(payloads.summary(), payloads.summary(ETH_MARKET, last_traded_price="3000.5"))
        venue.on("GET", "/markets/summary", both)
        assert await feed.source.get_last_traded_prices([PAIR, ETH_PAIR]) == {PAIR: 60001.1, ETH_PAIR: 3000.5}

    @pytest.mark.parametrize(
        ("wrong", "text"),
        [
            ({"seq_no": None}, "seq_no is missing"),
            ({"seq_no": "x"}, "seq_no should be a number"),
            ({"seq_no": 1.5}, "seq_no should be a whole number"),
            ({"seq_no": -1}, "seq_no should be 0 or a positive number"),
            ({"last_updated_at": "soon"}, "last_updated_at should be"),
            ({"bids": None}, "bids should be a list"),
            ({"asks": {}}, "asks should be a list"),
            ({"bids": [["60000", "0.5"], ["59999"]]}, "bids should be a price and a size"),
            ({"bids": [["60000", "0.5"], []]}, "bids should be prices and sizes above 0"),
            ({"bids": [["60000", "0"]]}, "bids should be prices and sizes above 0"),
            ({"bids": [["60000", "-0.5"]]}, "bids should be prices and sizes above 0"),
            ({"asks": [["0", "1"]]}, "asks should be prices and sizes above 0"),
            ({"asks": [["NaN", "1"]]}, "asks should be a number"),
            ({"asks": [["1e400", "1"]]}, "asks should be a number"),
            ({"asks": [[True, "1"]]}, "asks should be a number"),
            ({"asks": ["60001"]}, "asks should be a list"),
            ({"bids": [["60000", "1"], ["60000.0", "2"]]}, "bids should be a list with each price once"),
            ({"bids": [["60001", "1"]]}, "its best bid 60001 is not below its best ask 60001"),
            ({"bids": [["1", "1"], ["60001", "1"]]}, "its best bid 60001 is not below its best ask 60001"),
        ],
    )
    async def test_a_book_of_rest_that_makes_no_sense_is_an_error_and_no_book(
        self, venue: Venue, feed: Feed, wrong: payloads.Payload, text: str
    ) -> None:
        venue.on("GET", "/orderbook/*", payloads.order_book() | wrong)
        with pytest.raises(web_utils.UnreadableAnswerError, match=text):
            await feed.source.get_new_order_book(PAIR)
        assert levels(feed.book()) == ([], [])

    @pytest.mark.parametrize("empty", ["bids", "asks"])
    async def test_a_book_of_rest_may_have_one_side(self, venue: Venue, feed: Feed, empty: str) -> None:
        venue.on("GET", "/orderbook/*", payloads.order_book() | {empty: []})
        bids, asks = levels(await feed.source.get_new_order_book(PAIR))
        assert [not bids, not asks] == [empty == "bids", empty == "asks"]

    async def test_a_failing_exchange_is_told_as_such(self, venue: Venue, feed: Feed) -> None:
        venue.on("GET", "/orderbook/*", refusal("SERVICE_UNAVAILABLE", 503))
        with pytest.raises(web_utils.NoAnswerError):
            await feed.source.get_new_order_book(PAIR)


class TestMessages:
    async def test_trades_reach_the_framework(self, live: Feed) -> None:
        output: asyncio.Queue[OrderBookMessage] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        live.tasks.append(asyncio.create_task(live.source.listen_for_trades(loop, output)))
        socket = await live.venue.socket()
        await socket.send(frames.trade(market="DOGE-USD-PERP"), frames.trade(), frames.trade("2", "SELL", "1.5", "3"))
        async with asyncio.timeout(PATIENCE):
            bought, sold = await output.get(), await output.get()
        assert bought.type is OrderBookMessageType.TRADE
        assert bought.trading_pair == PAIR
        assert bought.trade_id == "1700000000000000000001"
        assert bought.content["trade_type"] == float(TradeType.BUY.value)
        assert (bought.content["price"], bought.content["amount"]) == (60000.5, 0.25)
        assert bought.timestamp == pytest.approx(payloads.NOW)
        assert sold.content["trade_type"] == float(TradeType.SELL.value)

    async def test_summaries_update_the_funding_info(self, live: Feed) -> None:
        output: asyncio.Queue[FundingInfoUpdate] = asyncio.Queue()
        live.tasks.append(asyncio.create_task(live.source.listen_for_funding_info(output)))
        await (await live.venue.socket()).send(frames.market_summary())
        async with asyncio.timeout(PATIENCE):
            update = await output.get()
        assert update.trading_pair == PAIR
        assert update.rate == Decimal("0.000123456789")
        assert (update.mark_price, update.index_price) == (Decimal("60010.5"), Decimal("60005.25"))
        assert update.next_funding_utc_timestamp == live.exchange.next_funding_timestamp(PAIR)

    @pytest.mark.parametrize("kind", [OrderBookMessageType.SNAPSHOT, OrderBookMessageType.DIFF])
    async def test_the_frameworks_own_way_to_book_messages_works_too(
        self, feed: Feed, kind: OrderBookMessageType
    ) -> None:
        queue: asyncio.Queue[OrderBookMessage] = asyncio.Queue()
        frame = web_utils.decode_frame(frames.book(11, [("100", "1")], [("101", "0")]))
        parse = {
            OrderBookMessageType.SNAPSHOT: feed.source._parse_order_book_snapshot_message,
            OrderBookMessageType.DIFF: feed.source._parse_order_book_diff_message,
        }[kind]
        await parse(frame, queue)
        message = queue.get_nowait()
        assert (message.type, message.trading_pair, message.update_id) == (kind, PAIR, 11)
        assert [(row.price, row.amount) for row in message.bids] == [(100, 1)]
        assert [(row.price, row.amount) for row in message.asks] == [(101, 0)]
