"""How long does it take to sign an order, alone and in a ladder of ten, and how long does that stop everything else?

    python -m benchmarks.signing [--repeats 5] [--orders 40] [--stall-seconds 3] [--plots DIR] [--without-peers]

Ours is what the connector calls, `ParadexPerpetualAuth.sign_order` and `sign_orders`; the ladder has five bids and five
asks of one size and one moment. The peers sign the same orders with the same key: Paradex's SDK
(`SubkeyAccount.sign_order`) in this process, starknet-py's typed data and ccxt in processes of their own. Every
signature is verified. Times are CPU time of the thread that signs, for signing is nothing else, and of each round the
median of its orders; the rounds of all take turns, and the first does not count.

The stall is the longest time for which the loop does not come round to its timers while 50 orders a second are signed,
five ladders: of signing alone, not of sending. It is CPU time too, so that what else the machine does is not in it.
"""

import argparse
import asyncio
import itertools
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import fast_stark_crypto
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_auth import (
    FastSigner,
    ParadexPerpetualAuth,
    SdkSigner,
    Signer,
)

from benchmarks import _plot
from benchmarks._peers import Peer, PeerMissingError
from benchmarks._report import Figure, print_report, progress
from benchmarks._stalls import Stalls, paced

# Nobody's.
KEY = "0x1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcde"
ACCOUNT = "0x2fedcba0987654321fedcba0987654321fedcba0987654321fedcba09876543"
CHAIN = "PRIVATE_SN_POTC_SEPOLIA"
LADDER = 10
STALL_RATE = 50
_CONFIG = {
    "starknet_fullnode_rpc_url": "http://127.0.0.1",
    "starknet_fullnode_rpc_base_url": "http://127.0.0.1",
    "starknet_chain_id": CHAIN,
    "block_explorer_url": "",
    "paraclear_address": "0x1",
    "paraclear_decimals": 8,
    "paraclear_account_proxy_hash": "0x1",
    "paraclear_account_hash": "0x1",
    "oracle_address": "0x1",
    "bridged_tokens": [],
    "l1_core_contract_address": "0x1",
    "l1_operator_address": "0x1",
    "l1_chain_id": "5",
    "liquidation_fee": "0.01",
}

Order = dict[str, Any]
_moments = itertools.count(1_790_000_000_000, 1000)  # whole seconds, for ccxt's sake


def orders(count: int) -> list[Order]:
    """Orders of a moment each."""
    return [order_of(next(_moments), "BUY", 60_000 + number) for number in range(count)]


def ladder() -> list[Order]:
    """Five bids and five asks of one moment."""
    moment = next(_moments)
    bids = [order_of(moment, "BUY", 60_000 - level) for level in range(LADDER // 2)]
    return bids + [order_of(moment, "SELL", 60_001 + level) for level in range(LADDER // 2)]


def order_of(moment: int, side: str, price: int) -> Order:
    return {
        "market": "BTC-USD-PERP",
        "side": side,
        "type": "LIMIT",
        "size": "3",
        "price": str(price),
        "signature_timestamp": moment,
    }


class Judge:
    """Holds every signature against the hash that the SDK has been proved to sign."""

    def __init__(self) -> None:
        self._signer = FastSigner(CHAIN, KEY, ACCOUNT)
        self._public_key = int(self._signer.public_key, 16)

    def hash(self, order: Order) -> int:
        """What is signed."""
        return self._signer.order_hash(order)

    def check(self, signed: Sequence[Order], signatures: Sequence[Any]) -> None:
        for order, signature in zip(signed, signatures, strict=True):
            parts = json.loads(signature) if isinstance(signature, str) else signature
            r, s = (int(part, 0) for part in parts)
            if not fast_stark_crypto.verify(self._public_key, self.hash(order), r, s):
                raise RuntimeError(f"a signature is wrong: {order}")


async def stall(auth: ParadexPerpetualAuth, seconds: float) -> float:
    """The most CPU time between two runs of a timer, in ms, while ladders were signed."""
    async with Stalls() as stalls:
        await paced(lambda: auth.sign_orders(ladder()), LADDER, STALL_RATE, seconds)
    return stalls.cpu * 1000


def authenticator(signer: Signer) -> ParadexPerpetualAuth:
    """One that knows its chain already."""
    auth = ParadexPerpetualAuth(KEY, ACCOUNT)
    auth._signer = signer
    return auth


class InlineSdk(SdkSigner):
    """The SDK on the loop, as one would call it at first."""

    is_quick = True


async def typical(sign: Callable[[Any], Any], cases: Sequence[Any]) -> tuple[float, list[Any]]:
    """The median of the CPU seconds that each case took, and what came out."""
    seconds, results = [], []
    for case in cases:
        start = time.thread_time()
        result = sign(case)
        results.append(await result if isinstance(result, Awaitable) else result)
        seconds.append(time.thread_time() - start)
    return median(seconds), results


async def measure(options: argparse.Namespace) -> dict[str, list[float]]:
    """Milliseconds for an order, by who signed it and how, once per repeat."""
    ours, judge = authenticator(FastSigner(CHAIN, KEY, ACCOUNT)), Judge()
    sdk = InlineSdk(_CONFIG, KEY, ACCOUNT)
    times: dict[str, list[float]] = {}
    with ExitStack() as stack:
        peers = {}
        if not options.without_peers:
            peers["ccxt"] = stack.enter_context(Peer("ccxt_signing", own_environment=True))
            peers["starknet_py"] = stack.enter_context(Peer("starknet_py_signing", own_environment=False))
        for repeat in range(options.repeats + 1):
            progress(f"signing: round {repeat} of {options.repeats}")
            took: dict[str, float] = {}

            single = orders(options.orders)
            took["ours"], signatures = await typical(ours.sign_order, single)
            judge.check(single, signatures)
            took["hashes"], _ = await typical(judge.hash, orders(options.orders))

            ladders = [ladder() for _ in range(max(1, options.orders // LADDER))]
            in_ladder, signed = await typical(ours.sign_orders, ladders)
            took["ours_batch"] = in_ladder / LADDER
            for one, signatures in zip(ladders, signed, strict=True):
                judge.check(one, signatures)

            single = orders(options.orders)
            took["paradex_py"], signatures = await typical(sdk.sign_order, single)
            judge.check(single, signatures)

            for name, peer in peers.items():
                some = orders(max(1, options.orders // 8))
                answer = peer.ask({"key": KEY, "account": ACCOUNT, "chain": CHAIN, "orders": some})
                took[name] = median(answer["seconds"])
                judge.check(some, answer["signatures"])
                progress(f"  {name} {answer['version']}: {took[name] * 1000:.1f} ms")

            took["stall"] = await stall(ours, options.stall_seconds) / 1000
            took["paradex_py_stall"] = await stall(authenticator(sdk), options.stall_seconds) / 1000
            if repeat:
                for name, seconds in took.items():
                    times.setdefault(name, []).append(seconds * 1000)
    return times


def figures(times: dict[str, list[float]]) -> list[Figure]:
    """What is reported, the ratios round by round."""

    def ratio(peer: str, own: str) -> tuple[float, ...]:
        return tuple(theirs / mine for theirs, mine in zip(times[peer], times[own], strict=True))

    titles = {
        "ours": "one order, ours",
        "hashes": "of this, the Pedersen hashes",
        "ours_batch": f"one order of a ladder of {LADDER}, ours",
        "paradex_py": f"one order, alone or not, paradex-py {version('paradex-py')}",
        "starknet_py": f"the same, starknet-py {version('starknet-py')}",
        "ccxt": "the same, ccxt",
    }
    found = [
        Figure(f"{name}_ms", title, "ms", tuple(times[name]), lower_is_better=True)
        for name, title in titles.items()
        if name in times
    ]
    found += [
        Figure("ratio_paradex_py", "paradex-py to ours, one order", "x", ratio("paradex_py", "ours"), 6.0),
        Figure(
            "ratio_paradex_py_batch", "paradex-py to ours, in a ladder", "x", ratio("paradex_py", "ours_batch"), 8.0
        ),
    ]
    if "ccxt" in times:
        found += [
            Figure("ratio_starknet_py", "starknet-py to ours, one order", "x", ratio("starknet_py", "ours")),
            Figure("ratio_ccxt", "ccxt to ours, one order", "x", ratio("ccxt", "ours"), 45.0),
        ]
    found += [
        Figure(
            "stall_ms",
            f"longest stall of the loop, {STALL_RATE} orders/s only signed, ours",
            "ms",
            tuple(times["stall"]),
            10.0,
            True,
        ),
        Figure("stall_paradex_py_ms", "the same, paradex-py on the loop", "ms", tuple(times["paradex_py_stall"])),
    ]
    return found


def plot(found: Sequence[Figure], folder: Path) -> None:
    """Signing an order, by who does it."""
    labels = {
        "ours_ms": "ours",
        "ours_batch_ms": "ours, in a ladder",
        "paradex_py_ms": "paradex-py",
        "ccxt_ms": "ccxt",
        "starknet_py_ms": "starknet-py",
    }
    medians = {figure.key: figure.median for figure in found}
    times = {label: medians[key] for key, label in labels.items() if key in medians}
    _plot.bars(folder / "signing.svg", "Signing an order", "ms", times, ours=2)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark; returns 0, or 1 if a peer is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.signing", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5, help="rounds that count (default %(default)s)")
    parser.add_argument("--orders", type=int, default=40, help="orders in a round (default %(default)s)")
    parser.add_argument("--stall-seconds", type=float, default=3, help="for the stall, a round (default %(default)s)")
    parser.add_argument("--plots", type=Path, help="folder for the plots")
    parser.add_argument("--without-peers", action="store_true", help="only what is in this environment")
    options = parser.parse_args(argv)
    try:
        found = figures(asyncio.run(measure(options)))
    except PeerMissingError as error:
        print(error, file=sys.stderr)
        return 1
    if options.plots:
        plot(found, options.plots)
    print_report("Signing", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
