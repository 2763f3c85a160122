"""The guide, docs/sandbox.md: what it says can be done is done here, word for word."""

import asyncio
import re
import shlex
import sys
from pathlib import Path

import pytest

from benchmarks.sandbox import ACCOUNTS
from paradex_sandbox import cli, faults, recording
from paradex_sandbox.api import control
from tests.sandbox.conftest import Starter

GUIDE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
COMMANDS = [line for line in GUIDE.splitlines() if line.startswith("curl ")]


def table(documentation: str | None) -> list[str]:
    return [line for line in (documentation or "").splitlines() if line.startswith("|")]


@pytest.mark.parametrize("module", [faults, control])
def test_its_tables_are_those_of_the_code(module: object) -> None:
    rows = table(module.__doc__)
    assert len(rows) > 10
    assert [row for row in rows if row not in GUIDE.splitlines()] == []


def test_its_links_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^\w -]", "", line[3:]).lower().replace(" ", "-") for line in GUIDE.splitlines() if line[:3] == "## "
    }
    for target in re.findall(r"\]\(([^)]+)\)", GUIDE):
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif not target.startswith("http"):
            assert (Path(__file__).parents[2] / "docs" / target).exists(), target


def test_its_numbers_have_a_source() -> None:
    assert f"spread over {ACCOUNTS} accounts" in GUIDE
    assert "python -m benchmarks.sandbox" in GUIDE
    for title in ("orders, REST", "orders, batches of 10", "stream messages to 20 clients", "growth of memory"):
        assert re.search(rf"^\| {re.escape(title)}.*\| reached \|$", GUIDE, re.MULTILINE), title


def test_its_recording_is_one(tmp_path: Path) -> None:
    (lines,) = re.findall(r"```json\n(.+?)```", GUIDE, re.DOTALL)
    path = tmp_path / "day.jsonl"
    path.write_text(lines, encoding="utf-8")
    assert [type(record) for record in recording.read(path)] == [
        recording.MarkRecord,
        recording.BookRecord,
        recording.BookRecord,
        recording.TradeRecord,
    ]


def test_it_names_every_option_of_serve(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["serve", "--help"])
    options = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out.partition("examples:")[0])) - {"--help"}
    assert len(options) > 8
    assert {option for option in options if option not in GUIDE} == set()


async def test_its_commands_work(start: Starter) -> None:
    """The curl commands, in order, sent as curl would send them."""
    sandbox = await start(traders=True, frozen=False)
    assert len(COMMANDS) > 10
    for command in COMMANDS:
        words = shlex.split(command)[1:]
        method, body = "GET", None
        if "-d" in words:
            method, body = "POST", words.pop(words.index("-d") + 1)
            words.remove("-d")
        if "-X" in words:
            method = words.pop(words.index("-X") + 1)
            words.remove("-X")
        (address,) = words
        url = address.replace("localhost:8790", f"http://localhost:{sandbox.server.port}")
        headers = {} if body is None else {"Content-Type": "application/x-www-form-urlencoded"}
        async with sandbox.session.request(method, url, data=body, headers=headers) as response:
            assert response.status < 300, (command, await response.text())


async def test_its_program_for_the_sdk_works(start: Starter) -> None:
    sandbox = await start(traders=True, frozen=False)
    (program,) = re.findall(r"```python\n(.+?)```", GUIDE, re.DOTALL)
    program = program.replace("http://127.0.0.1:8790/v1", sandbox.server.url)
    command = f'"{sys.executable}", "-m", "paradex_sandbox"'
    program = program.replace('"paradex-sandbox"', command)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", "-c", program),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 300)
    assert process.returncode == 0, err.decode()
    assert out.decode().split() == ["NEW"]
    (order,) = sandbox.runtime.exchange.orders_history(sandbox.runtime.exchange.accounts()[0].address).items
    assert order.client_id == "first"
