"""The sandbox's clock: real time plus an offset, or standing still until it is stepped."""

import time


class SandboxClock:
    """Time in µs since the epoch. It never goes back by itself: real time is read off the monotonic clock."""

    def __init__(self, start_us: int | None = None, *, frozen: bool = False):
        """Starts at `start_us`, or now, and runs unless `frozen`."""
        self._start = time.time_ns() // 1000 if start_us is None else start_us
        self._base = _monotonic_us()
        self._frozen_at: int | None = self._start if frozen else None

    @property
    def frozen(self) -> bool:
        """Whether the clock stands still."""
        return self._frozen_at is not None

    def now_us(self) -> int:
        """The sandbox's time."""
        return self._start + _monotonic_us() - self._base if self._frozen_at is None else self._frozen_at

    def freeze(self) -> None:
        """Stops the clock where it is."""
        self._frozen_at = self.now_us()

    def unfreeze(self) -> None:
        """Lets it run again, from where it stands."""
        if self._frozen_at is not None:
            self._start, self._base, self._frozen_at = self._frozen_at, _monotonic_us(), None

    def advance(self, us: int) -> None:
        """Moves the clock ahead by `us`, whether it runs or stands."""
        if self._frozen_at is None:
            self._start += us
        else:
            self._frozen_at += us


def _monotonic_us() -> int:
    return time.monotonic_ns() // 1000
