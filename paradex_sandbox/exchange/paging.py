"""Pages of newest-first lists."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypedDict, Unpack

from paradex_sandbox.exchange.model import Page


class TimeRange(TypedDict, total=False):
    """When items were created, in microseconds, both ends included; None or missing: no bound."""

    start_at: int | None
    end_at: int | None


class Window(TimeRange, total=False):
    """Which part of a list is asked for: of a time, after a page's `next` (`before`), at most `limit` items (100)."""

    before: str | None
    limit: int


def page[T](
    newest_first: Iterable[T],
    *,
    key: Callable[[T], str],
    created_at: Callable[[T], int],
    matches: Callable[[T], bool] = lambda _: True,
    **window: Unpack[Window],
) -> Page[T]:
    """The items of a window; their keys sort like time, and `before` is such a key.

    The cursor is the key of the last item when at least one more follows it.
    """
    start_at, end_at, before = window.get("start_at"), window.get("end_at"), window.get("before")
    limit = max(1, window.get("limit", 100))
    picked = (
        item
        for item in newest_first
        if (before is None or key(item) < before)
        and (start_at is None or created_at(item) >= start_at)
        and (end_at is None or created_at(item) <= end_at)
        and matches(item)
    )
    found = list(islice(picked, limit + 1))
    items = tuple(found[:limit])
    return Page(items, key(items[-1]) if len(found) > len(items) else None)
