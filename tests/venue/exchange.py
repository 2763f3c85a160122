"""The exchange as somebody else sees it: the witness that the connector is compared with.

Nothing of the connector is used here. Keys, signatures and binary frames are handled by Paradex's own SDK, HTTP and
sockets by aiohttp.
"""

import asyncio
import itertools
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import aiohttp
from paradex_py.account.subkey_account import SubkeyAccount
from paradex_py.api.models import SystemConfigSchema
from paradex_py.api.sbe.codec import decode_frame
from paradex_py.common.order import Order, OrderSide, OrderType
from pydantic import BaseModel

from tests.venue.waiting import TIMEOUT, until

SBE_VERSION = 2
_TIMEOUT = aiohttp.ClientTimeout(total=90)
_TOKEN_IS_FRESH_FOR = 120.0  # seconds, of the five minutes that it lives
_LIMIT_PAUSE = 0.5  # seconds, in which five private requests are earned
_ZERO = Decimal(0)


@dataclass(frozen=True)
class Credentials:
    """A subkey's private key and its main account's address."""

    api_secret: str
    account_address: str

    def __repr__(self) -> str:
        return f"Credentials({self.account_address[:6]}…)"


class Refusal(Exception):
    """A request or call that the exchange answered with an error; `status` is the HTTP status or the JSON-RPC code."""

    def __init__(self, request: str, status: int, code: str, message: str):
        super().__init__(f"{request}: {status} {code} {message}")
        self.status = status
        self.code = code


@dataclass(frozen=True)
class Market:
    """A market of `GET /markets`; sizes in base, prices in quote."""

    symbol: str
    pair: str
    tick: Decimal
    step: Decimal
    min_notional: Decimal
    max_size: Decimal
    max_leverage: int
    band: Decimal

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> "Market":
        return cls(
            symbol=payload["symbol"],
            pair=f"{payload['base_currency']}-{payload['settlement_currency']}",
            tick=Decimal(payload["price_tick_size"]),
            step=Decimal(payload["order_size_increment"]),
            min_notional=Decimal(payload["min_notional"]),
            max_size=Decimal(payload["max_order_size"]),
            max_leverage=int(1 / Decimal(payload["delta1_cross_margin_params"]["imf_base"])),
            band=Decimal(payload["price_bands_width"]),
        )

    def smallest_size(self, price: Decimal) -> Decimal:
        """The smallest order at `price`, with room for the mark price to move before it arrives."""
        return max(self.step, self.round_size(self.min_notional * Decimal("1.2") / price))

    def round_size(self, size: Decimal) -> Decimal:
        """Up to the next whole step."""
        return (size / self.step).to_integral_value(ROUND_CEILING) * self.step

    def round_price(self, price: Decimal, *, up: bool = False) -> Decimal:
        """To the next whole tick, down unless told otherwise."""
        return (price / self.tick).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR) * self.tick


@dataclass(frozen=True)
class Touch:
    """Best bid and ask, and what lies there."""

    bid: Decimal
    bid_size: Decimal
    ask: Decimal
    ask_size: Decimal
    seq: int

    @property
    def mid(self) -> Decimal:
        return (self.bid + self.ask) / 2


class Exchange:
    """One account on one venue, over REST. An asynchronous context manager.

    :param url: address of the REST API, with /v1
    :param credentials: whose requests these are
    :param interactive: whether the token is asked for as interactive, which makes Retail orders
    """

    def __init__(self, url: str, credentials: Credentials, *, interactive: bool = False):
        self.url = url
        self._credentials = credentials
        self._interactive = interactive
        self._session: aiohttp.ClientSession | None = None
        self._account: SubkeyAccount | None = None
        self._token = ""
        self._token_time = 0.0

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    # === Requests ===

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Any, Mapping[str, str]]:
        """One request as it is given, without a token.

        :return: the JSON answer, None without a body, and the headers
        :raises Refusal: if the answer is an error
        """
        assert self._session is not None
        query = {name: str(value) for name, value in (params or {}).items()}
        async with self._session.request(
            method, self.url + path, params=query, json=body, headers=dict(headers or {})
        ) as response:
            text = await response.text()
            answer = json.loads(text) if text else None
            if response.status >= 400:
                raise Refusal(f"{method} {path}", response.status, answer["error"], answer["message"])
            return answer, response.headers

    async def get(self, path: str, **params: Any) -> Any:
        """An authenticated GET; public paths do not mind the token.

        The account's limits are the bot's too: where they are used up, as by those who wait on a slow machine, it is
        asked again.
        """
        while True:
            try:
                return (await self.request("GET", path, params=params, headers=await self.authorization()))[0]
            except Refusal as refusal:
                if refusal.status != HTTPStatus.TOO_MANY_REQUESTS:
                    raise
            await asyncio.sleep(_LIMIT_PAUSE)

    async def delete(self, path: str, **params: Any) -> Any:
        return (await self.request("DELETE", path, params=params, headers=await self.authorization()))[0]

    async def post(self, path: str, body: Any) -> Any:
        return (await self.request("POST", path, body=body, headers=await self.authorization()))[0]

    async def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {await self.token()}"}

    async def token(self) -> str:
        """A JWT that is good for some minutes."""
        if not self._token or time.monotonic() - self._token_time > _TOKEN_IS_FRESH_FOR:
            account = await self._signer()
            path = f"/auth/{hex(account.l2_public_key)}"
            params = {"token_usage": "interactive"} if self._interactive else None
            answer, _ = await self.request("POST", path, params=params, headers=account.auth_headers())
            self._token, self._token_time = answer["jwt_token"], time.monotonic()
        return self._token

    async def _signer(self) -> SubkeyAccount:
        if self._account is None:
            config, _ = await self.request("GET", "/system/config")
            self._account = SubkeyAccount(
                config=SystemConfigSchema().load(config, unknown="exclude", partial=True),
                l2_private_key=self._credentials.api_secret,
                l2_address=self._credentials.account_address,
            )
        return self._account

    # === Market data ===

    async def markets(self) -> list[dict[str, Any]]:
        return (await self.get("/markets"))["results"]

    async def market(self, symbol: str) -> Market:
        return Market.from_payload((await self.get("/markets", market=symbol))["results"][0])

    async def summary(self, market: Market) -> dict[str, Any]:
        return (await self.get("/markets/summary", market=market.symbol))["results"][0]

    async def touch(self, market: Market) -> Touch:
        """Best bid and ask, once there are both."""

        async def both() -> Touch | None:
            bbo = await self.get(f"/bbo/{market.symbol}")
            numbers = [bbo[key] for key in ("bid", "bid_size", "ask", "ask_size")]
            return Touch(*map(Decimal, numbers), seq=int(bbo["seq_no"])) if all(numbers) else None

        return await until(both, f"{market.symbol} has a bid and an ask")

    # === Orders ===

    async def place(
        self,
        market: Market,
        side: str,
        size: Decimal,
        price: Decimal | None = None,
        *,
        instruction: str = "GTC",
        reduce_only: bool = False,
        mmp: bool = False,
        client_id: str = "",
        signed_ago: float = 0.0,
        recv_window: int | None = None,
    ) -> dict[str, Any]:
        """`POST /orders`, signed by the SDK.

        :param price: None makes it a MARKET order
        :param mmp: whether it is under market-maker protection
        :param signed_ago: seconds by which the signature is older than now
        :return: the exchange's first answer
        """
        order = Order(
            market=market.symbol,
            order_type=OrderType.Market if price is None else OrderType.Limit,
            order_side=OrderSide(side),
            size=size,
            limit_price=price if price is not None else _ZERO,
            client_id=client_id,
            instruction=instruction,
            reduce_only=reduce_only,
            mmp=mmp,
            recv_window=recv_window,
            signature_timestamp=int((time.time() - signed_ago) * 1e3),
        )
        order.signature = (await self._signer()).sign_order(order)
        body = {name: value for name, value in order.dump_to_dict().items() if value not in (None, "")}
        return await self.post("/orders", body)

    async def modify(self, order: Mapping[str, Any], market: Market, price: Decimal) -> dict[str, Any]:
        """`PUT /orders/{id}` of a LIMIT order, signed by the SDK; the exchange's first answer."""
        change = Order(
            market=market.symbol,
            order_type=OrderType.Limit,
            order_side=OrderSide(order["side"]),
            size=Decimal(order["size"]),
            limit_price=price,
            order_id=order["id"],
        )
        change.signature = (await self._signer()).sign_order(change)
        body = {name: value for name, value in change.dump_to_dict().items() if value not in (None, "")}
        path = f"/orders/{order['id']}"
        return (await self.request("PUT", path, body=body, headers=await self.authorization()))[0]

    async def open_orders(self, market: Market | None = None) -> dict[str, dict[str, Any]]:
        """The live orders by client id."""
        params = {"market": market.symbol} if market is not None else {}
        orders = (await self.get("/orders", **params))["results"]
        return {order["client_id"]: order for order in orders}

    async def order(self, client_id: str) -> dict[str, Any] | None:
        """An order, live or closed; None if the exchange does not know it."""
        live = (await self.open_orders()).get(client_id)
        if live is not None:
            return live
        history = (await self.get("/orders-history", client_id=client_id))["results"]
        return next((order for order in history if order["client_id"] == client_id), None)

    async def matched_order(self, client_id: str) -> dict[str, Any]:
        """An order that has been through the matching: it is OPEN or CLOSED."""

        async def matched() -> dict[str, Any] | None:
            order = await self.order(client_id)
            return order if order is not None and order["status"] != "NEW" else None

        return await until(matched, f"the exchange says that {client_id} is OPEN or CLOSED")

    async def closed_order(self, client_id: str) -> dict[str, Any]:
        """An order that is closed, or about to be."""

        async def closed() -> dict[str, Any] | None:
            order = await self.order(client_id)
            return order if order is not None and order["status"] == "CLOSED" else None

        return await until(closed, f"the exchange says that {client_id} is CLOSED")

    async def cancel(self, client_id: str, market: Market) -> None:
        await self.delete(f"/orders/by_client_id/{client_id}", market=market.symbol)

    async def fills(self, client_id: str, since: float) -> dict[str, dict[str, Any]]:
        """An order's fills by type and id.

        :param since: seconds since the epoch; fills before it are left out
        """
        fills = (await self.get("/fills", start_at=int(since * 1e3) - 60_000, page_size=1000))["results"]
        return {f"{fill['fill_type']}-{fill['id']}": fill for fill in fills if fill["client_id"] == client_id}

    # === The account ===

    async def position(self, market: Market) -> dict[str, Any] | None:
        """The open position in a market."""
        positions = (await self.get("/positions"))["results"]
        return next((p for p in positions if p["market"] == market.symbol and Decimal(p["size"])), None)

    async def position_size(self, market: Market) -> Decimal:
        """Signed, in base."""
        position = await self.position(market)
        return Decimal(position["size"]) if position is not None else _ZERO

    async def is_flat(self) -> bool:
        """Whether there is neither an open order nor a position, in any market."""
        orders, positions = await self.get("/orders"), await self.get("/positions")
        return not orders["results"] and not any(Decimal(p["size"]) for p in positions["results"])

    async def flatten(self) -> None:
        """Cancels every order and closes every position."""
        if await self.is_flat():
            return
        await self.delete("/orders")
        await until(self._has_no_orders, "no order is open")
        # A market order may fill only in part where the book is thin.
        await until(self._close_positions, "every position is closed", timeout=3 * TIMEOUT, pause=0.2)

    async def _has_no_orders(self) -> bool:
        return not (await self.get("/orders"))["results"]

    async def _close_positions(self) -> bool:
        open_positions = [p for p in (await self.get("/positions"))["results"] if Decimal(p["size"])]
        for position in open_positions:
            size = Decimal(position["size"])
            market = await self.market(position["market"])
            side = "SELL" if size > 0 else "BUY"
            await self.place(market, side, min(abs(size), market.max_size), reduce_only=True)
        return not open_positions

    # === Sockets ===

    async def connect(self, *, version: int | None = SBE_VERSION, authenticated: bool = False) -> "Socket":
        """A socket of the exchange.

        :param version: of the SBE schema; None leaves the handshake out
        :raises aiohttp.WSServerHandshakeError: if it is refused
        """
        assert self._session is not None
        # The sandbox has one address for both; Paradex has a host of its own for sockets.
        url = self.url.replace("http", "ws", 1).replace("://api.", "://ws.api.")
        if version is not None:
            url += f"?sbeSchemaId=1&sbeSchemaVersion={version}"
        socket = Socket(await self._session.ws_connect(url))
        if authenticated:
            await socket.call("auth", bearer=await self.token())
        return socket


@dataclass(frozen=True)
class Message:
    """One message of a channel; binary ones are decoded by the SDK."""

    channel: str
    data: Mapping[str, Any]
    is_binary: bool
    template: int | None = None


class Socket:
    """A JSON-RPC connection. An asynchronous context manager.

    `messages` gets the data of the channels, in order.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse):
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        self._socket = socket
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reader = asyncio.create_task(self._read())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        await self._socket.close()

    async def call(self, method: str, **params: Any) -> Any:
        """:raises Refusal: if the answer is an error"""
        call_id = next(self._ids)
        answer = self._answers[call_id] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"jsonrpc": "2.0", "method": method, "params": params, "id": call_id})
        async with asyncio.timeout(TIMEOUT):
            message = await answer
        if "error" in message:
            error = message["error"]
            raise Refusal(method, int(error["code"]), str(error["message"]), str(error.get("data", "")))
        return message["result"]

    async def subscribe(self, *channels: str) -> None:
        for channel in channels:
            await self.call("subscribe", channel=channel)

    async def next(self, topic: str, timeout: float = TIMEOUT) -> Message:
        """The next message of a topic, such as `orders`; those of others are dropped."""
        async with asyncio.timeout(timeout):
            while True:
                message = await self.messages.get()
                if message.channel.split(".")[0] == topic:
                    return message

    async def _read(self) -> None:
        async for received in self._socket:
            if received.type is aiohttp.WSMsgType.BINARY:
                channel, model = decode_frame(received.data)
                template = int.from_bytes(received.data[2:4], "little")
                data = model.model_dump() if isinstance(model, BaseModel) else {}
                self.messages.put_nowait(Message(channel or "", data, True, template))
            elif received.type is aiohttp.WSMsgType.TEXT:
                message = json.loads(received.data)
                if message.get("method") == "subscription":
                    params = message["params"]
                    self.messages.put_nowait(Message(params["channel"], params["data"], False))
                elif message.get("id") in self._answers:
                    self._answers.pop(message["id"]).set_result(message)
