"""The durable record of jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from headway.core.amendment import Amendment
from headway.core.events import JobEvent
from headway.core.job import JobRecord, Priority
from headway.core.outcome import Ending
from headway.core.request import Request
from headway.ports.ledger import BatchPlace


@dataclass(frozen=True, slots=True)
class Stored:
    """What a journal already knew of a job that was handed to it."""

    same_request: bool
    """The stored request has the same content; if not, the key was used for another request."""
    sends: int = 0
    maybe_billed: int = 0
    ending: Ending | None = None
    """Its ending if it is finished."""
    amendment: Amendment | None = None
    """What repairs after a refusal and follow-ups had made of its request when the process ended."""
    place: BatchPlace | None = None
    """The batch that it is in, or may be in."""
    twin: Ending | None = None
    """The answer to an identical request under another key, where that was asked for."""


class Unfinished(NamedTuple):
    """What a journal keeps of a job that has no ending."""

    key: str
    request: Request
    priority: Priority = Priority.NORMAL
    tenant: str = ""


class Journal(Protocol):
    """Durable record of jobs. Times are stored as wall time; the methods must run in the loop that opened it."""

    @property
    def recovered(self) -> int:
        """Jobs that were in flight when the last process died."""
        ...

    async def open(self) -> None:
        """Open or create, take the lock, recover what was in flight. Raises `JournalError` subclasses."""
        ...

    async def aclose(self) -> None:
        """Commit what is pending, release the lock."""
        ...

    async def admit(
        self, records: Sequence[JobRecord], *, reopen_failed: bool = False, twins: bool = False
    ) -> Sequence[Stored | None]:
        """Enter new jobs (committed on return); for known keys say what is known instead.

        With ``reopen_failed`` jobs stored as failed, expired or cancelled are queued again. With ``twins`` say
        of unfinished jobs whether an identical request was answered.
        """
        ...

    async def write(self, record: JobRecord, event: JobEvent, ending: Ending | None) -> None:
        """Store a job after an event; returns when it is committed. Raises `JournalError`."""
        ...

    def append(self, record: JobRecord, event: JobEvent, ending: Ending | None) -> None:
        """Store a job after an event without waiting; an error surfaces at the next `write`."""
        ...

    def unfinished(self) -> AsyncIterator[Unfinished]:
        """Jobs without an ending, oldest first."""
        ...

    def endings(self, after: int = 0) -> AsyncIterator[tuple[int, Ending]]:
        """Endings in the order they were committed, with their sequence numbers."""
        ...
