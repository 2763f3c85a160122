"""What the end-to-end tests share: a bot of their own on a sandbox of their own, and two witnesses of what happened."""

import shutil
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import yaml
from paradex_py.common.order import Order, OrderSide, OrderType

from demo.bot import TEMPLATES, Bot
from demo.exchange import Exchange, Snapshot
from demo.sandbox import Account, Sandbox

MARKET = "BTC-USD-PERP"
SCRIPT = "paradex_market_making.py"
CONFIG = "conf_paradex_market_making_sandbox.yml"
SCRIPTS = Path(__file__).with_name("scripts")
PATIENCE = 180.0  # seconds, for what takes some on a machine that has nothing else to do


def wait_until[T](look: Callable[[], T], what: str, timeout: float = PATIENCE) -> T:
    """Looks until there is something to see and gives it; fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {timeout:.0f} seconds: {what}"
        time.sleep(0.25)
    return seen


@dataclass
class Venture:
    """A bot, its account and the exchange's own view of it."""

    sandbox: Sandbox
    account: Account
    bot: Bot
    exchange: Exchange

    def configure(self, config: str = CONFIG, **settings: object) -> None:
        """Installs the market-making script with its sandbox config, some settings changed."""
        self.bot.install(SCRIPT, CONFIG)
        template = yaml.safe_load((TEMPLATES / "conf" / "scripts" / CONFIG).read_text(encoding="utf-8"))
        path = self.bot.home.conf / "scripts" / config
        path.write_text(yaml.safe_dump({**template, **settings}), encoding="utf-8")

    def install_script(self, name: str) -> str:
        """Installs a script of these tests with an empty config.

        :return: the config's name
        """
        shutil.copy(SCRIPTS / name, self.bot.home.path / "scripts")
        config = f"conf_{Path(name).stem}.yml"
        (self.bot.home.conf / "scripts" / config).write_text(f"script_file_name: {name}\n", encoding="utf-8")
        return config

    def wait_for_quotes(self) -> Snapshot:
        """Waits until the bot has orders on both sides."""

        def look() -> Snapshot | None:
            snapshot = self.exchange.snapshot()
            return snapshot if snapshot.orders_of("BUY") and snapshot.orders_of("SELL") else None

        return wait_until(look, "quotes on both sides")

    def trade_until_filled(self, after: Snapshot | None = None) -> Snapshot:
        """Waits for fills on both sides; only those after `after` count."""
        known = {fill.key for fill in after.fills} if after is not None else set()

        def look() -> Snapshot | None:
            snapshot = self.exchange.snapshot()
            sides = {fill.side for fill in snapshot.fills if fill.key not in known}
            return snapshot if sides == {"BUY", "SELL"} else None

        return wait_until(look, "fills on both sides")

    def hold_mark_price(self, price: str) -> None:
        """Stops the market's random walk at a price; the other traders follow within a second."""
        url = self.sandbox.url.removesuffix("/v1") + "/sandbox/mark_price"
        httpx.post(url, json={"market": MARKET, "price": price}, trust_env=False).raise_for_status()

    def trade_by_hand(self, side: str, size: Decimal) -> None:
        """Sends a market order of the account that the bot knows nothing of, and waits for its fill."""
        order = Order(MARKET, OrderType.Market, OrderSide(side), size)
        before = len(self.exchange.snapshot().fills)
        self.exchange.client.submit_order(order)
        wait_until(lambda: len(self.exchange.snapshot().fills) > before, "the market order is filled")

    def order_history(self) -> list[Mapping[str, Any]]:
        """Every order that the account has had, as the exchange reports it."""
        return list(self.exchange.pages(self.exchange.client.fetch_orders_history))

    def leverage(self) -> int:
        """The leverage that is set on the exchange."""
        client = self.exchange.client
        margin = client.get(client.api_url, "account/margin", params={"market": MARKET})
        return next(int(entry["leverage"]) for entry in margin["configs"] if entry["market"] == MARKET)

    def recorded_fills(self) -> list[str]:
        """The ids of the fills in the bot's database, from which `hbot history` is computed."""
        return [
            row[0]
            for path in self.bot.home.data.glob("*.sqlite")
            for row in _rows(path, "SELECT exchange_trade_id FROM TradeFill")
        ]

    def recorded_orders(self) -> set[str]:
        """The client ids of the orders in the bot's database, from which it restores them."""
        return {row[0] for path in self.bot.home.data.glob("*.sqlite") for row in _rows(path, 'SELECT id FROM "Order"')}

    def assert_nothing_is_lost(self) -> Snapshot:
        """Compares the bot's books with the exchange's, after the bot has stopped.

        :return: what the exchange says
        """
        last = self.exchange.snapshot()
        assert last.orders == []
        assert sorted(self.recorded_fills()) == sorted(fill.key for fill in last.fills)
        history = self.bot.history()
        assert (history.buys, history.sells) == (len(last.fills_of("BUY")), len(last.fills_of("SELL")))
        return last


def _rows(path: Path, query: str) -> list[tuple[str, ...]]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()
