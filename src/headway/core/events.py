"""Everything that happens to a job. Journal, log, progress and status read these same values."""

from __future__ import annotations

from dataclasses import dataclass, field

from headway.core.failure import Failure
from headway.core.usage import Usage


@dataclass(frozen=True, slots=True)
class Queued:
    """The job was accepted."""

    at: float


@dataclass(frozen=True, slots=True)
class Started:
    """An attempt begins: journalled before anything is sent."""

    at: float


@dataclass(frozen=True, slots=True)
class Succeeded:
    """A complete message arrived."""

    at: float
    body: str = field(repr=False)
    """The message as JSON text, as the API sent it."""
    usage: Usage
    stop_reason: str | None = None
    request_id: str | None = None
    cost: float | None = None
    """USD; ``None`` when the model's price is unknown."""


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """The attempt failed; the job waits in the queue until ``not_before``."""

    at: float
    failure: Failure
    not_before: float


@dataclass(frozen=True, slots=True)
class Failed:
    """No further attempt: the job's outcome is this failure."""

    at: float
    failure: Failure


@dataclass(frozen=True, slots=True)
class Parked:
    """The scheduler stopped before the job was finished: the journal keeps it queued."""

    at: float
    failure: Failure
    sent: bool = False
    """An attempt was under way whose answer we did not wait for."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The caller took the job back."""

    at: float
    sent: bool = False
    """An attempt was under way."""


@dataclass(frozen=True, slots=True)
class Expired:
    """The job's deadline passed."""

    at: float
    failure: Failure
    sent: bool = False
    """An attempt was under way."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """The process died while the job ran: it is queued again and may have been billed."""

    at: float


@dataclass(frozen=True, slots=True)
class Reopened:
    """A failed job was asked for again (``--retry-failed``)."""

    at: float


JobEvent = (
    Queued
    | Started
    | Succeeded
    | RetryScheduled
    | Failed
    | Parked
    | Cancelled
    | Expired
    | Recovered
    | Reopened
)
