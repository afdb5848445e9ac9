"""What batches may cost under a spend cap: every request in one is reserved for at its worst case, at half price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from headway.core.budget import Refusal
from headway.core.limits import LimitReport
from headway.core.spend import Hold
from headway.core.usage import Usage
from headway.ports import BatchLedger, Grant
from headway.runtime.batches.free_grant import FREE
from headway.runtime.batches.open_batch import OpenBatch
from headway.runtime.handle import Job
from headway.runtime.purse import Purse, unpriced
from headway.runtime.till import Till

if TYPE_CHECKING:
    from anthropic.types import Message


class Parcel(NamedTuple):
    """A job's item, while it is not known whether there is money for it."""

    most: float
    """USD that its answer costs at most."""
    headers: Mapping[str, str]
    size: int
    """Bytes."""


class BatchMoney:
    """The reservations of the jobs that are in batches; without a cap there are none."""

    def __init__(self, till: Till | None) -> None:
        self._till = till
        self._parcels: dict[Job[Message], Parcel] = {}
        self._holds: dict[Job[Message], tuple[Hold, str]] = {}
        """With the tokens of their batches."""
        self.short: dict[Job[Message], None] = {}
        """Jobs that wait until there is money for them."""

    def appraise(self, job: Job[Message], headers: Mapping[str, str], size: int) -> None:
        """A job is to be put into a batch. Raises `RequestError` where a cap cannot hold it: no price is known."""
        if self._till is None:
            return
        request = job.record.sending
        most = self._till.purse.worst(request, "batch")
        if most is None:
            raise unpriced(request.model)
        self._parcels[job] = Parcel(most, headers, size)

    def reappraise(self, job: Job[Message]) -> None:
        """Its request was changed a little since: what is to be cached costs more to write."""
        if (parcel := self._parcels.get(job)) is not None:
            self.appraise(job, parcel.headers, parcel.size)

    def forget(self, job: Job[Message]) -> bool:
        """It is not to be put into a batch any more; true if it waited for money."""
        self._parcels.pop(job, None)
        return self.short.pop(job, job) is None

    def clear(self) -> list[Job[Message]]:
        """Take out the jobs that wait for money."""
        short, self.short = list(self.short), {}
        self._parcels.clear()
        return short

    def affordable(self) -> list[tuple[Job[Message], Parcel]]:
        """Those that there is money for now, to be put into batches; when nothing is reserved that could make room
        for the others, the run stops."""
        found: list[tuple[Job[Message], Parcel]] = []
        if self._till is None or not self.short:
            return found
        purse, needed = self._till.purse, 0.0
        left = purse.status().left
        for job in self.short:
            parcel = self._parcels[job]
            needed += parcel.most
            if needed > left:
                break
            found.append((job, parcel))
        for job, _ in found:
            del self.short[job]
        if not found and not purse.open_holds:
            self._till.stop(needed)
        return found

    async def reserve(self, batch: OpenBatch) -> None:
        """Reserve for every job of a batch that is to be created. Those there is no money for leave it; when
        nothing is reserved that could make room for them, the run stops. Raises `JournalError`."""
        if self._till is None:
            return
        purse, needed = self._till.purse, 0.0
        for job in list(batch.members.values()):
            if job in self._holds:  # of a batch that was refused
                self._hold(job, self._take(job)[0], batch)
                continue
            most = self._parcels[job].most
            hold = None if needed else await purse.take(most)
            if hold is None:
                needed = needed or most
                if batch.drop(job):
                    self.short[job] = None
            elif job.batch is batch:
                self._hold(job, hold, batch)
                del self._parcels[job]
            else:  # it went away meanwhile
                hold.release()
        if needed and not purse.open_holds:
            self._till.stop(needed)
        await purse.note()  # before it is created: the next process has to know

    def reopen(self, job: Job[Message], token: str) -> None:
        """A job is in a batch of an earlier process, which counted it as spent."""
        if self._till is None:
            return
        most = self._till.purse.worst(job.record.sending, "batch")
        hold = None if most is None else self._till.purse.sent.reopen(token, most)
        if hold is not None:
            self._holds[job] = hold, token

    async def note(self) -> None:
        """Results came: write down what they cost."""
        if self._till is not None:
            await self._till.purse.note()

    async def forget_lost(self, ledger: BatchLedger) -> None:
        """Money of batches that the last process did not come to create."""
        if self._till is not None:
            self._till.purse.sent.keep_only({entry.token for entry in await ledger.open_batches()})

    def _hold(self, job: Job[Message], hold: Hold, batch: OpenBatch) -> None:
        assert self._till is not None
        self._holds[job] = hold, batch.entry.token
        self._till.purse.sent.add(batch.entry.token, hold)

    def _take(self, job: Job[Message]) -> tuple[Hold, str]:
        """Its reservation, which is part of no batch any more."""
        assert self._till is not None
        hold, token = self._holds.pop(job)
        self._till.purse.sent.end(token, hold)
        return hold, token

    def grant(self, job: Job[Message]) -> Grant:
        """What ends a job's reservation with its result."""
        if job not in self._holds or self._till is None:
            return FREE
        return HeldGrant(self._take(job)[0], self._till.purse, job.record.sending.model)

    def forfeit(self, job: Job[Message]) -> None:
        """Nobody waits for its result any more: it counts as if it cost the most."""
        if job in self._holds:
            self._take(job)[0].forfeit()

    def leave(self, job: Job[Message]) -> None:
        """We stop: so far it counts as if it cost the most, and the next process settles it."""
        if (held := self._holds.pop(job, None)) is not None:
            held[0].forfeit()


class HeldGrant:
    """Settles a reservation; batches have no part in the rate limits."""

    scout = False

    def __init__(self, hold: Hold, purse: Purse, model: str) -> None:
        self._hold = hold
        self._purse = purse
        self._model = model

    def observe(self, report: LimitReport, now: float) -> None:
        """There are no limit headers inside a batch."""

    def settle(self, usage: Usage, now: float) -> None:
        """An answer came."""
        self._hold.settle(self._purse.cost(self._model, usage, "batch"))

    def release(self, now: float) -> None:
        """It was not billed."""
        self._hold.release()

    def forfeit(self, now: float) -> None:
        """It may have been billed."""
        self._hold.forfeit()

    def refuse(self, refusal: Refusal, now: float, jitter: float) -> float:
        """The API had no room for it, and billed nothing."""
        self._hold.release()
        return FREE.refuse(refusal, now, jitter)
