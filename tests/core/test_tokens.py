"""Estimates: right on average, learned quickly, never negative."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.tokens import (
    CHARS_PER_TOKEN,
    IMAGE_TOKENS,
    MESSAGE_OVERHEAD,
    PDF_TOKENS_PER_BYTE,
    PromptSize,
    TokenEstimator,
    measure,
)
from headway.core.usage import Usage


def used(tokens: float) -> Usage:
    return Usage(input=round(tokens))


def user(content: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": content}]}


EMPTY = measure(user("")).characters
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 100_000}}
PDF = {
    "type": "document",
    "source": {"type": "base64", "media_type": "application/pdf", "data": "A" * 50_000},
}


@pytest.mark.parametrize(
    ("params", "characters", "fixed"),
    [
        (user("x" * 350), 350, 0.0),
        (user([{"type": "text", "text": "x" * 350}]), 350 + len("text"), 0.0),
        ({**user(""), "system": "y" * 100}, 100, 0.0),
        ({**user(""), "system": [{"text": "y" * 100}]}, 100, 0.0),
        ({**user(""), "tools": [{"name": "n" * 10, "description": "d" * 90}]}, 100, 0.0),
        (user([IMAGE]), 0, IMAGE_TOKENS),
        (user([IMAGE, IMAGE, {"text": "abc"}]), 3, 2 * IMAGE_TOKENS),
        (user([{"type": "tool_result", "content": [IMAGE]}]), len("tool_result"), IMAGE_TOKENS),
        (user([{"type": "image", "source": {"type": "url", "url": "https://x"}}]), 0, IMAGE_TOKENS),
        (user([PDF]), 0, 50_000 * PDF_TOKENS_PER_BYTE),
        (user([{"type": "document", "source": {"type": "file", "file_id": "f"}}]), 0, IMAGE_TOKENS),
        (
            user(
                [
                    {
                        "type": "document",
                        "source": {"type": "text", "media_type": "text/plain", "data": "z" * 70},
                    }
                ]
            ),
            70,
            0.0,
        ),
        (
            user(
                [{"type": "document", "source": {"type": "content", "content": [{"text": "z" * 70}, IMAGE]}}]
            ),
            70,
            IMAGE_TOKENS,
        ),
        (user([{"type": "document", "source": {"type": "content", "content": "z" * 70}}]), 70, 0.0),
        ({**user(""), "max_tokens": 10**6, "model": "m" * 1000, "metadata": {"user_id": "u" * 99}}, 0, 0.0),
    ],
)
def test_measure(params: dict[str, object], characters: int, fixed: float) -> None:
    size = measure(params)
    assert size.characters == EMPTY + characters
    assert size.fixed == pytest.approx(fixed + MESSAGE_OVERHEAD)


def test_every_turn_costs_a_little() -> None:
    turns = {"messages": [{"role": "user", "content": ""}] * 7}
    assert measure(turns).fixed == 7 * MESSAGE_OVERHEAD


def test_without_experience_english_is_assumed() -> None:
    assert TokenEstimator().estimate(PromptSize(3500, 20.0)) == pytest.approx(1020.0)
    assert TokenEstimator(4.0).estimate(PromptSize(400, 0.0)) == pytest.approx(100.0)


@pytest.mark.parametrize("ratio", [0.1, 1 / CHARS_PER_TOKEN, 0.5, 1.5])
def test_it_converges_to_what_is_true_on_average(ratio: float) -> None:
    """Each prompt is off by up to 40 %; what is settled is the sum, and the sum is within 3 %."""
    source, estimator = random.Random(7), TokenEstimator()
    estimated = real = 0.0
    for number in range(2000):
        size = PromptSize(source.randrange(100, 20_000), 4.0)
        truth = 4.0 + size.characters * ratio * source.uniform(0.6, 1.4)
        if number >= 50:
            estimated, real = estimated + estimator.estimate(size), real + truth
        estimator.learn(size, used(truth))
    assert estimated / real == pytest.approx(1.0, abs=0.03)


def test_the_first_answer_already_tells() -> None:
    estimator = TokenEstimator()
    estimator.learn(PromptSize(1000, 4.0), used(1004.0))
    assert estimator.estimate(PromptSize(500, 4.0)) == pytest.approx(504.0)


def test_it_follows_a_change() -> None:
    estimator = TokenEstimator()
    for ratio in (0.25, 0.9):
        for _ in range(150):
            estimator.learn(PromptSize(1000, 0.0), used(1000 * ratio))
        assert estimator.tokens_per_char == pytest.approx(ratio, rel=0.02)


def test_a_long_prompt_weighs_more_than_a_short_one() -> None:
    """A mean of ratios would say 0.6; of all characters together it is 0.2."""
    estimator = TokenEstimator()
    for _ in range(500):
        estimator.learn(PromptSize(100, 0.0), used(100.0))
        estimator.learn(PromptSize(100_000, 0.0), used(20_000.0))
    assert estimator.tokens_per_char == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize(
    ("size", "true_input"),
    [
        (PromptSize(15, 0.0), 1000.0),  # too short to tell
        (PromptSize(1000, 2000.0), 1500.0),  # the images were smaller than assumed
        (PromptSize(1000, 0.0), 0.0),
        (PromptSize(0, 0.0), 5.0),
    ],
)
def test_what_teaches_nothing_changes_nothing(size: PromptSize, true_input: float) -> None:
    estimator = TokenEstimator()
    estimator.learn(size, used(true_input))
    assert estimator.tokens_per_char == 1 / CHARS_PER_TOKEN


sizes = st.builds(PromptSize, st.integers(0, 10**8), st.floats(0, 1e7))


@given(st.lists(st.tuples(sizes, st.integers(0, 10**8)), max_size=30), sizes)
def test_never_negative_never_nan(seen: list[tuple[PromptSize, int]], asked: PromptSize) -> None:
    estimator = TokenEstimator()
    for size, truth in seen:
        estimator.learn(size, used(truth))
        assert size.fixed <= estimator.estimate(asked) + size.fixed < math.inf
        assert estimator.estimate(asked) >= asked.fixed
    assert 0.02 <= estimator.tokens_per_char <= 2.0


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "source", "data", "content", "media_type", "x"]), inner, max_size=4
        )
        | st.builds(
            lambda kind, source: {"type": kind, "source": source},
            st.sampled_from(["image", "document"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["system", "tools", "messages", "model"]), anything, max_size=4))
def test_measure_never_raises(params: dict[str, object]) -> None:
    size = measure(params)
    assert size.characters >= 0
    assert size.fixed >= 0


def test_a_cached_prefix_is_left_out_once_a_hit_was_seen() -> None:
    params = {
        **user("q" * 350),
        "system": [{"type": "text", "text": "s" * 35_000, "cache_control": {"type": "ephemeral"}}],
    }
    size, estimator = measure(params), TokenEstimator()
    assert size.cached
    whole = estimator.estimate(size)
    estimator.learn(size, Usage(input=100, cache_write=10_000))
    assert estimator.estimate(size) == pytest.approx(whole, rel=0.1), "written, not yet read: it counts"
    for _ in range(8):
        estimator.learn(size, Usage(input=100, cache_read=10_000))
    assert estimator.estimate(size) < 0.03 * whole
    plain = measure(user("q" * 35_000))
    assert estimator.estimate(plain) > 0.9 * whole, "prompts without caching are taken whole"
    estimator.learn(size, Usage(input=100, cache_write=10_000))
    assert estimator.estimate(size) < 0.1 * whole, "one expired entry does not undo it"


def test_a_conversation_that_the_server_holds_is_charged_by_what_it_cost_before() -> None:
    plain, estimator = measure(user("q" * 3500)), TokenEstimator()
    estimator.learn(plain, Usage(input=1004))
    before = estimator.estimate(plain)
    held = measure({**user("q" * 35), "thread": {"type": "continue", "previous_message_id": "msg_1"}})
    assert held.held
    estimator.learn(held, Usage(input=20_000))
    assert estimator.estimate(held) == pytest.approx(20_000, rel=0.01)
    assert estimator.estimate(plain) == before, "what cannot be seen says nothing of characters and tokens"
    for thread in (None, {"type": "create"}, "continue", 5):
        assert not measure({**user("q"), "thread": thread}).held
