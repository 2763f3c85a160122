"""Who is asking: the signed `POST /auth`, and the JWTs that it hands out."""

import base64
import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from paradex_sandbox.api import stark
from paradex_sandbox.api.errors import ApiError
from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.model import OrderClass

#: The SDK knows four chain ids and raises on others; this is the testnet's.
CHAIN_ID_NAME = "PRIVATE_SN_POTC_SEPOLIA"
CHAIN_ID = stark.short_string(CHAIN_ID_NAME)

TOKEN_LIFETIME_S = 300
_DEFAULT_SIGNATURE_LIFETIME_S = 30 * 60
_MAX_SIGNATURE_LIFETIME_S = 7 * 24 * 3600
#: How far a client's clock may be ahead of ours.
_CLOCK_SKEW_S = 60
_TOKEN_CACHE_SIZE = 4096
_ALGORITHM = "ES256"
_ISSUER = "Paradex sandbox"

_HEX = re.compile(r"0[xX][0-9a-fA-F]{1,64}")
_SIGNATURE_PART = re.compile(r"0x[0-9a-fA-F]{1,64}|[0-9]{1,78}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a token stands for: the account, the key that signs its orders, and the class of the orders it makes.

    `expires_at` is in µs of the sandbox's time.
    """

    account: str
    public_key: int
    order_class: OrderClass
    expires_at: int
    #: Names a token of `POST /account/tokens`; empty for those of `POST /auth`.
    lookup_id: str = ""


class TokenService:
    """Issues and checks the JWTs (ES256, 5 minutes by the sandbox's clock)."""

    def __init__(self, now: Callable[[], int], private_key_pem: str | None = None):
        """`now` gives the sandbox's time in µs. Without a key (`new_key_pem`) one is made for this process."""
        self._now = now
        pem = private_key_pem or new_key_pem()
        key = serialization.load_pem_private_key(pem.encode(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key
        self._jwk = _public_jwk(key.public_key())
        self._verified: OrderedDict[str, Credentials] = OrderedDict()
        #: Tokens that were taken back, with the reason.
        self._void: OrderedDict[str, str] = OrderedDict()

    def issue(
        self,
        account: str,
        public_key: int,
        order_class: OrderClass,
        *,
        lifetime_s: int = TOKEN_LIFETIME_S,
        lookup_id: str = "",
    ) -> str:
        """A token for the account; its orders are signed with `public_key`."""
        issued_at = self._now() // 1_000_000
        claims: dict[str, Any] = {
            "typ": "at+JWT",
            "iss": _ISSUER,
            "sub": account,
            "iat": issued_at,
            "exp": issued_at + lifetime_s,
            "pubkey": hex(public_key),
        }
        if order_class is OrderClass.INTERACTIVE:
            claims["token_usage"] = "interactive"
        if lookup_id:
            claims["jti"] = lookup_id
        token = jwt.encode(claims, self._key, algorithm=_ALGORITHM, headers={"kid": self._jwk["kid"]})
        self._remember(token, Credentials(account, public_key, order_class, claims["exp"] * 1_000_000, lookup_id))
        return token

    def attest(self, account: str) -> str:
        """An attestation for DIME Terminal (`POST /account/terminal-token`): says who it is, opens nothing here."""
        issued_at = self._now() // 1_000_000
        claims = {
            "aud": "dime-terminal",
            "iss": _ISSUER,
            "sub": account,
            "iat": issued_at,
            "exp": issued_at + TOKEN_LIFETIME_S,
        }
        headers = {"kid": self._jwk["kid"], "typ": "terminal+JWT"}
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM, headers=headers)

    def invalidate(self, account: str | None, reason: str) -> None:
        """Makes all tokens issued so far invalid, of one account or of all; `reason` is what their users are told."""
        for token, credentials in self._verified.items():
            if account is None or credentials.account == account:
                self.revoke(token, reason)

    def revoke(self, token: str, reason: str) -> None:
        """Makes one token invalid."""
        self._void[token] = reason
        if len(self._void) > _TOKEN_CACHE_SIZE:
            self._void.popitem(last=False)

    def check(self, token: str) -> Credentials:
        """The credentials of a token that is ours and has not expired; raises ApiError INVALID_TOKEN."""
        credentials = self._verified.get(token)
        if credentials is None:
            credentials = self._decode(token)
            self._remember(token, credentials)
        if token in self._void:
            raise ApiError("INVALID_TOKEN", self._void[token])
        if credentials.expires_at <= self._now():
            raise ApiError("INVALID_TOKEN", "token is expired")
        return credentials

    def jwks(self) -> dict[str, Any]:
        """The public key, as `/jwks.json` shows it (responses.JwksResponse)."""
        return {"keys": [self._jwk]}

    def _remember(self, token: str, credentials: Credentials) -> None:
        self._verified[token] = credentials
        if len(self._verified) > _TOKEN_CACHE_SIZE:
            self._verified.popitem(last=False)

    def _decode(self, token: str) -> Credentials:
        try:
            # Expiry is judged by the sandbox's clock, in check().
            claims = jwt.decode(
                token,
                self._key.public_key(),
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                options={"verify_exp": False, "verify_iat": False, "require": ["sub", "exp", "pubkey"]},
            )
        except (jwt.InvalidTokenError, UnicodeEncodeError):  # the latter where a header is no UTF-8
            raise ApiError("INVALID_TOKEN", "token is malformed or not signed by this exchange") from None
        interactive = claims.get("token_usage") == "interactive"
        return Credentials(
            account=claims["sub"],
            public_key=int(claims["pubkey"], 16),
            order_class=OrderClass.INTERACTIVE if interactive else OrderClass.PRO,
            expires_at=claims["exp"] * 1_000_000,
            lookup_id=claims.get("jti", ""),
        )


def new_key_pem() -> str:
    """A fresh ES256 private key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def authenticate(
    exchange: Exchange, headers: Mapping[str, str], public_key: str | None, now_us: int
) -> tuple[str, int]:
    """Checks the signed headers of `POST /auth` (main key) or `POST /auth/{public_key}` (main key or subkey).

    Returns the account's address and the key that signed. Raises ApiError with the code of the spec.
    """
    address = parse_address(headers)
    signature = parse_signature(headers.get("PARADEX-STARKNET-SIGNATURE", ""), "INVALID_STARKNET_SIGNATURE")
    timestamp, expiration = _parse_lifetime(headers, now_us // 1_000_000)
    try:
        account = exchange.account(address)
    except ExchangeError:
        raise ApiError("NOT_ONBOARDED", f"account {address} does not exist on this exchange", status=401) from None
    key = int(account.public_key, 16)
    if public_key is not None:
        if not _HEX.fullmatch(public_key):
            raise ApiError("PUBLIC_KEY_INVALID", "the public key in the path is not a hexadecimal number")
        key = int(public_key, 16)
    if not key_is_valid(exchange, account.address, key):
        raise ApiError("INVALID_SUBKEY", "the key is not the account's main key and not one of its active subkeys")
    message = stark.auth_message_hash(
        chain_id=CHAIN_ID, account=int(account.address, 16), timestamp=timestamp, expiration=expiration
    )
    if not stark.verify(key, message, signature):
        raise ApiError("STARKNET_SIGNATURE_VERIFICATION_FAILED", "the signature is not by this key over this request")
    return account.address, key


def key_is_valid(exchange: Exchange, address: str, key: int) -> bool:
    """Whether `key` may act for the account now: it is its main key or a subkey that is not revoked."""
    try:
        account = exchange.account(address)
    except ExchangeError:
        return False
    if int(account.public_key, 16) == key:
        return True
    subkey = account.subkeys.get(hex(key))
    return subkey is not None and subkey.is_active


def check_onboarding(headers: Mapping[str, str], public_key: object, address: int) -> None:
    """Checks the signed headers of `POST /onboarding`; raises ApiError with the code of the spec."""
    if (
        not isinstance(public_key, str)
        or not _HEX.fullmatch(public_key)
        or not stark.is_public_key(int(public_key, 16))
    ):
        raise ApiError("PUBLIC_KEY_INVALID", "public_key must be the hexadecimal x coordinate of a Stark key")
    if int(parse_address(headers), 16) != address:
        raise ApiError("INVALID_STARKNET_ADDRESS", "PARADEX-STARKNET-ACCOUNT is not the address of this public key")
    signature = parse_signature(headers.get("PARADEX-STARKNET-SIGNATURE", ""), "INVALID_STARKNET_SIGNATURE")
    message = stark.onboarding_message_hash(chain_id=CHAIN_ID, account=address)
    if not stark.verify(int(str(public_key), 16), message, signature):
        raise ApiError("STARKNET_SIGNATURE_VERIFICATION_FAILED", "the signature is not by this key over this request")


def parse_signature(text: object, code: str) -> tuple[int, int]:
    """`["r","s"]`, decimal (or hexadecimal with 0x), as two integers; raises ApiError with `code`."""
    if isinstance(text, str) and len(text) <= 512:
        try:
            parts = json.loads(text)
        except ValueError:
            parts = text.strip("[]").split(",")
        if isinstance(parts, list) and len(parts) == 2:
            numbers = [str(part).strip() for part in parts]
            if all(_SIGNATURE_PART.fullmatch(number) for number in numbers):
                r, s = (int(number, 0) if number.startswith("0x") else int(number) for number in numbers)
                return r, s
    raise ApiError(code, 'the signature must be ["r","s"]')


def order_class_of(query: Mapping[str, str]) -> OrderClass:
    """The class of the orders that a token is asked for, `?token_usage=`; raises ApiError INVALID_REQUEST_PARAMETER."""
    usage = query.get("token_usage", "")
    if usage not in ("", "interactive"):
        raise ApiError("INVALID_REQUEST_PARAMETER", "token_usage can be interactive, or absent")
    return OrderClass.INTERACTIVE if usage else OrderClass.PRO


def parse_address(headers: Mapping[str, str]) -> str:
    """The account that a signed request names; raises ApiError INVALID_STARKNET_ADDRESS."""
    text = headers.get("PARADEX-STARKNET-ACCOUNT", "")
    if not _HEX.fullmatch(text) or not 0 < int(text, 16) < stark.FIELD_PRIME:
        raise ApiError("INVALID_STARKNET_ADDRESS", "PARADEX-STARKNET-ACCOUNT must be a hexadecimal field element")
    return hex(int(text, 16))


def _parse_lifetime(headers: Mapping[str, str], now_s: int) -> tuple[int, int]:
    timestamp = _parse_seconds(headers, "PARADEX-TIMESTAMP", None)
    default = timestamp + _DEFAULT_SIGNATURE_LIFETIME_S
    expiration = _parse_seconds(headers, "PARADEX-SIGNATURE-EXPIRATION", default)
    check_lifetime(timestamp, expiration, now_s)
    return timestamp, expiration


def check_lifetime(timestamp: int, expiration: int, now_s: int) -> None:
    """Raises ApiError INVALID_TIMESTAMP unless a signature of `timestamp` is valid now; all are Unix seconds."""
    if timestamp > now_s + _CLOCK_SKEW_S:
        raise ApiError("INVALID_TIMESTAMP", "the signature's timestamp is in the future")
    if expiration <= now_s:
        raise ApiError("INVALID_TIMESTAMP", "the signature has expired")
    if expiration - timestamp > _MAX_SIGNATURE_LIFETIME_S:
        raise ApiError("INVALID_TIMESTAMP", "a signature is valid for a week at most")


def _parse_seconds(headers: Mapping[str, str], name: str, default: int | None) -> int:
    text = headers.get(name)
    if text is None and default is not None:
        return default
    if text is None or not re.fullmatch(r"[0-9]{1,12}", text):
        raise ApiError("INVALID_TIMESTAMP", f"{name} must be Unix seconds")
    return int(text)


def _public_jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    jwk = {"crv": "P-256", "kty": "EC", "x": _base64url(numbers.x), "y": _base64url(numbers.y)}
    # RFC 7638: the thumbprint is over exactly these members, sorted.
    thumbprint = hashlib.sha256(json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()).digest()
    kid = base64.urlsafe_b64encode(thumbprint).rstrip(b"=").decode()
    return {**jwk, "alg": _ALGORITHM, "use": "sig", "kid": kid}


def _base64url(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()
