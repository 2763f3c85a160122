"""A whole bot of one connector, as Hummingbot runs it: what it takes of memory and CPU, and how it stalls the loop.

For a fresh process: Hummingbot's application is loaded first, as in a bot, and what is there then does not count as the
connector's.
"""

import asyncio
import importlib
import logging
import os
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import aiohttp
import psutil
from hummingbot.core.clock import Clock, ClockMode
from hummingbot.core.data_type.common import OrderType, PositionAction
from hummingbot.core.event.event_forwarder import EventForwarder
from hummingbot.core.event.events import MarketEvent
from hummingbot.core.web_assistant.connections.connections_factory import ConnectionsFactory

from benchmarks._stalls import Stalls, paced
from benchmarks.peers._worker import serve

LADDER = 10
_TICK = 0.001
_SETTLING = 2.0  # seconds: what a start leaves behind
_PATIENCE = 60  # seconds
_MIB = 2**20
# Nobody's.
_WALLET = ("0x" + "11" * 32, "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A")


def ours(job: dict[str, Any]) -> Any:
    from hummingbot.connector.derivative.paradex_perpetual import (
        paradex_perpetual_constants as CONSTANTS,
        paradex_perpetual_derivative as derivative,
    )

    os.environ[CONSTANTS.SANDBOX_URL_VARIABLE] = f"{job['url']}/v1"
    return derivative.ParadexPerpetualDerivative(
        paradex_perpetual_api_secret=job["key"],
        paradex_perpetual_account_address=job["account"],
        trading_pairs=[f"{coin}-USDC" for coin in _coins(job)],
        domain=CONSTANTS.SANDBOX_DOMAIN,
    )


def hyperliquid(job: dict[str, Any]) -> Any:
    """Without the rate limits of an exchange that takes fewer orders, and the second's pause that Hummingbot makes for
    each pair at the start.
    """
    from hummingbot.connector.derivative.hyperliquid_perpetual import (
        hyperliquid_perpetual_constants as CONSTANTS,
        hyperliquid_perpetual_derivative as derivative,
    )

    async def pause(delay: float) -> None:
        await asyncio.sleep(delay if len(tracker.order_books) == job["pairs"] else 0.01)

    CONSTANTS.PERPETUAL_BASE_URL = job["url"]
    CONSTANTS.PERPETUAL_WS_URL = job["url"].replace("http", "ws", 1) + "/ws"
    for limit in CONSTANTS.RATE_LIMITS:
        limit.limit = 10**6
    connector = derivative.HyperliquidPerpetualDerivative(
        hyperliquid_perpetual_secret_key=_WALLET[0],
        hyperliquid_perpetual_address=_WALLET[1],
        trading_pairs=[f"{coin}-USD" for coin in _coins(job)],
        enable_hip3_markets=False,
    )
    tracker = connector.order_book_tracker
    tracker._sleep = pause
    return connector


CONNECTORS: dict[str, Callable[[dict[str, Any]], Any]] = {"ours": ours, "hyperliquid": hyperliquid}


def _coins(job: dict[str, Any]) -> list[str]:
    return [f"M{number:03}" for number in range(job["pairs"])]


class Bot:
    """A connector that has its ladder replaced, over all of its pairs in turn.

    :param connector: to be driven by Hummingbot's own clock for as long as the block lasts
    :param price: of the best bid
    :param size: of each order
    """

    def __init__(self, connector: Any, price: Decimal, size: Decimal):
        self.connector = connector
        self._price, self._size = price, size
        self._clock = Clock(ClockMode.REALTIME, tick_size=1.0)
        self._resting: list[tuple[str, str]] = []
        self._next_pair = 0
        self._awaited = 0
        self._failed = False
        self._all_there = asyncio.Event()
        self._listener = EventForwarder(self._on_event)
        self._failures = EventForwarder(self._on_failure)
        for event in (MarketEvent.BuyOrderCreated, MarketEvent.OrderCancelled):
            connector.add_listener(event, self._listener)
        connector.add_listener(MarketEvent.OrderFailure, self._failures)

    async def __aenter__(self) -> "Bot":
        self._clock.add_iterator(self.connector)
        self._clock.__enter__()
        self._ticking = asyncio.create_task(self._clock.run())
        try:
            async with asyncio.timeout(_PATIENCE):
                while not self.connector.ready:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise RuntimeError(f"the connector does not get ready: {self.connector.status_dict}") from None
        return self

    async def __aexit__(self, *_: object) -> None:
        self._clock.__exit__(None, None, None)
        self._ticking.cancel()
        await asyncio.gather(self._ticking, return_exceptions=True)
        await self.connector.stop_network()

    def _on_event(self, _: Any) -> None:
        self._awaited -= 1
        if not self._awaited:
            self._all_there.set()

    def _on_failure(self, _: Any) -> None:
        self._failed = True
        self._all_there.set()

    async def replace(self, count: int = LADDER) -> None:
        """Cancels all that rests, places `count` orders, and waits until it has heard of all."""
        self._awaited = len(self._resting) + count
        if not self._awaited:
            return
        self._all_there.clear()
        for pair, order_id in self._resting:
            self.connector.cancel(pair, order_id)
        self._resting = [self._buy(level) for level in range(count)]
        async with asyncio.timeout(_PATIENCE):
            await self._all_there.wait()
        if self._failed:
            raise RuntimeError("an order failed")

    def _buy(self, level: int) -> tuple[str, str]:
        pairs = self.connector.trading_pairs
        pair = pairs[self._next_pair % len(pairs)]
        self._next_pair += 1
        price = self._price - level
        options = {"position_action": PositionAction.OPEN}
        return pair, self.connector.buy(pair, self._size, OrderType.LIMIT_MAKER, price, **options)

    async def replace_at(self, rate: float, seconds: float) -> float:
        """Replaces so many orders a second; returns how many it was."""
        return await paced(self.replace, LADDER, rate, seconds)


def memory() -> tuple[float, float]:
    """Mebibytes of this process: resident, and its own."""
    used = psutil.Process().memory_full_info()
    return used.rss / _MIB, used.uss / _MIB


class Worker:
    """One bot, which the first job starts, and its jobs: `idle`, `work`, `stall`."""

    def __init__(self) -> None:
        self._loaded = 0.0
        self._runner = asyncio.Runner()
        self._bot: Bot | None = None
        self._job: dict[str, Any] = {}

    def answer(self, job: dict[str, Any]) -> dict[str, float]:
        return self._runner.run(getattr(self, f"_{job['do']}")(job))

    async def _idle(self, job: dict[str, Any]) -> dict[str, float]:
        """The bot starts; CPU milliseconds of a second in which it does nothing. With `bare`, for a try, without the
        application, which takes seconds to load.
        """
        if not job.get("bare"):
            importlib.import_module("hummingbot.client.hummingbot_application")
        self._job, self._loaded = job, memory()[1]
        connector = CONNECTORS[job["client"]](job)
        self._bot = await Bot(connector, Decimal(job["price"]), Decimal(job["size"])).__aenter__()
        await asyncio.sleep(_SETTLING)
        cpu, clock = time.process_time(), time.perf_counter()
        await asyncio.sleep(job["seconds"])
        return {"idle": (time.process_time() - cpu) / (time.perf_counter() - clock) * 1000}

    async def _work(self, job: dict[str, Any]) -> dict[str, float]:
        """CPU milliseconds of a second in which `books` come and `orders` are replaced; memory after it, in mebibytes;
        and how many orders it was a second.
        """
        bot = self._started()
        await self._books(job["books"])
        await bot.replace_at(job["orders"], 1)  # not what happens once
        cpu, clock = time.process_time(), time.perf_counter()
        pace = await bot.replace_at(job["orders"], job["seconds"])
        busy = (time.process_time() - cpu) / (time.perf_counter() - clock) * 1000
        resident, own = memory()
        await self._books(0)
        await bot.replace(0)
        return {"busy": busy, "memory": resident, "own": own, "added": own - self._loaded, "pace": pace}

    async def _stall(self, job: dict[str, Any]) -> dict[str, float]:
        """The longest stall and the longest garbage collection while `orders` are replaced a second, in milliseconds;
        with `sdk`, the SDK signs on the loop.
        """
        bot = self._started()
        if job["sdk"]:
            from benchmarks.signing import InlineSdk

            bot.connector._auth._signer = InlineSdk(self._job["config"], self._job["key"], self._job["account"])
        await bot.replace_at(job["orders"], 1)
        async with Stalls() as stalls:
            await bot.replace_at(job["orders"], job["seconds"])
        await bot.replace(0)
        return {"stall": stalls.cpu * 1000, "collection": stalls.collection * 1000}

    def close(self) -> None:
        if self._bot is not None:
            self._runner.run(self._end(self._bot))
        self._runner.close()

    @staticmethod
    async def _end(bot: Bot) -> None:
        await bot.__aexit__()
        await ConnectionsFactory().close()

    def _started(self) -> Bot:
        assert self._bot is not None
        return self._bot

    async def _books(self, rate: int) -> None:
        async with aiohttp.ClientSession(self._job["url"]) as session, session.get("/go", params={"rate": rate}):
            pass


if __name__ == "__main__":
    logging.disable()
    worker = Worker()
    serve(worker.answer)
    worker.close()
