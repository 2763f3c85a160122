"""What the exchange does to accounts and markets by itself: liquidation, deleveraging, expiry, system states, busts."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.events import (
    BalanceChanged,
    BalanceChangeKind,
    Filled,
    Liquidated,
    SystemStatusChanged,
    TradeBusted,
)
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.liquidation import HEALTH_CHECK_US, liquidation_share
from paradex_sandbox.exchange.margin import AccountMargin
from paradex_sandbox.exchange.model import (
    AccountStatus,
    CancelReason,
    FillType,
    OrderFlag,
    OrderInstruction,
    OrderStatus,
    OrderType,
    Side,
    SystemStatus,
)
from tests.unit.sandbox.test_exchange_properties import wealth
from tests.unit.sandbox.venue import ALICE, BOB, CAROL, MARKET, SECOND, START, Venue, plain_market

D = Decimal
DEPOSITED = 3 * D(100_000)


# -- liquidation -----------------------------------------------------------------------------------------------------


@pytest.fixture
def long_fifty(venue: Venue) -> Venue:
    """ALICE, with 1000 USDC, is long 50 at 100, five times what she has."""
    venue.exchange.deposit(ALICE, D(-99_000))
    venue.sell(BOB, "50", "100")
    venue.buy(ALICE, "50", "100")
    return venue


def wait_for_check(venue: Venue) -> None:
    venue.wait(HEALTH_CHECK_US - venue.exchange.now % HEALTH_CHECK_US)


def test_the_documentations_example() -> None:
    """docs: risk-system/liquidations, Alice; the example is older than the fee of 70%."""
    assert liquidation_share(AccountMargin(D(1000), D(80), D(0), D("88.8")), fee=D("0.5")) == D("0.4")
    assert liquidation_share(AccountMargin(D(1000), D(80), D(0), D("88.8"))) == D("0.6")
    assert liquidation_share(AccountMargin(D(1000), D(-1), D(0), D("88.8"))) == 1


def test_an_unhealthy_account_loses_a_share_of_its_position_and_is_healthy_again(long_fifty: Venue) -> None:
    long_fifty.mark("84.5")
    assert long_fifty.exchange.account_summary(ALICE).status is AccountStatus.ACTIVE
    long_fifty.mark("84")
    before = long_fifty.exchange.account_summary(ALICE)
    assert before.status is AccountStatus.LIQUIDATION
    wait_for_check(long_fifty)
    assert long_fifty.position(ALICE) == 20
    (liquidated,) = long_fifty.of_type(Liquidated)
    assert long_fifty.exchange.liquidations(ALICE) == [liquidated.liquidation]
    fill = long_fifty.fills(ALICE)[-1]
    assert (fill.fill_type, fill.price, fill.size, fill.order_side) == (FillType.LIQUIDATION, 84, 30, Side.SELL)
    assert (fill.order_id, fill.orderbook_seq_no) == ("", 0)
    after = long_fifty.exchange.account_summary(ALICE)
    penalty = D("0.6") * D("0.7") * before.maintenance_margin_requirement
    assert fill.fee == penalty.quantize(D("1e-8"))
    assert abs(after.account_value - (before.account_value - penalty)) < D("0.01")
    assert after.maintenance_margin_requirement < D("0.9") * after.account_value
    assert after.status is AccountStatus.ACTIVE
    assert long_fifty.exchange.insurance_fund().account_value == fill.fee
    assert wealth(long_fifty.exchange) == DEPOSITED - 99_000


def test_its_orders_go_first(long_fifty: Venue) -> None:
    order = long_fifty.buy(ALICE, "1", "84")
    long_fifty.mark("84")
    wait_for_check(long_fifty)
    assert long_fifty.find(ALICE, order.id).cancel_reason == CancelReason.LIQUIDATION


def test_a_bankrupt_account_ends_at_zero_and_the_fund_pays(long_fifty: Venue) -> None:
    long_fifty.mark("70")
    wait_for_check(long_fifty)
    assert (long_fifty.position(ALICE), long_fifty.balance(ALICE)) == (0, 0)
    covered = [e for e in long_fifty.of_type(BalanceChanged) if e.kind is BalanceChangeKind.INSURANCE]
    assert [(event.account, event.after) for event in covered] == [(ALICE, 0)]
    assert long_fifty.exchange.insurance_fund().account_value == -(covered[0].after - covered[0].before)
    assert long_fifty.exchange.insurance_fund().account_value < -500
    assert wealth(long_fifty.exchange) == DEPOSITED - 99_000


def test_a_short_is_liquidated_too_and_all_positions_by_the_same_share() -> None:
    other = plain_market(symbol="OTHER-USD-PERP", base_currency="OTHER")
    exchange = Exchange([plain_market(), other], seed=1, now_us=START)
    venue = Venue(exchange)
    exchange.set_mark_price("OTHER-USD-PERP", D(100))
    exchange.deposit(ALICE, D(-99_000))
    for market, size in ((MARKET, "30"), ("OTHER-USD-PERP", "20.01")):
        venue.buy(BOB, size, "100", market=market)
        venue.sell(ALICE, size, "100", market=market)
    for market in (MARKET, "OTHER-USD-PERP"):
        exchange.set_mark_price(market, D("114.5"))
    wait_for_check(venue)
    sizes = {position.market: position.size for position in exchange.positions(ALICE)}
    assert sizes == {MARKET: -12, "OTHER-USD-PERP": -8}


def test_nobody_is_liquidated_while_the_system_is_not_ok(long_fifty: Venue) -> None:
    long_fifty.exchange.system_status = SystemStatus.POST_ONLY
    long_fifty.mark("84")
    wait_for_check(long_fifty)
    assert long_fifty.position(ALICE) == 50
    long_fifty.exchange.system_status = SystemStatus.OK
    wait_for_check(long_fifty)
    assert long_fifty.position(ALICE) == 20


def test_deleveraging_cancels_what_could_add_risk(venue: Venue) -> None:
    """docs: risk-system/deleveraging, Alice."""
    venue.sell(BOB, "10", "100")
    venue.buy(ALICE, "10", "100")
    kept = [venue.sell(ALICE, "5", "102"), venue.sell(ALICE, "3", "101")]
    gone = [venue.buy(ALICE, "2", "96"), venue.sell(ALICE, "3", "103")]
    venue.exchange.deposit(ALICE, D("-99890"))
    wait_for_check(venue)
    assert [order.id for order in venue.exchange.open_orders(ALICE)] == [order.id for order in kept]
    assert {venue.find(ALICE, order.id).cancel_reason for order in gone} == {CancelReason.NOT_ENOUGH_MARGIN}


# -- expiry ----------------------------------------------------------------------------------------------------------


def test_at_expiry_positions_are_settled_at_the_mark(make_venue: Callable[..., Venue]) -> None:
    venue = make_venue(expiry_at=START + 7200 * SECOND)
    venue.sell(BOB, "5", "100")
    venue.buy(ALICE, "5", "100")
    venue.mark("103")
    venue.exchange.advance(START + 7200 * SECOND)
    venue.process()
    for account, profit in ((ALICE, 15), (BOB, -15)):
        fill = venue.fills(account)[-1]
        assert (fill.fill_type, fill.price, fill.fee, fill.realized_pnl) == (FillType.SETTLE_MARKET, 103, 0, profit)
        assert venue.position(account) == 0
    assert wealth(venue.exchange) == DEPOSITED


def test_near_expiry_only_reduce_only_orders_pass(make_venue: Callable[..., Venue]) -> None:
    venue = make_venue(expiry_at=START + 3600 * SECOND)
    venue.sell(BOB, "5", "100")
    venue.buy(ALICE, "5", "100")
    venue.exchange.advance(START + 1800 * SECOND)
    assert venue.buy(ALICE, "1", "99").cancel_reason == CancelReason.REDUCE_ONLY_PERIOD
    assert venue.sell(ALICE, "1", "101", flags=[OrderFlag.REDUCE_ONLY]).status is OrderStatus.OPEN


# -- system states ---------------------------------------------------------------------------------------------------


def test_a_release_goes_through_its_states_by_the_clock(venue: Venue) -> None:
    venue.exchange.schedule_release(venue.exchange.now + 60 * SECOND)
    seen = []
    for _ in range(10):
        venue.wait(30 * SECOND)
        seen += [(event.ts - START, event.status) for event in venue.of_type(SystemStatusChanged)]
    assert seen == [
        (60 * SECOND, SystemStatus.CANCEL_ONLY),
        (180 * SECOND, SystemStatus.POST_ONLY),
        (300 * SECOND, SystemStatus.OK),
    ]
    assert venue.exchange.system_status is SystemStatus.OK


def test_setting_a_status_ends_the_script(venue: Venue) -> None:
    venue.exchange.schedule_release(venue.exchange.now)
    assert venue.exchange.system_status is SystemStatus.CANCEL_ONLY
    venue.exchange.system_status = SystemStatus.OK
    venue.wait(3600 * SECOND)
    assert venue.exchange.system_status is SystemStatus.OK


def test_between_the_states_orders_stay_within_5_bps_of_the_fair_price(venue: Venue) -> None:
    far, near = venue.buy(ALICE, "1", "100.5"), venue.buy(ALICE, "1", "100")
    sell = venue.sell(BOB, "1", "101")
    venue.exchange.system_status = SystemStatus.CANCEL_ONLY
    assert venue.find(ALICE, far.id).cancel_reason == CancelReason.FAIR_PRICE_BAND_EXCEEDED
    assert venue.find(ALICE, near.id).status is OrderStatus.OPEN
    venue.mark("102")
    assert venue.find(BOB, sell.id).cancel_reason == CancelReason.FAIR_PRICE_BAND_EXCEEDED
    venue.exchange.system_status = SystemStatus.POST_ONLY
    post = {"instruction": OrderInstruction.POST_ONLY}
    assert venue.sell(BOB, "1", "101.5", **post).cancel_reason == CancelReason.FAIR_PRICE_BAND_EXCEEDED
    assert venue.sell(BOB, "1", "102", **post).status is OrderStatus.OPEN


def test_what_was_acknowledged_before_the_status_changed_is_closed(venue: Venue) -> None:
    plain = venue.submit(ALICE, Side.BUY, "1", "99")
    post = venue.submit(ALICE, Side.BUY, "1", "99", instruction=OrderInstruction.POST_ONLY)
    venue.exchange.system_status = SystemStatus.POST_ONLY
    venue.process()
    assert venue.find(ALICE, plain).cancel_reason == CancelReason.SYSTEM_STATUS_POST_ONLY
    assert venue.find(ALICE, post).status is OrderStatus.OPEN
    venue.exchange.system_status = SystemStatus.OK
    late = venue.submit(ALICE, Side.BUY, "1", "99")
    venue.exchange.system_status = SystemStatus.CANCEL_ONLY
    venue.process()
    assert venue.find(ALICE, late).cancel_reason == CancelReason.SYSTEM_STATUS_CANCEL_ONLY


def test_in_maintenance_not_even_cancellations_pass(venue: Venue) -> None:
    order = venue.buy(ALICE, "1", "99")
    venue.exchange.system_status = SystemStatus.MAINTENANCE
    for cancel in (lambda: venue.exchange.cancel(ALICE, order_id=order.id), lambda: venue.exchange.cancel_all(ALICE)):
        with pytest.raises(ExchangeError, match="SERVICE_UNAVAILABLE"):
            cancel()


def test_other_traders_keep_to_the_status_too(venue: Venue) -> None:
    crowd = venue.exchange.crowd
    venue.buy(ALICE, "1", "100")
    venue.exchange.system_status = SystemStatus.POST_ONLY
    assert crowd.take(MARKET, Side.SELL, D(90), D(1)) == 0
    assert crowd.quote(MARKET, Side.SELL, D(100), D(1)) is None
    assert crowd.quote(MARKET, Side.SELL, D(101), D(1)) is not None
    venue.exchange.system_status = SystemStatus.CANCEL_ONLY
    assert crowd.quote(MARKET, Side.SELL, D(102), D(1)) is None


# -- busts -----------------------------------------------------------------------------------------------------------


def test_a_bust_undoes_both_sides(venue: Venue) -> None:
    resting = venue.sell(BOB, "2", "100")
    taker = venue.buy(ALICE, "1", "100")
    fill = venue.fills(ALICE)[0]
    venue.mark("105")
    bust = venue.exchange.bust(ALICE, fill.id)
    venue.process()
    assert (bust.account, bust.busted_fill_id) == (ALICE, fill.id)
    assert sorted(event.account for event in venue.of_type(TradeBusted)) == sorted([ALICE, BOB])
    assert venue.exchange.tradebusts(BOB).items[0].busted_fill_id == fill.id
    for account in (ALICE, BOB):
        assert (venue.position(account), venue.balance(account), venue.fills(account)) == (0, 100_000, ())
    closed = venue.find(ALICE, taker.id)
    assert (closed.status, closed.remaining_size, closed.cancel_reason) == (OrderStatus.CLOSED, 1, "TRADE_BUST")
    assert closed.avg_fill_price is None
    grown = venue.find(BOB, resting.id)
    assert (grown.status, grown.remaining_size) == (OrderStatus.OPEN, 2)
    assert venue.exchange.levels(MARKET).asks == ((100, 2),)
    assert wealth(venue.exchange) == DEPOSITED
    with pytest.raises(ExchangeError, match="NOT_FOUND"):
        venue.exchange.bust(ALICE, fill.id)


def test_a_trade_with_the_crowd_is_busted_in_its_books_too(venue: Venue) -> None:
    venue.exchange.crowd.quote(MARKET, Side.SELL, D(100), D(3))
    venue.buy(ALICE, "3", "100")
    venue.sell(BOB, "1", "101")
    venue.buy(ALICE, "1", "101")
    venue.mark("97")
    venue.exchange.bust(ALICE, venue.fills(ALICE)[0].id)
    venue.process()
    assert (venue.position(ALICE), venue.position(BOB)) == (1, -1)
    assert wealth(venue.exchange) == DEPOSITED
    assert [event for event in venue.events if isinstance(event, Filled)] == []


def test_liquidations_and_settlements_cannot_be_busted(long_fifty: Venue) -> None:
    long_fifty.mark("84")
    wait_for_check(long_fifty)
    with pytest.raises(ExchangeError, match="NOT_FOUND"):
        long_fifty.exchange.bust(ALICE, long_fifty.fills(ALICE)[-1].id)


def test_a_bust_that_takes_a_position_away_ends_what_was_tied_to_it(venue: Venue) -> None:
    venue.sell(BOB, "2", "100")
    venue.buy(ALICE, "2", "100")
    loss = venue.sell(ALICE, "2", None, type=OrderType.STOP_LOSS_MARKET, trigger_price=D(95))
    reduce = venue.sell(ALICE, "2", "103", flags=[OrderFlag.REDUCE_ONLY])
    venue.exchange.bust(BOB, venue.fills(BOB)[0].id)
    venue.process()
    assert venue.find(ALICE, loss.id).cancel_reason == CancelReason.POSITION_CLOSED
    assert venue.find(ALICE, reduce.id).cancel_reason == CancelReason.REDUCE_ONLY_WOULD_INCREASE
    assert venue.position(CAROL) == 0
