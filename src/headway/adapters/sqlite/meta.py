"""Names and values of a journal: its identity, its count of commits, and what callers keep with it."""

from __future__ import annotations

import sqlite3
from typing import Final

from headway.adapters.sqlite.rows import RowError, checksum, storable, text_of

SCHEMA: Final = "headway.schema"
IDENTITY: Final = "headway.journal"
COMMITS: Final = "headway.commits"
OWN: Final = "headway."
"""Names that begin so belong to the journal itself."""
WHILE_FINISHED: Final = "finished."
"""Names that begin so are dropped when a finished job is queued again."""
_DAMAGED: Final = "a meta row that does not agree with its checksum"


def get(connection: sqlite3.Connection, name: str) -> str | None:
    """The value of a name."""
    row = connection.execute(
        "SELECT name, value, checksum FROM meta WHERE name = ?", (storable(name),)
    ).fetchone()
    if row is None:
        return None
    if checksum(row[0], row[1]) != row[2]:
        raise RowError(_DAMAGED)
    return text_of(row[1])


def put(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Set it."""
    connection.execute(
        "INSERT INTO meta (name, value, checksum) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value, checksum = excluded.checksum",
        (storable(name), storable(value), checksum(name, value)),
    )


def drop_conclusions(connection: sqlite3.Connection) -> None:
    """A finished job is queued again: forget what was concluded from its being finished."""
    connection.execute("DELETE FROM meta WHERE name >= 'finished.' AND name < 'finished/'")


def check(connection: sqlite3.Connection) -> None:
    """Raises `RowError` if any row was damaged: one whose name changed could not be found by it."""
    for name, value, stored in connection.execute("SELECT name, value, checksum FROM meta"):
        if checksum(name, value) != stored:
            raise RowError(_DAMAGED)
