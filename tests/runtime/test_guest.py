"""A guest makes its own attempts: the same queue, budgets, decisions and events; it always gives back."""

from __future__ import annotations

from collections.abc import Mapping

import anyio
import pytest
from anyio.lowlevel import checkpoint

from headway import (
    Flow,
    HeadwayError,
    JobCancelledError,
    JobExpiredError,
    JobState,
    RequestRejectedError,
    Scheduler,
)
from headway.adapters.memory import MemoryBudgets
from headway.core.error_kind import ErrorKind
from headway.core.job import Priority
from headway.core.limits import Limits
from headway.core.usage import Usage
from headway.errors import StoppedError
from headway.runtime.guest import Guest
from headway.runtime.terms import Terms
from headway.testing.transport import ScriptedTransport, lost, refusal, reply

pytestmark = pytest.mark.anyio


class House:
    """A scheduler with budgets that can be looked into."""

    def __init__(self, **options: object) -> None:
        self.budgets = MemoryBudgets(Limits(requests=600, input=100_000, output=50_000, burst=5))
        self.scheduler = Scheduler(
            model="claude-haiku-5-5",
            max_tokens=9,
            transport=ScriptedTransport(),
            budgets=self.budgets,
            **options,  # type: ignore[arg-type]
        )

    def guest(self, text: str = "x", deadline: float | None = None) -> Guest:
        terms = Terms(Priority.NORMAL, "", deadline)
        return self.scheduler._guest(text, {}, terms)

    def in_flight(self) -> float:
        return sum(status.in_flight for status in self.budgets.status(anyio.current_time()).values())


async def test_a_guest_succeeds_like_a_job() -> None:
    house = House()
    async with house.scheduler as scheduler:
        guest = house.guest()
        await guest.turn()
        assert (scheduler.status().in_flight, house.in_flight()) == (1, 1)
        assert not await guest.finish(reply(usage=Usage(30, 40)))
        status = scheduler.status()
        assert (status.in_flight, house.in_flight(), status.succeeded, status.sends) == (0, 0, 1, 1)
        assert status.usage == Usage(30, 40)
    assert guest.job.state is JobState.SUCCEEDED


async def test_a_refusal_means_another_turn_when_the_decision_says_so() -> None:
    house = House()
    async with house.scheduler as scheduler:
        guest = house.guest()
        await guest.turn()
        assert await guest.finish(refusal(429, "rate_limit_error", retry_after=7))
        before = anyio.current_time()
        await guest.turn()
        assert anyio.current_time() - before >= 7
        assert await guest.finish(lost(ErrorKind.DISCONNECTED))
        await guest.turn()
        assert not await guest.finish(reply())
        assert (scheduler.status().sends, scheduler.status().refused_429) == (3, 1)


async def test_a_final_failure_is_raised_by_the_next_turn() -> None:
    house = House()
    async with house.scheduler:
        guest = house.guest()
        await guest.turn()
        assert not await guest.finish(refusal(400, "invalid_request_error"))
        with pytest.raises(RequestRejectedError):
            await guest.turn()


async def test_what_is_cancelled_anywhere_gives_everything_back() -> None:
    for after in (0.0, 0.5, 1.0, 2.0, 30.0):
        house = House(flow=Flow(max_in_flight=1))
        async with house.scheduler as scheduler:
            blocker = scheduler.submit("blocker")

            async def use(guest: Guest) -> None:
                await guest.turn()
                try:
                    await anyio.sleep(5)
                except BaseException:
                    await guest.leave(Usage(1, 1), sent=True)
                    raise
                await guest.finish(reply())

            guest = house.guest()
            async with anyio.create_task_group() as group:
                group.start_soon(use, guest)
                await anyio.sleep(after)
                group.cancel_scope.cancel()
            await blocker
            await checkpoint()
            assert (scheduler.status().in_flight, house.in_flight(), scheduler.status().queued) == (0, 0, 0)
            assert guest.job.state is (JobState.SUCCEEDED if after == 30 else JobState.CANCELLED)


async def test_a_deadline_in_the_queue_is_raised() -> None:
    house = House(flow=Flow(max_in_flight=1))
    async with house.scheduler as scheduler:
        first, second = house.guest(), house.guest("y", deadline=3)
        await first.turn()
        with pytest.raises(JobExpiredError):
            await second.turn()
        assert await_time() == 3
        await first.finish(reply())
        assert scheduler.status().expired == 1


def await_time() -> float:
    return round(anyio.current_time(), 3)


async def test_stopping_and_cancelling_reach_a_waiting_guest() -> None:
    house = House(flow=Flow(max_in_flight=1))
    errors: Mapping[str, list[BaseException]] = {"a": [], "b": []}

    async def wait(name: str, guest: Guest) -> None:
        try:
            await guest.turn()
        except HeadwayError as error:
            errors[name].append(error)

    async with house.scheduler as scheduler:
        first = house.guest()
        await first.turn()
        second, third = house.guest("b"), house.guest("c")
        async with anyio.create_task_group() as group:
            group.start_soon(wait, "a", second)
            group.start_soon(wait, "b", third)
            await anyio.sleep(1)
            second.job.cancel()
            await anyio.sleep(1)
            scheduler.abort()
        await first.leave(sent=True)
    assert [type(error) for error in errors["a"]] == [JobCancelledError]
    assert [type(error) for error in errors["b"]] == [StoppedError]
    assert house.in_flight() == 0
