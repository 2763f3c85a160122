"""A strategy that keeps the loop for itself while 200 markets go on: an exchange in a thread of its own tells them."""

import asyncio
import json
import socket
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from bidict import bidict
from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_constants as CONSTANTS
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative

from tests.unit.connector import frames
from tests.unit.connector.test_order_book_data_source import levels
from tests.unit.connector.trader import eventually

PAIRS = {f"M{number:03}-USD-PERP": f"M{number:03}-USDC" for number in range(200)}
MAX_UNREAD = 2000  # Paradex's
STALL = 900  # what 3000 messages a second make of 0.3 s


class Exchange:
    """Tells books over a socket with hardly any buffer of its own, and cuts off a client with too many unread messages.

    It lives in a thread; `tell` is what the test calls, from another one.
    """

    def __init__(self) -> None:
        self.connections = 0
        self.cuts = 0
        self.most_unread = 0
        self._seqs = dict.fromkeys(PAIRS, 1)
        self._unread: deque[bytes] = deque()
        self._more = asyncio.Event()
        self._end = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        self._started.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._loop.close()

    def tell(self, count: int) -> None:
        """Queues so many changes, of one market after the other; blocks until that is done."""
        asyncio.run_coroutine_threadsafe(self._tell(count), self._loop).result()

    def book(self, market: str) -> bytes:
        """The whole of it: its bid's size is its number."""
        seq = self._seqs[market]
        return frames.book(seq, [("100", seq)], [("101", 1)], snapshot=True, market=market)

    def seq(self, market: str) -> int:
        return self._seqs[market]

    async def _tell(self, count: int) -> None:
        markets = list(PAIRS)
        for number in range(count):
            market = markets[number % len(markets)]
            self._seqs[market] += 1
            seq = self._seqs[market]
            self._queue(frames.book(seq, [("100", seq)], market=market))
            await asyncio.sleep(0)  # as time passes between two of them

    def _queue(self, message: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._unread.append(message)
        self._more.set()
        self.most_unread = max(self.most_unread, len(self._unread))
        if len(self._unread) >= MAX_UNREAD:
            self.cuts += 1
            self._transport.abort()

    async def _serve(self) -> None:
        application = web.Application()
        application.router.add_get("/v1", self._socket)
        runner = web.AppRunner(application)
        await runner.setup()
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # inherited
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        await web.SockSite(runner, listener).start()
        self._started.set()
        await self._end.wait()
        await runner.cleanup()

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(compress=False)
        await websocket.prepare(request)
        assert request.transport is not None
        self.connections += 1
        self._transport = request.transport
        self._unread.clear()
        writing = asyncio.create_task(self._write(websocket, request.transport))
        async for message in websocket:
            if message.type is WSMsgType.TEXT:
                call: dict[str, Any] = json.loads(message.data)
                channel = call["params"]["channel"]
                await websocket.send_json({"id": call["id"], "result": {"channel": channel}})
                if channel.startswith("order_book."):
                    self._queue(self.book(channel.split(".")[1]))
        writing.cancel()
        return websocket

    async def _write(self, websocket: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        transport.set_write_buffer_limits(0)
        while not transport.is_closing():
            await self._more.wait()
            self._more.clear()
            while self._unread and not transport.is_closing():
                await websocket.send_bytes(self._unread.popleft())


@pytest.fixture
def told() -> Iterator[Exchange]:
    exchange = Exchange()
    yield exchange
    exchange.stop()


@pytest.fixture
async def connector(
    make_exchange: Callable[..., ParadexPerpetualDerivative], told: Exchange, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ParadexPerpetualDerivative]:
    """One whose books are live."""
    monkeypatch.setenv(CONSTANTS.SANDBOX_URL_VARIABLE, told.url)
    connector = make_exchange(trading_pairs=list(PAIRS.values()))
    connector._set_trading_pair_symbol_map(bidict(PAIRS))
    listening = asyncio.create_task(connector._orderbook_ds.listen_for_subscriptions())
    await eventually(lambda: are_right(connector, told))
    yield connector
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


def are_right(connector: ParadexPerpetualDerivative, told: Exchange) -> bool:
    """Whether all books are live, and what the exchange has told last."""
    return all(
        connector.is_book_live(pair)
        and levels(connector._orderbook_ds._book(pair)) == ([(100, told.seq(market))], [(101, 1)])
        for market, pair in PAIRS.items()
    )


async def test_a_loop_that_stalls_again_and_again_keeps_its_connection_and_misses_nothing(
    connector: ParadexPerpetualDerivative, told: Exchange
) -> None:
    for _ in range(5):
        told.tell(STALL)  # the loop stands still meanwhile
        await eventually(lambda: are_right(connector, told))
    assert told.connections == 1
    assert told.most_unread <= STALL < MAX_UNREAD
    assert not connector.book_resyncs


async def test_a_stall_that_costs_the_connection_is_made_up_for(
    connector: ParadexPerpetualDerivative, told: Exchange
) -> None:
    while not told.cuts:
        told.tell(STALL)
    told.tell(STALL)
    await eventually(lambda: told.connections == 2)
    await eventually(lambda: are_right(connector, told))
