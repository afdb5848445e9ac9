"""What a client process is asked to do, and what it reports: plain JSON over a pipe."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Errand:
    """One process's part of one run."""

    contender: str
    workload: str
    seed: int
    base_url: str
    part: int = 0
    jobs: int | None = None
    """Jobs of the whole run when not the workload's own number."""


@dataclass(slots=True)
class Account:
    """What one client process says of itself."""

    finished: list[str] = field(default_factory=list)
    """Names of jobs that were answered."""
    failures: dict[str, str] = field(default_factory=dict)
    """Why others were not; each of them could have been."""
    missing: int = 0
    """Jobs of which nothing was heard before the time limit."""
    waits: list[tuple[float, float]] = field(default_factory=list)
    """Of each interactive job: seconds it took, and output tokens of its reply."""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """From the start signal to the last job."""
    peak_mib: float = 0.0
    """Largest resident set of the process, its imports included."""
    base_mib: float = 0.0
    """The same when everything was imported and open, before the first job."""
    stall: float = 0.0
    """Longest that the event loop was late, in seconds: blocked by the contender, or the machine was busy."""
    timed_out: bool = False
    error: str = ""
    """Why the contender broke down altogether."""
