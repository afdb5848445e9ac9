"""A job's record and its state machine: `TRANSITIONS` says what may happen, `advance` does it.

Live workers and the journal's replay after a crash both go through `advance`, so they cannot disagree.
The diagram in docs/concepts/states.md is generated from the table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Final

from headway.core.amendment import AS_GIVEN, Amendment, add_costs
from headway.core.events import (
    Batched,
    Cancelled,
    Continued,
    Copied,
    Expired,
    Failed,
    JobEvent,
    Kept,
    Parked,
    Queued,
    Recovered,
    Reopened,
    Repaired,
    Rerouted,
    RetryScheduled,
    SetAside,
    Started,
    Succeeded,
)
from headway.core.failure import Failure
from headway.core.lane import Lane
from headway.core.request import Request
from headway.core.usage import NO_USAGE


class Priority(IntEnum):
    """Who goes first; within a priority tenants share fairly and older jobs go first."""

    INTERACTIVE = 0
    """A person waits: not slowed by pacing, only by the limits themselves."""
    NORMAL = 1
    BULK = 2

    __hash__ = int.__hash__
    """Of a number, in C: each job asks for it a dozen times, and an enum's own is a function of Python."""


class JobState(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    __hash__ = str.__hash__
    """As with `Priority`."""

    @property
    def final(self) -> bool:
        """The job has its outcome."""
        return self in FINAL


FINAL: Final = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED})

_Q, _R, _W = JobState.QUEUED, JobState.RUNNING, JobState.WAITING
TRANSITIONS: Final[dict[tuple[JobState, type[JobEvent]], JobState]] = {
    (_Q, Queued): _Q,
    (_Q, Started): _R,
    (_Q, Copied): JobState.SUCCEEDED,
    (_W, Started): _R,
    (_Q, Batched): _R,
    (_W, Batched): _R,
    (_R, Succeeded): JobState.SUCCEEDED,
    (_R, RetryScheduled): _W,
    (_R, SetAside): _Q,
    (_R, Continued): _Q,
    (_Q, Repaired): _Q,
    (_R, Repaired): _Q,
    (_R, Recovered): _Q,
    (_W, Recovered): _Q,
    (JobState.FAILED, Reopened): _Q,
    (JobState.EXPIRED, Reopened): _Q,
    (JobState.CANCELLED, Reopened): _Q,
    **{(state, Rerouted): _Q for state in (_Q, _R, _W)},
    **{(state, Kept): JobState.SUCCEEDED for state in (_Q, _R, _W)},
    **{(state, Failed): JobState.FAILED for state in (_Q, _R, _W)},
    **{(state, Parked): _Q for state in (_Q, _R, _W)},
    **{(state, Cancelled): JobState.CANCELLED for state in (_Q, _R, _W)},
    **{(state, Expired): JobState.EXPIRED for state in (_Q, _R, _W)},
}


class TransitionError(RuntimeError):
    """An event that cannot happen in the job's state: a fault of headway."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request sent for a job."""

    number: int
    """Counted from 1."""
    started: float
    """Loop time, seconds."""
    ended: float | None = None
    failure: Failure | None = None
    """``None`` while it runs, when it succeeded, and when nobody waited for its answer (cancelled, crashed)."""
    request_id: str | None = None
    lane: Lane = Lane.LIVE
    """By itself, or in a batch."""
    excused: bool = False
    """It failed while the API could not be reached at all: it does not count against the job."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """All that is known of a job; a new value for every event."""

    id: int
    """Unique within this process."""
    key: str
    """The job's identity in journal and output (``custom_id``)."""
    request: Request
    priority: Priority = Priority.NORMAL
    tenant: str = ""
    submitted: float = 0.0
    """Loop time, seconds."""
    deadline: float | None = None
    """Loop time, seconds."""
    state: JobState = JobState.QUEUED
    not_before: float = 0.0
    attempts: tuple[Attempt, ...] = ()
    maybe_billed: int = 0
    """Attempts whose answer never arrived although it may have been generated and billed."""
    prior_attempts: int = 0
    """Attempts of earlier processes, as the journal counted them."""
    amendment: Amendment = AS_GIVEN
    """What repairs and follow-ups made of the request."""

    @property
    def sending(self) -> Request:
        """The request as it is sent now; ``request`` stays as it was given."""
        params = self.amendment.params
        return self.request if params is None else replace(self.request, params=params)

    @property
    def lane(self) -> Lane:
        """Which way its last request went."""
        return self.attempts[-1].lane if self.attempts else Lane.LIVE

    @property
    def in_batch(self) -> bool:
        """It is in a batch, whose result did not come yet."""
        return self.state is JobState.RUNNING and self.lane is Lane.BATCH

    @property
    def sends(self) -> int:
        """Requests sent for this job, over all processes."""
        return self.prior_attempts + len(self.attempts)


def advance(record: JobRecord, event: JobEvent) -> JobRecord:
    """The record after the event. Raises `TransitionError` for what cannot happen."""
    state = TRANSITIONS.get((record.state, type(event)))
    if state is None:
        raise TransitionError(
            f"job {record.key}: {type(event).__name__} cannot happen while {record.state.value}"
        )
    match event:  # the usual events first
        case Started() | Batched():
            lane = Lane.BATCH if isinstance(event, Batched) else Lane.LIVE
            attempt = Attempt(len(record.attempts) + 1, event.at, lane=lane)
            return _moved(record, state, (*record.attempts, attempt))
        case Succeeded():
            return _moved(record, state, _ended(record, event.at, None, event.request_id))
        case Queued() | Reopened() | Copied():
            same = state is record.state and record.not_before == 0.0
            return record if same else replace(record, state=state, not_before=0.0)
        case _:
            return _turned(record, state, event)


Turn = (
    RetryScheduled | SetAside | Continued | Repaired | Rerouted | Kept | Failed | Parked | Cancelled | Expired
    | Recovered
)  # fmt: skip
"""What does not happen to every job."""


def _turned(record: JobRecord, state: JobState, event: Turn) -> JobRecord:
    """The record after anything but the ordinary."""
    if isinstance(event, RetryScheduled | Failed | Parked | Cancelled | Expired):
        record = _charged(record, event)
    match event:
        case Kept(instead_of=ending):
            return replace(advance(record, ending), state=state)
        case RetryScheduled(failure=failure):
            attempts = _ended(record, event.at, failure, failure.request_id)
            if event.excused and attempts:
                attempts = (*attempts[:-1], replace(attempts[-1], excused=True))
            return replace(
                record,
                state=state,
                not_before=event.not_before,
                attempts=attempts,
                maybe_billed=record.maybe_billed + failure.maybe_billed,
            )
        case Failed(failure=failure) | SetAside(failure=failure):
            return _closed(record, state, event.at, failure, unanswered=failure.maybe_billed)
        case Repaired() | Rerouted() | Continued():
            return _amended(record, state, event)
        case Parked(failure=failure, sent=sent) | Expired(failure=failure, sent=sent):
            return _closed(record, state, event.at, failure, unanswered=sent)
        case Cancelled() | Recovered():
            unanswered = event.sent if isinstance(event, Cancelled) else True
            return _closed(record, state, event.at, None, unanswered=unanswered)


def _moved(record: JobRecord, state: JobState, attempts: tuple[Attempt, ...]) -> JobRecord:
    """The record in another state, with these attempts. Twice for every job, so without `replace`, which takes
    three times as long."""
    return JobRecord(
        record.id, record.key, record.request, record.priority, record.tenant, record.submitted, record.deadline,
        state, record.not_before, attempts, record.maybe_billed, record.prior_attempts, record.amendment,
    )  # fmt: skip


def _charged(record: JobRecord, event: RetryScheduled | Failed | Parked | Cancelled | Expired) -> JobRecord:
    """The record with what an answer cost that does not serve."""
    if event.usage == NO_USAGE:
        return record
    was = record.amendment
    spent = replace(was, spent=was.spent + event.usage, cost=add_costs(was.cost, event.cost))
    return replace(record, amendment=spent)


def _amended(record: JobRecord, state: JobState, event: Repaired | Rerouted | Continued) -> JobRecord:
    """The record with another request to send."""
    was = record.amendment
    now = replace(was, params=event.params, changes=(*was.changes, *event.changes))
    request_id: str | None = None
    match event:
        case Repaired(failure=failure, tools=tools):
            now = replace(
                now,
                repairs=now.repairs if failure is None else (*now.repairs, failure.kind),
                tools=tuple(dict.fromkeys((*now.tools, *tools))),
            )
        case Rerouted(failure=failure):
            now = replace(now, partial=None)
        case Continued(held=held):
            failure, request_id = None, held.request_id
            now = replace(
                now,
                held=held,
                partial=event.partial,
                spent=now.spent + event.usage,
                cost=add_costs(now.cost, event.cost),
            )
    unanswered = failure is not None and failure.maybe_billed
    attempts = _ended(record, event.at, failure, failure.request_id if failure else request_id)
    record = replace(record, amendment=now, attempts=attempts)
    return _closed(record, state, event.at, failure, unanswered=unanswered)


def _closed(
    record: JobRecord, state: JobState, at: float, failure: Failure | None, *, unanswered: bool
) -> JobRecord:
    """The record without a running attempt; an attempt nobody saw the answer of may have been billed."""
    return replace(
        record,
        state=state,
        not_before=0.0,
        attempts=_ended(record, at, failure, failure.request_id if failure else None),
        maybe_billed=record.maybe_billed + (unanswered and record.state is JobState.RUNNING),
    )


def _ended(
    record: JobRecord, at: float, failure: Failure | None, request_id: str | None
) -> tuple[Attempt, ...]:
    """The attempts with the running one closed."""
    if not record.attempts or record.attempts[-1].ended is not None:
        return record.attempts
    last = record.attempts[-1]
    return (
        *record.attempts[:-1],
        Attempt(last.number, last.started, at, failure, request_id, last.lane),
    )
