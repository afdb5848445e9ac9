"""The batch lane: half the price, within a day.

Flow: put -> collector -> batch (intent journalled, created, name journalled) -> looked at until it has ended ->
results -> worker (as for every answer) -> close, or back to a lane. A batch outlives this process: a job whose
journal says that it is in one comes back by `rejoin`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

import anyio
import anyio.abc

from headway.core.error_kind import ErrorKind
from headway.core.events import Batched, Expired, RetryScheduled
from headway.core.failure import Failure, failure_of
from headway.core.lane import Lane
from headway.errors import BatchCallError, JournalError
from headway.ports import BatchPlace
from headway.preflight.batch import sendable_bytes
from headway.runtime.batches.archive import AT_ONCE
from headway.runtime.batches.calls import BatchCalls
from headway.runtime.batches.collector import Collector
from headway.runtime.batches.departures import Departures
from headway.runtime.batches.house import House, LaneParts
from headway.runtime.batches.life import BatchLife
from headway.runtime.batches.maker import BatchMaker, Division
from headway.runtime.batches.money import BatchMoney
from headway.runtime.batches.open_batch import OpenBatch
from headway.runtime.batches.results import ResultReader
from headway.runtime.clock import loop_time
from headway.runtime.handle import Job
from headway.runtime.rounds import Rounds

if TYPE_CHECKING:
    from anthropic.types import Message

log: Final = logging.getLogger("headway")
PASSED: Final = "the deadline passed before the batch had ended"
NEAR: Final = "the batch had not ended when the deadline came near: sent live"
TOGETHER: Final = 600.0
"""A batch is cancelled for jobs that have to leave it if the last of them has to within so many seconds."""
ROOM: Final = 64
"""Bytes of a ``custom_id``, which an item is measured without."""
BREAKPOINT: Final = 128
"""Bytes of a breakpoint that is placed when the batch is made, and of the block that is split for it."""


class BatchLane:
    """All jobs that go by batch. Lives in one event loop."""

    def __init__(self, parts: LaneParts, house: House) -> None:
        self._parts = parts
        self._house = house
        self._calls = calls = BatchCalls(parts.transport, parts.retry)
        self._money = BatchMoney(parts.till)
        archive = self._archive = parts.archive
        maker = BatchMaker(
            calls, parts.ledger, self._money, parts.recorder, archive, parts.before_turn, self._names
        )
        self.reader = ResultReader(calls, parts.ledger, parts.concluder, self._money, archive)
        self._life = BatchLife(
            calls, parts.ledger, maker, self.reader, parts.batching.quiet, self, house.halt
        )
        self._collector = Collector(parts.batching)
        self._departures = Departures()
        self.batches: dict[str, OpenBatch] = {}
        """By token."""
        self._starting: list[tuple[OpenBatch, Division]] = []
        self._group: anyio.abc.TaskGroup | None = None
        self._hurried = False
        self._rounds = Rounds(self._round)

    def __len__(self) -> int:
        return len(self._collector) + len(self._money.short)

    # Jobs come.

    def put(self, job: Job[Message]) -> None:
        """A job to be put into a batch. Raises `RequestError` for one that no batch can carry."""
        item = self._parts.transport.item("", job.record.sending)
        placed = 0 if job.terms.placer is None else BREAKPOINT
        size = sendable_bytes({"custom_id": "", "params": item.params}) + ROOM + placed
        self._money.appraise(job, item.headers, size)
        self._set_departure(job, 1)
        self._archive.put_away(job)
        self._collector.put(job, item.headers, size, loop_time())
        self._rounds.wake()

    def rejoin(self, job: Job[Message], place: BatchPlace) -> None:
        """A job that an earlier process had put into a batch."""
        batch = self.batches.get(place.batch.token)
        if batch is None:
            batch = OpenBatch(place.batch, fresh=False)
            self._open(batch, Division())
        self._parts.recorder.note(job, Batched(loop_time(), rejoined=True), durable=False)
        batch.add(place.position, job)
        batch.last_rescue = max(batch.last_rescue, self._set_departure(job, place.batch.requests))
        self._money.reopen(job, place.batch.token)
        self._archive.put_away(job, known=True)

    def wake(self, *, ended: bool = False) -> None:
        """Look again: perhaps no more jobs are on their way in, or a batch was created or read. ``ended``: the
        input has; what is here need not wait for more."""
        self._hurried = self._hurried or ended
        self._rounds.wake()

    # Jobs go.

    def discard(self, job: Job[Message]) -> bool:
        """Take out a job that waits to be put into a batch; false if it does not."""
        self._departures.forget(job)
        return self._money.forget(job) or self._collector.discard(job)

    def abandon(self, job: Job[Message]) -> bool:
        """Its result is not wanted any more; false if it is in no batch. A batch that nobody wants is cancelled."""
        if (batch := job.batch) is None or not batch.drop(job):
            return False
        self._departures.forget(job)
        self._money.forfeit(job)
        batch.notify()
        return True

    def withdraw(self, unwanted: Callable[[Job[Message]], bool]) -> list[Job[Message]]:
        """Take out the jobs that ``unwanted`` names and that are in no batch yet."""
        taken = [job for job in self._money.short if unwanted(job)] + self._collector.withdraw(unwanted)
        for job in taken:
            self._money.forget(job)
        return taken

    def clear(self) -> list[Job[Message]]:
        """We stop: take out all jobs. Their batches go on, and a journal knows who is in them."""
        jobs = [*self._collector.withdraw(lambda job: True), *self._money.clear()]
        for batch in list(self.batches.values()):
            jobs += self._leave(batch)
        return jobs

    def _leave(self, batch: OpenBatch) -> list[Job[Message]]:
        jobs = list(batch.members.values())
        for job in jobs:
            self._money.leave(job)
            self.abandon(job)
        batch.left = True
        if not batch.creating:
            batch.scope.cancel()
        return jobs

    async def settled(self) -> None:
        """Wait until no batch is being created (to be cut off leaves open whether it exists) or read."""
        while any(batch.creating or batch.reading for batch in self.batches.values()):
            await self._rounds.news.wait()

    # Batches.

    async def run(self) -> None:
        """Make batches, and look after them, until cancelled."""
        await self._money.forget_lost(self._parts.ledger)
        await self._rounds.run()

    def _round(self, group: anyio.abc.TaskGroup) -> float:
        """Start what is due; returns when to look again."""
        self._group, now = group, loop_time()
        if leaving := [job for job in self._departures.take(now) if self._depart(job, now)]:
            group.start_soon(self._return, leaving)
        ended = self._hurried and not self._house.coming()
        for jobs in self._collector.take(now, hurried=ended):
            self._board(jobs)
        if ended:
            self._hurried = False
            for batch in self.batches.values():
                batch.complete = True
                batch.notify()
        starting, self._starting = self._starting, []
        for batch, division in starting:
            group.start_soon(self._look_after, batch, division)
        return min(self._collector.next_event(), self._departures.next_event())

    def reconsider(self) -> None:
        """There may be money for those that had to wait for it."""
        for job, parcel in self._money.affordable():
            self._collector.put(job, parcel.headers, parcel.size, loop_time())
            self._rounds.wake()

    def _board(self, jobs: list[Job[Message]]) -> None:
        batch = OpenBatch.of(jobs)
        for job in jobs:
            batch.last_rescue = max(batch.last_rescue, self._set_departure(job, len(jobs)))
        self._open(batch, Division())

    def _open(self, batch: OpenBatch, division: Division) -> None:
        self.batches[batch.entry.token] = batch
        self._starting.append((batch, division))
        self._rounds.wake()

    async def _look_after(self, batch: OpenBatch, division: Division) -> None:
        try:
            await self._life.live(batch, division)
        finally:
            del self.batches[batch.entry.token]
            self._rounds.wake()
        self.reconsider()
        self._house.heard()
        if batch.members:  # they came while it was given up
            again = OpenBatch(batch.entry, fresh=False)
            self._move(batch, again)
            self._open(again, Division())

    @staticmethod
    def _move(batch: OpenBatch, other: OpenBatch) -> None:
        for position, job in list(batch.members.items()):
            batch.drop(job)
            other.add(position, job)

    def _depart(self, job: Job[Message], now: float) -> bool:
        """A job's time in this lane is over: its deadline has passed, or it has to go live to meet it (true)."""
        batch, deadline = job.batch, job.record.deadline
        if deadline is None or (batch is None and not self.discard(job)):
            return False
        if job.terms.lane is not Lane.AUTO:
            sent = self.abandon(job)
            self._house.finish(job, Expired(now, failure_of(ErrorKind.DEADLINE, PASSED), sent))
        elif batch is None:
            job.lane = Lane.LIVE
            return True
        elif job.lane is Lane.BATCH and self._may_cancel(batch, now):
            job.lane = Lane.LIVE
            self._departures.set(job, (now + deadline) / 2)
        else:
            job.lane = Lane.LIVE
            self.abandon(job)
            self._parts.recorder.note(
                job, RetryScheduled(now, failure_of(ErrorKind.ATTEMPT_TIMEOUT, NEAR), now)
            )
            return True
        return False

    async def _return(self, jobs: list[Job[Message]]) -> None:
        """Jobs go to the live lane, whole."""
        for start in range(0, len(jobs), AT_ONCE):
            some = jobs[start : start + AT_ONCE]
            try:
                await self._archive.fetch(some)
            except JournalError as error:
                failure = failure_of(ErrorKind.JOURNAL, str(error))
                self._house.halt(failure)
                for job in some:
                    if not job.done():
                        self._house.park(job, failure)
                continue
            for job in some:
                if not job.done():
                    job.entry.not_before = 0.0
                    self._house.requeue(job)

    def _may_cancel(self, batch: OpenBatch, now: float) -> bool:
        """Have the API cancel a batch that all jobs have to leave: what is done by then is theirs."""
        if batch.last_rescue > now + TOGETHER or batch.entry.batch_id is None or self._group is None:
            return False
        if not batch.cancelled:
            batch.cancelled = True
            self._group.start_soon(self._cancel, batch)
        return True

    async def _cancel(self, batch: OpenBatch) -> None:
        assert batch.entry.batch_id is not None
        try:
            await self._calls.cancel(batch.entry.batch_id)
        except BatchCallError as error:  # its jobs go live all the same
            log.warning("%s", error)
        batch.since = batch.look_at = loop_time()
        batch.notify()

    def _set_departure(self, job: Job[Message], others: int) -> float:
        """When a job has to leave at the latest."""
        at = self._parts.rescue_at(job, others)
        if at is None and job.record.deadline is not None:
            self._departures.set(job, job.record.deadline)
        elif at is not None:
            self._departures.set(job, at)
            return at
        return float("inf")

    # What the life of a batch reports.

    def park(self, batch: OpenBatch, failure: Failure) -> None:
        """Its jobs are given up for now."""
        for job in self._leave(batch):
            self._house.park(job, failure)

    def divide(self, batch: OpenBatch, parts: list[OpenBatch], division: Division) -> None:
        """Try these in its place."""
        for part in parts:
            part.last_rescue = batch.last_rescue
            self._open(part, division)

    def _names(self) -> Iterable[str]:
        return {batch.entry.batch_id for batch in self.batches.values() if batch.entry.batch_id}
