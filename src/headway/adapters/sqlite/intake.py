"""What changes a journal: jobs entered, events written, what was in flight recovered.

Every function runs inside the caller's transaction, and raises before it changes anything if the fault is the
caller's.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from headway.adapters.sqlite import batches, meta
from headway.adapters.sqlite.reading import amendment_of_job, ending_of_content, ending_of_job
from headway.adapters.sqlite.rows import (
    JobRow,
    RowError,
    Text,
    amendment_columns,
    checksum,
    ending_columns,
    job_row,
    state_of,
    storable,
    text_of,
)
from headway.adapters.sqlite.schema import BY_CONTENT
from headway.core.amendment import AS_GIVEN, Amendment
from headway.core.events import Continued, JobEvent, Recovered, Reopened, Repaired, Rerouted, RetryScheduled
from headway.core.job import JobRecord, JobState, advance
from headway.core.lane import Lane
from headway.core.outcome import Ending
from headway.core.request import Request
from headway.core.usage import NO_USAGE
from headway.errors import JournalError
from headway.ports import Stored

_STATE: Final = "a job's state that does not agree with its checksum"
_NO_REQUEST: Final = Request({})
_REOPENED: Final = frozenset({JobState.FAILED, JobState.EXPIRED, JobState.CANCELLED})


def admit(
    connection: sqlite3.Connection, records: Sequence[JobRecord], *, reopen_failed: bool, twins: bool = False
) -> list[Stored | None]:
    """Enter new jobs; for known keys say what is known, and of identical requests the answer if ``twins``."""
    rows = [job_row(record) for record in records]
    now = time.time()
    known = [_enter(connection, row, now, reopen_failed) for row in rows]
    return known if not twins else _with_twins(connection, rows, known)


def _with_twins(
    connection: sqlite3.Connection, rows: Sequence[JobRow], known: Sequence[Stored | None]
) -> list[Stored | None]:
    connection.execute(BY_CONTENT)
    found: list[Stored | None] = []
    for row, stored in zip(rows, known, strict=True):
        wanted = stored is None or (stored.same_request and stored.ending is None)
        twin = ending_of_content(connection, row.hash) if wanted else None
        found.append(stored if twin is None else replace(stored or Stored(True), twin=twin))
    return found


def _enter(connection: sqlite3.Connection, row: JobRow, now: float, reopen_failed: bool) -> Stored | None:
    known = connection.execute(
        "SELECT jobs.id, hash, state, sends, maybe_billed, progress.checksum"
        " FROM jobs JOIN progress USING (id) WHERE key = ?",
        (row.key,),
    ).fetchone()
    if known is None:
        _insert(connection, row, now)
        return None
    job, digest, state, sends, maybe_billed, check = known
    if checksum(row.key, state, sends, maybe_billed) != check:
        raise RowError(_STATE)
    stored = Stored(digest == row.hash, sends, maybe_billed, amendment=amendment_of_job(connection, job))
    if not state_of(state).final:
        return replace(stored, place=batches.place_of_job(connection, job))
    if stored.same_request and reopen_failed and state_of(state) in _REOPENED:
        connection.execute("DELETE FROM endings WHERE job = ?", (job,))
        meta.drop_conclusions(connection)
        before = _resting(row.key, state_of(state), sends, maybe_billed)
        _update(connection, job, row.key, advance(before, Reopened(now)), now)
        return stored
    return replace(stored, ending=ending_of_job(connection, job))


def _insert(connection: sqlite3.Connection, row: JobRow, now: float) -> None:
    cursor = connection.execute(
        "INSERT INTO jobs (key, hash, priority, tenant, admitted, checksum, request) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (row.key, row.hash, row.priority, row.tenant, now, checksum(*row.columns), row.request),
    )
    queued = JobState.QUEUED.value
    connection.execute(
        "INSERT INTO progress (id, state, sends, maybe_billed, updated, checksum) VALUES (?, ?, 0, 0, ?, ?)",
        (cursor.lastrowid, queued, now, checksum(row.key, queued, 0, 0)),
    )


def write(connection: sqlite3.Connection, record: JobRecord, event: JobEvent, ending: Ending | None) -> None:
    """Store a job after an event, and its ending unless the job stays queued for another run."""
    key = storable(record.key)
    now = time.time()
    # Loop time means nothing to another process.
    not_before = now + event.not_before - event.at if isinstance(event, RetryScheduled) else None
    changed = connection.execute(
        "UPDATE progress SET state = ?, sends = ?, maybe_billed = ?, not_before = ?, updated = ?, checksum = ?"
        " WHERE id = (SELECT id FROM jobs WHERE key = ?) AND state IN ('queued', 'running', 'waiting')",
        (*_progress(key, record, now, not_before), key),
    )
    if changed.rowcount == 0:
        raise _refusal(connection, key, record, event)
    if record.lane is Lane.BATCH:
        batches.leave(connection, key)
    billed = isinstance(event, RetryScheduled) and event.usage != NO_USAGE
    if billed or isinstance(event, Repaired | Rerouted | Continued):
        _keep(connection, key, record.amendment)
    if ending is None or ending.resumable:
        return
    if record.amendment != AS_GIVEN:
        connection.execute("DELETE FROM amendments WHERE id = (SELECT id FROM jobs WHERE key = ?)", (key,))
    columns = ending_columns(ending)
    connection.execute(
        "INSERT INTO endings (job, key, state, body, facts, ended, checksum)"
        " SELECT id, ?, ?, ?, ?, ?, ? FROM jobs WHERE key = ?",
        (*columns, now, checksum(*columns), key),
    )


def _keep(connection: sqlite3.Connection, key: Text, amendment: Amendment) -> None:
    """What is sent for an unfinished job, beside the request that it was given as."""
    connection.execute(
        "INSERT INTO amendments (id, amendment, checksum) SELECT id, ?, ? FROM jobs WHERE key = ?"
        " ON CONFLICT (id) DO UPDATE SET amendment = excluded.amendment, checksum = excluded.checksum",
        (*amendment_columns(amendment), key),
    )


def _refusal(connection: sqlite3.Connection, key: Text, record: JobRecord, event: JobEvent) -> Exception:
    found = connection.execute(
        "SELECT state FROM jobs JOIN progress USING (id) WHERE key = ?", (key,)
    ).fetchone()
    if found is None:
        return JournalError(f"job {record.key}: not in the journal; admit it first")
    return JournalError(f"job {record.key}: {type(event).__name__} after it ended as {state_of(found[0])}")


def _update(connection: sqlite3.Connection, job: int, key: Text, record: JobRecord, now: float) -> None:
    """Store the state of a job that waits for nothing."""
    connection.execute(
        "UPDATE progress SET state = ?, sends = ?, maybe_billed = ?, not_before = ?, updated = ?, checksum = ?"
        " WHERE id = ?",
        (*_progress(key, record, now, None), job),
    )


def _progress(key: Text, record: JobRecord, now: float, not_before: float | None) -> tuple[object, ...]:
    """The columns that change with every event."""
    state, sends, maybe_billed = record.state.value, record.sends, record.maybe_billed
    return state, sends, maybe_billed, not_before, now, checksum(key, state, sends, maybe_billed)


def recover(connection: sqlite3.Connection) -> int:
    """Queue again what was running or waiting when the last process died; returns how many were running."""
    now = time.time()
    unsettled = connection.execute(
        "SELECT id, key, state, sends, maybe_billed, progress.checksum FROM progress JOIN jobs USING (id)"
        " WHERE state NOT IN ('queued', 'succeeded', 'failed', 'cancelled', 'expired')"
    ).fetchall()
    running = 0
    for job, key, state, sends, maybe_billed, check in unsettled:
        if checksum(key, state, sends, maybe_billed) != check:
            raise RowError(_STATE)
        before = _resting(key, state_of(state), sends, maybe_billed)
        running += before.state is JobState.RUNNING
        _update(connection, job, key, advance(before, Recovered(now)), now)
    return running


def _resting(key: Text, state: JobState, sends: int, maybe_billed: int) -> JobRecord:
    """A stored job as the state machine takes it; the request has no part in that."""
    name = key if isinstance(key, str) else text_of(key)
    return JobRecord(0, name, _NO_REQUEST, state=state, maybe_billed=maybe_billed, prior_attempts=sends)
