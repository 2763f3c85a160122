"""The life of one order in any interleaving of what REST answers and the stream tells, with losses and duplicates.

The exchange of this test is a few lines: it changes the order and writes a message of each change. When all is over and
REST is asked once more, the bot's order must be the exchange's, each of its events told once and in order.
"""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_utils as utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType
from hummingbot.core.data_type.in_flight_order import OrderState, OrderUpdate
from hummingbot.core.event.event_forwarder import EventForwarder
from hummingbot.core.event.events import (
    BuyOrderCompletedEvent,
    BuyOrderCreatedEvent,
    MarketEvent,
    MarketOrderFailureEvent,
    OrderCancelledEvent,
    OrderFilledEvent,
)
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.unit.connector import payloads
from tests.unit.connector.clock import JumpingLoop
from tests.unit.connector.payloads import NOW, NOW_MS, PAIR, Payload

SIZE = Decimal("0.5")
CLIENT_ID = "mine"
CANCEL_REASONS = ("USER_CANCELED", "LIQUIDATION", "SELF_TRADE", "MMP_TRIGGERED", "EXPIRED", "NOBODY_HAS_HEARD_OF_IT")
REJECTIONS = ("NOT_ENOUGH_MARGIN", "POST_ONLY_WOULD_CROSS", "REDUCE_ONLY_WOULD_INCREASE")
END_STATES = {
    BuyOrderCompletedEvent: OrderState.FILLED,
    OrderCancelledEvent: OrderState.CANCELED,
    MarketOrderFailureEvent: OrderState.FAILED,
}
ENDS = tuple(END_STATES)


class Connector(ParadexPerpetualDerivative):
    """On a REST interface that answers at once with what `exchange` holds."""

    exchange: "Exchange"

    async def _private_get(self, path: str, **params: Any) -> Any:
        lists = {
            CONSTANTS.ORDERS_PATH: self.exchange.open_orders,
            CONSTANTS.ORDERS_HISTORY_PATH: self.exchange.closed_orders,
            CONSTANTS.FILLS_PATH: lambda: list(self.exchange.fills),
        }
        return payloads.page(*lists[path]())


class Exchange:
    """One order and its fills."""

    def __init__(self) -> None:
        self.order = payloads.order(CLIENT_ID, "NEW", size=str(SIZE))
        self.fills: list[Payload] = []
        self.messages: list[tuple[str, Payload]] = []
        self._tell()

    @property
    def is_closed(self) -> bool:
        return bool(self.order["status"] == "CLOSED")

    @property
    def remaining(self) -> Decimal:
        return Decimal(self.order["remaining_size"])

    def open_orders(self) -> list[Payload]:
        return [] if self.is_closed else [dict(self.order)]

    def closed_orders(self) -> list[Payload]:
        return [dict(self.order)] if self.is_closed else []

    def change(self, **changes: Any) -> None:
        updated_at = self.order["last_updated_at"] + 1
        self.order = {**self.order, **changes, "last_updated_at": updated_at, "seq_no": self.order["seq_no"] + 1}
        self._tell()

    def fill(self, size: Decimal) -> None:
        number = str(len(self.fills) + 1)
        fill = payloads.fill(CLIENT_ID, id=number, size=str(size), created_at=NOW_MS + len(self.fills))
        self.fills.append(fill)
        self.messages.append(("fills.ALL", fill))
        left = self.remaining - size
        self.change(remaining_size=str(left), status="CLOSED" if left == 0 else "OPEN")

    def _tell(self) -> None:
        self.messages.append(("orders.ALL", dict(self.order)))


class OrderMachine(RuleBasedStateMachine):
    """Rules that begin with `exchange` change the order; the others let the bot hear of it."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=JumpingLoop)
        self.answered = False
        self.told: list[tuple[str, Payload]] = []
        self.asked: list[list[Payload]] = []
        self.events: list[Any] = []

    @initialize()
    def submit(self) -> None:
        async def make() -> Connector:
            connector = Connector(
                paradex_perpetual_api_secret=payloads.SUBKEY,
                paradex_perpetual_account_address=payloads.ADDRESS,
                trading_pairs=[PAIR],
                domain=CONSTANTS.SANDBOX_DOMAIN,
            )
            connector._time_synchronizer._current_seconds_counter = lambda: NOW + asyncio.get_running_loop().time()
            connector._time_synchronizer.add_time_offset_ms_sample(0)
            connector._monotonic = asyncio.get_running_loop().time
            connector._set_current_timestamp(NOW)
            connector._initialize_trading_pair_symbols_from_exchange_info(payloads.page(payloads.market()))
            connector._trading_rules[PAIR] = utils.trading_rule_from_market(payloads.market())
            connector.start_tracking_order(
                CLIENT_ID,
                None,
                PAIR,
                TradeType.BUY,
                Decimal(60000),
                SIZE,
                OrderType.LIMIT,
                position_action=PositionAction.OPEN,
            )
            return connector

        self.exchange = Exchange()
        self.connector = self.runner.run(make())
        self.connector.exchange = self.exchange
        self.connector._submitting.add(CLIENT_ID)
        self.order = self.connector.in_flight_orders[CLIENT_ID]
        self.listener = EventForwarder(self.events.append)
        for tag in MarketEvent:
            self.connector.add_listener(tag, self.listener)

    def do(self, action: Callable[[], Awaitable[Any] | None]) -> None:
        """What the bot does at once, and what follows from it at once."""

        async def act() -> None:
            outcome = action()
            if outcome is not None:
                await outcome
            for _ in range(5):
                await asyncio.sleep(0)

        self.runner.run(act())

    # === The exchange ===

    @precondition(lambda self: not self.exchange.is_closed and not self.exchange.fills)
    @rule()
    def exchange_opens(self) -> None:
        self.exchange.change(status="OPEN")

    @precondition(lambda self: not self.exchange.is_closed)
    @rule(part=st.integers(1, 4))
    def exchange_fills(self, part: int) -> None:
        self.exchange.fill(self.exchange.remaining * part / 4)

    @precondition(lambda self: self.exchange.order["status"] == "OPEN")
    @rule(more=st.sampled_from(["0.1", "0.25"]), price=st.sampled_from(["59000", "59500"]))
    def exchange_modifies(self, more: str, price: str) -> None:
        order = self.exchange.order
        size, remaining = Decimal(order["size"]) + Decimal(more), self.exchange.remaining + Decimal(more)
        self.exchange.change(size=str(size), remaining_size=str(remaining), price=price)

    @precondition(lambda self: self.exchange.order["status"] == "OPEN")
    @rule(reason=st.sampled_from(CANCEL_REASONS))
    def exchange_cancels(self, reason: str) -> None:
        self.exchange.change(status="CLOSED", cancel_reason=reason)

    @precondition(lambda self: self.exchange.order["status"] == "NEW")
    @rule(reason=st.sampled_from(REJECTIONS))
    def exchange_rejects(self, reason: str) -> None:
        self.exchange.change(status="CLOSED", cancel_reason=reason)

    @precondition(lambda self: not self.exchange.is_closed)
    @rule(part=st.integers(1, 3), reason=st.sampled_from(CANCEL_REASONS))
    def exchange_fills_a_part_and_cancels_the_rest(self, part: int, reason: str) -> None:
        self.exchange_fills(part)
        self.exchange_cancels(reason)

    # === The bot ===

    @precondition(lambda self: not self.answered)
    @rule()
    def the_submission_is_answered(self) -> None:
        self.answered = True
        self.connector._submitting.discard(CLIENT_ID)
        update = OrderUpdate(PAIR, NOW, OrderState.OPEN, CLIENT_ID, str(self.exchange.order["id"]))
        self.do(lambda: self.connector._order_tracker.process_order_update(update))

    @precondition(lambda self: self.exchange.messages)
    @rule(data=st.data())
    def a_message_comes(self, data: st.DataObject) -> None:
        message = self.exchange.messages.pop(data.draw(st.integers(0, len(self.exchange.messages) - 1), "number"))
        self.told.append(message)
        self.do(lambda: self.connector._process_user_event(*message))

    @precondition(lambda self: self.exchange.messages)
    @rule()
    def the_last_message_overtakes_the_others(self) -> None:
        message = self.exchange.messages.pop()
        self.told.append(message)
        self.do(lambda: self.connector._process_user_event(*message))

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def a_message_comes_again(self, data: st.DataObject) -> None:
        message = data.draw(st.sampled_from(self.told), "message")
        self.do(lambda: self.connector._process_user_event(*message))

    @precondition(lambda self: self.exchange.messages)
    @rule(data=st.data())
    def a_message_is_lost(self, data: st.DataObject) -> None:
        self.exchange.messages.pop(data.draw(st.integers(0, len(self.exchange.messages) - 1), "number"))

    @rule()
    def rest_is_asked(self) -> None:
        self.asked.append([*self.exchange.open_orders(), *self.exchange.closed_orders()])

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def rest_answers(self, data: st.DataObject) -> None:
        answer = self.asked.pop(data.draw(st.integers(0, len(self.asked) - 1), "number"))
        self.do(lambda: [self.connector._process_order(payload) for payload in answer] and None)

    @rule()
    def the_bot_compares(self) -> None:
        self.do(self.connector._update_all_orders)

    @rule(seconds=st.sampled_from([0.5, 2.0, 10.0]))
    def time_passes(self, seconds: float) -> None:
        self.do(lambda: asyncio.sleep(seconds))

    # === The end ===

    def teardown(self) -> None:
        if not hasattr(self, "connector"):
            return
        try:
            if not self.answered:
                self.the_submission_is_answered()
            for _ in range(2):
                self.do(self.connector._update_all_orders)
                self.do(lambda: asyncio.sleep(10))
            self.compare()
            self.do(self.connector.stop_network)
        finally:
            self.runner.close()

    def compare(self) -> None:
        truth = self.exchange.order
        order, kinds = self.order, [type(event) for event in self.events]
        executed = sum((Decimal(fill["size"]) for fill in self.exchange.fills), Decimal(0))
        assert order.executed_amount_base == executed
        filled = [event.exchange_trade_id for event in self.events if isinstance(event, OrderFilledEvent)]
        assert sorted(filled) == sorted(f"FILL-{fill['id']}" for fill in self.exchange.fills)
        ends = [kind for kind in kinds if kind in ENDS]
        assert kinds.count(BuyOrderCreatedEvent) <= 1
        if executed or not self.exchange.is_closed:
            assert kinds[0] is BuyOrderCreatedEvent
        if not self.exchange.is_closed:
            assert ends == []
            assert order.current_state in (OrderState.OPEN, OrderState.PARTIALLY_FILLED)
            assert (order.amount, order.price) == (Decimal(truth["size"]), Decimal(truth["price"]))
            return
        assert len(ends) == 1
        assert kinds[-1] is ends[0]
        assert self.connector.in_flight_orders == {}
        # Whatever came afterwards: its end is the last word, for those too who have kept the order.
        assert order.current_state is END_STATES[ends[0]]
        if self.exchange.remaining == 0:
            assert ends == [BuyOrderCompletedEvent]
        elif executed or truth["cancel_reason"].startswith(CONSTANTS.CANCEL_REASON_PREFIXES):
            assert ends == [OrderCancelledEvent]
        else:
            assert ends[0] is not BuyOrderCompletedEvent


OrderMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestOrderMachine = OrderMachine.TestCase
