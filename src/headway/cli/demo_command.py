"""``headway demo``: a real run over real HTTP against the fake API, and the server's own word on what arrived."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from headway.cli import figures
from headway.cli.demo_prompts import demo_lines
from headway.cli.exit_status import ExitStatus
from headway.cli.line_fault import Warnings
from headway.cli.progress import Progress, choose_progress
from headway.cli.prompt_input import PromptInput
from headway.cli.records import Format
from headway.cli.request_builder import RequestBuilder, RequestDefaults
from headway.cli.run_plan import RunPlan
from headway.cli.run_report import RunReport
from headway.cli.run_session import RunSession
from headway.cli.run_settings import RunSettings
from headway.cli.summary import LABEL, summary
from headway.core.limits import Limits

if TYPE_CHECKING:
    from headway.testing.fake_api import FakeConfig, FakeStats

MODEL: Final = "claude-sonnet-5-5"
MAX_TOKENS: Final = 512
LIMITS: Final = Limits(requests=1800, input=200_000, output=90_000, burst=2)
STORM: Final = (4.0, 7.0)
"""Seconds in which the fake API answers 529 to everything."""
FAULTS: Final = 3.0
"""Percent of requests that meet some other fault."""


def demo(jobs: int, seed: int) -> ExitStatus:
    """Run the demonstration."""
    progress = choose_progress(wanted=True)
    print(_introduction(jobs), flush=True)
    from headway.testing.fake_api import FakeAPI

    with FakeAPI.spawn(_config(seed)) as api, tempfile.TemporaryDirectory(prefix="headway-demo-") as folder:
        source = Path(folder) / "prompts.jsonl"
        source.write_text("".join(f"{line}\n" for line in demo_lines(jobs, seed)), encoding="utf-8")
        report = asyncio.run(_run(source, api.base_url, progress))
        stats = api.stats()
        assert report.output is not None
        proof = list(_proof(report, report.output, jobs, stats))
    shown = dataclasses.replace(report, output=None)
    print(f"\n{summary(shown, f'headway demo --jobs {jobs}')}")
    print("\n".join(f"{label:<{LABEL}}{text}" for label, text in proof), flush=True)
    return report.exit_status


def _introduction(jobs: int) -> str:
    requests, output = (figures.short(limit or 0) for limit in (LIMITS.requests, LIMITS.output))
    return (
        f"headway demo: {jobs} prompts through a fake Claude API on this machine. It allows {requests} requests\n"
        f"and {output} output tokens a minute, fails {FAULTS:.0f} % of the requests in many ways, and answers\n"
        f"529 overloaded to everything from second {STORM[0]:.0f} to {STORM[1]:.0f}.\n"
    )


def _config(seed: int) -> FakeConfig:
    from headway.testing.fake_api import (
        FakeConfig,
        FakeLimits,
        FaultKind,
        FaultRule,
        Latency,
        OutputLength,
        preset,
    )

    storm = FaultRule(FaultKind.STATUS, status=529, start=STORM[0], end=STORM[1])
    return FakeConfig(
        limits=FakeLimits(LIMITS.requests, LIMITS.input, LIMITS.output, LIMITS.burst or 60.0),
        latency=Latency(ttft=0.2, speed=150.0),
        output=OutputLength(mean=50.0),
        faults=(storm, *preset(f"mixed:{FAULTS}")),
        seed=seed,
    )


async def _run(source: Path, base_url: str, progress: Progress) -> RunReport:
    from headway.adapters.anthropic import local_client

    settings = RunSettings(MODEL, MAX_TOKENS, None, None, Format.JSONL.value, base_url)
    builder = RequestBuilder(RequestDefaults(MODEL, MAX_TOKENS), None, Warnings(progress.note))
    prompts = PromptInput(source, Format.JSONL, builder)
    prompts.check_head()
    output = source.with_name("prompts.results.jsonl")
    client = local_client(base_url)
    try:
        plan = RunPlan(
            prompts, settings, output, output.with_name(f"{output.name}.journal"), LIMITS, client=client
        )
        return await RunSession(plan, progress).execute()
    finally:
        prompts.close()
        await client.close()


def _proof(report: RunReport, output: Path, jobs: int, stats: FakeStats) -> Iterator[tuple[str, str]]:
    """What the server saw, beside what is in the file."""
    with output.open(encoding="utf-8") as file:
        written = Counter(str(json.loads(line)["custom_id"]) for line in file)
    once = sum(1 for count in written.values() if count == 1)
    answered = len(stats.successes)
    verdict = "nothing lost, nothing twice" if once == len(written) == jobs else "PLEASE REPORT THIS"
    yield (
        "proof",
        f"{figures.count(once)} of {figures.count(jobs)} ids exactly once in the results: {verdict}",
    )
    arrivals, asked = figures.count(stats.arrivals), figures.count(len(stats.attempts))
    yield (
        "",
        f"the fake API counted {arrivals} requests for {asked} jobs and answered {figures.count(answered)} of them",
    )
    if stats.billed_twice:
        twice = figures.plural(stats.billed_twice, "answer")
        yield "", f"{twice} had to be generated twice: the connection broke when the work was done"
    if report.tally.succeeded == jobs and stats.makespan is not None:
        taken, least = figures.span(stats.makespan), figures.span(stats.bound_seconds())
        calm = figures.span(stats.bound_seconds(exclude_storm=True))
        yield "", f"by its clock {taken}; least possible with its outage {least}, without {calm}"
