"""What a body holds, told in one pass: a rule that is about something else need not look.

Most requests are a few texts and three parameters. Asking two dozen rules about each of a million of them costs more
than sending them, and every rule would walk the same messages again.
"""

from __future__ import annotations

from typing import Final, cast

from headway.preflight.facts import Body

BLOCKS: Final = "conversation.blocks"
"""Content that is more than plain text: images, documents, tools, thinking, breakpoints, citations, …"""
SHAPE: Final = "conversation.shape"
"""Roles or texts that are out of the ordinary: another role than user and assistant, another than the user at the
beginning or the end, a text that says nothing."""
LONG: Final = "conversation.long"
"""So much text, or so many messages, that the size of the body deserves a look."""
MORE: Final = "more parameters"
"""Parameters beside the conversation that may be long themselves."""
PLAIN: Final = frozenset(
    {"model", "max_tokens", "messages", "system", "stream", "service_tier", "inference_geo", "speed"}
)
"""Parameters that are short, or (the conversation) measured here."""
MOST_TEXT: Final = 1_000_000
"""Characters of an ordinary conversation: written as JSON they are a fraction of what a body may have."""
MOST_MESSAGES: Final = 10_000
"""Messages of one."""
_ANYTHING: Final = (BLOCKS, SHAPE, LONG, MORE)
_ROLES: Final = ("user", "assistant")


def traits_of(body: Body) -> frozenset[str]:
    """The names of its parameters, and what is out of the ordinary in its conversation. Linear in the number of
    messages, not in their length."""
    messages = body.get("messages")
    characters = 0
    if body.get("system") is not None and (characters := _text_length(body["system"])) < 0:
        return frozenset((*body, *_ANYTHING))
    if type(messages) is not list or not messages:
        return frozenset((*body, *_ANYTHING))
    shape = False
    items = cast("list[object]", messages)
    for item in items:
        if type(item) is not dict or len(message := cast("dict[str, object]", item)) != 2:
            return frozenset((*body, *_ANYTHING))
        if (length := _text_length(message.get("content"))) < 0:
            return frozenset((*body, *_ANYTHING))
        characters += length
        shape = shape or not length or message.get("role") not in _ROLES
    first, last = cast("dict[str, object]", items[0]), cast("dict[str, object]", items[-1])
    found: list[str] = []
    if shape or first.get("role") != "user" or last.get("role") != "user":
        found.append(SHAPE)
    if characters > MOST_TEXT or len(items) > MOST_MESSAGES:
        found.append(LONG)
    if not body.keys() <= PLAIN:
        found.append(MORE)
    return frozenset((*body, *found))


def _text_length(content: object) -> int:
    """Characters of a text that says something, or of a list of such text blocks; 0 when one says nothing, below 0
    when it is anything else."""
    if type(content) is str:
        return 0 if not content or content.isspace() else len(content)
    if type(content) is not list or not content:
        return -1
    total = 0
    for item in cast("list[object]", content):
        if type(item) is not dict or len(block := cast("dict[str, object]", item)) != 2:
            return -1
        text = block.get("text")
        if block.get("type") != "text" or type(text) is not str or not text or text.isspace():
            return -1
        total += len(text)
    return total
