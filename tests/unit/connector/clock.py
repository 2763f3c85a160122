"""Time that passes only when a test, or a pause of the connector, says so."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any

from hummingbot.connector.time_synchronizer import TimeSynchronizer


class Clock:
    """:ivar now: seconds since the epoch, :ivar pauses: what has been waited for with :meth:`sleep`, in seconds"""

    def __init__(self, now: float):
        self.now = now
        self.pauses: list[float] = []

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once, and others run."""
        self.pauses.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    async def live(self, seconds: float) -> None:
        """Let the time pass here as it passes everywhere, for what waits for answers over the network."""
        await asyncio.sleep(seconds)
        self.now += seconds

    def drive(self, synchronizer: TimeSynchronizer) -> TimeSynchronizer:
        """Make `synchronizer` show this clock's time."""
        synchronizer._current_seconds_counter = self.time
        synchronizer.add_time_offset_ms_sample(0)
        return synchronizer


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop that never waits for time to pass: when there is nothing to do, it is already when the next timer is due.

    :ivar timers: how many have been set
    """

    def __init__(self) -> None:
        self.timers = 0
        self._now = 1000.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self._now

    def jump(self, seconds: float) -> None:
        self._now += seconds

    def call_at(self, *arguments: Any, **options: Any) -> asyncio.TimerHandle:
        self.timers += 1
        return super().call_at(*arguments, **options)


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: JumpingLoop):
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen: somebody waits for what nobody has planned")
        events = super().select(0)
        if not events:
            self._loop.jump(max(0.0, timeout))
        return events


def run_jumping(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run `coroutine` in a :class:`JumpingLoop`."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(coroutine)
