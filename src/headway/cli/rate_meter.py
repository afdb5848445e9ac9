"""Rates over the last seconds, from sums that only grow."""

from __future__ import annotations

from collections import deque
from typing import Final

WINDOW: Final = 20.0
"""Seconds."""


class RateMeter:
    """Feeds on (time, sums); gives each sum's growth per second over the window."""

    def __init__(self, window: float = WINDOW) -> None:
        self._window = window
        self._samples: deque[tuple[float, tuple[float, ...]]] = deque()

    def add(self, now: float, *sums: float) -> None:
        """Take in the sums of this moment."""
        self._samples.append((now, sums))
        while len(self._samples) > 2 and self._samples[1][0] <= now - self._window:
            self._samples.popleft()

    def per_second(self) -> tuple[float, ...]:
        """Growth of each sum; zeros before there are two samples."""
        if not self._samples:
            return ()
        (begin, first), (end, last) = self._samples[0], self._samples[-1]
        seconds = end - begin
        if seconds <= 0:
            return tuple(0.0 for _ in last)
        return tuple((new - old) / seconds for old, new in zip(first, last, strict=True))
