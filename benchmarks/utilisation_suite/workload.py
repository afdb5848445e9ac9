"""One workload: what is asked of the API, and how the API behaves meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from headway.testing.fake_api import FakeConfig, FakeLimits, FaultRule, HeaderPolicy, Latency, OutputLength
from utilisation_suite.job import Job, Sizes, make_jobs


@dataclass(frozen=True, slots=True)
class Target:
    """What headway must reach."""

    efficiency: float | None = None
    requests_per_job: float | None = None
    interactive_p50: float | None = None
    interactive_p99: float | None = None


@dataclass(frozen=True, slots=True)
class Workload:
    """Everything but the seed and the contender."""

    name: str
    about: str
    jobs: int
    """In all, over all processes; interactive ones come on top."""
    limits: FakeLimits
    told: bool = True
    """Whether the contender is told the limits per minute (never the depth of the buckets, but see
    `docs/benchmarks.md` for what contenders without headers are given)."""
    binding: str = "input"
    """The dimension that decides, which a user who tunes a limiter by hand knows."""
    sizes: Sizes = field(default_factory=Sizes)
    max_tokens: tuple[int, int] = (256, 256)
    output: OutputLength = field(default_factory=lambda: OutputLength(mean=30, sigma=0.5))
    latency: Latency = field(default_factory=lambda: Latency(ttft=0.4, speed=80, jitter=0.1, refusal=0.05))
    headers: HeaderPolicy = field(default_factory=HeaderPolicy)
    faults: tuple[FaultRule, ...] = ()
    processes: int = 1
    interactive_every: float | None = None
    """Mean seconds between interactive jobs while the bulk lasts."""
    time_limit: float = 150.0
    """Seconds until a run is given up."""
    target: Target = field(default_factory=Target)

    def config(self, seed: int) -> FakeConfig:
        """The server's side."""
        return FakeConfig(
            limits=self.limits,
            latency=self.latency,
            output=self.output,
            headers=self.headers,
            faults=self.faults,
            seed=seed,
        )

    def bulk(self, seed: int, part: int) -> list[Job]:
        """The jobs of one process."""
        return make_jobs(self.jobs, self.sizes, self.max_tokens, seed, "bulk")[part :: self.processes]

    def interactive(self, seed: int) -> list[Job]:
        """Small urgent jobs, as many as the time limit could hold."""
        if self.interactive_every is None:
            return []
        count = int(2 * self.time_limit / self.interactive_every)
        return make_jobs(count, Sizes(mean=150, sigma=0.4), (64, 64), seed, "urgent")

    def shortened(self, jobs: int) -> Workload:
        """The same with fewer jobs, without a target: a short run is mostly start and end."""
        return replace(self, jobs=jobs, target=Target())
