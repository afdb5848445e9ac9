"""The brake on retry storms: an empty quota makes retries wait, and bounds all of them together."""

from __future__ import annotations

import heapq
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.retry_quota import CAPACITY, INITIAL, PER_SECOND, PER_SEND, RetryQuota


@pytest.mark.parametrize("rate", [0.1, 10.0, 66.7, 150.0])
def test_ten_minutes_of_failures(rate: float) -> None:
    """Every send fails for ten minutes: retries stay within a fifth of the first sends plus the floor."""
    quota = RetryQuota(0.0)
    events = [(n / rate, 0) for n in range(int(600 * rate))]  # (time, retries so far)
    heapq.heapify(events)
    first = retries = 0
    while events:
        now, retried = heapq.heappop(events)
        if now > 600:
            break
        if retried:
            retries += 1
        else:
            first += 1
            quota.first_send(now)
        if retried < 5:
            heapq.heappush(events, (now + max(0.5, quota.take(now)), retried + 1))
    assert retries <= PER_SEND * first + PER_SECOND * 600 + INITIAL
    assert retries >= min(4 * first, 0.9 * PER_SECOND * 600), "a brake, not a lock"


def test_a_handful_of_jobs_retries_at_once() -> None:
    quota = RetryQuota(0.0)
    assert [quota.take(0.0) for _ in range(int(INITIAL))] == [0.0] * int(INITIAL)


def test_beyond_the_quota_retries_queue_up() -> None:
    quota = RetryQuota(0.0, initial=0.0)
    waits = [quota.take(0.0) for _ in range(10)]
    assert waits == pytest.approx([n / PER_SECOND for n in range(1, 11)])
    assert quota.take(waits[-1]) == pytest.approx(1 / PER_SECOND), "the debt is paid by then"


def test_first_sends_earn_retries() -> None:
    quota = RetryQuota(0.0, initial=0.0)
    for _ in range(5):
        quota.first_send(0.0)
    assert quota.available(0.0) == pytest.approx(1.0)
    assert quota.take(0.0) == 0.0
    assert quota.take(0.0) == pytest.approx(1 / PER_SECOND)


def test_answers_earn_retries() -> None:
    quota = RetryQuota(0.0, initial=0.0)
    assert quota.take(0.0) > 0
    quota.answered(0.0)
    assert quota.available(0.0) == 0.0


def test_savings_are_bounded() -> None:
    quota = RetryQuota(0.0)
    assert quota.available(1e9) == CAPACITY
    quota.first_send(1e9)
    assert quota.available(1e9) == CAPACITY
    small = RetryQuota(0.0, capacity=3.0)
    assert small.available(1.0) == 3.0


def test_a_clock_that_goes_back_earns_nothing() -> None:
    quota = RetryQuota(1000.0, initial=0.0)
    quota.take(1000.0)
    assert quota.available(0.0) == -1.0
    assert quota.available(1000.0) == -1.0, "and the way forward again is not paid twice"


times = st.floats() | st.floats(0, 1e7)


@given(
    times,
    st.lists(st.tuples(st.sampled_from(["first_send", "answered", "take", "available"]), times), max_size=40),
)
def test_never_nan_never_negative(start: float, steps: list[tuple[str, float]]) -> None:
    quota = RetryQuota(start)
    for name, now in steps:
        value = getattr(quota, name)(now)
        if name == "take":
            assert 0.0 <= value < math.inf
        elif name == "available":
            assert -math.inf < value <= CAPACITY


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 5)), max_size=200))
def test_no_more_retries_than_were_earned(steps: list[tuple[bool, float]]) -> None:
    """By any moment the retries whose wait is over are covered by what was earned until then."""
    quota, now, first, due = RetryQuota(0.0), 0.0, 0, list[float]()
    for is_first, gap in steps:
        now += gap
        if is_first:
            quota.first_send(now)
            first += 1
        else:
            due.append(now + quota.take(now))
        over = sum(1 for at in due if at <= now)
        assert over <= INITIAL + PER_SEND * first + PER_SECOND * now + 1e-6
