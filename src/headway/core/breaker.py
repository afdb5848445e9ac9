"""Breaker: a circuit for overloads (529) and for refusals that the mirror cannot explain.

    closed     work flows, under a ceiling (seconds of the limit per second) that doubles until it is gone
    open       nothing flows until ``until``
    half-open  one probe flows. It is *taken* when something is heard of it (a scout's first byte, the end of
               any other answer), or once it has outlived the usual time of a rejection by four mean deviations:
               rejections are quick, work is slow. Then closed, with a low ceiling.

    fails: += .2 (1 - fails) on a refusal, *= .8 on a success          a rate over about five outcomes
    529, fails > .5     open for a pause ± 30 %, or Retry-After        half refused: a quota of two tries per
                                                                       success (Google SRE's K = 2)
    429, fails > .25    open for Retry-After - 1 s (it is rounded up); ceiling * .7, doubling in 30 s

Single probes with jitter make about 1.5 requests a second of a storm, whatever the backlog, and fewer the longer
it lasts (`Patience`); a ceiling that
doubles every .4 s from a quarter is at full speed in a second after the first success.

**Interactive jobs** pass a circuit that a 429 of an unknown limit has opened, unless two of them are refused: what
made the bucket empty is bulk, the bucket fills from that moment on, and they are few.

**Every exit of a probe must clear it**, or the circuit stays shut for ever: settle, release, forfeit, refuse.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Final

from headway.core.patience import Patience

GAIN: Final = 0.2
"""Weight of one outcome."""
OVERLOADED: Final = 0.5
"""Share of 529s above which the circuit opens."""
UNEXPLAINED: Final = 0.25
"""Share of unexplained 429s above which the circuit opens."""
JITTER: Final = 0.3
"""Of the pause, to either side."""
FIRST_BACKOFF: Final = 0.1
LONGEST_BACKOFF: Final = 5.0
"""Seconds from a 429 to the next probe, doubled by each probe refused."""
RETRY_AFTER_ROUNDING: Final = 1.0
"""Seconds: Retry-After is an integer, rounded up."""
OUTLIVE_DEVIATIONS: Final = 4.0
"""Mean deviations above the mean time of a rejection, after which a probe counts as taken (Jacobson's
retransmission timer, RFC 6298)."""
OUTLIVE_LEAST: Final = 0.1
"""Seconds: the least of the same."""
FIRST_REJECTION: Final = 0.1
"""Seconds that a rejection takes, before one came; its deviation is half of it."""
URGENT_STRIKES: Final = 2
"""Interactive jobs refused in a row, from which on they wait with all others."""
FASTEST: Final = 4.0
"""A ceiling above the fastest pace is none."""
REOPEN: Final = 0.25
"""Ceiling after an overload, in seconds of the limit per second."""
OVERLOAD_DOUBLING: Final = 0.4
"""Seconds in which the ceiling doubles after an overload."""
BACK_OFF: Final = 0.7
"""Multiplicative decrease of the ceiling by a 429 (CUBIC's and botocore's beta)."""
LOWEST: Final = 0.05
"""Seconds of the limit per second: no series of 429s lowers the ceiling below this."""
REFUSED_DOUBLING: Final = 30.0
"""Seconds in which the ceiling doubles after an unexplained 429: that limit is still there."""
LEARNER_DOUBLING: Final = 3.0
"""Seconds in which the ceiling doubles after a 429 that the learner has dealt with."""
RAMP_DOUBLING: Final = 60.0
"""Seconds in which the ceiling doubles after a 429 for growing too sharply."""


class Circuit(StrEnum):
    """The states of a circuit breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Breaker:
    """Whether anything may be sent, and how fast at most. Seconds."""

    __slots__ = (
        "_at",
        "_backoff",
        "_ceiling",
        "_deviation",
        "_doubling",
        "_patience",
        "_probe_at",
        "_probing",
        "_rejection",
        "_strikes",
        "_tripped",
        "_until",
        "fails",
        "state",
    )

    def __init__(self, now: float) -> None:
        self.state = Circuit.CLOSED
        self.fails = 0.0
        self._at = now
        self._until = now
        self._tripped = False
        self._strikes = 0
        self._patience = Patience()
        self._ceiling = math.inf
        self._doubling = OVERLOAD_DOUBLING
        self._probing = False
        self._backoff = FIRST_BACKOFF
        self._probe_at = now
        self._rejection = FIRST_REJECTION
        self._deviation = FIRST_REJECTION / 2

    @property
    def ceiling(self) -> float:
        """Seconds of the limit per second; infinite: none."""
        return self._ceiling

    def touch(self, now: float) -> float:
        """Bring the state to ``now``; returns the seconds of the limit that the ceiling let through since."""
        dt = now - self._at
        if dt <= 0:
            return 0.0
        self._at = now
        if self.state is Circuit.OPEN and now >= self._until:
            self.state = Circuit.HALF_OPEN
            self._probing = False
        if self._probing and now >= self._probe_at + self._outlive():
            self._close()
        if self._ceiling == math.inf:
            return math.inf
        if self.state is not Circuit.CLOSED:
            return self._ceiling * dt
        growth = 2.0 ** min(dt / self._doubling, 60.0)
        allowed = self._ceiling * self._doubling / math.log(2) * (growth - 1)
        self._ceiling *= growth
        if self._ceiling > FASTEST:
            self._ceiling = math.inf
        return allowed

    def seconds(self, now: float, *, urgent: bool = False) -> float:
        """Seconds until the circuit may let a job through, an interactive one if ``urgent``; 0: now."""
        if self.state is Circuit.CLOSED or (urgent and self._tripped and self._strikes < URGENT_STRIKES):
            return 0.0
        if self.state is Circuit.OPEN:
            return max(self._until - now, 0.0)
        return max(self._probe_at + self._outlive() - now, 1e-3) if self._probing else 0.0

    def seconds_to_pay(self, debt: float) -> float:
        """Seconds in which the rising ceiling lets ``debt`` seconds of the limit through."""
        if self._ceiling == math.inf or debt <= 0:
            return 0.0
        return self._doubling * math.log2(1 + debt * math.log(2) / (self._ceiling * self._doubling))

    def send(self, now: float) -> bool:
        """A job goes; whether it is a probe."""
        if self.state is not Circuit.HALF_OPEN or self._probing:
            return False
        self._probing = True
        self._probe_at = now
        return True

    def succeed(self, *, probe: bool) -> None:
        """A job was taken."""
        self.fails *= 1 - GAIN
        self._patience.taken()
        if probe and self.state is Circuit.HALF_OPEN:
            self._close()

    def leave(self) -> None:
        """A probe ended without saying anything of the server: the next job is the probe."""
        self._probing = False

    def overload(
        self, now: float, seconds: float, retry_after: float | None, *, probe: bool, jitter: float
    ) -> None:
        """A 529 came, ``seconds`` after its job was sent; ``jitter`` in 0..1."""
        self._fail(seconds)
        patience = self._patience.refused(now)
        if self.state is Circuit.OPEN:
            if retry_after:
                self._until = max(self._until, now + retry_after * (1 + JITTER * jitter))
        elif probe or self.fails > OVERLOADED:
            pause = patience * (1 - JITTER + 2 * JITTER * jitter)
            if retry_after:
                pause = max(pause, retry_after * (1 + JITTER * jitter))
            self._open(now + pause, min(self._ceiling, REOPEN), OVERLOAD_DOUBLING)

    def refuse(
        self, now: float, seconds: float, retry_after: float | None, *, probe: bool, doubling: float
    ) -> None:
        """A 429 came that the mirror cannot explain."""
        self._fail(seconds)
        if self.state is Circuit.OPEN or not (probe or self.fails > UNEXPLAINED):
            return
        # from the limit itself at most, and never from a momentary pace, which may be near 0
        ceiling = max(min(self._ceiling, 1.0) * BACK_OFF, LOWEST)
        self._open(now + max(0.0, (retry_after or 0.0) - RETRY_AFTER_ROUNDING), ceiling, doubling)

    def trip(
        self, now: float, seconds: float, retry_after: float, *, probe: bool, big: bool, urgent: bool
    ) -> None:
        """A 429 came that the learner deals with: one probe at a time, ever later, until one is taken.

        Behind a big job all wait as long as it must: else they take what it waits for, again and again.
        """
        self._fail(seconds)
        self._strikes += urgent
        if self.state is Circuit.OPEN:
            return
        self._backoff = min(2 * self._backoff, LONGEST_BACKOFF) if probe else FIRST_BACKOFF
        pause = retry_after if big else retry_after - RETRY_AFTER_ROUNDING
        self._open(now + max(pause, self._backoff), 1.0 if big else BACK_OFF, LEARNER_DOUBLING)
        self._tripped = True

    def _fail(self, seconds: float) -> None:
        self.fails += GAIN * (1 - self.fails)
        error = min(seconds, 10.0) - self._rejection
        self._rejection += GAIN * error
        self._deviation += GAIN * (abs(error) - self._deviation)

    def _open(self, until: float, ceiling: float, doubling: float) -> None:
        self.state = Circuit.OPEN
        self._probing = False
        self._until = until
        self._ceiling = ceiling
        self._doubling = doubling
        self._tripped = False

    def _close(self) -> None:
        self._strikes = 0
        self.state = Circuit.CLOSED
        self._probing = False

    def _outlive(self) -> float:
        return max(OUTLIVE_LEAST, self._rejection + OUTLIVE_DEVIATIONS * self._deviation)
