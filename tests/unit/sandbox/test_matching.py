"""Price-time matching, instructions, self-trade prevention and reduce-only."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from paradex_sandbox.exchange.events import OrderUpdated
from paradex_sandbox.exchange.model import (
    CancelReason,
    Liquidity,
    OrderFlag,
    OrderInstruction,
    OrderStatus,
    SelfTradePrevention,
    Side,
)
from tests.unit.sandbox.venue import ALICE, BOB, CAROL, MARKET, Venue

POST_ONLY, IOC = OrderInstruction.POST_ONLY, OrderInstruction.IOC
REDUCE_ONLY = [OrderFlag.REDUCE_ONLY]


def test_an_order_is_new_until_the_queue_runs_and_open_when_it_rests(venue: Venue) -> None:
    order_id = venue.submit(ALICE, Side.BUY, "1", "99")
    assert venue.exchange.order(ALICE, order_id).status is OrderStatus.NEW
    assert venue.exchange.levels(MARKET).bids == ()
    venue.process()
    assert venue.exchange.order(ALICE, order_id).status is OrderStatus.OPEN
    assert venue.exchange.levels(MARKET).bids == ((Decimal("99.0"), Decimal("1.00")),)


def test_better_prices_fill_first_and_at_the_makers_price(venue: Venue) -> None:
    dear, cheap = venue.sell(ALICE, "1", "101"), venue.sell(BOB, "1", "100.5")
    taker = venue.buy(CAROL, "1.5", "101")
    assert taker.status is OrderStatus.CLOSED
    assert taker.cancel_reason == ""
    assert [(fill.price, fill.size) for fill in venue.fills(CAROL)] == [
        (Decimal("100.5"), Decimal(1)),
        (Decimal(101), Decimal("0.5")),
    ]
    assert taker.avg_fill_price == Decimal("100.66666667")
    assert venue.find(BOB, cheap.id).status is OrderStatus.CLOSED
    assert venue.find(ALICE, dear.id).remaining_size == Decimal("0.5")


def test_at_one_price_the_earlier_order_fills_first(venue: Venue) -> None:
    venue.sell(ALICE, "1", "101")
    venue.sell(BOB, "1", "101")
    venue.buy(CAROL, "1", "101")
    assert len(venue.fills(ALICE)) == 1
    assert venue.fills(BOB) == ()


def test_orders_of_one_round_act_in_the_order_they_came(venue: Venue) -> None:
    venue.submit(BOB, Side.SELL, "1", "101")
    venue.submit(ALICE, Side.SELL, "1", "101")
    venue.submit(CAROL, Side.BUY, "1", "101")
    venue.process()
    assert venue.position(BOB) == -1
    assert venue.position(ALICE) == 0


def test_the_remainder_of_a_crossing_limit_order_rests(venue: Venue) -> None:
    venue.sell(ALICE, "1", "101")
    taker = venue.buy(BOB, "3", "101.5")
    assert taker.status is OrderStatus.OPEN
    assert taker.remaining_size == 2
    assert venue.exchange.levels(MARKET).bids == ((Decimal("101.5"), Decimal("2.00")),)
    assert venue.exchange.levels(MARKET).asks == ()


def test_both_sides_of_a_trade_share_its_id_and_show_the_takers_side(venue: Venue) -> None:
    venue.sell(ALICE, "1", "101")
    venue.buy(BOB, "1", "101")
    (trade,) = venue.exchange.trades(MARKET).items
    (maker,), (taker,) = venue.fills(ALICE), venue.fills(BOB)
    assert trade.id == maker.id == taker.id
    assert trade.side is maker.side is taker.side is Side.BUY
    assert (maker.liquidity, taker.liquidity) == (Liquidity.MAKER, Liquidity.TAKER)
    assert (maker.order_side, taker.order_side) == (Side.SELL, Side.BUY)
    assert trade.seq == maker.orderbook_seq_no == venue.exchange.levels(MARKET).seq


def test_an_order_reports_new_then_its_outcome(venue: Venue) -> None:
    venue.sell(ALICE, "1", "101")
    venue.buy(BOB, "1", "101")
    updates = [event.order for event in venue.of_type(OrderUpdated) if event.account == BOB]
    assert [order.status for order in updates] == [OrderStatus.NEW, OrderStatus.CLOSED]
    assert updates[0].seq_no < updates[1].seq_no


def test_a_post_only_order_that_would_cross_is_closed_unfilled(venue: Venue) -> None:
    venue.sell(ALICE, "1", "101")
    order = venue.buy(BOB, "1", "101", instruction=POST_ONLY)
    assert (order.status, order.cancel_reason) == (OrderStatus.CLOSED, CancelReason.POST_ONLY_WOULD_CROSS)
    assert order.remaining_size == 1
    assert venue.buy(BOB, "1", "100.5", instruction=POST_ONLY).status is OrderStatus.OPEN


def test_an_ioc_order_never_rests(venue: Venue) -> None:
    venue.sell(ALICE, "1", "101")
    partial = venue.buy(BOB, "3", "101", instruction=IOC)
    assert (partial.status, partial.remaining_size) == (OrderStatus.CLOSED, Decimal(2))
    assert partial.cancel_reason == CancelReason.NO_LIQUIDITY
    venue.sell(ALICE, "1", "102")
    assert venue.buy(BOB, "1", "101", instruction=IOC).cancel_reason == CancelReason.NO_LIQUIDITY
    assert venue.exchange.open_orders(BOB) == []


@pytest.mark.parametrize(
    ("band", "vwap_price", "fills", "average", "reason"),
    [
        # The two examples of the documentation (trading/orders/vwap-price-protection), prices divided by 200.
        ("0.003", "100", ["99.5 10", "100.25 20"], "100", CancelReason.PRICE_BAND_EXCEEDED),
        ("0.0075", "100", ["99.5 10", "100.25 10", "100.5 5"], "100", CancelReason.MAX_SLIPPAGE_EXCEEDED),
    ],
)
def test_a_market_order_costs_no_more_on_average_than_its_vwap_price(
    make_venue: Callable[..., Venue],
    band: str,
    vwap_price: str,
    fills: list[str],
    average: str,
    reason: CancelReason,
) -> None:
    venue = make_venue(price_bands_width=Decimal(band), price_tick_size=Decimal("0.25"))
    offered = [*fills[:-1], fills[-1].split()[0] + " 20", "100.5 10"]
    for price, size in map(str.split, offered):
        venue.exchange.crowd.quote(MARKET, Side.SELL, Decimal(price), Decimal(size))
    order = venue.buy(BOB, "50", vwap_price=Decimal(vwap_price))
    assert [f"{fill.price.normalize():f} {fill.size.normalize():f}" for fill in venue.fills(BOB)] == fills
    assert order.filled_notional / order.filled_size <= Decimal(average)
    assert order.cancel_reason == reason


def test_without_a_vwap_price_the_maximum_slippage_bounds_the_average(venue: Venue) -> None:
    venue.exchange.set_max_slippage(BOB, MARKET, Decimal("0.01"))
    for price in ("100", "101", "104.5"):
        venue.sell(ALICE, "1", price)
    order = venue.buy(BOB, "3")
    # 1% over the best ask is 101: what the first two lie below it pays for 0.28 of the third.
    assert [(fill.price, fill.size) for fill in venue.fills(BOB)][2:] == [(Decimal("104.5"), Decimal("0.28"))]
    assert (order.remaining_size, order.cancel_reason) == (Decimal("0.72"), CancelReason.MAX_SLIPPAGE_EXCEEDED)
    assert order.price == 0
    assert order.flags == (OrderFlag.TARGET_STRATEGY_VWAP,)


def test_a_vwap_price_of_any_precision_is_kept_exactly(make_venue: Callable[..., Venue]) -> None:
    venue = make_venue(order_size_increment=Decimal("1e-8"), position_limit=Decimal(10) ** 6)
    for price in ("99.5", "100.5"):
        venue.exchange.crowd.quote(MARKET, Side.SELL, Decimal(price), Decimal(500))
    order = venue.buy(BOB, "900", vwap_price=Decimal("100.49999999999999999999"))
    assert order.remaining_size == 0
    assert venue.buy(BOB, "1", vwap_price=Decimal("100.49999999999999999999")).filled_size == 0


def test_a_sale_brings_no_less_on_average(venue: Venue) -> None:
    for price in ("100", "99"):
        venue.buy(ALICE, "1", price)
    order = venue.sell(BOB, "2", vwap_price=Decimal("99.75"))
    assert [fill.size for fill in venue.fills(BOB)] == [1, Decimal("0.33")]
    assert order.cancel_reason == CancelReason.MAX_SLIPPAGE_EXCEEDED
    nothing = venue.sell(BOB, "1", vwap_price=Decimal("99.5"))
    assert (nothing.filled_size, nothing.cancel_reason) == (0, CancelReason.MAX_SLIPPAGE_EXCEEDED)


def test_a_market_order_stays_within_the_price_band(make_venue: Callable[..., Venue]) -> None:
    venue = make_venue(max_slippage=Decimal("0.5"))
    for price in ("95", "94.5"):
        venue.buy(ALICE, "1", price)
    order = venue.sell(BOB, "2")
    assert [fill.price for fill in venue.fills(BOB)] == [Decimal(95)]
    assert order.cancel_reason == CancelReason.PRICE_BAND_EXCEEDED


def test_a_market_order_without_liquidity_is_closed(venue: Venue) -> None:
    assert venue.buy(ALICE, "1").cancel_reason == CancelReason.NO_LIQUIDITY


def test_an_aggressive_limit_order_beyond_the_band_is_closed_and_a_passive_one_is_not(venue: Venue) -> None:
    assert venue.buy(ALICE, "1", "105.5").cancel_reason == CancelReason.PRICE_BAND_EXCEEDED
    assert venue.sell(ALICE, "1", "94.5").cancel_reason == CancelReason.PRICE_BAND_EXCEEDED
    assert venue.buy(ALICE, "1", "50").status is OrderStatus.OPEN
    assert venue.sell(ALICE, "1", "200").status is OrderStatus.OPEN


@pytest.mark.parametrize(
    ("mode", "maker_survives", "taker_fills"),
    [
        (None, True, False),
        (SelfTradePrevention.EXPIRE_TAKER, True, False),
        (SelfTradePrevention.EXPIRE_MAKER, False, True),
        (SelfTradePrevention.EXPIRE_BOTH, False, False),
    ],
)
def test_an_account_never_trades_with_itself(
    venue: Venue, mode: SelfTradePrevention | None, maker_survives: bool, taker_fills: bool
) -> None:
    own = venue.sell(ALICE, "1", "101")
    venue.sell(BOB, "1", "102")
    taker = venue.buy(ALICE, "1", "102", stp=mode)
    own = venue.find(ALICE, own.id)
    assert (own.status is OrderStatus.OPEN) is maker_survives
    assert (taker.remaining_size == 0) is taker_fills
    assert taker.status is OrderStatus.CLOSED
    assert own.remaining_size == 1
    if not maker_survives:
        assert own.cancel_reason == CancelReason.SELF_TRADE
    if not taker_fills:
        assert taker.cancel_reason == CancelReason.SELF_TRADE


def test_what_was_filled_before_a_self_trade_stays_filled(venue: Venue) -> None:
    venue.sell(BOB, "1", "100.5")
    venue.sell(ALICE, "1", "101")
    taker = venue.buy(ALICE, "2", "101")
    assert (taker.remaining_size, taker.cancel_reason) == (Decimal(1), CancelReason.SELF_TRADE)
    assert venue.position(ALICE) == 1


# -- cancelling ------------------------------------------------------------------------------------------------------


def test_a_cancellation_is_queued_behind_what_came_before(venue: Venue) -> None:
    order = venue.sell(ALICE, "1", "101")
    venue.submit(BOB, Side.BUY, "1", "101")
    venue.exchange.cancel(ALICE, order_id=order.id)
    venue.process()
    assert venue.find(ALICE, order.id).cancel_reason == ""
    assert venue.position(ALICE) == -1


def test_an_order_can_be_cancelled_while_new(venue: Venue) -> None:
    order_id = venue.submit(ALICE, Side.BUY, "1", "99", client_id="mine")
    assert venue.exchange.cancel(ALICE, client_id="mine").status is OrderStatus.NEW
    venue.process()
    order = venue.find(ALICE, order_id)
    assert (order.status, order.cancel_reason) == (OrderStatus.CLOSED, CancelReason.USER_CANCELED)
    assert venue.exchange.levels(MARKET).bids == ()


def test_cancel_all_reaches_what_came_before_it_and_nothing_after(venue: Venue) -> None:
    resting = venue.buy(ALICE, "1", "99")
    queued = venue.submit(ALICE, Side.BUY, "1", "98")
    others = venue.buy(BOB, "1", "97")
    venue.exchange.cancel_all(ALICE)
    later = venue.submit(ALICE, Side.BUY, "1", "96")
    venue.process()
    assert venue.find(ALICE, resting.id).status is OrderStatus.CLOSED
    assert venue.find(ALICE, queued).status is OrderStatus.CLOSED
    assert venue.find(ALICE, later).status is OrderStatus.OPEN
    assert venue.find(BOB, others.id).status is OrderStatus.OPEN


# -- reduce-only -----------------------------------------------------------------------------------------------------


@pytest.fixture
def long_ten(venue: Venue) -> Venue:
    """ALICE is long 10, bought from BOB at 100."""
    venue.sell(BOB, "10", "100")
    venue.buy(ALICE, "10", "100")
    return venue


def test_reduce_only_without_a_position_or_with_it_is_closed(long_ten: Venue) -> None:
    for account, side in ((CAROL, Side.SELL), (ALICE, Side.BUY)):
        order = long_ten.order(account, side, "1", "100", flags=REDUCE_ONLY)
        assert order.cancel_reason == CancelReason.REDUCE_ONLY_WOULD_INCREASE


def test_reduce_only_larger_than_the_position_is_closed(long_ten: Venue) -> None:
    order = long_ten.sell(ALICE, "10.01", "101", flags=REDUCE_ONLY)
    assert order.cancel_reason == CancelReason.REDUCE_ONLY_WOULD_INCREASE
    assert long_ten.sell(ALICE, "10", "101", flags=REDUCE_ONLY).status is OrderStatus.OPEN


def test_reduce_only_orders_are_closed_when_the_position_shrinks_below_them(long_ten: Venue) -> None:
    small = long_ten.sell(ALICE, "6", "104", flags=REDUCE_ONLY)
    long_ten.buy(BOB, "5", "100")
    long_ten.sell(ALICE, "4", "100")
    assert long_ten.find(ALICE, small.id).status is OrderStatus.OPEN
    long_ten.sell(ALICE, "0.5", "100")
    closed = long_ten.find(ALICE, small.id)
    assert (closed.status, closed.cancel_reason) == (OrderStatus.CLOSED, CancelReason.REDUCE_ONLY_WOULD_INCREASE)


def test_a_more_aggressive_order_pushes_out_the_last_reduce_only_order(long_ten: Venue) -> None:
    near = long_ten.sell(ALICE, "5", "103", flags=REDUCE_ONLY)
    far = long_ten.sell(ALICE, "5", "104", flags=REDUCE_ONLY)
    long_ten.sell(ALICE, "1", "104.5")
    assert long_ten.find(ALICE, far.id).status is OrderStatus.OPEN
    long_ten.sell(ALICE, "1", "102")
    assert long_ten.find(ALICE, near.id).status is OrderStatus.OPEN
    assert long_ten.find(ALICE, far.id).status is OrderStatus.CLOSED


def test_resting_reduce_only_orders_that_fill_in_turn_all_fill(long_ten: Venue) -> None:
    long_ten.sell(ALICE, "4", "101", flags=REDUCE_ONLY)
    long_ten.sell(ALICE, "6", "102", flags=REDUCE_ONLY)
    long_ten.buy(CAROL, "10", "102")
    assert long_ten.position(ALICE) == 0
    assert long_ten.exchange.open_orders(ALICE) == []


def test_a_market_order_can_close_a_position_reduce_only(long_ten: Venue) -> None:
    long_ten.buy(CAROL, "20", "99.5")
    resting = long_ten.sell(ALICE, "10", "104", flags=REDUCE_ONLY)
    assert long_ten.sell(ALICE, "10", flags=REDUCE_ONLY).remaining_size == 0
    assert long_ten.position(ALICE) == 0
    assert long_ten.find(ALICE, resting.id).status is OrderStatus.CLOSED
