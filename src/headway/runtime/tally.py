"""Counting what happens: the numbers behind ``scheduler.status()``."""

from __future__ import annotations

from typing import TypedDict

from headway.core.change import PLACED
from headway.core.cost_sheet import Costs, CostSheet
from headway.core.error_kind import ErrorKind
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
    Repaired,
    Rerouted,
    RetryScheduled,
    SetAside,
    Started,
    Succeeded,
)
from headway.core.failure import Failure
from headway.core.job import JobRecord, JobState
from headway.core.usage import NO_USAGE, Usage
from headway.core.usage_sum import UsageSum
from headway.runtime.recent_failures import RecentFailures


class Sums(TypedDict):
    """The part of a `Status` that is counted."""

    succeeded: int
    failed: int
    cancelled: int
    expired: int
    sends: int
    retries: int
    refused_429: int
    refused_529: int
    maybe_billed: int
    usage: Usage
    cost: float
    cost_unknown: int
    repaired: int
    followed_up: int
    copied: int


class Tally:
    """An `EventSink` that keeps sums only."""

    def __init__(self, now: float) -> None:
        self.started = now
        self.recent = RecentFailures()
        self.ended: dict[JobState, int] = dict.fromkeys((s for s in JobState if s.final), 0)
        self.sends = 0
        self.retries = 0
        self.repaired = 0
        self.followed_up = 0
        self.copied = 0
        self.refused_429 = 0
        self.refused_529 = 0
        self.maybe_billed = 0
        self._usage = UsageSum()
        self.cost = 0.0
        self.cost_unknown = 0
        self._tenants, self._tags = CostSheet(), CostSheet()

    def emit(self, record: JobRecord, event: JobEvent) -> None:
        """Count an event."""
        self.recent.emit(record, event)
        before = self.maybe_billed
        self._count(record, event)
        if self.maybe_billed != before:
            self._tenants.unanswered(record.tenant, self.maybe_billed - before)
            self._tags.unanswered(record.request.tag, self.maybe_billed - before)

    def costs(self) -> Costs:
        """What was spent, by tenant and by tag."""
        return Costs(self._tenants.lines(), self._tags.lines())

    def _count(self, record: JobRecord, event: JobEvent) -> None:
        self._count_unserved(record, event.instead_of if isinstance(event, Kept) else event)
        match event:
            case Started() | Copied() | Batched(rejoined=False):
                self.copied += isinstance(event, Copied)
                self.sends += not isinstance(event, Copied)
            case RetryScheduled(failure=failure):
                self.retries += 1
                self._count_refusal(failure)
                self.maybe_billed += failure.maybe_billed
            case SetAside(failure=failure):
                self._count_refusal(failure)
                self.maybe_billed += failure.maybe_billed
            case Repaired(changes=changes):
                self.repaired += any(change.rule != PLACED for change in changes)
            case Rerouted(failure=failure):
                self.followed_up += 1
                self._count_attempt(record, failure)
            case Continued(usage=usage, cost=cost):
                self.followed_up += 1
                self._count_answer(record, usage, cost)
            case Succeeded(usage=usage, cost=cost):
                self._count_answer(record, usage, cost)
            case Kept(instead_of=Expired(sent=sent)) | Cancelled(sent=sent) | Expired(sent=sent):
                self.maybe_billed += sent
            case Kept(instead_of=Failed(failure=failure)):
                self._count_attempt(record, failure)
            case Failed(failure=failure) | Parked(failure=failure):
                self._count_attempt(record, failure)
                self.maybe_billed += isinstance(event, Parked) and event.sent
            case _:
                return
        if record.state.final:
            self.ended[record.state] += 1

    def sums(self) -> Sums:
        """As `Status` names them."""
        ended = self.ended
        return Sums(
            succeeded=ended[JobState.SUCCEEDED],
            failed=ended[JobState.FAILED],
            cancelled=ended[JobState.CANCELLED],
            expired=ended[JobState.EXPIRED],
            sends=self.sends,
            retries=self.retries,
            refused_429=self.refused_429,
            refused_529=self.refused_529,
            maybe_billed=self.maybe_billed,
            usage=self._usage.total(),
            cost=self.cost,
            cost_unknown=self.cost_unknown,
            repaired=self.repaired,
            followed_up=self.followed_up,
            copied=self.copied,
        )

    def room_in(self, now: float) -> float:
        """Seconds until a place in the queue is probably free: the mean time between two endings so far."""
        ended = sum(self.ended.values())
        return min(60.0, max(0.1, (now - self.started) / ended)) if ended else 1.0

    def _count_attempt(self, record: JobRecord, failure: Failure) -> None:
        """The failure of an attempt, unless it concerns a job that had none."""
        if record.attempts and record.attempts[-1].failure is failure:
            self._count_refusal(failure)
            self.maybe_billed += failure.maybe_billed

    def _count_unserved(self, record: JobRecord, event: JobEvent) -> None:
        """An answer that does not serve, or a part of one, is billed all the same; and a refusal was one, though its
        retry would have come after the deadline."""
        if isinstance(event, Expired):
            self._count_refusal(event.failure)
        if (
            isinstance(event, RetryScheduled | Failed | Parked | Cancelled | Expired)
            and event.usage != NO_USAGE
        ):
            self._count_answer(record, event.usage, event.cost)

    def _count_answer(self, record: JobRecord, usage: Usage, cost: float | None) -> None:
        self._tenants.answer(record.tenant, usage, cost)
        self._tags.answer(record.request.tag, usage, cost)
        self._usage.add(usage)
        if cost is None:
            self.cost_unknown += 1
        else:
            self.cost += cost

    def _count_refusal(self, failure: Failure) -> None:
        overloaded = failure.kind is ErrorKind.OVERLOADED or failure.type == "overloaded_error"
        # Inside a stream a refusal comes with status 200.
        limited = failure.status == 429 or failure.type == "rate_limit_error" or failure.row.throttle
        self.refused_429 += limited and not overloaded
        self.refused_529 += overloaded
