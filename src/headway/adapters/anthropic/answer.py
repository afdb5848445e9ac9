"""From a parsed 200 to a `Reply`: is it a whole message, and what did it use?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from headway.adapters.anthropic.failures import rejected, rejection_of
from headway.adapters.anthropic.structured import MisfitError, parsed
from headway.core.catalog import region_weight
from headway.core.error_kind import ErrorKind
from headway.core.limits import LimitReport
from headway.core.request import Request
from headway.core.usage import Usage
from headway.ports import Rejection, Reply

if TYPE_CHECKING:
    from anthropic.types import Message


def unreadable(request: Request, error: Exception, report: LimitReport, request_id: str | None) -> Rejection:
    """An exception while a 200 was being read."""
    rejection = rejection_of(error, answering=True, request=request)
    failure = rejection.failure
    if failure.status is not None:  # an error event of the API's own
        return rejection
    return rejected(failure.kind, failure.message, report, status=200, request_id=request_id)


def read_answer(
    request: Request, message: object, body: str | None, report: LimitReport, request_id: str | None
) -> Reply | Rejection:
    """A parsed 200 as a reply, if it is a whole message."""
    problem = problem_of(message)
    try:
        if problem is None:
            whole = cast("Message", message)
            body = body_of(whole) if body is None else body
            if request.output_format is not None:
                whole = parsed(whole, request.output_format)
            whole._request_id = request_id  # pyright: ignore[reportPrivateUsage] - documented by the SDK
            return Reply(whole, body, usage_of(whole), report, whole.stop_reason, request_id)
    except MisfitError as error:
        used = usage_of(cast("Message", message))
        misfit = rejected(ErrorKind.MISFIT, str(error), report, status=200, request_id=request_id)
        return replace(misfit, usage=used)
    except Exception as error:  # noqa: BLE001 - an answer that defeats us was sent and billed all the same
        return unreadable(request, error, report, request_id)
    return rejected(ErrorKind.MALFORMED, problem, report, status=200, request_id=request_id)


def body_of(message: Message) -> str:
    """A message as one line of JSON; a lone surrogate, which pydantic cannot write, as its escape."""
    try:
        return message.to_json(indent=None, warnings=False)
    except ValueError:
        return json.dumps(message.to_dict(warnings=False), separators=(",", ":"), default=str)


def problem_of(message: object) -> str | None:
    """Why a parsed 200 is not a whole message. The SDK does not validate: HTML comes as a string, a wrong
    shape as a message of Nones."""
    if not _is_text(message, "id") or getattr(message, "type", None) != "message":
        return f"status 200, but the body is not a message ({type(message).__name__} without id and type)"
    content = getattr(message, "content", None)
    if not isinstance(content, list) or not all(
        _is_text(item, "type") for item in cast("list[object]", content)
    ):
        return "status 200, but the message has no content"
    usage = getattr(message, "usage", None)
    if not (_is_count(usage, "input_tokens") and _is_count(usage, "output_tokens")):
        return "status 200, but the message has no usage"
    if not _is_text(message, "stop_reason"):
        return "status 200, but the message has no stop_reason: it was cut off"
    return None


def usage_of(message: Message) -> Usage:
    """What a whole message used."""
    return counts_of(message.usage, str(message.model))


def counts_of(usage: object, model: str = "") -> Usage:
    """A ``usage`` object, of a message or of a stream's event; counts that are missing or garbled are 0.

    Only a message, or the event that begins it, says region and ``model``.
    """
    written = _count(usage, "cache_creation_input_tokens")
    hour = min(written, _count(getattr(usage, "cache_creation", None), "ephemeral_1h_input_tokens"))
    return Usage(
        input=_count(usage, "input_tokens"),
        output=_count(usage, "output_tokens"),
        cache_write=written - hour,
        cache_write_1h=hour,
        cache_read=_count(usage, "cache_read_input_tokens"),
        service_tier=_word(usage, "service_tier"),
        region_weight=region_weight(model, _word(usage, "inference_geo")),
        speed=_word(usage, "speed"),
        web_searches=_count(getattr(usage, "server_tool_use", None), "web_search_requests"),
    )


def message_of(body: str) -> Message:
    """The message of a stored body as the SDK makes it: without validation, so that what a newer API adds
    passes. Raises `ValueError` for what is not a JSON object."""
    fields = json.loads(body)
    if isinstance(fields, dict):
        return message_with(cast("dict[str, Any]", fields))
    raise ValueError("a stored message must be a JSON object")


def message_with(fields: Mapping[str, Any]) -> Message:
    """The message with these fields, as JSON has them."""
    from anthropic.types import Message

    message = Message.construct(**fields)
    message._request_id = None  # pyright: ignore[reportPrivateUsage] - documented by the SDK
    return message


def _is_text(owner: object, name: str) -> bool:
    value = getattr(owner, name, None)
    return isinstance(value, str) and bool(value)


def _word(owner: object, name: str) -> str:
    return cast("str", getattr(owner, name)) if _is_text(owner, name) else ""


def _is_count(owner: object, name: str) -> bool:
    value = getattr(owner, name, None)
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _count(owner: object, name: str) -> int:
    return cast("int", getattr(owner, name)) if _is_count(owner, name) else 0
