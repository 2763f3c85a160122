"""How long starknet-py takes to sign orders for Paradex: its typed data and its crypto-cpp, without Paradex's SDK."""

import time
from importlib.metadata import version
from typing import Any

from starknet_py.hash.utils import message_signature
from starknet_py.utils.typed_data import TypedData

from benchmarks.peers._worker import serve

_FIELDS = ("timestamp", "market", "side", "orderType", "size", "price")


def typed_data(job: dict[str, Any], order: dict[str, Any]) -> dict[str, Any]:
    """An order as Paradex wants it signed; sizes and prices here are whole numbers."""
    return {
        "domain": {"name": "Paradex", "chainId": job["chain"], "version": "1"},
        "primaryType": "Order",
        "types": {
            "StarkNetDomain": [{"name": name, "type": "felt"} for name in ("name", "chainId", "version")],
            "Order": [{"name": name, "type": "felt"} for name in _FIELDS],
        },
        "message": {
            "timestamp": order["signature_timestamp"],
            "market": order["market"],
            "side": 1 if order["side"] == "BUY" else 2,
            "orderType": order["type"],
            "size": int(order["size"]) * 10**8,
            "price": int(order["price"]) * 10**8,
        },
    }


def measure(job: dict[str, Any]) -> dict[str, Any]:
    key, account = int(job["key"], 16), int(job["account"], 16)
    signatures, seconds = [], []
    for order in job["orders"]:
        start = time.thread_time()
        message_hash = TypedData.from_dict(typed_data(job, order)).message_hash(account)  # type: ignore[arg-type]
        signatures.append([str(part) for part in message_signature(message_hash, key)])
        seconds.append(time.thread_time() - start)
    return {"seconds": seconds, "signatures": signatures, "version": version("starknet-py")}


if __name__ == "__main__":
    serve(measure)
