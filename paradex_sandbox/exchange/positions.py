"""One-way positions: entry cost, realized profit, realized funding."""

from dataclasses import dataclass
from decimal import Decimal

from paradex_sandbox.exchange.model import ZERO
from paradex_sandbox.exchange.numbers import EXACT, q8


@dataclass(slots=True)
class PositionState:
    """A position as it is kept.

    What is kept exactly is the signed `cost`, not the average price, which rarely has a finite expansion: then
    balance - cost + size * mark, summed over both sides of a trade, never changes by a trade.
    """

    id: str = ""
    size: Decimal = ZERO
    cost: Decimal = ZERO
    cached_funding_index: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    realized_funding: Decimal = ZERO
    exit_size: Decimal = ZERO
    exit_value: Decimal = ZERO
    last_fill_id: str = ""
    seq_no: int = 0
    created_at: int = 0
    last_updated_at: int = 0
    closed_at: int = 0

    def funding_accrued(self, index: Decimal) -> Decimal:
        """Exact unrealized funding at `index`: longs pay when it has grown."""
        return EXACT.multiply(-self.size, EXACT.subtract(index, self.cached_funding_index))

    def apply(
        self, signed_size: Decimal, price: Decimal, funding_index: Decimal, fill_id: str, now: int
    ) -> "PositionChange":
        """Books a fill of `signed_size` at `price` and returns what it realized.

        `realized_pnl` and `realized_funding` are rounded to 8 decimals; `dust` is what rounding took from the
        account (or gave, negative), so that the caller can keep the sum over everybody exact.
        """
        accrued = self.funding_accrued(funding_index)
        realized_funding = q8(accrued)
        dust = EXACT.subtract(accrued, realized_funding)
        self.cached_funding_index = funding_index
        self.last_fill_id = fill_id
        self.last_updated_at = now
        realized_pnl = ZERO
        opening = signed_size
        if self.size and (self.size > 0) != (signed_size > 0):
            closing = max(signed_size, -self.size) if signed_size < 0 else min(signed_size, -self.size)
            opening = signed_size - closing
            realized_pnl = self._close(closing, price)
            self.realized_funding += realized_funding
            self.realized_pnl += realized_pnl + realized_funding
            if not self.size:
                # The rounding of the last realized PnL leaves a cost without a size.
                dust = EXACT.subtract(dust, self.cost)
                self.cost = self.realized_pnl = self.realized_funding = ZERO
                self.closed_at = now
        else:
            self.realized_funding += realized_funding
            self.realized_pnl += realized_funding
        if opening:
            if not self.size:
                self._open(fill_id, now)
            self.size += opening
            self.cost += opening * price
        return PositionChange(realized_pnl, realized_funding, dust)

    def _open(self, fill_id: str, now: int) -> None:
        self.id = fill_id
        self.created_at = now
        self.closed_at = 0
        self.exit_size = self.exit_value = ZERO

    def _close(self, closing: Decimal, price: Decimal) -> Decimal:
        """Takes `closing` (signed against the position) out at `price`; returns the realized PnL."""
        entry = self.cost if closing == -self.size else self.cost * -closing / self.size
        exit_value = closing * price
        realized = q8(-exit_value - entry)
        self.size += closing
        self.cost = self.cost + exit_value + realized
        self.exit_size += abs(closing)
        self.exit_value += abs(exit_value)
        return realized


@dataclass(frozen=True, slots=True)
class PositionChange:
    realized_pnl: Decimal
    realized_funding: Decimal
    dust: Decimal
