"""A dozen runs of the chaos harness; `make chaos` makes two hundred."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from paradex_sandbox.faults import FaultKind

RUNS = 12
JOBS = 4
TIMEOUT = 1500.0  # seconds, of what takes a hundred on a machine that has nothing else to do


@pytest.mark.timeout(TIMEOUT + 20)
def test_after_any_fault_the_bots_picture_is_the_exchanges_within_seconds(tmp_path: Path) -> None:
    reports = tmp_path / "reports.json"
    command = [sys.executable, "-m", "tests.chaos", "--runs", str(RUNS), "--jobs", str(JOBS), "--json", str(reports)]
    command += ["--slowness", "4"]  # many other tests run beside these
    root = Path(__file__).resolve().parents[2]
    result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False, cwd=root)
    assert result.returncode == 0, result.stdout + result.stderr
    injected = {kind for report in json.loads(reports.read_text()) for kind in report["faults"]}
    assert injected == {kind.value for kind in FaultKind}
