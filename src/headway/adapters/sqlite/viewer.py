"""Looking into a journal that another process may be writing: read-only, without its lock."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final, TypeVar

from headway.adapters.sqlite import batches, reading
from headway.adapters.sqlite.fault import fault_of
from headway.adapters.sqlite.rows import RowError, ending_of_columns, storable, text_of
from headway.adapters.sqlite.schema import APPLICATION, connect
from headway.core.job import JobState
from headway.core.outcome import Ending
from headway.errors import JournalError
from headway.ports import Stray

T = TypeVar("T")
CHUNK: Final = 500
"""Endings read at a time: a reader that holds a snapshot for long keeps the WAL from being cleaned up."""


class JournalView:
    """The results in a journal, for one thread. Blocks. Raises `JournalError` subclasses.

    What is committed while it is read may be there or not; nothing is there by halves.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise JournalError(f"{path}: there is no such journal")
        self._connection = self._try(lambda: connect(path, read_only=True))
        try:
            (application,) = self._try(lambda: self._connection.execute("PRAGMA application_id").fetchone())
        except BaseException:
            self._connection.close()
            raise
        if application != APPLICATION:
            self._connection.close()
            raise JournalError(f"{path}: not a journal of headway")

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def counts(self) -> dict[JobState, int]:
        """How many jobs are in each state; every state is named."""
        return self._try(lambda: reading.counts(self._connection))

    def last(self) -> int:
        """The sequence number of the newest ending; 0 when there is none."""
        return self._try(lambda: reading.last_ending(self._connection))

    def endings(self, states: Collection[JobState] = ()) -> Iterator[Ending]:
        """Every ending, or those with one of these states, in the order in which the jobs ended."""
        return self._pages("seq", states)

    def endings_by_input(self, states: Collection[JobState] = ()) -> Iterator[Ending]:
        """The same in the order in which the jobs were entered."""
        return self._pages("job", states)

    def ended(self, *, failed: bool = True) -> Iterator[tuple[str, bytes | None]]:
        """The keys of the jobs that have an ending (without ``failed``: an answer), and for answers the hash of their
        content; the answers themselves are not read."""
        after = 0
        while True:
            rows = self._try(
                lambda after=after: self._connection.execute(
                    "SELECT seq, endings.key, state = 'succeeded', hash FROM endings JOIN jobs ON job = jobs.id"
                    " WHERE seq > ? AND (? OR state = 'succeeded') ORDER BY seq LIMIT ?",
                    (after, failed, 100 * CHUNK),
                ).fetchall()
            )
            for _, key, succeeded, digest in rows:
                yield text_of(key), digest if succeeded else None
            if len(rows) < 100 * CHUNK:
                return
            after = rows[-1][0]

    def ending(self, key: str) -> Ending | None:
        """The ending of one job; ``None`` while it has none, or when there is no such job."""
        row = self._try(
            lambda: self._connection.execute(
                "SELECT endings.key, state, body, facts, endings.checksum FROM jobs"
                " JOIN endings ON job = jobs.id WHERE jobs.key = ?",
                (storable(key),),
            ).fetchone()
        )
        return None if row is None else self._try(lambda: ending_of_columns(*row))

    def strays(self) -> list[Stray]:
        """Results of message batches that belong to no job, oldest first."""
        return self._try(lambda: batches.strays(self._connection)) if self._keeps_batches() else []

    def waiting(self) -> dict[str, int]:
        """How many jobs wait for each message batch, by its id; empty: nobody knows whether it was created."""
        return self._try(lambda: batches.jobs_in_batches(self._connection)) if self._keeps_batches() else {}

    def _keeps_batches(self) -> bool:
        """Not those of older versions that nobody has opened since."""
        names = self._try(
            lambda: self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'strays'").fetchone()
        )
        return names is not None

    def _pages(self, place: str, states: Collection[JobState]) -> Iterator[Ending]:
        wanted = [state.value for state in states]
        among = f"AND state IN ({','.join('?' * len(wanted))})" if wanted else ""
        after = 0
        while True:
            rows = self._try(
                lambda after=after: self._connection.execute(
                    f"SELECT {place}, key, state, body, facts, checksum FROM endings"  # noqa: S608 - not input
                    f" WHERE {place} > ? {among} ORDER BY {place} LIMIT {CHUNK}",
                    (after, *wanted),
                ).fetchall()
            )
            for row in rows:
                yield self._try(lambda row=row: ending_of_columns(*row[1:]))
            if len(rows) < CHUNK:
                return
            after = rows[-1][0]

    def _try(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except (sqlite3.Error, RowError, OSError) as error:
            raise fault_of(self.path, error) from None
