"""The names of the WebSocket channels: what a client may subscribe to, taken apart."""

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from paradex_sandbox.exchange.model import AssetKind, Market

ALL = "ALL"


class Topic(StrEnum):
    """The first part of a channel's name."""

    BBO = "bbo"
    TRADES = "trades"
    MARKETS_SUMMARY = "markets_summary"
    MARKETS = "markets"
    FUNDING_DATA = "funding_data"
    FUNDING_RATE_COMPARISON = "funding_rate_comparison"
    ORDER_BOOK = "order_book"
    MMP = "mmp"
    ORDERS = "orders"
    FILLS = "fills"
    POSITIONS = "positions"
    ACCOUNT = "account"
    BALANCE_EVENTS = "balance_events"
    FUNDING_PAYMENTS = "funding_payments"
    TRADEBUSTS = "tradebusts"
    TRANSFERS = "transfers"
    TRANSACTION = "transaction"


#: Topics that belong to an account and need an authenticated session.
PRIVATE_TOPICS = frozenset(
    {
        Topic.ORDERS,
        Topic.FILLS,
        Topic.POSITIONS,
        Topic.ACCOUNT,
        Topic.BALANCE_EVENTS,
        Topic.FUNDING_PAYMENTS,
        Topic.TRADEBUSTS,
        Topic.TRANSFERS,
        Topic.TRANSACTION,
        Topic.MMP,
    }
)
#: Topics whose name ends after the topic, or may end there.
_WITHOUT_MARKET = frozenset(
    {
        Topic.POSITIONS,
        Topic.ACCOUNT,
        Topic.BALANCE_EVENTS,
        Topic.TRADEBUSTS,
        Topic.TRANSFERS,
        Topic.TRANSACTION,
        Topic.MARKETS_SUMMARY,
        Topic.MARKETS,
        Topic.MMP,
    }
)
_WITH_MARKET = frozenset(
    {
        Topic.BBO,
        Topic.TRADES,
        Topic.MARKETS_SUMMARY,
        Topic.MARKETS,
        Topic.FUNDING_DATA,
        Topic.ORDERS,
        Topic.FILLS,
        Topic.FUNDING_PAYMENTS,
    }
)
_MARKET_MAY_BE_ALL = frozenset({Topic.BBO, Topic.TRADES, Topic.MARKETS_SUMMARY, Topic.ORDERS, Topic.FILLS})

#: Topics that can be had for all active options of a base asset: `{"channel": "bbo", "base_asset": "BTC"}`.
BY_BASE_ASSET = frozenset({Topic.BBO, Topic.TRADES})
_OPTIONS = frozenset({AssetKind.OPTION, AssetKind.PERP_OPTION})

#: The two names of the funding comparison, and the time between two messages in ms.
COMPARISON_CHANNELS = {f"funding_rate_comparison.{ALL}@{ms}ms": ms for ms in (500, 1000)}
#: Channels that Paradex has and the sandbox does not.
_UNSUPPORTED = frozenset({"rfq", "block_trades"})

_BOOK_NAME = re.compile(
    r"order_book\.(?P<market>[^@]+)\.(?P<feed>snapshot|deltas|interactive)"
    r"@(?P<depth>15)@(?P<refresh>50|100)ms(?:@(?P<tick>[0-9]+(?:_[0-9]+)?))?"
)


@dataclass(frozen=True, slots=True)
class Channel:
    """A subscribable channel. `market` is None where the channel is about all of them.

    One about the options of a base asset has a `name` of its own, and in acknowledgements the one of its topic. The
    last four fields are those of `order_book`: feed type, levels a side, time between two messages in ms, and the price
    step for aggregation.
    """

    name: str
    topic: Topic
    market: str | None = None
    base_asset: str = field(default="", kw_only=True)
    feed: str = ""
    depth: int = 0
    refresh_ms: int = 0
    price_tick: Decimal | None = None

    @property
    def is_interactive(self) -> bool:
        """Whether the channel is an order book with RPI orders."""
        return self.feed == "interactive"

    @property
    def wire_name(self) -> str:
        """What acknowledgements call it."""
        return self.topic.value if self.base_asset else self.name

    @property
    def private(self) -> bool:
        """Whether the channel carries an account's data."""
        return self.topic in PRIVATE_TOPICS


def parse_channel(name: str, markets: Container[str]) -> Channel:
    """The channel that `name` means. Raises ValueError, with a sentence for the client, if there is none."""
    if name in COMPARISON_CHANNELS:
        return Channel(name, Topic.FUNDING_RATE_COMPARISON, refresh_ms=COMPARISON_CHANNELS[name])
    topic_name, dot, rest = name.partition(".")
    if topic_name in _UNSUPPORTED:
        raise ValueError(f"the sandbox has no {topic_name}")
    try:
        topic = Topic(topic_name)
    except ValueError:
        raise ValueError(f"unknown channel {name!r}") from None
    if topic is Topic.ORDER_BOOK:
        return _parse_book(name, markets)
    if topic is Topic.FUNDING_RATE_COMPARISON:
        raise ValueError(f"the channel is one of {', '.join(COMPARISON_CHANNELS)}")
    if not dot:
        if topic not in _WITHOUT_MARKET:
            raise ValueError(f"channel {name!r} needs a market, as in {topic}.BTC-USD-PERP")
        return Channel(name, topic)
    if topic not in _WITH_MARKET:
        raise ValueError(f"channel {topic!r} takes no market")
    if rest == ALL and topic in _MARKET_MAY_BE_ALL:
        return Channel(name, topic)
    _require_market(rest, markets)
    return Channel(name, topic, rest)


def parse_base_asset_channel(name: str, base_asset: str, markets: Iterable[Market]) -> Channel:
    """The channel about all active options of `base_asset`, those that are listed later included; ValueError."""
    if name not in BY_BASE_ASSET:
        raise ValueError(f"base_asset goes with the channels {' and '.join(sorted(BY_BASE_ASSET))}")
    if not any(market.base_currency == base_asset for market in markets):
        raise ValueError(f"no market has the base asset {base_asset[:64]!r}")
    topic = Topic(name)
    return Channel(_base_asset_name(topic, base_asset), topic, base_asset=base_asset)


def is_active_option(market: Market, now: int) -> bool:
    """Whether `market` is an option that can be traded at `now` (microseconds)."""
    return market.asset_kind in _OPTIONS and market.open_at <= now and not 0 < market.expiry_at <= now


def base_asset_names(topic: Topic, market: Market | None, now: int) -> tuple[str, ...]:
    """The channels about the options of a base asset under which an event of `topic` about `market` is published."""
    if topic not in BY_BASE_ASSET or market is None or not is_active_option(market, now):
        return ()
    return (_base_asset_name(topic, market.base_currency),)


def _base_asset_name(topic: Topic, base_asset: str) -> str:
    return f"{topic}?base_asset={base_asset}"


def channel_names(topic: Topic, market: str | None) -> tuple[str, ...]:
    """Every channel name under which an event of `topic` about `market` is published."""
    names = [f"{topic}.{market}"] if topic in _WITH_MARKET else []
    if topic in _WITHOUT_MARKET:
        names.append(topic.value)
    if topic in _MARKET_MAY_BE_ALL:
        names.append(f"{topic}.{ALL}")
    return tuple(names)


def _parse_book(name: str, markets: Container[str]) -> Channel:
    match = _BOOK_NAME.fullmatch(name)
    if match is None:
        raise ValueError(
            "an order book channel is order_book.{market}.{snapshot|deltas|interactive}@15@{50ms|100ms}[@{price_tick}]"
        )
    _require_market(match["market"], markets)
    tick = Decimal(match["tick"].replace("_", ".")) if match["tick"] else None
    if tick is not None and not 0 < tick <= 1_000_000:
        raise ValueError("price_tick is out of range")
    return Channel(
        name,
        Topic.ORDER_BOOK,
        match["market"],
        feed=match["feed"],
        depth=int(match["depth"]),
        refresh_ms=int(match["refresh"]),
        price_tick=tick,
    )


def _require_market(market: str, markets: Container[str]) -> None:
    if market not in markets:
        raise ValueError(f"unknown market {market!r}")
