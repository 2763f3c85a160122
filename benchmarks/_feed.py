"""A server that does nothing but tell order books, in the words of several exchanges: `python -m benchmarks._feed`.

All of them get the same books at the same moments, so that only the clients differ. A market is a number, and so is a
message: its `seq` (Binance's `u`, Hyperliquid's `time`) is `number of the market * MARKET_SPAN + n`, one more with each
message of the market. Everything is encoded before the first message leaves.

    ws   /v1               Paradex: SBE frames
    ws   /ws               Hyperliquid: JSON, whole books
    ws   /public/stream    Binance: JSON, changes; /market/stream is silent
    GET  /go?exchange=&kind=&markets=&count=&rate=   sends, answers when it is done
    GET  /sent             when each of these messages left, in ns of the system's monotonic clock

`kind` is `snapshot`, 15 levels a side, or `delta`, 2 bids and an ask; `rate` in messages a second, 0 for flat out, in
blocks of `BLOCK` messages.
"""

import asyncio
import json
import random
import struct
import sys
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from aiohttp import WSMsgType, web

from paradex_sandbox.api import sbe

MARKET_SPAN = 10_000_000
BLOCK = 32
LEVELS = 15
_VARIANTS = 64
_BINARY, _TEXT = 0x82, 0x81

Levels = list[tuple[Decimal, Decimal]]
Book = tuple[Levels, Levels]


def books(kind: str) -> list[Book]:
    """What is told in turn. A level of a delta may be one to remove."""
    dice = random.Random(kind)

    def size() -> Decimal:
        removed = kind == "delta" and dice.random() < 0.3
        return Decimal(0) if removed else Decimal(dice.randrange(1, 500_000)) / 1000

    def side(step: Decimal, count: int) -> Levels:
        first = 60_000 + step * dice.randrange(1, 6)
        if kind == "snapshot":
            return [(first + step * level, size()) for level in range(count)]
        return [(60_000 + step * dice.randrange(1, LEVELS), size()) for _ in range(count)]

    tick = Decimal("0.1")
    counts = (LEVELS, LEVELS) if kind == "snapshot" else (2, 1)
    return [(side(-tick, counts[0]), side(tick, counts[1])) for _ in range(_VARIANTS)]


def paradex(market: int, seq: int, book: Book, kind: str) -> bytes:
    return sbe.book(
        2,
        ts=seq,
        seq=seq,
        is_delta=kind == "delta",
        bids=book[0],
        asks=book[1],
        market=f"M{market:03}-USD-PERP",
        best_api=(book[0][0], book[1][0]),
    )


def hyperliquid(market: int, seq: int, book: Book, kind: str) -> bytes:
    levels = [[{"px": str(price), "sz": str(size), "n": 3} for price, size in side] for side in book]
    return _json({"channel": "l2Book", "data": {"coin": f"M{market:03}", "time": seq, "levels": levels}})


def binance(market: int, seq: int, book: Book, kind: str) -> bytes:
    bids, asks = ([[str(price), str(size)] for price, size in side] for side in book)
    symbol = f"M{market:03}USDC"
    numbers = {"E": seq, "T": seq, "U": seq, "u": seq, "pu": seq - 1}
    data = {"e": "depthUpdate", "s": symbol, **numbers, "b": bids, "a": asks}
    return _json({"stream": f"{symbol.lower()}@depth", "data": data})


def _json(message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


ENCODERS: dict[str, tuple[int, Callable[[int, int, Book, str], bytes]]] = {
    "paradex": (_BINARY, paradex),
    "hyperliquid": (_TEXT, hyperliquid),
    "binance": (_TEXT, binance),
}


def framed(opcode: int, payload: bytes) -> bytes:
    """A message as a server sends it over a WebSocket."""
    length = len(payload)
    if length < 126:
        return struct.pack(">BB", opcode, length) + payload
    return struct.pack(">BBH", opcode, 126, length) + payload


class Feed:
    """One client at a time, the one that connected last."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._sent: list[int] = []
        self._next: dict[int, int] = {}  # of each market

    def application(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/v1", self._paradex),
                web.get("/ws", self._hyperliquid),
                web.get("/public/stream", self._binance),
                web.get("/market/stream", self._silent),
                web.get("/v1/system/time", self._time),
                web.get("/go", self._go),
                web.get("/sent", self._tell_sent),
            ]
        )
        return app

    async def _paradex(self, request: web.Request) -> web.WebSocketResponse:
        """Each subscription to a book is answered with a whole one."""

        def answers(call: dict[str, Any]) -> list[bytes]:
            found = [framed(_TEXT, _json({"jsonrpc": "2.0", "id": call.get("id"), "result": call["params"]}))]
            topic, *rest = call["params"]["channel"].split(".")
            return found + ([self._first("paradex", int(rest[0][1:4]))] if topic == "order_book" else [])

        return await self._serve(request, answers)

    async def _hyperliquid(self, request: web.Request) -> web.WebSocketResponse:
        def answers(call: dict[str, Any]) -> list[bytes]:
            wanted = call["subscription"]
            return [self._first("hyperliquid", int(wanted["coin"][1:]))] if wanted["type"] == "l2Book" else []

        return await self._serve(request, answers)

    async def _binance(self, request: web.Request) -> web.WebSocketResponse:
        def answers(call: dict[str, Any]) -> list[bytes]:
            found = [framed(_TEXT, _json({"result": None, "id": call["id"]}))]
            return found + [self._first("binance", int(stream[1:4])) for stream in call["params"]]

        return await self._serve(request, answers)

    async def _silent(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _ in socket:
            pass
        return socket

    async def _serve(
        self, request: web.Request, answers: Callable[[dict[str, Any]], list[bytes]]
    ) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        assert request.transport is not None
        self._transport, self._next = request.transport, {}
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                request.transport.write(b"".join(answers(json.loads(message.data))))
        return socket

    async def _time(self, request: web.Request) -> web.Response:
        return web.json_response({"server_time": str(time.time_ns() // 1_000_000)})

    def _first(self, exchange: str, market: int) -> bytes:
        self._next[market] = 2
        return self._message(exchange, "snapshot", market, 1, books("snapshot")[0])

    @staticmethod
    def _message(exchange: str, kind: str, market: int, n: int, book: Book) -> bytes:
        opcode, encode = ENCODERS[exchange]
        return framed(opcode, encode(market, market * MARKET_SPAN + n, book, kind))

    async def _go(self, request: web.Request) -> web.StreamResponse:
        exchange, kind = request.query["exchange"], request.query["kind"]
        markets, count, rate = (int(request.query[name]) for name in ("markets", "count", "rate"))
        variants, messages, seqs = books(kind), [], []
        for number in range(count):
            market = number % markets
            n = self._next[market]
            self._next[market] += 1
            messages.append(self._message(exchange, kind, market, n, variants[number % _VARIANTS]))
            seqs.append(market * MARKET_SPAN + n)
        # A client that is timed from here on has not been kept waiting for the encoding.
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"encoded\n")
        sent = await (self._flat_out(messages) if not rate else self._paced(messages, rate))
        self._sent = [part for pair in zip(seqs, sent, strict=True) for part in pair]
        await response.write_eof()
        return response

    async def _flat_out(self, messages: Sequence[bytes]) -> list[int]:
        assert self._transport is not None
        sent: list[int] = []
        for start in range(0, len(messages), BLOCK):
            while self._transport.get_write_buffer_size() > 65536:  # noqa: ASYNC110
                await asyncio.sleep(0.0005)
            block = messages[start : start + BLOCK]
            sent += [time.monotonic_ns()] * len(block)
            self._transport.write(b"".join(block))
        return sent

    async def _paced(self, messages: Sequence[bytes], rate: int) -> list[int]:
        assert self._transport is not None
        sent: list[int] = []
        start = time.monotonic() + 0.05
        for number, message in enumerate(messages):
            pause = start + number / rate - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            sent.append(time.monotonic_ns())
            self._transport.write(message)
        return sent

    async def _tell_sent(self, request: web.Request) -> web.Response:
        return web.json_response(self._sent)


async def main() -> None:
    """Serves on a free port of the loopback interface, and prints its address, until standard input ends."""
    runner = web.AppRunner(Feed().application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
