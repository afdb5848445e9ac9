"""Input tokens of a request: a deterministic estimate, not a tokenizer."""

from __future__ import annotations

import json
import math
from typing import Final, cast

from headway.testing.fake_api.catalog import Model

CHARS_PER_TOKEN: Final = 3.6
_PER_REQUEST = 3
_PER_MESSAGE = 4
_IMAGE = 1568
_DOCUMENT_CHARS_PER_TOKEN = 24.0  # base64 of a PDF is mostly not text


def count_input(body: dict[str, object], model: Model) -> int:
    """Estimated input tokens of a checked Messages request (text, tools, images, documents)."""
    messages = cast("list[dict[str, object]]", body["messages"])
    chars = _chars(body.get("system")) + sum(_chars(message.get("content")) for message in messages)
    if tools := body.get("tools"):
        chars += len(json.dumps(tools))
    tokens = chars / CHARS_PER_TOKEN * model.tokens_per_estimate
    return math.ceil(tokens) + _PER_REQUEST + _PER_MESSAGE * len(messages)


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
            chars = len(json.dumps(fields))
    return chars


def _document_chars(source: object) -> float:
    data = cast("dict[str, object]", source).get("data", "") if isinstance(source, dict) else ""
    return max(100.0, len(str(data)) / _DOCUMENT_CHARS_PER_TOKEN * CHARS_PER_TOKEN)
