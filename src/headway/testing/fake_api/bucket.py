"""A token bucket with continuous refill: arithmetic only, the time is an argument."""

from __future__ import annotations

import math


class Bucket:
    """One limit: refilled at ``limit / 60`` a second up to a depth of ``burst`` seconds of refill."""

    __slots__ = ("consumed", "depth", "level", "limit", "others", "touched")

    def __init__(self, limit: float | None, burst: float, now: float) -> None:
        self.limit = limit
        """Per minute; ``None`` is unlimited."""
        self.depth = math.inf if limit is None else burst * limit / 60
        self.level = self.depth
        self.others = 0.0
        """Share of the refill that somebody else takes, 0 to 1."""
        self.touched = now
        self.consumed = 0.0
        """All that was ever taken."""

    @property
    def rate(self) -> float:
        """Net refill per second."""
        return math.inf if self.limit is None else self.limit / 60 * (1 - self.others)

    def touch(self, now: float, drain: float = 0.0) -> None:
        """Let time pass to ``now`` while ``drain`` per second is taken out evenly."""
        elapsed = now - self.touched
        if elapsed <= 0:
            return
        self.touched = now
        self.consumed += drain * elapsed
        if self.limit is not None:
            self.level = min(self.depth, self.level + (self.rate - drain) * elapsed)

    def take(self, amount: float) -> None:
        """Take ``amount`` now; whoever calls has checked that it is there (output may go negative)."""
        self.consumed += amount
        if self.limit is not None:
            self.level -= amount

    def wait_for(self, amount: float) -> float:
        """Seconds until the refill alone brings the level to ``amount`` (or to the brim, if lower)."""
        missing = min(amount, self.depth) - self.level
        if missing <= 0:
            return 0.0
        return missing / self.rate if self.rate > 0 else math.inf

    def change(self, limit: float | None, burst: float) -> None:
        """A new limit: the level is kept, cut to the new depth; from unlimited it starts full."""
        was_unlimited = self.limit is None
        self.limit = limit
        self.depth = math.inf if limit is None else burst * limit / 60
        self.level = self.depth if was_unlimited or limit is None else min(self.level, self.depth)
