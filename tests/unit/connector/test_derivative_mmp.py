"""Market-maker protection: how it is set, and how its freezes become known."""

from decimal import Decimal
from typing import Any

import pytest
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_utils as utils,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative

from tests.unit.connector import payloads
from tests.unit.connector.clock import Clock
from tests.unit.connector.payloads import ETH_PAIR, NOW, NOW_MS, PAIR, Payload
from tests.unit.connector.trader import Trader, eventually
from tests.unit.connector.venue import Answer, Venue, refusal

STREAM_RESUMED = "stream_resumed"
TRIGGERED = "Market-maker protection has been triggered"
LIFTED = "Market-maker protection lets orders of BTC-USDC pass again."


def stored(base_asset: str = "BTC", **changes: Any) -> Payload:
    """A config as `GET /account/mmp` shows it."""
    return {
        "base_asset": base_asset,
        "interval_ms": 1000,
        "frozen_time_ms": 5000,
        "size_limit": "0.5",
        "delta_limit": "0",
        "vega_limit": "0",
        "protect_block_trades": False,
        "updated_at": NOW_MS,
        "is_frozen": False,
        "frozen_until": 0,
        "window_size": "0.1",
        "window_delta": "-0.1",
        "window_vega": "0",
        **changes,
    }


def configurations(*entries: Payload) -> Payload:
    return {"account": payloads.ADDRESS, "enabled": True, "results": list(entries)}


def event(kind: str, base_asset: str = "BTC", **changes: Any) -> Payload:
    """A message of the `mmp` channel."""
    return {
        "account": payloads.ADDRESS,
        "base_asset": base_asset,
        "kind": kind,
        "frozen_until": 0,
        "created_at": NOW_MS,
        **changes,
    }


def tripped(after: float = 5.0, **changes: Any) -> Payload:
    return event("TRIGGERED", frozen_until=int((NOW + after) * 1e3), trip_reason="SIZE", **changes)


def said(log: pytest.LogCaptureFixture, text: str) -> list[str]:
    return [record.getMessage() for record in log.records if text in record.getMessage()]


class TestSetting:
    async def test_a_configuration_is_replaced_as_a_whole(
        self, venue: Venue, exchange: ParadexPerpetualDerivative
    ) -> None:
        venue.on("POST", "/account/mmp/BTC", stored())

        shown = await exchange.configure_mmp(PAIR, interval_ms=1000, frozen_time_ms=0, size_limit=Decimal("1E+1"))

        (request,) = venue.asked("POST", "/account/mmp/BTC")
        assert request.body == {
            "interval_ms": 1000,
            "frozen_time_ms": 0,
            "size_limit": "10",
            "delta_limit": "0",
            "vega_limit": "0",
        }
        assert (shown.base_asset, shown.size_limit, shown.window_delta) == ("BTC", Decimal("0.5"), Decimal("-0.1"))

    async def test_block_trades_are_left_as_they_are_unless_it_is_said(
        self, venue: Venue, exchange: ParadexPerpetualDerivative
    ) -> None:
        venue.on("POST", "/account/mmp/BTC", stored())
        await exchange.configure_mmp(
            PAIR, interval_ms=100, frozen_time_ms=1, delta_limit=Decimal(1), protect_block_trades=False
        )
        assert venue.asked("POST", "/account/mmp/BTC")[0].body["protect_block_trades"] is False

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"interval_ms": 99}, "interval_ms is a whole number from 100 to 3600000 milliseconds, not 99."),
            ({"interval_ms": 3_600_001}, "interval_ms is a whole number from 100 to 3600000"),
            ({"interval_ms": 1000.0}, "interval_ms is a whole number"),
            ({"interval_ms": True}, "interval_ms is a whole number"),
            ({"frozen_time_ms": -1}, "frozen_time_ms is a whole number from 0 to 3600000 milliseconds, not -1."),
            ({"size_limit": Decimal("-1")}, "size_limit is 0 or a positive multiple of 0.0001, not -1."),
            ({"size_limit": Decimal("0.00015")}, "size_limit is 0 or a positive multiple of 0.0001"),
            ({"delta_limit": Decimal("NaN")}, "delta_limit is 0 or a positive multiple"),
            ({"vega_limit": Decimal("Infinity")}, "vega_limit is 0 or a positive multiple"),
            ({"size_limit": Decimal(0)}, "One limit at least has to be above 0"),
        ],
    )
    async def test_what_the_exchange_would_refuse_is_refused_before_it_is_sent(
        self, venue: Venue, exchange: ParadexPerpetualDerivative, changes: dict[str, Any], sentence: str
    ) -> None:
        with pytest.raises(ValueError, match=sentence.split()[0]) as refused:
            await exchange.configure_mmp(
                PAIR, **{"interval_ms": 1000, "frozen_time_ms": 1000, "size_limit": Decimal(1), **changes}
            )
        assert sentence in str(refused.value)
        assert not venue.asked("POST", "/account/mmp/*")

    async def test_a_pair_that_is_none_is_refused_with_advice(self, exchange: ParadexPerpetualDerivative) -> None:
        with pytest.raises(ValueError, match="use BTC-USDC instead"):
            await exchange.reset_mmp("BTC-USD")

    async def test_an_account_that_may_not_use_it_is_told(
        self, venue: Venue, exchange: ParadexPerpetualDerivative
    ) -> None:
        venue.on("POST", "/account/mmp/BTC", refusal("MMP_NOT_ENABLED", 403))
        with pytest.raises(web_utils.ApiError, match="MMP_NOT_ENABLED"):
            await exchange.configure_mmp(PAIR, interval_ms=1000, frozen_time_ms=0, size_limit=Decimal(1))

    async def test_the_configuration_of_a_pair_can_be_read(
        self, venue: Venue, exchange: ParadexPerpetualDerivative
    ) -> None:
        venue.on("GET", "/account/mmp", configurations(stored(is_frozen=True, frozen_until=NOW_MS)), configurations())

        shown = await exchange.mmp_configuration(PAIR)

        assert shown == utils.MmpConfiguration(
            base_asset="BTC",
            interval_ms=1000,
            frozen_time_ms=5000,
            size_limit=Decimal("0.5"),
            delta_limit=Decimal(0),
            vega_limit=Decimal(0),
            protect_block_trades=False,
            is_frozen=True,
            frozen_until=NOW,
            window_size=Decimal("0.1"),
            window_delta=Decimal("-0.1"),
        )
        assert venue.asked("GET", "/account/mmp")[0].query == {"base_asset": "BTC"}
        assert await exchange.mmp_configuration(PAIR) is None

    async def test_right_after_a_change_the_state_is_not_told(
        self, venue: Venue, exchange: ParadexPerpetualDerivative
    ) -> None:
        entry = {name: value for name, value in stored().items() if not name.startswith(("is_", "frozen_u", "window"))}
        venue.on("GET", "/account/mmp", configurations(entry))
        shown = await exchange.mmp_configuration(PAIR)
        assert shown is not None
        assert (shown.is_frozen, shown.frozen_until, shown.window_size) == (None, None, None)

    async def test_it_is_turned_off(self, venue: Venue, trader: Trader) -> None:
        venue.on("DELETE", "/account/mmp/BTC", Answer(204))
        await trader.hear("mmp", tripped())
        await trader.exchange.remove_mmp(PAIR)
        assert len(venue.asked("DELETE", "/account/mmp/BTC")) == 1
        assert trader.exchange.mmp_frozen == {}


class TestFreezes:
    async def test_a_freeze_is_known_from_the_stream_and_said_once(
        self, trader: Trader, log: pytest.LogCaptureFixture
    ) -> None:
        await trader.hear("mmp", tripped(), tripped())
        assert trader.exchange.mmp_frozen == {PAIR: NOW + 5}
        (sentence,) = said(log, TRIGGERED)
        assert "by the SIZE limit" in sentence
        assert "BTC-USDC and refuses new ones for 5.0 s" in sentence

    async def test_one_that_lasts_until_a_reset_has_no_end(
        self, trader: Trader, clock: Clock, log: pytest.LogCaptureFixture
    ) -> None:
        await trader.hear("mmp", event("TRIGGERED", trip_reason="DELTA"))
        await clock.sleep(1e6)
        assert trader.exchange.mmp_frozen == {PAIR: 0}
        assert "until reset_mmp() is called" in said(log, TRIGGERED)[0]

    @pytest.mark.parametrize("end", [event("UNFROZEN"), event("RESET"), event("CONFIG_UPDATED", removed=True)])
    async def test_its_end_is_known_and_said_once(
        self, trader: Trader, log: pytest.LogCaptureFixture, end: Payload
    ) -> None:
        await trader.hear("mmp", tripped(), end, end)
        assert trader.exchange.mmp_frozen == {}
        assert said(log, LIFTED) == [LIFTED]

    async def test_a_new_configuration_does_not_lift_it(self, trader: Trader) -> None:
        await trader.hear("mmp", tripped(), event("CONFIG_UPDATED", config=stored()), event("SOMETHING_NEW"))
        assert trader.exchange.mmp_frozen == {PAIR: NOW + 5}

    async def test_a_strategy_can_show_it(self, trader: Trader) -> None:
        await trader.hear("mmp", tripped())
        assert "Frozen by market-maker protection: BTC-USDC" in trader.exchange.format_status_lines()
        await trader.hear("mmp", event("UNFROZEN"))
        assert not [line for line in trader.exchange.format_status_lines() if "Frozen" in line]

    async def test_base_assets_freeze_by_themselves(self, trader: Trader) -> None:
        await trader.hear("mmp", tripped(), tripped(7, base_asset="ETH"), event("UNFROZEN"))
        assert trader.exchange.mmp_frozen == {ETH_PAIR: NOW + 7}

    async def test_it_is_over_when_its_time_is(self, trader: Trader, clock: Clock) -> None:
        await trader.hear("mmp", tripped(5))
        await clock.sleep(5)
        assert trader.exchange.mmp_frozen == {}

    async def test_a_reset_lifts_what_the_exchange_says_it_did(self, venue: Venue, trader: Trader) -> None:
        venue.on("POST", "/account/mmp/reset", {"results": [{"base_asset": "BTC", "reset_at": NOW_MS}]})
        await trader.hear("mmp", tripped(), tripped(base_asset="ETH"))

        await trader.exchange.reset_mmp(PAIR)
        await trader.exchange.reset_mmp()

        assert [request.body for request in venue.asked("POST", "/account/mmp/reset")] == [{"base_asset": "BTC"}, {}]
        assert list(trader.exchange.mmp_frozen) == [ETH_PAIR]

    async def test_a_reset_that_is_too_early_is_refused_and_the_freeze_goes_on(
        self, venue: Venue, trader: Trader
    ) -> None:
        venue.on("POST", "/account/mmp/reset", refusal("MMP_MIN_FREEZE_NOT_ELAPSED"))
        await trader.hear("mmp", tripped())
        with pytest.raises(web_utils.ApiError, match="MMP_MIN_FREEZE_NOT_ELAPSED"):
            await trader.exchange.reset_mmp(PAIR)
        assert PAIR in trader.exchange.mmp_frozen


class TestWithoutTheChannel:
    """Freezes of the time before the start, and on accounts whose stream does not tell."""

    async def test_a_freeze_from_before_the_start_is_found(self, venue: Venue, trader: Trader) -> None:
        venue.on("GET", "/account/mmp", configurations(stored(is_frozen=True, frozen_until=0), stored("ETH")))
        await trader.hear(STREAM_RESUMED, {})
        await eventually(lambda: trader.exchange.mmp_frozen == {PAIR: 0})

    async def test_its_end_is_found_by_asking(
        self, venue: Venue, trader: Trader, clock: Clock, log: pytest.LogCaptureFixture
    ) -> None:
        await trader.hear("mmp", tripped(0.5))
        await clock.sleep(1)
        venue.on("GET", "/account/mmp", configurations(stored()))
        await trader.exchange._status_polling_loop_fetch_updates()
        assert said(log, LIFTED) == [LIFTED]
        before = len(venue.asked("GET", "/account/mmp"))
        await trader.exchange._status_polling_loop_fetch_updates()
        assert len(venue.asked("GET", "/account/mmp")) == before

    async def test_an_answer_from_before_a_freeze_does_not_lift_it(self, venue: Venue, trader: Trader) -> None:
        def freezes_meanwhile(_: Any) -> Payload:
            trader.exchange._process_user_event("mmp", tripped())
            return configurations(stored(is_frozen=False))

        venue.on("GET", "/account/mmp", freezes_meanwhile)
        await trader.exchange._update_mmp()
        assert PAIR in trader.exchange.mmp_frozen

    @pytest.mark.parametrize("reason", ["MMP_TRIGGERED", "MMP_FROZEN"])
    async def test_an_order_cancelled_or_refused_by_a_freeze_has_it_looked_up(
        self, venue: Venue, trader: Trader, reason: str
    ) -> None:
        venue.on("GET", "/account/mmp", refusal("NOT_FOUND", 404))
        await trader.exchange._look_for_mmp_freezes()
        venue.on("GET", "/account/mmp", configurations(stored(is_frozen=True)))
        order = trader.track()
        closed = payloads.order(order.client_order_id, status="CLOSED", cancel_reason=reason)

        await trader.hear("orders.ALL", closed)

        await eventually(lambda: trader.exchange.mmp_frozen == {PAIR: 0})

    async def test_an_exchange_that_does_not_answer_is_asked_again(self, venue: Venue, trader: Trader) -> None:
        venue.on("GET", "/account/mmp", refusal("SERVICE_UNAVAILABLE", 503), {"results": [{}]}, configurations())
        for _ in range(4):
            await trader.exchange._look_for_mmp_freezes()
        assert len(venue.asked("GET", "/account/mmp")) == 3

    @pytest.mark.parametrize("status", [400, 403, 404])
    async def test_an_account_that_may_not_have_it_is_asked_once(
        self, venue: Venue, trader: Trader, status: int
    ) -> None:
        venue.on("GET", "/account/mmp", refusal("NOT_FOR_YOU", status))
        for _ in range(2):
            await trader.exchange._look_for_mmp_freezes()
        assert len(venue.asked("GET", "/account/mmp")) == 1

    async def test_an_account_without_it_is_asked_once(self, venue: Venue, trader: Trader) -> None:
        venue.on("GET", "/account/mmp", configurations())
        await trader.exchange._look_for_mmp_freezes()
        await trader.exchange._look_for_mmp_freezes()
        assert len(venue.asked("GET", "/account/mmp")) == 1


class TestOrders:
    async def test_one_cancelled_by_a_freeze_ends_cancelled(self, trader: Trader) -> None:
        order = trader.track()
        await trader.hear(
            "orders.ALL",
            payloads.order(order.client_order_id),
            payloads.order(order.client_order_id, status="CLOSED", cancel_reason="MMP_TRIGGERED"),
        )
        assert [cancelled.order_id for cancelled in trader.cancelled()] == [order.client_order_id]

    @pytest.mark.parametrize("reason", ["MMP_FROZEN", "MMP_NOT_CONFIGURED", "MMP_GREEKS_UNAVAILABLE"])
    async def test_one_that_is_refused_fails_with_the_reason(self, trader: Trader, reason: str) -> None:
        order = trader.track()
        await trader.hear("orders.ALL", payloads.order(order.client_order_id, status="CLOSED", cancel_reason=reason))
        (failed,) = trader.failed()
        assert failed.order_id == order.client_order_id
        assert reason in failed.error_message
