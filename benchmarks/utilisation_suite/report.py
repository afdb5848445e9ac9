"""Figures as text: one line a run, medians of several, and headway against its targets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from statistics import median
from typing import Final

from utilisation_suite.figures import Figures
from utilisation_suite.workload import Workload

HEAD: Final = (
    f"{'workload':13} {'contender':20} {'eff.':>5} {'bound':>6} {'took':>6} {'req/job':>8} {'429':>6} {'529':>5} "
    f"{'failed':>6} {'lost':>5} {'twice':>5} {'p50':>5} {'p99':>5} {'CPU ms':>7} {'MiB':>5} {'grew':>5}"
)
LEGEND: Final = """\
eff.: physical bound / makespan. bound: seconds in which the buckets, full at the start, could have given what was
taken, plus the shortest latency; in an outage nothing is given, and what an unseen tenant takes is not there.
req/job: requests that arrived per finished job. failed, lost: jobs that could have been done and were not.
twice: jobs with two whole answers. p50, p99: an interactive job's time over its time on an idle API.
CPU ms: of the client process(es), per finished job. MiB: peak resident set of the largest client process;
grew: of that, since before the first job."""


def line(run: Figures) -> str:
    """One run."""
    note = f"  did not finish: {run.finished} of {run.jobs}" if run.timed_out else ""
    if run.spread > 0.5:
        note += f"  processes ended {run.spread:.1f} s apart"
    if run.stall > 0.5:
        note += f"  stalled for {run.stall:.1f} s"
    if run.errors:
        note += "  " + "; ".join(f"{count}x {why}" for why, count in list(run.errors.items())[:2])[:200]
    return (
        f"{run.workload:13} {run.contender:20} {run.efficiency:5.3f} {run.bound:6.1f} {run.makespan:6.1f} "
        f"{run.requests_per_job:8.3f} {run.refused_429:6d} {run.overloaded_529:5d} {run.failed:6d} {run.lost:5d} "
        f"{run.duplicates:5d} {_ratio(run.interactive_p50)} {_ratio(run.interactive_p99)} "
        f"{run.cpu_ms_per_job:7.2f} {run.peak_mib:5.0f} {run.peak_mib - run.base_mib:5.0f}{note}"
    )


def medians(runs: Sequence[Figures]) -> Figures:
    """The median of every figure over runs of one workload and contender; failures and losses are summed."""
    first = runs[0]
    if len(runs) == 1:
        return first
    numbers = {
        row.name: _median([getattr(run, row.name) for run in runs])
        for row in fields(Figures)
        if row.name
        not in {"contender", "workload", "seed", "failed", "lost", "timed_out", "errors", "series"}
    }
    errors = {why: count for run in runs for why, count in run.errors.items()}
    return replace(
        first,
        **numbers,
        failed=sum(run.failed for run in runs),
        lost=sum(run.lost for run in runs),
        timed_out=any(run.timed_out for run in runs),
        errors=errors,
    )


def misses(run: Figures, workload: Workload) -> list[str]:
    """Where headway falls short of the issue's table."""
    target = workload.target
    wrong: list[str] = []
    if target.efficiency is not None and run.efficiency < target.efficiency:
        wrong.append(f"efficiency {run.efficiency:.3f} < {target.efficiency}")
    if target.requests_per_job is not None and run.requests_per_job > target.requests_per_job:
        wrong.append(f"requests per job {run.requests_per_job:.3f} > {target.requests_per_job}")
    for name in ("interactive_p50", "interactive_p99"):
        bound, value = getattr(target, name), getattr(run, name)
        if bound is not None and (value is None or value > bound):
            wrong.append(f"{name} {_ratio(value).strip()} > {bound}")
    if run.failed or run.lost or run.timed_out:
        wrong.append(f"{run.failed} good jobs failed, {run.lost} lost")
    return [f"{workload.name}: {text}" for text in wrong]


def series(run: Figures) -> Iterable[str]:
    """What the server saw, second by second; levels of requests, input and output."""
    yield f"{'s':>4} {'arrived':>7} {'done':>5} {'429':>4} {'529':>4} {'input':>7} {'output':>7}  levels"
    for row in run.series:
        levels = " ".join(f"{level:.0f}" for level in next(iter(row["levels"].values()), ()))
        counts = f"{row['arrivals']:7} {row['successes']:5} {row['refused_429']:4} {row['overloaded_529']:4}"
        yield f"{row['at']:4} {counts} {row['input_tokens']:7.0f} {row['output_tokens']:7.0f}  {levels}"


def table(runs: Sequence[Figures]) -> str:
    """A Markdown table: workloads down, contenders across, medians over the seeds."""
    workloads = list(dict.fromkeys(run.workload for run in runs))
    contenders = list(dict.fromkeys(run.contender for run in runs))
    rows = [["", *contenders], ["---"] * (len(contenders) + 1)]
    for workload in workloads:
        cells = [
            [run for run in runs if (run.workload, run.contender) == (workload, name)] for name in contenders
        ]
        rows.append([workload, *(_cell(medians(found)) if found else "" for found in cells)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(run: Figures) -> str:
    text = f"{run.efficiency:.3f} / {run.requests_per_job:.3f}"
    if run.interactive_p50 is not None:
        text += f", {_ratio(run.interactive_p50).strip()}x / {_ratio(run.interactive_p99).strip()}x"
    if run.timed_out:
        return f"did not finish ({run.finished} of {run.jobs})"
    return text + (f", {run.failed + run.lost} failed" if run.failed + run.lost else "")


def _ratio(value: float | None) -> str:
    return f"{'-':>5}" if value is None else f"{value:5.2f}"


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    middle = median(known)
    return round(middle) if all(isinstance(value, int) for value in known) else middle
