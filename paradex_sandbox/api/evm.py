"""Accounts that an Ethereum key owns: `POST /v2/onboarding` and `POST /v2/auth`, signed as SIWE messages (ERC-4361).

Such a key signs no orders: it registers a subkey, and the subkey trades. The account's public key is the owner's
uncompressed secp256k1 key. That is no field element, so nothing that asks for a Stark signature mistakes it for one.
"""

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from paradex_sandbox.api import params, stark
from paradex_sandbox.api.access import Access
from paradex_sandbox.api.auth import check_lifetime, order_class_of, parse_address
from paradex_sandbox.api.errors import ApiError
from paradex_sandbox.api.limits import V2_PREFIX
from paradex_sandbox.api.rest_public import EVM_ACCOUNT_CLASS_HASH, L1_CHAIN_ID
from paradex_sandbox.api.runtime import Runtime
from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.model import DEFAULT_DEPOSITS, Account
from paradex_sandbox.storage import Storage

#: What the SDK's messages say they are for, so that one kind cannot be passed off as the other.
ONBOARDING_STATEMENT = "Paradex Onboarding"
AUTH_STATEMENT = "Paradex Auth"

#: Whom messages are for: the testnet's web app, as the SDK writes it, since the chain ids are the testnet's too.
DOMAIN = "app.testnet.paradex.trade"

_DEFAULT_LIFETIME_S = 30 * 60
_META_KEY = "siwe_nonces"
_MAX_MESSAGE_LENGTH = 4096
_ETH_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_ETH_PUBLIC_KEY = re.compile(r"0x04[0-9a-fA-F]{128}")
_ETH_SIGNATURE = re.compile(r"0x[0-9a-fA-F]{130}")
_SIWE = re.compile(
    r"(?P<domain>\S+) wants you to sign in with your Ethereum account:\n"
    r"(?P<address>0x[0-9a-fA-F]{40})\n\n"
    r"(?P<statement>[^\n]+)\n\n"
    r"URI: (?P<uri>\S+)\n"
    r"Version: 1\n"
    r"Chain ID: (?P<chain>[0-9]{1,20})\n"
    r"Nonce: (?P<nonce>[0-9a-zA-Z]{8,128})\n"
    r"Issued At: (?P<issued>\S+)"
    r"(?:\nExpiration Time: (?P<expires>\S+))?"
)


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """A SIWE message as its headers bring it; nothing is verified yet. Times are Unix seconds."""

    text: str
    signature: str
    eth_address: str
    nonce: str
    issued_at: int
    expires_at: int


class UsedMessages:
    """Messages that were used and are still valid, so that none is taken twice; kept in `storage` if there is one."""

    def __init__(self, storage: Storage | None):
        self._storage = storage
        stored = None if storage is None else storage.get_meta(_META_KEY)
        self._expiries: dict[str, int] = json.loads(stored) if stored else {}

    def add(self, message: SignedMessage, now_s: int) -> None:
        """Remembers a message whose signature is right; raises ApiError INVALID_REQUEST_PARAMETER if it was used."""
        key = f"{message.eth_address.lower()} {message.nonce}"
        if key in self._expiries:
            raise ApiError("INVALID_REQUEST_PARAMETER", "the message was used before: sign one with another nonce")
        self._expiries = {used: expiry for used, expiry in self._expiries.items() if expiry > now_s}
        self._expiries[key] = message.expires_at
        if self._storage is not None:
            self._storage.set_meta(_META_KEY, json.dumps(self._expiries))


class EvmApi:
    """Handlers of /v2."""

    def __init__(self, runtime: Runtime, access: Access):
        self._runtime = runtime
        self._exchange = runtime.exchange
        self._access = access
        self._used = UsedMessages(runtime.storage)

    def routes(self) -> list[web.RouteDef]:
        """The routes, relative to the server's root (as the SDK calls them) or to /v1 (as the OpenAPI file reads)."""
        return [
            web.post(V2_PREFIX + "/onboarding", self.onboard),
            web.post(V2_PREFIX + "/auth", self.auth),
        ]

    async def onboard(self, request: web.Request) -> web.Response:
        """POST /v2/onboarding: opens the account of an Ethereum key, funded as all new accounts here; idempotent."""
        public_key = (await params.read_object(request)).get("public_key")
        if not isinstance(public_key, str) or not _ETH_PUBLIC_KEY.fullmatch(public_key):
            raise ApiError(
                "PUBLIC_KEY_INVALID", "public_key must be an uncompressed secp256k1 key, 0x04 and 128 digits"
            )
        address, signed = await self._verify(request.headers, ONBOARDING_STATEMENT)
        if _key_address(public_key) != int(signed.eth_address, 16):
            raise ApiError("PUBLIC_KEY_INVALID", "public_key is not the key of the Ethereum address that signed")
        if self._find(address) is None:
            self._runtime.sync()
            self._exchange.create_account(hex(address), public_key.lower(), DEFAULT_DEPOSITS)
            self._runtime.commit()
        return web.Response(status=200)

    async def auth(self, request: web.Request) -> web.Response:
        """POST /v2/auth, `?token_usage=interactive` for Retail orders: a token of the main key."""
        order_class = order_class_of(request.query)
        address, _ = await self._verify(request.headers, AUTH_STATEMENT)
        account = self._find(address)
        if account is None:
            raise ApiError("NOT_ONBOARDED", f"account {hex(address)} does not exist on this exchange", status=401)
        token = self._access.tokens.issue(account.address, int(account.public_key, 16), order_class)
        return web.json_response({"jwt_token": token})

    async def _verify(self, headers: Mapping[str, str], statement: str) -> tuple[int, SignedMessage]:
        """The account's address, and the message that its owner signed; raises ApiError with the code of the spec."""
        claimed = int(parse_address(headers), 16)
        signed = parse_message(headers, statement)
        check_lifetime(signed.issued_at, signed.expires_at, self._runtime.wall_us() // 1_000_000)
        # In a thread: the first call imports eth_account, and each takes milliseconds where eth_keys is pure Python.
        signer = await asyncio.to_thread(_recover, signed)
        if signer != int(signed.eth_address, 16):
            raise ApiError("EVM_SIGNATURE_VERIFICATION_FAILED", "the message is not signed by the address it names")
        if claimed != account_address(signed.eth_address):
            raise ApiError("INVALID_STARKNET_ADDRESS", "PARADEX-STARKNET-ACCOUNT is not the account of this signer")
        # Not before the signature is known to be right, or anybody could use up the nonces of others.
        self._used.add(signed, self._runtime.clock.now_us() // 1_000_000)
        return claimed, signed

    def _find(self, address: int) -> Account | None:
        try:
            return self._exchange.account(hex(address))
        except ExchangeError:
            return None


def account_address(eth_address: str) -> int:
    """The account that belongs to an Ethereum address; raises ApiError INVALID_ETHEREUM_ADDRESS."""
    if not _ETH_ADDRESS.fullmatch(eth_address):
        raise ApiError("INVALID_ETHEREUM_ADDRESS", "an Ethereum address is 0x and 40 hexadecimal digits")
    return stark.evm_account_address(int(eth_address, 16), class_hash=EVM_ACCOUNT_CLASS_HASH)


def parse_message(headers: Mapping[str, str], statement: str) -> SignedMessage:
    """Reads PARADEX-EVM-SIGNATURE and PARADEX-SIWE-MESSAGE (base64), which must be made for `statement`.

    Raises ApiError INVALID_EVM_SIGNATURE, INVALID_REQUEST_PARAMETER, INVALID_CHAIN or INVALID_TIMESTAMP.
    """
    signature = headers.get("PARADEX-EVM-SIGNATURE", "")
    if not _ETH_SIGNATURE.fullmatch(signature):
        raise ApiError("INVALID_EVM_SIGNATURE", "PARADEX-EVM-SIGNATURE must be 0x and 130 hexadecimal digits")
    encoded = headers.get("PARADEX-SIWE-MESSAGE", "")
    try:
        text = base64.b64decode(encoded[: _MAX_MESSAGE_LENGTH + 1], validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    message = _SIWE.fullmatch(text) if len(encoded) <= _MAX_MESSAGE_LENGTH else None
    if message is None or message["statement"] != statement:
        reason = f'PARADEX-SIWE-MESSAGE must be a base64 ERC-4361 message that states "{statement}"'
        raise ApiError("INVALID_REQUEST_PARAMETER", reason)
    if message["domain"] != DOMAIN:
        raise ApiError("INVALID_REQUEST_PARAMETER", f"the message is for another domain: here it is {DOMAIN}")
    if not re.fullmatch(rf"https://{re.escape(DOMAIN)}(/.*)?", message["uri"]):
        raise ApiError("INVALID_REQUEST_PARAMETER", f"the message's URI must be https://{DOMAIN}")
    if message["chain"] != L1_CHAIN_ID:
        raise ApiError("INVALID_CHAIN", f"the message must name chain {L1_CHAIN_ID}, see /system/config")
    issued = _seconds(message["issued"])
    expires = issued + _DEFAULT_LIFETIME_S if message["expires"] is None else _seconds(message["expires"])
    if expires <= issued:
        raise ApiError("INVALID_TIMESTAMP", "the message expires before it is issued")
    return SignedMessage(text, signature, message["address"], message["nonce"], issued, expires)


def _seconds(text: str) -> int:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise ApiError("INVALID_TIMESTAMP", "the message's times must be RFC 3339, with their zone")
    return int(time.timestamp())


def _recover(signed: SignedMessage) -> int:
    """The Ethereum address that made the signature."""
    # Here and not above: eth_account takes longer to import than the whole sandbox to start.
    from eth_account import Account as EthAccount
    from eth_account.messages import encode_defunct
    from eth_keys.exceptions import BadSignature
    from eth_utils.exceptions import ValidationError

    try:
        return int(EthAccount.recover_message(encode_defunct(text=signed.text), signature=signed.signature), 16)
    except (BadSignature, ValidationError, ValueError):
        raise ApiError("INVALID_EVM_SIGNATURE", "PARADEX-EVM-SIGNATURE is no signature of an Ethereum key") from None


def _key_address(public_key: str) -> int:
    """The Ethereum address of an uncompressed key."""
    from eth_utils.crypto import keccak

    return int.from_bytes(keccak(bytes.fromhex(public_key[4:]))[12:], "big")
