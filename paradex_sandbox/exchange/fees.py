"""Who pays what rate."""

from decimal import Decimal

from paradex_sandbox.exchange.model import (
    ZERO,
    AccountFees,
    FeeConfig,
    FeeRate,
    Liquidity,
    MakerTakerFee,
    Market,
    OrderClass,
)


def _flat(maker: str, taker: str) -> MakerTakerFee:
    return MakerTakerFee(*(FeeRate(Decimal(rate), Decimal(rate), Decimal(rate)) for rate in (maker, taker)))


#: What applies where a market has no `fee_config`: Pro 0.3 and 4.5 bps (lowest tier), Retail free.
GLOBAL_FEES = FeeConfig(api_fee=_flat("0.00003", "0.00045"), interactive_fee=_flat("0", "0"), rpi_fee=_flat("0", "0"))

#: FastFills: a Pro taker that meets a resting Retail order pays 30% less, but never less than 1.75 bps for it.
FASTFILL_SHARE = Decimal("0.7")
FASTFILL_FLOOR = Decimal("0.000175")

DEFAULT_ACCOUNT_FEES = AccountFees(GLOBAL_FEES.api_fee.maker_fee.fee, GLOBAL_FEES.api_fee.taker_fee.fee)


def fee_rate(
    market: Market,
    account: AccountFees,
    order_class: OrderClass,
    liquidity: Liquidity,
    *,
    is_rpi: bool = False,
    is_fastfill: bool = False,
) -> Decimal:
    """The fee as a share of notional, negative for a rebate.

    A market's `fee_config` goes before the account's own rates, which go before the global ones. `is_rpi` is for the
    maker of an RPI fill, `is_fastfill` for the Pro taker of a Retail order (docs: trading/fastfills, trading-fees).
    """
    rate = _plain_rate(market, account, order_class, liquidity, is_rpi=is_rpi)
    return max(rate * FASTFILL_SHARE, min(rate, FASTFILL_FLOOR)) if is_fastfill else rate


def _plain_rate(
    market: Market, account: AccountFees, order_class: OrderClass, liquidity: Liquidity, *, is_rpi: bool
) -> Decimal:
    if is_rpi:
        rates = (market.fee_config or GLOBAL_FEES).rpi_fee
    elif order_class is OrderClass.INTERACTIVE:
        rates = (market.fee_config or GLOBAL_FEES).interactive_fee
    elif market.fee_config is not None:
        rates = market.fee_config.api_fee
    else:
        return account.maker_rate if liquidity is Liquidity.MAKER else account.taker_rate
    return rates.maker_fee.fee if liquidity is Liquidity.MAKER else rates.taker_fee.fee


def provision_rate(market: Market, account: AccountFees) -> Decimal:
    """The rate that margin sets aside for a future exit: the Pro taker's, never a rebate."""
    return max(ZERO, fee_rate(market, account, OrderClass.PRO, Liquidity.TAKER))
