"""Taking a scheduler's `Status`: everything countable, now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from headway.core.budget import BudgetStatus
from headway.core.job import JobState
from headway.core.scopes import ACCOUNT
from headway.ports import BudgetKey
from headway.runtime.status import Status

if TYPE_CHECKING:
    from headway.runtime.engine import Engine


def status_of(engine: Engine, budgets: Mapping[BudgetKey, BudgetStatus]) -> Status:
    """The engine as it is at this moment, with what the budget store says of itself."""
    tally, dispatcher, scopes = engine.tally, engine.dispatcher, engine.outages.scopes
    return Status(
        queued=engine.queued,
        waiting=dispatcher.waiting,
        in_flight=dispatcher.in_flight,
        max_in_flight=dispatcher.bound,
        succeeded=tally.ended[JobState.SUCCEEDED],
        failed=tally.ended[JobState.FAILED],
        cancelled=tally.ended[JobState.CANCELLED],
        expired=tally.ended[JobState.EXPIRED],
        sends=tally.sends,
        retries=tally.retries,
        refused_429=tally.refused_429,
        refused_529=tally.refused_529,
        maybe_billed=tally.maybe_billed,
        usage=tally.usage,
        cost=tally.cost,
        cost_unknown=tally.cost_unknown,
        budgets={
            " ".join(filter(None, (key.group, key.tier, key.speed))): status
            for key, status in budgets.items()
        },
        halted=scopes.account,
        dead={dead: failure for dead, failure in scopes.failures.items() if dead != ACCOUNT},
    )
