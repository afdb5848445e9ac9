"""The body of a response on its way to the caller: read along for usage, delayed by nothing, changed in nothing."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any, Final, Protocol, cast

import anyio
import httpx2

from headway.adapters.anthropic.answer import counts_of
from headway.core.error_kind import ErrorKind
from headway.core.failure import ErrorResponse, Failure, classify, failure_of
from headway.core.usage import NO_USAGE, Usage

_TOLD: Final = (b"message_start", b"message_delta", b"message_stop", b'"error"')
"""Events worth parsing: the others are most of a stream and say nothing of its cost."""


class Reader(Protocol):
    """Makes sense of a body piece by piece."""

    usage: Usage | None

    def feed(self, data: bytes) -> None:
        """The next decoded bytes."""
        ...

    def problem(self) -> Failure | None:
        """At the end: why it was no whole answer."""
        ...


class EventReader:
    """Usage and ending of a server-sent event stream."""

    def __init__(self, status: int, request_id: str | None) -> None:
        self.usage: Usage | None = None
        self._rest = b""
        self._complete = False
        self._failure: Failure | None = None
        self._status = status
        self._request_id = request_id

    def feed(self, data: bytes) -> None:
        """Lines that are complete are read; the rest waits for its end."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data:") and any(name in line for name in _TOLD):
                self._event(line[5:])

    def _event(self, data: bytes) -> None:
        event = _json_object(data)
        match event.get("type"):
            case "message_start":
                message = event.get("message")
                self._count(
                    cast("dict[str, Any]", message).get("usage") if isinstance(message, dict) else None
                )
            case "message_delta":
                self._count(event.get("usage"))
                delta = event.get("delta")
                self._complete = isinstance(delta, dict) and bool(
                    cast("dict[str, Any]", delta).get("stop_reason")
                )
            case "message_stop":
                self._complete = True
            case "error":
                self._failure = failure_of_body(self._status, event, self._request_id, None)
            case _:
                return

    def _count(self, usage: object) -> None:
        if isinstance(usage, dict):
            self.usage = usage_of_json(cast("dict[str, Any]", usage)).at_least(self.usage or NO_USAGE)

    def problem(self) -> Failure | None:
        """An error event, or an end before the message's."""
        if self._failure is not None or self._complete:
            return self._failure
        return replace(
            failure_of(ErrorKind.STREAM_CUT, "the stream ended before message_stop"),
            request_id=self._request_id,
        )


class BodyReader:
    """Usage of a plain body that the caller reads itself (``with_streaming_response``)."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Kept until the end: JSON cannot be understood by halves."""
        self._parts.append(data)

    def problem(self) -> Failure | None:
        """A body that is no message."""
        self.usage, problem = usage_of_body(b"".join(self._parts))
        return None if problem is None else failure_of(ErrorKind.MALFORMED, problem)


class ObservedStream(httpx2.AsyncByteStream):
    """Hands on the bytes of a response and tells its end exactly once: read to the end, broken, or closed."""

    def __init__(
        self,
        response: httpx2.Response,
        reader: Reader,
        ended: Callable[[Exception | None, bool], Awaitable[None]],
    ) -> None:
        """``ended`` is told the exception that broke the body, if any, and whether it was read to its end."""
        self._inner = cast("httpx2.AsyncByteStream", response.stream)
        self._reader = reader
        self._decode = _decoder(response.headers.get("content-encoding", ""))
        self._ended: Callable[[Exception | None, bool], Awaitable[None]] | None = ended
        self._loop = asyncio.get_running_loop()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for data in self._inner:
                if self._decode is not None:
                    self._feed(data)
                yield data
        except Exception as error:
            await self._end(error, False)
            raise
        await self._end(None, True)

    def _feed(self, data: bytes) -> None:
        assert self._decode is not None
        try:
            self._reader.feed(self._decode(data))
        except Exception:  # noqa: BLE001 - what we cannot read is the caller's all the same
            self._decode = None

    async def aclose(self) -> None:
        """The caller is done with it."""
        try:
            await self._inner.aclose()
        finally:
            await self._end(None, False)

    async def _end(self, error: Exception | None, whole: bool) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            with anyio.CancelScope(shield=True):
                await ended(error, whole)

    def __del__(self) -> None:
        # A response that was dropped unread: its budget must come back all the same.
        if self._ended is not None and not self._loop.is_closed():
            ended, self._ended = self._ended, None
            self._loop.call_soon_threadsafe(lambda: self._loop.create_task(_run(ended)))


async def _run(ended: Callable[[Exception | None, bool], Awaitable[None]]) -> None:
    await ended(None, False)


def _decoder(encoding: str) -> Callable[[bytes], bytes] | None:
    """How to read along; ``None`` for an encoding that the standard library does not know."""
    match encoding.strip().lower():
        case "" | "identity":
            return bytes
        case "gzip" | "deflate":
            return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress
        case _:
            return None


def usage_of_json(usage: dict[str, Any]) -> Usage:
    """A ``usage`` object as JSON."""
    from anthropic.types import Usage as SDKUsage

    return counts_of(SDKUsage.construct(**usage))


def usage_of_body(body: bytes) -> tuple[Usage | None, str | None]:
    """What a plain 200 used, or why it is not a message."""
    message = _json_object(body)
    usage = message.get("usage")
    if message.get("type") != "message" or not isinstance(usage, dict) or not message.get("stop_reason"):
        return None, "status 200, but the body is not a whole message"
    return usage_of_json(cast("dict[str, Any]", usage)), None


def failure_of_body(
    status: int, body: dict[str, Any], request_id: str | None, retry_after: float | None
) -> Failure:
    """The failure that an error body means."""
    error: object = body.get("error")
    fields = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
    details: object = fields.get("details")
    code = cast("dict[str, Any]", details).get("error_code") if isinstance(details, dict) else None
    message = fields.get("message") or f"HTTP status {status} with a body that is no API error"
    return classify(ErrorResponse(status, fields.get("type"), code, message, request_id, retry_after))


def error_body(data: bytes) -> dict[str, Any]:
    """An error response's JSON; empty for anything else."""
    return _json_object(data)


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
