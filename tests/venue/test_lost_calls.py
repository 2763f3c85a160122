"""Calls over the socket whose answers do not come, or say nothing: every failure meets every operation.

And modifications and batches of cancels over REST, which tests/venue/test_lost_answers.py leaves out.
"""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_constants as CONSTANTS
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import NotModifiedError
from hummingbot.core.data_type.common import OrderType, TradeType
from hummingbot.core.event.events import MarketOrderFailureEvent, OrderCancelledEvent

from tests.venue.bot import CREATED, ENDED, Bot
from tests.venue.exchange import Exchange, Market
from tests.venue.test_exchange_trouble import Trouble, sandbox_with_control, trouble
from tests.venue.test_lost_answers import FAILURES, open_client_ids
from tests.venue.waiting import until

__all__ = ["sandbox_with_control", "trouble"]

DONE, NOT_DONE, LATER, EITHER = "done", "not done", "done later", "done or not"
SLOWEST = 60.0  # seconds, for a machine with other things to do

# Kind and parameters, and what becomes of the call; in no case does the answer tell.
CALLS: dict[str, tuple[dict[str, Any], str]] = {
    "internal error": ({"kind": "rpc_error", "code": -32603}, NOT_DONE),
    "server error": ({"kind": "rpc_error", "code": -32000}, NOT_DONE),
    "a code that nobody knows": ({"kind": "rpc_error", "code": 50300}, NOT_DONE),
    "rate limit": ({"kind": "rpc_error", "code": 42901, "retry_after": 1}, LATER),
    "cut off": ({"kind": "rpc_cut_json"}, DONE),
    "no answer ever": ({"kind": "rpc_silence"}, DONE),
    "never heard": ({"kind": "rpc_silence", "before": True}, NOT_DONE),
}
# aiohttp sends a PUT once more when a connection that it has used before is dropped: it may be repeated.
_OVER_REST = {"cut off": DONE, "dropped after": DONE, "dropped before": EITHER}
Make = Callable[..., Awaitable[Bot]]


@pytest.fixture
def make(trouble: Trouble, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes bots for what becomes of a request.

    What was not done is believed soon never to be; what was done is found however slow the machine is.
    """
    monkeypatch.setattr(CONSTANTS, "WS_CALL_TIMEOUT", 0.6)
    monkeypatch.setattr(CONSTANTS, "CANCEL_SILENCE", 0.3)
    monkeypatch.setattr(CONSTANTS, "MODIFY_SILENCE", 0.2)

    async def make(outcome: str, order_entry: str = "websocket") -> Bot:
        is_done = outcome != NOT_DONE
        bot = await trouble.bot(order_entry=order_entry, recv_window=10_000 if is_done else 300, breaker_failures=0)
        monkeypatch.setattr(CONSTANTS, "OUTCOME_MARGIN", 30.0 if is_done else 0.2)
        return bot

    return make


@pytest.fixture
async def quiet(trouble: Trouble) -> tuple[Market, Decimal, Decimal]:
    return await trouble.far_price()


async def placed(bot: Bot, quiet: tuple[Market, Decimal, Decimal], count: int) -> list[str]:
    """Bids that nobody takes, with the exchange's ids known."""
    market, price, size = quiet
    order_ids = [
        bot.order(TradeType.BUY, market.pair, size, price - level * market.tick, OrderType.LIMIT_MAKER)
        for level in range(count)
    ]
    for order_id in order_ids:
        await bot.events.one(CREATED, order_id, timeout=SLOWEST)
    return order_ids


@pytest.mark.parametrize("failure", CALLS)
@pytest.mark.parametrize("count", [1, 3], ids=["order", "batch"])
async def test_orders_are_on_the_exchange_once_or_have_failed(
    trouble: Trouble, make: Make, quiet: tuple[Market, Decimal, Decimal], failure: str, count: int
) -> None:
    fault, outcome = CALLS[failure]
    bot = await make(outcome)
    market, price, size = quiet
    call = "order.create" if count == 1 else "order.create_batch"
    await trouble.fault(**fault, call=call, count=1)

    order_ids = [
        bot.order(TradeType.BUY, market.pair, size, price - level * market.tick, OrderType.LIMIT_MAKER)
        for level in range(count)
    ]

    expected = (MarketOrderFailureEvent,) if outcome == NOT_DONE else CREATED
    for order_id in order_ids:
        event = await bot.events.one((*CREATED, MarketOrderFailureEvent), order_id, timeout=SLOWEST)
        assert isinstance(event, expected)
    assert sorted(await open_client_ids(trouble)) == ([] if outcome == NOT_DONE else sorted(order_ids))
    assert (await trouble.control("GET", "/faults"))["results"] == []  # it has struck
    assert sorted(bot.connector.in_flight_orders) == ([] if outcome == NOT_DONE else sorted(order_ids))


@pytest.mark.parametrize("failure", CALLS)
@pytest.mark.parametrize("count", [1, 3], ids=["order", "batch"])
async def test_cancels_come_about_without_another_one(
    trouble: Trouble, make: Make, quiet: tuple[Market, Decimal, Decimal], failure: str, count: int
) -> None:
    bot = await make(DONE)
    order_ids = await placed(bot, quiet, count)
    await trouble.fault(**CALLS[failure][0], call="order.cancel" if count == 1 else "order.cancel_batch", count=1)

    for order_id in order_ids:
        bot.connector.cancel(quiet[0].pair, order_id)

    for order_id in order_ids:
        await bot.events.one(OrderCancelledEvent, order_id, timeout=SLOWEST)
        assert len(bot.events.of(ENDED, order_id)) == 1
    assert await open_client_ids(trouble) == []
    assert (await trouble.control("GET", "/faults"))["results"] == []
    assert bot.connector.in_flight_orders == {}


async def modified(bot: Bot, trouble: Trouble, market: Market, order_id: str, outcome: str) -> None:
    """Changes an order's price, and compares what is said of it, and what is tracked, with the exchange."""
    order = bot.connector.in_flight_orders[order_id]
    before, exchange_order_id = order.price, order.exchange_order_id
    wanted = before - market.tick
    try:
        assert await bot.connector.modify_order(order_id, price=wanted) is order
        is_modified = True
    except NotModifiedError:
        is_modified = False
    assert outcome == EITHER or is_modified == (outcome == DONE)
    async with Exchange(trouble._url, trouble._credentials) as exchange:
        (seen,) = (await exchange.open_orders()).values()
    assert seen["id"] == exchange_order_id == order.exchange_order_id
    assert Decimal(seen["price"]) == order.price == (wanted if is_modified else before)
    await bot.cancelled(order_id, pair=market.pair)


@pytest.mark.parametrize("failure", CALLS)
async def test_a_modification_has_happened_or_is_said_not_to_have(
    trouble: Trouble, make: Make, quiet: tuple[Market, Decimal, Decimal], failure: str
) -> None:
    fault, outcome = CALLS[failure]
    outcome = NOT_DONE if outcome == LATER else outcome  # the strategy decides whether it still wants the change
    bot = await make(outcome)
    (order_id,) = await placed(bot, quiet, 1)
    await trouble.fault(**fault, call="order.modify", count=1)
    await modified(bot, trouble, quiet[0], order_id, outcome)


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_modification_over_rest_has_happened_or_is_said_not_to_have(
    trouble: Trouble, make: Make, quiet: tuple[Market, Decimal, Decimal], failure: str
) -> None:
    outcome = _OVER_REST.get(failure, NOT_DONE)
    bot = await make(outcome, "rest")
    (order_id,) = await placed(bot, quiet, 1)
    await trouble.fault(**FAILURES[failure], path="/orders", method="PUT", count=1)
    await modified(bot, trouble, quiet[0], order_id, outcome)


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_batch_of_cancels_over_rest_comes_about_without_another_one(
    trouble: Trouble, make: Make, quiet: tuple[Market, Decimal, Decimal], failure: str
) -> None:
    bot = await make(DONE, "rest")
    order_ids = await placed(bot, quiet, 3)
    await trouble.fault(**FAILURES[failure], path="/orders/batch", method="DELETE", count=1)
    for order_id in order_ids:
        bot.connector.cancel(quiet[0].pair, order_id)
    for order_id in order_ids:
        await bot.events.one(OrderCancelledEvent, order_id, timeout=SLOWEST)
    assert await open_client_ids(trouble) == []
    await until(lambda: bot.connector.in_flight_orders == {}, "nothing is tracked", pause=0.01)
