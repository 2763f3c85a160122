"""How long ccxt takes to sign orders for Paradex: `sign_order_request`, which is the CPU part of `create_order`."""

import time
from typing import Any

import ccxt

from benchmarks.peers._worker import serve


def measure(job: dict[str, Any]) -> dict[str, Any]:
    exchange = ccxt.paradex()
    # What it would fetch and derive once, so that only signing is measured.
    exchange.options["systemConfig"] = {"starknet_chain_id": job["chain"]}
    exchange.options["paradexAccount"] = {"address": job["account"], "privateKey": job["key"]}
    signatures, seconds = [], []
    for order in job["orders"]:
        exchange.nonce = lambda order=order: order["signature_timestamp"] // 1000  # it signs whole seconds
        request = {name: order[name] for name in ("market", "side", "type", "size", "price")}
        start = time.thread_time()
        signed = exchange.sign_order_request(request)
        seconds.append(time.thread_time() - start)
        signatures.append(signed["signature"])
    return {"seconds": seconds, "signatures": signatures, "version": ccxt.__version__}


if __name__ == "__main__":
    serve(measure)
