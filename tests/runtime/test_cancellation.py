"""Cancel anywhere: no leaked slot, reservation, task or job, whatever is cut off and when."""

from __future__ import annotations

import asyncio

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st

from headway import Flow, JobState, Scheduler
from headway.adapters.memory import MemoryBudgets
from headway.core.error_kind import ErrorKind
from headway.core.limits import Limits
from headway.core.usage import Usage
from headway.ports import Rejection, Reply
from headway.runtime.handle import Job, Outcome
from headway.testing.clock import virtual_loop
from headway.testing.transport import ScriptedTransport, Sent, lost, refusal, reply

ANSWERS = st.sampled_from(["ok", "429", "529", "500", "400", "lost", "slow"])


def answer(kind: str) -> Reply | Rejection:
    match kind:
        case "429":
            return refusal(429, "rate_limit_error", retry_after=1)
        case "529":
            return refusal(529, "overloaded_error")
        case "500":
            return refusal(500, "api_error")
        case "400":
            return refusal(400, "invalid_request_error")
        case "lost":
            return lost(ErrorKind.DISCONNECTED)
        case _:
            return reply(usage=Usage(100, 50))


async def history(
    answers: list[str], cancels: list[tuple[int, float]], deadlines: list[float | None], leave: float | None
) -> None:
    budgets = MemoryBudgets(Limits(requests=600, input=100_000, output=50_000, burst=5))

    def script(sent: Sent) -> Reply | Rejection:
        return answer(answers[(int(sent.text) + sent.attempt - 1) % len(answers)])

    def latency(sent: Sent) -> float:
        return 500.0 if answers[int(sent.text) % len(answers)] == "slow" else 1.5

    transport = ScriptedTransport(script, latency=latency)
    jobs: list[Job[object]] = []  # type: ignore[type-var]
    outcomes: list[Outcome[object]] = []  # type: ignore[type-var]
    with anyio.CancelScope(deadline=float("inf") if leave is None else leave):
        async with Scheduler(
            model="claude-haiku-5-5",
            max_tokens=9,
            transport=transport,
            budgets=budgets,
            flow=Flow(max_in_flight=4),
        ) as scheduler:
            for index, deadline in enumerate(deadlines):
                job = scheduler.submit(str(index), deadline=deadline)
                job.add_done_callback(outcomes.append)  # type: ignore[arg-type]
                jobs.append(job)  # type: ignore[arg-type]
            for index, at in sorted(cancels, key=lambda cancel: cancel[1]):
                await anyio.sleep_until(max(anyio.current_time(), at))
                jobs[index % len(jobs)].cancel()
    assert len(outcomes) == len(jobs), "every job ends exactly once"
    assert all(job.done() for job in jobs)
    assert transport.in_flight == 0
    assert all(status.in_flight == 0 for status in budgets.status(anyio.current_time()).values())
    assert len(asyncio.all_tasks()) == 1, "no task is left"
    for outcome in outcomes:
        assert outcome.state in {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED}


@settings(max_examples=60, deadline=None)
@given(
    answers=st.lists(ANSWERS, min_size=1, max_size=6),
    cancels=st.lists(st.tuples(st.integers(0, 11), st.floats(0, 30)), max_size=8),
    deadlines=st.lists(st.none() | st.floats(0.1, 60), min_size=1, max_size=12),
    leave=st.none() | st.floats(0.1, 40),
)
def test_random_histories(
    answers: list[str], cancels: list[tuple[int, float]], deadlines: list[float | None], leave: float | None
) -> None:
    anyio.run(history, answers, cancels, deadlines, leave, backend_options={"loop_factory": virtual_loop})


@pytest.mark.anyio
@pytest.mark.parametrize("outside", [False, True])
async def test_cancel_at_every_await_point(outside: bool) -> None:
    tasks_before = len(asyncio.all_tasks())
    for steps in range(40):
        budgets = MemoryBudgets(Limits(requests=60, input=10_000, output=10_000, burst=60))
        transport = ScriptedTransport(latency=0)
        job = None
        with anyio.CancelScope() as scope:
            async with Scheduler(
                model="claude-haiku-5-5", max_tokens=9, transport=transport, budgets=budgets
            ) as scheduler:
                job = scheduler.submit("0")
                for _ in range(steps):
                    await checkpoint()
                if outside:
                    scope.cancel()
                else:
                    job.cancel()
        assert job is not None
        assert job.done()
        assert all(status.in_flight == 0 for status in budgets.status(anyio.current_time()).values())
        assert transport.in_flight == 0
        assert len(asyncio.all_tasks()) == tasks_before
        outcome = await job.outcome()
        if outcome.state is not JobState.SUCCEEDED:
            assert outcome.maybe_billed == len(transport.sent), (
                "what was sent may be billed, what was not is not"
            )
