"""Decimal arithmetic that loses nothing where money must add up."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

#: Wide enough that products of sizes, prices and funding indexes are exact; the default 28 digits are not.
EXACT = Context(prec=64, rounding=ROUND_HALF_EVEN)

_EIGHT_PLACES = Decimal("1e-8")


def q8(value: Decimal) -> Decimal:
    """`value` in the 8 decimals that Paradex books money in, half to even."""
    return value.quantize(_EIGHT_PLACES, context=EXACT)


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Whether a finite `value` is a whole number of steps."""
    return EXACT.remainder(value, step) == 0


def clip(value: Decimal, bound: Decimal) -> Decimal:
    """`value` within -`bound` and `bound`."""
    return max(-bound, min(bound, value))
