"""Is this file a whole journal? Answered before anything is written to it.

The header, the tables and the witness are checked always; every page when the last owner did not close the
journal (its WAL is still there) or the file is not huge. What is inside a row is checked by the row's checksum
whenever it is read, and `reading` counts, so that also in a huge file no row is passed over.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from headway.adapters.sqlite import meta
from headway.adapters.sqlite.fault import damaged
from headway.adapters.sqlite.lock import Witness
from headway.adapters.sqlite.rows import RowError
from headway.adapters.sqlite.schema import APPLICATION, VERSION, connect, tables_of
from headway.errors import JournalError

SMALL: Final = 1_000_000_000
"""Bytes up to which every page is checked at every opening: measured 0.6 s per GB, 2.2 s from a cold disk."""
_MAGIC: Final = b"SQLite format 3\x00"


def inspect(path: Path, witness: Witness | None) -> bool:
    """``True``: a whole journal; ``False``: nothing there yet. Raises `JournalDamagedError` or `JournalError`.

    Must not run while this process has the journal open: closing any descriptor of the file would drop SQLite's
    own locks (https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
    """
    wal = _size(path.with_name(path.name + "-wal"))
    size = _size(path)
    if size == 0:
        if wal:
            raise damaged(path, "it is empty but its -wal file is not")
        if witness is not None and witness.commits and path.exists():
            raise damaged(path, "it is empty but had commits")
        return False
    _check_header(path, size, unclean=bool(wal))
    if wal or size <= SMALL:
        _warm(path)
    try:
        # A read-only connection leaves the files as they are, even a WAL that it finds fault with.
        connection = connect(path, read_only=True)
        try:
            return _check_tables(connection, path, witness, unclean=bool(wal), small=size + wal <= SMALL)
        finally:
            connection.close()
    except RowError as error:
        raise damaged(path, str(error)) from None
    except sqlite3.OperationalError as error:
        # "no such column" and the like: the header says journal, the tables say otherwise.
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
            raise damaged(path, str(error)) from None
        raise


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _warm(path: Path) -> None:
    """Read the file from end to end: the check that follows reads it page by page, 7 times slower when cold."""
    block = bytearray(1 << 20)
    with path.open("rb", buffering=0) as file:
        while file.readinto(block):
            pass


def _check_header(path: Path, size: int, *, unclean: bool) -> None:
    """The file format: https://www.sqlite.org/fileformat2.html#the_database_header."""
    with path.open("rb") as file:
        header = file.read(100)
    if not header.startswith(_MAGIC) or len(header) < 100:
        if unclean and len(header) < 100:
            raise damaged(path, "its first page is missing")
        raise damaged(path, "it is not a SQLite database")
    page = int.from_bytes(header[16:18], "big")
    page_size = 65536 if page == 1 else page
    pages = int.from_bytes(header[28:32], "big")
    # While there is a WAL the file may lawfully be shorter than its header says.
    if not unclean and pages * page_size > size:
        raise damaged(path, f"it has {size} of {pages * page_size} bytes")


def _check_tables(
    connection: sqlite3.Connection, path: Path, witness: Witness | None, *, unclean: bool, small: bool
) -> bool:
    tables = [
        row[0] for row in connection.execute("SELECT sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name")
    ]
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if not tables and application == 0:
        if witness is not None and witness.commits:
            raise damaged(path, "it is empty but had commits")
        return False
    if application != APPLICATION:
        raise JournalError(f"{path}: a SQLite database, but not a journal of headway; choose another path")
    version = _check_version(connection, path)
    ours = [table.encode() for table in tables_of(version)]
    if [table for table in tables if table in ours] != ours:
        raise damaged(path, "its tables are not those of a journal")
    _check_witness(connection, path, witness)
    if small or unclean:
        _check_pages(connection, path, small=small)
    return True


def _check_version(connection: sqlite3.Connection, path: Path) -> int:
    meta.check(connection)
    version = meta.get(connection, meta.SCHEMA)
    if version is None or not version.isdigit():
        raise damaged(path, "it names no schema version")
    if int(version) > VERSION:
        raise JournalError(
            f"{path}: written by a newer headway (schema {version}, this one knows {VERSION}); "
            "upgrade headway or choose another journal"
        )
    return int(version)


def _check_witness(connection: sqlite3.Connection, path: Path, witness: Witness | None) -> None:
    commits = meta.get(connection, meta.COMMITS)
    if witness is None or witness.journal != meta.get(connection, meta.IDENTITY):
        return
    if commits is None or int(commits) < witness.commits:
        raise damaged(
            path,
            f"{commits} of {witness.commits} commits are left: its -wal file was damaged or removed. If this is a "
            f"backup that you restored on purpose, delete {path.name}.lock",
        )


def _check_pages(connection: sqlite3.Connection, path: Path, *, small: bool) -> None:
    # quick_check leaves out whether indexes agree with tables:
    # https://www.sqlite.org/pragma.html#pragma_quick_check
    verdict = connection.execute(f"PRAGMA {'integrity_check' if small else 'quick_check'}(1)").fetchone()[0]
    if verdict != b"ok":
        raise damaged(path, verdict.decode(errors="replace"))
    jobs, last, progress, ended, endings = connection.execute(
        "SELECT (SELECT count(*) FROM jobs), (SELECT coalesce(max(id), 0) FROM jobs),"
        " (SELECT count(*) FROM progress),"
        " (SELECT count(*) FROM progress WHERE state NOT IN ('queued', 'running', 'waiting')),"
        " (SELECT count(*) FROM endings)"
    ).fetchone()
    if not jobs == last == progress:
        raise damaged(path, f"{last} jobs were entered, {jobs} are left, the states of {progress} are known")
    if ended != endings:
        raise damaged(path, f"{ended} jobs are finished, but there are {endings} endings")
