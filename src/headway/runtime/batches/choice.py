"""Which lane a job with ``lane="auto"`` takes, and when it has to leave its batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from headway.core.batching import Batching
from headway.core.budget import BudgetStatus
from headway.core.job import Priority
from headway.core.lane import Lane, Prospect, choose_lane, live_seconds, rescue_seconds
from headway.ports import BudgetKey
from headway.runtime.clock import loop_time
from headway.runtime.handle import Job

if TYPE_CHECKING:
    from anthropic.types import Message

FEW: Final = 128
"""Jobs that go live without asking while no limit is known: their answers tell."""
STALE: Final = 1.0
"""Seconds for which a budget is not asked again: thousands of jobs are judged by one look at it."""


class LaneChoice:
    """Judges by the present budget and by what is queued for it."""

    def __init__(
        self,
        batching: Batching,
        budgets: Callable[[float], Mapping[BudgetKey, BudgetStatus]],
        queued: Callable[[BudgetKey], int],
        estimate: Callable[[Job[Message]], float],
    ) -> None:
        self._batching = batching
        self._estimate = estimate
        self._budgets = budgets
        self._queued = queued
        self._seen: Mapping[BudgetKey, BudgetStatus] = {}
        self._seen_at = -math.inf

    def lane_for(self, job: Job[Message]) -> Lane | None:
        """Live or batch; ``None``: wait until the first answers have told the limits, enough others ask already."""
        queued = self._queued(job.budget_key)
        if queued >= FEW and not self._is_known(job.budget_key):
            return None
        deadline, now = job.record.deadline, loop_time()
        prospect = Prospect(
            None if deadline is None else deadline - now,
            self._live_seconds(job, queued + 1),
            job.record.priority is Priority.INTERACTIVE,
        )
        return choose_lane(prospect, self._batching)

    def rescue_at(self, job: Job[Message], others: int) -> float | None:
        """When a job must leave a batch that so many have to leave with it (loop time); ``None``: it has time, or
        wants no other lane."""
        if job.record.deadline is None or job.terms.lane is not Lane.AUTO:
            return None
        return job.record.deadline - rescue_seconds(self._live_seconds(job, others))

    def _live_seconds(self, job: Job[Message], jobs: int) -> float:
        return live_seconds(jobs, jobs * self._estimate(job), self._budget(job.budget_key))

    def _is_known(self, key: BudgetKey) -> bool:
        budget = self._budget(key)
        return budget is not None and (
            budget.jobs_per_second is not None or any(seen.limit for seen in budget.dimensions)
        )

    def _budget(self, key: BudgetKey) -> BudgetStatus | None:
        now = loop_time()
        if now - self._seen_at > STALE or key not in self._seen:
            self._seen, self._seen_at = self._budgets(now), now
        return self._seen.get(key)
