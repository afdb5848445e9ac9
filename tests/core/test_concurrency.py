"""AIMD on jobs in flight."""

from __future__ import annotations

import pytest

from headway.core.concurrency import Concurrency


def test_no_limit_until_one_is_refused():
    assert Concurrency().allows(10_000)


def test_a_round_of_refusals_lowers_it_once():
    concurrency = Concurrency()
    for seq in range(90, 100):
        concurrency.refuse(seq, 100, 100)
    assert concurrency.limit == pytest.approx(70)
    assert not concurrency.allows(70)
    assert concurrency.allows(69)


def test_one_job_always_may_go():
    concurrency = Concurrency()
    concurrency.refuse(1, 1, 1)
    assert concurrency.allows(0)


def test_it_rises_by_one_a_round_only_where_it_held_jobs_back():
    concurrency = Concurrency()
    concurrency.refuse(1, 1, 10)
    concurrency.succeed()
    assert concurrency.limit == pytest.approx(7)
    for _ in range(7):
        concurrency.allows(7)
        concurrency.succeed()
    assert concurrency.limit == pytest.approx(8, rel=0.02)
