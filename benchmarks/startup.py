"""What does the connector cost at the start: to import, until it is ready, and how long does it stop everything else?

    python -m benchmarks.startup [--repeats 4] [--plots DIR]

Every start is a process of its own, in which Hummingbot is loaded already, as in a bot: that alone makes a quarter of a
million objects, through which each full garbage collection has to go. The import is what the connector adds to that, in
CPU time: what Hummingbot reads of it at its own start, when it imports a part of every connector, and the rest when a
bot wants it; that of `hyperliquid_perpetual` comes after ours. From there to ready is by the clock: the connector is
made, Hummingbot's own clock (one tick a second, of which the first comes at once) drives it, and a sandbox in another
process answers.

A stall is the longest time for which the loop does not come round to its timers. Its CPU time is what the loop itself
did, garbage collections included; by the clock, what else the machine does is in it. The SDK is not imported where
`fast-stark-crypto` signs. The last rows are without that library: the SDK is imported in a thread. CPU time there is
the whole process's, for that thread stops the loop whenever it keeps the interpreter's lock. The collector rests
meanwhile: its runs in that thread used to stop the loop for 235 and 470 ms, and a single one that is put off until
after the import for 140 ms, so what has been imported counts as old without being looked at.
"""

import argparse
import asyncio
import compileall
import importlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks import _plot
from benchmarks._peers import ROOT
from benchmarks._report import Figure, print_report, progress
from benchmarks._sandbox import running_sandbox
from benchmarks._stalls import Stalls

PAIRS = ("BTC-USDC", "ETH-USDC", "SOL-USDC")
CASES = ("usual", "library")
_TICK = 0.001
_PATIENCE = 60  # seconds
CONNECTORS = "hummingbot.connector.derivative"
CONNECTOR_NAMES = {"ours": "paradex_perpetual", "hyperliquid": "hyperliquid_perpetual"}


def load(connectors: Mapping[str, str]) -> dict[str, float]:
    """Loads Hummingbot and then these connectors; for a process of its own.

    :return: CPU seconds of Hummingbot without them, under "hummingbot", and of each of them under its name
    """
    cost = dict.fromkeys(connectors, 0.0)
    import_module = importlib.import_module

    def timed(name: str, package: str | None = None) -> ModuleType:
        start = time.process_time()
        try:
            return import_module(name, package)
        finally:
            for key, connector in connectors.items():
                if name.startswith(f"{CONNECTORS}.{connector}."):
                    cost[key] += time.process_time() - start

    importlib.import_module = timed  # Hummingbot imports `_utils` of every connector with it
    try:
        start = time.process_time()
        importlib.import_module("hummingbot.client.hummingbot_application")
        importlib.import_module("hummingbot.connector.perpetual_derivative_py_base")
        whole = time.process_time() - start - sum(cost.values())
        for connector in connectors.values():
            importlib.import_module(f"{CONNECTORS}.{connector}.{connector}_derivative")
    finally:
        importlib.import_module = import_module
    return {"hummingbot": whole, **cost}


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
    begun = time.perf_counter()
    async with Stalls(time.process_time if without_library else time.thread_time) as stalls:
        connector = derivative.ParadexPerpetualDerivative(
            paradex_perpetual_api_secret=credentials["api_secret"],
            paradex_perpetual_account_address=credentials["account_address"],
            trading_pairs=list(pairs),
            domain=CONSTANTS.SANDBOX_DOMAIN,
        )
        clock = Clock(ClockMode.REALTIME, tick_size=1)
        clock.add_iterator(connector)
        clock.__enter__()
        ticking = asyncio.create_task(clock.run())
        async with asyncio.timeout(_PATIENCE):
            while not connector.ready:  # noqa: ASYNC110
                await asyncio.sleep(_TICK)
        ready = time.perf_counter() - begun
        await connector._auth.prepare()
    clock.__exit__(None, None, None)
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
    logging.disable()
    imports = load(CONNECTOR_NAMES)
    return {"imports": imports, **asyncio.run(start(job["credentials"], PAIRS, job["without_library"]))}


def measure(repeats: int) -> dict[str, list[float]]:
    """Everything once per repeat; seconds."""
    found: dict[str, list[float]] = {}

    def note(key: str, value: float) -> None:
        found.setdefault(key, []).append(value)

    compileall.compile_dir(ROOT / "paradex_perpetual", quiet=1)  # as pip leaves it
    with tempfile.TemporaryDirectory() as folder, running_sandbox(Path(folder)) as sandbox:
        environment = {"PARADEX_SANDBOX_URL": sandbox.url}
        for repeat in range(repeats):
            progress(f"startup: round {repeat + 1} of {repeats}")
            for case in CASES:
                job = {"credentials": sandbox.account(), "without_library": case == "library"}
                told = in_process(job, environment)
                imports = told.pop("imports")
                if case == "usual":
                    for name, value in imports.items():
                        note(f"import_{name}", value)
                for key, value in told.items():
                    note(f"{key}_{case}", value)
    return found


def figures(found: dict[str, list[float]]) -> list[Figure]:
    """What is reported."""

    def milliseconds(key: str) -> tuple[float, ...]:
        return tuple(value * 1000 for value in found[key])

    ratios = tuple(
        theirs / ours for theirs, ours in zip(found["import_hyperliquid"], found["import_ours"], strict=True)
    )
    return [
        Figure("import_hummingbot_s", "Hummingbot's own import, CPU time", "s", tuple(found["import_hummingbot"])),
        Figure("import_ms", "import, ours, CPU time", "ms", milliseconds("import_ours"), 300, True),
        Figure("import_hyperliquid_ms", "import, hyperliquid_perpetual", "ms", milliseconds("import_hyperliquid")),
        Figure("ratio_hyperliquid_import", "import, hyperliquid_perpetual to ours", "x", ratios),
        Figure("ready_s", f"until ready, {len(PAIRS)} pairs", "s", tuple(found["ready_usual"]), 3.0, True),
        Figure("stall_ms", "longest stall until then, CPU", "ms", milliseconds("stall_cpu_usual"), 50.0, True),
        Figure("stall_clock_ms", "the same, by the clock", "ms", milliseconds("stall_usual")),
        Figure("sdk", "imports of the SDK", "", tuple(found["sdk_usual"]), 0.0, True),
        Figure("ready_library_s", "until ready, the SDK signs", "s", tuple(found["ready_library"])),
        Figure("stall_library_ms", "longest stall, SDK signs, CPU", "ms", milliseconds("stall_cpu_library"), 150, True),
        Figure("stall_library_clock_ms", "the same, by the clock", "ms", milliseconds("stall_library")),
        Figure("stalls_library", "stalls above 50 ms, SDK signs", "", tuple(found["long_stalls_library"]), 1, True),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=4, help="rounds (default %(default)s)")
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
