"""An exchange with one plain market at a held mark price of 100, driven step by step."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from paradex_sandbox.exchange.events import Event
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.markets import load_markets
from paradex_sandbox.exchange.model import (
    Fill,
    Market,
    Order,
    OrderFlag,
    OrderInstruction,
    OrderRequest,
    OrderType,
    Side,
    SimulationParams,
)

START = 1_790_000_000_000_000
SECOND = 1_000_000
MARKET = "TEST-USD-PERP"
ALICE, BOB, CAROL = "0xa11ce", "0xb0b", "0xca401"


def plain_market(**changes: Any) -> Market:
    """Tick 0.5, step 0.01, 10x leverage, 5% band, 2% slippage, Pro fees 0.3 and 4.5 bps."""
    bitcoin = load_markets()[0]
    assert bitcoin.delta1_cross_margin_params is not None
    plain = replace(
        bitcoin,
        symbol=MARKET,
        base_currency="TEST",
        price_tick_size=Decimal("0.5"),
        order_size_increment=Decimal("0.01"),
        min_notional=Decimal(10),
        max_order_size=Decimal(1000),
        position_limit=Decimal(2000),
        price_bands_width=Decimal("0.05"),
        max_slippage=Decimal("0.02"),
        delta1_cross_margin_params=replace(bitcoin.delta1_cross_margin_params, imf_base=Decimal("0.1")),
        simulation=SimulationParams(base_price=Decimal(100)),
    )
    return replace(plain, **changes)


class Venue:
    """Short words for what tests do all the time. Every order is processed at once; `events` is the last drain."""

    def __init__(self, exchange: Exchange, market: str = MARKET) -> None:
        self.exchange = exchange
        self.market = market
        for address in (ALICE, BOB, CAROL):
            exchange.create_account(address, f"{address}1")
        exchange.set_mark_price(market, Decimal(100))
        self.events: list[Event] = exchange.drain_events()

    def request(
        self,
        side: Side,
        size: str,
        price: str | None,
        *,
        instruction: OrderInstruction = OrderInstruction.GTC,
        flags: Sequence[OrderFlag] = (),
        **more: Any,
    ) -> OrderRequest:
        return OrderRequest(
            market=more.pop("market", self.market),
            side=side,
            type=more.pop("type", OrderType.LIMIT if price is not None else OrderType.MARKET),
            size=Decimal(size),
            price=Decimal(price) if price is not None else None,
            instruction=instruction,
            flags=tuple(flags),
            **more,
        )

    def submit(self, account: str, side: Side, size: str, price: str | None = None, **more: Any) -> str:
        """Queues an order without processing it; returns its id."""
        return self.exchange.submit(account, self.request(side, size, price, **more)).id

    def order(self, account: str, side: Side, size: str, price: str | None = None, **more: Any) -> Order:
        """Submits, processes, and returns the order as it is then; no `price` is a MARKET order."""
        order_id = self.submit(account, side, size, price, **more)
        self.process()
        return self.find(account, order_id)

    def buy(self, account: str, size: str, price: str | None = None, **more: Any) -> Order:
        return self.order(account, Side.BUY, size, price, **more)

    def sell(self, account: str, size: str, price: str | None = None, **more: Any) -> Order:
        return self.order(account, Side.SELL, size, price, **more)

    def process(self) -> list[Event]:
        self.exchange.process()
        self.events = self.exchange.drain_events()
        return self.events

    def wait(self, us: int) -> list[Event]:
        """Lets time pass and processes; `events` are those of both."""
        self.exchange.advance(self.exchange.now + us)
        return self.process()

    def find(self, account: str, order_id: str) -> Order:
        """The order, whatever has become of it."""
        orders = self.exchange.orders_history(account, limit=10_000).items
        return next(order for order in orders if order.id == order_id)

    def fills(self, account: str) -> tuple[Fill, ...]:
        """Oldest first."""
        return self.exchange.fills(account, limit=10_000).items[::-1]

    def position(self, account: str) -> Decimal:
        return sum((position.size for position in self.exchange.positions(account, self.market)), Decimal(0))

    def balance(self, account: str) -> Decimal:
        return self.exchange.balances(account)[0].size

    def mark(self, price: str) -> None:
        self.exchange.set_mark_price(self.market, Decimal(price))

    def of_type[E: Event](self, kind: type[E]) -> list[E]:
        """The last drain's events of a type."""
        return [event for event in self.events if isinstance(event, kind)]
