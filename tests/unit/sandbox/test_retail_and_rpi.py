"""The two order classes: speed bump, limits, queue priority, RPI liquidity, FastFills."""

from decimal import Decimal

import pytest

from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.events import BookChanged, InteractiveBookChanged, TradePrinted
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.model import (
    CancelReason,
    FillType,
    ModifyRequest,
    Order,
    OrderClass,
    OrderFlag,
    OrderInstruction,
    OrderStatus,
    OrderType,
    Side,
)
from paradex_sandbox.exchange.retail import SPEED_BUMP_US
from paradex_sandbox.storage import Storage
from tests.unit.sandbox.venue import ALICE, BOB, CAROL, MARKET, SECOND, START, Venue, plain_market

RETAIL = {"order_class": OrderClass.INTERACTIVE}
RPI = {"instruction": OrderInstruction.RPI}


def retail(venue: Venue, account: str, side: Side, size: str, price: str | None) -> Order:
    """A Retail order, after its speed bump."""
    order_id = venue.submit(account, side, size, price, **RETAIL)
    venue.wait(SPEED_BUMP_US)
    return venue.find(account, order_id)


@pytest.fixture
def maker(venue: Venue) -> Venue:
    """BOB may place RPI orders."""
    venue.exchange.allow_rpi(BOB)
    return venue


# -- speed bump ------------------------------------------------------------------------------------------------------


def test_retail_orders_wait_300_ms(venue: Venue) -> None:
    order_id = venue.submit(ALICE, Side.BUY, "1", "99", **RETAIL)
    venue.wait(SPEED_BUMP_US - 1)
    assert venue.find(ALICE, order_id).status is OrderStatus.NEW
    venue.wait(1)
    assert venue.find(ALICE, order_id).status is OrderStatus.OPEN


@pytest.mark.parametrize("which", ["one", "all"])
def test_so_do_their_cancellations(venue: Venue, which: str) -> None:
    order = retail(venue, ALICE, Side.BUY, "1", "99")
    if which == "one":
        venue.exchange.cancel(ALICE, order_id=order.id)
    else:
        venue.exchange.cancel_all(ALICE)
    venue.wait(SPEED_BUMP_US - 1)
    assert venue.find(ALICE, order.id).status is OrderStatus.OPEN
    venue.wait(1)
    assert venue.find(ALICE, order.id).status is OrderStatus.CLOSED


def test_cancel_all_takes_pro_orders_at_once_and_retail_orders_later(venue: Venue) -> None:
    slow, fast = retail(venue, ALICE, Side.BUY, "1", "99"), venue.buy(ALICE, "1", "98")
    assert len(venue.exchange.cancel_all(ALICE)) == 2
    venue.process()
    assert [order.id for order in venue.exchange.open_orders(ALICE)] == [slow.id]
    assert venue.find(ALICE, fast.id).status is OrderStatus.CLOSED
    venue.wait(SPEED_BUMP_US)
    assert venue.exchange.open_orders(ALICE) == []


def test_a_pro_order_overtakes_a_retail_order(venue: Venue) -> None:
    venue.sell(CAROL, "1", "100")
    slow = venue.submit(ALICE, Side.BUY, "1", "100", **RETAIL)
    venue.wait(100_000)
    assert venue.buy(BOB, "1", "100").remaining_size == 0
    venue.wait(SPEED_BUMP_US)
    assert venue.find(ALICE, slow).status is OrderStatus.OPEN


def test_changing_a_retail_order_waits_too(venue: Venue) -> None:
    order = retail(venue, ALICE, Side.BUY, "1", "99")
    venue.exchange.modify(ALICE, ModifyRequest(order.id, MARKET, Side.BUY, OrderType.LIMIT, Decimal(2), Decimal(99)))
    venue.process()
    assert venue.find(ALICE, order.id).size == 1
    venue.wait(SPEED_BUMP_US)
    assert venue.find(ALICE, order.id).size == 2


# -- limits ----------------------------------------------------------------------------------------------------------


def classes(venue: Venue, count: int) -> list[OrderClass]:
    found = []
    for _ in range(count):
        order = venue.exchange.submit(ALICE, venue.request(Side.BUY, "1", "99", **RETAIL))
        assert (OrderFlag.INTERACTIVE in order.flags) == (order.order_class is OrderClass.INTERACTIVE)
        found.append(order.order_class)
        venue.exchange.cancel_all(ALICE)
    return found


def test_the_fourth_retail_order_of_a_second_is_pro(venue: Venue) -> None:
    assert classes(venue, 4) == [OrderClass.INTERACTIVE] * 3 + [OrderClass.PRO]
    venue.wait(SECOND)
    assert classes(venue, 1) == [OrderClass.INTERACTIVE]
    usage = venue.exchange.retail_usage(ALICE)
    assert (usage.second, usage.minute, usage.hour, usage.day) == (1, 4, 4, 4)


@pytest.mark.parametrize(("pause", "limit"), [(SECOND, 30), (3 * SECOND, 300), (60 * SECOND, 1000)])
def test_minute_hour_and_day_are_limited_too(venue: Venue, pause: int, limit: int) -> None:
    for _ in range(limit):
        assert classes(venue, 1) == [OrderClass.INTERACTIVE]
        # The clock alone: what the market does meanwhile does not matter here.
        venue.exchange.resume(venue.exchange.now + pause)
        venue.process()
    assert classes(venue, 1) == [OrderClass.PRO]


def test_the_limits_survive_a_restart() -> None:
    storage = Storage(":memory:")
    before = Venue(Exchange([plain_market()], seed=1, now_us=START))
    storage.write(before.exchange, before.events)
    classes(before, 3)
    storage.write(before.exchange, before.exchange.drain_events())
    exchange = Exchange([plain_market()], seed=1, now_us=START)
    assert storage.restore(exchange)
    storage.close()
    assert exchange.retail_usage(ALICE) == before.exchange.retail_usage(ALICE)
    order = exchange.submit(ALICE, before.request(Side.BUY, "1", "99", **RETAIL))
    assert order.order_class is OrderClass.PRO


# -- queue priority and fees -----------------------------------------------------------------------------------------


def test_retail_orders_fill_before_pro_orders_of_their_price(venue: Venue) -> None:
    venue.sell(BOB, "1", "100")
    retail(venue, ALICE, Side.SELL, "1", "100")
    venue.sell(BOB, "1", "99.5")
    venue.buy(CAROL, "2", "100")
    assert [fill.price for fill in venue.fills(ALICE)] == [100]
    assert [fill.price for fill in venue.fills(BOB)] == [Decimal("99.5")]


def test_a_pro_taker_of_a_retail_order_pays_30_percent_less(venue: Venue) -> None:
    retail(venue, ALICE, Side.SELL, "1", "100")
    venue.sell(CAROL, "1", "100")
    venue.buy(BOB, "2", "100")
    fast, plain = venue.fills(BOB)
    assert (fast.flags, fast.fee) == (("fastfill",), Decimal("0.0315"))
    assert (plain.flags, plain.fee) == ((), Decimal("0.045"))
    (passive,) = venue.fills(ALICE)
    assert (passive.flags, passive.fee) == (("interactive", "fastfill"), 0)


def test_a_retail_taker_makes_no_fast_fill(venue: Venue) -> None:
    retail(venue, ALICE, Side.SELL, "1", "100")
    retail(venue, CAROL, Side.BUY, "1", "100")
    assert venue.fills(CAROL)[0].flags == ("interactive",)


# -- RPI -------------------------------------------------------------------------------------------------------------


def test_rpi_orders_need_permission_a_limit_and_a_pro_session(maker: Venue) -> None:
    for account, more, code in (
        (ALICE, {}, "RPI_ACCOUNT_NOT_WHITELISTED"),
        (BOB, RETAIL, "VALIDATION_ERROR"),
        (BOB, {"price": None}, "VALIDATION_ERROR"),
    ):
        fields = {"price": "99", **RPI, **more}
        with pytest.raises(ExchangeError, match=code):
            maker.submit(account, Side.BUY, "1", **fields)
    maker.exchange.allow_rpi(BOB, False)
    with pytest.raises(ExchangeError, match="RPI_ACCOUNT_NOT_WHITELISTED"):
        maker.submit(BOB, Side.BUY, "1", "99", **RPI)


def test_only_the_interactive_book_shows_rpi_orders(maker: Venue) -> None:
    maker.buy(ALICE, "1", "99")
    maker.buy(BOB, "2", "99", **RPI)
    maker.buy(BOB, "3", "99.5", **RPI)
    assert maker.exchange.levels(MARKET).bids == ((99, 1),)
    assert maker.exchange.levels(MARKET, interactive=True).bids == ((Decimal("99.5"), 3), (99, 3))
    assert maker.exchange.levels(MARKET, 1, interactive=True).bids == ((Decimal("99.5"), 3),)
    assert (maker.exchange.bbo(MARKET).bid, maker.exchange.bbo(MARKET, interactive=True).bid) == (99, Decimal("99.5"))
    sizes = maker.exchange.best_sizes(MARKET)
    assert (sizes.bid_api, sizes.bid_interactive) == ((99, 1), (Decimal("99.5"), 3))
    assert (sizes.ask_api, sizes.ask_interactive) == (None, None)


def test_each_view_counts_its_own_changes(maker: Venue) -> None:
    seq, interactive = maker.exchange.levels(MARKET).seq, maker.exchange.levels(MARKET, interactive=True).seq
    maker.buy(BOB, "2", "99", **RPI)
    assert maker.of_type(BookChanged) == []
    (event,) = maker.of_type(InteractiveBookChanged)
    assert (event.seq, event.changes) == (interactive + 1, ((Side.BUY, 99, 2),))
    maker.buy(ALICE, "1", "99")
    assert [e.changes for e in maker.of_type(BookChanged)] == [((Side.BUY, 99, 1),)]
    assert [e.changes for e in maker.of_type(InteractiveBookChanged)] == [((Side.BUY, 99, 3),)]
    assert maker.exchange.levels(MARKET).seq == seq + 1
    assert maker.exchange.levels(MARKET, interactive=True).seq == interactive + 2


def test_pro_takers_pass_rpi_orders_by(maker: Venue) -> None:
    maker.sell(BOB, "1", "99", **RPI)
    maker.sell(CAROL, "1", "100")
    maker.buy(ALICE, "1", "100")
    assert [fill.price for fill in maker.fills(ALICE)] == [100]
    assert maker.buy(ALICE, "1", None).cancel_reason == CancelReason.NO_LIQUIDITY


def test_retail_takers_get_the_better_rpi_price_free_of_charge(maker: Venue) -> None:
    maker.sell(BOB, "1", "99", **RPI)
    maker.sell(BOB, "1", "100", **RPI)
    maker.sell(CAROL, "1", "100")
    assert retail(maker, ALICE, Side.BUY, "3", "100").remaining_size == 0
    assert [trade.trade.trade_type for trade in maker.of_type(TradePrinted)] == ["RPI", "FILL", "RPI"]
    assert [(fill.price, fill.fee, fill.fill_type) for fill in maker.fills(ALICE)] == [
        (99, 0, FillType.RPI),
        # At one price RPI comes last, however early it came.
        (100, 0, FillType.FILL),
        (100, 0, FillType.RPI),
    ]
    assert maker.fills(ALICE)[0].flags == ("interactive", "rpi")
    assert [(fill.flags, fill.fee) for fill in maker.fills(BOB)] == [(("rpi",), 0), (("rpi",), 0)]
    assert maker.exchange.levels(MARKET, interactive=True).asks == ()


def test_a_retail_market_order_finds_rpi_liquidity_alone(maker: Venue) -> None:
    maker.sell(BOB, "1", "100", **RPI)
    assert retail(maker, ALICE, Side.BUY, "1", None).remaining_size == 0


def test_an_account_over_the_retail_limits_loses_rpi_liquidity(maker: Venue) -> None:
    maker.sell(BOB, "9", "100", **RPI)
    orders = [maker.submit(ALICE, Side.BUY, "1", "100", **RETAIL) for _ in range(4)]
    maker.wait(SPEED_BUMP_US)
    assert [maker.find(ALICE, order).status for order in orders] == [OrderStatus.CLOSED] * 3 + [OrderStatus.OPEN]


def test_an_rpi_order_may_cross_the_api_book_by_5_bps(maker: Venue) -> None:
    maker.mark("2000")
    maker.sell(ALICE, "1", "2000")
    assert maker.buy(BOB, "1", "2001.5", **RPI).cancel_reason == CancelReason.RPI_CROSS_LIMIT_EXCEEDED
    assert maker.buy(BOB, "1", "2001", **RPI).status is OrderStatus.OPEN
    book = maker.exchange.levels(MARKET, interactive=True)
    assert book.bids[0][0] > book.asks[0][0]
    assert maker.exchange.levels(MARKET).bids == ()
    # It rests although it crosses: it takes nothing, not even what comes from Retail and rests.
    assert maker.fills(BOB) == ()
    assert retail(maker, CAROL, Side.SELL, "1", "2000").remaining_size == 0
    assert maker.fills(BOB)[0].price == 2001


def test_rpi_orders_do_not_meet_each_other_nor_the_crowd(maker: Venue) -> None:
    maker.exchange.allow_rpi(ALICE)
    maker.sell(ALICE, "1", "100", **RPI)
    assert maker.buy(BOB, "1", "100.5", **RPI).status is OrderStatus.OPEN
    assert maker.exchange.crowd.take(MARKET, Side.BUY, Decimal(101), Decimal(1)) == 0


def test_the_crowd_may_quote_for_retail_takers(venue: Venue) -> None:
    crowd = venue.exchange.crowd
    quote = crowd.quote(MARKET, Side.SELL, Decimal(100), Decimal(2), is_rpi=True)
    crowd.publish()
    assert venue.exchange.levels(MARKET).asks == ()
    assert retail(venue, ALICE, Side.BUY, "1", "100").remaining_size == 0
    assert quote is not None
    crowd.withdraw(quote)
    crowd.publish()
    assert venue.exchange.levels(MARKET, interactive=True).asks == ()


def test_an_rpi_order_can_be_changed_and_cancelled(maker: Venue) -> None:
    order = maker.buy(BOB, "2", "99", **RPI)
    request = ModifyRequest(order.id, MARKET, Side.BUY, OrderType.LIMIT, Decimal(1), Decimal("99.5"))
    maker.exchange.modify(BOB, request)
    maker.process()
    assert maker.exchange.levels(MARKET, interactive=True).bids == ((Decimal("99.5"), 1),)
    maker.exchange.cancel(BOB, order_id=order.id)
    maker.process()
    assert maker.exchange.levels(MARKET, interactive=True).bids == ()
