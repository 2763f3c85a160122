"""Other traders, so that there is something to trade with."""

from decimal import Decimal
from math import ceil, floor
from random import Random

from paradex_sandbox.exchange.crowd import Crowd, CrowdQuote
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.model import Market, Side

_SECOND = 1_000_000
#: Levels that the makers keep on each side.
LADDER_LEVELS = 18
#: How often makers look at the mark; each market at its own phase.
_REQUOTE_INTERVAL = 250_000
#: Levels lie half_spread * (1 + a * n + b * n * n) from the mark: dense inside, about 26 half spreads at the end.
_LEVEL_SPACING = (0.6, 0.05)
#: RPI quotes lie at this share of the half spread.
_RPI_DISTANCE = 0.5
#: The share of levels that are requoted in size although their price stays.
_RESIZE_SHARE = 0.15
#: Takers accept this much beyond the best price, as a fraction of it.
_TAKER_PATIENCE = 0.0005
#: The worst distance from the mark that any taker accepts, as a fraction of it.
_WORST = 0.005
#: This share of the takers takes everything down to a random depth (in half spreads from the mark), as stop runs and
#: liquidations do; mostly each goes against the last one.
_SWEEP_SHARE = 0.12
_SWEEP_DEPTH = (5.0, 16.0)
_SWEEP_REVERSAL = 0.75
#: How soon makers are back after a sweep.
_REFILL_DELAY = 50_000
#: After a long jump of the clock only so much of the takers' time is caught up with.
_LONGEST_CATCH_UP = 5 * _SECOND


class SyntheticTraders:
    """Makers that quote a ladder around the mark price and takers that hit whatever is best, in every market.

    They have no accounts and treat nobody's orders specially. Drawn from `seed` alone: same seed, same times and same
    other orders give the same flow.
    """

    def __init__(self, exchange: Exchange, seed: int) -> None:
        self._exchange = exchange
        self._seed = seed
        self._desks: dict[str, _Desk] = {}

    def step(self, now_us: int) -> None:
        """Requotes and trades for the time up to `now_us`; call it after `Exchange.advance(now_us)`.

        Runs the exchange's queue first, so that what was submitted before comes before.
        """
        self._exchange.process()
        crowd = self._exchange.crowd
        if self._desks.keys() - self._exchange.markets.keys():
            # Whoever lists a market anew finds new traders, as after a restart.
            self._desks = {symbol: desk for symbol, desk in self._desks.items() if symbol in self._exchange.markets}
        for market in crowd.markets():
            desk = self._desks.get(market.symbol)
            if desk is None:
                desk = self._desks[market.symbol] = _Desk(crowd, market, self._seed, now_us)
            desk.use(market)
            desk.step(now_us)
        crowd.publish()


class _Desk:
    """The makers and takers of one market, with randomness of their own."""

    def __init__(self, crowd: Crowd, market: Market, seed: int, now: int) -> None:
        self._crowd = crowd
        self._symbol = market.symbol
        self._rng = Random(f"{seed}/{market.symbol}/traders")
        self._read(market)
        self._quotes: dict[tuple[Side, Decimal], CrowdQuote] = {}
        # Draws of their own: what Retail takers are offered does not move the API book.
        self._rpi_rng = Random(f"{seed}/{market.symbol}/rpi")
        self._rpi_quotes: dict[Side, tuple[Decimal, CrowdQuote]] = {}
        self._sweep_side = self._rng.choice((Side.BUY, Side.SELL))
        self._next_requote = now + self._rng.randrange(_REQUOTE_INTERVAL)
        self._next_taker = now + self._wait()
        self._requote()

    def _read(self, market: Market) -> None:
        self._market, self._params = market, market.simulation
        self._tick, self._step = market.price_tick_size, market.order_size_increment
        self._tick_float, self._step_float = float(self._tick), float(self._step)
        self._max_size = float(market.max_order_size)

    def use(self, market: Market) -> None:
        """Goes on with what the market's rules are now."""
        if market is not self._market:
            self._read(market)

    def step(self, now: int) -> None:
        """Makers first, on the newest mark; then each taker whose time has come."""
        if now >= self._next_requote:
            self._requote()
            passed = (now - self._next_requote) // _REQUOTE_INTERVAL + 1
            self._next_requote += passed * _REQUOTE_INTERVAL
        self._next_taker = max(self._next_taker, now - _LONGEST_CATCH_UP)
        while self._next_taker <= now:
            self._take(now)
            self._next_taker += self._wait()

    def _wait(self) -> int:
        return max(1, int(self._rng.expovariate(self._params.takers_per_second) * _SECOND))

    # -- makers -------------------------------------------------------------------------------------------------------

    def _requote(self) -> None:
        """Moves the ladder to the mark. Levels whose price stays mostly keep their size and their place in the queue.

        Everything stale is withdrawn before anything new is placed, so that the ladder never meets itself; what it
        meets of others, it trades with.
        """
        wanted = self._ladder()
        for key, quote in list(self._quotes.items()):
            if key not in wanted or self._rng.random() < _RESIZE_SHARE:
                self._crowd.withdraw(quote)
                del self._quotes[key]
        for key, size in wanted.items():
            if key in self._quotes and self._quotes[key].resting.remaining:
                continue
            placed = self._crowd.quote(self._symbol, *key, size)
            if placed is not None:
                self._quotes[key] = placed
            else:
                self._quotes.pop(key, None)

        self._requote_rpi()

    def _requote_rpi(self) -> None:
        """One hidden level a side, inside the spread, for Retail takers."""
        mark = float(self._crowd.mark_price(self._symbol))
        distance = mark * self._params.half_spread * _RPI_DISTANCE
        for side, ticks in (
            (Side.BUY, floor((mark - distance) / self._tick_float)),
            (Side.SELL, ceil((mark + distance) / self._tick_float)),
        ):
            price = ticks * self._tick
            before = self._rpi_quotes.get(side)
            if before is not None:
                if before[0] == price and before[1].resting.remaining:
                    continue
                self._crowd.withdraw(before[1])
                del self._rpi_quotes[side]
            size = self._rounded(self._params.level_notional * self._rpi_rng.uniform(0.1, 0.4), mark)
            placed = self._crowd.quote(self._symbol, side, price, size, is_rpi=True) if ticks > 0 else None
            if placed is not None:
                self._rpi_quotes[side] = (price, placed)

    def _ladder(self) -> dict[tuple[Side, Decimal], Decimal]:
        """Size by side and price, the nearest levels first."""
        mark, spread = float(self._crowd.mark_price(self._symbol)), self._params.half_spread
        ladder: dict[tuple[Side, Decimal], Decimal] = {}
        for level in range(LADDER_LEVELS):
            distance = mark * spread * (1 + _LEVEL_SPACING[0] * level + _LEVEL_SPACING[1] * level * level)
            # Rounded away from the mark, and every level at least a tick further than the last.
            bid = min(floor((mark - distance) / self._tick_float), floor(mark / self._tick_float) - 1 - level)
            ask = max(ceil((mark + distance) / self._tick_float), ceil(mark / self._tick_float) + 1 + level)
            for side, ticks in ((Side.BUY, bid), (Side.SELL, ask)):
                size = self._size(self._params.level_notional * (0.4 + 0.1 * level), mark)
                if ticks > 0:
                    ladder[side, ticks * self._tick] = size
        return ladder

    # -- takers -------------------------------------------------------------------------------------------------------

    def _take(self, now: int) -> None:
        if self._rng.random() < _SWEEP_SHARE:
            self._sweep()
            self._next_requote = min(self._next_requote, now + _REFILL_DELAY)
        else:
            side = self._rng.choice((Side.BUY, Side.SELL))
            notional = self._params.taker_notional * self._rng.lognormvariate(-0.5, 1.0)
            best = self._crowd.best(self._symbol, side.opposite)
            if best is not None:
                self._hit(side, float(best), _TAKER_PATIENCE, notional)

    def _sweep(self) -> None:
        if self._rng.random() < _SWEEP_REVERSAL:
            self._sweep_side = self._sweep_side.opposite
        depth = self._rng.uniform(*_SWEEP_DEPTH) * self._params.half_spread
        mark = float(self._crowd.mark_price(self._symbol))
        self._hit(self._sweep_side, mark, depth, self._params.level_notional * LADDER_LEVELS * 2)

    def _hit(self, side: Side, anchor: float, patience: float, notional: float) -> None:
        """Takes up to `notional` USD, no worse than `patience` (a fraction) beyond `anchor`.

        Never far from the mark either: takers lose to nobody who quotes a lonely book absurdly.
        """
        mark = float(self._crowd.mark_price(self._symbol))
        if side is Side.BUY:
            ticks = floor(min(anchor * (1 + patience), mark * (1 + _WORST)) / self._tick_float)
        else:
            ticks = ceil(max(anchor * (1 - patience), mark * (1 - _WORST)) / self._tick_float)
        if ticks > 0:
            self._crowd.take(self._symbol, side, ticks * self._tick, self._rounded(notional, mark))

    # -- sizes --------------------------------------------------------------------------------------------------------

    def _size(self, notional: float, price: float) -> Decimal:
        """A random size around `notional` USD."""
        return self._rounded(notional * self._rng.uniform(0.5, 1.5), price)

    def _rounded(self, notional: float, price: float) -> Decimal:
        """`notional` USD in base currency: whole steps, at least one, at most the market's largest order."""
        size = min(notional / price, self._max_size)
        return max(1, int(size / self._step_float)) * self._step
