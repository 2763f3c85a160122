"""Streams that go wrong in every way that the sandbox knows: afterwards the bot knows what the exchange knows.

Nothing here asks the connector to update itself. Its waiting times are shortened: it polls every second instead of
every ten, and compares a silent book with REST after half a second instead of fifteen.
"""

import logging
from decimal import Decimal
from typing import Any

import pytest
from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_constants as CONSTANTS
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType
from hummingbot.core.event.events import (
    FundingPaymentCompletedEvent,
    MarketOrderFailureEvent,
    OrderCancelledEvent,
)
from hummingbot.core.network_iterator import NetworkStatus

from tests.venue.bot import COMPLETED, Bot, errors_of
from tests.venue.conftest import SYMBOL
from tests.venue.exchange import Credentials, Exchange, Market
from tests.venue.test_exchange_trouble import Trouble, sandbox_with_control, trouble
from tests.venue.waiting import until

__all__ = ["sandbox_with_control", "trouble"]  # fixtures

PAIR = "BTC-USDC"
ENCODINGS = pytest.mark.parametrize("private_encoding", ["json", "sbe"])
STREAM_FAULTS: list[dict[str, Any]] = [
    {"kind": "freeze_stream"},
    {"kind": "stream_lose", "count": 3},
    {"kind": "stream_duplicate"},
    {"kind": "stream_reorder"},
    {"kind": "stream_delay", "delay_ms": 300},
    {"kind": "frame_cut", "bytes": 30},
    {"kind": "frame_cut", "bytes": 0, "count": 3},
    {"kind": "frame_unknown"},
    {"kind": "unknown_enum"},
]


def name_of(fault: dict[str, Any]) -> str:
    return "-".join(str(value) for value in fault.values())


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ParadexPerpetualDerivative, "LONG_POLL_INTERVAL", 1.0)
    monkeypatch.setattr(CONSTANTS, "BOOK_SILENCE", 0.5)
    monkeypatch.setattr(CONSTANTS, "BOOK_SUSPICION", 0.2)
    monkeypatch.setattr(CONSTANTS, "BOOK_SNAPSHOT_TIMEOUT", 0.5)
    monkeypatch.setattr(CONSTANTS, "WS_BACKOFF_INITIAL", 0.1)


async def book_is_right(bot: Bot, exchange: Exchange) -> None:
    """Waits until the bot's book is live and is, number and levels, what REST says."""

    async def same() -> bool:
        answer = await exchange.get(f"/orderbook/{SYMBOL}", depth=15)
        book = bot.book(PAIR)
        levels = [[(float(price), float(size)) for price, size in answer[side]] for side in ("bids", "asks")]
        return (
            bot.connector.is_book_live(PAIR)
            and book.seq == answer["seq_no"]
            and [book.bids[:10], book.asks[:10]] == [side[:10] for side in levels]
        )

    await until(same, "the book is live and the exchange's", pause=0.02)


async def account_is_right(bot: Bot, exchange: Exchange, market: Market, placed: list[str]) -> None:
    """Waits until orders, fills, position and balance are the exchange's."""

    async def differences() -> list[str]:
        found = []
        theirs = await exchange.open_orders()
        if set(theirs) != {order.client_order_id for order in bot.connector.in_flight_orders.values() if order.is_open}:
            found.append(f"open orders {set(theirs)}, {list(bot.connector.in_flight_orders)}")
        for order_id in placed:
            fills = await exchange.fills(order_id, bot.created_at)
            executed = sum((Decimal(fill["size"]) for fill in fills.values()), Decimal(0))
            if executed != bot.executed(order_id):
                found.append(f"{order_id} executed {executed}, {bot.executed(order_id)}")
        size = await exchange.position_size(market)
        if size != bot.position_amount(PAIR):
            found.append(f"position {size}, {bot.position_amount(PAIR)}")
        (balance,) = (await exchange.get("/balance"))["results"]
        if Decimal(balance["size"]) != bot.connector.get_balance("USDC"):
            found.append(f"balance {balance['size']}, {bot.connector.get_balance('USDC')}")
        return found

    last: list[str] = []

    async def same() -> bool:
        last[:] = await differences()
        return not last

    try:
        # Seldom: the account's limit of questions is the bot's as well.
        await until(same, "the bot knows what the exchange knows", pause=0.5)
    except AssertionError as error:
        raise AssertionError(f"{error}: {last}") from None


@pytest.fixture
async def witness(trouble: Trouble) -> Any:
    async with Exchange(trouble._url, trouble._credentials) as exchange:
        yield exchange


class TestThePublicStream:
    @pytest.mark.parametrize(
        "fault", [*STREAM_FAULTS, {"kind": "book_gap"}, {"kind": "book_gap", "count": 1}], ids=name_of
    )
    async def test_the_book_is_right_after_any_fault(
        self, trouble: Trouble, witness: Exchange, fault: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        bot = await trouble.bot()
        where = {} if fault["kind"] == "book_gap" else {"channel": "order_book"}
        before = bot.book(PAIR).seq
        await trouble.fault(**fault, **where)
        harmless = fault["kind"] in ("stream_duplicate", "stream_delay", "frame_unknown")
        await until(
            lambda: bot.connector.book_resyncs.get(PAIR) or (harmless and bot.book(PAIR).seq > before + 3),
            "the fault has been noticed, or does nothing",
            pause=0.01,
        )
        await trouble.repair()
        await book_is_right(bot, witness)
        assert not errors_of(caplog.records)
        assert caplog.text.count("taking a new snapshot") <= 1

    async def test_cut_sockets_come_back(self, trouble: Trouble, witness: Exchange) -> None:
        bot = await trouble.bot()
        await trouble.fault("drop_sockets")
        await until(lambda: not bot.connector.is_book_live(PAIR), "the interruption is known", pause=0.005)
        await book_is_right(bot, witness)

    async def test_a_socket_that_says_nothing_at_all_is_left(
        self, trouble: Trouble, witness: Exchange, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(CONSTANTS, "WS_SILENCE", 1.0)
        monkeypatch.setattr(CONSTANTS, "BOOK_SILENCE", 60.0)
        bot = await trouble.bot()
        with caplog.at_level(logging.WARNING):
            await trouble.fault("freeze_stream")
            await until(lambda: "open, but nothing has come for 1 s" in caplog.text, "the silence is noticed")
            await until(lambda: not bot.connector.is_book_live(PAIR), "also that of the public socket")
        await trouble.repair()
        await book_is_right(bot, witness)


class TestThePrivateStream:
    @ENCODINGS
    @pytest.mark.parametrize("fault", STREAM_FAULTS, ids=name_of)
    async def test_everything_is_known_after_any_fault(
        self, trouble: Trouble, witness: Exchange, fault: dict[str, Any], private_encoding: str
    ) -> None:
        await trouble.control("POST", "/settings", {"private_encoding": private_encoding})
        bot = await trouble.bot()
        market, price, size = await trouble.far_price()
        for channel in ("orders", "fills", "positions", "account", "balance_events"):
            await trouble.fault(**fault, channel=channel)
        placed = [
            bot.order(TradeType.BUY, PAIR, size, price, OrderType.LIMIT_MAKER),
            bot.order(TradeType.BUY, PAIR, size, price - market.tick, OrderType.LIMIT_MAKER),
            bot.order(TradeType.BUY, PAIR, size, order_type=OrderType.MARKET),
        ]
        await bot.events.one(COMPLETED, placed[2])
        bot.connector.cancel(PAIR, placed[1])
        await bot.events.one(OrderCancelledEvent, placed[1])
        await account_is_right(bot, witness, market, placed)
        await trouble.repair()
        assert len(bot.events.of(COMPLETED)) == 1
        assert len(bot.events.of(OrderCancelledEvent)) == 1
        assert not bot.events.of(MarketOrderFailureEvent)

    @ENCODINGS
    async def test_what_happened_while_it_was_cut_is_known(
        self, trouble: Trouble, witness: Exchange, private_encoding: str
    ) -> None:
        await trouble.control("POST", "/settings", {"private_encoding": private_encoding})
        bot = await trouble.bot()
        market, price, size = await trouble.far_price()
        resting = await bot.placed(TradeType.BUY, PAIR, size, price, OrderType.LIMIT_MAKER)
        await trouble.fault("refuse_connections")
        await trouble.fault("drop_sockets")
        await witness.cancel(resting, market)
        await witness.place(market, "BUY", size)
        await trouble.repair()
        await bot.events.one(OrderCancelledEvent, resting)
        await account_is_right(bot, witness, market, [resting])

    @ENCODINGS
    async def test_a_position_closed_while_it_was_cut_is_gone_and_its_funding_told_once(
        self, trouble: Trouble, witness: Exchange, private_encoding: str
    ) -> None:
        await trouble.control("POST", "/settings", {"private_encoding": private_encoding})

        async def payments() -> dict[str, tuple[int, Decimal]]:
            listed = (await witness.get("/funding/payments", market=SYMBOL, page_size=100))["results"]
            return {entry["id"]: (entry["created_at"], Decimal(entry["payment"])) for entry in listed}

        of_others = await payments()
        bot = await trouble.bot()
        market, _, size = await trouble.far_price()
        await bot.traded(TradeType.BUY, PAIR, size)
        await bot.has_position(PAIR, size)

        def told() -> list[tuple[int, Decimal]]:
            return [(round(e.timestamp * 1e3), e.amount) for e in bot.events.of(FundingPaymentCompletedEvent)]

        await trouble.fault("refuse_connections")
        await trouble.fault("drop_sockets")
        data_source = bot.connector._user_stream_tracker.data_source
        await until(lambda: data_source.session is None, "the interruption is known", pause=0.005)
        before = await payments()
        await trouble.control("POST", "/clock", {"advance_ms": 5000})  # so that funding has accrued
        await witness.place(market, "SELL", size, reduce_only=True)

        async def paid() -> bool:
            return (await payments()).keys() > before.keys()

        await until(paid, "the position was closed and its funding paid")
        await trouble.repair()

        await bot.has_position(PAIR, Decimal(0))
        assert bot.position(PAIR) is None
        due = [payment for number, payment in (await payments()).items() if number not in of_others]
        await until(lambda: len(told()) >= len(due), "the funding payments are told")
        await bot.connector._update_funding_payment(PAIR, fire_event_on_new=True)  # as the next poll does
        assert sorted(told()) == sorted(due)
        await account_is_right(bot, witness, market, [])

    async def test_a_busted_trade_is_said_and_undone(
        self, trouble: Trouble, witness: Exchange, caplog: pytest.LogCaptureFixture
    ) -> None:
        bot = await trouble.bot()
        market, _, size = await trouble.far_price()
        await bot.traded(TradeType.BUY, PAIR, size)
        await bot.has_position(PAIR, size)
        await trouble.fault("bust_trade", account=trouble._credentials.account_address)
        await bot.has_position(PAIR, Decimal(0))
        await account_is_right(bot, witness, market, [])
        assert "has busted the trade" in caplog.text


class TestAuthentication:
    @pytest.mark.parametrize("kind", ["expire_tokens", "revoke_tokens"])
    @pytest.mark.parametrize("way", ["rest", "websocket"])
    async def test_orders_go_on_with_a_new_token(self, trouble: Trouble, kind: str, way: str) -> None:
        bot = await trouble.bot(order_entry=way)
        _, price, size = await trouble.far_price()
        await trouble.fault(kind)
        for _ in range(5):
            await bot.placed(TradeType.BUY, PAIR, size, price, OrderType.LIMIT_MAKER)
        assert not bot.events.of(MarketOrderFailureEvent)

    @pytest.mark.parametrize("minutes", [-10, 10])
    async def test_a_clock_that_is_minutes_off_is_measured_and_trading_goes_on(
        self, trouble: Trouble, minutes: int
    ) -> None:
        bot = await trouble.bot()
        _, price, size = await trouble.far_price()
        for fault in (True, False):  # it goes wrong, and right again
            if fault:
                await trouble.fault("clock_shift", ms=minutes * 60_000)
            else:
                await trouble.repair()
            await trouble.fault("expire_tokens")
            order_id = await bot.placed(TradeType.BUY, PAIR, size, price, OrderType.LIMIT_MAKER)
            await bot.cancelled(order_id, pair=PAIR)
        assert not bot.events.of(MarketOrderFailureEvent)

    async def test_a_revoked_subkey_stops_the_trading_says_so_once_and_may_come_back(
        self, trouble: Trouble, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(CONSTANTS, "TOKEN_RETRY_MAXIMUM", 0.5)
        address = trouble._credentials.account_address
        key = await trouble.control("POST", f"/accounts/{address}/subkeys")
        trouble._bots.append(Bot(CONSTANTS.SANDBOX_DOMAIN, Credentials(key["api_secret"], address), [PAIR]))
        bot = trouble._bots[-1]
        await bot.start()
        _, price, size = await trouble.far_price()
        await trouble.fault("revoke_subkey", account=address, public_key=key["api_public_key"])
        for _ in range(3):
            order_id = bot.order(TradeType.BUY, PAIR, size, price, OrderType.LIMIT_MAKER)
            failure = await bot.events.one(MarketOrderFailureEvent, order_id)
            assert "has been revoked" in failure.error_message
        assert "has been revoked" in (bot.connector.order_restriction or "")
        assert await bot.connector.check_network() is NetworkStatus.NOT_CONNECTED
        await trouble.fault("drop_sockets")
        await until(lambda: "is not authenticated" in caplog.text, "the private stream says so")
        assert caplog.text.count("is not authenticated") == 1

        await trouble.control("POST", f"/accounts/{address}/subkeys", {"public_key": key["api_public_key"]})

        async def is_connected() -> bool:
            return await bot.connector.check_network() is NetworkStatus.CONNECTED

        await until(is_connected, "the subkey is accepted again")
        assert bot.connector.order_restriction is None
        await bot.placed(TradeType.BUY, PAIR, size, price, OrderType.LIMIT_MAKER)


class TestMarkets:
    async def test_new_rules_apply_at_once(self, trouble: Trouble) -> None:
        bot = await trouble.bot()
        rule = bot.connector.trading_rules[PAIR]
        before = rule.min_price_increment
        market, price, size = await trouble.far_price()
        coarse = before * 10
        try:
            await trouble.control("POST", f"/markets/{SYMBOL}", {"price_tick_size": str(coarse), "min_notional": "20"})
            await until(lambda: rule.min_price_increment == coarse, "the new tick is known", pause=0.01)
            assert rule.min_notional_size == 20
            order_id = await bot.placed(TradeType.BUY, PAIR, size * 3, price + before, OrderType.LIMIT_MAKER)
            assert bot.connector.in_flight_orders[order_id].price % coarse == 0
        finally:
            await trouble.control(
                "POST",
                f"/markets/{SYMBOL}",
                {"price_tick_size": str(before), "min_notional": str(market.min_notional)},
            )

    async def test_a_market_that_is_taken_off_the_list_takes_its_orders_and_position_along(
        self, trouble: Trouble, witness: Exchange
    ) -> None:
        bot = await trouble.bot()
        listed = next(entry for entry in await witness.markets() if entry["symbol"] == SYMBOL)
        market, price, size = await trouble.far_price()
        resting = await bot.placed(TradeType.BUY, PAIR, size, price, OrderType.LIMIT_MAKER)
        await bot.traded(TradeType.BUY, PAIR, size)
        await bot.has_position(PAIR, size)
        mark = (await witness.summary(market))["mark_price"]
        await trouble.control("DELETE", f"/markets/{SYMBOL}")
        try:
            await bot.events.one(OrderCancelledEvent, resting)
            await bot.has_position(PAIR, Decimal(0))
            await until(lambda: bot.connector._untradable, "the end is known")
            order_id = bot.order(TradeType.BUY, PAIR, size, price, OrderType.LIMIT_MAKER, PositionAction.OPEN)
            failure = await bot.events.one(MarketOrderFailureEvent, order_id)
            assert "is not listed on Paradex any more" in failure.error_message
            assert not bot.connector.is_book_live(PAIR)
            before = bot.private_session()
            assert before is not None
            await trouble.fault("drop_sockets")  # its payments cannot be subscribed to any more
            await until(
                lambda: bot.private_session() not in (None, before), "the account is followed again", pause=0.01
            )
        finally:
            await trouble.control("POST", "/markets", listed | {"simulation": {"base_price": mark}})
        await until(lambda: not bot.connector._untradable, "the market is back")
        await book_is_right(bot, witness)
