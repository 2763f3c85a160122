"""The connector as Hummingbot runs it: driven by its clock, heard through its events."""

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_user_stream_data_source import (
    ParadexPerpetualUserStreamDataSource,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_web_utils import RpcSession
from hummingbot.connector.derivative.position import Position
from hummingbot.core.clock import Clock, ClockMode
from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType
from hummingbot.core.event.event_forwarder import EventForwarder
from hummingbot.core.event.events import (
    AccountEvent,
    BuyOrderCompletedEvent,
    BuyOrderCreatedEvent,
    MarketEvent,
    MarketOrderFailureEvent,
    OrderCancelledEvent,
    OrderFilledEvent,
    SellOrderCompletedEvent,
    SellOrderCreatedEvent,
)

from tests.venue.exchange import Credentials
from tests.venue.waiting import TIMEOUT, until

TICK_SIZE = 0.1  # seconds; Hummingbot's is 1 by default, and how soon a test starts depends on it
NAN = Decimal("NaN")
CREATED = (BuyOrderCreatedEvent, SellOrderCreatedEvent)
COMPLETED = (BuyOrderCompletedEvent, SellOrderCompletedEvent)
ENDED = (*COMPLETED, OrderCancelledEvent, MarketOrderFailureEvent)


class Events:
    """Everything that a connector has announced, in order."""

    def __init__(self, connector: ParadexPerpetualDerivative):
        self.log: list[Any] = []
        self._arrival = asyncio.Event()
        self._listener = EventForwarder(self._on_event)  # kept: a publisher holds its listeners weakly
        for tag in (*MarketEvent, *AccountEvent):
            connector.add_listener(tag, self._listener)

    def _on_event(self, event: Any) -> None:
        self.log.append(event)
        self._arrival.set()

    def of(self, kinds: type | tuple[type, ...], order_id: str | None = None) -> list[Any]:
        """The events of these kinds so far, of one order or of all."""
        return [
            event
            for event in self.log
            if isinstance(event, kinds) and order_id in (None, getattr(event, "order_id", None))
        ]

    async def wait(
        self,
        kinds: type | tuple[type, ...],
        order_id: str | None = None,
        *,
        count: int = 1,
        timeout: float = TIMEOUT,
    ) -> list[Any]:
        """These events, as soon as there are `count`.

        :raises AssertionError: if that takes longer than `timeout`, with what came instead
        """
        try:
            async with asyncio.timeout(timeout):
                while len(found := self.of(kinds, order_id)) < count:
                    self._arrival.clear()
                    await self._arrival.wait()
                return found
        except TimeoutError:
            names = " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
            came = self.of(object, order_id)
            raise AssertionError(f"no {names} of {order_id or 'anything'} within {timeout:g} s, but {came}") from None

    async def one(self, kinds: type | tuple[type, ...], order_id: str | None = None, timeout: float = TIMEOUT) -> Any:
        return (await self.wait(kinds, order_id, timeout=timeout))[0]


class Bot:
    """One connector and its clock.

    :param domain: of the connector
    :param credentials: None for a connector that only reads market data
    :param settings: of the connector, by their names in its `Settings`
    :param trading_required: whether the bot trades; by default if it has credentials
    :param saved_orders: what another instance's `saved_orders` returned
    """

    def __init__(
        self,
        domain: str,
        credentials: Credentials | None,
        trading_pairs: list[str],
        settings: Mapping[str, Any] | None = None,
        saved_orders: str | None = None,
        trading_required: bool | None = None,
    ):
        self.connector = ParadexPerpetualDerivative(
            paradex_perpetual_api_secret=credentials.api_secret if credentials is not None else "",
            paradex_perpetual_account_address=credentials.account_address if credentials is not None else "",
            trading_pairs=list(trading_pairs),
            trading_required=credentials is not None if trading_required is None else trading_required,
            domain=domain,
            **{f"paradex_perpetual_{name}": value for name, value in (settings or {}).items()},
        )
        if saved_orders is not None:
            self.connector.restore_tracking_states(json.loads(saved_orders))
        self.events = Events(self.connector)
        self.created_at = time.time()
        self._clock: Clock | None = None
        self._ticking: asyncio.Task[None] | None = None

    # === Life ===

    async def start(self) -> None:
        """Runs the connector until it is ready to trade."""
        self._clock = Clock(ClockMode.REALTIME, tick_size=TICK_SIZE)
        self._clock.add_iterator(self.connector)
        self._clock.__enter__()
        self._ticking = asyncio.create_task(self._clock.run())
        try:
            await until(lambda: self.connector.ready, "the connector is ready", timeout=2 * TIMEOUT)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.connector.status_dict}") from None

    async def stop(self) -> None:
        """Ends the connector at once; its open orders stay on the exchange."""
        if self._clock is None or self._ticking is None:
            return
        self._clock.__exit__(None, None, None)
        self._ticking.cancel()
        await asyncio.gather(self._ticking, return_exceptions=True)
        await self.connector.stop_network()
        self._clock = self._ticking = None

    def saved_orders(self) -> str:
        """The tracked orders as Hummingbot writes them to its database."""
        return json.dumps(self.connector.tracking_states)

    # === Orders ===

    def order(
        self,
        side: TradeType,
        pair: str,
        amount: Decimal,
        price: Decimal = NAN,
        order_type: OrderType = OrderType.LIMIT,
        action: PositionAction = PositionAction.OPEN,
        **options: Any,
    ) -> str:
        """Places an order as a strategy does.

        :param price: may be left out of MARKET orders
        :param options: of the connector's orders, such as `trigger_price`
        :return: the client's id
        """
        place = self.connector.buy if side is TradeType.BUY else self.connector.sell
        return place(pair, amount, order_type, price, position_action=action, **options)

    async def placed(self, *arguments: Any, **options: Any) -> str:
        """:meth:`order`, when the exchange has taken it."""
        order_id = self.order(*arguments, **options)
        await self.events.one(CREATED, order_id)
        return order_id

    async def traded(
        self, side: TradeType, pair: str, amount: Decimal, action: PositionAction = PositionAction.OPEN
    ) -> str:
        """A MARKET order, when it is filled."""
        order_id = self.order(side, pair, amount, order_type=OrderType.MARKET, action=action)
        end = await self.events.one(ENDED, order_id)
        assert isinstance(end, COMPLETED), f"the order was not filled: {end}"
        return order_id

    async def cancelled(self, *order_ids: str, pair: str) -> None:
        """Cancels orders and waits until that has happened."""
        for order_id in order_ids:
            self.connector.cancel(pair, order_id)
        for order_id in order_ids:
            await self.events.one(OrderCancelledEvent, order_id)

    def executed(self, order_id: str) -> Decimal:
        """How much of an order has been filled according to the events, in base."""
        return sum((event.amount for event in self.events.of(OrderFilledEvent, order_id)), Decimal(0))

    # === The account ===

    def position(self, pair: str) -> Position | None:
        return self.connector.account_positions.get(pair)

    def position_amount(self, pair: str) -> Decimal:
        """Signed, in base."""
        position = self.position(pair)
        return position.amount if position is not None else Decimal(0)

    async def has_position(self, pair: str, amount: Decimal) -> None:
        """Waits until the connector has this position."""
        await until(lambda: self.position_amount(pair) == amount, f"the position in {pair} is {amount}")

    # === Streams ===

    def private_session(self) -> RpcSession | None:
        """The socket of the private stream, while it is up."""
        source = self.connector._user_stream_tracker.data_source
        assert isinstance(source, ParadexPerpetualUserStreamDataSource)
        return source.session

    def book(self, pair: str) -> "Book":
        return Book(self.connector, pair)


class Book:
    """A connector's order book of this moment."""

    def __init__(self, connector: ParadexPerpetualDerivative, pair: str):
        book = connector.get_order_book(pair)
        self.seq = max(book.snapshot_uid, book.last_diff_uid)
        self.bids = [(row.price, row.amount) for row in book.bid_entries()]
        self.asks = [(row.price, row.amount) for row in book.ask_entries()]


def errors_of(records: list[logging.LogRecord]) -> list[str]:
    """What was logged as an error, with the exception if there was one."""
    return [
        f"{record.name}: {record.getMessage()}" + (f" ({record.exc_info[1]!r})" if record.exc_info else "")
        for record in records
        if record.levelno >= logging.ERROR
    ]
