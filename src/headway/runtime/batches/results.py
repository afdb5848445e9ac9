"""Results to their jobs."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol, cast

import anyio

from headway.core.batch_ids import place_of
from headway.core.batch_info import BatchResult
from headway.core.error_kind import ErrorKind
from headway.core.failure import failure_of
from headway.core.lane import Lane
from headway.ports import BatchLedger, Grant, Rejection, Reply, Stray
from headway.runtime.batches.archive import AT_ONCE, Archive
from headway.runtime.batches.calls import BatchCalls
from headway.runtime.batches.money import BatchMoney
from headway.runtime.batches.open_batch import OpenBatch
from headway.runtime.handle import Job

if TYPE_CHECKING:
    from anthropic.types import Message

log: Final = logging.getLogger("headway")
NO_RESULT: Final = "the batch ended without a result for this request"


class Concluder(Protocol):
    """The worker, as results see it."""

    async def conclude(self, job: Job[Message], grant: Grant, result: Reply | Rejection | None) -> None:
        """Understand a result and obey what is decided about it."""
        ...


class ResultReader:
    """Reads what came of a batch, and hands each result to its job; what belongs to no job is kept aside."""

    def __init__(
        self,
        calls: BatchCalls,
        ledger: BatchLedger,
        concluder: Concluder,
        money: BatchMoney,
        archive: Archive,
    ) -> None:
        self._calls = calls
        self._ledger = ledger
        self._concluder = concluder
        self._money = money
        self._archive = archive
        self._one = anyio.Lock()
        """Of many batches one group of jobs at a time has its requests in memory."""
        self.strays = 0
        """Results that belong to no job, so far."""

    async def read(self, batch: OpenBatch) -> None:
        """All results once. Raises `BatchCallError` when they cannot be read, and `JournalError`."""
        places, seen = (
            tuple(batch.members),
            set[object](),
        )  # not the jobs: they hold their answers when they end
        await self._scatter(batch, seen)
        if len(seen) < batch.total and any(place in batch.members for place in places):
            await self._scatter(batch, seen)  # a gateway may have ended them early without saying so
        missing = [job for place in places if (job := batch.members.get(place))]
        await self.fail(batch, missing, Rejection(failure_of(ErrorKind.BATCH_LOST, NO_RESULT)))

    async def _scatter(self, batch: OpenBatch, seen: set[object]) -> None:
        """Read them, some at a time; ``seen`` marks what was read."""
        name = batch.entry.batch_id
        assert name is not None
        ready: list[tuple[Job[Message], BatchResult]] = []
        strays: list[Stray] = []
        async for result in self._calls.results(name):
            place = place_of(result.custom_id)
            if place is None or place.token != batch.entry.token or place.position >= batch.entry.requests:
                stray = Stray(name, result.custom_id, _text_of(result))
                if (mark := (hash(stray),)) not in seen:
                    seen.add(mark)
                    strays.append(stray)
            else:
                seen.add(place.position)
                if (job := batch.members.get(place.position)) is not None:
                    ready.append((job, result))
            if len(ready) >= AT_ONCE:
                await self._deliver(batch, ready)
                ready = []
            if len(strays) >= AT_ONCE:
                await self._keep(strays)
                strays = []
        await self._deliver(batch, ready)
        await self._keep(strays)

    async def _deliver(self, batch: OpenBatch, ready: Sequence[tuple[Job[Message], BatchResult]]) -> None:
        with anyio.CancelScope(shield=True):  # what was taken from the batch is written down
            async with self._one:
                await self._archive.fetch([job for job, _ in ready])
                async with anyio.create_task_group() as group:
                    for job, result in ready:
                        if batch.drop(job):  # once, however often its line comes
                            group.start_soon(self._conclude, job, self._answer(batch, job, result))
                await self._money.note()

    def _answer(self, batch: OpenBatch, job: Job[Message], result: BatchResult) -> Reply | Rejection:
        answer = self._calls.transport.read(result, job.record.sending)
        if isinstance(answer, Reply):  # a gateway may not say so; it is half the price
            return replace(answer, usage=replace(answer.usage, service_tier="batch"))
        if answer is not None:
            return answer
        if result.type == "expired":
            return Rejection(failure_of(ErrorKind.BATCH_EXPIRED, f"batch {batch.name} expired"))
        if batch.cancelled:
            said = f"batch {batch.name} was cancelled, because the deadline is near"
            return Rejection(failure_of(ErrorKind.BATCH_EXPIRED, said))
        said = f"batch {batch.name} was cancelled, not by this run"
        return Rejection(failure_of(ErrorKind.BATCH_CANCELLED, said))

    async def fail(self, batch: OpenBatch, jobs: Sequence[Job[Message]], rejection: Rejection) -> None:
        """A batch brought nothing for these: each is retried or ends as its own policy says."""
        for start in range(0, len(jobs), AT_ONCE):
            some = jobs[start : start + AT_ONCE]
            async with self._one:
                await self._archive.fetch(some)
                async with anyio.create_task_group() as group:
                    for job in some:
                        if batch.drop(job):
                            group.start_soon(self._conclude, job, rejection)

    async def _conclude(self, job: Job[Message], answer: Reply | Rejection) -> None:
        if job.terms.lane is Lane.AUTO:
            job.lane = Lane.LIVE  # whatever is sent for it now
        await self._concluder.conclude(job, self._money.grant(job), answer)

    async def _keep(self, strays: Sequence[Stray]) -> None:
        if strays:
            await self._ledger.keep_strays(strays)
            self.strays += len(strays)
            log.warning(
                "%d results of batch %s belong to no job; they are kept aside",
                len(strays),
                strays[0].batch_id,
            )


def _text_of(result: BatchResult) -> str:
    """A result as one line of JSON, or what came in its place."""
    if result.raw is not None:
        return result.raw
    said: dict[str, object] = {"type": result.type}
    if result.message is not None:
        whole = cast("Callable[..., object]", getattr(result.message, "to_dict"))  # noqa: B009 - the SDK's
        said["message"] = whole(warnings=False)  # not its JSON: pydantic cannot write half a surrogate pair
    elif result.error is not None:
        said["error"] = str(result.error)
    return json.dumps({"custom_id": result.custom_id, "result": said}, separators=(",", ":"), default=str)
