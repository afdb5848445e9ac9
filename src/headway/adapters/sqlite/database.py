"""The open database of a journal: one connection, used by one thread, and its transactions."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from headway.adapters.sqlite import meta
from headway.adapters.sqlite.inspection import inspect
from headway.adapters.sqlite.lock import JournalLock, Witness
from headway.adapters.sqlite.schema import VERSION, connect, create_tables, make_durable, migrate
from headway.errors import JournalError


class Database:
    """Opens on construction: lock, inspection, tables. Everything here blocks."""

    def __init__(self, path: Path) -> None:
        # One file, one lock, by whatever name it is reached.
        self.path = path = path.expanduser().resolve()
        self._lock = JournalLock(path)
        self._changes = 0
        self._commits = 0
        self._identity = ""
        if not path.parent.is_dir():
            raise JournalError(f"{path}: there is no folder {path.parent}; make it, or choose another path")
        if path.is_dir():
            raise JournalError(f"{path}: a folder, not a journal")
        witness = self._lock.acquire()
        try:
            known = inspect(path, witness)
            if not known:  # A witness of a journal that was deleted has nothing to say about this one.
                self._lock.note(Witness("new", 0))
            # Prompts are private: only the owner may read the file; SQLite gives -wal and -shm the same mode.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self.connection = connect(path)
        except BaseException:
            self._lock.release()
            raise
        try:
            make_durable(self.connection)
            if known:
                self._read_identity()
                self._update()
            else:
                self._create()
            self._file = _file_id(path)
        except BaseException:
            self.close()
            raise

    def _create(self) -> None:
        self.connection.execute("BEGIN EXCLUSIVE")
        create_tables(self.connection)
        self._identity = uuid.uuid4().hex
        meta.put(self.connection, meta.SCHEMA, str(VERSION))
        meta.put(self.connection, meta.IDENTITY, self._identity)
        meta.put(self.connection, meta.COMMITS, "0")
        self.connection.execute("COMMIT")

    def _read_identity(self) -> None:
        self._identity = meta.get(self.connection, meta.IDENTITY) or ""
        self._commits = int(meta.get(self.connection, meta.COMMITS) or 0)

    def _update(self) -> None:
        """A journal of an older version gets the tables it lacks."""
        version = int(meta.get(self.connection, meta.SCHEMA) or 0)
        if version == VERSION:
            return
        self.connection.execute("BEGIN EXCLUSIVE")
        migrate(self.connection, version)
        meta.put(self.connection, meta.SCHEMA, str(VERSION))
        self.connection.execute("COMMIT")

    @property
    def changes(self) -> int:
        """Rows changed since it was opened."""
        return self.connection.total_changes

    def begin(self) -> None:
        """Start a transaction that may write."""
        self.connection.execute("BEGIN IMMEDIATE")
        self._changes = self.changes

    def commit(self) -> None:
        """Returns when everything since `begin` is on the disk."""
        if self.changes == self._changes:
            self.connection.execute("COMMIT")
            return
        if _file_id(self.path) != self._file:
            raise JournalError(f"{self.path}: the file was moved, replaced or deleted while it was in use")
        meta.put(self.connection, meta.COMMITS, str(self._commits + 1))
        self.connection.execute("COMMIT")
        self._commits += 1
        self._lock.note(Witness(self._identity, self._commits))

    def rollback(self) -> None:
        """Undo everything since `begin`; after some errors SQLite has done so already."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close and unlock. The last connection moves the WAL into the database and deletes it."""
        try:
            self.connection.close()
        finally:
            self._lock.release()


def _file_id(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
