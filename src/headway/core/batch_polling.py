"""When to look at a batch again, and when to look for one whose creation brought no answer."""

from __future__ import annotations

from typing import Final

SOONEST: Final = 0.25
RAREST: Final = 120.0
"""Seconds between two looks: the endpoint takes 1,000 requests a minute from the lowest tier
(https://platform.claude.com/docs/en/api/rate-limits), and hundreds of batches may be under way."""
GROWTH: Final = 0.1
"""A batch is noticed to have ended when it is this much older than it was then."""
SPREAD: Final = 0.2
"""Jitter: up to this share of the wait, so that batches of one moment are not looked at in one moment."""
SEARCHES: Final = (0.0, 5.0, 25.0)
"""Seconds to wait before each search for a batch that may or may not have been created. A request that was cut off
may still be under way inside the API; after these 30 s it is not any more."""
TROUBLE: Final = (1.0, 3.0, 10.0, 30.0, 60.0, 120.0)
"""Seconds between tries when a batch cannot be looked at, the last one again and again."""
PATIENCE: Final = 3600.0
"""Seconds of nothing but trouble after which the jobs of a batch are given up for now. The batch stays."""

GONE: Final = 120.0
"""Seconds for which a 404 is not believed, of a batch that was there before or was just created: one stray answer
must not give up 100,000 results that were paid for."""


def next_look(age: float, jitter: float) -> float:
    """Seconds until the next look at a batch of this age. ``jitter``: 0 to 1."""
    wait = min(RAREST, max(SOONEST, GROWTH * age))
    return wait * (1 + SPREAD * jitter)


def trouble_wait(tries: int, jitter: float) -> float:
    """Seconds until the next try after so many failed ones in a row (1: the first)."""
    return TROUBLE[min(tries, len(TROUBLE)) - 1] * (0.5 + 0.5 * jitter)
