"""How many book messages does a core keep up with, and how long after a message has left is the book of it there?

    python -m benchmarks.book_stream [--repeats 3] [--count 2500] [--plots DIR] [--without-peers]

One server (`benchmarks._feed`), a process of its own, tells everybody the same books over a socket on the loopback
interface, in the words of the exchange that the client is made for: whole books of 15 levels a side, or changes of 3
levels, of 1, 20 and 200 markets. Each client is a process of its own: ours and Hummingbot's `hyperliquid_perpetual` and
`binance_perpetual` as Hummingbot runs them, counted in `OrderBook`; paradex-py's WebSocket client with SBE, which keeps
no books, counted in its callback; and ccxt.pro's Paradex client, counted where it has updated its book. Hyperliquid and
ccxt know only whole books; Binance tells 30 changed levels where the others get a whole book. "aiohttp alone" receives
our frames and looks at nothing but their number: what nobody on this socket can do without.

The rate is of CPU time: messages flat out, by the CPU seconds that the client's process took for them, those of the
system included, so that what else the machine does is not in it. The delay is by the clock, which all processes share,
at 1000 messages a second of 20 markets, from the server's write to the updated book; it has all in it that the machine
does besides, as has that of aiohttp alone. ccxt.pro does not keep up with that rate: the longer it lasts, the later
it is.

Where the time of a message goes is told near the end of the table. Tried and left out, by the same measure: numpy for
the levels (a tenth faster for 15 of them, more than twice as slow for the few of a change, and Hummingbot's `OrderBook`
takes three times as long for arrays as for rows); one function for the whole of a frame (a fifteenth of the decoding);
a connection of our own under Hummingbot's, with one coroutine for a message instead of ten (1 µs of a message flat out,
nothing to tell from noise at 1000 a second, where waking the loop up costs the most). What a message makes
goes with it, so that messages cause no garbage collection; in a minute in which 600 orders were placed and cancelled
there was none of the oldest generation, which is the one that is felt.
orjson is not among what Hummingbot brings, and nothing on this socket is JSON but the answers to subscriptions.

Nothing waits between the socket and the book, so what piles up is what comes while the loop is kept from reading:
aiohttp stops taking from the socket at 128 KiB, and the system keeps the rest. What has piled up is taken for 5 ms at a
time, so that orders and timers have their turns in between. The last rows are of a strategy that blocks the loop for
300 ms twice a second, meanwhile 3000 messages a second of 200 markets come: how many of them wait at the most. Paradex
cuts off a client with 2000 unread ones.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_web_utils as web_utils
from hummingbot.core.data_type.order_book import OrderBook

from benchmarks import _feed, _plot
from benchmarks._peers import Peer, PeerMissingError
from benchmarks._report import Figure, print_report, progress
from benchmarks._sandbox import served
from benchmarks.peers.books import OUR_SYMBOLS, know_symbols, our_connector

KINDS = {"snapshot": "whole books", "delta": "changes"}
MARKETS = (1, 20, 200)
USUAL_MARKETS = 20  # always among them
#: ccxt needs milliseconds for what others do in microseconds, and changes take less time than whole books.
FEWER_MESSAGES = {"ccxt": 12}
MORE_FLAT_OUT = {"snapshot": 1, "delta": 4}
RATE = 1000
#: Of the strategy that blocks: seconds, twice in each, and messages a second.
BLOCKED, BLOCKED_RATE = 0.3, 3000
OURS, RECEIVER = "ours", "receiver"
#: Clients and the kinds that they know.
CLIENTS = {
    OURS: tuple(KINDS),
    "hyperliquid": ("snapshot",),
    "binance": tuple(KINDS),
    "paradex_py": tuple(KINDS),
    "ccxt": ("snapshot",),
    RECEIVER: tuple(KINDS),
}
MODULES = {"ccxt": "ccxt_books", RECEIVER: "receiver_books"}
TITLES = {
    OURS: OURS,
    "hyperliquid": "hyperliquid_perpetual",
    "binance": "binance_perpetual",
    "paradex_py": f"paradex-py {version('paradex-py')}",
    "ccxt": "ccxt.pro",
    RECEIVER: "aiohttp alone",
}
Found = dict[str, list[float]]


class _Subscribed:
    """A session that acknowledges everything."""

    async def subscribe(self, channel: str) -> None:
        pass


async def parts(kind: str, count: int = 3000) -> dict[str, float]:
    """CPU microseconds of what ours does itself with a frame: rows from it, a book from rows, and all, with checks."""
    connector = our_connector("http://127.0.0.1", USUAL_MARKETS)
    know_symbols(connector, OUR_SYMBOLS)
    source = connector.order_book_tracker.data_source
    for number, pair in enumerate(connector.trading_pairs):
        await source._subscribe(_Subscribed(), pair)
        source._on_message(_feed.paradex(number, 1, _feed.books("snapshot")[0], "snapshot"))
    variants = _feed.books(kind)
    frames = [
        _feed.paradex(number % USUAL_MARKETS, 2 + number // USUAL_MARKETS, variants[number % len(variants)], kind)
        for number in range(count)
    ]
    decoded: list[Any] = [web_utils.decode_frame(frame) for frame in frames]
    book = OrderBook()
    apply = book.apply_snapshot if kind == "snapshot" else book.apply_diffs

    def timed(work: Callable[[int], Any]) -> float:
        start = time.thread_time()
        for number in range(count):
            work(number)
        return (time.thread_time() - start) / count * 1e6

    found = {
        "decode": timed(lambda number: web_utils.decode_frame(frames[number])),
        "apply": timed(lambda number: apply(decoded[number].bids, decoded[number].asks, 1)),
        "take": timed(lambda number: source._on_message(frames[number])),
    }
    assert not source.resyncs
    return found


def measure(options: argparse.Namespace) -> Found:
    """What is measured, once per repeat."""
    found: Found = {}

    def note(key: str, value: float) -> None:
        found.setdefault(key, []).append(value)

    names = [name for name in CLIENTS if not options.without_peers or name != "ccxt"]
    with ExitStack() as stack:
        url = stack.enter_context(served("_feed"))
        peers = {
            name: stack.enter_context(Peer(MODULES.get(name, "books"), own_environment=name == "ccxt"))
            for name in names
        }

        def ask(name: str, kind: str, markets: int, count: int, rate: int, blocked: float = 0) -> dict[str, Any]:
            job = {"url": url, "client": name, "kind": kind, "markets": markets, "rate": rate}
            job["count"] = count // FEWER_MESSAGES.get(name, 1)
            return peers[name].ask({**job, "blocked": blocked})

        for repeat in range(options.repeats):
            progress(f"book_stream: round {repeat + 1} of {options.repeats}")
            for kind in KINDS:
                knowing = [name for name in names if kind in CLIENTS[name]]
                for markets in options.markets:
                    for name in knowing:
                        if name == RECEIVER and markets != USUAL_MARKETS:
                            continue
                        answer = ask(name, kind, markets, MORE_FLAT_OUT[kind] * options.count, 0)
                        note(f"{name}_{kind}_{markets}", answer["cpu_us"])
                for name in knowing:
                    answer = ask(name, kind, USUAL_MARKETS, options.count, RATE)
                    for key in ("p50_ms", "p99_ms"):
                        note(f"{name}_{kind}_{key}", answer[key])
                    note(f"{name}_{kind}_paced", answer["cpu_us"])
                for part, value in asyncio.run(parts(kind)).items():
                    note(f"{part}_{kind}", value)
                answer = ask(OURS, kind, max(options.markets), options.count, BLOCKED_RATE, blocked=BLOCKED)
                note(f"waiting_{kind}", answer["waiting"])
    return found


def figures(found: Found) -> list[Figure]:
    """What is reported, the ratios round by round."""
    result = []
    names = [name for name in CLIENTS if f"{name}_snapshot_{USUAL_MARKETS}" in found]
    numbers = [markets for markets in MARKETS if f"{OURS}_snapshot_{markets}" in found]
    for kind, what in KINDS.items():
        for markets in numbers:
            result += [
                Figure(
                    f"{name}_{kind}_{markets}_per_s",
                    f"{what} of {markets} market{'s' if markets > 1 else ''}, {TITLES[name]}",
                    "/s",
                    tuple(1e6 / value for value in found[f"{name}_{kind}_{markets}"]),
                )
                for name in names
                if f"{name}_{kind}_{markets}" in found
            ]
    for kind, what in KINDS.items():
        for name in names:
            if name in (OURS, RECEIVER) or kind not in CLIENTS[name]:
                continue
            for markets in numbers:
                ours, theirs = found[f"{OURS}_{kind}_{markets}"], found[f"{name}_{kind}_{markets}"]
                key = f"ratio_{name}" + ("_delta" if kind == "delta" else "")
                key += "" if markets == USUAL_MARKETS else f"_{markets}"
                ratios = tuple(their / our for their, our in zip(theirs, ours, strict=True))
                result.append(Figure(key, f"{TITLES[name]} to ours, {what} of {markets}", "x", ratios, 2.0))
    for kind, what in KINDS.items():
        for name in names:
            if kind not in CLIENTS[name]:
                continue
            for key, title in (("p50_ms", "median"), ("p99_ms", "99th percentile")):
                aim = 2.0 if name == OURS and key == "p99_ms" else None
                values = tuple(found[f"{name}_{kind}_{key}"])
                text = f"delay at {RATE}/s, {title}, {what}, {TITLES[name]}"
                result.append(Figure(f"{name}_{kind}_{key}", text, "ms", values, aim, True))
    for kind, what in KINDS.items():
        whole, decode, apply, take, socket = (
            tuple(found[key])
            for key in (
                f"{OURS}_{kind}_{USUAL_MARKETS}",
                *(f"{part}_{kind}" for part in ("decode", "apply", "take")),
                f"{RECEIVER}_{kind}_{USUAL_MARKETS}",
            )
        )
        of = f"of one message, {what}, ours"
        result += [
            Figure(f"message_{kind}_us", f"one message flat out, {what}, ours: CPU time", "µs", whole),
            Figure(f"socket_{kind}_us", f"{what}, aiohttp alone", "µs", socket),
            Figure(f"take_{kind}_us", f"{of}: what the connector does with a frame", "µs", take),
            Figure(f"decode_{kind}_us", f"{of}: rows from a frame, of that", "µs", decode),
            Figure(f"apply_{kind}_us", f"{of}: a book from rows, of that", "µs", apply),
        ]
        paced = tuple(found[f"{OURS}_{kind}_paced"])
        result.append(Figure(f"paced_{kind}_us", f"one message at {RATE}/s, {what}, ours: CPU time", "µs", paced))
    for kind, what in KINDS.items():
        waiting = tuple(found[f"waiting_{kind}"])
        result.append(
            Figure(f"waiting_{kind}", f"messages that wait for a blocking strategy, {what}", "", waiting, 2000.0, True)
        )
    return result


def plot(found: Sequence[Figure], folder: Path) -> None:
    """Rates and delays by client, and where the time of a message goes."""
    medians = {figure.key: figure.median for figure in found}
    for kind, what in KINDS.items():
        rates = {
            TITLES[name]: medians[key] for name in CLIENTS if (key := f"{name}_{kind}_{USUAL_MARKETS}_per_s") in medians
        }
        suffix = "" if kind == "snapshot" else "-changes"
        title = f"Messages a second of CPU time, {what} of {USUAL_MARKETS} markets"
        _plot.bars(folder / f"book_stream{suffix}.svg", title, "/s", rates)
    share: dict[str, float] = {}
    for kind, what in KINDS.items():
        whole, socket, take, decode, apply = (
            medians[f"{part}_{kind}_us"] for part in ("message", "socket", "take", "decode", "apply")
        )
        share |= {
            f"socket and aiohttp, {what}": socket,
            f"Hummingbot, {what}": max(0.1, whole - socket - take),
            f"rows from a frame, {what}": decode,
            f"checks, {what}": max(0.1, take - decode - apply),
            f"a book from rows, {what}": apply,
        }
    _plot.bars(folder / "book_stream-parts.svg", "Where the time of a message goes, ours", "µs", share, ours=10)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark; returns 0, or 1 if a peer is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.book_stream", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--repeats", type=int, default=3, help="rounds (default %(default)s)")
    parser.add_argument("--count", type=int, default=2500, help="messages of a run (default %(default)s)")
    parser.add_argument("--markets", type=int, nargs="+", choices=MARKETS, default=MARKETS, help="20 among them")
    parser.add_argument("--plots", type=Path, help="folder for the plots")
    parser.add_argument("--without-peers", action="store_true", help="only what is in this environment")
    options = parser.parse_args(argv)
    if USUAL_MARKETS not in options.markets:
        parser.error(f"{USUAL_MARKETS} markets are what the delays are measured with")
    try:
        found = figures(measure(options))
    except PeerMissingError as error:
        print(error, file=sys.stderr)
        return 1
    if options.plots:
        plot(found, options.plots)
    print_report("Order books", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
