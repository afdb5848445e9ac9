"""What prompts will read from the cache and write to it, when of those with the same beginning one goes first.

The rule is that of a run (`Warmth`): the first job with a prefix writes it, all others read it. An entry is taken to
live for as long as the run needs it, because every read renews it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from headway.core.cache_prefix import LIFE, CachePrefix
from headway.core.tokens import NOTHING, PromptSize
from headway.core.warmth import MOST

BATCH_HITS: Final = 0.3
"""Of what could be read, the share that is read inside of a message batch, at least: requests of a batch are
processed at the same time, so nobody waits for the first. 30 to 98 % are usual
(https://platform.claude.com/docs/en/build-with-claude/batch-processing#using-prompt-caching-with-message-batches)."""


@dataclass(frozen=True, slots=True)
class CacheUse:
    """The parts of one prompt that the cache has to do with."""

    read: PromptSize = NOTHING
    read_1h: PromptSize = NOTHING
    """The same of entries with an hour's life: they differ where a read fails, and is written again."""
    written: PromptSize = NOTHING
    written_1h: PromptSize = NOTHING


NO_USE: Final = CacheUse()


class CacheForecast:
    """The prefixes of the prompts so far; of too many those that were not used for longest are forgotten."""

    def __init__(self) -> None:
        self._known: dict[bytes, None] = {}

    def use(self, prefixes: Sequence[CachePrefix]) -> CacheUse:
        """What the next prompt reads and writes; ``prefixes`` are its own, shortest first."""
        if not prefixes:
            return NO_USE
        hit = next((prefix for prefix in reversed(prefixes) if prefix.digest in self._known), None)
        for prefix in prefixes:
            self._known.pop(prefix.digest, None)
            self._known[prefix.digest] = None
        if len(self._known) > MOST:
            for digest in list(self._known)[: -MOST // 2]:
                del self._known[digest]
        read = NOTHING if hit is None else hit.size
        # Entries of an hour come before those of five minutes; what is read is not written.
        hours = [prefix.size for prefix in prefixes if prefix.life == LIFE["1h"]]
        hour = max([read, *hours], key=_weight)
        whole = max([hour, prefixes[-1].size], key=_weight)
        lasting = hit is not None and hit.life == LIFE["1h"]
        return CacheUse(
            read=NOTHING if lasting else read,
            read_1h=read if lasting else NOTHING,
            written=_less(whole, hour),
            written_1h=_less(hour, read),
        )


def _weight(size: PromptSize) -> float:
    return size.characters + size.fixed


def _less(size: PromptSize, other: PromptSize) -> PromptSize:
    return PromptSize(size.characters - other.characters, size.fixed - other.fixed)
