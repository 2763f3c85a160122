"""Accounts, subkeys and deposits."""

from decimal import Decimal

import pytest

from paradex_sandbox.exchange.errors import ExchangeError
from paradex_sandbox.exchange.events import AccountChanged, AccountCreated, BalanceChanged, SubkeyChanged
from tests.unit.sandbox.venue import ALICE, BOB, Venue


def code_of(call: object, *arguments: object) -> str:
    with pytest.raises(ExchangeError) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value.code


def test_a_new_account_has_its_deposits(venue: Venue) -> None:
    venue.exchange.create_account("0xd0e", "0xd0e1", {"USDC": Decimal("12.5")}, parent=ALICE)
    created, changed = venue.exchange.drain_events()
    assert isinstance(created, AccountCreated)
    assert isinstance(changed, AccountChanged)
    assert created.created.balances == {"USDC": Decimal("12.5")}
    assert venue.exchange.account("0xd0e").parent == ALICE
    assert [account.address for account in venue.exchange.accounts()][-1] == "0xd0e"


def test_addresses_are_field_elements_however_they_are_written(venue: Venue) -> None:
    assert venue.exchange.account("0x000A11CE").address == ALICE
    assert code_of(venue.exchange.create_account, "0x0a11ce", "0x5") == "NOT_UNIQUE"
    assert code_of(venue.exchange.create_account, "no number", "0x5") == "INVALID_STARKNET_ADDRESS"
    assert code_of(venue.exchange.account, "0xdead") == "ACCOUNT_NOT_FOUND"


def test_a_subkey_belongs_to_one_account_until_it_is_revoked(venue: Venue) -> None:
    subkey = venue.exchange.register_subkey(ALICE, "0xbee", "bot")
    assert subkey.is_active
    assert code_of(venue.exchange.register_subkey, BOB, "0x0BEE") == "NOT_UNIQUE"
    assert code_of(venue.exchange.register_subkey, BOB, f"{ALICE}1") == "NOT_UNIQUE"
    assert code_of(venue.exchange.revoke_subkey, BOB, "0xbee") == "INVALID_SUBKEY"
    assert not venue.exchange.revoke_subkey(ALICE, "0x0bee").is_active
    assert not venue.exchange.account(ALICE).subkeys["0xbee"].is_active
    assert code_of(venue.exchange.revoke_subkey, ALICE, "0xbee") == "INVALID_SUBKEY"
    venue.exchange.register_subkey(BOB, "0xbee")
    events = [event for event in venue.exchange.drain_events() if isinstance(event, SubkeyChanged)]
    assert [(event.account, event.subkey.is_active) for event in events] == [(ALICE, True), (ALICE, False), (BOB, True)]


@pytest.mark.parametrize("key", ["", "0x0", "key"])
def test_what_is_no_key_is_refused(venue: Venue, key: str) -> None:
    assert code_of(venue.exchange.register_subkey, ALICE, key) == "PUBLIC_KEY_INVALID"


def test_deposits_and_withdrawals_move_the_balance(venue: Venue) -> None:
    assert venue.exchange.deposit(ALICE, Decimal("0.5")).size == Decimal("100000.5")
    assert venue.exchange.deposit(ALICE, Decimal(3), "DIME").size == 3
    events = [event for event in venue.exchange.drain_events() if isinstance(event, BalanceChanged)]
    assert [(event.token, event.before, event.after) for event in events] == [
        ("USDC", 100_000, Decimal("100000.5")),
        ("DIME", 0, 3),
    ]
    assert venue.exchange.account_summary(ALICE).total_collateral == Decimal("100000.5")
    assert venue.exchange.deposit(ALICE, Decimal("-100000.5")).size == 0


@pytest.mark.parametrize("amount", ["-100000.01", "NaN", "Infinity", "1e12", "1e-9"])
def test_amounts_that_cannot_be_are_refused(venue: Venue, amount: str) -> None:
    assert code_of(venue.exchange.deposit, ALICE, Decimal(amount)) == "VALIDATION_ERROR"
    assert venue.exchange.balances(ALICE)[0].size == 100_000


def test_an_account_in_debt_can_be_topped_up(venue: Venue) -> None:
    venue.sell(BOB, "900", "100")
    venue.buy(ALICE, "900", "100")
    venue.exchange.deposit(ALICE, Decimal(-95_000))
    venue.mark("50")
    venue.buy(BOB, "900", "50")
    venue.sell(ALICE, "900", "50")
    assert venue.balance(ALICE) < -30_000
    assert venue.exchange.deposit(ALICE, Decimal(100)).size < 0
