"""The clock of the tests: it jumps from timer to timer, and waits for what happens outside of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

import anyio.to_thread
import pytest

from headway.testing.clock import virtual_loop

T = TypeVar("T")


def run(main: Coroutine[None, None, T]) -> T:
    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        return runner.run(main)


def test_hours_pass_at_once_and_to_the_timer() -> None:
    async def main() -> float:
        await asyncio.sleep(7200)
        return asyncio.get_running_loop().time()

    assert run(main()) == 7200


@pytest.mark.parametrize("in_thread", [asyncio.to_thread, anyio.to_thread.run_sync])
def test_time_stands_still_while_a_thread_answers(
    in_thread: Callable[[Callable[[], str]], Awaitable[str]],
) -> None:
    slow = threading.Event()

    def answer() -> str:
        slow.wait(0.05)  # long enough for a clock that does not care to reach the timer
        return "here"

    async def main() -> tuple[str, float]:
        timer = asyncio.create_task(asyncio.sleep(60))
        said = await in_thread(answer)
        now = asyncio.get_running_loop().time()
        timer.cancel()
        return said, now

    assert run(main()) == ("here", 0.0)
