"""How much may be under way at a time, and how long."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

FALLBACK_IN_FLIGHT: Final = 256
"""Requests in flight when the transport cannot say how many connections it has."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Bounds of a scheduler; every default serves."""

    max_in_flight: int | None = None
    """Requests open at a time. ``None``: what the client's connection pool and the open-file limit carry."""
    max_queued: int | None = None
    """Jobs waiting before ``submit`` raises `QueueFullError`; ``map`` applies back-pressure instead."""
    attempt_timeout: float = 600.0
    """Seconds one attempt may take in all (the API's own limit for a plain response). Answers with more
    ``max_tokens`` get proportionally more: an hour for 128,000."""
    first_token_timeout: float = 300.0
    """Seconds a stream may take from its sending to its first event with content; pings do not count."""
    idle_timeout: float = 120.0
    """Seconds a stream may bring nothing new between two events; pings do not count."""
    weights: Mapping[str, float] = field(default_factory=dict[str, float])
    """Share of a tenant relative to the others; 1 when not named."""

    def __post_init__(self) -> None:
        for name in ("max_in_flight", "max_queued"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"Flow.{name} must be at least 1 or None, not {value!r}")
        for name in ("attempt_timeout", "first_token_timeout", "idle_timeout"):
            if not getattr(self, name) > 0:
                raise ValueError(f"Flow.{name} must be above 0 seconds, not {getattr(self, name)!r}")
        for tenant, weight in self.weights.items():
            if not (weight > 0 and math.isfinite(weight)):
                raise ValueError(f"Flow.weights[{tenant!r}] must be a positive number, not {weight!r}")

    def bound(self, connections: int | None) -> int:
        """Requests open at a time over so many connections; ``None``: nobody knows how many there are."""
        return self.max_in_flight or connections or FALLBACK_IN_FLIGHT

    def timeout_for(self, max_tokens: int) -> float:
        """Seconds an attempt with this ``max_tokens`` may take."""
        return max(self.attempt_timeout, 3600.0 * max_tokens / 128_000)
