"""Private REST: subkeys and tokens of an account."""

import ipaddress
import re
import secrets
from typing import Any

import fast_stark_crypto
from aiohttp import web

from paradex_sandbox.api import params, render, stark
from paradex_sandbox.api.access import Access
from paradex_sandbox.api.account_store import AccountSettings, PendingSubkey, Token
from paradex_sandbox.api.auth import parse_signature
from paradex_sandbox.api.errors import ApiError
from paradex_sandbox.api.runtime import Runtime
from paradex_sandbox.exchange.model import Account, Subkey

_HEX = re.compile(r"0x[0-9a-fA-F]{1,64}")
_MAX_NAME_LENGTH = 100
_MAX_CIDRS = 50
_MAX_TOKENS = 100
_TOKEN_SECONDS = (60, 365 * 24 * 3600)
_TOKEN_KINDS = ("jwt", "api_key")
#: How old the signature of an activation may be.
_ACTIVATION_SECONDS = 300


class KeysApi:
    """Handlers of /account/keys and /account/tokens."""

    def __init__(self, runtime: Runtime, access: Access):
        self._runtime = runtime
        self._exchange = runtime.exchange
        self._access = access
        self._store = access.store

    def routes(self) -> list[web.RouteDef]:
        """The routes, relative to /v1. Fixed paths stand before the patterns that would swallow them."""
        return [
            web.get("/account/keys/subkeys", self.subkeys),
            web.post("/account/keys/subkeys", self.create_subkey),
            web.post("/account/keys/subkeys/activate", self.activate_subkey),
            web.get("/account/keys/subkeys/{public_key}", self.subkey),
            web.put("/account/keys/subkeys/{public_key}", self.update_subkey),
            web.delete("/account/keys/subkeys/{public_key}", self.revoke_subkey),
            web.put("/account/keys/subkeys/{public_key}/allowed-cidrs", self.set_subkey_cidrs),
            web.get("/account/tokens", self.tokens),
            web.post("/account/tokens", self.create_token),
            web.delete("/account/tokens/{lookup_id}", self.revoke_token),
            web.put("/account/tokens/{lookup_id}/allowed-cidrs", self.set_token_cidrs),
            web.post("/account/terminal-token", self.terminal_token),
        ]

    # -- subkeys ------------------------------------------------------------------------------------------------------

    async def subkeys(self, request: web.Request) -> web.Response:
        """GET /account/keys/subkeys, with `?with_revoked=true` also the revoked ones."""
        account = self._exchange.account(self._access.authorize(request).account)
        with_revoked = params.boolean(request.query, "with_revoked")
        keys = [key for key in account.subkeys.values() if with_revoked or key.is_active]
        return web.json_response({"results": [self._render(account, key) for key in keys]})

    async def subkey(self, request: web.Request) -> web.Response:
        """GET /account/keys/subkeys/{public_key}"""
        account = self._exchange.account(self._access.authorize(request).account)
        return web.json_response(self._render(account, _find(account, request)))

    async def create_subkey(self, request: web.Request) -> web.Response:
        """POST /account/keys/subkeys: registers a key, or keeps it until it is activated; 201 without a body."""
        account = self._exchange.account(self._access.authorize_main(request).account)
        body = await params.read_object(request)
        name, key, state = _name(body), _public_key(body), body.get("state", "active")
        cidrs = _cidrs(body)
        settings = self._store.of(account.address)
        if state == "active":
            self._register(account, key, name, cidrs)
        elif state == "pending":
            encrypted, ephemeral = body.get("encrypted_key"), body.get("eph_public_key")
            if not isinstance(encrypted, str) or not isinstance(ephemeral, str) or not _HEX.fullmatch(ephemeral):
                raise ApiError("VALIDATION_ERROR", "a pending subkey needs encrypted_key and eph_public_key")
            now = self._runtime.clock.now_us()
            settings.pending_subkeys[key] = PendingSubkey(name, encrypted, ephemeral, now, cidrs)
            self._store.save()
        else:
            raise ApiError("VALIDATION_ERROR", "state must be active or pending")
        return web.Response(status=201)

    async def activate_subkey(self, request: web.Request) -> web.Response:
        """POST /account/keys/subkeys/activate: signed by the main key, over pedersen(timestamp, eph_public_key)."""
        body = await params.read_object(request)
        address, key, timestamp = body.get("account_id"), _public_key(body), body.get("timestamp")
        if not isinstance(address, str) or not _HEX.fullmatch(address):
            raise ApiError("VALIDATION_ERROR", "account_id must be an account's address")
        if type(timestamp) is not int:
            raise ApiError("BINDING_ERROR", "timestamp must be an integer")
        account = self._exchange.account(address)
        settings = self._store.of(account.address)
        pending = settings.pending_subkeys.get(key)
        if pending is None:
            raise ApiError("SUBKEY_NOT_ACTIVATABLE", "the account has no such pending subkey", status=404)
        if abs(self._runtime.wall_us() // 1_000_000 - timestamp) > _ACTIVATION_SECONDS:
            raise ApiError("INVALID_TIMESTAMP", "timestamp must be the present, in Unix seconds")
        parts = body.get("signature")
        if not isinstance(parts, list):
            raise ApiError("BINDING_ERROR", "signature must be [r, s]")
        signature = parse_signature("[" + ",".join(map(str, parts)) + "]", "INVALID_STARKNET_SIGNATURE")
        message = fast_stark_crypto.pedersen_hash(timestamp, int(pending.eph_public_key, 16) % stark.FIELD_PRIME)
        if not stark.verify(int(account.public_key, 16), message, signature):
            raise ApiError("STARKNET_SIGNATURE_VERIFICATION_FAILED", "the signature is not the main key's", status=403)
        name = _name(body) if body.get("name") else pending.name
        self._register(account, key, name, pending.allowed_cidrs)
        del settings.pending_subkeys[key]
        self._store.save()
        return web.json_response({"encrypted_key": pending.encrypted_key})

    async def update_subkey(self, request: web.Request) -> web.Response:
        """PUT /account/keys/subkeys/{public_key}: another name."""
        account = self._exchange.account(self._access.authorize_main(request).account)
        key = _find(account, request)
        self._store.of(account.address).subkey_names[key.public_key] = _name(await params.read_object(request))
        self._store.save()
        return web.json_response(self._render(account, key))

    async def revoke_subkey(self, request: web.Request) -> web.Response:
        """DELETE /account/keys/subkeys/{public_key}: its tokens are void at once."""
        account = self._exchange.account(self._access.authorize_main(request).account)
        self._runtime.sync()
        key = self._exchange.revoke_subkey(account.address, request.match_info["public_key"])
        self._runtime.commit()
        return web.json_response({"public_key": key.public_key})

    async def set_subkey_cidrs(self, request: web.Request) -> web.Response:
        """PUT /account/keys/subkeys/{public_key}/allowed-cidrs: where it may be used from; empty is everywhere."""
        account = self._exchange.account(self._access.authorize_main(request).account)
        key = _find(account, request)
        self._store.of(account.address).subkey_cidrs[key.public_key] = _cidrs(await params.read_object(request))
        self._store.save()
        return web.json_response(self._render(account, key))

    def _register(self, account: Account, key: str, name: str, cidrs: list[str]) -> None:
        self._runtime.sync()
        self._exchange.register_subkey(account.address, key, name)
        self._store.of(account.address).subkey_cidrs[key] = cidrs
        self._store.save()
        self._runtime.commit()

    def _render(self, account: Account, key: Subkey) -> dict[str, Any]:
        settings = self._store.find(account.address) or AccountSettings()
        shown = render.subkey(account, key)
        shown["name"] = settings.subkey_names.get(key.public_key, key.name)
        shown["allowed_cidrs"] = settings.subkey_cidrs.get(key.public_key, [])
        return shown

    # -- tokens -------------------------------------------------------------------------------------------------------

    async def tokens(self, request: web.Request) -> web.Response:
        """GET /account/tokens: those made with POST; `?kind=`, `?with_invalid=true`."""
        settings = self._store.of(self._access.authorize(request).account)
        kind, now = request.query.get("kind", ""), self._runtime.wall_us()
        with_invalid = request.query.get("with_invalid") == "true"  # the file lists no 400 here
        wanted = [
            token
            for token in settings.tokens.values()
            if kind in ("", token.kind) and (with_invalid or (not token.revoked_at and token.expires_at > now))
        ]
        return web.json_response({"results": [_render_token(token) for token in wanted]})

    async def create_token(self, request: web.Request) -> web.Response:
        """POST /account/tokens: a token that lives from a minute to a year."""
        credentials = self._access.authorize(request)
        body = await params.read_object(request)
        kind, seconds = body.get("token_type"), body.get("expiry_duration")
        if kind not in _TOKEN_KINDS:
            raise ApiError("VALIDATION_ERROR", f"token_type must be one of {', '.join(_TOKEN_KINDS)}")
        if type(seconds) is not int or not _TOKEN_SECONDS[0] <= seconds <= _TOKEN_SECONDS[1]:
            raise ApiError("VALIDATION_ERROR", "expiry_duration is in seconds, from a minute to a year")
        settings, now = self._store.of(credentials.account), self._runtime.wall_us()
        invalid = [key for key, token in settings.tokens.items() if token.revoked_at or token.expires_at <= now]
        for key in invalid[:-_MAX_TOKENS]:
            del settings.tokens[key]  # the newest of them can still be listed
        if len(settings.tokens) - len(invalid[-_MAX_TOKENS:]) >= _MAX_TOKENS:
            raise ApiError("TOKEN_LIMIT_REACHED", f"an account has at most {_MAX_TOKENS} tokens")
        made = Token(
            secrets.token_hex(16), _name(body), str(kind), now, now + seconds * 1_000_000, now, 0, _cidrs(body)
        )
        token = self._access.tokens.issue(
            credentials.account,
            credentials.public_key,
            credentials.order_class,
            lifetime_s=seconds,
            lookup_id=made.lookup_id,
        )
        settings.tokens[made.lookup_id] = made
        self._store.save()
        return web.json_response({"token": token, "api_token": _render_token(made)})

    async def revoke_token(self, request: web.Request) -> web.Response:
        """DELETE /account/tokens/{lookup_id}"""
        token = self._token(request, self._access.authorize(request).account, status=400)
        token.revoked_at = token.updated_at = self._runtime.wall_us()
        self._store.save()
        return web.json_response({"lookup_id": token.lookup_id})

    async def set_token_cidrs(self, request: web.Request) -> web.Response:
        """PUT /account/tokens/{lookup_id}/allowed-cidrs: where it may be used from; empty is everywhere."""
        token = self._token(request, self._access.authorize_main(request).account, status=404)
        token.allowed_cidrs = _cidrs(await params.read_object(request))
        token.updated_at = self._runtime.wall_us()
        self._store.save()
        return web.json_response(_render_token(token))

    async def terminal_token(self, request: web.Request) -> web.Response:
        """POST /account/terminal-token"""
        credentials = self._access.authorize(request)
        return web.json_response({"jwt_token": self._access.tokens.attest(credentials.account)})

    def _token(self, request: web.Request, account: str, *, status: int) -> Token:
        token = self._store.of(account).tokens.get(request.match_info["lookup_id"])
        if token is None:
            raise ApiError("NOT_FOUND", "the account has no such token", status=status)
        return token


def _find(account: Account, request: web.Request) -> Subkey:
    key = account.subkeys.get(request.match_info["public_key"])
    if key is None:
        raise ApiError("INVALID_SUBKEY", "the account has no such subkey", status=404)
    return key


def _name(body: dict[str, Any]) -> str:
    name = body.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME_LENGTH:
        raise ApiError("VALIDATION_ERROR", f"name must have 1 to {_MAX_NAME_LENGTH} characters")
    return name


def _public_key(body: dict[str, Any]) -> str:
    key = body.get("public_key")
    if not isinstance(key, str) or not _HEX.fullmatch(key) or not stark.is_public_key(int(key, 16)):
        raise ApiError("PUBLIC_KEY_INVALID", "public_key must be the hexadecimal x coordinate of a Stark key")
    return hex(int(key, 16))


def _cidrs(body: dict[str, Any]) -> list[str]:
    cidrs = body.get("allowed_cidrs")
    if cidrs is None:
        return []
    if not isinstance(cidrs, list) or len(cidrs) > _MAX_CIDRS or not all(isinstance(cidr, str) for cidr in cidrs):
        raise ApiError("VALIDATION_ERROR", f"allowed_cidrs must be an array of at most {_MAX_CIDRS} networks")
    try:
        return [str(ipaddress.ip_network(cidr, strict=False)) for cidr in cidrs]
    except ValueError as error:
        raise ApiError("VALIDATION_ERROR", f"allowed_cidrs: {error}") from None


def _render_token(token: Token) -> dict[str, Any]:
    """responses.ApiToken; its times are nanoseconds."""
    return {
        "lookup_id": token.lookup_id,
        "token_id": token.lookup_id,
        "name": token.name,
        "kind": token.kind,
        "allowed_cidrs": token.allowed_cidrs,
        "created_at": token.created_at * 1000,
        "expiry_at": token.expires_at * 1000,
        "last_updated_at": token.updated_at * 1000,
        "revoked_at": token.revoked_at * 1000,
    }
