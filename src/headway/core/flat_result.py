"""A result as one flat row: what a spreadsheet or a DataFrame wants."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final, cast

from headway.core.outcome import Ending

COLUMNS: Final = {
    "custom_id": str,
    "state": str,
    "text": str,
    "stop_reason": str,
    "model": str,
    "input_tokens": int,
    "output_tokens": int,
    "cache_read_tokens": int,
    "cache_write_tokens": int,
    "cost_usd": float,
    "attempts": int,
    "maybe_billed": int,
    "queued_seconds": float,
    "running_seconds": float,
    "lane": str,
    "tenant": str,
    "tag": str,
    "request_id": str,
    "kind": str,
    "status": int,
    "error": str,
    "remedy": str,
}
"""Names and types, in order. ``text`` is all text blocks of the answer, one after the other."""
_STATES: Final = {"errored": "failed", "canceled": "cancelled"}
"""What a result's type is called here, where that is another name."""
_FACTS: Final = ("cost_usd", "attempts", "queued_seconds", "running_seconds", "lane", "tenant", "tag")
_FAILURE: Final = ("kind", "status", "remedy")


def flatten(ending: Ending) -> dict[str, object]:
    """The row of an ending; what it does not have is ``None``. Tokens are those of all answers it was charged for."""
    message = message_of(ending)
    failure, usage = ending.failure, ending.usage
    return {
        "custom_id": ending.key,
        "state": ending.state.value,
        "text": None if message is None else text_of(message),
        "stop_reason": ending.stop_reason,
        "model": None if message is None else message.get("model"),
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cache_read_tokens": usage.cache_read,
        "cache_write_tokens": usage.cache_write + usage.cache_write_1h,
        "cost_usd": ending.cost,
        "attempts": ending.sends,
        "maybe_billed": ending.maybe_billed,
        "queued_seconds": round(ending.queued_seconds, 3),
        "running_seconds": round(ending.running_seconds, 3),
        "lane": ending.lane.value,
        "tenant": ending.tenant or None,
        "tag": ending.tag or None,
        "request_id": ending.request_id or (failure.request_id if failure else None),
        "kind": failure.kind.value if failure else None,
        "status": failure.status if failure else None,
        "error": failure.message if failure else None,
        "remedy": failure.remedy if failure else None,
    }


def flatten_line(line: Mapping[str, object]) -> dict[str, object]:
    """The same of a line of results, also of one that the Message Batches API gave (which says nothing of costs and
    attempts). Tokens are those of the answer that is in it."""
    result, facts = _object(line.get("result")), _object(line.get("headway"))
    message, error = _object(result.get("message")), _object(result.get("error"))
    usage, kind = _object(message.get("usage")), str(result.get("type"))
    found = {name: facts.get(name) for name in (*_FACTS, *_FAILURE)}
    return dict.fromkeys(COLUMNS) | {
        **found,
        "custom_id": line.get("custom_id"),
        "state": _STATES.get(kind, kind),
        "text": text_of(message) if message else None,
        "stop_reason": message.get("stop_reason"),
        "model": message.get("model"),
        "input_tokens": usage.get("input_tokens") or 0,
        "output_tokens": usage.get("output_tokens") or 0,
        "cache_read_tokens": usage.get("cache_read_input_tokens") or 0,
        "cache_write_tokens": usage.get("cache_creation_input_tokens") or 0,
        "maybe_billed": facts.get("maybe_billed") or 0,
        "request_id": error.get("request_id"),
        "error": _object(error.get("error")).get("message") or None,
    }


def _object(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def message_of(ending: Ending) -> dict[str, object] | None:
    """The answer, when there is one."""
    if ending.body is None:
        return None
    value = cast("object", json.loads(ending.body))
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def text_of(message: Mapping[str, object]) -> str:
    """All text of an answer."""
    return "".join(_texts(message.get("content")))


def _texts(content: object) -> Iterator[str]:
    for block in cast("list[object]", content) if isinstance(content, list) else []:
        fields = cast("dict[str, object]", block) if isinstance(block, dict) else {}
        text = fields.get("text")
        if fields.get("type") == "text" and isinstance(text, str):
            yield text
