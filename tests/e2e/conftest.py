"""A sandbox and a connected bot for each test; both are ended with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.bot import Bot
from demo.exchange import Exchange
from demo.sandbox import Sandbox, running_sandbox
from tests.e2e.support import MARKET, Venture


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox on a free port, with `--data` below the test's folder."""
    with running_sandbox(tmp_path, "--data", str(tmp_path / "data")) as running:
        yield running


@pytest.fixture
def bot(tmp_path: Path, sandbox: Sandbox) -> Iterator[Bot]:
    """A bot in a new home, not connected to anything yet."""
    bot = Bot.in_new_home(tmp_path / "home", sandbox.url)
    yield bot
    bot.make_sure_it_ended()


@pytest.fixture
def venture(sandbox: Sandbox, bot: Bot) -> Venture:
    """A bot with the keys of a funded account."""
    account = sandbox.create_account()
    bot.connect(account)
    return Venture(sandbox, account, bot, Exchange(sandbox.url, account, MARKET))
