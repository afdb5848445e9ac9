"""Discrete events in virtual time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any


class Engine:
    """Runs what is due, in order of time, then of scheduling."""

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0
        self.stopped = False

    def after(self, seconds: float, act: Callable[..., None], *args: Any) -> None:
        """Call ``act`` in ``seconds``."""
        self._count += 1
        heapq.heappush(self._heap, (self.now + seconds, self._count, act, args))

    def run(self, until: float) -> None:
        """Until the time is up, nothing is left, or someone stops it."""
        heap = self._heap
        while heap and not self.stopped:
            at, _, act, args = heapq.heappop(heap)
            if at > until:
                self.now = until
                return
            self.now = at
            act(*args)
