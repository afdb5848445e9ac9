"""How a job ends that gets no further attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.core.error_kind import ErrorKind, Scope
from headway.core.events import Expired, Failed, JobEvent, Parked
from headway.core.failure import Failure
from headway.core.usage import NO_USAGE, Usage
from headway.runtime.clock import loop_time
from headway.runtime.handle import Job

if TYPE_CHECKING:
    from anthropic.types import Message


def ending_event(
    job: Job[Message],
    final: Failure,
    usage: Usage = NO_USAGE,
    cost: float | None = 0.0,
    *,
    sent: bool = False,
) -> JobEvent:
    """Out of time, good but stopped, or failed for good (and then it keeps the answer that it
    had: no waiting brings a model back). ``sent``: the last attempt may have been billed."""
    now = loop_time()
    if final.kind is ErrorKind.DEADLINE:
        return Expired(now, final, sent)
    lost = job.record.amendment.held is not None and final.scope is Scope.MODEL
    return Parked(now, final) if final.resumable and not lost else Failed(now, final, usage, cost)
