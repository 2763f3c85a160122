"""The choice of a book feed, whether a book is live, and what is watched on demand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any
from unittest.mock import AsyncMock

import pytest
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_utils as utils,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.core.web_assistant.connections.data_types import WSResponse
from hummingbot.core.web_assistant.ws_assistant import WSAssistant

from tests.unit.connector import frames, payloads
from tests.unit.connector.clock import Clock, run_jumping
from tests.unit.connector.payloads import ETH_MARKET, ETH_PAIR, MARKET, NOW, PAIR
from tests.unit.connector.trader import eventually
from tests.unit.connector.venue import PATIENCE, Socket, Venue

BBO = f"bbo.{MARKET}"
INTERACTIVE = f"order_book.{MARKET}.interactive@15@50ms"
Make = Callable[..., ParadexPerpetualDerivative]


class TestFeeds:
    @pytest.mark.parametrize(
        ("settings", "channel"),
        [
            ({}, "deltas@15@50ms"),
            ({"book_feed": "snapshot"}, "snapshot@15@50ms"),
            ({"book_interval": "100ms"}, "deltas@15@100ms"),
            ({"book_price_tick": "0.01"}, "deltas@15@50ms@0_01"),
            ({"book_feed": "snapshot", "book_interval": "100ms", "book_price_tick": "100"}, "snapshot@15@100ms@100"),
            ({"book_price_tick": "0.0000005"}, "deltas@15@50ms@0_0000005"),
        ],
    )
    async def test_the_settings_choose_the_channel(
        self, make_exchange: Make, venue: Venue, clock: Clock, settings: dict[str, str], channel: str
    ) -> None:
        exchange = make_exchange(**{f"paradex_perpetual_{name}": value for name, value in settings.items()})
        exchange._orderbook_ds._sleep = clock.sleep  # type: ignore[method-assign]
        listening = asyncio.create_task(exchange._orderbook_ds.listen_for_subscriptions())
        try:
            socket = await venue.socket(1, subscriptions=4)
        finally:
            listening.cancel()
        assert socket.channels[0] == f"order_book.{MARKET}.{channel}"

    async def test_too_many_gaps_of_grouped_levels_end_in_whole_books_of_grouped_levels(self) -> None:
        from hummingbot.connector.derivative.paradex_perpetual import (
            paradex_perpetual_api_order_book_data_source as module,
        )

        feed = module._BookFeed(PAIR, MARKET, utils.Settings(book_interval="100ms", book_price_tick="10"), print)
        assert [feed.give_up_on_deltas() for _ in range(5)] == [False] * 4 + [True]
        assert feed.channel == f"order_book.{MARKET}.snapshot@15@100ms@10"

    async def test_rest_is_asked_for_the_same_levels(self, make_exchange: Make, venue: Venue) -> None:
        venue.on("GET", "/orderbook/*", payloads.order_book())
        exchange = make_exchange(paradex_perpetual_book_price_tick="10")
        await exchange._orderbook_ds.get_new_order_book(PAIR)
        assert venue.asked("GET", "/orderbook/*")[0].query == {"depth": "20", "price_tick": "10"}

    @pytest.mark.parametrize("tick", ["0.02", "1000", "-1", "x"])
    def test_a_price_step_that_the_exchange_does_not_have_is_refused(self, make_exchange: Make, tick: str) -> None:
        with pytest.raises(ValueError, match=r"one of 0\.0000001, .* or left empty, not"):
            make_exchange(paradex_perpetual_book_price_tick=tick)


class TestLiveness:
    @pytest.fixture
    async def socket(self, exchange: ParadexPerpetualDerivative, venue: Venue, clock: Clock) -> AsyncIterator[Socket]:
        source = exchange._orderbook_ds
        source._sleep = clock.sleep  # type: ignore[method-assign]
        exchange.order_book_tracker._order_books_initialized.set()
        listening = asyncio.create_task(source.listen_for_subscriptions())
        yield await venue.socket(1, subscriptions=4)
        listening.cancel()

    @staticmethod
    def initialized(exchange: ParadexPerpetualDerivative) -> bool:
        return exchange.status_dict["order_books_initialized"]

    async def test_a_book_is_live_from_its_snapshot_to_the_end_of_the_connection(
        self, exchange: ParadexPerpetualDerivative, venue: Venue, socket: Socket
    ) -> None:
        assert not self.initialized(exchange)
        await socket.send(frames.book(10, [("100", "1")], snapshot=True))
        await eventually(lambda: self.initialized(exchange))
        venue.socket_status = 503
        await socket.close()
        await eventually(lambda: not self.initialized(exchange))
        assert not exchange.is_book_live(PAIR)
        venue.socket_status = None
        again = await venue.socket(2, subscriptions=4)
        assert not exchange.is_book_live(PAIR)
        await again.send(frames.book(3, [("100", "1")], snapshot=True))
        await eventually(lambda: exchange.is_book_live(PAIR))

    async def test_a_gap_interrupts_it_until_the_next_snapshot(
        self, exchange: ParadexPerpetualDerivative, venue: Venue, socket: Socket
    ) -> None:
        await socket.send(frames.book(10, snapshot=True), frames.book(12))
        await venue.until(lambda: [method for method, _ in socket.calls].count("subscribe") == 4)
        assert not self.initialized(exchange)
        await socket.send(frames.book(20, snapshot=True))
        await eventually(lambda: self.initialized(exchange))

    async def test_a_server_that_freezes_is_noticed(
        self, exchange: ParadexPerpetualDerivative, venue: Venue, socket: Socket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(CONSTANTS, "WS_SILENCE", 0.2)
        await socket.close()
        await venue.socket(2)  # its watchdog has the patience of this test
        await venue.until(lambda: any(len(later.channels) == 4 for later in venue.sockets[2:]))


class TestWatching:
    @pytest.fixture(autouse=True)
    def no_pauses(self, exchange: ParadexPerpetualDerivative, clock: Clock) -> None:
        exchange._orderbook_ds._sleep = clock.sleep  # type: ignore[method-assign]

    async def test_the_first_question_opens_a_socket_and_later_ones_are_answered(
        self, exchange: ParadexPerpetualDerivative, venue: Venue
    ) -> None:
        assert exchange.best_bid_ask(PAIR) is None
        socket = await venue.socket(1, subscriptions=1)
        assert socket.channels == [BBO]
        await socket.send(frames.bbo(("60000.1", "0.00000001"), None))
        await eventually(lambda: exchange.best_bid_ask(PAIR))
        assert exchange.best_bid_ask(PAIR) == utils.BestBidAsk(
            (Decimal("60000.1"), Decimal("0.00000001")), None, pytest.approx(NOW)
        )
        assert len(venue.sockets) == 1

    async def test_the_interactive_book_is_exact_and_knows_the_best_sizes(
        self, exchange: ParadexPerpetualDerivative, venue: Venue
    ) -> None:
        assert exchange.interactive_order_book(PAIR) is None
        socket = await venue.socket(1, subscriptions=1)
        assert socket.channels == [INTERACTIVE]
        tops = [("100.3", "1"), ("100.2", "2"), ("100.1", "3"), ("100.4", "4")]
        await socket.send(frames.book(5, [("100.3", "1"), ("99", "2")], [("100.2", "2")], snapshot=True, tops=tops))
        await eventually(lambda: exchange.interactive_order_book(PAIR))
        book = exchange.interactive_order_book(PAIR)
        assert book is not None
        assert book.bids == ((Decimal("100.3"), Decimal(1)), (Decimal(99), Decimal(2)))
        assert book.asks == ((Decimal("100.2"), Decimal(2)),)  # crossed, as it may be
        levels = [(Decimal(price), Decimal(size)) for price, size in tops]
        best = book.best
        assert [best.bid_interactive, best.ask_interactive, best.bid_api, best.ask_api] == levels
        assert exchange._orderbook_ds._books == {}  # the book that is traded on knows nothing of it

    async def test_changes_to_the_interactive_book_are_applied_to_it(
        self, exchange: ParadexPerpetualDerivative, venue: Venue
    ) -> None:
        exchange.interactive_order_book(PAIR)
        socket = await venue.socket(1, subscriptions=1)
        await socket.send(
            frames.book(4, [("1", "1")]),  # before the book
            frames.book(5, [("100", "1"), ("99", "2")], [("101", "2")], snapshot=True),
            frames.book(6, [("100", "0"), ("99.5", "3")], [("100.5", "1")]),
            frames.book(6, [("98", "1")]),  # told twice
        )
        await eventually(lambda: (book := exchange.interactive_order_book(PAIR)) and len(book.asks) == 2)
        book = exchange.interactive_order_book(PAIR)
        assert book is not None
        assert [price for price, _ in book.bids] == [Decimal("99.5"), Decimal(99)]
        assert [price for price, _ in book.asks] == [Decimal("100.5"), Decimal(101)]

    async def test_all_that_is_watched_shares_a_socket_and_survives_a_reconnection(
        self, exchange: ParadexPerpetualDerivative, venue: Venue
    ) -> None:
        exchange.best_bid_ask(PAIR)
        await venue.socket(1, subscriptions=1)
        exchange.best_bid_ask(ETH_PAIR)
        socket = await venue.socket(1, subscriptions=2)
        await socket.send(frames.bbo())
        await eventually(lambda: exchange.best_bid_ask(PAIR))
        await socket.close()
        again = await venue.socket(2, subscriptions=2)
        assert set(again.channels) == {BBO, f"bbo.{ETH_MARKET}"}
        assert exchange.best_bid_ask(PAIR) is None  # what was known is of before

    async def test_one_pair_or_all_can_be_left_out_again(
        self, exchange: ParadexPerpetualDerivative, venue: Venue
    ) -> None:
        for pair in (PAIR, ETH_PAIR):
            exchange.best_bid_ask(pair)
        exchange.interactive_order_book(PAIR)
        socket = await venue.socket(1, subscriptions=3)
        exchange.stop_watching(PAIR)
        await venue.until(lambda: socket.channels == [f"bbo.{ETH_MARKET}"])
        exchange.stop_watching()
        await venue.until(lambda: socket.websocket.closed)
        exchange.best_bid_ask(PAIR)
        assert (await venue.socket(2, subscriptions=1)).channels == [BBO]

    async def test_a_socket_that_closes_slowly_forgets_nothing_of_the_next_one(
        self, exchange: ParadexPerpetualDerivative, venue: Venue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        close, may_close = web_utils.RpcSession.disconnect, asyncio.Event()

        async def close_slowly(session: web_utils.RpcSession) -> None:
            await may_close.wait()
            await close(session)

        exchange.best_bid_ask(PAIR)
        await venue.socket(1, subscriptions=1)
        slow = exchange._orderbook_ds._watch._task
        assert slow is not None
        monkeypatch.setattr(web_utils.RpcSession, "disconnect", close_slowly)
        exchange.stop_watching()
        exchange.best_bid_ask(PAIR)
        await (await venue.socket(2, subscriptions=1)).send(frames.bbo())
        await eventually(lambda: exchange.best_bid_ask(PAIR))
        may_close.set()
        await asyncio.wait([slow])
        assert exchange.best_bid_ask(PAIR) is not None

    async def test_stopping_the_connector_closes_the_socket(
        self, exchange: ParadexPerpetualDerivative, venue: Venue
    ) -> None:
        exchange.best_bid_ask(PAIR)
        socket = await venue.socket(1, subscriptions=1)
        await exchange.stop_network()
        await venue.until(lambda: socket.websocket.closed)

    async def test_a_refused_channel_is_asked_for_again_and_keeps_nobody_waiting(
        self, exchange: ParadexPerpetualDerivative, venue: Venue
    ) -> None:
        def refuse_twice(socket: Socket, call: payloads.Payload) -> payloads.Payload:
            asked = [params for _, params in socket.calls if params == call["params"]]
            refused = call["params"]["channel"] == BBO and len(asked) < 3
            return {"error": {"code": 100, "message": "halted"}} if refused else {"result": {}}

        venue.rpc["subscribe"] = refuse_twice
        exchange.best_bid_ask(PAIR)
        exchange.best_bid_ask(ETH_PAIR)
        assert set((await venue.socket(1, subscriptions=2)).channels) == {BBO, f"bbo.{ETH_MARKET}"}

    async def test_a_frame_that_cannot_be_read_ends_nothing(
        self, exchange: ParadexPerpetualDerivative, venue: Venue
    ) -> None:
        exchange.best_bid_ask(PAIR)
        socket = await venue.socket(1, subscriptions=1)
        await socket.send(frames.bbo()[:40], frames.book(1, [("1", "1")])[:100], b"", frames.bbo())
        await eventually(lambda: exchange.best_bid_ask(PAIR))
        assert len(venue.sockets) == 1

    async def test_best_sizes_can_be_asked_for(self, exchange: ParadexPerpetualDerivative, venue: Venue) -> None:
        tops: dict[str, Any] = {"best_bid_api": ["60000", "0.5"], "best_bid_interactive": ["60000.1", "0.1"]}
        venue.on("GET", "/orderbook/*", payloads.order_book(**tops, best_ask_api=[], best_ask_interactive=["", ""]))
        best = await exchange.fetch_best_sizes(PAIR)
        assert best == utils.BestSizes(
            (Decimal(60000), Decimal("0.5")), None, (Decimal("60000.1"), Decimal("0.1")), None, pytest.approx(NOW)
        )

    async def test_a_pair_that_does_not_exist_is_named(self, exchange: ParadexPerpetualDerivative) -> None:
        for ask in (exchange.best_bid_ask, exchange.interactive_order_book, exchange.stop_watching):
            with pytest.raises(ValueError, match="use BTC-USDC instead of BTC-USD"):
                ask("BTC-USD")


class TestSilence:
    """The watchdog of a socket."""

    @pytest.fixture(autouse=True)
    def short(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(CONSTANTS, "WS_SILENCE", 0.05)

    async def until_closed(self, session: web_utils.RpcSession) -> str:
        with pytest.raises(ConnectionError) as error:
            async with asyncio.timeout(PATIENCE):
                await session.closed()
        return str(error.value)

    async def test_a_public_socket_that_says_nothing_is_dead(self, api_factory: Any, venue: Venue) -> None:
        async with web_utils.RpcSession(api_factory, CONSTANTS.SANDBOX_DOMAIN, lambda _: None) as session:
            assert "nothing has come for 0.05 s" in await self.until_closed(session)

    def test_heartbeats_keep_it_alive(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(CONSTANTS, "WS_SILENCE", 4.0)

        class Heartbeats(WSAssistant):
            def __init__(self) -> None:
                pass

            async def iter_messages(self) -> AsyncIterator[WSResponse]:
                for _ in range(10):
                    await asyncio.sleep(3.0)
                    yield WSResponse(frames.heartbeat())
                await asyncio.Event().wait()

        async def silence() -> float:
            """How long it takes until the session is dead."""
            loop = asyncio.get_running_loop()
            session = web_utils.RpcSession(None, CONSTANTS.SANDBOX_DOMAIN, lambda _: None)  # type: ignore[arg-type]
            began = session._heard_at = loop.time()
            session._reader = asyncio.create_task(session._read(Heartbeats()))
            session._watchdog = asyncio.create_task(session._watch())
            with pytest.raises(ConnectionError, match="nothing has come"):
                await session.closed()
            session._reader.cancel()
            return loop.time() - began

        assert run_jumping(silence()) == 10 * 3.0 + 4.0

    @pytest.mark.parametrize("blocked", [False, True])
    async def test_a_socket_that_tells_its_news_but_answers_no_calls_is_dead(
        self, api_factory: Any, venue: Venue, monkeypatch: pytest.MonkeyPatch, blocked: bool
    ) -> None:
        monkeypatch.setattr(CONSTANTS, "WS_SILENCE", 3600.0)
        monkeypatch.setattr(CONSTANTS, "WS_CLOSE_TIMEOUT", 0.05)
        venue.rpc = dict.fromkeys(("order.create", "unsubscribe"), lambda *_: None)
        async with web_utils.RpcSession(api_factory, CONSTANTS.SANDBOX_DOMAIN, lambda _: None) as session:
            socket = await venue.socket()
            monkeypatch.setattr(CONSTANTS, "WS_CALL_TIMEOUT", 0.05)
            if blocked:  # until what waits to be written is more than anybody on the way will keep
                socket.transport.pause_reading()
            with pytest.raises(web_utils.NoAnswerError):
                await session.call("order.create", {"client_id": "a" * 20_000_000 if blocked else "a"})
            assert "calls are not answered any more" in await self.until_closed(session)
            await socket.send(frames.heartbeat())  # it is not the server that has closed it
        if blocked:
            socket.transport.abort()

    async def test_a_single_call_that_is_not_answered_ends_nothing(
        self, api_factory: Any, venue: Venue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(CONSTANTS, "WS_SILENCE", 3600.0)
        venue.rpc["order.create"] = lambda *_: None
        async with web_utils.RpcSession(api_factory, CONSTANTS.SANDBOX_DOMAIN, lambda _: None) as session:
            socket = await venue.socket()
            with monkeypatch.context() as impatient:
                impatient.setattr(CONSTANTS, "WS_CALL_TIMEOUT", 0.05)
                with pytest.raises(web_utils.NoAnswerError):
                    await session.call("order.create", {})
            await venue.until(lambda: ("unsubscribe", {"channel": "bbo.ALL"}) in socket.calls)
            await session.call("order.cancel", {})  # answered after that one
            assert session.is_open
            assert not session._unanswered.is_set()

    async def test_a_private_socket_without_heartbeats_lives_while_calls_are_answered(
        self, api_factory: Any, venue: Venue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def answer_twice(socket: Socket, _: payloads.Payload) -> payloads.Payload | None:
            methods = [method for method, _ in socket.calls]
            asked = methods[methods.index("auth") :].count("unsubscribe") if "auth" in methods else 0
            if asked == 2:
                monkeypatch.setattr(CONSTANTS, "WS_CALL_TIMEOUT", 0.05)  # of the third, which is not answered
            return {"result": {}} if asked < 3 else None

        venue.rpc["unsubscribe"] = answer_twice
        private = web_utils.RpcSession(api_factory, CONSTANTS.SANDBOX_DOMAIN, lambda _: None, authenticate=True)
        async with private as session:
            assert "nothing has come" in await self.until_closed(session)
            socket = await venue.socket()
        assert [method for method, _ in socket.calls].count("unsubscribe") >= 3

    async def test_a_private_socket_whose_heartbeats_end_is_dead(
        self, api_factory: Any, venue: Venue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        private = web_utils.RpcSession(api_factory, CONSTANTS.SANDBOX_DOMAIN, lambda _: None, authenticate=True)
        async with private as session:
            socket = await venue.socket()
            await socket.send(frames.heartbeat())
            await eventually(lambda: session._has_heartbeats)
            call = AsyncMock()
            monkeypatch.setattr(session, "call", call)  # it is not asked any more, as it may have been until now
            assert "nothing has come" in await self.until_closed(session)
            call.assert_not_awaited()
