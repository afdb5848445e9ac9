"""One attempt: send, understand, obey the decision. The only place that acts on `RetryPolicy.decide`."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from headway.core.amendment import Held
from headway.core.error_kind import ErrorKind, Scope
from headway.core.events import (
    Cancelled,
    Copied,
    Expired,
    Failed,
    JobEvent,
    Kept,
    Parked,
    RetryScheduled,
    Started,
    Succeeded,
)
from headway.core.failure import Failure, failure_of
from headway.core.follow_up import kept, whole_body
from headway.core.lane import Lane
from headway.core.limits import LimitReport
from headway.core.retry import GiveUp, Repair, Retry, RetryPolicy
from headway.core.retry_quota import RetryQuota
from headway.core.tokens import TokenEstimator
from headway.core.usage import NO_USAGE, Usage
from headway.errors import JournalError
from headway.ports import Grant, Rejection, Reply, Transport
from headway.runtime.clock import loop_time
from headway.runtime.desk import Amends, Desk
from headway.runtime.ending_event import ending_event
from headway.runtime.fault import internal, is_fault
from headway.runtime.flow import Flow
from headway.runtime.grants import end_grant
from headway.runtime.handle import Interrupt, Job
from headway.runtime.recorder import Recorder

if TYPE_CHECKING:
    from anthropic.types import Message


class Worker:
    """Runs attempts. It holds no state of a job: that lives in the job's record."""

    def __init__(
        self,
        transport: Transport,
        recorder: Recorder,
        desk: Desk,
        policy: RetryPolicy,
        amends: Amends,
        flow: Flow,
        estimator: Callable[[str], TokenEstimator],
    ) -> None:
        self._transport = transport
        self._recorder = recorder
        self._desk = desk
        self._policy = policy
        self._amends = amends
        self._quota = RetryQuota(loop_time())
        self._flow = flow
        self._estimator = estimator
        self._random: Callable[[], float] = random.random

    async def run(self, job: Job[Message], grant: Grant) -> None:
        """One attempt of a job that holds a grant; the grant is ended here whatever happens."""
        result: Reply | Rejection | None = None
        sent = False
        try:
            with anyio.CancelScope(deadline=_deadline(job)) as scope:
                job.scope = scope
                if job.interrupt is not None:
                    scope.cancel()
                await self.begin(job)
                await checkpoint_if_cancelled()
                sent = True
                result = await self._send(job, grant)
        except JournalError as error:
            self._desk.halt(failure_of(ErrorKind.JOURNAL, str(error)))
            job.interrupt = Interrupt.STOPPED
        except anyio.get_cancelled_exc_class():
            self.park(job, failure_of(ErrorKind.STOPPED, "the scheduler was cancelled"), sent=sent)
            raise
        finally:
            job.scope = None
            if result is None:
                now = loop_time()
                if sent:
                    grant.forfeit(now)
                else:
                    grant.release(now)
        await self.conclude(job, grant, result, sent=sent)

    async def conclude(
        self,
        job: Job[Message],
        grant: Grant,
        result: Reply | Rejection | None,
        *,
        sent: bool = True,
        continued: bool = False,
        last: bool = False,
    ) -> None:
        """Understand how an attempt ended (``None``: it was cut off), and obey what is decided about it.

        ``continued``: broken attempts at the same answer came before (a stream that was resumed). ``last``: who
        asked decides about retries itself, so a failure ends the job and halts nothing.
        """
        try:
            if result is None:
                await self._conclude(job, self._cut_off(job, sent=sent), None)
            elif isinstance(result, Reply):
                await self._succeed(job, grant, result, continued=continued)
            else:
                await self._fail(job, grant, result, last=last)
        except JournalError as error:
            self._desk.halt(failure_of(ErrorKind.JOURNAL, str(error)))
            self.park(job, failure_of(ErrorKind.JOURNAL, str(error)), durable=False)

    async def begin(self, job: Job[Message]) -> None:
        """An attempt is about to be sent; what a journal has to know of it is committed on return."""
        await self._recorder.commit(job, Started(loop_time()))
        if len(job.record.attempts) == 1:
            self._quota.first_send(loop_time())

    def cut(self, job: Job[Message], used: Usage, *, sent: bool) -> None:
        """End a job whose own caller went away in the middle of an attempt that had used so much."""
        cost = 0.0 if used == NO_USAGE else self._desk.cost_of(job.record.sending.model, used)
        event = replace(self._cut_off(job, sent=sent), usage=used, cost=cost)
        ending = self._recorder.note(job, event)
        assert ending is not None
        self._desk.close(job, ending, None)

    async def _send(self, job: Job[Message], grant: Grant) -> Reply | Rejection:
        request = job.record.sending
        seconds = self._flow.timeout_for(request.max_tokens)
        with anyio.move_on_after(seconds):
            try:
                on_headers = partial(self._hear, grant) if grant.scout else None
                return await self._transport.send(request, streamed=_streamed(job), on_headers=on_headers)
            except BaseException as error:  # transports return failures; what they raise is a fault
                if not is_fault(error):
                    raise
                if isinstance(error, anyio.get_cancelled_exc_class()):
                    return Rejection(failure_of(ErrorKind.DISCONNECTED, "the client's call was cancelled"))
                return Rejection(internal(error, f"the transport failed on job {job.key}"))
        return Rejection(failure_of(ErrorKind.ATTEMPT_TIMEOUT, f"no answer within {seconds:g} s"))

    def _hear(self, grant: Grant, report: LimitReport) -> None:
        """A scout's headers came: there may be room for more."""
        grant.observe(report, loop_time())
        self._desk.heard()

    def _cut_off(self, job: Job[Message], *, sent: bool) -> Cancelled | Parked | Expired:
        """What an interrupted attempt means: cancelled by the caller, stopped by us, or out of time."""
        now = loop_time()
        if job.interrupt is Interrupt.CANCELLED:
            return Cancelled(now, sent)
        if job.interrupt is Interrupt.STOPPED:
            return Parked(now, failure_of(ErrorKind.STOPPED, "the scheduler stopped"), sent)
        return Expired(now, failure_of(ErrorKind.DEADLINE, "the deadline passed during an attempt"), sent)

    async def _succeed(self, job: Job[Message], grant: Grant, reply: Reply, *, continued: bool) -> None:
        now = loop_time()
        grant.observe(reply.report, now)
        grant.settle(reply.usage, now)
        self._quota.answered(now)
        request = job.record.sending
        if not continued:  # else it may have answered a continuation, which is longer
            self._estimator(request.model).learn(job.size, reply.usage)
        usage, cost = reply.usage, self._desk.cost_of(request.model, reply.usage)
        answer = Held(whole_body(job.record, reply.body), reply.stop_reason, reply.request_id)
        if await self._amends.follow(job, answer, usage, cost):
            return
        message = reply.message if answer.body is reply.body else self._transport.revive(answer.body, request)
        event = Succeeded(now, answer.body, usage, reply.stop_reason, reply.request_id, cost)
        await self._conclude(job, event, message)

    async def _fail(self, job: Job[Message], grant: Grant, rejection: Rejection, *, last: bool) -> None:
        now, jitter = loop_time(), self._random()
        failure = rejection.failure
        if (
            job.payment is not None
            and not failure.row.billed
            and (rejection.usage is not None or failure.maybe_billed)
        ):
            job.payment.pay_broken(rejection.usage or NO_USAGE)
        budget_wait = end_grant(grant, rejection, now, jitter)
        if job.interrupt is not None:
            sent = failure.maybe_billed or failure.row.billed
            await self._conclude(job, self._cut_off(job, sent=sent), None)
            return
        if not last and self._amends.reroute(job, failure):
            return
        # The quota is there against storms of live retries, and the gate paces those of an outage.
        paced = self._desk.paces(job, failure)
        excused = paced and not failure.maybe_billed
        free = paced or failure.row.throttle or failure.row.billed or job.record.lane is Lane.BATCH
        usage, cost = self._charged(job, rejection)
        decision = (
            GiveUp(failure)
            if last
            else self._policy.decide(
                failure,
                job.record.attempts,
                now,
                deadline=job.record.deadline,
                jitter=jitter,
                budget_wait=budget_wait,
                quota_wait=0.0 if free else self._quota.wait(now),
                repairable=self._amends.may_repair(job, failure),
                excused=excused,
            )
        )
        match decision:
            case Retry(not_before=not_before):
                event = RetryScheduled(now, failure, not_before, usage, cost, excused)
                if failure.row.billed:  # no crash may forget it
                    await self._recorder.commit(job, event)
                else:
                    if not free:
                        self._quota.take(now)
                    self._recorder.note(job, event)
                job.entry.not_before = not_before
                self._desk.requeue(job)
            case Repair():
                await self._amends.repair(job, failure)
            case GiveUp(failure=final):
                alone = last or final.scope is Scope.JOB
                told = final if alone else self._desk.stop_scope(job, final)
                if told is not None:
                    sent = failure.maybe_billed  # `told` may be that the deadline comes before a retry
                    failed = Failed(now, told, usage, cost)
                    event = failed if last else ending_event(job, told, usage, cost, sent=sent)
                    await self._conclude(job, event, None)

    def _charged(self, job: Job[Message], rejection: Rejection) -> tuple[Usage, float | None]:
        """What is known to have been billed for an answer that does not serve, or for a part of one. A whole one
        says as much of its prompt as any."""
        usage, model = rejection.usage, job.record.sending.model
        if usage is None:
            return NO_USAGE, 0.0
        if rejection.failure.row.billed:
            self._estimator(model).learn(job.size, usage)
        return usage, self._desk.cost_of(model, usage)

    async def _conclude(self, job: Job[Message], event: JobEvent, message: Message | None) -> None:
        event = kept(job.record, event)
        ending = await self._recorder.commit(job, event)
        assert ending is not None
        if isinstance(event, Kept | Copied) and ending.body is not None:
            message = self._transport.revive(ending.body, job.record.request)
        self._desk.close(job, ending, message)

    async def give_up(self, job: Job[Message], failure: Failure) -> None:
        """End a job whose attempt is over, with what was found out since."""
        sent = failure.maybe_billed
        event = self._cut_off(job, sent=sent) if job.interrupt else ending_event(job, failure)
        await self.finish(job, event)

    async def finish(self, job: Job[Message], event: JobEvent) -> None:
        """End a job that is not running."""
        try:
            await self._conclude(job, event, None)
        except JournalError as error:
            failure = failure_of(ErrorKind.JOURNAL, str(error))
            self._desk.halt(failure)
            self.park(job, failure, durable=False)

    def park(self, job: Job[Message], failure: Failure, *, durable: bool = True, sent: bool = False) -> None:
        """End a job here and now because we stop: it stays queued in the journal, or in its batch."""
        if job.record.in_batch:
            durable, sent = False, sent or not self._recorder.journalled
        ending = self._recorder.note(job, Parked(loop_time(), failure, sent), durable=durable)
        assert ending is not None
        self._desk.close(job, ending, None)


def _deadline(job: Job[Message]) -> float:
    return float("inf") if job.record.deadline is None else job.record.deadline


def _streamed(job: Job[Message]) -> bool:
    """A plain answer has taken too long once: the next ones come as a stream."""
    return any(attempt.failure is not None and attempt.failure.row.streams for attempt in job.attempts)
