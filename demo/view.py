"""What a demo shows while it runs: a live table on a terminal, plain lines elsewhere."""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from demo.exchange import Snapshot
from demo.report import signed

PLAIN_INTERVAL = 5.0  # seconds between two lines
# The table does not jump: it has room for so many.
_LEVELS_SHOWN = 3
_FILLS_SHOWN = 6
_OTHER_LINES = 22  # of the screen, without the fills
_BPS = Decimal("1e-4")


@dataclass
class Progress:
    """What is known while the bot trades."""

    trading_pair: str
    snapshot: Snapshot
    start_value: Decimal
    elapsed: float
    """Seconds since the strategy started."""
    planned: float
    """Seconds that it is to trade."""
    bot_status: Mapping[str, Any] = field(default_factory=dict)
    """The latest `hbot status --json`; empty before the first."""

    @property
    def value_change(self) -> Decimal:
        return self.snapshot.account_value - self.start_value


class View(ABC):
    """Tells the user what is going on."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @abstractmethod
    def step(self, text: str) -> None:
        """Something is being done now."""

    @abstractmethod
    def show(self, progress: Progress) -> None:
        """The bot is trading; called about once a second."""

    def close(self) -> None:  # noqa: B027 - what shows nothing live has nothing to close
        """The trading is over; may be called more than once."""


class PlainView(View):
    """Lines, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._started_at = time.monotonic()
        self._next_line = 0.0

    def step(self, text: str) -> None:
        self._line(text)

    def show(self, progress: Progress) -> None:
        if progress.elapsed < self._next_line:
            return
        self._next_line = progress.elapsed + PLAIN_INTERVAL
        snapshot = progress.snapshot
        quotes = ", ".join(
            f"{name} {f'{_price(orders[0].price)} x{len(orders)}' if orders else 'none'}"
            for name, orders in (("bid", snapshot.orders_of("BUY")), ("ask", snapshot.orders_of("SELL")))
        )
        self._line(
            f"mid {_price(snapshot.mid)} | our {quotes} | "
            f"bought {len(snapshot.fills_of('BUY'))}, sold {len(snapshot.fills_of('SELL'))} times | "
            f"position {_position(snapshot)} | "
            f"account {snapshot.account_value:,.2f} ({signed(progress.value_change, 2)}) USDC"
        )

    def _line(self, text: str) -> None:
        self.console.print(f"[{time.monotonic() - self._started_at:5.1f} s] {text}", markup=False, soft_wrap=True)


class LiveView(View):
    """A table that is redrawn in place."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._live: Live | None = None

    def step(self, text: str) -> None:
        self.close()
        self.console.print(f"  [dim]{time.strftime('%H:%M:%S')}[/dim]  {text}", highlight=False)

    def show(self, progress: Progress) -> None:
        if self._live is None:
            self._live = Live(console=self.console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(_screen(progress, self.console.height), refresh=True)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def make_view(console: Console, plain: bool) -> View:
    """:param plain: lines also on a terminal"""
    return PlainView(console) if plain or not console.is_terminal or console.is_dumb_terminal else LiveView(console)


# === The live table ===


def _screen(progress: Progress, height: int) -> RenderableType:
    """:param height: the terminal's, in lines: fewer fills are shown where there is little room"""
    columns = Table.grid(padding=(0, 3))
    columns.add_row(_quotes(progress.snapshot), _account(progress))
    title = f"Hummingbot on a local Paradex: {progress.trading_pair}"
    clock = f"{progress.elapsed:.0f} of {progress.planned:.0f} s, Ctrl-C ends it"
    fills = _latest_fills(progress.snapshot, max(1, min(_FILLS_SHOWN, height - _OTHER_LINES)))
    body = Group(columns, Text(), fills, Text(), _bot(progress.bot_status))
    return Panel(body, title=title, subtitle=clock, expand=False, padding=(1, 2))


def _quotes(snapshot: Snapshot) -> Table:
    """Our orders around the middle of the book, as a ladder."""
    table = Table(title="Our quotes", title_justify="left", box=None, padding=(0, 1), min_width=38)
    for name in ("", "price", "size", "from mid"):
        table.add_column(name, justify="right")
    mid = snapshot.mid
    ladder = sorted(snapshot.orders, key=lambda order: order.price, reverse=True)
    asks = [order for order in ladder if order.side == "SELL"]
    bids = [order for order in ladder if order.side == "BUY"]
    for _ in range(_LEVELS_SHOWN - len(asks)):
        table.add_row("ask", "-", "-", "-", style="dim")
    for order in asks:
        table.add_row("ask", _price(order.price), f"{order.remaining_size:f}", _bps(order.price, mid), style="red")
    table.add_row("mid", _price(mid), "", "", style="bold")
    for order in bids:
        table.add_row("bid", _price(order.price), f"{order.remaining_size:f}", _bps(order.price, mid), style="green")
    for _ in range(_LEVELS_SHOWN - len(bids)):
        table.add_row("bid", "-", "-", "-", style="dim")
    return table


def _account(progress: Progress) -> Table:
    snapshot = progress.snapshot
    fees = sum((fill.fee for fill in snapshot.fills), Decimal(0))
    realized = sum((fill.realized_pnl for fill in snapshot.fills), Decimal(0))
    volume = sum((fill.size * fill.price for fill in snapshot.fills), Decimal(0))
    table = Table(title="The exchange says", title_justify="left", box=None, show_header=False, padding=(0, 1))
    table.add_column()
    table.add_column(justify="right")
    table.add_row("mark price", _price(snapshot.mark_price))
    table.add_row("open orders", str(len(snapshot.orders)))
    table.add_row("fills", f"{len(snapshot.fills_of('BUY'))} bought, {len(snapshot.fills_of('SELL'))} sold")
    table.add_row("volume", f"{volume:,.2f} USDC")
    table.add_row("position", _position(snapshot))
    table.add_row("entry price", _price(snapshot.entry_price))
    table.add_row("unrealized PnL", _signed(snapshot.unrealized_pnl))
    table.add_row("realized PnL", _signed(realized))
    table.add_row("fees", f"{fees:.4f} USDC")
    table.add_row("account value", f"{snapshot.account_value:,.2f} USDC")
    table.add_row("since the start", _signed(progress.value_change))
    return table


def _latest_fills(snapshot: Snapshot, shown: int) -> Table:
    table = Table(title="Latest fills", title_justify="left", box=None, padding=(0, 1), min_width=38)
    for name in ("", "price", "size", "fee", "PnL"):
        table.add_column(name, justify="right")
    for fill in reversed(snapshot.fills[-shown:]):
        bought = fill.side == "BUY"
        table.add_row(
            "bought" if bought else "sold",
            _price(fill.price),
            f"{fill.size:f}",
            f"{fill.fee:.4f}",
            signed(fill.realized_pnl) if fill.realized_pnl else "",
            style="green" if bought else "red",
        )
    for _ in range(shown - len(snapshot.fills)):
        table.add_row()
    return table


def _bot(status: Mapping[str, Any]) -> Text:
    if not status:
        return Text("hbot status: not asked yet", style="dim")
    errors = status.get("errors", {}).get("count", 0)
    state = "running" if status.get("running") else "not running"
    text = f"hbot status: {state} for {status.get('uptime_s') or 0:.0f} s, {errors or 'no'} errors in its log"
    return Text(text, style="red" if errors or not status.get("running") else "dim")


def _price(price: Decimal | None) -> str:
    return f"{price:,.1f}" if price is not None else "-"


def _bps(price: Decimal, mid: Decimal | None) -> str:
    return f"{(price - mid) / mid / _BPS:+.1f} bp" if mid else "-"


def _signed(amount: Decimal) -> Text:
    style = "green" if amount > 0 else "red" if amount < 0 else ""
    return Text(f"{signed(amount)} USDC", style=style)


def _position(snapshot: Snapshot) -> str:
    return f"{snapshot.position:+f}" if snapshot.position else "none"
