"""Making batches: intent, creation, name; what is refused whole is divided; what is in doubt is looked for."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import anyio

from headway.core.batch_ids import Place, custom_id
from headway.core.batch_info import BatchItem
from headway.core.batching import divide, may_divide
from headway.core.error_kind import Scope
from headway.core.events import Batched
from headway.core.failure import Failure
from headway.errors import BatchCallError
from headway.ports import BatchLedger, BatchTransport
from headway.runtime.batches.archive import AT_ONCE, Archive
from headway.runtime.batches.calls import BatchCalls
from headway.runtime.batches.money import BatchMoney
from headway.runtime.batches.open_batch import OpenBatch
from headway.runtime.batches.search import BatchSearch
from headway.runtime.clock import loop_time
from headway.runtime.handle import Job
from headway.runtime.recorder import Recorder

if TYPE_CHECKING:
    from anthropic.types import Message

log: Final = logging.getLogger("headway")
MOST_REFUSALS: Final = 64
"""Parts of one batch that may be refused before the rest is given up: each try sends up to 256 MB."""


class RefusedError(Exception):
    """A batch was not created, and why."""

    def __init__(self, batch: OpenBatch, failure: Failure) -> None:
        super().__init__(str(failure))
        self.batch = batch
        self.failure = failure


class BatchMaker:
    """Makes one batch at a time: the body of one may take 256 MB."""

    def __init__(
        self,
        calls: BatchCalls,
        ledger: BatchLedger,
        money: BatchMoney,
        recorder: Recorder,
        archive: Archive,
        place_cache: Callable[[Job[Message]], None],
        known: Callable[[], Iterable[str]],
    ) -> None:
        self._calls = calls
        self._ledger = ledger
        self._money = money
        self._recorder = recorder
        self._archive = archive
        self._place_cache = place_cache
        self._search = BatchSearch(calls, known)
        self._one = anyio.Lock()

    async def make(self, batch: OpenBatch) -> bool:
        """Create it, and note its name. False: its creation brought no answer and it is nowhere to be found, so it
        probably does not exist. Raises `RefusedError`, `BatchCallError` when the API cannot be asked, and
        `JournalError`."""
        try:
            async with self._one:
                await self._place(batch)
                await self._money.reserve(batch)
                if not batch.members:
                    return False
                await self._intend(batch)
                info = await self._calls.create(Items(batch, self._archive, self._calls.transport), batch)
        except BatchCallError as error:
            if not error.failure.row.maybe_billed:
                await self._ledger.forget_batch(batch.entry.token)
                raise RefusedError(batch, error.failure) from None
            log.warning("%s: whether it exists is not known; looking for it", error.doing)
            return await self.recover(batch)
        await self._name(batch, info.id)
        return True

    async def _place(self, batch: OpenBatch) -> None:
        """Breakpoints for the cache where jobs want that, now that those around them are known."""
        jobs = [job for job in batch.members.values() if job.terms.placer is not None]
        for start in range(0, len(jobs), AT_ONCE):
            some = jobs[start : start + AT_ONCE]
            await self._archive.fetch(some)
            for job in some:
                if job.batch is batch:
                    self._place_cache(job)
                    self._money.reappraise(job)
                    self._archive.put_away(job)

    async def recover(self, batch: OpenBatch) -> bool:
        """Find a batch whose creation brought no answer; false: it is nowhere, and forgotten."""
        info = await self._search.find(batch.entry)
        if info is None:
            await self._ledger.forget_batch(batch.entry.token)
            return False
        await self._name(batch, info.id)
        return True

    async def _intend(self, batch: OpenBatch) -> None:
        newest: str | None = None
        try:
            newest = await self._calls.newest()
        except BatchCallError as error:
            if error.failure.scope is Scope.ACCOUNT:  # of the account: creating would fail in the same way
                raise RefusedError(batch, error.failure) from None
        batch.entry = replace(batch.entry, requests=len(batch.members), newest=newest, intended=time.time())
        batch.renumber()
        for job in batch.sent:
            if not job.record.in_batch:  # as part of one that was refused
                self._recorder.note(job, Batched(loop_time()), durable=False)
        await self._ledger.intend_batch(batch.entry, [job.key for job in batch.sent])

    async def _name(self, batch: OpenBatch, batch_id: str) -> None:
        batch.entry = replace(batch.entry, batch_id=batch_id)
        with anyio.CancelScope(shield=True):
            await self._ledger.note_batch(batch.entry.token, batch_id)
        batch.sent = []  # some of them have ended


class Items:
    """What a batch is to be made of, read as it is written down: some at a time, anew each time."""

    def __init__(self, batch: OpenBatch, archive: Archive, transport: BatchTransport) -> None:
        self._jobs = batch.sent
        self._token = batch.entry.token
        self._archive = archive
        self._transport = transport

    async def __aiter__(self) -> AsyncIterator[BatchItem]:
        for start in range(0, len(self._jobs), AT_ONCE):
            jobs = self._jobs[start : start + AT_ONCE]
            requests = await self._archive.requests(jobs)
            for position, (job, request) in enumerate(zip(jobs, requests, strict=True), start):
                yield self._transport.item(custom_id(Place(self._token, position), job.key), request)


class Division:
    """The parts of a batch that was refused whole: tried one after the other, until the items at fault are found."""

    def __init__(self) -> None:
        self._refusals = 0

    def parts(self, refused: RefusedError) -> list[OpenBatch] | None:
        """What to try in its place; ``None``: nothing, the jobs in it end with the refusal."""
        batch, jobs = refused.batch, refused.batch.sent
        self._refusals += 1
        if not may_divide(refused.failure) or self._refusals > MOST_REFUSALS:
            return None
        ranges = divide(refused.failure, len(jobs))
        if ranges is None:
            return None
        parts = [[jobs[n] for n in part if batch.drop(jobs[n])] for part in ranges]
        return [OpenBatch.of(part) for part in parts if part]
