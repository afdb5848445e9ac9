"""Calls of the Message Batches API with their retries: a creation as the handbook says, all else with patience."""

from __future__ import annotations

import random
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Final, TypeVar

import anyio

from headway.core.batch_info import BatchInfo, BatchItem, BatchResult
from headway.core.batch_polling import GONE, PATIENCE, trouble_wait
from headway.core.error_kind import ErrorKind
from headway.core.failure import Failure
from headway.core.job import Attempt
from headway.core.retry import Retry, RetryPolicy
from headway.errors import BatchCallError
from headway.ports import BatchTransport
from headway.runtime.batches.open_batch import OpenBatch
from headway.runtime.clock import loop_time

T = TypeVar("T")
jitter: Final[Callable[[], float]] = random.random


class BatchCalls:
    """A `BatchTransport` that does not give up at once. Raises `BatchCallError` when it does."""

    def __init__(self, transport: BatchTransport, policy: RetryPolicy) -> None:
        self.transport = transport
        self._policy = policy

    async def create(self, items: AsyncIterable[BatchItem], batch: OpenBatch) -> BatchInfo:
        """Create a batch. The items are read anew for each try. A failure that leaves open whether it exists is
        raised at once; so is the `JournalError` of the items."""
        history: list[Attempt] = []
        while True:
            started = loop_time()
            batch.creating = True
            try:
                return await self.transport.create_batch(items)
            except BatchCallError as error:
                batch.creating = False  # while it waits it may be cut off
                failure, now = error.failure, loop_time()
                decision = self._policy.decide(
                    failure,
                    history,
                    now,
                    deadline=None,
                    jitter=jitter(),
                    budget_wait=trouble_wait(len(history) + 1, jitter()),
                )
                if failure.row.maybe_billed or batch.left or not isinstance(decision, Retry):
                    raise
                history.append(Attempt(len(history) + 1, started, now, failure))
                await anyio.sleep(decision.not_before - now)
            finally:
                batch.creating = False

    async def look(self, batch_id: str) -> BatchInfo:
        """How a batch is getting on."""
        return await self._patiently(lambda: self.transport.look(batch_id))

    async def cancel(self, batch_id: str) -> BatchInfo:
        """Begin to cancel it."""
        return await self._patiently(lambda: self.transport.cancel_batch(batch_id))

    async def newest(self) -> str:
        """The id of the newest batch there is; empty: there is none."""

        async def first() -> str:
            async for info in self.transport.list_batches():
                return info.id
            return ""

        return await self._patiently(first)

    async def newer_than(self, newest: str | None) -> list[BatchInfo]:
        """The batches that were created after this one, newest first; after ``None``: all."""

        async def listed() -> list[BatchInfo]:
            found: list[BatchInfo] = []
            async for info in self.transport.list_batches():
                if info.id == newest:
                    break
                found.append(info)
            return found

        return await self._patiently(listed)

    async def results(self, batch_id: str) -> AsyncIterator[BatchResult]:
        """The results of an ended batch, from the beginning again where the connection broke: some come twice."""
        trouble = _Trouble()
        while True:
            try:
                async for result in self.transport.results(batch_id):
                    yield result
                return
            except BatchCallError as error:
                await trouble.wait(error)

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        trouble = _Trouble()
        while True:
            try:
                return await call()
            except BatchCallError as error:
                await trouble.wait(error)


class _Trouble:
    """Failures in a row."""

    def __init__(self) -> None:
        self._tries = 0
        self._since = loop_time()

    async def wait(self, error: BatchCallError) -> None:
        """Wait until the next try. Raises what there is no use to try again after, or not any more."""
        failure = error.failure
        self._tries += 1
        wait = max(trouble_wait(self._tries, jitter()), failure.retry_after or 0.0)
        gone = failure.kind is ErrorKind.NOT_FOUND
        if not (gone or may_pass(failure)) or loop_time() + wait - self._since > (GONE if gone else PATIENCE):
            raise error
        await anyio.sleep(wait)


def may_pass(failure: Failure) -> bool:
    """Whether it may go away by itself."""
    return failure.row.attempts > 1 or failure.row.throttle
