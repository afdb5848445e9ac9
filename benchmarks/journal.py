"""How fast the SQLite journal is: rows committed a second, and how long one write waits.

    python benchmarks/journal.py [--rows 30000] [--folder .]

Writers are tasks that each write a job's two events (started, succeeded with a body of 2 kB) and wait for every
commit. "Loop lag" is how late a 5 ms timer came meanwhile. The folder decides the disk.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from headway.adapters.sqlite import SQLiteJournal
from headway.core.events import JobEvent, Started, Succeeded
from headway.core.job import JobRecord, advance
from headway.core.outcome import ending_of
from headway.core.request import Request
from headway.core.usage import Usage

PROMPT = "A train leaves at 9:40 and needs 95 minutes. When does it arrive? " * 8
BODY = json.dumps({"type": "message", "content": [{"type": "text", "text": "It arrives at 11:15. " * 85}]})


def record(number: int) -> JobRecord:
    """A job of ordinary size."""
    messages = [{"role": "user", "content": f"{number} {PROMPT}"}]
    return JobRecord(
        number, f"job-{number}", Request({"model": "m", "max_tokens": 256, "messages": messages})
    )


async def measure_admit(journal: SQLiteJournal, records: list[JobRecord], chunk: int) -> float:
    """Rows a second when jobs are entered in chunks."""
    began = time.perf_counter()
    for start in range(0, len(records), chunk):
        await journal.admit(records[start : start + chunk])
    return len(records) / (time.perf_counter() - began)


async def measure_writes(
    journal: SQLiteJournal, records: list[JobRecord], writers: int
) -> tuple[float, list[float]]:
    """Rows a second with so many concurrent writers, and how long each write waited (seconds)."""
    waits: list[float] = []
    todo: Iterable[JobRecord] = iter(records)

    async def store(job: JobRecord, event: JobEvent) -> JobRecord:
        job = advance(job, event)
        began = time.perf_counter()
        await journal.write(job, event, ending_of(job, event))
        waits.append(time.perf_counter() - began)
        return job

    async def work() -> None:
        for job in todo:
            running = await store(job, Started(1.0))
            await store(running, Succeeded(2.0, BODY, Usage(120, 400), "end_turn", "req_1", 0.001))

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(writers)))
    return 2 * len(records) / (time.perf_counter() - began), waits


async def count(items: AsyncIterator[object]) -> int:
    """How many there are."""
    return sum([1 async for _ in items])


@asynccontextmanager
async def loop_lag() -> AsyncIterator[list[float]]:
    """How late a 5 ms timer comes (seconds)."""
    lags: list[float] = [0.0]

    async def probe() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.005)
            lags.append(time.perf_counter() - began - 0.005)

    task = asyncio.create_task(probe())
    try:
        yield lags
    finally:
        task.cancel()


def show(name: str, figure: str) -> None:
    """One line of the report."""
    print(f"{name:<44}{figure}")


async def timed(name: str, rows: int, call: Callable[[], Awaitable[object]]) -> None:
    """Report rows a second of one call."""
    began = time.perf_counter()
    await call()
    seconds = time.perf_counter() - began
    show(name, f"{rows / seconds:>10,.0f} rows/s {seconds * 1e3:>10,.1f} ms in all")


async def run(folder: Path, rows: int) -> None:
    """All measurements."""
    path = folder / "bench.journal"
    async with SQLiteJournal(path) as journal, loop_lag() as lags:
        records = [record(number) for number in range(rows)]
        lags.clear()
        show("admit, 500 at a time", f"{await measure_admit(journal, records, 500):>10,.0f} rows/s")
        share = max(500, rows // 3)
        begun = 0
        for writers in (1, 50, 500):
            part = records[begun : begun + (share if writers > 1 else 500)]
            begun += len(part)
            rate, waits = await measure_writes(journal, part, writers)
            cuts = statistics.quantiles(waits, n=100)
            show(
                f"write, {writers} concurrent",
                f"{rate:>10,.0f} rows/s   wait p50 {cuts[49] * 1e3:.1f} ms, p99 {cuts[98] * 1e3:.1f} ms",
            )
        usual = statistics.quantiles(lags, n=100)[98]
        show("loop lag, p99 and worst", f"{usual * 1e3:>10.1f} ms {max(lags) * 1e3:.1f} ms")
        await timed("endings", begun, lambda: count(journal.endings()))
        await timed("unfinished", rows - begun, lambda: count(journal.unfinished()))
        await timed("known", rows, lambda: journal.known([job.key for job in records]))
        await timed("admit again (resume)", rows, lambda: journal.admit(records))
        await timed("counts", rows, journal.counts)
        await timed("rank_of", 1, lambda: journal.rank_of("job-0"))
    size = path.stat().st_size
    again = SQLiteJournal(path)
    await timed(f"open, closed cleanly ({size / 1e6:,.0f} MB)", rows, again.open)
    await again.aclose()


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=30_000)
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--quick", action="store_true", help="2,000 rows")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rows = 2_000
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        asyncio.run(run(Path(folder), arguments.rows))


if __name__ == "__main__":
    main()
