"""Peers that are measured in processes of their own, from their published packages.

Where a peer's packages conflict with ours, it lives in `.venv/peers`, which `make peers` sets up from
requirements-peers.lock.
"""

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[1]
PEERS_PYTHON = ROOT / ".venv" / "peers" / "bin" / "python"


class PeerMissingError(RuntimeError):
    """A peer cannot be measured: what is missing is in the text."""


class Peer:
    """A program of `benchmarks.peers` that answers jobs, one line of JSON each, for as long as the block lasts.

    :param module: its name in `benchmarks.peers`
    :param own_environment: whether it needs the peers' environment instead of ours
    :raises PeerMissingError: on entering, if that environment is missing; from :meth:`ask`, if a package is
    """

    def __init__(self, module: str, *, own_environment: bool):
        self._module = module
        self._python = PEERS_PYTHON if own_environment else Path(sys.executable)

    def __enter__(self) -> "Peer":
        if not self._python.exists():
            raise PeerMissingError(f"{self._module} has no environment: run `make peers` first")
        self._process = subprocess.Popen(
            [str(self._python), "-W", "ignore", "-m", f"benchmarks.peers.{self._module}"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        """The answer to one job."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(json.dumps(job), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise PeerMissingError(f"{self._module} ended without an answer: is a package of it missing?")
        answer: dict[str, Any] = json.loads(line)
        return answer
