"""The control surface at /sandbox: what no exchange offers. Only for callers on this machine.

| request | body | answer |
| --- | --- | --- |
| POST /sandbox/accounts | optional {"usdc": "100000"} | keys of a new, funded account with a registered subkey |
| POST /sandbox/accounts/{address}/deposit | {"amount": "100", "token": "USDC"} | the new balance |
| POST /sandbox/accounts/{address}/subkeys | optional {"name": …, "public_key": …} | the subkey, its secret if made |
| DELETE /sandbox/accounts/{address}/subkeys/{public_key} | | 204, the subkey is revoked |
| POST /sandbox/accounts/{address}/rpi | optional {"allowed": true or false} | 204, it may place RPI orders |
| GET, POST /sandbox/clock | {"advance_ms": 1000, "freeze": true or false} | {"now": ms, "frozen": …} |
| POST /sandbox/mark_price | {"market": …, "price": "60000" or null to let go} | the market's summary |
| GET, POST, DELETE /sandbox/faults[/{id}] | see paradex_sandbox.faults | the armed faults |
| GET /sandbox/faults/kinds | | what can be armed, with parameters |
| GET, POST /sandbox/settings | {"private_encoding": "json" or "sbe", "system_status": "ok", "rate_limits": true} | |
| POST /sandbox/markets | a market as in `--markets FILE`, or {"results": [several]} | {"results": [the new markets]} |
| DELETE /sandbox/markets/{market} | | 204: trading stopped, orders cancelled, positions settled at the mark, deleted |
| POST /sandbox/markets/{market} | fields of `GET /markets` to change, as {"price_tick_size": "1"} | the market |
| POST /sandbox/release | optional {"in_ms": 0, "cancel_only_ms": …, "post_only_ms": …} | the settings |
| GET /sandbox/state | | markets, and accounts with balances, positions, open orders |
"""

import dataclasses
import ipaddress
import json
import re
import secrets
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from paradex_sandbox.api import params, render, stark
from paradex_sandbox.api.auth import TokenService
from paradex_sandbox.api.errors import ApiError, Handler
from paradex_sandbox.api.limits import Limiter
from paradex_sandbox.api.rest_public import ACCOUNT_CLASS_HASH, ACCOUNT_PROXY_CLASS_HASH
from paradex_sandbox.api.runtime import Runtime
from paradex_sandbox.api.ws import SocketServer
from paradex_sandbox.exchange.errors import MarketsFileError
from paradex_sandbox.exchange.markets import parse_markets
from paradex_sandbox.exchange.model import SETTLEMENT_TOKEN, Account, Delta1MarginParams, Market, SystemStatus
from paradex_sandbox.faults import KINDS, Fault, FaultKind, describe_kinds

PREFIX = "/sandbox"

_DEFAULT_FUNDS = Decimal(100_000)
_AMOUNT = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,8})?")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,64}")
_MAX_STEP_MS = 30 * 24 * 3600 * 1000


class ControlApi:
    """Handlers of /sandbox/*."""

    def __init__(self, runtime: Runtime, sockets: SocketServer, tokens: TokenService, limiter: Limiter):
        self._runtime = runtime
        self._exchange = runtime.exchange
        self._sockets = sockets
        self._tokens = tokens
        self._limiter = limiter

    def routes(self) -> list[web.RouteDef]:
        """The routes, relative to PREFIX."""
        return [
            web.post("/accounts", self.create_account),
            web.post("/accounts/{address}/deposit", self.deposit),
            web.post("/accounts/{address}/subkeys", self.register_subkey),
            web.delete("/accounts/{address}/subkeys/{public_key}", self.revoke_subkey),
            web.post("/accounts/{address}/rpi", self.allow_rpi),
            web.get("/clock", self.clock),
            web.post("/clock", self.set_clock),
            web.post("/mark_price", self.set_mark_price),
            web.get("/faults", self.faults),
            web.get("/faults/kinds", self.fault_kinds),
            web.post("/faults", self.arm_fault),
            web.delete("/faults", self.disarm_faults),
            web.delete("/faults/{id}", self.disarm_fault),
            web.get("/settings", self.settings),
            web.post("/settings", self.change_settings),
            web.post("/markets", self.create_markets),
            web.post("/markets/{market}", self.change_market),
            web.delete("/markets/{market}", self.delete_market),
            web.post("/release", self.release),
            web.get("/state", self.state),
        ]

    async def create_account(self, request: web.Request) -> web.Response:
        """POST /sandbox/accounts: a new account with `usdc` (100 000 by default) and one subkey; 201."""
        body = await params.read_object(request, optional=True)
        funds = _amount(body, "usdc", _DEFAULT_FUNDS)
        if funds < 0:
            raise ApiError("VALIDATION_ERROR", "usdc must not be negative")
        private_key, public_key = _new_key()
        subkey_private, subkey_public = _new_key()
        address = hex(
            stark.account_address(
                public_key, account_class_hash=ACCOUNT_CLASS_HASH, proxy_class_hash=ACCOUNT_PROXY_CLASS_HASH
            )
        )
        self._runtime.sync()
        self._exchange.create_account(address, hex(public_key), {SETTLEMENT_TOKEN: funds})
        self._exchange.register_subkey(address, hex(subkey_public), "sandbox")
        self._runtime.commit()
        return web.json_response(
            {
                "account_address": address,
                "private_key": hex(private_key),
                "public_key": hex(public_key),
                "api_secret": hex(subkey_private),
                "api_public_key": hex(subkey_public),
            },
            status=201,
        )

    async def deposit(self, request: web.Request) -> web.Response:
        """POST /sandbox/accounts/{address}/deposit: adds `amount` (negative takes away) of `token`."""
        body = await params.read_object(request)
        token = body.get("token", SETTLEMENT_TOKEN)
        if not isinstance(token, str) or not re.fullmatch(r"[A-Za-z0-9]{1,16}", token):
            raise ApiError("VALIDATION_ERROR", "token must be a token's name")
        self._runtime.sync()
        balance = self._exchange.deposit(request.match_info["address"], _amount(body, "amount", None), token)
        self._runtime.commit()
        return web.json_response(render.balance(balance))

    async def register_subkey(self, request: web.Request) -> web.Response:
        """POST /sandbox/accounts/{address}/subkeys: registers `public_key`, or a new key and tells its secret; 201."""
        body = await params.read_object(request, optional=True)
        name, public_key = body.get("name", ""), body.get("public_key")
        if not isinstance(name, str):
            raise ApiError("BINDING_ERROR", "name must be a string")
        answer: dict[str, Any] = {}
        if public_key is None:
            private, public = _new_key()
            answer["api_secret"] = hex(private)
        elif isinstance(public_key, str) and _HEX.fullmatch(public_key) and stark.is_public_key(int(public_key, 16)):
            public = int(public_key, 16)
        else:
            raise ApiError("PUBLIC_KEY_INVALID", "public_key must be the hexadecimal x coordinate of a Stark key")
        self._runtime.sync()
        self._exchange.register_subkey(request.match_info["address"], hex(public), name)
        self._runtime.commit()
        return web.json_response({**answer, "api_public_key": hex(public)}, status=201)

    async def revoke_subkey(self, request: web.Request) -> web.Response:
        """DELETE /sandbox/accounts/{address}/subkeys/{public_key}: its tokens are void at once; 204."""
        self._runtime.sync()
        self._exchange.revoke_subkey(request.match_info["address"], request.match_info["public_key"])
        self._runtime.commit()
        return web.Response(status=204)

    async def allow_rpi(self, request: web.Request) -> web.Response:
        """POST /sandbox/accounts/{address}/rpi: whether the account may place RPI orders; 204."""
        body = await params.read_object(request, optional=True)
        allowed = body.get("allowed", True)
        if not isinstance(allowed, bool):
            raise ApiError("VALIDATION_ERROR", "allowed must be true or false")
        self._runtime.sync()
        self._exchange.allow_rpi(request.match_info["address"], allowed)
        self._runtime.commit()
        return web.Response(status=204)

    async def clock(self, request: web.Request) -> web.Response:
        """GET /sandbox/clock: time in ms, and whether it stands still."""
        clock = self._runtime.clock
        return web.json_response({"now": render.millis(clock.now_us()), "frozen": clock.frozen})

    async def set_clock(self, request: web.Request) -> web.Response:
        """POST /sandbox/clock: freezes or lets go, and lives through `advance_ms`; answers when that is done."""
        body = await params.read_object(request)
        advance, freeze = body.get("advance_ms", 0), body.get("freeze")
        if type(advance) is not int or not 0 <= advance <= _MAX_STEP_MS:
            raise ApiError("VALIDATION_ERROR", f"advance_ms must be an integer from 0 to {_MAX_STEP_MS}")
        if freeze not in (None, True, False):
            raise ApiError("VALIDATION_ERROR", "freeze must be true or false")
        if freeze is True:
            self._runtime.clock.freeze()
        await self._runtime.step(advance * 1000)
        if freeze is False:
            self._runtime.clock.unfreeze()
        return await self.clock(request)

    async def set_mark_price(self, request: web.Request) -> web.Response:
        """POST /sandbox/mark_price: holds the mark price at `price`, or with null lets it move again."""
        body = await params.read_object(request)
        market, price = body.get("market"), body.get("price")
        if not isinstance(market, str) or "price" not in body:
            raise ApiError("VALIDATION_ERROR", "give market, and price as a string or null")
        self._runtime.sync()
        if price is None:
            self._exchange.release_mark_price(market)
        else:
            value = _amount(body, "price", None)
            if value <= 0:
                raise ApiError("VALIDATION_ERROR", "price must be positive")
            self._exchange.set_mark_price(market, value)
        self._runtime.commit()
        return web.json_response(render.market_summary(self._exchange.market_summary(market)))

    async def faults(self, request: web.Request) -> web.Response:
        """GET /sandbox/faults"""
        return web.json_response({"results": [fault.to_json() for fault in self._runtime.faults.list()]})

    async def arm_fault(self, request: web.Request) -> web.Response:
        """POST /sandbox/faults: arms one; 201."""
        body = await params.read_object(request)
        try:
            fault = self._runtime.faults.arm(body)
        except ValueError as error:
            raise ApiError("VALIDATION_ERROR", str(error)) from None
        if KINDS[fault.kind].immediate:
            self._strike_now(fault)
        return web.json_response(fault.to_json(), status=201)

    def _strike_now(self, fault: Fault) -> None:
        if fault.kind is FaultKind.DROP_SOCKETS:
            self._sockets.drop_all(fault["after_messages"])
        elif fault.kind is FaultKind.EXPIRE_TOKENS:
            self._tokens.invalidate(self._address_or_all(fault), "token is expired")
        elif fault.kind is FaultKind.REVOKE_TOKENS:
            self._tokens.invalidate(self._address_or_all(fault), "token was revoked")
        elif fault.kind is FaultKind.REVOKE_SUBKEY:
            account = self._exchange.account(fault["account"])
            active = [key for key, subkey in account.subkeys.items() if subkey.is_active]
            keys = [fault["public_key"]] if fault["public_key"] else active
            self._runtime.sync()
            for key in keys:
                self._exchange.revoke_subkey(account.address, key)
            self._runtime.commit()

        elif fault.kind is FaultKind.BUST_TRADE:
            fills = self._exchange.fills(fault["account"], limit=1).items
            self._runtime.sync()
            self._exchange.bust(fault["account"], fault["fill_id"] or (fills[0].id if fills else ""))
            self._runtime.commit()

    def _address_or_all(self, fault: Fault) -> str | None:
        return self._exchange.account(fault["account"]).address if fault["account"] else None

    async def fault_kinds(self, request: web.Request) -> web.Response:
        """GET /sandbox/faults/kinds: what can be armed, in words and with parameters."""
        return web.json_response({"results": describe_kinds()})

    async def disarm_faults(self, request: web.Request) -> web.Response:
        """DELETE /sandbox/faults: all of them; 204."""
        self._runtime.faults.disarm()
        return web.Response(status=204)

    async def disarm_fault(self, request: web.Request) -> web.Response:
        """DELETE /sandbox/faults/{id}; 204."""
        if not self._runtime.faults.disarm(request.match_info["id"]):
            raise ApiError("NOT_FOUND", "no such fault")
        return web.Response(status=204)

    async def settings(self, request: web.Request) -> web.Response:
        """GET /sandbox/settings"""
        encoding = "sbe" if self._runtime.hub.private_binary else "json"
        status = self._exchange.system_status.value
        return web.json_response(
            {"private_encoding": encoding, "system_status": status, "rate_limits": self._limiter.enabled}
        )

    async def change_settings(self, request: web.Request) -> web.Response:
        """POST /sandbox/settings: any of `private_encoding` and `system_status`."""
        body = await params.read_object(request)
        encoding, status = body.get("private_encoding"), body.get("system_status")
        limits = body.get("rate_limits")
        if encoding not in (None, "json", "sbe"):
            raise ApiError("VALIDATION_ERROR", "private_encoding must be json or sbe")
        if status is not None and (not isinstance(status, str) or status not in SystemStatus):
            raise ApiError("VALIDATION_ERROR", f"system_status must be one of {', '.join(SystemStatus)}")
        if limits not in (None, True, False):
            raise ApiError("VALIDATION_ERROR", "rate_limits must be true or false")
        if limits is not None:
            self._limiter.enabled = bool(limits)
        if encoding is not None:
            self._runtime.hub.private_binary = encoding == "sbe"
        if status is not None:
            self._runtime.sync()
            self._exchange.system_status = SystemStatus(status)
            self._runtime.commit()
        return await self.settings(request)

    async def create_markets(self, request: web.Request) -> web.Response:
        """POST /sandbox/markets: lists a market, or several, as a file of markets describes them; 201."""
        await params.read_object(request)
        # Read again, for it has numbers that are not strings, as the answers of `GET /markets` do.
        body = json.loads(await request.read(), parse_float=Decimal)
        try:
            markets = parse_markets(body if "results" in body else [body], "the body")
        except MarketsFileError as error:
            raise ApiError("VALIDATION_ERROR", str(error)) from None
        self._runtime.sync()
        taken = [market.symbol for market in markets if market.symbol in self._exchange.markets]
        if taken:
            raise ApiError("NOT_UNIQUE", f"listed already: {', '.join(taken)}")
        try:
            for market in markets:
                self._exchange.create_market(market)
        finally:
            self._runtime.commit()
        return web.json_response({"results": [render.market(market) for market in markets]}, status=201)

    async def delete_market(self, request: web.Request) -> web.Response:
        """DELETE /sandbox/markets/{market}: ends its trading, settles its positions at the mark, deletes it; 204."""
        self._runtime.sync()
        self._exchange.delete_market(request.match_info["market"])
        self._runtime.commit()
        return web.Response(status=204)

    async def change_market(self, request: web.Request) -> web.Response:
        """POST /sandbox/markets/{market}: other rules while it trades; `expiry_at` (ms) delists it at that time."""
        body = await params.read_object(request)
        fields: dict[str, Decimal | int | Delta1MarginParams] = {}
        known = {field.name for field in dataclasses.fields(Market)}
        for name, value in body.items():
            if name not in known:
                raise ApiError("VALIDATION_ERROR", f"a market has no {name}")
            if isinstance(value, str):
                fields[name] = _amount(body, name, None)
            elif type(value) is int:
                fields[name] = value * 1000 if name in ("open_at", "expiry_at") else value
            elif name == "delta1_cross_margin_params" and isinstance(value, dict):
                fields[name] = self._margin_params(request.match_info["market"], value)
            else:
                raise ApiError("VALIDATION_ERROR", f"{name} must be a decimal number, as a string, or an integer")
        self._runtime.sync()
        market = self._exchange.update_market(request.match_info["market"], **fields)
        self._runtime.commit()
        return web.json_response(render.market(market))

    def _margin_params(self, market: str, body: dict[str, Any]) -> Delta1MarginParams:
        """A market's margin parameters, with those of `body` changed."""
        before = self._exchange.market(market).delta1_cross_margin_params
        if before is None or not body or not body.keys() <= dataclasses.asdict(before).keys():
            names = ", ".join(field.name for field in dataclasses.fields(Delta1MarginParams))
            raise ApiError("VALIDATION_ERROR", f"the margin parameters of a perpetual are {names}")
        return dataclasses.replace(before, **{name: _amount(body, name, None) for name in body})

    async def release(self, request: web.Request) -> web.Response:
        """POST /sandbox/release: a release window, in `in_ms`: cancel_only, post_only (2 minutes each), then ok."""
        body = await params.read_object(request, optional=True)
        times = {}
        for name, default in (("in_ms", 0), ("cancel_only_ms", 120_000), ("post_only_ms", 120_000)):
            value = body.get(name, default)
            if type(value) is not int or not 0 <= value <= _MAX_STEP_MS:
                raise ApiError("VALIDATION_ERROR", f"{name} must be an integer from 0 to {_MAX_STEP_MS}")
            times[name] = value * 1000
        self._runtime.sync()
        self._exchange.schedule_release(
            self._exchange.now + times["in_ms"], times["cancel_only_ms"], times["post_only_ms"]
        )
        self._runtime.commit()
        return await self.settings(request)

    async def state(self, request: web.Request) -> web.Response:
        """GET /sandbox/state: the whole picture, in the forms of the REST API."""
        exchange = self._exchange
        return web.json_response(
            {
                "now": render.millis(self._runtime.clock.now_us()),
                "frozen": self._runtime.clock.frozen,
                "markets": [render.market_summary(exchange.market_summary(symbol)) for symbol in exchange.markets],
                "accounts": [self._account_state(account) for account in exchange.accounts()],
            }
        )

    def _account_state(self, account: Account) -> dict[str, Any]:
        exchange, address = self._exchange, account.address
        return {
            "account": render.account_summary(exchange.account_summary(address)),
            "subkeys": [render.subkey(account, key) for key in account.subkeys.values()],
            "balances": [render.balance(balance) for balance in exchange.balances(address)],
            "positions": [render.position(position) for position in exchange.positions(address)],
            "open_orders": [render.order(order) for order in exchange.open_orders(address)],
        }


@web.middleware
async def local_only_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses /sandbox/* to peers that are not on this machine."""
    if request.path == PREFIX or request.path.startswith(PREFIX + "/"):
        peer = request.transport.get_extra_info("peername") if request.transport is not None else None
        if not peer or not ipaddress.ip_address(peer[0]).is_loopback:
            raise ApiError("REQUEST_NOT_ALLOWED", "/sandbox is for callers on the same machine", status=403)
        # A web page from elsewhere, open in a browser on this machine, is no such caller: neither when it sends
        # requests here, nor when the name it came from now points here (DNS rebinding).
        if not _is_local_name(request.host) or not _is_same_origin(request):
            raise ApiError("REQUEST_NOT_ALLOWED", "/sandbox is not for web pages from elsewhere", status=403)
    return await handler(request)


def _is_local_name(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_same_origin(request: web.Request) -> bool:
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


def _new_key() -> tuple[int, int]:
    private = 1 + secrets.randbelow(stark.CURVE_ORDER - 1)
    return private, stark.public_key(private)


def _amount(body: dict[str, Any], name: str, default: Decimal | None) -> Decimal:
    value = body.get(name)
    if value is None and default is not None:
        return default
    if type(value) is int:
        value = str(value)
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise ApiError("VALIDATION_ERROR", f"{name} must be a plain decimal number, as a string")
    return Decimal(value)
