"""Accounts of an Ethereum key, with the messages and signatures of the official SDK."""

import asyncio
import base64
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from eth_account import Account as EthAccount
from paradex_py.account.evm_account import EvmAccount
from paradex_py.account.subkey_account import SubkeyAccount
from paradex_py.api.api_client import ParadexApiClient
from paradex_py.environment import TESTNET

from paradex_sandbox.api import evm, stark
from paradex_sandbox.api.app import API_PREFIX
from tests.sandbox.client import MARKET, Answer, Trader, system_config
from tests.sandbox.conftest import Sandbox, Starter

KEY = "0x" + "11" * 32
OTHER_KEY = "0x" + "22" * 32
SUBKEY = "0x5566"


class Owner:
    """An Ethereum key at a sandbox. The SDK builds and signs its messages."""

    def __init__(self, sandbox: Sandbox, account: EvmAccount):
        self.sandbox = sandbox
        self.account = account

    @classmethod
    async def at(cls, sandbox: Sandbox, key: str = KEY) -> "Owner":
        config = await system_config(sandbox.rest)
        return cls(sandbox, EvmAccount(config, TESTNET, EthAccount.from_key(key).address, key))

    async def onboard(self, headers: dict[str, str] | None = None, public_key: Any = None) -> Answer:
        body = {"public_key": public_key or self.account.evm_public_key_uncompressed}
        headers = headers or self.account.onboarding_headers()
        return await self.sandbox.rest.call("POST", "/v2/onboarding", json=body, headers=headers)

    async def auth(self, headers: dict[str, str] | None = None, **query: str) -> Answer:
        headers = headers or self.account.auth_headers()
        return await self.sandbox.rest.call("POST", "/v2/auth", headers=headers, params=query)

    def altered(self, old: str, new: str, *, key: str = KEY) -> dict[str, str]:
        """Headers for auth with another text in the message, which is then signed by `key`."""
        headers = self.account.auth_headers()
        text = base64.b64decode(headers["PARADEX-SIWE-MESSAGE"]).decode()
        assert old in text, (old, text)
        signer = EvmAccount(self.account.config, TESTNET, "0x0", key)
        text = text.replace(old, new)
        return headers | {
            "PARADEX-SIWE-MESSAGE": base64.b64encode(text.encode()).decode(),
            "PARADEX-EVM-SIGNATURE": signer._sign_eip191(text),
        }

    def altered_times(self, now_ms: int) -> dict[str, str]:
        """Headers for auth as of the sandbox's time, in milliseconds; the SDK goes by the computer's."""
        text = base64.b64decode(self.account.auth_headers()["PARADEX-SIWE-MESSAGE"]).decode()
        issued = datetime.fromtimestamp(now_ms / 1000, UTC)
        times = f"Issued At: {issued.isoformat()}\nExpiration Time: {(issued + timedelta(minutes=5)).isoformat()}"
        return self.altered(text[text.index("Issued At") :], times)


@pytest.fixture
async def owner(sandbox: Sandbox) -> Owner:
    """An onboarded one."""
    owner = await Owner.at(sandbox)
    answer = await owner.onboard()
    assert answer.status == 200, answer.text
    return owner


async def test_the_sdk_onboards_logs_in_and_trades_through_a_subkey(start: Starter) -> None:
    sandbox = await start(traders=True, frozen=False)

    def connect() -> tuple[ParadexApiClient, EvmAccount]:
        api = ParadexApiClient(env=TESTNET, api_base_url=sandbox.server.url)
        account = EvmAccount(api.fetch_system_config(), TESTNET, EthAccount.from_key(KEY).address, KEY)
        api.init_account_evm(account)  # auth, NOT_ONBOARDED, onboarding, auth
        subkey = SubkeyAccount(account.config, SUBKEY, hex(account.l2_address))
        api.create_subkey({"name": "trading", "public_key": hex(subkey.l2_public_key), "state": "active"})
        return api, account

    api, account = await asyncio.to_thread(connect)
    summary = await asyncio.to_thread(api.fetch_account_summary)
    assert (int(summary.account, 16), float(summary.account_value)) == (account.l2_address, 100_000)
    keys = {"account_address": hex(account.l2_address), "api_secret": SUBKEY}
    trader = Trader(sandbox.session, sandbox.server.url, keys, await system_config(sandbox.rest))
    await trader.login()
    assert (await trader.place("BUY", "0.01", "1000"))["status"] == "NEW"
    orders = await asyncio.to_thread(api.fetch_orders, {"market": MARKET})
    assert len(orders["results"]) == 1


async def test_the_address_is_the_one_that_the_sdk_derives(owner: Owner) -> None:
    query = {"account_signer_type": "eip191"}
    for key, exists in ((KEY, True), (OTHER_KEY, False)):
        account = (await Owner.at(owner.sandbox, key)).account
        info = (await owner.sandbox.rest.get("/onboarding", **query, eth_address=account.evm_address)).json
        assert (int(info["address"], 16), info["exists"]) == (account.l2_address, exists)
        assert info["account_signer_type"] == "eip191"
        assert info["derivation_info"]["class_hash"] == account.config.paraclear_evm_account_hash
    answer = await owner.sandbox.rest.get("/onboarding", **query, eth_address="0x1")
    assert (answer.status, answer.error) == (400, "INVALID_ETHEREUM_ADDRESS")
    address = owner.account.evm_address
    answer = await owner.sandbox.rest.get("/onboarding", **query, eth_address=address, vault_operator_index=0)
    assert (answer.status, answer.error) == (400, "EVM_VAULT_OPERATORS_DISABLED")


async def test_onboarding_twice_changes_nothing(owner: Owner) -> None:  # assumed, as POST /onboarding is
    assert (await owner.onboard()).status == 200
    assert len((await owner.sandbox.rest.control("GET", "/state"))["accounts"]) == 1


async def test_who_is_not_onboarded_cannot_log_in(sandbox: Sandbox) -> None:
    answer = await (await Owner.at(sandbox)).auth()
    assert (answer.status, answer.error) == (401, "NOT_ONBOARDED")


async def test_signatures_of_others_are_refused(owner: Owner) -> None:
    stranger = await Owner.at(owner.sandbox, OTHER_KEY)
    good = owner.account.auth_headers()
    for signature in ("", "0x12", "0x" + "00" * 65, "0x" + "ff" * 65):
        answer = await owner.auth(good | {"PARADEX-EVM-SIGNATURE": signature})
        assert (answer.status, answer.error) == (401, "INVALID_EVM_SIGNATURE"), signature
    text = base64.b64decode(good["PARADEX-SIWE-MESSAGE"]).decode()
    tampered = text.replace("Nonce: ", "Nonce: 0")
    for headers in (
        good | {"PARADEX-SIWE-MESSAGE": base64.b64encode(tampered.encode()).decode()},
        good | {"PARADEX-EVM-SIGNATURE": stranger.account.auth_headers()["PARADEX-EVM-SIGNATURE"]},
    ):
        answer = await owner.auth(headers)
        assert (answer.status, answer.error) == (401, "EVM_SIGNATURE_VERIFICATION_FAILED")
    # A stranger's own good message does not open the account of another.
    address = {"PARADEX-STARKNET-ACCOUNT": hex(owner.account.l2_address)}
    for answer in (
        await stranger.auth(stranger.account.auth_headers() | address),
        await stranger.onboard(stranger.account.onboarding_headers() | address),
    ):
        assert (answer.status, answer.error) == (400, "INVALID_STARKNET_ADDRESS")


async def test_messages_for_something_else_are_refused(owner: Owner) -> None:
    account = owner.account
    assert (await owner.auth(account.onboarding_headers())).error == "INVALID_REQUEST_PARAMETER"
    assert (await owner.onboard(account.auth_headers())).error == "INVALID_REQUEST_PARAMETER"
    assert (await owner.auth(owner.altered("Chain ID: ", "Chain ID: 9"))).error == "INVALID_CHAIN"
    for old, new, reason in (
        ("app.testnet.paradex.trade wants", "app.paradex.trade wants", "another domain"),
        ("app.testnet.paradex.trade", "evil.example", "another domain"),
        ("URI: https://", "URI: http://", "URI"),
        ("URI: https://app.testnet.paradex.trade", "URI: https://app.testnet.paradex.trade.evil.example", "URI"),
        ("Version: 1", "Version: 2", "ERC-4361"),
        ("Nonce: ", "Nonce: !", "ERC-4361"),
    ):
        answer = await owner.auth(owner.altered(old, new))
        assert (answer.status, answer.error) == (400, "INVALID_REQUEST_PARAMETER")
        assert reason in answer.json["message"]
    for message in ("", "?", "A" * 5000, base64.b64encode(b"\xff\xfe").decode()):
        answer = await owner.auth(account.auth_headers() | {"PARADEX-SIWE-MESSAGE": message})
        assert (answer.status, answer.error) == (400, "INVALID_REQUEST_PARAMETER")
    for key in (EvmAccount(account.config, TESTNET, "0x0", OTHER_KEY).evm_public_key_uncompressed, "0x1", 7):
        answer = await owner.onboard(public_key=key)
        assert (answer.status, answer.error) == (400, "PUBLIC_KEY_INVALID")


async def test_messages_live_as_long_as_they_say(owner: Owner) -> None:
    headers = [owner.account.auth_headers() for _ in range(2)]
    onboarding = [owner.account.onboarding_headers() for _ in range(2)]
    await owner.sandbox.advance(290_000)
    assert (await owner.auth(headers[0])).status == 200
    await owner.sandbox.advance(20_000)
    assert (await owner.auth(headers[1])).error == "INVALID_TIMESTAMP"
    assert (await owner.onboard(onboarding[0])).status == 200  # it names no end
    await owner.sandbox.advance(30 * 60_000)
    assert (await owner.onboard(onboarding[1])).error == "INVALID_TIMESTAMP"


async def test_a_message_opens_one_session_only(owner: Owner) -> None:
    headers = owner.account.auth_headers()
    stolen = await asyncio.gather(*(owner.auth(headers) for _ in range(5)))
    assert sorted(answer.status for answer in stolen) == [200, 400, 400, 400, 400]
    refusal = next(answer for answer in stolen if answer.status == 400)
    assert (refusal.error, "used before" in refusal.json["message"]) == ("INVALID_REQUEST_PARAMETER", True)
    onboarding = owner.account.onboarding_headers()
    assert [(await owner.onboard(onboarding)).status for _ in range(2)] == [200, 400]
    assert (await owner.auth()).status == 200


async def test_nobody_uses_up_the_messages_of_another(owner: Owner) -> None:
    headers = owner.account.auth_headers()
    wrong = (await Owner.at(owner.sandbox, OTHER_KEY)).account.auth_headers()["PARADEX-EVM-SIGNATURE"]
    assert (await owner.auth(headers | {"PARADEX-EVM-SIGNATURE": wrong})).status == 401
    assert (await owner.auth(headers)).status == 200


async def test_used_messages_are_forgotten_when_they_have_expired(start: Starter, tmp_path: Any) -> None:
    sandbox = await start(data=tmp_path)
    owner = await Owner.at(sandbox)
    await owner.onboard()
    await owner.auth()
    storage = sandbox.runtime.storage
    assert storage is not None
    assert len(json.loads(storage.get_meta(evm._META_KEY) or "")) == 2
    await sandbox.advance(31 * 60_000)
    late = owner.altered_times(await sandbox.rest.now())
    assert (await owner.auth(late)).status == 200
    assert len(json.loads(storage.get_meta(evm._META_KEY) or "")) == 1


@pytest.mark.parametrize("name", ["Issued At", "Expiration Time"])
async def test_times_that_no_message_can_have_are_refused(owner: Owner, name: str) -> None:
    later = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    for time in ("yesterday", "2026-01-01T00:00:00", later):
        headers = owner.account.auth_headers()
        text = base64.b64decode(headers["PARADEX-SIWE-MESSAGE"]).decode()
        line = next(line for line in text.split("\n") if line.startswith(name))
        assert (await owner.auth(owner.altered(line, f"{name}: {time}"))).error == "INVALID_TIMESTAMP", time


async def test_no_message_ends_before_it_begins(owner: Owner) -> None:
    now = datetime.fromtimestamp(await owner.sandbox.rest.now() / 1000, UTC)
    headers = owner.account.auth_headers()
    text = base64.b64decode(headers["PARADEX-SIWE-MESSAGE"]).decode()
    times = [(now + timedelta(seconds=seconds)).isoformat() for seconds in (50, 20)]  # within the clocks' tolerance
    altered = owner.altered(text[text.index("Issued At") :], "Issued At: {}\nExpiration Time: {}".format(*times))
    assert (await owner.auth(altered)).error == "INVALID_TIMESTAMP"


async def test_the_key_itself_signs_no_orders(owner: Owner) -> None:
    sandbox, address = owner.sandbox, hex(owner.account.l2_address)
    keys = {"account_address": address, "api_secret": SUBKEY}
    trader = Trader(sandbox.session, sandbox.server.url, keys, await system_config(sandbox.rest))
    trader.token = (await owner.auth(token_usage="interactive")).json["jwt_token"]
    assert (await trader.get("/account")).json["account"] == address
    answer = await trader.order("BUY", "0.01", "1000")
    assert (answer.status, answer.error) == (400, "INVALID_ORDER_SIGNATURE")
    # Nor is there a Stark signature that would log it in.
    answer = await sandbox.rest.call("POST", "/auth", headers=await trader.auth_headers())
    assert (answer.status, answer.error) == (401, "STARKNET_SIGNATURE_VERIFICATION_FAILED")
    assert not stark.verify(int(owner.account.evm_public_key_uncompressed, 16), 1, (1, 1))
    assert (await owner.auth(token_usage="other")).error == "INVALID_REQUEST_PARAMETER"


async def test_the_account_survives_a_restart(start: Starter, tmp_path: Any) -> None:
    first = await start(data=tmp_path)
    owner = await Owner.at(first)
    assert (await owner.onboard()).status == 200
    used = owner.account.auth_headers()
    assert (await owner.auth(used)).status == 200
    await first.close()
    start.running.remove(first)
    again = await Owner.at(await start(data=tmp_path))
    assert (await again.auth(used)).error == "INVALID_REQUEST_PARAMETER"
    assert (await again.auth()).status == 200


async def test_limits_and_faults_reach_below_v2_too(start: Starter) -> None:
    sandbox = await start(limits=True)
    root = sandbox.server.url.removesuffix(API_PREFIX)
    async with sandbox.session.post(root + "/v2/auth") as response:
        assert response.headers["x-ratelimit-limit"] == "600"
    await sandbox.rest.control("POST", "/faults", {"kind": "http_error", "path": "/v2/auth", "status": 503})
    async with sandbox.session.post(root + "/v2/auth") as response:
        assert response.status == 503


def test_the_ethereum_libraries_are_not_loaded_at_the_start() -> None:
    code = "import sys, paradex_sandbox.api.app; sys.exit('eth_account' in sys.modules or 'eth_utils' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
