"""The demo's bot: Hummingbot in a throw-away home, driven by its own command like a user does."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import psutil

from demo.errors import DemoError, Interrupted
from demo.home import Home, make_home
from demo.sandbox import Account

CONNECTOR = "paradex_perpetual_sandbox"
TEMPLATES = Path(__file__).resolve().parents[1] / "conf_templates"
# It protects the keys of an account that exists only on the demo's sandbox.
PASSWORD = "demo"

_COMMAND_TIMEOUT = 180.0  # seconds
_STOP_TIMEOUT = 90.0
_LOG_LINE = re.compile(r"^\d{4}-\d\d-\d\d [\d:,]+ - \d+ - (?P<logger>\S+) - (?P<level>[A-Z_]+) - (?P<message>.*)$")
# Its rate source says that it knows no rates: it was chosen because it asks nobody for them, see demo/home.py.
_EXPECTED_LOGGER = "hummingbot.core.rate_oracle.sources.rate_source_base"
# NETWORK is Hummingbot's own level, for requests that fail.
_PROBLEM_LEVELS = ("NETWORK", "ERROR", "CRITICAL")


@dataclass(frozen=True)
class History:
    """What `hbot history` says of a market. Volumes are net: bought minus sold in base, received minus paid in USDC."""

    trades: int
    buys: int
    sells: int
    net_base: Decimal
    net_quote: Decimal
    fees: Decimal


@dataclass(frozen=True)
class LogLine:
    """A line of the bot's log."""

    logger: str
    level: str
    message: str

    def __str__(self) -> str:
        return f"{self.level} {self.logger.rpartition('.')[2]}: {self.message}"


class Bot:
    """One bot in one home. Every method runs `hbot` to its end and raises DemoError if it fails."""

    def __init__(self, home: Home, url: str) -> None:
        """:param url: the sandbox's REST address"""
        self.home = home
        self._environment = {"HBOT_PASSWORD": PASSWORD, "PARADEX_SANDBOX_URL": url}

    @classmethod
    def in_new_home(cls, path: Path, url: str) -> "Bot":
        """A bot without any history; what was at `path` is removed."""
        shutil.rmtree(path, ignore_errors=True)
        return cls(make_home(path, offline=True), url)

    def hbot(self, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Runs `hbot ARGS` and gives its output, whatever its exit code.

        An interruption waits for the command: `start` has a child, which would go on unknown to everybody.
        """
        command, environment = self.home.invocation(*args, env=self._environment)
        process = subprocess.Popen(
            command,
            cwd=self.home.path,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,  # a Ctrl-C is for the demo to handle
        )
        try:
            output, errors = process.communicate(stdin, timeout=_COMMAND_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise DemoError(f"`hbot {' '.join(args)}` takes more than {_COMMAND_TIMEOUT:.0f} seconds") from None
        except Interrupted:
            if args[0] != "start":
                process.kill()
            process.communicate()
            raise
        return subprocess.CompletedProcess(command, process.returncode, output, errors)

    def _run(self, *args: str, stdin: str = "") -> str:
        result = self.hbot(*args, stdin=stdin)
        if result.returncode != 0:
            said = [line for line in (result.stderr + result.stdout).splitlines() if line.startswith("Error")]
            reason = said[0] if said else f"exit code {result.returncode}"
            raise DemoError(f"`hbot {' '.join(args)}` failed: {reason}")
        return result.stdout

    # === Setting up ===

    def connect(self, account: Account) -> None:
        """`hbot connect`: stores the account's keys, encrypted."""
        keys = {f"{CONNECTOR}_api_secret": account.api_secret, f"{CONNECTOR}_account_address": account.address}
        self._run("connect", CONNECTOR, "--keys-stdin", stdin=json.dumps(keys))

    def test_connection(self) -> None:
        """`hbot connect` without arguments: whether the exchange takes the keys."""
        rows = markdown_table(self._run("connect"))
        row = next((row for row in rows if row["connector"] == CONNECTOR), {})
        if row.get("keys_confirmed") != "yes":
            raise DemoError(f"the exchange does not take the bot's keys: {row.get('error') or 'no reason given'}")

    def balance(self) -> Decimal:
        """`hbot balance`: the account's USDC."""
        report = json.loads(self._run("balance", "--json"))
        assets = report["connectors"].get(CONNECTOR, {}).get("assets", [])
        return sum((Decimal(str(asset["total"])) for asset in assets if asset["asset"] == "USDC"), Decimal(0))

    def install(self, script: str, config: str) -> None:
        """Copies a strategy script and its config from conf_templates, where a user copies them from."""
        try:
            shutil.copy(TEMPLATES / "scripts" / script, self.home.path / "scripts")
            shutil.copy(TEMPLATES / "conf" / "scripts" / config, self.home.conf / "scripts")
        except FileNotFoundError as error:
            raise DemoError(f"{error.filename} is missing") from None

    # === Trading ===

    def start(self, config: str) -> None:
        """`hbot start`: returns when the strategy runs."""
        self._run("start", config)

    def status(self) -> Mapping[str, Any]:
        """`hbot status`: whether it runs, what its strategy says, and the errors in its log."""
        status: Mapping[str, Any] = json.loads(self._run("status", "--json"))
        return status

    def stop(self) -> None:
        """`hbot stop`: returns when the bot has cancelled its orders and ended."""
        self._run("stop", "--timeout", f"{_STOP_TIMEOUT:.0f}")

    def make_sure_it_ended(self) -> None:
        """Ends the bot whatever state it is in: in order if that works, else by force. Never raises DemoError."""
        if self.process() is None:
            return
        self.hbot("stop", "--timeout", f"{_STOP_TIMEOUT / 2:.0f}")
        process = self.process()
        if process is not None:
            process.kill()
            process.wait(_STOP_TIMEOUT)

    def process(self) -> psutil.Process | None:
        """The running bot, if there is one."""
        try:
            process = psutil.Process(int((self.home.data / "bot" / "bot.pid").read_text()))
            # An id may have been given to another process meanwhile.
            return process if Path(process.cwd()) == self.home.path else None
        except (OSError, ValueError, psutil.Error):
            return None

    # === Afterwards ===

    def history(self) -> History:
        """`hbot history`: what the bot has recorded of its trades."""
        rows = [row for row in markdown_table(self._run("history")) if row.get("market") == CONNECTOR]
        if not rows:
            return History(0, 0, 0, Decimal(0), Decimal(0), Decimal(0))
        row = rows[0]
        try:
            return History(
                trades=int(row["trades"]),
                buys=int(row["buys"]),
                sells=int(row["sells"]),
                net_base=Decimal(row["base_vol"]),
                net_quote=Decimal(row["quote_vol"]),
                fees=Decimal(row["fees"]),
            )
        except (KeyError, ValueError, InvalidOperation):
            raise DemoError(f"`hbot history` says something unexpected: {row}") from None

    def log_lines(self, *levels: str) -> list[LogLine]:
        """The lines of the bot's log that have one of `levels`."""
        lines = []
        for path in sorted(self.home.logs.glob("logs_*.log*")):
            for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
                match = _LOG_LINE.match(text)
                if match is not None and match["level"] in levels:
                    lines.append(LogLine(match["logger"], match["level"], match["message"]))
        return lines

    def warnings(self) -> list[LogLine]:
        """The warnings in the bot's log, without the one that is to be expected."""
        return [line for line in self.log_lines("WARNING") if line.logger != _EXPECTED_LOGGER]

    def problems(self) -> list[LogLine]:
        """Every error in the bot's log, whatever it is about; and every request that failed."""
        return self.log_lines(*_PROBLEM_LEVELS)


def markdown_table(text: str) -> list[dict[str, str]]:
    """The rows of the first Markdown table in a text, by column. `hbot` prints its lists so."""
    rows = [
        [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    if len(rows) < 2:
        return []
    header, _, *body = rows
    records: list[dict[str, str]] = []
    for row in body:
        if records and not row[0]:  # a long cell goes on in the next line, where the other cells are empty
            for column, cell in zip(header, row, strict=False):
                records[-1][column] = f"{records[-1][column]} {cell}".rstrip()
        else:
            records.append(dict(zip(header, row, strict=False)))
    return records
