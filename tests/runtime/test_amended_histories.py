"""Random lives with repairs, tools and follow-ups: every job ends once, nothing leaks, every token is counted."""

from __future__ import annotations

import asyncio

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amend_rig import MODEL, OTHER, THIRD, Painter, answer, rules, text
from headway import Flow, FollowUp, JobState, Outcome, RepairPolicy, Scheduler, Usage
from headway.adapters.memory import MemoryBudgets
from headway.core.error_kind import ErrorKind
from headway.core.limits import Limits
from headway.testing.clock import virtual_loop
from headway.testing.transport import ScriptedTransport, Sent, lost, refusal, reply

__all__ = ["rules"]
CALL = {"type": "tool_use", "id": "toolu_1", "name": "save", "input": {}}
ANSWERS = {
    "ok": reply(usage=Usage(7, 3)),
    "pause": answer("pause_turn", text("a")),
    "refusal": answer("refusal"),
    "cut off": answer("max_tokens", CALL),
    "overflow": refusal(400, "invalid_request_error", message="prompt is too long"),
    "413": refusal(413, "request_too_large"),
    "404": refusal(404, "not_found_error", message="model: gone"),
    "529": refusal(529, "overloaded_error"),
    "500": refusal(500, "api_error"),
    "lost": lost(ErrorKind.DISCONNECTED),
}
OWN = (None, FollowUp(), FollowUp(fallback_models=(THIRD,)))
"""Of single jobs: the scheduler's, none to another model, one of its own."""
ENDS = {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED}


async def history(
    answers: list[str],
    prompts: list[tuple[str, float | None]],
    cancels: list[tuple[int, float]],
    leave: float,
) -> None:
    budgets = MemoryBudgets(Limits(requests=600, input=100_000, output=50_000, burst=5))

    def script(sent: Sent) -> object:
        return ANSWERS[answers[(len(sent.text) + sent.attempt) % len(answers)]]

    transport = ScriptedTransport(script, latency=1.5)  # type: ignore[arg-type]
    tools = [Painter("images", "heic", "jpeg", seconds=4), Painter("files", "large", "file_1", seconds=2)]
    outcomes: list[Outcome[object]] = []  # type: ignore[type-var]
    status = None
    with anyio.CancelScope(deadline=leave):
        async with Scheduler(
            model=MODEL, max_tokens=3000, transport=transport, budgets=budgets, tools=tools,
            flow=Flow(max_in_flight=3), repair=RepairPolicy("repair"),
            follow_up=FollowUp(continue_paused=2, fallback_models=(OTHER, THIRD), overload_patience=5),
        ) as scheduler:  # fmt: skip
            jobs = [
                scheduler.submit(prompt, deadline=deadline, model=(MODEL, OTHER)[n % 2], follow_up=OWN[n % 3])
                for n, (prompt, deadline) in enumerate(prompts)
            ]
            for job in jobs:
                job.add_done_callback(outcomes.append)  # type: ignore[arg-type]
            try:
                for index, at in sorted(cancels, key=lambda cancel: cancel[1]):
                    await anyio.sleep_until(max(anyio.current_time(), at))
                    jobs[index % len(jobs)].cancel()
                await scheduler.drain()
            finally:
                status = scheduler.status() if all(job.done() for job in jobs) else None
    assert len(outcomes) == len(jobs), "every job ends exactly once"
    assert transport.in_flight == sum(tool.at_work for tool in tools) == 0
    assert all(budget.in_flight == 0 for budget in budgets.status(anyio.current_time()).values())
    assert len(asyncio.all_tasks()) == 1, "no task is left"
    assert {outcome.state for outcome in outcomes} <= ENDS
    assert sum(outcome.sends for outcome in outcomes) >= len(transport.sent), "cut off just before the send"
    for outcome in outcomes:
        assert outcome.request.max_tokens == 3000, "the request as given never changes"
        assert outcome.state is not JobState.SUCCEEDED or outcome.result() is not None
    if status is not None:
        spent = sum((outcome.usage for outcome in outcomes), start=Usage())
        assert spent == status.usage, "what was billed is told, whatever it led to"
        assert status.maybe_billed == sum(outcome.maybe_billed for outcome in outcomes)
        assert status.cost == pytest.approx(sum(outcome.cost or 0.0 for outcome in outcomes))


@pytest.mark.usefixtures("rules")
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    answers=st.lists(st.sampled_from(sorted(ANSWERS)), min_size=1, max_size=6),
    prompts=st.lists(
        st.tuples(st.sampled_from(["x", "xy", "a heic", "so large", "a large heic"]), st.none() | st.floats(0.1, 60)),
        min_size=1, max_size=10,
    ),
    cancels=st.lists(st.tuples(st.integers(0, 9), st.floats(0, 30)), max_size=5),
    leave=st.just(float("inf")) | st.floats(0.1, 40),
)  # fmt: skip
def test_random_histories(
    answers: list[str],
    prompts: list[tuple[str, float | None]],
    cancels: list[tuple[int, float]],
    leave: float,
) -> None:
    anyio.run(history, answers, prompts, cancels, leave, backend_options={"loop_factory": virtual_loop})
