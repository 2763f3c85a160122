"""Where the tests run: a sandbox in a process of its own, or Paradex's testnet."""

import json
import select
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_constants as CONSTANTS

from tests.venue.exchange import Credentials

SANDBOX = "sandbox"
TESTNET = "testnet"
VENUES = (SANDBOX, TESTNET)
SECRET_VARIABLE = "PARADEX_TESTNET_API_SECRET"
ADDRESS_VARIABLE = "PARADEX_TESTNET_ACCOUNT_ADDRESS"

_START_TIMEOUT = 180.0
_STOP_TIMEOUT = 60.0
_FUNDS = "10000"  # USDC


@dataclass(frozen=True)
class Venue:
    """:param url: address of the REST API, with /v1"""

    name: str
    domain: str
    url: str
    credentials: Credentials

    @property
    def is_sandbox(self) -> bool:
        return self.name == SANDBOX


def testnet(environment: Mapping[str, str]) -> Venue:
    """The real testnet with the credentials of the environment.

    :raises ValueError: if there are none
    """
    try:
        credentials = Credentials(environment[SECRET_VARIABLE], environment[ADDRESS_VARIABLE])
    except KeyError as error:
        raise ValueError(
            f"{error.args[0]} is not set: --venue testnet needs {SECRET_VARIABLE} (the private key of a subkey) and "
            f"{ADDRESS_VARIABLE} (its main account's address)"
        ) from None
    domain = CONSTANTS.TESTNET_DOMAIN
    return Venue(TESTNET, domain, CONSTANTS.REST_URLS[domain], credentials)


def testnet_sub_account(environment: Mapping[str, str]) -> list[Credentials]:
    """The credentials of a sub-account, if the environment has some: a subkey of it, and its own address."""
    names = [variable.replace("TESTNET_", "TESTNET_SUB_") for variable in (SECRET_VARIABLE, ADDRESS_VARIABLE)]
    values = [environment.get(name, "") for name in names]
    return [Credentials(*values)] if all(values) else []


class SandboxProcess:
    """A running `paradex-sandbox serve` on a free port.

    :param data: its folder; what it says goes into `sandbox.log` beside it
    :raises RuntimeError: if it does not say that it is ready
    """

    def __init__(self, data: Path, *options: str):
        self._log_path = data.parent / "sandbox.log"
        command = [sys.executable, "-m", "paradex_sandbox", "serve", "--port", "0", "--data", str(data), *options]
        with self._log_path.open("a") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            self.url = self._address()
        except RuntimeError:
            self.stop()
            raise

    def _address(self) -> str:
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], _START_TIMEOUT)
        line = self._process.stdout.readline() if readable else ""
        ready, _, url = line.strip().partition(" ")
        if ready != "ready":
            raise RuntimeError(f"the sandbox did not start: {line!r}\n{self.log()}")
        return url

    def log(self) -> str:
        """What it has written to its standard error."""
        return self._log_path.read_text()

    def stop(self) -> None:
        """Ends it as Ctrl-C does, and waits."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT)
        finally:
            self._process.kill()
            assert self._process.stdout is not None
            self._process.stdout.close()


def funded_account(url: str) -> Credentials:
    """A new account on a sandbox with a control surface, made with the command that users have for it."""
    command = [sys.executable, "-m", "paradex_sandbox", "account", "--url", url, "--usdc", _FUNDS]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_START_TIMEOUT)
    keys = json.loads(answer.stdout)
    return Credentials(keys["api_secret"], keys["account_address"])


def sandbox(url: str, credentials: Credentials) -> Venue:
    """The venue of a sandbox, whose address the connector gets from the environment."""
    return Venue(SANDBOX, CONSTANTS.SANDBOX_DOMAIN, url, credentials)
