"""Who is alive: every job between submit and outcome, and which of them are running."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from headway.ports import BudgetKey
from headway.runtime.bell import Bell
from headway.runtime.handle import Job, Outcome

if TYPE_CHECKING:
    from anthropic.types import Message


class Roster:
    """The jobs of a scheduler that have no outcome yet."""

    def __init__(self) -> None:
        self.alive: set[Job[Message]] = set()
        self.running: set[Job[Message]] = set()
        self.cleaning: set[Job[Message]] = set()
        """Jobs that have ended, and whose tools still clean up."""
        self.parked: Callable[[str], None] = lambda _: None
        """Told the keys of jobs that ended resumably, before anybody hears of it."""
        self._first: dict[str, Job[Message]] = {}
        self._changed = Bell()

    def enter(self, job: Job[Message], *, keyed: bool) -> Job[Message] | None:
        """Take a job in; if keys matter and its key is at work already, give that job instead."""
        first = self._first.setdefault(job.key, job) if keyed else job
        if first is not job:
            return first
        self.alive.add(job)
        return None

    def begin(self, job: Job[Message]) -> None:
        """An attempt starts."""
        self.running.add(job)

    def end(self, job: Job[Message]) -> None:
        """An attempt is over."""
        self.running.discard(job)
        self.notify()

    def resolve(self, job: Job[Message], outcome: Outcome[Message]) -> None:
        """The job has its outcome."""
        self.alive.discard(job)
        if self._first.get(job.key) is job:
            del self._first[job.key]
        if outcome.resumable:
            self.parked(job.key)
        job.resolve(outcome)
        self.notify()

    def waiting_for(self, key: BudgetKey) -> list[Job[Message]]:
        """The jobs queued for this budget, oldest first."""
        found = [job for job in self.alive if job.budget_key == key and job.entry.queued]
        return sorted(found, key=lambda job: job.record.id)

    def cleaned(self, job: Job[Message]) -> None:
        """Its tools have cleaned up."""
        self.cleaning.discard(job)
        self.notify()

    async def settled(self, *, running_only: bool = False) -> None:
        """Wait until no job is alive (or none is running)."""
        while self.running if running_only else self.alive or self.cleaning:
            await self._changed.wait()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for it; it is looked at after each `notify`."""
        while not condition():
            await self._changed.wait()

    async def change(self) -> None:
        """Wait for the next `notify`."""
        await self._changed.wait()

    def notify(self) -> None:
        """Whoever waits looks again."""
        self._changed.ring()
