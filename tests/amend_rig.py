"""For tests of repairs and follow-ups: rules and tools that can be seen through, answers of all kinds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import cast

import anyio
import pytest

from headway.core.change import Change
from headway.core.error_kind import ErrorKind
from headway.core.events import JobEvent
from headway.core.job import JobRecord
from headway.core.usage import Usage
from headway.ports import Reply
from headway.preflight import check, policy, repair
from headway.preflight.facts import Body, Facts
from headway.preflight.finding import Finding, Severity
from headway.preflight.rule import Mended, Rule, UnrepairableError
from headway.runtime import inspector
from headway.testing.transport import reply

MODEL, OTHER, THIRD = "claude-opus-5-5", "claude-sonnet-5", "claude-haiku-5-5"
USAGE = Usage(input=100, output=50)
CAP = 1000
"""Above it ``max_tokens`` is found too large."""
LEAST = 100


def text_of(body: Body) -> str:
    message = cast("list[Mapping[str, object]]", body["messages"])[-1]
    return str(message["content"])


def with_text(body: Body, text: str) -> Body:
    return {**body, "messages": [{"role": "user", "content": text}]}


def _cap(body: Body, facts: Facts) -> Iterator[Finding]:
    if cast("int", body["max_tokens"]) > CAP:
        yield Finding("cap", "max_tokens", f"above {CAP}", f"Use {CAP}.")


def _lower(body: Body, facts: Facts) -> Mended:
    asked = cast("int", body["max_tokens"])
    if asked <= CAP:
        return Mended(body, ())
    return Mended({**body, "max_tokens": CAP}, (Change("cap", "max_tokens", "too large", asked, CAP),))


def _nothing(body: Body, facts: Facts) -> Iterator[Finding]:
    return iter(())


def _halve(body: Body, facts: Facts) -> Mended:
    asked = cast("int", body["max_tokens"])
    if asked <= LEAST:
        raise UnrepairableError(f"max_tokens is {asked} already")
    change = Change("context", "max_tokens", "the prompt does not fit", asked, asked // 2)
    return Mended({**body, "max_tokens": asked // 2}, (change,))


def _old(body: Body, facts: Facts) -> Iterator[Finding]:
    if str(body["model"]).endswith("haiku-4-5"):
        yield Finding("age", "model", "retires soon", "Move on.", Severity.WARNING)


def _picture(body: Body, facts: Facts) -> Iterator[Finding]:
    if "heic" in text_of(body):
        yield Finding("images", "messages.0", "heic is not accepted", "Convert it.", tool="images")


def _size(body: Body, facts: Facts) -> Iterator[Finding]:
    if "large" in text_of(body):
        yield Finding("size", "messages.0", "the body is too large", "Upload it.", tool="files")


RULES = (
    Rule("cap", "", "", _cap, _lower, order=10),
    Rule("age", "", "", _old, order=11),
    Rule("context", "", "", _nothing, _halve, frozenset({ErrorKind.CONTEXT_OVERFLOW})),
    Rule("images", "", "", _picture, None, frozenset({ErrorKind.IMAGE_TOO_LARGE})),
    Rule("size", "", "", _size, None, frozenset({ErrorKind.REQUEST_TOO_LARGE})),
)


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """These rules in place of the real ones."""
    monkeypatch.setattr(check, "rules_about", lambda _: RULES)
    for module in (policy, repair, inspector):
        monkeypatch.setattr(module, "all_rules", lambda: RULES)


class Painter:
    """A tool that replaces a word after a while."""

    def __init__(self, name: str, old: str, new: str, *, seconds: float = 10.0) -> None:
        self._name = name
        self._words = (old, new)
        self._seconds = seconds
        self.asked: list[tuple[str, ErrorKind | None]] = []
        self.released: list[tuple[Change, ...]] = []
        self.at_work = 0
        self.most_at_work = 0
        self.fault: BaseException | None = None

    @property
    def name(self) -> str:
        return self._name

    async def mend(self, body: Body, findings: Sequence[Finding], kind: ErrorKind | None) -> Mended:
        self.asked.append((" ".join(finding.rule for finding in findings), kind))
        self.at_work += 1
        self.most_at_work = max(self.at_work, self.most_at_work)
        try:
            await anyio.sleep(self._seconds)
        finally:
            self.at_work -= 1
        if self.fault is not None:
            raise self.fault
        old, new = self._words
        if old not in text_of(body):
            raise UnrepairableError(f"there is no {old}")
        change = Change(self._name, "messages.0", f"{old} is not accepted", old, new)
        return Mended(with_text(body, text_of(body).replace(old, new)), (change,))

    async def release(self, changes: Sequence[Change]) -> None:
        await anyio.sleep(self._seconds)
        self.released.append(tuple(changes))


class Watch:
    """Remembers every event."""

    def __init__(self) -> None:
        self.events: list[JobEvent] = []

    def emit(self, record: JobRecord, event: JobEvent) -> None:
        self.events.append(event)

    def names(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


def text(words: str) -> dict[str, object]:
    return {"type": "text", "text": words}


def answer(stop_reason: str, *content: object, usage: Usage = USAGE) -> Reply:
    from anthropic.types import Message

    whole = reply(usage=usage)
    body = json.dumps(json.loads(whole.body) | {"content": content, "stop_reason": stop_reason})
    return replace(whole, body=body, message=Message.model_validate_json(body), stop_reason=stop_reason)
