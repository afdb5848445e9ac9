"""A reply as the JSON of a Message, or as the events of a stream."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from headway.testing.fake_api.prompt_cache import NO_CACHE, CacheUse
from headway.testing.fake_api.reply import Reply

_MOST_DELTAS: Final = 256
PING: Final = b'event: ping\ndata: {"type": "ping"}\n\n'


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event and how many output tokens have been generated when it is due."""

    name: str
    payload: bytes
    tokens: int


def usage(input_tokens: int, output_tokens: int, cached: CacheUse = NO_CACHE) -> dict[str, object]:
    """The ``usage`` object; ``input_tokens`` are those of the whole prompt."""
    return {
        "input_tokens": input_tokens - cached.read - cached.written,
        "cache_creation_input_tokens": cached.written,
        "cache_read_input_tokens": cached.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": cached.written_5m,
            "ephemeral_1h_input_tokens": cached.written_1h,
        },
        "output_tokens": output_tokens,
        "service_tier": "standard",
        "inference_geo": "global",
    }


def message(
    message_id: str, model: str, input_tokens: int, reply: Reply, cached: CacheUse = NO_CACHE
) -> dict[str, object]:
    """The whole Message."""
    refused = reply.stop_reason == "refusal"
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": _content(message_id, reply) if reply.output_tokens and not refused else [],
        "stop_reason": reply.stop_reason,
        "stop_sequence": None,
        "stop_details": {"type": "refusal", "category": "cyber", "explanation": None} if refused else None,
        "container": None,
        "usage": usage(input_tokens, reply.output_tokens, cached),
    }


def _content(message_id: str, reply: Reply) -> list[dict[str, object]]:
    if reply.tool is not None:
        tool_id, name = reply.tool
        return [{"type": "tool_use", "id": tool_id, "name": name, "input": _whole(reply.text)}]
    text: dict[str, object] = {"type": "text", "text": reply.text}
    if reply.stop_reason != "pause_turn":
        return [text]
    searching = {"type": "server_tool_use", "id": f"srvtoolu_{message_id[4:]}", "name": "web_search"}
    return [text, {**searching, "input": {"query": "buckets"}}]


def events(
    message_id: str, model: str, input_tokens: int, reply: Reply, chunk: int, cached: CacheUse = NO_CACHE
) -> list[Event]:
    """The stream, in order: message_start, content, message_delta, message_stop."""
    opening = message(message_id, model, input_tokens, reply)
    opening |= {"content": list[object](), "stop_reason": None, "usage": usage(input_tokens, 1, cached)}
    block: dict[str, object] = {"type": "text", "text": ""}
    if reply.tool is not None:
        block = {"type": "tool_use", "id": reply.tool[0], "name": reply.tool[1], "input": {}}
    stop = {"stop_reason": reply.stop_reason, "stop_sequence": None, "stop_details": None}
    total = reply.output_tokens
    closing = {key: value for key, value in usage(input_tokens, total, cached).items() if "tokens" in key}
    content = [
        event("content_block_start", {"index": 0, "content_block": block}, 0),
        Event("ping", PING, 0),
        *_deltas(reply, chunk),
        event("content_block_stop", {"index": 0}, total),
    ]
    return [
        event("message_start", {"message": opening}, 0),
        *(content if total else []),
        event("message_delta", {"delta": stop, "usage": closing}, total),
        event("message_stop", {}, total),
    ]


def event(name: str, fields: dict[str, object], tokens: int) -> Event:
    """One event on the wire."""
    data = json.dumps({"type": name, **fields})
    return Event(name, f"event: {name}\ndata: {data}\n\n".encode(), tokens)


def _deltas(reply: Reply, chunk: int) -> list[Event]:
    count = max(1, min(_MOST_DELTAS, -(-reply.output_tokens // chunk), len(reply.text)))
    kind, key = ("text_delta", "text") if reply.tool is None else ("input_json_delta", "partial_json")
    length = len(reply.text)
    return [
        event(
            "content_block_delta",
            {
                "index": 0,
                "delta": {
                    "type": kind,
                    key: reply.text[length * index // count : length * (index + 1) // count],
                },
            },
            reply.output_tokens * (index + 1) // count,
        )
        for index in range(count)
    ]


def _whole(text: str) -> object:
    """A tool's input; one cut off by max_tokens comes as an empty object."""
    try:
        return json.loads(text)
    except ValueError:
        return {}
