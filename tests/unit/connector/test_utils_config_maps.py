"""What a trader is asked for, and how it comes back from disk."""

import asyncio
import io
import logging
from pathlib import Path

import pytest
import yaml
from hummingbot.client.config import config_helpers
from hummingbot.client.config.config_crypt import ETHKeyFileSecretManger
from hummingbot.client.config.config_helpers import ClientConfigAdapter, ConfigValidationError
from hummingbot.client.config.security import Security
from hummingbot.client.settings import AllConnectorSettings
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_utils as utils,
)
from pydantic import ValidationError

from tests.unit.connector.payloads import ADDRESS, SUBKEY, jwt

CONFIG_MAPS = {CONSTANTS.DEFAULT_DOMAIN: utils.KEYS, **utils.OTHER_DOMAINS_KEYS}
DOMAINS = list(CONFIG_MAPS)


@pytest.fixture(params=DOMAINS)
def domain(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def config(domain: str) -> ClientConfigAdapter:
    return ClientConfigAdapter(type(CONFIG_MAPS[domain]).model_construct())


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Security, "secrets_manager", ETHKeyFileSecretManger("a password"))


def test_hummingbot_finds_the_three_domains() -> None:
    settings = AllConnectorSettings.get_connector_settings()
    assert set(DOMAINS) <= set(settings)
    for domain in DOMAINS:
        assert settings[domain].config_keys is CONFIG_MAPS[domain]
        assert settings[domain].example_pair == "BTC-USDC"
        assert settings[domain].trade_fee_schema == utils.DEFAULT_FEES
        assert not settings[domain].use_ethereum_wallet
    assert settings[CONSTANTS.TESTNET_DOMAIN].parent_name == CONSTANTS.EXCHANGE_NAME


def test_the_connector_is_given_keys_and_configuration_under_its_own_names(
    domain: str, config: ClientConfigAdapter
) -> None:
    setattr(config, f"{domain}_api_secret", SUBKEY)
    setattr(config, f"{domain}_account_address", ADDRESS)
    settings = AllConnectorSettings.get_connector_settings()[domain]
    parameters = settings.conn_init_parameters(
        trading_pairs=["BTC-USDC"],
        trading_required=True,
        api_keys=config_helpers.api_keys_from_connector_config_map(config),
    )
    assert parameters["paradex_perpetual_api_secret"] == SUBKEY
    assert parameters["paradex_perpetual_account_address"] == ADDRESS
    assert parameters.get("domain", CONSTANTS.DEFAULT_DOMAIN) == domain


def test_a_key_that_was_written_into_the_file_is_refused_and_not_shown(domain: str) -> None:
    lines = yaml.safe_load(f"{domain}_api_secret: {SUBKEY}\n{domain}_account_address: {ADDRESS}\n")
    with pytest.raises(ValidationError, match="unencrypted in the connector's file: remove that file") as refused:
        type(CONFIG_MAPS[domain]).model_validate(lines)
    for number in lines.values():
        assert str(number) not in str(refused.value)
        assert f"{number:x}" not in str(refused.value)


def test_two_secrets_are_asked_for_and_no_setting_is(domain: str, config: ClientConfigAdapter) -> None:
    asked = [item.attr for item in config.traverse() if item.client_field_data.prompt_on_new]
    assert asked == [f"{domain}_api_secret", f"{domain}_account_address"]
    assert all(config.is_secure(attr) for attr in asked)
    assert [item.attr for item in config.traverse() if item.client_field_data.is_connect_key] == asked
    assert not any(config.is_secure(f"{domain}_{name}") for name in utils.Settings.model_fields)


def test_prompts_say_which_key_and_which_address(domain: str, config: ClientConfigAdapter) -> None:
    async def prompts() -> list[str | None]:
        return [await config.get_client_prompt(f"{domain}_{field}") for field in ("api_secret", "account_address")]

    secret, address = asyncio.run(prompts())
    assert "private key of your Paradex" in secret
    assert "subkey (0x...)" in secret
    assert "main account, not of the subkey (0x...)" in address


def test_what_is_entered_is_normalized(domain: str, config: ClientConfigAdapter) -> None:
    setattr(config, f"{domain}_api_secret", f"  {SUBKEY.upper().replace('0X', '')} \n")
    setattr(config, f"{domain}_account_address", ADDRESS)
    setattr(config, f"{domain}_order_class", " Retail ")
    assert getattr(config, f"{domain}_api_secret").get_secret_value() == SUBKEY
    assert getattr(config, f"{domain}_order_class") == "retail"


@pytest.mark.parametrize("text", ["1234", "null", '["crypto"]', '"crypto"', "true"])
def test_a_key_whose_bytes_happen_to_be_json_is_still_a_key(
    domain: str, config: ClientConfigAdapter, text: str
) -> None:
    setattr(config, f"{domain}_api_secret", text.encode().hex())
    assert getattr(config, f"{domain}_api_secret").get_secret_value() == f"0x{text.encode().hex()}"


BAD_SECRETS = ["hello world", "0x", "", "0x0", "0xzz" + "12" * 20, hex(utils.STARK_CURVE_ORDER), "ab" * 40]


@pytest.mark.parametrize("secret", BAD_SECRETS)
def test_a_malformed_key_is_refused_at_the_prompt_without_being_repeated(
    domain: str, config: ClientConfigAdapter, secret: str
) -> None:
    with pytest.raises(ConfigValidationError) as refusal:
        setattr(config, f"{domain}_api_secret", secret)
    assert "Paradex subkey's private key should be 0x" in str(refusal.value)
    _assert_not_repeated(secret, refusal.value)


def test_a_malformed_address_is_refused_at_the_prompt(domain: str, config: ClientConfigAdapter) -> None:
    with pytest.raises(ConfigValidationError, match="Paradex main account's address should be 0x"):
        setattr(config, f"{domain}_account_address", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq")
    with pytest.raises(ConfigValidationError, match="too large"):
        setattr(config, f"{domain}_account_address", hex(utils.STARK_FIELD_PRIME))


@pytest.mark.parametrize("secret", BAD_SECRETS)
def test_no_error_or_representation_of_the_map_shows_a_secret(domain: str, secret: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        type(CONFIG_MAPS[domain])(**{f"{domain}_api_secret": secret, f"{domain}_account_address": ADDRESS})
    _assert_not_repeated(secret, refusal.value)
    whole = type(CONFIG_MAPS[domain])(**{f"{domain}_api_secret": SUBKEY, f"{domain}_account_address": ADDRESS})
    for text in (repr(whole), str(whole), repr(ClientConfigAdapter(whole))):
        assert SUBKEY[2:] not in text
        assert ADDRESS[2:] not in text


def _assert_not_repeated(secret: str, error: BaseException) -> None:
    if len(secret) > 3:
        stream = io.StringIO()
        logger = logging.Logger("refusal")
        logger.addHandler(logging.StreamHandler(stream))
        logger.error("refused", exc_info=error)
        assert secret not in stream.getvalue()
        assert secret not in repr(error)


def _save(config: ClientConfigAdapter, path: Path) -> str:
    config_helpers.save_to_yml(path, config)
    return path.read_text()


def test_secrets_are_encrypted_on_disk_and_come_back(
    domain: str, config: ClientConfigAdapter, password: None, tmp_path: Path
) -> None:
    setattr(config, f"{domain}_api_secret", SUBKEY)
    setattr(config, f"{domain}_account_address", ADDRESS)
    setattr(config, f"{domain}_order_class", "retail")
    path = tmp_path / f"{domain}.yml"
    text = _save(config, path)
    assert SUBKEY[2:] not in text
    assert ADDRESS[2:] not in text
    assert yaml.safe_load(text)[f"{domain}_order_class"] == "retail"

    loaded = config_helpers.load_connector_config_map_from_file(path)

    assert getattr(loaded, f"{domain}_api_secret").get_secret_value() == SUBKEY
    assert getattr(loaded, f"{domain}_account_address").get_secret_value() == ADDRESS
    assert getattr(loaded, f"{domain}_order_class") == "retail"
    assert loaded.connector == domain
    assert config_helpers.api_keys_from_connector_config_map(loaded) == {
        f"{domain}_api_secret": SUBKEY,
        f"{domain}_account_address": ADDRESS,
    }


def test_a_secret_on_disk_that_was_tampered_with_is_not_taken_for_one(
    domain: str, config: ClientConfigAdapter, password: None, tmp_path: Path
) -> None:
    setattr(config, f"{domain}_api_secret", SUBKEY)
    setattr(config, f"{domain}_account_address", ADDRESS)
    path = tmp_path / f"{domain}.yml"
    saved = yaml.safe_load(_save(config, path))
    saved[f"{domain}_api_secret"] = saved[f"{domain}_api_secret"][:-8]
    path.write_text(yaml.safe_dump(saved))
    with pytest.raises(ValidationError, match="should be 0x"):
        config_helpers.load_connector_config_map_from_file(path)


def test_a_read_only_token_can_be_entered_instead_of_the_key(domain: str, config: ClientConfigAdapter) -> None:
    token = jwt(lifetime=86400)
    setattr(config, f"{domain}_api_secret", f" {token} ")
    assert getattr(config, f"{domain}_api_secret").get_secret_value() == token
