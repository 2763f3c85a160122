"""Settings that nobody is prompted for: from a line of the yml file to the connector, and what a wrong line does."""

import json
import logging
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hummingbot.client.config import config_helpers
from hummingbot.client.config.config_crypt import BaseSecretsManager
from hummingbot.client.config.config_helpers import ClientConfigAdapter
from hummingbot.client.config.security import Security
from hummingbot.client.settings import AllConnectorSettings
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_utils as utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative
from hummingbot.core.connector_manager import ConnectorManager
from hummingbot.user.user_balances import UserBalances

from tests.unit.connector.payloads import ADDRESS, SUBKEY

NAMES = list(utils.Settings.model_fields)
DEFAULTS = utils.Settings()

# A value that is not the default, as a file may have it, and what it means.
CHANGED: dict[str, tuple[Any, Any]] = {
    "order_class": ("Retail", "retail"),
    "order_entry": ("REST", "rest"),
    "cancel_on_disconnect": (True, True),
    "rpi": ("on", True),
    "self_trade_mode": ("expire_both", "EXPIRE_BOTH"),
    "recv_window": (250, 250),
    "max_slippage": (0.005, Decimal("0.005")),
    "mmp": ("yes", True),
    "batch_size": ("50", 50),
    "book_feed": ("snapshot", "snapshot"),
    "book_interval": ("100ms", "100ms"),
    "book_price_tick": (0.1, Decimal("0.1")),
    "breaker_failures": (0, 0),
    "breaker_window": (2.5, Decimal("2.5")),
    "breaker_pause": (60, Decimal(60)),
    "unknown_orders": ("adopt", "adopt"),
}

# What is refused, and a part of the sentence that says what is allowed.
WRONG: list[tuple[str, Any, str]] = [
    ("order_class", "vip", "is pro or retail, not 'vip'"),
    ("order_entry", "fax", "is websocket or rest, not 'fax'"),
    ("cancel_on_disconnect", "perhaps", "is true or false, not 'perhaps'"),
    ("cancel_on_disconnect", 2, "is true or false, not 2"),
    ("rpi", 0.5, "is true or false, not 0.5"),
    ("self_trade_mode", "EXPIRE", "is EXPIRE_TAKER, EXPIRE_MAKER or EXPIRE_BOTH, not 'EXPIRE'"),
    ("recv_window", 9, "is between 10 and 300000 milliseconds, not 9"),
    ("recv_window", 300_001, "is between 10 and 300000 milliseconds"),
    ("recv_window", 10.5, "is a whole number of milliseconds, not 10.5"),
    ("recv_window", "10s", "is a whole number of milliseconds, not '10s'"),
    ("recv_window", True, "is a whole number of milliseconds, not True"),
    ("recv_window", "1e999999", "is between 10 and 300000 milliseconds"),
    ("max_slippage", -0.01, "is between 0 and"),
    ("max_slippage", "nan", "is a number of"),
    ("max_slippage", 5, "is between 0 and"),
    ("mmp", "BTC", "is true or false, not 'BTC'"),
    ("batch_size", 0, "is between 1 and 50 orders, not 0"),
    ("batch_size", 51, "is between 1 and 50 orders, not 51"),
    ("book_feed", "full", "is deltas or snapshot, not 'full'"),
    ("book_interval", 50, "is 50ms or 100ms, not '50'"),
    ("book_price_tick", 0, "or left empty, not 0"),
    ("book_price_tick", "fine", "or left empty, not 'fine'"),
    ("breaker_failures", -1, "is between 0 and 1000 failures, not -1"),
    ("breaker_window", 0.5, "is between 1 and 3600 seconds, not 0.5"),
    ("breaker_pause", [5], "is a number of seconds, not [5]"),
    ("unknown_orders", "ignore", "is cancel or adopt, not 'ignore'"),
]


@pytest.fixture(params=[CONSTANTS.DEFAULT_DOMAIN, *utils.OTHER_DOMAINS])
def domain(request: pytest.FixtureRequest) -> str:
    return request.param


class QuickSecretsManager(BaseSecretsManager):
    """Stores secrets in the form that Hummingbot's does, which takes a second for each: they matter elsewhere."""

    def encrypt_secret_value(self, attr: str, value: str) -> str:
        return json.dumps({"crypto": value}).encode().hex()

    def decrypt_secret_value(self, attr: str, value: str) -> str:
        return str(json.loads(bytes.fromhex(value))["crypto"])


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Security, "secrets_manager", QuickSecretsManager("a password"))


Load = Callable[..., ClientConfigAdapter]


@pytest.fixture
def load(domain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Reads a connector's file, as Hummingbot does when the password is entered: keys and these lines are in it."""
    path = tmp_path / f"{domain}.yml"
    keys = ClientConfigAdapter(AllConnectorSettings.get_connector_config_keys(domain).__class__.model_construct())
    setattr(keys, f"{domain}_api_secret", SUBKEY)
    setattr(keys, f"{domain}_account_address", ADDRESS)
    config_helpers.save_to_yml(path, keys)
    stored = yaml.safe_load(path.read_text())
    credentials = {name: stored[name] for name in ("connector", f"{domain}_api_secret", f"{domain}_account_address")}
    settings = AllConnectorSettings.get_connector_settings()[domain]
    # What a file says is Hummingbot's configuration of the connector from then on.
    monkeypatch.setitem(AllConnectorSettings.all_connector_settings, domain, settings)

    def load(**lines: Any) -> ClientConfigAdapter:
        path.write_text(yaml.safe_dump({**credentials, **{f"{domain}_{name}": lines[name] for name in lines}}))
        config = config_helpers.load_connector_config_map_from_file(path)
        monkeypatch.setitem(
            AllConnectorSettings.all_connector_settings, domain, settings._replace(config_keys=config.hb_config)
        )
        return config

    return load


def make_connector(config: ClientConfigAdapter, domain: str) -> ParadexPerpetualDerivative:
    """As Hummingbot makes one that trades."""
    parameters = AllConnectorSettings.get_connector_settings()[domain].conn_init_parameters(
        trading_pairs=["BTC-USDC"],
        trading_required=True,
        api_keys=config_helpers.api_keys_from_connector_config_map(config),
    )
    return ParadexPerpetualDerivative(**parameters)


async def test_what_stands_in_the_file_reaches_the_connector(load: Load, domain: str) -> None:
    assert set(CHANGED) == set(NAMES), "a setting is missing here"
    assert not [name for name in NAMES if CHANGED[name][1] == getattr(DEFAULTS, name)], "these are the defaults"

    settings = make_connector(load(**{name: value for name, (value, _) in CHANGED.items()}), domain)._settings

    assert settings.model_dump() == {name: meaning for name, (_, meaning) in CHANGED.items()}


async def test_a_file_of_an_older_version_has_the_defaults(load: Load, domain: str) -> None:
    assert make_connector(load(), domain)._settings == DEFAULTS
    assert make_connector(load(order_class="retail"), domain).order_class == "retail"


async def test_an_empty_line_is_the_default(load: Load, domain: str) -> None:
    assert make_connector(load(**dict.fromkeys(NAMES)), domain)._settings == DEFAULTS
    assert make_connector(load(**dict.fromkeys(NAMES, "")), domain)._settings == DEFAULTS


async def test_they_survive_being_written_and_read_again(load: Load, domain: str, tmp_path: Path) -> None:
    config = load(**{name: value for name, (value, _) in CHANGED.items()})
    path = tmp_path / f"{domain}.yml"

    config_helpers.save_to_yml(path, config)
    again = config_helpers.load_connector_config_map_from_file(path)

    assert make_connector(again, domain)._settings == make_connector(config, domain)._settings
    text = path.read_text()
    for name in NAMES:
        assert f"# {utils.Settings.model_fields[name].description}\n{domain}_{name}: " in text


async def test_a_connector_that_does_not_trade_has_them_too(load: Load, domain: str) -> None:
    """Hummingbot hands such a one every field, and an empty text for every one that is False, 0 or None."""
    load(cancel_on_disconnect=False, breaker_failures=0, max_slippage=0, book_feed="snapshot")

    settings = AllConnectorSettings.get_connector_settings()[domain]
    connector = settings.non_trading_connector_instance_with_default_configuration(["BTC-USDC"])

    assert connector._settings == utils.Settings(breaker_failures=0, book_feed="snapshot")


async def test_one_that_has_no_keys_yet_does_not_trade_with_the_defaults(domain: str) -> None:
    settings = AllConnectorSettings.get_connector_settings()[domain]
    connector = settings.non_trading_connector_instance_with_default_configuration(["BTC-USDC"])
    assert connector._settings == DEFAULTS


@pytest.mark.parametrize(("name", "value", "sentence"), WRONG)
def test_a_wrong_value_is_refused_in_a_sentence_that_names_it(name: str, value: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match="The ") as refusal:
        utils.settings_from(None, CONSTANTS.DEFAULT_DOMAIN, {name: value})
    text = str(refusal.value)
    assert text.startswith(f"paradex_perpetual_{name}: The ")
    assert sentence in text
    assert text.endswith(".")
    assert "\n" not in text


def test_every_setting_has_a_wrong_value_here() -> None:
    assert {name for name, _, _ in WRONG} == set(NAMES)


@pytest.mark.parametrize("text", ["true", "True", "YES", "on", " 1 ", True, 1])
def test_a_switch_is_on(text: Any) -> None:
    assert utils.settings_from(None, "any", {"rpi": text}).rpi is True


@pytest.mark.parametrize("text", ["false", "No", "OFF", "0", False, 0])
def test_a_switch_is_off(text: Any) -> None:
    assert utils.settings_from(None, "any", {"rpi": text}).rpi is False


@pytest.mark.parametrize(("name", "value", "sentence"), WRONG)
def test_a_file_with_a_wrong_value_is_read_and_loses_nothing(
    load: Load, domain: str, tmp_path: Path, name: str, value: Any, sentence: str
) -> None:
    config = load(**{name: value})
    assert getattr(config, f"{domain}_api_secret").get_secret_value() == SUBKEY
    assert getattr(config, f"{domain}_{name}") == value or value == "nan"

    with pytest.raises(ValueError, match=f"{domain}_{name} in conf/connectors/{domain}.yml: ") as refusal:
        make_connector(config, domain)
    assert sentence in str(refusal.value)

    config_helpers.save_to_yml(tmp_path / f"{domain}.yml", config)
    assert yaml.safe_load((tmp_path / f"{domain}.yml").read_text())[f"{domain}_{name}"] == value


def test_a_line_that_is_no_setting_is_refused_with_the_one_that_is_probably_meant(load: Load, domain: str) -> None:
    config = load(cancel_on_disconect=True)
    with pytest.raises(ValueError, match="no setting") as refusal:
        make_connector(config, domain)
    assert str(refusal.value) == (
        f"{domain}_cancel_on_disconect in conf/connectors/{domain}.yml is no setting of the Paradex connector: "
        f"is {domain}_cancel_on_disconnect meant?"
    )


def test_every_fault_of_a_file_is_told_at_once(load: Load, domain: str) -> None:
    with pytest.raises(ValueError, match="no setting") as refusal:
        make_connector(load(rpi="maybe", batch_size=99, zzz=1), domain)
    assert f"{domain}_zzz" in str(refusal.value)
    assert f"{domain}_zzz in conf/connectors/{domain}.yml is no setting" in str(refusal.value)
    assert "is true or false, not 'maybe'" in str(refusal.value)
    assert "between 1 and 50 orders, not 99" in str(refusal.value)


class _ClientConfig:
    """The parts of Hummingbot's client configuration that making a connector reads."""

    hb_config = type("Config", (), {"balance_asset_limit": {}, "rate_limits_share_pct": Decimal(100), "gateway": None})


async def test_hummingbot_reports_a_wrong_value_in_its_connection_test_and_its_log(
    load: Load, domain: str, caplog: pytest.LogCaptureFixture
) -> None:
    config = load(recv_window=5)
    keys = config_helpers.api_keys_from_connector_config_map(config)
    sentence = (
        f"{domain}_recv_window in conf/connectors/{domain}.yml: The recv_window is between 10 and 300000 "
        "milliseconds, not 5."
    )

    assert await UserBalances.instance().add_exchange(domain, _ClientConfig(), **keys) == sentence

    with pytest.raises(ValueError, match="recv_window"):
        ConnectorManager(_ClientConfig()).create_connector(domain, ["BTC-USDC"], api_keys=keys)
    errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert errors == [f"Failed to create connector {domain}: {sentence}"]


def test_an_argument_that_is_no_setting_is_refused() -> None:
    with pytest.raises(TypeError, match="no setting vip"):
        ParadexPerpetualDerivative(trading_pairs=["BTC-USDC"], paradex_perpetual_vip=True)
