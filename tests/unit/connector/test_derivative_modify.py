"""Changing an order in place: whatever is answered or not, the tracked order is what it is on the exchange."""

import asyncio
from collections.abc import Awaitable
from decimal import Decimal
from typing import Any

import pytest
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import NotModifiedError
from hummingbot.core.data_type.in_flight_order import InFlightOrder

from tests.unit.connector import payloads, signatures
from tests.unit.connector.clock import Clock
from tests.unit.connector.payloads import NOW_MS, Payload
from tests.unit.connector.trader import EXCHANGE_ORDER_ID, Trader, eventually, settle
from tests.unit.connector.venue import NO_ANSWER, PATIENCE, SILENCE, Answer, Given, refusal

PATH = f"/orders/{EXCHANGE_ORDER_ID}"
BY_CLIENT_ID = "/orders/by_client_id/*"
NEW_PRICE = Decimal("59500")


def told(outcome: str = "", request: str = "r1", message: str = "", **changes: Any) -> Payload:
    """What the exchange says of the order, with the outcome of a request to modify it."""
    info = {"id": request, "status": outcome, "request_type": "MODIFY_ORDER", "message": message}
    return payloads.order("mine", **{**({"request_info": info} if outcome else {}), **changes})


@pytest.fixture
async def order(trader: Trader) -> InFlightOrder:
    """An open order for 0.5 at 60000."""
    order = trader.track()
    await trader.hear("orders", told())
    trader.venue.on("PUT", PATH, told("PENDING"))
    return order


async def asked(trader: Trader, **changes: Decimal) -> "asyncio.Task[InFlightOrder]":
    """A modification that has been sent."""
    count = len(trader.venue.asked("PUT", PATH))
    task = asyncio.ensure_future(trader.exchange.modify_order("mine", **changes))
    await eventually(lambda: task.done() or len(trader.venue.asked("PUT", PATH)) > count)
    return task


async def done(task: Awaitable[InFlightOrder]) -> InFlightOrder:
    async with asyncio.timeout(PATIENCE):
        return await task


async def silent(trader: Trader) -> None:
    """A stream that says nothing, while REST has no news either."""
    trader.venue.on("GET", BY_CLIENT_ID, told("PENDING"))


async def test_everything_is_sent_again_signed_with_the_id(trader: Trader, order: InFlightOrder) -> None:
    task = await asked(trader, price=NEW_PRICE, amount=Decimal("0.6"))
    (request,) = trader.venue.asked("PUT", PATH)
    assert signatures.is_order_signed(request.body)
    del request.body["signature"]
    assert request.body == {
        "id": EXCHANGE_ORDER_ID,
        "market": payloads.MARKET,
        "side": "BUY",
        "type": "LIMIT",
        "size": "0.6",
        "price": "59500",
        "signature_timestamp": NOW_MS,
    }
    task.cancel()


async def test_the_stream_tells_that_it_has_happened(trader: Trader, order: InFlightOrder) -> None:
    trader.venue.on("GET", BY_CLIENT_ID, SILENCE)
    task = await asked(trader, price=NEW_PRICE, amount=Decimal("0.6"))
    assert order.price == Decimal(60000)  # an answer is no outcome
    await trader.hear("orders", told("PENDING"))
    assert not task.done()
    await trader.hear("orders", told("SUCCESS", price="59500", size="0.6"))
    assert await done(task) is order
    assert (order.price, order.amount) == (NEW_PRICE, Decimal("0.6"))
    assert order.client_order_id in trader.exchange.in_flight_orders


async def test_what_asked_rest_meanwhile_ends_with_it(trader: Trader, order: InFlightOrder) -> None:
    trader.venue.on("GET", BY_CLIENT_ID, SILENCE)
    task = await asked(trader, price=NEW_PRICE)
    await trader.venue.until(lambda: trader.venue.asked("GET", BY_CLIENT_ID))
    await trader.hear("orders", told("SUCCESS", price="59500"))
    await done(task)
    await settle()
    left = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}  # type: ignore[union-attr]
    assert not any("_ask_for_terms" in name or name == "Event.wait" for name in left)


async def test_when_the_stream_is_silent_rest_tells(trader: Trader, order: InFlightOrder) -> None:
    trader.venue.on("GET", BY_CLIENT_ID, told("PENDING"), told("SUCCESS", price="59500"))
    await done(await asked(trader, price=NEW_PRICE))
    assert order.price == NEW_PRICE
    assert len(trader.venue.asked("GET", BY_CLIENT_ID)) == 2


async def test_a_refused_change_leaves_the_order_as_it_was_and_says_why(trader: Trader, order: InFlightOrder) -> None:
    task = await asked(trader, price=NEW_PRICE)
    await trader.hear("orders", told("REJECTED", message="NOT_ENOUGH_MARGIN"))
    with pytest.raises(NotModifiedError, match="NOT_ENOUGH_MARGIN"):
        await done(task)
    assert order.is_open
    assert order.price == Decimal(60000)


async def test_a_change_that_is_refused_at_once_is_not_followed(trader: Trader, order: InFlightOrder) -> None:
    trader.venue.on("PUT", PATH, refusal("VALIDATION_ERROR"))
    with pytest.raises(NotModifiedError, match="VALIDATION_ERROR"):
        await done(await asked(trader, price=NEW_PRICE))
    assert len(trader.venue.asked("PUT", PATH)) == 1
    assert trader.venue.asked("GET", BY_CLIENT_ID) == []


async def test_a_time_that_stays_wrong_is_a_refusal(trader: Trader, order: InFlightOrder) -> None:
    trader.venue.on("PUT", PATH, refusal("INVALID_TIMESTAMP"))
    with pytest.raises(NotModifiedError, match="INVALID_TIMESTAMP"):
        await done(await asked(trader, price=NEW_PRICE))
    assert len(trader.venue.asked("PUT", PATH)) == 2


async def test_while_the_circuit_breaker_is_open_orders_are_only_made_smaller(
    trader: Trader, order: InFlightOrder
) -> None:
    trader.exchange._order_entry._sleep = lambda _: asyncio.Event().wait()
    while trader.exchange.circuit_breaker.refusal is None:
        trader.exchange.circuit_breaker.record_failure("HTTP 503")
    with pytest.raises(web_utils.NotSentError, match="new orders pause"):
        await trader.exchange.modify_order("mine", price=NEW_PRICE)
    trader.venue.on("GET", BY_CLIENT_ID, told("SUCCESS", size="0.4"))
    await done(await asked(trader, amount=Decimal("0.4")))
    assert [request.body["size"] for request in trader.venue.asked("PUT", PATH)] == ["0.4"]


@pytest.mark.parametrize(
    "answer",
    [NO_ANSWER, Answer(503, text="busy"), Answer(200, text="not json"), {"request_info": "none"}, Answer(200, [1])],
    ids=str,
)
async def test_an_unanswered_change_that_has_happened_is_found(
    trader: Trader, order: InFlightOrder, answer: Given
) -> None:
    trader.venue.on("PUT", PATH, answer)
    trader.venue.on("GET", BY_CLIENT_ID, told(), told("SUCCESS", price="59500"))
    await done(await asked(trader, price=NEW_PRICE))
    assert order.price == NEW_PRICE
    # aiohttp itself may repeat a PUT over a lost connection; it is the same change.
    assert len({request.body["signature"] for request in trader.venue.asked("PUT", PATH)}) == 1


async def test_and_so_is_one_of_which_only_the_order_itself_tells(trader: Trader, order: InFlightOrder) -> None:
    trader.venue.on("PUT", PATH, refusal("SERVICE_UNAVAILABLE", 503))
    trader.venue.on("GET", BY_CLIENT_ID, told(), told(price="59500"))
    await done(await asked(trader, price=NEW_PRICE))
    assert order.price == NEW_PRICE


async def test_an_unanswered_change_of_which_nothing_is_seen_in_time_has_not_happened(
    trader: Trader, order: InFlightOrder, clock: Clock
) -> None:
    trader.venue.on("PUT", PATH, NO_ANSWER)
    trader.venue.on("GET", BY_CLIENT_ID, told())
    started = clock.now
    with pytest.raises(NotModifiedError):
        await done(await asked(trader, price=NEW_PRICE))
    assert clock.now - started > 30
    assert order.is_open


async def test_a_change_that_stays_undecided_is_not_guessed_and_followed_all_the_same(
    trader: Trader, order: InFlightOrder
) -> None:
    await silent(trader)
    with pytest.raises(web_utils.NoAnswerError, match="not decided"):
        await done(await asked(trader, price=NEW_PRICE))
    await trader.hear("orders", told("SUCCESS", price="59500"))
    assert order.price == NEW_PRICE


@pytest.mark.parametrize(
    ("end", "word"),
    [({"remaining_size": "0"}, "filled"), ({"cancel_reason": "USER_CANCELED"}, "cancelled")],
)
async def test_an_order_that_was_closed_first_says_how(
    trader: Trader, order: InFlightOrder, end: Payload, word: str
) -> None:
    task = await asked(trader, price=NEW_PRICE)
    await trader.hear("fills", payloads.fill("mine", size="0.5"))
    await trader.hear("orders", told("REJECTED", status="CLOSED", **end))
    with pytest.raises(NotModifiedError, match=f"it was {word} before"):
        await done(task)


async def test_the_outcome_of_the_change_before_is_not_taken_for_that_of_this_one(
    trader: Trader, order: InFlightOrder
) -> None:
    await trader.hear("orders", told("SUCCESS", "r0"))
    trader.venue.on("PUT", PATH, told("PENDING", "r1"))
    task = await asked(trader, price=NEW_PRICE)
    await trader.hear("orders", told("SUCCESS", "r0", status="CLOSED", cancel_reason="USER_CANCELED"))
    with pytest.raises(NotModifiedError, match="it was cancelled before"):
        await done(task)


async def test_a_change_that_fills_the_order_at_once_has_succeeded(trader: Trader, order: InFlightOrder) -> None:
    task = await asked(trader, price=Decimal("61000"))
    await trader.hear("fills", payloads.fill("mine", size="0.5"))
    await trader.hear("orders", told("SUCCESS", price="61000", status="CLOSED", remaining_size="0"))
    assert (await done(task)).price == Decimal("61000")
    await eventually(trader.completed)


async def test_fills_during_a_change_count(trader: Trader, order: InFlightOrder) -> None:
    task = await asked(trader, amount=Decimal("0.9"))
    await trader.hear("fills", payloads.fill("mine", size="0.2"))
    await trader.hear("orders", told("SUCCESS", size="0.9", remaining_size="0.7"))
    await done(task)
    assert (order.amount, order.executed_amount_base) == (Decimal("0.9"), Decimal("0.2"))
    await trader.hear("fills", payloads.fill("mine", id="second", size="0.7"))
    await trader.hear("orders", told(size="0.9", remaining_size="0", status="CLOSED"))
    assert [event.base_asset_amount for event in trader.completed()] == [Decimal("0.9")]


async def test_two_changes_of_one_order_go_one_after_the_other(trader: Trader, order: InFlightOrder) -> None:
    trader.venue.on("PUT", PATH, told("PENDING", "r1"), told("PENDING", "r2"))
    trader.venue.on("GET", BY_CLIENT_ID, SILENCE)
    first = await asked(trader, price=NEW_PRICE)
    second = asyncio.ensure_future(trader.exchange.modify_order("mine", amount=Decimal("0.7")))
    await settle()
    assert len(trader.venue.asked("PUT", PATH)) == 1
    await trader.hear("orders", told("SUCCESS", "r1", price="59500"))
    await done(first)
    await eventually(lambda: len(trader.venue.asked("PUT", PATH)) == 2)
    body = trader.venue.asked("PUT", PATH)[1].body
    assert (body["price"], body["size"]) == ("59500", "0.7")  # the second does not undo the first
    await trader.hear("orders", told("SUCCESS", "r2", price="59500", size="0.7"))
    await done(second)
    assert (order.price, order.amount) == (NEW_PRICE, Decimal("0.7"))


async def test_an_order_that_is_closed_before_anything_is_sent_says_so(trader: Trader) -> None:
    trader.track()
    trader.venue.on("GET", BY_CLIENT_ID, refusal("CLIENT_ORDER_ID_NOT_FOUND"))
    trader.venue.on("GET", "/orders-history", payloads.page(told(status="CLOSED", cancel_reason="USER_CANCELED")))
    with pytest.raises(NotModifiedError, match="it was cancelled before"):
        await done(trader.exchange.modify_order("mine", price=NEW_PRICE))
    assert trader.venue.asked("PUT", PATH) == []


@pytest.mark.parametrize(("heard", "pause"), [(True, CONSTANTS.MODIFY_SILENCE), (False, 0.0)])
async def test_rest_is_asked_at_once_about_an_order_of_which_nothing_has_been_told(
    trader: Trader, clock: Clock, heard: bool, pause: float
) -> None:
    order = trader.track()
    trader.venue.on("GET", BY_CLIENT_ID, told())
    if heard:
        await trader.hear("orders", told("PENDING"))
    record = trader.exchange._records["mine"]
    await trader.exchange._terms_when(order, record, lambda terms: terms.request_status == "")
    assert clock.pauses == [pause]


async def test_what_it_already_is_is_not_sent(trader: Trader, order: InFlightOrder) -> None:
    assert await trader.exchange.modify_order("mine", price=Decimal("60000")) is order
    assert trader.venue.asked("PUT", PATH) == []


async def test_what_is_impossible_is_not_sent(trader: Trader, order: InFlightOrder) -> None:
    with pytest.raises(ValueError, match=r"0\.500001 is no multiple"):
        await trader.exchange.modify_order("mine", amount=Decimal("0.500001"))
    with pytest.raises(ValueError, match="no open order other"):
        await trader.exchange.modify_order("other", amount=Decimal("0.6"))
    await trader.hear("fills", payloads.fill("mine", size="0.2"))
    with pytest.raises(ValueError, match=r"0\.2 is not above the 0\.2"):
        await trader.exchange.modify_order("mine", amount=Decimal("0.2"))
    assert trader.venue.asked("PUT", PATH) == []


async def test_a_change_whose_clock_was_wrong_is_sent_again_with_the_right_time(
    trader: Trader, order: InFlightOrder
) -> None:
    trader.venue.on("PUT", PATH, refusal("INVALID_TIMESTAMP"), told("PENDING"))
    trader.venue.on("GET", BY_CLIENT_ID, told("SUCCESS", price="59500"))
    await done(await asked(trader, price=NEW_PRICE))
    assert len(trader.venue.asked("PUT", PATH)) == 2


async def test_what_was_changed_by_hand_is_taken_over(trader: Trader, order: InFlightOrder) -> None:
    trader.venue.on("GET", "/orders", payloads.page(told(price="59000", size="0.4", last_updated_at=NOW_MS + 9)))
    trader.venue.on("GET", "/fills", payloads.page())
    await trader.exchange._update_order_status()
    assert (order.price, order.amount) == (Decimal("59000"), Decimal("0.4"))


async def test_an_older_message_does_not_undo_a_change(trader: Trader, order: InFlightOrder) -> None:
    await trader.hear("orders", told(price="59000", last_updated_at=NOW_MS + 9))
    await trader.hear("orders", told(price="60000", last_updated_at=NOW_MS + 8))
    assert order.price == Decimal("59000")


async def test_an_order_that_the_exchange_does_not_know_is_not_waited_for_for_ever(trader: Trader) -> None:
    trader.track()
    trader.venue.on("GET", BY_CLIENT_ID, refusal("CLIENT_ORDER_ID_NOT_FOUND"))
    trader.venue.on("GET", "/orders-history", payloads.page())
    with pytest.raises(web_utils.NoAnswerError, match="does not say what mine is"):
        await done(await asked(trader, price=NEW_PRICE))
    assert trader.venue.asked("PUT", PATH) == []
