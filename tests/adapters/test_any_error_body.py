"""Whatever JSON, or what is none, comes with an error status: a failure is made of it, and nothing is raised."""

from __future__ import annotations

import json

import httpx2
import pytest
from anthropic import AsyncAnthropic
from hypothesis import given
from hypothesis import strategies as st

from headway.adapters.anthropic.failures import rejection_of
from headway.adapters.anthropic.foreign import foreign_message
from headway.core.error_kind import ErrorKind, Scope
from headway.core.request import Request

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
CODES = st.sampled_from(["enforced_spend_limit_reached", "code_of_tomorrow", "user_profile_not_billable"])
DETAILS = st.fixed_dictionaries({}, optional={"error_code": JSON | CODES})
ERRORS = st.fixed_dictionaries({}, optional={"type": JSON, "message": JSON, "details": DETAILS | JSON})
BODIES = JSON | st.fixed_dictionaries({"type": st.just("error"), "error": ERRORS | JSON}) | st.fixed_dictionaries(
    {}, optional={"detail": JSON, "message": JSON, "error": JSON, "request_id": JSON}
)  # fmt: skip
REQUEST = Request(
    {"model": "claude-sonnet-5-5", "max_tokens": 8, "messages": [{"role": "user", "content": "x"}]}
)


@pytest.fixture(scope="module")
def client() -> AsyncAnthropic:
    return AsyncAnthropic(api_key="sk-test", http_client=httpx2.AsyncClient(verify=False))


@given(status=st.integers(400, 599), body=BODIES)
def test_json(client: AsyncAnthropic, status: int, body: object) -> None:
    check(client, status, json.dumps(body).encode())


@given(status=st.sampled_from([400, 404, 413, 422, 429, 502, 529]), body=st.binary(max_size=40))
def test_bytes(client: AsyncAnthropic, status: int, body: bytes) -> None:
    check(client, status, body)


def check(client: AsyncAnthropic, status: int, body: bytes) -> None:
    request = httpx2.Request("POST", "http://x/v1/messages", content=b"{}")
    response = httpx2.Response(
        status, content=body, headers={"content-type": "application/json"}, request=request
    )
    rejection = rejection_of(client._make_status_error_from_response(response), request=REQUEST)
    failure = rejection.failure
    assert isinstance(failure.kind, ErrorKind)
    assert isinstance(failure.scope, Scope)
    assert failure.status == status
    assert isinstance(failure.message, str)
    assert failure.message.strip()
    assert str(failure)
    assert failure.remedy


@given(JSON)
def test_foreign_messages(body: object) -> None:
    said = foreign_message(body)
    assert said is None or said.strip()
