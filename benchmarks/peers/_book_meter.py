"""What clients of `benchmarks._feed` have in common. Runs in the peers' environment: no packages but aiohttp."""

import asyncio
import math
import os
import time
from bisect import bisect_right
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp

_PATIENCE = 120  # seconds
_MARKET_SPAN = 10_000_000  # see benchmarks._feed


class Meter:
    """Is told of each book that a client has updated."""

    def __init__(self) -> None:
        self._seqs: list[int] = []
        self._moments: list[int] = []
        self._cpu = 0.0
        self._expected = 0
        self._done = asyncio.Event()

    def updated(self, seq: int) -> None:
        """The book of a market is that of message `seq`, or later."""
        self._moments.append(time.monotonic_ns())
        self._seqs.append(seq)
        if len(self._seqs) == self._expected:
            self._cpu = time.process_time()
            self._done.set()

    def expect(self, count: int) -> None:
        self._seqs.clear()
        self._moments.clear()
        self._expected = count
        self._done.clear()

    async def wait(self) -> None:
        """Returns when all that is expected has been updated; raises TimeoutError."""
        try:
            await asyncio.wait_for(self._done.wait(), _PATIENCE)
        except TimeoutError:
            raise TimeoutError(f"only {len(self._seqs)} of {self._expected} updates") from None

    async def run(self, job: dict[str, Any], exchange: str, count: int, rate: int) -> dict[str, float]:
        """Has the feed send, and says what that cost and how long it took."""
        self.expect(count)
        query = {"exchange": exchange, "kind": job["kind"], "markets": job["markets"], "count": count, "rate": rate}
        async with aiohttp.ClientSession(job["url"], timeout=aiohttp.ClientTimeout(_PATIENCE)) as session:
            async with session.get("/go", params=query) as response:
                await response.content.readline()  # it sends from here on
                cpu = time.process_time()
                await self.wait()
                cpu = self._cpu - cpu
            async with session.get("/sent") as response:
                told = await response.json()
        sent = dict(zip(told[::2], told[1::2], strict=True))
        delays = sorted(moment - sent[seq] for seq, moment in zip(self._seqs, self._moments, strict=True))
        sending = sorted(told[1::2])
        return {
            "cpu_us": cpu / count * 1e6,
            "p50_ms": delays[math.ceil(0.5 * count) - 1] / 1e6,
            "p99_ms": delays[math.ceil(0.99 * count) - 1] / 1e6,
            "waiting": max(bisect_right(sending, moment) - done for done, moment in enumerate(self._moments)),
        }


Client = Callable[[dict[str, Any], Meter], AbstractAsyncContextManager[str]]


async def measure(job: dict[str, Any], client: Client) -> dict[str, float]:
    """One job: connects for `markets`, has a share of the messages sent to warm up, and then all of them.

    :param client: connects to the feed and subscribes; gives the exchange's name there
    """
    meter = Meter()
    meter.expect(job["markets"])  # a first book of each
    async with client(job, meter) as exchange:
        await meter.wait()
        if "idle" in job:
            return await _footprint(job, meter, exchange)
        if not job["rate"]:
            await meter.run(job, exchange, job["count"] // 4, 0)
        strategy = asyncio.create_task(_strategy(job.get("blocked", 0)))
        try:
            return await meter.run(job, exchange, job["count"], job["rate"])
        finally:
            strategy.cancel()


async def _footprint(job: dict[str, Any], meter: Meter, exchange: str) -> dict[str, float]:
    """CPU milliseconds of a second in which nothing comes, and of one at `rate`; mebibytes of the process after it."""
    await asyncio.sleep(1)  # what a start leaves behind
    start = time.process_time()
    await asyncio.sleep(job["idle"])
    idle = (time.process_time() - start) / job["idle"] * 1000
    busy = (await meter.run(job, exchange, job["count"], job["rate"]))["cpu_us"] * job["rate"] / 1000
    pages = int(Path("/proc/self/statm").read_text().split()[1])  # noqa: ASYNC240
    return {"idle": idle, "busy": busy, "memory": pages * os.sysconf("SC_PAGE_SIZE") / 2**20}


async def _strategy(blocked: float) -> None:
    """One that keeps the loop from everything else for so many seconds, twice a second."""
    while blocked:
        await asyncio.sleep(0.5 - blocked)
        time.sleep(blocked)  # noqa: ASYNC251
