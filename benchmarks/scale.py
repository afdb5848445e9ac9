"""A million jobs: memory, start-up, resume and CPU per job, as the number of jobs grows.

    python benchmarks/scale.py [--quick] [--only queue,map,names,run,first,resume] [--jobs 1000,10000,100000,1000000]

Every figure comes from a process of its own. The transport answers at once and in memory, so what is measured is
headway: the real command line (`run_command.run`: check of the head, journal, results) or the library's `map`.
CPU is the process's own (user and system); "grew" is the peak resident set beyond that after the imports.
``--check`` ends with status 1 when a target of `TARGETS` is missed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from finished_run import finished_journal
from scale_loads import (
    PROMPT,
    Figures,
    first_request,
    map_jobs,
    map_named,
    queue_operations,
    results_of,
    run_file,
    write_input,
)

PARTS = "queue,map,names,run,first,resume"
TARGETS: Final = {
    "grew": (150.0, "MiB over the base process"),
    "first": (2.0, "seconds from the imports to the first request"),
    "again": (10.0, "seconds to the first request of a resumed run"),
    "flat": (1.5, "times the CPU a job at the smallest number of 10,000 or more"),
    "deeper": (
        4.0,
        "times the CPU of a queue operation at the smallest number (log n doubles)",
    ),
}
"""Most of each figure, whatever the number of jobs."""


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


class Report:
    """Measures part by part, prints, and remembers what missed its target."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._first: dict[str, float] = {}
        """The figure at the smallest number of jobs."""
        self.missed: list[str] = []

    def part(self, part: str, jobs: int) -> None:
        """One part of the report at one number of jobs."""
        path = self._folder / f"{part}-{jobs}.jsonl"
        if part in ("run", "first", "resume"):
            write_input(path, jobs)
        match part:
            case "queue":
                micro = 1e6 * apart(queue_operations, jobs)["operation"]
                show("queue", jobs, f"{micro:6.1f} µs CPU an operation")
                self._judge("deeper", "queue", jobs, micro / self._first.setdefault("queue", micro))
            case "map":
                self._show("map", jobs, apart(map_jobs, jobs))
            case "names":
                self._show("map, tags, dedupe", jobs, apart(map_named, jobs))
            case "run":
                self._show("run, journal", jobs, apart(run_file, path))
            case "first":
                self._first_request("first request", "first", jobs, path)
            case _:
                self._resume(path, jobs)
        for leftover in self._folder.glob(f"{part}-*"):
            leftover.unlink()

    def _resume(self, path: Path, jobs: int) -> None:
        apart(finished_journal, path)
        for name in ("resume, key by key", "resume, bookmark"):
            self._rows(name, jobs, apart(run_file, path))
        with path.open("a") as file:
            for number in range(1000):
                file.write(json.dumps({"custom_id": f"more-{number}", "prompt": f"{number} {PROMPT}"}) + "\n")
        self._first_request("resume, more lines", "again", jobs, path)
        journal = path.with_name(f"{path.stem}.results.jsonl.journal")
        self._rows("results", jobs, apart(results_of, journal, ()))
        self._rows("results, failed", jobs, apart(results_of, journal, ("failed",)))

    def _rows(self, name: str, jobs: int, found: Figures) -> None:
        show(name, jobs, f"{jobs / found['cpu']:10,.0f} rows per s of CPU, {cost(found, jobs)}")
        self._judge("grew", name, jobs, found["grew"])

    def _first_request(self, name: str, target: str, jobs: int, path: Path) -> None:
        found = apart(first_request, path)
        show(name, jobs, f"after {found['first']:.2f} s, {found['first_cpu']:.2f} s of CPU")
        self._judge(target, name, jobs, found["first"])

    def _show(self, name: str, jobs: int, found: Figures) -> None:
        show(name, jobs, cost(found, jobs))
        self._judge("grew", name, jobs, found["grew"])
        if jobs >= 10_000:  # below, what a process does once weighs too much
            each = found["cpu"] / jobs
            self._judge("flat", name, jobs, each / self._first.setdefault(name, each))

    def _judge(self, target: str, name: str, jobs: int, figure: float) -> None:
        most, what = TARGETS[target]
        if figure > most:
            self.missed.append(f"{name}, {jobs:,} jobs: {figure:.2f}, at most {most:g} {what}")


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="1,000 jobs")
    parser.add_argument("--only", default=PARTS, metavar="PARTS")
    parser.add_argument("--jobs", default="1000,10000,100000,1000000", metavar="NUMBERS")
    parser.add_argument("--folder", type=Path, help="where the files go (they are large): decides the disk")
    parser.add_argument("--check", action="store_true", help="exit status 1 if a target is missed")
    arguments = parser.parse_args()
    parts = "queue,map,run,first,resume" if arguments.quick and arguments.only == PARTS else arguments.only
    sizes = [1_000] if arguments.quick else [int(number) for number in arguments.jobs.split(",")]
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        report = Report(Path(folder))
        for part in parts.split(","):
            for jobs in sizes:
                report.part(part, jobs)
    for miss in report.missed:
        print(f"missed: {miss}")
    if arguments.check and report.missed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
