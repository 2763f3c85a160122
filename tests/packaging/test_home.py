"""A bot's home: Hummingbot lives in it, keeps up with what is installed, and leaves the user's files alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from demo.home import Home, make_home
from tests.packaging.conftest import ROOT

PASSWORD = {"HBOT_PASSWORD": "correct horse"}
RECORD_LOOKUPS = """
import os, socket

def getaddrinfo(host, *args, **kwargs):
    with open(os.environ["ASKED"], "a") as file:
        print(host, file=file)
    raise socket.gaierror(f"{host} was not looked up")

socket.getaddrinfo = getaddrinfo
"""


def test_hummingbot_lives_in_its_home(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", offline=True)
    said = home.run("connect", "kucoin", "--fields", env=PASSWORD, timeout=300)
    assert "kucoin_api_key" in said.stdout
    keys = '{"kucoin_api_key": "public part", "kucoin_secret_key": "secret part", "kucoin_passphrase": "phrase"}'
    connected = home.run("connect", "kucoin", "--keys-stdin", stdin=keys, env=PASSWORD, timeout=300)
    assert connected.returncode == 0, connected.stderr
    assert (home.conf / "connectors" / "kucoin.yml").exists()
    assert "secret part" not in (home.conf / "connectors" / "kucoin.yml").read_text(encoding="utf-8")


def test_two_homes_know_nothing_of_each_other(tmp_path: Path) -> None:
    first, second = make_home(tmp_path / "first"), make_home(tmp_path / "second")
    (first.conf / "connectors" / "kucoin.yml").write_text("connector: kucoin\n", encoding="utf-8")
    listed = [home.run("connect", "--all", timeout=300).stdout for home in (first, second)]
    told = [next(line.split("|")[2].strip() for line in text.splitlines() if "| kucoin " in line) for text in listed]
    assert told == ["yes", "no"]


@pytest.mark.parametrize("offline", [True, False])
def test_only_an_offline_home_asks_nobody_for_rates(tmp_path: Path, offline: bool) -> None:
    """The other one is the control: it shows that the question would be seen. No name is looked up for real."""
    asked = tmp_path / "asked"
    (tmp_path / "sitecustomize.py").write_text(RECORD_LOOKUPS, encoding="utf-8")
    home = make_home(tmp_path / "home", offline=offline)
    home.run("balance", env=PASSWORD | {"PYTHONPATH": str(tmp_path), "ASKED": str(asked)}, timeout=300)
    assert asked.exists() is not offline


def test_an_offline_home_can_read_its_configuration_again_after_hummingbot_saved_it(tmp_path: Path) -> None:
    """Hummingbot encrypts the key of CoinCap, which is empty, and then takes the cipher for the key."""
    home = make_home(tmp_path / "home", offline=True)
    (home.conf / "conf_client.yml").write_text(
        "rate_oracle_source:\n  name: coin_cap\n  assets_map: {}\n  api_key: 7b22\n", encoding="utf-8"
    )
    assert home.run("balance", env=PASSWORD, timeout=300).returncode == 0


def test_a_home_that_is_not_offline_keeps_the_users_configuration(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    (home.conf / "conf_client.yml").write_text("log_level: DEBUG\n", encoding="utf-8")
    assert '"log_level": "DEBUG"' in make_home(home.path).run("config", "--json", timeout=300).stdout


def test_a_new_home_counts_in_usdc(tmp_path: Path) -> None:
    said = make_home(tmp_path / "home").run("config", "--json", timeout=300).stdout
    assert '"global_token.global_token_name": "USDC"' in said


def test_secrets_go_by_environment_and_standard_input(tmp_path: Path) -> None:
    command, environment = Home(tmp_path).invocation("balance", env=PASSWORD)
    assert not any("correct horse" in word for word in command)
    assert environment["HBOT_PASSWORD"] == "correct horse"


# ---- What happens when the installed Hummingbot changes, with a small one


def program(version: str) -> str:
    return f"import hummingbot, sys\nprint({version!r}, hummingbot.__file__, *sys.argv[1:])\n"


@pytest.fixture
def site_packages(tmp_path: Path) -> Path:
    package = tmp_path / "site-packages" / "hummingbot"
    (package / "cli").mkdir(parents=True)
    for name in ("__init__.py", "cli/__init__.py", "VERSION", "old.py"):
        (package / name).touch()
    (package / "cli" / "main.py").write_text(program("first"), encoding="utf-8")
    return package.parent


def hbot(site_packages: Path, home: Path, *args: str) -> list[str]:
    """Run the program behind ./hbot with what is in `site_packages`."""
    ended = subprocess.run(
        [sys.executable, str(ROOT / "demo" / "home.py"), *args],
        env={**os.environ, "PYTHONPATH": str(site_packages), "HBOT_HOME": str(home)},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return ended.stdout.split()


def test_hbot_runs_in_its_home_with_its_arguments(site_packages: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert hbot(site_packages, home, "start", "-x") == [
        "first",
        str(home / "hummingbot" / "__init__.py"),
        "start",
        "-x",
    ]


def test_a_home_follows_the_installed_package_and_keeps_the_users_files(site_packages: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    hbot(site_packages, home)
    users = [home / name for name in ("conf/connectors/x.yml", "logs/x.log", "data/x.sqlite", "scripts/x.py")]
    for file in users:
        file.write_text("the user's", encoding="utf-8")

    shutil.rmtree(site_packages / "hummingbot" / "cli")
    (site_packages / "hummingbot" / "old.py").unlink()
    (site_packages / "hummingbot" / "cli").mkdir()
    (site_packages / "hummingbot" / "cli" / "main.py").write_text(program("second"), encoding="utf-8")
    (site_packages / "hummingbot" / "new.py").touch()
    (site_packages / "hummingbot" / "__init__.py").write_text("print('changed')\n", encoding="utf-8")

    assert hbot(site_packages, home)[:2] == ["changed", "second"]
    present = {entry.name for entry in (home / "hummingbot").iterdir() if entry.name != "__pycache__"}
    assert present == {"__init__.py", "VERSION", "cli", "new.py"}
    assert [file.read_text(encoding="utf-8") for file in users] == ["the user's"] * len(users)


def test_a_home_moves_over_to_another_installation(site_packages: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    hbot(site_packages, home)
    other = tmp_path / "other"
    site_packages.rename(other)
    assert hbot(other, home)[0] == "first"


def test_a_home_made_from_within_a_home_is_linked_to_the_installed_package(site_packages: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    hbot(site_packages, first)
    hbot(first, second)
    hbot(first, first)
    for home in (first, second):
        assert (home / "hummingbot" / "cli").readlink() == site_packages / "hummingbot" / "cli"


def test_a_hummingbot_folder_where_the_user_stands_is_not_taken_for_it(
    site_packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere" / "hummingbot").mkdir(parents=True)
    (tmp_path / "elsewhere" / "hummingbot" / "__init__.py").write_text("raise SystemExit('wrong')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert hbot(site_packages, tmp_path / "home")[0] == "first"


# ---- ./hbot


def test_hbot_without_an_installation_says_in_one_line_what_to_do(tmp_path: Path) -> None:
    shutil.copy2(ROOT / "hbot", tmp_path / "hbot")
    ended = subprocess.run([tmp_path / "hbot"], capture_output=True, encoding="utf-8", check=False)
    assert ended.returncode == 1
    (line,) = (ended.stdout + ended.stderr).splitlines()
    assert "make install" in line


def test_hbot_works_from_anywhere_and_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "hbot").symlink_to(ROOT / "hbot")
    said = subprocess.run(
        ["./hbot", "--version"],
        cwd=tmp_path,
        env={**os.environ, "HBOT_HOME": "home"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert said.stdout.startswith("hbot ")
    assert (tmp_path / "home" / "conf" / "connectors").is_dir()
