"""What an answer is charged as: by the usual limits, and by the committed capacity of Priority Tier."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.catalog import region_weight
from headway.core.tokens import PromptSize, TokenEstimator
from headway.core.usage import NO_USAGE, PRIORITY, Usage
from headway.core.usage_sum import UsageSum

MIXED = Usage(input=1000, output=300, cache_write=400, cache_write_1h=200, cache_read=5000)


@pytest.mark.parametrize(
    ("tier", "weight", "charged_in", "charged_out"),
    [
        pytest.param("standard", 1.0, 1600, 300, id="cache reads do not count"),
        pytest.param("standard", 1.1, 1600, 300, id="nor does the region"),
        pytest.param("batch", 1.0, 1600, 300, id="batch"),
        pytest.param("", 1.0, 1600, 300, id="no tier told"),
        pytest.param("of_tomorrow", 1.1, 1600, 300, id="a tier we do not know"),
        pytest.param(PRIORITY, 1.0, 1000 + 500 + 400 + 500, 300, id="priority"),
        pytest.param(PRIORITY, 1.1, 1.1 * 2400, 330, id="priority, US only"),
    ],
)
def test_charges(tier: str, weight: float, charged_in: float, charged_out: float) -> None:
    usage = Usage(1000, 300, 400, 200, 5000, tier, weight)
    assert usage.charged_input == pytest.approx(charged_in)
    assert usage.charged_output == pytest.approx(charged_out)
    assert (usage.limited_input, usage.true_input) == (1600, 6600), "what is billed and shown does not change"


@pytest.mark.parametrize(
    ("model", "region", "weight"),
    [
        ("claude-opus-4-6", "us", 1.1),
        ("claude-sonnet-5-5", "us", 1.1),
        ("claude-of-tomorrow-9", "us", 1.1),
        ("claude-opus-4-5-20251101", "us", 1.0),
        ("claude-haiku-4-5", "us", 1.0),
        ("claude-opus-5-5", "global", 1.0),
        ("claude-opus-5-5", "not_available", 1.0),
        ("claude-opus-5-5", "", 1.0),
        ("claude-opus-5-5", None, 1.0),
    ],
)
def test_regions(model: str, region: str | None, weight: float) -> None:
    assert region_weight(model, region) == weight


def test_a_sum_of_tiers_is_of_none() -> None:
    one, two = Usage(1, service_tier=PRIORITY), Usage(2, service_tier="standard")
    assert (one + one).service_tier == PRIORITY
    assert (one + two).service_tier == (one + NO_USAGE).service_tier == ""


def test_a_stream_tells_tier_and_region_at_its_beginning_only() -> None:
    begun = Usage(10, 1, service_tier=PRIORITY, region_weight=1.1)
    assert begun.at_least(Usage(output=9)) == Usage(10, 9, service_tier=PRIORITY, region_weight=1.1)


counts = st.integers(0, 10**7)
tiers = st.sampled_from(["standard", PRIORITY, "batch", ""])


@given(st.builds(Usage, counts, counts, counts, counts, counts, tiers, st.sampled_from([1.0, 1.1])))
def test_charges_are_within_what_weights_allow(usage: Usage) -> None:
    assert 0.1 * usage.true_input <= usage.charged_input + 0.9 * usage.cache_read + 1e-6
    assert usage.charged_input <= 2.2 * usage.true_input + 1e-6
    if usage.service_tier != PRIORITY:
        assert (usage.charged_input, usage.charged_output) == (usage.limited_input, usage.output)


def test_the_estimate_learns_what_priority_tier_is_charged() -> None:
    cached, plain = PromptSize(35_000, 0.0, cached=True), PromptSize(35_000, 0.0)
    estimator = TokenEstimator()
    hit = Usage(input=100, cache_read=9_900, service_tier=PRIORITY, region_weight=1.1)
    uncached = Usage(input=10_000, service_tier=PRIORITY, region_weight=1.1)
    for _ in range(200):
        estimator.learn(cached, hit)
        estimator.learn(plain, uncached)
    assert estimator.estimate(cached) == pytest.approx(hit.charged_input, rel=0.01)
    assert estimator.estimate(plain) == pytest.approx(11_000, rel=0.01)
    for _ in range(200):
        estimator.learn(plain, Usage(input=10_000, service_tier="standard"))
    assert estimator.estimate(plain) == pytest.approx(10_000, rel=0.01)


USAGES = st.builds(
    Usage, *[st.integers(0, 9)] * 5, st.sampled_from(["", "standard", "priority"]), st.sampled_from([1.0, 1.1]),
    st.sampled_from(["", "standard", "fast"]), st.integers(0, 3),
)  # fmt: skip


@given(USAGES, st.lists(USAGES, max_size=5))
def test_a_sum_in_place_is_the_sum(first: Usage, more: list[Usage]) -> None:
    total = UsageSum(first)
    for usage in more:
        total.add(usage)
    assert total.total() == sum(more, first)
