"""aiohttp's server, except that bytes which are no HTTP are answered in the form of the API too."""

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from paradex_sandbox.api.errors import ApiError


class _Protocol(RequestHandler):
    """One connection."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what could not be read as a request, or failed outside of the middleware for errors."""
        if status >= 500:
            super().handle_error(request, status, exc, message)  # writes to the log
            response = ApiError(
                "INTERNAL_ERROR", "internal error of the sandbox, see its log", status=status
            ).response()
        else:
            response = ApiError("BINDING_ERROR", "the request is not valid HTTP", status=status).response()
        response.force_close()
        return response


class _Server(web.Server):
    """Makes a `_Protocol` for every connection."""

    def __call__(self) -> RequestHandler:
        return _Protocol(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """An AppRunner whose connections answer in the form of the API."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        # Application makes the server itself and offers no way to choose its class or that of its connections.
        server.__class__ = _Server
        return server
