"""Assembly of the server: one port, REST and WebSocket under /v1, the control surface under /sandbox."""

import re
import secrets
from dataclasses import dataclass, field

from aiohttp import HttpVersion11, web

from paradex_sandbox.api import page, rest_unsupported
from paradex_sandbox.api.access import Access
from paradex_sandbox.api.account_store import AccountStore
from paradex_sandbox.api.auth import TokenService, new_key_pem
from paradex_sandbox.api.control import PREFIX as CONTROL_PREFIX, ControlApi, local_only_middleware
from paradex_sandbox.api.errors import error_middleware
from paradex_sandbox.api.evm import EvmApi
from paradex_sandbox.api.fault_http import HttpFaults
from paradex_sandbox.api.limits import Limiter, RestLimits
from paradex_sandbox.api.order_entry import OrderEntry
from paradex_sandbox.api.params import Cursors
from paradex_sandbox.api.rest_keys import KeysApi
from paradex_sandbox.api.rest_private import PrivateApi
from paradex_sandbox.api.rest_profile import ProfileApi
from paradex_sandbox.api.rest_public import PublicApi
from paradex_sandbox.api.rest_system import SystemApi
from paradex_sandbox.api.rest_trading import TradingApi
from paradex_sandbox.api.runtime import Runtime
from paradex_sandbox.api.server import Runner
from paradex_sandbox.api.ws import SocketServer, SocketTimes
from paradex_sandbox.storage import Storage

API_PREFIX = "/v1"

_MAX_BODY_BYTES = 1024 * 1024
_SHUTDOWN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Secrets:
    """What must outlive a restart so that tokens and cursors stay valid: the tokens' key and the cursors' secret."""

    token_key_pem: str = field(default_factory=new_key_pem, repr=False)
    cursor_secret: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)

    @classmethod
    def stored(cls, storage: Storage) -> "Secrets":
        """The secrets of this storage, made at the first time."""
        pem, cursor = storage.get_meta("token_key_pem"), storage.get_meta("cursor_secret")
        if pem is not None and cursor is not None:
            return cls(pem, cursor)
        made = cls()
        storage.set_meta("token_key_pem", made.token_key_pem)
        storage.set_meta("cursor_secret", made.cursor_secret)
        return made


class Server:
    """A sandbox that listens. `port` 0 takes any free one; `url` tells which, once started."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        control: bool = True,
        keys: Secrets | None = None,
        times: SocketTimes | None = None,
        limits: bool = True,
    ):
        self.runtime = runtime
        self.host = host
        self.port = port
        self._control = control
        self._keys = keys or Secrets()
        self._times = times or SocketTimes()
        self._limits = limits
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """REST address, up to and with /v1; the WebSocket has the same with ws://."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}{API_PREFIX}"

    async def start(self) -> None:
        """Listens, then starts the exchange. Raises OSError if the address cannot be had."""
        self._runner = Runner(self._app(), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port).start()
        self.port = self._runner.addresses[0][1]
        await self.runtime.start()

    async def stop(self) -> None:
        """Closes all connections, then the exchange and its storage."""
        if self._runner is not None:
            await self._runner.cleanup()
        await self.runtime.stop()

    def _app(self) -> web.Application:
        runtime = self.runtime
        tokens = TokenService(runtime.wall_us, self._keys.token_key_pem)
        limiter = Limiter(runtime.clock.now_us, enabled=self._limits)
        cursors = Cursors(bytes.fromhex(self._keys.cursor_secret))
        order_entry = OrderEntry(runtime)
        access = Access(runtime.exchange, tokens, AccountStore(runtime.storage))
        sockets = SocketServer(runtime, access, order_entry, self._times, limiter)
        public = PublicApi(runtime, access, cursors)
        private_routes = [
            *PrivateApi(runtime, access, cursors, order_entry).routes(),
            *TradingApi(runtime, access, cursors, order_entry).routes(),
            *KeysApi(runtime, access).routes(),
            *ProfileApi(runtime, access).routes(),
        ]

        limits = RestLimits(limiter, tokens, API_PREFIX)
        limits.declare_private(route.handler for route in private_routes)
        faults = HttpFaults(runtime.faults, API_PREFIX)
        app = web.Application(
            middlewares=[faults.middleware, limits.middleware, error_middleware, local_only_middleware],
            client_max_size=_MAX_BODY_BYTES,
        )
        app.router.add_get(API_PREFIX, sockets.handle, expect_handler=_expect)
        app.router.add_get("/jwks.json", public.jwks, expect_handler=_expect)
        _add_routes(app, API_PREFIX, [*public.routes(), *SystemApi(runtime, cursors).routes(), *private_routes])
        evm_routes = EvmApi(runtime, access).routes()
        _add_routes(app, "", evm_routes)
        _add_routes(app, API_PREFIX, evm_routes)
        _add_routes(app, API_PREFIX, rest_unsupported.routes())
        _add_routes(app, "", page.routes())
        if self._control:
            _add_routes(app, CONTROL_PREFIX, ControlApi(runtime, sockets, tokens, limiter).routes())

        async def on_shutdown(_: web.Application) -> None:
            await sockets.close()

        async def on_cleanup(_: web.Application) -> None:  # when what had been begun has been answered
            order_entry.close()

        app.on_shutdown.append(on_shutdown)
        app.on_cleanup.append(on_cleanup)
        return app


def _add_routes(app: web.Application, prefix: str, routes: list[web.RouteDef]) -> None:
    for route in routes:
        # Of itself, aiohttp takes no braces for a part of a path: a client id may have some.
        path = re.sub(r"\{(\w+)\}", r"{\1:[^/]+}", route.path)
        app.router.add_route(route.method, prefix + path, route.handler, expect_handler=_expect)


async def _expect(request: web.Request) -> None:
    """The header Expect. Of itself, aiohttp answers what it does not know with 417 and plain text."""
    if request.headers["Expect"].lower() == "100-continue" and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # that was no part of the answer: should there be an error, it can still be sent
