"""The lines of docs/features.md do what it says."""

import ast
import asyncio
import inspect
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_web_utils as web_utils
from hummingbot.core.data_type.common import OrderType, PositionAction, PriceType
from hummingbot.core.data_type.in_flight_order import OrderState
from hummingbot.core.event.events import MarketOrderFailureEvent

from tests.venue.bot import Bot
from tests.venue.exchange import Exchange, Market
from tests.venue.waiting import until

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "features.md"


def blocks() -> list[str]:
    """The Python of the guide, block by block."""
    return [part.split("```")[0] for part in GUIDE.read_text().split("```python\n")[1:]]


async def test_the_lines_of_the_guide_work_one_block_after_the_other(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    connector = bot.connector
    names: dict[str, Any] = {
        "connector": connector,
        "pair": market.pair,
        "amount": market.smallest_size((await exchange.touch(market)).bid),
        "Decimal": Decimal,
        "OrderType": OrderType,
        "PositionAction": PositionAction,
        "PriceType": PriceType,
    }
    assert len(blocks()) > 5
    for block in blocks():
        code = compile(block, str(GUIDE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        try:
            running = eval(code, names)
            if inspect.iscoroutine(running):
                await running
        except web_utils.ApiError as error:
            if error.code == "MMP_NOT_ENABLED":
                pytest.skip("market-maker protection is not enabled for this account")
            raise
        await asyncio.sleep(0)  # orders are tracked from the next step of the event loop on
        await until(lambda: _is_quiet(bot, exchange, market), "what was asked for has happened")
    assert not bot.events.of(MarketOrderFailureEvent)
    await until(lambda: not connector.in_flight_orders, "no order is left")
    assert await exchange.is_flat()


async def _is_quiet(bot: Bot, exchange: Exchange, market: Market) -> bool:
    """Whether every order rests or waits for its trigger, and the position is the exchange's."""
    orders = bot.connector.in_flight_orders.values()
    if any(order.current_state is not OrderState.OPEN or order.price.is_nan() for order in orders):
        return False
    return bot.position_amount(market.pair) == await exchange.position_size(market)
