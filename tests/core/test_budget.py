"""The parts joined: single decisions, and random histories."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.core.backlog import Backlog
from headway.core.breaker import Circuit
from headway.core.budget import Budget, Cost, Refusal, RefusalKind, Reservation, Used, Wait
from headway.core.dimension import Dimension
from headway.core.limits import NO_REPORT, Bucket, LimitReport, Limits

TOLD = Limits(requests=600, input=60_000, output=12_000, burst=10)
JOB = Cost(input=100, max_output=1000)
RATE = Refusal(RefusalKind.RATE)
OVERLOAD = Refusal(RefusalKind.OVERLOAD)


def report(requests: float = 100, size: float = 10_000, output: float = 2000) -> LimitReport:
    return LimitReport(
        (
            (Dimension.REQUESTS, Bucket(600, requests, 1.0)),
            (Dimension.INPUT, Bucket(60_000, size, 1.0)),
            (Dimension.OUTPUT, Bucket(12_000, output, 1.0)),
        )
    )


def take(budget: Budget, now: float, cost: Cost = JOB, *, interactive: bool = False) -> Reservation:
    outcome = budget.reserve(cost, now, interactive=interactive)
    assert isinstance(outcome, Reservation), outcome
    return outcome


def waits(budget: Budget, now: float, cost: Cost = JOB, *, interactive: bool = False) -> Wait:
    outcome = budget.reserve(cost, now, interactive=interactive)
    assert isinstance(outcome, Wait), outcome
    return outcome


def fill(budget: Budget, now: float, cost: Cost = JOB) -> list[Reservation]:
    """Interactive jobs until nothing is left."""
    taken: list[Reservation] = []
    while isinstance(outcome := budget.reserve(cost, now, interactive=True), Reservation):
        taken.append(outcome)
    return taken


def storm(budget: Budget, now: float) -> None:
    for reservation in [take(budget, now, interactive=True) for _ in range(10)]:
        budget.refuse(reservation, OVERLOAD, now, jitter=0.5)


def level(budget: Budget, now: float, dimension: Dimension) -> float:
    (found,) = (d.level for d in budget.status(now).dimensions if d.dimension is dimension)
    assert found is not None
    return found


def test_told_limits_go_at_full_burst_at_once():
    budget, sent, now = Budget(Limits(requests=600, input=60_000, burst=10), 0.0), 0, 0.0
    while now < 2:
        outcome = budget.reserve(JOB, now)
        if isinstance(outcome, Wait):
            now += outcome.seconds
        else:
            sent += 1
    assert sent > 2 * 10 * 1.2  # faster than the limit of 10 a second


def test_a_prediction_comes_true_in_one_sleep():
    budget, now, waits_in_a_row, worst = Budget(TOLD, 0.0), 0.0, 0, 0
    for _ in range(300):
        outcome = budget.reserve(Cost(100), now)
        if isinstance(outcome, Wait):
            now += outcome.seconds
            waits_in_a_row += 1
        else:
            budget.settle(outcome, Used(100, 0), now)
            waits_in_a_row = 0
        worst = max(worst, waits_in_a_row)
    assert worst <= 3


def test_the_scarcest_bucket_is_named():
    budget = Budget(Limits(input=60_000, burst=10), 0.0)
    for _ in range(9):
        take(budget, 0.0, Cost(1000), interactive=True)
    wait = waits(budget, 0.0, Cost(5000), interactive=True)
    assert wait.reason == "input"
    assert wait.seconds == pytest.approx(4.5)  # for 5,000 and half of the 1,000 that headers round to
    take(budget, wait.seconds, Cost(5000), interactive=True)


def test_a_job_bigger_than_the_bucket_runs_alone_when_it_is_full():
    budget = Budget(Limits(input=60_000, burst=10), 0.0)
    take(budget, 0.0, Cost(1000), interactive=True)
    wait = waits(budget, 0.0, Cost(50_000))
    assert wait.seconds == pytest.approx(1.3, abs=0.1)  # 1 until full, .3 as the depth is not known exactly
    take(budget, wait.seconds, Cost(50_000))
    assert level(budget, 1.3, Dimension.INPUT) == pytest.approx(-40_000, abs=200)


def test_interactive_jobs_start_while_bulk_waits_for_its_pace():
    budget = Budget(TOLD, 0.0)
    while isinstance(budget.reserve(Cost(1000), 0.0), Reservation):
        pass
    assert waits(budget, 0.0).reason == "pace"
    take(budget, 0.0, interactive=True)


def test_untold_it_starts_carefully_and_follows_the_first_header():
    budget = Budget(Limits(), 0.0)
    first = take(budget, 0.0)
    sent = 1
    while isinstance(budget.reserve(JOB, 0.0), Reservation):
        sent += 1
    assert sent <= 3
    budget.observe(first, report(), 0.4)
    assert {d.origin for d in budget.status(0.4).dimensions} == {"header"}
    assert budget.status(0.4).jobs_per_second is None


@pytest.mark.parametrize("factor", [0.1, 10])
def test_wrong_told_limits_are_corrected_by_headers(factor: float):
    budget = Budget(Limits(requests=600 * factor, input=60_000 * factor), 0.0)
    budget.observe(take(budget, 0.0), report(), 0.4)
    assert [d.limit for d in budget.status(0.4).dimensions] == [600, 60_000, 12_000]


def test_an_old_header_changes_nothing_not_even_a_limit():
    budget = Budget(TOLD, 0.0)
    old, new = take(budget, 0.0), take(budget, 0.0)
    budget.observe(new, report(), 0.4)
    budget.observe(old, LimitReport(((Dimension.INPUT, Bucket(1000, 0, 1.0)),)), 0.5)
    assert budget.status(0.5).dimensions[1].limit == 60_000


def test_input_is_settled_and_output_is_neither_reserved_nor_refunded():
    budget = Budget(TOLD, 0.0)
    reservation = take(budget, 0.0)
    assert level(budget, 0.0, Dimension.OUTPUT) == 2000
    budget.settle(reservation, Used(input=2100, output=50), 0.0)
    assert level(budget, 0.0, Dimension.INPUT) == 10_000 - 2100


def test_release_gives_back_and_forfeit_does_not():
    budget = Budget(TOLD, 0.0)
    budget.release(take(budget, 0.0), 0.0)
    assert level(budget, 0.0, Dimension.INPUT) == 10_000
    budget.forfeit(take(budget, 0.0), 0.0)
    assert level(budget, 0.0, Dimension.INPUT) == 9900
    assert budget.in_flight == 0


def test_a_storm_collapses_to_one_probe_and_full_speed_is_back_soon():
    budget = Budget(TOLD, 0.0)
    storm(budget, 0.0)
    assert waits(budget, 0.0, interactive=True).reason == "circuit"
    probe = take(budget, 0.6)
    assert probe.probe
    assert waits(budget, 0.6, interactive=True).reason == "probe"
    budget.observe(probe, NO_REPORT, 0.7)
    assert budget.status(0.7).circuit is Circuit.CLOSED
    assert budget.status(2.7).ceiling is None


@pytest.mark.parametrize(
    "end", ["settle", "release", "forfeit", "rate", "explained", "concurrency", "overload"]
)
def test_every_exit_of_a_probe_clears_it(end: str):
    budget = Budget(TOLD, 0.0)
    storm(budget, 0.0)
    probe = take(budget, 0.6)
    match end:
        case "settle":
            budget.settle(probe, Used(1, 1), 0.7)
        case "release":
            budget.release(probe, 0.7)
        case "forfeit":
            budget.forfeit(probe, 0.7)
        case "rate":
            budget.refuse(probe, RATE, 0.7, jitter=0.5)
        case "explained":
            budget.refuse(probe, Refusal(RefusalKind.RATE, 1.0, report(0, 0, 0)), 0.7, jitter=0.5)
        case "concurrency":
            budget.refuse(probe, Refusal(RefusalKind.CONCURRENCY), 0.7, jitter=0.5)
        case _:
            budget.refuse(probe, OVERLOAD, 0.7, jitter=0.5)
    now = 0.7
    while isinstance(outcome := budget.reserve(JOB, now), Wait):
        now += outcome.seconds
        assert now < 10
    assert budget.in_flight == 1


@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("kind", list(RefusalKind))
def test_a_job_never_comes_back_before_its_retry_after(kind: RefusalKind, jitter: float):
    budget = Budget(TOLD, 0.0)
    assert budget.refuse(take(budget, 0.0), Refusal(kind, 30.0), 0.1, jitter=jitter) >= 30


def test_a_429_that_the_mirror_explains_only_makes_its_job_wait():
    budget = Budget(TOLD, 0.0)
    others = [take(budget, 0.0, interactive=True) for _ in range(6)]
    for reservation in reversed(others):
        budget.refuse(reservation, Refusal(RefusalKind.RATE, 2.0, report(size=0)), 0.1, jitter=0.5)
    assert budget.status(0.1).circuit is Circuit.CLOSED
    assert budget.status(0.1).ceiling is None


def test_429s_that_no_mirror_explains_open_the_circuit():
    budget = Budget(TOLD, 0.0)
    taken = [take(budget, 0.0, interactive=True) for _ in range(4)]
    for reservation in reversed(taken):
        budget.refuse(reservation, Refusal(RefusalKind.RATE, 3.0, report()), 0.1, jitter=0.5)
    assert budget.status(0.1).circuit is Circuit.OPEN


def test_without_headers_the_rate_is_learned_from_429s():
    budget, now, level_left, refused, sent = Budget(Limits(), 0.0), 0.0, 100.0, 0, 0
    last = 0.0
    while now < 300:
        outcome = budget.reserve(JOB, now)
        if isinstance(outcome, Wait):
            now += outcome.seconds
            continue
        level_left = min(100.0, level_left + 10 * (now - last)) - 1
        last = now
        if level_left < 0:
            level_left += 1
            refused += 1
            budget.refuse(outcome, RATE, now, jitter=0.5)
        else:
            sent += 1
            budget.settle(outcome, Used(100, 10), now)
    assert 0.95 * 10 * 300 < sent <= 10 * 300 + 100
    assert refused < 0.03 * sent


def test_concurrent_connections_bound_what_is_in_flight():
    budget = Budget(TOLD, 0.0)
    taken = [take(budget, 0.0, interactive=True) for _ in range(20)]
    assert budget.max_in_flight is None
    budget.refuse(taken[-1], Refusal(RefusalKind.CONCURRENCY), 0.1, jitter=0.5)
    assert budget.max_in_flight == pytest.approx(14)
    assert waits(budget, 0.2, interactive=True).reason == "concurrency"


def test_share_is_a_fraction_of_the_limit_that_headers_of_the_whole_do_not_widen():
    budget, now, sent = Budget(Limits(share=0.5), 0.0), 0.0, 0
    budget.observe(take(budget, 0.0), LimitReport(report().buckets[:2]), 0.4)
    while now < 100:
        outcome = budget.reserve(JOB, now)
        if isinstance(outcome, Wait):
            now += outcome.seconds
        else:
            sent += 1
            budget.observe(outcome, LimitReport(report().buckets[:2]), now)
            budget.settle(outcome, Used(100, 5), now)
    assert sent == pytest.approx(0.5 * (10 * 100 + 60), rel=0.1)


def test_limits_can_be_changed_while_running():
    budget = Budget(Limits(), 0.0)
    budget.set_limits(TOLD, 1.0)
    assert budget.status(1.0).dimensions[0].origin == "told"
    budget.set_limits(Limits(), 2.0)
    assert budget.status(2.0).dimensions[0].limit is None


def test_the_tail_of_a_queue_uses_up_the_reserve():
    sent: list[int] = []
    for backlog in (None, Backlog(3, 30_000.0)):
        budget, now, count = Budget(Limits(input=6_000_000, burst=10), 0.0), 0.0, 0
        while now < 8:
            outcome = budget.reserve(Cost(10_000), now, backlog=backlog)
            if isinstance(outcome, Wait):
                now += outcome.seconds
            else:
                count += 1
        sent.append(count)
    assert sent[1] > sent[0]


Step = tuple[str, float, float, float]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "reserve",
                "urgent",
                "observe",
                "settle",
                "release",
                "forfeit",
                "rate",
                "ramp",
                "busy",
                "overload",
            ]
        ),
        st.floats(0, 30),
        st.floats(0, 1),
        st.floats(0, 100_000),
    ),
    max_size=120,
)
LIMITS = st.builds(
    Limits,
    requests=st.none() | st.floats(1, 1e5),
    input=st.none() | st.floats(1e5, 1e8),
    output=st.none() | st.floats(1e4, 1e7),
    burst=st.none() | st.floats(0.1, 120),
    share=st.floats(0.2, 1),
)
KINDS = {
    "rate": RefusalKind.RATE,
    "ramp": RefusalKind.RAMP,
    "busy": RefusalKind.CONCURRENCY,
    "overload": RefusalKind.OVERLOAD,
}


def play(budget: Budget, steps: list[Step]) -> tuple[list[Reservation], float]:
    """A random history; returns what is still in flight, and the time."""
    flying: list[Reservation] = []
    ended: list[Reservation] = []
    now = 0.0
    for what, dt, jitter, amount in steps:
        now += dt * dt / 30
        if what in {"reserve", "urgent"}:
            outcome = budget.reserve(
                Cost(amount, 1000),
                now,
                interactive=what == "urgent",
                backlog=Backlog(int(amount), 500 * amount),
                jitter=jitter,
            )
            if isinstance(outcome, Reservation):
                flying.append(outcome)
            else:
                assert 0 < outcome.seconds <= 60
                assert outcome.reason
        elif flying:
            reservation = flying[int(jitter * (len(flying) - 1))]
            if what == "observe":
                budget.observe(reservation, report(amount % 600, amount % 60_000, amount % 12_000), now)
                continue
            flying.remove(reservation)
            ended.append(reservation)
            if what == "settle":
                budget.settle(reservation, Used(amount, amount / 10), now)
            elif what == "release":
                budget.release(reservation, now)
            elif what == "forfeit":
                budget.forfeit(reservation, now)
            else:
                refusal = Refusal(
                    KINDS[what], amount % 5 if amount > 50_000 else None, report(size=amount % 60_000)
                )
                assert budget.refuse(reservation, refusal, now, jitter=jitter) >= (refusal.retry_after or 0)
        if ended:  # the first ending wins
            again = ended[-1]
            before = budget.status(now)
            budget.settle(again, Used(5, 5), now)
            budget.release(again, now)
            budget.forfeit(again, now)
            budget.refuse(again, RATE, now, jitter=jitter)
            budget.observe(again, report(), now)
            assert budget.status(now) == before
        check(budget, flying, now)
    return flying, now


def check(budget: Budget, flying: list[Reservation], now: float) -> None:
    assert budget.in_flight == len(flying)
    status = budget.status(now)
    assert math.isfinite(status.pace)
    assert status.mean_output >= 0
    for dimension in status.dimensions:
        assert dimension.others >= 0
        assert math.isfinite(dimension.used)
        if dimension.level is not None and dimension.capacity is not None:
            assert math.isfinite(dimension.level)
            assert dimension.level <= dimension.capacity * (1 + 1e-9)


@settings(deadline=None)
@given(LIMITS, STEPS)
def test_random_histories_never_lose_count_and_never_shut_for_good(limits: Limits, steps: list[Step]):
    budget = Budget(limits, 0.0)
    flying, now = play(budget, steps)
    for reservation in flying:
        budget.forfeit(reservation, now)
    assert budget.in_flight == 0
    start = now
    for _ in range(500):
        outcome = budget.reserve(Cost(10, 100), now)
        if isinstance(outcome, Reservation):
            break
        now += outcome.seconds
    assert isinstance(outcome, Reservation), (outcome, budget.status(now))
    assert now - start < 3600


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(1, 5000), st.sampled_from(["settle", "release", "forfeit"])), max_size=40)
)
def test_what_is_in_flight_is_what_the_mirror_thinks_it_is(jobs: list[tuple[float, str]]):
    budget = Budget(Limits(requests=6000, input=60_000_000, burst=60), 0.0)
    held = lost = 0.0
    flying: list[tuple[Reservation, float, str]] = []
    for size, end in jobs:
        flying.append((take(budget, 0.0, Cost(size), interactive=True), size, end))
        held += size
    assert level(budget, 0.0, Dimension.INPUT) == pytest.approx(60_000_000 - held)
    for reservation, size, end in flying:
        if end == "settle":
            budget.settle(reservation, Used(size / 2, 0), 0.0)
            lost += size / 2
        elif end == "release":
            budget.release(reservation, 0.0)
        else:
            budget.forfeit(reservation, 0.0)
            lost += size
    assert level(budget, 0.0, Dimension.INPUT) == pytest.approx(60_000_000 - lost)


def test_a_job_that_is_alone_in_flight_is_no_scout():
    budget = Budget(TOLD, 0.0)
    first, second, third = (take(budget, 0.0, interactive=True) for _ in range(3))
    assert [first.scout, second.scout, third.scout] == [False, True, False]
    for reservation in (first, second, third):
        budget.settle(reservation, Used(100, 50), 5.0)
    assert not take(budget, 5.0, interactive=True).scout
