"""The results of a batch: bytes as they arrive, to lines, to values. A line that cannot be read is a value too."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from headway.adapters.anthropic.answer import message_with
from headway.adapters.anthropic.readers import failure_of_body
from headway.core.batch_info import BatchResult, ResultType
from headway.core.error_kind import ErrorKind
from headway.core.failure import failure_of

if TYPE_CHECKING:
    from anthropic.types import Message

_TYPES: Final = frozenset(get_args(ResultType))
_ID: Final = re.compile(rb'\s*\{\s*"custom_id"\s*:\s*"([a-zA-Z0-9_-]{1,64})"')
"""How a line begins, whole or not."""
_Fields = Mapping[str, Any]


class CutOffError(Exception):
    """The results ended in the middle of a line, though their length seemed right."""


async def lines_of(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """The lines of a body that are not empty. Only a line feed ends one: JSON text may hold U+2028 and the like.
    Raises `CutOffError` at the end of a body that stops short."""
    parts: list[bytes] = []
    async for chunk in chunks:
        first, *others = chunk.split(b"\n")
        parts.append(first)
        for other in others:
            if line := b"".join(parts).strip():
                yield line
            parts = [other]
    if line := b"".join(parts).strip():  # without a line feed
        if not _is_json(line):
            raise CutOffError
        yield line


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def result_of(line: bytes) -> BatchResult:
    """The result that a line holds."""
    try:
        fields: object = json.loads(line)
    except (ValueError, RecursionError):
        return _misread(line, "is not JSON")
    if not isinstance(fields, dict):
        return _misread(line, "is no object")
    custom_id, result = fields.get("custom_id"), fields.get("result")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if not isinstance(custom_id, str) or not isinstance(result, dict):
        return _misread(line, "has no custom_id or no result")
    return _result(line, custom_id, cast("_Fields", result))


def _result(line: bytes, custom_id: str, result: _Fields) -> BatchResult:
    kind: object = result.get("type")
    if kind not in _TYPES:
        return _misread(line, f"has a result of an unknown type {str(kind)[:40]!r}")
    if kind == "succeeded":
        message: object = result.get("message")
        if not isinstance(message, dict):
            return _misread(line, "has no message")
        return BatchResult(custom_id, "succeeded", message=_message(cast("_Fields", message)))
    if kind == "errored":
        return BatchResult(custom_id, "errored", error=_failure(result.get("error")))
    return BatchResult(custom_id, cast("ResultType", kind))


def _message(fields: _Fields) -> Message:
    """As the SDK does it: validated by pydantic, which is eight times as fast as ``construct``; what a newer API adds
    is taken as it comes."""
    from anthropic.types import Message
    from pydantic import ValidationError

    try:
        message = Message.model_validate(fields)
    except ValidationError:
        return message_with(fields)
    message._request_id = None  # pyright: ignore[reportPrivateUsage] - documented by the SDK
    return message


def _failure(error: object) -> object:
    """``{"type": "error", "error": {…}}`` as everywhere, or the inner object alone."""
    fields = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
    whole = fields if isinstance(fields.get("error"), dict) else {"error": fields}
    request_id = fields.get("request_id")
    given = request_id if isinstance(request_id, str) else None
    failure = failure_of_body(200, whole, given, None)  # the table: the type decides
    if not fields.get("message") and not whole["error"].get("message"):
        failure = replace(failure, message="errored in a batch, without a reason")
    return replace(failure, status=None)


def _misread(line: bytes, problem: str) -> BatchResult:
    found = _ID.match(line)
    failure = failure_of(ErrorKind.MALFORMED, f"a line of the results {problem}")
    custom_id = found[1].decode() if found else ""
    return BatchResult(custom_id, "errored", error=failure, raw=line.decode(errors="replace"))
