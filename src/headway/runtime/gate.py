"""What bounds all attempts together, whatever their budget: connections, and whether the API can be reached."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, Final

from headway.core.concurrency import Concurrency
from headway.core.failure import Failure
from headway.core.job import JobState, Priority
from headway.core.outage import IN_A_ROW, KINDS, Outage
from headway.runtime.handle import Job

if TYPE_CHECKING:
    from anthropic.types import Message

log: Final = logging.getLogger("headway")


class Gate:
    """Never more than ``max_in_flight`` attempts at a time, fewer while the client's pool is short, and one after the
    other while the API cannot be reached."""

    def __init__(self, max_in_flight: int) -> None:
        self.max_in_flight = max_in_flight
        self.in_flight = 0
        self._pool = Concurrency()
        self._outage = Outage()
        self._probe: Job[Message] | None = None
        self._seen: Failure | None = None

    @property
    def unreachable(self) -> Failure | None:
        """Why only single attempts are made; ``None`` while the API answers."""
        return self._seen if self._outage.is_open else None

    @property
    def bound(self) -> int:
        """Attempts that may be in flight now."""
        limit = self._pool.limit
        return self.max_in_flight if limit is None else min(self.max_in_flight, int(limit))

    @property
    def is_full(self) -> bool:
        """No slot is free."""
        return self.in_flight >= self.max_in_flight or not self._pool.allows(self.in_flight)

    def seconds(self, now: float) -> float:
        """Seconds until the API is tried again; 0: now."""
        return self._outage.seconds(now)

    def shuts_out(self, job: Job[Message], now: float) -> bool:
        """Whether this job has to wait until the API is tried again. Nobody for whom a person waits: those are few,
        and fail soon."""
        return self._outage.seconds(now) > 0 and job.record.priority is not Priority.INTERACTIVE

    def paces(self, job: Job[Message], failure: Failure) -> bool:
        """Whether an attempt of a job failed because nobody reaches the API, and this gate bounds the next ones."""
        return job.record.priority is not Priority.INTERACTIVE and self._outage.paces(failure)

    def enter(self, job: Job[Message], now: float) -> None:
        """An attempt begins."""
        self.in_flight += 1
        if self._outage.is_open and job.record.priority is not Priority.INTERACTIVE:
            self._probe = job
            self._outage.send(now)

    def leave(self, job: Job[Message], now: float) -> None:
        """An attempt is over."""
        self._learn(job, now)
        self.in_flight -= 1
        if self._probe is job:
            self._probe = None
            self._outage.leave()

    def _learn(self, job: Job[Message], now: float) -> None:
        attempt = job.attempts[-1] if job.attempts else None
        failure = None if attempt is None else attempt.failure
        if job.record.state is JobState.SUCCEEDED:
            self._pool.succeed()
        elif attempt is None or failure is None:
            return  # cut off: it tells nothing
        # A 429 that says "too many at a time" is the budget's matter.
        elif failure.row.narrows and not failure.row.throttle:
            self._pool.refuse(attempt.started, now, self.in_flight)
            return
        elif failure.kind in KINDS:
            self._seen = failure
            if self._outage.fail(now, attempt.started, random.random()):  # noqa: S311 - jitter, not a secret
                log.warning(
                    "%d attempts have failed in a row (%s): jobs wait, and single ones try until the API answers",
                    IN_A_ROW,
                    failure,
                )
            return
        elif failure.status is None:
            return  # our own: no word of the API
        if self._outage.answer():
            log.warning("the API answers again")
