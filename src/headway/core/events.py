"""Everything that happens to a job. Journal, log, progress and status read these same values."""

from __future__ import annotations

from dataclasses import dataclass, field

from headway.core.amendment import Held, Params
from headway.core.change import Change
from headway.core.failure import Failure
from headway.core.usage import NO_USAGE, Usage


@dataclass(frozen=True, slots=True)
class Queued:
    """The job was accepted."""

    at: float


@dataclass(frozen=True, slots=True)
class Started:
    """An attempt begins: journalled before anything is sent."""

    at: float


@dataclass(frozen=True, slots=True)
class Batched:
    """The job goes into a batch, or an earlier process had put it there. Which jobs are in which batch is
    journalled before the batch is created; of the job itself nothing changes there until its result comes."""

    at: float
    rejoined: bool = False
    """An earlier process had put it there."""


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """The attempt failed; the job waits in the queue until ``not_before``."""

    at: float
    failure: Failure
    not_before: float
    usage: Usage = NO_USAGE
    """What the attempt is known to have been billed for: an answer came that does not serve."""
    cost: float | None = 0.0
    """USD for that; ``None`` when the model's price is unknown."""
    excused: bool = False
    """The API could not be reached by anybody: it uses up none of the job's attempts."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """The API refused the request; a tool mends it (images, files) while the job holds no slot and no budget."""

    at: float
    failure: Failure


@dataclass(frozen=True, slots=True)
class Repaired:
    """The request was mended, before its first attempt or after a refusal: the job is queued with the new one."""

    at: float
    params: Params = field(repr=False)
    """The body that is sent from now on."""
    changes: tuple[Change, ...]
    failure: Failure | None = None
    """The refusal that asked for it; ``None``: found before sending."""
    tools: tuple[str, ...] = ()
    """The tools that took part."""


@dataclass(frozen=True, slots=True)
class Rerouted:
    """The job goes on with another model, because its own is gone or has been overloaded for long."""

    at: float
    params: Params = field(repr=False)
    changes: tuple[Change, ...]
    failure: Failure
    """What was wrong with the model."""


@dataclass(frozen=True, slots=True)
class Continued:
    """A complete answer came, and a follow-up is sent: the turn was paused, cut off, or declined."""

    at: float
    params: Params = field(repr=False)
    changes: tuple[Change, ...]
    held: Held
    """The answer that is delivered if the follow-up fails."""
    usage: Usage
    """Of the answer that came: it is billed whatever follows."""
    partial: str | None = field(default=None, repr=False)
    """What the next answer is appended to."""
    cost: float | None = None
    """USD; ``None`` when the model's price is unknown."""


@dataclass(frozen=True, slots=True)
class Failed:
    """No further attempt: the job's outcome is this failure."""

    at: float
    failure: Failure
    usage: Usage = NO_USAGE
    """As of `RetryScheduled`."""
    cost: float | None = 0.0


@dataclass(frozen=True, slots=True)
class Parked:
    """The scheduler stopped before the job was finished: the journal keeps it queued."""

    at: float
    failure: Failure
    sent: bool = False
    """An attempt was under way whose answer we did not wait for."""
    usage: Usage = NO_USAGE
    """As of `RetryScheduled`: of a stream that was cut off."""
    cost: float | None = 0.0


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The caller took the job back."""

    at: float
    sent: bool = False
    """An attempt was under way."""
    usage: Usage = NO_USAGE
    """As of `Parked`."""
    cost: float | None = 0.0


@dataclass(frozen=True, slots=True)
class Expired:
    """The job's deadline passed."""

    at: float
    failure: Failure
    sent: bool = False
    """An attempt was under way."""
    usage: Usage = NO_USAGE
    """As of `Parked`."""
    cost: float | None = 0.0


@dataclass(frozen=True, slots=True)
class Succeeded:
    """A complete message arrived."""

    at: float
    body: str = field(repr=False)
    """The message as JSON text, as the API sent it."""
    usage: Usage
    """Of this answer alone."""
    stop_reason: str | None = None
    request_id: str | None = None
    cost: float | None = None
    """USD; ``None`` when the model's price is unknown."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A follow-up came to nothing: the job succeeds with the answer that it had before."""

    at: float
    instead_of: Failed | Expired
    """How the follow-up ended."""


@dataclass(frozen=True, slots=True)
class Copied:
    """Nothing was sent: an identical request was answered, and this job succeeds with the same message."""

    at: float
    body: str = field(repr=False)
    """The message as JSON text."""
    of: str
    """The key of the job that was sent."""
    stop_reason: str | None = None
    request_id: str | None = None


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
    | Batched
    | Succeeded
    | RetryScheduled
    | SetAside
    | Repaired
    | Rerouted
    | Continued
    | Kept
    | Copied
    | Failed
    | Parked
    | Cancelled
    | Expired
    | Recovered
    | Reopened
)
