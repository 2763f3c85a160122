"""The subkey: what it signs, and the life of the JWT that it gets.

Keys, typed data and signatures are those of the SDK's subkey account (`paradex_py`); every request goes through
Hummingbot's web assistants. Importing the SDK costs seconds of CPU, so that happens in a thread, once, and with it
everything that is computed with it.
"""

import asyncio
import base64
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_utils as utils,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.core.web_assistant.auth import AuthBase
from hummingbot.core.web_assistant.connections.data_types import RESTMethod, RESTRequest, WSJSONRequest, WSRequest
from hummingbot.core.web_assistant.web_assistants_factory import WebAssistantsFactory

if TYPE_CHECKING:
    from paradex_py.account.subkey_account import SubkeyAccount


READ_ONLY = (
    "This connector has a read-only token: it can look at the account, but not place, change or cancel orders, nor "
    "change settings. Connect with a subkey's private key to trade."
)


class ParadexAuthenticationError(web_utils.ParadexError):
    """The exchange does not accept the credentials; the text says what may be wrong with them."""


def _subkey_account(config: Mapping[str, Any], api_secret: str, account_address: str) -> "SubkeyAccount":
    """The SDK's account for a subkey; does no I/O, but may import the SDK. For a thread."""
    from paradex_py.account.subkey_account import SubkeyAccount
    from paradex_py.api.models import SystemConfigSchema

    return SubkeyAccount(
        config=SystemConfigSchema().load(dict(config), unknown="exclude", partial=True),
        l2_private_key=api_secret,
        l2_address=account_address,
    )


def _order_signature(account: "SubkeyAccount", request: Mapping[str, Any]) -> str:
    """The SDK's signature of an order request. For a thread."""
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
    return account.sign_order(order)


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
    """

    def __init__(
        self,
        api_secret: str,
        account_address: str,
        domain: str = CONSTANTS.DEFAULT_DOMAIN,
        order_class: str = CONSTANTS.ORDER_CLASS_PRO,
        time: Callable[[], float] | None = None,
        resynchronize: Callable[[], Awaitable[None]] | None = None,
    ):
        self._api_secret = utils.normalized_api_secret(api_secret) if api_secret else ""
        self._account_address = utils.normalized_account_address(account_address) if account_address else ""
        self._domain = domain
        self._order_class = order_class
        self._time = time or web_utils.local_time
        self._resynchronize = resynchronize
        self._api_factory: WebAssistantsFactory | None = None
        # One thread: signatures come back in the order in which they were asked for.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="paradex-signer")
        self._account: SubkeyAccount | None = None
        self._account_lock = asyncio.Lock()
        self.token_generation = 0  # grows with each new token
        self._token: str | None = None
        self._renew_at = 0.0
        self._expires_at = 0.0
        self._renewal: asyncio.Task[str] | None = None
        self._failures = 0
        self._last_error: Exception | None = None
        self._retry_at = 0.0

    def __repr__(self) -> str:
        return f"{type(self).__name__}(domain={self._domain!r}, order_class={self._order_class!r})"

    @property
    def has_credentials(self) -> bool:
        return bool(self._api_secret and self._account_address)

    @property
    def is_read_only(self) -> bool:
        """Whether there is a token instead of a key: it opens the account for reading, and nothing can be signed."""
        return utils.is_token(self._api_secret)

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
            if now < self._retry_at and self._last_error is not None:
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
        if generation == self.token_generation:
            self._token = None

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
            # Kept for those who ask during the pause, so that a failing exchange is not hammered.
            pause = min(CONSTANTS.TOKEN_RETRY_MAXIMUM, CONSTANTS.TOKEN_RETRY_INITIAL * 2**self._failures)
            self._retry_at = self._time() + pause * random.uniform(0.75, 1.25)
            self._failures += 1
            self._last_error = error
            raise
        now = self._time()
        lifetime = expires_at - (issued_at or now)
        self._renew_at = expires_at - lifetime * (1 - CONSTANTS.TOKEN_RENEWAL_SHARE)
        self._expires_at = expires_at
        self._token = token
        self.token_generation += 1
        self._failures, self._last_error, self._retry_at = 0, None, 0.0
        return token

    async def _request_token(self) -> str:
        """`POST /auth/{subkey}`: a new JWT."""
        account = await self._ready_account()
        timestamp = int(self._time())
        expiration = timestamp + CONSTANTS.SIGNATURE_LIFETIME
        headers = {
            "PARADEX-STARKNET-ACCOUNT": self._account_address,
            "PARADEX-STARKNET-SIGNATURE": await self._run(account.auth_signature, timestamp, expiration),
            "PARADEX-TIMESTAMP": str(timestamp),
            "PARADEX-SIGNATURE-EXPIRATION": str(expiration),
        }
        retail = self._order_class == CONSTANTS.ORDER_CLASS_RETAIL
        try:
            answer = await web_utils.api_request(
                self._factory(),
                CONSTANTS.AUTH_PATH.format(public_key=hex(account.l2_public_key)),
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
                    f"environment than {self._domain}."
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
        """
        account = await self._ready_account()
        return await self._run(_order_signature, account, request)

    async def prepare(self) -> None:
        """Loads the SDK and the chain's id, so that the first order does not have to wait for them."""
        await self._ready_account()

    async def _ready_account(self) -> "SubkeyAccount":
        if self._account is None:
            async with self._account_lock:
                if self._account is None:
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
                        self._account = await self._run(
                            _subkey_account, config, self._api_secret, self._account_address
                        )
                    except ValueError:
                        raise ParadexAuthenticationError(
                            f"The SDK cannot sign for the chain {config.get('starknet_chain_id')!r} of {self._domain}: "
                            "update paradex-py."
                        ) from None
        return self._account

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
