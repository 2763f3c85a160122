"""An exchange for whole bots: many markets, their books and summaries, and orders, in the words of two exchanges.

    python -m benchmarks._bot_venue

It is `benchmarks._venue`, which takes every order, with as many markets as are wanted, all like the one of which it is
told (`markets`, `pairs`), and Hyperliquid's socket. Each market has its summary told once a second. `GET /go?rate=` has
books told too, 15 levels a side, so many a second over all markets; with 0 there is silence again.
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from aiohttp import WSMsgType, web

from benchmarks import _feed
from benchmarks._venue import Json, Venue
from paradex_sandbox.api import sbe

_VARIANTS = 64


class BotVenue(Venue):
    """:param facts: as :class:`Venue` has them, of one market, and how many `pairs` there are to be"""

    def __init__(self, facts: Json):
        [market], [summary] = facts["markets"], facts["summary"]
        self._coins = [f"M{number:03}" for number in range(facts["pairs"])]
        symbols = [f"{coin}-USD-PERP" for coin in self._coins]
        super().__init__(
            {
                "markets": [
                    {**market, "symbol": symbol, "base_currency": coin}
                    for coin, symbol in zip(self._coins, symbols, strict=True)
                ],
                "summary": [{**summary, "symbol": symbol} for symbol in symbols],
                "config": facts["config"],
            }
        )
        self._mark = Decimal(int(Decimal(summary["mark_price"])))
        self._books = list(self._make_books())
        self._told_books = dict.fromkeys(self._coins, 0)  # how many messages, by market
        self._paradex: dict[web.WebSocketResponse, set[str]] = {}  # channels
        self._hyperliquid: dict[web.WebSocketResponse, set[tuple[str, str]]] = {}  # subscriptions: type and coin
        self._resting: dict[str, Json] = {}  # Hyperliquid's, by the client's id
        self._rate = 0
        self._tasks: list[asyncio.Task[None]] = []

    def application(self) -> web.Application:
        application = super().application()
        application.router.add_get("/ws", self._on_hyperliquid_socket)
        application.router.add_get("/go", self._on_go)
        application.on_startup.append(self._start)
        return application

    def _make_books(self) -> Iterator[_feed.Book]:
        """Books that never cross, of sizes that change."""
        for number in range(_VARIANTS):
            sizes = itertools.cycle(Decimal(number * 7 + level + 1) / 100 for level in range(11))
            bids = [(self._mark - level, next(sizes)) for level in range(1, _feed.LEVELS + 1)]
            asks = [(self._mark + level, next(sizes)) for level in range(1, _feed.LEVELS + 1)]
            yield bids, asks

    # ---- What is told

    async def _start(self, _: web.Application) -> None:
        self._tasks = [asyncio.create_task(self._tell_summaries()), asyncio.create_task(self._tell_books())]

    async def _on_go(self, request: web.Request) -> web.Response:
        self._rate = int(request.query["rate"])
        return web.Response()

    async def _tell_summaries(self) -> None:
        context = self._context()
        for second in itertools.count(1):
            for coin in self._coins:
                symbol = f"{coin}-USD-PERP"
                for socket, channels in list(self._paradex.items()):
                    if f"markets_summary.{symbol}" in channels and not socket.closed:
                        await socket.send_bytes(self._summary(symbol, second))
                for socket, wanted in list(self._hyperliquid.items()):
                    if ("activeAssetCtx", coin) in wanted and not socket.closed:
                        await socket.send_json({"channel": "activeAssetCtx", "data": {"coin": coin, "ctx": context}})
            await asyncio.sleep(1)

    async def _tell_books(self) -> None:
        coins = itertools.cycle(self._coins)
        while True:
            if not self._rate:
                await asyncio.sleep(0.01)
                continue
            coin = next(coins)
            self._told_books[coin] += 1
            for socket, channels in list(self._paradex.items()):
                if self._book_channel(coin, channels) and not socket.closed:
                    await socket.send_bytes(self._frame(coin))
            for socket, wanted in list(self._hyperliquid.items()):
                if ("l2Book", coin) in wanted and not socket.closed:
                    await socket.send_json({"channel": "l2Book", "data": self._hyperliquid_book(coin)})
            await asyncio.sleep(1 / self._rate)

    @staticmethod
    def _book_channel(coin: str, channels: set[str]) -> bool:
        return any(channel.startswith(f"order_book.{coin}-") for channel in channels)

    def _book_of(self, coin: str) -> _feed.Book:
        return self._books[self._told_books[coin] % _VARIANTS]

    def _frame(self, coin: str) -> bytes:
        """The whole book of a market: whole ones are taken where changes are expected, too."""
        bids, asks = self._book_of(coin)
        return sbe.book(
            2,
            ts=time.time_ns() // 1000,
            seq=1 + self._told_books[coin],
            is_delta=False,
            bids=bids,
            asks=asks,
            market=f"{coin}-USD-PERP",
            best_api=(bids[0], asks[0]),
        )

    def _summary(self, symbol: str, seq: int) -> bytes:
        values = ("mark_price", "underlying_price", "last_traded_price")
        numbers = ("volume_24h", "open_interest", "total_volume", "price_change_rate_24h")
        return sbe.market_summary(
            2,
            ts=time.time_ns() // 1000,
            seq=seq,
            market=symbol,
            **dict.fromkeys(values, self._mark),
            **dict.fromkeys(numbers, Decimal(1)),
            funding_rate=Decimal("0.0001"),
            bid=None,
            ask=None,
        )

    def _context(self) -> Json:
        price = f"{self._mark}.0"
        prices = dict.fromkeys(("markPx", "oraclePx", "midPx", "prevDayPx"), price)
        return {**prices, "funding": "0.0001", "openInterest": "1.0", "dayNtlVlm": "1.0", "premium": "0.0"}

    # ---- Paradex

    async def _on_other(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        if path == "account/margin":
            configs = [{"market": f"{coin}-USD-PERP", "leverage": 50, "margin_type": "CROSS"} for coin in self._coins]
            return web.json_response({"account": "0x1", "configs": configs})
        if path.startswith("orderbook/"):
            symbol = path.removeprefix("orderbook/")
            coin = symbol.partition("-")[0]
            bids, asks = ([list(map(str, level)) for level in side] for side in self._book_of(coin))
            now = int(time.time() * 1000)
            seq = 1 + self._told_books[coin]
            book = {"market": symbol, "seq_no": seq, "last_updated_at": now, "bids": bids, "asks": asks}
            return web.json_response(book)
        return await super()._on_other(request)

    async def _on_call(self, socket: web.WebSocketResponse, call: Json) -> None:
        channel = (call.get("params") or {}).get("channel", "")
        if call["method"] != "subscribe" or channel.startswith("orders."):
            await super()._on_call(socket, call)
            return
        await socket.send_json({"jsonrpc": "2.0", "id": call.get("id"), "result": {"channel": channel}})
        self._paradex.setdefault(socket, set()).add(channel)
        if channel.startswith("order_book."):
            await socket.send_bytes(self._frame(channel.split(".")[1].partition("-")[0]))

    # ---- Hyperliquid

    async def _on_hyperliquid_socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            call = json.loads(message.data)
            if call["method"] == "ping":
                await socket.send_json({"channel": "pong"})
                continue
            wanted = call["subscription"]
            self._hyperliquid.setdefault(socket, set()).add((wanted["type"], wanted.get("coin", "")))
            await socket.send_json({"channel": "subscriptionResponse", "data": call})
            if wanted["type"] == "l2Book":
                await socket.send_json({"channel": "l2Book", "data": self._hyperliquid_book(wanted["coin"])})
        self._hyperliquid.pop(socket, None)
        return socket

    def _hyperliquid_book(self, coin: str) -> Json:
        levels = [[{"px": str(price), "sz": str(size), "n": 3} for price, size in side] for side in self._book_of(coin)]
        return {"coin": coin, "time": int(time.time() * 1000), "levels": levels}

    async def _on_hyperliquid_info(self, request: web.Request) -> web.Response:
        asked = await request.json()
        account = dict.fromkeys(("accountValue", "totalNtlPos", "totalRawUsd", "totalMarginUsed"), "10000000.0")
        universe = [{"name": coin, "szDecimals": 5, "maxLeverage": 50} for coin in self._coins]
        answers: dict[str, Any] = {
            "meta": {"universe": universe},
            "metaAndAssetCtxs": [{"universe": universe}, [self._context()] * len(universe)],
            "maxBuilderFee": 0,
            "userAbstraction": "default",
            "clearinghouseState": {
                "marginSummary": account,
                "crossMarginSummary": account,
                "withdrawable": "10000000.0",
                "assetPositions": [],
                "time": int(time.time() * 1000),
            },
        }
        kind = asked["type"]
        if kind == "l2Book":
            return web.json_response(self._hyperliquid_book(asked["coin"]))
        if kind == "orderStatus":
            order = next(
                (order for order in self._resting.values() if asked["oid"] in (order["oid"], order["cloid"])), None
            )
            status = {"order": order, "status": "open", "statusTimestamp": int(time.time() * 1000)}
            return web.json_response({"status": "order", "order": status} if order else {"status": "unknownOid"})
        return web.json_response(answers.get(kind, []))

    async def _on_hyperliquid_action(self, request: web.Request) -> web.Response:
        action = (await request.json())["action"]
        now = int(time.time() * 1000)
        told: list[Json] = []
        statuses: list[Any] = []
        if action["type"] == "order":
            for order in action["orders"]:
                self._resting[order["c"]] = resting = {
                    "coin": self._coins[order["a"]],
                    "side": "B" if order["b"] else "A",
                    "limitPx": order["p"],
                    "sz": order["s"],
                    "origSz": order["s"],
                    "oid": next(self._numbers),
                    "timestamp": now,
                    "cloid": order["c"],
                }
                statuses.append({"resting": {"oid": resting["oid"]}})
                told.append({"order": resting, "status": "open", "statusTimestamp": now})
        else:
            for cancel in action["cancels"]:
                gone = self._resting.pop(cancel["cloid"])
                statuses.append("success")
                told.append({"order": gone, "status": "canceled", "statusTimestamp": now})
        response = {"type": action["type"], "data": {"statuses": statuses}}
        answer = web.json_response({"status": "ok", "response": response})
        await answer.prepare(request)
        await answer.write_eof()
        for socket, wanted in list(self._hyperliquid.items()):
            if ("orderUpdates", "") in wanted and not socket.closed:
                await socket.send_json({"channel": "orderUpdates", "data": told})
        return answer

    _numbers = itertools.count(1)


async def serve(facts: Json) -> None:
    """Serves until standard input ends."""
    runner = web.AppRunner(BotVenue(facts).application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    (address, port) = runner.addresses[0][:2]
    print(f"http://{address}:{port}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.stdin.readline())))
