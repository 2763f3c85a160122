"""The exchange of a run: a sandbox process that can be restarted, its controls, and what it says about the account."""

import asyncio
import json
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp

from tests.chaos.bot import PAIRS
from tests.chaos.comparison import BOOK_DEPTH, pair_of
from tests.venue.exchange import Credentials, Exchange, Refusal
from tests.venue.waiting import is_free, until

MARKETS = tuple(pair.replace("-USDC", "-USD-PERP") for pair in PAIRS)
_FUNDS = "10000"  # USDC
_START_TIMEOUT = 200.0
_STOP_TIMEOUT = 60.0
_TIMEOUT = aiohttp.ClientTimeout(total=120)


class Sandbox:
    """A sandbox process on a free port, which a restart keeps. An asynchronous context manager.

    :ivar url: its REST address, with /v1
    """

    def __init__(self, folder: Path, seed: int):
        self._folder = folder
        self._options = ["--seed", str(seed), "--data", str(folder / "data")]
        self._port = 0
        self._process: asyncio.subprocess.Process | None = None
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        self.url = ""

    async def __aenter__(self) -> "Sandbox":
        try:
            await self._start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        await self._end()

    async def _start(self) -> None:
        with (self._folder / "sandbox.log").open("a") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "paradex_sandbox", "serve", "--port", str(self._port), *self._options),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        async with asyncio.timeout(_START_TIMEOUT):
            line = (await self._process.stdout.readline()).decode().strip()
        if not line.startswith("ready "):
            raise RuntimeError(f"the sandbox did not start: {self.log()}")
        self.url = line.removeprefix("ready ")
        self._port = int(self.url.removesuffix("/v1").rpartition(":")[2])

    async def _end(self, *, kill: bool = False) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        (process.kill if kill else process.terminate)()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT):
                await process.wait()
        except TimeoutError:
            process.kill()

    async def restart(self, *, kill: bool) -> None:
        """Ends it, or kills it, and starts it again on its data and its port."""
        await self._end(kill=kill)
        await until(lambda: is_free(self._port), "the port is free")
        await self._start()

    def log(self) -> str:
        return (self._folder / "sandbox.log").read_text()

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        """A request to /sandbox.

        :raises Refusal: if it is refused
        """
        url = f"{self.url.removesuffix('/v1')}/sandbox{path}"
        async with self._session.request(method, url, json=body) as response:
            text = await response.text()
            answer = json.loads(text) if text else None
            if response.status >= 400:
                raise Refusal(f"{method} {path}", response.status, answer["error"], answer["message"])
            return answer

    async def make_account(self) -> tuple[Credentials, str]:
        """A funded account; its credentials and its subkey's public key. Markets that nobody trades are closed."""
        for market in (await self.control("GET", "/state"))["markets"]:
            if market["symbol"].endswith("-PERP") and market["symbol"] not in MARKETS:
                await self.control("DELETE", f"/markets/{market['symbol']}")
        keys = await self.control("POST", "/accounts", {"usdc": _FUNDS})
        return Credentials(keys["api_secret"], keys["account_address"]), keys["api_public_key"]

    async def picture(self, address: str) -> dict[str, Any]:
        """The account as the exchange has it now, in the form of `bot.py`."""
        state = await self.control("GET", "/state")
        account = next(account for account in state["accounts"] if account["account"]["account"] == address)
        total = {balance["token"]: Decimal(balance["size"]) for balance in account["balances"]}
        return {
            "orders": {order["client_id"] or order["id"]: _order(order) for order in account["open_orders"]},
            "positions": {
                pair_of(position["market"]): {
                    "amount": Decimal(position["size"]),
                    "entry_price": Decimal(position["average_entry_price"]),
                }
                for position in account["positions"]
                if Decimal(position["size"])
            },
            "total": total,
            "available": {**total, "USDC": Decimal(account["account"]["free_collateral"])},
            "books": {pair: await self._book(market) for pair, market in zip(PAIRS, MARKETS, strict=True)},
        }

    async def _book(self, market: str) -> dict[str, Any]:
        url = f"{self.url}/orderbook/{market}"
        async with self._session.get(url, params={"depth": str(BOOK_DEPTH)}) as response:
            book = await response.json()
        return {side: [(float(price), float(size)) for price, size in book[side]] for side in ("bids", "asks")}


def _order(order: Mapping[str, Any]) -> dict[str, Any]:
    size = Decimal(order["size"])
    is_market = order["type"].endswith("MARKET")
    return {
        "id": order["id"],
        "pair": pair_of(order["market"]),
        "side": order["side"],
        "price": Decimal(order["trigger_price" if is_market else "price"]),
        "amount": size,
        "executed": size - Decimal(order["remaining_size"]),
        "is_market": is_market,
    }


class Witness(Exchange):
    """The account's lists over REST, whatever has become of the tokens."""

    async def all(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """Every entry of a list."""
        results: list[dict[str, Any]] = []
        params["page_size"] = 1000
        while True:
            try:
                answer = await self.get(path, **params)
            except Refusal as error:
                if error.status != 401 or not self._token:
                    raise
                self._token = ""  # a fault has ended it
                continue
            results += answer["results"]
            if not answer.get("next"):
                return results
            params["cursor"] = answer["next"]

    async def fills(self) -> dict[str, dict[str, Any]]:  # type: ignore[override]
        """Every fill by type and id."""
        return {
            f"{fill['fill_type']}-{fill['id']}": {
                "order": fill["client_id"],
                "price": Decimal(fill["price"]),
                "amount": Decimal(fill["size"]),
                "fee": Decimal(fill["fee"]),
                "busted": False,
            }
            for fill in await self.all("/fills")
        }

    async def busted(self) -> dict[str, dict[str, Any]]:
        """The fills that were undone, which the list of fills no longer has."""
        busts = await self.all("/tradebusts")
        return {f"{kind}-{bust['busted_fill_id']}": {"busted": True} for bust in busts for kind in ("FILL", "RPI")}

    async def payments(self) -> list[tuple[str, int, Decimal]]:
        """(pair, time in milliseconds, USDC) of every funding payment."""
        payments = [payment for market in MARKETS for payment in await self.all("/funding/payments", market=market)]
        return [
            (pair_of(payment["market"]), payment["created_at"], Decimal(payment["payment"])) for payment in payments
        ]
