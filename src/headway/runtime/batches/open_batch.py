"""A batch that jobs wait for."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio

from headway.core.batch_ids import TOKEN_BYTES
from headway.ports import BatchEntry
from headway.runtime.clock import loop_time
from headway.runtime.handle import Job

if TYPE_CHECKING:
    from anthropic.types import Message


class OpenBatch:
    """Which job waits for the result at which place. Jobs come (again, after a crash) and go."""

    def __init__(self, entry: BatchEntry, *, fresh: bool) -> None:
        self.entry = entry
        self.fresh = fresh
        """It was not tried to create it yet; else an earlier process may have."""
        self.members: dict[int, Job[Message]] = {}
        self.joined = 0
        """Jobs that ever waited here in this process."""
        self.complete = fresh
        """No more jobs will come. (After a crash they come back one after the other.)"""
        self.sent: list[Job[Message]] = []
        """Those whose requests are in it, in their order; while it is being created."""
        self.total = 0
        """Requests that it has, by the API's count, once it has ended."""
        self.creating = False
        """The request that creates it is under way: not to be cut off."""
        self.reading = False
        """Its results are being read: what belongs to no job is known at the end only."""
        self.left = False
        """We stop: nobody looks after it any more, and it goes on."""
        self.cancelled = False
        """We asked the API to cancel it."""
        self.last_rescue: float = 0.0
        """When the last of its jobs has to leave for the live lane (loop time); infinite if one need not."""
        self.scope = anyio.CancelScope()
        """Of the task that looks after it."""
        self.since = self.latest = loop_time()
        """When it was made, and when the last job came (loop time)."""
        self.look_at = 0.0
        """When to look at it again (loop time)."""
        self.news = anyio.Event()

    @classmethod
    def of(cls, jobs: Sequence[Job[Message]]) -> OpenBatch:
        """A new batch of these jobs."""
        batch = cls(BatchEntry(secrets.token_hex(TOKEN_BYTES), len(jobs)), fresh=True)
        for position, job in enumerate(jobs):
            batch.add(position, job)
        return batch

    @property
    def name(self) -> str:
        """For people."""
        return self.entry.batch_id or f"of {self.entry.requests:,} requests"

    @property
    def unwanted(self) -> bool:
        """Every job that is in it was here, and none waits any more."""
        return not self.members and self.joined == self.entry.requests

    def add(self, position: int, job: Job[Message]) -> None:
        """A job that waits for the result at this place."""
        self.members[position] = job
        job.batch, job.place = self, position
        self.joined += 1
        self.latest = loop_time()
        self.notify()

    def renumber(self) -> None:
        """It is about to be created of the jobs that still wait: their places are counted anew."""
        self.sent = [job for _, job in sorted(self.members.items())]
        self.members = dict(enumerate(self.sent))
        for position, job in self.members.items():
            job.place = position
        self.joined = len(self.sent)

    def drop(self, job: Job[Message]) -> bool:
        """It does not wait any more; false if it did not."""
        if job.batch is not self:
            return False
        del self.members[job.place]
        job.batch = None
        return True

    def notify(self) -> None:
        """Whoever waits for news looks again."""
        self.news.set()
        self.news = anyio.Event()
