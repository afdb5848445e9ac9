"""What a journal keeps of batches. Every function runs inside the caller's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from headway.adapters.sqlite.rows import RowError, Text, checksum, storable, text_of
from headway.errors import JournalError
from headway.ports import BatchEntry, BatchPlace, Stray

SOME = 200
"""Jobs read together."""
_COLUMNS = "batches.id, token, requests, name, newest, intended, batches.checksum"


def intend(connection: sqlite3.Connection, entry: BatchEntry, keys: Sequence[str]) -> None:
    """Enter a batch that is about to be created, and the jobs in it."""
    columns = _columns(entry)
    cursor = connection.execute(
        "INSERT INTO batches (token, requests, name, newest, intended, checksum) VALUES (?, ?, ?, ?, ?, ?)",
        (*columns, checksum(*columns)),
    )
    batch = cursor.lastrowid
    for position, key in enumerate(keys):
        _enter(connection, batch, position, key)


def _enter(connection: sqlite3.Connection, batch: int | None, position: int, key: str) -> None:
    row = connection.execute("SELECT id FROM jobs WHERE key = ?", (storable(key),)).fetchone()
    if row is None:
        raise JournalError(f"job {key}: not in the journal; admit it first")
    connection.execute(
        "INSERT OR REPLACE INTO batch_items (job, batch, position, checksum) VALUES (?, ?, ?, ?)",
        (row[0], batch, position, checksum(row[0], batch, position)),
    )


def note(connection: sqlite3.Connection, token: str, batch_id: str) -> None:
    """It was created."""
    batch, entry = _find(connection, token)
    columns = _columns(BatchEntry(entry.token, entry.requests, batch_id, entry.newest, entry.intended))
    connection.execute(
        "UPDATE batches SET name = ?, checksum = ? WHERE id = ?", (batch_id, checksum(*columns), batch)
    )


def forget(connection: sqlite3.Connection, token: str) -> None:
    """No job is in it any more; it is well to forget it twice."""
    row = connection.execute("SELECT id FROM batches WHERE token = ?", (token,)).fetchone()
    if row is not None:
        connection.execute("DELETE FROM batch_items WHERE batch = ?", row)
        connection.execute("DELETE FROM batches WHERE id = ?", row)


def end(connection: sqlite3.Connection, token: str) -> bool:
    """Forget it if no job waits for it any more."""
    batch, _ = _find(connection, token)
    waits = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM batch_items WHERE batch = ?)", (batch,)
    ).fetchone()[0]
    if not waits:
        forget(connection, token)
    return not waits


def leave(connection: sqlite3.Connection, key: Text) -> None:
    """A job has its result, or is not wanted any more."""
    connection.execute("DELETE FROM batch_items WHERE job = (SELECT id FROM jobs WHERE key = ?)", (key,))


def place_of_job(connection: sqlite3.Connection, job: int) -> BatchPlace | None:
    """The batch that a job is in."""
    row = connection.execute(
        f"SELECT position, batch_items.checksum, {_COLUMNS} FROM batch_items"  # noqa: S608 - a constant
        " LEFT JOIN batches ON batches.id = batch WHERE job = ?",
        (job,),
    ).fetchone()
    if row is None:
        return None
    position, check, batch = row[:3]
    if checksum(job, batch, position) != check:
        raise RowError("a place in a batch that does not agree with its checksum")
    return BatchPlace(_entry(row[2:]), position)


def open_batches(connection: sqlite3.Connection) -> list[BatchEntry]:
    """Those that jobs wait for, oldest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM batches"  # noqa: S608 - a constant
        " WHERE EXISTS (SELECT 1 FROM batch_items WHERE batch = batches.id) ORDER BY id"
    )
    return [_entry(row) for row in rows]


def waiting(connection: sqlite3.Connection, after: int) -> tuple[int, list[str]]:
    """The keys of some jobs with numbers above ``after`` that wait for a batch, and the last number."""
    rows = connection.execute(
        "SELECT job, key FROM batch_items JOIN jobs ON jobs.id = job WHERE job > ? ORDER BY job LIMIT ?",
        (after, SOME),
    ).fetchall()
    return (rows[-1][0] if rows else after), [text_of(key) for _, key in rows]


def jobs_in_batches(connection: sqlite3.Connection) -> dict[str, int]:
    """How many jobs wait for each batch, by its id (empty: nobody knows whether it was created)."""
    rows = connection.execute(
        "SELECT coalesce(name, ''), count(*) FROM batch_items JOIN batches ON batches.id = batch GROUP BY 1"
    )
    return {text_of(bytes(name)): count for name, count in rows}


def keep_strays(connection: sqlite3.Connection, strays: Sequence[Stray]) -> None:
    """Each once, however often its batch is read."""
    for stray in strays:
        columns = storable(stray.batch_id), storable(stray.custom_id), storable(stray.result)
        connection.execute(
            "INSERT OR IGNORE INTO strays (batch, custom_id, result, checksum) VALUES (?, ?, ?, ?)",
            (*columns, checksum(*columns)),
        )


def strays(connection: sqlite3.Connection) -> list[Stray]:
    """All of them, oldest first."""
    found: list[Stray] = []
    for *columns, check in connection.execute(
        "SELECT batch, custom_id, result, checksum FROM strays ORDER BY id"
    ):
        if checksum(*columns) != check:
            raise RowError("a stray result that does not agree with its checksum")
        found.append(Stray(*(text_of(column) for column in columns)))
    return found


def _find(connection: sqlite3.Connection, token: str) -> tuple[int, BatchEntry]:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM batches WHERE token = ?",  # noqa: S608 - a constant
        (token,),
    ).fetchone()
    if row is None:
        raise JournalError(f"batch {token}: not in the journal")
    return row[0], _entry(row)


def _columns(entry: BatchEntry) -> tuple[str, int, str | None, str | None, float]:
    return entry.token, entry.requests, entry.batch_id, entry.newest, entry.intended


def _entry(row: Sequence[object]) -> BatchEntry:
    batch, token, requests, name, newest, intended, check = row
    if batch is None or checksum(token, requests, name, newest, intended) != check:
        raise RowError("a batch that does not agree with its checksum")
    assert isinstance(token, bytes) and isinstance(requests, int) and isinstance(intended, float)
    return BatchEntry(text_of(token), requests, _text(name), _text(newest), intended)


def _text(stored: object) -> str | None:
    return text_of(stored) if isinstance(stored, bytes) else None
