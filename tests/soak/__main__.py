"""`python -m tests.soak --minutes 120`: many orders, replaced all the time, and what must not grow meanwhile."""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from tests.soak.growth import judged
from tests.soak.soak import Plan, soak


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=120.0, help="how long it measures (default: %(default)g)")
    parser.add_argument("--orders", type=int, default=50, help="open at a time (default: %(default)d)")
    parser.add_argument("--pairs", type=int, default=10, help="on so many pairs (default: %(default)d)")
    parser.add_argument("--rate", type=float, default=10.0, help="replacements a second (default: %(default)g)")
    options = parser.parse_args()
    seconds = options.minutes * 60
    plan = Plan(seconds, options.orders, options.pairs, options.rate, interval=max(1.0, min(10.0, seconds / 60)))
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(soak(plan, Path(folder), say=lambda text: print(text, flush=True)))
    verdicts = judged(report.series)
    print(f"{'what':58} {'first':>12} {'last':>12} {'growth':>12} {'allowed':>12}")
    for verdict in verdicts:
        if verdict.has_grown or verdict.is_notable:
            print(verdict)
    grown = [verdict.name for verdict in verdicts if verdict.has_grown]
    summary = {
        "minutes": options.minutes,
        "replaced": report.replaced,
        "modified": report.modified,
        "filled": report.filled,
        "samples": report.samples,
        "series": len(verdicts),
        "grown": grown,
        "differences": report.differences,
    }
    print(json.dumps(summary))
    return 1 if grown or report.differences else 0


if __name__ == "__main__":
    sys.exit(main())
