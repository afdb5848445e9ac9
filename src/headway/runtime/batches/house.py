"""What is around the batch lane: the parts it works with, and the engine as it sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headway.core.batching import Batching
from headway.core.events import JobEvent
from headway.core.failure import Failure
from headway.core.retry import RetryPolicy
from headway.ports import BatchLedger, BatchTransport
from headway.runtime.batches.archive import Archive
from headway.runtime.batches.results import Concluder
from headway.runtime.handle import Job
from headway.runtime.recorder import Recorder
from headway.runtime.till import Till

if TYPE_CHECKING:
    from anthropic.types import Message


@dataclass(frozen=True, slots=True)
class House:
    """The engine, as the lane sees it."""

    coming: Callable[[], bool]
    """More jobs are on their way in."""
    heard: Callable[[], None]
    """There may be money for live jobs."""
    halt: Callable[[Failure], None]
    """Nothing more may be sent on this account."""
    requeue: Callable[[Job[Message]], None]
    """The job waits for its next attempt, in the lane that it has now."""
    finish: Callable[[Job[Message], JobEvent], None]
    """End a job that is not running any more."""
    park: Callable[[Job[Message], Failure], None]
    """End a job here because we stop."""


@dataclass(frozen=True, slots=True)
class LaneParts:
    """What the lane works with."""

    transport: BatchTransport
    ledger: BatchLedger
    archive: Archive
    concluder: Concluder
    recorder: Recorder
    retry: RetryPolicy
    batching: Batching
    till: Till | None
    """Where requests are paid for, under a spend cap."""
    rescue_at: Callable[[Job[Message], int], float | None]
    """When a job must leave a batch of so many (loop time)."""
    before_turn: Callable[[Job[Message]], None]
    """Called with a job that is about to be put into a batch that is made now."""
