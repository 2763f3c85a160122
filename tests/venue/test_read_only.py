"""A connector that has a token instead of a key, and one account beside another."""

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest
from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType
from hummingbot.core.event.events import MarketOrderFailureEvent, OrderFilledEvent

from tests.venue.bot import Bot
from tests.venue.conftest import MakeBot
from tests.venue.exchange import Credentials, Exchange, Market
from tests.venue.waiting import until

MakeToken = Callable[[], Awaitable[str]]


@pytest.fixture
async def watcher(make_bot: MakeBot, exchange: Exchange, credentials: Credentials) -> Bot:
    """A connector that has nothing but a token of the account, as somebody gets who may look and not trade."""
    answer = await exchange.post("/account/tokens", {"name": "watcher", "token_type": "jwt", "expiry_duration": 3600})
    return await make_bot(credentials=Credentials(answer["token"], credentials.account_address), trading_required=False)


@pytest.mark.private_payloads
async def test_a_token_shows_the_account_and_follows_it(watcher: Bot, exchange: Exchange, market: Market) -> None:
    connector = watcher.connector
    await until(lambda: connector.account_health, "the account is known")
    size = market.smallest_size((await exchange.touch(market)).bid)
    await until(lambda: connector._user_stream_tracker.data_source.last_recv_time > 0, "the private stream is on")

    await exchange.place(market, "BUY", size, client_id="somebody-else")

    await watcher.has_position(market.pair, size)
    await until(lambda: connector.account_health.leverage, "the health has heard of it")
    assert (await connector.history.fills(market.pair))[-1].client_order_id == "somebody-else"
    assert (await connector.history.orders(market.pair))[-1].client_order_id == "somebody-else"
    assert connector.get_balance("USDC") > 0


async def test_a_token_cannot_trade(
    watcher: Bot, exchange: Exchange, market: Market, expected_errors: list[str]
) -> None:
    # Hummingbot shows a failed order in its application, which then looks for its own configuration.
    expected_errors.extend(["read-only token", "conf_client.yml"])
    await until(lambda: watcher.connector.trading_rules or watcher.connector.account_health, "the account is known")
    await watcher.connector._update_trading_rules()
    bid = (await exchange.touch(market)).bid
    price = market.round_price(bid * Decimal("0.98"))

    order_id = watcher.order(TradeType.BUY, market.pair, market.smallest_size(price), price, OrderType.LIMIT)
    failure = await watcher.events.one(MarketOrderFailureEvent, order_id)

    assert "read-only token" in str(failure.error_message)
    assert await exchange.open_orders() == {}
    done, message = await watcher.connector._set_trading_pair_leverage(market.pair, 2)
    assert not done
    assert "read-only token" in message


async def test_a_sub_account_is_an_account_of_its_own(
    bot: Bot, make_bot: MakeBot, other_credentials: Credentials, exchange: Exchange, market: Market
) -> None:
    other = await make_bot(credentials=other_credentials)
    size = market.smallest_size((await exchange.touch(market)).bid)

    await other.traded(TradeType.BUY, market.pair, size)
    await other.has_position(market.pair, size)

    assert await exchange.position_size(market) == bot.position_amount(market.pair) == 0
    assert not bot.events.of(OrderFilledEvent)
    await other.traded(TradeType.SELL, market.pair, size, PositionAction.CLOSE)
    await other.has_position(market.pair, Decimal(0))
