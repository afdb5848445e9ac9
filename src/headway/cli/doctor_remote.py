"""What ``headway doctor`` asks the API: is it there, is the key taken, which models, which limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Final

from headway.cli import figures
from headway.cli.diagnosis import Check, Mark
from headway.core.dimension import ROW
from headway.core.error_kind import ErrorKind
from headway.core.request import Request
from headway.errors import AccountLimitsError

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

    from headway.adapters.anthropic.probe import Probe
    from headway.core.failure import Failure
    from headway.core.limits import LimitReport
    from headway.core.listed_model import ListedModel

SKEW: Final = 5.0
"""Seconds by which clocks may differ without a word."""
SOON: Final = 90
"""Days before its retirement in which a model is warned about."""
BILLING_KINDS: Final = (ErrorKind.BILLING, ErrorKind.ACCOUNT_HOLD)


async def ask(client: AsyncAnthropic, model: str, today: str, *, send: bool) -> list[Check]:
    """Everything that one client can find out."""
    from headway.adapters.anthropic.probe import probe_counting, probe_models

    probe, models = await probe_models(client)
    checks = list(reached(probe))
    listed = probe.failure is None
    if listed or (probe.failure is not None and probe.failure.kind is ErrorKind.NOT_FOUND):
        checks += models_told(models, model, today) if listed else []
        counting = await probe_counting(client, model)
        checks += counted(counting, model)
        checks += await _limits(client, model, send=send)
    return checks


def reached(probe: Probe) -> Iterator[Check]:
    """Network, key and clock, from one answer."""
    failure = probe.failure
    if failure is not None:
        if failure.kind is ErrorKind.NOT_FOUND:
            yield Check("API", Mark.WARNING, f"reached, but it has no list of models: {failure}")
            return
        name = "key" if failure.kind in {ErrorKind.AUTHENTICATION, ErrorKind.PERMISSION} else "API"
        yield Check(name, Mark.BROKEN, str(failure), failure.remedy)
        return
    organization = f"; organisation {probe.organization}" if probe.organization else ""
    yield Check("API", Mark.FINE, f"reached in {probe.seconds * 1000:.0f} ms, key accepted{organization}")
    if probe.clock_skew is None:
        yield Check("clock", Mark.NOTE, "not compared: the answer carries no Date header")
    elif abs(probe.clock_skew) <= SKEW:
        yield Check("clock", Mark.FINE, "agrees with the server's")
    else:
        side = "behind" if probe.clock_skew > 0 else "ahead of"
        text = f"this machine is {figures.span(abs(probe.clock_skew))} {side} the server"
        remedy = "Turn on time synchronisation (limits are not affected; dates in journal and logs are)"
        yield Check("clock", Mark.WARNING, text, remedy)


def models_told(models: Sequence[ListedModel], model: str, today: str) -> Iterator[Check]:
    """The model asked about, and all that is deprecated."""
    yield _model_asked(models, model, today)
    ending = [found for found in models if found.lifecycle != "active"]
    active = len(models) - len(ending)
    text = f"{active} active"
    if newest := _newest(models):
        text += f"; newest: {', '.join(newest)}"
    yield Check("models", Mark.FINE if active else Mark.WARNING, text)
    for found in sorted(ending, key=lambda m: m.retires or ""):
        yield Check("", Mark.NOTE, f"{found.id} {_fate(found, today)}")


def _model_asked(models: Sequence[ListedModel], model: str, today: str) -> Check:
    found = next((m for m in models if m.id == model or m.id.rpartition("-")[0] == model), None)
    if found is None:
        import difflib

        near = difflib.get_close_matches(model, [m.id for m in models], 3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "Choose one of the models listed here"
        return Check("model", Mark.WARNING, f"{model} is not in the list of models", hint)
    size = f"{figures.short(found.window or 0)} tokens in, {figures.short(found.max_output or 0)} out at most"
    if found.lifecycle == "active" and not _soon(found, today):
        return Check("model", Mark.FINE, f"{found.id} is active: {size}")
    better = next((m for m in models if m.line == found.line and m.lifecycle == "active" and m.line), None)
    remedy = f"Move to {better.id}, the newest active {better.line}" if better else ""
    mark = Mark.BROKEN if found.lifecycle == "retired" else Mark.WARNING
    return Check("model", mark, f"{found.id} {_fate(found, today)}", remedy)


def _fate(model: ListedModel, today: str) -> str:
    if model.lifecycle == "retired":
        return f"is retired{f' since {model.retires}' if model.retires else ''}: requests fail with 404"
    if not model.retires:
        return f"is {model.lifecycle}"
    days = _days(today, model.retires)
    when = f"in {figures.plural(days, 'day')}" if days >= 0 else "overdue"
    return f"is {model.lifecycle}; it retires on {model.retires} ({when})"


def _soon(model: ListedModel, today: str) -> bool:
    return model.retires is not None and _days(today, model.retires) <= SOON


def _days(start: str, end: str) -> int:
    return (date.fromisoformat(end) - date.fromisoformat(start)).days


def _newest(models: Sequence[ListedModel]) -> list[str]:
    """The newest active model of each line; the list has the newest first."""
    newest: dict[str, str] = {}
    for model in models:
        if model.line and model.lifecycle == "active":
            newest.setdefault(model.line, model.id)
    return list(newest.values())


def counted(probe: Probe, model: str) -> Iterator[Check]:
    """Whether tokens can be counted: free, and it shows most of what would stop a message."""
    failure = probe.failure
    if failure is None:
        limit = _report(probe.report)
        yield Check("counting", Mark.FINE, f"count_tokens works{f' ({limit})' if limit else ''}")
    elif failure.kind in BILLING_KINDS or failure.row.scope.value == "account":
        yield _broken("account", failure)
    else:
        yield Check("counting", Mark.WARNING, f"count_tokens for {model}: {failure}", failure.remedy)


async def listed_limits(base_url: str, model: str) -> list[Check]:
    """What the Admin API tells: the limits of the model's group."""
    from headway.adapters.anthropic.listing import account_limits

    try:
        account = await account_limits(base_url=base_url)
    except AccountLimitsError as error:
        return [Check("account", Mark.WARNING, str(error))]
    group = account.group_of(model)
    told = next((found for found in account.groups if found.name == group), None)
    if told is None:
        text = f"{figures.plural(len(account.groups), 'model group')} listed, none with {model}"
        return [Check("account", Mark.NOTE, text)]
    counted = {"requests": told.limits.requests, "input": told.limits.input, "output": told.limits.output}
    said = ", ".join(f"{name} {figures.short(value)}" for name, value in counted.items() if value is not None)
    shared = f", shared by {', '.join(told.models)}" if len(told.models) > 1 else ""
    remedy = "headway run --limit account begins with these limits; without it they are learned"
    return [
        Check("account", Mark.FINE, f"{told.title or group}: {said or 'no limits'} a minute{shared}", remedy)
    ]


async def _limits(client: AsyncAnthropic, model: str, *, send: bool) -> list[Check]:
    if not send:
        text = "not known without sending a message: headway learns them from the first answers"
        return [Check("limits", Mark.NOTE, text, "--send sends one message of one token and shows them")]
    from headway.adapters.anthropic import AnthropicTransport
    from headway.ports import Rejection

    body = {"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": "Hello"}]}
    answer = await AnthropicTransport(client).send(Request(body))
    if isinstance(answer, Rejection):
        return [_broken("message", answer.failure)]
    checks = [Check("message", Mark.FINE, f"{model} answered")]
    if report := _report(answer.report):
        return [*checks, Check("limits", Mark.FINE, report)]
    text = "the answer tells none: headway learns them from refusals"
    return [*checks, Check("limits", Mark.NOTE, text, "Tell them with --limit, if you know them")]


def _report(report: LimitReport) -> str:
    parts: list[str] = []
    for dimension, bucket in report.buckets:
        left = "" if bucket.remaining is None else f" ({figures.short(bucket.remaining)} left)"
        parts.append(f"{figures.short(bucket.limit)} {ROW[dimension].label}{left}")
    return ", ".join(parts)


def _broken(name: str, failure: Failure) -> Check:
    return Check(name, Mark.BROKEN, str(failure), failure.remedy)
