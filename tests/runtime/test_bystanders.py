"""What fails beside a job (a callback, a cancelled future) keeps no other job from its end."""

from __future__ import annotations

import anyio
import pytest

from headway import Flow, JobState, Limits, Scheduler
from headway.runtime.handle import Outcome
from headway.testing.transport import ScriptedTransport

pytestmark = pytest.mark.anyio


def scheduler(transport: ScriptedTransport, **options: object) -> Scheduler:
    limits = Limits(requests=60_000)
    return Scheduler(model="claude-sonnet-5-5", max_tokens=64, transport=transport, limits=limits, **options)  # type: ignore[arg-type]


def fails(outcome: Outcome) -> None:  # type: ignore[type-arg]
    raise ValueError("a callback's own fault")


async def test_a_callback_that_fails_is_logged_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []
    with anyio.fail_after(100):
        async with scheduler(ScriptedTransport(), flow=Flow(max_in_flight=1)) as s:
            jobs = [s.submit(str(number)) for number in range(4)]
            for job in jobs:
                job.add_done_callback(fails)
                job.add_done_callback(lambda outcome: seen.append(outcome.key))
            jobs[2].cancel()  # ends in a task of its own, not in an attempt's
            await jobs[0].outcome()
            await s.stop()  # ends the rest in one go
            states = [(await job.outcome()).state for job in jobs]
    assert states == [JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.FAILED]
    assert len(seen) == 4
    assert caplog.text.count("a done callback of job") == 4
