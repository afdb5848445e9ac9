"""Scouts in the running scheduler: their headers count at the first byte, and whoever waits goes at once."""

from __future__ import annotations

from itertools import pairwise

import anyio
import pytest
from virtual_api import VirtualAPI

from headway import Scheduler
from headway.core.request import Request
from headway.core.scouts import EVERY, PATIENCE
from headway.ports import Rejection, Reply

pytestmark = pytest.mark.anyio
LIMITS = (600.0, 120_000.0, 60_000.0)


class Listening(VirtualAPI):
    """Remembers whose headers were wanted early."""

    scouts: list[float]

    async def send(self, request: Request, **options: object) -> Reply | Rejection:
        if options.get("on_headers"):
            self.scouts.append(anyio.current_time())
        return await super().send(request, **options)  # type: ignore[arg-type]


def listening(**options: object) -> Listening:
    api = Listening(LIMITS, **options)  # type: ignore[arg-type]
    api.scouts = []
    return api


async def work(api: VirtualAPI, seconds: float, text: str = "100 800") -> None:
    """Ten seconds of writing a job."""
    async with Scheduler(model="claude-haiku-5-5", max_tokens=1024, transport=api) as scheduler:
        jobs = (f"{text} {number}".ljust(300, "x") for number in range(10_000))
        with anyio.CancelScope(deadline=seconds):
            async with scheduler.map(jobs) as outcomes:
                async for _ in outcomes:
                    pass


async def test_limits_are_known_long_before_the_first_answer_is_complete() -> None:
    api = listening(burst=60.0)
    await work(api, 9.0)
    assert not api.served
    assert api.rate(1.0, 9.0) > LIMITS[0] / 60, "it uses the burst that the first header told of"


async def test_one_job_in_half_a_second_is_a_scout() -> None:
    api = listening()
    await work(api, 20.0, "100 40")
    assert len(api.scouts) > 30
    assert all(after - before >= EVERY for before, after in pairwise(api.scouts))


async def test_where_no_headers_come_scouts_end() -> None:
    api = listening(headers=False)
    await work(api, 30.0, "100 40")
    assert len(api.scouts) == PATIENCE
    assert len(api.starts) > 10 * PATIENCE
