"""From what went wrong below to the `JournalError` that says so, names the file and says what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from headway.adapters.sqlite.rows import RowError
from headway.errors import JournalDamagedError, JournalError

# Result codes: https://www.sqlite.org/rescode.html
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
_ADVICE = {
    sqlite3.SQLITE_FULL: "free disk space, then run again",
    sqlite3.SQLITE_IOERR: "check disk, quota and file size limit, then run again",
    sqlite3.SQLITE_READONLY: "mend the permissions, then run again",
    sqlite3.SQLITE_CANTOPEN: "check that the folder exists and may be written",
    sqlite3.SQLITE_BUSY: "another program holds the database: close it, then run again",
}


def damaged(path: Path, reason: str) -> JournalDamagedError:
    """The file is not a whole journal: says what can be done."""
    return JournalDamagedError(
        f"{path}: the journal is damaged ({reason}). Restore it, together with its -wal file, from a backup; or "
        f"copy it and salvage what is left with `sqlite3 {path.name} .recover`; or delete {path.name}* and start "
        "over, which sends finished jobs again"
    )


def fault_of(path: Path, error: BaseException) -> JournalError:
    """The journal error for anything that went wrong; one that is a `JournalError` already is copied."""
    if isinstance(error, JournalError):
        return type(error)(*error.args)
    if isinstance(error, RowError):
        return damaged(path, str(error))
    if isinstance(error, sqlite3.Error):
        # Python's own errors (misuse, undecodable text) carry no result code.
        code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in _DAMAGED:
            return damaged(path, str(error))
        advice = _ADVICE.get(code)
        return JournalError(f"{path}: {error}{f'; {advice}' if advice else ''}")
    if isinstance(error, OSError):
        return JournalError(f"{path}: {error.strerror or error}")
    # Only the type: the text of an unforeseen exception may quote a prompt.
    return JournalError(f"{path}: the journal failed on {type(error).__name__}")
