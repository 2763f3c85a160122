"""From a match to money: fills, fees, positions, balances and the public trade."""

from dataclasses import dataclass
from decimal import Decimal

from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.book import RestingOrder
from paradex_sandbox.exchange.events import BalanceChanged, BalanceChangeKind, Filled, FundingPaid, TradePrinted
from paradex_sandbox.exchange.fees import fee_rate
from paradex_sandbox.exchange.model import (
    SETTLEMENT_TOKEN,
    ZERO,
    Fill,
    FillFlag,
    FillType,
    FundingPayment,
    Liquidity,
    Order,
    OrderClass,
    Side,
    Trade,
)
from paradex_sandbox.exchange.numbers import EXACT, q8
from paradex_sandbox.exchange.positions import PositionState
from paradex_sandbox.exchange.state import ExchangeState, MarketState


@dataclass(frozen=True, slots=True)
class _Match:
    """A trade with what its fees and flags depend on. FastFill: a Pro taker met a resting Retail order."""

    trade: Trade
    is_rpi: bool
    is_fastfill: bool


def settle(
    state: ExchangeState,
    market: MarketState,
    side: Side,
    size: Decimal,
    maker: RestingOrder,
    taker: AccountState | None,
    taker_order: Order | None,
) -> None:
    """Books a match of `size` at the maker's price; `side` is the taker's.

    Takes the size off both orders' `remaining_size` but leaves the book to the caller. Traders without an account
    share one position; what they trade among themselves changes nothing but the tape.
    """
    # The book moves once per batch: the state after this trade is published under the next number.
    fill_type = FillType.RPI if maker.is_rpi else FillType.FILL
    trade = _print_trade(state, market, side, maker.price, size, fill_type, market.book.seq + 1)
    if maker.owner is None and taker is None:
        return
    is_retail_taker = taker_order is not None and taker_order.order_class is OrderClass.INTERACTIVE
    match = _Match(trade, maker.is_rpi, maker.is_retail and not is_retail_taker)
    if taker is not None and taker_order is not None:
        _fill_order(state, market, taker, taker_order, match, Liquidity.TAKER)
    else:
        _book_crowd(state, market, side.sign * size, trade)
    if maker.owner is not None and maker.order is not None:
        _fill_order(state, market, maker.owner, maker.order, match, Liquidity.MAKER)
    else:
        _book_crowd(state, market, -side.sign * size, trade)


def transfer(
    state: ExchangeState,
    market: MarketState,
    account: AccountState,
    signed_size: Decimal,
    price: Decimal,
    fee: Decimal,
    fill_type: FillType,
) -> Trade:
    """Books a position change without an order (liquidation, settlement of a market) against the crowd.

    The fee is the caller's to credit. Such trades are not the book's and have the sequence number 0.
    """
    side = Side.BUY if signed_size > 0 else Side.SELL
    trade = _print_trade(state, market, side, price, abs(signed_size), fill_type, 0)
    booked = _book_account(state, market, account, signed_size, trade, fee)
    _publish(state, market, account, _fill(market, account, trade, side, booked, fee), booked)
    _book_crowd(state, market, -signed_size, trade)
    return trade


def reverse(state: ExchangeState, market: MarketState, account: AccountState | None, fill: Fill, own: Side) -> None:
    """Undoes one side of a trade: the opposite at the same price, and the fee given back.

    `account` is None where that side was the crowd's, which then traded on `own`.
    """
    signed_size = -own.sign * fill.size
    if account is None:
        change = market.crowd.apply(signed_size, fill.price, market.funding_index, fill.id, state.now)
        market.crowd_balance += change.realized_pnl + change.realized_funding
        state.house = EXACT.add(state.house, change.dust)
        return
    state.house = EXACT.subtract(state.house, fill.fee)
    trade = Trade(fill.id, market.symbol, own.opposite, fill.price, fill.size, state.now, fill.fill_type, 0)
    booked = _book_account(state, market, account, signed_size, trade, -fill.fee)
    _publish_balance(state, market, account, fill.id, -fill.fee, booked, BalanceChangeKind.BUST)
    _pay_funding(state, market, account, fill.id, booked)


@dataclass(frozen=True, slots=True)
class _Booked:
    """What a fill did to an account. `had_position` says whether funding could be realized."""

    before: Decimal
    after: Decimal
    realized_pnl: Decimal
    realized_funding: Decimal
    had_position: bool


def _print_trade(
    state: ExchangeState,
    market: MarketState,
    side: Side,
    price: Decimal,
    size: Decimal,
    fill_type: FillType,
    seq: int,
) -> Trade:
    now = state.now
    trade = Trade(state.next_id(), market.symbol, side, price, size, now, fill_type, seq)
    market.trades.append(trade)
    market.stats.add(now, price, size)
    market.candles.trade(now, price, size)
    state.dirty_summaries[market] = None
    state.events.append(TradePrinted(now, market.symbol, trade))
    return trade


def _book_crowd(state: ExchangeState, market: MarketState, signed_size: Decimal, trade: Trade) -> None:
    change = market.crowd.apply(signed_size, trade.price, market.funding_index, trade.id, state.now)
    market.crowd_balance += change.realized_pnl + change.realized_funding
    state.house = EXACT.add(state.house, change.dust)


def _fill_order(
    state: ExchangeState, market: MarketState, account: AccountState, order: Order, match: _Match, liquidity: Liquidity
) -> None:
    trade = match.trade
    order.remaining_size -= trade.size
    order.filled_notional += trade.price * trade.size
    order.avg_fill_price = q8(order.filled_notional / order.filled_size)
    rate = fee_rate(
        market.market,
        account.info.fees,
        order.order_class,
        liquidity,
        is_rpi=match.is_rpi and liquidity is Liquidity.MAKER,
        is_fastfill=match.is_fastfill and liquidity is Liquidity.TAKER,
    )
    fee = q8(trade.price * trade.size * rate)
    state.house = EXACT.add(state.house, fee)
    booked = _book_account(state, market, account, order.side.sign * trade.size, trade, fee)
    fill = _fill(market, account, trade, order.side, booked, fee, order, match, liquidity)
    _publish(state, market, account, fill, booked)


def _book_account(
    state: ExchangeState,
    market: MarketState,
    account: AccountState,
    signed_size: Decimal,
    trade: Trade,
    fee: Decimal,
) -> _Booked:
    """Changes position and balance; a fee has to arrive somewhere by the caller's hand."""
    position = account.positions.setdefault(market.symbol, PositionState())
    had_position = bool(position.size)
    change = position.apply(signed_size, trade.price, market.funding_index, trade.id, state.now)
    position.seq_no = state.next_seq()
    state.house = EXACT.add(state.house, change.dust)
    amount = change.realized_pnl + change.realized_funding - fee
    before, after = account.change_balance(SETTLEMENT_TOKEN, amount, state.now)
    state.dirty_positions[account, market.symbol] = None
    state.dirty_accounts[account] = None
    return _Booked(before, after, change.realized_pnl, change.realized_funding, had_position)


def _fill(
    market: MarketState,
    account: AccountState,
    trade: Trade,
    own_side: Side,
    booked: _Booked,
    fee: Decimal,
    order: Order | None = None,
    match: _Match | None = None,
    liquidity: Liquidity = Liquidity.TAKER,
) -> Fill:
    return Fill(
        id=trade.id,
        account=account.address,
        market=market.symbol,
        order_id=order.id if order is not None else "",
        client_id=order.client_id if order is not None else "",
        side=trade.side,
        order_side=own_side,
        liquidity=liquidity,
        price=trade.price,
        size=trade.size,
        remaining_size=order.remaining_size if order is not None else ZERO,
        fee=fee,
        fee_currency=SETTLEMENT_TOKEN,
        realized_pnl=booked.realized_pnl,
        realized_funding=booked.realized_funding,
        underlying_price=market.mark.spot_price,
        fill_type=trade.trade_type,
        flags=_flags(order, match) if order is not None and match is not None else (),
        orderbook_seq_no=trade.seq,
        created_at=trade.created_at,
    )


def _flags(order: Order, match: _Match) -> tuple[FillFlag, ...]:
    flags = []
    if order.order_class is OrderClass.INTERACTIVE:
        flags.append(FillFlag.INTERACTIVE)
    if match.is_rpi:
        flags.append(FillFlag.RPI)
    if match.is_fastfill:
        flags.append(FillFlag.FASTFILL)
    return tuple(flags)


def _publish(state: ExchangeState, market: MarketState, account: AccountState, fill: Fill, booked: _Booked) -> None:
    account.fills.append(fill)
    state.events.append(Filled(state.now, account.address, fill))
    _publish_balance(state, market, account, fill.id, fill.fee, booked, BalanceChangeKind.FILL)
    _pay_funding(state, market, account, fill.id, booked)


def _publish_balance(
    state: ExchangeState,
    market: MarketState,
    account: AccountState,
    fill_id: str,
    fee: Decimal,
    booked: _Booked,
    kind: BalanceChangeKind,
) -> None:
    state.events.append(
        BalanceChanged(
            state.now,
            account.address,
            kind=kind,
            token=SETTLEMENT_TOKEN,
            before=booked.before,
            after=booked.after,
            market=market.symbol,
            fill_id=fill_id,
            fees=fee,
            realized_pnl=booked.realized_pnl,
            realized_funding=booked.realized_funding,
            funding_index=market.funding_index,
        )
    )


def _pay_funding(
    state: ExchangeState, market: MarketState, account: AccountState, fill_id: str, booked: _Booked
) -> None:
    if not booked.had_position or not booked.realized_funding:
        return
    payment = FundingPayment(
        id=state.next_id(),
        account=account.address,
        market=market.symbol,
        payment=booked.realized_funding,
        index=market.funding_index,
        fill_id=fill_id,
        created_at=state.now,
    )
    account.funding_payments.append(payment)
    state.events.append(FundingPaid(state.now, account.address, payment))
