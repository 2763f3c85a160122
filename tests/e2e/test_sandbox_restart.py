"""The exchange goes away under a running bot, and comes back."""

import signal
from pathlib import Path
from urllib.parse import urlsplit

from demo.sandbox import running_sandbox
from tests.e2e.support import CONFIG, Venture, wait_until
from tests.venue.waiting import is_free


def test_the_bot_goes_on_when_a_killed_exchange_returns_and_nothing_is_lost(venture: Venture, tmp_path: Path) -> None:
    venture.configure()
    venture.bot.start(CONFIG)
    before = venture.trade_until_filled()
    port = urlsplit(venture.sandbox.url).port
    assert port is not None

    venture.sandbox.process.send_signal(signal.SIGKILL)
    venture.sandbox.process.wait()
    wait_until(
        lambda: any("not connected" in line.message for line in venture.bot.log_lines("INFO")),
        "the strategy notices",
    )
    assert "NOT CONNECTED" in venture.bot.status()["format_status"]
    wait_until(lambda: is_free(port), "the port is free")
    (tmp_path / "second").mkdir()
    with running_sandbox(tmp_path / "second", "--data", str(tmp_path / "data"), port=port):
        restored = venture.exchange.snapshot()
        assert {fill.key for fill in before.fills} <= {fill.key for fill in restored.fills}
        venture.trade_until_filled(after=restored)
        venture.bot.stop()
        venture.assert_nothing_is_lost()
        unexpected = [line for line in venture.bot.log_lines("ERROR", "CRITICAL") if "Traceback" in line.message]
        assert unexpected == []
