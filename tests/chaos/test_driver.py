"""The driver of many runs when it fails itself."""

import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import asyncio
import sys
import types

async def run_seed(seed, keep):
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
