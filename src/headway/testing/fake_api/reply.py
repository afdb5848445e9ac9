"""What the fake model says: decided by the seed and the request, nothing else."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import Final, cast

from headway.testing.fake_api.body_rules import text_schema
from headway.testing.fake_api.config import FakeConfig
from headway.testing.fake_api.sample import sample

Body = dict[str, object]
_WORDS: Final = (
    "The budget is a bucket with a hole at the top and a tap that never closes. What is taken is gone, what "
    "is not taken in time runs over. A patient client keeps the bucket nearly empty and never dry. "
)
_TEXT: Final = _WORDS * 24
_TOKEN_CHARS: Final = 3.6
_INTERRUPTED: Final = "previous response was interrupted"
"""https://platform.claude.com/docs/en/build-with-claude/streaming#error-recovery: models from 4.6 on."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply and how long it takes."""

    text: str
    """The text, or the JSON of the tool's input."""
    tool: tuple[str, str] | None
    """Id and name of the tool used instead of text."""
    stop_reason: str
    output_tokens: int
    ttft: float
    """Seconds."""
    speed: float
    """Tokens per second."""

    @property
    def seconds(self) -> float:
        """From admission to the last token."""
        return self.ttft + self.output_tokens / self.speed


def digest_of(seed: int, raw: bytes) -> bytes:
    """32 bytes that stand for the request under this seed."""
    return hashlib.blake2b(raw, digest_size=32, key=str(seed).encode()).digest()


def compose(body: Body, digest: bytes, config: FakeConfig) -> Reply:
    """The reply to a checked request."""
    max_tokens = cast("int", body["max_tokens"])
    tokens = min(_length(digest, config), max_tokens)
    stop_reason = "max_tokens" if tokens == max_tokens else "end_turn"
    tool = _tool(body, digest, willing=config.calls_tools)
    schema = text_schema(body)
    if tool is not None or schema is not None:
        text = json.dumps(sample(tool[2] if tool else cast("Body", schema)))
        needed = max(1, math.ceil(len(text) / _TOKEN_CHARS))
        tokens = min(needed, max_tokens)
        stop_reason = "max_tokens" if needed > max_tokens else "tool_use" if tool else "end_turn"
        text = text if needed <= max_tokens else text[: int(tokens * _TOKEN_CHARS)]
    else:
        text = _prose(_begin(body, digest), tokens)
    latency = config.latency
    ttft = latency.ttft * (1 + latency.jitter * (2 * _uniform(digest, 2) - 1))
    speed = latency.speed * (1 + latency.jitter * (2 * _uniform(digest, 3) - 1))
    return Reply(text, tool[:2] if tool else None, stop_reason, tokens, ttft, speed)


def _uniform(digest: bytes, index: int) -> float:
    return int.from_bytes(digest[index * 6 : index * 6 + 6]) / 2**48


def _length(digest: bytes, config: FakeConfig) -> int:
    mean, sigma = config.output.mean, config.output.sigma
    if sigma == 0:
        return max(1, round(mean))
    radius = math.sqrt(-2 * math.log(1 - _uniform(digest, 0)))
    normal = radius * math.cos(2 * math.pi * _uniform(digest, 1))
    return max(1, round(mean * math.exp(sigma * normal - sigma * sigma / 2)))


def _begin(body: Body, digest: bytes) -> int:
    """Where in the prose a reply begins: anywhere, or where the answer it is to continue stopped."""
    given = continued(body)
    if given is None:
        return digest[24] % len(_WORDS)
    found = _TEXT.find(given[-len(_WORDS) :])
    return digest[24] % len(_WORDS) if found < 0 else (found + len(given[-len(_WORDS) :])) % len(_WORDS)


def continued(body: Body) -> str | None:
    """The text that this request asks to continue: a prefilled turn, or one that "was interrupted"."""
    turns = cast("list[Body]", body.get("messages") or [{}])
    if len(turns) > 1 and turns[-1].get("role") == "user" and _INTERRUPTED in _text_of(turns[-1]):
        turns = turns[:-1]
    return _text_of(turns[-1]) if turns[-1].get("role") == "assistant" else None


def _text_of(turn: Body) -> str:
    content = turn.get("content")
    if isinstance(content, str):
        return content
    blocks = [block for block in cast("list[Body]", content or []) if block.get("type") == "text"]
    return "".join(str(block.get("text")) for block in blocks)


def _prose(begin: int, tokens: int) -> str:
    length = int(tokens * _TOKEN_CHARS)
    if begin + length <= len(_TEXT):
        return _TEXT[begin : begin + length]
    return (_TEXT * (length // len(_TEXT) + 2))[begin : begin + length]


def _tool(body: Body, digest: bytes, *, willing: bool) -> tuple[str, str, Body] | None:
    """Id, name and schema of the tool to call: the one that ``tool_choice`` asks for, or of a ``willing`` model
    with a free choice the first one, until a result of it has come."""
    choice = cast("Body", body.get("tool_choice") or {})
    free = choice.get("type") in (None, "auto") and willing and not _brings_result(body)
    if not free and choice.get("type") not in ("tool", "any"):
        return None
    wanted = choice.get("name") if choice.get("type") == "tool" else None
    for tool in cast("list[Body]", body.get("tools") or []):
        if "input_schema" in tool and wanted in (None, tool.get("name")):
            schema = cast("Body", tool["input_schema"])
            return f"toolu_{digest[:12].hex()}", str(tool["name"]), schema
    return None


def _brings_result(body: Body) -> bool:
    """Whether the last turn answers a tool call."""
    content = cast("list[Body]", body["messages"])[-1].get("content")
    blocks = cast("list[Body]", content) if isinstance(content, list) else []
    return any(block.get("type") == "tool_result" for block in blocks)
