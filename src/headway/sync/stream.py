"""A streamed answer without async, under the names of the SDK's ``MessageStream``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Generic, TypeVar

from headway.errors import SchedulerClosedError
from headway.sync.bridge import Bridge
from headway.sync.job import Job

if TYPE_CHECKING:
    from anthropic.lib.streaming import ParsedMessageStreamEvent
    from anthropic.types import Message
    from anthropic.types.parsed_message import ParsedMessage

    from headway.adapters.anthropic.message_stream import HeadwayMessageStream
    from headway.runtime.stream_manager import StreamManager as AsyncStreamManager

T = TypeVar("T")


class MessageStream(Generic[T]):
    """Iterate it for the SDK's events, or its ``text_stream`` for text."""

    def __init__(self, stream: HeadwayMessageStream[T], job: Job[Message], bridge: Bridge) -> None:
        self.job = job
        """The job behind it: its attempts say what was retried and resumed."""
        self.text_stream: Iterator[str] = self._texts()
        """The text, piece by piece."""
        self._stream = stream
        self._bridge = bridge

    def __iter__(self) -> Iterator[ParsedMessageStreamEvent[T]]:
        return self

    def __next__(self) -> ParsedMessageStreamEvent[T]:
        event = self._bridge.wait(self._next)
        if event is None:
            raise StopIteration
        return event

    async def _next(self) -> ParsedMessageStreamEvent[T] | None:
        return await anext(self._stream, None)

    def _texts(self) -> Iterator[str]:
        for event in self:
            if event.type == "text":
                yield event.text

    @property
    def current_message_snapshot(self) -> ParsedMessage[T]:
        """The message as far as it was shown; also after an error."""
        return self._stream.current_message_snapshot

    @property
    def request_id(self) -> str | None:
        """The ``request-id`` header of the newest attempt."""
        return self._stream.request_id

    def get_final_message(self) -> ParsedMessage[T]:
        """Read to the end; the whole message, however many attempts it took."""
        return self._bridge.wait(self._stream.get_final_message)

    def get_final_text(self) -> str:
        """Read to the end; all its text."""
        return self._bridge.wait(self._stream.get_final_text)

    def until_done(self) -> None:
        """Read to the end."""
        self._bridge.wait(self._stream.until_done)

    def close(self) -> None:
        """Stop reading and give everything back."""
        self._bridge.wait(self._stream.close)


class StreamManager(Generic[T]):
    """``with scheduler.stream(…) as stream``; leaving early cancels the job and gives its budget back."""

    def __init__(self, manager: AsyncStreamManager[T], bridge: Bridge) -> None:
        self._manager = manager
        self._bridge = bridge

    def __enter__(self) -> MessageStream[T]:
        """Waits for the job's turn and for a good response. Raises what ``job.result()`` would raise."""
        return self._bridge.wait(self._open)

    async def _open(self) -> MessageStream[T]:
        stream = await self._manager.__aenter__()
        return MessageStream(stream, Job(stream.job, self._bridge), self._bridge)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(SchedulerClosedError):  # another thread closed it: nothing is held any more
            self._bridge.wait(self._manager.__aexit__, None, None, None)
