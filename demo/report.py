"""The summary as a person reads it."""

from decimal import Decimal

from rich import box
from rich.console import Console
from rich.table import Table

from demo.summary import Comparison, Side, Summary

_PROBLEMS_SHOWN = 10


def print_summary(console: Console, summary: Summary) -> None:
    """Prints a run: what was traded, the exchange's numbers beside the bot's, and the verdict."""
    console.print()
    console.print(_traded(summary))
    console.print()
    console.print(_compared(summary.comparisons))
    console.print()
    for problem in summary.problems[:_PROBLEMS_SHOWN]:
        console.print(f"  log: {problem}", style="red", markup=False, highlight=False)
    if len(summary.problems) > _PROBLEMS_SHOWN:
        console.print(f"  log: and {len(summary.problems) - _PROBLEMS_SHOWN} more", style="red")
    for check in summary.checks:
        verdict = "[green]ok    [/green]" if check.passed else "[red]FAILED[/red]"
        console.print(f"  {verdict}  {check.text}", highlight=False)
    console.print()
    if summary.succeeded:
        fills = _count(summary.buys.fills + summary.sells.fills, "trade")
        change = f"{signed(summary.value_change, 2)} USDC"
        console.print(f"  [bold]{fills}, {change}: everything is as it should be.[/bold]", highlight=False)
    else:
        console.print("  [bold red]Something is not as it should be, see above.[/bold red]", highlight=False)


def signed(amount: Decimal, digits: int = 4) -> str:
    """An amount with its sign, except for zero, and so many digits after the point."""
    text = f"{amount:+,.{digits}f}"
    return text if Decimal(text.replace(",", "")) else text[1:]


def _traded(summary: Summary) -> Table:
    bids, asks, both = summary.quoted
    last = summary.last
    title = f"What the bot did in {summary.seconds:.0f} seconds"
    table = Table(title=title, title_justify="left", show_header=False, box=box.ROUNDED)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("quoted (bids / asks / both)", f"{bids:.0%} / {asks:.0%} / {both:.0%} of the time")
    table.add_row("bought", _side(summary.buys))
    table.add_row("sold", _side(summary.sells))
    table.add_row("volume", f"{summary.volume:,.2f} USDC")
    table.add_row("fees paid", f"{summary.fees:.4f} USDC")
    table.add_row("realized PnL", f"{signed(summary.realized_pnl)} USDC")
    table.add_row("funding", f"{signed(summary.funding)} USDC")
    table.add_row("position left", _position(summary))
    table.add_row("unrealized PnL", f"{signed(last.unrealized_pnl)} USDC")
    table.add_row("account value", f"{last.account_value:,.2f} USDC ({signed(summary.value_change)})")
    table.add_row("open orders left", str(len(last.orders)))
    table.add_row("log", f"{_count(len(summary.problems), 'error')}, {_count(summary.warnings, 'warning')}")
    return table


def _compared(comparisons: list[Comparison]) -> Table:
    table = Table(title="The exchange and `hbot history`", title_justify="left", box=box.ROUNDED)
    table.add_column("")
    table.add_column("exchange", justify="right")
    table.add_column("hbot history", justify="right")
    table.add_column("")
    for row in comparisons:
        table.add_row(
            row.name, _number(row.exchange), _number(row.bot), "equal" if row.agrees else "[red]DIFFERENT[/red]"
        )
    return table


def _count(number: int, name: str) -> str:
    return f"{number or 'no'} {name}{'' if number == 1 else 's'}"


def _side(side: Side) -> str:
    return f"{side.fills} times, {side.base.normalize():f} BTC for {side.quote:,.2f} USDC"


def _position(summary: Summary) -> str:
    last = summary.last
    if last.entry_price is None:
        return "none"
    return f"{last.position.normalize():+f} BTC at {last.entry_price:,.1f}"


def _number(number: Decimal | int) -> str:
    return f"{Decimal(f'{number:.6g}').normalize():f}" if isinstance(number, Decimal) else str(number)
