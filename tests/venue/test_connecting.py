"""Getting connected, and what is said when the credentials are not right."""

import secrets

import pytest
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_auth import ParadexAuthenticationError
from hummingbot.core.network_iterator import NetworkStatus
from hummingbot.core.web_assistant.connections.connections_factory import ConnectionsFactory

from tests.venue.bot import Bot
from tests.venue.conftest import MakeBot
from tests.venue.exchange import Credentials, Market
from tests.venue.venue import Venue


async def test_the_connector_connects_and_every_part_of_it_becomes_ready(bot: Bot) -> None:
    assert bot.connector.network_status is NetworkStatus.CONNECTED
    assert all(bot.connector.status_dict.values()), bot.connector.status_dict


async def test_without_credentials_the_public_data_arrive(make_bot: MakeBot, market: Market) -> None:
    bot = await make_bot(credentials=None)

    assert bot.book(market.pair).bids
    assert bot.connector.get_funding_info(market.pair).mark_price > 0


async def test_the_network_can_be_stopped_and_started_again(bot: Bot, market: Market) -> None:
    await bot.stop()
    await bot.start()

    assert bot.book(market.pair).bids
    assert bot.connector.get_balance("USDC") > 0


async def test_right_credentials_pass_the_connection_test(venue: Venue) -> None:
    balances = await _connection_test(venue, venue.credentials)

    assert balances["USDC"] > 0


async def test_swapped_credentials_are_refused_and_it_is_said_that_they_may_be_swapped(venue: Venue) -> None:
    right = venue.credentials
    swapped = Credentials(api_secret=right.account_address, account_address=right.api_secret)

    assert "swapped" in await _refusal(venue, swapped)


async def test_a_subkey_that_is_not_registered_is_refused_and_it_is_said_that_it_may_be_revoked(venue: Venue) -> None:
    unknown = Credentials(_random_felt(), venue.credentials.account_address)

    assert "revoked" in await _refusal(venue, unknown)


async def test_the_address_of_nobody_is_refused_and_it_is_said_that_it_must_be_the_main_accounts(venue: Venue) -> None:
    nobody = Credentials(venue.credentials.api_secret, _random_felt())

    text = await _refusal(venue, nobody)

    assert "main account" in text
    assert venue.domain in text


async def _connection_test(venue: Venue, credentials: Credentials) -> dict[str, object]:
    """What Hummingbot's `connect` does: it asks a connector that was never started for its balances."""
    connector = Bot(venue.domain, credentials, trading_pairs=[]).connector
    try:
        await connector._update_balances()
        return connector.get_all_balances()
    finally:
        await ConnectionsFactory().close()


async def _refusal(venue: Venue, credentials: Credentials) -> str:
    with pytest.raises(ParadexAuthenticationError) as refusal:
        await _connection_test(venue, credentials)
    text = str(refusal.value)
    for secret in (credentials.api_secret, credentials.account_address):
        assert secret.removeprefix("0x") not in text
    return text


def _random_felt() -> str:
    return hex(1 + secrets.randbelow(2**250))
