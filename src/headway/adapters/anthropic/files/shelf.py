"""What this process has uploaded: found again by content, with the jobs that use it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

REMEMBERED: Final = 1024
"""Files without a job that are remembered for reuse."""


@dataclass(slots=True)
class ShelfFile:
    """One uploaded file."""

    digest: bytes
    file_id: str
    fresh_until: float | None
    """Loop time until which it may be given to further jobs; ``None``: for ever."""
    users: int = 0
    """Jobs that refer to it and have not ended."""
    kept: bool = False
    """Uploaded by the user's own call: not deleted with a job."""
    gone: bool = False
    """The API no longer has it."""
    source: Mapping[str, object] | None = None
    """The source that it stands for, kept while there are users and room."""


class Shelf:
    """Files by digest and by id. Contents are kept within ``room`` bytes, files without users within a number."""

    def __init__(self, room: int, remembered: int = REMEMBERED) -> None:
        self._by_digest: dict[bytes, ShelfFile] = {}
        self._by_id: dict[str, ShelfFile] = {}
        self._idle: OrderedDict[str, None] = OrderedDict()
        self._remembered = remembered
        self._room = room

    def fresh(self, digest: bytes, now: float) -> ShelfFile | None:
        """A file with this content that is neither gone nor about to expire."""
        file = self._by_digest.get(digest)
        if file is None or file.gone or (file.fresh_until is not None and now >= file.fresh_until):
            return None
        return file

    def of(self, file_id: str) -> ShelfFile | None:
        """The file with this id, if this process uploaded it."""
        return self._by_id.get(file_id)

    def add(self, file: ShelfFile) -> None:
        """Remember a file; it takes the place of an older one with the same content."""
        self._by_digest[file.digest] = file
        self._by_id[file.file_id] = file
        self._rest(file)

    def take(self, file: ShelfFile, source: Mapping[str, object]) -> None:
        """One more job uses it; its source is kept if there is room."""
        file.users += 1
        self._idle.pop(file.file_id, None)
        if file.source is None and (size := _size(source)) <= self._room:
            self._room -= size
            file.source = source

    def give_back(self, file: ShelfFile) -> bool:
        """One job less; whether it was the last."""
        file.users -= 1
        if file.users > 0:
            return False
        self._rest(file)
        return True

    def forget(self, file: ShelfFile) -> None:
        """Nobody is given it any more."""
        self._idle.pop(file.file_id, None)
        self._by_id.pop(file.file_id, None)
        if self._by_digest.get(file.digest) is file:
            del self._by_digest[file.digest]
        self._drop_source(file)

    def _rest(self, file: ShelfFile) -> None:
        """No job uses it: only its id is remembered, and only of so many."""
        self._drop_source(file)
        self._idle[file.file_id] = None
        if len(self._idle) > self._remembered:
            self.forget(self._by_id[next(iter(self._idle))])

    def _drop_source(self, file: ShelfFile) -> None:
        if file.source is not None:
            self._room += _size(file.source)
            file.source = None


def _size(source: Mapping[str, object]) -> int:
    data = source.get("data")
    return len(data) if isinstance(data, str) else 0
