"""What does the connector cost at the start: to import, until it is ready, and how long does it stop everything else?

    python -m benchmarks.startup [--repeats 5] [--plots DIR]

Every start is a process of its own. The import is what is added to a Hummingbot that is loaded already, in CPU time;
that of `hyperliquid_perpetual` is beside it. From there to ready is by the clock: the connector is made, Hummingbot's
own clock (one tick a second, of which the first comes at once) drives it, and a sandbox in another process answers.

A stall is the longest time for which the loop does not come round to its timers. Its CPU time is what the loop itself
did; by the clock, what else the machine does is in it, but threads that keep the interpreter's lock are, too. The SDK
is not imported where `fast-stark-crypto` signs. The last rows are without that library: the SDK is imported in a
thread, and the stalls of that are counted.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import _plot
from benchmarks._peers import ROOT
from benchmarks._report import Figure, print_report, progress
from benchmarks._sandbox import running_sandbox

PAIRS = ("BTC-USDC", "ETH-USDC", "SOL-USDC")
_TICK = 0.001
_PATIENCE = 60  # seconds
_LONG = 0.05  # seconds: a stall that is worth counting
CONNECTORS = "hummingbot.connector.derivative"


class Stalls:
    """How long the loop did not come round to its timers."""

    def __init__(self) -> None:
        self.cpu = self.clock = 0.0
        self.long = 0
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            cpu, clock = time.thread_time(), time.perf_counter()
            await asyncio.sleep(_TICK)
            late = time.perf_counter() - clock - _TICK
            self.cpu = max(self.cpu, time.thread_time() - cpu)
            self.clock = max(self.clock, late)
            self.long += late > _LONG

    def stop(self) -> None:
        self._task.cancel()


def import_cost(connector: str) -> float:
    """CPU seconds of a connector's import, in a Hummingbot that is loaded; for a process of its own."""
    import importlib

    importlib.import_module("hummingbot.client.hummingbot_application")
    importlib.import_module("hummingbot.connector.perpetual_derivative_py_base")
    start = time.process_time()
    importlib.import_module(f"{CONNECTORS}.{connector}.{connector}_derivative")
    return time.process_time() - start


async def start(credentials: dict[str, str], pairs: Sequence[str], without_library: bool) -> dict[str, float]:
    """Seconds until a connector is ready, and the stalls until then; for a process of its own."""
    from hummingbot.connector.derivative.paradex_perpetual import (
        paradex_perpetual_auth as auth,
        paradex_perpetual_constants as CONSTANTS,
        paradex_perpetual_derivative as derivative,
    )
    from hummingbot.core.clock import Clock, ClockMode

    if without_library:
        setattr(auth, "_fast_signer_is_right", lambda: False)  # noqa: B010
    stalls = Stalls()
    begun = time.perf_counter()
    connector = derivative.ParadexPerpetualDerivative(
        paradex_perpetual_api_secret=credentials["api_secret"],
        paradex_perpetual_account_address=credentials["account_address"],
        trading_pairs=list(pairs),
        domain=CONSTANTS.SANDBOX_DOMAIN,
    )
    clock = Clock(ClockMode.REALTIME, tick_size=1)
    clock.add_iterator(connector)
    with clock:
        ticking = asyncio.create_task(clock.run())
        async with asyncio.timeout(_PATIENCE):
            while not connector.ready:  # noqa: ASYNC110
                await asyncio.sleep(_TICK)
        ready = time.perf_counter() - begun
        await connector._auth.prepare()
        stalls.stop()
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
        await connector.stop_network()
    return {
        "ready": ready,
        "stall_cpu": stalls.cpu,
        "stall": stalls.clock,
        "long_stalls": stalls.long,
        "sdk": float("paradex_py" in sys.modules),
    }


def in_process(job: dict[str, Any], environment: dict[str, str] | None = None) -> Any:
    """The answer of this module to a job, in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.startup", "--job", json.dumps(job)]
    env = {**os.environ, **(environment or {})}
    ended = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(ended.stdout.splitlines()[-1])


def answer(job: dict[str, Any]) -> Any:
    import logging

    logging.disable()
    if "import" in job:
        return import_cost(job["import"])
    return asyncio.run(start(job["credentials"], job["pairs"], job["without_library"]))


def measure(repeats: int) -> dict[str, list[float]]:
    """Everything once per repeat; seconds."""
    found: dict[str, list[float]] = {}

    def note(key: str, value: float) -> None:
        found.setdefault(key, []).append(value)

    with tempfile.TemporaryDirectory() as folder, running_sandbox(Path(folder)) as sandbox:
        environment = {"PARADEX_SANDBOX_URL": sandbox.url}
        for repeat in range(repeats):
            progress(f"startup: round {repeat + 1} of {repeats}")
            for name, connector in (("ours", "paradex_perpetual"), ("hyperliquid", "hyperliquid_perpetual")):
                note(f"import_{name}", in_process({"import": connector}))
            for pairs in (PAIRS[:1], PAIRS):
                job = {"credentials": sandbox.account(), "pairs": pairs, "without_library": False}
                for key, value in in_process(job, environment).items():
                    note(f"{key}_{len(pairs)}", value)
            job = {"credentials": sandbox.account(), "pairs": PAIRS[:1], "without_library": True}
            for key, value in in_process(job, environment).items():
                note(f"{key}_library", value)
    return found


def figures(found: dict[str, list[float]]) -> list[Figure]:
    """What is reported."""

    def milliseconds(key: str) -> tuple[float, ...]:
        return tuple(value * 1000 for value in found[key])

    ratios = tuple(
        theirs / ours for theirs, ours in zip(found["import_hyperliquid"], found["import_ours"], strict=True)
    )
    result = [
        Figure("import_ms", "import, ours, CPU time", "ms", milliseconds("import_ours"), 300, True),
        Figure("import_hyperliquid_ms", "import, hyperliquid_perpetual", "ms", milliseconds("import_hyperliquid")),
        Figure("ratio_hyperliquid_import", "import, hyperliquid_perpetual to ours", "x", ratios),
    ]
    for count in (1, len(PAIRS)):
        title = f"{count} pair{'s' if count > 1 else ''}"
        result += [
            Figure(f"ready_{count}_s", f"until ready, {title}", "s", tuple(found[f"ready_{count}"]), 3.0, True),
            Figure(
                f"stall_{count}_ms",
                f"longest stall, {title}, CPU",
                "ms",
                milliseconds(f"stall_cpu_{count}"),
                50.0,
                True,
            ),
            Figure(f"stall_clock_{count}_ms", f"stall, {title}, clock", "ms", milliseconds(f"stall_{count}")),
            Figure(f"sdk_{count}", f"imports of the SDK, {title}", "", tuple(found[f"sdk_{count}"]), 0.0, True),
        ]
    return [
        *result,
        Figure("ready_library_s", "until ready, the SDK signs", "s", tuple(found["ready_library"])),
        Figure("stall_library_ms", "longest stall, SDK signs, clock", "ms", milliseconds("stall_library"), 150, True),
        Figure("stalls_library", "stalls above 50 ms, SDK signs", "", tuple(found["long_stalls_library"]), 1, True),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5, help="rounds (default %(default)s)")
    parser.add_argument("--plots", type=Path, help="folder for the plots")
    parser.add_argument("--without-peers", action="store_true", help="no difference: the peer is in this environment")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.job:
        print(json.dumps(answer(json.loads(options.job))))
        return 0
    found = figures(measure(options.repeats))
    if options.plots:
        medians = {figure.key: figure.median for figure in found}
        imports = {"ours": medians["import_ms"], "hyperliquid_perpetual": medians["import_hyperliquid_ms"]}
        _plot.bars(options.plots / "startup.svg", "Import, CPU time", "ms", imports)
    print_report("Start", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
