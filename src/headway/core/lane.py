"""The two ways to the API, and which of them a job takes.

Live: one request, an answer in seconds, under the rate limits. Batch: the Message Batches API, half the price, an
answer within a day and mostly within the hour
(https://platform.claude.com/docs/en/build-with-claude/batch-processing).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from headway.core.batching import Batching
from headway.core.budget_status import BudgetStatus
from headway.core.dimension import Dimension

RESCUE_FACTOR = 2.0
"""Live is given so many times the seconds that it would take by the present budget."""
RESCUE_MARGIN = 120.0
"""… and these seconds more."""


class Lane(StrEnum):
    """Which way a job goes."""

    LIVE = "live"
    BATCH = "batch"
    AUTO = "auto"
    """Live or batch, as `choose_lane` says when the job's turn comes."""


def lane_of(name: object) -> Lane:
    """The lane that a caller names. Raises ValueError."""
    try:
        return Lane(name)  # type: ignore[arg-type]
    except ValueError:
        raise ValueError(f"lane must be 'live', 'batch' or 'auto', not {name!r}") from None


@dataclass(frozen=True, slots=True)
class Prospect:
    """What is known of a job's chances when its lane is chosen."""

    deadline: float | None
    """Seconds from now; ``None``: no hurry."""
    live_seconds: float
    """How long the live lane needs for what is queued there, this job included."""
    interactive: bool = False
    """Somebody waits for it."""


def choose_lane(prospect: Prospect, batching: Batching) -> Lane:
    """Live or batch.

    A batch is half the price, so it is taken where it costs nothing but patience: not for a job that somebody
    waits for, not where live is done soon anyway, and only if the deadline leaves a batch its usual time and live
    its own after it, should the batch not make it.
    """
    if prospect.interactive or prospect.live_seconds <= batching.worth:
        return Lane.LIVE
    if prospect.deadline is None:
        return Lane.BATCH
    needed = batching.usual + rescue_seconds(prospect.live_seconds)
    return Lane.BATCH if prospect.deadline > needed else Lane.LIVE


def rescue_seconds(live_seconds: float) -> float:
    """How long before its deadline a job must leave its batch, when live would take this long."""
    return RESCUE_FACTOR * live_seconds + RESCUE_MARGIN


def live_seconds(jobs: int, input_tokens: float, budget: BudgetStatus | None) -> float:
    """Seconds that the live lane needs for so much at the present budget, its burst included; 0 while no limit is
    known: the first answers tell."""
    if budget is None or jobs <= 0:
        return 0.0
    load = {
        Dimension.REQUESTS: float(jobs),
        Dimension.INPUT: input_tokens,
        Dimension.OUTPUT: jobs * budget.mean_output,
    }
    waits = [
        (load[seen.dimension] - max(0.0, seen.level or 0.0)) / (seen.limit * budget.share / 60)
        for seen in budget.dimensions
        if seen.limit and seen.dimension in load
    ]
    if budget.jobs_per_second:
        waits.append(jobs / budget.jobs_per_second)
    return max([0.0, *waits])
