"""A Message Batches account in memory, in whatever time the loop keeps; and the transport that goes with it."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace

import anyio

from headway.core.batch_info import LIFETIME, BatchInfo, BatchItem, BatchResult
from headway.core.error_kind import ErrorKind
from headway.core.failure import ErrorResponse, Failure, classify, failure_of
from headway.core.faults import RequestError
from headway.core.request import Request
from headway.core.usage import Usage
from headway.errors import BatchCallError
from headway.ports import Rejection, Reply
from headway.testing.transport import Script, ScriptedTransport, last_text, reply

MINUTES = 60.0


def failure(status: int, kind: str | None = None, message: str = "refused by the script") -> Failure:
    return classify(ErrorResponse(status, kind, message=message))


LOST = failure_of(ErrorKind.DISCONNECTED, "cut off")


@dataclass
class Batch:
    info: BatchInfo
    items: list[BatchItem]
    ends: float
    results: list[BatchResult] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        return [last_text(item.params) for item in self.items]


class Account:
    """Keeps batches, as the API does: longer than any client lives."""

    def __init__(self, takes: float = 30 * MINUTES) -> None:
        self.takes = takes
        self.cached = 0
        """Tokens that each answer read from the cache beside them."""
        self.price = 1_000_000
        """Input tokens of every answer."""
        """Seconds from a batch's creation to its end."""
        self.batches: list[Batch] = []
        self.calls: list[str] = []
        self.fate: Callable[[str, int], object] = lambda text, batch: "succeeded"
        """What becomes of a text in the n-th batch (1: the first): a result type, a `Failure`, or ``None``."""
        self.faults: dict[str, list[object]] = {}
        """By call: raised instead of an answer, or (``after``, failure): after it was done; ``None``: all is well."""
        self.refuse: Callable[[Sequence[BatchItem]], Failure | None] = lambda items: None
        self.extra: list[BatchResult] = []
        """Results that come with those of every batch."""

    def billed(self) -> list[str]:
        """The texts that were answered, in all batches."""
        return [
            text
            for batch in self.batches
            for text, result in zip(batch.texts, batch.results, strict=True)
            if result.type == "succeeded"
        ]

    def touch(self) -> None:
        """Let time do its work."""
        now = anyio.current_time()
        for number, batch in enumerate(self.batches, 1):
            if batch.info.status != "ended" and now >= batch.ends:
                self._end(batch, number, now)

    def _end(self, batch: Batch, number: int, now: float) -> None:
        cancelled = batch.info.status == "canceling"
        late = now >= batch.info.expires_at
        for item in batch.items:
            fate = (
                "canceled" if cancelled else "expired" if late else self.fate(last_text(item.params), number)
            )
            if isinstance(fate, Failure):
                batch.results.append(BatchResult(item.custom_id, "errored", error=fate))
            else:
                text = f"echo {last_text(item.params)}"
                batch.results.append(BatchResult(item.custom_id, fate, message=text))  # type: ignore[arg-type]
        kinds = [result.type for result in batch.results]
        counts = {kind: kinds.count(kind) for kind in ("succeeded", "errored", "canceled", "expired")}
        batch.info = replace(batch.info, status="ended", ended_at=now, processing=0, **counts)  # type: ignore[arg-type]


class MemoryBatches:
    """A `BatchTransport` to such an account."""

    def __init__(self, account: Account) -> None:
        self.account = account

    def item(self, custom_id: str, request: Request) -> BatchItem:
        if "extra_query" in request.options:
            raise RequestError("extra_query", "cannot travel in a batch; send the request live")
        headers = {"anthropic-beta": str(request.params["betas"])} if "betas" in request.params else {}
        return BatchItem(custom_id, request.params, headers)

    async def _call(self, name: str) -> Failure | None:
        """Gives the failure that is to come after the deed."""
        self.account.calls.append(name)
        await anyio.sleep(0.1)
        self.account.touch()
        planned = self.account.faults.get(name, [])
        fault = planned.pop(0) if planned else None
        if isinstance(fault, Failure):
            raise BatchCallError(fault, name)
        if isinstance(fault, BaseException):
            raise fault
        return fault[1] if isinstance(fault, tuple) else None  # type: ignore[return-value]

    async def create_batch(self, items: Sequence[BatchItem] | AsyncIterable[BatchItem]) -> BatchInfo:
        items = [item async for item in items] if isinstance(items, AsyncIterable) else items
        after = await self._call("create")
        assert items and len({item.custom_id for item in items}) == len(items)
        assert len({tuple(item.headers.items()) for item in items}) == 1
        if (refusal := self.account.refuse(items)) is not None:
            raise BatchCallError(refusal, "create")
        now = anyio.current_time()
        name = f"msgbatch_{len(self.account.batches) + 1}"
        info = BatchInfo(name, "in_progress", now, now + LIFETIME, processing=len(items))
        self.account.batches.append(Batch(info, list(items), now + self.account.takes))
        if after is not None:
            raise BatchCallError(after, "create")
        return info

    def _find(self, batch_id: str, doing: str) -> Batch:
        for batch in self.account.batches:
            if batch.info.id == batch_id:
                return batch
        raise BatchCallError(failure(404, "not_found_error", f"no batch {batch_id}"), doing)

    async def look(self, batch_id: str) -> BatchInfo:
        await self._call("look")
        return self._find(batch_id, "look").info

    async def list_batches(self, *, since: float | None = None) -> AsyncIterator[BatchInfo]:
        await self._call("list")
        for batch in reversed(self.account.batches):
            yield batch.info

    async def cancel_batch(self, batch_id: str) -> BatchInfo:
        await self._call("cancel")
        batch = self._find(batch_id, "cancel")
        if batch.info.status == "in_progress":
            batch.info = replace(batch.info, status="canceling", cancel_initiated=True)
            batch.ends = min(batch.ends, anyio.current_time() + 20.0)
        return batch.info

    async def results(self, batch_id: str) -> AsyncIterator[BatchResult]:
        after = await self._call("results")
        batch = self._find(batch_id, "results")
        lines = [*reversed(batch.results), *self.account.extra]
        for number, result in enumerate(lines):
            if after is not None and number == len(lines) // 2:
                raise BatchCallError(after, "results")
            yield result

    def read(self, result: BatchResult, request: Request) -> Reply | Rejection | None:
        if result.type == "errored":
            assert isinstance(result.error, Failure)
            return Rejection(result.error)
        if result.type != "succeeded":
            return None
        used = Usage(input=self.account.price, output=0, cache_read=self.account.cached)
        return reply(str(result.message), usage=used)


class BatchingTransport(ScriptedTransport):
    """A scripted transport that has batches."""

    def __init__(self, account: Account, script: Script | None = None, latency: float = 1.0) -> None:
        super().__init__(script, latency=latency)
        self.account_of_batches = account

    def batches(self) -> MemoryBatches:
        return MemoryBatches(self.account_of_batches)
