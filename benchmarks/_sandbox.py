"""A sandbox, or a server of these benchmarks, in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks._peers import ROOT


@dataclass(frozen=True, slots=True)
class Sandbox:
    """:ivar url: address of its REST API, with /v1"""

    url: str

    def account(self) -> dict[str, str]:
        """The keys of a new account with money, as `paradex-sandbox account` prints them."""
        command = [sys.executable, "-m", "paradex_sandbox", "account", "--url", self.url]
        ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        keys: dict[str, str] = json.loads(ended.stdout)
        return keys


@contextmanager
def running_sandbox(folder: Path) -> Iterator[Sandbox]:
    """A sandbox, for as long as the block lasts; what it says goes into a file in `folder`."""
    with (folder / "sandbox.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "paradex_sandbox", "serve", "--port", "0"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert process.stdout is not None
        try:
            ready = process.stdout.readline().split()
            if ready[:1] != ["ready"]:
                raise RuntimeError(f"the sandbox did not start: {(folder / 'sandbox.log').read_text()}")
            yield Sandbox(ready[1])
        finally:
            process.terminate()
            process.wait(15)
            process.stdout.close()


@contextmanager
def served(module: str, told: str = "") -> Iterator[str]:
    """The first line that a module of `benchmarks` prints, its address; it runs for as long as the block lasts.

    :param told: a line that it gets on its standard input first
    """
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", f"benchmarks.{module}"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if told:
            print(told, file=process.stdin, flush=True)
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(10)
