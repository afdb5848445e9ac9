"""The SDK's own stream object over attempts that headway makes: same names, same events, same types."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from anthropic import NOT_GIVEN, AsyncStream
from anthropic.lib.streaming import AsyncMessageStream

# The two functions that the SDK's own helper is made of; tests/adapters compares their results with the helper's.
from anthropic.lib.streaming._messages import accumulate_event, build_events

from headway.adapters.anthropic.stream_attempt import event_of
from headway.core.partial import DISCARD
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
        self._format = NOT_GIVEN if output_format is None else output_format
        self._snapshot: ParsedMessage[T] | None = None
        self._json: dict[int, bytes] = {}
        source.snapshot = lambda: self._snapshot
        # The SDK's constructor takes the raw stream only to read its `response` and to close it.
        super().__init__(cast("AsyncStream[RawMessageStreamEvent]", source), self._format)

    @property
    def current_message_snapshot(self) -> ParsedMessage[T]:
        """The message as far as it was shown; also after an error."""
        assert self._snapshot is not None, "nothing has arrived yet"
        return self._snapshot

    def _current_snapshot_or_none(self) -> ParsedMessage[T] | None:
        return self._snapshot

    async def get_final_message(self) -> ParsedMessage[T]:
        """Read to the end; the whole message, however many attempts it took."""
        await self.until_done()
        return self.current_message_snapshot

    async def close(self) -> None:
        """Stop reading and give everything back."""
        await self._source.aclose()

    async def __stream__(self) -> AsyncIterator[ParsedMessageStreamEvent[T]]:
        while (piece := await self._source.next()) is not None:
            if piece.type == DISCARD:
                self._take_back(piece.index)
                continue
            event = event_of(piece)
            if self._snapshot is None and event.type != "message_start":
                yield cast("ParsedMessageStreamEvent[T]", event)
                continue
            self._snapshot = accumulate_event(
                event=event, current_snapshot=self._snapshot, json_bufs=self._json, output_format=self._format
            )
            for built in build_events(event=event, message_snapshot=self._snapshot):
                yield built

    def _take_back(self, index: int) -> None:
        if self._snapshot is not None:
            del self._snapshot.content[index:]
        self._json = {place: text for place, text in self._json.items() if place < index}
