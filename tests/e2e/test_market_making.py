"""The market-making script of conf_templates, run by Hummingbot on a sandbox."""

import itertools
from decimal import Decimal

import httpx

from demo.bot import CONNECTOR
from demo.exchange import Fill, Snapshot
from tests.e2e.support import CONFIG, Venture, wait_until

ORDER_AMOUNT = Decimal("0.01")
MAX_POSITION = Decimal("0.015")
LEVELS = 2
BPS = Decimal("1e-4")


def around_the_mid(snapshot: Snapshot) -> Snapshot | None:
    mid, bids, asks = snapshot.mid, snapshot.orders_of("BUY"), snapshot.orders_of("SELL")
    if mid is None or not bids or not asks:
        return None
    return snapshot if all(bid.price < mid for bid in bids) and all(ask.price > mid for ask in asks) else None


def running_position(fills: list[Fill]) -> list[Decimal]:
    return list(itertools.accumulate(fill.size if fill.side == "BUY" else -fill.size for fill in fills))


def test_it_quotes_both_sides_within_its_limits(venture: Venture) -> None:
    venture.configure(order_amount=str(ORDER_AMOUNT), order_levels=LEVELS, max_position=str(MAX_POSITION), leverage=7)
    venture.bot.start(CONFIG)
    # A snapshot is several answers; the market may go on from one to the next.
    quoted = wait_until(lambda: around_the_mid(venture.exchange.snapshot()), "quotes on both sides of the market")

    for _ in range(2):  # rounds in which both sides are filled
        quoted = venture.trade_until_filled(after=quoted)
        for side in ("BUY", "SELL"):
            assert len(quoted.orders_of(side)) <= LEVELS
            assert all(order.remaining_size <= ORDER_AMOUNT for order in quoted.orders_of(side))
    status = venture.bot.status()
    assert status["errors"]["count"] == 0, status["errors"]
    assert "BTC-USDC" in status["format_status"]

    venture.bot.stop()
    last = venture.assert_nothing_is_lost()
    assert max(map(abs, running_position(last.fills))) <= MAX_POSITION
    assert all(fill.is_maker for fill in last.fills)
    assert {order["instruction"] for order in venture.order_history()} == {"POST_ONLY"}
    assert venture.leverage() == 7
    assert venture.bot.problems() == []


def test_it_quotes_on_with_a_position_and_closes_it_on_stop(venture: Venture) -> None:
    venture.hold_mark_price("95000")
    # So far from the market that nothing is filled: the position stays what it is.
    venture.configure(spread_bps=50, order_max_deviation_bps=20, skew_bps=10, close_position_on_stop=True)
    venture.trade_by_hand("BUY", Decimal("0.05"))
    venture.bot.start(CONFIG)
    quoted = venture.wait_for_quotes()
    assert quoted.position == Decimal("0.05")
    middle = (quoted.orders_of("BUY")[0].price + quoted.orders_of("SELL")[0].price) / 2
    # Half of the largest position shifts the quotes by half of skew_bps; the others' quotes move the mid a little.
    assert -8 * BPS < middle / 95000 - 1 < -2 * BPS

    venture.bot.stop()
    last = venture.exchange.snapshot()
    assert last.position == 0
    assert last.orders == []
    closing = {order["id"]: order for order in venture.order_history()}[last.fills[-1].order_id]
    assert (closing["side"], closing["type"]) == ("SELL", "MARKET")
    assert "REDUCE_ONLY" in closing["flags"]
    assert venture.bot.problems() == []


def test_orders_of_a_bot_that_was_killed_before_it_was_answered_do_not_stay(venture: Venture) -> None:
    venture.hold_mark_price("95000")
    venture.configure(spread_bps=20, order_max_deviation_bps=100, order_refresh_time=3600)
    faults = venture.sandbox.url.removesuffix("/v1") + "/sandbox/faults"
    # Over REST, whose answers can be held back.
    path = venture.bot.home.conf / "connectors" / f"{CONNECTOR}.yml"
    path.write_text(path.read_text().replace("order_entry: websocket", "order_entry: rest"))
    # The exchange takes the orders at once, and the bot waits for an answer that it will not live to see.
    for fault in (
        {"kind": "http_delay", "path": "/orders", "method": "POST", "delay_ms": 60_000},
        {"kind": "freeze_stream", "channel": "orders"},
    ):
        httpx.post(faults, json=fault, trust_env=False).raise_for_status()
    venture.bot.start(CONFIG)
    wait_until(lambda: len(venture.exchange.snapshot().orders) == 6, "the orders are on the exchange")
    process = venture.bot.process()
    assert process is not None
    process.kill()
    process.wait()
    left = {order.id for order in venture.exchange.snapshot().orders}
    recorded = venture.recorded_orders()  # none, unless the bot was so slow that it has compared its orders before
    httpx.delete(faults, trust_env=False).raise_for_status()

    venture.bot.start(CONFIG)
    wait_until(lambda: left.isdisjoint(order.id for order in venture.exchange.snapshot().orders), "they are gone")
    warned = [line.message for line in venture.bot.log_lines("WARNING") if "never recorded" in line.message]
    theirs = [order["client_id"] for order in venture.order_history() if order["id"] in left]
    assert len(theirs) == 6
    assert len(warned) == len(set(theirs) - recorded)
    venture.wait_for_quotes()
    venture.bot.stop()
    venture.assert_nothing_is_lost()


def test_a_killed_bot_takes_up_where_it_was_and_leaves_no_secret_in_its_home(venture: Venture) -> None:
    venture.hold_mark_price("95000")
    venture.configure(spread_bps=20, order_max_deviation_bps=100, order_refresh_time=3600)
    venture.bot.start(CONFIG)
    wait_until(
        lambda: (
            len([line for line in venture.bot.log_lines("INFO") if line.message.startswith("Created LIMIT_MAKER")]) == 6
        ),
        "all orders are placed and noted",
    )
    process = venture.bot.process()
    assert process is not None
    process.kill()
    process.wait()
    left = {order.id for order in venture.exchange.snapshot().orders}
    assert len(left) == 6
    venture.hold_mark_price("95400")  # the market runs over the asks
    wait_until(lambda: len(venture.exchange.snapshot().fills) >= 3, "the asks are filled while the bot is dead")

    venture.bot.start(CONFIG)
    wait_until(lambda: left.isdisjoint(order.id for order in venture.exchange.snapshot().orders), "old orders gone")
    wait_until(lambda: len(venture.recorded_fills()) >= 3, "the fills are found")
    venture.wait_for_quotes()
    venture.bot.stop()
    last = venture.assert_nothing_is_lost()
    assert last.position == Decimal("-0.03")
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
