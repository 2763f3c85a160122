"""The judges themselves."""

import os

import pytest

from tests.sandbox import spec


def test_the_specs_are_at_hand_in_ci() -> None:
    assert spec.SPECS.is_dir() or "CI" not in os.environ


def test_every_answer_is_of_the_schema_that_the_openapi_file_names() -> None:
    document = spec.openapi()
    if document is None:
        assert all(hasattr(spec.sdk_models, _name(answer)) for answer in spec.ANSWERS.values())
        return
    for operation, answer in spec.ANSWERS.items():
        if operation in spec.UNDOCUMENTED:
            continue
        method, path = operation.split()
        responses = document["paths"][path][method.lower()]["responses"]
        content = str(responses.get("200") or responses["201"]).replace("requests.Activate", "responses.Activate")
        # Lists of sub-accounts have a schema of their own around the items.
        wrappers = {"AccountInfoResponse": ("GetAccountsInfoResponse", "GetSubAccountsResponse")}
        names = (_name(answer), *wrappers.get(_name(answer), ()))
        assert any(f"responses.{name}'" in content for name in names), operation


@pytest.mark.parametrize(
    "body",
    [
        {"server_time": "1", "undeclared": 1},
        {"server_time": 1},
    ],
)
def test_an_undeclared_field_or_a_wrong_type_is_noticed(body: dict[str, object]) -> None:
    with pytest.raises((AssertionError, ValueError)):
        spec.check_answer("GET", "/system/time", 200, body)


def _name(answer: str | list[str] | tuple[str]) -> str:
    return answer if isinstance(answer, str) else answer[0]
