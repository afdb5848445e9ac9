"""From a parsed 200 to a `Reply`: is it a whole message, and what did it use?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from headway.core.catalog import region_weight
from headway.core.usage import Usage

if TYPE_CHECKING:
    from anthropic.types import Message


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
    )


def message_of(body: str) -> Message:
    """The message of a stored body as the SDK makes it: without validation, so that what a newer API adds
    passes. Raises `ValueError` for what is not a JSON object."""
    from anthropic.types import Message

    fields = json.loads(body)
    if isinstance(fields, dict):
        message = Message.construct(**cast("dict[str, Any]", fields))
        message._request_id = None  # pyright: ignore[reportPrivateUsage] - documented by the SDK
        return message
    raise ValueError("a stored message must be a JSON object")


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
