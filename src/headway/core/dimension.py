"""What a rate limit counts: one row per dimension.

The Messages API keeps one token bucket per model group and dimension, refilled continuously
(https://platform.claude.com/docs/en/api/rate-limits). Adding a dimension means adding a row here:
headers, budget, metrics and progress bars read this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Dimension(StrEnum):
    """A quantity the API limits per minute."""

    REQUESTS = "requests"
    INPUT = "input"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class DimensionRow:
    """The facts of one dimension."""

    dimension: Dimension
    header: str
    """Stem of the headers: ``anthropic-ratelimit-{header}-limit``, ``-remaining`` and ``-reset``."""
    rounding: float
    """The ``-remaining`` header is rounded to the nearest multiple of this (tokens: 1,000)."""
    label: str
    """What a person reads: "4,000 requests/min"."""


TABLE: Final[tuple[DimensionRow, ...]] = (
    DimensionRow(Dimension.REQUESTS, "requests", 1.0, "requests/min"),
    DimensionRow(Dimension.INPUT, "input-tokens", 1000.0, "input tokens/min"),
    DimensionRow(Dimension.OUTPUT, "output-tokens", 1000.0, "output tokens/min"),
)
ROW: Final[dict[Dimension, DimensionRow]] = {row.dimension: row for row in TABLE}
