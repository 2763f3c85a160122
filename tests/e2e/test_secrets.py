"""A faulty day of trading in a minute, with everything logged that can be: no key, token or signature is in it."""

import asyncio
import io
import logging
import re
import sys
import traceback
import warnings
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_auth import ParadexPerpetualAuth
from hummingbot.core.data_type.common import OrderType, TradeType
from hummingbot.core.web_assistant.connections.connections_factory import ConnectionsFactory

from tests.venue.bot import ENDED, Bot
from tests.venue.exchange import Credentials, Exchange, Market
from tests.venue.venue import SandboxProcess, funded_account
from tests.venue.waiting import until

SYMBOL = "BTC-USD-PERP"
STRIKES = 3
#: A JWT's head and body, and the numbers of a signature.
SHAPES = re.compile(r"eyJ[\w-]{10,}\.[\w-]{10,}|\b\d{60,}\b")
PATIENCE = 3.0  # seconds for an order's outcome; some faults keep it open for longer


class Witness(logging.Handler):
    """Writes down every log record with its arguments and traceback, and everything else that is told or raised."""

    def __init__(self, path: Path) -> None:
        super().__init__(logging.DEBUG)
        self.file = logging.FileHandler(path)  # as a bot has one in its home
        self.text = io.StringIO()
        self.loggers: set[str] = set()
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.loggers.add(record.name)
        self.note(self.format(record), repr(record.args), repr(getattr(record, "dict_msg", "")))

    def note(self, *parts: object) -> None:
        for part in parts:
            text = "".join(traceback.format_exception(part)) if isinstance(part, BaseException) else str(part)
            self.text.write(f"{text}\n{part!r}\n" if isinstance(part, BaseException) else f"{text}\n")


class Secrets:
    """What must not be seen: the subkey, and every token and signature that there has been."""

    def __init__(self, *keys: str):
        self.values: set[str] = set()
        for key in keys:
            number = int(key, 16)
            for text in (f"{number:x}", f"{number:064x}", str(number)):
                self.values |= {text, text.upper()}
        self.tokens = 0
        self.signatures = 0

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Notes what the connector gets and makes from now on."""
        request, sign = ParadexPerpetualAuth._request_token, ParadexPerpetualAuth.sign_orders

        async def request_token(auth: ParadexPerpetualAuth) -> str:
            token = await request(auth)
            self.tokens += 1
            self.values |= {token, token.split(".")[-1], token.split(".")[1]}
            return token

        async def sign_orders(auth: ParadexPerpetualAuth, *arguments: Any, **options: Any) -> Any:
            signatures = await sign(auth, *arguments, **options)
            for signature in signatures:
                numbers = re.findall(r"\d{20,}", str(signature))
                self.signatures += bool(numbers)
                self.values |= {form for n in numbers for form in (n, f"{int(n):x}", f"{int(n):X}")}
            return signatures

        monkeypatch.setattr(ParadexPerpetualAuth, "_request_token", request_token)
        monkeypatch.setattr(ParadexPerpetualAuth, "sign_orders", sign_orders)

    def in_text(self, text: str) -> list[str]:
        """Where a secret, or what looks like one, is in a text: what stands before it."""
        found = [text[max(0, text.index(value) - 80) :][:80] for value in self.values if value in text]
        return found + [text[max(0, match.start() - 80) : match.start()] for match in SHAPES.finditer(text)]


@pytest.fixture
def witness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Witness]:
    witness = Witness(tmp_path / "bot.log")
    file = witness.file
    root = logging.getLogger()
    before = {name: logging.getLogger(name).level for name in ("", "hummingbot", "aiohttp", "asyncio")}
    for name in before:
        logging.getLogger(name).setLevel(logging.DEBUG)
    for handler in (witness, file):
        root.addHandler(handler)
    monkeypatch.setattr(sys, "unraisablehook", lambda hook: witness.note(hook.exc_value, hook.object, hook.err_msg))
    monkeypatch.setattr(warnings, "showwarning", lambda message, *rest, **options: witness.note(message, *rest))
    yield witness
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)
    for handler in (witness, file):
        root.removeHandler(handler)
    file.close()


class Control:
    """The sandbox's control surface."""

    def __init__(self, url: str):
        self._url = url.removesuffix("/v1") + "/sandbox"

    async def __call__(self, method: str, path: str, body: Any = None) -> Any:
        async with aiohttp.ClientSession() as session, session.request(method, self._url + path, json=body) as answer:
            text = await answer.text()
            assert answer.status < 400, text
            return await answer.json() if text else None


async def test_no_secret_is_told_in_a_faulty_day_of_trading(
    tmp_path: Path, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.set_exception_handler(lambda _, context: witness.note(*context.values(), context.get("exception") or ""))
    process = SandboxProcess(tmp_path / "data")
    monkeypatch.setenv(CONSTANTS.SANDBOX_URL_VARIABLE, process.url)
    try:
        credentials = funded_account(process.url)
        stranger = funded_account(process.url)
        secrets = Secrets(credentials.api_secret, stranger.api_secret)
        secrets.watch(monkeypatch)
        control = Control(process.url)
        kinds = await control("GET", "/faults/kinds")
        names = [kind["kind"] for kind in kinds["results"]] if "results" in kinds else list(kinds)
        assert len(names) >= 24
        async with Exchange(process.url, credentials) as exchange:
            market = await exchange.market(SYMBOL)
            # Without the circuit breaker, which would keep orders back for the rest of the day.
            bot = Bot(CONSTANTS.SANDBOX_DOMAIN, credentials, [market.pair], settings={"breaker_failures": 0})
            await bot.start()
            for name in names:
                if name != "revoke_subkey":
                    await _under(name, control, bot, market)
            await _refused_orders(bot, market)
            await control("POST", "/faults", {"kind": "revoke_subkey", "account": credentials.account_address})
            await control("POST", "/faults", {"kind": "revoke_tokens"})
            await control("POST", "/faults", {"kind": "drop_sockets"})
            await _trade(bot, market)
            witness.note(*map(repr, bot.events.log), bot.saved_orders(), *bot.connector.format_status_lines())
            witness.note(repr(bot.connector._auth), repr(vars(bot.connector).keys()))
            await bot.stop()
        for wrong in (
            Credentials(credentials.account_address, credentials.api_secret),
            Credentials(stranger.api_secret, credentials.account_address),
            credentials,  # which is revoked by now
        ):
            await _connection_test(wrong, witness, market)
    finally:
        await ConnectionsFactory().close()
        process.stop()

    assert (secrets.tokens, secrets.signatures) >= (3, len(names))
    assert {"aiohttp", "asyncio"} & {name.partition(".")[0] for name in witness.loggers}
    assert secrets.in_text(f"key {credentials.api_secret}")  # it would be found
    text = witness.text.getvalue()
    assert len(text) > 50_000
    assert secrets.in_text(text) == []
    log = Path(witness.file.baseFilename).read_text()  # noqa: ASYNC240 (nothing else is running any more)
    assert len(log) > 50_000
    assert secrets.in_text(log) == []


async def _under(name: str, control: Control, bot: Bot, market: Market) -> None:
    """Trades while a fault strikes; what comes of it is no matter here."""
    seen_when_connecting = {"refuse_connections", "frame_unknown", "frame_cut"}
    description: dict[str, Any] = {"kind": name}
    if name not in ("drop_sockets", "expire_tokens", "revoke_tokens", "bust_trade"):
        description["count"] = STRIKES
    try:
        await control("POST", "/faults", description)
    except AssertionError:  # no trade yet that could be undone
        assert name == "bust_trade"
    if name in seen_when_connecting:
        await control("POST", "/faults", {"kind": "drop_sockets"})
    await _trade(bot, market)
    await bot.connector._status_polling_loop_fetch_updates()
    await control("DELETE", "/faults")
    await until(lambda: bot.connector.status_dict["user_stream_initialized"], "the stream is back")


async def _trade(bot: Bot, market: Market) -> None:
    mark = bot.connector.get_funding_info(market.pair).mark_price
    price = market.round_price(mark * Decimal("0.98"))
    resting = bot.order(TradeType.BUY, market.pair, market.smallest_size(price), price, OrderType.LIMIT_MAKER)
    taking = bot.order(TradeType.BUY, market.pair, market.smallest_size(price), order_type=OrderType.MARKET)
    for order_id in (taking, resting):
        if order_id == resting:
            bot.connector.cancel(market.pair, resting)
        try:
            await bot.events.one(ENDED, order_id, timeout=PATIENCE)
        except AssertionError:
            continue  # it is not known yet, and the day goes on


async def _refused_orders(bot: Bot, market: Market) -> None:
    mark = bot.connector.get_funding_info(market.pair).mark_price
    for price, size in ((mark * 3, market.step * 100), (mark, market.max_size), (market.tick / 3, market.step)):
        order_id = bot.order(TradeType.BUY, market.pair, size, market.round_price(price, up=True))
        try:
            await bot.events.one(ENDED, order_id, timeout=PATIENCE)
        except AssertionError:
            bot.connector.cancel(market.pair, order_id)


async def _connection_test(wrong: Credentials, witness: Witness, market: Market) -> None:
    bot = Bot(CONSTANTS.SANDBOX_DOMAIN, wrong, [market.pair])
    for ask in (bot.connector._update_balances, bot.connector._auth.token_to_send):
        try:
            await ask()
        except (web_utils.ParadexError, ValueError) as error:
            witness.note(error)
    await bot.connector.stop_network()
