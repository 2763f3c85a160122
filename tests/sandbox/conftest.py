"""A sandbox in the test's own process, on a free port, with its clock standing still unless asked otherwise."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from paradex_sandbox.api.app import Secrets, Server
from paradex_sandbox.api.clock import SandboxClock
from paradex_sandbox.api.errors import Handler
from paradex_sandbox.api.runtime import Runtime
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.markets import load_markets
from paradex_sandbox.liquidity import SyntheticTraders
from paradex_sandbox.storage import Storage
from tests.sandbox import spec
from tests.sandbox.client import MARKET, Answer, Rest, Socket, Trader, system_config


class Sandbox:
    """A running sandbox and whoever the test connects to it."""

    def __init__(self, server: Server, session: aiohttp.ClientSession):
        self.server = server
        self.runtime = server.runtime
        self.session = session
        self.rest = Rest(session, server.url)
        self._sockets: list[Socket] = []

    async def trader(self, usdc: str | None = None, *, interactive: bool = False) -> Trader:
        """A funded account, logged in."""
        keys = await self.rest.control("POST", "/accounts", None if usdc is None else {"usdc": usdc})
        trader = Trader(self.session, self.server.url, keys, await system_config(self.rest))
        await trader.login(interactive=interactive)
        return trader

    async def socket(self, version: int = 2, trader: Trader | None = None) -> Socket:
        """A connection, authenticated if a trader is given."""
        url = f"{self.server.url}?sbeSchemaId=1&sbeSchemaVersion={version}"
        socket = Socket(await self.session.ws_connect(url, autoping=True), version)
        self._sockets.append(socket)
        if trader is not None:
            assert trader.token is not None
            await socket.auth(trader.token)
        return socket

    async def advance(self, ms: int) -> None:
        """Steps the clock."""
        await self.rest.control("POST", "/clock", {"advance_ms": ms})

    async def mark(self, price: str, market: str = MARKET) -> None:
        """Holds the mark price."""
        await self.rest.control("POST", "/mark_price", {"market": market, "price": price})

    async def summary(self, market: str = MARKET) -> dict[str, Any]:
        """The market's summary."""
        answer: Answer = await self.rest.get("/markets/summary", market=market)
        return answer.json["results"][0]

    async def close(self) -> None:
        for socket in self._sockets:
            await socket.close()
        await self.session.close()
        await self.server.stop()


class JudgedServer(Server):
    """A server whose answers to clients that do not check them, as the official SDK and the page, are checked too."""

    def __init__(self, *args: Any, wrong: list[str], **options: Any):
        super().__init__(*args, **options)
        self._wrong = wrong

    def _app(self) -> web.Application:
        app = super()._app()
        # Within the faults, which answer as Paradex would not, and outside of everything else.
        app.middlewares.insert(1, self._judge)
        return app

    @web.middleware
    async def _judge(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        # Tests with a session of aiohttp's have their own judge, or want what is wrong.
        if isinstance(response, web.Response) and "aiohttp" not in request.headers.get("User-Agent", ""):
            path = request.rel_url.raw_path
            if path.startswith(("/v1/", "/v2/")):
                try:
                    spec.check_answer(request.method, path.removeprefix("/v1"), response.status, response.text or "")
                except AssertionError as error:
                    self._wrong.append(f"{request.method} {path}: {error}")
        return response


class Starter:
    """Starts sandboxes, and stops them after the test."""

    def __init__(self) -> None:
        self.running: list[Sandbox] = []
        #: What the servers said that Paradex could not have said.
        self.wrong: list[str] = []

    async def __call__(
        self,
        *,
        traders: bool = False,
        frozen: bool = True,
        data: Path | None = None,
        private_binary: bool = False,
        limits: bool = False,
        feeds: bool | None = None,
        **options: Any,
    ) -> Sandbox:
        clock = SandboxClock(frozen=frozen)
        exchange = Exchange(load_markets(), 7, clock.now_us())
        storage = keys = None
        if data is not None:
            storage = Storage(data / "sandbox.sqlite")
            if storage.restore(exchange):
                clock = SandboxClock(max(clock.now_us(), exchange.now), frozen=frozen)
                exchange.resume(clock.now_us())
            keys = Secrets.stored(storage)
        others = SyntheticTraders(exchange, 7) if traders else None
        runtime = Runtime(exchange, others, clock, storage=storage, private_binary=private_binary)
        if not (not frozen if feeds is None else feeds):
            # They send by the wall clock, in the middle of what a test does.
            runtime.hub.run = asyncio.Event().wait  # type: ignore[assignment,method-assign]
        server = JudgedServer(runtime, keys=keys, limits=limits, wrong=self.wrong, **options)
        await server.start()
        sandbox = Sandbox(server, aiohttp.ClientSession())
        self.running.append(sandbox)
        return sandbox


@pytest.fixture
async def start() -> AsyncIterator[Starter]:
    """Starts sandboxes: `await start(traders=…, frozen=…, data=…, private_binary=…, times=…, control=…, limits=…)`.

    Their order book feeds and the comparison of funding rates send by themselves only where the clock runs, or with
    `feeds=True`; elsewhere `advance` and `hub.flush_books` make them.
    """
    starter = Starter()
    yield starter
    for sandbox in starter.running:
        await sandbox.close()
    assert starter.wrong == []


@pytest.fixture
async def sandbox(start: Starter) -> Sandbox:
    """A sandbox with nobody else in it and its clock standing still; BTC is held at 60 000."""
    sandbox = await start()
    await sandbox.mark("60000")
    return sandbox


@pytest.fixture
async def busy_sandbox(start: Starter) -> Sandbox:
    """A sandbox whose other traders have been at work for ten seconds; its clock stands still."""
    sandbox = await start(traders=True)
    await sandbox.advance(10_000)
    return sandbox
