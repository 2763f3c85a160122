"""The table of facts: complete in itself, and as Paradex documents it."""

import pytest
from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_constants as CONSTANTS
from hummingbot.core.api_throttler.data_types import RateLimit
from hummingbot.core.data_type.common import OrderType

ALL_RULES = [CONSTANTS.RATE_LIMITS, CONSTANTS.RETAIL_RATE_LIMITS]
# Paths that are only templates; their requests count as these.
LIMIT_IDS = {
    CONSTANTS.AUTH_PATH: CONSTANTS.AUTH_LIMIT,
    CONSTANTS.SET_MARGIN_PATH: CONSTANTS.SET_MARGIN_LIMIT,
    CONSTANTS.MMP_PATH: CONSTANTS.SET_MMP_LIMIT,
    CONSTANTS.MMP_RESET_PATH: CONSTANTS.SET_MMP_LIMIT,
    CONSTANTS.ORDERS_BATCH_PATH: CONSTANTS.SUBMIT_LIMIT,
    CONSTANTS.ORDER_PATH: CONSTANTS.SUBMIT_LIMIT,
}


def by_id(rules: list[RateLimit]) -> dict[str, RateLimit]:
    return {rule.limit_id: rule for rule in rules}


def paths() -> dict[str, str]:
    return {name: value for name, value in vars(CONSTANTS).items() if name.endswith("_PATH")}


@pytest.mark.parametrize("rules", ALL_RULES)
def test_every_path_has_a_rate_limit(rules: list[RateLimit]) -> None:
    known = by_id(rules)
    assert len(paths()) > 15
    assert [name for name, path in paths().items() if LIMIT_IDS.get(path, path) not in known] == []
    assert {CONSTANTS.SUBMIT_LIMIT, CONSTANTS.CANCEL_LIMIT, CONSTANTS.WS_CONNECT_LIMIT} <= set(known)


@pytest.mark.parametrize("rules", ALL_RULES)
def test_limits_have_unique_names_and_draw_from_pools_that_exist(rules: list[RateLimit]) -> None:
    known = by_id(rules)
    assert len(known) == len(rules)
    assert {link.limit_id for rule in rules for link in rule.linked_limits} <= set(known)


@pytest.mark.parametrize("rules", ALL_RULES)
@pytest.mark.parametrize(
    ("pool", "limit", "seconds"),
    [
        (CONSTANTS.PUBLIC_POOL, 1500, 60),
        (CONSTANTS.PRIVATE_SECOND_POOL, 120, 1),
        (CONSTANTS.PRIVATE_MINUTE_POOL, 600, 60),
        (CONSTANTS.ORDERS_SECOND_POOL, 800, 1),
        (CONSTANTS.ORDERS_MINUTE_POOL, 17250, 60),
        (CONSTANTS.AUTH_LIMIT, 600, 60),
        (CONSTANTS.WS_CONNECT_LIMIT, 20, 1),
        (CONSTANTS.WS_CONNECT_MINUTE_POOL, 600, 60),
    ],
)
def test_pools_are_those_that_paradex_documents(rules: list[RateLimit], pool: str, limit: int, seconds: int) -> None:
    assert (by_id(rules)[pool].limit, by_id(rules)[pool].time_interval) == (limit, seconds)


def pools_of(rules: list[RateLimit], limit_id: str) -> set[str]:
    return {link.limit_id for link in by_id(rules)[limit_id].linked_limits}


@pytest.mark.parametrize("rules", ALL_RULES)
def test_public_and_private_requests_draw_from_their_own_pools(rules: list[RateLimit]) -> None:
    assert pools_of(rules, CONSTANTS.MARKETS_PATH) == {CONSTANTS.PUBLIC_POOL}
    private = {CONSTANTS.PRIVATE_SECOND_POOL, CONSTANTS.PRIVATE_MINUTE_POOL}
    assert pools_of(rules, CONSTANTS.POSITIONS_PATH) == private
    assert pools_of(rules, CONSTANTS.ORDERS_PATH) == private
    assert pools_of(rules, CONSTANTS.ORDER_BY_CLIENT_ID_PATH) == private


def test_submits_and_cancels_share_the_order_pools() -> None:
    orders = {CONSTANTS.ORDERS_SECOND_POOL, CONSTANTS.ORDERS_MINUTE_POOL}
    assert pools_of(CONSTANTS.RATE_LIMITS, CONSTANTS.SUBMIT_LIMIT) == orders
    assert pools_of(CONSTANTS.RATE_LIMITS, CONSTANTS.CANCEL_LIMIT) == orders


def test_retail_submits_have_four_limits_more_and_cancels_none() -> None:
    rules = by_id(CONSTANTS.RETAIL_RATE_LIMITS)
    more = pools_of(CONSTANTS.RETAIL_RATE_LIMITS, CONSTANTS.SUBMIT_LIMIT) - pools_of(
        CONSTANTS.RATE_LIMITS, CONSTANTS.SUBMIT_LIMIT
    )
    assert sorted((rules[pool].limit, rules[pool].time_interval) for pool in more) == [
        (3, 1),
        (30, 60),
        (300, 3600),
        (1000, 86400),
    ]
    assert pools_of(CONSTANTS.RETAIL_RATE_LIMITS, CONSTANTS.CANCEL_LIMIT) == pools_of(
        CONSTANTS.RATE_LIMITS, CONSTANTS.CANCEL_LIMIT
    )
    assert CONSTANTS.RATE_LIMITS_BY_ORDER_CLASS == {
        "pro": CONSTANTS.RATE_LIMITS,
        "retail": CONSTANTS.RETAIL_RATE_LIMITS,
    }


def test_real_exchanges_are_reached_encrypted_and_the_sandbox_on_loopback() -> None:
    assert set(CONSTANTS.REST_URLS) == set(CONSTANTS.WS_URLS)
    for domain in (CONSTANTS.DEFAULT_DOMAIN, CONSTANTS.TESTNET_DOMAIN):
        assert CONSTANTS.REST_URLS[domain].startswith("https://")
        assert CONSTANTS.WS_URLS[domain].startswith("wss://")
    assert CONSTANTS.REST_URLS[CONSTANTS.SANDBOX_DOMAIN].startswith("http://127.0.0.1:")
    assert CONSTANTS.WS_URLS[CONSTANTS.SANDBOX_DOMAIN].startswith("ws://127.0.0.1:")


def test_every_order_type_has_a_name_and_an_instruction() -> None:
    assert set(CONSTANTS.ORDER_TYPES) == set(CONSTANTS.INSTRUCTIONS)
    assert CONSTANTS.ORDER_TYPES[OrderType.LIMIT_MAKER] == "LIMIT"
    assert CONSTANTS.INSTRUCTIONS[OrderType.LIMIT_MAKER] == "POST_ONLY"


def test_a_client_id_holds_hummingbots_whole_and_fits_the_exchange() -> None:
    from hummingbot.connector.utils import get_new_client_order_id

    ids = {
        get_new_client_order_id(True, "kPEPE-USDC", CONSTANTS.CLIENT_ID_PREFIX, CONSTANTS.MAX_CLIENT_ID_LENGTH)
        for _ in range(100)
    }
    assert len(ids) == 100
    assert max(map(len, ids)) <= CONSTANTS.MAX_CLIENT_ID_LENGTH
    assert CONSTANTS.MAX_CLIENT_ID_LENGTH <= 64


def test_a_token_is_renewed_when_three_of_its_five_minutes_have_passed() -> None:
    assert pytest.approx(180) == CONSTANTS.TOKEN_RENEWAL_SHARE * 300


@pytest.mark.parametrize("rules", ALL_RULES)
def test_a_connection_counts_for_the_second_and_for_the_minute(rules: list[RateLimit]) -> None:
    links = by_id(rules)[CONSTANTS.WS_CONNECT_LIMIT].linked_limits
    assert [link.limit_id for link in links] == [CONSTANTS.WS_CONNECT_MINUTE_POOL]
