"""Everything about Paradex that is a fact and not behaviour: addresses, paths, channels, states, limits.

Sources: docs.paradex.trade and the exchange's OpenAPI and AsyncAPI descriptions. Times are in seconds unless a name
says otherwise.
"""

from decimal import Decimal

from hummingbot.core.api_throttler.data_types import LinkedLimitWeightPair, RateLimit
from hummingbot.core.data_type.common import OrderType, TradeType

EXCHANGE_NAME = "paradex_perpetual"

# === Domains ===

DEFAULT_DOMAIN = EXCHANGE_NAME
TESTNET_DOMAIN = "paradex_perpetual_testnet"
SANDBOX_DOMAIN = "paradex_perpetual_sandbox"

REST_URLS = {
    DEFAULT_DOMAIN: "https://api.prod.paradex.trade/v1",
    TESTNET_DOMAIN: "https://api.testnet.paradex.trade/v1",
    SANDBOX_DOMAIN: "http://127.0.0.1:8790/v1",
}
WS_URLS = {
    DEFAULT_DOMAIN: "wss://ws.api.prod.paradex.trade/v1",
    TESTNET_DOMAIN: "wss://ws.api.testnet.paradex.trade/v1",
    SANDBOX_DOMAIN: "ws://127.0.0.1:8790/v1",
}
# The REST address of a sandbox that does not listen on the default port; moves REST and WebSocket.
SANDBOX_URL_VARIABLE = "PARADEX_SANDBOX_URL"

# === REST paths ===

SYSTEM_CONFIG_PATH = "/system/config"
SYSTEM_STATE_PATH = "/system/state"
SYSTEM_TIME_PATH = "/system/time"
MARKETS_PATH = "/markets"
MARKETS_SUMMARY_PATH = "/markets/summary"
ORDER_BOOK_PATH = "/orderbook/{market}"
AUTH_PATH = "/auth/{public_key}"
ACCOUNT_PATH = "/account"
ACCOUNT_INFO_PATH = "/account/info"
ACCOUNT_MARGIN_PATH = "/account/margin"
ACCOUNT_MMP_PATH = "/account/mmp"
MMP_PATH = "/account/mmp/{base_asset}"
MMP_RESET_PATH = "/account/mmp/reset"
SET_MARGIN_PATH = "/account/margin/{market}"
BALANCE_PATH = "/balance"
POSITIONS_PATH = "/positions"
FILLS_PATH = "/fills"
FUNDING_DATA_PATH = "/funding/data"
FUNDING_PAYMENTS_PATH = "/funding/payments"
ORDERS_PATH = "/orders"
ORDERS_HISTORY_PATH = "/orders-history"
ORDER_BY_CLIENT_ID_PATH = "/orders/by_client_id/{client_id}"

REQUEST_TIMEOUT = 35.0  # the exchange gives up after 30 s and says so with a 503; then the outcome is unknown
PAGE_SIZE = 1000  # 5000 at most

# === WebSocket ===

SBE_SCHEMA_ID = 1
SBE_SCHEMA_VERSIONS = (2, 1)  # asked for in this order; a version the server does not know is answered with HTTP 400
WS_CALL_TIMEOUT = 10.0
WS_BACKOFF_INITIAL = 0.5
WS_BACKOFF_MAXIMUM = 30.0

BOOK_FEEDS = ("deltas", "snapshot")
BOOK_INTERVALS = ("50ms", "100ms")
ORDER_BOOK_DELTAS_CHANNEL = "order_book.{market}.deltas@15@50ms"
ORDER_BOOK_SNAPSHOT_CHANNEL = "order_book.{market}.snapshot@15@50ms"
TRADES_CHANNEL = "trades.{market}"
MARKET_SUMMARY_CHANNEL = "markets_summary.{market}"

ORDERS_CHANNEL = "orders.ALL"
FILLS_CHANNEL = "fills.ALL"
POSITIONS_CHANNEL = "positions"
ACCOUNT_CHANNEL = "account"
BALANCE_EVENTS_CHANNEL = "balance_events"
TRADEBUSTS_CHANNEL = "tradebusts"
# Market-maker protection is for accounts on a list of the exchange's: it may not know the channel for others.
MMP_CHANNEL = "mmp"
FUNDING_PAYMENTS_CHANNEL = "funding_payments.{market}"
PRIVATE_CHANNELS = (
    ORDERS_CHANNEL,
    FILLS_CHANNEL,
    POSITIONS_CHANNEL,
    ACCOUNT_CHANNEL,
    BALANCE_EVENTS_CHANNEL,
    TRADEBUSTS_CHANNEL,
)
# Our own event, put into the user stream after every (re)connection: whatever happened in between has to be looked up.
STREAM_RESUMED = "stream_resumed"

# Gaps in one market's deltas within this time after which the snapshot feed takes over: every message is a whole book.
MAX_BOOK_GAPS = 5
BOOK_GAP_WINDOW = 60.0

# === Orders ===

MAX_CLIENT_ID_LENGTH = 32  # 64 are allowed; 32 hold Hummingbot's id whole
CLIENT_ID_PREFIX = "HBOT"

SIDE_BUY = "BUY"
SIDE_SELL = "SELL"
SIDES = {TradeType.BUY: SIDE_BUY, TradeType.SELL: SIDE_SELL}

TYPE_LIMIT = "LIMIT"
TYPE_MARKET = "MARKET"
ORDER_TYPES = {OrderType.LIMIT: TYPE_LIMIT, OrderType.LIMIT_MAKER: TYPE_LIMIT, OrderType.MARKET: TYPE_MARKET}
INSTRUCTIONS = {OrderType.LIMIT: "GTC", OrderType.LIMIT_MAKER: "POST_ONLY", OrderType.MARKET: "GTC"}
FLAG_REDUCE_ONLY = "REDUCE_ONLY"
FLAG_INTERACTIVE = "INTERACTIVE"

ORDER_ENTRY_REST = "rest"
ORDER_ENTRY_WEBSOCKET = "websocket"
ORDER_ENTRIES = (ORDER_ENTRY_REST, ORDER_ENTRY_WEBSOCKET)
SELF_TRADE_MODES = ("EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH")
BATCH_SIZE = 10  # the OpenAPI text's maximum; the best-practice page and a release note say 50
BREAKER_FAILURES = 5
UNKNOWN_ORDERS = ("cancel", "adopt")

# An order is taken only if it arrives within this time after its signature. Short, so that an order whose submission
# was not answered is soon known to exist or never to exist.
RECV_WINDOW_MS = 10_000
OUTCOME_MARGIN = 33.0  # from the end of that window until an order must be visible: it may be worked on for 30 s
CLOCK_MARGIN = 300.0  # by which the bot's clock may differ from the exchange's in queries by time
FILLS_OVERLAP = 60.0  # by which one list of fills begins before the end of the last
RECONCILIATION_PAUSE = 1.0  # after a comparison with REST, before the next
# Pauses between the message that closes an order and the questions where its fills are; about an hour of them.
FILLS_PATIENCE = (1.0, 2.0, 4.0, 8.0, 15.0, *(30.0,) * 120)

STATUS_NEW = "NEW"
STATUS_UNTRIGGERED = "UNTRIGGERED"
STATUS_OPEN = "OPEN"
STATUS_CLOSED = "CLOSED"

# `cancel_reason` is an open list. These say that somebody or something cancelled an order that was alive; any other
# reason on an order without a fill says that the exchange did not take it.
CANCEL_REASON_PREFIXES = (
    "USER_CANCELED",
    "CANCEL_ON_DISCONNECT",
    "LIQUIDAT",
    "MMP_TRIGGERED",
    "MMP_DISABLED",
    "EXPIRED",
    "ADMIN",
    "SELF_TRADE",
)
MMP_FREEZE_REASONS = ("MMP_TRIGGERED", "MMP_FROZEN")

# === Markets and money ===

ASSET_KIND_PERPETUAL = "PERP"
TRADING_MODE_STANDARD = "STANDARD"
COLLATERAL_TOKEN = "USDC"  # posted, won, lost and paid in fees: the quote of every pair, whatever a market's name says
MARGIN_TYPE_CROSS = "CROSS"
# Bounds of market-maker protection; limits are multiples of the increment, and 0 switches one off.
MMP_MIN_INTERVAL_MS, MMP_MAX_INTERVAL_MS = 100, 3_600_000
MMP_MAX_FROZEN_TIME_MS = 3_600_000
MMP_LIMIT_INCREMENT = Decimal("0.0001")
DECIMALS = 8  # of every signed price and size
QUANTUM = Decimal(1).scaleb(-DECIMALS)

ORDER_CLASS_PRO = "pro"
ORDER_CLASS_RETAIL = "retail"
ORDER_CLASSES = (ORDER_CLASS_PRO, ORDER_CLASS_RETAIL)
TOKEN_USAGE_INTERACTIVE = "interactive"

# === Authentication ===

TOKEN_RENEWAL_SHARE = 0.6  # of a token's life: 3 of 5 minutes, as Paradex recommends
TOKEN_RETRY_INITIAL = 1.0
TOKEN_RETRY_MAXIMUM = 30.0
SIGNATURE_LIFETIME = 30 * 60

# === Funding ===

FUNDING_POLL_INTERVAL = 120
DEFAULT_FUNDING_PERIOD_HOURS = 8

# === Errors ===

ERROR_CLIENT_ORDER_ID_NOT_FOUND = "CLIENT_ORDER_ID_NOT_FOUND"
ERROR_ORDER_ID_NOT_FOUND = "ORDER_ID_NOT_FOUND"
ERROR_ORDER_IS_CLOSED = "ORDER_IS_CLOSED"
ORDER_NOT_FOUND_ERRORS = frozenset({ERROR_CLIENT_ORDER_ID_NOT_FOUND, ERROR_ORDER_ID_NOT_FOUND})
ORDER_NOT_OPEN_ERRORS = ORDER_NOT_FOUND_ERRORS | {ERROR_ORDER_IS_CLOSED, "ORDER_IS_NOT_OPEN"}
TIMESTAMP_ERRORS = frozenset({"INVALID_TIMESTAMP"})
CREDENTIAL_ERRORS = frozenset(
    {
        "ACCOUNT_NOT_FOUND",
        "INVALID_STARKNET_ADDRESS",
        "INVALID_STARKNET_SIGNATURE",
        "INVALID_SUBKEY",
        "NOT_ONBOARDED",
        "PUBLIC_KEY_INVALID",
        "STARKNET_SIGNATURE_VERIFICATION_FAILED",
        "UNAUTHORIZED_ERROR",
    }
)

# === Rate limits (docs.paradex.trade, "Rate Limits"; Retail: "Retail and Pro Orders") ===

# How much of a limit ordinary requests leave in it. What is sent evenly does not arrive evenly: with a share of 0.05 a
# limit of a second bears delays that differ by 50 ms, one of a minute by 3 s. Urgent requests may use it up.
LIMIT_MARGIN = 0.05
REFUSAL_PAUSE = 1.0  # after a refusal that does not say when to try again
LIMIT_NOTICE_AFTER = 3.0  # a request that has to wait for longer than that is worth a line in the log
LIMIT_NOTICE_PAUSE = 300.0  # and the same limit another one only after that

SECOND = 1
MINUTE = 60
HOUR = 3600
DAY = 86400

PUBLIC_POOL = "public"
PRIVATE_SECOND_POOL = "private_second"
PRIVATE_MINUTE_POOL = "private_minute"
ORDERS_SECOND_POOL = "orders_second"
ORDERS_MINUTE_POOL = "orders_minute"
RETAIL_SECOND_POOL = "retail_second"
RETAIL_MINUTE_POOL = "retail_minute"
RETAIL_HOUR_POOL = "retail_hour"
RETAIL_DAY_POOL = "retail_day"

# What a request counts as. `limit_id`s of the requests are the paths; submits and cancels share a path.
SUBMIT_LIMIT = "submit"
ADMITTED_LIMIT = "admitted"  # for what has passed the limiter already, before it was signed
CANCEL_LIMIT = "cancel"
URGENT_LIMITS = frozenset({CANCEL_LIMIT})  # what goes before everything else that waits for the same pools
AUTH_LIMIT = "auth"
WS_CONNECT_LIMIT = "ws_connect"
WS_CONNECT_MINUTE_POOL = "ws_connect_minute"
SET_MARGIN_LIMIT = "set_margin"
SET_MMP_LIMIT = "set_mmp"

_PUBLIC_PATHS = (
    SYSTEM_CONFIG_PATH,
    SYSTEM_STATE_PATH,
    SYSTEM_TIME_PATH,
    MARKETS_PATH,
    MARKETS_SUMMARY_PATH,
    ORDER_BOOK_PATH,
    FUNDING_DATA_PATH,
)
_PRIVATE_PATHS = (
    ACCOUNT_PATH,
    ACCOUNT_INFO_PATH,
    ACCOUNT_MARGIN_PATH,
    SET_MARGIN_LIMIT,
    ACCOUNT_MMP_PATH,
    SET_MMP_LIMIT,
    BALANCE_PATH,
    POSITIONS_PATH,
    FILLS_PATH,
    FUNDING_PAYMENTS_PATH,
    ORDERS_PATH,
    ORDERS_HISTORY_PATH,
    ORDER_BY_CLIENT_ID_PATH,
)

_POOLS = [
    RateLimit(PUBLIC_POOL, limit=1500, time_interval=MINUTE),
    RateLimit(PRIVATE_SECOND_POOL, limit=120, time_interval=SECOND),
    RateLimit(PRIVATE_MINUTE_POOL, limit=600, time_interval=MINUTE),
    RateLimit(ORDERS_SECOND_POOL, limit=800, time_interval=SECOND),
    RateLimit(ORDERS_MINUTE_POOL, limit=17250, time_interval=MINUTE),
    RateLimit(AUTH_LIMIT, limit=600, time_interval=MINUTE),
    RateLimit(WS_CONNECT_MINUTE_POOL, limit=600, time_interval=MINUTE),
    RateLimit(
        WS_CONNECT_LIMIT,
        limit=20,
        time_interval=SECOND,
        linked_limits=[LinkedLimitWeightPair(WS_CONNECT_MINUTE_POOL)],
    ),
]
_RETAIL_POOLS = [
    RateLimit(RETAIL_SECOND_POOL, limit=3, time_interval=SECOND),
    RateLimit(RETAIL_MINUTE_POOL, limit=30, time_interval=MINUTE),
    RateLimit(RETAIL_HOUR_POOL, limit=300, time_interval=HOUR),
    RateLimit(RETAIL_DAY_POOL, limit=1000, time_interval=DAY),
]
_ORDER_POOLS = [LinkedLimitWeightPair(ORDERS_SECOND_POOL), LinkedLimitWeightPair(ORDERS_MINUTE_POOL)]
_RETAIL_ORDER_POOLS = [LinkedLimitWeightPair(pool.limit_id) for pool in _RETAIL_POOLS]

_COMMON_LIMITS = [
    *_POOLS,
    *(
        RateLimit(path, limit=1500, time_interval=MINUTE, linked_limits=[LinkedLimitWeightPair(PUBLIC_POOL)])
        for path in _PUBLIC_PATHS
    ),
    *(
        RateLimit(
            path,
            limit=600,
            time_interval=MINUTE,
            linked_limits=[LinkedLimitWeightPair(PRIVATE_SECOND_POOL), LinkedLimitWeightPair(PRIVATE_MINUTE_POOL)],
        )
        for path in _PRIVATE_PATHS
    ),
    RateLimit(CANCEL_LIMIT, limit=17250, time_interval=MINUTE, linked_limits=_ORDER_POOLS),
]


def _submit_limits(limit: int, pools: list[LinkedLimitWeightPair]) -> list[RateLimit]:
    weightless = [LinkedLimitWeightPair(pool.limit_id, weight=0) for pool in pools]
    return [
        RateLimit(SUBMIT_LIMIT, limit=limit, time_interval=MINUTE, linked_limits=pools),
        # Takes nothing from the pools, but what the exchange says of them in its answer is about them.
        RateLimit(ADMITTED_LIMIT, limit=limit, time_interval=MINUTE, weight=0, linked_limits=weightless),
    ]


RATE_LIMITS = [*_COMMON_LIMITS, *_submit_limits(17250, _ORDER_POOLS)]
RETAIL_RATE_LIMITS = [
    *_COMMON_LIMITS,
    *_RETAIL_POOLS,
    *_submit_limits(30, [*_ORDER_POOLS, *_RETAIL_ORDER_POOLS]),
]
RATE_LIMITS_BY_ORDER_CLASS = {ORDER_CLASS_PRO: RATE_LIMITS, ORDER_CLASS_RETAIL: RETAIL_RATE_LIMITS}
