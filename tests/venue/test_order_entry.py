"""Batches, order entry over the socket, cancel-all and cancel on disconnect."""

from decimal import Decimal

import pytest
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_web_utils import RpcSession
from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType
from hummingbot.core.data_type.limit_order import LimitOrder
from hummingbot.core.event.events import MarketOrderFailureEvent, OrderCancelledEvent, OrderFilledEvent

from tests.venue.bot import CREATED, ENDED, Bot
from tests.venue.conftest import MakeBot
from tests.venue.exchange import Exchange, Market
from tests.venue.waiting import TIMEOUT, until

pytestmark = pytest.mark.private_payloads

WAYS = ("rest", "websocket")
MANY = 25


@pytest.fixture(params=WAYS)
async def entry(request: pytest.FixtureRequest, make_bot: MakeBot) -> Bot:
    """A connector whose orders go over REST, and one whose orders go over the socket."""
    return await make_bot(settings={"order_entry": request.param})


async def far_price(exchange: Exchange, market: Market) -> Decimal:
    """A bid that nobody will take and that the price band allows."""
    touch = await exchange.touch(market)
    return market.round_price(touch.bid * (1 - min(market.band / 2, Decimal("0.03"))))


def session_of(bot: Bot) -> RpcSession | None:
    """The socket of a connector's private stream."""
    session: RpcSession | None = bot.connector._user_stream_tracker.data_source.session
    return session


def cut(bot: Bot) -> None:
    """Cuts the connector's private socket, as a network does."""
    session = session_of(bot)
    assert session is not None
    assert session.assistant is not None
    session.assistant._connection._connection._response.connection.transport.abort()


async def test_a_batch_with_a_bad_order_places_the_others_and_all_are_cancelled_at_once(
    entry: Bot, exchange: Exchange, market: Market
) -> None:
    price = await far_price(exchange, market)
    size = market.smallest_size(price)
    orders = [
        LimitOrder(
            "", market.pair, True, "BTC", "USDC", price - level * market.tick, size, position=PositionAction.OPEN
        )
        for level in range(MANY)
    ]
    too_much = market.max_size + market.step
    orders[3] = LimitOrder("", market.pair, True, "BTC", "USDC", price, too_much, position=PositionAction.OPEN)

    placed = entry.connector.batch_order_create(orders)

    bad = placed[3].client_order_id
    good = [order.client_order_id for order in placed if order.client_order_id != bad]
    await entry.events.one(MarketOrderFailureEvent, bad)
    for order_id in good:
        await entry.events.one(CREATED, order_id)
    assert set(entry.connector.in_flight_orders) == set(good)

    async def all_rest() -> bool:
        return set(await exchange.open_orders(market)) == set(good)

    await until(all_rest, "the good orders are on the exchange")

    entry.connector.batch_order_cancel([order for order in placed if order.client_order_id in good[:12]])
    for order_id in good[:12]:
        await entry.events.one(OrderCancelledEvent, order_id)
    results = await entry.connector.cancel_all(TIMEOUT)
    assert {result.order_id for result in results if result.success} == set(good[12:])
    for order_id in good[12:]:
        await entry.events.one(OrderCancelledEvent, order_id)
    assert not await exchange.open_orders(market)
    assert not entry.events.of(OrderFilledEvent)


@pytest.mark.parametrize("everywhere", [False, True])
async def test_cancelling_everything_takes_one_request_and_is_followed(
    entry: Bot, exchange: Exchange, market: Market, everywhere: bool
) -> None:
    price = await far_price(exchange, market)
    size = market.smallest_size(price)
    ours = [
        await entry.placed(TradeType.BUY, market.pair, size, price - level * market.tick, OrderType.LIMIT_MAKER)
        for level in range(3)
    ]
    late = entry.order(TradeType.BUY, market.pair, size, price - 5 * market.tick, OrderType.LIMIT_MAKER)
    await until(lambda: late in entry.connector.in_flight_orders, "the order is tracked", pause=0)

    cancelled = await entry.connector.cancel_all_orders(None if everywhere else market.pair)

    assert set(cancelled) == {*ours, late}
    for order_id in cancelled:
        await entry.events.one(OrderCancelledEvent, order_id)
    assert not await exchange.open_orders(market)
    assert not entry.connector.in_flight_orders


async def test_orders_over_the_socket_trade_like_any(make_bot: MakeBot, market: Market, exchange: Exchange) -> None:
    bot = await make_bot(settings={"order_entry": "websocket"})
    size = market.smallest_size((await exchange.touch(market)).bid)

    opened = await bot.traded(TradeType.BUY, market.pair, size)
    await bot.has_position(market.pair, size)
    closed = await bot.traded(TradeType.SELL, market.pair, size, PositionAction.CLOSE)

    assert bot.executed(opened) == bot.executed(closed) == size
    await bot.has_position(market.pair, Decimal(0))


async def test_rest_takes_over_while_the_socket_is_gone(make_bot: MakeBot, market: Market, exchange: Exchange) -> None:
    bot = await make_bot(settings={"order_entry": "websocket"})
    price = await far_price(exchange, market)

    cut(bot)
    await until(lambda: session_of(bot) is None, "the socket is gone", pause=0)
    order_id = await bot.placed(TradeType.BUY, market.pair, market.smallest_size(price), price, OrderType.LIMIT_MAKER)
    await bot.cancelled(order_id, pair=market.pair)
    await until(lambda: session_of(bot), "the socket is back")


async def test_an_order_whose_socket_dies_with_it_is_found_or_proved_not_to_exist(
    make_bot: MakeBot, market: Market, exchange: Exchange
) -> None:
    bot = await make_bot(settings={"order_entry": "websocket"})
    price = await far_price(exchange, market)
    session = session_of(bot)
    assert session is not None

    order_id = bot.order(TradeType.BUY, market.pair, market.smallest_size(price), price, OrderType.LIMIT_MAKER)
    await until(lambda: session._pending, "the order has left", pause=0)
    cut(bot)

    # Whether it arrived is a matter of luck; what the bot believes is not.
    await bot.events.one((*CREATED, *ENDED), order_id, timeout=60)
    exists = order_id in await exchange.open_orders(market)
    assert exists == (order_id in bot.connector.in_flight_orders)


async def test_orders_are_cancelled_when_their_connection_drops_and_the_next_one_is_watched_again(
    make_bot: MakeBot, market: Market, exchange: Exchange
) -> None:
    bot = await make_bot(settings={"cancel_on_disconnect": True})
    price = await far_price(exchange, market)
    size = market.smallest_size(price)

    for _ in range(2):
        await until(lambda: session_of(bot), "the socket stands")
        ours = [
            await bot.placed(TradeType.BUY, market.pair, size, price - level * market.tick, OrderType.LIMIT_MAKER)
            for level in range(2)
        ]
        cut(bot)
        for order_id in ours:
            await bot.events.one(OrderCancelledEvent, order_id)
        assert not await exchange.open_orders(market)
    assert not bot.events.of(MarketOrderFailureEvent)


async def test_orders_stay_when_the_connection_drops_unless_it_is_set(
    make_bot: MakeBot, market: Market, exchange: Exchange
) -> None:
    bot = await make_bot(settings={"order_entry": "websocket"})
    price = await far_price(exchange, market)
    order_id = await bot.placed(TradeType.BUY, market.pair, market.smallest_size(price), price, OrderType.LIMIT_MAKER)

    before = session_of(bot)
    cut(bot)
    await until(lambda: session_of(bot) not in (None, before), "another socket stands")

    assert set(await exchange.open_orders(market)) == {order_id}
    await bot.cancelled(order_id, pair=market.pair)
