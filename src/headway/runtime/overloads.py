"""How long a budget has been answered by nothing but 529."""

from __future__ import annotations

from typing import Final

from headway.ports import BudgetKey

GAP: Final = 60.0
"""Seconds between two 529s after which they are two outages: while jobs wait, probes come every few seconds."""
SWEEP: Final = 5.0
"""Seconds between two sweeps of the jobs that wait behind an outage."""


class Overloads:
    """Since when and until when each budget was seen overloaded."""

    def __init__(self) -> None:
        self._seen: dict[BudgetKey, tuple[float, float]] = {}
        self._swept: dict[BudgetKey, float] = {}

    def refused(self, key: BudgetKey, now: float) -> float:
        """A 529 came; returns for how many seconds there has been nothing else."""
        since, last = self._seen.get(key, (now, now))
        since = now if now - last > GAP else since
        self._seen[key] = (since, now)
        return now - since

    def answered(self, key: BudgetKey) -> None:
        """It works again."""
        self._seen.pop(key, None)
        self._swept.pop(key, None)

    def sweep(self, key: BudgetKey, now: float) -> bool:
        """Whether it is time to look at the jobs that wait; says so once in `SWEEP` seconds."""
        if now - self._swept.get(key, -SWEEP) < SWEEP:
            return False
        self._swept[key] = now
        return True
