"""Cases of other people's test specifications that no other test is about; docs/conformance.md has all of them."""

import asyncio
from decimal import Decimal

import pytest
from hummingbot.core.data_type.common import OrderType, PositionAction, PriceType, TradeType
from hummingbot.core.event.events import MarketOrderFailureEvent, OrderCancelledEvent, OrderFilledEvent

from tests.venue.bot import COMPLETED, CREATED, ENDED, NAN, Bot
from tests.venue.conftest import MakeBot
from tests.venue.exchange import Exchange, Market
from tests.venue.venue import Venue
from tests.venue.waiting import TIMEOUT, until

BOTH_SIDES = pytest.mark.parametrize("side", [TradeType.BUY, TradeType.SELL], ids=lambda side: side.name)
OPPOSITE = {TradeType.BUY: TradeType.SELL, TradeType.SELL: TradeType.BUY}
FAR = Decimal("0.02")
MANY_PAIRS = 10


async def far_price(exchange: Exchange, market: Market, side: TradeType) -> Decimal:
    """Where an order of this side rests and nobody takes it."""
    touch = await exchange.touch(market)
    if side is TradeType.BUY:
        return market.round_price(touch.bid * (1 - FAR))
    return market.round_price(touch.ask * (1 + FAR), up=True)


async def crossing_price(exchange: Exchange, market: Market, side: TradeType) -> Decimal:
    """Where an order of this side takes what is there, and more if need be."""
    touch = await exchange.touch(market)
    if side is TradeType.BUY:
        return market.round_price(touch.ask * Decimal("1.005"))
    return market.round_price(touch.bid * Decimal("0.995"), up=True)


def away(market: Market, side: TradeType, ticks: int = 1) -> Decimal:
    """A step that leads an order of this side away from the market."""
    return -ticks * market.tick if side is TradeType.BUY else ticks * market.tick


# === Limit orders ===


@BOTH_SIDES
async def test_a_limit_order_rests_until_it_is_cancelled(
    bot: Bot, exchange: Exchange, market: Market, side: TradeType
) -> None:
    price = await far_price(exchange, market, side)
    size = market.smallest_size(price)

    order_id = await bot.placed(side, market.pair, size, price, OrderType.LIMIT)

    order = await exchange.matched_order(order_id)
    assert (order["status"], order["type"], order["instruction"], order["side"]) == ("OPEN", "LIMIT", "GTC", side.name)
    assert (Decimal(order["price"]), Decimal(order["size"])) == (price, size)
    tracked = bot.connector.in_flight_orders[order_id]
    assert (tracked.price, tracked.amount, tracked.exchange_order_id) == (price, size, order["id"])
    await bot.cancelled(order_id, pair=market.pair)
    assert (await exchange.closed_order(order_id))["cancel_reason"] == "USER_CANCELED"


@BOTH_SIDES
async def test_an_ioc_order_that_reaches_the_book_is_filled_at_once(
    bot: Bot, exchange: Exchange, market: Market, side: TradeType
) -> None:
    price = await crossing_price(exchange, market, side)
    size = market.smallest_size(price)

    order_id = bot.order(side, market.pair, size, price, ioc=True)

    await bot.events.one(COMPLETED, order_id)
    order = await exchange.closed_order(order_id)
    assert (order["instruction"], Decimal(order["remaining_size"])) == ("IOC", 0)
    assert bot.executed(order_id) == size
    await bot.has_position(market.pair, size if side is TradeType.BUY else -size)


async def test_a_market_order_leaves_nothing_on_the_book(bot: Bot, exchange: Exchange, market: Market) -> None:
    size = market.smallest_size((await exchange.touch(market)).bid)

    order_id = await bot.traded(TradeType.BUY, market.pair, size)

    assert not await exchange.open_orders(market)
    order = await exchange.closed_order(order_id)
    assert (order["type"], Decimal(order["remaining_size"])) == ("MARKET", 0)


# === What cannot be ===


@pytest.mark.parametrize(
    ("order_type", "options", "said"),
    [
        (OrderType.AMM_SWAP, {}, "AMM_SWAP"),
        (OrderType.LIMIT, {"time_in_force": "FOK"}, "no option time_in_force"),
        (OrderType.LIMIT, {"expire_time": 60}, "no option expire_time"),
        (OrderType.MARKET, {"ioc": True}, "Only LIMIT orders"),
        (OrderType.LIMIT, {"display_size": 1}, "no option display_size"),
    ],
    ids=["type", "time in force", "expiry", "market IOC", "iceberg"],
)
async def test_what_paradex_does_not_have_fails_with_a_sentence_and_is_not_sent(
    bot: Bot, exchange: Exchange, market: Market, order_type: OrderType, options: dict[str, object], said: str
) -> None:
    price = await far_price(exchange, market, TradeType.BUY)

    order_id = bot.order(TradeType.BUY, market.pair, market.smallest_size(price), price, order_type, **options)

    failure = await bot.events.one(MarketOrderFailureEvent, order_id)
    assert said in failure.error_message
    assert not bot.connector.in_flight_orders
    assert await exchange.order(order_id) is None


# === Trigger orders ===


@pytest.mark.parametrize("order_type", [OrderType.MARKET, OrderType.LIMIT], ids=lambda kind: kind.name)
@pytest.mark.parametrize(("trigger_type", "name"), [("stop", "STOP"), ("take_profit", "TAKE_PROFIT")])
async def test_trigger_orders_that_buy_wait_like_those_that_sell(
    bot: Bot, exchange: Exchange, market: Market, trigger_type: str, name: str, order_type: OrderType
) -> None:
    """A stop waits above the market; a take-profit, which closes a short position, below it."""
    mark = Decimal((await exchange.summary(market))["mark_price"])
    size = market.smallest_size(mark * (1 - FAR))
    closes = trigger_type == "take_profit"
    if closes:
        await bot.traded(TradeType.SELL, market.pair, size)
        await bot.has_position(market.pair, -size)
    trigger = market.round_price(mark * (1 - FAR if closes else 1 + FAR))

    order_id = await bot.placed(
        TradeType.BUY,
        market.pair,
        size,
        NAN if order_type is OrderType.MARKET else trigger + market.tick,
        order_type,
        PositionAction.CLOSE if closes else PositionAction.OPEN,
        trigger_price=trigger,
        trigger_type=trigger_type,
    )

    order = await exchange.matched_order(order_id)
    assert (order["status"], order["side"], order["type"]) == ("UNTRIGGERED", "BUY", f"{name}_{order_type.name}")
    assert Decimal(order["trigger_price"]) == trigger
    assert order_type is OrderType.MARKET or Decimal(order["price"]) == trigger + market.tick
    await bot.cancelled(order_id, pair=market.pair)


async def test_a_stop_can_be_replaced_by_another(bot: Bot, exchange: Exchange, market: Market) -> None:
    mark = Decimal((await exchange.summary(market))["mark_price"])
    trigger = market.round_price(mark * (1 + FAR))
    size = market.smallest_size(mark)

    async def stop_at(price: Decimal) -> str:
        return await bot.placed(TradeType.BUY, market.pair, size, NAN, OrderType.MARKET, trigger_price=price)

    first = await stop_at(trigger)
    await bot.cancelled(first, pair=market.pair)
    second = await stop_at(trigger + market.tick)

    assert set(await exchange.open_orders(market)) == {second} == set(bot.connector.in_flight_orders)
    assert Decimal((await exchange.matched_order(second))["trigger_price"]) == trigger + market.tick


# === Changes ===


@BOTH_SIDES
async def test_a_resting_order_is_moved_on_either_side(
    bot: Bot, exchange: Exchange, market: Market, side: TradeType
) -> None:
    price = await far_price(exchange, market, side)
    order_id = await bot.placed(side, market.pair, market.smallest_size(price), price)
    await exchange.matched_order(order_id)
    moved = price + away(market, side, 5)

    order = await bot.connector.modify_order(order_id, price=moved)

    seen = await exchange.order(order_id)
    assert seen is not None
    assert Decimal(seen["price"]) == order.price == moved
    assert seen["id"] == order.exchange_order_id


@BOTH_SIDES
async def test_an_order_is_replaced_by_cancelling_it_and_placing_another(
    bot: Bot, exchange: Exchange, market: Market, side: TradeType
) -> None:
    price = await far_price(exchange, market, side)
    size = market.smallest_size(price)
    first = await bot.placed(side, market.pair, size, price)

    await bot.cancelled(first, pair=market.pair)
    second = await bot.placed(side, market.pair, size, price + away(market, side))

    await exchange.matched_order(second)
    assert set(await exchange.open_orders(market)) == {second}
    assert [type(event) for event in bot.events.of(ENDED, first)] == [OrderCancelledEvent]


async def test_cancelling_what_is_cancelled_already_changes_nothing(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    price = await far_price(exchange, market, TradeType.BUY)
    order_id = await bot.placed(TradeType.BUY, market.pair, market.smallest_size(price), price)
    await bot.cancelled(order_id, pair=market.pair)

    assert bot.connector.cancel(market.pair, order_id) == order_id

    # What that could have caused is behind the events of the next order.
    other_id = await bot.placed(TradeType.BUY, market.pair, market.smallest_size(price), price)
    await bot.cancelled(other_id, pair=market.pair)
    assert len(bot.events.of(ENDED, order_id)) == 1


# === An entry with its exits ===


@BOTH_SIDES
async def test_an_entry_gets_its_take_profit_and_stop_loss_once_it_is_filled(
    bot: Bot, exchange: Exchange, market: Market, side: TradeType
) -> None:
    """Paradex and Hummingbot have no bracket order: the exits come with the position, and go with it."""
    price = await crossing_price(exchange, market, side)
    size = market.smallest_size(price)
    order_id = bot.order(side, market.pair, size, price)
    await bot.events.one(COMPLETED, order_id)
    await bot.has_position(market.pair, size if side is TradeType.BUY else -size)
    mark = Decimal((await exchange.summary(market))["mark_price"])
    low, high = market.round_price(mark * (1 - FAR)), market.round_price(mark * (1 + FAR))
    profit, loss = (high, low) if side is TradeType.BUY else (low, high)

    ids = await bot.connector.set_take_profit_stop_loss(market.pair, take_profit_price=profit, stop_loss_price=loss)

    for kind, trigger in (("take_profit", profit), ("stop_loss", loss)):
        order = await exchange.matched_order(ids[kind])
        assert (order["status"], order["side"]) == ("UNTRIGGERED", OPPOSITE[side].name)
        assert (order["type"], Decimal(order["trigger_price"])) == (f"{kind.upper()}_MARKET", trigger)
        assert Decimal(order["size"]) == size
        assert "REDUCE_ONLY" in order["flags"]
    await bot.traded(OPPOSITE[side], market.pair, size, PositionAction.CLOSE)
    for exit_id in ids.values():
        await bot.events.one(OrderCancelledEvent, exit_id)


async def test_a_post_only_entry_has_no_exits_before_it_is_filled(bot: Bot, exchange: Exchange, market: Market) -> None:
    price = await far_price(exchange, market, TradeType.BUY)
    entry = await bot.placed(TradeType.BUY, market.pair, market.smallest_size(price), price, OrderType.LIMIT_MAKER)

    with pytest.raises(ValueError, match="position"):
        await bot.connector.set_take_profit_stop_loss(
            market.pair, take_profit_price=price * 2, stop_loss_price=price / 2
        )

    assert set(await exchange.open_orders(market)) == {entry}


# === Start and stop ===


@BOTH_SIDES
async def test_a_position_of_before_the_start_can_be_closed(
    make_bot: MakeBot, exchange: Exchange, market: Market, side: TradeType
) -> None:
    size = market.smallest_size((await exchange.touch(market)).bid)
    await exchange.place(market, side.name, size)
    theirs = await until(lambda: exchange.position(market), "the exchange has the position")

    bot = await make_bot()

    await bot.has_position(market.pair, size if side is TradeType.BUY else -size)
    ours = bot.position(market.pair)
    assert ours is not None
    assert ours.entry_price == Decimal(theirs["average_entry_price"])
    await bot.traded(OPPOSITE[side], market.pair, size, PositionAction.CLOSE)
    await bot.has_position(market.pair, Decimal(0))
    assert await exchange.is_flat()


async def test_a_stopped_connector_hears_nothing_more(bot: Bot, exchange: Exchange, market: Market) -> None:
    await bot.stop()
    events, seq = len(bot.events.log), bot.book(market.pair).seq

    size = market.smallest_size((await exchange.touch(market)).bid)
    await exchange.place(market, "BUY", size)
    await until(lambda: exchange.position(market), "the exchange has the position")

    assert (len(bot.events.log), bot.book(market.pair).seq) == (events, seq)
    assert bot.position(market.pair) is None


# === Others on the same account ===


async def test_two_bots_with_the_same_keys_leave_each_others_orders_and_those_by_hand_alone(
    make_bot: MakeBot, exchange: Exchange, market: Market
) -> None:
    one, other = [await make_bot(), await make_bot()]
    price = await far_price(exchange, market, TradeType.BUY)
    size = market.smallest_size(price)
    of_one = await one.placed(TradeType.BUY, market.pair, size, price)
    of_other = await other.placed(TradeType.BUY, market.pair, size, price - market.tick)
    await exchange.place(market, "BUY", size, price - 2 * market.tick, client_id="by-hand")
    await exchange.matched_order("by-hand")

    results = await one.connector.cancel_all(TIMEOUT)

    assert [(result.order_id, result.success) for result in results] == [(of_one, True)]
    await until(lambda: not one.connector.in_flight_orders, "its own order is cancelled")
    assert set(await exchange.open_orders(market)) == {of_other, "by-hand"}
    assert set(other.connector.in_flight_orders) == {of_other}
    assert not one.events.of((*CREATED, *ENDED), of_other)


# === Market data ===


async def test_every_market_that_is_offered_can_be_watched(make_bot: MakeBot, exchange: Exchange, venue: Venue) -> None:
    """On a venue with hundreds of markets, the first ones."""
    perpetuals = [market for market in await exchange.markets() if market["asset_kind"] == "PERP"]
    offered = [Market.from_payload(market).pair for market in perpetuals]
    pairs = offered if venue.is_sandbox else offered[:MANY_PAIRS]

    bot = await make_bot(trading_pairs=pairs)

    assert set(pairs) <= set(bot.connector.trading_rules)
    for pair in pairs:
        assert bot.book(pair).bids, pair
        assert bot.connector.get_funding_info(pair).mark_price > 0
        assert bot.connector.get_price_by_type(pair, PriceType.MidPrice) > 0


async def test_index_and_mark_price_follow_the_exchanges(bot: Bot, exchange: Exchange, market: Market) -> None:
    async def as_on_the_exchange() -> bool:
        summary, info = await exchange.summary(market), bot.connector.get_funding_info(market.pair)
        index, mark = Decimal(summary["underlying_price"]), Decimal(summary["mark_price"])
        # Both move on while they are asked for.
        return abs(info.index_price / index - 1) < Decimal("0.001") and abs(info.mark_price / mark - 1) < Decimal(
            "0.001"
        )

    for _ in range(3):
        await until(as_on_the_exchange, "index and mark price are the exchange's")
        seen = bot.connector.get_funding_info(market.pair).mark_price
        await until(
            lambda seen=seen: bot.connector.get_funding_info(market.pair).mark_price != seen, "the mark price moves on"
        )


async def test_orders_at_several_levels_and_their_fills_are_kept_apart(
    bot: Bot, exchange: Exchange, market: Market
) -> None:
    price = await crossing_price(exchange, market, TradeType.BUY)
    size = market.smallest_size(price)
    far = await far_price(exchange, market, TradeType.BUY)
    resting = [bot.order(TradeType.BUY, market.pair, size, far + away(market, TradeType.BUY, n)) for n in range(3)]
    taking = [bot.order(TradeType.BUY, market.pair, size + n * market.step, price) for n in range(3)]

    await asyncio.gather(*(bot.events.one(COMPLETED, order_id) for order_id in taking))
    await asyncio.gather(*(bot.events.one(CREATED, order_id) for order_id in resting))

    assert [bot.executed(order_id) for order_id in taking] == [size + n * market.step for n in range(3)]
    assert not [event for order_id in resting for event in bot.events.of(OrderFilledEvent, order_id)]
    assert set(await exchange.open_orders(market)) == set(resting) == set(bot.connector.in_flight_orders)
    await bot.has_position(market.pair, 3 * size + 3 * market.step)
