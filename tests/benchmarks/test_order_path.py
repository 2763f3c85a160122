"""What the benchmark of the order path compares."""

import json

import fast_stark_crypto
import pytest
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_auth import FastSigner

from benchmarks.order_path import NonceAheadSigner, ThreadSigner
from benchmarks.signing import ACCOUNT, CHAIN, KEY

ORDER = {
    "market": "BTC-USD-PERP",
    "side": "BUY",
    "type": "LIMIT",
    "size": "0.02",
    "price": "58200",
    "signature_timestamp": 1_790_000_000_000,
}


@pytest.mark.parametrize("tried", [NonceAheadSigner, ThreadSigner])
def test_what_was_tried_makes_signatures_that_hold(tried: type[FastSigner]) -> None:
    ours = FastSigner(CHAIN, KEY, ACCOUNT)
    r, s = map(int, json.loads(tried(CHAIN, KEY, ACCOUNT).sign_order(ORDER)))
    assert fast_stark_crypto.verify(int(ours.public_key, 16), ours.order_hash(ORDER), r, s)
