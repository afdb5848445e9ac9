"""The three buckets of one model group: who is admitted, and what is left."""

from __future__ import annotations

import math
from dataclasses import dataclass

from headway.testing.fake_api.bucket import Bucket
from headway.testing.fake_api.generation import Generation, OutputMeter
from headway.testing.fake_api.limits import DIMENSIONS, FakeLimits


@dataclass(frozen=True, slots=True)
class Level:
    """One bucket at one moment."""

    dimension: str
    limit: float
    """Per minute."""
    remaining: float
    """Never below 0."""
    full_in: float
    """Seconds to full replenishment; ``inf`` if somebody else takes all of the refill."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request was not admitted."""

    dimension: str
    limit: float
    retry_after: float
    """Seconds until every bucket has what the request needs, if nobody else asks."""


class Ledger:
    """Buckets of one model group; every method takes the time."""

    def __init__(self, group: str, limits: FakeLimits, now: float) -> None:
        self.group = group
        self.limits = limits
        self.requests = Bucket(limits.requests, limits.burst, now)
        self.input = Bucket(limits.input, limits.burst, now)
        self.output = Bucket(limits.output, limits.burst, now)
        self.meter = OutputMeter(self.output)
        self.admitted = 0
        self.output_at_last_admission = 0.0
        """Output charged when the last request was admitted: a limit can only delay what follows it."""

    @property
    def buckets(self) -> tuple[Bucket, Bucket, Bucket]:
        """In the order of ``DIMENSIONS``."""
        return (self.requests, self.input, self.output)

    def touch(self, now: float) -> None:
        """Let time pass."""
        self.requests.touch(now)
        self.input.touch(now)
        self.meter.touch(now)

    def admit(self, now: float, input_tokens: float) -> Refusal | None:
        """Charge a request and its input, or say why not; output is charged as it is generated."""
        self.touch(now)
        if self.requests.level >= 1 and self.input.level >= input_tokens and self.output.level > 0:
            self.requests.take(1)
            self.input.take(input_tokens)
            self.admitted += 1
            self.output_at_last_admission = self.output.consumed
            return None
        return self._refusal(input_tokens)

    def _refusal(self, input_tokens: float) -> Refusal:
        needs = (1.0, input_tokens, 0.0)
        worst, wait = 2, 0.0
        for index, (bucket, need) in enumerate(zip(self.buckets, needs, strict=True)):
            short = bucket.level <= 0 if index == 2 else bucket.level < need
            if short and (seconds := max(bucket.wait_for(need), 1e-9)) >= wait:
                worst, wait = index, seconds
        return Refusal(DIMENSIONS[worst], self.buckets[worst].limit or 0.0, wait)

    def charge_refusal(self) -> None:
        """A refused request that counts all the same; the requests bucket does not go below 0."""
        self.requests.take(min(1.0, max(0.0, self.requests.level)))

    def generate(self, start: float, tokens: float, speed: float) -> Generation:
        """Charge ``tokens`` of output at ``speed`` a second from ``start`` on."""
        return self.meter.begin(start, tokens, speed)

    def change(self, now: float, limits: FakeLimits) -> None:
        """Put new limits in force."""
        self.touch(now)
        self.limits = limits
        for name, bucket in zip(DIMENSIONS, self.buckets, strict=True):
            bucket.change(limits.per_minute(name), limits.burst)

    def share_with_others(self, now: float, share: float) -> None:
        """From now on somebody else takes this share of every refill."""
        self.touch(now)
        for bucket in self.buckets:
            bucket.others = share

    def summary(self) -> tuple[float | None, ...]:
        """Levels as last touched, in the order of ``DIMENSIONS``; ``None`` is unlimited."""
        return tuple(None if bucket.limit is None else bucket.level for bucket in self.buckets)

    def levels(self, now: float) -> tuple[Level, ...]:
        """The limited dimensions as headers describe them."""
        self.touch(now)
        return tuple(
            Level(name, bucket.limit, max(0.0, bucket.level), bucket.wait_for(math.inf))
            for name, bucket in zip(DIMENSIONS, self.buckets, strict=True)
            if bucket.limit is not None
        )
