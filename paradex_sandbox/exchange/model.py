"""The exchange's vocabulary: what is traded, ordered, filled, held and owed.

Field names are those of the OpenAPI responses where one exists. Sizes are in base currency, prices in quote currency,
money in the settlement currency (USDC) unless a name says otherwise; times are integer microseconds since the epoch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

ZERO = Decimal(0)
SETTLEMENT_TOKEN = "USDC"


class AssetKind(StrEnum):
    PERP = "PERP"
    PERP_OPTION = "PERP_OPTION"
    SPOT = "SPOT"
    OPTION = "OPTION"
    FUTURE = "FUTURE"


class TradingMode(StrEnum):
    STANDARD = "STANDARD"
    RFQ_ONLY = "RFQ_ONLY"


class MarketKind(StrEnum):
    CROSS = "cross"
    ISOLATED = "isolated"
    ISOLATED_MARGIN = "isolated_margin"


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        """1 for BUY, -1 for SELL."""
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP_LIMIT = "STOP_LIMIT"
    STOP_MARKET = "STOP_MARKET"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"
    STOP_LOSS_MARKET = "STOP_LOSS_MARKET"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"

    @property
    def has_price(self) -> bool:
        """Whether it executes as a LIMIT order, at once or when it is triggered; the others as MARKET."""
        return self in _PRICED

    @property
    def is_trigger(self) -> bool:
        """Whether it waits for the mark price."""
        return self not in (OrderType.MARKET, OrderType.LIMIT)

    @property
    def closes_position(self) -> bool:
        """Take-profit and stop-loss: tied to a position, they only ever reduce it."""
        return self in _POSITION_BOUND


_PRICED = frozenset((OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT, OrderType.STOP_LOSS_LIMIT))
_TAKE_PROFIT = frozenset((OrderType.TAKE_PROFIT_MARKET, OrderType.TAKE_PROFIT_LIMIT))
_POSITION_BOUND = _TAKE_PROFIT | {OrderType.STOP_LOSS_MARKET, OrderType.STOP_LOSS_LIMIT}


class OrderInstruction(StrEnum):
    GTC = "GTC"
    POST_ONLY = "POST_ONLY"
    IOC = "IOC"
    RPI = "RPI"


class OrderFlag(StrEnum):
    REDUCE_ONLY = "REDUCE_ONLY"
    STOP_CONDITION_BELOW_TRIGGER = "STOP_CONDITION_BELOW_TRIGGER"
    STOP_CONDITION_ABOVE_TRIGGER = "STOP_CONDITION_ABOVE_TRIGGER"
    INTERACTIVE = "INTERACTIVE"
    TARGET_STRATEGY_VWAP = "TARGET_STRATEGY_VWAP"
    #: Under market-maker protection (`mmp.py`).
    MMP = "MMP"


class OrderStatus(StrEnum):
    NEW = "NEW"
    UNTRIGGERED = "UNTRIGGERED"
    OPEN = "OPEN"
    CLOSED = "CLOSED"


class SelfTradePrevention(StrEnum):
    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"


class OrderClass(StrEnum):
    """Who the order comes from: a Pro (API) or an interactive (Retail, `token_usage=interactive`) session."""

    PRO = "pro"
    INTERACTIVE = "interactive"


class CancelReason(StrEnum):
    """Why an order was closed unfilled, in `Order.cancel_reason`.

    Paradex's list is open; USER_CANCELED, NOT_ENOUGH_MARGIN and the MMP_* ones are documented, the others are named
    after the rule that closed the order.
    """

    USER_CANCELED = "USER_CANCELED"
    NOT_ENOUGH_MARGIN = "NOT_ENOUGH_MARGIN"
    POST_ONLY_WOULD_CROSS = "POST_ONLY_WOULD_CROSS"
    REDUCE_ONLY_WOULD_INCREASE = "REDUCE_ONLY_WOULD_INCREASE"
    PRICE_BAND_EXCEEDED = "PRICE_BAND_EXCEEDED"
    MAX_SLIPPAGE_EXCEEDED = "MAX_SLIPPAGE_EXCEEDED"
    NO_LIQUIDITY = "NO_LIQUIDITY"
    IOC_REMAINDER = "IOC_REMAINDER"
    SELF_TRADE = "SELF_TRADE"
    POSITION_LIMIT_EXCEEDED = "POSITION_LIMIT_EXCEEDED"
    MARKET_EXPIRED = "MARKET_EXPIRED"
    MARKET_DELISTED = "MARKET_DELISTED"
    #: Near the market's expiry only reduce-only orders pass.
    REDUCE_ONLY_PERIOD = "REDUCE_ONLY_PERIOD"
    #: A take-profit or stop-loss order whose position is gone.
    POSITION_CLOSED = "POSITION_CLOSED"
    LIQUIDATION = "LIQUIDATION"
    TRADE_BUST = "TRADE_BUST"
    SYSTEM_STATUS_CANCEL_ONLY = "SYSTEM_STATUS_CANCEL_ONLY"
    SYSTEM_STATUS_POST_ONLY = "SYSTEM_STATUS_POST_ONLY"
    #: Further than 5 bps from the external fair price while the system is in cancel_only or post_only.
    FAIR_PRICE_BAND_EXCEEDED = "FAIR_PRICE_BAND_EXCEEDED"
    #: An RPI order that crosses the API book by more than 5 bps.
    RPI_CROSS_LIMIT_EXCEEDED = "RPI_CROSS_LIMIT_EXCEEDED"
    MMP_TRIGGERED = "MMP_TRIGGERED"
    MMP_FROZEN = "MMP_FROZEN"
    MMP_DISABLED = "MMP_DISABLED"
    MMP_NOT_CONFIGURED = "MMP_NOT_CONFIGURED"


class Liquidity(StrEnum):
    MAKER = "MAKER"
    TAKER = "TAKER"


class FillType(StrEnum):
    FILL = "FILL"
    LIQUIDATION = "LIQUIDATION"
    SETTLE_MARKET = "SETTLE_MARKET"
    UNWIND_TRANSFER = "UNWIND_TRANSFER"
    RPI = "RPI"
    BLOCK_TRADE = "BLOCK_TRADE"


class FillFlag(StrEnum):
    INTERACTIVE = "interactive"
    RPI = "rpi"
    FASTFILL = "fastfill"


class PositionSide(StrEnum):
    LONG = "LONG"
    SHORT = "SHORT"


class PositionStatus(StrEnum):
    OPEN = "OPEN"
    CLOSED = "CLOSED"


class AccountStatus(StrEnum):
    ACTIVE = "ACTIVE"
    LIQUIDATION = "LIQUIDATION"


class MarginType(StrEnum):
    CROSS = "CROSS"
    ISOLATED = "ISOLATED"


class SystemStatus(StrEnum):
    OK = "ok"
    MAINTENANCE = "maintenance"
    CANCEL_ONLY = "cancel_only"
    POST_ONLY = "post_only"


@dataclass(frozen=True, slots=True)
class ReleaseStep:
    """The system takes on `status` at `at` (microseconds)."""

    at: int
    status: SystemStatus


@dataclass(frozen=True, slots=True)
class FeeRate:
    """A rate of notional (0.0003 is 3 bps, negative is a rebate); `fee_cap` and `fee_floor` bound option fees."""

    fee: Decimal
    fee_cap: Decimal
    fee_floor: Decimal


@dataclass(frozen=True, slots=True)
class MakerTakerFee:
    maker_fee: FeeRate
    taker_fee: FeeRate


@dataclass(frozen=True, slots=True)
class FeeConfig:
    """Rates by where the order comes from: API (Pro), interactive (Retail), API with the RPI instruction."""

    api_fee: MakerTakerFee
    interactive_fee: MakerTakerFee
    rpi_fee: MakerTakerFee


@dataclass(frozen=True, slots=True)
class Delta1MarginParams:
    """Cross margin of a perpetual: initial fraction `imf_base`, maintenance fraction imf_base * `mmf_factor`."""

    imf_base: Decimal
    imf_shift: Decimal
    imf_factor: Decimal
    mmf_factor: Decimal


@dataclass(frozen=True, slots=True)
class OptionMarginFractions:
    long_itm: Decimal
    premium_multiplier: Decimal
    short_itm: Decimal
    short_otm: Decimal
    short_put_cap: Decimal


@dataclass(frozen=True, slots=True)
class OptionMarginParams:
    imf: OptionMarginFractions
    mmf: OptionMarginFractions


@dataclass(frozen=True, slots=True)
class SimulationParams:
    """How the sandbox moves a market and quotes it; no part of what Paradex publishes.

    `base_price` is where the mark reverts to, `volatility` the standard deviation of one second's relative move,
    `reversion` the share of the distance to base that a second takes back, `half_spread` the makers' distance from
    the mark as a fraction of it, `level_notional` the mean size of one maker level and `taker_notional` that of one
    taker order, both in USD, `takers_per_second` their mean number, `open_interest` what other traders hold among
    themselves, in base currency.
    """

    base_price: Decimal
    volatility: float = 0.00012
    reversion: float = 0.004
    half_spread: float = 0.00008
    level_notional: float = 25_000.0
    taker_notional: float = 6_000.0
    takers_per_second: float = 2.0
    open_interest: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Market:
    """Static data of a market, field by field `GET /markets`.

    `open_at` and `expiry_at` are microseconds, 0 where there is none. Rates and fractions are plain (0.05 is 5%);
    `price_bands_width` is relative to the mark price, `max_slippage` to the best opposite price.
    """

    symbol: str
    base_currency: str
    quote_currency: str
    settlement_currency: str
    asset_kind: AssetKind
    price_tick_size: Decimal
    order_size_increment: Decimal
    min_notional: Decimal
    max_order_size: Decimal
    position_limit: Decimal
    price_bands_width: Decimal
    max_slippage: Decimal
    simulation: SimulationParams
    max_open_orders: int = 100
    market_kind: MarketKind = MarketKind.CROSS
    trading_mode: TradingMode = TradingMode.STANDARD
    delta1_cross_margin_params: Delta1MarginParams | None = None
    option_cross_margin_params: OptionMarginParams | None = None
    fee_config: FeeConfig | None = None
    funding_period_hours: int = 8
    funding_multiplier: Decimal = Decimal(1)
    max_funding_rate: Decimal = Decimal("0.02")
    max_funding_rate_change: Decimal = Decimal("0.0005")
    interest_rate: Decimal = Decimal("0.0001")
    clamp_rate: Decimal = Decimal("0.0005")
    max_tob_spread: Decimal = Decimal("0.01")
    oracle_ewma_factor: Decimal = Decimal("0.2")
    price_feed_id: str = ""
    iv_bands_width: Decimal | None = None
    option_type: str = ""
    strike_price: Decimal = ZERO
    open_at: int = 0
    expiry_at: int = 0
    tags: tuple[str, ...] = ()

    @property
    def is_tradable(self) -> bool:
        """The sandbox trades perpetuals on the book; other markets are listed, so that clients must tell them apart."""
        return self.asset_kind is AssetKind.PERP and self.trading_mode is TradingMode.STANDARD

    @property
    def max_leverage(self) -> int:
        """1 / imf_base, rounded down; 1 where there are no margin parameters."""
        if self.delta1_cross_margin_params is None:
            return 1
        return max(1, int(1 / self.delta1_cross_margin_params.imf_base))


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A new order as a client sends it, its signature already verified.

    `price` is None or 0 for types that execute as MARKET, `trigger_price` is for trigger orders, which need one.
    `vwap_price` bounds the average price of a MARKET order, None leaves that to the maximum slippage. `client_id` may
    be empty. `recv_window` is in milliseconds or None for the default. `signature_timestamp` is in
    milliseconds, as it was signed; `signature` is kept as it came. `received_at` (microseconds) is when the server got
    it, None for the exchange's own time.
    """

    market: str
    side: Side
    type: OrderType
    size: Decimal
    price: Decimal | None = None
    instruction: OrderInstruction = OrderInstruction.GTC
    client_id: str = ""
    flags: tuple[OrderFlag, ...] = ()
    stp: SelfTradePrevention | None = None
    trigger_price: Decimal | None = None
    recv_window: int | None = None
    signature: str = ""
    signature_timestamp: int = 0
    order_class: OrderClass = OrderClass.PRO
    received_at: int | None = None
    vwap_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ModifyRequest:
    """A change of a live order (`PUT /orders/{id}`), its signature already verified; every field is sent again.

    `size` is the order's total, fills included. `market`, `side` and `type` must be the order's. `price` is None or 0
    for types that execute as MARKET, `trigger_price` None where it stays or there is none.
    """

    order_id: str
    market: str
    side: Side
    type: OrderType
    size: Decimal
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    signature: str = ""
    signature_timestamp: int = 0
    order_class: OrderClass = OrderClass.PRO
    received_at: int | None = None


class RequestStatus(StrEnum):
    PENDING = "PENDING"
    PROCESSED = "PROCESSED"
    REJECTED = "REJECTED"
    SUCCESS = "SUCCESS"


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """The last modify request of an order (`request_info`); absent until there was one."""

    id: str
    request_type: str
    status: str
    message: str


class CancelStatus(StrEnum):
    QUEUED_FOR_CANCELLATION = "QUEUED_FOR_CANCELLATION"
    ALREADY_CLOSED = "ALREADY_CLOSED"
    NOT_FOUND = "NOT_FOUND"


@dataclass(frozen=True, slots=True)
class CancelResult:
    """What became of one identifier of a batch cancellation; what is not known of the order is empty."""

    id: str
    client_id: str
    market: str
    status: CancelStatus


@dataclass(slots=True)
class Order:
    """An order and its life so far. `seq_no` grows with every update; `timestamp` is the signature's, in milliseconds.

    `price` is 0 for MARKET, `avg_fill_price` None before the first fill, `cancel_reason` empty unless the order was
    closed with something left.
    """

    id: str
    account: str
    market: str
    side: Side
    type: OrderType
    size: Decimal
    remaining_size: Decimal
    price: Decimal
    status: OrderStatus
    instruction: OrderInstruction
    flags: tuple[OrderFlag, ...]
    client_id: str
    stp: SelfTradePrevention | None
    trigger_price: Decimal | None
    avg_fill_price: Decimal | None
    cancel_reason: str
    created_at: int
    last_updated_at: int
    published_at: int
    received_at: int
    timestamp: int
    seq_no: int
    signature: str
    order_class: OrderClass
    request_info: RequestInfo | None = None
    #: Sum of price * size over the fills, exact; `avg_fill_price` is rounded from it.
    filled_notional: Decimal = ZERO
    #: Place in the queue of its price, lower is earlier; 0 before it rests.
    priority: int = 0
    #: The algo order that it is a slice of.
    algo_id: str = ""
    #: A take-profit or stop-loss order that has seen the position it is tied to.
    is_attached: bool = False
    #: What its fills may cost on average (MARKET), where the client has said so.
    vwap_price: Decimal | None = None
    #: Of a take-profit or stop-loss order: the order that opens its position, and the size that it has when that fills.
    parent_id: str = ""
    linked_size: Decimal = ZERO

    @property
    def is_live(self) -> bool:
        """NEW, UNTRIGGERED or OPEN."""
        return self.status is not OrderStatus.CLOSED

    @property
    def reduce_only(self) -> bool:
        return OrderFlag.REDUCE_ONLY in self.flags or self.type.closes_position

    @property
    def triggers_above(self) -> bool:
        """Whether a trigger order waits for the mark to rise to its trigger price, or to fall to it.

        What the flags say; without them a stop follows the market (a buy waits above), a take-profit goes against it.
        """
        if OrderFlag.STOP_CONDITION_ABOVE_TRIGGER in self.flags:
            return True
        if OrderFlag.STOP_CONDITION_BELOW_TRIGGER in self.flags:
            return False
        return (self.side is Side.BUY) != (self.type in _TAKE_PROFIT)

    @property
    def filled_size(self) -> Decimal:
        return self.size - self.remaining_size

    def snapshot(self) -> "Order":
        """A copy that later changes do not touch."""
        copy = object.__new__(Order)
        for name in Order.__slots__:
            setattr(copy, name, getattr(self, name))
        return copy


@dataclass(frozen=True, slots=True)
class Fill:
    """One side of a trade, as its account sees it.

    `side` is the taker's (as Paradex documents it), `order_side` that of the account's own order. `id` equals the
    trade's and is unique per `fill_type` and account. `fee` is positive when paid; `realized_pnl` is without funding
    and fees. `orderbook_seq_no` is the book's sequence number after execution.
    """

    id: str
    account: str
    market: str
    order_id: str
    client_id: str
    side: Side
    order_side: Side
    liquidity: Liquidity
    price: Decimal
    size: Decimal
    remaining_size: Decimal
    fee: Decimal
    fee_currency: str
    realized_pnl: Decimal
    realized_funding: Decimal
    underlying_price: Decimal
    fill_type: FillType
    flags: tuple[FillFlag, ...]
    orderbook_seq_no: int
    created_at: int


@dataclass(frozen=True, slots=True)
class Trade:
    """A public trade; `side` is the taker's, `seq` the book's sequence number after execution."""

    id: str
    market: str
    side: Side
    price: Decimal
    size: Decimal
    created_at: int
    trade_type: FillType
    seq: int


@dataclass(frozen=True, slots=True)
class Position:
    """A snapshot of an account's one-way position in a market.

    `size` and `cost` are signed, `cost` exact (entry value of what is held). `unrealized_pnl` includes
    `unrealized_funding_pnl`. `realized_positional_pnl` includes funding and starts again at zero when the position is
    closed or flipped. `liquidation_price` is None where no price liquidates. `exit_size` and `exit_value` are what
    `average_exit_price` is made of.
    """

    id: str
    account: str
    market: str
    status: PositionStatus
    side: PositionSide
    size: Decimal
    cost: Decimal
    average_entry_price: Decimal
    average_exit_price: Decimal
    unrealized_pnl: Decimal
    unrealized_funding_pnl: Decimal
    cached_funding_index: Decimal
    realized_positional_pnl: Decimal
    realized_positional_funding_pnl: Decimal
    leverage: int
    liquidation_price: Decimal | None
    last_fill_id: str
    seq_no: int
    created_at: int
    last_updated_at: int
    closed_at: int
    exit_size: Decimal
    exit_value: Decimal


@dataclass(slots=True)
class Subkey:
    """A trading key of an account. Times are microseconds (the API shows nanoseconds); `revoked_at` 0 while active."""

    public_key: str
    name: str
    created_at: int
    revoked_at: int = 0

    @property
    def is_active(self) -> bool:
        return self.revoked_at == 0


@dataclass(frozen=True, slots=True)
class AccountFees:
    """An account's own rates on perpetuals (`GET /account/info`), for Pro orders."""

    maker_rate: Decimal
    taker_rate: Decimal


@dataclass(slots=True)
class Account:
    """An account as its owner knows it. `balances` is by token; `leverage` and `max_slippage` by market where set."""

    address: str
    public_key: str
    created_at: int
    fees: AccountFees
    parent: str = ""
    subkeys: dict[str, Subkey] = field(default_factory=dict)
    balances: dict[str, Decimal] = field(default_factory=dict)
    leverage: dict[str, int] = field(default_factory=dict)
    max_slippage: dict[str, Decimal] = field(default_factory=dict)
    #: Whether it may place RPI orders.
    rpi_allowed: bool = False


@dataclass(frozen=True, slots=True)
class Balance:
    """`size` includes deposits, realized PnL, realized funding and fees."""

    token: str
    size: Decimal
    last_updated_at: int


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """`GET /account` and the `account` channel. `margin_cushion` is account value over the maintenance margin."""

    account: str
    account_value: Decimal
    total_collateral: Decimal
    free_collateral: Decimal
    initial_margin_requirement: Decimal
    maintenance_margin_requirement: Decimal
    margin_cushion: Decimal
    settlement_asset: str
    status: AccountStatus
    seq_no: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class MarginConfig:
    """One entry of `GET /account/margin`."""

    market: str
    leverage: int
    margin_type: MarginType = MarginType.CROSS


@dataclass(frozen=True, slots=True)
class FundingPayment:
    """Funding realized by a position change; `payment` is signed, positive when received."""

    id: str
    account: str
    market: str
    payment: Decimal
    index: Decimal
    fill_id: str
    created_at: int


@dataclass(frozen=True, slots=True)
class FundingData:
    """`funding_rate` is for the market's own period, `funding_premium` what one unit of base pays over it, in USDC."""

    market: str
    funding_rate: Decimal
    funding_rate_8h: Decimal
    funding_index: Decimal
    funding_premium: Decimal
    funding_period_hours: int
    created_at: int


@dataclass(frozen=True, slots=True)
class MarketSummary:
    """`GET /markets/summary`. Prices are None where the book side is empty; volumes are in USD."""

    symbol: str
    mark_price: Decimal
    underlying_price: Decimal
    last_traded_price: Decimal
    bid: Decimal | None
    bid_size: Decimal | None
    ask: Decimal | None
    ask_size: Decimal | None
    volume_24h: Decimal
    total_volume: Decimal
    open_interest: Decimal
    funding_rate: Decimal
    price_change_rate_24h: Decimal
    seq: int
    created_at: int


@dataclass(frozen=True, slots=True)
class BookView:
    """A market's levels, best first; each is (price, total size)."""

    market: str
    seq: int
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]
    last_updated_at: int


@dataclass(frozen=True, slots=True)
class Bbo:
    """Best bid and offer; None where the side is empty. `seq` is the book's."""

    market: str
    seq: int
    bid: Decimal | None
    bid_size: Decimal | None
    ask: Decimal | None
    ask_size: Decimal | None
    last_updated_at: int


@dataclass(frozen=True, slots=True)
class BestSizes:
    """The best (price, size) without RPI orders (`api`) and with them (`interactive`); None on an empty side."""

    bid_api: tuple[Decimal, Decimal] | None
    bid_interactive: tuple[Decimal, Decimal] | None
    ask_api: tuple[Decimal, Decimal] | None
    ask_interactive: tuple[Decimal, Decimal] | None


@dataclass(frozen=True, slots=True)
class RetailUsage:
    """Retail orders of an account within the last second, minute, hour and 24 hours."""

    second: int
    minute: int
    hour: int
    day: int


@dataclass(frozen=True, slots=True)
class TradeBust:
    """`GET /tradebusts` and the `tradebusts` channel: one side of a trade that was undone."""

    account: str
    busted_fill_id: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Liquidation:
    """`GET /liquidations`: the account's positions were reduced by the insurance fund."""

    id: str
    account: str
    created_at: int


class MarketChangeKind(StrEnum):
    CREATED = "CREATED"
    UPDATED = "UPDATED"
    SETTLED = "SETTLED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class MarketChange:
    """What changed about a market (the `markets` channel): names of Market's fields with their new values as text.

    Groups of values (margin parameters, fees) are JSON objects. CREATED says everything, DELETED nothing, SETTLED
    `settlement_price` and `underlying_twap_price`.
    """

    market: str
    kind: MarketChangeKind
    changed: tuple[tuple[str, str], ...]
    created_at: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an expired market was settled; prices in quote currency."""

    market: str
    expiry_at: int
    settlement_price: Decimal
    underlying_twap_price: Decimal


@dataclass(frozen=True, slots=True)
class InsuranceFund:
    """`GET /insurance`; negative where liquidations cost more than they brought."""

    account_value: Decimal
    updated_at: int


@dataclass(frozen=True, slots=True)
class Page[T]:
    """One page of a list, newest first. `next` is the `before` argument that continues it, None at the end."""

    items: tuple[T, ...]
    next: str | None = None


#: What a new account holds by default, by token.
DEFAULT_DEPOSITS: Mapping[str, Decimal] = {SETTLEMENT_TOKEN: Decimal(100_000)}
