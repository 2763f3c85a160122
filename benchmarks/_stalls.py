"""For how long something stops the event loop."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from typing import Self

_TICK = 0.001
_LONG = 0.05  # seconds of CPU time: a stall that is worth counting


class Stalls:
    """How long the loop did not come round to its timers, while the block ran. All times are seconds.

    :param cpu_time: of the loop's thread, or of all
    :ivar cpu: the most CPU time between two of its rounds; garbage collections are in it
    :ivar clock: the same by the clock
    :ivar long: how many took more than 50 ms of CPU time
    :ivar collection: CPU time of the longest garbage collection
    """

    def __init__(self, cpu_time: Callable[[], float] = time.thread_time) -> None:
        self.cpu = self.clock = self.collection = 0.0
        self.long = 0
        self._cpu_time = cpu_time
        self._collecting_since = 0.0

    async def __aenter__(self) -> Self:
        gc.callbacks.append(self._on_collection)
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        gc.callbacks.remove(self._on_collection)

    async def _watch(self) -> None:
        while True:
            cpu, clock = self._cpu_time(), time.perf_counter()
            await asyncio.sleep(_TICK)
            used = self._cpu_time() - cpu
            self.cpu = max(self.cpu, used)
            self.clock = max(self.clock, time.perf_counter() - clock - _TICK)
            self.long += used > _LONG

    def _on_collection(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._collecting_since = time.thread_time()
        else:
            self.collection = max(self.collection, time.thread_time() - self._collecting_since)


async def paced(act: Callable[[], Awaitable[object]], size: int, rate: float, seconds: float) -> float:
    """Has `act` act on `size` orders, once at least, so that it is `rate` orders a second.

    :return: how many a second it was
    """
    loop = asyncio.get_running_loop()
    start, times = loop.time(), max(1, round(seconds * rate / size))
    for number in range(1, times + 1):
        await act()
        await asyncio.sleep(max(0.0, start + number * size / rate - loop.time()))
    return times * size / (loop.time() - start)
