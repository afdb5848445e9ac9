"""The level is a price; predictions are the inverse of payments."""

from __future__ import annotations

import pytest

from headway.core.dimension import Dimension
from headway.core.mirror import Mirror
from headway.core.pace import (
    FASTEST,
    RESERVE_ALONE,
    RESERVE_LAGS,
    RESERVE_URGENT,
    SLACK,
    SLOWEST,
    Lane,
    Pace,
    pace_of,
)

LAG = 2.0
REST = 1000 * LAG * RESERVE_ALONE
"""The reserve of one who is alone, at a limit of 1,000 a second and this feedback delay in seconds."""


def lane(level: float, *, per_minute: float = 60_000, depth: float = 60, others: float = 0.0) -> Lane:
    mirror = Mirror(Dimension.INPUT, 0.0)
    mirror.tell(per_minute, depth)
    mirror.level = level
    mirror.others = others
    mirror.company = 0.0
    made = Lane(mirror)
    made.aim(LAG)
    return made


def test_some_feedback_delays_of_refill_are_kept_more_in_company_but_never_more_than_half_the_bucket():
    assert lane(0).reserve == REST
    assert lane(0, depth=3).reserve == 1500
    among = lane(0, others=500)
    among.mirror.company = 0.5
    among.aim(LAG)
    assert among.reserve == 1000 * LAG * RESERVE_LAGS


def test_more_is_kept_for_interactive_jobs_but_company_needs_more_still():
    one = lane(0)
    one.aim(LAG, urgent=100.0)
    assert REST < one.reserve == 1000 * LAG * RESERVE_URGENT
    one.aim(LAG, urgent=9000.0)
    assert one.reserve == 9000, "a job as big as lately finds room, though the limit is low"
    one.mirror.company = 0.5
    one.aim(LAG, urgent=0.0)
    assert one.reserve == 1000 * LAG * RESERVE_LAGS


def test_among_others_less_is_sent_at_once():
    pace = Pace()
    pace.hear([lane(0)])
    assert pace.slack == SLACK
    pace.hear([lane(0), lane(0, others=500)])
    assert pace.slack == SLACK / 2
    pace.hear([])
    assert pace.slack == SLACK


def test_pace_is_one_at_the_target_four_when_full_and_nearly_none_when_empty():
    assert pace_of([lane(REST)]) == pytest.approx(1)
    assert pace_of([lane(REST / 2)]) == pytest.approx(1 / 8)
    assert pace_of([lane(60_000)]) == FASTEST
    assert pace_of([lane(-500)]) == SLOWEST
    assert pace_of([]) == FASTEST


def test_the_scarcest_dimension_decides():
    assert pace_of([lane(60_000), lane(REST / 2)]) == pytest.approx(1 / 8)


def test_among_others_a_full_bucket_is_drained_with_care():
    alone, among = lane(60_000), lane(60_000, others=500)
    among.mirror.company = 0.5
    among.aim(LAG)
    assert among.fastest < alone.fastest
    shallow = lane(6000, depth=6)
    shallow.mirror.company = 0.5
    shallow.aim(LAG)
    assert shallow.fastest == pytest.approx(1.6)


def test_the_reserve_is_given_up_when_little_is_left_to_do():
    one = lane(REST)
    one.lower(90_000)
    assert one.target == one.reserve
    one.lower(900)
    assert one.target == pytest.approx(300)


@pytest.mark.parametrize("level", [-2000, 0, 500, REST, 1.5 * REST, 4500])
@pytest.mark.parametrize("debt", [0.3, 0.75, 1.5])
def test_a_sleeper_wakes_once(level: float, debt: float):
    one, pace = lane(level), Pace()
    pace.debt = debt
    pace.advance([one], 0.0, 0.0)
    seconds = pace.seconds([one])
    assert 0 < seconds < 60
    before = one.mirror.level
    one.mirror.touch(seconds)
    assert one.mirror.level >= before
    pace.advance([one], seconds, float("inf"))
    assert pace.debt <= SLACK + 0.05  # a line that bends at the fastest pace is taken for straight
    assert pace.debt >= 0.5 * SLACK


def test_the_ceiling_of_the_circuit_bounds_what_is_paid():
    one, pace = lane(60_000), Pace()
    pace.debt = 1.0
    pace.advance([one], 1.0, 0.25)
    assert pace.debt == pytest.approx(0.75)


def test_a_giant_job_is_charged_half_a_second_at_most():
    pace = Pace()
    pace.charge(30.0)
    assert pace.debt == 0.5
