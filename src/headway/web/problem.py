"""What a client is told of an error: a status, a kind and a fixed sentence. Never what the API said or the
request held: that may quote prompts, and the client is not always who wrote them (a system prompt)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from headway.core.error_kind import ErrorKind
from headway.core.request import RequestError
from headway.errors import (
    JobCancelledError,
    JobExpiredError,
    JobFailedError,
    QueueFullError,
    RequestRejectedError,
    SchedulerClosedError,
    StoppedError,
)

CLIENT_LEFT: Final = 499
"""nginx's status for a client that closed the connection; nobody sees it but the access log."""
RETRY_STOPPED: Final = 10.0
"""Seconds after which a client may ask again when this server is shutting down: another one is up by then."""
RETRY_BUSY: Final = 5.0
"""Seconds after which a client may ask again when the API was overloaded and did not say for how long."""
_SENTENCE: Final = {
    400: "The model's API does not take this request.",
    413: "The request is too large.",
    CLIENT_LEFT: "The request was cancelled.",
    500: "Something went wrong here.",
    502: "The model's API failed.",
    503: "There is no room for this request now; try again later.",
    504: "There was no answer in time.",
}
_STATUS: Final = {
    **dict.fromkeys(
        (
            ErrorKind.INVALID_REQUEST,
            ErrorKind.CONTEXT_OVERFLOW,
            ErrorKind.IMAGE_TOO_LARGE,
            ErrorKind.UNPROCESSABLE,
        ),
        400,
    ),
    ErrorKind.REQUEST_TOO_LARGE: 413,
    **dict.fromkeys(
        (
            ErrorKind.RATE_LIMIT,
            ErrorKind.RAMP_LIMIT,
            ErrorKind.CONCURRENCY_LIMIT,
            ErrorKind.OVERLOADED,
            ErrorKind.UNAVAILABLE,
            ErrorKind.BILLING,
            ErrorKind.SPEND_CAP,
            ErrorKind.ACCOUNT_HOLD,
        ),
        503,
    ),
    ErrorKind.DEADLINE: 504,
    ErrorKind.SERVER_TIMEOUT: 504,
    ErrorKind.ATTEMPT_TIMEOUT: 504,
    ErrorKind.INTERNAL: 500,
}
_BUSY: Final = frozenset(
    {ErrorKind.RATE_LIMIT, ErrorKind.RAMP_LIMIT, ErrorKind.CONCURRENCY_LIMIT, ErrorKind.OVERLOADED}
)


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as a client may see it."""

    status: int
    """HTTP status."""
    kind: str
    """`ErrorKind`, or ``queue_full``, ``bad_request``, ``cancelled``, ``closed``."""
    message: str
    retry_after: float | None = None
    """Seconds after which asking again makes sense."""
    request_id: str | None = None
    """The API's name of the request: for whoever looks into the logs."""

    def body(self) -> dict[str, object]:
        """As JSON, in the shape of the Claude API's errors."""
        error: dict[str, object] = {"type": self.kind, "message": self.message}
        if self.retry_after is not None:
            error["retry_after"] = self.seconds
        return {"type": "error", "error": error, "request_id": self.request_id}

    @property
    def seconds(self) -> int:
        """``retry_after`` in whole seconds, as the header wants them."""
        return max(1, math.ceil(self.retry_after or 0.0))


def problem_of(error: BaseException) -> Problem:
    """What to tell of an error; anything that is not headway's is an internal error."""
    match error:
        case RequestError():
            return Problem(422, "bad_request", str(error))  # our own words about the caller's own request
        case QueueFullError():
            return Problem(503, "queue_full", _SENTENCE[503], error.retry_after)
        case JobCancelledError():
            return Problem(CLIENT_LEFT, "cancelled", _SENTENCE[CLIENT_LEFT])
        case SchedulerClosedError():
            return Problem(503, "closed", _SENTENCE[503], RETRY_STOPPED)
        case StoppedError():  # of a journal that failed, nobody knows when it works again
            stopping = error.failure.kind is ErrorKind.STOPPED
            return _failed(error, 503, RETRY_STOPPED if stopping else None)
        case JobExpiredError():
            return _failed(error, 504, None)
        case JobFailedError():
            kind = error.failure.kind
            wait = max(error.failure.retry_after or 0.0, RETRY_BUSY) if kind in _BUSY else None
            return _failed(error, _STATUS.get(kind) or _usual_status(error), wait)
        case _:
            return Problem(500, ErrorKind.INTERNAL, _SENTENCE[500])


def _usual_status(error: JobFailedError) -> int:
    """A complaint about the request is passed on as one; the rest is between this server and the API."""
    refused = isinstance(error, RequestRejectedError) and error.failure.status in {400, 422}
    return 400 if refused else 502


def _failed(error: JobFailedError, status: int, retry_after: float | None) -> Problem:
    failure = error.failure
    return Problem(status, failure.kind, _SENTENCE[status], retry_after, failure.request_id)
