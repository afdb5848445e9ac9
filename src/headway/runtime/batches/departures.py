"""Jobs that may have to leave the batch lane at a certain time."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from headway.runtime.handle import Job

if TYPE_CHECKING:
    from anthropic.types import Message


class Departures:
    """A timetable. A job has one time at most."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self._jobs: dict[int, tuple[float, Job[Message]]] = {}

    def set(self, job: Job[Message], at: float) -> None:
        """It has to leave at this time (loop time), whatever was said before."""
        self._jobs[job.record.id] = (at, job)
        heapq.heappush(self._heap, (at, job.record.id))

    def forget(self, job: Job[Message]) -> None:
        """It has left."""
        self._jobs.pop(job.record.id, None)

    def take(self, now: float) -> list[Job[Message]]:
        """Those whose time has come."""
        found: list[Job[Message]] = []
        while self._heap and self._heap[0][0] <= now:
            at, number = heapq.heappop(self._heap)
            known = self._jobs.get(number)
            if known is not None and known[0] == at:
                del self._jobs[number]
                found.append(known[1])
        return found

    def next_event(self) -> float:
        """When to `take` again."""
        while self._heap and self._jobs.get(self._heap[0][1], (None,))[0] != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else float("inf")
