"""What a budget shows to dashboards and people."""

from __future__ import annotations

from dataclasses import dataclass

from headway.core.breaker import Circuit
from headway.core.dimension import Dimension
from headway.core.mirror import Origin


@dataclass(frozen=True, slots=True)
class DimensionStatus:
    """One bucket, in units of its dimension."""

    dimension: Dimension
    limit: float | None
    """Per minute, of the whole key; None: not known."""
    origin: Origin
    level: float | None
    """What the server would still admit at once, as we believe; below 0: debt."""
    capacity: float | None
    """Depth of the bucket."""
    others: float
    """What other clients of the key use, per minute."""
    used: float
    """What we use, per minute, over the last ten seconds or so."""


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """A budget at one moment."""

    dimensions: tuple[DimensionStatus, ...]
    circuit: Circuit
    ceiling: float | None
    """Seconds of the limit per second that the circuit allows; None: no ceiling."""
    pace: float
    """Seconds of the limit per second that bulk work may use now: 1 is the limit's own rate."""
    jobs_per_second: float | None
    """The learned rate, where no header tells a limit; None: not in use."""
    in_flight: int
    max_in_flight: float | None
    """Learned from "concurrent connections" refusals; None: none known."""
    mean_output: float
    """Tokens a job writes."""
    output_speed: float
    """Tokens per second of one running job."""
    feedback: float
    """Seconds from a send to its header."""
    share: float
    rate_limited: int
    """429s so far."""
    overloaded: int
    """529s so far."""
    succeeded: int
