"""A server over real HTTP whose clock, headers and refusals mislead: nothing is lost, little is refused."""

from __future__ import annotations

import pytest
from http_house import Open

from headway import JobState, Limits
from headway.core.budget_status import BudgetStatus
from headway.testing.fake_api import FakeLimits, FaultKind, FaultRule, HeaderPolicy

pytestmark = [pytest.mark.anyio, pytest.mark.heavy]
LIMITS = FakeLimits(requests=12_000, input=6_000_000, output=1_200_000, burst=1.0)
JOBS = 260
"""The bucket holds 200 requests."""


@pytest.fixture
def backend() -> str:
    return "aiohttp"


async def run(house: Open, *faults: FaultRule, **config: object) -> tuple[int, BudgetStatus]:
    """The 429s of a run that fits one bucket and a little more, and the budget at its end."""
    h = await house(*faults, limits=LIMITS, **config)
    async with h.scheduler(limits=Limits(requests=12_000)) as scheduler:
        outcomes = [outcome async for outcome in scheduler.map(f"question {n}" for n in range(JOBS))]
        (budget,) = scheduler.status().budgets.values()
    assert {outcome.state for outcome in outcomes} == {JobState.SUCCEEDED}
    assert len(h.api.stats.successes) == JOBS and h.api.stats.duplicates == 0
    return h.api.stats.statuses.get(429, 0), budget


@pytest.mark.parametrize("skew", [-7200.0, 7200.0], ids=["two hours behind", "two hours ahead"])
async def test_a_clock_that_is_off(house: Open, skew: float) -> None:
    refused, budget = await run(house, headers=HeaderPolicy(clock_skew=skew))
    assert refused <= 10
    for row in budget.dimensions:
        assert row.origin == "header" and row.capacity is not None and row.limit is not None
        assert row.capacity <= 10 * row.limit / 60, "no depth of hours was learned"


@pytest.mark.parametrize("stale", [0.3, 3.0])
async def test_stale_headers(house: Open, stale: float) -> None:
    refused, _ = await run(house, headers=HeaderPolicy(stale=stale))
    assert refused <= 30


async def test_no_headers_on_errors(house: Open) -> None:
    """One in thirty is refused for no reason, and the refusal is bare."""
    bare = FaultRule(FaultKind.STATUS, status=429, probability=0.03, attempts="first", count=8)
    refused, budget = await run(house, bare, headers=HeaderPolicy(omit="errors", retry_after=False))
    assert 1 <= refused <= 30
    assert budget.rate_limited == refused


@pytest.mark.parametrize("wait", ["0", "1", "date+1"])
async def test_a_retry_after_of_whole_seconds(house: Open, wait: str) -> None:
    fault = FaultRule(FaultKind.STATUS, status=429, retry_after=wait, count=1, attempts="first")
    refused, budget = await run(house, fault)
    assert 1 <= refused <= 10
    assert budget.rate_limited == refused


async def test_a_job_bigger_than_the_bucket_is_the_only_one_that_fails(house: Open) -> None:
    """The API never admits it. It is refused until its patience ends, and holds nobody up."""
    h = await house(limits=FakeLimits(requests=60_000, input=60_000, burst=1.0))
    async with h.scheduler() as scheduler:
        giant = scheduler.submit("x" * 9000, deadline=0.8)
        small = [scheduler.submit(f"question {number}") for number in range(30)]
        assert {(await job.outcome()).state for job in small} == {JobState.SUCCEEDED}
        assert (await giant.outcome()).state is JobState.EXPIRED
    assert h.api.stats.statuses.get(429, 0) <= 5


async def test_outputs_of_one_token(house: Open) -> None:
    """The least that is ever written: the mean sinks to it, and nothing divides by it."""
    h = await house(limits=LIMITS)
    async with h.scheduler(max_tokens=1) as scheduler:
        outcomes = [outcome async for outcome in scheduler.map(f"question {n}" for n in range(60))]
        (budget,) = scheduler.status().budgets.values()
    assert {outcome.state for outcome in outcomes} == {JobState.SUCCEEDED}
    assert budget.mean_output < 50
