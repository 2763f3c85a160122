"""What it takes ccxt.pro to keep order books of Paradex: it knows only the feed of whole books."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import ccxt.pro

from benchmarks.peers._book_meter import Meter, measure
from benchmarks.peers._worker import serve


@asynccontextmanager
async def client(job: dict[str, Any], meter: Meter) -> AsyncIterator[str]:
    exchange = ccxt.pro.paradex({"enableRateLimit": False})
    exchange.urls["api"]["ws"] = f"{job['url'].replace('http', 'ws', 1)}/v1"
    symbols = [f"M{market:03}/USD:USDC" for market in range(job["markets"])]
    exchange.set_markets(
        [
            {
                "id": f"M{market:03}-USD-PERP",
                "symbol": symbol,
                "base": f"M{market:03}",
                "quote": "USD",
                "settle": "USDC",
                "type": "swap",
                **dict.fromkeys(("spot", "margin", "future", "option", "index", "inverse"), False),
                "swap": True,
                "contract": True,
                "linear": True,
                "precision": {"price": 0.1, "amount": 0.001},
                "limits": {},
            }
            for market, symbol in enumerate(symbols)
        ]
    )
    handle = exchange.handle_order_book

    def metered(connection: Any, message: dict[str, Any]) -> None:
        handle(connection, message)
        meter.updated(int(message["params"]["data"]["seq_no"]))

    exchange.handle_order_book = metered

    async def watch(symbol: str) -> None:
        while True:
            await exchange.watch_order_book(symbol)

    watching = [asyncio.create_task(watch(symbol)) for symbol in symbols]
    try:
        yield "paradex"
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        await exchange.close()


if __name__ == "__main__":
    with asyncio.Runner() as runner:
        serve(lambda job: {**runner.run(measure(job, client)), "version": ccxt.__version__})
