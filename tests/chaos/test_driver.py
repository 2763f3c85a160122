"""The driver of many runs when it fails itself."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.__main__ import write_figures
from tests.chaos.run import Report

_PROGRAM = """
import asyncio
import sys
import types

async def run_seed(seed, *_):
    if seed == 0:
        raise RuntimeError("a mistake in the driver")
    while True:  # what is to be ended and does not end
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if {gives_in}:
                raise

# In the place of what brings all of Hummingbot along.
sys.modules["tests.chaos.run"] = types.SimpleNamespace(run_seed=run_seed, Report=object)
from tests.chaos import __main__ as driver
driver.CLEANUP_TIME = 1.0
sys.argv = ["chaos", "--runs", "3", "--jobs", "2"]
sys.exit(driver.main())
"""


@pytest.mark.parametrize("gives_in", [True, False])
def test_a_mistake_ends_it_with_a_traceback_whatever_the_other_runs_do(gives_in: bool) -> None:
    command = [sys.executable, "-c", _PROGRAM.format(gives_in=gives_in)]
    root = Path(__file__).resolve().parents[2]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=root)
    assert result.returncode == (2 if gives_in else 1)
    assert "RuntimeError: a mistake in the driver" in result.stderr


def test_its_figures_take_the_place_of_the_last_ones(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("before\n<!-- figures of make chaos -->\nold\n<!-- end -->\nafter\n")
    reports = [
        Report(0, "rest", faults=Counter(stream_lose=3), pairs=Counter({"a+b": 2}), healed=[1.0, 7.0], orders=40),
        Report(1, "rest", faults=Counter(http_drop=2), accidents=Counter(kill_bot=1), differences=["x"], healed=[2.0]),
    ]
    write_figures(reports, file)
    text = file.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| 2 | 5 of 2 kinds | 2 of 1 pairs | 1 | 0 | 40 | 0 | 0 | 3 | 2.0, 7.0, 7.0 | 0.00 s | 1 |" in text
    assert "http_drop 2, stream_lose 3" in text
    file.write_text("no marks")
    with pytest.raises(ValueError, match="no marks"):
        write_figures(reports, file)
