"""How long paradex-py takes to place and replace orders, with its REST client and with its socket.

It is used in the best way that it offers: one request for one order, batches of ten for more, and a ladder is replaced
by two batches of cancels and two of orders. Its REST client is synchronous.
"""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from paradex_py.account.subkey_account import SubkeyAccount
from paradex_py.api.api_client import ParadexApiClient
from paradex_py.api.models import SystemConfigSchema
from paradex_py.api.ws_client import ParadexWebsocketClient
from paradex_py.common.order import Order, OrderSide, OrderType
from paradex_py.environment import TESTNET

from benchmarks.peers import _wire
from benchmarks.peers._worker import serve

_BATCH = 10
_numbers = itertools.count()


def orders(job: dict[str, Any], count: int) -> list[Order]:
    """Not signed yet: that is a part of what is measured."""
    return [
        Order(
            market=job["market"],
            order_type=OrderType.Limit,
            order_side=OrderSide.Buy,
            size=Decimal(job["size"]),
            limit_price=Decimal(job["price"]) - level,
            client_id=f"sdk-{next(_numbers)}",
            instruction="POST_ONLY",
        )
        for level in range(count)
    ]


class Rest:
    """The synchronous client."""

    def __init__(self, job: dict[str, Any], account: SubkeyAccount):
        self._client = ParadexApiClient(env=TESTNET, api_base_url=job["url"], auto_auth=False)
        self._client.set_token(job["token"])
        self._client.account = account

    async def submit(self, new: list[Order]) -> list[str]:
        if len(new) == 1:
            return [self._client.submit_order(new[0])["id"]]
        ids = []
        for batch in _wire.chunks(new, _BATCH):
            ids += [order["id"] for order in self._client.submit_orders_batch(list(batch))["orders"]]
        return ids

    async def cancel(self, ids: list[str]) -> None:
        for batch in _wire.chunks(ids, _BATCH):
            self._client.cancel_orders_batch(order_ids=list(batch))

    async def cancel_all(self) -> None:
        self._client.cancel_all_orders({})

    async def close(self) -> None:
        self._client.client.close()


class Socket:
    """The socket's client; batches do not wait for each other."""

    def __init__(self, client: ParadexWebsocketClient):
        self._client = client

    @classmethod
    async def connected(cls, job: dict[str, Any], account: SubkeyAccount) -> "Socket":
        account.set_jwt_token(job["token"])
        url = job["url"].replace("http", "ws", 1)
        client = ParadexWebsocketClient(env=TESTNET, ws_url_override=url, sbe_enabled=True)
        client.init_account(account)
        if not await client.connect():
            raise RuntimeError("the socket is not connected")
        return cls(client)

    async def submit(self, new: list[Order]) -> list[str]:
        if len(new) == 1:
            return [(await self._client.submit_order(new[0]))["order"]["id"]]
        batches = [self._client.submit_orders_batch(list(batch)) for batch in _wire.chunks(new, _BATCH)]
        answers = await asyncio.gather(*batches)
        return [result["order"]["id"] for answer in answers for result in answer["results"]]

    async def cancel(self, ids: list[str]) -> None:
        await asyncio.gather(*(self._client.cancel_orders_batch(list(batch)) for batch in _wire.chunks(ids, _BATCH)))

    async def cancel_all(self) -> None:
        await self._client.cancel_all_orders()

    async def close(self) -> None:
        await self._client.close()


async def run(job: dict[str, Any]) -> dict[str, Any]:
    account = SubkeyAccount(
        config=SystemConfigSchema().load(job["config"], unknown="exclude", partial=True),
        l2_private_key=job["key"],
        l2_address=job["account"],
    )
    client = await Socket.connected(job, account) if job["way"] == "socket" else Rest(job, account)
    try:
        found = {}
        for count, repeats in job["counts"].items():

            def submit(_: int, count: int = int(count)) -> Callable[[], Awaitable[Any]]:
                new = orders(job, count)
                return lambda: client.submit(new)

            found[count] = await _wire.repeated(submit, repeats)
            await client.cancel_all()
        if job["ladders"]:
            resting = await client.submit(orders(job, job["levels"]))

            async def replace(new: list[Order]) -> None:
                nonlocal resting
                await client.cancel(resting)
                resting = await client.submit(new)

            def prepared(_: int) -> Callable[[], Awaitable[Any]]:
                new = orders(job, job["levels"])
                return lambda: replace(new)

            found["ladder"] = await _wire.repeated(prepared, job["ladders"])
            await client.cancel_all()
    finally:
        await client.close()
    return {"found": found, "version": version("paradex-py")}


if __name__ == "__main__":
    _wire.watch()
    logging.disable(logging.ERROR)  # it calls the empty answer to a cancel of all an error
    serve(lambda job: asyncio.run(run(job)))
