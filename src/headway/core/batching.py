"""How jobs become batches: the options of the batch lane, and when a batch is full or due."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from headway.core.error_kind import ErrorKind
from headway.core.failure import Failure

MOST_REQUESTS: Final = 100_000
"""In one batch (https://platform.claude.com/docs/en/build-with-claude/batch-processing)."""
MOST_BYTES: Final = 256 * 1024 * 1024
"""Of a batch's whole body (same page)."""
ENVELOPE: Final = len(b'{"requests":[]}')
_NAMED: Final = re.compile(r"\brequests\.(\d+)\b")
"""How the API names an item: ``requests.17.params.max_tokens: …``."""
_AT_FAULT: Final = frozenset(
    {
        ErrorKind.INVALID_REQUEST,
        ErrorKind.CONTEXT_OVERFLOW,
        ErrorKind.IMAGE_TOO_LARGE,
        ErrorKind.REQUEST_TOO_LARGE,
        ErrorKind.UNPROCESSABLE,
        ErrorKind.CLIENT_ERROR,
    }
)
"""Refusals that some of the items may be the reason of."""


@dataclass(frozen=True, slots=True)
class Batching:
    """How jobs are put into batches, and when ``lane="auto"`` does so; every default serves."""

    max_requests: int = 10_000
    """Requests in one batch at most. The API takes ten times as many, for the same price; smaller batches are read
    sooner, and less is sent again when one breaks off."""
    max_bytes: int = 24_000_000
    """Bytes of one batch's body at most: so much memory is needed while it is sent."""
    quiet: float = 5.0
    """A batch that is not full is made when no job came for so many seconds."""
    longest: float = 300.0
    """… and when its first job has waited so many seconds, whatever else comes."""
    max_queued: int = 32_000
    """Jobs that ``map`` has in the batch lane at a time. The lowest tier takes 200,000 into its queue
    (https://platform.claude.com/docs/en/api/rate-limits); each takes about 2 kB of memory with a journal, and without
    one its request too."""
    worth: float = 300.0
    """``lane="auto"`` goes live while live needs no more than so many seconds for all that is queued there."""
    usual: float = 3600.0
    """Seconds in which most batches end (same page as `MOST_REQUESTS`): a deadline must leave a batch so long."""

    def __post_init__(self) -> None:
        bounds = (("max_requests", MOST_REQUESTS), ("max_bytes", MOST_BYTES), ("max_queued", None))
        for name, most in bounds:
            value = getattr(self, name)
            if value < 1 or (most is not None and value > most):
                above = "" if most is None else f" and at most {most:,}"
                raise ValueError(f"Batching.{name} must be at least 1{above}, not {value!r}")
        for name in ("quiet", "longest", "worth", "usual"):
            value = getattr(self, name)
            if not (value >= 0 and math.isfinite(value)):
                raise ValueError(f"Batching.{name} must be 0 seconds or more, not {value!r}")


AS_USUAL: Final = Batching()
"""The defaults."""


@dataclass(slots=True)
class Fill:
    """What a batch holds that is being put together."""

    requests: int = 0
    bytes: int = ENVELOPE

    def takes(self, size: int, batching: Batching) -> bool:
        """Whether one more request of so many bytes has room; the first one always has: alone it is refused or
        not by the API itself."""
        if not self.requests:
            return True
        return self.requests < batching.max_requests and self.bytes + size + 1 <= batching.max_bytes

    def add(self, size: int) -> None:
        """One more request, and the comma after it."""
        self.requests += 1
        self.bytes += size + 1


def due_at(first: float, last: float, batching: Batching) -> float:
    """When a batch that is not full is made: its ``first`` and ``last`` request came at these times."""
    return min(last + batching.quiet, first + batching.longest)


def may_divide(failure: Failure) -> bool:
    """Whether a batch that was refused whole may pass without some of its items."""
    return failure.kind in _AT_FAULT


def divide(failure: Failure, count: int) -> list[range] | None:
    """The positions of a refused batch's items as parts to try again; ``None``: a single item is left, and it is
    at fault. An item that the refusal names is a part of its own."""
    if count <= 1:
        return None
    named = _NAMED.search(failure.message)
    at = int(named[1]) if named else -1
    if 0 <= at < count:
        parts = [range(at, at + 1), range(at), range(at + 1, count)]
        return [part for part in parts if part]
    return [range(count // 2), range(count // 2, count)]
