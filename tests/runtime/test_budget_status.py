"""``scheduler.status().budgets``: who says the limit, what is left, who else takes, circuit and pace."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from virtual_api import VirtualAPI

from headway import Limits, Scheduler
from headway.core.budget import BudgetStatus
from headway.core.dimension import Dimension

pytestmark = pytest.mark.anyio
TIER = (600.0, 120_000.0, 40_000.0)


@asynccontextmanager
async def working(api: VirtualAPI, seconds: float, **options: object) -> AsyncIterator[Scheduler]:
    """A scheduler that has been saturating the input limit for so long, and still is."""
    async with Scheduler(model="claude-haiku-5-5", max_tokens=256, transport=api, **options) as s:  # type: ignore[arg-type]
        jobs = (f"900 20 {number} ".ljust(3150, "x") for number in itertools.count())

        async def work() -> None:
            async for _ in s.map(jobs):
                pass

        async with anyio.create_task_group() as group:
            group.start_soon(work)
            await anyio.sleep(seconds)
            yield s
            group.cancel_scope.cancel()
        s.abort()


def only(scheduler: Scheduler) -> BudgetStatus:
    ((name, budget),) = scheduler.status().budgets.items()
    assert name == "haiku-5-5"
    return budget


async def test_told_limits_before_any_header() -> None:
    async with working(VirtualAPI(TIER), 0.2, limits=Limits(requests=500, share=0.5)) as s:
        budget = only(s)
    rows = {row.dimension: row for row in budget.dimensions}
    assert list(rows) == list(Dimension)
    assert (rows[Dimension.REQUESTS].limit, rows[Dimension.REQUESTS].origin) == (pytest.approx(500), "told")
    assert (rows[Dimension.INPUT].limit, rows[Dimension.INPUT].origin) == (None, "unknown")
    assert budget.share == 0.5


async def test_headers_and_somebody_else() -> None:
    async with working(VirtualAPI(TIER, others=0.5 * TIER[1] / 60), 60.0) as s:
        budget = only(s)
    for row, limit in zip(budget.dimensions, TIER, strict=True):
        assert (row.limit, row.origin) == (pytest.approx(limit), "header")
        assert row.level is not None and row.capacity is not None and row.level <= row.capacity
    rows = {row.dimension: row for row in budget.dimensions}
    assert rows[Dimension.INPUT].others == pytest.approx(0.5 * TIER[1], rel=0.5)
    assert rows[Dimension.INPUT].used == pytest.approx(0.5 * TIER[1], rel=0.4)
    assert rows[Dimension.REQUESTS].others < 0.1 * TIER[0]
    assert budget.circuit == "closed" and budget.ceiling is None
    assert 0.02 <= budget.pace <= 2
    assert budget.jobs_per_second is None
    assert budget.in_flight >= 0 and budget.succeeded > 20
    assert budget.mean_output == pytest.approx(20, rel=0.3) and budget.feedback > 0


async def test_without_headers_the_learned_rate_is_shown() -> None:
    async with working(VirtualAPI(TIER, headers=False), 120.0) as s:
        budget = only(s)
    assert {(row.limit, row.origin) for row in budget.dimensions} == {(None, "unknown")}
    assert budget.jobs_per_second == pytest.approx(TIER[1] / 60 / 900, rel=0.4)
    assert budget.rate_limited >= 1


async def test_an_outage() -> None:
    async with working(VirtualAPI(TIER, storm=(5.0, 100.0)), 30.0) as s:
        budget = only(s)
    assert budget.circuit in ("open", "half-open")
    assert budget.overloaded > 5
    assert budget.in_flight <= 1
