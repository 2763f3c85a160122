"""Cross margin: requirements, free collateral, the risk check, leverage."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.model import (
    AccountStatus,
    AccountSummary,
    CancelReason,
    MarginType,
    OrderStatus,
    Side,
)
from tests.unit.sandbox.venue import ALICE, BOB, CAROL, MARKET, Venue

# 10% initial, 5% maintenance, 0.045% taker fee as provision.


def summary(venue: Venue, account: str = ALICE) -> AccountSummary:
    return venue.exchange.account_summary(account)


def test_an_idle_account_is_all_free_collateral(venue: Venue) -> None:
    idle = summary(venue)
    assert idle.account_value == idle.total_collateral == idle.free_collateral == 100_000
    assert idle.initial_margin_requirement == idle.maintenance_margin_requirement == 0
    assert (idle.status, idle.settlement_asset) == (AccountStatus.ACTIVE, "USDC")


def test_open_orders_need_the_larger_sides_margin(venue: Venue) -> None:
    venue.buy(ALICE, "10", "99")
    venue.sell(ALICE, "4", "101")
    assert summary(venue).initial_margin_requirement == Decimal("100.45")
    venue.sell(ALICE, "7", "101")
    assert summary(venue).initial_margin_requirement == Decimal("110.495")
    assert summary(venue).maintenance_margin_requirement == 0


def test_orders_beyond_the_mark_set_their_loss_aside(venue: Venue) -> None:
    venue.buy(ALICE, "1", "103")
    assert summary(venue).initial_margin_requirement == Decimal("10.045") + 3


def test_a_position_needs_maintenance_margin_and_moves_the_value(venue: Venue) -> None:
    venue.sell(BOB, "10", "100")
    venue.buy(ALICE, "10", "100")
    venue.mark("90")
    held = summary(venue)
    collateral = 100_000 - Decimal("0.45")
    assert held.total_collateral == collateral
    assert held.account_value == collateral - 100
    assert held.initial_margin_requirement == Decimal("90.405")
    assert held.maintenance_margin_requirement == Decimal("45.405")
    assert held.margin_cushion == held.account_value - held.maintenance_margin_requirement
    assert held.free_collateral == held.account_value - held.initial_margin_requirement


def test_free_collateral_never_exceeds_the_balance(venue: Venue) -> None:
    venue.sell(BOB, "10", "100")
    venue.buy(ALICE, "10", "100")
    venue.mark("200")
    assert summary(venue).free_collateral == summary(venue).total_collateral


def test_an_order_beyond_the_margin_is_closed_after_it_was_accepted(venue: Venue) -> None:
    venue.exchange.deposit(ALICE, Decimal(-99_000))
    order_id = venue.submit(ALICE, Side.BUY, "100", "99")
    assert venue.exchange.order(ALICE, order_id).status is OrderStatus.NEW
    venue.process()
    order = venue.find(ALICE, order_id)
    assert (order.status, order.cancel_reason) == (OrderStatus.CLOSED, CancelReason.NOT_ENOUGH_MARGIN)
    # 1000 / (100 * 10.045%) is 99.55.
    assert venue.buy(ALICE, "99.55", "99").status is OrderStatus.OPEN
    assert venue.buy(ALICE, "0.5", "99").cancel_reason == CancelReason.NOT_ENOUGH_MARGIN


def test_below_the_initial_margin_only_what_offsets_the_position_passes(venue: Venue) -> None:
    venue.sell(BOB, "900", "100")
    venue.buy(ALICE, "900", "100")
    venue.buy(BOB, "900", "89")
    venue.exchange.deposit(ALICE, Decimal(-83_000))
    venue.mark("90")
    assert summary(venue).free_collateral < 0
    assert venue.buy(ALICE, "1", "89").cancel_reason == CancelReason.NOT_ENOUGH_MARGIN
    assert venue.sell(ALICE, "900", "91").status is OrderStatus.OPEN
    assert venue.sell(ALICE, "950", "91").cancel_reason == CancelReason.NOT_ENOUGH_MARGIN
    assert venue.sell(ALICE, "100", "89").remaining_size == 0


def test_an_account_below_its_maintenance_margin_says_liquidation(venue: Venue) -> None:
    venue.sell(BOB, "900", "100")
    venue.buy(ALICE, "900", "100")
    venue.exchange.deposit(ALICE, Decimal(-90_000))
    venue.mark("93")
    assert summary(venue).status is AccountStatus.LIQUIDATION
    assert summary(venue, BOB).status is AccountStatus.ACTIVE


def test_the_position_limit_counts_position_and_orders_of_the_side(make_venue: Callable[..., Venue]) -> None:
    venue = make_venue(position_limit=Decimal(10))
    venue.sell(BOB, "6", "100")
    venue.buy(ALICE, "6", "100")
    venue.buy(ALICE, "3", "99")
    assert venue.buy(ALICE, "1.01", "99").cancel_reason == CancelReason.POSITION_LIMIT_EXCEEDED
    assert venue.buy(ALICE, "1", "99").status is OrderStatus.OPEN
    assert venue.sell(ALICE, "16", "101").status is OrderStatus.OPEN
    assert venue.buy(CAROL, "10.01", "99").cancel_reason == CancelReason.POSITION_LIMIT_EXCEEDED


def test_leverage_is_the_markets_maximum_until_it_is_set(venue: Venue) -> None:
    assert venue.exchange.margin_config(ALICE, MARKET).leverage == 10
    assert venue.exchange.set_leverage(ALICE, MARKET, 5).leverage == 5
    venue.buy(ALICE, "10", "99")
    assert summary(venue).initial_margin_requirement == Decimal("200.45")
    assert venue.exchange.margin_config(BOB, MARKET).leverage == 10


def test_a_lower_leverage_leaves_the_maintenance_margin_alone(venue: Venue) -> None:
    venue.sell(BOB, "10", "100")
    venue.buy(ALICE, "10", "100")
    before = summary(venue).maintenance_margin_requirement
    venue.exchange.set_leverage(ALICE, MARKET, 2)
    assert summary(venue).maintenance_margin_requirement == before


@pytest.mark.parametrize("leverage", [0, -1, 11])
def test_leverage_out_of_range_is_refused(venue: Venue, leverage: int) -> None:
    with pytest.raises(ExchangeError, match="between 1 and 10") as caught:
        venue.exchange.set_leverage(ALICE, MARKET, leverage)
    assert caught.value.code == "VALIDATION_ERROR"


def test_isolated_margin_is_refused(venue: Venue) -> None:
    with pytest.raises(ExchangeError) as caught:
        venue.exchange.set_leverage(ALICE, MARKET, 5, MarginType.ISOLATED)
    assert caught.value.code == "MARKET_MARGIN_RESTRICTED"


def test_a_leverage_that_the_account_could_not_carry_is_refused(venue: Venue) -> None:
    venue.exchange.deposit(ALICE, Decimal(-99_000))
    venue.buy(ALICE, "90", "99")
    with pytest.raises(ExchangeError, match="not enough margin"):
        venue.exchange.set_leverage(ALICE, MARKET, 5)
    assert venue.exchange.margin_config(ALICE, MARKET).leverage == 10
