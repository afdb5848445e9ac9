"""Pace: how fast bulk work may go, in seconds of the limit per second.

    price(level) = (level / target)³                                for each dimension
    pace = min over dimensions of (price, 4 * (1 - others/rate), ceiling of the circuit), at least .02
    debt' = -pace;  a job may go when debt <= .25 s;  then debt += min(.5, max over dimensions of cost/rate)

**Why the level is a price.** Every process on a key sees the same level and applies the same law, so their
shares become equal with no coordinator (without it Jain's index is 0.16). Alone, the level comes to rest at
the target: three feedback delays of refill, in which an interactive job finds room at once. Headroom held as
a *level* costs once; held as a rate (95 %) it costs always. The cube leaves a wide range of rates within a
narrow range of levels, and reaches 4 with a full bucket, which drains the burst. The target is never more
than a third of what is left to do: at the end of a run the reserve is given up (3 s are 12 % of a 24 s run).

**Care in company.** Four processes that each drain a bucket of 6 s four times as fast as the limit empty it
before the first sees the others; then all stop, and all start again. So a shallow bucket is drained slowly
while others use it, or while we have not heard for long enough that nobody does.

The level moves in a straight line while nothing happens, so the integral of the price is exact, and so is its
inverse: `seconds` predicts the moment at which `advance` will have paid the debt, and a sleeper wakes once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from headway.core.mirror import Mirror

FASTEST: Final = 4.0
"""Times the limit: drains a full bucket (2 would halve the 429s of many processes, for 0.1 points)."""
SLOWEST: Final = 0.02
"""Times the limit: one look now and then. A floor growing with ``others`` starved the poorer process."""
DRAIN: Final = 10.0
"""Seconds in which a full bucket is drained at the soonest, in company."""
LEAST_DRAIN: Final = 1.5
"""Times the limit: the least that a bucket with enough in it is drained at, in company."""
COMPANY: Final = 0.25
"""Mean use by others, as a part of the limit, from which on a bucket is drained with care."""
LEAST_OF_FASTEST: Final = 0.1
"""Of `FASTEST`: what is left of it beside others who seem to take everything."""
SLACK: Final = 0.25
"""Seconds of the limit that may be sent at once."""
DEAREST: Final = 0.5
"""Seconds of the limit: the most that one job is charged; the mirror carries the rest of a big one."""
RESERVE_LAGS: Final = 3.5
"""Feedback delays of refill at which the level rests, in company (with 3.0: 8.0 instead of 4.6 refusals per
1,000 among eight processes)."""
RESERVE_ALONE: Final = 1.5
"""The same for one who has long been alone: what rests in the bucket when an outage begins is lost."""
RESERVE_URGENT: Final = 2.0
"""The same when there have been interactive jobs lately: it is for them, above all when limits are cut
(a higher one is slower to see that others have come)."""
GIVE_UP: Final = 1 / 3
"""The target as a part of what is left to do. At a third, level and rest reach 0 together (the level follows
.39 of the rest, at pace 1.65); at the whole, half of the reserve is still there after the last job."""
LEAST_TARGET: Final = 1e-3
"""Of the depth: a target of nothing would have no price."""
CUBE_OF_FASTEST: Final = FASTEST ** (1 / 3)
"""Levels above this multiple of the target do not go faster."""


class Lane:
    """One mirror as the pace sees it."""

    __slots__ = ("fastest", "mirror", "reserve", "rest", "start", "target")

    def __init__(self, mirror: Mirror) -> None:
        self.mirror = mirror
        self.reserve = self.target = 1.0
        self.rest = math.inf
        """Units that all that is left to do will use; infinite: more will come."""
        self.fastest = FASTEST
        self.start = mirror.level

    def aim(self, lag: float, *, urgent: float | None = None) -> None:
        """Set the level to rest at, ``lag`` being the feedback delay in seconds; ``urgent``: with room for
        interactive jobs, and for one that needs so many units."""
        mirror = self.mirror
        alone = max(0.0, 1 - mirror.company / COMPANY)
        lags = RESERVE_LAGS + ((RESERVE_ALONE if urgent is None else RESERVE_URGENT) - RESERVE_LAGS) * alone
        reserve = min(max(lags * lag * mirror.rate, 2 * mirror.unit, urgent or 0.0), mirror.cap / 2)
        self.reserve = self.target = reserve
        left = max(LEAST_OF_FASTEST, 1 - mirror.others / mirror.rate)
        careful = min(FASTEST, max(1 + mirror.cap / (mirror.rate * DRAIN), LEAST_DRAIN))
        self.fastest = careful * math.sqrt(left) + (FASTEST * left - careful * math.sqrt(left)) * alone

    def lower(self, rest: float) -> None:
        """Keep no more in reserve than what is left to do, ``rest`` units, can use up beside others."""
        mirror = self.mirror
        target = GIVE_UP * rest * mirror.rate / (mirror.rate - mirror.others)
        self.target = max(target, LEAST_TARGET * mirror.cap) if target < self.reserve else self.reserve

    def paid(self, dt: float) -> float:
        """Seconds of the limit paid for in the ``dt`` seconds since ``start``: the integral of the price."""
        most = CUBE_OF_FASTEST
        first, last = self.start / self.target, self.mirror.level / self.target
        if last <= 0:
            return 0.0
        if first < 0:  # nothing was paid before the level rose above 0
            dt *= last / (last - first)
            first = 0.0
        first, last = min(first, most), min(last, most)
        mean_cube = (
            (first + last) * (first * first + last * last) / 4
        )  # of a straight line from first to last
        return min(mean_cube, self.fastest) * dt

    def seconds(self, debt: float) -> float:
        """Seconds until ``debt`` is paid, if nothing happens: the inverse of `paid`."""
        mirror, target = self.mirror, self.target
        slope = mirror.net / target
        level = mirror.level / target
        if slope <= 1e-9:
            return debt / max(level, 1e-3) ** 3
        before = -level / slope if level < 0 else 0.0
        level = max(level, 0.0)
        after = (level**4 + 4 * slope * debt) ** 0.25
        if after <= CUBE_OF_FASTEST:
            paying = (after - level) / slope
        else:  # the price stops rising on the way
            level = min(level, CUBE_OF_FASTEST)
            rising = (CUBE_OF_FASTEST**4 - level**4) / (4 * slope)
            paying = (CUBE_OF_FASTEST - level) / slope + (debt - rising) / FASTEST
        return before + max(paying, debt / self.fastest)


class Pace:
    """The debt of what was sent, paid at the pace. Seconds of the limit."""

    __slots__ = ("debt", "slack")

    def __init__(self) -> None:
        self.debt = 0.0
        self.slack = SLACK

    def hear(self, lanes: Sequence[Lane]) -> None:
        """News of the levels came: among others, send less at once: their slack comes on top of ours."""
        left = min((1 - lane.mirror.others / lane.mirror.rate for lane in lanes), default=1.0)
        self.slack = SLACK * max(LEAST_OF_FASTEST, left)

    def advance(self, lanes: Sequence[Lane], dt: float, allowed: float) -> None:
        """Pay for ``dt`` seconds; ``allowed``: what the circuit's ceiling lets through in them."""
        if self.debt > 0:
            paid = allowed
            for lane in lanes:
                price = lane.paid(dt)
                paid = min(paid, price)
            self.debt = max(0.0, self.debt - max(paid, SLOWEST * dt))
        for lane in lanes:
            lane.start = lane.mirror.level

    def seconds(self, lanes: Sequence[Lane]) -> float:
        """Seconds until a job may go, as far as the levels decide."""
        owed = self.debt - self.slack
        if owed <= 0:
            return 0.0
        return min(owed / SLOWEST, max((lane.seconds(owed) for lane in lanes), default=0.0))

    def charge(self, seconds: float) -> None:
        """A job was sent that costs ``seconds`` of the limit in its dearest dimension."""
        self.debt += min(DEAREST, seconds)


def pace_of(lanes: Sequence[Lane]) -> float:
    """The pace at this moment, for people to see."""
    pace = FASTEST
    for lane in lanes:
        pace = min(pace, max(lane.mirror.level / lane.target, 0.0) ** 3, lane.fastest)
    return max(pace, SLOWEST)
