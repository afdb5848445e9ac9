"""The state machine as a picture: Mermaid text drawn from `TRANSITIONS`, so that the docs cannot lag behind."""

from __future__ import annotations

import re
from collections.abc import Iterator

from headway.core.job import TRANSITIONS, JobState


def diagram() -> str:
    """A Mermaid state diagram: one arrow for each pair of states, with the events that lead along it."""
    lines = ["stateDiagram-v2", f"    [*] --> {JobState.QUEUED.value}", *_arrows()]
    lines += [f"    {state.value} --> [*]" for state in JobState if state.final]
    return "\n".join(lines) + "\n"


def _arrows() -> Iterator[str]:
    events: dict[tuple[JobState, JobState], list[str]] = {}
    for (source, event), target in TRANSITIONS.items():
        events.setdefault((source, target), []).append(_words(event.__name__))
    order = list(JobState)
    for source, target in sorted(events, key=lambda ends: (order.index(ends[0]), order.index(ends[1]))):
        label = ", ".join(sorted(events[source, target]))
        yield f"    {source.value} --> {target.value}: {label}"


def _words(name: str) -> str:
    """``RetryScheduled`` as "retry scheduled"."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower()
