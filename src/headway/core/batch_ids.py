"""The ``custom_id`` of a job in a batch.

A job's key may be anything and the API takes only ``[a-zA-Z0-9_-]{1,64}``; and after a crash a batch is recognised
by its ids alone, because nothing else that we say about it comes back. So an id is a token of its batch, the place
in the batch, and, for people who look at it in the Console, the key as far as it goes.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

LONGEST: Final = 64
TOKEN_BYTES: Final = 8
"""Of randomness in a token: 2⁶⁴ tokens, and a workspace keeps a batch for 29 days."""
_UNFIT: Final = re.compile(r"[^a-zA-Z0-9-]+")
_ID: Final = re.compile(r"hw-([0-9a-f]{16})-(\d{1,6})(?:_.*)?")


class Place(NamedTuple):
    """Where a job is."""

    token: str
    position: int


def custom_id(place: Place, key: str) -> str:
    """The id of a job in a batch."""
    head = f"hw-{place.token}-{place.position}"
    tail = _UNFIT.sub("-", key)[: LONGEST - len(head) - 1]
    return f"{head}_{tail}" if tail else head


def place_of(text: str) -> Place | None:
    """The inverse; ``None`` for an id that headway did not make."""
    found = _ID.fullmatch(text)
    return Place(found[1], int(found[2])) if found else None
