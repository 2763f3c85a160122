"""Positions, realized and unrealized PnL, fees."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from paradex_sandbox.exchange.events import BalanceChanged, PositionChanged
from paradex_sandbox.exchange.model import OrderClass, Position, PositionSide, PositionStatus
from tests.unit.sandbox.venue import ALICE, BOB, CAROL, MARKET, Venue


def trade(venue: Venue, buyer: str, seller: str, size: str, price: str) -> None:
    """`seller` makes, `buyer` takes."""
    venue.sell(seller, size, price)
    venue.buy(buyer, size, price)


def position(venue: Venue, account: str) -> Position:
    (found,) = venue.exchange.positions(account, MARKET)
    return found


def test_the_entry_price_is_the_average_of_what_was_bought(venue: Venue) -> None:
    trade(venue, ALICE, BOB, "1", "100")
    trade(venue, ALICE, BOB, "3", "102")
    held = position(venue, ALICE)
    assert (held.size, held.average_entry_price, held.cost) == (4, Decimal("101.5"), Decimal("406"))
    assert (held.side, held.status) == (PositionSide.LONG, PositionStatus.OPEN)
    short = position(venue, BOB)
    assert (short.size, short.average_entry_price, short.side) == (-4, Decimal("101.5"), PositionSide.SHORT)


def test_reducing_realizes_the_difference_and_keeps_the_entry(venue: Venue) -> None:
    trade(venue, ALICE, BOB, "4", "100")
    trade(venue, CAROL, ALICE, "1", "103")
    fill = venue.fills(ALICE)[-1]
    assert fill.realized_pnl == 3
    held = position(venue, ALICE)
    assert (held.size, held.average_entry_price, held.average_exit_price) == (3, 100, 103)
    assert held.realized_positional_pnl == 3


def test_a_short_profits_when_it_is_bought_back_cheaper(venue: Venue) -> None:
    trade(venue, ALICE, BOB, "2", "100")
    trade(venue, BOB, CAROL, "2", "98")
    assert venue.fills(BOB)[-1].realized_pnl == 4
    assert position(venue, BOB).status is PositionStatus.CLOSED


def test_unrealized_pnl_follows_the_mark(venue: Venue) -> None:
    trade(venue, ALICE, BOB, "2", "100")
    venue.mark("110")
    assert position(venue, ALICE).unrealized_pnl == 20
    assert position(venue, BOB).unrealized_pnl == -20


def test_a_flip_closes_one_position_and_opens_another(venue: Venue) -> None:
    trade(venue, ALICE, BOB, "2", "100")
    before = position(venue, ALICE)
    trade(venue, CAROL, ALICE, "5", "101")
    after = position(venue, ALICE)
    assert venue.fills(ALICE)[-1].realized_pnl == 2
    assert (after.size, after.average_entry_price) == (-3, 101)
    assert after.id != before.id
    assert after.realized_positional_pnl == 0


def test_a_closed_position_reports_itself_closed(venue: Venue) -> None:
    trade(venue, ALICE, BOB, "2", "100")
    trade(venue, CAROL, ALICE, "2", "101")
    closed = [e.position for e in venue.of_type(PositionChanged) if e.account == ALICE]
    assert [(p.size, p.status, p.average_exit_price) for p in closed] == [(0, PositionStatus.CLOSED, 101)]
    assert closed[0].closed_at == venue.exchange.now


def test_thirds_leave_nothing_behind(venue: Venue) -> None:
    """An average price without a finite expansion must not leave dust in cost or money."""
    trade(venue, ALICE, BOB, "1", "100")
    trade(venue, ALICE, BOB, "2", "101")
    for _ in range(3):
        trade(venue, CAROL, ALICE, "1", "100.5")
    closed = position(venue, ALICE)
    assert (closed.size, closed.cost) == (0, 0)
    assert sum(fill.realized_pnl for fill in venue.fills(ALICE)) == Decimal("-0.5")


def test_pro_pays_maker_and_taker_rates(venue: Venue) -> None:
    trade(venue, ALICE, BOB, "2", "100")
    (taker,), (maker,) = venue.fills(ALICE), venue.fills(BOB)
    assert (taker.fee, maker.fee) == (Decimal("0.09"), Decimal("0.006"))
    assert taker.fee_currency == "USDC"
    assert venue.balance(ALICE) == 100_000 - Decimal("0.09")


def test_retail_pays_nothing(venue: Venue) -> None:
    venue.sell(BOB, "2", "100", order_class=OrderClass.INTERACTIVE)
    venue.buy(ALICE, "2", "100", order_class=OrderClass.INTERACTIVE)
    venue.wait(300_000)
    for account in (ALICE, BOB):
        (fill,) = venue.fills(account)
        assert fill.fee == 0
        assert fill.flags == ("interactive",)
    assert venue.find(ALICE, venue.fills(ALICE)[0].order_id).flags == ("INTERACTIVE",)


def test_without_a_fee_config_the_accounts_own_rates_apply(make_venue: Callable[..., Venue]) -> None:
    venue = make_venue(fee_config=None)
    trade(venue, ALICE, BOB, "1", "100")
    fees = venue.exchange.account(ALICE).fees
    assert venue.fills(ALICE)[0].fee == 100 * fees.taker_rate
    assert venue.fills(BOB)[0].fee == 100 * fees.maker_rate


def test_the_balance_event_says_what_moved_the_balance(venue: Venue) -> None:
    trade(venue, ALICE, BOB, "2", "100")
    trade(venue, CAROL, ALICE, "2", "101")
    (event,) = [e for e in venue.of_type(BalanceChanged) if e.account == ALICE]
    assert (event.realized_pnl, event.fees) == (2, Decimal("0.00606"))
    assert event.after == event.before + event.realized_pnl + event.realized_funding - event.fees
    assert event.fill_id == venue.fills(ALICE)[-1].id
    assert event.after == venue.balance(ALICE)


@pytest.mark.parametrize("account", [ALICE, BOB])
def test_the_liquidation_price_is_where_value_meets_maintenance(venue: Venue, account: str) -> None:
    trade(venue, ALICE, BOB, "900", "100")
    for address in (ALICE, BOB):
        venue.exchange.deposit(address, Decimal(-80_000))
    price = position(venue, account).liquidation_price
    assert price is not None
    assert (price < 100) is (account == ALICE)
    venue.exchange.set_mark_price(MARKET, price)
    summary = venue.exchange.account_summary(account)
    assert summary.margin_cushion == pytest.approx(Decimal(0), abs=Decimal("0.001"))


def test_a_position_that_its_collateral_covers_has_no_liquidation_price(venue: Venue) -> None:
    trade(venue, ALICE, BOB, "1", "100")
    assert position(venue, ALICE).liquidation_price is None
