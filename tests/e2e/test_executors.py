"""A V2 strategy made of Hummingbot's executors, started by `hbot start`, filled over the sockets."""

from decimal import Decimal

from tests.e2e.support import Venture, wait_until


def test_executors_open_and_close_positions(venture: Venture) -> None:
    config = venture.install_script("executors.py")
    venture.bot.start(config)

    done = wait_until(
        lambda: [line.message for line in venture.bot.log_lines("INFO") if line.message.startswith("executor ")][1:],
        "both executors are done",
    )
    venture.bot.stop()

    said = [line.message for line in venture.bot.log_lines("INFO") if line.message.startswith("executor ")]
    assert len(said) == 2, done
    assert any(text.startswith("executor position_executor ended by TIME_LIMIT") for text in said), said
    assert any(text.startswith("executor order_executor ended by POSITION_HOLD") for text in said), said
    last = venture.assert_nothing_is_lost()
    # What the position executor bought it sold again; what the order executor bought was to stay.
    assert last.position == Decimal("0.02")
    orders = {order["id"]: order for order in venture.order_history()}
    sold = [orders[fill.order_id] for fill in last.fills_of("SELL")]
    assert {order["type"] for order in sold} == {"MARKET"}
    assert sum(fill.size for fill in last.fills_of("SELL")) == Decimal("0.03")
    assert venture.bot.problems() == []
