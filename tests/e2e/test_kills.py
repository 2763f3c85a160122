"""A bot that is killed at an instant of an order's life, and started again: it knows what the exchange knows.

The instants are made by faults of the sandbox and by a recorder that ends the process, so that none depends on time.
"""

import asyncio
import signal
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.bot import DATABASE
from tests.chaos.comparison import said_orders
from tests.chaos.exchange import Sandbox, Witness
from tests.chaos.run import BotProcess
from tests.e2e.killable import (
    AFTER_FILL_IS_RECORDED,
    BEFORE_CREATED_IS_RECORDED,
    BEFORE_FILL_IS_RECORDED,
    BEFORE_IT_IS_SENT,
    KillableOptions,
    run_killable,
)
from tests.venue.exchange import Credentials
from tests.venue.waiting import until

SYMBOL = "BTC-USD-PERP"
SIZE = "0.01"
PATIENCE = 150.0  # seconds, for a machine with other things to do


class Scene:
    """A sandbox, an account, and the bots that trade with it one after the other, on one folder."""

    def __init__(self, folder: Path, sandbox: Sandbox, credentials: Credentials):
        self._folder, self._sandbox, self._credentials = folder, sandbox, credentials
        self._bots: list[BotProcess] = []
        self.witness = Witness(sandbox.url, credentials)

    async def bot(self, dies: str | None = None, **settings: Any) -> BotProcess:
        options = KillableOptions(self._folder, self._sandbox.url, self._credentials, settings, "", dies)
        bot = BotProcess(options, run_killable)  # type: ignore[arg-type]
        self._bots.append(bot)
        await bot.is_ready()
        return bot

    async def fault(self, kind: str, **parameters: Any) -> None:
        await self._sandbox.control("POST", "/faults", {"kind": kind, **parameters})

    async def repair(self) -> None:
        await self._sandbox.control("DELETE", "/faults")

    async def strikes(self) -> None:
        """Waits until every fault that is armed for one time has struck."""

        async def none_is_left() -> bool:
            faults = (await self._sandbox.control("GET", "/faults"))["results"]
            return not any(fault["remaining"] for fault in faults)

        await until(none_is_left, "the fault has struck", timeout=PATIENCE, pause=0.02)

    async def picture(self) -> dict[str, Any]:
        return await self._sandbox.picture(self._credentials.account_address)

    async def price(self) -> str:
        """Of a bid that nobody takes."""
        bid = Decimal((await self.witness.get(f"/bbo/{SYMBOL}"))["bid"])
        return str(int(bid * Decimal("0.98")))

    async def open_orders(self) -> set[str]:
        return set((await self.picture())["orders"])

    def recorded_fills(self) -> set[str]:
        with closing(sqlite3.connect(self._folder / DATABASE)) as database:
            return {row[0] for row in database.execute("SELECT exchange_trade_id FROM TradeFill")}

    def said(self) -> set[str]:
        """The orders that the bots have warned about."""
        return said_orders(self._folder)

    async def is_equal(self, bot: BotProcess) -> None:
        """Waits until the bot has the exchange's orders and positions."""

        async def same() -> bool:
            own, other = await bot.ask("picture"), await self.picture()
            sizes = {pair: position["amount"] for pair, position in other["positions"].items()}
            return set(own["orders"]) == set(other["orders"]) and sizes == {
                pair: position["amount"] for pair, position in own["positions"].items()
            }

        await until(same, "the bot knows what the exchange knows", timeout=PATIENCE)

    async def end(self) -> None:
        for bot in self._bots:
            await bot.kill()


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Callable[[], Awaitable[Scene]]]:
    scenes: list[Scene] = []
    async with Sandbox(tmp_path, seed=5) as sandbox:

        async def make() -> Scene:
            credentials, _ = await sandbox.make_account()
            folder = tmp_path / f"bot-{len(scenes)}"
            folder.mkdir()
            scenes.append(Scene(folder, sandbox, credentials))
            await scenes[-1].witness.__aenter__()
            return scenes[-1]

        yield make
        for scene in scenes:
            await scene.end()
            await scene.witness.__aexit__(None, None, None)
        assert "Traceback" not in sandbox.log()


async def test_a_bot_killed_at_any_instant_of_an_orders_life_knows_it_afterwards(
    make: Callable[[], Awaitable[Scene]],
) -> None:
    # Each on an account of its own; those that need a fault of the sandbox, which strikes everybody, not together.
    together = (unsent, not_recorded, fill_not_recorded, fill_recorded)
    await asyncio.gather(*[instant(await make()) for instant in together])
    for instant in (unanswered, late):
        await instant(await make())


async def unsent(scene: Scene) -> None:
    """The order is written down and signed, and has not left."""
    bot = await scene.bot(BEFORE_IT_IS_SENT)
    bot.tell(f"rest {await scene.price()} {SIZE}")
    assert await bot.has_ended() == -signal.SIGKILL
    again = await scene.bot()
    assert await scene.witness.all("/orders-history") == []
    await scene.is_equal(again)
    assert (await again.ask("picture"))["orders"] == {}


async def unanswered(scene: Scene) -> None:
    """The exchange has taken the order, and the bot does not hear of it in any way."""
    bot = await scene.bot(order_entry="websocket")
    await scene.fault("freeze_stream", channel="orders")
    await scene.fault("http_error", path="/orders", method="GET")
    await scene.fault("rpc_silence", call="order.create", count=1)
    bot.tell(f"rest {await scene.price()} {SIZE}")
    await until(scene.open_orders, "the exchange has it", timeout=PATIENCE, pause=0.02)
    (order_id,) = await scene.open_orders()
    await bot.kill()
    await scene.repair()
    again = await scene.bot(unknown_orders="adopt")
    await scene.is_equal(again)
    assert set((await again.ask("picture"))["orders"]) == {order_id} == scene.said()


async def late(scene: Scene) -> None:
    """The exchange takes the order when the bot is gone already."""
    bot = await scene.bot(order_entry="rest")
    await scene.fault("order_delay", delay_ms=1500, count=1)
    bot.tell(f"rest {await scene.price()} {SIZE}")
    await scene.strikes()
    await bot.kill()
    again = await scene.bot()

    async def settled() -> bool:
        history = await scene.witness.all("/orders-history")
        return [order["cancel_reason"] for order in history] == ["USER_CANCELED"]

    await until(settled, "it came late and is cancelled", timeout=PATIENCE)
    await scene.is_equal(again)
    assert len(scene.said()) == 1


async def not_recorded(scene: Scene) -> None:
    """The answer has come, and the order is not written down."""
    bot = await scene.bot(BEFORE_CREATED_IS_RECORDED)
    bot.tell(f"rest {await scene.price()} {SIZE}")
    assert await bot.has_ended() == -signal.SIGKILL
    (order_id,) = await scene.open_orders()
    again = await scene.bot()
    await until(lambda: _is_empty(scene), "it is cancelled", timeout=PATIENCE)
    await scene.is_equal(again)
    assert scene.said() == {order_id}


async def _is_empty(scene: Scene) -> bool:
    return not await scene.open_orders()


async def fill_not_recorded(scene: Scene) -> None:
    """The fill has been told, and is not written down: the next life tells it again, and once."""
    bot = await scene.bot(BEFORE_FILL_IS_RECORDED)
    bot.tell(f"take {SIZE}")
    assert await bot.has_ended() == -signal.SIGKILL
    assert scene.recorded_fills() == set()
    again = await scene.bot()
    await scene.is_equal(again)
    await _fills_are_recorded(scene)


async def fill_recorded(scene: Scene) -> None:
    """The fill is written down, the order's end is not."""
    bot = await scene.bot(AFTER_FILL_IS_RECORDED)
    bot.tell(f"take {SIZE}")
    assert await bot.has_ended() == -signal.SIGKILL
    assert len(scene.recorded_fills()) == 1
    again = await scene.bot()
    await scene.is_equal(again)
    await _fills_are_recorded(scene)
    assert (await again.ask("picture"))["orders"] == {}


async def _fills_are_recorded(scene: Scene) -> None:
    fills = set(await scene.witness.fills())
    assert fills
    await until(lambda: scene.recorded_fills() == fills, "the fills are recorded", timeout=PATIENCE)
