"""What it takes to keep order books, by clients of our environment: ours, Hummingbot's connectors, paradex-py.

Hummingbot's connectors, ours among them, are run by their own order book trackers; counted is what arrives in
`OrderBook`. paradex-py keeps no books: counted is what its callback gets, so it has less to do. And one that does
nothing but receive, with the same aiohttp, so that it is seen what the machine and the socket make of it.
"""

import asyncio
import logging
import os
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from bidict import bidict
from hummingbot.core.data_type.order_book import OrderBook

from benchmarks.peers._book_meter import Client, Meter, measure
from benchmarks.peers._worker import serve

OUR_SYMBOLS = "{}-USD-PERP"
_SEQ = struct.Struct("<q")


def _ws(job: dict[str, Any]) -> str:
    return str(job["url"]).replace("http", "ws", 1)


def pairs(markets: int) -> list[str]:
    return [f"M{market:03}-USDC" for market in range(markets)]


def know_symbols(connector: Any, symbols: str) -> None:
    """Tells a connector its markets, which it would ask REST for."""
    connector._set_trading_pair_symbol_map(
        bidict({symbols.format(pair.removesuffix("-USDC")): pair for pair in connector.trading_pairs})
    )


@asynccontextmanager
async def running(connector: Any, symbols: str, meter: Meter) -> AsyncIterator[None]:
    """A connector whose order books are kept up, and nothing else."""

    class MeteredOrderBook(OrderBook):
        def apply_snapshot(self, bids: Any, asks: Any, update_id: int) -> None:
            super().apply_snapshot(bids, asks, update_id)
            meter.updated(update_id)

        def apply_diffs(self, bids: Any, asks: Any, update_id: int) -> None:
            super().apply_diffs(bids, asks, update_id)
            meter.updated(update_id)

    async def nothing(*_: Any, **__: Any) -> None:
        """For what belongs to no book: a second's pause after each pair at the start, and last prices over REST."""

    know_symbols(connector, symbols)
    tracker = connector.order_book_tracker
    tracker.data_source.order_book_create_function = MeteredOrderBook
    tracker._sleep = tracker._update_last_trade_prices_loop = nothing
    tracker.start()
    try:
        yield
    finally:
        tracker.stop()
        # Not everybody ends all that it has begun, and the next job is not to pay for that.
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


def our_connector(url: str, markets: int) -> Any:
    from hummingbot.connector.derivative.paradex_perpetual import (
        paradex_perpetual_constants as CONSTANTS,
        paradex_perpetual_derivative as derivative,
    )

    os.environ[CONSTANTS.SANDBOX_URL_VARIABLE] = f"{url}/v1"
    return derivative.ParadexPerpetualDerivative(
        trading_pairs=pairs(markets), trading_required=False, domain=CONSTANTS.SANDBOX_DOMAIN
    )


@asynccontextmanager
async def ours(job: dict[str, Any], meter: Meter) -> AsyncIterator[str]:
    connector = our_connector(job["url"], job["markets"])
    async with running(connector, OUR_SYMBOLS, meter):
        yield "paradex"


@asynccontextmanager
async def hyperliquid(job: dict[str, Any], meter: Meter) -> AsyncIterator[str]:
    from hummingbot.connector.derivative.hyperliquid_perpetual import (
        hyperliquid_perpetual_constants as CONSTANTS,
        hyperliquid_perpetual_derivative as derivative,
    )

    CONSTANTS.PERPETUAL_WS_URL = f"{_ws(job)}/ws"
    connector = derivative.HyperliquidPerpetualDerivative(
        hyperliquid_perpetual_address="0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A",  # of this key
        hyperliquid_perpetual_secret_key="0x" + "1" * 64,
        trading_pairs=pairs(job["markets"]),
        trading_required=False,
    )
    _starts_with_empty_books(connector)
    async with running(connector, "{}", meter):
        yield "hyperliquid"


@asynccontextmanager
async def binance(job: dict[str, Any], meter: Meter) -> AsyncIterator[str]:
    from hummingbot.connector.derivative.binance_perpetual import (
        binance_perpetual_constants as CONSTANTS,
        binance_perpetual_derivative as derivative,
    )

    CONSTANTS.PERPETUAL_WS_URL = f"{_ws(job)}/"
    connector = derivative.BinancePerpetualDerivative(
        binance_perpetual_api_key="key",
        binance_perpetual_api_secret="secret",
        trading_pairs=pairs(job["markets"]),
        trading_required=False,
    )
    _starts_with_empty_books(connector)
    async with running(connector, "{}USDC", meter):
        yield "binance"


def _starts_with_empty_books(connector: Any) -> None:
    """Instead of with what REST tells, which the feed has not."""
    source = connector.order_book_tracker.data_source

    async def get_new_order_book(trading_pair: str) -> OrderBook:
        return source.order_book_create_function()

    source.get_new_order_book = get_new_order_book


@asynccontextmanager
async def paradex_py(job: dict[str, Any], meter: Meter) -> AsyncIterator[str]:
    from paradex_py.api.ws_client import ParadexWebsocketClient

    client = ParadexWebsocketClient("testnet", ws_url_override=f"{_ws(job)}/v1", sbe_enabled=True)

    async def on_book(channel: Any, message: dict[str, Any]) -> None:
        meter.updated(message["params"]["data"]["seq_no"])

    if not await client.connect():
        raise ConnectionError("paradex-py cannot connect")
    feed = "snapshot@15@50ms" if job["kind"] == "snapshot" else "deltas@15@50ms"
    try:
        for market in range(job["markets"]):
            await client.subscribe_by_name(f"order_book.M{market:03}-USD-PERP.{feed}", on_book)
        yield "paradex"
    finally:
        await client.close()


@asynccontextmanager
async def receiver(job: dict[str, Any], meter: Meter) -> AsyncIterator[str]:
    """Receives our frames and looks at nothing but their number."""

    async def receive(socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                meter.updated(_SEQ.unpack_from(message.data, 16)[0])

    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{_ws(job)}/v1", heartbeat=10, autoping=False) as socket,
    ):
        receiving = asyncio.create_task(receive(socket))
        for market in range(job["markets"]):
            await socket.send_json({"id": market, "params": {"channel": f"order_book.M{market:03}-USD-PERP"}})
        yield "paradex"
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)


CLIENTS: dict[str, Client] = {
    "ours": ours,
    "hyperliquid": hyperliquid,
    "binance": binance,
    "paradex_py": paradex_py,
    "receiver": receiver,
}


if __name__ == "__main__":
    logging.disable()  # Binance's connector asks for more over REST than the feed has, and says so
    with (
        asyncio.Runner() as runner
    ):  # one loop for all jobs: Hummingbot's connectors share a session that belongs to it
        serve(lambda job: runner.run(measure(job, CLIENTS[job["client"]])))
