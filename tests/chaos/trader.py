"""The strategies of the chaos runs: the repository's own market maker, and one that uses what the other leaves out."""

import asyncio
import importlib.util
import sys
from decimal import Decimal
from pathlib import Path
from random import Random
from types import ModuleType

from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_web_utils as web_utils
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.core.data_type.common import OrderType, PositionAction, PriceType, TradeType
from hummingbot.core.data_type.in_flight_order import InFlightOrder, OrderState
from hummingbot.core.data_type.limit_order import LimitOrder
from hummingbot.core.utils.async_utils import safe_ensure_future
from hummingbot.strategy.strategy_v2_base import StrategyV2Base, StrategyV2ConfigBase

SCRIPT = Path(__file__).resolve().parents[2] / "conf_templates" / "scripts" / "paradex_market_making.py"
QUOTED_PAIR = "BTC-USDC"
TRADED_PAIR = "ETH-USDC"

_MOST_ORDERS = 12
_SIZE = Decimal("0.01")
_LARGEST_POSITION = Decimal("0.2")


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("paradex_market_making", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_script = _load()


class Quoting(_script.ParadexMarketMaking):  # type: ignore[name-defined, misc]
    """The market maker as it stands, quoting fast and close to the market, until it is `paused`."""

    paused = False
    modifying: frozenset[asyncio.Future[None]] = frozenset()  # it never does

    @classmethod
    def on(cls, connector: ParadexPerpetualDerivative) -> "Quoting":
        config = _script.ParadexMarketMakingConfig(
            connector=connector.name,
            trading_pair=QUOTED_PAIR,
            order_amount=Decimal("0.002"),
            order_levels=3,
            spread_bps=Decimal(1),
            level_spread_bps=Decimal(1),
            order_refresh_time=1,
            order_refresh_tolerance_bps=Decimal("0.2"),
            order_max_deviation_bps=Decimal("0.5"),
            filled_order_delay=0,
            max_position=Decimal("0.02"),
        )
        cls.init_markets(config)
        return cls({connector.name: connector}, config)

    def on_tick(self) -> None:
        if not self.paused:
            super().on_tick()


class Trading(StrategyV2Base):
    """Takes, modifies, places many at once, uses triggers, and cancels: one thing each tick, as the dice say."""

    paused = False

    def __init__(self, connector: ParadexPerpetualDerivative, rng: Random) -> None:
        config = StrategyV2ConfigBase()
        self.markets = {connector.name: {TRADED_PAIR}}
        super().__init__({connector.name: connector}, config)
        self._connector = connector
        self._rng = rng
        self.modifying: set[asyncio.Future[None]] = set()

    def on_tick(self) -> None:
        if self.paused or not self._connector.ready or not self._connector.is_book_live(TRADED_PAIR):
            return
        actions = (self._take, self._modify, self._place_some, self._place_trigger, self._cancel)
        self._rng.choice(actions)()

    def _orders(self) -> list[InFlightOrder]:
        orders = self._connector.in_flight_orders.values()
        return [order for order in orders if order.trading_pair == TRADED_PAIR and not order.is_done]

    def _mid(self) -> Decimal:
        return self._connector.get_price_by_type(TRADED_PAIR, PriceType.MidPrice)

    def _take(self) -> None:
        position = self._connector.account_positions.get(TRADED_PAIR)
        amount = position.amount if position is not None else Decimal(0)
        buys = self._rng.random() < 0.5 if abs(amount) < _LARGEST_POSITION else amount < 0
        place = self._connector.buy if buys else self._connector.sell
        place(TRADED_PAIR, _SIZE, OrderType.MARKET, Decimal("NaN"), position_action=PositionAction.OPEN)

    def _modify(self) -> None:
        orders = [
            order
            for order in self._orders()
            if order.current_state is OrderState.OPEN and order.order_type is OrderType.LIMIT
        ]
        if orders:
            order = self._rng.choice(orders)
            change = Decimal(self._rng.choice((-2, -1, 1))) / 1000 * (1 if order.trade_type is TradeType.BUY else -1)
            task = safe_ensure_future(self._modify_to(order, order.price * (1 + change)))
            self.modifying.add(task)
            task.add_done_callback(self.modifying.discard)

    async def _modify_to(self, order: InFlightOrder, price: Decimal) -> None:
        try:
            await self._connector.modify_order(order.client_order_id, price=price)
        except (ValueError, web_utils.ParadexError) as error:
            self.logger().debug(f"not modified: {error}")

    def _place_some(self) -> None:
        if len(self._orders()) > _MOST_ORDERS:
            return
        mid = self._mid()
        self._connector.batch_order_create(
            [
                LimitOrder(
                    "",
                    TRADED_PAIR,
                    is_buy,
                    *TRADED_PAIR.split("-"),
                    mid * (1 + Decimal(step if not is_buy else -step) / 10_000),
                    _SIZE,
                )
                for is_buy in (True, False)
                for step in self._rng.sample((1, 2, 5, 40), 2)
            ]
        )

    def _place_trigger(self) -> None:
        if len(self._orders()) > _MOST_ORDERS:
            return
        buys = self._rng.random() < 0.5
        distance = Decimal(self._rng.choice((2, 10, 100))) / 10_000 * (1 if buys else -1)
        self._connector.place_trigger_order(
            TRADED_PAIR,
            TradeType.BUY if buys else TradeType.SELL,
            _SIZE,
            self._mid() * (1 + distance),
            position_action=PositionAction.OPEN,
        )

    def _cancel(self) -> None:
        for order in self._rng.sample(self._orders(), min(2, len(self._orders()))):
            self._connector.cancel(TRADED_PAIR, order.client_order_id)


def strategies(connector: ParadexPerpetualDerivative, seed: str) -> list[Quoting | Trading]:
    """What trades in a run."""
    return [Quoting.on(connector), Trading(connector, Random(f"trader/{seed}"))]
