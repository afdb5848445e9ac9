"""``--limit requests=3000,input=600k,output=120k,burst=6``."""

from __future__ import annotations

from typing import Final

from headway.cli.exit_status import CommandError
from headway.core.limits import Limits

NAMES: Final = ("requests", "input", "output", "burst", "share")
FACTORS: Final = {"k": 1e3, "m": 1e6}


def parse_limits(text: str | None) -> Limits:
    """The limits an option tells, per minute (``burst`` in seconds). Raises `CommandError`."""
    values: dict[str, float] = {}
    for part in filter(None, map(str.strip, (text or "").split(","))):
        name, equals, number = (piece.strip() for piece in part.partition("="))
        if not equals or name not in NAMES:
            raise CommandError(
                f"--limit: {part!r} is not understood; write requests=3000,input=600k,output=120k"
            )
        if name in values:
            raise CommandError(f"--limit: {name} is given twice")
        values[name] = _number(name, number)
    try:
        return Limits(**values)
    except ValueError as error:
        raise CommandError(f"--limit: {str(error).removeprefix('Limits.')}") from None


def _number(name: str, text: str) -> float:
    factor = FACTORS.get(text[-1:].lower(), 1.0)
    digits = (text[:-1] if factor != 1.0 else text).replace("_", "")
    try:
        return float(digits) * factor
    except ValueError:
        raise CommandError(
            f"--limit: {name}={text} is not a number; write for example 3000, 600k or 1.5M"
        ) from None
