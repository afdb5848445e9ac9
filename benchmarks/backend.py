"""Does the SDK's aiohttp backend pay? CPU time of this process per call, both backends, same fake API.

python benchmarks/backend.py [--quick] [--calls N]
"""

from __future__ import annotations

import argparse
import asyncio
import time

from anthropic import AsyncAnthropic, DefaultAioHttpClient, DefaultAsyncHttpxClient

from headway import Flow, JobState, Scheduler
from headway.testing.fake_api import INSTANT, FakeAPI, FakeConfig

MODEL = "claude-sonnet-5-5"


async def run(client: AsyncAnthropic, calls: int) -> tuple[float, float]:
    """CPU milliseconds per call and calls per second, through the scheduler."""
    async with Scheduler(client, model=MODEL, max_tokens=64, flow=Flow(max_in_flight=64)) as scheduler:
        async for _ in scheduler.map(f"warm {i}" for i in range(100)):
            pass
        cpu, wall = time.process_time(), time.perf_counter()
        async for outcome in scheduler.map(f"prompt {i}" for i in range(calls)):
            assert outcome.state is JobState.SUCCEEDED
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    await client.close()
    return 1000 * cpu / calls, calls / wall


async def bare(client: AsyncAnthropic, calls: int) -> float:
    """CPU milliseconds per call of the SDK alone, 64 at a time."""
    todo = iter(range(calls))

    async def worker() -> None:
        for i in todo:
            await client.messages.create(
                model=MODEL, max_tokens=64, messages=[{"role": "user", "content": f"prompt {i}"}]
            )

    await asyncio.gather(*(worker() for _ in range(64)))
    cpu = time.process_time()
    todo = iter(range(calls))
    await asyncio.gather(*(worker() for _ in range(64)))
    cpu = time.process_time() - cpu
    await client.close()
    return 1000 * cpu / calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--calls", type=int, default=3000)
    options = parser.parse_args()
    calls = 300 if options.quick else options.calls
    with FakeAPI.spawn(FakeConfig(latency=INSTANT)) as api:

        def client(http: type) -> AsyncAnthropic:
            return AsyncAnthropic(api_key="x", base_url=api.base_url, http_client=http(), max_retries=0)

        for name, http in (("aiohttp", DefaultAioHttpClient), ("httpx2", DefaultAsyncHttpxClient)):
            alone = asyncio.run(bare(client(http), calls))
            cpu, rate = asyncio.run(run(client(http), calls))
            print(
                f"{name:8} SDK alone {alone:.2f} ms CPU a call; through headway {cpu:.2f} ms, {rate:.0f} calls/s"
            )


if __name__ == "__main__":
    main()
