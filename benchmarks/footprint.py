"""How much memory and CPU does the market data of a bot take, idle and busy, with 1 pair and with 50?

    python -m benchmarks.footprint [--repeats 2] [--seconds 4] [--plots DIR]

Ours and Hummingbot's `hyperliquid_perpetual` keep the books of their pairs, each in a fresh process, fed by one server
(`benchmarks._feed`): nothing comes to an idle one, 200 books of 15 levels a second to a busy one. The memory is that of
the whole process, Hummingbot included, after the busy time. CPU time is of the process, that of the system included.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks import _plot
from benchmarks._peers import Peer
from benchmarks._report import Figure, print_report, progress
from benchmarks.book_stream import TITLES, feed

PAIRS = (1, 50)
RATE = 200
CLIENTS = ("ours", "hyperliquid")
WHAT = {
    "memory": ("memory", "MiB"),
    "idle": ("CPU time of an idle second", "ms"),
    "busy": (f"CPU time of a second with {RATE} books", "ms"),
}


def measure(repeats: int, seconds: float) -> dict[str, list[float]]:
    """Everything once per repeat."""
    found: dict[str, list[float]] = {}
    for repeat in range(repeats):
        progress(f"footprint: round {repeat + 1} of {repeats}")
        for markets in PAIRS:
            for name in CLIENTS:
                with ExitStack() as stack:
                    url = stack.enter_context(feed())
                    peer = stack.enter_context(Peer("books", own_environment=False))
                    job = {"client": name, "url": url, "kind": "snapshot", "markets": markets}
                    answer = peer.ask({**job, "count": int(RATE * seconds), "rate": RATE, "idle": seconds})
                for key in WHAT:
                    found.setdefault(f"{name}_{key}_{markets}", []).append(answer[key])
    return found


def figures(found: dict[str, list[float]]) -> list[Figure]:
    """What is reported; a ratio of 1 or more says that ours is not above."""
    result = []
    for key, (title, unit) in WHAT.items():
        for markets in PAIRS:
            pairs = f"{markets} pair{'s' if markets > 1 else ''}"
            result += [
                Figure(f"{name}_{key}_{markets}", f"{title}, {pairs}, {TITLES[name]}", unit, tuple(values))
                for name in CLIENTS
                if (values := found[f"{name}_{key}_{markets}"])
            ]
            ours, theirs = (found[f"{name}_{key}_{markets}"] for name in CLIENTS)
            ratios = tuple(their / our for their, our in zip(theirs, ours, strict=True))
            result.append(
                Figure(f"ratio_hyperliquid_{key}_{markets}", f"{title}, {pairs}: theirs to ours", "x", ratios, 1.0)
            )
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.footprint", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=2, help="rounds (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=4, help="of idleness, and of work (default %(default)s)")
    parser.add_argument("--plots", type=Path, help="folder for the plots")
    parser.add_argument("--without-peers", action="store_true", help="no difference: the peer is in this environment")
    options = parser.parse_args(argv)
    found = figures(measure(options.repeats, options.seconds))
    if options.plots:
        medians = {figure.key: figure.median for figure in found}
        for key, (title, unit) in WHAT.items():
            values = {
                f"{TITLES[name]}, {markets}": medians[f"{name}_{key}_{markets}"]
                for name in CLIENTS
                for markets in PAIRS
            }
            suffix = "" if key == "memory" else f"-{key}"
            _plot.bars(options.plots / f"footprint{suffix}.svg", title, unit, values, ours=2)
    print_report("Footprint", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
