"""What a refusal does beyond its own job, over HTTP: the circuit, the climb, the number in flight, the next attempt;
and the endings that are answers."""

from __future__ import annotations

import anyio
import httpx2
import pytest
from handbook_cases import THROTTLED, api
from handbook_rig import Start

from headway import ErrorKind, Flow, JobState, RetryPolicy, Scheduler
from headway.core.breaker import Circuit
from headway.core.budget import BudgetStatus
from headway.testing.fake_api import FaultKind, FaultRule

pytestmark = pytest.mark.anyio
CONNECTIONS = next(case.rule.message for case in THROTTLED if case.name == "429 connections")
FLOW = Flow(max_in_flight=20)


def budget(scheduler: Scheduler) -> BudgetStatus:
    (status,) = scheduler.status().budgets.values()
    return status


async def all_succeed(scheduler: Scheduler, count: int) -> None:
    jobs = [scheduler.submit(f"x{number}") for number in range(count)]
    assert {(await job.outcome()).state for job in jobs} == {JobState.SUCCEEDED}


async def ceiling_after(start: Start, code: str | None) -> float:
    """What part of its limit the circuit allows twenty seconds after a burst of refusals."""
    rig = await start()
    async with rig.open(flow=FLOW) as scheduler:
        await all_succeed(scheduler, 20)
        rig.api.set_faults((api(429, code=code, retry_after="5", count=15),))
        await all_succeed(scheduler, 20)
        await anyio.sleep(20)
        ceiling = budget(scheduler).ceiling
    return 9.0 if ceiling is None else ceiling


async def test_after_a_ramp_limit_the_climb_is_slower(start: Start) -> None:
    assert await ceiling_after(start, "ramp_limit_exceeded") < 0.9 * await ceiling_after(start, None)


async def test_too_many_connections_lower_the_number_in_flight_and_nothing_else(start: Start) -> None:
    rig = await start()
    async with rig.open(flow=FLOW) as scheduler:
        await all_succeed(scheduler, 20)
        before = budget(scheduler)
        rig.api.set_faults((api(429, message=CONNECTIONS, count=3),))
        await all_succeed(scheduler, 40)
        after = budget(scheduler)
    assert before.max_in_flight is None
    assert after.max_in_flight is not None and after.max_in_flight < 20
    assert [d.limit for d in after.dimensions] == [d.limit for d in before.dimensions]
    assert (after.circuit, after.ceiling, after.rate_limited) == (Circuit.CLOSED, None, 3)
    assert rig.api.stats.arrivals == 20 + 40 + 3


async def test_an_overload_opens_the_circuit_and_its_end_closes_it(start: Start) -> None:
    rig = await start(api(529))
    async with rig.open(flow=FLOW) as scheduler:
        jobs = [scheduler.submit(f"x{number}") for number in range(200)]
        await anyio.sleep(30)
        assert budget(scheduler).circuit in {Circuit.OPEN, Circuit.HALF_OPEN}
        probes = rig.api.stats.arrivals
        assert probes <= 20 + 2 * 30, "those in flight, and then single probes"
        rig.api.set_faults(())
        assert {(await job.outcome()).state for job in jobs} == {JobState.SUCCEEDED}
        assert budget(scheduler).circuit is Circuit.CLOSED
    assert rig.api.stats.arrivals == probes + 200


async def test_a_pool_without_a_free_connection_lowers_the_number_in_flight(start: Start) -> None:
    rig = await start()

    def no_connection() -> Exception:
        if len(rig.wire.sent) >= 20:
            rig.wire.broken = None
        return httpx2.PoolTimeout("no free connection")

    rig.wire.broken = no_connection
    patient = RetryPolicy(max_attempts=20, max_total_attempts=20)
    async with rig.open(flow=FLOW, retry=patient) as scheduler:
        jobs = [scheduler.submit(f"x{number}") for number in range(40)]
        await jobs[0].outcome()
        low = scheduler.status().max_in_flight
        assert 1 <= low < 20
        assert {(await job.outcome()).state for job in jobs} == {JobState.SUCCEEDED}
        await all_succeed(scheduler, 100)
        assert scheduler.status().max_in_flight > low, "and slowly more again"
        assert budget(scheduler).rate_limited == 0


async def test_after_a_504_every_further_attempt_is_streamed(start: Start) -> None:
    rig = await start(FaultRule(FaultKind.STATUS, status=504, count=2))
    async with rig.open() as scheduler:
        outcome = await scheduler.submit("x").outcome()
    assert [attempt.failure and attempt.failure.kind for attempt in outcome.attempts] == [
        ErrorKind.SERVER_TIMEOUT, ErrorKind.SERVER_TIMEOUT, None,
    ]  # fmt: skip
    assert [body.get("stream", False) for body in rig.wire.sent] == [False, True, True]
    assert outcome.result().content


@pytest.mark.parametrize(
    "reason", ["max_tokens", "model_context_window_exceeded", "refusal", "pause_turn"]
)  # fmt: skip
async def test_an_answer_that_ends_otherwise_is_a_success_that_says_so(start: Start, reason: str) -> None:
    rig = await start(FaultRule(FaultKind.STOP, stop_reason=reason))
    async with rig.open() as scheduler:
        outcome = await scheduler.submit("x").outcome()
    assert (outcome.state, outcome.stop_reason) == (JobState.SUCCEEDED, reason)
    assert outcome.result().stop_reason == reason
    assert f'"stop_reason":"{reason}"' in outcome.ending.line().replace('": "', '":"')
    assert len(rig.wire.sent) == 1, "nothing follows that was not asked for"
