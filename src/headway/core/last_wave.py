"""Long jobs first, near the end of a queue.

What is dispatched last decides when a run ends: a job of a minute that starts with the last token of the
budget adds a minute to it. "Longest processing time first" (Graham, Bounds on multiprocessing timing anomalies,
1969) starts it early enough that short ones fill the end. Only the last wave is put in this order: earlier it gains
nothing, and all long jobs at once load one bucket while the others are idle.

When is it the last wave? Jobs end as often as they start, so by Little's law the ``queued`` jobs will have been
started after ``queued / running`` mean durations. Long jobs last a few mean durations; so early they must go.

Jobs of about the same length stay in their order: nothing is gained by changing it, and the large ones in a heap
would mislead whoever looks at the first few.

Fair shares stay as they are: the jobs of one tenant change places among themselves, with tags as if they had
been queued in this order. Each job is moved once at most, so that none is overtaken for ever by what comes later.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol, TypeVar

WAVES: Final = 8
"""Mean durations that the last wave takes to start: the longest job lasts about so many (6.5 of max_tokens
from 64 to 4,096, evenly over the orders of magnitude, .3 to 1 of it written). Figures: docs/concepts/budgets.md."""
SPREAD: Final = 4.0
"""Times the shortest that the longest job must last at least. ``max_tokens`` is only a bound: twice as much of it
says little about who ends last (in benchmarks/utilisation.py, output-bound, an order by it cost 3 %)."""
READING: Final = 0.02
"""Of the time that writing a token takes: reading one. Prompts are read at thousands of tokens a second, answers
written at 50 to 100 (assumed; it only decides between jobs with the same ``max_tokens``)."""


class Place(Protocol):
    """What the order of a queue is decided by."""

    tag: float
    sequence: int
    cost: float
    length: float
    moved: bool


P = TypeVar("P", bound=Place)


def expected_length(input_tokens: float, max_tokens: float) -> float:
    """How long a job may take, in output tokens' time: before it has run nothing else tells jobs apart."""
    return max_tokens + READING * input_tokens


def is_last_wave(queued: int, running: int) -> bool:
    """Whether what is queued will all have been started before a long job could end."""
    return 0 < queued <= WAVES * running


def longest_first(places: Iterable[P], weight: float) -> None:
    """Let the jobs of one tenant change places, those that did so already excepted."""
    held = sorted(
        (place for place in places if not place.moved), key=lambda place: (place.tag, place.sequence)
    )
    if not held or max(p.length for p in held) < SPREAD * min(p.length for p in held):
        return
    tag, sequences = held[0].tag, [place.sequence for place in held]
    for place, sequence in zip(sorted(held, key=lambda place: -place.length), sequences, strict=True):
        place.tag, place.sequence, place.moved = tag, sequence, True
        tag += place.cost / weight
