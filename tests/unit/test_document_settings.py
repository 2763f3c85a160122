"""What users are told of the settings is what the connector does."""

from pathlib import Path

import pytest
import yaml
from hummingbot.client.config import config_helpers
from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_utils as utils

from tests.unit.connector.payloads import ADDRESS, SUBKEY
from tools import document_settings


@pytest.mark.parametrize("path", document_settings.documents(), ids=lambda path: path.name)
def test_the_documents_tell_of_every_setting_and_its_default(path: Path) -> None:
    assert path.read_text() == document_settings.documents()[path], "run python -m tools.document_settings"


@pytest.mark.parametrize("domain", document_settings.DOMAINS)
def test_a_template_is_a_file_that_hummingbot_would_read(domain: str) -> None:
    lines = yaml.safe_load(document_settings.template(domain).read_text())
    config_map = type(utils.KEYS if domain == document_settings.DOMAINS[0] else utils.OTHER_DOMAINS_KEYS[domain])
    assert set(lines) == set(config_map.model_fields)
    config = config_map(**{**lines, f"{domain}_api_secret": SUBKEY, f"{domain}_account_address": ADDRESS})
    assert config.connector == domain
    assert utils.settings_from(config, domain) == utils.Settings()


def test_templates_that_are_copied_into_a_home_are_not_taken_for_a_connectors_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Hummingbot reads every file there, whatever its ending, and ends each command if it cannot decrypt one."""
    folder = document_settings.template(document_settings.DOMAINS[0]).parent
    monkeypatch.setattr(config_helpers, "CONNECTORS_CONF_DIR_PATH", folder)
    assert list(folder.iterdir())
    assert config_helpers.list_connector_configs() == []


def test_the_guide_says_of_each_setting_what_it_does_in_whole_sentences() -> None:
    for name, field in utils.Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
        assert "\n" not in field.description, name
        assert "|" not in field.description, name
