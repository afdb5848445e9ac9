"""Where a request may be cached: its blocks in the order in which the API reads them, and the breakpoints in it.

Tools come first, then the system prompt, then the messages
(https://platform.claude.com/docs/en/build-with-claude/prompt-caching).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from headway.core.tokens import measure
from headway.preflight.facts import Body, Facts

MOST: Final = 4
"""Breakpoints in a request, the automatic one (top-level ``cache_control``) included."""
SHORT: Final = "5m"
LONG: Final = "1h"
Key = str | int
Block = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Place:
    """One block that could carry ``cache_control``."""

    keys: tuple[Key, ...]
    """How to get there: ``("messages", 3, "content", 0)``."""
    block: Block
    tokens: float
    """Estimated size of the block itself."""
    nested: bool = False
    """Inside a tool result: it counts as a breakpoint, but belongs to the block around it."""

    @property
    def path(self) -> str:
        """``messages.3.content.0``."""
        return ".".join(map(str, self.keys))

    @property
    def control(self) -> object:
        """Its ``cache_control``, if any."""
        return self.block.get("cache_control")

    @property
    def takes_breakpoint(self) -> bool:
        """Not on thinking, on empty text, nor on a tool that is loaded later."""
        return not is_thinking(self.block) and not is_empty_text(self.block) and not is_deferred(self.block)


def is_thinking(block: Block) -> bool:
    """Whether it is a thinking block, readable or not."""
    return block.get("type") in ("thinking", "redacted_thinking")


def is_empty_text(block: Block) -> bool:
    """Whether it is text without any."""
    text = block.get("text")
    return block.get("type") == "text" and not (isinstance(text, str) and text)


def is_deferred(block: Block) -> bool:
    """Whether it is a tool that is loaded when it is searched for."""
    return block.get("defer_loading") is True


def ttl_of(control: object) -> object:
    """The life of an entry: five minutes unless it says otherwise."""
    ttl = fields_of(control).get("ttl")
    return SHORT if ttl is None else ttl


def fields_of(value: object) -> Block:
    """An object's fields; none of anything else."""
    return cast("Block", value) if isinstance(value, Mapping) else {}


def places(body: Body, facts: Facts) -> Iterator[Place]:
    """Every block of a body, in the order of the API."""
    for name in ("tools", "system"):
        yield from _blocks(body.get(name), (name,), facts)
    messages = body.get("messages")
    for index, message in objects(messages):
        yield from _blocks(message.get("content"), ("messages", index, "content"), facts)


def _blocks(content: object, keys: tuple[Key, ...], facts: Facts) -> Iterator[Place]:
    if isinstance(content, str):
        if content:
            yield Place(keys, {"type": "text", "text": content}, len(content) * facts.tokens_per_char)
        return
    for index, block in objects(content):
        here = (*keys, index)
        for deeper, inner in objects(block.get("content") if block.get("type") == "tool_result" else None):
            yield Place((*here, "content", deeper), inner, 0.0, nested=True)
        yield Place(here, block, _tokens(block, facts))


def objects(items: object) -> Iterator[tuple[int, Block]]:
    """The objects in a list, each with its index there."""
    if isinstance(items, list | tuple):
        for index, item in enumerate(cast("Iterable[object]", items)):
            if isinstance(item, Mapping):
                yield index, cast("Block", item)


def _tokens(block: Block, facts: Facts) -> float:
    model = facts.model.prefix if facts.model else None
    size = measure({"model": model, "messages": [block]})
    return size.fixed + size.characters * facts.tokens_per_char


def has_breakpoint(value: object) -> bool:
    """Whether a body asks for caching anywhere; stops at the first."""
    if value is None or isinstance(value, str):
        return False
    if isinstance(value, Mapping):
        fields = cast("Block", value)
        return fields.get("cache_control") is not None or any(
            has_breakpoint(fields.get(name)) for name in ("tools", "system", "messages", "content")
        )
    return isinstance(value, list | tuple) and any(
        has_breakpoint(item) for item in cast("list[object]", value)
    )


def value_at(body: Body, keys: tuple[Key, ...]) -> object:
    """What is found there."""
    value = cast("object", body)
    for key in keys:
        value = cast("list[object]", value)[key] if isinstance(key, int) else cast("Block", value)[key]
    return value


def with_value(body: Body, keys: tuple[Key, ...], change: dict[str, object | None]) -> Body:
    """A copy with fields of one block set, or removed (``None``); all else is shared with the original."""
    return cast("Body", _edited(body, keys, change))


def _edited(value: object, keys: tuple[Key, ...], change: dict[str, object | None]) -> object:
    if not keys:
        fields = {**cast("Block", value), **change}
        return {name: item for name, item in fields.items() if not (name in change and item is None)}
    first, rest = keys[0], keys[1:]
    if isinstance(first, int):
        items = list(cast("Iterable[object]", value))
        items[first] = _edited(items[first], rest, change)
        return items
    fields = cast("Block", value)
    return {**fields, first: _edited(fields[first], rest, change)}
