"""Meter: what we use, and what an average job is.

``work`` weighs a job against the average one, 1.0. A 429 names no dimension, so requests, input and output begin
with a third each. Then the refused tell: where input binds, the token that finds the bucket empty is any token, so a
job is refused in proportion to its size; else its size plays no part. The likelihood ratio of the two is the
size / the mean, and by Bayes' rule its logarithm adds to that of the odds that input binds.
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


PRIOR_ODDS: Final = 0.5
"""That input is what binds, before anything was refused: a third, as for each of the three dimensions."""
MOST_EVIDENCE: Final = 3.0
"""Of the logarithm of the odds, to either side: what binds may change."""
STRANGEST: Final = 10.0
"""Times the average, and its inverse: no single job says more than this."""


class Meter:
    """Use per dimension, and mean sizes. Units and seconds."""

    __slots__ = ("_at", "_evidence", "_jobs", "_start", "_used", "mean_input", "mean_output")

    def __init__(self, now: float) -> None:
        self._at = now
        self._start = now
        self._used = [0.0] * len(TABLE)
        self._jobs = 0
        self._evidence = 0.0
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
        return 1 + self.input_weight * (cost.input / self.mean_input - 1) if self.mean_input > 0 else 1.0

    @property
    def input_weight(self) -> float:
        """How much of a job's work is its input, 0..1; requests and output share the rest."""
        odds = PRIOR_ODDS * math.exp(self._evidence)
        return odds / (1 + odds)

    def refused(self, cost: Cost) -> None:
        """A 429 came for a job that costs this: was it refused because it is big?"""
        if self.mean_input > 0:
            ratio = min(max(cost.input / self.mean_input, 1 / STRANGEST), STRANGEST)
            self._evidence = min(max(self._evidence + math.log(ratio), -MOST_EVIDENCE), MOST_EVIDENCE)

    def settle(self, estimate: float, usage: Used) -> float:
        """A job ended; returns the work it was worth beyond what it was counted for."""
        first = self.mean_output == 0
        self.mean_output += (1.0 if first else GAIN) * (usage.output - self.mean_output)
        output = usage.output / self.mean_output - 1 if self.mean_output > 0 else 0.0
        error = (usage.input - estimate) / self.mean_input if self.mean_input > 0 else 0.0
        weight = self.input_weight
        return (1 - weight) / 2 * output + weight * error
