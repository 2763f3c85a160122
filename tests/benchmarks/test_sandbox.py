"""The sandbox's benchmark, from end to end with small numbers: that it measures and ends, not how fast it is."""

import asyncio
import json
import sys
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
SMALL = (
    *("--repeats", "1", "--orders", "90", "--stream-seconds", "2"),
    *("--minutes", "10", "--warm-up-hours", "0", "--warm-up-rounds", "1"),
)
KEYS = {
    "rest_orders_per_s",
    "rest_cpu_ms_per_order",
    "batch_cpu_ms_per_order",
    "stream_cpu_us_per_message",
    "other_load_percent",
    "rest_p50_ms",
    "rest_p99_ms",
    "batch_orders_per_s",
    "batch_p50_ms",
    "batch_p99_ms",
    "answer_p50_ms",
    "answer_p99_ms",
    "update_p50_ms",
    "update_p99_ms",
    "stream_messages_per_s",
    "stream_speed",
    "memory_fresh_mib",
    "history_filled_percent",
    "memory_start_mib",
    "memory_end_mib",
    "memory_growth_mib_per_h",
    "blocks_growth_percent_per_h",
    "hour_speed",
    "python",
    "machine",
    "cpus",
}


async def test_the_benchmark_measures_everything_and_leaves_nothing_running() -> None:
    others = sandboxes()  # of other tests of this session
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.sandbox", *SMALL),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 600)
    assert process.returncode == 0, err.decode()
    lines = out.decode().splitlines()
    figures = json.loads(lines[-1])
    assert set(figures) == KEYS
    assert all(
        figures[key] > 0
        for key in KEYS
        if key.endswith(("_per_s", "_ms", "_per_order", "_per_message", "_mib", "_speed"))
    )
    assert sum(line.startswith("| ") for line in lines) == 2 + len(KEYS) - 3
    assert sandboxes() <= others


def sandboxes() -> set[int]:
    """The ids of the sandboxes that run below this process."""
    children = psutil.Process().children(recursive=True)
    return {child.pid for child in children if "paradex_sandbox" in " ".join(child.cmdline())}
