"""Private REST: account, orders, fills, history. Every handler wants `Authorization: Bearer JWT`."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import partial
from typing import Any

from aiohttp import web

from paradex_sandbox.api import params, render
from paradex_sandbox.api.access import Access
from paradex_sandbox.api.auth import Credentials
from paradex_sandbox.api.errors import ApiError
from paradex_sandbox.api.order_entry import AnswerLostError, OrderEntry
from paradex_sandbox.api.runtime import Runtime
from paradex_sandbox.api.transfers import Transfer
from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.model import (
    Account,
    AssetKind,
    Fill,
    FundingPayment,
    MarginType,
    Order,
    OrderStatus,
    OrderType,
    Page,
    Side,
    TradeBust,
)


class _TransferStatus(StrEnum):
    PENDING = "PENDING"
    AVAILABLE = "AVAILABLE"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class PrivateApi:
    """Handlers of everything that belongs to an account."""

    def __init__(self, runtime: Runtime, access: Access, cursors: params.Cursors, order_entry: OrderEntry):
        self._runtime = runtime
        self._exchange = runtime.exchange
        self._access = access
        self._cursors = cursors
        self._order_entry = order_entry

    def routes(self) -> list[web.RouteDef]:
        """The routes, relative to /v1. Fixed paths stand before the patterns that would swallow them."""
        return [
            web.get("/account", self.account),
            web.get("/account/summary", self.account_summaries),
            web.get("/account/info", self.account_info),
            web.get("/account/subaccounts", self.subaccounts),
            web.get("/account/margin", self.margin),
            web.post("/account/margin/{market}", self.set_margin),
            web.get("/balance", self.balance),
            web.get("/positions", self.positions),
            web.get("/fills", self.fills),
            web.get("/funding/payments", self.funding_payments),
            web.get("/tradebusts", self.tradebusts),
            web.get("/transactions", self.transactions),
            web.get("/transfers", self.transfers),
            web.get("/orders", self.orders),
            web.post("/orders", self.create_order),
            web.delete("/orders", self.cancel_all),
            web.post("/orders/batch", self.create_batch),
            web.delete("/orders/batch", self.cancel_batch),
            web.get("/orders/by_client_id/{client_id}", self.order_by_client_id),
            web.delete("/orders/by_client_id/{client_id}", self.cancel_by_client_id),
            web.get("/orders/{order_id}", self.order),
            web.put("/orders/{order_id}", self.modify),
            web.delete("/orders/{order_id}", self.cancel),
            web.get("/liquidations", self.liquidations),
            web.get("/orders-history", self.orders_history),
        ]

    # -- account ------------------------------------------------------------------------------------------------------

    async def account(self, request: web.Request) -> web.Response:
        """GET /account, of the account itself or of `?subaccount_address=`"""
        credentials = self._access.authorize(request)
        address = request.query.get("subaccount_address") or credentials.account
        account = self._exchange.account(address)
        if account.address not in [member.address for member in self._family(credentials)]:
            raise ApiError("ACCOUNT_NOT_FOUND", "the account has no such sub-account")
        return web.json_response(render.account_summary(self._exchange.account_summary(account.address)))

    async def account_summaries(self, request: web.Request) -> web.Response:
        """GET /account/summary: the account and its sub-accounts."""
        credentials = self._access.authorize(request)
        summaries = [self._exchange.account_summary(account.address) for account in self._family(credentials)]
        return _results(render.account_summary, summaries)

    async def account_info(self, request: web.Request) -> web.Response:
        """GET /account/info: the account's fees, among others."""
        credentials = self._access.authorize(request)
        return _results(render.account_info, [self._exchange.account(credentials.account)])

    async def subaccounts(self, request: web.Request) -> web.Response:
        """GET /account/subaccounts"""
        credentials = self._access.authorize(request)
        return _results(render.account_info, self._family(credentials)[1:])

    async def margin(self, request: web.Request) -> web.Response:
        """GET /account/margin?market="""
        credentials = self._access.authorize(request)
        market = params.required(request.query, "market")
        config = self._exchange.margin_config(credentials.account, market)
        return web.json_response(render.margin_configs(credentials.account, [config]))

    async def set_margin(self, request: web.Request) -> web.Response:
        """POST /account/margin/{market}: integer `leverage`, `margin_type`."""
        credentials = self._access.authorize(request)
        body = await params.read_object(request)
        leverage, margin_type = body.get("leverage"), body.get("margin_type")
        if type(leverage) is not int:
            raise ApiError("BINDING_ERROR", "leverage must be an integer")
        if not isinstance(margin_type, str) or margin_type not in MarginType:
            raise ApiError("VALIDATION_ERROR", f"margin_type must be one of {', '.join(MarginType)}")
        self._runtime.sync()
        config = self._exchange.set_leverage(
            credentials.account, request.match_info["market"], leverage, MarginType(margin_type)
        )
        self._runtime.commit()
        return web.json_response(render.margin_update(credentials.account, config))

    async def balance(self, request: web.Request) -> web.Response:
        """GET /balance"""
        return _results(render.balance, self._exchange.balances(self._access.authorize(request).account))

    async def positions(self, request: web.Request) -> web.Response:
        """GET /positions"""
        return _results(render.position, self._exchange.positions(self._access.authorize(request).account))

    # -- history ------------------------------------------------------------------------------------------------------

    async def fills(self, request: web.Request) -> web.Response:
        """GET /fills"""
        return web.json_response(self._cursors.paginate(request, self._fetch_fills(request), render.fill))

    async def transactions(self, request: web.Request) -> web.Response:
        """GET /transactions: one for each fill."""
        return web.json_response(self._cursors.paginate(request, self._fetch_fills(request), render.transaction))

    async def funding_payments(self, request: web.Request) -> web.Response:
        """GET /funding/payments?market="""
        account = self._access.authorize(request).account

        def fetch(query: Mapping[str, str], before: str | None, limit: int) -> Page[FundingPayment]:
            market = params.required(query, "market")
            return self._exchange.funding_payments(
                account, market=market, before=before, limit=limit, **params.time_range(query)
            )

        return web.json_response(self._cursors.paginate(request, fetch, render.funding_payment))

    async def tradebusts(self, request: web.Request) -> web.Response:
        """GET /tradebusts"""
        account = self._access.authorize(request).account

        def fetch(query: Mapping[str, str], before: str | None, limit: int) -> Page[TradeBust]:
            return self._exchange.tradebusts(account, before=before, limit=limit, **params.time_range(query))

        return web.json_response(self._cursors.paginate(request, fetch, render.tradebust))

    async def liquidations(self, request: web.Request) -> web.Response:
        """GET /liquidations?from=&to="""
        account = self._access.authorize(request).account
        times = params.time_range(request.query, "from", "to")
        return _results(
            lambda item: {"id": item.id, "created_at": render.millis(item.created_at)},
            self._exchange.liquidations(account, **times),
        )

    async def transfers(self, request: web.Request) -> web.Response:
        """GET /transfers: deposits and withdrawals, all COMPLETED."""
        account = self._access.authorize(request).account

        def fetch(query: Mapping[str, str], before: str | None, limit: int) -> Page[Transfer]:
            page = self._runtime.transfers.page(account, before=before, limit=limit, **params.time_range(query))
            wanted = params.member(query, "status", _TransferStatus)
            return page if wanted in (None, _TransferStatus.COMPLETED) else Page(())

        return web.json_response(self._cursors.paginate(request, fetch, render.transfer))

    async def orders_history(self, request: web.Request) -> web.Response:
        """GET /orders-history"""
        account = self._access.authorize(request).account

        def fetch(query: Mapping[str, str], before: str | None, limit: int) -> Page[Order]:
            return self._exchange.orders_history(
                account,
                market=self._market(query),
                client_id=query.get("client_id") or None,
                side=params.member(query, "side", Side),
                type=params.member(query, "type", OrderType),
                status=params.member(query, "status", OrderStatus),
                before=before,
                limit=limit,
                **params.time_range(query),
            )

        return web.json_response(self._cursors.paginate(request, fetch, render.order))

    # -- orders -------------------------------------------------------------------------------------------------------

    async def orders(self, request: web.Request) -> web.Response:
        """GET /orders: live ones, in all markets or one."""
        account = self._access.authorize(request).account
        return _results(render.order, self._exchange.open_orders(account, self._market(request.query)))

    async def order(self, request: web.Request) -> web.Response:
        """GET /orders/{order_id}: a live one."""
        account = self._access.authorize(request).account
        return web.json_response(render.order(self._exchange.order(account, request.match_info["order_id"])))

    async def order_by_client_id(self, request: web.Request) -> web.Response:
        """GET /orders/by_client_id/{client_id}: finds only OPEN orders, not even NEW ones."""
        account = self._access.authorize(request).account
        client_id = request.match_info["client_id"]
        order = self._exchange.order_by_client_id(account, client_id, self._market(request.query))
        if order.status is OrderStatus.NEW:
            raise ApiError("CLIENT_ORDER_ID_NOT_FOUND", f"no open order with client id {client_id}")
        return web.json_response(render.order(order))

    async def create_order(self, request: web.Request) -> web.Response:
        """POST /orders: 201 with the order NEW; what becomes of it comes later."""
        credentials = self._access.authorize(request)
        body = await params.read_json(request)
        try:
            order = await self._order_entry.create(credentials, body)
        except AnswerLostError:
            return _lost(request)
        return web.json_response(render.order(order), status=201)

    async def create_batch(self, request: web.Request) -> web.Response:
        """POST /orders/batch: 201 with the accepted orders and the errors of the others."""
        credentials = self._access.authorize(request)
        body = await params.read_json(request)
        try:
            results = await self._order_entry.create_batch(credentials, body)
        except AnswerLostError:
            return _lost(request)
        orders = [render.order(result) for result in results if isinstance(result, Order)]
        errors = [
            {"error": result.code, "message": result.message} for result in results if isinstance(result, ExchangeError)
        ]
        return web.json_response({"orders": orders, "errors": errors}, status=201)

    async def modify(self, request: web.Request) -> web.Response:
        """PUT /orders/{order_id}: the order with `request_info` PENDING; the outcome comes later."""
        credentials = self._access.authorize(request)
        body = await params.read_json(request)
        order = await self._order_entry.modify(credentials, body, request.match_info["order_id"])
        return web.json_response(render.order(order))

    async def cancel(self, request: web.Request) -> web.Response:
        """DELETE /orders/{order_id}: 204, queued."""
        await self._order_entry.cancel(self._access.authorize(request), order_id=request.match_info["order_id"])
        return web.Response(status=204)

    async def cancel_by_client_id(self, request: web.Request) -> web.Response:
        """DELETE /orders/by_client_id/{client_id}, perhaps with `?market=`: 204, queued."""
        await self._order_entry.cancel(
            self._access.authorize(request),
            client_id=request.match_info["client_id"],
            market=self._market(request.query),
        )
        return web.Response(status=204)

    async def cancel_all(self, request: web.Request) -> web.Response:
        """DELETE /orders, perhaps with `?market=`: 200 without a body."""
        await self._order_entry.cancel_all(self._access.authorize(request), self._market(request.query))
        return web.Response(status=200)

    async def cancel_batch(self, request: web.Request) -> web.Response:
        """DELETE /orders/batch: what happens to each of `order_ids` and `client_order_ids`."""
        credentials = self._access.authorize(request)
        body = await params.read_json(request)
        results = await self._order_entry.cancel_batch(credentials, body)
        return _results(partial(render.cancel_result, credentials.account), results)

    # -- helpers ------------------------------------------------------------------------------------------------------

    def _market(self, query: Mapping[str, str]) -> str | None:
        symbol = query.get("market", "")
        return self._exchange.market(symbol).symbol if symbol else None

    def _family(self, credentials: Credentials) -> list[Account]:
        account = self._exchange.account(credentials.account)
        return [account, *(other for other in self._exchange.accounts() if other.parent == account.address)]

    def _fetch_fills(self, request: web.Request) -> Callable[[Mapping[str, str], str | None, int], Page[Fill]]:
        account = self._access.authorize(request).account

        def fetch(query: Mapping[str, str], before: str | None, limit: int) -> Page[Fill]:
            page = self._exchange.fills(
                account, market=self._market(query), before=before, limit=limit, **params.time_range(query)
            )
            # Only perpetuals are traded here.
            return page if params.member(query, "asset_kind", AssetKind) in (None, AssetKind.PERP) else Page(())

        return fetch


def _results[T](render_item: Callable[[T], dict[str, Any]], items: Iterable[T]) -> web.Response:
    return web.json_response({"results": [render_item(item) for item in items]})


def _lost(request: web.Request) -> web.Response:
    # The order is accepted and stored; the client learns nothing of it.
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)
