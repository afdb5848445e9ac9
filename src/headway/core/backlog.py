"""How much a tenant has waiting in each priority, kept up with every job that comes and goes."""

from __future__ import annotations

from typing import Final, NamedTuple

from headway.core.job import Priority


class Backlog(NamedTuple):
    """Jobs that wait, and what they cost in all (input tokens, as estimated)."""

    jobs: int
    cost: float

    def less(self, jobs: int) -> Backlog:
        """Without so many jobs of mean cost."""
        jobs = min(jobs, self.jobs)
        return Backlog(self.jobs - jobs, self.cost * (1 - jobs / self.jobs)) if jobs else self


NOTHING: Final = Backlog(0, 0.0)


class Backlogs:
    """The backlog of each priority and tenant; those with nothing waiting take no room."""

    def __init__(self) -> None:
        self._known: dict[tuple[Priority, str], Backlog] = {}
        self.all = NOTHING

    def of(self, priority: Priority, tenant: str) -> Backlog:
        """What one tenant has waiting."""
        return self._known.get((priority, tenant), NOTHING)

    def count(self, priority: Priority, tenant: str, cost: float, *, queued: bool) -> None:
        """A job was just queued, or just taken."""
        sign = 1 if queued else -1
        whose = priority, tenant
        jobs, total = self._known.get(whose, NOTHING)
        if jobs + sign:
            self._known[whose] = Backlog(jobs + sign, total + sign * cost)
        else:
            self._known.pop(whose, None)
        jobs, total = self.all
        self.all = Backlog(jobs + sign, total + sign * cost) if jobs + sign else NOTHING
