"""The rate limits: token buckets that refill continuously on the sandbox's clock, and the headers that tell of them.

| what | limit | per |
| --- | --- | --- |
| POST, PUT and DELETE of orders, and the WebSocket's order methods | 800/s and 17 250/min | account |
| private GET | 120/s and 600/min | account |
| private GET of all accounts together | 1500/min | IP |
| POST /auth, /onboarding (v1, v2) | 600/min | IP |
| everything else | 1500/min | IP |
| WebSocket connections | 20/s and 600/min | IP |

A batch is one request. Retail orders have limits of their own, which the exchange core knows.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from aiohttp import web

from paradex_sandbox.api.auth import TokenService
from paradex_sandbox.api.errors import ApiError, Handler

#: The accounts of Ethereum keys log in below the server's root, beside /v1.
V2_PREFIX = "/v2"

_SECOND_US = 1_000_000
#: When there are more buckets than this, those that are full again are forgotten.
_MAX_BUCKETS = 10_000
#: The ErrorCode enum has no word for a rate limit; clients go by the status, as the SDK and ccxt do.
RATE_LIMIT_CODE = "REQUEST_NOT_ALLOWED"


@dataclass(frozen=True, slots=True)
class Rule:
    """`limit` requests in `window` seconds."""

    name: str
    limit: int
    window: int


ORDERS = (Rule("orders/s", 800, 1), Rule("orders/min", 17_250, 60))
PRIVATE_GET = (Rule("private/s", 120, 1), Rule("private/min", 600, 60))
ALL_ACCOUNTS = (Rule("accounts/min", 1500, 60),)
PUBLIC = (Rule("public/min", 1500, 60),)
AUTH = (Rule("auth/min", 600, 60),)
CONNECTIONS = (Rule("connections/s", 20, 1), Rule("connections/min", 600, 60))


@dataclass(slots=True)
class _Bucket:
    """`level` requests were left at `at` (µs)."""

    level: float
    at: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a request, told by the bucket that has least left of its limit."""

    allowed: bool
    limit: int
    remaining: int
    reset: int
    window: int
    retry_after: int

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer; `reset` is the Unix second at which the bucket is full again."""
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
            "X-RateLimit-Window": str(self.window),
        }
        if not self.allowed:
            headers["Retry-After"] = str(self.retry_after)
        return headers


class Limiter:
    """All buckets. `now` gives the sandbox's time in µs; `enabled` may be changed at any time."""

    def __init__(self, now: Callable[[], int], *, enabled: bool = True):
        self.enabled = enabled
        self._now = now
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def take(self, wanted: Iterable[tuple[tuple[Rule, ...], str]]) -> Verdict | None:
        """Takes one request out of the buckets of each (rules, key), or out of none if one of them is empty.

        None where limits are switched off.
        """
        if not self.enabled:
            return None
        now = self._now()
        buckets = [(rule, self._bucket(rule, key, now)) for rules, key in wanted for rule in rules]
        allowed = all(bucket.level >= 1 for _, bucket in buckets)
        if allowed:
            for _, bucket in buckets:
                bucket.level -= 1
        rule, tightest = min(buckets, key=lambda entry: entry[1].level / entry[0].limit)
        missing = rule.limit - tightest.level
        return Verdict(
            allowed,
            rule.limit,
            int(tightest.level),
            math.ceil(now / _SECOND_US + missing * rule.window / rule.limit),
            rule.window,
            max(1, math.ceil((1 - tightest.level) * rule.window / rule.limit)),
        )

    def _bucket(self, rule: Rule, key: str, now: int) -> _Bucket:
        bucket = self._buckets.get((rule.name, key))
        if bucket is None:
            if len(self._buckets) >= _MAX_BUCKETS:
                self._forget_full(now)
            bucket = self._buckets[rule.name, key] = _Bucket(rule.limit, now)
        elif now > bucket.at:
            bucket.level = min(rule.limit, bucket.level + (now - bucket.at) * rule.limit / (rule.window * _SECOND_US))
        bucket.at = now
        return bucket

    def _forget_full(self, now: int) -> None:
        # Whoever was silent for a minute has all buckets full: a new one is the same.
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if now - bucket.at < 60 * _SECOND_US}


class RestLimits:
    """The middleware that counts REST requests; it must stand outside of the one that makes answers of errors."""

    def __init__(self, limiter: Limiter, tokens: TokenService, prefix: str):
        self._limiter = limiter
        self._tokens = tokens
        self._prefix = prefix
        self._private: set[Handler] = set()

    def declare_private(self, handlers: Iterable[Handler]) -> None:
        """Names the handlers that want a token: their limits are the account's."""
        self._private.update(handlers)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answers 429 where a limit is reached, and puts the headers on every answer."""
        if not request.path.startswith((self._prefix + "/", V2_PREFIX + "/")):
            return await handler(request)
        verdict = self._limiter.take(self._wanted(request))
        if verdict is None:
            return await handler(request)
        if verdict.allowed:
            response = await handler(request)
        else:
            response = ApiError(RATE_LIMIT_CODE, "rate limit exceeded", status=429).response()
        if not response.prepared:
            response.headers.update(verdict.headers)
        return response

    def _wanted(self, request: web.Request) -> list[tuple[tuple[Rule, ...], str]]:
        path, ip = request.path.removeprefix(self._prefix), peer_ip(request)
        if request.method == "POST" and path.startswith(("/auth", "/v2/auth", "/onboarding", "/v2/onboarding")):
            return [(AUTH, ip)]
        account = self._account(request) if request.match_info.handler in self._private else None
        if account is None:
            return [(PUBLIC, ip)]
        if request.method != "GET" and path.startswith(("/orders", "/algo/orders")):
            return [(ORDERS, account)]
        return [(PRIVATE_GET, account), (ALL_ACCOUNTS, ip)]

    def _account(self, request: web.Request) -> str | None:
        try:
            return self._tokens.check(bearer(request)).account
        except ApiError:
            return None  # the handler will say so


def bearer(request: web.Request) -> str:
    """The token of the Authorization header; raises ApiError INVALID_TOKEN where there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise ApiError("INVALID_TOKEN", "the request needs the header Authorization: Bearer JWT")
    return token.strip()


def peer_ip(request: web.Request) -> str:
    """The address that the request came from."""
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    return str(peer[0]) if peer else ""
