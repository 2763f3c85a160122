"""What `make` says and does in a bare checkout, and what it leaves alone."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT

# All that the recipes use beside Python and a compiler.
UTILITIES = ("sh", "env", "echo", "touch", "rm", "ln", "mkdir", "find", "ls", "make")
EXECUTABLE = 0o755


def make(*args: str, cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *args], cwd=cwd, env=env, capture_output=True, encoding="utf-8", check=False)


def complaints(ended: subprocess.CompletedProcess[str]) -> list[str]:
    """Give what a failed make printed, without make's own line about the recipe."""
    assert ended.returncode != 0
    return [line for line in (ended.stdout + ended.stderr).splitlines() if not line.startswith("make: ***")]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    for name in ("compat", "tools"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "paradex_perpetual").mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "paradex_perpetual/__init__.py"):
        shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A folder of commands without Python and compilers."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in UTILITIES:
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return folder


def put(commands: Path, name: str, script: str) -> None:
    (commands / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (commands / name).chmod(EXECUTABLE)


def test_without_python_one_line_says_what_to_install(checkout: Path, commands: Path) -> None:
    (line,) = complaints(make("install", cwd=checkout, env={"PATH": str(commands)}))
    assert "Python 3.12 is missing" in line
    assert not (checkout / ".venv").exists()


def test_a_python_that_does_not_run_or_is_another_does_not_count(checkout: Path, commands: Path) -> None:
    put(commands, "python3.12", "echo 'pyenv: python3.12: command not found' >&2; exit 127")
    put(commands, "python3", "exit 1  # what the question for the version ends with on 3.11")
    (line,) = complaints(make("install", cwd=checkout, env={"PATH": str(commands)}))
    assert "Python 3.12 is missing" in line


def test_a_python_without_venv_is_told_from_none(checkout: Path, commands: Path) -> None:
    put(commands, "python3.12", 'case "$2" in *ensurepip*) exit 1;; esac')
    (line,) = complaints(make("install", cwd=checkout, env={"PATH": str(commands)}))
    assert "python3.12-venv" in line


def test_a_python_3_12_of_any_name_is_taken(checkout: Path, commands: Path) -> None:
    put(commands, "python3.12", "exit 127")
    put(commands, "python", 'if [ "$1" = -m ]; then echo "$@" > asked; exit 3; fi')
    complaints(make("install", cwd=checkout, env={"PATH": str(commands)}))
    assert (checkout / "asked").read_text(encoding="utf-8") == "-m venv .venv\n"
    assert not (checkout / ".venv" / ".created").exists()


def test_without_a_compiler_one_line_says_what_to_install(checkout: Path, commands: Path) -> None:
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    (checkout / ".venv" / ".created").touch()
    (line,) = complaints(make("install", cwd=checkout, env={"PATH": str(commands)}))
    assert "a C compiler (" in line
    put(commands, "cc-is-here", "")
    (line,) = complaints(make("install", cwd=checkout, env={"PATH": str(commands), "CC": "cc-is-here -pipe"}))
    assert "a C++ compiler (" in line


def test_an_installation_that_broke_off_is_taken_up_again(checkout: Path, commands: Path) -> None:
    """pip fails in the middle: the packages count as missing, the virtual environment as there."""
    (checkout / ".venv" / "bin").mkdir(parents=True)
    put(checkout / ".venv" / "bin", "python", 'echo "$@" >> asked; case "$*" in *" install "*) exit 1;; esac')
    (checkout / ".venv" / ".created").touch()
    for _ in range(2):
        complaints(make("install", cwd=checkout, env={"PATH": str(commands)}))
    asked = (checkout / "asked").read_text(encoding="utf-8").splitlines()
    assert len([line for line in asked if "install" in line and "requirements.lock" in line]) == 2
    assert not any("venv" in line for line in asked)


def test_a_second_make_installs_nothing() -> None:
    """These tests run in an environment that make has set up."""
    ended = make("--question", ".venv/.installed", cwd=ROOT, env={"PATH": os.environ["PATH"]})
    assert ended.returncode == 0, ended.stdout


def test_an_edit_of_the_source_counts_at_once() -> None:
    import hummingbot.connector.derivative.paradex_perpetual as connector

    import paradex_sandbox

    assert Path(connector.__path__[0]).resolve() == ROOT / "paradex_perpetual"
    assert Path(paradex_sandbox.__path__[0]).resolve() == ROOT / "paradex_sandbox"


def test_clean_leaves_the_bot_alone(checkout: Path) -> None:
    made = [
        ".venv/x",
        "dist/x",
        "build/x",
        ".mypy_cache/x",
        ".demo/x",
        "paradex_perpetual/__pycache__/x",
        "x.egg-info/x",
    ]
    kept = ["bot/conf/conf_client.yml", "bot/data/bot.sqlite", "bot/scripts/__pycache__/x", "paradex_perpetual/x.py"]
    for name in made + kept:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).touch()
    make("clean", cwd=checkout, env={"PATH": os.environ["PATH"]})
    assert [name for name in made + kept if (checkout / name).exists()] == kept


def test_ci_runs_lint_and_test() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "make lint test" in script.read_text(encoding="utf-8")
