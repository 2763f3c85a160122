"""Deposits and withdrawals as a list: what `GET /transfers` and the `transfers` channel show."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Unpack

from paradex_sandbox.exchange.events import AccountCreated, BalanceChanged, BalanceChangeKind, Event
from paradex_sandbox.exchange.model import Page
from paradex_sandbox.exchange.paging import Window, page
from paradex_sandbox.storage import Storage

#: What older files have: all in one value.
_OLD_KEY = "transfers"
_KEY_PREFIX = "transfer/"


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money that came in from outside, or with a negative `amount` went out; `created_at` in µs."""

    id: str
    account: str
    token: str
    amount: Decimal
    created_at: int


class TransferLog:
    """All transfers, the oldest first, read off the exchange's events; at first those that `storage` has.

    Whoever stores the events stores `rows` of the new transfers with them, in the same transaction.
    """

    def __init__(self, storage: Storage | None = None):
        self._transfers: list[Transfer] = []
        if storage is not None:
            old = json.loads(storage.get_meta(_OLD_KEY) or "[]")
            for item in (*old, *map(json.loads, storage.get_metas(_KEY_PREFIX))):
                self._transfers.append(Transfer(**{**item, "amount": Decimal(item["amount"])}))

    @staticmethod
    def rows(transfers: Sequence[Transfer]) -> dict[str, str]:
        """What a storage is to keep of new transfers, in the order of their keys."""
        return {
            f"{_KEY_PREFIX}{int(transfer.id):020d}": json.dumps({**asdict(transfer), "amount": str(transfer.amount)})
            for transfer in transfers
        }

    def record(self, events: Sequence[Event]) -> list[Transfer]:
        """Adds the transfers among `events`, and returns them."""
        new: list[Transfer] = []
        for event in events:
            if isinstance(event, AccountCreated):
                for token, amount in event.created.balances.items():
                    new.append(self._transfer(event.account, token, amount, event.ts, len(new)))
            elif isinstance(event, BalanceChanged) and event.kind is BalanceChangeKind.DEPOSIT:
                amount = event.after - event.before
                new.append(self._transfer(event.account, event.token, amount, event.ts, len(new)))
        self._transfers += new
        return new

    def page(self, account: str, **window: Unpack[Window]) -> Page[Transfer]:
        """An account's transfers, newest first; the cursor is an id."""
        return page(
            reversed(self._transfers),
            key=lambda transfer: transfer.id,
            created_at=lambda transfer: transfer.created_at,
            matches=lambda transfer: transfer.account == account,
            **window,
        )

    def _transfer(self, account: str, token: str, amount: Decimal, created_at: int, offset: int) -> Transfer:
        # Counted, and of ten digits: so in order, as numbers and as text, whatever the clock does.
        number = len(self._transfers) + offset + 1
        return Transfer(f"{1_000_000_000 + number}", account, token, amount, created_at)
