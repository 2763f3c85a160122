"""The rate limiter, in time that jumps from timer to timer."""

import asyncio
import functools
import logging
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_web_utils import TokenBucketThrottler
from hummingbot.core.api_throttler.async_throttler_base import AsyncThrottlerBase
from hummingbot.core.api_throttler.data_types import LinkedLimitWeightPair, RateLimit
from hummingbot.core.web_assistant.web_assistants_factory import WebAssistantsFactory

from tests.unit.connector.clock import JumpingLoop, run_jumping
from tests.unit.connector.venue import Answer, Venue

Case = Callable[..., Any]

# Ten a second and sixty a minute for orders, of which new ones are scarcer still; cancels draw from the same two.
LIMITS = [
    RateLimit("second", 10, 1),
    RateLimit("minute", 60, 60),
    RateLimit("new", 5, 10, linked_limits=[LinkedLimitWeightPair("second"), LinkedLimitWeightPair("minute")]),
    RateLimit("cancel", 60, 60, linked_limits=[LinkedLimitWeightPair("second"), LinkedLimitWeightPair("minute")]),
    RateLimit("heavy", 10, 1, linked_limits=[LinkedLimitWeightPair("second", 8)]),
    RateLimit("light", 10, 1, linked_limits=[LinkedLimitWeightPair("second")]),
    RateLimit("free", 1, 1, weight=0, linked_limits=[LinkedLimitWeightPair("second", 0)]),
    RateLimit("other", 10, 1),
]


def jumping(case: Case) -> Case:
    """A test in a loop whose time jumps."""

    @functools.wraps(case)
    def test(*arguments: Any, **fixtures: Any) -> Any:
        return run_jumping(case(*arguments, **fixtures))

    return test


def throttler(margin: float = 0.0, **options: Any) -> TokenBucketThrottler:
    return TokenBucketThrottler(LIMITS, safety_margin_pct=margin, urgent={"cancel"}, **options)


def now() -> float:
    return asyncio.get_running_loop().time() - 1000


async def timed(limiter: TokenBucketThrottler, *limit_ids: str) -> list[tuple[str, float]]:
    """Asks for all at once, in this order; who was admitted when, in seconds."""
    admitted: list[tuple[str, float]] = []

    async def ask(limit_id: str) -> None:
        async with limiter.execute_task(limit_id):
            admitted.append((limit_id, round(now(), 6)))

    await asyncio.gather(*map(ask, limit_ids))
    return admitted


async def times(limiter: TokenBucketThrottler, *limit_ids: str) -> list[float]:
    return [time for _, time in await timed(limiter, *limit_ids)]


class TestBucket:
    @jumping
    async def test_a_burst_leaves_at_once_and_the_rest_as_the_limit_flows_back(self) -> None:
        assert await times(throttler(), *["other"] * 13) == [0] * 10 + [0.1, 0.2, 0.3]

    @jumping
    async def test_what_was_not_used_for_a_while_is_there_again_but_not_more_than_the_limit(self) -> None:
        limiter = throttler()
        await times(limiter, *["other"] * 10)
        await asyncio.sleep(0.5)
        assert await times(limiter, *["other"] * 6) == [0.5] * 5 + [0.6]
        await asyncio.sleep(3599.4)
        assert (await times(limiter, *["other"] * 11))[9:] == [3600, 3600.1]

    @jumping
    async def test_nobody_is_woken_before_there_is_something_for_him(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, JumpingLoop)
        before = loop.timers
        limiter = throttler()
        await times(limiter, *["other"] * 10)
        assert loop.timers == before
        waiting = [asyncio.create_task(limiter.acquire("other")) for _ in range(50)]
        await asyncio.wait(waiting)
        assert now() == pytest.approx(5)
        assert loop.timers - before <= 2 * 50 + 1  # one for each who joins and one for each who leaves

    @jumping
    async def test_a_request_that_weighs_more_than_a_limit_waits_for_the_whole_of_it(self) -> None:
        limiter = TokenBucketThrottler([RateLimit("big", 10, 1, weight=25)], safety_margin_pct=0.05)
        assert await times(limiter, "big", "big", "big") == [0, 2.5, 5]

    @jumping
    async def test_a_request_without_weight_never_waits(self) -> None:
        limiter = throttler()
        assert await times(limiter, *["second"] * 11, "free") == [0] * 11 + [0.1]

    @jumping
    async def test_a_limit_that_nobody_knows_is_a_mistake_that_is_said(self) -> None:
        with pytest.raises(ValueError, match="no rate limit 'unheard of'"):
            await throttler().acquire("unheard of")


class TestLinkedLimits:
    @jumping
    async def test_a_request_counts_in_all_of_its_limits(self) -> None:
        limiter = throttler()
        assert await times(limiter, *["new"] * 5) == [0] * 5
        assert await times(limiter, *["second"] * 6) == [0] * 5 + [0.1]

    @jumping
    async def test_the_scarcest_decides(self) -> None:
        assert await times(throttler(), *["new"] * 7) == [0] * 5 + [2, 4]
        assert (await times(throttler(), *["minute"] * 60, *["new"] * 3))[60:] == [5, 6, 7]

    @jumping
    async def test_who_waits_for_one_limit_takes_nothing_from_the_others_meanwhile(self) -> None:
        limiter = throttler()
        waiting = asyncio.create_task(times(limiter, *["new"] * 8))
        await asyncio.sleep(0)
        assert await times(limiter, *["second"] * 5) == [0] * 4 + [0.1]  # one is set aside for the first who waits
        assert await waiting == [0] * 5 + [2, 4, 6]

    @jumping
    async def test_requests_of_other_limits_pass(self) -> None:
        limiter = throttler()
        waiting = asyncio.create_task(times(limiter, *["new"] * 8))
        assert await times(limiter, *["other"] * 3) == [0, 0, 0]
        await waiting


class TestFairness:
    @jumping
    async def test_first_come_first_served_among_equals(self) -> None:
        limiter = throttler()
        order: list[int] = []

        async def ask(number: int) -> None:
            await limiter.acquire("other")
            order.append(number)

        await asyncio.gather(*map(ask, range(100)))
        assert order == list(range(100))

    @jumping
    async def test_and_among_those_who_share_a_limit(self) -> None:
        kinds = ["light", "second", "cancel", "second", "light"] * 4
        limiter = TokenBucketThrottler(LIMITS, safety_margin_pct=0)
        await times(limiter, *["second"] * 10)
        admitted = await timed(limiter, *kinds)
        assert [kind for kind, _ in admitted] == kinds
        assert [time for _, time in admitted] == [round(0.1 * (i + 1), 6) for i in range(20)]

    @jumping
    async def test_a_heavy_request_is_not_starved_by_light_ones_that_come_later(self) -> None:
        limiter = throttler()
        await times(limiter, *["second"] * 10)
        admitted = await timed(limiter, "heavy", *["light"] * 20)
        assert admitted[0] == ("heavy", 0.8)
        assert admitted[1] == ("light", 0.9)

    @jumping
    async def test_who_comes_while_others_wait_does_not_get_past_them(self) -> None:
        limiter = throttler()
        await times(limiter, *["other"] * 10)
        first = asyncio.create_task(times(limiter, "other", "other"))
        await asyncio.sleep(0.1)  # the first is admitted at this moment
        assert await times(limiter, "other") == [0.3]
        assert await first == [0.1, 0.2]


class TestUrgent:
    @jumping
    async def test_a_cancel_goes_before_all_new_orders_that_wait(self) -> None:
        limiter = throttler()
        await times(limiter, *["second"] * 10)
        admitted = await timed(limiter, *["light"] * 1000, "cancel", "cancel")
        assert [kind for kind, _ in admitted[:3]] == ["cancel", "cancel", "light"]
        assert [time for _, time in admitted[:3]] == [0.1, 0.2, 0.3]

    @jumping
    async def test_what_new_orders_leave_is_there_for_cancels_at_once(self) -> None:
        limiter = throttler(margin=0.2)
        assert await times(limiter, *["second"] * 9) == [0] * 8 + [0.1]
        assert await times(limiter, *["cancel"] * 3) == [0.1, 0.1, 0.2]

    @jumping
    async def test_after_that_new_orders_wait_until_it_is_left_again(self) -> None:
        limiter = throttler(margin=0.2)
        await times(limiter, *["second"] * 8, *["cancel"] * 2)
        assert await times(limiter, "second") == [0.3]

    @jumping
    async def test_retail_orders_that_wait_for_a_day_do_not_keep_a_cancel_waiting(self) -> None:
        limiter = web_utils.create_throttler(CONSTANTS.ORDER_CLASS_RETAIL)
        waiting = [asyncio.create_task(limiter.acquire(CONSTANTS.SUBMIT_LIMIT)) for _ in range(1200)]
        await asyncio.sleep(0)
        assert await times(limiter, *[CONSTANTS.CANCEL_LIMIT] * 100) == [0] * 100
        for task in waiting:
            task.cancel()


class TestGivingUp:
    @jumping
    async def test_the_place_of_one_who_gives_up_goes_to_the_next(self) -> None:
        limiter = throttler()
        await times(limiter, *["second"] * 10)
        heavy = asyncio.create_task(limiter.acquire("heavy"))
        light = asyncio.create_task(times(limiter, "light"))
        await asyncio.sleep(0.15)
        heavy.cancel()
        assert await light == [0.15]

    @jumping
    async def test_what_was_given_to_one_who_no_longer_wants_it_is_given_back(self) -> None:
        limiter = throttler()
        await times(limiter, *["other"] * 10)
        waiting = asyncio.create_task(limiter.acquire("other"))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.1 + 1e-10, waiting.cancel)  # after its admission, before it has run
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await times(limiter, "other") == [0.1]

    @jumping
    async def test_thousands_who_give_up_leave_nothing_behind(self) -> None:
        limiter = throttler()
        waiting = [asyncio.create_task(limiter.acquire("new")) for _ in range(2000)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert limiter._queues == {}
        await asyncio.sleep(10)
        assert await times(limiter, *["new"] * 5) == [10] * 5


class Exchange:
    """A bucket at the other end of the line, which requests reach late and not all equally late."""

    def __init__(self, limit: int, interval: float):
        self.limit, self.rate, self.level, self.at = limit, limit / interval, float(limit), 0.0

    def take(self, at: float) -> bool:
        self.level = min(self.limit, self.level + (at - self.at) * self.rate)
        self.at = at
        self.level -= 1
        return self.level >= -1e-6


@pytest.mark.parametrize(("limit", "interval"), [(800, 1), (3, 1), (30, 60), (17250, 60)])
@pytest.mark.parametrize("seed", range(5))
def test_delays_that_differ_by_the_margin_never_break_the_limit(limit: int, interval: float, seed: int) -> None:
    async def send() -> list[float]:
        limiter = TokenBucketThrottler([RateLimit("it", limit, interval)])
        sent = []
        for _ in range(int(min(2.5 * limit + 20, 4000))):
            await limiter.acquire("it")
            sent.append(now())
            if dice.random() < 0.01:
                await asyncio.sleep(dice.random() * interval)
        return sent

    dice = random.Random(seed)
    arrivals = sorted(at + dice.random() * CONSTANTS.LIMIT_MARGIN * interval for at in run_jumping(send()))
    exchange = Exchange(limit, interval)
    assert all(exchange.take(at) for at in arrivals)


class TestCost:
    @pytest.mark.parametrize("sent", [10, 10_000])
    @pytest.mark.parametrize("waiting", [0, 10, 10_000])
    def test_a_request_costs_the_same_however_many_were_sent_or_wait(
        self, sent: int, waiting: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        limiter = web_utils.create_throttler()
        looked_at = 0
        left = web_utils._Bucket.left

        def counted(bucket: web_utils._Bucket, at: float) -> float:
            nonlocal looked_at
            looked_at += 1
            return left(bucket, at)

        async def ask() -> int:
            nonlocal looked_at
            await asyncio.gather(*(limiter.acquire(CONSTANTS.SUBMIT_LIMIT) for _ in range(sent)))
            limiter.refused(CONSTANTS.SUBMIT_LIMIT, 1 if waiting else 0)
            others = [asyncio.create_task(limiter.acquire(CONSTANTS.SUBMIT_LIMIT)) for _ in range(waiting)]
            await asyncio.sleep(0)
            monkeypatch.setattr(web_utils._Bucket, "left", counted)
            await asyncio.gather(*(limiter.acquire(CONSTANTS.CANCEL_LIMIT) for _ in range(10)))
            asked, looked_at = looked_at, 0
            for task in others:
                task.cancel()
            return asked

        assert run_jumping(ask()) / 10 <= 30


class TestShare:
    @jumping
    async def test_a_bot_keeps_to_its_share_of_the_limits(self) -> None:
        assert await times(throttler(limits_share_percentage=Decimal(30)), *["other"] * 4) == [0, 0, 0, 0.333333]

    @jumping
    async def test_however_small_the_share_one_request_is_allowed(self) -> None:
        assert await times(throttler(0.05, limits_share_percentage=Decimal(1)), "other", "other") == [0, 1]

    async def test_the_connector_uses_it_with_the_share_of_the_settings(
        self, make_exchange: Callable[..., ParadexPerpetualDerivative]
    ) -> None:
        exchange = make_exchange(rate_limits_share_pct=Decimal(50), paradex_perpetual_order_class="retail")
        limiter = exchange.throttler
        assert isinstance(limiter, TokenBucketThrottler)
        assert isinstance(limiter, AsyncThrottlerBase)
        assert limiter._buckets[CONSTANTS.ORDERS_SECOND_POOL].limit == 400
        assert limiter._buckets[CONSTANTS.RETAIL_DAY_POOL].limit == 500
        assert exchange._web_assistants_factory.throttler is limiter
        assert exchange._orderbook_ds._api_factory.throttler is limiter


class TestRetail:
    @jumping
    async def test_no_window_is_exceeded_from_a_second_to_a_day(self) -> None:
        limiter = web_utils.create_throttler(CONSTANTS.ORDER_CLASS_RETAIL)
        sent = []
        for _ in range(1100):
            await limiter.acquire(CONSTANTS.SUBMIT_LIMIT)
            sent.append(now())
        for limit, seconds in ((3, 1), (30, 60), (300, 3600), (1000, 86400)):
            exchange = Exchange(limit, seconds)
            assert all(exchange.take(at) for at in sent), limit


class TestWhatTheExchangeSays:
    @staticmethod
    def headers(remaining: object, limit: object = 10, window: object = 1, **more: str) -> dict[str, str]:
        said = {"X-RateLimit-Limit": limit, "X-RateLimit-Remaining": remaining, "X-RateLimit-Window": window}
        return {name: str(value) for name, value in (said | more).items()}

    @jumping
    async def test_what_others_of_the_account_have_used_is_gone_for_us_too(self) -> None:
        limiter = throttler()
        limiter.observe("cancel", 200, self.headers(remaining=2))
        assert await times(limiter, *["second"] * 4) == [0, 0, 0.1, 0.2]

    @jumping
    async def test_more_than_we_have_counted_is_not_believed_for_requests_are_still_on_their_way(self) -> None:
        limiter = throttler()
        await times(limiter, *["second"] * 10)
        limiter.observe("cancel", 200, self.headers(remaining=9))
        assert await times(limiter, "second") == [0.1]

    @jumping
    async def test_it_is_about_the_limit_of_the_same_size_and_time(self) -> None:
        limiter = throttler()
        limiter.observe("cancel", 200, self.headers(remaining=1, limit=60, window=60))
        assert await times(limiter, *["second"] * 10) == [0] * 10
        assert await times(limiter, *["minute"] * 2) == [0, 1]

    @jumping
    async def test_a_lower_limit_than_the_documented_one_is_kept_and_so_is_its_end(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        limiter = throttler()
        limiter.observe("cancel", 200, self.headers(remaining=5, limit=5))
        assert await times(limiter, *["second"] * 7) == [0] * 5 + [0.2, 0.4]
        limiter.observe("cancel", 200, self.headers(remaining=10))
        assert await times(limiter, *["second"] * 6) == [0.4] * 5 + [0.5]
        assert caplog.text.count("Paradex allows") == 2

    @jumping
    async def test_a_bot_keeps_to_its_share_of_a_limit_that_has_changed(self) -> None:
        limiter = throttler(limits_share_percentage=Decimal(50))
        limiter.observe("cancel", 200, self.headers(remaining=4, limit=4))
        assert await times(limiter, *["second"] * 4) == [0, 0, 0.5, 1]

    @jumping
    async def test_a_higher_limit_may_be_another_one_and_changes_nothing(self) -> None:
        limiter = throttler()
        limiter.observe("cancel", 200, self.headers(remaining=1400, limit=1500))
        assert (await times(limiter, *["second"] * 11))[10] == 0.1

    @pytest.mark.parametrize("nonsense", ["", "many", "-1", "1.5", "٣٤x"])
    async def test_nonsense_is_passed_over(self, nonsense: str) -> None:
        limiter = throttler()
        limiter.observe("cancel", 200, dict.fromkeys(self.headers(0), nonsense))
        limiter.observe("cancel", 200, {})
        assert limiter.would_admit("second")

    @jumping
    async def test_after_a_refusal_nothing_leaves_until_the_exchange_says_so(self) -> None:
        limiter = throttler()
        limiter.observe("light", 429, {"Retry-After": "7"})
        assert await times(limiter, "other", "second", "light", "new") == [0, 7, 7.1, 7.2]

    @jumping
    async def test_a_refusal_that_names_the_limit_holds_up_only_what_draws_from_it(self) -> None:
        limiter = throttler()
        limiter.observe("cancel", 429, self.headers(0, limit=60, window=60) | {"Retry-After": "7"})
        assert await times(limiter, "second", "cancel") == [0, 7]

    @jumping
    async def test_a_refusal_that_says_nothing_costs_a_second(self) -> None:
        limiter = throttler()
        limiter.refused("light")
        assert await times(limiter, "light") == [CONSTANTS.REFUSAL_PAUSE]

    @jumping
    async def test_a_refusal_while_others_wait_holds_them_up_too(self) -> None:
        limiter = throttler()
        waiting = asyncio.create_task(times(limiter, *["second"] * 11))
        await asyncio.sleep(0.05)
        limiter.refused("second", 5)
        assert (await waiting)[10] == 5.05

    async def test_every_answer_of_the_api_is_heard(self, venue: Venue, api_factory: WebAssistantsFactory) -> None:
        limiter = api_factory.throttler
        assert isinstance(limiter, TokenBucketThrottler)
        headers = self.headers(0, limit=800, window=1)
        venue.on("POST", "/orders", Answer(201, {"id": "1"}, headers=headers), Answer(429, {}, headers=headers))

        async def ask() -> None:
            await web_utils.api_request(
                api_factory,
                "/orders",
                domain=CONSTANTS.SANDBOX_DOMAIN,
                method=web_utils.RESTMethod.POST,
                limit_id=CONSTANTS.ADMITTED_LIMIT,
            )

        def left() -> float:
            bucket = limiter._buckets[CONSTANTS.ORDERS_SECOND_POOL]
            return bucket.left(bucket._updated_at)  # when the answer was heard: it flows back within a second

        await ask()
        assert left() < 400
        with pytest.raises(web_utils.RateLimitedError):
            await ask()
        assert left() < 0


class TestChangingTheLimits:
    @jumping
    async def test_what_has_been_used_still_counts(self) -> None:
        limiter = throttler()
        await times(limiter, *["other"] * 10)
        limiter.set_rate_limits([RateLimit("other", 20, 1)])
        assert await times(limiter, *["other"] * 11) == [0] * 10 + [0.05]

    @jumping
    async def test_who_waits_is_admitted_by_the_new_limits_or_told_that_there_are_none(self) -> None:
        limiter = throttler()
        waiting = asyncio.create_task(times(limiter, *["other"] * 11))
        lost = asyncio.create_task(times(limiter, *["second"] * 11))
        await asyncio.sleep(0.01)
        limiter.set_rate_limits([RateLimit("other", 20, 1)])
        assert (await waiting)[10] == 0.01
        with pytest.raises(ValueError, match="any more"):
            await lost

    @jumping
    async def test_limits_can_be_added(self) -> None:
        limiter = throttler(limits_share_percentage=Decimal(50))
        limiter.add_rate_limits([RateLimit("more", 4, 1, linked_limits=[LinkedLimitWeightPair("other")])])
        limiter.add_rate_limits([RateLimit("other", 1000, 1)])  # is there already
        assert (await times(limiter, *["more"] * 3))[2] == 0.5
        assert (await times(limiter, *["other"] * 5))[4] > 0.5


class TestNotice:
    @jumping
    async def test_a_long_wait_is_said_once(self, caplog: pytest.LogCaptureFixture) -> None:
        limiter = throttler()
        await times(limiter, *["new"] * 12)
        (record,) = [record for record in caplog.records if "used up" in record.message]
        assert record.levelname == "WARNING"
        assert "limit of 5 requests in 10 s (new)" in record.message

    @jumping
    async def test_a_short_one_is_not_worth_a_word(self, caplog: pytest.LogCaptureFixture) -> None:
        await times(throttler(), *["other"] * 30)
        assert "used up" not in caplog.text
