"""The batches of a journal, as the runtime sees them: awaitable, committed on return."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from pathlib import Path

from headway.adapters.sqlite import batches, reading
from headway.adapters.sqlite.fault import fault_of
from headway.adapters.sqlite.rows import RowError
from headway.adapters.sqlite.schema import connect
from headway.adapters.sqlite.writer import GROUP_ROWS, Writer
from headway.core.amendment import Amendment
from headway.core.request import Request
from headway.ports import BatchEntry, Stray


class SQLiteLedger:
    """Batches and what is in them; part of a `SQLiteJournal`."""

    def __init__(self, writer: Callable[[], Writer], path: Path) -> None:
        self._writer = writer
        self._path = path

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

    async def requests(self, keys: Sequence[str]) -> Sequence[tuple[Request, Amendment | None]]:
        """The requests of these jobs, and what was made of each since."""
        wanted = tuple(keys)
        return await self._writer().order(
            lambda database: reading.requests(database.connection, wanted), len(wanted)
        )

    async def in_batches(self) -> AsyncIterator[tuple[str, Request]]:
        """Keys and requests of the jobs that wait for a batch."""
        after = 0
        while True:
            after, keys = await self._writer().order(
                lambda database, after=after: batches.waiting(database.connection, after), GROUP_ROWS
            )
            if not keys:
                return
            for key, (request, _) in zip(keys, await self.requests(keys), strict=True):
                yield key, request

    async def waiting(self) -> dict[str, int]:
        """How many jobs wait for each batch, by its id; empty: it is not known whether that batch exists."""
        return await self._writer().order(
            lambda database: batches.jobs_in_batches(database.connection), GROUP_ROWS
        )

    def read(self, key: str) -> tuple[Request, Amendment | None]:
        """The same of one job, at once, also when the journal is closed. Raises `JournalError`."""
        try:
            with closing(connect(self._path, read_only=True)) as connection:
                return reading.requests(connection, (key,))[0]
        except (sqlite3.Error, RowError, OSError) as error:
            raise fault_of(self._path, error) from None
