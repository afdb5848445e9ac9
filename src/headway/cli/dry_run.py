"""``headway run --dry-run``: what a run would cost and take, and what would be refused; no message is sent."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from headway.cli import figures
from headway.cli.credentials import require_credential
from headway.cli.dry_report import DryFacts, dry_report
from headway.cli.earlier_answers import EarlierAnswers
from headway.cli.exit_status import CommandError
from headway.cli.findings_tally import FindingsTally
from headway.cli.head_look import today
from headway.cli.limit_option import AccountOption, read_account
from headway.cli.line_fault import BadLine
from headway.cli.prompt_input import PromptInput
from headway.cli.sample import Sample
from headway.core.catalog import Catalog
from headway.core.dimension import Dimension
from headway.core.estimate import Counted
from headway.core.lane import Lane
from headway.core.limits import Limits
from headway.core.request import Request
from headway.core.spend import SpendCap
from headway.core.tokens import measure
from headway.preflight.forecast import Forecast
from headway.preflight.policy import RepairPolicy

if TYPE_CHECKING:
    from headway.adapters.anthropic.counting import Count
    from headway.core.account_limits import ToldLimits

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
    lane: Lane
    auto: bool
    """Breakpoints are placed (``--cache auto``)."""
    dedupe: bool
    retry_failed: bool


class DryRun:
    """Reads the whole input once, and says what it comes to."""

    def __init__(self, plan: DryPlan) -> None:
        self._plan = plan
        self._forecast = Forecast(plan.catalog, auto=plan.auto, dedupe=plan.dedupe)
        self._findings = FindingsTally(today(), plan.policy, plan.catalog)
        self._sample = Sample()
        self._finished = 0
        self._bad_lines = 0
        self._first_bad = ""
        self._notes: list[str] = []

    def execute(self) -> str:
        """Read the input to its end, and say what it comes to. Raises `CommandError`."""
        plan = self._plan
        answered = self._forecast.answered if plan.dedupe else None
        earlier = EarlierAnswers(plan.journal, retry_failed=plan.retry_failed, content=answered)
        if not self._read(plan.source, earlier):
            raise CommandError(f"{plan.source.name} is empty: one JSON object per line is expected")
        counted, limits = self._ask()
        mean = earlier.mean_output if plan.expect_output is None else plan.expect_output
        found = self._forecast.result(expected_output=mean, limits=limits, counted=counted)
        given = DryFacts(
            name=plan.source.name,
            journal=plan.journal,
            finished=self._finished,
            bad_lines=self._bad_lines,
            first_bad=self._first_bad,
            answers=earlier.answers if plan.expect_output is None else None,
            cap=plan.cap,
            options=[*(["--cache auto"] if plan.auto else []), *(["--dedupe"] if plan.dedupe else [])],
            lane=plan.lane,
            findings=None if plan.policy is None else self._findings,
            notes=self._notes,
        )
        return dry_report(found, given)

    def _read(self, source: PromptInput, earlier: EarlierAnswers) -> int:
        """Gives the number of records."""
        number = 0
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
        return number

    def _take(self, request: Request, number: int, size: int) -> None:
        if not self._forecast.add(request):
            return
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
        from headway.adapters.anthropic.counting import TokenCounter

        told = self._plan.limits
        requests = self._sample.requests()
        try:
            client = make_client()
        except CredentialError as error:
            raise CommandError(str(error)) from None
        async with client:
            found = await TokenCounter(client).sample(requests, PATIENCE)
        uncounted = [count for count in found if count.tokens is None]
        if uncounted:
            why = next((f": {count.failure}" for count in uncounted if count.failure), "")
            what = "none" if len(uncounted) == len(found) else f"{len(found) - len(uncounted)}"
            self._notes.append(f"{what} of a sample of {len(found)} could be counted{why}")
        limits = told if self._plan.account is None else await read_account(self._plan.account, told.share)
        return _counted(requests, found), (_by_headers(told, found) if limits is told else limits)


def _counted(requests: Sequence[Request], found: Sequence[Count]) -> dict[str, Counted]:
    counted: dict[str, Counted] = {}
    for request, count in zip(requests, found, strict=True):
        if count.tokens is not None:
            counted.setdefault(request.model, Counted()).add(measure(request.params), count.tokens)
    return counted


def _by_headers(told: Limits, found: Sequence[Count]) -> Limits:
    """Limits that the counting's headers named, where none was told. Its requests have a limit of their own."""
    seen = {dimension: bucket.limit for count in found for dimension, bucket in count.report.buckets}
    return Limits(
        told.requests,
        told.input or seen.get(Dimension.INPUT),
        told.output or seen.get(Dimension.OUTPUT),
        told.burst,
        told.share,
    )
