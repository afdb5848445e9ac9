"""What is read of a journal, a chunk at a time: a chunk bounds memory, and how long writers wait for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from headway.adapters.sqlite.rows import (
    RowError,
    amendment_of_columns,
    checksum,
    ending_of_columns,
    request_of,
    state_of,
    storable,
    text_of,
)
from headway.core.amendment import Amendment
from headway.core.job import JobState, Priority
from headway.core.outcome import Ending
from headway.core.request import Request
from headway.ports import Unfinished

CHUNK_ROWS: Final = 500
CHUNK_BYTES: Final = 4_000_000
_ALIKE: Final = 16
"""Jobs with the same content that are looked at."""
_SCAN: Final = 20_000
"""Jobs looked at for one chunk of unfinished ones."""
_KNOWN: Final = (
    "SELECT key, hash, state, sends, maybe_billed, progress.checksum"
    " FROM jobs JOIN progress USING (id) WHERE key IN (KEYS)"
)
_REQUESTS: Final = (
    "SELECT key, hash, priority, tenant, request, jobs.checksum, amendment, amendments.checksum"
    " FROM jobs LEFT JOIN amendments USING (id) WHERE key IN (KEYS)"
)


def ending_of_job(connection: sqlite3.Connection, job: int) -> Ending:
    """The ending of a job that has one."""
    row = connection.execute(
        "SELECT key, state, body, facts, checksum FROM endings WHERE job = ?", (job,)
    ).fetchone()
    if row is None:
        raise RowError("a finished job without an ending")
    return ending_of_columns(*row)


def ending_of_content(connection: sqlite3.Connection, digest: bytes) -> Ending | None:
    """The answer to a request with this content, of the first jobs that asked for it: later ones wait for these."""
    row = connection.execute(
        "SELECT key, state, body, facts, checksum FROM endings JOIN"
        " (SELECT id FROM jobs WHERE hash = ? ORDER BY id LIMIT ?) AS alike ON job = alike.id"
        " WHERE state = 'succeeded' LIMIT 1",
        (digest, _ALIKE),
    ).fetchone()
    return None if row is None else ending_of_columns(*row)


def amendment_of_job(connection: sqlite3.Connection, job: int) -> Amendment | None:
    """What was made of a job's request, if it is not finished and anything was."""
    row = connection.execute("SELECT amendment, checksum FROM amendments WHERE id = ?", (job,)).fetchone()
    return None if row is None else amendment_of_columns(*row)


def last_ending(connection: sqlite3.Connection) -> int:
    """The highest sequence number."""
    return connection.execute("SELECT coalesce(max(seq), 0) FROM endings").fetchone()[0]


def last_job(connection: sqlite3.Connection) -> int:
    """The highest job number."""
    return connection.execute("SELECT coalesce(max(id), 0) FROM jobs").fetchone()[0]


def endings(connection: sqlite3.Connection, after: int, last: int) -> list[tuple[int, Ending]]:
    """A chunk of the endings with ``after < seq <= last``; empty when there are no more."""
    cursor = connection.execute(
        "SELECT seq, key, state, body, facts, checksum FROM endings WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
        (after, last, CHUNK_ROWS),
    )
    rows, _ = _chunk(cursor)
    return [(row[0], ending_of_columns(*row[1:])) for row in rows]


def check_endings(connection: sqlite3.Connection, after: int, last: int, seen: int) -> None:
    """Raises `RowError` if fewer endings were seen than the index on ``job`` knows: a page was passed over."""
    if seen < _count(connection, after, last):
        raise RowError("some endings cannot be found")


def _count(connection: sqlite3.Connection, after: int, last: int) -> int:
    """Endings with ``after < seq <= last``, counted in the index on ``job``, which holds no bodies."""
    return connection.execute(
        "SELECT count(*) FROM endings INDEXED BY sqlite_autoindex_endings_1 WHERE job > 0 AND seq > ? AND seq <= ?",
        (after, last),
    ).fetchone()[0]


def unfinished(connection: sqlite3.Connection, after: int, last: int) -> tuple[int, list[Unfinished]]:
    """A chunk of the jobs with ``after < id <= last`` that have no ending, and the ``after`` of the next chunk."""
    until = min(after + _SCAN, last)
    (found,) = connection.execute(
        "SELECT count(*) FROM progress WHERE id > ? AND id <= ?", (after, until)
    ).fetchone()
    if found != until - after:  # Jobs are numbered without gaps and never deleted.
        raise RowError("some jobs cannot be found")
    cursor = connection.execute(
        "SELECT progress.id, key, hash, priority, tenant, request, jobs.checksum FROM progress"
        " LEFT JOIN jobs USING (id) WHERE progress.id > ? AND progress.id <= ?"
        " AND state IN ('queued', 'running', 'waiting') ORDER BY progress.id LIMIT ?",
        (after, until, CHUNK_ROWS),
    )
    rows, cut = _chunk(cursor)
    for row in rows:
        if checksum(*row[1:6]) != row[6]:
            raise RowError("a job that does not agree with its checksum")
    found_here = [
        Unfinished(text_of(row[1]), request_of(row[5]), Priority(row[3]), text_of(row[4])) for row in rows
    ]
    return (rows[-1][0] if cut else until), found_here


def _chunk(cursor: sqlite3.Cursor) -> tuple[list[Sequence[Any]], bool]:
    """Rows until they are many or large, and whether there may be more."""
    rows: list[Sequence[Any]] = []
    size = 0
    for row in cursor:
        rows.append(row)
        size += sum(len(column) for column in row if isinstance(column, bytes))
        if size > CHUNK_BYTES or len(rows) == CHUNK_ROWS:
            cursor.close()  # An open statement would keep its snapshot.
            return rows, True
    return rows, False


class Known(NamedTuple):
    """What a journal knows of a job without reading its request or its answer."""

    state: JobState
    digest: bytes
    """SHA-256 of the content of its request: `Request.content_hash`, as bytes."""
    maybe_billed: int


def known(connection: sqlite3.Connection, keys: Sequence[str]) -> dict[str, Known]:
    """What is known of those keys that are in the journal, in their order; one statement for all of them."""
    wanted = [storable(key) for key in keys]
    rows = connection.execute(_KNOWN.replace("KEYS", ",".join("?" * len(wanted))), wanted)
    found: dict[str, Known] = {}
    for key, digest, state, sends, maybe_billed, check in rows:
        if checksum(key, state, sends, maybe_billed) != check:
            raise RowError("a job's state that does not agree with its checksum")
        found[text_of(key)] = Known(state_of(state), digest, maybe_billed)
    return {key: found[key] for key in keys if key in found}


def requests(connection: sqlite3.Connection, keys: Sequence[str]) -> list[tuple[Request, Amendment | None]]:
    """The requests of these jobs, and what was made of each since. Raises `RowError` if one is not there."""
    wanted = [storable(key) for key in keys]
    rows = connection.execute(_REQUESTS.replace("KEYS", ",".join("?" * len(wanted))), wanted)
    found: dict[str, tuple[Request, Amendment | None]] = {}
    for *columns, check, amendment, amended in rows:
        if checksum(*columns) != check:
            raise RowError("a job that does not agree with its checksum")
        kept = None if amendment is None else amendment_of_columns(amendment, amended)
        found[text_of(columns[0])] = request_of(columns[4]), kept
    if any(key not in found for key in keys):
        raise RowError("some jobs cannot be found")
    return [found[key] for key in keys]


def counts(connection: sqlite3.Connection) -> dict[JobState, int]:
    """How many jobs are in each state."""
    found = {
        state_of(row[0]): row[1]
        for row in connection.execute("SELECT state, count(*) FROM progress GROUP BY 1")
    }
    return {state: found.get(state, 0) for state in JobState}


def rank_of(connection: sqlite3.Connection, key: str) -> tuple[int, int] | None:
    """The sequence number of a job's ending, and how many endings have one as low or lower."""
    row = connection.execute(
        "SELECT seq FROM jobs JOIN endings ON job = jobs.id WHERE jobs.key = ?", (storable(key),)
    ).fetchone()
    if row is None:
        return None
    return row[0], _count(connection, 0, row[0])
