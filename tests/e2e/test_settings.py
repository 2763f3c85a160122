"""What Hummingbot says to a wrong line in the connector's file."""

from demo.bot import CONNECTOR, Bot, markdown_table
from demo.sandbox import Sandbox


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
