"""The connector as a whole: markets and pairs, starting and stopping, polling, and messages that make no sense."""

import asyncio
import gc
import logging
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hummingbot.client.settings import AllConnectorSettings
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_derivative as derivative_module,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.core.data_type.order_book import OrderBook
from hummingbot.core.network_iterator import NetworkStatus

from tests.unit.connector import frames, payloads
from tests.unit.connector.clock import Clock
from tests.unit.connector.payloads import ETH_MARKET, ETH_PAIR, MARKET, PAIR
from tests.unit.connector.trader import Trader, eventually, settle
from tests.unit.connector.venue import Answer, Request, Venue, refusal

Make = Callable[..., ParadexPerpetualDerivative]


async def _at_once(delay: float) -> None:
    await asyncio.sleep(0)


def quiet(venue: Venue) -> None:
    """Everything that a connector asks for is there, and there are no orders, fills or positions."""
    venue.on("GET", "/system/state", {"status": "ok"})
    venue.on("GET", "/markets/summary", lambda request: payloads.page(payloads.summary(request.query["market"])))
    venue.on("GET", "/orderbook/*", lambda request: payloads.order_book(request.path.split("/")[-1]))
    venue.on("GET", "/account/info", payloads.page(payloads.account_info()))
    venue.on("GET", "/account/margin", lambda request: payloads.margin(5, symbol=request.query["market"]))
    venue.on("GET", "/account", payloads.account("10"))
    venue.on("GET", "/balance", payloads.page(payloads.balance()))
    for path in ("/positions", "/fills", "/orders", "/orders-history", "/funding/payments"):
        venue.on("GET", path, payloads.page())


class TestMarkets:
    async def test_only_perpetuals_are_pairs(self, venue: Venue, make_exchange: Make) -> None:
        exchange = make_exchange()
        exchange._set_trading_pair_symbol_map(None)
        venue.on(
            "GET",
            "/markets",
            payloads.page(
                payloads.market(),
                payloads.market("kPEPE-USD-PERP"),
                payloads.market("ETH-USD", asset_kind="SPOT"),
                payloads.market("BTC-USD-100000-C", asset_kind="OPTION"),
                payloads.market("ETH-USD-PERP", trading_mode="RFQ_ONLY"),
            ),
        )
        assert await exchange.all_trading_pairs() == [PAIR, "kPEPE-USDC"]
        assert await exchange.exchange_symbol_associated_to_pair("kPEPE-USDC") == "kPEPE-USD-PERP"
        assert await exchange.trading_pair_associated_to_exchange_symbol(MARKET) == PAIR

    async def test_a_pair_that_does_not_exist_is_answered_with_the_right_one(
        self, exchange: ParadexPerpetualDerivative
    ) -> None:
        with pytest.raises(ValueError, match="use BTC-USDC instead of BTC-USD"):
            await exchange.exchange_symbol_associated_to_pair("BTC-USD")
        with pytest.raises(ValueError, match="There are BTC-USDC, ETH-USDC and others"):
            await exchange.exchange_symbol_associated_to_pair("DOGE-USDC")

    @pytest.mark.parametrize("pair", ["BTC-USD", "BTC-USDT"])
    async def test_a_bot_is_not_even_started_with_a_pair_in_another_quote(self, make_exchange: Make, pair: str) -> None:
        with pytest.raises(ValueError, match=f"use BTC-USDC instead of {pair}"):
            make_exchange(trading_pairs=[pair])

    async def test_markets_that_could_not_be_read_are_no_reason_to_call_a_pair_wrong(
        self, venue: Venue, exchange: ParadexPerpetualDerivative, log: pytest.LogCaptureFixture
    ) -> None:
        exchange._set_trading_pair_symbol_map(None)
        venue.on("GET", "/markets", refusal("SERVICE_UNAVAILABLE", 503))
        with pytest.raises(web_utils.NoAnswerError, match="could not be read yet"):
            await exchange.exchange_symbol_associated_to_pair(PAIR)
        (record,) = [record for record in log.records if "The markets of" in record.getMessage()]
        assert "SERVICE_UNAVAILABLE" in record.getMessage()
        assert record.exc_info is None

    async def test_one_market_that_makes_no_sense_does_not_take_the_others_with_it(
        self, venue: Venue, exchange: ParadexPerpetualDerivative, log: pytest.LogCaptureFixture
    ) -> None:
        broken = payloads.market(ETH_MARKET, order_size_increment="lots")
        venue.on("GET", "/markets", payloads.page(broken, payloads.market()))
        await exchange._update_trading_rules()
        assert set(exchange.trading_rules) == {PAIR}
        assert "Error parsing the trading rule of ETH-USD-PERP, skipping it: order_size_increment" in log.text

    async def test_several_last_prices_cost_one_request(
        self, venue: Venue, exchange: ParadexPerpetualDerivative
    ) -> None:
        both = payloads.page(payloads.summary(), payloads.summary(ETH_MARKET, last_traded_price="3000"))
        venue.on("GET", "/markets/summary", both)
        assert await exchange.get_last_traded_prices([PAIR, ETH_PAIR]) == {PAIR: 60001.1, ETH_PAIR: 3000.0}
        assert [request.query for request in venue.requests if request.path == "/markets/summary"] == [
            {"market": "ALL"}
        ]

    async def test_a_market_without_a_trade_has_its_mark_as_last_price(
        self, venue: Venue, exchange: ParadexPerpetualDerivative
    ) -> None:
        venue.on("GET", "/markets/summary", payloads.page(payloads.summary(last_traded_price="", mark_price="59999")))
        assert await exchange.get_last_traded_prices([PAIR]) == {PAIR: 59999.0}

    async def test_a_pair_that_is_added_again_stays_as_it_is(self, exchange: ParadexPerpetualDerivative) -> None:
        exchange.order_book_tracker.order_books[PAIR] = OrderBook()
        exchange._perpetual_trading.set_leverage(PAIR, 10)
        assert await exchange.add_trading_pair(PAIR)
        assert exchange.trading_pairs == [PAIR]
        assert exchange.get_leverage(PAIR) == 10

    async def test_collateral_is_usdc(self, exchange: ParadexPerpetualDerivative) -> None:
        assert exchange.get_buy_collateral_token(PAIR) == exchange.get_sell_collateral_token(PAIR) == "USDC"


class TestNetworkCheck:
    @pytest.mark.parametrize("status", ["ok", "post_only", "cancel_only"])
    async def test_a_running_exchange_is_connected(
        self, venue: Venue, exchange: ParadexPerpetualDerivative, status: str
    ) -> None:
        venue.on("GET", "/system/state", {"status": status})
        assert await exchange.check_network() is NetworkStatus.CONNECTED

    @pytest.mark.parametrize(
        "answer", [{"status": "maintenance"}, refusal("SERVICE_UNAVAILABLE", 503), Answer(200, text="<html>")]
    )
    async def test_maintenance_and_failure_are_not(
        self, venue: Venue, exchange: ParadexPerpetualDerivative, answer: Any
    ) -> None:
        venue.on("GET", "/system/state", answer)
        assert await exchange.check_network() is NetworkStatus.NOT_CONNECTED

    async def test_why_there_is_no_connection_is_said_once_and_stands_in_the_status(
        self,
        venue: Venue,
        exchange: ParadexPerpetualDerivative,
        log: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv(CONSTANTS.SANDBOX_URL_VARIABLE, "http://127.0.0.1:9/v1")  # nobody is there
            for _ in range(3):
                assert await exchange.check_network() is NetworkStatus.NOT_CONNECTED
        why = "127.0.0.1 port 9 cannot be reached (Connection refused)"
        assert [why in line for line in exchange.format_status_lines()].count(True) == 1
        said = [record for record in log.records if why in record.getMessage()]
        assert [record.levelname for record in said].count("WARNING") == 1
        assert not any(record.exc_info for record in log.records)
        venue.on("GET", "/system/state", {"status": "ok"})
        assert await exchange.check_network() is NetworkStatus.CONNECTED
        assert not any("Not connected" in line for line in exchange.format_status_lines())


class TestRunning:
    @pytest.fixture
    async def running(
        self, venue: Venue, exchange: ParadexPerpetualDerivative, clock: Clock
    ) -> ParadexPerpetualDerivative:
        """A connector that is ready, with a public socket and a private one."""
        quiet(venue)
        exchange._set_trading_pair_symbol_map(None)
        exchange._trading_rules.clear()
        exchange._sleep = clock.live  # type: ignore[method-assign]
        venue.rpc["subscribe"] = self.with_snapshot
        await exchange.start_network()
        exchange.tick(payloads.NOW)
        await eventually(lambda: exchange.ready)
        return exchange

    @staticmethod
    def with_snapshot(socket: Any, call: dict[str, Any]) -> dict[str, Any]:
        channel = call["params"]["channel"]
        if channel.startswith("order_book."):
            frame = frames.book(1, [("60000", "1")], [("60001", "1")], snapshot=True, market=channel.split(".")[1])
            asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(socket.send(frame)))
        return {"result": {}}

    async def test_it_gets_ready(self, running: ParadexPerpetualDerivative) -> None:
        assert all(running.status_dict.values())
        assert running.get_price(PAIR, True) == Decimal(60001)
        assert running.get_leverage(PAIR) == 5
        assert running.available_balances["USDC"] == Decimal(10)
        assert running.get_funding_info(PAIR).rate == Decimal("0.00012345")
        assert running.trading_rules[PAIR].min_order_size == Decimal("0.00001")

    async def test_the_stream_tells_what_would_have_to_be_asked_for(
        self, venue: Venue, running: ParadexPerpetualDerivative
    ) -> None:
        assert venue.asked("GET", "/orderbook/*") == []
        public = next(socket for socket in venue.sockets if f"trades.{MARKET}" in socket.channels)
        before = time.perf_counter()
        await public.send(frames.market_summary(last="60000.5"))
        book = running.get_order_book(PAIR)
        await eventually(lambda: book.last_trade_price == 60000.5)
        # The tracker asks REST for a price that was told more than 5 s ago.
        assert book.last_trade_price_rest_updated >= before

    async def test_a_book_that_the_stream_does_not_tell_is_asked_for_until_it_is_there(
        self, venue: Venue, exchange: ParadexPerpetualDerivative, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(CONSTANTS, "BOOK_PATIENCE", 0.01)
        venue.on("GET", "/orderbook/*", refusal("INTERNAL", 500), payloads.order_book())
        tracker = exchange.order_book_tracker
        tracker._sleep = _at_once
        tracker.start()
        try:
            await eventually(lambda: tracker.ready)
            assert tracker.order_books[PAIR].get_price(True) > 0
        finally:
            tracker.stop()

    async def test_it_logs_no_error_and_no_secret_on_the_way(
        self, running: ParadexPerpetualDerivative, log: pytest.LogCaptureFixture
    ) -> None:
        assert [record for record in log.records if record.levelno >= logging.WARNING] == []
        for secret in (payloads.SUBKEY[2:], payloads.jwt(), payloads.jwt().split(".")[1]):
            assert secret not in log.text

    async def test_stopping_leaves_nothing_running(self, venue: Venue, running: ParadexPerpetualDerivative) -> None:
        running._reconcile_soon()
        await running.stop_network()
        await venue.until(lambda: all(socket.websocket.closed for socket in venue.sockets))

        def left() -> list[str]:
            # The framework wraps what it starts, all but the data sources' loops.
            names = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]  # type: ignore[union-attr]
            return [name for name in names if "safe_wrapper" in name or "Paradex" in name or "OrderBook" in name]

        await eventually(lambda: not left())

    async def test_it_closes_its_sockets_though_it_is_stopped_once_more_meanwhile(
        self, venue: Venue, running: ParadexPerpetualDerivative
    ) -> None:
        """As by a user's `stop` just when the network is found to be gone."""
        sources = (running._orderbook_ds, running._user_stream_tracker.data_source)
        sessions = [source._session for source in sources]  # so that it is not the garbage collector who closes them
        assert len(venue.sockets) == len(list(filter(None, sessions))) == 2
        stopping = asyncio.ensure_future(running.stop_network())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await running.stop_network()
        await stopping
        await venue.until(lambda: all(socket.websocket.closed for socket in venue.sockets))

    async def test_what_is_stopped_before_it_has_begun_leaves_no_coroutine_behind(
        self, trader: Trader, recwarn: pytest.WarningsRecorder
    ) -> None:
        exchange = trader.exchange
        exchange._follow_cancel(trader.track())
        exchange._reconcile_soon()
        assert exchange._cancel_watch is not None
        await exchange.stop_network()
        await settle()
        gc.collect()
        assert [str(warning.message) for warning in recwarn if "never awaited" in str(warning.message)] == []

    async def test_it_can_be_started_again(self, venue: Venue, running: ParadexPerpetualDerivative) -> None:
        await running.stop_network()
        await running.start_network()
        await eventually(lambda: len(venue.sockets) == 4)
        await eventually(lambda: running.ready)

    async def test_what_is_in_memory_at_the_first_start_is_kept_from_the_collector_once(
        self, running: ParadexPerpetualDerivative, make_exchange: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        frozen: list[int] = []
        monkeypatch.setattr(gc, "freeze", lambda: frozen.append(1))
        derivative_module._freeze_memory.cache_clear()
        watching = make_exchange(trading_required=False)  # by Hummingbot itself, before any bot is there
        await watching.start_network()
        await settle()
        await watching.stop_network()
        assert not frozen
        for _ in range(2):
            await running.start_network()
            await settle()
        assert len(frozen) == 1

    async def test_a_pair_can_be_added_and_removed_while_it_runs(
        self, venue: Venue, running: ParadexPerpetualDerivative
    ) -> None:
        assert await running.add_trading_pair(ETH_PAIR)
        assert running.get_price(ETH_PAIR, False) == Decimal(60000)
        assert running.get_funding_info(ETH_PAIR).trading_pair == ETH_PAIR
        channels = {channel for socket in venue.sockets for channel in socket.channels}
        assert f"order_book.{ETH_MARKET}.deltas@15@50ms" in channels
        assert f"funding_payments.{ETH_MARKET}" in channels
        await running._update_leverage()
        assert running.get_leverage(ETH_PAIR) == 5

        assert await running.remove_trading_pair(ETH_PAIR)
        channels = {channel for socket in venue.sockets for channel in socket.channels}
        assert [channel for channel in channels if ETH_MARKET in channel] == []
        assert running.trading_pairs == [PAIR]
        assert running.ready

    async def test_a_funding_payment_soon_after_a_pair_was_added_is_told_though_the_stream_loses_it(
        self, venue: Venue, running: ParadexPerpetualDerivative
    ) -> None:
        trader = Trader(running, venue)
        before, after = (
            payloads.funding_payment(str(number), ETH_MARKET, id=str(number), created_at=payloads.NOW_MS + number)
            for number in (1, 2)
        )
        venue.on("GET", "/funding/payments", payloads.page(before))
        assert await running.add_trading_pair(ETH_PAIR)
        venue.on("GET", "/funding/payments", payloads.page(after, before))
        await running._update_funding_payment(ETH_PAIR, fire_event_on_new=True)
        assert [(event.trading_pair, event.amount) for event in trader.funded()] == [(ETH_PAIR, Decimal(2))]

    async def test_a_pair_that_does_not_exist_cannot_be_added(
        self, venue: Venue, running: ParadexPerpetualDerivative
    ) -> None:
        assert not await running.add_trading_pair("NOPE-USDC")
        assert running.trading_pairs == [PAIR]
        assert running.ready

    async def test_a_pair_that_never_existed_can_be_removed(self, running: ParadexPerpetualDerivative) -> None:
        running._trading_pairs.append("NOPE-USDC")
        await running.remove_trading_pair("NOPE-USDC")
        assert running.trading_pairs == [PAIR]
        assert running.ready

    async def test_without_keys_it_watches_and_asks_for_nothing_private(
        self, venue: Venue, make_exchange: Make, clock: Clock
    ) -> None:
        quiet(venue)
        venue.rpc["subscribe"] = self.with_snapshot
        watching = make_exchange(
            paradex_perpetual_api_secret="", paradex_perpetual_account_address="", trading_required=False
        )
        watching._sleep = clock.live  # type: ignore[method-assign]
        await watching.start_network()
        await eventually(lambda: watching.ready)
        assert [request.path for request in venue.requests if "Authorization" in request.headers] == []
        assert venue.asked("POST", "/auth/*") == []
        await watching.stop_network()


class TestPolling:
    @pytest.fixture(autouse=True)
    def all_quiet(self, venue: Venue) -> None:
        quiet(venue)
        venue.on("GET", "/positions", payloads.page(payloads.position()))

    @pytest.mark.parametrize("path", ["/account/margin", "/positions", "/balance", "/orders"])
    @pytest.mark.parametrize(
        "answer", [refusal("SERVICE_UNAVAILABLE", 503), refusal("INTERNAL_ERROR"), {}, {"results": [{}]}], ids=str
    )
    async def test_a_part_that_fails_does_not_keep_the_others_from_being_updated(
        self, venue: Venue, trader: Trader, log: pytest.LogCaptureFixture, path: str, answer: Any
    ) -> None:
        order = trader.track()
        venue.on("GET", "/fills", payloads.page(payloads.fill("mine")))
        venue.on("GET", "/orders", payloads.page(payloads.order("mine", price="59000")))
        venue.on("GET", path, answer)
        await trader.exchange._status_polling_loop_fetch_updates()
        await settle()
        updated = {
            "/account/margin": trader.exchange.get_leverage(PAIR) == 5,
            "/positions": set(trader.exchange.account_positions) == {PAIR},
            "/balance": trader.exchange.get_all_balances() == {"USDC": Decimal(15)},
            "/orders": order.price == Decimal(59000),
        }
        assert {part for part, is_updated in updated.items() if not is_updated} == {path}
        assert order.executed_amount_base == Decimal("0.2")
        if not (path in ("/account/margin", "/orders") and isinstance(answer, dict)):
            assert "Could not update the" in log.text or "cannot be read" in log.text

    async def test_what_is_to_be_expected_is_a_network_message_and_a_bug_an_error(
        self, venue: Venue, trader: Trader, log: pytest.LogCaptureFixture
    ) -> None:
        venue.on("GET", "/balance", refusal("SERVICE_UNAVAILABLE", 503))
        await trader.exchange._status_polling_loop_fetch_updates()
        levels = {record.levelname for record in log.records if "Could not update the balances" in record.getMessage()}
        assert levels - {"WARNING"} == {"NETWORK"}  # the framework adds a warning for people where it sees no test
        log.clear()
        venue.on("GET", "/balance", {"unexpected": "shape"})
        await trader.exchange._status_polling_loop_fetch_updates()
        levels = {record.levelname for record in log.records if "Could not update the balances" in record.getMessage()}
        assert levels == {"ERROR"}

    async def test_refused_credentials_are_said_without_a_traceback(
        self, venue: Venue, trader: Trader, log: pytest.LogCaptureFixture
    ) -> None:
        venue.on("POST", "/auth/*", refusal("INVALID_SUBKEY"))
        await trader.exchange._status_polling_loop_fetch_updates()
        assert "Paradex does not accept these credentials" in log.text
        assert [record for record in log.records if record.levelname == "ERROR"] == []

    async def test_refused_credentials_are_no_network_until_they_are_accepted(
        self, venue: Venue, trader: Trader, log: pytest.LogCaptureFixture, clock: Clock
    ) -> None:
        exchange = trader.exchange
        venue.on("GET", "/system/state", {"status": "ok"})
        venue.on("POST", "/auth/*", refusal("INVALID_SUBKEY", 401))
        assert await exchange.check_network() is NetworkStatus.CONNECTED  # nobody has needed a token yet
        for _ in range(60):
            await exchange._status_polling_loop_fetch_updates()
            assert await exchange.check_network() is NetworkStatus.NOT_CONNECTED
            clock.now += 10
        order_id = trader.submit()
        await eventually(lambda: trader.failed())
        assert trader.failed()[0].order_id == order_id
        assert "has been revoked" in trader.failed()[0].error_message
        assert "has been revoked" in (exchange.order_restriction or "")
        assert venue.asked("POST", "/orders") == []
        assert len(venue.asked("POST", "/auth/*")) <= 30  # in ten minutes
        clock.now += 60
        venue.on("POST", "/auth/*", {"jwt_token": payloads.jwt(issued_at=clock.now)})
        assert await exchange.check_network() is NetworkStatus.CONNECTED
        assert exchange.order_restriction is None

    @pytest.mark.parametrize(
        ("path", "loop", "what"),
        [
            ("/markets", "_trading_rules_polling_loop", "markets"),
            ("/account/info", "_trading_fees_polling_loop", "fees"),
        ],
    )
    async def test_what_is_read_now_and_then_is_asked_for_ever_more_seldom_while_it_fails(
        self, venue: Venue, trader: Trader, log: pytest.LogCaptureFixture, path: str, loop: str, what: str
    ) -> None:
        venue.on("GET", path, *[refusal("SERVICE_UNAVAILABLE", 503)] * 12, payloads.page())
        pauses: list[float] = []

        async def note(delay: float) -> None:
            pauses.append(delay)
            if len(pauses) == 13:
                raise asyncio.CancelledError

        trader.exchange._sleep = note  # type: ignore[method-assign]
        with pytest.raises(asyncio.CancelledError):
            await getattr(trader.exchange, loop)()
        assert sum(pauses[:5]) < 15
        assert min(pauses[6:12]) >= 2.5
        assert pauses[12] > 60
        said = [record for record in log.records if f"The {what} of" in record.getMessage()]
        assert [record.levelname for record in said] == ["WARNING"]
        assert "SERVICE_UNAVAILABLE" in said[0].getMessage()
        assert not any(record.exc_info for record in log.records)

    async def test_a_failure_that_lasts_is_said_once_in_a_while(
        self, venue: Venue, trader: Trader, log: pytest.LogCaptureFixture
    ) -> None:
        venue.on("GET", "/balance", refusal("SERVICE_UNAVAILABLE", 503))
        for _ in range(20):
            await trader.exchange._status_polling_loop_fetch_updates()
        records = [record for record in log.records if "Could not update the balances" in record.getMessage()]
        assert [record.levelname for record in records].count("NETWORK") == 1

    async def test_a_poll_costs_few_requests_however_many_orders_there_are(self, venue: Venue, trader: Trader) -> None:
        for number in range(100):
            trader.track(f"order-{number}", str(number))
        open_orders = [payloads.order(f"order-{number}", id=str(number)) for number in range(100)]
        venue.on("GET", "/orders", payloads.page(*open_orders))
        trader.exchange._looked_for_lost_fills = True  # once after the start
        await trader.exchange._status_polling_loop_fetch_updates()
        asked = sorted(request.path for request in venue.requests if "Authorization" in request.headers)
        assert asked == ["/account", "/account/margin", "/balance", "/fills", "/orders", "/positions"]


class TestListener:
    """The loop that takes the private stream's events."""

    @pytest.fixture
    async def events(self, venue: Venue, exchange: ParadexPerpetualDerivative) -> Any:
        quiet(venue)
        task = asyncio.create_task(exchange._user_stream_event_listener())
        yield exchange._user_stream_tracker.user_stream
        assert not task.done()
        task.cancel()
        await asyncio.wait([task])

    @pytest.mark.parametrize(
        "bad",
        [
            "text",
            None,
            [],
            {"data": {}},
            {"channel": "orders.ALL"},
            {"channel": "orders.ALL", "data": None},
            {"channel": None, "data": {}},
            {"channel": "orders.ALL", "data": payloads.order("mine", "MELTED")},
            {"channel": "orders.ALL", "data": payloads.order("mine", remaining_size="x")},
            {"channel": "orders.ALL", "data": payloads.order("mine", last_updated_at="soon")},
            {"channel": "fills.ALL", "data": payloads.fill("mine", price="cheap")},
            {"channel": "fills.ALL", "data": payloads.fill("mine", created_at=None)},
            {"channel": "positions", "data": {}},
            {"channel": "positions", "data": {**payloads.position(), "size": None}},
            {"channel": "account", "data": {"free_collateral": "lots"}},
            {"channel": "balance_events", "data": {"settlement_asset_balance_after": "x"}},
            {"channel": f"funding_payments.{MARKET}", "data": {"market": MARKET}},
            {"channel": f"funding_payments.{MARKET}", "data": None},
        ],
        ids=str,
    )
    async def test_a_message_that_makes_no_sense_is_said_has_rest_asked_and_ends_nothing(
        self, venue: Venue, trader: Trader, events: asyncio.Queue[Any], log: pytest.LogCaptureFixture, bad: Any
    ) -> None:
        trader.exchange._account_balances["USDC"] = Decimal(1)
        order = trader.track()
        venue.on("GET", "/orders", payloads.page(payloads.order("mine")))
        events.put_nowait(bad)
        events.put_nowait({"channel": "fills.ALL", "data": payloads.fill("mine")})
        await eventually(lambda: trader.filled())
        assert order.executed_amount_base == Decimal("0.2")
        assert "makes no sense" in log.text
        await venue.until(lambda: venue.asked("GET", "/positions"))

    @pytest.mark.parametrize(
        "unknown",
        [
            {"channel": "weather", "data": {"rain": True}},
            {"channel": "transfers", "data": {}},
            {"channel": "positions", "data": payloads.position("DOGE-USD-PERP")},
        ],
        ids=str,
    )
    async def test_what_is_not_for_us_is_passed_over(
        self, venue: Venue, trader: Trader, events: asyncio.Queue[Any], log: pytest.LogCaptureFixture, unknown: Any
    ) -> None:
        trader.track()
        events.put_nowait(unknown)
        events.put_nowait({"channel": "fills.ALL", "data": payloads.fill("mine")})
        await eventually(lambda: trader.filled())
        assert "makes no sense" not in log.text
        assert venue.requests == []


async def test_the_name_is_the_domain_and_ids_have_hummingbots_prefix(make_exchange: Make) -> None:
    exchange = make_exchange()
    assert exchange.name == exchange.domain == CONSTANTS.SANDBOX_DOMAIN
    assert exchange.client_order_id_prefix.startswith("HBOT")
    assert exchange.client_order_id_max_length == 40
    assert exchange.is_cancel_request_in_exchange_synchronous is False
    assert make_exchange(domain=CONSTANTS.DEFAULT_DOMAIN).name == "paradex_perpetual"


DOMAINS = [CONSTANTS.DEFAULT_DOMAIN, CONSTANTS.TESTNET_DOMAIN, CONSTANTS.SANDBOX_DOMAIN]


class TestHowHummingbotMakesIt:
    @pytest.mark.parametrize("domain", DOMAINS)
    async def test_to_look_around_without_keys(self, domain: str) -> None:
        settings = AllConnectorSettings.get_connector_settings()[domain]
        connector = settings.non_trading_connector_instance_with_default_configuration(trading_pairs=[PAIR])
        assert isinstance(connector, ParadexPerpetualDerivative)
        assert connector.name == domain
        assert not connector.is_trading_required
        assert not connector._auth.has_credentials

    @pytest.mark.parametrize("domain", DOMAINS)
    async def test_to_trade_with_the_keys_and_the_order_class_of_its_config_map(self, domain: str) -> None:
        settings = AllConnectorSettings.get_connector_settings()[domain]
        keys = {f"{domain}_api_secret": payloads.SUBKEY, f"{domain}_account_address": payloads.ADDRESS}
        config = type(settings.config_keys)(**keys, **{f"{domain}_order_class": "retail"})
        parameters = settings._replace(config_keys=config).conn_init_parameters(
            trading_pairs=[PAIR], trading_required=True, api_keys=keys
        )
        connector = ParadexPerpetualDerivative(**parameters)
        assert connector.name == domain
        assert connector.order_class == "retail"
        assert connector._auth.has_credentials


async def test_requests_of_the_time_are_not_made_while_it_is_known(
    venue: Venue, exchange: ParadexPerpetualDerivative
) -> None:
    asked: list[Request] = venue.asked("GET", "/system/time")
    venue.on("GET", "/positions", payloads.page())
    await exchange._update_positions()
    assert venue.asked("GET", "/system/time") == asked == []


async def test_a_connector_that_is_stopped_starts_no_comparison_of_its_own(trader: Trader, venue: Venue) -> None:
    await trader.exchange.stop_network()
    before = len(venue.asked("GET", "/orders"))
    trader.exchange._process_user_event("tradebusts", {"busted_fill_id": "1"})
    await settle()
    assert trader.exchange._reconciliation is None
    assert len(venue.asked("GET", "/orders")) == before
