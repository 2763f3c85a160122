"""The summary as a person reads it."""

from decimal import Decimal

from rich.console import Console
from rich.table import Table

from demo.summary import Comparison, Side, Summary

_PROBLEMS_SHOWN = 10


def print_summary(console: Console, summary: Summary) -> None:
    """Prints a run: what was traded, the exchange's numbers beside the bot's, and the verdict."""
    console.print()
    console.print(_traded(summary))
    console.print(_compared(summary.comparisons))
    for problem in summary.problems[:_PROBLEMS_SHOWN]:
        console.print(f"  log: {problem}", style="red", markup=False, highlight=False)
    if len(summary.problems) > _PROBLEMS_SHOWN:
        console.print(f"  log: and {len(summary.problems) - _PROBLEMS_SHOWN} more", style="red")
    for check in summary.checks:
        verdict = "[green]ok    [/green]" if check.passed else "[red]FAILED[/red]"
        console.print(f"  {verdict}  {check.text}", highlight=False)


def _traded(summary: Summary) -> Table:
    bids, asks, both = summary.quoted
    last = summary.last
    table = Table(title=f"What the bot did in {summary.seconds:.0f} seconds", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("quoted (bids / asks / both)", f"{bids:.0%} / {asks:.0%} / {both:.0%} of the time")
    table.add_row("bought", _side(summary.buys))
    table.add_row("sold", _side(summary.sells))
    table.add_row("volume", f"{summary.volume:,.2f} USDC")
    table.add_row("fees paid", f"{summary.fees:.4f} USDC")
    table.add_row("realized PnL", f"{summary.realized_pnl:+.4f} USDC")
    table.add_row("funding", f"{summary.funding:+.4f} USDC")
    table.add_row("position left", _position(summary))
    table.add_row("unrealized PnL", f"{last.unrealized_pnl:+.4f} USDC")
    table.add_row("account value", f"{last.account_value:,.2f} USDC ({summary.value_change:+.4f})")
    table.add_row("open orders left", str(len(last.orders)))
    table.add_row("log", f"{len(summary.problems)} errors, {summary.warnings} warnings")
    return table


def _compared(comparisons: list[Comparison]) -> Table:
    table = Table(title="The exchange and `hbot history`", title_justify="left")
    table.add_column("")
    table.add_column("exchange", justify="right")
    table.add_column("hbot history", justify="right")
    table.add_column("")
    for row in comparisons:
        table.add_row(
            row.name, _number(row.exchange), _number(row.bot), "equal" if row.agrees else "[red]DIFFERENT[/red]"
        )
    return table


def _side(side: Side) -> str:
    return f"{side.fills} times, {side.base.normalize():f} BTC for {side.quote:,.2f} USDC"


def _position(summary: Summary) -> str:
    last = summary.last
    if last.entry_price is None:
        return "none"
    return f"{last.position.normalize():+f} BTC at {last.entry_price:,.1f}"


def _number(number: Decimal | int) -> str:
    return f"{number.normalize():.6g}" if isinstance(number, Decimal) else str(number)
