"""What must hold whatever is done: drawn programs of orders, cancels, time and marks."""

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext

from hypothesis import given, settings, strategies as st

from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.events import BookChanged, Event, Filled, OrderUpdated
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.model import (
    CancelReason,
    OrderFlag,
    OrderInstruction,
    OrderRequest,
    OrderStatus,
    OrderType,
    SelfTradePrevention,
    Side,
)
from paradex_sandbox.exchange.positions import PositionState
from tests.unit.sandbox.venue import ALICE, BOB, CAROL, MARKET, START, plain_market

ACCOUNTS = (ALICE, BOB, CAROL)
DEPOSIT = Decimal(1000)


@dataclass(frozen=True)
class Submit:
    account: str
    request: OrderRequest


@dataclass(frozen=True)
class Cancel:
    account: str
    number: int


@dataclass(frozen=True)
class Crowd:
    side: Side
    price: Decimal
    size: Decimal


@dataclass(frozen=True)
class Pass:
    seconds: int


@dataclass(frozen=True)
class Mark:
    price: Decimal


type Action = Submit | Cancel | Crowd | Pass | Mark

sides = st.sampled_from(Side)
accounts = st.sampled_from(ACCOUNTS)
prices = st.integers(190, 210).map(lambda ticks: Decimal(ticks) / 2)
sizes = st.integers(10, 600).map(lambda steps: Decimal(steps) / 100)


@st.composite
def submissions(draw: st.DrawFn) -> Submit:
    is_market = draw(st.integers(0, 4)) == 0
    instructions = (
        [OrderInstruction.GTC] if is_market else [i for i in OrderInstruction if i is not OrderInstruction.RPI]
    )
    request = OrderRequest(
        market=MARKET,
        side=draw(sides),
        type=OrderType.MARKET if is_market else OrderType.LIMIT,
        size=draw(sizes),
        price=None if is_market else draw(prices),
        instruction=draw(st.sampled_from(instructions)),
        flags=draw(st.sampled_from([(), (), (OrderFlag.REDUCE_ONLY,)])),
        stp=draw(st.sampled_from([None, *SelfTradePrevention])),
    )
    return Submit(draw(accounts), request)


actions = st.one_of(
    submissions(),
    submissions(),
    submissions(),
    st.builds(Cancel, accounts, st.integers(0, 5)),
    st.builds(Crowd, sides, prices, sizes),
    st.builds(Crowd, sides, prices, sizes),
    st.builds(Pass, st.integers(1, 600)),
    st.builds(Mark, st.decimals(94, 106, places=3)),
)
# Long programs, for what goes wrong needs positions that are opened, held and changed again.
programs = st.integers(5, 40).flatmap(lambda length: st.lists(actions, min_size=length, max_size=length))


class Run:
    """Executes a program and keeps every event."""

    def __init__(self) -> None:
        self.exchange = Exchange([plain_market()], seed=1, now_us=START)
        for account in ACCOUNTS:
            self.exchange.create_account(account, f"{account}1", {"USDC": DEPOSIT})
        self.exchange.set_mark_price(MARKET, Decimal(100))
        self.events: list[Event] = self.exchange.drain_events()

    def do(self, action: Action) -> None:
        exchange = self.exchange
        match action:
            case Submit():
                # Drawn sizes may be below the minimum notional at a low mark.
                with suppress(ExchangeError):
                    exchange.submit(action.account, action.request)
            case Cancel():
                orders = exchange.open_orders(action.account)
                if orders:
                    exchange.cancel(action.account, order_id=orders[action.number % len(orders)].id)
            case Crowd():
                exchange.crowd.quote(MARKET, action.side, action.price, action.size)
                exchange.crowd.publish()
            case Pass():
                exchange.advance(exchange.now + action.seconds * 1_000_000)
            case Mark():
                exchange.set_mark_price(MARKET, action.price)
        exchange.process()
        self.events += exchange.drain_events()

    def all_of(self, program: list[Action]) -> "Run":
        for action in program:
            self.do(action)
        return self


@given(programs)
@settings(max_examples=150, deadline=None)
def test_money_is_conserved_to_the_last_decimal(program: list[Action]) -> None:
    run = Run()
    for action in program:
        run.do(action)
        with localcontext(Context(prec=100)):
            assert wealth(run.exchange) == DEPOSIT * len(ACCOUNTS)


def wealth(exchange: Exchange) -> Decimal:
    """Everybody's balance and exact unrealized PnL and funding: accounts, crowds and house."""
    record = exchange.records.whole()
    total = record.core.house + record.core.insurance + record.core.departed
    for account in record.accounts:
        total += sum(account.info.balances.values())
    for market in record.markets.values():
        total += market.crowd_balance
        positions = [
            market.crowd,
            *(a.positions[market.symbol] for a in record.accounts if market.symbol in a.positions),
        ]
        assert sum(position.size for position in positions) == 0
        for held in positions:
            total += held.size * market.mark_price - held.cost
            total -= held.size * (market.funding_index - held.cached_funding_index)
    return total


fine = st.decimals("0.000000000001", 1000, places=12)


@given(st.lists(st.tuples(sides, fine, fine, st.decimals(0, 1, places=18)), min_size=2, max_size=20))
@settings(max_examples=200, deadline=None)
def test_rounding_is_accounted_for_at_any_precision(trades: list[tuple[Side, Decimal, Decimal, Decimal]]) -> None:
    """In more decimals than money has: what a position paid out and its dust are what it bought and sold for."""
    position = PositionState()
    booked = expected = index = Decimal(0)
    with localcontext(Context(prec=100)):
        signed = [(side.sign * size, price, growth) for side, size, price, growth in trades]
        # The last trade closes, so that nothing can hide in the cost of an open position.
        signed.append((-sum(size for size, _, _ in signed), trades[0][2], trades[0][3]))
        for size, price, growth in signed:
            index += growth
            expected -= position.size * growth + size * price
            if size:
                change = position.apply(size, price, index, "1", START)
                booked += change.realized_pnl + change.realized_funding + change.dust
                assert all(-value.as_tuple().exponent <= 8 for value in (change.realized_pnl, change.realized_funding))
        assert (position.size, position.cost) == (0, 0)
        assert booked == expected


@given(programs)
@settings(max_examples=100, deadline=None)
def test_a_position_is_the_sum_of_its_fills(program: list[Action]) -> None:
    run = Run().all_of(program)
    held: defaultdict[str, Decimal] = defaultdict(Decimal)
    balances = dict.fromkeys(ACCOUNTS, DEPOSIT)
    filled: defaultdict[str, Decimal] = defaultdict(Decimal)
    for event in run.events:
        if isinstance(event, Filled):
            fill = event.fill
            held[fill.account] += fill.order_side.sign * fill.size
            filled[fill.order_id] += fill.size
            balances[fill.account] += fill.realized_pnl + fill.realized_funding - fill.fee
    for account in ACCOUNTS:
        assert sum(position.size for position in run.exchange.positions(account)) == held[account]
        assert run.exchange.balances(account)[0].size == balances[account]
        for order in run.exchange.orders_history(account, limit=1000).items:
            assert order.size - order.remaining_size == filled[order.id]
            assert 0 <= order.remaining_size <= order.size


@given(programs)
@settings(max_examples=100, deadline=None)
def test_the_book_is_never_crossed_and_is_the_sum_of_its_orders(program: list[Action]) -> None:
    run = Run()
    for action in program:
        run.do(action)
        book = run.exchange.levels(MARKET)
        if book.bids and book.asks:
            assert book.bids[0][0] < book.asks[0][0]
        assert all(size > 0 for _, size in (*book.bids, *book.asks))
        assert [price for price, _ in book.bids] == sorted((price for price, _ in book.bids), reverse=True)
        assert [price for price, _ in book.asks] == sorted(price for price, _ in book.asks)
        levels: defaultdict[Decimal, Decimal] = defaultdict(Decimal)
        for account in ACCOUNTS:
            for order in run.exchange.open_orders(account):
                assert order.status is OrderStatus.OPEN
                levels[order.price] += order.remaining_size
        for price, size in levels.items():
            assert dict((*book.bids, *book.asks))[price] >= size


@given(programs)
@settings(max_examples=100, deadline=None)
def test_deltas_lead_from_nothing_to_the_book(program: list[Action]) -> None:
    run = Run().all_of(program)
    mirror: dict[tuple[Side, Decimal], Decimal] = {}
    seq = 0
    for event in run.events:
        if isinstance(event, BookChanged):
            seq += 1
            assert event.seq == seq
            for side, price, size in event.changes:
                assert mirror.pop((side, price), Decimal(0)) != size
                if size:
                    mirror[side, price] = size
    book = run.exchange.levels(MARKET)
    sides_of = ((Side.BUY, book.bids), (Side.SELL, book.asks))
    assert mirror == {(side, price): size for side, levels in sides_of for price, size in levels}


@given(programs)
@settings(max_examples=100, deadline=None)
def test_an_orders_life_goes_one_way(program: list[Action]) -> None:
    run = Run().all_of(program)
    last: dict[str, tuple[int, int, Decimal, int]] = {}
    rank = {OrderStatus.NEW: 0, OrderStatus.OPEN: 1, OrderStatus.CLOSED: 2}
    closed: set[str] = set()
    for event in run.events:
        if not isinstance(event, OrderUpdated):
            continue
        order = event.order
        state = (order.seq_no, rank[order.status], -order.remaining_size, order.last_updated_at)
        if order.id in last:
            before = last[order.id]
            assert state[0] > before[0]
            assert all(now >= was for now, was in zip(state[1:], before[1:], strict=True))
        assert order.id not in closed
        if order.status is OrderStatus.CLOSED:
            closed.add(order.id)
            assert bool(order.cancel_reason) == bool(order.remaining_size)
            assert order.cancel_reason in {"", *CancelReason}
        last[order.id] = state


@given(st.lists(st.tuples(prices, sizes), min_size=2, max_size=12), sizes)
@settings(max_examples=150, deadline=None)
def test_price_then_time_decides_who_is_filled(asks: list[tuple[Decimal, Decimal]], wanted: Decimal) -> None:
    """Against the plainest possible model: sort by price, then by arrival, and hand out."""
    run = Run()
    placed = []
    for number, (price, size) in enumerate(asks):
        account = (BOB, CAROL)[number % 2]
        order = run.exchange.submit(
            account, OrderRequest(MARKET, Side.SELL, OrderType.LIMIT, size, price, OrderInstruction.POST_ONLY)
        )
        run.exchange.process()
        if run.exchange.orders_history(account, limit=1).items[0].status is OrderStatus.OPEN:
            placed.append((price, number, order.id, size))
    run.exchange.submit(ALICE, OrderRequest(MARKET, Side.BUY, OrderType.LIMIT, wanted, Decimal(105)))
    run.exchange.process()
    expected, left = {}, wanted
    for price, _, order_id, size in sorted(placed):
        matched = min(left, size) if price <= 105 else Decimal(0)
        if matched:
            expected[order_id] = matched
        left -= matched
    fills = [fill for account in (BOB, CAROL) for fill in run.exchange.fills(account).items]
    assert {fill.order_id: fill.size for fill in fills} == expected


@given(programs)
@settings(max_examples=40, deadline=None)
def test_the_same_requests_at_the_same_times_give_the_same_events(program: list[Action]) -> None:
    assert Run().all_of(program).events == Run().all_of(program).events


@given(programs)
@settings(max_examples=60, deadline=None)
def test_reduce_only_orders_always_fit_the_position(program: list[Action]) -> None:
    run = Run()
    for action in program:
        run.do(action)
        for account in ACCOUNTS:
            position = sum((p.size for p in run.exchange.positions(account)), Decimal(0))
            for order in run.exchange.open_orders(account):
                if order.reduce_only:
                    assert position * order.side.sign < 0
                    assert order.remaining_size <= abs(position)
