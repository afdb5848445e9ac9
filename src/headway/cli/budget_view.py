"""What the scheduler knows of the limits, as plain numbers: the one place that reads its budgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headway.core.dimension import Dimension
from headway.core.usage import Usage

if TYPE_CHECKING:
    from headway.core.budget import BudgetStatus


@dataclass(frozen=True, slots=True)
class LimitView:
    """One limit that is known."""

    group: str
    dimension: Dimension
    limit: float
    """Per minute."""
    depth: float
    """What the bucket is taken to hold."""


def known_limits(budgets: Mapping[str, BudgetStatus]) -> list[LimitView]:
    """Every limit of the budgets in use that is told or learned."""
    return [
        LimitView(group, row.dimension, row.limit, row.capacity or row.limit)
        for group, budget in budgets.items()
        for row in budget.dimensions
        if row.limit
    ]


def limit_per_minute(limits: list[LimitView], dimension: Dimension) -> float | None:
    """The sum of one dimension's limits over the budgets in use; ``None`` when unknown."""
    found = [view.limit for view in limits if view.dimension is dimension]
    return sum(found) if found else None


def used_of(dimension: Dimension, usage: Usage, requests: float) -> float:
    """What counts against one dimension."""
    match dimension:
        case Dimension.REQUESTS:
            return requests
        case Dimension.INPUT:
            return usage.limited_input
        case Dimension.OUTPUT:
            return usage.output
