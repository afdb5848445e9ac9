"""A job's place in a queue."""

from __future__ import annotations

from typing import Generic, TypeVar

from headway.core.job import Priority

T = TypeVar("T")


class Entry(Generic[T]):
    """A job's place in the queue; it stays the job's own through retries."""

    __slots__ = (
        "cost",
        "deadline",
        "item",
        "length",
        "marked",
        "moved",
        "not_before",
        "priority",
        "pushed",
        "queued",
        "sequence",
        "tag",
        "tenant",
        "timed",
    )

    def __init__(
        self,
        item: T,
        *,
        priority: Priority = Priority.NORMAL,
        tenant: str = "",
        cost: float = 1.0,
        deadline: float | None = None,
    ) -> None:
        self.item = item
        self.priority = priority
        self.tenant = tenant
        self.cost = cost
        self.deadline = deadline
        self.length = 0.0  # how long it may take, in any unit
        self.moved = False  # by `long_jobs_first`
        self.not_before = 0.0
        self.tag = -1.0
        self.sequence = -1
        self.pushed = 0.0
        self.queued = False
        self.marked = False  # taken out, but still in a heap
        self.timed = False  # in the heap of deadlines
