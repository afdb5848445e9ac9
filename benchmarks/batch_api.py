"""A large message batch through headway's adapter and through the SDK's own resource.

    python benchmarks/batch_api.py [--requests 100000] [--bytes 800]

Seconds to create it and to read its results, and the longest time for which the event loop was held up meanwhile:
live requests in the same loop wait that long. The fake API runs in a process of its own; its share of the seconds is
in both.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from anthropic import AsyncAnthropic

from headway import Request
from headway.adapters.anthropic import AnthropicTransport, local_client
from headway.core.batch_info import BatchItem
from headway.testing.fake_api import INSTANT, FakeAPI, FakeConfig

STEP = 0.005
"""Seconds between two looks at the clock."""


class Lag:
    """The longest time for which the loop did not come round."""

    def __init__(self) -> None:
        self.worst = 0.0

    async def watch(self) -> None:
        while True:
            begin = time.perf_counter()
            await asyncio.sleep(STEP)
            self.worst = max(self.worst, time.perf_counter() - begin - STEP)


@asynccontextmanager
async def measured(name: str) -> AsyncIterator[None]:
    lag = Lag()
    watcher = asyncio.create_task(lag.watch())
    await asyncio.sleep(10 * STEP)
    lag.worst, begin = 0.0, time.perf_counter()
    yield
    seconds = time.perf_counter() - begin
    await asyncio.sleep(STEP)
    watcher.cancel()
    print(f"{name:<22} {seconds:6.2f} s   loop held up for {lag.worst * 1000:6.0f} ms at most")


def params(number: int, size: int) -> dict[str, Any]:
    text = f"Classify review number {number}: ".ljust(size, "x")
    return {"model": "claude-sonnet-5-5", "max_tokens": 50, "messages": [{"role": "user", "content": text}]}


async def until_ended(look: Callable[[], Awaitable[object]]) -> None:
    while "ended" not in str(await look()):
        await asyncio.sleep(0.2)


async def with_headway(client: AsyncAnthropic, bodies: list[dict[str, Any]]) -> int:
    batches = AnthropicTransport(client).batches()
    async with measured("headway: create"):
        items: list[BatchItem] = []
        for number, body in enumerate(bodies):
            items.append(batches.item(f"job-{number}", Request(body)))
            if number % 1000 == 0:
                await asyncio.sleep(0)
        info = await batches.create_batch(items)
    await until_ended(lambda: batches.look(info.id))
    count = 0
    async with measured("headway: results"):
        async for result in batches.results(info.id):
            count += result.type == "succeeded"
    return count


async def with_sdk(client: AsyncAnthropic, bodies: list[dict[str, Any]]) -> int:
    batches = client.messages.batches
    async with measured("SDK: create"):
        requests = [{"custom_id": f"job-{number}", "params": body} for number, body in enumerate(bodies)]
        made = await batches.create(requests=cast("Any", requests))
    await until_ended(lambda: batches.retrieve(made.id))
    count = 0
    async with measured("SDK: results"):
        async for line in await batches.results(made.id):
            count += line.result.type == "succeeded"
    return count


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--bytes", type=int, default=800, help="of each prompt")
    parser.add_argument("--quick", action="store_true", help="2,000 requests, for continuous integration")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.requests = 2_000
    bodies = [params(number, arguments.bytes) for number in range(arguments.requests)]
    with FakeAPI.spawn(FakeConfig(latency=INSTANT, batch_seconds=0.0)) as api:
        for run in (with_headway, with_sdk):
            async with local_client(api.base_url) as client:
                count = await run(client, bodies)
            assert count == len(bodies), f"{count} of {len(bodies)} results"


if __name__ == "__main__":
    asyncio.run(main())
