"""Who may use a journal: one process at a time, and a witness of what it committed.

``PATH.lock`` holds two fixed-width fields. The first names the owner. The second is the *witness*: how many
commits this journal has seen. SQLite cannot tell a WAL that lost its tail from one that was never longer (it
ends at the first frame whose checksum is wrong, https://www.sqlite.org/walformat.html#recovery), so a damaged
WAL would drop committed rows in silence. The witness is written after each commit without a sync: it survives
``kill -9``, and after a power failure it can only be too old, never too new, so it never cries wolf.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
import weakref
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from headway.errors import JournalLockedError

_OWNER_SIZE: Final = 512
_WITNESS_SIZE: Final = 128


@dataclass(frozen=True, slots=True)
class Witness:
    """What the lock file knows of a journal."""

    journal: str
    """The journal's own id: a lock file beside another database says nothing."""
    commits: int


class JournalLock:
    """The lock of one journal. ``flock`` belongs to the open file, so it ends with its owner, however it dies."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(path.name + ".lock")
        self._fd = -1
        self._pid = 0

    def acquire(self) -> Witness | None:
        """Take it, or raise `JournalLockedError` naming the owner. Returns the last witness."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise JournalLockedError(self._refusal(fd)) from None
            witness = _witness_of(os.pread(fd, _WITNESS_SIZE, _OWNER_SIZE))
            owner = {"pid": os.getpid(), "host": socket.gethostname(), "started": time.strftime("%F %T %z")}
            _put(fd, json.dumps(owner), _OWNER_SIZE, 0)
        except BaseException:
            os.close(fd)
            raise
        self._fd, self._pid = fd, os.getpid()
        _held.add(self)
        return witness

    def note(self, witness: Witness) -> None:
        """Remember a commit that is durable."""
        text = f"{witness.journal} {witness.commits}"
        with suppress(OSError):  # An old witness only sees less; what was committed is committed.
            _put(self._fd, f"{text} {zlib.crc32(text.encode()):08x}", _WITNESS_SIZE, _OWNER_SIZE)

    def release(self) -> None:
        """Give it up; the file stays, because deleting a lock file races with the next owner."""
        if self._fd < 0:
            return
        if os.getpid() == self._pid:
            with suppress(OSError):  # Only the name of an owner that is gone.
                _put(self._fd, "", _OWNER_SIZE, 0)
            fcntl.flock(self._fd, fcntl.LOCK_UN)
        self.forsake()

    def forsake(self) -> None:
        """Close the file without unlocking: in a forked child, whose parent still holds the lock."""
        _held.discard(self)
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _refusal(self, fd: int) -> str:
        journal = self.path.with_name(self.path.name.removesuffix(".lock"))
        try:
            owner = cast("dict[str, object]", json.loads(os.pread(fd, _OWNER_SIZE, 0)))
            who = f"process {owner['pid']} on {owner['host']}, since {owner['started']}"
        except (ValueError, KeyError, TypeError):
            who = "another process"
        return f"{journal}: in use by {who}; wait for it to end, stop it, or choose another journal"


_held: Final[weakref.WeakSet[JournalLock]] = weakref.WeakSet()


def _forsake_all() -> None:
    # A child shares the parent's open files: while it kept them, the lock would outlive a dead parent.
    for lock in list(_held):
        lock.forsake()


os.register_at_fork(after_in_child=_forsake_all)


def _put(fd: int, text: str, size: int, offset: int) -> None:
    """Write one field in one call, so that a reader sees it old or new."""
    os.pwrite(fd, text.encode()[: size - 1].ljust(size - 1) + b"\n", offset)


def _witness_of(field: bytes) -> Witness | None:
    """``None`` when there is none or it is not whole."""
    parts = field.split()
    if len(parts) != 3 or parts[2] != b"%08x" % zlib.crc32(b"%b %b" % (parts[0], parts[1])):
        return None
    return Witness(parts[0].decode(), int(parts[1]))
