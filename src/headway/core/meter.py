"""Meter: what we use, and what an average job is.

``work`` weighs a job against the average one: requests, input and output a third each, as a 429 names no
dimension. 1.0 is the average job.
"""

from __future__ import annotations

import math
from typing import Final

from headway.core.dimension import TABLE
from headway.core.reservation import Cost, Used

MEMORY: Final = 10.0
"""Seconds over which use is averaged."""
GAIN: Final = 0.02
"""Weight of one job in the averages."""


class Meter:
    """Use per dimension, and mean sizes. Units and seconds."""

    __slots__ = ("_at", "_jobs", "_start", "_used", "mean_input", "mean_output")

    def __init__(self, now: float) -> None:
        self._at = now
        self._start = now
        self._used = [0.0] * len(TABLE)
        self._jobs = 0
        self.mean_input = 0.0
        self.mean_output = 0.0

    def touch(self, now: float) -> None:
        """Forget what is old."""
        dt = now - self._at
        if dt < 0.1:
            return
        self._at = now
        keep = math.exp(-dt / MEMORY)
        self._used = [used * keep for used in self._used]

    def add(self, index: int, amount: float) -> None:
        """Something was used, or given back."""
        self._used[index] += amount

    def per_minute(self, index: int) -> float:
        """What we use of one dimension."""
        return max(self._used[index], 0.0) * 60 / min(MEMORY, max(self._at - self._start, 1.0))

    def send(self, cost: Cost) -> float:
        """A job is sent; returns its work."""
        self._used[0] += cost.requests
        self._used[1] += cost.input
        self._jobs += 1
        self.mean_input += max(GAIN, 1 / self._jobs) * (cost.input - self.mean_input)
        return (2 + cost.input / self.mean_input) / 3 if self.mean_input > 0 else 1.0

    def settle(self, estimate: float, usage: Used) -> float:
        """A job ended; returns the work it was worth beyond what it was counted for."""
        first = self.mean_output == 0
        self.mean_output += (1.0 if first else GAIN) * (usage.output - self.mean_output)
        output = usage.output / self.mean_output - 1 if self.mean_output > 0 else 0.0
        error = (usage.input - estimate) / self.mean_input if self.mean_input > 0 else 0.0
        return (output + error) / 3
