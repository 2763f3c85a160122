"""Orders that wait for a price, orders with options, and a position's own take-profit and stop-loss."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.connector.derivative.position import Position
from hummingbot.core.data_type.common import OrderType, PositionAction, PositionSide, TradeType
from hummingbot.core.data_type.funding_info import FundingInfo

from tests.unit.connector import payloads, signatures
from tests.unit.connector.clock import Clock
from tests.unit.connector.payloads import PAIR, Payload
from tests.unit.connector.trader import Trader, eventually, settle
from tests.unit.connector.venue import Request, Venue, refusal

MARK = Decimal("60000")


class Book:
    """The orders of the venue by id; answers as Paradex does, and can be asked."""

    def __init__(self) -> None:
        self.orders: dict[str, Payload] = {}

    def post(self, request: Request) -> Payload:
        body = request.body
        status = "UNTRIGGERED" if "trigger_price" in body else "OPEN"
        shown = {name: body[name] for name in ("side", "type", "size", "flags", "trigger_price") if name in body}
        order = payloads.order(body["client_id"], status, id=f"x{len(self.orders)}", price=body.get("price", "0"))
        self.orders[order["id"]] = {**order, **shown, "remaining_size": body["size"]}
        return {**self.orders[order["id"]], "status": "NEW"}

    def put(self, request: Request) -> Payload:
        body, order = request.body, self.orders[request.body["id"]]
        before = dict(order)
        number = int((order.get("request_info") or {"id": "0"})["id"]) + 1
        order.update({name: body[name] for name in ("size", "price", "trigger_price") if name in body})
        order["request_info"] = {"id": str(number), "status": "SUCCESS", "request_type": "MODIFY_ORDER"}
        return {**before, "request_info": {**order["request_info"], "status": "PENDING"}}

    def get(self, request: Request) -> Any:
        client_id = request.path.split("/")[-1]
        live = [order for order in self.orders.values() if order["client_id"] == client_id]
        return live[0] if live and live[0]["status"] != "CLOSED" else refusal("CLIENT_ORDER_ID_NOT_FOUND")

    def delete(self, request: Request) -> Any:
        client_id = request.path.split("/")[-1]
        for order in self.orders.values():
            if order["client_id"] == client_id:
                order.update(status="CLOSED", cancel_reason="USER_CANCELED")
        return {}

    def of(self, kind: str) -> Payload:
        (order,) = [order for order in self.orders.values() if order["type"] == kind and order["status"] != "CLOSED"]
        return order


@pytest.fixture
def book(venue: Venue) -> Book:
    book = Book()
    venue.on("POST", "/orders", book.post)
    venue.on("PUT", "/orders/*", book.put)
    venue.on("GET", "/orders/by_client_id/*", book.get)
    venue.on("DELETE", "/orders/by_client_id/*", book.delete)
    venue.on("GET", "/orders-history", lambda request: payloads.page(*book.orders.values()))
    return book


@pytest.fixture(autouse=True)
def marked(trader: Trader, book: Book) -> None:
    info = FundingInfo(PAIR, index_price=MARK, mark_price=MARK, next_funding_utc_timestamp=0, rate=Decimal(0))
    trader.exchange._perpetual_trading._funding_info[PAIR] = info


def holds(trader: Trader, amount: str) -> None:
    """Gives the connector a position that it has heard of before."""
    size = Decimal(amount)
    side = PositionSide.LONG if size > 0 else PositionSide.SHORT
    trader.exchange._perpetual_trading.set_position(PAIR, Position(PAIR, side, Decimal(0), MARK, size, Decimal(1)))


async def placed(trader: Trader, order_id: str) -> Payload:
    """What was sent for an order."""
    await eventually(lambda: any(event.order_id == order_id for event in trader.created()))
    (body,) = [r.body for r in trader.venue.asked("POST", "/orders") if r.body["client_id"] == order_id]
    assert signatures.is_order_signed(body)
    return body


class TestTriggerOrders:
    async def test_the_public_method_and_the_keywords_of_buy_are_the_same(self, trader: Trader) -> None:
        trigger = Decimal("61000")
        first = trader.exchange.place_trigger_order(
            PAIR, TradeType.BUY, Decimal("0.5"), trigger, position_action=PositionAction.OPEN
        )
        second = trader.exchange.buy(
            PAIR,
            Decimal("0.5"),
            OrderType.MARKET,
            Decimal("NaN"),
            position_action=PositionAction.OPEN,
            trigger_price=trigger,
        )
        own = ("client_id", "signature", "signature_timestamp")
        bodies = [await placed(trader, order_id) for order_id in (first, second)]
        assert [{name: body[name] for name in body if name not in own} for body in bodies] == 2 * [
            {
                "market": payloads.MARKET,
                "side": "BUY",
                "type": "STOP_MARKET",
                "size": "0.5",
                "instruction": "GTC",
                "recv_window": 10_000,
                "trigger_price": "61000",
            }
        ]

    async def test_a_price_makes_it_a_limit_order(self, trader: Trader) -> None:
        order_id = trader.exchange.place_trigger_order(
            PAIR, TradeType.SELL, Decimal("0.5"), Decimal("59000"), price=Decimal("58900")
        )
        body = await placed(trader, order_id)
        assert (body["type"], body["trigger_price"], body["price"]) == ("STOP_LIMIT", "59000", "58900")

    async def test_a_waiting_order_is_open_with_its_trigger_as_price(self, trader: Trader, book: Book) -> None:
        order_id = trader.exchange.place_trigger_order(
            PAIR, TradeType.SELL, Decimal("0.5"), Decimal("59000"), position_action=PositionAction.OPEN
        )
        await placed(trader, order_id)
        await trader.hear("orders", book.of("STOP_MARKET"))
        (created,) = trader.created()
        order = trader.exchange.in_flight_orders[order_id]
        assert order.is_open
        assert created.price == order.price == Decimal("59000")
        assert created.type is OrderType.MARKET
        assert [limit_order.price for limit_order in trader.exchange.limit_orders] == [Decimal("59000")]

    async def test_once_triggered_its_fills_count_once(self, trader: Trader, book: Book) -> None:
        order_id = trader.exchange.place_trigger_order(PAIR, TradeType.SELL, Decimal("0.5"), Decimal("59000"))
        await placed(trader, order_id)
        waiting = book.of("STOP_MARKET")
        await trader.hear("orders", waiting)
        fill = payloads.fill(order_id, order_id=waiting["id"], size="0.5", price="58990")
        await trader.hear("fills", fill, fill)
        await trader.hear("orders", {**waiting, "status": "CLOSED", "remaining_size": "0"})
        assert [event.amount for event in trader.filled()] == [Decimal("0.5")]
        assert [event.order_id for event in trader.completed()] == [order_id]

    @pytest.mark.parametrize("reason", ["POSITION_CLOSED", "ANYTHING_NEW"])
    async def test_one_that_the_exchange_closes_with_its_position_was_cancelled(
        self, trader: Trader, book: Book, reason: str
    ) -> None:
        order_id = trader.exchange.place_trigger_order(
            PAIR, TradeType.SELL, Decimal("0.5"), Decimal("59000"), trigger_type="stop_loss"
        )
        await placed(trader, order_id)
        waiting = book.of("STOP_LOSS_MARKET")
        await trader.hear("orders", waiting, {**waiting, "status": "CLOSED", "cancel_reason": reason})
        assert [event.order_id for event in trader.cancelled()] == [order_id]
        assert trader.failed() == []

    @pytest.mark.parametrize("trigger_price", ["59000", "61000.05"])
    async def test_one_on_the_wrong_side_or_off_the_tick_fails_and_is_not_sent(
        self, trader: Trader, trigger_price: str
    ) -> None:
        order_id = trader.exchange.place_trigger_order(PAIR, TradeType.BUY, Decimal("0.5"), Decimal(trigger_price))
        await eventually(trader.failed)
        (failure,) = trader.failed()
        assert failure.order_id == order_id
        assert trigger_price in failure.error_message
        assert trader.venue.asked("POST", "/orders") == []
        assert trader.exchange.in_flight_orders == {}

    async def test_after_a_restart_it_is_known_again_and_what_closed_it_was_no_rejection(
        self, trader: Trader, book: Book, make_exchange: Callable[..., ParadexPerpetualDerivative]
    ) -> None:
        order_id = trader.exchange.place_trigger_order(PAIR, TradeType.SELL, Decimal("0.5"), Decimal("59000"))
        await placed(trader, order_id)
        restarted = Trader(make_exchange(), trader.venue)
        restarted.exchange.restore_tracking_states(trader.exchange.tracking_states)
        order = restarted.exchange.in_flight_orders[order_id]
        assert (order.is_open, order.price) == (True, Decimal("59000"))
        waiting = book.of("STOP_MARKET")
        await restarted.hear("orders", {**waiting, "status": "CLOSED", "cancel_reason": "ANYTHING_NEW"})
        assert [event.order_id for event in restarted.cancelled()] == [order_id]


class TestOptions:
    async def test_an_unknown_keyword_fails_the_order_with_the_known_ones(self, trader: Trader) -> None:
        trader.exchange.buy(
            PAIR,
            Decimal("0.5"),
            OrderType.LIMIT,
            Decimal("59000"),
            position_action=PositionAction.OPEN,
            post_only=True,
        )
        await eventually(trader.failed)
        assert "no option post_only; there are trigger_price" in trader.failed()[0].error_message
        assert trader.venue.asked("POST", "/orders") == []

    async def test_settings_are_the_defaults(
        self, make_exchange: Callable[..., ParadexPerpetualDerivative], venue: Venue, book: Book
    ) -> None:
        trader = Trader(
            make_exchange(
                paradex_perpetual_rpi=True,
                paradex_perpetual_mmp=True,
                paradex_perpetual_self_trade_mode="EXPIRE_BOTH",
                paradex_perpetual_recv_window=4000,
            ),
            venue,
        )
        body = await placed(trader, trader.submit(order_type=OrderType.LIMIT_MAKER))
        assert (body["instruction"], body["flags"], body["stp"], body["recv_window"]) == (
            "RPI",
            ["MMP"],
            "EXPIRE_BOTH",
            4000,
        )


class TestClosingSmallPositions:
    async def test_a_position_below_the_minimum_can_be_closed(self, trader: Trader) -> None:
        holds(trader, "0.0001")  # 6 USDC; the minimum is 10
        order_id = trader.submit(TradeType.SELL, "0.0001", order_type=OrderType.MARKET, action=PositionAction.CLOSE)
        body = await placed(trader, order_id)
        assert (body["size"], body["flags"]) == ("0.0001", ["REDUCE_ONLY"])

    async def test_another_order_below_the_minimum_is_still_refused(self, trader: Trader) -> None:
        holds(trader, "0.0002")
        trader.submit(TradeType.SELL, "0.0001", order_type=OrderType.MARKET, action=PositionAction.CLOSE)
        await eventually(trader.failed)
        assert "minimum notional size 10" in trader.failed()[0].error_message
        assert trader.venue.asked("POST", "/orders") == []

    async def test_a_limit_order_without_a_price_is_refused(self, trader: Trader) -> None:
        trader.submit(price="NaN")
        await eventually(trader.failed)
        assert "price should be a positive number, not NaN" in trader.failed()[0].error_message
        assert trader.venue.asked("POST", "/orders") == []

    async def test_one_above_the_maximum_is_refused_before_it_is_sent(self, trader: Trader) -> None:
        trader.submit(amount="100.5")
        await eventually(trader.failed)
        assert "100.5" in trader.failed()[0].error_message
        assert trader.venue.asked("POST", "/orders") == []


class TestPositionOrders:
    HIGH, LOW = Decimal("61000"), Decimal("59000")

    async def protect(self, trader: Trader, book: Book, position: str = "0.5") -> dict[str, str]:
        """A position with both orders, of which the exchange has told that they wait."""
        holds(trader, position)
        ids = await trader.exchange.set_take_profit_stop_loss(PAIR, self.HIGH, self.LOW)
        await settle()
        for order in list(book.orders.values()):
            await trader.hear("orders", order)
        return ids

    async def moved(self, trader: Trader, size: str) -> None:
        """The exchange tells another size of the position."""
        await trader.hear("positions", payloads.position(size=size, last_updated_at=payloads.NOW_MS))

    async def test_both_are_reduce_only_and_of_the_positions_size(self, trader: Trader, book: Book) -> None:
        ids = await self.protect(trader, book)
        assert set(ids) == {"take_profit", "stop_loss"}
        for kind, name, price in (
            ("take_profit", "TAKE_PROFIT_MARKET", "61000"),
            ("stop_loss", "STOP_LOSS_MARKET", "59000"),
        ):
            order = book.of(name)
            assert (order["side"], order["size"], order["trigger_price"]) == ("SELL", "0.5", price)
            assert (order["flags"], order["client_id"]) == (["REDUCE_ONLY"], ids[kind])
            assert trader.exchange.position_order(PAIR, kind).client_order_id == ids[kind]

    async def test_again_modifies_them_and_never_makes_two(self, trader: Trader, book: Book) -> None:
        ids = await self.protect(trader, book)
        again = await trader.exchange.set_take_profit_stop_loss(PAIR, Decimal("62000"), self.LOW)
        assert again == ids
        assert len(trader.venue.asked("POST", "/orders")) == 2
        assert len(trader.venue.asked("PUT", "/orders/*")) == 1  # the stop-loss has its price already
        assert book.of("TAKE_PROFIT_MARKET")["trigger_price"] == "62000"
        assert trader.exchange.position_order(PAIR, "take_profit").price == Decimal("62000")

    async def test_none_removes_one(self, trader: Trader, book: Book) -> None:
        ids = await self.protect(trader, book)
        assert await trader.exchange.set_take_profit_stop_loss(PAIR, None, self.LOW) == {"stop_loss": ids["stop_loss"]}
        (cancel,) = trader.venue.asked("DELETE", "/orders/by_client_id/*")
        assert cancel.path.endswith(ids["take_profit"])
        assert [event.order_id for event in trader.cancelled()] == [ids["take_profit"]]

    async def test_one_that_was_removed_is_made_anew(self, trader: Trader, book: Book) -> None:
        ids = await self.protect(trader, book)
        await trader.exchange.set_take_profit_stop_loss(PAIR, None, self.LOW)
        again = await trader.exchange.set_take_profit_stop_loss(PAIR, self.HIGH, self.LOW)
        assert again["stop_loss"] == ids["stop_loss"]
        assert again["take_profit"] != ids["take_profit"]
        assert book.of("TAKE_PROFIT_MARKET")["client_id"] == again["take_profit"]

    async def test_one_that_the_exchange_closes_while_it_is_changed_is_made_anew(
        self, trader: Trader, book: Book
    ) -> None:
        ids = await self.protect(trader, book)
        stop = book.of("STOP_LOSS_MARKET")

        async def too_late(_: Request) -> Any:
            stop.update(status="CLOSED", cancel_reason="USER_CANCELED", last_updated_at=payloads.NOW_MS + 9)
            await trader.hear("orders", stop)
            return refusal("ORDER_IS_CLOSED")

        trader.venue.on("PUT", "/orders/*", too_late)
        again = await trader.exchange.set_take_profit_stop_loss(PAIR, self.HIGH, Decimal("58000"))
        assert again["take_profit"] == ids["take_profit"]
        assert again["stop_loss"] != ids["stop_loss"]
        assert book.of("STOP_LOSS_MARKET")["client_id"] == again["stop_loss"]

    async def test_one_whose_change_is_refused_stays_and_that_is_said(self, trader: Trader, book: Book) -> None:
        ids = await self.protect(trader, book)
        trader.venue.on("PUT", "/orders/*", refusal("VALIDATION_ERROR"))
        with pytest.raises(web_utils.ParadexError, match=r"The stop_loss of BTC-USDC was not set: .*VALIDATION_ERROR"):
            await trader.exchange.set_take_profit_stop_loss(PAIR, self.HIGH, Decimal("58000"))
        assert len(trader.venue.asked("POST", "/orders")) == 2
        assert trader.exchange.position_order(PAIR, "stop_loss").client_order_id == ids["stop_loss"]

    @pytest.mark.parametrize(("size", "pauses"), [("0.8", []), ("0.3", [CONSTANTS.POSITION_ORDERS_PATIENCE])])
    async def test_they_grow_at_once_and_shrink_when_the_exchange_has_not_done_it(
        self, trader: Trader, book: Book, clock: Clock, size: str, pauses: list[float]
    ) -> None:
        await self.protect(trader, book)
        before: list[list[float]] = []

        def put(request: Request) -> Payload:
            before.append(list(clock.pauses))
            return book.put(request)

        trader.venue.on("PUT", "/orders/*", put)
        clock.pauses.clear()
        await self.moved(trader, size)
        await eventually(lambda: {order["size"] for order in book.orders.values()} == {size})
        assert before[0] == pauses

    async def test_with_limit_prices_they_are_limit_orders_and_are_changed_in_place(
        self, trader: Trader, book: Book
    ) -> None:
        holds(trader, "0.5")
        limits = {"take_profit_limit": Decimal(60900), "stop_loss_limit": Decimal(58900)}
        ids = await trader.exchange.set_take_profit_stop_loss(PAIR, self.HIGH, self.LOW, **limits)
        await settle()
        for order in list(book.orders.values()):
            await trader.hear("orders", order)
        assert {(order["type"], order["price"], order["trigger_price"]) for order in book.orders.values()} == {
            ("TAKE_PROFIT_LIMIT", "60900", "61000"),
            ("STOP_LOSS_LIMIT", "58900", "59000"),
        }
        limits["stop_loss_limit"] = Decimal(58800)
        assert await trader.exchange.set_take_profit_stop_loss(PAIR, self.HIGH, self.LOW, **limits) == ids
        assert book.of("STOP_LOSS_LIMIT")["price"] == "58800"
        assert len(trader.venue.asked("PUT", "/orders/*")) == 1
        await self.moved(trader, "0.8")
        await eventually(lambda: {order["size"] for order in book.orders.values()} == {"0.8"})

    async def test_one_that_gets_a_limit_price_is_replaced(self, trader: Trader, book: Book) -> None:
        ids = await self.protect(trader, book)
        again = await trader.exchange.set_take_profit_stop_loss(
            PAIR, self.HIGH, self.LOW, take_profit_limit=Decimal(60900)
        )
        assert again["stop_loss"] == ids["stop_loss"]
        assert book.of("TAKE_PROFIT_LIMIT")["client_id"] == again["take_profit"]
        assert [event.order_id for event in trader.cancelled()] == [ids["take_profit"]]

    @pytest.mark.parametrize(
        ("prices", "text"),
        [
            ({"stop_loss_limit": Decimal(58900)}, "stop_loss needs a trigger price"),
            ({"take_profit_price": Decimal(61000), "take_profit_limit": Decimal("60900.05")}, "60900.05"),
        ],
    )
    async def test_limit_prices_that_cannot_be_change_nothing(
        self, trader: Trader, book: Book, prices: dict[str, Decimal], text: str
    ) -> None:
        await self.protect(trader, book)
        with pytest.raises(ValueError, match=text):
            await trader.exchange.set_take_profit_stop_loss(PAIR, **prices)
        assert {order["status"] for order in book.orders.values()} == {"UNTRIGGERED"}

    @pytest.mark.parametrize("size", ["0.8", "0.3"])
    async def test_they_follow_the_size_of_the_position(self, trader: Trader, book: Book, size: str) -> None:
        await self.protect(trader, book)
        await self.moved(trader, size)
        await eventually(lambda: {order["size"] for order in book.orders.values()} == {size})
        await eventually(lambda: {o.amount for o in trader.exchange.in_flight_orders.values()} == {Decimal(size)})

    async def test_they_follow_each_change(self, trader: Trader, book: Book) -> None:
        await self.protect(trader, book)
        for size in ("0.8", "1.2"):
            await self.moved(trader, size)
            for order in book.orders.values():
                order["remaining_size"] = size
            await eventually(lambda size=size: {order["size"] for order in book.orders.values()} == {size})
            await eventually(lambda: all(task.done() for task in trader.exchange._fitting.values()))

    async def test_those_of_a_short_position_do_too(self, trader: Trader, book: Book) -> None:
        holds(trader, "-0.5")
        await trader.exchange.set_take_profit_stop_loss(PAIR, self.LOW, self.HIGH)
        await settle()
        for order in list(book.orders.values()):
            await trader.hear("orders", order)
        await self.moved(trader, "-0.5")
        await settle()
        assert trader.exchange._fitting == {}
        await self.moved(trader, "-0.8")
        await eventually(lambda: {order["size"] for order in book.orders.values()} == {"0.8"})

    async def test_a_change_of_size_that_fails_is_tried_until_it_succeeds(
        self, trader: Trader, book: Book, clock: Clock
    ) -> None:
        await self.protect(trader, book)
        clock.pauses.clear()
        trader.venue.on("PUT", "/orders/*", *6 * [refusal("VALIDATION_ERROR")], book.put)
        await self.moved(trader, "0.8")
        await eventually(lambda: {order["size"] for order in book.orders.values()} == {"0.8"})
        assert len(book.orders) == 2
        pauses = [pause for pause in clock.pauses if pause != CONSTANTS.MODIFY_SILENCE]
        assert len(pauses) >= 2  # the attempts do not follow each other at once
        first = trader.venue.asked("PUT", "/orders/*")[0]
        assert first.body["type"] == "STOP_LOSS_MARKET"  # the one that is missed more

    async def test_a_change_of_size_without_an_answer_is_sent_again_soon_for_that_does_no_harm(
        self, trader: Trader, book: Book, clock: Clock
    ) -> None:
        await self.protect(trader, book)
        trader.venue.on("PUT", "/orders/*", *2 * [refusal("SERVICE_UNAVAILABLE", 503)], book.put)
        began = clock.now
        await self.moved(trader, "0.8")
        await eventually(lambda: {order["size"] for order in book.orders.values()} == {"0.8"})
        assert clock.now - began < CONSTANTS.OUTCOME_MARGIN

    async def test_what_the_exchange_has_made_smaller_itself_is_left_alone(self, trader: Trader, book: Book) -> None:
        await self.protect(trader, book)
        for order in list(book.orders.values()):
            order.update(size="0.3", remaining_size="0.3")
            await trader.hear("orders", order)
        await self.moved(trader, "0.3")
        await settle()
        assert trader.venue.asked("PUT", "/orders/*") == []
        assert {order.amount for order in trader.exchange.in_flight_orders.values()} == {Decimal("0.3")}

    async def test_they_are_cancelled_with_the_position_if_the_exchange_does_not(
        self, trader: Trader, book: Book
    ) -> None:
        ids = await self.protect(trader, book)
        await self.moved(trader, "0")
        await eventually(lambda: len(trader.venue.asked("DELETE", "/orders/by_client_id/*")) == 2)
        assert {request.path.split("/")[-1] for request in trader.venue.asked("DELETE", "/orders/*")} == set(
            ids.values()
        )

    async def test_a_turned_position_does_not_keep_the_orders_of_the_old_one(self, trader: Trader, book: Book) -> None:
        await self.protect(trader, book)
        await self.moved(trader, "-0.5")
        await eventually(lambda: len(trader.venue.asked("DELETE", "/orders/by_client_id/*")) == 2)
        assert trader.venue.asked("PUT", "/orders/*") == []

    async def test_a_restart_knows_them_by_their_ids(
        self, trader: Trader, book: Book, make_exchange: Callable[..., ParadexPerpetualDerivative]
    ) -> None:
        ids = await self.protect(trader, book)
        restarted = Trader(make_exchange(), trader.venue)
        restarted.exchange.restore_tracking_states(trader.exchange.tracking_states)
        assert restarted.exchange.position_order(PAIR, "stop_loss").client_order_id == ids["stop_loss"]
        await self.moved(restarted, "0.7")
        await eventually(lambda: {order["size"] for order in book.orders.values()} == {"0.7"})

    async def test_a_position_that_is_told_before_the_trading_rules_is_taken_all_the_same(
        self, trader: Trader, book: Book, make_exchange: Callable[..., ParadexPerpetualDerivative]
    ) -> None:
        await self.protect(trader, book)
        restarted = Trader(make_exchange(), trader.venue)
        restarted.exchange.restore_tracking_states(trader.exchange.tracking_states)
        rules = dict(restarted.exchange._trading_rules)
        restarted.exchange._trading_rules.clear()
        await self.moved(restarted, "0.7")
        await settle()
        assert restarted.exchange.account_positions[PAIR].amount == Decimal("0.7")
        assert {order["size"] for order in book.orders.values()} == {"0.5"}
        restarted.exchange._trading_rules.update(rules)
        await self.moved(restarted, "0.7")  # the next poll
        await eventually(lambda: {order["size"] for order in book.orders.values()} == {"0.7"})

    async def test_nothing_is_sent_for_prices_that_cannot_be(self, trader: Trader) -> None:
        holds(trader, "0.5")
        with pytest.raises(ValueError, match="61000 is on the wrong side"):
            await trader.exchange.set_take_profit_stop_loss(PAIR, Decimal("62000"), Decimal("61000"))
        assert trader.venue.asked("POST", "/orders") == []

    async def test_it_says_which_one_was_refused(self, trader: Trader, book: Book) -> None:
        holds(trader, "0.5")
        trader.venue.on("POST", "/orders", refusal("VALIDATION_ERROR"), book.post)
        with pytest.raises(IOError, match=r"The stop_loss of BTC-USDC was not set: .*VALIDATION_ERROR"):
            await trader.exchange.set_take_profit_stop_loss(PAIR, self.HIGH, self.LOW)
