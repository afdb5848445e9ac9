"""`classify`: every status, type and code of the API's error pages, and what no page mentions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.error_kind import ErrorKind, Scope
from headway.core.failure import ErrorResponse, Failure, classify, failure_of

K = ErrorKind
INVALID = "invalid_request_error"


def kind(status: int, type: str | None = None, code: str | None = None, message: str = "") -> ErrorKind:  # noqa: A002
    return classify(ErrorResponse(status, type, code, message)).kind


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, K.INVALID_REQUEST),
        (401, K.AUTHENTICATION),
        (402, K.BILLING),
        (403, K.PERMISSION),
        (404, K.NOT_FOUND),
        (408, K.REQUEST_TIMEOUT),
        (409, K.CONFLICT),
        (412, K.CLIENT_ERROR),
        (413, K.REQUEST_TOO_LARGE),
        (418, K.CLIENT_ERROR),
        (422, K.UNPROCESSABLE),
        (429, K.RATE_LIMIT),
        (431, K.CLIENT_ERROR),
        (499, K.CLIENT_ERROR),
        (500, K.API_ERROR),
        (501, K.API_ERROR),
        (502, K.BAD_GATEWAY),
        (503, K.UNAVAILABLE),
        (504, K.SERVER_TIMEOUT),
        *((status, K.BAD_GATEWAY) for status in (520, 521, 522, 523, 524)),
        (529, K.OVERLOADED),
        (530, K.API_ERROR),
        (599, K.API_ERROR),
        (200, K.API_ERROR),
        (302, K.API_ERROR),
        (0, K.API_ERROR),
    ],
)
def test_status_alone(status: int, expected: ErrorKind) -> None:
    """A gateway's HTML has neither type nor code: the status is all there is."""
    failure = classify(ErrorResponse(status))
    assert failure.kind is expected
    assert str(status) in failure.message


TYPES = {
    INVALID: K.INVALID_REQUEST,
    "authentication_error": K.AUTHENTICATION,
    "billing_error": K.BILLING,
    "permission_error": K.PERMISSION,
    "not_found_error": K.NOT_FOUND,
    "conflict_error": K.CONFLICT,
    "request_too_large": K.REQUEST_TOO_LARGE,
    "rate_limit_error": K.RATE_LIMIT,
    "api_error": K.API_ERROR,
    "timeout_error": K.SERVER_TIMEOUT,
    "overloaded_error": K.OVERLOADED,
}


@pytest.mark.parametrize("status", [200, 400, 500, 529, 599])
@pytest.mark.parametrize(("type", "expected"), TYPES.items())
def test_type_wins_over_status(type: str, expected: ErrorKind, status: int) -> None:  # noqa: A002
    """An error inside a stream has status 200."""
    assert kind(status, type) is expected


def test_unknown_type_falls_back_to_the_status() -> None:
    assert kind(529, "brand_new_error") is K.OVERLOADED
    assert kind(404, "brand_new_error") is K.NOT_FOUND
    assert kind(200, "brand_new_error") is K.API_ERROR


CODES = {
    "available_tools_limit_exceeded": (400, K.INVALID_REQUEST),
    "tool_name_conflict": (400, K.INVALID_REQUEST),
    "tool_reference_unresolved": (400, K.INVALID_REQUEST),
    "user_profile_required": (400, K.INVALID_REQUEST),
    "organization_on_hold": (400, K.ACCOUNT_HOLD),
    "claude_code_key_creator_not_member": (400, K.INVALID_REQUEST),
    "claude_code_version_too_old": (400, K.INVALID_REQUEST),
    "request_body_encoding_invalid": (400, K.INVALID_REQUEST),
    "request_body_encoding_unsupported": (400, K.INVALID_REQUEST),
    "request_body_timeout": (400, K.REQUEST_TIMEOUT),
    "user_profile_not_found": (400, K.PROFILE),
    "file_expired": (404, K.NOT_FOUND),
    "image_dimensions_too_large": (400, K.IMAGE_TOO_LARGE),
    "cmek_key_disabled": (400, K.ACCOUNT_HOLD),
    "cmek_key_network_blocked": (400, K.ACCOUNT_HOLD),
    "compaction_block_ambiguous": (400, K.INVALID_REQUEST),
    "compaction_block_misplaced": (400, K.INVALID_REQUEST),
    "compaction_content_mismatch": (400, K.INVALID_REQUEST),
    "compaction_incomplete_turn": (400, K.INVALID_REQUEST),
    "compaction_nothing_to_summarize": (400, K.INVALID_REQUEST),
    "compaction_signature_invalid": (400, K.INVALID_REQUEST),
    "compaction_too_many_tool_references": (400, K.INVALID_REQUEST),
    "compaction_tool_changes_mismatch": (400, K.INVALID_REQUEST),
    "thread_already_continued": (400, K.INVALID_REQUEST),
    "thread_continue_in_flight": (400, K.INVALID_REQUEST),
    "thread_fingerprint_mismatch": (400, K.INVALID_REQUEST),
    "thread_unsupported_request": (400, K.INVALID_REQUEST),
    "linked_organization_billing_unavailable": (402, K.BILLING),
    "linked_organization_spend_limit_reached": (402, K.BILLING),
    "user_profile_billing_not_authorized": (403, K.PROFILE),
    "user_profile_not_billable": (403, K.PROFILE),
    "sandbox_egress_restricted": (403, K.PROFILE),
    "thread_not_found": (404, K.NOT_FOUND),
    "skill_read_blocked_undecryptable": (409, K.CONFLICT_FINAL),
    "request_body_too_large_after_decoding": (413, K.REQUEST_TOO_LARGE),
    "enforced_spend_limit_reached": (429, K.BILLING),
    "contract_spend_limit_reached": (429, K.BILLING),
    "ramp_limit_exceeded": (429, K.RAMP_LIMIT),
    "cmek_key_unreachable": (503, K.UNAVAILABLE),
    "cmek_context_unavailable": (503, K.UNAVAILABLE),
    "compaction_unavailable": (529, K.OVERLOADED),
}


@pytest.mark.parametrize("type", [None, "api_error", "rate_limit_error", "no_such_type"])
@pytest.mark.parametrize(("code", "told"), CODES.items())
def test_code_wins_over_type_and_status(code: str, told: tuple[int, ErrorKind], type: str | None) -> None:  # noqa: A002
    status, expected = told
    assert kind(status, type, code) is expected
    assert kind(200, type, code) is expected


@pytest.mark.parametrize("code", ["storage_quota_exceeded", "no_such_code", "", "*", "thread", "xthread_x"])
def test_unknown_code_is_the_bare_type(code: str) -> None:
    assert kind(429, "rate_limit_error", code) is K.RATE_LIMIT


def test_codes_that_look_alike_differ_in_being_final() -> None:
    """409 is retried, this 409 is not; 529 is the breaker's matter, a compaction's 400 is not."""
    assert failure_of(kind(409, "conflict_error"), "").row.attempts > 1
    assert failure_of(kind(409, "conflict_error", "skill_read_blocked_undecryptable"), "").row.attempts == 1
    assert kind(529, "overloaded_error", "compaction_unavailable") is K.OVERLOADED
    assert kind(400, INVALID, "compaction_unknown_yet") is K.INVALID_REQUEST


@pytest.mark.parametrize(
    "error",
    [
        ErrorResponse(402),
        ErrorResponse(402, "billing_error"),
        ErrorResponse(200, "billing_error"),
        ErrorResponse(429, "rate_limit_error", "enforced_spend_limit_reached"),
        ErrorResponse(429, "rate_limit_error", "contract_spend_limit_reached"),
        ErrorResponse(
            400, INVALID, None, "You have reached your specified API usage limits. You will regain …"
        ),
        ErrorResponse(400, INVALID, None, "You have reached your specified workspace API usage limits."),
        ErrorResponse(
            400, INVALID, None, "Your credit balance is too low to access the Anthropic API. Please go to …"
        ),
    ],
)
def test_billing_is_noticed_in_all_its_forms(error: ErrorResponse) -> None:
    failure = classify(error)
    workspace = "specified workspace" in error.message
    scope = Scope.WORKSPACE if workspace else Scope.ACCOUNT
    assert (failure.kind, failure.scope, failure.resumable) == (K.BILLING, scope, True)
    assert failure.row.attempts == 1
    assert not failure.row.throttle


PATTERNS = [
    (INVALID, "prompt is too long: 250000 tokens > 200000 maximum", K.CONTEXT_OVERFLOW),
    (
        INVALID,
        "input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000",
        K.CONTEXT_OVERFLOW,
    ),
    (INVALID, "At least one image exceeds the limit for many-image requests: 2000 pixels", K.IMAGE_TOO_LARGE),
    (INVALID, "Your credit balance is too low to access the Anthropic API.", K.BILLING),
    (INVALID, "You have reached your specified API usage limits.", K.BILLING),
    (
        "rate_limit_error",
        "Number of concurrent connections has exceeded your rate limit",
        K.CONCURRENCY_LIMIT,
    ),
]


@pytest.mark.parametrize(("type", "message", "expected"), PATTERNS)
def test_prose_counts_only_under_its_type(type: str, message: str, expected: ErrorKind) -> None:  # noqa: A002
    assert kind(400, type, None, message) is expected
    assert kind(400, type, None, message.upper()) is expected
    for other, own in TYPES.items():
        if other != type:
            assert kind(400, other, None, message) is own
    assert kind(500, None, None, message) is K.API_ERROR


def test_a_model_named_after_an_error_stops_only_itself() -> None:
    """A 404 quotes the model's name: the account must not stop because of what a caller wrote."""
    failure = classify(ErrorResponse(404, "not_found_error", None, "model: your credit balance is too low"))
    assert (failure.kind, failure.scope) == (K.NOT_FOUND, Scope.MODEL)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ErrorResponse(404, "not_found_error", None, "model: claude-9"), Scope.MODEL),
        (ErrorResponse(404, "not_found_error", None, "Not Found"), Scope.JOB),
        (ErrorResponse(404, "not_found_error", None, "File not found: file_011"), Scope.JOB),
        (ErrorResponse(404, "not_found_error", "thread_not_found", "thread for model: x"), Scope.JOB),
        (ErrorResponse(404, "not_found_error", "file_expired", "gone"), Scope.JOB),
        (ErrorResponse(403, "permission_error", "user_profile_billing_not_authorized"), Scope.PROFILE),
        (ErrorResponse(403, "permission_error", "user_profile_not_billable"), Scope.PROFILE),
        (ErrorResponse(400, INVALID, "user_profile_not_found"), Scope.PROFILE),
        (ErrorResponse(400, INVALID, "user_profile_required"), Scope.JOB),
        (ErrorResponse(403, "permission_error", "sandbox_egress_restricted"), Scope.JOB),
        (ErrorResponse(403, "permission_error"), Scope.JOB),
        (ErrorResponse(401, "authentication_error"), Scope.ACCOUNT),
        (ErrorResponse(400, INVALID, "organization_on_hold"), Scope.ACCOUNT),
        (ErrorResponse(400, INVALID, "cmek_key_disabled"), Scope.ACCOUNT),
        (ErrorResponse(503, "api_error", "cmek_key_unreachable"), Scope.JOB),
        (ErrorResponse(402, "billing_error", "linked_organization_spend_limit_reached"), Scope.ACCOUNT),
        (ErrorResponse(529, "overloaded_error"), Scope.JOB),
    ],
)
def test_whom_it_concerns(error: ErrorResponse, expected: Scope) -> None:
    failure = classify(error)
    assert failure.scope is expected
    assert failure.resumable or expected is Scope.JOB, "what stops others can be resumed"


@pytest.mark.parametrize(
    ("status", "type", "expected"),
    [
        (502, "api_error", K.BAD_GATEWAY),
        (503, "api_error", K.UNAVAILABLE),
        (504, "api_error", K.SERVER_TIMEOUT),
        (408, "timeout_error", K.REQUEST_TIMEOUT),
        (413, INVALID, K.REQUEST_TOO_LARGE),
        (422, INVALID, K.UNPROCESSABLE),
        (504, "timeout_error", K.SERVER_TIMEOUT),
        (500, "timeout_error", K.SERVER_TIMEOUT),
        (200, "api_error", K.API_ERROR),
    ],
)
def test_a_status_says_more_than_a_general_type(status: int, type: str, expected: ErrorKind) -> None:  # noqa: A002
    assert kind(status, type) is expected


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("messages.0.content.1.text: Field required", "messages.0.content.1.text"),
        ("max_tokens: Input should be a valid integer", "max_tokens"),
        ("tools.3.custom.name: String should match pattern", "tools.3.custom.name"),
        ("This model does not support assistant message prefill.", None),
        ("http://x: no", None),
        ("", None),
    ],
)
def test_a_complaint_points_at_its_field(message: str, field: str | None) -> None:
    for status in (400, 422):
        failure = classify(ErrorResponse(status, INVALID, None, message))
        assert failure.field == field
        assert failure.remedy == f"Correct {field or 'the field the message names'}."
    assert classify(ErrorResponse(500, "api_error", None, message)).field is None


def test_a_limit_of_ones_own_says_when_it_ends() -> None:
    text = (
        "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."
    )
    assert classify(ErrorResponse(400, INVALID, None, text)).resumes_at == "2026-12-01T00:00:00Z"
    assert classify(ErrorResponse(400, INVALID, None, "credit balance is too low")).resumes_at is None


def test_code_wins_over_prose() -> None:
    assert kind(400, INVALID, "image_dimensions_too_large", "prompt is too long") is K.IMAGE_TOO_LARGE


def test_html_of_a_gateway_is_judged_by_its_status() -> None:
    page = "<html><head><title>502 Bad Gateway</title></head><body>prompt is too long</body></html>"
    assert kind(502, None, None, page) is K.BAD_GATEWAY
    assert kind(413, None, None, "<html><center>413 Request Entity Too Large</center></html>") is (
        K.REQUEST_TOO_LARGE
    )


def test_facts_are_kept() -> None:
    failure = classify(ErrorResponse(429, "rate_limit_error", "ramp_limit_exceeded", "slower", "req_1", 7.5))
    assert failure == Failure(
        K.RAMP_LIMIT, "slower", 429, "rate_limit_error", "ramp_limit_exceeded", "req_1", 7.5, Scope.JOB
    )
    assert str(failure) == "ramp_limit (429, ramp_limit_exceeded, req_1): slower"
    assert str(failure_of(K.CONNECTION, "refused")) == "connection: refused"


ANY = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
ANY |= st.lists(st.text(), max_size=2) | st.dictionaries(st.text(), st.integers(), max_size=2)
WORDS = st.sampled_from([*TYPES, *CODES, *(message for _, message, _ in PATTERNS)])


@given(st.integers() | st.sampled_from([400, 429, 500]), ANY | WORDS, ANY | WORDS, ANY | WORDS)
def test_never_raises(status: int, type: object, code: object, message: object) -> None:  # noqa: A002
    """The SDK hands on what the body has: a gateway may put an object where the API puts a string."""
    failure = classify(ErrorResponse(status, type, code, message))  # type: ignore[arg-type]
    assert isinstance(failure.kind, ErrorKind)
    assert isinstance(failure.message, str)
    assert failure.message
    assert all(value is None or isinstance(value, str) for value in (failure.type, failure.error_code))
    assert failure.scope in {failure.row.scope, *(scope for _, scope in failure.row.scopes)}
    assert str(failure)


def test_an_object_for_a_message_is_shown() -> None:
    failure = classify(ErrorResponse(422, None, None, [{"loc": ["body"]}]))  # type: ignore[arg-type]
    assert (failure.kind, failure.message) == (K.UNPROCESSABLE, "[{'loc': ['body']}]")


def test_every_error_the_sdk_documents_has_its_code_here() -> None:
    """When the SDK's list of what ``messages.create`` raises grows, this names the code to look at."""
    from anthropic._error_classes import ERROR_CLASSES
    from anthropic.resources.messages import messages

    listed = set(re.findall(r"^ {10}(\w+Error):$", Path(messages.__file__).read_text(), re.MULTILINE))
    codes = {cls.__name__: code for (_, code), cls in ERROR_CLASSES.items() if code}
    documented = {codes[name] for name in listed if name in codes}
    assert len(documented) > 30
    assert documented <= set(CODES)


@pytest.mark.parametrize(
    ("kind", "status", "billed"),
    [
        (ErrorKind.OVERLOADED, 529, False),
        (ErrorKind.OVERLOADED, 200, True),
        (ErrorKind.UNAVAILABLE, 503, False),
        (ErrorKind.UNAVAILABLE, 200, True),
        (ErrorKind.API_ERROR, 500, True),
        (ErrorKind.CONNECTION, None, False),
        (ErrorKind.MISFIT, 200, False),
    ],
)
def test_an_error_inside_an_answer_that_had_begun_may_be_billed(
    kind: ErrorKind, status: int | None, billed: bool
) -> None:
    assert Failure(kind, "no", status).maybe_billed is billed, "that of a misfit is known, not feared"
