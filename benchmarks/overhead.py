"""Does the cost of a job grow with the queue? CPU per job and memory, from 1,000 to 100,000 jobs.

    python benchmarks/overhead.py [--quick]

The transport answers at once and in memory, so what is measured is headway itself.
"""

from __future__ import annotations

import argparse
import gc
import resource
import time
import tracemalloc

import anyio

from headway import Limits, Scheduler
from headway.testing.transport import ScriptedTransport, Sent, reply

REPLY = reply("ok")
MODEL = "claude-sonnet-5-5"
TOLD = Limits(requests=1e9, input=1e12, output=1e12)
"""No limit, so that nothing is paced: only our own work is measured."""


def instant(sent: Sent) -> object:
    return REPLY


def transport() -> ScriptedTransport:
    made = ScriptedTransport(instant, latency=0.0, connections=100)  # type: ignore[arg-type]
    made.sent = made.answered = Forgetful()  # what it remembers would be counted as ours
    return made


class Forgetful(list[Sent]):
    """A list that keeps nothing."""

    def append(self, item: Sent, /) -> None:
        return None


async def mapped(jobs: int) -> tuple[float, int]:
    """CPU seconds and the most input taken beyond what was finished."""
    ahead = taken = done = 0

    def prompts() -> object:
        nonlocal taken
        for taken in range(1, jobs + 1):
            yield f"prompt {taken % 100}"

    cpu = time.process_time()
    async with Scheduler(model=MODEL, max_tokens=64, transport=transport(), limits=TOLD) as scheduler:
        async for _ in scheduler.map(prompts()):  # type: ignore[arg-type]
            done += 1
            ahead = max(ahead, taken - done)
    return time.process_time() - cpu, ahead


async def submitted(jobs: int) -> tuple[float, float]:
    """CPU seconds and bytes per queued job, all submitted before the first is sent."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    async with Scheduler(model=MODEL, max_tokens=64, transport=transport(), limits=TOLD) as scheduler:
        held = [scheduler.submit(f"prompt {i % 100}") for i in range(jobs)]
        size = (tracemalloc.get_traced_memory()[0] - before) / jobs
        tracemalloc.stop()
        cpu = time.process_time()
        for job in held:
            await job
        return time.process_time() - cpu, size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    sizes = (1_000, 5_000) if parser.parse_args().quick else (1_000, 10_000, 100_000)
    for jobs in sizes:
        gc.collect()
        cpu, ahead = anyio.run(mapped, jobs)
        print(f"map     {jobs:>7,} jobs: {1e6 * cpu / jobs:6.0f} µs CPU a job, input at most {ahead:,} ahead")
    for jobs in sizes:
        gc.collect()
        cpu, size = anyio.run(submitted, jobs)
        print(f"submit  {jobs:>7,} jobs: {1e6 * cpu / jobs:6.0f} µs CPU a job, {size:,.0f} bytes queued")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


if __name__ == "__main__":
    main()
