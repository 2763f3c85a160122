"""The demo's processes: told apart from everybody else's, and ended by their id."""

import fcntl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from demo.errors import DemoError


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Keeps a second demo out of `folder`, which is made if need be. Raises DemoError if one is there."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(f"another demo is running in {folder}; wait for it, or choose another --folder") from None
        yield


def end_strays(folder: Path, timeout: float = 10.0) -> None:
    """Ends what an earlier demo in `folder` could not end because it was killed itself.

    Both the sandbox and the bot work below that folder, and nothing else does.
    """
    strays = [process for process in psutil.process_iter() if _works_below(process, folder)]
    for process in strays:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(strays, timeout=timeout)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=timeout)


def end(process: subprocess.Popen[str], timeout: float = 30.0) -> None:
    """Asks a process to end, and kills it if it has not after `timeout` seconds."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _works_below(process: psutil.Process, folder: Path) -> bool:
    # A command line proves nothing, and an id may have been given to another process meanwhile.
    try:
        program = " ".join(process.cmdline())
        ours = "hummingbot.cli" in program or "paradex_sandbox" in program
        return ours and Path(process.cwd()).is_relative_to(folder)
    except (psutil.Error, OSError):
        return False
