"""How long does it take from `buy()` to the exchange's acceptance, and to replace a ladder of 20 quotes?

    python -m benchmarks.order_path [--repeats 3] [--samples 10] [--stall-seconds 1.5] [--plots DIR] [--without-peers]

Ours is the connector as a bot runs it: from `buy()`, as a strategy calls it, until the last byte is written, and until
Hummingbot's created event; once with orders over REST and once over the socket. The server, in a process of its own,
takes every order without looking at it (`benchmarks._venue`), so that the time is the client's; the rows "on the
sandbox" are of an exchange that verifies and matches. Orders at once are orders of one moment: what can go as a batch
does. A ladder of 20 is replaced by cancelling 20 orders and placing 20 new ones, and has been when all are known to be;
modified in place is the same with `modify_order`, of which Paradex takes one order in a request.

The peers do it the best way that they offer: paradex-py with its REST client and with its socket, in batches; ccxt's
asynchronous client, in batches; Hummingbot's `hyperliquid_perpetual`, on the same server, which answers it as
Hyperliquid does: one request for each order, and a signature of another kind (ECDSA over secp256k1, of a message that
is hashed with Keccak), which has to be made for each order as well. Each has a process of its own.

The floor is aiohttp alone, which posts bodies that are signed already, one for each order; with all in batches it is
given as well, though that leaves nothing to be done but to post. It is given a third time signing each body with our
signer before it posts it, for that is the least that a client can do which is not told the signatures.

The time line is of one order over the socket, after a pause in which the caches have forgotten it: the CPU time from
one station to the next, without waiting, the median of each. A signature is nine Pedersen hashes and a multiplication
on the curve; fast-stark-crypto does them in 0.5 ms at best, a third slower out of cold caches, and it keeps the GIL.
That alone is as much as aiohttp needs for its whole request: a bare client that signs is itself beyond 1.5 times the
floor, as its row shows, and nothing that has to sign can reach that for one order. It is the comparison with that
client which says what the connector adds: Hummingbot's client id, tracking and events, the checks, and the limiter.
Orders of one moment share hashes and requests; ten and a hundred are to be compared with it, too.

Tried, and measured here: signing in a thread, which lets nothing else run meanwhile and comes back through the loop;
and signing with nonces whose curve points were computed ahead, which leaves the hashes and a modular multiplication.
That is not what the connector does: a nonce that is used twice, after a fork or in a virtual machine that is restored
from a snapshot, gives the key away, and RFC 6979, which derives it from the message, cannot fail like that. REST in
place of the socket is a row of its own. What the measurements have taken away: the passes of the event loop between
signing and writing and between an update and its event, copies of the tracked orders, and reading a number twice.

Times are of the clock on the wall, on CPUs that the server shares; each figure is the median of its round's samples;
the rounds of all take turns, and the first does not count. CPU time is that of the client's process; on a busy machine
it is the one to look at.

The stall is the longest time, in CPU time, for which the loop does not come round to its timers while 50 orders a
second are replaced, five ladders of ten, from `cancel()` and `buy()` to the events; with our signer, and with the SDK's
on the loop.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import fast_stark_crypto
from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_constants as CONSTANTS
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_auth import FastSigner, Signer
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_utils import Settings
from hummingbot.core.clock import Clock, ClockMode
from hummingbot.core.data_type.common import OrderType, PositionAction
from hummingbot.core.event.event_forwarder import EventForwarder
from hummingbot.core.event.events import MarketEvent
from hummingbot.core.web_assistant.connections.connections_factory import ConnectionsFactory

from benchmarks import _plot
from benchmarks._peers import Peer, PeerMissingError
from benchmarks._report import Figure, print_report, progress
from benchmarks._stalls import Stalls, paced
from benchmarks._venue import SYMBOL, token
from benchmarks.peers import _wire
from benchmarks.sandbox import Exchange, running
from benchmarks.signing import ACCOUNT, CHAIN, KEY, InlineSdk

ROOT = Path(__file__).parents[1]
COUNTS = (1, 10, 100)
LEVELS = 20
BATCH = 10
STALL_RATE = 50
_PAIR = "BTC-USDC"
_READY_SECONDS = 30
#: What only takes part where it is asked to.
OURS = {"ours_rest": "ours over REST", "ours_socket": "ours over the socket"}
WAYS = {"ours_rest": CONSTANTS.ORDER_ENTRY_REST, "ours_socket": CONSTANTS.ORDER_ENTRY_WEBSOCKET}
FLOORS = {
    "floor": "aiohttp alone, a post for each order",
    "floor_batch": "aiohttp alone, in batches",
    "floor_signed": "aiohttp alone, which signs each",
}
WHY = {
    "times_floor": "A bare post is told its signature; whoever has to make it needs more than 1.5 times as long before "
    'it has done anything else, as the row "which signs each, to aiohttp alone" shows. Beside that '
    "client, which does nothing but sign and post, ours takes about as long, as its rows show, and tracks the "
    "orders and tells the strategy of them. The time line below says where one order's time goes. Tried, in "
    "rows of their own: signing in a thread, no gain; nonces computed ahead, quicker, and left out because a "
    "nonce that is used twice gives the key away.",
    "ratio_paradex_py": "Twenty signatures are about half of it, two thirds of that the Pedersen hashes, in C and "
    "made once where the orders share them; the rest is Hummingbot's tracking and events of forty orders, "
    "cancelled and new. Tried: nonces computed ahead take 5.6 ms of the ladder, which makes it 6.9 times "
    "as fast as paradex-py, and are left out because a nonce that is used twice gives the key away.",
}
#: Ours over the socket in other ways.
TRIED = {"tried_thread": "tried: signing in a thread", "tried_nonce": "tried: nonces computed ahead"}
PEERS = {
    "paradex_py": ("paradex_py_orders", {"way": "rest"}, "paradex-py over REST"),
    "paradex_py_socket": ("paradex_py_orders", {"way": "socket"}, "paradex-py over the socket"),
    "ccxt": ("ccxt_orders", {}, "ccxt"),
    "hyperliquid": ("hyperliquid_orders", {}, "Hummingbot's hyperliquid_perpetual"),
}
#: The stations of one order, and what is done on the way to each.
STATIONS = {
    "bought": "buy(): a client id and a task",
    "submitted": "tracking, rounding and checks",
    "signing": "its turn: the batch and the rate limiter",
    "signed": "the signature",
    "written": "JSON, until the last byte is written",
    "told": "the answer, the tracker, until the created event",
}
#: How many times fewer samples than ours: it takes so much longer.
_FEWER = {"ccxt": 5}
Job = dict[str, Any]
Found = dict[str, list[list[float]]]


class ThreadSigner(FastSigner):
    """Signs in the connector's thread."""

    is_quick = False


class NonceAheadSigner(FastSigner):
    """Signs with a nonce whose point was computed ahead: always the same one, which gives the key away."""

    _ORDER = 0x0800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F  # of the curve's group
    _NONCE = 0x123456789ABCDEF123456789ABCDEF

    def __init__(self, chain_id: str, api_secret: str, account_address: str):
        super().__init__(chain_id, api_secret, account_address)
        self._r = fast_stark_crypto.get_public_key(self._NONCE)
        self._inverse = pow(self._NONCE, -1, self._ORDER)

    def _sign(self, message_hash: int) -> str:
        return f'["{self._r}","{(message_hash + self._r * self._key) * self._inverse % self._ORDER}"]'


class Ours:
    """The connector as a bot runs it, and how many of its orders' events are awaited.

    :param url: of the exchange
    :param job: the credentials and the order
    :param way: `rest` or `websocket`
    """

    def __init__(self, url: str, job: Job, way: str):
        os.environ[CONSTANTS.SANDBOX_URL_VARIABLE] = url
        self._job = job
        self.connector = ParadexPerpetualDerivative(
            paradex_perpetual_api_secret=job["key"],
            paradex_perpetual_account_address=job["account"],
            trading_pairs=[_PAIR],
            domain=CONSTANTS.SANDBOX_DOMAIN,
            paradex_perpetual_order_entry=way,
        )
        self._clock = Clock(ClockMode.REALTIME, tick_size=1.0)
        self._awaited = 0
        self._all_there = asyncio.Event()
        self._failures: list[Any] = []
        self._passed: dict[str, float] = {}  # by station, CPU seconds of this thread
        self._listener = EventForwarder(self._on_event)
        for event in (MarketEvent.BuyOrderCreated, MarketEvent.OrderCancelled, MarketEvent.OrderFailure):
            self.connector.add_listener(event, self._listener)

    def _on_event(self, event: Any) -> None:
        self._pass("told")
        if type(event).__name__ == "MarketOrderFailureEvent":
            self._failures.append(event)
            self._all_there.set()
        self._awaited -= 1
        if not self._awaited:
            self._all_there.set()

    async def __aenter__(self) -> "Ours":
        self._clock.add_iterator(self.connector)
        self._clock.__enter__()
        self._ticking = asyncio.create_task(self._clock.run())
        for _ in range(_READY_SECONDS * 10):
            if self.connector.ready and self.connector._user_stream_tracker.data_source.session is not None:
                break
            await asyncio.sleep(0.1)
        else:
            raise RuntimeError(f"the connector does not get ready: {self.connector.status_dict}")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._clock.__exit__(None, None, None)
        self._ticking.cancel()
        await asyncio.gather(self._ticking, return_exceptions=True)
        await self.connector.stop_network()

    def price(self, level: int) -> Decimal:
        return Decimal(self._job["price"]) - level

    async def _heard_of_all(self) -> None:
        async with asyncio.timeout(60):
            await self._all_there.wait()
        if self._failures:
            raise RuntimeError(f"an order failed: {self._failures}")

    async def act(self, cancels: Sequence[str], count: int) -> list[str]:
        """Cancels and places, as a strategy does, and waits until it has heard of all."""
        self._awaited = len(cancels) + count
        self._all_there.clear()
        buy, cancel, size = self.connector.buy, self.connector.cancel, Decimal(self._job["size"])
        for order_id in cancels:
            cancel(_PAIR, order_id)
        options = {"position_action": PositionAction.OPEN}
        ids = [buy(_PAIR, size, OrderType.LIMIT_MAKER, self.price(level), **options) for level in range(count)]
        await self._heard_of_all()
        return ids

    async def modify(self, ids: Sequence[str], shift: int) -> None:
        """Moves all orders in place."""
        modify = self.connector.modify_order
        changes = [modify(order_id, price=self.price(level + shift)) for level, order_id in enumerate(ids)]
        await asyncio.gather(*changes)

    async def clear(self) -> None:
        """Nothing is open afterwards."""
        await self.connector.cancel_all_orders()
        for _ in range(1000):
            if not self.connector.in_flight_orders:
                return
            await asyncio.sleep(0.01)
        raise RuntimeError(f"orders stay open: {list(self.connector.in_flight_orders)}")

    async def measure(self, counts: Mapping[str, int], ladders: int) -> Found:
        """Samples by count of orders, and of ladders replaced and modified."""
        found: Found = {}
        for count, repeats in counts.items():

            def submit(_: int, count: int = int(count)) -> Callable[[], Awaitable[Any]]:
                return lambda: self.act([], count)

            found[count] = await _wire.repeated(submit, repeats)
            await self.clear()
        if ladders:
            resting = await self.act([], LEVELS)

            async def replace() -> None:
                nonlocal resting
                resting = await self.act(resting, LEVELS)

            found["ladder"] = await _wire.repeated(lambda _: replace, ladders)
            found["modified"] = await _wire.repeated(
                lambda number: lambda: self.modify(resting, 1 + number % 2), ladders
            )
            await self.clear()
        return found

    @contextmanager
    def signing_with(self, signer: Signer) -> Iterator[None]:
        auth = self.connector._auth
        usual, auth._signer = auth._signer, signer
        yield
        auth._signer = usual

    def _pass(self, station: str) -> None:
        self._passed[station] = time.thread_time()

    async def time_line(self, orders: int) -> dict[str, float]:
        """Microseconds of CPU time of one order from station to station, medians of one after the other."""
        connector, entry, signer = self.connector, self.connector._order_entry, self.connector._auth._signer
        assert signer is not None
        buy, submit, sign_order = connector.buy, entry.submit, signer.sign_order

        def bought(*arguments: Any, **options: Any) -> Any:
            order_id = buy(*arguments, **options)
            self._pass("bought")
            return order_id

        def submitted(request: Mapping[str, Any]) -> Awaitable[Any]:
            self._pass("submitted")
            return submit(request)

        def signed(request: Mapping[str, Any]) -> str:
            self._pass("signing")
            signature = sign_order(request)
            self._pass("signed")
            return signature

        stations = [(connector, "buy", bought), (entry, "submit", submitted), (signer, "sign_order", signed)]
        took: dict[str, list[float]] = {station: [] for station in STATIONS}
        for owner, name, function in stations:
            setattr(owner, name, function)
        try:
            for _ in range(orders):
                await asyncio.sleep(0.01)
                before = time.thread_time()
                await self.act([], 1)
                self._passed["written"] = _wire.cpu_when_written()
                for station in STATIONS:
                    took[station].append((self._passed[station] - before) * 1e6)
                    before = self._passed[station]
        finally:
            for owner, name, _ in stations:
                delattr(owner, name)
        await self.clear()
        return {station: median(values) for station, values in took.items()}

    async def stall(self, seconds: float) -> float:
        """The most CPU time between two runs of a timer, in ms, while ladders of ten were replaced."""
        resting = await self.act([], BATCH)

        async def replace() -> None:
            nonlocal resting
            resting = await self.act(resting, BATCH)

        async with Stalls() as stalls:
            await paced(replace, BATCH, STALL_RATE, seconds)
        await self.clear()
        return stalls.cpu * 1000


class Floor:
    """aiohttp alone: bodies that are signed already are posted, and their answers read as texts.

    :param signer: signs each body before it is posted; None if all are signed already
    """

    def __init__(self, session: aiohttp.ClientSession, job: Job, batched: bool, signer: Signer | None = None):
        self._session, self._job, self._batched, self._signer = session, job, batched, signer
        self._headers = {"Authorization": f"Bearer {job['token']}", "Content-Type": "application/json"}

    def _order(self, level: int) -> dict[str, Any]:
        return {
            "market": SYMBOL,
            "side": "BUY",
            "type": "LIMIT",
            "size": self._job["size"],
            "instruction": "POST_ONLY",
            "client_id": f"HBOTPBBCUC63c1cf0d4e1{level:04}",
            "recv_window": 10000,
            "price": str(Decimal(self._job["price"]) - level),
            "signature_timestamp": int(time.time() * 1e3),
            "signature": '["' + "1" * 75 + '","' + "2" * 75 + '"]',
        }

    def _bodies(self, count: int) -> list[tuple[str, str, Any]]:
        orders = [self._order(level) for level in range(count)]
        if self._batched:
            return [("POST", "/orders/batch", json.dumps(batch)) for batch in _wire.chunks(orders, BATCH)]
        return [("POST", "/orders", order if self._signer else json.dumps(order)) for order in orders]

    async def _send(self, method: str, path: str, body: Any) -> str:
        if self._signer is not None and not isinstance(body, str):
            body = json.dumps({**body, "signature": self._signer.sign_order(body)})
        async with self._session.request(method, self._job["url"] + path, data=body, headers=self._headers) as answer:
            return await answer.text()

    async def act(self, bodies: Sequence[tuple[str, str, Any]]) -> None:
        await asyncio.gather(*(self._send(*body) for body in bodies))

    async def measure(self, counts: Mapping[str, int], ladders: int) -> Found:
        found: Found = {}
        for count, repeats in [*counts.items(), ("ladder", ladders)]:

            def send(_: int, count: str = count) -> Callable[[], Awaitable[Any]]:
                bodies = self._bodies(LEVELS if count == "ladder" else int(count))
                if count == "ladder":
                    cancel = ("DELETE", "/orders/batch", json.dumps({"order_ids": ["0"] * BATCH}))
                    bodies = [*[cancel] * (LEVELS // BATCH), *bodies]
                return lambda: self.act(bodies)

            found[count] = await _wire.repeated(send, repeats)
            await self._send("DELETE", "/orders", "")
        return found


@asynccontextmanager
async def venue(exchange: Exchange) -> AsyncIterator[str]:
    """The address of a server that takes everything."""
    summaries = (await exchange.call("GET", "/markets/summary", params={"market": SYMBOL}))["results"]
    markets = (await exchange.call("GET", "/markets"))["results"]
    facts = {
        "markets": [market for market in markets if market["symbol"] == SYMBOL],
        "summary": summaries,
        "config": await exchange.call("GET", "/system/config"),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", "-m", "benchmarks._venue"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(facts).encode() + b"\n")
        line = await asyncio.wait_for(process.stdout.readline(), _READY_SECONDS)
        if not line:
            raise RuntimeError("the server did not start")
        yield line.decode().strip()
    finally:
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 10)
        if process.returncode is None:
            process.kill()
            await process.wait()


async def orders_of(exchange: Exchange) -> Job:
    """What everybody orders: some Bitcoin, 3 % below the mark."""
    market = next(market for market in exchange.markets if market.symbol == SYMBOL)
    config = await exchange.call("GET", "/system/config")
    return {
        "market": SYMBOL,
        "size": format(2 * market.size, "f"),
        "price": str(int(market.price)),
        "levels": LEVELS,
        "config": config,
    }


class Takings:
    """Medians of rounds: by contender, what was done, and what was timed; milliseconds."""

    def __init__(self) -> None:
        self._rounds: dict[tuple[str, str, str], list[float]] = {}

    def take(self, contender: str, found: Found) -> None:
        for act, samples in found.items():
            for kind, values in zip(("written", "accepted", "cpu"), zip(*samples, strict=True), strict=True):
                self._rounds.setdefault((contender, act, kind), []).append(median(values) * 1000)

    def figure(self, contender: str, act: str, kind: str, title: str) -> Figure | None:
        values = self._rounds.get((contender, act, kind))
        if values is None:
            return None
        return Figure(f"{contender}_{act}_{kind}_ms", title, "ms", tuple(values), lower_is_better=True)

    def ratio(self, key: str, title: str, over: tuple[str, str, str], under: tuple[str, str, str]) -> Figure | None:
        """Round by round."""
        if over not in self._rounds or under not in self._rounds:
            return None
        values = [mine / theirs for mine, theirs in zip(self._rounds[over], self._rounds[under], strict=True)]
        return Figure(key, title, "x", tuple(values))


def jobs(samples: int, contender: str, counts: Sequence[int] = COUNTS) -> dict[str, Any]:
    """How many samples a contender takes in a round."""
    samples = max(1, samples // _FEWER.get(contender, 1))
    return {
        "counts": {str(count): max(1, samples // (1, 3, 10)[len(str(count)) - 1]) for count in counts},
        "ladders": max(1, samples // 3),
    }


async def measure(options: argparse.Namespace) -> tuple[Takings, dict[str, list[float]], dict[str, str]]:
    """Everything once per repeat: what was taken, the stalls in ms and the time line in µs, and the peers' versions."""
    takings = Takings()
    stalls: dict[str, list[float]] = {}
    versions: dict[str, str] = {}
    peers = {} if options.without_peers else PEERS
    async with AsyncExitStack() as stack:
        exchange = await stack.enter_async_context(running(data=False))
        url = await stack.enter_async_context(venue(exchange))
        common = await orders_of(exchange)
        job = {**common, "url": url, "key": KEY, "account": ACCOUNT, "token": token(int(time.time()))}
        processes = stack.enter_context(ExitStack())
        asked = {
            name: processes.enter_context(Peer(module, own_environment=name == "ccxt"))
            for name, (module, _, _) in peers.items()
        }

        async def ask(name: str, work: Job) -> Found:
            # In a thread, so that the connectors here go on answering their servers' pings.
            answer = await asyncio.to_thread(asked[name].ask, {**work, **PEERS[name][1]})
            versions[name] = answer["version"]
            found: Found = answer["found"]
            return found

        session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100)))
        async with AsyncExitStack() as connectors:
            ours = {name: await connectors.enter_async_context(Ours(url, job, way)) for name, way in WAYS.items()}
            of_key = (CHAIN, KEY, ACCOUNT)
            signers: dict[str, Signer] = {"floor_signed": FastSigner(*of_key)}
            floors = {name: Floor(session, job, name == "floor_batch", signers.get(name)) for name in FLOORS}
            tried: dict[str, Signer] = {"tried_thread": ThreadSigner(*of_key), "tried_nonce": NonceAheadSigner(*of_key)}
            socket = ours["ours_socket"]
            usual = socket.connector._auth._signer
            assert usual is not None
            for repeat in range(options.repeats + 1):
                progress(f"order path: round {repeat} of {options.repeats}")
                samples, counts = (options.samples, COUNTS) if repeat else (1, COUNTS[:2])
                for name, contender in (ours | floors).items():
                    work = jobs(samples, name, counts)
                    found = await contender.measure(work["counts"], work["ladders"])
                    if repeat:
                        takings.take(name, found)
                for name, signer in tried.items():
                    with socket.signing_with(signer):
                        found = await socket.measure({"1": samples}, 0)
                    if repeat:
                        takings.take(name, found)
                for name in asked:
                    found = await ask(name, {**job, **jobs(samples, name, counts)})
                    if repeat:
                        takings.take(name, found)
                for name, signer in (("stall", usual), ("stall_sdk", InlineSdk(job["config"], KEY, ACCOUNT))):
                    with socket.signing_with(signer):
                        worst = await socket.stall(options.stall_seconds if repeat else 0)
                    if repeat:
                        stalls.setdefault(name, []).append(worst)
                for station, microseconds in (await socket.time_line(2 * samples)).items():
                    if repeat:
                        stalls.setdefault(f"line_{station}", []).append(microseconds)
        await measure_sandbox(options, exchange, common, takings, ask if asked else None)
    await ConnectionsFactory().close()
    return takings, stalls, versions


async def measure_sandbox(
    options: argparse.Namespace,
    exchange: Exchange,
    common: Job,
    takings: Takings,
    ask: Callable[[str, Job], Awaitable[Found]] | None,
) -> None:
    """The same on an exchange that verifies and matches, for ours and for paradex-py's REST client."""
    accounts = [await exchange.call("POST", "/sandbox/accounts", json={"usdc": "10000000"}) for _ in range(2)]
    async with AsyncExitStack() as connectors:
        ours = {}
        for (name, way), keys in zip(WAYS.items(), accounts, strict=True):
            job = {**common, "key": keys["api_secret"], "account": keys["account_address"]}
            ours[name] = await connectors.enter_async_context(Ours(exchange.url, job, way))
        for repeat in range(options.repeats + 1):
            progress(f"order path on the sandbox: round {repeat} of {options.repeats}")
            samples = options.samples if repeat else 1
            for name, contender in ours.items():
                work = jobs(samples, name, COUNTS[:2])
                found = await contender.measure(work["counts"], work["ladders"])
                if repeat:
                    takings.take(f"sandbox_{name}", found)
            if ask is not None:
                trader = exchange.traders[0]
                await trader.login()
                job = {**common, "url": exchange.url, "token": trader.token, "account": trader.address}
                job["key"] = hex(trader._secret)
                found = await ask("paradex_py", {**job, **jobs(samples, "paradex_py", COUNTS[:2])})
                if repeat:
                    takings.take("sandbox_paradex_py", found)


def figures(takings: Takings, stalls: Mapping[str, list[float]], versions: Mapping[str, str]) -> list[Figure]:
    """What is reported, the ratios round by round."""
    titles = OURS | FLOORS
    titles |= {name: f"{title} {versions[name]}" for name, (_, _, title) in PEERS.items() if name in versions}
    best = next(name for name, way in WAYS.items() if way == Settings().order_entry)
    found: list[Figure | None] = []
    titles |= TRIED
    for count in map(str, COUNTS):
        orders = "1 order" if count == "1" else f"{count} orders at once"
        for kind in ("written", "accepted"):
            for name, title in titles.items():
                found.append(takings.figure(name, count, kind, f"{orders}, {kind}, {title}"))
        for name, title in titles.items():
            found.append(takings.figure(name, count, "cpu", f"{orders}, CPU time, {title}"))
    for kind, suffix in (("accepted", ""), ("cpu", ", CPU time")):
        for name, title in titles.items():
            found.append(takings.figure(name, "ladder", kind, f"a ladder of {LEVELS} replaced{suffix}, {title}"))
    for kind, suffix in (("accepted", ""), ("cpu", ", CPU time")):
        for name, title in OURS.items():
            found.append(
                takings.figure(name, "modified", kind, f"a ladder of {LEVELS} modified in place{suffix}, {title}")
            )
    for kind, key, suffix in (("accepted", "", ""), ("cpu", "_cpu", ", CPU time")):
        title = f"a ladder cancelled and placed anew to one modified in place, ours, by default{suffix}"
        found.append(takings.ratio(f"times{key}_modified", title, (best, "ladder", kind), (best, "modified", kind)))
    for count in map(str, COUNTS):
        orders = "1 order" if count == "1" else f"{count} orders"
        suffix = "" if count == "1" else f"_{count}"
        for floor, aim in (("floor", 1.5), ("floor_batch", None), ("floor_signed", None)):
            for kind, key, of_what in (("accepted", "", ""), ("cpu", "cpu_", ", CPU time")):
                title = f"ours, by default, to {FLOORS[floor]}, {orders} accepted{of_what}"
                ratio = takings.ratio(f"times_{key}{floor}{suffix}", title, (best, count, kind), (floor, count, kind))
                found.append(_with_aim(ratio, aim if kind == "accepted" else None, lower_is_better=True))
        title = f"{FLOORS['floor_signed']}, to {FLOORS['floor']}, {orders} accepted"
        over, under = ("floor_signed", count, "accepted"), ("floor", count, "accepted")
        found.append(takings.ratio(f"times_signing{suffix}", title, over, under))
    for act in (*map(str, COUNTS), "ladder"):
        what = f"a ladder of {LEVELS}" if act == "ladder" else "1 order" if act == "1" else f"{act} orders"
        for name in PEERS:
            aim = 5.0 if act == "ladder" and name.startswith("paradex_py") else 1.0
            key = f"ratio_{name}" if act == "1" else f"ratio_{name}_{act}"
            title = f"{PEERS[name][2]} to ours, by default, {what}"
            ratio = takings.ratio(key, title, (name, act, "accepted"), (best, act, "accepted"))
            found.append(_with_aim(ratio, aim))
            key = key.replace("ratio_", "ratio_cpu_")
            found.append(takings.ratio(key, f"{title}, CPU time", (name, act, "cpu"), (best, act, "cpu")))
    for name, title in {**OURS, "paradex_py": titles.get("paradex_py", "")}.items():
        for act, what in (("1", "1 order"), ("10", "10 orders"), ("ladder", f"a ladder of {LEVELS} replaced")):
            found.append(takings.figure(f"sandbox_{name}", act, "accepted", f"on the sandbox, {what}, {title}"))
    stall = "longest stall of the loop, 50 orders/s replaced"
    found += [
        Figure("stall_ms", f"{stall}, ours", "ms", tuple(stalls["stall"]), 10.0, True),
        Figure("stall_paradex_py_ms", "the same, paradex-py signs on the loop", "ms", tuple(stalls["stall_sdk"])),
    ]
    for station, what in STATIONS.items():
        title = f"of 1 order over the socket, {what}, CPU time"
        found.append(Figure(f"line_{station}_us", title, "µs", tuple(stalls[f"line_{station}"])))
    return [figure for figure in found if figure is not None]


def _with_aim(figure: Figure | None, aim: float | None, lower_is_better: bool = False) -> Figure | None:
    if figure is None:
        return None
    return Figure(figure.key, figure.title, figure.unit, figure.values, aim, lower_is_better)


def plot(found: Sequence[Figure], folder: Path) -> None:
    """One order, and a ladder, by who does it."""
    medians = {figure.key: figure.median for figure in found}
    labels = {
        **OURS,
        "floor": "aiohttp alone",
        **{name: title.replace("Hummingbot's ", "") for name, (_, _, title) in PEERS.items()},
    }
    for act, path, title in (
        ("1", "order_path.svg", "One order, from buy() to its acceptance"),
        ("ladder", "order_path-ladder.svg", f"A ladder of {LEVELS} quotes replaced"),
    ):
        keys = {label: f"{name}_{act}_accepted_ms" for name, label in labels.items()}
        values = {label: medians[key] for label, key in keys.items() if key in medians}
        _plot.bars(folder / path, title, "ms", values, ours=2)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark; returns 0, or 1 if a peer is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.order_path", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=3, help="rounds that count (default %(default)s)")
    parser.add_argument("--samples", type=int, default=10, help="of one order, in a round (default %(default)s)")
    parser.add_argument("--stall-seconds", type=float, default=1.5, help="for the stall, a round (default %(default)s)")
    parser.add_argument("--plots", type=Path, help="folder for the plots")
    parser.add_argument("--without-peers", action="store_true", help="only ours and aiohttp alone")
    options = parser.parse_args(argv)
    logging.disable(logging.WARNING)  # what Hummingbot logs of an order is no part of this, nor of its peers' processes
    _wire.watch()
    try:
        takings, stalls, versions = asyncio.run(measure(options))
    except PeerMissingError as error:
        print(error, file=sys.stderr)
        return 1
    found = figures(takings, stalls, versions)
    if options.plots:
        plot(found, options.plots)
    print_report(f"Order path · hummingbot {version('hummingbot')}", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
