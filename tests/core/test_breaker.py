"""Closed, open, half-open."""

from __future__ import annotations

import math

import pytest

from headway.core.breaker import REFUSED_DOUBLING, Breaker, Circuit


def stormy() -> Breaker:
    breaker = Breaker(0.0)
    for _ in range(10):
        breaker.overload(0.0, 0.1, None, probe=False, jitter=0.5)
    return breaker


def half_open() -> Breaker:
    breaker = stormy()
    breaker.touch(0.6)
    return breaker


def test_one_529_opens_nothing_and_a_series_does():
    breaker = Breaker(0.0)
    breaker.overload(0.0, 0.1, None, probe=False, jitter=0.5)
    assert breaker.seconds(0.0) == 0
    assert stormy().state is Circuit.OPEN
    assert stormy().seconds(0.0) == pytest.approx(0.5)


def test_jitter_spreads_the_probes():
    spread = set()
    for jitter in (0.0, 0.5, 1.0):
        breaker = Breaker(0.0)
        for _ in range(10):
            breaker.overload(0.0, 0.1, None, probe=False, jitter=jitter)
        spread.add(round(breaker.seconds(0.0), 3))
    assert spread == {0.35, 0.5, 0.65}


def test_retry_after_is_a_minimum():
    breaker = stormy()
    breaker.overload(0.1, 0.1, 20.0, probe=False, jitter=0.0)
    assert breaker.seconds(0.1) >= 20


def test_half_open_lets_one_probe_through():
    breaker = half_open()
    assert breaker.state is Circuit.HALF_OPEN
    assert breaker.seconds(0.6) == 0
    assert breaker.send(0.6)
    assert 0 < breaker.seconds(0.6) <= 1


def test_a_taken_probe_closes_under_a_ceiling_that_doubles_until_it_is_gone():
    breaker = half_open()
    breaker.send(0.6)
    breaker.succeed(probe=True)
    assert breaker.state is Circuit.CLOSED
    assert breaker.ceiling == 0.25
    ceilings = []
    for step in range(1, 8):
        breaker.touch(0.6 + 0.4 * step)
        ceilings.append(breaker.ceiling)
    assert ceilings == sorted(ceilings)
    assert breaker.ceiling == math.inf


def test_a_probe_that_outlives_a_rejection_is_taken():
    breaker = half_open()
    breaker.send(0.6)
    breaker.touch(1.6)
    assert breaker.state is Circuit.CLOSED


def test_a_refused_probe_opens_again():
    breaker = half_open()
    breaker.send(0.6)
    breaker.leave()
    breaker.overload(0.7, 0.1, None, probe=True, jitter=0.5)
    assert breaker.state is Circuit.OPEN


def test_a_probe_that_left_makes_room_for_the_next():
    breaker = half_open()
    breaker.send(0.6)
    breaker.leave()
    assert breaker.seconds(0.61) == 0


def test_unexplained_429s_lower_the_ceiling_and_it_comes_back_slowly():
    breaker = Breaker(0.0)
    for _ in range(2):
        breaker.refuse(0.0, 0.1, 3.0, probe=False, doubling=REFUSED_DOUBLING)
    assert breaker.seconds(0.0) == pytest.approx(2.0)  # Retry-After is rounded up
    assert breaker.ceiling == pytest.approx(0.7)
    breaker.touch(2.0)
    breaker.send(2.0)
    breaker.succeed(probe=True)
    breaker.touch(32.0)
    assert breaker.ceiling == pytest.approx(1.4)


def test_probes_after_a_429_back_off():
    breaker = Breaker(0.0)
    now, pauses = 0.0, []
    for index in range(6):
        breaker.trip(now, 0.1, 0.0, probe=index > 0, big=False, urgent=False)
        pauses.append(breaker.seconds(now))
        now += pauses[-1]
        breaker.touch(now)
        breaker.send(now)
    assert pauses[1:] == sorted(pauses[1:])
    assert pauses[-1] > 10 * pauses[0]


def tripped(*, urgent: bool = False) -> Breaker:
    breaker = Breaker(0.0)
    breaker.trip(0.0, 0.1, 1.0, probe=False, big=True, urgent=urgent)
    return breaker


def test_an_interactive_job_passes_a_circuit_that_a_429_of_bulk_opened():
    breaker = tripped()
    assert breaker.seconds(0.0) == 1.0
    assert breaker.seconds(0.0, urgent=True) == 0
    assert not breaker.send(0.0)  # it is no probe: the circuit stays as it is
    assert breaker.seconds(0.0) == 1.0
    breaker.touch(1.1)
    assert breaker.send(1.1)
    assert breaker.seconds(1.1) > 0
    assert breaker.seconds(1.1, urgent=True) == 0  # beside the probe
    assert not breaker.send(1.1)


def test_after_two_refusals_interactive_jobs_wait_too_until_it_closes():
    breaker = tripped(urgent=True)
    assert breaker.seconds(0.0, urgent=True) == 0
    breaker.trip(0.1, 0.1, 1.0, probe=False, big=False, urgent=True)
    assert breaker.seconds(0.1, urgent=True) == pytest.approx(0.9)
    breaker.touch(1.1)
    breaker.send(1.1)
    breaker.succeed(probe=True)
    breaker.trip(2.0, 0.1, 1.0, probe=False, big=True, urgent=False)
    assert breaker.seconds(2.0, urgent=True) == 0


def test_no_interactive_job_passes_a_circuit_that_overloads_opened():
    assert stormy().seconds(0.0, urgent=True) == stormy().seconds(0.0) > 0
    breaker = tripped()
    for _ in range(10):
        breaker.touch(1.1)
        breaker.overload(1.1, 0.1, None, probe=True, jitter=0.5)
    assert breaker.seconds(1.1, urgent=True) > 0


def test_the_more_the_times_of_rejections_vary_the_longer_a_probe_must_live():
    def patience(times: tuple[float, ...]) -> float:
        breaker = Breaker(0.0)
        for index in range(40):
            breaker.overload(0.0, times[index % len(times)], None, probe=False, jitter=0.5)
        breaker.touch(0.6)
        breaker.send(0.6)
        return breaker.seconds(0.6)

    steady, varying = patience((0.2,)), patience((0.1, 0.3))
    assert steady == pytest.approx(0.2, rel=0.1)
    assert varying > 0.4


def test_what_the_ceiling_allows_and_the_prediction_of_it_are_inverse():
    breaker = half_open()
    breaker.send(0.6)
    breaker.succeed(probe=True)
    seconds = breaker.seconds_to_pay(0.4)
    assert breaker.touch(0.6 + seconds) == pytest.approx(0.4)
