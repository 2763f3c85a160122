"""Continuous funding and the mark price process."""

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

import pytest

from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.events import FundingDataChanged, FundingPaid, MarketSummaryChanged
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.markets import load_markets
from tests.unit.sandbox.venue import ALICE, BOB, CAROL, MARKET, SECOND, START, Venue

HOUR = 3600 * SECOND


def hold(venue: Venue) -> None:
    """ALICE long 10, BOB short 10."""
    venue.sell(BOB, "10", "100")
    venue.buy(ALICE, "10", "100")


def test_the_index_grows_by_the_premium_per_period(venue: Venue) -> None:
    before = venue.exchange.funding_data(MARKET)
    venue.exchange.advance(START + HOUR)
    after = venue.exchange.funding_data(MARKET)
    # The mark is held about a basis point over spot, where the rate stays at the interest rate of 0.01% per 8 hours.
    assert float(after.funding_rate) == pytest.approx(0.0001, rel=0.02)
    assert float(after.funding_index - before.funding_index) == pytest.approx(100 * 0.0001 / 8, rel=0.02)
    assert after.funding_period_hours == 8


def test_an_hour_at_once_is_an_hour_in_seconds() -> None:
    def run(step: int) -> tuple[object, ...]:
        exchange = Exchange(load_markets()[:2], seed=5, now_us=START)
        for now in range(START + step, START + HOUR + 1, step):
            exchange.advance(now)
        return tuple((exchange.market_summary(m).mark_price, exchange.funding_data(m)) for m in exchange.markets)

    assert run(HOUR) == run(SECOND) == run(90 * SECOND)


def test_accrued_funding_is_unrealized_until_the_position_changes(venue: Venue) -> None:
    hold(venue)
    venue.exchange.advance(START + HOUR)
    (long,), (short,) = venue.exchange.positions(ALICE), venue.exchange.positions(BOB)
    index = venue.exchange.funding_data(MARKET).funding_index
    assert long.unrealized_funding_pnl == -short.unrealized_funding_pnl
    assert long.unrealized_funding_pnl == pytest.approx(-10 * index, abs=Decimal("1e-8"))
    assert long.unrealized_pnl == long.unrealized_funding_pnl
    assert venue.exchange.funding_payments(ALICE).items == ()

    venue.buy(CAROL, "1", "100")
    venue.sell(ALICE, "1", "100")
    (payment,) = venue.exchange.funding_payments(ALICE).items
    assert payment.payment == long.unrealized_funding_pnl
    assert payment.index == index
    fill = venue.fills(ALICE)[-1]
    assert (payment.fill_id, fill.realized_funding) == (fill.id, payment.payment)
    assert fill.realized_pnl == 0
    assert [event.payment for event in venue.of_type(FundingPaid)] == [payment]
    (rest,) = venue.exchange.positions(ALICE)
    assert rest.unrealized_funding_pnl == 0
    assert rest.realized_positional_funding_pnl == rest.realized_positional_pnl == payment.payment


def test_a_new_position_owes_no_funding_of_the_past(venue: Venue) -> None:
    venue.exchange.advance(START + HOUR)
    hold(venue)
    (held,) = venue.exchange.positions(ALICE)
    assert held.unrealized_funding_pnl == 0
    assert venue.exchange.funding_payments(ALICE).items == ()


def test_no_funding_accrues_over_an_outage(venue: Venue) -> None:
    hold(venue)
    before, mark = venue.exchange.funding_data(MARKET), venue.exchange.market_summary(MARKET).mark_price
    venue.exchange.resume(START + HOUR)
    assert venue.exchange.now == START + HOUR
    assert venue.exchange.funding_data(MARKET).funding_index == before.funding_index
    assert venue.exchange.market_summary(MARKET).mark_price == mark


def test_a_rich_perpetual_makes_longs_pay_more(make_venue: Callable[..., Venue]) -> None:
    """Where the premium is beyond the clamp, the rate moves towards premium - clamp with a half-life of 30 minutes."""
    venue = make_venue(clamp_rate=Decimal(0), interest_rate=Decimal("-0.01"), max_funding_rate=Decimal("0.02"))
    start = venue.exchange.funding_data(MARKET).funding_rate
    venue.exchange.advance(START + HOUR // 2)
    halfway = venue.exchange.funding_data(MARKET).funding_rate
    assert start == Decimal("-0.01")
    assert float(halfway) == pytest.approx(-0.005, rel=0.05)


def test_an_hourly_market_pays_an_eighth_per_period() -> None:
    exchange = Exchange(load_markets(), seed=1, now_us=START)
    hourly = exchange.funding_data("LINK-USD-PERP")
    assert hourly.funding_period_hours == 1
    assert hourly.funding_rate == hourly.funding_rate_8h / 8


def test_funding_history_is_kept_by_the_minute(venue: Venue) -> None:
    venue.exchange.advance(START + 10 * 60 * SECOND)
    page = venue.exchange.funding_history(MARKET, limit=4)
    times = [data.created_at for data in page.items]
    assert times[0] == venue.exchange.now
    assert all(later - earlier == 60 * SECOND for later, earlier in pairwise(times[1:]))
    following = venue.exchange.funding_history(MARKET, before=page.next, limit=100)
    assert following.items[0].created_at < times[-1]
    assert len(page.items) + len(following.items) in (11, 10)


def test_what_has_no_funding_says_so() -> None:
    exchange = Exchange(load_markets(), seed=1, now_us=START)
    with pytest.raises(ExchangeError):
        exchange.funding_data("ETH-USD")


# -- mark price ------------------------------------------------------------------------------------------------------


def test_a_day_of_marks_stays_near_the_base_and_moves_every_second() -> None:
    exchange = Exchange(load_markets()[:1], seed=3, now_us=START)
    marks = []
    for second in range(4 * 3600):
        exchange.advance(START + second * SECOND)
        marks.append(float(exchange.market_summary("BTC-USD-PERP").mark_price))
    moves = [abs(later / earlier - 1) for earlier, later in pairwise(marks)]
    assert 0.99 < min(marks) / 95_000 < max(marks) / 95_000 < 1.01
    assert 0.00005 < sum(moves) / len(moves) < 0.0005


def test_the_same_seed_walks_the_same_path_and_another_does_not() -> None:
    def path(seed: int) -> list[Decimal]:
        exchange = Exchange(load_markets()[:1], seed=seed, now_us=START)
        marks = []
        for second in range(20):
            exchange.advance(START + second * SECOND)
            marks.append(exchange.market_summary("BTC-USD-PERP").mark_price)
        return marks

    assert path(1) == path(1)
    assert path(1) != path(2)


def test_a_held_mark_stands_still_until_it_is_released(venue: Venue) -> None:
    venue.mark("123.45")
    venue.exchange.advance(START + 10 * SECOND)
    assert venue.exchange.market_summary(MARKET).mark_price == Decimal("123.45")
    venue.exchange.release_mark_price(MARKET)
    venue.exchange.advance(START + 11 * SECOND)
    assert venue.exchange.market_summary(MARKET).mark_price != Decimal("123.45")
    assert float(venue.exchange.market_summary(MARKET).mark_price) == pytest.approx(123.45, rel=0.02)


@pytest.mark.parametrize("price", ["0", "-5", "NaN", "1E+400"])
def test_an_impossible_mark_price_is_refused(venue: Venue, price: str) -> None:
    with pytest.raises(ExchangeError, match="mark price"):
        venue.mark(price)


def test_time_does_not_go_back(venue: Venue) -> None:
    venue.exchange.advance(START + SECOND)
    venue.exchange.advance(START)
    venue.exchange.resume(START)
    assert venue.exchange.now == START + SECOND


def test_one_advance_publishes_each_market_once(venue: Venue) -> None:
    venue.exchange.advance(START + HOUR)
    events = venue.exchange.drain_events()
    assert [type(event) for event in events] == [FundingDataChanged, MarketSummaryChanged]
