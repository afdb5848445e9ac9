"""Streams of Amazon Bedrock: the events of the Messages API inside AWS's binary frames.

A frame is its length, the length of its headers, a checksum of both, headers, payload, checksum
(https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html). The payload of a chunk is
``{"bytes": <base64 of the event's JSON>}``. The SDK decodes the same bytes with botocore and checks the checksums;
here they are only read along, and botocore need not be installed.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Final

from headway.adapters.anthropic.readers import EventReader, json_object
from headway.core.failure import ErrorResponse, Failure, classify
from headway.core.usage import Usage

MEDIA_TYPE: Final = "application/vnd.amazon.eventstream"
LONGEST_FRAME: Final = 24 * 1024 * 1024
"""Bytes; botocore's own bound is 24 MiB of payload. Anything longer is not a stream of frames."""
_PRELUDE: Final = 12
_CHECKSUM: Final = 4
_STRING: Final = 7
_SIZES: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a header's value by its type; types 6 and 7 say their length."""
_TYPES: Final = {
    "throttlingException": "rate_limit_error",
    "serviceUnavailableException": "overloaded_error",
    "modelTimeoutException": "timeout_error",
    "validationException": "invalid_request_error",
}
"""What the exceptions of InvokeModelWithResponseStream are called by the Messages API; the others are ``api_error``
(https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html)."""


class FrameReader:
    """Usage and ending of a framed stream."""

    def __init__(self, events: EventReader, status: int, request_id: str | None) -> None:
        self._events = events
        self._status = status
        self._request_id = request_id
        self._rest = bytearray()
        self._failure: Failure | None = None

    @property
    def usage(self) -> Usage | None:
        """What the events said so far."""
        return self._events.usage

    def feed(self, data: bytes) -> None:
        """Frames that are complete are read; the rest waits for its end. Raises ValueError if these are none."""
        self._rest += data
        while len(self._rest) >= _PRELUDE:
            length = int.from_bytes(self._rest[:4], "big")
            body = _PRELUDE + int.from_bytes(self._rest[4:8], "big")
            if not body + _CHECKSUM <= length <= LONGEST_FRAME:
                raise ValueError("not a stream of frames")
            if len(self._rest) < length:
                return
            frame = bytes(self._rest[:length])
            del self._rest[:length]
            self._frame(dict(_headers(frame[_PRELUDE:body])), frame[body : length - _CHECKSUM])

    def _frame(self, headers: dict[str, str], payload: bytes) -> None:
        fields = json_object(payload)
        kind = headers.get(":exception-type") or headers.get(":error-code")
        if kind is not None:
            message = str(fields.get("message") or headers.get(":error-message") or kind)
            error_type = _TYPES.get(kind[:1].lower() + kind[1:], "api_error")
            self._failure = classify(
                ErrorResponse(self._status, error_type, message=message, request_id=self._request_id)
            )
        elif isinstance(text := fields.get("bytes"), str):
            self._events.take(base64.b64decode(text))

    def problem(self) -> Failure | None:
        """An exception frame, an error event, or an end before the message's."""
        if self._failure is not None:
            return self._failure
        return self._events.problem()


def _headers(data: bytes) -> Iterator[tuple[str, str]]:
    """The headers whose values are strings. Raises ValueError where one does not end with them."""
    at = 0
    while at < len(data):
        end = at + 1 + data[at]
        if end >= len(data):
            raise ValueError("not a stream of frames")
        name, kind = data[at + 1 : end].decode(), data[end]
        start = end + 1
        if kind in _SIZES:
            at = start + _SIZES[kind]
            continue
        size = int.from_bytes(data[start : start + 2], "big")
        at = start + 2 + size
        if kind == _STRING:
            yield name, data[start + 2 : at].decode()
