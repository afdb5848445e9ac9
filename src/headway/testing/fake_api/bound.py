"""The physical lower bound of a run: how fast a bucket could have given what was taken."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from headway.testing.fake_api.limits import FakeLimits


@dataclass(frozen=True, slots=True)
class Change:
    """Limits in force from a moment on."""

    at: float
    """Seconds since the first request (0 or less: from the beginning)."""
    limits: FakeLimits
    others: float = 0.0
    """Share of the refill that an unseen tenant takes."""


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time in seconds since the first request; ``end`` ``None`` is for ever."""

    start: float
    end: float | None


@dataclass(frozen=True, slots=True)
class Supply:
    """What one bucket gives over time."""

    dimension: str
    changes: tuple[Change, ...]
    outages: tuple[Window, ...] = ()


def seconds_needed(consumed: float, supply: Supply) -> float:
    """Earliest moment by which ``consumed`` can have been taken out, taking greedily; ``inf`` if never.

    The bucket starts full. Outside outages everything that is there is taken at once, so the level is
    0 and the refill is what counts; within them the level grows, up to the depth.
    """
    level = math.inf  # full: the first span cuts it to the depth
    left = consumed
    for begin, end in _spans(supply):
        rate, depth = _in_force(supply, begin)
        level = depth if depth == math.inf else min(level, depth)
        if _is_out(supply, begin):
            level = min(depth, level + _refill(rate, end - begin))
            continue
        if left <= level:
            return max(0.0, begin)
        left -= level
        level = 0.0
        refill = _refill(rate, end - begin)
        if left <= refill:
            return begin + (left / rate if rate < math.inf else 0.0)
        left -= refill
    return math.inf


def _refill(rate: float, seconds: float) -> float:
    return rate * seconds if rate > 0 else 0.0


def _spans(supply: Supply) -> list[tuple[float, float]]:
    """The time line from 0, cut wherever anything changes."""
    marks = {0.0, math.inf} | {change.at for change in supply.changes}
    for window in supply.outages:
        marks |= {window.start, math.inf if window.end is None else window.end}
    line = sorted(mark for mark in marks if mark >= 0)
    return list(pairwise(line))


def _in_force(supply: Supply, at: float) -> tuple[float, float]:
    """Refill per second and depth at a moment."""
    change = [change for change in supply.changes if change.at <= max(at, 0.0)][-1:] or [supply.changes[0]]
    limit = change[0].limits.per_minute(supply.dimension)
    if limit is None:
        return math.inf, math.inf
    return limit / 60 * (1 - change[0].others), limit / 60 * change[0].limits.burst


def _is_out(supply: Supply, at: float) -> bool:
    return any(
        window.start <= at < (math.inf if window.end is None else window.end) for window in supply.outages
    )
