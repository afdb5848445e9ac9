"""A job whose attempts are made by its caller: a stream, or a call through a client of the user's.

It stands in the same queue as every job, takes its budget in the same way, and the worker decides after
each attempt as for every job; only the sending (of ``job.record.sending``) happens in the caller's own task.
Its request may be mended before it is sent; tools, repairs after a refusal and follow-ups are not for guests.
It is not journalled: there is nobody to hand its answer to after a crash.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

import anyio

from headway.core.job import JobState
from headway.core.usage import NO_USAGE, Usage
from headway.ports import Grant, Rejection, Reply
from headway.runtime.clock import loop_time
from headway.runtime.handle import Interrupt, Job
from headway.runtime.worker import Worker

if TYPE_CHECKING:
    from anthropic.types import Message


class Host(Protocol):
    """The engine, as a guest sees it."""

    def submit(self, job: Job[Message]) -> None:
        """Take the job in."""
        ...

    def cancel(self, job: Job[Message]) -> None:
        """The caller takes the job back."""
        ...

    def attempt_over(self, job: Job[Message]) -> None:
        """A slot is free again."""
        ...


class Guest:
    """One caller's place among the jobs.

    ``await turn()`` gives the grant of the next attempt. Every turn ends with `finish`, which says whether
    there will be another one, or with `leave` when the caller goes away. A job that has ended by itself
    (deadline, stop, cancel, given up) raises its error from `turn`.
    """

    def __init__(self, host: Host, worker: Worker, job: Job[Message]) -> None:
        self.job = job
        self._host = host
        self._worker = worker
        self._grant: Grant | None = None
        self._entered = False
        self._gone = False
        self._news = anyio.Event()
        self.when_interrupted: Callable[[], Awaitable[None]] | None = None
        """Called when the job is cut off during a turn, for a caller that may be elsewhere: it is to `leave`."""
        job.guest = self
        job.add_done_callback(lambda _: self._news.set())

    def take(self, grant: Grant) -> None:
        """The dispatcher gives the job its turn; one whose caller has left meanwhile gives it back."""
        self._grant = grant
        self._news.set()
        if self._gone:
            self._give_back(None, sent=False)

    async def interrupted(self) -> None:
        """The job was cut off during a turn."""
        if self.when_interrupted is not None:
            await self.when_interrupted()

    async def turn(self) -> Grant:
        """Wait for the next attempt's grant; a slot is held from here to `finish` or `leave`.

        Raises the job's `JobFailedError` or `JobCancelledError` when it ends before its turn comes.
        """
        self.job.require_home()
        if not self._entered:
            self._entered = True
            self._host.submit(self.job)
        try:
            while self._grant is None and not self.job.done():
                self._news = anyio.Event()
                await self._news.wait()
        except BaseException:
            await self.leave()
            raise
        grant = self._grant
        if grant is None:
            outcome = self.job.peek()
            assert outcome is not None
            outcome.result()  # raises: a job without a turn did not succeed
        assert grant is not None
        await self._worker.begin(self.job)
        return grant

    @staticmethod
    def now() -> float:
        """Loop time, seconds."""
        return loop_time()

    async def finish(self, result: Reply | Rejection, *, continued: bool = False, last: bool = False) -> bool:
        """End the attempt: the grant is settled, the worker decides and records. True: there will be another
        turn. ``continued``: broken attempts of the same answer came before. ``last``: no
        other turn is wanted, whatever failed; and nothing is stopped because of it."""
        grant, self._grant = self._grant, None
        assert grant is not None, "a turn ends once"
        if self.job.done():  # the scheduler was closed over it
            if isinstance(result, Rejection):
                self._pay_broken(result.usage)
            _end(grant, result.usage, sent=True)
            self._host.attempt_over(self.job)
            return False
        try:
            await self._worker.conclude(self.job, grant, result, continued=continued, last=last)
        finally:
            self._host.attempt_over(self.job)
        if self.job.record.state is JobState.RUNNING:  # it will end: the host asks what to say of its model
            await self.job.outcome()
        return not self.job.done()

    async def leave(self, used: Usage | None = None, *, sent: bool = False) -> None:
        """Go away: the grant is given back (``used``: what is known to have been used when the request was
        ``sent``), and the job ends as what cut it off says: cancelled, stopped or expired."""
        if self._grant is None:
            self._gone = True  # a turn may be on its way
            self._host.cancel(self.job)
        else:
            self._give_back(used, sent=sent)

    def _pay_broken(self, used: Usage | None) -> None:
        if used is not None and self.job.payment is not None:
            self.job.payment.pay_broken(used)

    def _give_back(self, used: Usage | None, *, sent: bool) -> None:
        grant, self._grant = self._grant, None
        assert grant is not None
        self._pay_broken(used)
        _end(grant, used, sent=sent)
        try:
            if not self.job.done():
                late = self.job.record.deadline is not None and self.job.record.deadline <= loop_time()
                if self.job.interrupt is None and not late:
                    self.job.interrupt = Interrupt.CANCELLED
                self._worker.cut(self.job, used or NO_USAGE, sent=sent)
        finally:
            self._host.attempt_over(self.job)


def _end(grant: Grant, used: Usage | None, *, sent: bool) -> None:
    """End the grant of an attempt that nobody follows to its end."""
    now = loop_time()
    if used is not None:
        grant.settle(used, now)
    elif sent:
        grant.forfeit(now)
    else:
        grant.release(now)
