"""Private REST: profile, settings, compliance and history of an account."""

import re
from collections import defaultdict
from decimal import Decimal
from typing import Any

from aiohttp import web

from paradex_sandbox.api import params, render
from paradex_sandbox.api.access import Access
from paradex_sandbox.api.account_store import AccountSettings
from paradex_sandbox.api.errors import ApiError
from paradex_sandbox.api.runtime import Runtime
from paradex_sandbox.exchange.model import Fill

_NOTIFICATIONS = ("announcements", "fill_sound", "fills", "orders", "transfers")
_CURRENCY_DISPLAYS = ("BASE", "QUOTE")
_VALUE_DISPLAYS = ("SPOT_NOTIONAL", "MARKET_VALUE")
_HISTORY_KINDS = ("pnl", "value", "volume", "fee_savings")
_FRACTION = re.compile(r"[0-9](\.[0-9]{1,8})?")
_USERNAME = re.compile(r"[A-Za-z0-9_.-]{3,32}")
_MAX_TEXT = 200
_MAX_COMPLIANCE = 1000
#: Fields of PUT /account/profile that are kept as they come.
_TEXTS = ("ai_agent_url", "tap_share_rate", "xp_share_rate")
#: Those that do nothing here.
_IGNORED_TEXTS = ("max_slippage", "referral_code", "referred_by")
_HOUR_US = 3_600_000_000
_PAGE = 5000


class ProfileApi:
    """Handlers of /account/profile, /account/settings, /account/compliance and /account/history."""

    def __init__(self, runtime: Runtime, access: Access):
        self._runtime = runtime
        self._exchange = runtime.exchange
        self._access = access
        self._store = access.store

    def routes(self) -> list[web.RouteDef]:
        """The routes, relative to /v1."""
        return [
            web.get("/account/profile", self.profile),
            web.put("/account/profile", self.update_profile),
            web.post("/account/profile/notifications", self.update_profile),
            web.post("/account/profile/notifications/last_seen", self.saw_notifications),
            web.post("/account/profile/refresh_inventory", self.refresh_inventory),
            web.post("/account/profile/size_currency_display", self.update_size_currency_display),
            web.post("/account/profile/market_max_slippage/{market}", self.set_max_slippage),
            web.post("/account/profile/username", self.update_profile),
            web.get("/account/settings", self.settings),
            web.post("/account/settings/trading_value_display", self.update_trading_value_display),
            web.get("/account/compliance", self.compliance),
            web.post("/account/compliance", self.record_compliance),
            web.get("/account/history", self.history),
        ]

    async def profile(self, request: web.Request) -> web.Response:
        """GET /account/profile"""
        return self._answer(self._access.authorize(request).account)

    async def update_profile(self, request: web.Request) -> web.Response:
        """PUT /account/profile and the POSTs below it: what is given is changed, the rest stays."""
        account = self._access.authorize(request).account
        body = await params.read_object(request)
        settings = self._store.of(account)
        changes: dict[str, Any] = {}
        for name in _TEXTS:
            if body.get(name) is not None:
                changes[name] = _text(body, name)
        for name in _IGNORED_TEXTS:
            if not isinstance(body.get(name, ""), str | None):
                raise ApiError("BINDING_ERROR", f"{name} must be a string")
        if body.get("username") is not None:
            changes["username"] = self._username(account, body["username"])
        if body.get("is_username_private") is not None:
            changes["is_username_private"] = _boolean(body, "is_username_private")
        if body.get("size_currency_display") is not None:
            changes["size_currency_display"] = _one_of(body, "size_currency_display", _CURRENCY_DISPLAYS)
        notifications = {name: _boolean(body, name) for name in _NOTIFICATIONS if body.get(name) is not None}
        if body.get("trading_value_display") is not None:
            settings.trading_value_display = _one_of(body, "trading_value_display", _VALUE_DISPLAYS)
        settings.profile |= changes
        settings.notifications |= notifications
        self._store.save()
        return self._answer(account)

    async def update_size_currency_display(self, request: web.Request) -> web.Response:
        """POST /account/profile/size_currency_display"""
        account = self._access.authorize(request).account
        body = await params.read_object(request)
        display = _one_of(body, "size_currency_display", _CURRENCY_DISPLAYS)
        self._store.of(account).profile["size_currency_display"] = display
        self._store.save()
        return self._answer(account)

    async def set_max_slippage(self, request: web.Request) -> web.Response:
        """POST /account/profile/market_max_slippage/{market}: bounds MARKET orders; "0" goes back to the market's."""
        account = self._access.authorize(request).account
        body = await params.read_object(request)
        value = body.get("max_slippage")
        if not isinstance(value, str) or not _FRACTION.fullmatch(value):
            raise ApiError("VALIDATION_ERROR", "max_slippage must be a plain decimal number, as a string")
        self._runtime.sync()
        self._exchange.set_max_slippage(account, request.match_info["market"], Decimal(value) or None)
        self._runtime.commit()
        return self._answer(account)

    async def update_trading_value_display(self, request: web.Request) -> web.Response:
        """POST /account/settings/trading_value_display"""
        account = self._access.authorize(request).account
        body = await params.read_object(request)
        self._store.of(account).trading_value_display = _one_of(body, "trading_value_display", _VALUE_DISPLAYS)
        self._store.save()
        return self._answer(account)

    async def saw_notifications(self, request: web.Request) -> web.Response:
        """POST /account/profile/notifications/last_seen"""
        account = self._access.authorize(request).account
        self._store.of(account).profile["last_seen_notification"] = render.millis(self._runtime.wall_us())
        self._store.save()
        return self._answer(account)

    async def refresh_inventory(self, request: web.Request) -> web.Response:
        """POST /account/profile/refresh_inventory: nobody has NFTs here."""
        self._access.authorize(request)
        return web.json_response({"nfts": []})

    async def settings(self, request: web.Request) -> web.Response:
        """GET /account/settings"""
        settings = self._store.of(self._access.authorize(request).account)
        return web.json_response({"trading_value_display": settings.trading_value_display})

    async def compliance(self, request: web.Request) -> web.Response:
        """GET /account/compliance"""
        return web.json_response({"results": self._store.of(self._access.authorize(request).account).compliance})

    async def record_compliance(self, request: web.Request) -> web.Response:
        """POST /account/compliance: `action_type`, `action_version`; 200 without a body."""
        account = self._access.authorize(request).account
        body = await params.read_object(request)
        action = {name: _text(body, name) for name in ("action_type", "action_version")}
        recorded = self._store.of(account).compliance
        if len(recorded) >= _MAX_COMPLIANCE:
            raise ApiError("VALIDATION_ERROR", "too many compliance actions")
        recorded.append({**action, "created_at": render.millis(self._runtime.wall_us())})
        self._store.save()
        return web.Response(status=200)

    async def history(self, request: web.Request) -> web.Response:
        """GET /account/history?type=: pnl, volume and fee_savings add up hour by hour, value is the present one."""
        account = self._access.authorize(request).account
        kind = params.required(request.query, "type")
        if kind not in _HISTORY_KINDS:
            raise ApiError("INVALID_REQUEST_PARAMETER", f"type must be one of {', '.join(_HISTORY_KINDS)}")
        if kind == "value":
            points = {self._runtime.clock.now_us(): self._exchange.account_summary(account).account_value}
        else:
            points = self._cumulated(account, kind)
        return web.json_response(
            {"timestamps": [render.millis(at) for at in points], "data": [float(value) for value in points.values()]}
        )

    def _cumulated(self, account: str, kind: str) -> dict[int, Decimal]:
        hours: defaultdict[int, Decimal] = defaultdict(Decimal)
        before: str | None = None
        while True:
            page = self._exchange.fills(account, before=before, limit=_PAGE)
            for fill in page.items:
                hours[fill.created_at - fill.created_at % _HOUR_US] += _contribution(fill, kind)
            before = page.next
            if before is None:
                break
        total, points = Decimal(0), {}
        for hour in sorted(hours):
            total += hours[hour]
            points[hour] = total
        return points

    def _username(self, account: str, username: object) -> str:
        if not isinstance(username, str) or not _USERNAME.fullmatch(username):
            raise ApiError("VALIDATION_ERROR", "a username has 3 to 32 letters, digits, dots, dashes and underscores")
        for other in self._exchange.accounts():
            settings = self._store.find(other.address)
            if other.address != account and settings is not None and settings.profile.get("username") == username:
                raise ApiError("USERNAME_IN_USE", "somebody else has this username")
        return username

    def _answer(self, account: str) -> web.Response:
        settings = self._store.find(account) or AccountSettings()
        slippage = self._exchange.account(account).max_slippage
        shown = {market: render.text(value) for market, value in slippage.items()}
        return web.json_response(_render(settings) | {"market_max_slippage": shown})


def _render(settings: AccountSettings) -> dict[str, Any]:
    """responses.AccountProfileResp"""
    profile = settings.profile
    shown = {
        "username": profile.get("username", ""),
        "is_username_private": profile.get("is_username_private", False),
        "ai_agent_url": profile.get("ai_agent_url", ""),
        "last_seen_notification": profile.get("last_seen_notification", 0),
        "size_currency_display": profile.get("size_currency_display", "BASE"),
        "notifications": {name: settings.notifications.get(name, True) for name in _NOTIFICATIONS},
        "nfts": [],
        "referral_code": "",
        "referred_by": "",
        "marketed_by": "",
        "tap_status": "NONE",
        "twitter_following": {},
    }
    for name in ("tap_share_rate", "xp_share_rate"):
        if name in profile:
            shown[name] = {"share_rate": profile[name], "last_updated_at": 0}
    return shown


def _contribution(fill: Fill, kind: str) -> Decimal:
    if kind == "volume":
        return fill.price * fill.size
    if kind == "pnl":
        return fill.realized_pnl + fill.realized_funding - fill.fee
    return Decimal(0)  # nobody pays in DIME here, so nobody saves


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT:
        raise ApiError("VALIDATION_ERROR", f"{name} must have 1 to {_MAX_TEXT} characters")
    return value


def _boolean(body: dict[str, Any], name: str) -> bool:
    value = body.get(name)
    if not isinstance(value, bool):
        raise ApiError("BINDING_ERROR", f"{name} must be true or false")
    return value


def _one_of(body: dict[str, Any], name: str, values: tuple[str, ...]) -> str:
    value = body.get(name)
    if value not in values:
        raise ApiError("VALIDATION_ERROR", f"{name} must be one of {', '.join(values)}")
    return str(value)
