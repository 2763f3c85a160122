"""Where mark and spot prices come from: a seeded, mean-reverting walk."""

from decimal import Decimal
from math import exp, log, sqrt
from random import Random

from paradex_sandbox.exchange.model import SimulationParams

#: Microseconds between two moves.
MARK_INTERVAL = 250_000
_DT = MARK_INTERVAL / 1_000_000
#: The perpetual trades about a basis point over spot, slowly varying by about two.
_BASIS_MEAN = 0.0001
_BASIS_REVERSION = 0.01
_BASIS_VOLATILITY = 0.00003


class MarkProcess:
    """The mark price is base * exp(x), x an Ornstein-Uhlenbeck walk; spot is the mark less a walking basis.

    It moves on a fixed grid of time, so that how finely the clock is stepped does not change the path.
    """

    def __init__(self, params: SimulationParams, rng: Random) -> None:
        self._rng = rng
        self._base = float(params.base_price)
        self._pull = params.reversion * _DT
        self._spread = params.volatility * sqrt(_DT)
        self._basis_spread = _BASIS_VOLATILITY * sqrt(_DT)
        self._offset = 0.0
        self.basis = _BASIS_MEAN
        self.is_held = False
        self.mark_price = params.base_price
        self.spot_price = self._spot()

    def tick(self) -> None:
        """One MARK_INTERVAL has passed."""
        gauss = self._rng.gauss
        # Both draws are made even while the price is held, so that holding it does not shift what comes after.
        move, basis_move = gauss(0.0, self._spread), gauss(0.0, self._basis_spread)
        self.basis += (_BASIS_MEAN - self.basis) * _BASIS_REVERSION * _DT + basis_move
        if not self.is_held:
            self._offset += move - self._pull * self._offset
            self.mark_price = _price(self._base * exp(self._offset))
        self.spot_price = self._spot()

    def hold(self, price: Decimal) -> None:
        """Fixes the mark at a positive `price` until `release`."""
        self.is_held = True
        self.move_to(price)

    def release(self) -> None:
        self.is_held = False

    def move_to(self, price: Decimal) -> None:
        """Continues the walk from a positive `price`."""
        self._offset = log(float(price) / self._base)
        self.mark_price = price
        self.spot_price = self._spot()

    def reseed(self, rng: Random) -> None:
        """Draws from `rng` from now on."""
        self._rng = rng

    def restore(self, mark_price: Decimal, basis: float, is_held: bool) -> None:
        self.basis = basis
        self.is_held = is_held
        self.move_to(mark_price)

    def _spot(self) -> Decimal:
        return _price(float(self.mark_price) / (1.0 + self.basis))


def _price(value: float) -> Decimal:
    return Decimal(f"{value:.8f}")
