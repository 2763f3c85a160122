"""The judges themselves."""

import json
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
        spec.check_answer("GET", "/system/time", 200, json.dumps(body))


@pytest.mark.skipif(not spec.SPECS.is_dir(), reason="without the OpenAPI file")
@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/orders", 404, {"error": "MARKET_NOT_FOUND", "message": "", "data": {}}),
        ("GET", "/markets", 401, {"error": "INVALID_TOKEN", "message": "", "data": {}}),  # it wants none
        ("GET", "/positions", 401, {"error": "NOT_ONBOARDED", "message": "", "data": {}}),
        ("GET", "/markets", 500, {"error": "INTERNAL_ERROR", "message": "", "data": {}}),
        ("DELETE", "/orders/1", 200, None),
        ("DELETE", "/orders", 200, {}),
        ("POST", "/orders", 201, None),
        ("GET", "/nothing", 200, {}),
    ],
)
def test_a_status_that_is_not_listed_or_a_body_where_none_is_described_is_noticed(
    method: str, path: str, status: int, body: object
) -> None:
    with pytest.raises(AssertionError):
        spec.check_answer(method, path, status, "" if body is None else json.dumps(body))


@pytest.mark.skipif(not spec.SPECS.is_dir(), reason="without the OpenAPI file")
def test_what_is_said_to_be_missing_in_the_openapi_file_is_missing() -> None:
    for known in spec.UNLISTED:
        operations = [item for name, item in spec.operations().items() if known.applies(name, item)]
        assert any(str(known.status) not in item["responses"] for item in operations), known
    for name in spec.UNDOCUMENTED | spec.UNDOCUMENTED_STATUSES:
        assert name not in spec.operations()


def _name(answer: str | list[str] | tuple[str]) -> str:
    return answer if isinstance(answer, str) else answer[0]
