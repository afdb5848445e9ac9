"""What the bytes of an answer say of its cost and its ending, understood while the caller reads them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final, Protocol, cast

from headway.adapters.anthropic.answer import counts_of
from headway.core.error_kind import ErrorKind
from headway.core.failure import ErrorResponse, Failure, classify, failure_of
from headway.core.usage import NO_USAGE, Usage

_TOLD: Final = (b"message_start", b"message_delta", b"message_stop", b'"error"')
"""Events worth parsing: the others are most of a stream and say nothing of its cost."""


class Reader(Protocol):
    """Makes sense of a body piece by piece."""

    @property
    def usage(self) -> Usage | None:
        """What is known so far."""
        ...

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
            if line.startswith(b"data:"):
                self.take(line[5:])

    def take(self, data: bytes) -> None:
        """The JSON of one event."""
        if not any(name in data for name in _TOLD):
            return
        event = json_object(data)
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


def usage_of_json(usage: dict[str, Any]) -> Usage:
    """A ``usage`` object as JSON."""
    from anthropic.types import Usage as SDKUsage

    return counts_of(SDKUsage.construct(**usage))


def usage_of_body(body: bytes) -> tuple[Usage | None, str | None]:
    """What a plain 200 used, or why it is not a message."""
    message = json_object(body)
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


def json_object(data: bytes) -> dict[str, Any]:
    """A JSON object; empty for anything else."""
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
