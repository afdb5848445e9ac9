"""The results file: appended line by line, and read again to find where it ends."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

from headway.cli.exit_status import CommandError

BLOCK: Final = 1 << 20


class OutputFile:
    """Appends whole lines to a file, or to standard output (``None``)."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._file: BinaryIO = sys.stdout.buffer if path is None else path.open("ab")
        self.lines = 0
        """Lines written by this object."""

    def write(self, lines: Iterable[str]) -> None:
        """Append lines and hand them to the operating system; a reader never sees part of one for long."""
        data = "".join(f"{line}\n" for line in lines)
        if data:
            self._file.write(data.encode())
            self._file.flush()
            self.lines += data.count("\n")

    def close(self) -> None:
        """Flush; a file is on disk on return."""
        if self.path is None:
            self._file.flush()
        elif not self._file.closed:
            with self._file:
                self._file.flush()
                if is_regular(self.path):
                    os.fsync(self._file.fileno())


@dataclass(frozen=True, slots=True)
class Tail:
    """Where a results file ends."""

    lines: int
    """Whole lines."""
    last_id: str | None
    """``custom_id`` of the last whole line; ``None`` when that is not a result."""
    whole: int
    """Bytes up to the end of the last whole line."""
    size: int
    """Bytes in all: more than ``whole`` when the last line is torn."""


def read_tail(path: Path) -> Tail:
    """Look where a file ends; a missing file is an empty one."""
    try:
        with path.open("rb") as file:
            lines = size = whole = 0
            while block := file.read(BLOCK):
                lines += block.count(b"\n")
                if (end := block.rfind(b"\n")) >= 0:
                    whole = size + end + 1
                size += len(block)
            return Tail(lines, _id_of(_line_before(file, whole)), whole, size)
    except FileNotFoundError:
        return Tail(0, None, 0, 0)


def cut(path: Path, size: int) -> None:
    """Drop everything after ``size`` bytes."""
    with path.open("r+b") as file:
        file.truncate(size)


def require_writable(path: Path) -> None:
    """Raise `CommandError` unless results can be written to this path; makes no file."""
    if path.is_dir():
        raise CommandError(f"{path} is a folder; name a file with -o")
    folder = path.parent
    if not folder.is_dir():
        raise CommandError(
            f"{path}: the folder {folder} does not exist; create it or choose another file with -o"
        )
    try:
        if path.exists():
            with path.open("ab"):
                return
        if os.access(folder, os.W_OK | os.X_OK):
            return
        reason = "no permission, or a read-only file system"
    except OSError as error:
        reason = error.strerror or str(error)
    raise CommandError(f"{path} cannot be written: {reason}; choose another file with -o")


def is_regular(path: Path) -> bool:
    """It is a file, or nothing yet: not a pipe, a terminal or ``/dev/null``."""
    return path.is_file() or path.is_dir() or not path.exists()


def _line_before(file: BinaryIO, end: int) -> bytes:
    """The line that ends at byte ``end``, read backwards."""
    pieces: list[bytes] = []
    stop = end - 1  # without its line break
    while stop > 0:
        start = max(0, stop - BLOCK)
        file.seek(start)
        block = file.read(stop - start)
        cut_at = block.rfind(b"\n") + 1
        pieces.append(block[cut_at:])
        if cut_at:
            break
        stop = start
    return b"".join(reversed(pieces))


def _id_of(line: bytes) -> str | None:
    try:
        value = cast("object", json.loads(line))
    except (ValueError, RecursionError):
        return None
    found = cast("dict[str, object]", value).get("custom_id") if isinstance(value, dict) else None
    return found if isinstance(found, str) else None
