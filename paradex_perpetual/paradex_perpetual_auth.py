"""The subkey: what it signs, and the life of the JWT that it gets.

The typed data are the SDK's (`paradex_py`). :class:`FastSigner` hashes and signs them with fast-stark-crypto, six times
as fast and without importing the SDK, which costs seconds of CPU; before it is used, it has to make of known messages
what the SDK has made of them. Where it cannot be used, the SDK signs, in a thread. Every request goes through
Hummingbot's web assistants.
"""

import asyncio
import base64
import gc
import json
import logging
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from functools import lru_cache, reduce
from time import monotonic
from typing import Any, Protocol

from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_utils as utils,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.core.web_assistant.auth import AuthBase
from hummingbot.core.web_assistant.connections.data_types import RESTMethod, RESTRequest, WSJSONRequest, WSRequest
from hummingbot.core.web_assistant.web_assistants_factory import WebAssistantsFactory

try:
    import fast_stark_crypto
except ImportError:  # it is in requirements-sdk.lock; without it the SDK signs
    fast_stark_crypto = None  # type: ignore[assignment]

_logger = logging.getLogger(__name__)


READ_ONLY = (
    "This connector has a read-only token: it can look at the account, but not place, change or cancel orders, nor "
    "change settings. Connect with a subkey's private key to trade."
)


_FORGETFUL = ", or the sandbox has been started again without --data since and has forgotten its accounts"


class ParadexAuthenticationError(web_utils.ParadexError):
    """The exchange does not accept the credentials; the text says what may be wrong with them."""


# === Signers ===
#
# What is signed is typed data of Starknet, revision 0: h(prefix, h(domain), account, h(message)), where h of several
# elements is a chain of Pedersen hashes that starts with 0 and ends with their number. So whatever comes first in the
# chain and stays the same is hashed once: the first three of the message for an account, and most of an order for
# those of the same time, market, side, type and size.

# The types' hashes: Starknet's Keccak of the texts in the comments, for which Python itself has no Keccak.
# StarkNetDomain(name:felt,chainId:felt,version:felt)
_DOMAIN_TYPE = 0x98D1932052FC5137543DE5ED85B7A88555A4CD1FF5D5BFEDB62ED9B9A1F0DB
# Request(method:felt,path:felt,body:felt,timestamp:felt,expiration:felt)
_REQUEST_TYPE = 0x186CDEF6B179923C411C13C11B8A825F12BF34203BDDA0A984DA9D6F2313C2
# Order(timestamp:felt,market:felt,side:felt,orderType:felt,size:felt,price:felt)
_ORDER_TYPE = 0xA56D5225B97B257C15AE2CB1CC0EA605381A886CD75463DB45FD2EF9FBC255
# ModifyOrder(timestamp:felt,market:felt,side:felt,orderType:felt,size:felt,price:felt,id:felt)
_MODIFY_TYPE = 0x201789BB587C17B251FD38DAF43B14807010EA721C2929A8C2FC33BF15C2E2C

_SIDES = {CONSTANTS.SIDE_BUY: 1, CONSTANTS.SIDE_SELL: 2}
_ORDER_TYPES = frozenset(
    {"LIMIT", "MARKET"}
    | {f"{kind}_{basis}" for kind in ("STOP", "TAKE_PROFIT", "STOP_LOSS") for basis in ("LIMIT", "MARKET")}
)
_SHORT_STRING_LENGTH = 31
_SIGNATURES_IN_A_PASS = 4  # 2 ms, in which nothing else happens
_SIGNED_HASHES = 2**251  # a message's hash must be below it; the chances of one that is not are 2**-55


class Signer(Protocol):
    """What signs for the subkey. It never shows the key.

    :ivar public_key: of the subkey, 0x and hexadecimal digits
    :ivar is_quick: whether signing costs so little that no thread is worth its while
    """

    public_key: str
    is_quick: bool

    def sign_auth(self, timestamp: int, expiration: int) -> str:
        """The signature of a request for a token, `["r","s"]` in decimal; both times in seconds."""
        ...

    def sign_order(self, request: Mapping[str, Any]) -> str:
        """The signature of an order or, with an `id`, of a modification: see `ParadexPerpetualAuth.sign_order`."""
        ...


class FastSigner:
    """A :class:`Signer` over fast-stark-crypto, of which 0.4 to 0.7 ms are Pedersen hashes and the signature itself.

    :param chain_id: `starknet_chain_id` of `GET /system/config`
    :raises ValueError: if the chain's id cannot be signed
    """

    is_quick = True

    def __init__(self, chain_id: str, api_secret: str, account_address: str):
        self._key = int(api_secret, 16)
        self.public_key = hex(fast_stark_crypto.get_public_key(self._key))
        domain = _closed_chain([_DOMAIN_TYPE, _short_string("Paradex"), _short_string(chain_id), 1])
        self._account_state = _chain([_short_string("StarkNet Message"), domain, int(account_address, 16)])
        self._request_state = _chain([_REQUEST_TYPE, _short_string("POST"), _short_string("/v1/auth"), 0])
        self._order_state = _chain([_ORDER_TYPE])
        self._modify_state = _chain([_MODIFY_TYPE])

    def sign_auth(self, timestamp: int, expiration: int) -> str:
        return self._sign(self.auth_hash(timestamp, expiration))

    def sign_order(self, request: Mapping[str, Any]) -> str:
        return self._sign(self.order_hash(request))

    def auth_hash(self, timestamp: int, expiration: int) -> int:
        """What is signed for a token."""
        state = fast_stark_crypto.pedersen_hash(self._request_state, timestamp)
        state = fast_stark_crypto.pedersen_hash(state, expiration)
        return self._message_hash(state, 6)

    def order_hash(self, request: Mapping[str, Any]) -> int:
        """What is signed for an order.

        :raises ValueError: if a field cannot be signed; its text names the field
        """
        order_type = request["type"]
        if order_type not in _ORDER_TYPES or request["side"] not in _SIDES:
            raise ValueError(f"{request['side']} {order_type} is no order that can be signed")
        order_id = request.get("id")
        state = self._modify_state if order_id else self._order_state
        state = _shared_hash(state, _natural(request["signature_timestamp"], "signature_timestamp"))
        state = _shared_hash(state, _felt(request["market"]))
        state = _shared_hash(state, _SIDES[request["side"]])
        state = _shared_hash(state, _short_string(order_type))
        state = _shared_hash(state, _quanta(request, "size"))
        price = 0 if order_type == CONSTANTS.TYPE_MARKET else _quanta(request, "price")
        state = fast_stark_crypto.pedersen_hash(state, price)
        if not order_id:
            return self._message_hash(state, 7)
        return self._message_hash(fast_stark_crypto.pedersen_hash(state, _felt(order_id)), 8)

    def _message_hash(self, state: int, length: int) -> int:
        message = fast_stark_crypto.pedersen_hash(state, length)
        return fast_stark_crypto.pedersen_hash(fast_stark_crypto.pedersen_hash(self._account_state, message), 4)

    def _sign(self, message_hash: int) -> str:
        if message_hash >= _SIGNED_HASHES:  # there the library panics, in a way that `except Exception` does not catch
            raise ValueError("this message cannot be signed at this moment: try again")
        r, s = fast_stark_crypto.sign(self._key, message_hash)
        return f'["{r}","{s}"]'


class SdkSigner:
    """A :class:`Signer` that has the SDK do it: 4 ms for a signature, and seconds for the import. For a thread.

    :param config: the answer of `GET /system/config`
    :raises ValueError: if the SDK does not know the chain
    """

    is_quick = False

    def __init__(self, config: Mapping[str, Any], api_secret: str, account_address: str):
        with _without_garbage_collection():
            from paradex_py.account.subkey_account import SubkeyAccount
            from paradex_py.api.models import SystemConfigSchema
            from paradex_py.common.order import Order as _  # noqa: F401

        self._account = SubkeyAccount(
            config=SystemConfigSchema().load(dict(config), unknown="exclude", partial=True),
            l2_private_key=api_secret,
            l2_address=account_address,
        )
        self.public_key = hex(self._account.l2_public_key)

    def sign_auth(self, timestamp: int, expiration: int) -> str:
        return self._account.auth_signature(timestamp, expiration)

    def sign_order(self, request: Mapping[str, Any]) -> str:
        from paradex_py.common.order import Order, OrderSide, OrderType

        order = Order(
            market=request["market"],
            order_type=OrderType(request["type"]),
            order_side=OrderSide(request["side"]),
            size=Decimal(request["size"]),
            limit_price=Decimal(request.get("price", "0")),
            signature_timestamp=request["signature_timestamp"],
            order_id=request.get("id"),
        )
        return self._account.sign_order(order)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Keeps the collector from running while much is made that will stay, and from ever going through it.

    The import of the SDK makes so many objects that the collector goes through everything in memory, several times. It
    keeps the GIL meanwhile: from a thread, too, it stopped the event loop for 0.2 to 0.5 s each time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


def signer_for(config: Mapping[str, Any], api_secret: str, account_address: str) -> Signer:
    """The fast signer if it can be had and is right, else the SDK's. May import the SDK: for a thread.

    :param config: the answer of `GET /system/config`
    :raises ValueError: if it cannot sign for the chain
    """
    if _fast_signer_is_right():
        return FastSigner(str(config["starknet_chain_id"]), api_secret, account_address)
    return SdkSigner(config, api_secret, account_address)


# Messages of nobody's key, and what paradex-py 0.8.2 makes of them.
_KNOWN_KEY = 0x1234567890ABCDEF1234567890ABCDEF1234567890ABCDEF1234567890ABCDE
_KNOWN_ACCOUNT = 0x2FEDCBA0987654321FEDCBA0987654321FEDCBA0987654321FEDCBA09876543
_KNOWN_ORDER = {
    "market": "BTC-USD-PERP",
    "side": "SELL",
    "type": "LIMIT",
    "size": "0.123456789",
    "price": "60000.1",
    "signature_timestamp": 1_790_000_000_000,
}
_KNOWN_PUBLIC_KEY = 0x2A8249E10DF5670294C078C3A04F32ED60087E5EE8A3457FA29ED0C0E366BFC
_KNOWN_AUTH_HASH = 0x49A397B2BCDDF2EE989BA1F143F659C6CA31EDF4DDC5FE90E3987DE913E4B3
_KNOWN_ORDER_HASH = 0x2E1BBBBF710D16F25A8A6306962C710B925FD578506D88830674D96213124D4
_KNOWN_MODIFY_HASH = 0x2602C13691083EB88CD43ADB9550B17A1E43442C2AD518B3C2B514534EC7A52


@lru_cache(maxsize=1)
def _fast_signer_is_right() -> bool:
    """Whether fast-stark-crypto is there and makes of known messages what the SDK makes of them."""
    try:
        signer = FastSigner("PRIVATE_SN_POTC_SEPOLIA", hex(_KNOWN_KEY), hex(_KNOWN_ACCOUNT))
        signature = fast_stark_crypto.sign(_KNOWN_KEY, _KNOWN_ORDER_HASH)
        return (
            signer.public_key == hex(_KNOWN_PUBLIC_KEY)
            and signer.auth_hash(1_790_000_000, 1_790_001_800) == _KNOWN_AUTH_HASH
            and signer.order_hash(_KNOWN_ORDER) == _KNOWN_ORDER_HASH
            and signer.order_hash({**_KNOWN_ORDER, "id": "1800000000000201709233470000"}) == _KNOWN_MODIFY_HASH
            and fast_stark_crypto.verify(_KNOWN_PUBLIC_KEY, _KNOWN_ORDER_HASH, *signature)
        )
    except Exception:  # it is missing, or a release with other functions: whatever it is, the SDK can sign
        return False


def _chain(elements: Sequence[int]) -> int:
    """The unfinished chain of Pedersen hashes over `elements`."""
    return reduce(fast_stark_crypto.pedersen_hash, elements, 0)


def _closed_chain(elements: Sequence[int]) -> int:
    return fast_stark_crypto.pedersen_hash(_chain(elements), len(elements))


@lru_cache(maxsize=1024)
def _shared_hash(state: int, element: int) -> int:
    """One step of a chain that other orders of the same batch are likely to take as well."""
    return fast_stark_crypto.pedersen_hash(state, element)


@lru_cache(maxsize=1024)
def _felt(text: str) -> int:
    """A text as the typed data have it: a number if it looks like one, else a short string.

    :raises ValueError: if it is no field element
    """
    number = int(text, 16) if text.startswith("0x") else int(text) if text.isnumeric() else _short_string(text)
    return _natural(number, repr(text))


def _short_string(text: str) -> int:
    """:raises ValueError: if it has more than 31 characters or others than ASCII"""
    if len(text) > _SHORT_STRING_LENGTH or not text.isascii():
        raise ValueError(f"{text!r} cannot be signed: only up to {_SHORT_STRING_LENGTH} ASCII characters can")
    return int.from_bytes(text.encode(), "big")


def _quanta(request: Mapping[str, Any], field: str) -> int:
    """A size or a price in units of 10⁻⁸; the SDK cuts further digits off, and so does this."""
    return _natural(int(Decimal(request.get(field, "0")).scaleb(CONSTANTS.DECIMALS)), field)


def _natural(number: int, field: str) -> int:
    if not 0 <= number < utils.STARK_FIELD_PRIME:
        raise ValueError(f"{field} cannot be signed: it is negative or too large")
    return number


# === The authenticator ===


def token_lifetime(token: str) -> tuple[float, float]:
    """When a JWT was issued and when it expires, in seconds since the epoch by the exchange's clock.

    :raises ParadexAuthenticationError: if the token does not say when it expires
    """
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims.get("iat") or 0), float(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError, AttributeError):
        # Neither the token nor what is in it: the cause would carry both into a log.
        raise ParadexAuthenticationError("The token that Paradex gave does not say when it expires.") from None


class ParadexPerpetualAuth(AuthBase):
    """Authenticates requests and sockets with a JWT and signs orders, for one subkey of one main account.

    :param api_secret: the subkey's private key, 0x and hexadecimal digits; or a token, for reading only
    :param account_address: the main account's address, likewise; the subkey does not imply it
    :param domain: for the addresses of the exchange
    :param order_class: `pro` or `retail`; decides what kind of token is asked for
    :param time: the exchange's time in seconds since the epoch
    :param resynchronize: measures that time again, when the exchange says that it is wrong
    :param monotonic: seconds, for pauses: those of the exchange's time jump when it is measured again
    """

    def __init__(
        self,
        api_secret: str,
        account_address: str,
        domain: str = CONSTANTS.DEFAULT_DOMAIN,
        order_class: str = CONSTANTS.ORDER_CLASS_PRO,
        time: Callable[[], float] | None = None,
        resynchronize: Callable[[], Awaitable[None]] | None = None,
        monotonic: Callable[[], float] = monotonic,
    ):
        self._api_secret = utils.normalized_api_secret(api_secret) if api_secret else ""
        self._account_address = utils.normalized_account_address(account_address) if account_address else ""
        self._domain = domain
        self._order_class = order_class
        self._time = time or web_utils.local_time
        self._resynchronize = resynchronize
        self._monotonic = monotonic
        self._api_factory: WebAssistantsFactory | None = None
        # One thread: signatures come back in the order in which they were asked for.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="paradex-signer")
        self._signer: Signer | None = None
        self._signer_lock = asyncio.Lock()
        self._turn = asyncio.Semaphore(_SIGNATURES_IN_A_PASS)
        self.token_generation = 0  # grows with each new token
        self._token: str | None = None
        self._renew_at = 0.0
        self._expires_at = 0.0
        self._renewal: asyncio.Task[str] | None = None
        self._failures = 0
        self._last_error: Exception | None = None
        self._retry_at = 0.0
        self._given_at = 0.0
        self._useless_tokens = 0  # one after the other, that were refused soon after they had been given

    def __repr__(self) -> str:
        return f"{type(self).__name__}(domain={self._domain!r}, order_class={self._order_class!r})"

    @property
    def has_credentials(self) -> bool:
        return bool(self._api_secret and self._account_address)

    @property
    def is_read_only(self) -> bool:
        """Whether there is a token instead of a key: it opens the account for reading, and nothing can be signed."""
        return utils.is_token(self._api_secret)

    @property
    def refusal(self) -> "ParadexAuthenticationError | None":
        """Why the exchange does not accept the credentials; None if it does, as far as is known."""
        return self._last_error if isinstance(self._last_error, ParadexAuthenticationError) else None

    def use(self, api_factory: WebAssistantsFactory) -> None:
        """:param api_factory: carries the requests that authentication itself needs"""
        self._api_factory = api_factory

    # === Hummingbot's hooks ===

    async def rest_authenticate(self, request: RESTRequest) -> RESTRequest:
        """Adds the bearer token to a REST request."""
        request.headers = {**(request.headers or {}), "Authorization": f"Bearer {await self.token_to_send()}"}
        return request

    async def ws_authenticate(self, request: WSRequest) -> WSRequest:
        """Puts the bearer token into the `auth` call of a socket."""
        assert isinstance(request, WSJSONRequest)
        request.payload = {**request.payload, "params": {"bearer": await self.token_to_send()}}
        return request

    async def token_to_send(self) -> str:
        """:meth:`token`, for a request that has not left without it.

        :raises web_utils.NotSentError: if nobody answers for the token
        """
        try:
            return await self.token()
        except web_utils.NoAnswerError as error:
            # It is the token that nobody answered for; the request that wants it has not left.
            raise web_utils.NotSentError(f"not sent, for want of a token: {error}") from None

    # === The token ===

    async def token(self) -> str:
        """A valid JWT.

        It is renewed at 3 of its 5 minutes while the old one goes on being used; only when there is none that is valid
        does anybody wait, and all who wait, wait for the same renewal.

        :raises ParadexAuthenticationError: if the exchange does not accept the credentials
        :raises web_utils.ParadexError: if it cannot be asked
        """
        now = self._time()
        if self.is_read_only:
            return self._given_token(now)
        if self._token is not None and now < self._renew_at:
            return self._token
        valid = self._token is not None and now < self._expires_at
        if self._renewal is None or self._renewal.done():
            if self._monotonic() < self._retry_at and self._last_error is not None:
                if valid:
                    return self._token  # type: ignore[return-value]
                raise self._last_error
            self._renewal = asyncio.create_task(self._renew())
            self._renewal.add_done_callback(_retrieve_exception)
        if valid:
            return self._token  # type: ignore[return-value]
        return await asyncio.shield(self._renewal)

    def _given_token(self, now: float) -> str:
        _, expires_at = token_lifetime(self._api_secret)
        if now >= expires_at:
            raise ParadexAuthenticationError(
                f"The read-only token of {self._domain} has expired: make a new one on Paradex and run "
                f"`connect {self._domain}` with it."
            )
        return self._api_secret

    def token_refused(self, generation: int) -> None:
        """Says that the exchange refused a token: the next request gets a new one.

        :param generation: `token_generation` when that token was used; a newer one is not dropped with it
        """
        if generation != self.token_generation or self._token is None:
            return
        self._token = None
        if self._monotonic() - self._given_at > CONSTANTS.TOKEN_RETRY_MAXIMUM:
            self._useless_tokens = 0
        self._useless_tokens += 1
        if self._useless_tokens > CONSTANTS.USELESS_TOKENS:  # a new one each time would hammer the exchange
            self._failures = self._useless_tokens - CONSTANTS.USELESS_TOKENS
            self._pause_after(
                ParadexAuthenticationError(
                    f"Paradex refuses the tokens that it gives for these credentials on {self._domain}."
                )
            )

    async def _renew(self) -> str:
        try:
            try:
                token = await self._request_token()
            except web_utils.ApiError as error:
                if error.code not in CONSTANTS.TIMESTAMP_ERRORS or self._resynchronize is None:
                    raise
                await self._resynchronize()
                token = await self._request_token()
            issued_at, expires_at = token_lifetime(token)
        except Exception as error:
            self._pause_after(error)
            raise
        now = self._time()
        lifetime = expires_at - (issued_at or now)
        self._expires_at = expires_at
        if now >= expires_at - lifetime * (1 - CONSTANTS.TOKEN_RENEWAL_SHARE):
            # The time is wrong, and could not be measured. By it, each request would ask for a token of its own.
            lifetime = max(CONSTANTS.TOKEN_MINIMUM_LIFE, lifetime)
            self._expires_at = now + lifetime
        self._renew_at = self._expires_at - lifetime * (1 - CONSTANTS.TOKEN_RENEWAL_SHARE)
        self._token = token
        self.token_generation += 1
        self._given_at = self._monotonic()
        self._failures, self._last_error, self._retry_at = 0, None, 0.0
        return token

    def _pause_after(self, error: Exception) -> None:
        """Keeps an error for those who ask for a token during the pause, so that a failing exchange is not hammered."""
        pause = min(CONSTANTS.TOKEN_RETRY_MAXIMUM, CONSTANTS.TOKEN_RETRY_INITIAL * 2**self._failures)
        self._retry_at = self._monotonic() + pause * random.uniform(0.75, 1.25)
        self._failures += 1
        self._last_error = error

    async def _request_token(self) -> str:
        """`POST /auth/{subkey}`: a new JWT."""
        signer = await self._ready_signer()
        timestamp = int(self._time())
        expiration = timestamp + CONSTANTS.SIGNATURE_LIFETIME
        headers = {
            "PARADEX-STARKNET-ACCOUNT": self._account_address,
            "PARADEX-STARKNET-SIGNATURE": await self._run(signer.sign_auth, timestamp, expiration),
            "PARADEX-TIMESTAMP": str(timestamp),
            "PARADEX-SIGNATURE-EXPIRATION": str(expiration),
        }
        retail = self._order_class == CONSTANTS.ORDER_CLASS_RETAIL
        try:
            answer = await web_utils.api_request(
                self._factory(),
                CONSTANTS.AUTH_PATH.format(public_key=signer.public_key),
                domain=self._domain,
                method=RESTMethod.POST,
                params={"token_usage": CONSTANTS.TOKEN_USAGE_INTERACTIVE} if retail else None,
                headers=headers,
                limit_id=CONSTANTS.AUTH_LIMIT,
            )
        except web_utils.ApiError as error:
            # Without the exchange's own sentence: it may repeat the address, which is the key if they were swapped.
            if error.code in CONSTANTS.CREDENTIAL_ERRORS or error.status in (401, 403):
                raise ParadexAuthenticationError(
                    f"Paradex does not accept these credentials ({error.code}). Either the subkey's private key and "
                    "the main account's address are swapped, or the address is not that of the main account under "
                    "which the subkey is registered, or the subkey has been revoked, or both belong to another "
                    f"environment than {self._domain}{_FORGETFUL if self._domain == CONSTANTS.SANDBOX_DOMAIN else ''}."
                ) from None
            raise web_utils.ApiError(error.status, error.code, "", "the request for a token") from None
        token = answer.get("jwt_token") if isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise ParadexAuthenticationError("Paradex answered the request for a token without one.")
        return token

    # === Signatures ===

    async def sign_order(self, request: Mapping[str, Any]) -> str:
        """The signature of an order or of a modification.

        :param request: the body of the request, with `signature_timestamp` in milliseconds; with `id` it is a
            modification
        :return: `["r","s"]` in decimal
        :raises ValueError: if a field cannot be signed
        """
        (signature,) = await self.sign_orders([request])
        return signature

    async def sign_orders(self, requests: Sequence[Mapping[str, Any]]) -> list[str]:
        """The signatures of several requests, as :meth:`sign_order` makes them, in their order.

        Those that agree in time, market, side, type and size, or the first of these, share what was hashed of them.
        """
        signer = self._signer or await self._ready_signer()
        if not signer.is_quick:
            return await self._run(lambda: [signer.sign_order(request) for request in requests])
        return [await self._sign_in_turn(signer, request) for request in requests]

    async def _sign_in_turn(self, signer: Signer, request: Mapping[str, Any]) -> str:
        """Signs on the loop, but only so often in a pass of it: the next has to wait for the others.

        Not in a thread: the library keeps the GIL, so that a thread stalls the loop no less, and while the loop is busy
        it gets the GIL every 5 ms only (measured: p95 of a batch of 10 on a busy loop 360 ms, against 16 ms here).
        """
        await self._turn.acquire()
        asyncio.get_running_loop().call_soon(self._turn.release)
        return signer.sign_order(request)

    async def prepare(self) -> None:
        """Fetches the chain's id and, if that is needed, loads the SDK, so that the first order has not to wait."""
        await self._ready_signer()

    async def _ready_signer(self) -> Signer:
        if self._signer is None:
            async with self._signer_lock:
                if self._signer is None:
                    if not self.has_credentials:
                        raise ParadexAuthenticationError(
                            f"No subkey is known for {self._domain}: run `connect {self._domain}` first."
                        )
                    if self.is_read_only:
                        raise ParadexAuthenticationError(READ_ONLY)
                    config = await web_utils.api_request(
                        self._factory(), CONSTANTS.SYSTEM_CONFIG_PATH, domain=self._domain
                    )
                    try:
                        signer = await self._run(signer_for, config, self._api_secret, self._account_address)
                    except (KeyError, TypeError, ValueError):  # an unknown chain, or no config that says which
                        raise ParadexAuthenticationError(
                            f"Orders for the chain {config.get('starknet_chain_id')!r} of {self._domain} cannot be "
                            "signed: update paradex-py."
                        ) from None
                    if not signer.is_quick:
                        _logger.info(
                            "The SDK signs, which takes 4 ms for an order instead of less than 1: fast-stark-crypto is "
                            "not installed, or not the one that is expected."
                        )
                    self._signer = signer
        return self._signer

    async def _run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    def _factory(self) -> WebAssistantsFactory:
        if self._api_factory is None:
            raise RuntimeError("use() has to be called before anything is authenticated")
        return self._api_factory


def _retrieve_exception(task: "asyncio.Task[str]") -> None:
    """A renewal that failed while nobody waited is told to the next who asks, not to asyncio's log."""
    if not task.cancelled():
        task.exception()
