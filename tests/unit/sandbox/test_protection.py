"""Market-maker protection."""

from decimal import Decimal

import pytest

from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.events import MmpChanged
from paradex_sandbox.exchange.mmp import MmpEventKind, MmpTripReason
from paradex_sandbox.exchange.model import CancelReason, OrderFlag, OrderStatus, Side
from tests.unit.sandbox.venue import ALICE, BOB, SECOND, Venue

MMP = {"flags": (OrderFlag.MMP,)}


def protect(venue: Venue, **changes: object) -> None:
    fields: dict[str, object] = {
        "interval_ms": 1000,
        "frozen_time_ms": 5000,
        "size_limit": Decimal(3),
        "delta_limit": Decimal(0),
        **changes,
    }
    venue.exchange.set_mmp(ALICE, "TEST", **fields)  # type: ignore[arg-type]


def changes(venue: Venue) -> list[MmpEventKind]:
    return [event.kind for event in venue.of_type(MmpChanged)]


@pytest.fixture
def quoting(venue: Venue) -> Venue:
    """ALICE quotes 5 and 5 under protection, and 1 without."""
    protect(venue)
    venue.buy(ALICE, "5", "99", **MMP)
    venue.sell(ALICE, "5", "101", **MMP)
    venue.buy(ALICE, "1", "98")
    return venue


def test_when_fills_overrun_the_size_limit_protected_orders_go(quoting: Venue) -> None:
    quoting.sell(BOB, "3", "99")
    assert len(quoting.exchange.open_orders(ALICE)) == 3
    quoting.sell(BOB, "0.5", "99")
    (left,) = quoting.exchange.open_orders(ALICE)
    assert left.price == 98
    reasons = {order.cancel_reason for order in quoting.exchange.orders_history(ALICE).items if not order.is_live}
    assert reasons == {CancelReason.MMP_TRIGGERED}
    (event,) = quoting.of_type(MmpChanged)
    assert (event.kind, event.trip_reason, event.base_asset) == (MmpEventKind.TRIGGERED, MmpTripReason.SIZE, "TEST")
    assert (event.window_size, event.window_delta) == (Decimal("3.5"), Decimal("3.5"))
    assert (event.trigger_market, event.frozen_until) == (quoting.market, quoting.exchange.now + 5 * SECOND)


def test_the_taker_meets_nothing_more_once_it_tripped(quoting: Venue) -> None:
    quoting.buy(ALICE, "5", "98.5", **MMP)
    taker = quoting.sell(BOB, "10", "98")
    # The first fill takes the whole first quote; the protection then is faster than the taker. 98 is unprotected.
    assert [fill.price for fill in quoting.fills(ALICE)] == [99, 98]
    assert taker.remaining_size == 4
    assert quoting.exchange.open_orders(ALICE) == []


def test_fills_leave_the_window(quoting: Venue) -> None:
    quoting.sell(BOB, "3", "99")
    quoting.wait(SECOND)
    quoting.sell(BOB, "1", "99")
    (state,) = quoting.exchange.mmp_configs(ALICE)
    assert (state.window_size, state.is_frozen) == (1, False)


def test_delta_counts_what_is_left_of_both_sides(venue: Venue) -> None:
    protect(venue, size_limit=Decimal(0), delta_limit=Decimal(2))
    venue.buy(ALICE, "5", "99", **MMP)
    venue.sell(ALICE, "5", "101", **MMP)
    for _ in range(2):
        venue.sell(BOB, "2", "99")
        venue.buy(BOB, "2", "101")
    assert changes(venue) == []
    venue.buy(BOB, "1", "101")
    venue.sell(BOB, "0.5", "99")
    assert venue.exchange.mmp_configs(ALICE)[0].is_frozen is False
    protect(venue, size_limit=Decimal(0), delta_limit=Decimal("0.4"))
    venue.sell(BOB, "0.5", "99")
    assert venue.of_type(MmpChanged)[-1].trip_reason is MmpTripReason.DELTA


def test_a_taker_under_protection_stops_too(venue: Venue) -> None:
    protect(venue)
    for _ in range(3):
        venue.sell(BOB, "2", "100")
    order = venue.buy(ALICE, "6", "100", **MMP)
    assert (order.filled_size, order.cancel_reason) == (4, CancelReason.MMP_TRIGGERED)


def test_while_frozen_protected_orders_are_refused(quoting: Venue) -> None:
    quoting.sell(BOB, "4", "99")
    assert quoting.buy(ALICE, "1", "99", **MMP).cancel_reason == CancelReason.MMP_FROZEN
    assert quoting.buy(ALICE, "1", "99").status is OrderStatus.OPEN
    quoting.wait(5 * SECOND)
    quoting.events = []
    assert quoting.exchange.mmp_configs(ALICE)[0].is_frozen is False
    assert quoting.buy(ALICE, "1", "99", **MMP).status is OrderStatus.OPEN


def test_the_freeze_ends_with_an_event(quoting: Venue) -> None:
    quoting.sell(BOB, "4", "99")
    quoting.exchange.advance(quoting.exchange.now + 5 * SECOND)
    quoting.process()
    assert changes(quoting) == [MmpEventKind.UNFROZEN]


def test_a_freeze_without_end_waits_for_a_reset(venue: Venue) -> None:
    protect(venue, frozen_time_ms=0)
    venue.buy(ALICE, "5", "99", **MMP)
    venue.sell(BOB, "4", "99")
    assert venue.of_type(MmpChanged)[0].frozen_until == 0
    with pytest.raises(ExchangeError, match="MMP_MIN_FREEZE_NOT_ELAPSED"):
        venue.exchange.reset_mmp(ALICE)
    venue.wait(3600 * SECOND)
    assert venue.exchange.mmp_configs(ALICE)[0].is_frozen
    assert venue.exchange.reset_mmp(ALICE, "TEST") == [("TEST", venue.exchange.now)]
    venue.process()
    assert changes(venue) == [MmpEventKind.RESET]
    state = venue.exchange.mmp_configs(ALICE)[0]
    assert (state.is_frozen, state.window_size) == (False, 0)


def test_switching_protection_off_cancels_what_it_protected(quoting: Venue) -> None:
    quoting.exchange.delete_mmp(ALICE, "TEST")
    quoting.process()
    assert [order.price for order in quoting.exchange.open_orders(ALICE)] == [98]
    (event,) = quoting.of_type(MmpChanged)
    assert (event.kind, event.removed) == (MmpEventKind.CONFIG_UPDATED, True)
    assert quoting.buy(ALICE, "1", "99", **MMP).cancel_reason == CancelReason.MMP_NOT_CONFIGURED
    quoting.exchange.delete_mmp(ALICE, "TEST")
    with pytest.raises(ExchangeError, match="NOT_FOUND"):
        quoting.exchange.reset_mmp(ALICE, "TEST")


def test_other_accounts_and_unprotected_fills_do_not_count(quoting: Venue) -> None:
    quoting.sell(BOB, "2", "99")
    quoting.buy(ALICE, "9", "99.5")
    quoting.sell(BOB, "9", "99.5", flags=())
    assert quoting.exchange.mmp_configs(ALICE)[0].window_size == 2
    assert quoting.exchange.mmp_configs(BOB) == []


@pytest.mark.parametrize(
    "change",
    [
        {"interval_ms": 99},
        {"interval_ms": 3_600_001},
        {"frozen_time_ms": -1},
        {"size_limit": Decimal("0.00001")},
        {"size_limit": Decimal(-1)},
        {"size_limit": Decimal(0)},
        {"delta_limit": Decimal("NaN")},
    ],
)
def test_what_cannot_protect_is_refused(venue: Venue, change: dict[str, object]) -> None:
    with pytest.raises(ExchangeError, match="VALIDATION_ERROR"):
        protect(venue, **change)
    with pytest.raises(ExchangeError, match="VALIDATION_ERROR"):
        venue.exchange.set_mmp(
            ALICE, "NONE", interval_ms=1000, frozen_time_ms=0, size_limit=Decimal(1), delta_limit=Decimal(0)
        )


def test_an_omitted_block_trade_flag_keeps_what_was(venue: Venue) -> None:
    protect(venue, protect_block_trades=True)
    protect(venue)
    (state,) = venue.exchange.mmp_configs(ALICE)
    assert state.config.protect_block_trades is True
    assert venue.submit(ALICE, Side.BUY, "1", "99", **MMP)
