"""A journal lent to a scheduler: the run opened it, and closes it after the last result is written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

import anyio

from headway.core.events import JobEvent
from headway.core.job import JobRecord
from headway.core.outcome import Ending
from headway.ports import BatchLedger, Stored, Unfinished

if TYPE_CHECKING:
    from headway.adapters.sqlite import SQLiteJournal


class LentJournal:
    """Everything of an open journal but opening and closing."""

    def __init__(self, journal: SQLiteJournal) -> None:
        self._journal = journal
        self.batches: BatchLedger | None = getattr(journal, "batches", None)
        """Which jobs are in which message batch."""
        self._entered = 0
        self._more = anyio.Event()

    @property
    def recovered(self) -> int:
        """Jobs that were in flight when the last process died."""
        return self._journal.recovered

    async def open(self) -> None:
        """It is open."""

    async def aclose(self) -> None:
        """Its owner closes it."""

    async def admit(
        self, records: Sequence[JobRecord], *, reopen_failed: bool = False, twins: bool = False
    ) -> Sequence[Stored | None]:
        """Enter new jobs."""
        stored = await self._journal.admit(records, reopen_failed=reopen_failed, twins=twins)
        self._entered += len(stored)
        self._more.set()
        self._more = anyio.Event()
        return stored

    async def entered(self, count: int) -> None:
        """Wait until so many jobs were handed to `admit` and committed."""
        while self._entered < count:
            await self._more.wait()

    async def write(self, record: JobRecord, event: JobEvent, ending: Ending | None) -> None:
        """Store an event; committed on return."""
        await self._journal.write(record, event, ending)

    def append(self, record: JobRecord, event: JobEvent, ending: Ending | None) -> None:
        """Store an event without waiting."""
        self._journal.append(record, event, ending)

    async def get_meta(self, name: str) -> str | None:
        """A text kept with the journal."""
        return await self._journal.get_meta(name)

    async def set_meta(self, name: str, value: str) -> None:
        """Keep a text; committed on return."""
        await self._journal.set_meta(name, value)

    def unfinished(self) -> AsyncIterator[Unfinished]:
        """Jobs without an ending."""
        return self._journal.unfinished()

    def endings(self, after: int = 0) -> AsyncIterator[tuple[int, Ending]]:
        """Endings in order."""
        return self._journal.endings(after)
