"""The durable record of batches, beside that of jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from headway.core.amendment import Amendment
from headway.core.request import Request


@dataclass(frozen=True, slots=True)
class BatchEntry:
    """A batch as the journal knows it: its creation was intended, and perhaps it was created."""

    token: str
    """In the ``custom_id`` of each of its requests (`core/batch_ids.py`)."""
    requests: int
    batch_id: str | None = None
    """The API's id; ``None``: nobody knows whether it exists."""
    newest: str | None = None
    """The newest batch of the workspace before it was to be created; empty: there was none; ``None``: not known."""
    intended: float = 0.0
    """Unix seconds."""


@dataclass(frozen=True, slots=True)
class BatchPlace:
    """Where a journalled job is."""

    batch: BatchEntry
    position: int


@dataclass(frozen=True, slots=True)
class Stray:
    """A result that belongs to no job that we know: kept, because it was paid for."""

    batch_id: str
    custom_id: str
    result: str
    """As JSON text, or the line that could not be understood."""


@runtime_checkable
class BatchLedger(Protocol):
    """What a journal keeps of batches, so that a crash neither loses nor repeats one. Every method is committed on
    return and raises `JournalError`. A job leaves its batch by the next event that is written of it."""

    async def intend_batch(self, entry: BatchEntry, keys: Sequence[str]) -> None:
        """A batch is about to be created of the jobs with these keys, in the order of their places."""
        ...

    async def note_batch(self, token: str, batch_id: str) -> None:
        """It was created."""
        ...

    async def forget_batch(self, token: str) -> None:
        """It was surely not created, or is over: what is still in it is in no batch any more."""
        ...

    async def end_batch(self, token: str) -> bool:
        """All its results were read. True if no job waits for one any more; it is forgotten then."""
        ...

    async def keep_strays(self, strays: Sequence[Stray]) -> None:
        """Keep results that belong to no job, each once."""
        ...

    async def strays(self) -> Sequence[Stray]:
        """All that were kept, oldest first."""
        ...

    async def open_batches(self) -> Sequence[BatchEntry]:
        """Batches that jobs wait for, oldest first."""
        ...


@runtime_checkable
class RequestStore(Protocol):
    """What a `BatchLedger` may be too: jobs that wait in batches need not hold their requests then. Each request
    comes with what was made of it since, if anything was. All raise `JournalError`, also for a key not there."""

    async def requests(self, keys: Sequence[str]) -> Sequence[tuple[Request, Amendment | None]]:
        """Of the jobs with these keys, in this order."""
        ...

    def in_batches(self) -> AsyncIterator[tuple[str, Request]]:
        """Keys and requests, as they were given, of the jobs that wait for a batch."""
        ...

    def read(self, key: str) -> tuple[Request, Amendment | None]:
        """Of one job, at once: it blocks, in any thread, also when the journal is closed."""
        ...
