"""The public streams: order books, trades, the market summaries that carry funding, and what is watched on demand."""

import asyncio
import contextlib
import itertools
import logging
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_utils as utils,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.core.data_type.common import TradeType
from hummingbot.core.data_type.funding_info import FundingInfo
from hummingbot.core.data_type.order_book import OrderBook
from hummingbot.core.data_type.order_book_message import OrderBookMessage, OrderBookMessageType
from hummingbot.core.data_type.order_book_row import OrderBookRow
from hummingbot.core.data_type.order_book_tracker import OrderBookTracker
from hummingbot.core.data_type.perpetual_api_order_book_data_source import PerpetualAPIOrderBookDataSource
from hummingbot.core.utils.async_utils import safe_ensure_future
from hummingbot.core.web_assistant.web_assistants_factory import WebAssistantsFactory

if TYPE_CHECKING:
    from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import (
        ParadexPerpetualDerivative,
    )


class _BookFeed:
    """What is known of one market's book stream; times are those of the event loop.

    :ivar seq: of the last frame applied; None while the book is not what the exchange told last
    :ivar heard_at: when something was applied, or REST has confirmed that there was nothing to be told
    :ivar is_suspect: whether REST is to be asked soon if nothing more comes
    :ivar tells_old: whether frames have come since then whose numbers had been passed
    :ivar lost_at: since when `seq` is None
    :ivar has_only_deltas: whether changes have come since then, which are nothing without a whole book
    :ivar ask_at: when to ask for a snapshot that has not come
    :ivar subscribing: the new subscription that is going on
    :ivar asking: the question to REST that is going on
    """

    def __init__(self, trading_pair: str, market: str, settings: utils.Settings, warn: Callable[[str], None]):
        self.trading_pair = trading_pair
        self.market = market
        self._settings = settings
        self.channel = self._channel(settings.book_feed)
        self.seq: int | None = None
        self.heard_at = 0.0
        self.is_suspect = False
        self.tells_old = False
        self.lost_at = _now()
        self.has_only_deltas = False
        self.ask_at = 0.0
        self.subscribing: asyncio.Task[None] | None = None
        self.asking: asyncio.Task[None] | None = None
        self.gaps: deque[float] = deque(maxlen=CONSTANTS.MAX_BOOK_GAPS)
        self._missed = 0  # subscriptions in a row that brought changes and no whole book
        self.warn = web_utils.Sparingly(warn)
        self._backoff = web_utils.Backoff(CONSTANTS.BOOK_SNAPSHOT_TIMEOUT)

    def cancel(self) -> None:
        for task in (self.subscribing, self.asking):
            if task is not None:
                task.cancel()

    def take(self, seq: int, is_suspect: bool) -> None:
        """Notes that a frame has been applied."""
        if self.seq is None:
            self._backoff.reset()
        self.seq, self.heard_at, self.is_suspect, self.tells_old = seq, _now(), is_suspect, False
        self.has_only_deltas, self._missed = False, 0

    def pass_over(self, seq: int) -> None:
        """Notes a frame that is no news: told twice, most likely, unless the exchange has begun to count anew."""
        if self.seq is not None and seq < self.seq:
            self.is_suspect = self.tells_old = True

    def lose(self) -> None:
        """Notes that the book is not what the exchange told last."""
        if self.seq is not None:
            self.seq, self.lost_at = None, _now()

    @property
    def is_subscribing(self) -> bool:
        return self.subscribing is not None and not self.subscribing.done()

    @property
    def tells_whole_books(self) -> bool:
        return self.channel == self._channel(CONSTANTS.BOOK_FEED_SNAPSHOT)

    def wait_for_snapshot(self) -> None:
        self.ask_at = _now() + self._backoff.next()

    def give_up_on_deltas(self) -> bool:
        """Notes a gap. Whether there have been so many that the feed of whole books is the better one.

        No source says that a market's numbers are consecutive for everybody; whole books are right either way.
        """
        now = _now()
        self.gaps.append(now)
        full = len(self.gaps) == CONSTANTS.MAX_BOOK_GAPS and now - self.gaps[0] < CONSTANTS.BOOK_GAP_WINDOW
        if full:
            self.channel = self._channel(CONSTANTS.BOOK_FEED_SNAPSHOT)
        return full

    def miss_snapshot(self) -> bool:
        """Notes that no snapshot has come. Whether that was so repeatedly while changes came: then the feed of whole
        books is the better one, for no source says that the other one has to begin with a snapshot."""
        self._missed += self.has_only_deltas
        self.has_only_deltas = False
        gives_up = self._missed == CONSTANTS.MAX_MISSED_SNAPSHOTS and not self.tells_whole_books
        if gives_up:
            self.channel = self._channel(CONSTANTS.BOOK_FEED_SNAPSHOT)
        return gives_up

    def _channel(self, feed: str) -> str:
        return utils.book_channel(self.market, feed, self._settings.book_interval, self._settings.book_price_tick)


def _now() -> float:
    return asyncio.get_running_loop().time()


class MarketWatch:
    """What strategies and people look at now and then: best prices and the interactive book of markets.

    All of it comes over one socket of its own, opened for the first channel that is wanted: two books of one market
    cannot be told apart on one socket, and the books that strategies trade on are not to be disturbed. What is known is
    forgotten when the socket drops, so that nobody takes it for the present.

    :param sleep: waits for so many seconds
    """

    def __init__(
        self,
        api_factory: WebAssistantsFactory,
        domain: str,
        sleep: Callable[[float], Awaitable[None]],
        logger: logging.Logger,
    ):
        self._api_factory = api_factory
        self._domain = domain
        self._sleep = sleep
        self._logger = logger
        self._channels: set[str] = set()
        self._more = asyncio.Event()  # channels that are wanted, or books that have to be told anew
        self._task: asyncio.Task[None] | None = None
        self._books: dict[str, web_utils.DisplayBookFrame] = {}
        self.best: dict[str, utils.BestBidAsk] = {}  # by market
        self.books: dict[str, utils.InteractiveBook] = {}  # by market

    def want(self, channel: str) -> None:
        """Has a channel subscribed to, and again after each reconnection."""
        if channel not in self._channels:
            self._channels.add(channel)
            self._more.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def drop(self, market: str) -> None:
        """Does without a market from now on; the socket closes with the last one."""
        self._channels = {channel for channel in self._channels if market not in channel.split("@")[0].split(".")}
        self._forget(market)
        if not self._channels:
            self.stop()
        self._more.set()

    def stop(self) -> None:
        """Closes the socket; what is wanted afterwards opens another one."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._channels.clear()
        self._forget()

    async def _run(self) -> None:
        backoff = web_utils.Backoff()
        while True:
            session: web_utils.RpcSession | None = None
            try:
                async with web_utils.RpcSession(self._api_factory, self._domain, self._on_message) as session:
                    subscribing = asyncio.create_task(self._subscribe(session))
                    try:
                        await session.closed()
                    finally:
                        subscribing.cancel()
                        await asyncio.gather(subscribing, return_exceptions=True)
            except (ConnectionError, web_utils.ParadexError) as error:
                self._logger.debug(f"The watched markets' stream was interrupted ({error}). Reconnecting.")
            except Exception:
                self._logger.exception("Unexpected error in the watched markets' stream. Reconnecting.")
            finally:
                if self._task is asyncio.current_task():  # else it is another's, of a socket that was opened meanwhile
                    self._forget()
            backoff.stood(session)
            await self._sleep(backoff.next())

    async def _subscribe(self, session: web_utils.RpcSession) -> None:
        backoff = web_utils.Backoff()
        while True:
            self._more.clear()
            for channel in session.channels - self._channels:
                await self._try(session.unsubscribe, channel)
            refused = [
                channel
                for channel in self._channels - session.channels
                if not await self._try(session.subscribe, channel)
            ]
            if refused:
                await self._sleep(backoff.next())
            else:
                backoff.reset()
                await self._more.wait()

    async def _try(self, method: Callable[[str], Awaitable[None]], channel: str) -> bool:
        try:
            await method(channel)
        except (ConnectionError, web_utils.ParadexError) as error:
            self._logger.warning(f"Could not (un)subscribe {channel}: {error}")
            return False
        return True

    def _forget(self, market: str | None = None) -> None:
        for known in (self._books, self.best, self.books):
            if market is None:
                known.clear()
            else:
                known.pop(market, None)

    def _on_message(self, message: Any) -> None:
        if not isinstance(message, bytes):
            return
        try:
            book = web_utils.decode_display_book(message)
            if book is not None:
                self._take_book(book)
                return
            frame = web_utils.decode_frame(message)
        except web_utils.FrameError as error:
            self._logger.debug(f"Skipped a message of the watched markets' stream: {error}")
            return
        if isinstance(frame, web_utils.BboFrame):
            self.best[frame.market] = frame.best

    def _take_book(self, frame: web_utils.DisplayBookFrame) -> None:
        """Takes a whole book, or changes to the one before: no source says which the interactive feed sends."""
        if not frame.is_snapshot:
            before = self._books.get(frame.market)
            if before is None or frame.seq <= before.seq:
                return
            frame = frame._replace(
                bids=_changed(before.bids, frame.bids, best_first=-1), asks=_changed(before.asks, frame.asks)
            )
        self._books[frame.market] = frame
        self.books[frame.market] = utils.InteractiveBook(
            tuple(frame.bids), tuple(frame.asks), frame.best, frame.best.timestamp
        )


def _changed(levels: list[utils.Level], changes: list[utils.Level], best_first: int = 1) -> list[utils.Level]:
    """Levels with changes to them applied, best first; a size of 0 removes."""
    sizes = {**dict(levels), **dict(changes)}
    return sorted(((price, size) for price, size in sizes.items() if size), key=lambda level: best_first * level[0])


class ParadexPerpetualAPIOrderBookDataSource(PerpetualAPIOrderBookDataSource):
    """Keeps the order books of the trading pairs.

    Frames go straight into the framework's `OrderBook` objects as they arrive, in the order in which they arrive;
    the tracker's queues would hold snapshots back behind the deltas that follow them.
    """

    # The framework would overwrite the books with an hourly REST snapshot, older than what the stream has brought.
    FULL_ORDER_BOOK_RESET_DELTA_SECONDS = None  # type: ignore[assignment]

    def __init__(
        self,
        trading_pairs: list[str],
        connector: "ParadexPerpetualDerivative",
        api_factory: WebAssistantsFactory,
        domain: str = CONSTANTS.DEFAULT_DOMAIN,
        settings: utils.Settings | None = None,
    ):
        super().__init__(trading_pairs)
        self._settings = settings or utils.Settings()
        self._connector = connector
        self._api_factory = api_factory
        self._domain = domain
        self._books: dict[str, OrderBook] = {}
        self._feeds: dict[str, _BookFeed] = {}  # by market
        self._session: web_utils.RpcSession | None = None
        self._came_alive = asyncio.Event()
        self._has_been_connected = False
        self._warn_of_frames = web_utils.Sparingly(self.logger().warning)
        self._warn_of_interruptions = web_utils.Sparingly(self.logger().warning)
        #: How often a book had to be taken anew because the stream was wrong or silent, by trading pair.
        self.resyncs: Counter[str] = Counter()
        self._watch = MarketWatch(api_factory, domain, lambda delay: self._sleep(delay), self.logger())

    # === What the framework asks for over REST ===

    async def get_last_traded_prices(self, trading_pairs: list[str], domain: str | None = None) -> dict[str, float]:
        """:return: the last price by trading pair, in quote"""
        return await self._connector.get_last_traded_prices(trading_pairs=trading_pairs)

    async def get_new_order_book(self, trading_pair: str) -> OrderBook:
        """The book of a pair, filled, and from then on kept up by the stream."""
        market = await self._connector.exchange_symbol_associated_to_pair(trading_pair)
        book = self._book(trading_pair)
        if not self._is_live(market):
            snapshot = await self._order_book_snapshot(trading_pair)
            if not self._is_live(market):  # the stream may have come first
                book.apply_snapshot(snapshot.bids, snapshot.asks, snapshot.update_id)
        return book

    async def get_funding_info(self, trading_pair: str) -> FundingInfo:
        """The pair's funding info from `GET /markets/summary`."""
        return (await self.get_funding_infos([trading_pair]))[0]

    async def get_funding_infos(self, trading_pairs: Sequence[str]) -> list[FundingInfo]:
        """The pairs' funding infos, in their order, from one request however many there are."""
        markets = [await self._connector.exchange_symbol_associated_to_pair(pair) for pair in trading_pairs]
        query = {"market": markets[0] if len(markets) == 1 else "ALL"}
        answer = await self._get(CONSTANTS.MARKETS_SUMMARY_PATH, query)
        summaries = {summary["symbol"]: summary for summary in answer["results"]}
        return [
            utils.funding_info_from_summary(
                summaries[market], trading_pair, self._connector.next_funding_timestamp(trading_pair)
            )
            for market, trading_pair in zip(markets, trading_pairs, strict=True)
        ]

    async def fetch_best_sizes(self, trading_pair: str) -> utils.BestSizes:
        """The best levels with and without Retail Price Improvement orders, from `GET /orderbook/{market}`."""
        return utils.best_sizes_from_book(await self._get_book(trading_pair, {"depth": 1}))

    async def _get_book(self, trading_pair: str, params: Mapping[str, Any]) -> Any:
        market = await self._connector.exchange_symbol_associated_to_pair(trading_pair)
        path = CONSTANTS.ORDER_BOOK_PATH.format(market=web_utils.quoted(market))
        return await self._get(path, params, limit_id=CONSTANTS.ORDER_BOOK_PATH)

    async def _order_book_snapshot(self, trading_pair: str) -> OrderBookMessage:
        """The book from `GET /orderbook/{market}`.

        :raises web_utils.UnreadableAnswerError: if any part of it makes no sense: a wrong book is worse than none
        """
        params: dict[str, Any] = {"depth": 20}
        if self._settings.book_price_tick is not None:
            params["price_tick"] = utils.plain(self._settings.book_price_tick)
        book = await self._get_book(trading_pair, params)
        try:
            bids, asks = utils.book_levels(book, "bids"), utils.book_levels(book, "asks")
            content = {
                "trading_pair": trading_pair,
                "update_id": utils.sequence_number(book),
                "bids": bids,
                "asks": asks,
            }
            timestamp = utils.seconds(utils.milliseconds_from(book, "last_updated_at"))
        except utils.PAYLOAD_ERRORS as error:
            raise web_utils.UnreadableAnswerError(f"The book of {trading_pair} cannot be read: {error}") from None
        if bids and asks and self._meet(float(max(bids)[0]), float(min(asks)[0])):
            raise web_utils.UnreadableAnswerError(
                f"The book of {trading_pair} makes no sense: its best bid {max(bids)[0]} is not below its best ask "
                f"{min(asks)[0]}"
            )
        return OrderBookMessage(OrderBookMessageType.SNAPSHOT, content, timestamp=timestamp)

    async def _get(self, path: str, params: Mapping[str, Any], limit_id: str | None = None) -> Any:
        return await web_utils.api_request(
            self._api_factory, path, domain=self._domain, params=params, limit_id=limit_id
        )

    # === What is looked at on demand ===

    def best_bid_ask(self, market: str) -> utils.BestBidAsk | None:
        """The best prices as `bbo.{market}` tells them; None until the first message after the first question."""
        self._watch.want(CONSTANTS.BBO_CHANNEL.format(market=market))
        return self._watch.best.get(market)

    def interactive_order_book(self, market: str) -> utils.InteractiveBook | None:
        """The interactive book; None until the first message after the first question."""
        self._watch.want(utils.book_channel(market, CONSTANTS.BOOK_FEED_INTERACTIVE, self._settings.book_interval))
        return self._watch.books.get(market)

    def stop_watching(self, market: str | None = None) -> None:
        """Does without what has been looked at on demand, of one market or of all."""
        if market is None:
            self._watch.stop()
        else:
            self._watch.drop(market)

    # === The stream ===

    def live_trading_pairs(self) -> set[str]:
        """The pairs whose books are what the exchange told last: their stream is on, and none of it is missing."""
        return {feed.trading_pair for feed in self._feeds.values() if feed.seq is not None}

    async def wait_until_live(self, trading_pair: str) -> None:
        """Returns when the stream has told the pair's book."""
        while trading_pair not in self.live_trading_pairs():
            self._came_alive.clear()
            await self._came_alive.wait()

    async def listen_for_subscriptions(self) -> None:
        """Keeps the public socket open: connects, subscribes, and starts again after pauses that grow."""
        care = asyncio.create_task(self._look_after_books())
        try:
            await self._keep_connected()
        finally:
            care.cancel()
            if self._session is None:  # else a listener that was started meanwhile keeps the books up
                for feed in self._feeds.values():
                    feed.cancel()
                    self._empty(feed)  # nobody keeps it up any more, and strategies may go on

    async def _keep_connected(self) -> None:
        backoff = web_utils.Backoff()
        while True:
            session: web_utils.RpcSession | None = None
            try:
                async with web_utils.RpcSession(self._api_factory, self._domain, self._on_message) as session:
                    self._ws_assistant = session.assistant
                    self._session = session
                    await self._subscribe_all(session)
                    if self._has_been_connected:
                        self._connector.markets_may_have_changed()
                    self._has_been_connected = True
                    await session.closed()
            except (ConnectionError, web_utils.ParadexError) as error:
                self._warn_of_interruptions(
                    f"The public stream of {self._domain} was interrupted ({error}). Reconnecting."
                )
            except Exception:
                self.logger().exception("Unexpected error in the public stream. Reconnecting.")
            finally:
                if self._session is session:  # else a listener that was started meanwhile has its own
                    self._session = self._ws_assistant = None
                    for feed in self._feeds.values():
                        feed.lose()
            backoff.stood(session)
            await self._sleep(backoff.next())

    async def subscribe_to_trading_pair(self, trading_pair: str) -> bool:
        """Adds a pair's channels to the open socket; without one, the next connection has them.

        :return: whether the exchange acknowledged
        """
        self.add_trading_pair(trading_pair)
        if self._session is None:
            self.logger().warning(f"{trading_pair} will be subscribed to when the public stream is connected again.")
            return True
        try:
            await self._subscribe(self._session, trading_pair)
        except ValueError as error:
            self.logger().error(f"Could not subscribe to {trading_pair}: {error}")
            self.remove_trading_pair(trading_pair)
            return False
        except (ConnectionError, web_utils.ParadexError) as error:
            self.logger().error(f"Could not subscribe to {trading_pair}: {error}")
            await self.unsubscribe_from_trading_pair(trading_pair)  # from what was acknowledged before
            return False
        return True

    async def unsubscribe_from_trading_pair(self, trading_pair: str) -> bool:
        """Takes a pair's channels off the open socket.

        :return: whether the exchange acknowledged
        """
        self.remove_trading_pair(trading_pair)
        self._books.pop(trading_pair, None)
        market = await self._connector.exchange_symbol_associated_to_pair(trading_pair)
        feed = self._feeds.pop(market, None)
        if feed is not None and feed.asking is not None:
            feed.asking.cancel()  # it might subscribe again
        if feed is not None and feed.subscribing is not None:
            await asyncio.wait([feed.subscribing])  # what it subscribes to has to be known
        self._watch.drop(market)
        if self._session is None or feed is None:
            return True
        try:
            for channel in (*self._channels(feed), CONSTANTS.MARKETS_CHANNEL.format(market=market)):
                await self._session.unsubscribe(channel)
        except (ConnectionError, web_utils.ParadexError) as error:
            self.logger().error(f"Could not unsubscribe from {trading_pair}: {error}")
            # Whether the channel is still on nobody knows; a new connection has just what is wanted.
            if self._session is not None:
                await self._session.disconnect()
            return False
        return True

    async def _subscribe_all(self, session: web_utils.RpcSession) -> None:
        # All at once: one after the other, fifty pairs would take 150 round trips.
        await asyncio.gather(*(self._subscribe_or_say(session, pair) for pair in self._trading_pairs))
        self.logger().info("Subscribed to the public order book, trade and market summary channels.")

    async def _subscribe_or_say(self, session: web_utils.RpcSession, trading_pair: str) -> None:
        """Subscribes; one pair that the exchange does not have must not keep the others from their data."""
        try:
            await self._subscribe(session, trading_pair)
        except ValueError as error:
            self.logger().error(f"Could not subscribe to {trading_pair}: {error}")
        except web_utils.RpcError as error:
            self.logger().error(f"Could not subscribe to {trading_pair}, trying again: {error}")
            safe_ensure_future(self._subscribe_later(session, trading_pair))

    async def _subscribe(self, session: web_utils.RpcSession, trading_pair: str) -> None:
        market = await self._connector.exchange_symbol_associated_to_pair(trading_pair)
        feed = self._feeds.setdefault(market, _BookFeed(trading_pair, market, self._settings, self.logger().warning))
        feed.wait_for_snapshot()
        subscribing = (session.subscribe(channel) for channel in self._channels(feed))
        for result in await asyncio.gather(*subscribing, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result
        try:
            await session.subscribe(CONSTANTS.MARKETS_CHANNEL.format(market=market))
        except web_utils.RpcError as error:
            self.logger().debug(f"Changes of {market} are learned from REST only: {error}")

    async def _subscribe_later(self, session: web_utils.RpcSession, trading_pair: str) -> None:
        """Asks again for what was refused, after pauses that grow: until then the pair's book stands still."""
        backoff = web_utils.Backoff()
        while True:
            await self._sleep(backoff.next())
            if session is not self._session or trading_pair not in self._trading_pairs:
                return  # the next connection subscribes to everything
            try:
                await self._subscribe(session, trading_pair)
                self._connector.markets_may_have_changed()  # as this one has: nobody has told that it is back
                return
            except (ConnectionError, ValueError):
                return
            except web_utils.ParadexError as error:
                self.logger().debug(f"Still no subscription to {trading_pair}: {error}")

    @staticmethod
    def _channels(feed: _BookFeed) -> tuple[str, ...]:
        return (
            feed.channel,
            CONSTANTS.TRADES_CHANNEL.format(market=feed.market),
            CONSTANTS.MARKET_SUMMARY_CHANNEL.format(market=feed.market),
        )

    def _on_message(self, message: Any) -> None:
        """Takes one message of the socket: public channel data is binary, but for the changes of markets."""
        if isinstance(message, str):
            self._warn_of_frames("A text of the public socket is no JSON: it may have told of a market.")
            self._connector.markets_may_have_changed()
            return
        if not isinstance(message, bytes):
            event = utils.market_event(message)
            if event is not None:
                self._take_market_event(*event)
            return
        try:
            frame = web_utils.decode_frame(message)
        except web_utils.FrameError as error:
            self._warn_of_frames(f"Skipped a message of the public stream: {error}")
            for suspect in self._feeds.values():  # of which market it was cannot be told
                suspect.is_suspect = True
            return
        if isinstance(frame, web_utils.BookFrame):
            self._apply_book(frame)
        elif isinstance(frame, web_utils.TradeFrame):
            self._message_queue[self._trade_messages_queue_key].put_nowait(frame)
        elif isinstance(frame, web_utils.SummaryFrame):
            feed = self._feeds.get(frame.market)
            if feed is not None:
                self._connector.mark_price_changed(feed.trading_pair, frame.mark_price)
                self._note_last_price(feed.trading_pair, frame)
                self._message_queue[self._funding_info_messages_queue_key].put_nowait(frame)

    def _note_last_price(self, trading_pair: str, frame: web_utils.SummaryFrame) -> None:
        """Tells a book what the tracker would otherwise ask REST for, every 5 s in a market without trades."""
        book = self._books.get(trading_pair)
        if book is None:
            return
        now = time.perf_counter()  # the tracker's clock for this
        if book.last_applied_trade < now - CONSTANTS.LAST_TRADE_AGE and frame.last_price:
            book.last_trade_price = float(frame.last_price)
        book.last_trade_price_rest_updated = now

    def _take_market_event(self, market: str, kind: str, changed: Mapping[str, Any]) -> None:
        feed = self._feeds.get(market)
        if feed is not None and kind in CONSTANTS.MARKET_ENDS:
            feed.lose()  # its book is over; should the market return, it begins with a snapshot
        self._connector.market_changed(market, kind, changed)

    def _apply_book(self, frame: web_utils.BookFrame) -> None:
        market, seq, is_snapshot, bids, asks, _ = frame
        feed = self._feeds.get(market)
        if feed is None:
            return
        book = self._book(feed.trading_pair)
        if feed.seq is not None and seq <= feed.seq:
            feed.pass_over(seq)
            return
        if is_snapshot:
            if bids and asks and self._meet(max(bids)[0], min(asks)[0]):
                # Asking at once for what was wrong just now, or will be told again by itself, would go on without end.
                at_once = feed.seq is not None and not feed.tells_whole_books
                self._reseed(feed, f"a book came whose best bid is not below its best ask (number {seq})", at_once)
                return
            book.apply_snapshot(bids, asks, seq)
            if feed.seq is None:
                self._came_alive.set()
        elif feed.seq is None:
            feed.has_only_deltas = True  # of before the snapshot
            return
        elif seq != feed.seq + 1:
            self._reseed(feed, f"the book stream jumped from {feed.seq + 1} to {seq}")
            return
        elif not _stays_clear(book, bids, asks) and self._would_cross(book, bids, asks):
            self._reseed(feed, f"with number {seq} the best bid would not be below the best ask")
            return
        else:
            book.apply_diffs(bids, asks, seq)
        # No bids or no asks at all: possible, and a reason to ask REST whether it is so.
        feed.take(seq, is_suspect=_best_prices(book) is None)

    def _would_cross(self, book: OrderBook, bids: Sequence[OrderBookRow], asks: Sequence[OrderBookRow]) -> bool:
        """Whether bids and asks would overlap. The framework's book silently drops levels then, and looks right."""
        best_bid = max(_leading(book.bid_entries(), bids), default=None)
        best_ask = min(_leading(book.ask_entries(), asks), default=None)
        return best_bid is not None and best_ask is not None and self._meet(best_bid, best_ask)

    def _meet(self, bid: float, ask: float) -> bool:
        """Whether these prices cannot both be in a book. Grouping may take both sides to the same price."""
        return bid > ask or (bid == ask and self._settings.book_price_tick is None)

    # === What keeps books right ===

    def _reseed(self, feed: _BookFeed, reason: str, at_once: bool = True) -> None:
        """Takes a book anew: the channel is subscribed to again, and what comes before its snapshot does not count.

        :param at_once: else only after a pause without a snapshot
        """
        was_live = feed.seq is not None
        feed.lose()
        self.resyncs[feed.trading_pair] += 1
        old_channel = feed.channel
        feed.warn(f"{feed.market}: {reason}; taking a new snapshot.")
        if feed.give_up_on_deltas() and feed.channel != old_channel:
            self.logger().warning(f"{feed.market}: too many gaps; using the feed of whole books from now on.")
            at_once = True
        if at_once:
            self._resubscribe_soon(feed)
        elif was_live:
            feed.wait_for_snapshot()

    def _resubscribe_soon(self, feed: _BookFeed) -> None:
        if feed.is_subscribing:
            feed.ask_at = _now()  # again, when that has come to its end
            return
        feed.wait_for_snapshot()
        feed.subscribing = asyncio.create_task(self._resubscribe(feed))

    async def _resubscribe(self, feed: _BookFeed) -> None:
        session = self._session
        if session is None:
            return
        is_doubtful = False  # whether there is a subscription
        try:
            for channel in [name for name in session.channels if name.startswith(f"order_book.{feed.market}.")]:
                try:
                    await session.unsubscribe(channel)
                except web_utils.RpcError as error:
                    if error.code == CONSTANTS.RPC_RATE_LIMITED:
                        return  # it is asked for again
                    session.channels.discard(channel)  # the exchange may have ended it by itself
                    is_doubtful = True
            try:
                await session.subscribe(feed.channel)
            except web_utils.RpcError as error:
                if is_doubtful:
                    raise
                # As of a market that is not listed any more: it is asked for again, and the others keep their stream.
                self.logger().debug(f"{feed.market}: no book yet: {error}")
        except (ConnectionError, web_utils.ParadexError) as error:
            self._warn_of_interruptions(f"{feed.market}: no new snapshot ({error}); reconnecting.")
            await session.disconnect()

    async def _look_after_books(self) -> None:
        """Notices what no message tells: a snapshot that does not come, a stream that is silent."""
        while True:
            await asyncio.sleep(CONSTANTS.BOOK_CARE_INTERVAL)
            for feed in list(self._feeds.values()):
                self._look_after(feed, _now())

    def _look_after(self, feed: _BookFeed, now: float) -> None:
        if feed.seq is None:
            if now - feed.lost_at >= CONSTANTS.BOOK_GRACE:
                self._empty(feed)
            if self._session is not None and now >= feed.ask_at and not feed.is_subscribing:
                if feed.miss_snapshot():
                    self.logger().warning(f"{feed.market}: changes without a book; using the feed of whole books.")
                self._resubscribe_soon(feed)
        elif feed.asking is None or feed.asking.done():
            patience = CONSTANTS.BOOK_SUSPICION if feed.is_suspect else CONSTANTS.BOOK_SILENCE
            if now - feed.heard_at >= patience:
                feed.asking = asyncio.create_task(self._confirm(feed))

    def _empty(self, feed: _BookFeed) -> None:
        """Takes a book that nobody keeps up out of the strategies' sight: without prices they do not quote."""
        book = self._books.get(feed.trading_pair)
        if book is not None and any(itertools.chain(book.bid_entries(), book.ask_entries())):
            book.apply_snapshot([], [], max(book.snapshot_uid, book.last_diff_uid))

    async def _confirm(self, feed: _BookFeed) -> None:
        """Asks REST about a book of which nothing has been heard for a while, and takes it anew if that knows more."""
        seq = feed.seq
        try:
            known = await self._order_book_snapshot(feed.trading_pair)
            # REST may be behind the stream, but not for long; and not where the stream counts lower, too, by now.
            begins_anew = feed.tells_old or _now() - feed.heard_at >= CONSTANTS.BOOK_SILENCE
            counts = known.update_id > (seq or 0) or (known.update_id != seq and begins_anew)
            is_behind = counts and not self._is_same(feed, known)
        except (LookupError, TypeError, ValueError, web_utils.ParadexError) as error:
            self.logger().debug(f"{feed.market}: the book could not be confirmed: {error}")
            is_behind = False
        if is_behind:
            await asyncio.sleep(CONSTANTS.BOOK_SUSPICION)  # it may be on its way
        if feed.seq != seq or seq is None:
            return  # something has come
        if is_behind:
            self._reseed(feed, f"the stream is silent since number {seq}, but the book has changed")
        else:
            feed.heard_at, feed.is_suspect = _now(), False

    def _is_same(self, feed: _BookFeed, known: OrderBookMessage) -> bool:
        book = self._book(feed.trading_pair)
        return _levels(book.bid_entries()) == _levels(known.bids) and _levels(book.ask_entries()) == _levels(known.asks)

    def _book(self, trading_pair: str) -> OrderBook:
        if trading_pair not in self._books:
            self._books[trading_pair] = self.order_book_create_function()
        return self._books[trading_pair]

    def _is_live(self, market: str) -> bool:
        feed = self._feeds.get(market)
        return feed is not None and feed.seq is not None

    # === From frames to the framework's messages ===

    async def _parse_trade_message(  # type: ignore[override]
        self, raw_message: web_utils.TradeFrame, message_queue: asyncio.Queue[Any]
    ) -> None:
        feed = self._feeds.get(raw_message.market)
        if feed is None:
            return
        side = TradeType.BUY if raw_message.is_buy else TradeType.SELL
        content = {
            "trading_pair": feed.trading_pair,
            "trade_type": float(side.value),
            "trade_id": raw_message.trade_id,
            "update_id": raw_message.trade_id,
            "price": raw_message.price,
            "amount": raw_message.size,
        }
        message_queue.put_nowait(OrderBookMessage(OrderBookMessageType.TRADE, content, raw_message.timestamp))

    async def _parse_order_book_snapshot_message(  # type: ignore[override]
        self, raw_message: web_utils.BookFrame, message_queue: asyncio.Queue[Any]
    ) -> None:
        message_queue.put_nowait(await self._book_message(raw_message, OrderBookMessageType.SNAPSHOT))

    async def _parse_order_book_diff_message(  # type: ignore[override]
        self, raw_message: web_utils.BookFrame, message_queue: asyncio.Queue[Any]
    ) -> None:
        message_queue.put_nowait(await self._book_message(raw_message, OrderBookMessageType.DIFF))

    async def _book_message(self, frame: web_utils.BookFrame, kind: OrderBookMessageType) -> OrderBookMessage:
        content = {
            "trading_pair": await self._connector.trading_pair_associated_to_exchange_symbol(frame.market),
            "update_id": frame.seq,
            "bids": [(row.price, row.amount) for row in frame.bids],
            "asks": [(row.price, row.amount) for row in frame.asks],
        }
        return OrderBookMessage(kind, content, timestamp=frame.timestamp)

    async def _parse_funding_info_message(  # type: ignore[override]
        self, raw_message: web_utils.SummaryFrame, message_queue: asyncio.Queue[Any]
    ) -> None:
        trading_pair = await self._connector.trading_pair_associated_to_exchange_symbol(raw_message.market)
        message_queue.put_nowait(
            utils.funding_info_update(raw_message, trading_pair, self._connector.next_funding_timestamp(trading_pair))
        )


class ParadexPerpetualOrderBookTracker(OrderBookTracker):
    """A tracker that starts with all books at once, with what the stream tells first.

    Hummingbot's asks REST for one book after the other, waits a second after each, and gives up for good when one
    request fails. What the stream has not told within `BOOK_PATIENCE` is asked for over REST here, too.
    """

    _data_source: ParadexPerpetualAPIOrderBookDataSource

    async def _init_order_books(self) -> None:
        if all(await asyncio.gather(*(self._init_order_book(pair) for pair in list(self._trading_pairs)))):
            self._order_books_initialized.set()

    async def _init_order_book(self, trading_pair: str) -> bool:
        """:return: whether there is such a pair"""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CONSTANTS.BOOK_PATIENCE):
                await self._data_source.wait_until_live(trading_pair)
        backoff = web_utils.Backoff()
        while True:
            try:
                book = await self._initial_order_book_for_trading_pair(trading_pair)
                break
            except (LookupError, web_utils.ParadexError) as error:
                self.logger().warning(f"No order book of {trading_pair} yet: {error}")
                await self._sleep(backoff.next())
            except ValueError as error:
                self.logger().error(f"There is no order book of {trading_pair}: {error}")
                return False
        self._order_books[trading_pair] = book
        self._tracking_message_queues[trading_pair] = asyncio.Queue()
        self._tracking_tasks[trading_pair] = safe_ensure_future(self._track_single_book(trading_pair))
        self.logger().info(f"Initialized order book for {trading_pair}.")
        return True


def _best_prices(book: OrderBook) -> tuple[float, float] | None:
    """The best bid and ask; None if a side has no orders."""
    try:
        return book.get_price(False), book.get_price(True)
    except OSError:  # its word for a side without orders
        return None


def _stays_clear(book: OrderBook, bids: Sequence[OrderBookRow], asks: Sequence[OrderBookRow]) -> bool:
    """Whether changes are all on their own side of the book, as most are, so that they cannot cross it."""
    best = _best_prices(book)
    if best is None:
        return False
    bid, ask = best
    if bids:
        bid = max(bid, max(bids)[0])
    if asks:
        ask = min(ask, min(asks)[0])
    return bid < ask


def _leading(side: Iterable[OrderBookRow], changes: Sequence[OrderBookRow]) -> list[float]:
    """The prices among which the best of a side will be after changes to it: the best that stays, and what is new."""
    gone = {row.price for row in changes if not row.amount}
    stays = next((row.price for row in side if row.price not in gone), None)
    return [row.price for row in changes if row.amount] + ([] if stays is None else [stays])


def _levels(rows: Iterable[OrderBookRow]) -> list[tuple[float, float]]:
    """A side of a book as deep as the stream tells it."""
    return [(row.price, row.amount) for row, _ in zip(rows, range(CONSTANTS.BOOK_DEPTH), strict=False)]
