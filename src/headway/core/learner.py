"""Learner: the limit from 429s alone, when no header tells it (gateways, other clouds).

Between two 429s a bucket went from empty to empty: what was admitted in between is exactly rate x time
(BBR's detector of policers, in our terms). The unit is the *average job*: a 429 names no dimension, so how much
the input counts in it is learned from the sizes of the refused (``meter``).

    first        4 jobs/s + taken/4 (/6 beyond 240)                doubles every three to four seconds
    first 429    aim = got / (t + 25)                              a rested bucket was emptied, too
    later 429    aim -> (min(pace, 2) * aim + got / t) / 2         the truth lies between: we were refused at
                                                                   the one, and given the other
    x = taken/rest - 1;  pace = 1 + .1 x³ (x < 1), then 1.1 * 2^(x - 1);  rest 10, 20, .. 320 jobs

**A big job's refusal says little**: it needs more than the bucket holds, though the bucket is far from empty.
What is known of the level then is that it is below the job's size, so its size is the error of ``got``: beyond
three average jobs it moves the aim by the weight (got / (got + size))², at least (3 / size)².

**Why a cubic per job.** Climbing per *job*, not per second, fixes the price in refusals per job whatever the
scale of the limit, and stands still when idle. The plateau around ``aim`` rests where the limit was last
seen; what lies beyond it is found by doubling.
"""

from __future__ import annotations

from typing import Final

FIRST_RATE: Final = 4.0
"""Jobs per second before anything is known."""
FIRST_GROWTH: Final = 4.0
"""Seconds in which the first rate grows by a factor e."""
FEW: Final = 240.0
"""Jobs, beyond which it grows more slowly: what is in flight when the first 429 comes is refused, too."""
LATER_GROWTH: Final = 6.0
"""Seconds of the same from there on."""
GUESSED_DEPTH: Final = 25.0
"""Seconds of the limit that a rested bucket is taken to hold."""
LEAST_FIRST_AIM: Final = 0.8
"""Jobs per second: a first 429 after next to nothing may be about somebody else's use, and must not hold up the
calls after it for long. All published tiers allow more; a limit below it is learned from the next 429s."""
FIRST_REST: Final = 10.0
"""Jobs from a 429 to the middle of the plateau."""
LONGEST_REST: Final = 320.0
"""Jobs; the longer, the fewer refusals, and the later a raised limit is found."""
LONGEST_REST_SECONDS: Final = 24.0
LEAST_OF_LONGEST: Final = 160.0
"""Seconds and jobs: at a low rate the rest is bounded in time too, but not below so many jobs."""
REST_AFTER_SURPRISE: Final = 20.0
"""Jobs, after the limit proved twice or half what it was."""
EPISODE_JOBS: Final = 2
EPISODE_SECONDS: Final = 2.0
"""429s closer than this many jobs or seconds belong to one emptying of the bucket."""
BIG: Final = 3.0
"""Average jobs: from here on a refusal may be about the job's size."""
DOUBLING: Final = 2.0
"""Seconds: the climb doubles no faster, or a full bucket would let it run away within one round trip."""
MOST: Final = 1e6
"""Times the aim."""
PROBE_GAIN: Final = 0.1
"""Of the aim: how far the plateau climbs."""
SLACK: Final = 0.25
"""Seconds of the aim that may be sent at once."""


class Learner:
    """A rate in jobs per second around which work is paced."""

    __slots__ = ("_episode", "_got", "_since", "_taken", "aim", "debt", "factor", "rest")

    def __init__(self, now: float) -> None:
        self.aim: float | None = None
        self.rest = FIRST_REST
        self.factor = 1.0
        self.debt = 0.0
        self._since = now
        self._got = 0.0
        self._taken = 0.0
        self._episode = 0.0

    def _climb(self, dt: float) -> None:
        """The pace as a multiple of the aim: a cubic, then doublings in jobs, but never faster in time."""
        x = self._taken / self.rest - 1
        factor = 1 + PROBE_GAIN * x**3 if x < 1 else (1 + PROBE_GAIN) * 2.0 ** min(x - 1, 30.0)
        self.factor = min(factor, self.factor * 2.0 ** min(dt / DOUBLING, 30.0), MOST)

    @property
    def rate(self) -> float:
        """Jobs per second at this moment."""
        if self.aim is None:
            few = min(self._taken, FEW)
            return FIRST_RATE + few / FIRST_GROWTH + (self._taken - few) / LATER_GROWTH
        return self.aim * self.factor

    def advance(self, dt: float, allowed: float, share: float) -> None:
        """Pay for ``dt`` seconds; ``allowed``: seconds of the limit that the ceiling let through."""
        self._climb(dt)
        if self.debt <= 0:
            return
        paid = self.rate * dt
        if self.aim is not None:
            paid = min(paid, self.aim * allowed)
        self.debt = max(0.0, self.debt - paid * share)

    def seconds(self, share: float) -> float:
        """Seconds until a job may go."""
        rate = self.rate * share
        return max(0.0, self.debt / rate - SLACK)

    def send(self, work: float) -> None:
        """A job of ``work`` average jobs was sent. It counts now: at its first byte would be too late."""
        self.debt += work
        self._got += work
        self._taken += work
        self._episode += work

    def settle(self, more: float) -> None:
        """A job was worth ``more`` than it was counted for."""
        self._got += more

    def take_back(self, work: float) -> None:
        """A job did not count after all."""
        self._got -= work
        self._episode -= work

    def refuse(self, now: float, size: float) -> bool:
        """A 429 came for a job, which was taken back; ``size`` in average inputs. Is it a big one?"""
        big = size > BIG
        got = max(self._got, 0.0)
        weight = max((BIG / size) ** 2, (got / (got + size)) ** 2) if big else 1.0
        seconds = now - self._since
        before = self.aim
        if before is None:
            self.aim = max(self._got / (seconds + GUESSED_DEPTH), LEAST_FIRST_AIM)
            self._begin(now)
        elif self._episode >= EPISODE_JOBS and seconds >= EPISODE_SECONDS:
            given = self._got / seconds
            between = (min(self.factor, 2.0) * before + given) / 2
            aim = max(before + (between - before) * weight, 1e-6)
            surprise = not 0.5 < aim / before < 2
            self.aim = aim
            self.rest = REST_AFTER_SURPRISE if surprise else min(self.rest * (1 + weight), LONGEST_REST)
            self.rest = min(self.rest, max(LEAST_OF_LONGEST, LONGEST_REST_SECONDS * aim))
            self._begin(now)
        self._taken *= 1 - weight
        self.factor = min(self.factor, 1.0) if weight < 1 else 1 - PROBE_GAIN
        return big

    def _begin(self, now: float) -> None:
        """A new episode: what was owed at the old pace must not be paid at the new one."""
        self._since = now
        self._got = 0.0
        self._episode = 0.0
        if self.aim is not None:
            self.debt = min(self.debt, SLACK * self.aim)
