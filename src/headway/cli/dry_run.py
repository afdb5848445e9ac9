"""``headway run --dry-run``: what a run would cost and take, and what would be refused; no message is sent."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from headway.cli import figures
from headway.cli.credentials import require_credential
from headway.cli.earlier_answers import EarlierAnswers
from headway.cli.exit_status import CommandError
from headway.cli.findings_tally import FindingsTally
from headway.cli.head_look import group_line, today
from headway.cli.limit_option import AccountOption, read_account
from headway.cli.line_fault import BadLine
from headway.cli.prompt_input import PromptInput
from headway.cli.sample import Sample
from headway.cli.summary import LABEL, NOUN
from headway.core.catalog import Catalog
from headway.core.dimension import ROW, Dimension
from headway.core.estimate import Counted, Estimate, EstimateTally, Money
from headway.core.limits import Limits
from headway.core.request import Request
from headway.core.spend import SpendCap
from headway.core.tokens import CHARS_PER_TOKEN, measure
from headway.preflight.policy import RepairPolicy

if TYPE_CHECKING:
    from headway.adapters.anthropic.sample_count import Count
    from headway.core.account_limits import ToldLimits

GROUPS: Final = 5
PATIENCE: Final = 20.0
"""Seconds for which the API is asked to count a sample."""
TOLD_EVERY: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DryPlan:
    """What a dry run is to look at, checked."""

    source: PromptInput
    journal: Path | None
    """Of earlier runs, if there is one."""
    limits: Limits
    account: AccountOption | None
    policy: RepairPolicy | None
    """``None``: do not look the requests over."""
    catalog: Catalog
    cap: SpendCap | None
    offline: bool
    """Ask nobody."""
    expect_output: float | None
    """Tokens of a mean answer."""


class DryRun:
    """Reads the whole input once, and says what it comes to."""

    def __init__(self, plan: DryPlan) -> None:
        self._plan = plan
        self._tally = EstimateTally(plan.catalog)
        self._findings = FindingsTally(today(), plan.policy, plan.catalog)
        self._sample = Sample()
        self._finished = 0
        self._bad_lines = 0
        self._first_bad = ""
        self._notes: list[str] = []

    def execute(self) -> str:
        """Read the input to its end, and say what it comes to. Raises `CommandError`."""
        plan = self._plan
        earlier = EarlierAnswers(plan.journal)
        self._read(plan.source, earlier)
        if not self._tally.jobs and not self._finished and not self._bad_lines:
            raise CommandError(f"{plan.source.name} is empty: one JSON object per line is expected")
        counted, limits = self._ask()
        mean = earlier.mean_output if plan.expect_output is None else plan.expect_output
        found = self._tally.result(expected_output=mean, limits=limits, counted=counted)
        rows = [*self._jobs(), *self._tokens(found, earlier), *_costs(found), *_cap(found, plan.cap)]
        rows += [*_time(found), *self._preflight(), *(("", note) for note in self._notes)]
        rows.append(("", "Nothing was sent."))
        return "\n".join(f"{label:<{LABEL}}{text}" for label, text in rows)

    def _read(self, source: PromptInput, earlier: EarlierAnswers) -> None:
        for number, record in enumerate(source.records(), 1):
            item = record.item
            if isinstance(item, BadLine):
                self._bad_lines += 1
                self._first_bad = self._first_bad or f"{source.name}:{item.number}: {item.problem}"
            elif earlier.has(record.key):
                self._finished += 1
            else:
                self._take(item, record.number, record.size)
            if number % TOLD_EVERY == 0 and sys.stderr.isatty():
                print(f"{figures.count(number)} lines read …", file=sys.stderr)

    def _take(self, request: Request, number: int, size: int) -> None:
        self._tally.add(request)
        self._sample.add(request, size)
        if self._plan.policy is not None:
            self._findings.look(request, number)

    def _ask(self) -> tuple[Mapping[str, Counted], ToldLimits]:
        """What the API says of a sample, and the limits: as told, of the account, or by its headers."""
        told: ToldLimits = self._plan.limits
        if self._plan.offline:
            if self._plan.account is not None:
                raise CommandError(
                    "--limit account asks the API; leave --offline out, or tell the limits in numbers"
                )
            return {}, told
        try:
            require_credential(lambda _: None)
        except CommandError:
            self._notes.append("no API key: tokens are estimated from characters alone")
            return {}, told
        return asyncio.run(self._ask_api())

    async def _ask_api(self) -> tuple[Mapping[str, Counted], ToldLimits]:
        from headway.adapters.anthropic import make_client
        from headway.adapters.anthropic.connect import CredentialError
        from headway.adapters.anthropic.sample_count import count_inputs

        told = self._plan.limits
        requests = self._sample.requests()
        try:
            client = make_client()
        except CredentialError as error:
            raise CommandError(str(error)) from None
        async with client:
            found = await count_inputs(client, requests, PATIENCE)
        if found.failure is not None:
            self._notes.append(f"some of the sample could not be counted: {found.failure}")
        limits = told if self._plan.account is None else await read_account(self._plan.account, told.share)
        return _counted(requests, found), (_by_headers(told, found) if limits is told else limits)

    def _jobs(self) -> Iterator[tuple[str, str]]:
        yield "jobs", f"{figures.plural(self._tally.jobs, 'request')} to send"
        if self._finished:
            yield (
                "",
                f"{figures.count(self._finished)} more are finished in {self._plan.journal}: nothing sent for them",
            )
        if self._bad_lines:
            are = "line is no request" if self._bad_lines == 1 else "lines are no requests"
            yield "", f"{figures.count(self._bad_lines)} {are}, first {self._first_bad}"

    def _tokens(self, found: Estimate, earlier: EarlierAnswers) -> Iterator[tuple[str, str]]:
        how = "estimated from characters, not calibrated"
        if found.calibrated:
            ratios = sorted(found.calibrated.values())
            shown = f"{ratios[0]:.2f}" if len(ratios) == 1 else f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
            how = f"the API counted a sample: {shown} characters a token"
        yield "input", f"about {figures.short(found.input_tokens)} tokens ({how}; {CHARS_PER_TOKEN} is usual)"
        most = f"at most {figures.short(found.output_most)} tokens (max_tokens)"
        if found.output_expected is None:
            yield "output", f"{most}; --expect-output N tells how long a mean answer is"
            return
        source = "--expect-output"
        if self._plan.expect_output is None:
            source = f"the mean of {figures.plural(earlier.answers, 'answer')} in the journal"
        yield "output", f"about {figures.short(found.output_expected)} tokens ({source}), {most}"

    def _preflight(self) -> Iterator[tuple[str, str]]:
        if self._plan.policy is None:
            return
        findings, name = self._findings, self._plan.source.name
        if not findings.groups:
            yield "preflight", "nothing found"
            return
        yield (
            "preflight",
            f"{figures.count(findings.refused)} would be refused by the API, {figures.count(findings.warned)} with"
            " warnings only",
        )
        groups = list(findings.by_weight())
        for group in groups[:GROUPS]:
            yield "", group_line(group, name)
        if len(groups) > GROUPS:
            more = figures.plural(len(groups) - GROUPS, "other kind")
            yield "", f"{more} of finding; headway check {name} shows each line"


def _counted(requests: Sequence[Request], found: Count) -> dict[str, Counted]:
    counted: dict[str, Counted] = {}
    for request, tokens in zip(requests, found.tokens, strict=True):
        if tokens is not None:
            counted.setdefault(request.model, Counted()).add(measure(request.params), tokens)
    return counted


def _by_headers(told: Limits, found: Count) -> Limits:
    """Limits that the counting's headers named, where none was told. Its requests have a limit of their own."""
    seen = {dimension: bucket.limit for dimension, bucket in found.report.buckets}
    return Limits(
        told.requests,
        told.input or seen.get(Dimension.INPUT),
        told.output or seen.get(Dimension.OUTPUT),
        told.burst,
        told.share,
    )


def _costs(found: Estimate) -> Iterator[tuple[str, str]]:
    unknown = sum(found.unpriced.values())
    if unknown:
        names = ", ".join(list(found.unpriced)[:3])
        tail = (
            f", and {figures.plural(unknown, 'request')} of unknown price ({names}): --prices FILE tells it"
        )
    else:
        tail = f" (prices of {found.prices_of})"
    if unknown and not found.live.most:
        yield "cost", f"not known: {tail.removeprefix(', and ')}"
        return
    yield "live", _money(found.live) + tail
    yield "batch", _money(found.batch)


def _money(money: Money) -> str:
    most = f"{figures.usd(money.most)} at most"
    return most if money.expected is None else f"{figures.usd(money.expected)} expected, {most}"


def _cap(found: Estimate, cap: SpendCap | None) -> Iterator[tuple[str, str]]:
    if cap is None:
        return
    period = " a day" if cap.per == "day" else ""
    text = f"{figures.usd(cap.usd)}{period}"
    if cap.usd >= found.live.most:
        yield "cap", f"{text} is enough, whatever the answers"
    elif found.live.expected is None:
        share = cap.usd / found.live.most
        yield "cap", f"{text} is enough for {figures.percent(share)} of the jobs at least"
    elif cap.usd >= found.live.expected:
        yield "cap", f"{text} is enough if answers are as long as expected"
    else:
        share = cap.usd / found.live.expected
        yield "cap", f"{text} is enough for about {figures.percent(share)} of the jobs"


def _time(found: Estimate) -> Iterator[tuple[str, str]]:
    missing = ", ".join(NOUN[dimension] for dimension in found.untold)
    if found.seconds is None or found.binding is None:
        yield (
            "time",
            f"not known: no limits were told ({missing} a minute: --limit requests=…,input=…, or account)",
        )
        return
    length = "as long as expected" if found.output_expected is not None else "as long as they can be"
    text = f"about {figures.span(found.seconds)} by the limit of {ROW[found.binding].label}, with answers {length}"
    yield "time", text + (f"; not told: {missing}" if missing else "")
