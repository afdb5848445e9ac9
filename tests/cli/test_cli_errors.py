"""``headway errors``: whatever a user has in hand leads to its row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anthropic
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.cli.error_lookup import SDK_STATUSES, look_up, nearest
from headway.core.error_code import ERROR_CODES
from headway.core.error_kind import TABLE, ErrorKind
from headway.core.failure import ErrorResponse, classify, failure_of
from headway.errors import job_error

if TYPE_CHECKING:
    from conftest import Headway

SDK_TEXT = (
    "Error code: 529 - {'type': 'error', 'error': {'type': 'overloaded_error', 'message': 'Overloaded'}}"
)
SPEND_TEXT = (
    "anthropic.RateLimitError: Error code: 429 - {'type': 'error', 'error': {'type': 'rate_limit_error', 'message': "
    "'x', 'details': {'error_code': 'enforced_spend_limit_reached'}}, 'request_id': 'req_1'}"
)
BODY = (
    '{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 3 tokens > 2"}}'
)
QUERIES = [
    ("529", "overloaded"),
    ("overloaded_error", "overloaded"),
    ("overloaded", "overloaded"),
    ("Overloaded", "overloaded"),
    ("rate limit", "rate_limit"),
    ("credit balance", "billing"),
    ("Your credit balance is too low to access the Anthropic API.", "billing"),
    ("You have reached your specified API usage limits. You will regain access …", "billing"),
    ("enforced_spend_limit_reached", "billing"),
    ("EnforcedSpendLimitReachedError", "billing"),
    ("CMEKKeyDisabledError", "account_hold"),
    ("linked_organization_of_next_year", "billing"),
    ("anthropic.RateLimitError", "rate_limit"),
    ("APITimeoutError: Request timed out.", "attempt_timeout"),
    ("Connection error.", "connection"),
    (SDK_TEXT, "overloaded"),
    (SPEND_TEXT, "billing"),
    (BODY, "context_overflow"),
    ("input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000", "context_overflow"),
    ("Number of concurrent connections has exceeded your rate limit", "concurrency_limit"),
    ("HTTP 502", "bad_gateway"),
    ("502", "bad_gateway"),
    ("418", "client_error"),
    ("599", "api_error"),
    ("BillingError", "billing"),
    ("pool", "pool_timeout"),
    ("deadline", "deadline"),
]


@pytest.mark.parametrize(("query", "kind"), QUERIES, ids=[query[:30] for query, _ in QUERIES])
def test_a_query_leads_to_its_row(headway: Headway, query: str, kind: str) -> None:
    ended = headway("errors", query)
    assert ended.status == 0, ended.err
    row = next(row for row in TABLE if row.kind.value == kind)
    assert f"\n{kind}\n" in "\n" + ended.out
    shown = " ".join(ended.out.split())
    assert row.meaning in shown
    assert row.remedy in shown
    found = json.loads(headway("errors", query, "--json").out)
    assert found["kinds"][0]["kind"] == kind
    assert found["kinds"][0]["you"] == row.remedy


def test_a_code_says_what_it_says(headway: Headway) -> None:
    out = " ".join(headway("errors", "enforced_spend_limit_reached").out.split())
    assert "(HTTP 429) The monthly spend cap" in out
    assert "contract_spend_limit_reached" not in out, "only the code that was asked for"


def test_a_status_names_all_that_come_with_it(headway: Headway) -> None:
    out = headway("errors", "429").out
    assert out.startswith("rate_limit\n")
    assert all(f"\n  {kind}: " in out for kind in ("ramp_limit", "concurrency_limit", "billing"))


def test_rules_and_stop_reasons_are_found_too(headway: Headway) -> None:
    out = headway("errors", "max_tokens").out
    assert "preflight rule max_tokens" in out
    assert "stop reason max_tokens" in out
    assert headway("errors", "refusal").out.startswith("stop reason refusal\n")


@pytest.mark.parametrize(
    ("query", "near"),
    [("overloded", "overloaded"), ("rate_limt", "rate_limit"), ("bilingerror", "billing_error")],
)
def test_what_is_unknown_gets_the_nearest(headway: Headway, query: str, near: str) -> None:
    ended = headway("errors", query)
    assert (ended.status, ended.out) == (1, "")
    assert near in ended.err
    found = json.loads(headway("errors", query, "--json").out)
    assert near in found["nearest"]
    assert found["kinds"] == []


def test_the_list_has_every_kind(headway: Headway) -> None:
    ended = headway("errors")
    assert ended.status == 0
    names = [line.split("\t")[0] for line in ended.out.splitlines()]
    assert names[: len(ErrorKind)] == [row.kind.value for row in TABLE]
    assert "max_tokens" in names
    everything = json.loads(headway("errors", "--json").out)
    assert [kind["kind"] for kind in everything["kinds"]] == [row.kind.value for row in TABLE]
    assert all(kind["headway"] and kind["you"] and kind["exception"] for kind in everything["kinds"])


def test_every_kind_type_and_code_is_found_by_its_name() -> None:
    for row in TABLE:
        assert look_up(row.kind.value).entries[0].row is row
        assert look_up(str(job_error(failure_of(row.kind, "so"), (), resumable=False))).entries
        for name in row.types:
            assert row in [entry.row for entry in look_up(name).entries]
        for status in row.statuses:
            assert look_up(str(status)).entries[0].row is row
        for pattern in row.patterns:
            assert look_up(pattern).entries[0].row is row
    for code in ERROR_CODES:
        found = look_up(code.name)
        assert found.code is code
        assert found.entries[0].row.kind is classify(ErrorResponse(code.status, error_code=code.name)).kind


@pytest.mark.parametrize("name", SDK_STATUSES)
def test_the_sdks_exceptions_are_known(name: str) -> None:
    cls = getattr(anthropic, name, None)
    if cls is None:
        pytest.skip("not in this SDK")
    request = httpx2.Request("POST", "https://api.anthropic.com/v1/messages")
    error = cls("text", response=httpx2.Response(SDK_STATUSES[name], request=request), body=None)
    assert (
        look_up(type(error).__name__).entries[0].row.kind is classify(ErrorResponse(error.status_code)).kind
    )


@given(st.text(max_size=80))
def test_no_text_breaks_it(text: str) -> None:
    found = look_up(text)
    assert isinstance(nearest(text), list)
    assert len(found.entries) <= len(TABLE)
