"""Counting what happens: the numbers behind ``scheduler.status()``."""

from __future__ import annotations

from headway.core.error_kind import ErrorKind
from headway.core.events import (
    Cancelled,
    Expired,
    Failed,
    JobEvent,
    Parked,
    RetryScheduled,
    Started,
    Succeeded,
)
from headway.core.failure import Failure
from headway.core.job import JobRecord, JobState
from headway.core.usage import Usage


class Tally:
    """An `EventSink` that keeps sums only."""

    def __init__(self, now: float) -> None:
        self._started = now
        self.ended: dict[JobState, int] = dict.fromkeys((s for s in JobState if s.final), 0)
        self.sends = 0
        self.retries = 0
        self.refused_429 = 0
        self.refused_529 = 0
        self.maybe_billed = 0
        self.usage = Usage()
        self.cost = 0.0
        self.cost_unknown = 0

    def emit(self, record: JobRecord, event: JobEvent) -> None:
        """Count an event."""
        match event:
            case Started():
                self.sends += 1
            case RetryScheduled(failure=failure):
                self.retries += 1
                self._count_refusal(failure)
                self.maybe_billed += failure.row.maybe_billed
            case Succeeded(usage=usage, cost=cost):
                self.usage += usage
                if cost is None:
                    self.cost_unknown += 1
                else:
                    self.cost += cost
            case Failed(failure=failure) | Parked(failure=failure):
                if record.attempts and record.attempts[-1].failure is failure:
                    self._count_refusal(failure)
                    self.maybe_billed += failure.row.maybe_billed
                self.maybe_billed += isinstance(event, Parked) and event.sent
            case Cancelled(sent=sent) | Expired(sent=sent):
                self.maybe_billed += sent
            case _:
                return
        if record.state.final:
            self.ended[record.state] += 1

    def room_in(self, now: float) -> float:
        """Seconds until a place in the queue is probably free: the mean time between two endings so far."""
        ended = sum(self.ended.values())
        return min(60.0, max(0.1, (now - self._started) / ended)) if ended else 1.0

    def _count_refusal(self, failure: Failure) -> None:
        self.refused_429 += failure.status == 429
        self.refused_529 += failure.kind is ErrorKind.OVERLOADED
