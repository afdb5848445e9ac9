"""A user's own static ceiling in front of any budget: aiolimiter, asked but never waited for.

`AsyncLimiter` is right for a rate that is fixed and known. It cannot carry the adaptive budget (its waiters
are served smallest first, nothing is refunded, a later ``max_rate`` changes only the burst: docs/design/
aiolimiter.md), so it never queues here: ``has_capacity`` then ``acquire`` does not yield to the loop and is
therefore an atomic try-take under our own queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiolimiter import AsyncLimiter

from headway.core.account_limits import ToldLimits
from headway.core.backlog import Backlog
from headway.core.budget import BudgetStatus, Cost, Wait
from headway.ports import BudgetKey, BudgetStore, Grant


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Never more than ``requests`` starts in ``seconds``, whatever the API's own limits allow."""

    requests: float
    seconds: float = 60.0

    def __post_init__(self) -> None:
        if not self.requests >= 1:
            raise ValueError(f"Ceiling.requests must be at least 1, not {self.requests!r}")
        if not self.seconds > 0:
            raise ValueError(f"Ceiling.seconds must be above 0, not {self.seconds!r}")


class CeilingBudgets:
    """A `BudgetStore` that grants only what both its limiter and the store behind it allow.

    The ceiling holds over all models together: it stands for something outside the API's own limits, such
    as an agreement with other users of the key.
    """

    def __init__(self, ceiling: Ceiling, store: BudgetStore) -> None:
        self._ceiling = ceiling
        self._store = store
        self._limiter: AsyncLimiter | None = None

    async def reserve(
        self, key: BudgetKey, cost: Cost, now: float, *, interactive: bool, backlog: Backlog, jitter: float
    ) -> Grant | Wait:
        """Ask the limiter, then the store, then take both."""
        limiter = self._limiter
        if limiter is None:  # made in the loop it is used in: it keeps that loop
            limiter = self._limiter = AsyncLimiter(self._ceiling.requests, self._ceiling.seconds)
        if not limiter.has_capacity():
            return self._wait()
        granted = await self._store.reserve(
            key, cost, now, interactive=interactive, backlog=backlog, jitter=jitter
        )
        if isinstance(granted, Wait):
            return granted
        if not limiter.has_capacity():  # a store that takes a round trip let somebody else in between
            granted.release(now)
            return self._wait()
        await limiter.acquire()
        return granted

    def _wait(self) -> Wait:
        return Wait(self._ceiling.seconds / self._ceiling.requests, "ceiling")

    def status(self, now: float) -> Mapping[BudgetKey, BudgetStatus]:
        """The budgets behind the ceiling."""
        return self._store.status(now)

    def set_limits(self, limits: ToldLimits, now: float) -> None:
        """Told limits go to the budgets; the ceiling stays."""
        self._store.set_limits(limits, now)
