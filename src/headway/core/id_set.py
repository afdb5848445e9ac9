"""Which ids have been seen, in 16 to 32 bytes each, where a ``set`` of integers takes 65 to 100."""

from __future__ import annotations

import hashlib
from array import array
from typing import Final

SMALLEST: Final = 1 << 10
FULLEST: Final = 0.6
"""Of the slots: beyond it a search grows long (linear probing, Knuth, TAOCP 3, 6.4)."""


class IdSet:
    """Keys by their 64-bit hashes, in a table of plain numbers with linear probing.

    Two of a million keys share a hash once in 37 million runs.
    """

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * SMALLEST))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, key: str) -> bool:
        """Remember a key; false if it is there already."""
        if not self._put(self._slots, _mark(key)):
            return False
        self._count += 1
        if self._count > len(self._slots) * FULLEST:
            self._grow()
        return True

    def discard(self, key: str) -> bool:
        """Forget a key; false if it was not there."""
        slots, last, mark = self._slots, len(self._slots) - 1, _mark(key)
        gap = mark & last
        while slots[gap] != mark:
            if not slots[gap]:
                return False
            gap = (gap + 1) & last
        place = gap
        while found := slots[
            place := (place + 1) & last
        ]:  # what it had pushed on moves back (TAOCP 3, 6.4 R)
            if (place - found) & last >= (place - gap) & last:
                slots[gap], gap = found, place
        slots[gap] = 0
        self._count -= 1
        return True

    def clear(self) -> None:
        """Forget all of them."""
        self._slots = array("Q", bytes(8 * SMALLEST))
        self._count = 0

    def _grow(self) -> None:
        larger = array("Q", bytes(16 * len(self._slots)))
        for mark in self._slots:
            if mark:
                self._put(larger, mark)
        self._slots = larger

    @staticmethod
    def _put(slots: array[int], mark: int) -> bool:
        last = len(slots) - 1
        place = mark & last
        while found := slots[place]:
            if found == mark:
                return False
            place = (place + 1) & last
        slots[place] = mark
        return True


def _mark(key: str) -> int:
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1  # 0 is an empty slot
