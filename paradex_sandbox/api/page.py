"""The live page at `/`: the files of `paradex_sandbox.web`, which talk to the same REST and WebSocket as any client."""

from collections.abc import Awaitable, Callable
from importlib import resources

from aiohttp import web

_CONTENT_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_INDEX = "index.html"

#: Nothing but what this server sends may run, be shown or be asked; no other site may frame the page.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # A browser asks each time, so that a newer sandbox on the same port does not run with an older page.
    "Cache-Control": "no-cache",
}


def routes() -> list[web.RouteDef]:
    """The page's routes: `/`, and `/page/NAME` for each file. The files are read once, here."""
    files = {
        item.name: (item.read_bytes(), _CONTENT_TYPES[suffix])
        for item in resources.files("paradex_sandbox.web").iterdir()
        if (suffix := _suffix(item.name)) in _CONTENT_TYPES
    }
    return [
        web.get("/", _handler(*files[_INDEX])),
        *(web.get(f"/page/{name}", _handler(*file)) for name, file in sorted(files.items()) if name != _INDEX),
    ]


def _suffix(name: str) -> str:
    return name[name.rfind(".") :] if "." in name else ""


def _handler(body: bytes, content_type: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type=content_type, charset="utf-8", headers=_HEADERS)

    return handle
