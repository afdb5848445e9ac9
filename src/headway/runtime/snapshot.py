"""Taking a scheduler's `Status`: everything countable, now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from headway.core.budget import BudgetStatus
from headway.core.scopes import ACCOUNT
from headway.ports import BudgetKey
from headway.runtime.clock import loop_time
from headway.runtime.status import Status

if TYPE_CHECKING:
    from headway.runtime.engine import Engine


def status_of(engine: Engine, budgets: Mapping[BudgetKey, BudgetStatus]) -> Status:
    """The engine as it is at this moment, with what the budget store says of itself."""
    tally, dispatcher, scopes = engine.tally, engine.dispatcher, engine.outages.scopes
    return Status(
        **tally.sums(),
        queued=engine.queued,
        waiting=dispatcher.waiting,
        in_flight=dispatcher.gate.in_flight,
        max_in_flight=dispatcher.gate.bound,
        mending=len(engine.mender),
        batch=engine.lanes.status(),
        findings=dict(+engine.inspector.found),
        budgets=_named(engine.budget_keys.account, budgets),
        halted=scopes.account,
        at=loop_time(),
        started=tally.started,
        costs=tally.costs(),
        spend=None if dispatcher.till is None else dispatcher.till.purse.status(),
        failures=tally.recent.newest_last(),
        unreachable=dispatcher.gate.unreachable,
        dead={dead: failure for dead, failure in scopes.failures.items() if dead != ACCOUNT},
    )


def _named(own: str, budgets: Mapping[BudgetKey, BudgetStatus]) -> dict[str, BudgetStatus]:
    """By model group; the accounts of wrapped clients are numbered, because what names one tells of its key."""
    accounts = list(dict.fromkeys([own, *(key.account for key in budgets)]))
    named: dict[str, BudgetStatus] = {}
    for key, status in budgets.items():
        number = accounts.index(key.account)
        other = f"(account {number + 1})" if number else ""
        named[" ".join(filter(None, (key.group, key.tier, key.speed, key.workspace, other)))] = status
    return named
