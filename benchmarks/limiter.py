"""What does the rate limiter cost a request, and how late does it let one go that had to wait?

    python -m benchmarks.limiter [--repeats 5] [--plots DIR]

Ours and Hummingbot's `AsyncThrottler` get the same limits, with the pools of an order, and the same requests: 100 to
10 000 that are still in the window of a minute, and then some more, which are timed. Times are CPU time. The first
round does not count.

For the lateness, a limit of 20 a second is used up at uneven moments, and 20 more requests wait. The time at which each
goes is held against the moment at which its limiter's own rule allows it: ours lets the limit flow back evenly,
Hummingbot's lets one go when another is more than a second ago.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_web_utils import TokenBucketThrottler
from hummingbot.core.api_throttler.async_throttler import AsyncThrottler
from hummingbot.core.api_throttler.async_throttler_base import AsyncThrottlerBase
from hummingbot.core.api_throttler.data_types import LinkedLimitWeightPair, RateLimit

from benchmarks import _plot
from benchmarks._report import Figure, percentile, print_report, progress

COUNTS = (100, 1000, 2000, 10_000)
#: As an order's limits, but high enough for nobody to wait.
ROOMY = [
    RateLimit("second", 1_000_000, 1),
    RateLimit("minute", 1_000_000, 60),
    RateLimit("order", 1_000_000, 60, linked_limits=[LinkedLimitWeightPair("second"), LinkedLimitWeightPair("minute")]),
]
SCARCE = 20
Kinds = dict[str, type[AsyncThrottlerBase]]
KINDS: Kinds = {"ours": TokenBucketThrottler, "hummingbot": AsyncThrottler}


async def cost(kind: type[AsyncThrottlerBase], in_window: int, timed: int) -> float:
    """CPU microseconds of one request after so many others."""
    throttler: Any = kind(ROOMY)
    if isinstance(throttler, AsyncThrottler):
        # What `acquire` would log, without its cost, which grows with each.
        context = throttler.execute_task("order")
        for _ in range(in_window):
            context._log_acquired_task()
    else:
        for _ in range(in_window):
            await throttler.acquire("order")
    start = time.thread_time()
    for _ in range(timed):
        async with throttler.execute_task("order"):
            pass
    return (time.thread_time() - start) / timed * 1e6


async def lateness(kind: type[AsyncThrottlerBase], dice: random.Random) -> list[float]:
    """Milliseconds from the moment when the limit allowed a request to the moment when it went."""
    throttler = kind([RateLimit("scarce", SCARCE, 1)], safety_margin_pct=0)
    went: list[float] = []

    async def ask() -> None:
        async with throttler.execute_task("scarce"):
            went.append(time.perf_counter())

    for _ in range(SCARCE):
        await ask()
        await asyncio.sleep(dice.random() / SCARCE / 2)
    asked = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(SCARCE)))
    late, left, at = [], float(SCARCE), went[0]
    for number, moment in enumerate(went):
        left = min(SCARCE, left + (moment - at) * SCARCE)
        if number >= SCARCE:
            flowed_back = moment - (left - 1) / SCARCE
            allowed = flowed_back if kind is TokenBucketThrottler else went[number - SCARCE] + 1
            late.append((moment - max(asked, allowed)) * 1000)
        left, at = left - 1, moment
    return late


async def measure(repeats: int) -> dict[str, list[float]]:
    """Everything once per repeat."""
    found: dict[str, list[float]] = {}
    dice = random.Random(6)
    for repeat in range(repeats + 1):
        progress(f"limiter: round {repeat} of {repeats}")
        for name, kind in KINDS.items():
            for count in COUNTS:
                timed = 500 if name == "ours" else max(2, 4000 // count)
                value = await cost(kind, count, timed)
                if repeat:
                    found.setdefault(f"{name}_{count}", []).append(value)
            late = await lateness(kind, dice)
            if repeat:
                found.setdefault(f"{name}_late", []).append(percentile(late, 0.5))
    return found


def figures(found: dict[str, list[float]]) -> list[Figure]:
    """What is reported, the ratios round by round."""
    peer = f"Hummingbot {version('hummingbot')}"
    result = []
    for count in COUNTS:
        key = f"ours_{count}"
        result.append(
            Figure(f"{key}_us", f"a request with {count} in the window, ours", "µs", tuple(found[key]), 30.0, True)
        )
    growth = [last / first for first, last in zip(found["ours_100"], found["ours_10000"], strict=True)]
    result.append(Figure("growth", "with 10 000, of that with 100, ours", "x", tuple(growth), 1.5, True))
    for count in COUNTS:
        key = f"hummingbot_{count}"
        result.append(Figure(f"{key}_us", f"a request with {count} in the window, {peer}", "µs", tuple(found[key])))
    for count in COUNTS:
        ratios = [
            theirs / ours for theirs, ours in zip(found[f"hummingbot_{count}"], found[f"ours_{count}"], strict=True)
        ]
        name = "ratio_hummingbot" if count == 2000 else f"ratio_hummingbot_{count}"
        aim = 100.0 if count == 2000 else None
        result.append(Figure(name, f"Hummingbot to ours, {count} in the window", "x", tuple(ratios), aim))
    late = "how late a request goes that had to wait"
    return [
        *result,
        Figure("late_ms", f"{late}, ours", "ms", tuple(found["ours_late"]), lower_is_better=True),
        Figure("late_hummingbot_ms", f"{late}, {peer}", "ms", tuple(found["hummingbot_late"])),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limiter", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5, help="rounds that count (default %(default)s)")
    parser.add_argument("--plots", type=Path, help="folder for the plots")
    parser.add_argument("--without-peers", action="store_true", help="no difference: the peer is in this environment")
    options = parser.parse_args(argv)
    found = figures(asyncio.run(measure(options.repeats)))
    if options.plots:
        medians = {figure.key: figure.median for figure in found}
        series = {
            label: [(float(count), medians[f"{name}_{count}_us"]) for count in COUNTS]
            for name, label in (("ours", "ours"), ("hummingbot", "AsyncThrottler"))
        }
        _plot.lines(options.plots / "limiter.svg", "A request, by how many are in the window", "µs", series)
    print_report("Rate limiter", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
