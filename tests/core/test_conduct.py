"""What is said about a kind is what is done about it."""

from __future__ import annotations

import re

import pytest

from headway.core.conduct import conduct
from headway.core.error_kind import ROW, TABLE, ErrorKind, KindRow, Scope


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.kind.value)
def test_the_words_follow_the_numbers(row: KindRow) -> None:
    text = conduct(row)
    assert text.endswith(".")
    assert ("Tries again" in text) == (row.attempts > 1)
    assert (f"{row.attempts} attempts" in text) == (row.attempts > 1)
    assert ("without using up an attempt" in text) == row.throttle
    assert ("streamed" in text) == row.streams
    assert ("Fewer requests" in text) == row.narrows
    assert ("perhaps billed" in text) == row.maybe_billed
    assert ("all queued jobs end resumably" in text) == (row.scope is Scope.ACCOUNT)
    if row.attempts > 1:
        numbers = {float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)}
        steps = row.backoff.schedule or (row.backoff.base, row.backoff.cap)
        assert set(steps) <= numbers


def test_in_words() -> None:
    assert conduct(ROW[ErrorKind.BAD_GATEWAY]) == (
        "Tries again, 6 attempts in all, after 3, 10, 30, 60, 120 s (half of each is kept, half is jitter); "
        "Retry-After is a minimum. The attempt is counted as perhaps billed."
    )
    assert conduct(ROW[ErrorKind.UNPROCESSABLE]) == "Fails the job at once; the others go on."
    assert "“model:”: Sends nothing more to that model" in conduct(ROW[ErrorKind.NOT_FOUND])
    assert "“sandbox_egress_restricted” fails only its own job." in conduct(ROW[ErrorKind.PROFILE])
    assert "60 minutes of 429 and 529 together" in conduct(ROW[ErrorKind.OVERLOADED])
