"""The turns of one answer as one message: contents in order, usage summed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

Block = Mapping[str, object]


def content_of(message: Mapping[str, object]) -> list[Block]:
    """The blocks of a message."""
    content = message.get("content")
    items = cast("list[object]", content) if isinstance(content, list) else []
    return [cast("Block", item) for item in items if isinstance(item, Mapping)]


def appended(first: str, second: str) -> str:
    """The later message (JSON text) with the content of the earlier before its own, and both usages summed.

    Everything else (id, ``stop_reason``) is the later one's.
    """
    before = cast("dict[str, object]", json.loads(first))
    after = cast("dict[str, object]", json.loads(second))
    after["content"] = [*content_of(before), *content_of(after)]
    after["usage"] = _summed(before.get("usage"), after.get("usage"))
    return json.dumps(after, separators=(",", ":"), ensure_ascii=False)


def _summed(first: object, second: object) -> object:
    """Numbers are added, objects field by field; of anything else the later one counts."""
    if _is_number(first) and _is_number(second):
        return cast("float", first) + cast("float", second)
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        one, two = cast("Mapping[str, object]", first), cast("Mapping[str, object]", second)
        return {name: _summed(one.get(name), two.get(name)) for name in {**one, **two}}
    return cast("object", first if second is None else second)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
