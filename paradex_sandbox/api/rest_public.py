"""Public REST: system, markets and market data."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from aiohttp import web

from paradex_sandbox.api import params, render, stark
from paradex_sandbox.api.access import Access
from paradex_sandbox.api.auth import CHAIN_ID_NAME, authenticate, order_class_of
from paradex_sandbox.api.book_feed import group_levels
from paradex_sandbox.api.errors import ApiError
from paradex_sandbox.api.limits import peer_ip
from paradex_sandbox.api.runtime import Runtime
from paradex_sandbox.exchange.candles import RESOLUTIONS, PriceKind
from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.liquidation import BUFFER, LIQUIDATION_FEE, SHARE_INCREMENT
from paradex_sandbox.exchange.model import BookView, FundingData, Page, Side, Trade
from paradex_sandbox.faults import FaultKind

#: Class hashes of the testnet's account contracts: addresses are derived from them as the SDK does it.
ACCOUNT_CLASS_HASH = 0x41CB0280EBADAA75F996D8D92C6F265F6D040BB3BA442E5F86A554F1765244E
ACCOUNT_PROXY_CLASS_HASH = 0x3530CC4759D78042F1B543BF797F5F3D647CDE0388C33734CF91B7F7B9314A9
#: Not the testnet's, which no source of ours names: made up. Clients derive from what /system/config says.
EVM_ACCOUNT_CLASS_HASH = stark.short_string("SANDBOX_EVM_ACCOUNT")
#: Sepolia.
L1_CHAIN_ID = "11155111"

_DEFAULT_DEPTH = 20
_MAX_DEPTH = 1000
_MAX_TRADES_PAGE = 1000
_MAX_KLINES = 1500
_HISTORY_US = 7 * 24 * 3600 * 1_000_000
_SIZE = re.compile(r"[0-9]{1,15}(\.[0-9]{1,8})?")
_PRICE_TICK = re.compile(r"[0-9]{1,7}([._][0-9]{1,12})?")
_RESOLUTIONS_MINUTES = tuple(map(str, RESOLUTIONS))

#: There is no chain behind the sandbox: addresses of contracts are zero, except those from which others are derived.
_ZERO_ADDRESS = "0x0"
_SYSTEM_CONFIG: dict[str, Any] = {
    "environment": "sandbox",
    "starknet_gateway_url": "",
    "starknet_fullnode_rpc_url": "http://127.0.0.1:1/rpc/v0_10",
    "starknet_fullnode_rpc_base_url": "http://127.0.0.1:1",
    "starknet_chain_id": CHAIN_ID_NAME,
    "block_explorer_url": "http://127.0.0.1:1/",
    "paraclear_address": _ZERO_ADDRESS,
    "paraclear_decimals": 8,
    "paraclear_account_proxy_hash": hex(ACCOUNT_PROXY_CLASS_HASH),
    "paraclear_account_hash": hex(ACCOUNT_CLASS_HASH),
    "paraclear_evm_account_hash": hex(EVM_ACCOUNT_CLASS_HASH),
    "oracle_address": _ZERO_ADDRESS,
    "bridged_tokens": [
        {
            "name": "Sandbox USDC",
            "symbol": "USDC",
            "decimals": 6,
            "l1_token_address": _ZERO_ADDRESS,
            "l1_bridge_address": _ZERO_ADDRESS,
            "l2_token_address": render.USDC_ADDRESS,
            "l2_bridge_address": _ZERO_ADDRESS,
        }
    ],
    "l1_core_contract_address": _ZERO_ADDRESS,
    "l1_operator_address": _ZERO_ADDRESS,
    "l1_relayer_address": _ZERO_ADDRESS,
    "l2_relayer_address": _ZERO_ADDRESS,
    "l1_chain_id": L1_CHAIN_ID,
    "liquidation_fee": render.text(LIQUIDATION_FEE),
    "partial_liquidation_buffer": render.text(BUFFER),
    "partial_liquidation_share_increment": render.text(SHARE_INCREMENT),
    "universal_deployer_address": _ZERO_ADDRESS,
    "dime_staking_contract_address": _ZERO_ADDRESS,
    "assets_limit_per_account": 550,
}


class PublicApi:
    """Handlers of everything that needs no token, and of the request for one."""

    def __init__(self, runtime: Runtime, access: Access, cursors: params.Cursors):
        self._runtime = runtime
        self._exchange = runtime.exchange
        self._access = access
        self._cursors = cursors

    def routes(self) -> list[web.RouteDef]:
        """The routes, relative to /v1."""
        return [
            web.get("/system/config", self.system_config),
            web.get("/system/time", self.system_time),
            web.get("/system/state", self.system_state),
            web.get("/jwks.json", self.jwks),
            web.post("/auth", self.auth),
            web.post("/auth/{public_key}", self.auth),
            web.get("/markets", self.markets),
            web.get("/markets/summary", self.markets_summary),
            web.get("/markets/klines", self.klines),
            web.get("/markets/history", self.history),
            web.get("/markets/settlement-price", self.settlement_price),
            web.get("/orderbook/{market}", self.order_book),
            web.get("/orderbook/{market}/interactive", self.order_book),
            web.get("/orderbook/{market}/impact-price", self.impact_price),
            web.get("/bbo/{market}", self.bbo),
            web.get("/bbo/{market}/interactive", self.bbo),
            web.get("/trades", self.trades),
            web.get("/funding/data", self.funding_data),
        ]

    async def system_config(self, request: web.Request) -> web.Response:
        """GET /system/config"""
        return web.json_response(_SYSTEM_CONFIG)

    async def system_time(self, request: web.Request) -> web.Response:
        """GET /system/time: milliseconds as a string."""
        now = self._runtime.wall_us()
        self._runtime.faults.strike(FaultKind.CLOCK_SHIFT)  # this was one of its events
        return web.json_response({"server_time": str(render.millis(now))})

    async def system_state(self, request: web.Request) -> web.Response:
        """GET /system/state"""
        return web.json_response({"status": self._exchange.system_status.value})

    async def jwks(self, request: web.Request) -> web.Response:
        """GET /jwks.json"""
        return web.json_response(self._access.tokens.jwks())

    async def auth(self, request: web.Request) -> web.Response:
        """POST /auth and /auth/{public_key}, `?token_usage=interactive` for Retail orders."""
        order_class = order_class_of(request.query)
        account, key = authenticate(
            self._exchange, request.headers, request.match_info.get("public_key"), self._runtime.wall_us()
        )
        self._access.check_ip(peer_ip(request), account, key)
        return web.json_response({"jwt_token": self._access.tokens.issue(account, key, order_class)})

    async def markets(self, request: web.Request) -> web.Response:
        """GET /markets, all or `?market=`; 404 if there is no such market."""
        symbol = request.query.get("market", "")
        try:
            markets = [self._exchange.market(symbol)] if symbol else self._exchange.markets.values()
        except ExchangeError as error:
            raise ApiError(error.code, error.message, status=404, data=dict(error.data or {})) from None
        return web.json_response({"results": [render.market(market) for market in markets]})

    async def markets_summary(self, request: web.Request) -> web.Response:
        """GET /markets/summary?market=, one or ALL"""
        symbol = params.required(request.query, "market")
        symbols = list(self._exchange.markets) if symbol == "ALL" else [symbol]
        summaries = [self._exchange.market_summary(symbol) for symbol in symbols]
        return web.json_response({"results": [render.market_summary(summary) for summary in summaries]})

    async def history(self, request: web.Request) -> web.Response:
        """GET /markets/history, of all markets or `?market=`: the changes of the last 7 days."""
        symbol = request.query.get("market", "")
        changes = self._exchange.market_history(None if symbol in ("", "ALL") else symbol)
        since = self._runtime.clock.now_us() - _HISTORY_US
        results = [render.market_event(change) for change in changes if change.created_at >= since]
        return web.json_response({"results": results})

    async def settlement_price(self, request: web.Request) -> web.Response:
        """GET /markets/settlement-price?market=: how an expired market was settled; 404 before, and without one."""
        try:
            settlement = self._exchange.settlement(request.query.get("market", ""))
        except ExchangeError as error:
            raise ApiError(error.code, error.message, status=404) from None
        return web.json_response(
            {
                "symbol": settlement.market,
                "expiry_at": render.millis(settlement.expiry_at),
                "settlement_price": render.money(settlement.settlement_price),
                "underlying_twap_price": render.money(settlement.underlying_twap_price),
            }
        )

    async def order_book(self, request: web.Request) -> web.Response:
        """GET /orderbook/{market} and …/interactive, `?depth=` levels a side, grouped by `?price_tick=`"""
        market = request.match_info["market"]
        depth = params.integer(request.query, "depth", minimum=1, maximum=_MAX_DEPTH) or _DEFAULT_DEPTH
        tick = _price_tick(request.query)
        interactive = request.path.endswith("/interactive")
        view = self._exchange.levels(market, None if tick else depth, interactive)
        if tick is not None:
            view = _grouped(view, tick, depth)
        return web.json_response(render.order_book(view, self._exchange.best_sizes(market)))

    async def impact_price(self, request: web.Request) -> web.Response:
        """GET /orderbook/{market}/impact-price?size=: what buying `size` would cost on average, per unit."""
        market, size = request.match_info["market"], params.required(request.query, "size")
        if not _SIZE.fullmatch(size) or not Decimal(size):
            raise ApiError("INVALID_REQUEST_PARAMETER", "size must be a positive decimal number")
        price = impact_price(self._exchange.levels(market).asks, Decimal(size))
        if price is None:
            raise ApiError("INVALID_REQUEST_PARAMETER", "the book does not hold that much")
        return web.json_response({"market": market, "side": "BUY", "size": size, "impact_price": render.money(price)})

    async def bbo(self, request: web.Request) -> web.Response:
        """GET /bbo/{market} and …/interactive"""
        interactive = request.path.endswith("/interactive")
        return web.json_response(render.bbo(self._exchange.bbo(request.match_info["market"], interactive)))

    async def trades(self, request: web.Request) -> web.Response:
        """GET /trades?market=, newest first"""

        def fetch(query: Mapping[str, str], before: str | None, limit: int) -> Page[Trade]:
            times = params.time_range(query)
            if query.get("baseAsset") and not query.get("market"):
                return Page(())  # all options of a base asset: none are traded here
            market = params.required(query, "market")
            return self._exchange.trades(market, before=before, limit=limit, **times)

        return web.json_response(self._cursors.paginate(request, fetch, render.trade, _MAX_TRADES_PAGE))

    async def funding_data(self, request: web.Request) -> web.Response:
        """GET /funding/data?market=, newest first"""

        def fetch(query: Mapping[str, str], before: str | None, limit: int) -> Page[FundingData]:
            market = params.required(query, "market")
            return self._exchange.funding_history(market, before=before, limit=limit, **params.time_range(query))

        return web.json_response(self._cursors.paginate(request, fetch, render.funding_data))

    async def klines(self, request: web.Request) -> web.Response:
        """GET /markets/klines: `[[start ms, open, high, low, close, volume in base], …]`, oldest first.

        The schema of the answer is not published; a bar in which nothing happened is left out.
        """
        query = request.query
        market = self._exchange.market(params.required(query, "symbol"))
        kind = params.member(query, "price_kind", PriceKind) or PriceKind.LAST
        resolution = params.required(query, "resolution")
        if resolution not in _RESOLUTIONS_MINUTES:
            raise ApiError("INVALID_REQUEST_PARAMETER", f"resolution must be one of {', '.join(_RESOLUTIONS_MINUTES)}")
        params.required(query, "start_at")
        params.required(query, "end_at")
        times = params.time_range(query)
        start, end = times["start_at"] or 0, times["end_at"] or 0
        width = int(resolution) * 60_000_000
        start = max(start, end - _MAX_KLINES * width)
        bars = self._exchange.klines(market.symbol, int(resolution), start, end, kind)
        results = [
            [render.millis(bar.start), *(float(x) for x in (bar.open, bar.high, bar.low, bar.close, bar.volume))]
            for bar in bars
        ]
        return web.json_response({"results": results})


def _price_tick(query: Mapping[str, str]) -> Decimal | None:
    value = query.get("price_tick", "")
    if not value:
        return None
    if not _PRICE_TICK.fullmatch(value) or not Decimal(value.replace("_", ".")):
        raise ApiError("INVALID_REQUEST_PARAMETER", "price_tick must be a positive decimal number")
    return Decimal(value.replace("_", "."))


def impact_price(levels: Iterable[tuple[Decimal, Decimal]], size: Decimal) -> Decimal | None:
    """The average price of taking `size` from `levels`, best first; None where they hold less."""
    left, cost = size, Decimal(0)
    for price, available in levels:
        taken = min(left, available)
        cost += price * taken
        left -= taken
        if not left:
            return cost / size
    return None


def _grouped(view: BookView, tick: Decimal, depth: int) -> BookView:
    bids = group_levels(view.bids, Side.BUY, tick)
    asks = group_levels(view.asks, Side.SELL, tick)
    return BookView(
        market=view.market,
        seq=view.seq,
        bids=tuple(bids.items())[:depth],
        asks=tuple(asks.items())[:depth],
        last_updated_at=view.last_updated_at,
    )
