"""Mirror: what the server would still admit, in one dimension.

A token bucket kept by us as a picture of the server's:

    level' = rate - others - drain          (units per second; never above ``cap``, may fall below 0)

``rate`` is the limit / 60, ``others`` what other clients of the key use, ``drain`` what our running jobs
are charged while they run (output tokens). Our own charges lower it when a job is sent.

**Why interval sync.** A header speaks of *some* moment between our send and its arrival, and knows nothing
of what else is in flight. Taking its ``remaining`` over whole forgets our jobs in flight (1,300 refusals per
1,000 in simulation); reading it as the level at one known moment fails when it describes another (93.8 %
after a limit cut, against 99.6 %). All that can be said is that it must lie within what the mirror held in
between:

    then = mark.level + (corr - mark.corr)                 the model at the send, with what we learned since
    lo = min(then, level) - unit/2                         unit: the header's rounding
    hi = max(then, level) + unit/2 + late                  late: our charges of the 0.25 s before, as
                                                           requests overtake each other on the way
    e  = remaining - hi if above, remaining - lo if below, else 0
    level += e;  corr += e

*Believe the mirror while the header agrees; else move by the least that makes them agree.* This is immune to
clock skew, rounding, and headers that are stale, overtaken, or of unknown moment. ``corr`` stops a late
header from applying a correction a second time (a Smith predictor). What the mirror must be moved by again
and again is other people's use: ``others += -e/dt * (1 - exp(-dt / 3 s))``, 1.5 s where e is above 0.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final, Literal

from headway.core.dimension import ROW, Dimension
from headway.core.limits import Bucket

Origin = Literal["told", "header", "learned", "unknown"]

REORDER_WINDOW: Final = 0.25
"""Seconds within which requests overtake each other (without it: 86 refusals per 1,000 in a burst)."""
OTHERS_MEMORY: Final = 3.0
"""Seconds: time constant of what we believe of others' use (a tenant is noticed in 2 s)."""
LEAVING_MEMORY: Final = 1.5
"""Seconds: the same when a header shows more than we believed (a tenant's room is taken back .5 s sooner than with
3 s; among eight processes it changes nothing)."""
OTHERS_AT_MOST: Final = 0.95
"""Of the rate: some of it must be left to us, or we would never ask again."""
SILENT_MEMORY: Final = 5.0
"""Seconds: time constant of that fading."""
IDLE_MEMORY: Final = 1.0
"""Seconds: the same while nothing of ours is in flight, so that no news can come. Processes that all wait for
each other would wait until the bucket overflows (.84 of the limit with four processes and short jobs)."""
COMPANY_MEMORY: Final = 60.0
"""Seconds over which the mean of others' use is taken."""
FIRST_COMPANY: Final = 0.6
"""Of the limit: what others use before we have heard anything."""
UNSURE: Final = 2.0
"""Seconds of hearing nothing of others before we begin to believe that we are alone."""
RESET_RESOLUTION: Final = 2.0
"""Seconds: ``-reset`` and ``Date`` are both given in whole seconds."""
FULL_FOR: Final = 0.3
"""Seconds that a bucket must seem full before a job bigger than it is sent."""
PLATEAU: Final = 8.0
"""Roundings of a header: so much others must seem to have taken while the level was the highest ever seen and did not
move, before we believe that the bucket is full there, and shallower than we thought. (Others of nine tenths of the
limit can look like this for a while; sending shows it.)"""
PLATEAU_TIME: Final = 3.0
"""Seconds of the limit: the same for large limits, of which a rounding is little."""
FIRST_DEPTH: Final = 1.0
"""Seconds of the limit: the shallowest bucket the documentation speaks of ("60 RPM may be enforced as 1/s");
believed until a header shows a deeper one."""


class Mark:
    """What the mirror held when a job was sent."""

    __slots__ = ("amount", "brim", "corr", "era", "late", "level", "taken")

    def __init__(
        self, amount: float, level: float, corr: float, late: float, taken: float, era: int, *, brim: bool
    ) -> None:
        self.amount = amount
        self.level = level
        self.corr = corr
        self.late = late
        self.taken = taken
        self.era = era
        self.brim = brim


class Mirror:
    """One dimension's bucket, in units and seconds."""

    __slots__ = (
        "_at",
        "_born",
        "_era",
        "_held",
        "_late",
        "_late_sum",
        "_stale_at",
        "_synced_at",
        "_taken",
        "_top",
        "cap",
        "company",
        "corr",
        "dimension",
        "drain",
        "level",
        "origin",
        "others",
        "over",
        "rate",
        "unit",
    )

    def __init__(self, dimension: Dimension, now: float) -> None:
        self.dimension = dimension
        self.unit = ROW[dimension].rounding
        self.rate = 0.0
        self.cap = 0.0
        self.level = 0.0
        self.others = 0.0
        self.drain = 0.0
        self.corr = 0.0
        self.over = 0.0
        self.company = FIRST_COMPANY
        self.origin: Origin = "unknown"
        self._at = now
        self._born = now
        self._synced_at = now
        self._stale_at = math.inf
        self._era = 0
        self._taken = 0.0
        self._held = self._top = 0.0
        self._late: deque[tuple[float, float]] = deque()
        self._late_sum = 0.0

    @property
    def known(self) -> bool:
        """Whether there is a limit at all; without one this dimension limits nothing."""
        return self.rate > 0

    @property
    def net(self) -> float:
        """Units per second by which the level rises while we send nothing."""
        return self.rate - self.others - self.drain

    def tell(self, per_minute: float, depth: float | None) -> None:
        """Start from a limit the user told; ``depth`` in seconds of it, None: unknown."""
        rate = per_minute / 60.0
        cap = max(rate * (FIRST_DEPTH if depth is None else depth), self.unit)
        self.level = cap if not self.known else min(self.level, cap)
        self.rate, self.cap, self.origin = rate, cap, "told"

    def forget(self) -> None:
        """Limit nothing from now on."""
        self.rate = 0.0
        self.others = 0.0
        self.origin = "unknown"

    def touch(self, now: float, *, idle: bool = False) -> None:
        """Bring the level to ``now``; ``idle``: nothing is in flight that could bring news."""
        dt = now - self._at
        if dt <= 0:
            return
        self._at = now
        if idle:
            self.others *= math.exp(-dt / IDLE_MEMORY)
        elif now > self._stale_at:
            self.others *= math.exp(-dt / SILENT_MEMORY)
        level = self.level + (self.rate - self.others - self.drain) * dt
        if level < self.cap:
            self.level = level
            self.over = 0.0
        else:
            self.over += level - self.cap
            self.level = self.cap

    def charge(self, amount: float, now: float) -> Mark:
        """Take ``amount`` for a job that is sent now."""
        brim = self.level >= self.cap * (1 - 1e-9)
        self.level -= amount
        self.over = 0.0
        self._taken += amount
        late = self._late
        if amount:
            late.append((now, amount))
            self._late_sum += amount
        while late and late[0][0] < now - REORDER_WINDOW:
            self._late_sum -= late.popleft()[1]
        if not late:
            self._late_sum = 0.0
        return Mark(amount, self.level, self.corr, self._late_sum, self._taken, self._era, brim=brim)

    def short_of(self, amount: float, margin: float) -> float:
        """Units still missing for a job that costs ``amount``, ``margin`` beside it.

        One bigger than the bucket waits until it is full, and a little longer: headers tell the depth only to
        within the resolution of a reset.
        """
        if amount <= self.cap:
            return min(amount + margin, self.cap) - self.level
        return min(amount, self.cap + FULL_FOR * self.rate) - self.level - self.over

    def refund(self, amount: float) -> None:
        """Give back what was charged too much (negative: charge what was charged too little)."""
        self._taken -= amount
        self.level = min(self.cap, self.level + amount)

    def read(self, bucket: Bucket, mark: Mark, now: float, patience: float) -> None:
        """Follow one header of the job sent at ``mark``. Never call it with one older than the last.

        After ``patience`` seconds without another, what we know of others begins to fade: processes that
        all believe the others took everything would wait for each other.
        """
        self.touch(now)
        was_known = self.known
        self._learn(bucket)
        if bucket.remaining is None:
            return
        if was_known:
            self._sync(bucket.remaining, mark, now)
        else:
            self.level = min(self.cap, bucket.remaining - (self._taken - mark.taken))
        dt = now - self._synced_at
        age = min(max(now - self._born, UNSURE), COMPANY_MEMORY)
        self.company += (self.others / self.rate - self.company) * min(dt / age, 1.0) if self.known else 0.0
        self._synced_at = now
        self._stale_at = now + patience

    def _learn(self, bucket: Bucket) -> None:
        """Limit and depth. Both stamps of a reset are the server's: our clock plays no part."""
        rate = bucket.limit / 60.0
        if not (rate > 0 and math.isfinite(rate)):
            return
        if rate != self.rate:
            self._era += 1
            self._held = self._top = 0.0
            if self.known:
                self.others *= rate / self.rate
                self.cap = max(self.cap * rate / self.rate, self.unit)
            else:
                self.cap = max(rate * FIRST_DEPTH, self.unit)
            self.rate = rate
        self.origin = "header"
        remaining = bucket.remaining
        if remaining is not None:
            self._learn_depth(remaining, bucket.reset_after, rate)
        if self.level > self.cap:
            self.corr += self.cap - self.level
            self.level = self.cap

    def _learn_depth(self, remaining: float, reset_after: float | None, rate: float) -> None:
        """A bucket is full at its reset: that bounds its depth from both sides. At 0 a debt hides."""
        if reset_after is not None and remaining >= self.unit:
            least = remaining + rate * (reset_after - RESET_RESOLUTION)
            most = remaining + rate * (max(reset_after, 0.0) + RESET_RESOLUTION)
            self.cap = max(min(self.cap, most), min(least, rate * 60), self.unit)
        self.cap = max(self.cap, remaining)

    def _sync(self, remaining: float, mark: Mark, now: float) -> None:
        then = mark.level + self.corr - mark.corr
        half = self.unit / 2
        low = min(then, self.level) - half
        high = max(then, self.level) + half + mark.late
        error = remaining - high if remaining > high else min(0.0, remaining - low)
        dt = max(now - self._synced_at, 1e-3)
        weight = 1 - math.exp(-dt / (LEAVING_MEMORY if error > 0 else OTHERS_MEMORY))
        full = mark.brim or self._rests_at_top(remaining, mark, error, dt)
        if full and mark.era == self._era:  # nobody else takes anything, or it is shallower than we thought
            self.others *= 1 - weight
            if error < 0:
                self.cap = min(self.cap, max(remaining + mark.amount, self.unit))
        elif error and mark.era == self._era:  # what a new limit did to jobs in flight is nobody's use
            others = self.others - error / dt * weight
            self.others = min(max(others, 0.0), OTHERS_AT_MOST * self.rate)
        self.level = min(self.cap, self.level + error)
        self.corr += error

    def _rests_at_top(self, remaining: float, mark: Mark, error: float, dt: float) -> bool:
        """Whether the level has not risen from the highest ever seen although it long should have."""
        if remaining > self._top or remaining + mark.amount + self.unit < self._top:
            self._top, self._held = max(remaining, self._top), 0.0
            return False
        self._held += max(self.others * dt - error, 0.0)
        return self._top >= 2 * self.unit and self._held >= max(PLATEAU * self.unit, PLATEAU_TIME * self.rate)
