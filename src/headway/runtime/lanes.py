"""Which jobs go by batch, and the batch lane itself where there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, cast

import anyio

from headway.core.error_kind import ErrorKind
from headway.core.events import Failed
from headway.core.failure import failure_of
from headway.core.faults import RequestError
from headway.core.lane import Lane
from headway.ports import (
    BatchLedger,
    BatchPlace,
    BatchTransport,
    BudgetStore,
    Journal,
    RequestStore,
    Transport,
)
from headway.preflight.batch import sendable_bytes, unfit
from headway.runtime.batches.archive import Archive
from headway.runtime.batches.choice import LaneChoice
from headway.runtime.batches.house import House, LaneParts
from headway.runtime.batches.lane import BatchLane
from headway.runtime.batches.memory_ledger import MemoryLedger
from headway.runtime.batches.results import Concluder
from headway.runtime.batches.undecided import Undecided
from headway.runtime.clock import loop_time
from headway.runtime.dispatcher import Dispatcher, queued_for
from headway.runtime.handle import Job
from headway.runtime.policies import Policies
from headway.runtime.recorder import Recorder
from headway.runtime.status import BatchStatus

if TYPE_CHECKING:
    from anthropic.types import Message

NO_BATCHES: Final = "this transport has no Message Batches API; send the job live"
NO_LEDGER: Final = (
    "this journal cannot keep batches (it has no `batches`); use a SQLiteJournal, or send the job live"
)

STAYS: Final = "its batch brought no answer that counts, and nothing was to be sent again"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What lanes are made from."""

    transport: Transport
    journal: Journal | None
    budgets: BudgetStore
    dispatcher: Dispatcher
    recorder: Recorder
    policies: Policies


class Lanes:
    """Live or batch, for every job. Where there can be no batch lane, all is live."""

    def __init__(self, around: Surroundings, concluder: Concluder, house: House) -> None:
        self._house = house
        self._dispatcher, self._batching = around.dispatcher, around.policies.batching
        self._choice = LaneChoice(
            around.policies.batching,
            around.budgets.status,
            partial(queued_for, around.dispatcher),
            lambda job: around.dispatcher.estimator(job.record.sending.model).estimate(job.size),
        )
        self._transport, self._missing = _batches_of(around.transport)
        ledger: BatchLedger | None = MemoryLedger()
        if around.journal is not None:
            ledger = getattr(around.journal, "batches", None)
        self.undecided = Undecided()
        self._missing = NO_LEDGER if ledger is None else self._missing
        self.batch: BatchLane | None = None
        if self._transport is not None and ledger is not None:
            archive = _archive(ledger, around)
            parts = LaneParts(
                self._transport, ledger, archive, concluder, around.recorder, around.policies.retry,
                around.policies.batching, around.dispatcher.till, self._choice.rescue_at,
                around.dispatcher.before_turn,
            )  # fmt: skip
            self.batch = BatchLane(parts, house)
        self.run = _rest if self.batch is None else self.batch.run
        """Makes and looks after batches until cancelled."""

    def __len__(self) -> int:
        """Jobs that wait to be put into a batch, or for the choice of their lane."""
        return len(self.undecided) + (0 if self.batch is None else len(self.batch))

    def window(self, lane: Lane) -> int:
        """Jobs that have to be in hand at a time so that this lane is never without."""
        in_flight = self._dispatcher.gate.max_in_flight
        return in_flight if lane is Lane.LIVE else max(in_flight, self._batching.max_queued)

    def require(self, lane: Lane, job: Job[Message] | None = None) -> None:
        """Raises `RequestError` where only batches will do and there can be none, or none can carry the job."""
        if lane is Lane.BATCH and self.batch is None:
            raise RequestError("lane", self._missing)
        if lane is Lane.BATCH and job is not None and self._transport is not None:
            _require_fit(job)
            sendable_bytes(self._transport.item("", job.record.sending).params)

    def take(self, job: Job[Message]) -> bool:
        """A job to be sent goes into the batch lane, if that is its lane."""
        if job.terms.stays:
            self._house.park(job, failure_of(ErrorKind.STOPPED, STAYS))
            return True
        if job.lane is Lane.AUTO and self.batch is not None:
            lane = self._choice.lane_for(job)
            if lane is None:
                self.undecided.put(job)
                return True
            job.lane = lane
        if job.lane is not Lane.BATCH or self.batch is None:
            return False
        try:
            _require_fit(job)
            self.batch.put(job)
        except RequestError as error:
            if job.terms.lane is Lane.AUTO:
                job.lane = Lane.LIVE
                return False
            self._house.finish(job, Failed(loop_time(), failure_of(ErrorKind.INVALID_REQUEST, str(error))))
        return True

    def reconsider(self) -> None:
        """A budget has learned something, or a queue is shorter: choose for those that wait for that."""
        if self.batch is not None:
            self.batch.reconsider()
        self.undecided.choose(self._choice.lane_for, self._house.requeue)

    def rejoin(self, job: Job[Message], place: BatchPlace) -> None:
        """A job comes back that an earlier process had put into a batch, whatever lane it wants now."""
        job.lane = Lane.LIVE if job.terms.lane is Lane.LIVE else Lane.BATCH
        if self.batch is None:
            failure = failure_of(ErrorKind.STOPPED, f"it is in a message batch, but {self._missing}")
            self._house.park(job, failure)
        else:
            self.batch.rejoin(job, place)

    def discard(self, job: Job[Message]) -> bool:
        """Take out a job that waits to be put into a batch; false if it does not."""
        return self.undecided.discard(job) or (self.batch is not None and self.batch.discard(job))

    def abandon(self, job: Job[Message]) -> bool:
        """A job in a batch is not wanted any more; false if it is in none."""
        return self.batch is not None and self.batch.abandon(job)

    def withdraw(self, unwanted: Callable[[Job[Message]], bool]) -> list[Job[Message]]:
        """Take out the jobs that ``unwanted`` names and that are in no batch yet."""
        taken = self.undecided.withdraw(unwanted)
        return taken if self.batch is None else taken + self.batch.withdraw(unwanted)

    def clear(self) -> list[Job[Message]]:
        """Take out all jobs, those in batches too; the batches go on."""
        taken = self.undecided.withdraw(lambda job: True)
        return taken if self.batch is None else taken + self.batch.clear()

    def wake(self, *, ended: bool = False) -> None:
        """Look again: perhaps no more jobs are on their way in. ``ended``: nor in the input of the caller."""
        if self.batch is not None:
            self.batch.wake(ended=ended)

    async def settled(self) -> None:
        """Wait until no batch is being created (to be cut off leaves open whether it exists) or read."""
        if self.batch is not None:
            await self.batch.settled()

    def status(self) -> BatchStatus:
        """The lane at this moment."""
        if self.batch is None:
            return BatchStatus()
        batches = self.batch.batches.values()
        return BatchStatus(
            len(self.batch),
            len(batches),
            sum(len(batch.members) for batch in batches),
            self.batch.reader.strays,
            tuple(batch.entry.batch_id for batch in batches if batch.entry.batch_id),
        )


async def _rest() -> None:
    await anyio.Event().wait()  # a sleep, however long, would be a timer


def _require_fit(job: Job[Message]) -> None:
    if (finding := unfit(job.record.sending.params)) is not None:
        raise RequestError(finding.path, f"{finding.problem}. {finding.remedy}")


def _archive(ledger: BatchLedger, around: Surroundings) -> Archive:
    store = ledger if isinstance(ledger, RequestStore) else None
    return Archive(store, around.recorder, around.policies.catalog)


def _batches_of(transport: Transport) -> tuple[BatchTransport | None, str]:
    """The Message Batches API of a transport, or why there is none."""
    make = cast("Callable[[], BatchTransport] | None", getattr(transport, "batches", None))
    if make is None:
        return None, NO_BATCHES
    batches = make()
    unavailable = cast("str | None", getattr(batches, "unavailable", None))
    return (None, unavailable) if unavailable else (batches, "")
