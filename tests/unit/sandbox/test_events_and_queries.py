"""Book deltas and their numbering, the order of events, pages and summaries."""

from decimal import Decimal
from random import Random

import pytest

from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.events import (
    AccountChanged,
    BboChanged,
    BookChanged,
    Filled,
    OrderUpdated,
    PositionChanged,
    RequestDone,
    RequestQueued,
    TradePrinted,
)
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.markets import load_markets
from paradex_sandbox.exchange.model import OrderStatus, OrderType, Side
from paradex_sandbox.liquidity import SyntheticTraders
from tests.unit.sandbox.venue import ALICE, BOB, MARKET, SECOND, START, Venue


def test_deltas_rebuild_the_book_with_numbers_that_grow_by_one() -> None:
    exchange = Exchange(load_markets()[:2], seed=11, now_us=START)
    traders, symbol = SyntheticTraders(exchange, seed=11), "BTC-USD-PERP"
    mirror: dict[Side, dict[Decimal, Decimal]] = {Side.BUY: {}, Side.SELL: {}}
    seq = exchange.levels(symbol).seq
    for step in range(1, 400):
        exchange.advance(START + step * 50_000)
        traders.step(START + step * 50_000)
        for event in exchange.drain_events():
            if isinstance(event, BookChanged) and event.market == symbol:
                assert event.seq == seq + 1
                seq = event.seq
                for side, price, size in event.changes:
                    if size:
                        mirror[side][price] = size
                    else:
                        del mirror[side][price]
            if isinstance(event, BboChanged) and event.market == symbol:
                assert event.bbo.seq == seq
                assert event.bbo.bid == max(mirror[Side.BUY])
                assert event.bbo.ask == min(mirror[Side.SELL])
        book = exchange.levels(symbol)
        assert book.seq == seq
        assert dict(book.bids) == mirror[Side.BUY]
        assert dict(book.asks) == mirror[Side.SELL]
    assert seq > 50


def test_a_level_that_comes_and_goes_within_a_batch_is_no_change(venue: Venue) -> None:
    order_id = venue.submit(ALICE, Side.BUY, "1", "99")
    venue.exchange.cancel(ALICE, order_id=order_id)
    venue.process()
    assert venue.of_type(BookChanged) == []
    assert venue.exchange.levels(MARKET).seq == 0


def test_levels_are_sums_best_first_and_cut_to_depth(venue: Venue) -> None:
    for price, size in (("98", "1"), ("99", "1"), ("99", "2"), ("97", "1")):
        venue.buy(ALICE, size, price)
        venue.sell(BOB, size, str(200 - int(price)))
    book = venue.exchange.levels(MARKET, 2)
    assert book.bids == ((Decimal(99), Decimal(3)), (Decimal(98), Decimal(1)))
    assert book.asks == ((Decimal(101), Decimal(3)), (Decimal(102), Decimal(1)))
    assert len(venue.exchange.levels(MARKET).bids) == 3
    bbo = venue.exchange.bbo(MARKET)
    assert (bbo.bid, bbo.bid_size, bbo.ask, bbo.ask_size) == (99, 3, 101, 3)


def test_an_empty_side_has_no_best_price(venue: Venue) -> None:
    venue.buy(ALICE, "1", "99")
    bbo = venue.exchange.bbo(MARKET)
    assert (bbo.bid, bbo.ask, bbo.ask_size) == (99, None, None)


def test_a_trade_is_told_in_full(venue: Venue) -> None:
    venue.sell(ALICE, "1", "101")
    venue.submit(BOB, Side.BUY, "1", "101")
    venue.process()
    kinds = [type(event) for event in venue.events]
    for kind, count in (
        (RequestQueued, 1),
        (TradePrinted, 1),
        (Filled, 2),
        (OrderUpdated, 3),
        (RequestDone, 1),
        (BookChanged, 1),
        (BboChanged, 1),
        (PositionChanged, 2),
        (AccountChanged, 2),
    ):
        assert kinds.count(kind) == count, kind
    assert kinds.index(TradePrinted) < kinds.index(Filled) < kinds.index(BookChanged) < kinds.index(PositionChanged)


def test_snapshots_do_not_change_afterwards(venue: Venue) -> None:
    order_id = venue.submit(ALICE, Side.SELL, "2", "101")
    (new,) = [event.order for event in venue.exchange.drain_events() if isinstance(event, OrderUpdated)]
    copy = venue.exchange.order(ALICE, order_id)
    venue.process()
    venue.buy(BOB, "1", "101")
    assert new.status is copy.status is OrderStatus.NEW
    assert new.remaining_size == copy.remaining_size == 2


def test_queries_change_nothing(venue: Venue) -> None:
    venue.buy(ALICE, "1", "99")
    before = venue.exchange.records.whole()
    exchange = venue.exchange
    for query in (exchange.levels, exchange.bbo, exchange.market_summary, exchange.trades, exchange.funding_data):
        query(MARKET)
    for private in (exchange.open_orders, exchange.orders_history, exchange.fills, exchange.positions):
        private(ALICE)
    exchange.account_summary(ALICE)
    exchange.balances(ALICE)
    assert exchange.records.whole() == before
    assert exchange.drain_events() == []


def test_pages_hold_everything_once_newest_first(venue: Venue) -> None:
    venue.sell(ALICE, "50", "100")
    for number in range(25):
        venue.exchange.advance(START + (number + 1) * SECOND)
        venue.buy(BOB, "1", "100")
    seen, before = [], None
    while True:
        page = venue.exchange.trades(MARKET, before=before, limit=10)
        seen += [trade.id for trade in page.items]
        before = page.next
        if before is None:
            break
    assert len(seen) == 25
    assert seen == sorted(seen, reverse=True)
    assert len({*seen}) == 25
    within = venue.exchange.fills(BOB, start_at=START + 3 * SECOND, end_at=START + 5 * SECOND).items
    assert [fill.created_at for fill in within] == [START + n * SECOND for n in (5, 4, 3)]
    assert venue.exchange.fills(BOB, market="OTHER-USD-PERP").items == ()


def test_order_history_filters(venue: Venue) -> None:
    resting = venue.buy(ALICE, "1", "99", client_id="rest")
    closed = venue.sell(ALICE, "1", None, client_id="gone")

    def ids(**filters: object) -> list[str]:
        return [order.id for order in venue.exchange.orders_history(ALICE, **filters).items]  # type: ignore[arg-type]

    assert ids() == [closed.id, resting.id]
    assert ids(status=OrderStatus.CLOSED) == ids(client_id="gone") == ids(side=Side.SELL) == [closed.id]
    assert ids(market=MARKET, status=OrderStatus.OPEN) == [resting.id]
    assert ids(market="OTHER-USD-PERP") == []


def test_an_order_that_waits_for_its_trigger_is_found_only_in_the_lists_and_a_new_one_by_its_id(venue: Venue) -> None:
    """As the OpenAPI file says of both operations."""
    new_id = venue.submit(ALICE, Side.BUY, "1", "99", client_id="new")
    assert venue.exchange.order(ALICE, new_id).status is OrderStatus.NEW
    with pytest.raises(ExchangeError, match="CLIENT_ORDER_ID_NOT_FOUND"):
        venue.exchange.order_by_client_id(ALICE, "new")
    venue.process()
    assert venue.exchange.order_by_client_id(ALICE, "new").status is OrderStatus.OPEN
    stop_id = venue.submit(
        ALICE, Side.SELL, "1", None, client_id="stop", type=OrderType.STOP_MARKET, trigger_price=Decimal(50)
    )
    venue.process()
    with pytest.raises(ExchangeError, match="ORDER_ID_NOT_FOUND"):
        venue.exchange.order(ALICE, stop_id)
    with pytest.raises(ExchangeError, match="CLIENT_ORDER_ID_NOT_FOUND"):
        venue.exchange.order_by_client_id(ALICE, "stop")
    assert [order.client_id for order in venue.exchange.open_orders(ALICE)] == ["new", "stop"]


def test_a_closed_order_is_found_only_in_the_history(venue: Venue) -> None:
    order = venue.buy(ALICE, "1", None, client_id="c")
    with pytest.raises(ExchangeError, match="ORDER_ID_NOT_FOUND"):
        venue.exchange.order(ALICE, order.id)
    with pytest.raises(ExchangeError, match="CLIENT_ORDER_ID_NOT_FOUND"):
        venue.exchange.order_by_client_id(ALICE, "c")
    with pytest.raises(ExchangeError, match="CLIENT_ORDER_ID_NOT_FOUND"):
        venue.exchange.order_by_client_id(ALICE, "")


@pytest.fixture
def short_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """5 closed orders, and 12 of the last five minutes."""
    monkeypatch.setattr("paradex_sandbox.exchange.accounts.HISTORY_LENGTH", 5)
    monkeypatch.setattr("paradex_sandbox.exchange.accounts.MAX_CLOSED_ORDERS", 12)


@pytest.mark.usefixtures("short_history")
def test_old_closed_orders_are_forgotten_and_open_ones_never(venue: Venue) -> None:
    first = venue.buy(ALICE, "1", "99")
    closed = []
    for _ in range(20):
        venue.wait(60 * SECOND)
        closed.append(venue.buy(ALICE, "1", None).id)
    history = [order.id for order in venue.exchange.orders_history(ALICE, limit=100).items]
    assert history == [*closed[:-6:-1], first.id]
    assert [order.id for order in venue.exchange.open_orders(ALICE)] == [first.id]


@pytest.mark.usefixtures("short_history")
def test_orders_closed_in_the_last_five_minutes_are_kept_within_reason(venue: Venue) -> None:
    closed = [venue.buy(ALICE, "1", None).id for _ in range(10)]
    venue.wait(299 * SECOND)

    def history() -> list[str]:
        return [order.id for order in venue.exchange.orders_history(ALICE, limit=100).items][::-1]

    closed.append(venue.buy(ALICE, "1", None).id)
    assert history() == closed
    closed += [venue.buy(ALICE, "1", None).id for _ in range(20)]
    assert history() == closed[-12:]
    venue.wait(300 * SECOND)
    closed.append(venue.buy(ALICE, "1", None).id)
    assert history() == closed[-5:]


@pytest.mark.usefixtures("short_history")
def test_an_order_that_was_open_for_long_is_in_the_history_once_it_is_closed(venue: Venue) -> None:
    resting = venue.buy(ALICE, "1", "99")
    for _ in range(20):
        venue.wait(60 * SECOND)
        venue.buy(ALICE, "1", None)
    venue.exchange.cancel(ALICE, order_id=resting.id)
    venue.process()
    assert venue.find(ALICE, resting.id).cancel_reason == "USER_CANCELED"


def test_the_summary_adds_up_the_day(venue: Venue) -> None:
    venue.sell(ALICE, "5", "100")
    venue.buy(BOB, "2", "100")
    venue.sell(ALICE, "5", "102")
    venue.buy(BOB, "4", "102")
    summary = venue.exchange.market_summary(MARKET)
    assert summary.last_traded_price == 102
    assert summary.volume_24h == summary.total_volume == 200 + 300 + 102
    assert summary.price_change_rate_24h == Decimal("0.02")
    assert summary.open_interest == 6
    assert (summary.bid, summary.ask, summary.ask_size) == (None, 102, 4)
    venue.exchange.advance(START + 25 * 3600 * SECOND)
    later = venue.exchange.market_summary(MARKET)
    assert (later.volume_24h, later.total_volume) == (0, 602)


def test_ids_have_28_digits_and_grow(venue: Venue) -> None:
    generator = Random(1)
    ids = []
    for number in range(50):
        venue.exchange.advance(START + number * generator.choice((0, 1_000_000)))
        ids.append(venue.submit(ALICE, Side.BUY, "1", "99"))
    assert ids == sorted(ids)
    assert all(len(order_id) == 28 and order_id.isdigit() for order_id in ids)


@pytest.mark.parametrize("query", ["levels", "bbo", "market_summary", "trades", "funding_data", "market"])
def test_unknown_markets_are_refused(venue: Venue, query: str) -> None:
    with pytest.raises(ExchangeError) as caught:
        getattr(venue.exchange, query)("NO-USD-PERP")
    assert caught.value.code == "MARKET_NOT_FOUND"
