"""Where budgets live, and one job's share of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from headway.core.account_limits import ToldLimits
from headway.core.backlog import Backlog
from headway.core.budget import BudgetStatus, Cost, Refusal, Wait
from headway.core.budget_key import BudgetKey
from headway.core.limits import LimitReport
from headway.core.usage import Usage


class Grant(Protocol):
    """One job's share of a budget, taken at the moment of sending. It ends exactly once and says how:
    a second ending does nothing."""

    @property
    def scout(self) -> bool:
        """Whether the headers of this job's response are wanted as soon as they come."""
        ...

    def observe(self, report: LimitReport, now: float) -> None:
        """Learn from the limit headers of its response; does not end it."""
        ...

    def settle(self, usage: Usage, now: float) -> None:
        """The job succeeded and used this much."""
        ...

    def release(self, now: float) -> None:
        """Refused or failed before any work: nothing was used."""
        ...

    def forfeit(self, now: float) -> None:
        """The outcome is unknown: what was reserved counts as used."""
        ...

    def refuse(self, refusal: Refusal, now: float, jitter: float) -> float:
        """A 429 or 529 came: learn from it and release. Returns the seconds this job should wait at least."""
        ...


class BudgetStore(Protocol):
    """Where budgets live. The local one answers at once; one shared between processes takes a round trip."""

    async def reserve(
        self, key: BudgetKey, cost: Cost, now: float, *, interactive: bool, backlog: Backlog, jitter: float
    ) -> Grant | Wait:
        """Take what a job needs, or say when to ask again. ``backlog``: what is queued behind it.

        It may take a round trip. When it is cancelled, the store gives back what it had taken: nobody else can.
        """
        ...

    def status(self, now: float) -> Mapping[BudgetKey, BudgetStatus]:
        """Every budget in use, for people and dashboards."""
        ...

    def set_limits(self, limits: ToldLimits, now: float) -> None:
        """Tell new limits to every budget, present and future: to each those of its group (`told_for`)."""
        ...
