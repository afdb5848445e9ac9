"""The queue of one budget: due, priority, fair share between tenants, age. Every operation is O(log n).

Within a priority, start-time fair queuing (Goyal, Vin, Cheng 1996): a job's start tag is the later of the
queue's virtual time and its tenant's last finish tag, its finish tag lies ``cost / weight`` further, and the
smallest start tag goes first. A tenant with a thousand jobs therefore does not delay another's first one.
When a priority runs empty its tenants are forgotten, as at the end of the paper's busy period: nobody owes
anything then. A job that is put back, or waits for a retry, keeps its tag and sequence number: it does not lose
its place.

Between priorities the higher goes first, but no class starves: one that was not served for `AGEING` seconds
goes one class higher for one job, after twice that two. What counts is the time since the class was last
served, not the age of its jobs: a bulk backlog of an hour must not go before the person who asks now.

A job that was taken and has to wait for another one goes to a shelf, by the name of what it waits for: it is queued
as before and keeps its place, but its turn comes only after `unshelve`.

Jobs taken out from the middle stay in the heaps as marks to be skipped; both heaps are swept when the marks
outnumber the jobs, so that ended jobs are not kept in memory (each sweep is paid for by the marks it removes).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Final, Generic, TypeVar

from headway.core.backlog import Backlog, Backlogs
from headway.core.job import Priority
from headway.core.last_wave import is_last_wave, longest_first
from headway.core.queue_entry import Entry
from headway.core.shelves import Shelves

T = TypeVar("T")

AGEING: Final = 120.0
"""Seconds without service after which a priority competes one class higher."""
_MARKS: Final = 8
"""So few marks to be skipped are not worth a sweep."""
_TENANTS: Final = 1024
"""Nor so few tenants."""


class FairQueue(Generic[T]):
    """Jobs waiting for one budget. ``now`` is loop time in seconds."""

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        self._weights = dict(weights or {})
        for tenant, weight in self._weights.items():
            if not 0 < weight < math.inf:
                raise ValueError(f"the weight of tenant {tenant!r} must be a positive number, not {weight!r}")
        self._ready: dict[Priority, list[tuple[float, int, Entry[T]]]] = {
            priority: [] for priority in Priority
        }
        self._later: list[tuple[float, int, Entry[T]]] = []
        self._deadlines: list[tuple[float, int, Entry[T]]] = []
        self.shelves: Shelves[T] = Shelves()
        self._finish: dict[Priority, dict[str, float]] = {priority: {} for priority in Priority}
        self._virtual: dict[Priority, float] = dict.fromkeys(Priority, 0.0)
        self._served: dict[Priority, float] = dict.fromkeys(Priority, -math.inf)
        self._size: dict[Priority, int] = dict.fromkeys(Priority, 0)
        self.backlogs = Backlogs()
        self._prune_at: dict[Priority, int] = dict.fromkeys(Priority, _TENANTS)
        self._fresh: dict[Priority, int] = dict.fromkeys(Priority, 0)
        self._undo: tuple[int, float] = (-1, 0.0)
        self._sequence = 0
        self._marks = 0

    def __len__(self) -> int:
        return self.backlogs.all.jobs

    def push(self, entry: Entry[T], now: float, shelf: Hashable = None) -> None:
        """Add a job, or a job that comes back for a retry (it keeps its place once ``not_before`` is past), or one
        that has to wait on a ``shelf``."""
        assert not entry.queued
        if entry.marked:
            self._sweep()
        if entry.sequence < 0:
            self._enrol(entry, now)
        elif entry.sequence == self._undo[0] and entry.not_before <= now:
            self._served[entry.priority] = self._undo[1]  # put back: its class was not served after all
        entry.queued = True
        self._size[entry.priority] += 1
        self.backlogs.count(entry.priority, entry.tenant, entry.cost, queued=entry.queued)
        if entry.deadline is not None and not entry.timed:
            entry.timed = True
            heapq.heappush(self._deadlines, (entry.deadline, entry.sequence, entry))
        if shelf is not None:
            self.shelves.put(shelf, entry)
        elif entry.not_before > now:
            heapq.heappush(self._later, (entry.not_before, entry.sequence, entry))
        else:
            self._line_up(entry)

    def pop(self, now: float) -> Entry[T] | None:
        """Take the job that goes next, or ``None`` when none is due."""
        _, best = self._best(now)
        if best is None:
            return None
        entry = heapq.heappop(self._ready[best])[2]
        self._undo = (entry.sequence, self._served[best])
        self._served[best] = now
        self._virtual[best] = max(self._virtual[best], entry.tag)
        self._take(entry)
        return entry

    def unshelve(self, shelf: Hashable) -> list[Entry[T]]:
        """What waited on this shelf may have its turn again, and is returned, first come first."""
        entries: list[Entry[T]] = []
        for entry in self.shelves.empty(shelf):
            if entry.queued:
                self._line_up(entry)
                entries.append(entry)
            else:
                self._unmark(entry)
        return entries

    def rank(self, now: float) -> float:
        """How late in line its next job is among those of other queues; infinite when none is due."""
        return self._best(now)[0]

    def discard(self, entry: Entry[T]) -> bool:
        """Take a job out wherever it is; true if it was queued. The place in the heap is left to be skipped."""
        if not entry.queued:
            return False
        entry.marked = True
        self._marks += 1
        self._refund(entry)
        self._take(entry)
        return True

    def expired(self, now: float) -> list[Entry[T]]:
        """Take out the queued jobs whose deadline has passed."""
        late: list[Entry[T]] = []
        while self._deadlines and self._deadlines[0][0] <= now:
            entry = heapq.heappop(self._deadlines)[2]
            entry.timed = False
            if self.discard(entry):
                late.append(entry)
        return late

    def clear(self) -> list[Entry[T]]:
        """Take out everything, in no particular order."""
        taken = [entry for entry in self._all() if entry.queued]
        for entry in taken:
            entry.marked = True
            self._take(entry)
        self._sweep()
        return taken

    def remove(self, unwanted: Callable[[T], bool]) -> list[Entry[T]]:
        """Take out the jobs that ``unwanted`` names, in no particular order; one look at each."""
        held = list(self._all())
        taken = [entry for entry in held if entry.queued and unwanted(entry.item) and self.discard(entry)]
        self._sweep()
        return taken

    def next_event(self, now: float) -> float | None:
        """When a waiting job falls due or a deadline passes, whichever is first; always later than ``now``
        as long as `expired` was asked."""
        self._mature(now)  # what is due already is no event to wait for
        while self._later and not self._later[0][2].queued:
            self._unmark(heapq.heappop(self._later)[2])
        while self._deadlines and not self._deadlines[0][2].queued:
            heapq.heappop(self._deadlines)[2].timed = False
        return min((heap[0][0] for heap in (self._later, self._deadlines) if heap), default=None)

    def long_jobs_first(self, running: int) -> None:
        """Near the end, with ``running`` jobs under way, let long jobs go first within their tenant's turns."""
        for priority in (Priority.NORMAL, Priority.BULK):
            size = self._size[priority]
            if self._fresh[priority] * 2 < size or not is_last_wave(size, running):
                continue  # each ordering is paid for by the jobs that are new since the last
            self._fresh[priority] = 0
            self._sweep()
            ready = self._ready[priority]
            tenants: dict[str, list[Entry[T]]] = {}
            for _, _, entry in ready:
                tenants.setdefault(entry.tenant, []).append(entry)
            for tenant, entries in tenants.items():
                longest_first(entries, self._weights.get(tenant, 1.0))
            ready[:] = [(entry.tag, entry.sequence, entry) for _, _, entry in ready]
            heapq.heapify(ready)

    def ahead(self, entry: Entry[T]) -> Backlog:
        """What is queued that a new job surely stands behind: its own tenant's jobs of its own priority. (Who
        else goes first is a matter of shares and age.)"""
        known = self.backlogs.of(entry.priority, entry.tenant)
        waiting = len(self._later) + self.shelves.count()
        return known.less(waiting)  # they may be overtaken

    def waiting(self) -> int:
        """Jobs that wait for a retry (some may have just been taken out)."""
        return len(self._later)

    def _line_up(self, entry: Entry[T]) -> None:
        heapq.heappush(self._ready[entry.priority], (entry.tag, entry.sequence, entry))

    def _enrol(self, entry: Entry[T], now: float) -> None:
        priority, flows = entry.priority, self._finish[entry.priority]
        start = max(self._virtual[priority], flows.get(entry.tenant, 0.0))
        flows[entry.tenant] = start + entry.cost / self._weights.get(entry.tenant, 1.0)
        if len(flows) > self._prune_at[priority]:
            self._prune(priority)
        entry.tag = start
        entry.pushed = now
        entry.sequence = self._sequence
        self._fresh[priority] += 1
        self._sequence += 1

    def _prune(self, priority: Priority) -> None:
        """A finish tag behind the virtual time says nothing any more: memory follows the tenants that wait."""
        flows = {name: tag for name, tag in self._finish[priority].items() if tag > self._virtual[priority]}
        self._finish[priority] = flows
        self._prune_at[priority] = 2 * len(flows) + _TENANTS

    def _take(self, entry: Entry[T]) -> None:
        """The entry is queued no longer."""
        priority = entry.priority
        entry.queued = False
        self._size[priority] -= 1
        self.backlogs.count(entry.priority, entry.tenant, entry.cost, queued=entry.queued)
        if not self._size[priority]:
            self._finish[priority].clear()
        if self._marks > len(self) + _MARKS:
            self._sweep()
        if len(self._deadlines) > 2 * len(self) + _MARKS:
            self._sweep_deadlines()

    def _mature(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            entry = heapq.heappop(self._later)[2]
            if entry.queued:
                self._line_up(entry)
            else:
                self._unmark(entry)

    def _best(self, now: float) -> tuple[float, Priority | None]:
        """The class that goes next, and its rank: its number, less one for every `AGEING` without service."""
        self._mature(now)
        rank, best = math.inf, None
        for priority, served in self._served.items():
            if (head := self._head(priority)) is not None:
                own = priority - (now - max(head.pushed, served)) / AGEING
                if own < rank:
                    rank, best = own, priority
        return rank, best

    def _head(self, priority: Priority) -> Entry[T] | None:
        heap = self._ready[priority]
        while heap and not heap[0][2].queued:
            self._unmark(heapq.heappop(heap)[2])
        return heap[0][2] if heap else None

    def _all(self) -> Iterator[Entry[T]]:
        for heap in (*self._ready.values(), self._later):
            for _, _, entry in heap:
                yield entry
        yield from self.shelves

    def _refund(self, entry: Entry[T]) -> None:
        """What never ran is not held against its tenant's next job."""
        flows = self._finish[entry.priority]
        if entry.tenant in flows:
            flows[entry.tenant] -= entry.cost / self._weights.get(entry.tenant, 1.0)

    def _unmark(self, entry: Entry[T]) -> None:
        entry.marked = False
        self._marks -= 1

    def _sweep(self) -> None:
        for entry in self._all():
            entry.marked = False
        for heap in self._ready.values():
            heap[:] = [item for item in heap if item[2].queued]
            heapq.heapify(heap)
        self.shelves.sweep()
        self._later = [item for item in self._later if item[2].queued]
        heapq.heapify(self._later)
        self._marks = 0

    def _sweep_deadlines(self) -> None:
        """A job that runs now comes back with its deadline if it is pushed again."""
        for _, _, entry in self._deadlines:
            entry.timed = entry.queued
        self._deadlines = [item for item in self._deadlines if item[2].queued]
        heapq.heapify(self._deadlines)
