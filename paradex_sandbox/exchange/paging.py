"""Pages of newest-first lists."""

from collections.abc import Callable, Iterable
from itertools import islice

from paradex_sandbox.exchange.model import Page


def page[T](
    newest_first: Iterable[T],
    *,
    key: Callable[[T], str],
    created_at: Callable[[T], int],
    start_at: int | None,
    end_at: int | None,
    before: str | None,
    limit: int,
    matches: Callable[[T], bool] = lambda _: True,
) -> Page[T]:
    """Up to `limit` items created within the bounds, with a `key` below `before`; keys sort like time.

    The cursor is the key of the last item when at least one more follows it.
    """
    picked = (
        item
        for item in newest_first
        if (before is None or key(item) < before)
        and (start_at is None or created_at(item) >= start_at)
        and (end_at is None or created_at(item) <= end_at)
        and matches(item)
    )
    found = list(islice(picked, max(1, limit) + 1))
    items = tuple(found[: max(1, limit)])
    return Page(items, key(items[-1]) if len(found) > len(items) else None)
