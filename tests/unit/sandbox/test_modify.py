"""Changing orders in place."""

from decimal import Decimal

import pytest

from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.events import OrderUpdated
from paradex_sandbox.exchange.model import (
    ModifyRequest,
    Order,
    OrderInstruction,
    OrderStatus,
    OrderType,
    Side,
    SystemStatus,
)
from tests.unit.sandbox.venue import ALICE, BOB, CAROL, MARKET, Venue

_NUMBERS = ("size", "price", "trigger_price")


def change(order: Order, **fields: object) -> ModifyRequest:
    sent = {
        "order_id": order.id,
        "market": order.market,
        "side": order.side,
        "type": order.type,
        "size": order.size,
        "price": order.price,
        "signature": "[3,4]",
        "signature_timestamp": 7,
        **{
            name: Decimal(value) if name in _NUMBERS and isinstance(value, str) else value
            for name, value in fields.items()
        },
    }
    return ModifyRequest(**sent)  # type: ignore[arg-type]


def modify(venue: Venue, order: Order, **fields: object) -> Order:
    """Queues the change and processes it; the order as it is then."""
    before = venue.find(order.account, order.id)
    pending = venue.exchange.modify(order.account, change(order, **fields))
    assert pending.request_info is not None
    assert (pending.request_info.request_type, pending.request_info.status) == ("MODIFY_ORDER", "PENDING")
    assert (pending.size, pending.price) == (before.size, before.price)
    venue.process()
    done = venue.find(order.account, order.id)
    assert done.request_info is not None
    assert done.request_info.id == pending.request_info.id
    return done


def outcome(order: Order) -> tuple[str, str]:
    assert order.request_info is not None
    return order.request_info.status, order.request_info.message


def refusal(venue: Venue, request: ModifyRequest) -> str:
    with pytest.raises(ExchangeError) as caught:
        venue.exchange.modify(ALICE, request)
    return caught.value.code


def first_filled(venue: Venue, price: str = "99") -> str:
    """Whose bid a seller meets first."""
    venue.sell(CAROL, "0.1", price)
    return "ALICE" if venue.fills(ALICE) else "BOB"


@pytest.fixture
def queue(venue: Venue) -> tuple[Venue, Order]:
    """ALICE bids 2 at 99, BOB after her the same."""
    order = venue.buy(ALICE, "2", "99", client_id="mine", signature="[1,2]")
    venue.buy(BOB, "2", "99")
    return venue, order


def test_only_shrinking_keeps_the_place(queue: tuple[Venue, Order]) -> None:
    venue, order = queue
    done = modify(venue, order, size="1")
    assert outcome(done) == ("SUCCESS", "")
    assert (done.id, done.size, done.remaining_size, done.client_id) == (order.id, 1, 1, "mine")
    assert (done.signature, done.timestamp) == ("[3,4]", 7)
    assert venue.exchange.levels(MARKET).bids == ((99, 3),)
    assert first_filled(venue) == "ALICE"


def test_growing_loses_it(queue: tuple[Venue, Order]) -> None:
    venue, order = queue
    assert modify(venue, order, size="3").remaining_size == 3
    assert venue.exchange.levels(MARKET).bids == ((99, 5),)
    assert first_filled(venue) == "BOB"


def test_moving_away_and_back_loses_it(queue: tuple[Venue, Order]) -> None:
    venue, order = queue
    assert modify(venue, order, price="98").price == 98
    modify(venue, order, price="99")
    assert first_filled(venue) == "BOB"


def test_changing_nothing_keeps_it(queue: tuple[Venue, Order]) -> None:
    venue, order = queue
    assert outcome(modify(venue, order)) == ("SUCCESS", "")
    assert first_filled(venue) == "ALICE"


def test_size_is_the_total_and_fills_count(queue: tuple[Venue, Order]) -> None:
    venue, order = queue
    venue.sell(CAROL, "0.5", "99")
    done = modify(venue, order, size="3")
    assert (done.size, done.remaining_size, done.filled_size) == (3, Decimal("2.5"), Decimal("0.5"))


def test_fills_between_acknowledgement_and_effect_count_too(queue: tuple[Venue, Order]) -> None:
    venue, order = queue
    seller = venue.submit(CAROL, Side.SELL, "1.5", "99")
    venue.exchange.modify(ALICE, change(order, size="1"))
    venue.process()
    done = venue.find(ALICE, order.id)
    assert outcome(done) == ("REJECTED", "1.50 were filled already")
    assert (done.size, done.remaining_size, done.status) == (2, Decimal("0.5"), OrderStatus.OPEN)
    assert venue.find(CAROL, seller).remaining_size == 0


def test_a_modify_that_is_overtaken_by_the_fill_is_rejected(queue: tuple[Venue, Order]) -> None:
    venue, order = queue
    venue.submit(CAROL, Side.SELL, "2", "99")
    venue.exchange.modify(ALICE, change(order, price="98"))
    venue.process()
    done = venue.find(ALICE, order.id)
    assert done.status is OrderStatus.CLOSED
    assert outcome(done) == ("REJECTED", "order is closed")


def test_a_price_that_crosses_trades(queue: tuple[Venue, Order]) -> None:
    venue, order = queue
    venue.sell(CAROL, "0.5", "101")
    done = modify(venue, order, price="101")
    assert (done.filled_size, done.status) == (Decimal("0.5"), OrderStatus.OPEN)
    assert venue.exchange.levels(MARKET).bids[0] == (101, Decimal("1.5"))


def test_a_rejected_change_leaves_the_order_in_its_place(queue: tuple[Venue, Order]) -> None:
    venue, order = queue
    venue.exchange.deposit(ALICE, Decimal(-99_000))
    done = modify(venue, order, size="200")
    assert outcome(done) == ("REJECTED", "NOT_ENOUGH_MARGIN")
    assert (done.size, done.status, done.signature) == (2, OrderStatus.OPEN, "[1,2]")
    assert outcome(modify(venue, order, price="106")) == ("REJECTED", "PRICE_BAND_EXCEEDED")
    assert first_filled(venue) == "ALICE"


def test_a_post_only_order_is_not_moved_into_the_other_side(venue: Venue) -> None:
    order = venue.buy(ALICE, "1", "99", instruction=OrderInstruction.POST_ONLY)
    venue.sell(BOB, "1", "100")
    assert outcome(modify(venue, order, price="100")) == ("REJECTED", "POST_ONLY_WOULD_CROSS")
    assert outcome(modify(venue, order, price="99.5")) == ("SUCCESS", "")


def test_a_waiting_order_gets_a_new_trigger(venue: Venue) -> None:
    venue.sell(BOB, "5", "101")
    order = venue.order(ALICE, Side.BUY, "1", None, type=OrderType.STOP_MARKET, trigger_price=Decimal(102))
    done = modify(venue, order, price=None, trigger_price="101", size="2")
    assert (done.trigger_price, done.size, done.status) == (101, 2, OrderStatus.UNTRIGGERED)
    venue.mark("101")
    assert venue.position(ALICE) == 2


def test_a_new_trigger_that_is_met_acts_at_once(venue: Venue) -> None:
    venue.sell(BOB, "5", "101")
    order = venue.order(ALICE, Side.BUY, "1", None, type=OrderType.STOP_MARKET, trigger_price=Decimal(102))
    assert modify(venue, order, price=None, trigger_price="100").status is OrderStatus.CLOSED
    assert venue.position(ALICE) == 1


def test_what_cannot_be_changed_is_refused_at_once(queue: tuple[Venue, Order]) -> None:
    venue, order = queue
    assert refusal(venue, change(order, order_id="0")) == "ORDER_ID_NOT_FOUND"
    assert refusal(venue, change(order, side=Side.SELL)) == "VALIDATION_ERROR"
    assert refusal(venue, change(order, type=OrderType.STOP_LIMIT)) == "VALIDATION_ERROR"
    assert refusal(venue, change(order, price="99.3")) == "VALIDATION_ERROR"
    assert refusal(venue, change(order, price=None)) == "VALIDATION_ERROR"
    assert refusal(venue, change(order, trigger_price="99")) == "VALIDATION_ERROR"
    assert refusal(venue, change(order, size="0.005")) == "INVALID_ORDER_SIZE"
    assert refusal(venue, change(order, size="0.05")) == "INVALID_ORDER_SIZE"
    queued = venue.submit(ALICE, Side.BUY, "1", "98")
    assert refusal(venue, change(order, order_id=queued, price="98")) == "ORDER_IS_NOT_OPEN"
    venue.exchange.cancel(ALICE, order_id=order.id)
    venue.process()
    assert refusal(venue, change(order)) == "ORDER_IS_CLOSED"
    venue.exchange.system_status = SystemStatus.CANCEL_ONLY
    other = venue.find(ALICE, queued)
    assert other.status is OrderStatus.OPEN
    assert refusal(venue, change(other)) == "SYSTEM_STATUS_CANCEL_ONLY"


def test_a_size_that_was_filled_already_is_refused_at_once(queue: tuple[Venue, Order]) -> None:
    venue, order = queue
    venue.sell(CAROL, "1", "99")
    assert refusal(venue, change(order, size="1")) == "INVALID_ORDER_SIZE"


def test_each_of_two_changes_at_once_is_told_its_own_outcome(queue: tuple[Venue, Order]) -> None:
    venue, order = queue
    first = venue.exchange.modify(ALICE, change(order, size="1"))
    second = venue.exchange.modify(ALICE, change(order, price="106"))
    assert first.request_info is not None
    assert second.request_info is not None
    venue.process()
    told = [event.order.request_info for event in venue.of_type(OrderUpdated)]
    assert [(info.id, info.status) for info in told if info is not None and info.status != "PENDING"] == [
        (first.request_info.id, "SUCCESS"),
        (second.request_info.id, "REJECTED"),
    ]


# -- batches ---------------------------------------------------------------------------------------------------------


def test_in_a_batch_one_refusal_keeps_no_other_back(venue: Venue) -> None:
    good = venue.request(Side.BUY, "1", "99", client_id="a")
    bad = venue.request(Side.BUY, "1", "99.3")
    results = venue.exchange.submit_batch(ALICE, [good, bad, good])
    assert isinstance(results[0], Order)
    assert [r.code for r in results[1:] if isinstance(r, ExchangeError)] == ["VALIDATION_ERROR", "DUPLICATED_CLIENT_ID"]
    venue.process()
    assert [order.id for order in venue.exchange.open_orders(ALICE)] == [results[0].id]


def test_a_batch_of_cancellations_says_what_became_of_each(venue: Venue) -> None:
    orders = [venue.buy(ALICE, "1", "99", client_id=name) for name in "abc"]
    venue.exchange.cancel(ALICE, client_id="c")
    venue.process()
    results = venue.exchange.cancel_batch(ALICE, [orders[0].id, "0"], ["b", "c", "d"])
    assert [result.status for result in results] == [
        "QUEUED_FOR_CANCELLATION",
        "NOT_FOUND",
        "QUEUED_FOR_CANCELLATION",
        "ALREADY_CLOSED",
        "NOT_FOUND",
    ]
    assert (results[0].id, results[0].client_id, results[0].market) == (orders[0].id, "a", MARKET)
    assert (results[4].id, results[4].client_id, results[4].market) == ("", "d", "")
    venue.process()
    assert venue.exchange.open_orders(ALICE) == []
