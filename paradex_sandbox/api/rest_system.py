"""Public REST: onboarding, and what the exchange tells of itself beside its markets."""

from typing import Any

from aiohttp import web

from paradex_sandbox.api import params, render, stark
from paradex_sandbox.api.auth import check_onboarding
from paradex_sandbox.api.errors import ApiError
from paradex_sandbox.api.evm import account_address
from paradex_sandbox.api.rest_public import ACCOUNT_CLASS_HASH, ACCOUNT_PROXY_CLASS_HASH, EVM_ACCOUNT_CLASS_HASH
from paradex_sandbox.api.runtime import Runtime
from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.model import DEFAULT_DEPOSITS, SETTLEMENT_TOKEN, AssetKind, Page

#: The lowest tiers of PROTOCOL's fees; there are no others here.
_VOLUME_TIERS = [
    {
        "kind": kind,
        "tier_name": name,
        "min_volume": "0",
        "min_volume_duration": "30d",
        "nft_min_volume": "0",
        "sort_order": 0,
        "fee_rates": {"perp_maker": maker, "perp_taker": taker},
    }
    for kind, name, maker, taker in (("retail", "Retail", "0", "0"), ("pro", "Pro", "0.00003", "0.00045"))
]
#: The OpenAPI file's own example, for every base asset.
_PORTFOLIO_MARGIN: dict[str, Any] = {
    "hedged_margin_factor": 0.01,
    "unhedged_margin_factor": 0.02,
    "mmf_factor": 0.5,
    "funding_provision_hour": 8,
    "scenarios": [
        {"spot_shock": shock, "vol_shock": vol, "weight": 1}
        for shock in (-0.16, -0.08, 0.08, 0.16)
        for vol in (-0.3, 0.4)
    ],
    "vol_shock_params": {
        "dte_floor_days": 1,
        "min_vol_shock_up": 0.4,
        "vega_power_long_dte": 0.13,
        "vega_power_short_dte": 0.3,
    },
}


class SystemApi:
    """Handlers of /onboarding, and of /system beyond its basics."""

    def __init__(self, runtime: Runtime, cursors: params.Cursors):
        self._runtime = runtime
        self._exchange = runtime.exchange
        self._cursors = cursors

    def routes(self) -> list[web.RouteDef]:
        """The routes, relative to /v1."""
        return [
            web.get("/onboarding", self.onboarding_info),
            web.post("/onboarding", self.onboard),
            web.get("/insurance", self.insurance),
            web.get("/system/announcements", self.announcements),
            web.get("/system/volume-tiers", self.volume_tiers),
            web.get("/system/portfolio-margin-config", self.portfolio_margin_config),
        ]

    async def onboarding_info(self, request: web.Request) -> web.Response:
        """GET /onboarding?account_signer_type=: the address that belongs to a key.

        The key is `public_key=` for starknet, `eth_address=` for eip191.
        """
        signer_type = params.required(request.query, "account_signer_type")
        if signer_type == "eip191":
            return self._evm_onboarding_info(request)
        if signer_type != "starknet":
            raise ApiError("INVALID_REQUEST_PARAMETER", "account_signer_type can be starknet or eip191")
        address = _address(params.required(request.query, "public_key"))
        return web.json_response(
            {
                "account_signer_type": "starknet",
                "address": hex(address),
                "exists": self._exists(address),
                "derivation_info": {
                    "class_hash": hex(ACCOUNT_CLASS_HASH),
                    "proxy_class_hash": hex(ACCOUNT_PROXY_CLASS_HASH),
                },
            }
        )

    def _evm_onboarding_info(self, request: web.Request) -> web.Response:
        if "vault_operator_index" in request.query:
            raise ApiError("EVM_VAULT_OPERATORS_DISABLED", "the sandbox has no vaults")
        address = account_address(params.required(request.query, "eth_address"))
        return web.json_response(
            {
                "account_signer_type": "eip191",
                "address": hex(address),
                "exists": self._exists(address),
                "derivation_info": {"class_hash": hex(EVM_ACCOUNT_CLASS_HASH)},
            }
        )

    async def onboard(self, request: web.Request) -> web.Response:
        """POST /onboarding: opens the account of a main key, funded as all new accounts here; idempotent."""
        body = await params.read_object(request)
        public_key = body.get("public_key")
        address = _address(public_key)
        check_onboarding(request.headers, public_key, address)
        if not self._exists(address):
            self._runtime.sync()
            self._exchange.create_account(hex(address), hex(int(str(public_key), 16)), DEFAULT_DEPOSITS)
            self._runtime.commit()
        return web.Response(status=200)

    async def insurance(self, request: web.Request) -> web.Response:
        """GET /insurance"""
        fund = self._exchange.insurance_fund()
        return web.json_response(
            {
                "account": "0x0",
                "account_value": render.money(fund.account_value),
                "settlement_asset": SETTLEMENT_TOKEN,
                "updated_at": render.millis(fund.updated_at),
            }
        )

    async def announcements(self, request: web.Request) -> web.Response:
        """GET /system/announcements: there are none."""

        def fetch(query: Any, before: str | None, limit: int) -> Page[dict[str, Any]]:
            params.time_range(query)
            return Page(())

        return web.json_response(self._cursors.paginate(request, fetch, lambda item: item))

    async def volume_tiers(self, request: web.Request) -> web.Response:
        """GET /system/volume-tiers"""
        return web.json_response({"results": _VOLUME_TIERS})

    async def portfolio_margin_config(self, request: web.Request) -> web.Response:
        """GET /system/portfolio-margin-config, all or `?base_asset=`. Accounts here are on cross margin."""
        markets = self._exchange.markets.values()
        assets = list(dict.fromkeys(item.base_currency for item in markets if item.asset_kind is AssetKind.PERP))
        wanted = request.query.get("base_asset", "")
        if wanted and wanted not in assets:
            raise ApiError("PORTFOLIO_MARGIN_CONFIG_NOT_FOUND", "there is no such base asset", status=404)
        results = [{"base_asset": asset, **_PORTFOLIO_MARGIN} for asset in assets if wanted in ("", asset)]
        return web.json_response({"results": results})

    def _exists(self, address: int) -> bool:
        try:
            self._exchange.account(hex(address))
        except ExchangeError:
            return False
        return True


def _address(public_key: object) -> int:
    try:
        key = int(public_key, 16) if isinstance(public_key, str) and len(public_key) <= 66 else 0
    except ValueError:
        key = 0
    if not stark.is_public_key(key):
        raise ApiError("PUBLIC_KEY_INVALID", "public_key must be the hexadecimal x coordinate of a Stark key")
    return stark.account_address(key, account_class_hash=ACCOUNT_CLASS_HASH, proxy_class_hash=ACCOUNT_PROXY_CLASS_HASH)
