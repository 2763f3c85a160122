"""Orders that wait for the mark price."""

from bisect import bisect_left, insort
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from paradex_sandbox.exchange.model import Order

if TYPE_CHECKING:
    from paradex_sandbox.exchange.accounts import AccountState


class Waiting(NamedTuple):
    """Sorts by price, then by arrival; never by what follows."""

    price: Decimal
    number: int
    account: "AccountState"
    order: Order


class TriggerBook:
    """The untriggered orders of a market, by the side from which the mark must come."""

    def __init__(self) -> None:
        self._above: list[Waiting] = []
        self._below: list[Waiting] = []
        self._entries: dict[str, tuple[list[Waiting], Waiting]] = {}
        self._last_number = 0

    def __bool__(self) -> bool:
        return bool(self._entries)

    def add(self, account: "AccountState", order: Order) -> None:
        """An order with a trigger price; it is looked at again with the next `next_due`."""
        assert order.trigger_price is not None
        self._last_number += 1
        # Below, the highest price is met first; the number still says who came first.
        number = self._last_number if order.triggers_above else -self._last_number
        entry = Waiting(order.trigger_price, number, account, order)
        queue = self._above if order.triggers_above else self._below
        insort(queue, entry)
        self._entries[order.id] = (queue, entry)

    def remove(self, order: Order) -> None:
        """Harmless where it does not wait."""
        queue, entry = self._entries.pop(order.id, (None, None))
        if queue is not None and entry is not None:
            del queue[bisect_left(queue, entry)]

    def next_due(self, mark: Decimal) -> Waiting | None:
        """Takes out the order that `mark` triggers first, None if there is none."""
        entry = None
        if self._above and self._above[0].price <= mark:
            entry = self._above[0]
        elif self._below and self._below[-1].price >= mark:
            entry = self._below[-1]
        if entry is not None:
            self.remove(entry.order)
        return entry
