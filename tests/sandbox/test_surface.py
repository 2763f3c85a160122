"""Nothing of Paradex's API is missing: each path and channel of its descriptions is served, or refused by name."""

import json
import re
from itertools import product
from typing import Any

import pytest
import yaml

from paradex_sandbox.api.rest_unsupported import FAMILIES
from tests.sandbox import spec
from tests.sandbox.client import MARKET, Trader
from tests.sandbox.conftest import Sandbox

#: What stands for the parameters of a path.
SAMPLES = {"market": MARKET, "public_key": "0x1"}
#: Channels that the AsyncAPI file lists and the sandbox refuses.
REFUSED_CHANNELS = {"rfq"}
CHANNEL_SAMPLES = {
    "market_symbol": MARKET,
    "feed_type": "deltas",
    "refresh_rate": "50ms",
    "price_tick": "0_1",
    "rfq_id": "1",
}


def operations() -> list[tuple[str, str]]:
    document = spec.openapi()
    if document is None:
        return [("GET", "/markets")]
    return [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]


def is_refused(path: str) -> bool:
    return any(path == family or path.startswith(family + "/") for family in FAMILIES)


@pytest.mark.parametrize(("method", "path"), operations(), ids=lambda value: value)
async def test_every_path_is_served_or_refused_by_name(sandbox: Sandbox, method: str, path: str) -> None:
    trader = await sandbox.trader()
    filled = re.sub(r"\{(\w+)\}", lambda match: SAMPLES.get(match[1], "1"), path)
    answer = await trader.call(method, filled)
    assert answer.status < 500
    assert answer.status != 405
    if is_refused(path):
        assert (answer.status, answer.error) == (400, "REQUEST_NOT_ALLOWED")
        assert "the sandbox has no" in answer.json["message"]
    else:
        assert f"{method} {path}" in {*spec.ANSWERS, *spec.UNCHECKED}
        assert answer.status != 404 or answer.json["message"] != f"no such path: {method} /v1{filled}"


async def test_only_the_families_of_the_issue_are_refused() -> None:
    document = spec.openapi()
    if document is not None:
        tags = {
            operation["tags"][0]
            for path, methods in document["paths"].items()
            for operation in methods.values()
            if is_refused(path)
        }
        # Of Account only the referrals.
        assert tags == {"Vaults", "Staking", "XPTransfersV2", "Referrals", "Rfqs", "BlockTrades", "Account"}


def channel_forms() -> list[dict[str, Any]]:
    """The parameters of `subscribe` for every channel of the AsyncAPI file, in each of its forms.

    Optional parts of a name are there or not, enumerated parts take all their values, and what the descriptions say
    beside the names counts: `ALL`, the options of a base asset, the scoped summary.
    """
    if spec.openapi() is None:
        return [{"channel": f"bbo.{MARKET}"}]
    document = yaml.safe_load((spec.SPECS / "asyncapi-prod.yaml").read_text())
    values = {name: [sample] for name, sample in CHANNEL_SAMPLES.items()}
    for name, parameter in document["components"]["parameters"].items():
        values[name] = parameter["schema"].get("enum") or values.get(name, [])
    methods = {"/" + name for name in spec.rpc_methods()}
    forms: list[dict[str, Any]] = []
    for template in sorted(set(document["channels"]) - methods):
        for name in {re.sub(r"\[[^]]*\]", "", template), re.sub(r"[][]", "", template)}:
            parts = re.findall(r"\{(\w+)\}", name)
            for chosen in product(*(values[part] for part in parts)):
                of = dict(zip(parts, chosen, strict=True))
                filled = re.sub(r"\{(\w+)\}", lambda match, of=of: of[match[1]], name)  # type: ignore[misc]
                forms.append({"channel": filled.removeprefix("/")})
    described = json.dumps(document["channels"]).replace('\\"', '"')
    forms += [{"channel": name} for name in sorted(set(re.findall(r"`(\w+\.ALL)`", described)))]
    for channel in sorted(set(re.findall(r'\{"channel": "(\w+)", "base_asset"', described))):
        forms.append({"channel": channel, "base_asset": "BTC"})
    assert "subscribe with a `markets` array" in described
    forms.append({"channel": "markets_summary", "markets": [MARKET]})
    return sorted(forms, key=str)


def test_the_forms_of_the_channels_are_found() -> None:
    if spec.openapi() is not None:
        forms = [form["channel"] for form in channel_forms()]
        assert len(forms) > 35
        assert {"bbo", "trades", "bbo.ALL", "trades.ALL", "markets", "rfq", f"order_book.{MARKET}.deltas@15@50ms"} <= {
            *forms
        }


TOPICS = sorted({form["channel"].partition(".")[0] for form in channel_forms()})


@pytest.mark.parametrize("topic", TOPICS)
async def test_every_form_of_every_channel_is_served_or_refused_by_name(sandbox: Sandbox, topic: str) -> None:
    socket = await sandbox.socket(trader=await sandbox.trader())
    for form in (form for form in channel_forms() if form["channel"].partition(".")[0] == topic):
        answer = await socket.call("subscribe", **form)
        if topic in REFUSED_CHANNELS:
            assert answer["error"]["code"] == -32602
            assert "the sandbox has no rfq" in answer["error"]["data"]
            continue
        assert answer.get("result") == {"channel": form["channel"]}, (form, answer)
        again = await socket.call("subscribe", **form)
        assert "already subscribed" in again["error"]["data"]
        given_up = await socket.call("unsubscribe", **{name: form[name] for name in form if name != "markets"})
        assert given_up["result"] == {"channel": form["channel"]}


# -- what the answers say ---------------------------------------------------------------------------------------------


async def ok(trader: Trader, method: str, path: str, body: Any = None, **query: str) -> Any:
    answer = await trader.call(method, path, json=body, params=query)
    assert answer.status < 300, answer.text
    return answer.json


async def main_session(sandbox: Sandbox) -> Trader:
    """A trader who is logged in with the main key."""
    trader = await sandbox.trader()
    from paradex_py.account.subkey_account import SubkeyAccount

    trader.signer = SubkeyAccount(trader.signer.config, trader.keys["private_key"], trader.address)
    await trader.login()
    return trader


async def test_profile_and_settings_are_kept(sandbox: Sandbox) -> None:
    trader, other = await sandbox.trader(), await sandbox.trader()
    profile = await ok(trader, "POST", "/account/profile/username", {"username": "maker", "is_username_private": True})
    assert (profile["username"], profile["is_username_private"]) == ("maker", True)
    taken = await other.post("/account/profile/username", {"username": "maker"})
    assert taken.error == "USERNAME_IN_USE"
    profile = await ok(trader, "POST", "/account/profile/notifications", {"fills": False})
    assert (profile["notifications"]["fills"], profile["notifications"]["orders"]) == (False, True)
    profile = await ok(trader, "POST", f"/account/profile/market_max_slippage/{MARKET}", {"max_slippage": "0.001"})
    assert profile["market_max_slippage"] == {MARKET: "0.001"}
    await ok(trader, "POST", "/account/profile/size_currency_display", {"size_currency_display": "QUOTE"})
    await ok(trader, "POST", "/account/profile/notifications/last_seen")
    await ok(trader, "PUT", "/account/profile", {"ai_agent_url": "wss://agent", "fill_sound": False})
    profile = await ok(trader, "GET", "/account/profile")
    assert profile["size_currency_display"] == "QUOTE"
    assert profile["last_seen_notification"] == await sandbox.rest.now()
    await ok(trader, "POST", "/account/settings/trading_value_display", {"trading_value_display": "MARKET_VALUE"})
    assert await ok(trader, "GET", "/account/settings") == {"trading_value_display": "MARKET_VALUE"}
    await ok(trader, "POST", "/account/compliance", {"action_type": "TOS", "action_version": "1"})
    assert [item["action_type"] for item in (await ok(trader, "GET", "/account/compliance"))["results"]] == ["TOS"]
    assert await ok(trader, "POST", "/account/profile/refresh_inventory") == {"nfts": []}


async def test_history_adds_up_the_fills(sandbox: Sandbox) -> None:
    maker, taker = await sandbox.trader(), await sandbox.trader()
    for price in ("60000", "60100"):
        await maker.place("SELL", "0.1", price)
        await taker.place("BUY", "0.1", price)
        await sandbox.advance(3_600_000)
        for trader in (maker, taker):
            await trader.login()
    volume = await ok(taker, "GET", "/account/history", type="volume")
    assert (volume["data"], len(volume["timestamps"])) == ([6000.0, 12010.0], 2)
    pnl = await ok(taker, "GET", "/account/history", type="pnl")
    assert pnl["data"][-1] < 0  # the fees
    value = await ok(taker, "GET", "/account/history", type="value")
    assert value["data"] == [float((await ok(taker, "GET", "/account"))["account_value"])]
    assert (await taker.get("/account/history", type="luck")).status == 400


async def test_only_the_main_key_manages_subkeys(sandbox: Sandbox) -> None:
    from paradex_sandbox.api import stark

    trader = await main_session(sandbox)
    key = hex(stark.public_key(4242))
    assert (await trader.post("/account/keys/subkeys", {"name": "bot", "public_key": key})).status == 201
    shown = await ok(trader, "GET", f"/account/keys/subkeys/{key}")
    assert (shown["name"], shown["state"]) == ("bot", "active")
    assert (await ok(trader, "PUT", f"/account/keys/subkeys/{key}", {"name": "robot"}))["name"] == "robot"
    path = f"/account/keys/subkeys/{key}/allowed-cidrs"
    assert (await ok(trader, "PUT", path, {"allowed_cidrs": ["203.0.113.7/24"]}))["allowed_cidrs"] == ["203.0.113.0/24"]
    assert await ok(trader, "DELETE", f"/account/keys/subkeys/{key}") == {"public_key": key}
    assert (await trader.get(f"/account/keys/subkeys/{key}")).json["state"] == "revoked"
    subkey_session = await sandbox.trader()
    for method, where in (("POST", ""), ("DELETE", "/0x1"), ("PUT", "/0x1")):
        body = {"name": "x", "public_key": key}
        answer = await subkey_session.call(method, f"/account/keys/subkeys{where}", json=body)
        assert (answer.status, answer.error) == (401, "UNAUTHORIZED_ERROR")


async def test_a_pending_subkey_is_activated_by_the_main_key(sandbox: Sandbox) -> None:
    import fast_stark_crypto

    from paradex_sandbox.api import stark

    trader = await main_session(sandbox)
    key, ephemeral = hex(stark.public_key(777)), hex(stark.public_key(888))
    pending = {"name": "app", "public_key": key, "state": "pending"}
    assert (await trader.post("/account/keys/subkeys", pending)).error == "VALIDATION_ERROR"
    pending |= {"encrypted_key": "0xabc", "eph_public_key": ephemeral}
    assert (await trader.post("/account/keys/subkeys", pending)).status == 201
    assert (await trader.get(f"/account/keys/subkeys/{key}")).status == 404
    now = await sandbox.rest.now() // 1000
    message = fast_stark_crypto.pedersen_hash(now, int(ephemeral, 16))
    body = {"account_id": trader.address, "public_key": key, "timestamp": now}
    wrong = fast_stark_crypto.sign(12345, message)
    answer = await trader.post("/account/keys/subkeys/activate", body | {"signature": [hex(part) for part in wrong]})
    assert (answer.status, answer.error) == (403, "STARKNET_SIGNATURE_VERIFICATION_FAILED")
    right = fast_stark_crypto.sign(int(trader.keys["private_key"], 16), message)
    body |= {"signature": [hex(part) for part in right]}
    assert await ok(trader, "POST", "/account/keys/subkeys/activate", body) == {"encrypted_key": "0xabc"}
    assert (await trader.get(f"/account/keys/subkeys/{key}")).json["name"] == "app"
    assert (await trader.post("/account/keys/subkeys/activate", body)).error == "SUBKEY_NOT_ACTIVATABLE"


async def test_a_key_that_may_not_be_used_from_here(sandbox: Sandbox) -> None:
    main = await main_session(sandbox)
    key = main.keys["api_public_key"]
    subkey = Trader(sandbox.session, sandbox.server.url, main.keys, main.signer.config)
    await subkey.login()
    path = f"/account/keys/subkeys/{key}/allowed-cidrs"
    await ok(main, "PUT", path, {"allowed_cidrs": ["203.0.113.0/24"]})
    assert (await subkey.get("/account")).error == "IP_NOT_ALLOWED"
    answer = await subkey.call("POST", f"/auth/{key}", headers=await subkey.auth_headers())
    assert (answer.status, answer.error) == (403, "IP_NOT_ALLOWED")
    await ok(main, "PUT", path, {"allowed_cidrs": ["127.0.0.0/8", "::1/128"]})
    assert (await subkey.get("/account")).status == 200


async def test_long_lived_tokens(sandbox: Sandbox) -> None:
    trader = await main_session(sandbox)
    made = await ok(
        trader, "POST", "/account/tokens", {"name": "screen", "token_type": "jwt", "expiry_duration": 86_400}
    )
    lookup = made["api_token"]["lookup_id"]
    session_token, trader.token = trader.token, made["token"]
    await sandbox.advance(3_600_000)
    listed = (await ok(trader, "GET", "/account/tokens", kind="jwt"))["results"]
    assert [token["lookup_id"] for token in listed] == [lookup]
    await trader.login()
    path = f"/account/tokens/{lookup}/allowed-cidrs"
    assert (await ok(trader, "PUT", path, {"allowed_cidrs": ["10.0.0.0/8"]}))["allowed_cidrs"] == ["10.0.0.0/8"]
    session_token, trader.token = trader.token, made["token"]
    assert (await trader.get("/account")).error == "IP_NOT_ALLOWED"
    socket = await sandbox.socket()
    assert (await socket.call("auth", bearer=made["token"]))["error"]["code"] == 40111
    trader.token = session_token
    await ok(trader, "PUT", path, {"allowed_cidrs": []})
    assert await ok(trader, "DELETE", f"/account/tokens/{lookup}") == {"lookup_id": lookup}
    assert (await ok(trader, "GET", "/account/tokens"))["results"] == []
    assert len((await ok(trader, "GET", "/account/tokens", with_invalid="true"))["results"]) == 1
    trader.token = made["token"]
    assert (await trader.get("/account")).error == "INVALID_TOKEN"


async def test_an_account_has_so_many_valid_tokens(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    body = {"name": "t", "token_type": "jwt", "expiry_duration": 120}
    revoked = await ok(trader, "POST", "/account/tokens", body | {"expiry_duration": 86_400})
    await ok(trader, "DELETE", f"/account/tokens/{revoked['api_token']['lookup_id']}")
    for _ in range(100):
        await ok(trader, "POST", "/account/tokens", body)
    assert (await trader.post("/account/tokens", body)).error == "TOKEN_LIMIT_REACHED"
    await sandbox.advance(120_000)
    for _ in range(100):
        await ok(trader, "POST", "/account/tokens", body)
    assert (await trader.post("/account/tokens", body)).error == "TOKEN_LIMIT_REACHED"
    assert len((await ok(trader, "GET", "/account/tokens", with_invalid="true"))["results"]) == 200
    trader.token = revoked["token"]  # forgotten, and not forgiven
    assert (await trader.get("/account")).error == "INVALID_TOKEN"


async def test_onboarding_opens_a_funded_account(sandbox: Sandbox) -> None:
    from paradex_py.account.account import ParadexAccount

    from tests.sandbox.client import system_config

    config = await system_config(sandbox.rest)
    account = ParadexAccount(config, l1_address="0x" + "1" * 40, l2_private_key="0x5566")
    query = {"account_signer_type": "starknet", "public_key": hex(account.l2_public_key)}
    before = (await sandbox.rest.get("/onboarding", **query)).json
    assert (before["address"], before["exists"]) == (hex(account.l2_address), False)
    body = {"public_key": hex(account.l2_public_key)}
    for _ in range(2):
        answer = await sandbox.rest.call("POST", "/onboarding", json=body, headers=account.onboarding_headers())
        assert answer.status == 200, answer.text
    assert (await sandbox.rest.get("/onboarding", **query)).json["exists"] is True
    headers = account.onboarding_headers() | {"PARADEX-STARKNET-SIGNATURE": '["1","2"]'}
    answer = await sandbox.rest.call("POST", "/onboarding", json=body, headers=headers)
    assert answer.error == "STARKNET_SIGNATURE_VERIFICATION_FAILED"
    answer = await sandbox.rest.get("/onboarding", account_signer_type="ledger", public_key="0x1")
    assert (answer.status, answer.error) == (400, "INVALID_REQUEST_PARAMETER")


async def test_what_the_exchange_tells_of_itself(sandbox: Sandbox) -> None:
    maker = await sandbox.trader()
    for size, price in (("0.1", "60100"), ("0.3", "60200")):
        await maker.place("SELL", size, price)
    await sandbox.rest.get("/system/time")
    impact = (await sandbox.rest.get(f"/orderbook/{MARKET}/impact-price", size="0.2")).json
    assert impact == {"market": MARKET, "side": "BUY", "size": "0.2", "impact_price": "60150"}
    assert (await sandbox.rest.get(f"/orderbook/{MARKET}/impact-price", size="5")).status == 400
    assert {tier["kind"] for tier in (await sandbox.rest.get("/system/volume-tiers")).json["results"]} == {
        "retail",
        "pro",
    }
    margin = (await sandbox.rest.get("/system/portfolio-margin-config", base_asset="BTC")).json["results"]
    assert [entry["base_asset"] for entry in margin] == ["BTC"]
    answer = await sandbox.rest.get("/system/portfolio-margin-config", base_asset="NO")
    assert (answer.status, answer.error) == (404, "PORTFOLIO_MARGIN_CONFIG_NOT_FOUND")
    assert (await sandbox.rest.get("/system/announcements")).json == {"results": [], "next": None, "prev": None}
    assert (await sandbox.rest.get("/insurance")).json["settlement_asset"] == "USDC"
    assert (await maker.get("/liquidations", to=await sandbox.rest.now())).json == {"results": []}


async def test_settings_survive_a_restart(start: Any, tmp_path: Any) -> None:
    first = await start(data=tmp_path)
    trader = await first.trader()
    await ok(trader, "POST", "/account/profile/username", {"username": "keeper"})
    token = await ok(trader, "POST", "/account/tokens", {"name": "t", "token_type": "jwt", "expiry_duration": 86_400})
    await first.close()
    start.running.remove(first)
    second = await start(data=tmp_path)
    again = Trader(second.session, second.server.url, trader.keys, trader.signer.config)
    again.token = token["token"]
    assert (await ok(again, "GET", "/account/profile"))["username"] == "keeper"
