"""The decisions of the market-making script in conf_templates, on a market that the test moves by hand."""

import importlib.util
import sys
from decimal import Decimal
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hummingbot.connector.connector_base import ConnectorBase
from hummingbot.connector.derivative.position import Position
from hummingbot.connector.markets_recorder import MarketsRecorder
from hummingbot.connector.trading_rule import TradingRule
from hummingbot.core.data_type.common import OrderType, PositionAction, PositionSide, PriceType, TradeType
from hummingbot.core.data_type.in_flight_order import InFlightOrder, OrderState
from hummingbot.core.data_type.trade_fee import AddedToCostTradeFee, TokenAmount
from hummingbot.core.event.events import MarketOrderFailureEvent, OrderCancelledEvent, OrderFilledEvent
from hummingbot.core.network_iterator import NetworkStatus
from pydantic import ValidationError

SCRIPT = Path(__file__).resolve().parents[2] / "conf_templates" / "scripts" / "paradex_market_making.py"
PAIR = "BTC-USDC"
BUY, SELL = TradeType.BUY, TradeType.SELL


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("paradex_market_making", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


script = load()


class FakeConnector(ConnectorBase):
    """A connector whose market and account are attributes; orders are open as soon as they are placed."""

    def __init__(self) -> None:
        super().__init__()
        self.bid, self.ask = Decimal("99995"), Decimal("100005")
        self.book = SimpleNamespace(snapshot_uid=1, last_diff_uid=1)
        self.position = Decimal(0)
        self.orders: dict[str, InFlightOrder] = {}
        self.cancelled: list[str] = []
        self.connected = True
        self.live = True
        self.collateral = Decimal(1_000_000)

    @property
    def name(self) -> str:
        return "fake_perpetual"

    @property
    def status_dict(self) -> dict[str, bool]:
        return {"order_books_initialized": self.live, "account_balance": self.connected}

    @property
    def ready(self) -> bool:
        return all(self.status_dict.values())

    def format_status_lines(self) -> list[str]:
        return ["Account ACTIVE"]

    @property
    def network_status(self) -> NetworkStatus:
        return NetworkStatus.CONNECTED if self.connected else NetworkStatus.NOT_CONNECTED

    @property
    def trading_rules(self) -> dict[str, TradingRule]:
        return {
            PAIR: TradingRule(
                PAIR,
                min_order_size=Decimal("0.0001"),
                min_price_increment=Decimal("0.1"),
                min_base_amount_increment=Decimal("0.0001"),
                min_notional_size=Decimal(10),
            )
        }

    @property
    def account_positions(self) -> dict[str, Position]:
        if not self.position:
            return {}
        side = PositionSide.LONG if self.position > 0 else PositionSide.SHORT
        return {PAIR: Position(PAIR, side, Decimal(0), Decimal(100_000), self.position, Decimal(10))}

    @property
    def in_flight_orders(self) -> dict[str, InFlightOrder]:
        return self.orders

    @property
    def budget_checker(self) -> Any:
        def adjust_candidate(candidate: Any, all_or_none: bool) -> Any:
            fits = candidate.amount * candidate.price / candidate.leverage <= self.collateral
            return SimpleNamespace(amount=candidate.amount if fits else Decimal(0))

        return SimpleNamespace(adjust_candidate=adjust_candidate)

    def get_leverage(self, trading_pair: str) -> int:
        return 10

    def get_order_book(self, trading_pair: str) -> Any:
        return self.book

    def get_price(self, trading_pair: str, is_buy: bool, amount: Decimal = Decimal("NaN")) -> Decimal:
        return self.ask if is_buy else self.bid

    def get_price_by_type(self, trading_pair: str, price_type: PriceType) -> Decimal:
        return (self.bid + self.ask) / 2

    def open(self, side: TradeType, amount: Decimal, order_type: OrderType, price: Decimal, action: Any) -> str:
        order_id = f"{side.name}-{len(self.orders) + len(self.cancelled)}"
        self.orders[order_id] = InFlightOrder(
            order_id, PAIR, order_type, side, amount, 0.0, price, position=action, initial_state=OrderState.OPEN
        )
        return order_id

    def cancel(self, trading_pair: str, client_order_id: str) -> str:
        self.cancelled.append(client_order_id)
        return client_order_id


class Desk:
    """A strategy on the fake connector, with a clock that the test sets."""

    def __init__(self, **settings: Any) -> None:
        self.connector = FakeConnector()
        config = {
            "connector": self.connector.name,
            "order_amount": "0.01",
            "order_levels": 2,
            "spread_bps": 5,
            "level_spread_bps": 5,
            "max_position": "0.1",
            "skew_bps": 10,
            "filled_order_delay": 0,
            **settings,
        }
        desk = self
        self.now = 1000.0

        class Strategy(script.ParadexMarketMaking):  # type: ignore[name-defined, misc]
            """Without Hummingbot's clock, and what keeps books by it."""

            @property
            def current_timestamp(self) -> float:
                return desk.now

            def buy(self, _connector: str, _pair: str, *order: Any) -> str:
                return desk.connector.open(BUY, *order)

            def sell(self, _connector: str, _pair: str, *order: Any) -> str:
                return desk.connector.open(SELL, *order)

        strategy_config = script.ParadexMarketMakingConfig(**config)
        Strategy.init_markets(strategy_config)
        self.strategy = Strategy({self.connector.name: self.connector}, strategy_config)

    def tick(self, seconds: float = 1.0) -> None:
        self.now += seconds
        self.connector.book.last_diff_uid += 1
        self.strategy.on_tick()

    def prices(self, side: TradeType) -> list[Decimal]:
        return [order.price for order in self.connector.orders.values() if order.trade_type is side]

    def end_cancelled(self) -> None:
        """The exchange confirms every cancel that was asked for."""
        for order_id in self.connector.cancelled:
            if self.connector.orders.pop(order_id, None) is not None:
                self.strategy.did_cancel_order(OrderCancelledEvent(self.now, order_id))


@pytest.fixture(autouse=True)
def _no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hummingbot's base class asks the recorder for executors and positions of earlier runs."""
    recorder = SimpleNamespace(get_all_executors=list, get_all_positions=list)
    monkeypatch.setattr(MarketsRecorder, "get_instance", lambda: recorder)


@pytest.fixture
async def desk() -> Desk:
    return Desk()


async def test_it_quotes_every_level_on_both_sides_post_only(desk: Desk) -> None:
    desk.tick()
    assert desk.prices(BUY) == [Decimal("99950"), Decimal("99900")]
    assert desk.prices(SELL) == [Decimal("100050"), Decimal("100100")]
    assert {order.order_type for order in desk.connector.orders.values()} == {OrderType.LIMIT_MAKER}
    assert {order.position for order in desk.connector.orders.values()} == {PositionAction.OPEN}


async def test_a_long_position_moves_all_quotes_down_and_a_short_one_up(desk: Desk) -> None:
    desk.connector.position = Decimal("0.05")  # half of the maximum: half of the skew
    desk.tick()
    assert desk.prices(BUY)[0] == Decimal("99900")
    assert desk.prices(SELL)[0] == Decimal("100000")
    short = Desk()
    short.connector.position = Decimal("-0.05")
    short.tick()
    assert short.prices(BUY)[0] == Decimal("99999.9")  # rounded down to the tick
    assert short.prices(SELL)[0] == Decimal("100100.1")  # and up


async def test_no_quote_would_take(desk: Desk) -> None:
    desk.connector.position = Decimal("0.1")
    desk.connector.bid, desk.connector.ask = Decimal("100030"), Decimal("100040")
    desk.strategy.config.price_type = "mark"
    desk.connector.get_funding_info = lambda pair: SimpleNamespace(mark_price=Decimal(100_000))  # type: ignore[attr-defined]
    desk.tick()
    assert desk.prices(SELL)[0] == Decimal("100030.1")


async def test_the_orders_of_a_side_never_exceed_what_is_left_to_the_maximum(desk: Desk) -> None:
    desk.connector.position = Decimal("0.085")
    desk.tick()
    bids = [order for order in desk.connector.orders.values() if order.trade_type is BUY]
    assert [order.amount for order in bids] == [Decimal("0.01"), Decimal("0.005")]
    assert len(desk.prices(SELL)) == 2


async def test_a_position_that_has_grown_cancels_what_no_longer_fits(desk: Desk) -> None:
    desk.tick()
    desk.connector.position = Decimal("0.09")
    desk.strategy.config.skew_bps = Decimal(0)
    desk.tick()
    cancelled = [desk.connector.orders[order_id] for order_id in desk.connector.cancelled]
    assert [(order.trade_type, order.price) for order in cancelled] == [(BUY, Decimal("99900"))]


async def test_a_fill_counts_before_the_position_is_reported(desk: Desk) -> None:
    desk.connector.position = Decimal("0.08")
    fee = AddedToCostTradeFee(flat_fees=[TokenAmount("USDC", Decimal("0.03"))])
    filled = OrderFilledEvent(
        desk.now, "x", PAIR, BUY, OrderType.LIMIT_MAKER, Decimal(99950), Decimal("0.01"), fee, exchange_trade_id="t"
    )
    desk.strategy.did_fill_order(filled)
    desk.tick()
    assert len(desk.prices(BUY)) == 1
    desk.tick(10)
    assert len(desk.prices(BUY)) == 2


async def test_a_quote_stays_within_the_tolerance_and_moves_after_the_refresh_time(desk: Desk) -> None:
    desk.tick()
    desk.connector.bid += 20
    desk.connector.ask += 20  # 2 bps
    desk.tick()
    assert desk.connector.cancelled == []
    desk.tick(15)
    assert len(desk.connector.cancelled) == 4
    desk.tick()
    assert len(desk.connector.cancelled) == 4, "a cancel is not repeated at once"
    assert len(desk.connector.orders) == 4, "nothing is placed before the cancels are confirmed"
    desk.end_cancelled()
    desk.tick()
    assert desk.prices(BUY) == [Decimal("99969.9"), Decimal("99919.9")]


async def test_a_quote_far_off_is_replaced_at_once(desk: Desk) -> None:
    desk.tick()
    desk.connector.bid += 100
    desk.connector.ask += 100
    desk.tick()
    assert len(desk.connector.cancelled) == 4


async def test_a_book_that_stands_still_is_not_quoted_on(desk: Desk) -> None:
    desk.tick()
    desk.now += 14
    desk.strategy.on_tick()
    assert desk.connector.cancelled == []
    desk.now += 2
    desk.strategy.on_tick()
    assert len(desk.connector.cancelled) == 4
    desk.end_cancelled()
    desk.strategy.on_tick()
    assert desk.connector.orders == {}
    desk.tick()
    assert len(desk.connector.orders) == 4


async def test_a_book_that_the_stream_no_longer_tells_is_not_quoted_on(desk: Desk) -> None:
    desk.tick()
    desk.connector.live = False
    desk.tick()
    assert len(desk.connector.cancelled) == 4
    desk.end_cancelled()
    desk.tick()
    assert desk.connector.orders == {}
    desk.connector.live = True
    desk.tick()
    assert len(desk.connector.orders) == 4


async def test_the_status_shows_the_accounts_health(desk: Desk) -> None:
    desk.strategy.ready_to_trade = True
    desk.connector.get_funding_info = lambda pair: SimpleNamespace(mark_price=Decimal(100_000))  # type: ignore[attr-defined]
    desk.tick()
    assert "  Account ACTIVE" in desk.strategy.format_status().splitlines()


async def test_the_status_says_what_the_fills_have_earned(desk: Desk) -> None:
    desk.strategy.ready_to_trade = True
    desk.connector.get_funding_info = lambda pair: SimpleNamespace(mark_price=Decimal(100_000))  # type: ignore[attr-defined]
    desk.tick()
    assert "  result of these fills, after fees: +0.0000 USDC" in desk.strategy.format_status().splitlines()
    fee = AddedToCostTradeFee(flat_fees=[TokenAmount("USDC", Decimal("0.25"))])
    for side, amount, price in ((BUY, "0.03", "99000"), (SELL, "0.01", "101000")):
        desk.strategy.did_fill_order(
            OrderFilledEvent(
                desk.now, side.name, PAIR, side, OrderType.LIMIT_MAKER, Decimal(price), Decimal(amount), fee
            )
        )
    # 1010 received, 2970 paid, 0.02 BTC left at the mark price of 100000, and twice 0.25 of fees
    assert "  result of these fills, after fees: +39.5000 USDC" in desk.strategy.format_status().splitlines()


async def test_the_status_says_what_a_connector_that_is_not_ready_waits_for(desk: Desk) -> None:
    desk.connector.live = False
    status = desk.strategy.format_status().splitlines()
    assert status == ["fake_perpetual is not ready: it waits for order books", "  Account ACTIVE"]


async def test_the_status_is_shown_when_the_connection_is_lost(desk: Desk) -> None:
    """Hummingbot shows nothing of a status that raises. A connector that is not connected forgets books and marks."""

    def forgotten(pair: str) -> Any:
        raise KeyError(pair)

    desk.strategy.ready_to_trade = True
    desk.connector.position = Decimal("0.01")
    desk.tick()
    fill = OrderFilledEvent(
        desk.now, "1", PAIR, BUY, OrderType.LIMIT_MAKER, Decimal(99000), Decimal("0.010"), AddedToCostTradeFee()
    )
    desk.strategy.did_fill_order(fill)
    desk.connector.connected = False
    desk.connector.get_funding_info = forgotten  # type: ignore[attr-defined]
    desk.connector.bid = desk.connector.ask = Decimal("NaN")
    desk.strategy.on_tick()
    status = desk.strategy.format_status()
    assert status.startswith("fake_perpetual BTC-USDC  NOT CONNECTED")
    assert "unrealized PnL: unknown" in status
    assert "  BUY: 1 fills, 0.01 for 990.00 USDC" in status
    assert "  result of these fills, after fees: unknown" in status
    assert "  ! fake_perpetual is not connected" in status


async def test_an_empty_side_of_the_book_is_no_price(desk: Desk) -> None:
    desk.tick()
    desk.connector.ask = Decimal("NaN")
    desk.tick()
    assert len(desk.connector.cancelled) == 4


async def test_nothing_is_placed_while_the_connector_is_not_connected(desk: Desk) -> None:
    desk.connector.connected = False
    desk.tick()
    assert desk.connector.orders == {}
    desk.connector.connected = True
    desk.tick()
    assert len(desk.connector.orders) == 4


async def test_a_refused_side_waits_longer_each_time_but_once_for_orders_refused_together(desk: Desk) -> None:
    def refuse_bids() -> None:
        for order_id in [order_id for order_id in desk.connector.orders if order_id.startswith("BUY")]:
            del desk.connector.orders[order_id]
            desk.strategy.did_fail_order(MarketOrderFailureEvent(desk.now, order_id, OrderType.LIMIT_MAKER))

    waits = []
    desk.tick()
    for _ in range(3):
        refuse_bids()
        waited = 0
        while not desk.prices(BUY):
            desk.tick()
            waited += 1
        waits.append(waited)
    assert waits == [1, 2, 4]
    assert len(desk.prices(SELL)) == 2


async def test_orders_of_an_earlier_run_are_cancelled(desk: Desk) -> None:
    leftover = desk.connector.open(BUY, Decimal(1), OrderType.LIMIT, Decimal(90000), PositionAction.OPEN)
    desk.tick()
    assert desk.connector.cancelled == [leftover]
    desk.tick()
    assert desk.connector.cancelled == [leftover]


async def test_without_collateral_only_what_makes_the_position_smaller_is_quoted(desk: Desk) -> None:
    desk.connector.collateral = Decimal(0)
    desk.connector.position = Decimal("0.01")
    desk.tick()
    assert desk.prices(BUY) == []
    assert len(desk.prices(SELL)) == 2
    assert "collateral" in "".join(desk.strategy._said.values())


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"target_position": "0.2"}, "target_position must lie within max_position"),
        ({"order_refresh_tolerance_bps": 9}, "order_max_deviation_bps must not be smaller"),
        ({"price_type": "last"}, "price_type"),
        ({"spread_bps": 0}, "spread_bps"),
        ({"spred_bps": 5}, "spred_bps"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        script.ParadexMarketMakingConfig(max_position="0.1", **settings)
