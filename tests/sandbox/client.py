"""A client for the tests. It signs with the official SDK, decodes with the SDK's codec, and checks every answer."""

import asyncio
import itertools
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import aiohttp
from paradex_py.account.subkey_account import SubkeyAccount
from paradex_py.api.models import SystemConfig, SystemConfigSchema
from paradex_py.api.sbe.codec import decode_frame
from paradex_py.common.order import Order, OrderSide, OrderType

from tests.sandbox import spec

MARKET = "BTC-USD-PERP"
TIMEOUT = 60  # seconds, of what takes milliseconds on a machine that has nothing else to do


class Answer:
    """An HTTP answer, already checked against the specification."""

    def __init__(self, status: int, text: str, headers: Any):
        self.status = status
        self.text = text
        self.headers = headers
        self.json: Any = json.loads(text) if text else None

    @property
    def error(self) -> str:
        """The error code."""
        return self.json["error"]


class Rest:
    """REST calls to a sandbox. `token` is sent where it is set."""

    def __init__(self, session: aiohttp.ClientSession, url: str):
        self.session = session
        self.url = url
        self.token: str | None = None

    async def call(self, method: str, path: str, **options: Any) -> Answer:
        """`path` is relative to /v1; options are aiohttp's."""
        headers = dict(options.pop("headers", {}))
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        async with self.session.request(method, self.url + path, headers=headers, **options) as response:
            text = await response.text()
            answer = Answer(response.status, text, response.headers)
            assert response.content_type == ("application/json" if text else "application/octet-stream")
            spec.check_answer(method, response.url.raw_path.removeprefix("/v1"), answer.status, text)
            return answer

    async def get(self, path: str, **query: Any) -> Answer:
        return await self.call("GET", path, params={name: str(value) for name, value in query.items()})

    async def post(self, path: str, body: Any = None, **query: Any) -> Answer:
        return await self.call("POST", path, json=body, params=query)

    async def delete(self, path: str, body: Any = None, **query: Any) -> Answer:
        return await self.call("DELETE", path, json=body, params=query)

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        """A call to /sandbox; the answer's JSON. Raises AssertionError on errors."""
        url = self.url.removesuffix("/v1") + "/sandbox" + path
        async with self.session.request(method, url, json=body) as response:
            text = await response.text()
            assert response.status < 300, text
            return json.loads(text) if text else None

    async def now(self) -> int:
        """The sandbox's time in ms."""
        return int((await self.get("/system/time")).json["server_time"])


class Trader(Rest):
    """An account with its subkey. Everything is signed by the SDK, as of the sandbox's time."""

    def __init__(self, session: aiohttp.ClientSession, url: str, keys: dict[str, str], config: SystemConfig):
        super().__init__(session, url)
        self.keys = keys
        self.address = keys["account_address"]
        self.signer = SubkeyAccount(config, keys["api_secret"], self.address)
        self._ids = itertools.count(1)

    async def auth_headers(self, lifetime: int = 3600, signer: Any = None, at: int | None = None) -> dict[str, str]:
        """Signed headers for /auth, made at `at` (Unix seconds; the sandbox's now)."""
        timestamp = await self.now() // 1000 if at is None else at
        return {
            "PARADEX-STARKNET-ACCOUNT": self.address,
            "PARADEX-STARKNET-SIGNATURE": (signer or self.signer).auth_signature(timestamp, timestamp + lifetime),
            "PARADEX-TIMESTAMP": str(timestamp),
            "PARADEX-SIGNATURE-EXPIRATION": str(timestamp + lifetime),
        }

    async def login(self, *, interactive: bool = False) -> str:
        """Fetches a token and uses it from now on."""
        query = {"token_usage": "interactive"} if interactive else {}
        path = f"/auth/{hex(self.signer.l2_public_key)}"
        answer = await self.call("POST", path, params=query, headers=await self.auth_headers())
        assert answer.status == 200, answer.text
        self.token = answer.json["jwt_token"]
        return answer.json["jwt_token"]

    async def order_body(
        self,
        side: str,
        size: str,
        price: str | None,
        *,
        market: str = MARKET,
        instruction: str = "GTC",
        client_id: str | None = None,
        signer: Any = None,
        timestamp: int | None = None,
        **extra: Any,
    ) -> dict[str, Any]:
        """A signed order as the SDK sends it; MARKET without `price`."""
        order = Order(
            market=market,
            order_type=OrderType.Market if price is None else OrderType.Limit,
            order_side=OrderSide(side),
            size=Decimal(size),
            limit_price=Decimal(price or 0),
            client_id=f"c{next(self._ids)}" if client_id is None else client_id,
            instruction=instruction,
            signature_timestamp=await self.now() if timestamp is None else timestamp,
            **extra,
        )
        order.signature = (signer or self.signer).sign_order(order)
        return order.dump_to_dict()

    async def order(self, side: str, size: str, price: str | None, **extra: Any) -> Answer:
        """Sends a signed order."""
        return await self.post("/orders", await self.order_body(side, size, price, **extra))

    async def place(self, side: str, size: str, price: str | None, **extra: Any) -> dict[str, Any]:
        """Sends a signed order that must be accepted; returns it."""
        answer = await self.order(side, size, price, **extra)
        assert answer.status == 201, answer.text
        return answer.json

    async def history(self, order_id: str) -> dict[str, Any]:
        """The order as the history has it."""
        results = (await self.get("/orders-history")).json["results"]
        return next(order for order in results if order["id"] == order_id)


class Socket:
    """A WebSocket that keeps answers, JSON messages and decoded frames apart, and checks them as they come."""

    def __init__(self, connection: aiohttp.ClientWebSocketResponse, version: int):
        self.connection = connection
        self.version = version
        self.frames: list[bytes] = []
        self._inbox: asyncio.Queue[Any] = asyncio.Queue()
        self._ids = itertools.count(1)
        self._answers: dict[Any, asyncio.Future[dict[str, Any]]] = {}
        self._errors: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._reader = asyncio.create_task(self._read())

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A JSON-RPC request; the whole answer."""
        request_id = next(self._ids)
        future = self._answers[request_id] = asyncio.get_running_loop().create_future()
        await self.connection.send_json({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})
        return await asyncio.wait_for(future, TIMEOUT)

    async def raw(self, data: str | bytes) -> dict[str, Any]:
        """Sends anything; the answer that has no id."""
        if isinstance(data, str):
            await self.connection.send_str(data)
        else:
            await self.connection.send_bytes(data)
        return await asyncio.wait_for(self._errors.get(), TIMEOUT)

    async def subscribe(self, *channels: str) -> None:
        """Subscribes, and checks the acknowledgements."""
        for channel in channels:
            answer = await self.call("subscribe", channel=channel)
            assert answer["result"] == {"channel": channel}, answer

    async def auth(self, token: str) -> None:
        """Authenticates, and checks the answer."""
        answer = await self.call("auth", bearer=token)
        assert set(answer["result"]) == {"node_id"}, answer

    async def next(self, wanted: str | Callable[[str, Any], bool]) -> Any:
        """The next message of a channel (a name, or a predicate over name and data); drops others.

        JSON data as it is, frames as the SDK's models, with the names the codec gives to their channels.
        """
        async with asyncio.timeout(TIMEOUT):
            while True:
                item = await self._inbox.get()
                assert item is not None, "the connection was closed"
                name, data = item
                if name == wanted if isinstance(wanted, str) else wanted(name, data):
                    return data

    async def drain(self) -> list[tuple[str, Any]]:
        """All messages that the server has sent so far and that were not taken."""
        await self.call("nothing")  # its answer comes after them
        items = []
        while not self._inbox.empty():
            items.append(self._inbox.get_nowait())
        return [item for item in items if item is not None]

    async def closed(self) -> int | None:
        """Waits for the server to end the connection; its close code."""
        await asyncio.wait_for(self._reader, TIMEOUT)
        return self.connection.close_code

    async def close(self) -> None:
        self._reader.cancel()
        await self.connection.close()

    async def _read(self) -> None:
        async for message in self.connection:
            if message.type is aiohttp.WSMsgType.BINARY:
                self.frames.append(message.data)
                name, model = decode_frame(message.data)
                self._inbox.put_nowait((name or "heartbeat", model))
                continue
            body = json.loads(message.data)
            assert body["jsonrpc"] == "2.0"
            if "params" in body:
                assert body["method"] == "subscription"
                channel, data = body["params"]["channel"], body["params"]["data"]
                spec.check_message(channel, data)
                self._inbox.put_nowait((channel, data))
            else:
                assert body["usDiff"] == body["usOut"] - body["usIn"] >= 0
                future = self._answers.pop(body["id"], None)
                if future is None:
                    self._errors.put_nowait(body)
                else:
                    future.set_result(body)
        self._inbox.put_nowait(None)


async def system_config(rest: Rest) -> SystemConfig:
    """The system's configuration as the SDK's object."""
    return SystemConfigSchema().load((await rest.get("/system/config")).json, unknown="exclude")
