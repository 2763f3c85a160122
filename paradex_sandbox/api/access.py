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
        credentials = self.tokens.check(bearer(request))
        if not key_is_valid(self._exchange, credentials.account, credentials.public_key):
            raise ApiError("INVALID_TOKEN", "the key of this token was revoked")
        settings = self.store.find(credentials.account)
        if settings is not None:
            token = settings.tokens.get(credentials.lookup_id)
            if token is not None and token.revoked_at:
                raise ApiError("INVALID_TOKEN", "token was revoked")
            self.check_ip(request, credentials.account, credentials.public_key)
            if token is not None and not contains(token.allowed_cidrs, peer_ip(request)):
                raise ApiError("IP_NOT_ALLOWED", "this token may not be used from here", status=403)
        return credentials

    def authorize_main(self, request: web.Request) -> Credentials:
        """Likewise, for what only the main key may do; raises ApiError REQUEST_NOT_ALLOWED otherwise."""
        credentials = self.authorize(request)
        if int(self._exchange.account(credentials.account).public_key, 16) != credentials.public_key:
            raise ApiError("REQUEST_NOT_ALLOWED", "only the main account's own key may do this", status=403)
        return credentials

    def check_ip(self, request: web.Request, account: str, public_key: int) -> None:
        """Raises ApiError IP_NOT_ALLOWED where the subkey may not be used from the request's address."""
        settings = self.store.find(account)
        if settings is not None and not contains(settings.subkey_cidrs.get(hex(public_key), []), peer_ip(request)):
            raise ApiError("IP_NOT_ALLOWED", "this key may not be used from here", status=403)
