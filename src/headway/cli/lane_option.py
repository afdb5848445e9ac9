"""How jobs of ``headway run`` travel: ``--lane``, ``--deadline``, and how many at a time in each lane."""

from __future__ import annotations

import math
import re
from typing import Annotated, Final

import typer

from headway.cli.exit_status import CommandError
from headway.core.lane import Lane

_UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}

LaneOption = Annotated[
    Lane,
    typer.Option(
        help="live; batch: message batches, half the price, within a day; auto: whichever is in time and worth it."
    ),
]
DeadlineOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="How long each job may take at most: 90s, 30m, 6h. --lane auto goes by it."
    ),
]
InFlightOption = Annotated[int | None, typer.Option(min=1, metavar="N", help="Requests open at a time.")]
BatchQueueOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Jobs in message batches at a time (32,000). Each takes some 3 kB of memory here; "
        "the lowest tier of the API takes 200,000.",
    ),
]


def parse_deadline(text: str | None) -> float | None:
    """Seconds. Raises `CommandError`."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    factor = _UNITS.get(found[2]) if found else None
    if found is None or factor is None or not 0 < (seconds := float(found[1]) * factor) < math.inf:
        raise CommandError(f"--deadline {text!r}: a time such as 90s, 30m or 6h is expected")
    return seconds
