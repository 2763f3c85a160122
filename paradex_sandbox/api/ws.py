"""The WebSocket at /v1: SBE handshake, JSON-RPC 2.0 requests and answers as text, channel data as binary frames."""

import asyncio
import json
import logging
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Container
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import WSMsgType, web

from paradex_sandbox.api import render, sbe
from paradex_sandbox.api.access import Access
from paradex_sandbox.api.auth import Credentials, key_is_valid
from paradex_sandbox.api.channels import Channel, Topic, parse_base_asset_channel, parse_channel
from paradex_sandbox.api.errors import FAULT_MESSAGE, ApiError
from paradex_sandbox.api.limits import CONNECTIONS, ORDERS, RATE_LIMIT_CODE, Limiter, peer_ip
from paradex_sandbox.api.order_entry import AnswerLostError, OrderEntry
from paradex_sandbox.api.params import parse_json
from paradex_sandbox.api.runtime import Runtime
from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.model import Order
from paradex_sandbox.faults import Fault, FaultKind

_log = logging.getLogger(__name__)

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
METHOD_ERROR = 100
MALFORMED_TOKEN = 40110
INVALID_TOKEN = 40111
NOT_AUTHENTICATED = 40300
RATE_LIMITED = 42901

_MAX_REQUEST_BYTES = 256 * 1024
#: More orders than this are looked through for those that are closed.
_MAX_TRACKED_ORDERS = 5000


@dataclass(frozen=True, slots=True)
class SocketTimes:
    """Seconds of real time: heartbeat on an idle connection, ping interval, and how long the pong may take."""

    heartbeat: float = 20.0
    ping: float = 55.0
    pong: float = 5.0


#: A client with this many unread messages is cut off.
MAX_UNREAD = 2000


class RpcError(Exception):
    """A request that is answered with a JSON-RPC error."""

    def __init__(self, code: int, message: str, data: object = None):
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class SocketServer:
    """All WebSocket sessions."""

    def __init__(
        self,
        runtime: Runtime,
        access: Access,
        order_entry: OrderEntry,
        times: SocketTimes,
        limiter: Limiter,
    ):
        self.runtime = runtime
        self.access = access
        self.order_entry = order_entry
        self.times = times
        self.limiter = limiter
        self.node_id = secrets.token_hex(8)
        self._sessions: set[Session] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """GET /v1: the handshake, then the session until it ends. Refuses a wrong handshake with HTTP 400."""
        verdict = self.limiter.take([(CONNECTIONS, peer_ip(request))])
        if verdict is not None and not verdict.allowed:
            refusal = ApiError(RATE_LIMIT_CODE, "too many connections", status=429).response()
            refusal.headers.update(verdict.headers)
            return refusal
        version = _negotiate(request)
        # Pings are answered and pongs are watched by the session itself; compressing every frame per client is waste.
        socket = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=_MAX_REQUEST_BYTES)
        if not socket.can_prepare(request).ok:
            raise ApiError("INVALID_REQUEST_PARAMETER", "this address speaks WebSocket; REST paths are below it")
        await socket.prepare(request)
        session = Session(self, socket, request, version)
        self._sessions.add(session)
        try:
            await session.run()
        finally:
            self._sessions.discard(session)
        return socket

    def drop_all(self, after_messages: int = 0) -> None:
        """Cuts every connection without a closing handshake, each after it was sent so many more messages."""
        for session in list(self._sessions):
            if after_messages:
                session.cut_after = after_messages
            else:
                session.cut()

    async def close(self) -> None:
        """Closes every connection properly, as a server that shuts down does."""
        await asyncio.gather(*(session.close() for session in list(self._sessions)))


class Session:
    """One connection: its subscriptions, its account once authenticated, and its queue of unsent messages."""

    def __init__(self, server: SocketServer, socket: web.WebSocketResponse, request: web.Request, version: int):
        self.version = version
        self.credentials: Credentials | None = None
        #: How many messages may still be sent before a fault cuts the connection.
        self.cut_after: int | None = None
        self._server = server
        self._socket = socket
        self._transport = request.transport
        self._ip = peer_ip(request)
        self._channels: dict[str, Channel] = {}
        #: The markets of the scoped subscriptions, by channel; shared with the hub.
        self._scopes: dict[str, set[str]] = {}
        self._cancel_on_disconnect = False
        #: Orders made on this connection, as far as they may still be live.
        self._orders: dict[str, None] = {}
        self._ended = False
        self._queue: deque[bytes | str] = deque()
        self._queued = asyncio.Event()
        self._pong = asyncio.Event()
        self._last_sent = time.monotonic()
        #: What a fault does to the answer of the call that is carried out; calls are, one after the other.
        self._spoilt: FaultKind | None = None

    @property
    def account(self) -> str | None:
        """Address of the authenticated account."""
        return None if self.credentials is None else self.credentials.account

    @property
    def backlog(self) -> int:
        """How many messages are queued and not sent."""
        return len(self._queue)

    def send(self, message: bytes | str) -> None:
        """Queues a message; cuts the connection when the client leaves too many unread."""
        if self._ended:
            return
        if len(self._queue) >= MAX_UNREAD:
            _log.warning("client left %d messages unread, connection cut", MAX_UNREAD)
            self.cut()
            return
        self._queue.append(message)
        self._queued.set()

    def cut(self) -> None:
        """Ends the connection at once, without a closing handshake."""
        self._ended = True
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """Ends the connection with a closing handshake (1001, going away)."""
        with suppress(ConnectionError):
            await self._socket.close(code=1001)

    async def run(self) -> None:
        """Serves the connection until it ends."""
        helpers = [asyncio.create_task(task()) for task in (self._write, self._heartbeat, self._ping)]
        try:
            await self._read()
        finally:
            for channel in self._channels.values():
                self._server.runtime.hub.remove(self, channel)
            if self._cancel_on_disconnect and self.credentials is not None:
                await self._server.order_entry.cancel_quietly(self.credentials, list(self._orders))
            for helper in helpers:
                helper.cancel()
            # A helper may have ended with the connection; what it says of that adds nothing.
            await asyncio.gather(*helpers, return_exceptions=True)

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type is WSMsgType.TEXT:
                await self._answer(message.data)
            elif message.type is WSMsgType.PING:
                await self._socket.pong(message.data)
            elif message.type is WSMsgType.PONG:
                self._pong.set()
            elif message.type is WSMsgType.BINARY:
                self._send_error(None, RpcError(INVALID_REQUEST, "requests are JSON text frames"), _now_us())

    async def _write(self) -> None:
        with suppress(ConnectionError):
            while True:
                await self._queued.wait()
                self._queued.clear()
                while self._queue:
                    message = self._queue.popleft()
                    if isinstance(message, bytes):
                        await self._socket.send_bytes(message)
                    else:
                        await self._socket.send_str(message)
                    self._last_sent = time.monotonic()
                    if self.cut_after is not None:
                        self.cut_after -= 1
                        if self.cut_after <= 0:
                            self.cut()
                            return

    async def _heartbeat(self) -> None:
        interval = self._server.times.heartbeat
        count = 0
        while True:
            await asyncio.sleep(max(self._last_sent + interval - time.monotonic(), interval / 100))
            if time.monotonic() - self._last_sent >= interval and not self._queue:
                count += 1
                self.send(sbe.heartbeat(self.version, ts=self._server.runtime.clock.now_us(), seq=count))
                self._last_sent = time.monotonic()

    async def _ping(self) -> None:
        times = self._server.times
        with suppress(ConnectionError):
            while True:
                await asyncio.sleep(times.ping)
                self._pong.clear()
                await self._socket.ping()
                try:
                    await asyncio.wait_for(self._pong.wait(), times.pong)
                except TimeoutError:
                    _log.warning("no pong within %s s, connection cut", times.pong)
                    self.cut()
                    return

    # -- JSON-RPC -----------------------------------------------------------------------------------------------------

    async def _answer(self, text: str) -> None:
        received = _now_us()
        request_id: int | str | None = None
        self._spoilt = None
        try:
            request = _parse_request(text)
            request_id = _request_id(request)
            name, params = _method(request)
            if self._server.runtime.faults.armed and self._strike(name):
                return
            if name.startswith("order."):
                self._take_order_request()
            await _METHODS[name](self, params, lambda result: self._send_result(request_id, result, received))
        except RpcError as error:
            self._send_error(request_id, error, received)
        except ApiError as error:
            self._send_error(request_id, RpcError(METHOD_ERROR, error.message, {"error": error.code}), received)
        except ExchangeError as error:
            self._send_error(request_id, RpcError(METHOD_ERROR, error.message, {"error": error.code}), received)
        except AnswerLostError:
            self.cut()
        except Exception:  # a bug of the sandbox must neither kill the session nor look like a bug of the client
            _log.exception("WebSocket request failed")
            self._send_error(request_id, RpcError(INTERNAL_ERROR, "Internal error"), received)

    def _strike(self, name: str) -> bool:
        """Lets faults strike a call. True if that ends it without an answer; raises RpcError if they answer it."""

        def applies(fault: Fault) -> bool:
            return name.startswith(fault["call"])

        strike = self._server.runtime.faults.strike
        fault = strike(FaultKind.RPC_ERROR, applies)
        if fault is not None:
            wait = fault["retry_after"]
            raise RpcError(fault["code"], FAULT_MESSAGE, {"retry_after": wait} if wait else None)
        silence = strike(FaultKind.RPC_SILENCE, applies)
        if silence is not None and silence["before"]:
            return True
        if silence is not None:
            self._spoilt = FaultKind.RPC_SILENCE
        elif strike(FaultKind.RPC_CUT_JSON, applies):
            self._spoilt = FaultKind.RPC_CUT_JSON
        return False

    def _send_result(self, request_id: int | str | None, result: object, received: int) -> None:
        self._send_envelope({"result": result}, request_id, received)

    def _send_error(self, request_id: int | str | None, error: RpcError, received: int) -> None:
        body = {"code": error.code, "message": error.message}
        if error.data is not None:
            body["data"] = error.data
        self._send_envelope({"error": body}, request_id, received)

    def _send_envelope(self, outcome: dict[str, object], request_id: int | str | None, received: int) -> None:
        if self._spoilt is FaultKind.RPC_SILENCE:
            return
        sent = _now_us()
        envelope = {
            "jsonrpc": "2.0",
            **outcome,
            "id": request_id,
            "usIn": received,
            "usOut": sent,
            "usDiff": sent - received,
        }
        text = json.dumps(envelope, separators=(",", ":"))
        self.send(text[: len(text) // 2] if self._spoilt is FaultKind.RPC_CUT_JSON else text)

    async def _auth(self, params: dict[str, Any], reply: "Reply") -> None:
        bearer = params.get("bearer")
        if not isinstance(bearer, str) or bearer.count(".") != 2:
            raise RpcError(MALFORMED_TOKEN, "Malformed bearer token")
        try:
            credentials = self._server.access.check(bearer, self._ip)
        except ApiError as error:
            raise RpcError(INVALID_TOKEN, "Invalid bearer token", error.message) from None
        if self.credentials is not None and self.credentials.account != credentials.account:
            raise RpcError(METHOD_ERROR, "Method error", "the connection belongs to another account")
        self.credentials = credentials
        reply({"node_id": self._server.node_id})

    async def _subscribe(self, params: dict[str, Any], reply: "Reply") -> None:
        channel = self._channel(params)
        if channel.name in self._channels:
            raise RpcError(METHOD_ERROR, "Method error", f"already subscribed to {channel.name}")
        scope = None
        if params.get("markets") is not None:
            if channel.topic is not Topic.MARKETS_SUMMARY or channel.market is not None:
                raise RpcError(INVALID_PARAMS, "Invalid method parameters", "markets is for markets_summary only")
            scope = self._scopes[channel.name] = set(self._markets(params, "markets"))
        self._channels[channel.name] = channel
        # The acknowledgement goes out before the first message of the channel.
        reply({"channel": channel.wire_name})
        self._server.runtime.hub.add(self, channel, scope)

    async def _unsubscribe(self, params: dict[str, Any], reply: "Reply") -> None:
        channel = self._channel(params)
        if self._channels.pop(channel.name, None) is None:
            raise RpcError(METHOD_ERROR, "Method error", f"not subscribed to {channel.name}")
        self._scopes.pop(channel.name, None)
        self._server.runtime.hub.remove(self, channel)
        reply({"channel": channel.wire_name})

    async def _modify_subscription(self, params: dict[str, Any], reply: "Reply") -> None:
        channel = self._channel(params)
        scope = self._scopes.get(channel.name)
        if scope is None:
            raise RpcError(METHOD_ERROR, "Method error", f"there is no scoped subscription to {channel.name}")
        added = [market for market in self._markets(params, "add") if market not in scope]
        removed = [market for market in self._markets(params, "remove", known=scope) if market in scope]
        scope.update(added)
        scope.difference_update(removed)
        reply({"channel": channel.name, "add": added, "remove": removed})
        self._server.runtime.hub.send_state(self, channel, scope.intersection(added))

    async def _order_create(self, params: dict[str, Any], reply: "Reply") -> None:
        received_at = self._server.runtime.clock.now_us()
        # The SDK and the OpenRPC file send the order's fields as the parameters; some clients nest them under `order`.
        order = await self._server.order_entry.create(self._require_credentials(), params.get("order", params))
        self._track([order])
        reply(_created(order, received_at))

    async def _order_create_batch(self, params: dict[str, Any], reply: "Reply") -> None:
        received_at = self._server.runtime.clock.now_us()
        results = await self._server.order_entry.create_batch(self._require_credentials(), params.get("orders"))
        self._track([result for result in results if isinstance(result, Order)])
        reply(
            {
                "results": [
                    _created(result, received_at)
                    if isinstance(result, Order)
                    else {"error": f"{result.code}: {result.message}"}
                    for result in results
                ]
            }
        )

    async def _order_cancel_batch(self, params: dict[str, Any], reply: "Reply") -> None:
        body = {"order_ids": params.get("order_ids")}
        results = await self._server.order_entry.cancel_batch(self._require_credentials(), body)
        reply({"results": [render.cancel_result(None, result) for result in results]})

    async def _order_modify(self, params: dict[str, Any], reply: "Reply") -> None:
        order = await self._server.order_entry.modify(self._require_credentials(), params.get("order", params))
        reply({"order": render.order(order)})

    async def _order_cancel_on_disconnect(self, params: dict[str, Any], reply: "Reply") -> None:
        self._require_credentials()
        enabled = params.get("enabled")
        if not isinstance(enabled, bool):
            raise RpcError(INVALID_PARAMS, "Invalid method parameters", "enabled must be true or false")
        self._cancel_on_disconnect = enabled
        reply({"enabled": enabled})

    def _track(self, orders: list[Order]) -> None:
        self._orders.update((order.id, None) for order in orders)
        if len(self._orders) > _MAX_TRACKED_ORDERS and self.credentials is not None:
            live = {order.id for order in self._server.runtime.exchange.open_orders(self.credentials.account)}
            self._orders = {order_id: None for order_id in self._orders if order_id in live}

    def _take_order_request(self) -> None:
        verdict = self._server.limiter.take([(ORDERS, self._require_credentials().account)])
        if verdict is not None and not verdict.allowed:
            raise RpcError(RATE_LIMITED, "Rate limit exceeded", {"retry_after": verdict.retry_after})

    async def _order_cancel(self, params: dict[str, Any], reply: "Reply") -> None:
        credentials = self._require_credentials()
        order_id, client_id, market = (_optional_string(params, name) for name in ("id", "client_id", "market"))
        if not order_id and not (client_id and market):
            raise RpcError(INVALID_PARAMS, "Invalid method parameters", "give id, or client_id and market")
        order = await self._server.order_entry.cancel(
            credentials,
            order_id=order_id or None,
            client_id=None if order_id else client_id,
            market=None if order_id else market,
        )
        reply({"order_id": order.id, "status": "QUEUED_FOR_CANCELLATION"})

    async def _order_cancel_all(self, params: dict[str, Any], reply: "Reply") -> None:
        await self._server.order_entry.cancel_all(self._require_credentials(), _optional_string(params, "market"))
        reply({"status": "ok"})

    def _channel(self, params: dict[str, Any]) -> Channel:
        name = params.get("channel")
        if not isinstance(name, str):
            raise RpcError(INVALID_PARAMS, "Invalid method parameters", "channel must be a string")
        markets, base_asset = self._server.runtime.exchange.markets, _optional_string(params, "base_asset")
        try:
            if base_asset is not None:
                channel = parse_base_asset_channel(name, base_asset, markets.values())
            else:
                # What is subscribed stays so, and can be unsubscribed, when its market is deleted.
                channel = self._channels.get(name) or parse_channel(name, markets)
        except ValueError as error:
            raise RpcError(INVALID_PARAMS, "Invalid method parameters", str(error)) from None
        if channel.private:
            self._require_credentials()
        return channel

    def _markets(self, params: dict[str, Any], name: str, known: Container[str] = ()) -> list[str]:
        """An array of markets that are listed, or `known` from when they were."""
        symbols = params.get(name)
        if symbols is None:
            return []
        if not isinstance(symbols, list) or not all(isinstance(symbol, str) for symbol in symbols):
            raise RpcError(INVALID_PARAMS, "Invalid method parameters", f"{name} must be an array of strings")
        for symbol in symbols:
            if symbol not in self._server.runtime.exchange.markets and symbol not in known:
                raise RpcError(INVALID_PARAMS, "Invalid method parameters", f"unknown market {symbol[:64]!r}")
        return list(dict.fromkeys(symbols))

    def _require_credentials(self) -> Credentials:
        credentials = self.credentials
        if credentials is None:
            raise RpcError(NOT_AUTHENTICATED, "Unauthorized", "call auth first")
        if not key_is_valid(self._server.runtime.exchange, credentials.account, credentials.public_key):
            raise RpcError(INVALID_TOKEN, "Invalid bearer token", "the key of this session was revoked")
        return credentials


Reply = Callable[[object], None]
Method = Callable[[Session, dict[str, Any], Reply], Awaitable[None]]

_METHODS: dict[str, Method] = {
    "auth": Session._auth,
    "subscribe": Session._subscribe,
    "unsubscribe": Session._unsubscribe,
    "modify_subscription": Session._modify_subscription,
    "order.create": Session._order_create,
    "order.create_batch": Session._order_create_batch,
    "order.modify": Session._order_modify,
    "order.cancel": Session._order_cancel,
    "order.cancel_batch": Session._order_cancel_batch,
    "order.cancel_all": Session._order_cancel_all,
    "order.cancel_on_disconnect": Session._order_cancel_on_disconnect,
}
#: The names of all methods.
METHODS = frozenset(_METHODS)
#: Methods that the SDK calls with an array instead of an object, and the parameter that the array is.
_ARRAY_PARAMETERS = {"order.create_batch": "orders"}


def _created(order: Order, received_at: int) -> dict[str, Any]:
    """The result of a created order; `received_at` goes out in nanoseconds."""
    return {
        "order": render.order(order),
        "created_at": render.millis(order.created_at),
        "received_at": received_at * 1000,
    }


def _negotiate(request: web.Request) -> int:
    schema, version = request.query.get("sbeSchemaId"), request.query.get("sbeSchemaVersion")
    if schema is None or version is None:
        raise ApiError("INVALID_REQUEST_PARAMETER", "the URL must carry sbeSchemaId and sbeSchemaVersion")
    if schema != str(sbe.SCHEMA_ID) or version not in map(str, sbe.VERSIONS):
        served = ", ".join(f"{sbe.SCHEMA_ID}:{version}" for version in sbe.VERSIONS)
        raise ApiError("INVALID_REQUEST_PARAMETER", f"SBE schema {schema}:{version} is not served, only {served}")
    return int(version)


def _parse_request(text: str) -> dict[str, Any]:
    try:
        request = parse_json(text)
    except ValueError:
        raise RpcError(PARSE_ERROR, "Parse error") from None
    if not isinstance(request, dict):
        raise RpcError(INVALID_REQUEST, "Invalid request", "a request is a JSON object")
    return request


def _request_id(request: dict[str, Any]) -> int | str:
    request_id = request.get("id")
    if isinstance(request_id, str) or type(request_id) is int:
        return request_id
    raise RpcError(INVALID_REQUEST, "Invalid request", "id must be a number or a string")


def _method(request: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    if request.get("jsonrpc") != "2.0":
        raise RpcError(INVALID_REQUEST, "Invalid request", 'jsonrpc must be "2.0"')
    name = request.get("method")
    if not isinstance(name, str):
        raise RpcError(INVALID_REQUEST, "Invalid request", "method must be a string")
    if name not in _METHODS:
        raise RpcError(METHOD_NOT_FOUND, "Method not found", name[:64])
    params = request.get("params", {})
    if isinstance(params, list) and name in _ARRAY_PARAMETERS:
        params = {_ARRAY_PARAMETERS[name]: params}
    if not isinstance(params, dict):
        raise RpcError(INVALID_PARAMS, "Invalid method parameters", "params must be an object")
    return name, params


def _optional_string(params: dict[str, Any], name: str) -> str | None:
    value = params.get(name)
    if value is not None and not isinstance(value, str):
        raise RpcError(INVALID_PARAMS, "Invalid method parameters", f"{name} must be a string")
    return value


def _now_us() -> int:
    return time.time_ns() // 1000
