"""The beginnings of a prompt that are to be cached: one for each breakpoint, named by a hash of all before it.

Tools come first, then the system prompt, then the messages; requests share an entry when everything before its
breakpoint is the same, and the parameters that make other entries are too
(https://platform.claude.com/docs/en/build-with-claude/prompt-caching).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from headway.core.catalog import BUILT_IN, Catalog
from headway.core.tokens import CHARS_PER_TOKEN, NOTHING, PromptSize, measure

Block = Mapping[str, object]
LIFE: Final = {"5m": 300.0, "1h": 3600.0}
"""Seconds without use after which an entry is gone."""
MINIMUM: Final = 1024
"""Tokens below which the prefix of an unknown model is taken not to be cached."""
MARGIN: Final = 0.75
"""Share of the minimum from which a prefix counts: its tokens are estimated, newer tokenizers make a third more."""
ENTRY_PARAMETERS: Final = ("model", "thinking", "tool_choice", "output_config", "speed")
"""Parameters that make another cache entry of the same blocks (the page on prompt caching, "what invalidates")."""


@dataclass(frozen=True, slots=True)
class CachePrefix:
    """What the API may keep of a prompt."""

    digest: bytes
    life: float
    """Seconds without use after which the entry is gone."""
    size: PromptSize = NOTHING
    """Of all up to its end."""


def cache_prefixes(params: Mapping[str, object], catalog: Catalog = BUILT_IN) -> tuple[CachePrefix, ...]:
    """Those of a request body that are long enough for its model to be cached, shortest first."""
    facts = catalog.find(str(params.get("model")))
    least = MARGIN * (MINIMUM if facts is None else facts.cache_minimum)
    running = hashlib.blake2b(_text([params.get(name) for name in ENTRY_PARAMETERS]), digest_size=16)
    begun: dict[str, list[object]] = {"tools": [], "system": [], "messages": []}
    blocks = list(_blocks(params))
    last = _last_cacheable(blocks) if params.get("cache_control") is not None else -1
    found: list[CachePrefix] = []
    for index, (section, role, block) in enumerate(blocks):
        plain = {name: value for name, value in block.items() if name != "cache_control"}
        running.update(_text([section, role, plain]))
        begun[section].append(plain if role is None else {"role": role, "content": [plain]})
        control = _control(block) or (params.get("cache_control") if index == last else None)
        if control is None:
            continue
        size = measure({"model": params.get("model"), **begun})
        if size.fixed + size.characters / CHARS_PER_TOKEN >= least:
            ttl = cast("Block", control).get("ttl") if isinstance(control, Mapping) else None
            found.append(CachePrefix(running.digest(), LIFE.get(str(ttl), LIFE["5m"]), size))
    return tuple(found)


def _blocks(params: Mapping[str, object]) -> Iterator[tuple[str, str | None, Block]]:
    """Section, role (of messages) and block, in the order in which the API reads them."""
    for name in ("tools", "system"):
        for block in _of(params.get(name)):
            yield name, None, block
    for index, message in enumerate(_of(params.get("messages"))):
        for block in _of(message.get("content")):
            yield "messages", f"{index} {message.get('role')}", block


def _of(content: object) -> Iterator[Block]:
    if isinstance(content, str):
        yield {"type": "text", "text": content}
    elif isinstance(content, list | tuple):
        for block in cast("list[object]", content):
            if isinstance(block, Mapping):
                yield cast("Block", block)


def _control(block: Block) -> object:
    """Its ``cache_control``, or that of a block inside of a tool result."""
    inner = block.get("content") if block.get("type") == "tool_result" else None
    nested = (one.get("cache_control") for one in _of(inner))
    return block.get("cache_control") or next((control for control in nested if control), None)


def _last_cacheable(blocks: list[tuple[str, str | None, Block]]) -> int:
    """Where the automatic breakpoint goes (top-level ``cache_control``)."""
    for index in range(len(blocks) - 1, -1, -1):
        block = blocks[index][2]
        empty = block.get("type") == "text" and not block.get("text")
        if not empty and block.get("type") not in ("thinking", "redacted_thinking"):
            return index
    return -1


def _text(value: list[object]) -> bytes:
    return json.dumps(value, sort_keys=True, default=repr).encode() + b"\n"
