"""One streamed attempt through the SDK, as pieces."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, cast

import anyio
import httpx2

from headway.adapters.anthropic.answer import counts_of
from headway.adapters.anthropic.failures import rejection_of
from headway.adapters.anthropic.headers import report_of
from headway.core.limits import LimitReport
from headway.core.partial import Piece
from headway.core.request import Request
from headway.core.usage import Usage
from headway.ports import Rejection

if TYPE_CHECKING:
    from anthropic import AsyncStream
    from anthropic.types import MessageDeltaUsage, RawMessageStreamEvent

_TEXTS: Final = {"text_delta": "text", "input_json_delta": "partial_json", "thinking_delta": "thinking"}


class AnthropicStreamAttempt:
    """An open ``messages.create(stream=True)``. The SDK drops pings, so a stream of nothing but pings is
    silence here too."""

    def __init__(self, raw: AsyncStream[RawMessageStreamEvent], request: Request) -> None:
        self._raw = raw
        self._request = request
        headers = raw.response.headers
        self._report = report_of(request, headers)
        self._request_id = headers.get("request-id")

    @property
    def response(self) -> httpx2.Response:
        """The HTTP response."""
        return self._raw.response

    @property
    def report(self) -> LimitReport:
        """What the headers said of the limits."""
        return self._report

    @property
    def request_id(self) -> str | None:
        """The ``request-id`` header."""
        return self._request_id

    async def next(self) -> Piece | Rejection | None:
        """The next event, the failure that ended the stream, or ``None`` at its end."""
        try:
            return piece_of(await anext(self._raw))
        except StopAsyncIteration:
            return None
        except Exception as error:  # noqa: BLE001 - every failure becomes a value; cancellation passes
            return rejection_of(error, answering=True, request=self._request)

    async def aclose(self) -> None:
        """Close the response."""
        with anyio.CancelScope(shield=True), contextlib.suppress(Exception):
            await self._raw.close()


def piece_of(event: RawMessageStreamEvent) -> Piece:
    """The SDK's event as a value that holds it. Raises for one that is not whole: the SDK does not validate, and
    would fail in the reader's face when it adds it to the message."""
    match event.type:
        case "message_start":
            if not isinstance(cast("object", event.message.content), list):
                raise TypeError("message_start without content")
            _require_output(event.message.usage)
            usage = counts_of(event.message.usage, str(event.message.model))
            return Piece(event.type, usage=usage, raw=event)
        case "content_block_start":
            return Piece(event.type, event.index, block=event.content_block.type, raw=event)
        case "content_block_delta":
            kind: str = event.delta.type
            value = getattr(event.delta, _TEXTS[kind], "") if kind in _TEXTS else ""
            text = value if kind == "text_delta" else None
            return Piece(event.type, event.index, text=text, size=len(value), raw=event)
        case "content_block_stop":
            return Piece(event.type, event.index, raw=event)
        case "message_delta":
            _require_output(event.usage)
            reason = cast("str | None", event.delta.stop_reason)
            return Piece(event.type, usage=counts_of(event.usage), stop_reason=reason, raw=event)
        case _:
            return Piece(event.type, raw=event)


def _require_output(usage: object) -> None:
    if not isinstance(getattr(usage, "output_tokens", None), int):
        raise TypeError("usage without output_tokens")


def event_of(piece: Piece) -> RawMessageStreamEvent:
    """The event to show for a piece: the SDK's own, with what joining changed, or one made up."""
    from anthropic.types import (
        RawContentBlockDeltaEvent,
        RawContentBlockStopEvent,
        RawMessageStopEvent,
        TextDelta,
    )

    event = cast("RawMessageStreamEvent | None", piece.raw)
    if event is None:
        if piece.type == "content_block_delta":
            delta = TextDelta.construct(type="text_delta", text=piece.text or "")
            return RawContentBlockDeltaEvent.construct(type=piece.type, index=piece.index, delta=delta)
        if piece.type == "content_block_stop":
            return RawContentBlockStopEvent.construct(type=piece.type, index=piece.index)
        return RawMessageStopEvent.construct(type="message_stop")
    if event.type in {"content_block_start", "content_block_delta", "content_block_stop"}:
        event.index = piece.index  # type: ignore[union-attr]
    if event.type == "content_block_delta" and event.delta.type == "text_delta" and piece.text is not None:
        event.delta.text = piece.text
    if event.type == "message_delta" and piece.usage is not None and piece.usage != counts_of(event.usage):
        _tell_usage(event.usage, piece.usage)
    return event


def _tell_usage(usage: MessageDeltaUsage, used: Usage) -> None:
    """The sum of several attempts; one attempt's own counts stay as they came, also where they are omitted."""
    usage.output_tokens = used.output
    usage.input_tokens = used.input
    if used.cache_read or usage.cache_read_input_tokens is not None:
        usage.cache_read_input_tokens = used.cache_read
    written = used.cache_write + used.cache_write_1h
    if written or usage.cache_creation_input_tokens is not None:
        usage.cache_creation_input_tokens = written
