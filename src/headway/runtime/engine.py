"""The running scheduler: wires intake, dispatcher, worker and recorder, and knows every job alive.

Flow: submit -> intake (journal) -> dispatcher (due? budget? slot?) -> worker -> recorder -> close.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
import anyio.abc

from headway.core.budget import BudgetStatus
from headway.core.catalog import BUILT_IN
from headway.core.error_kind import ErrorKind
from headway.core.events import Cancelled, Expired, Failed, JobEvent, Queued
from headway.core.failure import Failure, failure_of
from headway.core.job import JobState
from headway.core.outcome import Ending
from headway.core.retry import RetryPolicy
from headway.core.retry_quota import RetryQuota
from headway.ports import BudgetKey, BudgetStore, EventSink, Grant, Journal, Stored, Transport
from headway.runtime.clock import loop_time
from headway.runtime.dispatcher import Dispatcher
from headway.runtime.flow import Flow
from headway.runtime.guest import Guest
from headway.runtime.handle import Interrupt, Job, Outcome
from headway.runtime.intake import Intake
from headway.runtime.recorder import Recorder
from headway.runtime.roster import Roster
from headway.runtime.status import Status
from headway.runtime.tally import Tally
from headway.runtime.worker import Worker

if TYPE_CHECKING:
    from anthropic.types import Message

log: Final = logging.getLogger("headway")
FALLBACK_IN_FLIGHT: Final = 256
"""Requests in flight when the transport cannot say how many connections it has."""


class Engine:
    """Everything between a submitted job and its outcome. Lives in one event loop."""

    def __init__(
        self,
        transport: Transport,
        budgets: BudgetStore,
        policy: RetryPolicy,
        flow: Flow,
        journal: Journal | None,
        sinks: Sequence[EventSink],
        now: float,
    ) -> None:
        self.tally = Tally(now)
        self.halted: Failure | None = None
        self.cost_of = BUILT_IN.cost
        self._transport = transport
        self._recorder = Recorder(journal, (self.tally, *sinks))
        self.dispatcher = Dispatcher(
            budgets,
            max_in_flight=flow.max_in_flight or transport.connections or FALLBACK_IN_FLIGHT,
            weights=flow.weights,
            start=self._start,
            expire=self._expire,
        )
        self._worker = Worker(
            transport, self._recorder, self, policy, RetryQuota(now), flow, self.dispatcher.estimator
        )
        self.guest: Callable[[Job[Message]], Guest] = partial(Guest, self, self._worker)
        """A place in the queue for a caller that makes the job's attempts itself."""
        self._intake = Intake(journal, accept=self._accept, fail=self.halt) if journal else None
        self.roster = Roster()
        self._group: anyio.abc.TaskGroup | None = None

    def start(self, group: anyio.abc.TaskGroup) -> None:
        """Begin dispatching in this task group."""
        self._group = group
        group.start_soon(self._guard, self.dispatcher.run, name="headway dispatcher")
        if self._intake is not None:
            group.start_soon(self._guard, self._intake.run, name="headway intake")

    async def _guard(self, run: Callable[[], Awaitable[None]]) -> None:
        """A fault in our own loops must end every job with a reason, not leave it hanging."""
        while True:
            try:
                await run()
            except Exception as error:
                log.exception("headway stopped because of an internal error")
                self.halt(failure_of(ErrorKind.INTERNAL, f"{type(error).__name__}: {error}"))
            while self.halted is not None:  # until `resume`
                await self.roster.change()

    @property
    def queued(self) -> int:
        """Jobs accepted and not running."""
        return self.dispatcher.queued + (len(self._intake) if self._intake else 0)

    def submit(self, job: Job[Message]) -> None:
        """Take a job in."""
        first = self.roster.enter(job, keyed=self._intake is not None and job.guest is None)
        if first is not None:
            self._follow(job, first)
        elif self.halted is not None:
            self._worker.park(job, self.halted, durable=False)
        elif self._intake is None or job.guest is not None:
            self._accept(job, None)
        else:
            self._intake.put(job)

    def _follow(self, job: Job[Message], first: Job[Message]) -> None:
        """The same key is at work already: one job, two handles."""
        if job.record.request.content_hash() == first.record.request.content_hash():
            first.add_done_callback(lambda outcome: None if job.done() else job.resolve(outcome))
        else:
            self._refuse_key(job)

    def _accept(self, job: Job[Message], stored: Stored | None) -> None:
        """The journal has entered the job, or says what it knows of it."""
        if stored is not None and not stored.same_request:
            self._worker.park(job, self.halted, durable=False) if self.halted else self._refuse_key(job)
        elif stored is not None and stored.ending is not None:
            self._restore(job, stored.ending)
        elif self.halted is not None:
            self._worker.park(job, self.halted)
        elif job.interrupt is Interrupt.CANCELLED:
            self._finish(job, Cancelled(loop_time()))
        else:
            self._recorder.note(job, Queued(loop_time()), durable=False)
            self.dispatcher.push(job)

    def _refuse_key(self, job: Job[Message]) -> None:
        ending = self._recorder.note(job, _key_reused(job), durable=False)
        assert ending is not None
        self.close(job, ending, None)

    def _restore(self, job: Job[Message], ending: Ending) -> None:
        request = job.record.request
        body = ending.body
        source = None if body is None else partial(self._transport.revive, body, request)
        self.roster.resolve(job, Outcome(ending, request, source, (), restored=True))

    def cancel(self, job: Job[Message]) -> None:
        """The caller takes the job back."""
        if job.done() or job.interrupt is not None:
            return
        job.interrupt = Interrupt.CANCELLED
        if job.scope is not None:
            job.scope.cancel()
        elif self.dispatcher.discard(job) or (self._intake is not None and self._intake.discard(job)):
            self._finish(job, Cancelled(loop_time()))

    def _expire(self, job: Job[Message]) -> None:
        failure = failure_of(ErrorKind.DEADLINE, "the deadline passed while the job was queued")
        self._finish(job, Expired(loop_time(), failure))

    def _finish(self, job: Job[Message], event: JobEvent) -> None:
        assert self._group is not None
        self._group.start_soon(self._worker.finish, job, event)

    def _start(self, job: Job[Message], grant: Grant) -> None:
        assert self._group is not None
        self.roster.begin(job)
        if job.guest is not None:
            job.guest.take(grant)
        else:
            self._group.start_soon(self._attempt, job, grant)

    def attempt_over(self, job: Job[Message]) -> None:
        """A slot is free, and its budget has learned something."""
        self.dispatcher.ended(job)
        self.roster.end(job)

    async def _attempt(self, job: Job[Message], grant: Grant) -> None:
        try:
            await self._worker.run(job, grant)
        except Exception as error:
            log.exception("internal error on job %s", job.key)
            if not job.done():
                failure = failure_of(ErrorKind.INTERNAL, f"{type(error).__name__}: {error}")
                self._worker.park(job, failure, durable=False, sent=True)
        finally:
            grant.forfeit(loop_time())  # does nothing unless a fault left it open
            self.attempt_over(job)

    # What the worker reports (Desk).

    def requeue(self, job: Job[Message]) -> None:
        """The job waits for its next attempt; once we are stopping there will be none."""
        if self.halted is not None:
            self._worker.park(job, self.halted)
        else:
            self.dispatcher.push(job)

    def close(self, job: Job[Message], ending: Ending, message: Message | None) -> None:
        """The job has ended."""
        self.roster.resolve(job, Outcome(ending, job.record.request, message, job.record.attempts))

    def halt(self, failure: Failure) -> None:
        """Send nothing more: the queued jobs end resumably, those in flight finish."""
        if self.halted is None:
            self.halted = failure
            if failure.kind is not ErrorKind.STOPPED:
                log.error("headway stopped sending: %s. %s", failure, failure.remedy)
        waiting = self.dispatcher.clear() + (self._intake.clear() if self._intake else [])
        for job in waiting:
            self._worker.park(job, self.halted, durable=job.record.state is not JobState.QUEUED)
        self.roster.notify()

    def resume(self) -> None:
        """Send again after the cause of a halt is mended."""
        self.halted = None
        self.dispatcher.wake()
        self.roster.notify()

    def abort(self) -> None:
        """Cut off what is in flight; everything unfinished ends resumably."""
        self.halt(failure_of(ErrorKind.STOPPED, "the scheduler was stopped at once"))
        for job in list(self.roster.running):
            if job.interrupt is None:
                job.interrupt = Interrupt.STOPPED
            if job.scope is not None:
                job.scope.cancel()

    def status(self, budgets: Mapping[BudgetKey, BudgetStatus]) -> Status:
        """Everything countable, now."""
        tally = self.tally
        return Status(
            queued=self.queued,
            waiting=self.dispatcher.waiting,
            in_flight=self.dispatcher.in_flight,
            max_in_flight=self.dispatcher.max_in_flight,
            succeeded=tally.ended[JobState.SUCCEEDED],
            failed=tally.ended[JobState.FAILED],
            cancelled=tally.ended[JobState.CANCELLED],
            expired=tally.ended[JobState.EXPIRED],
            sends=tally.sends,
            retries=tally.retries,
            refused_429=tally.refused_429,
            refused_529=tally.refused_529,
            maybe_billed=tally.maybe_billed,
            usage=tally.usage,
            cost=tally.cost,
            cost_unknown=tally.cost_unknown,
            budgets={
                " ".join(filter(None, (key.group, key.tier, key.speed))): status
                for key, status in budgets.items()
            },
            halted=self.halted,
        )

    def sweep(self) -> None:
        """After the tasks have ended: whatever a cancellation left open gets its outcome."""
        failure = self.halted or failure_of(ErrorKind.STOPPED, "the scheduler was cancelled")
        self.halted = failure
        for job in list(self.roster.alive):
            if not job.done():
                self._worker.park(job, failure, durable=job.record.state is not JobState.QUEUED)


def _key_reused(job: Job[Message]) -> Failed:
    return Failed(
        loop_time(),
        failure_of(
            ErrorKind.INVALID_REQUEST, f"the key {job.key!r} stands for another request in this journal"
        ),
    )
