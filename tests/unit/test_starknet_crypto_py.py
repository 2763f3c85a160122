"""The drop-in for starknet-crypto-py gives the numbers of starknet-py's own implementation, which is crypto-cpp."""

import inspect
import random
from importlib.metadata import distribution

import fast_stark_crypto
import pytest
import starknet_crypto_py
from starknet_crypto_py import EC_ORDER, ELEMENT_UPPER_BOUND, FIELD_PRIME, get_public_key, pedersen_hash, sign, verify
from starknet_py import constants
from starknet_py.hash.utils import message_signature, pedersen_hash as reference_pedersen_hash, private_to_stark_key

RANDOM = random.Random(20)
PRIVATE_KEYS = [1, 2, EC_ORDER - 1, *(RANDOM.randrange(1, EC_ORDER) for _ in range(20))]
ELEMENTS = [
    0,
    1,
    2**248 - 1,
    2**248,
    2**250,
    ELEMENT_UPPER_BOUND - 1,
    *(RANDOM.getrandbits(bits) for bits in range(8, 252, 16)),
]
SEEDS = [0, 32, 256, 2**250 + 1]
PUBLIC_KEY = get_public_key(7)
SIGNATURE = sign(7, 99, 32)


def test_the_constants_are_those_of_starknet_py() -> None:
    assert (FIELD_PRIME, EC_ORDER) == (constants.FIELD_PRIME, constants.EC_ORDER)


@pytest.mark.parametrize("private_key", PRIVATE_KEYS)
def test_public_keys_are_those_of_starknet_py(private_key: int) -> None:
    assert get_public_key(private_key) == private_to_stark_key(private_key)


@pytest.mark.parametrize("first", ELEMENTS)
def test_pedersen_hashes_are_those_of_starknet_py(first: int) -> None:
    for second in (0, FIELD_PRIME - 1, first):
        assert pedersen_hash(first, second) == reference_pedersen_hash(first, second)
        assert pedersen_hash(second, first) == reference_pedersen_hash(second, first)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("msg_hash", ELEMENTS[1:])
def test_signatures_are_those_of_starknet_py(msg_hash: int, seed: int) -> None:
    private_key = PRIVATE_KEYS[msg_hash % len(PRIVATE_KEYS)]
    signature = sign(private_key, msg_hash, seed)
    assert signature == message_signature(msg_hash, private_key, seed)
    assert verify(get_public_key(private_key), msg_hash, *signature)


def test_message_hash_zero_can_be_signed_and_verified() -> None:
    """crypto-cpp cannot verify a zero; the Rust crate under the original and under fast-stark-crypto can."""
    assert sign(5, 0, 0) == fast_stark_crypto.sign(5, 0)
    assert verify(get_public_key(5), 0, *sign(5, 0, 32))


def test_the_sdk_signs_with_it() -> None:
    from paradex_py.account import utils

    assert utils.rs_sign is sign
    assert utils.message_signature(99, 7) == message_signature(99, 7)
    assert utils.verify_message_signature(99, list(SIGNATURE), PUBLIC_KEY)


@pytest.mark.parametrize(
    ("public_key", "msg_hash", "r", "s"),
    [
        pytest.param(get_public_key(8), 99, *SIGNATURE, id="another key"),
        pytest.param(PUBLIC_KEY, 98, *SIGNATURE, id="another message"),
        pytest.param(PUBLIC_KEY, 99, SIGNATURE[0] + 1, SIGNATURE[1], id="another r"),
        pytest.param(PUBLIC_KEY, 99, SIGNATURE[0], SIGNATURE[1] - 1, id="another s"),
        pytest.param(PUBLIC_KEY, 99, 0, SIGNATURE[1], id="r zero"),
        pytest.param(PUBLIC_KEY, 99, ELEMENT_UPPER_BOUND, SIGNATURE[1], id="r too big"),
        pytest.param(PUBLIC_KEY, 99, SIGNATURE[0], 0, id="s zero"),
        pytest.param(PUBLIC_KEY, 99, SIGNATURE[0], EC_ORDER, id="s is the order"),
        pytest.param(PUBLIC_KEY, 99, SIGNATURE[0], SIGNATURE[1] + EC_ORDER, id="s plus the order"),
        pytest.param(PUBLIC_KEY, 99, -1, SIGNATURE[1], id="r negative"),
        pytest.param(0, 99, *SIGNATURE, id="public key zero"),
        pytest.param(5, 99, *SIGNATURE, id="no point of the curve"),
        pytest.param(FIELD_PRIME + PUBLIC_KEY, 99, *SIGNATURE, id="public key too big"),
        pytest.param(PUBLIC_KEY, ELEMENT_UPPER_BOUND, *SIGNATURE, id="message too big"),
        pytest.param(2**300, 2**300, 2**300, 2**300, id="huge"),
    ],
)
def test_whatever_is_no_signature_verifies_as_false(public_key: int, msg_hash: int, r: int, s: int) -> None:
    assert verify(public_key, msg_hash, r, s) is False


@pytest.mark.parametrize("private_key", [-1, 0, EC_ORDER, EC_ORDER + 1, 2**300])
def test_a_private_key_out_of_range_is_refused_and_not_shown(private_key: int) -> None:
    with pytest.raises(ValueError, match="private key") as refused_key:
        get_public_key(private_key)
    with pytest.raises(ValueError, match="private key") as refused_signing:
        sign(private_key, 99, 32)
    for refusal in (refused_key, refused_signing):
        assert not any(character.isdigit() for character in str(refusal.value))


@pytest.mark.parametrize("msg_hash", [-1, ELEMENT_UPPER_BOUND, 2**300])
def test_a_message_out_of_range_is_refused(msg_hash: int) -> None:
    with pytest.raises(ValueError, match="message hash"):
        sign(7, msg_hash, 32)


@pytest.mark.parametrize("seed", [-1, FIELD_PRIME])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match="seed"):
        sign(7, 99, seed)


@pytest.mark.parametrize("element", [-1, FIELD_PRIME, 2**300])
def test_what_is_no_field_element_is_not_hashed(element: int) -> None:
    for pair in ((element, 1), (1, element)):
        with pytest.raises(ValueError, match="pedersen_hash"):
            pedersen_hash(*pair)


def test_it_stands_in_for_the_original() -> None:
    assert distribution("starknet-crypto-py").version == "0.2.0"
    parameters = {
        name: list(inspect.signature(getattr(starknet_crypto_py, name)).parameters)
        for name in starknet_crypto_py.__all__
    }
    assert parameters == {
        "get_public_key": ["private_key"],
        "pedersen_hash": ["first", "second"],
        "sign": ["private_key", "msg_hash", "seed"],
        "verify": ["public_key", "msg_hash", "r", "s"],
    }
