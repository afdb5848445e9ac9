"""Lines of a file or of standard input, as bytes with their numbers and places."""

from __future__ import annotations

import hashlib
import os
import select
import stat
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from headway.cli.compressed import compression_of, open_bytes, read_block

CHUNK: Final = 1 << 18
POLL: Final = 0.25
"""Seconds between looks at the stop flag while standard input is silent."""
BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its line break."""

    number: int
    """Counted from 1."""
    content: bytes
    start: int = 0
    """Where it begins: bytes of the input before it, a byte order mark left out."""


class Prefix(NamedTuple):
    """The beginning of an input, up to the end of a line."""

    size: int
    """Bytes, a byte order mark left out."""
    lines: int
    sha256: str


class LineReader:
    """Reads lines on demand; blocking, so it is used in a worker thread. ``None``: standard input."""

    def __init__(self, path: Path | None) -> None:
        self._descriptor = sys.stdin.fileno() if path is None else os.open(path, os.O_RDONLY)
        self._unpacked = None if path is None or not compression_of(path) else open_bytes(path)
        self._path = path
        self._owned = path is not None
        self._pollable = not stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        self._ahead: deque[bytes] = deque()
        self._stopped = False
        self._size = self._number = 0
        self._digest = hashlib.sha256()

    def peek(self, size: int) -> bytes:
        """The next ``size`` bytes, fewer at the end; `lines` gives them all the same."""
        while sum(map(len, self._ahead)) < size and (chunk := self._read()):
            self._ahead.append(chunk)
        return b"".join(self._ahead)[:size]

    def lines(self) -> Iterator[Line]:
        """Every line, blank ones too; a byte order mark is left out."""
        pieces: list[bytes] = []
        if not self._size:
            self._skip_mark()
        while chunk := self._chunk():
            start = 0
            while (end := chunk.find(b"\n", start)) >= 0:
                content = b"".join((*pieces, chunk[start:end])) if pieces else chunk[start:end]
                began = self._size
                self._number += 1
                self._size += len(content) + 1
                self._digest.update(content)
                self._digest.update(b"\n")
                yield Line(self._number, content, began)
                pieces, start = [], end + 1
            if start < len(chunk):
                pieces.append(chunk[start:])
        if pieces and not self._stopped:
            # Not counted as read: more may be written behind it.
            yield Line(self._number + 1, b"".join(pieces), self._size)

    def prefix(self) -> Prefix:
        """What was read so far; an unterminated last line is left out."""
        return Prefix(self._size, self._number, self._digest.hexdigest())

    def pass_over(self, prefix: Prefix, wanted: Sequence[tuple[int, int]]) -> list[Line] | None:
        """Begin behind ``prefix``; gives the ``wanted`` lines in it (start and number, in order).

        ``None`` when the input does not begin so: the reader is of no use any more.
        """
        self._skip_mark()
        found: list[Line] = []
        todo = deque(wanted)
        pieces: list[bytes] | None = None
        number = begun = at = 0
        while at < prefix.size:
            chunk = self._chunk()
            if not chunk:
                return None
            if at + len(chunk) > prefix.size:
                self._ahead.appendleft(chunk[prefix.size - at :])
                chunk = chunk[: prefix.size - at]
            self._digest.update(chunk)
            low = 0
            while True:
                if pieces is not None:
                    end = chunk.find(b"\n", low)
                    pieces.append(chunk[low:] if end < 0 else chunk[low:end])
                    if end < 0:
                        break
                    found.append(Line(number, b"".join(pieces), begun))
                    pieces = None
                if not todo or todo[0][0] >= at + len(chunk):
                    break
                begun, number = todo.popleft()
                low, pieces = begun - at, []
            at += len(chunk)
        self._size, self._number = prefix.size, prefix.lines
        return found if self.prefix() == prefix else None

    @property
    def stopped(self) -> bool:
        """`stop` was called: the end of `lines` is not the end of the input."""
        return self._stopped

    def stop(self) -> None:
        """End `lines` soon, also while standard input is silent. May be called from another thread."""
        self._stopped = True

    def close(self) -> None:
        """Close what was opened here."""
        if self._owned:
            self._owned = False
            os.close(self._descriptor)
            if self._unpacked is not None:
                self._unpacked.close()

    def _chunk(self) -> bytes:
        if self._stopped:
            return b""
        return self._ahead.popleft() if self._ahead else self._read()

    def _skip_mark(self) -> None:
        self.peek(len(BOM))
        start = b"".join(self._ahead).removeprefix(BOM)
        self._ahead.clear()
        if start:
            self._ahead.append(start)

    def _read(self) -> bytes:
        while self._pollable and not self._stopped:
            if select.select([self._descriptor], [], [], POLL)[0]:
                break
        if self._stopped:
            return b""
        if self._unpacked is None or self._path is None:
            return os.read(self._descriptor, CHUNK)
        return read_block(self._unpacked, CHUNK, self._path)
