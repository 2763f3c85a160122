"""The bot of a run, in a process of its own, so that it can be killed: connector, strategies, recorder, clock.

What Hummingbot's application does around them is done here: its database records the fills and keeps the tracked
orders, and a bot that is started again on the same folder begins with what is in there. Everything that the connector
announces is also written down line by line, for the comparison.
"""

import asyncio
import json
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hummingbot.client import settings as client_settings
from hummingbot.client.hummingbot_application import HummingbotApplication
from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_constants as CONSTANTS
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.connector.markets_recorder import MarketsRecorder
from hummingbot.core.clock import Clock, ClockMode
from hummingbot.core.event.event_forwarder import EventForwarder
from hummingbot.core.event.events import FundingPaymentCompletedEvent, MarketEvent, OrderFilledEvent
from hummingbot.core.rate_oracle.rate_oracle import RateOracle
from hummingbot.model.sql_connection_manager import SQLConnectionManager, SQLConnectionType

from tests.chaos.trader import QUOTED_PAIR, TRADED_PAIR, Quoting, Trading, strategies
from tests.venue.exchange import Credentials

PAIRS = (QUOTED_PAIR, TRADED_PAIR)
EVENTS_FILE = "events.jsonl"
ERRORS_FILE = "errors.jsonl"
LOG_FILE = "debug.log"
DATABASE = "trades.sqlite"

#: What is waited for so much shorter than in earnest, so that a run takes seconds. The sandbox works on an order for
#: less than a second (`order_delay`); Paradex may for thirty, and the real margin is a little longer than that.
SHORTENED = {
    "OUTCOME_MARGIN": 2.0,
    "REQUEST_TIMEOUT": 4.0,
    "WS_CALL_TIMEOUT": 3.0,
    "WS_BACKOFF_MAXIMUM": 2.0,
    "TOKEN_RETRY_MAXIMUM": 2.0,
    "BREAKER_MAXIMUM_PAUSE": 2.0,
    "FUNDING_POLL_INTERVAL": 5,
    "BOOK_SILENCE": 4.0,
    "BOOK_SNAPSHOT_TIMEOUT": 1.0,
}
RECV_WINDOW_MS = 2000
STATUS_POLL_INTERVAL = 3.0  # of 10
CHECK_NETWORK_INTERVAL = 2.0  # of Hummingbot's 10: the seconds that it lets pass until it starts a network again

_TICK = 0.25
_HEARTBEAT = 0.05
_CONFIG = "chaos.yml"  # Hummingbot keeps states and trades by the name of a config


@dataclass(frozen=True)
class BotOptions:
    """What the process is started with.

    :ivar folder: of this run; a bot that finds an earlier one's database there goes on from it
    :ivar dice: of the strategies
    """

    folder: Path
    url: str
    credentials: Credentials
    settings: Mapping[str, Any]
    dice: str


def run_bot(options: BotOptions, pipe: Connection) -> None:
    """The process. Says "ready" through `pipe`, then answers commands by their names until "stop"."""
    prepare_process(options)
    asyncio.run(ChaosBot(options, pipe).run())


def prepare_process(options: BotOptions) -> None:
    """Sets up what a bot needs of its process: shorter waiting times, Hummingbot's application, its log."""
    os.environ[CONSTANTS.SANDBOX_URL_VARIABLE] = options.url
    for name, value in SHORTENED.items():
        assert hasattr(CONSTANTS, name), name
        setattr(CONSTANTS, name, value)
    # The application that loggers and strategies look for; it wants a terminal, a configuration and a password.
    application: Any = SimpleNamespace(_mqtt=None, add_application_warning=lambda _: None, notify=lambda _: None)
    HummingbotApplication._main_app = application
    # Where Hummingbot keeps the name of the bot, which its orders carry, in every life.
    client_settings.CLIENT_CONFIG_PATH = options.folder / "conf_client.yml"
    client_settings.CLIENT_CONFIG_PATH.write_text("instance_id: chaos\n")
    _log_to(options.folder)


class ChaosBot:
    """Runs the connector with its recorder and its traders, and does what it is told."""

    def __init__(self, options: BotOptions, pipe: Connection):
        self._options = options
        self._pipe = pipe
        self._stalls = 0.0

    async def run(self) -> None:
        before = asyncio.all_tasks()
        heartbeat = asyncio.create_task(self._watch_loop())
        connector = self._connector = self._make_connector()
        recorder = self._make_recorder(connector)
        recorder.start()
        listener = EventForwarder(self._write_event)
        for tag in (MarketEvent.OrderFilled, MarketEvent.FundingPaymentCompleted):
            connector.add_listener(tag, listener)
        recorder.restore_market_states(_CONFIG, connector)
        for pair in PAIRS:
            RateOracle.get_instance().set_price(pair, Decimal(1))  # which Hummingbot asks other exchanges for
        traders = self._make_traders(connector)
        clock = Clock(ClockMode.REALTIME, tick_size=_TICK)
        for iterator in (connector, *traders):
            clock.add_iterator(iterator)
        with clock:
            ticking = asyncio.create_task(clock.run())
            await self._obey(traders)
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)
        for trader in traders:
            for task in (*trader.modifying, trader.listen_to_executor_actions_task):
                task.cancel()
            await trader.executor_orchestrator.stop()
        await connector.stop_network()
        heartbeat.cancel()
        if ending := asyncio.all_tasks() - before - {heartbeat}:
            # Cancels that have left are followed to their answer, over REST when the socket has taken it along.
            await asyncio.wait(ending, timeout=CONSTANTS.REQUEST_TIMEOUT + 1)
        left = [task for task in asyncio.all_tasks() - before if not task.done() and task is not heartbeat]
        self._pipe.send({"tasks": [_name_of(task) for task in left], "longest_stall": self._stalls})

    def _make_connector(self) -> ParadexPerpetualDerivative:
        credentials = self._options.credentials
        settings = {"recv_window": RECV_WINDOW_MS, "breaker_pause": Decimal("0.5"), **self._options.settings}
        connector = ParadexPerpetualDerivative(
            paradex_perpetual_api_secret=credentials.api_secret,
            paradex_perpetual_account_address=credentials.account_address,
            trading_pairs=list(PAIRS),
            domain=CONSTANTS.SANDBOX_DOMAIN,
            **{f"{CONSTANTS.EXCHANGE_NAME}_{name}": value for name, value in settings.items()},
        )
        connector.check_network_interval = CHECK_NETWORK_INTERVAL
        connector.LONG_POLL_INTERVAL = STATUS_POLL_INTERVAL
        return connector

    def _make_recorder(self, connector: ParadexPerpetualDerivative) -> MarketsRecorder:
        path = self._options.folder / DATABASE
        # Of the application's configuration, the recorder and its database want no more than this.
        client_config: Any = SimpleNamespace(db_mode=SimpleNamespace(get_url=lambda path: f"sqlite:///{path}"))
        database = SQLConnectionManager(client_config, SQLConnectionType.TRADE_FILLS, db_path=str(path))
        collection: Any = SimpleNamespace(market_data_collection_enabled=False)
        return MarketsRecorder(database, [connector], _CONFIG, "chaos", collection)

    def _make_traders(self, connector: ParadexPerpetualDerivative) -> list[Quoting | Trading]:
        return strategies(connector, self._options.dice)

    async def _obey(self, traders: list[Quoting | Trading]) -> None:
        commands: asyncio.Queue[str] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def receive() -> None:
            try:
                commands.put_nowait(self._pipe.recv())
            except EOFError:  # whoever gave the commands is gone
                commands.put_nowait("stop")

        loop.add_reader(self._pipe.fileno(), receive)
        try:
            while (command := await commands.get()) != "stop":
                if command == "ready":
                    self._pipe.send(self._connector.ready)
                elif command == "picture":
                    self._pipe.send(self._picture())
                elif command in ("pause", "resume"):
                    for trader in traders:
                        trader.paused = command == "pause"
                else:
                    self._do(command)
        finally:
            loop.remove_reader(self._pipe.fileno())

    def _do(self, command: str) -> None:
        raise ValueError(f"there is no command {command!r}")

    def _picture(self) -> dict[str, Any]:
        """What the connector shows to strategies at this moment; nothing is asked for."""
        connector = self._connector
        return {
            "waited": _waited_for_processor(),
            "ready": connector.ready,
            "status": connector.status_dict,
            "restriction": connector.order_restriction,
            "orders": {
                order.client_order_id: {
                    "id": order.exchange_order_id,
                    "pair": order.trading_pair,
                    "side": order.trade_type.name,
                    "price": order.price,
                    "amount": order.amount,
                    "executed": order.executed_amount_base,
                    "state": order.current_state.name,
                }
                for order in connector.in_flight_orders.values()
            },
            "positions": {
                pair: {"amount": position.amount, "entry_price": position.entry_price}
                for pair, position in connector.account_positions.items()
            },
            "total": connector.get_all_balances(),
            "available": {token: connector.get_available_balance(token) for token in connector.get_all_balances()},
            "books": {pair: self._book(pair) for pair in PAIRS},
        }

    def _book(self, pair: str) -> dict[str, Any]:
        book = self._connector.order_book_tracker.order_books.get(pair)
        if book is None:
            return {}
        return {
            "live": self._connector.is_book_live(pair),
            "bids": [(row.price, row.amount) for row in book.bid_entries()],
            "asks": [(row.price, row.amount) for row in book.ask_entries()],
        }

    def _write_event(self, event: Any) -> None:
        line: dict[str, Any]
        if isinstance(event, OrderFilledEvent):
            fee = sum((fee.amount for fee in event.trade_fee.flat_fees), Decimal(0))
            line = {
                "fill": event.exchange_trade_id,
                "order": event.order_id,
                "price": str(event.price),
                "amount": str(event.amount),
                "fee": str(fee),
            }
        else:
            assert isinstance(event, FundingPaymentCompletedEvent)
            line = {"payment": str(event.amount), "pair": event.trading_pair, "at": round(event.timestamp * 1e3)}
        _append(self._options.folder / EVENTS_FILE, {"life": os.getpid(), **line})

    async def _watch_loop(self) -> None:
        """Measures for how long the loop stood still, without the time in which other processes had the processor."""
        while True:
            started, waited = time.monotonic(), _waited_for_processor()
            await asyncio.sleep(_HEARTBEAT)
            stall = time.monotonic() - started - _HEARTBEAT - (_waited_for_processor() - waited)
            self._stalls = max(self._stalls, stall)


def _waited_for_processor() -> float:
    """Seconds that this thread was ready to run and did not; 0 where the system does not tell."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def _name_of(task: asyncio.Task[Any]) -> str:
    """What a task runs, and where it waits."""
    coroutine: Any = task.get_coro()
    # Hummingbot wraps most of its tasks in a function of its own.
    wrapped = coroutine.cr_frame.f_locals.get("c") if coroutine.cr_frame is not None else None
    innermost, place = coroutine, "its begin"
    while getattr(innermost, "cr_await", None) is not None:
        innermost = innermost.cr_await
        if getattr(innermost, "cr_frame", None) is not None:
            place = f"{innermost.__qualname__}:{innermost.cr_frame.f_lineno}"
    name = str(getattr(wrapped or coroutine, "__qualname__", coroutine))
    return f"{name} at {place}"


def _append(path: Path, line: Mapping[str, Any]) -> None:
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


class _ErrorsFile(logging.Handler):
    """Keeps what is logged as an error, one JSON object a line, with the exception if there was one."""

    def __init__(self, path: Path):
        super().__init__(logging.ERROR)
        self._path = path

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        line = {"logger": record.name, "text": record.getMessage(), "exception": repr(error) if error else None}
        _append(self._path, line)


def _log_to(folder: Path) -> None:
    everything = logging.FileHandler(folder / LOG_FILE)
    everything.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers = [everything, _ErrorsFile(folder / ERRORS_FILE)]
    root.setLevel(logging.DEBUG)
    logging.getLogger("sqlalchemy").setLevel(logging.WARNING)
