"""Cross margin (docs: risk-system/cross-margin-requirement, margin-term-reference)."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.exposure import Exposure
from paradex_sandbox.exchange.fees import provision_rate
from paradex_sandbox.exchange.model import ZERO, Market, Side
from paradex_sandbox.exchange.numbers import q8
from paradex_sandbox.exchange.state import ExchangeState, MarketState


@dataclass(frozen=True, slots=True)
class AccountMargin:
    """`value` is collateral plus unrealized PnL and funding, in USDC."""

    collateral: Decimal
    value: Decimal
    initial: Decimal
    maintenance: Decimal

    @property
    def free_collateral(self) -> Decimal:
        return min(self.value - self.initial, self.collateral)


def initial_fraction(account: AccountState, market: Market) -> Decimal:
    """1 / leverage, never below the market's `imf_base`."""
    params = market.delta1_cross_margin_params
    if params is None:
        return Decimal(1)
    return max(params.imf_base, 1 / Decimal(account.leverage(market)))


def maintenance_fraction(market: Market) -> Decimal:
    """Of the market's own initial fraction: a lower leverage does not bring liquidation nearer."""
    params = market.delta1_cross_margin_params
    return params.imf_base * params.mmf_factor if params is not None else Decimal(1)


def unrealized(market: MarketState, account: AccountState) -> Decimal:
    """PnL at the mark including accrued funding, in 8 decimals."""
    position = account.positions.get(market.symbol)
    if position is None or not position.size:
        return ZERO
    funding = position.funding_accrued(market.funding_index)
    return q8(position.size * market.mark.mark_price - position.cost + funding)


def open_size(market: MarketState, account: AccountState, extra: Sequence[Exposure] = ()) -> Decimal:
    """The largest position that position and open orders, with `extra` ones on top, could become on either side."""
    orders = account.open(market.symbol)
    bought, sold = orders.size(Side.BUY), orders.size(Side.SELL)
    for exposure in extra:
        if exposure.side is Side.BUY:
            bought += exposure.size
        else:
            sold += exposure.size
    position = account.position_size(market.symbol)
    return max(bought + position, sold - position, ZERO)


def initial_requirement(market: MarketState, account: AccountState, extra: Sequence[Exposure] = ()) -> Decimal:
    """What position and open orders in one market need, with `extra` orders on top.

    The open size at the initial fraction, a fee provision on it, and the loss that orders beyond the mark would open
    with.
    """
    mark = market.mark.mark_price
    open_loss = ZERO
    # Reduce-only orders cannot add to a position and need no margin.
    for exposure in (*account.open(market.symbol).beyond(mark), *extra):
        if exposure.price is not None:
            open_loss += max(ZERO, (exposure.price - mark) * exposure.side.sign) * exposure.size
    fraction = initial_fraction(account, market.market) + provision_rate(market.market, account.info.fees)
    return open_size(market, account, extra) * mark * fraction + open_loss


def maintenance_requirement(market: MarketState, account: AccountState) -> Decimal:
    notional = abs(account.position_size(market.symbol)) * market.mark.mark_price
    return notional * (maintenance_fraction(market.market) + provision_rate(market.market, account.info.fees))


def account_margin(
    state: ExchangeState, account: AccountState, extra_market: str = "", extra: Sequence[Exposure] = ()
) -> AccountMargin:
    """The whole account, optionally with `extra` orders in `extra_market`."""
    collateral = account.collateral
    value, initial, maintenance = collateral, ZERO, ZERO
    symbols = dict.fromkeys((*account.positions, *account.live))
    if extra_market:
        symbols[extra_market] = None
    for symbol in symbols:
        market = state.markets[symbol]
        value += unrealized(market, account)
        initial += initial_requirement(market, account, extra if symbol == extra_market else ())
        maintenance += maintenance_requirement(market, account)
    return AccountMargin(collateral, value, q8(initial), q8(maintenance))


def liquidation_price(market: MarketState, account: AccountState, margin: AccountMargin) -> Decimal | None:
    """The mark at which the account's value meets its maintenance margin, all other marks standing still.

    None where no positive price does.
    """
    size = account.position_size(market.symbol)
    if not size:
        return None
    mark = market.mark.mark_price
    rate = maintenance_fraction(market.market) + provision_rate(market.market, account.info.fees)
    elsewhere = margin.maintenance - maintenance_requirement(market, account)
    price = (size * mark + elsewhere - margin.value) / (size - abs(size) * rate)
    return q8(price) if price > 0 else None
