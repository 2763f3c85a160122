"""What Hummingbot says to keys that are not right."""

import json

import httpx
import pytest

from demo.bot import CONNECTOR, Bot
from demo.errors import DemoError
from demo.exchange import authenticated_client
from demo.sandbox import Account, Sandbox

SECRET_FIELD = f"{CONNECTOR}_api_secret"
ADDRESS_FIELD = f"{CONNECTOR}_account_address"


@pytest.mark.parametrize(
    "mistake",
    ["some-words", "0x" + "f" * 64, ""],
    ids=["words", "beyond the curve's order", "nothing"],
)
def test_a_malformed_key_is_refused_in_a_clear_sentence(bot: Bot, mistake: str) -> None:
    keys = {SECRET_FIELD: mistake, ADDRESS_FIELD: "0x1234"}

    refused = bot.hbot("connect", CONNECTOR, "--keys-stdin", stdin=json.dumps(keys))

    assert refused.returncode != 0
    said = refused.stdout + refused.stderr
    assert "The Paradex subkey's private key should be 0x followed by up to 64 hexadecimal digits" in said
    assert not mistake or mistake not in said
    assert not (bot.home.conf / "connectors" / f"{CONNECTOR}.yml").exists()


def test_a_malformed_key_does_not_replace_the_one_that_works(sandbox: Sandbox, bot: Bot) -> None:
    account = sandbox.create_account()
    bot.connect(account)
    keys = {SECRET_FIELD: "some-words", ADDRESS_FIELD: account.address}

    assert bot.hbot("connect", CONNECTOR, "--keys-stdin", stdin=json.dumps(keys)).returncode != 0

    bot.test_connection()
    assert bot.balance() > 0


def test_a_token_connects_and_shows_the_balance_but_no_secret(sandbox: Sandbox, bot: Bot) -> None:
    account = sandbox.create_account()
    token = read_only_token(sandbox, account)

    bot.connect(Account(address=account.address, api_secret=token))
    bot.test_connection()

    assert bot.balance() > 0
    assert not any(token in path.read_text(errors="ignore") for path in bot.home.conf.rglob("*") if path.is_file())


@pytest.mark.parametrize("swapped", [True, False], ids=["swapped", "of another account"])
def test_wrong_keys_are_refused_by_the_connection_test_with_a_hint(sandbox: Sandbox, bot: Bot, swapped: bool) -> None:
    account = sandbox.create_account()
    secret = account.address if swapped else sandbox.create_account().api_secret
    bot.connect(Account(address=account.api_secret if swapped else account.address, api_secret=secret))

    with pytest.raises(DemoError, match="the exchange does not take the bot's keys") as refusal:
        bot.test_connection()

    hint = str(refusal.value)
    assert "swapped" in hint
    assert "subkey" in hint
    assert secret not in hint


def read_only_token(sandbox: Sandbox, account: Account) -> str:
    """What the account's owner gives to somebody who may look."""
    client = authenticated_client(sandbox.url, account)
    assert client.account is not None
    with httpx.Client(trust_env=False, headers={"Authorization": f"Bearer {client.account.jwt_token}"}) as http:
        wish = {"name": "watcher", "token_type": "jwt", "expiry_duration": 3600}
        answer = http.post(f"{sandbox.url}/account/tokens", json=wish)
    answer.raise_for_status()
    return str(answer.json()["token"])
