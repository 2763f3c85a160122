"""Our hashes against the SDK's: whatever the SDK signs we accept, and nothing else."""

from decimal import Decimal

import pytest
from paradex_py.account.subkey_account import SubkeyAccount
from paradex_py.account.utils import derive_l2_address_starknet, unflatten_signature
from paradex_py.api.models import SystemConfig, SystemConfigSchema
from paradex_py.common.order import Order, OrderSide, OrderType

from paradex_sandbox.api import stark
from paradex_sandbox.api.auth import CHAIN_ID
from paradex_sandbox.api.rest_public import _SYSTEM_CONFIG, ACCOUNT_CLASS_HASH, ACCOUNT_PROXY_CLASS_HASH

ADDRESS = 0x129C135ED63DF9353885E292BE4426B8ED6122B13C6C0E1BB787288A1F5ADFA
PRIVATE_KEY = 0x1F2E3D4C5B6A79880123456789ABCDEF
TIMESTAMP = 1_795_000_000_123


@pytest.fixture(scope="module")
def config() -> SystemConfig:
    return SystemConfigSchema().load(_SYSTEM_CONFIG, unknown="exclude")


@pytest.fixture(scope="module")
def signer(config: SystemConfig) -> SubkeyAccount:
    return SubkeyAccount(config, hex(PRIVATE_KEY), hex(ADDRESS))


def _order_hash(order: Order, **changes: object) -> int:
    fields = {
        "chain_id": CHAIN_ID,
        "account": ADDRESS,
        "timestamp": order.signature_timestamp,
        "market": order.market,
        "side": order.order_side.value,
        "order_type": order.order_type.value,
        "size": order.size,
        "price": order.limit_price,
        "order_id": order.id,
    }
    return stark.order_message_hash(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("order_id", [None, "1795185179899917000000000004"])
@pytest.mark.parametrize("order_type", OrderType)
@pytest.mark.parametrize("side", OrderSide)
def test_orders_and_modifications_signed_by_the_sdk_verify(
    signer: SubkeyAccount, order_type: OrderType, side: OrderSide, order_id: str | None
) -> None:
    price = Decimal(0) if order_type is OrderType.Market else Decimal("60000.5")
    order = Order("BTC-USD-PERP", order_type, side, Decimal("0.123"), price, order_id=order_id)
    signature = tuple(unflatten_signature(signer.sign_order(order)))
    assert stark.verify(signer.l2_public_key, _order_hash(order), signature)


@pytest.mark.parametrize(
    "change",
    [
        {"size": Decimal("0.124")},
        {"price": Decimal("60000.6")},
        {"side": "SELL"},
        {"market": "ETH-USD-PERP"},
        {"order_type": "STOP_LIMIT"},
        {"timestamp": TIMESTAMP + 1},
        {"account": ADDRESS + 1},
        {"chain_id": CHAIN_ID + 1},
        {"order_id": "1"},
    ],
)
def test_an_order_changed_after_signing_does_not_verify(signer: SubkeyAccount, change: dict[str, object]) -> None:
    order = Order(
        "BTC-USD-PERP",
        OrderType.Limit,
        OrderSide.Buy,
        Decimal("0.123"),
        Decimal("60000.5"),
        signature_timestamp=TIMESTAMP,
    )
    signature = tuple(unflatten_signature(signer.sign_order(order)))
    assert stark.verify(signer.l2_public_key, _order_hash(order), signature)
    assert not stark.verify(signer.l2_public_key, _order_hash(order, **change), signature)


def test_the_auth_request_signed_by_the_sdk_verifies(signer: SubkeyAccount) -> None:
    signature = tuple(unflatten_signature(signer.auth_signature(1_795_000_000, 1_795_003_600)))
    hashes = [
        stark.auth_message_hash(chain_id=CHAIN_ID, account=ADDRESS, timestamp=1_795_000_000, expiration=expiration)
        for expiration in (1_795_003_600, 1_795_003_601)
    ]
    assert [stark.verify(signer.l2_public_key, message, signature) for message in hashes] == [True, False]


@pytest.mark.parametrize(
    "signature",
    [
        (0, 0),
        (1, 1),
        (5, 6),
        (-1, 5),
        (2**251, 1),
        (1, stark.CURVE_ORDER),
        (2**300, 2**300),
        # s whose inverse lies above 2^251, where the Rust library would panic
        (1, pow(stark.CURVE_ORDER - 1, -1, stark.CURVE_ORDER)),
    ],
)
def test_no_pair_of_integers_breaks_the_verifier(signer: SubkeyAccount, signature: tuple[int, int]) -> None:
    assert not stark.verify(signer.l2_public_key, 12345, signature)


def test_account_addresses_are_derived_as_the_sdk_does(config: SystemConfig, signer: SubkeyAccount) -> None:
    ours = stark.account_address(
        signer.l2_public_key, account_class_hash=ACCOUNT_CLASS_HASH, proxy_class_hash=ACCOUNT_PROXY_CLASS_HASH
    )
    assert ours == derive_l2_address_starknet(config, signer.l2_public_key)


def test_public_keys_are_told_from_other_numbers(signer: SubkeyAccount) -> None:
    assert stark.public_key(PRIVATE_KEY) == signer.l2_public_key
    assert stark.is_public_key(signer.l2_public_key)
    assert not stark.is_public_key(0)
    assert not stark.is_public_key(stark.FIELD_PRIME + signer.l2_public_key)
    # About half of all numbers are no x coordinate of a point.
    assert 20 < sum(stark.is_public_key(x) for x in range(1, 101)) < 80
