"""Open orders that this bot does not track: its own ones, which a killed run left, and those of others."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hummingbot.client import settings as hummingbot_settings
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_utils as utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.connector.utils import TradeFillOrderDetails
from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType

from tests.unit.connector import payloads
from tests.unit.connector.clock import Clock
from tests.unit.connector.payloads import MARKET, NOW_MS, PAIR, Payload
from tests.unit.connector.trader import Trader, eventually, settle
from tests.unit.connector.venue import Answer, Request, Venue, refusal

INSTANCE = "e90c0d6f2b1e"
OWN = f"{utils.client_id_prefix(INSTANCE)}SBCUC6449"
OTHERS = f"{utils.client_id_prefix('of another bot')}BBCUC6450"
BY_CLIENT_ID = "/orders/by_client_id/*"
Make = Callable[..., ParadexPerpetualDerivative]


class Exchange:
    """The account's orders and fills as the venue tells them."""

    def __init__(self, venue: Venue):
        self.open: dict[str, Payload] = {}
        self.fills: list[Payload] = []
        venue.on("GET", "/orders", lambda _: payloads.page(*self.open.values()))
        venue.on("GET", "/orders-history", payloads.page())
        venue.on("GET", "/fills", lambda _: payloads.page(*self.fills))
        venue.on("DELETE", BY_CLIENT_ID, self._cancel)
        for path in ("/positions", "/balance"):
            venue.on("GET", path, payloads.page())
        venue.on("GET", "/account", payloads.account())
        venue.on("GET", "/account/margin", payloads.margin())
        venue.on("GET", "/account/mmp", refusal("NOT_FOUND", 404))

    def put(self, client_id: str, **changes: Any) -> None:
        self.open[client_id] = payloads.order(client_id, id=f"id-{client_id}", created_at=NOW_MS - 60_000, **changes)

    def fill(self, client_id: str, number: str, size: str = "0.2") -> None:
        fill = payloads.fill(client_id, id=number, order_id=f"id-{client_id}", size=size, created_at=NOW_MS - 50_000)
        self.fills.append(fill)

    def _cancel(self, request: Request) -> Answer:
        self.open.pop(request.path.rsplit("/", 1)[-1], None)
        return Answer(204)


@pytest.fixture(autouse=True)
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "conf_client.yml"
    path.write_text(f"tick_size: 1.0\ninstance_id: {INSTANCE}\nlog_level: INFO\n", encoding="utf-8")
    monkeypatch.setattr(hummingbot_settings, "CLIENT_CONFIG_PATH", path)


@pytest.fixture
def account(venue: Venue) -> Exchange:
    return Exchange(venue)


@pytest.fixture
def restarted(account: Exchange, make_exchange: Make, venue: Venue) -> Trader:
    return Trader(make_exchange(), venue)


async def reconcile(trader: Trader) -> None:
    """As after the private stream has started."""
    await trader.hear(CONSTANTS.STREAM_RESUMED, {})
    assert trader.exchange._reconciliation is not None
    await trader.exchange._reconciliation


def warnings(log: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in log.records if record.levelname == "WARNING"]


class TestWhose:
    async def test_a_bot_has_the_same_prefix_after_a_restart_and_another_bot_another(self, make_exchange: Make) -> None:
        first, second = make_exchange(), make_exchange()
        assert first.client_order_id_prefix == second.client_order_id_prefix == utils.client_id_prefix(INSTANCE)
        assert utils.client_id_prefix("another") != first.client_order_id_prefix

    async def test_orders_are_sent_with_it(self, restarted: Trader, venue: Venue) -> None:
        venue.on("POST", "/orders", lambda request: payloads.order(request.body["client_id"]))
        client_id = restarted.submit()
        await eventually(lambda: restarted.created())
        assert client_id.startswith(utils.client_id_prefix(INSTANCE))
        assert venue.asked("POST", "/orders")[0].body["client_id"] == client_id

    @pytest.mark.parametrize("text", [None, "", "instance_id:\n", "log_level: INFO\n"])
    async def test_without_hummingbots_configuration_a_run_is_a_bot_of_its_own(
        self, make_exchange: Make, tmp_path: Path, text: str | None
    ) -> None:
        path = tmp_path / "conf_client.yml"
        path.unlink()
        if text is not None:
            path.write_text(text, encoding="utf-8")
        assert utils.hummingbot_instance_id() is None
        assert make_exchange().client_order_id_prefix != make_exchange().client_order_id_prefix

    @pytest.mark.parametrize("line", ["instance_id: abc", "instance_id: 'abc'", 'instance_id: "abc"  # mine'])
    def test_it_is_read_however_it_is_written(self, tmp_path: Path, line: str) -> None:
        (tmp_path / "conf_client.yml").write_text(line, encoding="utf-8")
        assert utils.hummingbot_instance_id() == "abc"


class TestCancelled:
    async def test_an_order_of_a_killed_run_is_cancelled_and_said(
        self, restarted: Trader, account: Exchange, venue: Venue, log: pytest.LogCaptureFixture
    ) -> None:
        account.put(OWN)
        await reconcile(restarted)
        assert account.open == {}
        (request,) = venue.asked("DELETE", BY_CLIENT_ID)
        assert request.query == {"market": MARKET}
        (text,) = [text for text in warnings(log) if OWN in text]
        assert "never recorded" in text
        assert "It is cancelled." in text
        assert restarted.created() == restarted.cancelled() == []

    async def test_what_was_filled_of_it_is_said(
        self, restarted: Trader, account: Exchange, log: pytest.LogCaptureFixture
    ) -> None:
        account.put(OWN, remaining_size="0.3")
        account.fill(OWN, "1")
        await reconcile(restarted)
        assert account.open == {}
        assert any("0.2 of it were filled" in text for text in warnings(log))
        assert any("1 fills of 1 orders" in text and OWN in text for text in warnings(log))

    async def test_one_that_was_filled_and_closed_before_anybody_looked_is_said_once(
        self, restarted: Trader, account: Exchange, log: pytest.LogCaptureFixture
    ) -> None:
        account.fill(OWN, "1")
        account.fill(OTHERS, "2")
        account.fill(OWN, "3", size="0.1")
        account.fills[-1] |= {"price": "60003", "fee": "0.5"}
        for number in range(12):
            account.fill(f"{OWN}-{number}", f"{10 + number}")
        account.fills[-1]["price"] = "much"
        for _ in range(3):
            await reconcile(restarted)
        (text,) = [text for text in warnings(log) if "not in the history of this strategy" in text]
        asked = restarted.venue.asked("GET", "/fills")
        assert len([request for request in asked if "start_at" not in request.query]) == 1  # for all fills there are
        fee = Decimal(account.fills[0]["fee"]) + Decimal("0.5")
        assert f"{OWN}: 0.3 BTC-USD-PERP at 60001, fee {fee};" in text
        assert all(f"{OWN}-{number}" in text for number in range(12))  # every one of them
        assert OTHERS not in text
        await restarted.hear("fills.ALL", account.fills[0])  # as the next poll tells it again
        assert not any("does not track" in text for text in warnings(log))

    async def test_of_many_of_those_the_newest_are_named(
        self, restarted: Trader, account: Exchange, log: pytest.LogCaptureFixture
    ) -> None:
        """As the first start of another strategy in a busy home finds a thousand."""
        named = CONSTANTS.LOST_ORDERS_NAMED
        for number in reversed(range(named + 2)):  # the newest come first
            account.fill(f"{OWN}-{number}-", f"{10 + number}")
        account.fill(f"{OWN}-0-", "9")
        await reconcile(restarted)
        (text,) = [text for text in warnings(log) if "not in the history of this strategy" in text]
        assert f"{named + 3} fills of {named + 2} orders" in text
        assert [number for number in range(named + 2) if f"{OWN}-{number}-" in text] == list(range(2, named + 2))
        assert "and 2 orders before them" in text

    async def test_recorded_fills_are_no_news(
        self, restarted: Trader, account: Exchange, log: pytest.LogCaptureFixture
    ) -> None:
        account.fill(OWN, "1")
        recorded = TradeFillOrderDetails(restarted.exchange.display_name, "FILL-1", PAIR)
        restarted.exchange.add_trade_fills_from_market_recorder({recorded})
        await reconcile(restarted)
        assert warnings(log) == []

    async def test_neither_are_those_of_orders_that_are_tracked(
        self, restarted: Trader, account: Exchange, log: pytest.LogCaptureFixture
    ) -> None:
        restarted.track(OWN, f"id-{OWN}")
        account.put(OWN, remaining_size="0.3")
        account.fill(OWN, "1")
        await reconcile(restarted)
        assert warnings(log) == []
        assert [event.amount for event in restarted.filled()] == [Decimal("0.2")]

    async def test_a_cancel_that_fails_is_repeated(self, restarted: Trader, account: Exchange, venue: Venue) -> None:
        account.put(OWN)
        venue.on("DELETE", BY_CLIENT_ID, refusal("INTERNAL_ERROR"), account._cancel)
        await reconcile(restarted)
        assert account.open == {}

    async def test_one_that_makes_no_sense_does_not_keep_the_others(
        self, restarted: Trader, account: Exchange, log: pytest.LogCaptureFixture
    ) -> None:
        account.put(f"{OWN}1", size=None)  # can be cancelled all the same
        account.put(f"{OWN}2")
        account.put(f"{OWN}3")
        account.open["without"] = {"client_id": None}
        del account.open[f"{OWN}3"]["market"]
        await reconcile(restarted)
        assert set(account.open) == {f"{OWN}3", "without"}
        assert any(f"{OWN}3 could not be settled yet" in text for text in warnings(log))

    async def test_a_stop_loss_is_adopted_for_a_position_may_need_it(
        self, restarted: Trader, account: Exchange, venue: Venue, log: pytest.LogCaptureFixture
    ) -> None:
        waiting = {"type": "STOP_LOSS_MARKET", "status": "UNTRIGGERED", "trigger_price": "58000", "price": "0"}
        account.put(f"{OWN}1", side="SELL", flags=["REDUCE_ONLY"], **waiting)
        account.put(f"{OWN}2", side="SELL", flags=["REDUCE_ONLY"])  # a quote that closes protects nothing
        account.put(f"{OWN}3", **{**waiting, "type": "STOP_MARKET"})  # opens
        await reconcile(restarted)
        assert set(account.open) == {f"{OWN}1"} == set(restarted.exchange.in_flight_orders)
        order = restarted.exchange.in_flight_orders[f"{OWN}1"]
        assert (order.position, order.price) == (PositionAction.CLOSE, Decimal("58000"))
        assert (order.order_type, order.trade_type) == (OrderType.MARKET, TradeType.SELL)
        assert [event.order_id for event in restarted.created()] == [f"{OWN}1"]
        assert any(f"{OWN}1" in text and "It is adopted." in text for text in warnings(log))

    async def test_tracked_orders_are_left_alone(self, restarted: Trader, account: Exchange, venue: Venue) -> None:
        restarted.track(OWN, f"id-{OWN}")
        account.put(OWN)
        for _ in range(3):
            await reconcile(restarted)
        assert venue.asked("DELETE", "/*") == []

    async def test_an_answer_that_is_older_than_what_the_stream_has_told_proves_nothing(
        self, restarted: Trader, account: Exchange, venue: Venue, clock: Clock
    ) -> None:
        account.put(OWN)
        stale = payloads.page(*account.open.values())
        account.open.clear()
        venue.on("GET", "/orders", stale, payloads.page())
        await reconcile(restarted)
        clock.now += 60
        await reconcile(restarted)
        assert venue.asked("DELETE", "/*") == []


class TestAdopted:
    @pytest.fixture
    def restarted(self, account: Exchange, make_exchange: Make, venue: Venue) -> Trader:
        return Trader(make_exchange(paradex_perpetual_unknown_orders="adopt"), venue)

    async def test_an_order_of_a_killed_run_goes_on_with_its_fills(
        self, restarted: Trader, account: Exchange, venue: Venue
    ) -> None:
        account.put(OWN, side="SELL", instruction="POST_ONLY", remaining_size="0.3", flags=["REDUCE_ONLY"])
        account.fill(OWN, "1")
        for _ in range(2):
            await reconcile(restarted)
        order = restarted.exchange.in_flight_orders[OWN]
        assert (order.trade_type, order.order_type) == (TradeType.SELL, OrderType.LIMIT_MAKER)
        assert (order.amount, order.price) == (Decimal("0.5"), Decimal("60000"))
        assert (order.position, order.exchange_order_id) == (PositionAction.CLOSE, f"id-{OWN}")
        assert [event.order_id for event in restarted.created()] == [OWN]
        assert [event.amount for event in restarted.filled()] == [Decimal("0.2")]
        assert venue.asked("DELETE", "/*") == []
        await restarted.hear("fills.ALL", payloads.fill(OWN, id="2", order_id=f"id-{OWN}", size="0.3"))
        closed = payloads.order(OWN, "CLOSED", id=f"id-{OWN}", remaining_size="0")
        await restarted.hear("orders.ALL", closed)
        await eventually(lambda: restarted.completed())
        assert [event.amount for event in restarted.filled()] == [Decimal("0.2"), Decimal("0.3")]

    async def test_one_in_a_market_that_is_none_of_ours_is_cancelled(
        self, restarted: Trader, account: Exchange
    ) -> None:
        account.put(OWN, market="BTC-USD-100000-C")
        await reconcile(restarted)
        assert account.open == {}


class TestOthers:
    async def test_they_are_shown_and_said_once_and_never_touched(
        self, restarted: Trader, account: Exchange, venue: Venue, log: pytest.LogCaptureFixture
    ) -> None:
        account.put(OTHERS)
        account.put("")
        account.put("by-hand", market="ETH-USD-PERP")
        for _ in range(3):
            await reconcile(restarted)
        assert venue.asked("DELETE", "/*") == venue.asked("POST", "/orders*") == []
        said = [record.getMessage() for record in log.records if "left alone" in record.getMessage()]
        assert len(said) == 1
        assert "3 open orders of this account (BTC-USD-PERP, ETH-USD-PERP)" in said[0]
        assert any("3 open orders" in line for line in restarted.exchange.format_status_lines())
        account.open.clear()
        await reconcile(restarted)
        assert not any("open orders" in line for line in restarted.exchange.format_status_lines())

    async def test_those_without_a_client_id_count_each(self, restarted: Trader, account: Exchange) -> None:
        """As orders that were placed by hand have none."""
        account.put("", market="ETH-USD-PERP")
        account.open |= {name: {**account.open[""], "id": name} for name in ("second", "third")}
        await reconcile(restarted)
        assert "There are 3 open orders of this account (ETH-USD-PERP)" in restarted.exchange.format_status_lines()[-2]

    async def test_a_connector_that_does_not_trade_does_not_look(
        self, account: Exchange, make_exchange: Make, venue: Venue
    ) -> None:
        trader = Trader(make_exchange(trading_required=False), venue)
        account.put(OWN)
        await reconcile(trader)
        assert OWN in account.open


async def test_a_late_fill_of_an_order_that_is_forgotten_is_said_and_one_that_was_counted_is_not(
    restarted: Trader, account: Exchange, log: pytest.LogCaptureFixture
) -> None:
    restarted.track(OWN, f"id-{OWN}")
    counted = payloads.fill(OWN, id="1", order_id=f"id-{OWN}")
    await restarted.hear("fills.ALL", counted)
    await restarted.hear(
        "orders.ALL", payloads.order(OWN, "CLOSED", remaining_size="0.3", cancel_reason="USER_CANCELED")
    )
    restarted.exchange._order_tracker._cached_orders.clear()
    await restarted.hear("fills.ALL", counted, payloads.fill(OWN, id="2", order_id=f"id-{OWN}", size="0.1"))
    await settle()
    assert [event.amount for event in restarted.filled()] == [Decimal("0.2")]
    (text,) = [text for text in warnings(log) if "does not track" in text]
    assert "A fill of 0.1 BTC-USD-PERP" in text
