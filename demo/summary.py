"""What a demo run came to: the exchange's numbers beside the bot's, and whether everything is as it should be."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from demo.bot import History, LogLine
from demo.exchange import Fill, Snapshot

# `hbot history` prints six significant digits.
_PRINTED = Decimal("1e-5")
_NOTHING = Decimal("1e-8")
# The exchange rounds each amount to 8 decimals.
_ROUNDING = Decimal("1e-4")


@dataclass(frozen=True)
class Side:
    """What was traded on one side: base and USDC."""

    fills: int
    base: Decimal
    quote: Decimal


@dataclass(frozen=True)
class Check:
    """Something that has to be so."""

    text: str
    passed: bool


@dataclass(frozen=True)
class Comparison:
    """One number as the exchange and as the bot has it."""

    name: str
    exchange: Decimal | int
    bot: Decimal | int

    @property
    def agrees(self) -> bool:
        difference = abs(Decimal(self.exchange) - Decimal(self.bot))
        return difference <= max(abs(Decimal(self.exchange)) * _PRINTED, _NOTHING)


@dataclass(frozen=True)
class Summary:
    """A whole run. Money is in USDC, positions and sizes in base."""

    seconds: float
    """From the start of the strategy to its stop."""
    quoted: tuple[float, float, float]
    """The share of the looks at the exchange, from the first order on, that found open bids, open asks, and both."""
    buys: Side
    sells: Side
    fees: Decimal
    realized_pnl: Decimal
    """What closing parts of the position has brought, without fees and funding."""
    funding: Decimal
    last: Snapshot
    start_value: Decimal
    history: History
    problems: Sequence[LogLine]
    warnings: int

    @property
    def volume(self) -> Decimal:
        return self.buys.quote + self.sells.quote

    @property
    def value_change(self) -> Decimal:
        return self.last.account_value - self.start_value

    @property
    def comparisons(self) -> list[Comparison]:
        """Each number that both sides keep."""
        history = self.history
        return [
            Comparison("trades", self.buys.fills + self.sells.fills, history.trades),
            Comparison("buys", self.buys.fills, history.buys),
            Comparison("sells", self.sells.fills, history.sells),
            Comparison("net BTC", self.buys.base - self.sells.base, history.net_base),
            Comparison("net USDC", self.sells.quote - self.buys.quote, history.net_quote),
            Comparison("fees", self.fees, history.fees),
        ]

    @property
    def checks(self) -> list[Check]:
        """What makes the run a success."""
        bids, asks, _ = self.quoted
        return [
            Check("the bot quoted both sides", bids > 0 and asks > 0),
            Check("it was filled on both sides", self.buys.fills > 0 and self.sells.fills > 0),
            Check("it left no open order", not self.last.orders),
            Check("its log holds no error", not self.problems),
            Check("its history agrees with the exchange", all(row.agrees for row in self.comparisons)),
            Check("PnL, funding and fees add up to the change of the account", self._adds_up),
        ]

    @property
    def _adds_up(self) -> bool:
        parts = self.realized_pnl + self.last.unrealized_pnl + self.funding - self.fees
        return abs(self.value_change - parts) < _ROUNDING

    @property
    def succeeded(self) -> bool:
        return all(check.passed for check in self.checks)


def summarize(
    snapshots: Sequence[Snapshot],
    first: Snapshot,
    last: Snapshot,
    history: History,
    problems: Sequence[LogLine],
    warnings: int,
) -> Summary:
    """Puts a run together.

    :param snapshots: those taken while the strategy was running
    :param first: from before the strategy's start
    :param last: from after its stop
    """
    fills = last.fills
    quoting = list(itertools.dropwhile(lambda snapshot: not snapshot.orders, snapshots))
    return Summary(
        seconds=snapshots[-1].time - snapshots[0].time if snapshots else 0.0,
        quoted=(
            _share(bool(snapshot.orders_of("BUY")) for snapshot in quoting),
            _share(bool(snapshot.orders_of("SELL")) for snapshot in quoting),
            _share(bool(snapshot.orders_of("BUY") and snapshot.orders_of("SELL")) for snapshot in quoting),
        ),
        buys=_side(last.fills_of("BUY")),
        sells=_side(last.fills_of("SELL")),
        fees=sum((fill.fee for fill in fills), Decimal(0)),
        realized_pnl=sum((fill.realized_pnl for fill in fills), Decimal(0)),
        funding=sum((fill.realized_funding for fill in fills), Decimal(0)),
        last=last,
        start_value=first.account_value,
        history=history,
        problems=problems,
        warnings=warnings,
    )


def _side(fills: Sequence[Fill]) -> Side:
    return Side(
        fills=len(fills),
        base=sum((fill.size for fill in fills), Decimal(0)),
        quote=sum((fill.size * fill.price for fill in fills), Decimal(0)),
    )


def _share(found: Iterable[bool]) -> float:
    looks = list(found)
    return sum(looks) / len(looks) if looks else 0.0
