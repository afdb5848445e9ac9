"""Reading the numbers out of the API's complaint about a prompt's size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.overflow import Overflow, most_output, overflow_of

SUM = (
    "input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000, decrease input length or "
    "`max_tokens` and try again"
)
TABLE = [
    ("prompt is too long: 205668 tokens > 200000 maximum", Overflow(205_668, None, 200_000)),
    (
        "messages: prompt is too long: 1,205,668 tokens > 1,000,000 maximum",
        Overflow(1_205_668, None, 1_000_000),
    ),
    ("Prompt is too long", Overflow()),
    (SUM, Overflow(178_959, 64_000, 200_000)),
    (SUM.replace("`", ""), Overflow(178_959, 64_000, 200_000)),
    ("max_tokens: 300000 > 128000, which is the maximum allowed number of output tokens", None),
    ("", None),
]


@pytest.mark.parametrize(("message", "expected"), TABLE)
def test_messages_of_the_api(message: str, expected: Overflow | None) -> None:
    assert overflow_of(message) == expected


def test_the_largest_cap_of_a_model() -> None:
    said = "max_tokens: 300000 > 128,000, which is the maximum allowed number of output tokens for claude-x"
    assert most_output(said) == 128_000
    assert most_output(SUM) is None


@given(st.text())
def test_any_text_can_be_read(message: str) -> None:
    assert most_output(message) is None
    assert overflow_of(message) is None or "prompt is too long" in message.lower()


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_numbers_come_back(tokens: int, window: int) -> None:
    found = overflow_of(f"prompt is too long: {tokens} tokens > {window} maximum")
    assert found == Overflow(tokens, None, window)
