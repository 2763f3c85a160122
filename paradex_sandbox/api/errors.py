"""Errors as the clients see them: `{"error": CODE, "message": …, "data": {…}}` with the codes of the OpenAPI file."""

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import DecompressSizeError

from paradex_sandbox.exchange.errors import ExchangeError

_log = logging.getLogger(__name__)

#: What answers say that a fault (paradex_sandbox.faults) has made.
FAULT_MESSAGE = "request was refused by a fault of the sandbox"

#: Codes that are not answered with 400.
_STATUS = {
    "INVALID_TOKEN": 401,
    "UNAUTHORIZED_ERROR": 401,
    "INVALID_STARKNET_SIGNATURE": 401,
    "STARKNET_SIGNATURE_VERIFICATION_FAILED": 401,
    "INVALID_EVM_SIGNATURE": 401,
    "EVM_SIGNATURE_VERIFICATION_FAILED": 401,
    "INVALID_SUBKEY": 401,
    "NOT_FOUND": 404,
    "ALGO_ID_NOT_FOUND": 404,
    "SERVICE_UNAVAILABLE": 503,
    "INTERNAL_ERROR": 500,
}


class ApiError(Exception):
    """A request that is answered with an error.

    `code` is one of the ErrorCode enum, `status` the HTTP status (by default the one that belongs to the code).
    """

    def __init__(self, code: str, message: str, *, status: int | None = None, data: dict[str, Any] | None = None):
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status if status is not None else _STATUS.get(code, 400)
        self.data = data or {}

    @classmethod
    def of(cls, error: ExchangeError) -> "ApiError":
        """The same error, raised by the exchange core."""
        return cls(error.code, error.message, data=dict(error.data or {}))

    def response(self) -> web.Response:
        """The HTTP response. `data` is always there, because the official SDK's error schema requires it."""
        body = {"error": self.code, "message": self.message, "data": self.data}
        return web.Response(status=self.status, text=json.dumps(body), content_type="application/json")


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def error_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns every failure into an error of the spec's form: no HTML page and no traceback ever leaves the server."""
    try:
        return await handler(request)
    except ApiError as error:
        return error.response()
    except ExchangeError as error:
        return ApiError.of(error).response()
    except web.HTTPNotFound:
        return ApiError("NOT_FOUND", f"no such path: {request.method} {request.path}").response()
    except web.HTTPMethodNotAllowed as error:
        answer = ApiError("REQUEST_NOT_ALLOWED", f"{request.method} is not allowed here", status=405).response()
        answer.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
        return answer
    except web.HTTPRequestEntityTooLarge as error:
        return ApiError("VALIDATION_ERROR", "the request body is too large", status=error.status).response()
    except web.RequestPayloadError as error:
        # What came is not encoded as its headers say; or it is, and grows too large when it is unpacked.
        if isinstance(error.__cause__, DecompressSizeError):
            return ApiError("VALIDATION_ERROR", "the request body is too large", status=413).response()
        return ApiError("BINDING_ERROR", "the request body is not encoded as its headers say").response()
    except web.HTTPException as error:
        return ApiError("VALIDATION_ERROR", error.reason, status=error.status).response()
    except Exception:  # the last line of defence: a bug of the sandbox must not look like a bug of the client
        _log.exception("%s %s failed", request.method, request.path)
        return ApiError("INTERNAL_ERROR", "internal error of the sandbox, see its log").response()
