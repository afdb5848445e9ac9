"""Arithmetic on `now`: the mirror moves by the least that makes it agree with a header."""

from __future__ import annotations

import math

import pytest

from headway.core.dimension import Dimension
from headway.core.limits import Bucket
from headway.core.mirror import OTHERS_AT_MOST, Mirror

PATIENCE = 5.0


def told(per_minute: float = 60_000, depth: float = 10) -> Mirror:
    mirror = Mirror(Dimension.INPUT, 0.0)
    mirror.tell(per_minute, depth)
    return mirror


def test_a_told_bucket_is_full_and_refills_up_to_its_depth():
    mirror = told()
    assert mirror.level == mirror.cap == 10_000
    mirror.charge(4000, 0.0)
    mirror.touch(1.0)
    assert mirror.level == pytest.approx(7000)
    mirror.touch(100.0)
    assert mirror.level == 10_000


def test_what_others_and_running_jobs_take_lowers_the_refill_and_may_leave_a_debt():
    mirror = told()
    mirror.charge(9000, 0.0)
    mirror.others, mirror.drain = 500, 1500
    assert mirror.net == -1000
    mirror.touch(2.0)
    assert mirror.level == pytest.approx(-1000)


@pytest.mark.parametrize("remaining", [5500, 6000, 7000, 7400])
def test_a_header_between_send_and_arrival_changes_nothing(remaining: float):
    mirror = told()
    mirror.charge(2000, 0.0)
    mirror.touch(1.0)
    mark = mirror.charge(3000, 1.0)  # 6000 are left, then 7000 at arrival
    mirror.read(Bucket(60_000, remaining), mark, 2.0, PATIENCE)
    assert mirror.level == pytest.approx(7000)
    assert mirror.others == 0


def test_a_header_below_the_interval_moves_the_level_by_the_least_and_reveals_others():
    mirror = told()
    mirror.charge(2000, 0.0)
    mark = mirror.charge(2000, 0.0)
    mirror.touch(1.0)  # held 6000 .. 7000; the rounding gives 500 to either side
    mirror.read(Bucket(60_000, 4000), mark, 1.0, PATIENCE)
    assert mirror.level == pytest.approx(7000 - 1500)
    assert 0 < mirror.others < 1000


def test_a_header_above_the_interval_raises_the_level():
    mirror = told()
    mirror.charge(2000, 0.0)
    mirror.touch(0.5)
    mark = mirror.charge(2000, 0.5)
    mirror.touch(1.0)  # 6500 at the send, 7000 now, own late charge 2000, rounding 500
    mirror.read(Bucket(60_000, 9900), mark, 1.0, PATIENCE)
    assert mirror.level == pytest.approx(7000 + 9900 - 7000 - 500 - 2000)


def test_a_correction_is_not_applied_again_by_a_header_that_was_under_way():
    mirror = told()
    mirror.charge(2000, 0.0)
    first = mirror.charge(1000, 0.0)
    second = mirror.charge(1000, 0.0)
    mirror.touch(1.0)
    mirror.read(Bucket(60_000, 2000), first, 1.0, PATIENCE)
    level = mirror.level
    mirror.read(Bucket(60_000, 2000), second, 1.0, PATIENCE)
    assert mirror.level == pytest.approx(level, abs=1000)


def test_a_steady_tenant_is_learned_within_two_seconds_and_forgotten_when_it_left():
    mirror = told(depth=60)
    level, now = 60_000.0, 0.0
    mirror.charge(5000, 0.0)
    level -= 5000
    for step in range(20):
        mirror.touch(now)
        mark = mirror.charge(100, now)
        level -= 100
        now = 0.1 * (step + 1)
        level = min(60_000, level + 0.1 * (1000 - 1600))
        mirror.read(Bucket(60_000, round(level, -3)), mark, now, PATIENCE)
    assert mirror.others > 500
    mirror.touch(now + PATIENCE)
    before = mirror.others
    mirror.touch(now + PATIENCE + 5)
    mirror.touch(now + PATIENCE + 10)
    assert mirror.others < 0.5 * before


def test_others_never_take_everything():
    mirror = told()
    mirror.charge(2000, 0.0)
    mark = mirror.charge(1000, 0.0)
    mirror.touch(0.1)
    mirror.read(Bucket(60_000, 0), mark, 0.1, PATIENCE)
    assert mirror.others == OTHERS_AT_MOST * 1000


def test_a_full_bucket_below_the_mirror_is_a_shallower_one_not_a_tenant():
    mirror = told()
    mark = mirror.charge(100, 0.0)
    mirror.touch(0.5)
    mirror.read(Bucket(60_000, 1000), mark, 0.5, PATIENCE)
    assert mirror.cap == 1000 + 100
    assert mirror.others == 0


def test_reset_tells_the_depth_from_both_sides():
    mirror = told(depth=1)
    mark = mirror.charge(100, 0.0)
    mirror.read(Bucket(60_000, 5000, 30), mark, 0.5, PATIENCE)
    assert mirror.cap == 5000 + 1000 * 28
    mark = mirror.charge(100, 0.5)
    mirror.read(Bucket(60_000, 5000, 3), mark, 0.6, PATIENCE)
    assert mirror.cap == 5000 + 1000 * 5


def test_an_empty_bucket_hides_its_debt_so_its_reset_says_nothing_of_the_depth():
    mirror = told(depth=1)
    mirror.charge(900, 0.0)
    mark = mirror.charge(100, 0.0)
    mirror.read(Bucket(60_000, 0, 30), mark, 0.5, PATIENCE)
    assert mirror.cap == 1000


def test_a_new_limit_scales_depth_and_others_and_blames_nobody_for_jobs_in_flight():
    mirror = told()
    mirror.charge(4000, 0.0)
    mirror.others = 400
    mark = mirror.charge(1000, 0.0)
    mirror.touch(1.0)
    mirror.read(Bucket(15_000, 0), mark, 1.0, PATIENCE)
    assert mirror.rate == 250
    assert mirror.cap == 2500
    assert mirror.others == 100
    assert mirror.level == pytest.approx(2500 - 1400)  # 5000 at the send, 3100 of it lost with the depth


def test_an_unknown_limit_is_learned_from_the_first_header_with_what_was_sent_since():
    mirror = Mirror(Dimension.INPUT, 0.0)
    assert not mirror.known
    mark = mirror.charge(1000, 0.0)
    mirror.charge(2000, 0.2)
    mirror.read(Bucket(60_000, 9000, 3), mark, 0.5, PATIENCE)
    assert mirror.known
    assert mirror.origin == "header"
    assert mirror.level == 7000


def test_a_limit_of_nothing_or_nonsense_is_ignored():
    mirror = told()
    mark = mirror.charge(0, 0.0)
    mirror.read(Bucket(0, None), mark, 0.5, PATIENCE)
    assert mirror.rate == 1000


def test_refund_never_overfills():
    mirror = told()
    mirror.charge(1000, 0.0)
    mirror.refund(5000)
    assert mirror.level == 10_000


def test_while_nothing_can_bring_news_the_others_fade_so_that_all_do_not_wait_for_each_other():
    mirror, told_nothing = told(), told()
    for one, idle in ((mirror, True), (told_nothing, False)):
        one.level, one.others = 0.0, 900.0
        for tenth in range(1, 31):
            one.touch(tenth / 10, idle=idle)
    assert told_nothing.level == pytest.approx(300)
    assert told_nothing.others == 900
    assert mirror.others == pytest.approx(900 * math.exp(-3), rel=0.01)
    assert mirror.level > 2000


def test_a_level_that_rests_at_the_highest_ever_seen_is_a_full_bucket_and_no_tenant():
    mirror = told(depth=13)
    mirror.level = server = 11_900.0  # it is 12,000 deep
    seen, now = 0.0, 0.0
    for _ in range(200):
        mark = mirror.charge(20, now)
        server = min(12_000.0, server + 250) - 20
        now += 0.25
        mirror.touch(now)
        mirror.read(Bucket(60_000, 1000 * math.floor(server / 1000 + 0.5)), mark, now, PATIENCE)
        seen = max(seen, mirror.others)
    assert seen > 200, "at first somebody else seems to hold it down"
    assert mirror.others < 20
    assert mirror.cap == pytest.approx(12_000, abs=50)


@pytest.mark.parametrize("scale", [1, 100])
def test_a_tenant_beside_a_bucket_that_was_never_seen_fuller_is_still_one(scale: int):
    mirror = told(60_000 * scale)
    mirror.level = server = 8000.0 * scale
    now = 0.0
    for _ in range(28):
        mark = mirror.charge(300 * scale, now)
        server += (100 - 300) * scale  # of 250 that come in, 150 are somebody else's
        now += 0.25
        mirror.touch(now)
        header = Bucket(60_000 * scale, 1000 * math.floor(server / 1000 + 0.5))
        mirror.read(header, mark, now, PATIENCE)
    assert mirror.others == pytest.approx(600 * scale, rel=1 / 3)
    assert mirror.cap == 10_000 * scale
