"""Market making on one Paradex perpetual: post-only quotes on both sides, leaned against the position.

Hummingbot's own V1 `perpetual_market_making` stops quoting as soon as it holds a position in one-way mode, the only
mode that Paradex has. This script goes on quoting: it shifts its quotes against the position, and stops adding to it at
a cap.

It runs in a bot's home: this file belongs into `scripts/`, a config of it into `conf/scripts/`, and `hbot start CONFIG`
starts it. It speaks to any of the connector's domains through Hummingbot's interface only.
"""

import asyncio
import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal

from hummingbot.connector.connector_base import ConnectorBase
from hummingbot.core.data_type.common import MarketDict, OrderType, PositionAction, PriceType, TradeType
from hummingbot.core.data_type.in_flight_order import InFlightOrder
from hummingbot.core.data_type.order_candidate import PerpetualOrderCandidate
from hummingbot.core.event.events import (
    BuyOrderCompletedEvent,
    MarketOrderFailureEvent,
    OrderCancelledEvent,
    OrderFilledEvent,
    SellOrderCompletedEvent,
)
from hummingbot.core.network_iterator import NetworkStatus
from hummingbot.strategy.strategy_v2_base import StrategyV2Base, StrategyV2ConfigBase
from pydantic import Field, model_validator

SIDES = (TradeType.BUY, TradeType.SELL)
BPS = Decimal("1e-4")
BOOKS = "order_books_initialized"  # in the connector's status: false while a book is not what the exchange told last

# Seconds.
CANCEL_RETRY = 5.0  # after which an order that is still there is cancelled once more
UNTRACKED_GRACE = 5.0  # after which a quote that the connector does not track is forgotten
FIRST_PAUSE = 1.0  # a side pauses so long after an order of it failed, twice as long after the next one
LONGEST_PAUSE = 30.0
POSITION_LAG = 3.0  # for which a fill counts beside the position, which may not contain it yet
FAILURES_MEMORY = 60.0  # after which earlier failures no longer count
STOP_PATIENCE = 10.0  # on stop, for the cancels; and once more, for closing the position
STOP_POLL = 0.1


class ParadexMarketMakingConfig(StrategyV2ConfigBase):
    """The settings. Distances are in basis points (1 bp = 0.01 %) of the price, sizes and positions in base, times in
    seconds."""

    script_file_name: str = os.path.basename(__file__)
    controllers_config: list[str] = Field(default=[])

    connector: str = Field(
        default="paradex_perpetual",
        json_schema_extra={"prompt": "Which domain (paradex_perpetual, or with _testnet or _sandbox)?"},
    )
    trading_pair: str = Field(default="BTC-USDC", json_schema_extra={"prompt": "Which trading pair (BTC-USDC)?"})
    leverage: int | None = Field(
        default=None, ge=1, description="Set on the exchange at the start; empty: the leverage there stays as it is."
    )

    order_amount: Decimal = Field(default=Decimal("0.001"), gt=0, description="The size of each order.")
    order_levels: int = Field(default=2, ge=1, le=20, description="Orders on each side.")
    spread_bps: Decimal = Field(default=Decimal(5), gt=0, lt=5000, description="Reference price to the first order.")
    level_spread_bps: Decimal = Field(default=Decimal(5), ge=0, lt=1000, description="From one order to the next.")
    price_type: str = Field(
        default="mid",
        pattern="^(mid|mark)$",
        description="The reference price: mid of the book, or the exchange's mark price, which own orders cannot move.",
    )

    book_timeout: float = Field(
        default=15, gt=0, description="A book in which nothing has changed for so long is not quoted on."
    )

    order_refresh_time: float = Field(default=15, ge=1, description="How long an order stays before it is checked.")
    order_refresh_tolerance_bps: Decimal = Field(
        default=Decimal(1), ge=0, description="An order that is no further than this from its place stays."
    )
    order_max_deviation_bps: Decimal = Field(
        default=Decimal(4), gt=0, description="An order further than this from its place is replaced at once."
    )
    filled_order_delay: float = Field(
        default=2, ge=0, description="How long a side waits after a fill before it gets a new order."
    )

    target_position: Decimal = Field(default=Decimal(0), description="The position to lean to; negative: short.")
    max_position: Decimal = Field(
        default=Decimal("0.005"), gt=0, description="No order is placed that could bring the position beyond it."
    )
    skew_bps: Decimal = Field(
        default=Decimal(5), ge=0, lt=1000, description="How far the quotes shift when the position is at its maximum."
    )

    close_position_on_stop: bool = Field(
        default=False, description="Whether a market order closes the position when the bot stops."
    )

    @model_validator(mode="after")
    def _check_together(self) -> "ParadexMarketMakingConfig":
        if abs(self.target_position) >= self.max_position:
            raise ValueError("target_position must lie within max_position")
        if self.order_max_deviation_bps < self.order_refresh_tolerance_bps:
            raise ValueError("order_max_deviation_bps must not be smaller than order_refresh_tolerance_bps")
        return self

    def update_markets(self, markets: MarketDict) -> MarketDict:
        """Hummingbot asks here which connector and pairs to start."""
        return markets.add_or_update(self.connector, self.trading_pair)


@dataclass
class Quote:
    """An order of this run that is not known to be closed."""

    order_id: str
    side: TradeType
    level: int
    price: Decimal
    amount: Decimal
    placed_at: float
    cancel_asked_at: float | None = None


@dataclass(frozen=True)
class Target:
    """Where an order should be."""

    side: TradeType
    level: int
    price: Decimal


@dataclass
class Pause:
    """Why a side may have to wait before it gets a new order. Times in seconds."""

    until: float = 0.0
    failures: int = 0
    failed_at: float = 0.0


@dataclass
class Tally:
    """What has been traded on one side since the start."""

    fills: int = 0
    base: Decimal = Decimal(0)
    quote: Decimal = Decimal(0)


@dataclass
class Totals:
    """What has been traded since the start. Fees in USDC."""

    sides: dict[TradeType, Tally] = field(default_factory=lambda: {side: Tally() for side in SIDES})
    fees: Decimal = Decimal(0)


class ParadexMarketMaking(StrategyV2Base):
    """Keeps `order_levels` post-only orders on each side of the reference price.

    Every second each order is compared with the place where it should be. One that has been there for
    `order_refresh_time` and is more than `order_refresh_tolerance_bps` off is replaced; one that is more than
    `order_max_deviation_bps` off is replaced without waiting. The replacement goes out when the exchange has confirmed
    the cancel, so that there are never two orders for one place.

    With s = (position - target) / max_position, between -1 and 1, all quotes shift by -s * `skew_bps`: a long position
    makes the asks better and the bids worse. All orders of a side together never exceed what is left to `max_position`.

    While the connector is not connected nothing is done: an order that cannot be watched is not placed.
    """

    def __init__(self, connectors: dict[str, ConnectorBase], config: ParadexMarketMakingConfig) -> None:
        super().__init__(connectors, config)
        self.config: ParadexMarketMakingConfig = config
        self._connector = connectors[config.connector]
        self._pair = config.trading_pair
        self._quotes: dict[str, Quote] = {}  # by client order id
        self._pauses = {side: Pause() for side in SIDES}
        self._totals = Totals()
        self._latest_fills: deque[tuple[float, TradeType, Decimal]] = deque()  # timestamp in seconds, side, base
        self._leverage_asked = False
        self._requote_scheduled = False
        self._leftovers_cancelled_at: dict[str, float] = {}
        self._book_uid = -1
        self._book_changed_at = 0.0
        self._said: dict[str, str] = {}  # what has been reported, by topic, so that it is reported once

    # === Every second, and when an order has ended ===

    def on_tick(self) -> None:
        """Hummingbot's clock: brings the orders to where they should be."""
        if self._is_stop_triggered:
            return
        if not self._is_connected():
            self._say("connection", f"{self._connector.name} is not connected: no orders are placed until it is back.")
            return
        self._say("connection", "")
        if self.config.leverage is not None and not self._leverage_asked:
            self._leverage_asked = True
            self._connector.set_leverage(self._pair, self.config.leverage)
        self._forget_untracked()
        self._cancel_leftovers()
        reference = self._reference_price() if self._is_book_alive() else None
        if reference is None:
            self._say("reference", "The order book is empty, old or stands still: all quotes are cancelled meanwhile.")
            self._cancel(self._quotes.values())
            return
        self._say("reference", "")
        self._requote(reference)

    def _requote(self, reference: Decimal) -> None:
        position = self._position()
        quotes = {(quote.side, quote.level): quote for quote in self._quotes.values()}
        targets = self._targets(reference, position)
        for side in SIDES:
            capacity = self._capacity(side, position)
            missing = []
            for target in targets[side]:
                quote = quotes.get((side, target.level))
                if quote is None:
                    missing.append(target)
                    continue
                remaining = self._remaining(quote)
                if remaining > capacity or self._is_off(quote, target, reference):
                    self._cancel([quote])
                capacity -= remaining
            if self._may_place(side):
                for target in missing:
                    capacity -= self._place(target, capacity, position)

    def _targets(self, reference: Decimal, position: Decimal) -> dict[TradeType, list[Target]]:
        """The places of all orders, best first. They are on the tick and would not take."""
        config = self.config
        skew = max(Decimal(-1), min(Decimal(1), (position - config.target_position) / config.max_position))
        center = reference * (1 - skew * config.skew_bps * BPS)
        tick = self._connector.trading_rules[self._pair].min_price_increment
        best_bid = self._connector.get_price(self._pair, False)
        best_ask = self._connector.get_price(self._pair, True)
        targets: dict[TradeType, list[Target]] = {side: [] for side in SIDES}
        for level in range(config.order_levels):
            distance = center * (config.spread_bps + level * config.level_spread_bps) * BPS
            bid, ask = center - distance, center + distance
            if best_ask.is_finite():
                bid = min(bid, best_ask - tick)
            if best_bid.is_finite():
                ask = max(ask, best_bid + tick)
            bid = (bid / tick).to_integral_value(ROUND_FLOOR) * tick
            ask = (ask / tick).to_integral_value(ROUND_CEILING) * tick
            targets[TradeType.BUY].append(Target(TradeType.BUY, level, bid))
            targets[TradeType.SELL].append(Target(TradeType.SELL, level, ask))
        return targets

    def _is_off(self, quote: Quote, target: Target, reference: Decimal) -> bool:
        """Whether an order is to be replaced."""
        deviation = abs(quote.price - target.price) / reference / BPS
        if deviation > self.config.order_max_deviation_bps:
            return True
        if self.current_timestamp - quote.placed_at < self.config.order_refresh_time:
            return False
        return deviation > self.config.order_refresh_tolerance_bps or self._remaining(quote) < quote.amount

    def _capacity(self, side: TradeType, position: Decimal) -> Decimal:
        """What may be bought or sold until the position is at its maximum, in base; negative if it is beyond."""
        while self._latest_fills and self.current_timestamp - self._latest_fills[0][0] > POSITION_LAG:
            self._latest_fills.popleft()
        latest = sum((amount for _, filled, amount in self._latest_fills if filled is side), Decimal(0))
        return self.config.max_position - latest - (position if side is TradeType.BUY else -position)

    def _may_place(self, side: TradeType) -> bool:
        return self.current_timestamp >= self._pauses[side].until

    def _place(self, target: Target, capacity: Decimal, position: Decimal) -> Decimal:
        """Places an order if it fits.

        :return: its size in base; 0 if it is not placed
        """
        rule = self._connector.trading_rules[self._pair]
        step = rule.min_base_amount_increment
        amount = (min(self.config.order_amount, capacity) / step).to_integral_value(ROUND_DOWN) * step
        too_small = amount < rule.min_order_size or amount * target.price < rule.min_notional_size
        if capacity >= self.config.order_amount:
            self._say(
                "size",
                f"order_amount {self.config.order_amount} is too small for {self._pair}: orders must be of at least "
                f"{rule.min_order_size} and worth {rule.min_notional_size} USDC."
                if too_small
                else "",
            )
        if too_small or not self._is_affordable(target, amount, position):
            return Decimal(0)
        place = self.buy if target.side is TradeType.BUY else self.sell
        order_id = place(
            self.config.connector, self._pair, amount, OrderType.LIMIT_MAKER, target.price, PositionAction.OPEN
        )
        self._quotes[order_id] = Quote(
            order_id, target.side, target.level, target.price, amount, placed_at=self.current_timestamp
        )
        return amount

    def _is_affordable(self, target: Target, amount: Decimal, position: Decimal) -> bool:
        """Whether the free collateral covers the order; one that makes the position smaller needs none."""
        reduces = position < 0 if target.side is TradeType.BUY else position > 0
        if reduces and amount <= abs(position):
            return True
        candidate = PerpetualOrderCandidate(
            trading_pair=self._pair,
            is_maker=True,
            order_type=OrderType.LIMIT_MAKER,
            order_side=target.side,
            amount=amount,
            price=target.price,
            leverage=Decimal(self._connector.get_leverage(self._pair)),
        )
        adjusted = self._connector.budget_checker.adjust_candidate(candidate, all_or_none=True)
        affordable = adjusted.amount >= amount
        self._say(
            f"collateral {target.side.name}",
            "" if affordable else f"The free collateral does not cover another {target.side.name} of {amount}.",
        )
        return affordable

    # === What the connector knows ===

    def _is_connected(self) -> bool:
        status = self._connector.status_dict
        ready = all(status[part] for part in status if part != BOOKS)
        return self._connector.network_status is NetworkStatus.CONNECTED and ready

    def _is_book_alive(self) -> bool:
        """Whether the book is told by the stream and has changed lately. A stream that has died leaves the last book
        behind, and its price."""
        if not self._connector.status_dict[BOOKS]:
            return False
        book = self._connector.get_order_book(self._pair)
        uid = max(book.snapshot_uid, book.last_diff_uid)
        if uid != self._book_uid:
            self._book_uid = uid
            self._book_changed_at = self.current_timestamp
        return self.current_timestamp - self._book_changed_at <= self.config.book_timeout

    def _reference_price(self) -> Decimal | None:
        if self.config.price_type == "mark":
            price = self._mark_price()
        else:
            price = self._connector.get_price_by_type(self._pair, PriceType.MidPrice)
        return price if price is not None and price.is_finite() and price > 0 else None

    def _position(self) -> Decimal:
        """The position in base; negative: short."""
        positions = self._connector.account_positions.values()
        return sum((position.amount for position in positions if position.trading_pair == self._pair), Decimal(0))

    def _open_orders(self) -> list[InFlightOrder]:
        orders = self._connector.in_flight_orders.values()
        return [order for order in orders if order.trading_pair == self._pair and not order.is_done]

    def _remaining(self, quote: Quote) -> Decimal:
        order = self._connector.in_flight_orders.get(quote.order_id)
        return quote.amount if order is None else order.amount - order.executed_amount_base

    # === Cancelling ===

    def _cancel(self, quotes: Iterable[Quote]) -> None:
        for quote in quotes:
            asked_at = quote.cancel_asked_at
            if asked_at is None or self.current_timestamp - asked_at >= CANCEL_RETRY:
                quote.cancel_asked_at = self.current_timestamp
                self._connector.cancel(self._pair, quote.order_id)

    def _cancel_leftovers(self) -> None:
        """Cancels the orders that Hummingbot remembers from an earlier run, which ended without cancelling them."""
        for order in self._open_orders():
            order_id = order.client_order_id
            asked_at = self._leftovers_cancelled_at.get(order_id)
            if order_id in self._quotes or (asked_at and self.current_timestamp - asked_at < CANCEL_RETRY):
                continue
            if asked_at is None:
                self.logger().info(f"Order {order_id} is left over from an earlier run: cancelling it.")
            self._leftovers_cancelled_at[order_id] = self.current_timestamp
            self._connector.cancel(self._pair, order_id)

    def _forget_untracked(self) -> None:
        """Drops the quotes whose end was not reported. A new order is tracked a moment after it was asked for."""
        for quote in list(self._quotes.values()):
            old = self.current_timestamp - quote.placed_at > UNTRACKED_GRACE
            if old and quote.order_id not in self._connector.in_flight_orders:
                del self._quotes[quote.order_id]

    # === Events ===

    def did_fill_order(self, event: OrderFilledEvent) -> None:
        """Hummingbot reports a fill, also of an order of an earlier run."""
        if event.trading_pair != self._pair:
            return
        tally = self._totals.sides[event.trade_type]
        tally.fills += 1
        tally.base += event.amount
        tally.quote += event.amount * event.price
        self._totals.fees += sum((fee.amount for fee in event.trade_fee.flat_fees), Decimal(0))
        self._latest_fills.append((self.current_timestamp, event.trade_type, event.amount))
        pause = self._pauses[event.trade_type]
        pause.until = max(pause.until, self.current_timestamp + self.config.filled_order_delay)

    def did_cancel_order(self, event: OrderCancelledEvent) -> None:
        """Hummingbot reports that an order is cancelled."""
        self._order_ended(event.order_id)

    def did_complete_buy_order(self, event: BuyOrderCompletedEvent) -> None:
        """Hummingbot reports that a bid is filled."""
        self._order_ended(event.order_id)

    def did_complete_sell_order(self, event: SellOrderCompletedEvent) -> None:
        """Hummingbot reports that an ask is filled."""
        self._order_ended(event.order_id)

    def _order_ended(self, order_id: str) -> None:
        """The replacement of an order need not wait for the next tick."""
        if self._quotes.pop(order_id, None) is not None and not self._requote_scheduled:
            self._requote_scheduled = True
            # Later, for the connector still tracks the order while it reports its end.
            asyncio.get_running_loop().call_soon(self._requote_now)

    def _requote_now(self) -> None:
        self._requote_scheduled = False
        self.on_tick()

    def did_fail_order(self, event: MarketOrderFailureEvent) -> None:
        """Hummingbot reports that an order was refused: its side waits, longer each time."""
        quote = self._quotes.pop(event.order_id, None)
        if quote is None:
            return
        pause = self._pauses[quote.side]
        if self.current_timestamp < pause.until:
            return  # one of several that were refused together
        if self.current_timestamp - pause.failed_at > FAILURES_MEMORY:
            pause.failures = 0
        pause.until = self.current_timestamp + min(LONGEST_PAUSE, FIRST_PAUSE * 2**pause.failures)
        pause.failed_at = self.current_timestamp
        pause.failures += 1

    # === Stopping ===

    async def on_stop(self) -> None:
        """Hummingbot stops the bot: cancels every order of the pair, and closes the position if that is configured."""
        self._is_stop_triggered = True  # from here on no order is placed by a tick
        await self._cancel_everything()
        if self.config.close_position_on_stop:
            await self._close_position()
        await super().on_stop()

    async def _cancel_everything(self) -> None:
        asked: dict[str, float] = {}
        loop = asyncio.get_running_loop()
        deadline = loop.time() + STOP_PATIENCE
        # An order that was asked for in the last tick is tracked only after the loop has turned.
        await asyncio.sleep(0)
        while (orders := self._open_orders()) and loop.time() < deadline:
            for order in orders:
                if loop.time() - asked.get(order.client_order_id, float("-inf")) > STOP_PATIENCE / 3:
                    asked[order.client_order_id] = loop.time()
                    self._connector.cancel(self._pair, order.client_order_id)
            await asyncio.sleep(STOP_POLL)
        if orders:
            listed = ", ".join(order.client_order_id for order in orders)
            self.logger().error(f"These orders may still be open, cancel them on the exchange: {listed}")

    async def _close_position(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + STOP_PATIENCE
        while (position := self._position()) and loop.time() < deadline:
            if not self._open_orders():
                place = self.sell if position > 0 else self.buy
                order_id = place(
                    self.config.connector,
                    self._pair,
                    abs(position),
                    OrderType.MARKET,
                    self._connector.get_price(self._pair, position < 0),
                    PositionAction.CLOSE,
                )
                self.logger().info(f"Closing the position of {position} with order {order_id}.")
            # Neither the order's end nor the position's change is instant: asking too soon would close it twice.
            await asyncio.sleep(1)
        if position:
            self.logger().error(f"The position of {position} {self._pair} could not be closed: close it by hand.")

    # === Status ===

    def format_status(self) -> str:
        """What `hbot status` shows."""
        if not self.ready_to_trade:
            return "\n".join(self._not_ready_lines())
        is_connected = self._is_connected()
        reference = self._reference_price() if is_connected else None
        lines = [f"{self.config.connector} {self._pair}" + ("" if is_connected else "  NOT CONNECTED")]
        lines.append(f"  reference price ({self.config.price_type}): {reference if reference else 'none'}")
        lines += self._position_lines()
        lines.append(f"  {'side':<5}{'level':>6}{'price':>14}{'size':>12}{'bps':>8}{'age':>7}")
        for quote in sorted(self._quotes.values(), key=lambda quote: -quote.price):
            distance = f"{(quote.price - reference) / reference / BPS:+.1f}" if reference else "-"
            age = f"{self.current_timestamp - quote.placed_at:.0f} s"
            lines.append(
                f"  {quote.side.name:<5}{quote.level + 1:>6}{quote.price.normalize():>14f}"
                f"{self._remaining(quote).normalize():>12f}{distance:>8}{age:>7}"
            )
        if not self._quotes:
            lines.append("  no orders")
        for side, tally in self._totals.sides.items():
            lines.append(f"  {side.name}: {tally.fills} fills, {tally.base.normalize():f} for {tally.quote:.2f} USDC")
        lines.append(f"  fees: {self._totals.fees:.4f} USDC")
        result = self._result()
        lines.append(f"  result of these fills, after fees: {'unknown' if result is None else f'{result:+.4f} USDC'}")
        lines += [f"  {line}" for line in self._connector.format_status_lines()]
        lines += [f"  ! {text}" for text in self._said.values() if text]
        return "\n".join(lines)

    def _not_ready_lines(self) -> list[str]:
        missing = [part for part, is_there in self._connector.status_dict.items() if not is_there]
        waits_for = ", ".join(part.removesuffix("_initialized").replace("_", " ") for part in missing)
        lines = [f"{self.config.connector} is not ready: it waits for {waits_for or 'its first tick'}"]
        return lines + [f"  {line}" for line in self._connector.format_status_lines()]

    def _result(self) -> Decimal | None:
        """What the fills since the start have earned in USDC: after fees, before funding, and with what is left of them
        valued at the mark price; None while that is not known.

        `hbot history` has no figure for it: it pairs orders that open a position with orders that close one, and all of
        these open.
        """
        bought, sold = (self._totals.sides[side] for side in SIDES)
        left = bought.base - sold.base
        mark_price = self._mark_price() if left else Decimal(0)
        return None if mark_price is None else sold.quote - bought.quote + left * mark_price - self._totals.fees

    def _mark_price(self) -> Decimal | None:
        try:
            price: Decimal = self._connector.get_funding_info(self._pair).mark_price
        except KeyError:  # a connector that is not connected knows none
            return None
        return price

    def _position_lines(self) -> list[str]:
        lines = [f"  position: {self._position()} (at most {self.config.max_position})"]
        mark_price = self._mark_price()
        for position in self._connector.account_positions.values():
            if position.trading_pair == self._pair:
                # The position's own figure is as old as the last message about it.
                unrealized = None if mark_price is None else position.amount * (mark_price - position.entry_price)
                pnl = "unknown" if unrealized is None else f"{unrealized:+.4f} USDC"
                lines.append(f"  entry price: {position.entry_price:.2f}, unrealized PnL: {pnl}")
        return lines

    def _say(self, topic: str, text: str) -> None:
        """Reports a hindrance once when it begins, and its end (an empty text) once."""
        before = self._said.get(topic, "")
        if bool(text) != bool(before):
            self.logger().info(text or f"Over: {before}")
        self._said[topic] = text
