"""The life of one batch, from its creation to its last result."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, Protocol

import anyio

from headway.core.batch_polling import next_look
from headway.core.error_kind import ErrorKind, Scope
from headway.core.failure import Failure, failure_of
from headway.errors import BatchCallError, JournalError
from headway.ports import BatchLedger, Rejection
from headway.runtime.batches.calls import BatchCalls, jitter
from headway.runtime.batches.maker import BatchMaker, Division, RefusedError
from headway.runtime.batches.open_batch import OpenBatch
from headway.runtime.batches.results import ResultReader
from headway.runtime.clock import loop_time
from headway.runtime.fault import internal

log: Final = logging.getLogger("headway")
NOWHERE: Final = (
    "the batch it was put into cannot be found in the account; it may exist and be billed all the same"
)
_GONE: Final = frozenset({ErrorKind.NOT_FOUND, ErrorKind.INVALID_REQUEST, ErrorKind.CLIENT_ERROR})
"""What the API says of a batch that is not there, or whose results are not kept any more."""


class Nursery(Protocol):
    """The lane, as the life of a batch sees it."""

    def wake(self) -> None:
        """A batch was created, or its results were read."""
        ...

    def park(self, batch: OpenBatch, failure: Failure) -> None:
        """Its jobs are given up for now; the journal knows them to be in it."""
        ...

    def divide(self, batch: OpenBatch, parts: list[OpenBatch], division: Division) -> None:
        """Parts of a refused batch are to be tried in its place."""
        ...


class BatchLife:
    """Looks after batches, each in a task of its own."""

    def __init__(
        self, calls: BatchCalls, ledger: BatchLedger, maker: BatchMaker, reader: ResultReader, quiet: float,
        lane: Nursery, halt: Callable[[Failure], None],
    ) -> None:  # fmt: skip
        self._calls = calls
        self._ledger = ledger
        self._maker = maker
        self._reader = reader
        self._quiet = quiet
        self._lane = lane
        self._halt = halt

    async def live(self, batch: OpenBatch, division: Division) -> None:
        """From wherever it is to its end. Raises nothing but cancellation."""
        try:
            with batch.scope:
                if batch.entry.batch_id is None and not await self._create(batch):
                    return
                while not batch.left and await self._until_ended(batch):
                    await self._all_here(batch)
                    batch.reading = True
                    await self._reader.read(batch)
                    await self._ledger.end_batch(batch.entry.token)
                    batch.reading = False
                    self._lane.wake()
                    if not batch.members:
                        return
        except RefusedError as refused:
            await self._refused(batch, refused, division)
        except BatchCallError as error:
            await self._unreachable(batch, error)
        except JournalError as error:
            self._halt(failure_of(ErrorKind.JOURNAL, str(error)))
        except Exception as error:  # noqa: BLE001 - a fault of ours ends one batch, and says where
            self._lane.park(batch, internal(error, f"internal error on batch {batch.name}"))

    async def _create(self, batch: OpenBatch) -> bool:
        """Make it, or find it again; false if there is nothing to look after."""
        if batch.fresh:
            batch.fresh = False
            made = await self._maker.make(batch)
            self._lane.wake()
        else:  # an earlier process died while it created it
            await self._all_here(batch)
            made = await self._maker.recover(batch)
        if not made:
            await self._fail(batch, failure_of(ErrorKind.DISCONNECTED, NOWHERE))
        return made

    async def _until_ended(self, batch: OpenBatch) -> bool:
        """Look at it until it has ended; false if nobody waits for it any more."""
        name = batch.entry.batch_id
        assert name is not None
        while batch.members:
            info = await self._calls.look(name)
            if info.status == "ended":
                batch.total = info.total
                return True
            now = loop_time()
            batch.look_at = now + next_look(now - batch.since, jitter())
            while batch.members and not batch.left and loop_time() < batch.look_at:
                with anyio.CancelScope(deadline=batch.look_at):
                    await batch.news.wait()
        if batch.unwanted and not batch.left:
            await self._calls.cancel(name)
            await self._ledger.forget_batch(batch.entry.token)
        return False

    async def _all_here(self, batch: OpenBatch) -> None:
        """Wait until all jobs that are in it have come back: its results are read once then."""
        while not (batch.complete or batch.joined >= batch.entry.requests):
            with anyio.CancelScope(deadline=batch.latest + self._quiet):
                await batch.news.wait()
            if loop_time() >= batch.latest + self._quiet:
                return

    async def _refused(self, batch: OpenBatch, refused: RefusedError, division: Division) -> None:
        failure = refused.failure
        if failure.scope is Scope.ACCOUNT:
            self._halt(failure)
        elif (parts := division.parts(refused)) is not None:
            log.warning("a batch was refused, and is tried in %d parts: %s", len(parts), failure)
            self._lane.divide(batch, parts, division)
        else:
            await self._fail(batch, failure)

    async def _unreachable(self, batch: OpenBatch, error: BatchCallError) -> None:
        failure = error.failure
        if failure.scope is Scope.ACCOUNT:
            self._halt(failure)
        elif failure.kind in _GONE:
            await self._ledger.forget_batch(batch.entry.token)
            await self._fail(batch, failure_of(ErrorKind.BATCH_LOST, f"batch {batch.name}: {failure}"))
        else:
            log.warning("batch %s cannot be reached: %s", batch.name, failure)
            self._lane.park(batch, failure)

    async def _fail(self, batch: OpenBatch, failure: Failure) -> None:
        """It brings nothing for its jobs."""
        await self._reader.fail(batch, list(batch.members.values()), Rejection(failure))
