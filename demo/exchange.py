"""What the exchange itself says of the demo's account: its REST API, read with Paradex's own SDK.

It is another client than the bot on purpose, so that what the bot believes can be compared with what is so.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx

from demo.errors import DemoError
from demo.sandbox import Account

if TYPE_CHECKING:
    from paradex_py.api.api_client import ParadexApiClient

_TIMEOUT = 30.0  # seconds
_ATTEMPTS = 20
_PAGE_SIZE = 500


@dataclass(frozen=True)
class Order:
    """An open order. Price in USDC, sizes in base; `side` is BUY or SELL."""

    id: str
    side: str
    price: Decimal
    remaining_size: Decimal


@dataclass(frozen=True)
class Fill:
    """A fill. Price, fee and PnL in USDC, size in base, `created_at` in ms; `side` is that of the account's order."""

    key: str
    order_id: str
    side: str
    price: Decimal
    size: Decimal
    fee: Decimal
    realized_pnl: Decimal
    realized_funding: Decimal
    is_maker: bool
    created_at: int


@dataclass(frozen=True)
class Snapshot:
    """The market and the account at one moment. Prices and money in USDC, the position in base (negative: short)."""

    time: float
    """Seconds of a monotonic clock."""
    bid: Decimal | None
    ask: Decimal | None
    mark_price: Decimal
    orders: list[Order]
    fills: list[Fill]
    """Every fill since the account was made, the oldest first."""
    position: Decimal
    entry_price: Decimal | None
    unrealized_pnl: Decimal
    account_value: Decimal
    free_collateral: Decimal

    @property
    def mid(self) -> Decimal | None:
        return (self.bid + self.ask) / 2 if self.bid is not None and self.ask is not None else None

    def orders_of(self, side: str) -> list[Order]:
        """The open orders of a side, best first."""
        return sorted(
            (order for order in self.orders if order.side == side),
            key=lambda order: order.price,
            reverse=side == "BUY",
        )

    def fills_of(self, side: str) -> list[Fill]:
        return [fill for fill in self.fills if fill.side == side]


class Exchange:
    """Reads one market and one account. Blocks; not for several threads at once."""

    def __init__(self, url: str, account: Account, market: str) -> None:
        """Loads the SDK, which takes seconds, and authenticates. Raises DemoError if the exchange refuses.

        :param url: the REST address, with /v1
        :param market: the exchange's name of it, like BTC-USD-PERP
        """
        self._market = market
        self._fills: dict[str, Fill] = {}
        self._sides: dict[str, str] = {}  # by order id
        self.client = authenticated_client(url, account)
        """The SDK's, authenticated."""

    def snapshot(self) -> Snapshot:
        """Asks for everything. Raises DemoError if the exchange does not answer."""
        try:
            return self._snapshot()
        except (ValueError, httpx.HTTPError) as error:
            raise DemoError(f"the exchange does not answer as it should: {error}") from error

    def _snapshot(self) -> Snapshot:
        client = self.client
        market = {"market": self._market}
        summary = client.fetch_markets_summary(market)["results"][0]
        orders = client.fetch_orders(market)["results"]
        self._note_sides(orders)
        self._read_fills()
        positions, account = self._account()
        position: Mapping[str, Any] = next((entry for entry in positions if entry["market"] == self._market), {})
        size = Decimal(position.get("size") or 0)
        return Snapshot(
            time=time.monotonic(),
            bid=_decimal(summary.get("bid")),
            ask=_decimal(summary.get("ask")),
            mark_price=Decimal(summary["mark_price"]),
            orders=[
                Order(order["id"], order["side"], Decimal(order["price"]), Decimal(order["remaining_size"]))
                for order in orders
            ],
            fills=sorted(self._fills.values(), key=lambda fill: (fill.created_at, fill.key)),
            position=size,
            entry_price=_decimal(position.get("average_entry_price")) if size else None,
            unrealized_pnl=Decimal(position.get("unrealized_pnl") or 0) if size else Decimal(0),
            account_value=Decimal(account.account_value),
            free_collateral=Decimal(account.free_collateral),
        )

    def _account(self) -> tuple[list[Mapping[str, Any]], Any]:
        """Positions and account of one moment: the prices that both depend on go on meanwhile."""
        positions = self.client.fetch_positions()["results"]
        for _ in range(_ATTEMPTS):
            account = self.client.fetch_account_summary()
            before, positions = positions, self.client.fetch_positions()["results"]
            if positions == before:
                break
        return positions, account

    def _read_fills(self) -> None:
        """Reads the fills that are new, from a moment before the last one that is known."""
        start = max((fill.created_at for fill in self._fills.values()), default=0)
        payloads = [
            payload
            for payload in self.pages(self.client.fetch_fills, start_at=max(0, start - 1))
            if _fill_key(payload) not in self._fills
        ]
        if any(payload["order_id"] not in self._sides for payload in payloads):
            self._note_sides(self.pages(self.client.fetch_orders_history))
        for payload in payloads:
            self._fills[_fill_key(payload)] = self._fill(payload)

    def _fill(self, payload: Mapping[str, Any]) -> Fill:
        return Fill(
            key=_fill_key(payload),
            order_id=payload["order_id"],
            # A fill's own side is documented as the taker's, so it is looked up.
            side=self._sides[payload["order_id"]],
            price=Decimal(payload["price"]),
            size=Decimal(payload["size"]),
            fee=Decimal(payload.get("fee") or 0),
            realized_pnl=Decimal(payload.get("realized_pnl") or 0),
            realized_funding=Decimal(payload.get("realized_funding") or 0),
            is_maker=payload.get("liquidity") == "MAKER",
            created_at=int(payload["created_at"]),
        )

    def _note_sides(self, orders: Iterable[Mapping[str, Any]]) -> None:
        self._sides.update((order["id"], order["side"]) for order in orders)

    def pages(self, fetch: Any, **params: Any) -> Iterable[Mapping[str, Any]]:
        """Every entry of a paginated list of the market, page by page."""
        query = {"market": self._market, "page_size": _PAGE_SIZE, **params}
        while True:
            page = fetch(query)
            yield from page["results"]
            if not page.get("next"):
                return
            query["cursor"] = page["next"]


def authenticated_client(url: str, account: Account) -> "ParadexApiClient":
    from paradex_py.account.subkey_account import SubkeyAccount
    from paradex_py.api.api_client import ParadexApiClient
    from paradex_py.api.http_client import HttpClient
    from paradex_py.environment import TESTNET

    # The sandbox is on this machine: no proxy is ever meant.
    transport = HttpClient(http_client=httpx.Client(trust_env=False, timeout=_TIMEOUT))
    try:
        client = ParadexApiClient(env=TESTNET, api_base_url=url, http_client=transport)
        config = client.fetch_system_config()
        client.init_account(SubkeyAccount(config, l2_private_key=account.api_secret, l2_address=account.address))
    except (ValueError, httpx.HTTPError) as error:
        raise DemoError(f"the exchange refuses the demo's account: {error}") from error
    return client


def _fill_key(payload: Mapping[str, Any]) -> str:
    # A fill's id is unique within its type only.
    return f"{payload.get('fill_type') or 'FILL'}-{payload['id']}"


def _decimal(text: str | None) -> Decimal | None:
    return Decimal(text) if text else None
