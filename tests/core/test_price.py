"""What an answer costs, by lane, speed, region and fees."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.catalog import Catalog, cost_of
from headway.core.price import Price, PricedLane
from headway.core.usage import Usage

M = 1_000_000


@pytest.mark.parametrize(
    ("usage", "lane", "dollars"),
    [
        pytest.param(Usage(M, M), "live", 30.0, id="live"),
        pytest.param(Usage(M, M), "batch", 15.0, id="batch"),
        pytest.param(Usage(M, M, service_tier="batch"), "live", 15.0, id="it says that it came from a batch"),
        pytest.param(Usage(M, M, service_tier="batch"), "batch", 15.0, id="not twice"),
        pytest.param(Usage(M, M, speed="fast"), "live", 60.0, id="fast"),
        pytest.param(Usage(M, M, speed="standard"), "live", 30.0, id="asked for fast, answered as usual"),
        pytest.param(Usage(M, 0, region_weight=1.1), "live", 5.5, id="US only"),
        pytest.param(Usage(0, 0, M, M, M), "live", 6.25 + 10 + 0.5, id="cache"),
        pytest.param(Usage(0, 0, M, speed="fast", region_weight=1.1), "live", 13.75, id="factors stack"),
        pytest.param(Usage(web_searches=7), "batch", 0.07, id="a search costs the same in every lane"),
    ],
)
def test_costs(usage: Usage, lane: PricedLane, dollars: float) -> None:
    assert cost_of("claude-opus-5", usage, lane) == pytest.approx(dollars, rel=1e-12)


counts = st.integers(0, 10**9)
usages = st.builds(
    Usage, counts, counts, counts, counts, counts, st.sampled_from(["", "standard", "priority"]),
    st.sampled_from([1.0, 1.1]), st.sampled_from(["", "standard", "fast"]), st.integers(0, 50),
)  # fmt: skip
money = st.floats(0, 1000)


@given(st.builds(Price, money, money, money), usages, usages)
def test_more_use_never_costs_less_and_a_batch_never_more(price: Price, one: Usage, two: Usage) -> None:
    alone, both = price.cost(one), price.cost(one + two)
    assert 0 <= alone < math.inf
    assert both >= alone * (1 - 1e-9)
    assert price.cost(one, "batch") <= alone


@pytest.mark.parametrize("wrong", [-1, math.nan, math.inf, "3", None, True])
def test_a_price_that_is_none_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"Price\.output must be 0 or more"):
        Price(1, wrong, 0.1)  # type: ignore[arg-type]


def test_prices_of_ones_own() -> None:
    catalog = Catalog().with_prices({"claude-opus-5": Price(1, 2, 0), "my-gateway/model": Price(0, 0, 0)})
    assert catalog.cost("claude-opus-5", Usage(M, M)) == 3
    assert catalog.cost("claude-opus-5", Usage(M, M), "batch") == 1.5
    assert catalog.cost("my-gateway/model", Usage(M, M, cache_read=M)) == 0
    assert catalog.cost("claude-opus-4-8", Usage(M)) == 5, "others stay"
