"""Who may do what with a token: the one place that every private request passes."""

from aiohttp import web

from paradex_sandbox.api.account_store import AccountStore, contains
from paradex_sandbox.api.auth import Credentials, TokenService, key_is_valid
from paradex_sandbox.api.errors import ApiError
from paradex_sandbox.api.limits import bearer, peer_ip
from paradex_sandbox.exchange.exchange import Exchange


class Access:
    """Checks tokens against keys, revocations and allow lists."""

    def __init__(self, exchange: Exchange, tokens: TokenService, store: AccountStore):
        self.tokens = tokens
        self.store = store
        self._exchange = exchange

    def authorize(self, request: web.Request) -> Credentials:
        """The credentials of a private request; raises ApiError INVALID_TOKEN or IP_NOT_ALLOWED."""
        return self.check(bearer(request), peer_ip(request))

    def check(self, token: str, ip: str) -> Credentials:
        """The credentials of a token that is used from `ip`; raises ApiError INVALID_TOKEN or IP_NOT_ALLOWED."""
        credentials = self.tokens.check(token)
        if not key_is_valid(self._exchange, credentials.account, credentials.public_key):
            raise ApiError("INVALID_TOKEN", "the key of this token was revoked")
        self.check_ip(ip, credentials.account, credentials.public_key)
        if credentials.lookup_id:
            # Of the invalid ones only the newest are remembered: one that is not there is invalid too.
            named = self.store.of(credentials.account).tokens.get(credentials.lookup_id)
            if named is None or named.revoked_at:
                raise ApiError("INVALID_TOKEN", "token was revoked")
            if not contains(named.allowed_cidrs, ip):
                raise ApiError("IP_NOT_ALLOWED", "this token may not be used from here", status=403)
        return credentials

    def authorize_main(self, request: web.Request) -> Credentials:
        """Likewise, for what only the main key may do; raises ApiError UNAUTHORIZED_ERROR otherwise."""
        credentials = self.authorize(request)
        if int(self._exchange.account(credentials.account).public_key, 16) != credentials.public_key:
            raise ApiError("UNAUTHORIZED_ERROR", "only the main account's own key may do this")
        return credentials

    def check_ip(self, ip: str, account: str, public_key: int) -> None:
        """Raises ApiError IP_NOT_ALLOWED where the subkey may not be used from `ip`."""
        settings = self.store.find(account)
        if settings is not None and not contains(settings.subkey_cidrs.get(hex(public_key), []), ip):
            raise ApiError("IP_NOT_ALLOWED", "this key may not be used from here", status=403)
