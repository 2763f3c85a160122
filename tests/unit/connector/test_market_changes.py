"""Markets whose rules change, and markets that end, while the connector runs."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_utils as utils
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative

from tests.unit.connector import frames, payloads
from tests.unit.connector.clock import Clock
from tests.unit.connector.payloads import ETH_MARKET, ETH_PAIR, MARKET, NOW, NOW_MS, PAIR
from tests.unit.connector.test_order_book_data_source import Feed
from tests.unit.connector.trader import Trader, eventually
from tests.unit.connector.venue import Venue, refusal


def event(kind: str, symbol: str = MARKET, **changed: Any) -> dict[str, Any]:
    data = {"symbol": symbol, "event_type": kind, "updated_at": NOW_MS, "changed_fields": changed}
    return {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": f"markets.{symbol}", "data": data}}


def list_markets(venue: Venue, *markets: dict[str, Any]) -> None:
    venue.on("GET", "/markets", payloads.page(*markets))


@pytest.fixture
async def live(venue: Venue, exchange: ParadexPerpetualDerivative, clock: Clock) -> AsyncIterator[Feed]:
    feed = Feed(venue, exchange, clock)
    feed.start()
    await venue.socket(1, subscriptions=4)
    await feed.send(frames.book(10, [("100", "1")], [("101", "1")], snapshot=True))
    yield feed
    feed.tasks[0].cancel()
    await asyncio.wait(feed.tasks)


async def tell(live: Feed, message: dict[str, Any]) -> None:
    await (await live.venue.socket()).send(message)


async def failure_of(trader: Trader, order_id: str) -> str:
    await eventually(lambda: trader.failed())
    (failure,) = trader.failed()
    assert failure.order_id == order_id
    return str(failure.error_message)


class TestRules:
    async def test_they_are_read_anew_at_once_and_change_for_those_who_hold_them(
        self, live: Feed, log: pytest.LogCaptureFixture
    ) -> None:
        exchange = live.exchange
        held = exchange.trading_rules[PAIR]
        assert exchange.quantize_order_price(PAIR, Decimal("60000.17")) == Decimal("60000.1")
        changes = {
            "price_tick_size": "0.5",
            "order_size_increment": "0.01",
            "min_notional": "50",
            "max_order_size": "7",
            "fee_config": None,
        }
        list_markets(live.venue, payloads.market(**changes), payloads.market(ETH_MARKET))
        await tell(live, event("UPDATED", price_tick_size="0.5"))
        await eventually(lambda: held.min_price_increment == Decimal("0.5"))
        assert exchange.quantize_order_price(PAIR, Decimal("60000.7")) == Decimal("60000.5")
        assert exchange.quantize_order_amount(PAIR, Decimal("0.019")) == Decimal("0.01")
        assert (held.min_notional_size, held.max_order_size) == (50, 7)
        assert exchange.trading_rules[PAIR] is held
        assert exchange._fee_rate(PAIR, maker=True) is None
        assert f"Paradex has changed {MARKET}: UPDATED price_tick_size 0.5" in log.text

    async def test_an_exchange_that_does_not_answer_is_asked_until_it_does(self, live: Feed) -> None:
        failure = refusal("SERVICE_UNAVAILABLE", 503)
        changed = payloads.page(payloads.market(price_tick_size="0.5"), payloads.market(ETH_MARKET))
        live.venue.on("GET", "/markets", failure, {"results": None}, {}, changed)
        live.exchange.markets_may_have_changed()
        await eventually(lambda: live.exchange.trading_rules[PAIR].min_price_increment == Decimal("0.5"))

    async def test_events_that_come_together_share_a_request(self, live: Feed) -> None:
        for _ in range(20):
            live.exchange.market_changed(MARKET, "UPDATED", {})
        await eventually(lambda: live.exchange._market_update.done())  # type: ignore[union-attr]
        assert len(live.venue.asked("GET", "/markets")) == 1

    async def test_they_are_read_anew_after_a_break_that_may_have_hidden_a_change(self, live: Feed) -> None:
        list_markets(live.venue, payloads.market(price_tick_size="0.5"))
        await (await live.venue.socket()).close()
        await eventually(lambda: live.exchange.trading_rules[PAIR].min_price_increment == Decimal("0.5"))

    async def test_a_venue_without_the_channel_has_its_books_all_the_same(
        self, venue: Venue, exchange: ParadexPerpetualDerivative, clock: Clock
    ) -> None:
        venue.rpc["subscribe"] = lambda _, call: (
            {"error": {"code": -32602, "message": "no such channel"}}
            if call["params"]["channel"].startswith("markets.")
            else {"result": {}}
        )
        feed = Feed(venue, exchange, clock)
        feed.start()
        await venue.socket(1, subscriptions=3)
        await feed.send(frames.book(10, [("100", "1")], [("101", "1")], snapshot=True))
        assert exchange.is_book_live(PAIR)
        feed.tasks[0].cancel()
        await asyncio.wait(feed.tasks)

    @pytest.mark.parametrize(
        "message",
        [
            {"method": "subscription", "params": {"channel": f"markets.{MARKET}", "data": None}},
            {"method": "subscription", "params": {"channel": f"markets.{MARKET}", "data": {"event_type": "UPDATED"}}},
            {"method": "subscription", "params": None},
            {"method": "subscription", "params": {"channel": "markets_summary", "data": {"symbol": MARKET}}},
            ["markets"],
            "markets",
        ],
    )
    def test_what_is_no_event_is_passed_over(self, message: Any) -> None:
        assert utils.market_event(message) is None


class TestTheEnd:
    @pytest.fixture
    def trader(self, live: Feed) -> Trader:
        venue = live.venue
        venue.on("GET", "/account/margin", payloads.margin())
        venue.on("GET", "/balance", payloads.page(payloads.balance("USDC", "11")))
        venue.on("GET", "/account", payloads.account("9"))
        venue.on("GET", "/positions", payloads.page())
        venue.on("GET", "/orders", payloads.page())
        venue.on("GET", "/fills", payloads.page())
        return Trader(live.exchange, venue)

    async def test_orders_fail_with_the_reason_and_are_not_sent(
        self, live: Feed, trader: Trader, log: pytest.LogCaptureFixture
    ) -> None:
        list_markets(live.venue, payloads.market(ETH_MARKET))
        await tell(live, event("DELETED"))
        await eventually(lambda: "is not listed on Paradex any more" in log.text)
        assert f"{PAIR} is not listed" in await failure_of(trader, trader.submit())
        assert f"{PAIR} is not listed" in "\n".join(trader.exchange.format_status_lines())
        assert live.venue.asked("POST", "/orders") == []
        assert not live.exchange.is_book_live(PAIR)
        # A strategy that does not know it yet goes on asking.
        assert live.exchange.quantize_order_price(PAIR, Decimal("60000.17")) == Decimal("60000.1")
        assert await live.exchange.exchange_symbol_associated_to_pair(PAIR) == MARKET

    async def test_its_orders_and_its_position_are_followed_to_their_end(self, live: Feed, trader: Trader) -> None:
        order = trader.track()
        live.exchange._process_user_event("orders.ALL", payloads.order("mine"))
        live.exchange._process_user_event("positions", payloads.position())
        list_markets(live.venue, payloads.market(ETH_MARKET))
        cancelled = payloads.order("mine", "CLOSED", cancel_reason="MARKET_DELISTED")
        live.venue.on("GET", "/orders-history", payloads.page(cancelled))
        await tell(live, event("SETTLED", settlement_price=60000))
        await eventually(lambda: trader.cancelled() and not live.exchange.account_positions)
        assert order.is_cancelled

    async def test_a_market_that_returns_is_traded_again(
        self, live: Feed, trader: Trader, log: pytest.LogCaptureFixture
    ) -> None:
        list_markets(live.venue, payloads.market(ETH_MARKET))
        await tell(live, event("DELETED"))
        await eventually(lambda: live.exchange._untradable)
        list_markets(live.venue, payloads.market(price_tick_size="0.5"), payloads.market(ETH_MARKET))
        await tell(live, event("CREATED"))
        await eventually(lambda: f"{PAIR} is traded on Paradex again" in log.text)
        live.exchange._require_tradable(PAIR)
        assert live.exchange.trading_rules[PAIR].min_price_increment == Decimal("0.5")
        await live.send(frames.book(0, [("99", "1")], [("101", "1")], snapshot=True))
        assert live.exchange.is_book_live(PAIR)

    async def test_a_market_that_nobody_follows_goes_without_a_word(
        self, exchange: ParadexPerpetualDerivative, venue: Venue, log: pytest.LogCaptureFixture
    ) -> None:
        list_markets(venue, payloads.market())
        await exchange._update_trading_rules()
        assert set(exchange.trading_rules) == {PAIR}
        with pytest.raises(ValueError, match=ETH_PAIR):
            await exchange.exchange_symbol_associated_to_pair(ETH_PAIR)
        assert "not listed" not in log.text

    async def test_an_order_in_a_pair_without_rules_fails_instead_of_getting_lost(
        self, exchange: ParadexPerpetualDerivative, venue: Venue
    ) -> None:
        trader = Trader(exchange, venue)
        exchange.trading_rules.clear()
        assert "trading rules of BTC-USDC are not known yet" in await failure_of(trader, trader.submit())

    @pytest.mark.parametrize(
        ("market", "reason"),
        [
            (None, "is not listed"),
            (payloads.market(trading_mode="AUCTION"), "is AUCTION"),
            (payloads.market(open_at=NOW_MS + 1), "is not open for trading on Paradex yet"),
            (payloads.market(expiry_at=NOW_MS), "has expired"),
        ],
    )
    def test_why_it_is_not_traded_is_said(self, market: Any, reason: str) -> None:
        assert reason in (utils.not_traded_text(PAIR, market, NOW) or "")

    @pytest.mark.parametrize(
        "changes", [{}, {"open_at": 0}, {"open_at": NOW_MS}, {"expiry_at": NOW_MS + 1}, {"open_at": None}]
    )
    def test_what_is_open_is_traded(self, changes: dict[str, Any]) -> None:
        assert utils.not_traded_text(PAIR, payloads.market(**changes), NOW) is None
