"""Input tokens of a request: a deterministic estimate, not a tokenizer."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

from headway.testing.fake_api.catalog import Model

CHARS_PER_TOKEN: Final = 3.6
_PER_REQUEST = 3
_PER_MESSAGE = 4
_IMAGE = 1568
_DOCUMENT_CHARS_PER_TOKEN = 24.0  # base64 of a PDF is mostly not text


@dataclass(frozen=True, slots=True)
class Where:
    """Which part of a request a block belongs to."""

    section: str
    """``tools``, ``system`` or ``messages``, in this order."""
    messages: int = 0
    """Messages up to this one, itself included."""
    role: str = ""


def count_input(body: dict[str, object], model: Model) -> int:
    """Estimated input tokens of a checked Messages request (text, tools, images, documents)."""
    chars = sum(weight for _, _, weight in weighed_blocks(body))
    return math.ceil(tokens_until(chars, len(cast("list[object]", body["messages"])), model))


def tokens_until(chars: float, messages: int, model: Model) -> float:
    """Tokens of a prompt that begins with so many characters in so many messages."""
    return chars / CHARS_PER_TOKEN * model.tokens_per_estimate + _PER_REQUEST + _PER_MESSAGE * messages


def weighed_blocks(body: dict[str, object]) -> Iterator[tuple[Where, dict[str, object], float]]:
    """Every block in the order in which the API reads them, with its characters, or what counts as much."""
    for tool in cast("list[dict[str, object]]", body.get("tools") or []):
        plain = {name: value for name, value in tool.items() if name != "cache_control"}
        yield Where("tools"), tool, len(json.dumps(plain)) + 2
    for block in _blocks(body.get("system")):
        yield Where("system"), block, _block_chars(block)
    for index, message in enumerate(cast("list[dict[str, object]]", body["messages"])):
        where = Where("messages", index + 1, str(message.get("role")))
        for block in _blocks(message.get("content")):
            yield where, block, _block_chars(block)


def _blocks(content: object) -> Iterator[dict[str, object]]:
    if isinstance(content, str):
        yield {"type": "text", "text": content}
    elif isinstance(content, list):
        for block in cast("list[object]", content):
            if isinstance(block, dict):
                yield cast("dict[str, object]", block)


def _chars(content: object) -> float:
    """Characters, or what counts as much."""
    if isinstance(content, str):
        return len(content)
    if not isinstance(content, list):
        return 0
    return sum(_block_chars(block) for block in cast("list[object]", content))


def _block_chars(block: object) -> float:
    if not isinstance(block, dict):
        return 0
    fields = cast("dict[str, object]", block)
    match fields.get("type"):
        case "text":
            chars: float = len(str(fields.get("text", "")))
        case "image":
            chars = _IMAGE * CHARS_PER_TOKEN
        case "document":
            chars = _document_chars(fields.get("source"))
        case "tool_result":
            chars = 20 + _chars(fields.get("content"))
        case "thinking":
            chars = len(str(fields.get("thinking", "")))
        case _:
            chars = len(
                json.dumps({name: value for name, value in fields.items() if name != "cache_control"})
            )
    return chars


def _document_chars(source: object) -> float:
    data = cast("dict[str, object]", source).get("data", "") if isinstance(source, dict) else ""
    return max(100.0, len(str(data)) / _DOCUMENT_CHARS_PER_TOKEN * CHARS_PER_TOKEN)
