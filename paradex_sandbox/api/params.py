"""Query parameters and request bodies, and the opaque cursors of paginated lists."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from aiohttp import web

from paradex_sandbox.api.errors import ApiError
from paradex_sandbox.exchange.model import Page
from paradex_sandbox.exchange.paging import TimeRange

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 5000
_MAX_TIME_MS = 2**53
#: How many pages a cursor can lead back.
_MAX_TRAIL = 50


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")


#: Of itself, Python takes NaN and Infinity.
_DECODER = json.JSONDecoder(parse_constant=_refuse)


def parse_json(text: str) -> object:
    """JSON as RFC 8259 has it: without NaN and Infinity, and without halves of characters, which could not be stored.

    Raises ValueError.
    """
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if "\\ud" in text or "\\uD" in text:
        json.dumps(value, ensure_ascii=False).encode()
    return value


async def read_json(request: web.Request) -> object:
    """The request's body as JSON; raises ApiError BINDING_ERROR if it is none."""
    try:
        return parse_json((await request.read()).decode())
    except ValueError:
        raise ApiError("BINDING_ERROR", "the request body is not valid JSON") from None


async def read_object(request: web.Request, *, optional: bool = False) -> dict[str, Any]:
    """The request's body as a JSON object; with `optional`, {} where there is none."""
    if optional and not await request.read():
        return {}
    body = await read_json(request)
    if not isinstance(body, dict):
        raise ApiError("BINDING_ERROR", "the request body must be a JSON object")
    return body


def integer(query: Mapping[str, str], name: str, *, minimum: int, maximum: int) -> int | None:
    """An integer parameter within bounds, None where it is absent or empty."""
    value = query.get(name, "")
    if not value:
        return None
    if not value.isdecimal() or not value.isascii() or len(value) > 18 or not minimum <= int(value) <= maximum:
        raise ApiError("INVALID_REQUEST_PARAMETER", f"{name} must be an integer from {minimum} to {maximum}")
    return int(value)


def member[E: StrEnum](query: Mapping[str, str], name: str, members: type[E]) -> E | None:
    """A parameter that is one of an enumeration, None where it is absent or empty."""
    value = query.get(name, "")
    if not value:
        return None
    try:
        return members(value)
    except ValueError:
        raise ApiError("INVALID_REQUEST_PARAMETER", f"{name} must be one of {', '.join(members)}") from None


def boolean(query: Mapping[str, str], name: str) -> bool:
    """A parameter that is true or false, false where it is absent or empty."""
    value = query.get(name, "")
    if value not in ("", "true", "false"):
        raise ApiError("INVALID_REQUEST_PARAMETER", f"{name} must be true or false")
    return value == "true"


def required(query: Mapping[str, str], name: str) -> str:
    """A parameter that must be there."""
    value = query.get(name, "")
    if not value:
        raise ApiError("INVALID_REQUEST_PARAMETER", f"{name} is required")
    return value


class Cursors:
    """Signed cursors: each carries the whole query, so that it goes on with the same list whatever else is sent."""

    def __init__(self, secret: bytes):
        self._secret = secret

    def paginate[T](
        self,
        request: web.Request,
        fetch: Callable[[Mapping[str, str], str | None, int], Page[T]],
        render: Callable[[T], dict[str, Any]],
        max_page_size: int = MAX_PAGE_SIZE,
    ) -> dict[str, Any]:
        """One page of a list as responses.PaginatedAPIResults.

        `fetch` gets the query (the first page's, when a cursor is given), where to go on, and the page's size.
        """
        cursor = request.query.get("cursor", "")
        if cursor:
            query, trail = self._open(request.path, cursor)
        else:
            # Of a parameter that is given twice the first counts, here as everywhere.
            query, trail = {name: request.query[name] for name in request.query if name != "cursor"}, []
        size = integer(query, "page_size", minimum=1, maximum=max_page_size) or DEFAULT_PAGE_SIZE
        page = fetch(query, trail[-1] if trail else None, size)
        following = None if page.next is None else self._seal(request.path, query, [*trail, page.next])
        previous = self._seal(request.path, query, trail[:-1]) if trail else None
        return {"results": [render(item) for item in page.items], "next": following, "prev": previous}

    def _seal(self, path: str, query: Mapping[str, str], trail: Sequence[str]) -> str:
        payload = json.dumps([path, query, list(trail[-_MAX_TRAIL:])], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._sign(payload) + payload).decode()

    def _open(self, path: str, cursor: str) -> tuple[dict[str, str], list[str]]:
        try:
            sealed = base64.urlsafe_b64decode(cursor)
        except ValueError:
            sealed = b""
        signature, payload = sealed[:16], sealed[16:]
        if not payload or not hmac.compare_digest(signature, self._sign(payload)):
            raise ApiError("INVALID_REQUEST_PARAMETER", "the cursor is not one of ours")
        origin, query, trail = json.loads(payload)
        if origin != path:
            raise ApiError("INVALID_REQUEST_PARAMETER", f"the cursor belongs to {origin}")
        return query, trail

    def _sign(self, payload: bytes) -> bytes:
        return hmac.digest(self._secret, payload, hashlib.sha256)[:16]


def time_range(query: Mapping[str, str], start_name: str = "start_at", end_name: str = "end_at") -> TimeRange:
    """`start_at` and `end_at` (milliseconds, both included) as the exchange's keyword arguments in µs."""
    start = integer(query, start_name, minimum=0, maximum=_MAX_TIME_MS)
    end = integer(query, end_name, minimum=0, maximum=_MAX_TIME_MS)
    return {
        "start_at": None if start is None else start * 1000,
        "end_at": None if end is None else end * 1000 + 999,
    }
