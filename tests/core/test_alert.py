"""An alert says what stopped and what to do, and nothing that is private."""

from __future__ import annotations

import json
from dataclasses import replace

from headway.core.alert import Alert
from headway.core.error_kind import ErrorKind, Scope
from headway.core.failure import ErrorResponse, classify, failure_of
from headway.core.scopes import ACCOUNT, DeadScope


def test_billing() -> None:
    failure = replace(
        classify(ErrorResponse(402, "billing_error", None, "no\ncredit.", "req_1")), resumes_at="2026-12-01T00:00:00Z"
    )  # fmt: skip
    alert = Alert(ACCOUNT, failure, 1200)
    assert alert.text.startswith(
        "headway stopped sending: billing (402, billing_error, req_1): no credit. 1,200 queued jobs end resumably. "
        "Add credit"
    )
    body = json.loads(json.dumps(alert.as_json()))
    assert body["text"] == alert.text
    assert (body["kind"], body["scope"], body["name"], body["jobs"]) == ("billing", "account", "", 1200)
    assert (body["status"], body["request_id"]) == (402, "req_1")
    assert body["resumes_at"] == "2026-12-01T00:00:00Z"
    assert "scheduler.resume()" in body["remedy"]


def test_a_model() -> None:
    failure = classify(ErrorResponse(404, "not_found_error", None, "model: m"))
    alert = Alert(DeadScope(Scope.MODEL, "m"), failure, 0)
    assert alert.text.startswith("headway stopped sending to model m: not_found")
    assert "queued" not in alert.text


def test_a_fault_of_our_own_quotes_nothing() -> None:
    alert = Alert(ACCOUNT, failure_of(ErrorKind.INTERNAL, "KeyError: 'the secret prompt'"), 3)
    assert "secret" not in alert.text + json.dumps(alert.as_json())
    assert alert.as_json()["message"] == "KeyError"
