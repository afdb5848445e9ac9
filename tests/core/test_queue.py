"""The queue's promises: fair shares, priorities without starvation, O(log n), nothing kept that has ended."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from headway.core.job import Priority
from headway.core.queue import AGEING, FairQueue
from headway.core.queue_entry import Entry

BULK, NORMAL, INTERACTIVE = Priority.BULK, Priority.NORMAL, Priority.INTERACTIVE


def fill(
    queue: FairQueue[str],
    tenant: str,
    count: int,
    *,
    cost: float = 1.0,
    priority: Priority = NORMAL,
    at: float = 0.0,
) -> list[Entry[str]]:
    entries = [Entry(tenant, tenant=tenant, cost=cost, priority=priority) for _ in range(count)]
    for entry in entries:
        queue.push(entry, at)
    return entries


def take(queue: FairQueue[str], count: int, now: float = 0.0) -> list[str]:
    taken = [entry.item for _ in range(count) if (entry := queue.pop(now)) is not None]
    assert len(taken) == count
    return taken


def test_first_in_first_out_for_one_tenant() -> None:
    queue: FairQueue[str] = FairQueue()
    entries = fill(queue, "a", 50)
    assert [queue.pop(0.0) for _ in range(50)] == entries
    assert queue.pop(0.0) is None


@pytest.mark.parametrize("late", [False, True])
def test_a_thousand_jobs_of_one_do_not_delay_ten_of_another(late: bool) -> None:
    queue: FairQueue[str] = FairQueue()
    fill(queue, "big", 1000)
    if late:
        take(queue, 300)
    fill(queue, "small", 10)
    order = take(queue, 700)
    places = [place for place, tenant in enumerate(order, 1) if tenant == "small"]
    assert len(places) == 10
    assert all(place <= 2 * number for number, place in enumerate(places, 1)), places


@pytest.mark.parametrize(("heavy", "light"), [(2.0, 1.0), (3.0, 1.0), (1.0, 0.25)])
def test_weights_are_shares_within_one_job(heavy: float, light: float) -> None:
    queue: FairQueue[str] = FairQueue({"heavy": heavy, "light": light})
    fill(queue, "light", 300)
    fill(queue, "heavy", 300)
    seen: Counter[str] = Counter()
    for tenant in take(queue, 300):
        seen[tenant] += 1
        assert abs(seen["heavy"] - seen["light"] * heavy / light) <= max(heavy, light) / min(heavy, light)


def test_shares_are_of_cost_not_of_jobs() -> None:
    queue: FairQueue[str] = FairQueue()
    fill(queue, "long", 100, cost=1000.0)
    fill(queue, "short", 1000, cost=100.0)
    seen = Counter(take(queue, 550))
    assert seen["long"] == 50
    assert seen["short"] == 500


def test_a_tenant_that_was_away_is_not_owed_anything() -> None:
    queue: FairQueue[str] = FairQueue()
    fill(queue, "here", 200)
    take(queue, 100)
    fill(queue, "new", 200)
    seen = Counter(take(queue, 100))
    assert abs(seen["here"] - seen["new"]) <= 1


def test_a_tenant_that_worked_alone_pays_nothing_for_it_later() -> None:
    """Once the queue ran empty the past is forgotten, as at the end of the paper's busy period."""
    queue: FairQueue[str] = FairQueue()
    fill(queue, "early", 500)
    take(queue, 500)
    fill(queue, "early", 100)
    fill(queue, "late", 100)
    seen = Counter(take(queue, 100))
    assert abs(seen["early"] - seen["late"]) <= 1


def test_many_tenants_share_alike() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(20):
        fill(queue, f"t{number}", 20)
    assert max(Counter(take(queue, 200)).values()) == 10


def test_among_thousands_of_tenants_each_is_remembered_while_it_has_had_its_turn() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(3000):
        fill(queue, f"t{number}", 1)
    fill(queue, "t0", 1)
    fill(queue, "new", 1)
    order = take(queue, 3002)
    assert order[0] == order[-1] == "t0", "its second job comes after everybody's first"


@pytest.mark.parametrize("weight", [0.0, -1.0, math.nan, math.inf])
def test_weights_that_make_no_sense_are_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="'acme'"):
        FairQueue({"acme": weight})


def test_priorities() -> None:
    queue: FairQueue[str] = FairQueue()
    for name, priority in (("b", BULK), ("n", NORMAL), ("i", INTERACTIVE)):
        fill(queue, name, 3, priority=priority)
    assert take(queue, 9) == list("iiinnnbbb")


def test_between_equals_the_higher_class_goes_first() -> None:
    queue: FairQueue[str] = FairQueue()
    fill(queue, "normal", 1)
    fill(queue, "person", 1, priority=INTERACTIVE, at=AGEING)
    assert take(queue, 2, AGEING) == ["person", "normal"]


@pytest.mark.parametrize("age", [1.0, AGEING, 3 * AGEING, 3600.0])
@pytest.mark.parametrize(("backlog", "asking"), [(BULK, INTERACTIVE), (BULK, NORMAL), (NORMAL, INTERACTIVE)])
def test_an_old_backlog_does_not_go_before_the_person_who_asks_now(
    backlog: Priority, asking: Priority, age: float
) -> None:
    """Ageing must not turn the priorities round after four minutes of a run."""
    queue: FairQueue[str] = FairQueue()
    fill(queue, "backlog", 5000, priority=backlog)
    for second in range(int(age)):
        take(queue, 1, float(second))
    fill(queue, "person", 20, priority=asking, at=age)
    assert take(queue, 20, age) == ["person"] * 20


def test_no_class_starves() -> None:
    queue: FairQueue[str] = FairQueue()
    fill(queue, "bulk", 100, priority=BULK)
    fill(queue, "normal", 100)
    served: dict[str, list[float]] = {"bulk": [], "normal": [], "person": []}
    for second in range(3600):
        now = float(second)
        fill(queue, "person", 2, priority=INTERACTIVE, at=now)  # twice what can be sent
        served[take(queue, 1, now)[0]].append(now)
    for name, patience in (("normal", AGEING), ("bulk", 2 * AGEING)):
        gaps = [b - a for a, b in zip([0.0, *served[name]], served[name], strict=False)]
        assert max(gaps) <= patience + 5, name
    assert len(served["person"]) > 0.98 * 3600


def test_an_aged_job_keeps_its_turn_until_it_is_really_sent() -> None:
    """It is popped, finds no budget, is put back: its class has not been served by that."""
    queue: FairQueue[str] = FairQueue()
    fill(queue, "bulk", 2, priority=BULK)
    fill(queue, "person", 5, priority=INTERACTIVE, at=300.0)
    for _ in range(3):
        entry = queue.pop(300.0)
        assert entry is not None
        assert entry.item == "bulk"
        queue.push(entry, 300.0)
    assert take(queue, 6, 300.0) == ["bulk", *["person"] * 5]


def test_put_back_and_retry_keep_their_place() -> None:
    queue: FairQueue[str] = FairQueue()
    first, second, third = fill(queue, "a", 3)
    assert queue.pop(0.0) is first
    queue.push(first, 0.0)
    assert queue.pop(0.0) is first
    first.not_before = 5.0
    queue.push(first, 0.0)
    assert queue.pop(4.9) is second
    assert queue.pop(5.0) is first, "not behind those that came later"
    assert queue.pop(5.0) is third


def test_nothing_before_its_time_even_if_it_was_taken_out_and_pushed_again() -> None:
    queue: FairQueue[str] = FairQueue()
    (entry,) = fill(queue, "a", 1)
    assert queue.discard(entry)
    entry.not_before = 100.0
    queue.push(entry, 0.0)
    assert queue.pop(99.0) is None
    assert queue.discard(entry)
    entry.not_before = 200.0
    queue.push(entry, 99.0)
    assert queue.pop(199.0) is None
    assert queue.next_event(199.0) == 200.0
    assert queue.pop(200.0) is entry
    assert queue.pop(200.0) is None


def test_discard_says_whether_it_was_there() -> None:
    queue: FairQueue[str] = FairQueue()
    (entry,) = fill(queue, "a", 1)
    assert queue.discard(entry)
    assert not queue.discard(entry)
    assert (len(queue), queue.pop(0.0)) == (0, None)


def test_next_event_is_known_while_anything_is_to_come() -> None:
    queue: FairQueue[str] = FairQueue()
    assert queue.next_event(0.0) is None
    later = Entry("later")
    later.not_before = 30.0
    queue.push(later, 0.0)
    assert queue.next_event(0.0) == 30.0
    queue.push(Entry("with deadline", deadline=20.0), 0.0)
    assert queue.next_event(0.0) == 20.0
    assert [entry.item for entry in queue.expired(20.0)] == ["with deadline"]
    assert queue.next_event(20.0) == 30.0
    assert queue.next_event(30.0) is None, "what is due is no event to wait for"
    assert queue.pop(30.0) is later


def test_an_event_that_was_taken_out_is_none() -> None:
    queue: FairQueue[str] = FairQueue()
    later = Entry("later")
    later.not_before = 30.0
    queue.push(later, 0.0)
    queue.discard(later)
    assert queue.next_event(0.0) is None


def test_deadline_of_a_job_that_runs_or_has_ended_wakes_nobody() -> None:
    queue: FairQueue[str] = FairQueue()
    entry = Entry("x", deadline=50.0)
    queue.push(entry, 0.0)
    assert queue.pop(0.0) is entry
    assert queue.next_event(0.0) is None
    entry.not_before = 10.0
    queue.push(entry, 1.0)
    assert queue.next_event(1.0) == 10.0
    assert queue.expired(50.0) == [entry], "a retry still has its deadline"


def test_deadlines_survive_a_clear() -> None:
    queue: FairQueue[str] = FairQueue()
    entry = Entry("x", deadline=50.0)
    queue.push(entry, 0.0)
    assert queue.clear() == [entry]
    assert (len(queue), queue.next_event(0.0), queue.clear()) == (0, None, [])
    queue.push(entry, 0.0)
    assert queue.expired(50.0) == [entry]


def test_cancelled_jobs_are_not_held_against_their_tenant() -> None:
    queue: FairQueue[str] = FairQueue()
    cancelled = [Entry(f"a{i}", tenant="a") for i in range(1000)]
    for entry in cancelled:
        queue.push(entry, 0.0)
    for i in range(10):
        queue.push(Entry(f"b{i}", tenant="b"), 0.0)
    for entry in cancelled:
        assert queue.discard(entry)
    queue.push(Entry("a next", tenant="a"), 0.0)
    order = [popped.item for popped in iter(lambda: queue.pop(0.0), None)]
    assert order.index("a next") <= 1, "a fair share, as if the cancelled ones had never been"


def test_some_are_taken_out_and_the_others_keep_their_places() -> None:
    queue: FairQueue[str] = FairQueue()
    for text in ("a", "b"):
        fill(queue, text, 500)
    later = Entry("a")
    later.not_before = 50.0
    queue.push(later, 0.0)
    taken = queue.remove(lambda item: item == "a")
    assert len(taken) == 501
    assert later in taken
    assert all(not entry.queued for entry in taken)
    assert (len(queue), queue.waiting()) == (500, 0)
    assert take(queue, 500) == ["b"] * 500
    for entry in taken[:3]:
        queue.push(entry, 60.0)
    assert take(queue, 3, 60.0) == ["a"] * 3
    assert queue.remove(lambda _: True) == []
