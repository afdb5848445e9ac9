"""Batches of a scheduler without a journal: known as long as the process lives."""

from __future__ import annotations

from collections.abc import Sequence

from headway.ports import BatchEntry, Stray


class MemoryLedger:
    """Keeps strays, and nothing else that a crash could need."""

    def __init__(self) -> None:
        self._strays: dict[Stray, None] = {}

    async def intend_batch(self, entry: BatchEntry, keys: Sequence[str]) -> None:
        """Nobody will ask."""

    async def note_batch(self, token: str, batch_id: str) -> None:
        """Nobody will ask."""

    async def forget_batch(self, token: str) -> None:
        """It is not kept."""

    async def end_batch(self, token: str) -> bool:
        """It is not kept."""
        return True

    async def keep_strays(self, strays: Sequence[Stray]) -> None:
        """Keep results that belong to no job, each once."""
        self._strays.update(dict.fromkeys(strays))

    async def strays(self) -> Sequence[Stray]:
        """All that were kept."""
        return tuple(self._strays)

    async def open_batches(self) -> Sequence[BatchEntry]:
        """None outlives the process."""
        return ()
