"""Limits as the user tells them and as the API reports them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from headway.core.dimension import Dimension


@dataclass(frozen=True, slots=True)
class Limits:
    """What the user knows of the account's rate limits; every field may be left out.

    Told limits only make the first seconds better: as soon as a response carries
    ``anthropic-ratelimit-*`` headers, those win.
    """

    requests: float | None = None
    """Requests per minute."""
    input: float | None = None
    """Uncached input tokens per minute."""
    output: float | None = None
    """Output tokens per minute."""
    burst: float | None = None
    """Depth of the buckets in seconds of the limit. ``None``: learned, the API's is not published."""
    share: float = 1.0
    """Fraction of the limits this scheduler may use, in (0, 1]; leave the rest to others on the key."""

    def __post_init__(self) -> None:
        for name in ("requests", "input", "output", "burst"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise ValueError(f"Limits.{name} must be a positive number or None (unknown), not {value!r}")
        if not 0 < self.share <= 1:
            raise ValueError(f"Limits.share must be above 0 and at most 1, not {self.share!r}")

    def told(self, dimension: Dimension) -> float | None:
        """The told limit of one dimension, per minute."""
        value: float | None = getattr(self, dimension.value)
        return value


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket as response headers describe it."""

    limit: float
    """Per minute."""
    remaining: float | None = None
    """What was left, rounded to the dimension's ``rounding``."""
    reset_after: float | None = None
    """Seconds from the response's ``Date`` to full replenishment: both stamps are the server's, so
    our clock does not matter. Negative when the reset lies in the past."""


@dataclass(frozen=True, slots=True)
class LimitReport:
    """What one response said about the limits; empty when it carried no such headers."""

    buckets: tuple[tuple[Dimension, Bucket], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.buckets)


NO_REPORT = LimitReport()
OnHeaders = Callable[[LimitReport], None]
"""Told what the headers of a response say, before its answer is complete."""
