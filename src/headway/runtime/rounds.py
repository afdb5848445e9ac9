"""Work that is done in rounds: whenever there is news, or the time has come that the last round named."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import anyio.abc


class Rounds:
    """Waits between the rounds of one worker. Lives in one event loop."""

    def __init__(self, work: Callable[[anyio.abc.TaskGroup], float]) -> None:
        """``work`` starts what is due in the group, and gives the time (loop time) to look again."""
        self._work = work
        self.news = anyio.Event()
        """Of the present round."""

    def wake(self) -> None:
        """There is news: have another round."""
        self.news.set()

    async def run(self) -> None:
        """Round after round until cancelled."""
        async with anyio.create_task_group() as group:
            while True:
                self.news = anyio.Event()
                with anyio.CancelScope(deadline=self._work(group)):
                    await self.news.wait()
