"""What concerns one model or one user profile stops that one and nobody else."""

from __future__ import annotations

import pytest
from handbook_cases import scoped
from handbook_rig import MODEL, Start

from headway import BillingError, ErrorKind, Flow, JobState, RequestRejectedError
from headway.testing.fake_api import FaultKind, FaultRule

pytestmark = pytest.mark.anyio
GONE = "claude-opus-4-1"
"""Retired on 2026-08-05; the fake API does not serve it either."""


@scoped
async def test_a_model_that_is_gone_stops_only_its_own_jobs(start: Start) -> None:
    rig = await start()
    async with rig.open(flow=Flow(max_in_flight=2)) as scheduler:
        doomed = [scheduler.submit(f"x{n}", model=GONE) for n in range(20)]
        good = [scheduler.submit(f"x{n}") for n in range(10)]
        ended = [await job.outcome() for job in doomed]
        assert {(o.state, o.failure and o.failure.kind) for o in ended} == {
            (JobState.FAILED, ErrorKind.NOT_FOUND)
        }
        assert [(await job.outcome()).state for job in good] == [JobState.SUCCEEDED] * 10
        assert sum(1 for body in rig.wire.sent if body["model"] == GONE) <= 2, "found out once"
        with pytest.raises(RequestRejectedError):
            await scheduler.submit("late", model=GONE)
        assert sum(1 for body in rig.wire.sent if body["model"] == GONE) <= 2
        assert scheduler.status().halted is None


@scoped
@pytest.mark.parametrize("wrong", ["claude-sonet-5-5", "claude-sonnet-5.5", "sonnet-5-5"])
async def test_a_misspelt_model_is_told_the_right_one(start: Start, wrong: str) -> None:
    rig = await start()
    async with rig.open() as scheduler:
        with pytest.raises(RequestRejectedError) as caught:
            await scheduler.submit("x", model=wrong)
    assert caught.value.failure.kind is ErrorKind.NOT_FOUND
    assert MODEL in str(caught.value)
    assert len(rig.wire.sent) == 1


@scoped
async def test_a_profile_that_cannot_be_billed_stops_only_its_own_jobs(start: Start) -> None:
    rule = FaultRule(FaultKind.STATUS, status=403, error_code="user_profile_not_billable", job="acme-*")
    rig = await start(rule)
    async with rig.open(flow=Flow(max_in_flight=2)) as scheduler:
        doomed = [
            scheduler.submit("x", user_profile_id="uprof_acme", metadata={"user_id": f"acme-{n}"})
            for n in range(20)
        ]
        good = [
            scheduler.submit("x", user_profile_id="uprof_zoo", metadata={"user_id": f"zoo-{n}"})
            for n in range(5)
        ]
        ended = [await job.outcome() for job in doomed]
        assert {(o.state, o.failure and o.failure.kind) for o in ended} == {
            (JobState.FAILED, ErrorKind.PROFILE)
        }
        assert [(await job.outcome()).state for job in good] == [JobState.SUCCEEDED] * 5
        assert sum(1 for body in rig.wire.sent if "acme" in body["metadata"]["user_id"]) <= 2
        rig.api.set_faults(())
        scheduler.resume()
        again = scheduler.submit("x", user_profile_id="uprof_acme", metadata={"user_id": "acme-99"})
        assert (await again.outcome()).state is JobState.SUCCEEDED


async def test_a_sandbox_fails_only_the_job(start: Start) -> None:
    rule = FaultRule(FaultKind.STATUS, status=403, error_code="sandbox_egress_restricted", count=1)
    rig = await start(rule)
    async with rig.open() as scheduler:
        with pytest.raises(RequestRejectedError) as caught:
            await scheduler.submit("x")
        assert caught.value.failure.kind is ErrorKind.PROFILE
        assert (await scheduler.submit("y").outcome()).state is JobState.SUCCEEDED


async def test_a_workspace_at_its_own_limit_stops_only_its_own_jobs(start: Start) -> None:
    """The key's own workspace is the account, as far as this key reaches."""
    text = (
        "You have reached your specified workspace API usage limits. You will regain access on 2026-12-01 at 00:00 "
        "UTC."
    )
    rig = await start(FaultRule(FaultKind.STATUS, status=400, message=text, count=1))
    async with rig.open() as scheduler:
        with pytest.raises(BillingError, match="2026-12-01") as caught:
            await scheduler.submit("x", workspace_id="wrkspc_1")
        assert (caught.value.failure.scope, caught.value.failure.resumes_at) == (
            "workspace",
            "2026-12-01T00:00:00Z",
        )
        assert (await scheduler.submit("x", workspace_id="wrkspc_1").outcome()).resumable
        assert len(rig.wire.sent) == 1
        assert (await scheduler.submit("x", workspace_id="wrkspc_2").outcome()).state is JobState.SUCCEEDED
        rig.api.set_faults((FaultRule(FaultKind.STATUS, status=400, message=text, count=1),))
        assert (await scheduler.submit("x").outcome()).resumable
        assert scheduler.status().halted is not None
