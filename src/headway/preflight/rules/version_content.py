"""Content that API version 2026-10-21 refuses, and that conversations of before may hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from headway.core.change import Change
from headway.preflight.breakpoints import Block, Key, objects, with_value
from headway.preflight.facts import Body, Facts
from headway.preflight.finding import Finding
from headway.preflight.rule import Mended, Rule, UnrepairableError
from headway.preflight.rules.sampling import has_own_version
from headway.preflight.traits import OTHER

NAME: Final = "api_version"


def _blocks(body: Body) -> Iterator[tuple[tuple[Key, ...], object, Block]]:
    """Place, role and block of every block that is an object."""
    for index, message in objects(body.get("messages")):
        for position, block in objects(message.get("content")):
            yield ("messages", index, "content", position), message.get("role"), block


def _check(body: Body, facts: Facts) -> Iterator[Finding]:
    del facts
    if has_own_version(str(body.get("model"))):
        return
    for keys, role, block in _blocks(body):
        kind, where = block.get("type"), ".".join(map(str, keys))
        if kind == "document" and role == "assistant":
            remedy = "Put it into a user turn."
            yield Finding(NAME, where, "a document in an assistant turn is refused", remedy)
        elif kind == "text" and role == "user" and block.get("citations"):
            remedy = "Leave it out: only answers have citations."
            yield Finding(NAME, f"{where}.citations", "citations on a user's text are refused", remedy)


def _repair(body: Body, facts: Facts) -> Mended:
    changes: list[Change] = []
    for keys, role, block in list(_blocks(body)) if next(_check(body, facts), None) else ():
        if role == "user" and block.get("type") == "text" and (citations := block.get("citations")):
            body = with_value(body, keys, {"citations": None})
            where = ".".join(map(str, (*keys, "citations")))
            count = (
                f"{len(cast('list[object]', citations))} citations" if isinstance(citations, list) else "1"
            )
            changes.append(Change(NAME, where, "refused on a user's text", count))
    if (left := next(_check(body, facts), None)) is not None:
        raise UnrepairableError(str(left))
    return Mended(body, tuple(changes))


RULES = (
    Rule(
        NAME,
        "API version 2026-10-21 refuses documents in assistant turns and citations on the texts of users.",
        "Removes such citations; a document is the user's to move.",
        _check,
        _repair,
        order=35,
        about=frozenset({OTHER}),
    ),
)
