"""Faults of REST requests, as a middleware around the whole API."""

import asyncio
import json
from typing import Any

from aiohttp import web

from paradex_sandbox.api.errors import FAULT_MESSAGE, ApiError, Handler
from paradex_sandbox.api.limits import V2_PREFIX
from paradex_sandbox.faults import Fault, FaultKind, FaultRegistry

_HTML = "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"
_CODES = {500: "INTERNAL_ERROR", 429: "REQUEST_NOT_ALLOWED"}


class HttpFaults:
    """Strikes requests below `prefix` and /v2; /sandbox stays out of it, so that faults can be taken away again."""

    def __init__(self, faults: FaultRegistry, prefix: str):
        self._faults = faults
        self._prefix = prefix

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The request with whatever is to go wrong with it."""
        if not self._faults.armed or not request.path.startswith((self._prefix, V2_PREFIX)):
            return await handler(request)
        is_socket = request.path == self._prefix

        def applies(fault: Fault) -> bool:
            path = request.path.removeprefix(self._prefix)
            return not is_socket and path.startswith(fault["path"]) and fault["method"] in ("", request.method)

        strike = self._faults.strike
        if strike(FaultKind.REFUSE_CONNECTIONS, lambda fault: is_socket or fault["rest"]):
            return cut(request)
        fault = strike(FaultKind.HTTP_ERROR, applies)
        if fault is not None:
            return _error(fault)
        fault = strike(FaultKind.HTTP_HTML, applies)
        if fault is not None:
            return web.Response(status=fault["status"], text=_HTML.format(fault["status"]), content_type="text/html")
        drop = strike(FaultKind.HTTP_DROP, applies)
        if drop is not None and drop["before"]:
            return cut(request)
        response = await handler(request)
        delay = strike(FaultKind.HTTP_DELAY, applies)
        if delay is not None:
            await asyncio.sleep(delay["delay_ms"] / 1000)
        if drop is not None:
            return cut(request)
        if not isinstance(response, web.Response) or not response.text:
            return response
        if strike(FaultKind.HTTP_CUT_JSON, applies):
            response.text = response.text[: len(response.text) // 2]
            return response
        enum = strike(FaultKind.UNKNOWN_ENUM, lambda fault: _names_answers(fault, request, self._prefix))
        if enum is not None:
            response.text = json.dumps(replace_field(json.loads(response.text), enum["field"], enum["value"]))
        return response


def cut(request: web.Request) -> web.Response:
    """Ends the connection; what is returned never arrives."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)


def replace_field(data: Any, field: str, value: str) -> Any:
    """`data` (JSON) with every member called `field` set to `value`."""
    if isinstance(data, dict):
        return {name: value if name == field else replace_field(item, field, value) for name, item in data.items()}
    if isinstance(data, list):
        return [replace_field(item, field, value) for item in data]
    return data


def _names_answers(fault: Fault, request: web.Request, prefix: str) -> bool:
    # A fault that names a channel is for the streams alone.
    path = request.path.removeprefix(prefix)
    return not fault["channel"] and path != "" and path.startswith(fault["path"])


def _error(fault: Fault) -> web.Response:
    status = fault["status"]
    code = _CODES.get(status, "SERVICE_UNAVAILABLE" if status >= 500 else "VALIDATION_ERROR")
    response = ApiError(code, FAULT_MESSAGE, status=status).response()
    if fault["retry_after"]:
        response.headers["Retry-After"] = str(fault["retry_after"])
    return response
