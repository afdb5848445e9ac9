"""The numbers in the API's complaint about a prompt that does not fit its model's window."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_TOO_LONG: Final = re.compile(
    r"prompt is too long(?::\s*([\d,_]+) tokens > ([\d,_]+) maximum)?", re.IGNORECASE
)
"""Input alone is over the window: ``prompt is too long: 205668 tokens > 200000 maximum``; the numbers may be
missing."""
_SUM: Final = re.compile(r"exceed context limit:\s*([\d,_]+) \+ ([\d,_]+) > ([\d,_]+)", re.IGNORECASE)
"""Models before 4.5: ``input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000, …``."""


_CAP: Final = re.compile(r"max_tokens: ([\d,_]+) > ([\d,_]+), which is the maximum", re.IGNORECASE)
"""``max_tokens: 200000 > 128000, which is the maximum allowed number of output tokens for …``."""


@dataclass(frozen=True, slots=True)
class Overflow:
    """What the API said about the size of one request; ``None``: it gave no number. All in tokens."""

    input: int | None = None
    max_tokens: int | None = None
    """Given by models that count the answer's cap into the window: there lowering it helps."""
    window: int | None = None


def overflow_of(message: str) -> Overflow | None:
    """The numbers in an error message; ``None`` when it speaks of something else."""
    if found := _SUM.search(message):
        tokens, cap, window = (_number(text) for text in found.groups())
        return Overflow(tokens, cap, window)
    if found := _TOO_LONG.search(message):
        if found[1] is None:
            return Overflow()
        return Overflow(_number(found[1]), None, _number(found[2]))
    return None


def most_output(message: str) -> int | None:
    """The largest ``max_tokens`` of a model, where an error message names it."""
    found = _CAP.search(message)
    return _number(found[2]) if found else None


def _number(text: str) -> int:
    return int(text.replace(",", "").replace("_", ""))
