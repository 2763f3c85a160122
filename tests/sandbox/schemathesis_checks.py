"""Loaded by schemathesis (SCHEMATHESIS_HOOKS): the test client's judge as one of its checks, and what it lets pass."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData

from tests.sandbox import spec


@schemathesis.check
def paradex_could_answer_so(ctx: Any, response: Any, case: Any) -> None:
    """The status is listed for the operation, and the body is of its schema with undeclared fields forbidden."""
    path = urlsplit(response.request.url).path.removeprefix("/v1")
    spec.check_answer(response.request.method, path, response.status_code, response.text)


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether a failure counts: all do, but for two sorts of wrong requests that are rightly carried out."""
    if not isinstance(failure, AcceptedNegativeData):
        return True
    # Empty and null are the same as absent: the official SDK sends `"client_id": ""` and `"stp": null`.
    query = parse_qsl(urlsplit(response.request.url).query, keep_blank_values=True)
    body = case.body if isinstance(case.body, dict) else {}
    if any(value == "" for _, value in query) or None in body.values():
        return False
    # The file lists no status to refuse it with.
    return "400" in case.operation.definition.raw["responses"]
