"""How fast is the sandbox? Orders through REST and in batches, stream messages to 20 clients, memory over hours.

    python -m benchmarks.sandbox [--repeats 5] [--orders 1000] [--stream-seconds 60] [--minutes 180] [--data] [--trace]

A sandbox runs in a process of its own, on a free port of the loopback interface; this process is all of its clients.
Orders are signed before the clock starts and verified by the server, as always. They are post-only and far enough from
the market to rest, spread over several accounts and all perpetuals, and are cancelled between the repeats. The streams
are measured with the sandbox's clock stepped, so that the exchange says what it has to say as fast as it can; the
number is what arrived at all clients together. The first round of each is a warm-up and does not count.

Memory is measured once every history is as long as it gets: the exchange starts with a week of minutes, an account
trades until its orders, fills and funding payments are at their bounds, and the markets live on until their trades are.
Then all go on for hours, and the number is what memory grows by in one, after garbage collection and after giving free
memory back. How many blocks of memory Python has in use says whether growth hides in what was free before. `--trace`
adds the bytes of Python's objects.

Ends by itself after a few minutes.
"""

import argparse
import asyncio
import itertools
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, ROUND_UP, Decimal
from pathlib import Path
from typing import Any

import aiohttp
import fast_stark_crypto
import psutil

from benchmarks._report import Figure, percentile, print_report, progress
from paradex_sandbox.api import stark

ROOT = Path(__file__).parents[1]
ACCOUNTS = 8
CLIENTS = 20
BATCH = 10
#: Requests that are on their way at the same time.
IN_FLIGHT = 8
_READY_SECONDS = 60
#: Id of the request whose answer marks the end of what was sent.
_LAST = "last"
_MEBIBYTE = 1024 * 1024
#: MiB an hour that count as flat.
MEMORY_AIM = 1.0
#: Percent an hour that do, of the number of Python's memory blocks.
BLOCKS_AIM = 1.0
#: How often memory is looked at, in minutes of the sandbox's time, and the rounds of trading before each look.
SAMPLE_MINUTES = 10
ROUNDS = 20
#: The position that the account has all the time, in orders of the smallest size.
BASE_POSITION = 100

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Market:
    """What an order in a market must respect, and a price below the market at which it rests."""

    symbol: str
    size: Decimal
    price: Decimal
    tick: Decimal


class Trader:
    """An account that signs by itself."""

    def __init__(self, exchange: "Exchange", keys: dict[str, str]):
        self.address = keys["account_address"]
        self.token = ""
        self._exchange = exchange
        self._secret = int(keys["api_secret"], 16)
        self._key = keys["api_public_key"]
        self._ids = itertools.count()

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def login(self) -> None:
        """Fetches a token, which is good for five minutes of the sandbox's time."""
        now = await self._exchange.now_ms() // 1000
        message = stark.auth_message_hash(
            chain_id=self._exchange.chain_id, account=int(self.address, 16), timestamp=now, expiration=now + 3600
        )
        headers = {
            "PARADEX-STARKNET-ACCOUNT": self.address,
            "PARADEX-STARKNET-SIGNATURE": self._sign(message),
            "PARADEX-TIMESTAMP": str(now),
            "PARADEX-SIGNATURE-EXPIRATION": str(now + 3600),
        }
        self.token = (await self._exchange.call("POST", f"/auth/{self._key}", headers=headers))["jwt_token"]

    def market_order(self, market: Market, side: str, timestamp: int) -> Json:
        """A signed MARKET order."""
        return self._order(market, side, "MARKET", Decimal(0), timestamp)

    def order(self, market: Market, level: int, timestamp: int) -> Json:
        """A signed order, `level` ticks below the market's resting price."""
        price = market.price - level * market.tick
        return {
            **self._order(market, "BUY", "LIMIT", price, timestamp),
            "price": format(price, "f"),
            "instruction": "POST_ONLY",
        }

    def _order(self, market: Market, side: str, order_type: str, price: Decimal, timestamp: int) -> Json:
        message = stark.order_message_hash(
            chain_id=self._exchange.chain_id,
            account=int(self.address, 16),
            timestamp=timestamp,
            market=market.symbol,
            side=side,
            order_type=order_type,
            size=market.size,
            price=price,
        )
        return {
            "market": market.symbol,
            "side": side,
            "type": order_type,
            "size": format(market.size, "f"),
            "instruction": "GTC",
            "client_id": f"bench-{next(self._ids)}",
            "signature": self._sign(message),
            "signature_timestamp": timestamp,
        }

    def _sign(self, message: int) -> str:
        return json.dumps([str(part) for part in fast_stark_crypto.sign(self._secret, message)])


class Exchange:
    """A running sandbox, seen from outside."""

    def __init__(self, process: asyncio.subprocess.Process, session: aiohttp.ClientSession, url: str):
        self.url = url
        self.session = session
        self.chain_id = 0
        self.markets: list[Market] = []
        self.traders: list[Trader] = []
        self._server = process
        self._process = psutil.Process(process.pid)

    async def call(self, method: str, path: str, **options: Any) -> Any:
        """A request that must succeed; `path` is below /v1, or /sandbox as it is."""
        url = self.url.removesuffix("/v1") + path if path.startswith("/sandbox") else self.url + path
        async with self.session.request(method, url, **options) as response:
            text = await response.text()
            if response.status >= 300:
                raise RuntimeError(f"{method} {path}: HTTP {response.status} {text}")
            return json.loads(text) if text else None

    async def now_ms(self) -> int:
        """The sandbox's time."""
        return (await self.call("GET", "/sandbox/clock"))["now"]

    async def clock(self, **change: Any) -> None:
        """Freezes, steps or lets go."""
        await self.call("POST", "/sandbox/clock", json=change)

    def cpu_seconds(self) -> float:
        """CPU time that the server has used."""
        times = self._process.cpu_times()
        return times.user + times.system

    async def memory(self) -> Json:
        """What the server says of its memory, see `_measured_sandbox`."""
        assert self._server.stdout is not None
        self._process.send_signal(signal.SIGUSR1)
        figures: Json = json.loads(await asyncio.wait_for(self._server.stdout.readline(), _READY_SECONDS))
        return figures

    async def prepare(self) -> None:
        """Reads the markets and opens the accounts."""
        self.chain_id = stark.short_string((await self.call("GET", "/system/config"))["starknet_chain_id"])
        await self.read_markets()
        for _ in range(ACCOUNTS):
            self.traders.append(Trader(self, await self.call("POST", "/sandbox/accounts", json={"usdc": "10000000"})))
        await self.login()

    async def read_markets(self) -> None:
        """Takes the prices at which orders rest from where the marks are now."""
        marks = {
            summary["symbol"]: Decimal(summary["mark_price"])
            for summary in (await self.call("GET", "/markets/summary", params={"market": "ALL"}))["results"]
        }
        markets = (await self.call("GET", "/markets"))["results"]
        self.markets = [
            resting(market, marks[market["symbol"]]) for market in markets if market["asset_kind"] == "PERP"
        ]

    async def login(self) -> None:
        """Fresh tokens for everybody."""
        for trader in self.traders:
            await trader.login()

    async def cancel_all(self) -> None:
        """Nobody has an open order afterwards."""
        for trader in self.traders:
            await self.call("DELETE", "/orders", headers=trader.headers)


def resting(market: Json, mark: Decimal) -> Market:
    """An order that rests, 3 % below the mark, of the smallest size that the market takes."""
    tick, step = Decimal(market["price_tick_size"]), Decimal(market["order_size_increment"])
    price = (mark * Decimal("0.97") / tick).to_integral_value(rounding=ROUND_FLOOR) * tick
    notional = Decimal(market["min_notional"]) * Decimal("1.2")
    size = (notional / price / step).to_integral_value(rounding=ROUND_UP) * step
    return Market(market["symbol"], size, price, tick)


@asynccontextmanager
async def running(data: bool, *options: str) -> AsyncIterator[Exchange]:
    """A sandbox in a process of its own, with accounts; `data` lets it store everything.

    The `options` are those of `_measured_sandbox`.
    """
    with tempfile.TemporaryDirectory() as folder:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks._measured_sandbox", *options, "serve", "--port", "0"),
            *(("--data", folder) if data else ()),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), _READY_SECONDS)
            ready, _, url = line.decode().strip().partition(" ")
            if ready != "ready":
                raise RuntimeError("the sandbox did not start")
            timeout = aiohttp.ClientTimeout(total=600)
            async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
                exchange = Exchange(process, session, url)
                await exchange.prepare()
                yield exchange
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()


# ---- Orders


async def orders(
    exchange: Exchange, count: int, send: Callable[[Trader, Sequence[Json]], Awaitable[None]], size: int
) -> tuple[float, float, list[float]]:
    """Sends `count` orders, `size` in one request.

    Returns orders per second, the server's CPU milliseconds per order, and the seconds of each request.
    """
    now = await exchange.now_ms()
    jobs = []
    levels = {
        (trader.address, market.symbol): itertools.count() for trader in exchange.traders for market in exchange.markets
    }
    for number in range(count // size):
        trader = exchange.traders[number % len(exchange.traders)]
        market = exchange.markets[number // len(exchange.traders) % len(exchange.markets)]
        level = levels[trader.address, market.symbol]
        # As makers do it: a batch is about one market and of one moment, and no two requests are of the same.
        jobs.append((trader, [trader.order(market, next(level), now - number) for _ in range(size)]))
    waiting = iter(jobs)
    times: list[float] = []

    async def client() -> None:
        for trader, batch in waiting:
            start = time.perf_counter()
            await send(trader, batch)
            times.append(time.perf_counter() - start)

    used, start = exchange.cpu_seconds(), time.perf_counter()
    await asyncio.gather(*(client() for _ in range(IN_FLIGHT)))
    elapsed, used = time.perf_counter() - start, exchange.cpu_seconds() - used
    await exchange.cancel_all()
    sent = len(jobs) * size
    return sent / elapsed, used * 1000 / sent, times


async def measure_orders(exchange: Exchange, count: int, repeats: int) -> list[Figure]:
    """Orders one by one and in batches."""

    async def single(trader: Trader, batch: Sequence[Json]) -> None:
        await exchange.call("POST", "/orders", json=batch[0], headers=trader.headers)

    async def together(trader: Trader, batch: Sequence[Json]) -> None:
        await send_batch(exchange, trader, batch)

    figures = []
    for key, title, send, size, aim in (
        ("rest", "REST", single, 1, 400.0),
        ("batch", f"batches of {BATCH}", together, BATCH, 1000.0),
    ):
        rates, costs, medians, tails = [], [], [], []
        for repeat in range(repeats + 1):
            progress(f"orders, {title}: round {repeat} of {repeats}")
            await exchange.login()
            rate, cost, times = await orders(exchange, count, send, size)
            if repeat:
                rates.append(rate)
                costs.append(cost)
                medians.append(percentile(times, 0.5) * 1000)
                tails.append(percentile(times, 0.99) * 1000)
        busy = f"{title}, {IN_FLIGHT} requests in flight"
        figures += [
            Figure(f"{key}_orders_per_s", f"orders, {title}", "/s", tuple(rates), aim),
            Figure(f"{key}_cpu_ms_per_order", f"CPU time of the server for an order, {title}", "ms", tuple(costs)),
            Figure(f"{key}_p50_ms", f"p50 of a request, {busy}", "ms", tuple(medians)),
            Figure(f"{key}_p99_ms", f"p99 of a request, {busy}", "ms", tuple(tails)),
        ]
    return figures


async def measure_latency(exchange: Exchange, count: int, repeats: int) -> list[Figure]:
    """One order at a time: until the answer, and until the private stream says that it rests."""
    trader, market = exchange.traders[0], exchange.markets[0]
    answers: list[list[float]] = []
    updates: list[list[float]] = []
    async with exchange.session.ws_connect(
        f"{exchange.url}?sbeSchemaId=1&sbeSchemaVersion=2", max_msg_size=0
    ) as socket:
        for repeat in range(repeats + 1):
            progress(f"latency: round {repeat} of {repeats}")
            await exchange.login()
            await socket.send_json({"jsonrpc": "2.0", "id": 1, "method": "auth", "params": {"bearer": trader.token}})
            if repeat == 0:
                await socket.send_json(
                    {"jsonrpc": "2.0", "id": 2, "method": "subscribe", "params": {"channel": "orders.ALL"}}
                )
            answered, updated = [], []
            for level in range(count):
                order = trader.order(market, level, await exchange.now_ms())
                start = time.perf_counter()
                await exchange.call("POST", "/orders", json=order, headers=trader.headers)
                answered.append((time.perf_counter() - start) * 1000)
                await opened(socket, order["client_id"])
                updated.append((time.perf_counter() - start) * 1000)
            await exchange.cancel_all()
            if repeat:
                answers.append(answered)
                updates.append(updated)
    figures = []
    for key, title, rounds in (
        ("answer", "one order at a time: until its answer", answers),
        ("update", "one order at a time: until the stream says OPEN", updates),
    ):
        for share in (50, 99):
            values = tuple(percentile(times, share / 100) for times in rounds)
            figures.append(Figure(f"{key}_p{share}_ms", f"p{share}, {title}", "ms", values))
    return figures


async def opened(socket: aiohttp.ClientWebSocketResponse, client_id: str) -> None:
    """Waits for the message that the order is open."""
    async with asyncio.timeout(30):
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            data = json.loads(message.data).get("params", {}).get("data", {})
            if data.get("client_id") == client_id and data["status"] == "OPEN":
                return
    raise RuntimeError("the stream ended")


# ---- Streams


async def measure_stream(exchange: Exchange, seconds: int, repeats: int) -> list[Figure]:
    """Messages to all clients together while the exchange lives through `seconds`, as fast as it can."""
    counts = [0] * CLIENTS
    caught_up = [asyncio.Event() for _ in range(CLIENTS)]
    sockets: list[aiohttp.ClientWebSocketResponse] = []

    async def read(number: int, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                counts[number] += 1
            elif json.loads(message.data)["id"] == _LAST:
                caught_up[number].set()

    async def catch_up() -> None:
        # The answer comes after everything that was sent before it.
        for event, socket in zip(caught_up, sockets, strict=True):
            event.clear()
            await socket.send_json({"jsonrpc": "2.0", "id": _LAST, "method": "none"})
        for event in caught_up:
            await asyncio.wait_for(event.wait(), _READY_SECONDS)

    channels = ["bbo.ALL", "trades.ALL", "markets_summary"]
    channels += [f"order_book.{market.symbol}.deltas@15@50ms" for market in exchange.markets]
    rates: list[float] = []
    costs: list[float] = []
    speeds: list[float] = []
    async with AsyncExitStack() as stack:
        await exchange.clock(freeze=True)
        tasks = []
        for number in range(CLIENTS):
            url = f"{exchange.url}?sbeSchemaId=1&sbeSchemaVersion=2"
            socket = await stack.enter_async_context(exchange.session.ws_connect(url, max_msg_size=0))
            for index, channel in enumerate(channels):
                params = {"channel": channel}
                await socket.send_json({"jsonrpc": "2.0", "id": index, "method": "subscribe", "params": params})
            sockets.append(socket)
            tasks.append(asyncio.create_task(read(number, socket)))
            # Paradex takes 20 new connections a second, by its own clock.
            await exchange.clock(advance_ms=100)
        for repeat in range(repeats + 1):
            progress(f"stream: round {repeat} of {repeats}")
            await catch_up()
            before, used, start = sum(counts), exchange.cpu_seconds(), time.perf_counter()
            await exchange.clock(advance_ms=seconds * 1000)
            await catch_up()
            elapsed = time.perf_counter() - start
            used, received = exchange.cpu_seconds() - used, sum(counts) - before
            if repeat:
                rates.append(received / elapsed)
                costs.append(used * 1_000_000 / received)
                speeds.append(seconds / elapsed)
            if any(task.done() for task in tasks):
                raise RuntimeError(f"clients were cut off: {counts}")
        for task in tasks:
            task.cancel()
        await exchange.clock(freeze=False)
    return [
        Figure("stream_messages_per_s", f"stream messages to {CLIENTS} clients", "/s", tuple(rates), 20_000.0),
        Figure("stream_cpu_us_per_message", "CPU time of the server for a message", "µs", tuple(costs)),
        Figure("stream_speed", f"sandbox time with these {CLIENTS} clients, of real time", "x", tuple(speeds)),
    ]


# ---- Memory


async def measure_memory(exchange: Exchange, warm_up_hours: int, rounds: int, minutes: int) -> list[Figure]:
    """What memory grows by in `minutes` of trading, once all histories are as long as they get.

    Those of the markets' minutes are so from the start; `rounds` of trading fill those of the account, and
    `warm_up_hours` those of the trades.
    """
    await exchange.clock(freeze=True)
    trader = exchange.traders[0]
    await exchange.read_markets()
    # A position whose funding never rounds to nothing: each of its changes is a payment.
    await trader.login()
    now = await exchange.now_ms()
    base = [replace(market, size=market.size * BASE_POSITION) for market in exchange.markets]
    await send_batch(exchange, trader, [trader.market_order(market, "BUY", now) for market in base])
    for start in range(0, rounds, ROUNDS):
        progress(f"memory: {start} of {rounds} rounds of trading, for the account's histories")
        await trade(exchange, trader, min(ROUNDS, rounds - start))
    # Last, and in steps that are lived through like those below: how many trades share a price depends on that.
    for hour in range(warm_up_hours):
        progress(f"memory: hour {hour} of {warm_up_hours} of the markets, for the histories of trades")
        await exchange.clock(advance_ms=3_600_000)
    start_time = time.perf_counter()
    samples = [await exchange.memory()]
    for minute in range(0, minutes, SAMPLE_MINUTES):
        progress(f"memory: {minute} of {minutes} minutes, {samples[-1]['rss'] / _MEBIBYTE:.1f} MiB")
        await trade(exchange, trader, ROUNDS)
        await exchange.clock(advance_ms=SAMPLE_MINUTES * 60_000 - ROUNDS * 1000)
        samples.append(await exchange.memory())
    elapsed = time.perf_counter() - start_time
    await exchange.clock(freeze=False)
    per_hour = 60 / SAMPLE_MINUTES
    resident = [sample["rss"] / _MEBIBYTE for sample in samples]
    blocks = [float(sample["blocks"]) for sample in samples]
    filled = samples[0]["filled"]
    progress(f"memory: how full the histories were, {json.dumps(filled)}")
    figures = [
        Figure(
            "history_filled_percent",
            "the least full of all histories, of its bound",
            "%",
            (min(filled.values()) * 100,),
            100.0,
        ),
        Figure("memory_start_mib", "memory with full histories", "MiB", (resident[0],)),
        Figure("memory_end_mib", f"memory after {minutes} more minutes of trading", "MiB", (resident[-1],)),
        Figure(
            "memory_growth_mib_per_h",
            "growth of memory in these minutes (slope)",
            "MiB/h",
            (slope(resident) * per_hour,),
            MEMORY_AIM,
            lower_is_better=True,
        ),
        Figure(
            "blocks_growth_percent_per_h",
            "growth of the number of Python's memory blocks (slope)",
            "%/h",
            (slope(blocks) * per_hour / blocks[0] * 100,),
            BLOCKS_AIM,
            lower_is_better=True,
        ),
        Figure("hour_speed", "sandbox time of these minutes, of real time", "x", (minutes * 60 / elapsed,)),
    ]
    if "traced" in samples[0]:
        traced = [sample["traced"] / _MEBIBYTE for sample in samples]
        figures += [
            Figure("traced_start_mib", "bytes of Python's objects with full histories", "MiB", (traced[0],)),
            Figure(
                "traced_growth_mib_per_h",
                "growth of these bytes (slope)",
                "MiB/h",
                (slope(traced) * per_hour,),
                MEMORY_AIM,
                lower_is_better=True,
            ),
        ]
    return figures


async def trade(exchange: Exchange, trader: Trader, rounds: int) -> None:
    """Every second of `rounds` the account takes in each market; in every fourth it quotes there for a moment."""
    await trader.login()
    await exchange.read_markets()
    now = await exchange.now_ms()
    for number in range(rounds):
        side = ("BUY", "SELL")[number % 2]
        await send_batch(exchange, trader, [trader.market_order(market, side, now) for market in exchange.markets])
        if number % 4 == 0:
            await send_batch(exchange, trader, [trader.order(market, 0, now) for market in exchange.markets])
            await exchange.call("DELETE", "/orders", headers=trader.headers)
        await exchange.clock(advance_ms=1000)
        now += 1000


async def send_batch(exchange: Exchange, trader: Trader, batch: Sequence[Json]) -> None:
    """Sends a batch, of which every order must be accepted."""
    answer = await exchange.call("POST", "/orders/batch", json=list(batch), headers=trader.headers)
    if len(answer["orders"]) != len(batch):
        raise RuntimeError(f"a batch was not taken whole: {answer}")


def slope(values: Sequence[float]) -> float:
    """The least-squares slope of equally spaced values, per step."""
    middle = (len(values) - 1) / 2
    mean = sum(values) / len(values)
    spread = sum((index - middle) ** 2 for index in range(len(values)))
    return sum((index - middle) * (value - mean) for index, value in enumerate(values)) / spread if spread else 0.0


class OtherLoad:
    """How much of the machine other programs used meanwhile: above a few percent, the rates say little."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._busy = self._busy_seconds()

    def figure(self) -> Figure:
        """The share of all CPUs, in percent, that neither this process nor a server of its was using."""
        # Of children that have ended, the system keeps the sum.
        own = os.times()
        ours = own.user + own.system + own.children_user + own.children_system
        elapsed = (time.perf_counter() - self._start) * (os.cpu_count() or 1)
        share = max(0.0, self._busy_seconds() - self._busy - ours) / elapsed * 100
        return Figure("other_load_percent", "load of other programs meanwhile, of all CPUs", "%", (share,))

    @staticmethod
    def _busy_seconds() -> float:
        times = psutil.cpu_times()
        return float(sum(times) - times.idle - getattr(times, "iowait", 0.0))


async def run(arguments: argparse.Namespace) -> list[Figure]:
    """All measurements; memory on a fresh sandbox, so that what came before is not counted."""
    load = OtherLoad()
    figures: list[Figure] = []
    async with running(arguments.data) as exchange:
        figures += await measure_orders(exchange, arguments.orders, arguments.repeats)
        figures += await measure_latency(exchange, min(100, arguments.orders), arguments.repeats)
    async with running(arguments.data) as exchange:
        fresh = (await exchange.memory())["rss"] / _MEBIBYTE
        figures += await measure_stream(exchange, arguments.stream_seconds, arguments.repeats)
    figures.append(Figure("memory_fresh_mib", "memory after the start", "MiB", (fresh,)))
    async with running(arguments.data, "--week-old", *(("--trace",) if arguments.trace else ())) as exchange:
        figures += await measure_memory(exchange, arguments.warm_up_hours, arguments.warm_up_rounds, arguments.minutes)
    return [*figures, load.figure()]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sandbox", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5, help="rounds that count (default %(default)s)")
    parser.add_argument("--orders", type=int, default=1000, help="orders in a round (default %(default)s)")
    parser.add_argument(
        "--stream-seconds", type=int, default=60, help="seconds of sandbox time in a round (default %(default)s)"
    )
    parser.add_argument(
        "--minutes", type=int, default=180, help="of sandbox time in which memory is measured (default %(default)s)"
    )
    parser.add_argument(
        "--warm-up-hours", type=int, default=3, help="before, for the histories of trades (default %(default)s)"
    )
    parser.add_argument(
        "--warm-up-rounds", type=int, default=1200, help="of trading before, for the account's (default %(default)s)"
    )
    parser.add_argument("--trace", action="store_true", help="trace Python's memory too: slow")
    parser.add_argument("--data", action="store_true", help="let the sandbox store everything, in a temporary folder")
    figures = asyncio.run(run(parser.parse_args(argv)))
    print_report("Sandbox", figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
