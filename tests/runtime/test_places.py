"""One scheduler lives in one process, thread and event loop: elsewhere it says so, and never hangs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import anyio
import pytest

from headway import JobState, JournalError, Limits, Scheduler, SchedulerClosedError
from headway.testing.transport import ScriptedTransport

pytestmark = pytest.mark.anyio
BOUND = 20.0


def scheduler(latency: float = 0.0) -> Scheduler:
    transport = ScriptedTransport(latency=latency)
    return Scheduler(model="m", max_tokens=8, transport=transport, limits=Limits(requests=60_000))


async def test_opened_without_async_with() -> None:
    s = await scheduler(latency=5.0).open()
    job = s.submit("x")
    with pytest.raises(SchedulerClosedError, match="new one"):
        await s.open()
    await s.aclose()
    assert (await job.outcome()).state is JobState.SUCCEEDED
    await s.aclose()
    with pytest.raises(SchedulerClosedError):
        s.submit("x")
    with pytest.raises(SchedulerClosedError):
        await s.open()


async def test_opened_in_one_task_and_closed_in_another() -> None:
    s = scheduler(latency=5.0)
    await asyncio.create_task(s.open())
    assert await asyncio.create_task(one(s)) == "msg_test"
    await asyncio.create_task(s.aclose())


async def one(s: Scheduler) -> str:
    return (await s.submit("x")).id


async def test_closed_within_a_grace_time() -> None:
    s = await scheduler(latency=1000.0).open()
    job = s.submit("x")
    await s.aclose(grace=3.0)
    assert anyio.current_time() == pytest.approx(3.0)
    outcome = await job.outcome()
    assert (outcome.resumable, outcome.maybe_billed) == (True, 1)


async def test_closing_that_is_interrupted_cuts_off() -> None:
    s = await scheduler(latency=1000.0).open()
    job = s.submit("x")
    with anyio.move_on_after(3.0):
        await s.aclose()
    assert anyio.current_time() == pytest.approx(3.0)
    assert (await job.outcome()).resumable


async def test_what_cannot_be_opened_says_why_and_may_be_opened_again() -> None:
    broken = Scheduler(model="m", transport=ScriptedTransport(), journal="/dev/null/journal")
    for _ in range(2):
        with pytest.raises(JournalError):
            await broken.open()


async def test_a_fault_of_the_body_does_not_reach_who_opened() -> None:
    s = await scheduler().open()
    with pytest.raises(ZeroDivisionError):
        1 / 0  # noqa: B018
    assert await one(s) == "msg_test"
    await s.aclose()


def in_another_loop(use: Callable[[], Awaitable[object]]) -> None:
    """Run it in the loop of another thread; it must be refused, and soon."""
    caught: list[BaseException] = []

    async def refused() -> None:
        with pytest.raises(SchedulerClosedError, match="another thread or event loop"):
            await use()

    def run() -> None:
        try:
            asyncio.run(asyncio.wait_for(refused(), BOUND))
        except BaseException as error:  # noqa: BLE001 - raised below
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(2 * BOUND)
    assert not thread.is_alive()
    if caught:
        raise caught[0]


def refused_in_a_thread(use: Callable[[], object]) -> None:
    """A thread without a loop; it is joined, because virtual time would run on while it is awaited."""
    caught: list[BaseException] = []

    def run() -> None:
        try:
            use()
        except SchedulerClosedError as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(BOUND)
    assert "another thread" in str(caught[0])


async def test_jobs_outcomes_and_closing_in_another_loop() -> None:
    async with scheduler(latency=1000.0) as s:
        job = s.submit("x")
        outcomes = s.map(["y"])

        async def use(what: object) -> object:
            return await what if isinstance(what, Awaitable) else what

        in_another_loop(lambda: use(job))
        in_another_loop(job.outcome)
        in_another_loop(lambda: anext(outcomes))
        in_another_loop(s.drain)
        refused_in_a_thread(job.cancel)
        refused_in_a_thread(lambda: job.add_done_callback(lambda outcome: None))
        assert not job.done()
        s.abort()
    assert (await job.outcome()).resumable


def test_a_second_run_is_refused_and_finished_jobs_can_be_looked_at() -> None:
    """As in scripts: one ``asyncio.run`` after the other."""
    s = scheduler()

    async def first() -> tuple[object, object]:
        await s.open()
        done = s.submit("done")
        await done
        return done, s.submit("under way")

    done, under_way = asyncio.run(first())

    async def second() -> None:
        assert (await done.outcome()).state is JobState.SUCCEEDED  # type: ignore[attr-defined]
        assert (await under_way.outcome()).resumable  # type: ignore[attr-defined]
        for use in (lambda: s.submit("x"), s.status):
            with pytest.raises(SchedulerClosedError):
                use()
        with pytest.raises(SchedulerClosedError):
            await s.open()
        await s.aclose()
        async with scheduler() as fresh:
            await fresh.submit("x")

    asyncio.run(asyncio.wait_for(second(), BOUND))


def test_a_loop_that_was_left_without_closing() -> None:
    s = scheduler(latency=1000.0)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(s.open())

    async def submit() -> object:
        return s.submit("x")

    job = loop.run_until_complete(submit())
    try:
        with pytest.raises(SchedulerClosedError, match="another thread or event loop"):
            asyncio.run(asyncio.wait_for(job.outcome(), BOUND))  # type: ignore[attr-defined]
        with pytest.raises(SchedulerClosedError, match="another thread or event loop"):
            asyncio.run(asyncio.wait_for(s.aclose(), BOUND))
    finally:
        loop.run_until_complete(s.aclose(grace=0))
        loop.close()
