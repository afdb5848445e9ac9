"""Obeying what is decided about a job's request: repairs before and after sending, follow-ups, other models.

The request as given stays in the record; every amendment is an event, and the job goes back to the queue with
the size and the budget of what is sent now.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from headway.core.amendment import AS_GIVEN, Amendment, Held, Params
from headway.core.cache_prefix import cache_prefixes
from headway.core.change import Change
from headway.core.error_kind import ErrorKind, Scope
from headway.core.events import Cancelled, Continued, JobEvent, Repaired, Rerouted, SetAside
from headway.core.failure import Failure
from headway.core.follow_up import FollowUp, after_failure, after_reply, rerouted
from headway.core.job import JobState
from headway.core.request import Request
from headway.core.tokens import measure
from headway.core.usage import Usage
from headway.ports import BudgetKey
from headway.runtime.budget_keys import BudgetKeys
from headway.runtime.clock import loop_time
from headway.runtime.dispatcher import Dispatcher
from headway.runtime.handle import Interrupt, Job
from headway.runtime.inspector import Inspector
from headway.runtime.mender import Mender
from headway.runtime.overloads import Overloads
from headway.runtime.policies import Policies
from headway.runtime.recorder import Recorder
from headway.runtime.roster import Roster
from headway.runtime.workbench import Workbench

if TYPE_CHECKING:
    from anthropic.types import Message


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the engine does with a job that was amended, or could not be."""

    requeue: Callable[[Job[Message]], None]
    finish: Callable[[Job[Message], JobEvent], Awaitable[None]]
    """End a job that is not running any more."""
    expire: Callable[[Job[Message]], None]
    lost: Callable[[Request, Failure], None]
    """The model of this request is gone; its job goes on with another."""


class Amender:
    """Amends the requests of jobs."""

    def __init__(
        self,
        hooks: Hooks,
        dispatcher: Dispatcher,
        roster: Roster,
        recorder: Recorder,
        inspector: Inspector,
        policies: Policies,
        keys: BudgetKeys,
    ) -> None:
        self._hooks = hooks
        self._dispatcher = dispatcher
        self._roster = roster
        self._recorder = recorder
        self._inspector = inspector
        self._policies = policies
        self._keys = keys
        self._overloads = Overloads()
        self._workbench = Workbench(inspector, policies.tools, policies.count)
        self.mender = Mender(self._mend, done=self._obey, expire=hooks.expire)

    def enter(
        self,
        job: Job[Message],
        stored: Amendment | None,
        rejoin: Callable[[Job[Message]], None] | None = None,
    ) -> None:
        """A new job goes to the queue, mended first where that was asked for; or to where it is already.

        ``stored`` is what an earlier process had made of its request. It counts, unless a tool took part:
        what a tool did (an upload) may be gone, so the repairs are made again from the request as given.
        """
        if rejoin is not None:  # what was sent is sent
            job.record = replace(job.record, amendment=stored or AS_GIVEN)
            rejoin(job)
            return
        if stored is not None and stored.params is not None and not stored.tools:
            job.record = replace(job.record, amendment=stored)
            self._refit(job)
            self._hooks.requeue(job)
            return
        if stored is not None:
            spent = replace(AS_GIVEN, held=stored.held, spent=stored.spent, cost=stored.cost)
            job.record = replace(job.record, amendment=spent)
        if job.mended is not None:
            # Not durable: another process finds the same again in the request as given.
            event = Repaired(loop_time(), job.mended.body, job.mended.changes)
            self._recorder.note(job, event, durable=False)
            job.mended = None
        if job.guest is None and self._workbench.has_work(job):
            self.mender.put(job)
        else:
            self._hooks.requeue(job)

    async def clean_up(self, job: Job[Message]) -> None:
        """The job has ended: its tools remove what they made for it."""
        try:
            await self._workbench.release(job.record.amendment)
        finally:
            self._roster.cleaned(job)

    def place_cache(self, job: Job[Message]) -> None:
        """Just before it is sent, when the jobs around it are known: a breakpoint where they begin to differ."""
        record, placer = job.record, job.terms.placer
        if placer is None or record.state is not JobState.QUEUED:
            return
        placed = self._inspector.place_cache(record.sending.params, placer)
        if placed.changes:
            # Not durable: nothing is lost with it.
            self._recorder.note(job, Repaired(loop_time(), placed.body, placed.changes), durable=False)
            self._refit(job)

    def may_repair(self, job: Job[Message], failure: Failure) -> bool:
        """A repair that was asked for may help against this failure. (A guest sends its own request.)"""
        return job.guest is None and self._inspector.may_help(job.record.amendment, failure, job.terms.repair)

    async def repair(self, job: Job[Message], failure: Failure) -> None:
        """The API refused the request: mend it and queue it again, or end the job with that refusal."""
        record = job.record
        tools = self._inspector.tools_after(
            record.sending.params, record.amendment, failure, job.terms.repair
        )
        if tools:
            self._recorder.note(job, SetAside(loop_time(), failure))
            self.mender.put(job, failure)
            return
        await self._obey(job, self._workbench.mend_at_once(job, failure))

    async def follow(self, job: Job[Message], answer: Held, usage: Usage, cost: float | None) -> bool:
        """A complete answer came: send what follows it; false when nothing does."""
        self._overloads.answered(job.budget_key)
        policy = self._follow_up_of(job)
        if policy is None or job.interrupt is not None:
            return False
        sequel = after_reply(policy, job.record, answer, self._policies.catalog)
        if sequel is None:
            return False
        params, changes = self._fitted(job, sequel.params, sequel.changes)
        event = Continued(loop_time(), params, changes, sequel.held, usage, sequel.partial, cost)
        await self._recorder.commit(job, event)  # it was paid for: no crash may forget it
        self._refit(job)
        await self._go_on(job)
        return True

    def reroute(self, job: Job[Message], failure: Failure) -> bool:
        """Go on with another model, if the failure is the model's and the job names one; false otherwise.

        The jobs that wait for the same model go along, as far as they name another one too.
        """
        now, key, asked = loop_time(), job.budget_key, job.record.sending
        overloaded = self._overloads.refused(key, now) if failure.kind is ErrorKind.OVERLOADED else 0.0
        moved = self.escape(job, failure, overloaded)
        if moved and failure.kind is ErrorKind.NOT_FOUND:
            self._hooks.lost(asked, replace(failure, scope=Scope.MODEL))
        if moved:
            self._hooks.requeue(job)
        if overloaded:
            self._evacuate(key, failure, overloaded)
        return moved

    def escape(self, job: Job[Message], failure: Failure, overloaded: float = 0.0) -> bool:
        """Make it a job of the next model that it names, if its own has failed so; to be queued by the caller."""
        model = self._next_model(job, failure, overloaded)
        if model is not None:
            self._take(job, self._elsewhere(job, model, failure))
        return model is not None

    def left_behind(self, jobs: Sequence[Job[Message]], failure: Failure) -> list[Job[Message]]:
        """Of jobs taken out of the queue those that name no other model. The others get their requests for theirs
        where jobs are mended, a few at a time: there may be a hundred thousand."""
        left: list[Job[Message]] = []
        for job in jobs:
            if self._next_model(job, failure) is None:
                left.append(job)
            else:
                self.mender.put(job, failure)
        return left

    def _evacuate(self, key: BudgetKey, failure: Failure, overloaded: float) -> None:
        """Jobs behind an open circuit never hear a 529 themselves."""
        if not self._overloads.sweep(key, loop_time()):
            return
        for job in self._roster.waiting_for(key):
            if self._next_model(job, failure, overloaded) and self._dispatcher.discard(job):
                self.mender.put(job, failure)

    def _next_model(self, job: Job[Message], failure: Failure, overloaded: float = 0.0) -> str | None:
        policy = self._follow_up_of(job)
        if policy is None or not policy.fallback_models or job.interrupt is not None:
            return None
        return after_failure(policy, job.record, failure, overloaded)

    async def _mend(self, job: Job[Message], failure: Failure | None) -> JobEvent:
        """What becomes of a job that was set aside: another request for another model, or what tools make of it."""
        # A job with a 529 is only here because its model has been overloaded for long enough.
        model = None if failure is None else self._next_model(job, failure, math.inf)
        if failure is not None and model is not None:
            return self._elsewhere(job, model, failure)
        return await self._workbench.mend(job, failure)

    def _elsewhere(self, job: Job[Message], model: str, failure: Failure) -> Rerouted:
        reason = "the model does not exist" if failure.kind is ErrorKind.NOT_FOUND else "overloaded for long"
        params, changes = self._fitted(job, *rerouted(job.record, model, reason))
        return Rerouted(loop_time(), params, changes, failure)

    def _take(self, job: Job[Message], event: Repaired | Rerouted) -> None:
        """The job has another request."""
        self._recorder.note(job, event)
        self._refit(job)

    def _fitted(
        self, job: Job[Message], params: Params, changes: tuple[Change, ...]
    ) -> tuple[Params, tuple[Change, ...]]:
        """A request for another model, mended for it as far as the policy allows."""
        if params.get("model") == job.record.sending.model:
            return params, changes
        mended = self._inspector.mend_for_model(params, job.terms.repair)
        return mended.body, (*changes, *mended.changes)

    async def _obey(self, job: Job[Message], event: JobEvent) -> None:
        """A repair is over: the job is queued with its new request, or ends."""
        if not isinstance(event, Repaired | Rerouted):
            await self._hooks.finish(job, event)
            return
        if event.changes:
            self._take(job, event)
        self._hooks.requeue(job)

    async def _go_on(self, job: Job[Message]) -> None:
        """Back to the queue, unless the caller took the job back while its answer was written down."""
        if job.interrupt is Interrupt.CANCELLED:
            await self._hooks.finish(job, Cancelled(loop_time()))
        else:
            self._hooks.requeue(job)

    def _refit(self, job: Job[Message]) -> None:
        """Size and budget follow the request; a job keeps its place unless its budget is another one."""
        sending = job.record.sending
        job.size = measure(sending.params)
        job.prefixes = cache_prefixes(sending.params, self._policies.catalog) if job.size.cached else ()
        key = self._keys.of(sending)
        if key != job.budget_key:
            job.move(key)
        job.entry.not_before = 0.0

    def _follow_up_of(self, job: Job[Message]) -> FollowUp | None:
        if job.guest is not None:
            return None
        return self._policies.follow_up if job.terms.follow_up is None else job.terms.follow_up
