"""What a job takes from a budget, and how that taking ends.

Reserve and settle, with one departure from the usual pair: output tokens are never reserved (the API
charges them while they are generated, see ``outputs``). A reservation ends exactly once, by
`settle`, `release`, `forfeit` or `refuse`; the first ending wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from headway.core.limits import NO_REPORT, LimitReport
from headway.core.mirror import Mark


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


class WaitReason(StrEnum):
    """What a job waits for."""

    PACE = "pace"
    REQUESTS = "requests"
    INPUT = "input"
    OUTPUT = "output"
    CIRCUIT = "circuit"
    PROBE = "probe"
    CONCURRENCY = "concurrency"


SHORTEST_WAIT: Final = 0.001
LONGEST_WAIT: Final = 60.0


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now."""

    seconds: float
    """Ask again after this; a prediction within [0.001, 60]. Asking earlier is harmless."""
    reason: str
    """One of `WaitReason`."""
    surely: float = 0.0
    """Seconds before which nothing at all can be sent on this budget: an open circuit, a Retry-After."""

    @classmethod
    def within(cls, seconds: float, reason: str, *, surely: float = 0.0) -> Wait:
        """``seconds``, but neither so short that the caller spins nor so long that it sleeps through a change."""
        return cls(min(max(seconds, SHORTEST_WAIT), LONGEST_WAIT), reason, surely)


class RefusalKind(StrEnum):
    """Why the API refused a job before any work."""

    RATE = "rate"
    RAMP = "ramp"
    """429 ``ramp_limit_exceeded``: the use grew too sharply."""
    CONCURRENCY = "concurrency"
    """429 "number of concurrent connections": no header shows this limit."""
    OVERLOAD = "overload"
    """529."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A 429 or a 529."""

    kind: RefusalKind
    retry_after: float | None = None
    """Seconds; the server's word that an earlier retry will fail."""
    report: LimitReport = NO_REPORT


class Reservation:
    """A job's place in the budget, from its sending to its end. Opaque to callers."""

    __slots__ = (
        "answered",
        "cost",
        "ended",
        "interactive",
        "marks",
        "probe",
        "scout",
        "seq",
        "taken_at",
        "work",
    )

    def __init__(
        self,
        seq: int,
        cost: Cost,
        now: float,
        *,
        interactive: bool,
        probe: bool,
        marks: tuple[Mark, ...],
        work: float,
    ) -> None:
        self.seq = seq
        self.cost = cost
        self.taken_at = now
        self.interactive = interactive
        self.probe = probe
        self.scout = False
        """Whether its headers are wanted early."""
        self.marks = marks
        self.work = work
        self.answered = False
        self.ended = False

    def __repr__(self) -> str:
        state = "ended" if self.ended else "in flight"
        return f"<Reservation {self.seq} {state}, taken at {self.taken_at:.3f}>"
