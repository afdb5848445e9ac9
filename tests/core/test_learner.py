"""Between two 429s a bucket went from empty to empty."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.learner import FEW, FIRST_RATE, GUESSED_DEPTH, LATER_GROWTH, LONGEST_REST, Learner


def refuse(learner: Learner, now: float, work: float = 1.0, size: float = 1.0) -> None:
    learner.take_back(work)
    learner.refuse(now, size)


def taught(aim: float = 10.0) -> Learner:
    learner = Learner(0.0)
    for _ in range(int(aim * (10 + GUESSED_DEPTH))):
        learner.send(1.0)
    learner.send(1.0)
    refuse(learner, 10.0)
    return learner


def test_it_starts_carefully_and_grows_with_what_was_taken():
    learner = Learner(0.0)
    assert learner.rate == FIRST_RATE
    for _ in range(30):
        learner.send(1.0)
    assert learner.rate == pytest.approx(FIRST_RATE + 7.5)


def test_the_first_429_counts_what_a_rested_bucket_held():
    assert taught().aim == pytest.approx(10.0)


def test_a_later_429_takes_the_middle_between_pace_and_what_was_given():
    learner = taught()
    for _ in range(80):
        learner.send(1.0)
    learner.send(1.0)
    refuse(learner, 20.0)
    assert learner.aim == pytest.approx((0.9 * 10 + 8.0) / 2)


def test_429s_of_one_emptying_teach_once():
    learner = taught()
    aim = learner.aim
    for _ in range(5):
        learner.send(1.0)
        refuse(learner, 10.5)
    assert learner.aim == aim


@pytest.mark.parametrize(("jobs", "moved"), [(2, 0.1), (20, 0.5), (1000, 0.99)])
def test_the_refusal_of_a_giant_teaches_as_much_as_its_size_leaves_certain(jobs: int, moved: float):
    """It needs ten average jobs' room: after two jobs it says next to nothing, after a thousand all."""

    def aim(size: float) -> float:
        learner = taught()
        for _ in range(jobs):
            learner.send(1.0)
        learner.send(size)
        refuse(learner, 20.0, size, size)
        assert learner.aim is not None
        return learner.aim

    assert (aim(10.0) - 10) / (aim(1.0) - 10) == pytest.approx(moved, abs=0.06)


def test_the_first_rate_grows_more_slowly_once_there_is_much_to_lose():
    learner = Learner(0.0)
    learner.send(FEW)
    few = learner.rate
    learner.send(60.0)
    assert learner.rate - few == pytest.approx(60 / LATER_GROWTH)


def test_the_climb_rests_at_the_aim_then_doubles_and_stands_still_when_idle():
    learner = taught()
    assert learner.factor == pytest.approx(0.9)
    for _ in range(int(learner.rest)):
        learner.send(1.0)
        learner.advance(1.0, 1e9, 1.0)
    assert learner.factor == pytest.approx(1.0)
    idle = learner.factor
    for _ in range(1000):
        learner.advance(1.0, 1e9, 1.0)
    assert learner.factor == idle
    for _ in range(int(3 * learner.rest)):
        learner.send(1.0)
        learner.advance(1.0, 1e9, 1.0)
    assert learner.factor > 2


def test_the_climb_doubles_no_faster_than_every_two_seconds():
    learner = taught()
    for _ in range(10_000):
        learner.send(1.0)
    before = learner.factor
    learner.advance(0.1, 1e9, 1.0)
    assert learner.factor <= before * 2 ** (0.1 / 2) + 1e-9


def test_rest_grows_and_is_bounded():
    learner, now = taught(), 10.0
    for _ in range(20):
        for _ in range(100):
            learner.send(1.0)
        now += 10
        refuse(learner, now)
    assert 20 < learner.rest <= LONGEST_REST


def test_debt_is_paid_at_the_rate_and_under_the_ceiling():
    learner = taught()
    learner.debt = 20.0
    assert learner.seconds(1.0) == pytest.approx(20 / 9 - 0.25)
    learner.advance(1.0, 0.5, 1.0)
    assert learner.debt == pytest.approx(15.0)
    learner.advance(1.0, 0.5, 0.5)
    assert learner.debt == pytest.approx(12.5)


def test_what_was_owed_at_the_old_pace_is_not_paid_at_the_new_one():
    learner = Learner(0.0)
    for _ in range(500):
        learner.send(1.0)
    refuse(learner, 10.0)
    assert learner.seconds(1.0) <= 0.1


WEEK = 7 * 24 * 3600.0
GAPS = st.lists(
    st.tuples(st.floats(0, WEEK), st.integers(0, 400), st.floats(0.01, 20), st.booleans()),
    min_size=1,
    max_size=20,
)


@given(GAPS)
def test_however_long_it_idles_the_rate_stays_a_number(steps: list[tuple[float, int, float, bool]]):
    learner, now = Learner(0.0), 0.0
    for idle, jobs, size, refused in steps:
        now += idle
        learner.advance(idle, math.inf, 1.0)
        for _ in range(jobs):
            learner.send(size)
        if refused and jobs:
            refuse(learner, now, size, size)
        assert 0 < learner.rate < math.inf
        assert 0 <= learner.debt < math.inf
        assert 0 <= learner.seconds(0.5) < math.inf
