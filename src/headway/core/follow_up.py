"""What follows an answer that is not what was wanted, or a model that is not there: decided by values only.

An answer may be complete and yet not the end: a paused turn (``pause_turn``), a tool call or JSON cut off by
``max_tokens``, a refusal (https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons). Nothing
here happens unless it was asked for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, cast

from headway.core.amendment import Held, Params
from headway.core.catalog import BUILT_IN, Catalog
from headway.core.change import Change
from headway.core.error_kind import ErrorKind, Scope
from headway.core.events import Expired, Failed, JobEvent, Kept
from headway.core.failure import Failure
from headway.core.job import JobRecord
from headway.core.merging import appended, content_of
from headway.core.model_facts import ModelFacts
from headway.core.request import Request

CONTINUE: Final = "continue"
RAISE_CAP: Final = "raise_cap"
FALLBACK: Final = "fallback"
"""The names of the follow-ups in a `Change`."""
CAP_FACTOR: Final = 4
"""A cap is raised to four times what it was: each step is paid for, so there should be few."""
_JSON: Final = "the JSON that was asked for"
_CUT_OFF: Final = {"tool_use": "a tool call", "text": _JSON}
"""What a cap may have cut off, by the type of the last block."""
LEAST_RAISED_CAP: Final = 4096
"""… and to this many tokens at least."""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What to send when an answer is not the end of the matter.

    ``FollowUp()`` continues paused turns and raises the cap on cut-off tool calls and JSON;
    ``FollowUp(fallback_models=("claude-sonnet-5",))`` also changes the model. If a follow-up fails, the job
    succeeds with the answer it had.
    """

    continue_paused: int = 5
    """How often a turn that ended with ``pause_turn`` is continued; 0: it is delivered as it is."""
    raise_cap: bool = True
    """When ``max_tokens`` cut off a tool call, or an answer that is to follow a schema: ask again with four times as
    many, up to the model's maximum."""
    fallback_models: tuple[str, ...] = ()
    """Tried in this order after a refusal, when the model does not exist (any more), or when it has been
    overloaded for long."""
    overload_patience: float = 120.0
    """Seconds that a model answers 529 and nothing else before its jobs go on with the next one."""

    def resolved(self, resolve: Callable[[str], str]) -> FollowUp:
        """With ids in place of names that are no ids (``newest:sonnet``). Raises what ``resolve`` raises."""
        return replace(self, fallback_models=tuple(map(resolve, self.fallback_models)))

    def __post_init__(self) -> None:
        if isinstance(self.fallback_models, str):
            raise ValueError("FollowUp.fallback_models must be a list of ids, not one string")  # noqa: TRY004
        models = tuple(self.fallback_models)
        if not all(isinstance(model, str) and model.strip() for model in models):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"FollowUp.fallback_models must be model ids, not {models!r}")
        object.__setattr__(self, "fallback_models", models)
        if self.continue_paused < 0:
            raise ValueError(f"FollowUp.continue_paused must be 0 or more, not {self.continue_paused!r}")
        if not (self.overload_patience >= 0 and math.isfinite(self.overload_patience)):
            raise ValueError(
                f"FollowUp.overload_patience must be 0 seconds or more, not {self.overload_patience!r}"
            )


@dataclass(frozen=True, slots=True)
class Sequel:
    """Another request, and what is kept of the answer before it."""

    params: Params
    changes: tuple[Change, ...]
    held: Held
    partial: str | None = None
    """The paused turns so far, to which the next answer is appended."""


def after_reply(
    policy: FollowUp, record: JobRecord, answer: Held, catalog: Catalog = BUILT_IN
) -> Sequel | None:
    """What is sent after a complete answer; ``None``: the job has what it wanted, or all that it can get.

    ``answer`` holds the whole answer: paused turns before it are part of its body. The ``catalog`` knows how
    much a model can write.
    """
    match answer.stop_reason:
        case "pause_turn":
            return _continued(policy, record, answer)
        case "max_tokens":
            return _raised(policy, record, answer, catalog.find(record.sending.model))
        case "refusal":
            model = next_model(policy, record)
            if model is None:
                return None
            params, changes = rerouted(record, model, "the model declined to answer")
            return Sequel(params, changes, answer)
        case _:
            return None


def after_failure(policy: FollowUp, record: JobRecord, failure: Failure, overloaded: float) -> str | None:
    """The model to go on with, when its own is gone or has been ``overloaded`` for so many seconds."""
    gone = _about_the_model(failure, record.sending.model)
    stuck = failure.kind is ErrorKind.OVERLOADED and overloaded >= policy.overload_patience
    return next_model(policy, record) if gone or stuck else None


def next_model(policy: FollowUp, record: JobRecord) -> str | None:
    """The first fallback model that the job has not been sent to."""
    used = {record.request.model, record.sending.model}
    used |= {str(change.new) for change in record.amendment.changes if change.rule == FALLBACK}
    return next((model for model in policy.fallback_models if model not in used), None)


def rerouted(record: JobRecord, model: str, reason: str) -> tuple[Params, tuple[Change, ...]]:
    """The request for another model, which starts the turn anew, and the change that says so."""
    params = dict(record.sending.params)
    if record.amendment.partial is not None:
        params["messages"] = cast("list[object]", params["messages"])[:-1]  # the paused turn
    change = Change(FALLBACK, "model", reason, params["model"], model)
    return {**params, "model": model}, (change,)


def kept(record: JobRecord, event: JobEvent) -> JobEvent:
    """An ending without an answer becomes a success with the answer that the job had before a follow-up."""
    if record.amendment.held is None or not isinstance(event, Failed | Expired):
        return event
    return Kept(event.at, event)


def _continued(policy: FollowUp, record: JobRecord, answer: Held) -> Sequel | None:
    """A paused turn is sent back as it is, and the model goes on
    (https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons#pause_turn)."""
    if record.amendment.followed(CONTINUE) >= policy.continue_paused:
        return None
    message = cast("dict[str, object]", json.loads(answer.body))
    content = content_of(message)
    if not content:  # an empty turn cannot be sent back
        return None
    params = dict(record.sending.params)
    messages = cast("list[object]", params["messages"])
    if record.amendment.partial is not None:
        messages = messages[:-1]  # the same turn, as far as it was
    params["messages"] = [*messages, {"role": "assistant", "content": content}]
    _keep_container(params, message)
    path = f"messages.{len(messages)}"
    change = Change(CONTINUE, path, "the model paused its turn", None, f"{len(content):,} blocks")
    return Sequel(params, (change,), answer, answer.body)


def _keep_container(params: dict[str, object], message: Mapping[str, object]) -> None:
    """The turn goes on in the container in which it began."""
    container = message.get("container")
    name = cast("Mapping[str, object]", container).get("id") if isinstance(container, Mapping) else None
    if not isinstance(name, str):
        return
    asked = params.get("container")
    if asked is None:
        params["container"] = name
    elif isinstance(asked, Mapping):
        params["container"] = {**cast("Mapping[str, object]", asked), "id": name}


def _raised(policy: FollowUp, record: JobRecord, answer: Held, facts: ModelFacts | None) -> Sequel | None:
    """A tool call or a JSON answer that was cut off is of no use, and cannot be continued: ask again with a larger
    cap."""
    request = record.sending
    if not policy.raise_cap or facts is None or request.max_tokens >= facts.max_output:
        return None
    content = content_of(cast("dict[str, object]", json.loads(answer.body)))
    inside = _CUT_OFF.get(str(content[-1].get("type"))) if content else None
    if inside is None or (inside == _JSON and not _wants_json(request)):
        return None
    cap = min(facts.max_output, max(LEAST_RAISED_CAP, CAP_FACTOR * request.max_tokens))
    reason = f"the answer was cut off inside {inside}"
    change = Change(RAISE_CAP, "max_tokens", reason, request.max_tokens, cap)
    return Sequel({**request.params, "max_tokens": cap}, (change,), answer, record.amendment.partial)


def _wants_json(request: Request) -> bool:
    config = request.params.get("output_config")
    asked = isinstance(config, Mapping) and cast("Mapping[str, object]", config).get("format") is not None
    return asked or request.output_format is not None or request.params.get("output_format") is not None


def whole_body(record: JobRecord, body: str) -> str:
    """An answer with the paused turns before it."""
    partial = record.amendment.partial
    return body if partial is None else appended(partial, body)


def _about_the_model(failure: Failure, model: str) -> bool:
    """A 404 may also be about a file or a thread."""
    if failure.kind is not ErrorKind.NOT_FOUND:
        return False
    return failure.scope is Scope.MODEL or model in failure.message
