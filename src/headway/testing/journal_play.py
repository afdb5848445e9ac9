"""Lives of jobs to play to a journal, for its contract."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias, TypeVar

from headway.core.error_kind import ErrorKind
from headway.core.events import JobEvent, Succeeded
from headway.core.failure import Failure
from headway.core.job import JobRecord, advance
from headway.core.outcome import Ending, ending_of
from headway.core.request import Request
from headway.core.usage import Usage
from headway.ports import Journal

T = TypeVar("T")
NewJournal: TypeAlias = Callable[[], Journal]

FAILURE = Failure(
    ErrorKind.INVALID_REQUEST, "max_tokens: too large", 400, "invalid_request_error", request_id="r1"
)
DONE = Succeeded(3.5, '{"content": "žluť \\ud83d\\n"}', Usage(11, 7, 1, 2, 3), "end_turn", "req_7", 0.000123)


def sample_record(key: str, text: str = "Hello") -> JobRecord:
    """A new job."""
    messages = [{"role": "user", "content": text}]
    return JobRecord(0, key, Request({"model": "m", "max_tokens": 8, "messages": messages}, custom_id=key))


async def play(journal: Journal, record: JobRecord, *events: JobEvent) -> tuple[JobRecord, Ending | None]:
    """Let events happen to an admitted job, each stored; returns the last record and ending."""
    ending = None
    for event in events:
        record = advance(record, event)
        ending = ending_of(record, event)
        await journal.write(record, event, ending)
    return record, ending


async def collect(items: AsyncIterator[T]) -> list[T]:
    """All of them."""
    return [item async for item in items]


@asynccontextmanager
async def opened(journal: Journal) -> AsyncGenerator[Journal, None]:
    """An open journal, closed afterwards."""
    await journal.open()
    try:
        yield journal
    finally:
        await journal.aclose()


async def error_of(call: Awaitable[object]) -> Exception | None:
    """What awaiting it raises."""
    try:
        await call
    except Exception as error:  # noqa: BLE001 - the caller says which
        return error
    return None
