"""The SDK's own stream object over attempts that headway makes: same names, same events, same types."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

from anthropic import NOT_GIVEN, AsyncStream
from anthropic.lib.streaming import AsyncMessageStream

# The two functions that the SDK's own helper is made of; tests/adapters compares their results with the helper's.
from anthropic.lib.streaming._messages import accumulate_event, build_events

from headway.adapters.anthropic.stream_attempt import event_of
from headway.adapters.anthropic.structured import MisfitError, value_of
from headway.core.partial import DISCARD, Piece
from headway.ports import StreamSource

if TYPE_CHECKING:
    from anthropic.lib.streaming import ParsedMessageStreamEvent
    from anthropic.types import RawMessageStreamEvent
    from anthropic.types.parsed_message import ParsedMessage

T = TypeVar("T")


class HeadwayMessageStream(AsyncMessageStream[T], Generic[T]):
    """An ``AsyncMessageStream`` whose events come from a `StreamSource`."""

    def __init__(self, source: StreamSource, output_format: Any) -> None:
        self.job = source.job
        """The job behind it: its attempts say what was retried and resumed."""
        self._source = source
        self._format = output_format
        self._misfit: str | None = None
        self._snapshot: ParsedMessage[T] | None = None
        self._json: dict[int, bytes] = {}
        self._events: deque[ParsedMessageStreamEvent[T]] = deque()
        source.snapshot = lambda: self._snapshot
        source.misfit = self._fault
        # The SDK's constructor takes the raw stream only to read its `response` and to close it.
        super().__init__(
            cast("AsyncStream[RawMessageStreamEvent]", source),
            NOT_GIVEN if output_format is None else output_format,
        )

    @property
    def current_message_snapshot(self) -> ParsedMessage[T]:
        """The message as far as it was shown; also after an error."""
        assert self._snapshot is not None, "nothing has arrived yet"
        return self._snapshot

    def _current_snapshot_or_none(self) -> ParsedMessage[T] | None:
        return self._snapshot

    def __aiter__(self) -> Self:  # type: ignore[override]
        return self

    async def __anext__(self) -> ParsedMessageStreamEvent[T]:
        """The next event. Unlike the SDK's generator it can be called again after a cancelled read, and an error
        is raised each time: a part must not pass for the whole."""
        while not self._events:
            piece = await self._source.next()
            if piece is None:
                raise StopAsyncIteration
            try:
                self._take_in(piece)
            except ValueError:
                if piece.type != "content_block_delta":
                    raise
                # The SDK's error would quote the answer, and the whole stream would be lost with it.
                await self._source.refuse("the input of a tool call is not JSON")
        return self._events.popleft()

    async def get_final_message(self) -> ParsedMessage[T]:
        """Read to the end; the whole message, however many attempts it took."""
        await self.until_done()
        return self.current_message_snapshot

    async def close(self) -> None:
        """Stop reading and give everything back."""
        await self._source.aclose()

    def _take_in(self, piece: Piece) -> None:
        """What a piece means for the message and for whoever reads."""
        if piece.type == DISCARD:
            self._take_back(piece.index)
            return
        event = event_of(piece)
        if self._snapshot is None and event.type != "message_start":
            self._events.append(cast("ParsedMessageStreamEvent[T]", event))
            return
        self._snapshot = accumulate_event(event=event, current_snapshot=self._snapshot, json_bufs=self._json)
        if self._format is not None and event.type == "content_block_stop":
            self._parse(event.index)
        self._events.extend(build_events(event=event, message_snapshot=self._snapshot))

    def _parse(self, index: int) -> None:
        """As the SDK does it, but what does not fit is told when the whole message is there: its end says whether it
        was cut off, and the SDK's error would quote the answer."""
        assert self._snapshot is not None
        block = self._snapshot.content[index]
        if block.type == "text":
            try:
                block.parsed_output = value_of(block.text, self._format)
            except MisfitError as error:
                self._misfit = str(error)

    def _fault(self) -> str | None:
        """Why a finished answer does not serve; one that was cut off says so by its ``stop_reason``."""
        finished = self._snapshot is not None and self._snapshot.stop_reason == "end_turn"
        return self._misfit if finished else None

    def _take_back(self, index: int) -> None:
        if self._snapshot is not None:
            del self._snapshot.content[index:]
        self._misfit = None
        self._json = {place: text for place, text in self._json.items() if place < index}
