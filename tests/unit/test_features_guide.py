"""docs/features.md forgets nothing of Paradex's API, and what it promises is there and has a test."""

import ast
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import yaml
from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_utils as utils
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_derivative import ParadexPerpetualDerivative

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "features.md"
SPECS = ROOT.parent / "shared" / "specs"
NO = "**No**"


@dataclass(frozen=True)
class Row:
    feature: str
    names: str
    how: str
    proof: str

    @property
    def tests(self) -> list[str]:
        return self.proof.split()


def rows() -> list[Row]:
    lines = [line for line in GUIDE.read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [Row(*row) for row in cells if row[0] not in ("feature", "---")]


def ticked(text: str) -> set[str]:
    """What stands in backticks."""
    return set(re.findall(r"`([^`]+)`", text))


@cache
def names_in(path: str) -> set[str]:
    """The names of a file's tests, `class::` before those of a class."""
    names = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}::{part.name}" for part in node.body if _is_function(part)}
        elif _is_function(node):
            names.add(node.name)
    return names


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_")


def specified() -> set[str]:
    """Every REST operation, channel and call of Paradex's descriptions."""
    operations = {
        f"{method.upper()} {path}"
        for path, methods in json.loads((SPECS / "openapi-prod.json").read_text())["paths"].items()
        for method in methods
    }
    channels = yaml.safe_load((SPECS / "asyncapi-prod.yaml").read_text())["channels"]
    calls = json.loads((SPECS / "openrpc-prod.json").read_text())["methods"]
    return operations | {name.removeprefix("/") for name in channels} | {call["name"] for call in calls}


@pytest.mark.skipif(not SPECS.exists(), reason="Paradex's API descriptions are not at hand")
def test_everything_in_paradexs_api_descriptions_has_a_row() -> None:
    assert len(specified()) > 140
    named = set().union(*(ticked(row.names) for row in rows()))
    assert sorted(specified() - named) == []


@pytest.mark.skipif(not SPECS.exists(), reason="Paradex's API descriptions are not at hand")
def test_nothing_is_named_that_paradex_does_not_have() -> None:
    named = {name for row in rows() for name in ticked(row.names) if re.match(r"(GET|POST|PUT|DELETE) /", name)}
    # Real, but missing in the description (see SOURCE.md beside it).
    undocumented = {name for name in named if " /account/mmp" in name}
    assert sorted(named - specified() - undocumented) == []


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.feature)
def test_a_feature_names_tests_that_exist_or_the_reason_why_it_is_not_there(row: Row) -> None:
    if row.how.startswith(NO):
        assert row.proof == "-"
        assert len(row.how) > 30
        return
    assert row.tests
    for test in row.tests:
        path, _, name = test.partition("::")
        assert name in names_in(path), test


async def test_what_a_row_says_of_the_connector_is_there() -> None:
    connector = ParadexPerpetualDerivative(trading_pairs=["BTC-USDC"], trading_required=False)
    for row in rows():
        for text in ticked(row.how):
            for name, part in re.findall(r"connector\.(\w+)(?:\.(\w+))?", text):
                assert hasattr(ParadexPerpetualDerivative, name) or hasattr(connector, name), text
                assert not part or hasattr(getattr(connector, name), part), text
        if "setting" in row.how and not row.how.startswith(NO):
            assert ticked(row.how) & set(utils.Settings.model_fields), row.how


def test_every_setting_of_an_exchange_feature_is_in_a_row() -> None:
    of_the_bot = {"unknown_orders"}
    named = set().union(*(ticked(row.how) for row in rows()))
    assert sorted(set(utils.Settings.model_fields) - named - of_the_bot) == []
