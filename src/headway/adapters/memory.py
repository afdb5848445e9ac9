"""Budgets in this process's memory: the default `BudgetStore`."""

from __future__ import annotations

from collections.abc import Mapping

from headway.core.account_limits import ToldLimits, told_for
from headway.core.backlog import Backlog
from headway.core.budget import Budget, BudgetStatus, Cost, Refusal, Reservation, Used, Wait
from headway.core.limits import LimitReport
from headway.core.usage import Usage
from headway.ports import BudgetKey


class MemoryGrant:
    """A reservation of a local budget."""

    __slots__ = ("_budget", "_reservation")

    def __init__(self, budget: Budget, reservation: Reservation) -> None:
        self._budget = budget
        self._reservation = reservation

    @property
    def scout(self) -> bool:
        """Whether the budget wants this job's headers early."""
        return self._reservation.scout

    def observe(self, report: LimitReport, now: float) -> None:
        """Learn from response headers."""
        self._budget.observe(self._reservation, report, now)

    def settle(self, usage: Usage, now: float) -> None:
        """Succeeded: put the real usage in place of the estimate."""
        self._budget.settle(self._reservation, Used(usage.charged_input, usage.charged_output), now)

    def release(self, now: float) -> None:
        """Nothing was used."""
        self._budget.release(self._reservation, now)

    def forfeit(self, now: float) -> None:
        """Outcome unknown: the estimate counts as used."""
        self._budget.forfeit(self._reservation, now)

    def refuse(self, refusal: Refusal, now: float, jitter: float) -> float:
        """Refused with 429 or 529; returns the seconds the job should wait at least."""
        return self._budget.refuse(self._reservation, refusal, now, jitter=jitter)


class MemoryBudgets:
    """One `Budget` per key. Owned by one event loop; nothing is shared between processes."""

    def __init__(self, limits: ToldLimits) -> None:
        self._limits = limits
        self._budgets: dict[BudgetKey, Budget] = {}

    async def reserve(
        self, key: BudgetKey, cost: Cost, now: float, *, interactive: bool, backlog: Backlog, jitter: float
    ) -> MemoryGrant | Wait:
        """Take what a job needs, or say when to ask again."""
        budget = self._budgets.get(key)
        if budget is None:
            budget = self._budgets[key] = Budget(told_for(self._limits, key.group, key.speed), now)
        taken = budget.reserve(cost, now, interactive=interactive, backlog=backlog, jitter=jitter)
        return taken if isinstance(taken, Wait) else MemoryGrant(budget, taken)

    def status(self, now: float) -> Mapping[BudgetKey, BudgetStatus]:
        """Every budget in use."""
        return {key: budget.status(now) for key, budget in self._budgets.items()}

    def set_limits(self, limits: ToldLimits, now: float) -> None:
        """Tell new limits to every budget, present and future."""
        self._limits = limits
        for key, budget in self._budgets.items():
            budget.set_limits(told_for(limits, key.group, key.speed), now)
