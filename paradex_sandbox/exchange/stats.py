"""Rolling 24 hours of a market's trades."""

from collections import deque
from dataclasses import dataclass
from decimal import Decimal

from paradex_sandbox.exchange.model import ZERO

MINUTE = 60_000_000
WINDOW_MINUTES = 24 * 60


@dataclass(slots=True)
class MinuteBucket:
    """What was traded in one minute; `start` in microseconds, `volume` in USD, `open_price` of its first trade."""

    start: int
    volume: Decimal
    open_price: Decimal


class RollingStats:
    """Volume and price change over 24 hours, kept minute by minute."""

    def __init__(self) -> None:
        self.buckets: deque[MinuteBucket] = deque()
        self.volume_24h = ZERO
        self.total_volume = ZERO
        self.last_price: Decimal | None = None

    def add(self, now: int, price: Decimal, size: Decimal) -> None:
        notional = price * size
        start = now - now % MINUTE
        if self.buckets and self.buckets[-1].start == start:
            self.buckets[-1].volume += notional
        else:
            self.buckets.append(MinuteBucket(start, notional, price))
        self.volume_24h += notional
        self.total_volume += notional
        self.last_price = price

    def forget(self, now: int) -> None:
        """Drops what is older than 24 hours."""
        horizon = now - WINDOW_MINUTES * MINUTE
        while self.buckets and self.buckets[0].start < horizon:
            self.volume_24h -= self.buckets.popleft().volume

    def restore(self, buckets: list[MinuteBucket], total_volume: Decimal, last_price: Decimal | None) -> None:
        self.buckets = deque(buckets)
        self.volume_24h = sum((bucket.volume for bucket in buckets), ZERO)
        self.total_volume = total_volume
        self.last_price = last_price

    def price_change_rate(self) -> Decimal:
        """Relative change from the first trade of the window to the last one, 0 before the first."""
        if not self.buckets or self.last_price is None:
            return ZERO
        opened = self.buckets[0].open_price
        return (self.last_price - opened) / opened
