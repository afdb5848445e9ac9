"""Which headers are news."""

from __future__ import annotations

import pytest

from headway.core.feedback import FIRST_LAG, Feedback


def test_an_overtaken_header_is_old_whatever_it_says():
    feedback = Feedback(0.0)
    assert feedback.hear(5, 0.0, 0.5)
    assert not feedback.hear(4, 0.0, 0.6)
    assert not feedback.hear(5, 0.0, 0.7)
    assert feedback.hear(6, 0.0, 0.8)


def test_lag_follows_slow_replies_but_is_never_below_its_floor():
    feedback = Feedback(0.0)
    for seq in range(100):
        feedback.hear(seq, seq, seq + 0.2)
    assert feedback.lag == FIRST_LAG
    for seq in range(100, 200):
        feedback.hear(seq, seq, seq + 8.0)
    assert feedback.lag == pytest.approx(8, rel=0.01)
    assert feedback.patience > 24
