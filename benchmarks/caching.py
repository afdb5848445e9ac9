"""Jobs that share a long prompt, and jobs that are the same: what is written, read, sent and paid.

python benchmarks/caching.py [--jobs 400] [--input 1M]

The fake API runs in a process of its own, with a prompt cache as the real one's. "all at once" is headway without
waiting for the first response.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from typing import Any
from unittest.mock import patch

from anthropic import AsyncAnthropic

from headway import JobState, Scheduler
from headway.core.warmth import Warmth
from headway.testing.fake_api import FakeAPI, FakeConfig, FakeLimits, Latency
from headway.testing.fake_api.limits import parse_quantity

SYSTEM = "Every review is read by a person who means well. " * 280
MODES: Mapping[str, Mapping[str, Any]] = {
    "no caching": {},
    "all at once": {"marked": True},
    "warm first": {"marked": True},
    "cache=auto": {"cache": "auto"},
    "no dedupe": {"contents": 10, "marked": True},
    "dedupe": {"contents": 10, "marked": True, "dedupe": True},
}


def bodies(jobs: int, *, marked: bool = False, contents: int | None = None) -> Iterator[dict[str, object]]:
    """Requests with the same system prompt."""
    block: dict[str, object] = {"type": "text", "text": SYSTEM}
    if marked:
        block["cache_control"] = {"type": "ephemeral"}
    for number in range(jobs):
        question = f"Review {number % contents if contents else number}: is it kind?"
        yield {"system": [block], "messages": [{"role": "user", "content": question}]}


async def run(mode: str, jobs: int, limits: FakeLimits) -> str:
    """One row of the table."""
    options = dict(MODES[mode])
    shape = {name: options.pop(name) for name in ("marked", "contents") if name in options}
    config = FakeConfig(limits=limits, latency=Latency(ttft=0.4, speed=80))
    at_once = patch.object(Warmth, "awaited", lambda *_: None) if mode == "all at once" else nullcontext()
    with FakeAPI.spawn(config) as api, at_once:
        async with (
            AsyncAnthropic(base_url=api.base_url, api_key="any") as client,
            Scheduler(client, model="claude-sonnet-5-5", max_tokens=64) as scheduler,
        ):
            begun = time.perf_counter()
            outcomes = [outcome async for outcome in scheduler.map(bodies(jobs, **shape), **options)]
            seconds = time.perf_counter() - begun
            status = scheduler.status()
        assert all(outcome.state is JobState.SUCCEEDED for outcome in outcomes), "a job failed"
        stats = api.stats()
    hits = status.usage.cache_hit_rate
    return (
        f"{mode:12}{len(outcomes):6}{stats.served:6}{stats.cache_write_tokens:12,}{stats.cache_read_tokens:12,}"
        f"{'' if hits is None else f'{hits * 100:.1f} %':>9}{status.refused_429:6}{status.cost:10.4f}{seconds:9.1f}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=400)
    parser.add_argument("--input", type=parse_quantity, default=1e6, help="input tokens a minute")
    parser.add_argument("--quick", action="store_true", help="40 jobs, for continuous integration")
    given = parser.parse_args()
    if given.quick:
        given.jobs = 40
    print("mode          jobs  sent     written        read     hits   429       USD  seconds")
    for mode in MODES:
        print(asyncio.run(run(mode, given.jobs, FakeLimits(10_000, given.input, 2_000_000))), flush=True)


if __name__ == "__main__":
    main()
