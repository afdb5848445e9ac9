"""The last failures, for people who look at a status."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from headway.core.events import Expired, Failed, JobEvent, Parked, Rerouted, RetryScheduled
from headway.core.failure import Failure
from headway.core.job import JobRecord

LAST: Final = 20
"""Failures that are kept."""


@dataclass(frozen=True, slots=True)
class SeenFailure:
    """A failure of an attempt or of a job."""

    at: float
    """Loop time, seconds."""
    failure: Failure
    final: bool
    """It ended the job; else the job is tried again."""


class RecentFailures:
    """An `EventSink` that remembers the newest."""

    def __init__(self) -> None:
        self._seen: deque[SeenFailure] = deque(maxlen=LAST)

    def emit(self, record: JobRecord, event: JobEvent) -> None:
        """Remember an event if it is a failure."""
        match event:
            case RetryScheduled(failure=failure) | Rerouted(failure=failure):
                self._seen.append(SeenFailure(event.at, failure, final=False))
            case Failed(failure=failure) | Expired(failure=failure):
                self._seen.append(SeenFailure(event.at, failure, final=True))
            case Parked(failure=failure) if record.attempts and record.attempts[-1].failure is failure:
                # The jobs that a stop parks without an attempt have not failed.
                self._seen.append(SeenFailure(event.at, failure, final=True))
            case _:
                return

    def newest_last(self) -> tuple[SeenFailure, ...]:
        """What is remembered."""
        return tuple(self._seen)
