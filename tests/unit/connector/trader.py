"""Trades with a connector and notes what it tells its strategies."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType
from hummingbot.core.data_type.in_flight_order import InFlightOrder
from hummingbot.core.event.event_logger import EventLogger
from hummingbot.core.event.events import MarketEvent

from tests.unit.connector import payloads
from tests.unit.connector.payloads import PAIR, Payload
from tests.unit.connector.venue import PATIENCE, Venue

EXCHANGE_ORDER_ID = payloads.order("")["id"]


async def eventually(condition: Callable[[], Any]) -> None:
    """Wait until `condition` holds, which it should do at once."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 (what is waited for here has no event)
            await asyncio.sleep(0.001)


async def settle() -> None:
    """Let everything that can happen now happen."""
    for _ in range(10):
        await asyncio.sleep(0)


class Trader:
    """:ivar created, filled, completed, cancelled, failed, funded: give the events of that kind so far, in order"""

    def __init__(self, exchange: ParadexPerpetualDerivative, venue: Venue):
        self.exchange = exchange
        self.venue = venue
        self._loggers: list[EventLogger] = []
        self.created = self._events(MarketEvent.BuyOrderCreated, MarketEvent.SellOrderCreated)
        self.filled = self._events(MarketEvent.OrderFilled)
        self.completed = self._events(MarketEvent.BuyOrderCompleted, MarketEvent.SellOrderCompleted)
        self.cancelled = self._events(MarketEvent.OrderCancelled)
        self.failed = self._events(MarketEvent.OrderFailure)
        self.funded = self._events(MarketEvent.FundingPaymentCompleted)

    def _events(self, *tags: MarketEvent) -> Callable[[], list[Any]]:
        logger = EventLogger()
        self._loggers.append(logger)  # the connector holds its listeners weakly
        for tag in tags:
            self.exchange.add_listener(tag, logger)
        return lambda: logger.event_log

    def submit(
        self,
        side: TradeType = TradeType.BUY,
        amount: str = "0.5",
        price: str = "60000",
        order_type: OrderType = OrderType.LIMIT,
        action: PositionAction = PositionAction.OPEN,
    ) -> str:
        """Begin to place an order.

        :return: its client id
        """
        place = self.exchange.buy if side is TradeType.BUY else self.exchange.sell
        return place(
            trading_pair=PAIR,
            amount=Decimal(amount),
            order_type=order_type,
            price=Decimal(price),
            position_action=action,
        )

    def track(self, client_id: str = "mine", exchange_order_id: str | None = EXCHANGE_ORDER_ID) -> InFlightOrder:
        """An order of 0.5 BTC that has been placed, and of which nothing has been heard yet."""
        self.exchange.start_tracking_order(
            order_id=client_id,
            exchange_order_id=exchange_order_id,
            trading_pair=PAIR,
            trade_type=TradeType.BUY,
            price=Decimal("60000"),
            amount=Decimal("0.5"),
            order_type=OrderType.LIMIT,
            position_action=PositionAction.OPEN,
        )
        return self.exchange.in_flight_orders[client_id]

    async def hear(self, channel: str, *data: Payload) -> None:
        """What the private stream says, and all that follows from it at once."""
        for part in data:
            self.exchange._process_user_event(channel, part)
            await settle()
