"""What all tests share."""

import asyncio
import sys
import unittest
from collections.abc import Awaitable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import benchmarks  # noqa: F401 (before Hummingbot puts site-packages first, where another distribution's is)

# The same examples in each run, however long they take: `make test` fails for what was changed, not by chance and not
# because a machine is busy. Others are looked for with --hypothesis-profile default.
settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("same")


@pytest.fixture(autouse=True)
def own_http_client() -> None:
    """Hummingbot's one HTTP client of the process belongs to the loop that it was made in. One that a task of an
    earlier test has opened while it ended, in a loop that is closed by now, fails every request of the next."""
    module = sys.modules.get("hummingbot.core.web_assistant.connections.connections_factory")
    if module is not None:
        module.ConnectionsFactory._instance = None


class IsolatedAsyncioWrapperTestCase(unittest.IsolatedAsyncioTestCase):
    """What Hummingbot's own test suite for connectors is built on, and its wheel lacks."""

    def setUp(self) -> None:
        self.local_event_loop = asyncio.get_event_loop()
        super().setUp()

    def run_async_with_timeout(self, coroutine: Awaitable[Any], timeout: float = 1.0) -> Any:
        """Run `coroutine` from a test that is not asynchronous itself, with sixty times the patience."""
        return self.local_event_loop.run_until_complete(asyncio.wait_for(coroutine, 60 * timeout))


# Put under its name instead of on the path: Python's standard library has a package `test` of its own.
_module = ModuleType("test.isolated_asyncio_wrapper_test_case")
_module.IsolatedAsyncioWrapperTestCase = IsolatedAsyncioWrapperTestCase  # type: ignore[attr-defined]
sys.modules[_module.__name__] = _module
