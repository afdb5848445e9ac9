"""Where jobs wait until there are enough of them for a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from headway.core.batching import Batching, Fill, due_at
from headway.runtime.handle import Job

if TYPE_CHECKING:
    from anthropic.types import Message

Headers = tuple[tuple[str, str], ...]
FOREVER: Final = float("inf")


@dataclass(slots=True)
class _Pile:
    """Jobs that may be in one batch."""

    first: float
    last: float
    jobs: dict[Job[Message], int] = field(default_factory=dict["Job[Message]", int])
    """With their sizes, oldest first."""
    fill: Fill = field(default_factory=Fill)


class Collector:
    """Jobs in piles, one for each set of headers, because a batch is created with one set; and jobs whose retry is
    not due yet."""

    def __init__(self, batching: Batching) -> None:
        self._batching = batching
        self._piles: dict[Headers, _Pile] = {}
        self._full: list[list[Job[Message]]] = []
        self._homes: dict[Job[Message], Headers] = {}
        self._later: dict[Job[Message], tuple[Headers, int]] = {}
        self._next_later = FOREVER
        """No job in ``_later`` is due before this."""

    def __len__(self) -> int:
        return len(self._homes) + len(self._later) + sum(map(len, self._full))

    def put(self, job: Job[Message], headers: Mapping[str, str], size: int, now: float) -> None:
        """A job whose item is so many bytes long."""
        home = tuple(sorted(headers.items()))
        if job.record.not_before > now:
            self._later[job] = (home, size)
            self._next_later = min(self._next_later, job.record.not_before)
            return
        pile = self._piles.get(home)
        if pile is not None and not pile.fill.takes(size, self._batching):
            self._full.append(self._lift(home))
            pile = None
        if pile is None:
            pile = self._piles[home] = _Pile(now, now)
        pile.jobs[job] = size
        pile.fill.add(size)
        pile.last = now
        self._homes[job] = home

    def take(self, now: float, *, hurried: bool) -> list[list[Job[Message]]]:
        """The batches that are to be made now. ``hurried``: no more jobs will come, so none is waited for."""
        if self._next_later <= now:
            self._mature(now)
        for home, pile in list(self._piles.items()):
            if hurried or self._due(pile) <= now:
                self._full.append(self._lift(home))
        full, self._full = self._full, []
        return [jobs for jobs in full if jobs]

    def next_event(self) -> float:
        """When to `take` again, if nothing else happens."""
        dues = [self._due(pile) for pile in self._piles.values()]
        return min([*dues, self._next_later])

    def discard(self, job: Job[Message]) -> bool:
        """Take one out; false if it is not here."""
        if self._later.pop(job, None) is not None:
            return True
        home = self._homes.pop(job, None)
        if home is not None:
            pile = self._piles[home]
            size = pile.jobs.pop(job)
            pile.fill.requests -= 1
            pile.fill.bytes -= size + 1
            if not pile.jobs:
                del self._piles[home]
            return True
        for jobs in self._full:
            if job in jobs:
                jobs.remove(job)
                return True
        return False

    def withdraw(self, unwanted: Callable[[Job[Message]], bool]) -> list[Job[Message]]:
        """Take out those that ``unwanted`` names."""
        here = [*self._homes, *self._later, *(job for jobs in self._full for job in jobs)]
        taken = [job for job in here if unwanted(job)]
        for job in taken:
            self.discard(job)
        return taken

    def _mature(self, now: float) -> None:
        later, self._later, self._next_later = self._later, {}, FOREVER
        for job, (home, size) in later.items():
            self.put(job, dict(home), size, now)

    def _due(self, pile: _Pile) -> float:
        return due_at(pile.first, pile.last, self._batching)

    def _lift(self, home: Headers) -> list[Job[Message]]:
        jobs = list(self._piles.pop(home).jobs)
        for job in jobs:
            del self._homes[job]
        return jobs
