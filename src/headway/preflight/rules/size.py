"""Requests within the API's 32 MB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from headway.core.byte_size import shown
from headway.core.error_kind import ErrorKind
from headway.preflight.body_size import MOST_BODY, largest, movable, wire_size
from headway.preflight.facts import Body, Facts
from headway.preflight.finding import Finding
from headway.preflight.rule import Rule
from headway.preflight.traits import BLOCKS, LONG, MORE

NAME = "size"
TOOL: Final = "files"
MOST_MESSAGES: Final = 100_000
"""Messages of one request (https://platform.claude.com/docs/en/api/messages)."""


def _check(body: Body, facts: Facts) -> Iterator[Finding]:
    messages = body.get("messages")
    count = len(cast("list[object]", messages)) if isinstance(messages, list) else 0
    if count > MOST_MESSAGES:
        problem = f"{count:,} messages, {MOST_MESSAGES:,} are accepted"
        yield Finding(NAME, "messages", problem, "Drop or join the oldest.")
    size = wire_size(body, MOST_BODY)
    if size <= MOST_BODY:
        return
    parts = movable(body)
    problem = f"the body has {shown(size)}, {shown(MOST_BODY)} are accepted; largest: {largest(parts, body)}"
    if size - sum(part.size for part in parts) <= MOST_BODY:
        remedy = "Send large files through the Files API (mode 'repair' does it) or split the request."
        yield Finding(NAME, "messages", problem, remedy, tool=TOOL)
    else:
        yield Finding(NAME, "messages", problem, "Split the request.")


RULES = (
    Rule(
        NAME,
        "The body of a request may have 32 MB and 100,000 messages (Bedrock: 20 MB, Google: 30 MB, not known here).",
        "Moves the largest images and documents to the Files API and sends them by reference.",
        _check,
        None,
        frozenset({ErrorKind.REQUEST_TOO_LARGE}),
        order=90,
        about=frozenset({BLOCKS, LONG, MORE}),
    ),
)
