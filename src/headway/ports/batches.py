"""The Message Batches API."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import Protocol

from headway.core.batch_info import BatchInfo, BatchItem, BatchResult
from headway.core.request import Request
from headway.ports.answer import Rejection, Reply


class BatchTransport(Protocol):
    """Each method makes its calls once, at the pace of the endpoint and without retries of its own. What fails is
    raised as a `BatchCallError` with its `Failure`, classified as for a message."""

    def item(self, custom_id: str, request: Request) -> BatchItem:
        """A request as an item of a batch, its ``output_format`` written out. Raises `RequestError` for what a batch
        cannot carry: a workspace or query of its own."""
        ...

    async def create_batch(self, items: Sequence[BatchItem] | AsyncIterable[BatchItem]) -> BatchInfo:
        """Create a batch; its items may come one after the other. A failure of a kind that is ``maybe_billed``
        leaves open whether it exists. Raises ValueError when the items' headers differ, and what their source
        raises."""
        ...

    async def look(self, batch_id: str) -> BatchInfo:
        """How a batch is getting on."""
        ...

    def list_batches(self, *, since: float | None = None) -> AsyncIterator[BatchInfo]:
        """The batches of the workspace, newest first; only those created at ``since`` (Unix seconds) or later."""
        ...

    async def cancel_batch(self, batch_id: str) -> BatchInfo:
        """Begin to cancel a batch: what is done by then stays done, and is billed."""
        ...

    def results(self, batch_id: str) -> AsyncIterator[BatchResult]:
        """The results of an ended batch as they are read, in any order. A line that is no result comes as one with
        ``raw``. Raises in the middle when the connection breaks: read again, from the beginning."""
        ...

    def read(self, result: BatchResult, request: Request) -> Reply | Rejection | None:
        """What a result is for the job of this request, judged like an answer to the request alone: does it fit the
        ``output_format``? ``None`` for ``canceled`` and ``expired``: nothing was done."""
        ...
