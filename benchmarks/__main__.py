"""Runs every benchmark and writes docs/performance.md: `make bench`.

    python -m benchmarks [NAME …] [--without-peers]

A program is a module here that is in PROGRAMS. It prints a table and, last, one JSON object (`benchmarks._report`), and
takes `--plots DIR` for its plots, DIR/NAME.svg and DIR/NAME-….svg, and `--without-peers`. It ends with something else
than 0 if it could not measure, so if a peer is missing: the others' figures are not lost by that, and the page says
which are missing. The page takes a program's explanation from its docstring, and what is to be said of an aim that is
missed from its WHY, a dict of keys, or beginnings of keys, to texts. It is written when everything was asked for.
"""

import argparse
import ast
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks._report import progress

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
PLOTS = ROOT / "docs" / "performance"
#: In the order of the page. Those of the sandbox itself are in docs/sandbox.md.
PROGRAMS = ("signing", "limiter", "order_path", "book_stream", "startup", "footprint")
#: What traders ask, and the figures that answer: a program, and beginnings of its keys. The first that fits.
QUESTIONS = {
    "How long does it take to sign an order, alone and in a batch of 10?": (("signing", ("ratio_",)),),
    "What does the rate limiter cost a request, with 100 to 10 000 in the window?": (("limiter", ("",)),),
    "How long from `buy()` to the exchange's acceptance, beside the peers?": (
        ("order_path", tuple(f"ratio_{peer}" for peer in ("paradex_py", "ccxt", "hyperliquid"))),
    ),
    "And beside a bare post of a body that is signed already?": (("order_path", ("times_",)),),
    "How fast does a book follow its stream?": (("book_stream", ("",)),),
    "How long does the loop stall while 50 orders a second are replaced?": (
        ("order_path", ("stall",)),
        ("footprint", ("stall",)),
        ("signing", ("stall",)),
    ),
    "What memory and CPU does a bot take, idle and busy, with 1 and 50 pairs?": (("footprint", ("ratio_",)),),
    "What does a start cost?": (("startup", ("",)),),
}
_OTHERS = "What else is aimed at"
_MINUTES = 10  # that a program may take: one that hangs is not to keep the others from being measured
_PACKAGES = ("hummingbot", "paradex-py", "starknet-py", "fast-stark-crypto", "aiohttp")


def machine() -> str:
    """What the figures were made on, as a list in Markdown."""
    cpu = next((line for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "")
    memory = next((line for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), "")
    facts = {
        "CPU": f"{cpu.partition(':')[2].strip() or platform.processor() or platform.machine()}, {os.cpu_count()} CPUs",
        "memory": f"{int(memory.split()[1]) / 2**20:.1f} GiB" if memory else "unknown",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
        "load before the run": f"{os.getloadavg()[0]:.2f}",
    }
    return "\n".join(f"- {name}: {fact}" for name, fact in facts.items())


def explanation(name: str) -> tuple[str, str]:
    """A program's question and what is said about it, from its docstring, without the line that shows how to run it."""
    text = ast.get_docstring(ast.parse((ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8"))) or ""
    question, *paragraphs = text.split("\n\n")
    return question, "\n\n".join(part for part in paragraphs if not part.startswith("    "))


@dataclass(frozen=True, slots=True)
class Row:
    """A figure as its program printed it, with units and signs; `aim` and `verdict` are empty where there is no aim."""

    title: str
    measured: str
    aim: str
    verdict: str


def rows(name: str, output: str) -> dict[str, Row]:
    """What a program printed, by the keys of its JSON object, which has one for each row of its table, in its order.

    :raises ValueError: if it did not end with that object
    """
    *table, last = output.strip().splitlines()
    figures = json.loads(last)
    if not isinstance(figures, dict):
        raise ValueError(f"{name} did not end with a JSON object")
    keys = [key for key in figures if not key.endswith(("_min", "_max")) and key not in ("python", "machine", "cpus")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table if line.startswith("|")][2:]
    return {
        key: Row(title, measured, aim, verdict)
        for key, (title, measured, _, aim, verdict) in zip(keys, cells, strict=True)
    }


def section(name: str, output: str) -> str:
    """What a program printed, as a section of the page. Raises ValueError if it did not end with its JSON object."""
    rows(name, output)
    table = "\n".join(line for line in output.splitlines() if line.startswith("|"))
    plots = "\n".join(
        f"![{name}](performance/{plot.name})" for plot in sorted(PLOTS.glob("*.svg")) if plot.stem.split("-")[0] == name
    )
    question, text = explanation(name)
    return f"## {question}\n\n`python -m benchmarks.{name}`\n\n{text}\n\n{table}\n\n{plots}\n"


def answers(found: Mapping[str, Mapping[str, Row]]) -> str:
    """Every figure that has an aim, question by question, as a table; `found` is by program and key."""
    groups: dict[str, list[Row]] = {question: [] for question in (*QUESTIONS, _OTHERS)}
    for name, figures in found.items():
        for key, row in figures.items():
            if row.aim:
                groups[_question(name, key)].append(row)
    lines = ["| question | figure | aim | measured | |", "| --- | --- | ---: | ---: | --- |"]
    for question, group in groups.items():
        for number, row in enumerate(group):
            asked = f"**{question}**" if number == 0 else ""
            lines.append(f"| {asked} | {row.title} | {row.aim} | {row.measured} | {row.verdict} |")
    return "\n".join(lines)


def _question(name: str, key: str) -> str:
    for question, sources in QUESTIONS.items():
        if any(name == program and key.startswith(beginnings) for program, beginnings in sources):
            return question
    return _OTHERS


def reasons(name: str) -> dict[str, str]:
    """A program's WHY; empty if it has none."""
    for node in ast.parse((ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == "WHY" for to in node.targets):
            why: dict[str, str] = ast.literal_eval(node.value)
            return why
    return {}


def missed(found: Mapping[str, Mapping[str, Row]]) -> str:
    """What was missed, each with the reason and with what was tried, as a list; empty if nothing was."""
    lines: dict[str, list[str]] = {}  # by reason, for several figures may have the same
    for name, figures in found.items():
        why = reasons(name)
        for key, row in figures.items():
            if row.verdict == "missed":
                reason = next((text for beginning, text in why.items() if key.startswith(beginning)), "")
                reason = reason or f"What is known of it is said below, with `benchmarks.{name}`."
                lines.setdefault(reason, []).append(f"{row.title} ({row.measured}, aim {row.aim})")
    return "\n\n".join(f"- {'; '.join(figures)}.\n\n  {reason}" for reason, figures in lines.items())


def page(outputs: Mapping[str, str], description: str, seconds: Mapping[str, float], failed: Sequence[str] = ()) -> str:
    """The whole page: what the programs printed, by name; how long each took; and those that could not measure."""
    found = {name: rows(name, output) for name, output in outputs.items()}
    sections = "\n".join(section(name, output) for name, output in outputs.items()).rstrip()
    took = ", ".join(f"{name} {time_ / 60:.1f}" for name, time_ in seconds.items())
    absent = f"\n**Could not be measured in this run: {', '.join(failed)}.**\n" if failed else ""
    not_reached = missed(found)
    why = f"\n## Where an aim is missed: why, and what was tried\n\n{not_reached}\n" if not_reached else ""
    return f"""# Performance

Written by `make bench`, in {sum(seconds.values()) / 60:.0f} minutes ({took}); do not edit. Every program runs ours
beside its peers, warms up, repeats, and gives the median with the range of the repeats. A ratio says how many times as
much the peer takes.

{description}
{absent}
## The questions

{answers(found)}
{why}
{sections}
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the programs; returns 1 if one of them could not measure. Writes the page if all of them ran."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PROGRAMS)}; all by default")
    parser.add_argument("--without-peers", action="store_true", help="only the peers that are in our environment")
    options = parser.parse_args(argv)
    unknown = set(options.names) - set(PROGRAMS)
    if unknown:
        parser.error(f"there is no {' and no '.join(sorted(unknown))}")
    names = [name for name in PROGRAMS if not options.names or name in options.names]
    whole = names == list(PROGRAMS) and not options.without_peers
    description = machine()
    outputs: dict[str, str] = {}
    seconds: dict[str, float] = {}
    failed = []
    for number, name in enumerate(names, 1):
        progress(f"=== {name}, {number} of {len(names)}")
        command = [sys.executable, "-W", "ignore", "-m", f"benchmarks.{name}", "--plots", str(PLOTS)]
        command += ["--without-peers"] if options.without_peers else []
        start = time.monotonic()
        output = measured(name, command)
        seconds[name] = time.monotonic() - start
        progress(f"=== {name} took {seconds[name]:.0f} s")
        if output is None:
            failed.append(name)
        else:
            outputs[name] = output
    if whole and outputs:
        PAGE.write_text(page(outputs, description, seconds, failed), encoding="utf-8")
        progress(f"Written: {PAGE.relative_to(ROOT)}")
    if failed:
        progress(f"Could not be measured: {', '.join(failed)}")
        return 1
    return 0


def measured(name: str, command: Sequence[str]) -> str | None:
    """What a program printed, which is printed as well; None if it could not measure."""
    # In a session of its own, so that the servers and the peers of one that hangs can be ended with it.
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        output, _ = process.communicate(timeout=_MINUTES * 60)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        progress(f"{name} was ended: it took more than {_MINUTES} minutes")
        return None
    print(output, flush=True)
    if process.returncode:
        return None
    try:
        rows(name, output)
    except ValueError as error:
        progress(f"{name}: {error}")
        return None
    return output


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:  # another system than Linux
        return []


if __name__ == "__main__":
    sys.exit(main())
