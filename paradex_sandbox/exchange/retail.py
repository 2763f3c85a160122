"""How many Retail orders an account may place before it is treated as Pro (docs: trading/trader-profiles)."""

from collections import deque
from collections.abc import Iterable

from paradex_sandbox.exchange.model import RetailUsage

_SECOND = 1_000_000
#: Window in microseconds and how many orders it takes, in the order of `RetailUsage`.
RETAIL_LIMITS = ((_SECOND, 3), (60 * _SECOND, 30), (3600 * _SECOND, 300), (86_400 * _SECOND, 1000))
#: What Retail orders and their cancellations wait before they act.
SPEED_BUMP_US = 300_000


class RetailLimiter:
    """Remembers when an account's Retail orders came; those beyond the limits are Pro and do not count."""

    def __init__(self) -> None:
        self._times: deque[int] = deque(maxlen=RETAIL_LIMITS[-1][1])

    def admit(self, now: int) -> bool:
        """Whether an order is Retail now; if so it counts."""
        times = self._times
        if any(len(times) >= limit and times[-limit] > now - window for window, limit in RETAIL_LIMITS):
            return False
        times.append(now)
        return True

    def usage(self, now: int) -> RetailUsage:
        return RetailUsage(*(sum(at > now - window for at in self._times) for window, _ in RETAIL_LIMITS))

    def restore(self, times: Iterable[int]) -> None:
        """Continues with the times of the Retail orders so far, oldest first."""
        self._times.clear()
        self._times.extend(times)
