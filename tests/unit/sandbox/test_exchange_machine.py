"""Everything at once, in any order: what must hold after every step of a machine that uses all features."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from decimal import Context, Decimal, localcontext
from itertools import product

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from paradex_sandbox.exchange.algo import AlgoRequest
from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.events import (
    BalanceChanged,
    BookChanged,
    Event,
    Filled,
    InteractiveBookChanged,
    MarketChanged,
    OrderUpdated,
    PositionChanged,
    TradeBusted,
)
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.liquidation import HEALTH_CHECK_US
from paradex_sandbox.exchange.model import (
    Fill,
    MarketChange,
    MarketChangeKind,
    ModifyRequest,
    Order,
    OrderClass,
    OrderFlag,
    OrderInstruction,
    OrderRequest,
    OrderStatus,
    OrderType,
    Position,
    SelfTradePrevention,
    Side,
    SystemStatus,
)
from paradex_sandbox.storage import Storage
from tests.unit.sandbox.test_exchange_properties import wealth
from tests.unit.sandbox.venue import ALICE, BOB, CAROL, MARKET, START, plain_market

ACCOUNTS = (ALICE, BOB, CAROL)
#: Listed, settled and deleted as it goes.
OTHER = "OTHER-USD-PERP"
DEPOSIT = Decimal(300)

sides = st.sampled_from(Side)
accounts = st.sampled_from(ACCOUNTS)
prices = st.integers(190, 210).map(lambda ticks: Decimal(ticks) / 2)
sizes = st.one_of(st.integers(10, 600), st.integers(1000, 3000)).map(lambda steps: Decimal(steps) / 100)
classes = st.sampled_from([OrderClass.PRO, OrderClass.PRO, OrderClass.INTERACTIVE])
types = st.sampled_from([*OrderType, *[OrderType.LIMIT] * 8])
flags = st.sampled_from([(), (), (), (), (OrderFlag.MMP,), (OrderFlag.REDUCE_ONLY,)])
numbers = st.integers(0, 9)
markets = st.sampled_from([MARKET, MARKET, OTHER])
RULES = [
    {"price_tick_size": Decimal("0.25")},
    {"price_tick_size": Decimal(1)},
    {"order_size_increment": Decimal("0.05")},
    {"order_size_increment": Decimal(1), "min_notional": Decimal(200)},
    {"max_open_orders": 3},
    {"price_bands_width": Decimal("0.02"), "max_slippage": Decimal("0.01")},
    {"position_limit": Decimal(12), "max_order_size": Decimal(8)},
]


def fresh() -> Exchange:
    return Exchange([plain_market(max_slippage=Decimal("0.04"))], seed=1, now_us=START)


class TradingMachine(RuleBasedStateMachine):
    """Accounts do what they can; the log of events is kept, and stored as it goes."""

    def __init__(self) -> None:
        super().__init__()
        self.exchange = fresh()
        self.storage = Storage(":memory:")
        for account in ACCOUNTS:
            self.exchange.create_account(account, f"{account}1", {"USDC": DEPOSIT})
        self.exchange.allow_rpi(BOB)
        self.exchange.set_max_slippage(CAROL, MARKET, Decimal("0.03"))
        self.exchange.set_mark_price(MARKET, Decimal(100))
        for account in (ALICE, BOB):
            self.exchange.set_mmp(
                account, "TEST", interval_ms=5000, frozen_time_ms=3000, size_limit=Decimal(5), delta_limit=Decimal(3)
            )
        # What the events alone say.
        self.held: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.filled: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.fills: dict[tuple[str, str], Fill] = {}
        self.balances = dict.fromkeys(ACCOUNTS, DEPOSIT)
        self.orders: dict[str, Order] = {}
        self.positions: dict[tuple[str, str], Position] = {}
        self.books: defaultdict[tuple[str, bool], dict[tuple[Side, Decimal], Decimal]] = defaultdict(dict)
        self.seqs: defaultdict[tuple[str, bool], int] = defaultdict(int)
        self.listed = {MARKET}
        self.drain()

    def teardown(self) -> None:
        self.storage.close()

    def drain(self, process: bool = True) -> None:
        if process:
            self.exchange.process()
        events = self.exchange.drain_events()
        self.storage.write(self.exchange, events)
        for event in events:
            self.learn(event)

    def learn(self, event: Event) -> None:
        match event:
            case Filled(fill=fill):
                self.fills[fill.account, fill.id] = fill
                self.held[fill.account, fill.market] += fill.order_side.sign * fill.size
                self.filled[fill.order_id] += fill.size
            case TradeBusted(bust=bust):
                fill = self.fills.pop((bust.account, bust.busted_fill_id))
                self.held[fill.account, fill.market] -= fill.order_side.sign * fill.size
                self.filled[fill.order_id] -= fill.size
            case BalanceChanged():
                assert event.before == self.balances[event.account]
                self.balances[event.account] = event.after
            case OrderUpdated(order=order):
                self.check_life(self.orders.get(order.id), order)
                self.orders[order.id] = order
            case PositionChanged(position=position):
                self.positions[position.account, position.market] = position
            case BookChanged() | InteractiveBookChanged():
                book = event.market, isinstance(event, InteractiveBookChanged)
                self.apply(book, event.seq, event.changes)
            case MarketChanged(change=change):
                self.market_changed(change)
            case _:
                pass

    def market_changed(self, change: MarketChange) -> None:
        symbol = change.market
        if change.kind is MarketChangeKind.CREATED:
            self.listed.add(symbol)
            return
        if change.kind is MarketChangeKind.UPDATED:
            return
        # Settled: everybody is out, at the price that was told.
        assert all(not self.held[account, symbol] for account in ACCOUNTS)
        assert all(not order.is_live for order in self.orders.values() if order.market == symbol)
        if change.kind is MarketChangeKind.DELETED:
            self.listed.remove(symbol)
            for interactive in (False, True):
                assert not self.books.pop((symbol, interactive), None)
                self.seqs.pop((symbol, interactive), None)
            for account in ACCOUNTS:
                position = self.positions.pop((account, symbol), None)
                assert position is None or not position.size

    @staticmethod
    def check_life(before: Order | None, now: Order) -> None:
        assert 0 <= now.remaining_size <= now.size
        if before is None:
            assert now.status is OrderStatus.NEW
            return
        if before.status is OrderStatus.NEW and now.vwap_price is not None:
            assert (now.filled_notional - now.vwap_price * now.filled_size) * now.side.sign <= 0
        assert now.seq_no > before.seq_no
        if before.status is OrderStatus.CLOSED:
            # Only a bust touches a closed order, and never opens it.
            assert now.status is OrderStatus.CLOSED
            assert now.remaining_size > before.remaining_size
        if before.status is OrderStatus.OPEN:
            assert now.status is not OrderStatus.NEW
            assert now.status is not OrderStatus.UNTRIGGERED

    def apply(self, key: tuple[str, bool], seq: int, changes: Iterable[tuple[Side, Decimal, Decimal]]) -> None:
        assert seq == self.seqs[key] + 1
        self.seqs[key] = seq
        book = self.books[key]
        for side, price, size in changes:
            assert book.pop((side, price), Decimal(0)) != size
            if size:
                book[side, price] = size

    def live(self, account: str, number: int) -> Order | None:
        orders = self.exchange.open_orders(account)
        return orders[number % len(orders)] if orders else None

    # -- what can be done ---------------------------------------------------------------------------------------------

    @rule(
        account=accounts,
        market=markets,
        side=sides,
        type=types,
        size=sizes,
        price=prices,
        trigger=prices,
        instruction=st.sampled_from(OrderInstruction),
        flags=flags,
        stp=st.sampled_from([None, *SelfTradePrevention]),
        order_class=classes,
        vwap_price=st.one_of(st.none(), prices),
        together=st.booleans(),
    )
    def submit(
        self,
        account: str,
        market: str,
        side: Side,
        type: OrderType,
        size: Decimal,
        price: Decimal,
        trigger: Decimal,
        instruction: OrderInstruction,
        flags: tuple[OrderFlag, ...],
        stp: SelfTradePrevention | None,
        order_class: OrderClass,
        vwap_price: Decimal | None,
        together: bool,
    ) -> None:
        request = OrderRequest(
            market=market,
            side=side,
            type=type,
            size=size,
            price=price if type.has_price else None,
            instruction=instruction,
            flags=flags,
            stp=stp,
            trigger_price=trigger if type.is_trigger else None,
            order_class=order_class,
            vwap_price=vwap_price if type is OrderType.MARKET else None,
        )
        with suppress(ExchangeError):
            self.exchange.submit(account, request)
        self.drain(process=not together)

    @rule(account=accounts, number=numbers, size=sizes, price=prices, trigger=st.one_of(st.none(), prices))
    def modify(self, account: str, number: int, size: Decimal, price: Decimal, trigger: Decimal | None) -> None:
        order = self.live(account, number)
        if order is not None:
            wanted = price if order.type.has_price else None
            request = ModifyRequest(order.id, order.market, order.side, order.type, size, wanted, trigger)
            with suppress(ExchangeError):
                self.exchange.modify(account, request)
            self.drain()

    @rule(account=accounts, number=numbers, everything=st.integers(0, 5))
    def cancel(self, account: str, number: int, everything: int) -> None:
        order = self.live(account, number)
        with suppress(ExchangeError):
            if order is not None and everything:
                self.exchange.cancel(account, order_id=order.id)
            elif order is not None:
                self.exchange.cancel_all(account)
        self.drain()

    @rule(account=accounts, market=markets, side=sides, size=sizes, slices=st.integers(1, 4), stop=st.booleans())
    def algo(self, account: str, market: str, side: Side, size: Decimal, slices: int, stop: bool) -> None:
        with suppress(ExchangeError):
            algo = self.exchange.create_algo(account, AlgoRequest(market, side, size, 30 * slices))
            if stop:
                self.exchange.cancel_algo(account, algo.id)
        self.drain()

    def quote(self, market: str, side: Side, price: Decimal, size: Decimal, is_rpi: bool = False) -> None:
        """As whoever quotes for the crowd: in the market's steps, where it is traded."""
        rules = {m.symbol: m for m in self.exchange.crowd.markets()}.get(market)
        if rules is not None and not price % rules.price_tick_size and not size % rules.order_size_increment:
            self.exchange.crowd.quote(market, side, price, size, is_rpi=is_rpi)
            self.exchange.crowd.publish()

    @rule(market=markets, side=sides, price=prices, size=sizes, is_rpi=st.booleans())
    def crowd(self, market: str, side: Side, price: Decimal, size: Decimal, is_rpi: bool) -> None:
        self.quote(market, side, price, size, is_rpi)
        self.drain()

    @rule(account=accounts, market=markets, side=sides, size=st.integers(5, 29), order_class=classes)
    def trade(self, account: str, market: str, side: Side, size: int, order_class: OrderClass) -> None:
        """A position, and often one of the size that the next move of the mark liquidates."""
        if market not in self.listed:
            return
        price = self.exchange.market_summary(market).mark_price.quantize(Decimal(1))
        self.quote(market, side.opposite, price, Decimal(size))
        request = OrderRequest(market, side, OrderType.LIMIT, Decimal(size), price, order_class=order_class)
        with suppress(ExchangeError):
            self.exchange.submit(account, request)
        self.drain()

    @rule(ms=st.sampled_from([1, 300, 1000, 5000, 30_000, 120_000]))
    def wait(self, ms: int) -> None:
        self.exchange.advance(self.exchange.now + ms * 1000)
        self.drain()

    @rule(market=markets, price=st.decimals(90, 110, places=3), check=st.booleans())
    def mark(self, market: str, price: Decimal, check: bool) -> None:
        with suppress(ExchangeError):
            self.exchange.set_mark_price(market, price)
        if check:
            self.exchange.advance(self.exchange.now + HEALTH_CHECK_US)
        self.drain()

    @rule(account=accounts, number=numbers)
    def bust(self, account: str, number: int) -> None:
        fills = self.exchange.fills(account).items
        if fills:
            with suppress(ExchangeError):
                self.exchange.bust(account, fills[number % len(fills)].id)
            self.drain()

    @rule(status=st.sampled_from(SystemStatus), stay=st.integers(0, 3))
    def system(self, status: SystemStatus, stay: int) -> None:
        self.exchange.system_status = status
        self.drain()
        if stay:
            self.exchange.system_status = SystemStatus.OK
            self.drain()

    @rule(seconds=st.integers(0, 40))
    def release(self, seconds: int) -> None:
        self.exchange.schedule_release(self.exchange.now + seconds * 1_000_000, 10_000_000, 10_000_000)
        self.drain()

    @rule(market=markets, changes=st.sampled_from([{}, *RULES]))
    def change_rules(self, market: str, changes: dict[str, Decimal | int]) -> None:
        """Tick, step, limits and widths while it trades; {} goes back to what they were."""
        names = {name for rules in RULES for name in rules}
        usual = {name: getattr(fresh().market(MARKET), name) for name in names}
        with suppress(ExchangeError):
            self.exchange.update_market(market, **(changes or usual))
        self.drain()

    @rule(market=markets, imf=st.sampled_from(["0.05", "0.1", "0.5"]), mmf=st.sampled_from(["0.5", "0.9"]))
    def change_margin(self, market: str, imf: str, mmf: str) -> None:
        before = fresh().market(MARKET).delta1_cross_margin_params
        assert before is not None
        margin = replace(before, imf_base=Decimal(imf), mmf_factor=Decimal(mmf))
        with suppress(ExchangeError):
            self.exchange.update_market(market, delta1_cross_margin_params=margin)
        self.drain()

    @rule(market=markets, closed=st.booleans())
    def halt(self, market: str, closed: bool) -> None:
        with suppress(ExchangeError):
            self.exchange.update_market(market, open_at=self.exchange.now + 20_000_000 if closed else 0)
        self.drain()

    @rule(market=st.just(OTHER), opens_in=st.sampled_from([0, 0, 0, 10]))
    def list_market(self, market: str, opens_in: int) -> None:
        opens = self.exchange.now + opens_in * 1_000_000
        with suppress(ExchangeError):
            self.exchange.create_market(plain_market(symbol=market, open_at=opens))
            self.exchange.set_mark_price(market, Decimal(100))
        self.drain()

    @rule(market=markets, expire_in=st.sampled_from([0, 5, 1000, 1900]))
    def expire(self, market: str, expire_in: int) -> None:
        with suppress(ExchangeError):
            self.exchange.update_market(market, expiry_at=self.exchange.now + expire_in * 1_000_000)
        self.drain()

    @rule(market=markets, again=st.booleans())
    def delete_market(self, market: str, again: bool) -> None:
        with suppress(ExchangeError):
            self.exchange.delete_market(market)
            if again or market == MARKET:
                self.exchange.create_market(plain_market(symbol=market, max_slippage=Decimal("0.04")))
                self.exchange.set_mark_price(market, Decimal(100))
        self.drain()

    @rule(remove=st.booleans())
    def protect(self, remove: bool) -> None:
        with suppress(ExchangeError):
            if remove:
                self.exchange.delete_mmp(ALICE, "TEST")
            else:
                self.exchange.reset_mmp(ALICE)
        self.drain()

    @rule()
    def restart(self) -> None:
        """The crowd's quotes go with the process; everything else is there again."""
        self.drain()
        before, listed = self.exchange.records.whole(), dict(self.exchange.markets)
        self.exchange = fresh()
        assert self.storage.restore(self.exchange)
        after = self.exchange.records.whole()
        # Time that passed without an event is not stored.
        assert replace(after.core, now=0) == replace(before.core, now=0)
        assert after.markets == before.markets
        assert after.histories == before.histories
        assert after.requests == before.requests
        assert (after.market_changes, after.created) == (before.market_changes, before.created)
        assert dict(self.exchange.markets) == listed
        for was, now in zip(before.accounts, after.accounts, strict=True):
            assert now == was
        for key in list(self.books):
            self.books[key] = self.shown(*key)

    # -- what always holds --------------------------------------------------------------------------------------------

    def shown(self, market: str, interactive: bool) -> dict[tuple[Side, Decimal], Decimal]:
        book = self.exchange.levels(market, interactive=interactive)
        sides_of = ((Side.BUY, book.bids), (Side.SELL, book.asks))
        return {(side, price): size for side, levels in sides_of for price, size in levels}

    @invariant()
    def money_is_conserved_to_the_last_decimal(self) -> None:
        with localcontext(Context(prec=100)):
            assert wealth(self.exchange) == DEPOSIT * len(ACCOUNTS)

    @invariant()
    def the_markets_are_what_the_events_say(self) -> None:
        assert set(self.exchange.markets) == self.listed

    @invariant()
    def positions_and_balances_are_what_the_events_say(self) -> None:
        for account in ACCOUNTS:
            held = {position.market: position.size for position in self.exchange.positions(account)}
            for market in self.listed:
                assert held.get(market, 0) == self.held[account, market]
                if (account, market) in self.positions:
                    assert self.positions[account, market].size == held[market]
            assert self.exchange.balances(account)[0].size == self.balances[account]

    @invariant()
    def orders_are_what_the_events_say(self) -> None:
        for account in ACCOUNTS:
            for order in self.exchange.orders_history(account, limit=1000).items:
                assert order == self.orders[order.id]
                assert order.filled_size == self.filled[order.id]

    @invariant()
    def nothing_is_open_in_an_expired_market(self) -> None:
        for symbol in self.listed:
            if self.exchange._state.market(symbol).is_expired:
                for account in ACCOUNTS:
                    assert self.exchange.open_orders(account, symbol) == []
                    assert not self.held[account, symbol]
                assert self.shown(symbol, True) == {}

    @invariant()
    def the_api_book_is_not_crossed_and_sizes_are_positive(self) -> None:
        for market in self.listed:
            book = self.exchange.levels(market)
            if book.bids and book.asks:
                assert book.bids[0][0] < book.asks[0][0]
            assert all(size > 0 for size in self.shown(market, True).values())

    @invariant()
    def both_views_are_the_sum_of_their_changes(self) -> None:
        for market in self.listed:
            for interactive in (False, True):
                assert self.shown(market, interactive) == self.books[market, interactive]

    @invariant()
    def every_open_order_is_in_its_book_in_its_place(self) -> None:
        for market in self.listed:
            self.check_places(market)

    def check_places(self, market: str) -> None:
        state = self.exchange._state.market(market)
        for side in (state.book.bids, state.book.asks, state.book.rpi_bids, state.book.rpi_asks):
            for level in side._best_first():
                queue = [*level.retail, *level.pro]
                assert level.size == sum(resting.remaining for resting in queue)
                for part in (level.retail, level.pro):
                    places = [resting.order.priority for resting in part if resting.order is not None]
                    assert places == sorted(places)
                for resting in queue:
                    order = resting.order
                    if order is not None:
                        assert order.status is OrderStatus.OPEN
                        assert (order.remaining_size, order.price) == (resting.remaining, level.price)
        resting_ids = {r.order.id for r in state.book.resting() if r.order is not None}
        waiting = set(state.triggers._entries)
        for account in ACCOUNTS:
            for order in self.exchange.open_orders(account, market):
                assert (order.id in resting_ids) == (order.status is OrderStatus.OPEN)
                assert (order.id in waiting) == (order.status is OrderStatus.UNTRIGGERED)

    @invariant()
    def margin_sees_the_open_orders_as_they_are(self) -> None:
        for account, market in product(ACCOUNTS, sorted(self.listed)):
            seen = self.exchange._state.account(account).open(market)
            open_orders = [o for o in self.exchange.open_orders(account, market) if o.status is OrderStatus.OPEN]
            mark = self.exchange.market_summary(market).mark_price
            assert seen.has_reduce_only == any(order.reduce_only for order in open_orders)
            adding = [order for order in open_orders if not order.reduce_only]
            for side in Side:
                assert seen.size(side) == sum(order.remaining_size for order in adding if order.side is side)
            beyond = sorted((o.side, o.remaining_size, o.price) for o in adding if (o.price - mark) * o.side.sign > 0)
            assert sorted(tuple(exposure) for exposure in seen.beyond(mark)) == beyond

    @invariant()
    def what_is_tied_to_a_position_fits_it(self) -> None:
        for account, market in product(ACCOUNTS, sorted(self.listed)):
            position = sum((position.size for position in self.exchange.positions(account, market)), Decimal(0))
            for order in self.exchange.open_orders(account, market):
                if order.is_attached and order.status is OrderStatus.UNTRIGGERED:
                    assert (position > 0) == (order.side is Side.SELL)
                    assert order.remaining_size <= abs(position)
                    if order.parent_id:
                        assert order.remaining_size == min(order.linked_size, abs(position))
                elif order.parent_id and order.status is OrderStatus.UNTRIGGERED:
                    assert order.remaining_size == order.linked_size


TradingMachine.TestCase.settings = settings(max_examples=90, stateful_step_count=50, deadline=None)
test_everything_holds_whatever_is_done = TradingMachine.TestCase
