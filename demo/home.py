"""A home for one Hummingbot bot: a folder of its own with the bot's conf, logs, data, scripts and controllers.

Hummingbot keeps these beside its imported package: with pip that is site-packages, so one bot per virtual environment,
whose keys and trades are gone with it. A home holds a `hummingbot` package that consists of links to the installed one,
except for `__init__.py`, from whose own place Hummingbot derives where everything else lies. With the home first on
PYTHONPATH, Hummingbot lives there; an upgrade of the package or an edit of the connector counts at the next start, and
what belongs to the user is never touched.

Run as a program (`./hbot` does), this is Hummingbot's command in the home `bot/` of the checkout, or in `$HBOT_HOME`.
"""

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

HOME_VARIABLE = "HBOT_HOME"
FOLDERS = ("conf/connectors", "conf/strategies", "conf/scripts", "conf/controllers", "logs", "data")
# The user's own strategies; Hummingbot imports them as packages.
STRATEGY_PACKAGES = ("scripts", "controllers")

# A bot on the sandbox has no business with other exchanges, and their absence shall not fill its log with errors.
# Hummingbot cannot do without a rate source, but CoinCap's asks nobody as long as the global token is not USD (it
# warns, now and then), and USDC, in which everything is counted there, is worth one USDC. The exchanges of paper trade
# would be asked for their pairs.
OFFLINE_CLIENT_CONFIG = """\
anonymized_metrics_mode: anonymized_metrics_disabled
fetch_pairs_from_all_exchanges: false
send_error_logs: false
paper_trade:
  paper_trade_exchanges: []
rate_oracle_source: coin_cap
global_token:
  global_token_name: USDC
  global_token_symbol: $
"""

# What everything on Paradex is counted in. In Hummingbot's own default, USDT, a USDC is worth nothing until another
# exchange has been asked what it is.
FIRST_CLIENT_CONFIG = """\
global_token:
  global_token_name: USDC
  global_token_symbol: $
"""


@dataclass(frozen=True)
class Home:
    """A bot's home, as :func:`make_home` leaves it."""

    path: Path
    offline: bool = False

    @property
    def conf(self) -> Path:
        return self.path / "conf"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def data(self) -> Path:
        return self.path / "data"

    def invocation(self, *args: str, env: Mapping[str, str] | None = None) -> tuple[list[str], dict[str, str]]:
        """Give the argument vector and the environment with which `hbot ARGS` runs in this home.

        The environment is this process's with the home first on PYTHONPATH and `env` on top. In an offline home the
        client configuration is put back first: Hummingbot cannot read the CoinCap part again that it saves itself.
        """
        if self.offline:
            self._configure_offline()
        environment = {**os.environ, **(env or {})}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(self.path), environment.get("PYTHONPATH"))))
        # Hummingbot opens its files without naming an encoding.
        environment["PYTHONUTF8"] = "1"
        # -P keeps the working directory, which may hold a `hummingbot` folder, off the import path.
        return [sys.executable, "-P", "-m", "hummingbot.cli.main", *args], environment

    def run(
        self,
        *args: str,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run `hbot ARGS` to its end and give its exit code and output; `timeout` is in seconds.

        The keystore's password belongs in `env` as HBOT_PASSWORD, keys in `stdin`: neither shows in a process list.
        A nonzero exit code does not raise; subprocess.TimeoutExpired does.
        """
        command, environment = self.invocation(*args, env=env)
        return subprocess.run(
            command,
            input="" if stdin is None else stdin,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )

    def exec(self, *args: str) -> NoReturn:
        """Become `hbot ARGS`: the terminal, signals and exit code are Hummingbot's."""
        command, environment = self.invocation(*args)
        os.execve(command[0], command, environment)

    def _configure_offline(self) -> None:
        # The bot stays the same one, by which it knows its orders after it was killed.
        instance_id = hashlib.md5(str(self.path).encode(), usedforsecurity=False).hexdigest()
        config = f"instance_id: {instance_id}\n{OFFLINE_CLIENT_CONFIG}"
        (self.conf / "conf_client.yml").write_text(config, encoding="utf-8")


def make_home(path: str | os.PathLike[str], *, offline: bool = False) -> Home:
    """Make `path` a bot's home, or bring the one there up to date with the installed Hummingbot. Costs milliseconds.

    A new one counts in USDC, as Paradex does; from then on its client configuration is the user's.

    `offline` is for throw-away homes: their client configuration is always one that keeps Hummingbot from asking other
    exchanges for rates and pairs and from sending usage metrics.

    Raises FileNotFoundError when Hummingbot is not installed.
    """
    home = Home(Path(path).expanduser().resolve(), offline)
    for folder in FOLDERS:
        (home.path / folder).mkdir(parents=True, exist_ok=True)
    for package in STRATEGY_PACKAGES:
        (home.path / package).mkdir(exist_ok=True)
        if not (home.path / package / "__init__.py").exists():
            (home.path / package / "__init__.py").touch()
    if not (home.conf / "conf_client.yml").exists():
        (home.conf / "conf_client.yml").write_text(FIRST_CLIENT_CONFIG, encoding="utf-8")
    _link_package(_installed_package(), home.path / "hummingbot")
    return home


def _installed_package() -> Path:
    spec = importlib.util.find_spec("hummingbot")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("Hummingbot is not installed: run `make install`")
    # Found in a home (a program started there may make another), this leads to the installed one.
    return Path(spec.origin).with_name("VERSION").resolve().parent


def _link_package(package: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    wanted = {entry.name: entry for entry in package.iterdir() if entry.name not in ("__init__.py", "__pycache__")}
    for entry in target.iterdir():
        if entry.is_symlink() and entry.name not in wanted:
            entry.unlink(missing_ok=True)
    for name, source in wanted.items():
        link = target / name
        if not link.is_symlink() or link.readlink() != source:
            with _replacing(link) as path:
                path.symlink_to(source)
    code = (package / "__init__.py").read_bytes()
    init = target / "__init__.py"
    if not init.exists() or init.read_bytes() != code:
        with _replacing(init) as path:
            path.write_bytes(code)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give a place to make what then takes the place of `path` in one step: other commands may be starting here."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as scratch:
        yield Path(scratch) / path.name
        (Path(scratch) / path.name).replace(path)


def main() -> NoReturn:
    """Run Hummingbot's command with this program's arguments, in `$HBOT_HOME` or in `bot/` of the checkout."""
    make_home(os.environ.get(HOME_VARIABLE) or Path(__file__).resolve().parents[1] / "bot").exec(*sys.argv[1:])


if __name__ == "__main__":
    main()
