"""The jobs that wait for one budget, and what of them may not be sent yet."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from headway.core.budget import BudgetStatus
from headway.core.job import Priority
from headway.core.last_wave import is_last_wave
from headway.core.lateness import LATE_BY, shortest_wait
from headway.core.queue import FairQueue
from headway.core.warmth import WAIT, Warmth
from headway.ports import BudgetKey, BudgetStore, Grant
from headway.runtime.handle import Job
from headway.runtime.warming import WarmingGrant

if TYPE_CHECKING:
    from anthropic.types import Message

TOO_LATE: Final = "the job could not start before its deadline"
FEW: Final = 16
"""A job behind fewer others is not judged: they may be gone in no time."""
JUDGED_FOR: Final = 1.0
"""Seconds for which limits are not asked for again when jobs are judged by them."""
SHELF: Final = 1024
"""So many jobs wait for one prefix; whoever stands behind them waits too. More could not start at once anyhow."""


class Lane:
    """The jobs that wait for one budget."""

    __slots__ = ("judged_at", "key", "limits", "news", "queue", "running", "shut_until", "wake_at", "warmth")

    def __init__(self, key: BudgetKey, weights: Mapping[str, float]) -> None:
        self.key = key
        self.queue: FairQueue[Job[Message]] = FairQueue(weights)
        self.warmth = Warmth()
        self.running = 0
        self.wake_at = 0.0
        """Not worth asking the budget before this (loop time)."""
        self.news = 0
        """Grows with every reason to ask at once: an answer to an older question does not count any more."""
        self.shut_until = 0.0
        """Nothing can start before this (loop time)."""
        self.limits: BudgetStatus | None = None
        self.judged_at = -math.inf
        """When ``limits`` was asked for (loop time)."""

    def rouse(self) -> None:
        """Something has changed: ask the budget again."""
        self.wake_at = 0.0
        self.news += 1

    def enter(self, job: Job[Message], now: float) -> None:
        """Queue a job, new or back for a retry."""
        if job.entry.sequence < 0:
            self.warmth.meet(job.prefixes)
        self.queue.push(job.entry, now)

    def put_aside(self, job: Job[Message], now: float) -> int:
        """Shelve a job that was just taken if another one is warming the prompt cache for it; how many wait there
        then, or 0. Nobody who is in a hurry waits: a person, or a job whose deadline is near."""
        deadline = job.entry.deadline
        hurried = deadline is not None and deadline - now <= WAIT
        if not job.prefixes or hurried or job.record.priority is Priority.INTERACTIVE:
            return 0
        shelf = self.warmth.awaited(job.prefixes, now)
        if shelf is None:
            return 0
        self.queue.push(job.entry, now, shelf)
        return self.queue.shelves.count(shelf)

    def hold(self, job: Job[Message], grant: Grant, now: float, news: Callable[[], None]) -> Grant:
        """The grant of a job that is sent now; ``news`` is called when others may be sent because of it."""
        if not job.prefixes:
            return grant

        def tell(digests: Sequence[bytes]) -> None:
            if self._unshelve(digests):
                news()

        return WarmingGrant(grant, self.warmth, job.prefixes, now, tell)

    def release_overdue(self, now: float) -> None:
        """Whoever has waited long enough for others may have his turn."""
        self._unshelve(self.warmth.overdue(now))

    def _unshelve(self, shelves: Sequence[Hashable]) -> int:
        return sum(len(self.queue.unshelve(shelf)) for shelf in shelves)

    def hopeless(self, job: Job[Message], budgets: BudgetStore, now: float) -> str | None:
        """Why a job that comes in now cannot start in time, if that is sure."""
        entry = job.entry
        if entry.deadline is None or entry.sequence >= 0 or is_last_wave(len(self.queue), self.running):
            return None  # in the last wave long jobs overtake others
        ahead = self.queue.ahead(entry)
        if ahead.jobs < FEW:
            return None
        if now - self.judged_at > JUDGED_FOR:
            self.limits, self.judged_at = budgets.status(now).get(self.key), now
        if job.size.cached:  # how much of its input counts is not known before the first hit
            ahead = ahead._replace(cost=0.0)
        least = 0.0 if self.limits is None else shortest_wait(ahead, self.limits)
        if least <= LATE_BY * (entry.deadline - now):
            return None
        return f"{TOO_LATE}: {ahead.jobs} jobs are ahead, which take {least:.0f} s at least"

    def next_look(self, now: float) -> float:
        """A retry falling due, a deadline, the end of a wait for others, or of the pause the budget asked for; all
        else wakes us."""
        event = self.queue.next_event(now)
        next_at = self.warmth.next_event if self.queue.shelves.count() else float("inf")
        next_at = next_at if event is None else min(next_at, event)
        return min(next_at, self.wake_at) if self.wake_at > now and len(self.queue) else next_at
