"""What a dry run found, as rows of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headway.cli import figures
from headway.cli.findings_tally import FindingsTally
from headway.cli.head_look import group_line
from headway.cli.summary import LABEL, NOUN
from headway.core.bill import Bill, Money
from headway.core.cache_forecast import BATCH_HITS
from headway.core.dimension import ROW
from headway.core.estimate import Estimate
from headway.core.lane import Lane
from headway.core.spend import SpendCap
from headway.core.tokens import CHARS_PER_TOKEN

GROUPS: Final = 5
"""Kinds of findings shown."""
WORTH: Final = 0.01
"""Share of the cost from which a saving is named."""
Row = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DryFacts:
    """What is known beside the estimate."""

    name: str
    """Of the input."""
    journal: Path | None
    finished: int
    bad_lines: int
    first_bad: str
    answers: int | None
    """In the journal, whose mean length is expected; ``None``: the option told it."""
    cap: SpendCap | None
    options: Sequence[str]
    """Those that spare something, as they were given."""
    lane: Lane
    findings: FindingsTally | None
    """``None``: nobody looked."""
    notes: Sequence[str]


def dry_report(found: Estimate, facts: DryFacts) -> str:
    """All of it."""
    rows: list[Row] = [*_jobs(found, facts), *_tokens(found, facts), *_cache(found, facts)]
    rows += [*_costs(found, facts), *_cap(found, facts.cap), *_time(found, facts), *_preflight(facts)]
    rows += [*(("", note) for note in facts.notes), ("", "Nothing was sent.")]
    return "\n".join(f"{label:<{LABEL}}{text}" for label, text in rows)


def _jobs(found: Estimate, facts: DryFacts) -> Iterator[Row]:
    yield "jobs", f"{figures.plural(found.jobs, 'request')} to send"
    if found.repeated and "--dedupe" in facts.options:
        what = "more has" if found.repeated == 1 else "more have"
        yield "", f"{figures.count(found.repeated)} {what} the content of another one: sent once (--dedupe)"
    elif found.repeated and found.deduped is not None:
        what = "of them has" if found.repeated == 1 else "of them have"
        saved = _difference(found.live, found.deduped.live)
        spared = "" if saved is None else f", which saves {saved}"
        yield (
            "",
            f"{figures.count(found.repeated)} {what} the content of another one: --dedupe sends it once{spared}",
        )
    if facts.finished:
        yield (
            "",
            f"{figures.count(facts.finished)} more are finished in {facts.journal}: nothing sent for them",
        )
    if facts.bad_lines:
        are = "line is no request" if facts.bad_lines == 1 else "lines are no requests"
        yield "", f"{figures.count(facts.bad_lines)} {are}, first {facts.first_bad}"


def _tokens(found: Estimate, facts: DryFacts) -> Iterator[Row]:
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
    if facts.answers is not None:
        source = f"the mean of {figures.plural(facts.answers, 'answer')} in the journal"
    yield "output", f"about {figures.short(found.output_expected)} tokens ({source}), {most}"


def _cache(found: Estimate, facts: DryFacts) -> Iterator[Row]:
    auto = "--cache auto" in facts.options
    if found.cache_read or found.cache_written:
        whose = "--cache auto" if auto else "breakpoints of the requests"
        read, written = figures.short(found.cache_read), figures.short(found.cache_written)
        share = figures.percent(found.cache_read / found.input_tokens) if found.input_tokens else "none"
        yield "cache", f"{read} tokens of the input are read from it ({share}), {written} written ({whose})"
    elif auto:
        yield "cache", "nothing to gain: the prompts share no beginning that is long enough for their model"


def _costs(found: Estimate, facts: DryFacts) -> Iterator[Row]:
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
    plain = found.plain
    yield "live", _money(found.live) + tail
    yield from _without(found.live, None if plain is None else plain.live, facts)
    hits = f" (with {figures.percent(BATCH_HITS)} of the reads: in a batch they are not certain)"
    yield "batch", _money(found.batch) + (hits if found.cache_read else "")
    yield from _without(found.batch, None if plain is None else plain.batch, facts)


def _without(money: Money, plain: Money | None, facts: DryFacts) -> Iterator[Row]:
    if facts.options and plain is not None and _difference(plain, money) is not None:
        yield "", f"{_money(plain)} without {' '.join(facts.options)}"


def _difference(more: Money, less: Money) -> str | None:
    """What is saved; ``None``: nothing worth a word."""
    high, low = (one.most if one.expected is None else one.expected for one in (more, less))
    return figures.usd(high - low) if abs(high - low) > WORTH * high else None


def _money(money: Money) -> str:
    most = f"{figures.usd(money.most)} at most"
    return most if money.expected is None else f"{figures.usd(money.expected)} expected, {most}"


def _cap(found: Estimate, cap: SpendCap | None) -> Iterator[Row]:
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


def _time(found: Estimate, facts: DryFacts) -> Iterator[Row]:
    if facts.lane is Lane.BATCH:
        yield "time", "mostly within the hour, within a day (--lane batch); live:"
    label = "" if facts.lane is Lane.BATCH else "time"
    missing = ", ".join(NOUN[dimension] for dimension in found.untold)
    if found.seconds is None or found.binding is None:
        yield (
            label,
            f"not known: no limits were told ({missing} a minute: --limit requests=…,input=…, or account)",
        )
        return
    length = "as long as expected" if found.output_expected is not None else "as long as they can be"
    text = f"about {figures.span(found.seconds)} by the limit of {ROW[found.binding].label}, with answers {length}"
    yield label, text + (f"; not told: {missing}" if missing else "")
    if facts.options and (slower := _slower(found.seconds, found.plain)) is not None:
        yield "", f"about {slower} without {' '.join(facts.options)}"


def _slower(seconds: float, plain: Bill | None) -> str | None:
    longer = None if plain is None else plain.seconds
    return figures.span(longer) if longer is not None and longer > seconds * (1 + WORTH) else None


def _preflight(facts: DryFacts) -> Iterator[Row]:
    findings = facts.findings
    if findings is None:
        return
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
        yield "", group_line(group, facts.name)
    if len(groups) > GROUPS:
        more = figures.plural(len(groups) - GROUPS, "other kind")
        yield "", f"{more} of finding; headway check {facts.name} shows each line"
