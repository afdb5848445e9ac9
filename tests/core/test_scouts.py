"""Which jobs bring their headers early."""

from __future__ import annotations

from headway.core.scouts import EVERY, PATIENCE, Scouts


def test_one_job_in_every_half_second_is_a_scout():
    scouts = Scouts()
    chosen: list[float] = []
    for step in range(300):
        if scouts.choose(step / 100):
            chosen.append(step / 100)
            scouts.report()
    assert chosen == [index * EVERY for index in range(6)]


def test_where_no_header_comes_none_is_sent_any_more_until_one_does():
    scouts = Scouts()
    assert sum(scouts.choose(float(second)) for second in range(100)) == PATIENCE
    assert not scouts.choose(100.0)
    scouts.report()
    assert scouts.choose(101.0)
