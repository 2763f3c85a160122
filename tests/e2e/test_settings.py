"""The connector's file: what its lines do, and what Hummingbot says to wrong ones."""

from demo.bot import CONNECTOR, Bot, markdown_table
from demo.sandbox import Sandbox
from tests.e2e.support import CONFIG, Venture, wait_until


def test_a_wrong_line_is_said_in_a_sentence_and_nothing_is_lost_by_it(sandbox: Sandbox, bot: Bot) -> None:
    bot.connect(sandbox.create_account())
    path = bot.home.conf / "connectors" / f"{CONNECTOR}.yml"
    right = path.read_text()
    assert f"{CONNECTOR}_recv_window: 10000" in right
    wrong = right.replace("_recv_window: 10000", "_recv_window: 5") + f"{CONNECTOR}_cancel_on_disconect: true\n"
    path.write_text(wrong)

    tested = bot.hbot("connect")

    assert tested.returncode == 0, tested.stderr
    (row,) = [row for row in markdown_table(tested.stdout) if row["connector"] == CONNECTOR]
    assert row["keys_confirmed"] == "no"
    assert f"{CONNECTOR}_cancel_on_disconect in conf/connectors/{CONNECTOR}.yml is no setting" in row["error"]
    assert "The recv_window is between 10 and 300000 milliseconds, not 5." in row["error"]
    assert path.read_text() == wrong

    path.write_text(right)
    bot.test_connection()


def test_changed_lines_of_the_file_count_from_the_next_start(venture: Venture) -> None:
    """Also cancel on disconnect, the only protection that is left when the bot's process is killed."""
    bot = venture.bot
    path = bot.home.conf / "connectors" / f"{CONNECTOR}.yml"
    text = path.read_text()
    for line, changed in (
        ("self_trade_mode: EXPIRE_TAKER", "self_trade_mode: EXPIRE_BOTH"),
        ("cancel_on_disconnect: false", "cancel_on_disconnect: true"),
    ):
        assert f"{CONNECTOR}_{line}" in text
        text = text.replace(f"{CONNECTOR}_{line}", f"{CONNECTOR}_{changed}")
    path.write_text(text)
    venture.configure(order_amount="0.01")
    bot.start(CONFIG)
    venture.wait_for_quotes()
    assert "free collateral" in bot.status()["format_status"]

    process = bot.process()
    assert process is not None
    process.kill()

    wait_until(lambda: not venture.exchange.snapshot().orders, "the killed bot's quotes are cancelled")
    assert {order["stp"] for order in venture.order_history()} == {"EXPIRE_BOTH"}
