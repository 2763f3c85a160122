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
TRADES_PATH = "/trades"
AUTH_PATH = "/auth/{public_key}"
ACCOUNT_PATH = "/account"
ACCOUNT_HISTORY_PATH = "/account/history"
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
ORDERS_BATCH_PATH = "/orders/batch"
ORDER_PATH = "/orders/{order_id}"
ORDER_BY_CLIENT_ID_PATH = "/orders/by_client_id/{client_id}"
ORDER_PATH = "/orders/{order_id}"

REQUEST_TIMEOUT = 35.0  # the exchange gives up after 30 s and says so with a 503; then the outcome is unknown
TIME_TIMEOUT = 10.0  # an answer that tells the time and takes longer tells nothing
TIME_RETRY = 5.0  # without an answer, requests leave by the local clock for so long
PAGE_SIZE = 1000  # 5000 at most, 1000 for /trades
ACCOUNT_HISTORY_KINDS = ("value", "pnl", "volume", "fee_savings")
DEFAULT_RETRY_AFTER = 1.0  # after a rate limit's answer that does not say

# === WebSocket ===

SBE_SCHEMA_ID = 1
SBE_SCHEMA_VERSIONS = (2, 1)  # asked for in this order; a version the server does not know is answered with HTTP 400
WS_CALL_TIMEOUT = 10.0
# The server sends a heartbeat after 20 s without anything else: a socket that is silent for longer than two is dead.
WS_SILENCE = 45.0
WS_TURN = 0.005  # messages that wait already are read for so long before the rest of the bot has its turn
WS_CLOSE_TIMEOUT = 2.0  # for the closing handshake with a server that may be frozen
LOG_PAUSE = 60.0  # what repeats itself is said again after this time, with how often it happened
WS_BACKOFF_INITIAL = 0.5
WS_BACKOFF_MAXIMUM = 30.0
# A connection counts as a success, so that the next pause is the first again, when it has stood for this long: a server
# that accepts and drops at once is not asked several times a second.
WS_HOLDS = 10.0

BOOK_FEEDS = ("deltas", "snapshot")
BOOK_INTERVALS = ("50ms", "100ms")
BOOK_PATIENCE = 3.0  # seconds from the start until REST is asked for a book that the stream has not told
LAST_TRADE_AGE = 180  # seconds after which Hummingbot's tracker looks for another source of the last price
BOOK_FEED_DELTAS, BOOK_FEED_SNAPSHOT = BOOK_FEEDS
BOOK_FEED_INTERACTIVE = "interactive"
# The price steps by which the AsyncAPI description groups a book, as the channel's name writes them but for the point.
BOOK_PRICE_TICKS = tuple(
    map(
        Decimal,
        ("0.0000001", "0.0000005", "0.000001", "0.00001", "0.0001", "0.001", "0.01", "0.1", "1", "10", "100"),
    )
)
ORDER_BOOK_CHANNEL = "order_book.{market}.{feed}@15@{interval}"
BBO_CHANNEL = "bbo.{market}"
TRADES_CHANNEL = "trades.{market}"
MARKET_SUMMARY_CHANNEL = "markets_summary.{market}"
MARKETS_CHANNEL = "markets.{market}"
MARKET_ENDS = ("SETTLED", "DELETED")  # the events of that channel after which a market is not traded any more

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
# Without these there is no stream. What the others tell, REST tells later, but for busted trades.
INDISPENSABLE_CHANNELS = frozenset({ORDERS_CHANNEL, FILLS_CHANNEL, POSITIONS_CHANNEL, ACCOUNT_CHANNEL})
# Our own event, put into the user stream after every (re)connection: whatever happened in between has to be looked up.
STREAM_RESUMED = "stream_resumed"

# Gaps in one market's deltas within this time after which the snapshot feed takes over: every message is a whole book.
MAX_BOOK_GAPS = 5
BOOK_GAP_WINDOW = 60.0
MAX_MISSED_SNAPSHOTS = 2  # subscriptions to deltas that bring no snapshot, after which it does so, too
BOOK_DEPTH = 15  # levels of a side in the feeds
BOOK_CARE_INTERVAL = 0.25  # between two looks at all books
BOOK_SNAPSHOT_TIMEOUT = 4.0  # for the first message after a subscription; the next attempts wait longer
# Strategies look at `ready` once and then quote on the book as it is. So one that has not been kept up for this long is
# emptied; shorter interruptions leave it, so that prices do not come and go with each gap.
BOOK_GRACE = 5.0
BOOK_SILENCE = 15.0  # a book of which nothing is heard is compared with REST after this time
BOOK_SUSPICION = 1.0  # and after this one if it looks strange

# === Orders ===

MAX_CLIENT_ID_LENGTH = 40  # 64 are allowed; these hold the bot, the pair, and Hummingbot's nonce whole
CLIENT_ID_PREFIX = "HBOT"  # followed by a mark of the bot

SIDE_BUY = "BUY"
SIDE_SELL = "SELL"
SIDES = {TradeType.BUY: SIDE_BUY, TradeType.SELL: SIDE_SELL}

TYPE_LIMIT = "LIMIT"
TYPE_MARKET = "MARKET"
ORDER_TYPES = {OrderType.LIMIT: TYPE_LIMIT, OrderType.LIMIT_MAKER: TYPE_LIMIT, OrderType.MARKET: TYPE_MARKET}
INSTRUCTIONS = {OrderType.LIMIT: "GTC", OrderType.LIMIT_MAKER: "POST_ONLY", OrderType.MARKET: "GTC"}
INSTRUCTION_IOC = "IOC"
INSTRUCTION_RPI = "RPI"
FLAG_REDUCE_ONLY = "REDUCE_ONLY"
FLAG_INTERACTIVE = "INTERACTIVE"
FLAG_MMP = "MMP"

# Trigger orders wait for the mark price. A stop follows the market (a BUY waits above it); take-profit and stop-loss
# belong to a position, which they only reduce.
TRIGGER_STOP = "stop"
TRIGGER_TAKE_PROFIT = "take_profit"
TRIGGER_STOP_LOSS = "stop_loss"
TRIGGER_TYPES = {TRIGGER_STOP: "STOP", TRIGGER_TAKE_PROFIT: "TAKE_PROFIT", TRIGGER_STOP_LOSS: "STOP_LOSS"}
# `order.create` and `order.modify` are described for these types only; the others go over REST.
SOCKET_ORDER_TYPES = frozenset({"LIMIT", "MARKET", "STOP_LIMIT", "STOP_MARKET"})
# What follows the bot's mark in the client ids of a position's own take-profit and stop-loss, by which they are known
# again after a restart.
POSITION_CLIENT_ID_MARKS = {TRIGGER_TAKE_PROFIT: "TP-", TRIGGER_STOP_LOSS: "SL-"}
RPI_CROSS_LIMIT = Decimal("0.0005")  # how far an RPI order may reach into the other side of the book
PRICE_BAND_SHARE = Decimal("0.9")  # of the distance from the mark price that the band allows, for bounds of our own

# `request_info.status`: the outcome of a modification, which is told later.
MODIFY_PENDING = "PENDING"
MODIFY_SUCCEEDED = "SUCCESS"
MODIFY_REJECTED = "REJECTED"
MODIFY_SILENCE = 2.0  # without a word of the stream about a modification, REST is asked
POSITION_ORDERS_REPEAT = 3.0  # without news of a change of their size, which can be sent twice, it is sent again
POSITION_ORDERS_PATIENCE = 2.0  # for the exchange to make them smaller, or to cancel them, with their position

ORDER_ENTRY_REST = "rest"
ORDER_ENTRY_WEBSOCKET = "websocket"
ORDER_ENTRIES = (ORDER_ENTRY_WEBSOCKET, ORDER_ENTRY_REST)  # the first is the default: it takes less time
SELF_TRADE_MODES = ("EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH")
BATCH_SIZE = 10  # the OpenAPI text's maximum; the best-practice page and a release note say 50
BREAKER_FAILURES = 5
BREAKER_MAXIMUM_PAUSE = 60.0  # between two probes, however long the exchange fails
BREAKER_PROBES = 2  # that succeed one after the other before orders pass again
BREAKER_PROBE_INTERVAL = 0.5  # after a probe that succeeded, before the next
UNKNOWN_ORDERS_CANCEL, UNKNOWN_ORDERS_ADOPT = UNKNOWN_ORDERS = ("cancel", "adopt")
UNKNOWN_ORDERS_PATIENCE = 2.0  # seconds between two looks that prove an open order to be unknown
UNKNOWN_ORDERS_LOOKS = 5  # in a row, until the next poll

# An order is taken only if it arrives within this time after its signature. Short, so that an order whose submission
# was not answered is soon known to exist or never to exist.
RECV_WINDOW_MS = 10_000
OUTCOME_MARGIN = 33.0  # from the end of that window until an order must be visible: it may be worked on for 30 s
CLOCK_MARGIN = 300.0  # by which the bot's clock may differ from the exchange's in queries by time
FILLS_OVERLAP = 60.0  # by which one list of fills begins before the end of the last
CANCEL_SILENCE = 3.0  # without a word of the stream about a cancel, REST is asked, and it is repeated
CANCEL_SILENCE_MAXIMUM = 30.0
CANCEL_PATIENCE = 60.0  # until whoever waits for a cancel is told that it is not decided; it is followed on
NOT_FOUND_SPACING = 5.0  # between two times that an order is not found which count both
FEW_ORDERS = 5  # up to so many are looked for one by one, not in the list of all since the oldest of them
LOST_ORDERS_NAMED = 20  # of those that no record has, in the log
FILLS_MEMORY = 5000  # ids of the last fills, so that lists which overlap do not tell them as news
RECONCILIATION_PAUSE = 1.0  # after a comparison with REST, before the next
# Pauses between the message that closes an order and the questions where its fills are; about an hour of them.
FILLS_PATIENCE = (1.0, 2.0, 4.0, 8.0, 15.0, *(30.0,) * 120)

FILLS_ATTEMPTS_BEFORE_THE_END = 2  # after which an order is told to be cancelled although fills of it are missing

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

# Reasons, by their beginning, of an order that was taken and then rejected, for which the exchange is to blame and not
# the order: only these count for the circuit breaker. NOT_ENOUGH_MARGIN or a post-only order that would cross do not.
EXCHANGE_FAILURE_REASONS = ("INTERNAL", "SERVICE", "UNAVAILABLE", "TIMEOUT", "SYSTEM_ERROR", "UNKNOWN")

# === The exchange's own state (`GET /system/state`) ===

SYSTEM_OK = "ok"
SYSTEM_MAINTENANCE = "maintenance"
SYSTEM_CANCEL_ONLY = "cancel_only"
SYSTEM_POST_ONLY = "post_only"
MAKER_INSTRUCTIONS = ("POST_ONLY", "RPI")  # what post_only lets pass

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
TOKEN_MINIMUM_LIFE = 10.0  # of a new token that seems to have expired, as by a clock that is wrong
TOKEN_RETRY_INITIAL = 1.0
TOKEN_RETRY_MAXIMUM = 30.0
USELESS_TOKENS = 3  # so many tokens, refused soon after they were given, are replaced at once; then there are pauses
SIGNATURE_LIFETIME = 30 * 60

# === Funding ===

FUNDING_POLL_INTERVAL = 120  # seconds
DEFAULT_FUNDING_PERIOD_HOURS = 8

# === Errors ===

ERROR_CLIENT_ORDER_ID_NOT_FOUND = "CLIENT_ORDER_ID_NOT_FOUND"
ERROR_ORDER_ID_NOT_FOUND = "ORDER_ID_NOT_FOUND"
ERROR_ORDER_IS_CLOSED = "ORDER_IS_CLOSED"
ORDER_NOT_FOUND_ERRORS = frozenset({ERROR_CLIENT_ORDER_ID_NOT_FOUND, ERROR_ORDER_ID_NOT_FOUND})
ORDER_NOT_OPEN_ERRORS = ORDER_NOT_FOUND_ERRORS | {ERROR_ORDER_IS_CLOSED, "ORDER_IS_NOT_OPEN"}
ERROR_DUPLICATED_CLIENT_ID = "DUPLICATED_CLIENT_ID"
ERROR_BATCH_SIZE = "BATCH_SIZE_OUT_OF_RANGE"
# An order's error (and the reason of one that was taken and then rejected) by which the exchange tells its state.
SYSTEM_STATE_ERRORS = {
    "SYSTEM_STATUS_CANCEL_ONLY": SYSTEM_CANCEL_ONLY,
    "SYSTEM_STATUS_POST_ONLY": SYSTEM_POST_ONLY,
}
EXCHANGE_FAILURE_ERRORS = frozenset({"INTERNAL_ERROR", "SERVICE_UNAVAILABLE"})
# JSON-RPC's own: what was asked is not understood, so nothing was done.
RPC_NOT_UNDERSTOOD = frozenset({-32700, -32600, -32601, -32602})
RPC_RATE_LIMITED = 42901
RPC_AUTHENTICATION_ERRORS = frozenset({40110, 40111, 40300})
# With these, too, nothing was done: a method's own error, not in this country, not authenticated. What any other code
# says of the outcome no source tells.
RPC_REFUSALS = RPC_NOT_UNDERSTOOD | {100, 40112} | RPC_AUTHENTICATION_ERRORS
# What a batch of cancels says of each order.
CANCEL_QUEUED = "QUEUED_FOR_CANCELLATION"
CANCEL_ALREADY_CLOSED = "ALREADY_CLOSED"
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
    TRADES_PATH,
    FUNDING_DATA_PATH,
)
_PRIVATE_PATHS = (
    ACCOUNT_PATH,
    ACCOUNT_HISTORY_PATH,
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
