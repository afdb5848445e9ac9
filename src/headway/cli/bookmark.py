"""How far a run has come in its input, so that the next run need not parse what is finished.

A bookmark says: the input began with these bytes, and every record in them is finished but for the pending ones.
The next run compares the bytes (a hash at the speed of the disk) and parses only the pending lines and what
follows. It lives in the journal, which forgets it when a finished job is queued again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, cast

from headway.cli.line_reader import Prefix
from headway.cli.run_tally import KindCount, RunTally
from headway.core.error_kind import ErrorKind
from headway.core.outcome import failure_from_json, failure_to_json

META: Final = "finished.input"
"""Where the journal keeps it."""
_NUMBER: Final = 48
"""Bits of a line's number."""
_NUMBERS: Final = (1 << _NUMBER) - 1
INTERVAL: Final = 5.0
"""Seconds between bookmarks: what a killed run has finished since is looked up key by key."""


@dataclass(frozen=True, slots=True)
class Bookmark:
    """A place in an input."""

    prefix: Prefix
    records: int
    """Records in the prefix."""
    pending: tuple[tuple[int, int], ...]
    """Start and number of the lines in the prefix that are not finished, in order."""
    tally: RunTally
    """Of the others."""

    def to_json(self) -> str:
        """As the journal keeps it."""
        kinds = {
            kind.value: [row.count, row.example_id, failure_to_json(row.example)]
            for kind, row in self.tally.kinds.items()
        }
        tally = {
            "succeeded": self.tally.succeeded,
            "failed": self.tally.failed,
            "maybe_billed": self.tally.maybe_billed - self.tally.stopped_billed,
            "kinds": kinds,
        }
        value = {"prefix": self.prefix, "records": self.records, "pending": self.pending, "tally": tally}
        return json.dumps(value, separators=(",", ":"))


def bookmark_of(text: str) -> Bookmark | None:
    """The inverse; ``None`` when its sums do not agree."""
    value = json.loads(text)
    counts = value["tally"]
    tally = RunTally(
        succeeded=counts["succeeded"],
        failed=counts["failed"],
        restored=counts["succeeded"] + counts["failed"],
        maybe_billed=counts["maybe_billed"],
    )
    for name, (count, example_id, failure) in counts["kinds"].items():
        tally.kinds[ErrorKind(name)] = KindCount(count, example_id, failure_from_json(failure))
    pending = tuple((start, number) for start, number in value["pending"])
    found = Bookmark(Prefix(*value["prefix"]), cast("int", value["records"]), pending, tally)
    return found if tally.finished + len(pending) == found.records else None


class Pending:
    """The records that were read and are not finished: as many as the window of ``map`` holds."""

    def __init__(self, known: tuple[tuple[int, int], ...] = ()) -> None:
        self._known = dict(known)
        """Line numbers by where the lines start, of those whose keys are not known yet."""
        self._places: dict[str, int] = {}
        """By key: where the line starts and its number, as one integer: there may be a hundred thousand."""

    def add(self, key: str, start: int, number: int) -> None:
        """A record was read."""
        self._known.pop(start, None)
        self._places[key] = start << _NUMBER | number

    def done(self, key: str) -> None:
        """It needs nothing more."""
        self._places.pop(key, None)

    def within(self, size: int) -> tuple[tuple[int, int], ...]:
        """Those that start in the first ``size`` bytes, in order."""
        places = [(place >> _NUMBER, place & _NUMBERS) for place in self._places.values()]
        return tuple(sorted(pair for pair in (*self._known.items(), *places) if pair[0] < size))
