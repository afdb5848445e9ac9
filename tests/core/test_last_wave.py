"""Near the end of a queue long jobs go first: within their tenant's turns, once, and cheaply."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import queue as queue_module
from headway.core.job import Priority
from headway.core.last_wave import WAVES, expected_length, is_last_wave, longest_first
from headway.core.queue import FairQueue
from headway.core.queue_entry import Entry

MANY = 10_000
"""So many run that any queue here is the last wave."""


def entry(
    name: str, length: float = 0.0, *, tenant: str = "", cost: float = 1.0, **more: object
) -> Entry[str]:
    made = Entry(name, tenant=tenant, cost=cost, **more)  # type: ignore[arg-type]
    made.length = length
    return made


def queue_of(entries: Iterable[Entry[str]], **weights: float) -> FairQueue[str]:
    queue: FairQueue[str] = FairQueue(weights)
    for item in entries:
        queue.push(item, 0.0)
    return queue


def drained(queue: FairQueue[str], running: int = MANY) -> list[str]:
    found: list[str] = []
    while True:
        queue.long_jobs_first(running)
        item = queue.pop(0.0)
        if item is None:
            return found
        found.append(item.item)


@pytest.mark.parametrize(
    ("queued", "running", "last"),
    [(0, 0, False), (0, 10, False), (1, 0, False), (WAVES, 1, True), (WAVES + 1, 1, False), (80, 10, True)],
)
def test_the_last_wave(queued: int, running: int, last: bool) -> None:
    assert is_last_wave(queued, running) is last


def test_length_is_what_may_be_written_and_a_little_of_what_is_read() -> None:
    assert expected_length(1000, 100) < expected_length(0, 200)
    assert expected_length(1000, 100) < expected_length(2000, 100)


def test_long_jobs_go_first() -> None:
    entries = [entry("a", 64), entry("b", 4096), entry("c", 64), entry("d", 1024)]
    assert drained(queue_of(entries)) == ["b", "d", "a", "c"]


def test_before_the_last_wave_age_decides() -> None:
    entries = [entry(f"{number}", number) for number in range(WAVES * 3)]
    queue = queue_of(entries)
    queue.long_jobs_first(running=2)
    first = queue.pop(0.0)
    assert first is not None and first.item == "0"
    assert drained(queue, running=3)[0] == f"{WAVES * 3 - 1}"


def test_jobs_of_one_length_keep_their_order() -> None:
    assert drained(queue_of(entry(f"{n}", 1024) for n in range(50))) == [f"{n}" for n in range(50)]


def test_interactive_jobs_go_first_and_in_the_order_of_their_age() -> None:
    bulk = [entry(f"bulk {n}", 4096 + 9000 * n, priority=Priority.BULK) for n in range(3)]
    people = [entry(f"person {n}", n, priority=Priority.INTERACTIVE) for n in range(3)]
    assert drained(queue_of([*bulk, *people])) == [
        "person 0", "person 1", "person 2", "bulk 2", "bulk 1", "bulk 0",
    ]  # fmt: skip


def test_a_priority_is_not_overtaken_by_a_long_job_of_a_lower_one() -> None:
    entries = [entry("bulk", 9999, priority=Priority.BULK), entry("normal", 1)]
    assert drained(queue_of(entries)) == ["normal", "bulk"]


lengths = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), max_size=60)


@given(lengths)
def test_tenants_take_turns_as_before(jobs: list[tuple[str, int]]) -> None:
    """Jobs of equal cost: whose turn it is does not change, only which job of that tenant."""

    def entries() -> list[Entry[str]]:
        return [entry(tenant, length, tenant=tenant) for tenant, length in jobs]

    assert drained(queue_of(entries(), a=2.0)) == drained(queue_of(entries(), a=2.0), running=0)


def in_order(entries: list[Entry[str]]) -> list[Entry[str]]:
    return sorted(entries, key=lambda one: (one.tag, one.sequence))


costs = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.floats(1, 100)), min_size=1, max_size=40
)


@given(costs)
def test_the_tags_are_those_of_jobs_queued_in_that_order(jobs: list[tuple[str, int, float]]) -> None:
    moved = [entry(f"{n}", length, tenant=t, cost=cost) for n, (t, length, cost) in enumerate(jobs)]
    queue = queue_of(moved)
    queue.long_jobs_first(MANY)
    again = [Entry(item.item, tenant=item.tenant, cost=item.cost) for item in in_order(moved)]
    queue_of(again)
    assert {item.item: pytest.approx(item.tag) for item in moved} == {item.item: item.tag for item in again}
    assert len({item.sequence for item in moved}) == len(moved)


def test_a_short_job_is_overtaken_by_those_it_waits_with_and_by_no_later_ones() -> None:
    queue = queue_of([entry("short", 1), *(entry(f"long {n}", 100) for n in range(20))])
    for number in range(21):
        queue.long_jobs_first(MANY)
        item = queue.pop(0.0)
        assert item is not None
        if item.item == "short":
            return
        queue.push(entry(f"late {number}", 1000), 0.0)
    raise AssertionError("it starves")


def test_a_job_that_is_put_back_keeps_its_new_place() -> None:
    queue = queue_of([entry("short", 1), entry("long", 9), entry("medium", 5)])
    queue.long_jobs_first(MANY)
    item = queue.pop(0.0)
    assert item is not None and item.item == "long"
    queue.push(item, 0.0)
    queue.push(entry("late", 100), 0.0)
    assert drained(queue) == ["long", "medium", "short", "late"]


def test_jobs_that_were_taken_out_or_wait_for_a_retry_are_left_alone() -> None:
    gone, later = entry("gone", 50), entry("later", 40)
    later.not_before = 10.0
    queue = queue_of([entry("short", 1), gone, later, entry("long", 9)])
    queue.discard(gone)
    assert drained(queue) == ["long", "short"]
    assert [item.item for item in (queue.pop(10.0), queue.pop(10.0)) if item] == ["later"]


def test_ordering_costs_no_more_than_queuing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that is always short: every job pushed is paid for once, not at each look."""
    looked_at = 0

    def counted(places: list[Entry[str]], weight: float) -> None:
        nonlocal looked_at
        looked_at += len(places)
        longest_first(places, weight)

    monkeypatch.setattr(queue_module, "longest_first", counted)
    queue = queue_of(entry(f"{n}", n % 7) for n in range(500))
    for number in range(5000):
        queue.long_jobs_first(MANY)
        assert queue.pop(0.0) is not None
        queue.push(entry(f"late {number}", number % 7), 0.0)
    assert looked_at <= 2 * (5500 + 500)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9), st.booleans()), max_size=80))
def test_nothing_is_lost(jobs: list[tuple[str, int, bool]]) -> None:
    queue: FairQueue[str] = FairQueue()
    taken: list[str] = []
    for number, (tenant, length, pop) in enumerate(jobs):
        queue.push(entry(f"{number}", length, tenant=tenant), 0.0)
        queue.long_jobs_first(length)
        if pop and (item := queue.pop(0.0)):
            taken.append(item.item)
    assert sorted([*taken, *drained(queue)]) == sorted(f"{number}" for number in range(len(jobs)))


def test_jobs_of_about_the_same_length_stay_in_their_order() -> None:
    queue = queue_of([entry("first", 3), entry("second", 9), entry("third", 6)])
    queue.long_jobs_first(MANY)
    assert drained(queue) == ["first", "second", "third"]


def test_the_backlog_is_what_the_queued_jobs_cost() -> None:
    jobs = [entry(f"job {n}", 1) for n in range(4)]
    for place, job in enumerate(jobs):
        job.cost = 10.0**place
    queue = queue_of(jobs)
    assert queue.backlogs.all == (4, 1111.0)
    queue.discard(jobs[2])
    taken = queue.pop(0.0)
    assert taken is jobs[0]
    assert queue.backlogs.all == (2, 1010.0)
