"""The circuit breaker by itself: when it opens, how it is probed, and when it closes."""

import pytest
from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_constants as CONSTANTS
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_web_utils import CircuitBreaker

PAUSE = 4.0


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def breaker(time: Time, said: list[str]) -> CircuitBreaker:
    return CircuitBreaker(failures=3, window=30, pause=PAUSE, time=time, on_change=said.append)


def fail(breaker: CircuitBreaker, times: int = 3) -> None:
    for _ in range(times):
        breaker.record_failure("HTTP 503")


def probe_until_half_open(breaker: CircuitBreaker) -> None:
    for _ in range(CONSTANTS.BREAKER_PROBES):
        breaker.probe_succeeded()


def test_it_opens_at_the_threshold_and_says_why_and_until_when(breaker: CircuitBreaker, said: list[str]) -> None:
    fail(breaker, 2)
    assert (breaker.state, breaker.refusal, said) == ("closed", None, [])
    fail(breaker, 1)
    assert breaker.state == "open"
    assert breaker.refusal is not None
    assert "3 failures within 30 s, the last: HTTP 503" in breaker.refusal
    assert f"it is asked in {breaker.time_to_probe:.1f} s" in breaker.refusal
    (text,) = said
    assert "The circuit breaker is open" in text
    assert "Cancels go on" in text


def test_failures_further_apart_than_the_window_do_not_count_together(breaker: CircuitBreaker, time: Time) -> None:
    for _ in range(10):
        fail(breaker, 2)
        time.now += 30.1
    assert breaker.state == "closed"


def test_successes_in_between_do_not_hide_repeated_failures(breaker: CircuitBreaker) -> None:
    for _ in range(3):
        breaker.record_success()
        fail(breaker, 1)
    assert breaker.state == "open"


def test_a_threshold_of_zero_never_opens_it(time: Time) -> None:
    breaker = CircuitBreaker(failures=0, window=30, pause=PAUSE, time=time)
    fail(breaker, 1000)
    assert breaker.refusal is None


def test_it_is_said_once_that_it_is_open(breaker: CircuitBreaker, said: list[str]) -> None:
    fail(breaker, 50)
    assert len(said) == 1


def test_the_first_probe_is_due_after_the_pause_with_jitter(breaker: CircuitBreaker, time: Time) -> None:
    fail(breaker)
    assert PAUSE / 2 <= breaker.time_to_probe <= PAUSE
    time.now += PAUSE
    assert breaker.time_to_probe == 0


def test_failing_probes_double_the_pause_up_to_a_bound(breaker: CircuitBreaker) -> None:
    fail(breaker)
    for attempt in range(1, 12):
        breaker.probe_failed()
        pause = min(CONSTANTS.BREAKER_MAXIMUM_PAUSE, PAUSE * 2**attempt)
        assert pause / 2 <= breaker.time_to_probe <= pause
        assert breaker.state == "open"


def test_probes_that_succeed_one_after_the_other_let_orders_pass_on_probation(
    breaker: CircuitBreaker, said: list[str]
) -> None:
    fail(breaker)
    breaker.probe_succeeded()
    assert breaker.time_to_probe == CONSTANTS.BREAKER_PROBE_INTERVAL
    breaker.probe_failed()
    breaker.probe_succeeded()
    assert breaker.refusal is not None
    breaker.probe_succeeded()
    assert (breaker.state, breaker.refusal) == ("half_open", None)
    breaker.record_success()
    assert breaker.state == "closed"
    assert [text.split(":")[0] for text in said] == [
        "The circuit breaker is open",
        "The circuit breaker is half open",
        "The circuit breaker is closed",
    ]


def test_one_failure_on_probation_opens_it_again_for_longer(breaker: CircuitBreaker) -> None:
    fail(breaker)
    probe_until_half_open(breaker)
    fail(breaker, 1)
    assert breaker.refusal is not None
    assert "it failed again: HTTP 503" in breaker.refusal
    assert PAUSE <= breaker.time_to_probe <= 2 * PAUSE


def test_after_a_success_on_probation_it_counts_from_the_start(breaker: CircuitBreaker) -> None:
    fail(breaker)
    probe_until_half_open(breaker)
    breaker.record_success()
    fail(breaker, 2)
    assert breaker.state == "closed"
    fail(breaker, 1)
    assert breaker.state == "open"
    assert PAUSE / 2 <= breaker.time_to_probe <= PAUSE


def test_failures_of_requests_that_were_on_their_way_change_nothing_while_it_is_open(
    breaker: CircuitBreaker, time: Time
) -> None:
    fail(breaker)
    due = breaker.time_to_probe
    fail(breaker, 20)
    breaker.record_success()
    assert (breaker.state, breaker.time_to_probe) == ("open", due)
