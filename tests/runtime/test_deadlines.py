"""A job that cannot make its deadline is told so at once; one that perhaps can is not."""

from __future__ import annotations

import anyio
import pytest

from headway import Flow, JobState, Limits, Priority, Scheduler
from headway.core.error_kind import ErrorKind
from headway.ports import Rejection
from headway.runtime.handle import Outcome
from headway.testing.transport import ScriptedTransport, Sent, refusal, reply

pytestmark = pytest.mark.anyio


def scheduler(transport: ScriptedTransport, **options: object) -> Scheduler:
    settings: dict[str, object] = {"limits": Limits(requests=600, burst=1)}
    return Scheduler(model="claude-haiku-5-5", max_tokens=9, transport=transport, **(settings | options))  # type: ignore[arg-type]


def early(outcome: Outcome[object]) -> bool:  # type: ignore[type-var]
    if outcome.state is not JobState.EXPIRED:
        return False
    assert outcome.failure is not None
    assert outcome.failure.kind is ErrorKind.DEADLINE
    return "could not start before its deadline" in outcome.failure.message


async def test_behind_a_queue_that_the_limit_cannot_empty_in_time() -> None:
    """Ten a second; a minute's worth may go at once; 2,000 are ahead: 140 s at least."""
    async with scheduler(ScriptedTransport()) as s:
        s.submit("first")
        await anyio.sleep(5)  # a budget is known once something was sent
        bulk = [s.submit(f"bulk {number}") for number in range(2000)]
        hopeless = await s.submit("hopeless", deadline=60).outcome()
        assert early(hopeless)
        assert hopeless.sends == 0
        assert anyio.current_time() < 6
        hopeful = s.submit("hopeful", deadline=100)
        urgent = s.submit("urgent", deadline=30, priority=Priority.INTERACTIVE)
        stranger = s.submit("stranger", deadline=30, tenant="another")
        assert (await urgent.outcome()).state is JobState.SUCCEEDED
        assert (await stranger.outcome()).state is JobState.SUCCEEDED
        assert not early(await hopeful.outcome()), (
            "twice as many may be sent as the limit says: it might be raised"
        )
        for job in bulk:
            job.cancel()


@pytest.mark.parametrize(
    ("said", "counted"),
    [
        (refusal(429, "rate_limit_error", retry_after=60), (1, 0)),
        (refusal(529, "overloaded_error", retry_after=60), (0, 1)),
    ],
)
async def test_a_refusal_whose_retry_would_come_too_late_is_counted(
    said: Rejection, counted: tuple[int, int]
) -> None:
    async with scheduler(ScriptedTransport(lambda _: said), limits=None) as s:
        assert (await s.submit("x", deadline=10).outcome()).state is JobState.EXPIRED
        assert (s.status().refused_429, s.status().refused_529) == counted


async def test_without_a_known_limit_nothing_is_foretold() -> None:
    async with scheduler(ScriptedTransport(), limits=None) as s:
        s.submit("first")
        await anyio.sleep(5)
        bulk = [s.submit(f"bulk {number}") for number in range(5000)]
        outcome = await s.submit("x", deadline=10).outcome()
        assert not early(outcome)
        assert anyio.current_time() >= 15 or outcome.state is JobState.SUCCEEDED
        for job in bulk:
            job.cancel()


async def test_while_the_api_asks_for_a_longer_wait() -> None:
    """A Retry-After of ten minutes: whoever has less than that left is told at once, newcomers too."""

    def script(sent: Sent) -> object:
        return refusal(429, "rate_limit_error", retry_after=600) if anyio.current_time() < 5 else reply()

    async with scheduler(ScriptedTransport(script)) as s:  # type: ignore[arg-type]
        patient = s.submit("patient")
        await anyio.sleep(0.5)
        queued = [s.submit(f"{number}", deadline=300) for number in range(30)]
        await anyio.sleep(4)
        assert s.status().expired == 30
        assert all([early(await job.outcome()) for job in queued if not job.attempts])
        assert sum(not job.attempts for job in queued) >= 10
        newcomer = await s.submit("newcomer", deadline=100).outcome()
        assert early(newcomer)
        assert anyio.current_time() < 5
        later = s.submit("later", deadline=3000)
        assert (await later.outcome()).state is JobState.SUCCEEDED
        assert anyio.current_time() > 600
        await patient


async def test_a_full_house_alone_is_no_reason() -> None:
    """All slots are taken: who knows for how long."""
    async with scheduler(ScriptedTransport(latency=50), flow=Flow(max_in_flight=1)) as s:
        s.submit("a").add_done_callback(lambda outcome: None)
        outcome = await s.submit("b", deadline=10).outcome()
        assert not early(outcome)
        assert anyio.current_time() == pytest.approx(10)
