"""Little's law, and what a new job needs of the output bucket."""

from __future__ import annotations

import pytest

from headway.core.outputs import FIRST_LATENCY, FIRST_SPEED, Outputs


def steady(outputs: Outputs, seconds: float, tokens: float, jobs: int, rounds: int) -> float:
    """`jobs` always run, each for `seconds`."""
    now = 0.0
    for _ in range(jobs):
        outputs.start()
    for _ in range(rounds):
        now += seconds
        outputs.touch(now)
        for _ in range(jobs):
            outputs.finish(tokens, seconds)
            outputs.start()
    return now


def test_before_any_job_ended_typical_values_hold():
    outputs = Outputs(0.0)
    assert outputs.mean == FIRST_SPEED * FIRST_LATENCY


def test_running_jobs_that_have_not_ended_do_not_make_every_job_look_long():
    outputs = Outputs(0.0)
    for _ in range(100):
        outputs.start()
    outputs.touch(2.0)
    assert outputs.mean < 2 * FIRST_SPEED * FIRST_LATENCY


def test_mean_is_speed_times_latency():
    outputs = Outputs(0.0)
    steady(outputs, 4.0, 200.0, 10, 50)
    assert outputs.speed == pytest.approx(50, rel=0.01)
    assert outputs.latency == pytest.approx(4, rel=0.05)
    assert outputs.mean == pytest.approx(200, rel=0.05)


def test_long_jobs_that_still_run_count():
    outputs = Outputs(0.0)
    now = steady(outputs, 1.0, 50.0, 5, 60)
    short = outputs.mean
    for _ in range(20):
        outputs.start()  # long ones
    outputs.touch(now + 20)
    assert outputs.mean > 2 * short


def test_what_the_refill_sustains_needs_nothing():
    outputs = Outputs(0.0)
    steady(outputs, 4.0, 200.0, 10, 50)
    assert outputs.need(refill=50 * 12, max_output=0) == 0
    surplus = outputs.running + 1 - 300 / outputs.speed
    assert outputs.need(300, 0) == pytest.approx(outputs.mean * surplus)


def test_max_tokens_bounds_the_job_itself_and_reserves_nothing():
    outputs = Outputs(0.0)
    steady(outputs, 4.0, 200.0, 10, 50)
    assert outputs.expected(10) == 10
    assert outputs.expected(100_000) == outputs.mean
    assert outputs.need(50 * 10, 10) < outputs.need(50 * 10, 0)


def test_refused_jobs_leave_no_trace():
    outputs = Outputs(0.0)
    steady(outputs, 4.0, 200.0, 10, 50)
    before = outputs.latency
    outputs.start()
    outputs.touch(200.0)
    outputs.touch(200.1)
    outputs.refuse(0.1)
    assert outputs.running == 10
    assert outputs.latency >= before


def test_outputs_of_zero_need_nothing():
    outputs = Outputs(0.0)
    for _ in range(3000):
        outputs.start()
        outputs.finish(0, 0.5)
    assert outputs.need(10, 0) == 0


def test_an_idle_day_leaves_a_usable_estimate():
    outputs = Outputs(0.0)
    now = steady(outputs, 4.0, 200.0, 1, 50)
    outputs.finish(200, 4)
    outputs.touch(now + 86_400)
    outputs.start()
    outputs.touch(now + 86_401)
    assert outputs.mean == pytest.approx(200, rel=0.5)


def test_a_fast_api_is_believed_after_a_few_answers():
    """What it writes unseen would be put down to other users of the key."""
    outputs = Outputs(0.0)
    steady(outputs, 0.02, 20.0, 5, 6)
    assert outputs.speed == pytest.approx(1000, rel=0.15)


@pytest.mark.parametrize("running", [0, 5, 12, 40])
@pytest.mark.parametrize("rest", [50.0, 400.0, 4000.0])
def test_the_last_ones_are_all_admitted_and_may_overdraw_afterwards(running: int, rest: float):
    """The rest is sent evenly while the jobs that run write: the bucket may be empty only when all are sent."""
    outputs = Outputs(0.0)
    steady(outputs, 4.0, 200.0, max(running, 1), 50)
    outputs.running = running
    refill, sending, steps = 600.0, rest / 2400 + 0.05, 1000
    level = need = outputs.need(refill, 0, rest=rest, sending=sending)
    for step in range(steps):
        writing = running + rest / outputs.mean * (step + 0.5) / steps
        level += (refill - writing * outputs.speed) * sending / steps
    always = outputs.need(refill, 0)
    assert need <= always
    if need < always:
        assert level >= -1e-6 * need
        assert need == 0 or level == pytest.approx(0, abs=1e-6 * need), "it asks for no more than that"


def test_with_nothing_behind_it_the_last_job_hardly_waits():
    outputs = Outputs(0.0)
    steady(outputs, 4.0, 200.0, 20, 50)
    assert outputs.need(600, 0, rest=outputs.mean, sending=0.05) < 0.2 * outputs.need(600, 0)
