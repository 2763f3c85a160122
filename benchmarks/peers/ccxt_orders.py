"""How long ccxt's asynchronous client takes to place and replace orders on Paradex, in batches of ten where it can."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import ccxt.async_support as ccxt

from benchmarks.peers import _wire
from benchmarks.peers._worker import serve

_SYMBOL = "BTC/USD:USDC"
_BATCH = 10
_numbers = itertools.count()


def orders(job: dict[str, Any], count: int) -> list[dict[str, Any]]:
    return [
        {
            "symbol": _SYMBOL,
            "type": "limit",
            "side": "buy",
            "amount": float(job["size"]),
            "price": float(job["price"]) - level,
            "params": {"clientOrderId": f"ccxt-{next(_numbers)}", "postOnly": True},
        }
        for level in range(count)
    ]


async def submit(exchange: Any, new: list[dict[str, Any]]) -> list[str]:
    if len(new) == 1:
        return [(await exchange.create_order(*(new[0][name] for name in new[0])))["id"]]
    # One after the other: at once, its signing keeps the loop from the first answers until they have timed out.
    answers = [await exchange.create_orders(list(batch)) for batch in _wire.chunks(new, _BATCH)]
    return [order["id"] for answer in answers for order in answer]


async def run(job: dict[str, Any]) -> dict[str, Any]:
    exchange = ccxt.paradex({"enableRateLimit": False})
    try:
        exchange.urls["api"] = {"v1": job["url"], "v2": job["url"]}
        # What it would fetch and derive once.
        exchange.options["systemConfig"] = job["config"]
        exchange.options["paradexAccount"] = {"address": job["account"], "privateKey": job["key"]}
        exchange.options |= {"authToken": job["token"], "expires": 2**40}
        await exchange.load_markets()
        found = {}
        for count, repeats in job["counts"].items():

            def prepared(_: int, count: int = int(count)) -> Callable[[], Awaitable[Any]]:
                new = orders(job, count)
                return lambda: submit(exchange, new)

            found[count] = await _wire.repeated(prepared, repeats)
            await exchange.cancel_all_orders(_SYMBOL)
        if job["ladders"]:
            resting = await submit(exchange, orders(job, job["levels"]))

            async def replace(new: list[dict[str, Any]]) -> None:
                nonlocal resting
                for batch in _wire.chunks(resting, _BATCH):
                    await exchange.cancel_orders(list(batch))
                resting = await submit(exchange, new)

            def prepared_ladder(_: int) -> Callable[[], Awaitable[Any]]:
                new = orders(job, job["levels"])
                return lambda: replace(new)

            found["ladder"] = await _wire.repeated(prepared_ladder, job["ladders"])
            await exchange.cancel_all_orders(_SYMBOL)
    finally:
        await exchange.close()
    return {"found": found, "version": ccxt.__version__}


if __name__ == "__main__":
    _wire.watch()
    serve(lambda job: asyncio.run(run(job)))
