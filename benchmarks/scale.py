"""A million jobs: memory, start-up, resume and CPU per job, as the number of jobs grows.

    python benchmarks/scale.py [--quick] [--only queue,map,run,first,resume] [--jobs 1000,10000,100000,1000000]

Every figure comes from a process of its own. The transport answers at once and in memory, so what is measured is
headway: the real command line (`run_command.run`: check of the head, journal, results) or the library's `map`.
CPU is the process's own (user and system); "grew" is the peak resident set beyond that after the imports.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

MODEL = "claude-sonnet-5-5"
PROMPT = (
    "A train leaves at 9:40 and needs 95 minutes. When does it arrive? Answer with the time only, please."
)
Figures = dict[str, float]


class Forgetful(list[Any]):
    """A list that keeps nothing: what the transport remembers would be counted as ours."""

    def append(self, item: object, /) -> None:
        return None


class ForgetfulCounts(dict[str, int]):
    """A dict that keeps nothing."""

    def __setitem__(self, key: str, value: int, /) -> None:
        return None


def peak() -> float:
    """The most memory this process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resident() -> float:
    """The memory it has now, in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / (1 << 20)


def transport(on_send: Callable[[], None] = lambda: None) -> object:
    """Answers everything at once."""
    from headway.testing.transport import ScriptedTransport, reply

    answer = reply("It arrives at 11:15.")

    def script(_: object) -> object:
        on_send()
        return answer

    made = ScriptedTransport(script, latency=0.0, connections=100)  # type: ignore[arg-type]
    made.sent = made.answered = Forgetful()
    made._attempts = ForgetfulCounts()
    return made


def write_input(path: Path, jobs: int) -> None:
    """A file of so many prompts, 150 bytes a line."""
    with path.open("w") as file:
        for number in range(jobs):
            file.write(json.dumps({"custom_id": f"job-{number}", "prompt": f"{number} {PROMPT}"}) + "\n")


def command(path: Path, on_send: Callable[[], None] = lambda: None) -> int:
    """``headway run PATH`` with that transport; gives its exit status."""
    import headway.scheduler
    from headway.cli.run_command import RunOptions, run

    os.environ.setdefault("ANTHROPIC_API_KEY", "none")
    headway.scheduler.transport_for = lambda *_: transport(on_send)  # type: ignore[assignment]
    limit = "requests=1000M,input=1000000M,output=1000000M"
    with contextlib.redirect_stdout(io.StringIO()) as said:
        status = run(RunOptions(input=path, limit=limit, progress=False))
    if status != 0:
        raise SystemExit(f"the run ended with {status}: {said.getvalue()}")
    return status


def measured(call: Callable[[], object]) -> Figures:
    """Seconds, CPU seconds and memory of a call, in this process."""
    import anthropic.types

    import headway.cli.run_command
    import headway.scheduler  # noqa: F401

    assert anthropic.types
    base = resident()
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return {
        "seconds": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "grew": max(0.0, peak() - base),
        "base": base,
    }


def run_file(path: Path) -> Figures:
    """A whole run."""
    return measured(lambda: command(path))


def first_request(path: Path) -> Figures:
    """Seconds from the command, its modules imported, to the first request."""
    began: list[float] = []

    class FirstError(BaseException):
        """The first request was sent."""

    def note() -> None:
        began.append(time.perf_counter())
        os._exit_later = True  # type: ignore[attr-defined]
        raise FirstError

    figures: Figures = {}

    def call() -> None:
        start, cpu = time.perf_counter(), time.process_time()
        with contextlib.suppress(BaseException):
            command(path, note)
        figures["first"] = began[0] - start
        figures["first_cpu"] = time.process_time() - cpu

    return measured(call) | figures


def map_jobs(jobs: int) -> Figures:
    """The library's ``map``, without a journal."""
    import anyio

    from headway import Limits, Scheduler

    async def run() -> None:
        told = Limits(requests=1e9, input=1e12, output=1e12)
        async with Scheduler(model=MODEL, max_tokens=64, transport=transport(), limits=told) as scheduler:  # type: ignore[arg-type]
            prompts: Iterator[str] = (f"{number} {PROMPT}" for number in range(jobs))
            count = 0
            async for outcome in scheduler.map(prompts):
                count += outcome.state == "succeeded"
        assert count == jobs

    return measured(lambda: anyio.run(run))


def queue_operations(jobs: int) -> Figures:
    """Push and pop with so many entries waiting, over ten tenants and with retries."""
    from headway.core.queue import FairQueue
    from headway.core.queue_entry import Entry

    queue: FairQueue[int] = FairQueue()
    for number in range(jobs):
        entry = Entry(number, tenant=f"t{number % 10}", cost=1.0 + number % 7)
        entry.not_before = 5.0 if number % 4 == 0 else 0.0
        queue.push(entry, 0.0)
    rounds = 20_000
    cpu = time.process_time()
    for _ in range(rounds):
        taken = queue.pop(10.0)
        assert taken is not None
        queue.push(taken, 10.0)
    return {"operation": (time.process_time() - cpu) / rounds / 2}


def finished_journal(path: Path) -> None:
    """The journal and results of a run that has finished every line, written in bulk and without a bookmark."""
    from headway.adapters.sqlite import intake
    from headway.adapters.sqlite.database import Database
    from headway.cli.input_source import DEFAULT_MAX_TOKENS, DEFAULT_MODEL, InputOptions, open_input
    from headway.cli.run_settings import META, RunSettings
    from headway.core.events import Started, Succeeded
    from headway.core.job import JobRecord, advance
    from headway.core.outcome import ending_of
    from headway.core.usage import Usage
    from headway.testing.transport import reply

    body = reply("It arrives at 11:15.").body
    source, form = open_input(InputOptions(input=path), print)
    source.check_head()
    head = source.fingerprint()
    base_url = (os.environ.get("ANTHROPIC_BASE_URL") or "https://api.anthropic.com").rstrip("/")
    settings = RunSettings(DEFAULT_MODEL, DEFAULT_MAX_TOKENS, None, None, form.value, base_url)
    output = path.with_name(f"{path.stem}.results.jsonl")
    database = Database(output.with_name(f"{output.name}.journal"))
    kept = {name: getattr(settings, name) for name in RunSettings.__dataclass_fields__}
    kept |= {"head_size": head.size, "head_sha256": head.sha256}
    database.begin()
    from headway.adapters.sqlite import meta

    meta.put(database.connection, META, json.dumps(kept))
    with output.open("w") as results:
        for number, record in enumerate(source.records(), 1):
            request = record.item
            job = JobRecord(number, record.key, request)  # type: ignore[arg-type]
            intake.admit(database.connection, [job], reopen_failed=False)
            event = Succeeded(2.0, body, Usage(120, 10), "end_turn", "req", 0.001)
            ended = advance(advance(job, Started(1.0)), event)
            ending = ending_of(ended, event)
            assert ending is not None
            intake.write(database.connection, ended, event, ending)
            results.write(ending.line() + "\n")
            if number % 50_000 == 0:
                database.commit()
                database.begin()
    database.commit()
    database.close()
    source.close()


def apart(call: Callable[..., Figures | None], *arguments: object) -> Figures:
    """Call it in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(call, arguments) or {}


def show(what: str, jobs: int, text: str) -> None:
    print(f"{what:<22}{jobs:>10,} jobs   {text}", flush=True)


def cost(figures: Figures, jobs: int) -> str:
    return (
        f"{1e6 * figures['cpu'] / jobs:6.0f} µs CPU a job, {figures['seconds']:7.1f} s, "
        f"grew {figures['grew']:4.0f} MiB over {figures['base']:.0f}"
    )


def measure(part: str, sizes: list[int], folder: Path) -> None:
    """One part of the report."""
    for jobs in sizes:
        path = folder / f"{part}-{jobs}.jsonl"
        match part:
            case "queue":
                show(
                    "queue",
                    jobs,
                    f"{1e6 * apart(queue_operations, jobs)['operation']:6.1f} µs CPU an operation",
                )
            case "map":
                show("map", jobs, cost(apart(map_jobs, jobs), jobs))
            case "run":
                write_input(path, jobs)
                show("run, journal", jobs, cost(apart(run_file, path), jobs))
            case "first":
                write_input(path, jobs)
                found = apart(first_request, path)
                show(
                    "first request", jobs, f"after {found['first']:.2f} s, {found['first_cpu']:.2f} s of CPU"
                )
            case _:
                write_input(path, jobs)
                apart(finished_journal, path)
                for name in ("resume, key by key", "resume, bookmark"):
                    found = apart(run_file, path)
                    show(name, jobs, f"{jobs / found['cpu']:10,.0f} rows per s of CPU, {cost(found, jobs)}")
        for leftover in folder.glob(f"{part}-*"):
            leftover.unlink()


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1,000 and 5,000 jobs")
    parser.add_argument("--only", default="queue,map,run,first,resume", metavar="PARTS")
    parser.add_argument("--jobs", default="1000,10000,100000,1000000", metavar="NUMBERS")
    parser.add_argument("--folder", type=Path, help="where the files go (they are large): decides the disk")
    arguments = parser.parse_args()
    sizes = [1_000, 5_000] if arguments.quick else [int(number) for number in arguments.jobs.split(",")]
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for part in arguments.only.split(","):
            measure(part, sizes, Path(folder))


if __name__ == "__main__":
    main()
