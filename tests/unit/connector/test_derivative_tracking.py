"""What becomes of orders: by the stream and by lists, late, twice and out of order."""

import asyncio
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from bidict import bidict
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import (
    ParadexOrderTracker,
    ParadexPerpetualDerivative,
)
from hummingbot.core.data_type.in_flight_order import OrderState
from hummingbot.core.data_type.trade_fee import TokenAmount
from hummingbot.core.event.event_forwarder import EventForwarder
from hummingbot.core.event.events import BuyOrderCreatedEvent, MarketEvent

from tests.unit.connector import frames, payloads
from tests.unit.connector.clock import Clock
from tests.unit.connector.payloads import NOW, NOW_MS, Payload
from tests.unit.connector.trader import Trader, eventually, settle
from tests.unit.connector.venue import PATIENCE, Answer, Request, Venue, refusal

ORDERS, FILLS = "orders.BTC-USD-PERP", "fills.BTC-USD-PERP"


def closed(reason: str = "", remaining: str = "0.5", client_id: str = "mine", **changes: Any) -> Payload:
    return payloads.order(client_id, "CLOSED", cancel_reason=reason, remaining_size=remaining, **changes)


class Lists:
    """What the venue's lists say."""

    def __init__(self, venue: Venue):
        self.venue = venue
        self.show()

    def show(self, fills: Any = (), open_orders: Any = (), history: Any = ()) -> None:
        self.venue.on("GET", "/fills", payloads.page(*fills))
        self.venue.on("GET", "/orders", payloads.page(*open_orders))
        self.venue.on("GET", "/orders-history", payloads.page(*history))


@pytest.fixture
def lists(venue: Venue) -> Lists:
    return Lists(venue)


class TestStream:
    async def test_an_order_that_is_open_partly_filled_and_cancelled(self, trader: Trader) -> None:
        order = trader.track()
        await trader.hear(ORDERS, payloads.order("mine", "NEW"), payloads.order("mine", "OPEN"))
        assert order.current_state is OrderState.OPEN
        assert [event.order_id for event in trader.created()] == ["mine"]
        await trader.hear(FILLS, payloads.fill("mine", size="0.2"))
        await trader.hear(ORDERS, payloads.order("mine", "OPEN", remaining_size="0.3"))
        assert order.current_state is OrderState.PARTIALLY_FILLED
        await trader.hear(ORDERS, closed("USER_CANCELED", "0.3"))
        assert order.is_cancelled
        assert order.executed_amount_base == Decimal("0.2")
        assert [event.order_id for event in trader.cancelled()] == ["mine"]
        assert trader.completed() == trader.failed() == []

    async def test_an_update_is_taken_when_it_comes(self, trader: Trader) -> None:
        order = trader.track()
        trader.exchange._process_order(payloads.order("mine", "OPEN"))
        assert [event.order_id for event in trader.created()] == ["mine"]
        trader.exchange._process_order(closed("USER_CANCELED"))
        assert order.is_cancelled
        assert [event.order_id for event in trader.cancelled()] == ["mine"]
        assert trader.exchange.in_flight_orders == {}

    async def test_a_strategy_may_act_in_an_event(self, trader: Trader) -> None:
        def act(event: BuyOrderCreatedEvent) -> None:
            placed.append(trader.submit())
            trader.exchange.stop_tracking_order(event.order_id)
            raise RuntimeError("a strategy's mistake")

        placed: list[str] = []
        listener = EventForwarder(act)
        trader.exchange.add_listener(MarketEvent.BuyOrderCreated, listener)
        trader.track("one", "1")
        trader.track("two", "2")
        for client_id, order_id in (("one", "1"), ("two", "2")):
            trader.exchange._process_order(payloads.order(client_id, "OPEN", id=order_id))
        assert [event.order_id for event in trader.created()] == ["one", "two"]
        trader.exchange.remove_listener(MarketEvent.BuyOrderCreated, listener)
        await settle()
        assert set(trader.exchange.in_flight_orders) == set(placed)

    async def test_a_fill_has_the_orders_side_and_the_fee_that_was_paid(self, trader: Trader) -> None:
        trader.exchange._perpetual_trading.set_leverage(payloads.PAIR, 5)
        trader.track()
        await trader.hear(FILLS, payloads.fill("mine", side="SELL", fee="0.36"))
        (fill,) = trader.filled()
        assert fill.trade_type.name == "BUY"
        assert (fill.price, fill.amount) == (Decimal("60000"), Decimal("0.2"))
        assert fill.trade_fee.flat_fees == [TokenAmount("USDC", Decimal("0.36"))]
        assert fill.exchange_trade_id == "FILL-8615262148007718462"
        assert (fill.leverage, fill.position) == (5, "OPEN")

    async def test_a_fill_that_comes_when_no_clock_drives_the_connector_has_a_time(self, trader: Trader) -> None:
        """Hummingbot's recorder loses a fill without."""
        trader.track()
        trader.exchange._set_current_timestamp(math.nan)  # as the clock leaves it
        await trader.hear(FILLS, payloads.fill("mine"))
        (fill,) = trader.filled()
        assert fill.timestamp > 0

    async def test_a_fill_told_twice_counts_once(self, trader: Trader) -> None:
        order = trader.track()
        await trader.hear(FILLS, payloads.fill("mine"), payloads.fill("mine"))
        assert order.executed_amount_base == Decimal("0.2")
        assert len(trader.filled()) == 1

    async def test_what_is_looked_up_for_each_message_and_each_order_copies_no_others(
        self, trader: Trader, lists: Lists, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A thousand closed orders are remembered: with each of fifty orders copying them, each poll took 80 ms."""
        trader.track()
        trader.track("ended", "2")
        await trader.hear(ORDERS, closed("USER_CANCELED", client_id="ended", id="2"))
        monkeypatch.setattr(ParadexOrderTracker, "all_fillable_orders", property(lambda _: pytest.fail("copied")))
        await trader.hear(FILLS, payloads.fill("mine"), payloads.fill("ended", id="2", order_id="2"))
        await trader.hear(FILLS, payloads.fill("another's", id="3", order_id="3"))
        await trader.exchange._look_for_unknown_orders([payloads.order("mine"), payloads.order("another's")], NOW)
        assert [fill.order_id for fill in trader.filled()] == ["mine", "ended"]
        assert trader.exchange._unknown_orders.others == {payloads.MARKET: 1}

    async def test_fills_of_one_number_but_two_types_are_two(self, trader: Trader) -> None:
        order = trader.track()
        await trader.hear(FILLS, payloads.fill("mine"), payloads.fill("mine", fill_type="RPI"))
        assert order.executed_amount_base == Decimal("0.4")

    async def test_a_fill_without_a_client_id_is_known_by_the_exchanges(self, trader: Trader) -> None:
        order = trader.track()
        await trader.hear(FILLS, payloads.fill(""))
        assert order.executed_amount_base == Decimal("0.2")

    async def test_a_fill_without_an_order_is_nobodys_whatever_is_on_its_way(
        self, trader: Trader, lists: Lists
    ) -> None:
        trader.track(exchange_order_id=None)
        settlement = payloads.fill("", fill_type="SETTLE_MARKET", order_id=None)
        await trader.hear(FILLS, settlement)
        lists.show(fills=[settlement], open_orders=[payloads.order("mine")])
        await trader.exchange._update_order_status()
        assert trader.filled() == []
        assert trader.exchange._fills_watermark is not None  # it has been read

    async def test_orders_and_fills_of_others_are_passed_over(self, trader: Trader) -> None:
        order = trader.track()
        await trader.hear(ORDERS, payloads.order("", id="7"), closed(client_id="of another bot", id="7"))
        await trader.hear(FILLS, payloads.fill("", order_id="7"), payloads.fill("of another bot", order_id="8"))
        assert order.current_state is OrderState.PENDING_CREATE
        assert trader.filled() == []

    @pytest.mark.parametrize("fill_first", [True, False])
    async def test_a_filled_order_is_complete_whichever_message_comes_first(
        self, trader: Trader, fill_first: bool
    ) -> None:
        order = trader.track()
        if fill_first:
            await trader.hear(FILLS, payloads.fill("mine", size="0.5"))
            await trader.hear(ORDERS, closed(remaining="0"))
        else:
            await trader.hear(ORDERS, closed(remaining="0"))
            assert trader.completed() == []
            await trader.hear(FILLS, payloads.fill("mine", size="0.5"))
        await eventually(lambda: trader.completed())
        assert order.is_filled
        assert trader.completed()[0].base_asset_amount == Decimal("0.5")
        assert len(trader.filled()) == 1

    async def test_fills_that_the_stream_owes_are_asked_for_when_the_order_is_closed(
        self, trader: Trader, lists: Lists, clock: Clock
    ) -> None:
        lists.show(fills=[payloads.fill("mine", size="0.3"), payloads.fill("another", id="2", order_id="7")])
        order = trader.track()
        await trader.hear(ORDERS, closed("USER_CANCELED", "0.2"))
        await eventually(lambda: trader.cancelled())
        assert order.is_cancelled
        assert order.executed_amount_base == Decimal("0.3")
        assert clock.pauses == [CONSTANTS.FILLS_PATIENCE[0]]
        await trader.hear(FILLS, payloads.fill("mine", size="0.3"))  # and now the stream tells too
        assert order.executed_amount_base == Decimal("0.3")
        assert len(trader.filled()) == 1

    @pytest.mark.parametrize(("exchange_order_id", "client_id"), [(None, "mine"), ("7", "")])
    async def test_fills_of_an_order_are_found_by_either_of_its_ids(
        self, trader: Trader, lists: Lists, exchange_order_id: str | None, client_id: str
    ) -> None:
        lists.show(
            fills=[payloads.fill(client_id, id="1", order_id="7"), payloads.fill("another", id="2", order_id="8")]
        )
        order = trader.track(exchange_order_id=exchange_order_id)
        (update,) = await trader.exchange._all_trade_updates_for_order(order)
        assert (update.trade_id, update.client_order_id) == ("FILL-1", "mine")

    async def test_an_order_is_told_to_be_cancelled_after_its_fills(
        self, trader: Trader, lists: Lists, log: pytest.LogCaptureFixture
    ) -> None:
        """A strategy counts what was filled when it hears of the end."""
        trader.exchange._sleep = lambda _: asyncio.Event().wait()  # REST is not asked yet
        order = trader.track()
        await trader.hear(
            ORDERS, payloads.order("mine"), closed("USER_CANCELED", "0.2"), closed("USER_CANCELED", "0.2")
        )
        assert trader.cancelled() == []
        await trader.hear(FILLS, payloads.fill("mine", id="1", size="0.2"))
        assert trader.cancelled() == []
        await trader.hear(FILLS, payloads.fill("mine", id="2", size="0.1"))
        assert [event.order_id for event in trader.cancelled()] == ["mine"]
        assert order.executed_amount_base == Decimal("0.3")

    async def test_fills_that_rest_tells_when_the_framework_has_forgotten_the_order_count(
        self, trader: Trader, lists: Lists
    ) -> None:
        def forgotten(_: Any) -> Payload:
            if not trader.cancelled():
                return payloads.page()
            trader.exchange._order_tracker._cached_orders.clear()  # as 30 s after the end
            return payloads.page(payloads.fill("mine", size="0.3"))

        lists.venue.on("GET", "/fills", forgotten)
        order = trader.track()
        await trader.hear(ORDERS, closed("USER_CANCELED", "0.2"))
        await eventually(lambda: not trader.exchange._fills_owed)
        assert [event.amount for event in trader.filled()] == [Decimal("0.3")]
        assert order.executed_amount_base == Decimal("0.3")

    async def test_but_not_for_ever(
        self, trader: Trader, lists: Lists, clock: Clock, log: pytest.LogCaptureFixture
    ) -> None:
        trader.track()
        began = clock.now
        await trader.hear(ORDERS, payloads.order("mine"))
        with pytest.MonkeyPatch.context() as patch:
            told_at: list[float] = []
            release = trader.exchange._release_end
            patch.setattr(trader.exchange, "_release_end", lambda name: (told_at.append(clock.now), release(name)))
            await trader.hear(ORDERS, closed("USER_CANCELED", "0.2"))
            await eventually(lambda: trader.cancelled())
        assert told_at[0] - began == sum(CONSTANTS.FILLS_PATIENCE[: CONSTANTS.FILLS_ATTEMPTS_BEFORE_THE_END])
        assert sum(CONSTANTS.FILLS_PATIENCE[: CONSTANTS.FILLS_ATTEMPTS_BEFORE_THE_END]) <= 5
        await eventually(lambda: not trader.exchange._fills_owed)
        assert "says that 0.3 of mine were filled, but does not tell the fills: only 0 are" in log.text

    async def test_an_order_whose_fill_is_heard_of_first_is_created_before_it(self, trader: Trader) -> None:
        order = trader.track(exchange_order_id=None)
        await trader.hear(FILLS, payloads.fill("mine"))
        assert order.exchange_order_id == payloads.fill("")["order_id"]
        names = [type(event).__name__ for event in (*trader.created(), *trader.filled())]
        assert names == ["BuyOrderCreatedEvent", "OrderFilledEvent"]
        await trader.hear(ORDERS, payloads.order("mine", remaining_size="0.3"))
        assert len(trader.created()) == 1

    @pytest.mark.parametrize(
        "late", [payloads.order("mine", "NEW"), payloads.order("mine", "OPEN"), payloads.order("mine", "UNTRIGGERED")]
    )
    async def test_a_status_does_not_step_back(self, trader: Trader, late: Payload) -> None:
        order = trader.track()
        await trader.hear(ORDERS, payloads.order("mine", remaining_size="0.3"))
        await trader.hear(ORDERS, late)
        assert order.current_state is OrderState.PARTIALLY_FILLED
        trader.exchange._sleep = lambda _: asyncio.Event().wait()
        trader.venue.on("DELETE", "/orders/by_client_id/mine", Answer(204))
        await trader.exchange._execute_cancel(payloads.PAIR, "mine")
        await trader.hear(ORDERS, late)
        assert order.is_pending_cancel_confirmation

    async def test_fills_that_rest_could_not_tell_are_asked_for_again(
        self, trader: Trader, lists: Lists, clock: Clock
    ) -> None:
        lists.venue.on(
            "GET",
            "/fills",
            refusal("SERVICE_UNAVAILABLE", 503),
            payloads.page(payloads.fill("mine", size="0.3")),
        )
        order = trader.track()
        await trader.hear(ORDERS, closed("USER_CANCELED", "0.2"))
        await eventually(lambda: trader.filled())
        assert order.executed_amount_base == Decimal("0.3")
        assert clock.pauses == list(CONSTANTS.FILLS_PATIENCE[:2])

    async def test_an_end_is_told_although_its_fills_cannot_be_asked_for(
        self, trader: Trader, lists: Lists, clock: Clock
    ) -> None:
        """The pair may be gone by then, and its market's name with it."""
        trader.track()
        exchange = trader.exchange
        lists.venue.on("GET", "/fills", payloads.page(payloads.fill("mine")))
        exchange._set_trading_pair_symbol_map(bidict({"ETH-USD-PERP": "ETH-USDC"}))
        await trader.hear(ORDERS, closed("USER_CANCELED", "0.3"))
        await eventually(lambda: trader.cancelled())
        exchange._initialize_trading_pair_symbols_from_exchange_info(payloads.page(payloads.market()))
        await eventually(lambda: trader.filled())
        await eventually(lambda: not exchange._fills_owed)

    async def test_fills_that_have_all_come_are_not_asked_for(self, trader: Trader, lists: Lists) -> None:
        trader.track()
        await trader.hear(FILLS, payloads.fill("mine", size="0.5"))
        await trader.hear(ORDERS, closed(remaining="0"))
        await settle()
        assert lists.venue.requests == []

    async def test_binary_and_json_messages_of_one_fill_count_once(self, trader: Trader) -> None:
        order = trader.track()
        binary = web_utils.decode_frame(frames.fill("mine"))
        assert isinstance(binary, dict)
        await trader.hear(binary["channel"], binary["data"])
        await trader.hear(FILLS, payloads.fill("mine"))
        assert order.executed_amount_base == Decimal("0.2")

    async def test_a_fill_of_a_type_that_binary_messages_have_no_name_for_counts_once_with_rests_name(
        self, trader: Trader, lists: Lists
    ) -> None:
        order = trader.track()
        binary = web_utils.decode_frame(frames.fill("mine", fill_type=frames.NOT_REPRESENTABLE))
        assert isinstance(binary, dict)
        with pytest.raises(ValueError, match="fill_type should be a type with a name"):  # so REST is asked
            trader.exchange._process_user_event(binary["channel"], binary["data"])
        lists.show(fills=[payloads.fill("mine", fill_type="NEW_TYPE")], open_orders=[payloads.order("mine")])
        await trader.exchange._update_order_status()
        with pytest.raises(ValueError, match="fill_type"):  # told once more
            trader.exchange._process_user_event(binary["channel"], binary["data"])
        assert order.executed_amount_base == Decimal("0.2")
        assert [fill.exchange_trade_id for fill in trader.filled()] == ["NEW_TYPE-8615262148007718462"]


# Reasons that the pages and the constants name, likely others, and one that nobody names: the list is open. Of an
# order that was on the book (then it was cancelled whatever the reason), and of one that was not.
ENDS = {
    "USER_CANCELED": OrderState.CANCELED,
    "CANCEL_ON_DISCONNECT": OrderState.CANCELED,
    "LIQUIDATION": OrderState.CANCELED,
    "SELF_TRADE": OrderState.CANCELED,
    "MMP_TRIGGERED": OrderState.CANCELED,
    "MMP_DISABLED": OrderState.CANCELED,
    "EXPIRED": OrderState.CANCELED,
    "": OrderState.CANCELED,
    "NOT_ENOUGH_MARGIN": OrderState.FAILED,
    "MMP_FROZEN": OrderState.FAILED,
    "POST_ONLY_WOULD_CROSS": OrderState.FAILED,
    "REDUCE_ONLY_WOULD_INCREASE": OrderState.FAILED,
    "SYSTEM_STATUS_CANCEL_ONLY": OrderState.FAILED,
    "MARKET_CLOSED": OrderState.FAILED,
    "NOBODY_HAS_HEARD_OF_IT": OrderState.FAILED,
}


class TestEndsByTheExchange:
    """Orders that somebody else closed: the exchange for a reason of its own, or the account's owner by hand."""

    @pytest.mark.parametrize("source", ["stream", "list"])
    @pytest.mark.parametrize("reason", ENDS)
    async def test_an_order_that_never_rested(self, trader: Trader, lists: Lists, reason: str, source: str) -> None:
        order = trader.track()
        await self.end(trader, lists, source, closed(reason))
        assert order.current_state is ENDS[reason]
        assert (len(trader.cancelled()), len(trader.failed())) == ((1, 0) if order.is_cancelled else (0, 1))

    @pytest.mark.parametrize("source", ["stream", "list"])
    @pytest.mark.parametrize("reason", ENDS)
    async def test_an_order_that_was_filled_in_part(
        self, trader: Trader, lists: Lists, reason: str, source: str
    ) -> None:
        order = trader.track()
        await trader.hear(ORDERS, payloads.order("mine", "OPEN"))
        lists.show(fills=[payloads.fill("mine", size="0.2")])
        await self.end(trader, lists, source, closed(reason, "0.3"))
        assert order.is_cancelled
        assert order.executed_amount_base == Decimal("0.2")
        assert [len(events()) for events in (trader.created, trader.filled, trader.cancelled)] == [1, 1, 1]
        assert trader.failed() == trader.completed() == []

    async def end(self, trader: Trader, lists: Lists, source: str, payload: Payload) -> None:
        if source == "stream":
            await trader.hear(ORDERS, payload)
        else:
            lists.venue.on("GET", "/orders-history", payloads.page(payload))
            await trader.exchange._update_order_status()
        await eventually(lambda: not trader.exchange.in_flight_orders)
        if trader.exchange._reconciliation is not None:  # a freeze has everything compared
            await trader.exchange._reconciliation


class TestFinality:
    @pytest.mark.parametrize(
        ("last", "state"),
        [
            (closed("USER_CANCELED"), OrderState.CANCELED),
            (closed("NOT_ENOUGH_MARGIN"), OrderState.FAILED),
            (closed(remaining="0"), OrderState.FILLED),
        ],
    )
    async def test_a_closed_order_never_opens_again(self, trader: Trader, last: Payload, state: OrderState) -> None:
        order = trader.track()
        if state is OrderState.FILLED:
            await trader.hear(FILLS, payloads.fill("mine", size="0.5"))
        await trader.hear(ORDERS, last)
        assert order.current_state is state
        count = [len(trader.cancelled()), len(trader.failed()), len(trader.completed())]
        assert sum(count) == 1
        await trader.hear(
            ORDERS, payloads.order("mine", "OPEN"), payloads.order("mine", "NEW"), closed("USER_CANCELED")
        )
        update = trader.exchange._order_update(payloads.order("mine", "OPEN"), order)
        await trader.exchange._order_tracker._process_order_update(update)
        assert order.current_state is state
        assert [len(trader.cancelled()), len(trader.failed()), len(trader.completed())] == count
        assert trader.exchange.in_flight_orders == {}

    async def test_the_answer_to_the_submission_may_come_after_the_end(self, trader: Trader) -> None:
        def closed_before_the_answer(request: Any) -> Payload:
            client_id = request.body["client_id"]
            trader.exchange._process_user_event(ORDERS, closed("POST_ONLY_WOULD_CROSS", client_id=client_id))
            return payloads.order(client_id, "NEW")

        trader.venue.on("POST", "/orders", closed_before_the_answer)
        trader.submit()
        await eventually(lambda: trader.failed())
        await eventually(lambda: not trader.exchange._submitting)
        await settle()
        assert trader.exchange.in_flight_orders == {}
        assert trader.created() == []

    async def test_a_rejection_after_the_201_has_failed_with_the_exchanges_reason(
        self, trader: Trader, log: pytest.LogCaptureFixture
    ) -> None:
        order = trader.track()
        await trader.hear(ORDERS, payloads.order("mine", "NEW"), closed("NOT_ENOUGH_MARGIN"))
        assert order.is_failure
        (failure,) = trader.failed()
        assert failure.error_message == "Paradex refused it: NOT_ENOUGH_MARGIN"
        assert "refused mine after taking it: NOT_ENOUGH_MARGIN" in log.text

    async def test_nor_does_a_message_that_is_late_make_one_that_has_rested_one_that_has_not(
        self, trader: Trader
    ) -> None:
        order = trader.track()
        await trader.hear(ORDERS, payloads.order("mine", "OPEN"), payloads.order("mine", "NEW"))
        await trader.hear(ORDERS, closed("NOBODY_HAS_HEARD_OF_IT"))
        assert order.is_cancelled

    async def test_a_poll_between_does_not_make_it_one_that_has_rested(self, trader: Trader, lists: Lists) -> None:
        order = trader.track()
        lists.show(open_orders=[payloads.order("mine", "NEW")])
        await trader.exchange._status_polling_loop_fetch_updates()
        await trader.hear(ORDERS, closed("NOT_ENOUGH_MARGIN"))
        assert order.is_failure

    async def test_an_order_that_was_on_the_book_was_cancelled_whatever_the_reason(self, trader: Trader) -> None:
        order = trader.track()
        await trader.hear(ORDERS, payloads.order("mine", "OPEN"), closed("NOT_ENOUGH_MARGIN"))
        assert order.is_cancelled

    async def test_what_was_known_of_an_order_is_forgotten_with_it(self, trader: Trader) -> None:
        trader.track()
        await trader.hear(ORDERS, payloads.order("mine", "OPEN"))
        assert trader.exchange._seen_open == {"mine"}
        await trader.hear(ORDERS, closed("USER_CANCELED"), payloads.order("mine", "OPEN"))
        assert trader.exchange._seen_open == set()

    async def test_when_it_left_is_forgotten_with_it_and_not_with_the_next_poll(
        self, trader: Trader, lists: Lists
    ) -> None:
        """A bot that replaces ten orders a second would keep a hundred of them until then."""
        lists.venue.on("POST", "/orders", lambda request: payloads.order(request.body["client_id"], "NEW"))
        client_id = trader.submit()
        await eventually(lambda: client_id in trader.exchange._order_tracker.sent_by)
        await trader.hear(ORDERS, {**closed("USER_CANCELED"), "client_id": client_id})
        assert not trader.exchange.in_flight_orders
        assert not trader.exchange._order_tracker.sent_by

    async def test_a_message_that_is_late_by_a_moment_leaves_nothing_of_an_ended_order_behind(
        self, trader: Trader
    ) -> None:
        """The tracker takes the end in a task of its own; until then a message that is older begins a record anew."""
        trader.track()
        trader.exchange._process_order(closed("USER_CANCELED"))
        trader.exchange._process_order(payloads.order("mine", "OPEN"))
        await settle()
        assert not trader.exchange.in_flight_orders
        await trader.exchange._status_polling_loop_fetch_updates()
        assert not trader.exchange._records
        assert not trader.exchange._seen_open


class TestLists:
    async def test_two_requests_tell_the_state_of_all_open_orders(self, trader: Trader, lists: Lists) -> None:
        orders = [trader.track(f"order-{number}", str(number)) for number in range(50)]
        lists.show(
            open_orders=[payloads.order(order.client_order_id, id=order.exchange_order_id) for order in orders],
            fills=[payloads.fill("order-7", order_id="7")],
        )
        await trader.exchange._update_order_status()
        await settle()
        assert [request.path for request in lists.venue.requests if request.path.startswith(("/f", "/o"))] == [
            "/fills",
            "/orders",
        ]
        assert all(order.current_state is OrderState.OPEN for order in orders)
        assert orders[7].executed_amount_base == Decimal("0.2")

    async def test_what_is_not_open_any_more_is_in_the_history(self, trader: Trader, lists: Lists) -> None:
        gone, alive = trader.track("gone", "1"), trader.track("alive", "2")
        lists.show(
            open_orders=[payloads.order("alive", id="2")],
            history=[
                closed("USER_CANCELED", client_id="gone", id="1"),
                closed("USER_CANCELED", client_id="alive", id="0"),  # an older one of that client id
            ],
        )
        await trader.exchange._update_order_status()
        await settle()
        assert gone.is_cancelled
        assert alive.current_state is OrderState.OPEN
        (request,) = lists.venue.asked("GET", "/orders-history")
        assert request.query == {"client_id": "gone"}

    async def test_for_many_that_are_not_open_the_history_is_read_to_its_end(
        self, trader: Trader, lists: Lists
    ) -> None:
        order = trader.track()
        trader.exchange._set_current_timestamp(NOW + 600)
        for number in range(CONSTANTS.FEW_ORDERS):
            trader.track(f"order-{number}", f"{number}")
        trader.exchange._set_current_timestamp(NOW)
        lists.venue.on(
            "GET",
            "/orders-history",
            payloads.page(closed("USER_CANCELED", client_id="another", id="1"), cursor="more"),
            payloads.page(closed("USER_CANCELED")),
        )
        await trader.exchange._update_order_status()
        await settle()
        assert order.is_cancelled
        first, second = lists.venue.asked("GET", "/orders-history")
        assert int(first.query["start_at"]) == NOW_MS - int(CONSTANTS.CLOCK_MARGIN * 1000)
        assert second.query["cursor"] == "more"

    async def test_many_are_asked_for_one_by_one_if_the_history_since_the_oldest_of_them_is_long(
        self, trader: Trader, lists: Lists
    ) -> None:
        """One order from last week, and a market maker has made a hundred thousand since."""
        count = CONSTANTS.FEW_ORDERS + 1
        orders = [trader.track(f"order-{number}", f"{number}") for number in range(count)]

        def history(request: Request) -> Payload:
            if "client_id" not in request.query:
                return payloads.page(closed("USER_CANCELED", client_id="another", id="another"), cursor="more")
            return payloads.page(closed("USER_CANCELED", client_id=request.query["client_id"]))

        lists.venue.on("GET", "/orders-history", history)
        await trader.exchange._update_order_status()
        assert all(order.is_cancelled for order in orders)
        assert len(lists.venue.asked("GET", "/orders-history")) == 2 * count

    async def test_a_fill_that_stream_and_list_tell_counts_once(self, trader: Trader, lists: Lists) -> None:
        order = trader.track()
        lists.show(fills=[payloads.fill("mine")], open_orders=[payloads.order("mine", remaining_size="0.3")])
        await trader.hear(FILLS, payloads.fill("mine"))
        await trader.exchange._update_order_status()
        await trader.hear(FILLS, payloads.fill("mine"))
        await trader.exchange._update_order_status()
        assert order.executed_amount_base == Decimal("0.2")
        assert len(trader.filled()) == 1

    async def test_fills_are_asked_for_from_a_minute_before_the_last_one_on(
        self, trader: Trader, lists: Lists, clock: Clock
    ) -> None:
        trader.track()
        newest = NOW_MS + 3_600_000
        fills = [payloads.fill("mine", id=str(at), created_at=at) for at in (newest - 9000, newest, newest - 10_000)]
        lists.show(fills=fills, open_orders=[payloads.order("mine")])
        await trader.exchange._update_order_status()
        await trader.exchange._update_order_status()
        starts = [int(request.query["start_at"]) for request in lists.venue.asked("GET", "/fills")]
        assert starts == [
            NOW_MS - int(CONSTANTS.CLOCK_MARGIN * 1000),
            newest - int(CONSTANTS.FILLS_OVERLAP * 1000),
        ]

    async def test_more_fills_than_can_be_read_are_not_read_in_each_poll(
        self, trader: Trader, lists: Lists, clock: Clock, log: pytest.LogCaptureFixture
    ) -> None:
        """One order from last week, and a market maker has had a hundred thousand fills since."""
        order = trader.track()
        clock.now += 7 * 86400
        trader.exchange._set_current_timestamp(clock.now)
        recent = payloads.fill("mine", created_at=int(clock.now * 1000) - 1000)

        def fills(request: Request) -> Payload:
            is_long = int(request.query["start_at"]) < NOW_MS + 86_400_000
            return (
                payloads.page(payloads.fill("another's", id="0"), cursor="more") if is_long else payloads.page(recent)
            )

        lists.venue.on("GET", "/fills", fills)
        lists.venue.on("GET", "/orders", payloads.page(payloads.order("mine")))
        for _ in range(3):
            await trader.exchange._update_order_status()
        assert order.executed_amount_base == Decimal("0.2")
        assert len(lists.venue.asked("GET", "/fills")) == 102
        assert "Not all fills since the oldest order was made could be read" in log.text
        await trader.hear(ORDERS, closed("USER_CANCELED", "0.1"))
        await eventually(lambda: trader.cancelled())
        await eventually(lambda: not trader.exchange._fills_owed)
        assert len(lists.venue.asked("GET", "/fills")) == 202  # once more, and not for an hour
        assert "0.4 of mine were filled, but does not tell the fills: only 0.2" in log.text

    async def test_fills_are_not_asked_for_in_the_future_though_the_bots_clock_was_set_back(
        self, trader: Trader, lists: Lists
    ) -> None:
        trader.exchange._set_current_timestamp(NOW + 3600)
        order = trader.track()
        trader.exchange._set_current_timestamp(NOW)
        lists.show(fills=[payloads.fill("mine")], open_orders=[payloads.order("mine")])
        await trader.exchange._update_order_status()
        assert order.executed_amount_base == Decimal("0.2")
        (request,) = lists.venue.asked("GET", "/fills")
        assert int(request.query["start_at"]) == NOW_MS - int(CONSTANTS.CLOCK_MARGIN * 1000)

    async def test_fills_that_could_not_be_had_are_asked_for_again_from_the_same_time_on(
        self, trader: Trader, lists: Lists, log: pytest.LogCaptureFixture
    ) -> None:
        order = trader.track()
        lists.show(open_orders=[payloads.order("mine")])
        lists.venue.on("GET", "/fills", refusal("SERVICE_UNAVAILABLE", 503), payloads.page(payloads.fill("mine")))
        await trader.exchange._update_order_status()
        await settle()
        assert order.current_state is OrderState.OPEN  # the rest was updated all the same
        await trader.exchange._update_order_status()
        first, second = lists.venue.asked("GET", "/fills")
        assert first.query == second.query
        assert order.executed_amount_base == Decimal("0.2")
        assert "Failed to fetch the fills" in log.text

    async def test_while_one_cannot_be_read_they_are_asked_for_from_the_same_time_on(
        self, trader: Trader, lists: Lists, log: pytest.LogCaptureFixture
    ) -> None:
        order = trader.track()
        broken = payloads.fill("mine", id="1", price="much")
        later = payloads.fill("mine", id="2", created_at=NOW_MS + 3_600_000)
        for fills in ([broken, later], [payloads.fill("mine", id="1"), later]):
            lists.show(fills=fills, open_orders=[payloads.order("mine")])
            await trader.exchange._update_order_status()
        first, second = lists.venue.asked("GET", "/fills")
        assert first.query == second.query
        assert order.executed_amount_base == Decimal("0.4")
        assert "price should be a number, the exchange sent 'much'" in log.text

    async def test_without_orders_nothing_is_asked(self, trader: Trader, lists: Lists) -> None:
        await trader.exchange._update_order_status()
        await trader.exchange._update_lost_orders_status()
        assert lists.venue.requests == []

    async def test_only_a_real_not_found_counts_and_the_second_makes_an_order_lost(
        self, trader: Trader, lists: Lists, clock: Clock
    ) -> None:
        order = trader.track()
        for answer in (refusal("SERVICE_UNAVAILABLE", 503), Answer(400), Answer(200, text="<html>")):
            for path in ("/orders", "/orders-history"):
                lists.show()
                lists.venue.on("GET", path, answer)
                with pytest.raises(web_utils.ParadexError):
                    await trader.exchange._update_order_status()
        assert trader.exchange._order_tracker._order_not_found_records["mine"] == 0
        lists.show()
        clock.now += CONSTANTS.NOT_FOUND_SPACING
        for _ in range(3):  # at the same time count as one
            await trader.exchange._update_order_status()
        assert order.is_open
        clock.now += CONSTANTS.NOT_FOUND_SPACING
        await trader.exchange._update_order_status()
        assert order.is_failure
        assert "mine" in trader.exchange._order_tracker.lost_orders

    async def test_a_list_with_an_order_that_may_be_anybodys_proves_of_none_that_it_is_missing(
        self, trader: Trader, lists: Lists, clock: Clock
    ) -> None:
        missing, there = trader.track(), trader.track("there", "2")
        lists.show(open_orders=[payloads.order("?") | {"client_id": ["mine"]}, payloads.order("there", id="2")])
        for _ in range(3):
            with pytest.raises(web_utils.UnreadableAnswerError, match="whose one of the open orders is"):
                await trader.exchange._update_order_status()
            clock.now += CONSTANTS.NOT_FOUND_SPACING
        assert not missing.is_done
        assert there.current_state is OrderState.OPEN
        assert [event.order_id for event in trader.created()] == ["there"]  # what can be read counts
        assert lists.venue.asked("GET", "/orders-history") == []

    async def test_an_exchanges_clock_that_is_set_back_puts_off_no_second_look(
        self, trader: Trader, lists: Lists, clock: Clock
    ) -> None:
        order = trader.track()
        lists.show()
        synchronizer = trader.exchange._time_synchronizer
        for offset in (600_000, 0):
            synchronizer.clear_time_offset_ms_samples()
            synchronizer.add_time_offset_ms_sample(offset)
            await trader.exchange._update_order_status()
            clock.now += CONSTANTS.NOT_FOUND_SPACING
        assert order.is_failure

    async def test_an_order_that_is_taken_and_not_on_the_book_yet_is_not_lost(
        self, trader: Trader, lists: Lists, clock: Clock
    ) -> None:
        """It is NEW until its risk checks are over, and no page says that the list of open orders tells it then."""
        lists.venue.on("POST", "/orders", lambda request: payloads.order(request.body["client_id"], "NEW"))
        client_id = trader.submit()
        await eventually(lambda: trader.created())
        await eventually(lambda: not trader.exchange._submitting)
        for _ in range(4):
            clock.now += trader.exchange.LONG_POLL_INTERVAL
            await trader.exchange._update_order_status()
        assert trader.failed() == []
        await trader.hear(ORDERS, payloads.order(client_id, "OPEN"))  # now it would be in the list
        for _ in range(2):
            clock.now += CONSTANTS.NOT_FOUND_SPACING
            await trader.exchange._update_order_status()
        assert [event.order_id for event in trader.failed()] == [client_id]

    async def test_a_bots_clock_that_is_behind_does_not_make_an_order_old(
        self, make_exchange: Callable[..., ParadexPerpetualDerivative], lists: Lists, clock: Clock
    ) -> None:
        before = Trader(make_exchange(), lists.venue)
        before.exchange._set_current_timestamp(clock.now - 120)
        before.track(exchange_order_id=None)
        trader = Trader(make_exchange(), lists.venue)  # at once: the exchange may still work on what was sent
        trader.exchange.restore_tracking_states(before.exchange.tracking_states)
        for _ in range(5):
            await trader.exchange._update_order_status()
            clock.now += CONSTANTS.NOT_FOUND_SPACING
        assert trader.failed() == []
        assert trader.exchange._order_tracker._order_not_found_records["mine"] == 0

    async def test_an_order_that_an_earlier_process_never_sent_is_lost_with_the_first_look_that_can_tell(
        self, make_exchange: Callable[..., ParadexPerpetualDerivative], lists: Lists, clock: Clock
    ) -> None:
        before = Trader(make_exchange(), lists.venue)
        before.track(exchange_order_id=None)
        before.track("rested", "2")
        clock.now += 3600  # however long ago it was made, it may have been sent when that process was ended
        trader = Trader(make_exchange(), lists.venue)
        trader.exchange.restore_tracking_states(before.exchange.tracking_states)
        clock.now += trader.exchange._time_to_come - 1
        await trader.exchange._update_order_status()
        trader.exchange._forget_ended_orders()  # of which there are none
        assert set(trader.exchange.in_flight_orders) == {"mine", "rested"}
        assert trader.exchange._order_tracker._order_not_found_records["mine"] == 0
        trader.exchange._order_tracker.found("rested")  # as if nobody had looked yet
        clock.now += CONSTANTS.NOT_FOUND_SPACING
        await trader.exchange._update_order_status()
        assert [event.order_id for event in trader.failed()] == ["mine"]
        assert set(trader.exchange.in_flight_orders) == {"rested"}  # the exchange has had it: one look is no proof
        assert set(trader.exchange._order_tracker.sent_by) == {"rested"}

    async def test_the_status_of_one_order_is_found_open_or_closed(self, trader: Trader, lists: Lists) -> None:
        order = trader.track()
        by_client_id = "/orders/by_client_id/mine"
        lists.venue.on("GET", by_client_id, payloads.order("mine"))
        assert (await trader.exchange._request_order_status(order)).new_state is OrderState.OPEN
        lists.venue.on("GET", by_client_id, refusal("CLIENT_ORDER_ID_NOT_FOUND"))
        lists.show(history=[closed("USER_CANCELED")])
        assert (await trader.exchange._request_order_status(order)).new_state is OrderState.CANCELED
        lists.show()
        with pytest.raises(web_utils.ParadexError, match="does not know mine") as unknown:
            await trader.exchange._request_order_status(order)
        assert trader.exchange._is_order_not_found_during_status_update_error(unknown.value)
        lists.venue.on("GET", by_client_id, refusal("SERVICE_UNAVAILABLE", 503))
        with pytest.raises(web_utils.NoAnswerError) as silence:
            await trader.exchange._request_order_status(order)
        assert not trader.exchange._is_order_not_found_during_status_update_error(silence.value)


class TestRestart:
    async def test_orders_of_before_the_restart_are_found_with_what_happened_meanwhile(
        self, trader: Trader, lists: Lists, make_exchange: Any
    ) -> None:
        trader.track("filled", "1")
        trader.track("open", "2")
        await trader.hear(ORDERS, payloads.order("filled", id="1"), payloads.order("open", id="2"))
        await trader.hear(FILLS, payloads.fill("filled", order_id="1", size="0.2"))
        saved = trader.exchange.tracking_states

        after: ParadexPerpetualDerivative = make_exchange()
        again = Trader(after, lists.venue)
        after.restore_tracking_states(saved)
        lists.show(
            fills=[
                payloads.fill("filled", order_id="1", size="0.2"),
                payloads.fill("filled", order_id="1", id="2", size="0.3"),
            ],
            open_orders=[payloads.order("open", id="2")],
            history=[closed(client_id="filled", id="1", remaining="0")],
        )
        await again.hear(CONSTANTS.STREAM_RESUMED, {})
        await eventually(lambda: again.completed())
        assert [(fill.order_id, fill.amount) for fill in again.filled()] == [("filled", Decimal("0.3"))]
        assert set(after.in_flight_orders) == {"open"}
        assert int(lists.venue.asked("GET", "/fills")[0].query["start_at"]) <= NOW * 1000

    async def test_an_order_whose_submission_was_cut_off_by_the_restart_is_found_at_once(
        self, trader: Trader, lists: Lists, make_exchange: Any
    ) -> None:
        trader.track(exchange_order_id=None)
        after: ParadexPerpetualDerivative = make_exchange()
        after.restore_tracking_states(trader.exchange.tracking_states)
        lists.show(open_orders=[payloads.order("mine", id="7")])
        await after._update_order_status()
        await eventually(lambda: after.in_flight_orders["mine"].exchange_order_id == "7")

    async def test_and_can_be_cancelled_before_that(self, trader: Trader, lists: Lists, make_exchange: Any) -> None:
        trader.track(exchange_order_id=None)
        after: ParadexPerpetualDerivative = make_exchange()
        again = Trader(after, lists.venue)
        after.restore_tracking_states(trader.exchange.tracking_states)
        lists.venue.on("DELETE", "/orders/by_client_id/mine", Answer(204, text=""))
        await after._execute_cancel(payloads.PAIR, "mine")
        await again.hear(ORDERS, closed("USER_CANCELED"))
        await eventually(lambda: again.cancelled())


async def test_while_the_exchange_cannot_be_asked_about_lost_orders_that_is_said_once(
    trader: Trader, clock: Clock, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = iter([False, False, False, True, False, False])
    ended = asyncio.Event()

    async def ask() -> None:
        outcome = next(outcomes, None)
        if outcome is None:
            ended.set()
            await asyncio.Event().wait()
        if not outcome:
            raise web_utils.NoAnswerError("nobody is there")

    monkeypatch.setattr(trader.exchange, "_cancel_lost_orders", ask)
    polling = asyncio.create_task(trader.exchange._lost_orders_update_polling_loop())
    async with asyncio.timeout(PATIENCE):
        await ended.wait()
    polling.cancel()
    assert log.text.count("Paradex cannot be asked about lost orders, trying again: nobody is there") == 2


def test_what_is_remembered_of_fills_is_bounded(make_exchange: Callable[..., ParadexPerpetualDerivative]) -> None:
    exchange = make_exchange()
    for number in range(CONSTANTS.FILLS_MEMORY + 10):
        for _ in range(2):
            exchange._remember_fill(f"FILL-{number}")
    assert len(exchange._told_fills_set) == len(exchange._told_fills) == CONSTANTS.FILLS_MEMORY
    assert "FILL-9" not in exchange._told_fills_set
    assert "FILL-10" in exchange._told_fills_set


class TestReconciliation:
    async def test_a_stream_that_was_interrupted_has_everything_compared_with_rest(
        self, trader: Trader, lists: Lists
    ) -> None:
        await trader.hear(CONSTANTS.STREAM_RESUMED, {})
        await lists.venue.until(
            lambda: {"/positions", "/balance", "/account"} <= {request.path for request in lists.venue.requests}
        )

    async def test_a_message_of_a_channel_that_is_not_known_is_no_reason(self, trader: Trader, lists: Lists) -> None:
        await trader.hear("transfers", {"id": "1"})
        assert trader.exchange._reconciliation is None
        assert lists.venue.requests == []

    async def test_reasons_that_come_together_share_a_pass(self, trader: Trader, lists: Lists) -> None:
        for _ in range(100):
            trader.exchange._process_user_event(CONSTANTS.STREAM_RESUMED, {})
        assert trader.exchange._reconciliation is not None
        await trader.exchange._reconciliation
        assert len(lists.venue.asked("GET", "/positions")) == 1

    async def test_a_reason_that_comes_during_a_pass_has_another_one_follow(self, trader: Trader, lists: Lists) -> None:
        def again(_: Any) -> Payload:
            if len(lists.venue.asked("GET", "/positions")) == 1:
                trader.exchange._reconcile_soon()
            return payloads.page()

        lists.venue.on("GET", "/positions", again)
        trader.exchange._reconcile_soon()
        assert trader.exchange._reconciliation is not None
        await trader.exchange._reconciliation
        assert len(lists.venue.asked("GET", "/positions")) == 2
