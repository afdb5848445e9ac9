"""The user's own ceiling holds in every window, and does not disturb order or priorities."""

from __future__ import annotations

import anyio
import pytest

from headway import Ceiling, Priority, Scheduler
from headway.adapters.ceiling import CeilingBudgets
from headway.adapters.memory import MemoryBudgets
from headway.core.backlog import NOTHING
from headway.core.budget import Wait
from headway.core.limits import Limits
from headway.core.reservation import Cost
from headway.ports import BudgetKey
from headway.testing.transport import ScriptedTransport

pytestmark = pytest.mark.anyio
TOLD = Limits(requests=60_000)


async def test_never_more_starts_than_the_ceiling() -> None:
    transport = ScriptedTransport(latency=0.1)
    async with Scheduler(
        model="claude-haiku-5-5", max_tokens=9, transport=transport, ceiling=Ceiling(10, 1.0), limits=TOLD
    ) as scheduler:
        async for _ in scheduler.map(map(str, range(200))):
            pass
        assert anyio.current_time() == pytest.approx(19.1, abs=0.5)
    starts = [sent.at for sent in transport.sent]
    for first, eleventh in zip(starts, starts[20:], strict=False):
        assert eleventh - first >= 1.0 - 1e-6, "the burst of one period, then the rate"


async def test_an_interactive_job_waits_only_for_the_next_place() -> None:
    transport = ScriptedTransport(latency=0.1)
    async with Scheduler(
        model="claude-haiku-5-5", max_tokens=9, transport=transport, ceiling=Ceiling(1, 1.0), limits=TOLD
    ) as scheduler:
        jobs = [scheduler.submit(str(i), priority=Priority.BULK) for i in range(10)]
        await anyio.sleep(3.5)
        await scheduler.submit("now", priority=Priority.INTERACTIVE)
        assert anyio.current_time() <= 5.2
        for job in jobs:
            await job


async def test_a_refused_take_leaves_nothing_behind() -> None:
    inner = MemoryBudgets(Limits())
    store = CeilingBudgets(Ceiling(1, 60.0), inner)
    key, cost = BudgetKey("a", "g"), Cost(10.0)
    first = await store.reserve(key, cost, 0.0, interactive=False, backlog=NOTHING, jitter=0.5)
    assert not isinstance(first, Wait)
    assert isinstance(
        await store.reserve(key, cost, 0.0, interactive=False, backlog=NOTHING, jitter=0.5), Wait
    )
    assert inner.status(0.0)[key].in_flight == 1
    first.release(0.0)
    assert store.status(0.0)[key].in_flight == 0


@pytest.mark.parametrize(("requests", "seconds"), [(0, 1), (1, 0), (-1, 1), (float("nan"), 1)])
def test_bad_ceilings_are_refused(requests: float, seconds: float) -> None:
    with pytest.raises(ValueError, match="Ceiling"):
        Ceiling(requests, seconds)
