"""A Paradex of a few lines on a real port: answers what a test tells it to, and remembers what it was asked."""

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from tests.unit.connector import payloads
from tests.unit.connector.payloads import Payload

PATIENCE = 60.0  # seconds, for what should happen at once, on a machine that is busy with something else


@dataclass(frozen=True)
class Answer:
    """What a request is answered with; a plain dict stands for `Answer(200, that)`."""

    status: int = 200
    body: Any = None
    text: str | None = None  # instead of a body
    headers: dict[str, str] = field(default_factory=dict)


def refusal(code: str, status: int = 400) -> Answer:
    return Answer(status, payloads.error(code))


NO_ANSWER = Answer(0)  # the connection is closed
SILENCE = Answer(-1)  # nothing comes, ever


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Socket:
    """One connection of the venue's WebSocket, as the server sees it."""

    websocket: web.WebSocketResponse
    transport: asyncio.Transport
    calls: list[tuple[str, Payload]] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)  # subscribed to, in this order

    async def send(self, *messages: bytes | Payload) -> None:
        for message in messages:
            if isinstance(message, bytes):
                await self.websocket.send_bytes(message)
            else:
                await self.websocket.send_json(message)

    async def close(self) -> None:
        await self.websocket.close()


Given = Answer | Payload
Reply = Given | Callable[[Request], "Given | Awaitable[Given]"]
RpcReply = Callable[[Socket, Payload], Payload | None]


class Venue:
    """A server for one test; without any preparation it knows two markets, gives tokens and acknowledges every call.

    :ivar requests: all REST requests
    :ivar sockets: all sockets ever connected
    :ivar handshakes: the queries of all attempts to connect one
    :ivar rpc: by method; given the socket and the call, answers `{"result": ...}`, `{"error": ...}` or, with None, not
    :ivar schema_versions: those of the binary frames that it speaks; another one is refused with HTTP 400
    :ivar socket_status: refuses all sockets, if it is not None
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.sockets: list[Socket] = []
        self.rpc: dict[str, RpcReply] = {}
        self.handshakes: list[dict[str, str]] = []
        self.schema_versions: Iterable[str] = ("1", "2")
        self.socket_status: int | None = None
        self._replies: dict[tuple[str, str], list[Reply]] = {}
        self._changed = asyncio.Condition()
        self._stopped = asyncio.Event()
        application = web.Application()
        application.router.add_get("/v1", self._serve_socket)
        application.router.add_route("*", "/v1/{path:.*}", self._serve)
        self._server = TestServer(application)
        self.on("GET", "/system/config", payloads.SYSTEM_CONFIG)
        self.on("GET", "/system/time", {"server_time": str(payloads.NOW_MS)})
        self.on("GET", "/markets", payloads.page(payloads.market(), payloads.market(payloads.ETH_MARKET)))
        self.on("POST", "/auth/*", {"jwt_token": payloads.jwt()})

    async def __aenter__(self) -> "Venue":
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopped.set()
        for socket in self.sockets:
            await socket.close()
        await self._server.close()

    @property
    def url(self) -> str:
        return str(self._server.make_url("/v1"))

    def on(self, method: str, path: str, *replies: Reply) -> None:
        """Answer with `replies`, one after the other, and then with the last of them; `*` ends a path that goes on."""
        self._replies[method, path] = list(replies)

    def asked(self, method: str, path: str) -> list[Request]:
        """The requests so far, in order; `*` ends a path that goes on."""
        return [request for request in self.requests if request.method == method and _matches(path, request.path)]

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until `condition` holds; it is looked at whenever something reaches the venue."""
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(condition)

    async def socket(self, number: int = 1, subscriptions: int = 0) -> Socket:
        """The socket that connects as the `number`th, once it has subscribed to so many channels."""
        await self.until(
            lambda: len(self.sockets) >= number and len(self.sockets[number - 1].channels) >= subscriptions
        )
        return self.sockets[number - 1]

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _serve(self, http: web.Request) -> web.StreamResponse:
        text = await http.text()
        request = Request(
            http.method,
            http.path.removeprefix("/v1"),
            dict(http.query),
            dict(http.headers),
            json.loads(text) if text else None,
        )
        self.requests.append(request)
        await self._notify()
        answer = await self._answer(request)
        if answer is SILENCE:
            await self._stopped.wait()
        if answer is NO_ANSWER or answer is SILENCE:
            assert http.transport is not None
            http.transport.abort()
        if answer.text is not None:
            return web.Response(status=answer.status, text=answer.text, headers=answer.headers)
        if answer.body is None:
            return web.Response(status=max(answer.status, 200), headers=answer.headers)
        return web.json_response(answer.body, status=answer.status, headers=answer.headers)

    async def _answer(self, request: Request) -> Answer:
        for (method, path), replies in self._replies.items():
            if method == request.method and _matches(path, request.path):
                reply = replies.pop(0) if len(replies) > 1 else replies[0]
                given = reply(request) if callable(reply) else reply
                if inspect.isawaitable(given):
                    given = await given
                return given if isinstance(given, Answer) else Answer(200, given)
        return refusal("NOT_FOUND", 404)

    async def _serve_socket(self, http: web.Request) -> web.StreamResponse:
        self.handshakes.append(dict(http.query))
        await self._notify()
        if self.socket_status is not None:
            return web.Response(status=self.socket_status)
        if http.query.get("sbeSchemaId") != "1" or http.query.get("sbeSchemaVersion") not in self.schema_versions:
            return web.Response(status=400)
        websocket = web.WebSocketResponse()
        await websocket.prepare(http)
        assert isinstance(http.transport, asyncio.Transport)
        socket = Socket(websocket, http.transport)
        self.sockets.append(socket)
        await self._notify()
        async for message in websocket:
            if message.type is WSMsgType.TEXT:
                await self._serve_call(socket, json.loads(message.data))
        await self._notify()
        return websocket

    async def _serve_call(self, socket: Socket, call: Payload) -> None:
        method, params = call["method"], call["params"]
        socket.calls.append((method, params))
        answer = self.rpc[method](socket, call) if method in self.rpc else {"result": {}}
        if answer is not None and method in ("subscribe", "unsubscribe"):
            subscribed = params["channel"] in socket.channels
            if subscribed == (method == "subscribe"):
                answer = {"error": {"code": 100, "message": f"{method} twice: {params['channel']}"}}
        if answer is not None:
            await socket.send({"jsonrpc": "2.0", "id": call["id"], "usIn": 1, "usDiff": 1, "usOut": 2, **answer})
        if answer is not None and "error" not in answer:
            if method == "subscribe":
                socket.channels.append(params["channel"])
            elif method == "unsubscribe":
                socket.channels.remove(params["channel"])
        await self._notify()


def _matches(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern
