"""The functions of starknet-crypto-py 0.2.0, over fast-stark-crypto.

All numbers are Python ints. What fast-stark-crypto would answer with a Rust panic, which `except Exception` does not
catch, is refused before it gets there: with ``ValueError``, or, in :func:`verify`, with ``False``.
"""

import hashlib

import fast_stark_crypto
from ecdsa.rfc6979 import generate_k

__all__ = ["get_public_key", "pedersen_hash", "sign", "verify"]

# The STARK curve y² = x³ + x + B over the field of FIELD_PRIME, and the order of its generator.
# Source: https://docs.starknet.io/learn/protocol/cryptography
FIELD_PRIME = 2**251 + 17 * 2**192 + 1
CURVE_B = 0x6F21413EFBE40DE150E596D72F7A8C5609AD26C15C915C1F4CDFCB99CEE9E89
EC_ORDER = 0x800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
# STARK signatures are defined for message hashes, r and the inverse of s below this.
ELEMENT_UPPER_BOUND = 2**251


def get_public_key(private_key: int) -> int:
    """Give the public key (x coordinate) of `private_key`, which is from 1 to the curve's order less 1.

    Raises ValueError, without naming the key, when it is outside.
    """
    if not 0 < private_key < EC_ORDER:
        raise ValueError("a private key must be above zero and below the order of the STARK curve")
    return fast_stark_crypto.get_public_key(private_key)


def pedersen_hash(first: int, second: int) -> int:
    """Give the Pedersen hash of two field elements. Raises ValueError when one is not a field element."""
    if not (0 <= first < FIELD_PRIME and 0 <= second < FIELD_PRIME):
        raise ValueError("pedersen_hash takes two integers from 0 to the field's prime - 1")
    return fast_stark_crypto.pedersen_hash(first, second)


def sign(private_key: int, msg_hash: int, seed: int) -> tuple[int, int]:
    """Sign `msg_hash` (below 2**251) and give ``(r, s)``.

    The nonce follows RFC 6979 with `seed` as its extra entropy (section 3.6), so a signature is a function of all three
    arguments; 0 stands for no extra entropy. Raises ValueError, without naming the key, on arguments out of range.
    """
    if not 0 < private_key < EC_ORDER:
        raise ValueError("a private key must be above zero and below the order of the STARK curve")
    if not 0 <= msg_hash < ELEMENT_UPPER_BOUND:
        raise ValueError("a message hash must not be negative and must be below 2**251")
    if not 0 <= seed < FIELD_PRIME:
        raise ValueError("a seed must not be negative and must be below the field's prime")
    nonce = _nonce(private_key, msg_hash, seed)
    # fast-stark-crypto's own sign() takes no seed, but r is the x coordinate of nonce·G: a "public key" of the nonce.
    r = fast_stark_crypto.get_public_key(nonce)
    s = pow(nonce, -1, EC_ORDER) * (msg_hash + r * private_key) % EC_ORDER
    # Chances are below 2**-58, and the original fails on them too.
    if not 0 < r < ELEMENT_UPPER_BOUND or s == 0 or pow(s, -1, EC_ORDER) >= ELEMENT_UPPER_BOUND:
        raise ValueError("this message cannot be signed with this seed: choose another seed")
    return r, s


def verify(public_key: int, msg_hash: int, r: int, s: int) -> bool:
    """Tell whether ``(r, s)`` is the signature of `msg_hash` by the owner of `public_key` (x coordinate).

    Numbers out of range and public keys that are no point of the curve are no valid signature: False.
    """
    in_range = (
        0 < public_key < FIELD_PRIME
        and 0 <= msg_hash < ELEMENT_UPPER_BOUND
        and 0 < r < ELEMENT_UPPER_BOUND
        and 0 < s < EC_ORDER
    )
    return in_range and _on_curve(public_key) and fast_stark_crypto.verify(public_key, msg_hash, r, s)


def _nonce(private_key: int, msg_hash: int, seed: int) -> int:
    # RFC 6979 keeps the leftmost 252 bits of the hash: shifted by the 4 bits that 32 bytes have to spare, none is lost.
    data = (msg_hash << 4).to_bytes(32, "big")
    extra_entropy = seed.to_bytes((seed.bit_length() + 7) // 8, "big")
    return int(generate_k(EC_ORDER, private_key, hashlib.sha256, data, extra_entropy=extra_entropy))


def _on_curve(x: int) -> bool:
    y_squared = (pow(x, 3, FIELD_PRIME) + x + CURVE_B) % FIELD_PRIME
    return pow(y_squared, (FIELD_PRIME - 1) // 2, FIELD_PRIME) in (0, 1)
