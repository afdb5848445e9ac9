"""The batches of a journal, as the runtime sees them: awaitable, committed on return."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headway.adapters.sqlite import batches
from headway.adapters.sqlite.writer import GROUP_ROWS, Writer
from headway.ports import BatchEntry, Stray


class SQLiteLedger:
    """Batches and what is in them; part of a `SQLiteJournal`."""

    def __init__(self, writer: Callable[[], Writer]) -> None:
        self._writer = writer

    async def intend_batch(self, entry: BatchEntry, keys: Sequence[str]) -> None:
        """A batch is about to be created of these jobs."""
        wanted = tuple(keys)
        await self._writer().order(
            lambda database: batches.intend(database.connection, entry, wanted), len(wanted)
        )

    async def note_batch(self, token: str, batch_id: str) -> None:
        """It was created."""
        await self._writer().order(lambda database: batches.note(database.connection, token, batch_id))

    async def forget_batch(self, token: str) -> None:
        """No job is in it any more."""
        await self._writer().order(lambda database: batches.forget(database.connection, token), GROUP_ROWS)

    async def end_batch(self, token: str) -> bool:
        """All its results were read; true if it is forgotten now."""
        return await self._writer().order(lambda database: batches.end(database.connection, token))

    async def keep_strays(self, strays: Sequence[Stray]) -> None:
        """Keep results that belong to no job."""
        kept = tuple(strays)
        await self._writer().order(lambda database: batches.keep_strays(database.connection, kept), len(kept))

    async def strays(self) -> Sequence[Stray]:
        """All that were kept."""
        return await self._writer().order(lambda database: batches.strays(database.connection), GROUP_ROWS)

    async def open_batches(self) -> Sequence[BatchEntry]:
        """Batches that jobs wait for."""
        return await self._writer().order(
            lambda database: batches.open_batches(database.connection), GROUP_ROWS
        )
