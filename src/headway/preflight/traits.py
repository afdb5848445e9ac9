"""What a body holds, told in one pass: a rule that is about something else need not look.

Most requests are a few texts and three parameters. Asking two dozen rules about each of a million of them costs more
than sending them, and every rule would walk the same messages again.
"""

from __future__ import annotations

from typing import Final, cast

from headway.preflight.facts import Body

BLOCKS: Final = "conversation.blocks"
"""Content that is more than plain text."""
OTHER: Final = "conversation.other"
"""More than that, tool calls, their results and thinking, each in its plain form: images, documents, breakpoints,
citations, …"""
TOOLS: Final = "conversation.tools"
"""Tool calls or results."""
THOUGHTS: Final = "conversation.thinking"
"""Thinking blocks."""
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
_ANYTHING: Final = (BLOCKS, OTHER, TOOLS, THOUGHTS, SHAPE, LONG, MORE)
_ROLES: Final = ("user", "assistant")
_NO_FIELDS: Final[frozenset[str]] = frozenset()


_FORMS: Final[dict[str, tuple[str, frozenset[str]]]] = {
    "tool_use": (TOOLS, frozenset({"type", "id", "name", "input"})),
    "tool_result": (TOOLS, frozenset({"type", "tool_use_id", "content", "is_error"})),
    "thinking": (THOUGHTS, frozenset({"type", "thinking", "signature"})),
    "redacted_thinking": (THOUGHTS, frozenset({"type", "data"})),
}
"""Blocks beside text that only the rules for them care about, as long as they have no other fields than these."""


def traits_of(body: Body) -> frozenset[str]:
    """The names of its parameters, and what is out of the ordinary in its conversation. Linear in the number of
    messages and blocks, not in the length of texts."""
    found = _Found()
    if body.get("system") is not None:
        found.content(body["system"])
        found.odd = found.odd or bool(found.kinds)  # a system prompt is text
    messages = body.get("messages")
    if type(messages) is not list or not messages:
        return frozenset((*body, *_ANYTHING))
    for message in cast("list[object]", messages):
        found.message(message)
        if found.odd:
            return frozenset((*body, *_ANYTHING))
    if found.shape or found.first != "user" or found.last != "user":
        found.kinds.add(SHAPE)
    if found.characters > MOST_TEXT or len(cast("list[object]", messages)) > MOST_MESSAGES:
        found.kinds.add(LONG)
    if not body.keys() <= PLAIN:
        found.kinds.add(MORE)
    return frozenset((*body, *found.kinds))


class _Found:
    """What was seen of a conversation."""

    __slots__ = ("characters", "first", "kinds", "last", "odd", "shape")

    def __init__(self) -> None:
        self.characters = 0
        self.kinds: set[str] = set()
        self.first: object = None
        self.last: object = None
        self.shape = False
        self.odd = False
        """Something that is not looked into here: every rule shall look."""

    def message(self, value: object) -> None:
        if type(value) is not dict or len(message := cast("dict[str, object]", value)) != 2:
            self.odd = True
            return
        self.last = role = message.get("role")
        if self.first is None:
            self.first = role
        self.shape = self.shape or role not in _ROLES
        self.content(message.get("content"))

    def content(self, content: object) -> None:
        if type(content) is str:
            self.characters += len(content)
            self.shape = self.shape or not content or content.isspace()
        elif type(content) is list and content:
            for block in cast("list[object]", content):
                self._block(block)
        else:
            self.odd = True

    def _block(self, value: object) -> None:
        if type(value) is not dict:
            self.odd = True
            return
        block = cast("dict[str, object]", value)
        kind = block.get("type")
        if kind == "text":
            text = block.get("text")
            if len(block) == 2 and type(text) is str and text and not text.isspace():
                self.characters += len(text)
            else:
                self.odd = True
            return
        trait, fields = _FORMS.get(kind, ("", _NO_FIELDS)) if type(kind) is str else ("", _NO_FIELDS)
        if not block.keys() <= fields or (kind == "tool_result" and not _is_text(block.get("content"))):
            self.odd = True
        self.kinds.add(BLOCKS)
        self.kinds.add(trait)


def _is_text(content: object) -> bool:
    """Nothing, a text, or a list of text blocks that say something."""
    if content is None or type(content) is str:
        return True
    if type(content) is not list:
        return False
    inner = _Found()
    inner.content(cast("object", content))
    return not (inner.odd or inner.kinds)
