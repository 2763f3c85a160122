"""Signed requests for tokens, and what the tokens are good for."""

import jwt
import pytest
from paradex_py.account.subkey_account import SubkeyAccount

from tests.sandbox.client import Trader, system_config
from tests.sandbox.conftest import Sandbox


async def test_the_main_key_and_a_subkey_both_get_tokens(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    config = await system_config(sandbox.rest)
    main = SubkeyAccount(config, trader.keys["private_key"], trader.address)
    for path, signer in [
        ("/auth", main),
        (f"/auth/{trader.keys['public_key']}", main),
        (f"/auth/{trader.keys['api_public_key']}", trader.signer),
    ]:
        answer = await trader.call("POST", path, headers=await trader.auth_headers(signer=signer))
        assert answer.status == 200, (path, answer.text)


async def test_tokens_are_es256_jwts_that_the_published_key_verifies(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    assert trader.token is not None
    keys = [(await sandbox.rest.get("/jwks.json")).json]
    async with sandbox.session.get(sandbox.server.url.removesuffix("/v1") + "/jwks.json") as response:
        keys.append(await response.json())
    assert keys[0] == keys[1]
    header = jwt.get_unverified_header(trader.token)
    key = next(key for key in keys[0]["keys"] if key["kid"] == header["kid"])
    claims = jwt.decode(trader.token, jwt.PyJWK(key), algorithms=["ES256"])
    assert claims["sub"] == trader.address
    assert claims["exp"] - claims["iat"] == 300
    assert claims["pubkey"] == trader.keys["api_public_key"]
    assert "token_usage" not in claims
    interactive = jwt.decode(await trader.login(interactive=True), jwt.PyJWK(key), algorithms=["ES256"])
    assert interactive["token_usage"] == "interactive"


async def test_a_token_lives_five_minutes_of_the_sandboxs_clock(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    await sandbox.advance(298_000)
    assert (await trader.get("/account")).status == 200
    await sandbox.advance(2_000)
    answer = await trader.get("/account")
    assert (answer.status, answer.error) == (401, "INVALID_TOKEN")
    await trader.login()
    assert (await trader.get("/account")).status == 200


async def test_an_authenticated_socket_outlives_its_token_but_a_new_one_needs_a_new_token(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    socket = await sandbox.socket(trader=trader)
    await sandbox.advance(301_000)
    await socket.subscribe("account")
    late = await sandbox.socket()
    assert (await late.call("auth", bearer=trader.token))["error"]["code"] == 40111


@pytest.mark.parametrize(
    ("token", "code"),
    [("", 40110), ("abc", 40110), ("a.b.c", 40111), (None, 40110), (7, 40110)],
)
async def test_a_socket_refuses_what_is_no_token(sandbox: Sandbox, token: object, code: int) -> None:
    socket = await sandbox.socket()
    assert (await socket.call("auth", bearer=token))["error"]["code"] == code


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer x", "Bearer a.b.c", "Basic abc", "Bearer " + "x" * 5000],
)
async def test_rest_refuses_what_is_no_token(sandbox: Sandbox, header: str) -> None:
    answer = await sandbox.rest.call("GET", "/account", headers={"Authorization": header})
    assert (answer.status, answer.error) == (401, "INVALID_TOKEN")


async def test_a_token_of_another_exchange_is_refused(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    assert trader.token is not None
    claims = jwt.decode(trader.token, options={"verify_signature": False})
    trader.token = jwt.encode(claims, "another key that is long enough for HS256", algorithm="HS256")
    assert (await trader.get("/account")).error == "INVALID_TOKEN"


async def test_a_revoked_subkey_loses_its_tokens_and_gets_no_new_ones(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    await sandbox.rest.control("DELETE", f"/accounts/{trader.address}/subkeys/{trader.keys['api_public_key']}")
    assert (await trader.get("/account")).error == "INVALID_TOKEN"
    path = f"/auth/{trader.keys['api_public_key']}"
    answer = await trader.call("POST", path, headers=await trader.auth_headers())
    assert (answer.status, answer.error) == (401, "INVALID_SUBKEY")
    socket = await sandbox.socket()
    assert (await socket.call("auth", bearer=trader.token))["error"]["code"] == 40111


@pytest.mark.parametrize(
    ("header", "value", "status", "error"),
    [
        ("PARADEX-STARKNET-ACCOUNT", "0xdead", 401, "NOT_ONBOARDED"),
        ("PARADEX-STARKNET-ACCOUNT", "not hex", 400, "INVALID_STARKNET_ADDRESS"),
        ("PARADEX-STARKNET-ACCOUNT", "0x0", 400, "INVALID_STARKNET_ADDRESS"),
        ("PARADEX-STARKNET-ACCOUNT", "0x" + "f" * 64, 400, "INVALID_STARKNET_ADDRESS"),
        ("PARADEX-STARKNET-SIGNATURE", '["1","2"]', 401, "STARKNET_SIGNATURE_VERIFICATION_FAILED"),
        ("PARADEX-STARKNET-SIGNATURE", '["0","0"]', 401, "STARKNET_SIGNATURE_VERIFICATION_FAILED"),
        ("PARADEX-STARKNET-SIGNATURE", "[]", 401, "INVALID_STARKNET_SIGNATURE"),
        ("PARADEX-STARKNET-SIGNATURE", "x", 401, "INVALID_STARKNET_SIGNATURE"),
        ("PARADEX-STARKNET-SIGNATURE", '[{"a":1},2]', 401, "INVALID_STARKNET_SIGNATURE"),
        ("PARADEX-TIMESTAMP", "now", 400, "INVALID_TIMESTAMP"),
        ("PARADEX-TIMESTAMP", "99999999999", 400, "INVALID_TIMESTAMP"),
        ("PARADEX-SIGNATURE-EXPIRATION", "1", 400, "INVALID_TIMESTAMP"),
        ("PARADEX-SIGNATURE-EXPIRATION", "99999999999", 400, "INVALID_TIMESTAMP"),
    ],
)
async def test_a_request_for_a_token_with_a_wrong_header_is_refused(
    sandbox: Sandbox, header: str, value: str, status: int, error: str
) -> None:
    trader = await sandbox.trader()
    headers = {**await trader.auth_headers(), header: value}
    answer = await trader.call("POST", f"/auth/{trader.keys['api_public_key']}", headers=headers)
    assert (answer.status, answer.error) == (status, error)


async def test_missing_headers_are_refused(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    complete = await trader.auth_headers()
    for name in list(complete)[:3]:
        headers = {key: value for key, value in complete.items() if key != name}
        answer = await trader.call("POST", f"/auth/{trader.keys['api_public_key']}", headers=headers)
        assert answer.status in (400, 401), name


async def test_a_signature_is_good_for_its_key_its_account_and_its_time_only(sandbox: Sandbox) -> None:
    alice, bob = await sandbox.trader(), await sandbox.trader()
    headers = await alice.auth_headers(lifetime=60)
    own = f"/auth/{alice.keys['api_public_key']}"
    assert (await alice.call("POST", own, headers=headers)).status == 200
    # bob's key over alice's account, alice's signature for bob's key or account, the subkey at the main key's path
    for path, changed in [
        (own, await alice.auth_headers(signer=bob.signer)),
        (f"/auth/{bob.keys['api_public_key']}", headers),
        (own, {**headers, "PARADEX-STARKNET-ACCOUNT": bob.address}),
        ("/auth", headers),
        ("/auth/nonsense", headers),
        ("/auth/0x0", headers),
    ]:
        assert (await alice.call("POST", path, headers=changed)).status in (400, 401), path
    await sandbox.advance(60_000)
    assert (await alice.call("POST", own, headers=headers)).error == "INVALID_TIMESTAMP"


async def test_the_address_may_be_written_with_leading_zeros_and_capitals(sandbox: Sandbox) -> None:
    trader = await sandbox.trader()
    padded = "0x" + trader.address[2:].zfill(64).upper()
    headers = {**await trader.auth_headers(), "PARADEX-STARKNET-ACCOUNT": padded}
    answer = await trader.call("POST", f"/auth/{trader.keys['api_public_key']}", headers=headers)
    assert answer.status == 200


@pytest.mark.parametrize("usage", ["retail", "INTERACTIVE"])
async def test_an_unknown_token_usage_is_refused(sandbox: Sandbox, usage: str) -> None:
    trader: Trader = await sandbox.trader()
    answer = await trader.call("POST", "/auth", params={"token_usage": usage}, headers=await trader.auth_headers())
    assert (answer.status, answer.error) == (400, "INVALID_REQUEST_PARAMETER")


async def test_retail_orders_carry_the_flag_and_pay_no_fee(sandbox: Sandbox) -> None:
    maker, taker = await sandbox.trader(), await sandbox.trader(interactive=True)
    await maker.place("SELL", "0.1", "60000")
    order = await taker.place("BUY", "0.1", "60000")
    assert order["flags"] == ["INTERACTIVE"]
    assert (await taker.get("/fills")).json["results"] == []
    await sandbox.advance(300)  # the speed bump
    fill = (await taker.get("/fills")).json["results"][0]
    assert (fill["fee"], fill["flags"]) == ("0", ["interactive"])
    other = (await maker.get("/fills")).json["results"][0]
    assert other["fee"] == "0.18", "a Pro maker pays 0.3 bps"
    fees = (await maker.get("/account/info")).json["results"][0]["fees"]
    assert (fees["maker_rate"], fees["taker_rate"]) == ("0.00003", "0.00045")
