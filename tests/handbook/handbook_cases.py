"""One fixture per row of the table: what the API sends, and what has to come of it.

Bodies, headers and statuses are those of the API (docs "Errors" and "Rate limits", the SDK's error classes, and
reports of users). The expectations are written out here and not taken from the table under test.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from headway import (
    AuthenticationError,
    BillingError,
    ErrorKind,
    JobFailedError,
    RequestRejectedError,
    RetriesExhaustedError,
)
from headway.core.error_kind import Scope
from headway.testing.fake_api import FaultKind, FaultRule

K, F = ErrorKind, FaultKind
SCOPED = "profile" in set(Scope)
"""The decisions on scopes, on general types and on the nearest model have landed."""
scoped = pytest.mark.xfail(not SCOPED, strict=True, reason="waits for the scopes of failures")
STREAMED = 30_000
"""A max_tokens from which answers are streamed inside."""
PATIENCE = 90.0
"""Seconds of throttling that these tests allow a job at most; the default is an hour."""


@dataclass(frozen=True)
class Case:
    """One failure that lasts."""

    name: str
    rule: FaultRule
    kind: ErrorKind
    error: type[JobFailedError] = RequestRejectedError
    sends: int = 1
    """Requests for one job while it lasts; 0: bounded by time."""
    said: str = ""
    """What the API said, and the error has to repeat."""
    scope: str = "job"
    waits: tuple[tuple[float, float], ...] = ()
    """Least and most seconds between one attempt and the next."""
    streamed: bool = False
    waits_for: tuple[pytest.MarkDecorator, ...] = ()
    request_id: bool = True
    """The answer has a request id (a gateway's page has none)."""

    @property
    def patience(self) -> float:
        """Seconds for which it may be refused: room for two waits with Retry-After, for many probes without."""
        return PATIENCE if self.waits else PATIENCE / 3


def api(status: int, *, code: str | None = None, message: str | None = None, **more: object) -> FaultRule:
    """An error in the API's own form; without a message the usual one of the status."""
    return FaultRule(F.STATUS, status=status, error_code=code, message=message, **more)  # type: ignore[arg-type]


def body(status: int, error_type: str, message: str, **details: object) -> FaultRule:
    """An error whose details hold more than a code."""
    error = {"type": error_type, "message": message, "details": details}
    whole = {"type": "error", "error": error, "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy"}
    return FaultRule(F.STATUS, status=status, body=json.dumps(whole), html=False)


def page(status: int) -> FaultRule:
    """A gateway's HTML."""
    return FaultRule(F.STATUS, status=status, html=True)


def doubling(base: float, cap: float, times: int) -> tuple[tuple[float, float], ...]:
    """Full jitter: anything up to the ceiling."""
    return tuple((0.0, min(cap, base * 2**n)) for n in range(times))


STEPS = tuple((step / 2, step) for step in (3.0, 10.0, 30.0, 60.0, 120.0))
_CREDIT = (
    "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or "
    "purchase credits."
)
_OWN_LIMIT = (
    "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."
)
_SUM = (
    "input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000, decrease input length or "
    "`max_tokens` and try again"
)
_PREFILL = (
    "This model does not support assistant message prefill. The conversation must end with a user message."
)
_SIGNATURE = (
    "messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different conversation. "
    'Remove the block, or set `thinking.block_binding.prefix_mismatch_behavior` to "drop_block".'
)
_MODIFIED = (
    "messages.1.content.0: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be "
    "modified. These blocks must remain as they were in the original response."
)
_CONCURRENT = (
    "Number of concurrent connections has exceeded your rate limit. Please try again later or contact sales at "
    "https://www.anthropic.com/contact-sales to discuss your options for a rate limit increase."
)
R, X = RequestRejectedError, RetriesExhaustedError

REFUSED = (
    Case("400", api(400, message="messages: Field required"), K.INVALID_REQUEST, said="messages: Field required"),
    Case("400 prefill", api(400, message=_PREFILL), K.INVALID_REQUEST, said="prefill"),
    Case("400 unknown code", api(400, code="a_code_of_next_year"), K.INVALID_REQUEST),
    Case("400 too long", api(400, message="prompt is too long: 210034 tokens > 200000 maximum"),
        K.CONTEXT_OVERFLOW, said="210034 tokens > 200000"),
    Case("400 sum too long", api(400, message=_SUM), K.CONTEXT_OVERFLOW, said="178959 + 64000 > 200000"),
    Case("400 too long elsewhere", api(400, error_type="context_length_exceeded", message="too many tokens"),
        K.CONTEXT_OVERFLOW, said="too many tokens"),
    Case("400 image", body(400, "invalid_request_error", "messages.0.content.1.image.source.base64: At least one "
        "of the image dimensions exceed max allowed size: 8000 pixels", error_code="image_dimensions_too_large",
        max_side_length_pixels=8000, paths=["messages.0.content.1"]), K.IMAGE_TOO_LARGE, said="8000 pixels"),
    Case("400 many images", api(400, message="messages.3.content.0.image.source.base64.data: At least one of the "
        "image dimensions exceed max allowed size for many-image requests: 2000 pixels"), K.IMAGE_TOO_LARGE,
        said="2000 pixels"),
    Case("400 thinking", api(400, message=_SIGNATURE), K.THINKING_REFUSED, said="Invalid `signature`"),
    Case("400 thinking changed", api(400, message=_MODIFIED), K.THINKING_REFUSED, said="cannot be modified"),
    Case("403", api(403), K.PERMISSION),
    Case("404 resource", api(404, message="file_011CNha8iCJcU1wXNR6q4V8w not found"), K.NOT_FOUND, said="file_011"),
    Case("404 thread", api(404, code="thread_not_found"), K.NOT_FOUND),
    Case("409 final", api(409, code="skill_read_blocked_undecryptable"), K.CONFLICT_FINAL),
    Case("413", body(413, "request_too_large", "Request exceeds the maximum size"), K.REQUEST_TOO_LARGE),
    Case("413 decoded", api(413, code="request_body_too_large_after_decoding"), K.REQUEST_TOO_LARGE),
    Case("413 of the gateway", page(413), K.REQUEST_TOO_LARGE, request_id=False),
    Case("422", api(422, error_type="unprocessable_entity", message="temperature: must be a number"),
        K.UNPROCESSABLE, said="temperature"),
    Case("418", api(418, error_type="teapot_error", message="short and stout"), K.CLIENT_ERROR, said="stout"),
)  # fmt: skip
ACCOUNT = (
    Case("401", api(401, message="invalid x-api-key"), K.AUTHENTICATION, AuthenticationError, scope="account"),
    Case("402", api(402), K.BILLING, BillingError, scope="account"),
    Case("402 linked", api(402, code="linked_organization_spend_limit_reached"), K.BILLING, BillingError,
        scope="account"),
    Case("400 credit", api(400, message=_CREDIT), K.BILLING, BillingError, said="too low", scope="account"),
    Case("400 own limit", api(400, message=_OWN_LIMIT), K.BILLING, BillingError, said="2026-12-01",
        scope="account"),
    Case("429 monthly cap", api(429, code="enforced_spend_limit_reached"), K.BILLING, BillingError,
        scope="account"),
    Case("429 contract", api(429, code="contract_spend_limit_reached"), K.BILLING, BillingError,
        scope="account"),
    Case("400 on hold", body(400, "invalid_request_error", "This organization has been disabled.",
        error_code="organization_on_hold", appeal_url="https://example.com/appeal"), K.ACCOUNT_HOLD,
        BillingError, said="disabled", scope="account"),
    Case("400 key disabled", api(400, code="cmek_key_disabled"), K.ACCOUNT_HOLD, BillingError, scope="account"),
)  # fmt: skip
RETRIED = (
    Case("408", api(408), K.REQUEST_TIMEOUT, X, 5, waits=doubling(0.5, 30, 4), waits_for=(scoped,)),
    Case("409", api(409), K.CONFLICT, X, 5, waits=doubling(0.5, 30, 4)),
    Case("500", api(500), K.API_ERROR, X, 3, said="Internal server error", waits=doubling(1, 30, 2)),
    Case("599", api(599, error_type="quantum_error"), K.API_ERROR, X, 3, waits=doubling(1, 30, 2)),
    Case("502", page(502), K.BAD_GATEWAY, X, 6, waits=STEPS, request_id=False),
    Case("520", page(520), K.BAD_GATEWAY, X, 6, waits=STEPS, request_id=False),
    Case("503", page(503), K.UNAVAILABLE, X, 6, waits=doubling(2, 120, 5), request_id=False),
    Case("503 elsewhere", api(503, error_type="service_unavailable", message="come back", html=False),
        K.UNAVAILABLE, X, 6,
        said="come back", waits=doubling(2, 120, 5)),
    Case("503 key", api(503, code="cmek_key_unreachable"), K.UNAVAILABLE, X, 6, waits=doubling(2, 120, 5)),
    Case("504", api(504), K.SERVER_TIMEOUT, X, 4, said="Consider streaming", waits=doubling(1, 30, 3)),
    Case("reset", FaultRule(F.RESET, how="rst"), K.DISCONNECTED, X, 5, waits=doubling(0.5, 30, 4),
        request_id=False),
    Case("cut", FaultRule(F.BODY_CUT), K.DISCONNECTED, X, 5, waits=doubling(0.5, 30, 4), request_id=False),
    Case("200 html", FaultRule(F.BODY_HTML), K.MALFORMED, X, 4, waits=doubling(1, 30, 3)),
    Case("200 garbled", FaultRule(F.BODY_MALFORMED), K.MALFORMED, X, 4, waits=doubling(1, 30, 3)),
    Case("200 of Nones", FaultRule(F.BODY_SHAPE), K.MALFORMED, X, 4, waits=doubling(1, 30, 3)),
    Case("stream ends", FaultRule(F.STREAM_EOF), K.STREAM_CUT, X, 5, streamed=True,
        waits=doubling(0.5, 30, 4)),
    Case("stream breaks", FaultRule(F.STREAM_CUT), K.DISCONNECTED, X, 5, streamed=True,
        waits=doubling(0.5, 30, 4)),
    Case("error in stream", FaultRule(F.STREAM_ERROR, error_type="api_error", message="Internal server error"),
        K.API_ERROR, X, 3, said="Internal server error", streamed=True, waits=doubling(1, 30, 2)),
    Case("stream of no JSON", FaultRule(F.STREAM_BAD_JSON), K.MALFORMED, X, 4, streamed=True,
        waits=doubling(1, 30, 3)),
)  # fmt: skip
THROTTLED = (
    Case("429", api(429, retry_after="30"), K.RATE_LIMIT, X, 0, said="rate limit", waits=((30.0, PATIENCE),)),
    Case("429 ramp", api(429, code="ramp_limit_exceeded", retry_after="20"), K.RAMP_LIMIT, X, 0,
        waits=((20.0, PATIENCE),)),
    Case("429 connections", api(429, message=_CONCURRENT, headers={"anthropic-ratelimit-requests-limit": None}),
        K.CONCURRENCY_LIMIT, X, 0, said="concurrent connections"),
    Case("529", api(529), K.OVERLOADED, X, 0, said="Overloaded"),
    Case("529 compaction", api(529, code="compaction_unavailable"), K.OVERLOADED, X, 0),
    Case("529 in stream", FaultRule(F.STREAM_ERROR), K.OVERLOADED, X, 0, said="Overloaded", streamed=True),
)  # fmt: skip
CASES = (*REFUSED, *ACCOUNT, *RETRIED, *THROTTLED)
ELSEWHERE = {
    "spend_cap": "runtime/test_spend_cap.py",
    "misfit": "integration/http/test_misfit_http.py",
    "profile": "test_handbook_scopes.py",
    "stale_token": "integration/http/test_decisions_http.py",
    "stream_stall": "integration/http/test_stream_http.py",
    "stream_interrupted": "integration/http/test_stream_http.py",
    "connection": "test_handbook_connections.py",
    "pool_timeout": "test_handbook_connections.py",
    "attempt_timeout": "test_handbook_connections.py",
    "deadline": "test_handbook_connections.py",
    "stopped": "test_handbook_connections.py",
    "journal": "adapters/test_sqlite_disk.py",
    **dict.fromkeys(("batch_expired", "batch_cancelled", "batch_lost"), "runtime/test_batch_lane.py"),
    "internal": "runtime/test_never_hangs.py",
}
"""Kinds that need more than one answer of the API, and where they are shown."""
