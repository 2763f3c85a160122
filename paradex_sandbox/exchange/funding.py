"""Continuous funding of a perpetual: rate, premium and index (docs: risk-system/funding-mechanism)."""

from decimal import Decimal

from paradex_sandbox.exchange.model import FundingData, Market
from paradex_sandbox.exchange.numbers import EXACT, clip
from paradex_sandbox.exchange.packed import PackedHistory

SECOND = 1_000_000
_HISTORY_EVERY = 60 * SECOND
#: A week of minutes.
FUNDING_HISTORY = 10_080
_REFERENCE_HOURS = 8
#: Half-life of the published rate: 30 minutes, by one-second ticks.
_SMOOTHING = Decimal(str(round(1 - 2 ** (-1 / 1800), 12)))
_RATE_STEP = Decimal("1e-12")
#: A low-priced market pays about 1e-11 per unit and second: 8 decimals would round its funding away.
_INDEX_STEP = Decimal("1e-18")
_SECONDS_PER_HOUR = 3600


class FundingState:
    """The funding of one market, ticked on every whole second.

    Rates of the formula are per 8 hours; `rate` is for the market's own period.
    """

    def __init__(self, market: Market, spot_price: Decimal) -> None:
        self.market = market
        self._period_share = Decimal(market.funding_period_hours) / _REFERENCE_HOURS
        self._period_seconds = market.funding_period_hours * _SECONDS_PER_HOUR
        self.rate_8h = market.interest_rate
        self.premium = self._premium(spot_price)
        self.index = Decimal(0)
        self.history = PackedHistory(FUNDING_HISTORY, _pack, self._unpack)

    @property
    def rate(self) -> Decimal:
        return (self.rate_8h * self._period_share).quantize(_RATE_STEP)

    def _premium(self, spot_price: Decimal) -> Decimal:
        return (self.rate_8h * self._period_share * spot_price).quantize(_RATE_STEP)

    def tick(self, now: int, mark_price: Decimal, spot_price: Decimal) -> None:
        """One second has passed: the index takes what the last premium accrued, then the rate moves on.

        The sandbox has one venue, so the premium is the mark's over spot.
        """
        market = self.market
        self.index = EXACT.add(self.index, EXACT.divide(self.premium, self._period_seconds).quantize(_INDEX_STEP))
        premium_rate = (mark_price - spot_price) / spot_price
        pulled = premium_rate + clip(market.interest_rate - premium_rate, market.clamp_rate)
        raw = clip(market.funding_multiplier * pulled, market.max_funding_rate)
        self.rate_8h += ((raw - self.rate_8h) * _SMOOTHING).quantize(_RATE_STEP)
        self.premium = self._premium(spot_price)
        if now % _HISTORY_EVERY == 0:
            self.history.append(self.data(now))

    def data(self, now: int) -> FundingData:
        return FundingData(
            market=self.market.symbol,
            funding_rate=self.rate,
            funding_rate_8h=self.rate_8h,
            funding_index=self.index,
            funding_premium=self.premium,
            funding_period_hours=self.market.funding_period_hours,
            created_at=now,
        )

    def _unpack(self, text: str) -> FundingData:
        rate, rate_8h, index, premium, hours, created_at = text.split()
        return FundingData(
            market=self.market.symbol,
            funding_rate=Decimal(rate),
            funding_rate_8h=Decimal(rate_8h),
            funding_index=Decimal(index),
            funding_premium=Decimal(premium),
            funding_period_hours=int(hours),
            created_at=int(created_at),
        )


def _pack(data: FundingData) -> str:
    return (
        f"{data.funding_rate} {data.funding_rate_8h} {data.funding_index} {data.funding_premium}"
        f" {data.funding_period_hours} {data.created_at}"
    )
