"""The input of a run: its head is checked before anything is sent, the rest is read as it is needed."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import anyio

from headway.cli.bookmark import Bookmark
from headway.cli.exit_status import CommandError
from headway.cli.line_fault import BadLine, LineFault
from headway.cli.line_reader import Line, LineReader, Prefix
from headway.cli.parquet_records import parquet_records
from headway.cli.record_count import count_records
from headway.cli.records import Format, Record, read_records
from headway.cli.request_builder import RequestBuilder
from headway.core.request import Request

HEAD: Final = 1 << 16
"""Bytes at the start of an input that identify it."""
CHECKED: Final = 10_000
"""Records that are checked before anything is sent."""
SHOWN: Final = 20
"""Errors shown of those."""
BUFFERED: Final = 64 << 20
"""Bytes of a pipe that are checked at most, since they must be kept."""
BATCH: Final = 256
"""Records read at a time from a file: one hop to a thread for all of them."""

BATCH_BYTES: Final = 1 << 20
LINES: Final = frozenset({Format.JSONL, Format.TEXT})
"""Formats whose records are lines: those can be found again by their place."""

Item = Request | BadLine


class Numbered(NamedTuple):
    """What a record became, and where it was."""

    item: Item
    number: int
    """The line it starts on."""
    size: int
    """Bytes of the record."""
    start: int
    """Where its line begins, in bytes."""

    @property
    def key(self) -> str:
        """Its id in journal and output."""
        item = self.item
        return item.key if isinstance(item, BadLine) else item.custom_id or ""


class Batch(NamedTuple):
    """Some records, in order."""

    records: list[Numbered]
    prefix: Prefix | None
    """The input up to its last record, when that can be found again."""


Look = Callable[[Numbered], None]
"""Looks over each record of a head that became a request."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The beginning of an input; lines that are appended do not change it."""

    size: int
    """Bytes."""
    sha256: str


@dataclass(slots=True)
class HeadCheck:
    """What the check of an input's head found."""

    count: int = 0
    problems: list[str] = field(default_factory=list[str])
    """The first ones, as ``file:line: problem``."""
    faults: int = 0
    """All of them."""
    whole: bool = False
    """The input ends within the head."""


class PromptInput:
    """Requests from a file or from standard input (``None``)."""

    def __init__(self, path: Path | None, form: Format, builder: RequestBuilder) -> None:
        self.path = path
        self.name = str(path) if path else "<stdin>"
        self._form = form
        self._builder = builder
        self._reader = _open(path, self.name)
        self._twice = path is not None and path.is_file()
        """It can be read a second time: a pipe cannot."""
        self._start = b""
        self._kept: list[Numbered] = []
        self._stream: Iterator[Numbered] | None = None
        self._again: list[Line] = []
        """Lines before the place where the reading goes on, that are wanted all the same."""
        self.read = 0
        """Records read so far."""
        self.exhausted = False

    def fingerprint(self, size: int | None = None) -> Fingerprint:
        """Identify the input by its first ``size`` bytes (default: the whole lines within the first 64 KiB)."""
        start = self._start[:size]
        if size is None:
            start = start[: start.rfind(b"\n") + 1] or start
        return Fingerprint(len(start), hashlib.sha256(start).hexdigest())

    def estimate(self) -> int | None:
        """How many records there are; ``None`` for a pipe."""
        if self.path is None or not self._twice:
            return None
        return count_records(self.path, self._form)

    def records(self) -> Iterator[Numbered]:
        """Every record in order, blocking: for commands that only look. Not together with the rest here."""
        return self._items()

    def check_head(self, look: Look | None = None) -> HeadCheck:
        """Check the first records without keeping them (those of a pipe are kept); ``look`` sees the requests."""
        self._start = self._reader.peek(HEAD)
        check = HeadCheck()
        kept_bytes = 0
        stream = self._items()
        for record in itertools.islice(stream, CHECKED):
            item = record.item
            check.count += 1
            if isinstance(item, BadLine):
                check.faults += 1
                if len(check.problems) < SHOWN:
                    check.problems.append(f"{self.name}:{item.number}: {item.problem}")
            elif look is not None:
                look(record)
            if not self._twice:
                self._kept.append(record)
                kept_bytes += record.size
                if kept_bytes > BUFFERED:
                    break
        else:
            check.whole = check.count < CHECKED
        self._start_over(stream)
        return check

    def resume(self, mark: Bookmark) -> bool:
        """Go on at a bookmark: its pending lines, then what follows it. False when the input begins otherwise.

        Blocking; after `check_head` and before anything else is read.
        """
        if not self._twice or self._form not in LINES:
            return False
        again = self._reader.pass_over(mark.prefix, mark.pending)
        if again is None or len(again) != len(mark.pending):
            self._reopen()
            return False
        self._again = again
        self.read = mark.records - len(again)
        return True

    async def items(self) -> AsyncIterator[Item]:
        """Every request in order, and the lines that are none; reads only what is asked for."""
        async for batch in self.batches():
            for record in batch.records:
                yield record.item

    async def batches(self) -> AsyncIterator[Batch]:
        """The same in groups, with their places."""
        if self._kept:
            kept, self._kept = self._kept, []
            self.read += len(kept)
            yield Batch(kept, None)
        stream = self._stream = self._stream or self._items()
        most = BATCH if self._twice else 1  # a slow pipe's lines are handed on one by one
        while (
            batch := await anyio.to_thread.run_sync(self._take, stream, most, abandon_on_cancel=True)
        ).records:
            self.read += len(batch.records)
            yield batch
        self.exhausted = not self._reader.stopped

    def stop(self) -> None:
        """Read nothing more."""
        self._reader.stop()

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def _start_over(self, stream: Iterator[Numbered]) -> None:
        if self.path is None or not self._twice:
            self._stream = stream
            return
        self._reopen()

    def _reopen(self) -> None:
        self._reader.close()
        self._reader = _open(self.path, self.name)
        self._builder.forget_ids()

    def _read(self) -> Iterator[Record]:
        if self._form is Format.PARQUET:
            return parquet_records(self.path, lambda: self._reader.stopped)
        return read_records(itertools.chain(self._again, self._reader.lines()), self._form)

    def _items(self) -> Iterator[Numbered]:
        try:
            for record in self._read():
                try:
                    item = self._builder.build(record)
                except LineFault as fault:
                    item = BadLine(record.number, self._builder.claim_bad_line(record), str(fault))
                yield Numbered(item, record.number, len(record.content), record.start)
        except CommandError as error:
            raise CommandError(f"{self.name}:{error}") from None

    def _take(self, stream: Iterator[Numbered], most: int) -> Batch:
        batch: list[Numbered] = []
        weight = 0
        for record in stream:
            batch.append(record)
            weight += record.size
            if len(batch) == most or weight > BATCH_BYTES:
                break
        if not batch or not self._twice or self._form not in LINES:
            return Batch(batch, None)
        prefix = self._reader.prefix()
        return Batch(batch, prefix if batch[-1].start < prefix.size else None)


def _open(path: Path | None, name: str) -> LineReader:
    try:
        return LineReader(path)
    except FileNotFoundError:
        raise CommandError(f"{name} does not exist") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CommandError(f"{name} cannot be read: {reason}") from None
