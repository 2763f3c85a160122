"""The door for traders without an account: synthetic makers and takers, or recorded ones."""

from dataclasses import dataclass
from decimal import Decimal

from paradex_sandbox.exchange.book import RestingOrder
from paradex_sandbox.exchange.matching import MatchingEngine
from paradex_sandbox.exchange.model import ZERO, Market, Side, SystemStatus
from paradex_sandbox.exchange.publishing import flush
from paradex_sandbox.exchange.state import ExchangeState, MarketState


@dataclass(frozen=True, slots=True)
class CrowdQuote:
    """A quote of the crowd that may still rest; `Crowd.withdraw` takes it back."""

    market: MarketState
    resting: RestingOrder


class Crowd:
    """Trades at once and as one: no margin, no fees, no client ids, one position per market (`MarketState.crowd`).

    Prices and sizes must be multiples of the market's steps. Nothing is published before `publish`.
    """

    def __init__(self, state: ExchangeState, engine: MatchingEngine) -> None:
        self._state = state
        self._engine = engine

    def markets(self) -> list[Market]:
        """Those that can be traded now."""
        return [m.market for m in self._state.markets.values() if m.market.is_tradable and not m.is_expired]

    def mark_price(self, market: str) -> Decimal:
        return self._state.markets[market].mark.mark_price

    def best(self, market: str, side: Side) -> Decimal | None:
        """The best price on `side`, None where it is empty."""
        level = self._state.markets[market].book.side(side).best()
        return level.price if level is not None else None

    def quote(
        self, market: str, side: Side, price: Decimal, size: Decimal, *, is_rpi: bool = False
    ) -> CrowdQuote | None:
        """A limit order: trades what it crosses, rests the remainder; None if nothing remains.

        None too where the system's status refuses it: in post_only what crosses, in cancel_only everything. An RPI
        quote meets Retail takers only.
        """
        state, status = self._state.markets[market], self._state.status
        if status is not SystemStatus.OK and (
            status is not SystemStatus.POST_ONLY or (not is_rpi and state.book.crosses(side, price))
        ):
            return None
        resting = self._engine.quote(state, side, price, size, is_rpi=is_rpi)
        return CrowdQuote(state, resting) if resting is not None else None

    def withdraw(self, quote: CrowdQuote) -> None:
        """Takes back what is left of a quote; harmless where nothing is."""
        self._engine.withdraw(quote.market, quote.resting)

    def resize(self, quote: CrowdQuote, size: Decimal) -> None:
        """Brings what is left of a resting quote to `size`, above 0, in its place of the queue."""
        side, change = quote.market.book.home(quote.resting), size - quote.resting.remaining
        if change > 0:
            side.grow(quote.resting, change)
        elif change < 0:
            side.reduce(quote.resting, -change)

    def take(self, market: str, side: Side, limit: Decimal, size: Decimal) -> Decimal:
        """Trades immediately, no worse than `limit`; returns the size that was traded, 0 unless the system is ok."""
        if self._state.status is not SystemStatus.OK:
            return ZERO
        return size - self._engine.take(self._state.markets[market], side, limit, size)

    def publish(self) -> None:
        """Ends the batch: books move to their next sequence number and events come out."""
        flush(self._state)
