"""The command `paradex-sandbox`: runs a sandbox, makes funded accounts on a running one, records market data."""

import argparse
import asyncio
import errno
import fcntl
import gc
import http.client
import json
import logging
import os
import signal
import sqlite3
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from paradex_sandbox.exchange.errors import MarketsFileError

DEFAULT_PORT = 8790
DEFAULT_URL = f"http://127.0.0.1:{DEFAULT_PORT}/v1"
URL_VARIABLE = "PARADEX_SANDBOX_URL"

_USAGE_ERROR = 2
_FIRST_YEAR = 2000
#: A thread that has verified a signature without the GIL shall not wait for it longer than verifying takes.
_SWITCH_INTERVAL_S = 0.0005
_ACCOUNT_TIMEOUT_S = 30


class CommandError(Exception):
    """What the command cannot do; the message is one line for the user."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit code: 0 for success, 2 for whatever the user has to put right."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.command == "serve":
            return _serve(arguments)
        if arguments.command == "record":
            return _record(arguments)
        account = create_account(arguments.url, arguments.usdc)
        # A program reads a line; a person copies one value after the other.
        print(json.dumps(account, indent=2 if sys.stdout.isatty() else None))
    except CommandError as error:
        print(f"paradex-sandbox: {error}", file=sys.stderr)
        return _USAGE_ERROR
    return 0


def create_account(url: str, usdc: Decimal | None = None) -> dict[str, str]:
    """A funded account with a registered subkey on the sandbox at `url` (with or without /v1).

    Returns account_address, private_key, public_key, api_secret and api_public_key. Raises CommandError.
    """
    base = url.rstrip("/").removesuffix("/v1")
    body = {} if usdc is None else {"usdc": format(usdc, "f")}
    try:
        request = urllib.request.Request(
            f"{base}/sandbox/accounts",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        if request.type not in ("http", "https"):
            raise CommandError(f"{url} is not an http address")
        # The sandbox is on this machine: no proxy is ever meant.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_ACCOUNT_TIMEOUT_S) as response:
            account = json.load(response)
    except urllib.error.HTTPError as error:
        raise CommandError(f"the server at {base} refused: HTTP {error.code}{_reason(error)}") from None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        cause = getattr(error, "reason", None) or error
        reason = os.strerror(cause.errno) if isinstance(cause, ConnectionError) and cause.errno else cause
        raise CommandError(
            f"no sandbox answers at {base} ({reason}): start one with `paradex-sandbox serve`, or say where it is with "
            f"--url or {URL_VARIABLE}"
        ) from None
    except ValueError as error:
        raise CommandError(f"{url} is not the address of a sandbox: {error}") from None
    if not isinstance(account, dict) or "account_address" not in account:
        raise CommandError(f"the server at {base} is not a sandbox")
    return account


def _reason(error: urllib.error.HTTPError) -> str:
    with suppress(ValueError, OSError):
        body = json.load(error)
        if isinstance(body, dict) and body.get("message"):
            return f", {body['message']}"
    return ""


def _serve(arguments: argparse.Namespace) -> int:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        return asyncio.run(_run_server(arguments))
    except MarketsFileError as error:
        raise CommandError(str(error)) from None
    except sqlite3.Error as error:
        raise CommandError(f"the data cannot be kept, the sandbox has stopped: {error}") from None


def _record(arguments: argparse.Namespace) -> int:
    from paradex_sandbox.recorder import RecordError, record

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(message)s")
    markets = [market for market in arguments.markets.split(",") if market]
    try:
        counts = asyncio.run(record(arguments.url, markets, arguments.file, arguments.seconds))
    except RecordError as error:
        raise CommandError(str(error)) from None
    except KeyboardInterrupt:
        return 0  # what was written is a recording
    print(json.dumps({"file": str(arguments.file), **counts}))
    return 0


async def _run_server(arguments: argparse.Namespace) -> int:
    # Imported here, so that `account` and `--help` answer at once.
    from paradex_sandbox.api.app import Secrets, Server
    from paradex_sandbox.api.clock import SandboxClock
    from paradex_sandbox.api.runtime import Runtime
    from paradex_sandbox.exchange.exchange import Exchange
    from paradex_sandbox.exchange.markets import load_markets
    from paradex_sandbox.liquidity import SyntheticTraders
    from paradex_sandbox.recording import RecordingError, read
    from paradex_sandbox.replay import POSITION_KEY, Replay
    from paradex_sandbox.storage import Storage, StorageError

    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    markets = load_markets(arguments.markets)
    clock = SandboxClock(arguments.start_at, frozen=arguments.frozen)
    exchange = Exchange(markets, arguments.seed, clock.now_us())
    storage = None
    keys = None
    if arguments.data is not None:
        try:
            _lock_directory(arguments.data)
            storage = Storage(arguments.data / "sandbox.sqlite")
            if storage.restore(exchange):
                # What was stored may be ahead of real time, where the clock had been stepped.
                clock = SandboxClock(max(clock.now_us(), exchange.now), frozen=arguments.frozen)
                exchange.resume(clock.now_us())
            keys = Secrets.stored(storage)
        except (OSError, sqlite3.Error, StorageError) as error:
            raise CommandError(f"cannot use --data {arguments.data}: {error}") from None
    traders: SyntheticTraders | Replay
    try:
        if arguments.replay is None:
            traders = SyntheticTraders(exchange, arguments.seed)
        else:
            position = storage.get_meta(POSITION_KEY) if storage is not None else None
            traders = Replay(exchange, read(arguments.replay), position)
    except (RecordingError, OSError) as error:
        raise CommandError(f"cannot replay {arguments.replay}: {error}") from None
    runtime = Runtime(
        exchange,
        traders,
        clock,
        storage=storage,
        private_binary=arguments.private_encoding == "sbe",
    )
    server = Server(
        runtime,
        host=arguments.host,
        port=arguments.port,
        control=not arguments.no_control,
        keys=keys,
        limits=not arguments.no_limits,
    )
    try:
        await server.start()
    except OSError as error:
        await server.stop()
        reason = os.strerror(error.errno) if error.errno else str(error)
        advice = f"; --port 0 takes a free one, then set {URL_VARIABLE}" if error.errno == errno.EADDRINUSE else ""
        raise CommandError(f"cannot listen on {arguments.host} port {arguments.port}: {reason}{advice}") from None
    stop = asyncio.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    # Code and restored histories stay: looking through them at each full collection would hold clients up.
    gc.collect()
    gc.freeze()
    print(f"ready {server.url}", flush=True)
    stopped, failed = asyncio.create_task(stop.wait()), asyncio.create_task(runtime.failure())
    try:
        await asyncio.wait({stopped, failed}, return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            failed.result()
    finally:
        for task in (stopped, failed):
            task.cancel()
        await asyncio.gather(stopped, failed, return_exceptions=True)
        await server.stop()
    return 0


def _lock_directory(directory: Path) -> None:
    """Keeps a second sandbox out of `directory` for as long as this process lives."""
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise CommandError(f"another sandbox is using --data {directory}") from None


_MAIN_HELP = """\
A local Paradex: the same REST, WebSocket, binary frames and signatures, on your
own machine. Free, offline, with other traders to trade with, a clock that you
can stop and step, and faults on request.
"""
_MAIN_EXAMPLES = f"""\
a first session:
  paradex-sandbox serve                     prints: ready {DEFAULT_URL}
  paradex-sandbox account                   in another terminal: keys of a funded account
  open {DEFAULT_URL.removesuffix("/v1")}/               markets, book, trades, accounts, faults, live

Then give a bot the address, account_address and api_secret. It trades with real
signatures and verified limits; the keys open nothing outside this sandbox.

`paradex-sandbox COMMAND --help` tells more; the guide is docs/sandbox.md.
"""
_SERVE_EXAMPLES = f"""\
examples:
  paradex-sandbox serve --data ~/sandbox    everything survives a restart
  paradex-sandbox serve --seed 7 --start-at 2026-01-05T00:00:00Z --frozen
                                            the same market each time, for tests
  paradex-sandbox serve --replay day.jsonl.gz
                                            a recorded day, see `paradex-sandbox record --help`

while it runs, from this machine:
  curl {DEFAULT_URL.removesuffix("/v1")}/sandbox/clock -d '{{"freeze": true}}'
  curl {DEFAULT_URL.removesuffix("/v1")}/sandbox/clock -d '{{"advance_ms": 3600000}}'
  curl {DEFAULT_URL.removesuffix("/v1")}/sandbox/faults -d '{{"kind": "order_answer_lost", "count": 1}}'
  curl {DEFAULT_URL.removesuffix("/v1")}/sandbox/faults/kinds     what else can go wrong
"""
_RECORD_EXAMPLES = f"""\
examples:
  paradex-sandbox record {DEFAULT_URL} hour.jsonl.gz --seconds 3600
  paradex-sandbox record URL day.jsonl.gz --markets BTC-USD-PERP,ETH-USD-PERP
  paradex-sandbox serve --replay day.jsonl.gz
"""


def _parser() -> argparse.ArgumentParser:
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="paradex-sandbox", description=_MAIN_HELP, epilog=_MAIN_EXAMPLES, formatter_class=as_written
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    serve = commands.add_parser(
        "serve",
        help="run a sandbox until Ctrl-C",
        description="Runs a sandbox. Prints `ready http://HOST:PORT/v1` on standard output as soon as it answers.",
        epilog=_SERVE_EXAMPLES,
        formatter_class=as_written,
    )
    where = serve.add_argument_group("where it listens")
    where.add_argument("--host", default="127.0.0.1", help="address; others than this machine's trust everybody there")
    where.add_argument("--port", type=_port, default=DEFAULT_PORT, help="0 takes any free one (default %(default)s)")
    market = serve.add_argument_group("which market")
    market.add_argument("--seed", type=int, default=1, metavar="N", help="same seed, same market (default %(default)s)")
    market.add_argument("--markets", type=Path, metavar="FILE", help="markets to list, instead of the built-in ones")
    market.add_argument("--replay", type=Path, metavar="FILE", help="play a recording instead of the synthetic traders")
    clock = serve.add_argument_group("its clock")
    clock.add_argument("--start-at", type=_time, metavar="TIME", help="where it starts (default: now, in real time)")
    clock.add_argument("--frozen", action="store_true", help="it stands still until it is stepped")
    keeping = serve.add_argument_group("what it keeps")
    keeping.add_argument("--data", type=Path, metavar="DIR", help="keep everything there across restarts")
    ways = serve.add_argument_group("how it behaves")
    ways.add_argument("--no-limits", action="store_true", help="no rate limits, for load tests")
    ways.add_argument(
        "--no-control", action="store_true", help="no control surface at /sandbox: no accounts, no faults"
    )
    ways.add_argument(
        "--private-encoding",
        choices=("json", "sbe"),
        default="json",
        help="how orders, fills, positions and account are streamed (default %(default)s)",
    )

    record = commands.add_parser(
        "record",
        help="record the market data of a running server",
        description="Records book, trades and marks from any server that speaks Paradex, for `serve --replay`.",
        epilog=_RECORD_EXAMPLES,
        formatter_class=as_written,
    )
    record.add_argument("url", metavar="URL", help="REST or WebSocket address of the server")
    record.add_argument("file", type=Path, metavar="FILE", help="what to write; compressed if it ends in .gz")
    record.add_argument("--markets", default="BTC-USD-PERP", help="names, with commas between (default %(default)s)")
    record.add_argument("--seconds", type=_seconds, metavar="N", help="how long (default until Ctrl-C)")

    account = commands.add_parser(
        "account",
        help="create a funded account on a running sandbox",
        description=(
            "Creates a funded account with a registered subkey and prints its keys as one JSON object. A bot gets "
            "account_address and api_secret, the subkey's key, which trades and cannot withdraw."
        ),
    )
    account.add_argument(
        "--url",
        default=os.environ.get(URL_VARIABLE) or DEFAULT_URL,
        help=f"address of the sandbox, with or without /v1 (default ${URL_VARIABLE}, or {DEFAULT_URL})",
    )
    account.add_argument("--usdc", type=_usdc, metavar="AMOUNT", help="how much it is funded with (default 100000)")
    return parser


def _port(text: str) -> int:
    if text.isdecimal() and int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")


def _time(text: str) -> int:
    """Microseconds since the epoch."""
    with suppress(ValueError, OverflowError):
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        if moment.year >= _FIRST_YEAR:
            return int(moment.timestamp()) * 1_000_000
    raise argparse.ArgumentTypeError(f"{text!r} is not a time from {_FIRST_YEAR} on, as 2026-01-05T00:00:00Z")


def _seconds(text: str) -> float:
    with suppress(ValueError):
        seconds = float(text)
        if 0 < seconds < float("inf"):
            return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")


def _usdc(text: str) -> Decimal:
    with suppress(InvalidOperation):
        amount = Decimal(text)
        if amount.is_finite() and amount >= 0:
            return amount
    raise argparse.ArgumentTypeError(f"{text!r} is not an amount")
