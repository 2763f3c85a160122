"""From a match to money: fills, fees, positions, balances and the public trade."""

from decimal import Decimal

from paradex_sandbox.exchange.accounts import AccountState
from paradex_sandbox.exchange.book import RestingOrder
from paradex_sandbox.exchange.events import BalanceChanged, BalanceChangeKind, Filled, FundingPaid, TradePrinted
from paradex_sandbox.exchange.fees import fee_rate
from paradex_sandbox.exchange.model import (
    SETTLEMENT_TOKEN,
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
    price, now = maker.price, state.now
    # The book moves once per batch: the state after this trade is published under the next number.
    trade = Trade(state.next_id(), market.symbol, side, price, size, now, FillType.FILL, market.book.seq + 1)
    market.trades.append(trade)
    market.stats.add(now, price, size)
    state.dirty_summaries[market] = None
    state.events.append(TradePrinted(now, market.symbol, trade))
    if maker.owner is None and taker is None:
        return
    if taker is not None and taker_order is not None:
        _book_fill(state, market, taker, taker_order, trade, Liquidity.TAKER)
    else:
        _book_crowd(state, market, side.sign * size, trade)
    if maker.owner is not None and maker.order is not None:
        _book_fill(state, market, maker.owner, maker.order, trade, Liquidity.MAKER)
    else:
        _book_crowd(state, market, -side.sign * size, trade)


def _book_crowd(state: ExchangeState, market: MarketState, signed_size: Decimal, trade: Trade) -> None:
    change = market.crowd.apply(signed_size, trade.price, market.funding_index, trade.id, state.now)
    market.crowd_balance += change.realized_pnl + change.realized_funding
    state.house = EXACT.add(state.house, change.dust)


def _book_fill(
    state: ExchangeState, market: MarketState, account: AccountState, order: Order, trade: Trade, liquidity: Liquidity
) -> None:
    now, size, price = state.now, trade.size, trade.price
    order.remaining_size -= size
    order.filled_notional += price * size
    order.avg_fill_price = q8(order.filled_notional / order.filled_size)

    position = account.positions.setdefault(market.symbol, PositionState())
    signed_size = order.side.sign * size
    had_position = bool(position.size)
    change = position.apply(signed_size, price, market.funding_index, trade.id, now)
    position.seq_no = state.next_seq()
    fee = q8(price * size * fee_rate(market.market, account.info.fees, order.order_class, liquidity))
    state.house = EXACT.add(state.house, EXACT.add(fee, change.dust))
    before, after = account.change_balance(SETTLEMENT_TOKEN, change.realized_pnl + change.realized_funding - fee, now)

    fill = Fill(
        id=trade.id,
        account=account.address,
        market=market.symbol,
        order_id=order.id,
        client_id=order.client_id,
        side=trade.side,
        order_side=order.side,
        liquidity=liquidity,
        price=price,
        size=size,
        remaining_size=order.remaining_size,
        fee=fee,
        fee_currency=SETTLEMENT_TOKEN,
        realized_pnl=change.realized_pnl,
        realized_funding=change.realized_funding,
        underlying_price=market.mark.spot_price,
        fill_type=FillType.FILL,
        flags=(FillFlag.INTERACTIVE,) if order.order_class is OrderClass.INTERACTIVE else (),
        orderbook_seq_no=trade.seq,
        created_at=now,
    )
    account.fills.append(fill)
    state.events.append(Filled(now, account.address, fill))
    state.events.append(
        BalanceChanged(
            now,
            account.address,
            kind=BalanceChangeKind.FILL,
            token=SETTLEMENT_TOKEN,
            before=before,
            after=after,
            market=market.symbol,
            fill_id=fill.id,
            fees=fee,
            realized_pnl=change.realized_pnl,
            realized_funding=change.realized_funding,
            funding_index=market.funding_index,
        )
    )
    if had_position and change.realized_funding:
        payment = FundingPayment(
            id=state.next_id(),
            account=account.address,
            market=market.symbol,
            payment=change.realized_funding,
            index=market.funding_index,
            fill_id=fill.id,
            created_at=now,
        )
        account.funding_payments.append(payment)
        state.events.append(FundingPaid(now, account.address, payment))
    state.dirty_positions[account, market.symbol] = None
    state.dirty_accounts[account] = None
