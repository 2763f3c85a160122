"""The comparison sees what it is there for: each way in which two pictures can differ."""

import copy
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.bot import EVENTS_FILE
from tests.chaos.comparison import Heard, differences, fill_differences, payment_differences

ORDER = {
    "id": "17",
    "pair": "BTC-USDC",
    "side": "BUY",
    "price": Decimal(60000),
    "amount": Decimal("0.1"),
    "executed": Decimal(0),
}
BOOK = {"bids": [(1.0, 2.0)], "asks": [(1.1, 2.0)]}
EXCHANGE = {
    "orders": {"a": {**ORDER, "is_market": False}},
    "positions": {"BTC-USDC": {"amount": Decimal(1), "entry_price": Decimal(60000)}},
    "total": {"USDC": Decimal(10)},
    "available": {"USDC": Decimal(9)},
    "books": {"BTC-USDC": BOOK, "ETH-USDC": BOOK},
}
BOT = {
    **EXCHANGE,
    "ready": True,
    "status": {},
    "restriction": None,
    "orders": {"a": {**ORDER, "state": "OPEN"}},
    "books": {pair: {**BOOK, "live": True} for pair in ("BTC-USDC", "ETH-USDC")},
}
FILL = {"life": 1, "fill": "FILL-1", "order": "a", "price": "60000", "amount": "0.1", "fee": "0.2"}
KNOWN = {
    "FILL-1": {
        "order": "a",
        "price": Decimal(60000),
        "amount": Decimal("0.1"),
        "fee": Decimal("0.20"),
        "busted": False,
    }
}


def test_equal_pictures_have_no_difference() -> None:
    assert differences(BOT, EXCHANGE) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda bot: bot["orders"].clear(),
        lambda bot: bot["orders"].update(b=bot["orders"]["a"]),
        lambda bot: bot["orders"]["a"].update(price=Decimal(1)),
        lambda bot: bot["orders"]["a"].update(executed=Decimal(1)),
        lambda bot: bot["orders"]["a"].update(id=None),
        lambda bot: bot["positions"].clear(),
        lambda bot: bot["positions"]["BTC-USDC"].update(entry_price=Decimal(1)),
        lambda bot: bot["total"].update(USDC=Decimal(11)),
        lambda bot: bot["available"].update(USDC=Decimal(11)),
        lambda bot: bot["books"]["ETH-USDC"]["bids"].append((0.9, 1.0)),
        lambda bot: bot["books"]["ETH-USDC"].update(live=False),
        lambda bot: bot.update(ready=False),
        lambda bot: bot.update(restriction="closed"),
    ],
)
def test_a_difference_is_seen(spoil: Callable[[dict[str, Any]], None]) -> None:
    bot = copy.deepcopy(BOT)
    spoil(bot)
    assert differences(bot, EXCHANGE)


def heard(folder: Path, *events: object) -> Heard:
    (folder / EVENTS_FILE).write_text("".join(json.dumps(event) + "\n" for event in events))
    return Heard(folder)


def test_fills_that_are_the_same_have_no_difference(tmp_path: Path) -> None:
    again = {**FILL, "life": 2}  # killed before the database had it, so the next life tells it anew
    assert fill_differences(heard(tmp_path, FILL, again), ["FILL-1"], KNOWN) == []


@pytest.mark.parametrize(
    ("events", "recorded"),
    [
        ([], ["FILL-1"]),
        ([FILL], []),
        ([FILL, FILL], ["FILL-1"]),
        ([{**FILL, "fee": "0.3"}], ["FILL-1"]),
        ([{**FILL, "order": "b"}], ["FILL-1"]),
        ([FILL, {**FILL, "fill": "FILL-2"}], ["FILL-1"]),
        ([FILL, {**FILL, "life": 2, "price": "1"}], ["FILL-1"]),
    ],
)
def test_a_fill_that_differs_is_seen(tmp_path: Path, events: list[object], recorded: list[str]) -> None:
    assert fill_differences(heard(tmp_path, *events), recorded, KNOWN)


def test_payments_count_once_and_those_of_before_the_start_need_not_be_known(tmp_path: Path) -> None:
    events = heard(tmp_path, {"life": 1, "payment": "0.5", "pair": "BTC-USDC", "at": 2000})
    before, own = ("BTC-USDC", 900, Decimal(3)), ("BTC-USDC", 2000, Decimal("0.5"))
    assert payment_differences(events, 1, 1000, [before, own]) == []
    assert payment_differences(events, 1, 1000, [own, ("BTC-USDC", 3000, Decimal(1))])
    assert payment_differences(events, 1, 1000, [])
    a_moment_before = ("BTC-USDC", 1999, Decimal("0.5"))
    assert payment_differences(events, 1, 1000, [before, a_moment_before]) == []
    assert payment_differences(events, 1, 1000, [before, own, a_moment_before])
