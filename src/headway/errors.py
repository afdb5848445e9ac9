"""What callers catch.

::

    HeadwayError
    ├── RequestError (also ValueError)     a request that cannot be sent, at the call that made it
    ├── QueueFullError                     ``max_queued`` is reached; ``retry_after`` says when to try again
    ├── SchedulerClosedError               submit on a scheduler that is not open, or in another loop or process
    ├── AccountLimitsError                 the limits of the account cannot be read from the Admin API
    ├── BatchCallError                     a call of the Message Batches API failed: ``failure``
    ├── JournalError                       the journal cannot be opened or written
    │   ├── JournalLockedError             another process uses it
    │   ├── JournalMismatchError           it belongs to another input, model or request
    │   └── JournalDamagedError            it is not a whole database
    ├── JobCancelledError                  ``await job`` on a job that was cancelled
    └── JobFailedError                     the job's outcome is a failure: ``failure``, ``attempts``, ``resumable``
        ├── StreamInterruptedError         a stream broke after part of it was shown: ``partial``
        ├── RequestRejectedError           the API will not take this request (400, 403, 404, 413, 422)
        ├── AuthenticationError            the key or token was not accepted
        ├── BillingError                   credit, own limit or spend cap reached
        ├── RetriesExhaustedError          it kept failing on the server's side or on the way
        ├── JobExpiredError                the deadline passed
        └── StoppedError                   the scheduler stopped first; the job is good

No exception here holds the SDK's exception: that one carries the API key in its request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.core.error_kind import ErrorKind
from headway.core.failure import Failure
from headway.core.faults import HeadwayError

if TYPE_CHECKING:
    from anthropic.types import Message

    from headway.core.job import Attempt


class QueueFullError(HeadwayError):
    """``Flow.max_queued`` jobs are waiting already."""

    def __init__(self, queued: int, retry_after: float) -> None:
        super().__init__(queued, retry_after)
        self.queued = queued
        """Jobs waiting now."""
        self.retry_after = retry_after
        """Seconds after which there is probably room."""

    def __str__(self) -> str:
        return f"{self.queued} jobs are queued already; there is probably room in {self.retry_after:.1f} s"


class SchedulerClosedError(HeadwayError):
    """The scheduler is not running here: use it inside ``async with``, in the loop it was opened in."""


class AccountLimitsError(HeadwayError):
    """The limits of the account cannot be read: no Admin key, a refused one, or no answer. The message says
    which, and never contains the key."""

    def __init__(self, message: str, failure: Failure | None = None) -> None:
        super().__init__(message)
        self.failure = failure
        """What the API answered, or what went wrong on the way; ``None`` when nothing was sent."""

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.failure)


class BatchCallError(HeadwayError):
    """A call of the Message Batches API failed, once: nothing was tried again."""

    def __init__(self, failure: Failure, doing: str) -> None:
        super().__init__(failure, doing)
        self.failure = failure
        """What the API answered, or what went wrong on the way."""
        self.doing = doing
        """``creating a batch of 512 requests``."""

    def __str__(self) -> str:
        said = f"{self.doing}: {self.failure}"
        return f"{said}{'' if said.endswith('.') else '.'} {self.failure.remedy}"


class JournalError(HeadwayError):
    """The journal cannot be opened, read or written."""


class JournalLockedError(JournalError):
    """Another process uses this journal."""


class JournalMismatchError(JournalError):
    """The journal belongs to another input, model or request."""


class JournalDamagedError(JournalError):
    """The file is not a whole journal."""


class JobCancelledError(HeadwayError):
    """The awaited job was cancelled."""


class JobFailedError(HeadwayError):
    """A job ended without an answer."""

    def __init__(
        self, failure: Failure, attempts: tuple[Attempt, ...] = (), resumable: bool | None = None
    ) -> None:
        super().__init__(failure, attempts, resumable)
        self.failure = failure
        """What happened last: kind, status, type, error_code, request_id, message, remedy."""
        self.attempts = attempts
        """Every request sent for the job, with its failure."""
        self.resumable = failure.resumable if resumable is None else resumable
        """The job is good: with a journal it stays queued there."""
        self.partial: Message | None = None
        """Of a stream: the message as far as it was shown."""

    def __str__(self) -> str:
        sent = len(self.attempts)
        tries = f" after {sent} attempts" if sent > 1 else ""
        said = f"{self.failure}{tries}"
        return f"{said}{'' if said.endswith('.') else '.'} {self.failure.remedy}"


class RequestRejectedError(JobFailedError):
    """The API will not take this request."""


class AuthenticationError(JobFailedError):
    """The key or token was not accepted."""


class BillingError(JobFailedError):
    """The account cannot pay for more."""


class RetriesExhaustedError(JobFailedError):
    """It kept failing on the server's side or on the way there."""


class JobExpiredError(JobFailedError):
    """The deadline passed."""


class StreamInterruptedError(JobFailedError):
    """A stream broke after part of its answer was shown, and nothing could or should continue it; ``partial``
    is that part."""


class StoppedError(JobFailedError):
    """The scheduler stopped before the job was finished."""


_CLASS: dict[ErrorKind, type[JobFailedError]] = {
    ErrorKind.AUTHENTICATION: AuthenticationError,
    ErrorKind.BILLING: BillingError,
    ErrorKind.SPEND_CAP: BillingError,
    ErrorKind.ACCOUNT_HOLD: BillingError,
    ErrorKind.STREAM_INTERRUPTED: StreamInterruptedError,
    ErrorKind.DEADLINE: JobExpiredError,
    ErrorKind.STOPPED: StoppedError,
    ErrorKind.JOURNAL: StoppedError,
    ErrorKind.BATCH_CANCELLED: StoppedError,
    ErrorKind.BATCH_LOST: JobFailedError,
    ErrorKind.INTERNAL: JobFailedError,
}
"""Kinds with a class of their own; for the others their row says whether it was tried again."""


def job_error(failure: Failure, attempts: tuple[Attempt, ...], *, resumable: bool) -> JobFailedError:
    """The exception for a failed job."""
    row = failure.row
    usual = RetriesExhaustedError if row.attempts > 1 or row.throttle else RequestRejectedError
    return _CLASS.get(failure.kind, usual)(failure, attempts, resumable)
