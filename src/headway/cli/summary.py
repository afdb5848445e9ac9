"""The last words of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from headway.cli import figures
from headway.cli.run_report import RunReport, Utilisation
from headway.core.cost_sheet import CostLine
from headway.core.dimension import ROW, Dimension
from headway.core.lane import Lane

KINDS: Final = 5
"""Kinds of failures shown."""
TAGS: Final = 10
"""Tags and tenants shown."""
LABEL: Final = 10
NOUN: Final = {
    Dimension.REQUESTS: "requests",
    Dimension.INPUT: "input tokens",
    Dimension.OUTPUT: "output tokens",
}


def summary(report: RunReport, command: str) -> str:
    """All of it; ``command`` is what the user ran."""
    rows = [
        *_jobs(report),
        *_requests(report),
        *_tokens(report),
        *_tags(report),
        *_spend(report),
        *_lanes(report),
        *_speed(report),
        *_failures(report),
    ]
    rows += [("results", str(report.output))] if report.output else []
    rows += [("next", text) for text in _next(report, command)]
    return "\n".join(f"{label:<{LABEL}}{text}" for label, text in rows)


def _jobs(report: RunReport) -> Iterator[tuple[str, str]]:
    tally = report.tally
    left = (
        "some left (the input was not read to its end)"
        if report.left is None
        else f"{figures.count(report.left)} left"
    )
    pace = f", {report.fresh / report.elapsed:.1f} jobs/s" if report.elapsed > 0 and report.fresh else ""
    yield (
        "jobs",
        f"{figures.count(tally.succeeded)} succeeded, {figures.count(tally.failed)} failed, {left}"
        f" · {figures.span(report.elapsed)}{pace}",
    )
    if tally.restored:
        yield "", f"{figures.count(tally.restored)} of them were finished before: nothing was sent for them"
    if tally.copied:
        yield "", f"{figures.count(tally.copied)} of them have the answer to an identical request: sent once"
    if tally.cut_off:
        yield "", f"{figures.plural(tally.cut_off, 'answer')} of them cut off by max_tokens (--max-tokens N)"
    if tally.declined:
        yield "", f"{figures.plural(tally.declined, 'answer')} of them a refusal (stop_reason)"
    for dead, failure in report.status.dead.items():
        yield "", f"nothing more was sent to {dead}: {_short(failure.message)}"
    if tally.stopped_by is not None and report.trouble is None and report.interrupted is None:
        stopped = figures.plural(tally.stopped, "job")
        yield "", f"{stopped} could not be finished now: {_short(str(tally.stopped_by))}"
    if report.recovered:
        was = "was" if report.recovered == 1 else "were"
        yield "", f"{figures.plural(report.recovered, 'job')} {was} in flight when an earlier run died"


def _requests(report: RunReport) -> Iterator[tuple[str, str]]:
    status = report.status
    per_job = f" ({status.sends / report.fresh:.2f} per job)" if report.fresh else ""
    yield (
        "requests",
        f"{figures.count(status.sends)} sent{per_job}, {figures.plural(status.retries, 'repeat')} after a failure; "
        f"429: {figures.count(status.refused_429)}, 529: {figures.count(status.refused_529)}",
    )
    if report.tally.maybe_billed:
        yield (
            "",
            f"{figures.plural(report.tally.maybe_billed, 'request')} may be billed without an answer that reached us",
        )


def _tokens(report: RunReport) -> Iterator[tuple[str, str]]:
    tally, usage = report.tally, report.tally.total_usage
    if not report.fresh:
        return
    hits = usage.cache_hit_rate
    read = figures.count(usage.cache_read)
    cached = "" if hits is None else f" ({read} from the cache: {figures.percent(hits)} hits)"
    cost = f"{figures.usd(tally.cost)} at list price"
    if tally.cost_unknown:
        cost = (
            f"{cost} and {figures.plural(tally.cost_unknown, 'answer')} of unknown price"
            if tally.cost
            else "cost unknown"
        )
    yield "tokens", f"{figures.count(usage.true_input)} in{cached}, {figures.count(usage.output)} out; {cost}"


def _tags(report: RunReport) -> Iterator[tuple[str, str]]:
    """What this run spent, by tag and by tenant, the dearest first."""
    costs = report.status.costs
    yield from _by_name("tag", costs.by_tag)
    yield from _by_name("tenant", costs.by_tenant)


def _by_name(what: str, lines: Mapping[str, CostLine]) -> Iterator[tuple[str, str]]:
    if not set(lines) - {""}:
        return
    label = f"by {what}"
    dearest = sorted(lines.items(), key=lambda item: -item[1].usd)
    for name, line in dearest[:TAGS]:
        unknown = f" and {figures.plural(line.unpriced, 'answer')} of unknown price" if line.unpriced else ""
        yield (
            label,
            f"{name or '(none)'}: {figures.usd(line.usd)}{unknown}, {figures.plural(line.answers, 'answer')}",
        )
        label = ""
    if len(dearest) > TAGS:
        rest = sum(line.usd for _, line in dearest[TAGS:])
        yield "", f"and {figures.plural(len(dearest) - TAGS, f'other {what}')}: {figures.usd(rest)}"


def _spend(report: RunReport) -> Iterator[tuple[str, str]]:
    spend = report.status.spend
    if spend is None:
        return
    unanswered = (
        f", {figures.usd(spend.unanswered)} of it for requests that may be billed without an answer"
        if spend.unanswered
        else ""
    )
    where = "today (UTC)" if spend.per == "day" else "so far"
    yield "cap", f"{figures.usd(spend.spent)} of {figures.usd(spend.cap)} spent {where}{unanswered}"


def _lanes(report: RunReport) -> Iterator[tuple[str, str]]:
    lanes, batch = report.tally.lanes, report.status.batch
    if Lane.BATCH in lanes:
        parts = [
            f"{figures.plural(lanes[lane].answers, 'answer')} {name} for {figures.usd(lanes[lane].cost)}"
            for lane, name in ((Lane.LIVE, "live"), (Lane.BATCH, "in batches"))
            if lane in lanes
        ]
        yield "lanes", f"{', '.join(parts)}: batches cost half"
    if batch.strays:
        yield (
            "",
            f"{figures.plural(batch.strays, 'result')} of a batch belonged to no job; kept in the journal",
        )
    if report.batches:
        names = ", ".join(report.batches[:3]) + (", …" if len(report.batches) > 3 else "")
        number = len(report.batches)
        yield (
            "batches",
            f"{number} {'goes' if number == 1 else 'go'} on, and the next run takes the results: {names}",
        )


def _speed(report: RunReport) -> Iterator[tuple[str, str]]:
    if not report.fresh:
        return
    rows = report.utilisation()
    several = len({row.view.group for row in rows}) > 1
    label = "speed"
    for row in rows:
        group = f"{row.view.group}: " if several else ""
        yield label, f"{group}{_rate(report, row)}"
        label = ""
    if (found := report.bound()) is not None:
        seconds, binding = found
        yield (
            "bound",
            f"{figures.span(report.elapsed)} taken; {figures.span(seconds)} is the least these limits allow:",
        )
        yield "", _assumptions(report, binding)


def _rate(report: RunReport, row: Utilisation) -> str:
    view = row.view
    what = "of what it let through, burst included" if report.burst is not None else "of it on average"
    label = ROW[view.dimension].label
    rate, limit = figures.short(row.per_minute), figures.short(view.limit)
    return f"{rate} {label}, limit {limit}: {figures.percent(row.share)} {what}"


def _assumptions(report: RunReport, binding: Utilisation) -> str:
    view = binding.view
    held = f"a bucket that holds {figures.short(view.depth)}"
    if report.burst is None:
        seconds = figures.span(view.depth / view.limit * 60)
        held += f" (as far as headway knows, {seconds} of the limit; --limit burst=… tells it)"
    if binding.bound <= 0:
        return f"assumes {held}: all of it fits in at once, the shortest answer counts"
    return (
        f"{figures.short(binding.used)} {NOUN[view.dimension]} from {held} and gets {figures.short(view.limit)}/min, "
        f"plus the shortest answer ({figures.span(report.tally.shortest)}); nobody else on the key, no outage"
    )


def _failures(report: RunReport) -> Iterator[tuple[str, str]]:
    kinds = sorted(report.tally.kinds.items(), key=lambda item: -item[1].count)
    label = "failures"
    for kind, row in kinds[:KINDS]:
        example = f"{row.example_id}: {_short(row.example.message)}"
        yield label, f"{figures.count(row.count)} {kind.value}, for example {example}"
        yield "", f"  → {row.example.remedy}"
        label = ""
    if len(kinds) > KINDS:
        yield "", f"and {figures.plural(len(kinds) - KINDS, 'other kind')}: see the results"


def _next(report: RunReport, command: str) -> Iterator[str]:
    if report.left != 0:
        yield f"{command}    goes on where this run ended; nothing finished is sent again"
    elif report.tally.failed and report.output:
        yield f"{command} --retry-failed    tries the failed ones again"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 160 else f"{text[:157]}…"
