"""The workloads, by name."""

from __future__ import annotations

from typing import Final

from headway.testing.fake_api import (
    FakeLimits,
    FaultKind,
    FaultRule,
    HeaderPolicy,
    Latency,
    OutputLength,
    preset,
)
from utilisation_suite.job import Sizes
from utilisation_suite.workload import Target, Workload

LIMITS: Final = FakeLimits(requests=3000, input=600_000, output=120_000, burst=6)
"""50 requests, 10,000 input and 2,000 output tokens a second: far below what this machine can serve."""

_ALL: Final = (
    Workload(
        "told",
        "the limits are told, jobs of 250 input tokens on average: input binds at 40 jobs/s",
        jobs=1300,
        limits=LIMITS,
        target=Target(0.94, 1.005),
    ),
    Workload(
        "untold",
        "the same, nothing is told: limits come from the response headers",
        jobs=1300,
        limits=LIMITS,
        told=False,
        target=Target(0.93, 1.02),
    ),
    Workload(
        "no-headers",
        "nothing is told, and no answer carries a rate-limit header or Retry-After",
        jobs=1300,
        limits=LIMITS,
        told=False,
        headers=HeaderPolicy(omit="always", retry_after=False),
    ),
    Workload(
        "tenant",
        "told; from second 8 to 20 an unseen user takes 60 % of every refill",
        jobs=1150,
        limits=LIMITS,
        faults=(FaultRule(FaultKind.TENANT, share=0.6, start=8, end=20),),
        target=Target(0.92, 1.03),
    ),
    Workload(
        "cut",
        "told; from second 8 to 18 the limits are a quarter of it, and the headers say so",
        jobs=1150,
        limits=LIMITS,
        faults=(FaultRule(FaultKind.LIMITS, scale=0.25, start=8, end=18),),
    ),
    Workload(
        "storm",
        "told; from second 8 to 16 every request gets a 529",
        jobs=1200,
        limits=LIMITS,
        faults=(FaultRule(FaultKind.STATUS, status=529, start=8, end=16),),
        target=Target(0.85, 1.06),
    ),
    Workload(
        "faults",
        "told; 5 % of the requests meet a 5xx, a 529, a bare 429, a reset, a cut or malformed body",
        jobs=1250,
        limits=LIMITS,
        faults=preset("mixed:5"),
        target=Target(0.80, 1.06),
    ),
    Workload(
        "interactive",
        "told; a small urgent job about every 0.5 s while bulk saturates the limits",
        jobs=1500,
        limits=LIMITS,
        interactive_every=0.5,
        latency=Latency(ttft=0.4, speed=80, jitter=0.0, refusal=0.05),
        target=Target(interactive_p50=1.2, interactive_p99=4.0),
    ),
    Workload(
        "output-bound",
        "told; 100 output tokens on average under max_tokens of 800-1600: output binds at 20 jobs/s",
        jobs=800,
        limits=LIMITS,
        binding="output",
        sizes=Sizes(mean=120, sigma=0.4),
        max_tokens=(800, 1600),
        output=OutputLength(mean=100, sigma=0.4),
        latency=Latency(ttft=0.4, speed=200, jitter=0.1, refusal=0.05),
        target=Target(0.95, 1.01),
    ),
    Workload(
        "processes",
        "told; four processes on one key, each with a quarter of the jobs, none knows of the others",
        jobs=1400,
        limits=LIMITS,
        processes=4,
        target=Target(0.92, 1.05),
    ),
    Workload(
        "tiny-bucket",
        "told; the buckets hold one second of the limit",
        jobs=1000,
        limits=FakeLimits(requests=3000, input=600_000, output=120_000, burst=1),
    ),
)

WORKLOADS: Final = {workload.name: workload for workload in _ALL}
QUICK: Final = (WORKLOADS["told"].shortened(320), WORKLOADS["faults"].shortened(300))
"""For CI: a few seconds each."""
