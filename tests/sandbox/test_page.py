"""The live page: what it is made of, and what a person sees of it in a browser.

Without a browser only the first half is checked; in CI a missing browser is a failure (`.ci/run` installs it).
"""

import os
import re
from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import batched
from pathlib import Path
from typing import Any

import pytest

import paradex_sandbox.web
from tests.sandbox.browser import Page, chromium, open_browser
from tests.sandbox.client import MARKET
from tests.sandbox.conftest import Sandbox, Starter

WEB = Path(paradex_sandbox.web.__file__).parent
FILES = sorted(path for path in WEB.iterdir() if path.suffix in (".html", ".css", ".js", ".svg"))
HOSTILE = "<img src=x onerror=alert(1)>"


def address(sandbox: Sandbox, path: str = "/") -> str:
    return sandbox.server.url.removesuffix("/v1") + path


def source(*suffixes: str) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in FILES if path.suffix in suffixes)


# ---- What it is made of


def test_in_ci_there_is_a_browser() -> None:
    assert chromium() is not None or "CI" not in os.environ


async def test_every_file_is_served_as_it_is(sandbox: Sandbox) -> None:
    types = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    for file in FILES:
        path = "/" if file.name == "index.html" else f"/page/{file.name}"
        async with sandbox.session.get(address(sandbox, path)) as response:
            assert (response.status, response.content_type) == (200, types[file.suffix])
            assert await response.read() == file.read_bytes()


@pytest.mark.parametrize(
    "path", ["/page/", "/page/__init__.py", "/page/../api/app.py", "/page/%2e%2e/cli.py", "/page/x"]
)
async def test_nothing_else_is_served(sandbox: Sandbox, path: str) -> None:
    async with sandbox.session.get(address(sandbox, path)) as response:
        assert response.status == 404
        assert (await response.json())["error"] == "NOT_FOUND"


async def test_the_policy_lets_nothing_in_from_elsewhere(sandbox: Sandbox) -> None:
    async with sandbox.session.get(address(sandbox)) as response:
        policy = dict(part.split(maxsplit=1) for part in response.headers["Content-Security-Policy"].split("; "))
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert set(policy.values()) == {"'none'", "'self'"}


def test_the_files_name_no_other_host_and_carry_no_inline_code() -> None:
    hosts = set(re.findall(r"\b(?:https?|wss?)://([^/\"'`\s$]+)", source(".html", ".css", ".js", ".svg")))
    assert hosts <= {"www.w3.org"}  # the name of the SVG format
    html = source(".html")
    assert not re.findall(r"\son\w+=|\sstyle=|<style|javascript:", html)
    assert not re.findall(r"<script(?![^>]*\ssrc=)", html)
    assert not re.findall(r"innerHTML|insertAdjacentHTML|document\.write|\beval\(", source(".js"))


def test_every_element_that_the_scripts_look_for_is_there() -> None:
    html = source(".html")
    wanted = set(re.findall(r"""\$\("#([\w-]+)"\)""", source(".js")))
    assert len(wanted) > 20
    assert {name for name in wanted if f'id="{name}"' not in html} == set()


def test_every_imported_name_is_exported() -> None:
    exports = {path.name: exported(path.read_text(encoding="utf-8")) for path in FILES if path.suffix == ".js"}
    for file in exports:
        for names, other in re.findall(
            r'import \{([^}]+)\} from "\./([^"]+)"', (WEB / file).read_text(encoding="utf-8")
        ):
            assert {name.strip() for name in names.split(",")} <= exports[other], (file, other)


def exported(script: str) -> set[str]:
    constants = re.findall(r"^export const (.+)", script, re.MULTILINE)
    return {
        *re.findall(r"^export (?:async )?(?:function|class) ([\w$]+)", script, re.MULTILINE),
        *(name for line in constants for name in re.findall(r"([\w$]+) = ", line)),
    }


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_text_stands_out_from_its_ground(theme: str) -> None:
    (block,) = re.findall(rf':root\[data-theme="{theme}"\] \{{([^}}]+)', source(".css"))
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
    for ground in ("panel", "hover", "ground"):
        for text in ("text", "dim", "accent", "up", "down", "warn"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""

    def luminance(colour: str) -> float:
        parts = [int("".join(pair), 16) / 255 for pair in batched(colour[1:], 2)]
        red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


# ---- What a person sees


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with open_browser() as page:
        yield page
        # Scripts ran without an error, and the policy had nothing to refuse.
        assert page.complaints == []


async def show(page: Page, sandbox: Sandbox) -> None:
    """Opens the page and waits until it is alive."""
    await page.open(address(sandbox))
    await page.until_text("#stream-state", "live")
    await page.until("document.querySelector('main').ariaBusy === 'false'")
    await page.until("!document.querySelector('#spread').innerText.includes('waiting')")


def plain(cells: list[str]) -> list[Decimal]:
    return [Decimal(cell.replace(",", "").removesuffix(" ●")) for cell in cells]


async def shown_book(page: Page) -> list[list[Decimal]]:
    """Price and size of the levels on the page, from the highest price to the lowest."""
    return [plain(row[:2]) for row in [*await page.table("#ask-rows"), *await page.table("#bid-rows")]]


def wanted_book(book: dict[str, Any]) -> list[list[Decimal]]:
    """The same of an answer of GET /orderbook."""
    return [[Decimal(price), Decimal(size)] for price, size in [*book["asks"][::-1], *book["bids"]]]


class TestInABrowser:
    """Collected where there is a browser."""

    __test__ = chromium() is not None

    async def test_the_market_that_is_shown_is_the_exchanges(self, busy_sandbox: Sandbox, page: Page) -> None:
        sandbox = busy_sandbox
        await show(page, sandbox)
        first = await page.text("#spread")
        trades = await page.table("#trade-rows")
        await sandbox.advance(3000)
        book = (await sandbox.rest.get(f"/orderbook/{MARKET}", depth=15)).json
        await page.until_text("#spread", f"sequence {book['seq_no']}")
        assert await page.text("#spread") != first
        assert await shown_book(page) == wanted_book(book)
        newest = (await sandbox.rest.get("/trades", market=MARKET, page_size=20)).json["results"]
        await page.until_text("#trade-rows tr", f"{Decimal(newest[0]['price']):,}")
        shown_trades = await page.table("#trade-rows")
        assert shown_trades != trades
        assert [(row[1], *plain(row[2:])) for row in shown_trades[:20]] == [
            (trade["side"], Decimal(trade["price"]), Decimal(trade["size"])) for trade in newest
        ]
        # Every address was the sandbox's own: the page works offline.
        assert len(page.requests) > 10
        assert {url.split("/")[2] for url in page.requests} == {f"127.0.0.1:{sandbox.server.port}"}

    async def test_prices_move(self, sandbox: Sandbox, page: Page) -> None:
        await show(page, sandbox)
        await page.until_text("#market-rows tr", "60,000.0")
        await sandbox.mark("61234.5")
        await page.until_text("#market-rows tr", "61,234.5")
        await page.until("document.querySelector('#market-rows tr td').classList.contains('up')")
        await sandbox.mark("59000")
        await page.until("document.querySelector('#market-rows tr td').classList.contains('down')")
        assert (await page.text("#last-price")).replace(",", "") == "59000.0"

    async def test_another_market_can_be_chosen(self, busy_sandbox: Sandbox, page: Page) -> None:
        await show(page, busy_sandbox)
        await page.click("#market-rows tr:nth-child(2) button")
        await page.until_text("#chart-title", "ETH-USD-PERP")
        book = (await busy_sandbox.rest.get("/orderbook/ETH-USD-PERP", depth=15)).json
        await page.until_text("#bid-rows tr", f"{Decimal(book['bids'][0][0]):,.2f}")
        assert await shown_book(page) == wanted_book(book)

    async def test_markets_that_come_and_go_are_followed(self, busy_sandbox: Sandbox, page: Page) -> None:
        sandbox = busy_sandbox
        await show(page, sandbox)
        listed = (await sandbox.rest.get("/markets", market=MARKET)).json["results"][0]
        body = listed | {"symbol": "NEW-USD-PERP", "price_tick_size": "1", "simulation": {"base_price": "60000"}}
        await sandbox.rest.control("POST", "/markets", body)
        await page.until("document.querySelector('#market-rows').innerText.includes('NEW-USD-PERP')")
        # The one that is shown goes: the next takes its place, and the stream lives on.
        await sandbox.rest.control("DELETE", f"/markets/{MARKET}")
        await page.until_text("#chart-title", "ETH-USD-PERP")
        await page.until(f"!document.querySelector('#market-rows').innerText.includes('{MARKET}')")
        await sandbox.advance(3000)
        book = (await sandbox.rest.get("/orderbook/ETH-USD-PERP", depth=15)).json
        await page.until_text("#spread", f"sequence {book['seq_no']}")
        assert await shown_book(page) == wanted_book(book)
        assert await page.text("#stream-state") == "live"

    async def test_the_interactive_book_is_the_one_with_orders_for_retail(
        self, busy_sandbox: Sandbox, page: Page
    ) -> None:
        await show(page, busy_sandbox)
        books = [
            (await busy_sandbox.rest.get(f"/orderbook/{MARKET}{kind}", depth=15)).json for kind in ("", "/interactive")
        ]
        assert books[0]["bids"] != books[1]["bids"]
        await page.until("document.querySelectorAll('#bid-rows tr').length === 15")
        assert await shown_book(page) == wanted_book(books[0])
        await page.click("[data-feed=interactive]")
        await page.until_text("#bid-rows tr", f"{Decimal(books[1]['bids'][0][0]):,}")
        assert await shown_book(page) == wanted_book(books[1])
        await page.click("[data-feed=deltas]")
        await page.until_text("#bid-rows tr", f"{Decimal(books[0]['bids'][0][0]):,}")
        assert await shown_book(page) == wanted_book(books[0])

    async def test_an_order_of_an_account_shows_up_and_goes(self, start: Starter, page: Page) -> None:
        sandbox = await start(feeds=True)
        await sandbox.mark("60000")
        trader = await sandbox.trader("5000")
        await show(page, sandbox)
        await page.until_text("#account-rows", "5,000.00 USDC")
        order = await trader.place("BUY", "0.01", "58500", client_id=HOSTILE)
        await page.until_text("#order-rows", "58,500.0")
        (row,) = await page.table("#order-rows")
        assert row[1:4] == [MARKET, "BUY", "LIMIT"]
        # A client chooses this text: it must come out as it is, and never as markup.
        assert HOSTILE in row
        await page.until("document.querySelector('#bid-rows tr.own')?.innerText.includes('58,500.0')")
        await trader.delete(f"/orders/{order['id']}")
        await page.until("!document.querySelector('#order-rows tr')")
        await page.until("!document.querySelector('#bid-rows tr')")

    async def test_a_position_is_shown(self, sandbox: Sandbox, page: Page) -> None:
        maker = await sandbox.trader()
        await maker.place("SELL", "0.02", "60000")
        taker = await sandbox.trader()
        await taker.place("BUY", "0.02", "60000")
        await sandbox.mark("60500")
        await show(page, sandbox)
        await page.until_text("#position-rows", "+10.00")
        (row,) = await page.table("#position-rows")
        assert row[:2] == [MARKET, "LONG"]
        await page.click("#account-rows tr button")
        await page.until_text("#position-rows", "-10.00")

    async def test_an_account_can_be_made(self, sandbox: Sandbox, page: Page) -> None:
        await show(page, sandbox)
        await page.click("#new-account")
        await page.until("document.querySelector('#keys').open")
        keys = dict(zip(*[iter((await page.text("#keys-list")).split())] * 2, strict=True))
        state = await sandbox.rest.control("GET", "/state")
        assert [item["account"]["account"] for item in state["accounts"]] == [keys["account_address"]]
        assert state["accounts"][0]["subkeys"][0]["public_key"] == keys["api_public_key"]
        await page.click("#keys-close")
        # Secrets do not stay in the document.
        await page.until("!document.documentElement.innerHTML.includes('api_secret')")
        assert await page.evaluate("document.querySelector('#keys').checkVisibility()") is False

    async def test_a_fault_can_be_injected_strikes_and_can_be_removed(self, sandbox: Sandbox, page: Page) -> None:
        trader = await sandbox.trader()
        await show(page, sandbox)
        await page.until("document.querySelector('#fault-kind').options.length > 1")
        await page.choose("#fault-kind", "order_error")
        await page.type("[name='parameter.status']", "502")
        await page.type("[name=count]", "1")
        await page.click("#fault-form button")
        await page.until_text("#fault-rows", "status = 502")
        assert "order_error injected" in await page.text("#fault-result")
        await page.until_text("#fault-count", "1 armed")
        assert (await trader.order("BUY", "0.01", "58000")).status == 502
        await page.until("!document.querySelector('#fault-rows tr')")
        # One that somebody else injects is seen as well, and can be taken away here.
        await sandbox.rest.control("POST", "/faults", {"kind": "order_error"})
        await page.until_text("#fault-rows", "order_error")
        await page.click("#fault-rows button")
        await page.until_text("#fault-count", "none")
        assert (await sandbox.rest.control("GET", "/faults"))["results"] == []

    async def test_the_stream_heals(self, busy_sandbox: Sandbox, page: Page) -> None:
        sandbox = busy_sandbox
        await show(page, sandbox)
        await sandbox.rest.control("POST", "/faults", {"kind": "drop_sockets"})
        await page.until("document.querySelector('#stream-state').innerText !== 'live'")
        await page.until_text("#stream-state", "live")
        await sandbox.advance(1000)
        book = (await sandbox.rest.get(f"/orderbook/{MARKET}", depth=15)).json
        await page.until_text("#spread", f"sequence {book['seq_no']}")

    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "book_gap", "count": 1},
            {"kind": "frame_cut", "channel": "order_book", "count": 1},
            {"kind": "frame_cut", "channel": "order_book", "bytes": 3, "count": 1},
            {"kind": "frame_unknown", "count": 3},
            {"kind": "stream_duplicate", "channel": "order_book", "count": 3},
            {"kind": "stream_reorder", "channel": "order_book", "count": 1},
        ],
        ids=lambda fault: fault["kind"],
    )
    async def test_a_broken_stream_never_leaves_a_wrong_book(
        self, busy_sandbox: Sandbox, page: Page, fault: dict[str, Any]
    ) -> None:
        sandbox = busy_sandbox
        await show(page, sandbox)
        await sandbox.rest.control("POST", "/faults", fault)
        await sandbox.advance(2000)
        book = (await sandbox.rest.get(f"/orderbook/{MARKET}", depth=15)).json
        await page.until_text("#spread", f"sequence {book['seq_no']}")
        assert await shown_book(page) == wanted_book(book)
        said = await page.text("#errors")
        assert ("cut short" in said) == (fault["kind"] == "frame_cut")

    async def test_the_clock_can_be_let_go_frozen_and_stepped(self, sandbox: Sandbox, page: Page) -> None:
        await show(page, sandbox)
        await page.until_text("#clock-state", "frozen")
        before = await page.evaluate("Date.parse(document.querySelector('#clock').dateTime)")
        await page.click("[data-step='60000']")
        await page.until(f"Date.parse(document.querySelector('#clock').dateTime) === {before + 60_000}")
        await page.click("#freeze")
        await page.until_text("#clock-state", "running")
        await page.click("#freeze")
        await page.until_text("#clock-state", "frozen")

    async def test_the_mark_price_can_be_held(self, sandbox: Sandbox, page: Page) -> None:
        await show(page, sandbox)
        await page.type("[name=price]", "64000.5")
        await page.click("#mark-form button")
        await page.until_text("#last-price", "64,000.5")
        assert Decimal((await sandbox.summary())["mark_price"]) == Decimal("64000.5")

    async def test_what_is_refused_is_said(self, sandbox: Sandbox, page: Page) -> None:
        await show(page, sandbox)
        await page.type("[name=price]", "0")
        await page.click("#mark-form button")
        await page.until_text("#errors", "positive")
        page.complaints.remove("Failed to load resource: the server responded with a status of 400 (Bad Request)")
        await page.type("[name=price]", "61000")
        await page.click("#mark-form button")
        await page.until("!document.querySelector('#errors').innerText")

    async def test_a_sandbox_that_goes_away_is_said(self, sandbox: Sandbox, page: Page) -> None:
        await show(page, sandbox)
        await sandbox.server.stop()
        await page.until_text("#errors", "the sandbox does not answer")
        assert await page.text("#stream-state") != "live"
        page.complaints.clear()  # lost connections

    async def test_without_control_the_page_says_so(self, start: Starter, page: Page) -> None:
        sandbox = await start(traders=True, control=False)
        await show(page, sandbox)
        await page.until_text("#control-note", "--no-control")
        page.complaints.remove("Failed to load resource: the server responded with a status of 404 (Not Found)")
        await page.until_text("#accounts-note", "accounts cannot be shown")
        assert await page.evaluate("document.querySelector('#controls').checkVisibility()") is False
        count = len(sandbox.runtime.exchange.markets)
        await page.until(f"document.querySelectorAll('#market-rows tr').length === {count}")
        await page.until("document.querySelectorAll('#bid-rows tr').length === 15")

    async def test_every_control_has_a_name_for_a_screen_reader(self, sandbox: Sandbox, page: Page) -> None:
        await sandbox.rest.control("POST", "/faults", {"kind": "order_error", "count": 1})
        await sandbox.trader()
        await show(page, sandbox)
        await page.until_text("#fault-rows", "order_error")
        nodes: list[dict[str, Any]] = (await page.command("Accessibility.getFullAXTree"))["nodes"]
        roles = {"button", "combobox", "spinbutton", "textbox", "checkbox", "table", "region", "heading"}
        named = [(node["role"]["value"], node.get("name", {}).get("value")) for node in nodes if "role" in node]
        controls = [(role, name) for role, name in named if role in roles - {"table"}]
        assert len(controls) > 30
        assert [role for role, name in controls if not name] == []
        assert ("button", "Remove fault order_error") in controls

    async def test_it_fits_a_narrow_screen(self, busy_sandbox: Sandbox, page: Page) -> None:
        await show(page, busy_sandbox)
        await page.resize(400, 800)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
