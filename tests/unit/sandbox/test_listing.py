"""Markets that change while they trade, and how they are settled."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.events import MarketChanged
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.model import MarketChangeKind, OrderStatus
from paradex_sandbox.liquidity import SyntheticTraders
from paradex_sandbox.storage import Storage
from tests.unit.sandbox.venue import ALICE, BOB, MARKET, SECOND, START, Venue, plain_market

D = Decimal


def test_new_rules_hold_from_the_next_order_on(venue: Venue) -> None:
    resting = venue.buy(ALICE, "1", "99.5")
    updated = venue.exchange.update_market(MARKET, price_tick_size=D(1), max_open_orders=2)
    assert venue.exchange.markets[MARKET] is venue.exchange.market(MARKET) is updated
    venue.process()
    (event,) = venue.of_type(MarketChanged)
    assert (event.change.kind, event.change.changed) == (
        MarketChangeKind.UPDATED,
        (("price_tick_size", "1"), ("max_open_orders", "2")),
    )
    assert venue.find(ALICE, resting.id).status is OrderStatus.OPEN
    with pytest.raises(ExchangeError, match="multiple of 1"):
        venue.submit(ALICE, resting.side, "1", "98.5")
    venue.buy(ALICE, "1", "98")
    with pytest.raises(ExchangeError, match="at most 2"):
        venue.submit(ALICE, resting.side, "1", "97")
    assert venue.exchange.market_history(MARKET) == [event.change]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"symbol": 1},
        {"price_tick_size": D(0)},
        {"price_bands_width": D(2)},
        {"min_notional": D(-1)},
        {"max_open_orders": -1},
        {"expiry_at": D("1.5")},
        {"position_limit": D("NaN")},
    ],
)
def test_what_makes_no_sense_is_refused(venue: Venue, fields: dict[str, Decimal | int]) -> None:
    before = venue.exchange.market(MARKET)
    with pytest.raises(ExchangeError, match="VALIDATION_ERROR"):
        venue.exchange.update_market(MARKET, **fields)
    assert venue.exchange.market(MARKET) is before


def test_other_traders_follow_the_new_steps(venue: Venue) -> None:
    traders = SyntheticTraders(venue.exchange, seed=1)
    traders.step(venue.exchange.now)
    venue.exchange.update_market(MARKET, price_tick_size=D("0.25"), order_size_increment=D(1))
    for second in range(1, 30):
        venue.exchange.advance(START + second * SECOND)
        venue.exchange.set_mark_price(MARKET, D(100 + second))
        traders.step(venue.exchange.now)
    book = venue.exchange.levels(MARKET)
    assert book.bids
    assert all(price % D("0.25") == 0 and size % 1 == 0 for price, size in (*book.bids, *book.asks))


def test_an_expiry_that_is_set_settles_the_market(make_venue: Callable[..., Venue]) -> None:
    venue = make_venue()
    venue.sell(BOB, "1", "100")
    venue.buy(ALICE, "1", "100")
    with pytest.raises(ExchangeError, match="MARKET_NOT_SETTLED"):
        venue.exchange.settlement(MARKET)
    venue.exchange.update_market(MARKET, expiry_at=START + 60 * SECOND)
    venue.mark("104")
    venue.wait(60 * SECOND)
    assert venue.position(ALICE) == 0
    settlement = venue.exchange.settlement(MARKET)
    assert (settlement.expiry_at, settlement.settlement_price) == (START + 60 * SECOND, 104)
    assert abs(settlement.underlying_twap_price - 104) < 3
    assert [event.change.kind for event in venue.of_type(MarketChanged)][-1] is MarketChangeKind.SETTLED


def test_changes_survive_a_restart() -> None:
    storage = Storage(":memory:")
    exchange = Exchange([plain_market()], seed=1, now_us=START)
    exchange.update_market(MARKET, price_tick_size=D("0.10"), expiry_at=START + 9 * SECOND)
    exchange.update_market(MARKET, price_tick_size=D("0.2"))
    storage.write(exchange, exchange.drain_events())
    exchange.advance(START + 9 * SECOND)
    storage.write(exchange, exchange.drain_events())
    again = Exchange([plain_market()], seed=1, now_us=START)
    assert storage.restore(again)
    assert again.market(MARKET) == exchange.market(MARKET)
    assert again.market_history() == exchange.market_history()
    assert again.settlement(MARKET) == exchange.settlement(MARKET)
    assert again.records.whole() == exchange.records.whole()
    storage.close()
