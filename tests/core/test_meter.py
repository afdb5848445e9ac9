"""What binds is learned from the sizes of the refused."""

from __future__ import annotations

import random

import pytest

from headway.core.meter import Meter
from headway.core.reservation import Cost, Used


def sent(sizes: list[float]) -> Meter:
    meter = Meter(0.0)
    for size in sizes:
        meter.send(Cost(size))
    return meter


def test_before_anything_is_refused_each_dimension_weighs_a_third():
    meter = sent([100.0] * 1000)
    assert meter.input_weight == pytest.approx(1 / 3)
    assert meter.send(Cost(400.0)) == pytest.approx(2, rel=0.04)


@pytest.mark.parametrize("seed", range(3))
def test_the_refused_show_whether_input_binds(seed: int):
    rng = random.Random(seed)
    sizes = [rng.lognormvariate(5, 0.8) for _ in range(500)]
    by_size, by_chance = sent(sizes), sent(sizes)
    for _ in range(40):
        by_size.refused(Cost(rng.choices(sizes, sizes)[0]))  # any token may find the bucket empty
        by_chance.refused(Cost(rng.choice(sizes)))
    assert by_size.input_weight > 0.75
    assert by_chance.input_weight < 1 / 3


def test_jobs_of_one_size_say_nothing():
    meter = sent([100.0] * 10)
    meter.refused(Cost(100.0))
    assert meter.input_weight == pytest.approx(1 / 3)


def test_the_work_of_a_job_sums_to_what_it_turned_out_to_be():
    meter = sent([100.0] * 50)
    meter.settle(100.0, Used(100.0, 50.0))
    work = meter.send(Cost(100.0)) + meter.settle(100.0, Used(100.0, 100.0))
    weight = (1 - meter.input_weight) / 2
    assert work == pytest.approx(1 + weight * (100 / meter.mean_output - 1), rel=0.02)
