"""Markets from a file: the form of `GET /markets`, and one clear sentence for everything else."""

import json
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from paradex_sandbox.exchange.default_markets import DEFAULT_MARKETS
from paradex_sandbox.exchange.errors import ExchangeError, MarketsFileError
from paradex_sandbox.exchange.exchange import Exchange
from paradex_sandbox.exchange.markets import load_markets, parse_markets
from paradex_sandbox.exchange.model import AssetKind
from paradex_sandbox.liquidity import SyntheticTraders
from paradex_sandbox.storage import Storage
from tests.unit.sandbox.venue import START, plain_market


def write(path: Path, data: object) -> Path:
    file = path / "markets.json"
    file.write_text(data if isinstance(data, str) else json.dumps(data))
    return file


def test_the_default_markets_are_a_realistic_mix() -> None:
    markets = {market.symbol: market for market in load_markets()}
    assert {"BTC-USD-PERP", "ETH-USD-PERP", "SOL-USD-PERP", "kPEPE-USD-PERP"} <= markets.keys()
    assert {market.asset_kind for market in markets.values()} == {
        AssetKind.PERP,
        AssetKind.SPOT,
        AssetKind.PERP_OPTION,
    }
    bitcoin = markets["BTC-USD-PERP"]
    assert (bitcoin.price_tick_size, bitcoin.order_size_increment) == (Decimal("0.1"), Decimal("0.00001"))
    assert (bitcoin.settlement_currency, bitcoin.quote_currency, bitcoin.max_leverage) == ("USDC", "USD", 50)
    for market in markets.values():
        assert market.simulation.base_price > market.price_tick_size


@pytest.mark.parametrize("wrap", [lambda markets: markets, lambda markets: {"results": markets}])
def test_a_file_of_the_default_markets_gives_the_default_markets(tmp_path: Path, wrap: Any) -> None:
    assert load_markets(write(tmp_path, wrap(DEFAULT_MARKETS))) == load_markets()


def test_numbers_may_be_written_as_numbers_and_extra_fields_are_left_out(tmp_path: Path) -> None:
    data = deepcopy(DEFAULT_MARKETS[:1])
    data[0] |= {"price_tick_size": 0.1, "min_notional": 10, "max_order_size": "1E+2", "new_field": {"a": 1}}
    (market,) = load_markets(write(tmp_path, data))
    assert market == load_markets()[0]
    assert str(market.max_order_size) == "100"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"price_tick_size": "0"}, "price_tick_size must be above zero"),
        ({"price_tick_size": "x"}, "price_tick_size must be a number"),
        ({"order_size_increment": None}, "order_size_increment must be a number"),
        ({"max_order_size": True}, "max_order_size must be a number"),
        ({"min_notional": "NaN"}, "min_notional must be a number"),
        ({"asset_kind": "PERPETUAL"}, "asset_kind must be one of PERP, "),
        ({"symbol": ""}, "symbol must be a text"),
        ({"price_bands_width": "5"}, "price_bands_width must be a fraction of 1"),
        ({"delta1_cross_margin_params": None}, "delta1_cross_margin_params must be an object"),
        ({"delta1_cross_margin_params": {"imf_base": "0.02"}}, "delta1_cross_margin_params: mmf_factor must be"),
        ({"fee_config": {"api_fee": 3}}, "fee_config: api_fee must be an object"),
        ({"simulation": None}, "simulation must be an object"),
        ({"simulation": {}}, "simulation: base_price must be a number, found nothing"),
        ({"simulation": {"base_price": 1, "vola": 2}}, "simulation: vola must be one of base_price, "),
        ({"simulation": {"base_price": 1, "reversion": 1}}, "reversion must be below 1"),
        ({"max_open_orders": 1.5}, "max_open_orders must be a whole number"),
        ({"funding_period_hours": 0}, "funding_period_hours must be at least 1"),
        ({"tags": "MEME"}, "tags must be a list of texts"),
        ({"max_order_size": "1E+99"}, "max_order_size must be between -10000000000 and 10000000000"),
        ({"min_notional": "1E-99"}, "min_notional must be between"),
        ({"price_tick_size": "1E-9"}, "price_tick_size must be a multiple of 0.00000001"),
        ({"interest_rate": "2"}, "interest_rate must be between -1 and 1"),
        ({"funding_period_hours": 9000}, "funding_period_hours must be at most 8760"),
        ({"simulation": {"base_price": "1E+9"}}, "base_price must be at least the market's tick and below 1000000000"),
        ({"simulation": {"base_price": "1E-8"}}, "base_price must be at least the market's tick"),
        ({"simulation": {"base_price": 1, "volatility": 1}}, "volatility must be 0 to 0.01"),
        ({"simulation": {"base_price": 1, "takers_per_second": 1001}}, "takers_per_second must be at most 1000"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, change: dict[str, object], words: str) -> None:
    data = deepcopy(DEFAULT_MARKETS)
    data[1] |= change
    with pytest.raises(MarketsFileError) as caught:
        load_markets(write(tmp_path, data))
    assert words in str(caught.value)
    assert "markets.json: market " in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is no JSON"),
        ("[]", "expected a list of markets that is not empty"),
        ("{}", "expected a list of markets"),
        ("3", "expected a list of markets"),
        ("[3]", "market 1 is no object"),
        (json.dumps(DEFAULT_MARKETS[:1] * 2), "market BTC-USD-PERP is listed twice"),
    ],
)
def test_what_is_no_list_of_markets_is_refused(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(MarketsFileError, match=words):
        load_markets(write(tmp_path, content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MarketsFileError, match=r"cannot read .*nowhere\.json"):
        load_markets(tmp_path / "nowhere.json")


odd_numbers = st.sampled_from(["0.1", "1", "7", "1E+17", "1E-17", "0.0001", 10**12])
json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.decimals(), st.text(max_size=5), st.sampled_from(["0.1", "1"])
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)
fields_of_markets = st.sampled_from(sorted({name for market in DEFAULT_MARKETS for name in market}))


@given(like=st.sampled_from(DEFAULT_MARKETS), changes=st.dictionaries(fields_of_markets, json_values, max_size=3))
@settings(max_examples=300, deadline=None)
def test_whatever_is_listed_is_refused_in_one_sentence_or_trades(like: Any, changes: dict[str, Any]) -> None:
    exchange = Exchange([plain_market()], seed=1, now_us=START)
    traders = SyntheticTraders(exchange, seed=1)
    try:
        (market,) = parse_markets([deepcopy(like) | changes], "the body")
        exchange.create_market(market)
    except (MarketsFileError, ExchangeError):
        return
    storage = Storage(":memory:")
    for second in range(1, 4):
        exchange.advance(START + second * 1_000_000)
        traders.step(exchange.now)
        storage.write(exchange, exchange.drain_events())
    exchange.delete_market(market.symbol)
    storage.write(exchange, exchange.drain_events())
    storage.close()
