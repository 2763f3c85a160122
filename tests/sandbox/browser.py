"""A headless Chromium, driven over its DevTools protocol as a person would: mouse, keys, and what is seen."""

import asyncio
import base64
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

TIMEOUT = 90
_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_OPTIONS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-port=0",
    # Whatever the browser itself would like to look up: there is no such host.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1600,1040",
)
#: Resolves with the value of an expression as soon as it is true, looked at whenever the document changes.
_WAIT = """new Promise((resolve) => {
  const check = () => {
    const value = (() => (%s))();
    if (value) { observer.disconnect(); resolve(value); }
  };
  const observer = new MutationObserver(check);
  observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  check();
})"""
_PLACE = """(() => {
  const found = document.querySelector(%s);
  found.scrollIntoView({ block: "center", inline: "nearest" });
  const box = found.getBoundingClientRect();
  const place = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const top = document.elementFromPoint(place.x, place.y);
  return found === top || found.contains(top) ? place : null;
})()"""


def chromium() -> str | None:
    """The browser's command: $CHROMIUM, or what is on the path."""
    return os.environ.get("CHROMIUM") or next((found for name in _NAMES if (found := shutil.which(name))), None)


class Page:
    """The browser's one tab. `complaints` are errors of its console, `requests` the addresses that it asked."""

    def __init__(self, connection: aiohttp.ClientWebSocketResponse):
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._connection = connection
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reader = asyncio.create_task(self._read())

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        """A command of the DevTools protocol; its result."""
        number = len(self._answers) + 1
        future = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._connection.send_json({"id": number, "method": method, "params": params})
        answer = await asyncio.wait_for(future, TIMEOUT)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    async def open(self, url: str) -> None:
        """Loads an address."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.command(f"{domain}.enable")
        await self.command("Page.navigate", url=url)

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited."""
        answer = await self.command("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def until(self, expression: str) -> Any:
        """Waits until an expression is true in the page; its value."""
        try:
            return await self.evaluate(_WAIT % expression)
        except TimeoutError:
            seen = await self.evaluate("document.body.innerText")
            raise AssertionError(f"never true: {expression}\nconsole: {self.complaints}\npage: {seen}") from None

    async def text(self, selector: str) -> str:
        """The visible text of an element."""
        return await self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")

    async def until_text(self, selector: str, wanted: str) -> None:
        """Waits until an element's visible text contains `wanted`."""
        await self.until(f"document.querySelector({json.dumps(selector)})?.innerText.includes({json.dumps(wanted)})")

    async def table(self, selector: str) -> list[list[str]]:
        """The visible cells of a table body, row by row."""
        rows = f"[...document.querySelectorAll({json.dumps(selector + ' tr')})]"
        return await self.evaluate(f"{rows}.map((row) => [...row.cells].map((cell) => cell.innerText))")

    async def click(self, selector: str) -> None:
        """Waits for an element, then presses and releases the mouse on it; nothing may cover it."""
        await self.until(f"document.querySelector({json.dumps(selector)})?.checkVisibility()")
        place = await self.evaluate(_PLACE % json.dumps(selector))
        assert place is not None, f"{selector} is covered"
        for kind in ("mousePressed", "mouseReleased"):
            await self.command("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    async def type(self, selector: str, text: str) -> None:
        """Puts `text` in place of what a field holds."""
        await self.evaluate(f"document.querySelector({json.dumps(selector)}).select()")
        await self.command("Input.insertText", text=text)

    async def choose(self, selector: str, option: str) -> None:
        """Chooses an option of a list by typing its name, as a keyboard user does."""
        await self.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")
        for letter in option:
            await self.command("Input.dispatchKeyEvent", type="char", text=letter)
        await self.until(f"document.querySelector({json.dumps(selector)}).value === {json.dumps(option)}")

    async def resize(self, width: int, height: int) -> None:
        """Gives the window a size, in CSS pixels."""
        await self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        await self.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")

    async def screenshot(self) -> bytes:
        """A picture of what is in the window, as PNG."""
        return base64.b64decode((await self.command("Page.captureScreenshot"))["data"])

    async def close(self) -> None:
        self._reader.cancel()
        await self._connection.close()

    async def _read(self) -> None:
        async for message in self._connection:
            body = json.loads(message.data)
            if "id" in body:
                self._answers[body["id"]].set_result(body)
                continue
            method, params = body["method"], body["params"]
            if method == "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(params["exceptionDetails"]))
            elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
                self.complaints.append(params["entry"]["text"])
            elif method == "Runtime.consoleAPICalled" and params["type"] == "error":
                self.complaints.append(json.dumps(params["args"]))
            elif method == "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            elif method == "Network.webSocketCreated":
                self.requests.append(params["url"])


@asynccontextmanager
async def open_browser() -> AsyncIterator[Page]:
    """A fresh browser with one empty tab; it ends with the context."""
    command = chromium()
    assert command is not None
    # Chromium's own sandbox does not work for root.
    as_root = ("--no-sandbox",) if os.geteuid() == 0 else ()
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            command,
            *_OPTIONS,
            *as_root,
            f"--user-data-dir={profile}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        try:
            address = await asyncio.wait_for(_devtools_address(process.stderr), TIMEOUT)
            drain = asyncio.create_task(process.stderr.read())
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://{address}/json/list") as response:
                    tabs = await response.json()
                url = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
                page = Page(await session.ws_connect(url, max_msg_size=0))
                try:
                    yield page
                finally:
                    await page.close()
                    drain.cancel()
        finally:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), TIMEOUT)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _devtools_address(log: asyncio.StreamReader) -> str:
    lines = []
    while line := (await log.readline()).decode(errors="replace"):
        lines.append(line)
        _, found, url = line.partition("DevTools listening on ws://")
        if found:
            return url.partition("/")[0].strip()
    raise AssertionError(f"the browser did not start: {''.join(lines)}")
