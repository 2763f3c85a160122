"""Fan-out: what the exchange did, delivered to whoever subscribed to it.

Each message is encoded once per channel and SBE version, however many clients listen. Delivering never waits: a session
queues what it is given, and one that falls too far behind cuts itself off.
"""

import asyncio
import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from paradex_sandbox.api import frames, render
from paradex_sandbox.api.book_feed import BookFeed, MirrorBook
from paradex_sandbox.api.channels import (
    BY_BASE_ASSET,
    COMPARISON_CHANNELS,
    Channel,
    Topic,
    base_asset_names,
    channel_names,
    is_active_option,
)
from paradex_sandbox.api.fault_streams import Delivery, StreamFaults
from paradex_sandbox.api.transfers import Transfer
from paradex_sandbox.exchange import events as ev
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.model import AssetKind, FundingData, MarketChangeKind
from paradex_sandbox.faults import FaultRegistry

_FLUSH_INTERVAL_MS = 50

Encoder = Callable[[int], bytes]


class Subscriber(Protocol):
    """What the hub needs of a session."""

    version: int

    @property
    def account(self) -> str | None:
        """Address of the authenticated account."""

    @property
    def backlog(self) -> int:
        """How many messages are queued and not sent."""

    def send(self, message: bytes | str) -> None:
        """Queues a binary or text message."""


class Hub:
    """Subscriptions of all sessions, and the delivery to them.

    `private_binary` switches orders, fills, positions and account to SBE; it may be changed at any time.
    """

    def __init__(self, exchange: Exchange, now: Callable[[], int], faults: FaultRegistry, *, private_binary: bool):
        self.private_binary = private_binary
        self._exchange = exchange
        self._now = now
        self._faults = StreamFaults(faults)
        #: Who listens, by channel and account; with the markets it is about, where the subscription is scoped.
        self._subscribers: dict[tuple[str, str | None], dict[Subscriber, set[str] | None]] = {}
        #: By market, the API book and the interactive one.
        self._books: dict[tuple[str, bool], MirrorBook] = {}
        self._feeds: dict[str, BookFeed] = {}
        self._funding_seq: defaultdict[str, int] = defaultdict(int)

    # -- subscriptions ------------------------------------------------------------------------------------------------

    def add(self, subscriber: Subscriber, channel: Channel, scope: set[str] | None = None) -> None:
        """Starts delivering `channel`, and sends its current state where the channel has one (public ones only).

        `scope` limits a channel about all markets to these; it may be changed later. Everything that the exchange did
        must have been published before.
        """
        self._subscribers.setdefault(_key(subscriber, channel), {})[subscriber] = scope
        if channel.topic is Topic.ORDER_BOOK:
            self._open_feed(channel)
        self.send_state(subscriber, channel, scope)

    def send_state(self, subscriber: Subscriber, channel: Channel, scope: set[str] | None = None) -> None:
        """Sends the current state of `channel`, of all its markets or those of `scope`."""
        if channel.topic is Topic.FUNDING_RATE_COMPARISON and subscriber.version == 0:
            return
        for encode in self._current_state(channel, scope):
            self._send(channel.name, [(subscriber, encode(subscriber.version))], is_first=True)

    def remove(self, subscriber: Subscriber, channel: Channel) -> None:
        """Stops delivering `channel`."""
        key = _key(subscriber, channel)
        listeners = self._subscribers.get(key, {})
        listeners.pop(subscriber, None)
        if listeners:
            return
        self._subscribers.pop(key, None)
        if channel.topic is Topic.ORDER_BOOK:
            self._feeds.pop(channel.name, None)
            if channel.market is not None and not any(f.channel.market == channel.market for f in self._feeds.values()):
                for interactive in (False, True):
                    self._books.pop((channel.market, interactive), None)

    def _open_feed(self, channel: Channel) -> None:
        if channel.name in self._feeds:
            return
        assert channel.market is not None
        api_book = self._book_of(channel.market, interactive=False)
        book = self._book_of(channel.market, interactive=True) if channel.is_interactive else api_book
        self._feeds[channel.name] = BookFeed(channel, book, api_book)

    def _book_of(self, market: str, *, interactive: bool) -> MirrorBook:
        book = self._books.get((market, interactive))
        if book is None:
            book = MirrorBook(self._exchange.levels(market, interactive=interactive))
            self._books[market, interactive] = book
        return book

    def _current_state(self, channel: Channel, scope: set[str] | None) -> list[Encoder]:
        ts = self._now()
        if channel.topic is Topic.ORDER_BOOK:
            feed = self._feeds[channel.name]
            return [partial(feed.snapshot, ts=ts)]
        markets = [channel.market] if channel.market is not None else list(self._exchange.markets)
        if scope is not None:
            markets = [market for market in markets if market in scope]
        if channel.base_asset:
            of_base = (m for m in self._exchange.markets.values() if m.base_currency == channel.base_asset)
            markets = [market.symbol for market in of_base if is_active_option(market, self._exchange.now)]
        if channel.topic is Topic.BBO:
            return [_encoder(frames.bbo, self._exchange.bbo(market), ts) for market in markets]
        if channel.topic is Topic.MARKETS_SUMMARY:
            return [_encoder(frames.market_summary, self._exchange.market_summary(market), ts) for market in markets]
        if channel.topic is Topic.FUNDING_RATE_COMPARISON:
            return self._comparison()
        if channel.topic is Topic.FUNDING_DATA:
            perpetuals = [m for m in markets if self._exchange.market(m).asset_kind is AssetKind.PERP]
            return [self._funding_encoder(self._exchange.funding_data(market), ts) for market in perpetuals]
        return []

    def _funding_encoder(self, data: FundingData, ts: int) -> Encoder:
        seq = self._funding_seq[data.market]
        return lambda version: frames.funding_data(version, data, ts, seq)

    def backlog(self) -> int:
        """The longest queue of unsent messages among the subscribers."""
        return max((listener.backlog for listeners in self._subscribers.values() for listener in listeners), default=0)

    # -- delivery -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Sends the order book feeds at their refresh times, until cancelled."""
        for tick in itertools.count():
            await asyncio.sleep(_FLUSH_INTERVAL_MS / 1000)
            self.flush_books(tick * _FLUSH_INTERVAL_MS)
            self.publish_comparison(tick * _FLUSH_INTERVAL_MS)

    def flush_books(self, at_ms: int = 0) -> None:
        """Sends what those order book feeds hold back whose refresh time divides `at_ms`; at 0, all."""
        for name, feed in self._feeds.items():
            if at_ms % feed.channel.refresh_ms:
                continue
            listeners = self._subscribers[name, None]
            for encoded in feed.flush({listener.version for listener in listeners}, self._now()):
                self._send(name, [(listener, encoded[listener.version]) for listener in listeners])

    def publish_comparison(self, at_ms: int = 0) -> None:
        """Sends the funding rates of all venues on the channels whose refresh time divides `at_ms`."""
        listened = [name for name in COMPARISON_CHANNELS if (name, None) in self._subscribers]
        due = [name for name in listened if at_ms % COMPARISON_CHANNELS[name] == 0]
        if due:
            for encode in self._comparison():
                for name in due:
                    # Version 0 of the schema does not know the template.
                    listeners = [listener for listener in self._subscribers[name, None] if listener.version > 0]
                    self._send(name, [(listener, encode(listener.version)) for listener in listeners])

    def _comparison(self) -> list[Encoder]:
        ts = self._now()
        perpetuals = [market for market in self._exchange.markets.values() if market.asset_kind is AssetKind.PERP]
        funding = [self._exchange.funding_data(market.symbol) for market in perpetuals]
        return [
            _encoder(partial(frames.funding_rate_comparison, source=source), data, ts)
            for data in funding
            for source in frames.FUNDING_SOURCES
        ]

    def publish(self, batch: Sequence[ev.Event]) -> None:
        """Delivers what happened, in order."""
        for event in batch:
            publish = _PUBLISHERS.get(type(event))
            if publish is not None:
                publish(self, event)

    def publish_transfers(self, transfers: Sequence[Transfer]) -> None:
        """Delivers deposits and withdrawals."""
        for transfer in transfers:
            self._deliver_json(Topic.TRANSFERS, None, transfer.account, render.transfer(transfer))

    def _trade(self, event: ev.TradePrinted) -> None:
        self._deliver(Topic.TRADES, event.market, None, _encoder(frames.trade, event.trade, self._now()))

    def _book(self, event: ev.BookChanged | ev.InteractiveBookChanged) -> None:
        interactive = isinstance(event, ev.InteractiveBookChanged)
        book = self._books.get((event.market, interactive))
        if book is not None:
            book.apply(event.seq, event.changes)
            for feed in self._feeds.values():
                if feed.channel.market == event.market and feed.channel.is_interactive is interactive:
                    feed.on_change()

    def _bbo(self, event: ev.BboChanged) -> None:
        self._deliver(Topic.BBO, event.market, None, _encoder(frames.bbo, event.bbo, self._now()))

    def _market_summary(self, event: ev.MarketSummaryChanged) -> None:
        encode = _encoder(frames.market_summary, event.summary, self._now())
        self._deliver(Topic.MARKETS_SUMMARY, event.market, None, encode)

    def _funding_data(self, event: ev.FundingDataChanged) -> None:
        self._funding_seq[event.market] += 1
        self._deliver(Topic.FUNDING_DATA, event.market, None, self._funding_encoder(event.data, self._now()))

    def _order(self, event: ev.OrderUpdated) -> None:
        self._deliver_private(
            Topic.ORDERS,
            event.order.market,
            event.account,
            _encoder(frames.order, event.order, self._now()),
            lambda: render.order(event.order),
        )

    def _fill(self, event: ev.Filled) -> None:
        self._deliver_private(
            Topic.FILLS,
            event.fill.market,
            event.account,
            _encoder(frames.fill, event.fill, self._now()),
            lambda: render.fill(event.fill),
        )
        self._deliver_json(Topic.TRANSACTION, None, event.account, render.transaction(event.fill))

    def _position(self, event: ev.PositionChanged) -> None:
        self._deliver_private(
            Topic.POSITIONS,
            None,
            event.account,
            _encoder(frames.position, event.position, self._now()),
            lambda: render.position(event.position),
        )

    def _account(self, event: ev.AccountChanged) -> None:
        self._deliver_private(
            Topic.ACCOUNT,
            None,
            event.account,
            _encoder(frames.account_summary, event.summary, self._now()),
            lambda: render.account_summary(event.summary),
        )

    def _balance(self, event: ev.BalanceChanged) -> None:
        if event.kind is ev.BalanceChangeKind.FILL:
            self._deliver_json(Topic.BALANCE_EVENTS, None, event.account, render.balance_event(event))

    def _funding_payment(self, event: ev.FundingPaid) -> None:
        payment = event.payment
        self._deliver_json(Topic.FUNDING_PAYMENTS, payment.market, event.account, render.funding_payment(payment))

    def _market(self, event: ev.MarketChanged) -> None:
        if event.change.kind is MarketChangeKind.CREATED:
            self._start_books_anew(event.market)
        self._deliver_json(Topic.MARKETS, event.market, None, render.market_event(event.change))

    def _start_books_anew(self, market: str) -> None:
        """Who listens to a market that was deleted and is listed again gets the new book, whose numbers start over."""
        followed = [feed.channel for feed in self._feeds.values() if feed.channel.market == market]
        for interactive in (False, True):
            self._books.pop((market, interactive), None)
        for channel in followed:
            del self._feeds[channel.name]
            self._open_feed(channel)
            for listener in self._subscribers[channel.name, None]:
                self.send_state(listener, channel)

    def _tradebust(self, event: ev.TradeBusted) -> None:
        self._deliver_json(Topic.TRADEBUSTS, None, event.account, render.tradebust(event.bust))

    def _mmp(self, event: ev.MmpChanged) -> None:
        self._deliver_json(Topic.MMP, None, event.account, render.mmp_event(event))

    def _deliver(self, topic: Topic, market: str | None, account: str | None, encode: Encoder) -> None:
        encoded: dict[int, bytes] = {}
        names = channel_names(topic, market)
        if topic in BY_BASE_ASSET and market is not None:
            names += base_asset_names(topic, self._exchange.markets.get(market), self._exchange.now)
        for name in names:
            listeners = self._subscribers.get((name, account))
            if not listeners:
                continue
            deliveries: list[Delivery] = []
            for listener, scope in listeners.items():
                if scope is not None and market not in scope:
                    continue
                frame = encoded.get(listener.version)
                if frame is None:
                    frame = encoded[listener.version] = encode(listener.version)
                deliveries.append((listener, frame))
            self._send(name, deliveries)

    def _deliver_private(
        self, topic: Topic, market: str | None, account: str, encode: Encoder, data: Callable[[], dict[str, Any]]
    ) -> None:
        if self.private_binary:
            self._deliver(topic, market, account, encode)
        elif any((name, account) in self._subscribers for name in channel_names(topic, market)):
            self._deliver_json(topic, market, account, data())

    def _deliver_json(self, topic: Topic, market: str | None, account: str | None, data: dict[str, Any]) -> None:
        for name in channel_names(topic, market):
            listeners = self._subscribers.get((name, account))
            if not listeners:
                continue
            message = {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": name, "data": data}}
            text = json.dumps(message, separators=(",", ":"))
            self._send(name, [(listener, text) for listener in listeners])

    def _send(self, name: str, deliveries: list[Delivery], *, is_first: bool = False) -> None:
        if not self._faults.idle:
            self._faults.send(name, deliveries, is_first=is_first)
            return
        for listener, message in deliveries:
            listener.send(message)


def _encoder[T](encode: Callable[[int, T, int], bytes], item: T, ts: int) -> Encoder:
    return lambda version: encode(version, item, ts)


def _key(subscriber: Subscriber, channel: Channel) -> tuple[str, str | None]:
    return channel.name, subscriber.account if channel.private else None


_PUBLISHERS: dict[type[ev.Event], Callable[[Hub, Any], None]] = {
    ev.TradePrinted: Hub._trade,
    ev.BookChanged: Hub._book,
    ev.InteractiveBookChanged: Hub._book,
    ev.BboChanged: Hub._bbo,
    ev.MarketSummaryChanged: Hub._market_summary,
    ev.FundingDataChanged: Hub._funding_data,
    ev.OrderUpdated: Hub._order,
    ev.Filled: Hub._fill,
    ev.PositionChanged: Hub._position,
    ev.AccountChanged: Hub._account,
    ev.BalanceChanged: Hub._balance,
    ev.FundingPaid: Hub._funding_payment,
    ev.TradeBusted: Hub._tradebust,
    ev.MarketChanged: Hub._market,
    ev.MmpChanged: Hub._mmp,
}
