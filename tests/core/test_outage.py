"""Outage: when it begins, who probes, and what ends it."""

from __future__ import annotations

import pytest

from headway.core.error_kind import ErrorKind
from headway.core.failure import failure_of
from headway.core.outage import IN_A_ROW, OUTLIVE_LEAST, Outage

REFUSED, BILLED, BAD = (
    failure_of(kind, "") for kind in (ErrorKind.CONNECTION, ErrorKind.API_ERROR, ErrorKind.INVALID_REQUEST)
)


def broken(now: float = 0.0) -> Outage:
    """An outage that has just begun."""
    outage = Outage()
    outage.answer()
    assert [outage.fail(now, now, 0.5) for _ in range(IN_A_ROW)] == [*[False] * (IN_A_ROW - 1), True]
    return outage


def test_any_answer_in_between_begins_the_row_anew() -> None:
    outage = Outage()
    for _ in range(10):
        for _ in range(IN_A_ROW - 1):
            assert not outage.fail(0.0, 0.0, 0.5)
        assert not outage.answer(), "there was none to end"
    assert outage.seconds(0.0) == 0.0


def test_one_probe_at_a_time_and_ever_later() -> None:
    outage, now, probes = broken(), 0.0, 0
    while now < 3600:
        now += outage.seconds(now)
        assert outage.seconds(now) == 0.0
        outage.send(now)
        assert outage.seconds(now) > 0, "nobody goes beside the probe"
        outage.fail(now + 0.001, now, 0.5)
        probes += 1
    assert 300 < probes < 500, "an hour costs no more than an hour of 529"
    assert outage.answer() and outage.seconds(now) == 0.0


def test_a_failure_from_before_does_not_end_the_probe_nor_begin_another_pause() -> None:
    outage = broken()
    now = outage.seconds(0.0)
    outage.send(now)
    outage.fail(now + 0.1, now - 5.0, 0.5)
    assert outage.seconds(now + 0.1) > 0.5, "the probe is still under way"


def test_a_probe_that_tells_nothing_makes_room_for_the_next() -> None:
    outage = broken()
    now = outage.seconds(0.0)
    outage.send(now)
    outage.leave()
    assert outage.seconds(now) == 0.0


def test_a_probe_that_outlives_quick_failures_was_taken_and_one_among_slow_failures_was_not() -> None:
    quick, slow = broken(), Outage()
    for n in range(IN_A_ROW):
        slow.fail(5.0 + n, float(n), 0.5)
    for outage, at, taken in ((quick, 1.0, True), (slow, 60.0, False)):
        assert outage.seconds(at) == 0.0
        outage.send(at)
        assert (outage.seconds(at + OUTLIVE_LEAST + 0.1) == 0.0) is taken
        assert outage.is_open is not taken


@pytest.mark.parametrize(
    ("failure", "reached", "paced"),
    [(REFUSED, True, True), (REFUSED, False, False), (BILLED, True, True), (BAD, True, False)],
)
def test_which_failures_are_of_an_outage(failure: object, reached: bool, paced: bool) -> None:
    outage = Outage()
    outage.reached = reached
    assert not outage.paces(failure)  # type: ignore[arg-type]
    for _ in range(IN_A_ROW):
        outage.fail(0.0, 0.0, 0.5)
    assert outage.paces(failure) is paced  # type: ignore[arg-type]
