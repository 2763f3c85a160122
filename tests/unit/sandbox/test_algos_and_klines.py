"""TWAP orders, and the bars of what was traded."""

from decimal import Decimal

import pytest

from paradex_sandbox.exchange.algo import AlgoRequest
from paradex_sandbox.exchange.candles import CANDLE_HISTORY, MINUTE, Candles, PriceKind
from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.events import AlgoUpdated
from paradex_sandbox.exchange.model import OrderStatus, OrderType, Side, SystemStatus
from tests.unit.sandbox.venue import ALICE, BOB, MARKET, SECOND, START, Venue

D = Decimal


def request(size: str = "10", duration: int = 120, **more: object) -> AlgoRequest:
    return AlgoRequest(MARKET, Side.BUY, D(size), duration, **more)  # type: ignore[arg-type]


@pytest.fixture
def deep(venue: Venue) -> Venue:
    venue.sell(BOB, "100", "100")
    return venue


def bought(venue: Venue) -> list[Decimal]:
    return [fill.size for fill in venue.fills(ALICE)]


# -- algo orders -----------------------------------------------------------------------------------------------------


def test_a_twap_trades_every_30_seconds_at_an_even_pace(deep: Venue) -> None:
    algo = deep.exchange.create_algo(ALICE, request("1.03"))
    assert (algo.status, algo.end_at - algo.created_at) == (OrderStatus.OPEN, 120 * SECOND)
    deep.process()
    assert bought(deep) == [D("0.25")]
    deep.wait(29 * SECOND)
    assert len(bought(deep)) == 1
    for _ in range(3):
        deep.wait(30 * SECOND)
    assert bought(deep) == [D("0.25"), D("0.26"), D("0.26"), D("0.26")]
    (done,) = deep.exchange.algos_history(ALICE).items
    assert (done.status, done.remaining_size, done.avg_fill_price, done.cancel_reason) == (
        OrderStatus.CLOSED,
        0,
        100,
        "",
    )
    assert deep.exchange.open_algos(ALICE) == []


def test_its_slices_are_market_orders_with_its_id(deep: Venue) -> None:
    algo = deep.exchange.create_algo(ALICE, request())
    deep.process()
    (order,) = deep.exchange.orders_history(ALICE).items
    assert (order.algo_id, order.type, order.status) == (algo.id, OrderType.MARKET, OrderStatus.CLOSED)
    assert [event.algo.remaining_size for event in deep.of_type(AlgoUpdated)] == [10, D("7.5")]


def test_what_a_slice_could_not_fill_the_next_makes_up_for(venue: Venue) -> None:
    venue.exchange.create_algo(ALICE, request())
    venue.process()
    assert bought(venue) == []
    venue.sell(BOB, "100", "100")
    venue.wait(30 * SECOND)
    assert bought(venue) == [5]


def test_what_is_left_at_the_end_is_not_traded(venue: Venue) -> None:
    venue.exchange.create_algo(ALICE, request(duration=60))
    venue.wait(120 * SECOND)
    (done,) = venue.exchange.algos_history(ALICE).items
    assert (done.status, done.remaining_size, done.cancel_reason) == (OrderStatus.CLOSED, 10, "NO_LIQUIDITY")


def test_without_margin_it_ends(deep: Venue) -> None:
    deep.exchange.deposit(ALICE, D(-99_990))
    deep.exchange.create_algo(ALICE, request("100"))
    deep.process()
    assert deep.exchange.algos_history(ALICE).items[0].cancel_reason == "NOT_ENOUGH_MARGIN"


def test_it_can_be_cancelled(deep: Venue) -> None:
    algo = deep.exchange.create_algo(ALICE, request())
    deep.process()
    assert deep.exchange.algo(ALICE, algo.id).remaining_size == D("7.5")
    closed = deep.exchange.cancel_algo(ALICE, algo.id)
    assert (closed.status, closed.cancel_reason) == (OrderStatus.CLOSED, "USER_CANCELED")
    deep.wait(300 * SECOND)
    assert len(bought(deep)) == 1
    for ask in (deep.exchange.algo, deep.exchange.cancel_algo):
        with pytest.raises(ExchangeError, match="ALGO_ID_NOT_FOUND"):
            ask(ALICE, algo.id)


def test_it_waits_while_the_system_is_not_ok_and_catches_up(deep: Venue) -> None:
    deep.exchange.create_algo(ALICE, request())
    deep.process()
    deep.exchange.system_status = SystemStatus.MAINTENANCE
    deep.wait(60 * SECOND)
    assert bought(deep) == [D("2.5")]
    deep.exchange.system_status = SystemStatus.OK
    deep.process()
    assert sum(bought(deep)) == D("7.5")


def test_history_is_filtered_and_paged(deep: Venue) -> None:
    ids = [deep.exchange.create_algo(ALICE, request()).id for _ in range(3)]
    deep.exchange.cancel_algo(ALICE, ids[0])
    history = deep.exchange.algos_history
    assert [algo.id for algo in history(ALICE, status=OrderStatus.OPEN).items] == ids[:0:-1]
    page = history(ALICE, limit=2)
    assert [algo.id for algo in history(ALICE, before=page.next).items] == ids[:1]
    assert history(ALICE, side=Side.SELL).items == ()
    assert [algo.id for algo in deep.exchange.open_algos(ALICE, MARKET)] == ids[1:]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (request(duration=29), "VALIDATION_ERROR"),
        (request(duration=45), "VALIDATION_ERROR"),
        (request(duration=86_430), "VALIDATION_ERROR"),
        (request(frequency=50), "VALIDATION_ERROR"),
        (request(frequency=0), "VALIDATION_ERROR"),
        (request("0.005"), "INVALID_ORDER_SIZE"),
        (AlgoRequest("NO-USD-PERP", Side.BUY, D(1), 60), "MARKET_NOT_FOUND"),
    ],
)
def test_what_is_no_twap_is_refused(venue: Venue, wrong: AlgoRequest, code: str) -> None:
    with pytest.raises(ExchangeError) as caught:
        venue.exchange.create_algo(ALICE, wrong)
    assert caught.value.code == code


# -- klines ----------------------------------------------------------------------------------------------------------


def trade(venue: Venue, minute: int, price: str, size: str = "1") -> None:
    venue.exchange.resume(max(venue.exchange.now, HOUR + minute * MINUTE))
    venue.sell(BOB, size, price)
    venue.buy(ALICE, size, price)


HOUR = (START // (60 * MINUTE) + 1) * 60 * MINUTE


def test_bars_are_made_of_the_trades_that_happened(venue: Venue) -> None:
    for minute, price, size in ((0, "100", "1"), (0, "102", "2"), (0, "99", "1"), (1, "101", "1"), (7, "103", "3")):
        trade(venue, minute, price, size)
    one = venue.exchange.klines(MARKET, 1, HOUR, HOUR + 60 * MINUTE)
    assert [(bar.start - HOUR, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in one] == [
        (0, 100, 102, 99, 99, 4),
        (MINUTE, 101, 101, 101, 101, 1),
        (7 * MINUTE, 103, 103, 103, 103, 3),
    ]
    five = venue.exchange.klines(MARKET, 5, HOUR, HOUR + 60 * MINUTE)
    assert [(bar.start - HOUR, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in five] == [
        (0, 100, 102, 99, 101, 5),
        (5 * MINUTE, 103, 103, 103, 103, 3),
    ]
    assert venue.exchange.klines(MARKET, 5, HOUR + MINUTE, HOUR + 60 * MINUTE) == five[1:]
    assert venue.exchange.klines(MARKET, 60, HOUR, HOUR)[0].volume == 8


@pytest.mark.parametrize("resolution", [1, 3, 5, 15, 30, 60])
def test_volume_is_the_same_at_every_resolution(venue: Venue, resolution: int) -> None:
    for minute in range(0, 90, 7):
        trade(venue, minute, "100", "0.5")
    bars = venue.exchange.klines(MARKET, resolution, 0, HOUR + 200 * MINUTE)
    assert sum(bar.volume for bar in bars) == D("0.5") * 13
    assert all(bar.start % (resolution * MINUTE) == 0 for bar in bars)


def test_other_resolutions_are_refused(venue: Venue) -> None:
    with pytest.raises(ExchangeError, match="VALIDATION_ERROR"):
        venue.exchange.klines(MARKET, 2, 0, HOUR)


def test_mark_and_spot_have_bars_too(venue: Venue) -> None:
    venue.exchange.release_mark_price(MARKET)
    venue.wait(180 * SECOND)
    marks = venue.exchange.klines(MARKET, 1, 0, HOUR, PriceKind.MARK)
    assert len(marks) in (3, 4)
    assert marks[-1].close == venue.exchange.market_summary(MARKET).mark_price
    spots = venue.exchange.klines(MARKET, 1, 0, HOUR, PriceKind.UNDERLYING)
    assert spots[-1].close == venue.exchange.market_summary(MARKET).underlying_price
    assert venue.exchange.klines(MARKET, 1, 0, HOUR) == []


def test_a_week_of_minutes_is_kept() -> None:
    candles = Candles()
    for minute in range(CANDLE_HISTORY + 5):
        candles.add(minute * MINUTE, D(1), D(1))
    assert len(candles.since(0)) == CANDLE_HISTORY
    assert candles.bars(1, 0, 10 * MINUTE)[0].start == 5 * MINUTE
