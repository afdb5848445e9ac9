"""Lines of a file or of standard input, as bytes with their numbers."""

from __future__ import annotations

import os
import select
import stat
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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


class LineReader:
    """Reads lines on demand; blocking, so it is used in a worker thread. ``None``: standard input."""

    def __init__(self, path: Path | None) -> None:
        self._descriptor = sys.stdin.fileno() if path is None else os.open(path, os.O_RDONLY)
        self._owned = path is not None
        self._pollable = not stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        self._ahead: deque[bytes] = deque()
        self._stopped = False

    def peek(self, size: int) -> bytes:
        """The next ``size`` bytes, fewer at the end; `lines` gives them all the same."""
        while sum(map(len, self._ahead)) < size and (chunk := self._read()):
            self._ahead.append(chunk)
        return b"".join(self._ahead)[:size]

    def lines(self) -> Iterator[Line]:
        """Every line, blank ones too; a byte order mark is left out."""
        pieces: list[bytes] = []
        number = 0
        self._skip_mark()
        while chunk := self._chunk():
            start = 0
            while (end := chunk.find(b"\n", start)) >= 0:
                number += 1
                yield Line(number, b"".join((*pieces, chunk[start:end])))
                pieces, start = [], end + 1
            if start < len(chunk):
                pieces.append(chunk[start:])
        if pieces and not self._stopped:
            yield Line(number + 1, b"".join(pieces))

    def stop(self) -> None:
        """End `lines` soon, also while standard input is silent. May be called from another thread."""
        self._stopped = True

    def close(self) -> None:
        """Close what was opened here."""
        if self._owned:
            self._owned = False
            os.close(self._descriptor)

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
        return b"" if self._stopped else os.read(self._descriptor, CHUNK)


def count_lines(path: Path) -> int:
    """Lines of a file, blank ones too: a cheap first idea of how much there is to do."""
    count, last = 0, b"\n"
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(1 << 20):
            count += chunk.count(b"\n")
            last = chunk[-1:]
    return count + (last != b"\n")
