"""What a job takes from a budget, and how that taking ends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from headway.core.limits import NO_REPORT, LimitReport


@dataclass(frozen=True, slots=True)
class Cost:
    """What a job is expected to cost."""

    input: float
    """Estimated uncached input tokens."""
    max_output: float = 0.0
    """``max_tokens`` of the request: a bound, not reserved. 0: unknown."""
    requests: float = 1.0


@dataclass(frozen=True, slots=True)
class Used:
    """What a finished job did cost."""

    input: float
    """Uncached input tokens, cache creation included."""
    output: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now."""

    seconds: float
    """Ask again after this. Asking earlier is harmless."""
    reason: str
    """``requests``, ``input``, ``output``, ``circuit``, …"""


class RefusalKind(StrEnum):
    """Why the API refused a job before any work."""

    RATE = "rate"
    RAMP = "ramp"
    CONCURRENCY = "concurrency"
    OVERLOAD = "overload"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A 429 or a 529."""

    kind: RefusalKind
    retry_after: float | None = None
    report: LimitReport = NO_REPORT


class Reservation:
    """A job's place in the budget, from its sending to its end. Opaque to callers."""

    __slots__ = ("cost", "ended", "interactive", "probe", "taken_at")

    def __init__(self, cost: Cost, now: float, *, interactive: bool, probe: bool) -> None:
        self.cost = cost
        self.taken_at = now
        self.interactive = interactive
        self.probe = probe
        self.ended = False
