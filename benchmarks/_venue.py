"""A server that takes whatever it is sent, in the least time that aiohttp needs: what an order costs is its client's.

    python -m benchmarks._venue

It reads one line of JSON, what a sandbox says of itself (`markets`, `summary`, `config`), prints its address, and ends
with its standard input. It answers as Paradex does, over REST and the socket, and as Hyperliquid does at `/info` and
`/exchange`; it verifies nothing, matches nothing, and forgets an order once it is cancelled. Like Paradex it tells the
sockets that follow the account's orders what became of each.
"""

import asyncio
import base64
import itertools
import json
import sys
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from aiohttp import WSMsgType, web

from paradex_sandbox.api import sbe

SYMBOL = "BTC-USD-PERP"
_LEVELS = 15
_SIDES = {"bids": -1, "asks": 1}

Json = dict[str, Any]
_numbers = itertools.count(1)


class Venue:
    """:param facts: what a sandbox says of itself: `markets`, `summary` and `config`"""

    def __init__(self, facts: Json):
        self._facts = facts
        self._orders: dict[str, Json] = {}
        self._followers: list[web.WebSocketResponse] = []
        self._told: list[Json] = []  # updates that leave behind the answer to what caused them

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_post("/v1/orders", self._on_order)
        application.router.add_post("/v1/orders/batch", self._on_batch)
        application.router.add_put("/v1/orders/{id}", self._on_modify)
        application.router.add_delete("/v1/orders", self._on_cancel_all)
        application.router.add_delete("/v1/orders/batch", self._on_cancel_batch)
        application.router.add_delete("/v1/orders/by_client_id/{client_id}", self._on_cancel)
        application.router.add_delete("/v1/orders/{id}", self._on_cancel)
        application.router.add_get("/v1", self._on_socket)
        application.router.add_route("*", "/v1/{path:.*}", self._on_other)
        application.router.add_post("/info", self._on_hyperliquid_info)
        application.router.add_post("/exchange", self._on_hyperliquid_action)
        return application

    # ---- Orders

    def _created(self, body: Mapping[str, Any]) -> Json:
        now = int(time.time() * 1000)
        order = {
            "id": str(next(_numbers)),
            "account": "0x1",
            "client_id": body.get("client_id") or "",
            "status": "NEW",
            "remaining_size": body["size"],
            "cancel_reason": "",
            "avg_fill_price": "",
            "seq_no": now,
            **dict.fromkeys(("created_at", "received_at", "published_at", "last_updated_at", "timestamp"), now),
            **{name: body.get(name) for name in ("market", "side", "type", "size", "price", "instruction")},
            "trigger_price": "0",
            "stp": "EXPIRE_TAKER",
            "flags": [],
        }
        self._orders[order["id"]] = order
        self._told.append({**order, "status": "OPEN"})
        return order

    def _modified(self, body: Mapping[str, Any]) -> Json:
        order = self._orders[body["id"]]
        order.update(size=body["size"], remaining_size=body["size"], price=body["price"], status="OPEN")
        order["last_updated_at"] = max(int(time.time() * 1000), order["last_updated_at"] + 1)
        request = {"id": str(next(_numbers)), "request_type": "MODIFY_ORDER", "message": ""}
        self._told.append({**order, "request_info": {**request, "status": "SUCCESS"}})
        return {**order, "request_info": {**request, "status": "PENDING"}}

    def _cancelled(self, ids: Sequence[str], client_ids: Sequence[str] = ()) -> Json:
        if client_ids:
            by_client_id = {order["client_id"]: order_id for order_id, order in self._orders.items()}
            ids = [*ids, *(by_client_id[client_id] for client_id in client_ids if client_id in by_client_id)]
        results = []
        for order_id in ids:
            order = self._orders.pop(order_id, None)
            if order is not None:
                self._told.append({**order, "status": "CLOSED", "cancel_reason": "USER_CANCELED"})
                result = {"id": order_id, "client_id": order["client_id"], "status": "QUEUED_FOR_CANCELLATION"}
                results.append({**result, "account": "0x1", "market": order["market"]})
        return {"results": results}

    async def _tell(self) -> None:
        told, self._told = self._told, []
        for order in told:
            params = {"channel": f"orders.{order['market']}", "data": order}
            text = json.dumps({"jsonrpc": "2.0", "method": "subscription", "params": params})
            for socket in self._followers:
                await socket.send_str(text)

    async def _answer(self, request: web.Request, body: Any, status: int = 200) -> web.StreamResponse:
        response = web.Response(status=status) if body is None else web.json_response(body, status=status)
        await response.prepare(request)
        await response.write_eof()
        await self._tell()
        return response

    # ---- REST

    async def _on_order(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, self._created(await request.json()), 201)

    async def _on_batch(self, request: web.Request) -> web.StreamResponse:
        orders = [self._created(order) for order in await request.json()]
        return await self._answer(request, {"orders": orders, "errors": []}, 201)

    async def _on_modify(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, self._modified(await request.json()))

    async def _on_cancel(self, request: web.Request) -> web.StreamResponse:
        place = request.match_info
        self._cancelled([place["id"]]) if "id" in place else self._cancelled([], [place["client_id"]])
        return await self._answer(request, None, 204)

    async def _on_cancel_batch(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        return await self._answer(
            request, self._cancelled(body.get("order_ids") or [], body.get("client_order_ids") or [])
        )

    async def _on_cancel_all(self, request: web.Request) -> web.StreamResponse:
        self._cancelled(list(self._orders))
        return await self._answer(request, None)

    async def _on_other(self, request: web.Request) -> web.Response:
        now = int(time.time())
        account = dict.fromkeys(("account_value", "free_collateral", "total_collateral"), "10000000")
        margins = dict.fromkeys(("initial_margin_requirement", "maintenance_margin_requirement", "margin_cushion"), "0")
        answers: dict[str, Any] = {
            "markets": {"results": self._facts["markets"]},
            "markets/summary": {"results": self._facts["summary"]},
            "system/config": self._facts["config"],
            "system/state": {"status": "ok"},
            "system/time": {"server_time": str(now * 1000)},
            "balance": {"results": [{"token": "USDC", "size": "10000000", "last_updated_at": now * 1000}]},
            "account": {**account, **margins, "status": "ACTIVE", "updated_at": now * 1000, "account": "0x1"},
            f"orderbook/{SYMBOL}": {
                "market": SYMBOL,
                "seq_no": 1,
                "last_updated_at": now * 1000,
                **{side: [list(map(str, level)) for level in self._levels(step)] for side, step in _SIDES.items()},
            },
            "account/margin": {
                "account": "0x1",
                "configs": [{"market": SYMBOL, "leverage": 50, "margin_type": "CROSS"}],
            },
        }
        path = request.match_info["path"]
        if path == "auth" or path.startswith("auth/"):
            return web.json_response({"jwt_token": token(now)})
        return web.json_response(answers.get(path, {"results": []}))

    # ---- The socket

    async def _on_socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._on_call(socket, json.loads(message.data))
        finally:
            if socket in self._followers:
                self._followers.remove(socket)
        return socket

    async def _on_call(self, socket: web.WebSocketResponse, call: Json) -> None:
        method, params = call["method"], call.get("params") or {}
        result: Json = {}
        if method == "order.create":
            result = {"order": self._created(params.get("order") or params)}
        elif method == "order.create_batch":
            orders = params["orders"] if isinstance(params, dict) else params
            result = {"results": [{"order": self._created(order)} for order in orders]}
        elif method == "order.modify":
            result = {"order": self._modified(params.get("order") or params)}
        elif method == "order.cancel":
            client_ids = [params["client_id"]] if params.get("client_id") else []
            self._cancelled([] if client_ids else [params["id"]], client_ids)
        elif method == "order.cancel_batch":
            result = self._cancelled(params.get("order_ids") or params.get("ids") or [])
        elif method == "order.cancel_all":
            self._cancelled(list(self._orders))
        elif method == "subscribe":
            result = {"channel": params["channel"]}
        await socket.send_json({"jsonrpc": "2.0", "id": call.get("id"), "result": result})
        if method == "subscribe" and params["channel"].startswith("orders."):
            self._followers.append(socket)
        elif method == "subscribe" and params["channel"].startswith("order_book."):
            await socket.send_bytes(self._book())
        await self._tell()

    def _levels(self, step: int) -> list[tuple[Decimal, Decimal]]:
        middle = Decimal(int(Decimal(self._facts["summary"][0]["mark_price"])))
        return [(middle + step * level, Decimal(1)) for level in range(1, _LEVELS + 1)]

    def _book(self) -> bytes:
        now = time.time_ns() // 1000
        bids, asks = self._levels(-1), self._levels(1)
        return sbe.book(2, ts=now, seq=1, is_delta=False, bids=bids, asks=asks, market=SYMBOL)

    # ---- Hyperliquid

    async def _on_hyperliquid_info(self, request: web.Request) -> web.Response:
        kind = (await request.json())["type"]
        universe = [{"name": "BTC", "szDecimals": 5, "maxLeverage": 50}]
        mark = f"{float(self._facts['summary'][0]['mark_price']):.1f}"
        context = {"markPx": mark, "oraclePx": mark, "midPx": mark, "funding": "0", "openInterest": "0"}
        answers: dict[str, Any] = {"metaAndAssetCtxs": [{"universe": universe}, [context]], "maxBuilderFee": 0}
        return web.json_response(answers.get(kind, []))

    async def _on_hyperliquid_action(self, request: web.Request) -> web.Response:
        action = (await request.json())["action"]
        if action["type"] == "order":
            statuses: list[Any] = [{"resting": {"oid": next(_numbers)}} for _ in action["orders"]]
        else:
            statuses = ["success" for _ in action["cancels"]]
        response = {"type": action["type"], "data": {"statuses": statuses}}
        return web.json_response({"status": "ok", "response": response})


def token(now: int) -> str:
    """A token that says when it expires, as clients want to know; nobody verifies it."""
    claims = base64.urlsafe_b64encode(json.dumps({"iat": now, "exp": now + 3600}).encode()).decode().rstrip("=")
    return f"e30.{claims}.e30"


async def serve(facts: Json) -> None:
    """Serves until standard input ends."""
    runner = web.AppRunner(Venue(facts).application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    (address, port) = runner.addresses[0][:2]
    print(f"http://{address}:{port}/v1", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.stdin.readline())))
