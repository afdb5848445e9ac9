"""Buckets: the mirrors of one budget, and our share of each.

``share`` is a second set of buckets, ours alone, beside the mirrors of the server's: of a fraction of the
limit, moved by our jobs only. Scaling the server's ``remaining`` instead would count every charge in part.
"""

from __future__ import annotations

import math
from typing import Final

from headway.core.backlog import Backlog
from headway.core.budget_status import DimensionStatus
from headway.core.dimension import TABLE, Dimension
from headway.core.feedback import Feedback
from headway.core.limits import LimitReport, Limits
from headway.core.meter import Meter
from headway.core.mirror import Mark, Mirror
from headway.core.outputs import Outputs
from headway.core.pace import DEAREST, FASTEST, GIVE_UP, Lane
from headway.core.reservation import Cost

INDEX: Final = {row.dimension: index for index, row in enumerate(TABLE)}
REQUESTS: Final = INDEX[Dimension.REQUESTS]
INPUT: Final = INDEX[Dimension.INPUT]
OUTPUT: Final = INDEX[Dimension.OUTPUT]
UNSEEN: Final = 1.5
"""Feedback delays of others' use that bulk work leaves in a bucket (without it: 59 refusals per 1,000 among
eight processes)."""
IDLE_AFTER: Final = 0.5
"""Feedback delays after the last news, with nothing in flight: from here on others' use fades quickly."""
MOST_UNSEEN: Final = 1 / 3
"""Of the target: the most that is left for others. Above it work trickles by the price alone, .04 of the limit:
processes that all hold back for each other would never hear that the bucket is full again."""
ROUNDING: Final = 1e-9
"""Of the depth: what floating-point numbers may lose."""
LOOK_AGAIN: Final = 1.0
"""Seconds after which a prediction that rests on what others use is made anew: they may leave."""
EXPLAINED_LAGS: Final = 1.0
"""Feedback delays of others' use that explain a refusal."""
URGENT_MARGIN: Final = 0.5
"""Of the rounding of headers: what interactive jobs leave in a bucket. Bulk leaves the whole of it."""
URGENT_FOR: Final = 60.0
"""Seconds after an interactive job in which room is kept for another; also the time constant of forgetting the
largest of them."""
ON_THE_WAY: Final = 0.05
"""Seconds from here to the server's bucket: a request is admitted by what the bucket holds then."""
URGENT_SIZES: Final = 1.5
"""Times the largest interactive job of late: room for one like it, while the level swings about its rest."""


class Buckets:
    """The buckets that limit one budget. Units of each dimension, seconds."""

    __slots__ = (
        "_lanes",
        "_mirrors",
        "_quotas",
        "_share",
        "_urgent_at",
        "_urgent_size",
        "feedback",
        "heard",
        "paced",
    )

    def __init__(self, now: float) -> None:
        self._mirrors = tuple(Mirror(row.dimension, now) for row in TABLE)
        self._quotas = tuple(Mirror(row.dimension, now) for row in TABLE)
        self._lanes: tuple[tuple[int, Lane], ...] = ()
        self._share = 1.0
        self._urgent_at = -math.inf
        self._urgent_size = 0.0
        self.paced: tuple[Lane, ...] = ()
        self.feedback = Feedback(now)
        self.heard = False
        """Whether a header has told any limit."""

    def tell(self, limits: Limits) -> None:
        """Follow what the user tells; a limit that a header has told stays."""
        self._share = limits.share
        for mirror in self._mirrors:
            told = limits.told(mirror.dimension)
            if mirror.origin != "header":
                mirror.forget() if told is None else mirror.tell(told, limits.burst)
        self._arrange()

    def touch(self, now: float, *, idle: bool) -> None:
        """Bring all levels to ``now``; ``idle``: nothing is in flight that could bring news."""
        idle = idle and now - self.feedback.at > IDLE_AFTER * self.feedback.delay
        for lane in self.paced:
            lane.mirror.touch(now, idle=idle)

    def short_of(self, cost: Cost, outputs: Outputs, *, interactive: bool) -> tuple[float, str]:
        """Seconds until every bucket holds what the job needs, and the scarcest one; 0: they do."""
        longest, scarcest = 0.0, ""
        for index, lane in self._lanes:
            mirror = lane.mirror
            if index == OUTPUT:
                if interactive:
                    need = outputs.expected(cost.max_output)
                else:
                    refill = mirror.rate - mirror.others
                    sending = lane.rest / (FASTEST * mirror.rate) + ON_THE_WAY
                    need = outputs.need(refill, cost.max_output, rest=lane.rest, sending=sending)
            else:
                need = cost.requests if index == REQUESTS else cost.input
            margin = mirror.unit * (URGENT_MARGIN if interactive else 1)
            if not interactive:
                margin += min(UNSEEN * self.feedback.lag * mirror.others, MOST_UNSEEN * lane.target)
            short = mirror.short_of(need, margin)
            if short > ROUNDING * mirror.cap:
                seconds = self._seconds(mirror, short, outputs)
                if seconds > longest:
                    longest, scarcest = seconds, mirror.dimension.value
        return longest, scarcest

    @staticmethod
    def _seconds(mirror: Mirror, short: float, outputs: Outputs) -> float:
        """Seconds until a bucket holds ``short`` more."""
        net = mirror.net
        seconds = short / net if net > 0 else math.inf
        if mirror.drain > 0:  # jobs that end make room, too
            seconds = min(seconds, outputs.next_end)
        if mirror.others > 0:
            seconds = min(seconds, max(LOOK_AGAIN, short / mirror.rate))
        return max(seconds, 1e-3)

    def expect_urgent(self, cost: Cost, now: float) -> None:
        """An interactive job was sent: from here on, keep room for the next one, of such a size."""
        since = now - self._urgent_at
        first = since > URGENT_FOR
        larger = URGENT_SIZES * cost.input
        self._urgent_size = max(larger, 0.0 if first else self._urgent_size * math.exp(-since / URGENT_FOR))
        self._urgent_at = now
        if first or self._urgent_size == larger:
            self._aim(now)

    def charge(self, cost: Cost, outputs: Outputs, now: float) -> tuple[tuple[Mark, ...], float]:
        """Take what a job costs that is sent now; returns the marks, and its cost in seconds of the limit."""
        amounts = (cost.requests, cost.input, 0.0)
        one, two, three = self._mirrors
        marks = one.charge(cost.requests, now), two.charge(cost.input, now), three.charge(0.0, now)
        dearest = 0.0
        for index, lane in self._lanes:
            mirror = lane.mirror
            amount = amounts[index]
            if index == OUTPUT and outputs.known:  # before, the bucket itself is the only bound
                amount = outputs.expected(cost.max_output)
            dearest = max(dearest, amount / mirror.rate)
            if mirror is not self._mirrors[index]:
                mirror.charge(amounts[index], now)
            lane.start = mirror.level
        return marks, min(dearest, DEAREST)

    def refund(self, index: int, amount: float) -> None:
        """Give back what was charged too much (negative: charge what was charged too little)."""
        mirror = self._mirrors[index]
        mirror.refund(amount)
        for other, lane in self._lanes:
            if other == index:
                if lane.mirror is not mirror:
                    lane.mirror.refund(amount)
                lane.start = lane.mirror.level

    def drain(self, outputs: Outputs) -> None:
        """Let running jobs drain the output buckets."""
        drain = outputs.running * outputs.speed
        self._mirrors[OUTPUT].drain = drain
        self._quotas[OUTPUT].drain = drain

    def hear(self, report: LimitReport, marks: tuple[Mark, ...], now: float) -> None:
        """Follow headers that are news."""
        before = [mirror.rate for mirror in self._mirrors]
        patience = self.feedback.patience
        for dimension, bucket in report.buckets:
            index = INDEX[dimension]
            self._mirrors[index].read(bucket, marks[index], now, patience)
        self.heard = self.heard or any(mirror.origin == "header" for mirror in self._mirrors)
        if before != [mirror.rate for mirror in self._mirrors]:
            self._arrange()
        self._aim(now)
        for lane in self.paced:
            lane.start = lane.mirror.level

    def explains(self, cost: Cost) -> bool:
        """Whether the mirrors say that there was no room for this job, which has been given back already."""
        amounts = (cost.requests, cost.input, 0.0)
        for index, lane in self._lanes:
            mirror = lane.mirror
            need = amounts[index] + mirror.unit + EXPLAINED_LAGS * self.feedback.lag * mirror.others
            if mirror.level < min(need, mirror.cap):
                return True
        return False

    def keep(self, backlog: Backlog | None, cost: Cost, outputs: Outputs) -> None:
        """Keep no level in reserve that the rest of the queue, ``backlog`` and this job, cannot use up. Sizes as
        they are, no means: in the last wave the small ones come last."""
        for index, lane in self._lanes:
            if backlog is None:
                lane.target, lane.rest = lane.reserve, math.inf
                continue
            jobs = backlog.jobs + 1
            rest = float(jobs)
            if index == INPUT:
                rest = backlog.cost + cost.input
            elif index == OUTPUT:
                rest = jobs * (outputs.mean or cost.max_output)
            lane.rest = rest
            if rest * GIVE_UP < lane.reserve:
                lane.lower(rest)
            else:
                lane.target = lane.reserve

    def status(self, meter: Meter) -> tuple[DimensionStatus, ...]:
        """Every bucket, for people."""
        return tuple(
            DimensionStatus(
                dimension=mirror.dimension,
                limit=mirror.rate * 60 if mirror.known else None,
                origin=mirror.origin,
                level=mirror.level if mirror.known else None,
                capacity=mirror.cap if mirror.known else None,
                others=mirror.others * 60,
                used=meter.per_minute(index),
            )
            for index, mirror in enumerate(self._mirrors)
        )

    def _arrange(self) -> None:
        """Lanes for all known limits, and for our share of them."""
        lanes = [(index, mirror) for index, mirror in enumerate(self._mirrors) if mirror.known]
        if self._share < 1:
            for index, mirror in tuple(lanes):
                quota = self._quotas[index]
                rate = mirror.rate * self._share
                if quota.rate != rate:
                    quota.tell(rate * 60, mirror.cap / mirror.rate)
                lanes.append((index, quota))
        self._lanes = tuple((index, Lane(mirror)) for index, mirror in lanes)
        self.paced = tuple(lane for _, lane in self._lanes)
        self._aim(self.feedback.at)

    def _aim(self, now: float) -> None:
        urgent = now - self._urgent_at <= URGENT_FOR
        for index, lane in self._lanes:
            size = self._urgent_size if index == INPUT else 0.0
            lane.aim(self.feedback.lag, urgent=size if urgent else None)
