"""How long Hummingbot's own `hyperliquid_perpetual` takes to place and replace orders, as strategies have it do so.

On a server that answers as Hyperliquid does, and without waiting for its rate limits, which are those of an exchange
that takes fewer orders.
"""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from hummingbot.connector.derivative.hyperliquid_perpetual import hyperliquid_perpetual_constants as CONSTANTS
from hummingbot.connector.derivative.hyperliquid_perpetual.hyperliquid_perpetual_derivative import (
    HyperliquidPerpetualDerivative,
)
from hummingbot.core.data_type.common import OrderType, PositionAction
from hummingbot.core.event.event_forwarder import EventForwarder
from hummingbot.core.event.events import MarketEvent
from hummingbot.core.web_assistant.connections.connections_factory import ConnectionsFactory

from benchmarks.peers import _wire
from benchmarks.peers._worker import serve

_PAIR = "BTC-USD"
_WALLET = ("0x" + "11" * 32, "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A")  # nobody's


class Trader:
    """A connector, and how many of its orders were created and cancelled."""

    def __init__(self) -> None:
        self.connector = HyperliquidPerpetualDerivative(
            hyperliquid_perpetual_secret_key=_WALLET[0],
            hyperliquid_perpetual_address=_WALLET[1],
            trading_pairs=[_PAIR],
            enable_hip3_markets=False,
        )
        self._awaited = 0
        self._all_there = asyncio.Event()
        self._listener = EventForwarder(self._on_event)
        for event in (MarketEvent.BuyOrderCreated, MarketEvent.OrderCancelled):
            self.connector.add_listener(event, self._listener)

    def _on_event(self, _: Any) -> None:
        self._awaited -= 1
        if not self._awaited:
            self._all_there.set()

    async def act(self, cancels: list[str], new: list[Decimal], size: Decimal) -> list[str]:
        """Cancels and places, and waits until it has heard of all."""
        self._awaited = len(cancels) + len(new)
        self._all_there.clear()
        for order_id in cancels:
            self.connector.cancel(_PAIR, order_id)
        options = {"position_action": PositionAction.OPEN}
        ids = [self.connector.buy(_PAIR, size, OrderType.LIMIT_MAKER, price, **options) for price in new]
        async with asyncio.timeout(60):
            await self._all_there.wait()
        return ids

    def forget(self) -> None:
        for order_id in list(self.connector.in_flight_orders):
            self.connector.stop_tracking_order(order_id)


async def run(job: dict[str, Any]) -> dict[str, Any]:
    CONSTANTS.PERPETUAL_BASE_URL = job["url"].removesuffix("/v1")
    for limit in CONSTANTS.RATE_LIMITS:
        limit.limit = 10**6
    trader = Trader()
    size = Decimal(job["size"])

    def prices(count: int) -> list[Decimal]:
        return [Decimal(job["price"]) - level for level in range(count)]

    try:
        await trader.connector._update_trading_rules()
        found = {}
        for count, repeats in job["counts"].items():

            def prepared(_: int, count: int = int(count)) -> Callable[[], Awaitable[Any]]:
                trader.forget()
                new = prices(count)
                return lambda: trader.act([], new, size)

            found[count] = await _wire.repeated(prepared, repeats)
        if job["ladders"]:
            resting = await trader.act([], prices(job["levels"]), size)

            async def replace(new: list[Decimal]) -> None:
                nonlocal resting
                resting = await trader.act(resting, new, size)

            def prepared_ladder(_: int) -> Callable[[], Awaitable[Any]]:
                new = prices(job["levels"])
                return lambda: replace(new)

            found["ladder"] = await _wire.repeated(prepared_ladder, job["ladders"])
    finally:
        await ConnectionsFactory().close()
    return {"found": found, "version": version("hummingbot")}


if __name__ == "__main__":
    _wire.watch()
    serve(lambda job: asyncio.run(run(job)))
