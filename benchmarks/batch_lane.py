"""The batch lane at size: memory, CPU and seconds of ``headway run --lane batch``, and that each answer comes once.

    python benchmarks/batch_lane.py [--quick] [--check] [--jobs 1000,10000,100000] [--bytes 300] [--batch-seconds 1]

The command runs in a process of its own, the fake API in another one, over HTTP. CPU is the command's own (user and
system). "grew" is its peak resident set beyond that after the imports. ``--bytes``: of each prompt. ``--check``:
status 1 unless each job has one answer, nothing was billed twice, the cost is half of that of a live run, and it grew
by 150 MiB at most.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MODEL = "claude-sonnet-5-5"
MOST_MIB = 150.0
"""What a run of any length may grow by."""


def peak() -> float:
    """The most memory this process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resident() -> float:
    """The memory it has now, in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / (1 << 20)


def command(figures: Path, words: list[str]) -> None:
    """``headway …`` in this process; what it took goes to a file."""
    import anthropic.types
    import httpx2

    import headway.adapters.sqlite
    import headway.cli.run_command
    import headway.scheduler
    from headway.adapters.anthropic import make_client
    from headway.cli.app import main

    assert anthropic.types and headway.scheduler and headway.cli and headway.adapters and httpx2
    make_client()
    base, wall, cpu = resident(), time.perf_counter(), time.process_time()
    sys.argv = ["headway", *words]
    try:
        main()
    finally:
        found = {
            "seconds": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
            "grew": peak() - base,
            "base": base,
        }
        figures.write_text(json.dumps(found))


def write_input(path: Path, jobs: int, size: int) -> None:
    """Prompts of so many bytes, each another one."""
    filler = "the quick brown fox jumps over the lazy dog and thinks about batches " * (size // 60 + 1)
    with path.open("w") as file:
        for number in range(jobs):
            prompt = f"Classify review {number}: {filler}"[:size]
            file.write(json.dumps({"custom_id": f"job-{number}", "prompt": prompt}) + "\n")


def results(path: Path) -> Iterator[dict[str, Any]]:
    with path.open() as file:
        for line in file:
            yield json.loads(line)


def measure(jobs: int, options: argparse.Namespace) -> bool:
    """One run; prints its figures and says whether all is as it should be."""
    from headway.core.catalog import BUILT_IN
    from headway.core.usage import Usage
    from headway.testing.fake_api import INSTANT, FakeAPI, FakeConfig

    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        write_input(folder / "p.jsonl", jobs, options.bytes)
        config = FakeConfig(latency=INSTANT, batch_seconds=options.batch_seconds)
        with FakeAPI.spawn(config) as api:
            words = [
                "run",
                "p.jsonl",
                "--lane",
                "batch",
                "--no-progress",
                "--model",
                MODEL,
                "--max-tokens",
                "64",
            ]
            figures = folder / "figures.json"
            environment = os.environ | {"ANTHROPIC_BASE_URL": api.base_url, "ANTHROPIC_API_KEY": "x"}
            ended = subprocess.run(
                [sys.executable, __file__, "--command", str(figures), *words],
                cwd=folder, env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
            stats = api.stats()
        if ended.returncode != 0:
            print(f"the run ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
            return False
        found = json.loads(figures.read_text())
        paid = live = 0.0
        answers: Counter[str] = Counter()
        for line in results(folder / "p.results.jsonl"):
            answers[line["custom_id"]] += line["result"]["type"] == "succeeded"
            paid += line["headway"].get("cost_usd", 0.0)
            used = line["result"]["message"]["usage"]
            live += BUILT_IN.cost(MODEL, Usage(used["input_tokens"], used["output_tokens"])) or 0.0
    once = len(answers) == jobs and set(answers.values()) == {1} and max(stats.batch_billed.values()) == 1
    share = paid / live
    calls = sum(stats.other_calls.values())
    print(
        f"{jobs:>9,} jobs  {len(stats.batches):>4} batches  {found['seconds']:7.1f} s  "
        f"{1e6 * found['cpu'] / jobs:6.0f} µs CPU a job  grew {found['grew']:4.0f} MiB over {found['base']:.0f}  "
        f"{'each answer once' if once else 'NOT EACH ANSWER ONCE'}  {share:.2f} of the live price  {calls} calls",
        flush=True,
    )
    return once and abs(share - 0.5) < 0.001 and found["grew"] <= MOST_MIB


def main() -> int:
    """Read the arguments, measure, print."""
    if sys.argv[1:2] == ["--command"]:
        command(Path(sys.argv[2]), sys.argv[3:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1,000 jobs")
    parser.add_argument("--check", action="store_true", help="status 1 when something is not as it should be")
    parser.add_argument("--jobs", default="1000,10000,100000", metavar="NUMBERS")
    parser.add_argument("--bytes", type=int, default=300, help="of each prompt")
    parser.add_argument("--batch-seconds", type=float, default=1.0, help="a batch takes so long")
    parser.add_argument("--folder", type=Path, help="where the files go (they are large)")
    options = parser.parse_args()
    sizes = [1_000] if options.quick else [int(number) for number in options.jobs.split(",")]
    fine = [measure(jobs, options) for jobs in sizes]
    return 0 if all(fine) or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
