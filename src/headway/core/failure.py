"""From what was seen of a failed attempt to what it means: `classify` is the one place that reads the table.

Precedence: ``error_code`` is stable and names the cause, so it wins; then ``error.type``, because an error
inside a stream comes with status 200; then the status; then its class. Prose is read only where the API
gives nothing else (billing, context overflow, concurrency), and only under the type it comes with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from headway.core.error_kind import ROW, TABLE, ErrorKind, KindRow, Scope
from headway.core.image_limits import named_side
from headway.core.limits import NO_REPORT, LimitReport

_POINTING: Final = frozenset({ErrorKind.INVALID_REQUEST, ErrorKind.UNPROCESSABLE})
_PATH: Final = re.compile(r"([A-Za-z_]\w*(?:\.\w+)*): ")
"""How the API's complaints begin: ``messages.0.content.1.text: …``."""
_REGAIN: Final = re.compile(r"regain access on (\d{4}-\d{2}-\d{2}) at (\d{2}:\d{2}) UTC")
"""What a limit of one's own says: "You will regain access on 2026-12-01 at 00:00 UTC."."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt or a job failed, in values only: no exception, no request, no key."""

    kind: ErrorKind
    message: str
    """What the API or the transport said."""
    status: int | None = None
    """HTTP status; 200 for an error inside a stream."""
    type: str | None = None
    """``error.type`` of the response body."""
    error_code: str | None = None
    """``error.details.error_code`` of the response body."""
    request_id: str | None = None
    """The ``request-id`` header: quote it to Anthropic's support."""
    retry_after: float | None = None
    """Seconds the API asked to wait at least."""
    scope: Scope = Scope.JOB
    """Whom it concerns."""
    resumes_at: str | None = None
    """When the account works again (ISO 8601, UTC), where that is known: a monthly cap ends with the month."""
    side_limit: int | None = None
    """Pixels a side that the API takes, where it refused an image and said so."""

    @property
    def row(self) -> KindRow:
        """The table's row."""
        return ROW[self.kind]

    @property
    def maybe_billed(self) -> bool:
        """Whether what was done may be billed although nobody has the answer: by its kind, or because the answer had
        begun (an ``overloaded_error`` inside a stream is not one in its place)."""
        return self.row.maybe_billed or (self.status == 200 and not self.row.billed)

    @property
    def remedy(self) -> str:
        """What is left for the user to do."""
        field = self.field
        return self.row.remedy.replace("the field the message names", field) if field else self.row.remedy

    @property
    def field(self) -> str | None:
        """The path of the field that the API complained about, such as ``messages.0.content``."""
        if self.kind not in _POINTING or (found := _PATH.match(self.message)) is None:
            return None
        return found[1]

    @property
    def resumable(self) -> bool:
        """The job is good and may succeed later; with a journal it stays queued there."""
        return self.row.resumable or self.scope is not Scope.JOB

    def __str__(self) -> str:
        code = self.error_code or self.type
        facts = ", ".join(str(fact) for fact in (self.status, code, self.request_id) if fact)
        return f"{self.kind.value}{f' ({facts})' if facts else ''}: {self.message}"


def failure_of(kind: ErrorKind, message: str) -> Failure:
    """A failure that did not come as an HTTP response."""
    return Failure(kind, message, scope=ROW[kind].scope)


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """An error as the API sent it, already free of SDK types."""

    status: int
    type: str | None = None
    error_code: str | None = None
    message: str = ""
    request_id: str | None = None
    retry_after: float | None = None
    report: LimitReport = NO_REPORT
    side_limit: int | None = None
    """``error.details.max_side_length_pixels``."""


def classify(error: ErrorResponse) -> Failure:
    """The failure that an error response means. Never raises: what is unknown falls back to its class."""
    error = _tidy(error)
    row = ROW[_kind(error)]
    return Failure(
        row.kind,
        error.message or f"HTTP status {error.status}",
        error.status,
        error.type,
        error.error_code,
        error.request_id,
        error.retry_after,
        scope_of(row, error.error_code, error.message),
        _regained(error.message),
        (error.side_limit or named_side(error.message)) if row.kind is ErrorKind.IMAGE_TOO_LARGE else None,
    )


def scope_of(row: KindRow, error_code: str | None, message: str) -> Scope:
    """Whom a failure of this row concerns: by its code, without one by its message, else as the row says."""
    text = message.lower()
    for claim, scope in row.scopes:
        if claim == error_code or (error_code is None and claim in text):
            return scope
    return row.scope


def _regained(message: str) -> str | None:
    found = _REGAIN.search(message)
    return f"{found[1]}T{found[2]}:00Z" if found else None


def _tidy(error: ErrorResponse) -> ErrorResponse:
    """The SDK hands on ``error.type`` and ``error.message`` as the body has them: a gateway's may be any JSON."""
    message = _text(error.message)
    return replace(
        error,
        type=_text(error.type),
        error_code=_text(error.error_code),
        message=_shown(error.message) if message is None else message,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _shown(value: object) -> str:
    return "" if value is None else str(value)


def _kind(error: ErrorResponse) -> ErrorKind:
    if error.error_code and (kind := _by_code(error.error_code)):
        return kind
    if kind := _by_message(error):
        return kind
    by_status = next((row for row in TABLE if error.status in row.statuses), None)
    if by_status is not None and error.type in by_status.over:
        return by_status.kind
    if error.type and (kind := _by_type(error.type)):
        return kind
    if by_status is not None:
        return by_status.kind
    if error.status >= 500:
        return ErrorKind.API_ERROR
    # An error event inside a stream with a type nobody knows: the server's fault, not the request's.
    return ErrorKind.API_ERROR if error.status < 400 else ErrorKind.CLIENT_ERROR


def _by_code(code: str) -> ErrorKind | None:
    exact = (row.kind for row in TABLE if code in row.codes or code in row.also)
    prefix = (
        row.kind for row in TABLE for known in row.codes if known[-1] == "*" and code.startswith(known[:-1])
    )
    return next(exact, None) or next(prefix, None)


def _by_message(error: ErrorResponse) -> ErrorKind | None:
    text = error.message.lower()
    for row in TABLE:
        if (not row.within or error.type in row.within) and any(part in text for part in row.patterns):
            return row.kind
    return None


def _by_type(error_type: str) -> ErrorKind | None:
    return next((row.kind for row in TABLE if error_type in row.types or error_type in row.also), None)
