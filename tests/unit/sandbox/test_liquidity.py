"""The other traders: there is always something to trade with, and a market maker gets filled."""

from decimal import Decimal
from time import process_time

import pytest

from paradex_sandbox.exchange.events import Event, Filled, TradePrinted
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.markets import load_markets
from paradex_sandbox.exchange.model import Fill, OrderInstruction, OrderRequest, OrderType, Side
from paradex_sandbox.liquidity import SyntheticTraders
from tests.unit.sandbox.venue import ALICE, SECOND, START

BITCOIN = "BTC-USD-PERP"
STEP = 50_000


class Session:
    """An exchange with its other traders, stepped like the server does it."""

    def __init__(self, seed: int, market_count: int | None = None) -> None:
        self.exchange = Exchange(load_markets()[:market_count], seed, START)
        self.traders = SyntheticTraders(self.exchange, seed)
        self.exchange.create_account(ALICE, "0x1")

    def step(self) -> list[Event]:
        now = self.exchange.now + STEP
        self.exchange.advance(now)
        self.traders.step(now)
        return self.exchange.drain_events()

    def run(self, seconds: int) -> list[Event]:
        return [event for _ in range(seconds * SECOND // STEP) for event in self.step()]


def quote(session: Session, spread: Decimal) -> None:
    """What a simple market maker does: both sides around the mid, post-only."""
    exchange = session.exchange
    exchange.cancel_all(ALICE)
    bbo = exchange.bbo(BITCOIN)
    assert bbo.bid is not None
    assert bbo.ask is not None
    mid = (bbo.bid + bbo.ask) / 2
    for side in Side:
        price = (mid * (1 - side.sign * spread)).quantize(Decimal("0.1"))
        size, post_only = Decimal("0.01"), OrderInstruction.POST_ONLY
        exchange.submit(ALICE, OrderRequest(BITCOIN, side, OrderType.LIMIT, size, price, post_only))


def make_market(seed: int, spread: str, seconds: int) -> list[Fill]:
    """The fills of a bot that requotes every 10 seconds."""
    session = Session(seed, market_count=1)
    session.run(1)
    fills: list[Fill] = []
    for _ in range(seconds // 10):
        quote(session, Decimal(spread))
        fills += [event.fill for event in session.run(10) if isinstance(event, Filled)]
    return fills


def test_every_perpetual_is_quoted_deep_and_tight_on_both_sides_at_all_times() -> None:
    session = Session(seed=2)
    session.step()
    for _ in range(600):
        session.step()
        for market in session.exchange.markets.values():
            book = session.exchange.levels(market.symbol)
            if not market.is_tradable:
                assert book.bids == book.asks == ()
                continue
            assert min(len(book.bids), len(book.asks)) > 2
            best_bid, best_ask = book.bids[0][0], book.asks[0][0]
            assert best_bid < best_ask
            assert (best_ask - best_bid) / best_ask < 40 * Decimal(str(market.simulation.half_spread))


def test_ladders_are_at_least_fifteen_levels_when_makers_have_quoted() -> None:
    exchange = Exchange(load_markets(), 4, START)
    SyntheticTraders(exchange, 4).step(START)
    for market in exchange.markets.values():
        book = exchange.levels(market.symbol)
        if market.is_tradable:
            assert min(len(book.bids), len(book.asks)) >= 15
            assert len({size for _, size in book.bids}) > 5


def test_quotes_and_trades_keep_the_markets_steps() -> None:
    session = Session(seed=5)
    for event in session.run(10):
        if isinstance(event, TradePrinted):
            market = session.exchange.market(event.market)
            assert event.trade.price % market.price_tick_size == 0
            assert event.trade.size % market.order_size_increment == 0
            assert 0 < event.trade.size <= market.max_order_size


def test_takers_come_from_both_sides() -> None:
    trades = [e.trade for e in Session(seed=6, market_count=1).run(30) if isinstance(e, TradePrinted)]
    sides = [trade.side for trade in trades]
    assert min(sides.count(Side.BUY), sides.count(Side.SELL)) > 20


@pytest.mark.parametrize("seed", range(8))
def test_a_market_maker_five_basis_points_out_is_filled_on_both_sides_within_a_minute(seed: int) -> None:
    fills = make_market(seed, "0.0005", 60)
    assert {fill.order_side for fill in fills} == {Side.BUY, Side.SELL}


def test_a_market_maker_ten_basis_points_out_mostly_is_too() -> None:
    runs = [{fill.order_side for fill in make_market(seed, "0.001", 60)} for seed in range(12)]
    assert sum(len(sides) == 2 for sides in runs) >= 10


def test_a_market_makers_inventory_stays_bounded() -> None:
    inventory, largest = Decimal(0), Decimal(0)
    for fill in make_market(seed=9, spread="0.0005", seconds=600):
        inventory += fill.order_side.sign * fill.size
        largest = max(largest, abs(inventory))
    # Of about sixty quotes of 0.01 on each side.
    assert largest <= Decimal("0.15")


def test_a_quote_inside_the_touch_is_hit_before_the_makers() -> None:
    session = Session(seed=1, market_count=1)
    session.exchange.set_mark_price(BITCOIN, Decimal(95_000))
    session.run(2)
    bbo = session.exchange.bbo(BITCOIN)
    assert bbo.bid is not None
    price = bbo.bid + session.exchange.market(BITCOIN).price_tick_size
    request = OrderRequest(BITCOIN, Side.BUY, OrderType.LIMIT, Decimal("0.001"), price, OrderInstruction.POST_ONLY)
    session.exchange.submit(ALICE, request)
    sells: list[Event] = []
    while not sells:
        sells = [e for e in session.step() if isinstance(e, TradePrinted) and e.trade.side is Side.SELL]
    assert isinstance(sells[0], TradePrinted)
    assert sells[0].trade.id == session.exchange.fills(ALICE).items[-1].id


def test_makers_follow_a_mark_price_that_is_set() -> None:
    session = Session(seed=3, market_count=1)
    session.run(1)
    session.exchange.set_mark_price(BITCOIN, Decimal(90_000))
    session.run(1)
    bbo = session.exchange.bbo(BITCOIN)
    assert bbo.bid is not None
    assert bbo.ask is not None
    assert bbo.bid < 90_000 < bbo.ask
    assert bbo.ask - bbo.bid < 200


def test_the_same_seed_and_requests_give_the_same_events_and_another_seed_does_not() -> None:
    def run(seed: int) -> list[Event]:
        session = Session(seed, market_count=3)
        events = session.run(5)
        quote(session, Decimal("0.0002"))
        return events + session.run(5)

    assert run(7) == run(7)
    assert run(7) != run(8)


def test_a_jump_of_a_day_is_not_traded_through_second_by_second() -> None:
    session = Session(seed=3, market_count=1)
    session.run(1)
    session.exchange.resume(START + 86_400 * SECOND)
    session.traders.step(session.exchange.now)
    trades = [event for event in session.exchange.drain_events() if isinstance(event, TradePrinted)]
    assert len(trades) < 2_000


def test_the_flow_is_cheap() -> None:
    """Far above the 10 000 order events a second that are asked for, so that a busy machine does not matter."""
    session = Session(seed=1, market_count=1)
    crowd, price, size = session.exchange.crowd, Decimal(95_000), Decimal("0.01")
    started = process_time()
    for number in range(5_000):
        placed = crowd.quote(BITCOIN, Side.BUY, price - number % 50, size)
        assert placed is not None
        crowd.withdraw(placed)
    assert 10_000 / (process_time() - started) > 20_000


def test_retail_takers_are_offered_more_than_the_api_book_shows() -> None:
    exchange = Exchange(load_markets(), seed=1, now_us=START)
    traders = SyntheticTraders(exchange, seed=1)
    for second in range(20):
        exchange.advance(START + second * SECOND)
        traders.step(exchange.now)
        for market in exchange.crowd.markets():
            book, all_of_it = exchange.levels(market.symbol), exchange.levels(market.symbol, interactive=True)
            assert all_of_it.bids[0][0] >= book.bids[0][0]
            assert all_of_it.asks[0][0] <= book.asks[0][0]
            assert sum(size for _, size in all_of_it.bids) > sum(size for _, size in book.bids)
            assert all_of_it.bids[0][0] < all_of_it.asks[0][0]
