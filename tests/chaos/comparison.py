"""The bot's picture beside the exchange's: every difference as a sentence."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.chaos.bot import EVENTS_FILE, LOG_FILE, PAIRS

Picture = Mapping[str, Any]
BOOK_DEPTH = 15
LATEST = 10  # milliseconds, below which a funding payment may be told late so that no two have the same time
_FIELDS = ("id", "pair", "side", "price", "amount", "executed")


def pair_of(market: str) -> str:
    return f"{market.split('-')[0]}-USDC"


def differences(bot: Picture, exchange: Picture) -> list[str]:
    """:param bot: as the process in `bot.py` tells it
    :param exchange: as :func:`tests.chaos.exchange.picture_of` reads it
    :return: nothing if they are equal
    """
    return [
        *_not_ready(bot),
        *_orders(bot["orders"], exchange["orders"]),
        *_values("position", bot["positions"], exchange["positions"]),
        *_values("total balance", bot["total"], exchange["total"]),
        *_values("available balance", bot["available"], exchange["available"]),
        *_books(bot["books"], exchange["books"]),
    ]


def _not_ready(bot: Picture) -> Iterable[str]:
    if not bot["ready"]:
        yield f"the connector is not ready: {[name for name, ready in bot['status'].items() if not ready]}"
    if bot["restriction"]:
        yield f"orders are held back: {bot['restriction']}"


def _orders(bot: Picture, exchange: Picture) -> Iterable[str]:
    for client_id in sorted(set(exchange) - set(bot)):
        yield f"order {client_id} is open on the exchange and unknown to the bot: {exchange[client_id]}"
    for client_id in sorted(set(bot) - set(exchange)):
        yield f"order {client_id} is tracked and not open on the exchange: {bot[client_id]}"
    for client_id in sorted(set(bot) & set(exchange)):
        own, other = bot[client_id], exchange[client_id]
        for name in _FIELDS:
            # A MARKET order's price is NaN in Hummingbot.
            if own[name] != other[name] and not (name == "price" and other["is_market"]):
                yield f"order {client_id}: {name} is {own[name]}, on the exchange {other[name]}"


def _values(what: str, bot: Picture, exchange: Picture) -> Iterable[str]:
    for key in sorted({*bot, *exchange}):
        if bot.get(key) != exchange.get(key):
            yield f"{what} {key}: {bot.get(key)}, on the exchange {exchange.get(key)}"


def _books(bot: Picture, exchange: Picture) -> Iterable[str]:
    for pair in PAIRS:
        if not bot[pair] or not bot[pair]["live"]:
            yield f"book {pair} is not live"
            continue
        for side in ("bids", "asks"):
            own, other = bot[pair][side][:BOOK_DEPTH], exchange[pair][side][:BOOK_DEPTH]
            if own != other:
                yield f"book {pair}: {side} are {own[:3]}…, on the exchange {other[:3]}…"


# === What has happened ===


class Heard:
    """What the connector has announced, of all lives of the bot, as they have written it down.

    :ivar fills: by id
    :ivar payments: (life, pair, time in milliseconds, USDC)
    """

    def __init__(self, folder: Path):
        self.fills: dict[str, dict[str, str]] = {}
        self.payments: list[tuple[int, str, int, Decimal]] = []
        self.repeated: list[str] = []
        path = folder / EVENTS_FILE
        seen: set[tuple[int, str]] = set()
        for line in path.read_text().splitlines() if path.exists() else ():
            try:
                event = json.loads(line)
            except ValueError:  # the bot was killed while it wrote
                continue
            if "fill" not in event:
                self.payments.append((event["life"], event["pair"], event["at"], Decimal(event["payment"])))
                continue
            key = (event["life"], event["fill"])
            if key in seen:
                self.repeated.append(f"fill {event['fill']} was announced twice")
            seen.add(key)
            before = self.fills.setdefault(event["fill"], event)
            if _fill_of(before) != _fill_of(event):
                self.repeated.append(f"fill {event['fill']} was announced as {before} and as {event}")


def _fill_of(event: Mapping[str, str]) -> tuple[str, Decimal, Decimal, Decimal]:
    # The binary stream writes more zeros than REST.
    return event["order"], Decimal(event["price"]), Decimal(event["amount"]), Decimal(event["fee"])


def said_orders(folder: Path) -> set[str]:
    """The client ids of orders that the bot has warned about.

    An order that was sent and not recorded before the bot was killed is in no strategy's history, and neither are its
    fills: Hummingbot has no place for them. The bot says that they exist, and the position contains them.
    """
    lines = (folder / LOG_FILE).read_text().splitlines()
    return {name for line in lines if " WARNING " in line for name in re.findall(r"HBOT\w+", line)}


def fill_differences(
    heard: Heard, recorded: Iterable[str], exchange: Mapping[str, Mapping[str, Any]], said: Container[str] = ()
) -> list[str]:
    """Every fill once, as it was, in the events and in the bot's database.

    :param recorded: ids in the database
    :param said: client ids of orders that the bot never recorded, and has warned about
    :param exchange: fills by id; those that were busted are marked so, and may be known to the bot or not
    """
    found = list(heard.repeated)
    recorded = set(recorded)
    for key, fill in exchange.items():
        if fill["busted"]:
            continue
        event = heard.fills.get(key)
        if event is None and fill["order"] in said:
            continue
        if event is None:
            found.append(f"fill {key} of {fill['order']} was not announced: {fill}")
            continue
        if key not in recorded:
            found.append(f"fill {key} is not in the bot's database")
        for name in ("price", "amount", "fee"):
            if Decimal(event[name]) != fill[name]:
                found.append(f"fill {key}: {name} is {event[name]}, on the exchange {fill[name]}")
        if event["order"] != fill["order"]:
            found.append(f"fill {key} is of {event['order']}, on the exchange of {fill['order']}")
    found += [f"fill {key} was announced and is unknown to the exchange" for key in set(heard.fills) - set(exchange)]
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for key, event in heard.fills.items():
        if key in exchange and not exchange[key]["busted"]:
            sums[event["order"]] += Decimal(event["amount"])
    for key, fill in exchange.items():
        if not fill["busted"] and (key in heard.fills or fill["order"] not in said):
            sums[fill["order"]] -= fill["amount"]
    found += [f"order {order}: the fills differ by {rest}" for order, rest in sums.items() if rest]
    return found


def payment_differences(heard: Heard, life: int, since: int, exchange: Iterable[tuple[str, int, Decimal]]) -> list[str]:
    """The funding payments of a bot's life, each once.

    :param since: when that bot was ready, by the exchange's clock in milliseconds; those before it are not announced
    :param exchange: (pair, time in milliseconds, USDC)
    """
    known = Counter(exchange)
    own: Counter[tuple[str, int, Decimal]] = Counter()
    for number, pair, at, amount in heard.payments:
        if number == life:
            # Of one millisecond, Hummingbot's recorder keeps one payment: another one is told with the next.
            told = next((earlier for earlier in range(at, at - LATEST, -1) if (pair, earlier, amount) in known), at)
            own[pair, told, amount] += 1
    due = Counter({payment: count for payment, count in known.items() if payment[1] > since})
    found = [f"funding payment {payment} was not announced" for payment in (due - own)]
    found += [f"funding payment {payment} was announced too often" for payment in (own - known)]
    return found
