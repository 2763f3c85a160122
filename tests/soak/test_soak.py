"""The soak in its short form, and the judge of growth that it relies on."""

import random
from pathlib import Path

import pytest

from tests.soak.growth import COUNT_FLOOR, MEBIBYTE, RSS, Verdict, judged, trend, verdict
from tests.soak.soak import Plan, soak


def noisy(slope: float, noise: float, start: float = 1000.0, samples: int = 60) -> list[tuple[float, float]]:
    rng = random.Random(1)
    return [(5.0 * n, start + slope * 5.0 * n + rng.gauss(0, noise)) for n in range(samples)]


def test_noise_and_outliers_are_no_growth() -> None:
    series = noisy(slope=0.0, noise=5.0)
    series[-3:] = [(time, 5000.0) for time, _ in series[-3:]]
    assert not verdict("tasks", series).has_grown


@pytest.mark.parametrize("noise", [0.0, 5.0])
def test_a_steady_growth_is_found_below_the_noise_of_single_samples(noise: float) -> None:
    series = noisy(slope=0.2, noise=noise)
    assert trend(series) == pytest.approx(0.2, abs=0.05)
    assert verdict("tasks", series).has_grown


def test_a_little_is_not_told_apart_from_nothing() -> None:
    assert not verdict("tasks", noisy(slope=0.9 * COUNT_FLOOR / 295, noise=0)).has_grown
    assert not verdict(RSS, noisy(slope=0.02 * MEBIBYTE, noise=0)).has_grown
    assert verdict(RSS, noisy(slope=0.05 * MEBIBYTE, noise=0)).has_grown


async def test_hundreds_of_orders_leave_nothing_behind(tmp_path: Path) -> None:
    """Ten pairs, fifty orders, and what closed half a minute ago is forgotten by the framework too."""
    plan = Plan(seconds=60.0, rate=15.0, interval=1.5, warm_up=38.0, least=(100, 2, 10))
    growing: dict[str, Verdict] = {}
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        report = await soak(plan, folder)
        assert report.differences == []
        grown = {found.name: found for found in judged(report.series) if found.has_grown}
        # What grows because something is left behind grows each time; on a busy machine, anything may once.
        growing = {name: found for name, found in grown.items() if not number or name in growing}
        if not growing:
            break
    assert list(map(str, growing.values())) == []
