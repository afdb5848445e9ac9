"""Outputs: what running jobs will still be charged, learned online.

The API charges output tokens while they are generated; ``max_tokens`` reserves nothing. So we reserve
nothing and refund nothing either: running jobs drain the output mirror at ``running * speed``, and a new job
must find what it needs beyond what the refill alone sustains.

    speed   = sum of tokens / sum of latencies of finished jobs          (tokens per second, each job .99)
    latency = integral of running dt / completions                       (both forgetting over 60 s)
    mean    = speed * latency                                            (tokens)
    need    = mean * max(0, running + 1 - (rate - others) / speed)       (tokens, the output mirror must hold)
    last    = sending * max(0, (running + rest / mean / 2) * speed - (rate - others))   (near the end of a queue)

**Why Little's law** (mean number = arrival rate x mean time): short jobs end first, so the mean of what
*has ended* is too low while the long ones still run: with three classes of jobs that estimate reached
59.7 % of the limit and a 128 s wait for interactive jobs; the time-integral counts the running ones too, and
reached 99 %. Reserving ``max_tokens`` reaches 14 to 33 %.
"""

from __future__ import annotations

import math
from typing import Final

MEMORY: Final = 60.0
"""Seconds over which the integral and the completions are forgotten."""
SPEED_MEMORY: Final = 0.99
"""Weight that the past keeps with each finished job."""
FIRST_SPEED: Final = 60.0
"""Tokens per second of a job before any has finished: a typical rate of generation."""
FIRST_LATENCY: Final = 5.0
"""Seconds of a job before any has finished: 300 tokens."""
FIRST_WEIGHT: Final = 3.0
"""Finished jobs that the two assumptions above weigh."""
EARLY: Final = 2.0
"""Running jobs that one finished job speaks for."""
SOONEST_END: Final = 0.01
"""Seconds."""


class Outputs:
    """Running jobs, and what they write. Units: tokens, seconds."""

    __slots__ = ("_at", "_completions", "_integral", "_latencies", "_most", "_tokens", "running")

    def __init__(self, now: float) -> None:
        self.running = 0
        self._at = now
        self._most = 0.0
        self._integral = FIRST_LATENCY * FIRST_WEIGHT
        self._completions = FIRST_WEIGHT
        self._tokens = FIRST_SPEED * FIRST_LATENCY * FIRST_WEIGHT
        self._latencies = FIRST_LATENCY * FIRST_WEIGHT

    @property
    def speed(self) -> float:
        """Tokens per second of one running job, its time to first byte included; never so many that a job of
        average length would write more than any was allowed to (one answer in no time must not count for all)."""
        speed = self._tokens / self._latencies
        return min(speed, self._most / max(self.latency, SOONEST_END)) if self._most > 0 else speed

    @property
    def latency(self) -> float:
        """Seconds a job runs on average.

        While next to none has ended, running ones count as if they would end like the first: their time
        without their ends would make every job look long.
        """
        unborn = self.running - EARLY * (self._completions - FIRST_WEIGHT)
        if unborn > 0:
            return (self._integral + unborn * FIRST_LATENCY) / (self._completions + unborn)
        return self._integral / self._completions

    @property
    def known(self) -> bool:
        """Whether any job has finished."""
        return self._completions > FIRST_WEIGHT

    @property
    def mean(self) -> float:
        """Tokens a job writes on average."""
        return self.speed * self.latency

    @property
    def next_end(self) -> float:
        """Seconds until one of the running jobs can be expected to end."""
        return max(self.latency / max(self.running, 1), SOONEST_END)

    def touch(self, now: float) -> None:
        """Bring the integral to ``now``."""
        dt = now - self._at
        if dt <= 0:
            return
        self._at = now
        if self._completions <= FIRST_WEIGHT:
            self._integral += self.running * dt
            return
        # an idle hour must not leave an estimate that weighs nothing
        keep = max(math.exp(-dt / MEMORY), FIRST_WEIGHT / self._completions)
        self._integral = self._integral * keep + self.running * MEMORY * (1 - keep)
        self._completions *= keep

    def start(self, max_output: float = 0.0) -> None:
        """A job was sent that may write so much (its ``max_tokens``; 0: unknown)."""
        self.running += 1
        self._most = max(self._most, max_output)

    def abandon(self) -> None:
        """A job ended and nobody knows what it wrote: its time counts, as that of a job still running did."""
        self.running -= 1

    def refuse(self, seconds: float) -> None:
        """A job ended after ``seconds`` without any work: as if it had never run."""
        self.running -= 1
        self._integral = max(self._integral - seconds, 1e-3 * self._completions)

    def finish(self, tokens: float, seconds: float) -> None:
        """A job wrote ``tokens`` in ``seconds``."""
        seconds = max(seconds, 1e-3)
        if not self.known:
            # What we assumed weighs as jobs, not as seconds: fifteen assumed seconds would outweigh hundreds of
            # answers of a fast API, and what those write unseen would be put down to others.
            self._latencies = FIRST_WEIGHT * min(seconds, FIRST_LATENCY)
            self._tokens = FIRST_SPEED * self._latencies
        self.running -= 1
        self._completions += 1
        self._tokens = self._tokens * SPEED_MEMORY + tokens
        self._latencies = self._latencies * SPEED_MEMORY + seconds

    def need(
        self, refill: float, max_output: float, *, rest: float = math.inf, sending: float = 0.0
    ) -> float:
        """Tokens the output mirror must hold for one more job, ``refill`` tokens per second coming in.

        ``rest``: tokens of all that is left to do, if no more will come, which take ``sending`` seconds to send.
        The server never stops a job that runs: what is overdrawn after the last one was admitted costs nobody, so
        only what is written while the rest is being sent must be there.
        """
        speed, mean = self.speed, self.mean
        if speed <= 0 or mean <= 0:
            return 0.0
        surplus = self.running + 1 - refill / speed
        if surplus <= 0:
            return 0.0
        own = self.expected(max_output)
        always = own * surplus if surplus < 1 else own + mean * (surplus - 1)
        if rest == math.inf:
            return always
        return min(always, max(0.0, (self.running + rest / mean / 2) * speed - refill) * sending)

    def expected(self, max_output: float) -> float:
        """Tokens one job is expected to write, never more than its ``max_tokens``."""
        mean = self.mean
        return min(mean, max_output) if max_output > 0 else mean
