"""What an operation of the queue costs, and that nothing is kept that has ended."""

from __future__ import annotations

import gc
import math
import weakref
from collections.abc import Iterable

import pytest

from headway.core.queue import FairQueue
from headway.core.queue_entry import Entry


class Counted(float):
    """A number that counts how often it is compared."""

    calls = 0

    def __lt__(self, other: float) -> bool:
        Counted.calls += 1
        return float(self) < float(other)


class CountedEntry(Entry[int]):
    __slots__ = ()

    def __lt__(self, other: Entry[int]) -> bool:
        Counted.calls += 1
        return super().__lt__(other)


def work(size: int, tenants: int) -> float:
    """Comparisons for one operation, over a life of every kind of operation."""
    queue: FairQueue[int] = FairQueue()
    Counted.calls = 0
    entries: list[Entry[int]] = []
    for number in range(size):
        entry = CountedEntry(
            number,
            tenant=f"t{number % tenants}",
            cost=1.0 + number * 7 % 13,
            deadline=Counted(1e6 + number * 31 % 997),
        )
        if number % 4 == 0:
            entry.not_before = Counted(10.0 + number * 17 % 499)
        queue.push(entry, 0.0)
        entries.append(entry)
    operations = size
    for entry in entries[::10]:
        operations += queue.discard(entry)
    while (taken := queue.pop(1000.0)) is not None:
        operations += 1
        queue.next_event(1000.0)
        if taken.item % 3 == 0 and taken.cost > 0:
            taken.cost = 0.0
            queue.push(taken, 1000.0)
            operations += 1
    assert len(queue) == 0
    return Counted.calls / operations


@pytest.mark.parametrize("tenants", [1, 50])
def test_the_work_of_an_operation_grows_like_the_logarithm(tenants: int) -> None:
    small, large = work(250, tenants), work(4000, tenants)
    assert small > 1, "nothing was counted"
    assert large / small <= 1.2 * math.log(4000) / math.log(250)


class Thing:
    """Something whose end can be seen."""


def gone(references: Iterable[weakref.ref[object]]) -> int:
    gc.collect()
    return sum(reference() is None for reference in references)


@pytest.mark.parametrize("how", ["popped", "discarded", "discarded later"])
def test_ended_jobs_are_not_kept(how: str) -> None:
    """A deadline in an hour must not hold a finished job's prompt in memory for that hour."""
    queue: FairQueue[Thing] = FairQueue()
    things: list[weakref.ref[object]] = []
    keeper = Entry(Thing(), deadline=7200.0)
    queue.push(keeper, 0.0)
    for _ in range(500):
        thing = Thing()
        things.append(weakref.ref(thing))
        entry = Entry(thing, deadline=3600.0, tenant="b")
        del thing
        if how == "discarded later":
            entry.not_before = 1800.0
        queue.push(entry, 0.0)
        if how == "popped":
            taken = queue.pop(0.0)
            if taken is keeper:
                queue.push(taken, 0.0)
                taken = None
        else:
            queue.discard(entry)
        del entry
    taken = None
    while how == "popped" and len(queue) > 1:
        taken = queue.pop(0.0)
        if taken is keeper:
            taken = None
            others = list(iter(lambda: queue.pop(0.0), None))
            del others
            queue.push(keeper, 0.0)
    assert gone(things) >= 480


class Tenant(str):
    """A name whose end can be seen."""

    __slots__ = ("__weakref__",)


@pytest.mark.parametrize("backlog", [0, 1])
def test_tenants_without_jobs_are_forgotten(backlog: int) -> None:
    queue: FairQueue[str] = FairQueue()
    for _ in range(backlog):
        queue.push(Entry("x", tenant="steady"), 0.0)
    names: list[weakref.ref[object]] = []
    for number in range(10_000):
        name = Tenant(f"t{number}")
        names.append(weakref.ref(name))
        queue.push(Entry("x", tenant=name), 0.0)
        for _ in range(backlog):
            queue.push(Entry("x", tenant="steady"), 0.0)
        assert all(queue.pop(0.0) for _ in range(1 + backlog))
        del name
    assert gone(names) >= 7_000
