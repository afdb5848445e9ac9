"""Failures that no answer of the API tells: connections, the pool, timeouts, deadlines, stopping."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
import pytest
from handbook_rig import Start

from headway import ErrorKind, JobExpiredError, JobState, RetriesExhaustedError, StoppedError
from headway.testing.fake_api import FaultKind, FaultRule

pytestmark = pytest.mark.anyio

BROKEN: list[tuple[Callable[[], Exception], ErrorKind]] = [
    (lambda: httpx2.ConnectError("connection refused"), ErrorKind.CONNECTION),
    (lambda: httpx2.ConnectTimeout("no answer to SYN"), ErrorKind.CONNECTION),
    (lambda: httpx2.PoolTimeout("no free connection"), ErrorKind.POOL_TIMEOUT),
    (lambda: httpx2.ReadTimeout("silence"), ErrorKind.ATTEMPT_TIMEOUT),
    (lambda: httpx2.RemoteProtocolError("Server disconnected"), ErrorKind.DISCONNECTED),
]


@pytest.mark.parametrize(("make", "kind"), BROKEN, ids=[type(make()).__name__ for make, _ in BROKEN])
async def test_what_breaks_on_the_way(start: Start, make: Callable[[], Exception], kind: ErrorKind) -> None:
    rig = await start()
    rig.wire.broken = make
    async with rig.open() as scheduler:
        with pytest.raises(RetriesExhaustedError) as caught:
            await scheduler.submit("x")
        assert caught.value.failure.kind is kind
        assert len(rig.wire.sent) == len(caught.value.attempts) == 5
        assert str(caught.value).endswith(caught.value.failure.remedy)
        rig.wire.broken = None
        outcome = await scheduler.submit("x").outcome()
        assert outcome.state is JobState.SUCCEEDED, "the others go on"


async def test_a_deadline_ends_the_waiting(start: Start) -> None:
    rig = await start(FaultRule(FaultKind.STATUS, status=529))
    async with rig.open() as scheduler:
        job = scheduler.submit("x", deadline=20)
        with pytest.raises(JobExpiredError, match="deadline") as caught:
            await job
        assert caught.value.failure.kind is ErrorKind.DEADLINE
        assert job.state is JobState.EXPIRED
        last = caught.value.attempts[-1].started
        assert last <= 20


async def test_a_retry_after_beyond_the_deadline_is_not_waited_for(start: Start) -> None:
    rig = await start(FaultRule(FaultKind.STATUS, status=429, retry_after="600"))
    async with rig.open() as scheduler:
        with pytest.raises(JobExpiredError, match="rate_limit"):
            await scheduler.submit("x", deadline=60)
    assert rig.api.stats.arrivals == 1


async def test_stopping_leaves_a_job_to_be_done(start: Start) -> None:
    rig = await start(FaultRule(FaultKind.STATUS, status=529))
    async with rig.open() as scheduler:
        job = scheduler.submit("x")
        scheduler.abort()
        with pytest.raises(StoppedError) as caught:
            await job
        assert caught.value.resumable
        assert caught.value.failure.kind is ErrorKind.STOPPED
