"""Which known name a mistyped one was meant to be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

ALIKE: Final = 0.6
"""Below this two names have nothing to do with each other (the bound of `difflib.get_close_matches`)."""


def likeness(one: str, other: str) -> float:
    """1 for names that differ in case and punctuation only, 0 for nothing in common. The order of the words
    counts less than the words: ``claude-5-sonnet`` is close to ``claude-sonnet-5``."""
    first, second = _words(one), _words(other)
    if not first or not second:
        return 0.0
    whole = SequenceMatcher(None, "-".join(first), "-".join(second), autojunk=False).ratio()
    if first == second:
        return 1.0
    shuffled = SequenceMatcher(
        None, "-".join(sorted(first)), "-".join(sorted(second)), autojunk=False
    ).ratio()
    return max(whole, 0.97 * shuffled)


def nearest_names(name: str, known: Sequence[str], count: int = 3) -> tuple[str, ...]:
    """The known names most like this one, best first; among equals the order given decides."""
    scored = [(likeness(name, other), other) for other in known]
    close = [pair for pair in scored if pair[0] >= ALIKE]
    return tuple(other for _, other in sorted(close, key=lambda pair: -pair[0])[:count])


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z]+|\d+", name.lower()[:200])
