"""The prompt cache: what was computed of earlier prompts, and what reading and writing it costs a request.

Entries exist at breakpoints only, by the hash of everything before them; a request reads the longest that is found
within 20 blocks before one of its own breakpoints, and writes what follows up to its last one. An entry can be read
once the first response begins, for as long as its ttl after its last use
(https://platform.claude.com/docs/en/build-with-claude/prompt-caching). Arithmetic only: the time is an argument.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

from headway.testing.fake_api.cache_rules import Body, ttl_of
from headway.testing.fake_api.catalog import Model
from headway.testing.fake_api.tokens import Where, tokens_until, weighed_blocks

LOOKBACK: Final = 20
"""Blocks before a breakpoint, itself included, at which an earlier entry is looked for."""
LIFE: Final = {"5m": 300.0, "1h": 3600.0}
"""Seconds without use after which an entry is gone."""
_PRUNE: Final = 1024
_SYSTEM_TOO: Final = ("speed", "output_config")
"""Parameters that make other entries of the system prompt and of all behind it."""
_MESSAGES_ONLY: Final = ("tool_choice", "thinking")
"""… and of the messages only ("what invalidates the cache")."""


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """Where a prefix ends that is to be cached."""

    key: bytes
    tokens: int
    """From the beginning to here."""
    ttl: str


@dataclass(frozen=True, slots=True)
class CacheUse:
    """What a request reads and writes."""

    read: int = 0
    written_5m: int = 0
    written_1h: int = 0
    found: tuple[bytes, ...] = ()
    """The entries that are used, and live on."""
    missing: tuple[Breakpoint, ...] = ()
    """The entries that the response will make."""

    @property
    def written(self) -> int:
        """Tokens of both lives."""
        return self.written_5m + self.written_1h


NO_CACHE: Final = CacheUse()


@dataclass(slots=True)
class _Entry:
    begins: float
    ends: float
    life: float


class PromptCache:
    """The entries of one account."""

    def __init__(self) -> None:
        self._entries: dict[bytes, _Entry] = {}
        self._prune_at = _PRUNE

    def look(self, body: Body, model: Model, whole: int, now: float) -> CacheUse:
        """What this request of ``whole`` input tokens would read and write now. Changes nothing."""
        keys: list[tuple[bytes, int]] = []
        breakpoints: list[tuple[int, Breakpoint]] = []
        for key, tokens, ttl in _prefixes(body, model):
            keys.append((key, tokens))
            if ttl is not None and tokens >= model.cache_minimum:
                breakpoints.append((len(keys), Breakpoint(key, min(tokens, whole), ttl)))
        if not breakpoints:
            return NO_CACHE
        hit = next(
            (
                (key, min(tokens, whole))
                for end, _ in reversed(breakpoints)
                for key, tokens in reversed(keys[max(0, end - LOOKBACK) : end])
                if self._usable(key, now)
            ),
            None,
        )
        read = hit[1] if hit else 0
        last = breakpoints[-1][1].tokens
        hour = max((point.tokens for _, point in breakpoints if point.ttl == "1h"), default=0)
        hour = max(hour, read)
        found = [point.key for _, point in breakpoints if self._usable(point.key, now)]
        missing = tuple(point for _, point in breakpoints if not self._usable(point.key, now))
        return CacheUse(
            read, max(0, last - hour), hour - read, tuple(dict.fromkeys([*found, *(hit or ())[:1]])), missing
        )

    def use(self, what: CacheUse, now: float, begins: float) -> None:
        """A request was admitted whose response begins at ``begins``."""
        for key in what.found:
            entry = self._entries[key]
            entry.ends = max(entry.ends, now + entry.life)
        for point in what.missing:
            first, life = begins, LIFE[point.ttl]
            known = self._entries.get(point.key)
            if known is not None and known.ends > now:  # another response is making it already
                first, life = min(begins, known.begins), max(life, known.life)
            self._entries[point.key] = _Entry(first, begins + life, life)
        self._prune(now)

    def forget(self, what: CacheUse, now: float) -> None:
        """The client of that request has gone; what its response had not begun to make is not made."""
        for point in what.missing:
            entry = self._entries.get(point.key)
            if entry is not None and entry.begins > now:
                del self._entries[point.key]

    def _usable(self, key: bytes, now: float) -> bool:
        entry = self._entries.get(key)
        return entry is not None and entry.begins <= now < entry.ends

    def _prune(self, now: float) -> None:
        if len(self._entries) > self._prune_at:
            self._entries = {key: entry for key, entry in self._entries.items() if entry.ends > now}
            self._prune_at = 2 * len(self._entries) + _PRUNE


def _prefixes(body: Body, model: Model) -> Iterator[tuple[bytes, int, str | None]]:
    """Hash and tokens of the prompt up to each block, and the ttl where there is a breakpoint."""
    automatic = body.get("cache_control")
    blocks = list(weighed_blocks(body))
    if automatic is None and not any("cache_control" in block for _, block, _ in blocks):
        return
    running = hashlib.blake2b(_text([model.alias_of or model.id, body.get("workspace_id")]), digest_size=16)
    section = ""
    chars, last = 0.0, _last_cacheable(blocks)
    for index, (where, block, weight) in enumerate(blocks):
        if where.section != section:
            section = where.section
            names = _SYSTEM_TOO if section == "system" else (*_SYSTEM_TOO, *_MESSAGES_ONLY)
            running.update(
                _text([section, *([body.get(name) for name in names] if section != "tools" else [])])
            )
        plain = {name: value for name, value in block.items() if name != "cache_control"}
        running.update(_text([where.role, where.messages, plain]))
        chars += weight
        control = block.get("cache_control")
        if control is None and automatic is not None and index == last:
            control = automatic
        ttl = None if control is None else str(ttl_of(control))
        yield running.digest(), math.floor(tokens_until(chars, where.messages, model)), ttl


def _last_cacheable(blocks: list[tuple[Where, Body, float]]) -> int:
    """Where the automatic breakpoint goes."""
    for index in range(len(blocks) - 1, -1, -1):
        block = blocks[index][1]
        thinking = block.get("type") in ("thinking", "redacted_thinking")
        if not thinking and not (block.get("type") == "text" and not block.get("text")):
            return index
    return -1


def _text(value: object) -> bytes:
    return json.dumps(cast("list[object]", value), sort_keys=True).encode() + b"\n"
