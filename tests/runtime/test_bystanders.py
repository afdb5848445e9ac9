"""What fails beside a job (a callback, a cancelled future) keeps no other job from its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NoReturn

import anyio
import pytest

from headway import Flow, JobState, Limits, Scheduler
from headway.ports import Reply
from headway.runtime.handle import Outcome
from headway.testing.transport import ScriptedTransport, Sent, reply

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


def cancelled_future() -> asyncio.Future[NoReturn]:
    """What is left of a lookup that several calls shared, once one of them was cancelled."""
    future: asyncio.Future[NoReturn] = asyncio.get_running_loop().create_future()
    future.cancel()
    return future


async def test_a_call_that_somebody_else_cancelled_is_made_again() -> None:
    def script(sent: Sent) -> Reply:
        if sent.text == "1" and sent.attempt == 1:
            cancelled_future().result()
        return reply()

    with anyio.fail_after(100):
        async with scheduler(ScriptedTransport(script)) as s:
            jobs = [s.submit(str(number)) for number in range(3)]
            outcomes = [await job.outcome() for job in jobs]
    assert [(o.state, o.sends, o.maybe_billed) for o in outcomes] == [
        (JobState.SUCCEEDED, 1, 0),
        (JobState.SUCCEEDED, 2, 1),
        (JobState.SUCCEEDED, 1, 0),
    ]


async def test_an_input_that_somebody_else_cancelled_ends_its_map_only() -> None:
    async def inputs() -> AsyncIterator[str]:
        yield "1"
        await cancelled_future()

    with anyio.fail_after(100):
        async with scheduler(ScriptedTransport()) as s:
            other = s.submit("other")
            states: list[JobState] = []
            with pytest.raises(RuntimeError, match="the input waited for was cancelled"):
                async for outcome in s.map(inputs()):
                    states.append(outcome.state)
            assert states == [JobState.SUCCEEDED]
            await other
