"""`paradex-sandbox record`: writes down the public streams of any server that speaks Paradex."""

import asyncio
import itertools
import json
import logging
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from paradex_sandbox.frames_reader import FrameError, read_frame
from paradex_sandbox.recording import BookRecord, MarkRecord, Record, TradeRecord, Writer

_log = logging.getLogger(__name__)

#: Versions of the SBE schema that are asked for, in turn, while a server refuses with HTTP 400.
_SCHEMA_VERSIONS = (2, 1)
_HEARTBEAT_S = 30.0
_MAX_BACKOFF_S = 30.0
_FEED = "deltas@15@50ms"


class RecordError(Exception):
    """What cannot be recorded; the message is one line for the user."""


def socket_url(url: str) -> str:
    """The WebSocket address that belongs to a REST address; one that is a WebSocket's already stays.

    Paradex's own hosts have a name of their own for it: ws.api.prod.paradex.trade beside api.prod.paradex.trade.
    """
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in ("http", "https", "ws", "wss") or not parts.netloc:
        raise RecordError(f"{url} is not an address")
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    is_paradex = parts.netloc.startswith("api.") and parts.netloc.endswith(".paradex.trade")
    path = parts.path.rstrip("/") or "/v1"
    return urlunsplit((scheme, f"ws.{parts.netloc}" if is_paradex else parts.netloc, path, "", ""))


class Recorder:
    """Subscribes to book, trades and summary of markets, and writes what comes until it is told to stop.

    A connection that ends is opened again; a gap in a book's numbers fetches a new snapshot. `counts` says how many
    records of each kind were written.
    """

    def __init__(self, url: str, markets: Sequence[str], writer: Writer):
        self.counts: Counter[str] = Counter()
        self._url = socket_url(url)
        self._markets = list(markets)
        self._writer = writer
        self._ids = itertools.count(1)
        self._requests: dict[int, str] = {}
        self._seq: dict[str, int] = {}

    async def run(self, seconds: float | None) -> None:
        """Records for so long (real time), or until cancelled. Raises RecordError where there is nothing to record."""
        deadline = None if seconds is None else time.monotonic() + seconds
        backoff = 1.0
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    async with asyncio.timeout_at(_loop_time(deadline)):
                        await self._connection(session)
                except TimeoutError:
                    if deadline is not None and time.monotonic() >= deadline:
                        return
                except (aiohttp.ClientError, OSError) as error:
                    if not self.counts:
                        raise RecordError(f"no Paradex answers at {self._url}: {error}") from None
                    _log.warning("connection lost (%s), trying again", error)
                if deadline is not None and time.monotonic() + backoff >= deadline:
                    return
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, _MAX_BACKOFF_S)

    async def _connection(self, session: aiohttp.ClientSession) -> None:
        socket = await self._connect(session)
        self._requests.clear()
        self._seq.clear()
        async with socket:
            for market in self._markets:
                for channel in (f"order_book.{market}.{_FEED}", f"trades.{market}", f"markets_summary.{market}"):
                    await self._call(socket, "subscribe", channel)
            async for message in socket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    await self._frame(socket, message.data)
                elif message.type is aiohttp.WSMsgType.TEXT:
                    self._answer(message.data)

    async def _connect(self, session: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
        refusal: aiohttp.WSServerHandshakeError | None = None
        for version in _SCHEMA_VERSIONS:
            try:
                url = f"{self._url}?sbeSchemaId=1&sbeSchemaVersion={version}"
                return await session.ws_connect(url, heartbeat=_HEARTBEAT_S)
            except aiohttp.WSServerHandshakeError as error:
                if error.status != 400:
                    raise
                refusal = error
        raise RecordError(f"{self._url} refuses the handshake: HTTP {refusal.status if refusal else 400}")

    async def _call(self, socket: aiohttp.ClientWebSocketResponse, method: str, channel: str) -> None:
        request_id = next(self._ids)
        self._requests[request_id] = channel
        await socket.send_json({"jsonrpc": "2.0", "id": request_id, "method": method, "params": {"channel": channel}})

    def _answer(self, text: str) -> None:
        answer = json.loads(text)
        channel = self._requests.pop(answer.get("id"), None)
        if channel is not None and "error" in answer:
            reason = answer["error"].get("data") or answer["error"].get("message")
            raise RecordError(f"cannot subscribe to {channel}: {reason}")

    async def _frame(self, socket: aiohttp.ClientWebSocketResponse, frame: bytes) -> None:
        try:
            record = read_frame(frame)
        except FrameError as error:
            _log.warning("%s", error)
            return
        if record is None or record.market not in self._markets:
            return
        if isinstance(record, BookRecord) and not await self._follows(socket, record):
            return
        self._writer.write(record)
        self.counts[_kind(record)] += 1

    async def _follows(self, socket: aiohttp.ClientWebSocketResponse, record: BookRecord) -> bool:
        """Whether the record continues its book; after a gap a new snapshot is asked for."""
        last = self._seq.get(record.market)
        if record.is_snapshot or (last is not None and record.seq == last + 1):
            self._seq[record.market] = record.seq
            return True
        if last is not None and record.seq > last:
            _log.warning("%s: book %d after %d, fetching a snapshot", record.market, record.seq, last)
            del self._seq[record.market]
            for method in ("unsubscribe", "subscribe"):
                await self._call(socket, method, f"order_book.{record.market}.{_FEED}")
        return False


async def record(url: str, markets: Sequence[str], path: Path, seconds: float | None) -> Counter[str]:
    """Records `markets` of the server at `url` into a file; how many records of each kind. Raises RecordError."""
    try:
        with Writer(path) as writer:
            recorder = Recorder(url, markets, writer)
            await recorder.run(seconds)
            return recorder.counts
    except OSError as error:
        raise RecordError(f"cannot write {path}: {error.strerror or error}") from None


def _loop_time(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    return asyncio.get_running_loop().time() + deadline - time.monotonic()


def _kind(record: Record) -> str:
    names = {BookRecord: "book", TradeRecord: "trade", MarkRecord: "mark"}
    return names[type(record)]
