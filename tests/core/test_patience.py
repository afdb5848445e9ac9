"""The pause between probes: short at first, a small part of a long outage, bounded."""

from __future__ import annotations

from headway.core.budget import Budget, Cost, Refusal
from headway.core.limits import Limits
from headway.core.patience import LONGEST, PAUSE, SHARE, Patience
from headway.core.reservation import RefusalKind, Reservation


def test_the_longer_it_lasts_the_longer_the_pause() -> None:
    patience = Patience()
    assert [patience.refused(now) for now in (100.0, 101.0, 130.0)] == [PAUSE] * 3
    assert patience.refused(200.0) == SHARE * 100
    assert patience.refused(100_000.0) == LONGEST
    patience.taken()
    assert patience.refused(100_001.0) == PAUSE


def probes(kind: RefusalKind, seconds: float) -> int:
    """Requests that one waiting job costs while every request is refused."""
    budget, now, sent = Budget(Limits(requests=6000), 0.0), 0.0, 0
    while now < seconds:
        outcome = budget.reserve(Cost(10, 100), now)
        if isinstance(outcome, Reservation):
            sent += 1
            now += max(0.05, budget.refuse(outcome, Refusal(kind), now + 0.05, jitter=0.5))
        else:
            now += outcome.seconds
    return sent


def test_an_hour_of_refusals_costs_hundreds_of_requests_not_thousands() -> None:
    assert 100 < probes(RefusalKind.OVERLOAD, 3600) < 600
    assert 100 < probes(RefusalKind.CONCURRENCY, 3600) < 700


def test_a_minute_is_probed_about_twice_a_second_at_most() -> None:
    assert 40 < probes(RefusalKind.OVERLOAD, 60) <= 121
