"""Where jobs of a queue wait for other ones, by the name of what they wait for."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

from headway.core.queue_entry import Entry

T = TypeVar("T")


class Shelves(Generic[T]):
    """Entries by shelf, first come first; some may have been taken out of the queue since."""

    def __init__(self) -> None:
        self._shelves: dict[Hashable, list[Entry[T]]] = {}
        self._count = 0

    def __iter__(self) -> Iterator[Entry[T]]:
        for entries in self._shelves.values():
            yield from entries

    def put(self, shelf: Hashable, entry: Entry[T]) -> None:
        """One more."""
        self._shelves.setdefault(shelf, []).append(entry)
        self._count += 1

    def empty(self, shelf: Hashable) -> list[Entry[T]]:
        """Everything from a shelf, which is gone after that."""
        entries = self._shelves.pop(shelf, [])
        self._count -= len(entries)
        return entries

    def count(self, shelf: Hashable = None) -> int:
        """How many there are on a shelf, or on all."""
        return self._count if shelf is None else len(self._shelves.get(shelf, ()))

    def sweep(self) -> None:
        """Forget what is queued no longer."""
        held = {shelf: [one for one in entries if one.queued] for shelf, entries in self._shelves.items()}
        self._shelves = {shelf: entries for shelf, entries in held.items() if entries}
        self._count = sum(map(len, self._shelves.values()))
