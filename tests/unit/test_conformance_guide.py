"""docs/conformance.md has every case of the specifications that it is about, and the tests that it names exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "conformance.md"
TEST = re.compile(r"tests/[\w/]+\.py::[\w:]+")
EXECUTION = [1, 2, 3, 4, 5, 6, *range(10, 20), *range(20, 28), *range(30, 37), *range(40, 45), *range(50, 54)]
EXECUTION += [*range(60, 64), *range(70, 79), *range(80, 88), 90, 91, 92, 94, 96, 99, 100, 101]
DATA = [1, 2, 3, *range(10, 16), 20, 21, 30, 31, 40, 41, *range(50, 54), *range(60, 64), *range(70, 73)]


def rows() -> dict[str, str]:
    """The proofs by the cases' numbers."""
    lines = re.findall(r"^\| ([EDQ]\d+) \| [^|]+ \| (.+) \|$", GUIDE.read_text(), re.MULTILINE)
    assert len(dict(lines)) == len(lines), "a case is there twice"
    return dict(lines)


@cache
def names_in(path: str) -> set[str]:
    """The names of a file's tests, `class::` before those of a class."""
    names = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}::{part.name}" for part in node.body if isinstance(part, _FUNCTIONS)}
        elif isinstance(node, _FUNCTIONS):
            names.add(node.name)
    return names


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def test_no_case_is_missing() -> None:
    cases = [f"E{number:02}" for number in EXECUTION] + [f"D{number:02}" for number in DATA]
    assert [case for case in rows() if not case.startswith("Q")] == cases
    assert len([case for case in rows() if case.startswith("Q")]) >= 25


@pytest.mark.parametrize("case", rows())
def test_a_case_names_tests_that_exist_or_what_is_lacking(case: str) -> None:
    proof = rows()[case]
    tests = TEST.findall(proof)
    assert tests or re.match(r"\*\*Does not apply\*\*: .{40}", proof)
    for test in tests:
        path, _, name = test.partition("::")
        assert name in names_in(path), test
