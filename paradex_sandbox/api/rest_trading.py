"""Private REST: algo orders and market-maker protection."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from aiohttp import web

from paradex_sandbox.api import params, render
from paradex_sandbox.api.access import Access
from paradex_sandbox.api.errors import ApiError
from paradex_sandbox.api.order_entry import OrderEntry
from paradex_sandbox.api.runtime import Runtime
from paradex_sandbox.exchange.algo import AlgoOrder
from paradex_sandbox.exchange.model import OrderStatus, OrderType, Page, Side

_LIMIT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,8})?")


class TradingApi:
    """Handlers of /algo and /account/mmp."""

    def __init__(self, runtime: Runtime, access: Access, cursors: params.Cursors, order_entry: OrderEntry):
        self._runtime = runtime
        self._exchange = runtime.exchange
        self._access = access
        self._cursors = cursors
        self._order_entry = order_entry

    def routes(self) -> list[web.RouteDef]:
        """The routes, relative to /v1. Fixed paths stand before the patterns that would swallow them."""
        return [
            web.get("/algo/orders", self.algos),
            web.post("/algo/orders", self.create_algo),
            web.get("/algo/orders-history", self.algos_history),
            web.get("/algo/orders/{algo_id}", self.algo),
            web.delete("/algo/orders/{algo_id}", self.cancel_algo),
            web.get("/account/mmp", self.mmp),
            web.post("/account/mmp/reset", self.reset_mmp),
            web.post("/account/mmp/{base_asset}", self.set_mmp),
            web.delete("/account/mmp/{base_asset}", self.delete_mmp),
        ]

    # -- algo orders --------------------------------------------------------------------------------------------------

    async def algos(self, request: web.Request) -> web.Response:
        """GET /algo/orders: the open ones, in all markets or one."""
        account = self._access.authorize(request).account
        algos = self._exchange.open_algos(account, self._market(request.query))
        return web.json_response({"results": [render.algo(algo) for algo in algos]})

    async def create_algo(self, request: web.Request) -> web.Response:
        """POST /algo/orders: starts a TWAP; 201."""
        credentials = self._access.authorize(request)
        algo = await self._order_entry.create_algo(credentials, await params.read_json(request))
        return web.json_response(render.algo(algo), status=201)

    async def algos_history(self, request: web.Request) -> web.Response:
        """GET /algo/orders-history"""
        account = self._access.authorize(request).account

        def fetch(query: Mapping[str, str], before: str | None, limit: int) -> Page[AlgoOrder]:
            page = self._exchange.algos_history(
                account,
                market=self._market(query),
                side=params.member(query, "side", Side),
                status=params.member(query, "status", OrderStatus),
                before=before,
                limit=limit,
                **params.time_range(query),
            )
            # They are all MARKET orders without client ids.
            is_other = params.member(query, "type", OrderType) not in (None, OrderType.MARKET)
            return Page(()) if is_other or query.get("client_id") else page

        return web.json_response(self._cursors.paginate(request, fetch, render.algo))

    async def algo(self, request: web.Request) -> web.Response:
        """GET /algo/orders/{algo_id}: an open one."""
        account = self._access.authorize(request).account
        return web.json_response(render.algo(self._exchange.algo(account, request.match_info["algo_id"])))

    async def cancel_algo(self, request: web.Request) -> web.Response:
        """DELETE /algo/orders/{algo_id}: 204."""
        await self._order_entry.cancel_algo(self._access.authorize(request), request.match_info["algo_id"])
        return web.Response(status=204)

    # -- market-maker protection --------------------------------------------------------------------------------------

    async def mmp(self, request: web.Request) -> web.Response:
        """GET /account/mmp, all or `?base_asset=`"""
        account = self._access.authorize(request).account
        wanted = request.query.get("base_asset", "")
        states = [item for item in self._exchange.mmp_configs(account) if wanted in ("", item.config.base_asset)]
        return web.json_response(
            {"account": account, "enabled": True, "results": [render.mmp_state(item) for item in states]}
        )

    async def set_mmp(self, request: web.Request) -> web.Response:
        """POST /account/mmp/{base_asset}: replaces the whole config."""
        account = self._access.authorize(request).account
        body = await params.read_object(request)
        protect = body.get("protect_block_trades")
        if protect not in (None, True, False):
            raise ApiError("BINDING_ERROR", "protect_block_trades must be true or false")
        self._runtime.sync()
        state = self._exchange.set_mmp(
            account,
            request.match_info["base_asset"],
            interval_ms=_milliseconds(body, "interval_ms"),
            frozen_time_ms=_milliseconds(body, "frozen_time_ms"),
            size_limit=_limit(body, "size_limit"),
            delta_limit=_limit(body, "delta_limit"),
            vega_limit=_limit(body, "vega_limit"),
            protect_block_trades=protect,
        )
        self._runtime.commit()
        return web.json_response(render.mmp_state(state))

    async def delete_mmp(self, request: web.Request) -> web.Response:
        """DELETE /account/mmp/{base_asset}: 204, also where there is none."""
        account = self._access.authorize(request).account
        self._runtime.sync()
        self._exchange.delete_mmp(account, request.match_info["base_asset"])
        self._runtime.commit()
        return web.Response(status=204)

    async def reset_mmp(self, request: web.Request) -> web.Response:
        """POST /account/mmp/reset: lifts the freeze of `base_asset`, or all."""
        account = self._access.authorize(request).account
        body = await params.read_object(request, optional=True)
        base_asset = body.get("base_asset")
        if base_asset is not None and not isinstance(base_asset, str):
            raise ApiError("BINDING_ERROR", "base_asset must be a string")
        self._runtime.sync()
        try:
            results = self._exchange.reset_mmp(account, base_asset or None)
        finally:
            self._runtime.commit()
        return web.json_response(
            {"results": [{"base_asset": base, "reset_at": render.millis(at)} for base, at in results]}
        )

    def _market(self, query: Mapping[str, str]) -> str | None:
        symbol = query.get("market", "")
        return self._exchange.market(symbol).symbol if symbol else None


def _milliseconds(body: dict[str, Any], name: str) -> int:
    value = body.get(name)
    if type(value) is not int:
        raise ApiError("BINDING_ERROR", f"{name} must be an integer")
    return value


def _limit(body: dict[str, Any], name: str) -> Decimal:
    value = body.get(name) or "0"
    if not isinstance(value, str) or not _LIMIT.fullmatch(value):
        raise ApiError("VALIDATION_ERROR", f"{name} must be a plain decimal number, as a string")
    return Decimal(value)
