"""A demo from its start to its end: sandbox, account, bot, a while of trading, summary."""

import shutil
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from demo.bot import Bot
from demo.errors import DemoError
from demo.exchange import Exchange, Snapshot
from demo.processes import end_strays, only_one
from demo.report import print_summary
from demo.sandbox import Account, running_sandbox
from demo.summary import Summary, summarize
from demo.view import Progress, View, make_view

SCRIPT = "paradex_market_making.py"
CONFIG = "conf_paradex_market_making_sandbox.yml"
TRADING_PAIR = "BTC-USDC"
MARKET = "BTC-USD-PERP"

_LOOK_INTERVAL = 1.0  # seconds between two looks at the exchange
_STATUS_INTERVAL = 8.0  # seconds between two `hbot status`
_OVERTIME = 120.0  # seconds more, while one side has not been filled


@dataclass(frozen=True)
class Options:
    """What a user can choose."""

    folder: Path
    """Where the demo works; everything that it writes is there."""
    seconds: float = 50.0
    """How long the bot trades. Longer, by at most half a minute, until both sides have been filled."""
    seed: int = 1
    """The sandbox's: same seed, same market."""
    plain: bool = False
    """Lines also on a terminal."""
    keep: bool = False
    """Whether the bot's home stays after a success."""


def run(options: Options, console: Console) -> Summary:
    """Runs a demo and prints its summary.

    Whatever happens, the bot and the sandbox have ended when this returns or raises.

    :raises DemoError: if something that it needs does not work
    """
    folder = options.folder.resolve()
    view = make_view(console, options.plain)
    with ExitStack() as stack:
        stack.enter_context(only_one(folder))
        end_strays(folder)
        stack.callback(view.close)
        view.step("Starting a Paradex sandbox")
        sandbox = stack.enter_context(running_sandbox(folder, "--seed", str(options.seed)))
        account = sandbox.create_account()
        view.step(f"It is at {sandbox.url}; account {account.address[:10]}... is made and funded")
        bot = Bot.in_new_home(folder / "home", sandbox.url)
        stack.callback(bot.make_sure_it_ended)
        executor = stack.enter_context(ThreadPoolExecutor(max_workers=1))
        # The SDK takes seconds to load; the bot gets connected meanwhile.
        exchange = executor.submit(Exchange, sandbox.url, account, MARKET)
        _connect(bot, account, view)
        summary = _trade(bot, exchange.result(), options.seconds, view)
    print_summary(console, summary)
    if summary.succeeded and not options.keep:
        shutil.rmtree(folder / "home")
    else:
        console.print(f"  The bot's home, with its log, is {folder / 'home'}", highlight=False, soft_wrap=True)
    return summary


def _connect(bot: Bot, account: Account, view: View) -> None:
    view.step("hbot connect: storing the account's keys, encrypted")
    bot.connect(account)
    view.step("hbot connect: testing them")
    bot.test_connection()
    view.step("hbot balance")
    balance = bot.balance()
    view.step(f"The account holds {balance:,.2f} USDC")


def _trade(bot: Bot, exchange: Exchange, seconds: float, view: View) -> Summary:
    first = exchange.snapshot()
    bot.install(SCRIPT, CONFIG)
    view.step(f"hbot start {CONFIG}")
    bot.start(CONFIG)
    snapshots = _watch(bot, exchange, first, seconds, view)
    view.close()
    view.step("hbot stop")
    bot.stop()
    last = exchange.snapshot()
    view.step("hbot history")
    return summarize(
        snapshots=snapshots,
        first=first,
        last=last,
        history=bot.history(),
        problems=bot.problems(),
        warnings=len(bot.warnings()),
    )


def _watch(bot: Bot, exchange: Exchange, first: Snapshot, seconds: float, view: View) -> list[Snapshot]:
    """Shows what happens until the time is over. Raises DemoError if the bot ends by itself."""
    snapshots: list[Snapshot] = []
    started_at = time.monotonic()
    with _StatusReader(bot) as reader:
        while True:
            snapshot = exchange.snapshot()
            snapshots.append(snapshot)
            elapsed = time.monotonic() - started_at
            view.show(Progress(TRADING_PAIR, snapshot, first.account_value, elapsed, seconds, reader.latest))
            if bot.process() is None:
                raise DemoError(f"the bot has ended by itself, see {bot.home.logs}")
            both = snapshot.fills_of("BUY") and snapshot.fills_of("SELL")
            if elapsed >= seconds and (both or elapsed >= seconds + _OVERTIME):
                return snapshots
            time.sleep(_LOOK_INTERVAL)


class _StatusReader:
    """Asks `hbot status` now and then, beside everything else: it takes a second."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._stop = threading.Event()
        self._executor = ThreadPoolExecutor(max_workers=1)
        self._task: Future[None] | None = None
        self.latest: Mapping[str, Any] = {}

    def __enter__(self) -> "_StatusReader":
        self._task = self._executor.submit(self._read)
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        self._executor.shutdown()
        if error is None and self._task is not None:
            self._task.result()  # raises what went wrong there

    def _read(self) -> None:
        while not self._stop.wait(_STATUS_INTERVAL):
            self.latest = self._bot.status()
