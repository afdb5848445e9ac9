"""A thousand streams at the same time, one in twenty cut in the middle: is every text there, whole and once?

    python benchmarks/streams.py [--quick] [--streams 1000] [--cut 5]

The fake API runs in a process of its own and writes running prose: a text with a gap, a repetition or a lost end
is not part of it. The SDK alone reads the same streams first, for comparison: what is cut there is lost.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from anthropic import AsyncAnthropic, DefaultAioHttpClient
from httpx2 import Limits as PoolLimits

from headway import Flow, Scheduler
from headway.testing.fake_api import FakeAPI, FakeConfig, FakeLimits, FaultRule, Latency, OutputLength
from headway.testing.fake_api.fault import FaultKind
from headway.testing.fake_api.reply import _WORDS

MODEL = "claude-sonnet-5-5"
PROSE = _WORDS * 60
TOKENS = 200
LATENCY = Latency(ttft=0.5, speed=100.0)
UNLIMITED = FakeLimits(requests=1e6, input=1e9, output=1e9)


@dataclass
class Tally:
    """What became of the streams of one run."""

    complete: int = 0
    torn: int = 0
    """With a gap, a repetition, or no proper end."""
    lost: int = 0
    """Ended with an exception."""
    resumed: int = 0
    first_tokens: list[float] = field(default_factory=list[float])
    """Seconds from asking to the first text."""

    def take(self, text: str, stop_reason: str | None, attempts: int) -> None:
        whole = bool(text) and text in PROSE and stop_reason == "end_turn"
        self.complete += whole
        self.torn += not whole
        self.resumed += attempts > 1


def question(number: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"Stream number {number}"}]


async def plain(client: AsyncAnthropic, number: int, tally: Tally) -> None:
    """The SDK's own stream."""
    begin, parts = time.perf_counter(), list[str]()
    try:
        async with client.messages.stream(model=MODEL, max_tokens=4000, messages=question(number)) as stream:  # type: ignore[arg-type]
            async for text in stream.text_stream:
                if not parts:
                    tally.first_tokens.append(time.perf_counter() - begin)
                parts.append(text)
            message = await stream.get_final_message()
    except Exception:  # noqa: BLE001 - counted
        tally.lost += 1
        return
    tally.take("".join(parts), message.stop_reason, 1)


async def through(scheduler: Scheduler, number: int, tally: Tally) -> None:
    """The same through headway."""
    begin, parts = time.perf_counter(), list[str]()
    try:
        async with scheduler.stream(question(number), model=MODEL, max_tokens=4000) as stream:
            async for text in stream.text_stream:
                if not parts:
                    tally.first_tokens.append(time.perf_counter() - begin)
                parts.append(text)
            message = await stream.get_final_message()
    except Exception as error:  # noqa: BLE001 - counted
        print(f"lost: {error}")
        tally.lost += 1
        return
    tally.take("".join(parts), message.stop_reason, len(stream.job.attempts))


async def at_once(streams: int, read: Callable[[int], Awaitable[None]]) -> tuple[float, float]:
    """Read all streams at the same time; seconds and seconds of CPU."""
    begin, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*map(read, range(streams)))
    return time.perf_counter() - begin, time.process_time() - used


def client_of(base_url: str, streams: int) -> AsyncAnthropic:
    pool = PoolLimits(max_connections=streams + 8, max_keepalive_connections=streams + 8)
    http_client = DefaultAioHttpClient(limits=pool, trust_env=False)
    return AsyncAnthropic(base_url=base_url, api_key="any", max_retries=0, http_client=http_client)


async def run(base_url: str, streams: int, *, with_headway: bool) -> None:
    """One run and its lines."""
    tally = Tally()
    async with client_of(base_url, streams) as client:
        if with_headway:
            async with Scheduler(client, flow=Flow(max_in_flight=streams)) as scheduler:
                took, cpu = await at_once(streams, lambda number: through(scheduler, number, tally))
                status = scheduler.status()
            assert (status.in_flight, status.succeeded) == (0, streams - tally.lost)
        else:
            took, cpu = await at_once(streams, lambda number: plain(client, number, tally))
    first = sorted(tally.first_tokens)
    p50, p99 = statistics.median(first), first[min(len(first) - 1, round(len(first) * 0.99))]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{'headway' if with_headway else 'SDK':8} {streams:7} {tally.complete:8} {tally.resumed:8} {tally.torn:5} "
        f"{tally.lost:5} {took:7.1f} s {p50:8.2f} s {p99:8.2f} s {1000 * cpu / streams:7.1f} ms {memory:7.0f} MB"
    )
    if with_headway and (tally.torn or tally.lost):
        raise SystemExit("a text is torn or lost")


def main() -> None:
    """Both runs against servers with the same faults."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="100 streams")
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--cut", type=float, default=5.0, help="per cent of the streams that are cut")
    options = parser.parse_args()
    streams = 100 if options.quick else options.streams
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    cut = FaultRule(FaultKind.STREAM_CUT, probability=options.cut / 100, after_events=8, stream=True)
    config = FakeConfig(
        limits=UNLIMITED, latency=LATENCY, output=OutputLength(mean=TOKENS, sigma=0.3), faults=(cut,)
    )
    print(f"{streams} streams at once of about {TOKENS} tokens, {options.cut:g} % of all cut in the middle")
    print(
        f"{'':8} {'streams':>7} {'complete':>8} {'resumed':>8} {'torn':>5} {'lost':>5} {'took':>9} "
        f"{'first p50':>10} {'p99':>10} {'CPU each':>10} {'memory':>10}"
    )
    for with_headway in (False, True):
        with FakeAPI.spawn(config) as api:
            asyncio.run(run(api.base_url, streams, with_headway=with_headway))
            print(f"{'':8} server: {api.stats().faults.get('stream_cut', 0)} cut")


if __name__ == "__main__":
    main()
