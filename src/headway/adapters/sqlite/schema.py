"""The tables of a journal, and how its connection is set up.

What never changes of a job (``jobs``) is kept apart from what changes with every event (``progress``): an
``UPDATE`` rewrites the whole row, and prompts are long. Every row carries a CRC-32 of its contents, because
SQLite itself does not check what is inside a row.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final
from urllib.parse import quote

VERSION: Final = 3
"""Of the tables below; a journal of a newer version is refused, one of an older is brought up to date."""
APPLICATION: Final = 0x48445759
"""``HDWY``: what a journal has in its header's application id."""

AMENDMENTS: Final = """CREATE TABLE amendments (
    id INTEGER PRIMARY KEY REFERENCES jobs (id),
    amendment TEXT NOT NULL,
    checksum INTEGER NOT NULL
)"""
"""Since version 2: what repairs and follow-ups made of a request that is not finished."""
BATCHES: Final = (
    """CREATE TABLE batch_items (
    job INTEGER PRIMARY KEY REFERENCES jobs (id),
    batch INTEGER NOT NULL REFERENCES batches (id),
    position INTEGER NOT NULL,
    checksum INTEGER NOT NULL
)""",
    """CREATE TABLE batches (
    id INTEGER PRIMARY KEY,
    token TEXT NOT NULL UNIQUE,
    requests INTEGER NOT NULL,
    name TEXT,
    newest TEXT,
    intended REAL NOT NULL,
    checksum INTEGER NOT NULL
)""",
    """CREATE TABLE strays (
    id INTEGER PRIMARY KEY,
    batch TEXT NOT NULL,
    custom_id TEXT NOT NULL,
    result TEXT NOT NULL,
    checksum INTEGER NOT NULL UNIQUE
)""",
)
"""Since version 3: batches that were intended or created (``name``: the API's id), the jobs in them, and results
that belong to no job."""
BY_CONTENT: Final = "CREATE INDEX IF NOT EXISTS jobs_by_content ON jobs (hash)"
"""Made when identical requests are looked for; nothing else needs it."""
TABLES: Final = (
    AMENDMENTS,
    *BATCHES[:2],
    """CREATE TABLE endings (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    job INTEGER NOT NULL UNIQUE REFERENCES jobs (id),
    key TEXT NOT NULL,
    state TEXT NOT NULL,
    body TEXT,
    facts TEXT NOT NULL,
    ended REAL NOT NULL,
    checksum INTEGER NOT NULL
)""",
    """CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    hash BLOB NOT NULL,
    priority INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    admitted REAL NOT NULL,
    checksum INTEGER NOT NULL,
    request TEXT NOT NULL
)""",
    """CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    checksum INTEGER NOT NULL
) WITHOUT ROWID""",
    """CREATE TABLE progress (
    id INTEGER PRIMARY KEY REFERENCES jobs (id),
    state TEXT NOT NULL,
    sends INTEGER NOT NULL,
    maybe_billed INTEGER NOT NULL,
    not_before REAL,
    updated REAL NOT NULL,
    checksum INTEGER NOT NULL
)""",
    BATCHES[2],
)
"""In the order of their names. ``admitted``, ``ended``, ``updated``, ``not_before`` and ``intended`` are Unix
seconds."""


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode whose text columns come back as bytes (`rows` checks, then decodes)."""
    uri = f"file:{quote(str(path))}?mode={'ro' if read_only else 'rw'}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30.0)
    connection.text_factory = bytes
    # Bad cells are found when a page is read (https://www.sqlite.org/pragma.html#pragma_cell_size_check),
    # and a doctored schema can call nothing (https://www.sqlite.org/pragma.html#pragma_trusted_schema).
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def make_durable(connection: sqlite3.Connection) -> None:
    """A commit returns when it is on the disk: https://www.sqlite.org/pragma.html#pragma_synchronous."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA cache_size = -16000")


def create_tables(connection: sqlite3.Connection) -> None:
    """Make a new, empty journal; call inside a transaction."""
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    for table in TABLES:
        connection.execute(table)


def tables_of(version: int) -> tuple[str, ...]:
    """The tables of a journal of that version, in the order of their names."""
    later = {AMENDMENTS: 2, **dict.fromkeys(BATCHES, 3)}
    return tuple(table for table in TABLES if version >= later.get(table, 1))


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring the tables of an older journal up to date; call inside a transaction."""
    for table in TABLES:
        if table not in tables_of(version):
            connection.execute(table)
