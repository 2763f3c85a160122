"""What a benchmark prints."""

import json

import pytest

from benchmarks._report import Figure, as_json, percentile, print_report, table
from benchmarks.sandbox import slope


def test_the_median_stands_for_the_repeats_and_is_held_against_the_aim() -> None:
    fast = Figure("fast", "orders", "/s", (900.0, 100.0, 500.0), aim=400.0)
    assert (fast.median, fast.reached) == (500.0, True)
    slow = Figure("slow", "orders", "/s", (300.0,), aim=400.0)
    assert slow.reached is False
    small = Figure("small", "growth", "MiB", (3.0,), aim=10.0, lower_is_better=True)
    assert small.reached is True
    assert Figure("any", "memory", "MiB", (1.0,)).reached is None


def test_the_table_says_what_was_reached_and_how_far_the_repeats_lie_apart() -> None:
    lines = table([Figure("rate", "orders", "/s", (1234.5, 1500.0, 1000.0), aim=400.0)]).splitlines()
    assert lines[2] == "| orders | 1 234 /s | 1 000 … 1 500 | ≥ 400 | reached |"
    (line,) = table([Figure("growth", "growth", "MiB", (12.34,), aim=10.0, lower_is_better=True)]).splitlines()[2:]
    assert line == "| growth | 12.3 MiB |  | ≤ 10.0 | missed |"
    (line,) = table([Figure("ratio", "theirs to ours", "x", (0.9961,), aim=1.0)]).splitlines()[2:]
    assert line == "| theirs to ours | 0.9961 x |  | ≥ 1.00 | missed |"


def test_the_json_is_flat_and_comes_last(capsys: pytest.CaptureFixture[str]) -> None:
    figures = [Figure("rate", "orders", "/s", (1.0, 3.0, 2.0)), Figure("memory", "memory", "MiB", (7.0,))]
    print_report("Something", figures)
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last == json.loads(as_json(figures))
    assert last.items() >= {"rate": 2.0, "rate_min": 1.0, "rate_max": 3.0, "memory": 7.0}.items()
    assert "memory_min" not in last
    assert all(isinstance(value, str | int | float) for value in last.values())


@pytest.mark.parametrize(("share", "value"), [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0), (0.0, 1.0)])
def test_percentiles(share: float, value: float) -> None:
    assert percentile([float(number) for number in range(100, 0, -1)], share) == value


def test_the_slope_is_that_of_the_best_line() -> None:
    assert slope([1.0, 3.0, 5.0, 7.0]) == 2.0
    assert slope([4.0, 4.0, 4.0]) == 0.0
    assert slope([1.0]) == 0.0
