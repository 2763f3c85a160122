"""A bot in a process of its own that does what it is told, and dies at the instant that it is told."""

import asyncio
import os
import signal
from dataclasses import dataclass
from decimal import Decimal
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any

from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.connector.markets_recorder import MarketsRecorder
from hummingbot.core.data_type.common import OrderType, PositionAction
from hummingbot.model.sql_connection_manager import SQLConnectionManager, SQLConnectionType

from tests.chaos.bot import DATABASE, BotOptions, ChaosBot, prepare_process
from tests.chaos.trader import QUOTED_PAIR

CONFIG = "chaos.yml"
BEFORE_IT_IS_SENT = "before it is sent"
BEFORE_CREATED_IS_RECORDED = "before created is recorded"
BEFORE_FILL_IS_RECORDED = "before fill is recorded"
AFTER_FILL_IS_RECORDED = "after fill is recorded"


@dataclass(frozen=True)
class KillableOptions(BotOptions):
    """:ivar dies: at which instant, or None"""

    dies: str | None = None


def die() -> None:
    """As `kill -9`, at this very instruction."""
    os.kill(os.getpid(), signal.SIGKILL)


class DyingRecorder(MarketsRecorder):
    """Hummingbot's recorder, in which the process ends."""

    dies: str | None = None

    def _did_create_order(self, *arguments: Any) -> None:
        if self.dies == BEFORE_CREATED_IS_RECORDED:
            die()
        super()._did_create_order(*arguments)

    def _did_fill_order(self, *arguments: Any) -> None:
        if self.dies == BEFORE_FILL_IS_RECORDED:
            die()
        super()._did_fill_order(*arguments)
        if self.dies == AFTER_FILL_IS_RECORDED:
            die()


class KillableBot(ChaosBot):
    """Commands: `rest PRICE SIZE` and `take SIZE` buy."""

    _options: KillableOptions

    def _make_traders(self, connector: ParadexPerpetualDerivative) -> list[Any]:
        return []

    def _make_recorder(self, connector: ParadexPerpetualDerivative) -> MarketsRecorder:
        path = self._options.folder / DATABASE
        client_config: Any = SimpleNamespace(db_mode=SimpleNamespace(get_url=lambda path: f"sqlite:///{path}"))
        database = SQLConnectionManager(client_config, SQLConnectionType.TRADE_FILLS, db_path=str(path))
        collection: Any = SimpleNamespace(market_data_collection_enabled=False)
        recorder = DyingRecorder(database, [connector], CONFIG, "killable", collection)
        recorder.dies = self._options.dies

        async def write_down_and_die(*_: Any) -> list[Any]:
            with database.get_new_session() as session, session.begin():
                recorder.save_market_states(CONFIG, connector, session)  # as any event of the connector has it done
            die()
            raise AssertionError("unreachable")

        if recorder.dies == BEFORE_IT_IS_SENT:
            connector._order_entry._submits._send = write_down_and_die
        return recorder

    def _do(self, command: str) -> None:
        word, *numbers = command.split()
        if word in ("rest", "take"):
            *price, size = map(Decimal, numbers)
            order_type = OrderType.LIMIT_MAKER if price else OrderType.MARKET
            options = {"price": price[0]} if price else {}
            self._connector.buy(QUOTED_PAIR, size, order_type, position_action=PositionAction.OPEN, **options)
        else:
            super()._do(command)


def run_killable(options: KillableOptions, pipe: Connection) -> None:
    """The process."""
    prepare_process(options)
    asyncio.run(KillableBot(options, pipe).run())
