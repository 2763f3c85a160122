"""Payloads and frames as they should not be: what can be read is right, what cannot is told, and nothing ends by it."""

import asyncio
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_utils as utils,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.core.data_type.common import OrderType, TradeType
from hummingbot.core.data_type.in_flight_order import InFlightOrder, OrderState, TradeUpdate

from tests.unit.connector import frames, payloads
from tests.unit.connector.mutations import MISSING, Mutation, damaged, mangled, mutations
from tests.unit.connector.payloads import ETH_MARKET, ETH_PAIR, MARKET, PAIR
from tests.unit.connector.trader import Trader, eventually, settle
from tests.unit.connector.venue import Answer, Venue

EVENTS = 1500
FRAMES = 6000
LEVELS = (("60000", "0.5"), ("59999.5", "1"))


def order() -> InFlightOrder:
    return InFlightOrder(
        "mine", PAIR, OrderType.LIMIT, TradeType.BUY, Decimal("0.5"), payloads.NOW, Decimal("60000"), "1"
    )


BOOK = payloads.order_book(best_bid_api=["60000", "1"], best_ask_interactive=["60001", "2"])
MMP = {"base_asset": "BTC", "interval_ms": 1000, "frozen_time_ms": 0, "size_limit": "1", "frozen_until": 0}
RATE = {"market": MARKET, "funding_rate": "0.0001", "funding_index": "1", "created_at": payloads.NOW_MS}
TRADE = {"id": "1", "market": MARKET, "side": "BUY", "price": "1", "size": "1", "created_at": payloads.NOW_MS}
MODIFIED = payloads.order("mine", request_info={"id": "1", "status": "PENDING"})
REJECTED = payloads.order("mine", "CLOSED", cancel_reason="NOT_ENOUGH_MARGIN")

PARSERS: dict[str, tuple[dict[str, Any], Callable[[Any], Any]]] = {
    "trading rule": (payloads.market(), utils.trading_rule_from_market),
    "maximum leverage": (payloads.market(), utils.max_leverage),
    "market's fees": (payloads.market(), lambda market: utils.market_fee_rates(market, "pro")),
    "funding period": (payloads.market(), utils.funding_period_seconds),
    "funding info": (payloads.summary(), lambda summary: utils.funding_info_from_summary(summary, PAIR, 1)),
    "last price": (payloads.summary(), utils.last_price),
    "best sizes": (BOOK, utils.best_sizes_from_book),
    "account's fees": (payloads.account_info(), utils.account_fee_rates),
    "order": (payloads.order("mine"), lambda payload: utils.order_update_from_payload(payload, order(), False)),
    "rejected order": (REJECTED, lambda payload: utils.order_update_from_payload(payload, order(), False)),
    "order's terms": (MODIFIED, utils.order_terms),
    "fill": (payloads.fill("mine"), lambda payload: utils.trade_update_from_fill(payload, order())),
    "position": (payloads.position(), lambda payload: utils.position_from_payload(payload, PAIR, 5)),
    "balance": (payloads.balance(), lambda balance: utils.balances_from_payloads([balance], payloads.account())),
    "collateral": (payloads.account(), lambda account: utils.balances_from_payloads([payloads.balance()], account)),
    "account's health": (payloads.account(), utils.account_health_from_payload),
    "market-maker protection": (MMP, utils.mmp_configuration_from_payload),
    "record of a fill": (payloads.fill("mine"), lambda payload: utils.fill_record(payload, PAIR)),
    "record of an order": (payloads.order("mine"), lambda payload: utils.order_record(payload, PAIR)),
    "record of a payment": (payloads.funding_payment(), lambda payload: utils.funding_payment_record(payload, PAIR)),
    "record of a rate": (RATE, lambda payload: utils.funding_rate_record(payload, PAIR)),
    "record of a trade": (TRADE, lambda payload: utils.trade_record(payload, PAIR)),
}


def error_of(read: Callable[[Any], Any], what: Any) -> str | None:
    """The one kind of error that reading may end in; its text is short and not empty. None if it went well."""
    try:
        read(what)
    except ValueError as error:  # a FrameError is one
        text = str(error)
    else:
        return None
    assert 0 < len(text) < 300
    return text


@pytest.mark.parametrize("name", PARSERS)
def test_a_wrong_field_is_named_with_its_value_or_does_not_matter(name: str) -> None:
    payload, parse = PARSERS[name]
    parse(payload)
    for mutation in mutations(payload):
        error = error_of(parse, mutation.payload)
        assert error is None or mutation.field in error, (mutation, error)
        if error is not None and mutation.value not in (MISSING, None, ""):
            assert _is_told(mutation, error), (mutation, error)


def _is_told(mutation: Mutation, error: str) -> bool:
    """Whether the error has the value, or the number that it is, in it; of a value inside another, that one."""
    is_nested = isinstance(mutation.value, dict)
    return is_nested or utils.shown(mutation.value) in error or str(mutation.value)[:20] in error


@pytest.mark.parametrize("name", PARSERS)
def test_whatever_is_wrong_at_once_there_is_one_kind_of_error(name: str) -> None:
    payload, parse = PARSERS[name]
    rng = random.Random(name)
    for _ in range(300):
        wrong = mangled(rng, payload)
        if isinstance(wrong, dict):
            error_of(parse, wrong)


def test_a_fill_that_is_read_has_a_size_and_a_price_and_an_id() -> None:
    rng = random.Random(7)
    for _ in range(2000):
        try:
            update = utils.trade_update_from_fill(mangled(rng, payloads.fill("mine")), order())
        except utils.PAYLOAD_ERRORS:
            continue
        assert isinstance(update, TradeUpdate)
        assert update.fill_price > 0
        assert update.fill_base_amount > 0
        assert update.fill_quote_amount.is_finite()
        assert update.trade_id
        assert update.exchange_order_id


@pytest.mark.parametrize("remaining", ["-0.1", "0.6", "NaN", "1e400", None])
def test_a_closed_order_whose_sizes_make_no_sense_is_neither_filled_nor_cancelled(remaining: str | None) -> None:
    payload = payloads.order("mine", "CLOSED", size="0.5", remaining_size=remaining)
    with pytest.raises(ValueError, match="remaining_size"):
        utils.order_state(payload, was_open=True)


# === The private stream ===

CHANNELS = {
    "orders.ALL": payloads.order("mine"),
    "fills.ALL": payloads.fill("mine"),
    "positions": payloads.position(),
    "account": payloads.account(),
    "balance_events": payloads.balance_event("12"),
    f"funding_payments.{MARKET}": payloads.funding_payment(),
    "tradebusts": {"busted_fill_id": "1"},
    "mmp": {"base_asset": "BTC", "kind": "TRIGGERED", "frozen_until": payloads.NOW_MS, "trip_reason": "SIZE"},
}


async def test_no_message_of_the_private_stream_ends_the_loop(
    venue: Venue, trader: Trader, log: pytest.LogCaptureFixture
) -> None:
    """Orders that the messages fill or close are replaced, so that there is always one that they are about."""
    rng = random.Random(11)
    exchange = trader.exchange
    exchange._reconcile_soon = lambda: None  # what REST would tell comes below
    listener = asyncio.create_task(exchange._user_stream_event_listener())
    queue = exchange._user_stream_tracker.user_stream
    for _ in range(EVENTS):
        if not exchange.in_flight_orders:
            trader.track()
        channel = rng.choice(list(CHANNELS))
        event = {"channel": channel, "data": mangled(rng, CHANNELS[channel])}
        queue.put_nowait(event if rng.random() > 0.05 else mangled(rng, event))
        await settle()
    assert not listener.done()
    assert [ascii(text) for text in log.messages if text != text.encode(errors="replace").decode()] == []
    for held in (*exchange.in_flight_orders.values(), *exchange._order_tracker.cached_orders.values()):
        assert held.amount > 0
        assert 0 <= held.executed_amount_base <= Decimal("1e30")
    for position in exchange.account_positions.values():
        assert position.amount.is_finite()
        assert position.entry_price > 0
    assert all(balance.is_finite() for balance in exchange.get_all_balances().values())

    exchange._order_tracker._in_flight_orders.clear()
    trader.track("the last")
    queue.put_nowait({"channel": "fills.ALL", "data": payloads.fill("the last", id="99", order_id="x")})
    await eventually(lambda: exchange.in_flight_orders["the last"].executed_amount_base == Decimal("0.2"))
    listener.cancel()
    await asyncio.wait([listener])


async def test_a_position_that_cannot_be_read_does_not_make_the_next_one_look_old(trader: Trader) -> None:
    newer = payloads.NOW_MS + 10_000
    with pytest.raises(ValueError, match="average_entry_price"):
        await trader.hear("positions", payloads.position(average_entry_price="?", last_updated_at=newer))
    await trader.hear("positions", payloads.position(last_updated_at=newer - 5_000))
    assert trader.exchange.account_positions[PAIR].amount == Decimal("0.5")


@pytest.mark.parametrize("time", [10**30, float("inf"), "1e5", -1, 9 * 10**12, True])
async def test_a_time_that_cannot_be_meant_does_not_keep_later_messages_from_counting(
    trader: Trader, time: Any
) -> None:
    with pytest.raises(ValueError, match="last_updated_at should be a time"):
        await trader.hear("positions", payloads.position(last_updated_at=time))
    await trader.hear("positions", payloads.position())
    assert trader.exchange.account_positions[PAIR].amount == Decimal("0.5")


# === REST ===


async def test_one_bad_order_in_a_list_does_not_keep_the_others_from_being_read(
    venue: Venue, trader: Trader, log: pytest.LogCaptureFixture
) -> None:
    first, bad, last = (trader.track(name, name) for name in ("first", "bad", "last"))
    for mutation in ({"size": "lots"}, {"status": "MELTED"}, {"last_updated_at": "soon"}, {"remaining_size": "1e400"}):
        venue.on(
            "GET",
            "/orders",
            payloads.page(
                *(payloads.order(o.client_order_id, **(mutation if o is bad else {})) for o in (first, bad, last))
            ),
        )
        for _ in range(5):  # that it cannot be read does not count as not found
            await trader.exchange._update_order_status()
            await settle()
        assert first.current_state is last.current_state is OrderState.OPEN
        assert set(trader.exchange.in_flight_orders) == {"first", "bad", "last"}
        assert f"{next(iter(mutation))} should be" in log.text or "unknown status 'MELTED'" in log.text


async def test_one_bad_fill_in_a_list_does_not_keep_the_others_from_counting(venue: Venue, trader: Trader) -> None:
    held = trader.track()
    for number, changes in enumerate(({"price": "cheap"}, {"created_at": None}, {"size": "-1"}, {"id": None})):
        fills = [payloads.fill("mine", id=f"{number}a", size="0.01"), payloads.fill("mine", **{"id": "x", **changes})]
        venue.on("GET", "/fills", payloads.page(*fills, payloads.fill("mine", id=f"{number}b", size="0.01")))
        await trader.exchange._update_orders_fills([held])
        assert held.executed_amount_base == Decimal("0.02") * (number + 1)


async def test_a_position_that_cannot_be_read_loses_neither_the_others_nor_itself(venue: Venue, trader: Trader) -> None:
    both = payloads.position(), payloads.position(ETH_MARKET)
    venue.on("GET", "/positions", payloads.page(*both))
    await trader.exchange._update_positions()
    changed = payloads.position(ETH_MARKET, "0.7", last_updated_at=payloads.NOW_MS + 1)
    for bad in ({**both[0], "size": "?"}, {**both[0], "market": None}, None, "text"):
        venue.on("GET", "/positions", payloads.page(bad, changed))  # type: ignore[arg-type]
        await trader.exchange._update_positions()
        assert {pair: p.amount for pair, p in trader.exchange.account_positions.items()} == {
            PAIR: Decimal("0.5"),
            ETH_PAIR: Decimal("0.7"),
        }


async def test_a_balance_that_cannot_be_read_stays_what_it_was(venue: Venue, trader: Trader) -> None:
    venue.on("GET", "/account", payloads.account())
    venue.on("GET", "/balance", payloads.page(payloads.balance(), payloads.balance("ETH", "2")))
    await trader.exchange._update_balances()
    venue.on("GET", "/balance", payloads.page(payloads.balance(size="20"), payloads.balance("ETH", "many")))
    await trader.exchange._update_balances()
    assert trader.exchange.get_all_balances() == {"USDC": Decimal(20), "ETH": Decimal(2)}


async def test_one_market_that_is_none_does_not_take_the_others_with_it(
    venue: Venue, exchange: ParadexPerpetualDerivative
) -> None:
    bad = [None, "text", {**payloads.market("X-USD-PERP"), "symbol": None}, payloads.market("A", base_currency="A-B")]
    double = payloads.market("Y-USD-PERP", base_currency="BTC")
    venue.on("GET", "/markets", payloads.page(*bad, payloads.market(), double))  # type: ignore[arg-type]
    await exchange._initialize_trading_pair_symbol_map()
    assert await exchange.exchange_symbol_associated_to_pair(PAIR) == MARKET
    await exchange._update_trading_rules()
    assert PAIR in exchange.trading_rules


async def test_one_bad_funding_payment_does_not_keep_the_others_from_being_told(venue: Venue, trader: Trader) -> None:
    venue.on("GET", "/funding/payments", payloads.page())
    await trader.exchange._update_funding_payment(PAIR, fire_event_on_new=False)
    later = payloads.NOW_MS + 1000
    bad = [payloads.funding_payment("?"), payloads.funding_payment(id=None), payloads.funding_payment(created_at="x")]
    venue.on(
        "GET", "/funding/payments", payloads.page(*bad, payloads.funding_payment("2", id="good", created_at=later))
    )
    await trader.exchange._update_funding_payment(PAIR, fire_event_on_new=True)
    assert [event.amount for event in trader.funded()] == [Decimal(2)]


@pytest.mark.parametrize(
    "answer",
    [Answer(200, text=text) for text in ("[]", "null", "3", '"text"', "{}", '{"id": ""}', '{"id": "1"}', '{"id": {}}')]
    + [Answer(200, payloads.order("x", size="?")), Answer(200, payloads.order("x", "MELTED")), Answer(200, text="")],
    ids=str,
)
async def test_an_order_whose_outcome_is_told_unreadably_is_asked_for_again_and_not_called_failed(
    venue: Venue, trader: Trader, answer: Answer
) -> None:
    venue.on("POST", "/orders", Answer(200, text="not JSON"))
    mine: list[str] = []
    venue.on(
        "GET", "/orders/by_client_id/*", answer, answer, lambda request: payloads.order(request.path.split("/")[-1])
    )
    mine.append(trader.submit())
    await eventually(lambda: trader.created() or trader.failed())
    assert [event.order_id for event in trader.created()] == mine
    assert not trader.failed()


@pytest.mark.parametrize("answer", [[], {"results": None}, {"results": {}}, {}, "text"], ids=str)
async def test_a_list_that_is_none_is_no_proof_that_an_order_does_not_exist(
    venue: Venue, trader: Trader, answer: Any
) -> None:
    trader.track()
    venue.on("GET", "/orders", Answer(200, answer))
    for _ in range(5):
        with pytest.raises(web_utils.UnreadableAnswerError):
            await trader.exchange._update_order_status()
    assert set(trader.exchange.in_flight_orders) == {"mine"}


# === Frames ===

PUBLIC = [
    frames.book(10, LEVELS, (("60001", "1"),), snapshot=True),
    frames.book(11, LEVELS[:1]),
    frames.bbo(),
    frames.trade(),
    frames.market_summary(),
]


def test_a_damaged_frame_is_an_error_or_a_frame_and_nothing_else() -> None:
    rng = random.Random(3)
    for _ in range(FRAMES):
        frame = damaged(rng, rng.choice(PUBLIC))
        for decode in (web_utils.decode_frame, web_utils.decode_display_book):
            error_of(decode, frame)


async def test_no_frame_of_the_public_stream_ends_it(exchange: ParadexPerpetualDerivative) -> None:
    rng = random.Random(5)
    source = exchange.order_book_tracker.data_source
    for _ in range(FRAMES):
        source._on_message(damaged(rng, rng.choice(PUBLIC)) if rng.random() > 0.1 else rng.choice([None, "x", [], {}]))


async def test_no_message_of_the_private_socket_ends_it(exchange: ParadexPerpetualDerivative) -> None:
    rng = random.Random(9)
    source = exchange._user_stream_tracker._data_source
    output: asyncio.Queue[Any] = asyncio.Queue()
    good = [payloads.stream("fills.ALL", payloads.fill("mine")), frames.trade()]
    for _ in range(FRAMES // 4):
        message = rng.choice(good)
        source._on_message(output, damaged(rng, message) if isinstance(message, bytes) else mangled(rng, message))
