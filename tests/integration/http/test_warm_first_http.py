"""One pays for the shared prefix over HTTP too, whoever makes the requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from http_house import MODEL, Open

from headway import Scheduler
from headway.testing.fake_api import Latency

pytestmark = pytest.mark.anyio
SYSTEM = [{"type": "text", "text": "rule " * 1000, "cache_control": {"type": "ephemeral"}}]


def ask(number: int) -> dict[str, Any]:
    return {"system": SYSTEM, "messages": [{"role": "user", "content": f"question {number}"}]}


async def submitted(scheduler: Scheduler, number: int) -> None:
    await scheduler.submit(ask(number))


async def streamed(scheduler: Scheduler, number: int) -> None:
    async with scheduler.stream(ask(number)) as stream:
        assert await stream.get_final_text()


async def called(scheduler: Scheduler, number: int) -> None:
    await scheduler.client.messages.create(model=MODEL, max_tokens=64, **ask(number))


@pytest.mark.parametrize("send", [submitted, streamed, called])
async def test_one_pays(house: Open, send: Callable[[Scheduler, int], Awaitable[None]]) -> None:
    there = await house(latency=Latency(ttft=0.03, speed=5000))
    async with there.scheduler() as scheduler, anyio.create_task_group() as group:
        for number in range(25):
            group.start_soon(send, scheduler, number)
    stats = there.api.stats
    assert stats.served == 25 and stats.cache_read_tokens == 24 * stats.cache_write_tokens > 0
    assert scheduler.status().usage.cache_hit_rate == pytest.approx(0.96)
