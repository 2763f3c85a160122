"""`python -m demo`, as a user runs it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from demo.processes import end
from tests.e2e.support import PATIENCE, wait_until

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def running_demo(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    folder.mkdir(exist_ok=True)
    with (folder / "output").open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "demo", "--folder", str(folder), *options],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        yield process
    finally:
        end(process, timeout=PATIENCE)


def said(folder: Path) -> str:
    return (folder / "output").read_text(encoding="utf-8")


def working_in(folder: Path) -> list[psutil.Process]:
    """The processes that work below `folder`: the demo's sandbox and bot do."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def test_a_demo_succeeds_also_after_one_that_was_killed(tmp_path: Path) -> None:
    with running_demo(tmp_path) as killed:
        wait_until(lambda: "hbot start" in said(tmp_path), "the bot is starting")
        wait_until(lambda: len(working_in(tmp_path)) > 2, "it runs")
        killed.kill()
        killed.wait()
    assert working_in(tmp_path), "a killed demo cannot end its processes"

    with running_demo(tmp_path, "--seconds", "8", "--keep") as process:
        code = process.wait(PATIENCE)

    output = said(tmp_path)
    assert code == 0, output
    assert output.count(" ok ") == 6, output
    assert "FAILED" not in output
    assert "DIFFERENT" not in output
    assert working_in(tmp_path) == []
    assert list((tmp_path / "home" / "logs").glob("*.log"))


def test_ctrl_c_ends_everything_and_until_then_no_second_demo_starts(tmp_path: Path) -> None:
    with running_demo(tmp_path, "--seconds", "3600") as process:
        wait_until(lambda: "our bid" in said(tmp_path), "the bot trades")
        second = subprocess.run(
            [sys.executable, "-m", "demo", "--folder", str(tmp_path)],
            cwd=ROOT,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
            check=False,
        )
        assert second.returncode == 1
        assert second.stderr.splitlines() == [
            f"demo: another demo is running in {tmp_path}; wait for it, or choose another --folder"
        ]
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 128 + signal.SIGINT
    assert said(tmp_path).splitlines()[-1].startswith("demo: interrupted")
    assert working_in(tmp_path) == []


def test_sigterm_while_the_bot_is_starting_ends_everything(tmp_path: Path) -> None:
    with running_demo(tmp_path) as process:
        wait_until(lambda: "hbot start" in said(tmp_path), "the bot is starting")
        process.terminate()
        assert process.wait(PATIENCE) == 128 + signal.SIGTERM, said(tmp_path)
    assert working_in(tmp_path) == []


def test_something_missing_is_told_in_one_line(tmp_path: Path) -> None:
    # -S: without site-packages, as if nothing had been installed.
    result = subprocess.run(
        [sys.executable, "-S", "-m", "demo", "--folder", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"demo: hummingbot is not installed: run `make install` in {ROOT}",
    ]
