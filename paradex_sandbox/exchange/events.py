"""What happened, in order: the only way out of the exchange.

Streams are rendered from these and the storage is written from these. `ts` is microseconds. Every event is a snapshot:
nothing that happens later changes it.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from paradex_sandbox.exchange.algo import AlgoOrder
from paradex_sandbox.exchange.mmp import MmpConfig, MmpEventKind, MmpRecord, MmpTripReason
from paradex_sandbox.exchange.model import (
    ZERO,
    Account,
    AccountSummary,
    Bbo,
    Fill,
    FundingData,
    FundingPayment,
    Liquidation,
    Market,
    MarketChange,
    MarketSummary,
    ModifyRequest,
    Order,
    Position,
    ReleaseStep,
    Side,
    Subkey,
    SystemStatus,
    Trade,
    TradeBust,
)


@dataclass(frozen=True, slots=True)
class Event:
    ts: int


@dataclass(frozen=True, slots=True)
class SystemStatusChanged(Event):
    status: SystemStatus


@dataclass(frozen=True, slots=True)
class ReleaseScheduled(Event):
    """What is left of a release window: the system's next states; empty where it was called off."""

    steps: tuple[ReleaseStep, ...]


@dataclass(frozen=True, slots=True)
class MarketEvent(Event):
    """Public: about a market."""

    market: str


@dataclass(frozen=True, slots=True)
class AccountEvent(Event):
    """Private: `account` is the address that may see it."""

    account: str


class RequestKind(StrEnum):
    CREATE = "CREATE"
    MODIFY = "MODIFY"
    CANCEL = "CANCEL"
    CANCEL_ALL = "CANCEL_ALL"


@dataclass(frozen=True, slots=True)
class QueuedRequest:
    """A request that was acknowledged and waits for the matching queue. `seq` is its place, `ready_at` its time.

    For CANCEL_ALL `order_id` is the newest order it reaches (what is submitted after it lives on), and `market` may be
    None: every market. `modify` is what a MODIFY asks for, `request_id` the id of that in the order's `request_info`.
    """

    seq: int
    kind: RequestKind
    account: str
    order_id: str
    market: str | None
    ready_at: int
    modify: ModifyRequest | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class RequestQueued(AccountEvent):
    """For the storage: an acknowledged request that has not acted yet."""

    request: QueuedRequest


@dataclass(frozen=True, slots=True)
class RequestDone(AccountEvent):
    """For the storage: the request with this `seq` has acted."""

    seq: int


@dataclass(frozen=True, slots=True)
class MarketChanged(MarketEvent):
    """The market was listed, settled or deleted, or its static data were changed.

    `definition` is for the storage: how it was listed; None unless it was. After DELETED nothing is left of the market
    but orders and fills of the past.
    """

    change: MarketChange
    definition: Market | None = None


@dataclass(frozen=True, slots=True)
class TradePrinted(MarketEvent):
    trade: Trade


@dataclass(frozen=True, slots=True)
class BookChanged(MarketEvent):
    """The API book moved from `seq` - 1 to `seq`: per changed level its side, price and new total size, 0 when gone.

    One event per market and batch (`process()` or one step of the other traders), bids before asks, each best first.
    """

    seq: int
    changes: tuple[tuple[Side, Decimal, Decimal], ...]


@dataclass(frozen=True, slots=True)
class InteractiveBookChanged(MarketEvent):
    """As BookChanged, for the book with RPI orders, which has a sequence of its own."""

    seq: int
    changes: tuple[tuple[Side, Decimal, Decimal], ...]


@dataclass(frozen=True, slots=True)
class BboChanged(MarketEvent):
    """Best price or size changed; follows the BookChanged of the same `bbo.seq`."""

    bbo: Bbo


@dataclass(frozen=True, slots=True)
class MarketSummaryChanged(MarketEvent):
    """Mark, last price, best prices or volume changed; at most one per market and batch."""

    summary: MarketSummary


@dataclass(frozen=True, slots=True)
class FundingDataChanged(MarketEvent):
    """Funding was recomputed; once a second, or once per `advance()` when it steps over more."""

    data: FundingData


@dataclass(frozen=True, slots=True)
class OrderUpdated(AccountEvent):
    """`order` is a copy; it starts with the NEW of the acknowledgement."""

    order: Order


@dataclass(frozen=True, slots=True)
class Filled(AccountEvent):
    fill: Fill


@dataclass(frozen=True, slots=True)
class PositionChanged(AccountEvent):
    """A position was changed by a fill; at most one per position and batch."""

    position: Position


@dataclass(frozen=True, slots=True)
class AccountChanged(AccountEvent):
    """Collateral or margin changed; at most one per account and batch."""

    summary: AccountSummary


class BalanceChangeKind(StrEnum):
    FILL = "TRANSACTION_FILL"
    DEPOSIT = "DEPOSIT"
    #: The insurance fund covered what a liquidation left below zero.
    INSURANCE = "INSURANCE"
    #: A busted fill was undone.
    BUST = "TRADE_BUST"


@dataclass(frozen=True, slots=True)
class BalanceChanged(AccountEvent):
    """A token balance went from `before` to `after`; the fields from `market` on are empty unless a fill did it.

    `after` = `before` + `realized_pnl` + `realized_funding` - `fees` for a fill.
    """

    kind: BalanceChangeKind
    token: str
    before: Decimal
    after: Decimal
    market: str = ""
    fill_id: str = ""
    fees: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    realized_funding: Decimal = ZERO
    funding_index: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class FundingPaid(AccountEvent):
    payment: FundingPayment


@dataclass(frozen=True, slots=True)
class AccountCreated(AccountEvent):
    """`created` is a copy, with its deposits and no subkeys."""

    created: Account


@dataclass(frozen=True, slots=True)
class SubkeyChanged(AccountEvent):
    """A subkey was registered or revoked; `subkey` is a copy."""

    subkey: Subkey


@dataclass(frozen=True, slots=True)
class LeverageChanged(AccountEvent):
    market: str
    leverage: int


@dataclass(frozen=True, slots=True)
class MaxSlippageChanged(AccountEvent):
    """The account's own bound of MARKET orders; None where the market's applies again."""

    market: str
    max_slippage: Decimal | None


@dataclass(frozen=True, slots=True)
class RpiPermissionChanged(AccountEvent):
    allowed: bool


@dataclass(frozen=True, slots=True)
class AlgoUpdated(AccountEvent):
    """`algo` is a copy; it starts with the OPEN of the acknowledgement."""

    algo: AlgoOrder


@dataclass(frozen=True, slots=True)
class MmpChanged(AccountEvent):
    """Market-maker protection of one base asset (the `mmp` channel).

    `trip_reason`, the window and `trigger_market` are set on TRIGGERED only; `frozen_until` (microseconds) too, where 0
    means until a reset. `config` is set on CONFIG_UPDATED unless it was `removed`.
    """

    kind: MmpEventKind
    base_asset: str
    trip_reason: MmpTripReason | None = None
    window_size: Decimal | None = None
    window_delta: Decimal | None = None
    window_vega: Decimal | None = None
    trigger_market: str = ""
    frozen_until: int = 0
    config: MmpConfig | None = None
    removed: bool = False


@dataclass(frozen=True, slots=True)
class MmpKept(AccountEvent):
    """For the storage: the protection of a base asset with its window; None where it was removed."""

    base_asset: str
    record: MmpRecord | None


@dataclass(frozen=True, slots=True)
class Liquidated(AccountEvent):
    """The insurance fund took over a share of the account's positions; its fills follow."""

    liquidation: Liquidation


@dataclass(frozen=True, slots=True)
class TradeBusted(AccountEvent):
    """A fill of the account was undone."""

    bust: TradeBust
