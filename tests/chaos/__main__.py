"""`python -m tests.chaos`: many runs side by side, or one seed once more. `make chaos` calls it.

Ends with 1 if there was a difference; the failing seeds are printed with the command that replays them. Ends with 2 and
a traceback if the driver itself failed.
"""

import argparse
import asyncio
import faulthandler
import json
import re
import sys
import traceback
from collections import Counter
from pathlib import Path

from tests.chaos.run import Report, run_seed

MARKS = ("<!-- figures of make chaos -->", "<!-- end -->")
RUNS = 200
JOBS = 4
CLEANUP_TIME = 90.0  # seconds for the runs beside one whose driver failed to end their processes; then they are left


def main() -> int:
    arguments = _parser().parse_args()
    seeds = [arguments.seed] if arguments.seed is not None else range(arguments.first, arguments.first + arguments.runs)
    try:
        reports = asyncio.run(_play(list(seeds), arguments.jobs, arguments.keep, arguments.json, arguments.slowness))
    except Exception:
        traceback.print_exc()
        return 2
    finally:
        faulthandler.cancel_dump_traceback_later()
    print(summary(reports))
    if arguments.document is not None:
        write_figures(reports, arguments.document)
    return 1 if any(report.differences for report in reports) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="play this seed alone")
    parser.add_argument("--runs", type=int, default=RUNS, help="how many seeds (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=JOBS, help="runs at the same time (default: %(default)s)")
    parser.add_argument("--keep", type=Path, help="a folder in which the logs of the runs are left")
    parser.add_argument("--json", type=Path, help="a file for the reports, written anew after each run")
    parser.add_argument("--document", type=Path, help="a page with two marks, between which the figures are written")
    parser.add_argument("--slowness", type=float, default=1.0, help="multiplies the seconds that things may take")
    return parser


async def _play(seeds: list[int], jobs: int, keep: Path | None, file: Path | None, slowness: float) -> list[Report]:
    places = asyncio.Semaphore(jobs)
    done: list[Report] = []

    async def play(seed: int) -> None:
        try:
            await play_and_tell(seed)
        except Exception:
            traceback.print_exc()  # now: the others are to be ended first, and might not
            faulthandler.dump_traceback_later(CLEANUP_TIME, exit=True)
            raise

    async def play_and_tell(seed: int) -> None:
        async with places:
            report = await run_seed(seed, keep, slowness)
        done.append(report)
        _write(done, file)
        outcome = "equal" if not report.differences else f"{len(report.differences)} DIFFERENCES"
        healed = ", ".join(f"{seconds:.1f}" for seconds in report.healed)
        print(
            f"{len(done)}/{len(seeds)}  seed {report.seed}: {outcome}; equal after {healed} s; {report.orders} orders, "
            f"{report.fills} fills; {report.seconds:.0f} s ({report.description})",
            flush=True,
        )
        if report.differences:
            for text in report.differences:
                print(f"    {text}", flush=True)
            print(f"    again: make chaos ARGS='--seed {report.seed}'", flush=True)

    await asyncio.gather(*map(play, seeds))
    return sorted(done, key=lambda report: report.seed)


def _write(reports: list[Report], file: Path | None) -> None:
    if file is not None:
        file.write_text(json.dumps([vars(report) for report in reports], indent=1))


def _figures(reports: list[Report]) -> dict[str, str]:
    faults, pairs = _faults(reports), sum((report.pairs for report in reports), Counter())
    accidents = sum((report.accidents for report in reports), Counter())
    healed = sorted(seconds for report in reports for seconds in report.healed)
    return {
        "runs": f"{len(reports)}",
        "faults": f"{faults.total()} of {len(faults)} kinds",
        "pairs": f"{pairs.total()} of {len(pairs)} pairs",
        "bots killed": f"{accidents['kill_bot']}",
        "sandboxes restarted": f"{accidents['restart_sandbox']}",
        "orders": f"{sum(report.orders for report in reports)}",
        "fills": f"{sum(report.fills for report in reports)}",
        "funding payments": f"{sum(report.payments for report in reports)}",
        "checkpoints": f"{len(healed)}",
        "seconds until equal: half, nine of ten, all": ", ".join(_at(healed, share) for share in (0.5, 0.9, 1)),
        "longest stall": f"{max((report.longest_stall for report in reports), default=0):.2f} s",
        "runs with a difference": f"{len(_differing(reports))}",
    }


def _faults(reports: list[Report]) -> Counter[str]:
    return sum((report.faults for report in reports), Counter())


def _differing(reports: list[Report]) -> list[Report]:
    return [report for report in reports if report.differences]


def summary(reports: list[Report]) -> str:
    """All runs in some lines."""
    lines = ["", *(f"{name:<46}{value}" for name, value in _figures(reports).items()), ""]
    lines += [f"  {kind:<20}{count:>6}" for kind, count in sorted(_faults(reports).items())]
    lines += [f"again: make chaos ARGS='--seed {report.seed}'" for report in _differing(reports)]
    return "\n".join(lines)


def write_figures(reports: list[Report], file: Path) -> None:
    """Puts a table of all runs between the marks of a page.

    :raises ValueError: if it has no marks
    """
    figures = _figures(reports)
    rows = (list(figures), ["---"] * len(figures), list(figures.values()))
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(_faults(reports).items()))
    pattern = re.compile(f"(?<={MARKS[0]}\n).*?(?={MARKS[1]}\n)", re.DOTALL)
    text, count = pattern.subn(lambda _: f"{table}\n\nBy kind: {kinds}.\n", file.read_text())
    if not count:
        raise ValueError(f"{file} has no marks {' … '.join(MARKS)}")
    file.write_text(text)


def _at(ordered: list[float], share: float) -> str:
    return f"{ordered[max(0, int(len(ordered) * share + 0.5) - 1)]:.1f}" if ordered else "-"


if __name__ == "__main__":
    sys.exit(main())
