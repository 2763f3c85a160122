"""Markets that change while they trade, and how they are settled."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from paradex_sandbox.exchange.algo import AlgoRequest
from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.events import MarketChanged
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.model import CancelReason, FillType, MarketChangeKind, OrderStatus, OrderType, Side
from paradex_sandbox.liquidity import SyntheticTraders
from paradex_sandbox.storage import Storage
from tests.unit.sandbox.test_exchange_properties import wealth
from tests.unit.sandbox.venue import ALICE, BOB, CAROL, MARKET, SECOND, START, Venue, plain_market

D = Decimal
OTHER = "OTHER-USD-PERP"


def kinds(venue: Venue) -> list[MarketChangeKind]:
    return [event.change.kind for event in venue.of_type(MarketChanged)]


def test_new_rules_hold_from_the_next_order_on(venue: Venue) -> None:
    resting = venue.buy(ALICE, "1", "99.5")
    updated = venue.exchange.update_market(MARKET, price_tick_size=D(1), max_open_orders=2)
    assert venue.exchange.markets[MARKET] is venue.exchange.market(MARKET) is updated
    venue.process()
    (event,) = venue.of_type(MarketChanged)
    assert (event.change.kind, event.change.changed) == (
        MarketChangeKind.UPDATED,
        (("price_tick_size", "1"), ("max_open_orders", "2")),
    )
    assert venue.find(ALICE, resting.id).status is OrderStatus.OPEN
    with pytest.raises(ExchangeError, match="multiple of 1"):
        venue.submit(ALICE, resting.side, "1", "98.5")
    venue.buy(ALICE, "1", "98")
    with pytest.raises(ExchangeError, match="at most 2"):
        venue.submit(ALICE, resting.side, "1", "97")
    assert venue.exchange.market_history(MARKET) == [event.change]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"symbol": 1},
        {"price_tick_size": D(0)},
        {"price_bands_width": D(2)},
        {"min_notional": D(-1)},
        {"max_open_orders": -1},
        {"expiry_at": D("1.5")},
        {"position_limit": D("NaN")},
    ],
)
def test_what_makes_no_sense_is_refused(venue: Venue, fields: dict[str, Decimal | int]) -> None:
    before = venue.exchange.market(MARKET)
    with pytest.raises(ExchangeError, match="VALIDATION_ERROR"):
        venue.exchange.update_market(MARKET, **fields)
    assert venue.exchange.market(MARKET) is before


def test_other_traders_follow_the_new_steps(venue: Venue) -> None:
    traders = SyntheticTraders(venue.exchange, seed=1)
    traders.step(venue.exchange.now)
    venue.exchange.update_market(MARKET, price_tick_size=D("0.25"), order_size_increment=D(1))
    for second in range(1, 30):
        venue.exchange.advance(START + second * SECOND)
        venue.exchange.set_mark_price(MARKET, D(100 + second))
        traders.step(venue.exchange.now)
    book = venue.exchange.levels(MARKET)
    assert book.bids
    assert all(price % D("0.25") == 0 and size % 1 == 0 for price, size in (*book.bids, *book.asks))


def test_an_expiry_that_is_set_settles_the_market(make_venue: Callable[..., Venue]) -> None:
    venue = make_venue()
    venue.sell(BOB, "1", "100")
    venue.buy(ALICE, "1", "100")
    with pytest.raises(ExchangeError, match="MARKET_NOT_SETTLED"):
        venue.exchange.settlement(MARKET)
    venue.exchange.update_market(MARKET, expiry_at=START + 60 * SECOND)
    venue.mark("104")
    venue.wait(60 * SECOND)
    assert venue.position(ALICE) == 0
    settlement = venue.exchange.settlement(MARKET)
    assert (settlement.expiry_at, settlement.settlement_price) == (START + 60 * SECOND, 104)
    assert abs(settlement.underlying_twap_price - 104) < 3
    assert [event.change.kind for event in venue.of_type(MarketChanged)][-1] is MarketChangeKind.SETTLED


def test_changes_survive_a_restart() -> None:
    storage = Storage(":memory:")
    exchange = Exchange([plain_market()], seed=1, now_us=START)
    exchange.update_market(MARKET, price_tick_size=D("0.10"), expiry_at=START + 9 * SECOND)
    exchange.update_market(MARKET, price_tick_size=D("0.2"))
    storage.write(exchange, exchange.drain_events())
    exchange.advance(START + 9 * SECOND)
    storage.write(exchange, exchange.drain_events())
    again = Exchange([plain_market()], seed=1, now_us=START)
    assert storage.restore(again)
    assert again.market(MARKET) == exchange.market(MARKET)
    assert again.market_history() == exchange.market_history()
    assert again.settlement(MARKET) == exchange.settlement(MARKET)
    assert again.records.whole() == exchange.records.whole()
    storage.close()


# -- listing and deleting ---------------------------------------------------------------------------------------------


def test_a_market_that_is_listed_is_told_of_and_traded(venue: Venue) -> None:
    market = plain_market(symbol=OTHER, base_currency="OTHER")
    assert venue.exchange.create_market(market) is market
    venue.process()
    (event,) = venue.of_type(MarketChanged)
    told = dict(event.change.changed)
    assert (event.change.kind, told["base_currency"], told["price_tick_size"]) == ("CREATED", "OTHER", "0.5")
    assert "imf_base" in told["delta1_cross_margin_params"]
    assert list(venue.exchange.markets) == [MARKET, OTHER]
    venue.exchange.set_mark_price(OTHER, D(100))
    venue.sell(BOB, "1", "100", market=OTHER)
    assert venue.buy(ALICE, "1", "100", market=OTHER).status is OrderStatus.CLOSED
    assert [position.market for position in venue.exchange.positions(ALICE)] == [OTHER]


def test_a_market_may_be_listed_before_it_opens(venue: Venue) -> None:
    venue.exchange.create_market(plain_market(symbol=OTHER, open_at=START + 9 * SECOND))
    venue.exchange.set_mark_price(OTHER, D(100))
    with pytest.raises(ExchangeError, match="MARKET_NOT_OPEN"):
        venue.buy(ALICE, "1", "100", market=OTHER)
    venue.wait(9 * SECOND)
    assert venue.buy(ALICE, "1", "100", market=OTHER).status is OrderStatus.OPEN


def test_other_traders_come_to_a_new_market_and_to_one_that_is_listed_again(venue: Venue) -> None:
    traders = SyntheticTraders(venue.exchange, seed=1)
    for _ in range(2):
        venue.exchange.create_market(plain_market(symbol=OTHER))
        venue.exchange.advance(venue.exchange.now + SECOND)
        traders.step(venue.exchange.now)
        assert venue.exchange.levels(OTHER).bids
        venue.exchange.delete_market(OTHER)
        traders.step(venue.exchange.now)
    assert list(venue.exchange.markets) == [MARKET]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"symbol": MARKET}, "NOT_UNIQUE"),
        ({"symbol": "A.B"}, "VALIDATION_ERROR"),
        ({"symbol": "A@B"}, "VALIDATION_ERROR"),
        ({"symbol": "ALL"}, "VALIDATION_ERROR"),
        ({"symbol": "X" * 32}, "VALIDATION_ERROR"),
        ({"symbol": OTHER, "expiry_at": START}, "VALIDATION_ERROR"),
    ],
)
def test_what_cannot_be_listed_is_refused(venue: Venue, changes: dict[str, object], error: str) -> None:
    with pytest.raises(ExchangeError, match=error):
        venue.exchange.create_market(plain_market(**changes))
    assert list(venue.exchange.markets) == [MARKET]
    assert venue.process() == []


def test_a_market_that_is_deleted_is_settled_first(venue: Venue) -> None:
    venue.exchange.crowd.quote(MARKET, Side.SELL, D(100), D(2))
    venue.buy(ALICE, "3", "100")
    venue.sell(BOB, "1", "100")
    waiting = venue.order(ALICE, Side.SELL, "3", None, type=OrderType.STOP_LOSS_MARKET, trigger_price=D(90))
    resting = venue.sell(CAROL, "1", "103")
    queued = venue.submit(BOB, Side.BUY, "1", "99")
    algo = venue.exchange.create_algo(CAROL, AlgoRequest(MARKET, Side.BUY, D(9), 90))
    venue.exchange.set_leverage(ALICE, MARKET, 2)
    venue.exchange.set_max_slippage(ALICE, MARKET, D("0.01"))
    venue.mark("104")
    before = wealth(venue.exchange)

    venue.exchange.delete_market(MARKET)
    venue.process()
    assert kinds(venue) == [MarketChangeKind.SETTLED, MarketChangeKind.DELETED]
    for account, order_id in ((ALICE, waiting.id), (CAROL, resting.id), (BOB, queued)):
        order = venue.find(account, order_id)
        assert (order.status, order.cancel_reason) == (OrderStatus.CLOSED, CancelReason.MARKET_DELISTED)
    (ended,) = venue.exchange.algos_history(CAROL).items
    assert (ended.id, ended.cancel_reason) == (algo.id, CancelReason.MARKET_DELISTED)
    settled = venue.fills(ALICE)[-1]
    assert (settled.fill_type, settled.price, settled.size) == (FillType.SETTLE_MARKET, 104, 3)
    assert settled.realized_pnl == 12
    assert settled.fee == 0
    for account in (ALICE, BOB, CAROL):
        assert venue.exchange.positions(account) == []
        assert venue.exchange.open_orders(account) == []
    assert wealth(venue.exchange) == before

    assert MARKET not in venue.exchange.markets
    for ask in (venue.exchange.market, venue.exchange.delete_market, venue.exchange.levels):
        with pytest.raises(ExchangeError, match="MARKET_NOT_FOUND"):
            ask(MARKET)
    with pytest.raises(ExchangeError, match="MARKET_NOT_FOUND"):
        venue.submit(ALICE, Side.BUY, "1", "100")
    # What is remembered of it can still be asked for.
    assert venue.exchange.settlement(MARKET).settlement_price == 104
    assert [change.kind for change in venue.exchange.market_history(MARKET)] == ["DELETED", "SETTLED"]
    assert venue.exchange.account(ALICE).leverage == venue.exchange.account(ALICE).max_slippage == {}


def test_a_market_that_has_expired_is_deleted_without_settling_it_again(venue: Venue) -> None:
    venue.exchange.update_market(MARKET, expiry_at=START)
    venue.process()
    venue.exchange.delete_market(MARKET)
    venue.process()
    assert kinds(venue) == [MarketChangeKind.DELETED]


def test_a_trade_of_a_market_that_has_expired_or_is_gone_is_not_busted(venue: Venue) -> None:
    venue.sell(BOB, "1", "100")
    venue.buy(ALICE, "1", "100")
    fill = venue.fills(ALICE)[0]
    venue.exchange.update_market(MARKET, expiry_at=START)
    with pytest.raises(ExchangeError, match="MARKET_NOT_OPEN"):
        venue.exchange.bust(ALICE, fill.id)
    assert venue.position(ALICE) == 0
    venue.exchange.delete_market(MARKET)
    with pytest.raises(ExchangeError, match="MARKET_NOT_FOUND"):
        venue.exchange.bust(ALICE, fill.id)


def test_a_market_that_is_listed_again_starts_anew(venue: Venue) -> None:
    venue.sell(BOB, "1", "100")
    venue.buy(ALICE, "1", "100")
    venue.exchange.delete_market(MARKET)
    venue.exchange.create_market(plain_market(price_tick_size=D(1)))
    assert venue.exchange.trades(MARKET).items == ()
    assert venue.exchange.levels(MARKET).seq == 0
    assert venue.exchange.market(MARKET).price_tick_size == 1
    with pytest.raises(ExchangeError, match="MARKET_NOT_SETTLED"):
        venue.exchange.settlement(MARKET)


def test_margin_parameters_change_what_orders_and_positions_need(venue: Venue) -> None:
    venue.exchange.deposit(ALICE, D(-99_000))
    venue.exchange.set_leverage(ALICE, MARKET, 10)
    venue.sell(BOB, "50", "100")
    venue.buy(ALICE, "40", "100")
    before = venue.exchange.account_summary(ALICE)
    params = venue.exchange.market(MARKET).delta1_cross_margin_params
    assert params is not None
    venue.exchange.update_market(MARKET, delta1_cross_margin_params=replace(params, imf_base=D("0.2")))
    after = venue.exchange.account_summary(ALICE)
    assert after.initial_margin_requirement - before.initial_margin_requirement == 400
    assert after.maintenance_margin_requirement > before.maintenance_margin_requirement
    assert venue.exchange.margin_config(ALICE, MARKET).leverage == 5
    refused = venue.buy(ALICE, "10", "100")
    assert refused.cancel_reason == CancelReason.NOT_ENOUGH_MARGIN
    for wrong in (
        replace(params, imf_base=D(0)),
        replace(params, mmf_factor=D(2)),
        replace(params, imf_shift=D("NaN")),
    ):
        with pytest.raises(ExchangeError, match="VALIDATION_ERROR"):
            venue.exchange.update_market(MARKET, delta1_cross_margin_params=wrong)


def test_what_was_listed_and_deleted_is_so_after_a_restart() -> None:
    storage = Storage(":memory:")
    second = plain_market(symbol="SECOND-USD-PERP")

    def file() -> Exchange:
        return Exchange([plain_market(), second], seed=1, now_us=START)

    venue = Venue(file())
    exchange = venue.exchange
    storage.write(exchange, venue.events)
    traders = SyntheticTraders(exchange, seed=1)

    def live() -> None:
        for _ in range(70):
            exchange.advance(exchange.now + SECOND)
            traders.step(exchange.now)
        for symbol in exchange.markets:
            mark = exchange.market_summary(symbol).mark_price.quantize(D(1))
            venue.buy(ALICE, "1", str(mark + 2), market=symbol)
            storage.write(exchange, venue.events)
            venue.buy(BOB, "1", str(mark - 4), market=symbol)
            storage.write(exchange, venue.events)

    def restarted() -> Exchange:
        again = file()
        assert storage.restore(again)
        before, after = exchange.records.whole(), again.records.whole()
        assert (after.accounts, after.markets, after.histories) == (before.accounts, before.markets, before.histories)
        assert after == before
        assert dict(again.markets) == dict(exchange.markets)
        return again

    exchange.create_market(plain_market(symbol=OTHER, base_currency="OTHER", fee_config=None, tags=("NEW",)))
    exchange.set_leverage(ALICE, OTHER, 3)
    live()
    exchange.update_market(OTHER, price_tick_size=D("0.25"))
    storage.write(exchange, venue.process())
    restarted()
    # Everything at once, at one moment of the clock, in one transaction.
    exchange.delete_market(OTHER)
    exchange.create_market(plain_market(symbol=OTHER, price_tick_size=D(1)))
    exchange.delete_market(second.symbol)
    exchange.delete_market(OTHER)
    exchange.create_market(plain_market(symbol=OTHER, price_tick_size=D(2)))
    storage.write(exchange, venue.process())
    assert restarted().market(OTHER).price_tick_size == 2
    live()
    exchange.delete_market(OTHER)
    storage.write(exchange, venue.process())
    assert list(restarted().markets) == [MARKET]
    storage.close()


def test_changes_at_one_moment_keep_their_order_over_a_restart() -> None:
    storage = Storage(":memory:")
    exchange = Exchange([plain_market()], seed=1, now_us=START)
    for tick in ("1", "2", "1"):
        exchange.update_market(MARKET, price_tick_size=D(tick))
    storage.write(exchange, exchange.drain_events())
    again = Exchange([plain_market()], seed=1, now_us=START)
    assert storage.restore(again)
    assert again.market(MARKET).price_tick_size == 1
    storage.close()
