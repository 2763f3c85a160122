"""Time that passes only when a test, or a pause of the connector, says so."""

import asyncio

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

    def drive(self, synchronizer: TimeSynchronizer) -> TimeSynchronizer:
        """Make `synchronizer` show this clock's time."""
        synchronizer._current_seconds_counter = self.time
        synchronizer.add_time_offset_ms_sample(0)
        return synchronizer
