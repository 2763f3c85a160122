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

DEFAULT_ACCOUNT_FEES = AccountFees(GLOBAL_FEES.api_fee.maker_fee.fee, GLOBAL_FEES.api_fee.taker_fee.fee)


def fee_rate(market: Market, account: AccountFees, order_class: OrderClass, liquidity: Liquidity) -> Decimal:
    """The fee as a share of notional, negative for a rebate.

    A market's `fee_config` goes before the account's own rates, which go before the global ones.
    """
    if order_class is OrderClass.INTERACTIVE:
        rates = (market.fee_config or GLOBAL_FEES).interactive_fee
    elif market.fee_config is not None:
        rates = market.fee_config.api_fee
    else:
        return account.maker_rate if liquidity is Liquidity.MAKER else account.taker_rate
    return rates.maker_fee.fee if liquidity is Liquidity.MAKER else rates.taker_fee.fee


def provision_rate(market: Market, account: AccountFees) -> Decimal:
    """The rate that margin sets aside for a future exit: the Pro taker's, never a rebate."""
    return max(ZERO, fee_rate(market, account, OrderClass.PRO, Liquidity.TAKER))
