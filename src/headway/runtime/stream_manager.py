"""``async with scheduler.stream(…)``: opens when entered, gives everything back when left."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Generic, TypeVar, cast

import anyio

from headway.ports import StreamingTransport
from headway.runtime.stream import AnswerStream

if TYPE_CHECKING:
    from headway.adapters.anthropic.message_stream import HeadwayMessageStream

T = TypeVar("T")


class StreamManager(Generic[T]):
    """Enter it for the stream; leaving early cancels the job and gives its budget back."""

    def __init__(self, source: AnswerStream, transport: StreamingTransport) -> None:
        self._source = source
        self._transport = transport
        self._entered = False

    async def __aenter__(self) -> HeadwayMessageStream[T]:
        """Waits for the job's turn and for a good response. Raises what ``await job`` would raise, and
        RuntimeError when it was entered before."""
        if self._entered:
            raise RuntimeError("a stream is entered once; call scheduler.stream(...) for another one")
        self._entered = True
        source = self._source
        try:
            await source.open()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await source.aclose()
            raise
        presented = self._transport.present(source, source.job.record.request)
        return cast("HeadwayMessageStream[T]", presented)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self._source.aclose()
