"""How a job is to be treated; also for calls whose code cannot be told (a framework in between)."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from headway.core.follow_up import FollowUp
from headway.core.job import Priority
from headway.core.lane import Lane
from headway.preflight.cache_auto import CachePlacer
from headway.preflight.policy import RepairPolicy


@dataclass(frozen=True, slots=True)
class Terms:
    """What a caller asks for beside the request itself."""

    priority: Priority = Priority.NORMAL
    tenant: str = ""
    deadline: float | None = None
    """Seconds from now."""
    repair: RepairPolicy | None = None
    """``None``: the scheduler's."""
    follow_up: FollowUp | None = None
    """``None``: the scheduler's."""
    tag: str = ""
    """What its cost is counted under; empty: as the request itself says."""
    lane: Lane = Lane.LIVE
    placer: CachePlacer | None = None
    """Places a breakpoint for the prompt cache where the jobs it knows begin to differ."""
    dedupe: bool = False
    """Send it only if no identical request is, and share that one's answer."""
    stays: bool = False
    """What was sent already is waited for; instead of being sent again it ends resumably."""


USUAL: Final = Terms()
_current: ContextVar[Terms | None] = ContextVar("headway_terms", default=None)


@contextmanager
def job_terms(
    *,
    priority: Priority = Priority.NORMAL,
    tenant: str = "",
    deadline: float | None = None,
    tag: str = "",
) -> Generator[None]:
    """Calls through `Scheduler.client` and `Scheduler.wrap` inside this block, in the same task and in those it
    starts, have these terms: for frameworks that make the calls for you. ``deadline``: seconds, for each call."""
    token = _current.set(Terms(priority, tenant, deadline, tag=tag))
    try:
        yield
    finally:
        _current.reset(token)


def current_terms(otherwise: Terms) -> Terms:
    """The terms of the innermost `job_terms` block, else the given ones."""
    return _current.get() or otherwise


def placer_for(cache: object, placer: CachePlacer) -> CachePlacer | None:
    """The placer if ``cache="auto"`` was asked for. Raises ValueError for anything but that and ``None``."""
    if cache not in (None, "auto"):
        raise ValueError(f'cache must be "auto" or None, not {cache!r}')
    return None if cache is None else placer
