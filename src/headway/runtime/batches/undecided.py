"""Jobs that may go either way, and wait until the limits are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio

from headway.runtime.handle import Job
from headway.runtime.intake import CROWD

if TYPE_CHECKING:
    from anthropic.types import Message

    from headway.core.lane import Lane


class Undecided:
    """Waits, oldest first, for the choice of a lane."""

    def __init__(self) -> None:
        self._jobs: dict[Job[Message], None] = {}
        self._fewer = anyio.Event()
        self._choosing = False

    def __len__(self) -> int:
        return len(self._jobs)

    def put(self, job: Job[Message]) -> None:
        """No lane could be chosen for it."""
        self._jobs[job] = None

    async def room(self) -> None:
        """Wait while many jobs wait here, with their requests."""
        while len(self._jobs) > CROWD:
            await self._fewer.wait()

    def discard(self, job: Job[Message]) -> bool:
        """Take one out; false if it is not here."""
        return bool(self.withdraw(lambda other: other is job)) if job in self._jobs else False

    def withdraw(self, unwanted: Callable[[Job[Message]], bool]) -> list[Job[Message]]:
        """Take out those that ``unwanted`` names."""
        taken = [job for job in self._jobs if unwanted(job)]
        for job in taken:
            del self._jobs[job]
        self._relieve()
        return taken

    def choose(
        self, lane_for: Callable[[Job[Message]], Lane | None], requeue: Callable[[Job[Message]], None]
    ) -> None:
        """Let go all that a lane is known for."""
        if self._choosing:  # a job that was put back has ended at once
            return
        self._choosing = True
        try:
            while self._jobs:
                job = next(iter(self._jobs))
                if lane_for(job) is None:
                    return
                del self._jobs[job]
                requeue(job)
        finally:
            self._choosing = False
            self._relieve()

    def _relieve(self) -> None:
        if len(self._jobs) <= CROWD:
            self._fewer.set()
            self._fewer = anyio.Event()
