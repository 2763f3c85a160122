"""Runs every benchmark and writes docs/performance.md: `make bench`.

    python -m benchmarks [NAME …] [--without-peers]

A program is a module here that is in PROGRAMS. It prints a table and, last, one JSON object (`benchmarks._report`), and
takes `--plots DIR` for its plots, DIR/NAME.svg and DIR/NAME-….svg, and `--without-peers`. It ends with something else
than 0 if it could not measure, so if a peer is missing. The page takes its explanation from the module's docstring.
"""

import argparse
import ast
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
PLOTS = ROOT / "docs" / "performance"
#: In the order of the page. Those of the sandbox itself are in docs/sandbox.md.
PROGRAMS = ("signing", "limiter", "order_path", "book_stream", "startup", "footprint")
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


def section(name: str, output: str) -> str:
    """What a program printed, as a section of the page. Raises ValueError if it did not end with its JSON object."""
    *table, last = output.strip().splitlines()
    if not isinstance(json.loads(last), dict):
        raise ValueError(f"{name} did not end with a JSON object")
    rows = "\n".join(line for line in table if line.startswith("|"))
    plots = "\n".join(
        f"![{name}](performance/{plot.name})" for plot in sorted(PLOTS.glob("*.svg")) if plot.stem.split("-")[0] == name
    )
    question, text = explanation(name)
    return f"## {question}\n\n`python -m benchmarks.{name}`\n\n{text}\n\n{rows}\n\n{plots}\n"


def page(sections: Sequence[str], description: str, minutes: float) -> str:
    """The whole page."""
    return f"""# Performance

Written by `make bench`, in {minutes:.0f} minutes; do not edit. Every program runs ours beside its peers, warms up,
repeats, and gives the median with the range of the repeats. A ratio says how many times as long the peer takes.

{description}

{"".join(f"{one}\n" for one in sections).rstrip()}
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
    description, start, sections, failed = machine(), time.monotonic(), [], []
    for name in names:
        command = [sys.executable, "-W", "ignore", "-m", f"benchmarks.{name}", "--plots", str(PLOTS)]
        command += ["--without-peers"] if options.without_peers else []
        ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        print(ended.stdout, flush=True)
        if ended.returncode:
            failed.append(name)
        else:
            sections.append(section(name, ended.stdout))
    if failed:
        print(f"could not be measured: {', '.join(failed)}", file=sys.stderr)
        return 1
    if len(names) == len(PROGRAMS):
        PAGE.write_text(page(sections, description, (time.monotonic() - start) / 60), encoding="utf-8")
    return 0


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:  # another system than Linux
        return []


if __name__ == "__main__":
    sys.exit(main())
