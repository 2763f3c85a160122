"""How many book messages does a core keep up with, and how long after a message has left is the book of it there?

    python -m benchmarks.book_stream [--repeats 4] [--count 2500] [--plots DIR] [--without-peers]

One server (`benchmarks._feed`) tells everybody the same books over a socket on the loopback interface, in the words of
the exchange that the client is made for: whole books of 15 levels a side, or changes of 3 levels, of 1, 20 and 200
markets. Each client is a process of its own: ours and Hummingbot's `hyperliquid_perpetual` and `binance_perpetual` as
Hummingbot runs them, counted in `OrderBook`; paradex-py's WebSocket client with SBE, which keeps no books, counted in
its callback; and ccxt.pro's Paradex client, counted where it has updated its book. Hyperliquid and ccxt know only
whole books; Binance tells 30 changed levels where the others get a whole book.

The rate is of CPU time: messages flat out, by the CPU seconds that the client's process took for them, those of the
system included, so that what else the machine does is not in it. The delay is by the clock, at 1000 messages a second
of 20 markets, from the server's write to the updated book; it has all in it that the machine does besides.

Of ours, a third to a half of a message flat out is what carries it: the socket, aiohttp, and ten coroutines that
Hummingbot has for each message. A connection of our own under Hummingbot's, with one coroutine, was tried: 1.3 µs less
of 8 and of 17.5, and at 1000 messages a second, where waking the loop up seems to cost the most, nothing to tell
from noise. It is left out. Nothing waits between the socket and the book, so what piles up is what comes while the loop
is kept from reading: aiohttp stops taking from the socket at 128 KiB, and the system keeps the rest.

The last rows are of a strategy that blocks the loop for 100 ms twice a second, meanwhile 1000 messages a second come:
how many of them wait at the most. Paradex cuts off a client with 2000 unread ones.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_web_utils as web_utils
from hummingbot.core.data_type.order_book import OrderBook

from benchmarks import _feed, _plot
from benchmarks._peers import ROOT, Peer, PeerMissingError
from benchmarks._report import Figure, print_report, progress

KINDS = {"snapshot": "whole books", "delta": "changes"}
MARKETS = (1, 20, 200)
USUAL_MARKETS = 20  # always among them
#: ccxt needs milliseconds for what others do in microseconds.
FEWER_MESSAGES = {"ccxt": 5}
RATE = 1000
OURS = "ours"
#: Clients and the kinds that they know.
CLIENTS = {
    OURS: tuple(KINDS),
    "hyperliquid": ("snapshot",),
    "binance": tuple(KINDS),
    "paradex_py": tuple(KINDS),
    "ccxt": ("snapshot",),
}
TITLES = {
    OURS: OURS,
    "hyperliquid": "hyperliquid_perpetual",
    "binance": "binance_perpetual",
    "paradex_py": f"paradex-py {version('paradex-py')}",
    "ccxt": "ccxt.pro",
}
Found = dict[str, list[float]]


@contextmanager
def feed() -> Iterator[str]:
    """The server's address, while it runs."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "benchmarks._feed"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(10)


def parts(kind: str, repeats: int = 3000) -> dict[str, float]:
    """CPU microseconds of what ours does itself: rows from a frame, and a book from rows."""
    frames = [_feed.paradex(0, 1, book, kind) for book in _feed.books(kind)]
    decoded: Any = [web_utils.decode_frame(frame) for frame in frames]
    book = OrderBook()
    apply = book.apply_snapshot if kind == "snapshot" else book.apply_diffs

    def timed(work: Callable[[int], Any]) -> float:
        start = time.thread_time()
        for number in range(repeats):
            work(number % len(frames))
        return (time.thread_time() - start) / repeats * 1e6

    return {
        "decode": timed(lambda number: web_utils.decode_frame(frames[number])),
        "apply": timed(lambda number: apply(decoded[number].bids, decoded[number].asks, 1)),
    }


def measure(options: argparse.Namespace) -> Found:
    """What is measured, once per repeat."""
    found: Found = {}

    def note(key: str, value: float) -> None:
        found.setdefault(key, []).append(value)

    names = [name for name in CLIENTS if not options.without_peers or name != "ccxt"]
    with ExitStack() as stack:
        url = stack.enter_context(feed())
        peers = {
            name: stack.enter_context(Peer("ccxt_books" if name == "ccxt" else "books", own_environment=name == "ccxt"))
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
                        answer = ask(name, kind, markets, options.count, 0)
                        note(f"{name}_{kind}_{markets}", answer["cpu_us"])
                for name in knowing:
                    answer = ask(name, kind, USUAL_MARKETS, options.count, RATE)
                    for key in ("p50_ms", "p99_ms"):
                        note(f"{name}_{kind}_{key}", answer[key])
                    note(f"{name}_{kind}_paced", answer["cpu_us"])
                for part, value in parts(kind).items():
                    note(f"{part}_{kind}", value)
                answer = ask(OURS, kind, USUAL_MARKETS, options.count, RATE, blocked=0.1)
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
                if kind in CLIENTS[name]
            ]
    for kind, what in KINDS.items():
        for name in names:
            if name == OURS or kind not in CLIENTS[name]:
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
        whole, decode, apply = (
            found[key] for key in (f"{OURS}_{kind}_{USUAL_MARKETS}", f"decode_{kind}", f"apply_{kind}")
        )
        rest = tuple(all_ - one - two for all_, one, two in zip(whole, decode, apply, strict=True))
        result += [
            Figure(f"decode_{kind}_us", f"of one message, {what}, ours: rows from a frame", "µs", tuple(decode)),
            Figure(f"apply_{kind}_us", f"of one message, {what}, ours: a book from rows", "µs", tuple(apply)),
            Figure(f"carry_{kind}_us", f"of one message, {what}, ours: socket, aiohttp and Hummingbot", "µs", rest),
        ]
        paced = tuple(found[f"{OURS}_{kind}_paced"])
        result.append(Figure(f"paced_{kind}_us", f"one message at {RATE}/s, {what}, ours: CPU time", "µs", paced))
    for kind, what in KINDS.items():
        waiting = tuple(found[f"waiting_{kind}"])
        result.append(
            Figure(f"waiting_{kind}", f"messages that wait for a blocking strategy, {what}", "", waiting, 1000.0, True)
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
    share = {
        f"{text}, {what}": medians[f"{part}_{kind}_us"]
        for kind, what in KINDS.items()
        for part, text in (("decode", "decode"), ("apply", "apply"), ("carry", "carry"))
    }
    _plot.bars(folder / "book_stream-parts.svg", "Where the time of a message goes, ours", "µs", share, ours=6)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark; returns 0, or 1 if a peer is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.book_stream", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--repeats", type=int, default=4, help="rounds (default %(default)s)")
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
