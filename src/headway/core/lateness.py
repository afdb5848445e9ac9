"""Whether a queued job can still start in time: said early only where it is sure.

A prediction that is wrong fails a job that would have been fine, so this is a bound, not a prediction: whole
limits of ours alone, buckets a whole minute deep and full, and still late by a factor.
"""

from __future__ import annotations

from typing import Final

from headway.core.backlog import Backlog
from headway.core.budget_status import BudgetStatus
from headway.core.dimension import Dimension

LATE_BY: Final = 2.0
"""A job is hopeless when the bound is so many times the seconds it has left: limits may be raised."""
DEEPEST: Final = 60.0
"""Seconds of the limit that a bucket may hold at most, as we assume here: the depth is not published."""

SURE: Final = ("told", "header")
"""Limits that somebody knows; what was learned from refusals may be far too low for a while."""


def shortest_wait(ahead: Backlog, budget: BudgetStatus) -> float:
    """Seconds that a job with this much before it waits at least, whatever the buckets hold; 0 when no limit
    is known."""
    load = {Dimension.REQUESTS: float(ahead.jobs), Dimension.INPUT: ahead.cost}
    waits = (
        load[seen.dimension] / (seen.limit / 60) - DEEPEST
        for seen in budget.dimensions
        if seen.dimension in load and seen.limit and seen.origin in SURE
    )
    return max(0.0, *waits, 0.0)
