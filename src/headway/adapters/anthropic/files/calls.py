"""Calls of the Files API at its published rate, with headway's own retries and failures.

aiolimiter carries the rate: it is fixed and known (docs/design/aiolimiter.md). It never holds a queue: those who
call wait in order at our own door, and only the first of them waits for the limiter.
"""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
from aiolimiter import AsyncLimiter

from headway.adapters.anthropic.failures import rejection_of
from headway.adapters.anthropic.headers import http_date
from headway.adapters.anthropic.loops import move_to_this_loop
from headway.core.byte_size import shown
from headway.core.failure import Failure
from headway.core.file_policy import FilePolicy
from headway.core.job import Attempt
from headway.core.retry import Retry, RetryPolicy
from headway.preflight.rule import UnrepairableError

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic.resources.files import AsyncFiles

T = TypeVar("T")
MOST_FILE: Final = 500_000_000
"""Bytes of one file (https://platform.claude.com/docs/en/build-with-claude/files)."""
_PATIENCE: Final = RetryPolicy(max_throttle_wait=600.0)
"""Ten minutes of 429 and 529: a repair should not outlast what it repairs."""
_GONE: Final = 404


class FilesFailedError(UnrepairableError):
    """The Files API refused or could not be reached; ``failure`` is classified as for a message, so that a dead
    account or an outage is told from a fault of this job."""

    def __init__(self, failure: Failure, doing: str) -> None:
        super().__init__(failure, doing)
        self.failure = failure
        self.doing = doing
        """``uploading application/pdf, 38.1 MB``."""

    def __str__(self) -> str:
        if self.failure.error_code == "storage_quota_exceeded":
            return f"{self.doing}: the organisation's file storage is full; delete files, then run it again"
        return f"{self.doing}: {self.failure}"


@dataclass(frozen=True, slots=True)
class Upload:
    """What is sent to the Files API."""

    content: bytes
    media_type: str
    filename: str

    def __str__(self) -> str:
        return f"{self.media_type}, {shown(len(self.content))}"


@dataclass(frozen=True, slots=True)
class _Door:
    """What paces the calls of one event loop."""

    rate: AsyncLimiter
    first: anyio.Lock
    """Held by the one who waits for the rate."""
    slots: anyio.CapacityLimiter


class FileCalls:
    """Upload, existence and deletion of files. Raises `FilesFailedError`."""

    def __init__(self, client: AsyncAnthropic, policy: FilePolicy) -> None:
        self._client = client.with_options(max_retries=0)
        self._policy = policy
        self._door: _Door | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def slot(self) -> anyio.CapacityLimiter:
        """One of the few uploads at a time: to be held (``async with``) while a content is in memory."""
        return self._here().slots

    async def upload(self, upload: Upload) -> str:
        """Upload and return the file's id."""
        if len(upload.content) > MOST_FILE:
            raise UnrepairableError(f"{upload} is above the Files API's {shown(MOST_FILE)} for one file")
        from anthropic import omit

        expiry = omit if self._policy.expires_in is None else self._policy.expires_in

        async def send(files: AsyncFiles) -> str:
            content = io.BytesIO(upload.content)  # made anew for every attempt: it is read to its end
            file = (upload.filename, content, upload.media_type)
            return (await files.upload(file=file, expires_in_seconds=expiry)).id

        return await self._call(send, f"uploading {upload}")

    async def exists(self, file_id: str) -> bool:
        """Whether a file is there and not expired."""

        async def look(files: AsyncFiles) -> bool:
            response = await files.with_raw_response.retrieve_metadata(file_id)
            expires_at = (await response.parse()).expires_at
            now = http_date(response.headers.get("date")) or datetime.now(UTC)  # the server's clock decides
            return expires_at is None or expires_at > now

        return await self._unless_gone(look, f"looking for {file_id}")

    async def delete(self, file_id: str) -> bool:
        """Delete a file; ``False`` when it was gone already."""

        async def remove(files: AsyncFiles) -> bool:
            await files.delete(file_id)
            return True

        return await self._unless_gone(remove, f"deleting {file_id}")

    async def _unless_gone(self, call: Callable[[AsyncFiles], Awaitable[bool]], doing: str) -> bool:
        try:
            return await self._call(call, doing)
        except FilesFailedError as error:
            if error.failure.status == _GONE:
                return False
            raise

    async def _call(self, call: Callable[[AsyncFiles], Awaitable[T]], doing: str) -> T:
        files = getattr(self._client, "files", None)
        if files is None:
            raise UnrepairableError(f"{type(self._client).__name__} has no Files API")
        await move_to_this_loop(self._client)
        history: list[Attempt] = []
        while True:
            await self._turn()
            started = anyio.current_time()
            try:
                return await call(files)
            except Exception as error:  # noqa: BLE001 - every failure becomes a value; cancellation passes
                failure = rejection_of(error).failure
            await _wait_or_raise(failure, history, doing)
            history.append(Attempt(len(history) + 1, started, anyio.current_time(), failure))

    async def _turn(self) -> None:
        door = self._here()
        async with door.first:
            await door.rate.acquire()

    def _here(self) -> _Door:
        """One for every event loop: locks of a loop that is gone would never open."""
        loop = asyncio.get_running_loop()
        if self._door is None or self._loop is not loop:
            self._loop = loop
            rate = AsyncLimiter(self._policy.requests_per_minute, 60)
            self._door = _Door(rate, anyio.Lock(), anyio.CapacityLimiter(self._policy.at_once))
        return self._door


async def _wait_or_raise(failure: Failure, history: list[Attempt], doing: str) -> None:
    now = anyio.current_time()
    throttled = sum(1 for attempt in history if attempt.failure and attempt.failure.row.throttle)
    decision = _PATIENCE.decide(
        failure,
        history,
        now,
        deadline=None,
        jitter=random.random(),  # noqa: S311 - spreads retries, keeps no secret
        budget_wait=min(60.0, 2.0 ** (throttled + 1)) * (0.5 + 0.5 * random.random()),  # noqa: S311
    )
    if not isinstance(decision, Retry):
        raise FilesFailedError(failure, doing) from None
    await anyio.sleep_until(decision.not_before)
