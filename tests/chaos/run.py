"""One run: a bot trades, faults strike, and at checkpoints its picture is compared with the exchange's."""

import asyncio
import json
import multiprocessing
import re
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.chaos import bot as bot_module
from tests.chaos.comparison import Heard, differences, fill_differences, payment_differences, said_orders
from tests.chaos.exchange import Sandbox, Witness
from tests.chaos.schedule import KILL_BOT, RESTART_SANDBOX, Plan, Step, plan_of
from tests.venue.exchange import Credentials, Refusal

#: Seconds after the faults are gone, within which the pictures must be equal; those in which the bot was ready to run
#: and other processes had the processor do not count.
HEALING_TIME = 15.0
STALL = 1.0  # seconds for which the bot's loop may stand still at most

_START_TIMEOUT = 200.0  # many may start side by side
_ANSWER_TIMEOUT = 120.0
_POLL = 0.2
_MARKET_MOVES_MS = 300
_MARKET_MOVES_FOR = 6.0  # seconds of the healing time; then it stands still
_MARKET_STANDS = 5  # polls, between two of its moves
_KINDS_WITH_ACCOUNT = ("bust_trade", "revoke_subkey")

_JWT = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}")
_SIGNATURE = re.compile(r"\b\d{60,}\b")


@dataclass
class Report:
    """What came of a run.

    :ivar faults: how often each kind was injected, alone or in a pair
    :ivar pairs: how often each pair was injected
    :ivar differences: none, if all is well
    :ivar healed: seconds from the end of the faults until all was equal, for each checkpoint
    """

    seed: int
    description: str
    faults: Counter[str] = field(default_factory=Counter)
    pairs: Counter[str] = field(default_factory=Counter)
    accidents: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)
    healed: list[float] = field(default_factory=list)
    fills: int = 0
    orders: int = 0
    payments: int = 0
    longest_stall: float = 0.0
    seconds: float = 0.0
    folder: str = ""


# A process that has imported everything once; the bots are forked from it.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.chaos.bot"])


class BotProcess:
    """The process of `bot.py`.

    :param target: what runs in it
    """

    def __init__(self, options: bot_module.BotOptions, target: Callable[[Any, Connection], None] = bot_module.run_bot):
        self._pipe: Connection
        self._pipe, there = _processes.Pipe()
        self._process: BaseProcess = _processes.Process(target=target, args=(options, there), daemon=True)
        self._process.start()
        there.close()

    @property
    def life(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    async def ask(self, command: str, timeout: float = _ANSWER_TIMEOUT) -> Any:
        """:raises RuntimeError: if it does not answer"""
        self._pipe.send(command)
        loop = asyncio.get_running_loop()
        answered = asyncio.Event()
        loop.add_reader(self._pipe.fileno(), answered.set)
        try:
            async with asyncio.timeout(timeout):
                await answered.wait()
            return self._pipe.recv()
        except (TimeoutError, EOFError, OSError) as error:
            raise RuntimeError(f"the bot does not answer {command!r} ({error!r})") from None
        finally:
            loop.remove_reader(self._pipe.fileno())

    def tell(self, command: str) -> None:
        self._pipe.send(command)

    async def is_ready(self) -> None:
        """:raises AssertionError: if that takes too long"""
        deadline = time.monotonic() + _START_TIMEOUT
        while not await self.ask("ready", _START_TIMEOUT):
            assert time.monotonic() < deadline, "the bot did not get ready"
            await asyncio.sleep(_POLL)

    async def kill(self) -> None:
        """As `kill -9` does."""
        self._process.kill()
        await self.has_ended()
        self._pipe.close()

    async def has_ended(self) -> int | None:
        """:return: its exit code, negative after a signal; None if it does not end"""
        await asyncio.to_thread(self._process.join, _ANSWER_TIMEOUT)
        return self._process.exitcode


class Run:
    """See the module."""

    def __init__(
        self,
        plan: Plan,
        report: Report,
        folder: Path,
        sandbox: Sandbox,
        credentials: Credentials,
        public_key: str,
        slowness: float,
    ):
        self.report = report
        self._slowness = slowness
        self._plan = plan
        self._folder = folder
        self._sandbox = sandbox
        self._credentials = credentials
        self._public_key = public_key
        self._witness = Witness(sandbox.url, credentials)
        self._lives = 0
        self._busted_orders: set[str] = set()
        self._waited = 0.0  # seconds, as the bot said last
        self._bot = self._new_bot()
        self._ready_at = 0

    async def play(self) -> None:
        """Plays the plan; what is found is in the report."""
        async with self._witness:
            try:
                await self._is_ready()
                for number, phase in enumerate(self._plan.phases):
                    if number:
                        self._bot.tell("resume")
                    for step in phase:
                        await self._play_step(step)
                    await self._check()
                await self._check_end()
            finally:
                await self._bot.kill()

    # === The bot's lives ===

    def _new_bot(self) -> BotProcess:
        self._lives += 1
        dice = f"{self._plan.seed}/{self._lives}"
        options = bot_module.BotOptions(self._folder, self._sandbox.url, self._credentials, self._plan.settings, dice)
        return BotProcess(options)

    async def _is_ready(self) -> None:
        await self._bot.is_ready()
        self._ready_at = (await self._sandbox.control("GET", "/clock"))["now"]

    async def _kill_bot(self) -> None:
        await self._bot.kill()
        self._bot = self._new_bot()
        # With the faults still there, or half of the starts would be easy ones.
        await asyncio.sleep(1.0)

    # === Faults ===

    async def _play_step(self, step: Step) -> None:
        sandbox = self._sandbox
        for fault in step.faults:
            if await self._inject(dict(fault)):
                self.report.faults[fault["kind"]] += 1
        if len(step.kinds) == 2:
            self.report.pairs[" + ".join(step.kinds)] += 1
        await asyncio.sleep(step.seconds)
        if step.accident == KILL_BOT:
            await self._kill_bot()
        elif step.accident == RESTART_SANDBOX:
            await sandbox.restart(kill=self._plan.seed % 2 == 0)
        if step.accident:
            self.report.accidents[step.accident] += 1
        await sandbox.control("DELETE", "/faults")
        if "revoke_subkey" in step.kinds:
            with suppress(Refusal):  # it may not have been revoked
                await sandbox.control(
                    "POST", f"/accounts/{self._credentials.account_address}/subkeys", {"public_key": self._public_key}
                )
        if step.accident == KILL_BOT:
            await self._is_ready()

    async def _inject(self, fault: dict[str, Any]) -> bool:
        kind = fault["kind"]
        if kind in _KINDS_WITH_ACCOUNT:
            fault["account"] = self._credentials.account_address
        if kind == "bust_trade":
            fills = await self._witness_fills()
            if not fills:
                return False
            self._busted_orders.add(next(iter(fills.values()))["order"])
        await self._sandbox.control("POST", "/faults", fault)
        return True

    async def _witness_fills(self) -> dict[str, dict[str, Any]]:
        """The fills of the moment, the newest first; none while a fault keeps them back."""
        try:
            return await self._witness.fills()
        except Exception:  # a fault meets the witness too, in any way that it may meet a client
            return {}

    # === Checkpoints ===

    async def _check(self) -> None:
        """Compares, while no strategy acts and the market stands still, until all is equal or the time is over."""
        sandbox, started = self._sandbox, time.monotonic()
        self._bot.tell("pause")
        waited = self._waited = (await self._bot.ask("picture"))["waited"]
        # The witness asks in the name of the same account, and shall not use up what the bot may ask.
        await sandbox.control("POST", "/settings", {"rate_limits": False})
        found = ["nothing was compared"]
        frozen_at = time.monotonic()
        await sandbox.control("POST", "/clock", {"freeze": True})
        polls = 0
        while found and time.monotonic() - started - (self._waited - waited) < HEALING_TIME * self._slowness:
            if polls % _MARKET_STANDS == 0 and time.monotonic() - started < _MARKET_MOVES_FOR:
                await sandbox.control("POST", "/clock", {"advance_ms": _MARKET_MOVES_MS})
                frozen_at += _MARKET_MOVES_MS / 1e3
            polls += 1
            await asyncio.sleep(_POLL)
            found = await self._differences()
        self.report.healed.append(round(time.monotonic() - started, 2))
        self.report.differences += [f"checkpoint {len(self.report.healed)}: {text}" for text in found]
        behind = max(0, int((time.monotonic() - frozen_at) * 1e3))
        await sandbox.control("POST", "/clock", {"freeze": False, "advance_ms": behind})
        await sandbox.control("POST", "/settings", {"rate_limits": True})

    async def _differences(self) -> list[str]:
        bot = await self._bot.ask("picture")
        self._waited = bot["waited"]
        exchange = await self._sandbox.picture(self._credentials.account_address)
        for client_id in self._busted_orders & set(bot["orders"]) & set(exchange["orders"]):
            # What Hummingbot has counted as filled stays counted; the bot has said so.
            bot["orders"][client_id]["executed"] = exchange["orders"][client_id]["executed"]
        found = differences(bot, exchange)
        if found:
            return found  # the lists cost more
        heard = Heard(self._folder)
        fills = {**await self._witness.busted(), **await self._witness.fills()}
        payments = await self._witness.payments()
        self.report.fills, self.report.payments = len(heard.fills), len(heard.payments)
        return [
            *fill_differences(heard, self._recorded(), fills, said_orders(self._folder) - self._recorded_orders()),
            *payment_differences(heard, self._bot.life, self._ready_at, payments),
        ]

    def _recorded(self) -> set[str]:
        return self._read_database("SELECT exchange_trade_id FROM TradeFill")

    def _recorded_orders(self) -> set[str]:
        return self._read_database('SELECT id FROM "Order"')

    def _read_database(self, query: str) -> set[str]:
        with closing(sqlite3.connect(self._folder / bot_module.DATABASE)) as database:
            return {row[0] for row in database.execute(query)}

    # === The end ===

    async def _check_end(self) -> None:
        end = await self._bot.ask("stop")
        self.report.longest_stall = round(end["longest_stall"], 3)
        found = [f"stop_network left a task: {task}" for task in end["tasks"]]
        if end["longest_stall"] > STALL * self._slowness:
            found.append(f"the event loop stood still for {end['longest_stall']:.2f} s")
        found += self._logged_errors()
        found += self._secrets_in_files()
        if "Traceback" in self._sandbox.log():
            found.append(f"the sandbox failed: {self._sandbox.log()}")
        self.report.orders = len(await self._witness.all("/orders-history"))
        self.report.differences += [f"end: {text}" for text in found]

    def _logged_errors(self) -> Iterator[str]:
        path = self._folder / bot_module.ERRORS_FILE
        for line in path.read_text().splitlines() if path.exists() else ():
            error = json.loads(line)
            if error["exception"]:
                yield f"error with a traceback: {error['logger']}: {error['text']} ({error['exception']})"

    def _secrets_in_files(self) -> Iterator[str]:
        key = self._credentials.api_secret.removeprefix("0x").lower()
        for name in (bot_module.LOG_FILE, bot_module.ERRORS_FILE, bot_module.EVENTS_FILE):
            path = self._folder / name
            for line in path.read_text().splitlines() if path.exists() else ():
                if key in line.lower():
                    yield f"the key is in {name}"
                elif _JWT.search(line) or _SIGNATURE.search(line):
                    yield f"a token or a signature is in {name}: {line[:100]}…"


@contextmanager
def _folder_of(seed: int, keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        folder = keep / f"seed-{seed}-{time.time_ns()}"
        folder.mkdir(parents=True)
        yield folder
    else:
        with tempfile.TemporaryDirectory(prefix=f"chaos-{seed}-") as name:
            yield Path(name)


async def run_seed(seed: int, keep: Path | None = None, slowness: float = 1.0) -> Report:
    """Makes a sandbox and a bot, and plays a seed's plan.

    :param keep: where the folder of the run, with its logs, is left; else it is removed
    :param slowness: by which the healing time and the longest stall are multiplied
    """
    started = time.monotonic()
    report = Report(seed, "not begun")
    try:
        with _folder_of(seed, keep) as folder:
            async with Sandbox(folder, seed) as sandbox:
                plan = plan_of(seed, (await sandbox.control("GET", "/faults/kinds"))["results"])
                await sandbox.control("POST", "/settings", {"private_encoding": plan.private_encoding})
                report = Report(seed, plan.describe(), folder=str(folder))
                credentials, public_key = await sandbox.make_account()
                await Run(plan, report, folder, sandbox, credentials, public_key, slowness).play()
    except Exception as error:  # whatever it is, it is what this seed has brought to light
        report.differences.append(f"the run ended: {error!r}")
    report.seconds = round(time.monotonic() - started, 1)
    return report
