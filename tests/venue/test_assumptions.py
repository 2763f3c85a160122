"""What no source of Paradex states, measured. On the sandbox it must be as assumed; elsewhere it is only told.

Not measured: whether the limit per IP counts orders too (it would take more than a thousand requests), and what a
modification does to an order's place (the connector modifies none).
"""

import asyncio
import base64
import itertools
import json
import secrets
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from tests.venue.assumptions import Assumptions
from tests.venue.exchange import Exchange, Market, Message, Refusal, Socket
from tests.venue.waiting import TIMEOUT, until

DEPTH = 15
DELTAS = 80
SNAPSHOTS = 25
COMPARISONS = 3
PRIVATE_TEMPLATES = {"orders": 20, "fills": 21, "positions": 22, "account": 23}
PRIVATE_CHANNELS = ("orders.ALL", "fills.ALL", "positions", "account", "balance_events")
NOT_OPEN_CODES = ("CLIENT_ORDER_ID_NOT_FOUND", "ORDER_ID_NOT_FOUND", "ORDER_IS_CLOSED", "ORDER_IS_NOT_OPEN")


class Replayed:
    """A book made of the messages of a deltas feed, and what its top was at each number."""

    def __init__(self) -> None:
        self.tops: dict[int, tuple[list[list[Decimal]], list[list[Decimal]]]] = {}
        self.kinds: list[str] = []
        self.steps: list[int] = []
        self._seq: int | None = None
        self._sides: dict[str, dict[Decimal, Decimal]] = {"bids": {}, "asks": {}}

    def apply(self, data: Any) -> None:
        kind, seq = str(data["pkg_type"]), int(data["seq_no"])
        for side, levels in self._sides.items():
            if kind == "SNAPSHOT":
                levels.clear()
            for price, size in data[side]:
                levels[Decimal(price)] = Decimal(size)
                if not Decimal(size):
                    del levels[Decimal(price)]
        if self._seq is not None:
            self.steps.append(seq - self._seq)
        self.kinds.append(kind)
        self._seq = seq
        bids = sorted(self._sides["bids"].items(), reverse=True)[:DEPTH]
        asks = sorted(self._sides["asks"].items())[:DEPTH]
        self.tops[seq] = [list(level) for level in bids], [list(level) for level in asks]


async def test_the_deltas_feed(exchange: Exchange, market: Market, assumptions: Assumptions) -> None:
    replayed, bests, rest_books = Replayed(), {}, []
    async with await exchange.connect() as socket:
        await socket.subscribe(f"order_book.{market.symbol}.deltas@15@50ms", f"bbo.{market.symbol}")
        deadline = time.monotonic() + 2 * TIMEOUT
        while time.monotonic() < deadline and len(replayed.kinds) < DELTAS:
            message = await socket.messages.get()
            if message.data["market"] == market.symbol and message.channel.startswith("order_book"):
                replayed.apply(message.data)
            elif message.channel.startswith("bbo"):
                bests[int(message.data["seq_no"])] = message.data
            if len(replayed.kinds) % 10 == 5:
                rest_books.append(await exchange.get(f"/orderbook/{market.symbol}", depth=DEPTH))

    first, *others = replayed.kinds
    assumptions.found("the deltas feed starts with a snapshot", first == "SNAPSHOT", f"{first}, then {set(others)}")
    consecutive = replayed.steps.count(1)
    measured = f"{consecutive} of {len(replayed.steps)}"
    assumptions.found("the deltas' seq grows by one", consecutive == len(replayed.steps), measured)

    books = [book for book in rest_books if int(book["seq_no"]) in replayed.tops]
    equal = sum(replayed.tops[int(book["seq_no"])] == (_rows(book["bids"]), _rows(book["asks"])) for book in books)
    measured = f"{equal} of {len(books)} books with a number in common, {len(rest_books)} asked for"
    assumptions.found(
        "the deltas share their numbers with GET /orderbook", _holds(equal, len(books), COMPARISONS), measured
    )

    common = {seq: best for seq, best in bests.items() if seq in replayed.tops}
    equal = sum(_is_top(replayed.tops[seq], best) for seq, best in common.items())
    measured = f"{equal} of {len(common)} with a number in common, {len(bests)} came"
    assumptions.found("the deltas share their numbers with the bbo", _holds(equal, len(common), COMPARISONS), measured)


async def test_the_snapshot_feed(exchange: Exchange, market: Market, assumptions: Assumptions) -> None:
    kinds, seqs = set(), []
    price = market.round_price((await exchange.touch(market)).bid)
    size = market.smallest_size(price)
    async with await exchange.connect() as socket:
        await socket.subscribe(f"order_book.{market.symbol}.snapshot@15@100ms")
        while len(seqs) < SNAPSHOTS:
            message = await socket.next("order_book")
            kinds.add(message.data["pkg_type"])
            seqs.append(int(message.data["seq_no"]))
            if len(seqs) % 10 == 1:  # several changes between two messages
                bids = (price - level * market.tick for level in range(5))
                await asyncio.gather(
                    *(exchange.place(market, "BUY", size, bid, instruction="POST_ONLY") for bid in bids)
                )

    steps = [after - before for before, after in itertools.pairwise(seqs)]
    measured = f"steps of {min(steps)} to {max(steps)} in {len(steps)}"
    assumptions.found("the snapshot feed sends whole books", kinds == {"SNAPSHOT"}, f"{kinds}")
    assumptions.found("its seq never goes back", min(steps) > 0, measured)
    assumptions.found("it skips numbers", True if max(steps) > 1 else None, measured)


@pytest.mark.private_payloads
async def test_private_payloads(
    exchange: Exchange, market: Market, assumptions: Assumptions, encoding: str | None
) -> None:
    size = market.smallest_size((await exchange.touch(market)).bid)
    async with await exchange.connect(authenticated=True) as socket:
        await socket.subscribe(*PRIVATE_CHANNELS)
        client_id = _client_id()
        await exchange.place(market, "BUY", size, client_id=client_id)
        messages = await _messages_until(
            socket, lambda found: {"fills", "positions", "account", "balance_events"} <= {_topic(m) for m in found}
        )
    fills = await exchange.fills(client_id, since=time.time())

    seen = {_topic(message): message for message in messages}
    for topic, template in PRIVATE_TEMPLATES.items():
        is_binary = seen[topic].is_binary
        expected = None if encoding is None else is_binary == (encoding == "sbe")
        assumptions.found(
            f"{topic} come in the encoding that was asked for", expected, "binary" if is_binary else "JSON"
        )
        assert not is_binary or seen[topic].template == template
    assumptions.found(
        "balance_events come as JSON, for they have no template",
        not seen["balance_events"].is_binary,
        "binary" if seen["balance_events"].is_binary else "JSON",
    )

    streamed = {
        f"{message.data['fill_type']}-{message.data.get('fill_id') or message.data.get('id')}"
        for message in messages
        if _topic(message) == "fills"
    }
    same = streamed <= set(fills)
    assumptions.found("a fill has the same type and id in REST and stream", same, f"{len(streamed)} compared")
    topics = [_topic(message) for message in messages if _topic(message) in ("orders", "fills")]
    last_order = max(index for index, topic in enumerate(topics) if topic == "orders")
    late = "fills" in topics[last_order:]
    assumptions.found("whether the message that closes an order came before its fills", None, "yes" if late else "no")


async def test_the_handshake(exchange: Exchange, assumptions: Assumptions) -> None:
    answers: dict[int | None, int] = {}
    for version in (None, 0, 1, 2, 3, 9):
        try:
            async with await exchange.connect(version=version):
                answers[version] = 101
        except aiohttp.WSServerHandshakeError as error:
            answers[version] = error.status
    served = [version for version, status in answers.items() if status == 101]
    assumptions.found(
        "a socket without the SBE handshake is refused with 400", answers[None] == 400, f"{answers[None]}"
    )
    assumptions.found("a version that is too high is refused with 400", answers[9] == 400, f"{answers[9]}")
    assumptions.found("versions 1 and 2 of the schema are served", {1, 2} <= set(served), f"{served} are")


async def test_errors_of_the_socket(exchange: Exchange, market: Market, assumptions: Assumptions) -> None:
    channel = f"trades.{market.symbol}"
    async with await exchange.connect() as socket:
        refusals = {
            "unsubscribing from what was not subscribed is an error": await _refusal(socket, "unsubscribe", channel),
            "a private channel without auth is refused": await _refusal(socket, "subscribe", "orders.ALL"),
            "a channel that does not exist is refused": await _refusal(socket, "subscribe", "order_book.NO.deltas"),
        }
        await socket.subscribe(channel)
        refusals["subscribing twice is an error"] = await _refusal(socket, "subscribe", channel)
    for assumed, refusal in refusals.items():
        assumptions.found(assumed, refusal is not None, str(refusal or "it was acknowledged"))


async def test_the_time(exchange: Exchange, assumptions: Assumptions) -> None:
    answer = (await exchange.get("/system/time"))["server_time"]
    offset = int(answer) / 1e3 - time.time()
    assumptions.found("the time is milliseconds as text", isinstance(answer, str), f"{answer!r}")
    assumptions.found("how far its clock is from ours", None, f"{offset:+.3f} s")


async def test_the_token(exchange: Exchange, assumptions: Assumptions) -> None:
    payload = (await exchange.token()).split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    lifetime = claims["exp"] - claims.get("iat", time.time())
    assumptions.found("a token says when it expires, five minutes after its issue", lifetime == 300, f"{lifetime:g} s")
    measured = ", ".join(sorted(set(claims) - {"exp"}))
    assumptions.found("what else is in a token", None, measured)


async def test_the_life_of_an_order(exchange: Exchange, market: Market, assumptions: Assumptions) -> None:
    touch = await exchange.touch(market)
    price = market.round_price(touch.bid * Decimal("0.98"))
    client_id = _client_id()
    async with await exchange.connect(authenticated=True) as socket:
        await socket.subscribe("orders.ALL")
        answer = await exchange.place(market, "BUY", market.smallest_size(price), price, client_id=client_id)
        opened = await _messages_until(socket, lambda found: found[-1].data["status"] == "OPEN")
        rest = await exchange.get(f"/orders/by_client_id/{client_id}")
        duplicate = await _refused(
            lambda: exchange.place(market, "BUY", market.smallest_size(price), price, client_id=client_id)
        )
        await exchange.cancel(client_id, market)
        closed = await _messages_until(socket, lambda found: found[-1].data["status"] == "CLOSED")
    stream = [*opened, *closed]

    assumptions.found("POST /orders answers NEW", answer["status"] == "NEW", answer["status"])
    measured = " ".join(str(message.data["status"]) for message in stream)
    assumptions.found("what the stream tells of an order that rests", None, measured)
    is_same = int(rest["seq_no"]) in [int(message.data["seq_no"]) for message in stream]
    measured = "no, it is the same number" if is_same else "yes"
    assumptions.found("an order's seq_no differs between REST and stream", None, measured)
    reason = closed[-1].data["cancel_reason"]
    assumptions.found("a cancelled order says USER_CANCELED", reason == "USER_CANCELED", str(reason))
    assumptions.found("a client id in use is refused", duplicate == (400, "DUPLICATED_CLIENT_ID"), f"{duplicate}")

    found = await _refused(lambda: exchange.get(f"/orders/by_client_id/{client_id}"))
    expected = (400, "CLIENT_ORDER_ID_NOT_FOUND")
    assumptions.found("a closed order is not found by client id", found == expected, f"{found}")
    history = (await exchange.get("/orders-history", client_id=client_id))["results"]
    assumptions.found("a closed order is in the history at once", bool(history), f"{len(history)} found")
    again = await _refused(lambda: exchange.cancel(client_id, market))
    is_known = again is not None and again[1] in NOT_OPEN_CODES
    assumptions.found("cancelling a closed order is refused with a code that is known", is_known, f"{again}")
    nobody = await _refused(lambda: exchange.cancel("nobody-knows-this-one", market))
    assumptions.found("cancelling an unknown order likewise", nobody == expected, f"{nobody}")


async def test_an_order_outside_its_receive_window(
    exchange: Exchange, market: Market, assumptions: Assumptions
) -> None:
    price = market.round_price((await exchange.touch(market)).bid * Decimal("0.98"))
    size = market.smallest_size(price)
    client_id = _client_id()

    refusal = await _refused(
        lambda: exchange.place(market, "BUY", size, price, client_id=client_id, signed_ago=15, recv_window=10_000)
    )

    # The connector takes it for proof that an order which nobody knows after its window will never exist.
    assumptions.found("an order that comes after its recv_window is refused", refusal is not None, f"{refusal}")
    found = await exchange.order(client_id)
    assumptions.found("and it never exists", found is None, "so it is" if found is None else found["status"])


async def test_orders_that_are_refused(exchange: Exchange, market: Market, assumptions: Assumptions) -> None:
    touch = await exchange.touch(market)
    size = market.smallest_size(touch.bid)
    far = market.round_price(touch.bid * Decimal("0.98"))
    above = market.round_price(touch.ask * Decimal("1.005"))
    beyond = market.round_price(touch.ask * (1 + 2 * market.band))
    below = market.round_price(touch.bid * Decimal("0.995"))
    free = Decimal((await exchange.get("/account"))["free_collateral"])
    unaffordable = min(market.max_size, market.round_size(free * market.max_leverage * Decimal("1.5") / far))

    for what, arguments, options in (
        ("a post-only order that would cross", ("BUY", size, above), {"instruction": "POST_ONLY"}),
        ("a reduce-only order without a position", ("SELL", size, below), {"reduce_only": True}),
        ("an order beyond the margin", ("BUY", unaffordable, far), {}),
        ("a bid beyond the price band", ("BUY", size, beyond), {}),
        ("an IOC order that finds nothing", ("BUY", size, far), {"instruction": "IOC"}),
        ("an order below the minimum notional", ("BUY", market.step, far), {}),
        ("a price between two ticks", ("BUY", size, far + market.tick / 2), {}),
    ):
        client_id = _client_id()
        refusal = await _refused(lambda: exchange.place(market, *arguments, client_id=client_id, **options))  # noqa: B023
        if refusal is not None:
            measured = f"at once with {refusal[0]} {refusal[1]}"
        else:
            order = await exchange.closed_order(client_id)
            measured = f"after the 201 with {order['cancel_reason'] or 'no reason'}"
        assumptions.found(f"how {what} is refused", None, measured)


async def test_a_reduce_only_order_larger_than_the_position(
    exchange: Exchange, market: Market, assumptions: Assumptions
) -> None:
    size = market.smallest_size((await exchange.touch(market)).bid)
    await exchange.place(market, "BUY", size)
    await until(lambda: exchange.position(market), "the position is there")
    client_id = _client_id()

    await exchange.place(market, "SELL", 2 * size, client_id=client_id, reduce_only=True)

    order = await exchange.closed_order(client_id)
    executed = Decimal(order["size"]) - Decimal(order["remaining_size"])
    measured = f"{order['cancel_reason']}, {executed} of {order['size']} filled"
    assumptions.found("a reduce-only order larger than the position never turns it around", executed <= size, measured)
    assumptions.found("and is cancelled as a whole", executed == 0, measured)


async def test_the_side_of_a_makers_fill(exchange: Exchange, market: Market, assumptions: Assumptions) -> None:
    for _ in range(10):
        touch = await exchange.touch(market)
        client_id = _client_id()
        price = min(max(touch.bid, market.round_price(touch.mid)), touch.ask - market.tick)
        size = market.smallest_size(touch.bid)
        await exchange.place(market, "BUY", size, price, client_id=client_id, instruction="POST_ONLY")
        fills = await _fills_soon(exchange, client_id)
        await exchange.flatten()
        if fills:
            sides = {fill["side"] for fill in fills}
            measured = f"a bid that others took has fills of side {sides}, liquidity {fills[0]['liquidity']}"
            assumptions.found("a fill's side is the taker's", sides == {"SELL"}, measured)
            return
    assumptions.found("a fill's side is the taker's", None, "nobody took our quotes")


async def test_the_rate_limit_headers(exchange: Exchange, assumptions: Assumptions) -> None:
    _, headers = await exchange.request("GET", "/orders", headers=await exchange.authorization())
    limits = {name: value for name, value in headers.items() if "ratelimit" in name.lower()}
    assumptions.found("answers carry X-RateLimit headers", None, f"{limits or 'none'}")


# === How it is measured ===


def _client_id() -> str:
    return f"venue-{secrets.token_hex(8)}"


def _topic(message: Message) -> str:
    return message.channel.split(".")[0]


def _rows(levels: list[list[str]]) -> list[list[Decimal]]:
    return [[Decimal(price), Decimal(size)] for price, size in levels]


def _holds(equal: int, compared: int, needed: int) -> bool | None:
    """Whether all were equal; None if there were too few to say."""
    return None if compared < needed else equal == compared


def _is_top(top: tuple[list[list[Decimal]], list[list[Decimal]]], best: Any) -> bool:
    bids, asks = top
    return [*bids[:1], *asks[:1]] == [
        [Decimal(best[f"{side}_price"]), Decimal(best[f"{side}_size"])] for side in ("bid", "ask")
    ]


async def _messages_until(socket: Socket, is_enough: Callable[[list[Message]], bool]) -> list[Message]:
    found: list[Message] = []

    async def enough() -> bool:
        found.append(await socket.messages.get())
        return is_enough(found)

    await until(enough, "the messages have come", pause=0)
    return found


async def _refusal(socket: Socket, method: str, channel: str) -> Refusal | None:
    try:
        await socket.call(method, channel=channel)
    except Refusal as refusal:
        return refusal
    return None


async def _refused(request: Callable[[], Any]) -> tuple[int, str] | None:
    """HTTP status and code of the refusal, None if there was none."""
    try:
        await request()
    except Refusal as refusal:
        return refusal.status, refusal.code
    return None


async def _fills_soon(exchange: Exchange, client_id: str) -> list[dict[str, Any]]:
    """An order's fills, if others take it within some seconds."""
    try:
        fills = await until(lambda: exchange.fills(client_id, time.time()), "a fill", timeout=5, pause=0.1)
    except AssertionError:
        return []
    return list(fills.values())
