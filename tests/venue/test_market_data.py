"""What the connector knows of the markets, beside what the exchange says over REST."""

import asyncio
import time
from decimal import Decimal
from typing import Any

import pytest
from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_constants as CONSTANTS
from hummingbot.core.data_type.common import TradeType
from hummingbot.core.event.event_forwarder import EventForwarder
from hummingbot.core.event.events import OrderBookEvent, OrderBookTradeEvent

from tests.venue.bot import Book, Bot
from tests.venue.conftest import MakeBot
from tests.venue.exchange import Exchange, Market
from tests.venue.waiting import until

DEPTH = 15  # levels that the stream carries


async def test_the_trading_rules_are_those_of_the_exchanges_perpetuals(bot: Bot, exchange: Exchange) -> None:
    perpetuals = {
        f"{market['base_currency']}-USDC": market
        for market in await exchange.markets()
        if market["asset_kind"] == "PERP" and market.get("trading_mode", "STANDARD") == "STANDARD"
    }

    rules = bot.connector.trading_rules

    assert set(rules) == set(perpetuals)
    for pair, market in perpetuals.items():
        rule = rules[pair]
        assert rule.min_price_increment == Decimal(market["price_tick_size"])
        assert rule.min_base_amount_increment == rule.min_order_size == Decimal(market["order_size_increment"])
        assert rule.min_notional_size == Decimal(market["min_notional"])
        assert rule.max_order_size == Decimal(market["max_order_size"])
        assert rule.buy_order_collateral_token == rule.sell_order_collateral_token == market["settlement_currency"]


async def test_the_last_traded_price_is_the_exchanges(bot: Bot, exchange: Exchange, market: Market) -> None:
    async def equal() -> bool:
        before = Decimal((await exchange.summary(market))["last_traded_price"])
        prices = await bot.connector.get_last_traded_prices([market.pair])
        after = Decimal((await exchange.summary(market))["last_traded_price"])
        return set(prices) == {market.pair} and prices[market.pair] in (float(before), float(after))

    await until(equal, "both say the same last price")


async def test_the_book_moves_and_is_sorted_and_never_crossed(bot: Bot, market: Market) -> None:
    recorder = Recorder(bot, market)
    books = await recorder.have(20)
    await recorder.stop()

    for book in books:
        bids, asks = [price for price, _ in book.bids], [price for price, _ in book.asks]
        assert bids == sorted(set(bids), reverse=True)
        assert asks == sorted(set(asks))
        assert bids[0] < asks[0]
        assert all(size > 0 for _, size in (*book.bids, *book.asks))


async def test_the_book_equals_rests_book_of_the_same_number(bot: Bot, exchange: Exchange, market: Market) -> None:
    recorder = Recorder(bot, market)
    matches = 0

    async def compared() -> bool:
        nonlocal matches
        snapshot = await exchange.get(f"/orderbook/{market.symbol}", depth=DEPTH)
        seq = int(snapshot["seq_no"])
        # The stream is a little behind REST, and may go past this number without stopping at it.
        await until(lambda: max(recorder.books, default=0) >= seq, f"the connector's book has come to {seq}")
        book = recorder.books.get(seq)
        if book is not None:
            assert book.bids[:DEPTH] == _levels(snapshot["bids"])
            assert book.asks[:DEPTH] == _levels(snapshot["asks"])
            matches += 1
        return matches >= 3

    await until(compared, "three of REST's books were also the connector's")
    await recorder.stop()


async def test_trades_arrive_as_the_exchange_printed_them(bot: Bot, exchange: Exchange, market: Market) -> None:
    trades: list[OrderBookTradeEvent] = []
    listener = EventForwarder(trades.append)
    bot.connector.get_order_book(market.pair).add_listener(OrderBookEvent.TradeEvent, listener)
    # A trade of our own, for on a quiet venue there may be no other.
    size = market.smallest_size((await exchange.touch(market)).bid)
    await exchange.place(market, "BUY", size, client_id="trade-of-our-own")
    (fill, *_) = await until(lambda: exchange.fills("trade-of-our-own", time.time()), "the order is filled")

    printed = await exchange.get("/trades", market=market.symbol, page_size=1000)
    own = next(trade for trade in printed["results"] if trade["id"] == fill.split("-")[-1])
    event = await until(lambda: next((t for t in trades if t.trade_id == own["id"]), None), "the trade has arrived")

    assert event.trading_pair == market.pair
    assert event.type is TradeType.BUY
    assert float(event.price) == float(own["price"])
    assert float(event.amount) == float(own["size"])
    assert abs(event.timestamp - own["created_at"] / 1e3) < 0.002


async def test_funding_info_is_the_exchanges_and_is_kept_up_to_date(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    first = bot.connector.get_funding_info(market.pair).mark_price
    await until(
        lambda: bot.connector.get_funding_info(market.pair).mark_price != first, "another mark price has arrived"
    )

    info, summary = bot.connector.get_funding_info(market.pair), await exchange.summary(market)
    mark, index = Decimal(summary["mark_price"]), Decimal(summary["underlying_price"])

    assert abs(info.mark_price / mark - 1) < Decimal("0.01")
    assert abs(info.index_price / index - 1) < Decimal("0.01")
    assert abs(info.rate - Decimal(summary["funding_rate"])) < Decimal("0.0001")
    assert 0 < info.next_funding_utc_timestamp - time.time() <= 24 * 3600


async def test_several_pairs_have_books_of_their_own(make_bot: MakeBot, exchange: Exchange) -> None:
    markets = [await exchange.market(symbol) for symbol in ("BTC-USD-PERP", "ETH-USD-PERP", "SOL-USD-PERP")]

    bot = await make_bot(trading_pairs=[market.pair for market in markets])

    for market in markets:
        mark = float((await exchange.summary(market))["mark_price"])
        price = float(bot.connector.get_mid_price(market.pair))
        assert abs(price / mark - 1) < 0.05
        recorder = Recorder(bot, market)
        await recorder.have(3)
        await recorder.stop()


async def test_the_pair_that_is_meant_is_named_when_there_is_no_such_pair(bot: Bot) -> None:
    for wrong in ("BTC-USD", "btc-USDC"):
        with pytest.raises(ValueError, match="BTC-USDC"):
            await bot.connector.exchange_symbol_associated_to_pair(wrong)


async def test_the_exchanges_clock_is_known(bot: Bot, exchange: Exchange) -> None:
    sent = time.time()
    server_time = int((await exchange.get(CONSTANTS.SYSTEM_TIME_PATH))["server_time"]) / 1e3
    offset = server_time - (sent + time.time()) / 2

    # Questions and answers may be held up.
    assert abs(bot.connector._time_synchronizer.time() - time.time() - offset) < 5


class Recorder:
    """Keeps every book that the connector has from now on, by its number."""

    def __init__(self, bot: Bot, market: Market):
        self.books: dict[int, Book] = {}
        self._bot, self._market = bot, market
        self._task = asyncio.create_task(self._record())

    async def _record(self) -> None:
        while True:
            book = self._bot.book(self._market.pair)
            self.books.setdefault(book.seq, book)
            await asyncio.sleep(0.005)

    async def have(self, count: int) -> list[Book]:
        """The books, as soon as there are `count`."""
        await until(lambda: len(self.books) >= count, f"the book of {self._market.pair} has moved {count} times")
        return list(self.books.values())

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def _levels(rows: list[list[Any]]) -> list[tuple[float, float]]:
    return [(float(price), float(size)) for price, size in rows]
