"""What every contender must be able to do."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Self

from utilisation_suite.job import Job
from utilisation_suite.workload import Workload

Done = Callable[[str, "str | None"], None]
"""Called once for every bulk job: its name, and why it failed or ``None``."""


@dataclass(frozen=True, slots=True)
class Told:
    """Limits per minute, of the whole key."""

    requests: float
    input: float
    output: float
    burst: float
    """Depth of the buckets in seconds. headway is never given it; contenders that must set one are."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a user knows when setting a contender up."""

    base_url: str
    told: Told | None
    """``None``: nothing is known of the limits."""
    processes: int
    """On the same key. headway is not told; others get their part of the limits."""
    binding: str
    mean_output: float
    """Tokens of a reply, which a user who tunes a limiter by hand estimates."""

    @classmethod
    def of(cls, base_url: str, workload: Workload) -> Setup:
        """What is known of a workload."""
        limits = workload.limits
        assert limits.requests is not None
        assert limits.input is not None
        assert limits.output is not None
        told = Told(limits.requests, limits.input, limits.output, limits.burst) if workload.told else None
        return cls(base_url, told, workload.processes, workload.binding, workload.output.mean)


class Contender(ABC):
    """A way of sending many requests."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    async def __aenter__(self) -> Self:
        """Make clients, open connections pools."""
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close them."""
        return

    @abstractmethod
    async def bulk(self, jobs: Sequence[Job], done: Done) -> None:
        """Run all jobs; call ``done`` for each when it ends."""

    @abstractmethod
    async def interactive(self, job: Job) -> float:
        """Run an urgent job while the bulk is running; output tokens of the reply, or raise."""


async def all_of(
    jobs: Sequence[Job], run: Callable[[Job], Awaitable[object]], done: Done, at_once: int | None = None
) -> None:
    """Run every job with ``run``, which raises when it fails; at most ``at_once`` at a time."""
    gate = asyncio.Semaphore(at_once or max(1, len(jobs)))

    async def one(job: Job) -> None:
        async with gate:
            try:
                await run(job)
            except Exception as error:  # noqa: BLE001 - whatever a contender ends with is its failure
                done(job.name, f"{type(error).__name__}: {error}"[:200])
            else:
                done(job.name, None)

    await asyncio.gather(*(one(job) for job in jobs))
