"""A budget store that takes a round trip: whatever happens while it is asked is looked at when it answers."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import anyio
import pytest

from headway import (
    Job,
    JobCancelledError,
    JobExpiredError,
    JobState,
    Limits,
    Priority,
    Scheduler,
    StoppedError,
)
from headway.adapters.memory import MemoryBudgets
from headway.core.backlog import Backlog
from headway.core.budget import BudgetStatus, Cost, Wait
from headway.ports import BudgetKey, Grant
from headway.runtime.clock import loop_time
from headway.testing.transport import ScriptedTransport, refusal

pytestmark = pytest.mark.anyio
TRIP = 0.5
"""Seconds to the store, and as many back."""


class SlowBudgets:
    """Decides in the middle of the round trip, as a server elsewhere would."""

    def __init__(self, limits: Limits, trip: Callable[[], float] = lambda: TRIP) -> None:
        self.inner = MemoryBudgets(limits)
        self.trip = trip
        self.asked = 0

    async def reserve(
        self, key: BudgetKey, cost: Cost, now: float, *, interactive: bool, backlog: Backlog, jitter: float
    ) -> Grant | Wait:
        self.asked += 1
        await anyio.sleep(self.trip())
        answer = await self.inner.reserve(
            key, cost, loop_time(), interactive=interactive, backlog=backlog, jitter=jitter
        )
        try:
            await anyio.sleep(self.trip())
        except BaseException:  # what nobody will receive is given back
            if not isinstance(answer, Wait):
                answer.release(loop_time())
            raise
        return answer

    def status(self, now: float) -> Mapping[BudgetKey, BudgetStatus]:
        return self.inner.status(now)

    def set_limits(self, limits: Limits, now: float) -> None:
        self.inner.set_limits(limits, now)

    @property
    def held(self) -> int:
        """Reservations that nobody has ended."""
        return sum(budget.in_flight for budget in self.inner.status(loop_time()).values())


def scheduler(store: SlowBudgets, transport: ScriptedTransport | None = None) -> Scheduler:
    return Scheduler(
        model="claude-haiku-5-5", max_tokens=64, transport=transport or ScriptedTransport(), budgets=store
    )


GRANTS = Limits(requests=60_000)
WAITS = Limits(requests=1, burst=60)
"""The second job waits for a minute."""


@pytest.mark.parametrize("at", [0.25, 0.75], ids=["on the way there", "on the way back"])
@pytest.mark.parametrize("waits", [False, True], ids=["grant", "wait"])
class TestWhileTheStoreIsAsked:
    @staticmethod
    async def second(s: Scheduler, *, waits: bool, **terms: object) -> Job[object]:
        """A job for which the store is being asked now; if it is to wait, one before it took everything."""
        if waits:
            await s.submit("first")
        return s.submit("second", **terms)  # type: ignore[arg-type,return-value]

    async def test_a_cancelled_job_ends_at_once_and_is_not_sent(self, at: float, waits: bool) -> None:
        store, transport = SlowBudgets(WAITS if waits else GRANTS), ScriptedTransport()
        async with scheduler(store, transport) as s:
            job = await self.second(s, waits=waits)
            await anyio.sleep(at)
            assert s.status().queued == 1, "it is counted while it is in hand"
            job.cancel()
            with anyio.fail_after(0.01), pytest.raises(JobCancelledError):
                await job
            await anyio.sleep(2 * TRIP)
            assert store.held == 0
        assert [sent.text for sent in transport.sent] == ["first"] * waits

    @pytest.mark.parametrize("how", ["stop", "abort"])
    async def test_a_halted_job_is_given_back_and_not_sent(self, at: float, waits: bool, how: str) -> None:
        store, transport = SlowBudgets(WAITS if waits else GRANTS), ScriptedTransport()
        async with scheduler(store, transport) as s:
            job = await self.second(s, waits=waits)
            await anyio.sleep(at)
            if how == "stop":
                await s.stop()
            else:
                s.abort()
            with anyio.fail_after(0.01), pytest.raises(StoppedError) as caught:
                await job
            assert caught.value.resumable
            await anyio.sleep(2 * TRIP)
            assert (store.held, s.status().queued, s.status().in_flight) == (0, 0, 0)
        assert [sent.text for sent in transport.sent] == ["first"] * waits

    async def test_after_a_resume_only_new_jobs_are_sent(self, at: float, waits: bool) -> None:
        store, transport = SlowBudgets(GRANTS), ScriptedTransport()
        async with scheduler(store, transport) as s:
            job = await self.second(s, waits=waits)
            await anyio.sleep(at)
            s.abort()
            s.resume()
            await s.submit("third")
            assert (await job.outcome()).resumable
            assert store.held == 0
        assert "second" not in [sent.text for sent in transport.sent]

    async def test_a_deadline_is_seen_when_the_answer_comes(self, at: float, waits: bool) -> None:
        store, transport = SlowBudgets(WAITS if waits else GRANTS), ScriptedTransport()
        async with scheduler(store, transport) as s:
            job = await self.second(s, waits=waits, deadline=at)
            with anyio.fail_after(2.1 * TRIP), pytest.raises(JobExpiredError):
                await job
            assert store.held == 0
        assert [sent.text for sent in transport.sent] == ["first"] * waits

    async def test_the_scheduler_ends(self, at: float, waits: bool) -> None:
        store = SlowBudgets(WAITS if waits else GRANTS)
        with pytest.raises(RuntimeError, match="enough"):
            async with scheduler(store) as s:
                job = await self.second(s, waits=waits)
                await anyio.sleep(at)
                raise RuntimeError("enough")
        assert store.held == 0
        assert (await job.outcome()).resumable


async def test_a_job_of_a_dead_model_is_given_back_and_not_sent() -> None:
    """The first job learns that the model is gone while the store is asked for the second."""
    store = SlowBudgets(GRANTS)
    transport = ScriptedTransport(
        lambda _: refusal(404, "not_found_error", message="model: claude-haiku-5-5"), latency=TRIP
    )
    async with scheduler(store, transport) as s:
        first, second = s.submit("first"), s.submit("second")
        assert (await first.outcome()).failure is not None
        with anyio.fail_after(0.01):
            assert (await second.outcome()).resumable
        await anyio.sleep(2 * TRIP)
        assert (store.held, s.status().queued, s.status().in_flight) == (0, 0, 0)
    assert [sent.text for sent in transport.sent] == ["first"]


async def test_an_interactive_job_does_not_inherit_the_wait_of_the_job_before_it() -> None:
    """Bulk was told to wait for its pace while the question for it was under way and a person came."""
    store, transport = SlowBudgets(Limits(requests=60, burst=20)), ScriptedTransport()
    async with scheduler(store, transport) as s:
        async with s.map(f"bulk {number}" for number in range(200)) as outcomes:
            with anyio.move_on_after(60):
                async for _ in outcomes:
                    pass
            for _ in range(20):
                before = loop_time()
                await s.submit("person", priority=Priority.INTERACTIVE)
                took = loop_time() - before
                assert took <= 1.0 + 2 * (2 * TRIP) + 0.01, (
                    "its own trip, at most one under way, and the answer"
                )
                await anyio.sleep(0.3)


async def test_news_during_the_question_make_its_wait_stale() -> None:
    """The first job ends while the store is asked for the second: nobody waits for the minute it said."""
    store = SlowBudgets(Limits(requests=1, burst=60))
    transport = ScriptedTransport(latency=1.2)
    async with scheduler(store, transport) as s:
        first = s.submit("first")
        second = s.submit("second")
        await anyio.sleep(2 * TRIP + 0.9)  # the store is asked for the second, and will say: a minute
        s.set_limits(Limits(requests=60_000))
        with anyio.fail_after(5):
            await second
        await first


@pytest.mark.parametrize("seed", range(60))
async def test_a_random_history_ends_every_job_once_and_returns_every_reservation(seed: int) -> None:
    """Cancel, halt, resume, deadlines and new limits at any moment of the round trips."""
    dice = random.Random(seed)
    store = SlowBudgets(
        Limits(requests=dice.choice([60, 600, 60_000]), burst=dice.choice([1, 10, 60])),
        lambda: dice.choice([0.0, 0.01, dice.random()]),
    )
    jobs: list[Job[object]] = []
    transport = ScriptedTransport(latency=lambda _: dice.random())
    async with scheduler(store, transport) as s:
        for number in range(40):
            match dice.randrange(9):
                case 0 if jobs:
                    dice.choice(jobs).cancel()
                case 1:
                    s.abort()
                    s.resume()
                case 2:
                    s.set_limits(Limits(requests=dice.choice([60, 6000])))
                case _:
                    deadline = dice.choice([None, None, dice.random() * 3 + 0.01])
                    priority = dice.choice(list(Priority))
                    jobs.append(s.submit(f"job {number}", deadline=deadline, priority=priority))  # type: ignore[arg-type]
            await anyio.sleep(dice.choice([0.0, 0.01, 0.3 * dice.random()]))
        outcomes = [await job.outcome() for job in jobs]
        await anyio.sleep(2.5)
        status = s.status()
        assert (store.held, status.queued, status.in_flight) == (0, 0, 0)
        assert status.succeeded == sum(outcome.state is JobState.SUCCEEDED for outcome in outcomes)
    assert len(transport.sent) == status.sends
