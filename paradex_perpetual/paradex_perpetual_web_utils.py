"""How the exchange is reached: addresses, requests, JSON-RPC sessions, and what binary frames say."""

import asyncio
import contextlib
import heapq
import itertools
import json
import math
import os
import random
import re
import socket
import struct
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple, Protocol, cast
from urllib.parse import quote

import aiohttp
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_utils as utils,
)
from hummingbot.connector.time_synchronizer import TimeSynchronizer
from hummingbot.connector.utils import TimeSynchronizerRESTPreProcessor
from hummingbot.core.api_throttler.async_request_context_base import AsyncRequestContextBase
from hummingbot.core.api_throttler.async_throttler_base import AsyncThrottlerBase
from hummingbot.core.api_throttler.data_types import RateLimit
from hummingbot.core.data_type.order_book_row import OrderBookRow
from hummingbot.core.web_assistant.auth import AuthBase
from hummingbot.core.web_assistant.connections.data_types import RESTMethod, WSJSONRequest
from hummingbot.core.web_assistant.web_assistants_factory import WebAssistantsFactory
from hummingbot.core.web_assistant.ws_assistant import WSAssistant

# === Addresses ===


def public_rest_url(path_url: str, domain: str = CONSTANTS.DEFAULT_DOMAIN) -> str:
    """:return: the whole address of a REST path"""
    return _base_url(CONSTANTS.REST_URLS, domain) + path_url


private_rest_url = public_rest_url


def wss_url(domain: str = CONSTANTS.DEFAULT_DOMAIN, schema_version: int = CONSTANTS.SBE_SCHEMA_VERSIONS[0]) -> str:
    """:return: the address of the socket, with the handshake for binary frames without which it is refused"""
    base = _base_url(CONSTANTS.WS_URLS, domain).replace("http", "ws", 1)
    return f"{base}?sbeSchemaId={CONSTANTS.SBE_SCHEMA_ID}&sbeSchemaVersion={schema_version}"


def _base_url(urls: Mapping[str, str], domain: str) -> str:
    if domain not in urls:
        raise ValueError(f"{domain} is no domain of this connector: choose one of {', '.join(urls)}")
    moved = os.environ.get(CONSTANTS.SANDBOX_URL_VARIABLE) if domain == CONSTANTS.SANDBOX_DOMAIN else None
    if not moved:
        return urls[domain]
    if not moved.startswith(("http://", "https://")):
        raise ValueError(f"{CONSTANTS.SANDBOX_URL_VARIABLE} should be like http://127.0.0.1:8790/v1, not {moved!r}")
    moved = moved.rstrip("/")
    return moved if moved.endswith("/v1") else f"{moved}/v1"


# === Assistants ===


def build_api_factory(
    throttler: AsyncThrottlerBase | None = None,
    time_synchronizer: TimeSynchronizer | None = None,
    domain: str = CONSTANTS.DEFAULT_DOMAIN,
    time_provider: Callable[[], Awaitable[float]] | None = None,
    auth: AuthBase | None = None,
) -> WebAssistantsFactory:
    """The factory of the connector's assistants; none of its requests leaves before the server's time is known."""
    throttler = throttler or create_throttler()
    time_synchronizer = time_synchronizer or ParadexTimeSynchronizer()
    time_provider = time_provider or (lambda: get_current_server_time(throttler=throttler, domain=domain))
    factory = WebAssistantsFactory(
        throttler=throttler,
        auth=auth,
        rest_pre_processors=[
            TimeSynchronizerRESTPreProcessor(synchronizer=time_synchronizer, time_provider=time_provider)
        ],
    )
    if auth is not None and hasattr(auth, "use"):
        auth.use(factory)
    return factory


def build_api_factory_without_time_synchronizer_pre_processor(throttler: AsyncThrottlerBase) -> WebAssistantsFactory:
    return WebAssistantsFactory(throttler=throttler)


def create_throttler(
    order_class: str = CONSTANTS.ORDER_CLASS_PRO, limits_share_percentage: Decimal | None = None
) -> "TokenBucketThrottler":
    return TokenBucketThrottler(
        CONSTANTS.RATE_LIMITS_BY_ORDER_CLASS[order_class],
        limits_share_percentage=limits_share_percentage,
        urgent=CONSTANTS.URGENT_LIMITS,
    )


async def get_current_server_time(
    throttler: AsyncThrottlerBase | None = None, domain: str = CONSTANTS.DEFAULT_DOMAIN
) -> float:
    """:return: the exchange's time in milliseconds since the epoch (`GET /system/time`)"""
    factory = build_api_factory_without_time_synchronizer_pre_processor(throttler or create_throttler())
    answer = await api_request(factory, CONSTANTS.SYSTEM_TIME_PATH, domain=domain, timeout=CONSTANTS.TIME_TIMEOUT)
    return float(answer["server_time"])  # sent as text


def local_time() -> float:
    return time.time()


class ParadexTimeSynchronizer(TimeSynchronizer):
    """As the base class, but for three things.

    That one works out its medians and means anew, 0.1 ms, each time that it is asked the time. It mixes what it
    measured before and after a clock was set, or this machine has slept, into a time that is neither. And while the
    exchange does not tell the time, it lets each request wait for a question of its own, one after the other.
    """

    def __init__(self) -> None:
        super().__init__()
        self._offset_ms: float | None = None
        self._ask_again_at = -math.inf
        self._say = Sparingly(self.logger().warning)

    @property
    def time_offset_ms(self) -> float:
        if self._offset_ms is None:
            if not self._time_offset_ms:
                return float(super().time_offset_ms)
            self._offset_ms = float(super().time_offset_ms)
        return self._offset_ms

    async def update_server_time_if_not_initialized(self, time_provider: Any) -> None:
        async with self._lock:
            if self._time_offset_ms or time.monotonic() < self._ask_again_at:
                time_provider.close()
                return
            await self.update_server_time_offset_with_time_provider(time_provider)
            if not self._time_offset_ms:  # the local clock has to do for a while
                self._ask_again_at = time.monotonic() + CONSTANTS.TIME_RETRY

    def add_time_offset_ms_sample(self, offset: float) -> None:
        # A measurement is wrong by half of the time that it took, at most.
        if self._time_offset_ms and abs(offset - self.time_offset_ms) > CONSTANTS.TIME_TIMEOUT * 1e3:
            self._time_offset_ms.clear()
        super().add_time_offset_ms_sample(offset)
        self._offset_ms = None

    def clear_time_offset_ms_samples(self) -> None:
        super().clear_time_offset_ms_samples()
        self._offset_ms = None

    async def update_server_time_offset_with_time_provider(self, time_provider: Awaitable[float]) -> None:
        """Takes a sample of the exchange's time, in ms; the base class logs a traceback each time that it cannot.

        The request that wanted the time goes on without it, and says itself what is wrong.
        """
        before_ms = self._current_seconds_counter() * 1e3
        try:
            server_time_ms = await time_provider
        except (LookupError, TypeError, ValueError, ParadexError) as error:
            self._say(f"The time of Paradex is not known, this machine's is used: {error}")
            return
        after_ms = self._current_seconds_counter() * 1e3
        self.add_time_offset_ms_sample(server_time_ms - (before_ms + after_ms) / 2)


# === The rate limiter ===


class _Bucket:
    """One limit as the exchange keeps it: what was used of it flows back evenly, at `limit` in `interval` seconds."""

    __slots__ = ("_updated_at", "_used", "interval", "limit", "limit_id", "rate", "stated_limit")

    def __init__(self, limit_id: str, limit: float, interval: float, stated_limit: float):
        self.limit_id, self.interval = limit_id, interval
        self.stated_limit = stated_limit  # the exchange's, of which `limit` is our share
        self._used, self._updated_at = 0.0, 0.0
        self.resize(limit)

    def resize(self, limit: float) -> None:
        self.limit, self.rate = limit, limit / self.interval

    def left(self, now: float) -> float:
        self._used = max(0.0, self._used - (now - self._updated_at) * self.rate)
        self._updated_at = now
        return self.limit - self._used

    def use(self, amount: float) -> None:
        """To be preceded by :meth:`left`, as all that follow. A negative amount is given back."""
        self._used += amount

    def at_most(self, left: float) -> None:
        self._used = max(self._used, self.limit - left)

    def keep_usage_of(self, other: "_Bucket") -> None:
        self._used, self._updated_at = other._used, other._updated_at


class _Waiter:
    __slots__ = ("admitted", "number", "since")

    def __init__(self, number: int, since: float, admitted: "asyncio.Future[None]"):
        self.number, self.since, self.admitted = number, since, admitted


class _Admission(AsyncRequestContextBase):
    """What `execute_task` gives: `async with` it, or :meth:`acquire`."""

    def __init__(self, throttler: "TokenBucketThrottler", limit_id: str):
        self._throttler, self._limit_id = throttler, limit_id

    def within_capacity(self) -> bool:
        return self._throttler.would_admit(self._limit_id)

    async def acquire(self) -> None:
        await self._throttler.acquire(self._limit_id)


class TokenBucketThrottler(AsyncThrottlerBase):
    """The exchange's own algorithm behind Hummingbot's interface: token buckets that refill continuously.

    A request takes its weight from its own limit and from all that are linked to it, at once or not at all. Whoever
    has to wait is woken at the moment when there is enough, first come, first served among those that want the same;
    an urgent request goes before the others and may use the margin that they leave. Each request costs the same,
    however many were sent or are waiting.

    :param rate_limits: as for Hummingbot's `AsyncThrottler`; a weight of 0 takes nothing
    :param retry_interval: not used; nothing is asked twice
    :param safety_margin_pct: the share (0 to 1) of each limit that requests leave, unless they are urgent
    :param limits_share_percentage: how much of each limit this bot may use, in per cent
    :param urgent: ids of limits whose requests go first
    """

    def __init__(
        self,
        rate_limits: list[RateLimit],
        retry_interval: float = 0.1,
        safety_margin_pct: float = CONSTANTS.LIMIT_MARGIN,
        limits_share_percentage: Decimal | None = None,
        urgent: Collection[str] = (),
    ):
        self._urgent = urgent
        self._buckets: dict[str, _Bucket] = {}
        self._needs: dict[str, list[tuple[_Bucket, int, float]]] = {}
        self._queues: dict[str, deque[_Waiter]] = {}  # by limit id: those in one want just the same
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._noticed: dict[str, float] = {}
        self._margin = safety_margin_pct
        super().__init__(rate_limits, retry_interval, safety_margin_pct, limits_share_percentage)

    # === Hummingbot's interface ===

    def set_rate_limits(self, rate_limits: list[RateLimit]) -> None:
        """Replaces all limits; what has been used of those that stay counts."""
        super().set_rate_limits(rate_limits)
        before, self._buckets = self._buckets, {}
        self._make_buckets(rate_limits, before)
        for limit_id in [limit_id for limit_id in self._queues if limit_id not in self._buckets]:
            for waiter in self._queues.pop(limit_id):
                if not waiter.admitted.done():
                    waiter.admitted.set_exception(ValueError(f"there is no rate limit {limit_id!r} any more"))
        if self._queues:
            self._admit()

    def add_rate_limits(self, rate_limits: list[RateLimit]) -> None:
        super().add_rate_limits(rate_limits)
        self._make_buckets([limit for limit in rate_limits if limit.limit_id not in self._buckets], {})

    def execute_task(self, limit_id: str) -> _Admission:
        """An asynchronous context that is entered when the limits allow it; or `acquire` it.

        :raises ValueError: on entering, if there is no such limit
        """
        return _Admission(self, limit_id)

    # === What goes on ===

    def would_admit(self, limit_id: str) -> bool:
        """Whether a request of this kind would not have to wait now."""
        needs = self._needs_of(limit_id)
        return not needs or (not self._queues and self._shortage(needs, _loop_time(), {}) is None)

    async def acquire(self, limit_id: str) -> None:
        """Waits until a request of this kind may leave, and counts it."""
        needs = self._needs_of(limit_id)
        if not needs:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        if not self._queues and self._shortage(needs, now, {}) is None:
            self._use(needs)
            return
        waiter = _Waiter(next(self._numbers), now, loop.create_future())
        self._queues.setdefault(limit_id, deque()).append(waiter)
        self._admit()
        try:
            await waiter.admitted
        except asyncio.CancelledError:
            if not waiter.admitted.cancelled():  # admitted, and given up before it could leave
                for bucket, weight, _ in needs:
                    bucket.left(loop.time())
                    bucket.use(-weight)
            self._admit()
            raise

    def observe(self, limit_id: str, status: int, headers: Mapping[str, str]) -> None:
        """Takes what the exchange says of its own count, which other bots and clients of the account are in, too.

        It is only ever believed downwards: in what it says, requests that are still on their way are missing.

        :param limit_id: what the request counted as
        :param headers: of the response: `X-RateLimit-Limit`, `-Remaining`, `-Window` in seconds, `Retry-After`
        """
        limit, remaining, window = (_whole(headers.get(f"X-RateLimit-{name}")) for name in _LIMIT_HEADERS)
        pool = self._pool_of(limit_id, limit, window)
        if pool is not None:
            pool.left(_loop_time())
            if limit and limit <= pool.stated_limit:
                self._resize(pool, limit)
            if remaining is not None:
                pool.at_most(remaining)
        if status == 429:
            self.refused(limit_id, _whole(headers.get("Retry-After")), pool)

    def refused(self, limit_id: str, retry_after: float | None = None, pool: _Bucket | None = None) -> None:
        """Takes a refusal for the rate limits (HTTP 429, or 42901 over a socket): nothing more leaves for a while.

        :param retry_after: seconds, if the exchange has said
        :param pool: the limit that was hit, if it has said; else it may have been any of the request's
        """
        pause = CONSTANTS.REFUSAL_PAUSE if retry_after is None else retry_after
        for bucket in [pool] if pool is not None else self._pools_of(limit_id):
            bucket.left(_loop_time())
            bucket.at_most(1 - pause * bucket.rate)

    def _make_buckets(self, rate_limits: list[RateLimit], before: Mapping[str, _Bucket]) -> None:
        self._needs.clear()
        for stated in rate_limits:
            limit_id = stated.limit_id
            share = float(self._id_to_limit_map[limit_id].limit)
            bucket = self._buckets[limit_id] = _Bucket(limit_id, share, stated.time_interval, stated.limit)
            if limit_id in before:
                bucket.keep_usage_of(before[limit_id])

    def _pools_of(self, limit_id: str) -> list[_Bucket]:
        """The limits that a request counts for: those of the exchange, which are linked, and then its own."""
        limit, linked = self.get_related_limits(limit_id)
        if limit is None:
            raise ValueError(f"there is no rate limit {limit_id!r}")
        return [self._buckets[pool.limit_id] for pool in (*(pool for pool, _ in linked), limit)]

    def _pool_of(self, limit_id: str, limit: float | None, window: float | None) -> _Bucket | None:
        """The limit that the exchange speaks of; if none is like it, one of the same time."""
        pools = [pool for pool in self._pools_of(limit_id) if window in (None, pool.interval)]
        like_it = next((pool for pool in pools if pool.stated_limit == limit), None)
        return like_it or (pools[0] if pools and window is not None else None)

    def _resize(self, pool: _Bucket, stated_limit: int) -> None:
        limit = max(1, math.floor(stated_limit * self.limits_pct))
        if limit != pool.limit:
            self.logger().info(f"Paradex allows {stated_limit} requests in {pool.interval:g} s ({pool.limit_id}).")
            pool.resize(limit)
            self._needs.clear()  # the margins are shares of the limits

    def _needs_of(self, limit_id: str) -> list[tuple[_Bucket, int, float]]:
        """What a request of this kind takes, and how much has to be there for that."""
        needs = self._needs.get(limit_id)
        if needs is None:
            limit, linked = self.get_related_limits(limit_id)
            weights = [*(weight for _, weight in linked), 0 if limit is None else limit.weight]
            margin = 0.0 if limit_id in self._urgent else self._margin
            needs = self._needs[limit_id] = [
                (bucket, weight, weight + margin * bucket.limit)
                for bucket, weight in zip(self._pools_of(limit_id), weights, strict=True)
                if weight > 0
            ]
        return needs

    def _shortage(
        self, needs: list[tuple[_Bucket, int, float]], now: float, set_aside: Mapping[_Bucket, float]
    ) -> tuple[float, _Bucket] | None:
        """How many seconds it takes until there is enough of all, and of which it takes so long; None if there is."""
        shortage = None
        for bucket, _, wanted in needs:
            missing = min(wanted, bucket.limit) + set_aside.get(bucket, 0) - bucket.left(now)
            if missing > _TOLERANCE and (shortage is None or missing / bucket.rate > shortage[0]):
                shortage = missing / bucket.rate, bucket
        return shortage

    def _use(self, needs: list[tuple[_Bucket, int, float]]) -> None:
        for bucket, weight, _ in needs:
            bucket.use(weight)

    def _admit(self) -> None:
        """Lets go whoever may, and comes back when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now, first = _loop_time(), math.inf
        # The first of each queue that has to wait keeps what it wants for itself: none that came later can starve it.
        set_aside: dict[_Bucket, float] = {}
        heads: list[tuple[bool, int, str]] = []
        for limit_id in list(self._queues):
            self._push_head(heads, limit_id)
        while heads:
            _, _, limit_id = heapq.heappop(heads)
            needs = self._needs_of(limit_id)
            shortage = self._shortage(needs, now, set_aside)
            if shortage is None:
                self._use(needs)
                self._queues[limit_id].popleft().admitted.set_result(None)
                self._push_head(heads, limit_id)
                continue
            first = min(first, shortage[0])
            self._notice(now - self._queues[limit_id][0].since, *shortage)
            for bucket, weight, _ in needs:
                set_aside[bucket] = set_aside.get(bucket, 0) + weight
        if self._queues:
            self._timer = asyncio.get_running_loop().call_later(first, self._admit)

    def _push_head(self, heads: list[tuple[bool, int, str]], limit_id: str) -> None:
        queue = self._queues[limit_id]
        while queue and queue[0].admitted.done():  # it has given up
            queue.popleft()
        if queue:
            heapq.heappush(heads, (limit_id not in self._urgent, queue[0].number, limit_id))
        else:
            del self._queues[limit_id]

    def _notice(self, waited: float, seconds: float, bucket: _Bucket) -> None:
        now = _loop_time()
        if (
            waited + seconds > CONSTANTS.LIMIT_NOTICE_AFTER
            and now > self._noticed.get(bucket.limit_id, -math.inf) + CONSTANTS.LIMIT_NOTICE_PAUSE
        ):
            self._noticed[bucket.limit_id] = now
            self.logger().warning(
                f"The limit of {bucket.limit:g} requests in {bucket.interval:g} s ({bucket.limit_id}) is used up: "
                f"{sum(map(len, self._queues.values()))} wait, the next for {waited + seconds:.1f} s."
            )


_LIMIT_HEADERS = ("Limit", "Remaining", "Window")
_TOLERANCE = 1e-6  # of a request: what floating point may miss of a whole one


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


def _whole(text: str | None) -> int | None:
    """The number in a header; None if there is none that makes sense."""
    return int(text) if text is not None and text.isdecimal() else None


# === Requests ===


class TokenHolder(Protocol):
    """An authenticator that can be told that the exchange refuses its token."""

    token_generation: int

    async def token_to_send(self) -> str: ...

    def token_refused(self, generation: int) -> None: ...


def _token_holder(api_factory: WebAssistantsFactory) -> TokenHolder | None:
    return cast("TokenHolder", api_factory.auth) if hasattr(api_factory.auth, "token_refused") else None


# What aiohttp sends once more, over a new connection, when one that it has kept is dropped: that there is no new one
# does not say that it had not arrived before.
_SENT_TWICE = frozenset({RESTMethod.PUT, RESTMethod.DELETE})


class ParadexError(IOError):
    """A request without the answer that was wanted."""


class ApiError(ParadexError):
    """The exchange refused the request: what was asked for has not happened."""

    def __init__(self, status: int, code: str, message: str, request: str):
        self.status = status
        self.code = code
        self.message = message
        super().__init__(f"Paradex refused {request}: {code}{f', {message}' if message else ''} (HTTP {status})")


class RateLimitedError(ApiError):
    """A rate limit refused the request: "further requests are blocked", as Paradex's page says, so it was not done.

    :ivar retry_after: seconds after which it may be tried again
    """

    def __init__(self, code: str, message: str, request: str, retry_after: float):
        self.retry_after = retry_after
        super().__init__(429, code, message, request)


class NotSentError(ParadexError):
    """The request could not be made: nothing has happened."""


class NoAnswerError(ParadexError):
    """No answer came that says what became of the request: it may have been carried out."""


class UnreadableAnswerError(NoAnswerError):
    """An answer came in a form that Paradex does not document: trying again will hardly help."""


class ListTooLongError(NoAnswerError):
    """A list has more pages than its reader has patience for."""


async def api_request(
    api_factory: WebAssistantsFactory,
    path: str,
    *,
    domain: str,
    method: RESTMethod = RESTMethod.GET,
    params: Mapping[str, Any] | None = None,
    data: Any = None,
    headers: Mapping[str, str] | None = None,
    is_auth_required: bool = False,
    limit_id: str | None = None,
    timeout: float = CONSTANTS.REQUEST_TIMEOUT,
) -> Any:
    """One request to the REST API; with a fresh token, once more if the exchange refuses the old one.

    :param path: below the domain's base address, e.g. `/orders`
    :param limit_id: what it counts as for the rate limiter, the path by default
    :param timeout: seconds, without the time in which the rate limiter holds the request back
    :return: the JSON answer; None where there is no body, as after a cancel
    :raises ApiError: if the exchange refused it
    :raises NotSentError: if it did not leave
    :raises NoAnswerError: if it is not known what became of it
    """
    assistant = await api_factory.get_rest_assistant()
    request = f"{method.value} {path}"
    tokens = _token_holder(api_factory) if is_auth_required else None
    while True:
        generation = 0
        if tokens is not None:
            await tokens.token_to_send()  # before the generation is read: it is to be that of the token that is sent
            generation = tokens.token_generation
        try:
            response = await assistant.execute_request_and_get_response(
                url=public_rest_url(path, domain),
                throttler_limit_id=limit_id or path,
                method=method,
                params=dict(params) if params else None,
                data=data,
                headers=dict(headers) if headers else None,
                is_auth_required=is_auth_required,
                return_err=True,
                timeout=timeout,
            )
            async with asyncio.timeout(timeout):
                text = await response.text()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:  # there was no connection
            why = _why_unreachable(error)
            if method in _SENT_TWICE:
                raise NoAnswerError(f"{request} was perhaps not sent: {why}") from None
            raise NotSentError(f"{request} was not sent: {why}") from None
        except (TimeoutError, aiohttp.ClientError, UnicodeDecodeError) as error:
            raise NoAnswerError(f"{request} was not answered: {type(error).__name__} {error}".rstrip()) from None
        if isinstance(api_factory.throttler, TokenBucketThrottler):
            api_factory.throttler.observe(limit_id or path, response.status, response.headers or {})
        if response.status == 401 and tokens is not None:
            tokens.token_refused(generation)
            tokens = None
            continue
        answer = _answer(response.status, text, request, (response.headers or {}).get("Retry-After"))
        if method is RESTMethod.GET and not isinstance(answer, dict):
            raise UnreadableAnswerError(f"{request} was answered with {utils.shown(answer)}, which is no object")
        return answer


def _why_unreachable(error: aiohttp.ClientError) -> str:
    """In words: aiohttp's own name the arguments of a system call instead of the reason."""
    # A certificate that is not accepted has no error of the system, and neither has a time-out.
    if not isinstance(error, aiohttp.ClientConnectorError) or not isinstance(
        getattr(error, "_os_error", None), OSError
    ):
        return str(error)
    cause = error.os_error
    # Of a name that is not known the number is no errno.
    code = None if isinstance(cause, socket.gaierror) else cause.errno
    reason = os.strerror(code) if code else cause.strerror or str(cause)
    return f"{error.host} port {error.port} cannot be reached ({reason})"


def _answer(status: int, text: str, request: str, retry_after: str | None = None) -> Any:
    try:
        body = json.loads(text) if text.strip() else None
    except ValueError:
        if status == 429:
            raise RateLimitedError("HTTP_429", "", request, _seconds_to_wait(retry_after)) from None
        # A page of a proxy, or JSON cut off: nobody knows whether the exchange got the request.
        raise NoAnswerError(f"{request} was answered unreadably (HTTP {status})") from None
    if status < 400:
        return body
    error = body if isinstance(body, dict) else {}
    code, message = str(error.get("error") or f"HTTP_{status}"), str(error.get("message") or "")
    if status == 429:
        raise RateLimitedError(code, message, request, _seconds_to_wait(retry_after))
    if status >= 500 or status == 408:
        raise NoAnswerError(f"{request} was answered with HTTP {status} {code}")
    raise error_of(code, message, request, status)


def error_of(code: str, message: str, request: str, status: int = 400) -> ParadexError:
    """What the exchange's error code means: a refusal, unless it says that the exchange itself failed, for then it may
    have done what it was asked for."""
    if code in CONSTANTS.EXCHANGE_FAILURE_ERRORS:
        return NoAnswerError(f"{request} was answered with {code}, {message}".removesuffix(", "))
    return ApiError(status, code, message, request)


def _seconds_to_wait(retry_after: Any) -> float:
    """What an answer says about when to try again; a second where it says nothing that can be understood."""
    try:
        seconds = float(retry_after)
    except (TypeError, ValueError):
        return CONSTANTS.DEFAULT_RETRY_AFTER
    return seconds if 0 <= seconds < float("inf") else CONSTANTS.DEFAULT_RETRY_AFTER


async def all_pages(
    fetch: Callable[[dict[str, Any]], Awaitable[Any]], params: Mapping[str, Any], max_pages: int = 100
) -> list[dict[str, Any]]:
    """Every result of a paginated list, page by page.

    :param fetch: asks for one page with the given query
    :raises ListTooLongError: if there are more than `max_pages`: an incomplete list must not pass for a complete one
    """
    query: dict[str, Any] = {"page_size": CONSTANTS.PAGE_SIZE, **params}
    results: list[dict[str, Any]] = []
    for _ in range(max_pages):
        page = await fetch(query)
        entries = results_of(page, "a page")
        results.extend(entries)
        cursor = page.get("next")
        if not cursor or not entries:
            return results
        query = {**query, "cursor": cursor}
    raise ListTooLongError(f"the list has more than {max_pages} pages")


def results_of(answer: Mapping[str, Any], what: str) -> list[Any]:
    """The entries of a list of the REST API.

    :raises UnreadableAnswerError: if there is none: what is missing in a list that is none is no proof of anything
    """
    results = answer.get("results")
    if not isinstance(results, list):
        raise UnreadableAnswerError(f"the list of {what} was answered with {utils.shown(results)} for results")
    return results


def quoted(part: str) -> str:
    """A part of a path, such as a client id, so that it stays one part."""
    return quote(part, safe="")


# === What was ===


class History:
    """The account's and the markets' past; `connector.history` of a connector.

    Lists are complete, page by page, the oldest entry first. Times are in seconds since the epoch, by the exchange's
    clock; None leaves an end open. All raise ValueError if there is no such trading pair, and ParadexError if the
    exchange refuses or does not answer, or if a list is too long to be told (then ask for less time).

    :param market_of: the exchange's name of a trading pair
    :param pairs: trading pairs by the exchange's names; entries of other markets are left out
    """

    def __init__(
        self,
        api_factory: WebAssistantsFactory,
        domain: str,
        market_of: Callable[[str], Awaitable[str]],
        pairs: Callable[[], Awaitable[Mapping[str, str]]],
    ):
        self._api_factory = api_factory
        self._domain = domain
        self._market_of = market_of
        self._pairs = pairs

    async def account(
        self, kind: str = "value", start: float | None = None, end: float | None = None
    ) -> list[utils.HistoryPoint]:
        """The account's equity and other numbers over time (`GET /account/history`); the exchange decides since when.

        :param kind: `value` (equity), `pnl`, `volume` or `fee_savings`, in USDC
        :raises ValueError: if there is no such kind
        """
        if kind not in CONSTANTS.ACCOUNT_HISTORY_KINDS:
            raise ValueError(f"The history is one of {', '.join(CONSTANTS.ACCOUNT_HISTORY_KINDS)}, not {kind!r}.")
        answer = await self._get(CONSTANTS.ACCOUNT_HISTORY_PATH, {"type": kind}, private=True)
        return utils.history_points(answer, start, end)

    async def fills(
        self, trading_pair: str | None = None, start: float | None = None, end: float | None = None
    ) -> list[utils.FillRecord]:
        """The account's fills, of one pair or of all (`GET /fills`)."""
        return await self._records(CONSTANTS.FILLS_PATH, utils.fill_record, trading_pair, start, end)

    async def orders(
        self, trading_pair: str | None = None, start: float | None = None, end: float | None = None
    ) -> list[utils.OrderRecord]:
        """The account's orders, open and closed, of one pair or of all (`GET /orders-history`)."""
        return await self._records(CONSTANTS.ORDERS_HISTORY_PATH, utils.order_record, trading_pair, start, end)

    async def funding_payments(
        self, trading_pair: str, start: float | None = None, end: float | None = None
    ) -> list[utils.FundingPaymentRecord]:
        """The funding that the account received and paid in a pair (`GET /funding/payments`)."""
        path = CONSTANTS.FUNDING_PAYMENTS_PATH
        return await self._records(path, utils.funding_payment_record, trading_pair, start, end)

    async def funding_rates(
        self, trading_pair: str, start: float | None = None, end: float | None = None
    ) -> list[utils.FundingRateRecord]:
        """A pair's funding rates (`GET /funding/data`, public)."""
        path = CONSTANTS.FUNDING_DATA_PATH
        return await self._records(path, utils.funding_rate_record, trading_pair, start, end, private=False)

    async def trades(
        self, trading_pair: str, start: float | None = None, end: float | None = None
    ) -> list[utils.TradeRecord]:
        """A pair's trades of everybody (`GET /trades`, public)."""
        return await self._records(CONSTANTS.TRADES_PATH, utils.trade_record, trading_pair, start, end, private=False)

    async def _records[T](
        self,
        path: str,
        record: Callable[[Mapping[str, Any], str], T],
        trading_pair: str | None,
        start: float | None,
        end: float | None,
        private: bool = True,
    ) -> list[T]:
        query: dict[str, Any] = {}
        if trading_pair is not None:
            query["market"] = await self._market_of(trading_pair)
        if start is not None:
            query["start_at"] = max(1, int(start * 1e3))
        if end is not None:
            query["end_at"] = max(1, int(end * 1e3))
        payloads = await all_pages(lambda page: self._get(path, page, private), query)
        pairs = await self._pairs()
        payloads = sorted((p for p in payloads if p["market"] in pairs), key=lambda p: int(p["created_at"]))
        return [record(payload, pairs[payload["market"]]) for payload in payloads]

    async def _get(self, path: str, query: Mapping[str, Any], private: bool) -> Any:
        return await api_request(self._api_factory, path, domain=self._domain, params=query, is_auth_required=private)


# === JSON-RPC sessions ===


_ERROR_CODE = re.compile(r"\b[A-Z]{2,}(?:_[A-Z]+)+\b")


class RpcError(ParadexError):
    """A call over the socket that the exchange answered with an error."""

    def __init__(self, method: str, error: Any):
        if not isinstance(error, dict):  # in a form of its own
            error = {"message": utils.shown(error)}
        self.code = error.get("code")
        self.message = str(error.get("message") or "")
        self.data = error.get("data")
        detail = f" ({self.data})" if self.data else ""
        super().__init__(f"Paradex refused {method}: {self.code} {self.message}{detail}")

    def as_request_error(self, method: str) -> ParadexError:
        """The error that REST would have been answered with, for a call that does what a request does.

        :return: an ApiError with the exchange's own code where the answer names one, a NoAnswerError if the exchange
            failed while it worked on the call or the code is none that is known, a NotSentError if it does not
            understand the call, so that REST takes over
        """
        details = self.data if isinstance(self.data, dict) else {}
        if self.code == CONSTANTS.RPC_RATE_LIMITED:
            return RateLimitedError("RPC_42901", self.message, method, _seconds_to_wait(details.get("retry_after")))
        if self.code not in CONSTANTS.RPC_REFUSALS:
            return NoAnswerError(f"{method} was answered with {self.code} {self.message}")
        text = str(details.get("error") or self.data or self.message)
        if self.code in CONSTANTS.RPC_NOT_UNDERSTOOD and not _ERROR_CODE.search(text):
            return NotSentError(f"{method} is not understood on this socket: {self.code} {self.message}")
        status = 401 if self.code in CONSTANTS.RPC_AUTHENTICATION_ERRORS else 400
        return error_from_text(text, self.message, method, status, default=f"RPC_{self.code}")


def error_from_text(text: str, message: str, request: str, status: int = 400, default: str = "REFUSED") -> ParadexError:
    """:func:`error_of` a code that stands somewhere in a text, as on the socket: `INVALID_ORDER_SIZE: too small`."""
    found = _ERROR_CODE.search(text)
    return error_of(found.group() if found else default, message, request, status)


class Backoff:
    """Pauses between attempts: exponential, with jitter, from the start again after a success."""

    def __init__(self, initial: float = CONSTANTS.WS_BACKOFF_INITIAL, maximum: float = CONSTANTS.WS_BACKOFF_MAXIMUM):
        self._initial, self._maximum, self._attempt = initial, maximum, 0

    def next(self) -> float:
        """:return: seconds to wait"""
        pause = min(self._maximum, self._initial * 2 ** min(self._attempt, 16))
        self._attempt += 1
        return pause * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        self._attempt = 0

    def stood(self, session: "RpcSession | None") -> None:
        """Notes that a connection has ended: it was a success if it has held for a while.

        :param session: None if it did not come about
        """
        if session is not None and session.age >= CONSTANTS.WS_HOLDS:
            self.reset()


class Sparingly:
    """Passes a text on if none was for a while; how many were held back meanwhile stands in the next one.

    :param say: e.g. a logger's method
    :param pause: seconds
    """

    def __init__(self, say: Callable[[str], None], pause: float = CONSTANTS.LOG_PAUSE):
        self._say, self._pause = say, pause
        self._said_at: float | None = None
        self._held_back = 0

    def __call__(self, text: str) -> None:
        now = time.monotonic()
        if self._said_at is not None and now - self._said_at < self._pause:
            self._held_back += 1
            return
        more = f" ({self._held_back} more like this in the last {now - (self._said_at or now):.0f} s)"
        self._say(text + more if self._held_back else text)
        self._said_at, self._held_back = now, 0


class _Call(WSJSONRequest):
    """A request that is made for one sending: the assistant copies each, so that processors may change it."""

    def __deepcopy__(self, _: Any) -> "_Call":
        return self


class RpcSession:
    """One connected socket: calls that are answered or time out, and data handed to `on_message` as it comes.

    Used as an asynchronous context manager.

    :param on_message: gets what is no answer to a call: binary frames as bytes, JSON as a dict, and as it is a text
        that is no JSON (it may have been an answer: that call times out). It must not raise
    :param authenticate: whether the socket is to be authenticated before anything else
    :raises ConnectionError: on entering, if the exchange cannot be reached
    """

    def __init__(
        self,
        api_factory: WebAssistantsFactory,
        domain: str,
        on_message: Callable[[Any], None],
        authenticate: bool = False,
    ):
        self._api_factory = api_factory
        self._domain = domain
        self._on_message = on_message
        self._authenticate = authenticate
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._ids = itertools.count(1)
        self._reader: asyncio.Task[None] | None = None
        self._watchdog: asyncio.Task[None] | None = None
        self._began_at: float | None = None  # by the event loop's clock, as the following
        self._heard_at = 0.0
        self._has_heartbeats = False
        self._unanswered = asyncio.Event()  # a call was not answered, and it is not known yet whether others are
        self._authenticating = asyncio.Lock()
        self._token_generation = 0  # of the token that the socket was authenticated with
        self.assistant: WSAssistant | None = None
        self.cancels_on_disconnect = False  # whether the exchange has acknowledged that it will
        self.channels: set[str] = set()  # subscribed to, as the exchange has acknowledged

    async def __aenter__(self) -> "RpcSession":
        self.assistant = await self._connected_assistant()
        self._began_at = self._heard_at = asyncio.get_running_loop().time()
        self._reader = asyncio.create_task(self._read(self.assistant))
        self._watchdog = asyncio.create_task(self._watch())
        try:
            if self._authenticate:
                await self._call_auth()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: Any) -> None:
        tasks = [task for task in (self._reader, self._watchdog) if task is not None]
        for task in tasks:
            task.cancel()
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:  # who cancels once more meanwhile, as a second `stop_network` does, leaves no socket open
            await self.disconnect()

    async def disconnect(self) -> None:
        """Closes the socket, whether or not the server takes note."""
        if self.assistant is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CONSTANTS.WS_CLOSE_TIMEOUT):
                    await self.assistant.disconnect()

    @property
    def is_open(self) -> bool:
        """Whether calls can be sent."""
        return self._reader is not None and not self._reader.done()

    @property
    def age(self) -> float:
        """Seconds since it was connected; 0 if it never was."""
        return 0.0 if self._began_at is None else asyncio.get_running_loop().time() - self._began_at

    async def closed(self) -> None:
        """Returns never; raises what ended the connection.

        :raises ConnectionError: when the socket is gone, or open but silent or deaf
        """
        assert self._reader is not None
        assert self._watchdog is not None
        ended, _ = await asyncio.wait((self._reader, self._watchdog), return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()

    async def _watch(self) -> None:
        """Ends the session when the server has been silent for longer than its heartbeats allow, or when it tells its
        news but answers no calls: orders would get lost there for as long as it stands."""
        loop = asyncio.get_running_loop()
        while True:
            silence = loop.time() - self._heard_at
            if self._unanswered.is_set():
                self._unanswered.clear()
                if not await self._answers():
                    raise ConnectionError("the socket is open, but calls are not answered any more")
            elif silence < CONSTANTS.WS_SILENCE:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(CONSTANTS.WS_SILENCE - silence):
                        await self._unanswered.wait()
            elif not await self._answers_though_silent():
                raise ConnectionError(f"the socket is open, but nothing has come for {CONSTANTS.WS_SILENCE:g} s")

    async def _answers_though_silent(self) -> bool:
        """Whether a silent socket is alive all the same.

        A private socket can have nothing to tell, and dropping it can cost the account its orders (cancel on
        disconnect): should the server send no heartbeats here, an answer to a call is enough, even a refusal.
        """
        return self._authenticate and not self._has_heartbeats and await self._answers()

    async def _answers(self) -> bool:
        """Whether a call that changes nothing is answered, be it with a refusal."""
        try:
            await self.call("unsubscribe", {"channel": "bbo.ALL"})  # never subscribed to on this socket
        except RpcError:
            pass
        except (ConnectionError, ParadexError):
            return False
        return True

    async def subscribe(self, channel: str) -> None:
        """Subscribes to a channel, unless that has been done: twice is an error at the exchange.

        :raises RpcError: if the exchange refuses, :raises NoAnswerError: if it does not acknowledge
        """
        if channel not in self.channels:
            await self.call("subscribe", {"channel": channel})
            self.channels.add(channel)

    async def unsubscribe(self, channel: str) -> None:
        """The opposite of :meth:`subscribe`."""
        if channel in self.channels:
            await self.call("unsubscribe", {"channel": channel})
            self.channels.discard(channel)

    async def call(self, method: str, params: Mapping[str, Any], is_auth_required: bool = False) -> Any:
        """One JSON-RPC call; many may wait for their answers at the same time.

        :return: the answer's `result`
        :raises RpcError: if the answer is an error
        :raises NotSentError: if the socket is gone already: the call has not left
        :raises NoAnswerError: if no answer comes in time
        :raises ConnectionError: if the socket closes first
        """
        assert self.assistant is not None
        if not self.is_open:
            raise NotSentError(f"{method} was not sent: the socket is closed")
        call_id = next(self._ids)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending[call_id] = answer
        payload = {"jsonrpc": "2.0", "method": method, "params": dict(params), "id": call_id}
        try:
            async with asyncio.timeout(CONSTANTS.WS_CALL_TIMEOUT):
                # A server that does not read lets the writing wait, too; what was written may still arrive.
                await self.assistant.send(_Call(payload=payload, is_auth_required=is_auth_required))
                message = await answer
        except TimeoutError:
            self._unanswered.set()
            raise NoAnswerError(f"{method} was not answered within {CONSTANTS.WS_CALL_TIMEOUT:g} s") from None
        except RuntimeError as error:  # the assistant's word for a socket that is gone, before it sends anything
            raise NotSentError(f"{method} was not sent: {error}") from None
        finally:
            self._pending.pop(call_id, None)
        if message.get("error"):
            raise RpcError(method, message["error"])
        return message.get("result")

    async def request(self, method: str, params: Mapping[str, Any]) -> Any:
        """:meth:`call` for what could as well be a request to the REST API: the errors are those of `api_request`.

        If the exchange refuses the session's token, it gets a new one and the call is made once more.
        """
        generation = self._token_generation
        try:
            try:
                return await self.call(method, params)
            except RpcError as error:
                if error.code not in CONSTANTS.RPC_AUTHENTICATION_ERRORS:
                    raise
                await self._authenticate_again(generation, method)
                return await self.call(method, params)
        except RpcError as error:
            raise error.as_request_error(method) from None
        except ConnectionError as error:
            raise NoAnswerError(f"{method} was not answered: {error}") from None

    async def _authenticate_again(self, generation: int, method: str) -> None:
        async with self._authenticating:
            tokens = _token_holder(self._api_factory)
            if tokens is None or self._token_generation != generation:
                return  # another call has done it
            tokens.token_refused(generation)
            try:
                await self._call_auth()
            except (ConnectionError, NoAnswerError) as error:
                raise NotSentError(f"{method} was not sent, for want of a token: {error}") from None

    async def _call_auth(self) -> None:
        tokens = _token_holder(self._api_factory)
        if tokens is not None:
            await tokens.token_to_send()  # before the generation is read: it is to be that of the token that is sent
            self._token_generation = tokens.token_generation
        try:
            await self.call("auth", {}, is_auth_required=True)
        except RpcError as error:
            if tokens is not None and error.code in CONSTANTS.RPC_AUTHENTICATION_ERRORS:
                tokens.token_refused(self._token_generation)
            raise

    async def _connected_assistant(self) -> WSAssistant:
        for version in CONSTANTS.SBE_SCHEMA_VERSIONS:
            assistant = await self._api_factory.get_ws_assistant()
            try:
                async with (
                    self._api_factory.throttler.execute_task(CONSTANTS.WS_CONNECT_LIMIT),
                    asyncio.timeout(CONSTANTS.WS_CALL_TIMEOUT),
                ):
                    await assistant.connect(ws_url=wss_url(self._domain, version))
                return assistant
            except aiohttp.WSServerHandshakeError as error:
                if error.status != 400 or version == CONSTANTS.SBE_SCHEMA_VERSIONS[-1]:
                    raise ConnectionError(f"the socket was refused with HTTP {error.status}") from None
            except (aiohttp.ClientError, TimeoutError) as error:
                raise ConnectionError(f"{type(error).__name__} {error}".rstrip()) from None
        raise AssertionError("unreachable: the last version returns or raises")

    async def _read(self, assistant: WSAssistant) -> None:
        loop = asyncio.get_running_loop()
        turn_began_at = loop.time()
        try:
            async for response in assistant.iter_messages():
                message = response.data if response is not None else None
                self._heard_at = now = loop.time()
                if isinstance(message, bytes):
                    if not self._has_heartbeats and message[2:4] == _HEARTBEAT:
                        self._has_heartbeats = True
                    self._on_message(message)
                elif isinstance(message, dict) and isinstance(message.get("id"), int) and "method" not in message:
                    answer = self._pending.get(message["id"])
                    if answer is not None and not answer.done():
                        answer.set_result(message)
                elif message is not None:
                    self._on_message(message)
                if now - turn_began_at >= CONSTANTS.WS_TURN:
                    # What is there already is read without a pause: after a stall of the loop, for too long.
                    await asyncio.sleep(0)
                    turn_began_at = loop.time()
            raise ConnectionError("the socket was closed")
        except aiohttp.WebSocketError as error:  # a message that is too big; other violations are ConnectionErrors
            raise ConnectionError(str(error)) from None
        finally:
            for answer in self._pending.values():
                if not answer.done():
                    answer.set_exception(ConnectionError("the socket closed before the answer"))


# === When the exchange fails ===


class CircuitBreaker:
    """Stops new orders when the exchange keeps failing, and lets them pass again when it answers.

    `closed` while all is well; `open` after `failures` failures within `window`: until probes succeed, nothing new is
    to be sent; then `half_open`: the next order that succeeds closes it, and a failure opens it again, for twice as
    long. It has no clock and no tasks of its own.

    :param failures: how many are too many; 0 for a breaker that never opens
    :param window: seconds within which they count together
    :param pause: seconds between two probes at first; failing ones double it, up to `BREAKER_MAXIMUM_PAUSE`
    :param time: the time in seconds
    :param on_change: told the new state, in a sentence
    """

    CLOSED, OPEN, HALF_OPEN = "closed", "open", "half_open"

    def __init__(
        self,
        failures: int,
        window: float,
        pause: float,
        time: Callable[[], float],
        on_change: Callable[[str], None] = lambda text: None,
    ):
        self._threshold, self._window, self._time, self._on_change = failures, window, time, on_change
        self._backoff = Backoff(pause, max(pause, CONSTANTS.BREAKER_MAXIMUM_PAUSE))
        self._failures: deque[float] = deque(maxlen=max(failures, 1))
        self._successful_probes = 0
        self._reason = ""
        self._probe_at = 0.0
        self.state = self.CLOSED

    @property
    def refusal(self) -> str | None:
        """Why new orders pause and until when, in a sentence; None if they do not."""
        if self.state != self.OPEN:
            return None
        return (
            f"new orders pause until Paradex answers again ({self._reason}); it is asked in {self.time_to_probe:.1f} s"
        )

    @property
    def time_to_probe(self) -> float:
        """Seconds until the next probe is due."""
        return max(0.0, self._probe_at - self._time())

    def record_failure(self, reason: str) -> None:
        """An error of the exchange, a timeout, a lost connection, or a rejection for which the exchange is to blame."""
        if not self._threshold or self.state == self.OPEN:
            return
        now = self._time()
        self._failures.append(now)
        if self.state == self.HALF_OPEN:
            self._open(f"it failed again: {reason}")
        elif len(self._failures) == self._threshold and now - self._failures[0] <= self._window:
            self._open(f"{self._threshold} failures within {self._window:g} s, the last: {reason}")

    def record_success(self) -> None:
        """An answer to an order request, be it a refusal for a reason of its own."""
        if self.state == self.HALF_OPEN:
            self.state = self.CLOSED
            self._backoff.reset()
            self._on_change("The circuit breaker is closed: Paradex answers orders again.")

    def probe_failed(self) -> None:
        """The exchange still does not answer, or is in maintenance."""
        self._successful_probes = 0
        self._probe_at = self._time() + self._backoff.next()

    def probe_succeeded(self) -> None:
        """The exchange has answered a question that changes nothing."""
        self._successful_probes += 1
        self._probe_at = self._time() + CONSTANTS.BREAKER_PROBE_INTERVAL
        if self.state == self.OPEN and self._successful_probes >= CONSTANTS.BREAKER_PROBES:
            self.state = self.HALF_OPEN
            self._on_change("The circuit breaker is half open: Paradex answers, new orders pass on probation.")

    def _open(self, reason: str) -> None:
        self.state, self._reason, self._successful_probes = self.OPEN, reason, 0
        self._failures.clear()
        self._probe_at = self._time() + self._backoff.next()
        self._on_change(f"The circuit breaker is open: {self.refusal}. Cancels go on.")


# === Binary frames (SBE schema 1) ===

NULL = -(2**63)
_SCALE = 1e8
_HEADER = struct.Struct("<HHHH")
_GROUP = struct.Struct("<HH")
_LEVEL = struct.Struct("<qq")
_TRADE = struct.Struct("<qqqBqqqB")
_BOOK = struct.Struct("<qqB")
_BBO = struct.Struct("<qqqqqq")
_BOOK_TOPS = struct.Struct("<qqBqqqqqqqqq")
_SUMMARY = struct.Struct("<qqqqqqqq")
_SUMMARY_PRECISE_RATE_OFFSET = 232

TRADE_TEMPLATE = 1
BBO_TEMPLATE = 2
BOOK_TEMPLATE = 3
SUMMARY_TEMPLATE = 4
ORDER_TEMPLATE = 20
POSITION_TEMPLATE = 22
PRIVATE_TEMPLATES = (20, 21, 22, 23)
HEARTBEAT_TEMPLATE = 40
_HEARTBEAT = struct.pack("<H", HEARTBEAT_TEMPLATE)  # in the header of a frame


_new_row = cast("Callable[[type[OrderBookRow], tuple[float, float, int]], OrderBookRow]", tuple.__new__)


class FrameError(ValueError):
    """A binary frame that does not hold what it says."""


class BookFrame(NamedTuple):
    """`order_book`: a whole book or changes to it (an amount of 0 removes the level), ready to apply."""

    market: str
    seq: int
    is_snapshot: bool
    bids: list[OrderBookRow]
    asks: list[OrderBookRow]
    timestamp: float  # seconds


_new_book = cast("Callable[[tuple[Any, ...]], BookFrame]", partial(tuple.__new__, BookFrame))


class TradeFrame(NamedTuple):
    """`trades`: one match; the side is the taker's."""

    market: str
    trade_id: str
    is_buy: bool
    price: float
    size: float
    timestamp: float  # seconds


class BboFrame(NamedTuple):
    """`bbo`: the best prices of a market."""

    market: str
    best: utils.BestBidAsk


class DisplayBookFrame(NamedTuple):
    """`order_book` with exact numbers and the best levels that it tells; slower than :class:`BookFrame`."""

    market: str
    seq: int
    is_snapshot: bool
    bids: list[utils.Level]
    asks: list[utils.Level]
    best: utils.BestSizes


class SummaryFrame(NamedTuple):
    """`markets_summary`; the rate is for the market's own funding period."""

    market: str
    mark_price: Decimal
    underlying_price: Decimal
    last_price: Decimal
    funding_rate: Decimal
    timestamp: float  # seconds


def decode_frame(frame: bytes) -> BookFrame | TradeFrame | BboFrame | SummaryFrame | dict[str, Any] | None:
    """What a binary frame says, by the block length that it states: appended fields are jumped over.

    :return: None for what nobody here needs, such as heartbeats; private payloads come in the form of their JSON,
        `{"channel": ..., "data": ...}`
    :raises FrameError: if it is cut off or of another schema
    """
    try:
        block_length, template, schema, version = _HEADER.unpack_from(frame)
        if schema != CONSTANTS.SBE_SCHEMA_ID:
            raise FrameError(f"a frame of schema {schema}")
        if template == BOOK_TEMPLATE:
            return _decode_book(frame, block_length)
        if template == TRADE_TEMPLATE:
            return _decode_trade(frame, block_length)
        if template == SUMMARY_TEMPLATE:
            return _decode_summary(frame, block_length)
        if template == BBO_TEMPLATE:
            return _decode_bbo(frame, block_length)
        if template in PRIVATE_TEMPLATES:
            return _decode_private(frame, template, block_length, version)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise FrameError(f"a frame of {len(frame)} bytes that cannot be read: {error}") from None
    return None


def _decode_book(frame: bytes, block_length: int) -> BookFrame:
    timestamp, seq, package = _block(_BOOK, frame, block_length)
    if package > 1:
        raise FrameError(f"a book of the unknown kind {package}")
    bids, position = _rows(frame, 8 + block_length, seq)
    asks, position = _rows(frame, position, seq)
    market, _ = _string(frame, position)
    return _new_book((market, seq, package == 0, bids, asks, timestamp * 1e-6))


def _rows(frame: bytes, position: int, seq: int) -> tuple[list[OrderBookRow], int]:
    length, count = _GROUP.unpack_from(frame, position)
    start, end = position + 4, position + 4 + length * count
    if end > len(frame) or (length < _LEVEL.size and count):
        raise FrameError(f"a group of {count} levels of {length} bytes does not fit into its frame")
    if length == _LEVEL.size or not count:
        levels = _LEVEL.iter_unpack(frame[start:end])
    else:
        levels = _spread_levels(frame, start, end, length)
    # Half of the time of a book is spent here: a row's own constructor would take twice as long to do the same.
    return [_new_row(OrderBookRow, (price / _SCALE, size / _SCALE, seq)) for price, size in levels], end


def decode_display_book(frame: bytes) -> DisplayBookFrame | None:
    """A book frame with exact numbers.

    :return: None if it is a frame of another kind
    :raises FrameError: if it is cut off
    """
    try:
        block_length, template, _, _ = _HEADER.unpack_from(frame)
        if template != BOOK_TEMPLATE:
            return None
        timestamp, seq, package, *tops = _block(_BOOK_TOPS, frame, block_length)
        interactive_bid, interactive_ask = _exact_level(*tops[0:2]), _exact_level(*tops[2:4])
        api_bid, api_ask = _exact_level(*tops[5:7]), _exact_level(*tops[7:9])  # the relative spread is before them
        bids, position = _exact_levels(frame, 8 + block_length)
        asks, position = _exact_levels(frame, position)
        market, _ = _string(frame, position)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise FrameError(f"a frame of {len(frame)} bytes that cannot be read: {error}") from None
    best = utils.BestSizes(api_bid, api_ask, interactive_bid, interactive_ask, timestamp * 1e-6)
    return DisplayBookFrame(market, seq, package == 0, bids, asks, best)


def _exact_levels(frame: bytes, position: int) -> tuple[list[utils.Level], int]:
    length, count = _GROUP.unpack_from(frame, position)
    start, end = position + 4, position + 4 + length * count
    if end > len(frame) or (length < _LEVEL.size and count):
        raise FrameError(f"a group of {count} levels of {length} bytes does not fit into its frame")
    return [(_exact(price), _exact(size)) for price, size in _spread_levels(frame, start, end, length)], end


def _spread_levels(frame: bytes, start: int, end: int, length: int) -> Iterator[tuple[int, int]]:
    return (_LEVEL.unpack_from(frame, offset) for offset in range(start, end, length or 1))


def _exact(number: int) -> Decimal:
    return Decimal(number).scaleb(-8)


def _exact_level(price: int, size: int) -> utils.Level | None:
    return None if NULL in (price, size) else (_exact(price), _exact(size))


def _decode_bbo(frame: bytes, block_length: int) -> BboFrame:
    timestamp, _, bid, bid_size, ask, ask_size = _block(_BBO, frame, block_length)
    market, _ = _string(frame, 8 + block_length)
    best = utils.BestBidAsk(_exact_level(bid, bid_size), _exact_level(ask, ask_size), timestamp * 1e-6)
    return BboFrame(market, best)


def _decode_trade(frame: bytes, block_length: int) -> TradeFrame:
    # The int64 id is cut off and wrong: the whole one follows the market since version 2.
    _, _, cut_off_id, side, price, size, created_at, _ = _block(_TRADE, frame, block_length)
    market, position = _string(frame, 8 + block_length)
    trade_id = _string(frame, position)[0] if position < len(frame) else str(cut_off_id)
    return TradeFrame(market, trade_id, side == 1, price / _SCALE, size / _SCALE, created_at * 1e-6)


def _decode_summary(frame: bytes, block_length: int) -> SummaryFrame | None:
    timestamp, _, mark, index, last, _, _, rate = _block(_SUMMARY, frame, block_length)
    if NULL in (mark, index, rate):  # none of them should be, but as a number it would be a price of -9e10
        return None
    funding_rate = Decimal(rate).scaleb(-8)
    if block_length >= _SUMMARY_PRECISE_RATE_OFFSET + 8:
        (precise,) = struct.unpack_from("<q", frame, 8 + _SUMMARY_PRECISE_RATE_OFFSET)
        if precise != NULL:
            funding_rate = Decimal(precise).scaleb(-12)
    market, _ = _string(frame, 8 + block_length)
    return SummaryFrame(
        market,
        Decimal(mark).scaleb(-8),
        Decimal(index).scaleb(-8),
        Decimal(0 if last == NULL else last).scaleb(-8),
        funding_rate,
        timestamp * 1e-6,
    )


def _block(layout: struct.Struct, frame: bytes, block_length: int) -> tuple[Any, ...]:
    if block_length < layout.size:
        raise FrameError(f"a block of {block_length} bytes where there should be {layout.size}")
    return layout.unpack_from(frame, 8)


def _string(frame: bytes, position: int) -> tuple[str, int]:
    end = position + 1 + frame[position]
    if end > len(frame):
        raise FrameError("a text that is cut off")
    return frame[position + 1 : end].decode(), end


# === Private frames: the JSON's names, texts and numbers, read by tables ===

_Reader = tuple[str, Callable[[Any], Any]]  # how a field lies in the block, and what is made of it


def _fixed(number: int) -> str:
    whole, rest = divmod(abs(number), 10**CONSTANTS.DECIMALS)
    return f"{'-' if number < 0 else ''}{whole}.{rest:0{CONSTANTS.DECIMALS}d}"


def _one_of(*names: str | None, first: int = 1) -> _Reader:
    """An enum; None for a value that has no name yet."""
    return "B", dict(enumerate(names, first)).get


def _flags(*names: str | None) -> _Reader:
    return "B", lambda bits: [name for bit, name in enumerate(names) if name is not None and bits & 1 << bit]


_INTEGER: _Reader = ("q", int)
_INTEGER_OR_NONE: _Reader = ("q", lambda number: None if number == NULL else number)
_UNSIGNED: _Reader = ("Q", int)
_MILLISECONDS: _Reader = ("q", lambda microseconds: microseconds // 1000)
# None also where the schema wants a number: whoever needs that one will miss it then, and ask REST.
_DECIMAL: _Reader = ("q", lambda number: None if number == NULL else _fixed(number))
_ADDRESS: _Reader = ("32s", lambda address: hex(int.from_bytes(address, "big")))
_SIDE = _one_of("BUY", "SELL")
_ORDER_TYPE = _one_of(
    *("LIMIT", "MARKET", "STOP_LIMIT", "STOP_MARKET", "TAKE_PROFIT_LIMIT", "TAKE_PROFIT_MARKET"),
    *("STOP_LOSS_LIMIT", "STOP_LOSS_MARKET"),
)
_ORDER_FLAGS = ("REDUCE_ONLY", "STOP_CONDITION_BELOW_TRIGGER", "STOP_CONDITION_ABOVE_TRIGGER", "INTERACTIVE")


class _PrivateLayout:
    """A private template. What version 2 appended, to the block and to the texts, is left out where it is missing."""

    def __init__(
        self,
        topic: str,
        block: dict[str, _Reader],
        texts: tuple[str, ...],
        appended: dict[str, _Reader] | None = None,
        appended_texts: tuple[str, ...] = (),
    ):
        self.topic, self._texts, self._appended_texts = topic, texts, appended_texts
        self._block, self._struct = block, self._layout(block)
        self._appended, self._appended_struct = appended or {}, self._layout(appended or {})

    @staticmethod
    def _layout(block: dict[str, _Reader]) -> struct.Struct:
        return struct.Struct("<" + "".join(code for code, _ in block.values()))

    def read(self, frame: bytes, block_length: int, version: int) -> dict[str, Any]:
        values = _block(self._struct, frame, block_length)
        data: dict[str, Any] = {
            name: read(value) for (name, (_, read)), value in zip(self._block.items(), values, strict=True)
        }
        if block_length >= self._struct.size + self._appended_struct.size:
            values = self._appended_struct.unpack_from(frame, 8 + self._struct.size)
            data |= {name: read(value) for (name, (_, read)), value in zip(self._appended.items(), values, strict=True)}
        position = 8 + block_length
        for name in self._texts:
            data[name], position = _string(frame, position)
        for name in self._appended_texts:
            if version >= 2 and position < len(frame):
                data[name], position = _string(frame, position)
        return data


_HEAD = {"timestamp": _MILLISECONDS, "seq_no": _INTEGER}
_PRIVATE_LAYOUTS = {
    20: _PrivateLayout(
        "orders",
        {
            **_HEAD,
            "status": _one_of("NEW", "UNTRIGGERED", "OPEN", "CLOSED"),
            "side": _SIDE,
            "type": _ORDER_TYPE,
            "instruction": _one_of("GTC", "IOC", "POST_ONLY", "RPI"),
            **dict.fromkeys(("price", "trigger_price", "size", "remaining_size", "avg_fill_price"), _DECIMAL),
            **dict.fromkeys(("created_at", "last_updated_at"), _MILLISECONDS),
            "account": _ADDRESS,
            **dict.fromkeys(("received_at", "published_at"), _MILLISECONDS),
            "stp": _one_of("NONE", "EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH", first=0),
            "flags": _flags(*_ORDER_FLAGS, "TARGET_STRATEGY_VWAP", "MMP"),
        },
        ("id", "client_id", "market", "cancel_reason"),
        {
            "request_status": _one_of("UNSPECIFIED", "PENDING", "PROCESSED", "REJECTED", "SUCCESS", first=0),
            "request_type": _one_of("UNSPECIFIED", "MODIFY_ORDER", first=0),
        },
        ("request_id", "request_message"),
    ),
    21: _PrivateLayout(
        "fills",
        {
            "timestamp": _MILLISECONDS,
            "seq_no": _INTEGER_OR_NONE,
            "fill_type": _one_of("FILL", "LIQUIDATION", "UNWIND_TRANSFER", "SETTLE_MARKET", "RPI", "BLOCK_TRADE"),
            "side": _SIDE,
            "liquidity": _one_of("MAKER", "TAKER"),
            **dict.fromkeys(("price", "size", "fee", "realized_pnl"), _DECIMAL),
            "created_at": _MILLISECONDS,
            "account": _ADDRESS,
            **dict.fromkeys(("underlying_price", "realized_funding"), _DECIMAL),
        },
        ("id", "order_id", "client_id", "trade_id", "market"),
        {
            "flags": _flags("INTERACTIVE", "RPI", "FASTFILL", None, None, None, None, "UNKNOWN"),
            "orderbook_seq_no": _UNSIGNED,
        },
        ("fee_currency",),
    ),
    22: _PrivateLayout(
        "positions",
        {
            **_HEAD,
            "side": _one_of("LONG", "SHORT"),
            **dict.fromkeys(("size", "average_entry_price", "unrealized_pnl", "realized_pnl"), _DECIMAL),
            **dict.fromkeys(("mark_price", "liquidation_price", "leverage"), _DECIMAL),
            "last_updated_at": _MILLISECONDS,
            "account": _ADDRESS,
            **dict.fromkeys(("avg_entry_price_usd", "cost", "cost_usd", "cached_funding_index"), _DECIMAL),
            "unrealized_funding_pnl": _DECIMAL,
            "status": _one_of("OPEN", "CLOSED", "UNSPECIFIED"),
        },
        ("market", "last_fill_id"),
    ),
    23: _PrivateLayout(
        "account",
        {
            **_HEAD,
            **dict.fromkeys(("total_collateral", "free_collateral", "initial_margin_requirement"), _DECIMAL),
            **dict.fromkeys(("maintenance_margin_requirement", "account_value", "unrealized_pnl"), _DECIMAL),
            "updated_at": _MILLISECONDS,
            "account": _ADDRESS,
            "margin_cushion": _DECIMAL,
            "status": _one_of("ACTIVE", "LIQUIDATION"),
        },
        ("settlement_asset",),
        {"last_seen_notification": _MILLISECONDS},
    ),
}


def _decode_private(frame: bytes, template: int, block_length: int, version: int) -> dict[str, Any]:
    layout = _PRIVATE_LAYOUTS[template]
    data = layout.read(frame, block_length, version)
    channel = layout.topic
    if channel in ("orders", "fills"):
        channel += f".{data['market']}"
    if template == ORDER_TEMPLATE:
        data["request_info"] = _request_info(data)
    elif template == POSITION_TEMPLATE:
        data["size"] = _signed_size(data["size"], data["side"])
    return {"channel": channel, "data": data}


def _signed_size(size: str | None, side: str | None) -> str | None:
    """A position's size as the JSON has it, where short positions are negative; the frame's has no sign.

    :return: None if it is not known which side it is on
    """
    if size is None or not Decimal(size) or side == "LONG":
        return size
    return None if side is None else f"-{size.removeprefix('-')}"


def _request_info(data: dict[str, Any]) -> dict[str, Any] | None:
    """What an order's frame says of the request for its modification; takes it out of `data`."""
    status, request_type = data.pop("request_status", "UNSPECIFIED"), data.pop("request_type", "UNSPECIFIED")
    request_id, message = data.pop("request_id", ""), data.pop("request_message", "")
    if status == request_type == "UNSPECIFIED":
        return None
    return {"id": request_id, "message": message, "request_type": request_type, "status": status}
