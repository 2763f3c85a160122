"""Fixtures: see `venue.py`."""

from collections.abc import Callable

import pytest

from paradex_sandbox.exchange.exchange import Exchange
from tests.unit.sandbox.venue import START, Venue, plain_market


@pytest.fixture
def venue() -> Venue:
    return Venue(Exchange([plain_market()], seed=1, now_us=START))


@pytest.fixture
def make_venue() -> Callable[..., Venue]:
    """A venue whose market differs in some fields."""

    def make(**market_changes: object) -> Venue:
        return Venue(Exchange([plain_market(**market_changes)], seed=1, now_us=START))

    return make
