"""What the benchmark of the start takes for a stall, and what it reports; `make bench` runs it as a whole."""

import asyncio
import time

from benchmarks import startup
from benchmarks._stalls import Stalls


async def test_a_loop_that_is_blocked_is_noticed_and_an_idle_one_is_not() -> None:
    async with Stalls() as stalls:
        await asyncio.sleep(0.02)
        assert stalls.cpu < 0.5  # the garbage collection may come
        end = time.thread_time() + 0.6
        while time.thread_time() < end:
            pass
        await asyncio.sleep(0.02)
    assert stalls.cpu > 0.5
    assert stalls.clock > 0.5
    assert stalls.long >= 1


def test_every_aim_of_the_start_is_reported() -> None:
    keys = ("ready", "stall_cpu", "stall", "long_stalls", "sdk")
    found = {f"{key}_{case}": [0.5, 1.0] for key in keys for case in startup.CASES}
    imports = {"import_hummingbot": [5.0, 6.0], "import_ours": [0.1, 0.2], "import_hyperliquid": [0.4, 0.4]}
    figures = startup.figures({**found, **imports})
    by_key = {figure.key: figure for figure in figures}
    assert by_key["import_ms"].median == 150
    assert by_key["ratio_hyperliquid_import"].values == (4.0, 2.0)
    assert {key for key, figure in by_key.items() if figure.aim is not None} == {
        *("import_ms", "ready_s", "stall_ms", "sdk", "stall_library_ms", "stalls_library"),
    }
