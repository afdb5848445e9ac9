"""The journal that the runtime sees: awaitable, in one event loop, never blocking it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from sqlite3 import Connection
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

import anyio
from anyio.to_thread import run_sync

from headway.adapters.sqlite import intake, meta, reading
from headway.adapters.sqlite.ledger import SQLiteLedger
from headway.adapters.sqlite.writer import GROUP_ROWS, Writer
from headway.core.events import JobEvent
from headway.core.job import JobRecord, JobState
from headway.core.outcome import Ending
from headway.errors import JournalError
from headway.ports import Stored, Unfinished

P = ParamSpec("P")
T = TypeVar("T")


class SQLiteJournal:
    """A journal in one SQLite file (WAL, ``synchronous=FULL``, group commit), for one process at a time.

    Beside it live ``PATH-wal`` and ``PATH-shm`` while it is open, and ``PATH.lock``. Every method is for the
    event loop that opened it. After a failure to write (a full disk, say) everything raises that `JournalError`
    until the journal is closed; what was committed is safe.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.recovered = 0
        """Jobs that were in flight when the last process died."""
        self.batches = SQLiteLedger(self._in_open_writer, self.path)
        """Which jobs are in which message batch."""
        self._writer: Writer | None = None

    def __repr__(self) -> str:
        return f"SQLiteJournal({str(self.path)!r})"

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def open(self) -> None:
        """Open or create, take the lock, check, recover what was in flight.

        Raises `JournalLockedError`, `JournalDamagedError`, or `JournalError` for all else (no such folder, no
        permission, not a journal, written by a newer version).
        """
        if self._writer is not None and not self._writer.foreign:
            raise JournalError(f"{self.path}: the journal is open already")
        self._writer = writer = Writer(self.path)
        try:
            self.recovered = await writer.order(lambda database: intake.recover(database.connection))
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Commit what is pending, close the file, release the lock; harmless when closed.

        Raises `JournalError` if an `append` could not be committed and nobody has heard of it yet.
        """
        writer, self._writer = self._writer, None
        if writer is None or writer.foreign:
            return
        writer.stop()
        with anyio.CancelScope(shield=True):
            await run_sync(writer.join)

    async def admit(
        self, records: Sequence[JobRecord], *, reopen_failed: bool = False, twins: bool = False
    ) -> Sequence[Stored | None]:
        """Enter new jobs in one transaction; for known keys say what is known instead.

        With ``reopen_failed`` jobs stored as failed, expired or cancelled are queued again, if the request is
        the same. Raises `RequestError` for a request that JSON cannot hold: nothing is entered then. ``twins``:
        say of unfinished jobs whether an identical request was answered (the first time makes an index).
        """
        wanted = tuple(records)
        return await self._in_open_writer().order(
            lambda database: intake.admit(
                database.connection, wanted, reopen_failed=reopen_failed, twins=twins
            ),
            len(wanted),
        )

    async def write(self, record: JobRecord, event: JobEvent, ending: Ending | None) -> None:
        """Store a job after an event; returns when it is committed. Cancelling the wait does not undo it."""
        await self._in_open_writer().order(
            lambda database: intake.write(database.connection, record, event, ending)
        )

    def append(self, record: JobRecord, event: JobEvent, ending: Ending | None) -> None:
        """Store it without waiting; an error is raised by the next `write`, or by `aclose`."""
        self._in_open_writer().order_silently(
            lambda database: intake.write(database.connection, record, event, ending)
        )

    async def known(self, keys: Sequence[str]) -> dict[str, reading.Known]:
        """What is known of those keys that are in the journal; much cheaper than `admit`."""
        wanted = tuple(keys)
        states: dict[str, reading.Known] = {}
        for start in range(0, len(wanted), reading.CHUNK_ROWS):
            states |= await self._read(reading.known, wanted[start : start + reading.CHUNK_ROWS])
        return states

    async def unfinished(self) -> AsyncIterator[Unfinished]:
        """The jobs that have no ending when asked, oldest first."""
        after, last = 0, await self._read(reading.last_job)
        while after < last:
            after, chunk = await self._read(reading.unfinished, after, last)
            for item in chunk:
                yield item

    async def endings(self, after: int = 0) -> AsyncIterator[tuple[int, Ending]]:
        """The endings committed when asked, in the order of their sequence numbers, from ``after`` on."""
        first, seen, last = after, 0, await self._read(reading.last_ending)
        while chunk := await self._read(reading.endings, after, last):
            for item in chunk:
                yield item
            after = chunk[-1][0]
            seen += len(chunk)
        await self._read(reading.check_endings, first, last, seen)

    async def get_meta(self, name: str) -> str | None:
        """A value kept with the journal."""
        return await self._read(meta.get, name)

    async def set_meta(self, name: str, value: str) -> None:
        """Keep a value with the journal; committed on return.

        A name that begins with ``finished.`` is kept until a finished job is queued again (`admit` with
        ``reopen_failed``): what was concluded from jobs being finished does not outlive that.
        """
        if name.startswith(meta.OWN):
            raise ValueError(f"names that begin with {meta.OWN!r} belong to the journal")
        await self._in_open_writer().order(lambda database: meta.put(database.connection, name, value))

    async def counts(self) -> dict[JobState, int]:
        """How many jobs are in each state; every state is named."""
        return await self._read(reading.counts)

    async def rank_of(self, key: str) -> tuple[int, int] | None:
        """The sequence number of a job's ending, and how many endings have one as low or lower."""
        return await self._read(reading.rank_of, key)

    async def _read(
        self, read: Callable[Concatenate[Connection, P], T], *arguments: P.args, **options: P.kwargs
    ) -> T:
        """A chunk counts as a full group: writers wait for one chunk at most."""
        return await self._in_open_writer().order(
            lambda database: read(database.connection, *arguments, **options), GROUP_ROWS
        )

    def _in_open_writer(self) -> Writer:
        if self._writer is None:
            raise JournalError(f"{self.path}: the journal is not open")
        return self._writer
