"""Which limits a request counts against."""

from __future__ import annotations

from headway.core.account_limits import ToldLimits, told_group
from headway.core.catalog import Catalog
from headway.core.limits import Limits
from headway.core.request import Request
from headway.ports import BudgetKey


class BudgetKeys:
    """Names the budget of each request of one scheduler."""

    def __init__(self, account: str, catalog: Catalog) -> None:
        self.account = account
        """The scheduler's own."""
        self._catalog = catalog
        self._made: dict[BudgetKey, BudgetKey] = {}
        """There are few, and each of many jobs that wait would hold one of its own."""
        self.limits: ToldLimits = Limits()
        """Told limits know which models share a budget; the catalogue serves for the rest."""

    def of(self, request: Request, account: str | None = None) -> BudgetKey:
        """The budget of a request; ``account``: of a client of the user's, if not the scheduler's own."""
        tier = "standard_only" if request.params.get("service_tier") == "standard_only" else ""
        speed = "fast" if request.params.get("speed") == "fast" else ""
        key = BudgetKey(
            self.account if account is None else account,
            told_group(self.limits, request.model, self._catalog),
            tier,
            speed,
            str(request.params.get("workspace_id") or ""),
        )
        return self._made.setdefault(key, key)
