"""The bound behind "the job could not start before its deadline"."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headway.core.backlog import NOTHING, Backlog
from headway.core.budget import Budget, Cost, Refusal, RefusalKind, Reservation, Wait
from headway.core.lateness import shortest_wait
from headway.core.limits import Limits


def test_nothing_is_known_nothing_is_foretold() -> None:
    status = Budget(Limits(), 0.0).status(0.0)
    assert shortest_wait(Backlog(10**9, 1e12), status) == 0.0


def test_the_scarcer_of_requests_and_input_decides() -> None:
    status = Budget(Limits(requests=600, input=60_000), 0.0).status(0.0)
    assert shortest_wait(NOTHING, status) == 0.0
    assert shortest_wait(Backlog(600, 0.0), status) == 0.0, "a bucket may hold a minute's worth"
    assert shortest_wait(Backlog(1200, 0.0), status) == 60.0
    assert shortest_wait(Backlog(1200, 240_000.0), status) == 180.0


@given(
    requests=st.floats(60, 6000),
    tokens=st.floats(6_000, 600_000),
    burst=st.floats(1, 60),
    each=st.floats(1, 2000),
    jobs=st.integers(1, 400),
)
def test_no_budget_is_quicker(requests: float, tokens: float, burst: float, each: float, jobs: int) -> None:
    """As many jobs as the backlog, sent as fast as a rested budget lets them, take no less than the bound."""
    limits = Limits(requests=requests, input=tokens, burst=burst)
    budget = Budget(limits, 0.0)
    bound = shortest_wait(Backlog(jobs, jobs * each), budget.status(0.0))
    now = 0.0
    for _ in range(jobs):
        while not isinstance(taken := budget.reserve(Cost(each), now, interactive=True), Reservation):
            now += taken.seconds
    assert now >= bound - 1e-6


def test_a_circuit_that_interactive_jobs_pass_is_surely_shut_for_nobody() -> None:
    """A 429 without headers stops bulk; a person may try all the same, so no deadline is hopeless yet."""
    budget = Budget(Limits(), 0.0)
    taken = budget.reserve(Cost(10.0), 0.0)
    assert isinstance(taken, Reservation)
    budget.refuse(taken, Refusal(RefusalKind.RATE, 600.0), 0.1, jitter=0.5)
    waits = budget.reserve(Cost(10.0), 0.2)
    assert isinstance(waits, Wait)
    person = budget.reserve(Cost(10.0), 0.2, interactive=True)
    assert waits.surely == (0.0 if isinstance(person, Reservation) else person.surely)
    assert isinstance(person, Reservation)
