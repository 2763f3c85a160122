"""Whether a series of measurements grows, or only varies.

The trend is the Theil-Sen slope, the median of the slopes between all pairs of samples: a few outliers (a garbage
collection, a page of the allocator) do not move it. The noise is the median absolute deviation from the trend, scaled
to a standard deviation. A series has grown if its trend over the whole time is more than three times the noise and more
than a floor below which nothing is told apart: the allocator takes memory in pieces, tasks come and go.
"""

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MEBIBYTE = 2**20
RSS = "resident memory"
HEAP = "C heap in use"
TRACED = "memory of Python objects"
FLOORS = {RSS: 10.0 * MEBIBYTE, HEAP: 3.0 * MEBIBYTE, TRACED: 3.0 * MEBIBYTE}
COUNT_FLOOR = 12.0
SIGMAS = 3.0
_MAD_TO_SIGMA = 1.4826
_MOST_SAMPLES = 200  # of which the slopes are taken; more would take long and tell no more

Series = Sequence[tuple[float, float]]
"""Seconds and values."""


@dataclass(frozen=True)
class Verdict:
    """:ivar growth: the trend from the first to the last sample"""

    name: str
    first: float
    last: float
    growth: float
    allowed: float

    @property
    def has_grown(self) -> bool:
        return self.growth > self.allowed

    @property
    def is_notable(self) -> bool:
        """Whether it is one of the numbers that are not counts of a single container."""
        return "." not in self.name

    def __str__(self) -> str:
        scale, unit = (MEBIBYTE, " MiB") if self.name in FLOORS else (1, "")
        numbers = (self.first, self.last, self.growth, self.allowed)
        texts = " ".join(f"{f'{number / scale:.1f}{unit}':>12}" for number in numbers)
        return f"{self.name:58} {texts}{'  GROWS' if self.has_grown else ''}"


def trend(series: Series) -> float:
    """The Theil-Sen slope, per second."""
    step = -(-len(series) // _MOST_SAMPLES)
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for earlier, later in itertools.combinations(series[::step], 2)
        if later[0] > earlier[0]
    ]
    return statistics.median(slopes) if slopes else 0.0


def verdict(name: str, series: Series) -> Verdict:
    slope = trend(series)
    rests = [value - slope * time for time, value in series]
    middle = statistics.median(rests)
    noise = _MAD_TO_SIGMA * statistics.median(abs(rest - middle) for rest in rests)
    duration = series[-1][0] - series[0][0]
    allowed = max(FLOORS.get(name, COUNT_FLOOR), SIGMAS * noise)
    return Verdict(name, series[0][1], series[-1][1], slope * duration, allowed)


def judged(series: Mapping[str, Series]) -> list[Verdict]:
    """A verdict for every series that has enough samples for one."""
    return [verdict(name, samples) for name, samples in series.items() if len(samples) >= 5]
