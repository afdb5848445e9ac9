"""Where jobs wait for tools: a few are mended at a time, and none of them holds a slot or a budget."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import anyio
import anyio.abc

from headway.core.error_kind import ErrorKind
from headway.core.events import Cancelled, Expired, Failed, JobEvent, Parked
from headway.core.failure import Failure, failure_of
from headway.core.queue import FairQueue
from headway.core.queue_entry import Entry
from headway.runtime.clock import loop_time
from headway.runtime.fault import internal, is_fault
from headway.runtime.handle import Interrupt, Job
from headway.runtime.rounds import Rounds

if TYPE_CHECKING:
    from anthropic.types import Message

MOST: Final = 8
"""Jobs mended at a time: bodies are large, and each tool bounds what it does by itself."""

Mend = Callable[["Job[Message]", Failure | None], Awaitable[JobEvent]]
"""Mends a job (after a refusal, or before its first attempt) and says what came of it."""


class Mender:
    """Gives every job that needs a tool its turn: priority, fair share and deadlines as in every queue."""

    def __init__(
        self,
        mend: Mend,
        *,
        done: Callable[[Job[Message], JobEvent], Awaitable[None]],
        expire: Callable[[Job[Message]], None],
    ) -> None:
        self._mend = mend
        self._done = done
        self._expire = expire
        self._queue: FairQueue[Job[Message]] = FairQueue()
        self._waiting: dict[Job[Message], tuple[Entry[Job[Message]], Failure | None]] = {}
        self._active: set[Job[Message]] = set()
        self._rounds = Rounds(self._round)
        self.run = self._rounds.run
        """Mends jobs until cancelled."""

    def __len__(self) -> int:
        return len(self._waiting) + len(self._active)

    def put(self, job: Job[Message], failure: Failure | None = None) -> None:
        """A job to be mended, before its first attempt or after a refusal."""
        record = job.record
        entry = Entry(job, priority=record.priority, tenant=record.tenant, deadline=record.deadline)
        self._waiting[job] = (entry, failure)
        self._queue.push(entry, loop_time())
        self._rounds.wake()

    def discard(self, job: Job[Message]) -> bool:
        """Take out a job that waits; false if it does not (one being mended is cut off by its scope)."""
        found = self._waiting.pop(job, None)
        return found is not None and self._queue.discard(found[0])

    def stop(self) -> list[Job[Message]]:
        """Take out all that wait, and cut off what is being mended."""
        waiting = list(self._waiting)
        self._waiting.clear()
        self._queue.clear()
        for job in self._active:
            if job.interrupt is None:
                job.interrupt = Interrupt.STOPPED
            if job.scope is not None:
                job.scope.cancel()
        return waiting

    def _round(self, group: anyio.abc.TaskGroup) -> float:
        """Start what may be started; returns when to look again."""
        now = loop_time()
        for entry in self._queue.expired(now):
            del self._waiting[entry.item]
            self._expire(entry.item)
        while len(self._active) < MOST and (entry := self._queue.pop(now)) is not None:
            job = entry.item
            _, failure = self._waiting.pop(job)
            self._active.add(job)
            group.start_soon(self._one, job, failure)
        event = self._queue.next_event(now)
        return float("inf") if event is None else event

    async def _one(self, job: Job[Message], failure: Failure | None) -> None:
        event: JobEvent | None = None
        deadline = job.record.deadline
        try:
            with anyio.CancelScope(deadline=float("inf") if deadline is None else deadline) as scope:
                job.scope = scope
                if job.interrupt is not None:
                    scope.cancel()
                event = await self._mend(job, failure)
        except BaseException as error:
            if not is_fault(error):
                raise
            event = Failed(loop_time(), internal(error, f"a repair failed on job {job.key}"))
        finally:
            job.scope = None
            self._active.discard(job)
            self._rounds.wake()
        await self._done(job, _cut_off(job) if event is None else event)


def _cut_off(job: Job[Message]) -> JobEvent:
    """What an interrupted repair means. Nothing was sent."""
    now = loop_time()
    if job.interrupt is Interrupt.CANCELLED:
        return Cancelled(now)
    if job.interrupt is Interrupt.STOPPED:
        return Parked(now, failure_of(ErrorKind.STOPPED, "the scheduler stopped"))
    return Expired(now, failure_of(ErrorKind.DEADLINE, "the deadline passed during a repair"))
