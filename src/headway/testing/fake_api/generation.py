"""The output bucket: tokens are charged while they are generated.

A reply contributes ``speed`` tokens a second from its first token to its last. Starts and ends lie in
a heap and are worked off in order when somebody looks, so the level is exact at every moment and a
look costs O(log n), whatever the number of running replies. Arithmetic only: the time is an argument.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass

from headway.testing.fake_api.bucket import Bucket


@dataclass(slots=True, eq=False)
class Generation:
    """One reply's output: ``tokens`` spread evenly over [start, end]."""

    start: float
    end: float
    tokens: float
    state: int = 0
    """0 not begun, 1 running, 2 over."""

    @property
    def speed(self) -> float:
        """Tokens per second; ``inf`` when all come at once."""
        length = self.end - self.start
        return self.tokens / length if length > 0 else math.inf


class OutputMeter:
    """Charges a bucket with the output of all running replies."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self.drain = 0.0
        """Tokens per second generated now."""
        self._running = 0
        self._order = 0
        self._events: list[tuple[float, int, Generation]] = []

    def begin(self, start: float, tokens: float, speed: float) -> Generation:
        """Announce a reply that starts at ``start`` (now or later)."""
        start = max(start, self.bucket.touched)
        generation = Generation(start, start + tokens / speed, tokens)
        self._push(start, generation)
        return generation

    def touch(self, now: float) -> None:
        """Charge everything generated until ``now``."""
        while self._events and self._events[0][0] <= now:
            at, _, generation = heapq.heappop(self._events)
            self.bucket.touch(at, self.drain)
            if generation.state == 0:
                self._start(generation)
            elif generation.state == 1:
                self._stop(generation)
        self.bucket.touch(now, self.drain)

    def cut(self, generation: Generation, now: float) -> None:
        """The client has gone: no more tokens are generated after ``now``."""
        self.touch(now)
        if generation.state == 1:
            self._stop(generation)
        generation.state = 2

    def _start(self, generation: Generation) -> None:
        if generation.end <= generation.start:
            self.bucket.take(generation.tokens)
            generation.state = 2
            return
        generation.state = 1
        self._running += 1
        self.drain += generation.speed
        self._push(generation.end, generation)

    def _stop(self, generation: Generation) -> None:
        generation.state = 2
        self._running -= 1
        # The exact zero keeps rounding errors from adding up over millions of replies.
        self.drain = self.drain - generation.speed if self._running else 0.0

    def _push(self, at: float, generation: Generation) -> None:
        self._order += 1
        heapq.heappush(self._events, (at, self._order, generation))
