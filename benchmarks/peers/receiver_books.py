"""What a socket costs that is only received from: our frames, of which nothing is looked at but their number."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from benchmarks.peers._book_meter import Meter, measure
from benchmarks.peers._worker import serve

_SEQ = struct.Struct("<q")


@asynccontextmanager
async def receiver(job: dict[str, Any], meter: Meter) -> AsyncIterator[str]:
    """Receives our frames and looks at nothing but their number."""

    async def receive(socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                meter.updated(_SEQ.unpack_from(message.data, 16)[0])

    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{job['url'].replace('http', 'ws', 1)}/v1", heartbeat=10, autoping=False) as socket,
    ):
        receiving = asyncio.create_task(receive(socket))
        for market in range(job["markets"]):
            await socket.send_json({"id": market, "params": {"channel": f"order_book.M{market:03}-USD-PERP"}})
        yield "paradex"
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)


if __name__ == "__main__":
    with asyncio.Runner() as runner:
        serve(lambda job: runner.run(measure(job, receiver)))
