"""Batches, the pure part: nothing lost in splitting, ids that lead back, when to look, which lane."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.batch_ids import Place, custom_id, place_of
from headway.core.batch_polling import PATIENCE, RAREST, SOONEST, SPREAD, TROUBLE, next_look, trouble_wait
from headway.core.batching import (
    ENVELOPE,
    MOST_BYTES,
    MOST_REQUESTS,
    Batching,
    Fill,
    divide,
    due_at,
    may_divide,
)
from headway.core.breaker import Circuit
from headway.core.budget_status import BudgetStatus, DimensionStatus
from headway.core.dimension import Dimension
from headway.core.error_kind import ErrorKind
from headway.core.failure import failure_of
from headway.core.lane import (
    RESCUE_MARGIN,
    Lane,
    Prospect,
    choose_lane,
    lane_of,
    live_seconds,
    rescue_seconds,
)
from headway.preflight.batch import CUSTOM_ID, check_batch, item_bytes

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)


def split(sizes: list[int], batching: Batching) -> list[range]:
    """The positions of requests of these sizes, batch by batch, as they are filled one after the other."""
    batches: list[range] = []
    start, fill = 0, Fill()
    for position, size in enumerate(sizes):
        if not fill.takes(size, batching):
            batches.append(range(start, position))
            start, fill = position, Fill()
        fill.add(size)
    return [*batches, range(start, len(sizes))] if sizes else batches


@given(st.lists(texts, max_size=60), st.integers(1, 8), st.integers(120, 600))
def test_splitting_loses_nothing_and_keeps_the_bounds(prompts: list[str], most: int, room: int) -> None:
    items = [{"custom_id": f"i{n}", "params": {"p": prompt}} for n, prompt in enumerate(prompts)]
    batching = Batching(max_requests=most, max_bytes=room)
    parts = split([item_bytes(item) for item in items], batching)
    assert [n for part in parts for n in part] == list(range(len(items)))
    for part in parts:
        body = json.dumps({"requests": [items[n] for n in part]}, separators=(",", ":"), ensure_ascii=False)
        assert 1 <= len(part) <= most
        assert len(body.encode()) <= room or len(part) == 1, "a single item is for the API to judge"
    for part, following in pairwise(parts):
        taken = sum(item_bytes(items[n]) + 1 for n in part) + ENVELOPE
        assert len(part) == most or taken + item_bytes(items[following[0]]) + 1 > room, (
            "no batch was cut short"
        )


def test_the_bounds_are_those_of_the_api() -> None:
    usual = Batching()
    assert (usual.max_requests, MOST_REQUESTS, MOST_BYTES) == (10_000, 100_000, 256 * 2**20)
    assert usual.max_bytes == 24_000_000
    assert list(map(len, split([100] * 25_000, usual))) == [10_000, 10_000, 5_000]
    assert list(map(len, split([7_000_000] * 10, usual))) == [3, 3, 3, 1]
    for wrong in ({"max_requests": 100_001}, {"max_bytes": 2**29}, {"quiet": -1.0}, {"usual": float("inf")}):
        with pytest.raises(ValueError, match=f"Batching.{next(iter(wrong))} must be"):
            Batching(**wrong)  # type: ignore[arg-type]


@given(st.text(), st.integers(0, 99_999), st.integers(0, 2**64 - 1))
def test_ids_fit_the_api_and_lead_back(key: str, position: int, number: int) -> None:
    place = Place(f"{number:016x}", position)
    name = custom_id(place, key)
    assert CUSTOM_ID.fullmatch(name)
    assert place_of(name) == place


@given(st.lists(st.text(max_size=3), max_size=30))
def test_ids_of_one_batch_differ_whatever_the_keys_are(keys: list[str]) -> None:
    names = [custom_id(Place("0" * 16, n), key) for n, key in enumerate(keys)]
    items = [{"custom_id": name, "params": {}} for name in names]
    assert not [finding for finding in check_batch(items) if finding.path.endswith("custom_id")]


@pytest.mark.parametrize(
    "name", ["", "mine-1", "hw-", "hw-0123456789abcdef", "hw-0123456789abcdeg-1", "xhw-0123456789abcdef-1"]
)
def test_ids_of_others_are_not_ours(name: str) -> None:
    assert place_of(name) is None


def test_looks_are_quick_at_first_and_rare_later() -> None:
    age, looks = 0.0, 0
    while age < 24 * 3600:
        wait = next_look(age, 0.0)
        assert SOONEST <= wait <= RAREST and next_look(age, 1.0) == pytest.approx(wait * (1 + SPREAD))
        age += wait
        looks += 1
    assert looks < 1000, "of an endpoint that takes 1,000 a minute"
    assert next_look(60.0, 0.0) == 6.0
    waits = [trouble_wait(n, 1.0) for n in range(1, 20)]
    assert waits[: len(TROUBLE)] == list(TROUBLE) and waits[-1] == TROUBLE[-1] < PATIENCE


def test_when_a_batch_is_due() -> None:
    batching = Batching(quiet=5, longest=300)
    assert [due_at(100, last, batching) for last in (100, 200, 399)] == [105, 205, 400]


@given(st.integers(2, 200), st.one_of(st.none(), st.integers(0, 300)))
def test_dividing_loses_nothing_and_ends(count: int, named: int | None) -> None:
    message = "bad" if named is None else f"requests.{named}.params.model: bad"
    refusal = failure_of(ErrorKind.INVALID_REQUEST, message)
    parts = divide(refusal, count)
    assert parts and all(0 < len(part) < count for part in parts)
    assert sorted(n for part in parts for n in part) == list(range(count))
    if named is not None and named < count:
        assert range(named, named + 1) in parts
    assert divide(refusal, 1) is None


def test_only_what_items_are_to_blame_for_is_divided() -> None:
    guilty = {kind for kind in ErrorKind if may_divide(failure_of(kind, ""))}
    assert ErrorKind.REQUEST_TOO_LARGE in guilty
    assert not guilty & {
        ErrorKind.AUTHENTICATION,
        ErrorKind.PERMISSION,
        ErrorKind.RATE_LIMIT,
        ErrorKind.API_ERROR,
    }


def budget(**changes: Any) -> BudgetStatus:
    def seen(dimension: Dimension, limit: float, level: float) -> DimensionStatus:
        return DimensionStatus(dimension, limit, "told", level, limit, 0.0, 0.0)

    usual: dict[str, Any] = {
        "dimensions": (seen(Dimension.REQUESTS, 600, 100), seen(Dimension.OUTPUT, 60_000, 0)),
        "circuit": Circuit.CLOSED, "ceiling": None, "pace": 1.0, "jobs_per_second": None, "in_flight": 0,
        "max_in_flight": None, "mean_output": 50.0, "output_speed": 80.0, "feedback": 1.0, "share": 1.0,
        "rate_limited": 0, "overloaded": 0, "succeeded": 0,
    }  # fmt: skip
    return BudgetStatus(**{**usual, **changes})


def test_how_long_live_takes() -> None:
    assert live_seconds(1100, 0, budget()) == pytest.approx(100.0), "10 a second beyond the burst of 100"
    assert live_seconds(1100, 0, budget(share=0.5)) == pytest.approx(200.0)
    assert live_seconds(2000, 0, budget(mean_output=500.0)) == pytest.approx(1000.0), "output binds"
    assert live_seconds(100, 0, budget(dimensions=(), jobs_per_second=2.0)) == 50.0
    assert (
        live_seconds(100, 0, None)
        == live_seconds(0, 0, budget())
        == live_seconds(50, 0, budget(mean_output=0.0))
        == 0.0
    )


@pytest.mark.parametrize(
    ("deadline", "live", "interactive", "lane"),
    [
        (None, 10.0, False, Lane.LIVE),  # soon done
        (None, 1000.0, False, Lane.BATCH),
        (None, 1000.0, True, Lane.LIVE),
        (3000.0, 1000.0, False, Lane.LIVE),  # no time for a batch
        (3600.0 + rescue_seconds(1000.0), 1000.0, False, Lane.LIVE),
        (3601.0 + rescue_seconds(1000.0), 1000.0, False, Lane.BATCH),
    ],
)  # fmt: skip
def test_live_or_batch(deadline: float | None, live: float, interactive: bool, lane: Lane) -> None:
    assert choose_lane(Prospect(deadline, live, interactive), Batching()) is lane


def test_a_rescue_leaves_live_its_time_twice_over() -> None:
    assert rescue_seconds(300.0) == 600.0 + RESCUE_MARGIN


def test_lanes_by_name() -> None:
    assert [lane_of(name) for name in ("live", "batch", Lane.AUTO)] == list(Lane)
    with pytest.raises(ValueError, match="lane must be 'live', 'batch' or 'auto', not 'Batch'"):
        lane_of("Batch")
