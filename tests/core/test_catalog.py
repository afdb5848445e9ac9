"""Prices against numbers worked out by hand, and ids in all their spellings."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.catalog import cost_of, facts_of, group_of
from headway.core.model_facts import AS_OF, MODELS
from headway.core.retired_models import RETIRED
from headway.core.usage import NO_USAGE, Usage

M = 1_000_000


@pytest.mark.parametrize(
    ("model", "usage", "dollars"),
    [
        ("claude-sonnet-5-5", Usage(input=1_000, output=500), 0.002 + 0.005),
        ("claude-sonnet-5", Usage(input=M, output=M), 12.0),
        ("claude-sonnet-4-6", Usage(input=M, output=M), 18.0),
        ("claude-opus-5-5", Usage(input=M, output=M), 24.0),
        ("claude-opus-5", Usage(input=M, output=M), 30.0),
        ("claude-opus-4-5-20251101", Usage(output=40_000), 1.0),
        ("claude-fable-5-1", Usage(input=100_000, output=10_000, cache_read=100_000), 1.525),
        ("claude-fable-5-2", Usage(input=100_000, output=10_000), 1.2),
        ("claude-mythos-5-2", Usage(cache_read=M), 0.2),
        ("claude-haiku-4-5", Usage(input=M, output=M), 6.0),
        # cache: written for 5 minutes 1.25, for an hour 2, read 0.1 times the input price
        ("claude-opus-5", Usage(cache_write=M), 6.25),
        ("claude-opus-5", Usage(cache_write_1h=M), 10.0),
        ("claude-opus-5", Usage(cache_read=M), 0.5),
        (
            "claude-opus-5",
            Usage(input=10, output=20, cache_write=30, cache_write_1h=40, cache_read=50),
            0.0011625,
        ),
        # a prompt above 100,000 tokens, cached ones included, has another price as a whole
        ("claude-haiku-5-5", Usage(input=100_000, output=1_000), 0.01 + 0.0005),
        ("claude-haiku-5-5", Usage(input=100_001, output=1_000), 0.0500005 + 0.0025),
        ("claude-haiku-5-5", Usage(input=1, cache_read=100_000, output=0), 0.0000005 + 0.005),
        ("claude-haiku-5-5", Usage(cache_write=100_000, cache_write_1h=100_000), 0.0625 + 0.1),
        ("claude-sonnet-5-5", NO_USAGE, 0.0),
    ],
)
def test_costs(model: str, usage: Usage, dollars: float) -> None:
    assert cost_of(model, usage) == pytest.approx(dollars, rel=1e-12)


@pytest.mark.parametrize("facts", MODELS, ids=lambda facts: facts.prefix)
def test_spellings_of_an_id(facts) -> None:  # type: ignore[no-untyped-def]
    for prefix in ("", "anthropic.", "us.anthropic.", "eu.anthropic.", "global.anthropic.", "anthropic/"):
        for suffix in ("", "-20251101", "-20251101-v1:0", "@20251101", "-v1:0", ":beta", "-fast"):
            assert facts_of(prefix + facts.prefix + suffix) is facts, prefix + facts.prefix + suffix


@pytest.mark.parametrize(
    ("model", "group"),
    [
        ("claude-opus-5-5", "opus-5-5"),
        ("claude-opus-5-5-20261001", "opus-5-5"),
        ("claude-opus-5", "opus-5"),
        ("claude-opus-5-20260701", "opus-5"),
        ("claude-sonnet-5-5@20261001", "sonnet-5-5"),
        ("claude-sonnet-5", "sonnet-5"),
        ("claude-haiku-5-5", "haiku-5-5"),
        *((f"claude-opus-4-{minor}", "opus-4") for minor in (5, 6, 7, 8)),
        *((f"claude-sonnet-4-{minor}", "sonnet-4") for minor in (5, 6)),
        *((f"claude-fable-5{minor}", "fable-5") for minor in ("", "-1", "-2")),
    ],
)
def test_longest_prefix_wins_and_groups_share_their_limits(model: str, group: str) -> None:
    assert group_of(model) == group


@pytest.mark.parametrize(
    "model",
    [
        "", "gpt-5", "claude-", "claude", "claude-opus", "claude-opus-50", "claude-opus-4", "claude-opus-4-1",
        "claude-opus-4-20250514", "claude-3-5-sonnet-20241022", "claude-mythos-6",
        "claude-opus-5-6", "claude-sonnet-5-1", "claude-opus-5-10", "claude-sonnet-4-9-20270101", "claude-fable-5-3",
    ],
)  # fmt: skip
def test_an_unknown_model_has_its_own_limits_and_no_price(model: str) -> None:
    """Also one that is newer than this table: it must not be counted at its predecessor's price."""
    assert facts_of(model) is None
    assert group_of(model) == model
    assert cost_of(model, Usage(input=M)) is None


def test_the_table_makes_sense() -> None:
    assert len({facts.prefix for facts in MODELS}) == len(MODELS)
    for facts in MODELS:
        if (price := facts.price) is not None:
            assert 0 < price.cache_read < price.input < price.output
        assert 0 < facts.max_output <= 128_000 < facts.window
        assert facts.thinking <= {"adaptive", "between_tools", "disabled", "enabled"}
        assert {other.line for other in MODELS if other.group == facts.group} == {facts.line}
        assert re.fullmatch(r"202\d-\d\d-\d\d", facts.created)
        assert (facts.lifecycle == "deprecated") == (facts.retires is not None)
        assert facts.prefix not in RETIRED
    for model in RETIRED.values():
        assert model.on is None or model.on <= AS_OF
        assert facts_of(model.id) is None


counts = st.integers(0, 10**9)
usages = st.builds(Usage, counts, counts, counts, counts, counts)


@given(st.sampled_from([facts for facts in MODELS if facts.price]), usages, usages)
def test_costs_are_never_negative_and_never_fall_with_more_tokens(facts, one: Usage, two: Usage) -> None:  # type: ignore[no-untyped-def]
    both, alone = facts.price.cost(one + two), facts.price.cost(one)
    assert 0 <= alone < math.inf
    assert both >= alone
    assert (one + two).true_input == one.true_input + two.true_input
    assert one.limited_input + one.cache_read == one.true_input
    assert one + NO_USAGE == one


@given(st.text())
def test_any_text_may_be_a_model(model: str) -> None:
    assert group_of(model) == (facts_of(model).group if facts_of(model) else model)  # type: ignore[union-attr]
