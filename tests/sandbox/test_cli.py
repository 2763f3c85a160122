"""The command in a process of its own, as a user runs it."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest

from paradex_sandbox import cli
from paradex_sandbox.exchange.model import Side
from paradex_sandbox.recording import BookRecord, TradeRecord, Writer
from tests.sandbox.client import MARKET, TIMEOUT, Rest, Trader, system_config

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "paradex_sandbox")


class Process:
    """A sandbox in another process."""

    def __init__(self, process: asyncio.subprocess.Process, url: str):
        self.process = process
        self.url = url

    async def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return await asyncio.wait_for(self.process.wait(), TIMEOUT)


@pytest.fixture
async def serve() -> AsyncIterator[object]:
    """Starts `paradex-sandbox serve --port 0 …` and waits until it is ready."""
    started: list[asyncio.subprocess.Process] = []

    async def run(*arguments: str) -> Process:
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            "serve",
            "--port",
            "0",
            *arguments,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        started.append(process)
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), TIMEOUT)).decode()
        ready, _, url = line.strip().partition(" ")
        assert ready == "ready"
        assert url.startswith("http://127.0.0.1:")
        assert url.endswith("/v1")
        return Process(process, url)

    yield run
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def complaint(result: subprocess.CompletedProcess[str]) -> str:
    """The one line that a user sees when something is wrong."""
    assert result.returncode == 2
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if line.startswith("paradex-sandbox")]
    assert "Traceback" not in result.stderr
    assert len(lines) == 1, result.stderr
    return lines[0]


async def test_serve_account_and_stop(serve) -> None:  # type: ignore[no-untyped-def]
    sandbox = await serve()
    keys = []
    for url in (sandbox.url, sandbox.url.removesuffix("/v1"), sandbox.url + "/"):
        result = await asyncio.to_thread(run, "account", "--url", url)
        assert result.returncode == 0, result.stderr
        keys.append(json.loads(result.stdout))
    result = await asyncio.to_thread(run, "account", "--usdc", "12.5", PARADEX_SANDBOX_URL=sandbox.url)
    keys.append(json.loads(result.stdout))
    assert len({account["account_address"] for account in keys}) == 4
    async with aiohttp.ClientSession() as session:
        trader = Trader(session, sandbox.url, keys[-1], await system_config(Rest(session, sandbox.url)))
        await trader.login()
        assert (await trader.get("/account")).json["free_collateral"] == "12.5"
    assert await sandbox.end() == 0


def test_it_is_ready_soon() -> None:
    """A second on the author's machine; half of that is aiohttp's, and tells how fast another machine is."""

    def seconds_on_the_processor(process: subprocess.Popen[str]) -> float:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return usage.ru_utime + usage.ru_stime

    sandbox = subprocess.Popen([*COMMAND, "serve", "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert sandbox.stdout is not None
    with sandbox.stdout as output:
        assert output.readline().startswith("ready ")
        sandbox.send_signal(signal.SIGINT)
        whole = seconds_on_the_processor(sandbox)
    aiohttp_alone = subprocess.Popen([sys.executable, "-c", "import aiohttp.web"], text=True)
    assert whole < 5 * seconds_on_the_processor(aiohttp_alone)


async def test_a_killed_sandbox_comes_back_with_everything(serve, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    sandbox = await serve("--data", str(tmp_path / "data"))
    result = await asyncio.to_thread(run, "account", "--url", sandbox.url)
    keys = json.loads(result.stdout)
    async with aiohttp.ClientSession() as session:
        trader = Trader(session, sandbox.url, keys, await system_config(Rest(session, sandbox.url)))
        token = await trader.login()
        book = (await trader.get(f"/orderbook/{MARKET}")).json
        await trader.place("BUY", "0.001", book["asks"][5][0], instruction="IOC")
        far = str(round(float(book["bids"][0][0]) * 0.98))
        bodies = [await trader.order_body("BUY", "0.001", far, client_id=f"o{number}") for number in range(40)]
        accepted: list[str] = []

        async def send() -> None:
            for body in bodies:
                answer = await trader.post("/orders", body)
                assert answer.status == 201
                accepted.append(body["client_id"])
                if len(accepted) == 20:
                    halfway.set()

        halfway = asyncio.Event()
        sending = asyncio.create_task(send())
        await asyncio.wait_for(halfway.wait(), TIMEOUT)
        await sandbox.end(signal.SIGKILL)
        with pytest.raises(aiohttp.ClientError):
            await sending

        again = await serve("--data", str(tmp_path / "data"))
        trader.url = again.url
        assert trader.token == token, "tokens outlive the restart"
        history = (await trader.get("/orders-history", page_size=1000)).json["results"]
        known = {order["client_id"] for order in history}
        assert set(accepted) <= known, "an order was acknowledged and then lost"
        open_ids = {order["client_id"] for order in (await trader.get("/orders")).json["results"]}
        assert set(accepted) <= open_ids
        fills = (await trader.get("/fills")).json["results"]
        position = (await trader.get("/positions")).json["results"][0]
        assert sum(float(fill["size"]) for fill in fills) == float(position["size"]) == 0.001
        assert len((await trader.get("/transfers")).json["results"]) == 1
        await trader.login()
        assert await again.end() == 0


async def test_a_killed_replay_goes_on_where_it_was(serve, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """The clock stands still and is stepped: how long this takes changes nothing."""
    day = tmp_path / "day.jsonl"
    with Writer(day) as writer:
        for second in range(60):
            bids = ((Decimal(50_000 + second), Decimal(1)),)
            asks = ((Decimal(60_000), Decimal(second + 1)),)
            writer.write(BookRecord(second * 1_000_000, MARKET, second, True, bids, asks))
            if second == 40:
                writer.write(TradeRecord(second * 1_000_000, MARKET, "t", Side.SELL, Decimal(50_040), Decimal("0.5")))

    async def top(sandbox: Process) -> tuple[str, str]:
        book = (await Rest(session, sandbox.url).get(f"/orderbook/{MARKET}")).json
        return book["bids"][0][0], book["asks"][0][1]

    arguments = ("--replay", str(day), "--data", str(tmp_path / "data"), "--frozen")
    async with aiohttp.ClientSession() as session:
        sandbox = await serve(*arguments)
        assert await top(sandbox) == ("50000", "1")
        await Rest(session, sandbox.url).control("POST", "/clock", {"advance_ms": 30_000})
        assert await top(sandbox) == ("50030", "31")
        await sandbox.end(signal.SIGKILL)
        sandbox = await serve(*arguments)
        rest = Rest(session, sandbox.url)
        assert await top(sandbox) == ("50030", "31")
        trades = (await rest.get("/trades", market=MARKET)).json["results"]
        await rest.control("POST", "/clock", {"advance_ms": 5_000})
        assert await top(sandbox) == ("50035", "36")
        await rest.control("POST", "/clock", {"advance_ms": 15_000})
        later = (await rest.get("/trades", market=MARKET)).json["results"]
        assert [trade["price"] for trade in later[: len(later) - len(trades)]] == ["50040"], "each trade is played once"


async def test_no_control_is_passed_on(serve) -> None:  # type: ignore[no-untyped-def]
    sandbox = await serve("--no-control")
    line = complaint(await asyncio.to_thread(run, "account", "--url", sandbox.url))
    assert "404" in line


async def test_one_data_directory_serves_one_sandbox(serve, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    await serve("--data", str(tmp_path))
    line = complaint(await asyncio.to_thread(run, "serve", "--port", "0", "--data", str(tmp_path)))
    assert "another sandbox" in line


def test_a_port_in_use_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = complaint(run("serve", "--port", str(port)))
        assert str(port) in line
        assert "in use" in line
        assert "--port 0 takes a free one" in line


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("fly",),
        ("serve", "--port", "70000"),
        ("serve", "--port", "http"),
        ("serve", "--seed", "x"),
        ("serve", "--private-encoding", "xml"),
        ("account", "--usdc", "-1"),
        ("account", "--usdc", "NaN"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(arguments: tuple[str, ...]) -> None:
    assert "error:" in complaint(run(*arguments))


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/v1", "ftp://127.0.0.1", "nonsense", "http://", "http://127.0.0.1:x"]
)
def test_a_sandbox_that_is_not_there_is_told_in_one_line(url: str) -> None:
    line = complaint(run("account", "--url", url))
    if url.startswith("http://127.0.0.1:1/"):
        assert "(Connection refused): start one with `paradex-sandbox serve`" in line


def test_on_a_terminal_each_value_has_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"account_address": "0x1", "api_secret": "0x2"}
    monkeypatch.setattr(cli, "create_account", lambda url, usdc: keys)
    controller, terminal = os.openpty()
    with open(controller) as seen, open(terminal, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert cli.main(["account"]) == 0
        stdout.flush()
        lines = [seen.readline().rstrip() for _ in range(4)]
    assert lines == ["{", '  "account_address": "0x1",', '  "api_secret": "0x2"', "}"]


@pytest.mark.parametrize("content", ["{", "[]", '[{"symbol": 5}]', "nothing at all", '{"results": [{}]}'])
def test_a_malformed_markets_file_is_told_in_one_line(tmp_path: Path, content: str) -> None:
    file = tmp_path / "markets.json"
    file.write_text(content)
    assert "markets.json" in complaint(run("serve", "--port", "0", "--markets", str(file)))
    assert "absent.json" in complaint(run("serve", "--port", "0", "--markets", str(tmp_path / "absent.json")))


def test_data_that_is_no_directory_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "--data" in complaint(run("serve", "--port", "0", "--data", str(tmp_path / "file")))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sandbox.sqlite").write_text(
        "this is no database, and it is long enough to be read as one" * 20
    )
    assert "--data" in complaint(run("serve", "--port", "0", "--data", str(tmp_path / "data")))


def test_help_names_both_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    assert {"serve", "account"} <= set(capsys.readouterr().out.split())
