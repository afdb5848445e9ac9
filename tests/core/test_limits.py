"""Limits as told: checked where they are written, one for every dimension."""

from __future__ import annotations

import dataclasses
import math

import pytest

from headway.core.dimension import ROW, TABLE, Dimension
from headway.core.limits import NO_REPORT, Bucket, LimitReport, Limits

NAMES = ["requests", "input", "output", "burst"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0, -1, -0.5, math.nan, math.inf, -math.inf])
def test_a_limit_is_a_positive_number(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"Limits\.{name} must be a positive number or None"):
        Limits(**{name: value})


@pytest.mark.parametrize("share", [0, -0.5, 1.0001, 50, math.nan, math.inf])
def test_a_share_is_a_fraction(share: float) -> None:
    with pytest.raises(ValueError, match=r"Limits\.share must be above 0 and at most 1"):
        Limits(share=share)


@pytest.mark.parametrize("value", [1, 0.001, 10**12, None])
def test_what_makes_sense_is_taken(value: float | None) -> None:
    for name in NAMES:
        assert getattr(Limits(**{name: value}), name) == value
    assert Limits(share=1).share == 1
    assert Limits(share=1e-9).share == 1e-9


def test_nothing_has_to_be_told() -> None:
    assert all(Limits().told(dimension) is None for dimension in Dimension)
    assert (Limits().burst, Limits().share) == (None, 1.0)


def test_every_dimension_can_be_told() -> None:
    for number, dimension in enumerate(Dimension, 1):
        assert Limits(**{dimension.value: number}).told(dimension) == number
    limits = Limits(requests=1, input=2, output=3)
    assert [limits.told(row.dimension) for row in TABLE] == [1, 2, 3]


def test_every_dimension_has_one_row() -> None:
    assert [row.dimension for row in TABLE] == list(Dimension)
    assert {row.dimension: row for row in TABLE} == ROW
    assert len({row.header for row in TABLE}) == len(TABLE)
    assert all(row.rounding >= 1 for row in TABLE)


def test_limits_are_values() -> None:
    limits = Limits(requests=50)
    assert limits == Limits(requests=50)
    assert hash(limits) == hash(Limits(requests=50))
    assert dataclasses.replace(limits, share=0.5).requests == 50
    with pytest.raises(ValueError, match="share"):
        dataclasses.replace(limits, share=2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        limits.requests = 5  # type: ignore[misc]


def test_a_report_without_headers_is_false() -> None:
    assert not NO_REPORT
    assert LimitReport(((Dimension.REQUESTS, Bucket(50.0)),))
