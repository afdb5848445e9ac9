"""The running scheduler: wires intake, dispatcher, worker and recorder, and knows every job alive.

Flow: submit -> intake (journal) -> dispatcher (due? budget? slot?) -> worker -> recorder -> close.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc

from headway.core.error_kind import ErrorKind
from headway.core.events import Cancelled, Expired, JobEvent, Queued
from headway.core.failure import Failure, failure_of
from headway.core.job import JobState
from headway.core.outcome import Ending
from headway.core.request import Request
from headway.core.scopes import ACCOUNT, DeadScope
from headway.core.usage import Usage
from headway.ports import AlertSink, BudgetKey, BudgetStore, EventSink, Grant, Journal, Stored, Transport
from headway.runtime.amender import Amender, Hooks
from headway.runtime.batches.house import House
from headway.runtime.budget_keys import BudgetKeys
from headway.runtime.clock import loop_time
from headway.runtime.dispatcher import PASSED, Dispatcher
from headway.runtime.fault import internal
from headway.runtime.flow import Flow
from headway.runtime.guarded import guarded
from headway.runtime.guest import Guest
from headway.runtime.handle import Interrupt, Job, Outcome
from headway.runtime.inspector import Inspector
from headway.runtime.intake import Intake
from headway.runtime.known_jobs import KnownJobs
from headway.runtime.lanes import Lanes, Surroundings
from headway.runtime.outages import Outages
from headway.runtime.policies import Policies
from headway.runtime.recorder import Recorder
from headway.runtime.roster import Roster
from headway.runtime.tally import Tally
from headway.runtime.twins import Twins
from headway.runtime.worker import Worker

if TYPE_CHECKING:
    from anthropic.types import Message


class Engine:
    """Everything between a submitted job and its outcome. Lives in one event loop."""

    def __init__(
        self,
        transport: Transport,
        budgets: BudgetStore,
        policies: Policies,
        flow: Flow,
        journal: Journal | None,
        sinks: Sequence[EventSink | AlertSink],
        now: float,
    ) -> None:
        self.tally = Tally(now)
        self.cost_of: Callable[[str, Usage], float | None] = policies.catalog.cost
        self.roster = Roster()
        self._transport = transport
        self._recorder = Recorder(journal, (self.tally, *sinks))
        self.dispatcher = Dispatcher(
            budgets,
            max_in_flight=flow.bound(transport.connections),
            weights=flow.weights,
            start=self._start,
            expire=self._expire,
        )
        self.paces = self.dispatcher.gate.paces
        dispatcher, recorder, estimator = self.dispatcher, self._recorder, self.dispatcher.estimator
        dispatcher.charge(policies.purse, halt=self.halt, finish=self._finish)
        inspector = self.inspector = Inspector(policies.repair, policies.catalog, estimator)
        keys = self.budget_keys = BudgetKeys(transport.account, policies.catalog)
        hooks = Hooks(self.requeue, self._end, self._expire, self._lost)
        self._amender = Amender(hooks, dispatcher, self.roster, recorder, inspector, policies, keys)
        self.mender = self._amender.mender
        self.dispatcher.before_turn = self._amender.place_cache
        self.heard: Callable[[], None] = self.dispatcher.wake
        self._worker = Worker(transport, recorder, self, policies.retry, self._amender, flow, estimator)
        self.guest: Callable[[Job[Message]], Guest] = partial(Guest, self, self._worker)
        """A place in the queue for a caller that makes the job's attempts itself."""
        self._known = KnownJobs(transport, recorder, self.roster, self.close)
        house = House(self._coming, self.heard, self.halt, self.requeue, self._finish, self._drop)
        around = Surroundings(transport, journal, budgets, dispatcher, recorder, policies)
        self.lanes = Lanes(around, self._worker, house)
        make = partial(
            Intake, accept=self._accept, fail=self.halt, idle=self.lanes.wake, after=self.lanes.undecided.room
        )
        self._intake = make(journal) if journal else None
        self.room = self.lanes.undecided.room if self._intake is None else self._intake.room
        """Waits while so many jobs come in that others have to be looked after first."""
        self._group: anyio.abc.TaskGroup | None = None
        self._twins = Twins(dispatcher.shelf, journal, self._enter, finish=self._end, start=self._run)
        advise = transport.advise
        self.outages = Outages(withdraw=self._empty, park=self._drop, tell=recorder.alert, advise=advise)

    def start(self, group: anyio.abc.TaskGroup) -> None:
        """Begin dispatching in this task group."""
        self._group = group
        runs = {"dispatcher": self.dispatcher.run, "mender": self.mender.run, "batches": self.lanes.run}
        if self._intake is not None:
            runs["intake"] = self._intake.run
        resumed = partial(self.roster.until, lambda: self.outages.halted is None)
        for name, run in runs.items():
            group.start_soon(guarded, run, self.halt, resumed, name=f"headway {name}")

    @property
    def queued(self) -> int:
        """Jobs accepted and not running."""
        entering = 0 if self._intake is None else len(self._intake)
        return self.dispatcher.queued + len(self.mender) + len(self.lanes) + entering

    def _coming(self) -> bool:
        """Jobs are on their way in that are not in any queue yet."""
        return len(self.mender) > 0 or (self._intake is not None and self._intake.busy)

    def submit(self, job: Job[Message]) -> None:
        """Take a job in."""
        first = self.roster.enter(job, keyed=self._intake is not None and job.guest is None)
        if first is not None:
            self._known.follow(job, first)
        elif self.outages.halted is not None:
            self._worker.park(job, self.outages.halted, durable=False)
        elif self._intake is None or job.guest is not None:
            self._accept(job, None)
        else:
            self._intake.put(job)

    def _accept(self, job: Job[Message], stored: Stored | None) -> None:
        """The journal has entered the job, or says what it knows of it."""
        if stored is not None and stored.same_request and stored.ending is not None:
            self._known.restore(job, stored.ending)
        elif self.outages.halted is not None:
            self._worker.park(job, self.outages.halted, durable=False)  # queued is what the journal has
        elif stored is not None and not stored.same_request:
            self._known.refuse(job)
        elif job.interrupt is Interrupt.CANCELLED:
            self._finish(job, Cancelled(loop_time()))
        else:
            self._recorder.note(job, Queued(loop_time()), durable=False)
            if not self._twins.takes(job, stored):
                self._enter(job, stored)

    def _enter(self, job: Job[Message], stored: Stored | None) -> None:
        place = stored and stored.place
        rejoin = None if place is None else partial(self.lanes.rejoin, place=place)
        self._amender.enter(job, stored and stored.amendment, rejoin)

    def cancel(self, job: Job[Message]) -> None:
        """The caller takes the job back; it goes on while another handle of it is held."""
        if job.done() or job.interrupt is not None or (last := self._known.let_go(job)) is None:
            return
        job = last
        job.interrupt = Interrupt.CANCELLED
        if self._intake is not None and self._intake.discard(job):  # the journal has not heard of it
            self._known.end(job, Cancelled(loop_time()))
        elif job.scope is None and self._withdraw(job):
            self._finish(job, Cancelled(loop_time()))
        elif self.lanes.abandon(job):
            self._finish(job, Cancelled(loop_time(), sent=True))
        else:
            self._cut(job)

    def _cut(self, job: Job[Message]) -> None:
        """Interrupt a running attempt; a stream that nobody reads must not hold its slot until somebody does."""
        job.interrupt = job.interrupt or Interrupt.STOPPED
        if job.scope is not None:
            job.scope.cancel()
        elif job.guest is not None and job in self.roster.running and self._group is not None:
            self._group.start_soon(job.guest.interrupted)

    def _withdraw(self, job: Job[Message]) -> bool:
        """Take a job out wherever it waits."""
        return self.dispatcher.discard(job) or self.mender.discard(job) or self.lanes.discard(job)

    def _expire(self, job: Job[Message], reason: str = PASSED) -> None:
        self._finish(job, Expired(loop_time(), failure_of(ErrorKind.DEADLINE, reason)))

    def _finish(self, job: Job[Message], event: JobEvent) -> None:
        self._run(partial(self._end, job, event))

    def _run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        assert self._group is not None
        self._group.start_soon(work)

    async def _end(self, job: Job[Message], event: JobEvent) -> None:
        await self._worker.finish(job, event)

    def _start(self, job: Job[Message], grant: Grant) -> None:
        self.roster.begin(job)
        if job.guest is not None:
            job.guest.take(grant)
        else:
            self._run(partial(self._attempt, job, grant))

    def attempt_over(self, job: Job[Message], key: BudgetKey | None = None) -> None:
        """A slot is free, and a budget (by default the job's) has learned something."""
        self.dispatcher.ended(job, key or job.budget_key)
        self.lanes.reconsider()
        self.roster.end(job)

    async def _attempt(self, job: Job[Message], grant: Grant) -> None:
        key = job.budget_key  # another one afterwards, if the job goes on with another model
        try:
            await self._worker.run(job, grant)
        except Exception as error:  # noqa: BLE001 - a fault of ours ends one job, and says where
            failure = internal(error, f"internal error on job {job.key}")
            if not job.done():
                self._worker.park(job, failure, durable=False, sent=True)
        finally:
            grant.forfeit(loop_time())  # does nothing unless a fault left it open
            self.attempt_over(job, key)

    # What the worker reports (Desk).

    def requeue(self, job: Job[Message]) -> None:
        """The job waits for its next attempt; once its scope is dead there will be none, save on another model."""
        while (failure := self.outages.failure_for(job)) is not None:
            if not self._amender.escape(job, failure):
                self._drop(job, failure)
                return
        if not self.lanes.take(job):
            self.dispatcher.push(job)

    def close(self, job: Job[Message], ending: Ending, message: Message | None) -> None:
        """The job has ended."""
        record = job.record
        outcome = Outcome(ending, record.request, message, record.attempts, findings=job.findings)
        self.roster.resolve(job, outcome)
        self.lanes.reconsider()
        if record.amendment.tools and self._group is not None:
            self.roster.cleaning.add(job)
            self._group.start_soon(self._amender.clean_up, job)

    def halt(self, failure: Failure) -> None:
        """Send nothing more: the queued jobs end resumably, those in flight finish."""
        self.outages.stop(ACCOUNT, failure)
        self.roster.notify()

    def stop_scope(self, job: Job[Message], failure: Failure) -> Failure | None:
        """Send nothing more to what this failure of a job concerns; gives the failure that is to be told.
        ``None``: this desk ends the job, as soon as it knows what to say; no slot waits for that."""
        told = self.outages.stop_for(failure, job.record.sending)
        if told is None:
            self._run(partial(self._end_advised, job, failure))
        self.roster.notify()
        return told

    def _lost(self, model: Request, failure: Failure) -> None:
        """A job goes on with another model because the one of this request is gone: no other job need ask."""
        if self._group is not None and self.outages.lose(failure, model):
            self._group.start_soon(self.outages.advised, failure, model)

    async def _end_advised(self, job: Job[Message], failure: Failure) -> None:
        await self._worker.give_up(job, await self.outages.advised(failure, job.record.sending))
        self.roster.notify()

    def _empty(self, dead: DeadScope) -> list[Job[Message]]:
        if dead != ACCOUNT:  # the intake's come later: the journal may have finished them already
            waiting = self.dispatcher.withdraw(lambda job: dead.concerns(job.record.sending))
            waiting += self.lanes.withdraw(lambda job: dead.concerns(job.record.sending))
            return self._amender.left_behind(waiting, self.outages.scopes.failures[dead])
        waiting = self.dispatcher.clear() + self.mender.stop() + self.lanes.clear()
        return waiting + (self._intake.clear() if self._intake else [])

    def _drop(self, job: Job[Message], failure: Failure) -> None:
        """End a job that was taken out of the queue."""
        if self._group is not None and (job.record.amendment.held or job.interrupt is Interrupt.CANCELLED):
            self._group.start_soon(self._worker.give_up, job, failure)
        else:
            self._worker.park(job, failure, durable=job.record.state is not JobState.QUEUED)

    def resume(self, dead: DeadScope | None = None) -> None:
        """Send again, to one dead scope or to all, after the cause is mended."""
        self.outages.resume(dead)
        self.dispatcher.wake()
        self.roster.notify()

    def abort(self) -> None:
        """Cut off what is in flight; everything unfinished ends resumably."""
        self.halt(failure_of(ErrorKind.STOPPED, "the scheduler was stopped at once"))
        for job in list(self.roster.running):
            self._cut(job)

    def sweep(self) -> None:
        """After the tasks have ended: whatever a cancellation left open gets its outcome."""
        self._group = None
        failure = self.outages.halted or failure_of(ErrorKind.STOPPED, "the scheduler was cancelled")
        self.halt(failure)
        for job in list(self.roster.alive):
            if not job.done():
                self._cut(job)  # a guest's attempt runs in a task that is not ours
                self._worker.park(job, failure, durable=job.record.state is not JobState.QUEUED)
