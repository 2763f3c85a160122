"""Answers that get lost, on a sandbox that loses them on request: the bot's orders are the exchange's all the same.

Every failure of a request meets every operation, over REST and over the socket.
"""

from typing import Any

import pytest
from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_constants as CONSTANTS
from hummingbot.core.data_type.common import OrderType, TradeType
from hummingbot.core.event.events import MarketOrderFailureEvent, OrderCancelledEvent

from tests.venue.bot import CREATED, ENDED, Bot
from tests.venue.test_exchange_trouble import Trouble, sandbox_with_control, trouble
from tests.venue.waiting import until

__all__ = ["sandbox_with_control", "trouble"]

# Kind and parameters: the request is carried out, or is not, and in each case the answer does not tell.
FAILURES: dict[str, dict[str, Any]] = {
    "503": {"kind": "http_error", "status": 503},
    "500": {"kind": "http_error", "status": 500},
    "429": {"kind": "http_error", "status": 429, "retry_after": 2},
    "html of a load balancer": {"kind": "http_html", "status": 502},
    "html that looks well": {"kind": "http_html", "status": 200},
    "cut off": {"kind": "http_cut_json"},
    "dropped after": {"kind": "http_drop"},
    "dropped before": {"kind": "http_drop", "before": True},
}


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not found is believed sooner: the sandbox works on nothing for half a minute."""
    monkeypatch.setattr(CONSTANTS, "OUTCOME_MARGIN", 0.5)
    monkeypatch.setattr(CONSTANTS, "CANCEL_SILENCE", 0.3)


async def open_client_ids(trouble: Trouble) -> list[str]:
    accounts = (await trouble.control("GET", "/state"))["accounts"]
    return [order["client_id"] for account in accounts for order in account["open_orders"]]


@pytest.fixture
async def bot(trouble: Trouble) -> Bot:
    return await trouble.bot(order_entry="rest", recv_window=3000, breaker_failures=0)


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_submit_is_on_the_exchange_once_or_has_failed(trouble: Trouble, bot: Bot, failure: str) -> None:
    market, price, size = await trouble.far_price()
    await trouble.fault(**FAILURES[failure], path="/orders", method="POST", count=1)

    order_id = bot.order(TradeType.BUY, market.pair, size, price, OrderType.LIMIT_MAKER)

    event = await bot.events.one((*CREATED, MarketOrderFailureEvent), order_id)
    was_placed = not isinstance(event, MarketOrderFailureEvent)
    assert await open_client_ids(trouble) == ([order_id] if was_placed else [])
    assert (order_id in bot.connector.in_flight_orders) == was_placed


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_cancel_comes_about_without_another_one(trouble: Trouble, bot: Bot, failure: str) -> None:
    market, price, size = await trouble.far_price()
    order_id = await bot.placed(TradeType.BUY, market.pair, size, price, OrderType.LIMIT_MAKER)
    await trouble.fault(**FAILURES[failure], path="/orders", method="DELETE", count=1)

    bot.connector.cancel(market.pair, order_id)

    await bot.events.one(OrderCancelledEvent, order_id)
    assert await open_client_ids(trouble) == []
    assert bot.connector.in_flight_orders == {}


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_batch_is_decided_order_by_order(trouble: Trouble, bot: Bot, failure: str) -> None:
    market, price, size = await trouble.far_price()
    await trouble.fault(**FAILURES[failure], path="/orders/batch", method="POST", count=1)

    order_ids = [
        bot.order(TradeType.BUY, market.pair, size, price - level * market.tick, OrderType.LIMIT_MAKER)
        for level in range(3)
    ]

    events = [await bot.events.one((*CREATED, MarketOrderFailureEvent), order_id) for order_id in order_ids]
    placed = {event.order_id for event in events if not isinstance(event, MarketOrderFailureEvent)}
    open_ids = await open_client_ids(trouble)
    assert sorted(open_ids) == sorted(placed)
    assert set(bot.connector.in_flight_orders) == placed


async def test_a_cancel_of_which_the_stream_says_nothing_is_known_soon(trouble: Trouble, bot: Bot) -> None:
    market, price, size = await trouble.far_price()
    order_id = await bot.placed(TradeType.BUY, market.pair, size, price, OrderType.LIMIT_MAKER)
    await trouble.fault("freeze_stream", channel="orders")

    bot.connector.cancel(market.pair, order_id)

    await bot.events.one(OrderCancelledEvent, order_id)


async def test_a_cancel_follows_a_submit_that_is_in_the_air(trouble: Trouble, bot: Bot) -> None:
    market, price, size = await trouble.far_price()
    await trouble.fault("order_delay", delay_ms=400, count=1)

    order_id = bot.order(TradeType.BUY, market.pair, size, price, OrderType.LIMIT_MAKER)
    await until(lambda: order_id in bot.connector._submitting, "it is on its way", pause=0.01)
    await until(lambda: not bot.connector._order_entry._submits.unsent(), "it has left", pause=0.01)
    bot.connector.cancel(market.pair, order_id)

    await bot.events.one(OrderCancelledEvent, order_id)
    assert await open_client_ids(trouble) == []


@pytest.mark.parametrize("operation", ["submit", "cancel"])
async def test_a_socket_that_drops_with_an_order_on_it(trouble: Trouble, operation: str) -> None:
    bot = await trouble.bot(order_entry="websocket", recv_window=3000, breaker_failures=0)
    market, price, size = await trouble.far_price()
    order_id = ""
    if operation == "cancel":
        order_id = await bot.placed(TradeType.BUY, market.pair, size, price, OrderType.LIMIT_MAKER)
    else:
        await trouble.fault("order_answer_lost", count=1)
        order_id = bot.order(TradeType.BUY, market.pair, size, price, OrderType.LIMIT_MAKER)
    if operation == "cancel":
        bot.connector.cancel(market.pair, order_id)
        await trouble.fault("drop_sockets")
        await bot.events.one(OrderCancelledEvent, order_id)
        assert await open_client_ids(trouble) == []
    else:
        await bot.events.one(CREATED, order_id)
        assert await open_client_ids(trouble) == [order_id]
    assert len(bot.events.of(ENDED, order_id)) == (1 if operation == "cancel" else 0)


@pytest.mark.parametrize("treatment", ["cancel", "adopt"])
async def test_an_order_that_a_killed_run_left_is_settled_as_the_setting_says(
    trouble: Trouble, monkeypatch: pytest.MonkeyPatch, treatment: str
) -> None:
    module = "hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_utils.hummingbot_instance_id"
    monkeypatch.setattr(module, lambda: f"of {treatment}")
    monkeypatch.setattr(CONSTANTS, "UNKNOWN_ORDERS_PATIENCE", 0.5)
    first = await trouble.bot()
    market, price, size = await trouble.far_price()
    left = await first.placed(TradeType.BUY, market.pair, size, price, OrderType.LIMIT_MAKER)
    await first.stop()

    second = await trouble.bot(unknown_orders=treatment)  # without what the first one saved

    if treatment == "adopt":
        (event,) = [await second.events.one(CREATED, left)]
        assert (event.amount, event.price) == (size, price)
        await second.cancelled(left, pair=market.pair)
    else:

        async def gone() -> bool:
            return not await open_client_ids(trouble)

        await until(gone, "the order is cancelled")
        assert second.connector.in_flight_orders == {}
