"""What can be chosen about books, best prices, and the book with Retail Price Improvement orders."""

from decimal import Decimal

import pytest
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_utils import BestBidAsk, InteractiveBook

from tests.venue.bot import Bot
from tests.venue.conftest import MakeBot
from tests.venue.exchange import Exchange, Market
from tests.venue.waiting import until

NEAR = Decimal("0.02")  # by which prices may move while the test asks twice


@pytest.mark.parametrize("settings", [{"book_feed": "snapshot"}, {"book_interval": "100ms"}], ids=str)
async def test_other_feeds_and_intervals_make_the_same_book(
    make_bot: MakeBot, exchange: Exchange, market: Market, settings: dict[str, str]
) -> None:
    bot = await make_bot(settings=settings)
    before = bot.book(market.pair).seq

    await until(lambda: bot.book(market.pair).seq > before, "the book moves")

    touch = await exchange.touch(market)
    assert abs(Decimal(str(bot.book(market.pair).bids[0][0])) / touch.bid - 1) < NEAR
    assert bot.connector.ready


async def test_levels_can_be_grouped_by_a_price_step(make_bot: MakeBot, market: Market) -> None:
    bot = await make_bot(settings={"book_price_tick": "10"})
    before = bot.book(market.pair).seq

    await until(lambda: bot.book(market.pair).seq > before, "the book moves")

    book = bot.book(market.pair)
    assert {price % 10 for price, _ in (*book.bids, *book.asks)} == {0}
    assert len(book.bids) > 1


async def test_a_book_is_live_while_the_stream_tells_it(bot: Bot, market: Market) -> None:
    assert bot.connector.is_book_live(market.pair)
    assert bot.connector.status_dict["order_books_initialized"]
    assert not bot.connector.is_book_live("NOPE-USDC")


async def test_best_prices_and_sizes_come_as_the_exchange_writes_them(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    assert bot.connector.best_bid_ask(market.pair) is None  # this question subscribes

    async def same() -> BestBidAsk | None:
        best, touch = bot.connector.best_bid_ask(market.pair), await exchange.touch(market)
        if best is None or best.bid is None or best.ask is None:
            return None
        return best if (*best.bid, *best.ask) == (touch.bid, touch.bid_size, touch.ask, touch.ask_size) else None

    best = await until(same, "stream and REST have once said the same")
    assert best.timestamp > 1.6e9
    bot.connector.stop_watching(market.pair)
    assert bot.connector.best_bid_ask(market.pair) is None


async def test_the_interactive_book_is_there_beside_the_one_that_is_traded_on(bot: Bot, market: Market) -> None:
    assert bot.connector.interactive_order_book(market.pair) is None  # this question subscribes
    book: InteractiveBook = await until(
        lambda: bot.connector.interactive_order_book(market.pair), "the interactive book is told"
    )

    assert [price for price, _ in book.bids] == sorted((price for price, _ in book.bids), reverse=True)
    assert [price for price, _ in book.asks] == sorted(price for price, _ in book.asks)
    assert book.best.bid_interactive == book.bids[0]
    assert book.best.ask_interactive == book.asks[0]
    before = bot.book(market.pair).seq
    await until(lambda: bot.book(market.pair).seq > before, "the book that is traded on goes on")
    assert bot.connector.is_book_live(market.pair)


async def test_best_sizes_with_and_without_retail_orders_can_be_asked_for(bot: Bot, market: Market) -> None:
    best = await bot.connector.fetch_best_sizes(market.pair)

    assert best.bid_api is not None
    assert best.ask_api is not None
    assert best.bid_interactive is not None
    assert best.ask_interactive is not None
    assert best.bid_interactive[0] >= best.bid_api[0]
    assert best.ask_interactive[0] <= best.ask_api[0]
    with pytest.raises(ValueError, match="NOPE"):
        bot.connector.best_bid_ask("NOPE-USDC")
