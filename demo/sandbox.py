"""The sandbox of a demo: a process of its own on a free port."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo.errors import DemoError
from demo.processes import end

START_TIMEOUT = 120.0  # seconds
_COMMAND = [sys.executable, "-P", "-m", "paradex_sandbox"]


@dataclass(frozen=True)
class Account:
    """A funded account of the sandbox, as `paradex-sandbox account` prints it."""

    address: str
    api_secret: str


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox."""

    url: str
    """Its REST address, with /v1."""
    process: subprocess.Popen[str]

    def create_account(self) -> Account:
        """Runs `paradex-sandbox account`. Raises DemoError if that fails."""
        made = subprocess.run(
            [*_COMMAND, "account", "--url", self.url],
            capture_output=True,
            encoding="utf-8",
            timeout=START_TIMEOUT,
            check=False,
        )
        if made.returncode != 0:
            raise DemoError(f"no account could be made on the sandbox: {_last_line(made.stderr)}")
        account: Mapping[str, str] = json.loads(made.stdout)
        return Account(account["account_address"], account["api_secret"])


@contextmanager
def running_sandbox(folder: Path, *options: str, port: int = 0) -> Iterator[Sandbox]:
    """A sandbox that is up, and ended with the block. It works in `folder` and writes its log there.

    :param options: more options of `paradex-sandbox serve`
    :param port: 0 takes a free one
    :raises DemoError: if it does not start
    """
    log = folder / "sandbox.log"
    with log.open("w", encoding="utf-8") as stderr:
        process = subprocess.Popen(
            [*_COMMAND, "serve", "--port", str(port), *options],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            encoding="utf-8",
            # Out of the terminal's reach: Ctrl-C must not take it away before the bot has cancelled its orders.
            start_new_session=True,
        )
    try:
        yield Sandbox(_address(process, log), process)
    finally:
        end(process)


def _address(process: subprocess.Popen[str], log: Path) -> str:
    """Waits for `ready ADDRESS`."""
    stdout = process.stdout
    assert stdout is not None
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
    try:
        line = lines.get(timeout=START_TIMEOUT)
    except queue.Empty:
        raise DemoError(f"the sandbox did not start within {START_TIMEOUT:.0f} seconds, see {log}") from None
    if not line.startswith("ready "):
        raise DemoError(f"the sandbox did not start: {_last_line(log.read_text(encoding='utf-8'))}")
    return line.removeprefix("ready ").strip()


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")
