"""Orders that wait for the mark price: stops, take-profits, stop-losses."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.model import (
    CancelReason,
    ModifyRequest,
    Order,
    OrderFlag,
    OrderInstruction,
    OrderStatus,
    OrderType,
    Side,
    SystemStatus,
)
from paradex_sandbox.exchange.triggers import TriggerBook
from paradex_sandbox.storage import Storage
from tests.unit.sandbox.venue import ALICE, BOB, CAROL, MARKET, START, Venue, plain_market

D = Decimal
ABOVE, BELOW = OrderFlag.STOP_CONDITION_ABOVE_TRIGGER, OrderFlag.STOP_CONDITION_BELOW_TRIGGER


def trigger(
    venue: Venue, type: OrderType, side: Side, at: str, *, size: str = "1", price: str | None = None, **more: object
) -> Order:
    """ALICE's trigger order, processed."""
    return venue.order(ALICE, side, size, price, type=type, trigger_price=Decimal(at), **more)


def state(venue: Venue, order: Order) -> tuple[OrderStatus, str]:
    now = venue.find(order.account, order.id)
    return now.status, now.cancel_reason


@pytest.fixture
def deep(venue: Venue) -> Venue:
    """BOB quotes 100 on both sides, two ticks from the mark of 100."""
    venue.buy(BOB, "100", "99")
    venue.sell(BOB, "100", "101")
    return venue


@pytest.mark.parametrize(
    ("type", "side", "flags", "before", "after"),
    [
        (OrderType.STOP_MARKET, Side.BUY, (), "100.9", "101"),
        (OrderType.STOP_MARKET, Side.SELL, (), "99.1", "99"),
        (OrderType.STOP_MARKET, Side.BUY, (BELOW,), "99.1", "99"),
        (OrderType.STOP_MARKET, Side.SELL, (ABOVE,), "100.9", "101"),
    ],
)
def test_a_stop_waits_for_the_mark_on_the_side_its_flag_or_its_own_side_says(
    deep: Venue, type: OrderType, side: Side, flags: tuple[OrderFlag, ...], before: str, after: str
) -> None:
    order = trigger(deep, type, side, after, flags=flags)
    assert order.status is OrderStatus.UNTRIGGERED
    assert order.trigger_price == Decimal(after)
    assert deep.exchange.open_orders(ALICE) == [order]
    deep.mark(before)
    assert deep.find(ALICE, order.id).status is OrderStatus.UNTRIGGERED
    deep.mark(after)
    filled = deep.find(ALICE, order.id)
    assert (filled.status, filled.remaining_size, filled.type) == (OrderStatus.CLOSED, 0, type)
    assert deep.position(ALICE) == side.sign


def test_a_stop_limit_rests_at_its_price_once_triggered(deep: Venue) -> None:
    order = trigger(deep, OrderType.STOP_LIMIT, Side.BUY, "101", price="100")
    assert deep.exchange.levels(MARKET).bids[0][0] == 99
    deep.mark("101")
    assert deep.find(ALICE, order.id).status is OrderStatus.OPEN
    assert deep.exchange.levels(MARKET).bids[0] == (100, 1)


def test_a_trigger_that_is_met_already_acts_at_once(deep: Venue) -> None:
    assert state(deep, trigger(deep, OrderType.STOP_MARKET, Side.BUY, "100")) == (OrderStatus.CLOSED, "")
    assert deep.position(ALICE) == 1


def test_the_walking_mark_triggers_in_its_own_time(make_venue: Callable[..., Venue]) -> None:
    venue = make_venue(price_tick_size=Decimal("0.01"))
    venue.sell(BOB, "1", "101")
    order = trigger(venue, OrderType.STOP_MARKET, Side.BUY, "100.05")
    venue.exchange.release_mark_price(MARKET)
    for _ in range(4000):
        venue.wait(250_000)
        mark = venue.exchange.market_summary(MARKET).mark_price
        assert (venue.find(ALICE, order.id).status is OrderStatus.UNTRIGGERED) == (mark < Decimal("100.05"))
        if mark >= Decimal("100.05"):
            break
    assert venue.position(ALICE) == 1


@pytest.mark.parametrize(
    ("type", "at"), [(OrderType.TAKE_PROFIT_MARKET, "100.5"), (OrderType.STOP_LOSS_MARKET, "99.5")]
)
def test_take_profit_and_stop_loss_close_a_long_position(deep: Venue, type: OrderType, at: str) -> None:
    deep.buy(ALICE, "5", "101")
    order = trigger(deep, type, Side.SELL, at, size="5")
    assert order.status is OrderStatus.UNTRIGGERED
    deep.mark(at)
    assert state(deep, order) == (OrderStatus.CLOSED, "")
    assert deep.position(ALICE) == 0


@pytest.mark.parametrize(
    ("type", "at"), [(OrderType.TAKE_PROFIT_MARKET, "99.5"), (OrderType.STOP_LOSS_MARKET, "100.5")]
)
def test_and_a_short_position(deep: Venue, type: OrderType, at: str) -> None:
    deep.sell(ALICE, "5", "99")
    trigger(deep, type, Side.BUY, at, size="5")
    deep.mark(at)
    assert deep.position(ALICE) == 0


def test_one_cancels_the_other(deep: Venue) -> None:
    deep.buy(ALICE, "5", "101")
    profit = trigger(deep, OrderType.TAKE_PROFIT_MARKET, Side.SELL, "100.5", size="5")
    loss = trigger(deep, OrderType.STOP_LOSS_MARKET, Side.SELL, "99.5", size="5")
    deep.mark("99.5")
    assert state(deep, loss) == (OrderStatus.CLOSED, "")
    assert state(deep, profit) == (OrderStatus.CLOSED, CancelReason.POSITION_CLOSED)


def test_a_bound_order_shrinks_with_its_position_and_never_grows(deep: Venue) -> None:
    deep.buy(ALICE, "5", "101")
    order = trigger(deep, OrderType.STOP_LOSS_LIMIT, Side.SELL, "95", size="5", price="96")
    deep.sell(ALICE, "2", "99")
    shrunk = deep.find(ALICE, order.id)
    assert (shrunk.status, shrunk.size, shrunk.remaining_size) == (OrderStatus.UNTRIGGERED, 3, 3)
    deep.buy(ALICE, "4", "101")
    assert deep.find(ALICE, order.id).size == 3
    deep.sell(ALICE, "7", "99")
    assert state(deep, order) == (OrderStatus.CLOSED, CancelReason.POSITION_CLOSED)


def test_a_bound_order_waits_for_the_order_that_opens_its_position(deep: Venue) -> None:
    parent = deep.buy(ALICE, "5", "98")
    order = trigger(deep, OrderType.STOP_LOSS_MARKET, Side.SELL, "95", size="5")
    other = trigger(deep, OrderType.TAKE_PROFIT_MARKET, Side.SELL, "105", size="5")
    assert order.status is OrderStatus.UNTRIGGERED
    deep.exchange.cancel(ALICE, order_id=other.id)
    deep.process()
    assert deep.find(ALICE, order.id).status is OrderStatus.UNTRIGGERED
    deep.exchange.cancel(ALICE, order_id=parent.id)
    deep.process()
    assert state(deep, order) == (OrderStatus.CLOSED, CancelReason.POSITION_CLOSED)


def test_a_position_larger_than_a_bound_order_leaves_its_size(deep: Venue) -> None:
    deep.buy(ALICE, "5", "100")
    order = trigger(deep, OrderType.STOP_LOSS_MARKET, Side.SELL, "95", size="2")
    deep.sell(CAROL, "5", "100")
    assert deep.position(ALICE) == 5
    assert deep.find(ALICE, order.id).size == 2


def test_without_position_or_parent_a_bound_order_is_closed(deep: Venue) -> None:
    order = trigger(deep, OrderType.STOP_LOSS_MARKET, Side.SELL, "95")
    assert state(deep, order) == (OrderStatus.CLOSED, CancelReason.REDUCE_ONLY_WOULD_INCREASE)


def test_slippage_does_not_bound_a_stop_loss_but_a_stop(venue: Venue) -> None:
    venue.sell(BOB, "3", "100")
    venue.buy(ALICE, "3", "100")
    for price in ("99", "94.5"):
        venue.buy(BOB, "1", price)
    stop = trigger(venue, OrderType.STOP_MARKET, Side.SELL, "99", size="2")
    venue.mark("99")
    # 2% below the best bid is 97.02, on average.
    assert state(venue, stop) == (OrderStatus.CLOSED, CancelReason.MAX_SLIPPAGE_EXCEEDED)
    assert venue.find(ALICE, stop.id).filled_size == Decimal("1.78")
    venue.buy(BOB, "0.5", "99")
    loss = trigger(venue, OrderType.STOP_LOSS_MARKET, Side.SELL, "98.5", size="0.7")
    venue.mark("98.5")
    assert state(venue, loss) == (OrderStatus.CLOSED, "")


def test_an_accounts_own_slippage_goes_before_the_markets(venue: Venue) -> None:
    for price in ("100", "101", "103"):
        venue.sell(BOB, "1", price)
    venue.exchange.set_max_slippage(ALICE, MARKET, Decimal("0.005"))
    assert venue.buy(ALICE, "3", None).filled_size == 2
    venue.exchange.set_max_slippage(ALICE, MARKET, Decimal("0.001"))
    venue.sell(BOB, "1", "102")
    assert venue.buy(ALICE, "2", None).filled_size == Decimal("1.11")
    venue.exchange.set_max_slippage(ALICE, MARKET, Decimal("0.05"))
    venue.exchange.set_max_slippage(ALICE, MARKET, None)
    assert venue.exchange.account(ALICE).max_slippage == {}
    with pytest.raises(ExchangeError, match="max slippage"):
        venue.exchange.set_max_slippage(ALICE, MARKET, Decimal("0.06"))


def test_waiting_orders_need_no_margin_until_they_are_triggered(deep: Venue) -> None:
    order = trigger(deep, OrderType.STOP_LIMIT, Side.BUY, "101", size="1000", price="105")
    second = trigger(deep, OrderType.STOP_LIMIT, Side.BUY, "101", size="1000", price="105")
    third = trigger(deep, OrderType.STOP_LIMIT, Side.BUY, "101", size="1000", price="105")
    deep.exchange.deposit(ALICE, Decimal(-90_000))
    assert deep.exchange.account_summary(ALICE).initial_margin_requirement == 0
    deep.mark("101")
    assert [state(deep, o)[1] for o in (order, second, third)] == ["NOT_ENOUGH_MARGIN"] * 3


@pytest.mark.parametrize(
    "change",
    [
        {"trigger_price": None},
        {"trigger_price": Decimal(0)},
        {"trigger_price": Decimal("100.3")},
        {"flags": (ABOVE, BELOW)},
        {"price": None},
    ],
)
def test_what_cannot_wait_is_refused(venue: Venue, change: dict[str, object]) -> None:
    fields = {"price": "99", "type": OrderType.STOP_LIMIT, "trigger_price": Decimal(101), **change}
    with pytest.raises(ExchangeError, match="VALIDATION_ERROR"):
        venue.submit(ALICE, Side.BUY, "1", **fields)


def test_plain_orders_take_no_stop_condition(venue: Venue) -> None:
    with pytest.raises(ExchangeError, match="VALIDATION_ERROR"):
        venue.submit(ALICE, Side.BUY, "1", "99", flags=(ABOVE,))


def test_a_post_only_stop_limit_that_would_cross_when_triggered_is_closed(deep: Venue) -> None:
    order = trigger(deep, OrderType.STOP_LIMIT, Side.BUY, "101", price="101", instruction=OrderInstruction.POST_ONLY)
    deep.mark("101")
    assert state(deep, order)[1] == CancelReason.POST_ONLY_WOULD_CROSS


@pytest.mark.parametrize("status", [SystemStatus.POST_ONLY, SystemStatus.CANCEL_ONLY, SystemStatus.MAINTENANCE])
def test_triggers_are_paused_until_the_system_is_ok_again(deep: Venue, status: SystemStatus) -> None:
    order = trigger(deep, OrderType.STOP_MARKET, Side.BUY, "100.5")
    deep.exchange.system_status = status
    deep.mark("100.5")
    assert deep.find(ALICE, order.id).status is OrderStatus.UNTRIGGERED
    deep.exchange.system_status = SystemStatus.OK
    assert deep.find(ALICE, order.id).status is OrderStatus.CLOSED


def test_the_mark_meets_the_nearest_trigger_first_and_equal_ones_as_they_came(venue: Venue) -> None:
    book, met = TriggerBook(), []
    orders = [
        trigger(venue, OrderType.STOP_MARKET, side, at)
        for side, at in (
            (Side.SELL, "90"),
            (Side.SELL, "95"),
            (Side.SELL, "95"),
            (Side.BUY, "110"),
            (Side.BUY, "105"),
            (Side.BUY, "110"),
        )
    ]
    for order in orders:
        book.add(None, order)  # type: ignore[arg-type]
    for mark in (100, 94, 89, 107, 120):
        while (due := book.next_due(Decimal(mark))) is not None:
            met.append(orders.index(due.order))
    assert met == [1, 2, 0, 4, 3, 5]
    assert not book
    book.remove(orders[0])


def test_cancelling_takes_an_order_out_of_the_queue(deep: Venue) -> None:
    order = trigger(deep, OrderType.STOP_MARKET, Side.BUY, "101")
    deep.exchange.cancel_all(ALICE)
    deep.process()
    deep.mark("101")
    assert state(deep, order) == (OrderStatus.CLOSED, CancelReason.USER_CANCELED)
    assert deep.position(ALICE) == deep.position(CAROL) == 0


# -- take-profits and stop-losses that are linked to the order that opens their position ------------------------------


def linked(venue: Venue, size: str = "5", parent_size: str = "5") -> tuple[Order, Order]:
    """A bid of ALICE at 98, and a stop-loss for what it is going to buy."""
    parent = venue.buy(ALICE, parent_size, "98")
    return parent, trigger(venue, OrderType.STOP_LOSS_MARKET, Side.SELL, "95", size=size)


def resize(venue: Venue, order: Order, size: str, price: str = "98") -> None:
    request = ModifyRequest(order.id, MARKET, order.side, order.type, Decimal(size), Decimal(price))
    venue.exchange.modify(ALICE, request)
    venue.process()


@pytest.mark.parametrize("size", ["8", "2"])
def test_a_linked_order_resizes_with_its_parent(venue: Venue, size: str) -> None:
    parent, loss = linked(venue)
    resize(venue, parent, size)
    resized = venue.find(ALICE, loss.id)
    assert (resized.status, resized.size, resized.remaining_size) == (OrderStatus.UNTRIGGERED, D(size), D(size))
    venue.sell(BOB, size, "98")
    assert venue.position(ALICE) == venue.find(ALICE, loss.id).size == D(size)


def test_a_parent_that_is_resized_into_the_book_takes_its_linked_orders_along(venue: Venue) -> None:
    parent, loss = linked(venue)
    venue.sell(BOB, "8", "99")
    resize(venue, parent, "8", "99")
    assert venue.position(ALICE) == venue.find(ALICE, loss.id).size == 8


def test_an_order_for_a_part_of_the_parent_stays_unless_it_would_be_more_than_it(venue: Venue) -> None:
    parent, loss = linked(venue, size="3")
    resize(venue, parent, "8")
    assert venue.find(ALICE, loss.id).size == 3
    resize(venue, parent, "2")
    assert venue.find(ALICE, loss.id).size == 2


def test_a_refused_change_of_the_parent_changes_nothing(venue: Venue) -> None:
    parent, loss = linked(venue)
    resize(venue, parent, "5", "106")
    assert venue.find(ALICE, parent.id).request_info.status == "REJECTED"  # type: ignore[union-attr]
    assert venue.find(ALICE, loss.id).size == 5


def test_a_linked_order_grows_with_the_position_while_its_parent_fills(venue: Venue) -> None:
    parent, loss = linked(venue)
    for size, total in (("1", 1), ("2", 3)):
        venue.sell(BOB, size, "98")
        assert venue.find(ALICE, loss.id).size == total
    resize(venue, parent, "6")
    assert venue.find(ALICE, loss.id).size == 3
    venue.sell(BOB, "3", "98")
    assert venue.find(ALICE, parent.id).status is OrderStatus.CLOSED
    assert venue.find(ALICE, loss.id).size == 6
    venue.buy(BOB, "6", "95")
    venue.mark("95")
    assert state(venue, loss) == (OrderStatus.CLOSED, "")
    assert venue.position(ALICE) == 0


@pytest.mark.parametrize("end", ["filled", "cancelled"])
def test_after_its_parent_a_linked_order_only_shrinks(venue: Venue, end: str) -> None:
    parent, loss = linked(venue)
    venue.sell(BOB, "2" if end == "cancelled" else "5", "98")
    if end == "cancelled":
        venue.exchange.cancel(ALICE, order_id=parent.id)
        venue.process()
    held = venue.position(ALICE)
    assert venue.find(ALICE, loss.id).size == held
    venue.buy(BOB, "1", "98")
    venue.sell(ALICE, "1", "98")
    venue.sell(BOB, "4", "98")
    venue.buy(ALICE, "4", "98")
    assert venue.position(ALICE) == held + 3
    assert venue.find(ALICE, loss.id).size == held - 1


def test_a_linked_order_that_was_changed_keeps_what_it_was_changed_to(venue: Venue) -> None:
    parent, loss = linked(venue)
    change = ModifyRequest(loss.id, MARKET, Side.SELL, loss.type, D(4), None, D(94))
    venue.exchange.modify(ALICE, change)
    venue.process()
    venue.sell(BOB, "1", "98")
    assert venue.find(ALICE, loss.id).size == 1
    venue.sell(BOB, "4", "98")
    changed = venue.find(ALICE, loss.id)
    assert (changed.size, changed.trigger_price) == (4, 94)
    assert venue.find(ALICE, parent.id).status is OrderStatus.CLOSED


def test_a_link_survives_a_restart(venue: Venue) -> None:
    storage = Storage(":memory:")
    storage.write(venue.exchange, venue.events)
    parent = venue.buy(ALICE, "5", "98")
    storage.write(venue.exchange, venue.events)
    loss = trigger(venue, OrderType.STOP_LOSS_MARKET, Side.SELL, "95", size="5")
    storage.write(venue.exchange, venue.events)
    venue.sell(BOB, "1", "98")
    storage.write(venue.exchange, venue.events)
    again = Exchange([plain_market()], seed=1, now_us=START)
    assert storage.restore(again)
    storage.close()
    venue.exchange = again
    assert venue.find(ALICE, loss.id).parent_id == parent.id
    venue.sell(BOB, "4", "98")
    assert venue.find(ALICE, loss.id).size == 5
