"""Jobs of 64 to 4,096 tokens, and when the run is over: long ones first near the end."""

from __future__ import annotations

import random
from collections.abc import Iterator

import anyio
import pytest
from virtual_api import VirtualAPI

from headway import Flow, Limits, Priority, Scheduler
from headway.core import queue as queue_module
from headway.runtime.clock import loop_time

pytestmark = pytest.mark.anyio
BY_REQUESTS = (300.0, 2_000_000.0, 4_000_000.0)
BY_OUTPUT = (600.0, 120_000.0, 40_000.0)


def jobs(count: int) -> Iterator[dict[str, object]]:
    """``max_tokens`` evenly over the orders of magnitude; .3 to 1 of it is written, 80 tokens a second."""
    dice = random.Random(5)
    for number in range(count):
        most = int(64 * 64 ** dice.random())
        text = f"100 {int(most * dice.uniform(0.3, 1.0)) + 1} {number} ".ljust(350, "x")
        yield {"messages": [{"role": "user", "content": text}], "max_tokens": most}


async def makespan(limits: tuple[float, float, float], count: int, **flow: int) -> float:
    api = VirtualAPI(limits, burst=10.0)
    begun = loop_time()
    options = {"limits": Limits(*limits), "flow": Flow(**flow)}  # type: ignore[arg-type]
    async with Scheduler(model="claude-haiku-5-5", transport=api, **options) as s:  # type: ignore[arg-type]
        ended = [outcome async for outcome in s.map(jobs(count))]
    assert len(ended) == count
    assert api.refusals(429) <= 10
    return loop_time() - begun


@pytest.mark.parametrize(
    ("limits", "count", "flow", "gain"),
    [
        pytest.param(BY_REQUESTS, 200, {}, 0.15, id="requests are scarce"),
        pytest.param(BY_OUTPUT, 100, {}, 0.05, id="output is scarce"),
        pytest.param((6000.0, 2e6, 4e6), 200, {"max_in_flight": 20}, 0.1, id="connections are scarce"),
    ],
)
async def test_a_run_ends_sooner(
    monkeypatch: pytest.MonkeyPatch,
    limits: tuple[float, float, float],
    count: int,
    flow: dict[str, int],
    gain: float,
) -> None:
    ordered = await makespan(limits, count, **flow)
    monkeypatch.setattr(queue_module, "is_last_wave", lambda queued, running: False)
    by_age = await makespan(limits, count, **flow)
    assert ordered <= (1 - gain) * by_age


async def test_interactive_jobs_do_not_wait_for_long_ones() -> None:
    api = VirtualAPI(BY_REQUESTS, burst=10.0)
    async with Scheduler(model="claude-haiku-5-5", max_tokens=64, transport=api) as s:
        async with s.map(jobs(150)) as outcomes, anyio.create_task_group() as group:

            async def people() -> None:
                for number in range(20):
                    await anyio.sleep(1.5)
                    text = f"10 1 person {number}"
                    at = loop_time()
                    await s.submit(text, priority=Priority.INTERACTIVE)
                    assert next(when for when, sent in api.starts if sent == text) - at <= 0.3

            group.start_soon(people)
            async for _ in outcomes:
                pass
