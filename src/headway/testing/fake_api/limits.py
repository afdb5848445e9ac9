"""The rate limits the fake API enforces, and how a command line tells them."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Final

DIMENSIONS: Final = ("requests", "input", "output")
"""What is limited, in the order used everywhere in this package."""
_FACTORS: Final = {"k": 1e3, "m": 1e6, "g": 1e9}


@dataclass(frozen=True, slots=True)
class FakeLimits:
    """Limits of one model group, per minute; ``None`` means unlimited."""

    requests: float | None = None
    """Requests per minute."""
    input: float | None = None
    """Input tokens per minute (cache reads excepted)."""
    output: float | None = None
    """Output tokens per minute."""
    burst: float = 60.0
    """Depth of the buckets, in seconds of their limit: 60 admits a whole minute's worth at once."""

    def __post_init__(self) -> None:
        for row in fields(self):
            value: float | None = getattr(self, row.name)
            if value is None and row.name != "burst":
                continue
            if not isinstance(value, (int, float)) or not (value > 0 and math.isfinite(value)):
                raise ValueError(f"FakeLimits.{row.name} must be a positive number, not {value!r}")

    def per_minute(self, dimension: str) -> float | None:
        """The limit of one of ``DIMENSIONS``, per minute; ``None`` when unlimited."""
        value: float | None = getattr(self, dimension)
        return value


def parse_quantity(text: str) -> float:
    """Read ``3000``, ``600k``, ``1.5M`` or ``2_000``."""
    cleaned = text.strip().replace("_", "")
    factor = _FACTORS.get(cleaned[-1:].lower(), 1.0)
    number = cleaned[:-1] if factor != 1.0 else cleaned
    try:
        return float(number) * factor
    except ValueError:
        raise ValueError(f"{text.strip()!r} is not a number (examples: 3000, 600k, 1.5M)") from None


def parse_pairs(text: str, allowed: tuple[str, ...], what: str) -> dict[str, float]:
    """Read ``name=number,name=number``; an unknown, repeated or empty name is an error that names it."""
    found: dict[str, float] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, equals, number = item.partition("=")
        name = name.strip()
        if not equals or name not in allowed:
            raise ValueError(f"{what}: {item!r} is not understood; write {'=…,'.join(allowed)}=…")
        if name in found:
            raise ValueError(f"{what}: {name} is given twice")
        try:
            found[name] = parse_quantity(number)
        except ValueError as error:
            raise ValueError(f"{what}: {name}: {error}") from None
    return found


def parse_limits(text: str, burst: float | None = None) -> FakeLimits:
    """Read ``requests=3000,input=600k,output=120k`` (optionally ``burst=60``), all per minute.

    >>> parse_limits("requests=3000,input=600k")
    FakeLimits(requests=3000.0, input=600000.0, output=None, burst=60.0)
    """
    values = parse_pairs(text, (*DIMENSIONS, "burst"), "limits")
    if burst is not None:
        values["burst"] = burst
    return FakeLimits(**values)


SCALE_TIER = FakeLimits(10_000, 10_000_000, 2_000_000)
"""What the API grants most models on its Scale tier (August 2026)."""
