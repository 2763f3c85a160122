"""What a trader does to a Hummingbot of their own: build the wheels, install, use and uninstall them."""

import json
import re
import tomllib
import zipfile
from email.parser import Parser
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.packaging.conftest import ROOT, HummingbotEnvironment, link_or_copy, requirements_of

DISTRIBUTION = "hummingbot-paradex"
DROP_IN = "starknet-crypto-py"
CONNECTOR_FOLDER = "hummingbot/connector/derivative/paradex_perpetual"
LIST_CONNECTORS = """
import json
from hummingbot.client.settings import AllConnectorSettings
print(json.dumps(sorted(AllConnectorSettings.create_connector_settings())))
"""
IMPORT_ALL = """
import importlib, pkgutil, sys
for name in ("hummingbot.connector.derivative.paradex_perpetual", "paradex_sandbox"):
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, f"{name}."):
        importlib.import_module(module.name)
"""
SIGN_WITH_SDK = """
from paradex_py import Paradex, ParadexSubkey
from paradex_py.account.utils import message_signature, private_to_stark_key, verify_message_signature
assert verify_message_signature(99, list(message_signature(99, 7)), private_to_stark_key(7))
"""


def documented_commands(*, contained: str) -> list[str]:
    """Give the commands in the comments of the Makefile that contain a string."""
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("#   ") for line in lines if line.startswith("#   ") and contained in line]


def pinned(file: str) -> dict[str, str]:
    """Give {name: version} of a lock file, without what is for another platform."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    here = [line.partition(" ; ")[0] for line in lines if " ; " not in line or "'linux'" in line]
    return {name: version for name, _, version in (line.partition("==") for line in here)}


def wheel_of(dist: Path, name: str) -> zipfile.ZipFile:
    (path,) = dist.glob(f"{name.replace('-', '_')}-*.whl")
    return zipfile.ZipFile(path)


def connectors(environment: HummingbotEnvironment, cwd: Path, **variables: str) -> list[str]:
    listed = environment.run([str(environment.python), "-W", "ignore", "-c", LIST_CONNECTORS], cwd=cwd, **variables)
    names: list[str] = json.loads(listed.splitlines()[-1])
    return names


# ---- The wheels


def test_the_wheel_holds_our_packages_whole_and_nothing_of_hummingbot(dist: Path) -> None:
    files = {name for name in wheel_of(dist, DISTRIBUTION).namelist() if ".dist-info/" not in name}
    expected = {
        f"{CONNECTOR_FOLDER}/{path.relative_to(ROOT / 'paradex_perpetual')}"
        for path in (ROOT / "paradex_perpetual").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    } | {
        str(path.relative_to(ROOT))
        for path in (ROOT / "paradex_sandbox").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files == expected


def test_the_wheels_metadata_moves_no_package(dist: Path) -> None:
    wheel = wheel_of(dist, DISTRIBUTION)
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = Parser().parsestr(wheel.read(name).decode("utf-8"))
    assert metadata.get_all("Requires-Dist") is None
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Version"] == version(DISTRIBUTION)


def test_the_version_is_in_one_place(dist: Path) -> None:
    source = (ROOT / "paradex_perpetual" / "__init__.py").read_text(encoding="utf-8")
    (declared,) = re.findall(r'^__version__ = "(.+)"$', source, re.MULTILINE)
    assert (dist / f"hummingbot_paradex-{declared}-py3-none-any.whl").exists()
    assert "version" not in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


# ---- The locks


def test_the_lock_is_what_this_environment_runs_on() -> None:
    here = pinned("requirements.lock")
    assert {name: version(name) for name in here} == here


def test_the_sdk_lock_is_all_that_a_hummingbot_lacks_and_nothing_that_it_has() -> None:
    declared = {canonicalize_name(name) for name in ("paradex-py", "fast-stark-crypto", "sortedcontainers")}
    missing = requirements_of(*declared) - requirements_of("hummingbot") - {DROP_IN}
    assert set(pinned("requirements-sdk.lock")) == missing


def test_the_sdk_lock_agrees_with_the_lock() -> None:
    assert pinned("requirements-sdk.lock").items() <= pinned("requirements.lock").items()


@pytest.mark.parametrize("contained", ["pip install", "ln -s"])
def test_the_readme_gives_the_commands_that_are_tested_here(contained: str) -> None:
    (command,) = documented_commands(contained=contained)
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")


# ---- Installing, using, uninstalling. The cases build on one another, in this order.


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, dist: Path) -> Path:
    """A folder with what the documented command names."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "requirements-sdk.lock").write_bytes((ROOT / "requirements-sdk.lock").read_bytes())
    (folder / "dist").symlink_to(dist)
    return folder


@pytest.fixture(scope="module")
def versions_before(hummingbot: HummingbotEnvironment) -> dict[str, str]:
    return hummingbot.versions()


@pytest.fixture(scope="module")
def installed(
    hummingbot: HummingbotEnvironment, checkout: Path, versions_before: dict[str, str]
) -> HummingbotEnvironment:
    assert "paradex-py" not in versions_before
    assert not any("paradex" in name for name in connectors(hummingbot, checkout))
    (command,) = documented_commands(contained="pip install")
    hummingbot.run(command, cwd=checkout)
    return hummingbot


def test_installing_adds_packages_and_moves_none(
    installed: HummingbotEnvironment, versions_before: dict[str, str]
) -> None:
    after = installed.versions()
    assert {name: after.get(name) for name in versions_before} == versions_before
    added = {name: number for name, number in after.items() if name not in versions_before}
    ours = {DISTRIBUTION: version(DISTRIBUTION), DROP_IN: version(DROP_IN)}
    assert added == pinned("requirements-sdk.lock") | ours


def test_hummingbot_finds_the_connector(installed: HummingbotEnvironment, checkout: Path) -> None:
    assert {"paradex_perpetual", "paradex_perpetual_testnet", "paradex_perpetual_sandbox"} <= set(
        connectors(installed, checkout)
    )


def test_hbot_knows_the_connector_and_its_keys(installed: HummingbotEnvironment, tmp_path: Path) -> None:
    hbot = [str(installed.python), str(ROOT / "demo" / "home.py")]
    listed = installed.run([*hbot, "connect", "--all"], cwd=tmp_path, HBOT_HOME=str(tmp_path / "home"))
    assert "| paradex_perpetual " in listed
    fields = installed.run(
        [*hbot, "connect", "paradex_perpetual", "--fields"], cwd=tmp_path, HBOT_HOME=str(tmp_path / "home")
    )
    for field in ("api_secret", "account_address"):
        assert f"paradex_perpetual_{field}" in fields


def test_the_sdk_works_on_the_packages_that_hummingbot_brought(
    installed: HummingbotEnvironment, checkout: Path
) -> None:
    installed.run([str(installed.python), "-c", SIGN_WITH_SDK], cwd=checkout)


def test_every_module_of_the_wheel_can_be_imported(installed: HummingbotEnvironment, checkout: Path) -> None:
    installed.run([str(installed.python), "-W", "ignore", "-c", IMPORT_ALL], cwd=checkout)


def test_the_sandbox_command_is_there(installed: HummingbotEnvironment, checkout: Path) -> None:
    assert "serve" in installed.run(["paradex-sandbox", "--help"], cwd=checkout)


def test_a_source_checkout_of_hummingbot_finds_the_linked_connector(
    installed: HummingbotEnvironment, tmp_path: Path
) -> None:
    for path in (installed.site_packages / "hummingbot").rglob("*"):
        inside = path.relative_to(installed.site_packages)
        if path.is_file() and "paradex_perpetual" not in inside.parts and "__pycache__" not in inside.parts:
            (tmp_path / inside).parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(path, tmp_path / inside)
    assert "paradex_perpetual" not in connectors(installed, tmp_path)
    (command,) = documented_commands(contained="ln -s")
    installed.run(command, cwd=tmp_path)
    assert "paradex_perpetual" in connectors(installed, tmp_path)


def test_uninstalling_takes_all_of_it_away(
    installed: HummingbotEnvironment, checkout: Path, versions_before: dict[str, str]
) -> None:
    (command,) = documented_commands(contained="pip uninstall")
    installed.run(f"yes | {command}", cwd=checkout)
    after = installed.versions()
    assert DISTRIBUTION not in after
    assert {name: after.get(name) for name in versions_before} == versions_before
    assert not (installed.site_packages / CONNECTOR_FOLDER).exists()
    assert not (installed.site_packages / "paradex_sandbox").exists()
    assert not (installed.path / "bin" / "paradex-sandbox").exists()
    assert not any("paradex" in name for name in connectors(installed, checkout))
