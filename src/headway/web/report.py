"""A scheduler's status as JSON for dashboards: figures and kinds of failures, no prompt, no key, no job's name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict

from headway.core.budget_status import BudgetStatus, DimensionStatus
from headway.core.failure import Failure
from headway.runtime.status import Status


def report_of(status: Status) -> dict[str, object]:
    """The JSON of ``/status``; unknown figures are null."""
    return {
        "seconds": status.at - status.started,
        "queued": status.queued,
        "waiting": status.waiting,
        "in_flight": status.in_flight,
        "max_in_flight": status.max_in_flight,
        "succeeded": status.succeeded,
        "failed": status.failed,
        "cancelled": status.cancelled,
        "expired": status.expired,
        "sends": status.sends,
        "retries": status.retries,
        "refused_429": status.refused_429,
        "refused_529": status.refused_529,
        "maybe_billed": status.maybe_billed,
        "input_tokens": status.usage.true_input,
        "output_tokens": status.usage.output,
        "cost_usd": status.cost,
        "cost_unknown": status.cost_unknown,
        "spend": None if status.spend is None else asdict(status.spend),
        "halted": None if status.halted is None else _failure(status.halted),
        "dead": [
            {"scope": dead.scope.value, "name": dead.name, **_failure(failure)}
            for dead, failure in status.dead.items()
        ],
        "budgets": _budgets(status.budgets),
        "failures": [
            {"seconds_ago": status.at - seen.at, "final": seen.final, **_failure(seen.failure)}
            for seen in reversed(status.failures)
        ],
    }


def _budgets(budgets: Mapping[str, BudgetStatus]) -> list[dict[str, object]]:
    return [
        {
            "name": name,
            "circuit": budget.circuit.value,
            "pace": _number(budget.pace),
            "in_flight": budget.in_flight,
            "refused_429": budget.rate_limited,
            "refused_529": budget.overloaded,
            "dimensions": [_dimension(seen) for seen in budget.dimensions if seen.limit],
        }
        for name, budget in sorted(budgets.items())
    ]


def _dimension(seen: DimensionStatus) -> dict[str, object]:
    return {
        "name": seen.dimension.value,
        "limit": _number(seen.limit),
        "origin": seen.origin,
        "used": _number(seen.used),
        "others": _number(seen.others),
        "level": _number(seen.level),
        "capacity": _number(seen.capacity),
    }


def _failure(failure: Failure) -> dict[str, object]:
    """Without the API's words: they may quote what was asked."""
    return {
        "kind": failure.kind.value,
        "status": failure.status,
        "error": failure.error_code or failure.type,
        "request_id": failure.request_id,
        "remedy": failure.remedy,
    }


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
