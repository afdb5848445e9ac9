"""The queue against a simple O(n) model: the same answer to every sequence of operations."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from headway.core import queue as queue_module
from headway.core.job import Priority
from headway.core.queue import AGEING, FairQueue
from headway.core.queue_entry import Entry

WEIGHTS = {"b": 2.0, "c": 0.5}


@dataclass(eq=False)
class Model:
    """What the queue should know of an entry."""

    entry: Entry[int]
    tag: float
    number: int
    pushed: float
    where: str = "ready"

    @property
    def queued(self) -> bool:
        return self.where != "out"

    @property
    def order(self) -> tuple[float, int]:
        return self.tag, self.number


def mated(m: Model, other: Model) -> bool:
    """Of the same tenant and priority."""
    return (m.entry.priority, m.entry.tenant) == (other.entry.priority, other.entry.tenant)


class QueueMachine(RuleBasedStateMachine):
    """Every entry the queue has ever seen is in ``known``; lists are searched from end to end."""

    held = Bundle("held")
    """Entries that are out: running, taken out or cleared."""

    def __init__(self) -> None:
        super().__init__()
        queue_module._TENANTS = 2  # small, so that pruning and sweeping happen
        queue_module._MARKS = 1
        self.queue: FairQueue[int] = FairQueue(WEIGHTS)
        self.known: list[Model] = []
        self.now = 0.0
        self.virtual = dict.fromkeys(Priority, 0.0)
        self.finish: dict[tuple[Priority, str], float] = {}
        self.served = dict.fromkeys(Priority, -math.inf)
        self.last_pop: tuple[Model, float] | None = None

    def teardown(self) -> None:
        queue_module._TENANTS, queue_module._MARKS = 1024, 8

    def of(self, where: str, priority: Priority | None = None) -> list[Model]:
        return [
            m for m in self.known if m.where == where and (priority is None or m.entry.priority is priority)
        ]

    def left(self, priority: Priority) -> None:
        """The end of a busy period: the past is forgotten."""
        if not any(m.queued and m.entry.priority is priority for m in self.known):
            self.finish = {flow: tag for flow, tag in self.finish.items() if flow[0] is not priority}

    def refund(self, m: Model) -> None:
        """A job that is taken back is not held against its tenant's next one."""
        flow = (m.entry.priority, m.entry.tenant)
        if flow in self.finish:
            self.finish[flow] -= m.entry.cost / WEIGHTS.get(m.entry.tenant, 1.0)

    def mature(self) -> None:
        for m in self.of("later"):
            if m.entry.not_before <= self.now:
                m.where = "ready"

    def place(self, m: Model, delay: float) -> None:
        m.entry.not_before = self.now + delay
        self.queue.push(m.entry, self.now)
        m.where = "later" if delay > 0 else "ready"

    @rule(
        priority=st.sampled_from(Priority),
        tenants=st.text("abcde", min_size=1, max_size=6),
        cost=st.sampled_from([1.0, 2.0, 5.0]),
        delay=st.sampled_from([0.0, 0.0, 7.0, 100.0]),
        lifetime=st.sampled_from([None, 5.0, 150.0, 1000.0]),
    )
    def push(
        self, priority: Priority, tenants: str, cost: float, delay: float, lifetime: float | None
    ) -> None:
        for tenant in tenants:
            deadline = None if lifetime is None else self.now + lifetime
            entry = Entry(len(self.known), priority=priority, tenant=tenant, cost=cost, deadline=deadline)
            start = max(self.virtual[priority], self.finish.get((priority, tenant), 0.0))
            self.finish[priority, tenant] = start + cost / WEIGHTS.get(tenant, 1.0)
            m = Model(entry, start, len(self.known), self.now)
            self.known.append(m)
            self.place(m, delay)

    @rule(target=held)
    def pop(self) -> object:
        self.mature()
        best: tuple[float, Priority, Model] | None = None
        for priority in Priority:
            ready = self.of("ready", priority)
            if not ready:
                continue
            head = min(ready, key=lambda m: m.order)
            waited = self.now - max(head.pushed, self.served[priority])
            rank = (priority - waited / AGEING, priority)
            if best is None or rank < best[:2]:
                best = (*rank, head)
        found = self.queue.pop(self.now)
        if best is None:
            assert found is None
            return multiple()
        expected = best[2]
        assert found is expected.entry
        priority = expected.entry.priority
        self.last_pop = (expected, self.served[priority])
        self.served[priority] = self.now
        self.virtual[priority] = max(self.virtual[priority], expected.tag)
        expected.where = "out"
        self.left(priority)
        return expected

    @rule(m=consumes(held), delay=st.sampled_from([0.0, 0.0, 1.0, 50.0]))
    def push_again(self, m: Model, delay: float) -> None:
        """Put back, retried, or taken out and entered again: it keeps its place."""
        if delay == 0 and self.last_pop is not None and self.last_pop[0] is m:
            self.served[m.entry.priority] = self.last_pop[1]
        self.place(m, delay)

    @rule(m=consumes(held), shelf=st.sampled_from("xy"))
    def shelve(self, m: Model, shelf: str) -> None:
        """It has to wait for another one, and keeps its place."""
        m.entry.not_before = 0.0
        if self.last_pop is not None and self.last_pop[0] is m:
            self.served[m.entry.priority] = self.last_pop[1]
        self.queue.push(m.entry, self.now, shelf)
        m.where = shelf

    @rule(shelf=st.sampled_from("xy"))
    def unshelve(self, shelf: str) -> None:
        waiting = self.of(shelf)
        assert self.queue.shelves.count(shelf) >= len(waiting)
        assert {id(entry) for entry in self.queue.unshelve(shelf)} == {id(m.entry) for m in waiting}
        for m in waiting:
            m.where = "ready"

    @rule(target=held, data=st.data())
    def discard(self, data: st.DataObject) -> object:
        if not self.known:
            return multiple()
        m = data.draw(st.sampled_from(self.known), label="entry")
        was = m.queued
        m.where = "out"
        assert self.queue.discard(m.entry) == was
        if not was:
            return multiple()
        self.refund(m)
        self.left(m.entry.priority)
        return m

    @rule(target=held)
    def expire(self) -> object:
        late = [m for m in self.known if m.queued and (m.entry.deadline or math.inf) <= self.now]
        late.sort(key=lambda m: (m.entry.deadline, m.number))
        assert self.queue.expired(self.now) == [m.entry for m in late]
        for m in late:
            m.where = "out"
            self.refund(m)
            self.left(m.entry.priority)
        return multiple(*late)

    @rule(target=held)
    def clear(self) -> object:
        taken = [m for m in self.known if m.queued]
        assert {id(entry) for entry in self.queue.clear()} == {id(m.entry) for m in taken}
        for m in taken:
            m.where = "out"
            self.left(m.entry.priority)
        return multiple(*taken)

    @rule(target=held, odd=st.booleans())
    def remove(self, odd: bool) -> object:
        taken = [m for m in self.known if m.queued and m.number % 2 == odd]
        found = self.queue.remove(lambda number: number % 2 == odd)
        assert {id(entry) for entry in found} == {id(m.entry) for m in taken}
        for m in taken:
            m.where = "out"
            self.refund(m)
            self.left(m.entry.priority)
        return multiple(*taken)

    @rule(seconds=st.sampled_from([0.5, 7.0, 60.0, 130.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def counts_agree(self) -> None:
        queued = [m for m in self.known if m.queued]
        assert len(self.queue) == len(queued)
        assert all(m.entry.queued == m.queued for m in self.known)
        later = len(self.queue._later) + self.queue.shelves.count()
        for m in self.known:
            mates = [other.entry.cost for other in queued if mated(m, other)]
            ahead = self.queue.ahead(m.entry)
            assert len(mates) - later <= ahead.jobs <= len(mates)
            assert ahead.cost <= sum(mates) + 1e-9

    @invariant()
    def the_next_event_is_known(self) -> None:
        self.mature()  # asking does so too
        times = [m.entry.not_before for m in self.of("later")]
        times += [m.entry.deadline for m in self.known if m.queued and m.entry.deadline is not None]
        assert self.queue.next_event(self.now) == min(times, default=None)
        assert self.queue.waiting() >= len(self.of("later"))


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
