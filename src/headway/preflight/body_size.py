"""How large a request is on the wire, and which of its parts could go to the Files API instead."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

from headway.core.byte_size import shown
from headway.preflight.facts import Body
from headway.preflight.parts import Part, parts_of

MOST_BODY: Final = 32 * 1024 * 1024
"""Bytes of a Messages request (https://platform.claude.com/docs/en/api/errors#http-errors)."""
_LONG: Final = 4096
"""From here on a text of a base64 source is taken by its length: its alphabet needs no escapes."""
_WORST: Final = 6
"""Bytes that one character takes at most in JSON: a control character as ``\\u0000``."""


@dataclass(frozen=True, slots=True)
class MovablePart:
    """An image or document that can be sent by reference."""

    part: Part
    size: int
    """Bytes of its data in the body."""

    def __str__(self) -> str:
        return f"{self.part.path} ({self.part.kind}, {shown(self.size)})"


def movable(body: Body) -> list[MovablePart]:
    """What the Files API could hold instead, largest first: base64 images and documents, long plain texts."""
    found: list[MovablePart] = []
    for part in parts_of(body):
        data = part.source.get("data")
        if isinstance(data, str) and (kind := part.source.get("type")) in ("base64", "text"):
            found.append(MovablePart(part, len(data) if kind == "base64" else wire_size(data)))
    return sorted(found, key=lambda one: -one.size)


def largest(parts: list[MovablePart], body: Body) -> str:
    """The three largest parts, in words; without any, the three largest messages."""
    if parts:
        return ", ".join(str(part) for part in parts[:3])
    messages = cast("list[object]", body.get("messages") or [])
    sizes = sorted(((wire_size(message), index) for index, message in enumerate(messages)), reverse=True)
    return ", ".join(f"messages.{index} ({shown(size)})" for size, index in sizes[:3])


def wire_size(value: object, enough: int = 0) -> int:
    """Bytes of a value as the SDK writes it: JSON without spaces, in UTF-8.

    A value that is certainly not above ``enough`` is only estimated (never above ``enough``): counting
    characters is much cheaper than writing JSON.
    """
    characters = _characters(value)
    if characters * _WORST <= enough:
        return characters
    return _exact(value)


def _characters(value: object) -> int:
    """Characters and a generous allowance for what is between them."""
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, object]", value)
        return 2 + sum(len(str(name)) + 4 + _characters(item) for name, item in fields.items())
    if isinstance(value, list | tuple):
        return 2 + sum(1 + _characters(item) for item in cast("Iterable[object]", value))
    return 24


def _exact(value: object) -> int:
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, object]", value)
        clean = fields.get("type") == "base64"
        total = 1 + max(1, len(fields))  # braces and commas
        for name, item in fields.items():
            raw = clean and name == "data" and isinstance(item, str) and len(item) >= _LONG
            total += _exact(name) + 1 + (len(cast("str", item)) + 2 if raw else _exact(item))
        return total
    if isinstance(value, list | tuple):
        items = cast("list[object]", value)
        return 1 + max(1, len(items)) + sum(_exact(item) for item in items)
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):  # what only the SDK can write: a path, an open file
        return 0
    return len(text.encode("utf-8", "surrogatepass"))
