"""A Hummingbot of its own to install into: a virtual environment with what `pip install hummingbot` brings, no more."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


def run(command: Sequence[str] | str, *, cwd: Path, **environment: str) -> str:
    """Run a command (a string: as a shell would) and give its standard output; fails with all of its output."""
    # What the outer make hands down would speak to the inner one, and an outer PYTHONPATH to another Python.
    inherited = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "PYTHONPATH")
    }
    ended = subprocess.run(
        command,
        cwd=cwd,
        env=inherited | environment,
        shell=isinstance(command, str),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


def requirements_of(*roots: str) -> set[str]:
    """Give the names of the distributions that `roots` come to here, themselves included, by their metadata."""
    seen: set[tuple[str, str]] = set()
    waiting = [(root, "") for root in roots]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for line in distribution(name).requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                waiting += [(canonicalize_name(requirement.name), one) for one in ("", *requirement.extras)]
    return {name for name, _ in seen}


@dataclass(frozen=True)
class HummingbotEnvironment:
    """A virtual environment in which Hummingbot is installed."""

    path: Path

    @property
    def python(self) -> Path:
        return self.path / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        return self.path / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"

    def run(self, command: Sequence[str] | str, *, cwd: Path, **environment: str) -> str:
        """Run a command as in this environment, activated: its python and pip are the first on PATH."""
        path = os.pathsep.join((str(self.path / "bin"), os.environ["PATH"]))
        return run(command, cwd=cwd, PATH=path, VIRTUAL_ENV=str(self.path), PYTHONUTF8="1", **environment)

    def versions(self) -> dict[str, str]:
        """Give the version of every installed distribution, as pip sees it."""
        lines = self.run(["pip", "list", "--format=freeze", "--disable-pip-version-check"], cwd=self.path).splitlines()
        return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what `make wheel` builds."""
    folder = tmp_path_factory.mktemp("wheels") / "dist"
    run(["make", "wheel", f"DIST={folder}"], cwd=ROOT)
    return folder


@pytest.fixture(scope="session")
def hummingbot(tmp_path_factory: pytest.TempPathFactory) -> HummingbotEnvironment:
    """A Hummingbot that has never heard of Paradex. Its packages are the files of this environment's, linked."""
    environment = HummingbotEnvironment(tmp_path_factory.mktemp("hummingbot") / "venv")
    run([sys.executable, "-m", "venv", str(environment.path)], cwd=ROOT)
    for name in requirements_of("hummingbot"):
        try:
            files = distribution(name).files
        except PackageNotFoundError:  # no such requirement on this platform
            continue
        for file in files or ():
            # What lies outside, such as scripts, would run this environment's Python.
            if ".." not in file.parts:
                target = environment.site_packages / file
                target.parent.mkdir(parents=True, exist_ok=True)
                link_or_copy(Path(str(file.locate())), target)
    return environment


def link_or_copy(source: Path, target: Path) -> None:
    if not source.exists() or target.exists():
        return
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
