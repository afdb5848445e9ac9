"""What the scale benchmark measures, each for a process of its own: runs, maps, resumes, exports, queues."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import resource
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
        raise FirstError

    figures: Figures = {}

    def call() -> None:
        start, cpu = time.perf_counter(), time.process_time()
        with contextlib.suppress(BaseException):
            command(path, note)
        figures["first"] = began[0] - start
        figures["first_cpu"] = time.process_time() - cpu

    return measured(call) | figures


def map_jobs(jobs: int, *, named: bool = False) -> Figures:
    """The library's ``map``, without a journal; ``named``: each job with a tag of its own, and identical ones to be
    sent once (none is)."""
    import anyio

    from headway import Limits, Scheduler

    def prompts() -> Iterator[object]:
        for number in range(jobs):
            text = f"{number} {PROMPT}"
            body = {"messages": [{"role": "user", "content": text}]}
            yield {"custom_id": str(number), "tag": f"tag {number}", "params": body} if named else text

    async def run() -> None:
        told = Limits(requests=1e9, input=1e12, output=1e12)
        async with Scheduler(model=MODEL, max_tokens=64, transport=transport(), limits=told) as scheduler:  # type: ignore[arg-type]
            count = 0
            async for outcome in scheduler.map(prompts(), dedupe=named):
                count += outcome.state == "succeeded"
        assert count == jobs

    return measured(lambda: anyio.run(run))


def map_named(jobs: int) -> Figures:
    """The same with names."""
    return map_jobs(jobs, named=True)


def results_of(journal: Path, states: tuple[str, ...]) -> Figures:
    """``headway results`` of a journal."""
    from headway.cli.results_command import ResultsOptions, results

    output = journal.with_suffix(".exported.jsonl")
    options = ResultsOptions(journal=journal, output=output, states=states, quiet=True)
    return measured(lambda: results(options))


def queue_operations(jobs: int) -> Figures:
    """Push and pop with so many entries waiting, over ten tenants and with retries."""
    from headway.core.queue import FairQueue
    from headway.core.queue_entry import Entry

    queue: FairQueue[int] = FairQueue()
    for number in range(jobs):
        entry = Entry(number, tenant=f"t{number % 10}", cost=1.0 + number % 7)
        entry.not_before = 5.0 if number % 4 == 0 else 0.0
        queue.push(entry, 0.0)
    queue.rank(
        10.0
    )  # a quarter falls due at this moment, all at once: that is one operation for each of them
    gc.collect()  # nor is a look through what was just made part of one
    rounds = 20_000
    cpu = time.process_time()
    for _ in range(rounds):
        taken = queue.pop(10.0)
        assert taken is not None
        queue.push(taken, 10.0)
    return {"operation": (time.process_time() - cpu) / rounds / 2}
