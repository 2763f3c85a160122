"""What is signed: the SDK is the judge of every hash and of every signature."""

import asyncio
import gc
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import fast_stark_crypto
import pytest
from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_auth as auth_module
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_auth import (
    FastSigner,
    ParadexAuthenticationError,
    ParadexPerpetualAuth,
    SdkSigner,
)
from hypothesis import given, settings, strategies as st

from tests.unit.connector import payloads, signatures
from tests.unit.connector.payloads import ADDRESS, CHAIN_ID, SUBKEY
from tests.unit.connector.venue import Venue

Request = dict[str, Any]

ORDER: Request = {
    "market": payloads.MARKET,
    "side": "SELL",
    "type": "LIMIT",
    "size": "0.5",
    "price": "60000.1",
    "instruction": "GTC",
    "client_id": "mine",
    "signature_timestamp": payloads.NOW_MS,
}
TYPES = [
    "LIMIT",
    "MARKET",
    "STOP_LIMIT",
    "STOP_MARKET",
    "TAKE_PROFIT_LIMIT",
    "TAKE_PROFIT_MARKET",
    "STOP_LOSS_LIMIT",
    "STOP_LOSS_MARKET",
]


@pytest.fixture(scope="module")
def fast() -> FastSigner:
    return FastSigner(CHAIN_ID, SUBKEY, ADDRESS)


@pytest.fixture
def another_library(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any], None]]:
    """Puts something else in the place of fast-stark-crypto."""

    def replace(library: Any) -> None:
        auth_module._fast_signer_is_right.cache_clear()
        auth_module._shared_hash.cache_clear()
        monkeypatch.setattr(auth_module, "fast_stark_crypto", library)

    yield replace
    monkeypatch.undo()
    auth_module._fast_signer_is_right.cache_clear()
    auth_module._shared_hash.cache_clear()


class CountingLibrary:
    """fast-stark-crypto, and how often it has hashed."""

    def __init__(self) -> None:
        self.hashes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(fast_stark_crypto, name)

    def pedersen_hash(self, first: int, second: int) -> int:
        self.hashes += 1
        return fast_stark_crypto.pedersen_hash(first, second)


def random_request(dice: random.Random) -> Request:
    """An order or, one in three, a modification of one, with as many digits as an exchange could ask for."""
    request = {
        "market": dice.choice(["BTC-USD-PERP", "ETH-USD-PERP", "kPEPE-USD-PERP", "A-USD-PERP"]),
        "side": dice.choice(["BUY", "SELL"]),
        "type": dice.choice(TYPES),
        "size": str(Decimal(dice.randrange(10 ** dice.randrange(1, 18))).scaleb(-dice.randrange(12))),
        "price": str(Decimal(dice.randrange(10 ** dice.randrange(1, 18))).scaleb(-dice.randrange(12))),
        "signature_timestamp": payloads.NOW_MS + dice.randrange(10**9),
    }
    if request["type"].endswith("MARKET") and dice.random() < 0.5:
        del request["price"]
    if dice.random() < 1 / 3:
        request["id"] = str(dice.randrange(10**30))
    return request


class TestEqualToTheSdk:
    def test_two_thousand_random_orders_have_its_hash_and_its_verifier_takes_every_signature(
        self, fast: FastSigner
    ) -> None:
        dice = random.Random(6)
        for number in range(2000):
            request = random_request(dice)
            expected = signatures.order_hash(request)
            assert fast.order_hash(request) == expected, request
            signature = fast.sign_order(request)
            assert signatures.is_signature(expected, signature), request
            if number % 20 == 0:  # it takes a while, but has no code in common with the library that signs
                assert signatures.is_signature_by_another_library(expected, signature), request

    @settings(max_examples=150, deadline=None)
    @given(
        order_type=st.sampled_from(TYPES),
        side=st.sampled_from(["BUY", "SELL"]),
        market=st.one_of(
            st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=31),
            st.from_regex(r"\A0x[0-9a-f]{1,60}\Z"),
        ),
        size=st.decimals(0, 10**30, allow_nan=False, allow_infinity=False).map(str),
        price=st.decimals(0, 10**30, allow_nan=False, allow_infinity=False).map(str),
        timestamp=st.integers(0, 2**64),
        order_id=st.one_of(st.none(), st.just(""), st.integers(0, 2**200).map(str), st.from_regex(r"\A[a-z-]{1,31}\Z")),
    )
    def test_whatever_the_fields_the_hash_is_its_own_or_both_refuse(
        self, order_type: str, side: str, market: str, size: str, price: str, timestamp: int, order_id: str | None
    ) -> None:
        request = {"market": market, "side": side, "type": order_type, "size": size, "price": price}
        request |= {"signature_timestamp": timestamp, "id": order_id}  # type: ignore[dict-item]
        fast = FastSigner(CHAIN_ID, SUBKEY, ADDRESS)
        try:
            expected = signatures.order_hash(request)
        except (ValueError, ArithmeticError) as refusal:
            with pytest.raises(type(refusal)):
                fast.order_hash(request)
        else:
            assert fast.order_hash(request) == expected

    def test_the_request_for_a_token_has_its_hash_at_any_time(self, fast: FastSigner) -> None:
        dice = random.Random(6)
        for _ in range(100):
            times = dice.randrange(2**33), dice.randrange(2**33)
            expected = signatures.auth_hash(*times)
            assert fast.auth_hash(*times) == expected
            assert signatures.is_signature(expected, fast.sign_auth(*times))

    def test_chain_account_and_key_are_in_it(self) -> None:
        dice = random.Random(6)
        for chain in ("PRIVATE_SN_PARACLEAR_MAINNET", "PRIVATE_SN_POTC_SEPOLIA"):
            for _ in range(20):
                key, address = hex(dice.getrandbits(248)), hex(dice.getrandbits(250))
                sdk = SdkSigner({**payloads.SYSTEM_CONFIG, "starknet_chain_id": chain}, key, address)
                fast = FastSigner(chain, key, address)
                assert fast.public_key == sdk.public_key
                chain_id = int.from_bytes(chain.encode(), "big")
                expected = signatures.order_hash(ORDER, chain_id, int(address, 16))
                assert fast.order_hash(ORDER) == expected
                assert signatures.is_signature(expected, fast.sign_order(ORDER), int(fast.public_key, 16))
                assert signatures.is_signature(expected, sdk.sign_order(ORDER), int(fast.public_key, 16))

    def test_digits_past_the_eighth_are_cut_as_it_cuts_them(self, fast: FastSigner) -> None:
        cut, longer = {**ORDER, "size": "0.12345678"}, {**ORDER, "size": "0.123456789"}
        assert fast.order_hash(longer) == fast.order_hash(cut) == signatures.order_hash(longer)


class TestRefused:
    @pytest.mark.parametrize(
        ("change", "text"),
        [
            ({"market": "A" * 32}, "'A{32}' cannot be signed: only up to 31 ASCII characters"),
            ({"market": "ÄTH-USD-PERP"}, "only up to 31 ASCII characters"),
            ({"id": "an-id-of-more-than-thirty-one-characters"}, "only up to 31 ASCII characters"),
            ({"size": "-1"}, "size cannot be signed"),
            ({"price": "-0.1"}, "price cannot be signed"),
            ({"price": "1E+90"}, "price cannot be signed"),
            ({"signature_timestamp": -1}, "signature_timestamp cannot be signed"),
            ({"side": "NEITHER"}, "NEITHER LIMIT is no order"),
            ({"type": "ICEBERG"}, "SELL ICEBERG is no order"),
        ],
    )
    def test_what_cannot_be_signed_is_named(self, fast: FastSigner, change: Request, text: str) -> None:
        with pytest.raises(ValueError, match=text):
            fast.sign_order({**ORDER, **change})

    def test_a_hash_that_the_curve_does_not_take_is_refused_and_not_a_panic(
        self, fast: FastSigner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fast, "order_hash", lambda _: 2**251)
        with pytest.raises(ValueError, match="try again"):
            fast.sign_order(ORDER)


class TestCost:
    def hashes_of(self, requests: list[Request], library: CountingLibrary) -> int:
        signer = FastSigner(CHAIN_ID, SUBKEY, ADDRESS)
        library.hashes = 0
        for request in requests:
            signer.sign_order(request)
        return library.hashes

    def test_of_an_order_only_what_varies_is_hashed(self, another_library: Callable[[Any], None]) -> None:
        library = CountingLibrary()
        another_library(library)
        assert self.hashes_of([ORDER], library) == 9  # of 18
        assert self.hashes_of([{**ORDER, "signature_timestamp": 1, "id": "7"}], library) == 10

    @pytest.mark.parametrize(("sizes", "each"), [(["0.5"], 4), ([str(size) for size in range(1, 10)], 5)])
    def test_the_orders_of_a_batch_share_what_they_have_in_common(
        self, another_library: Callable[[Any], None], sizes: list[str], each: int
    ) -> None:
        library = CountingLibrary()
        another_library(library)
        batch = [{**ORDER, "size": sizes[i % len(sizes)], "price": str(60000 + i)} for i in range(9)]
        assert self.hashes_of(batch, library) == 9 + 8 * each

    def test_what_is_kept_is_bounded(self, fast: FastSigner) -> None:
        assert auth_module._shared_hash.cache_info().maxsize == 1024
        assert auth_module._felt.cache_info().maxsize == 1024

    def test_a_bot_logs_in_and_signs_without_the_sdk(self) -> None:
        program = f"""
import sys
from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_auth as auth
signer = auth.signer_for({payloads.SYSTEM_CONFIG!r}, {SUBKEY!r}, {ADDRESS!r})
signer.sign_auth(1, 2), signer.sign_order({ORDER!r})
sys.exit(any(name.split(".")[0] in ("paradex_py", "starknet_py", "sympy", "web3") for name in sys.modules))
"""
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


class TestFallback:
    async def test_without_the_library_the_sdk_signs_and_it_is_said_once(
        self,
        venue: Venue,
        auth: ParadexPerpetualAuth,
        another_library: Callable[[Any], None],
        log: pytest.LogCaptureFixture,
    ) -> None:
        another_library(None)
        assert await auth.token()
        first, second = await auth.sign_orders([ORDER, {**ORDER, "id": "7"}])
        assert signatures.is_order_signed({**ORDER, "signature": first})
        assert signatures.is_order_signed({**ORDER, "id": "7", "signature": second})
        assert signatures.is_order_signed({**ORDER, "signature": await auth.sign_order(ORDER)})
        assert [record.levelname for record in log.records if "The SDK signs" in record.message] == ["INFO"]

    @pytest.mark.parametrize("function", ["pedersen_hash", "sign", "get_public_key"])
    def test_a_library_that_makes_something_else_of_a_known_message_is_not_used(
        self, another_library: Callable[[Any], None], function: str
    ) -> None:
        library = CountingLibrary()
        genuine = getattr(library, function)

        def wrong(*arguments: int) -> Any:
            result = genuine(*arguments)
            return result + 1 if isinstance(result, int) else (result[0], result[1] + 1)

        setattr(library, function, wrong)
        another_library(library)
        assert isinstance(auth_module.signer_for(payloads.SYSTEM_CONFIG, SUBKEY, ADDRESS), SdkSigner)

    def test_its_import_neither_runs_the_collector_nor_leaves_it_much_to_do(self) -> None:
        runs: list[int] = []
        gc.callbacks.append(lambda _, info: runs.append(info["generation"]))
        try:
            with auth_module._without_garbage_collection():
                made = [[number] for number in range(20_000)]
                assert not gc.isenabled()
            assert gc.isenabled()
            assert gc.get_count()[0] < len(made)
            assert not any(item is made for item in gc.get_objects())
        finally:
            gc.callbacks.pop()
            gc.unfreeze()
        assert not [generation for generation in runs if generation > 0]

    def test_a_collector_that_the_application_has_disabled_stays_so(self) -> None:
        gc.disable()
        try:
            with auth_module._without_garbage_collection():
                pass
            assert not gc.isenabled()
        finally:
            gc.unfreeze()
            gc.enable()

    async def test_a_chain_that_the_sdk_does_not_know_is_said(
        self, venue: Venue, auth: ParadexPerpetualAuth, another_library: Callable[[Any], None]
    ) -> None:
        another_library(None)
        venue.on("GET", "/system/config", {**payloads.SYSTEM_CONFIG, "starknet_chain_id": "SN_OF_TOMORROW"})
        with pytest.raises(ParadexAuthenticationError, match=r"SN_OF_TOMORROW.*update paradex-py"):
            await auth.prepare()


class TestAuthenticator:
    @pytest.mark.parametrize(
        "changes", [{}, {"side": "BUY"}, {"type": "MARKET", "price": "0"}, {"id": "1800000000000201709233470000"}]
    )
    async def test_an_order_is_signed_by_the_subkey(
        self, auth: ParadexPerpetualAuth, venue: Venue, changes: dict[str, str]
    ) -> None:
        request = {**ORDER, **changes}
        request["signature"] = await auth.sign_order(request)
        assert signatures.is_order_signed(request)

    async def test_a_market_order_without_a_price_is_signed_with_zero(
        self, auth: ParadexPerpetualAuth, venue: Venue
    ) -> None:
        request = {**ORDER, "type": "MARKET"}
        del request["price"]
        request["signature"] = await auth.sign_order(request)
        assert signatures.is_order_signed(request)

    @pytest.mark.parametrize(
        "change", [{"size": "0.6"}, {"price": "60000.2"}, {"side": "BUY"}, {"market": "ETH-USD-PERP"}]
    )
    async def test_a_signature_is_good_for_just_that_order(
        self, auth: ParadexPerpetualAuth, venue: Venue, change: dict[str, str]
    ) -> None:
        signature = await auth.sign_order(ORDER)
        assert not signatures.is_order_signed({**ORDER, **change, "signature": signature})

    async def test_the_signatures_of_a_batch_come_in_its_order(self, auth: ParadexPerpetualAuth, venue: Venue) -> None:
        batch = [{**ORDER, "price": str(60000 + i)} for i in range(10)]
        for request, signature in zip(batch, await auth.sign_orders(batch), strict=True):
            assert signatures.is_order_signed({**request, "signature": signature})
        assert await auth.sign_orders([]) == []

    @pytest.mark.parametrize("together", [True, False])
    async def test_signing_leaves_the_loop_to_others_after_a_few_orders(
        self, auth: ParadexPerpetualAuth, venue: Venue, together: bool
    ) -> None:
        await auth.prepare()
        passes, started = 0, time.perf_counter()

        async def count() -> None:
            nonlocal passes
            while True:
                passes += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        batch = [{**ORDER, "client_id": str(number)} for number in range(40)]
        if together:
            await auth.sign_orders(batch)
        else:
            await asyncio.gather(*map(auth.sign_order, batch))
        counting.cancel()
        assert passes >= 40 / 4, time.perf_counter() - started

    async def test_one_who_gives_up_or_cannot_be_signed_does_not_keep_the_next_from_signing(
        self, auth: ParadexPerpetualAuth, venue: Venue
    ) -> None:
        await auth.prepare()
        waiting = [asyncio.create_task(auth.sign_order(ORDER)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[1].cancel()
        with pytest.raises(ValueError, match="no order"):
            await auth.sign_order({**ORDER, "side": "NEITHER"})
        assert signatures.is_order_signed({**ORDER, "signature": await auth.sign_order(ORDER)})
        assert waiting[0].done()
        assert waiting[2].done()
