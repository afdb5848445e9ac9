"""The budget of one model group: token buckets fed by headers, and a circuit for refusals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from headway.core.dimension import TABLE, Dimension
from headway.core.limits import LimitReport, Limits
from headway.core.reservation import Cost, Refusal, RefusalKind, Reservation, Used, Wait

__all__ = [
    "Budget",
    "BudgetStatus",
    "Cost",
    "DimensionStatus",
    "Refusal",
    "RefusalKind",
    "Reservation",
    "Used",
    "Wait",
]

DEFAULT_DEPTH: Final = 60.0
"""Seconds of the limit a bucket is taken to hold until told otherwise."""
BACKOFF: Final = (1.0, 30.0)
"""First and longest pause after a refusal that named no time."""


@dataclass(frozen=True, slots=True)
class DimensionStatus:
    """One bucket, for dashboards."""

    dimension: Dimension
    limit: float | None
    """Per minute; ``None``: unknown."""
    origin: str
    """``told``, ``header``, ``learned`` or ``unknown``."""
    level: float | None
    capacity: float | None
    """Depth of the bucket."""


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """One budget, for dashboards."""

    dimensions: tuple[DimensionStatus, ...]
    circuit: str
    in_flight: int


class _Bucket:
    def __init__(self, limit: float, depth_seconds: float, origin: str) -> None:
        self.rate = limit / 60.0
        self.depth = self.rate * depth_seconds
        self.level = self.depth
        self.origin = origin

    def refill(self, seconds: float) -> None:
        self.level = min(self.depth, self.level + self.rate * seconds)


class Budget:
    """Token buckets for requests, input and output tokens; ``now`` is loop time in seconds."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._at = now
        self._shut_until = now
        self._refusals = 0
        self.in_flight = 0
        self._buckets: dict[Dimension, _Bucket] = {}
        for row in TABLE:
            if (told := limits.told(row.dimension)) is not None:
                depth = limits.burst or DEFAULT_DEPTH
                self._buckets[row.dimension] = _Bucket(told * limits.share, depth, "told")

    def reserve(
        self,
        cost: Cost,
        now: float,
        *,
        interactive: bool = False,
        backlog: float | None = None,
        jitter: float = 0.5,
    ) -> Reservation | Wait:
        """Take what a job needs, or say when to ask again."""
        self._touch(now)
        if now < self._shut_until:
            return Wait(max(0.001, self._shut_until - now), "circuit")
        needs = {Dimension.REQUESTS: cost.requests, Dimension.INPUT: cost.input, Dimension.OUTPUT: 1.0}
        for dimension, bucket in self._buckets.items():
            need = min(needs[dimension], bucket.depth)  # larger than the bucket: alone, when it is full
            if bucket.level < need:
                return Wait(max(0.001, (need - bucket.level) / bucket.rate), dimension.value)
        for dimension, bucket in self._buckets.items():
            if dimension is not Dimension.OUTPUT:
                bucket.level -= needs[dimension]
        self.in_flight += 1
        return Reservation(cost, now, interactive=interactive, probe=False)

    def observe(self, reservation: Reservation, report: LimitReport, now: float) -> None:
        """Response headers: limits are taken over, the level only lowered (others use the same limits)."""
        self._touch(now)
        for dimension, seen in report.buckets:
            limit = seen.limit * self._limits.share
            bucket = self._buckets.get(dimension)
            if bucket is None or abs(bucket.rate * 60 - limit) > 1e-6 * limit:
                old, bucket = bucket, _Bucket(limit, self._limits.burst or DEFAULT_DEPTH, "header")
                bucket.level = min(bucket.depth, old.level) if old else bucket.depth
                self._buckets[dimension] = bucket
            if seen.remaining is not None:
                bucket.level = min(bucket.level, seen.remaining * self._limits.share)

    def settle(self, reservation: Reservation, usage: Used, now: float) -> None:
        """The job succeeded and used this much."""
        if self._end(reservation, now):
            self._refusals = 0
            if bucket := self._buckets.get(Dimension.INPUT):
                bucket.level += reservation.cost.input - usage.input
            if bucket := self._buckets.get(Dimension.OUTPUT):
                bucket.level -= usage.output

    def release(self, reservation: Reservation, now: float) -> None:
        """Refused before any work: nothing was used."""
        if self._end(reservation, now):
            for dimension, amount in (
                (Dimension.REQUESTS, reservation.cost.requests),
                (Dimension.INPUT, reservation.cost.input),
            ):
                if bucket := self._buckets.get(dimension):
                    bucket.level = min(bucket.depth, bucket.level + amount)

    def forfeit(self, reservation: Reservation, now: float) -> None:
        """Outcome unknown: what was reserved counts as used."""
        self._end(reservation, now)

    def refuse(self, reservation: Reservation, refusal: Refusal, now: float, *, jitter: float) -> float:
        """A 429 or 529: pause everything, longer each time, and say how long this job should wait."""
        if reservation.ended:
            return 0.0
        self.release(reservation, now)
        if now >= self._shut_until:
            self._refusals += 1
        pause = min(BACKOFF[1], BACKOFF[0] * 2.0 ** min(self._refusals - 1, 10)) * (0.5 + jitter)
        pause = max(pause, refusal.retry_after or 0.0)
        self._shut_until = max(self._shut_until, now + pause)
        return pause

    def set_limits(self, limits: Limits, now: float) -> None:
        """Limits told while running."""
        fresh = Budget(limits, now)
        self._limits, self._buckets = limits, fresh._buckets

    def status(self, now: float) -> BudgetStatus:
        """A value for dashboards."""
        self._touch(now)
        rows = tuple(
            DimensionStatus(dimension, bucket.rate * 60, bucket.origin, bucket.level, bucket.depth)
            for dimension, bucket in self._buckets.items()
        )
        return BudgetStatus(rows, "open" if now < self._shut_until else "closed", self.in_flight)

    def _touch(self, now: float) -> None:
        for bucket in self._buckets.values():
            bucket.refill(max(0.0, now - self._at))
        self._at = max(self._at, now)

    def _end(self, reservation: Reservation, now: float) -> bool:
        if reservation.ended:
            return False
        self._touch(now)
        reservation.ended = True
        self.in_flight -= 1
        return True
