"""The table of kinds agrees with itself, and failures cross process boundaries whole."""

from __future__ import annotations

import copy
import pickle
from collections import Counter

import pytest

from headway import errors
from headway.core.error_kind import ROW, TABLE, ErrorKind, KindRow, Scope
from headway.core.failure import ErrorResponse, Failure, classify, failure_of
from headway.core.job import Attempt, TransitionError
from headway.core.request import RequestError


def test_every_kind_has_exactly_one_row() -> None:
    assert Counter(row.kind for row in TABLE) == Counter(ErrorKind)
    assert all(ROW[kind].kind is kind for kind in ErrorKind)


@pytest.mark.parametrize("column", ["statuses", "types", "also", "codes", "patterns"])
def test_no_two_rows_claim_the_same(column: str) -> None:
    claims = Counter(claim for row in TABLE for claim in getattr(row, column))
    assert claims
    assert max(claims.values()) == 1


def test_no_prefix_hides_another() -> None:
    prefixes = [code[:-1] for row in TABLE for code in row.codes if code.endswith("*")]
    assert prefixes
    assert not [(a, b) for a in prefixes for b in prefixes if a != b and a.startswith(b)]
    assert all(code.count("*") == code.endswith("*") for row in TABLE for code in row.codes)


def test_patterns_are_lower_case_and_bound_to_a_known_type() -> None:
    known = {name for row in TABLE for name in row.types}
    for row in TABLE:
        assert all(pattern == pattern.lower() for pattern in row.patterns)
        assert set(row.within) <= known
        assert bool(row.patterns) == bool(row.within)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.kind.value)
def test_rows_make_sense(row: KindRow) -> None:
    assert row.meaning.endswith(".")
    assert row.remedy.endswith((".", "twice."))
    assert row.attempts >= 1
    assert not (row.throttle and row.attempts > 1), "throttling is bounded by time"
    assert not (row.throttle and row.maybe_billed), "a refusal before any work costs nothing"
    if row.scope is Scope.ACCOUNT:
        assert row.attempts == 1
        assert row.resumable, "the account stops, the jobs are good"
    if row.throttle:
        assert row.resumable
    assert not row.streams or row.attempts > 1, "there is a next attempt"
    for claim, scope in row.scopes:
        assert scope is not row.scope
        assert row.attempts == 1
        assert claim in row.codes or claim == claim.lower()
    for name in row.over:
        assert row.statuses, "statuses win over a type, not the row"
        assert any(name in other.types for other in TABLE if other is not row)
    steps = row.backoff.schedule
    assert list(steps) == sorted(steps)
    assert 0 < row.backoff.base <= row.backoff.cap


def test_every_claim_leads_to_its_row() -> None:
    for row in TABLE:
        for status in row.statuses:
            assert classify(ErrorResponse(status)).kind is row.kind
        for name in row.types:
            assert classify(ErrorResponse(200, name)).kind is row.kind
        for name in row.also:
            assert (
                classify(ErrorResponse(400, name)).kind
                is classify(ErrorResponse(400, None, name)).kind
                is row.kind
            )
        for code in row.codes:
            assert classify(ErrorResponse(200, None, code.replace("*", "x"))).kind is row.kind
        for pattern in row.patterns:
            for name in row.within:
                assert classify(ErrorResponse(200, name, None, f"x {pattern} y")).kind is row.kind


FULL = Failure(
    ErrorKind.BILLING, "no credit ✗", 429, "rate_limit_error", "code", "req_9", 1.5, Scope.ACCOUNT
)  # fmt: skip
ATTEMPTS = (Attempt(1, 0.5, 2.0, FULL, "req_9"), Attempt(2, 3.0))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_failure_pickles(protocol: int) -> None:
    assert pickle.loads(pickle.dumps(FULL, protocol)) == FULL
    assert pickle.loads(pickle.dumps(ATTEMPTS, protocol)) == ATTEMPTS


@pytest.mark.parametrize("again", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
@pytest.mark.parametrize("kind", ErrorKind)
def test_job_errors_cross_process_boundaries(kind: ErrorKind, again) -> None:  # type: ignore[no-untyped-def]
    for resumable in (True, False):
        error = errors.job_error(failure_of(kind, "why"), ATTEMPTS, resumable=resumable)
        twin = again(error)
        assert type(twin) is type(error)
        assert (twin.failure, twin.attempts, twin.resumable) == (error.failure, ATTEMPTS, resumable)
        assert str(twin) == str(error)


def test_other_errors_cross_process_boundaries() -> None:
    full = pickle.loads(pickle.dumps(errors.QueueFullError(10, 2.25)))
    assert (full.queued, full.retry_after) == (10, 2.25)
    assert "10 jobs" in str(full)
    assert "2.2 s" in str(full)
    refused = pickle.loads(pickle.dumps(RequestError("model", "missing")))
    assert (refused.field, refused.problem, str(refused)) == ("model", "missing", "model: missing")
    for plain in (
        errors.SchedulerClosedError, errors.JournalError, errors.JournalLockedError,
        errors.JournalMismatchError, errors.JournalDamagedError, errors.JobCancelledError, TransitionError,
    ):  # fmt: skip
        twin = pickle.loads(pickle.dumps(plain("text")))
        assert (type(twin), str(twin)) == (plain, "text")


@pytest.mark.parametrize("kind", ErrorKind)
def test_the_text_says_what_and_what_to_do(kind: ErrorKind) -> None:
    text = str(errors.job_error(failure_of(kind, "just so"), ATTEMPTS, resumable=False))
    assert text == f"{kind.value}: just so after 2 attempts. {ROW[kind].remedy}"


def test_a_single_attempt_is_not_counted_aloud() -> None:
    error = errors.JobFailedError(failure_of(ErrorKind.NOT_FOUND, "no such model"), ATTEMPTS[:1])
    assert "attempts" not in str(error)
    assert not error.resumable
    assert errors.JobFailedError(FULL).resumable, "as the failure says, unless told otherwise"
    assert not errors.JobFailedError(FULL, (), resumable=False).resumable


E = errors
CLASSES = {
    E.AuthenticationError: {"authentication"},
    E.BillingError: {"billing", "spend_cap", "account_hold"},
    E.JobExpiredError: {"deadline"},
    E.StoppedError: {"stopped", "journal", "batch_cancelled"},
    E.JobFailedError: {"internal", "batch_lost"},
    E.StreamInterruptedError: {"stream_interrupted"},
    E.RequestRejectedError: {
        "invalid_request", "context_overflow", "image_too_large", "thinking_refused", "permission", "profile",
        "not_found",
        "conflict_final", "request_too_large", "unprocessable", "client_error",
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", ErrorKind)
def test_class_by_kind(kind: ErrorKind) -> None:
    told = [cls for cls, kinds in CLASSES.items() if kind.value in kinds] or [E.RetriesExhaustedError]
    error = errors.job_error(failure_of(kind, ""), (), resumable=False)
    assert [type(error)] == told
    row = ROW[kind]
    assert isinstance(error, E.RetriesExhaustedError) == (row.attempts > 1 or row.throttle)
