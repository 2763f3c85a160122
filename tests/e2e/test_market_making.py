"""The market-making script of conf_templates, run by Hummingbot on a sandbox."""

import itertools
from decimal import Decimal

import pytest

from demo.exchange import Fill
from tests.e2e.support import CONFIG, Venture, wait_until

pytestmark = pytest.mark.timeout(150)

ORDER_AMOUNT = Decimal("0.01")
MAX_POSITION = Decimal("0.015")
LEVELS = 2


def running_position(fills: list[Fill]) -> list[Decimal]:
    return list(itertools.accumulate(fill.size if fill.side == "BUY" else -fill.size for fill in fills))


def test_it_quotes_both_sides_within_its_limits_and_closes_its_position(venture: Venture) -> None:
    venture.configure(
        order_amount=str(ORDER_AMOUNT),
        order_levels=LEVELS,
        max_position=str(MAX_POSITION),
        leverage=7,
        close_position_on_stop=True,
    )
    venture.bot.start(CONFIG)
    quoted = wait_until(
        lambda: (snapshot := venture.exchange.snapshot()).orders_of("BUY") and snapshot.orders_of("SELL") and snapshot,
        "quotes on both sides",
        30,
    )
    assert quoted.mid is not None
    assert all(order.price < quoted.mid for order in quoted.orders_of("BUY"))
    assert all(order.price > quoted.mid for order in quoted.orders_of("SELL"))

    for _ in range(3):  # rounds in which both sides are filled
        quoted = venture.trade_until_filled(after=quoted)
        for side in ("BUY", "SELL"):
            assert len(quoted.orders_of(side)) <= LEVELS
            assert all(order.remaining_size <= ORDER_AMOUNT for order in quoted.orders_of(side))
    status = venture.bot.status()
    assert status["errors"]["count"] == 0, status["errors"]
    assert "BTC-USDC" in status["format_status"]

    venture.bot.stop()
    last = venture.assert_nothing_is_lost()
    assert last.position == 0
    assert max(map(abs, running_position(last.fills))) <= MAX_POSITION
    closing = [fill for fill in last.fills if not fill.is_maker]
    assert {fill.order_id for fill in last.fills if fill.is_maker}.isdisjoint(fill.order_id for fill in closing)
    orders = {order["id"]: order for order in venture.exchange.order_history()}
    assert all("REDUCE_ONLY" in orders[fill.order_id]["flags"] for fill in closing)
    assert {order["instruction"] for order in orders.values() if order["type"] == "LIMIT"} == {"POST_ONLY"}
    assert venture.exchange.leverage() == 7
    assert venture.bot.problems() == []


def test_a_second_start_decrypts_the_keys_and_no_secret_is_left_in_the_home(venture: Venture) -> None:
    venture.configure()
    venture.bot.start(CONFIG)
    first = venture.trade_until_filled()
    venture.bot.stop()
    venture.bot.start(CONFIG)
    venture.trade_until_filled(after=first)
    venture.bot.stop()
    venture.assert_nothing_is_lost()
    assert venture.bot.problems() == []

    number = int(venture.account.api_secret, 16)
    secrets = {f"{number:x}", f"{number:064x}", f"{number:X}", str(number), "Bearer ", "eyJhbGci"}
    home = venture.bot.home.path
    # All but the links to the installed Hummingbot.
    searched = [path for path in home.rglob("*") if path.is_file() and path.relative_to(home).parts[0] != "hummingbot"]
    assert any(path.suffix == ".log" for path in searched)
    assert any(path.suffix == ".sqlite" for path in searched)
    for path in searched:
        content = path.read_bytes()
        assert not [secret for secret in secrets if secret.encode() in content], path
