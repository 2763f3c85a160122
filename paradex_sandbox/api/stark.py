"""STARK typed data: the hashes that a Paradex client signs, and the check of its signature.

The scheme is Starknet's off-chain message format, version "1" (EIP-712 over Pedersen):

    h(PREFIX, h(domain), account, h(message))      with h(x1..xn) = pedersen chain from 0, length appended

Every function here is pure. Field elements are plain integers.
"""

from decimal import Decimal
from functools import lru_cache

import fast_stark_crypto

#: Prime of the Stark field, order of the Stark curve's group, and the curve's beta (y² = x³ + x + beta).
FIELD_PRIME = 2**251 + 17 * 2**192 + 1
CURVE_ORDER = 0x0800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
_BETA = 0x06F21413EFBE40DE150E596D72F7A8C5609AD26C15C915C1F4CDFCB99CEE9E89

#: r, s⁻¹ and the message of a signature are below this bound, which is slightly below the curve's order.
_SIGNATURE_BOUND = 2**251

#: starknet_keccak of the strings in the comments. They never change, so nobody needs a Keccak library for them.
# StarkNetDomain(name:felt,chainId:felt,version:felt)
_TYPE_DOMAIN = 0x0098D1932052FC5137543DE5ED85B7A88555A4CD1FF5D5BFEDB62ED9B9A1F0DB
# Request(method:felt,path:felt,body:felt,timestamp:felt,expiration:felt)
_TYPE_REQUEST = 0x00186CDEF6B179923C411C13C11B8A825F12BF34203BDDA0A984DA9D6F2313C2
# Order(timestamp:felt,market:felt,side:felt,orderType:felt,size:felt,price:felt)
_TYPE_ORDER = 0x00A56D5225B97B257C15AE2CB1CC0EA605381A886CD75463DB45FD2EF9FBC255
# ModifyOrder(timestamp:felt,market:felt,side:felt,orderType:felt,size:felt,price:felt,id:felt)
_TYPE_MODIFY_ORDER = 0x0201789BB587C17B251FD38DAF43B14807010EA721C2929A8C2FC33BF15C2E2C
# Constant(action:felt)
_TYPE_CONSTANT = 0x00E84BBCB68E0F7C73A9058BA82B6DA9C1FFDC502EFCF034E78B0C003C22ECC9
# initialize
_SELECTOR_INITIALIZE = 0x0079DC0DA7C54B95F10AA182AD0A46400DB63156920ADB65ECA2654C0945A463

_SIDES = {"BUY": 1, "SELL": 2}
_QUANTUM_EXPONENT = 8
#: Elements of an order that `_order_state` covers.
_ORDER_STATE_LENGTH = 5


def short_string(text: str) -> int:
    """`text` as a field element: its ASCII bytes, big-endian.

    Raises ValueError if it is not ASCII or longer than 31 characters.
    """
    if len(text) > 31 or not text.isascii():
        raise ValueError("a short string has at most 31 ASCII characters")
    return int.from_bytes(text.encode("ascii"), "big")


def hash_elements(elements: list[int]) -> int:
    """Pedersen chain over `elements`, started at 0 and closed with their count."""
    state = 0
    for element in elements:
        state = fast_stark_crypto.pedersen_hash(state, element)
    return fast_stark_crypto.pedersen_hash(state, len(elements))


def public_key(private_key: int) -> int:
    """x coordinate of the public key that belongs to `private_key` (1 to CURVE_ORDER - 1)."""
    return fast_stark_crypto.get_public_key(private_key)


def is_public_key(x: int) -> bool:
    """Whether `x` is the x coordinate of a point on the curve. Verifying against anything else panics in Rust."""
    if not 0 < x < FIELD_PRIME:
        return False
    y_squared = (x * x * x + x + _BETA) % FIELD_PRIME
    return pow(y_squared, (FIELD_PRIME - 1) // 2, FIELD_PRIME) == 1


def account_address(public_key: int, *, account_class_hash: int, proxy_class_hash: int) -> int:
    """The address that Paradex derives for a main account from its public key.

    It is the address of a proxy contract deployed with `initialize(public_key, 0)` as constructor data.
    """
    calldata = [account_class_hash, _SELECTOR_INITIALIZE, 2, public_key, 0]
    return _contract_address(public_key, proxy_class_hash, calldata)


def evm_account_address(eth_address: int, *, class_hash: int) -> int:
    """The address that Paradex derives for a main account from its owner's Ethereum address.

    The contract is deployed without a proxy; its constructor takes the kind of the owner (3: EIP-191), the owner, and
    that there is no guardian (1).
    """
    return _contract_address(eth_address, class_hash, [3, eth_address, 1])


def auth_message_hash(*, chain_id: int, account: int, timestamp: int, expiration: int) -> int:
    """Hash that is signed for `POST /auth`, always with path /v1/auth and an empty body. Times are Unix seconds."""
    message = [_TYPE_REQUEST, short_string("POST"), short_string("/v1/auth"), 0, timestamp, expiration]
    return _message_hash(chain_id, account, hash_elements(message))


def onboarding_message_hash(*, chain_id: int, account: int) -> int:
    """Hash that is signed for `POST /onboarding`."""
    return _message_hash(chain_id, account, hash_elements([_TYPE_CONSTANT, short_string("Onboarding")]))


def order_message_hash(
    *,
    chain_id: int,
    account: int,
    timestamp: int,
    market: str,
    side: str,
    order_type: str,
    size: Decimal,
    price: Decimal,
    order_id: str | None = None,
) -> int:
    """Hash that is signed for an order, or with `order_id` for the modification of one.

    `timestamp` is Unix milliseconds. `size` and `price` (0 for MARKET) are signed in units of 10⁻⁸, further digits cut.
    Raises ValueError when a field cannot be signed at all (a market name of 32 characters, a negative price).
    """
    if not 0 <= timestamp < FIELD_PRIME:
        raise ValueError("the timestamp is not a field element")
    kind = _TYPE_MODIFY_ORDER if order_id is not None else _TYPE_ORDER
    own = [_quantums(size), _quantums(price)]
    if order_id is not None:
        own.append(int(order_id) if order_id.isnumeric() else short_string(order_id))
    state = _order_state(kind, timestamp, market, side, order_type)
    for element in own:
        state = fast_stark_crypto.pedersen_hash(state, element)
    message = fast_stark_crypto.pedersen_hash(state, _ORDER_STATE_LENGTH + len(own))
    return _message_hash(chain_id, account, message)


def verify(public_key: int, message_hash: int, signature: tuple[int, int]) -> bool:
    """Whether `signature` of `message_hash` is by `public_key`. Takes about 0.7 ms and releases the GIL.

    `public_key` must be a point of the curve (`is_public_key`), or no field element at all: that has signed nothing.
    Any integers are accepted as signature: the Rust library panics on values that no signer produces, so they are
    turned away here.
    """
    r, s = signature
    if not 0 < public_key < FIELD_PRIME:  # the key of an Ethereum owner
        return False
    if not 0 < r < _SIGNATURE_BOUND or not 0 < s < CURVE_ORDER or message_hash >= _SIGNATURE_BOUND:
        return False
    if pow(s, -1, CURVE_ORDER) >= _SIGNATURE_BOUND:
        return False
    return fast_stark_crypto.verify(public_key, message_hash, r, s)


def _contract_address(salt: int, class_hash: int, calldata: list[int]) -> int:
    prefix = short_string("STARKNET_CONTRACT_ADDRESS")
    return hash_elements([prefix, 0, salt, class_hash, hash_elements(calldata)]) % (2**251 - 256)


def _quantums(value: Decimal) -> int:
    quantums = int(value.scaleb(_QUANTUM_EXPONENT))
    if not 0 <= quantums < FIELD_PRIME:
        raise ValueError("the value is not a field element")
    return quantums


def _message_hash(chain_id: int, account: int, message: int) -> int:
    # The chain of [prefix, domain, account, message]: the first three are the same for all of an account's messages.
    state = fast_stark_crypto.pedersen_hash(_account_state(chain_id, account), message)
    return fast_stark_crypto.pedersen_hash(state, 4)


@lru_cache(maxsize=1024)
def _order_state(kind: int, timestamp: int, market: str, side: str, order_type: str) -> int:
    """The chain over what the orders of one quote or batch often share."""
    state = _type_state(kind)
    for element in (timestamp, short_string(market), _SIDES[side], short_string(order_type)):
        state = fast_stark_crypto.pedersen_hash(state, element)
    return state


@lru_cache(maxsize=8)
def _type_state(kind: int) -> int:
    return fast_stark_crypto.pedersen_hash(0, kind)


@lru_cache(maxsize=4096)
def _account_state(chain_id: int, account: int) -> int:
    domain = hash_elements([_TYPE_DOMAIN, short_string("Paradex"), chain_id, 1])
    state = fast_stark_crypto.pedersen_hash(0, short_string("StarkNet Message"))
    state = fast_stark_crypto.pedersen_hash(state, domain)
    return fast_stark_crypto.pedersen_hash(state, account)
